"""DuckDB for SQLAlchemy, as far as reading needs it: the driver as it is, and standard SQL."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import exc
from sqlalchemy.engine import URL, Engine
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.pool import StaticPool

from ecsviz.basics.addresses import short_path
from ecsviz.basics.file_locks import open_to_read
from ecsviz.basics.optional import need
from ecsviz.errors import StorageError, StorageOpenError, short_repr
from ecsviz.importers.sqlite_file import too_slow

SAFE = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "enable_external_access": "false",
}
"""What a file of others must not set off: nothing is loaded, and no other file is opened."""


class DuckDialect(DefaultDialect):
    """The least that SQLAlchemy needs to know in order to read."""

    name = "duckdb"
    driver = "duckdb"
    default_paramstyle = "qmark"
    supports_statement_cache = True
    supports_native_boolean = True
    supports_native_decimal = True
    supports_native_uuid = True

    patience: Patience | None = None

    def do_begin(self, dbapi_connection: Any) -> None:
        """Begin nothing: what is open to be read alone does not change."""

    do_commit = do_rollback = do_begin

    def do_execute(self, cursor: Any, statement: Any, parameters: Any, *_: object) -> None:
        """Run a statement, which is interrupted if its call takes too long."""
        if self.patience is not None:
            self.patience.watch(cursor)
        cursor.execute(statement, parameters)


class Patience:
    """Interrupts the statements of calls that take too long, each in its own thread.

    Parameters
    ----------
    seconds
        How long one may take.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._own = threading.local()

    @contextmanager
    def bounding(self) -> Iterator[None]:
        """Bound what is called inside."""
        outer: _Call | None = getattr(self._own, "call", None)
        if outer is not None:
            yield
            return
        call = self._own.call = _Call(time.monotonic() + self.seconds)
        threading.Thread(target=call.keep, daemon=True).start()
        try:
            yield
        finally:
            self._own.call = None
            call.done.set()

    def go_on(self, seconds: float | None) -> None:
        """Let the call of this thread take so long from now on; None as long as it takes."""
        call: _Call | None = getattr(self._own, "call", None)
        if call is not None:
            call.until = math.inf if seconds is None else time.monotonic() + seconds

    def watch(self, cursor: Any) -> None:
        """Interrupt a cursor if the call of this thread takes too long."""
        call: _Call | None = getattr(self._own, "call", None)
        if call is not None:
            call.cursors.append(cursor)


class _Call:
    """One call: until when it may run, and the last of its cursors."""

    def __init__(self, until: float) -> None:
        self.until = until
        self.cursors: deque[Any] = deque(maxlen=8)
        self.done = threading.Event()

    def keep(self) -> None:
        """Interrupt what runs when the time is over, again and again, until the call ends."""
        while not self.done.wait(min(max(self.until - time.monotonic(), _AGAIN), _LONGEST)):
            if time.monotonic() > self.until:
                for cursor in list(self.cursors):
                    cursor.interrupt()


_AGAIN = 0.05
_LONGEST = 3_600.0


def open_duckdb(path: Path, patience: Patience) -> tuple[Any, Engine]:
    """Open a DuckDB file to be read alone; return the driver's connection and an Engine on it.

    Raises
    ------
    StorageOpenError
        If DuckDB does not open it.
    NotInstalledError
        If the package is not installed.
    """
    driver = need("duckdb", extra="duckdb", what="A DuckDB database")
    try:
        conn = driver.connect(str(path), read_only=True, config=SAFE)
    except driver.Error as err:
        said = short_repr(str(err).partition("\n")[0])
        raise StorageOpenError(
            f"{short_path(path)} is a DuckDB database that does not open: {said}. Close it where"
            " it is open to be written, or write it anew with the version that is installed"
            f" ({driver.__version__}).",
            path=path,
        ) from err
    return conn, engine_on(conn, driver, str(path), patience)


def engine_on(conn: Any, driver: Any, name: str, patience: Patience | None = None) -> Engine:
    """Return an Engine on one connection of DuckDB."""
    dialect = DuckDialect(dbapi=driver)
    dialect.patience = patience
    pool = StaticPool(lambda: conn, dialect=dialect)
    url = URL.create("duckdb", database=name)
    return Engine(pool, dialect, url, hide_parameters=True)


_MAGIC = b"DUCK"
"""Stands in a file of DuckDB from its ninth byte on."""


def is_duckdb(path: Path) -> bool:
    """Tell whether a file is a DuckDB database, as far as its first bytes tell."""
    try:
        with open_to_read(path) as file:
            return file.read(12)[8:] == _MAGIC
    except (OSError, ValueError):
        return False  # which is told where it is opened


@contextmanager
def duckdb_errors(name: str, seconds: float) -> Iterator[None]:
    """Turn DuckDB's errors into those of ``ecsviz.errors``."""
    try:
        yield
    except exc.DBAPIError as err:
        said = str(err.orig).partition("\n")[0]
    except driver_errors() as err:
        said = str(err).partition("\n")[0]
    else:
        return
    if said.startswith("INTERRUPT"):
        raise too_slow(name, seconds)
    raise StorageError(f"{name}: {short_repr(said)}.")


def driver_errors() -> tuple[type[Exception], ...]:
    """Return what DuckDB raises, if it is there at all."""
    driver: Any = sys.modules.get("duckdb")
    return () if driver is None else (driver.Error,)
