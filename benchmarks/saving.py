"""Saving, loading and frames on a SQLite file, against the driver alone and against the ORMs."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd
import sqlalchemy as sa

import ecsviz as ev
from benchmarks import peers, workload
from benchmarks.timing import Contender, Measured, Section, profiled, rounds
from ecsviz.basics.garbage import collector_paused
from ecsviz.isomorphic import find_difference

EXECUTEMANY = "`executemany` of prebuilt tuples"
FETCHALL = "`fetchall`"
REGISTER = "`register`"
UNCHANGED = "`register` again, unchanged"
CHANGED = "`register`, 1 % changed"
ADD_ALL = "SQLAlchemy `add_all`"
BY_OBJECT = "SQLAlchemy, `from_entity` object by object"
SQLMODEL = "SQLModel `add_all`"
FLOOR = "the floor: `fetchall`, and objects with their values as they come"
GET = "`get`, in a new store object"
SELECTINLOAD = "SQLAlchemy `selectinload` and `to_entity`"
SAME_ROWS_LOAD = "SQLAlchemy `selectinload` and constructor, of the very rows that `get` reads"
SQLMODEL_LOAD = "SQLModel `selectinload`"
FRAME = "`store.frame`"
READ_SQL = "`pandas.read_sql`, typed by SQLAlchemy"

SAME_ROWS = (
    "The tuples are the very rows that `register` wrote, into the same tables with the same"
    " indexes, synchronous=EXTRA, foreign keys not enforced."
)
LOADED = (
    "`fetchall` reads all columns of the same rows; the peers' own tables have five columns instead"
    " of thirteen. The floor makes pydantic objects with a dictionary and a set of fields, and no"
    " ids, references, lists or checks."
)
TABLES = ("chat_threads", "chat_messages")


class Files:
    """New paths in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.numbers = itertools.count()

    def new(self, stack: ExitStack) -> Path:
        path = self.folder / f"{next(self.numbers)}.db"
        stack.callback(path.unlink, missing_ok=True)
        return path


def open_store(target: Any, stack: ExitStack) -> ev.SQLAlchemyEntityStorage:
    store = ev.SQLAlchemyEntityStorage(target)
    stack.callback(store.engine.dispose)
    return store


def open_peer(files: Files, stack: ExitStack) -> sa.Engine:
    engine = peers.engine_of(files.new(stack))
    stack.callback(engine.dispose)
    return engine


# -- saving ----------------------------------------------------------------------------------


