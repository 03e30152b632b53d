"""Whole components, as many at a time as the memory holds: what SQL cannot do in few statements."""

from __future__ import annotations

from typing import Final

from ecsviz.errors import GraphTooLargeError
from ecsviz.storage.scale.connected import put_components
from ecsviz.storage.scale.engines import Engine, Solve
from ecsviz.storage.scale.solving import CYCLE_COLUMNS, schema_of, solve_cycles, solve_order
from ecsviz.storage.scale.tables import EDGES, NODES

SOLVED: Final[dict[Solve, int]] = {solve_cycles: 64, solve_order: 300}
"""Bytes a row while a bucket is solved."""
TRIMS: Final = 4
"""How often nodes that end no reference, or begin none, are taken off before cycles are sought."""


def put_cycles(engine: Engine, name: str, references: int) -> None:
    """Keep under a name which nodes are in cycles: ``node``, ``component``.

    Parameters
    ----------
    engine, name
        The engine, with the tables of a graph.
    references
        How many references there are.
    """
    edges = _trimmed(engine, references)
    nodes = f"SELECT source AS node FROM {edges} UNION SELECT target AS node FROM {edges}"
    put_components(engine, "ecs_left", f"SELECT source, target FROM {edges}", nodes)
    kinds = f"(SELECT source, target, 0 AS kind FROM {edges})"
    in_buckets(engine, name, "ecs_left", kinds, "node", solve_cycles, CYCLE_COLUMNS)
    engine.drop("ecs_left")
    engine.drop(edges)


def _trimmed(engine: Engine, references: int) -> str:
    """Put the references that may be in a cycle, after a few looks; return the table."""
    edges, before = EDGES, references
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
        if after > before * 0.8:
            break
        before = after
    return edges


def in_buckets(
    engine: Engine,
    name: str,
    components: str,
    edges: str,
    order: str,
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
    order
        The column of nodes by which they are ordered in a bucket.
    solve, columns
        What is done with a bucket, and what that returns.

    Raises
    ------
    GraphTooLargeError
        If a component is more than the memory holds.
    """
    most = max(1, engine.memory // SOLVED[solve])
    engine.put(
        "ecs_sizes",
        "SELECT component, CAST(sum(n) AS BIGINT) AS n FROM"
        f" (SELECT component, 1 AS n FROM {components} UNION ALL"
        f" SELECT c.component, 1 AS n FROM {edges} e JOIN {components} c ON e.source = c.node)"
        " parts GROUP BY component",
    )
    largest = engine.rows("SELECT max(n) AS n FROM ecs_sizes")["n"][0].as_py() or 0
    if largest > most:
        raise GraphTooLargeError(
            f"{largest:,} nodes and references hang together, and the memory of"
            f" {engine.memory / 1e9:.3g} GB holds {most:,}. Give more: scan_graph(…,"
            f" memory='{largest * SOLVED[solve] / 1e9 + 0.1:.1f}GB'), or ask a part:"
            " subgraph(around=…, hops=…).",
            n=largest,
            limit=most,
        )
    half = max(1, most // 2)
    engine.put(
        "ecs_places",
        "SELECT c.node AS node, b.bucket AS bucket, row_number() OVER"
        f" (PARTITION BY b.bucket ORDER BY n.{order}) - 1 AS place FROM {components} c JOIN"
        " (SELECT component, CAST(floor((sum(n) OVER (ORDER BY component) - n) /"
        f" {half}) AS BIGINT) AS bucket FROM ecs_sizes) b ON c.component = b.component"
        f" JOIN {NODES} n ON c.node = n.node",
    )
    rows = (
        "SELECT a.bucket AS bucket, a.place AS one, b.place AS other,"
        f" CAST(e.kind AS INTEGER) AS kind FROM {edges} e JOIN ecs_places a ON"
        " e.source = a.node JOIN ecs_places b ON e.target = b.node UNION ALL"
        " SELECT bucket, place AS one, node AS other, CAST(-1 AS INTEGER) AS kind FROM ecs_places"
    )
    engine.per_bucket(name, rows, solve, schema_of(columns))
    engine.drop("ecs_places")
    engine.drop("ecs_sizes")
