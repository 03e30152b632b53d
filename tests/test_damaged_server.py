"""What others have written into a store's tables on PostgreSQL is told as ours, too.

A server keeps its types, so that other wrong values get in: those that Python has not.
"""

from __future__ import annotations

import itertools
import pickle
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from ecsviz import errors
from tests import damage as d

NESTED = "[" * 3_000 + "]" * 3_000
OWN = ("infinity", "-infinity", "NaN", "0044-03-15 BC", "24:00:00", "12345-01-01", "t", NESTED)
"""What PostgreSQL takes for a time, a number, a truth or JSON, and Python does not."""
WRONG = [None, *OWN, *(str(value) for value in d.WRONG.values() if value is not None)]
READS = [n for n, call in d.READS.items() if n not in d.SLOW and "_told" not in call.__qualname__]
"""What is asked, without the command line, which is given files."""
MANY = 120
"""How many damages are tried, of some two thousand."""


class Server:
    """A server with a store, and a copy of it whose cells are damaged and mended in turn."""

    def __init__(self, url: str) -> None:
        self.hurt = sa.make_url(url).set(database="hurt")
        self.admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        self.engine = sa.create_engine(self.hurt, isolation_level="AUTOCOMMIT")
        self.run("DROP DATABASE IF EXISTS whole", "CREATE DATABASE whole")
        with d.make_store(self.hurt.set(database="whole")) as store:
            self.shelf = pickle.dumps(store.get(d.SHELF))
        self.reset()

    def run(self, *statements: str) -> None:
        with self.admin.connect() as conn:
            for statement in statements:
                conn.exec_driver_sql(statement)

    def reset(self) -> None:
        """Make the copy anew; nothing in it is required, and no key is checked."""
        self.engine.dispose()
        copy = "DROP DATABASE IF EXISTS hurt WITH (FORCE)", "CREATE DATABASE hurt TEMPLATE whole"
        self.run(*copy)
        with self.engine.connect() as conn:
            conn.exec_driver_sql("ALTER DATABASE hurt SET session_replication_role = replica")
            for table, column in conn.exec_driver_sql(REQUIRED).all():
                conn.exec_driver_sql(f"ALTER TABLE {table} ALTER {column} DROP NOT NULL")

    def close(self) -> None:
        self.engine.dispose()
        self.run("DROP DATABASE hurt WITH (FORCE)", "DROP DATABASE whole WITH (FORCE)")
        self.admin.dispose()

    def columns(self) -> dict[str, list[tuple[str, str]]]:
        """Return the columns of each kind: those of a kind are read by the same code."""
        kinds: dict[str, list[tuple[str, str]]] = {}
        with self.engine.connect() as conn:
            found = conn.exec_driver_sql(COLUMNS).all()
        for table, column, kind in found:
            ours = column if column.startswith("ecs_") or table.startswith("ecs_") else ""
            kinds.setdefault(f"{kind} {ours}", []).append((table, column))
        return kinds

    def put(self, table: str, column: str, value: str | None) -> Callable[[], Any] | None:
        """Put a wrong value into the first row; return what mends it, None where it is refused."""
        query = f"SELECT ctid::text, {column}::text, pg_typeof({column})::text FROM {table}"
        at, old, kind = self.ask(f"{query} ORDER BY ctid")
        update = (
            f"UPDATE {table} SET {column} = CAST(CAST(%s AS text) AS {kind})"
            " WHERE ctid = CAST(%s AS tid) RETURNING ctid::text"
        )
        try:
            (there,) = self.ask(update, value, at)
        except sa.exc.DBAPIError:
            return None
        return lambda: self.ask(update, old, there)

    def ask(self, statement: str, *values: Any) -> Any:
        with self.engine.connect() as conn:
            return conn.exec_driver_sql(statement, values).first()


REQUIRED = """
    SELECT attrelid::regclass::text, attname FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND attnotnull
    AND NOT EXISTS (
        SELECT FROM pg_index WHERE indrelid = c.oid AND attnum = ANY (indkey) AND indisprimary)"""
COLUMNS = """
    SELECT table_name, column_name, data_type FROM information_schema.columns
    WHERE table_schema = 'public' ORDER BY table_name, column_name"""


@pytest.fixture(scope="module")
def server(postgres_url: str) -> Iterator[Server]:
    server = Server(postgres_url)
    yield server
    server.close()


def test_a_wrong_value_in_any_column(server: Server) -> None:
    """Only our errors come out, whatever is called."""
    server.reset()
    chance = random.Random(16)
    pairs = list(itertools.product(server.columns().values(), WRONG))
    put = answers = 0
    with d.opened(server.hurt) as store:
        for columns, wrong in chance.sample(pairs, MANY):
            table, column = chance.choice(columns)
            name = chance.choice(READS)
            # What a store says of itself is read when it is opened.
            at = server.hurt if table.startswith("ecs_") else store
            if mend := server.put(table, column, wrong):
                put += 1
                answers += answer(server, at, name, f"{wrong} in {table}.{column}") is None
                mend()
        assert store.verify().empty
    assert put > 25
    assert answers < put


@pytest.mark.parametrize(
    ("column", "wrong"),
    [
        ("day", "infinity"),
        ("at", "0044-03-15 BC"),
        ("hour", "24:00:00"),
        ("data", NESTED),
        ("ecs_lineage_id", None),
        ("ecs_version", None),
    ],
)
def test_what_python_has_not_is_told_by_row_and_column(
    server: Server, column: str, wrong: str | None
) -> None:
    for table, name in (("books", "frame"), ("books", "get"), ("books_history", "frame as_of")):
        server.reset()
        assert server.put(table, column, wrong)
        with d.opened(server.hurt) as store:
            error = answer(server, store, name, column)
            assert isinstance(error, errors.StoredDataInvalidError)
            assert (error.table, error.column) in {("books", column), (table, column)}
            assert table in set(store.verify()["table"])


def answer(server: Server, at: Any, name: str, where: str) -> errors.EcsvizError | None:
    """Return what is said to a call."""
    try:
        error = d.told({**d.READS, **d.WRITES}[name], at, pickle.loads(server.shelf))
        d.check_told(error, named=" in ecs_types" in where)
    except Exception as err:
        err.add_note(f"{where[:200]}, {name}")
        raise
    return error


@pytest.mark.parametrize("name", d.WRITES)
def test_a_wrong_value_where_is_written(server: Server, name: str) -> None:
    """Each time one more."""
    server.reset()
    chance = random.Random(name)
    kinds = list(server.columns().values())
    where = ""
    for _ in range(6):
        table, column = chance.choice(chance.choice(kinds))
        if server.ask(f"SELECT 1 FROM {table}") and server.put(table, column, chance.choice(WRONG)):
            where += f" in {table}.{column}"
            answer(server, server.hurt, name, where)
