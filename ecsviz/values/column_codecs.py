"""How the values of one field stand in a column: one codec per SQL type, none of which is loaded.

A column holds what SQL can compare. The rare value that SQL would change (NaN, an integer beyond
64 bits, a time with an offset, a text with NUL, …) is kept exactly beside it: every codec hands
back, per row, such values to be stored in the row's ``ecs_exact`` column as JSON.

All work is by column: one look at the set of types decides for a whole batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from typing_extensions import override

from ecsviz.domain.objects import is_atom
from ecsviz.domain.scalars import NoneType, NotPlainError, microseconds, zone_of
from ecsviz.values.tagged_json import UNREADABLE, from_json, to_json

Exact = dict[int, Any]
"""Per row number of a batch, the value in the form of ``to_json``."""

Noted = Callable[[str], Any]
"""Gives the condition that a row has a value of the field in ``ecs_exact``, in a form that begins
with a pattern."""


class Refused(Exception):  # noqa: N818 - not an error that leaves this package: it is translated
    """A value that a codec cannot take.

    Attributes
    ----------
    row
        Its number in the batch.
    value
        The value; never shown.
    why
        What is wrong, to follow the place of the value in a sentence.
    """

    def __init__(self, row: int, value: Any, why: str) -> None:
        super().__init__(row, why)
        self.row = row
        self.value = value
        self.why = why


class NoCodec(Exception):  # noqa: N818 - not an error that leaves this package: it is translated
    """An annotation whose values cannot be stored; says why, to follow ``because``."""


# -- codecs ----------------------------------------------------------------------------------


class Codec:
    """How the values of one field stand in a column.

    Attributes
    ----------
    sql_name
        What SQL calls the column's type, as a store notes it.
    types
        The Python types that pass as they are, or by one conversion; others are refused.
    always_nullable
        Whether the column must allow NULL even for a field that is never None.
    """

    always_nullable = False

    def __init__(self, sql_name: str, *types: type) -> None:
        self.sql_name = sql_name
        self.types = frozenset({*types, NoneType})

    @property
    def is_of_atoms(self) -> bool:
        """Whether the values cannot change while they stay the same objects."""
        kinds = self.types - {NoneType}
        return bool(kinds) and all(map(is_atom, kinds))

    def encode(self, values: list[Any]) -> tuple[list[Any], Exact]:
        """Return what the column holds for each value, and what it cannot hold exactly."""
        self.check(values)
        return self.to_column(values)

    def check(self, values: list[Any]) -> None:
        """Raise for the first value of a type that the field does not have."""
        if not set(map(type, values)) <= self.types:
            for row, value in enumerate(values):
                if type(value) not in self.types:
                    raise Refused(row, value, self._why(value))

    def _why(self, value: Any) -> str:
        expected = " or ".join(sorted(kind.__name__ for kind in self.types - {NoneType}))
        return f"is of type {type(value).__name__}, but must be {expected}"

    def to_column(self, values: list[Any]) -> tuple[list[Any], Exact]:
        """Convert checked values."""
        return values, {}

    def decode(self, stored: list[Any]) -> list[Any]:
        """Return the values that a column stands for."""
        self.check(stored)
        return stored

    def values(self, stored: list[Any], exact: Exact) -> list[Any]:
        """Return the values of a column and of what it could not hold."""
        if not exact:
            return self.decode(stored)
        # A stand-in need not be a value: the integer nearest to an enum's is none of it.
        result = list(self.decode([None if n in exact else v for n, v in enumerate(stored)]))
        for row, data in exact.items():
            try:
                result[row] = self.restore(data)
                self.check([result[row]])
            except (Refused, *UNREADABLE):
                raise Refused(row, data, "is not what ecsviz writes beside a column") from None
        return result

    def restore(self, data: Any) -> Any:
        """Return the value of which `encode` handed back `data` as what a column cannot hold."""
        return from_json(data)

    def canonical(self, stored: list[Any]) -> list[Any]:
        """Return the column as str, int, float, bool, bytes and None, for the checksum."""
        return stored

    def order(self, values: list[Any]) -> list[Any]:
        """Return by what values are ordered; None stands last, whichever way they are ordered."""
        return values

    def unsure(self, column: Any, noted: Noted) -> Any:  # noqa: ARG002 - most columns are sure
        """Return which rows' column does not tell their place in that order; None for no row."""
        return None


class TextCodec(Codec):
    """Texts. NUL and lone surrogates are kept exactly beside a readable stand-in."""

    def __init__(self) -> None:
        super().__init__("TEXT", str)

    @override
    def to_column(self, values: list[Any]) -> tuple[list[Any], Exact]:
        texts = [value for value in values if value is not None]
        joined = "".join(texts)
        if "\0" not in joined and (joined.isascii() or _is_encodable(joined)):
            return values, {}
        column = list(values)
        exact: Exact = {}
        for row, value in enumerate(values):
            if value is not None:
                clean = value.encode(errors="replace").decode().replace("\0", "\ufffd")
                if clean != value:
                    column[row], exact[row] = clean, to_json(value)
        return column, exact

    @override
    def unsure(self, column: Any, noted: Noted) -> Any:
        return noted("")


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class BoolCodec(Codec):
    """Booleans; SQLite gives them back as 0 and 1."""

    def __init__(self) -> None:
        super().__init__("BOOLEAN", bool)


