"""History tables: what was superseded, with the revisions between which it was valid.

Every table has a second one of the same columns, named ``…_history``. A row of the first is valid
since its ``ecs_revision``; a row of the second from there until its ``ecs_until``, that revision
not included, as in SQL's system-versioned tables.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.basics.once import making
from ecsviz.storage.relational.schema.naming import limited
from ecsviz.storage.sql.statements import bound, prepared, run_many
from ecsviz.values.unfit import invalid

REVISION = "ecs_revision"
UNTIL = "ecs_until"
SUFFIX = "_history"


def history_name(table: str) -> str:
    """Return the name of a table's history table.

    Examples
    --------
    >>> history_name("chat_threads")
    'chat_threads_history'
    """
    return limited(table + SUFFIX)


def history_of(table: sa.Table) -> sa.Table:
    """Return the history table of a table that is complete.

    Notes
    -----
    Nothing in it is required or unique, and it refers to nothing: what it speaks of may be gone.
    """
    found: sa.Table | None = table.info.get("history")
    if found is None:
        with making:
            found = table.info.get("history")
            if found is None:
                found = table.info["history"] = _make_history(table)
    return found


def _make_history(table: sa.Table) -> sa.Table:
    keys = [column.name for column in list(table.columns) if column.primary_key]
    found = sa.Table(
        history_name(table.name),
        sa.MetaData(naming_convention=table.metadata.naming_convention, schema=table.schema),
        *(_past(c, required=c.name in (*keys, REVISION)) for c in table.columns),
        sa.Column(UNTIL, sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(*keys, REVISION),
    )
    indexed = {c.name for key in table.foreign_key_constraints for c in key.columns}
    indexed |= {"ecs_id"} & set(table.columns.keys())
    for name in sorted(indexed - set(keys[:1])):
        sa.Index(limited(f"ix_{found.name}_{name}"), found.c[name])
    return found


def _past(column: sa.Column[Any], *, required: bool) -> sa.Column[Any]:
    # Texts may have been longer once.
    kind = sa.Text() if getattr(column.type, "length", None) else column.type
    return sa.Column(column.name, kind, nullable=not required)


def archive(
    conn: Connection, table: sa.Table, keys: Iterable[tuple[Any, ...]], revision: int
) -> None:
    """Copy rows into the history table, before a revision changes or deletes them.

    Parameters
    ----------
    conn
        A transaction.
    table
        The table.
    keys
        The primary keys of the rows.
    revision
        Until when they were valid. Rows that this revision itself has written are passed over,
        so that a row may be archived wherever it is about to change.
    """
    primary = list(table.primary_key.columns)
    until = history_of(table).c[UNTIL]

    def make() -> tuple[Any, list[str]]:
        *keys, revision = bound([*primary, until], "ecs_key_")
        rows = sa.select(*table.columns, revision).where(
            *map(operator.eq, primary, keys), table.c[REVISION] < revision
        )
        names = [*table.columns.keys(), UNTIL]
        return sa.insert(until.table).from_select(names, rows), [n.key for n in (*keys, revision)]

    statement = prepared(conn, table, "archive", table.columns, make)
    run_many(conn, statement, [*primary, until], [(*key, revision) for key in keys])


def check_once(table: Any, row_ids: list[int]) -> None:
    """Raise if a row is said twice: as of one revision, an entity has one state.

    Parameters
    ----------
    table
        The table, or what it held; the present has a primary key.
    row_ids
        The ids of all rows.

    Raises
    ------
    StoredDataInvalidError
        Naming the first of them.
    """
    if not isinstance(table, sa.Table) and len(set(row_ids)) < len(row_ids):
        twice = next(row_id for row_id, count in Counter(row_ids).items() if count > 1)
        why = "overlaps with another state of the same row"
        raise invalid(history_name(table.name), UNTIL, twice, why)


def as_of(table: sa.Table, revision: int) -> Any:
    """Return what a table held when a revision was the newest: a subquery with its columns."""
    past = history_of(table)
    now = sa.select(*table.columns).where(table.c[REVISION] <= revision)
    then = sa.select(*(past.c[c.name] for c in table.columns)).where(
        past.c[REVISION] <= revision, past.c[UNTIL] > revision
    )
    return sa.union_all(now, then).subquery(table.name)
