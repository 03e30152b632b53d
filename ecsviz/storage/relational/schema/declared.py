"""What a class declares of a column, in its table: unique values, and an index."""

from __future__ import annotations

import sqlalchemy as sa

from ecsviz.storage.relational.schema.class_maps import ValueColumn
from ecsviz.storage.relational.schema.naming import limited


def declare(table: sa.Table, value: ValueColumn, *, defers: bool) -> None:
    """Add to a table what is declared of a column.

    Parameters
    ----------
    table, value
        The table, and one of its columns.
    defers
        Whether the database can check at the end of a transaction that values are unique, so that
        two rows may exchange theirs. Elsewhere it is an index, which checks row by row.
    """
    if value.said.unique and defers:
        table.append_constraint(
            sa.UniqueConstraint(value.column, deferrable=True, initially="DEFERRED")
        )
    elif value.said.unique:
        sa.Index(unique_name(table.name, value.column.name), value.column, unique=True)
    elif value.said.index:
        sa.Index(None, value.column)


def unique_name(table: str, column: str) -> str:
    """Return what the index of a unique column is called, as a constraint would be.

    Examples
    --------
    >>> unique_name("teams", "slug")
    'uq_teams_slug'
    """
    return limited(f"uq_{table}_{column}")
