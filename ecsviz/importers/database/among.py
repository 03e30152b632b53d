"""Conditions that a row is one of some, in as few statements as an engine takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.importers.database.conditions import has_bytes
from ecsviz.importers.database.schema import AsItComes
from ecsviz.storage.sql.statements import key_condition

_PARAMETERS: Final = 30_000
"""How many parameters one statement takes: SQLite allows 32,766, PostgreSQL 65,535."""
_TAKE_MANY: Final = frozenset({"mariadb", "mysql", "postgresql", "sqlite"})
FEW_PARAMETERS: Final = 1_000
"""The same where nothing is known about the database."""


def among(
    conn: Connection, located: Sequence[sa.ColumnElement[Any]], locators: Sequence[Any]
) -> Iterator[sa.ColumnElement[bool]]:
    """Yield conditions that a row is one of some: one, or one for every so many rows."""
    if not locators:
        return
    engine = conn.dialect.name
    if engine == "sqlite":
        if len(located) == 1 and {*map(type, locators)} == {int}:
            yield key_condition(conn, located[0], locators)
            return
        # Of any types, whatever is declared: none is bound as another is.
        located = [sa.type_coerce(column, AsItComes()) for column in located]
        locators, odd = _as_text(locators)
        encoding = str(conn.exec_driver_sql("PRAGMA encoding").scalar()) if odd else ""
        for start in range(0, len(odd), _ODD):
            some = odd[start : start + _ODD]
            yield sa.or_(*(_same(located, locator, encoding) for locator in some))
    columns = [locators] if len(located) == 1 else list(zip(*locators, strict=True))
    if engine == "duckdb":  # a list for each column
        lists = (sa.bindparam(None, list(told), AsItComes()) for told in columns)
        yield _row(located).in_(sa.select(*map(sa.func.unnest, lists)))
        return
    if engine == "postgresql" and len(located) > 1:
        # An array for each column: PostgreSQL makes a chain of OR of rows, which goes deep.
        arrays = (
            sa.bindparam(None, list(told), sa.ARRAY(at.type))
            for at, told in zip(located, columns, strict=True)
        )
        names = [f"k{n}" for n in range(len(located))]
        given = sa.func.unnest(*arrays).table_valued(*names).render_derived()
        yield _row(located).in_(sa.select(*given.c))
        return
    most = _PARAMETERS if engine in _TAKE_MANY else 0
    step = max(1, (most or FEW_PARAMETERS) // len(located))
    for start in range(0, len(locators), step):
        yield _row(located).in_(locators[start : start + step])


def _row(located: Sequence[sa.ColumnElement[Any]]) -> sa.ColumnElement[Any]:
    return located[0] if len(located) == 1 else sa.tuple_(*located)


_ODD: Final = 200
"""How many conditions are joined by OR: SQLite takes no deeper expression than 1,000."""


def _as_text(locators: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Return the locators that can be bound, and those with a text that is no UTF-8."""
    fine: list[Any] = []
    odd: list[Any] = []
    for locator in locators:
        parts = locator if isinstance(locator, tuple) else (locator,)
        texts = (part for part in parts if isinstance(part, str) and not part.isascii())
        (odd if any("\udc80" <= c <= "\udcff" for part in texts for c in part) else fine).append(
            locator
        )
    return fine, odd


def _same(located: Sequence[Any], locator: Any, encoding: str) -> sa.ColumnElement[bool]:
    parts = locator if isinstance(locator, tuple) else (locator,)
    pairs = zip(located, parts, strict=True)
    return sa.and_(
        *(has_bytes(at, v, encoding) if isinstance(v, str) else at == v for at, v in pairs)
    )
