"""The history of one entity: its versions, and which fields each of them changed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.storage.relational.schema.arcs import Arc, Kind, arcs_in, by_field
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.history_tables import REVISION, UNTIL, history_of
from ecsviz.storage.relational.schema.mapping import ClassMap
from ecsviz.storage.reports import Event, Moments, events_in_order
from ecsviz.storage.sql.driver_values import read_exact
from ecsviz.storage.sql.statements import columns_of, key_condition


def moments_of(conn: Connection, catalog: Catalog) -> Moments:
    """Return the times and notes of all revisions."""
    c = catalog.revisions.c
    rows = columns_of(conn, sa.select(c.number, c.created_at, c.note))
    return {number: (at, note) for number, at, note in zip(*rows, strict=True)}


def events_of(conn: Connection, catalog: Catalog, ecs_id: UUID) -> list[Event]:
    """Return what happened to an entity, oldest first; empty if it was never stored.

    Notes
    -----
    A statement per type until it is found, and one per field that holds several entities.
    O(rows that ever spoke of it).
    """
    for name in catalog.mapping.stored:
        table = catalog.mapping.probe(name)
        if both_of(conn, table, "ecs_id", [ecs_id], [table.c.id])[0]:
            return _Timeline(conn, catalog, catalog.classes_of([name])[0], ecs_id).events()
    return []


def first_revisions(
    conn: Connection, catalog: Catalog, ids: list[UUID]
) -> dict[tuple[UUID, int], int]:
    """Return for every version of some entities the revision that made it.

    Notes
    -----
    A statement per type. Hand-written models, which keep no past, are passed over.
    """
    result: dict[tuple[UUID, int], int] = {}
    for name, stored in catalog.mapping.stored.items():
        if stored.by_hand or not ids:
            continue
        table = catalog.mapping.probe(name)
        found = both_of(conn, table, "ecs_id", ids, [table.c.ecs_id, table.c.ecs_version])
        for ecs_id, version, since, _ in zip(*found, strict=True):
            result[ecs_id, version] = min(since, result.get((ecs_id, version), since))
    return result


def both_of(
    conn: Connection, table: sa.Table, name: str, keys: list[Any], columns: list[Any]
) -> list[list[Any]]:
    """Return columns of the rows, present and past, that have one of some keys in a column.

    Notes
    -----
    Two more columns say from when and until when each row held.
    """
    past = history_of(table)
    never = sa.cast(sa.null(), sa.Integer()).label(UNTIL)
    now = sa.select(*columns, table.c[REVISION], never)
    then = sa.select(*(past.c[c.name] for c in columns), past.c[REVISION], past.c[UNTIL])
    parts = [
        query.where(key_condition(conn, source.c[name], keys))
        for query, source in ((now, table), (then, past))
    ]
    either = sa.union_all(*parts).subquery()
    return columns_of(conn, sa.select(*either.columns))


class _Timeline:
    """Everything that the tables say of one entity."""

    def __init__(self, conn: Connection, catalog: Catalog, known: ClassMap, ecs_id: UUID) -> None:
        self.conn = conn
        self.catalog = catalog
        self.known = known
        table = known.table
        names = [column.name for column in table.columns if column.name != REVISION]
        columns = both_of(conn, table, "ecs_id", [ecs_id], [table.c[n] for n in names])
        rows = [
            dict(zip([*names, REVISION, UNTIL], row, strict=True))
            for row in zip(*columns, strict=True)
        ]
        self.rows = sorted(rows, key=lambda row: int(row[REVISION]))
        self.ids = sorted({row["id"] for row in rows})

    def events(self) -> list[Event]:
        """Return what happened, oldest first."""
        lists: dict[str, set[int]] = {}
        for arcs in by_field(self.catalog.arcs_from(self.known)):
            if arcs[0].has_table:
                lists[arcs[0].field] = self._linked(arcs[0])
            elif arcs[0].kind is Kind.LIST:
                lists[arcs[0].field] = set().union(*map(self._listed, arcs))

        def changed(before: dict[str, Any], row: dict[str, Any]) -> str:
            fields = self._edited(before, row)
            fields |= {name for name, revisions in lists.items() if row[REVISION] in revisions}
            return ", ".join(n for n in self.known.cls.model_fields if n in fields)  # type: ignore[attr-defined]  # a pydantic model

        states = [(row["ecs_version"], row[REVISION], row[UNTIL], row) for row in self.rows]
        return list(events_in_order(states, changed))

    def _edited(self, before: dict[str, Any], after: dict[str, Any]) -> set[str]:
        name = self.known.table.name
        exact = [read_exact(name, row["id"], row["ecs_exact"]) for row in (before, after)]
        values = [*self.known.values]
        values += [c.skeleton for c in self.known.collections if c.skeleton is not None]
        changed = {
            value.name
            for value in values
            if before[value.column.name] != after[value.column.name]
            or exact[0].get(value.name) != exact[1].get(value.name)
        }
        changed |= {
            arc.field
            for arc in arcs_in(self.known, Kind.SINGLE)
            if before[arc.held.name] != after[arc.held.name]
        }
        if before["ecs_parent_id"] != after["ecs_parent_id"]:
            changed.add("parent_id")
        return changed

    def _linked(self, arc: Arc) -> set[int]:
        """Return the revisions that changed a collection with a table of its own."""
        since, until = both_of(self.conn, arc.table, arc.owner.name, self.ids, [])
        return {revision for revision in (*since, *until) if revision is not None}

    def _listed(self, arc: Arc) -> set[int]:
        """Return the revisions that changed a list that its members' rows say."""
        wanted = [arc.held, arc.owner, arc.position]
        columns = both_of(self.conn, arc.table, arc.owner.name, self.ids, wanted)
        rows = [row for row in zip(*columns, strict=True) if row[2] is not None]
        rows.sort(key=lambda row: (row[0], row[3]))
        result: set[int] = set()
        ends: dict[Any, int | None] = {}  # (member, holder, position) → until when
        for member, holder, position, since, until in rows:
            place = (member, holder, position)
            if ends.get(place, -1) != since:
                result.add(since)
                if ends.get(place) is not None:
                    result.add(ends[place])  # type: ignore[arg-type]  # not None
            ends[place] = until
        return result | {until for until in ends.values() if until is not None}
