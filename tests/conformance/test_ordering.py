"""find() puts values in the order that Python's own ``sorted`` gives them, and finds each."""

from __future__ import annotations

import datetime as dt
import enum
import math
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

import ecsviz as ev
from tests.conformance.conftest import KINDS, OPENERS, Open

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = (None, dt.UTC, BERLIN, ZoneInfo("UTC"), dt.timezone(dt.timedelta(hours=-14)))
YEAR_1, YEAR_9999 = dt.datetime.min, dt.datetime.max  # noqa: DTZ901 - the ends of what there is


BACK, FORTH = (dt.datetime.fromisoformat(text) for text in ("2024-10-27 02:30", "2024-03-31 02:00"))


class Grade(enum.IntEnum):
    LOW = -(2**70)
    HIGH = 2**70


class Mixed(enum.Enum):
    ONE = 1
    TWO = "two"


class Sorted(ev.Entity):
    """Each kind of value that has an order, and one that goes beyond what SQL has."""

    number: int | None = None
    floating: float | None = None
    exact: Decimal | None = None
    some_text: str | None = None
    größe: str | None = None  # noqa: PLC2401 - JSON may escape such a name
    raw: bytes | None = None
    yes: bool | None = None
    at: dt.datetime | None = None
    day: dt.date | None = None
    clock: dt.time | None = None
    lasts: dt.timedelta | None = None
    uid: UUID | None = None
    grade: Grade | None = None
    mixed: Mixed | None = None


@pytest.fixture(params=KINDS)
def reopen(request: pytest.FixtureRequest, tmp_path: Any) -> Open:
    return OPENERS[request.param](tmp_path, request)


def instant(value: dt.datetime) -> dt.timedelta:
    return value.replace(tzinfo=None) - YEAR_1 - (value.utcoffset() or dt.timedelta(0))


def clock(value: dt.time) -> dt.timedelta:
    since = dt.datetime.combine(dt.date.min, value.replace(tzinfo=None)) - YEAR_1
    return since - (value.utcoffset() or dt.timedelta(0))


def a_number(r: random.Random) -> Any:
    near = r.choice([0, 2**53, 2**63, -(2**63), 2**64, 10**40, -(10**40), 10**400])
    return near + r.randint(-2, 2)


def a_float(r: random.Random) -> Any:
    if r.random() < 0.3:
        return a_number(r)  # an int in a float's field stays one
    odd = [math.inf, -math.inf, math.nan, 0.0, -0.0, 1.7976931348623157e308, 5e-324, 2.0**53]
    return r.choice([*odd, r.uniform(-3, 3)])


def an_exact(r: random.Random) -> Any:
    text = r.choice(
        ["0.1", "1", "-1", "12345678901234567890", "0.10", "0", "-0", "99999999999999.9"]
    )
    more = r.choice(["", f"E{r.choice([-400, -310, -5, 5, 400])}"])
    tail = r.choice(["", "0001", "00000000000000000001"]) if "." in text else ""
    return r.choice(
        [Decimal(text + tail + more), Decimal(r.choice(["Inf", "-Inf", "NaN", "sNaN"]))]
    )


def a_text(r: random.Random) -> Any:
    letters = [
        "a",
        "B",
        "z",
        "\0",
        "?",
        "\ufffd",
        "\ud800",
        "\udfff",
        "\ue000",
        "\U0001f600",
        '"',
        "'",
        "%",
    ]
    return "".join(r.choices(letters, k=r.randint(0, 3)))


def a_time(r: random.Random) -> Any:
    near = r.choice([YEAR_1, YEAR_9999, BACK, FORTH])
    steps = dt.timedelta(minutes=r.choice([0, 30, 60, 90]), microseconds=r.randint(0, 1))
    moved = near - steps if near == YEAR_9999 else near + steps
    return moved.replace(tzinfo=r.choice(ZONES), fold=r.randint(0, 1))


def a_clock(r: random.Random) -> Any:
    return dt.time(
        r.choice([0, 11, 12, 23]), 0, 0, r.randint(0, 1), r.choice(ZONES), fold=r.randint(0, 1)
    )


