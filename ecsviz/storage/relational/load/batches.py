"""Entities some at a time, all from one state of a store, without an open transaction between."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sqlalchemy.engine import Connection

from ecsviz.storage.relational.load.find import Rows
from ecsviz.storage.relational.load.ids import row_ids_after
from ecsviz.storage.relational.load.moment import Moment
from ecsviz.storage.relational.schema.catalog import Catalog

ReadRows = Callable[[Connection, Catalog, Rows], list[Any]]
"""Returns the entities of rows, in a transaction."""


def chosen_of(names: Iterable[str], rows: Rows) -> dict[str, array[int]]:
    """Return by type the row ids of what was chosen: eight bytes each."""
    chosen = {name: array("q") for name in names}
    for name, row_id in rows:
        chosen[name].append(row_id)
    return chosen


def in_batches(
    moment: Moment,
    parts: Iterable[tuple[str, array[int] | None]],
    size: int,
    read: ReadRows,
    check: Callable[[], None] | None,
) -> Iterator[list[Any]]:
    """Yield the entities of some rows of each type; of all, where these are not told.

    Parameters
    ----------
    moment
        Opens the store as it was.
    parts, size
        Types with row ids; how many are read at a time.
    read
        Reads them.
    check
        Raises if what was found is not so any more.
    """
    for name, chosen in parts:
        after = start = 0
        while True:
            if check is not None:
                check()
            with moment.open() as (conn, catalog):
                if chosen is None:
                    ids = row_ids_after(conn, catalog, name, after, size)
                else:
                    ids = chosen[start : start + size].tolist()
                found = read(conn, catalog, [(name, n) for n in ids])
            if not ids:
                break
            yield found
            after, start = ids[-1], start + size
