"""A SQLite file from a stranger, opened so that it can neither do harm nor be harmed.

What is opened is a private copy, with the journal that lies beside the file: the original is not
even locked, and a crashed writer's transaction is rolled back, or its write-ahead log read, in
the copy. On the copy nothing may be written, attached or loaded; functions and pragmas are those
listed here; an answer is bounded in time and size.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from ecsviz.basics.file_locks import open_to_read
from ecsviz.basics.files import SQLITE
from ecsviz.basics.once import looking
from ecsviz.errors import EcsvizError, ImportFormatError, ImportTimeoutError
from ecsviz.importers.files import MAX_BYTES, MAX_VALUE, copy_counted, exceeded, not_opened
from ecsviz.storage.sql.sqlite_files import UNTRUSTED, is_sqlite

_JOURNALS = ("-wal", "-journal")
"""What belongs to a database beside its file; ``-shm`` is an index that SQLite makes anew."""

_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")

_STEPS = 1_000
"""Instructions of SQLite's machine between two looks at the clock: some 10 microseconds."""

PRAGMAS = frozenset(
    {
        *("table_list", "table_info", "table_xinfo", "foreign_key_list", "foreign_key_check"),
        *("index_list", "index_info", "index_xinfo", "database_list", "collation_list"),
        *("integrity_check", "quick_check", "page_count", "page_size", "freelist_count"),
    }
)
"""The pragmas that only tell; they may have an argument."""

_READ_ONLY_PRAGMAS = frozenset(
    {
        *("encoding", "user_version", "application_id", "schema_version", "foreign_keys"),
        *("journal_mode", "read_uncommitted", "query_only", "trusted_schema"),
    }
)
"""The pragmas that tell when they have no argument."""

FUNCTIONS = frozenset(
    {
        *("abs", "avg", "cast", "char", "coalesce", "count", "date", "datetime", "format"),
        *("glob", "group_concat", "hex", "ifnull", "iif", "instr", "julianday", "length", "like"),
        *("likelihood", "likely", "lower", "ltrim", "max", "min", "nullif", "octet_length"),
        *("printf", "quote", "replace", "round", "rtrim", "sign", "strftime", "string_agg"),
        *("substr", "substring", "sum", "time", "total", "trim", "typeof", "unicode", "unixepoch"),
        *("unlikely", "upper", "zeroblob", "->", "->>", "json", "json_array_length"),
        *("json_extract", "json_type", "json_valid", "json_group_array", "json_group_object"),
        *("json_array", "json_object", "json_quote", "row_number", "rank", "dense_rank"),
        *("lag", "lead", "first_value", "last_value", "nth_value", "ntile"),
    }
)
"""SQLite's own functions that compute and nothing else. Not here: what loads, reads files or
tells about the process."""

_TABLE_FUNCTIONS = (
    *("json_each('')", "pragma_table_xinfo('')", "pragma_foreign_key_list('')"),
    *("pragma_index_list('')", "pragma_index_info('')"),
)
"""Functions that give tables. At its first use each declares its table, which the authorizer
takes for a write, so that is done before there is one; no others can be used."""


