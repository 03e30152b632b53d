"""What a store asks of a database engine: a row an engine, and no other file asks for a name.

``docs/engines.md`` says what a row for another engine has to answer, and what is known of some.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import URL, Connection, Engine

from ecsviz.basics.addresses import as_url, redacted
from ecsviz.errors import StorageOpenError, short_repr

APPLICATION_ID = 0x45435356
"""Written into SQLite files, so that ``file`` and we can tell: the letters ECSV. Where a server has
locks by number, writers wait for this one."""


class Dialect(NamedTuple):
    """What one engine does, and how; the defaults are for one of which nothing is known.

    Attributes
    ----------
    name, title
        What SQLAlchemy calls it, and what messages do.
    version
        The statement that tells which engine it is, where others are reached with its URLs.
    told_by
        What of the answer to that tells it from the engine whose URLs it takes.
    supported
        Whether the conformance suite passes on it: a store may lie there.
    is_sqlite
        Whether it is SQLite through Python's ``sqlite3``, with pragmas, ``sqlite_master``, FTS5.
    driver
        The driver whose own interface is used for what SQLAlchemy has not, if there is one.
    copies
        Whether that has COPY in the binary form.
    begin_to_read, begin_to_write
        The statement, if any, that begins a transaction, or is the first in it. Writers wait in
        it for each other until the end of a transaction.
    wait
        The statement after which such a lock is waited for so many milliseconds alone.
    isolates
        Whether a connection can be told the isolation of its next transaction.
    read_only
        Execution options with which the server itself refuses to write.
    ddl_is_undone
        Whether a rollback takes back the tables that a transaction has made.
    savepoints
        Whether a part of a transaction can be taken back.
    keys_wait
        Whether foreign keys can be checked at the end of a transaction, as cycles need.
    unique_waits
        Whether UNIQUE can be checked at the end of a transaction; it is by row elsewhere.
    error_ends
        Whether after an error nothing goes on but from a savepoint.
    allow_null
        The end of ALTER TABLE that takes NOT NULL from a column.
    most_columns
        How many columns a table may have; None where nobody knows.
    is_typed
        Whether a column holds values of its type alone.
    has_json
        Whether JSON columns keep numbers as they were written.
    has_uuid
        Whether the driver takes and gives ids as UUIDs; as thirty-two digits elsewhere.
    keys_as
        As what many keys are handed over in one parameter; None for as many parameters.
    row_locator
        What tells rows of a table without a key apart.
    code_points
        The collation that orders texts by code point; None if they are by themselves.
    position
        The function that finds a text in another.
    counts_from_end
        Whether ``substr`` takes a negative place for one counted from the end.
    recursion
        Whether a recursive query may name itself ``"often"``, or ``"once"`` in a lateral join.
    words
        Which index of words there is.
    objects
        Where the texts of views and triggers stand, which a migration puts away and back.
    """

    name: str
    title: str
    version: str = ""
    told_by: str = ""
    supported: bool = False
    is_sqlite: bool = False
    driver: str = ""
    copies: bool = False
    begin_to_read: str = ""
    begin_to_write: str = ""
    wait: str = ""
    isolates: bool = False
    read_only: Mapping[str, Any] = MappingProxyType({})
    ddl_is_undone: bool = False
    savepoints: bool = False
    keys_wait: bool = False
    unique_waits: bool = False
    error_ends: bool = True
    allow_null: str = ""
    most_columns: int | None = None
    is_typed: bool = True
    has_json: bool = True
    has_uuid: bool = True
    keys_as: Literal["json", "array"] | None = None
    row_locator: str = ""
    code_points: str | None = None
    position: str = "strpos"
    counts_from_end: bool = False
    recursion: Literal["often", "once"] = "once"
    words: Literal["fts5", "tsvector"] | None = None
    objects: Literal["sqlite_master", "pg_catalog"] | None = None


SQLITE: Final = Dialect(
    name="sqlite",
    title="SQLite",
    supported=True,
    is_sqlite=True,
    begin_to_read="BEGIN",
    begin_to_write="BEGIN IMMEDIATE",
    ddl_is_undone=True,
    savepoints=True,
    keys_wait=True,
    error_ends=False,
    most_columns=2_000,
    is_typed=False,
    has_json=False,
    has_uuid=False,
    keys_as="json",
    row_locator="rowid",
    position="instr",
    counts_from_end=True,
    recursion="often",
    words="fts5",
    objects="sqlite_master",
)

POSTGRESQL: Final = Dialect(
    name="postgresql",
    title="PostgreSQL",
    version="SELECT version()",
    supported=True,
    driver="psycopg",
    copies=True,
    # One writer at a time, so that ids and revisions need no retries.
    begin_to_write=f"SELECT pg_advisory_xact_lock({APPLICATION_ID})",
    wait="SET LOCAL lock_timeout = {milliseconds}",
    isolates=True,
    read_only=MappingProxyType({"postgresql_readonly": True}),
    ddl_is_undone=True,
    savepoints=True,
    keys_wait=True,
    unique_waits=True,
    allow_null="ALTER COLUMN {column} DROP NOT NULL",
    most_columns=1_600,
    keys_as="array",
    row_locator="ctid",
    code_points="C",
    words="tsvector",
    objects="pg_catalog",
)

_MYSQL: Final = Dialect(
    name="mysql", title="MySQL", savepoints=True, position="instr", counts_from_end=True
)

ROWS: Final[Mapping[str, Dialect]] = MappingProxyType(
    {
        row.name: row
        for row in (
            SQLITE,
            POSTGRESQL,
            _MYSQL,
            _MYSQL._replace(name="mariadb", title="MariaDB"),
            Dialect(name="duckdb", title="DuckDB", ddl_is_undone=True, isolates=False),
            Dialect(
                "cockroachdb", "CockroachDB", "", "CockroachDB", savepoints=True, isolates=True
            ),
            Dialect("yugabytedb", "YugabyteDB", "", "-YB-", savepoints=True),
        )
    }
)
"""The engines of which something is known, by SQLAlchemy's name."""


