"""ShareGPT and the data sets that took over its shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ecsviz.importers.chat.drafts import Claim, Claiming, DraftMessage, DraftThread, claim, rest_of
from ecsviz.importers.chat.source import Place, Source

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
    Each turn answers the one before it.
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
    for number, turn in enumerate(turns or [], 1):
        here = place.at("turn", number)
        with here.trying():
            draft.follow(_message(draft, here, here.check(turn, dict, "a turn")))
    draft.settle()
    return draft


def _turns(item: dict[str, Any]) -> list[Any]:
    found = next((item[key] for key in _LISTS if key in item), None)
    return found if isinstance(found, list) else []


def _message(draft: DraftThread, place: Place, turn: dict[str, Any]) -> DraftMessage:
    ident = place.ident(turn, "id")
    rest = rest_of(turn, "id", "from", "value")
    role = draft.role(ident, place.take(turn, "from", str))
    if role in _ROLES:
        rest["from"] = role
    return DraftMessage(
        id=ident,
        role=_ROLES.get(role, role),
        content=place.take(turn, "value", str) or "",
        metadata=rest,
    )