INTEGERS = (-(2**63), 2**63 - 1)
"""The smallest and the largest integer of a column."""


class IntCodec(Codec):
    """Integers of any size; beyond 64 bits the column holds the nearest that fits."""

    def __init__(self) -> None:
        super().__init__("BIGINT", int)

    @override
    def to_column(self, values: list[Any]) -> tuple[list[Any], Exact]:
        numbers = [value for value in values if value is not None]
        low, high = INTEGERS
        if not numbers or (min(numbers) >= low and max(numbers) <= high):
            return values, {}
        column = list(values)
        exact: Exact = {}
        for row, value in enumerate(values):
            if value is not None and not low <= value <= high:
                column[row], exact[row] = (low if value < 0 else high), to_json(value)
        return column, exact

    @override
    def unsure(self, column: Any, noted: Noted) -> Any:
        return noted("") & column.in_(INTEGERS)


_LARGEST = 1.7976931348623157e308


class FloatCodec(Codec):
    """Floats. NaN and negative zero do not survive every database; an int stays an int."""

    always_nullable = True  # SQLite stores NaN as NULL

    def __init__(self) -> None:
        super().__init__("DOUBLE", float, int)

    @override
    def to_column(self, values: list[Any]) -> tuple[list[Any], Exact]:
        numbers = [value for value in values if value is not None]
        # A sum is NaN or infinite if any part is; 0.0 and ints are looked for one by one.
        plain = set(map(type, numbers)) <= {float} and 0.0 not in numbers
        if plain and math.isfinite(sum(numbers)):
            return values, {}
        column = list(values)
        exact: Exact = {}
        for row, value in enumerate(values):
            if value is None:
                continue
            if type(value) is int:
                column[row], exact[row] = _nearest_float(value), to_json(value)
            elif math.isnan(value):
                column[row], exact[row] = None, to_json(value)
            elif math.isinf(value):
                column[row], exact[row] = math.copysign(_LARGEST, value), to_json(value)
            elif value == 0.0 and math.copysign(1.0, value) < 0:
                column[row], exact[row] = 0.0, -0.0
        return column, exact

    @override
    def order(self, values: list[Any]) -> list[Any]:
        return [None if v != v else v for v in values]  # noqa: PLR0124 - NaN

    @override
    def unsure(self, column: Any, noted: Noted) -> Any:
        # Integers from here on lie between floats; and what is infinite has the largest float.
        return noted("") & ((column >= 2.0**53) | (column <= -(2.0**53)))


def _nearest_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return _LARGEST if value > 0 else -_LARGEST


class DecimalCodec(Codec):
    """Decimals: a number to compare, and the exact digits where a float would lose them."""

    always_nullable = True

    def __init__(self) -> None:
        super().__init__("NUMERIC", Decimal)

    @override
    def to_column(self, values: list[Any]) -> tuple[list[Any], Exact]:
        column: list[Any] = []
        exact: Exact = {}
        for row, value in enumerate(values):
            if value is None:
                column.append(None)
                continue
            number = float(value) if value.is_finite() else math.nan
            near = Decimal(repr(number)) if math.isfinite(number) else None
            # SQL has no negative zero.
            column.append(Decimal("0.0") if near is not None and near.is_zero() else near)
            if str(column[-1]) != str(value):
                exact[row] = to_json(value)
        return column, exact

    @override
    def decode(self, stored: list[Any]) -> list[Any]:
        return [None if v is None else Decimal(repr(float(v))) for v in stored]

    @override
    def canonical(self, stored: list[Any]) -> list[Any]:
        return [None if v is None else float(v) for v in stored]

    @override
    def order(self, values: list[Any]) -> list[Any]:
        return [None if v is None or v.is_nan() else v for v in values]

    @override
    def unsure(self, column: Any, noted: Noted) -> Any:
        # Up to fifteen digits a float tells apart, unless it is very small or beyond all floats.
        long = noted('{"$decimal":"' + 16 * "_")
        small = column.between(Decimal("-1e-290"), Decimal("1e-290"))
        return long | (noted("") & (column.is_(None) | small))


class DatetimeCodec(Codec):
    """Points in time: the column holds UTC, an offset or its absence is kept beside it."""

    def __init__(self) -> None:
        super().__init__("DATETIME", datetime)

    @override
    def to_column(self, values: list[Any]) -> tuple[list[Any], Exact]:
        column: list[Any] = []
        exact: Exact = {}
        zero = timedelta(0)
        for row, value in enumerate(values):
            if value is None:
                column.append(None)
            elif not value.fold and (
                value.tzinfo is UTC or (value.utcoffset() == zero and zone_of(value) is None)
            ):
                column.append(value.replace(tzinfo=None))
            else:
                exact[row] = _clock_to_json(row, value)
                column.append(as_naive_utc(value))
        return column, exact

    @override
    def decode(self, stored: list[Any]) -> list[Any]:
        self.check(stored)
        return [None if v is None else v.replace(tzinfo=UTC) for v in stored]

    @override
    def canonical(self, stored: list[Any]) -> list[Any]:
        return [None if v is None else v.isoformat() for v in stored]

    @override
    def order(self, values: list[Any]) -> list[Any]:
        return [None if v is None else instant(v) for v in values]

    @override
    def unsure(self, column: Any, noted: Noted) -> Any:
        return noted("") & column.in_((_FIRST, _LAST))


