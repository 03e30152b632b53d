"""Claude's data export: ``conversations.json``, the zip that holds it, or one conversation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ecsviz.domain.chat import MessagePart
from ecsviz.importers.chat.drafts import Claim, Claiming, DraftMessage, DraftThread, claim, rest_of
from ecsviz.importers.chat.parts import parts_of, texts_of
from ecsviz.importers.chat.source import Place, Source
from ecsviz.importers.chat.trees import Node, grow

_ROLES = {"human": "user"}

_PARENT = "parent_message_uuid"

_NO_PARENT = "00000000-0000-4000-8000-000000000000"
"""What a first message names as its parent."""


class Claude(Claiming):
    """Reads a list of conversations with ``chat_messages``, or a single one.

    Notes
    -----
    Where messages name their parents, those are the links; else each message answers the one
    before it. Blocks, attachments and files are parts; what was taken out of an attachment stands
    in the metadata's ``"attachments"``.
    """

    name = "claude"
    title = "Claude export (conversations.json or its zip)"

    def claims(self, source: Source) -> Claim:
        """Tell whether the first object has ``chat_messages``."""
        found = isinstance(source.first_item.get("chat_messages"), list)
        return claim(found, "a list 'chat_messages'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every conversation."""
        for place, value in source.items("conversation"):
            with place.trying():
                yield _thread(place, place.check(value, dict, "a conversation"))


def _thread(place: Place, item: dict[str, Any]) -> DraftThread:
    ident = place.ident(item, "uuid")
    here = place.at("uuid", ident) if ident else place
    draft = DraftThread(id=ident, title=here.take(item, "name", str) or "", within="")
    draft.metadata = rest_of(item, "uuid", "name", "created_at", "updated_at", "chat_messages")
    draft.created_at = draft.time(None, item, "created_at", draft.metadata)
    draft.updated_at = draft.time(None, item, "updated_at", draft.metadata)
    listed = here.take(item, "chat_messages", list)
    if listed is None:
        draft.tell(None, "'chat_messages'", "missing; the thread has no messages")
    linked = any(isinstance(raw, dict) and _PARENT in raw for raw in listed or [])
    nodes: list[Node] = []
    for number, each in enumerate(listed or [], 1):
        spot = here.at("message", number)
        with spot.trying():
            raw = spot.check(each, dict, "it")
            message = _message(draft, spot, raw)
            parent = spot.ident(raw, _PARENT) if linked else None
            if linked:
                nodes.append(Node(message.id, None if parent == _NO_PARENT else parent, message))
            else:
                draft.follow(message)
    grow(draft, nodes, _PARENT)
    draft.settle()
    return draft


def _message(draft: DraftThread, place: Place, raw: dict[str, Any]) -> DraftMessage:
    ident = place.ident(raw, "uuid")
    rest = rest_of(raw, "uuid", "sender", "text", "content", "created_at", _PARENT)
    sender = draft.role(ident, place.take(raw, "sender", str))
    if sender in _ROLES:
        rest["sender"] = sender
    content = raw.get("content")
    if content is not None:
        place.check(content, str if isinstance(content, str) else list, "'content'")
    parts = parts_of(content)
    text, flat = texts_of(parts), place.take(raw, "text", str)
    if flat and flat != text:
        if text:
            rest["text"] = flat
        else:
            text = flat
            parts.insert(0, MessagePart(kind="text", text=text))
    for key in ("attachments", "files", "files_v2"):
        parts += _files(raw.get(key), parts)
    return DraftMessage(
        id=ident,
        role=_ROLES.get(sender, sender),
        content=text,
        parts=parts,
        created_at=draft.time(ident, raw, "created_at", rest),
        metadata=rest,
    )


def _files(listed: object, known: list[MessagePart]) -> list[MessagePart]:
    """Return the parts of the files that a message names, each once."""
    names: set[str | None] = {name for part in known for name in (part.name, part.url) if name}
    parts: list[MessagePart] = []
    for each in listed if isinstance(listed, list) else []:
        if not isinstance(each, dict):
            continue
        found = (each.get(key) for key in ("file_name", "file_uuid", "id"))
        name = next((name for name in found if isinstance(name, str) and name), None)
        kind = each.get("file_type")
        if name is None or name not in names:
            names |= {name} if name else set()
            mime = kind if isinstance(kind, str) and kind else None
            parts.append(MessagePart(kind="file", name=name, mime=mime))
    return parts
