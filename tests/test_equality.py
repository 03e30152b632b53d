"""What is exactly the same, for storing, comparing and verifying alike."""

from __future__ import annotations

import enum
import math
from collections import deque
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import cached_property
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel

import ecsviz as ev
from ecsviz.domain.equality import Comparison, identical
from ecsviz.values.tagged_json import json_text, to_json

TWO = timezone(timedelta(hours=2))


class Point(BaseModel):
    x: float
    y: Any = None

    @cached_property
    def double(self) -> float:
        return 2 * self.x


def test_an_entity_is_only_itself() -> None:
    one = ev.ChatThread()
    two = ev.ChatThread(ecs_id=one.ecs_id)
    assert one == two
    assert not identical([one], [two])
    assert identical([one], [one])


def test_what_cached_properties_leave_behind_does_not_count() -> None:
    one, two = Point(x=1), Point(x=1)
    assert one.double == 2
    assert identical(one, two)


# -- one notion with what is stored ----------------------------------------------------------

BERLIN = ZoneInfo("Europe/Berlin")
BACK = datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN)
NEAR: list[Any] = [
    *(None, 0, False, 0.0, -0.0, 1, True, 1.0, math.nan, -math.nan, math.inf, "", "0", b"", b"0"),
    *(2**53, 2.0**53, 2**70, Decimal(1), Decimal("1.0"), Decimal("NaN"), Decimal("sNaN")),
    *(Decimal("-NaN"), Decimal("NaN7"), "\ud800\udc00", "\U00010000", "\ud800", "?", "\0"),
    *(BACK, BACK.replace(fold=1), BACK.replace(tzinfo=None), BACK.astimezone(UTC)),
    *(BACK.replace(tzinfo=TWO), BACK.replace(tzinfo=ZoneInfo("Europe/Rome")), date(2024, 10, 27)),
    *(time(1), time(1, fold=1), time(1, tzinfo=TWO), time(1, tzinfo=BERLIN), timedelta(1)),
    *(UUID(int=1), (), (1,), (True,), frozenset({1}), frozenset({True}), frozenset({(0.0,)})),
    *(
        frozenset({(-0.0,)}),
        (math.nan,),
        frozenset({math.nan, float("nan")}),
        frozenset({math.nan}),
    ),
]
IN: list[Callable[[Any], Any]] = [
    lambda v: v,
    lambda v: [v],
    lambda v: (v, 1),
    lambda v: {"key": v},
    lambda v: deque([v], maxlen=3),
    lambda v: {v, "more"},
    lambda v: {v: 1},
    lambda v: frozenset({(v, frozenset({v}))}),
]


@pytest.mark.parametrize("make", IN)
def test_the_same_is_what_is_stored_alike(make: Callable[[Any], Any]) -> None:
    """Otherwise one storage would take for an edit what another does not see."""
    values, again = [
        [make(v) for v in NEAR if not (isinstance(v, Decimal) and v.is_snan() and make(1) != 1)]
        for _ in range(2)
    ]
    texts = [json_text(to_json(value)) for value in values]
    for x, one in zip(values, texts, strict=True):
        for y, other in zip(again, texts, strict=True):
            assert identical(x, y) == (one == other), (x, y)
            assert identical(x, y) == (Comparison().differ(x, y) is None)


def test_values_of_any_depth_and_such_as_hold_themselves() -> None:
    deep: list[list[Any]] = [[], []]
    for each in deep:
        inner = each
        for _ in range(50_000):
            inner.append([])
            inner = inner[0]
    assert identical(*deep)
    inner.append(1)
    assert not identical(*deep)
    one: list[Any] = [1]
    other: list[Any] = [1]
    one.append(one)
    other.append(other)
    assert identical(one, other)
    for each in deep:  # lest it is taken apart by recursion
        while each:
            each[:] = each[0] if isinstance(each[0], list) else []


def test_one_member_of_an_enum_in_two_definitions() -> None:
    def colour(blue: Any) -> Any:
        return enum.Enum("Colour", {"RED": 1, "BLUE": blue}, module=__name__, qualname="Colour")

    first, second, third = colour(2), colour(2), colour(True)
    assert identical(first["BLUE"], second["BLUE"])
    assert identical({first["BLUE"]}, {second["BLUE"]})
    assert not identical(first["RED"], second["BLUE"])
    assert not identical(first["BLUE"], third["RED"])
