"""What the rows of a frame say of classes and ids, and the errors that name them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID, uuid5

from ecsviz.domain.entity_class import is_entity_class, known_entity_classes, newest_definition
from ecsviz.errors import (
    ImportFormatError,
    InvalidIdError,
    UnknownTypeError,
    did_you_mean,
    short_repr,
)
from ecsviz.frames.columns import is_nan, python_values
from ecsviz.frames.to_frames import CLASS
from ecsviz.storage.protocol import check_entity_class
from ecsviz.values.field_codecs import has_table

NAMESPACE: Final = UUID("5f0d1b8e-3a0c-4d0e-9f57-0a4a2b6f7c11")
"""The UUIDv5 namespace of entities whose frame has keys of its own. Never change it: entities
that were stored would not be found again."""


def read_columns(frame: str, given: Any) -> dict[str, list[Any]]:
    """Return the columns of a DataFrame as Python values."""
    import pandas as pd

    if not isinstance(given, pd.DataFrame):
        raise ImportFormatError(
            f"{frame} is {short_repr(given)}, not a pandas.DataFrame. ev.to_frames shows what is"
            " expected.",
            frame=frame,
        )
    names = list(given.columns)
    for name in names:
        if names.count(name) > 1:
            raise ImportFormatError(
                f"{frame} has {names.count(name)} columns called {short_repr(name)}. Drop all but"
                " one.",
                frame=frame,
                column=name,
            )
    return {name: python_values(given[name]) for name in names}


def classes_by_name(given: Any) -> tuple[dict[str, list[Any]], Any]:
    """Return which classes a name may stand for, and the only class if there is one."""
    if given is None:
        classes = [cls for cls in known_entity_classes() if has_table(cls)]
    elif is_entity_class(given):
        classes = [given]
    else:
        classes = list(given.values()) if isinstance(given, Mapping) else list(given)
    for cls in classes:
        check_entity_class(cls)
    table: dict[str, list[Any]] = {}
    if isinstance(given, Mapping):
        table = {str(name): [newest_definition(cls)] for name, cls in given.items()}
    else:
        for cls in map(newest_definition, classes):
            module = cls.__module__
            for name in {cls.__name__, f"{module}.{cls.__name__}", f"{module}.{cls.__qualname__}"}:
                if cls not in table.setdefault(name, []):
                    table[name].append(cls)
    only = newest_definition(classes[0]) if given is not None and len(classes) == 1 else None
    return table, only


def class_in_row(name: Any, table: Mapping[str, list[Any]], row: int) -> Any:
    """Return the class that a row names.

    Raises
    ------
    UnknownTypeError
        If there is none, or more than one.
    """
    found = table.get(name, []) if isinstance(name, str) else []
    # The ready-made classes step back where the user has defined others of their name.
    users = [cls for cls in found if not cls.__module__.startswith("ecsviz.")]
    fit = users or found
    if len(fit) == 1:
        return fit[0]
    place = f"nodes.iloc[{row}]: the class {short_repr(name)}"
    facts = {"type_name": name, "frame": "nodes", "row": row, "column": CLASS}
    if fit:
        modules = ", ".join(sorted(cls.__module__ for cls in fit))
        raise UnknownTypeError(
            f"{place} is one of several, in {modules}. Name it with its module, or give classes=.",
            **facts,
        )
    names = sorted({cls.__name__ for classes in table.values() for cls in classes})
    raise UnknownTypeError(
        f"{place} is not known.{did_you_mean(str(name), names)} Define it, or give classes=.",
        **facts,
    )


def id_of_key(key: Any, cls: type) -> UUID | None:
    """Return the ``ecs_id`` of a row with a key of its own, None for what is no key."""
    if is_missing(key) or not is_hashable(key):
        return None
    return key if isinstance(key, UUID) else made_id(cls, key)


def made_id(cls: type, key: Any) -> UUID:
    """Return the ``ecs_id`` that stands for a key: the same in every run."""
    return uuid5(NAMESPACE, f"{cls.__name__}:{type(key).__name__}:{key!r}")


def id_in_row(value: Any, frame: str, row: int, column: str, *, none: bool = False) -> Any:
    """Return the UUID of a cell; None for a missing one where that is allowed.

    Raises
    ------
    InvalidIdError
        If it is no UUID.
    """
    if isinstance(value, UUID) or (none and is_missing(value)):
        return None if none and is_missing(value) else value
    try:
        return UUID(value)
    except (ValueError, AttributeError, TypeError) as err:
        raise InvalidIdError(
            f"{frame}.iloc[{row}]: the {column} {short_repr(value)} is not a UUID. For keys of"
            " another kind, call the column of nodes 'id': ids are made from them.",
            value=value,
            frame=frame,
            row=row,
            column=column,
        ) from err


def is_missing(value: Any) -> bool:
    """Tell whether a cell is empty."""
    return value is None or is_nan(value)


def is_hashable(value: Any) -> bool:
    """Tell whether a value can be a key."""
    try:
        hash(value)
    except TypeError:
        return False
    return True


def wrong_cell(
    frame: str, row: int, column: Any, why: str, *, hint: str = "", cls: Any = None
) -> ImportFormatError:
    """Return the error for one cell; its value is not told."""
    what = f", column {column!r}" if column is not None else ""
    of = f" (a {cls.__name__})" if cls is not None else ""
    return ImportFormatError(
        f"{frame}.iloc[{row}]{of}{what}: {why}.{hint} Correct the row.",
        frame=frame,
        row=row,
        column=column,
    )
