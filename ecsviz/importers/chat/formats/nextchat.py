"""NextChat's backup of its chats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ecsviz.domain.chat import MessagePart
from ecsviz.importers.chat.drafts import (
    Claim,
    Claiming,
    DraftMessage,
    DraftThread,
    claim,
    dicts,
    said_of,
    word,
)
from ecsviz.importers.chat.media import attached
from ecsviz.importers.chat.parts import calls_of, parts_of, texts_of
from ecsviz.importers.chat.source import Place, Source
from ecsviz.importers.chat.tagged import tagged_parts

_STORE = "chat-next-web-store"

_PLACED = ("id", "role", "content", "date", "model", "tools", "audio_url")


class NextChat(Claiming):
    """Reads ``{"chat-next-web-store": {"sessions": […]}}``.

    Notes
    -----
    Each message answers the one before it. Times are wall clocks, as the browser showed them.
    What a session sends before its first message, its mask, stands in the metadata.
    """

    name = "nextchat"
    title = "NextChat backup (.json)"

    def claims(self, source: Source) -> Claim:
        """Tell whether the store of the chats is there."""
        return claim(isinstance(source.first_item.get(_STORE), dict), f"{_STORE!r}")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every session."""
        for place, value in source.items("backup"):
            with place.trying():
                backup = place.check(value, dict, "it")
                store = place.take(backup, _STORE, dict) or {}
                for number, raw in enumerate(place.take(store, "sessions", list) or [], 1):
                    here = place.at("session", number)
                    with here.trying():
                        yield _thread(here, here.check(raw, dict, "it"))
                for key, held in {**backup, **store}.items():
                    if held and key not in (_STORE, "sessions"):
                        source.leave(f"{key!r}", "no chats")


def _thread(place: Place, item: dict[str, Any]) -> DraftThread:
    draft = DraftThread(id=place.ident(item, "id"), title=place.take(item, "topic", str) or "")
    draft.metadata = said_of(item, "id", "topic", "messages", "lastUpdate")
    draft.updated_at = draft.time(None, item, "lastUpdate", draft.metadata)
    for number, raw in enumerate(place.take(item, "messages", list) or [], 1):
        here = place.at("message", number)
        with here.trying():
            draft.follow(_message(draft, here, here.check(raw, dict, "it")))
    draft.settle()
    return draft


def _message(draft: DraftThread, place: Place, item: dict[str, Any]) -> DraftMessage:
    ident = place.ident(item, "id")
    rest = {key: value for key, value in said_of(item, *_PLACED).items() if value is not False}
    content = item.get("content")
    parts = tagged_parts(content) if isinstance(content, str) else parts_of(content)
    text = texts_of(parts)
    tools = dicts(item.get("tools"))
    called = [part for each in tools for part in _tool(each)]
    spoken = [attached(None, url, None, "audio") for url in [word(item, "audio_url")] if url]
    role = draft.role(ident, place.take(item, "role", str))
    return DraftMessage(
        id=ident,
        role=role,
        content=text,
        parts=called + parts + spoken,
        model=place.take(item, "model", str) if role == "assistant" else None,
        created_at=draft.time(ident, item, "date", rest, wall=True) if item.get("date") else None,
        metadata=rest,
    )


def _tool(item: dict[str, Any]) -> list[MessagePart]:
    """Return the parts of a call, which stands with what came of it."""
    told = ("content", "isError", "errorMsg", "index")
    parts = calls_of([said_of(item, *told)])
    result = word(item, "content", "errorMsg")
    if result is not None:
        more = {key: item[key] for key in ("isError",) if item.get(key)}
        function = item.get("function")
        about = {"id": item.get("id"), "name": word(function, "name")}
        parts += parts_of({"type": "tool_result", **about, "content": result, **more})
    return parts
