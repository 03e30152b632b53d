"""What is exactly the same, for storing, comparing and verifying alike."""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from pydantic import BaseModel

import ecsviz as ev
from ecsviz.equality import identical

TWO = timezone(timedelta(hours=2))


class Point(BaseModel):
    x: float
    y: Any = None

    @cached_property
    def double(self) -> float:
        return 2 * self.x


@dataclasses.dataclass
class Span:
    start: int


class Named(NamedTuple):
    a: int


class Odd:
    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparing")

    __hash__ = object.__hash__


class Shade(enum.IntEnum):
    DARK = 1


SAME: list[Callable[[], Any]] = [
    lambda: math.nan,
    lambda: [float("nan")],
    lambda: {"a": (1, {2, 3})},
    lambda: Point(x=1),
    lambda: Span(1),
    lambda: Named(1),
    lambda: {frozenset({1}): b"x"},
    lambda: datetime(2024, 1, 1, tzinfo=TWO),
    lambda: Decimal("1.10"),
    lambda: {math.inf, "x"},
]


@pytest.mark.parametrize("make", SAME)
def test_the_same(make: Callable[[], Any]) -> None:
    assert identical(make(), make())


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        ([1], (1,)),
        ([1], [True]),
        ({1}, {True}),
        ({1}, frozenset({1})),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({1: "x"}, {True: "x"}),
        (Decimal("1.0"), Decimal("1.00")),
        (datetime(2024, 1, 1, 2, tzinfo=TWO), datetime(2024, 1, 1, tzinfo=UTC)),
        (time(1, fold=1), time(1)),
        (date(2024, 1, 1), datetime(2024, 1, 1)),  # noqa: DTZ001 - compared, not used
        (Point(x=1), Point(x=2)),
        (Point(x=1, y=1), Point(x=1, y=True)),
        (Span(1), Span(2)),
        (Shade.DARK, 1),
        (Named(1), (1,)),
        ([1, 2], [1]),
        ({1, 2}, {1, 3}),
        (Odd(), Odd()),
        (None, 0),
        (UUID(int=1), UUID(int=2)),
    ],
)
def test_not_the_same(a: Any, b: Any) -> None:
    assert not identical(a, b)
    assert not identical(b, a)
    assert identical(a, a)


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
