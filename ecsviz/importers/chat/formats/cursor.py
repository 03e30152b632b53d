"""Chats of the editor Cursor: its database ``state.vscdb``."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from ecsviz.domain.chat import MessagePart
from ecsviz.importers.chat.drafts import (
    NO_CLAIM,
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
from ecsviz.importers.chat.media import attached
from ecsviz.importers.chat.parts import parts_of, texts_of, tokens
from ecsviz.importers.chat.source import Place, Source

_CHATS, _BUBBLES, _TABS, _ALL = (
    "composerData:",
    "bubbleId:",
    "workbench.panel.aichat.view.aichat.chatdata",
    "composer.composerData",
)
"""The keys of rows: a chat, a message, the chats of early versions, the chats of a folder."""

_TABLES = ("cursorDiskKV", "ItemTable")

_ROLES = {"1": "user", "2": "assistant", "ai": "assistant"}

_CONVERSATION = ("fullConversationHeadersOnly", "conversation", "conversationMap", "bubbles")


class Cursor(Claiming):
    """Reads the rows of chats (``composerData:…``) and their messages (``bubbleId:…``).

    Notes
    -----
    A chat lists its messages, each of which answers the one before it. Rows of messages that no
    chat lists any more, chats without messages, and what else the editor keeps, are counted. The
    chats of early versions stand in one row.
    """

    name = "cursor"
    title = "Cursor's state.vscdb (database)"

    def claims(self, source: Source) -> Claim:
        """Tell whether there is the editor's own table, or a row of chats."""
        if source.has_table("cursorDiskKV", "key", "value"):
            return Claim(1, "a table 'cursorDiskKV'")
        if not source.has_table("ItemTable", "key", "value"):
            return NO_CLAIM
        with source.database() as connection:
            query = "SELECT 1 FROM main.ItemTable WHERE key IN (?, ?)"
            found = connection.execute(query, (_TABS, _ALL)).fetchone()
        return claim(found, "a row of Cursor's chats")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every chat with messages."""
        chats: list[tuple[Place, dict[str, Any]]] = []
        bubbles: dict[str, dict[str, tuple[Place, Any]]] = {}
        with source.place().trying(), source.database() as connection:
            for place, key, value in _rows(source, connection):
                if key.startswith(_BUBBLES):
                    chat, _, bubble = key.removeprefix(_BUBBLES).partition(":")
                    bubbles.setdefault(chat, {})[bubble] = place, value
                    continue
                with place.trying():
                    if not key.startswith((_CHATS, _TABS, _ALL)):
                        source.leave(f"rows {key.partition(':')[0]!r}", "no chats")
                    else:
                        chats += _chats(place, key, place.check(_parsed(value), dict, "the value"))
        for place, item in chats:
            with place.trying():
                ident = place.ident(item, "composerId") or place.ident(item, "tabId")
                draft = _thread(place, ident, item, bubbles.pop(ident or "", {}), source)
                if draft.messages or draft.problems:
                    yield draft
                else:
                    source.leave("a chat", "has no messages")
        for rows in bubbles.values():
            for _ in rows:
                source.leave("a message", "no chat lists it")


def _rows(source: Source, connection: sqlite3.Connection) -> Iterator[tuple[Place, str, Any]]:
    for table in _TABLES:
        if source.has_table(table, "key", "value"):
            for place, row in source.rows(connection, table, "key"):
                yield place, str(row["key"]), row["value"]


def _parsed(value: Any) -> Any:
    return as_json(value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value)


def _chats(place: Place, key: str, value: dict[str, Any]) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Yield the chats of a row, with a place each."""
    word_of = {_TABS: "tabs", _ALL: "allComposers"}
    if key.startswith(_CHATS):
        yield place, {"composerId": key.removeprefix(_CHATS), **value}
        return
    for number, raw in enumerate(place.take(value, word_of[key], list) or [], 1):
        here = place.at("chat", number)
        with here.trying():
            yield here, here.check(raw, dict, "it")


