"""Everything ecsviz raises on purpose.

::

    EcsvizError
    ├── entities     NotAnEntityError (TypeError), UnknownTypeError (LookupError),
    │                DuplicateTypeError (TypeError), InvalidIdError (ValueError),
    │                EntityNotFoundError (KeyError), SeveralFoundError (LookupError),
    │                DuplicateIdError (ValueError),
    │                LineageError (ValueError), InverseMismatchError (ValueError),
    │                BrokenReferenceError (LookupError), UnsupportedFieldError (TypeError),
    │                ValueNotStorableError (ValueError), GraphTooLargeError (ValueError),
    │                NotLoadedError (AttributeError), InvalidArgumentError (ValueError),
    │                UnknownOptionError (TypeError)
    ├── StorageError (OSError is mixed in where the file system is the cause)
    │                StaleVersionError (ValueError), UniqueValueError (ValueError),
    │                MergeConflictError (ValueError),
    │                StoredDataInvalidError (ValueError) with CorruptEntityError,
    │                StorageOpenError (OSError),
    │                NotADatabaseError, NotAnEcsvizStoreError, SchemaOutdatedError,
    │                SchemaTooNewError, StorageCorruptError, StorageReadOnlyError,
    │                StorageFullError, StorageIOError, StorageBusyError (TimeoutError),
    │                StorageTimeoutError (TimeoutError), TransactionError (RuntimeError),
    │                StorageMovedError, StorageClosedError (ValueError), ForkedStorageError,
    │                StorageUrlError (ValueError), StorageAuthError (PermissionError),
    │                MigrationRefusedError (ValueError), StoragePickleError (TypeError)
    └── ImportFormatError (ValueError), ImportLimitError (ValueError),
                     ImportTimeoutError (TimeoutError)

    Warnings     UnpairedReferencesWarning, ForeignTriggerWarning (UserWarning)
    Elsewhere    DrawingOptionError, SampleError, FileNotWrittenError and others, beside what
                 raises them

Each class also inherits the built-in that a caller would expect, and carries its facts as
attributes, so that a program need not parse the message.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

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
    "SeveralFoundError",
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
    "TransactionError",
    "UniqueValueError",
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

    option: str = ""
    """The option."""


class NotAnEntityError(EcsvizError, TypeError):
    """Something that must be an entity is none."""

    value: Any = None
    """What was given."""
    place: str | None = None
    """Where it stands, if inside something."""


class UnknownTypeError(EcsvizError, LookupError):
    """A store holds a type for which no class is defined here."""

    type_name: str | None = None
    """The type for which no class is defined here."""
    table: str | None = None
    """The table that was asked for."""
    ecs_id: UUID | None = None
    """Of which entity it is the type."""


class DuplicateTypeError(EcsvizError, TypeError):
    """Two different classes claim one type."""

    name: str | None = None
    """The name."""
    modules: Sequence[str] = ()
    """Where its classes are."""


class InvalidIdError(EcsvizError, ValueError):
    """A value is not a UUID."""

    value: Any = None
    """What was given."""


class EntityNotFoundError(EcsvizError, KeyError):
    """No entity with this id is stored."""

    ecs_id: Any = None
    """The id that is not there."""
    closest: Sequence[Any] = ()
    """Ids that look like it."""


class SeveralFoundError(EcsvizError, LookupError):
    """Where one entity was asked for, several fit."""

    type_name: str | None = None
    """Of which class."""
    count: int | None = None
    """How many there are."""


class DuplicateIdError(EcsvizError, ValueError):
    """Two different objects carry one ``ecs_id``."""

    ecs_id: UUID | None = None
    """The id."""
    places: Sequence[str] = ()
    """Where the two entities stand."""


class LineageError(EcsvizError, ValueError):
    """An entity and its stored self belong to different families."""

    ecs_id: UUID | None = None
    """The entity."""
    lineage_id: UUID | None = None
    """The family that it says it is of."""
    stored: Any = None
    """What the store says."""


class InverseMismatchError(EcsvizError, ValueError):
    """A list and its back-reference disagree."""

    ecs_id: UUID | None = None
    """The entity."""
    places: Sequence[str] = ()
    """Both ends, as text."""
    left_behind: bool = False
    """Whether a list has lost what needs its holder."""


class BrokenReferenceError(EcsvizError, LookupError):
    """A reference leads to something that does not exist."""

    ecs_id: UUID | None = None
    """Which entity refers, or is referred to."""
    type_name: str | None = None
    """Its type."""
    target_id: Any = None
    """What is missing."""
    holders: Any = None
    """What still refers to it."""
    place: str | None = None
    """Where."""
    table: Any = None
    column: Any = None
    row_id: Any = None
    """Where, if in a table."""


class InvalidArgumentError(EcsvizError, ValueError):
    """An option has a value that it cannot have."""

    argument: str | None = None
    """The argument."""
    value: Any = None
    """What was given."""
    field: str | None = None
    """The field that is named."""
    fields: Sequence[str] = ()
    """Those that there are."""


class NotLoadedError(EcsvizError, AttributeError):
    """What a reading left out is used as if it were here: a placeholder, a private attribute."""

    ecs_id: UUID | None = None
    """The entity that was left out."""
    type_name: str | None = None
    """Its type."""
    field: str | None = None
    """The field that was looked at."""


class UnsupportedFieldError(EcsvizError, TypeError):
    """A field's type cannot be mapped to tables."""

    cls: type | None = None
    """The class."""
    field: str | None = None
    """The field; None for the class as a whole."""


