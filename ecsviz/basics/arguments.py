"""Arguments of public methods: checked once, in the same words everywhere."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any

from ecsviz.basics.addresses import meant_as_url, scheme_of
from ecsviz.errors import InvalidArgumentError, short_repr


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
    # The members of a table would be the names of its columns.
    if (
        isinstance(value, Iterable)
        and not isinstance(value, (str, bytes, type))
        and not is_table(value)
        and getattr(value, "ndim", 1) > 0
    ):
        return list(value)
    raise InvalidArgumentError(f"{name} is {short_repr(value)}. {hint}", value=value)


def is_table(value: Any) -> bool:
    """Tell whether something has columns, as a DataFrame: to iterate it gives their names.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"id": [1]})
    >>> is_table(frame), is_table(frame["id"])
    (True, False)
    """
    return hasattr(value, "columns") and len(getattr(value, "shape", ())) > 1


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
        If it is none, holds what no name of a file can, or was meant as an address.

    Examples
    --------
    >>> file_path(3)
    Traceback (most recent call last):
    ecsviz.errors.InvalidArgumentError: path is 3. Give the path of a file, as a text or a Path.
    """
    if isinstance(value, str) and meant_as_url(value):
        raise InvalidArgumentError(
            f"{name} is {scheme_of(value)!r}, an address. Give a path; one of such a name is given"
            " as pathlib.Path(…).",
            value=scheme_of(value),
        )
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


def time_zone(value: Any, name: str) -> tzinfo:
    """Return a time zone: itself, or by its name.

    Raises
    ------
    InvalidArgumentError
        If there is none of this name.

    Examples
    --------
    >>> time_zone("UTC", "timezone"), time_zone("Europe/Berlin", "timezone")
    (datetime.timezone.utc, zoneinfo.ZoneInfo(key='Europe/Berlin'))
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # not with `import ecsviz`

    if isinstance(value, tzinfo):
        return value
    try:
        if isinstance(value, str):  # UTC is known where there are no other zones, too
            return UTC if value == "UTC" else ZoneInfo(value)
        raise TypeError(name)
    except (TypeError, ValueError, OSError, ZoneInfoNotFoundError) as err:
        raise InvalidArgumentError(
            f"{name} is {short_repr(value)}, which names no time zone. Give one such as"
            " 'Europe/Berlin'; zoneinfo.available_timezones() lists them (on Windows, of the"
            " package tzdata).",
            argument=name,
            value=value,
        ) from err
