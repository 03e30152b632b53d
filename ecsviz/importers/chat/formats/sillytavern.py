"""SillyTavern's chats: a line about the chat, then a message a line."""

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
from ecsviz.importers.chat.parts import parts_of, tokens
from ecsviz.importers.chat.source import Place, Source

_HEAD = frozenset({"user_name", "character_name"})

_PLACED = frozenset(
    {
        "name",
        "is_user",
        "is_system",
        "mes",
        "send_date",
        "extra",
        "swipes",
        "swipe_id",
        "swipe_info",
    }
)

_EXTRA = ("model", "reasoning", "image", "media", "file", "files", "tool_invocations")


class SillyTavern(Claiming):
    """Reads a chat; the swipes of a message are branches.

    Notes
    -----
    Each message answers the one before it that is shown; swipes that are not shown are answered
    by none. Times without a zone are wall clocks. Messages have no ids.
    """

    name = "sillytavern"
    title = "SillyTavern chat (.jsonl)"

    def claims(self, source: Source) -> Claim:
        """Tell whether the first line names a user and a character."""
        item = source.first_item
        found = item.keys() >= _HEAD or item.keys() >= {"mes", "is_user"}
        return claim(found, "'user_name' and 'character_name', or 'mes' and 'is_user'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield the one thread."""
        draft = DraftThread()
        shown: int | None = None
        for place, value in source.items("line"):
            with place.trying():
                item = place.check(value, dict, "it")
                if "mes" in item:
                    shown = _add(draft, place, item, shown)
                else:
                    _begin(draft, place, item)
        draft.settle()
        yield draft


def _begin(draft: DraftThread, place: Place, item: dict[str, Any]) -> None:
    """Take what the first line says: when the chat was begun, by whom, with whom."""
    about = place.take(item, "chat_metadata", dict) or {}
    own, created = word(about, "integrity"), word(item, "create_date")
    draft.title = word(item, "character_name") or ""
    draft.id = own or (f"{draft.title} - {created}" if created else None)
    draft.within = "" if own else word(item, "user_name")
    draft.metadata = said_of(item, "chat_metadata", "create_date")
    if inner := said_of(about, "integrity"):
        draft.metadata["chat_metadata"] = inner
    draft.created_at = draft.time(None, item, "create_date", draft.metadata, wall=True)


def _add(draft: DraftThread, place: Place, item: dict[str, Any], above: int | None) -> int:
    """Append a message, and its swipes beside it; return which of them is shown."""
    swipes = place.take(item, "swipes", list) or []
    infos = dicts(item.get("swipe_info"))
    chosen = place.take(item, "swipe_id", int) or 0
    if not 0 <= chosen < len(swipes):
        swipes, infos, chosen = [item["mes"]], [], 0
    shown = len(draft.messages)
    for number, text in enumerate(swipes):
        if number == chosen:
            message = _message(draft, place, item, item)
            shown = len(draft.messages)
        else:
            info = infos[number] if len(infos) == len(swipes) else {}
            message = _message(draft, place, item, {**info, "mes": text})
        message.parent = above
        draft.add(message)
    return shown


def _message(
    draft: DraftThread, place: Place, item: dict[str, Any], said: dict[str, Any]
) -> DraftMessage:
    """Return a message, whose author stands in `item`; of a swipe, the rest in `said`."""
    rest = said_of(said, *_PLACED)
    by_user, by_system = item.get("is_user") is True, item.get("is_system") is True
    extra = place.take(said, "extra", dict) or {}
    count = None if by_user else tokens(extra, "token_count")
    if more := said_of(extra, *_EXTRA, "token_count" if count is not None else ""):
        rest["extra"] = more
    role = "user" if by_user else "assistant"
    if by_system:
        rest["is_system"] = True
        role = "system" if word(extra, "type") else role
    text = place.take(said, "mes", str) or ""
    thought = word(extra, "reasoning")
    parts = [MessagePart(kind="thinking", text=thought)] if thought else []
    for call in dicts(extra.get("tool_invocations")):
        about = {"id": call.get("id"), "name": call.get("name")}
        parts += parts_of({"type": "tool_call", **about, "arguments": call.get("parameters")})
        if call.get("result"):
            parts += parts_of({"type": "tool_result", **about, "content": call["result"]})
    parts += [MessagePart(kind="text", text=text)] if text else []
    if image := word(extra, "image"):
        parts.append(attached(None, image, None, "image"))
    for each in dicts(
        [*(dicts(extra.get("media"))), *dicts(extra.get("files")), extra.get("file")]
    ):
        name, left = word(each, "name", "title"), said_of(each, "name", "url", "title")
        parts.append(attached(name, each.get("url"), more=left))
    return DraftMessage(
        role=role,
        content=text,
        parts=parts,
        author=word(item, "name"),
        model=word(extra, "model") if not by_user else None,
        created_at=draft.time(None, said, "send_date", rest, wall=True),
        tokens_out=count,
        metadata=rest,
    )
