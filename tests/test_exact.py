"""JSON that keeps Python's types, and what is exactly the same."""

from __future__ import annotations

import dataclasses
import enum
import json
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

import ecsviz as ev
from ecsviz.exact import (
    MAX_JSON_DEPTH,
    NotPlainError,
    from_json,
    identical,
    json_text,
    microseconds,
    to_json,
)

TWO = timezone(timedelta(hours=2))

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.text(st.characters(exclude_categories=()), max_size=5)
    | st.binary(max_size=5)
    | st.decimals(allow_nan=True).filter(lambda d: not d.is_snan())
    | st.datetimes(timezones=st.none() | st.just(UTC) | st.just(TWO))
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.uuids()
)
keys = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just("$ref") | st.uuids()
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.sets(keys, max_size=3)
        | st.frozensets(keys, max_size=3)
        | st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=8,
)


@given(values)
def test_every_plain_value_comes_back_exactly(value: Any) -> None:
    text = json_text(to_json(value))
    text.encode()  # UTF-8 carries it
    assert identical(from_json(json.loads(text)), value)


def test_a_set_is_written_alike_in_every_order() -> None:
    members = [f"text {n}" for n in range(50)]
    backwards = [*reversed(members)]
    assert to_json(set(members)) == to_json(set(backwards))
    deep = {frozenset(members), frozenset(members[:3])}
    assert json_text(to_json(deep)) == json_text(to_json({frozenset(backwards), *deep}))


@pytest.mark.parametrize("value", [object(), len, 1j, {"a": [bytearray(b"x")]}, enum.Enum])
def test_what_json_cannot_keep_is_refused(value: Any) -> None:
    with pytest.raises(NotPlainError):
        to_json(value)


def test_depth_is_bounded() -> None:
    value: Any = []
    for _ in range(MAX_JSON_DEPTH):
        value = [value]
    assert identical(from_json(to_json(value)), value)
    with pytest.raises(NotPlainError, match="deep"):
        to_json([value])
    value = []
    value.append(value)
    with pytest.raises(NotPlainError, match="holds itself"):
        to_json(value)


def test_references_are_written_and_resolved() -> None:
    note = ev.ChatThread(title="a")

    def refer(part: Any) -> Any:
        return {"$ref": 7} if part is note else NotImplemented

    data = to_json({"x": [note, (1,)]}, refer)
    assert data == {"x": [{"$ref": 7}, {"$tuple": [1]}]}
    again = from_json(data, {7: note}.__getitem__)
    assert again["x"][0] is note
    assert from_json(to_json({"$ref": 7})) == {"$ref": 7}, "a user's own key is no reference"


@pytest.mark.parametrize("data", [{"$what": 1}, {"$int": "x"}, {"$date": "x"}, {"$ref": 1}])
def test_what_was_never_written_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_json(data)


def test_microseconds_are_whole() -> None:
    assert microseconds(timedelta.max) == 86399999999999999999
    assert timedelta(microseconds=microseconds(timedelta.min)) == timedelta.min


# -- identical -------------------------------------------------------------------------------


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
