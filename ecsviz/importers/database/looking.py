"""What the explorer of a database asks: its tables, pages of their rows, what is around a row."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from ecsviz.basics.text import counted
from ecsviz.errors import GraphTooLargeError, StoredDataInvalidError
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.importers.database.graphs import Row, row_name, table_graph
from ecsviz.importers.database.rows import TableRows
from ecsviz.importers.database.schema import ForeignSchema, ForeignTable
from ecsviz.storage.looking import PageColumn, StoredClass, Wanted

NEAR: Final = 300
"""How many rows are shown around one at the most."""
_KINDS: Final = {
    **dict.fromkeys(("int", "float", "single", "decimal", "number"), "number"),
    **dict.fromkeys(("date", "datetime", "time", "zoned"), "time"),
    "bool": "yes",
    "str": "text",
}


class RowsPage(NamedTuple):
    """Some rows of a table; `ids` are their names, `places` the rows that names stand for."""

    columns: list[PageColumn]
    ids: list[str]
    rows: list[list[Any]]
    total: int
    places: dict[str, Row]


class DatabaseLook:
    """A database as its explorer sees it.

    Parameters
    ----------
    schema
        What it consists of.
    opened
        Holds a transaction in which rows can be read.
    row_graph
        ``Database.row_graph``.
    """

    def __init__(
        self,
        schema: ForeignSchema,
        opened: Callable[[], AbstractContextManager[TableRows]],
        row_graph: Callable[..., EntityDependencyGraph],
    ) -> None:
        self._schema, self._opened, self._row_graph = schema, opened, row_graph
        self._led: dict[tuple[str, str], str] = {}  # a column that holds the key of one table
        led_to = {name: table.primary_key for name, table in self._schema.tables.items()}
        for key in self._schema.sound_keys:
            if len(key.columns) == 1 and key.target_columns == led_to[key.target]:
                self._led.setdefault((key.table, key.columns[0]), key.target)

    def classes(self) -> list[StoredClass]:
        """Return the tables, and how many rows each has: a statement a table."""
        with self._opened() as rows:
            return [StoredClass(name, rows.count(name), True) for name in self._schema.tables]

    def tables(self) -> EntityDependencyGraph:
        """Return the graph of the tables."""
        return table_graph(self._schema)

    def told(self, name: str) -> str:
        """Return what a table consists of, in words."""
        table = self._schema.tables[name]
        keys = [str(key) for key in self._schema.keys if key.table == name]
        into = [str(key) for key in self._schema.sound_keys if key.target == name]
        of_key = ", ".join(table.primary_key) or "none"
        parts = [f"{name}: {counted(len(table.columns), 'column')}", f"primary key: {of_key}"]
        parts += [f"keys: {'; '.join(keys)}"] * bool(keys)
        parts += [f"referred to by: {'; '.join(into)}"] * bool(into)
        return ". ".join(parts) + "."

    def columns(self, name: str) -> list[PageColumn]:
        """Return the columns of a table."""
        return [
            PageColumn(
                c.name,
                "entity" if (name, c.name) in self._led else _KINDS.get(c.kind, "other"),
            )
            for c in self._schema.tables[name].columns
        ]

    def page(self, name: str, wanted: Wanted) -> RowsPage:
        """Return a page of a table's rows."""
        table, columns = self._schema.tables[name], self.columns(name)
        where = _sought(table, wanted.sought)
        falling = wanted.order_by.startswith("-")
        order = [(wanted.order_by.removeprefix("-"), falling)] if wanted.order_by else []
        with self._opened() as rows:
            driver: Any = rows.conn.dialect.loaded_dbapi
            total = rows.count(name, where)
            try:
                found, values = rows.page(name, where, order, wanted.first, wanted.size)
            except (StoredDataInvalidError, driver.DataError):  # what Python has no value for
                every = [column.name for column in table.columns]
                found, values = rows.page(name, where, order, wanted.first, wanted.size, every)
        ids: list[str] = []
        places: dict[str, Row] = {}
        for nth, (locator, key) in enumerate(zip(found.locators, found.keys, strict=True), 1):
            ids.append(row_name(name, locator, key, wanted.first + nth))
            places[ids[-1]] = Row(name, key, ids[-1])
        cells = [list(row) for row in zip(*values, strict=True)]
        for at, column in enumerate(columns):
            if column.kind == "entity":
                target = self._led[name, column.name]
                for row in cells:
                    if row[at] is not None:
                        led = Row(target, (row[at],), row_name(target, None, (row[at],), 0))
                        row[at], places[str(led)] = str(led), led
        return RowsPage(columns, ids, cells, total, places)

    def row(self, name: str) -> Row | None:
        """Return the row that a name stands for; None if no table has it."""
        tables = [table for table in self._schema.tables if name.startswith(f"{table} ")]
        for table in sorted(tables, key=len, reverse=True):
            told = self._schema.tables[table]
            parts = name[len(table) + 1 :].split(", ")
            if len(parts) != len(told.primary_key):
                continue
            pairs = zip(told.primary_key, parts, strict=True)
            same = sa.and_(*(sa.cast(told.sql.c[own], sa.String()) == part for own, part in pairs))
            with self._opened() as rows:
                for key in rows.find(table, same, 1).keys:
                    return Row(table, key, name)
        return None

    def near(self, row: Row, hops: int) -> tuple[EntityDependencyGraph, str]:
        """Return the graph of what is around a row, and how much of it that is.

        Where too many rows refer to it, those alone to which its own keys lead.
        """
        key = self._schema.tables[row.table].primary_key
        where = {name: [value] for name, value in zip(key, row.key, strict=True)}
        within = f"within {counted(hops, 'key')} of {row}"

        asked = {"where": where, "hops": hops, "limit": NEAR}
        try:
            near = self._row_graph(row.table, **asked)
            return near, f"{counted(len(near) - 1, 'row')} {within}"
        except GraphTooLargeError:
            near = self._row_graph(row.table, direction="dependencies", **asked)
            told = f"more than {NEAR} rows are {within}: shown are the {len(near) - 1:,} to which"
            return near, f"{told} keys lead from it"


def _sought(table: ForeignTable, text: str) -> Any:
    """Return the condition that a row has a text in it, or is told by it; None for all rows."""
    if not text:
        return None
    at = table.sql.c
    asked = [at[c.name].contains(text, autoescape=True) for c in table.columns if c.kind == "str"]
    asked += [sa.cast(at[name], sa.String()) == text for name in table.primary_key]
    return sa.or_(sa.false(), *asked)
