"""What all tables have in common: the columns of our own, and how constraints are called."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ecsviz.storage.relational.schema.history_tables import REVISION
from ecsviz.storage.relational.schema.seals import SEAL
from ecsviz.storage.sql.dialects import SQLITE

NAMING = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}
"""Names of constraints, so that they can be altered by name later."""

BIG = sa.BigInteger().with_variant(sa.Integer(), SQLITE.name)
"""Row ids: 64 bits everywhere; SQLite gives its own row id only to a column called INTEGER."""

SYSTEM_COLUMNS = (
    "id",
    "ecs_id",
    "ecs_lineage_id",
    "ecs_parent_id",
    "ecs_version",
    REVISION,
    "ecs_checksum",
    SEAL,
    "ecs_exact",
)


def origins_of(schema: str | None) -> sa.Table:
    """Return the table of what sources have said of entities; a store has it once it is needed."""
    return sa.Table(
        "ecs_origins",
        sa.MetaData(schema=schema),
        sa.Column("ecs_id", sa.Uuid(), primary_key=True),
        sa.Column("part", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("said", sa.LargeBinary(), nullable=False),
    )


def raw_origins(table: sa.Table) -> list[Any]:
    """Return the columns of the table; of what was noted, whatever stands there."""
    return [table.c.ecs_id, table.c.part, sa.type_coerce(table.c.said, sa.types.NullType())]


def system_columns() -> list[Any]:
    """Return the columns of our own, which every table has."""
    return [
        sa.Column("id", BIG, primary_key=True),
        sa.Column("ecs_id", sa.Uuid(), nullable=False, unique=True),
        sa.Column("ecs_lineage_id", sa.Uuid(), nullable=False),
        sa.Column("ecs_parent_id", sa.Uuid()),
        sa.Column("ecs_version", sa.Integer(), nullable=False),
        sa.Column(REVISION, sa.Integer(), nullable=False),
        sa.Column("ecs_checksum", sa.LargeBinary()),
        sa.Column(SEAL, sa.BigInteger()),
        sa.Column("ecs_exact", sa.Text()),
    ]
