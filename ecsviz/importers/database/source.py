"""The way to a database of others: opened, read in one transaction, never written."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.pool import SingletonThreadPool, StaticPool

from ecsviz.basics.addresses import as_url, file_of, in_memory, short_path
from ecsviz.errors import (
    EcsvizError,
    ImportFormatError,
    ImportLimitError,
    StorageBusyError,
    StorageClosedError,
    StorageError,
    StorageOpenError,
    StorageUrlError,
    short_repr,
)
from ecsviz.importers.database.duckdb import Patience, duckdb_errors, is_duckdb, open_duckdb
from ecsviz.importers.database.folders import loaded, no_database, table_files
from ecsviz.importers.files import MAX_VALUE, not_opened
from ecsviz.importers.sqlite_file import connected, open_sqlite, translated
from ecsviz.storage.sql import engine as database
from ecsviz.storage.sql.driver_values import STRICT
from ecsviz.storage.sql.sqlite_files import is_sqlite

_STEPS = 1_000
"""Instructions of SQLite's machine between two looks at the clock."""


_AS_TEXT = functools.partial(str, encoding="utf-8", errors="surrogateescape")
"""How texts of SQLite are read: any bytes may stand there, and none are lost."""


class DatabaseSource:
    """One database that is only read.

    Parameters
    ----------
    target
        The path of a SQLite or DuckDB file, a SQLAlchemy URL, or an Engine.
    timeout
        Seconds that one call may take on a file.
    max_bytes
        How many bytes a file may have.
    trust
        Whether a SQLite file is opened where it lies.
    header
        Whether the first row of CSV names the columns; None if its contents are to tell.

    Attributes
    ----------
    name
        What messages call it: without a password.
    stem
        A short name, for classes.
    unreadable
        Table → why it could not be read, of a folder.
    odd
        Table, what was odd in a file of it, and in how many rows.
    of_files
        Whether it is a folder or a file of tables, of which nothing is declared.
    """

    def __init__(
        self,
        target: str | os.PathLike[str] | URL | Engine,
        timeout: float,
        max_bytes: int,
        trust: bool = False,
        header: bool | None = None,
    ) -> None:
        self.timeout = timeout
        self.unreadable: dict[str, str] = {}
        self.odd: list[tuple[str, str, int | None]] = []
        self.of_files = False
        self._trust, self._header = trust, header
        self._patience = Patience(timeout)
        self._own = threading.local()  # the connection that a call of this thread holds
        self._turn = threading.RLock()  # a SQLite file, or its copy, has one connection
        self._stack = ExitStack()
        self.close = weakref.finalize(self, _close, self._stack)  # also if the rest fails
        self._driver: sqlite3.Connection | None = None
        self._engine: Engine | None = None
        path = _file_of(target)
        if path is not None:
            self.name, self.stem = path.name, path.stem
            self._open_file(path, max_bytes)
        else:
            # `database` knows the drivers' errors, and hides passwords.
            self._database = database.OpenDatabase(target, "delete", timeout)
            self._stack.callback(self._database.close)
            self.close.detach()  # at the end of the process, the last is called first
            self.close = weakref.finalize(self, _close, self._stack)
            self.name = str(self._database)
            self.stem = Path(self._database.url.database or "database").stem

    def _open_file(self, path: Path, max_bytes: int) -> None:
        try:
            if path.is_dir() or (path.is_file() and not is_sqlite(path)):
                path = self._opened_as_tables(path, max_bytes)
            if is_duckdb(path):
                duck, self._engine = open_duckdb(path, self._patience)
                self._stack.callback(duck.close)
                return
            if path.is_file() and not is_sqlite(path) and (err := no_database(path)):
                raise err
        except (OSError, ValueError) as err:
            if isinstance(err, EcsvizError):
                raise
            raise not_opened(path, err) from err
        if self._trust and path.is_file():
            opened = connected(path, self.name, timeout=self.timeout, in_place=True)
        else:
            opened = open_sqlite(path, timeout=self.timeout, max_bytes=max_bytes)
        with self._translated():
            driver = self._driver = self._stack.enter_context(opened)
        driver.text_factory = _AS_TEXT
        self._engine = sa.create_engine(
            "sqlite://", creator=lambda: driver, poolclass=StaticPool, hide_parameters=True
        )

    def _opened_as_tables(self, path: Path, max_bytes: int) -> Path:
        """Return the private DuckDB file of what files hold; the path itself if it is no table."""
        files = table_files(path)
        if files is not None:
            self.of_files = True
            made = self._stack.enter_context(loaded(files, self.name, max_bytes, self._header))
            path, self.unreadable, self.odd = made.path, made.unreadable, made.odd
        elif path.is_dir():
            raise StorageOpenError(
                f"{short_path(path)} is a folder without files of Parquet, CSV or JSON. Name a"
                " database in it.",
                path=path,
            )
        return path

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Hold a connection that sees one state of the database and cannot change it."""
        if not self.close.alive:
            raise StorageClosedError(
                f"{self.name} was closed. Read it again with ev.read_database.", path=self.name
            )
        if self._engine is not None and self._driver is None:
            with (
                duckdb_errors(self.name, self.timeout),
                self._patience.bounding(),
                self._engine.connect() as conn,
            ):
                self.go_on()
                yield conn
            return
        if self._driver is None or self._engine is None:
            held: Connection | None = getattr(self._own, "conn", None)
            if held is not None:  # a call within one: its pool may have no second connection
                yield held
                return
            if getattr(self._own, "waits", False):
                raise StorageBusyError(
                    f"{self.name} has one connection, on which rows are being read in pieces. Take"
                    " all of them first, or give an Engine with more connections.",
                    waited=0,
                )
            driver: Any = self._database.engine.dialect.dbapi
            try:
                with self._database.reading() as conn:
                    for one in _read_only(conn.execution_options(**{STRICT: True})):
                        self._own.conn = one
                        try:
                            yield one
                        finally:
                            self._own.conn = None
            except driver.Error as err:  # of fetchall(), which SQLAlchemy hands on as it is
                raise StorageError(
                    f"{self.name}: a value in it cannot be read ({short_repr(str(err))}). Leave"
                    " its rows out with where=."
                ) from err
            return
        if not self._turn.acquire(timeout=self.timeout):
            raise StorageBusyError(
                f"{self.name} is being read by another thread for longer than {self.timeout:g}"
                " seconds. Wait for it, or call ev.read_database in each thread.",
                waited=self.timeout,
            )
        try:
            self.go_on()
            self._driver.set_progress_handler(lambda: int(time.monotonic() > self._until), _STEPS)
            with self._translated(), self._engine.connect() as conn:
                if not self._trust or self._driver.in_transaction:
                    yield conn  # nobody else writes a private copy
                    return
                self._driver.execute("BEGIN")
                try:
                    yield conn
                finally:
                    self._driver.rollback()
        finally:
            with contextlib.suppress(RuntimeError):  # dropped in another thread
                self._turn.release()

    def go_on(self) -> None:
        """Let a call take its time anew: what happened meanwhile was not its own doing."""
        self._until = time.monotonic() + self.timeout
        self._patience.go_on(self.timeout)

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Let a call wait until it goes on: something else is done meanwhile.

        That may be another call, which takes a connection of its own. Where there is one alone, it
        takes that, unless what is read in pieces would be lost: on MySQL.
        """
        self._until = math.inf
        self._patience.go_on(None)
        held: Connection | None = getattr(self._own, "conn", None)
        shared = waits = False
        if held is not None and isinstance(held.engine.pool, (StaticPool, SingletonThreadPool)):
            waits = held.dialect.name in ("mariadb", "mysql")
            shared = not waits
        self._own.conn, self._own.waits = held if shared else None, waits
        try:
            yield
        finally:
            self._own.conn, self._own.waits = held, False
            self.go_on()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn the driver's errors on a SQLite file into those of ``ecsviz.errors``."""
        try:
            yield
        except exc.DBAPIError as err:
            if not isinstance(err.orig, sqlite3.Error):
                raise
            raise self._told(err.orig) from None
        except sqlite3.Error as err:  # SQLAlchemy hands fetchall() of a cursor on as it is
            raise self._told(err) from None
        except UnicodeError:
            # The driver fails over a name, or over its own message that quotes one.
            raise ImportFormatError(
                f"{self.name} is damaged: the name of a table or column in it is no text.",
                source=self.name,
                line=None,
                column=None,
            ) from None

    def _told(self, err: sqlite3.Error) -> EcsvizError:
        found = translated(err, self.name, timeout=self.timeout)
        if not isinstance(found, ImportLimitError) or found.argument != "max_value":
            return found
        return ImportLimitError(
            f"{self.name} holds a value or row of more than {MAX_VALUE:,} bytes. Leave its column"
            " out with frame(columns=[…]), or its rows with where=.",
            source=self.name,
            argument=None,
            limit=MAX_VALUE,
        )


