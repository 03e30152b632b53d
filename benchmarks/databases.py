"""Databases of others: few rows, whole tables, classes and copies, against pandas."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd

import ecsviz as ev
from benchmarks.targets import SQLite
from benchmarks.timing import Contender, Goal, Section, rounds

PANDAS = "`pandas.read_sql` of the same file"
FRAME = "`read_database(…).frame`"
ENTITIES = "`read_database(…).entities`"
WHOLE = "`copy_to`"
ADBC = "ADBC of the same file, as pandas"
CONNECTORX = "`connectorx.read_sql` of the same file"
MOST_COPIED = 500_000
"""How many rows of each table are copied: what a copy takes grows with the rows, and no more."""
CLASSES = "`classes`, at the first call"


def make(path: Path, size: int) -> None:
    """Write two tables of `size` rows and six columns, the second with a key to the first."""
    rows = (
        (n, f"name {n}", 1.5 * n, f"2024-01-{n % 28 + 1:02}", n or None, n / 4)
        for _ in range(2)
        for n in range(size)
    )
    columns = "id INTEGER PRIMARY KEY, name TEXT, x REAL, day DATE, a INTEGER{}, n NUMERIC(10, 2)"
    with closing(sqlite3.connect(path)) as made, made:
        for table, key in (("a", ""), ("b", " REFERENCES a")):
            made.execute(f"CREATE TABLE {table} ({columns.format(key)})")
            some = (next(rows) for _ in range(size))
            made.executemany(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?, ?)", some)


def opened(path: Path) -> Any:
    """Open a database of any size, which may take its time on a busy machine."""
    return ev.read_database(path, max_bytes=2**36, timeout=86_400)


def ready(call: Callable[..., object], *given: Any) -> Callable[[ExitStack], Callable[[], object]]:
    return lambda _: lambda: call(*given)


def database(folder: Path, size: int, repeats: int) -> Section:
    target = SQLite(folder)
    with ExitStack() as stack:
        path = target.new(stack)
        make(path, size)
        db = stack.enter_context(opened(path))
        conn = stack.enter_context(closing(sqlite3.connect(path)))
        assert len(db.frame("b", limit=3)) == len(db.entities("b", limit=3)) == 3
        few = rounds(
            f"Read 10 rows of {size:,}",
            {
                PANDAS: ready(pd.read_sql, "SELECT * FROM b LIMIT 10", conn),
                FRAME: ready(lambda: db.frame("b", limit=10)),
                ENTITIES: ready(lambda: db.entities("b", limit=10)),
            },
            repeats,
            limit=PANDAS,
        )
        one = rounds(
            f"Read one row of {size:,} by its key",
            {
                PANDAS: ready(pd.read_sql, f"SELECT * FROM b WHERE id = {size // 2}", conn),
                FRAME: ready(lambda: db.frame("b", where={"id": size // 2})),
            },
            repeats,
            limit=PANDAS,
        )
        every = rounds(
            f"Read all of {size:,} rows",
            {
                PANDAS: ready(lambda: pd.read_sql("SELECT * FROM b", conn, parse_dates=["day"])),
                ADBC: adbc(path),
                CONNECTORX: connectorx(path),
                FRAME: ready(lambda: db.frame("b")),
                CLASSES: lambda inner: classes(inner, path),
            },
            repeats,
            limit=PANDAS,
        )
        copied = min(size, MOST_COPIED)
        if copied < size:
            path = target.new(stack)
            make(path, copied)
            db = stack.enter_context(opened(path))
        copies = rounds(
            f"Copy {2 * copied:,} rows into a store",
            {WHOLE: lambda inner: copy(db, target.store(inner))},
            repeats,
            limit=WHOLE,
        )
    taken = copies.median(WHOLE) or 0.0
    return Section(
        [few, one, every, copies],
        [
            few.at_most(13, 3, FRAME, PANDAS, "ten rows of a foreign table, to pandas"),
            every.at_most(13, 1.5, FRAME, PANDAS, "a whole foreign table, to pandas"),
            Goal(
                13,
                f"rows a second of {2 * copied:,} copied",
                20_000,
                2 * copied / taken if taken else None,
                "",
                at_least=True,
            ),
        ],
    )


def adbc(path: Path) -> Contender | None:
    """Return what reads a table through ADBC; None where that is not installed."""
    try:
        dbapi = import_module("adbc_driver_sqlite.dbapi")
    except ImportError:
        return None

    def begin(stack: ExitStack) -> Callable[[], object]:
        conn = stack.enter_context(dbapi.connect(str(path)))
        return lambda: pd.read_sql("SELECT * FROM b", conn)

    return begin


def connectorx(path: Path) -> Contender | None:
    """Return what reads a table through connectorx; None where that is not installed."""
    try:
        peer: Any = import_module("connectorx")
    except ImportError:
        return None
    # It takes no column that holds integers and floats, as SQLite keeps NUMERIC.
    query = "SELECT id, name, x, day, a, CAST(n AS REAL) AS n FROM b"
    return ready(lambda: peer.read_sql(f"sqlite://{path}", query))


def classes(stack: ExitStack, path: Path) -> Callable[[], object]:
    """Open the database anew, since what is found is remembered."""
    db = stack.enter_context(opened(path))
    return lambda: db.classes


def copy(db: Any, store: Any) -> Callable[[], object]:
    _ = db.classes
    return lambda: db.copy_to(store, max_entities=None)
