"""What is next to a stored entity: what it holds, and what holds it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from ecsviz.domain.walk import walk
from ecsviz.errors import InvalidArgumentError, UnknownTypeError
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.storage.memory.store import InMemoryEntityStorage
from ecsviz.storage.relational.schema.catalog import find_class
from ecsviz.storage.relational.schema.mapping import Mapping
from ecsviz.storage.relational.schema.naming import snake
from ecsviz.storage.relational.store_base import OpenStore
from ecsviz.storage.sql.statements import columns_of, value_of

HELD: Final = 60
HOLDERS: Final = 30
"""How many entities are shown at the most that one holds, and that hold it."""
PARTS: Final = 400
"""How many queries are asked for as one: SQLite takes 500."""


@dataclass(frozen=True, slots=True)
class Near:
    """An entity, and some of what is next to it.

    Attributes
    ----------
    graph
        Of all these; the entity is `root`, by its number.
    held, holders
        How many the entity holds, and hold it, in all.
    """

    graph: EntityDependencyGraph
    root: int
    held: int
    holders: int

    @property
    def told(self) -> str:
        """How much is shown of what there is."""
        parts = self.graph.arrays
        own = parts.sources != parts.targets
        held = len(set(parts.targets[own & (parts.sources == self.root)].tolist()))
        holders = len(set(parts.sources[own & (parts.targets == self.root)].tolist()))
        if not self.held and not self.holders:
            return "it holds nothing, and nothing holds it"
        if not self.held:
            return f"it holds nothing; showing {holders:,} of {self.holders:,} that hold it"
        told = f"showing {held:,} of {self.held:,} entities that it holds"
        if not self.holders:
            return f"{told}; nothing holds it"
        return f"{told} and {holders:,} of {self.holders:,} that hold it"


def near_of(store: Any, ecs_id: UUID) -> Near:
    """Return the graph of an entity, of what it holds, and of what holds it.

    Parameters
    ----------
    store
        Where it is.
    ecs_id
        Which entity.

    Raises
    ------
    EntityNotFoundError
        If it is not stored.
    UnknownTypeError
        If its class, or one of those that it holds, is not defined here.

    Notes
    -----
    At most `HELD` and `HOLDERS` neighbours are read; what hand-written models keep is read whole.
    Statements grow with classes, not with entities. O(references of what is read).

    Examples
    --------
    >>> import ecsviz as ev
    >>> store = ev.InMemoryEntityStorage()
    >>> thread = ev.ChatThread(title="Cycles")
    >>> for number in range(100):
    ...     message = thread.say("user", f"{number}", parent=message if number else None)
    >>> _ = store.register(thread)
    >>> near_of(store, thread.ecs_id).told
    'showing 60 of 100 entities that it holds and 60 of 100 that hold it'
    >>> near_of(store, message.ecs_id).told
    'showing 2 of 2 entities that it holds and 2 of 2 that hold it'
    """
    with store._one_state():
        held = _held(*_read(store, [ecs_id]))
        holders, total = holders_of(store, ecs_id, HOLDERS)
        first = [ecs_id, *(entity.ecs_id for entity in held[:HELD])]
        try:
            nodes = _read(store, dict.fromkeys([*first, *holders]))
        except UnknownTypeError:  # of something else that a holder holds
            nodes = _read(store, first)
    graph = _among(nodes)
    place = graph._find(ecs_id)
    assert place is not None
    return Near(graph, place, len(held), total)


def _read(store: Any, ids: Iterable[UUID]) -> list[Any]:
    try:
        return list(store.get_many(ids, hops=0))
    except InvalidArgumentError:  # hand-written models read whole entities only
        return list(store.get_many(ids))


def _held(root: Any) -> list[Any]:
    """Return the entities that one holds, each once."""
    found = walk([root])
    direct = {found.targets[n] for n, source in enumerate(found.sources) if source == 0}
    return [found.entities[n] for n in sorted(direct) if n]


def _among(nodes: list[Any]) -> EntityDependencyGraph:
    """Return the graph of some entities alone, whatever else they lead to."""
    whole = EntityDependencyGraph(nodes).arrays
    wanted = {node.ecs_id for node in nodes}
    inside = [n for n, node_id in enumerate(whole.ids) if node_id in wanted]
    place = {old: new for new, old in enumerate(inside)}
    edges = [
        edge
        for edge, ends in enumerate(
            zip(whole.sources.tolist(), whole.targets.tolist(), strict=True)
        )
        if ends[0] in place and ends[1] in place
    ]
    places = [whole.place_of(edge) for edge in edges]
    return EntityDependencyGraph.from_parts(
        [whole.nodes[n] for n in inside],
        [whole.ids[n] for n in inside],
        [whole.types[n] for n in inside],
        [place[int(whole.sources[edge])] for edge in edges],
        [place[int(whole.targets[edge])] for edge in edges],
        [path for _, path in places],
        fields=[field for field, _ in places],
        kinds=whole.kinds[edges].tolist(),
    )


# -- what holds it ---------------------------------------------------------------------------


def holders_of(store: Any, ecs_id: UUID, limit: int) -> tuple[list[UUID], int]:
    """Return the first entities that hold one, and how many do.

    Parameters
    ----------
    store
        An `SQLAlchemyEntityStorage` or an `InMemoryEntityStorage`.
    ecs_id
        What is held.
    limit
        How many to return: by class, those stored first; none of classes that are not defined
        here.

    Notes
    -----
    Three statements for every `PARTS` fields that may hold it; in memory, O(references).
    """
    if isinstance(store, InMemoryEntityStorage):
        with store._lock:
            records = list(store._records.values())
        found = [r for r in records if ecs_id in r.held and r.ecs_id != ecs_id]
        found.sort(key=lambda record: (record.cls.__name__, record.number))
        return [record.ecs_id for record in found[:limit]], len(found)
    return _in_database(store, ecs_id, limit)


def _in_database(store: OpenStore, ecs_id: UUID, limit: int) -> tuple[list[UUID], int]:
    ids: list[UUID] = []
    total = 0
    with store._reading() as (conn, catalog):
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
