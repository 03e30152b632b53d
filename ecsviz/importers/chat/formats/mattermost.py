"""Mattermost's bulk export: a line a team, channel, user or post."""

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

_POSTS = ("post", "direct_post")

_PLACED = ("user", "message", "create_at", "replies", "attachments", "team", "channel", "type")


class Mattermost(Claiming):
    """Reads lines ``{"type": "post", "post": {…}}``, and those of direct posts.

    Notes
    -----
    A thread is a channel, or what the same people write to each other. Replies answer their post.
    """

    name = "mattermost"
    title = "Mattermost bulk export (.jsonl)"

    def claims(self, source: Source) -> Claim:
        """Tell whether the first line is a version, before lines of that shape, or one of those."""
        item = source.first_item
        kind = item.get("type")
        begins = kind == "version" and isinstance(item.get("version"), int)
        after = source.head.partition("\n")[2]
        named = any(f'"{each}"' in after for each in ("team", "channel", "user", *_POSTS))
        found = begins and (named or not after.strip())
        post = item.get(kind) if kind in _POSTS else None
        found = found or (isinstance(post, dict) and {"message", "create_at"} <= post.keys())
        return claim(found, "a version, then lines of teams, channels and posts")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every channel that has posts, in the order of the first of them."""
        threads: dict[str, DraftThread] = {}
        titles: dict[str, dict[str, Any]] = {}
        for place, value in source.items("line"):
            with place.trying():
                item = place.check(value, dict, "it")
                kind = place.take(item, "type", str) or "no type"
                if kind == "channel":
                    about = place.take(item, kind, dict) or {}
                    titles[f"{word(about, 'team')}/{word(about, 'name')}"] = about
                elif kind in _POSTS:
                    _add(threads, place, place.take(item, kind, dict) or {})
                elif kind != "version":
                    source.leave(f"a line of type {kind!r}", "no chat")
        for key, draft in threads.items():
            about = titles.get(key, {})
            draft.title = word(about, "display_name") or draft.title
            draft.metadata |= {"channel": about} if about else {}
            draft.settle()
            yield draft


def _add(threads: dict[str, DraftThread], place: Place, post: dict[str, Any]) -> None:
    """Append a post and its replies to the thread of its channel."""
    members = place.take(post, "channel_members", list)
    if members is not None:
        people = sorted(place.check(each, str, "a member") for each in members)
        key, title = "direct/" + ",".join(people), ", ".join(people)
    else:
        team, title = word(post, "team") or "", word(post, "channel") or ""
        key = f"{team}/{title}"
    draft = threads.setdefault(key, DraftThread(id=key, title=title))
    above = draft.add(_message(draft, place, post))
    for number, raw in enumerate(place.take(post, "replies", list) or [], 1):
        here = place.at("reply", number)
        with here.trying():
            reply = _message(draft, here, here.check(raw, dict, "it"))
            reply.parent = above
            draft.add(reply)


def _message(draft: DraftThread, place: Place, item: dict[str, Any]) -> DraftMessage:
    rest = said_of(item, *_PLACED, "channel_members")
    rest = {key: value for key, value in rest.items() if value is not False}
    kind = place.take(item, "type", str) or ""
    if kind:
        rest["type"] = kind
    props = place.take(item, "props", dict) or {}
    text = place.take(item, "message", str) or ""
    parts = [MessagePart(kind="text", text=text)] if text else []
    for each in dicts(props.get("attachments")):
        lines = filter(None, (word(each, key) for key in ("pretext", "title", "text", "fallback")))
        parts.append(MessagePart(kind="citation", text="\n".join(lines), metadata=said_of(each)))
    for raw in place.take(item, "attachments", list) or []:
        told = raw if isinstance(raw, dict) else {"path": raw}
        path = word(told, "path")
        name = path.rpartition("/")[2] if path else None
        parts.append(attached(name, path, more=said_of(told, "path")))
    if not parts:
        parts = [MessagePart(kind="other", text=in_words(kind) or "message")]
    bot = any(str(props.get(key)).lower() == "true" for key in ("from_webhook", "from_bot"))
    return DraftMessage(
        role="system" if kind.startswith("system_") else "tool" if bot else "user",
        content=text,
        parts=parts,
        author=place.take(item, "user", str),
        created_at=draft.time(None, item, "create_at", rest),
        metadata=rest,
    )
