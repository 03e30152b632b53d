"""Reads the tables of MySQL and MariaDB from their catalog: four statements a schema."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.importers.database.schema import (
    AsItComes,
    ForeignColumn,
    ForeignKey,
    ForeignSchema,
    ForeignTable,
    Kind,
    placed,
)
from ecsviz.importers.database.unreadable import leave_out_unreadable

_TABLES = sa.text(
    "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = :schema"
)
_COLUMNS = sa.text(
    "SELECT table_name, column_name, data_type, column_type, is_nullable"
    " FROM information_schema.columns WHERE table_schema = :schema ORDER BY ordinal_position"
)
_KEYS = sa.text(
    "SELECT table_name, constraint_name, column_name, referenced_table_schema,"
    " referenced_table_name, referenced_column_name FROM information_schema.key_column_usage"
    " WHERE referenced_table_name IS NOT NULL AND table_schema = :schema"
    " ORDER BY ordinal_position"
)
_UNIQUES = sa.text(
    "SELECT table_name, index_name, column_name, sub_part, nullable"
    " FROM information_schema.statistics WHERE non_unique = 0 AND table_schema = :schema"
    " ORDER BY seq_in_index"
)
"""Of one schema, and put in order here: the catalog takes Foo and foo, or o and ó, for one."""

_OF_ROWS: Final = ("BASE TABLE", "SYSTEM VERSIONED")
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
    found = {name: _schema(conn, name) for name in schemas}
    leave_out_unreadable(conn, found.values())
    return list(found.items())


def _schema(conn: Connection, schema: str) -> ForeignSchema:
    given = {"schema": schema}
    columns = _grouped(conn.execute(_COLUMNS, given), 1)
    uniques = _uniques(conn.execute(_UNIQUES, given))
    found = ForeignSchema()
    numbered = _has_windows(conn)
    for name, kind in sorted(conn.execute(_TABLES, given)):
        if kind in _VIEWS:
            found.views.append(name)
        elif kind in _OF_ROWS:
            made = tuple(map(_column, columns.get((name,), ())))
            unique = uniques.get(name, {})
            primary = tuple(column for column, _ in unique.get("PRIMARY", ()))
            key = _key(made, unique)
            if not made or (key is None and not numbered):
                why = "it has no primary key, and this server cannot number its rows"
                found.unreadable[name] = why if made else "the server tells none of its columns"
                continue
            located: Any = "number" if key is None else "key"
            found.tables[name] = ForeignTable(name, made, primary, schema, located, key or ())
            found.uniques[name] = [[column for column, _ in parts] for parts in unique.values()]
    for (name, _), parts in sorted(_grouped(conn.execute(_KEYS, given), 2).items()):
        if name in found.tables:
            target = placed(parts[0][3], parts[0][4])
            own, there = (tuple(row[at] for row in parts) for at in (2, 5))
            found.keys.append(ForeignKey(name, own, target, there))
    return found


def _grouped(rows: Iterable[Any], by: int) -> dict[tuple[str, ...], list[Any]]:
    """Return rows by their first so many values, in the order in which they come."""
    found: dict[tuple[str, ...], list[Any]] = {}
    for row in rows:
        found.setdefault(tuple(row[:by]), []).append(row)
    return found


def _uniques(rows: Iterable[Any]) -> dict[str, dict[str, list[tuple[str, bool]]]]:
    """Return table → index → its columns and whether each may be NULL, of unique indexes."""
    found: dict[str, dict[str, list[tuple[str, bool]]]] = {}
    indexes = _grouped(rows, 2)
    for table, index in sorted(indexes, key=lambda at: (at[1] != "PRIMARY", *at)):
        told = indexes[table, index]
        if all(row[2] is not None and row[3] is None for row in told):  # no part, no expression
            found.setdefault(table, {})[index] = [(row[2], row[4] == "YES") for row in told]
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
    _, name, kind, declared, nullable = row
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
    that are equal in everything may stand either way. The hashes of a row are hashed once more,
    since a server sorts by no more than it has room for: not by those of a thousand columns.
    """
    kinds = {column.name: column.kind for column in table.columns}
    each = [sa.func.sha1(_exactly(at) if kinds[at.name] == "single" else at) for at in table.sql.c]
    row = sa.func.concat(*(sa.func.coalesce(one, "-") for one in each))
    number = sa.func.row_number().over(order_by=sa.func.sha2(row, 256)).label(NUMBER)
    return sa.select(number, *table.sql.c).select_from(table.sql).subquery(name)


NUMBER: Final = "ecsviz row number"
"""What the number of a row is called: as no column is, or it would be found twice."""
