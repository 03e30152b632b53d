"""Reading a damaged file: every row that can be read, and which cannot."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection

from ecsviz.basics.text import sql_name
from ecsviz.storage.sql.dialects import row_of
from ecsviz.storage.sql.driver_values import Unfit
from ecsviz.storage.sql.statements import columns_of

GAP: Final = 1_000_000
"""How many rows are looked for one by one where nothing says which there are."""

Told = list[tuple[int, int, str]]
"""Column, row and reason of what does not fit."""


class TornError(Exception):
    """A part of the file cannot be read."""


class Salvage:
    """Reads tables of which parts cannot be read.

    Attributes
    ----------
    lost
        By table, the row ids that cannot be read, each with the ``ecs_id`` that an index still has.
    unread
        The tables that cannot be read at all, and why.

    Notes
    -----
    A table is read whole, as ever; where SQLite says that a page is damaged, in halves, and halves
    of halves, until what cannot be read is single rows. O(rows + damaged rows × log(rows)).
    """

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.lost: dict[str, dict[int, Any]] = {}
        self.unread: dict[str, str] = {}

    def columns(
        self, conn: Connection, query: sa.Select[Any], unfit: Unfit | None = None
    ) -> list[list[Any]]:
        """Run a query on one table, as `columns_of` does; leave out what cannot be read."""
        try:
            found, told = _read(conn, query)
        except TornError:
            found, told = self._in_parts(conn, query)
        except exc.OperationalError as err:
            if getattr(err.orig, "sqlite_errorname", "") != "SQLITE_ERROR":
                raise
            self.unread[_table_of(query).name] = str(err.orig)  # not there, or of other columns
            return [[] for _ in query.selected_columns]
        for each in told:
            if unfit is not None:
                unfit(*each)
        return found

    def _in_parts(self, conn: Connection, query: sa.Select[Any]) -> tuple[list[list[Any]], Told]:
        """Read what can be read of a table; note the rows that cannot."""
        table = _table_of(query)
        found: list[list[Any]] = [[] for _ in query.selected_columns]
        every: Told = []
        left = [self._row_ids(table)]
        while left:
            ids = left.pop()
            if not ids:
                continue
            part = query.where(sa.literal_column("rowid", sa.Integer()).between(ids[0], ids[-1]))
            try:
                some, told = _read(conn, part)
            except TornError:
                if len(ids) == 1:
                    self._lose(table, ids[0])
                else:
                    left += [ids[len(ids) // 2 :], ids[: len(ids) // 2]]
                continue
            every += [(column, len(found[0]) + row, why) for column, row, why in told]
            for whole, more in zip(found, some, strict=True):
                whole.extend(more)
        return found, every

    def indexed(self, table: sa.Table) -> dict[int, Any]:
        """Return the row ids that the index of ``ecs_id`` has, each with what it says.

        Notes
        -----
        A page whose number of rows is another reads well, and has fewer rows.
        """
        if not row_of(self.conn).is_sqlite:
            return {}
        name, kind = sql_name(table.name), table.c.ecs_id.type
        for index in self._listed(f"PRAGMA index_list({name})"):
            if [row[2] for row in self._listed(f"PRAGMA index_info({sql_name(index[1])})")] == [
                "ecs_id"
            ]:
                text = f"SELECT rowid, ecs_id FROM {name} INDEXED BY {sql_name(index[1])}"  # noqa: S608
                query = sa.text(text).columns(row=sa.Integer(), ecs_id=kind)
                with contextlib.suppress(TornError):
                    (rows, ids), _ = _read(self.conn, query)
                    return dict(zip(rows, ids, strict=True))
        return {}

    def _listed(self, query: str) -> list[Any]:
        try:
            return list(self.conn.exec_driver_sql(query).all())
        except (exc.DatabaseError, sqlite3.DatabaseError) as err:
            _check_torn(err)
            return []

    def _row_ids(self, table: sa.Table) -> list[int]:
        """Return the row ids of a table: as an index has them, or as far as it can be gone."""
        name = sql_name(table.name)
        found, whole = self._walked(f"SELECT rowid FROM {name}")  # noqa: S608  # quoted
        if whole:
            return sorted(set(found))
        first, whole = self._walked(f"SELECT rowid FROM {name} NOT INDEXED")  # noqa: S608
        if whole:
            return first
        last, _ = self._walked(f"SELECT rowid FROM {name} NOT INDEXED ORDER BY rowid DESC")  # noqa: S608
        known = {*found, *first, *last}
        begin, end = max(first, default=0), min(last, default=max(known, default=0) + 1)
        known.update(range(begin + 1, min(end, begin + GAP)))
        return sorted(known)

    def _walked(self, query: str) -> tuple[list[int], bool]:
        """Return the first column of a query as far as it can be read, and whether that is all."""
        found: list[int] = []
        try:
            with contextlib.closing(self.conn.exec_driver_sql(query)) as rows:
                found += (row[0] for row in rows)
        except (exc.DatabaseError, sqlite3.DatabaseError) as err:
            _check_torn(err)
            return found, False
        return found, True

    def _lose(self, table: sa.Table, row_id: int) -> None:
        """Note a row that cannot be read; an index may still say whose it was."""
        lost = self.lost.setdefault(table.name, {})
        lost[row_id] = None
        if "ecs_id" in table.c:
            query = sa.select(table.c.ecs_id).where(sa.literal_column("+rowid") == row_id)
            with contextlib.suppress(TornError):
                lost[row_id] = next(iter(_read(self.conn, query)[0][0]), None)


def _table_of(query: sa.Select[Any]) -> sa.Table:
    (table,) = query.get_final_froms()
    assert isinstance(table, sa.Table)
    return table


def _read(conn: Connection, query: Any) -> tuple[list[list[Any]], Told]:
    """Run a query; return its columns, and what in them does not fit.

    Raises
    ------
    TornError
        If a part of it cannot be read.
    """
    told: Told = []
    try:
        return columns_of(conn, query, unfit=lambda *each: told.append(each)), told
    except (exc.DatabaseError, sqlite3.DatabaseError) as err:
        _check_torn(err)
        raise TornError from err


def _check_torn(err: Exception) -> None:
    """Raise an error anew that says something else than that a part of the file is damaged."""
    name: str = getattr(getattr(err, "orig", err), "sqlite_errorname", "")
    if not name.startswith("SQLITE_CORRUPT"):
        raise err
