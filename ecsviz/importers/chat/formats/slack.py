"""Slack's export: a zip, or its folder, with a folder a channel and a file a day; or one day."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from ecsviz.domain.chat import MessagePart
from ecsviz.importers.chat.drafts import Claim, Claiming, DraftMessage, DraftThread, claim, rest_of
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
            yield _grown(draft, nodes)


def _is_message(item: dict[str, Any]) -> bool:
    return item.get("type") == "message" and isinstance(item.get("ts"), str)


def _records(source: Source, wanted: str) -> list[dict[str, Any]]:
    """Return the records with an id of a file at the top of the export."""
    assert source.members is not None
    for name in source.members:
        if PurePosixPath(name).name == wanted:
            listed = source.members[name].first
            return [
                each
                for each in (listed if isinstance(listed, list) else [])
                if isinstance(each, dict) and isinstance(each.get("id"), str)
            ]
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
    parts += _beside(item)
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


def _beside(item: dict[str, Any]) -> list[MessagePart]:
    """Return the parts of files and attachments, and of blocks where there is nothing else."""
    parts: list[MessagePart] = []
    for each in _dicts(item.get("files")):
        mime = _first(each, "mimetype") or ""
        kind = mime.partition("/")[0]
        parts.append(
            MessagePart(
                kind=kind if kind in ("image", "audio", "video") else "file",
                name=_first(each, "name", "title", "id"),
                url=_first(each, "permalink", "url_private"),
                mime=mime or None,
            )
        )
    for each in _dicts(item.get("attachments")):
        text = "\n".join(filter(None, (_first(each, "pretext"), _first(each, "text", "fallback"))))
        fields = (
            f"{_first(f, 'title') or ''}: {_first(f, 'value') or ''}"
            for f in _dicts(each.get("fields"))
        )
        text = "\n".join(filter(None, (text, *fields)))
        name = _first(each, "title", "author_name", "service_name")
        url = _first(each, "title_link", "from_url", "image_url")
        parts.append(MessagePart(kind="citation", text=text, name=name, url=url))
    if not item.get("text") and not parts and (text := _words(item.get("blocks"))):
        parts.append(MessagePart(kind="text", text=text))
    return parts


def _words(blocks: object) -> str:
    """Return the texts of blocks, which hold others, in their order."""
    texts: list[str] = []
    todo: list[object] = [blocks]
    while todo:
        each = todo.pop()
        if isinstance(each, list):
            todo += each[::-1]
        elif isinstance(each, dict):
            text = each.get("text")
            if isinstance(text, str):
                texts.append(text)
            else:
                todo += [each[key] for key in ("elements", "fields", "text") if key in each][::-1]
    return "".join(texts)


def _dicts(listed: object) -> list[dict[str, Any]]:
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def _first(item: dict[str, Any], *keys: str) -> str | None:
    found = (item.get(key) for key in keys)
    return next((each for each in found if isinstance(each, str) and each), None)
