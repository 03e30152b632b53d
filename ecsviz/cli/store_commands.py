"""Commands on a store: import, info, tables, history, verify."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ecsviz.basics.text import counted, plain
from ecsviz.cli.output import (
    bars,
    examples,
    note,
    show_facts,
    show_frame,
    show_table,
    warnings_told,
)
from ecsviz.cli.sources import (
    classes_option,
    load_classes,
    open_store,
    store_at,
    with_classes,
)
from ecsviz.errors import UnknownTypeError
from ecsviz.importers import iterate_chats
from ecsviz.importers.chat.stream import ChatStream, StoredChats
from ecsviz.importers.following import follow, import_changed
from ecsviz.storage.relational.classless import BareStore
from ecsviz.storage.relational.store import SQLAlchemyEntityStorage

MAX_NOTE = 1_000
"""Characters of the note that names the files of an import."""


@click.command(
    "import",
    epilog=examples(
        "ecsviz import conversations.json --store chats.db",
        'ecsviz import *.jsonl --store chats.db --note "March"',
        "ecsviz import ~/.claude/projects --store chats.db --watch",
    ),
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--store", "target", required=True, help="A file, or a SQLAlchemy URL; made if new.")
@click.option("--format", "format_", help="What the files are; recognised by content by default.")
@click.option("--timezone", default="UTC", help="Of times without a zone, as Europe/Berlin.")
@click.option("--strict", is_flag=True, help="Refuse all where one record cannot be read.")
@click.option("--note", "text", help="What the revision is about.")
@click.option("--all", "everything", is_flag=True, help="Read files that have not changed, too.")
@click.option("--watch", is_flag=True, help="Go on: read what changes, until you press Ctrl+C.")
def import_command(
    files: Sequence[str],
    target: str,
    format_: str | None,
    timezone: str,
    strict: bool,
    text: str | None,
    everything: bool,
    watch: bool,
) -> None:
    """Read chats from FILE... into a store, all in one revision.

    FILE may be a folder: the store remembers its files, and the next time only those are read that
    are new or have changed. A longer export of the same chats updates what is stored; the same
    one again adds nothing, and an older one turns nothing back.
    """
    names = plain(", ".join(Path(file).name for file in files), limit=MAX_NOTE)
    options: dict[str, Any] = {"format": format_, "timezone": timezone, "strict": strict}
    options["progress"] = bars()
    text = text or f"import {names}"
    found: ChatStream | None
    if watch or any(Path(file).is_dir() for file in files):
        store = store_at(target)
        with warnings_told():
            found = import_changed(store, list(files), note=text, everything=everything, **options)
    else:
        with warnings_told(), iterate_chats(list(files), **options) as found:
            store = store_at(target)
            store.register(found, note=text)
    _told(found, store)
    if not watch:
        return
    note("Watching; Ctrl+C ends it.")
    with contextlib.suppress(KeyboardInterrupt):
        changes = follow(store, list(files), note=text, **options)
        while True:
            with warnings_told():
                more = next(changes)
            _told(more, store)


def _told(found: ChatStream | None, store: SQLAlchemyEntityStorage) -> None:
    """Say what an import has done."""
    for problem in found.kept if found else ():
        note(f"Note: {problem}")
    if found is None:
        note("Nothing has changed since the last import; --all reads it again.")
    stored = found.stored if found else StoredChats()
    show_facts(
        [
            ("threads", stored.threads),
            ("entities", stored.entities),
            ("added", stored.added),
            ("changed", stored.changed),
            ("store", str(store.inside.database)),  # without a password
        ]
    )


@click.command(
    "import-parquet",
    epilog=examples(
        "ecsviz import-parquet graph --store chats.db",
        "ecsviz import-parquet graph --store recipes.db --classes cookbook.models",
    ),
)
@click.argument("folder")
@click.option("--store", "target", required=True, help="A file, or a SQLAlchemy URL; made if new.")
@click.option("--note", "text", help="What the revision is about.")
@classes_option
def import_parquet_command(
    folder: str, target: str, text: str | None, modules: Sequence[str]
) -> None:
    """Fill a store with the graph that 'ecsviz export --to parquet-graph' wrote into FOLDER.

    Ids and versions are what they were. The classes must be known: chats are; name the module of
    others with --classes.
    """
    store = store_at(target)
    text = text or f"import {plain(Path(folder).name, limit=MAX_NOTE)}"
    fill: Any = store.from_parquet
    count = with_classes(modules, lambda: fill(folder, note=text, progress=bars()))
    show_facts([("entities", count), ("store", str(store.inside.database))])


@click.command(
    "info",
    epilog=examples(
        "ecsviz info chats.db",
    ),
)
@click.argument("store")
def info_command(store: str) -> None:
    """Say what is in STORE: its classes, how many entities, its last revision."""
    opened = open_store(store)
    bare = BareStore(opened)
    tables = [table for table in bare.tables() if table.kind == "entities"]
    revisions = opened.revisions()
    facts = [
        ("store", str(opened.inside.database)),  # without a password
        ("classes", len(tables)),
        ("entities", sum(table.rows for table in tables)),
        ("revisions", len(revisions)),
    ]
    if len(revisions):
        last = revisions.iloc[-1]
        facts += [("last revision", int(last["revision"])), ("at", last["at"].to_pydatetime())]
        facts += [("note", last["note"])] if isinstance(last["note"], str) else []
    show_facts(facts)
    click.echo()
    types = bare.types()
    show_table(
        ["class", "module", "table", "entities"],
        [(t.type_name, types[t.type_name].module, t.name, t.rows) for t in tables],
    )


@click.command(
    "tables",
    epilog=examples(
        "ecsviz tables chats.db",
        "ecsviz tables chats.db chat_messages --limit 10",
    ),
)
@click.argument("store")
@click.argument("table", required=False)
@click.option("--limit", type=click.IntRange(min=0), help="How many rows at the most.")
@click.option("--all", "every", is_flag=True, help="Also the tables of the past and the catalog.")
def tables_command(store: str, table: str | None, limit: int | None, every: bool) -> None:
    """List the tables of STORE, or the rows of TABLE as the database has them."""
    bare = BareStore(open_store(store))
    if table is not None:
        names, rows = bare.rows(table, limit)
        show_table(names, rows)
        return
    show_table(
        ["table", "kind", "class", "rows", "columns"],
        [
            (t.name, t.kind, t.type_name, t.rows, ", ".join(t.columns))
            for t in bare.tables()[:limit]
            if every or t.kind in ("entities", "references")
        ],
    )


@click.command(
    "history",
    epilog=examples(
        "ecsviz history chats.db",
        "ecsviz history chats.db 0190a6b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b",
    ),
)
@click.argument("store")
@click.argument("ecs_id", required=False)
@classes_option
def history_command(store: str, ecs_id: str | None, modules: Sequence[str]) -> None:
    """List the revisions of STORE, or the versions of the entity ECS_ID.

    Which fields a version changed is told where the entity's class is known.
    """
    load_classes(modules)
    opened = open_store(store)
    if ecs_id is None:
        show_frame(opened.revisions())
        return
    try:
        show_frame(opened.history(ecs_id))
    except UnknownTypeError:
        show_frame(BareStore(opened).history(ecs_id).drop(columns="fields"))


@click.command(
    "backup",
    epilog=examples("ecsviz backup chats.db chats-monday.db"),
)
@click.argument("store")
@click.argument("path")
def backup_command(store: str, path: str) -> None:
    """Copy STORE, past included, into the new file PATH, while others read and write."""
    click.echo(open_store(store).backup(path))


@click.command(
    "repair",
    epilog=examples(
        "ecsviz repair chats.db chats-sound.db",
        "ecsviz repair recipes.db sound.db --classes cookbook.models",
    ),
)
@click.argument("store")
@click.argument("new")
@click.option("--doubtful", is_flag=True, help="Take what is not sound, where nothing else is.")
@classes_option
def repair_command(store: str, new: str, doubtful: bool, modules: Sequence[str]) -> None:
    """Save all that is sound of STORE in NEW; exit code 1 if that is not all.

    STORE is only read. What NEW has otherwise, or not, is listed.
    """
    opened, to = open_store(store), store_at(new)
    told = with_classes(modules, lambda: opened.repair(to, doubtful=doubtful))
    note(f"{counted(len(to), 'entity')} in {to.inside.database}")
    if not len(told):
        click.echo("ok")
        return
    show_frame(told)
    sys.exit(1)


@click.command(
    "verify",
    epilog=examples(
        "ecsviz verify chats.db",
        "ecsviz verify recipes.db --classes cookbook.models",
    ),
)
@click.argument("store")
@classes_option
def verify_command(store: str, modules: Sequence[str]) -> None:
    """Check that STORE is as it was written; exit code 1 if it is not.

    Checksums are computed anew, so the classes must be known: chats are; name the module of
    others with --classes.
    """
    problems = with_classes(modules, open_store(store).verify)
    if not len(problems):
        click.echo("ok")
        return
    show_frame(problems)
    note(counted(len(problems), "problem"))
    sys.exit(1)
