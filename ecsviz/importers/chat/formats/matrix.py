"""Rooms of Matrix, as Element exports them in JSON."""

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
    said_of,
    word,
)
from ecsviz.importers.chat.media import attached
from ecsviz.importers.chat.source import Place, Source
from ecsviz.importers.chat.trees import Node, grow

_ROOM = frozenset({"room_name", "messages", "exported_by"})

_EXPORT = ("export_date", "exported_by")
"""What is told of the export, not of the room."""

_PLACED = ("event_id", "room_id", "sender", "origin_server_ts", "content", "type")

_SAID = ("m.room.message", "m.sticker", "m.room.encrypted")

_FILES = {"m.image": "image", "m.audio": "audio", "m.video": "video", "m.file": None}


class Matrix(Claiming):
    """Reads ``{"room_name", "messages": [events], "exported_by"}``.

    Notes
    -----
    A message answers the one that it says it replies to, else the one that began its thread. Edits
    and reactions stand with the message that they are of; what is no message of somebody's, such as
    who joined, has the role ``"system"``. Authors are Matrix ids, which do not change.
    """

    name = "matrix"
    title = "Element's export of a room (.json)"

    def claims(self, source: Source) -> Claim:
        """Tell whether there is a room, and who exported it."""
        found = source.first_item.keys() >= _ROOM
        return claim(found, "'room_name' and 'exported_by'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every room."""
        for place, value in source.items("room"):
            with place.trying():
                room = place.check(value, dict, "a room")
                yield _thread(place, room)
                for key in _EXPORT:
                    if room.get(key):
                        source.leave(f"{key!r}", "about the export")


def _thread(place: Place, room: dict[str, Any]) -> DraftThread:
    listed = place.take(room, "messages", list) or []
    ident = next((found for each in dicts(listed) if (found := word(each, "room_id"))), None)
    draft = DraftThread(id=ident, title=place.take(room, "room_name", str) or "", within="")
    draft.metadata = said_of(room, "room_name", "messages", *_EXPORT)
    nodes: list[Node] = []
    messages: dict[str, DraftMessage] = {}
    later: list[tuple[Place, dict[str, Any], str, str]] = []
    for number, raw in enumerate(listed, 1):
        here = place.at("event", number)
        with here.trying():
            event = here.check(raw, dict, "it")
            about = _relation(here, event)
            target = word(about, "event_id")
            kind = word(about, "rel_type")
            if target and kind in ("m.replace", "m.annotation"):
                later.append((here, event, target, kind))
                continue
            said = _message(draft, here, event)
            parent = word(about.get("m.in_reply_to"), "event_id")
            if parent is None and kind == "m.thread":
                parent = target
            nodes.append(Node(said.id, parent, said))
            messages.setdefault(said.id or "", said)
    for here, event, target, kind in later:
        with here.trying():
            if (message := messages.get(target)) is not None:
                _attach(here, message, event, kind)
            else:
                alone = _message(draft, here, event)
                nodes.append(Node(alone.id, target, alone))
    grow(draft, nodes, "parent")
    draft.settle()
    return draft


def _relation(place: Place, event: dict[str, Any]) -> dict[str, Any]:
    content = place.take(event, "content", dict) or {}
    return place.take(content, "m.relates_to", dict) or {}


def _attach(place: Place, message: DraftMessage, event: dict[str, Any], kind: str) -> None:
    """Keep a reaction with its message, or take an edit's text, which keeps the earlier one."""
    content = place.take(event, "content", dict) or {}
    kept = said_of(event, "room_id")
    if kind == "m.annotation":
        message.metadata.setdefault("reactions", []).append(kept)
        return
    new = place.take(content, "m.new_content", dict) or content
    message.metadata.setdefault("edits", []).append({**kept, "before": message.content})
    message.parts, message.content = _parts(place, new, "m.room.message")


def _message(draft: DraftThread, place: Place, event: dict[str, Any]) -> DraftMessage:
    ident = place.ident(event, "event_id")
    content = place.take(event, "content", dict) or {}
    kind = place.take(event, "type", str) or "unknown"
    rest = {key: value for key, value in said_of(event, *_PLACED).items() if value is not False}
    left = said_of(content, "body")
    if left and (left.pop("msgtype", "m.text") != "m.text" or left):
        rest["content"] = said_of(content, "body")
    said = kind in _SAID or kind.endswith("poll.start")
    if kind != "m.room.message":
        rest["type"] = kind
    parts, text = _parts(place, content, kind)
    return DraftMessage(
        id=ident,
        role="user" if said else "system",
        content=text,
        parts=parts,
        author=place.take(event, "sender", str),
        created_at=draft.time(ident, event, "origin_server_ts", rest),
        metadata=rest,
    )


def _parts(place: Place, content: dict[str, Any], kind: str) -> tuple[list[MessagePart], str]:
    """Return the parts of an event's content, and what was said."""
    body, type_ = word(content, "body"), word(content, "msgtype")
    info = place.take(content, "info", dict) or {}
    if type_ in _FILES or kind == "m.sticker":
        file = content.get("file")
        url = word(content, "url") or word(file, "url")
        name = word(content, "filename") or body
        of = _FILES.get(type_ or "", "image")
        parts = [attached(name, url, word(info, "mimetype"), of, more=said_of(info, "mimetype"))]
        if body and body != name:  # what is said of it
            parts.insert(0, MessagePart(kind="text", text=body))
        return parts, body if body and body != name else ""
    if type_ == "m.location":
        url = word(content, "geo_uri")
        return [MessagePart(kind="other", text=body or url or "location", url=url)], ""
    if kind == "m.room.message" and body:
        return [MessagePart(kind="text", text=body)], body
    if kind.endswith("poll.start"):
        polls = [v for k, v in content.items() if k.endswith("poll.start") and isinstance(v, dict)]
        lines = [_worded(poll.get("question")) for poll in polls]
        answers = [_worded(each) for poll in polls for each in dicts(poll.get("answers"))]
        lines += [f"- {answer}" for answer in answers if answer]
        return [MessagePart(kind="other", text="\n".join(filter(None, lines)) or "poll")], ""
    what = in_words(kind.removeprefix("m.room.").removeprefix("m."))
    if kind == "m.room.message":
        what = "redacted message"
    told = word(content, "membership", "name", "topic", "displayname", "body")
    return [MessagePart(kind="other", text=": ".join(filter(None, (what, told))))], ""


def _worded(value: object) -> str:
    found = {k.rpartition(".")[2]: v for k, v in value.items()} if isinstance(value, dict) else {}
    return word(found, "body", "text") or ""
