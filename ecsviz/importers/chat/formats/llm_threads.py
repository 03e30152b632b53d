"""The newer schema of ``llm``'s ``logs.db``: messages by their hash, threads by their tip."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

from ecsviz.domain.chat import MessagePart
from ecsviz.importers.chat.database_rows import Row, clean, grouped, parsed
from ecsviz.importers.chat.drafts import DraftMessage, DraftThread, as_json, one_line
from ecsviz.importers.chat.media import attached
from ecsviz.importers.chat.parts import parts_of, tokens
from ecsviz.importers.chat.source import Place, Source
from ecsviz.importers.chat.trees import Node, arrange, grow


def threads_of(connection: sqlite3.Connection, source: Source) -> Iterator[DraftThread]:
    """Yield a thread for every row of ``threads``; then those of messages that are in none.

    Parameters
    ----------
    connection
        An open connection to the file.
    source
        The file.

    Notes
    -----
    A message is stored once, whichever threads it is in: here each thread has its own, with all
    that leads to its tip and to the tips of its turns. So the part that a fork shares with its
    origin stands in both, with the same ``source_id``; ``metadata["forked_from"]`` names the
    origin. A turn stands in the metadata of the message that ends it. O(messages of all threads).
    """
    reader = _Messages(connection, source)
    turns = grouped(connection, source, "turns", "thread_id")
    used: set[str] = set()
    for place, row in source.rows(connection, "threads"):
        with place.trying():
            ident = place.ident(row, "id")
            draft = DraftThread(id=ident, title=place.take(row, "name", str) or "")
            draft.metadata = clean(row, "id", "name", "datetime_utc")
            draft.created_at = draft.time(None, row, "datetime_utc", draft.metadata)
            own = turns.pop(row.get("id"), [])
            tips = [row.get("tip_message_hash"), *(turn.get("tip_message_hash") for turn in own)]
            for tip in tips:
                if tip is not None and tip not in reader.rows:
                    draft.tell(None, "'tip_message_hash'", "not in the file")
            reader.fill(draft, place, reader.above(tips), _by_tip(own))
            used.update(message.id for message in draft.messages if message.id)
            draft.settle()
            yield draft
    lost = [turn for rows in turns.values() for turn in rows]
    yield from reader.roots_of(reader.above(key for key in reader.rows if key not in used), lost)


Ended = dict[Any, list[Row]]
"""The tip of a message → the turns that ended with it."""


def _by_tip(turns: list[Row]) -> Ended:
    ended: Ended = {}
    for turn in turns:
        ended.setdefault(turn.get("tip_message_hash"), []).append(turn)
    return ended


class _Messages:
    """All messages, with their parts and what is attached to those."""

    def __init__(self, connection: sqlite3.Connection, source: Source) -> None:
        self.rows: dict[str, Row] = {}
        for place, row in source.rows(connection, "messages"):
            with place.trying():
                if (key := place.ident(row, "hash")) is not None:
                    self.rows[key] = row
        self.number = {key: number for number, key in enumerate(self.rows)}
        self.place = source.place()
        self.parts = grouped(connection, source, "parts", "message_hash", "position")
        attachments = {row.get("id"): row for _, row in source.rows(connection, "attachments")}
        fragments = {row.get("id"): row for _, row in source.rows(connection, "fragments")}
        self.beside = [
            ("attachments", "part_attachments", "attachment_id", attachments),
            ("fragments", "part_fragments", "fragment_id", fragments),
        ]
        self.links = {
            table: grouped(connection, source, table, "part_id", "order")
            for _, table, _, _ in self.beside
        }

    def above(self, tips: Iterable[Any]) -> list[str]:
        """Return the messages that lead to some tips, as the file has them."""
        found: set[str] = set()
        for tip in tips:
            step = tip
            while isinstance(step, str) and step in self.rows and step not in found:
                found.add(step)
                step = self.rows[step].get("parent_hash")
        return sorted(found, key=self.number.__getitem__)

    def roots_of(self, keys: list[str], turns: list[Row]) -> Iterator[DraftThread]:
        """Yield a thread for every message among some that answers none of them."""
        inside = set(keys)
        above = {key: self.rows[key].get("parent_hash") for key in keys}
        parents = {key: up for key, up in above.items() if isinstance(up, str) and up in inside}
        top: dict[str, str] = {}
        groups: dict[str, list[str]] = {}
        for key, up in arrange(keys, parents, {}, lambda *_: None):  # `grow` tells of cycles
            top[key] = key if up is None else top[up]
            groups.setdefault(top[key], []).append(key)
        ended = _by_tip(turns)
        for first, group in groups.items():
            draft = DraftThread(id=f"message {first}", within="")
            self.fill(draft, self.place, sorted(group, key=self.number.__getitem__), ended)
            draft.settle()
            yield draft

    def fill(self, draft: DraftThread, place: Place, keys: list[str], ended: Ended) -> None:
        """Append messages, and put the turns that ended with them into their metadata."""
        nodes = []
        for key in keys:
            here = place.at("message", key)
            with here.trying():
                message = self._message(draft, here, key)
                for turn in ended.get(key, []):
                    message.model = here.take(turn, "resolved_model", str) or here.take(
                        turn, "model", str
                    )
                    if message.created_at is None:
                        message.created_at = draft.time(key, turn, "datetime_utc", message.metadata)
                    message.tokens_in = tokens(turn, "input_tokens")
                    message.tokens_out = tokens(turn, "output_tokens")
                    kept = clean(turn, "thread_id", "tip_message_hash", "parent_message_hash")
                    message.metadata.setdefault("turns", []).append(parsed(kept))
                nodes.append(Node(key, here.ident(self.rows[key], "parent_hash"), message))
        grow(draft, nodes, "parent_hash")
        if not draft.title:
            draft.title = next((one_line(m.content) for m in draft.messages if m.content), "")

    def _message(self, draft: DraftThread, place: Place, key: str) -> DraftMessage:
        row = self.rows[key]
        rest = clean(row, "hash", "parent_hash", "role")
        if "provider_metadata" in rest:
            rest["provider_metadata"] = as_json(rest["provider_metadata"])
        texts: list[str] = []
        parts: list[MessagePart] = []
        for part in self.parts.get(key, []):
            kept = clean(part, "id", "message_hash", "position")
            for name, table, other_id, other in self.beside:
                for link in self.links[table].get(part.get("id"), []):
                    found = other.get(link.get(other_id), {})
                    text = found.get("content") if name == "fragments" else None
                    if isinstance(text, str):
                        texts.append(text)
                        about: dict[str, Any] = {"fragment": clean(found, "content")}
                        parts.append(MessagePart(kind="text", text=text, metadata=about))
                    elif name == "attachments":
                        rest = clean(found, "content", "type", "path", "url")
                        where = found.get("path"), found.get("url")
                        parts.append(attached(*where, found.get("type"), more=rest))
            if part.get("type") == "text" and isinstance(part.get("text"), str):
                texts.append(part["text"])
            parts += _parts(kept)
        return DraftMessage(
            id=key,
            role=draft.role(key, place.take(row, "role", str)),
            content="\n".join(texts),
            parts=parts,
            metadata=rest,
        )


def _parts(row: Row) -> list[MessagePart]:
    """Return the parts of a row: a text, a thought, a call, a result; none of what is attached."""
    kind, payload = row.get("type"), as_json(row.get("payload"))
    rest = {name: value for name, value in row.items() if name not in ("tool_name", "payload")}
    if kind == "attachment" and not rest.keys() - {"type"} and payload is None:
        return []
    named = {} if row.get("tool_name") is None else {"name": row["tool_name"]}
    if isinstance(payload, dict):
        given = kind == "tool_call" and not {"arguments", "input"} & payload.keys()
        return parts_of([{**({"arguments": payload} if given else payload), **named, **rest}])
    told = {"tool_call": "arguments", "tool_result": "output"}.get(str(kind), "payload")
    return parts_of([{**rest, **named, **({} if payload is None else {told: payload})}])
