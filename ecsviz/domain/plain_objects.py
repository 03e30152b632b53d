"""Objects that are no entities: what pydantic, dataclasses, attrs and SQLAlchemy say they hold.

Only what is declared as a field is read, and only where it is there already: properties are not
evaluated, and a relationship of SQLAlchemy that is not loaded is not loaded by being looked at.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping, MutableSequence, Sequence
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from ecsviz.domain.entity_class import is_entity_class
from ecsviz.errors import UnsupportedFieldError

_LISTS: Final = frozenset((list, tuple, set, frozenset, Sequence, MutableSequence))
_MAPPED: Final = "_sa_instance_state"


class PlainField(NamedTuple):
    """A field of a class that may hold other objects.

    Attributes
    ----------
    name
        Its name.
    targets
        The classes of what it holds.
    many
        Whether it holds several, in a container.
    listed
        Whether that container is a list or the like of just them.
    required
        Whether it always holds one.
    inverse
        The field of the target that is said to tell the same from the other end, if it is said.
    """

    name: str
    targets: tuple[type, ...]
    many: bool
    listed: bool
    required: bool
    inverse: str | None


def is_plain_class(kind: object) -> bool:
    """Tell whether instances of `kind` are objects with fields: plain models and the like.

    Examples
    --------
    >>> import dataclasses
    >>> is_plain_class(dataclasses.make_dataclass("Point", ["x", "y"])), is_plain_class(dict)
    (True, False)
    """
    if not isinstance(kind, type) or is_entity_class(kind):
        return isinstance(kind, type)
    if inspect.getattr_static(kind, "label_state", None) is not None:
        return False  # what stands for a row, or for an entity that was not loaded, of ours
    return (
        issubclass(kind, BaseModel)
        or dataclasses.is_dataclass(kind)
        or inspect.getattr_static(kind, "__attrs_attrs__", None) is not None
        or inspect.getattr_static(kind, "__mapper__", None) is not None
    )


def object_state(node: object) -> Mapping[str, Any] | None:
    """Return what an object holds, by field; None of what has no fields.

    Parameters
    ----------
    node
        An instance of a pydantic model, of a dataclass, of an attrs class, or of a class that
        SQLAlchemy maps. What it does not hold yet (a column or a relationship that is not
        loaded, a slot that is not set) is left out.

    Examples
    --------
    >>> import dataclasses
    >>> object_state(dataclasses.make_dataclass("Point", ["x", "y"])(1, 2))
    {'x': 1, 'y': 2}
    >>> object_state("a text") is None
    True
    """
    kind = type(node)
    if not is_plain_class(kind):
        return None
    state: Mapping[str, Any] = getattr(node, "__dict__", {})
    if _MAPPED in state:
        return {
            found.key: state[found.key] for found in mapper_of(kind).attrs if found.key in state
        }
    found = ((name, _value(node, name, state)) for name in _field_names(kind))
    held = {name: value for name, value in found if value is not _NOTHING}
    extra = node.__pydantic_extra__ if isinstance(node, BaseModel) else None
    return held | (extra or {})


def _field_names(kind: Any) -> list[str]:
    if issubclass(kind, BaseModel):
        return list(kind.model_fields)
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    return [field.name for field in kind.__attrs_attrs__]


def values_of(node: object) -> Mapping[str, Any]:
    """Return what a node of a graph holds, by field: nothing where it has no fields.

    Examples
    --------
    >>> import ecsviz as ev
    >>> values_of(ev.ChatThread(title="Cycles"))["title"], values_of("a table")
    ('Cycles', {})
    """
    if is_entity_class(type(node)):
        return node.__dict__
    return object_state(node) or {}


_NOTHING: Final = object()


def _value(node: object, name: str, state: Mapping[str, Any]) -> Any:
    if name in state:
        return state[name]
    slot = inspect.getattr_static(type(node), name, None)
    if not isinstance(slot, types.MemberDescriptorType):
        return _NOTHING
    try:
        return slot.__get__(node)
    except AttributeError:
        return _NOTHING


def mapper_of(kind: type) -> Any:
    """Return SQLAlchemy's mapper of a class that it maps."""
    from sqlalchemy import inspect as inspect_mapped

    return inspect_mapped(kind)


def mapped_below(base: type) -> list[type]:
    """Return the classes that SQLAlchemy maps below a declarative base; of others, none."""
    orm, made = sys.modules.get("sqlalchemy.orm"), inspect.getattr_static(base, "registry", None)
    if orm is None or not isinstance(made, orm.registry):
        return []
    found = [mapper.class_ for mapper in made.mappers if issubclass(mapper.class_, base)]
    return sorted(found, key=lambda kind: (kind.__name__, kind.__module__))


