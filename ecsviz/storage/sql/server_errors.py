"""What a database server's errors mean to whoever uses a store."""

from __future__ import annotations

import struct
from typing import Any, Final

from sqlalchemy import exc

from ecsviz import errors
from ecsviz.errors import StorageError, StorageOpenError
from ecsviz.storage.sql.sqlite_errors import not_unique

NOT_TAKEN: Final = (
    *(ArithmeticError, AttributeError, LookupError, NotImplementedError, OSError, TypeError),
    *(ValueError, struct.error, exc.SAWarning),
)
"""What drivers raise for an option that they do not know, or of which the value is wrong."""


def server_error(err: exc.DBAPIError, where: str, text: str) -> StorageError:
    """Return the error of ours for one of a server.

    Parameters
    ----------
    err
        What SQLAlchemy raised.
    where
        What messages call the database.
    text
        What the server said, without the password.
    """
    state = getattr(err.orig, "sqlstate", None) or ""
    if state.startswith("28") or "password authentication failed" in text:
        return errors.StorageAuthError(
            f"{where} refused the login: {text}. Check user and password.", url=where
        )
    if state in ("40001", "40P01", "55P03"):
        return errors.StorageBusyError(f"{where} is busy: {text}. Try again.", waited=None)
    if state == "3F000":
        return StorageOpenError(
            f"{where} has no such schema ({text.splitlines()[0]}). Make it with CREATE SCHEMA,"
            " or leave schema= out.",
            url=where,
        )
    if state == "23505":
        said: Any = getattr(err.orig, "diag", None)
        # Never its detail, which quotes the value.
        return not_unique(
            where, f"{said.table_name} ({said.constraint_name})" if said else "", state
        )
    if state == "53100":
        return errors.StorageFullError(f"{where}: the disk is full. Nothing was saved.")
    if state == "25006":
        return errors.StorageReadOnlyError(f"{where} may only be read.")
    if not state or state.startswith("08") or err.connection_invalidated:
        return StorageOpenError(
            f"{where} could not be reached: {text}. Check host, port and name.", url=where
        )
    return StorageError(f"{where}: {text} ({state})", code=state)
