"""Options of pictures: each is looked at once, before anything is drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ecsviz.basics.arguments import flag, text_or_none
from ecsviz.domain.labels import label_of
from ecsviz.errors import InvalidArgumentError, short_repr
from ecsviz.layout import DrawingOptionError

T = TypeVar("T")


def checked_option(check: Callable[[Any, str], T], value: Any, option: str) -> T:
    """Return what a check makes of an option.

    Parameters
    ----------
    check
        Such as ``arguments.flag``: it takes a value and a name, and raises `InvalidArgumentError`.
    value, option
        What was given, and for what.

    Raises
    ------
    DrawingOptionError
        In the words of the check.

    Examples
    --------
    >>> checked_option(flag, 1, "legend"), checked_option(text_or_none, None, "title")
    (True, None)
    """
    try:
        return check(value, option)
    except InvalidArgumentError as err:
        raise DrawingOptionError(str(err), option=option, value=value) from err.__cause__


def title_and_legend(title: Any, legend: Any) -> tuple[str | None, bool]:
    """Return the two options that every picture has."""
    return checked_option(text_or_none, title, "title"), checked_option(flag, legend, "legend")


def flag_or_none(value: Any, option: str) -> bool | None:
    """Return whether something is true; None where the picture decides."""
    return None if value is None else checked_option(flag, value, option)


def said_of(node: Any, function: Callable[[Any], Any], option: str) -> Any:
    """Return what a user's function says of a node.

    Raises
    ------
    DrawingOptionError
        If it raises: with the option, the node, and the error as the cause.
    """
    try:
        return function(node)
    except Exception as err:
        raise DrawingOptionError(
            f"The function {option}= failed at {label_of(node)}: {short_repr(err, 200)}."
            " Give one that takes every node of what is drawn, or a field's name.",
            option=option,
            value=function,
        ) from err
