"""What is amiss in a database of others, and what to do about it: each finding with a remedy."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection

from ecsviz.basics.result_frames import typed_frame
from ecsviz.basics.views import view
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.importers.database.graphs import is_required, table_graph
from ecsviz.importers.database.kinds import TableKinds
from ecsviz.importers.database.looking import DatabaseLook
from ecsviz.importers.database.reflect_sqlite import sqlite_indexes
from ecsviz.importers.database.rows import TableRows, quoted_name
from ecsviz.importers.database.schema import ForeignKey, ForeignSchema, tables_within
from ecsviz.importers.database.source import DatabaseSource

if TYPE_CHECKING:
    import pandas as pd


class Finding(NamedTuple):
    """What is amiss in one place, and what to do."""

    kind: str
    table: str
    columns: str
    target: str
    problem: str
    remedy: str
    rows: int | None = None


class WithAdvice:
    """What a database says of itself to whoever wants to mend it."""

    _source: DatabaseSource
    _schema: ForeignSchema
    _kinds: TableKinds
    row_graph: Callable[..., EntityDependencyGraph]

    @property
    def problems(self) -> pd.DataFrame:
        """What could not be placed."""
        raise NotImplementedError

    def looking(self) -> DatabaseLook:
        """Return what the explorer asks: no promise."""

        @contextmanager
        def opened() -> Iterator[TableRows]:
            with self._source.reading() as conn:
                yield self._kinds.rows(conn)

        return DatabaseLook(self._schema, opened, self.row_graph)

    @view
    def explore(self) -> Any:
        """Return a live widget: the tables as cards, their rows, and what is around a row.

        Returns
        -------
        DatabaseExplorer
            A widget; its trait ``selected``, the name of the chosen row (``"customer 5"``), works
            in both directions. ``hops`` says how many keys away from it the graph goes.

        Notes
        -----
        A page of one table is read at a time; the database has to stay open. At the beginning the
        rows of every table are counted.

        Examples
        --------
        >>> import contextlib, pathlib, sqlite3, tempfile
        >>> import ecsviz as ev
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = pathlib.Path(folder.name, "shop.db")
        >>> with contextlib.closing(sqlite3.connect(path)) as made:
        ...     _ = made.executescript("create table staff (id integer primary key)")
        >>> with ev.read_database(path) as db:
        ...     db.explore()
        DatabaseExplorer(shop.db: 0 rows of 1 table)
        >>> folder.cleanup()
        """
        raise NotImplementedError

    def problems_frame(self) -> pd.DataFrame:
        """Return what is amiss, with what to do about it: `problems` and more.

        Returns
        -------
        DataFrame
            ``kind`` (``"dangling"``, ``"not followed"``, ``"kept as text"``, ``"wider class"``,
            ``"not read"``, ``"odd file"``, ``"no index"``, ``"closes a cycle"``, ``"alone"``,
            ``"guessed"``, ``"indices left out"``), ``table``, ``columns``, ``target``, ``problem``,
            ``remedy`` and ``rows`` (Int64). The remedy is a statement, which is not run here, or
            the order in which tables can be loaded.

        Examples
        --------
        >>> import contextlib, pathlib, sqlite3, tempfile
        >>> import ecsviz as ev
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = pathlib.Path(folder.name, "shop.db")
        >>> with contextlib.closing(sqlite3.connect(path)) as made:
        ...     _ = made.executescript('''
        ...         create table staff (id integer primary key, store_id references store);
        ...         create table store (id integer primary key);''')
        >>> with ev.read_database(path) as db:
        ...     db.problems_frame()[["kind", "remedy"]].values.tolist()
        [['no index', 'CREATE INDEX "ix_staff_store_id" ON "staff" ("store_id")']]
        >>> folder.cleanup()
        """
        problems = self.problems
        with self._source.reading() as conn:
            sql, schema = _Sql(conn, self._schema), self._schema
            found = [*_faults(sql, problems), *_slow(sql), *_cycles(schema)]
        found += [*_alone(schema), *_guessed(sql)]
        return typed_frame(found, {**dict.fromkeys(Finding._fields, "str"), "rows": "Int64"})


class _Sql:
    """Writes statements for a database."""

    def __init__(self, conn: Connection, schema: ForeignSchema) -> None:
        self.conn, self.schema = conn, schema
        self._quote = conn.dialect.identifier_preparer.quote_identifier

    def table(self, name: str) -> str:
        return quoted_name(self.conn, self.schema.tables[name])

    def columns(self, names: Iterable[str], of: str = "") -> str:
        return ", ".join(of + self._quote(name) for name in names)

    def dangling(self, key: ForeignKey) -> str:
        """Return the statement that finds the rows of which the key leads nowhere."""
        full = " AND ".join(f"s.{self._quote(name)} IS NOT NULL" for name in key.columns)
        pairs = zip(key.columns, key.target_columns, strict=True)
        same = " AND ".join(
            f"t.{self._quote(there)} = s.{self._quote(own)}" for own, there in pairs
        )
        return (
            f"SELECT s.* FROM {self.table(key.table)} AS s WHERE {full} AND NOT EXISTS"  # noqa: S608 - quoted; nobody runs it here
            f" (SELECT 1 FROM {self.table(key.target)} AS t WHERE {same})"
        )

    def index(self, key: ForeignKey) -> str:
        name = self._quote("_".join(("ix", key.table, *key.columns))[:60])
        return f"CREATE INDEX {name} ON {self.table(key.table)} ({self.columns(key.columns)})"

    def declared(self, key: ForeignKey) -> str:
        return (
            f"ALTER TABLE {self.table(key.table)} ADD FOREIGN KEY ({self.columns(key.columns)})"
            f" REFERENCES {self.table(key.target)} ({self.columns(key.target_columns)})"
        )


def _faults(sql: _Sql, problems: pd.DataFrame) -> Iterator[Finding]:
    """Yield what `problems` lists, with what to do."""
    sound = {(key.table, key.path, key.target): key for key in sql.schema.sound_keys}
    for table, columns, target, problem, rows in problems.astype(object).itertuples(index=False):
        key = sound.get((table, columns, target))
        if key is not None and target:
            kind, remedy = "dangling", sql.dangling(key)
        elif target:
            kind, remedy = "not followed", "declare the key on columns that are there"
        elif columns and isinstance(rows, int):
            kind, remedy = "kept as text", "frame() has them as texts"
            if problem.startswith("given as lists"):
                kind, remedy = "indices left out", "ask array_lower() for them where they matter"
        elif columns and not problem.startswith("left out"):
            kind, remedy = "wider class", "take classes from now on, not those of before"
        elif table in sql.schema.tables:
            kind, remedy = "odd file", "look at the rows, and mend the file"
        else:
            kind, remedy = "not read", "allow reading it, or leave it out"
        count = int(rows) if isinstance(rows, int) else None
        yield Finding(kind, table, columns, target, problem, remedy, count)


def _slow(sql: _Sql) -> Iterator[Finding]:
    """Yield keys without an index: to delete, or to look up, what they lead to reads all rows."""
    indexed = indexes_of(sql.conn, sql.schema)
    for key in sql.schema.sound_keys if indexed is not None else ():
        begin = len(key.columns)
        among = (indexed or {}).get(key.table, [])
        if not any(set(columns[:begin]) == set(key.columns) for columns in among):
            why = f"no index begins with it: who refers to a row of {key.target} is looked for in"
            yield Finding(
                "no index", key.table, key.path, key.target, f"{why} all rows", sql.index(key)
            )


def _cycles(schema: ForeignSchema) -> Iterator[Finding]:
    """Yield the keys that close a cycle, with the order in which tables can be loaded."""
    graph = table_graph(schema)
    order = {name: part for part in graph.cyclic_components() for name in part}
    keys = schema.sound_keys  # references are in their order
    for number in graph.ordering.deferred.nonzero()[0].tolist():
        key = keys[number]
        before = ", ".join(order[key.table])
        if is_required(schema, key):
            how = "with keys that are checked at the end (DEFERRABLE), or not at all meanwhile"
        else:
            how = f"with NULL in {key.table}.{key.path}, which is set at the end"
        yield Finding(
            "closes a cycle", key.table, key.path, key.target,
            f"part of a cycle of {len(order[key.table]):,}: the key closes it",
            f"load {before}, {how}",
        )  # fmt: skip


def _alone(schema: ForeignSchema) -> Iterator[Finding]:
    """Yield tables that no key joins to others."""
    joined = {end for key in schema.keys for end in (key.table, key.target)}
    for name in schema.tables:
        if name not in joined:
            yield Finding(
                "alone", name, "", "", "no key leads to it, and none from it",
                "declare its keys, if it has some",
            )  # fmt: skip


def _guessed(sql: _Sql) -> Iterator[Finding]:
    """Yield keys that nobody has declared."""
    for key in sql.schema.keys:
        if key.guessed:
            yield Finding(
                "guessed", key.table, key.path, key.target,
                "no key is declared: names and values suggest it", sql.declared(key),
            )  # fmt: skip


def indexes_of(conn: Connection, schema: ForeignSchema) -> dict[str, list[list[str]]] | None:
    """Return the columns of all indexes, in their order; None where an engine needs none."""
    found: dict[str, list[list[str]]] = {
        name: [list(table.primary_key)] for name, table in schema.tables.items()
    }
    if conn.dialect.name == "duckdb":
        return None
    for of, names in tables_within(schema).items():
        if conn.dialect.name == "sqlite":
            for name, columns in sqlite_indexes(conn, list(names), of or "main"):
                found[names[name]].append(columns)
            continue
        inspector = sa.inspect(conn)
        with warnings.catch_warnings():  # of indexes on expressions, which are left out
            warnings.simplefilter("ignore", exc.SAWarning)
            told: Any = inspector.get_multi_indexes(schema=of)
            unique: Any = inspector.get_multi_unique_constraints(schema=of)
        for (_, name), listed in (*told.items(), *unique.items()):
            found.get(names.get(name, ""), []).extend(
                [column for column in one["column_names"] if column is not None] for one in listed
            )
    return found