def _thread(
    place: Place,
    ident: str | None,
    item: dict[str, Any],
    bubbles: dict[str, tuple[Place, Any]],
    source: Source,
) -> DraftThread:
    draft = DraftThread(id=ident, title=word(item, "name", "chatTitle") or "")
    rest = said_of(item, "composerId", "tabId", "name", "chatTitle", *_CONVERSATION)
    draft.metadata = said_of(rest, "createdAt", "lastUpdatedAt")
    draft.created_at = draft.time(None, rest, "createdAt", draft.metadata)
    draft.updated_at = draft.time(None, rest, "lastUpdatedAt", draft.metadata)
    listed: list[Any] = []
    for key in _CONVERSATION:
        found = item.get(key)
        listed = listed or (list(found.values()) if isinstance(found, dict) else found) or []
    known = place.check(listed, list, "the conversation")
    for number, raw in enumerate(known, 1):
        here = place.at("message", number)
        with here.trying():
            head = here.check(raw, dict, "it")
            bubble = bubbles.pop(here.ident(head, "bubbleId") or "", None)
            if bubble is not None:
                here, value = bubble
                head = {**head, **here.check(_parsed(value), dict, "the value")}
            elif head.keys() <= {"bubbleId", "type", "serverBubbleId", "grouping"}:
                draft.tell(here.ident(head, "bubbleId"), "a message", "has no row in the file")
            draft.follow(_message(draft, here, head))
    for _ in bubbles:
        source.leave("a message", "no chat lists it")
    config = item.get("modelConfig")
    for message in draft.messages:
        if message.role == "assistant" and message.model is None:
            message.model = word(config, "modelName")
    draft.settle()
    return draft


def _message(draft: DraftThread, place: Place, item: dict[str, Any]) -> DraftMessage:
    ident = place.ident(item, "bubbleId")
    kind = item.get("type")
    role = draft.role(ident, str(kind) if isinstance(kind, int | str) else None)
    placed = ("bubbleId", "type", "text", "thinking", "toolFormerData", "createdAt", "images")
    rest = said_of(item, *placed)
    parts: list[MessagePart] = []
    thought = item.get("thinking")
    if isinstance(thought, dict):
        parts += parts_of([{"type": "thinking", **thought}])
    elif isinstance(thought, str):
        parts += parts_of(thought, "thinking")
    parts += parts_of(place.take(item, "text", str))
    parts += _tool(place.take(item, "toolFormerData", dict) or {})
    for each in place.take(item, "images", list) or []:
        about = each if isinstance(each, dict) else {"path": each}
        name = word(about, "path", "name", "uuid")
        parts.append(attached(name, about.get("url"), kind="image", more=said_of(about, "path")))
    context = item.get("context")
    for each in dicts(context.get("fileSelections")) if isinstance(context, dict) else []:
        parts.append(attached(word(each.get("uri"), "fsPath", "path")))
    count = item.get("tokenCount")
    return DraftMessage(
        id=ident,
        role=_ROLES.get(role, role),
        content=texts_of(parts),
        parts=parts,
        model=word(item.get("modelInfo"), "modelName") or word(item, "modelType"),
        created_at=_time(draft, ident, item, rest),
        tokens_in=tokens(count, "inputTokens"),
        tokens_out=tokens(count, "outputTokens"),
        metadata=rest,
    )


def _time(draft: DraftThread, ident: str | None, item: dict[str, Any], rest: dict[str, Any]) -> Any:
    timing = item.get("timingInfo")
    if item.get("createdAt") is None and isinstance(timing, dict):
        return draft.time(ident, timing, "clientStartTime", {})
    return draft.time(ident, item, "createdAt", rest)


def _tool(told: dict[str, Any]) -> list[MessagePart]:
    """Return the parts of a call, and of its result if there is one."""
    if not told:
        return []
    call = said_of(told, "rawArgs", "params", "result", "toolCallId", "tool", "name")
    named = {"name": word(told, "name") or str(told.get("tool")), "id": told.get("toolCallId")}
    arguments = as_json(told.get("rawArgs") or told.get("params"))
    parts = parts_of([{**call, **named, "type": "tool_call", "arguments": arguments}])
    if told.get("result") not in (None, ""):
        result = as_json(told["result"])
        parts += parts_of([{**named, "type": "tool_result", "output": result}])
    return parts
