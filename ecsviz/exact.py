"""JSON that keeps Python's types, and whether two values are exactly the same."""

from __future__ import annotations

import base64
import dataclasses
import enum
import json
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from ecsviz.errors import short_repr
from ecsviz.identity import is_entity_class

NoneType = type(None)

MAX_JSON_DEPTH = 200
"""How deep lists and dictionaries may nest in one value: what Python's JSON reader takes safely."""


class NotPlainError(ValueError):
    """A value that JSON cannot keep; it never leaves this package."""


# -- JSON that keeps Python's types ----------------------------------------------------------


def to_json(value: Any, refer: Callable[[Any], Any] | None = None, depth: int = 0) -> Any:
    """Return plain data that JSON can hold and from which `from_json` gives the same value.

    Parameters
    ----------
    value
        Scalars of the standard library, and lists, tuples, sets and dictionaries of them.
    refer
        Asked first for every part; what it returns, if not ``NotImplemented``, stands for it.
    depth
        How deep `value` stands in what is written.

    Raises
    ------
    NotPlainError
        For a value of another type, and for values nested too deep.

    Notes
    -----
    What JSON has is written as it is. Everything else is an object with one key that begins
    with ``$``: ``{"$tuple": [1, 2]}``, ``{"$date": "2024-02-29"}``.

    Examples
    --------
    >>> to_json({"a": (1, None)})
    {'a': {'$tuple': [1, None]}}
    >>> from_json(to_json({1: Decimal("1.10")}))
    {1: Decimal('1.10')}
    """
    if refer is not None:
        found = refer(value)
        if found is not NotImplemented:
            return found
    kind = type(value)
    if kind in _JSON_TYPES:
        return value
    if depth > MAX_JSON_DEPTH:
        raise NotPlainError(f"it nests more than {MAX_JSON_DEPTH} deep, or holds itself")
    if kind is int:
        return value if -(2**63) <= value < 2**63 else {"$int": hex(value)}
    if kind is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if kind is list:
        return [to_json(part, refer, depth + 1) for part in value]
    if kind is dict:
        return _dict_to_json(value, refer, depth)
    if kind in _CONTAINERS:
        parts = [to_json(part, refer, depth + 1) for part in value]
        # Sets have no order; one that does not change keeps checksums from changing.
        return {_CONTAINERS[kind]: parts if kind is tuple else sorted(parts, key=json_text)}
    if kind in _SCALARS:
        tag, write, _ = _SCALARS[kind]
        return {tag: write(value)}
    raise NotPlainError(f"it holds a {kind.__name__}, of which the annotation does not tell")


def _dict_to_json(value: dict[Any, Any], refer: Any, depth: int) -> Any:
    if all(type(key) is str and not key.startswith("$") for key in value):
        return {key: to_json(part, refer, depth + 1) for key, part in value.items()}
    return {
        "$map": [
            [to_json(key, refer, depth + 1), to_json(part, refer, depth + 1)]
            for key, part in value.items()
        ]
    }


def from_json(data: Any, resolve: Callable[[Any], Any] | None = None) -> Any:
    """Return the value that `to_json` wrote; `resolve` gets what ``{"$ref": …}`` holds.

    Raises
    ------
    ValueError
        For data that `to_json` does not write.
    """
    if isinstance(data, list):
        return [from_json(part, resolve) for part in data]
    if not isinstance(data, dict):
        return data
    if len(data) == 1:
        ((tag, inner),) = data.items()
        if tag.startswith("$"):
            return _from_tag(tag, inner, resolve)
    return {key: from_json(part, resolve) for key, part in data.items()}


def _from_tag(tag: str, inner: Any, resolve: Callable[[Any], Any] | None) -> Any:
    if tag == "$ref" and resolve is not None:
        return resolve(inner)
    if tag == "$map":
        return {from_json(key, resolve): from_json(part, resolve) for key, part in inner}
    if tag in _BY_TAG:
        return _BY_TAG[tag](inner)
    if tag in _CONTAINER_BY_TAG:
        return _CONTAINER_BY_TAG[tag](from_json(part, resolve) for part in inner)
    raise ValueError(f"unknown tag {short_repr(tag)}")


def _write_datetime(value: datetime) -> str:
    return value.isoformat() + ("~" if value.fold else "")


def _read_datetime(text: str) -> datetime:
    if text.endswith("~"):  # the second of two times when clocks go back
        return datetime.fromisoformat(text[:-1]).replace(fold=1)
    return datetime.fromisoformat(text)


def _write_time(value: time) -> str:
    return value.isoformat() + ("~" if value.fold else "")


def _read_time(text: str) -> time:
    if text.endswith("~"):
        return time.fromisoformat(text[:-1]).replace(fold=1)
    return time.fromisoformat(text)


