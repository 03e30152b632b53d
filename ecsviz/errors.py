"""Everything ecsviz raises on purpose.

::

    EcsvizError
    ├── entities     NotAnEntityError (TypeError), UnknownTypeError (LookupError),
    │                DuplicateTypeError (TypeError), InvalidIdError (ValueError),
    │                EntityNotFoundError (KeyError), DuplicateIdError (ValueError),
    │                LineageError (ValueError), InverseMismatchError (ValueError),
    │                BrokenReferenceError (LookupError), UnsupportedFieldError (TypeError),
    │                ValueNotStorableError (ValueError), GraphTooLargeError (ValueError),
    │                NotLoadedError (AttributeError), InvalidArgumentError (ValueError),
    │                UnknownOptionError (TypeError)
    ├── StorageError (OSError is mixed in where the file system is the cause)
    │                StaleVersionError (ValueError), MergeConflictError (ValueError),
    │                StoredDataInvalidError (ValueError),
    │                CorruptEntityError, StorageOpenError (OSError),
    │                NotADatabaseError, NotAnEcsvizStoreError, SchemaOutdatedError,
    │                SchemaTooNewError, StorageCorruptError, StorageReadOnlyError,
    │                StorageFullError, StorageIOError, StorageBusyError (TimeoutError),
    │                StorageTimeoutError (TimeoutError),
    │                StorageMovedError, StorageClosedError (ValueError), ForkedStorageError,
    │                StorageUrlError (ValueError), StorageAuthError (PermissionError),
    │                MigrationRefusedError (ValueError), StoragePickleError (TypeError)
    └── ImportFormatError (ValueError), ImportLimitError (ValueError),
                     ImportTimeoutError (TimeoutError)

    UnpairedReferencesWarning (UserWarning) is no error: two fields that look like a pair.

Each class also inherits the built-in that a caller would expect, and carries its facts as
attributes, so that a program need not parse the message.
"""

from __future__ import annotations

import difflib
import operator
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = [
    "BrokenReferenceError",
    "CorruptEntityError",
    "DuplicateIdError",
    "DuplicateTypeError",
    "EcsvizError",
    "EntityNotFoundError",
    "ForeignTriggerWarning",
    "ForkedStorageError",
    "GraphTooLargeError",
    "ImportFormatError",
    "ImportLimitError",
    "ImportTimeoutError",
    "InvalidArgumentError",
    "InvalidIdError",
    "InverseMismatchError",
    "LineageError",
    "MergeConflictError",
    "MigrationRefusedError",
    "NotADatabaseError",
    "NotAnEcsvizStoreError",
    "NotAnEntityError",
    "NotLoadedError",
    "SchemaOutdatedError",
    "SchemaTooNewError",
    "StaleVersionError",
    "StorageAuthError",
    "StorageBusyError",
    "StorageClosedError",
    "StorageCorruptError",
    "StorageError",
    "StorageFullError",
    "StorageIOError",
    "StorageMovedError",
    "StorageOpenError",
    "StoragePickleError",
    "StorageReadOnlyError",
    "StorageTimeoutError",
    "StorageUrlError",
    "StoredDataInvalidError",
    "UnknownOptionError",
    "UnknownTypeError",
    "UnpairedReferencesWarning",
    "UnsupportedFieldError",
    "ValueNotStorableError",
    "closest",
    "short_repr",
]


class EcsvizError(Exception):
    """The base of everything that ecsviz raises on purpose.

    Parameters
    ----------
    message
        What failed, the value, what exists instead, and what to do next.
    **facts
        The same as data; each becomes an attribute of the error.

    Examples
    --------
    >>> error = EcsvizError("no such thing", name="x")
    >>> str(error), error.name
    ('no such thing', 'x')
    """

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts
        for name, value in facts.items():
            setattr(self, name, value)

    def __getattr__(self, name: str) -> Any:
        # Only reached for names that were not set: gives type checkers the facts as Any.
        raise AttributeError(f"{type(self).__name__} has no fact {name!r}")

    def __str__(self) -> str:
        # KeyError would show the repr of the message.
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.facts)


