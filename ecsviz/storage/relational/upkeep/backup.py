"""A copy of a whole store, as it was at one moment, while others read and write."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy.engine import Connection

from ecsviz.basics.files import writing
from ecsviz.errors import InvalidArgumentError, StorageError, short_repr


def backup(conn: Connection, path: Path) -> Path:
    """Copy the SQLite database of a connection into a new file, which appears whole.

    Raises
    ------
    InvalidArgumentError
        If there is something at `path`.
    """
    if os.path.lexists(path):
        raise InvalidArgumentError(
            f"There is something at {short_repr(str(path))} already. Give a new path: a backup"
            " replaces nothing.",
            value=path,
        )
    driver: Any = conn.connection.dbapi_connection
    part = path.with_name(f".{uuid4().hex}.part")
    try:
        with writing(path):
            part.touch()  # tells what is wrong with the folder better than SQLite would
        with contextlib.closing(sqlite3.connect(part)) as copy:
            driver.backup(copy)
        with writing(path):
            part.rename(path)
    finally:
        for left in (part, part.with_name(f"{part.name}-journal")):
            left.unlink(missing_ok=True)
    return path


def refused(url: Any, title: str) -> StorageError:
    """Return the error of a server, which has a program of its own for it."""
    name = url.database or "DATABASE"
    return StorageError(
        f"A store on {title} is backed up by the server's own program, as one state: pg_dump"
        f" --format=custom --file={name}.dump {name}; pg_restore puts it back."
    )
