"""Channels of Discord, as DiscordChatExporter writes them in JSON."""

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

_SAID = ("Default", "Reply", "ChatInputCommand", "ContextMenuCommand", "0", "19", "20", "23")
"""Types of messages that somebody wrote; others Discord wrote itself."""

_EXPORT = ("exportedAt", "messageCount", "dateRange")
"""What is told of the export, not of the channel: it would change with every export."""

_WHERE = frozenset({"messageId", "channelId", "guildId", "type"})
"""What tells which message another one refers to, and no more."""

_PLACED = ("id", "type", "timestamp", "content", "author", "attachments", "stickers", "embeds")


class Discord(Claiming):
    """Reads ``{"guild", "channel", "messages": […]}``: a channel, a thread in it, or a talk.

    Notes
    -----
    A message answers the one that it replies to, if that is in the same channel. Bots have the
    role ``"tool"``, what Discord itself says ``"system"``. Ids are unique wherever they come from.
    """

    name = "discord"
    title = "DiscordChatExporter (.json)"

    def claims(self, source: Source) -> Claim:
        """Tell whether there is a channel in a guild, with messages."""
        item = source.first_item
        found = isinstance(item.get("guild"), dict) and isinstance(item.get("channel"), dict)
        return claim(found and isinstance(item.get("messages"), list), "'guild' and 'channel'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every channel."""
        for place, value in source.items("channel"):
            with place.trying():
                item = place.check(value, dict, "a channel")
                yield _thread(place, item)
                for key in _EXPORT:
                    if item.get(key):
                        source.leave(f"{key!r}", "about the export")


def _thread(place: Place, item: dict[str, Any]) -> DraftThread:
    channel = place.take(item, "channel", dict) or {}
    draft = DraftThread(id=place.ident(channel, "id"), title=word(channel, "name") or "")
    draft.within = ""
    draft.metadata = said_of(item, "messages", "channel", *_EXPORT)
    draft.metadata["channel"] = said_of(channel, "id", "name")
    nodes: list[Node] = []
    for number, raw in enumerate(place.take(item, "messages", list) or [], 1):
        here = place.at("message", number)
        with here.trying():
            said = here.check(raw, dict, "it")
            message = _message(draft, here, said)
            about = here.take(said, "reference", dict) or {}
            here_too = about.get("channelId") in (None, draft.id) and about.get("type") != "Forward"
            parent = here.ident(about, "messageId") if here_too else None
            if parent is not None and about.keys() <= _WHERE:
                message.metadata.pop("reference", None)
            nodes.append(Node(message.id, parent, message))
    grow(draft, nodes, "messageId")
    if draft.title:
        draft.created_at = next((m.created_at for m in draft.messages if m.created_at), None)
    draft.settle()
    return draft


def _message(draft: DraftThread, place: Place, item: dict[str, Any]) -> DraftMessage:
    ident = place.ident(item, "id")
    rest = said_of(item, *_PLACED)
    author = place.take(item, "author", dict) or {}
    kind = str(item.get("type") or "Default")
    if kind != "Default":
        rest["type"] = item["type"]
    role = "user" if kind in _SAID else "system"
    if role == "user" and author.get("isBot") is True:
        role = "tool"
    text = place.take(item, "content", str) or ""
    parts = [MessagePart(kind="text", text=text)] if text else []
    parts += _beside(item)
    forwarded = place.take(item, "forwardedMessage", dict)
    if forwarded is not None:
        parts += [MessagePart(kind="other", text=word(forwarded, "content") or "forwarded message")]
        parts += _beside(forwarded)
    if not parts:
        parts = [MessagePart(kind="other", text=in_words(kind))] if role == "system" else []
    rest |= {"author": left} if (left := said_of(author, "nickname")) else {}
    return DraftMessage(
        id=ident,
        role=role,
        content=text,
        parts=parts,
        author=word(author, "nickname", "name", "id"),
        created_at=draft.time(ident, item, "timestamp", rest),
        metadata=rest,
    )


def _beside(item: dict[str, Any]) -> list[MessagePart]:
    """Return the parts of attachments, stickers and embeds."""
    parts = [
        attached(each.get("fileName"), each.get("url"), more=said_of(each, "fileName", "url"))
        for each in dicts(item.get("attachments"))
    ]
    parts += [
        attached(each.get("name"), each.get("sourceUrl"), None, "image", more=said_of(each, "name"))
        for each in dicts(item.get("stickers"))
    ]
    for each in dicts(item.get("embeds")):
        lines = [word(each, "title"), word(each, "description")]
        fields = [(word(f, "name"), word(f, "value")) for f in dicts(each.get("fields"))]
        lines += [": ".join(filter(None, field)) for field in fields]
        parts.append(
            MessagePart(
                kind="citation",
                text="\n".join(filter(None, lines)),
                name=word(each, "title"),
                url=word(each, "url"),
                metadata=said_of(each, "title", "description", "url"),
            )
        )
    return parts
