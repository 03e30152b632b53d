"""Which state of a store is meant: a revision, a time, or now; checked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from ecsviz.basics.arguments import natural_number
from ecsviz.errors import InvalidArgumentError, short_repr
from ecsviz.values.column_codecs import as_naive_utc

AsOf = int | datetime | None
"""A revision, an aware time, or None for now."""

_argument = ContextVar("_argument", default="as_of")


@contextmanager
def said_as(argument: str) -> Iterator[None]:
    """Let messages about a revision name the argument that the user wrote, where not as_of=."""
    token = _argument.set(argument)
    try:
        yield
    finally:
        _argument.reset(token)


def check_as_of(wanted: Any, newest: int, oldest: int = 0) -> int | datetime:
    """Return a time as naive UTC, or the number of a revision that exists.

    Raises
    ------
    InvalidArgumentError
        If it is neither.
    """
    name = _argument.get()
    if isinstance(wanted, datetime):
        if wanted.utcoffset() is None:
            raise InvalidArgumentError(
                f"{name}={wanted.isoformat()} has no time zone. Say which it is: {name}="
                "datetime(…, tzinfo=UTC).",
                value=wanted,
            )
        return as_naive_utc(wanted)
    revision = natural_number(wanted)
    if revision is None:
        raise InvalidArgumentError(
            f"{name} is {short_repr(wanted)}. Give the number of a revision, which"
            " store.revisions() lists, or a datetime with a zone.",
            value=wanted,
        )
    if revision > newest:
        raise InvalidArgumentError(
            f"{name}={wanted}, but the newest revision is {newest}. store.revisions() lists them.",
            value=wanted,
            newest=newest,
        )
    if revision < oldest:
        raise InvalidArgumentError(
            f"{name}={wanted}, but what was before revision {oldest} has been pruned.",
            value=wanted,
            oldest=oldest,
        )
    return revision
