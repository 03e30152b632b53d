"""A database's tables as the picture of a schema takes them: columns, keys, and how many."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection

from ecsviz.importers.database.reflect_sqlite import sqlite_uniques
from ecsviz.importers.database.schema import ForeignKey, ForeignSchema, ForeignTable, tables_within

if TYPE_CHECKING:
    from ecsviz.draw.tables import DrawnColumn, DrawnSchema

Uniques = dict[str, list[Collection[str]]]
"""Table → sets of columns of which no two rows have the same values."""


def uniques_of(conn: Connection, schema: ForeignSchema) -> Uniques:
    """Return which columns are unique, primary keys included: there, a key leads from one row.

    Notes
    -----
    One statement on SQLite, SQLAlchemy's bulk reflection elsewhere.
    """
    found: Uniques = {name: [table.primary_key] for name, table in schema.tables.items()}
    for name, told in schema.uniques.items():
        found.get(name, []).extend(told)
    within = tables_within(schema)
    if conn.dialect.name == "sqlite":
        for of, names in within.items():
            for name, columns in sqlite_uniques(conn, list(names), of or "main"):
                found[names[name]].append(columns)
    elif not schema.uniques and conn.dialect.name != "duckdb":
        for of, names in within.items():
            _reflect_uniques(conn, of, names, found)
    return found


def _reflect_uniques(
    conn: Connection, of: str | None, names: dict[str, str], found: Uniques
) -> None:
    inspector = sa.inspect(conn)
    with warnings.catch_warnings():  # of indexes on expressions, which are left out
        warnings.simplefilter("ignore", exc.SAWarning)
        indexes = inspector.get_multi_indexes(schema=of)
        constraints = inspector.get_multi_unique_constraints(schema=of)
    for (_, name), told in constraints.items():
        found.get(names.get(name, ""), []).extend(one["column_names"] for one in told)
    for (_, name), listed in indexes.items():
        for index in listed:
            columns = [column for column in index["column_names"] if column is not None]
            whole = len(columns) == len(index["column_names"])
            if index["unique"] and whole and not index.get("dialect_options", {}).get(_WHERE):
                found.get(names.get(name, ""), []).append(columns)


_WHERE = "postgresql_where"
"""An index of some rows only: the others may have the same values."""


def drawn_schema(schema: ForeignSchema, uniques: Uniques) -> DrawnSchema:
    """Return tables and keys for ``ecsviz.draw``; what cannot be followed is told in a note."""
    from ecsviz.draw import tables as draw

    place = {name: number for number, name in enumerate(schema.tables)}
    links = [
        draw.DrawnLink(
            place[key.table],
            place[key.target],
            key.path,
            many_sources=not any(c and set(c) <= {*key.columns} for c in uniques[key.table]),
            optional=any(
                column.nullable
                for column in schema.tables[key.table].columns
                if column.name in key.columns
            ),
            source_columns=tuple(key.columns),
            target_columns=tuple(key.target_columns),
        )
        for key in schema.sound_keys
    ]
    out: dict[str, set[str]] = {}
    for key in schema.keys:
        out.setdefault(key.table, set()).update(key.columns)
    boxes = [
        draw.Box(name, _columns(table, out.get(name, set())))
        for name, table in schema.tables.items()
    ]
    return draw.DrawnSchema(tuple(boxes), tuple(links), ("table", "foreign key"), _note(schema))


def _columns(table: ForeignTable, keys: set[str]) -> tuple[DrawnColumn, ...]:
    from ecsviz.domain.labels import clean_text
    from ecsviz.draw import tables as draw

    return tuple(
        draw.DrawnColumn(
            column.name,
            clean_text(column.type, draw.TYPE_COLUMNS),
            " ".join(["PK"] * (column.name in table.primary_key) + ["FK"] * (column.name in keys)),
            column.nullable and column.name not in table.primary_key,
        )
        for column in table.columns
    )


def _note(schema: ForeignSchema) -> str:
    faulty: list[ForeignKey] = [key for key in schema.keys if key.fault is not None]
    left_out = (
        (len(faulty), "foreign key", "cannot be followed"),
        (len(schema.unreadable), "table", "cannot be read"),
        (len(schema.views), "view", ""),
    )
    told = [
        f"{count:,} {what}{'s' * (count != 1)}{' that ' * bool(why)}{why}"
        for count, what, why in left_out
        if count
    ]
    alone = sum(count for count, _, _ in left_out) == 1
    return f"Not shown {'is' if alone else 'are'} {_listed(told)}." if told else ""


def _listed(parts: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
