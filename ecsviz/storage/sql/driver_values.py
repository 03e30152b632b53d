"""A driver's values in Python's types; what does not fit its column is told by table and row.

SQLite takes any value in any column: whoever edits a file may leave a text where a number belongs.
A server keeps its types, and has values of them that Python has not, such as a day before Christ.
Every value that is read passes here, so that nothing behind has to expect such a thing.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time
from operator import countOf
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection
from sqlalchemy.sql import visitors

from ecsviz.domain.scalars import NoneType
from ecsviz.errors import StoredDataInvalidError
from ecsviz.storage.sql.column_types import JsonColumn
from ecsviz.storage.sql.dialects import row_of, through_own_driver
from ecsviz.values.tagged_json import UNREADABLE, read_json
from ecsviz.values.unfit import invalid

Unfit = Callable[[int, int, str], None]
"""Is told the number of a column, the number of a row, and why the value there does not fit."""

OWN = frozenset({"id", "ecs_id", "ecs_lineage_id", "ecs_version", "ecs_revision"})
"""Columns that no row is without, also in history tables, which require nothing."""


STRICT: Final = "ecsviz_strict"
"""The execution option of connections to databases that no store of ours is in."""


class Undecodable(bytes):
    """What a driver has no value for, such as a text in a SQLite file that is no UTF-8."""


# -- fetching --------------------------------------------------------------------------------


def fetch(
    conn: Connection, query: Any, given: dict[str, Any] | None = None
) -> tuple[list[Any], list[Any]]:
    """Run a query; return the driver's values by column, and its type codes of the columns.

    Notes
    -----
    What the driver has no value for comes as `Undecodable`. Its own error would quote it; where
    the connection is `STRICT`, it is raised.
    """
    try:
        return _fetch(conn, query, given)
    except (sqlite3.OperationalError, exc.OperationalError) as err:
        if "decode to UTF-8" not in str(err):
            raise
    except _unreadable(conn):
        if not through_own_driver(conn) or STRICT in conn.get_execution_options():
            raise
    with _lenient(conn):
        return _fetch(conn, query, given)


def _unreadable(conn: Connection) -> tuple[type[Exception], ...]:
    """Return what a driver raises that has read a value which Python has not."""
    driver: Any = conn.dialect.loaded_dbapi
    return (*UNREADABLE, driver.DataError)


@contextlib.contextmanager
def _lenient(conn: Connection) -> Iterator[None]:
    """Let the driver hand out what it has no value for."""
    if not row_of(conn).is_sqlite:
        sa.event.listen(conn, "before_cursor_execute", _take_any)
        try:
            yield
        finally:
            sa.event.remove(conn, "before_cursor_execute", _take_any)
        return
    driver: Any = conn.connection.dbapi_connection
    before, driver.text_factory = driver.text_factory, _text
    try:
        yield
    finally:
        driver.text_factory = before


def _take_any(_: Connection, cursor: Any, *__: Any) -> None:
    """Let one cursor of psycopg hand out times and JSON that Python has no value for."""
    for name in ("date", "time", "timetz", "timestamp", "timestamptz", "json", "jsonb"):
        oid = cursor.adapters.types[name].oid
        cursor.adapters.register_loader(oid, _any(cursor.adapters.get_loader(oid, 0)))


def _any(reader: Any) -> Any:
    """Return a loader of psycopg that lets `Undecodable` stand for what another cannot load."""
    from psycopg.adapt import Loader

    class Lenient(Loader):
        def __init__(self, oid: int, context: Any = None) -> None:
            super().__init__(oid, context)
            self._reader = reader(oid, context)

        def load(self, data: Any) -> Any:
            try:
                return self._reader.load(data)
            except Exception:  # noqa: BLE001 - of psycopg, or of who reads JSON
                return Undecodable(data)

    return Lenient


def _fetch(
    conn: Connection, query: Any, given: dict[str, Any] | None
) -> tuple[list[Any], list[Any]]:
    with contextlib.closing(conn.execute(query, given)) as result:
        cursor: Any = result.cursor
        columns: list[list[Any]] = [[] for _ in cursor.description]
        # So many that Python makes the next rows in the memory of those before.
        while rows := cursor.fetchmany(1_000):
            for column, values in zip(columns, zip(*rows, strict=True), strict=True):
                column.extend(values)
        return columns, [described[1] for described in cursor.description]


def _text(data: bytes) -> str | Undecodable:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return Undecodable(data)


# -- fitting ---------------------------------------------------------------------------------


def fits(conn: Connection, column: Any, values: list[Any]) -> bool:
    """Tell whether the driver's values are all of their column's type.

    Notes
    -----
    Of what converting them tells as well, only what no column is without is looked at: every
    value that is read passes here.
    """
    allowed = _allowed(conn, column)
    if allowed is None:
        return _are_there(column, values)
    if isinstance(column.type, _CONVERTED):
        return NoneType in allowed or all(values)
    found = _are_all(values, allowed)
    return found and (not isinstance(column.type, sa.Boolean) or set(values) <= _TRUTHS)


def _are_there(column: Any, values: list[Any]) -> bool:
    """Tell whether the driver had a value for each, and none is missing that is required."""
    if isinstance(column.type, _READ) and Undecodable in map(type, values):
        return False
    return not _is_required(column) or all(values) or None not in values


def _are_all(values: list[Any], allowed: frozenset[type]) -> bool:
    """Tell whether all values are of some types; a sum takes a quarter of the time for numbers."""
    if int in allowed:
        with contextlib.suppress(TypeError):  # there is a None, or something else
            return type(sum(values)) in allowed
    elif values[:1] == [None] and values.count(None) == len(values):
        return NoneType in allowed
    elif len(allowed) == 1:
        return countOf(map(type, values), *allowed) == len(values)
    return set(map(type, values)) <= allowed


def convert_each(
    conn: Connection,
    column: Any,
    values: list[Any],
    convert: Callable[[Any], Any] | None,
    unfit: Callable[[int, str], None],
) -> list[Any]:
    """Convert values one by one; what does not fit is told, and stays as the driver has it."""
    result = list(values)
    allowed, is_truth = _allowed(conn, column), isinstance(column.type, sa.Boolean)
    for row, value in enumerate(values):
        fit = _are_there(column, [value]) if allowed is None else type(value) in allowed
        if not fit or (is_truth and value not in _TRUTHS):
            unfit(row, _why(conn, column, value))
        elif convert is not None and value is not None:
            try:
                result[row] = convert(value)
            except UNREADABLE:  # whose text may quote the value
                unfit(row, f"is no {_name(column)}")
    return result


def _allowed(conn: Connection, column: Any) -> frozenset[type] | None:
    """Return the types that a driver may hand out for a column; None if any may."""
    if row_of(conn).is_typed:
        return None  # databases that know types keep to them
    for kind, (types, _) in _TYPES.items():
        if isinstance(column.type, kind):
            return types if _is_required(column) else types | {NoneType}
    return None


def _is_required(column: Any) -> bool:
    if not isinstance(column, sa.ColumnClause):
        return False
    in_table = isinstance(getattr(column, "table", None), sa.Table)
    if in_table and not getattr(column, "nullable", True):
        return True
    # Also through the subqueries that say what a table held. A name to be quoted is not ours.
    is_own = column.name in OWN and getattr(column.name, "quote", None) is not True
    return is_own or any(getattr(base, "primary_key", False) for base in column.base_columns)


def _why(conn: Connection, column: Any, value: Any) -> str:
    if value is None:
        return "is NULL"
    allowed = _allowed(conn, column)
    if type(value) is Undecodable and allowed is not None:
        return "is a text that is no UTF-8"
    if allowed is None or type(value) in allowed:
        return f"is no {_name(column)}"
    return f"is of type {type(value).__name__}, but must be {_name(column)}"


def _name(column: Any) -> str:
    return next((name for kind, (_, name) in _TYPES.items() if isinstance(column.type, kind)), "")


_TRUTHS = {0, 1, None}

_CONVERTED = (sa.Uuid, sa.DateTime, sa.Date, sa.Time)
"""Types whose conversion takes nothing but texts."""

_READ = (sa.DateTime, sa.Date, sa.Time, sa.JSON, JsonColumn)
"""Types of which a server has values that Python has not."""

# In the order of looking: a truth is a kind of text for no database, but SQLAlchemy's
# types inherit from each other.
_TYPES: dict[type, tuple[frozenset[type], str]] = {
    sa.Boolean: (frozenset({int}), "bool"),
    sa.Integer: (frozenset({int}), "int"),
    sa.Numeric: (frozenset({int, float}), "float"),  # and Float, which is one
    sa.LargeBinary: (frozenset({bytes}), "bytes"),
    sa.Uuid: (frozenset({str}), "UUID"),
    sa.DateTime: (frozenset({str}), datetime.__name__),
    sa.Date: (frozenset({str}), date.__name__),
    sa.Time: (frozenset({str}), time.__name__),
    sa.String: (frozenset({str}), "str"),
    sa.JSON: (frozenset({str}), "JSON"),
    JsonColumn: (frozenset({str}), "JSON"),
}


# -- what columns cannot hold ---------------------------------------------------------------


def read_exact(table: str, row: Any, text: str | None) -> dict[str, Any]:
    """Return what a row's ``ecs_exact`` keeps, by field.

    Raises
    ------
    StoredDataInvalidError
        If it is not what ecsviz writes there.
    """
    if text is None:
        return {}
    try:
        data = read_json(text)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise invalid(table, "ecs_exact", row, "is not what ecsviz writes there")
    return data


def exact_by_field(
    table: str, rows: Sequence[Any], texts: Sequence[str | None]
) -> dict[str, dict[int, Any]]:
    """Return what rows keep beside their columns, by field and place.

    Raises
    ------
    StoredDataInvalidError
        If something there is not what ecsviz writes.
    """
    result: dict[str, dict[int, Any]] = {}
    some = texts.count(None) < len(texts)
    for place, text in enumerate(texts if some else ()):
        if text is not None:
            for name, data in read_exact(table, rows[place], text).items():
                result.setdefault(name, {})[place] = data
    return result


# -- telling ---------------------------------------------------------------------------------


def invalid_value(conn: Connection, column: Any, value: Any, why: str) -> StoredDataInvalidError:
    """Return the error for a value of a column, wherever in the database it stands."""
    places = sorted(_bases(column), key=lambda base: str(base.table.name))
    for base in places:
        keys = list(getattr(base.table, "primary_key", ()))
        if not keys and row_of(conn).row_locator:
            keys = [sa.literal_column(row_of(conn).row_locator)]
        columns, _ = fetch(conn, sa.select(base, *keys).select_from(base.table))
        for found, *key in zip(*columns, strict=True):
            if type(found) is type(value) and (found == value or value is None):
                row = tuple(_said(part, one) for part, one in zip(keys, key, strict=True))
                at = row if len(row) > 1 else next(iter(row), None)
                return invalid(base.table.name, base.name, at, why)
    first = places[0] if places else None
    name = "" if first is None else first.table.name
    return invalid(name, column.name if first is None else first.name, None, why)


def _said(column: Any, key: Any) -> Any:
    """Return a part of a row's key; not if it is itself what somebody else has left there."""
    if type(key) is int or (isinstance(column.type, sa.String) and type(key) is str):
        return key
    is_id = isinstance(column.type, sa.Uuid) and len(key or "") == 32 and str(key).isalnum()
    return key if is_id else "(of no key)"


def _bases(column: Any) -> list[Any]:
    """Return the columns of tables from which a column of a query comes."""
    parts = [*column.base_columns, *visitors.iterate(column)]  # a function has its columns inside
    found = [part for part in parts if isinstance(part, sa.ColumnClause)]
    return list(dict.fromkeys(p for p in found if isinstance(p.table, (sa.Table, sa.TableClause))))
