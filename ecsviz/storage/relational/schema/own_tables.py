"""The tables whose names begin with ``ecs_``, and what every transaction asks of them."""

from __future__ import annotations

import sqlalchemy as sa

from ecsviz.storage.relational.schema.store_identity import newest_and
from ecsviz.storage.relational.schema.stored_types import types_query
from ecsviz.storage.relational.schema.system_columns import BIG, NAMING
from ecsviz.storage.relational.schema.text_index import TEXTS
from ecsviz.storage.sql.statements import Query

IDENTITY = "store_id"
"""The key of what tells stores apart. Copies and backups have it in common: they are the store."""


class OwnTables:
    """The tables of one store.

    Parameters
    ----------
    schema
        The schema in which they stand.

    Attributes
    ----------
    store
        ``ecs_store``: its settings, by key.
    types
        ``ecs_types``: a row per entity class, with its table and the next free row id.
    revisions
        ``ecs_revisions``: a row per `register` that changed something.
    deleted
        ``ecs_deleted``: which entities were deleted, so that none comes back by mistake.
    first
        The query that a transaction begins with: some settings, and the newest revisions.
    settings
        Those settings alone.
    newest
        The query for the number of the newest revision.
    sealed
        Queries for all that a seal is over, but the seal.
    """

    def __init__(self, schema: str | None) -> None:
        self.metadata = sa.MetaData(naming_convention=NAMING, schema=schema)
        self.store = sa.Table(
            "ecs_store",
            self.metadata,
            sa.Column("key", sa.String(40), primary_key=True),
            sa.Column("value", sa.Text(), nullable=False),
        )
        self.types = sa.Table(
            "ecs_types",
            self.metadata,
            sa.Column("name", sa.String(200), primary_key=True),
            sa.Column("module", sa.Text(), nullable=False),
            sa.Column("table_name", sa.String(63), nullable=False, unique=True),
            sa.Column("by_hand", sa.Boolean(), nullable=False),
            sa.Column("fields", sa.Text(), nullable=False),
            sa.Column("layout", sa.Text(), nullable=False),
            sa.Column("next_id", BIG, nullable=False),
        )
        self.revisions = sa.Table(
            "ecs_revisions",
            self.metadata,
            sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
            sa.Column("created_at", sa.DateTime(), nullable=False),
            sa.Column("note", sa.Text()),
            sa.Column("added", sa.Integer(), nullable=False),
            sa.Column("changed", sa.Integer(), nullable=False),
            sa.Column("deleted", sa.Integer(), nullable=False),
            sa.Column("seal", sa.LargeBinary(), nullable=False),
        )
        self.deleted = sa.Table(
            "ecs_deleted",
            self.metadata,
            sa.Column("ecs_id", sa.Uuid(), primary_key=True),
            sa.Column("type_name", sa.String(200), nullable=False),
            sa.Column("version", sa.Integer(), nullable=False),
            sa.Column("revision", sa.Integer(), nullable=False),
            sa.Column("seal", sa.LargeBinary(), nullable=False),
        )
        c = self.store.c
        wanted = c.key.in_(("schema_version", IDENTITY, TEXTS, "seal"))
        settings = sa.select(c.key, c.value).where(wanted)
        self.settings = Query(settings)
        self.first = Query(settings.add_columns(*newest_and(self.revisions)))
        self.newest = Query(sa.select(sa.func.max(self.revisions.c.number)))
        others = sa.select(self.store).where(c.key != "seal").order_by(c.key)
        self.sealed = types_query(self.types), Query(others)
