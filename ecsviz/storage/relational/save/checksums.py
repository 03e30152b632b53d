"""All that is stored of one class, present and past, and the checksums that follow from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.domain.fields import Shape
from ecsviz.storage.relational.save.rows import Group, key_said, said
from ecsviz.storage.relational.schema.history_tables import REVISION, UNTIL, history_of
from ecsviz.storage.relational.schema.mapping import ClassMap, Collection
from ecsviz.storage.relational.schema.seals import (
    SEAL,
    digest,
    digests,
    reseal,
    sealed_columns,
    seals_of,
)
from ecsviz.storage.spans import NEVER
from ecsviz.storage.sql.column_types import JsonColumn
from ecsviz.storage.sql.driver_values import Unfit
from ecsviz.storage.sql.statements import columns_of, select_by_keys, update_rows
from ecsviz.values.codecs import Refused
from ecsviz.values.unfit import invalid

Bad = Callable[[str, Any, Any, str], None]
"""Is told the table, the row, whose row it is, and what is wrong with it."""


class Read(Protocol):
    """What runs a query and returns its columns."""

    def __call__(
        self, conn: Connection, query: Any, *, unfit: Unfit | None = None
    ) -> list[list[Any]]:
        """Return them; tell `unfit` what does not fit, or raise for the first."""


class StoredRows:
    """All rows of one class, present and past, and those of its collections.

    Parameters
    ----------
    conn, known
        A transaction, and the class.
    bad
        Is told of every value that does not fit its column; its row is left out. By default the
        first one is an error.
    ids
        Of which rows, those of the present alone; None for all.
    read
        Runs a query on one table, as `columns_of` does.
    """

    def __init__(
        self,
        conn: Connection,
        known: ClassMap,
        bad: Bad | None = None,
        ids: list[int] | None = None,
        read: Read = columns_of,
    ) -> None:
        self.known = known
        self._read = read
        self.spans: dict[int, list[tuple[int, int]]] = {}
        key = known.table.c.id
        self.columns = (
            self._both(conn, known.table, bad, self.spans)
            if ids is None
            else _present(conn, known.table, key, ids)
        )
        self.checksums: list[bytes | None] = self.columns["ecs_checksum"]
        self.stored_seals = self.columns[SEAL]
        names = [c.name for c in sealed_columns(known.table, known.positions)]
        self.seals = seals_of([self.columns[name] for name in names])
        self.links: dict[str, list[dict[str, Any]]] = {}
        for collection in known.collections:
            table, key = collection.table, collection.columns[0]
            found = (
                self._both(conn, table, bad, {}) if ids is None else _present(conn, table, key, ids)
            )
            self.links[collection.name] = [
                dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)
            ]

    def _both(
        self, conn: Connection, table: sa.Table, bad: Bad | None, spans: dict[int, Any]
    ) -> dict[str, list[Any]]:
        """Return the rows of a table and of its history, as columns; note when there were any."""
        past = history_of(table)
        names = [column.name for column in table.columns]
        now = sa.select(*map(_as_written, table.columns))
        then = sa.select(*(_as_written(past.c[name]) for name in names), past.c[UNTIL])
        result: dict[str, list[Any]] = {name: [] for name in (*names, UNTIL)}
        for source, query in ((table, now), (past, then)):
            wrong: dict[int, list[tuple[int, str]]] = {}

            def unfit(
                column: int, row: int, why: str, wrong: dict[int, list[tuple[int, str]]] = wrong
            ) -> None:
                wrong.setdefault(row, []).append((column, why))

            columns = self._read(conn, query, unfit=None if bad is None else unfit)
            if source is table:
                columns.append([NEVER] * len(columns[0]))
            found = dict(zip(result, columns, strict=True))
            whole = zip(found[names[0]], found[REVISION], found[UNTIL], strict=True)
            for row_id, since, until in whole:
                if {type(row_id), type(since), type(until)} == {int}:
                    spans.setdefault(row_id, []).append((since, until))
            for row, cells in wrong.items():
                assert bad is not None
                place = _place(source, {name: found[name][row] for name in found})
                ecs_id = found["ecs_id"][row] if "ecs_id" in found else None
                for column, why in cells:
                    bad(source.name, place, ecs_id, f"{[*result][column]} {why}")
            for name, column_ in found.items():
                result[name] += (
                    [value for n, value in enumerate(column_) if n not in wrong]
                    if wrong
                    else column_
                )
        return result

    def keys(self) -> list[tuple[Any, Any, int, int]]:
        """Return row id, ecs_id, since and until of every row."""
        c = self.columns
        return list(zip(c["id"], c["ecs_id"], c[REVISION], c[UNTIL], strict=True))

    def contents(self, bad: Bad) -> list[bytes]:
        """Return the checksums that the rows have by what is in them now.

        Parameters
        ----------
        bad
            Is told the table, the row and the reason where a key cannot be read.
        """
        known, c = self.known, self.columns
        parts: list[list[Any]] = [
            [i.bytes for i in c["ecs_lineage_id"]],
            [None if i is None else i.bytes for i in c["ecs_parent_id"]],
            c["ecs_exact"],
        ]
        values = [*known.values]
        values += [item.skeleton for item in known.collections if item.skeleton is not None]
        parts += [value.codec.canonical(c[value.column.name]) for value in values]
        for ref in known.singles:
            first = next(iter(ref.arcs), "")
            held: list[Any] = [None] * len(c["id"])
            for target, column in ref.arcs.items():
                for n, row_id in enumerate(c[column.name]):
                    if row_id is not None:
                        held[n] = said(target, row_id, first)
            parts.append(held)
        parts += [self._members(item, bad) for item in known.collections]
        return digests(zip(*parts, strict=True))

    def _members(self, item: Collection, bad: Bad) -> list[Any]:
        """Return per row what its checksum says of a collection, as of the row's revision."""
        owner, position = (c.name for c in item.columns[:2])
        first = next(iter(item.arcs), "")
        by_owner: dict[int, list[dict[str, Any]]] = {}
        for link in self.links[item.name]:
            by_owner.setdefault(link[owner], []).append(link)
        for links in by_owner.values():
            links.sort(key=lambda link: int(link[position]))
        result = []
        for row_id, _, since, _ in self.keys():
            there = [
                link for link in by_owner.get(row_id, ()) if link[REVISION] <= since < link[UNTIL]
            ]
            keys: list[Any] = [None] * len(there)
            if item.key is not None and item.plan.shape == Shape.DICT:
                try:
                    decoded = item.key.codec.decode([link[item.key.column.name] for link in there])
                    keys = [key_said(key) for key in decoded]
                except Refused as refused:
                    bad(item.table.name, row_id, None, f"{item.key.column.name} {refused.why}")
            arcs = {c.name: t for t, c in item.arcs.items()}
            held = [
                next((said(arcs[n], link[n], first) for n in arcs if link[n] is not None), None)
                for link in there
            ]
            result.append(tuple(zip(keys, held, strict=True)))
        return result