KINDS: dict[str, tuple[Callable[[random.Random], Any], Callable[[Any], Any]]] = {
    "number": (a_number, lambda v: v),
    "floating": (a_float, lambda v: v),
    "exact": (an_exact, lambda v: v),
    "some_text": (a_text, lambda v: v),
    "größe": (a_text, lambda v: v),
    "raw": (lambda r: bytes(r.choices([0, 1, 255], k=r.randint(0, 3))), lambda v: v),
    "yes": (lambda r: r.random() < 0.5, lambda v: v),
    "at": (a_time, instant),
    "day": (lambda r: dt.date.fromordinal(r.choice([1, 2, 3_652_059, 700_000])), lambda v: v),
    "clock": (a_clock, clock),
    "lasts": (
        lambda r: (
            r.choice([dt.timedelta.min, dt.timedelta.max, dt.timedelta(microseconds=2**63)])
            if r.random() < 0.5
            else dt.timedelta(microseconds=a_number(random.Random(r.random() < 0.5)) % 2**66)
        ),
        lambda v: v,
    ),
    "uid": (lambda r: UUID(int=r.getrandbits(128)), lambda v: v),
    "grade": (lambda r: r.choice([*Grade]), lambda v: v),
    "mixed": (lambda r: r.choice([*Mixed]), lambda v: v.name),
}


def is_nan(value: Any) -> bool:
    if isinstance(value, Decimal):
        return value.is_nan()
    return isinstance(value, float) and math.isnan(value)


def in_order(
    entities: list[Any], field: str, key: Callable[[Any], Any], falling: bool
) -> list[Any]:
    """What has no place in the order, None and NaN, stands last, whichever way it goes."""
    values = {e.ecs_id: getattr(e, field) for e in entities}
    last = [e for e in entities if values[e.ecs_id] is None or is_nan(values[e.ecs_id])]
    rest = [e for e in entities if e not in last]
    return sorted(rest, key=lambda e: key(values[e.ecs_id]), reverse=falling) + last


def same(field: str, one: Any, other: Any) -> bool:
    if one is None or other is None or is_nan(one) or is_nan(other):
        return (one is None) == (other is None) and is_nan(one) == is_nan(other)
    if field in ("at", "clock") and (one.utcoffset() is None) != (other.utcoffset() is None):
        return False
    key = KINDS[field][1]
    return bool(key(one) == key(other))


@pytest.mark.parametrize("field", KINDS)
def test_every_kind_of_value_has_its_order_and_is_found(reopen: Open, field: str) -> None:
    make, key = KINDS[field]
    r = random.Random(f"values of {field}")
    entities: list[Any] = [Sorted() for _ in range(40)]
    for entity in entities[4:]:
        entity.__dict__[field] = make(r)
    r.shuffle(entities)
    reopen().register(entities)
    store: Any = reopen()
    for falling in (False, True):
        name = "-" * falling + field
        wanted = in_order(entities, field, key, falling)
        assert store.find(Sorted, order_by=name) == wanted
        for limit, offset in ((1, 0), (7, 5), (3, 30), (50, 10), (0, 3)):
            found = store.find(Sorted, order_by=name, limit=limit, offset=offset)
            assert found == wanted[offset : offset + limit]
    for value in [getattr(e, field) for e in entities[::2]]:
        wanted = [e for e in entities if same(field, getattr(e, field), value)]
        assert store.find(Sorted, **{field: value}) == wanted, repr(value)
        assert store.find(Sorted, **{field: value}, limit=2) == wanted[:2], repr(value)


ALIKE: list[tuple[str, list[Any]]] = [
    # Each list rises; its values share one stand-in, or nearly so.
    ("floating", [2.0**53, 2**53 + 1, 2.0**53 + 2, 2**53 + 3]),
    ("floating", [-(10**400), -1e308, 1e308, 10**400]),
    ("exact", [Decimal(t) for t in ("0.1", "0.10000000000000000001", "0.1000000000000000002")]),
    ("number", [2**63 - 1, 2**63, 2**63 + 1, 10**40]),
    ("some_text", ["?", "?\0", "?\ud800", "?\ufffd"]),
]


