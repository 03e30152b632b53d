"""Chats in rows of CSV: Microsoft Copilot's activity, and tables with who and what."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import groupby
from typing import Final

from ecsviz.importers.chat.drafts import (
    GENERAL,
    Claim,
    Claiming,
    DraftMessage,
    DraftThread,
    claim,
    said_of,
)
from ecsviz.importers.chat.json_text import free_name
from ecsviz.importers.chat.source import Place, Source
from ecsviz.importers.chat.trees import Node, grow

_COPILOT: Final = ["conversation", "time", "author", "message"]

_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "role": ("role",),
    "author": ("author", "sender", "from", "speaker", "user", "username", "name"),
    "text": ("text", "content", "message", "body", "utterance"),
    "time": ("time", "timestamp", "date", "datetime", "created_at", "sent_at"),
    "thread": (
        *("conversation_id", "thread_id", "session_id", "chat_id"),
        *("conversation", "thread", "session", "chat", "channel"),
    ),
    "id": ("message_id", "id"),
    "parent": ("parent_id", "parent", "reply_to"),
    "model": ("model",),
}
"""By which names, in small letters, a column is known."""

_ROLES: Final = {
    **dict.fromkeys(("human", "user", "you", "prompter"), "user"),
    **dict.fromkeys(("ai", "assistant", "bot", "copilot", "model"), "assistant"),
    **{role: role for role in ("system", "tool")},
}

_FIELD: Final = 2**31 - 1
"""Characters a field may have: the module's own limit is less than a long answer has."""

Row = dict[str, str]


class Copilot(Claiming):
    """Reads the columns Conversation, Time, Author and Message, the newest row first.

    Notes
    -----
    A thread is a run of rows with one title, since there are no ids. Each message answers the one
    before it. Times name no zone: they are read as UTC, or in the ``timezone=`` of `read_chat`.
    """

    name = "copilot"
    title = "Microsoft Copilot's activity (.csv)"

    def claims(self, source: Source) -> Claim:
        """Tell whether the columns are those four."""
        return claim(_header(source)[0] == _COPILOT, "columns Conversation, Time, Author, Message")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every run of rows with one title."""
        if _header(source)[0] != _COPILOT:
            raise source.place().wrong("the columns are not Conversation, Time, Author, Message")
        places = {"thread": "conversation", "time": "time", "author": "author", "text": "message"}
        seen: set[str] = set()
        for title, run in groupby(list(_rows(source))[::-1], lambda row: row[1]["conversation"]):
            draft = DraftThread(title=title)
            for _, row in run:
                draft.follow(_message(draft, row, places))
            if title in seen:
                draft.tell(None, "'Conversation'", "a title that came before: a thread of its own")
            seen.add(title)
            draft.settle()
            yield draft


class Csv(Claiming):
    """Reads tables of which one column says who spoke, or in which role, and one the text.

    Notes
    -----
    Where a column names a conversation, each is a thread. Where one names what a message answers,
    that is its parent; else messages of a user and an assistant answer the one before, those of
    people none. Times without a zone are wall clocks.
    """

    name = "csv"
    title = "CSV with columns for role or author, and text"

    def claims(self, source: Source) -> Claim:
        """Tell whether there are such columns."""
        names = _header(source)[0]
        places = _places(names)
        found = "text" in places and bool({"role", "author"} & places.keys()) and names != _COPILOT
        return claim(found, "columns of who spoke and what", GENERAL)

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every conversation."""
        places = _places(_header(source)[0])
        if "text" not in places:
            raise source.place().wrong("no column is called 'text', 'content' or 'message'")
        threads: dict[str, list[tuple[Place, Row]]] = {}
        for place, row in _rows(source):
            threads.setdefault(row.get(places.get("thread", ""), ""), []).append((place, row))
        for ident, rows in threads.items():
            draft = DraftThread(id=ident or None)
            messages = [_message(draft, row, places) for _, row in rows]
            if "parent" in places:
                parents = [row[places["parent"]] or None for _, row in rows]
                nodes = zip(messages, parents, strict=True)
                grow(draft, [Node(each.id, up, each) for each, up in nodes], "parent")
            elif all(message.author is None for message in messages):
                for message in messages:
                    draft.follow(message)
            else:
                draft.messages = messages
            draft.settle()
            yield draft


def _header(source: Source) -> tuple[list[str], str]:
    """Return the names of the columns, and what stands between them; none if it is no CSV."""
    line = source.head.lstrip("\ufeff").partition("\n")[0].strip()
    if source.looks_like_json or not line or len(line) > 2_000:
        return [], ","
    between = max(",;\t", key=line.count)
    try:
        (names,) = csv.reader([line], delimiter=between)
    except (csv.Error, ValueError):
        return [], ","
    called: dict[str, None] = {}
    used: dict[str, int] = {}
    for name in names:
        called[free_name(called, "_".join(name.lower().split()), used)] = None
    return list(called), between


def _places(names: list[str]) -> dict[str, str]:
    """Return which column holds what."""
    found = {what: next((n for n in known if n in names), "") for what, known in _COLUMNS.items()}
    return {what: name for what, name in found.items() if name}


def _rows(source: Source) -> Iterator[tuple[Place, Row]]:
    """Yield each row by the names of its columns, with its place; one that does not fit is told."""
    names, between = _header(source)
    if csv.field_size_limit() < _FIELD:
        csv.field_size_limit(_FIELD)
    lines = csv.reader(io.StringIO(source.text, newline=""), delimiter=between, strict=True)
    try:
        next(lines, None)
        for values in lines:
            place = source.place(lines.line_num)
            with place.trying():
                if len(values) == len(names):
                    yield place, dict(zip(names, values, strict=True))
                elif values:
                    what = f"a row of {len(values)} fields, under {len(names)} columns"
                    raise place.wrong(what)
    except csv.Error as err:
        with source.place().trying():
            raise source.place(lines.line_num).wrong(f"no CSV from here on: {err}") from None


def _message(draft: DraftThread, row: Row, places: dict[str, str]) -> DraftMessage:
    said = {what: row[name] for what, name in places.items()}
    rest = dict(said_of(row, *places.values()))
    told, author = said.get("role", ""), said.get("author", "") or None
    role = _ROLES.get((told or author or "").lower(), told or "user")
    if role != told and (known := told or (author if author and author.lower() in _ROLES else "")):
        rest["role"] = known
    if author and author.lower() in _ROLES:
        author = None
    ident = said.get("id") or None
    model = said.get("model") or None
    return DraftMessage(
        id=ident,
        role=role,
        content=said["text"],
        author=author,
        model=model if role == "assistant" else None,
        created_at=draft.time(ident, said, "time", rest, wall=True) if said.get("time") else None,
        metadata=rest,
    )