def _present(
    conn: Connection, table: sa.Table, key: sa.Column[Any], ids: list[int]
) -> dict[str, list[Any]]:
    """Return the rows of some ids, as columns."""
    query = sa.select(*map(_as_written, table.columns))
    found = select_by_keys(conn, query, key, ids)
    names = [column.name for column in table.columns]
    return {**dict(zip(names, found, strict=True)), UNTIL: [NEVER] * len(found[0])}


def _place(table: sa.Table, row: dict[str, Any]) -> str:
    """Return the key of a row, which may itself not be what it should be."""
    said = {name: value if type(value) is int else "?" for name, value in row.items()}
    if row[UNTIL] == NEVER:
        return ", ".join(str(said[column.name]) for column in table.primary_key.columns)
    keys = [c.name for c in table.primary_key.columns if c.name != REVISION]
    return ", ".join(str(said[name]) for name in keys) + f", {said[REVISION]} to {said[UNTIL]}"


def _as_written(column: sa.Column[Any]) -> Any:
    # As text: a driver would read JSON, and the checksum is over the text.
    return sa.cast(column, sa.Text()) if isinstance(column.type, (sa.JSON, JsonColumn)) else column


def altered_places(conn: Connection | None, group: Group, places: Iterable[int]) -> list[int]:
    """Return which entities of a group have rows that somebody else has written.

    Parameters
    ----------
    conn, group, places
        A transaction, the entities, and the places of those that are as they were written once.
    """
    same = {group.ids[place]: place for place in sorted(places)}
    if conn is None or group.known.by_hand or not same:
        return []
    rows = StoredRows(conn, group.known, ids=list(same))
    every = zip(rows.contents(_unreadable), rows.checksums, rows.columns["id"], strict=True)
    return [same[row_id] for content, checksum, row_id in every if content != checksum]


def recheck(conn: Connection, known: ClassMap) -> None:
    """Give all rows of a class the checksums that they have now: its columns are others.

    Notes
    -----
    Of hand-written models the values are not here; their rows are only sealed anew.
    """
    rows = StoredRows(conn, known)
    table, past = known.table, history_of(known.table)
    if not known.by_hand:
        contents = zip(rows.contents(_unreadable), rows.checksums, rows.keys(), strict=True)
        now, then = [], []
        for content, before, (row_id, _, since, until) in contents:
            if before is None:
                continue  # of others
            if until == NEVER:
                now.append((content, row_id))
            else:
                then.append((content, row_id, since))
        update_rows(conn, table, [table.c.ecs_checksum], now)
        update_rows(conn, past, [past.c.ecs_checksum], then)
    for one in (table, past):
        reseal(conn, one, known.positions, None)


def recheck_rows(conn: Connection, known: ClassMap, ids: list[int]) -> None:
    """Give some rows of the present the checksums and seals that they have now.

    Notes
    -----
    Of hand-written models the values are not here: their rows get a checksum that differs from
    the one before, so that whoever registers the entity as it was is seen to change it.
    """
    rows = StoredRows(conn, known, ids=ids)
    before = rows.checksums
    found: Iterable[Any] = (
        [None if old is None else digest((old, "changed")) for old in before]
        if known.by_hand
        else rows.contents(_unreadable)
    )
    table, every = known.table, zip(found, before, rows.columns["id"], strict=True)
    now = [(content, row_id) for content, old, row_id in every if old is not None]
    update_rows(conn, table, [table.c.ecs_checksum], now)
    reseal(conn, table, known.positions, ids)


def _unreadable(table: str, row: Any, _: Any, why: str) -> None:
    column, _, rest = why.partition(" ")
    raise invalid(table, column, row, rest)
