"""What the functions of ``read_database`` are asked for, checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

import numpy as np

from ecsviz.basics.arguments import count_or_none, natural_number
from ecsviz.errors import InvalidArgumentError, UnknownTypeError, did_you_mean, short_repr
from ecsviz.importers.database.schema import ForeignTable
from ecsviz.storage.protocol import EntityStorage
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


MOST: Final = 2**62
"""More rows than any table has; databases take no number that is much larger."""
_AT_ONCE: Final = 2**31 - 1


def checked_amount(value: Any, name: str, default: float, most: float) -> float:
    """Return how much is allowed; `most` if it is more than that.

    Raises
    ------
    InvalidArgumentError
        If it is no number above 0.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not value > 0:
        raise InvalidArgumentError(
            f"{name}={short_repr(value)} is no number above 0. Leave it out for the default,"
            f" {default:,}.",
            argument=name,
            value=value,
        )
    return min(value, most)  # type: ignore[return-value]  # numpy's is as good


def checked_store(store: Any) -> EntityStorage:
    """Return a storage.

    Raises
    ------
    InvalidArgumentError
        If it is none.
    """
    if isinstance(store, EntityStorage) and not isinstance(store, type):
        return store
    raise InvalidArgumentError(
        f"{short_repr(store)} is no open store. Give one, such as"
        " ev.SQLAlchemyEntityStorage('copy.db').",
        argument="store",
        value=store,
    )


def most_rows(number: Any, name: str) -> int | None:
    """Return how many rows there may be, as databases take it; None for any number.

    Raises
    ------
    InvalidArgumentError
        If it is no number of rows.
    """
    found = count_or_none(number, name)
    return None if found is None else min(found, MOST)


def checked_limit(limit: Any) -> int | None:
    """Return how many rows are wanted at the most, as databases take it; None for all.

    Raises
    ------
    InvalidArgumentError
        If it is no number of rows.
    """
    if limit is not None and natural_number(limit) is None:
        raise InvalidArgumentError(
            f"limit={short_repr(limit)} is no number of rows. Give 0, 1, 2, …, or None for all.",
            argument="limit",
            value=limit,
        )
    return most_rows(limit, "limit")


def known_table(table: str, database: str, tables: Sequence[str], views: Sequence[str]) -> str:
    """Return a table's name.

    Raises
    ------
    UnknownTypeError
        If there is no such table in the database.
    """
    named = isinstance(table, str)
    if named and table in tables:
        return table
    if named and table in views:
        raise UnknownTypeError(
            f"{short_repr(table)} is a view of {database}: views are listed, not read."
            " Name a table; there are: " + ", ".join(map(repr, tables[:5])) + ".",
            table=table,
            tables=tables,
        )
    raise UnknownTypeError(
        f"{database} has no table {short_repr(table)}."
        f"{did_you_mean(table if named else '', tables)}",
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
    return min(number, _AT_ONCE)


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
