"""Conditions on the rows of a table, as users give them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

import sqlalchemy as sa

from ecsviz.errors import InvalidArgumentError, did_you_mean, short_repr
from ecsviz.importers.database.schema import ForeignTable

Where: TypeAlias = "Mapping[str, Any] | sa.ColumnElement[bool] | sa.TextClause | None"
"""A condition on the rows of a table."""


def condition(table: ForeignTable, where: Any) -> Any:
    """Return a condition on the rows of a table as SQLAlchemy has it.

    Raises
    ------
    InvalidArgumentError
        If it names a column that is not there, or is none.
    """
    if isinstance(where, (sa.ColumnElement, sa.TextClause)):
        return where
    if not isinstance(where, Mapping):
        hint = " Give sa.text(...) for SQL." if isinstance(where, str) else ""
        raise InvalidArgumentError(
            f"where={short_repr(where)} is no condition. Give a dictionary of column values, such"
            f" as {{{table.columns[0].name!r}: 1}}, or an expression of SQLAlchemy.{hint}",
            argument="where",
            value=where,
        )
    parts = []
    at = table.sql
    for name, value in where.items():
        if name not in at.c:
            raise InvalidArgumentError(
                f"{table.name} has no column {short_repr(name)}."
                f"{did_you_mean(str(name), [column.name for column in table.columns])}",
                argument="where",
                table=table.name,
                column=name,
            )
        column = at.c[name]
        several = isinstance(value, (list, tuple, set, frozenset, range))
        wanted = list(value) if several else [value]
        if at.c[name].type._type_affinity is sa.types.NullType:
            wanted = [form for one in wanted for form in _forms(one)]
        parts.append(column.in_(wanted) if several or len(wanted) != 1 else column == wanted[0])
    return sa.and_(sa.true(), *parts)


def _forms(value: Any) -> list[Any]:
    """Return how a value may be written in SQLite, which has no dates and no decimals.

    Examples
    --------
    >>> _forms(date(2024, 2, 29)), _forms(Decimal("0.5")), _forms(7)
    (['2024-02-29'], [0.5], [7])
    """
    if isinstance(value, datetime):
        pairs = [(" ", "auto"), ("T", "auto"), (" ", "milliseconds"), (" ", "microseconds")]
        return list(dict.fromkeys(value.isoformat(sep, spec) for sep, spec in pairs))
    if isinstance(value, (date, time)):
        return [value.isoformat()]
    if isinstance(value, Decimal):
        return [float(value)]
    return [str(value)] if isinstance(value, UUID) else [value]
