"""The sessions that OpenAI's Agents SDK keeps in SQLite, plain and with branches."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from ecsviz.errors import short_repr
from ecsviz.importers.chat.database_rows import Row, clean, grouped, table_with
from ecsviz.importers.chat.drafts import Claim, Claiming, DraftMessage, DraftThread, as_json, claim
from ecsviz.importers.chat.formats.openai_messages import message_of
from ecsviz.importers.chat.json_text import free_name
from ecsviz.importers.chat.parts import tokens
from ecsviz.importers.chat.source import Place, Source
from ecsviz.importers.chat.trees import Node, grow

_COLUMNS = ("id", "session_id", "message_data")

_STRUCTURE = "message_structure"


class OpenAIAgents(Claiming):
    """Reads the items of every session.

    Notes
    -----
    A row's number is its message's id. Without branches, each item answers the one before it in
    its session. With them (``message_structure``), it answers the one before it in its branch;
    the branches that hold an item stand in its metadata, and the tokens of a turn with its last
    answer. The tables may have any name; that of
    the items is known by its columns.
    """

    name = "openai-agents"
    title = "OpenAI Agents SDK sessions (database)"

    def claims(self, source: Source) -> Claim:
        """Tell whether there is a table of items."""
        found = table_with(source, *_COLUMNS) is not None
        return claim(found, f"a table with {', '.join(_COLUMNS)}")

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield a thread for every session, also for those without items."""
        table = table_with(source, *_COLUMNS)
        if table is None:
            raise source.place().wrong(f"no table has the columns {', '.join(_COLUMNS)}")
        drafts: dict[str | None, DraftThread] = {}
        nodes: dict[str | None, list[Node]] = {}
        branches: dict[str | None, Structure] = {}  # also where the database breaks off
        with source.place().trying(), source.database() as connection:
            sessions = table_with(source, "session_id", "created_at", "updated_at", without=["id"])
            for place, row in source.rows(connection, sessions or ""):
                with place.trying():
                    ident = place.ident(row, "session_id")
                    draft = drafts.setdefault(ident, DraftThread(id=ident))
                    draft.metadata = clean(row, "session_id", "created_at", "updated_at")
                    draft.created_at = draft.time(None, row, "created_at", draft.metadata)
                    draft.updated_at = draft.time(None, row, "updated_at", draft.metadata)
            branches = _branches(connection, source)
            for place, row in source.rows(connection, table, "id"):
                with place.trying():
                    session = place.ident(row, "session_id")
                    draft = drafts.setdefault(session, DraftThread(id=session))
                    message = _message(draft, place, row)
                    listed = nodes.setdefault(session, [])
                    above = listed[-1].id if listed else None
                    if (known := branches.get(session)) is not None:
                        above = _above(draft, known, message.id, message.metadata)
                    listed.append(Node(message.id, above, message))
            for session, usage in grouped(connection, source, "turn_usage", "session_id").items():
                if session in drafts:
                    drafts[session].metadata["turn_usage"] = [
                        clean(row, "id", "session_id") for row in usage
                    ]
        for session, draft in drafts.items():
            grow(draft, nodes.get(session, []))
            _credit(draft, branches.get(session, {}))
            draft.settle()
            yield draft


def _message(draft: DraftThread, place: Place, row: Row) -> DraftMessage:
    ident = place.ident(row, "id")
    value = place.check(as_json(row["message_data"]), dict, "'message_data'")
    message = message_of(draft, place, value, ident)
    for key, item in clean(row, *_COLUMNS, "created_at").items():
        message.metadata[free_name(message.metadata, key)] = item
    if message.created_at is None:
        message.created_at = draft.time(ident, row, "created_at", message.metadata)
    return message


Structure = dict[str, list[tuple[str | None, Row]]]
"""Item → for each branch that holds it: the item before it there, and the row."""


def _branches(connection: sqlite3.Connection, source: Source) -> dict[str | None, Structure]:
    """Return, for each session, where its items stand in the branches."""
    found: dict[str | None, Structure] = {}
    if not source.has_table(_STRUCTURE, "session_id", "message_id", "branch_id"):
        return found
    last: dict[tuple[str | None, str | None], str | None] = {}
    for place, row in source.rows(connection, _STRUCTURE, "sequence_number"):
        with place.trying():
            session, item = place.ident(row, "session_id"), place.ident(row, "message_id")
            if item is None:
                continue
            branch = session, place.ident(row, "branch_id")
            known = found.setdefault(session, {})
            known.setdefault(item, []).append((last.get(branch), row))
            last[branch] = item
    return found


def _above(
    draft: DraftThread, known: Structure, ident: str | None, rest: dict[str, object]
) -> str | None:
    """Return what an item answers, and keep what its branches say of it."""
    places = known.get(ident or "", [])
    if not places:
        draft.tell(ident, "its place in a branch", "not in the file; kept as a root")
        return None
    rest["branches"] = [clean(row, "id", "session_id", "message_id") for _, row in places]
    first = places[0][0]
    for other, row in places[1:]:
        if other != first:
            branch = short_repr(row.get("branch_id"))
            draft.tell(ident, f"parent in branch {branch}", "is another; kept under the first")
    return first


def _credit(draft: DraftThread, known: Structure) -> None:
    """Give the last answer of each turn the tokens that the turn took."""
    said = {message.id: message for message in draft.messages}
    last: dict[tuple[str, str], DraftMessage] = {}
    for ident, places in known.items():
        message = said.get(ident)
        for _, row in places:
            if message is not None and message.role == "assistant":
                last[_turn(row)] = message
    for row in draft.metadata.get("turn_usage", []):
        answer = last.get(_turn(row))
        if answer is not None:
            answer.tokens_in = tokens(row, "input_tokens")
            answer.tokens_out = tokens(row, "output_tokens")


def _turn(row: Row) -> tuple[str, str]:
    return str(row.get("branch_id")), str(row.get("user_turn_number"))