class ValueNotStorableError(EcsvizError, ValueError):
    """A value does not fit its field, or cannot be given back exactly."""

    ecs_id: UUID | None = None
    """The entity."""
    type_name: str | None = None
    """Its type."""
    field: str | None = None
    place: str | None = None
    """The field, and where inside it."""
    value_type: str | None = None
    """The type of the value; the value itself is never shown."""


class GraphTooLargeError(EcsvizError, ValueError):
    """A graph is too large for what was asked."""

    n: int | None = None
    """How many there are."""
    limit: int | None = None
    """How many are allowed."""


class StorageError(EcsvizError):
    """The base of what goes wrong between a storage and its database."""

    code: str | None = None
    """What the database calls its error."""
    path: Any = None
    """The file."""
    url: str | None = None
    """The address, as far as it may be shown."""


class StaleVersionError(StorageError, ValueError):
    """The store has moved on since the entity was read."""

    ecs_id: UUID | None = None
    """The entity."""
    version: int | None = None
    """The version that it has here."""
    stored_version: int | None = None
    """The version in the store; None if it was deleted."""
    revision: int | None = None
    """The revision that changed it, where that is known."""


class UniqueValueError(StorageError, ValueError):
    """Two entities have one value where each needs one of its own."""

    entity: UUID | None = None
    """The ``ecs_id`` of the one that cannot be saved."""
    type_name: str | None = None
    """Its type."""
    field: str | None = None
    """The field, or the fields that are a key together."""
    value: Any = None
    """The value."""
    other: UUID | None = None
    """The ``ecs_id`` of the one that has it already; None if the database alone knows it."""


class MergeConflictError(StorageError, ValueError):
    """Two sides have changed the same field to different values."""

    conflicts: Sequence[Any] = ()
    """Each entity and field, with the three values."""


class StoredDataInvalidError(StorageError, ValueError):
    """A stored value does not fit the field that it is stored for."""

    place: str | None = None
    """Table, column and row, as text."""
    table: str | None = None
    column: str | None = None
    """Where."""
    row_id: Any = None
    """The key of the row."""
    ecs_id: UUID | None = None
    """Of which entity."""
    type_name: str | None = None
    """Its type."""
    problems: Any = None
    """All of them, as `verify` lists them."""


class CorruptEntityError(StoredDataInvalidError):
    """A stored row does not match its checksum."""


class StorageOpenError(StorageError, OSError):
    """A database could not be opened."""


class NotADatabaseError(StorageOpenError):
    """The file is no database."""


class NotAnEcsvizStoreError(StorageOpenError):
    """The database was not made by ecsviz."""

    tables: Sequence[str] = ()
    """The tables that are there."""


class SchemaOutdatedError(StorageOpenError):
    """The store's tables are older than the classes or than this release."""

    cls: type | None = None
    """The class that differs."""
    differences: Sequence[str] = ()
    """In what it differs, a line a field."""
    table: str | None = None
    column: str | None = None
    """Where."""
    found: int | None = None
    known: int | None = None
    """The version of the tables, and of this release."""


class MigrationRefusedError(StorageError, ValueError):
    """Tables cannot be made to fit changed classes without losing or inventing something."""

    migration: Any = None
    """What would have been done, with what is refused."""


class SchemaTooNewError(StorageOpenError):
    """The store was written by a newer release."""

    found: int | None = None
    known: int | None = None
    """The version of the store, and of this release."""


