"""Messages of Telegram, as Telethon gives them and scripts write them down."""

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

_PEERS = {"PeerChannel": "channel_id", "PeerChat": "chat_id", "PeerUser": "user_id"}

_PLACED = ("_", "id", "peer_id", "to_id", "date", "message", "from_id", "sender", "action")


class Telethon(Claiming):
    """Reads ``{"_": "Message", "id", "peer_id", "message", …}``, one a line or in a list.

    Notes
    -----
    A thread is a peer. A message answers the one that it says it replies to. Dumps begin with the
    newest message; they are turned round. Service messages have the role ``"system"``.
    """

    name = "telethon"
    title = "Telethon's messages (.jsonl or .json)"

    def claims(self, source: Source) -> Claim:
        """Tell whether the first object says that it is a message of a peer."""
        item = source.first_item
        found = item.get("_") in ("Message", "MessageService")
        return claim(found and bool({"peer_id", "to_id"} & item.keys()), "'_' is 'Message'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every peer."""
        threads: dict[str, tuple[DraftThread, list[Node]]] = {}
        for place, value in source.items("message"):
            with place.trying():
                item = place.check(value, dict, "a message")
                kind, key = _peer(item.get("peer_id") or item.get("to_id"))
                draft, nodes = threads.setdefault(key, (DraftThread(id=key), []))
                if kind == "PeerChannel":
                    draft.within = ""
                elif item.get("out") is True and draft.within is None:
                    draft.within = _peer(item.get("from_id"))[1] or None
                message = _message(draft, place, item)
                about = item.get("reply_to") or item
                to = {"": about.get("reply_to_msg_id") if isinstance(about, dict) else None}
                nodes.append(Node(message.id, place.ident(to, ""), message))
        for draft, nodes in threads.values():
            numbers = [int(each.id) for each in nodes if each.id and each.id.isdecimal()]
            if numbers and numbers[0] > numbers[-1]:
                nodes.reverse()
            grow(draft, nodes, "reply_to_msg_id")
            draft.settle()
            yield draft


def _peer(value: object) -> tuple[str, str]:
    """Return what kind of peer it is, and its kind and number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return "PeerUser", f"user {value}"
    kind = word(value, "_") or ""
    number = value.get(_PEERS.get(kind, "")) if isinstance(value, dict) else None
    if not isinstance(number, int) or isinstance(number, bool) or number.bit_length() > 64:
        return kind, ""
    return kind, f"{_PEERS[kind].removesuffix('_id')} {number}"


def _message(draft: DraftThread, place: Place, item: dict[str, Any]) -> DraftMessage:
    ident = place.ident(item, "id")
    rest = {key: value for key, value in said_of(item, *_PLACED).items() if value is not False}
    text = place.take(item, "message", str) or ""
    parts = [MessagePart(kind="text", text=text)] if text else []
    media, action = place.take(item, "media", dict), place.take(item, "action", dict)
    if media is not None:
        parts.append(_media(media))
        rest.pop("media", None)
    if action is not None:
        told = word(action, "title", "message") or ""
        what = in_words((word(action, "_") or "").removeprefix("MessageAction")) or "action"
        lines = ": ".join(filter(None, (what, told)))
        parts.append(MessagePart(kind="other", text=lines, metadata=said_of(action)))
    parts = parts or [MessagePart(kind="other", text="empty message")]
    sender = place.take(item, "sender", dict) or {}
    names = filter(None, (word(sender, "first_name"), word(sender, "last_name")))
    if left := said_of(sender):
        rest["sender"] = left
    author = " ".join(names) or word(sender, "title", "username") or word(item, "post_author")
    if author and item.get("from_id"):
        rest["from_id"] = item["from_id"]
    return DraftMessage(
        id=ident,
        role="system" if item.get("_") == "MessageService" else "user",
        content=text,
        parts=parts,
        author=author or _peer(item.get("from_id"))[1] or None,
        created_at=draft.time(ident, item, "date", rest),
        metadata=rest,
    )


def _media(media: dict[str, Any]) -> MessagePart:
    """Return the part of what a message shows beside its text."""
    kind = (word(media, "_") or "").removeprefix("MessageMedia")
    more = said_of(media)
    inner = media.get(kind.lower()) or media.get("webpage")
    held = inner if isinstance(inner, dict) else {}
    if kind == "Photo":
        return attached(f"photo {held.get('id') or ''}".strip(), None, None, "image", more=more)
    if kind == "Document":
        about: dict[str, Any] = {}
        for each in dicts(held.get("attributes")):
            about |= said_of(each)
            about[word(each, "_") or ""] = True
        name, alt = word(about, "file_name"), word(about, "alt")
        sticker = "DocumentAttributeSticker" in about
        of = "audio" if about.get("voice") is True else "image" if sticker else None
        name = name or alt or ("voice message" if of == "audio" else None)
        return attached(name, None, held.get("mime_type"), of, more=more)
    if kind == "WebPage":
        text = "\n".join(filter(None, (word(held, key) for key in ("title", "description"))))
        name, url = word(held, "title"), word(held, "url")
        return MessagePart(kind="citation", text=text, name=name, url=url, metadata=more)
    if kind == "Poll":
        lines = [_plain(held.get("question"))]
        lines += [f"- {_plain(each.get('text'))}" for each in dicts(held.get("answers"))]
        return MessagePart(kind="other", text="\n".join(lines).strip() or "poll", metadata=more)
    told = [f"{k} {v}" for h in (media, media.get("geo")) for k, v in _plain_items(h)]
    text = ", ".join([in_words(kind) or "media", *told])
    return MessagePart(kind="other", text=text, metadata=more)


def _plain(value: object) -> str:
    return value if isinstance(value, str) else word(value, "text") or ""


def _plain_items(holder: object) -> list[tuple[str, str]]:
    """Return what can be read of a place, a contact and the like."""
    shown = ("lat", "long", "title", "address", "phone_number", "first_name", "last_name", "value")
    found = holder if isinstance(holder, dict) else {}
    return [(k, str(found[k])) for k in shown if isinstance(found.get(k), str | float) and found[k]]
