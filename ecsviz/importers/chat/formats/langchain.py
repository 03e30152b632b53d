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

_DUMPED = ("Message", "MessageChunk")

_CLASSES = {
    "HumanMessage": "human",
    "AIMessage": "ai",
    "SystemMessage": "system",
    "ToolMessage": "tool",
    "FunctionMessage": "function",
    "ChatMessage": "chat",
}

_COLUMNS = ("id", "session_id", "message")


class LangChain(Claiming):
    """Reads ``{"type", "data": {"content", …}}``, a row or an item each; and dumps of messages.

    Notes
    -----
    A session is a thread; each message answers the one before it. A row's number is its
    message's id, since the messages' own ids may be missing or repeat. The table may have any
    name; it is known by its columns ``id``, ``session_id`` and ``message``. In dumps, messages are
    named by their class (``"lc": 1``), and may stand in a list ``messages`` of something else;
    nothing of them is made.
    """

    name = "langchain"
    title = "LangChain chat history (database or .json)"

    def claims(self, source: Source) -> Claim:
        """Tell whether there is such a table, or the first object is such a message."""
        if source.is_database:
            table = table_with(source, *_COLUMNS)
            return claim(table is not None, f"a table with {', '.join(_COLUMNS)}")
        item = source.first_item
        if any(is_dumped(each) for each in [item, *(_listed(item) or [])[:20]]):
            return Claim(1, "'lc', and a message's class")
        data = item.get("data")
        found = isinstance(item.get("type"), str) and isinstance(data, dict) and "content" in data
        return claim(found, "'type' and a 'content' inside 'data'")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every session."""
        if not source.is_database:
            for talk in source.talks("message"):
                bare = DraftThread()
                for place, value in talk:
                    with place.trying():
                        item = place.check(value, dict, "a message")
                        listed = _listed(item)
                        if listed is None:
                            bare.follow(message_of(bare, place, item))
                        else:
                            yield _dumped(place, item, listed)
                if bare.messages or bare.problems:
                    bare.settle()
                    yield bare
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


def is_dumped(value: object) -> bool:
    """Tell whether something is the dump of a message."""
    named = value.get("id") if isinstance(value, dict) and "lc" in value else None
    last = named[-1] if isinstance(named, list) and named else None
    return isinstance(last, str) and last.endswith(_DUMPED)


def _listed(item: dict[str, Any]) -> list[Any] | None:
    """Return the messages of what holds some, such as the state of a graph."""
    kwargs = item.get("kwargs")
    for holder in (item, kwargs if isinstance(kwargs, dict) else {}):
        listed = holder.get("messages")
        if isinstance(listed, list) and any(map(is_dumped, listed)):
            return listed
    return None


def _dumped(place: Place, item: dict[str, Any], listed: list[Any]) -> DraftThread:
    draft = DraftThread()
    draft.metadata = rest_of(item, "messages")
    if isinstance(item.get("kwargs"), dict):
        draft.metadata["kwargs"] = rest_of(item["kwargs"], "messages")
    draft.follow_each(place, listed, "message", message_of)
    draft.settle()
    return draft


def message_of(draft: DraftThread, place: Place, item: dict[str, Any]) -> DraftMessage:
    """Return the message of an item, or of the dump of one.

    Parameters
    ----------
    draft
        The thread, which is told what could not be placed.
    place
        Where the item stands.
    item
        ``{"type", "data"}``, or ``{"lc", "id", "kwargs"}``.
    """
    if "lc" not in item:
        return _message(draft, place, item, None)
    named, kwargs = place.take(item, "id", list) or [], place.take(item, "kwargs", dict) or {}
    kind = place.take(kwargs, "type", str) or _CLASSES.get(str(named[-1]) if named else "")
    return _message(draft, place, {"type": kind, "data": kwargs}, None)


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
        more = data.get("additional_kwargs")
        thought = more.get("reasoning_content") if isinstance(more, dict) else None
        thoughts = parts_of(thought, "thinking") if isinstance(thought, str) else []
        called = {part.call_id for part in said if part.kind == "tool_call"}
        calls = [
            call
            for key in ("tool_calls", "invalid_tool_calls")
            for call in calls_of(rest.pop(key, None) or [])
            if call.call_id not in called
        ]
        parts = thoughts + said + calls
    answer = data.get("response_metadata")
    counted = answer.get("token_usage") if isinstance(answer, dict) else None
    usage = data.get("usage_metadata") or counted
    return DraftMessage(
        id=ident,
        role=role,
        content=texts_of(said),
        parts=parts,
        tokens_in=tokens(usage, "input_tokens", "prompt_tokens"),
        tokens_out=tokens(usage, "output_tokens", "completion_tokens"),
        author=place.take(data, "name", str),
        model=_model(data),
        metadata=rest,
    )
