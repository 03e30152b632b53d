"""Whole components, as many at a time as the memory holds: what SQL cannot do in few statements."""

from __future__ import annotations

from typing import Final

from ecsviz.errors import GraphTooLargeError
from ecsviz.storage.scale.engines import Engine, Solve
from ecsviz.storage.scale.solving import schema_of, solve_cycles, solve_order
from ecsviz.storage.scale.tables import EDGES, NODES

SOLVED: Final[dict[Solve, int]] = {solve_cycles: 64, solve_order: 300}
"""Bytes a row while a bucket is solved."""
TRIMS: Final = 4
"""How often nodes that end no reference, or begin none, are taken off before cycles are sought."""
WORTH: Final = 0.8
"""They are taken off where less than this part is left."""


def trimmed(engine: Engine, counts: dict[str, int]) -> str:
    """Put the references that may be in a cycle, if there are much fewer; return the table.

    Parameters
    ----------
    engine, counts
        The engine, with the tables of a graph; how many nodes and references there are.
    """
    ends = engine.rows(
        "SELECT approx_count_distinct(source) AS s, approx_count_distinct(target) AS t"
        f" FROM {EDGES}"
    )
    edges, before = EDGES, counts["references"]
    if min(ends["s"][0].as_py(), ends["t"][0].as_py()) > WORTH * counts["nodes"]:
        return edges
    for number in range(TRIMS):
        name = f"ecs_trim{number}"
        engine.put(
            name,
            f"SELECT e.source AS source, e.target AS target FROM {edges} e"
            f" JOIN (SELECT DISTINCT target AS node FROM {edges}) i ON e.source = i.node"
            f" JOIN (SELECT DISTINCT source AS node FROM {edges}) o ON e.target = o.node",
        )
        if edges != EDGES:
            engine.drop(edges)
        edges = name
        after = engine.rows(f"SELECT count(*) AS n FROM {name}")["n"][0].as_py()
        if after > before * WORTH:
            break
        before = after
    return edges


def in_buckets(
    engine: Engine,
    name: str,
    components: str,
    edges: str,
    number: str,
    order: str | None,
    solve: Solve,
    columns: dict[str, str],
) -> None:
    """Keep under a name what is found in whole components.

    Parameters
    ----------
    engine, name
        The engine, with the tables of a graph.
    components
        A table: ``node``, ``component``.
    edges
        A query: ``source``, ``target``, ``kind``.
    number
        The SQL type of the numbers of nodes, of which the engine holds many.
    order
        The SQL of what orders the nodes ``n`` of a bucket, if anything must.
    solve, columns
        What is done with a bucket, and what that returns.

    Raises
    ------
    GraphTooLargeError
        If a component is more than the memory holds.

    Notes
    -----
    References and components are joined once; which bucket a component is in is a small table.
    """
    most = max(1, engine.room // SOLVED[solve])
    engine.put(
        "ecs_inside",
        f"SELECT CAST(c.component AS {number}) AS component, CAST(e.source AS {number}) AS source,"
        f" CAST(e.target AS {number}) AS target, CAST(e.kind AS TINYINT) AS kind"
        f" FROM {edges} e JOIN {components} c ON e.source = c.node",
    )
    engine.put(
        "ecs_sizes",
        "SELECT component, CAST(sum(n) AS BIGINT) AS n FROM"
        f" (SELECT component, count(*) AS n FROM {components} GROUP BY component UNION ALL"
        " SELECT component, count(*) AS n FROM ecs_inside GROUP BY component) parts"
        " GROUP BY component",
    )
    largest = engine.rows("SELECT max(n) AS n FROM ecs_sizes")["n"][0].as_py() or 0
    if largest > most:
        raise GraphTooLargeError(
            f"{largest:,} nodes and references hang together, and the memory of"
            f" {engine.memory / 1e9:.3g} GB holds {most:,}. Give more: scan_graph(…,"
            f" memory='{_enough(engine, largest * SOLVED[solve]) / 1e9 + 0.1:.1f}GB'), or ask a"
            " part: subgraph(around=…, hops=…).",
            n=largest,
            limit=most,
        )
    half = max(1, most // 2)
    engine.put(
        "ecs_places",
        "SELECT component, CAST(floor((sum(n) OVER (ORDER BY component) - n) /"
        f" {half}) AS BIGINT) AS bucket FROM ecs_sizes",
    )
    engine.drop("ecs_sizes")
    nodes = (
        f"SELECT b.bucket AS bucket, CAST(c.node AS {number}) AS one, CAST(0 AS {number}) AS other"
        f" FROM {components} c JOIN ecs_places b ON c.component = b.component"
    )
    if order is not None:
        engine.put(
            "ecs_ranks",
            "SELECT p.bucket AS bucket, p.one AS one, CAST(row_number() OVER"
            f" (PARTITION BY p.bucket ORDER BY {order}) - 1 AS {number}) AS other"
            f" FROM ({nodes}) p JOIN {NODES} n ON p.one = n.node",
        )
        nodes = "SELECT bucket, one, other FROM ecs_ranks"
    rows = (
        "SELECT b.bucket AS bucket, i.source AS one, i.target AS other,"
        " i.kind AS kind FROM ecs_inside i"
        " JOIN ecs_places b ON i.component = b.component UNION ALL"
        f" SELECT bucket, one, other, CAST(-1 AS TINYINT) AS kind FROM ({nodes}) nodes_of"
    )
    with engine.lend((half + largest) * SOLVED[solve]):
        engine.per_bucket(name, rows, solve, schema_of(columns))
    for each in ("ecs_inside", "ecs_places", "ecs_ranks"):
        engine.drop(each)


def _enough(engine: Engine, size: int) -> int:
    """Return which memory has room for so many bytes in arrays."""
    return size + engine.memory - engine.room
