"""What a command is given: a store, any other database, or a file with chats."""

from __future__ import annotations

import contextlib
import importlib
import sqlite3
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from ecsviz.cli.output import bars, warnings_told
from ecsviz.domain.chat_threads import ThreadViews
from ecsviz.errors import (
    EcsvizError,
    InvalidArgumentError,
    NotAnEcsvizStoreError,
    StorageCorruptError,
    StorageOpenError,
    UnknownTypeError,
    short_repr,
)
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.importers import ChatImport, read_chat
from ecsviz.importers.database import read_database
from ecsviz.importers.files import check_path
from ecsviz.importers.sqlite_file import open_sqlite
from ecsviz.storage.relational.classless import BareStore
from ecsviz.storage.relational.store import SQLAlchemyEntityStorage
from ecsviz.storage.sql.sqlite_files import is_sqlite

classes_option: Callable[..., Any] = click.option(
    "--classes",
    "modules",
    multiple=True,
    metavar="MODULE",
    help="A module of yours that defines the stored classes; may be given several times.",
)


def load_classes(modules: Sequence[str]) -> None:
    """Import the modules that the user names; a store's own names are never imported."""
    here = str(Path.cwd())
    if modules and here not in sys.path:
        sys.path.insert(0, here)
    for name in modules:
        if not all(part.isidentifier() for part in name.split(".")):
            raise click.BadParameter(
                f"{short_repr(name)} is no name of a module, such as cookbook.models.",
                param_hint="--classes",
            )
        try:
            importlib.import_module(name)
        except ImportError as err:
            raise click.BadParameter(
                f"{name} cannot be imported: {err}", param_hint="--classes"
            ) from err


def open_store(target: str) -> SQLAlchemyEntityStorage:
    """Open a store that exists; nothing is made.

    Raises
    ------
    StorageOpenError
        If it does not exist, or is no store.
    """
    store = store_at(target)
    shown = str(store.inside.database) if "://" in target else target  # without a password
    if not store.inside.database.exists():
        raise StorageOpenError(
            f"There is no file {shown}. 'ecsviz import FILE --store {shown}' would make it.",
            path=store.inside.database.path,
        )
    if not _is_store(store):
        raise NotAnEcsvizStoreError(
            f"{shown} is an empty database, not a store yet."
            f" 'ecsviz import FILE --store {shown}' would make it one.",
            tables=[],
        )
    return store


def store_at(target: str) -> SQLAlchemyEntityStorage:
    """Return a storage that is closed at the end of the command."""
    store = SQLAlchemyEntityStorage(target)
    at_end(store.close)
    return store


def at_end(close: Callable[[], Any]) -> None:
    """Run something when the command ends, however it does."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.call_on_close(close)


def _is_store(store: SQLAlchemyEntityStorage) -> bool:
    try:
        with store.inside.reading() as (conn, _):
            return store.inside.is_made(conn)
    except StorageCorruptError:  # which what follows tells, or repairs
        return True


def with_classes(modules: Sequence[str], run: Callable[[], Any]) -> Any:
    """Run what needs the classes, and say how to give them where they are unknown."""
    load_classes(modules)
    try:
        return run()
    except UnknownTypeError as err:
        raise UnknownTypeError(
            f"{_first_sentence(err)} Name the module that defines it: --classes MODULE.",
            **err.facts,
        ) from err


def _first_sentence(err: UnknownTypeError) -> str:
    name, table = err.facts.get("type_name"), err.facts.get("table")
    return f"The store holds entities of type {name!r} (table {table!r}), whose class is not known."


def is_database(source: str) -> bool:
    """Tell whether something is a database, by its address or its first bytes."""
    if "://" in source:
        return True
    check_path(source)
    try:
        return is_sqlite(source)
    except IsADirectoryError:
        return False


def is_store(source: str) -> bool:
    """Tell whether a database is one of ours."""
    if "://" in source:
        try:
            return _is_store(store_at(source))
        except NotAnEcsvizStoreError:
            return False
    uri = f"{Path(source).absolute().as_uri()}?mode=ro"
    query = "SELECT 1 FROM sqlite_master WHERE name = 'ecs_store'"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as conn:
            return conn.execute(query).fetchone() is not None
    except sqlite3.Error:
        pass
    try:  # a transaction that was cut off is rolled back in a copy
        with open_sqlite(source) as copy:
            return copy.execute(query).fetchone() is not None
    except EcsvizError:
        return False  # whoever opens it next says what is wrong


def open_graph(
    source: str,
    *,
    format: str | None = None,  # noqa: A002 - as in read_chat
    root: str | None = None,
    hops: int | None = None,
    types: bool = False,
) -> EntityDependencyGraph:
    """Return the graph of a store, of another database's tables, or of a file with chats."""
    if format is None and is_database(source):
        if is_store(source):
            store = BareStore(open_store(source))
            return store.type_graph() if types else store.graph(root, hops)
        _refuse("--root", root is not None)
        database = read_database(source)
        at_end(database.close)
        return database.graph()
    threads = read(source, format)
    if types:
        return EntityDependencyGraph({type(thread): None for thread in threads})
    _refuse("--root", root is not None)
    return EntityDependencyGraph(threads)


def _refuse(option: str, given: bool) -> None:
    if given:
        raise InvalidArgumentError(f"{option} goes with a store only.")


def read(
    source: str,
    format: str | None,  # noqa: A002 - as in read_chat
) -> ChatImport:
    """Read the chats of a file; a bar shows on a terminal only."""
    with warnings_told():
        return read_chat(source, format, progress=bars())


def chats_of(
    source: str,
    format: str | None,  # noqa: A002 - as in read_chat
) -> ThreadViews:
    """Return the chats of a store or a file."""
    if format is None and is_database(source) and is_store(source):
        return open_store(source).threads()
    return read(source, format)
