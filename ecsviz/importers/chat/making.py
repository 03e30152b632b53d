"""Messages made of what a format has found, many at a time: pydantic need not look at each.

What is of the plain types that JSON has is checked column by column; whatever is not, or may be
changed in two places, is left to pydantic.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final
from uuid import UUID

from ecsviz.basics.ids import uuids
from ecsviz.domain.chat import ChatMessage
from ecsviz.domain.objects import blanks, put_states
from ecsviz.importers.chat.drafts import DraftMessage
from ecsviz.importers.chat.identity import NAMESPACE, ThreadKey, words
from ecsviz.importers.chat.json_text import LEVELS

_NAMES = tuple(ChatMessage.model_fields)

_SAID = ("role", "content", "author", "model", "created_at", "hidden", "source_id", "metadata")

_TEXT, _MAYBE_TEXT = {str}, {str, type(None)}

_FLAT: Final = {str, int, float, bool, type(None)}

_DEEP: Final = {*_FLAT, dict, list}

_HOLDERS: Final = frozenset({dict, list})

_FIVE, _VERSION = ~(0xF000 << 64 | 0xC000 << 48), 5 << 76 | 0x8000 << 48

_VARIANTS: Final = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))

_quoted: Callable[[str], str] = json.encoder.encode_basestring_ascii


def message_ids(key: ThreadKey, items: Sequence[DraftMessage]) -> tuple[list[UUID], list[int]]:
    """Return a UUID for each message of a thread, and how many have had its id, with it.

    Parameters
    ----------
    key
        The thread's.
    items
        Its messages. What has no id goes by what it answers and its words.

    Notes
    -----
    UUIDv5 of `chat_id`: of the thread's format and key, and the message's own id; None, a check sum
    and a number where it has none. Made of one beginning, they take half the time.
    """
    text = json.dumps((key.format, key.list))[:-1] + ", "
    begin = hashlib.sha1(NAMESPACE.bytes + text.encode(), usedforsecurity=False)
    named: list[str] = [item.id for item in items if item.id]
    digests: list[bytes] = []
    if len(named) == len(set(named)) == len(items) and set(map(type, named)) == _TEXT:
        copy, add = begin.copy, digests.append
        for name in named:
            made = copy()
            made.update(f"{_quoted(name)}]".encode())
            add(made.digest())
        return uuids(_numbers(digests)), [1] * len(items)
    told: dict[str, int] | None = {}
    if not named and len({item.parent for item in items}) == len(items):
        told = None  # what answers another says another thing
    times: list[int] = []
    for item in items:
        if item.id:
            own, count = item.id, _json(item.id)
        else:
            above = "null" if item.parent is None else _written(digests[item.parent])
            bare = item.key is None and item.author is None and item.created_at is None
            if bare and type(item.role) is str:
                said = f"[{above}, {_quoted(item.role)}, null, {_json(item.content)}, null]"
            else:
                said = f"[{above}, {', '.join(map(_json, words(item)))}]"
            own = hashlib.sha256(said.encode()).hexdigest()
            count = f'null, "{own}", '
        time = 1
        if told is not None:
            told[own] = time = told.get(own, 0) + 1
        if not item.id:
            count += str(time)
        elif time > 1:
            count += f", {time}"
        made = begin.copy()
        made.update(f"{count}]".encode())
        digests.append(made.digest())
        times.append(time if item.id else 1)
    return uuids(_numbers(digests)), times


def _json(value: Any) -> str:
    if type(value) is str:
        return _quoted(value)
    return "null" if value is None else json.dumps(value)


def _numbers(digests: Sequence[bytes]) -> list[int]:
    """Return the UUIDs of digests as integers."""
    number = int.from_bytes
    return [number(each[:16], "big") & _FIVE | _VERSION for each in digests]


def _written(digest: bytes) -> str:
    """Return the UUID of a digest as JSON."""
    text = digest.hex()
    mark = _VARIANTS[text[16]]
    return f'"{text[:8]}-{text[8:12]}-5{text[13:16]}-{mark}{text[17:20]}-{text[20:32]}"'


def made_at_once(
    thread: Any,
    ids: list[UUID],
    columns: dict[str, list[Any]],
    fits: Callable[[list[Any]], bool] | None,
) -> list[Any] | None:
    """Return messages that are made past pydantic; None if it has to look at them.

    Parameters
    ----------
    thread, ids
        Of the messages.
    columns
        Their other fields by name; ``parent`` as places in the list.
    fits
        Tells whether the metadata are JSON that does not nest too deep; None if that is known.
    """
    times = columns["created_at"]
    kinds = {name: set(map(type, values)) for name, values in columns.items()}
    usual = (
        kinds["role"] | kinds["content"] <= _TEXT
        and kinds["author"] | kinds["model"] | kinds["source_id"] <= _MAYBE_TEXT
        and kinds["hidden"] <= {bool}
        and kinds["created_at"] <= {datetime, type(None)}
        and all(when is None or when.tzinfo is UTC for when in times)
        and (fits is None or fits(columns["metadata"]))
    )
    if not usual:
        return None
    made = blanks(ChatMessage, len(ids))
    parents = [None if at is None else made[at] for at in columns["parent"]]
    replies: list[list[Any]] = [[] for _ in made]
    for message, at in zip(made, columns["parent"], strict=True):
        if at is not None:
            replies[at].append(message)
    said = [columns[name] for name in _SAID]
    put_states(ChatMessage, made, _states(thread, ids, parents, replies, *said), _NAMES)
    return made


class _MessageState:
    """Of whose kind the states of messages are made, so that they share their keys."""


def _new_state() -> Callable[[], dict[str, Any]]:
    """Return what makes a state: a dict that shares its keys takes two fifths of the memory."""
    state: dict[str, Any] = {}
    for _ in range(64):  # by the first ones, Python learns how many keys there are
        one = _MessageState()
        for name in _NAMES:
            setattr(one, name, None)
        state = one.__dict__
    state["version"] = 0
    return state.copy


_state = _new_state()


def _states(thread: Any, *columns: Sequence[Any]) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    add, new = made.append, _state
    for ecs_id, parent, answers, role, content, author, model, when, hidden, own, rest in zip(
        *columns, strict=True
    ):
        state = new()
        state["ecs_id"] = state["lineage_id"] = ecs_id
        state["thread"] = thread
        state["parent"] = parent
        state["replies"] = answers
        state["role"] = role
        state["content"] = content
        state["author"] = author
        state["model"] = model
        state["created_at"] = when
        state["hidden"] = hidden
        state["source_id"] = own
        state["metadata"] = rest
        add(state)
    return made


def is_json(values: Sequence[Any]) -> bool:
    """Tell whether objects are what JSON holds, and no list or object stands in two places.

    Parameters
    ----------
    values
        Objects, of which the members are looked at.

    Notes
    -----
    O(what they hold), a level at a time.

    Examples
    --------
    >>> is_json([{"a": [1, {"b": None}]}, {}]), is_json([{"a": (1, 2)}]), is_json([{"a": {1: 2}}])
    (True, False, False)
    """
    held, count = set(map(id, values)), len(values)
    level: list[Any] = list(values)
    if set(map(type, level)) - {dict} or len(held) < count:
        return False
    for _ in range(LEVELS):
        objects = [each for each in level if type(each) is dict]
        lists = [each for each in level if type(each) is list]
        if set(map(type, chain.from_iterable(objects))) - _TEXT:
            return False
        level = list(chain(chain.from_iterable(map(dict.values, objects)), *lists))
        kinds = set(map(type, level))
        if not kinds <= _DEEP:
            return False
        if kinds <= _FLAT:
            return True
        level = [each for each in level if type(each) is dict or type(each) is list]
        held.update(map(id, level))
        count += len(level)
        if len(held) < count:
            return False
    return False