_FIRST = datetime.min  # noqa: DTZ901 - as columns hold UTC
_LAST = datetime.max  # noqa: DTZ901 - as columns hold UTC


def instant(value: datetime) -> timedelta:
    """Return when a time is, since year 1 in UTC; one without an offset as if it were in UTC.

    Notes
    -----
    Python holds no two times of different zones for equal where one of them stands in an hour
    that a clock passes twice; by this they are, as in SQL.
    """
    offset = value.utcoffset() or timedelta(0)
    # A duration, since a datetime ends with year 9999.
    return (value.replace(tzinfo=None, fold=0) - _FIRST) - offset


def as_naive_utc(value: datetime) -> datetime:
    """Return a time as columns hold it."""
    since = instant(value)
    # Within a day of year 1 or 9999 an offset may lead beyond: then the nearest that there is.
    return _FIRST + min(max(since, timedelta(0)), _LAST - _FIRST)


def _clock_to_json(row: int, value: datetime | time) -> Any:
    try:
        return to_json(value)
    except NotPlainError as err:
        raise Refused(row, value, f"cannot be stored: {err}") from err


class PlainCodec(Codec):
    """Dates and UUIDs: the database has the type."""

    @override
    def canonical(self, stored: list[Any]) -> list[Any]:
        return [None if v is None else str(v) for v in stored]


class TimeCodec(PlainCodec):
    """Times of day; an offset is kept beside."""

    def __init__(self) -> None:
        super().__init__("TIME", time)

    @override
    def to_column(self, values: list[Any]) -> tuple[list[Any], Exact]:
        exact = {
            row: _clock_to_json(row, v)
            for row, v in enumerate(values)
            if v is not None and (v.tzinfo is not None or v.fold)
        }
        return [None if v is None else v.replace(tzinfo=None, fold=0) for v in values], exact

    @override
    def order(self, values: list[Any]) -> list[Any]:
        return [None if v is None else clock(v) for v in values]

    @override
    def unsure(self, column: Any, noted: Noted) -> Any:
        return noted("")


def clock(value: time) -> timedelta:
    """Return a time of day since midnight in UTC; one without an offset as if it were in UTC."""
    since = timedelta(
        hours=value.hour,
        minutes=value.minute,
        seconds=value.second,
        microseconds=value.microsecond,
    )
    return since - (value.utcoffset() or timedelta(0))


class TimedeltaCodec(Codec):
    """Durations, as whole microseconds."""

    def __init__(self) -> None:
        super().__init__("BIGINT", timedelta)

    @override
    def to_column(self, values: list[Any]) -> tuple[list[Any], Exact]:
        low, high = INTEGERS  # some 292,000 years; timedelta goes further
        column = [None if v is None else microseconds(v) for v in values]
        exact: Exact = {}
        for row, value in enumerate(column):
            if value is not None and not low <= value <= high:
                column[row], exact[row] = (low if value < 0 else high), to_json(values[row])
        return column, exact

    @override
    def decode(self, stored: list[Any]) -> list[Any]:
        result = []
        for row, value in enumerate(stored):
            try:
                result.append(None if value is None else timedelta(microseconds=value))
            except UNREADABLE:
                raise Refused(row, value, "is no number of microseconds") from None
        return result

    @override
    def unsure(self, column: Any, noted: Noted) -> Any:
        return noted("") & column.in_(INTEGERS)


class ConvertedCodec(Codec):
    """Values that one function turns into a text or an integer, and another one back."""

    def __init__(
        self,
        inner: Codec,
        types: Sequence[type],
        write: Callable[[Any], Any],
        read: Callable[[Any], Any],
    ) -> None:
        super().__init__(inner.sql_name, *types)
        self.inner, self.write, self.read = inner, write, read

    @override
    def to_column(self, values: list[Any]) -> tuple[list[Any], Exact]:
        return self.inner.encode([None if v is None else self.write(v) for v in values])

    @override
    def decode(self, stored: list[Any]) -> list[Any]:
        result = []
        for row, value in enumerate(self.inner.decode(stored)):
            try:
                result.append(None if value is None else self.read(value))
            except UNREADABLE:
                raise Refused(row, value, f"is no {self._name()}") from None
        return result

    def _name(self) -> str:
        return " or ".join(sorted(kind.__name__ for kind in self.types - {NoneType}))

    @override
    def restore(self, data: Any) -> Any:
        return self.read(self.inner.restore(data))

    @override
    def order(self, values: list[Any]) -> list[Any]:
        return self.inner.order([None if v is None else self.write(v) for v in values])

    @override
    def unsure(self, column: Any, noted: Noted) -> Any:
        return self.inner.unsure(column, noted)
