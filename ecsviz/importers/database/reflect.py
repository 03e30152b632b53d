"""Reads a database's tables, columns and keys; the number of statements does not grow with them.

SQLite tells them through its pragmas. SQLAlchemy's own reflection of SQLite also searches the
text of every CREATE TABLE with regular expressions, which a hostile text can keep busy for ever.
"""

from __future__ import annotations

import re
import sqlite3
import warnings
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection
from sqlalchemy.engine.reflection import ObjectKind

from ecsviz.errors import StorageOpenError, short_repr
from ecsviz.importers.database.schema import (
    ForeignColumn,
    ForeignKey,
    ForeignSchema,
    ForeignTable,
    Kind,
)

_HIDDEN = 1
"""How ``table_xinfo`` marks a virtual table's columns that are none of its data."""


def reflect(conn: Connection, schema: str | None) -> ForeignSchema:
    """Return what a database consists of.

    Raises
    ------
    StorageOpenError
        If there is no such schema.

    Notes
    -----
    O(tables + columns + keys); three statements on SQLite, SQLAlchemy's bulk reflection
    (``Inspector.get_multi_columns``, …) elsewhere.
    """
    found = _of_sqlite(conn) if conn.dialect.name == "sqlite" else _of_others(conn, schema)
    found.keys = [_checked(found, key, conn.dialect.name == "sqlite") for key in found.keys]
    return found


def _checked(schema: ForeignSchema, key: ForeignKey, any_case: bool) -> ForeignKey:
    """Return a key whose ends are named as their tables name them, or that tells its fault."""
    target = _named(key.target, schema.tables, any_case)
    if target is None:
        why = f"there is no table {key.target!r}"
        if key.target in schema.unreadable:
            why = f"{key.target!r} cannot be read"
        elif key.target in schema.views:
            why = f"{key.target!r} is a view"
        return _faulty(key, why)
    there = schema.tables[target]
    names = [column.name for column in there.columns]
    own = [column.name for column in schema.tables[key.table].columns]
    wanted = key.target_columns or there.primary_key
    if len(wanted) != len(key.columns):
        return _faulty(key, f"{target!r} has no primary key of {len(key.columns)} columns")
    columns = [_named(name, own, any_case) for name in key.columns]
    targets = [_named(name, names, any_case) for name in wanted]
    for name, at in zip(wanted, targets, strict=True):
        if at is None:
            return _faulty(key, f"{target!r} has no column {name!r}")
    if None in columns:
        return _faulty(key, "it names a column that its table does not have")
    return ForeignKey(
        key.table,
        tuple(name for name in columns if name is not None),
        target,
        tuple(name for name in targets if name is not None),
    )


def _faulty(key: ForeignKey, why: str) -> ForeignKey:
    return ForeignKey(key.table, key.columns, key.target, key.target_columns, why)


def _named(name: str, known: Iterable[str], any_case: bool) -> str | None:
    names = list(known)
    if name in names or not any_case:
        return name if name in names else None
    return next((other for other in names if other.casefold() == name.casefold()), None)


# -- SQLite ----------------------------------------------------------------------------------

_TABLES = (
    "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view')"
    " AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY name"
)
_COLUMNS = (
    'SELECT m.name, x.name, x.type, x."notnull", x.pk, x.hidden'
    " FROM sqlite_master AS m JOIN pragma_table_xinfo(m.name) AS x"
    " WHERE m.type = 'table' AND {which} ORDER BY m.name, x.cid"
)
_KEYS = (
    'SELECT m.name, k.id, k."from", k."table", k."to"'
    " FROM sqlite_master AS m JOIN pragma_foreign_key_list(m.name) AS k"
    " WHERE m.type = 'table' AND {which} ORDER BY m.name, k.id DESC, k.seq"
)
_UNIQUES = (
    "SELECT m.name, l.name, i.name FROM sqlite_master AS m JOIN pragma_index_list(m.name) AS l"
    " JOIN pragma_index_info(l.name) AS i"
    """ WHERE m.type = 'table' AND {which} AND l."unique" AND NOT l.partial"""
    " ORDER BY m.name, l.seq, i.seqno"
)
_VIRTUAL = "a virtual table, whose rows a module computes; modules are not run on a file of others"
_ALL = "m.name NOT LIKE 'sqlite~_%' ESCAPE '~'"


