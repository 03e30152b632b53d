"""Rows of tables, and which row refers to which: the database joins, one statement a key.

A row is told by its *locator*: SQLite's row id, elsewhere the primary key, or what the database
has instead. Which rows belong together is left to the database, since only it knows its
collations and how it compares numbers with texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final, TypeAlias
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection

from ecsviz.errors import InvalidArgumentError, did_you_mean, short_repr
from ecsviz.importers.database.schema import ForeignKey, ForeignSchema, ForeignTable
from ecsviz.storage.sql.statements import columns_of, key_condition

Locator: TypeAlias = Any
"""Which row of its table: a value, or a tuple of values. Only good while the database is open."""
Where: TypeAlias = "Mapping[str, Any] | sa.ColumnElement[bool] | sa.TextClause | None"
"""A condition on the rows of a table."""

_PARAMETERS: Final = 30_000
"""How many parameters one statement takes: SQLite allows 32,766, PostgreSQL 65,535."""
_FEW_PARAMETERS: Final = 1_000
"""The same where nothing is known about the database."""


@dataclass(frozen=True, slots=True)
class FoundRows:
    """Rows of one table.

    Attributes
    ----------
    locators
        Of each row.
    keys
        The values of the primary key of each row; empty tuples if there is none.
    """

    locators: list[Locator]
    keys: list[tuple[Any, ...]]


class TableRows:
    """Reads rows of one database, in one transaction.

    Parameters
    ----------
    conn
        A connection that may only read.
    schema
        What the database consists of.
    row_ids
        Table → what its row id is called, None if it has none; filled as tables are met.
    """

    def __init__(
        self, conn: Connection, schema: ForeignSchema, row_ids: dict[str, str | None] | None = None
    ) -> None:
        self.conn = conn
        self.schema = schema
        self._row_ids: dict[str, str | None] = {} if row_ids is None else row_ids

    # -- rows --------------------------------------------------------------------------------

    def count(self, name: str) -> int:
        """Return how many rows a table has."""
        query = sa.select(sa.func.count()).select_from(self._table(name).sql)
        return int(self.conn.execute(query).scalar_one())

    def find(self, name: str, where: Where = None, limit: int | None = None) -> FoundRows:
        """Return the rows of a table that meet a condition, in the table's order."""
        table = self._table(name)
        at = table.sql
        locators = self._locators(table, at, quoted_name(self.conn, table))
        keys = [at.c[column] for column in table.primary_key]
        query = sa.select(*locators, *keys).select_from(at).order_by(*locators)
        return _found(self._chosen(query, table, at, where, limit), len(locators))

    def values(
        self,
        name: str,
        locators: Sequence[Locator] | None = None,
        where: Where = None,
        limit: int | None = None,
    ) -> tuple[list[Locator], list[list[Any]]]:
        """Return the locators of rows, and their values as columns, in the table's order.

        Parameters
        ----------
        name
            The table.
        locators
            Which rows; None for all.
        where, limit
            As in `find`; only if `locators` are not given.
        """
        table = self._table(name)
        at = table.sql
        located = self._locators(table, at, quoted_name(self.conn, table))
        wanted = [at.c[column.name] for column in table.columns]
        query = sa.select(*located, *wanted).select_from(at).order_by(*located)
        if locators is None:
            columns = self._chosen(query, table, at, where, limit)
        else:
            parts = [
                columns_of(self.conn, query.where(chosen))
                for chosen in self._among(located, locators)
            ]
            columns = _joined(parts, len(located) + len(wanted))
        return _tuples(columns[: len(located)]), columns[len(located) :]

    def _chosen(
        self, query: sa.Select[Any], table: ForeignTable, at: Any, where: Where, limit: int | None
    ) -> list[list[Any]]:
        """Run a query for the rows that meet a condition, and return columns as lists."""
        if limit is not None:
            query = query.limit(limit)
        if where is None:
            return columns_of(self.conn, query)
        try:
            return columns_of(self.conn, query.where(condition(table, at, where)))
        except (exc.SQLAlchemyError, OverflowError, UnicodeError) as err:
            why = str(getattr(err, "orig", err)).strip()
            if "interrupted" in why or getattr(err, "connection_invalidated", False):
                raise
            raise InvalidArgumentError(
                f"The condition where= cannot be applied to {table.name}: {short_repr(why)}."
                f"{did_you_mean('', [column.name for column in table.columns])}",
                argument="where",
                table=table.name,
            ) from err

    # -- keys --------------------------------------------------------------------------------

    def links(
        self, key: ForeignKey, sources: Sequence[Locator] | None = None
    ) -> tuple[list[Locator], FoundRows]:
        """Return which rows refer to which by a key.

        Parameters
        ----------
        key
            One that can be followed.
        sources
            The rows that refer; None for all.

        Returns
        -------
        tuple
            The locators of the rows that refer, and the rows that each refers to.
        """
        return self._links(key, sources, None, None)

    def links_to(
        self, key: ForeignKey, targets: Sequence[Locator], limit: int | None
    ) -> tuple[FoundRows, list[Locator]]:
        """Return the rows that refer to some rows by a key, at most `limit`, and to which."""
        found, there = self._links(key, None, targets, limit)
        return FoundRows(found, there.keys), there.locators

    def _links(
        self,
        key: ForeignKey,
        sources: Sequence[Locator] | None,
        targets: Sequence[Locator] | None,
        limit: int | None,
    ) -> tuple[list[Locator], FoundRows]:
        source, target = self._table(key.table), self._table(key.target)
        here, there = source.sql.alias("s"), target.sql.alias("t")
        ends = [self._locators(source, here, "s"), self._locators(target, there, "t")]
        # The key of the rows that are not known yet.
        told, at = (source, here) if targets is not None else (target, there)
        keys = [at.c[column] for column in told.primary_key]
        query = (
            sa.select(*ends[0], *ends[1], *keys)
            .select_from(here.join(there, _on(key, here, there)))
            .order_by(*ends[0], *ends[1])
        )
        if limit is not None:
            query = query.limit(limit)
        side, chosen = (0, sources) if targets is None else (1, targets)
        if chosen is None:
            parts = [columns_of(self.conn, query)]
        else:
            parts = [
                columns_of(self.conn, query.where(among))
                for among in self._among(ends[side], chosen)
            ]
        columns = _joined(parts, len(ends[0]) + len(ends[1]) + len(keys))
        return _tuples(columns[: len(ends[0])]), _found(columns[len(ends[0]) :], len(ends[1]))

    def count_links(self, key: ForeignKey) -> tuple[int, int, int]:
        """Return how many rows refer to a row, to none (dangling), and have NULL in the key."""
        here = self._table(key.table).sql.alias("s")
        target = self._table(key.target).sql
        # Each value once, so that a row counts once where the target's columns are not unique.
        there = sa.select(*(target.c[name] for name in key.target_columns)).distinct().alias("t")
        full = sa.and_(*(here.c[name].is_not(None) for name in key.columns))
        met = there.c[key.target_columns[0]].is_not(None)
        query = sa.select(
            sa.func.count(sa.case((met, 1))),
            sa.func.count(sa.case((full, 1))),
            sa.func.count(),
        ).select_from(here.outerjoin(there, _on(key, here, there)))
        linked, complete, rows = self.conn.execute(query).one()
        return linked, complete - linked, rows - complete

    # -- locators ----------------------------------------------------------------------------

    def _table(self, name: str) -> ForeignTable:
        return self.schema.tables[name]

    def _row_id(self, table: ForeignTable) -> str | None:
        """Return how a table calls its row id, None if it has none."""
        if self.conn.dialect.name != "sqlite":
            return None
        if table.name not in self._row_ids:
            taken = {column.name.casefold() for column in table.columns}
            free = [name for name in ("rowid", "_rowid_", "oid") if name not in taken]
            self._row_ids[table.name] = next((n for n in free if self._knows(table, n)), None)
        return self._row_ids[table.name]

    def _knows(self, table: ForeignTable, name: str) -> bool:
        # Not in double quotes: a name that is none would be taken for a text.
        try:
            self.conn.exec_driver_sql(
                f"SELECT {name} FROM {quoted_name(self.conn, table)} LIMIT 0"  # noqa: S608 - quoted
            )
        except exc.DBAPIError as err:
            if "no such column" not in str(err.orig):
                raise
            return False
        return True

    def _locators(self, table: ForeignTable, at: Any, called: str) -> list[sa.ColumnElement[Any]]:
        """Return the expressions that tell a row of a table."""
        name = self._row_id(table)
        if name is not None:
            return [sa.literal_column(f"{called}.{name}", sa.BigInteger())]
        if table.primary_key:
            return [at.c[column] for column in table.primary_key]
        if self.conn.dialect.name == "postgresql":  # a partition's place is unique within it
            return [
                sa.cast(sa.literal_column(f"{called}.{column}"), sa.Text())
                for column in ("tableoid", "ctid")
            ]
        return [at.c[column.name] for column in table.columns]

    def _among(
        self, located: Sequence[sa.ColumnElement[Any]], locators: Sequence[Locator]
    ) -> Iterator[sa.ColumnElement[bool]]:
        """Yield conditions that a row is one of some: one, or one for every so many rows."""
        if not locators:
            return
        sqlite = self.conn.dialect.name == "sqlite"
        if sqlite and len(located) == 1 and type(locators[0]) is int:
            yield key_condition(self.conn, located[0], locators)
            return
        most = _PARAMETERS if self.conn.dialect.name in ("sqlite", "postgresql") else 0
        step = max(1, (most or _FEW_PARAMETERS) // len(located))
        at = located[0] if len(located) == 1 else sa.tuple_(*located)
        for start in range(0, len(locators), step):
            yield at.in_(locators[start : start + step])


def quoted_name(conn: Connection, table: ForeignTable) -> str:
    """Return a table's name as it is written in SQL."""
    preparer = conn.dialect.identifier_preparer
    name = preparer.quote_identifier(table.name)
    return name if table.schema is None else f"{preparer.quote_schema(table.schema)}.{name}"


def _on(key: ForeignKey, here: Any, there: Any) -> sa.ColumnElement[bool]:
    # The target stands first: SQLite compares by the collation of what does.
    pairs = zip(key.columns, key.target_columns, strict=True)
    return sa.and_(*(there.c[other] == here.c[own] for own, other in pairs))


def condition(table: ForeignTable, at: sa.TableClause, where: Any) -> Any:
    """Return a condition on the rows of a table as SQLAlchemy has it.

    Raises
    ------
    InvalidArgumentError
        If it names a column that is not there, or is none.
    """
    if isinstance(where, (sa.ColumnElement, sa.TextClause)):
        return where
    if not isinstance(where, Mapping):
        hint = " Give sa.text(...) for SQL." if isinstance(where, str) else ""
        raise InvalidArgumentError(
            f"where={short_repr(where)} is no condition. Give a dictionary of column values, such"
            f" as {{{table.columns[0].name!r}: 1}}, or an expression of SQLAlchemy.{hint}",
            argument="where",
            value=where,
        )
    parts = []
    for name, value in where.items():
        if name not in at.c:
            raise InvalidArgumentError(
                f"{table.name} has no column {short_repr(name)}."
                f"{did_you_mean(str(name), [column.name for column in table.columns])}",
                argument="where",
                table=table.name,
                column=name,
            )
        column = at.c[name]
        several = isinstance(value, (list, tuple, set, frozenset, range))
        wanted = list(value) if several else [value]
        if at.c[name].type._type_affinity is sa.types.NullType:
            wanted = [form for one in wanted for form in _forms(one)]
        parts.append(column.in_(wanted) if several or len(wanted) != 1 else column == wanted[0])
    return sa.and_(sa.true(), *parts)


def _forms(value: Any) -> list[Any]:
    """Return how a value may be written in SQLite, which has no dates and no decimals.

    Examples
    --------
    >>> _forms(date(2024, 2, 29)), _forms(Decimal("0.5")), _forms(7)
    (['2024-02-29'], [0.5], [7])
    """
    if isinstance(value, datetime):
        pairs = [(" ", "auto"), ("T", "auto"), (" ", "milliseconds"), (" ", "microseconds")]
        return list(dict.fromkeys(value.isoformat(sep, spec) for sep, spec in pairs))
    if isinstance(value, (date, time)):
        return [value.isoformat()]
    if isinstance(value, Decimal):
        return [float(value)]
    return [str(value)] if isinstance(value, UUID) else [value]


def _found(columns: list[list[Any]], located: int) -> FoundRows:
    locators = _tuples(columns[:located])
    rest = columns[located:]
    keys = list(zip(*rest, strict=True)) if rest else [()] * len(locators)
    return FoundRows(locators, keys)


def _tuples(columns: list[list[Any]]) -> list[Locator]:
    if len(columns) == 1:
        return columns[0]
    return list(zip(*columns, strict=True))


def _joined(parts: list[list[list[Any]]], width: int) -> list[list[Any]]:
    if len(parts) == 1:
        return parts[0]
    return [[value for part in parts for value in part[n]] for n in range(width)]