@contextmanager
def open_sqlite(
    source: str | os.PathLike[str] | bytes,
    *,
    name: str | None = None,
    timeout: float = 60.0,
    max_bytes: int = MAX_BYTES,
    max_value: int = MAX_VALUE,
) -> Iterator[sqlite3.Connection]:
    """Yield a connection to a private copy of a SQLite file, on which nothing can be written.

    Parameters
    ----------
    source
        The path of the file, or its content.
    name
        What messages call it; by default the file's name.
    timeout
        Seconds that all queries together may take, counted from here.
    max_bytes
        How many bytes the file and its journals may have; 1 GiB by default.
    max_value
        How many bytes one value, and one row, may have; 50 MB by default.

    Raises
    ------
    ImportSourceError
        If the file cannot be read.
    ImportFormatError
        If it is no SQLite database, is damaged, or asks for what is not allowed.
    ImportLimitError
        If it, or a value in it, is larger than allowed.
    ImportTimeoutError
        If the queries take longer than `timeout`.

    Notes
    -----
    Errors of the driver inside the ``with`` block come out as those above; `translated` does the
    same for who catches them himself. The file is copied again while somebody writes it, for up to
    five seconds. A rollback journal that names a super-journal is refused: rolling back would
    delete the file that it names, whichever that is.

    Examples
    --------
    >>> import contextlib, pathlib, sqlite3, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "a.db")
    ...     with contextlib.closing(sqlite3.connect(path)) as made:
    ...         _ = made.executescript("create table t(a); insert into t values (1), (2)")
    ...     with open_sqlite(path, timeout=5) as connection:
    ...         connection.execute("select sum(a) from t").fetchall()
    [(3,)]
    """
    called = name or ("<bytes>" if isinstance(source, bytes) else Path(source).name)
    with (
        private_copy(source, called, max_bytes, timeout) as copy,
        connected(copy, called, timeout=timeout, max_value=max_value) as connection,
    ):
        yield connection


@contextmanager
def private_copy(
    source: str | os.PathLike[str] | bytes, name: str, max_bytes: int, timeout: float = 60.0
) -> Iterator[Path]:
    """Yield the path of a private copy of a SQLite file, with its journal; then remove it.

    Parameters
    ----------
    source, name, max_bytes, timeout
        See `open_sqlite`.
    """
    # No TemporaryDirectory: where the process ends first, its own finalizer would come before
    # ours, and warn.
    folder = tempfile.mkdtemp(prefix="ecsviz-")
    try:
        copy = Path(folder, "copy.db")
        if isinstance(source, bytes):
            _check_header(source.startswith(SQLITE), bool(source), name)
            with copy.open("wb") as target:
                copy_counted(io.BytesIO(source), target, name, max_bytes)
        else:
            _copy(Path(source), copy, name, max_bytes, timeout)
        _check_size(copy, name)
        yield copy
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def connected(
    copy: Path, name: str, *, timeout: float, max_value: int = MAX_VALUE, in_place: bool = False
) -> Iterator[sqlite3.Connection]:
    """Yield a hardened connection to a private copy.

    Parameters
    ----------
    copy
        What `private_copy` gave. Never the original: a journal would be rolled back in it.
    name, timeout, max_value
        See `open_sqlite`.
    in_place
        Whether it is the original after all, of which somebody says that it can be trusted: it is
        opened to be read alone.
    """
    deadline = time.monotonic() + timeout
    try:
        # The thread that closes it may be another: that in which the collector runs.
        place = f"{copy.absolute().as_uri()}?mode=ro" if in_place else copy
        with looking:
            made = sqlite3.connect(
                place, isolation_level=None, check_same_thread=False, uri=in_place
            )
        with closing(made) as connection:
            _harden(connection, deadline, max_value)
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            yield connection
    except (sqlite3.Error, UnicodeDecodeError) as err:
        raise translated(err, name, timeout=timeout, max_value=max_value) from None


def too_slow(name: str, timeout: float) -> ImportTimeoutError:
    """Return the error for a database whose statements take too long."""
    return ImportTimeoutError(
        f"{name}: the database did not answer within {timeout:g} seconds. If it is large,"
        f" allow more with timeout=, such as timeout={timeout * 4:g}.",
        source=name,
        argument="timeout",
        limit=timeout,
    )


