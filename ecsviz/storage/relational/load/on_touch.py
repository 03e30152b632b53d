"""What a lazy reading loads when it is touched: rows as its revision left them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.domain.entity_class import newest_definition
from ecsviz.storage.lazy_reading import LazyReading, Read, ReadingStep
from ecsviz.storage.relational.load.load import Load
from ecsviz.storage.relational.load.moment import Moment
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.sql.statements import select_by_keys


def load_lazily(
    moment: Moment,
    conn: Connection,
    catalog: Catalog,
    rows: list[tuple[str, int]],
    hops: int | None,
    only: list[str] | None,
) -> list[Any]:
    """Return the entities of rows, with placeholders that load on first touch.

    Parameters
    ----------
    moment
        Opens the store again, to load the others.
    conn, catalog
        A transaction, and what the store says of itself, now or as of a revision.
    rows, hops, only
        As of `Load.entities`.
    """
    with LazyReading(partial(_open, moment), moment.revision).step() as step:
        return Load(conn, catalog, step, remembers=True).entities(rows, hops, only)


@contextmanager
def _open(moment: Moment) -> Iterator[Read]:
    with moment.open() as (conn, catalog):
        yield partial(_read, conn, catalog)


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
