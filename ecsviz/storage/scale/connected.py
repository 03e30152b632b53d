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
"""Up to how many edges the rest is found here, in one go."""


def put_components(engine: Engine, name: str, edges: str, nodes: str) -> None:
    """Keep under a name the weakly connected component of every node.

    Parameters
    ----------
    engine, name
        The engine; the name of the table: ``node``, ``component`` (the lowest of its nodes).
    edges, nodes
        Queries: ``source`` and ``target``; ``node``. Their numbers are below `PRIME`.

    Notes
    -----
    O(log n) statements; O(n + edges) rows in all of them together.
    """
    chance = random.Random(0)  # noqa: S311 - nobody is kept out by it
    engine.put(
        "ecs_e0",
        "SELECT DISTINCT least(source, target) AS u, greatest(source, target) AS w"
        f" FROM ({edges}) edges WHERE source <> target",
    )
    maps: list[tuple[int, int]] = []
    while _size(engine, f"ecs_e{len(maps)}") > FEW:
        maps.append((chance.randrange(1, PRIME), chance.randrange(PRIME)))
        _contract(engine, len(maps) - 1, *maps[-1])
    _put_rest(engine, f"ecs_e{len(maps)}")
    for number in reversed(range(len(maps))):
        _go_back(engine, number, maps[number + 1 :])
    engine.put(
        "ecs_every",
        f"SELECT n.node, l.r AS r FROM ({nodes}) n LEFT JOIN ecs_l0 l ON n.node = l.v",
    )
    engine.put(
        name,
        "SELECT node, node AS component FROM ecs_every WHERE r IS NULL UNION ALL"
        " SELECT x.node AS node, y.component AS component FROM ecs_every x JOIN (SELECT r,"
        " min(node) AS component FROM ecs_every WHERE r IS NOT NULL GROUP BY r) y ON x.r = y.r",
    )
    engine.drop("ecs_l0")
    engine.drop("ecs_every")


def _size(engine: Engine, name: str) -> int:
    count: int = engine.rows(f"SELECT count(*) AS n FROM {name}")["n"][0].as_py()
    return count


def _contract(engine: Engine, number: int, factor: int, shift: int) -> None:
    """Put which node each is drawn to, and the edges between those."""
    edges, drawn = f"ecs_e{number}", f"ecs_r{number}"
    hashed = f"({factor} * {{}} + {shift}) % {PRIME}"
    engine.put(
        drawn,
        f"SELECT v, least({hashed.format('v')}, min({hashed.format('x')})) AS r FROM"
        f" (SELECT u AS v, w AS x FROM {edges} UNION ALL SELECT w AS v, u AS x FROM {edges}) ends"
        " GROUP BY v",
    )
    engine.put(
        f"ecs_e{number + 1}",
        f"SELECT DISTINCT least(x.r, y.r) AS u, greatest(x.r, y.r) AS w FROM {edges} e"
        f" JOIN {drawn} x ON e.u = x.v JOIN {drawn} y ON e.w = y.v WHERE x.r <> y.r",
    )
    engine.drop(edges)


def _put_rest(engine: Engine, edges: str) -> None:
    """Put the components of the few edges that are left."""
    found = engine.rows(f"SELECT u, w FROM {edges}")
    ends = [found[name].to_numpy() for name in ("u", "w")]
    nodes, places = np.unique(np.concatenate(ends), return_inverse=True)
    labels = weak_components(len(nodes), *np.split(places, 2))
    engine.give(f"ecs_l{edges.removeprefix('ecs_e')}", {"v": nodes, "r": nodes[labels]})
    engine.drop(edges)


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


def _go_back(engine: Engine, number: int, later: list[tuple[int, int]]) -> None:
    """Put the component of the nodes of a round, from that of the round behind it.

    What was alone there is in no table: it is called what the later bijections make of it.
    """
    factor, shift = 1, 0
    for a, b in later:
        factor, shift = a * factor % PRIME, (a * shift + b) % PRIME
    engine.put(
        f"ecs_l{number}",
        f"SELECT x.v AS v, coalesce(l.r, ({factor} * x.r + {shift}) % {PRIME}) AS r"
        f" FROM ecs_r{number} x LEFT JOIN ecs_l{number + 1} l ON x.r = l.v",
    )
    engine.drop(f"ecs_r{number}")
    engine.drop(f"ecs_l{number + 1}")
