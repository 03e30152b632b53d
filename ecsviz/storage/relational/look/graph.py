"""The dependency graph of what is stored, read as columns of row ids: no object is made."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.basics.garbage import collector_paused
from ecsviz.basics.order import COLLECTION, NULLABLE, REQUIRED, Ints
from ecsviz.domain.paths import format_path
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.storage.protocol import check_hops
from ecsviz.storage.relational.look.frames import StoredEntity, neighbourhood, numbered
from ecsviz.storage.relational.look.nested_keys import nested_keys
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.history_tables import check_once
from ecsviz.storage.relational.schema.mapping import ClassMap, Collection, InverseList, RefColumn
from ecsviz.storage.sql.statements import columns_of
from ecsviz.values.codecs import decoded


@dataclass(slots=True)
class _Block:
    """The references that one column says.

    Attributes
    ----------
    keys
        Their places inside the field: None where it holds one entity, numbers as an array.
    """

    field: str
    kind: int
    sources: Ints
    targets: Ints
    keys: Any = None

    def only(self, which: Any) -> _Block:
        """Return some of the references."""
        keys = self.keys
        if keys is MEMBERS:
            pass
        elif isinstance(keys, list):
            keys = [key for key, kept in zip(keys, which, strict=True) if kept]
        elif keys is not None:
            keys = keys[which]
        return _Block(self.field, self.kind, self.sources[which], self.targets[which], keys)


class _Told(Sequence[str]):
    """A text per reference, made when it is asked for: of a million, few ever are."""

    def __init__(self, blocks: list[_Block], tell: Callable[[_Block, int], str]) -> None:
        self._blocks = blocks
        self._tell = tell
        self._starts = [0]
        for block in blocks:
            self._starts.append(self._starts[-1] + len(block.sources))

    def __len__(self) -> int:
        return self._starts[-1]

    @overload
    def __getitem__(self, number: int) -> str: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[str]: ...
    def __getitem__(self, number: int | slice) -> str | Sequence[str]:
        if isinstance(number, slice):
            return [self[n] for n in range(*number.indices(len(self)))]
        at = bisect_right(self._starts, number) - 1
        return self._tell(self._blocks[at], number - self._starts[at])


def stored_graph(
    conn: Connection, catalog: Catalog, root: UUID | None, hops: int | None
) -> EntityDependencyGraph:
    """Return the dependency graph of what is stored; see ``SQLAlchemyEntityStorage.graph``.

    Notes
    -----
    A statement per class and per column that refers; some 250 bytes a node and 30 a reference.
    """
    check_hops(hops)
    with collector_paused():
        reading = _Reading(conn, catalog)
        nodes, types, blocks = reading.nodes, reading.types, list(reading.blocks())
        if root is not None:
            at = next(n for n, node in enumerate(nodes) if node.ecs_id == root)
            sources = [n for block in blocks for n in block.sources.tolist()]
            targets = [n for block in blocks for n in block.targets.tolist()]
            chosen = neighbourhood(len(nodes), sources, targets, at, hops)
            place = np.full(len(nodes), -1, dtype=np.int64)
            place[chosen] = np.arange(len(chosen))
            nodes, types = [nodes[n] for n in chosen], [types[n] for n in chosen]
            blocks = [_moved(block, place) for block in blocks]
        none = np.zeros(0, dtype=np.int64)
        return EntityDependencyGraph.from_parts(
            nodes,
            [node.ecs_id for node in nodes],
            types,
            np.concatenate([none, *(block.sources for block in blocks)]),
            np.concatenate([none, *(block.targets for block in blocks)]),
            _Told(blocks, lambda block, n: _path(block, n, nodes)),
            fields=_Told(blocks, lambda block, _: block.field),
            kinds=np.concatenate(
                [none, *(np.full(len(block.sources), block.kind) for block in blocks)]
            ),
        )


def _moved(block: _Block, place: Ints) -> _Block:
    """Return what is left of a block where only some nodes are, at their new places."""
    kept = block.only((place[block.sources] >= 0) & (place[block.targets] >= 0))
    kept.sources, kept.targets = place[kept.sources], place[kept.targets]
    return kept


def _path(block: _Block, number: int, nodes: list[StoredEntity]) -> str:
    if block.keys is None:
        return block.field
    if block.keys is MEMBERS:  # of a set, which has no order
        return format_path(block.field, nodes[int(block.targets[number])].ecs_id)
    key = block.keys[number]
    return format_path(block.field, int(key) if isinstance(key, np.integer) else key)


MEMBERS: Any = np.zeros(0, dtype=np.int32)
"""Stands for the keys of sets: their members are their own."""


class _Reading:
    """All entities, and the columns that refer, of one state of a store."""

    def __init__(self, conn: Connection, catalog: Catalog) -> None:
        self.conn = conn
        self.catalog = catalog
        self.maps = catalog.classes_of(catalog.mapping.stored)
        self.nodes: list[StoredEntity] = []
        self.types: list[str] = []
        self._rows: dict[str, tuple[int, Ints]] = {}
        for known in self.maps:
            c, name = known.table.c, known.type_name
            row_ids, ids = columns_of(conn, sa.select(c.id, c.ecs_id).order_by(c.id))
            check_once(known.table, row_ids)
            self._rows[name] = len(self.nodes), np.array(row_ids, dtype=np.int64)
            self.nodes += [StoredEntity(ecs_id, name) for ecs_id in ids]
            self.types += [name] * len(ids)

    def blocks(self) -> Iterator[_Block]:
        """Yield the references of every column, class by class."""
        for known in self.maps:
            for ref in known.singles:
                yield from self._singles(known, ref)
            for listed in known.inverse_lists:
                yield from self._lists(known, listed)
            for item in known.collections:
                yield from self._links(known, item)

    def _places(self, type_name: str, row_ids: list[int]) -> tuple[Ints, Any]:
        """Return where rows stand among the nodes, and which of them exist."""
        start, known = self._rows[type_name]
        wanted = np.array(row_ids, dtype=np.int64)
        at = np.searchsorted(known, wanted)
        there = at < len(known)
        there[there] = known[at[there]] == wanted[there]
        return start + at, there

    def _block(
        self, field: str, kind: int, ends: tuple[tuple[str, list[int]], ...], keys: Any = None
    ) -> _Block:
        """Return a block without references to what others have deleted."""
        (sources, one), (targets, other) = (self._places(*end) for end in ends)
        block = _Block(field, kind, sources, targets, keys)
        both = one & other
        return block if both.all() else block.only(both)

    def _singles(self, known: ClassMap, ref: RefColumn) -> Iterator[_Block]:
        c, name = known.table.c, known.type_name
        kind = REQUIRED if ref.plan.required else NULLABLE
        for target, key in ref.arcs.items():
            held = sa.select(c.id, key).where(key.is_not(None))
            sources, targets = columns_of(self.conn, held.order_by(c.id))
            yield self._block(ref.name, kind, ((name, sources), (target, targets)))

    def _lists(self, known: ClassMap, item: InverseList) -> Iterator[_Block]:
        members = self.catalog.members_of(known.type_name, item)
        columns = []
        for other, ref in members:
            assert ref.position is not None
            key = ref.arcs[known.type_name]
            listed = sa.select(key, ref.position, other.table.c.id)
            listed = listed.where(key.is_not(None), ref.position.is_not(None))
            columns.append(columns_of(self.conn, listed.order_by(key, ref.position)))
        numbers = numbered([(holders, positions) for holders, positions, _ in columns])
        for (other, _), (holders, _, ids), keys in zip(members, columns, numbers, strict=True):
            ends = ((known.type_name, holders), (other.type_name, ids))
            yield self._block(item.name, COLLECTION, ends, keys)

    def _links(self, known: ClassMap, item: Collection) -> Iterator[_Block]:
        owner, position = item.columns[:2]
        steps = nested_keys(self.conn, self.catalog, known, item)
        for target, column in item.arcs.items():
            wanted = [owner, column, position]
            if item.key is not None:
                wanted.append(item.key.column)
            query = sa.select(*wanted).where(column.is_not(None)).order_by(owner, position)
            sources, targets, places, *rest = columns_of(self.conn, query)
            keys: Any = np.array(places, dtype=np.int64)
            if item.skeleton is not None:
                keys = [steps.get(at, at[1]) for at in zip(sources, places, strict=True)]
            elif item.key is not None:
                place = (item.table.name, item.key.column.name)
                at = list(zip(sources, places, strict=True))
                keys = decoded(item.key.codec, rest[0], place, at)
            elif item.plan.container in (set, frozenset):
                keys = MEMBERS
            ends = ((known.type_name, sources), (target, targets))
            yield self._block(item.name, COLLECTION, ends, keys)
