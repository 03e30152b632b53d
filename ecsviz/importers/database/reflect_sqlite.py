"""Reads the tables of SQLite through its pragmas: four statements a schema.

SQLAlchemy's own reflection of SQLite also searches the text of every CREATE TABLE with regular
expressions, which a hostile text can keep busy for ever.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from sqlalchemy import exc
from sqlalchemy.engine import Connection

from ecsviz.basics.text import sql_text
from ecsviz.importers.database.schema import (
    ForeignColumn,
    ForeignKey,
    ForeignSchema,
    ForeignTable,
    Kind,
    placed,
)
from ecsviz.importers.database.unreadable import leave_out_unreadable

_HIDDEN = 1
"""How ``table_xinfo`` marks a virtual table's columns that are none of its data."""

_COMPUTED = 2
"""How it marks columns that are computed when they are read."""

_TABLES = (
    "SELECT name, type, sql FROM {schema}.sqlite_master WHERE type IN ('table', 'view')"
    " AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY name"
)
_COLUMNS = (
    'SELECT m.name, x.name, x.type, x."notnull", x.pk, x.hidden'
    " FROM {schema}.sqlite_master AS m JOIN pragma_table_xinfo(m.name, {text}) AS x"
    " WHERE m.type = 'table' AND {which} ORDER BY m.name, x.cid"
)
_KEYS = (
    'SELECT m.name, k.id, k."from", k."table", k."to"'
    " FROM {schema}.sqlite_master AS m JOIN pragma_foreign_key_list(m.name, {text}) AS k"
    " WHERE m.type = 'table' AND {which} ORDER BY m.name, k.id DESC, k.seq"
)
_INDEXES = (
    "SELECT m.name, l.name, i.name FROM {schema}.sqlite_master AS m"
    " JOIN pragma_index_list(m.name, {text}) AS l"
    " JOIN pragma_index_info(l.name, {text}) AS i"
    " WHERE m.type = 'table' AND {which} AND NOT l.partial"
    " ORDER BY m.name, l.seq, i.seqno"
)
_UNIQUES = _INDEXES.replace(" AND NOT", ' AND l."unique" AND NOT')
_VIRTUAL = "a virtual table, whose rows a module computes; modules are not run on a file of others"
_ALL = "m.name NOT LIKE 'sqlite~_%' ESCAPE '~'"


_COLLATED = re.compile(r"COLLATE\W+(?!(?:BINARY|NOCASE|RTRIM)\b)", re.IGNORECASE)
_ROW_IDS = {"rowid", "_rowid_", "oid"}
_SHADOWS = tuple(
    f"_{name}"
    for name in (
        *("data", "idx", "content", "docsize", "config", "segments", "segdir", "stat"),
        *("node", "rowid", "parent"),
    )
)
"""How the tables end in which FTS and R-tree keep a virtual table's index."""


def of_sqlite(conn: Connection, schema: str) -> ForeignSchema:
    """Return what a database consists of, or one that is attached to it."""
    found = ForeignSchema()
    names: list[str] = []
    virtual: list[str] = []
    doubted: list[str] = []
    for name, kind, sql in conn.exec_driver_sql(_query(conn, _TABLES, schema)):
        if not _is_text(name):
            found.unreadable[repr(name)] = "its name is no text"
        else:
            (names if kind == "table" else found.views).append(name)
            found.collated |= {name} if _COLLATED.search(str(sql)) else set()
            virtual += [name] * str(sql).upper().startswith("CREATE VIRTUAL")
    columns = _per_table(conn, _query(conn, _COLUMNS, schema), names, found.unreadable)
    keys = _per_table(conn, _query(conn, _KEYS, schema), names, found.unreadable)
    # What an index consists of is no data; what it is an index of may stand nowhere else.
    kept = {f"{name}_content" for name in virtual if name in found.unreadable}
    shadows = {f"{name}{end}" for name in virtual for end in _SHADOWS} - kept
    for name in names:
        if name in shadows:
            continue
        told = [row for row in columns.get(name, ()) if row[5] != _HIDDEN]
        if name not in found.unreadable and not told:
            found.unreadable[name] = "it has no columns"
        if not all(_is_text(text) for row in told for text in row[1:3]):
            found.unreadable[name] = "the name of a column is no text"
        key = [row[1] for row in sorted(told, key=lambda row: int(row[4])) if row[4]]
        of_key = [row for row in told if row[4]]
        is_row_id = len(key) == 1 and of_key[0][2].upper() == "INTEGER"
        optional = not is_row_id and (not key or not all(row[3] for row in of_key))
        if optional and {row[1].casefold() for row in told} >= _ROW_IDS:
            why = "its primary key may be NULL" if key else "it has no primary key"
            found.unreadable[name] = f"columns hide its row ids, and {why}"
        if name in found.unreadable:
            continue
        made = tuple(map(_sqlite_column, told))
        doubted += [name] * any(row[5] == _COMPUTED for row in told)
        within = None if schema == "main" else schema
        found.tables[name] = ForeignTable(name, made, tuple(key), within)
        for _, parts in groupby(keys.get(name, ()), key=lambda row: row[1]):
            rows = list(parts)
            if not all(text is None or _is_text(text) for row in rows for text in row[2:]):
                found.unreadable[f"{name} (a key)"] = "a name in it is no text"
                continue
            targets = tuple(row[4] for row in rows if row[4] is not None)
            target = placed(schema, rows[0][3])
            found.keys.append(ForeignKey(name, tuple(row[2] for row in rows), target, targets))
    leave_out_unreadable(conn, [found], {*doubted, *found.collated})
    found.collated.intersection_update(found.tables)
    return found


def _query(conn: Connection, query: str, schema: str) -> str:
    quote = conn.dialect.identifier_preparer.quote_identifier
    return query.format(schema=quote(schema), text=sql_text(schema), which="{which}")


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


def sqlite_uniques(
    conn: Connection, names: list[str], schema: str
) -> Iterator[tuple[str, list[str]]]:
    """Yield tables, each with columns of which no two of its rows have the same values."""
    return _indexed(conn, _query(conn, _UNIQUES, schema), names)


def sqlite_indexes(
    conn: Connection, names: list[str], schema: str
) -> Iterator[tuple[str, list[str]]]:
    """Yield tables, each with the columns of an index, in the index's order."""
    return _indexed(conn, _query(conn, _INDEXES, schema), names)


def _indexed(conn: Connection, query: str, names: list[str]) -> Iterator[tuple[str, list[str]]]:
    rows = _per_table(conn, query, names, {})
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
