"""Codecs: what a column holds, and what is kept beside it."""

from __future__ import annotations

import enum
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import pytest
import sqlalchemy as sa

from ecsviz.domain.equality import identical
from ecsviz.values.column_codecs import (
    BoolCodec,
    Codec,
    ConvertedCodec,
    DatetimeCodec,
    DecimalCodec,
    FloatCodec,
    IntCodec,
    Refused,
    TextCodec,
    TimedeltaCodec,
)


def there_and_back(codec: Codec, values: list[Any]) -> tuple[list[Any], list[Any]]:
    column, exact = codec.encode(values)
    return column, codec.values(column, exact)


@pytest.mark.parametrize(
    ("codec", "values", "column"),
    [
        (TextCodec(), ["a", None, "x\0y", "\ud800"], ["a", None, "x\ufffdy", "?"]),
        (IntCodec(), [1, None, 2**63, -(2**70)], [1, None, 2**63 - 1, -(2**63)]),
        (FloatCodec(), [1.5, -0.0, 7], [1.5, 0.0, 7.0]),
        (FloatCodec(), [math.inf, 10**400], [1.7976931348623157e308] * 2),
        (FloatCodec(), [math.nan, None], [None, None]),
        (BoolCodec(), [True, None], [True, None]),
        (DecimalCodec(), [Decimal("1.5"), Decimal("-0.0")], [Decimal("1.5"), Decimal("0.0")]),
        (DecimalCodec(), [Decimal("NaN"), Decimal("1e999")], [None, None]),
        (
            DatetimeCodec(),
            [datetime(2024, 1, 1, 2, tzinfo=UTC), None],
            [datetime(2024, 1, 1, 2), None],  # noqa: DTZ001 - columns are naive UTC
        ),
        # The second time when clocks go back is kept.
        (
            DatetimeCodec(),
            [datetime(2024, 10, 27, 2, tzinfo=UTC, fold=1)],
            [datetime(2024, 10, 27, 2)],  # noqa: DTZ001 - as above
        ),
    ],
)
def test_columns_hold_what_sql_can_compare(
    codec: Codec, values: list[Any], column: list[Any]
) -> None:
    found, decoded = there_and_back(codec, values)
    assert identical(found, column)
    assert identical(decoded, values)


def test_ordinary_values_need_nothing_beside() -> None:
    for codec, values in (
        (TextCodec(), ["a", "é", "日本語", ""]),
        (IntCodec(), [0, -1, 2**63 - 1]),
        (FloatCodec(), [0.1, -2.5, 1e300]),
        (DecimalCodec(), [Decimal("0.1"), Decimal("12.75")]),
        (DatetimeCodec(), [datetime(2024, 1, 1, tzinfo=UTC)]),
        (TimedeltaCodec(), [timedelta(1, 2, 3)]),
    ):
        assert codec.encode(list(values))[1] == {}


@pytest.mark.parametrize(
    ("codec", "value"),
    [
        (TextCodec(), 5),
        (IntCodec(), True),
        (IntCodec(), 1.0),
        (FloatCodec(), True),
        (BoolCodec(), 1),
        (DecimalCodec(), 1.5),
        (DatetimeCodec(), "2024-01-01"),
        (Codec(sa.LargeBinary(), bytes), "x"),
    ],
)
def test_other_types_are_refused_with_their_row_and_not_their_value(
    codec: Codec, value: Any
) -> None:
    with pytest.raises(Refused) as caught:
        codec.encode([None, value])
    assert caught.value.row == 1
    assert type(value).__name__ in caught.value.why
    assert "2024" not in caught.value.why


class Big(enum.IntEnum):
    SMALL = 1
    HUGE = 2**70


def test_what_is_kept_beside_a_converted_column_is_converted_back() -> None:
    for codec, values in (
        (ConvertedCodec(IntCodec(), (Big,), lambda m: m.value, Big), list(Big)),
        (
            ConvertedCodec(TextCodec(), (PurePosixPath,), str, PurePosixPath),
            [PurePosixPath("a"), PurePosixPath("\udcff/b"), PurePosixPath("x\0y")],
        ),
    ):
        assert identical(there_and_back(codec, values)[1], values)


@pytest.mark.parametrize(
    ("codec", "stored"),
    [
        (TextCodec(), 5),
        (IntCodec(), "x"),
        (TimedeltaCodec(), 10**30),
        (TimedeltaCodec(), "x"),
        (ConvertedCodec(IntCodec(), (Big,), lambda m: m.value, Big), 77),
    ],
)
def test_what_others_wrote_into_a_column_is_told(codec: Codec, stored: Any) -> None:
    with pytest.raises(Refused) as caught:
        codec.decode([None, stored])
    assert caught.value.row == 1


def test_checksums_see_plain_values_only() -> None:
    plain = (str, int, float, bool, bytes, type(None))
    for codec, values in (
        (DatetimeCodec(), [datetime(2024, 1, 1, tzinfo=UTC), None]),
        (DecimalCodec(), [Decimal("1.5"), None]),
        (TimedeltaCodec(), [timedelta(1), None]),
    ):
        column, _ = codec.encode(list(values))
        assert all(isinstance(value, plain) for value in codec.canonical(column))
