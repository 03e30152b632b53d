"""Commands that show or write a graph: graph, export."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import click

from ecsviz import export
from ecsviz.basics.addresses import short_path
from ecsviz.basics.files import replacing, returned_or_written
from ecsviz.cli.output import OutPath, bars, examples, note, show_facts, show_table
from ecsviz.cli.sources import (
    at_end,
    chats_of,
    classes_option,
    is_database,
    is_store,
    load_classes,
    open_graph,
    open_store,
    read,
    with_classes,
)
from ecsviz.domain.fields import complete_fields
from ecsviz.domain.labels import label_of
from ecsviz.errors import (
    InvalidArgumentError,
    SchemaOutdatedError,
    UnknownTypeError,
    did_you_mean,
)
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.importers.database import read_database
from ecsviz.storage.relational.classless import BareStore, Table
from ecsviz.storage.relational.schema.catalog import find_class
from ecsviz.storage.relational.store import SQLAlchemyEntityStorage

_PICTURES = frozenset({".svg", ".png", ".pdf"})


@click.command(
    "graph",
    epilog=examples(
        "ecsviz graph chats.db --types --cycles",
        "ecsviz graph conversations.json --order | head",
        "ecsviz graph shop.sqlite --out shop.svg",
        "ecsviz graph postgresql+psycopg://user@host/shop --cycles",
    ),
)
@click.argument("source")
@click.option("--cycles", is_flag=True, help="List the cycles, shortest first.")
@click.option("--order", is_flag=True, help="List the topological order: dependencies first.")
@click.option("--out", type=OutPath(), help="Draw into a file: .svg, .png, .pdf.")
@click.option("--types", is_flag=True, help="The classes of a store instead of its entities.")
@click.option("--root", metavar="ECS_ID", help="Only what this entity of a store leads to …")
@click.option("--hops", type=click.IntRange(min=0), help="… in so many steps.")
@click.option("--limit", type=click.IntRange(min=0), help="How many lines of a list at the most.")
@click.option("--format", "format_", help="What a file is; recognised by content by default.")
def graph_command(
    source: str,
    cycles: bool,
    order: bool,
    out: Path | None,
    types: bool,
    root: str | None,
    hops: int | None,
    limit: int | None,
    format_: str | None,
) -> None:
    """Show the dependency graph of SOURCE: a store, another database, or a file with chats.

    Of a store it is the graph of its entities, of another database that of its tables.
    """
    if out is not None and out.suffix.lower() not in _PICTURES:
        known = ", ".join(sorted(_PICTURES))
        raise click.BadParameter(
            f"{out.name} is no picture; the endings are {known}. For other formats there is"
            " 'ecsviz export'.",
            param_hint="--out",
        )
    graph = open_graph(source, format=format_, root=root, hops=hops, types=types)
    if cycles:
        _show_cycles(graph, limit)
    if order:
        _show_order(graph, limit)
    if not cycles and not order:
        show_facts(
            [
                ("nodes", len(graph)),
                ("references", len(graph.references)),
                ("status", graph.status.value),
                ("pairs", len(graph.pairs)),
                ("cyclic components", len(graph.cyclic_components())),
                ("deferred references", len(graph.deferred)),
                ("generations", len(graph.generations())),
            ]
        )
    if out is not None:
        _draw(graph, out)


def _show_cycles(graph: EntityDependencyGraph, limit: int | None) -> None:
    found = graph.get_cycles() if limit is None else graph.get_cycles(limit)
    rows = ((len(cycle), cycle.named()) for cycle in found)
    show_table(["length", "cycle"], rows)
    if not found.complete:
        note(f"Not all: {found.reason.partition(';')[0]}.")


def _show_order(graph: EntityDependencyGraph, limit: int | None) -> None:
    frame = graph.nodes_frame().sort_values("order")
    labels = [label_of(node, 60, with_type=False) for node in graph.get_topological_sort()[:limit]]
    columns = (frame[name].tolist()[:limit] for name in _ORDER)
    show_table([*_ORDER, "label"], islice(zip(*columns, labels, strict=True), limit))


_ORDER = ("order", "generation", "type", "ecs_id", "in_cycle")


def _draw(graph: EntityDependencyGraph, out: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")  # a file needs no display
    from matplotlib import pyplot as plt

    axes = graph.draw()
    figure: Any = axes.figure
    # Nothing that differs from run to run, so that the same graph is the same file.
    metadata = {"Date": None} if out.suffix == ".svg" else None
    with mpl.rc_context({"svg.hashsalt": "ecsviz"}), replacing(out) as part:
        figure.savefig(part, bbox_inches="tight", metadata=metadata)
    plt.close(figure)
    note(f"Written: {out}")


# -- export ----------------------------------------------------------------------------------


def _json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


_TEXTS: dict[str, Callable[[EntityDependencyGraph], str]] = {
    "mermaid": lambda graph: graph.to_mermaid(),
    "dot": lambda graph: graph.to_dot(),
    "graphml": export.graphml_text,
    "cytoscape": lambda graph: _json(graph.to_cytoscape()),
    "json": lambda graph: _json(export.to_node_link(graph)),
}
_TABLES = ("csv", "xlsx", "parquet")
_SCHEMA = "erdiagram"
_FOLDER = "parquet-graph"
_CHATS: dict[str, Callable[[Any], str | Path]] = {
    "chatgpt": export.to_chatgpt,
    "oasst": export.to_oasst,
}
_KINDS = click.Choice([*_TABLES, _FOLDER, *_TEXTS, *_CHATS, _SCHEMA])


@click.command(
    "export",
    epilog=examples(
        "ecsviz export chats.db --to csv --out tables/",
        "ecsviz export chats.db --to csv --table chat_messages > messages.csv",
        "ecsviz export chats.db --to xlsx --out chats.xlsx",
        "ecsviz export conversations.json --to dot | dot -Tsvg > chats.svg",
        "ecsviz export chats.db --to chatgpt --out conversations.json",
        "ecsviz export chats.db --to parquet-graph --out graph",
    ),
)
@click.argument("source")
@click.option("--to", "kind", required=True, type=_KINDS)
@click.option("--out", type=OutPath(), help="The file, or for csv and parquet the folder.")
@click.option("--table", help="With csv: only this table; without --out it is printed.")
@click.option("--unsafe", is_flag=True, help="csv, xlsx: keep cells that a spreadsheet would run.")
@click.option("--types", is_flag=True, help="The graph of a store's classes, not its entities.")
@click.option("--format", "format_", help="What a file is; recognised by content by default.")
@classes_option
def export_command(
    source: str,
    kind: str,
    out: Path | None,
    table: str | None,
    unsafe: bool,
    types: bool,
    format_: str | None,
    modules: Sequence[str],
) -> None:
    """Write SOURCE in the formats of other programs.

    csv and xlsx hold the tables of a store, parquet its whole graph in the layout of GraphFrames
    (vertices and edges), and parquet-graph in that of 'ecsviz scale', whatever its size; mermaid,
    dot, graphml, cytoscape and json hold the graph, which is printed where no --out is given;
    chatgpt and oasst the chats with all branches, as ChatGPT and Open-Assistant write them;
    erdiagram the tables with columns and keys, for Mermaid. Cells that a spreadsheet would run as
    formulas (= + - @ at the beginning) get an apostrophe in front.
    """
    if out is not None and out.exists() and Path(source).exists() and out.samefile(source):
        raise click.UsageError("--out is SOURCE, which would be replaced. Give another path.")
    if kind == _SCHEMA:
        load_classes(modules)
        _write(str(export.to_er_diagram(_schema_of(source, format_))), out)
        return
    if kind in _CHATS:
        _write(str(_CHATS[kind](chats_of(source, format_))), out)
        return
    if kind in _TEXTS:
        graph = open_graph(source, format=format_, types=types)
        _write(_TEXTS[kind](graph), out)
        return
    if out is None and table is None:
        raise click.UsageError(f"--to {kind} needs --out.")
    if kind == _FOLDER and out is not None:
        _export_folder(source, out, modules)
        return
    if kind == "parquet":
        _export_parquet(source, out, format_, modules)
        return
    load_classes(modules)
    _export_tables(source, kind, out, table, safe=not unsafe)


def _schema_of(source: str, format_: str | None) -> Any:
    """Return what has tables or classes: a store, another database, or the classes of chats."""
    if format_ is not None or not is_database(source):
        return {type(thread): None for thread in read(source, format_)}
    if is_store(source):
        return open_store(source)
    database = read_database(source)
    at_end(database.close)
    return database


def _write(text: str, out: Path | None) -> None:
    if out is None:
        click.echo(text, nl=False)
        return
    returned_or_written(text, out)
    note(f"Written: {out}")


def _export_parquet(
    source: str, out: Path | None, format_: str | None, modules: Sequence[str]
) -> None:
    if out is None:
        raise click.UsageError("--to parquet needs --out.")
    if format_ is None and is_database(source):
        store = open_store(source)
        with store.inside.one_state():
            entities: Any = with_classes(
                modules, lambda: store.get_many(store.inside.every_id(None), progress=bars())
            )
    else:
        entities = read(source, format_)
    export.to_parquet(entities, out)
    note(f"Written: {out}")


def _export_folder(source: str, out: Path, modules: Sequence[str]) -> None:
    if not is_database(source) or not is_store(source):
        raise _no_store(source)
    store = open_store(source)
    with_classes(modules, lambda: store.to_parquet(out, progress=bars()))
    note(f"Written: {out}")


def _no_store(source: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"{short_path(source)} is no store, and only those have tables here. For chats:"
        " 'ecsviz import FILE --store STORE' first."
    )


def _export_tables(
    source: str, kind: str, out: Path | None, table: str | None, *, safe: bool
) -> None:
    if not is_database(source) or not is_store(source):
        raise _no_store(source)
    store = open_store(source)
    tables = [t for t in BareStore(store).tables() if t.kind in ("entities", "references")]
    names = [t.name for t in tables]
    if table is not None and table not in names:
        raise InvalidArgumentError(f"There is no table {table!r}.{did_you_mean(table, names)}")
    chosen = names if table is None else [table]
    frames = {t.name: _frame(store, t) for t in tables if t.name in chosen}
    if kind == "xlsx":
        if out is None:
            raise click.UsageError("--to xlsx needs --out.")
        export.to_excel(frames, out, safe=safe)
        note(f"Written: {out}")
    elif out is None:
        click.echo(export.to_csv(frames[chosen[0]], safe=safe, index=False), nl=False)
    else:
        out.mkdir(parents=True, exist_ok=True)
        for name, frame in frames.items():
            export.to_csv(frame, out / f"{name}.csv", safe=safe, index=False)
        note(f"Written: {out}/ ({len(frames)} files)")


def _frame(store: SQLAlchemyEntityStorage, table: Table) -> Any:
    """Return a table as its class has it, or as it stands where the class is unknown."""
    cls = find_class(BareStore(store).types()[table.type_name])
    if cls is not None and table.kind == "entities":
        try:
            frame = store.frame(cls)
        except (UnknownTypeError, SchemaOutdatedError):
            return store.frame(table.name)
        kinds = "type_" if "type" in complete_fields(cls) else "type"
        if kinds in frame:  # the entities of subclasses have files of their own
            frame = frame[frame[kinds] == table.type_name].drop(columns=kinds)
        return frame
    return store.frame(table.name)