def translated(
    err: sqlite3.Error | UnicodeDecodeError,
    name: str,
    *,
    timeout: float,
    max_value: int = MAX_VALUE,
) -> EcsvizError:
    """Return the error of ours for an error of the driver.

    Parameters
    ----------
    err
        What the driver raised; it decodes some names without asking.
    name
        What messages call the file.
    timeout, max_value
        The limits that the file was opened with.
    """
    said = str(err)
    if said == "interrupted":
        return too_slow(name, timeout)
    if "too big" in said:
        what = f"holds a value or row of more than {max_value:,} bytes"
        return exceeded(name, what, "max_value", max_value)
    if "authoriz" in said or "prohibited" in said or "unsafe use" in said:
        why = f"it asks for what is not allowed here ({said}). Nothing was run"
    else:
        why = f"SQLite cannot read it ({said}). Export or download it again"
    return ImportFormatError(f"{name}: {why}.", source=name, line=None, column=None)


# -- the copy --------------------------------------------------------------------------------


def _copy(path: Path, copy: Path, name: str, max_bytes: int, timeout: float) -> None:
    """Copy a file and its journals as they are together, trying again while somebody writes."""
    until = time.monotonic() + min(timeout, _PATIENCE)
    tries, pause = 0, _PAUSE
    while not _copied_whole(path, copy, name, max_bytes):
        tries += 1
        if tries >= _TRIES and time.monotonic() > until:
            raise ImportFormatError(
                f"{name} changes while it is read. Close the program that writes it, and read it"
                " again.",
                source=name,
                line=None,
                column=None,
            )
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST)


_PATIENCE: Final = 5.0
"""Seconds in which a file has to stay as it is while it is copied; and ..."""

_TRIES: Final = 3
"""... how often it is tried at least, as large files take longer."""

_PAUSE: Final = 0.002
_LONGEST: Final = 0.05
"""Seconds between two tries, at first and at last: of a save, and of many in turn."""


def _copied_whole(path: Path, copy: Path, name: str, max_bytes: int) -> bool:
    """Copy a file and its journals, and tell whether they have stayed as they were meanwhile."""
    before = _state(path)
    left = max_bytes
    for number, suffix in enumerate(("", *_JOURNALS)):
        here = Path(f"{path}{suffix}")
        there = Path(f"{copy}{suffix}")
        there.unlink(missing_ok=True)
        try:
            if suffix and not here.is_file():
                continue
            with open_to_read(here) as handle, there.open("wb") as target:
                if not suffix:
                    head = handle.read(len(SQLITE))
                    _check_header(is_sqlite(path, head), bool(head), name)
                    handle.seek(0)
                left -= copy_counted(handle, target, name, max_bytes, max_bytes - left)
        except FileNotFoundError as err:
            if suffix or before[number] is not None:
                return False  # it was there: a writer has ended
            raise not_opened(path, err) from err
        except (OSError, ValueError) as err:
            if isinstance(err, EcsvizError):
                raise
            raise not_opened(path, err) from err
    if _state(path) != before:
        return False
    _check_journal(Path(f"{copy}-journal"), name)
    return True


def _state(path: Path) -> list[tuple[int, int, bytes] | None]:
    """Return what tells whether a file, or a journal, was written.

    Its time may be that of an earlier write, in the same tick of the clock; its first bytes count
    transactions.
    """
    found: list[tuple[int, int, bytes] | None] = []
    for suffix in ("", *_JOURNALS):
        try:
            with open_to_read(Path(f"{path}{suffix}")) as handle:
                stat = os.fstat(handle.fileno())
                found.append((stat.st_size, stat.st_mtime_ns, handle.read(_HEAD)))
        except (OSError, ValueError):
            found.append(None)
    return found


_HEAD: Final = 100
"""Bytes of a database, and of a journal, that say which transaction was the last."""


def _check_header(good: bool, anything: bool, name: str) -> None:
    if not good:
        raise ImportFormatError(
            f"{name} is no SQLite database" + ("." if anything else ": it is empty."),
            source=name,
            line=None,
            column=None,
        )