def microseconds(value: timedelta) -> int:
    """Return a duration in whole microseconds; ``timedelta.total_seconds`` would round."""
    return (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds


_JSON_TYPES = frozenset({str, bool, NoneType})
_CONTAINERS: dict[type, str] = {tuple: "$tuple", set: "$set", frozenset: "$frozenset"}
_CONTAINER_BY_TAG: dict[str, Callable[[Any], Any]] = {
    tag: kind for kind, tag in _CONTAINERS.items()
}
_SCALARS: dict[type, tuple[str, Callable[[Any], Any], Callable[[Any], Any]]] = {
    bytes: ("$bytes", lambda v: base64.b64encode(v).decode(), base64.b64decode),
    datetime: ("$datetime", _write_datetime, _read_datetime),
    date: ("$date", date.isoformat, date.fromisoformat),
    time: ("$time", _write_time, _read_time),
    timedelta: ("$timedelta", microseconds, lambda v: timedelta(microseconds=v)),
    Decimal: ("$decimal", str, Decimal),
    UUID: ("$uuid", str, UUID),
}
_BY_TAG: dict[str, Callable[[Any], Any]] = {
    "$int": lambda v: int(v, 16),
    "$float": float,
    **{tag: read for tag, _, read in _SCALARS.values()},
}

PLAIN_TYPES: frozenset[Any] = frozenset({str, bool, NoneType, int, float, *_SCALARS})
"""The scalars that `to_json` takes."""
PLAIN_CONTAINERS: frozenset[Any] = frozenset({list, dict, *_CONTAINERS})
"""The containers that `to_json` takes."""


def json_text(data: Any) -> str:
    r"""Return JSON text; characters that UTF-8 cannot carry are escaped.

    Examples
    --------
    >>> json_text(["é", 1]), json_text("\ud800")
    ('["é",1]', '"\\ud800"')
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text


# -- exactly the same ------------------------------------------------------------------------


def identical(a: Any, b: Any) -> bool:  # noqa: PLR0911 - one kind of value after another
    """Tell whether two values are the same in type and content, down to the last part.

    Notes
    -----
    ``1`` is not ``True``, ``0.0`` is not ``-0.0``, ``Decimal("1.0")`` is not ``Decimal("1.00")``,
    NaN is NaN; a dictionary's order counts, a time's offset too; an entity is only itself. O(size);
    it recurses into values, never into entities.

    Examples
    --------
    >>> identical({"a": (1, float("nan"))}, {"a": (1, float("nan"))}), identical([1], [True])
    (True, False)
    """
    if a is b:
        return True
    kind = type(a)
    if kind is not type(b):
        return False
    if kind in _BY_EQUALITY:
        return bool(a == b)
    if kind in _BY_TEXT:
        return str(a) == str(b) and getattr(a, "fold", 0) == getattr(b, "fold", 0)
    if isinstance(a, (enum.Enum, type)) or is_entity_class(kind):
        return False  # they would be the same object
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(identical, a, b))
    if isinstance(a, Mapping):
        return len(a) == len(b) and all(map(identical, _flat(a), _flat(b)))
    if isinstance(a, (set, frozenset)):
        return len(a) == len(b) and _same_members(a, b)
    if isinstance(a, BaseModel):
        # Not the whole of __dict__: it also holds what cached properties have computed.
        extra = identical(a.__pydantic_extra__, b.__pydantic_extra__)
        return extra and _same_fields(a.__dict__, b.__dict__, type(a).model_fields)
    if dataclasses.is_dataclass(a):
        names = [field.name for field in dataclasses.fields(a)]
        return all(identical(getattr(a, n, None), getattr(b, n, None)) for n in names)
    return _equal(a, b)


_BY_EQUALITY = frozenset({str, bytes, int, bool, UUID, date, timedelta})
# A float's text has its sign and says nan; a time's has its offset; a Decimal's its zeros.
_BY_TEXT = frozenset({float, Decimal, datetime, time, complex})


def _same_fields(a: dict[str, Any], b: dict[str, Any], names: Iterable[str]) -> bool:
    return all(identical(a.get(name), b.get(name)) for name in names)


def _flat(mapping: Mapping[Any, Any]) -> Iterable[Any]:
    return (part for item in mapping.items() for part in item)


def _same_members(a: Any, b: Any) -> bool:
    if a != b:
        # Members that are not equal to themselves (NaN) are found by their text.
        return sorted(map(_typed_text, a)) == sorted(map(_typed_text, b))
    return sorted(map(_type_name, a)) == sorted(map(_type_name, b))


def _typed_text(value: Any) -> tuple[str, str]:
    return type(value).__qualname__, repr(value)


def _type_name(value: Any) -> str:
    return type(value).__qualname__


def _equal(a: Any, b: Any) -> bool:
    try:
        return bool(a == b)
    except Exception:  # noqa: BLE001 - whatever a foreign __eq__ raises, equal they are not
        return False
