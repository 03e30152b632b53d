"""Which nodes hang together, whichever way the arrows point: found by an engine, in few statements.

Randomised contraction (Bögeholz, Brand and Todor 2018): every node is drawn to the one of its
neighbours, or itself, that a random bijection makes the least, and what is drawn together is one
node of the next round. On any shape a quarter is gone on average after each round, so that there
are O(log n) of them, on graphs that shrink; rounds that walk along the arrows would be as many as
the graph is deep.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np

from ecsviz.basics.order import Ints
from ecsviz.storage.scale.engines import Engine
from ecsviz.storage.scale.solving import check_ends, lowest

PRIME: Final = 2**31 - 1
"""Bijections are ``(a * v + b) % PRIME``: products of two such numbers fit 64 bits."""
BATCH: Final = 2**20
"""How many rows come at a time."""
_DTYPES: Final = {"INTEGER": np.int32, "BIGINT": np.int64}
FEW: Final = 200_000
"""Up to how many edges the rest is found here, in one go, whatever the numbers of its nodes."""
NODE: Final = 40
"""Bytes a node while its component is sought in arrays: labels, edges of a part, the answer."""
EDGE: Final = 16
"""Bytes an edge that is held: two int32, and the same by rows."""


def taken(highest: int, edges: int = 0) -> int:
    """Return how many bytes arrays take of nodes up to a number, and of edges that are held."""
    return NODE * highest + EDGE * edges


def fits(engine: Engine, highest: int, edges: int = 0) -> bool:
    """Tell whether nodes up to a number, and edges that are held, fit the memory as arrays."""
    return taken(highest, edges) <= engine.room and highest < 2**31 - 1


def put_components(
    engine: Engine, name: str, edges: str, nodes: str, highest: int, count: int
) -> None:
    """Keep under a name the weakly connected component of every node.

    Parameters
    ----------
    engine, name
        The engine; the name of the table: ``node``, ``component`` (the lowest of its nodes).
    edges, nodes
        Queries: ``source`` and ``target``; ``node``. Their numbers are below `PRIME`.
    highest, count
        The highest number of a node; how many edges there are.

    Notes
    -----
    Where the memory holds the nodes as arrays, by one statement, some edges at a time. Else by
    O(log n) statements; O(n + edges) rows in all of them together. What is left is found in
    arrays as soon as it fits.
    """
    if fits(engine, highest, _held(engine, count)):
        _give_components(engine, name, edges, nodes, highest, count)
        return
    chance = random.Random(0)  # noqa: S311 - nobody is kept out by it
    engine.put(
        "ecs_e0",
        "SELECT DISTINCT least(source, target) AS u, greatest(source, target) AS w"
        f" FROM ({edges}) edges WHERE source <> target",
    )
    rounds = 0
    while (size := _size(engine, f"ecs_e{rounds}")) > FEW and not fits(
        engine, highest, _held(engine, size)
    ):
        _contract(engine, rounds, chance.randrange(1, PRIME), chance.randrange(PRIME))
        rounds += 1
    fit = fits(engine, highest, _held(engine, size))
    _put_rest(engine, f"ecs_e{rounds}", highest if fit else None)
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


def _held(engine: Engine, edges: int) -> int:
    """Return how many of some edges are held while components are sought."""
    return 0 if engine.streams else edges


def _give_components(
    engine: Engine, name: str, edges: str, nodes: str, highest: int, count: int
) -> None:
    """Keep under a name the component of every node, found in arrays."""
    with engine.lend(taken(highest, _held(engine, count))):
        labels = weak_components(highest + 1, _parts(engine, edges, highest))
        (numbers,) = filled(engine, nodes, highest, "node", kind="BIGINT")
        engine.give(name, {"node": numbers, "component": labels[numbers]})


def filled(engine: Engine, sql: str, most: int, *names: str, kind: str = "INTEGER") -> list[Ints]:
    """Return the columns of a query, of so many rows at the most, without a second copy of them."""
    found = [np.empty(most, dtype=_DTYPES[kind]) for _ in names]
    end = 0
    for batch in engine.batches(_cast(sql, kind, *names), BATCH):
        begin, end = end, end + batch.num_rows
        for array, column in zip(found, batch.columns, strict=True):
            array[begin:end] = column.to_numpy()
    return [array[:end] for array in found]


def _cast(sql: str, kind: str, *names: str) -> str:
    columns = (f"CAST({name} AS {kind}) AS {name}" for name in names)
    return f"SELECT {', '.join(columns)} FROM ({sql}) x"


def _parts(engine: Engine, edges: str, highest: int) -> Iterator[tuple[Ints, Ints]]:
    """Yield the ends of edges, some at a time: few beside the nodes, many beside a round."""
    sql = _cast(edges, "INTEGER", "source", "target")
    for batch in engine.batches(sql, max(highest // 4, BATCH)):
        ends = batch.column(0).to_numpy(), batch.column(1).to_numpy()
        for end in ends:
            check_ends(end, 0, highest)
        yield ends


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
        labels = nodes[weak_components(len(nodes), [np.split(places, 2)])]
    else:
        there = np.zeros(highest + 1, dtype=bool)
        there[u] = there[w] = True
        nodes = np.flatnonzero(there)
        labels = weak_components(highest + 1, [(u, w)])[nodes]
    engine.give(f"ecs_l{edges.removeprefix('ecs_e')}", {"v": nodes, "r": labels})


def weak_components(n: int, parts: Iterable[Sequence[Ints]]) -> Ints:
    """Return the lowest node of the weakly connected component of every node, shape (n,).

    Parameters
    ----------
    n, parts
        How many nodes; the ends of the edges, some at a time.

    Notes
    -----
    What a part draws together is one node for the next, so that no edge need be held.

    Examples
    --------
    >>> parts = [(np.array([2, 3]), np.array([0, 3])), (np.array([3]), np.array([2]))]
    >>> weak_components(4, parts[:1]).tolist(), weak_components(4, parts).tolist()
    ([0, 1, 0, 3], [0, 1, 0, 0])
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    labels: Any = np.arange(n, dtype=np.int32)
    for sources, targets in parts:
        ends = labels[sources], labels[targets]
        matrix = csr_array((np.ones(len(sources), dtype=np.int8), ends), shape=(n, n))
        n, found = connected_components(matrix, directed=False)
        labels = found[labels]
    return lowest(labels)
