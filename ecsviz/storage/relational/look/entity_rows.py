"""The rows of some entities: which table, which cells, and where each key leads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.class_maps import ClassMap, Collection
from ecsviz.storage.relational.schema.said import says_of
from ecsviz.storage.sql.statements import columns_of, select_by_keys

MOST: Final = 200
"""How many rows of an association table are read."""
LEFT_OUT: Final = frozenset({"ecs_checksum", "ecs_seal", "ecs_exact"})
"""What nobody reads."""


@dataclass(frozen=True, slots=True)
class RowColumn:
    """A column: its name, what it says, and ``"table.column"`` that it refers to, or ``""``."""

    name: str
    says: str
    refers_to: str


@dataclass(frozen=True, slots=True)
class RowsBeside:
    """Rows of one table.

    Attributes
    ----------
    ids
        Per row the entity that it is of.
    cells, leads
        Per row the values, and where a key leads: an ``ecs_id`` or None.
    complete
        Whether these are all.
    """

    name: str
    columns: list[RowColumn]
    ids: list[UUID]
    cells: list[list[Any]]
    leads: list[list[UUID | None]]
    complete: bool = True


def rows_of(
    conn: Connection, catalog: Catalog, entities: Mapping[type, Sequence[UUID]]
) -> list[RowsBeside]:
    """Return the rows of entities, by class; and those that say what they hold.

    Notes
    -----
    A statement for each table, whatever the number of entities.
    """
    mapping = catalog.mapping
    found = [
        (known, ids)
        for cls, ids in entities.items()
        if (known := mapping.by_type.get(mapping.type_name(cls))) is not None
    ]
    read = [_own_rows(conn, known, ids) for known, ids in found]
    place = {  # where a key leads: by type and row
        (known.type_name, row): ecs_id
        for (known, _), (rows, ids, _) in zip(found, read, strict=True)
        for row, ecs_id in zip(rows, ids, strict=True)
    }
    tables = []
    for (known, _), (rows, ids, cells) in zip(found, read, strict=True):
        arcs = {column: target for ref in known.singles for target, column in ref.arcs.items()}
        tables.append(_table(known, known.table, arcs, ids, cells, place))
        for collection in known.collections:
            tables += _association(
                conn, known, collection, dict(zip(rows, ids, strict=True)), place
            )
    return tables


def _own_rows(
    conn: Connection, known: ClassMap, ids: Sequence[UUID]
) -> tuple[list[int], list[UUID], list[list[Any]]]:
    c = known.table.c
    shown = _shown(known.table)
    read = select_by_keys(conn, sa.select(c.id, c.ecs_id, *shown), c.ecs_id, list(ids))
    in_order = sorted(zip(*read, strict=True), key=lambda row: row[0])
    return (
        [row[0] for row in in_order],
        [row[1] for row in in_order],
        [list(row[2:]) for row in in_order],
    )


def _shown(table: sa.Table) -> list[sa.Column[Any]]:
    """Return the columns that are shown: the row, keys, fields, then who it is, which version."""
    shown = [column for column in table.columns if column.name not in LEFT_OUT]
    return sorted(
        shown,
        key=lambda column: (
            column.name.startswith("ecs_"),
            column.name != "id",
            not column.foreign_keys,
        ),
    )


def _association(
    conn: Connection,
    known: ClassMap,
    collection: Collection,
    owners: Mapping[int, UUID],
    place: Mapping[tuple[str, int], UUID],
) -> Iterator[RowsBeside]:
    owner, position = list(collection.table.columns)[:2]
    shown = _shown(collection.table)
    query = sa.select(owner, *shown).where(owner.in_(list(owners)))
    read = columns_of(conn, query.order_by(owner, position).limit(MOST + 1))
    rows = list(zip(*read, strict=True))
    if rows:
        arcs = {column: target for target, column in collection.arcs.items()}
        arcs[owner] = known.type_name
        ids, cells = [owners[row[0]] for row in rows[:MOST]], [list(row[1:]) for row in rows[:MOST]]
        complete = len(rows) <= MOST
        yield _table(known, collection.table, arcs, ids, cells, place, complete=complete)


def _table(
    known: ClassMap,
    table: sa.Table,
    arcs: Mapping[sa.Column[Any], str],
    ids: list[UUID],
    cells: list[list[Any]],
    place: Mapping[tuple[str, int], UUID],
    *,
    complete: bool = True,
) -> RowsBeside:
    shown, says = _shown(table), says_of(known)
    columns = []
    for column in shown:
        key = next(iter(column.foreign_keys), None)
        columns.append(
            RowColumn(column.name, says.get(column, ""), key.target_fullname if key else "")
        )
    targets = [arcs.get(column) for column in shown]
    leads = [
        [
            None if target is None or value is None else place.get((target, value))
            for target, value in zip(targets, row, strict=True)
        ]
        for row in cells
    ]
    return RowsBeside(table.name, columns, ids, cells, leads, complete)