class Raw:
    """The very rows that a store holds, for the driver alone to write and to read."""

    def __init__(self, path: Path) -> None:
        self.ddl: list[str] = []
        self.rows: dict[str, list[tuple[Any, ...]]] = {}
        with closing(sqlite3.connect(path)) as connection:
            for table in TABLES:
                named = "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL"
                self.ddl += [sql for (sql,) in connection.execute(named, (table,))]
                self.rows[table] = connection.execute(f"SELECT * FROM {table}").fetchall()

    def write(self, files: Files) -> Contender:
        def contender(stack: ExitStack) -> Callable[[], object]:
            path = files.new(stack)
            connection = stack.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
            connection.execute("PRAGMA synchronous=EXTRA")
            for sql in self.ddl:
                connection.execute(sql)
            return lambda: self.insert(connection)

        return contender

    def insert(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        for table, rows in self.rows.items():
            marks = ", ".join("?" * len(rows[0]))
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        connection.execute("COMMIT")


def save(folder: Path, size: int, repeats: int) -> Section:
    files = Files(folder)
    with ExitStack() as stack:
        thread = workload.chat(size)
        path = files.new(stack)
        open_store(path, stack).register(thread)
        raw = Raw(path)
        again = ev.SQLAlchemyEntityStorage(path).get(thread.ecs_id)
        assert find_difference(thread, again) is None
        del again, thread
    now: dict[str, Any] = {}

    def register(stack: ExitStack) -> Callable[[], object]:
        # What it saves stays for the two contenders after it.
        if "stack" in now:
            now.pop("stack").close()
        now["stack"] = kept = ExitStack()
        now["thread"] = thread = workload.chat(size)
        now["store"] = store = open_store(files.new(kept), kept)
        return lambda: store.register(thread)

    def unchanged(stack: ExitStack) -> Callable[[], object]:
        return lambda: now["store"].register(now["thread"])

    def changed(stack: ExitStack) -> Callable[[], object]:
        for message in now["thread"].messages[::100]:
            message.content += "!"
        return unchanged(stack)

    def peer(work: Callable[[sa.Engine, Any], None]) -> Contender:
        def contender(stack: ExitStack) -> Callable[[], object]:
            engine = open_peer(files, stack)
            return lambda: work(engine, now["thread"])

        return contender

    contenders: dict[str, Contender | None] = {
        EXECUTEMANY: raw.write(files),
        REGISTER: register,
        UNCHANGED: unchanged,
        CHANGED: changed,
        ADD_ALL: peer(peers.add_all),
        BY_OBJECT: peer(peers.object_by_object),
        SQLMODEL: peer(peers.sqlmodel_peer.add_all) if peers.sqlmodel_peer else None,
    }
    race = rounds(
        f"Save {size:,} messages to a SQLite file",
        contenders,
        repeats,
        limit=EXECUTEMANY,
        notes=[SAME_ROWS],
    )
    now.pop("stack").close()
    goals = [
        race.at_most(1, 2.2, REGISTER, EXECUTEMANY),
        *(race.faster(1, x, REGISTER, p) for p, x in ((ADD_ALL, 6), (SQLMODEL, 8), (BY_OBJECT, 8))),
        race.at_most(2, 0.6, UNCHANGED, REGISTER, f"{UNCHANGED}, to the first"),
        race.at_most(2, 0.8, CHANGED, REGISTER, f"{CHANGED}, to the first"),
    ]
    return Section("save", [race], goals)


# -- loading ---------------------------------------------------------------------------------


def load(folder: Path, size: int, repeats: int) -> Section:
    files = Files(folder)
    with ExitStack() as opened:
        path = files.new(opened)
        engine = open_peer(files, opened)
        ecs_id = save_for_all(path, engine, size)

        def ours(stack: ExitStack) -> Callable[[], object]:
            store = open_store(path, stack)
            return lambda: store.get(ecs_id)

        def fetchall(stack: ExitStack) -> Callable[[], object]:
            connection = stack.enter_context(closing(sqlite3.connect(path)))
            return lambda: [
                connection.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES
            ]

        def floor(stack: ExitStack) -> Callable[[], object]:
            connection = stack.enter_context(closing(sqlite3.connect(path)))
            return lambda: bare_objects(connection)

        def same_rows(stack: ExitStack) -> Callable[[], object]:
            store = open_store(path, stack)
            return lambda: peers.load_same_rows(store)

        def sqlmodel(stack: ExitStack) -> Callable[[], object]:
            return lambda: peers.sqlmodel_peer.load(engine)

        race = rounds(
            f"Load {size:,} messages from a SQLite file",
            {
                FETCHALL: fetchall,
                FLOOR: floor,
                GET: ours,
                SELECTINLOAD: lambda stack: lambda: peers.load(engine),
                SAME_ROWS_LOAD: same_rows,
                SQLMODEL_LOAD: sqlmodel if peers.sqlmodel_peer else None,
            },
            repeats,
            limit=FETCHALL,
            notes=[LOADED],
        )
        profile = profiled("Where the time of `get` goes", ours, apart="fetchall")
    goals = [
        race.at_most(3, 3.5, GET, FETCHALL),
        *(
            race.faster(3, 10, GET, peer, f"`get` faster than {peer}")
            for peer in (SAME_ROWS_LOAD, SELECTINLOAD)
        ),
    ]
    return Section("load", [race], goals, [profile])


def bare_objects(connection: sqlite3.Connection) -> list[Any]:
    """Return what Python alone takes: an object per message, with five values of its row."""
    names = ("ecs_id", "ecs_version", "content", "role", "thread_id")
    query = f"SELECT {', '.join(names)} FROM chat_messages"
    new, put, fields = workload.ChatMessage.__new__, object.__setattr__, set(names)
    made = []
    with collector_paused():
        for row in connection.execute(query).fetchall():
            message = new(workload.ChatMessage)
            put(message, "__dict__", dict(zip(names, row, strict=True)))
            put(message, "__pydantic_fields_set__", fields.copy())
            put(message, "__pydantic_extra__", None)
            put(message, "__pydantic_private__", None)
            made.append(message)
    return made


def save_for_all(path: Path, engine: sa.Engine, size: int) -> UUID:
    thread = workload.chat(size)
    store = ev.SQLAlchemyEntityStorage(path)
    store.register(thread)
    store.engine.dispose()
    peers.add_all(engine, thread)
    if peers.sqlmodel_peer is not None:
        peers.sqlmodel_peer.add_all(engine, thread)
    again = ev.SQLAlchemyEntityStorage(path)
    assert find_difference(thread, peers.load_same_rows(again)) is None
    again.engine.dispose()
    loaded = peers.load(engine)
    assert len(loaded.messages) == size
    assert loaded.messages[-1].content == thread.messages[-1].content
    ecs_id: UUID = thread.ecs_id
    return ecs_id


# -- frames ----------------------------------------------------------------------------------


def frame_query(store: ev.SQLAlchemyEntityStorage) -> sa.Select[Any]:
    """Return what asks for the columns that `store.frame` gives."""
    row = store.sql_model(workload.Note)
    return sa.select(
        row.ecs_id.label("ecs_id"),
        row.ecs_lineage_id.label("lineage_id"),
        row.ecs_parent_id.label("parent_id"),
        row.ecs_version.label("version"),
        *(getattr(row, name) for name in ("text", "number", "share", "at", "done")),
    )


def same_frames(ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    """Fail if the two do not hold the same values in the same dtypes.

    A time that SQLite gives back knows of no zone; ours are told in UTC.
    """
    theirs["at"] = theirs["at"].dt.tz_localize("UTC").astype(ours["at"].dtype)
    theirs["parent_id"] = theirs["parent_id"].astype(object)
    pd.testing.assert_frame_equal(ours.sort_values("number"), theirs.sort_values("number"))


def frames(
    title: str,
    store: ev.SQLAlchemyEntityStorage,
    connect: Callable[[ExitStack], Any],
    repeats: int,
) -> Measured:
    """Race for the frame of all notes of a store; `connect` gives what the driver asks with."""
    query = frame_query(store)
    same_frames(store.frame(workload.Note), pd.read_sql(query, store.engine))
    text = str(query.compile(store.engine))

    def fetchall(stack: ExitStack) -> Callable[[], object]:
        connection = connect(stack)
        return lambda: connection.execute(text).fetchall()

    return rounds(
        title,
        {
            FETCHALL: fetchall,
            FRAME: lambda stack: lambda: store.frame(workload.Note),
            READ_SQL: lambda stack: lambda: pd.read_sql(query, store.engine),
        },
        repeats,
        limit=FETCHALL,
        notes=["Text, integer, float, time with zone, truth value; equal values and dtypes."],
    )


def frame(folder: Path, size: int, repeats: int) -> Section:
    with ExitStack() as opened:
        path = Files(folder).new(opened)
        store = open_store(path, opened)
        store.register(workload.notes(size))
        title = f"A DataFrame of {size:,} rows with typed columns"
        race = frames(
            title, store, lambda s: s.enter_context(closing(sqlite3.connect(path))), repeats
        )
    return Section("frame", [race], [race.faster(4, 2, FRAME, READ_SQL)])
