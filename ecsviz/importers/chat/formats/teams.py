"""Microsoft Teams and Skype: an account's export, and messages as Graph gives them."""

from __future__ import annotations

import re
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
from ecsviz.importers.chat.html_text import html_text
from ecsviz.importers.chat.media import attached
from ecsviz.importers.chat.source import Place, Source
from ecsviz.importers.chat.trees import Node, grow

_GRAPH = frozenset({"messageType", "createdDateTime", "body"})

_PLACED = ("id", "createdDateTime", "body", "from", "replyToId", "chatId", "attachments")

_OBJECT = re.compile(r'\b(uri|type|v)="([^"]*)"')


class Teams(Claiming):
    """Reads ``{"conversations": [{"MessageList": […]}]}``, or Graph's ``chatMessage`` objects.

    Notes
    -----
    Texts that are HTML are kept as what one can read of them, with the HTML in the metadata. In
    Graph's shape a message answers the one that ``replyToId`` names; an account's export does not
    say what answers what.
    """

    name = "teams"
    title = "Teams or Skype export (messages.json), or messages of Graph"

    def claims(self, source: Source) -> Claim:
        """Tell whether there are conversations with a list of messages, or messages of Graph."""
        item = source.first_item
        first = next(iter(dicts(item.get("conversations"))), {})
        graph = next(iter(dicts(item.get("value"))), item)
        found = isinstance(first.get("MessageList"), list) or graph.keys() >= _GRAPH
        return claim(found, "'MessageList', or messages with 'messageType'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every conversation."""
        loose: list[tuple[Place, Any]] = []
        for place, value in source.items("export"):
            with place.trying():
                export = place.check(value, dict, "it")
                if "conversations" not in export:
                    listed = place.take(export, "value", list) if "value" in export else [export]
                    numbered = enumerate(listed or [], 1)
                    loose += [(place.at("message", number), raw) for number, raw in numbered]
                    continue
                account = word(export, "userId")
                for number, raw in enumerate(place.take(export, "conversations", list) or [], 1):
                    here = place.at("conversation", number)
                    with here.trying():
                        yield _talk(here, here.check(raw, dict, "it"), account)
                for key in export.keys() - {"conversations", "userId"}:
                    source.leave(f"{key!r}", "about the export")
        yield from _of_graph(loose)


def _talk(place: Place, item: dict[str, Any], account: str | None) -> DraftThread:
    draft = DraftThread(id=place.ident(item, "id"))
    about = place.take(item, "threadProperties", dict) or {}
    draft.title = word(item, "displayName") or word(about, "topic") or ""
    draft.within = "" if (draft.id or "").startswith("19:") else account
    draft.metadata = said_of(item, "id", "displayName", "MessageList")
    said: list[DraftMessage] = []
    for number, raw in enumerate(place.take(item, "MessageList", list) or [], 1):
        here = place.at("message", number)
        with here.trying():
            said.append(_said(draft, here, here.check(raw, dict, "it")))
    times = [message.created_at for message in said if message.created_at]
    draft.messages = said if times and times[0] < times[-1] else said[::-1]
    draft.settle()
    return draft


def _said(draft: DraftThread, place: Place, item: dict[str, Any]) -> DraftMessage:
    ident = place.ident(item, "id")
    rest = said_of(
        item, "id", "originalarrivaltime", "content", "conversationid", "from", "displayName"
    )
    kind = place.take(item, "messagetype", str) or "Text"
    content = place.take(item, "content", str) or ""
    own = kind.startswith(("ThreadActivity", "Event", "Control"))
    plain = kind == "Text"
    text = "" if own else content if plain else html_text(content)
    parts = [MessagePart(kind="text", text=text)] if text else []
    if "<URIObject" in content:
        parts, text = [_object(content)], ""
    if not parts:
        left = html_text(content)
        what = in_words(kind.rpartition("/")[2])
        parts = [MessagePart(kind="other", text=": ".join(filter(None, (what, left))))]
    if content and content != text:
        rest["content"] = content
    sender = place.take(item, "from", str)
    if sender:
        rest["from"] = sender
    return DraftMessage(
        id=ident,
        role="system" if own else "user",
        content=text,
        parts=parts,
        author=word(item, "displayName") or (sender or "").rpartition("/")[2] or None,
        created_at=draft.time(ident, item, "originalarrivaltime", rest),
        metadata=rest,
    )


def _object(content: str) -> MessagePart:
    """Return the part of a file that a message shows in a tag of its own."""
    opening, _, inner = content.partition("<URIObject")[2].partition(">")
    told = dict(_OBJECT.findall(opening))
    named = dict(_OBJECT.findall(inner.partition("<OriginalName")[2].partition(">")[0]))
    kind = "image" if "Picture" in told.get("type", "") else None
    return attached(named.get("v"), told.get("uri"), None, kind)


def _of_graph(loose: list[tuple[Place, Any]]) -> Iterator[DraftThread]:
    """Yield a thread for every chat and channel of messages as Graph gives them."""
    threads: dict[str, tuple[DraftThread, list[Node]]] = {}
    for place, raw in loose:
        with place.trying():
            item = place.check(raw, dict, "a message")
            channel = place.take(item, "channelIdentity", dict) or {}
            key = word(item, "chatId") or word(channel, "channelId") or ""
            draft, nodes = threads.setdefault(key, (DraftThread(id=key or None, within=""), []))
            message = _graph_message(draft, place, item)
            nodes.append(Node(message.id, place.ident(item, "replyToId"), message))
    for draft, nodes in threads.values():
        times = [node.message.created_at for node in nodes if node.message.created_at]
        if times and times[0] > times[-1]:
            nodes.reverse()
        grow(draft, nodes, "replyToId")
        draft.settle()
        yield draft


def _graph_message(draft: DraftThread, place: Place, item: dict[str, Any]) -> DraftMessage:
    ident = place.ident(item, "id")
    rest = said_of(item, *_PLACED)
    body = place.take(item, "body", dict) or {}
    content = place.take(body, "content", str) or ""
    is_html = body.get("contentType") == "html"
    text = html_text(content) if is_html else content
    if content != text:
        rest["content"] = content
    parts = [MessagePart(kind="text", text=text)] if text else []
    for each in dicts(item.get("attachments")):
        more = said_of(each, "name", "contentUrl")
        parts.append(attached(each.get("name"), each.get("contentUrl"), None, more=more))
    kind = place.take(item, "messageType", str) or "message"
    detail = place.take(item, "eventDetail", dict) or {}
    if not parts:
        told = (word(detail, "@odata.type") or kind).rpartition(".")[2]
        deleted = "deleted message" if item.get("deletedDateTime") else ""
        parts = [MessagePart(kind="other", text=deleted or in_words(told) or "message")]
    sender = place.take(item, "from", dict) or {}
    names = {key: word(held, "displayName", "id") for key, held in sender.items()}
    by = next((key for key, name in names.items() if name), "")
    if sender:
        rest["from"] = sender
    return DraftMessage(
        id=ident,
        role="system" if kind != "message" else "tool" if by == "application" else "user",
        content=text,
        parts=parts,
        author=names.get(by),
        created_at=draft.time(ident, item, "createdDateTime", rest),
        metadata=rest,
    )
