"""LangChain's chat histories: the table of ``SQLChatMessageHistory``, or a list in a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ecsviz.importers.chat.database_rows import clean, table_with
from ecsviz.importers.chat.drafts import (
    Claim,
    Claiming,
    DraftMessage,
    DraftThread,
    as_json,
    claim,
    rest_of,
)
from ecsviz.importers.chat.json_text import free_name
from ecsviz.importers.chat.parts import calls_of, parts_of, texts_of, tokens
from ecsviz.importers.chat.source import Place, Source

_ROLES = {
    "human": "user",
    "ai": "assistant",
    "AIMessageChunk": "assistant",
    "HumanMessageChunk": "user",
    "function": "tool",
}

_COLUMNS = ("id", "session_id", "message")


class LangChain(Claiming):
    """Reads ``{"type", "data": {"content", …}}``, a row or an item each.

    Notes
    -----
    A session is a thread; each message answers the one before it. A row's number is its
    message's id, since the messages' own ids may be missing or repeat. The table may have any
    name; it is known by its columns ``id``, ``session_id`` and ``message``.
    """

    name = "langchain"
    title = "LangChain chat history (database or .json)"

    def claims(self, source: Source) -> Claim:
        """Tell whether there is such a table, or the first object is such a message."""
        if source.is_database:
            table = table_with(source, *_COLUMNS)
            return claim(table is not None, f"a table with {', '.join(_COLUMNS)}")
        item = source.first_item
        data = item.get("data")
        found = isinstance(item.get("type"), str) and isinstance(data, dict) and "content" in data
        return claim(found, "'type' and a 'content' inside 'data'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every session."""
        if not source.is_database:
            draft = DraftThread()
            for place, value in source.items("message"):
                with place.trying():
                    item = place.check(value, dict, "a message")
                    draft.follow(_message(draft, place, item, None))
            draft.settle()
            yield draft
            return
        table = table_with(source, *_COLUMNS)
        if table is None:
            raise source.place().wrong(f"no table has the columns {', '.join(_COLUMNS)}")
        drafts: dict[str, DraftThread] = {}
        with source.place().trying(), source.database() as connection:
            for place, row in source.rows(connection, table, "id"):
                with place.trying():
                    session = place.ident(row, "session_id") or ""
                    draft = drafts.setdefault(session, DraftThread(id=session or None))
                    draft.follow(_of_row(draft, place, row))
        for draft in drafts.values():
            draft.settle()
            yield draft


def _model(data: dict[str, Any]) -> str | None:
    """Return the model that an answer says it is of."""
    told = data.get("response_metadata")
    if isinstance(told, dict):
        for key in ("model_name", "model", "model_id"):
            if isinstance(found := told.get(key), str) and found:
                return found
    return None


def _of_row(draft: DraftThread, place: Place, row: dict[str, Any]) -> DraftMessage:
    value = place.check(as_json(row["message"]), dict, "'message'")
    message = _message(draft, place, value, place.ident(row, "id"))
    for key, item in clean(row, *_COLUMNS, "created_at").items():
        message.metadata[free_name(message.metadata, key)] = item
    message.created_at = draft.time(message.id, row, "created_at", message.metadata)
    return message


def _message(
    draft: DraftThread, place: Place, item: dict[str, Any], ident: str | None
) -> DraftMessage:
    data = place.take(item, "data", dict) or {}
    rest = rest_of(item, "type", "data")
    inner = rest_of(data, "content", "type", "name", "role")
    own = place.take(data, "id", str)
    if ident is None:
        ident = own or None
        inner.pop("id", None)
    rest |= {key: value for key, value in inner.items() if value not in (None, {}, [], False)}
    kind = draft.role(ident, place.take(item, "type", str))
    role = place.take(data, "role", str) or _ROLES.get(kind, kind)
    if kind != role:
        rest["type"] = kind
    said = parts_of(data.get("content"))
    if role == "tool":
        told = ("content", "tool_call_id", "name", "artifact")
        result = {key: data[key] for key in told if data.get(key) is not None}
        parts = parts_of({"type": "tool_result", **result})
        rest = {key: value for key, value in rest.items() if key not in told}
    else:
        called = {part.call_id for part in said if part.kind == "tool_call"}
        calls = [
            call for call in calls_of(data.get("tool_calls") or []) if call.call_id not in called
        ]
        rest.pop("tool_calls", None)
        parts = said + calls
    usage = data.get("usage_metadata")
    return DraftMessage(
        id=ident,
        role=role,
        content=texts_of(said),
        parts=parts,
        tokens_in=tokens(usage, "input_tokens"),
        tokens_out=tokens(usage, "output_tokens"),
        author=place.take(data, "name", str),
        model=_model(data),
        metadata=rest,
    )
