"""Reads the tables of MySQL and MariaDB from their catalog: three statements, however many."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection

from ecsviz.importers.database.schema import (
    DENIED,
    AsItComes,
    ForeignColumn,
    ForeignKey,
    ForeignSchema,
    ForeignTable,
    Kind,
    placed,
)

_COLUMNS = sa.text(
    "SELECT c.table_schema, c.table_name, t.table_type, c.column_name, c.data_type, c.column_type,"
    " c.is_nullable FROM information_schema.columns AS c JOIN information_schema.tables AS t"
    " ON t.table_schema = c.table_schema AND t.table_name = c.table_name"
    " WHERE c.table_schema IN :schemas"
    " ORDER BY c.table_schema, c.table_name, c.ordinal_position"
).bindparams(sa.bindparam("schemas", expanding=True))
_KEYS = sa.text(
    "SELECT table_schema, table_name, constraint_name, column_name, referenced_table_schema,"
    " referenced_table_name, referenced_column_name FROM information_schema.key_column_usage"
    " WHERE referenced_table_name IS NOT NULL AND table_schema IN :schemas"
    " ORDER BY table_schema, table_name, constraint_name, ordinal_position"
).bindparams(sa.bindparam("schemas", expanding=True))
_UNIQUES = sa.text(
    "SELECT table_schema, table_name, index_name, column_name, sub_part, nullable"
    " FROM information_schema.statistics WHERE non_unique = 0 AND table_schema IN :schemas"
    " ORDER BY table_schema, table_name, index_name <> 'PRIMARY', index_name, seq_in_index"
).bindparams(sa.bindparam("schemas", expanding=True))

_TABLES: Final = ("BASE TABLE", "SYSTEM VERSIONED")
_VIEWS: Final = ("VIEW", "SYSTEM VIEW")

_INTEGERS = ("tinyint", "smallint", "mediumint", "int", "bigint", "year")
_TEXTS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set")
_BINARY = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "vector")
_SHAPES = (
    *("geometry", "point", "linestring", "polygon", "multipoint", "multilinestring"),
    *("multipolygon", "geometrycollection", "geomcollection"),
)
_KINDS: Final[dict[str, Kind]] = {
    **dict.fromkeys(_INTEGERS, "int"),
    **dict.fromkeys(_TEXTS, "str"),
    **dict.fromkeys((*_BINARY, *_SHAPES), "bytes"),
    "bit": "bits",
    "date": "date",
    "datetime": "datetime",
    "decimal": "decimal",
    "double": "float",
    "float": "single",
    "json": "json",
    "time": "timedelta",  # of up to 838 hours, also of less than none
    "timestamp": "datetime",
    "uuid": "uuid",
}

_KEY_KINDS: Final = frozenset({"bytes", "decimal", "int", "str", "uuid"})
"""What can be given back to the database and finds the same row."""


def of_mysql(conn: Connection, schemas: list[str]) -> list[tuple[str, ForeignSchema]]:
    """Return what databases of a server consist of; their tables are called as they are there."""
    given = {"schemas": schemas}
    uniques = _uniques(conn.execute(_UNIQUES, given))
    found = {name: ForeignSchema() for name in schemas}
    numbered = _has_windows(conn)
    rows = conn.execute(_COLUMNS, given).fetchall()
    for (schema, name, kind), parts in groupby(rows, key=lambda row: tuple(row[:3])):
        if kind in _VIEWS:
            found[schema].views.append(name)
        elif kind in _TABLES:
            columns = tuple(_column(row) for row in parts)
            unique = uniques.get((schema, name), {})
            primary = tuple(column for column, _ in unique.get("PRIMARY", ()))
            key = _key(columns, unique)
            if key is None and not numbered:
                why = "it has no primary key, and this server cannot number its rows"
                found[schema].unreadable[name] = why
                continue
            located: Any = "number" if key is None else "key"
            table = ForeignTable(name, columns, primary, schema, located, key or ())
            found[schema].tables[name] = table
            found[schema].uniques[name] = [
                [column for column, _ in parts] for parts in unique.values()
            ]
    for schema, name in _denied(
        conn, [table for part in found.values() for table in part.tables.values()]
    ):
        del found[schema].tables[name]
        found[schema].uniques.pop(name, None)
        found[schema].unreadable[name] = DENIED
    keys = conn.execute(_KEYS, given).fetchall()
    for (schema, name, _), parts in groupby(keys, key=lambda row: tuple(row[:3])):
        told = list(parts)
        if name in found[schema].tables:
            found[schema].keys.append(
                ForeignKey(
                    name,
                    tuple(row[3] for row in told),
                    placed(told[0][4], told[0][5]),
                    tuple(row[6] for row in told),
                )
            )
    return list(found.items())


def _denied(conn: Connection, tables: list[ForeignTable]) -> list[tuple[str, str]]:
    """Return the tables that may not be read, each with its database.

    All are tried with one statement, and only if that fails one after the other: what a login may
    do depends on the server, the database, the table and its roles.
    """
    tried = [sa.select(*table.sql.c).limit(0) for table in tables]
    narrow = [sa.select(sa.exists(query)) for query in tried]
    try:
        for start in range(0, len(narrow), _TRIED):
            conn.execute(sa.union_all(*narrow[start : start + _TRIED])).fetchall()
        return []
    except exc.DBAPIError as err:
        _raise_unless_denied(err)
    found = []
    for table, query in zip(tables, tried, strict=True):
        try:
            conn.execute(query).fetchall()
        except exc.DBAPIError as err:
            _raise_unless_denied(err)
            found.append((table.schema or "", table.name))
    return found


def _raise_unless_denied(err: exc.DBAPIError) -> None:
    # 1142 of a table, 1143 of a column, 1932 and 1146 of one whose engine or file is gone
    if getattr(err.orig, "args", (None,))[0] not in (1142, 1143, 1146, 1932):
        raise err


_TRIED: Final = 60
"""How many tables one statement tries: MySQL joins or unites 61 at the most in places."""


def _uniques(rows: Iterable[Any]) -> dict[tuple[str, str], dict[str, list[tuple[str, bool]]]]:
    """Return table → index → its columns and whether each may be NULL, of unique indexes."""
    found: dict[tuple[str, str], dict[str, list[tuple[str, bool]]]] = {}
    for (schema, table, index), parts in groupby(rows, key=lambda row: tuple(row[:3])):
        told = list(parts)
        if all(row[3] is not None and row[4] is None for row in told):  # no part, no expression
            columns = [(row[3], row[5] == "YES") for row in told]
            found.setdefault((schema, table), {})[index] = columns
    return found


def _key(
    columns: tuple[ForeignColumn, ...], uniques: dict[str, list[tuple[str, bool]]]
) -> tuple[str, ...] | None:
    """Return the first unique columns by whose values a row can be found again."""
    kinds = {column.name: column.kind for column in columns}
    for index in uniques.values():
        if all(not nullable and kinds.get(name) in _KEY_KINDS for name, nullable in index):
            return tuple(name for name, _ in index)
    return None


def _has_windows(conn: Connection) -> bool:
    """Tell whether the server numbers rows: MySQL does since 8.0, MariaDB since 10.2."""
    dialect: Any = conn.dialect
    least = (10, 2) if getattr(dialect, "is_mariadb", False) else (8,)
    return tuple(dialect.server_version_info or ()) >= least


def _column(row: Any) -> ForeignColumn:
    _, _, _, name, kind, declared, nullable = row
    found = _KINDS.get(str(kind).lower(), "other")
    asked = _exactly if found == "single" else None
    return ForeignColumn(name, str(declared), found, nullable == "YES", AsItComes(), asked)


def _exactly(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return a FLOAT as a DOUBLE: as itself, it is given with six digits."""
    return column.op("+")(sa.literal_column("0e0"))


def numbered(table: ForeignTable, name: str) -> sa.Subquery:
    """Return a table with the number of each row, in an order of all that rows hold.

    Notes
    -----
    By hashes: texts that a collation takes for one are told apart, and so are long ones. Rows
    that are equal in everything may stand either way.
    """
    kinds = {column.name: column.kind for column in table.columns}
    order = [sa.func.sha1(_exactly(at) if kinds[at.name] == "single" else at) for at in table.sql.c]
    number = sa.func.row_number().over(order_by=order).label(NUMBER)
    return sa.select(number, *table.sql.c).select_from(table.sql).subquery(name)


NUMBER: Final = "ecsviz row number"
"""What the number of a row is called: as no column is, or it would be found twice."""
