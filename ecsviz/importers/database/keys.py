"""Foreign keys that no database declares: those that somebody names, and those that are guessed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, Literal, TypeAlias

import sqlalchemy as sa
from sqlalchemy import exc

from ecsviz.errors import InvalidArgumentError, did_you_mean, short_repr
from ecsviz.importers.database.names import singular
from ecsviz.importers.database.rows import TableRows
from ecsviz.importers.database.schema import ForeignKey, ForeignSchema

Keys: TypeAlias = "Mapping[Any, Any] | Literal['guess'] | None"
"""``{"orders.customer": "customers.id"}``, columns of tables, or as pairs, where names have dots:
``{("orders", "customer"): ("customers", "id")}``; or ``"guess"``."""

_IDS: Final = ("id", "ID", "Id")
_LINKED: Final = 0.9
"""Which share of a column's values must name a row, for a key to be guessed."""


def add_keys(rows: TableRows, schema: ForeignSchema, keys: Any) -> None:
    """Add the keys that are named, or that the names and values of columns suggest.

    A table without a primary key gets the column as one to which a key leads, or its ``id``, if
    that is unique.

    Raises
    ------
    InvalidArgumentError
        If there is no such table or column.
    """
    if isinstance(keys, str) and keys == "guess":
        fresh = list(_guessed(rows, schema))
    elif isinstance(keys, Mapping):
        fresh = [_declared(schema, name, target) for name, target in keys.items()]
        for key in fresh:
            _check_comparable(rows, key)
    else:
        raise InvalidArgumentError(
            f"keys={short_repr(keys)} are no keys. Give {{'orders.customer': 'customers.id'}}, or"
            " 'guess'.",
            argument="keys",
            value=keys,
        )
    known = {replace(key, fault=None) for key in schema.keys}
    schema.keys += [key for key in dict.fromkeys(fresh) if key not in known]
    schema.keys.sort(key=lambda key: key.table)
    led_to = {key.target: key.target_columns[0] for key in fresh}
    for name, table in schema.tables.items():
        if not table.primary_key:
            column = led_to.get(name, next((n for n in _IDS if n in table.sql.c), None))
            if column is not None and _is_unique(rows, name, column):
                schema.tables[name] = replace(table, primary_key=(column,))


def _declared(schema: ForeignSchema, name: Any, target: Any) -> ForeignKey:
    table, column = _column(schema, name)
    there, led_to = _column(schema, target)
    return ForeignKey(table, (column,), there, (led_to,))


def _check_comparable(rows: TableRows, key: ForeignKey) -> None:
    """Raise if the database cannot compare the columns of a key, or values in them."""
    here, there = (rows.schema.tables[name] for name in (key.table, key.target))
    own, led_to = (
        next(c for c in table.columns if c.name == column)
        for table, (column,) in ((here, key.columns), (there, key.target_columns))
    )
    engine = rows.conn.dialect.name
    try:
        if engine == "postgresql":  # which says so before it reads a row
            with rows.conn.begin_nested():
                rows.has_dangling(key, 1)
        elif engine == "duckdb" and own.kind != led_to.kind:  # it tries with each value
            rows.count_links(key)
    except exc.DBAPIError as err:
        if err.connection_invalidated:
            raise
        raise InvalidArgumentError(
            f"keys= names {key}, and the database does not compare {own.type} with"
            f" {led_to.type} there. Name columns of like types, or leave it out.",
            argument="keys",
            value=str(key),
        ) from err


def _column(schema: ForeignSchema, told: Any) -> tuple[str, str]:
    """Return the table and the column of ``"table.column"`` or a pair; both may have dots."""
    places = [n for n, c in enumerate(told) if c == "."] if isinstance(told, str) else []
    meant = []
    for place in places:
        table, column = told[:place], told[place + 1 :]
        if table in schema.tables and column in schema.tables[table].sql.c:
            meant.append((table, column))
    if len(meant) > 1:
        both = " or ".join(f"{column!r} of {table!r}" for table, column in meant)
        raise InvalidArgumentError(
            f"keys= names {short_repr(told)}, which may be {both}. Give tables and columns as"
            f" pairs: {{{meant[0]!r}: …}}.",
            argument="keys",
            value=told,
        )
    if meant:
        return meant[0]
    if isinstance(told, tuple) and len(told) == 2:
        table, column = told
        if table in schema.tables and column in schema.tables[table].sql.c:
            return table, column
    every = [f"{t.name}.{c.name}" for t in schema.tables.values() for c in t.columns]
    raise InvalidArgumentError(
        f"keys= names {short_repr(told)}, and there is no such column."
        f"{did_you_mean(str(told), every)}",
        argument="keys",
        value=told,
    )


# -- guessing --------------------------------------------------------------------------------


def _guessed(rows: TableRows, schema: ForeignSchema) -> Iterator[ForeignKey]:
    """Yield keys from columns such as ``customer_id`` to the table ``customers``.

    The column led to must be unique and without NULLs, and nine of ten values must be in it.
    """
    by_name: dict[str, str] = {}
    for name in schema.tables:
        by_name.setdefault(name.lower(), name)
        by_name.setdefault(singular(name).lower(), name)
    declared = {key.columns for key in schema.keys}
    for name, table in schema.tables.items():
        kinds = {column.name: column.kind for column in table.columns}
        for column, kind in kinds.items():
            target = by_name.get(_stem(column))
            if target is None or (column,) in declared:
                continue
            there = schema.tables[target]
            wanted = (*there.primary_key[:1], *_IDS, column)
            fits = [c.name for c in there.columns if c.kind == kind not in _UNCOMPARED]
            led_to = next((n for n in wanted if n in fits and (target, n) != (name, column)), None)
            if led_to is None or not _is_unique(rows, target, led_to):
                continue
            key = ForeignKey(name, (column,), target, (led_to,), guessed=True)
            linked, dangling, _ = rows.count_links(key)
            if linked and linked >= _LINKED * (linked + dangling):
                yield key


_UNCOMPARED: Final = ("json", "other")
"""Kinds of which PostgreSQL cannot compare all that there are."""


def _stem(column: str) -> str:
    """Return the table that a column's name speaks of, an empty text if of none.

    Examples
    --------
    >>> _stem("customer_id"), _stem("CustomerID"), _stem("id"), _stem("paid")
    ('customer', 'customer', '', '')
    """
    found = re.fullmatch(r"(.+?)(?:_(?:id|ID|fk|key|code)|(?<=[a-z])(?:Id|ID))", column)
    return found.group(1).lower() if found else ""


def _is_unique(rows: TableRows, table: str, column: str) -> bool:
    told = rows.schema.tables[table]
    if any(c.kind in _UNCOMPARED for c in told.columns if c.name == column):
        return False
    at = told.sql
    counts = sa.func.count(), sa.func.count(at.c[column].distinct())
    every, different = rows.conn.execute(sa.select(*counts).select_from(at)).one()
    return bool(every) and every == different
