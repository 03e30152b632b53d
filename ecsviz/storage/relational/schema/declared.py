"""What a class declares of a column, in its table: unique values, and an index."""

from __future__ import annotations

import sqlalchemy as sa

from ecsviz.storage.relational.schema.class_maps import StoredType, ValueColumn
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
        name = _named("uq", table.name, value.column.name)
        table.append_constraint(
            sa.UniqueConstraint(value.column, name=name, deferrable=True, initially="DEFERRED")
        )
    elif value.said.unique:
        sa.Index(_named("uq", table.name, value.column.name), value.column, unique=True)
    elif value.said.index:
        sa.Index(_named("ix", table.name, value.column.name), value.column)


def _named(kind: str, table: str, column: str) -> str:
    # As the naming convention has it, cut in the same way for every database.
    return limited(f"{kind}_{table}_{column}")


def declared_names(stored: StoredType) -> set[str]:
    """Return how the indexes and constraints that a stored type declares are called.

    Examples
    --------
    >>> place = {"slug": {"column": "slug"}}
    >>> sorted(declared_names(StoredType("Team", "m", "teams", {"slug": "TEXT [unique]"}, place)))
    ['ix_teams_slug', 'uq_teams_slug']
    """
    names = set()
    for field, text in stored.fields.items():
        column = stored.layout.get(field, {}).get("column")
        if column is not None and " [" in text:
            names |= {_named(kind, stored.table, column) for kind in ("uq", "ix")}
    return names