@pytest.mark.parametrize(("field", "values"), ALIKE)
def test_stand_ins_that_are_alike(reopen: Open, field: str, values: list[Any]) -> None:
    rising = [Sorted() for _ in values]
    for entity, value in zip(rising, values, strict=True):
        entity.__dict__[field] = value
    nothing = Sorted()
    reopen().register([nothing, *rising[::-1]])
    store: Any = reopen()
    assert store.find(Sorted, order_by=field) == [*rising, nothing]
    assert store.find(Sorted, order_by=f"-{field}") == [*rising[::-1], nothing]
    assert store.find(Sorted, order_by=field, limit=2) == rising[:2]


def test_one_time_of_day_in_two_zones(reopen: Open) -> None:
    noon = dt.time(12, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    entities = reopen().register([Sorted(clock=noon), Sorted(clock=dt.time(10)), Sorted()])
    store: Any = reopen()
    assert store.find(Sorted, clock=dt.time(10, tzinfo=dt.UTC)) == entities[:1]
    assert store.find(Sorted, clock=dt.time(10)) == entities[1:2]
    assert store.find(Sorted, clock=dt.time(12)) == []


def test_two_orders_at_once(reopen: Open) -> None:
    r = random.Random(7)
    entities = [Sorted(number=2**70 + r.randint(0, 2), yes=r.random() < 0.5) for _ in range(20)]
    entities += [Sorted(number=r.choice([2**63 - 1, None]), some_text=a_text(r)) for _ in range(20)]
    reopen().register(entities)
    rising = in_order(in_order(entities, "yes", bool, True), "number", int, False)
    store: Any = reopen()
    assert store.find(Sorted, order_by=["number", "-yes"]) == rising
    assert store.find(Sorted, order_by=["number", "-yes"], limit=9, offset=4) == rising[4:13]
    big = store.find(Sorted, number=2**70 + 1, order_by="-yes", limit=3)
    assert big == [e for e in rising if e.number == 2**70 + 1][:3]


def test_both_passages_of_an_hour(reopen: Open) -> None:
    """When clocks go back, a time of the day comes twice; each finds itself, in every zone."""
    first = dt.datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN)
    second = first.replace(fold=1)
    entities = reopen().register([Sorted(at=second), Sorted(at=first)])
    store: Any = reopen()
    for number, value in enumerate((second, first)):
        for zone in (BERLIN, dt.UTC, ZoneInfo("America/New_York")):
            assert store.find(Sorted, at=value.astimezone(zone)) == [entities[number]]
    assert store.find(Sorted, order_by="at") == entities[::-1]


class Base(ev.Entity):
    value: Any = None


class OfText(Base):
    value: str = ""


class OfNumber(Base):
    value: int = 0


def test_classes_whose_values_have_no_common_order(reopen: Open) -> None:
    reopen().register([OfText(value="a"), OfNumber(value=1)])
    with pytest.raises(ev.errors.InvalidArgumentError, match="another type in"):
        reopen().find(Base, order_by="value")  # type: ignore[attr-defined]  # both storages have it


class Nameless(dt.tzinfo):
    """A zone of a user's, which has an offset and no name that others know."""

    def utcoffset(self, when: dt.datetime | None) -> dt.timedelta:
        return dt.timedelta(hours=3)

    def dst(self, when: dt.datetime | None) -> None:
        return None

    def tzname(self, when: dt.datetime | None) -> str:
        return "somewhere"


@pytest.mark.parametrize(
    ("zone", "comes_back"),
    [
        (BERLIN, BERLIN),
        (ZoneInfo("UTC"), ZoneInfo("UTC")),
        (dt.UTC, dt.UTC),
        (Nameless(), dt.timezone(dt.timedelta(hours=3))),
        (dt.timezone(dt.timedelta(hours=3), "here"), dt.timezone(dt.timedelta(hours=3))),
    ],
)
def test_a_time_comes_back_in_its_zone(reopen: Open, zone: dt.tzinfo, comes_back: Any) -> None:
    value = BACK.replace(tzinfo=zone, fold=1)
    entity = reopen().register(Sorted(at=value, clock=value.timetz()))
    again = reopen().get(entity.ecs_id)
    assert again.at is not None
    assert again.clock is not None
    assert repr(again.at.tzinfo) == repr(again.clock.tzinfo) == repr(comes_back)
    assert (again.at.fold, again.at.utcoffset()) == (1, value.utcoffset())
    assert reopen().register(again).version == 1
