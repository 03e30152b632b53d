"""What the functions of ``read_database`` are asked for, checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from ecsviz.basics.arguments import natural_number
from ecsviz.errors import InvalidArgumentError, UnknownTypeError, did_you_mean, short_repr
from ecsviz.importers.database.schema import ForeignTable
from ecsviz.storage.relational.look.arrow import names_listed


def checked_schemas(schema: Any, schemas: Any) -> list[str] | None:
    """Return the schemas that are asked for, None for all.

    Raises
    ------
    InvalidArgumentError
        If these are no names, or both are given.
    """
    if schema is None and schemas is None:
        return None
    given = [schema] if schemas is None else schemas
    both = schema is not None and schemas is not None
    if both or isinstance(given, str) or not isinstance(given, Iterable):
        raise InvalidArgumentError(
            f"schema={short_repr(schema)}, schemas={short_repr(schemas)}: give the name of one as"
            " schema='sales', or several as schemas=['sales', 'staff'].",
            argument="schemas",
            value=schemas,
        )
    names = list(given)
    if not names or not all(isinstance(name, str) for name in names):
        raise InvalidArgumentError(
            f"schemas={short_repr(names)} are no names of schemas. Give them as texts, or None for"
            " all.",
            argument="schemas",
            value=names,
        )
    return names


def check_limit(limit: Any) -> None:
    """Raise InvalidArgumentError if this is no number of rows."""
    if limit is not None and natural_number(limit) is None:
        raise InvalidArgumentError(
            f"limit={short_repr(limit)} is no number of rows. Give 0, 1, 2, …, or None for all.",
            argument="limit",
            value=limit,
        )


def known_table(table: str, database: str, tables: Sequence[str], views: Sequence[str]) -> str:
    """Return a table's name.

    Raises
    ------
    UnknownTypeError
        If there is no such table in the database.
    """
    if table in tables:
        return table
    if table in views:
        raise UnknownTypeError(
            f"{short_repr(table)} is a view of {database}: views are listed, not read."
            " Name a table; there are: " + ", ".join(map(repr, tables[:5])) + ".",
            table=table,
            tables=tables,
        )
    raise UnknownTypeError(
        f"{database} has no table {short_repr(table)}.{did_you_mean(str(table), tables)}",
        table=table,
        tables=tables,
    )


Form = Literal["pandas", "arrow", "polars"]
"""As what frames come."""


def checked_chunks(chunks: Any) -> int:
    """Return how many rows come at a time.

    Raises
    ------
    InvalidArgumentError
        If it is no number of rows.
    """
    number = natural_number(chunks)
    if not number:
        raise InvalidArgumentError(
            f"chunks={short_repr(chunks)} is no number of rows. Give 1, 2, 3, …, such as 50_000.",
            argument="chunks",
            value=chunks,
        )
    return number


def checked_columns(table: ForeignTable, columns: Any) -> list[str]:
    """Return the columns that are wanted of a table.

    Raises
    ------
    InvalidArgumentError
        If one is not there, or none is wanted.
    """
    there = [column.name for column in table.columns]
    names = names_listed(columns)
    if names is None:
        return there
    for name in names:
        if name not in there:
            raise InvalidArgumentError(
                f"{table.name} has no column {short_repr(name)}.{did_you_mean(name, there)}",
                argument="columns",
                table=table.name,
                column=name,
            )
    if not names or len(set(names)) < len(names):
        raise InvalidArgumentError(
            f"columns={short_repr(names)}: give each name once, and at least one.",
            argument="columns",
            value=names,
        )
    return names
