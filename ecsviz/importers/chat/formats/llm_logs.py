"""The database in which the command line tool ``llm`` logs: ``logs.db``, old schema and new."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from ecsviz.domain.chat import MessagePart
from ecsviz.importers.chat.database_rows import Row, clean, grouped, parsed
from ecsviz.importers.chat.drafts import (
    Claim,
    Claiming,
    DraftMessage,
    DraftThread,
    as_json,
    claim,
)
from ecsviz.importers.chat.formats.llm_threads import threads_of
from ecsviz.importers.chat.media import attached
from ecsviz.importers.chat.parts import parts_of, speaker, tokens
from ecsviz.importers.chat.source import Place, Source

_PROMPT = ("prompt", "system", "prompt_json", "options_json", "schema_id")
"""What of a response belongs to the question; the rest belongs to the answer."""


class LLM(Claiming):
    """Reads conversations of responses (the old schema), and threads of messages (the new one).

    Notes
    -----
    The old schema: a response is a question and an answer; a system's prompt is a message of its
    own where it is not that of the response before. Responses without a conversation are a thread
    each. Before there were conversations, all stood in one table, ``log``. The new schema: see
    `threads_of`. A database that has moved on from one to the other may hold both. What was
    attached, fragments, calls of tools and their results are parts, and the tools that there were
    stand in the metadata; the bytes of attachments are left out.
    """

    name = "llm"
    title = "llm's logs.db (database)"

    def claims(self, source: Source) -> Claim:
        """Tell whether the tables of either schema are there."""
        found = (
            source.has_table("responses", "id", "prompt", "response", "model")
            or source.has_table("log", "prompt", "response", "model")
            or (
                source.has_table("messages", "hash", "parent_hash", "role")
                and source.has_table("threads", "id", "tip_message_hash")
            )
        )
        return claim(found, "the tables of llm's logs")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield the threads of the old schema, then those of the new one."""
        with source.database() as connection:
            yield from _responses(connection, source)
            if source.has_table("messages", "hash", "parent_hash", "role"):
                yield from threads_of(connection, source)


def _responses(connection: sqlite3.Connection, source: Source) -> Iterator[DraftThread]:
    conversations: dict[str | None, Row] = {}
    for place, row in source.rows(connection, "conversations"):
        with place.trying():
            conversations[place.ident(row, "id")] = row
    beside = _Beside(connection, source)
    drafts: dict[str, DraftThread] = {}
    last_system: dict[str, str] = {}
    for table, when in (("log", "timestamp"), ("responses", "datetime_utc")):
        for number, (place, row) in enumerate(source.rows(connection, table), 1):
            with place.trying():
                ident = place.ident(row, "id") or f"{table} {number}"
                conversation = place.ident(row, "conversation_id")
                key = conversation or f"response {ident}"
                if table == "log":  # a chat goes by the number of its first row, which names none
                    key = f"log {place.ident(row, 'chat_id') or ident}"
                if key not in drafts:
                    drafts[key] = _thread(place, key, conversations.pop(conversation, {}))
                _exchange(drafts[key], place, ident, row, when, beside, last_system, key)
    for empty, row in conversations.items():  # those without a response
        if empty is not None:
            with source.place().trying():
                drafts[empty] = _thread(source.place(), empty, row)
    for draft in drafts.values():
        draft.settle()
        yield draft


def _thread(place: Place, key: str, conversation: Row) -> DraftThread:
    draft = DraftThread(id=key)
    draft.title = place.take(conversation, "name", str) or ""
    draft.metadata = clean(conversation, "id", "name")
    return draft


