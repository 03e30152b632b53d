"""Which nodes hang together, whichever way the arrows point: found by an engine, in few statements.

Randomised contraction (Bögeholz, Brand and Todor 2018): every node is drawn to the one of its
neighbours, or itself, that a random bijection makes the least, and what is drawn together is one
node of the next round. On any shape a quarter is gone on average after each round, so that there
are O(log n) of them, on graphs that shrink; rounds that walk along the arrows would be as many as
the graph is deep.
"""

from __future__ import annotations

import random
from typing import Final

import numpy as np

from ecsviz.basics.order import Ints
from ecsviz.storage.scale.engines import Engine

PRIME: Final = 2**31 - 1
"""Bijections are ``(a * v + b) % PRIME``: products of two such numbers fit 64 bits."""
FEW: Final = 200_000
"""Up to how many edges the rest is found here, in one go, whatever the numbers of its nodes."""
ARRAYS: Final = 32
"""Bytes an edge while scipy looks for components: two int32, the same by rows, and copies."""


def fits(engine: Engine, edges: int, highest: int) -> bool:
    """Tell whether edges among nodes up to a number fit the memory as arrays."""
    return ARRAYS * edges + 16 * highest <= engine.memory and highest < 2**31 - 1


def put_components(engine: Engine, name: str, edges: str, nodes: str, highest: int) -> None:
    """Keep under a name the weakly connected component of every node.

    Parameters
    ----------
    engine, name
        The engine; the name of the table: ``node``, ``component`` (the lowest of its nodes).
    edges, nodes
        Queries: ``source`` and ``target``; ``node``. Their numbers are below `PRIME`.
    highest
        The highest number of a node.

    Notes
    -----
    O(log n) statements; O(n + edges) rows in all of them together. What is left is found in
    arrays as soon as it fits the memory.
    """
    chance = random.Random(0)  # noqa: S311 - nobody is kept out by it
    engine.put(
        "ecs_e0",
        "SELECT DISTINCT least(source, target) AS u, greatest(source, target) AS w"
        f" FROM ({edges}) edges WHERE source <> target",
    )
    rounds = 0
    while (size := _size(engine, f"ecs_e{rounds}")) > FEW and not fits(engine, size, highest):
        _contract(engine, rounds, chance.randrange(1, PRIME), chance.randrange(PRIME))
        rounds += 1
    _put_rest(engine, f"ecs_e{rounds}", highest if fits(engine, size, highest) else None)
    for number in reversed(range(rounds)):
        engine.put(
            f"ecs_l{number}",
            f"SELECT x.v AS v, coalesce(l.r, x.r) AS r FROM ecs_r{number} x"
            f" LEFT JOIN ecs_l{number + 1} l ON x.r = l.v",
        )
        engine.drop(f"ecs_r{number}")
        engine.drop(f"ecs_l{number + 1}")
    engine.put(
        "ecs_every",
        f"SELECT n.node AS node, coalesce(l.r, n.node) AS r FROM ({nodes}) n"
        " LEFT JOIN ecs_l0 l ON n.node = l.v",
    )
    engine.drop("ecs_l0")
    engine.put(
        name,
        "SELECT x.node AS node, y.component AS component FROM ecs_every x JOIN"
        " (SELECT r, min(node) AS component FROM ecs_every GROUP BY r) y ON x.r = y.r",
    )
    engine.drop("ecs_every")


def _size(engine: Engine, name: str) -> int:
    count: int = engine.rows(f"SELECT count(*) AS n FROM {name}")["n"][0].as_py()
    return count


def _contract(engine: Engine, number: int, factor: int, shift: int) -> None:
    """Put which node each is drawn to, and the edges between those."""
    edges, drawn = f"ecs_e{number}", f"ecs_r{number}"
    hashed = f"({factor} * {{}} + {shift}) % {PRIME}"
    least = f"least({hashed.format('v')}, min({hashed.format('x')}))"
    engine.put(
        drawn,  # the node that has the least, by the inverse of the bijection
        f"SELECT v, ({least} + {PRIME - shift}) * {pow(factor, -1, PRIME)} % {PRIME} AS r FROM"
        f" (SELECT u AS v, w AS x FROM {edges} UNION ALL SELECT w AS v, u AS x FROM {edges}) ends"
        " GROUP BY v",
    )
    engine.put(
        f"ecs_e{number + 1}",
        f"SELECT DISTINCT least(x.r, y.r) AS u, greatest(x.r, y.r) AS w FROM {edges} e"
        f" JOIN {drawn} x ON e.u = x.v JOIN {drawn} y ON e.w = y.v WHERE x.r <> y.r",
    )
    engine.drop(edges)


def _put_rest(engine: Engine, edges: str, highest: int | None) -> None:
    """Put the components of the edges that are left, among nodes of any numbers or up to one."""
    kind = "BIGINT" if highest is None else "INTEGER"
    found = engine.rows(f"SELECT CAST(u AS {kind}) AS u, CAST(w AS {kind}) AS w FROM {edges}")
    engine.drop(edges)
    u, w = (found[name].to_numpy() for name in ("u", "w"))
    if highest is None:
        nodes, places = np.unique(np.concatenate([u, w]), return_inverse=True)
        labels = nodes[weak_components(len(nodes), *np.split(places, 2))]
    else:
        there = np.zeros(highest + 1, dtype=bool)
        there[u] = there[w] = True
        nodes = np.flatnonzero(there)
        labels = weak_components(highest + 1, u, w)[nodes]
    engine.give(f"ecs_l{edges.removeprefix('ecs_e')}", {"v": nodes, "r": labels})


def weak_components(n: int, sources: Ints, targets: Ints) -> Ints:
    """Return the lowest node of the weakly connected component of every node, shape (n,).

    Examples
    --------
    >>> weak_components(4, np.array([2, 3]), np.array([0, 3])).tolist()
    [0, 1, 0, 3]
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(sources), dtype=np.int8)
    matrix = csr_array((ones, (sources, targets)), shape=(n, n))
    return lowest(connected_components(matrix, directed=False)[1].astype(np.int64))


def lowest(labels: Ints) -> Ints:
    """Return for every node the lowest one with the same label, shape (n,).

    Examples
    --------
    >>> lowest(np.array([1, 0, 1])).tolist()
    [0, 1, 0]
    """
    first = np.zeros(int(labels.max(initial=0)) + 1, dtype=np.int64)
    nodes = np.arange(len(labels))
    first[labels[::-1]] = nodes[::-1]  # what is written last stays
    return first[labels]
