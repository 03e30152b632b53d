"""JSON that keeps Python's types."""

from __future__ import annotations

import enum
import json
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ecsviz as ev
from ecsviz.domain.equality import identical
from ecsviz.domain.scalars import NotPlainError, microseconds
from ecsviz.values.tagged_json import MAX_JSON_DEPTH, from_json, json_text, settled, to_json

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


@pytest.mark.parametrize("text", ["\ud800\udc00", "a\udbff\udfffb"])
def test_surrogates_in_a_row_stay_two_characters(text: str) -> None:
    for value in (text, [text], {text: 1}, {"a": text}):
        written = json_text(to_json(value))
        written.encode()
        assert identical(from_json(json.loads(written)), value)


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


ZONED = [
    datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")),
    datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
    datetime(1, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo")),  # an offset with seconds
    datetime(9999, 12, 31, 23, tzinfo=ZoneInfo("America/New_York")),
    datetime(2024, 1, 1, tzinfo=ZoneInfo("UTC")),
    time(1, tzinfo=ZoneInfo("Europe/Berlin")),
    time(1, tzinfo=TWO, fold=1),
]


@pytest.mark.parametrize("value", ZONED)
def test_a_zone_comes_back(value: Any) -> None:
    again = from_json(json.loads(json_text(to_json(value))))
    assert identical(again, value)
    assert again.tzinfo == value.tzinfo


@pytest.mark.parametrize(
    "zone",
    ["Europe/Atlantis", "../../../etc/passwd", "/etc/passwd", "Europe", "", "[", "\0", "x" * 999],
)
def test_a_zone_that_is_not_known_leaves_its_offset(zone: str) -> None:
    again = from_json({"$datetime": f"2024-07-01T00:00:00+02:00[{zone}]"})
    assert identical(again, datetime(2024, 7, 1, tzinfo=TWO))


def test_a_zone_whose_data_have_changed_leaves_its_offset() -> None:
    again = from_json({"$datetime": "2024-07-01T00:00:00+03:00[Europe/Berlin]"})
    assert again.utcoffset() == timedelta(hours=3)
    assert again.tzinfo == timezone(timedelta(hours=3))


def test_what_older_stores_wrote_of_times_is_read() -> None:
    again = from_json({"$datetime": "2024-10-27T02:30:00+01:00~"})
    assert identical(
        again, datetime(2024, 10, 27, 2, 30, tzinfo=timezone(timedelta(hours=1)), fold=1)
    )


class Sundial(tzinfo):
    """A zone without a name whose offset only a date tells."""

    def utcoffset(self, when: datetime | None) -> timedelta | None:
        return None if when is None else timedelta(hours=2)

    def dst(self, when: datetime | None) -> None:
        return None

    def tzname(self, when: datetime | None) -> str:
        return "sundial"


def test_a_zone_without_a_name() -> None:
    value = datetime(2024, 1, 1, tzinfo=Sundial())
    again = from_json(to_json(value))
    assert identical(again, value)
    assert settled(value).tzinfo == again.tzinfo == TWO
    with pytest.raises(NotPlainError, match="neither a name nor an offset"):
        to_json(time(1, tzinfo=Sundial()))
