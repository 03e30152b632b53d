"""What a lazy reading loads when it is touched: rows as its revision left them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.domain.entity_class import newest_definition
from ecsviz.storage.lazy_reading import LazyReading, Read, ReadingStep
from ecsviz.storage.relational.load.load import Load
from ecsviz.storage.relational.past.past_catalog import PastMapping, past_catalog, revision_of
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.mapping import Mapping
from ecsviz.storage.sql.statements import select_by_keys

Reading = Callable[[], AbstractContextManager[tuple[Connection, Catalog]]]
"""Holds a transaction to read in."""


def load_lazily(
    reading: Reading,
    conn: Connection,
    catalog: Catalog,
    rows: list[tuple[str, int]],
    hops: int | None,
    only: list[str] | None,
) -> list[Any]:
    """Return the entities of rows, with placeholders that load on first touch.

    Parameters
    ----------
    reading
        Opens the store again, to load the others.
    conn, catalog
        A transaction, and what the store says of itself, now or as of a revision.
    rows, hops, only
        As of `Load.entities`.
    """
    mapping = catalog.mapping
    if isinstance(mapping, PastMapping):
        revision = mapping.revision
    else:
        revision = catalog.newest_revision(conn)
    with LazyReading(partial(_open_at, reading, {}), revision).step() as step:
        return Load(conn, catalog, step, remembers=True).entities(rows, hops, only)


@contextmanager
def _open_at(reading: Reading, made: dict[Mapping, Catalog], revision: int) -> Iterator[Read]:
    """Open the store as a revision left it; what was made for that serves again."""
    with reading() as (conn, now):
        # The present tables are quicker, and hold the same as long as nothing has changed.
        if now.newest_revision(conn) == revision:
            yield partial(_read, conn, now)
            return
        number = revision_of(conn, now, revision)
        then = made.get(now.mapping)
        if then is None:
            made.clear()
            then = made[now.mapping] = past_catalog(now, number)
        yield partial(_read, conn, then)


def _read(
    conn: Connection, catalog: Catalog, step: ReadingStep, ids: dict[type, list[UUID]]
) -> None:
    rows: list[tuple[str, int]] = []
    for cls, wanted in ids.items():
        name = catalog.mapping.type_name(newest_definition(cls))
        if name in catalog.mapping.stored:
            c = catalog.classes_of([name])[0].table.c
            found = select_by_keys(conn, sa.select(c.id), c.ecs_id, wanted)[0]
            rows += [(name, row_id) for row_id in found]
    Load(conn, catalog, step, remembers=True).entities(rows, hops=0)
