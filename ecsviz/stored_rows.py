"""All that is stored of one class, present and past, and the checksums that follow from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.fields import Shape
from ecsviz.history import REVISION, UNTIL, history_of
from ecsviz.json_columns import JsonColumn
from ecsviz.mapping import ClassMap, Collection
from ecsviz.rows import key_said, said
from ecsviz.seals import SEAL, digest, reseal, sealed_columns, seals_of
from ecsviz.statements import columns_of, select_by_keys, update_rows
from ecsviz.values import Refused

NEVER = 2**62
"""Until when a row of the present is valid."""

Bad = Callable[[str, Any, Exception], None]


class StoredRows:
    """All rows of one class, present and past, and those of its collections.

    Parameters
    ----------
    conn
        A transaction.
    known
        The class.
    ids
        Of which rows, those of the present alone; None for all.
    """

    def __init__(self, conn: Connection, known: ClassMap, ids: list[int] | None = None) -> None:
        self.known = known
        self.columns = _rows(conn, known.table, known.table.c.id, ids)
        self.checksums: list[bytes | None] = self.columns["ecs_checksum"]
        self.stored_seals = self.columns[SEAL]
        names = [c.name for c in sealed_columns(known.table, known.positions)]
        self.seals = seals_of([self.columns[name] for name in names])
        self.spans: dict[int, list[tuple[int, int]]] = {}
        for row_id, _, since, until in self.keys():
            self.spans.setdefault(row_id, []).append((since, until))
        self.links: dict[str, list[dict[str, Any]]] = {}
        for collection in known.collections:
            found = _rows(conn, collection.table, collection.columns[0], ids)
            self.links[collection.name] = [
                dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)
            ]

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
        return [digest(row) for row in zip(*parts, strict=True)]

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
                    bad(item.table.name, row_id, refused)
            arcs = {c.name: t for t, c in item.arcs.items()}
            held = [
                next((said(arcs[n], link[n], first) for n in arcs if link[n] is not None), None)
                for link in there
            ]
            result.append(tuple(zip(keys, held, strict=True)))
        return result


def _rows(
    conn: Connection, table: sa.Table, key: sa.Column[Any], ids: list[int] | None
) -> dict[str, list[Any]]:
    """Return the rows of a table and of its history, or those of some ids, as columns."""
    past = history_of(table)
    names = [column.name for column in table.columns]
    if ids is not None:
        query = sa.select(*map(_as_written, table.columns))
        found = select_by_keys(conn, query, key, ids)
        return {**dict(zip(names, found, strict=True)), UNTIL: [NEVER] * len(found[0])}
    now = columns_of(conn, sa.select(*map(_as_written, table.columns)))
    there = [_as_written(past.c[name]) for name in names]
    then = columns_of(conn, sa.select(*there, past.c[UNTIL]))
    result = {name: [*a, *b] for name, a, b in zip(names, now, then, strict=False)}
    result[UNTIL] = [*([NEVER] * len(now[0])), *then[-1]]
    return result


def _as_written(column: sa.Column[Any]) -> Any:
    # As text: a driver would read JSON, and the checksum is over the text.
    return sa.cast(column, sa.Text()) if isinstance(column.type, (sa.JSON, JsonColumn)) else column


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
    rows = StoredRows(conn, known, ids)
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


def _unreadable(_: str, __: Any, refused: Exception) -> None:
    raise refused
