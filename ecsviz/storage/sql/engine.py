"""The way to the database: engines, safe transactions, bulk statements, translated errors.

What differs between databases stands here and nowhere else.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.pool import NullPool, SingletonThreadPool, StaticPool

from ecsviz import errors
from ecsviz.basics.addresses import (
    Journal,
    as_url,
    asynchronous,
    check_options,
    checked_journal,
    checked_seconds,
    file_of,
    harmless,
    in_memory,
    opened_to_read,
    redacted,
    redacted_text,
    short_path,
)
from ecsviz.basics.file_locks import end_waiting, open_to_read
from ecsviz.basics.files import SQLITE
from ecsviz.basics.forks import not_while_forking
from ecsviz.basics.interrupts import deferred_interrupt
from ecsviz.basics.once import making
from ecsviz.errors import StorageError, StorageOpenError, StorageUrlError, short_repr
from ecsviz.storage.sql.dialects import Dialect, row_of, unread_version
from ecsviz.storage.sql.processes import look_after
from ecsviz.storage.sql.server_errors import NOT_TAKEN, server_error
from ecsviz.storage.sql.sqlite_errors import DAMAGED, sqlite_error, unreadable
from ecsviz.storage.sql.sqlite_files import UNTRUSTED, WatchedFile, bound, is_sqlite
from ecsviz.storage.sql.turns import (
    BOUNDS,
    ISOLATION,
    QUERY_ONLY,
    KeptConnection,
    Lent,
    OwnConnection,
    Turns,
    interrupted,
    leave,
    query_only,
)


class OpenDatabase:
    """One database and the transactions on it.

    Parameters
    ----------
    target
        A path, a SQLAlchemy URL, or an Engine.
    journal
        SQLite's way to survive a power cut. ``"delete"`` with ``synchronous=EXTRA`` lost no
        acknowledged save and notices a file that was moved away; ``"wal"`` lets
        readers read while one writes; a file is changed to it at the end of its first save.
    timeout
        How long to wait for another writer, in seconds.
    deadline
        How long a statement may take on a SQLite file in which something acts by itself.
    read_only
        Whether nothing may be written; so it is too if the URL says so.

    Attributes
    ----------
    row
        What the database's engine does, and how.
    file
        SQLite's file, if it is one.

    Raises
    ------
    StorageUrlError, StorageOpenError, NotADatabaseError
        If the target cannot be one.
    """

    def __init__(
        self,
        target: str | os.PathLike[str] | URL | Engine,
        journal: Journal,
        timeout: float,
        deadline: float = 60.0,
        read_only: bool = False,
    ) -> None:
        self.journal = checked_journal(journal)
        self.timeout = checked_seconds(timeout, "timeout", "wait for another writer")
        self.deadline = checked_seconds(deadline, "deadline", "allow a statement")
        self.path: Path | None = None
        self.file: WatchedFile | None = None
        self._session_engine: Engine | None = None
        self.closed = False
        self.owns_engine = not isinstance(target, Engine)
        self._turns = Turns(self, self.timeout)
        self.turn = self._turns.turn
        self._kept: KeptConnection | None = None
        if isinstance(target, Engine):
            if target.dialect.is_async:  # what an AsyncEngine stands on
                raise asynchronous(target.url)
            self.engine = target
            self.url = target.url
        else:
            self.url = as_url(target)
            check_options(self.url)
        self.row: Dialect = row_of(self.url)
        self.read_only = read_only or opened_to_read(self.url)
        self._options = dict[str, Any](self.row.read_only if self.read_only else {})
        if self.owns_engine:
            if self.read_only and self.is_in_memory:
                raise errors.StorageOpenError(
                    f"{redacted(self.url)} is empty: there is nothing to read. Name a file."
                )
            self.engine = self._make_engine()
        if self.is_sqlite and not self.is_in_memory:
            self.path = file_of(self.url)
            self._check_file()
            self.file = WatchedFile(self.path, read_only=self.read_only)
            if self.owns_engine:
                sa.event.listen(self.engine, "do_connect", self.file.connect)
        look_after(self.engine, self._turns, closing=self.owns_engine)

    def __str__(self) -> str:
        return str(self.path) if self.path else redacted(self.url)

    @property
    def is_in_memory(self) -> bool:
        """Whether the database is one of SQLite's in memory."""
        return self.is_sqlite and in_memory(self.url)

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is SQLite."""
        return self.row.is_sqlite

    @property
    def is_alone(self) -> bool:
        """Whether a transaction finds only what was committed: nobody shares its connection."""
        if not isinstance(self.engine.pool, (StaticPool, SingletonThreadPool)):
            return True
        return self.owns_engine and self._session_engine is None

    def _make_engine(self) -> Engine:
        options: dict[str, Any] = {"hide_parameters": True, "execution_options": self._options}
        if self.is_sqlite:
            options["connect_args"] = {"timeout": self.timeout, "check_same_thread": False}
            # A connection each time: it cannot outlive its file, its process or its thread.
            options["poolclass"] = StaticPool if in_memory(self.url) else NullPool
            made_as = KeptConnection if in_memory(self.url) else OwnConnection
            options["connect_args"]["factory"] = made_as
        try:
            made = sa.create_engine(self.url, **options)
        except (exc.ArgumentError, exc.NoSuchModuleError, ImportError, *NOT_TAKEN) as err:
            raise self._no_way(err) from harmless(err, self.url)
        if made.pool.__class__ is StaticPool:
            sa.event.listen(made, "do_connect", self._keep)
        return made

    def _keep(self, dialect: Any, _: Any, args: Any, options: Any) -> Any:
        self.check_open()
        if self._kept is None:
            self._kept = dialect.connect(*args, **options)
        return self._kept

    def _no_way(self, err: Exception) -> StorageUrlError:
        said = redacted_text(str(err), self.url).partition("\n")[0].rstrip(".")
        return StorageUrlError(
            f"No way to open {redacted(self.url)}: {said}."
            " Install the database's driver (for PostgreSQL: pip install 'ecsviz[postgres]'),"
            " or check the part before '://' and the options behind '?'.",
            url=redacted(self.url),
        )

    @contextlib.contextmanager
    def _connection(self) -> Iterator[Connection]:
        try:
            self._check_free()
            conn = self.engine.connect()
        except (errors.EcsvizError, exc.DBAPIError):
            raise
        except (*NOT_TAKEN, exc.StatementError) as err:
            raise self._no_way(err) from harmless(err, self.url)
        except AssertionError as err:  # of SQLAlchemy: a version that it cannot read
            raise unread_version(str(err), self.url) from None
        with conn:
            yield conn

    def _check_file(self) -> None:
        path = self.path
        assert path is not None
        try:
            if path.is_dir():
                raise StorageOpenError(
                    f"{short_path(path)} is a folder. Name a file in it.", path=path
                )
            if not path.exists():
                if not path.parent.is_dir():
                    raise StorageOpenError(
                        f"{short_path(path)} cannot be made: there is no folder"
                        f" {short_path(path.parent)}. Make it first.",
                        path=path,
                    )
                if self.read_only:
                    raise StorageOpenError(
                        f"{short_path(path)} is not there, and read_only=True makes no file. Check"
                        " the path, or register something without read_only first.",
                        path=path,
                    )
                return
            with open_to_read(path) as file:
                start = file.read(len(SQLITE))
        except errors.EcsvizError:
            raise
        except (OSError, ValueError) as err:
            raise unreadable(path, err) from err
        if start and not is_sqlite(path, start):
            raise errors.NotADatabaseError(
                f"{short_path(path)} is no SQLite database (it begins with {short_repr(start)})."
                " Name another file; a chat export is read with ev.read_chat.",
                path=path,
            )

    # -- elsewhere, and the end --------------------------------------------------------------

    def address(self) -> URL:
        """Return the URL under which another process opens the same database.

        Raises
        ------
        StoragePickleError
            If there is none.
        """
        self.check_open()
        if self.owns_engine and not self.is_in_memory:
            return self.url
        if self.owns_engine:
            why = "lies in the memory of this process alone. Give it a path instead of ':memory:'"
        else:
            why = "was opened on an Engine, which lives in this process. Open it by its URL"
        raise errors.StoragePickleError(
            f"This storage cannot be pickled or copied: it {why}, as in"
            " ev.SQLAlchemyEntityStorage('threads.db'), and each process opens that by itself."
        )

    def close(self) -> None:
        """Close what was opened here; an Engine that was handed in stays its owner's."""
        if self.closed:
            return
        self.closed = True
        if self.owns_engine:
            # A session, or whoever else still holds the engine, would get a new connection: in
            # memory that is a new, empty database.
            sa.event.listen(self.engine, "do_connect", self._refuse, insert=True)
            self.engine.dispose()
            end_waiting()
            if self._kept is not None:
                self._kept.end()

    def _refuse(self, *_: Any) -> None:
        self.check_open()

    def check_open(self) -> None:
        """Raise StorageClosedError if this was closed."""
        if not self.closed:
            return
        if self.owns_engine and self.is_in_memory:
            raise errors.StorageClosedError(
                "This storage was closed, and as it lay in memory, what it held is gone. A path"
                " instead of ':memory:' keeps it: ev.SQLAlchemyEntityStorage('threads.db').",
                path=None,
            )
        raise errors.StorageClosedError(
            f"The storage on {self} was closed. Open it again with ev.SQLAlchemyEntityStorage(…);"
            " all that was registered is there.",
            path=self.path,
        )

    def check_writable(self) -> None:
        """Raise StorageReadOnlyError if this was opened to be read."""
        self.check_open()
        if self.read_only:
            raise errors.StorageReadOnlyError(
                f"{self} was opened with read_only=True (or mode=ro), and this would write. Nothing"
                " was changed. Open the storage without it in order to write.",
                path=self.path,
            )

    # -- transactions ------------------------------------------------------------------------

    def exists(self) -> bool:
        """Tell whether there is anything to read yet.

        Raises
        ------
        StorageMovedError
            If there was a file, and it is gone.
        StorageOpenError
            If it cannot be looked at.
        """
        self.check_open()
        return self.file is None or self.file.exists()

    def check_moved(self, when: str = "") -> None:
        """Raise StorageMovedError if the file is not the one any more that was opened."""
        if self.file is not None:
            self.file.check(when)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Hold a transaction that sees one state of the database."""
        # Where all threads share one connection, they share its transactions too.
        alone = isinstance(self.engine.pool, StaticPool)
        turn = self.turn() if alone else contextlib.nullcontext()
        with turn, self._connected("REPEATABLE READ") as conn:
            self._begin_to(conn, self.row.begin_to_read)
            yield conn

    def _begin_to(self, conn: Connection, statement: str) -> None:
        if statement:
            conn.exec_driver_sql(statement)
        if self.file is not None:
            self.file.look()

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """Hold a transaction that alone may write: all or nothing.

        An interrupt (Ctrl-C) is told at its end: in the middle, it would leave the write lock
        held until a garbage collection.
        """
        with deferred_interrupt(), self.writing_on() as conn:
            yield conn

    @contextlib.contextmanager
    def writing_on(self) -> Iterator[Connection]:
        """Hold a transaction as `writing` does, in which interrupts are told at once."""
        self.check_writable()
        with self.turn(), self._connected("READ COMMITTED") as conn:
            self._begin_to(conn, self.row.begin_to_write)
            yield conn
            self._commit(conn)
            if self.is_sqlite and self.journal == "wal":
                # Not before: the file might be somebody else's. Nor is it urgent.
                driver: Any = conn.connection.dbapi_connection
                with contextlib.suppress(sqlite3.OperationalError):
                    driver.execute("PRAGMA journal_mode=WAL")

    @contextlib.contextmanager
    def altering(self) -> Iterator[Connection]:
        """Hold a transaction as `writing` does, in which tables may be made anew.

        Notes
        -----
        SQLite alters a table by making another and dropping the first, with foreign keys turned
        off meanwhile, which it does only outside a transaction. They are checked at the end
        (SQLite's documentation of ALTER TABLE, "Making other kinds of table schema changes").
        """
        self.check_writable()
        if not self.is_sqlite:
            with self.writing() as conn:
                yield conn
            return
        with deferred_interrupt(), self.turn(), self._connected("READ COMMITTED") as conn:
            conn.exec_driver_sql("PRAGMA foreign_keys=OFF")
            try:
                self._begin_to(conn, self.row.begin_to_write)
                yield conn
                broken = conn.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(5)
                if broken:
                    rows = ", ".join(f"row {row[1]} of {row[0]}" for row in broken)
                    raise StorageError(
                        f"{self}: {rows} would refer to what is not there. Nothing was changed."
                    )
                self._commit(conn)
            finally:
                if not conn.invalidated:
                    driver: Any = conn.connection.dbapi_connection
                    if driver.in_transaction:
                        conn.rollback()
                    driver.execute("PRAGMA foreign_keys=ON")

    def _commit(self, conn: Connection) -> None:
        # With a write-ahead log, SQLite does not notice that its file has no name any more.
        self.check_moved(". Nothing was saved")
        driver: Any = conn.connection.dbapi_connection
        # Now: a connection that was lost has no info any more.
        proof, after = conn.info.pop(PROOF, None), conn.info.pop(AFTER, ())
        try:
            conn.commit()
        except exc.DBAPIError as err:
            if proof is None or (self.is_sqlite and driver.in_transaction):
                # Nothing was to be saved; or it is open yet, and is going to be rolled back.
                saved: bool | None = False
            else:
                saved = self._is_saved(conn, proof)
            for call in after if saved else ():
                call()
            raise self._said(err, saved) from harmless(err, self.url)
        self.check_moved(", while something was being saved: it may be in the file that was moved")
        for call in after:
            call()

    def _is_saved(self, conn: Connection, proof: Any) -> bool | None:
        """Tell whether a transaction whose end failed was carried out; None if nobody knows."""
        if not conn.invalidated and not isinstance(self.engine.pool, StaticPool):
            conn.invalidate()  # which gives up its locks
        table, query, value = proof
        try:
            with self._connected("READ COMMITTED") as other:
                if self.row.wait:
                    # The server may still be at it: who gets its lock comes after it.
                    milliseconds = int(self.timeout * 1000)
                    other.exec_driver_sql(self.row.wait.format(milliseconds=milliseconds))
                    other.exec_driver_sql(self.row.begin_to_write)
                there = sa.inspect(other).has_table(table.name, schema=table.schema)
                return there and other.scalar(query) == value
        except StorageError:
            return None

    def _said(self, err: exc.DBAPIError, saved: bool | None) -> StorageError:
        found = self._translate(err)
        text = found.message
        if saved is False and "Nothing was saved" not in text:
            text = f"{text} Nothing was saved."
        elif saved is not False:
            text = (
                f"{self}: the database failed at the end of a save ({short_repr(str(err.orig))})."
            )
            text += (
                " All of it is saved, and what was given to register knows its new versions;"
                " store.refresh(entity) brings anything else up to date."
                if saved
                else " Whether it was saved is not known: store.revisions() of a store opened"
                " anew tells. The entities have their old versions; store.refresh(entity) takes"
                " over what is stored."
            )
        return type(found)(text, **{**found.facts, "saved": saved})

    @contextlib.contextmanager
    def _connected(
        self, isolation: Literal["REPEATABLE READ", "READ COMMITTED"]
    ) -> Iterator[Connection]:
        self.check_open()
        self.check_moved()
        with not_while_forking(), self.translated(), self._connection() as conn:
            conn.info.pop(PROOF, None)
            conn.info.pop(AFTER, None)
            if not self.is_sqlite:
                if self.row.isolates:
                    conn.execution_options(isolation_level=isolation, **self._options)
                yield conn
                return
            driver: Any = conn.connection.dbapi_connection
            conn.info[BOUNDS] = None
            self._end_before(driver)
            # The driver's own transactions lose updates and let DDL survive a rollback.
            before, driver.isolation_level = driver.isolation_level, None
            was = query_only(driver, self.read_only or None)
            try:
                self._prepare(driver)
                with interrupted(conn):
                    yield conn
            finally:
                if not conn.invalidated:  # as it is, closed, after an exit or an interrupt
                    if bounds := conn.info.pop(BOUNDS, None):
                        bounds[0]()
                    if driver.in_transaction:
                        conn.rollback()
                    query_only(driver, was)
                    driver.isolation_level = before
        if self.file is not None:
            self.file.remember(written=isolation == "READ COMMITTED")

    @contextlib.contextmanager
    def told(self, conn: Connection) -> Iterator[None]:
        """Turn errors of a part of a transaction into those of ``ecsviz.errors``."""
        with self.translated(), interrupted(conn):
            yield

    def bound(self, conn: Connection) -> None:
        """Bound what each statement of a transaction may take: the file holds what acts."""
        if conn.info.get(BOUNDS, 0) is None:  # it has none yet, and is no session's
            driver: Any = conn.connection.dbapi_connection
            again, *conn.info[BOUNDS] = bound(driver, self.deadline, self.path)
            sa.event.listen(conn, "before_cursor_execute", again)

    def session_engine(self) -> Engine:
        """Return an engine for sessions: the same connections, in explicit transactions."""
        self.check_open()
        if not self.is_sqlite:
            return self.engine.execution_options(**self._options)
        with making:
            return self._make_session_engine()

    def _make_session_engine(self) -> Engine:
        if self._session_engine is None:
            source: dict[str, Any] = {"pool": self.engine.pool}
            if isinstance(self.engine.pool, StaticPool):
                source = {"creator": self._lend, "poolclass": NullPool}
            made = sa.create_engine(self.url, hide_parameters=True, **source)
            sa.event.listen(made, "begin", self._begin)
            sa.event.listen(made, "checkin", leave)
            self._session_engine = made
        return self._session_engine

    def _lend(self) -> Lent:
        hold = self._turns.take(session=True)
        try:
            self._check_free()
            return Lent(self.engine.raw_connection(), lambda: self._turns.give_back(hold))
        except BaseException:
            self._turns.give_back(hold)
            raise

    def _begin(self, conn: Connection) -> None:
        driver: Any = conn.connection.dbapi_connection
        with self.translated():
            self._end_before(driver)
            conn.info.setdefault(ISOLATION, driver.isolation_level)
            driver.isolation_level = None
            conn.info.setdefault(QUERY_ONLY, query_only(driver, self.read_only or None))
            self._prepare(driver)
            driver.execute("BEGIN")

    def _check_free(self) -> None:
        """Raise StorageBusyError if the one connection is in use: its pool would roll it back."""
        pool = self.engine.pool
        if self.is_sqlite and isinstance(pool, StaticPool):
            driver: Any = pool.connection.dbapi_connection
            if driver is not None and driver.in_transaction:
                raise self._turns.in_use()

    def _end_before(self, driver: sqlite3.Connection) -> None:
        """End what is left open on a connection: the driver commits it when its mode is changed."""
        if driver.in_transaction:
            if isinstance(self.engine.pool, SingletonThreadPool):
                raise self._turns.in_use()  # and not left: whoever has it goes on
            driver.rollback()

    def _prepare(self, driver: sqlite3.Connection) -> None:
        """Set what SQLite keeps per connection; none of it works inside a transaction."""
        driver.execute("PRAGMA foreign_keys=ON")
        driver.execute(f"PRAGMA busy_timeout={int(self.timeout * 1000)}")
        driver.execute("PRAGMA synchronous=EXTRA")  # with a write-ahead log, it means FULL
        # Which functions a schema may call on somebody's Engine is the business of who made it.
        for setting in UNTRUSTED if self.owns_engine else ():
            driver.execute(f"PRAGMA {setting}")

    # -- errors ------------------------------------------------------------------------------

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """Turn the driver's errors into those of ``ecsviz.errors``."""
        try:
            yield
        except exc.DBAPIError as err:
            raise self._translate(err) from harmless(err, self.url)
        except sqlite3.Error as err:
            raise sqlite_error(err, str(self), self.path, self.timeout) from err
        except exc.TimeoutError as err:
            raise errors.StorageBusyError(
                f"{self}: all connections are in use ({err.args[0]}). Give an engine with a larger"
                " pool_size, or use fewer threads at once.",
                path=self.path,
                waited=None,
            ) from err
        except UnicodeDecodeError as err:
            raise errors.StorageCorruptError(
                f"{self}: a text in it is no text ({err.reason}): {DAMAGED}",
                path=self.path,
                code="SQLITE_CORRUPT",
            ) from err

    def _translate(self, err: exc.DBAPIError) -> StorageError:
        if isinstance(err.orig, sqlite3.Error):
            return sqlite_error(err.orig, str(self), self.path, self.timeout)
        text = redacted_text(str(err.orig).strip(), self.url)
        return server_error(err, str(self), text)


PROOF = "ecs_proof"
"""In a connection's ``info``, by what a transaction is known: a table, a query and its value."""

AFTER = "ecs_after"
"""A list of what is to be called when a transaction is known to be carried out: there as well."""
