"""Whose turn it is: one thread writes at a time, and one at a time has a connection all share."""

from __future__ import annotations

import contextlib
import gc
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import exc
from sqlalchemy.engine import Connection
from sqlalchemy.pool import PoolProxiedConnection

from ecsviz.basics.once import looking
from ecsviz.errors import StorageBusyError

ISOLATION = "ecs_isolation"
"""Where a session's connection keeps the driver's mode until it goes back to its pool."""


QUERY_ONLY = "ecs_query_only"
"""Where it keeps whether it might be written to, until then."""


def query_only(driver: Any, wanted: bool | None) -> bool | None:
    """Let a connection be read alone, or not; return what held before, None if it stays so."""
    if wanted is None:
        return None
    before = bool(driver.execute("PRAGMA query_only").fetchone()[0])
    driver.execute(f"PRAGMA query_only={int(wanted)}")
    return before


BOUNDS = "ecs_bounds"
"""Where a transaction of ours keeps what takes its bounds away, and what tells whether its time is
over; None while it has none."""


@contextlib.contextmanager
def interrupted(conn: Connection) -> Iterator[None]:
    """Raise a Ctrl-C that came while Python looked at the clock: the driver swallows it."""
    try:
        yield
    except (sqlite3.OperationalError, exc.OperationalError) as err:
        code = getattr(getattr(err, "orig", err), "sqlite_errorname", "")
        if code == "SQLITE_INTERRUPT" and (of := conn.info[BOUNDS]) and not of[1]():
            raise KeyboardInterrupt from err
        raise


class Hold:
    """A turn that is taken.

    Parameters
    ----------
    session
        Whether a session has it: it is given back in whatever thread the session ends.
    """

    __slots__ = ("depth", "session", "thread")

    def __init__(self, session: bool) -> None:
        self.session = session
        self.thread = threading.get_ident()
        self.depth = 1


class Turns:
    """The turns on one database.

    Parameters
    ----------
    database
        What messages call it.
    timeout
        How many seconds to wait for a turn.
    """

    def __init__(self, database: Any, timeout: float) -> None:
        self._database = database
        self._timeout = timeout
        self.reset()

    def reset(self) -> None:
        """Forget who has the turn: in a forked child, its thread may not be there."""
        self._lock = threading.Lock()
        self._hold: Hold | None = None

    def take(self, *, session: bool = False) -> Hold:
        """Wait for the turn, and take it.

        Raises
        ------
        StorageBusyError
            If another thread keeps it for longer than the timeout, or this one keeps it with a
            session: waiting for oneself has no end.
        """
        hold = self._hold
        if hold is not None and hold.thread == threading.get_ident():
            if not (session or hold.session):
                hold.depth += 1
                return hold
            gc.collect()  # a session that was dropped without being closed ends here
            if self._hold is hold:
                raise self.in_use()
        if not self._lock.acquire(timeout=min(max(self._timeout, 0), threading.TIMEOUT_MAX)):
            gc.collect()
            if not self._lock.acquire(blocking=False):
                raise StorageBusyError(
                    f"{self._database}: another thread held the database for more than"
                    f" {self._timeout:g} s. Nothing was saved; try again, or open the storage"
                    " with a longer timeout=.",
                    path=self._database.path,
                    waited=self._timeout,
                )
        self._hold = hold = Hold(session)
        return hold

    def give_back(self, hold: Hold) -> None:
        """Give a turn back; nothing happens if it was forgotten meanwhile."""
        if self._hold is hold:
            hold.depth -= 1
            if not hold.depth:
                self._hold = None
                self._lock.release()

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the turn; a thread that has it may take it again."""
        hold = self.take()
        try:
            yield
        finally:
            self.give_back(hold)

    def in_use(self) -> StorageBusyError:
        """Return the error for a transaction that is open on the connection that all share."""
        return StorageBusyError(
            f"{self._database}: a session, or a transaction, is open on its one connection."
            " Nothing was read or saved; commit, roll back or close it first.",
            path=self._database.path,
            waited=0.0,
        )


class Lent:
    """A connection that all share, lent to a session until SQLAlchemy closes it.

    Parameters
    ----------
    pooled
        The connection, from its own pool.
    give_back
        Called once, when the session has it no more.
    """

    __slots__ = ("_driver", "_give_back", "_isolation", "_pooled")

    def __init__(self, pooled: PoolProxiedConnection, give_back: Callable[[], None]) -> None:
        driver: Any = pooled.driver_connection
        for name, value in (
            ("_pooled", pooled),
            ("_driver", driver),
            ("_isolation", driver.isolation_level),
            ("_give_back", give_back),
        ):
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._driver, name, value)

    def close(self) -> None:
        """Roll back what is open, and give the connection back as it was."""
        try:
            self._pooled.close()
            self._driver.isolation_level = self._isolation
        finally:
            self._give_back()


def leave(driver: Any, record: Any) -> None:
    """Leave the driver as a session found it.

    SQLAlchemy rolls nothing back after a commit that failed.
    """
    if ISOLATION in record.info:
        before = record.info.pop(ISOLATION)
        if driver is not None:  # it is, after an interrupt
            if driver.in_transaction:
                driver.rollback()
            query_only(driver, record.info.pop(QUERY_ONLY, None))
            driver.isolation_level = before


class OwnConnection(sqlite3.Connection):
    """A connection whose statements end with their transaction.

    Notes
    -----
    An interrupt leaves a statement half read, and the traceback, which a notebook keeps, holds its
    cursor. As long as it lives, SQLite keeps the file locked, even when the connection is closed.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        with looking:
            super().__init__(*args, **options)
        self._cursors: weakref.WeakSet[sqlite3.Cursor] = weakref.WeakSet()

    def cursor(self, *args: Any, **options: Any) -> Any:
        """Return a cursor, that of `execute` too."""
        made = super().cursor(*args, **options)
        self._cursors.add(made)
        return made

    def rollback(self) -> None:
        """End what runs, and roll back."""
        self._end_statements()
        super().rollback()

    def close(self) -> None:
        """End what runs, and close."""
        self._end_statements()
        super().close()

    def _end_statements(self) -> None:
        for each in list(self._cursors):
            with contextlib.suppress(sqlite3.Error):
                each.close()


class KeptConnection(OwnConnection):
    """A connection to a database in memory, which would be gone with it."""

    def close(self) -> None:
        """Roll back: SQLAlchemy closes what an error or an interrupt has hit, and opens anew."""
        with contextlib.suppress(sqlite3.Error):
            self.rollback()
            self.isolation_level = "DEFERRED"  # as at first

    def end(self) -> None:
        """Close it."""
        super().close()