def row_of(engine: Connection | Engine | URL | sa.Dialect | str) -> Dialect:
    """Return the row of an engine.

    Examples
    --------
    >>> row_of("sqlite").title, row_of("oracle").supported, row_of("oracle").keys_as
    ('SQLite', False, None)
    """
    if isinstance(engine, (Connection, Engine)):
        engine = engine.dialect
    elif isinstance(engine, URL):
        engine = engine.get_backend_name()
    name = engine if isinstance(engine, str) else engine.name
    return ROWS.get(name) or Dialect(name, name)


def through_own_driver(conn: Connection) -> bool:
    """Tell whether a connection goes through the driver that its engine's row names."""
    return bool(conn.dialect.driver == row_of(conn).driver)


_NEEDS: Final = {
    "begin_to_write": "nothing lets its writers wait for each other",
    "ddl_is_undone": "making a table ends the transaction, so that a save which fails would"
    " leave half of itself",
    "savepoints": "it has no savepoints",
    "keys_wait": "its foreign keys are checked row by row, so that no cycle of required"
    " references could be saved",
}


def check_supported(target: str | os.PathLike[str] | URL | Engine) -> None:
    """Raise StorageOpenError if no store may lie on an engine, before anything is opened."""
    url = target.url if isinstance(target, Engine) else as_url(target)
    row = row_of(url)
    if row.supported or not (row.name in ROWS or _is_an_engine(url)):
        return
    raise _refused(row, url)


def check_kin(conn: Connection) -> None:
    """Raise StorageOpenError if an engine that is reached with another's URL lacks something."""
    statement = row_of(conn).version
    if statement:
        check_version(str(conn.exec_driver_sql(statement).scalar_one()), conn.engine.url)


def check_version(version: str, url: URL) -> None:
    """Raise StorageOpenError if a version's text is that of an engine on which no store can lie."""
    for row in ROWS.values():
        if row.told_by and row.told_by in version and not row.supported:
            raise _refused(row, url)


def unread_version(said: str, url: URL) -> StorageOpenError:
    """Return the error for a server whose version SQLAlchemy cannot read: it is another engine."""
    rows = (row for row in ROWS.values() if row.told_by and row.told_by in said)
    kin = next(rows, None)
    store = "" if kin is None else f" No store can lie on {kin.title} either way."
    return StorageOpenError(
        f"What answers at {redacted(url)} is no {row_of(url).title} that SQLAlchemy knows:"
        f" {short_repr(said)}.{store} To read it with ev.read_database, give a URL of the engine's"
        " own dialect (such as cockroachdb://, of the package sqlalchemy-cockroachdb).",
        url=redacted(url),
    )


def _refused(row: Dialect, url: URL) -> StorageOpenError:
    lacks = [why for field, why in _NEEDS.items() if not getattr(row, field)]
    why = ", and ".join(lacks) if row.name in ROWS else "nobody has tried it"
    return StorageOpenError(
        f"No store can lie on {row.title} ({redacted(url)}): {why}. Nothing was written. Give a"
        " SQLite file or a PostgreSQL database; unsupported=True tries it all the same, and"
        " ev.read_database reads what is there.",
        url=redacted(url),
    )


def _is_an_engine(url: URL) -> bool:
    try:
        url.get_dialect()
    except (exc.ArgumentError, ImportError):
        return False  # a slip of the pen: opening it says what is wrong
    return True
