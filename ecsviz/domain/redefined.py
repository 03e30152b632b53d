"""What names a class that is defined anew, names the new one: a notebook's cell is run again.

A text such as ``"Part"`` means the class of that name when pydantic reads it: the definition of the
run before, if the class stands further below in its cell. From run to run each definition would so
hold the one before, and a dict would become an entity of a class that is gone.
"""

from __future__ import annotations

import functools
import operator
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any

from pydantic import BaseModel

try:
    # There is no public name for it: a class that is completed when it is used.
    from pydantic._internal._mock_val_ser import set_model_mocks as _set_mocks
except ImportError:  # another pydantic: classes go on naming what they have named
    _set_mocks = None  # type: ignore[assignment]  # see the line below
_be_incomplete: Callable[[Any], None] | None = _set_mocks

Newest = Callable[[type], type]


def named_anew(classes: Iterable[type], newest: Newest) -> None:
    """Let the fields of models name the newest definitions.

    Parameters
    ----------
    classes
        Models. Those that they name, and so on, are looked at as well.
    newest
        Gives the newest definition of an entity class, and every other class as it is.

    Notes
    -----
    Of definitions that are not the newest themselves, too: or an entity that somebody keeps would
    hold, by its class, every definition that came after. What leads to a changed field is
    completed anew, by pydantic, when it is used next. O(fields of all models).
    """
    if _be_incomplete is None:
        return
    named: dict[type, set[type]] = {}
    todo, changed = list(classes), []
    while todo:
        model = todo.pop()
        if model not in named:
            fields = list((model.__dict__.get("__pydantic_fields__") or {}).values())
            if sum(_rename(info, newest) for info in fields):
                changed.append(model)
            named[model] = {part for info in fields for part in _models_in(info.annotation)}
            todo.extend(named[model])
    for model in _leading_to(changed, named):
        _forget(model)
        _be_incomplete(model)


def _models_in(annotation: Any) -> Iterator[type]:
    """Yield the models that an annotation names."""
    todo = [annotation]
    while todo:
        part = todo.pop()
        if isinstance(part, type):
            if issubclass(part, BaseModel):
                yield part
        else:
            todo.extend(typing.get_args(part))


def _arguments(model: Any) -> tuple[Any, ...]:
    """Return what a generic model was parametrized with."""
    return tuple(model.__pydantic_generic_metadata__["args"])


def _rename(info: Any, newest: Newest) -> bool:
    """Let one field name the newest definitions; tell whether it has named others."""
    before = info.annotation
    info.annotation = _renamed(before, newest)
    if info.annotation is before:
        return False
    # Of these pydantic makes the fields of subclasses, and of a generic model's parametrizations.
    info._original_annotation = _renamed(info._original_annotation, newest)
    given = info._attributes_set
    if "annotation" in given:
        given["annotation"] = _renamed(given["annotation"], newest)
    return True


def _renamed(annotation: Any, newest: Newest) -> Any:
    """Return an annotation with the newest definitions in it; itself if they are."""
    if isinstance(annotation, type):
        return _newest_of(annotation, newest)
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        args = args[:1]
    elif origin is typing.Literal:
        return annotation
    changed = tuple(_renamed(arg, newest) for arg in args)
    if all(new is old for new, old in zip(changed, args, strict=True)):
        return annotation
    if origin is Annotated:
        return Annotated[(changed[0], *annotation.__metadata__)]
    if origin is types.UnionType:
        return functools.reduce(operator.or_, changed)  # typing.Union would remember them
    return annotation.copy_with(changed) if hasattr(annotation, "copy_with") else origin[changed]


def _newest_of(cls: Any, newest: Newest) -> Any:
    if not issubclass(cls, BaseModel) or not _arguments(cls):
        return newest(cls)
    generic, args = cls.__pydantic_generic_metadata__["origin"], _arguments(cls)
    changed = newest(generic), tuple(_renamed(arg, newest) for arg in args)
    if changed[0] is generic and all(map(operator.is_, changed[1], args)):
        return cls
    return typing.cast(Any, changed[0])[changed[1]]


def _leading_to(ends: list[type], named: dict[type, set[type]]) -> set[type]:
    """Return models, and all that name them, by way of others too."""
    holders: dict[type, list[type]] = {}
    for model, parts in named.items():
        for part in parts:
            holders.setdefault(part, []).append(model)
    found, todo = set(ends), list(ends)
    while todo:
        new = set(holders.get(todo.pop(), ())) - found
        found |= new
        todo.extend(new)
    return found


def _forget(model: Any) -> None:
    """Forget what was made of a model's fields."""
    for name in [name for name in list(vars(model)) if name.startswith("__ecsviz_")]:
        delattr(model, name)
    model.__pydantic_complete__ = False