def _of_sqlite(conn: Connection) -> ForeignSchema:
    found = ForeignSchema()
    names: list[str] = []
    for name, kind in conn.exec_driver_sql(_TABLES):
        if not _is_text(name):
            found.unreadable[repr(name)] = "its name is no text"
        else:
            (names if kind == "table" else found.views).append(name)
    columns = _per_table(conn, _COLUMNS, names, found.unreadable)
    keys = _per_table(conn, _KEYS, names, found.unreadable)
    for name in names:
        told = [row for row in columns.get(name, ()) if row[5] != _HIDDEN]
        if name not in found.unreadable and not told:
            found.unreadable[name] = "it has no columns"
        if not all(_is_text(text) for row in told for text in row[1:3]):
            found.unreadable[name] = "the name of a column is no text"
        if name in found.unreadable:
            continue
        key = [row[1] for row in sorted(told, key=lambda row: int(row[4])) if row[4]]
        found.tables[name] = ForeignTable(name, tuple(map(_sqlite_column, told)), tuple(key))
        for _, parts in groupby(keys.get(name, ()), key=lambda row: row[1]):
            rows = list(parts)
            if not all(text is None or _is_text(text) for row in rows for text in row[2:]):
                found.unreadable[f"{name} (a key)"] = "a name in it is no text"
                continue
            targets = tuple(row[4] for row in rows if row[4] is not None)
            found.keys.append(ForeignKey(name, tuple(row[2] for row in rows), rows[0][3], targets))
    return found


def _is_text(name: object) -> bool:
    """Tell whether a name can be written: it may be of any bytes."""
    return isinstance(name, str) and not any("\ud800" <= c <= "\udfff" for c in name)


def _per_table(
    conn: Connection, query: str, names: list[str], unreadable: dict[str, str]
) -> dict[str, list[Any]]:
    try:
        rows = conn.exec_driver_sql(query.format(which=_ALL)).fetchall()
    except exc.DBAPIError as err:
        if not isinstance(err.orig, sqlite3.OperationalError) or "interrupt" in str(err.orig):
            raise
        rows = list(_one_by_one(conn, query, names, unreadable))
    result: dict[str, list[Any]] = {}
    for row in rows:
        result.setdefault(row[0], []).append(row)
    return result


def _one_by_one(
    conn: Connection, query: str, names: list[str], unreadable: dict[str, str]
) -> Iterator[Any]:
    """Yield what all tables tell but those that cannot be read: of a module that is not here."""
    for name in names:
        if name not in unreadable:
            try:
                yield from conn.exec_driver_sql(query.format(which="m.name = ?"), (name,))
            except exc.DBAPIError as err:
                if "interrupt" in str(err.orig):
                    raise
                why = str(err.orig)
                denied = "authorized" in why or "constructor failed" in why
                unreadable[name] = _VIRTUAL if denied else why


