"""A transaction of several calls on a database: one connection, a savepoint for each call."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

from sqlalchemy.engine import Connection

from ecsviz.basics.once import remembering
from ecsviz.errors import ForkedStorageError, StorageError, TransactionError
from ecsviz.storage.relational.save.save import Save
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.remembered import Call, Mark, NewestRevision, is_forgetful
from ecsviz.storage.sql.engine import AFTER, OpenDatabase
from ecsviz.storage.sql.processes import leave_to_parent
from ecsviz.storage.sql.statements import delete_rows, insert_rows
from ecsviz.storage.together import TOGETHER, Together, Waymark


def forked(of: Together) -> ForkedStorageError:
    """Return the error for the use of a transaction in a fork of its process."""
    return ForkedStorageError(
        f"The open transaction on {of.where} belongs to the process of which this is a fork. Begin"
        " one here, or fork outside its block."
    )


def _just_tell(entity: Any, version: int) -> None:
    """Tell a live object its version; nobody will have it if that is taken back."""
    entity.__dict__["version"] = version


class _Undone(Exception):  # noqa: N818 - nobody is told
    """Takes a transaction back."""


class SqlTogether(Together):
    """An open transaction on a database.

    Parameters
    ----------
    database
        The database, of which the thread has the turn from now on.
    catalog
        The catalog as it is before. The transaction has its own, of which nobody else knows.

    Attributes
    ----------
    conn
        The connection; None as long as there is no database that it could be to.
    catalog
        As the transaction finds the store.
    made
        Number and seal of the revision, as far as it is made.
    """

    def __init__(self, database: OpenDatabase, catalog: Catalog) -> None:
        self.database = database
        self.conn: Connection | None = None
        self._lost = False
        self._stack = contextlib.ExitStack()
        self._stack.enter_context(database.turn())
        super().__init__(0, str(database))
        self.catalog = catalog.over(catalog.mapping)
        self.catalog.effects = catalog.effects.copy()
        self.made: tuple[int, bytes] | None = None
        self.parts: list[tuple[Waymark, int, int, str]] = []
        # Per save its mark, the fields that may change, and how much was changed up to its end.
        self._saves: list[tuple[Mark, dict[type, tuple[str, ...]], int]] = []

    def connect(self) -> Connection:
        """Return the connection, in its transaction.

        Raises
        ------
        TransactionError
            If the connection was lost.
        """
        if self.conn is None:
            conn = self._stack.enter_context(self.database.writing_on())
            conn.info[TOGETHER] = self
            self.conn = conn
        if self._is_lost(self.conn):
            raise TransactionError(
                f"The transaction on {self.where} is lost: an interrupt, or the server, has ended"
                " its connection. Nothing of it is saved. Leave its block, and begin anew."
            )
        return self.conn

    def _is_lost(self, conn: Connection) -> bool:
        if self._lost or conn.invalidated or conn.closed:
            return True
        # After some errors, as of a full disk, SQLite has rolled all of it back.
        driver: Any = conn.connection.dbapi_connection
        return self.database.is_sqlite and not driver.in_transaction

    # -- calls and parts ---------------------------------------------------------------------

    @contextlib.contextmanager
    def step(self) -> Iterator[Connection]:
        """Hold a savepoint for one call, which writes all or nothing."""
        conn = self.connect()
        with self.database.told(conn):
            self.begin_part()
            try:
                yield conn
            except BaseException:
                self.end_part(well=False)
                raise
            self.end_part(well=True)

    def begin_part(self) -> None:
        """Begin what can be taken back by itself."""
        conn = self.connect()
        name = f"ecs_part_{len(self.parts)}"
        conn.exec_driver_sql(f"SAVEPOINT {name}")
        after: list[Any] = conn.info.setdefault(AFTER, [])
        self.parts.append((self.mark(), self.catalog.effects.mark(), len(after), name))

    def end_part(self, *, well: bool) -> None:
        """End what was begun last."""
        part = self.parts.pop()
        try:
            if well:
                self.connect().exec_driver_sql(f"RELEASE SAVEPOINT {part[-1]}")
                if is_forgetful() and not self.parts and not self.has_deleted:
                    self.settle()
                    self._saves.clear()
                return
        except BaseException:
            self._take_back(*part)
            raise
        self._take_back(*part)

    def _take_back(self, mark: Waymark, effects: int, after: int, name: str) -> None:
        self.back(mark)
        self.catalog.effects.back(effects)
        conn = self.conn
        if conn is None or self._is_lost(conn):
            return
        del conn.info.get(AFTER, [])[after:]
        try:
            conn.exec_driver_sql(f"ROLLBACK TO SAVEPOINT {name}")
            conn.exec_driver_sql(f"RELEASE SAVEPOINT {name}")
        except Exception:  # noqa: BLE001 - of whatever it is told why; the next call tells the rest
            self._lost = True

    # -- the end -----------------------------------------------------------------------------

    def saved(self, save: Save) -> None:
        """Take over what a save has made, as soon as it is written."""
        self.catalog = save.catalog
        written = save.written()
        self.catalog.effects.forget(written)
        self.outdate(written)
        self.catalog.effects.note(save.lists.raised)
        tell = _just_tell if is_forgetful() else self.tell
        for entity, version in save.versions():
            tell(entity, version)
        mark = Mark()  # which comes to be with the transaction, or never
        with remembering:
            fields = save.notes.leave(mark, save.part)
        self._saves.append((mark, fields, self.noted))
        self.on_back(self._saves.pop)

    def _remember(self, found: NewestRevision | None, sealed: str | None) -> None:
        """Let the store remember what was saved, now that it is stored."""
        newest = found if self.made is None else (*self.made, sealed)
        if newest is None or self.has_deleted:  # who was deleted may live on as an object
            return
        if self.settled is not None:
            self.catalog.remembered.forget()
            return
        ends = [0, *(end for *_, end in self._saves), self.noted]
        changed = [self.changed(start, end) for start, end in pairwise(ends)]
        marks = [*((mark, fields) for mark, fields, _ in self._saves), (Mark(), {})]
        calls = [Call(*saved, ids) for saved, ids in zip(marks, changed, strict=True)]
        if not changed[-1]:
            calls.pop()  # the last has changed nothing
        with remembering:
            self.catalog.remembered.take_up(found, newest, calls)

    def commit(self, done: Callable[[], None]) -> None:
        """Carry it out; `done` is called as soon as that is sure."""
        if self.conn is None:
            self.stay()
            self.drop()
            return
        conn = self.connect()
        changed = any(self.counts)
        if not changed:  # what was added is gone again: nothing was to be stored
            self.stay()
        if not changed and not self.beside:
            conn.info.pop(TOGETHER, None)
            self._remember(self.catalog.found_revision(conn), None)
            self.drop()
            return
        with self._stack, self.database.told(conn):
            if changed:
                self._finish(conn)
            conn.info.pop(TOGETHER, None)
            # Now: a connection that is lost says nothing any more.
            known = self.catalog.found_revision(conn), self.catalog.sealed(conn)
            conn.info.setdefault(AFTER, [])[:0] = [done, partial(self._remember, *known)]

    def _finish(self, conn: Connection) -> None:
        """Write what the whole transaction says: the revision, and of what has never been."""
        gone, vanished = self.catalog.deleted, self.forget_vanished()
        delete_rows(conn, gone, [(ecs_id,) for ecs_id in vanished])
        rows = [self.buried[ecs_id] for ecs_id in vanished if ecs_id in self.buried]
        insert_rows(conn, gone, list(gone.c), rows)
        self.made = self.catalog.add_revision(conn, self.number, None, *self.counts)

    def drop(self) -> None:
        """Take back what is open; in a forked process, leave it to the parent."""
        if not self.of_this_process and not self.database.is_in_memory:
            leave_to_parent(self)
            return
        conn = self.conn
        if conn is not None and not (conn.invalidated or conn.closed):
            conn.info.pop(TOGETHER, None)
        with contextlib.suppress(_Undone, StorageError), self._stack:
            raise _Undone
