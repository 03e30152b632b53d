"""ShareGPT and the data sets that took over its shape."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from ecsviz.domain.chat import MessagePart
from ecsviz.importers.chat.drafts import (
    Claim,
    Claiming,
    DraftMessage,
    DraftThread,
    as_json,
    claim,
    rest_of,
    word,
)
from ecsviz.importers.chat.media import attached
from ecsviz.importers.chat.parts import calls_of
from ecsviz.importers.chat.source import Place, Source
from ecsviz.importers.chat.tagged import tagged_parts

_ROLES = {
    "human": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "function_call": "assistant",
    "function": "tool",
    "function_response": "tool",
    "observation": "tool",
}

_LISTS = ("conversations", "conversation", "items")


class ShareGPT(Claiming):
    """Reads objects whose ``conversations`` are turns with ``from`` and ``value``.

    Notes
    -----
    Each turn answers the one before it. Calls, their results and what was thought between tags are
    parts; images stand where the turns have a place for them.
    """

    name = "sharegpt"
    title = "ShareGPT conversations (.json or .jsonl)"

    def claims(self, source: Source) -> Claim:
        """Tell whether the first object holds turns."""
        turns = _turns(source.first_item)
        found = bool(turns) and isinstance(turns[0], dict) and {"from", "value"} <= turns[0].keys()
        return claim(found, "turns with 'from' and 'value'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every object."""
        for place, value in source.items("conversation"):
            with place.trying():
                yield _thread(place, place.check(value, dict, "a conversation"))


def _thread(place: Place, item: dict[str, Any]) -> DraftThread:
    key = next((key for key in _LISTS if key in item), _LISTS[0])
    draft = DraftThread(id=place.ident(item, "id"))
    draft.title = place.take(item, "title", str) or ""
    draft.metadata = rest_of(item, "id", "title", key)
    turns = place.take(item, key, list)
    if turns is None:
        draft.tell(None, f"{key!r}", "missing; the thread has no messages")
    draft.follow_each(place, turns, "turn", _message)
    _show(draft, item)
    for message in draft.messages:
        if message.role == "assistant":
            message.model = word(item, "model")
    draft.settle()
    return draft


def _show(draft: DraftThread, item: dict[str, Any]) -> None:
    """Give the images of a talk to the turns that have a place for them."""
    found = [item.get(key) for key in ("image", "images")]
    names = [name for each in found for name in (each if isinstance(each, list) else [each])]
    images = [attached(name, kind="image") for name in names if isinstance(name, str)]
    left = iter(images)
    for message in draft.messages:
        own = list(islice(left, message.content.count("<image>")))
        if own:
            said = message.parts or [MessagePart(kind="text", text=message.content)]
            message.parts = said + own


def _turns(item: dict[str, Any]) -> list[Any]:
    found = next((item[key] for key in _LISTS if key in item), None)
    return found if isinstance(found, list) else []


def _message(draft: DraftThread, place: Place, turn: dict[str, Any]) -> DraftMessage:
    ident = place.ident(turn, "id")
    rest = rest_of(turn, "id", "from", "value")
    raw = draft.role(ident, place.take(turn, "from", str))
    if raw in _ROLES:
        rest["from"] = raw
    role, text = _ROLES.get(raw, raw), place.take(turn, "value", str) or ""
    return DraftMessage(
        id=ident, role=role, content=text, parts=_parts(role, raw, text), metadata=rest
    )


def _parts(role: str, raw: str, text: str) -> list[MessagePart]:
    """Return the parts of a turn: of a call what is called, of an answer what was thought."""
    if raw == "function_call":
        told = as_json(text)
        calls = told if isinstance(told, list) else [told]
        if all(isinstance(call, dict) and "name" in call for call in calls):
            return calls_of(calls)
    if role == "tool":
        return [MessagePart(kind="tool_result", text=text)] if text else []
    return tagged_parts(text) if role == "assistant" and "<" in text else []
