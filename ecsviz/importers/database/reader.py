"""Any database that SQLAlchemy reflects, or files of tables, opened to be looked at."""

from __future__ import annotations

import os
from collections.abc import Sequence

from sqlalchemy.engine import URL, Engine

from ecsviz.basics.arguments import flag
from ecsviz.importers.database.keys import Keys
from ecsviz.importers.database.opened import Database
from ecsviz.importers.database.options import MOST, checked_amount
from ecsviz.importers.database.source import DatabaseSource
from ecsviz.importers.files import MAX_BYTES

TIMEOUT = 60.0
"""Seconds that one call may take on a file: a hostile one can keep a query busy for ever."""
_LONGEST = 1_000_000.0


def read_database(
    url_or_path: str | os.PathLike[str] | URL | Engine,
    *,
    schema: str | None = None,
    schemas: Sequence[str] | None = None,
    keys: Keys = None,
    timeout: float = TIMEOUT,
    max_bytes: int = MAX_BYTES,
    trust: bool = False,
    header: bool | None = None,
) -> Database:
    """Open any database that SQLAlchemy reflects, to look at it; it is never written.

    Parameters
    ----------
    url_or_path
        The path of a SQLite or DuckDB file, or of a folder whose files of Parquet, CSV or JSON
        are tables; a SQLAlchemy URL (``"postgresql+psycopg://user@host/name"``), or an Engine.
    schema
        The one database schema whose tables are read, without its name before theirs.
    schemas
        The schemas whose tables are read: of MySQL its databases, of SQLite those attached. By
        default all that are not the system's. On MySQL a URL that names a database chooses it,
        and those to which its keys lead are read with it; if it is empty, or the URL names none,
        all are read. Tables outside the default schema are called ``schema.table``; where another
        has that name, too, names with a dot stand in double quotes: ``"sales.o"`` beside
        ``sales.o``.
    keys
        Keys beside those that are declared: ``{"orders.customer": "customers.id"}``, where names
        have dots ``{("orders", "customer"): ("customers", "id")}``; or ``"guess"``, by the names
        of columns (``customer_id``) where nine of ten values are there.
        Of files they are guessed by default; ``guessed`` of a `ForeignKey` and of
        ``keys_frame()`` marks them.
    timeout
        Seconds that each call may take on a file of SQLite or DuckDB; 60 by default. A server has
        its own limits.
    max_bytes
        How many bytes a SQLite file, or the files of a folder, may have; 1 GiB by default, since
        they are copied.
    trust
        Whether a SQLite file is opened where it lies, instead of copied: for large files that
        you know. It is opened to be read alone, each call in a transaction.
    header
        Whether the first row of each CSV file names its columns. By default its contents tell:
        it does unless it has numbers, dates or truths where the others have some. Where all are
        texts, nothing tells: it is taken for names, and `problems` has a line.

    Returns
    -------
    Database
        Its ``graph()``, ``draw_schema()``, ``row_graph()``, ``frame()``, ``entities()`` and
        ``copy_to()`` go on from there.

    Raises
    ------
    StorageUrlError, StorageOpenError, StorageAuthError
        If it cannot be reached; passwords are not shown.
    ImportSourceError, ImportFormatError
        If a file cannot be opened, or is no SQLite database.
    ImportLimitError, ImportTimeoutError
        If it exceeds what is allowed.

    Notes
    -----
    A SQLite file is read as it is at this moment: from a private copy with its journal, on which
    nothing can be written, attached or loaded. Elsewhere each call reads in a transaction of its
    own, on PostgreSQL and MySQL a read-only one; DuckDB's file is opened to be read alone.
    Reflection is O(tables + columns + keys); rows are read when they are asked for.

    Examples
    --------
    >>> import contextlib, pathlib, sqlite3, tempfile
    >>> import ecsviz as ev
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "shop.db")
    >>> with contextlib.closing(sqlite3.connect(path)) as made:
    ...     _ = made.executescript('''
    ...         create table staff (id integer primary key, name text,
    ...             store_id integer not null references store);
    ...         create table store (id integer primary key,
    ...             manager_id integer references staff);
    ...         insert into staff values (1, 'Ann', 1), (2, 'Bo', 1), (3, 'Cy', 9);
    ...         insert into store values (1, 2)''')
    >>> db = ev.read_database(path)
    >>> db
    <Database shop.db: 2 tables, 2 keys>
    >>> db.graph().get_cycles()
    [Cycle(staff.store_id -> store.manager_id)]
    >>> db.row_graph("staff", where={"id": 2}, hops=1).nodes
    ['staff 2', 'store 1']
    >>> bo = db.entities("staff", where={"name": "Bo"})[0]
    >>> bo.store.manager is bo
    True
    >>> db.problems[["table", "columns", "rows"]].values.tolist()
    [['staff', 'store_id', 1]]
    >>> db.close()
    >>> folder.cleanup()
    """
    seconds = checked_amount(timeout, "timeout", TIMEOUT, _LONGEST)
    size = int(checked_amount(max_bytes, "max_bytes", MAX_BYTES, MOST))
    header = None if header is None else flag(header, "header")
    source = DatabaseSource(url_or_path, seconds, size, flag(trust, "trust"), header)
    return Database(source, schema, schemas, keys)
