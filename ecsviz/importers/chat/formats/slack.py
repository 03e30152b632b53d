"""Slack's export: a zip, or its folder, with a folder a channel and a file a day; or one day."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
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

_DAY = re.compile(r"(?:.*/)?([^/]+)/\d{4}-\d\d-\d\d\.json")

_CHANNELS = ("channels.json", "groups.json", "dms.json", "mpims.json")

_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|([^<>]*))?>")

_ID = re.compile("[CDG][A-Z0-9]{8,}")
"""An id of Slack's own, which no other workspace has; a folder's name is none."""

_PLACED = frozenset({"ts", "text", "thread_ts"})


class Slack(Claiming):
    """Reads the messages of every channel, in the order of the days.

    Notes
    -----
    A thread is a channel. A message in one of Slack's threads answers the message that began it;
    others answer none. A message's id is its ``ts``, which is unique in a channel. The author is
    looked up in ``users.json``; bots have the role ``"tool"``, what Slack itself says
    ``"system"``.
    """

    name = "slack"
    title = "Slack export (zip or folder)"

    def claims(self, source: Source) -> Claim:
        """Tell whether a day's file, or the file itself, holds messages with ``ts``."""
        if source.members is None:
            return claim(_is_message(source.first_item), "messages with 'ts'")
        days = (source.members[name] for name in source.members if _DAY.fullmatch(name))
        found = any(_is_message(day.first_item) for _, day in zip(range(10), days, strict=False))
        return claim(found, "a folder with a file a day, of messages with 'ts'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every channel that has messages."""
        if source.members is None:
            draft = DraftThread()
            yield _grown(draft, _nodes(draft, source, {}))
            return
        people = {user["id"]: user for user in _records(source, "users.json")}
        known: dict[str, dict[str, Any]] = {}
        for name in _CHANNELS:
            for channel in _records(source, name):
                known[str(channel.get("name") or channel["id"])] = channel
                known[channel["id"]] = channel
        days: dict[str, list[str]] = {}
        for name in sorted(source.members):
            if found := _DAY.fullmatch(name):
                days.setdefault(found[1], []).append(name)
            elif PurePosixPath(name).name == "users.json":
                source.leave(name, "only the names of authors are taken from it")
            elif PurePosixPath(name).name not in _CHANNELS:
                source.leave(name, "no messages")
        for folder, names in days.items():
            channel = known.get(folder, {})
            draft = DraftThread(id=channel.get("id") or folder, title=folder)
            draft.title = _among(channel, people) or folder
            draft.within = "" if _ID.fullmatch(draft.id or "") else None
            if rest := rest_of(channel, "id", "name"):
                draft.metadata["channel"] = rest
            nodes: list[Node] = []
            for name in names:
                day = source.members[name]
                with source.place().trying():
                    nodes += _nodes(draft, day, people)
                source.take_over(day)
                day.close()
            yield _grown(draft, nodes)


def _is_message(item: dict[str, Any]) -> bool:
    return item.get("type") == "message" and isinstance(item.get("ts"), str)


def _records(source: Source, wanted: str) -> list[dict[str, Any]]:
    """Return the records with an id of a file at the top of the export."""
    assert source.members is not None
    for name in source.members:
        if PurePosixPath(name).name == wanted:
            member = source.members[name]
            if not isinstance(member.first, list):
                return []
            listed = [each for _, each in member.items("record")]
            source.take_over(member)
            return [e for e in listed if isinstance(e, dict) and isinstance(e.get("id"), str)]
    return []


def _grown(draft: DraftThread, nodes: list[Node]) -> DraftThread:
    grow(draft, nodes, "thread_ts")
    if draft.title:
        draft.created_at = next((m.created_at for m in draft.messages if m.created_at), None)
    else:
        draft.settle()
    return draft


def _nodes(draft: DraftThread, day: Source, people: dict[str, Any]) -> list[Node]:
    nodes: list[Node] = []
    for place, value in day.items("message"):
        with place.trying():
            item = place.check(value, dict, "a message")
            ident = place.take(item, "ts", str) or None
            began = place.take(item, "thread_ts", str)
            parent = None if began == ident else began
            nodes.append(Node(ident, parent, _message(draft, place, ident, item, people)))
    return nodes


def _message(
    draft: DraftThread,
    place: Place,
    ident: str | None,
    item: dict[str, Any],
    people: dict[str, Any],
) -> DraftMessage:
    rest = rest_of(item, *_PLACED)
    kind = place.take(item, "subtype", str) or ""
    if rest.get("type") == "message":
        del rest["type"]
    if "bot_id" in item or kind == "bot_message":
        role = "tool"
    elif kind and kind not in ("thread_broadcast", "file_share", "me_message"):
        role = "system"
    else:
        role = "user"
    text = place.take(item, "text", str) or ""
    named = _MENTION.sub(lambda found: _mentioned(found, people), text)
    if named != text:
        rest["text"] = text
    parts = [MessagePart(kind="text", text=named)] if named else []
    parts += _beside(item, people)
    if not parts:
        parts = [MessagePart(kind="other", text=in_words(kind) or "message")]
    return DraftMessage(
        id=ident,
        role=role,
        content=named,
        parts=parts,
        author=_author(item, people),
        created_at=draft.time(ident, item, "ts", rest),
        metadata=rest,
    )


def _mentioned(found: re.Match[str], people: dict[str, Any]) -> str:
    name = found[2] or (_name(people[found[1]]) if found[1] in people else None)
    return f"@{name}" if name else found[0]


def _among(channel: dict[str, Any], people: dict[str, Any]) -> str:
    """Return the names of those who talk in a channel that has no name; empty if it has one."""
    members = channel.get("members")
    if channel.get("name") or not isinstance(members, list):
        return ""
    names = (_name(people[each]) if each in people else each for each in members)
    return ", ".join(name for name in names if isinstance(name, str))


def _name(record: object) -> str | None:
    """Return the name in a record of a person."""
    if not isinstance(record, dict):
        return None
    profile = record.get("profile")
    for holder in (profile if isinstance(profile, dict) else {}, record):
        for key in ("display_name", "real_name", "name"):
            if isinstance(found := holder.get(key), str) and found:
                return found
    return None


def _author(item: dict[str, Any], people: dict[str, Any]) -> str | None:
    user = item.get("user")
    known = people.get(user) if isinstance(user, str) else None
    for record in (known, item.get("user_profile"), item.get("bot_profile")):
        if (found := _name(record)) is not None:
            return found
    for name in (item.get("username"), user):
        if isinstance(name, str) and name:
            return name
    return None


def _beside(item: dict[str, Any], people: dict[str, Any]) -> list[MessagePart]:
    """Return the parts of files and attachments, and of blocks where there is no text."""
    parts: list[MessagePart] = []
    if not item.get("text") and (text := _words(item.get("blocks"), people)):
        parts.append(MessagePart(kind="text", text=text))
    for each in dicts(item.get("files")):
        name, url = word(each, "name", "title", "id"), word(each, "permalink", "url_private")
        parts.append(attached(name, url, each.get("mimetype")))
    for each in dicts(item.get("attachments")):
        lines = [word(each, "pretext"), word(each, "text") or _words(each.get("blocks"), people)]
        lines = [line for line in lines if line] or [word(each, "fallback")]
        for field in dicts(each.get("fields")):
            lines.append(": ".join(filter(None, (word(field, "title"), word(field, "value")))))
        name = word(each, "title", "author_name", "service_name")
        url = word(each, "title_link", "from_url", "image_url")
        text = "\n".join(filter(None, lines))
        parts.append(MessagePart(kind="citation", text=text, name=name, url=url))
    return parts


def _words(blocks: object, people: dict[str, Any]) -> str:
    """Return the words of blocks, which hold others, in their order; lines where they are lists."""
    texts: list[str] = []
    todo: list[object] = [blocks]
    while todo:
        each = todo.pop()
        if isinstance(each, list):
            todo += each[::-1]
        elif isinstance(each, str):
            texts.append(each)
        elif isinstance(each, dict):
            kind, text = each.get("type"), each.get("text")
            named = _NAMED.get(kind) if isinstance(kind, str) else None
            if isinstance(text, str):
                texts.append(text)
            elif named is not None and (found := word(each, *named[1])):
                known = _name(people.get(found)) if kind == "user" else None
                texts.append(named[0].format(known or found))
            else:
                inside = [each[key] for key in ("text", "elements", "fields") if key in each]
                todo += ["\n"] * (kind in _LINES) + inside[::-1]
    return "".join(texts).strip("\n")


_LINES = ("section", "rich_text_section", "rich_text_quote", "header", "context")

_NAMED: dict[str, tuple[str, tuple[str, ...]]] = {
    "emoji": (":{}:", ("name",)),
    "user": ("@{}", ("user_id",)),
    "usergroup": ("@{}", ("usergroup_id",)),
    "channel": ("#{}", ("channel_id",)),
    "broadcast": ("@{}", ("range",)),
    "link": ("{}", ("url",)),
    "image": ("[image: {}]", ("alt_text", "title", "image_url")),
    "video": ("[video: {}]", ("alt_text", "title_url", "video_url")),
}
"""How elements without a text are written: in what form, and by which of their names."""
