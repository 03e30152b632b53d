"""What an entity has led to, and when: as the tables, present and past, say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.errors import UnknownTypeError
from ecsviz.storage.relational.past.history import both_of
from ecsviz.storage.relational.schema.arcs import Arc, Kind, by_field
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.mapping import ClassMap
from ecsviz.storage.spans import NEVER, Past, Reached, Span, joined, since_oldest

ROUNDS: Final = 12
"""How many references in a row are followed: so statements do not grow with what is stored."""


def past_of(conn: Connection, catalog: Catalog, ecs_id: UUID) -> Past:
    """Return what the tables say of the past of an entity, and of what it led to.

    Returns
    -------
    Past
        Without changes where the tables do not tell: something has no history, is of a type for
        which no class is defined here, or is more than `ROUNDS` references away.

    Notes
    -----
    Per reference in a row a statement per class and per field that holds several entities; all
    messages of a thread are one reference away. O(rows that ever spoke of what is reached).
    """
    oldest = catalog.oldest_revision(conn)
    begin: dict[tuple[str, int], list[Span]] = {}
    for name in catalog.mapping.stored:
        table = catalog.mapping.probe(name)
        for row_id, *span in zip(
            *both_of(conn, table, "ecs_id", [ecs_id], [table.c.id]), strict=True
        ):
            begin.setdefault((name, row_id), []).append(_span(*span))
    begin = {node: since_oldest(spans, oldest) for node, spans in begin.items()}
    there = joined([span for spans in begin.values() for span in spans])
    try:
        return Past(there, _changes(conn, catalog, begin))
    except UnknownTypeError:
        return Past(there, None)


def _span(since: int, until: int | None) -> Span:
    return since, NEVER if until is None else until


def _changes(
    conn: Connection, catalog: Catalog, begin: dict[tuple[str, int], list[Span]]
) -> set[int] | None:
    reached = Reached(begin)
    reading = _Reading(conn, catalog, reached)
    for _ in range(ROUNDS):
        fresh = reached.fresh()
        if not fresh:
            return reached.changes()
        ids: dict[str, list[int]] = {}
        for name, row_id in fresh:
            ids.setdefault(name, []).append(row_id)
        maps = catalog.classes_of(list(ids))
        if any(known.by_hand for known in maps):
            return None
        for known in maps:
            reading.read(known, sorted(ids[known.type_name]))
    return None if reached.fresh() else reached.changes()


@dataclass(slots=True)
class _Reading:
    """Reads the rows, present and past, of what is reached."""

    conn: Connection
    catalog: Catalog
    reached: Reached

    def read(self, known: ClassMap, ids: list[int]) -> None:
        """Read all that is said of some rows of a class, and what they refer to."""
        arcs = self.catalog.arcs_from(known)
        self._read(known, known.table.c.id, [a for a in arcs if a.kind is Kind.SINGLE], ids)
        for field in by_field(arc for arc in arcs if arc.has_table):
            self._read(known, field[0].owner, field, ids)
        for arc in arcs:
            if arc.kind is Kind.LIST:
                self._read_members(arc, ids)

    def _read(self, known: ClassMap, key: sa.Column[Any], arcs: list[Arc], ids: list[int]) -> None:
        """Read the rows of a table, and what they refer to by some arcs."""
        wanted = [key, *(arc.held for arc in arcs)]
        for row_id, *held, since, ended in zip(
            *both_of(self.conn, key.table, key.name, ids, wanted), strict=True
        ):
            node, (_, until) = (known.type_name, row_id), _span(since, ended)
            self.reached.say(node, since, until)
            for arc, other in zip(arcs, held, strict=True):
                if other is not None:
                    self.reached.refer(node, (arc.target, other), since, until)

    def _read_members(self, arc: Arc, ids: list[int]) -> None:
        """Read who stands in the lists of some rows; what they say of themselves is read later."""
        wanted = [arc.owner, arc.held, arc.position]
        rows = zip(*both_of(self.conn, arc.table, arc.owner.name, ids, wanted), strict=True)
        for row_id, member, place, since, until in rows:
            if place is not None:
                ends = (arc.source, row_id), (arc.target, member)
                self.reached.refer(*ends, *_span(since, until))