class StorageCorruptError(StorageError):
    """The database says that its own file is damaged."""

    table: str | None = None
    column: str | None = None
    """Where."""
    row_id: Any = None
    """The key of the row."""


class StorageReadOnlyError(StorageError, OSError):
    """The database may not be written."""


class StorageFullError(StorageError, OSError):
    """The disk, or the database, is full."""


class StorageIOError(StorageError, OSError):
    """Reading or writing the database file failed."""


class StorageBusyError(StorageError, TimeoutError):
    """Another writer held the database for longer than the time-out."""

    waited: float | None = None
    """How long, in seconds."""


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


class TransactionError(StorageError, RuntimeError):
    """A transaction of several calls is used in a way that cannot work, or was lost."""


class StorageUrlError(StorageError, ValueError):
    """A database URL cannot be understood."""


class StorageAuthError(StorageError, PermissionError):
    """The database refused the user or the password."""


class ImportFormatError(EcsvizError, ValueError):
    """A file is not what it should be."""

    source: Any = None
    """The file."""
    line: Any = None
    column: Any = None
    """Where in it."""
    place: str | None = None
    """Where in the value."""
    format: str | None = None
    """The format as which it was read."""
    truncated: bool = False
    """Whether the file ends in the middle."""


class ImportLimitError(EcsvizError, ValueError):
    """A file exceeds a limit that protects this process."""

    source: Any = None
    argument: str | None = None
    limit: Any = None
    """The file, the argument that raises the limit, and the limit."""
    place: str | None = None
    reason: str | None = None
    """Where in the file, and why; for what is told of one record."""


class ImportTimeoutError(EcsvizError, TimeoutError):
    """Reading took longer than allowed."""

    source: Any = None
    argument: str | None = None
    limit: float | None = None
    """The file, the argument that raises the limit, and the limit, in seconds."""


class UnpairedReferencesWarning(UserWarning):
    """A class holds itself in one list and in one field, which may be meant as a pair.

    ``manager: Employee | None`` and ``reports: list[Employee]`` say the same from both ends;
    ``best: Person | None`` and ``friends: list[Person]`` do not, and look just the same. So it
    must be said: ``ev.reference(inverse="reports")``, or ``inverse=None`` on one of them.
    """


class NotLoadedWarning(UserWarning):
    """Relationships of SQLAlchemy were left out of a graph because they are not loaded."""


EXAMPLE = "0190a6b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b"
"""What an ``ecs_id`` looks like, for messages."""


_NAMED = r"((?:\w*(?:pass|pwd|secret|token)|[?&;]\w*key)\w*(?:=|%3D)\s*)(?:'[^']*'|[^\s;&'\"]+)()"
_LOGINS = r"(:|%3A)\S*(@|%40)", r"(://\S*?:)(?!\d+\b)[^\s@*'\"]+()", _NAMED


def short_repr(value: object, limit: int = 80) -> str:
    """Return ``repr(value)``, cut to `limit` characters: 80 still fit a terminal line.

    Notes
    -----
    The repr of a long text or list is never built: only its beginning is. What would break the
    line becomes one line, a broken repr the name of the type, and what may be a password ``***``.

    Examples
    --------
    >>> short_repr("abc")
    "'abc'"
    >>> short_repr("x" * 100, limit=10)
    "'xxxxxxxx…"
    """
    cut, most = isinstance(value, (str, bytes, list, tuple)) and len(value) > limit, 4 * limit
    if cut:  # a login is hidden as long as its end is there
        value = value[: most if isinstance(value, (str, bytes)) else limit]  # type: ignore[index]  # one of the four, all of which slice
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a broken repr must not hide the error that is being told
        text, cut = f"<{type(value).__name__}>", False
    text = " ".join(text.split()) if "\n" in text else text
    cut, text = cut or len(text) > most, text[:most]
    for login in _LOGINS if any(mark in text for mark in ":=%") else ():
        text = re.sub(f"(?i){login}", r"\1***\2", text)
    return text[: limit - 1] + "…" if cut or len(text) > limit else text


def closest(name: str, known: Iterable[str], count: int = 5) -> list[str]:
    """Return the known names nearest to `name`, closest first; five still read at a glance.

    Examples
    --------
    >>> closest("ChatThred", ["ChatThread", "ChatMessage", "User"])
    ['ChatThread']
    """
    names = [other for _, other in zip(range(10_000), known, strict=False)]  # compared one by one
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
        return f" There are: {shown}{f' and {len(names) - 5} more' if len(names) > 5 else ''}."
    return ""
