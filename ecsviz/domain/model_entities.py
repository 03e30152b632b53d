"""Entity classes made of plain pydantic models."""

from __future__ import annotations

import copy
import inspect
import re
import sys
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, ForwardRef, Union

from pydantic import BaseModel, RootModel, create_model
from pydantic.errors import PydanticUserError

from ecsviz.basics.outside import outside
from ecsviz.domain.entity import Entity
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.domain.fields import OWN_FIELDS
from ecsviz.errors import NotAnEntityError, UnsupportedFieldError, short_repr


def entity_class(*models: type[BaseModel]) -> Any:
    """Make an entity class of a plain pydantic model, to store and to draw what it holds.

    Parameters
    ----------
    *models
        The model, or several that hold each other. Fields, defaults, validators, methods and
        configuration are theirs: the class derives from its model and from ``ev.Entity``. Where
        a field has one of these models, the new class has the entity class; other models inside
        stay values.

    Returns
    -------
    type, or tuple of types
        An entity class for each model, called as it is with ``Entity`` behind (``Box[int]``
        gives ``Box_intEntity``). Give it that name
        in your module (``AuthorEntity = ev.entity_class(Author)``), where pickles look for it.

    Raises
    ------
    NotAnEntityError
        If something given is no pydantic model, or is an entity class already.
    UnsupportedFieldError
        If a field has a name that every entity has (``version``), if a model that would stay a
        value leads back to one that is given, or if an annotation names what cannot be found.

    Examples
    --------
    >>> from pydantic import BaseModel
    >>> import ecsviz as ev
    >>> class Author(BaseModel):
    ...     name: str
    ...     books: list["Book"] = []
    >>> class Book(BaseModel):
    ...     title: str
    ...     author: Author | None = None
    >>> AuthorEntity, BookEntity = ev.entity_class(Author, Book)
    >>> ann = AuthorEntity(name="Ann")
    >>> ann.books.append(BookEntity(title="Loops", author=ann))
    >>> store = ev.SQLAlchemyEntityStorage(":memory:")
    >>> store.get(store.register(ann).ecs_id).books[0].title
    'Loops'
    """
    for model in models:
        _check(model)
    if not models:
        raise NotAnEntityError("entity_class() makes a class of a model. Give one.", value=models)
    names = {model: re.sub(r"\W+", "_", model.__name__).strip("_") + "Entity" for model in models}
    caller = sys._getframe(outside() - 1)
    seen = {model.__name__: model for model in models}
    around = {**caller.f_globals, **caller.f_locals, **seen}
    hints = {model: _hints(model, around) for model in models}
    for model in models:
        _refuse_way_back(model, hints[model], names)
    module = str(caller.f_globals.get("__name__"))
    made = {model: _make(model, names, hints[model], module) for model in models}
    around |= {names[model]: cls for model, cls in made.items()}
    for cls in made.values():
        cls.model_rebuild(force=True, _types_namespace=around)
    return made[models[0]] if len(models) == 1 else tuple(made.values())


def _check(model: Any) -> None:
    what = None
    if not isinstance(model, type) or not issubclass(model, BaseModel):
        what = "is no pydantic model"
    elif is_entity_class(model):
        what = "is an entity class already"
    elif model is BaseModel:
        what = "is the class of all models"
    elif issubclass(model, RootModel):
        what = "is a root model, which has no fields to store"
    elif inspect.getattr_static(model, "__mapper__", None) is not None:
        what = "has a table already; give it to a store with models={…}"
    if what is not None:
        raise NotAnEntityError(
            f"{short_repr(model)} {what}. entity_class() takes subclasses of pydantic.BaseModel.",
            value=model,
        )
    for name in model.model_fields:
        if name in OWN_FIELDS:
            raise UnsupportedFieldError(
                f"{model.__name__}.{name} has a name that every entity has. Name it otherwise;"
                f" with alias={name!r} it is still read and written as {name!r}.",
                cls=model,
                field=name,
            )


def _hints(model: type[BaseModel], around: dict[str, Any]) -> dict[str, Any]:
    try:
        model.model_rebuild(_types_namespace=around)
        return {name: field.annotation for name, field in model.model_fields.items()}
    except (NameError, PydanticUserError) as err:
        why = getattr(err, "message", err)
        raise UnsupportedFieldError(
            f"An annotation of {model.__name__} names what cannot be found: {why}."
            " Define it before this is asked for.",
            cls=model,
            field=None,
        ) from err


def _name_of(hint: Any, names: Mapping[type[BaseModel], str]) -> str | None:
    """Return what the class made of a model is called, or of an earlier definition of it.

    A cell that is run again finds the ``"Book"`` of its annotation as the run before has left it.
    """
    if not isinstance(hint, type) or not issubclass(hint, BaseModel) or is_entity_class(hint):
        return None
    if hint in names:
        return names[hint]
    where = hint.__module__, hint.__qualname__
    return next((names[m] for m in names if (m.__module__, m.__qualname__) == where), None)


def _refuse_way_back(
    model: type[BaseModel], hints: Mapping[str, Any], names: Mapping[type[BaseModel], str]
) -> None:
    """Refuse a model that would stay a value and holds what becomes an entity."""
    seen: set[Any] = set()
    stack = list(hints.values())
    while stack:
        hint = stack.pop()
        stack.extend(typing.get_args(hint))
        is_model = isinstance(hint, type) and issubclass(hint, BaseModel)
        if not is_model or hint in seen or is_entity_class(hint) or _name_of(hint, names):
            continue
        seen.add(hint)
        inside = [field.annotation for field in hint.model_fields.values()]
        back = next((each for each in names if any(_names(part, each) for part in inside)), None)
        if back is not None:
            raise UnsupportedFieldError(
                f"{hint.__name__}, which {model.__name__} leads to, holds {back.__name__}. Make"
                f" it an entity class, too: entity_class("
                f"{', '.join(each.__name__ for each in (*names, hint))}).",
                cls=hint,
                field=None,
            )
        stack.extend(inside)


def _names(hint: Any, model: type[BaseModel]) -> bool:
    return _name_of(hint, {model: model.__name__}) is not None or any(
        _names(part, model) for part in typing.get_args(hint)
    )


def _make(
    model: type[BaseModel],
    names: Mapping[type[BaseModel], str],
    hints: Mapping[str, Any],
    module: str,
) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        hint = _replaced(hints[name], names)
        if hint is not hints[name]:
            fields[name] = (hint, copy.copy(field))
    return create_model(
        names[model],
        __base__=(model, Entity),
        __module__=module,
        __doc__=model.__doc__,
        **fields,
    )


def _replaced(hint: Any, names: Mapping[type[BaseModel], str]) -> Any:
    """Return an annotation with the entity classes in the place of their models."""
    name = _name_of(hint, names)
    if name is not None:
        return ForwardRef(name)
    inside = typing.get_args(hint)
    origin = typing.get_origin(hint)
    if origin is None or origin is typing.Literal:
        return hint
    if origin is Annotated:
        inner = _replaced(inside[0], names)
        return hint if inner is inside[0] else Annotated[(inner, *hint.__metadata__)]
    parts = tuple(part if part is Ellipsis else _replaced(part, names) for part in inside)
    if all(new is old for new, old in zip(parts, inside, strict=True)):
        return hint
    if origin in (Union, types.UnionType):
        return Union[parts]  # noqa: UP007 - of a tuple, and of names that stand for classes
    return origin[parts if len(parts) > 1 else parts[0]]