def not_loaded(node: object) -> list[str]:
    """Return the relationships of a mapped object that are not loaded; of others, none."""
    state = getattr(node, "__dict__", {})
    if _MAPPED not in state:
        return []
    return [each.key for each in mapper_of(type(node)).relationships if each.key not in state]


def identity_of(node: object) -> Any:
    """Return what tells an object from others: a row's class and primary key, or the object.

    Returns
    -------
    tuple or int
        SQLAlchemy's identity key of what is stored; ``id(node)`` of everything else.
    """
    state = getattr(node, "__dict__", {}).get(_MAPPED)
    return id(node) if state is None or state.key is None else state.key


# -- what a class declares -------------------------------------------------------------------


def plain_fields(kind: type, known: Mapping[str, type]) -> list[PlainField]:
    """Return the fields of a class that hold objects of other such classes.

    Parameters
    ----------
    kind
        The class.
    known
        Classes by name, for annotations of what is not defined in a module.

    Raises
    ------
    UnsupportedFieldError
        If an annotation names what cannot be found.

    Examples
    --------
    >>> import dataclasses
    >>> Point = dataclasses.make_dataclass("Point", ["x", "y"])
    >>> Line = dataclasses.make_dataclass("Line", [("ends", list[Point]), ("name", str)])
    >>> [(field.name, field.many) for field in plain_fields(Line, {})]
    [('ends', True)]
    """
    if inspect.getattr_static(kind, "__mapper__", None) is not None:
        return [_relationship(found) for found in mapper_of(kind).relationships]
    found = []
    for name, hint in _hints(kind, known).items():
        targets = [part for part in _parts(hint) if is_plain_class(part)]
        if targets:
            direct = _alternatives(hint)
            many = not any(part in direct for part in targets)
            required = not many and type(None) not in direct
            listed = many and any(typing.get_origin(part) in _LISTS for part in direct)
            found.append(PlainField(name, tuple(targets), many, listed, required, None))
    return found


def _relationship(found: Any) -> PlainField:
    required = not found.uselist and not any(column.nullable for column in found.local_columns)
    backref = found.backref[0] if isinstance(found.backref, tuple) else found.backref
    inverse = found.back_populates or backref
    owns, many = found.direction.name == "MANYTOONE", bool(found.uselist)
    return PlainField(found.key, (found.mapper.class_,), many, many, required and owns, inverse)


def _hints(kind: type, known: Mapping[str, type]) -> dict[str, Any]:
    if issubclass(kind, BaseModel) and kind.__pydantic_complete__:
        return {name: field.annotation for name, field in kind.model_fields.items()}
    try:
        hints = typing.get_type_hints(kind, localns=dict(known))
    except Exception as err:
        raise UnsupportedFieldError(
            f"An annotation of {kind.__name__} names what cannot be found: {err}."
            " Define it in the same module, and before this is asked for.",
            cls=kind,
            field=None,
        ) from err
    return {name: hints[name] for name in _field_names(kind) if name in hints}


def _alternatives(hint: Any) -> tuple[Any, ...]:
    """Return what stands in a field itself, as one of several: ``A | None`` gives both."""
    while typing.get_origin(hint) is typing.Annotated:
        hint = typing.get_args(hint)[0]
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return typing.get_args(hint)
    return (hint,)


def _parts(hint: Any) -> list[Any]:
    """Return every class that an annotation names, each once."""
    found: dict[Any, None] = {}
    stack = [hint]
    while stack:
        part = stack.pop()
        inside = typing.get_args(part)
        if inside and typing.get_origin(part) is not typing.Literal:
            stack.extend(reversed(inside))
        elif isinstance(part, type):
            found[part] = None
    return list(found)


def other_side(
    kind: type, field: PlainField, fields_of: Callable[[type], Iterable[PlainField]]
) -> str | None:
    """Return the field that tells the same from the other end, None if there is none.

    Parameters
    ----------
    kind
        The class of `field`.
    field
        What holds several, or one.
    fields_of
        Gives the fields of a class.

    Notes
    -----
    As for entities: it is said (``back_populates``), or A and B are two classes, A has exactly
    one ``list[B]`` and B exactly one field of type A.
    """
    if field.inverse is not None:
        return field.inverse
    if len(field.targets) != 1 or field.targets[0] is kind:
        return None
    target = field.targets[0]
    if field.many and not field.listed:
        return None
    here = [
        other
        for other in fields_of(kind)
        if target in other.targets and _is_side(other, many=field.many)
    ]
    there = [
        other
        for other in fields_of(target)
        if _is_side(other, many=not field.many)
        and any(issubclass(kind, held) for held in other.targets)
    ]
    return there[0].name if len(here) == len(there) == 1 else None


def _is_side(field: PlainField, *, many: bool) -> bool:
    return field.listed if many else not field.many
