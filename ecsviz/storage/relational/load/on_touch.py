"""What a lazy reading loads when it is touched: rows as its revision left them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.domain.entity_class import newest_definition
from ecsviz.storage.lazy_reading import LazyReading, Read, ReadingStep
from ecsviz.storage.protocol import Extent
from ecsviz.storage.relational.load.find import Rows
from ecsviz.storage.relational.load.load import Load
from ecsviz.storage.relational.load.loaded_rows import whole_rows
from ecsviz.storage.relational.load.moment import Moment
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.sql.statements import select_by_keys

Check = Callable[[Connection, Catalog, Iterable[tuple[str, int]]], None]
"""Raises if rows are not as they were written."""


def load_lazily(
    moment: Moment,
    conn: Connection,
    catalog: Catalog,
    rows: Rows,
    extent: Extent,
    only: list[str] | None,
    check: Check,
) -> list[Any]:
    """Return the entities of rows, with placeholders that load on first touch.

    Parameters
    ----------
    moment
        Opens the store again, to load the others.
    conn, catalog
        A transaction, and what the store says of itself, now or as of a revision.
    rows, only
        As of `Load.entities`.
    extent
        How far it goes, and whether checksums are checked, of what loads later too.
    check
        Checks those of rows.
    """
    checking = check if extent.check else None
    with LazyReading(partial(_open, moment, checking), moment.revision).step() as step:
        load = Load(conn, catalog, step, remembers=True)
        found = load.entities(rows, extent.hops, only)
        if checking is not None:
            checking(conn, catalog, whole_rows(load.loaded, load.left_out))
        return found


@contextmanager
def _open(moment: Moment, check: Check | None) -> Iterator[Read]:
    with moment.open() as (conn, catalog):
        yield partial(_read, conn, catalog, check)


def _read(
    conn: Connection,
    catalog: Catalog,
    check: Check | None,
    step: ReadingStep,
    ids: dict[type, list[UUID]],
) -> None:
    rows: Rows = []
    for cls, wanted in ids.items():
        name = catalog.mapping.type_name(newest_definition(cls))
        if name in catalog.mapping.stored:
            c = catalog.classes_of([name])[0].table.c
            found = select_by_keys(conn, sa.select(c.id), c.ecs_id, wanted)[0]
            rows += [(name, row_id) for row_id in found]
    if check is not None:  # before others see it
        check(conn, catalog, rows)
    Load(conn, catalog, step, remembers=True).entities(rows, hops=0)
