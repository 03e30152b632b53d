"""Reads the tables of PostgreSQL, and of what else SQLAlchemy knows, by its bulk reflection."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection
from sqlalchemy.engine.reflection import Inspector, ObjectKind

from ecsviz.importers.database.schema import (
    DENIED,
    AsItComes,
    ForeignColumn,
    ForeignKey,
    ForeignSchema,
    ForeignTable,
    Kind,
    Nested,
    Parts,
    as_text,
    placed,
)
from ecsviz.importers.database.unreadable import leave_out_unreadable
from ecsviz.importers.database.values import from_jsons

_TOLD = sa.text(
    "SELECT n.nspname, c.relname, c.relispartition, c.relkind <> 'p' AND EXISTS (SELECT 1"
    " FROM pg_inherits AS i WHERE i.inhparent = c.oid), has_any_column_privilege(c.oid, 'SELECT')"
    " AND has_schema_privilege(n.oid, 'USAGE'), c.relkind <> 'r' OR c.relrowsecurity"
    " FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'p', 'f')"
)
"""Tables of PostgreSQL: whether each is a partition, is inherited from, may be read, and lies
elsewhere, in part or as a whole, or has rules for rows."""
_HIDDEN = (
    "SELECT n.nspname, c.relname, a.attname FROM pg_attribute AS a JOIN pg_class AS c"
    " ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace"
    " WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f')"
    " AND NOT has_table_privilege(c.oid, 'SELECT') AND has_any_column_privilege(c.oid, 'SELECT')"
    " AND NOT has_column_privilege(c.oid, a.attnum, 'SELECT') ORDER BY a.attnum"
)
"""Columns of PostgreSQL that may not be read, of tables of which others may."""
_COPIED_KEYS = (
    "SELECT n.nspname, c.relname, k.conname FROM pg_constraint AS k JOIN pg_class AS c"
    " ON c.oid = k.conrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace"
    " WHERE k.contype = 'f' AND k.conparentid <> 0"
)
"""Keys that PostgreSQL has made of another: of a partition, or to one."""
_PARTITIONS = (
    "SELECT pn.nspname, p.relname, cn.nspname, c.relname FROM pg_inherits AS i"
    " JOIN pg_class AS p ON p.oid = i.inhparent JOIN pg_namespace AS pn ON pn.oid = p.relnamespace"
    " JOIN pg_class AS c ON c.oid = i.inhrelid JOIN pg_namespace AS cn ON cn.oid = c.relnamespace"
    " WHERE p.relkind = 'p' AND c.relkind IN ('r', 'p', 'f') ORDER BY 1, 2, 3, 4"
)
"""Partitioned tables of PostgreSQL, and their partitions."""
_KEY_KINDS: Final = frozenset({"bool", "int", "str", "uuid"})
"""What can be given back to the database and finds the same row."""


Place: TypeAlias = tuple[str | None, str]
"""A schema, and a table in it."""


def of_others(conn: Connection, wanted: Sequence[str] | None) -> Parts:
    """Return the schemas that are asked for, the default one's name, and the names of all."""
    inspector = sa.inspect(conn)
    server = conn.dialect.name == "postgresql"
    default = inspector.default_schema_name
    there = [name for name in inspector.get_schema_names() if name != "information_schema"]
    told: dict[tuple[str, str], Any] = {}
    copied: set[tuple[str, str, str]] = set()
    hidden: dict[tuple[str, str], list[str]] = {}
    if server:
        told = {(row[0], row[1]): row[2:] for row in conn.execute(_TOLD)}
        copied = {tuple(row) for row in conn.exec_driver_sql(_COPIED_KEYS)}
        for place, name, column in conn.exec_driver_sql(_HIDDEN):
            hidden.setdefault((place, name), []).append(column)
    chosen: list[str | None]
    if wanted is not None:
        chosen = [name for name in wanted if name in there]
    else:  # elsewhere, nobody knows which are the system's
        chosen = list(there) if server else [default]
    apart: set[Place] = set()
    while True:
        found = {
            name: _schema(conn, inspector, name, told, copied, hidden, apart) for name in chosen
        }
        fresh = _partitions(conn, found, apart, default) if server else set()
        if not fresh:
            return list(found.items()), default, there
        apart |= fresh


def _partitions(
    conn: Connection,
    found: dict[str | None, ForeignSchema],
    apart: set[Place],
    default: str | None,
) -> set[Place]:
    """Return the partitions of tables that cannot be read as a whole: these are tried apart.

    If they have been tried, tell of the table which can be read.
    """
    if not any(part.unreadable for part in found.values()):
        return set()
    whole: dict[Place, list[Place]] = {}
    for schema, name, of, partition in conn.exec_driver_sql(_PARTITIONS):
        if schema in found and name in found[schema].unreadable and of in found:
            whole.setdefault((schema, name), []).append((of, partition))
    fresh = {place for places in whole.values() for place in places} - apart
    if not fresh:
        for (schema, name), places in reversed(whole.items()):
            _tell_partitions(found, found[schema], name, places, default)
    return fresh


