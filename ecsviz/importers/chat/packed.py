"""MessagePack as plain data: what stands for an object of Python is told, and never made."""

from __future__ import annotations

import json
from typing import Any, Final

from ecsviz.basics.optional import need
from ecsviz.importers.chat.source import Place

_DEEPEST: Final = 16
"""How deep objects within objects are opened; what is deeper stays bytes."""


def unpacked(data: bytes, place: Place) -> Any:
    """Return what MessagePack holds; objects in it stay closed, as `ExtType` of msgpack.

    Parameters
    ----------
    data
        The bytes.
    place
        Where they stand, for messages.

    Raises
    ------
    NotInstalledError
        Without msgpack.
    ImportFormatError
        If it is no MessagePack.
    """
    msgpack = need("msgpack", extra="langgraph", what="A file with MessagePack")
    try:
        return msgpack.unpackb(data, strict_map_key=False, timestamp=3)
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as err:
        raise place.wrong(f"no MessagePack ({type(err).__name__})") from None


def opened(value: Any, place: Place) -> Any:
    """Return a value as JSON has it, with its objects opened: by the names of their classes.

    Parameters
    ----------
    value
        What `unpacked` gave, or a part of it; lists and objects in it are changed.
    place
        Where it stands, for messages.

    Returns
    -------
    Any
        For an object of a class, ``{"lc": 1, "type": "constructor", "id": [module …, name],
        "kwargs": {…}}`` as LangChain dumps it, or with ``"args"``; bytes in hexadecimal.

    Notes
    -----
    O(size), without recursion.
    """
    holder: list[Any] = [value]
    todo: list[tuple[Any, Any, int]] = [(holder, 0, 0)]
    while todo:
        box, key, depth = todo.pop()
        inner = box[key]
        if hasattr(inner, "code") and isinstance(getattr(inner, "data", None), bytes):
            told = unpacked(inner.data, place) if depth < _DEEPEST else inner.data
            inner, depth = _object(inner.code, told), depth + 1
        if isinstance(inner, dict):
            inner = {name if isinstance(name, str) else str(name): v for name, v in inner.items()}
            todo += [(inner, name, depth) for name in inner]
        elif isinstance(inner, list):
            todo += [(inner, number, depth) for number in range(len(inner))]
        elif isinstance(inner, bytes):
            inner = {"hex": inner.hex()}
        elif not isinstance(inner, str | int | float | None):
            inner = str(inner)
        box[key] = inner
    return holder[0]


def _object(code: int, told: Any) -> Any:
    """Return an object by its class and what it was made of."""
    if not isinstance(told, list) or len(told) < 3 or not all(map(_is_text, told[:2])):
        return {"code": code, "data": told}
    named = [*told[0].split("."), told[1]]
    rest = {"kwargs": told[2]} if isinstance(told[2], dict) else {"args": told[2]}
    return {"lc": 1, "type": "constructor", "id": named, **rest}


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def key_of(value: Any) -> bytes | str:
    """Return what a closed value goes by: two that are alike have the same."""
    data = getattr(value, "data", None)
    return data if isinstance(data, bytes) else json.dumps(value, default=repr, sort_keys=True)