def _rebuild(cls: type[EcsvizError], message: str, facts: dict[str, Any]) -> EcsvizError:
    return cls(message, **facts)


class UnknownOptionError(EcsvizError, TypeError):
    """A method was given an option that it does not have."""


class NotAnEntityError(EcsvizError, TypeError):
    """Something that must be an entity is none."""


class UnknownTypeError(EcsvizError, LookupError):
    """A store holds a type for which no class is defined here."""


class DuplicateTypeError(EcsvizError, TypeError):
    """Two different classes claim one type."""


class InvalidIdError(EcsvizError, ValueError):
    """A value is not a UUID."""


class EntityNotFoundError(EcsvizError, KeyError):
    """No entity with this id is stored."""


class DuplicateIdError(EcsvizError, ValueError):
    """Two different objects carry one ``ecs_id``."""


class LineageError(EcsvizError, ValueError):
    """An entity and its stored self belong to different families."""


class InverseMismatchError(EcsvizError, ValueError):
    """A list and its back-reference disagree."""


class BrokenReferenceError(EcsvizError, LookupError):
    """A reference leads to something that does not exist."""


class InvalidArgumentError(EcsvizError, ValueError):
    """An option has a value that it cannot have."""


class NotLoadedError(EcsvizError, AttributeError):
    """What a reading left out is used as if it were here: a placeholder, a private attribute."""


class UnsupportedFieldError(EcsvizError, TypeError):
    """A field's type cannot be mapped to tables."""


class ValueNotStorableError(EcsvizError, ValueError):
    """A value does not fit its field, or cannot be given back exactly."""


class GraphTooLargeError(EcsvizError, ValueError):
    """A graph is too large for what was asked."""


class StorageError(EcsvizError):
    """The base of what goes wrong between a storage and its database."""


class StaleVersionError(StorageError, ValueError):
    """The store has moved on since the entity was read."""


class MergeConflictError(StorageError, ValueError):
    """Two sides have changed the same field to different values."""


class StoredDataInvalidError(StorageError, ValueError):
    """A stored value does not fit the field that it is stored for."""


class CorruptEntityError(StorageError):
    """A stored row does not match its checksum."""


class StorageOpenError(StorageError, OSError):
    """A database could not be opened."""


class NotADatabaseError(StorageOpenError):
    """The file is no database."""


class NotAnEcsvizStoreError(StorageOpenError):
    """The database was not made by ecsviz."""


class SchemaOutdatedError(StorageOpenError):
    """The store's tables are older than the classes or than this release."""


class MigrationRefusedError(StorageError, ValueError):
    """Tables cannot be made to fit changed classes without losing or inventing something."""


class SchemaTooNewError(StorageOpenError):
    """The store was written by a newer release."""


class StorageCorruptError(StorageError):
    """The database says that its own file is damaged."""


class StorageReadOnlyError(StorageError, OSError):
    """The database may not be written."""


class StorageFullError(StorageError, OSError):
    """The disk, or the database, is full."""


class StorageIOError(StorageError, OSError):
    """Reading or writing the database file failed."""


class StorageBusyError(StorageError, TimeoutError):
    """Another writer held the database for longer than the time-out."""


class StorageTimeoutError(StorageError, TimeoutError):
    """The database did not answer in the time allowed."""


class ForeignTriggerWarning(UserWarning):
    """A table of a store has a trigger that ecsviz did not make."""


class StorageMovedError(StorageError, OSError):
    """The database file is gone, or another file stands in its place."""


class StorageClosedError(StorageError, ValueError):
    """A storage, or a database that was read, is used after it was closed."""


class StoragePickleError(StorageError, TypeError):
    """A storage that lives in this process alone cannot be pickled."""


class ForkedStorageError(StorageError, RuntimeError):
    """A storage was used in a forked process in a way that cannot work."""


