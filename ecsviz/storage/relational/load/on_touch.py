"""What a lazy reading loads when it is touched: rows as its revision left them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy.engine import Connection

from ecsviz.domain.entity_class import newest_definition
from ecsviz.storage.lazy_reading import LazyReading, Read, Step
from ecsviz.storage.relational.load.load import Load
from ecsviz.storage.relational.past.past_catalog import PastMapping, past_catalog, revision_of
from ecsviz.storage.relational.schema.catalog import Catalog

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
    with LazyReading(partial(_open_at, reading), revision).step() as step:
        return Load(conn, catalog, step).entities(rows, hops, only)


@contextmanager
def _open_at(reading: Reading, revision: int) -> Iterator[Read]:
    with reading() as (conn, now):
        # The present tables are quicker, and hold the same as long as nothing has changed.
        same = now.newest_revision(conn) == revision
        then = now if same else past_catalog(now, revision_of(conn, now, revision))
        yield partial(_read, conn, then)


def _read(conn: Connection, catalog: Catalog, step: Step, ids: dict[type, list[UUID]]) -> None:
    load, rows = Load(conn, catalog, step), list[tuple[str, int]]()
    for cls, wanted in ids.items():
        name = catalog.mapping.type_name(newest_definition(cls))
        types = [name] if name in catalog.mapping.stored else []
        rows += load.find(wanted, types).values()
    load.entities(rows, hops=0)
