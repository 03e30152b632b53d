"""Facebook's and Instagram's messages, as "Download your information" gives them in JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
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
    said_of,
    word,
)
from ecsviz.importers.chat.media import attached
from ecsviz.importers.chat.source import Place, Source

_FILE = re.compile(r"message_(\d+)\.json")

_GROUP = re.compile(r".*_\d{10,}")
"""A path that ends with Facebook's own number of a talk, which no other has."""

_MEDIA = {"photos": "image", "gifs": "image", "videos": "video", "audio_files": "audio"}

_ITSELF = ("Subscribe", "Unsubscribe", "Call")
"""Types of messages that nobody wrote."""

_PLACED = frozenset(
    {
        *("sender_name", "senderName", "timestamp_ms", "timestamp", "content", "text"),
        *(*_MEDIA, "files", "media", "sticker", "share"),
    }
)


class Messenger(Claiming):
    """Reads ``{"participants", "messages": [{"sender_name", "timestamp_ms", …}]}``.

    Notes
    -----
    A long talk comes in several files, ``message_1.json`` the newest: those of one folder are one
    thread. The file does not say what answers what. Texts whose bytes were taken for characters
    are mended. Messages of encrypted talks, which are exported in another shape, are read too.
    """

    name = "messenger"
    title = "Messenger or Instagram export (message_1.json)"

    def claims(self, source: Source) -> Claim:
        """Tell whether there are messages with a sender's name and milliseconds."""
        return claim(_is_talk(source), "messages with 'sender_name' and 'timestamp_ms'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every talk."""
        files = _files(source)
        if files[0] is not source:
            source.leave("messages", f"read with {PurePosixPath(files[0].inside).name}")
            return
        for place, value in source.items("talk"):
            with place.trying():
                item = _mended(place.check(value, dict, "a talk"))
                draft = _thread(place, item)
                spoken = _spoken(draft, place, item)
                for other in files[1:]:
                    with source.place().trying():
                        for there, more in other.items("talk"):
                            again = _mended(there.check(more, dict, "a talk"))
                            spoken += _spoken(draft, there, again)
                    source.take_over(other)
                times = [m.created_at for m in spoken if m.created_at is not None]
                draft.messages = spoken if times and times[0] < times[-1] else spoken[::-1]
                draft.settle()
                yield draft


def _is_talk(source: Source) -> bool:
    item = source.first_item
    said = next(iter(dicts(item.get("messages"))), {})
    old = {"sender_name", "timestamp_ms"} <= said.keys()
    return isinstance(item.get("participants"), list) and (
        old or {"senderName", "timestamp", "isUnsent"} <= said.keys()
    )


def _files(source: Source) -> list[Source]:
    """Return the files of a talk in their order: the file itself, and those beside it."""
    here = PurePosixPath(source.inside)
    found = _FILE.fullmatch(here.name)
    if found is None:
        return [source]
    own = int(found[1])
    before: list[Source] = []
    after: list[Source] = []
    for numbers, several in ((range(own - 1, 0, -1), before), (count(own + 1), after)):
        for number in numbers:
            name = str(here.with_name(f"message_{number}.json"))
            if name not in source.beside:
                break
            several.append(source.beside[name])
    return [e for e in (*before[::-1], source, *after) if e is source or _is_talk(e)]


def _thread(place: Place, item: dict[str, Any]) -> DraftThread:
    draft = DraftThread(id=place.ident(item, "thread_path"))
    draft.title = word(item, "title", "threadName") or ""
    people = [
        each if isinstance(each, str) else word(each, "name") or ""
        for each in place.take(item, "participants", list) or []
    ]
    if len(people) <= 2:
        draft.within = "\n".join(sorted(people)) or None
    elif _GROUP.fullmatch(draft.id or ""):
        draft.within = ""
    draft.metadata = said_of(item, "thread_path", "title", "threadName", "messages")
    return draft


def _spoken(draft: DraftThread, place: Place, item: dict[str, Any]) -> list[DraftMessage]:
    found: list[DraftMessage] = []
    for number, raw in enumerate(place.take(item, "messages", list) or [], 1):
        here = place.at("message", number)
        with here.trying():
            found.append(_message(draft, here, here.check(raw, dict, "it")))
    return found


def _message(draft: DraftThread, place: Place, item: dict[str, Any]) -> DraftMessage:
    rest = said_of(item, *_PLACED)
    rest = {k: v for k, v in rest.items() if v is not False and (k, v) != ("type", "Generic")}
    text = place.take(item, "content", str) or place.take(item, "text", str) or ""
    parts = [MessagePart(kind="text", text=text)] if text else []
    for key in (*_MEDIA, "files", "media"):
        listed = place.take(item, key, list) or []
        told = [place.check(each, dict, f"one of {key!r}") for each in listed]
        parts += [_file(each, _MEDIA.get(key)) for each in told]
    if (sticker := place.take(item, "sticker", dict)) is not None:
        parts.append(_file(sticker, "image", "sticker"))
    if (share := place.take(item, "share", dict)) is not None:
        text_of, url = word(share, "share_text") or "", word(share, "link")
        more = said_of(share, "link", "share_text")
        parts.append(MessagePart(kind="citation", text=text_of, url=url, metadata=more))
    kind = place.take(item, "type", str)
    if not parts:
        unsent = item.get("is_unsent") is True or item.get("isUnsent") is True
        what = "unsent message" if unsent else (kind or "message").lower()
        parts = [MessagePart(kind="other", text=what)]
    key = "timestamp_ms" if "timestamp_ms" in item else "timestamp"
    return DraftMessage(
        role="system" if kind in _ITSELF else "user",
        content=text,
        parts=parts,
        author=word(item, "sender_name", "senderName"),
        created_at=draft.time(None, item, key, rest),
        metadata=rest,
    )


def _file(told: dict[str, Any], kind: str | None, name: str | None = None) -> MessagePart:
    name = name or PurePosixPath(word(told, "uri") or "").name
    return attached(name, told.get("uri"), None, kind, more=said_of(told, "uri"))


def _mended(item: dict[str, Any]) -> dict[str, Any]:
    """Mend the texts of which each byte was written as a character, in place."""
    todo: list[Any] = [item]
    while todo:
        holder = todo.pop()
        for key, value in list(holder.items() if isinstance(holder, dict) else enumerate(holder)):
            if isinstance(value, str) and not value.isascii():
                with suppress(UnicodeError):
                    holder[key] = value.encode("latin-1").decode("utf-8")
            elif isinstance(value, dict | list):
                todo.append(value)
    return item
