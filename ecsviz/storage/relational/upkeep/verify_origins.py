"""Verification of what was noted of where entities come from."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.system_columns import origins_of, raw_origins
from ecsviz.storage.reports import Problem

_BATCH = 1_000
"""Rows that are read at a time."""


def origin_problems(conn: Connection, catalog: Catalog) -> Iterator[Problem]:
    """Yield which parts cannot be unpacked: what is imported next is compared without them.

    Notes
    -----
    O(bytes). Nothing that is stored depends on it.
    """
    table = origins_of(catalog.metadata.schema)
    if not sa.inspect(conn).has_table(table.name, schema=table.schema):
        return
    # As they stand: what is no id, or no bytes, is told as well.
    _, part, said = raw_origins(table)
    query = sa.select(sa.type_coerce(table.c.ecs_id, sa.String()), part, said)
    options = {"yield_per": _BATCH}
    for ecs_id, number, packed in conn.execute(query, execution_options=options):
        try:
            if not zlib.decompress(packed):
                raise ValueError
            UUID(str(ecs_id))
        except (zlib.error, TypeError, ValueError):
            detail = "what its source has said is not known any more; the next import notes it anew"
            yield Problem(table.name, f"{ecs_id}, part {number}", _id(ecs_id), "origin", detail)


def _id(raw: object) -> UUID | None:
    try:
        return UUID(str(raw))
    except ValueError:
        return None
