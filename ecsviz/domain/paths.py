"""Where inside a field an entity stands: steps through nested values, and the same as text.

Nothing here looks at more than one field; properties are never evaluated.
"""

from __future__ import annotations

import array
import dataclasses
import hashlib
import itertools
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from ecsviz.domain.entity_class import is_entity_class
from ecsviz.domain.fields import FieldPlan, Shape, is_named_tuple
from ecsviz.domain.scalars import SCALARS
from ecsviz.errors import EcsvizError, InvalidArgumentError, UnsupportedFieldError

MAX_VALUE_DEPTH = 200
"""How deep containers and plain models may nest inside one field. Deeper is a cycle of values
or data that should be entities."""

MAX_KEY = 80
"""How many characters of a key a path shows; of a longer one the beginning and a hash."""


_LEAVES = frozenset({*SCALARS, bytearray, range, array.array})


class Attr(str):
    """A step of a path that is an attribute, not an index or a key."""

    __slots__ = ()


class KeyStep:
    """The last step of a path to what is itself the key of a dict."""

    __slots__ = ()


def format_path(name: str, key: Any) -> str:
    """Return the place inside an entity as text.

    Parameters
    ----------
    name
        The field.
    key
        ``None``, a position, a key, or a tuple of steps where the shape is nested.

    Notes
    -----
    Different places of one entity have different paths, however long the keys are.

    Examples
    --------
    >>> format_path("messages", 3), format_path("by_name", "x")
    ('messages[3]', "by_name['x']")
    >>> format_path("meta", Steps((Attr("author"),)))
    'meta.author'
    """
    if key is None:
        return name
    if type(key) is int:
        return f"{name}[{key}]"
    steps = key if isinstance(key, Steps) else (key,)
    return name + "".join(
        f".{step}" if isinstance(step, Attr) else f"[{_format_key(step)}]" for step in steps
    )


def _format_key(key: Any) -> str:
    text = "a key" if isinstance(key, KeyStep) else repr(key)
    if len(text) <= MAX_KEY:
        return text
    digest = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=4).hexdigest()
    return f"{text[: MAX_KEY - 10]}… {digest}"


class Steps(tuple[Any, ...]):
    """The steps from a field to a reference inside nested values."""

    __slots__ = ()


def nested_entities(
    value: Any,
    place: str,
    ends: Callable[[type], bool] = is_entity_class,
    leaves: Container[type] = _LEAVES,
) -> Iterator[tuple[Steps, Any]]:
    """Yield every entity inside nested containers, plain models and dataclasses.

    Parameters
    ----------
    value
        What stands in a field.
    place
        ``Class.field``, for the message of an error.
    ends
        Tells of a class whether its instances are what is looked for: entity classes.
    leaves
        Classes whose instances need not be looked at: those that hold nothing.

    Yields
    ------
    tuple
        The steps from the field, and the entity; in the order in which the value holds them.
        The last step to an entity that is a dict's key is a `KeyStep`.
    """
    stack: list[tuple[Any, Steps]] = [(value, Steps())]
    while stack:
        item, steps = stack.pop()
        if ends(type(item)):
            yield steps, item
            continue
        try:
            parts = [(step, part) for step, part in value_parts(item) if type(part) not in leaves]
        except (EcsvizError, MemoryError):
            raise
        except Exception as err:  # of a class of others
            raise InvalidArgumentError(
                f"{place} holds a {type(item).__name__} that does not give its members:"
                f" {type(err).__name__}. Give a list of them.",
                value=item,
            ) from err
        if not parts:
            continue
        if len(steps) >= MAX_VALUE_DEPTH:
            raise too_deep(place)
        for step, part in reversed(parts):
            stack.append((part, Steps((*steps, step))))


def held_in(plan: FieldPlan, value: Any) -> Iterable[Any]:
    """Return the entities that stand in a field, each as often as it does."""
    if value is None or plan.shape == Shape.OPAQUE:
        return ()
    if plan.shape == Shape.NESTED:
        return [entity for _, entity in nested_entities(value, plan.place)]
    if plan.shape == Shape.DICT:
        found: Iterable[Any] = value.values()
        return found
    return (value,) if plan.shape == Shape.SINGLE else value


def too_deep(place: str) -> UnsupportedFieldError:
    """Return the error that tells of values nested too deep, or in themselves."""
    return UnsupportedFieldError(
        f"{place} nests values more than {MAX_VALUE_DEPTH} deep (or holds itself)."
        " Make what repeats an entity: entities may hold each other without limit.",
        cls=None,
        field=place,
    )


def value_parts(item: Any) -> Iterable[tuple[Any, Any]]:
    """Return the parts of a container, plain model or dataclass as (step, part).

    Notes
    -----
    Properties, cached ones too, are no parts: only what is declared as a field is.
    """
    kind = type(item)
    if kind in _LEAVES:
        return ()
    if isinstance(item, Mapping):
        keys = ((KeyStep(), key) for key in item if type(key) not in _LEAVES)
        return itertools.chain(item.items(), keys)
    if isinstance(item, AbstractSet):
        entities = sorted((e for e in item if is_entity_class(type(e))), key=id_number)
        others = (part for part in item if not is_entity_class(type(part)))
        return itertools.chain(((e.ecs_id, e) for e in entities), enumerate(others))
    if isinstance(item, tuple) and is_named_tuple(kind):
        return zip(map(Attr, item._fields), item, strict=True)  # type: ignore[attr-defined]  # a named tuple has _fields
    if isinstance(item, Sequence) and not isinstance(item, (str, bytes, bytearray, memoryview)):
        return enumerate(item)
    if isinstance(item, BaseModel):
        return _model_parts(item)
    if dataclasses.is_dataclass(item) and not isinstance(item, type):
        names = [field.name for field in dataclasses.fields(item)]
        return ((Attr(name), getattr(item, name, None)) for name in names)
    return ()


def _model_parts(model: BaseModel) -> Iterator[tuple[Any, Any]]:
    state = model.__dict__
    for name in type(model).model_fields:
        if name in state:
            yield Attr(name), state[name]
    for name, value in (model.__pydantic_extra__ or {}).items():
        yield Attr(name), value


def id_number(entity: Any) -> int:
    """Return an entity's id as a number, 0 where it is malformed: to sort the members of sets."""
    ecs_id = entity.__dict__.get("ecs_id")
    return ecs_id.int if isinstance(ecs_id, UUID) else 0