def _tell_partitions(
    found: dict[str | None, ForeignSchema],
    part: ForeignSchema,
    name: str,
    places: list[Place],
    default: str | None,
) -> None:
    """Tell of a table which of its partitions can be read; of none only that it cannot be."""
    there = [place for place in places if place[1] in found[place[0]].tables]
    read = [own if of == default or found[of] is part else f"{of}.{own}" for of, own in there]
    if read:
        more = f" and {len(read) - 5:,} more" if len(read) > 5 else ""
        part.unreadable[name] += f"{_BY_ITSELF}: {', '.join(read[:5])}{more}"
        return
    for of, own in places:
        if _BY_ITSELF not in found[of].unreadable.get(own, ""):
            found[of].unreadable.pop(own, None)


_BY_ITSELF: Final = ". Of its partitions, what can be read is read by itself"


def _schema(
    conn: Connection,
    inspector: Inspector,
    schema: str | None,
    told: dict[tuple[str, str], Any],
    copied: set[tuple[str, str, str]],
    hidden: dict[tuple[str, str], list[str]],
    apart: set[Place],
) -> ForeignSchema:
    server = conn.dialect.name == "postgresql"
    doubted: list[str] = []
    found = ForeignSchema(views=sorted(inspector.get_view_names(schema=schema)))
    if server:
        found.views += sorted(inspector.get_materialized_view_names(schema=schema))
    with warnings.catch_warnings():  # of types that SQLAlchemy does not know: kept as text
        warnings.simplefilter("ignore", exc.SAWarning)
        columns = inspector.get_multi_columns(schema=schema, kind=ObjectKind.TABLE)
        primary: Any = inspector.get_multi_pk_constraint(schema=schema, kind=ObjectKind.TABLE)
        keys = inspector.get_multi_foreign_keys(schema=schema, kind=ObjectKind.TABLE)
    for place in sorted(columns, key=lambda place: place[1]):
        name = place[1]
        of = told.get((schema or "", name), (False, False, True, False))
        part, parent, may, far = of
        if part and (schema, name) not in apart:
            continue  # its rows are those of the table that it is a part of
        if not may:
            found.unreadable[name] = DENIED
            continue
        key = tuple((primary.get(place) or {}).get("constrained_columns") or ())
        lacks = hidden.get((schema or "", name), [])
        key = () if set(lacks) & set(key) else key
        made = tuple(_column(conn, c) for c in columns[place] if c["name"] not in lacks)
        if not made:
            found.unreadable[name] = "it has no columns"
            continue
        kinds = {column.name: column.kind for column in made}
        located: Any = "place" if server else "key"
        if key and (not server or all(kinds[column] in _KEY_KINDS for column in key)):
            located = "key"
        elif not server:
            found.unreadable[name] = "it has no primary key, by which its rows are told apart"
            continue
        if lacks and located == "place":  # which may not be read either
            found.unreadable[name] = "of the columns that may be read, none tell its rows apart"
            continue
        if lacks:
            found.hidden[name] = lacks
        found.tables[name] = ForeignTable(name, made, key, schema, located, key, name, bool(parent))
        doubted += [name] * bool(far)
        found.keys += [
            _key(name, one, inspector.default_schema_name)
            for one in keys.get(place, ())
            if (schema, name) in apart or (schema, name, one["name"]) not in copied
        ]
    leave_out_unreadable(conn, [found], doubted)
    return found


def _key(table: str, told: Any, default: str | None) -> ForeignKey:
    there = told["referred_schema"] or default
    return ForeignKey(
        table,
        tuple(told["constrained_columns"]),
        placed(there, told["referred_table"]),
        tuple(told["referred_columns"]),
    )


# -- columns ---------------------------------------------------------------------------------

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
_ADDRESSES: Final = (postgresql.INET, postgresql.CIDR)
_PLAIN: Final = frozenset({"bool", "bytes", "decimal", "float", "int", "uuid"})
"""What the driver gives as it is, in an array as well."""


def _column(conn: Connection, told: Any) -> ForeignColumn:
    kind = told["type"]
    try:
        declared = kind.compile(dialect=conn.dialect)
    except exc.CompileError:
        declared = type(kind).__name__
    while hasattr(kind, "data_type"):  # of a domain
        kind = kind.data_type
    found, asked, nested = _kind_of(kind), None, None
    if conn.dialect.name == "postgresql" and found == "other" and not isinstance(kind, _ADDRESSES):
        kind, asked = AsItComes(), as_text
    elif conn.dialect.name == "postgresql" and isinstance(kind, sa.JSON):
        kind, asked = AsItComes(), as_text  # the driver rounds numbers
    elif conn.dialect.name == "postgresql" and isinstance(kind, sa.ARRAY):
        item = kind.item_type
        while hasattr(item, "data_type"):
            item = item.data_type
        plain = isinstance(item, sa.String) and not isinstance(item, sa.Enum)
        if isinstance(item, sa.JSON):
            nested = Nested(declared, from_jsons)
        if not plain and _kind_of(item) not in _PLAIN:
            kind, asked = AsItComes(), _as_texts
    return ForeignColumn(told["name"], declared, found, bool(told["nullable"]), kind, asked, nested)


def _as_texts(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.cast(column, sa.ARRAY(sa.Text()))


def _kind_of(kind: Any) -> Kind:
    if isinstance(kind, sa.DateTime):
        return "zoned" if kind.timezone else "datetime"
    if isinstance(kind, sa.Numeric) and not kind.asdecimal:
        return "float"
    for known, name in _KINDS:
        if isinstance(kind, known):
            return name
    return "timedelta" if type(kind).__name__ == "INTERVAL" else "other"
