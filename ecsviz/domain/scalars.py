"""The types of single values, a row for each: what must be known of a type to keep its values.

Equality, copies, JSON, columns and frames read this table. A new type is a new row.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from ecsviz.errors import short_repr

NoneType = type(None)


class NotPlainError(ValueError):
    """A value that JSON cannot keep; it never leaves this package."""


class Scalar(NamedTuple):
    """What is known of a type whose values hold nothing and never change.

    Attributes
    ----------
    type
        The type itself; an instance of a subclass is no value of it.
    tag
        What says in JSON that a value is of the type: ``{"$date": "2024-02-29"}``. None where JSON
        has all its values; those that JSON has of other types stand there as they are.
    write
        Returns what JSON holds of a value, best a text; the value itself if it is None.
    read
        Returns the value again; of anything else it raises a ValueError, TypeError or
        ArithmeticError.
    form
        Returns what two values must have in common to be the same, for subclasses too. None where
        they are the same if they are equal.
    equal_is_same
        Whether two of this very type are the same where they are equal, with or without `form`.
    untyped
        Whether the tag stands in fields whose annotations name the type, too (``list[date]``).
        Otherwise pydantic writes those, as it did before the type had a row: leave it out.
    """

    type: Any
    tag: str | None = None
    write: Callable[[Any], Any] = str
    read: Callable[[Any], Any] = str
    form: Callable[[Any], Any] | None = None
    equal_is_same: bool = True
    untyped: bool = False


# -- times -----------------------------------------------------------------------------------

Clock = TypeVar("Clock", datetime, time)


def zone_of(value: datetime | time) -> str | None:
    """Return the name of a time's zone; None if it has but an offset, or not even that."""
    return value.tzinfo.key if isinstance(value.tzinfo, ZoneInfo) else None


def microseconds(value: timedelta) -> int:
    """Return a duration in whole microseconds; ``timedelta.total_seconds`` would round."""
    return (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds


def _clock_form(value: datetime | time) -> Any:
    naive = value.replace(tzinfo=None, fold=0)
    return naive.isoformat(), value.fold, value.utcoffset(), zone_of(value)


def _write_clock(value: datetime | time) -> str:
    """Write a time as ISO 8601 has it, with the name of its zone in brackets, as RFC 9557 has it.

    A tilde marks the second of two times when clocks go back.
    """
    zone = zone_of(value)
    if zone is None and value.tzinfo is not None and value.utcoffset() is None:
        raise NotPlainError("its time zone has neither a name nor an offset")
    return f"{value.isoformat()}{'~' * value.fold}{f'[{zone}]' if zone else ''}"


def _read_clock(kind: type[Clock], text: str) -> Clock:
    text, _, zone = text.removesuffix("]").partition("[")
    value = kind.fromisoformat(text.removesuffix("~"))
    value = value.replace(fold=int(text.endswith("~")))
    if not zone:
        return value
    try:
        zoned = value.replace(tzinfo=ZoneInfo(zone))
    except (KeyError, ValueError, OSError) as err:  # no zone of that name is known here
        if value.tzinfo is None:
            raise ValueError(f"the time zone {short_repr(zone)} is not known here") from err
        return value
    # Zone data change: what was stored is an instant and an offset, so these stay as they were.
    return zoned if value.tzinfo is None or zoned.utcoffset() == value.utcoffset() else value


# -- the table -------------------------------------------------------------------------------

_old = partial(Scalar, untyped=True)
_clock = partial(_old, write=_write_clock, form=_clock_form, equal_is_same=False)

SCALARS: Final[dict[type, Scalar]] = {
    row.type: row
    for row in (
        _old(NoneType),
        _old(bool),
        _old(int, "$int", hex, lambda v: int(v, 16), form=int.__int__),
        # The repr has the sign of zero, and says nan.
        _old(float, "$float", repr, float, form=float.__repr__, equal_is_same=False),
        _old(
            str,
            "$codepoints",
            lambda v: list(map(ord, v)),
            lambda v: "".join(map(chr, v)),
            form=str.__str__,
        ),
        _old(
            bytes,
            "$bytes",
            lambda v: base64.b64encode(v).decode(),
            base64.b64decode,
            form=bytes,
        ),
        # The text has the zeros: 1.0 is not 1.00.
        _old(Decimal, "$decimal", str, Decimal, form=Decimal.__str__, equal_is_same=False),
        _clock(datetime, "$datetime", read=partial(_read_clock, datetime)),
        _clock(time, "$time", read=partial(_read_clock, time)),
        _old(date, "$date", date.isoformat, date.fromisoformat),
        _old(timedelta, "$timedelta", microseconds, lambda v: timedelta(microseconds=v)),
        _old(UUID, "$uuid", str, UUID),
        Scalar(IPv4Interface, "$ipv4interface", str, IPv4Interface),
        Scalar(IPv6Interface, "$ipv6interface", str, IPv6Interface),
        Scalar(IPv4Address, "$ipv4address", str, IPv4Address),
        Scalar(IPv6Address, "$ipv6address", str, IPv6Address),
        Scalar(IPv4Network, "$ipv4network", str, IPv4Network),
        Scalar(IPv6Network, "$ipv6network", str, IPv6Network),
    )
}
"""By type what is known of it; a subclass stands before what it is one of."""
