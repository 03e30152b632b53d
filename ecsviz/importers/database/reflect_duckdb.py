"""Reads the tables of DuckDB from its catalog: three statements, however many they are."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy.engine import Connection

from ecsviz.importers.database.schema import (
    AsItComes,
    ForeignColumn,
    ForeignKey,
    ForeignSchema,
    ForeignTable,
    Kind,
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

_KINDS: Final[dict[str, Kind]] = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"), "int"),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"), "int"),
    **dict.fromkeys(("BIGNUM", "VARINT"), "int"),
    **dict.fromkeys(("VARCHAR", "ENUM"), "str"),
    **dict.fromkeys(("STRUCT", "MAP", "UNION", "JSON"), "json"),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), "datetime"),
    **dict.fromkeys(("TIME", "TIME WITH TIME ZONE"), "time"),
    "BLOB": "bytes",
    "BOOLEAN": "bool",
    "DATE": "date",
    "DECIMAL": "decimal",
    "DOUBLE": "float",
    "FLOAT": "single",
    "INTERVAL": "timedelta",
    "TIMESTAMP WITH TIME ZONE": "zoned",
    "UUID": "uuid",
}


def of_duckdb(conn: Connection) -> dict[str, ForeignSchema]:
    """Return what each schema of the current database consists of."""
    found: dict[str, ForeignSchema] = {}
    columns: dict[tuple[str, str], list[ForeignColumn]] = {}
    for schema, name, column, declared, nullable in conn.exec_driver_sql(_COLUMNS).fetchall():
        columns.setdefault((schema, name), []).append(_column(column, declared, nullable))
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


def _column(name: str, declared: str, nullable: bool) -> ForeignColumn:
    first = declared.partition("(")[0]
    kind: Kind = "json" if declared.endswith("]") else _KINDS.get(first, "other")
    text = kind == "other" or first in ("BIGNUM", "VARINT")
    return ForeignColumn(name, declared, kind, nullable, AsItComes(), as_text if text else None)