def _check_size(path: Path, name: str) -> None:
    """Refuse a file that is shorter than it says; SQLite would read it as far as it goes."""
    if any(Path(f"{path}{suffix}").exists() for suffix in _JOURNALS):
        return  # with which it may be complete
    with open_to_read(path) as handle:
        head = handle.read(100)
    if len(head) < 100 or head[24:28] != head[92:96]:
        return  # an old writer did not keep the number of pages
    size = int.from_bytes(head[16:18], "big")
    due = int.from_bytes(head[28:32], "big") * (65_536 if size == 1 else size)
    if path.stat().st_size < due:
        raise ImportFormatError(
            f"{name} is truncated: it has {path.stat().st_size:,} of {due:,} bytes. Export or"
            " download it again.",
            source=name,
            truncated=True,
            line=None,
            column=None,
        )


def _check_journal(path: Path, name: str) -> None:
    if not path.is_file() or path.stat().st_size < 16:
        return
    with path.open("rb") as handle:
        handle.seek(-8, os.SEEK_END)
        if handle.read() == _JOURNAL_MAGIC:
            raise ImportFormatError(
                f"{name} has a journal that belongs to a transaction across several files, which"
                " cannot be finished on a copy. Open the file with the program that wrote it, and"
                " read it again.",
                source=name,
                line=None,
                column=None,
            )


# -- what is allowed -------------------------------------------------------------------------


def _harden(connection: sqlite3.Connection, deadline: float, max_value: int) -> None:
    for setting in (
        *UNTRUSTED,
        "temp_store = MEMORY",
        "query_only = ON",
    ):
        connection.execute(f"PRAGMA {setting}")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, max_value)
    connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, 1_000_000)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.setlimit(sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0)
    connection.set_progress_handler(lambda: int(time.monotonic() > deadline), _STEPS)
    _let_json(connection)
    for function in _TABLE_FUNCTIONS:
        with suppress(sqlite3.OperationalError):  # the file has a table of that name
            connection.execute(f"SELECT 1 FROM {function} LIMIT 0")  # noqa: S608 - our own names
    connection.set_authorizer(_authorize)


def _let_json(connection: sqlite3.Connection) -> None:
    """Let a schema call functions of JSON, which SQLite 3.40 takes for unsafe: in a CHECK.

    Of its own functions, it takes no others for that but those of indexes of words and places,
    which stay so.
    """
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 0")
        return
    except sqlite3.Error as err:
        if not re.search(r"unsafe use of (json\w*|->>?)\(\)", str(err)):
            return  # which is told where it is opened
    connection.execute("PRAGMA trusted_schema = ON")
    texts = connection.execute(
        "SELECT CAST(sql AS BLOB) FROM sqlite_master"
        " WHERE type IN ('table', 'index') AND sql NOT LIKE 'CREATE VIRTUAL%'"
    )
    if any(_OTHERS.search(text) for (text,) in texts.fetchall()):
        connection.execute("PRAGMA trusted_schema = OFF")


_OTHERS = re.compile(
    rb"\b(rtree\w+|geopoly\w*|fts\d\w*|snippet|offsets|matchinfo|optimize|highlight|bm25|match)\b",
    re.IGNORECASE,
)


def _may_pragma(name: str | None, value: str | None) -> bool:
    name = (name or "").lower()
    return name in PRAGMAS or (value is None and name in _READ_ONLY_PRAGMAS)


_MAY: dict[int, Callable[[str | None, str | None], bool]] = {
    sqlite3.SQLITE_SELECT: lambda *_: True,
    sqlite3.SQLITE_READ: lambda *_: True,
    sqlite3.SQLITE_RECURSIVE: lambda *_: True,
    sqlite3.SQLITE_TRANSACTION: lambda *_: True,  # of reads: nothing can be written
    sqlite3.SQLITE_FUNCTION: lambda _, name: (name or "").lower() in FUNCTIONS,
    sqlite3.SQLITE_PRAGMA: _may_pragma,
}


def _authorize(action: int, first: str | None, second: str | None, *_: Any) -> int:
    may = _MAY.get(action)
    return sqlite3.SQLITE_OK if may is not None and may(first, second) else sqlite3.SQLITE_DENY