def _close(stack: ExitStack) -> None:
    # The collector may run it, where nobody is to be told.
    with contextlib.suppress(sqlite3.Error, EcsvizError):
        stack.close()


def _read_only(conn: Connection) -> Iterator[Connection]:
    if conn.dialect.name == "postgresql":
        conn.execution_options(postgresql_readonly=True)
        # As which dates and spans are read that the driver has no value for; and all of a float.
        conn.exec_driver_sql(
            "SET LOCAL datestyle TO ISO; SET LOCAL intervalstyle TO postgres;"
            " SET LOCAL extra_float_digits TO 3"
        )
    elif conn.dialect.name in ("mysql", "mariadb"):
        conn.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
    if conn.dialect.name != "sqlite":
        yield conn
        return
    driver: Any = conn.connection.dbapi_connection
    before = driver.text_factory
    was = driver.execute("PRAGMA query_only").fetchone()[0]
    driver.execute("PRAGMA query_only=ON")
    driver.text_factory = _AS_TEXT
    try:
        yield conn
    finally:
        driver.text_factory = before
        driver.execute(f"PRAGMA query_only={int(was)}")


def _file_of(target: Any) -> Path | None:
    """Return the path if the target is a SQLite file.

    Raises
    ------
    InvalidArgumentError, StorageUrlError
        If it can be no database to read.
    """
    if isinstance(target, Engine):
        return None
    url = as_url(target)
    if url.get_backend_name() not in ("sqlite", "duckdb"):
        return None
    if in_memory(url):
        raise StorageUrlError(
            "A database in memory is named, and a new one is empty. Give the path of a file, or"
            " the Engine that holds the tables.",
            url="sqlite://",
        )
    return file_of(url)
