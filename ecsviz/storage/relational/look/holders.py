"""What holds a stored entity: in a reference, in a collection, or in a list of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.storage.relational.schema.arcs import stored_arcs
from ecsviz.storage.relational.schema.catalog import Catalog, find_class
from ecsviz.storage.relational.schema.mapping import Mapping
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
        result: list[list[Any]] = [[] for _ in self._names]
        mapping = self._mapping
        for arc in stored_arcs(mapping.stored.values(), mapping.metadata.schema):
            if arc.target == self._names[self._own]:
                n, probe = self._names.index(arc.source), mapping.probe(arc.source)
                c = probe.alias("holder").c
                held = sa.select(arc.owner).where(arc.held == self._row, *arc.there)
                query = sa.select(sa.literal(n).label("n"), c.id, c.ecs_id)
                result[n].append(query.where(c.id.in_(held)))
        return result
