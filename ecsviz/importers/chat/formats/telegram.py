"""Telegram's export in JSON: one chat, or all of an account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ecsviz.importers.chat.drafts import Claim, Claiming, DraftMessage, DraftThread, claim, rest_of
from ecsviz.importers.chat.source import Place, Source
from ecsviz.importers.chat.trees import Node, grow

_LISTS = ("chats", "left_chats")

_SHARED = ("private_supergroup", "public_supergroup", "private_channel", "public_channel")
"""Types of chats that have one id for everybody; other ids are those of an account."""

_REPLY = "reply_to_message_id"


class Telegram(Claiming):
    """Reads a chat ``{"name", "type", "id", "messages": […]}``, or ``{"chats": {"list": […]}}``.

    Notes
    -----
    A message answers the one that it says it replies to, and none otherwise. Times come from
    ``date_unixtime``; ``date`` is a wall clock without a zone, which is read only where there is
    nothing else: as UTC, or in the ``timezone=`` of `read_chat`. Service messages have the role
    ``"system"``.
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
    return DraftMessage(
        id=ident,
        role="system" if kind == "service" else "user",
        content=text,
        author=place.take(item, "from", str) or place.take(item, "actor", str),
        created_at=when,
        metadata=rest,
    )


def _text(place: Place, raw: object) -> tuple[str, bool]:
    """Return a text that may come in pieces, and whether that is all."""
    if raw is None or isinstance(raw, str):
        return raw or "", True
    pieces: list[str] = []
    for part in place.check(raw, list, "'text'"):
        piece = part.get("text") if isinstance(part, dict) else part
        pieces.append(place.check(piece, str, "a piece of 'text'"))
    return "".join(pieces), False
