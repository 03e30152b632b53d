"""JSON that keeps Python's types."""

from __future__ import annotations

import json
import math
import re
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, timezone
from itertools import chain
from typing import Any

from ecsviz.domain.scalars import SCALARS, Clock, NoneType, NotPlainError, zone_of
from ecsviz.errors import short_repr

MAX_JSON_DEPTH = 200
"""How deep lists and dictionaries may nest in one value: what Python's JSON reader takes safely."""


UNREADABLE = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,  # of which decimal.InvalidOperation and OverflowError are
    RecursionError,
)
"""What Python raises where stored data are not what they should be."""


def to_json(  # noqa: PLR0911 - one kind of value after another
    value: Any, refer: Callable[[Any], Any] | None = None, depth: int = 0
) -> Any:
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
    >>> from decimal import Decimal
    >>> from_json(to_json({1: Decimal("1.10")}))
    {1: Decimal('1.10')}
    """
    if refer is not None:
        found = refer(value)
        if found is not NotImplemented:
            return found
    kind = type(value)
    if kind is str:
        return value if _is_json_text(value) else _tagged(value)
    if kind in _JSON_TYPES:
        return value
    if depth > MAX_JSON_DEPTH:
        raise NotPlainError(f"it nests more than {MAX_JSON_DEPTH} deep, or holds itself")
    if kind is int:
        return value if -(2**63) <= value < 2**63 else _tagged(value)
    if kind is float:
        return value if math.isfinite(value) else _tagged(value)
    if kind is list:
        return [to_json(part, refer, depth + 1) for part in value]
    if kind is dict:
        return _dict_to_json(value, refer, depth)
    if kind in _CONTAINERS:
        return _container_to_json(value, refer, depth)
    if kind in SCALARS:
        return _tagged(value)
    raise NotPlainError(f"it holds a {kind.__name__}, of which the annotation does not tell")


def is_as_json(value: Any) -> bool:  # noqa: PLR0911 - one doubt after another
    """Tell whether an object, or a list, is what `to_json` makes of it.

    Parameters
    ----------
    value
        Anything.

    Notes
    -----
    A level at a time, by functions in C: half the time of `to_json`. It may say no of what is.

    Examples
    --------
    >>> is_as_json({"a": [1, {"b": None}]}), is_as_json({"a": (1,)}), is_as_json({"$a": 1})
    (True, False, False)
    """
    level: list[Any] = [value]
    if type(value) is not dict and type(value) is not list:
        return False
    count = 0
    for _ in range(_FEW_LEVELS):
        count += len(level)
        if count > _MANY:
            return False  # it may hold itself, or one list in very many places
        objects = [each for each in level if type(each) is dict]
        keys = list(chain.from_iterable(objects))
        if set(map(type, keys)) - _TEXT or "\0$" in "\0".join(("", *keys)):
            return False
        lists = [each for each in level if type(each) is list]
        level = list(chain(chain.from_iterable(map(dict.values, objects)), *lists))
        kinds = set(map(type, level))
        if not kinds <= _PLAIN_TYPES:
            return False
        texts = [each for each in level if type(each) is str]
        strange = [each for each in chain(texts, keys) if not each.isascii()]
        if any(map(_PAIR.search, strange)):
            return False
        if int in kinds and any(
            not -(2**63) <= each < 2**63 for each in level if type(each) is int
        ):
            return False
        if float in kinds and not all(math.isfinite(e) for e in level if type(e) is float):
            return False
        level = [each for each in level if type(each) is dict or type(each) is list]
        if not level:
            return True
    return False


def _tagged(value: Any) -> Any:
    row = SCALARS[type(value)]
    return {row.tag: row.write(value)}


def _container_to_json(value: Any, refer: Any, depth: int) -> Any:
    parts = [to_json(part, refer, depth + 1) for part in value]
    kind = type(value)
    if kind is deque:
        parts.insert(0, value.maxlen)
    elif kind is not tuple:
        # Sets have no order; one that does not change keeps checksums from changing.
        parts.sort(key=json_text)
    return {_CONTAINERS[kind]: parts}


def _dict_to_json(value: dict[Any, Any], refer: Any, depth: int) -> Any:
    if all(type(key) is str and key[:1] != "$" and _is_json_text(key) for key in value):
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


def settled(value: Clock) -> Clock:
    """Return a time as it comes back from `from_json`: in a named zone, or at a fixed offset.

    Examples
    --------
    >>> from datetime import datetime, timedelta
    >>> east = timezone(timedelta(hours=2), "summer")
    >>> settled(datetime(2024, 7, 1, tzinfo=east)).tzinfo
    datetime.timezone(datetime.timedelta(seconds=7200))
    """
    offset = value.utcoffset()
    if offset is None or value.tzinfo is UTC or zone_of(value) is not None:
        return value
    return value.replace(tzinfo=timezone(offset))


_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def _is_json_text(text: str) -> bool:
    # Two surrogates that are escaped one after the other are read as one character.
    return text.isascii() or _PAIR.search(text) is None


_TEXT = {str}
_PLAIN_TYPES = {str, int, float, bool, NoneType, dict, list}

_FEW_LEVELS = 100
"""How deep what is as JSON may nest: more is looked at as a whole."""

_MANY = 100_000
"""How many values it may hold."""

_JSON_TYPES = frozenset({bool, NoneType})
_CONTAINERS: dict[type, str] = {
    tuple: "$tuple",
    set: "$set",
    frozenset: "$frozenset",
    deque: "$deque",
}


def _read_deque(parts: Iterable[Any]) -> deque[Any]:
    most, *rest = parts
    return deque(rest, most)


_CONTAINER_BY_TAG: dict[str, Callable[[Any], Any]] = {
    **{tag: kind for kind, tag in _CONTAINERS.items()},
    "$deque": _read_deque,
}
_BY_TAG: dict[str, Callable[[Any], Any]] = {
    row.tag: row.read for row in SCALARS.values() if row.tag is not None
}

PLAIN_TYPES: frozenset[Any] = frozenset(kind for kind, row in SCALARS.items() if row.untyped)
"""The scalars of which an annotation need tell nothing for `to_json` to keep them."""
PLAIN_CONTAINERS: frozenset[Any] = frozenset({list, dict, tuple, set, frozenset})
"""The containers that `to_json` takes; but a deque stands as a list where its field says that it
is one."""


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


def read_json(text: Any) -> Any:
    """Return what a stored JSON text says.

    Raises
    ------
    ValueError
        For what is no text, no JSON, or nests deeper than anything that `json_text` wrote.

    Examples
    --------
    >>> read_json("[1]")
    [1]
    >>> read_json("[" * 100_000)
    Traceback (most recent call last):
    ValueError: it is no JSON
    """
    try:
        data, end = _JSON.raw_decode(text)  # half the time of json.loads, which expects spaces
        if end != len(text):
            data = json.loads(text)
    except (ValueError, TypeError, RecursionError):  # whose text may quote what is stored
        data = _with_spaces(text)
    if len(text) > _DEEPEST and _nests_too_deep(text, data):
        raise ValueError("it nests too deep")
    return data


_JSON = json.JSONDecoder()


def _with_spaces(text: Any) -> Any:
    try:
        return json.loads(text if isinstance(text, str) else "")
    except (ValueError, RecursionError):
        raise ValueError("it is no JSON") from None


def _nests_too_deep(text: str, data: Any) -> bool:
    return text.count("[") + text.count("{") > _DEEPEST and _depth(data) > _DEEPEST


_DEEPEST = 3 * MAX_JSON_DEPTH + 10
"""How deep the JSON of a value nests: ``{"$map": [[key, value]]}`` takes three levels for one."""


def _depth(data: Any) -> int:
    depth, level = 0, [data]
    while level := [part for part in level if isinstance(part, (list, dict))]:
        depth += 1
        level = [
            inner for part in level for inner in (part.values() if isinstance(part, dict) else part)
        ]
    return depth
