"""The command that asks a graph in a folder, which no memory needs to hold: scale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ecsviz.cli.output import examples, note, show_facts, show_table
from ecsviz.storage.scale.engines import DEFAULT_MEMORY
from ecsviz.storage.scale.layout import GRAPH
from ecsviz.storage.scale.lazy_graph import LazyGraph
from ecsviz.storage.scale.opening import scan_graph

LINES = 20
"""How many lines of a list are printed by default."""


@click.command(
    "scale",
    epilog=examples(
        "ecsviz export chats.db --to parquet-graph --out graph",
        "ecsviz scale graph --components --in-cycle --degrees",
        "ecsviz scale calls.csv --source caller --target callee --in-cycle",
        "ecsviz scale graph --engine spark --remote sc://localhost:50051 --components",
    ),
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--components", is_flag=True, help="List what hangs together, the largest first.")
@click.option("--in-cycle", is_flag=True, help="List the cyclic components, the largest first.")
@click.option("--degrees", is_flag=True, help="List the nodes with the most references.")
@click.option("--check", is_flag=True, help="First hold every file of FOLDER against its digest.")
@click.option("--limit", type=click.IntRange(min=0), default=LINES, help="Lines of each list.")
@click.option("--memory", default=DEFAULT_MEMORY, help="How much it may take, as 16GB.")
@click.option(
    "--engine", type=click.Choice(["duckdb", "spark"]), default="duckdb", help="Who asks."
)
@click.option("--remote", metavar="URL", help="Of Spark: its server, as sc://localhost:50051.")
@click.option("--source", default="source", help="In files of others: the column of who holds …")
@click.option("--target", default="target", help="… and of what is held.")
def scale_command(
    folder: Path,
    components: bool,
    in_cycle: bool,
    degrees: bool,
    check: bool,
    limit: int,
    memory: str,
    engine: str,
    remote: str | None,
    **ends: str,
) -> None:
    """Ask a graph that stays in files: FOLDER, or files of Parquet or CSV with two columns of ids.

    DuckDB answers, and spills to disk what its memory does not hold; or Spark, by its server.
    """
    if (engine == "spark") != (remote is not None):
        raise click.UsageError("--engine spark and --remote URL belong together.")
    with _opened(folder, {"engine": remote, "memory": memory}, ends, check) as graph:
        if not (components or in_cycle or degrees):
            _show_counts(graph)
        if components:
            sizes = graph.components()["component"].value_counts(sort=False)
            sizes = sizes.reset_index().sort_values(["count", "component"], ascending=[False, True])
            _show(["component", "nodes"], sizes.itertuples(index=False), limit, len(sizes))
        if in_cycle:
            cyclic = graph.cyclic_components()
            _show(["cyclic component", "nodes"], cyclic.itertuples(index=False), limit, len(cyclic))
        if degrees:
            _show_degrees(graph, limit)


def _opened(folder: Path, asked: dict[str, Any], ends: dict[str, str], check: bool) -> LazyGraph:
    if (folder / GRAPH).exists() or not folder.exists():
        return scan_graph(folder, check=check, **asked)
    if check:
        raise click.UsageError("--check needs a FOLDER that ecsviz wrote: others note no digests.")
    return LazyGraph.from_edges(folder, **ends, **asked)


def _show_counts(graph: LazyGraph) -> None:
    counts = graph.counts()
    references = int(counts["references"].sum())
    show_facts([("nodes", len(graph)), ("references", references), ("status", graph.status.value)])
    click.echo()
    show_table(list(counts.columns), counts.itertuples(index=False))


def _show_degrees(graph: LazyGraph, limit: int) -> None:
    frame = graph.degrees()
    most = frame.assign(all=frame["dependencies"] + frame["dependents"])
    most = most.sort_values(["all", "node"], ascending=[False, True]).head(limit)
    ids = graph.ids(most["node"])
    columns = (most["dependencies"], most["dependents"])
    rows = zip(most["node"], map(str, ids), *columns, strict=True)
    _show(["node", "id", "dependencies", "dependents"], rows, limit, len(frame))


def _show(names: list[str], rows: Any, limit: int, size: int) -> None:
    show_table(names, list(rows)[:limit])
    if size > limit:
        note(f"The first {limit:,} of {size:,}; --limit shows more.")
