"""Reads the tables of DuckDB from its catalog: three statements, however many they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.importers.database.nested import KINDS, nested
from ecsviz.importers.database.schema import (
    AsItComes,
    AsWritten,
    ForeignColumn,
    ForeignKey,
    ForeignSchema,
    ForeignTable,
    Kind,
    Nested,
    as_text,
    placed,
)

_VIEWS = (
    "SELECT schema_name, view_name FROM duckdb_views()"
    " WHERE NOT internal AND database_name = current_database() ORDER BY ALL"
)
_COLUMNS = (
    "SELECT schema_name, table_name, column_name, data_type, is_nullable FROM duckdb_columns()"
    " WHERE NOT internal AND database_name = current_database()"
    " AND (schema_name, table_name) IN (SELECT (schema_name, table_name) FROM duckdb_tables()"
    " WHERE database_name = current_database())"
    " ORDER BY schema_name, table_name, column_index"
)
_KEYS = (
    "SELECT schema_name, table_name, constraint_type, constraint_column_names, referenced_table,"
    " referenced_column_names FROM duckdb_constraints() WHERE database_name = current_database()"
    " AND constraint_type IN ('PRIMARY KEY', 'UNIQUE', 'FOREIGN KEY')"
    " ORDER BY schema_name, table_name, constraint_index"
)


def of_duckdb(conn: Connection) -> dict[str, ForeignSchema]:
    """Return what each schema of the current database consists of."""
    found: dict[str, ForeignSchema] = {}
    columns: dict[tuple[str, str], list[ForeignColumn]] = {}
    rows = conn.exec_driver_sql(_COLUMNS).fetchall()
    parts = _nested(conn, {row[3] for row in rows})
    for schema, name, column, declared, nullable in rows:
        told = _column(column, declared, nullable, parts)
        columns.setdefault((schema, name), []).append(told)
    primary: dict[tuple[str, str], tuple[str, ...]] = {}
    for schema, name, kind, own, target, there in conn.exec_driver_sql(_KEYS).fetchall():
        part = found.setdefault(schema, ForeignSchema())
        if kind == "FOREIGN KEY":
            part.keys.append(ForeignKey(name, tuple(own), placed(schema, target), tuple(there)))
            continue
        part.uniques.setdefault(name, []).append(list(own))
        if kind == "PRIMARY KEY":
            primary[schema, name] = tuple(own)
    for (schema, name), made in columns.items():
        part = found.setdefault(schema, ForeignSchema())
        key = primary.get((schema, name), ())
        hidden = any(column.name.casefold() == "rowid" for column in made)
        if hidden and not key:
            part.unreadable[name] = "a column hides its row ids, and it has no primary key"
            continue
        located: Any = "key" if hidden else "row id"
        part.tables[name] = ForeignTable(name, tuple(made), key, schema, located, key)
    for schema, name in conn.exec_driver_sql(_VIEWS).fetchall():
        found.setdefault(schema, ForeignSchema()).views.append(name)
    for part in found.values():
        part.keys = [key for key in part.keys if key.table in part.tables]
    return found


def _nested(conn: Connection, declared: Iterable[str]) -> dict[str, Nested | None]:
    """Return those of some types that have parts → how these are read, None if too deep."""
    driver: Any = conn.connection.dbapi_connection
    names = [each for each in declared if each.endswith("]") or _first(each) in _WITH_PARTS]
    return {name: nested(driver.sqltype(name)) for name in names}


def _column(
    name: str, declared: str, nullable: bool, parts: Mapping[str, Nested | None]
) -> ForeignColumn:
    made = parts.get(declared)
    if made is not None:
        spec = AsWritten(made.type)
        asked = None if made.type == declared else partial(sa.cast, type_=spec)
        return ForeignColumn(name, declared, "json", nullable, AsItComes(), asked, made)
    first = _first(declared)
    kind: Kind = "other" if declared in parts else KINDS.get(first, "other")
    text = kind == "other" or first in ("BIGNUM", "VARINT")
    return ForeignColumn(name, declared, kind, nullable, AsItComes(), as_text if text else None)


def _first(declared: str) -> str:
    return declared.partition("(")[0]


_WITH_PARTS: Final = ("MAP", "STRUCT", "UNION")
