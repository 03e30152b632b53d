"""The dependency graph of what is stored, read as columns of row ids: no object is made."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import overload
from uuid import UUID

import numpy as np
from sqlalchemy.engine import Connection

from ecsviz.basics.garbage import collector_paused
from ecsviz.basics.order import Ints
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.storage.protocol import check_hops
from ecsviz.storage.relational.look.names import MOST_NAMED, NO_TEXTS, StoredEntity, names_of
from ecsviz.storage.relational.look.references import Block, StoredReferences
from ecsviz.storage.relational.schema.arcs import sides_of_arcs
from ecsviz.storage.relational.schema.catalog import Catalog


class _Told(Sequence[str]):
    """A text per reference, made when it is asked for: of a million, few ever are."""

    def __init__(self, blocks: list[Block], tell: Callable[[Block, int], str]) -> None:
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
    A statement per class and per column that refers, and one more per class for the names of
    100,000 entities or fewer; some 250 bytes a node and 30 a reference.
    """
    check_hops(hops)
    with collector_paused():
        found = StoredReferences(conn, catalog)
        blocks = found.read()
        return graph_of(found, blocks, None if root is None else found.ids.index(root), hops)


def graph_of(
    found: StoredReferences, blocks: list[Block], start: int | None, hops: int | None
) -> EntityDependencyGraph:
    """Return the graph of entities and their references, or of what one of them leads to.

    Parameters
    ----------
    found, blocks
        The entities, and the references among them.
    start
        The number of the one to begin with; None for all.
    hops
        How many references to follow from there; None for all.
    """
    chosen = None
    if start is not None:
        sources = [n for block in blocks for n in block.sources.tolist()]
        targets = [n for block in blocks for n in block.targets.tolist()]
        chosen = neighbourhood(len(found.ids), sources, targets, start, hops)
        place = np.full(len(found.ids), -1, dtype=np.int64)
        place[chosen] = np.arange(len(chosen))
        blocks = [_moved(block, place) for block in blocks]
    none = np.zeros(0, dtype=np.int64)
    nodes = _nodes(found, chosen)
    ids = [node.ecs_id for node in nodes]
    return EntityDependencyGraph.from_parts(
        nodes,
        ids,
        [node.type_name for node in nodes],
        np.concatenate([none, *(block.sources for block in blocks)]),
        np.concatenate([none, *(block.targets for block in blocks)]),
        _Told(blocks, lambda block, n: block.path(n, ids)),
        fields=_Told(blocks, lambda block, _: block.arc.field),
        kinds=np.concatenate(
            [none, *(np.full(len(block.sources), block.arc.weight) for block in blocks)]
        ),
        sides=lambda: np.repeat(
            np.array(sides_of_arcs(block.arc for block in blocks), dtype=np.int64),
            [len(block.sources) for block in blocks],
        ),
    )


def _nodes(found: StoredReferences, chosen: Sequence[int] | None) -> list[StoredEntity]:
    """Return nodes that know what they are called, unless there are too many."""
    numbers = range(len(found.ids)) if chosen is None else chosen
    if len(numbers) > MOST_NAMED:
        return [StoredEntity(found.ids[n], found.types[n]) for n in numbers]
    rows = found.rows_of(numbers)
    names = {
        name: names_of(
            found.conn, found.catalog, stored, None if chosen is None else list(rows[name])
        )
        for name, stored in found.catalog.mapping.stored.items()
        if name in rows
    }
    nodes = {
        number: StoredEntity(found.ids[number], name, names[name].get(row, NO_TEXTS))
        for name, those in rows.items()
        for row, number in those.items()
    }
    return [nodes[number] for number in numbers]


def _moved(block: Block, place: Ints) -> Block:
    """Return what is left of a block where only some nodes are, at their new places."""
    kept = block.only((place[block.sources] >= 0) & (place[block.targets] >= 0))
    kept.sources, kept.targets = place[kept.sources], place[kept.targets]
    return kept


def neighbourhood(
    n: int, sources: list[int], targets: list[int], root: int, hops: int | None
) -> list[int]:
    """Return the root and what it leads to within some hops, nearest first."""
    out: list[list[int]] = [[] for _ in range(n)]
    for source, target in zip(sources, targets, strict=True):
        out[source].append(target)
    distance = {root: 0}
    queue = [root]
    for node in queue:
        if hops is not None and distance[node] >= hops:
            continue
        for other in out[node]:
            if other not in distance:
                distance[other] = distance[node] + 1
                queue.append(other)
    return queue
