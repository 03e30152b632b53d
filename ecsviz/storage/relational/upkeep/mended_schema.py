"""What a damaged SQLite file says of its tables, put right in a copy of it.

SQLite keeps the statement that made a table as a text in ``sqlite_master``, and opens no file of
which it cannot read one. What we made we can say again: our own tables are the same in each store,
and those of the classes follow from the classes. The rows are not touched, and whether they are
what was written their checksums tell: a table said wrongly has no sound row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from ecsviz.basics.text import sql_name
from ecsviz.errors import EcsvizError
from ecsviz.storage.relational.schema.history_tables import history_of
from ecsviz.storage.sql.engine import OpenDatabase

_STEPS: Final = 100_000
"""Instructions of SQLite's machine within which a statement that makes a table has ended."""

_FORBIDDEN: Final = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_CREATE_VTABLE}
"""What such a statement does not do: it could take for ever, or be about another file."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A row of ``sqlite_master``: a table, or an index on one."""

    kind: str
    name: str
    table: str
    page: int
    text: str | None


@contextmanager
def mended(
    of: OpenDatabase, own: Iterable[sa.Table], opened: Callable[[Path], Any]
) -> Iterator[Any]:
    """Hold a copy of a store whose tables are said as they were made.

    Parameters
    ----------
    of
        A file of SQLite.
    own
        The tables that every store has.
    opened
        Opens a store by its path: an ``SqlInside``, which is yielded for the copy.

    Raises
    ------
    StorageError
        If the file does not even say which tables there are.
    """
    with TemporaryDirectory(prefix="ecsviz-") as folder:
        path = Path(folder, "copy.db")
        assert of.path is not None
        name = f"{of.path.absolute().as_uri()}?mode={'ro' if of.read_only else 'rw'}"
        with of.translated(), closing(sqlite3.connect(path)) as copy:
            with closing(sqlite3.connect(name, uri=True, timeout=of.timeout)) as damaged:
                damaged.backup(copy)
            copy.execute("PRAGMA writable_schema=ON")  # which forgives what it cannot read
            rows = _read(copy)
            tables = list(own)
            _write(copy, _right(rows, tables))
            with closing(opened(path)) as other:
                tables += _tables_of_classes(other)
            _write(copy, _right(rows, tables))
        with closing(opened(path)) as other:
            yield other


def _tables_of_classes(inside: Any) -> list[sa.Table]:
    """Return the tables of all classes that are defined here, as they would be made."""
    found: list[sa.Table] = []
    with inside.reading(tell=lambda *_: None) as (_, catalog):
        for name in catalog.mapping.stored:
            with suppress(EcsvizError):
                found += catalog.classes_of([name])[0].tables
    return [*found, *map(history_of, found)]


def _read(conn: sqlite3.Connection) -> list[_Entry]:
    conn.text_factory = lambda data: data.decode("utf-8", "replace")
    query = "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master"
    last = conn.execute("PRAGMA page_count").fetchone()[0]
    return [
        _Entry(str(kind), str(name), str(table), page, None if text is None else str(text))
        for kind, name, table, page, text in conn.execute(query)
        if isinstance(page, int) and 1 < page <= last  # views and triggers have none
    ]


def _write(conn: sqlite3.Connection, said: list[_Entry]) -> None:
    with conn:
        conn.execute("DELETE FROM sqlite_master")
        conn.executemany(
            "INSERT INTO sqlite_master (type, name, tbl_name, rootpage, sql)"
            " VALUES (?, ?, ?, ?, ?)",
            [(each.kind, each.name, each.table, each.page, each.text) for each in said],
        )


