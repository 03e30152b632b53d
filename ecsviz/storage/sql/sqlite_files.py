"""SQLite files: what may be one, and whether it still is the one that was opened."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from stat import S_ISREG
from typing import Any

from ecsviz.basics.addresses import short_path
from ecsviz.basics.file_locks import open_to_read
from ecsviz.basics.files import SQLITE
from ecsviz.errors import StorageMovedError
from ecsviz.storage.sql.sqlite_errors import unreadable, why_unreadable

_JOURNALS = {
    "-journal": (bytes.fromhex("d9d505f920a163d7"),),
    "-wal": (bytes.fromhex("377f0682"), bytes.fromhex("377f0683")),
}
"""What lies beside a database, and how it begins where SQLite has something to make good."""


UNTRUSTED = (
    "trusted_schema = OFF",  # what the schema calls must be harmless by itself
    "cell_size_check = ON",  # damage is found while pages are read
    "mmap_size = 0",  # a file that shrinks must not end the process
)
"""The settings with which a file is opened that somebody else may have made."""

_STEPS = 10_000
"""Instructions of SQLite's machine between two looks at the clock: some 100 microseconds."""

MAX_VALUE = 100_000_000
"""Bytes of a value that something in a file may compute: ten of them fit into any memory."""


def bound(
    driver: sqlite3.Connection, seconds: float, path: Path | None
) -> tuple[Callable[..., None], Callable[[], None], Callable[[], bool]]:
    """Bound in time and size what a connection does.

    Parameters
    ----------
    driver
        The connection.
    seconds
        How long a statement may take.
    path
        The file: a value that is stored in it is not longer than it is.

    Returns
    -------
    tuple
        What is to be called before each statement, what takes the bounds away, and what tells
        whether the time is over.
    """
    until = time.monotonic() + seconds

    def again(*_: Any) -> None:
        nonlocal until
        until = time.monotonic() + seconds

    def late() -> bool:
        return time.monotonic() > until

    driver.set_progress_handler(late, _STEPS)
    size = 0 if path is None else path.stat().st_size
    before = driver.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE + size)

    def undo() -> None:
        driver.set_progress_handler(None, 0)
        driver.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, before)

    return again, undo, late


def is_sqlite(path: str | os.PathLike[str], start: bytes | None = None) -> bool:
    """Tell whether a file is a SQLite database, as far as its first bytes tell.

    Parameters
    ----------
    path
        The file.
    start
        Its first bytes, if they have been read.

    Raises
    ------
    OSError
        If it cannot be read.

    Notes
    -----
    After a power cut in the first save, the first page may hold anything, zeros for the most
    part. SQLite puts it right with the journal that lies beside the file; so where there is one,
    it is SQLite that says what the file is.

    Examples
    --------
    >>> is_sqlite("a.db", SQLITE + bytes(84)), is_sqlite("missing.db", bytes(100))
    (True, False)
    """
    if start is None:
        with open_to_read(Path(path)) as file:
            start = file.read(len(SQLITE))
    return start.startswith(SQLITE) or any(
        _begins(f"{os.fspath(path)}{suffix}", magic) for suffix, magic in _JOURNALS.items()
    )


def _begins(path: str, magic: tuple[bytes, ...]) -> bool:
    try:
        with open_to_read(Path(path)) as file:
            return file.read(8).startswith(magic)
    except (OSError, ValueError):
        return False


class WatchedFile:
    """A file that has to stay the one that was opened.

    Parameters
    ----------
    path
        Where it is, or will be.
    read_only
        Whether it is there, and is opened to be read alone.

    Attributes
    ----------
    on_touched
        What is called where somebody else, or a session of ours, has written into it.

    Notes
    -----
    As long as no file was seen there, there may be none, and one may be made. Afterwards none is
    ever made again. A file that was overwritten in place is the same one here: what is in it
    tells, see `ecsviz.storage.relational.schema.catalog`.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._mode = "ro" if read_only else "rw"
        self._seen: tuple[int, int] | None = None
        self.on_touched: Callable[[], None] = _nothing
        self._state: list[tuple[int, int] | None] | None = None
        if read_only:
            self.remember()

    def exists(self) -> bool:
        """Tell whether there is a file.

        Raises
        ------
        StorageMovedError
            If the one that was seen is gone, or another stands in its place.
        StorageOpenError
            If nobody can tell, as the folder may not be looked into.
        """
        if self._seen is not None:
            self.check()
            return True
        try:
            self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except (OSError, ValueError) as err:
            raise unreadable(self.path, err) from err
        return True

    def check(self, when: str = "") -> None:
        """Raise StorageMovedError if a file was seen, and is not there any more.

        StorageOpenError is raised if nobody can tell.

        Parameters
        ----------
        when
            What went on meanwhile, for the message.
        """
        if self._seen is None:
            return
        try:
            stat = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            gone = True  # the file, its folder, or the disk with both
        except OSError as err:
            raise unreadable(self.path, err, when) from err
        else:
            # A system may give the number of a file that was deleted to the next thing it makes.
            gone = (stat.st_dev, stat.st_ino) != self._seen or not S_ISREG(stat.st_mode)
        if gone:
            raise StorageMovedError(
                f"{short_path(self.path)} is not the file any more that this storage opened: it was"
                f" moved, deleted or replaced{when}. Open the storage anew.",
                path=self.path,
            )

    def remember(self, *, written: bool = False) -> None:
        """Take the file that is there now for the one that has to stay; it may be ours to write."""
        if written:
            self._state = self._state_now()
        if self._seen is None and self.path.exists():
            stat = self.path.stat()
            self._seen = stat.st_dev, stat.st_ino

    def look(self) -> None:
        """Call `on_touched` if somebody has written into the file since this storage looked.

        Notes
        -----
        By its time and size, for which no lock is given up; of what is written within the clock's
        tick after our own save nobody can tell.
        """
        before, self._state = self._state, self._state_now()
        if before is not None and self._state != before:
            self.on_touched()

    def _state_now(self) -> list[tuple[int, int] | None]:
        return [_state_of(f"{self.path}{suffix}") for suffix in ("", "-wal")]

    def connect(self, dialect: Any, _: Any, args: list[Any], options: dict[str, Any]) -> Any:
        """Open the file that was seen, and make none: for the event ``do_connect`` of an engine.

        Notes
        -----
        SQLite makes a file where there is none, unless the URI says otherwise. That closes the
        gap between `check` and the opening.
        """
        if self._seen is None:
            return None  # as SQLAlchemy does it
        self.check()
        name = str(args[0])
        if not options.get("uri"):
            name = f"{self.path.absolute().as_uri()}?mode={self._mode}"
        elif "mode=" not in name:
            name += ("&" if "?" in name else "?") + f"mode={self._mode}"
        try:
            return dialect.connect(name, *args[1:], **{**options, "uri": True})
        except sqlite3.Error as err:
            self.check()
            if (why := why_unreadable(self.path)) is not None:
                raise unreadable(self.path, why) from err
            raise


def _nothing() -> None:
    """Do nothing."""


def _state_of(path: str) -> tuple[int, int] | None:
    """Return when a file was written last, and its size; None if there is nothing in it."""
    try:
        stat = Path(path).stat()
    except (OSError, ValueError):  # which is told elsewhere
        return None
    return (stat.st_mtime_ns, stat.st_size) if stat.st_size else None
