"""DuckDB for SQLAlchemy, as far as reading needs it: the driver as it is, and standard SQL."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import exc
from sqlalchemy.engine import URL, Engine
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.pool import StaticPool

from ecsviz.basics.addresses import short_path
from ecsviz.basics.optional import need
from ecsviz.errors import StorageError, StorageOpenError, short_repr

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

    def do_begin(self, dbapi_connection: Any) -> None:
        """Begin nothing: what is open to be read alone does not change."""

    do_commit = do_rollback = do_begin


def open_duckdb(path: Path) -> tuple[Any, Engine]:
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
    return conn, engine_on(conn, driver, str(path))


def engine_on(conn: Any, driver: Any, name: str) -> Engine:
    """Return an Engine on one connection of DuckDB."""
    dialect = DuckDialect(dbapi=driver)
    pool = StaticPool(lambda: conn, dialect=dialect)
    url = URL.create("duckdb", database=name)
    return Engine(pool, dialect, url, hide_parameters=True)


_MAGIC = b"DUCK"
"""Stands in a file of DuckDB from its ninth byte on."""


def is_duckdb(path: Path) -> bool:
    """Tell whether a file is a DuckDB database, as far as its first bytes tell."""
    try:
        with path.open("rb") as file:
            return file.read(12)[8:] == _MAGIC
    except (OSError, ValueError):
        return False  # which is told where it is opened


@contextmanager
def duckdb_errors(name: str) -> Iterator[None]:
    """Turn DuckDB's errors into those of ``ecsviz.errors``."""
    try:
        yield
    except exc.DBAPIError as err:
        said = str(err.orig).partition("\n")[0]
    except driver_errors() as err:
        said = str(err).partition("\n")[0]
    else:
        return
    raise StorageError(f"{name}: {short_repr(said)}.")


def driver_errors() -> tuple[type[Exception], ...]:
    """Return what DuckDB raises, if it is there at all."""
    driver: Any = sys.modules.get("duckdb")
    return () if driver is None else (driver.Error,)