class StorageUrlError(StorageError, ValueError):
    """A database URL cannot be understood."""


class StorageAuthError(StorageError, PermissionError):
    """The database refused the user or the password."""


class ImportFormatError(EcsvizError, ValueError):
    """A file is not what it should be."""


class ImportLimitError(EcsvizError, ValueError):
    """A file exceeds a limit that protects this process."""


class ImportTimeoutError(EcsvizError, TimeoutError):
    """Reading took longer than allowed."""


class UnpairedReferencesWarning(UserWarning):
    """A class holds itself in one list and in one field, which may be meant as a pair.

    ``manager: Employee | None`` and ``reports: list[Employee]`` say the same from both ends;
    ``best: Person | None`` and ``friends: list[Person]`` do not, and look just the same. So it
    must be said: ``ev.reference(inverse="reports")``, or ``inverse=None`` on one of them.
    """


EXAMPLE = "0190a6b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b"
"""What an ``ecs_id`` looks like, for messages."""


def short_repr(value: object, limit: int = 80) -> str:
    """Return ``repr(value)``, cut to `limit` characters.

    Parameters
    ----------
    value
        Anything; a ``repr`` that fails is replaced by the type's name.
    limit
        Characters, 80 by default: what still fits a terminal line.

    Notes
    -----
    The repr of a long text or list is never built: only its beginning is. What would break the
    line (a DataFrame's repr does) becomes one line.

    Examples
    --------
    >>> short_repr("abc")
    "'abc'"
    >>> short_repr("x" * 100, limit=10)
    "'xxxxxxxx…"
    """
    cut = isinstance(value, (str, bytes, list, tuple)) and len(value) > limit
    if cut:
        value = value[:limit]  # type: ignore[index]  # one of the four, all of which slice
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a broken repr must not hide the error that is being told
        text, cut = f"<{type(value).__name__}>", False
    if "\n" in text:
        text = " ".join(text.split())
    return text[: limit - 1] + "…" if cut or len(text) > limit else text


