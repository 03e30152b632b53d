"""Tables that are there and cannot be read: each is tried, and one that fails is left out."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection

from ecsviz.errors import short_repr
from ecsviz.importers.database.schema import DENIED, ForeignSchema, ForeignTable, only

_TRIED: Final = 60
"""How many tables one statement tries: MySQL joins or unites 61 at the most in places."""
_DENIED: Final = frozenset({1142, 1143, "42501"})
_WAITS: Final = frozenset({1205, "55P03", "57014"})
"""Another holds the table, or it takes long: that it cannot be read is not said."""


def leave_out_unreadable(
    conn: Connection, parts: Iterable[ForeignSchema], doubted: Iterable[str] | None = None
) -> None:
    """Take those tables out of schemas that cannot be read, and note why.

    All are tried with one statement, and only if that fails one after the other: whether a table
    can be read depends on rights and roles, on files and servers, and on what its columns compute.

    Parameters
    ----------
    conn, parts
        The schemas, and where they are.
    doubted
        Which of their tables are tried; None for all.
    """
    chosen = None if doubted is None else set(doubted)
    every = [
        (part, name, table)
        for part in parts
        for name, table in part.tables.items()
        if chosen is None or name in chosen
    ]
    size = 1 if conn.dialect.name == "sqlite" else _TRIED
    with _patient(conn) if every else nullcontext():
        for start in range(0, len(every), size):
            some = every[start : start + size]
            if _fault(conn, _reading(conn, [table for *_, table in some])) is None:
                continue
            for part, name, table in some:
                why = _fault(conn, _reading(conn, [table]))
                if why is not None:
                    del part.tables[name]
                    part.uniques.pop(name, None)
                    part.unreadable[name] = why
                    part.keys = [key for key in part.keys if key.table != name]


def tell_uncomparable(conn: Connection, schema: ForeignSchema) -> None:
    """Note which keys SQLite cannot follow: of columns with a collation that is not here."""
    found = schema.collated
    for number, key in enumerate(schema.keys):
        if key.fault is None and not found.isdisjoint((key.table, key.target)):
            here, there = (schema.tables[name].sql for name in (key.table, key.target))
            at, led_to = here.alias("s"), there.alias("t")
            pairs = zip(key.columns, key.target_columns, strict=True)
            same = sa.and_(*(led_to.c[other] == at.c[own] for own, other in pairs))
            why = _fault(conn, _explained(conn, sa.select(1).select_from(at.join(led_to, same))))
            schema.keys[number] = replace(key, fault=why)


def _reading(conn: Connection, tables: Sequence[ForeignTable]) -> Any:
    """Return the statement that tries whether rows of tables can be read.

    SQLite only says how it would do that: which functions and collations that takes.
    """
    rows = [only(sa.select(*table.sql.c), table, table.sql) for table in tables]
    if conn.dialect.name != "sqlite":
        return sa.union_all(*(sa.select(sa.exists(each)) for each in rows))
    (table,) = tables
    count = sa.select(sa.func.count()).select_from(table.sql).scalar_subquery()
    order = [table.sql.c[name] for name in table.primary_key]
    return _explained(conn, rows[0].add_columns(count).order_by(*order))


def _explained(conn: Connection, query: Any) -> Any:
    return sa.text("EXPLAIN " + str(query.compile(dialect=conn.dialect)).replace(":", "\\:"))


def _fault(conn: Connection, query: Any) -> str | None:
    """Return why a query fails; None if it does not, or another is in the way for the moment."""
    try:
        # On PostgreSQL, an error would end the transaction.
        with conn.begin_nested() if conn.dialect.name == "postgresql" else nullcontext():
            conn.execute(query).fetchall()
    except exc.DBAPIError as err:
        said: Any = err.orig
        if err.connection_invalidated or str(said) == "interrupted":
            raise
        args = getattr(said, "args", None) or (said,)
        codes = {getattr(said, "sqlstate", None), args[0]}
        if codes & _DENIED:
            return DENIED
        if codes & _WAITS:
            return None
        text = str(said if isinstance(said, sqlite3.Error) else args[-1]).strip()
        return f"it cannot be read: {short_repr(text.partition(chr(10))[0])}"
    return None


@contextmanager
def _patient(conn: Connection) -> Iterator[None]:
    """Let PostgreSQL wait for others, and for other servers, no longer than some seconds."""
    if conn.dialect.name != "postgresql":
        yield
        return
    names = ("lock_timeout", "statement_timeout")
    before = [conn.exec_driver_sql(f"SHOW {name}").scalar() for name in names]
    for name in names:
        conn.exec_driver_sql(f"SET LOCAL {name} TO '5s'")
    yield
    for name, was in zip(names, before, strict=True):
        conn.exec_driver_sql(f"SET LOCAL {name} TO '{was}'")
