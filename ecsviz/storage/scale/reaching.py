"""What is near a node: by a statement per hop, or in arrays where many must be followed."""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np

from ecsviz.basics.order import Ints
from ecsviz.storage.scale.engines import Engine
from ecsviz.storage.scale.tables import EDGES

Along = Literal["out", "in", "both"]

_OUT: Final = ("source", "target")
_IN: Final = ("target", "source")
WAYS: Final[dict[str, list[tuple[str, str]]]] = {
    "out": [_OUT],
    "in": [_IN],
    "both": [_OUT, _IN],
}
"""From which column to which a hop leads."""

FEW: Final = 1_000
"""Up to how many nodes are named in a statement; more are a table."""


def by_statements(engine: Engine, start: int, rounds: int, along: Along) -> tuple[Ints, Ints]:
    """Return what is reached within some hops, the nearest first, and after how many."""
    reached = {start: 0}
    fresh = [start]
    for hop in range(1, rounds + 1):
        among = f"({', '.join(map(str, fresh))})"
        if len(fresh) > FEW:
            engine.give("ecs_near", {"node": np.array(fresh, dtype=np.int64)})
            among = "(SELECT node FROM ecs_near)"
        ways = [
            f"SELECT e.{b} AS node FROM {EDGES} e WHERE e.{a} IN {among}" for a, b in WAYS[along]
        ]
        found = engine.rows(f"SELECT DISTINCT node FROM ({' UNION ALL '.join(ways)}) near")
        fresh = [node for node in sorted(found["node"].to_pylist()) if node not in reached]
        reached.update(dict.fromkeys(fresh, hop))
        if not fresh:
            break
    engine.drop("ecs_near")
    nodes = np.array(list(reached), dtype=np.int64)
    return nodes, np.array(list(reached.values()), dtype=np.int64)


def nearest(
    n: int, sources: Any, targets: Any, start: int, hops: int | None, along: Along
) -> tuple[Ints, Ints]:
    """Return the same in arrays.

    Parameters
    ----------
    n, sources, targets
        How many numbers of nodes there are, and the edges.
    start, hops, along
        From where, how far (None for as far as it goes), and which way.

    Notes
    -----
    O(n + edges), however deep.

    Examples
    --------
    >>> found = nearest(4, np.array([0, 1, 3]), np.array([1, 2, 0]), 0, None, "out")
    >>> [each.tolist() for each in found]
    [[0, 1, 2], [0, 1, 2]]
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order

    if along == "in":
        sources, targets = targets, sources
    ones = np.ones(len(sources), dtype=np.int8)
    matrix = csr_array((ones, (sources, targets)), shape=(n, n))
    nodes, before = breadth_first_order(matrix, start, directed=along != "both")
    far = [0] * len(nodes)
    place = dict(zip(nodes.tolist(), range(len(nodes)), strict=True))
    for number, node in enumerate(before[nodes[1:]].tolist(), 1):
        far[number] = far[place[node]] + 1
    found = np.array(far, dtype=np.int64)
    near = slice(None) if hops is None else found <= hops
    return nodes.astype(np.int64)[near], found[near]
