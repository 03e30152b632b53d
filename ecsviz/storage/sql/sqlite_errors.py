"""What SQLite's errors mean to whoever uses a store."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import sqlite3
from pathlib import Path

from ecsviz import errors
from ecsviz.basics.addresses import short_path
from ecsviz.basics.file_locks import open_to_read
from ecsviz.errors import StorageError, StorageOpenError

MAX_SAID = 300
"""How much of SQLite's own words a message repeats: names of tables may be of any length."""

DAMAGED = (
    "the file is damaged. Restore it from a backup, or save what is sound elsewhere:"
    " store.repair(to=…)."
)

_OWN = re.compile("no such (column|table): ecs_(store|types|revisions|deleted)\\b")
"""What is missing where what the file says of our own tables is no more what we wrote."""

_SQLITE_ERRORS: dict[str, tuple[type[StorageError], str]] = {
    "SQLITE_BUSY": (
        errors.StorageBusyError,
        (
            "another program, or a session or connection of this one, held the database for more"
            " than {seconds:g} s. Nothing was saved; end what is open there and try again, or open"
            " the storage with a longer timeout=."
        ),
    ),
    "SQLITE_LOCKED": (
        errors.StorageBusyError,
        "the database is locked by this process. Nothing was saved; end the other transaction.",
    ),
    "SQLITE_READONLY": (
        errors.StorageReadOnlyError,
        (
            "the file, or its folder, may only be read. Nothing was saved; change its permissions,"
            " or copy it elsewhere."
        ),
    ),
    "SQLITE_FULL": (
        errors.StorageFullError,
        "the disk is full. Nothing was saved; free some space and register again.",
    ),
    "SQLITE_IOERR": (
        errors.StorageIOError,
        "reading or writing the file failed. Nothing was saved; check the disk.",
    ),
    "SQLITE_INTERRUPT": (
        errors.StorageTimeoutError,
        (
            "a statement took longer than deadline= allows. Nothing was saved. The file holds"
            " triggers, views, computed columns or checks that ecsviz did not make; verify() lists"
            " them. If they are yours, open the storage with a longer deadline=."
        ),
    ),
    "SQLITE_CORRUPT": (
        errors.StorageCorruptError,
        DAMAGED,
    ),
    "SQLITE_NOTADB": (
        errors.NotADatabaseError,
        "the file is no SQLite database, or is encrypted. Name another file.",
    ),
    "SQLITE_CANTOPEN": (
        StorageOpenError,
        "the file cannot be opened or made. Check that its folder exists and may be written.",
    ),
    "SQLITE_CONSTRAINT_FOREIGNKEY": (
        StorageError,
        "a reference leads to a row that does not exist. Nothing was saved.",
    ),
}

_NEEDED = 64 * 1024
"""Bytes that SQLite may need beside a file: two pieces of its index of the write-ahead log."""


def sqlite_error(err: sqlite3.Error, where: str, path: Path | None, timeout: float) -> StorageError:
    """Return the error of ours for one of the driver.

    Parameters
    ----------
    err
        What the driver raised.
    where
        What messages call the database.
    path
        Its file, if there is one.
    timeout
        How many seconds another writer was waited for.
    """
    code = getattr(err, "sqlite_errorname", "")
    facts = {"path": path, "code": code, "waited": timeout}
    vague = ("SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_READONLY")
    if code.startswith(vague) and path is not None:
        if (why := why_unreadable(path)) is not None:
            return unreadable(path, why)
        kind, said = _of_the_disk(path)
        if kind is not None:
            return kind(f"{where}: {said}", **facts)
    if code == "SQLITE_CONSTRAINT_UNIQUE":
        return not_unique(where, str(err).rpartition(": ")[2], code)
    for start, (kind, text) in _SQLITE_ERRORS.items():
        if code.startswith(start):
            return kind(f"{where}: " + text.format(seconds=timeout), **facts)
    words = str(err)
    if _OWN.match(words):
        facts["code"] = "SQLITE_CORRUPT"
        return errors.StorageCorruptError(f"{where}: {words}: {DAMAGED}", **facts)
    if "decode to UTF-8" in words:  # it quotes the text
        words = "a text is no UTF-8. Correct the row: store.verify() tells which"
    return StorageError(f"{where}: {words[:MAX_SAID]} ({code or type(err).__name__})", code=code)


def is_damaged(err: BaseException) -> bool:
    """Tell whether an error says that a file is damaged, as SQLite itself has found."""
    return str(getattr(err, "code", "")).startswith("SQLITE_CORRUPT")


def not_unique(where: str, place: str, code: str) -> errors.UniqueValueError:
    """Return the error for a value that a row has already, of which the database alone knows.

    Parameters
    ----------
    where, code
        What messages call the database, and what it calls its error.
    place
        Table and column.
    """
    return errors.UniqueValueError(
        f"{where}: another row has the value of {place[:MAX_SAID]} already, which is unique."
        " Nothing was saved. Give another value.",
        field=place[:MAX_SAID],
        code=code,
    )


def unreadable(path: Path, err: OSError | ValueError, when: str = "") -> StorageOpenError:
    """Return the error for a file that is there, or may be, and cannot be read.

    Parameters
    ----------
    path
        The file.
    err
        What the system said.
    when
        What went on meanwhile, for the message.
    """
    reason = getattr(err, "strerror", None) or str(err)
    return StorageOpenError(
        f"{short_path(path)} cannot be read: {reason}{when}. Check who may read the file and look"
        " into its folder.",
        path=path,
    )


def why_unreadable(path: Path) -> OSError | None:
    """Return what keeps a file from being read, if it is there and something does."""
    # It is not opened: closing it would give up the locks that other connections have on it.
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as err:
        return err
    effective = os.access in os.supports_effective_ids
    if os.access(path, os.R_OK, effective_ids=effective):
        return None
    return PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _of_the_disk(path: Path) -> tuple[type[StorageError] | None, str]:
    """Return what the disk says of an error for which SQLite has no better word.

    In WAL mode even reading makes files beside the database, which fails in words of its own.
    """
    wal = ""
    if _is_wal(path):
        wal = (
            " A store in WAL mode makes files beside it even to be read; ev.read_database(path)"
            " reads it all the same, from a copy."
        )
    if _read_only(path):
        return errors.StorageReadOnlyError, (
            "the disk, the folder or the file may only be read. Nothing was saved; change the"
            f" permissions, or copy it elsewhere.{wal}"
        )
    with contextlib.suppress(OSError):
        if shutil.disk_usage(path.parent).free < _NEEDED:
            return errors.StorageFullError, (
                f"the disk is full. Nothing was saved; free some space and try again.{wal}"
            )
    return None, ""


def _is_wal(path: Path) -> bool:
    try:
        with open_to_read(path) as file:
            return file.read(20)[18:] == b"\2\2"  # which version may write, and read, it
    except OSError:
        return False


def _read_only(path: Path) -> bool:
    """Tell whether a file, or files beside it, cannot be written: also on a read-only disk."""
    files = (Path(f"{path}{suffix}") for suffix in ("", "-wal", "-shm", "-journal"))
    effective = os.access in os.supports_effective_ids
    try:
        return any(
            not os.access(each, os.W_OK, effective_ids=effective)
            for each in (path.parent, *files)
            if each.exists()
        )
    except OSError:
        return False