def _exchange(
    draft: DraftThread,
    place: Place,
    ident: str,
    row: Row,
    when: str,
    beside: _Beside,
    last_system: dict[str, str],
    key: str,
) -> None:
    """Append the question and the answer of a response."""
    system = place.take(row, "system", str) or ""
    kept = {name: value for name, value in clean(row).items() if name in _PROMPT[2:]}
    if system and system != last_system.get(key):
        draft.follow(DraftMessage(id=f"{ident}/system", role="system", content=system))
    last_system[key] = system
    prompt, asked = place.take(row, "prompt", str) or "", beside.of_prompt(ident)
    parts = parts_of(prompt) + parts_beside(asked)
    draft.follow(
        DraftMessage(
            id=f"{ident}/prompt",
            role=speaker("user", parts),
            content=prompt,
            parts=parts,
            metadata=parsed(kept) | asked,
        )
    )
    placed = ("response", "reasoning", "model", "conversation_id", "chat_id", when)
    rest = parsed(clean(row, "id", *_PROMPT, *placed))
    response, answered = place.take(row, "response", str) or "", beside.of_response(ident)
    thoughts = parts_of(place.take(row, "reasoning", str), "thinking")
    answer = DraftMessage(
        id=f"{ident}/response",
        role="assistant",
        content=response,
        parts=thoughts + parts_of(response) + parts_beside(answered),
        model=place.take(row, "model", str),
        tokens_in=tokens(row, "input_tokens"),
        tokens_out=tokens(row, "output_tokens"),
        metadata=rest | answered,
    )
    answer.created_at = draft.time(answer.id, row, when, answer.metadata)
    draft.follow(answer)


def parts_beside(told: dict[str, list[Row]]) -> list[MessagePart]:
    """Take what is a message's part out of what other tables say of it, and return the parts.

    Parameters
    ----------
    told
        By the names of tables, the rows.
    """
    parts: list[MessagePart] = []
    for row in told.pop("fragments", []):
        rest = {key: value for key, value in row.items() if key != "content"}
        text = row.get("content")
        parts.append(attached(row.get("source"), kind="file", text=str(text or ""), more=rest))
    for row in told.pop("attachments", []):
        about = ("type", "path", "url")
        rest = {key: value for key, value in row.items() if key not in about}
        parts.append(attached(row.get("path"), row.get("url"), row.get("type"), more=rest))
    for name, kind in (("tool_calls", "tool_call"), ("tool_results", "tool_result")):
        for row in told.pop(name, []):
            block = {key: as_json(value) for key, value in row.items() if key != "tool_id"}
            parts += parts_of([{**block, "type": kind}])
    return parts


class _Beside:
    """What other tables say of a response."""

    def __init__(self, connection: sqlite3.Connection, source: Source) -> None:
        def by_response(table: str, order: str = "rowid") -> dict[Any, list[Row]]:
            return grouped(connection, source, table, "response_id", order)

        def by_id(table: str) -> dict[Any, Row]:
            return {row.get("id"): row for _, row in source.rows(connection, table)}

        attachments = by_id("attachments")
        for row in attachments.values():
            content = row.pop("content", None)
            if isinstance(content, bytes):
                source.leave("attachments", "the bytes of what was attached")
                row["bytes"] = len(content)
        fragments, tools = by_id("fragments"), by_id("tools")
        self._prompt = [
            (
                "attachments",
                by_response("prompt_attachments", "order"),
                "attachment_id",
                attachments,
            ),
            ("fragments", by_response("prompt_fragments", "order"), "fragment_id", fragments),
            (
                "system_fragments",
                by_response("system_fragments", "order"),
                "fragment_id",
                fragments,
            ),
            ("tools", by_response("tool_responses"), "tool_id", tools),
            ("tool_results", by_response("tool_results"), "tool_id", tools),
        ]
        self._response = [("tool_calls", by_response("tool_calls"), "tool_id", tools)]

    def of_prompt(self, ident: str) -> dict[str, Any]:
        return _joined(self._prompt, ident)

    def of_response(self, ident: str) -> dict[str, Any]:
        return _joined(self._response, ident)


def _joined(
    tables: list[tuple[str, dict[Any, list[Row]], str, dict[Any, Row]]], ident: str
) -> dict[str, Any]:
    return {
        name: [
            clean(other.get(row.get(key), {}), "id") | clean(row, "response_id", "order", "id")
            for row in rows[ident]
        ]
        for name, rows, key, other in tables
        if ident in rows
    }