def sqlite_uniques(conn: Connection, names: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield tables, each with columns of which no two of its rows have the same values."""
    rows = _per_table(conn, _UNIQUES, names, {})
    for name in names:
        for _, parts in groupby(rows.get(name, ()), key=lambda row: row[1]):
            columns = [row[2] for row in parts]
            if None not in columns:  # of an expression
                yield name, columns


def _sqlite_column(row: Any) -> ForeignColumn:
    _, name, declared, not_null, place, _ = row
    kind = sqlite_kind(declared)
    # The row id itself: SQLite does not let it be NULL, and does not say so.
    is_row_id = place == 1 and declared.upper() == "INTEGER"
    return ForeignColumn(name, declared, kind, not (not_null or is_row_id))


_SQLITE_KINDS: tuple[tuple[str, Kind], ...] = (
    ("DATETIME", "datetime"),
    ("TIMESTAMP", "datetime"),
    ("DATE", "date"),
    ("INT", "int"),
    ("BOOL", "bool"),
    ("TIME", "time"),
    ("CHAR", "str"),
    ("CLOB", "str"),
    ("TEXT", "str"),
    ("BLOB", "bytes"),
    ("REAL", "float"),
    ("FLOA", "float"),
    ("DOUB", "float"),
    ("DEC", "number"),
    ("NUM", "number"),
)
_SCALE = re.compile(r"\(\s*\d{1,9}\s*,\s*[1-9]")


def sqlite_kind(declared: str) -> Kind:
    """Return what a type declared in SQLite stands for; its values may say otherwise.

    Examples
    --------
    >>> sqlite_kind("VARCHAR(20)"), sqlite_kind("NUMERIC(10,2)"), sqlite_kind("NUMERIC(10)")
    ('str', 'float', 'number')
    """
    name = declared.upper()
    for part, kind in _SQLITE_KINDS:
        if part in name:
            return "float" if kind == "number" and _SCALE.search(name[:80]) else kind
    return "unknown"


# -- other databases -------------------------------------------------------------------------


_PARTITIONS = sa.text(
    "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relispartition AND n.nspname = coalesce(:schema, current_schema())"
)


def _of_others(conn: Connection, schema: str | None) -> ForeignSchema:
    inspector = sa.inspect(conn)
    if schema is not None and schema not in inspector.get_schema_names():
        names = ", ".join(repr(name) for name in inspector.get_schema_names()[:5])
        raise StorageOpenError(
            f"There is no schema {short_repr(schema)}. There are: {names}.", schema=schema
        )
    found = ForeignSchema(views=sorted(inspector.get_view_names(schema=schema)))
    parts: set[str] = set()
    if conn.dialect.name == "postgresql":
        found.views += sorted(inspector.get_materialized_view_names(schema=schema))
        parts.update(conn.scalars(_PARTITIONS, {"schema": schema}))
    with warnings.catch_warnings():  # of types that SQLAlchemy does not know: kept as text
        warnings.simplefilter("ignore", exc.SAWarning)
        columns = inspector.get_multi_columns(schema=schema, kind=ObjectKind.TABLE)
        primary: Any = inspector.get_multi_pk_constraint(schema=schema, kind=ObjectKind.TABLE)
        keys = inspector.get_multi_foreign_keys(schema=schema, kind=ObjectKind.TABLE)
    for place in sorted(columns, key=lambda place: place[1]):
        name = place[1]
        if name in parts:
            continue  # its rows are those of the table that it is a part of
        key = tuple((primary.get(place) or {}).get("constrained_columns") or ())
        made = tuple(_other_column(conn, column) for column in columns[place])
        if not made:
            found.unreadable[name] = "it has no columns"
            continue
        found.tables[name] = ForeignTable(name, made, key, schema)
        for told in keys.get(place, ()):
            target, there = told["referred_table"], told["referred_schema"]
            if there != schema:
                target = f"{there or inspector.default_schema_name}.{target}"
            found.keys.append(
                ForeignKey(
                    name,
                    tuple(told["constrained_columns"]),
                    target,
                    tuple(told["referred_columns"]),
                )
            )
    return found


def _other_column(conn: Connection, told: Any) -> ForeignColumn:
    kind = told["type"]
    try:
        declared = kind.compile(dialect=conn.dialect)
    except exc.CompileError:
        declared = type(kind).__name__
    return ForeignColumn(told["name"], declared, _kind_of(kind), bool(told["nullable"]), kind)


_KINDS: tuple[tuple[type[Any], Kind], ...] = (
    (sa.Boolean, "bool"),
    (sa.Float, "float"),
    (sa.Numeric, "decimal"),
    (sa.Integer, "int"),
    (sa.Date, "date"),
    (sa.Time, "time"),
    (sa.Interval, "timedelta"),
    (sa.Uuid, "uuid"),
    (sa.LargeBinary, "bytes"),
    (sa.JSON, "json"),
    (sa.ARRAY, "json"),
    (sa.String, "str"),
)


def _kind_of(kind: Any) -> Kind:
    if isinstance(kind, sa.DateTime):
        return "zoned" if kind.timezone else "datetime"
    if isinstance(kind, sa.Numeric) and not kind.asdecimal:
        return "float"
    for known, name in _KINDS:
        if isinstance(kind, known):
            return name
    return "timedelta" if type(kind).__name__ == "INTERVAL" else "other"