def closest(name: str, known: Iterable[str], count: int = 5) -> list[str]:
    """Return the known names nearest to `name`, closest first.

    Parameters
    ----------
    name
        What was asked for.
    known
        What exists.
    count
        How many at the most; five still read at a glance.

    Notes
    -----
    ``difflib``'s ratio (Ratcliff and Obershelp), on at most 10,000 names.

    Examples
    --------
    >>> closest("ChatThred", ["ChatThread", "ChatMessage", "User"])
    ['ChatThread']
    """
    names = [other for _, other in zip(range(10_000), known, strict=False)]
    folded = {other.casefold(): other for other in names}
    found = difflib.get_close_matches(name.casefold(), folded, n=count, cutoff=0.6)
    return [folded[other] for other in found]


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return a sentence that names what exists instead, or nothing; `name` may be no text.

    Examples
    --------
    >>> did_you_mean("ChatThred", ["ChatThread", "User"])
    " Did you mean 'ChatThread'?"
    """
    names = list(known)
    near = closest(name, names) if isinstance(name, str) else []
    if near:
        return " Did you mean " + " or ".join(repr(other) for other in near) + "?"
    if names:
        shown = ", ".join(repr(other) for other in names[:5])
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        return f" There are: {shown}{more}."
    return ""


def listed(value: Any, name: str, hint: str) -> list[Any]:
    """Return an iterable as a list.

    Parameters
    ----------
    value, name
        What was given, and for what.
    hint
        What to give.

    Raises
    ------
    InvalidArgumentError
        If it is not iterable; `hint` says what to give.

    Examples
    --------
    >>> listed(3, "ecs_ids", "Give a list of ids.")
    Traceback (most recent call last):
    ecsviz.errors.InvalidArgumentError: ecs_ids is 3. Give a list of ids.
    """
    # A text is iterable, but nobody means its characters; a class may be, but is no list.
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, type)):
        return list(value)
    raise InvalidArgumentError(f"{name} is {short_repr(value)}. {hint}", value=value)


def flag(value: Any, name: str) -> bool:
    """Return whether something is true.

    Raises
    ------
    InvalidArgumentError
        If that cannot be told, as of a DataFrame.

    Examples
    --------
    >>> flag(1, "transitive"), flag(None, "transitive")
    (True, False)
    """
    try:
        return bool(value)
    except Exception as err:
        raise InvalidArgumentError(
            f"{name} is {short_repr(value)}. Give True or False.", value=value
        ) from err


def seconds_or_none(value: Any, name: str) -> float | None:
    """Return how long something may take; None for as long as it takes.

    Raises
    ------
    InvalidArgumentError
        If it is no number.

    Examples
    --------
    >>> seconds_or_none(2, "seconds"), seconds_or_none(None, "seconds")
    (2, None)
    """
    if value is None or isinstance(value, (int, float)):
        return value
    raise InvalidArgumentError(
        f"{name} is {short_repr(value)}. Give a number, or None.", value=value
    )


def text_or_none(value: Any, name: str) -> str | None:
    """Return a text; None where there is none.

    Raises
    ------
    InvalidArgumentError
        If it is something else.

    Examples
    --------
    >>> text_or_none(3, "title")
    Traceback (most recent call last):
    ecsviz.errors.InvalidArgumentError: title is 3. Give a text, or None.
    """
    if value is None or isinstance(value, str):
        return value
    raise InvalidArgumentError(f"{name} is {short_repr(value)}. Give a text, or None.", value=value)


def file_path(value: Any, name: str = "path") -> Path:
    """Return a path.

    Raises
    ------
    InvalidArgumentError
        If it is none, or holds what no name of a file can.

    Examples
    --------
    >>> file_path(3)
    Traceback (most recent call last):
    ecsviz.errors.InvalidArgumentError: path is 3. Give the path of a file, as a text or a Path.
    """
    try:
        path = Path(value)
        if b"\0" not in os.fsencode(path):
            return path
    except (TypeError, ValueError):
        pass
    raise InvalidArgumentError(
        f"{name} is {short_repr(value)}. Give the path of a file, as a text or a Path.", value=value
    )


def natural_number(value: Any) -> int | None:
    """Return a whole number from 0 as an int, None if the value is something else.

    Notes
    -----
    What stands in a DataFrame is numpy's, and no int.

    Examples
    --------
    >>> natural_number(3), natural_number(-1), natural_number(True), natural_number("3")
    (3, None, None, None)
    """
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        return None
    try:
        number = operator.index(value)
    except TypeError:  # an array of several
        return None
    return number if number >= 0 else None


def count_or_none(value: Any, name: str) -> int | None:
    """Return how many of something there may be; None for any number.

    Raises
    ------
    InvalidArgumentError
        If it is no `natural_number`.

    Examples
    --------
    >>> count_or_none(2, "limit"), count_or_none(None, "limit")
    (2, None)
    """
    number = natural_number(value)
    if number is None and value is not None:
        raise InvalidArgumentError(
            f"{name} is {short_repr(value)}. Give a whole number from 0, or None for all.",
            value=value,
        )
    return number


def invalid(
    table: str, column: str, row: Any, why: str, cause: str = "It was changed outside ecsviz"
) -> StoredDataInvalidError:
    """Return the error for a value in a table that is not what ecsviz writes there.

    Parameters
    ----------
    table, column
        Where.
    row
        The key of the row: a number, a text, or a tuple of what makes the key; None if nobody
        knows.
    why, cause
        To follow the place in a sentence; and what may have happened.
    """
    keys = row if isinstance(row, tuple) else (row,)
    at = ", ".join(short_repr(key) if type(key) is str else str(key) for key in keys)
    place = f"{table}.{column}" + ("" if row is None else f" in row {at}")
    return StoredDataInvalidError(
        f"{place} {why}. {cause}; correct the row.",
        place=place,
        table=table,
        column=column,
        row_id=row,
    )
