"""Telegram's export in JSON: one chat, or all of an account."""

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
    in_words,
    rest_of,
    word,
)
from ecsviz.importers.chat.media import attached
from ecsviz.importers.chat.source import Place, Source
from ecsviz.importers.chat.trees import Node, grow

_LISTS = ("chats", "left_chats")

_SHARED = ("private_supergroup", "public_supergroup", "private_channel", "public_channel")
"""Types of chats that have one id for everybody; other ids are those of an account."""

_REPLY = "reply_to_message_id"


_MEDIA = {
    "sticker": "image",
    "animation": "video",
    "video_file": "video",
    "video_message": "video",
    "voice_message": "audio",
    "audio_file": "audio",
}

_SENT = ("sticker", "animation", "video_message", "voice_message")
"""Files whose names nobody chose."""

_SHOWN = {
    "contact_information": ("first_name", "last_name", "phone_number"),
    "location_information": ("latitude", "longitude"),
    "invoice_information": ("title", "description", "amount", "currency"),
    "giveaway_information": ("additional_prize", "quantity", "until_date"),
}
"""What a message may hold instead of a text, and what of it one reads."""

_TOLD = ("title", "new_title", "inviter", "discard_reason", "emoticon")


class Telegram(Claiming):
    """Reads a chat ``{"name", "type", "id", "messages": […]}``, or ``{"chats": {"list": […]}}``.

    Notes
    -----
    A message answers the one that it says it replies to, and none otherwise. Times come from
    ``date_unixtime``; ``date`` is a wall clock without a zone, which is read only where there is
    nothing else: as UTC, or in the ``timezone=`` of `read_chat`. Service messages have the role
    ``"system"``. Photos, files, stickers, voices, polls, places and contacts are parts.
    """

    name = "telegram"
    title = "Telegram export (result.json)"

    def claims(self, source: Source) -> Claim:
        """Tell whether it is a chat with typed messages, or holds lists of such chats."""
        first = source.first
        found = isinstance(first, dict) and (
            _is_chat(first) or any(any(map(_is_chat, _chats(first, key))) for key in _LISTS)
        )
        return claim(found, "messages with 'id', 'type' and 'date'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every chat."""
        for place, value in source.items("export"):
            with place.trying():
                yield from _threads(source, place, place.check(value, dict, "it"))


def _threads(source: Source, place: Place, export: dict[str, Any]) -> Iterator[DraftThread]:
    if "messages" in export:
        yield _thread(place, export, None)
        return
    person = export.get("personal_information")
    account = place.ident(person, "user_id") if isinstance(person, dict) else None
    number = 0
    for key in _LISTS:
        holder = place.take(export, key, dict) or {}
        for raw in place.take(holder, "list", list) or []:
            number += 1
            here = place.at("chat", number)
            with here.trying():
                yield _thread(here, here.check(raw, dict, "a chat"), account)
    for key in export:
        if key not in _LISTS:
            source.leave(f"{key!r}", "no chats")


def _chats(export: dict[str, Any], key: str) -> list[Any]:
    holder = export.get(key)
    found = holder.get("list") if isinstance(holder, dict) else None
    return found if isinstance(found, list) else []


def _is_chat(value: object) -> bool:
    if not isinstance(value, dict) or not {"type", "id", "messages"} <= value.keys():
        return False
    listed = value["messages"]
    if not isinstance(listed, list):
        return False
    first = next((each for each in listed if isinstance(each, dict)), None)
    return first is None or {"id", "type", "date"} <= first.keys()


def _thread(place: Place, chat: dict[str, Any], account: str | None) -> DraftThread:
    draft = DraftThread(id=place.ident(chat, "id"), title=place.take(chat, "name", str) or "")
    draft.within = "" if chat.get("type") in _SHARED else account
    draft.metadata = rest_of(chat, "id", "name", "messages")
    nodes: list[Node] = []
    for number, raw in enumerate(place.take(chat, "messages", list) or [], 1):
        here = place.at("message", number)
        with here.trying():
            nodes.append(_node(draft, here, here.check(raw, dict, "a message")))
    grow(draft, nodes, _REPLY)
    draft.settle()
    return draft


def _node(draft: DraftThread, place: Place, item: dict[str, Any]) -> Node:
    ident = place.ident(item, "id")
    elsewhere = "reply_to_peer_id" in item  # a message of another chat
    parent = None if elsewhere else place.ident(item, _REPLY)
    message = _message(draft, place, ident, item)
    if elsewhere and _REPLY in item:
        message.metadata[_REPLY] = item[_REPLY]
    return Node(ident, parent, message)


def _message(
    draft: DraftThread, place: Place, ident: str | None, item: dict[str, Any]
) -> DraftMessage:
    rest = rest_of(item, "id", "type", "date_unixtime", "from", "actor", "text", _REPLY)
    when = draft.time(ident, item, "date_unixtime", rest)
    if when is None:
        rest.pop("date", None)
        when = draft.time(ident, item, "date", rest, wall=True)
    kind = place.take(item, "type", str)
    if kind not in ("message", "service"):
        rest["type"] = kind
    text, whole = _text(place, item.get("text"))
    if not whole:
        rest["text"] = item["text"]
    plain = [{"type": "plain", "text": text}] if text else []
    if rest.get("text_entities") == plain:
        del rest["text_entities"]
    parts = [MessagePart(kind="text", text=text)] if text else []
    if kind == "service":
        parts.insert(0, MessagePart(kind="other", text=_happened(item)))
    parts += _beside(item) or ([] if parts else [MessagePart(kind="other", text="message")])
    return DraftMessage(
        id=ident,
        role="system" if kind == "service" else "user",
        content=text,
        parts=parts,
        author=place.take(item, "from", str) or place.take(item, "actor", str),
        created_at=when,
        metadata=rest,
    )


def _happened(item: dict[str, Any]) -> str:
    """Return what a service message tells, in words: ``create group: Garden, Ann``."""
    names = [word(item, *_TOLD), *(x for x in _listed(item, "members") if isinstance(x, str))]
    told = ", ".join(filter(None, names))
    what = in_words(word(item, "action") or "service message")
    return f"{what}: {told}" if told else what


def _listed(item: dict[str, Any], key: str) -> list[Any]:
    found = item.get(key)
    return found if isinstance(found, list) else []


def _beside(item: dict[str, Any]) -> list[MessagePart]:
    """Return the parts of what a message shows beside its text."""
    parts: list[MessagePart] = []
    if path := word(item, "photo"):
        parts.append(attached(_name(path, "photo"), path, None, "image"))
    if path := word(item, "file"):
        kind = word(item, "media_type") or ""
        called = word(item, "file_name") or (in_words(kind) if kind in _SENT else _name(path))
        if emoji := word(item, "sticker_emoji"):
            called = f"{called} {emoji}"
        parts.append(attached(called, path, item.get("mime_type"), _MEDIA.get(kind)))
    for key, shown in _SHOWN.items():
        held = item.get(key)
        if isinstance(held, dict):
            told = ", ".join(str(held[name]) for name in shown if held.get(name) not in (None, ""))
            what = key.removesuffix("_information")
            parts.append(MessagePart(kind="other", text=f"{what}: {told}" if told else what))
    if isinstance(poll := item.get("poll"), dict):
        answers = [f"- {word(each, 'text') or ''}" for each in dicts(poll.get("answers"))]
        lines = "\n".join([_said(poll.get("question")) or "poll", *answers])
        parts.append(MessagePart(kind="other", text=lines))
    names = filter(None, (word(item, key) for key in ("place_name", "game_title")))
    return parts + [MessagePart(kind="other", text=name) for name in names]


def _said(value: object) -> str:
    """Return a text that may come in pieces."""
    pieces = value if isinstance(value, list) else [value]
    return "".join(each if isinstance(each, str) else word(each, "text") or "" for each in pieces)


def _name(path: str, what: str = "file") -> str:
    """Return the name of a file; what it is, where the export does not hold it."""
    return what if path.startswith("(") else path.rpartition("/")[2]


def _text(place: Place, raw: object) -> tuple[str, bool]:
    """Return a text that may come in pieces, and whether that is all."""
    if raw is None or isinstance(raw, str):
        return raw or "", True
    pieces: list[str] = []
    for part in place.check(raw, list, "'text'"):
        piece = part.get("text") if isinstance(part, dict) else part
        pieces.append(place.check(piece, str, "a piece of 'text'"))
    return "".join(pieces), False
