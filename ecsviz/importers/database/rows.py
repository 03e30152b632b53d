"""Rows of tables, and which row refers to which: the database joins, one statement a key.

A row is told by its *locator*: the row id of SQLite and DuckDB, elsewhere the primary key, or what
the database has instead. Which rows belong together is left to the database, since only it knows
its collations and how it compares numbers with texts.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress, pairwise
from typing import Any, Final, TypeAlias

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection
from sqlalchemy.sql.util import ClauseAdapter

from ecsviz.errors import EcsvizError, InvalidArgumentError, did_you_mean, short_repr
from ecsviz.importers.database.among import FEW_PARAMETERS, among
from ecsviz.importers.database.conditions import Where, condition
from ecsviz.importers.database.lacking import PARSERS, from_text
from ecsviz.importers.database.reflect_mysql import NUMBER, numbered
from ecsviz.importers.database.schema import (
    ForeignColumn,
    ForeignKey,
    ForeignSchema,
    ForeignTable,
    as_text,
    literal,
    only,
    shortest_single,
)
from ecsviz.storage.sql.statements import columns_of

Locator: TypeAlias = Any
"""Which row of its table: a value, or a tuple of values. Only good while the database is open."""

_WIDEST: Final = 1_500
"""How many columns one statement asks for: SQLite takes 2,000, PostgreSQL 1,664."""


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

    def count(self, name: str, where: Where = None) -> int:
        """Return how many rows a table has, or of them meet a condition."""
        table = self._table(name)
        query = sa.select(sa.func.count()).select_from(table.sql)
        if where is not None:
            query = query.where(condition(table, where, self.conn.dialect.name))
        return int(self.conn.execute(only(query, table, table.sql)).scalar_one())

    def find(self, name: str, where: Where = None, limit: int | None = None) -> FoundRows:
        """Return the rows of a table that meet a condition, in the table's order."""
        table = self._table(name)
        at = self._rows_of(table)
        locators = self._locators(table, at, quoted_name(self.conn, table))
        keys = self._keys(table, at)
        query = sa.select(*locators, *keys).select_from(at).order_by(*locators)
        return self._found(table, self._chosen(query, table, at, where, limit), len(locators))

    def read(
        self,
        name: str,
        columns: Sequence[str],
        where: Where = None,
        limit: int | None = None,
        as_texts: Container[str] = (),
    ) -> list[list[Any]]:
        """Return columns of the rows that meet a condition, in the table's order.

        Those in `as_texts` are selected as the database writes them.
        """
        table = self._table(name)
        query = self._reading(table, columns, as_texts)
        read: list[list[Any]] = self._chosen(query, table, table.sql, where, limit)
        return read

    def stream(
        self,
        name: str,
        columns: Sequence[str],
        where: Where,
        limit: int | None,
        as_texts: Container[str],
        size: int,
    ) -> Iterator[list[list[Any]]]:
        """Yield what `read` returns, so many rows at a time; none once, if there are none."""
        table = self._table(name)
        query = self._reading(table, columns, as_texts)
        run = partial(self.conn.execute, execution_options={"stream_results": True})
        with self._chosen(query, table, table.sql, where, limit, run) as result:
            parts = result.partitions(size)
            part = next(parts, None)
            yield (
                [list(values) for values in zip(*part, strict=True)]
                if part
                else [[] for _ in columns]
            )
            for part in parts:
                yield [list(values) for values in zip(*part, strict=True)]

    def stream_linked(
        self,
        table: ForeignTable,
        keys: Sequence[tuple[ForeignKey, Sequence[str]]],
        as_texts: Callable[[str], Container[str]],
        size: int,
        *,
        ordered: bool = False,
    ) -> Iterator[tuple[list[list[Any]], list[list[list[Any]]]]]:
        """Yield columns of a table, so many rows at a time, with what its keys lead to.

        Parameters
        ----------
        table
            Its rows come as the database has them.
        keys
            Of the table, each with the columns that are read of the row to which it leads.
        as_texts
            Table → which of its columns are selected as the database writes them.
        size
            How many rows at a time.
        ordered
            Whether a key may lead to several rows, of which the first is meant.

        Yields
        ------
        tuple
            The columns; and for each key the columns of its target, None where no row is there.
        """
        here = table.sql.alias("s")
        at: Any = here
        names = [column.name for column in table.columns]
        wanted = [*self._asked(table, here, names, as_texts(table.name))]
        joined, ends = [(table, here)], [len(wanted)]
        for number, (key, led_to) in enumerate(keys):
            target = self._table(key.target)
            there = target.sql.alias(f"t{number}")
            at = at.outerjoin(there, _on(key, here, there))
            wanted += self._asked(target, there, led_to, as_texts(target.name))
            joined.append((target, there))
            ends.append(len(wanted))
        query = sa.select(*wanted).select_from(at)
        if ordered:
            places = [self._locators(*each, str(each[1].name)) for each in joined]
            query = query.add_columns(*places[0]).order_by(*(c for each in places for c in each))
        for told, alias in joined:
            query = only(query, told, alias)
        options = {"stream_results": True}
        with self.conn.execute(query, execution_options=options) as result:
            for part in _once(result.partitions(size), ends[-1]):
                columns = [list(values) for values in zip(*part, strict=True)]
                targets = [columns[a:b] for a, b in pairwise(ends)]
                yield columns[: ends[0]], targets

    def _reading(
        self, table: ForeignTable, columns: Sequence[str], as_texts: Container[str]
    ) -> sa.Select[Any]:
        at = table.sql
        query = sa.select(*self._asked(table, at, columns, as_texts)).select_from(at)
        if table.located in ("key", "row id"):  # else the database reads them as they lie
            query = query.order_by(*self._locators(table, at, quoted_name(self.conn, table)))
        return query

    def page(
        self,
        name: str,
        where: Where,
        order: Sequence[tuple[str, bool]],
        first: int,
        size: int,
        as_texts: Container[str] = (),
    ) -> tuple[FoundRows, list[list[Any]]]:
        """Return so many rows from a number on, and their values as columns.

        `order` says by which columns they are ordered, and whether falling.
        """
        table = self._table(name)
        at = self._rows_of(table)
        located = self._locators(table, at, quoted_name(self.conn, table))
        keys = self._keys(table, at)
        wanted = self._asked(table, at, [column.name for column in table.columns], as_texts)
        by = [at.c[column].desc() if falling else at.c[column] for column, falling in order]
        query = sa.select(*located, *keys, *wanted).select_from(at).order_by(*by, *located)
        found = self._chosen(query.offset(first), table, at, where, size)
        told = len(located) + len(keys)
        return self._found(table, found[:told], len(located)), found[told:]

    def _asked(
        self, table: ForeignTable, at: Any, names: Sequence[str], as_texts: Container[str]
    ) -> list[sa.ColumnElement[Any]]:
        """Return columns as they are selected."""
        known = {column.name: column for column in table.columns}
        asked = ((at.c[n], as_text if n in as_texts else known[n].asked) for n in names)
        return [at if ask is None else ask(at).label(None) for at, ask in asked]

    def _keys(self, table: ForeignTable, at: Any) -> list[sa.ColumnElement[Any]]:
        """Return the columns of a primary key; as texts, where the driver lacks some values."""
        told = _key_columns(table)
        texts = {c.name for c in told if c.kind in PARSERS}
        engine = self.conn.dialect.name
        return self._asked(
            table, at, table.primary_key, texts if engine in ("duckdb", "postgresql") else ()
        )

    def _found(self, table: ForeignTable, columns: list[list[Any]], located: int) -> FoundRows:
        """Return rows of a table of their locators, and of what `_keys` has read of them."""
        locators = _tuples(columns[:located])
        keys = []
        for column, stored in zip(_key_columns(table), columns[located:], strict=True):
            read = from_text(column.kind) if column.kind in PARSERS else None
            if column.kind == "single":
                read = shortest_single
            elif column.nested is not None:
                read = column.nested.read
            keys.append(stored if read is None else [v if v is None else read(v) for v in stored])
        return FoundRows(locators, list(zip(*keys, strict=True)) if keys else [()] * len(locators))

    def _rows_of(self, table: ForeignTable, alias: str | None = None) -> Any:
        """Return what the rows of a table are selected from."""
        if table.located == "number":
            return numbered(table, alias or table.sql.name)
        return table.sql if alias is None else table.sql.alias(alias)

    def values(
        self,
        name: str,
        locators: Sequence[Locator] | None = None,
        as_texts: Container[str] = (),
        columns: Sequence[str] | None = None,
    ) -> tuple[list[Locator], list[list[Any]]]:
        """Return the locators of rows, and their values as columns, in the table's order.

        Parameters
        ----------
        name
            The table.
        locators
            Which rows; None for all.
        as_texts
            As in `read`.
        columns
            Which values; None for all.
        """
        table = self._table(name)
        at = self._rows_of(table)
        located = self._locators(table, at, quoted_name(self.conn, table))
        names = [column.name for column in table.columns] if columns is None else columns
        wanted = self._asked(table, at, names, as_texts)
        found: list[list[Any]] = []
        for start in range(0, len(wanted), _WIDEST):
            part = wanted[start : start + _WIDEST]
            read = self._part(table, at, located, part, locators)
            found += read[len(found) and len(located) :]
        return _tuples(found[: len(located)]), found[len(located) :]

    def _part(
        self,
        table: ForeignTable,
        at: Any,
        located: Sequence[sa.ColumnElement[Any]],
        wanted: Sequence[sa.ColumnElement[Any]],
        locators: Sequence[Locator] | None,
    ) -> list[list[Any]]:
        query = sa.select(*located, *wanted).select_from(at).order_by(*located)
        columns: list[list[Any]]
        if locators is None:
            columns = self._chosen(query, table, at, None, None)
        elif table.located == "number" and len(locators) > FEW_PARAMETERS:
            # To number the rows again and again takes longer.
            columns, chosen = self._chosen(query, table, at, None, None), set(locators)
            keep = [locator in chosen for locator in columns[0]]
            columns = [list(compress(column, keep)) for column in columns]
        else:
            query = only(query, table, at)
            parts = [
                columns_of(self.conn, query.where(chosen))
                for chosen in among(self.conn, located, locators)
            ]
            columns = _joined(parts, len(located) + len(wanted))
        return columns

    def _chosen(
        self,
        query: sa.Select[Any],
        table: ForeignTable,
        at: Any,
        where: Where,
        limit: int | None,
        run: Callable[[Any], Any] | None = None,
    ) -> Any:
        """Run a query for the rows that meet a condition; return columns as lists, or as `run`."""
        run = run or partial(columns_of, self.conn)
        if limit is not None:
            query = query.limit(limit)
        query = only(query, table, at)
        if where is None:
            return run(query)
        told = condition(table, where, self.conn.dialect.name)
        if at is not table.sql:
            told = ClauseAdapter(at).traverse(told)
        try:
            return run(query.where(told))
        except EcsvizError:
            raise
        except (exc.SQLAlchemyError, ArithmeticError, TypeError, ValueError) as err:
            why = str(getattr(err, "orig", err)).strip()
            if "interrupted" in why.lower() or getattr(err, "connection_invalidated", False):
                raise
            raise InvalidArgumentError(
                f"The condition where= cannot be applied to {table.name}: {short_repr(why)}."
                f"{did_you_mean('', [column.name for column in table.columns])} Their types are in"
                " columns_frame(); other conditions are expressions, such as sa.text(...).",
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
        here, there = self._rows_of(source, "s"), self._rows_of(target, "t")
        ends = [self._locators(source, here, "s"), self._locators(target, there, "t")]
        # The key of the rows that are not known yet.
        told, at = (source, here) if targets is not None else (target, there)
        keys = self._keys(told, at)
        query = (
            sa.select(*ends[0], *ends[1], *keys)
            .select_from(here.join(there, _on(key, here, there)))
            .order_by(*ends[0], *ends[1])
        )
        query = only(only(query, source, here), target, there)
        if limit is not None:
            query = query.limit(limit)
        side, chosen = (0, sources) if targets is None else (1, targets)
        if chosen is None:
            parts = [columns_of(self.conn, query)]
        else:
            parts = [
                columns_of(self.conn, query.where(some))
                for some in among(self.conn, ends[side], chosen)
            ]
        columns = _joined(parts, len(ends[0]) + len(ends[1]) + len(keys))
        met = self._found(told, columns[len(ends[0]) :], len(ends[1]))
        return _tuples(columns[: len(ends[0])]), met

    def count_links(self, key: ForeignKey) -> tuple[int, int, int]:
        """Return how many rows refer to a row, to none (dangling), and have NULL in the key."""
        source, led_to = self._table(key.table), self._table(key.target)
        here, target = source.sql.alias("s"), led_to.sql
        # Each value once, so that a row counts once where the target's columns are not unique.
        values = sa.select(*(target.c[name] for name in key.target_columns)).distinct()
        there = only(values, led_to, target).alias("t")
        full = sa.and_(*(here.c[name].is_not(None) for name in key.columns))
        met = there.c[key.target_columns[0]].is_not(None)
        query: Any = sa.select(
            sa.func.count(sa.case((met, 1))),
            sa.func.count(sa.case((full, 1))),
            sa.func.count(),
        ).select_from(here.outerjoin(there, _on(key, here, there)))
        linked, complete, rows = self.conn.execute(only(query, source, here)).one()
        return linked, complete - linked, rows - complete

    def has_more(self, table: str, than: int) -> bool:
        """Tell whether a table has more rows than so many."""
        told = self._table(table)
        some = only(sa.select(sa.literal(1).label("n")).select_from(told.sql), told, told.sql)
        query = sa.select(sa.func.count()).select_from(some.limit(than + 1).subquery())
        return bool(self.conn.execute(query).scalar_one() > than)

    def has_dangling(self, key: ForeignKey, most: int | None = None) -> bool:
        """Tell whether a row, or one of so many, names by a key one that is not there."""
        source, target = self._table(key.table), self._table(key.target)
        here: Any = source.sql.alias("s")
        there = target.sql.alias("t")
        if most is not None:
            some = sa.select(*(here.c[name] for name in dict.fromkeys(key.columns))).limit(most)
            here = only(some, source, here).subquery("s")
        full = sa.and_(*(here.c[name].is_not(None) for name in key.columns))
        query = (
            sa.select(sa.literal(1))
            .select_from(here.outerjoin(there, _on(key, here, there)))
            .where(full, there.c[key.target_columns[0]].is_(None))
            .limit(1)
        )
        query = only(query if most is not None else only(query, source, here), target, there)
        return self.conn.execute(query).first() is not None

    # -- locators ----------------------------------------------------------------------------

    def _table(self, name: str) -> ForeignTable:
        return self.schema.tables[name]

    def _row_id(self, table: ForeignTable) -> str | None:
        """Return how a table calls its row id, None if it has none."""
        if self.conn.dialect.name == "duckdb":
            return "rowid"
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
        if table.located == "number":
            return [at.c[NUMBER]]
        if table.located == "place":  # a partition's place is unique within it
            return [
                sa.cast(literal(self.conn, f"{called}.{column}"), sa.Text())
                for column in ("tableoid", "ctid")
            ]
        name = self._row_id(table) if table.located == "row id" else None
        if name is not None:
            return [literal(self.conn, f"{called}.{name}", sa.BigInteger())]
        return [at.c[column] for column in table.key or table.primary_key]


def quoted_name(conn: Connection, table: ForeignTable) -> str:
    """Return a table's name as it is written in SQL."""
    preparer = conn.dialect.identifier_preparer
    name = preparer.quote_identifier(table.own_name or table.name)
    return name if table.schema is None else f"{preparer.quote_identifier(table.schema)}.{name}"


def _on(key: ForeignKey, here: Any, there: Any) -> sa.ColumnElement[bool]:
    # The target stands first: SQLite compares by the collation of what does.
    pairs = zip(key.columns, key.target_columns, strict=True)
    return sa.and_(*(there.c[other] == here.c[own] for own, other in pairs))


def _key_columns(table: ForeignTable) -> list[ForeignColumn]:
    known = {column.name: column for column in table.columns}
    return [known[name] for name in table.primary_key]


def _tuples(columns: list[list[Any]]) -> list[Locator]:
    if len(columns) == 1:
        return columns[0]
    return list(zip(*columns, strict=True))


def _once(parts: Iterable[Sequence[Any]], located: int) -> Iterator[Sequence[Any]]:
    """Yield each row once, by what stands behind so many columns of it, if anything does."""
    last: tuple[Any, ...] = ()
    for part in parts:
        kept = list(part)
        if len(kept[0]) > located:
            places = [last, *(tuple(row[located:]) for row in kept)]
            kept = [row for row, (a, b) in zip(kept, pairwise(places), strict=True) if a != b]
            last = places[-1]
        if kept:
            yield kept


def _joined(parts: list[list[list[Any]]], width: int) -> list[list[Any]]:
    if len(parts) == 1:
        return parts[0]
    return [[value for part in parts for value in part[n]] for n in range(width)]
