"""One state of a store, to which what reads on later comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.errors import StorageMovedError
from ecsviz.storage.relational.past.past_catalog import PastMapping, past_catalog, revision_of
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.mapping import Mapping
from ecsviz.storage.sql.statements import columns_of
from ecsviz.storage.together import TOGETHER

Reading = Callable[[], AbstractContextManager[tuple[Connection, Catalog]]]
"""Holds a transaction to read in."""


class Moment:
    """The state that a transaction reads, to be opened again.

    Parameters
    ----------
    reading
        Opens the store.
    conn, catalog
        The transaction, and what the store says of itself, now or as of a revision.

    Attributes
    ----------
    revision
        The revision whose state it is.
    """

    def __init__(self, reading: Reading, conn: Connection, catalog: Catalog) -> None:
        self._reading = reading
        self._made: dict[Mapping, Catalog] = {}  # what was made for the past serves again
        mapping, c = catalog.mapping, catalog.revisions.c
        query = sa.select(c.number, c.seal)
        if isinstance(mapping, PastMapping):
            query = query.where(c.number == mapping.revision)
        else:
            query = query.order_by(c.number.desc()).limit(1)
        numbers, seals = columns_of(conn, query, raw=("seal",))
        past = mapping.revision if isinstance(mapping, PastMapping) else 0
        self.revision: int = next(iter(numbers), past)
        # That of a transaction of several calls is another after the next call.
        self._seal = None if TOGETHER in conn.info else next(iter(seals), None)

    @contextmanager
    def open(self) -> Iterator[tuple[Connection, Catalog]]:
        """Hold a transaction to read in, with the catalog as it was then.

        Raises
        ------
        StorageMovedError
            If the store has another past by now.
        InvalidArgumentError
            If the state has been pruned.
        """
        with self._reading() as (conn, now):
            # The present tables are quicker, and hold the same as long as nothing has changed.
            if self._check(conn, now) == self.revision:
                yield conn, now
                return
            number = revision_of(conn, now, self.revision)
            then = self._made.get(now.mapping)
            if then is None:
                self._made.clear()
                then = self._made[now.mapping] = past_catalog(now, number)
            yield conn, then

    def _check(self, conn: Connection, now: Catalog) -> Any:
        """Return the number of the newest revision."""
        of, c = now.revisions.alias("newest_revision").c, now.revisions.c
        seal = sa.select(c.seal).where(c.number == self.revision).scalar_subquery()
        query = sa.select(sa.func.max(of.number), seal.label("seal"))
        (newest,), (found,) = columns_of(conn, query, raw=("seal",))
        # It may be missing: pruned, since nothing speaks of it any more.
        if (newest or 0) < self.revision or (self._seal and found and found != self._seal):
            raise StorageMovedError(
                f"{now.database} is not as it was when this was read: a backup was put back in its"
                f" place, and its revision {self.revision} is another one, or not there.",
                path=now.database.path,
            )
        return newest or 0
