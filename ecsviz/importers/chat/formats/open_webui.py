"""Open WebUI: its export of chats, and its database ``webui.db``."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from ecsviz.domain.chat import MessagePart
from ecsviz.importers.chat.database_rows import Row, grouped
from ecsviz.importers.chat.drafts import (
    Claim,
    Claiming,
    DraftMessage,
    DraftThread,
    as_json,
    claim,
    dicts,
    said_of,
    word,
)
from ecsviz.importers.chat.identity import is_unique
from ecsviz.importers.chat.media import attached
from ecsviz.importers.chat.parts import parts_of, texts_of, tokens
from ecsviz.importers.chat.source import Place, Source
from ecsviz.importers.chat.tagged import tagged_parts
from ecsviz.importers.chat.trees import Node, grow

_PLACED = frozenset(
    {
        *("id", "parentId", "childrenIds", "role", "content", "output", "model", "timestamp"),
        *("files", "error"),
    }
)

_COLUMNS = {
    "parent_id": "parentId",
    "model_id": "model",
    "status_history": "statusHistory",
    "context_summary": "contextSummary",
    "created_at": "timestamp",
}
"""What a row's columns are called in an export."""

_JSON = ("content", "output", "files", "sources", "embeds", "meta", "statusHistory", "usage")


class OpenWebUI(Claiming):
    """Reads ``[{"id", "title", "chat": {"history": {"messages": {…}}}}]``, or the table of such.

    Notes
    -----
    All branches are read; the one that is shown is marked. In a database, messages that have rows
    of their own are taken from there where the chat itself has them not; channels, in which people
    talk, are threads whose messages answer what they say they do.
    """

    name = "open-webui"
    title = "Open WebUI export (.json) or database (webui.db)"

    def claims(self, source: Source) -> Claim:
        """Tell whether a chat has a history of messages by their ids, or there is such a table."""
        if source.is_database:
            found = source.has_table("chat", "id", "user_id", "title", "chat", "share_id")
            return claim(found, "a table 'chat' with 'chat' and 'share_id'")
        found = _history(source.first_item) is not None
        return claim(found, "a 'history' with 'messages' by their ids")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every chat, and for every channel of a database."""
        if not source.is_database:
            for place, value in source.items("chat"):
                with place.trying():
                    yield _thread(place, place.check(value, dict, "a chat"), [])
            return
        with source.place().trying(), source.database() as connection:
            own = grouped(connection, source, "chat_message", "chat_id")
            for place, row in source.rows(connection, "chat"):
                with place.trying():
                    chat = row | {key: as_json(row.get(key)) for key in ("chat", "meta")}
                    place.check(chat["chat"], dict, "'chat'")
                    yield _thread(place, chat, own.get(row.get("id"), []))
            yield from _channels(source, connection)


def _history(item: dict[str, Any]) -> dict[str, Any] | None:
    """Return the messages of a chat by their ids; of its own, where it is not wrapped."""
    chat = item.get("chat", item)
    history = chat.get("history") if isinstance(chat, dict) else None
    found = history.get("messages") if isinstance(history, dict) else None
    return found if isinstance(found, dict) else None


def _thread(place: Place, item: dict[str, Any], rows: list[Row]) -> DraftThread:
    chat = place.take(item, "chat", dict) if "chat" in item else item
    chat = chat or {}
    ident, user = place.ident(item, "id"), place.ident(item, "user_id")
    draft = DraftThread(id=ident, title=word(item, "title") or word(chat, "title") or "")
    draft.within = None if ident and is_unique(ident) else user
    draft.metadata = said_of(item, "id", "title", "chat", "created_at", "updated_at")
    if chat is not item:
        inner = said_of(chat, "id", "title", "history", "messages", "timestamp")
        draft.metadata |= {"chat": inner} if inner else {}
    draft.metadata = {k: v for k, v in draft.metadata.items() if k not in ("history", "messages")}
    draft.created_at = draft.time(None, item, "created_at", draft.metadata)
    draft.created_at = draft.created_at or draft.time(None, chat, "timestamp", draft.metadata)
    draft.updated_at = draft.time(None, item, "updated_at", draft.metadata)
    history = place.take(chat, "history", dict) or {}
    if shown := word(history, "currentId") or word(item, "current_message_id"):
        draft.metadata["current_node"] = shown
    nodes: dict[str, Node] = {}
    found = list((place.take(history, "messages", dict) or {}).items())
    found += [(f"#{n}", each) for n, each in enumerate(place.take(chat, "messages", list) or [])]
    found += [_of_row(row, ident) for row in rows]
    for key, raw in found:
        here = place.at("message", key)
        with here.trying():
            said = here.check(raw, dict, "it")
            own = here.ident(said, "id") or key
            if own not in nodes:
                message = _message(draft, here, own, said)
                nodes[own] = Node(own, here.ident(said, "parentId"), message)
    grow(draft, list(nodes.values()), "parentId")
    draft.settle()
    return draft


def _of_row(row: Row, chat: str | None) -> tuple[str, dict[str, Any]]:
    """Return a message as an export has it, of its row."""
    said = {_COLUMNS.get(key, key): value for key, value in row.items() if value is not None}
    said |= {key: as_json(said[key]) for key in _JSON if key in said}
    key = str(said.pop("id", "")).removeprefix(f"{chat}-")
    return key, {k: v for k, v in said.items() if k not in ("chat_id", "user_id")} | {"id": key}


def _message(draft: DraftThread, place: Place, ident: str, item: dict[str, Any]) -> DraftMessage:
    rest = {k: v for k, v in said_of(item, *_PLACED).items() if (k, v) != ("done", True)}
    output = dicts(item.get("output"))
    parts = [part for each in output for part in _item_parts(each)] or _said(item.get("content"))
    text = texts_of(parts)
    parts += [_file(each) for each in place.take(item, "files", list) or []]
    for each in dicts(item.get("sources") or item.get("citations")):
        about = each.get("source")
        name = word(about, "name", "id")
        parts.append(MessagePart(kind="citation", name=name, url=word(about, "url")))
    if failed := item.get("error"):
        told = failed if isinstance(failed, str) else word(failed, "content", "message", "detail")
        data = None if told else failed
        parts.append(MessagePart(kind="other", text=told or "error", data=data))
    info = item.get("info")
    usage = item.get("usage") or (info.get("usage") or info if isinstance(info, dict) else None)
    role = draft.role(ident, place.take(item, "role", str))
    return DraftMessage(
        id=ident,
        role=role,
        content=text,
        parts=parts,
        model=place.take(item, "model", str),
        created_at=draft.time(ident, item, "timestamp", rest),
        tokens_in=_first(usage, "input_tokens", "prompt_tokens", "prompt_eval_count"),
        tokens_out=_first(usage, "output_tokens", "completion_tokens", "eval_count"),
        metadata=rest,
    )


def _file(raw: object) -> MessagePart:
    told = raw if isinstance(raw, dict) else {"id": raw}
    inner = told.get("file")
    name = word(told, "name", "id") or word(inner, "filename")
    mime = word(told, "content_type")
    if mime is None and isinstance(inner, dict):
        mime = word(inner.get("meta"), "content_type")
    kind = "image" if told.get("type") == "image" else None
    return attached(name, told.get("url"), mime, kind, more=said_of(told, "type", "name", "url"))


def _first(usage: object, *keys: str) -> int | None:
    found = (tokens(usage, key) for key in keys)
    return next((each for each in found if each is not None), None)


def _said(content: object) -> list[MessagePart]:
    return tagged_parts(content) if isinstance(content, str) else parts_of(content)


def _item_parts(item: dict[str, Any]) -> list[MessagePart]:
    """Return the parts of an item of what a model put out."""
    kind = item.get("type")
    if kind == "message":
        return parts_of(item.get("content"))
    if kind == "reasoning":
        text = texts_of(parts_of(item.get("content") or item.get("summary")))
        return [MessagePart(kind="thinking", text=text)] if text else []
    if kind == "open_webui:code_interpreter":
        code = MessagePart(kind="code", text=word(item, "code") or "", mime=word(item, "lang"))
        told = item.get("output")
        return [code, *(parts_of({"type": "tool_result", "output": told}) if told else [])]
    return parts_of(said_of(item, "status", "id" if "call_id" in item else ""))


def _channels(source: Source, connection: sqlite3.Connection) -> Iterator[DraftThread]:
    """Yield the talks of people in channels."""
    if not source.has_table("message", "id", "channel_id", "user_id", "content"):
        return
    names = {row.get("id"): row.get("name") for _, row in source.rows(connection, "user")}
    said = grouped(connection, source, "message", "channel_id", "created_at")
    for place, row in source.rows(connection, "channel"):
        with place.trying():
            ident = place.ident(row, "id")
            draft = DraftThread(id=ident, title=word(row, "name") or "")
            draft.metadata = said_of(row, "id", "name", "created_at", "updated_at")
            nodes: list[Node] = []
            for each in said.get(ident, []):
                message = _of_channel(draft, place, each, names)
                nodes.append(Node(message.id, word(each, "parent_id", "reply_to_id"), message))
            grow(draft, nodes, "parent_id")
            draft.settle()
            yield draft


def _of_channel(draft: DraftThread, place: Place, row: Row, names: dict[Any, Any]) -> DraftMessage:
    ident, name = place.ident(row, "id"), names.get(row.get("user_id"))
    rest = said_of(row, "id", "channel_id", "content", "created_at", "parent_id", "reply_to_id")
    when = row.get("created_at")  # in nanoseconds
    seconds = when / 1e9 if isinstance(when, int) and when > 10**15 else when
    return DraftMessage(
        id=ident,
        role="user",
        content=word(row, "content") or "",
        author=name if isinstance(name, str) and name else place.ident(row, "user_id"),
        created_at=draft.time(ident, {"created_at": seconds}, "created_at", rest),
        metadata=rest,
    )
