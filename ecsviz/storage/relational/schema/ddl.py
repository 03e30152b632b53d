"""Making tables, and altering those that hold data already, in the transaction that needs it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.schema import (
    AddConstraint,
    CreateColumn,
    CreateIndex,
    CreateTable,
    ExecutableDDLElement,
)

from ecsviz.errors import SchemaOutdatedError, UnsupportedFieldError
from ecsviz.storage.relational.schema.history_tables import history_of
from ecsviz.storage.sql.dialects import row_of


def make_tables(
    conn: Connection, tables: list[sa.Table], *, any_order: bool = False
) -> list[ExecutableDDLElement]:
    """Make tables and their history tables; return what makes their keys and indexes.

    Parameters
    ----------
    conn, tables
        A transaction, and what to make.
    any_order
        Whether rows are written before others that they refer to.

    Notes
    -----
    What is returned is for `add_keys`, once the rows are written: to sort them all at the end
    takes a third of the time that looking every row up takes. Where constraints cannot be added
    to a table (SQLite), only indexes come late, and not those of keys that lead to later rows:
    there each row that is written looks for what waits for it, without an index in all rows.
    """
    keys: list[ExecutableDDLElement] = []
    late: list[ExecutableDDLElement] = []
    for table in tables:
        past = history_of(table)
        _check_width(conn, table, past)
        if conn.dialect.supports_alter:
            # What is to be added to a table is no longer part of it: a copy stands for it here.
            copy = table.to_metadata(
                sa.MetaData(naming_convention=table.metadata.naming_convention)
            )
            own = (c for c in copy.constraints if not isinstance(c, sa.ForeignKeyConstraint))
            keys += [AddConstraint(constraint) for constraint in own]
            late += [AddConstraint(constraint) for constraint in table.foreign_key_constraints]
            conn.execute(CreateTable(copy, include_foreign_key_constraints=[]))
        else:
            conn.execute(CreateTable(table))
        conn.execute(CreateTable(past))
        for index in (*table.indexes, *past.indexes):
            if not conn.dialect.supports_alter and (any_order or _waits(index)):
                conn.execute(CreateIndex(index))
            else:
                late.append(CreateIndex(index))
    return keys + late


def _waits(index: sa.Index) -> bool:
    """Tell whether an index is that of a key which may lead to a row that is written later."""
    first = next(iter(index.columns))
    return any(key.deferrable for key in first.foreign_keys)


def _check_width(conn: Connection, *tables: sa.Table) -> None:
    """Raise UnsupportedFieldError if a table has more columns than the database takes."""
    row = row_of(conn)
    for table in tables:
        if row.most_columns is not None and len(table.columns) > row.most_columns:
            raise UnsupportedFieldError(
                f"The table {table.name} would have {len(table.columns):,} columns, and"
                f" {row.title} takes {row.most_columns:,} at the most. Nothing was written. Put"
                " some of the fields into a model of their own, which is one column, or give an"
                " ev.InMemoryEntityStorage; rows of a database also go to Parquet"
                " (db.to_parquet)."
            )


def add_keys(conn: Connection, keys: list[ExecutableDDLElement]) -> None:
    """Make the keys and indexes of tables that `make_tables` made."""
    for key in keys:
        conn.execute(key)


def add_column(conn: Connection, table: sa.Table, column: sa.Column[Any]) -> None:
    """Add a nullable column with its foreign key and index."""
    prepare = conn.dialect.identifier_preparer
    keys = [c for c in table.foreign_key_constraints if column in list(c.columns)]
    text = f"ALTER TABLE {prepare.format_table(table)} ADD COLUMN {_definition(conn, column)}"
    if not conn.dialect.supports_alter:
        for key in keys:
            target = next(iter(key.elements)).column
            text += f" REFERENCES {prepare.format_table(target.table)} ({target.name})"
    conn.exec_driver_sql(text)
    if conn.dialect.supports_alter:
        for key in keys:
            conn.execute(AddConstraint(key))
    for index in table.indexes:
        if column in list(index.columns):
            conn.execute(CreateIndex(index))


def allow_null(conn: Connection, table: sa.Table, column: sa.Column[Any]) -> None:
    """Take NOT NULL from a column.

    Raises
    ------
    SchemaOutdatedError
        If the database has no way to do so.
    """
    prepare = conn.dialect.identifier_preparer
    row = row_of(conn)
    if row.is_sqlite:
        _edit_schema(conn, table, column)
    elif row.allow_null:
        change = row.allow_null.format(column=prepare.format_column(column))
        conn.exec_driver_sql(f"ALTER TABLE {prepare.format_table(table)} {change}")
    else:
        raise SchemaOutdatedError(
            f"{table.name}.{column.name} is required in the database, but now has to allow NULL."
            f" Alter it: on {row.title}, ecsviz knows no way.",
            table=table.name,
            column=column.name,
        )


def _edit_schema(conn: Connection, table: sa.Table, column: sa.Column[Any]) -> None:
    """Edit the table's text in SQLite's schema, which has no statement for this.

    Notes
    -----
    SQLite's documentation of ALTER TABLE, "Making other kinds of table schema changes", allows
    this for removing NOT NULL: the rows on disk do not change.
    """
    strict = column._copy()
    strict.nullable = False
    before, after = f"\t{_definition(conn, strict)}, ", f"\t{_definition(conn, column)}, "
    query = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?"
    text: str = conn.exec_driver_sql(query, (table.name,)).scalar_one()
    if text.count(before) != 1:
        raise SchemaOutdatedError(
            f"{table.name}.{column.name} has to allow NULL, but the table is not as ecsviz made it."
            " Take NOT NULL from the column by hand.",
            table=table.name,
            column=column.name,
        )
    version = conn.exec_driver_sql("PRAGMA schema_version").scalar_one()
    conn.exec_driver_sql("PRAGMA writable_schema=ON")
    try:
        update = "UPDATE sqlite_master SET sql = ? WHERE type = 'table' AND name = ?"
        conn.exec_driver_sql(update, (text.replace(before, after), table.name))
        conn.exec_driver_sql(f"PRAGMA schema_version={version + 1}")
    finally:
        conn.exec_driver_sql("PRAGMA writable_schema=RESET")


def _definition(conn: Connection, column: sa.Column[Any]) -> str:
    return str(CreateColumn(column).compile(dialect=conn.dialect))