def _right(rows: list[_Entry], tables: Iterable[sa.Table]) -> list[_Entry]:
    """Return what a file says of tables and indexes, with what we know put right.

    What stands beside our tables is kept if it can be read.
    """
    wanted = {table.name: table for table in tables}
    found: list[_Entry] = []
    used: set[_Entry] = set()
    with closing(_Scratch()) as scratch:
        for name, table in wanted.items():
            row = max(rows, key=lambda row: _likeness(row, name), default=None)
            if row is None or not _likeness(row, name):
                continue  # the file has it no more, which who reads it is told
            used.add(row)
            text, ours = row.text, _text(CreateTable(table))
            if _but_one(text, ours) or not (
                scratch.makes(text, name) and scratch.columns(name) >= set(table.c.keys())
            ):
                text = ours
                scratch.makes(text, name)
            found.append(_Entry("table", name, name, row.page, text))
        others = [row for row in rows if row not in used and row.name not in wanted]
        found += [
            _Entry("table", row.name, row.name, row.page, row.text)
            for row in others
            if _likeness(row, row.name) and scratch.makes(row.text, row.name)
        ]
        for each in list(found):
            found += _automatic(rows, each.name, scratch.indexes(each.name))
        names = {each.name for each in found}
        texts = {str(i.name): _text(CreateIndex(i)) for t in wanted.values() for i in t.indexes}
        for row in rows:
            for text in (row.text, texts.get(row.name)) if row.text else ():
                if (
                    not _likeness(row, row.name)
                    and row.table in names
                    and scratch.makes(text, row.name)
                ):
                    found.append(_Entry("index", row.name, row.table, row.page, text))
                    break
    return found


def _text(statement: CreateTable | CreateIndex) -> str:
    return str(statement.compile(dialect=sqlite.dialect())).strip()


def _but_one(text: str | None, ours: str) -> bool:
    """Tell whether a text is ours but for one letter: then that is what is another."""
    if text is None or len(text) != len(ours):
        return False
    return sum(a != b for a, b in zip(text, ours, strict=True)) == 1


def _likeness(row: _Entry, name: str) -> int:
    """Return how many parts of a row say that it is the table of a name."""
    begins = (row.text or "").startswith(f"CREATE TABLE {name} ")
    if row.kind != "table" and not begins:
        return 0
    return (row.name == name) + (row.table == name) + begins


def _automatic(rows: list[_Entry], table: str, names: list[str]) -> list[_Entry]:
    """Return the indexes that a table has by itself, each with its name."""
    every = {
        row.name: row
        for row in rows
        if row.text is None and table in (row.table, row.name[len("sqlite_autoindex_") : -2])
    }
    spare = [row for name, row in every.items() if name not in names]
    return [
        _Entry("index", name, table, row.page, None)
        for name in names
        if (row := every.get(name) or (spare.pop() if spare else None)) is not None
    ]


class _Scratch:
    """A database in memory in which statements are tried that a file has of its tables."""

    def __init__(self) -> None:
        self._conn = sqlite3.connect(":memory:", isolation_level=None)
        self._conn.set_progress_handler(lambda: 1, _STEPS)

    def close(self) -> None:
        self._conn.close()

    def makes(self, text: str | None, name: str) -> bool:
        """Tell whether a statement makes a table or an index of a name, in place of another."""
        if not text:
            return False
        before = self._all("SELECT 1 FROM sqlite_master WHERE name = ? AND type = 'table'", name)
        if before:
            self._all(f"DROP TABLE {sql_name(name)}")
        self._conn.set_authorizer(lambda what, *_: int(what in _FORBIDDEN))
        try:
            self._conn.execute(text)
        except (sqlite3.Error, sqlite3.Warning, ValueError):
            return False
        finally:
            self._conn.set_authorizer(None)
        return bool(self._all("SELECT 1 FROM sqlite_master WHERE name = ?", name))

    def columns(self, table: str) -> set[str]:
        """Return the names of a table's columns."""
        return {row[1] for row in self._all(f"PRAGMA table_xinfo({sql_name(table)})")}

    def indexes(self, table: str) -> list[str]:
        """Return the names of the indexes that a table has by itself, in order."""
        query = "SELECT name FROM sqlite_master WHERE tbl_name = ? AND type = 'index'"
        return sorted(row[0] for row in self._all(query, table))

    def _all(self, query: str, *given: str) -> list[tuple[str, ...]]:
        return self._conn.execute(query, given).fetchall()
