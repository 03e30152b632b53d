"""What holds a stored entity: in a reference, in a collection, or in a list of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.storage.relational.schema.catalog import Catalog, find_class
from ecsviz.storage.relational.schema.mapping import Mapping
from ecsviz.storage.relational.schema.naming import snake
from ecsviz.storage.sql.statements import columns_of, value_of

PARTS: Final = 400
"""How many queries are asked for as one: SQLite takes 500."""


def holders_of(
    conn: Connection, catalog: Catalog, ecs_id: UUID, limit: int
) -> tuple[list[UUID], int]:
    """Return the first entities that hold one, and how many do; see `looking.Inside`.

    Notes
    -----
    Three statements for every `PARTS` fields that may hold it.
    """
    ids: list[UUID] = []
    total = 0
    mapping = catalog.mapping
    names = sorted(mapping.stored)
    own = [
        sa.select(sa.literal(n).label("n"), probe.c.id).where(probe.c.ecs_id == ecs_id)
        for n, probe in enumerate(map(mapping.probe, names))
    ]
    here = columns_of(conn, sa.union_all(*own)) if own else [[], []]
    if not here[0]:
        return [], 0
    defined = [n for n, name in enumerate(names) if find_class(mapping.stored[name])]
    asked = _Holders(mapping, names, here[0][0], here[1][0])
    for either in asked.unions():
        total += value_of(conn, sa.select(sa.func.count()).select_from(either)) or 0
        query = sa.select(either.c.ecs_id).where(either.c.n.in_(defined))
        query = query.order_by(either.c.n, either.c.id).limit(limit)
        ids += columns_of(conn, query)[0]
    return ids[:limit], total


class _Holders:
    """The queries for what holds one row.

    Parameters
    ----------
    names
        The stored types, which queries name by their place.
    own, row
        The type of the row, and its id.
    """

    def __init__(self, mapping: Mapping, names: list[str], own: int, row: int) -> None:
        self._mapping = mapping
        self._names = names
        self._own, self._row = own, row

    def unions(self) -> Iterator[Any]:
        """Yield queries of (n, id, ecs_id); each holder is in one of them, once."""
        batch: list[Any] = []
        for n, parts in enumerate(self._by_holder()):
            if batch and len(batch) + len(parts) > PARTS:
                yield sa.union(*batch).subquery()
                batch = []
            # What holds itself is not told.
            batch += [p.where(sa.column("id") != self._row) if n == self._own else p for p in parts]
        if batch:
            yield sa.union(*batch).subquery()

    def _by_holder(self) -> list[list[Any]]:
        own = self._names[self._own]
        result: list[list[Any]] = [[] for _ in self._names]
        for n, name in enumerate(self._names):
            for place in self._mapping.stored[name].layout.values():
                column = place.get("columns", {}).get(own)
                if column is not None and "table" in place:
                    result[n].append(self._linked(n, place["table"], column))
                elif column is not None:
                    holders = self._table(name, column)
                    result[n].append(self._select(n, holders, holders.c[column] == self._row))
        for place in self._mapping.stored[own].layout.values():
            if place.get("position") is not None:  # a list that the row itself says it stands in
                for target, column in place["columns"].items():
                    n = self._names.index(target)
                    result[n].append(self._listed(n, column, place["position"]))
        return result

    def _table(self, name: str, *columns: str) -> Any:
        probe = self._mapping.probe(name)
        known: list[Any] = [sa.column("id"), sa.column("ecs_id", sa.Uuid())]
        others: list[Any] = [sa.column(column) for column in columns]
        return sa.table(probe.name, *known, *others, schema=probe.schema)

    def _select(self, n: int, table: Any, condition: Any) -> Any:
        return sa.select(sa.literal(n).label("n"), table.c.id, table.c.ecs_id).where(condition)

    def _linked(self, n: int, links_name: str, column: str) -> Any:
        """Return the holders in whose collection the row is."""
        holders = self._table(self._names[n])
        owner = f"{snake(self._names[n])}_id"
        links = sa.table(
            links_name, sa.column(owner), sa.column(column), schema=self._mapping.metadata.schema
        )
        held = sa.select(links.c[owner]).where(links.c[column] == self._row)
        return self._select(n, holders, holders.c.id.in_(held))

    def _listed(self, n: int, column: str, position: str) -> Any:
        holders = self._table(self._names[n])
        members = self._table(self._names[self._own], column, position).alias("member")
        held = sa.select(members.c[column]).where(
            members.c.id == self._row, members.c[position].is_not(None)
        )
        return self._select(n, holders, holders.c.id.in_(held))
