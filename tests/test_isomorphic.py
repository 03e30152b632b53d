"""Two graphs are the same, or the first place where they differ is told."""

from __future__ import annotations

import copy
import enum
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel, ConfigDict, Field

import ecsviz as ev
from ecsviz.domain.equality import identical
from ecsviz.errors import NotAnEntityError
from ecsviz.isomorphic import find_difference, isomorphic

NAN = float("nan")


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Level(enum.IntEnum):
    LOW = 1


class Point(BaseModel):
    x: int
    y: int = 0


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")


@dataclass
class Pair:
    left: Any
    right: Any


class Named(NamedTuple):
    left: Any
    right: Any


class Box(ev.Entity):
    model_config = ConfigDict(arbitrary_types_allowed=True, extra="allow")

    value: Any = None
    friend: Box | None = None
    friends: list[Box] = ev.reference(inverse=None, default_factory=list)
    circle: set[Box] = Field(default_factory=set)
    by_name: dict[str, Box] = Field(default_factory=dict)


def boxes(a: Any, b: Any) -> tuple[Box, Box]:
    """Two entities that differ in nothing but what they hold; as it is, without validation."""
    first = Box()
    second = copy.copy(first)
    first.__dict__["value"], second.__dict__["value"] = a, b
    return first, second


SAME = [
    (1, 1),
    ("a", "a"),
    (None, None),
    (NAN, -NAN),
    (-0.0, -0.0),
    (complex(NAN, 1), complex(NAN, 1)),
    (Decimal("1.0"), Decimal("1.0")),
    (Decimal("NaN"), Decimal("NaN")),
    (Decimal("sNaN"), Decimal("sNaN")),
    ([1, [2, (3,)]], [1, [2, (3,)]]),
    ({"a": 1, 2: "b", NAN: 3}, {"a": 1, 2: "b", float("nan"): 3}),
    ({1, "a", NAN}, {"a", float("nan"), 1}),
    ({frozenset({1, 2})}, {frozenset({2, 1})}),
    (deque([1, 2]), deque([1, 2])),
    (Point(x=1), Point(x=1, y=0)),
    (Loose(a=[1]), Loose(a=[1])),
    (Pair(1, [2]), Pair(1, [2])),
    (Named(1, 2), Named(1, 2)),
    (Colour.RED, Colour.RED),
    (b"\0\xff", b"\0\xff"),
    (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)),
    ({frozenset({1}): b"x"}, {frozenset({1}): b"x"}),
]


@pytest.mark.parametrize(("a", "b"), SAME)
def test_the_same(a: Any, b: Any) -> None:
    assert find_difference(*boxes(a, b)) is None
    assert identical(a, b)


TOLD = [
    (1, 2, ": 1 != 2"),
    ("a", "b", ": 'a' != 'b'"),
    (1, True, ": 1 (int) != True (bool)"),
    (1, 1.0, ": 1 (int) != 1.0 (float)"),
    (0.0, -0.0, ": 0.0 != -0.0"),
    (1.0, NAN, ": 1.0 != nan"),
    (complex(0, 0.0), complex(0, -0.0), ": 0j != -0j"),
    (None, "", ": None != '' (str)"),
    ("", b"", ": '' (str) != b'' (bytes)"),
    (Decimal("1.0"), Decimal("1.00"), ": Decimal('1.0') != Decimal('1.00')"),
    (Level.LOW, 1, ": <Level.LOW: 1> (Level) != 1 (int)"),
    (Colour.RED, Colour.BLUE, ": <Colour.RED: 1> != <Colour.BLUE: 2>"),
    ([1, 2], (1, 2), ": [1, 2] (list) != (1, 2) (tuple)"),
    ([], None, ": [] (list) != None"),
    ([1, 2, 3], [1, 3, 2], "[1]: 2 != 3"),
    ([1, 2], [1], ": length: 2 != 1"),
    ([1, 2], [0], "[0]: 1 != 0"),
    ([[1], [True]], [[1], [1]], "[1][0]: True (bool) != 1 (int)"),
    (Named(1, 2), (1, 2), ": Named(left=1, right=2) (Named) != (1, 2) (tuple)"),
    ({"a": 1}, {"a": 2}, "['a']: 1 != 2"),
    ({"a": 1}, {}, ": the key 'a' is only in the first graph"),
    ({}, {"a": 1}, ": the key 'a' is only in the second graph"),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}, ": the keys stand in another order"),
    ({1: "x"}, {True: "x"}, " (a key): 1 (int) != True (bool)"),
    ({1, 2}, {1, 3}, ": 2 is only in the first graph"),
    ({1}, {1, 3}, ": 3 is only in the second graph"),
    ({1}, {True}, "{1}: 1 (int) != True (bool)"),
    ({1}, frozenset({1}), ": {1} (set) != frozenset({1}) (frozenset)"),
    (Point(x=1), Point(x=2), ".x: 1 != 2"),
    (Loose(a=1), Loose(a=2), ".a: 1 != 2"),
    (Loose(a=1), Loose(), ".a: 1 (int) != nothing"),
    (Pair(1, [2]), Pair(1, [3]), ".right[0]: 2 != 3"),
    (
        datetime(2024, 1, 1, 12, tzinfo=UTC),
        datetime(2024, 1, 1, 13, tzinfo=timezone(timedelta(hours=1))),
        ": datetime.datetime(2024, 1, 1, 12, 0, tzinfo=datetime.timezone.utc) != ",
    ),
    # A zone says more than its offset.
    (
        datetime(2024, 7, 1, tzinfo=ZoneInfo("Europe/Rome")),
        datetime(2024, 7, 1, tzinfo=timezone(timedelta(hours=2))),
        ": datetime.datetime(2024, 7, 1, 0, 0, tzinfo=zoneinfo.ZoneInfo(key='Europe/Rome')) != ",
    ),
    ({0.0}, {-0.0}, "{0.0}: 0.0 != -0.0"),
    ({frozenset({1})}, {frozenset({True})}, "{frozenset({1})}{1}: 1 (int) != True (bool)"),
    (deque([1], maxlen=2), deque([1]), ".maxlen: 2 (int) != None"),
    (time(1), time(1, fold=1), ": datetime.time(1, 0) != datetime.time(1, 0, fold=1)"),
    (time(1), time(1, tzinfo=UTC), ": datetime.time(1, 0) != datetime.time(1, 0, tzinfo="),
    (
        "x" * 500 + "abc",
        "x" * 500 + "abd" + "y" * 100,
        ": from character 502 on 'c' != 'dyyyyyyyyyyyyyyyyyyy'",
    ),
    (b"x" * 100, b"x" * 99, ": from byte 99 on b'x' != b''"),
    (date(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC), ": datetime.date(2024, 1, 1) (date) != "),
    (Point(x=1, y=1), Point.model_construct(x=1, y=True), ".y: 1 (int) != True (bool)"),
    (UUID(int=1), UUID(int=2), ": UUID('00000000-0000-0000-0000-000000000001') != "),
]


@pytest.mark.parametrize(("a", "b", "told"), TOLD)
def test_a_difference(a: Any, b: Any, told: str) -> None:
    first, second = boxes(a, b)
    assert not identical(a, b)
    assert not identical(b, a)
    found = find_difference(first, second)
    assert found is not None
    assert found.startswith(f"Box.value{told}")
    assert not isomorphic(first, second)
    assert find_difference(second, first) is not None
    assert find_difference(first, first) is None


def test_an_eq_that_raises_is_no_equality() -> None:
    class Rude:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError

        __hash__ = None  # type: ignore[assignment]

    assert "Box.value" in str(find_difference(*boxes(Rude(), Rude())))
    assert not identical(Rude(), Rude())


def test_values_that_hold_themselves() -> None:
    def loop(last: int) -> list[Any]:
        made: list[Any] = [1]
        made += [made, last]
        return made

    assert find_difference(*boxes(loop(1), loop(1))) is None
    assert find_difference(*boxes(loop(1), loop(2))) == "Box.value[2]: 1 != 2"


# -- entities --------------------------------------------------------------------------------


def change_id(box: Box) -> None:
    box.friend = Box()


def change_class(box: Box) -> None:
    class Crate(Box):
        pass

    assert box.friend is not None
    box.friend = Crate(ecs_id=box.friend.ecs_id)


def swap_list(box: Box) -> None:
    box.friends.reverse()


def drop_from_set(box: Box) -> None:
    box.circle.clear()


def other_key(box: Box) -> None:
    box.by_name["z"] = box.by_name.pop("x")


def more_in_list(box: Box) -> None:
    box.friends.append(box.friends[0])


def no_friend(box: Box) -> None:
    box.friend = None


def change_extra(box: Box) -> None:
    box.said = "b"  # type: ignore[attr-defined]  # an extra field


def other_family(box: Box) -> None:
    box.lineage_id = Box().ecs_id


def inside_the_set(box: Box) -> None:
    (member,) = box.circle
    member.value = 7


@pytest.fixture
def box() -> Box:
    held = [Box(value=number) for number in range(3)]
    made = Box(friends=held[:2], friend=held[2], circle={held[0]}, by_name={"x": held[1]}, said="a")
    held[2].friend = made
    return made


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (change_id, r"Box\.friend: ecs_id \S{36} != \S{36}"),
        (change_class, r"Box\.friend: Box != Crate"),
        (swap_list, r"Box\.friends\[0\]: ecs_id \S{36} != \S{36}"),
        (drop_from_set, r"Box\.circle: .* is only in the first graph"),
        (other_key, r"Box\.by_name: the key 'x' is only in the first graph"),
        (more_in_list, r"Box\.friends: length: 2 != 3"),
        (no_friend, r"Box\.friend: ecs_id \S{36} \(Box\) != None"),
        (change_extra, r"Box\.said: 'a' != 'b'"),
        (other_family, r"Box\.lineage_id: .*UUID.* != .*UUID.*"),
        (inside_the_set, r"Box\.friends\[0\]\.value: 0 != 7"),
    ],
)
def test_a_difference_between_entities(box: Box, change: Callable[[Box], None], told: str) -> None:
    other = copy.deepcopy(box)
    assert isomorphic(box, other)
    change(other)
    found = find_difference(box, other)
    assert found is not None
    assert re.fullmatch(told, found), found
    assert not isomorphic(other, box)


def test_a_member_of_a_set_is_named_by_its_id() -> None:
    first = Box(circle={Box(value=1), Box(value=2)})
    second = copy.deepcopy(first)
    changed = max(second.circle, key=lambda member: member.ecs_id)
    changed.value = 3
    place = f"Box.circle{{ecs_id {changed.ecs_id}}}.value: "
    assert str(find_difference(first, second)).startswith(place)


def test_one_object_is_not_two(box: Box) -> None:
    torn = copy.deepcopy(box)
    torn.by_name["x"] = copy.copy(torn.by_name["x"])
    told = "Box.by_name['x']: in the {} graph the same object as Box.friends[1], in the {} another"
    assert find_difference(box, torn) == told.format("first", "second") + " one"
    assert find_difference(torn, box) == told.format("second", "first") + " one"


def test_a_cycle_is_not_a_copy_of_its_beginning() -> None:
    loop = Box()
    loop.friend = loop
    unrolled = copy.copy(loop)
    assert unrolled.friend is loop
    assert isomorphic(loop, copy.deepcopy(loop))
    assert "the same object as Box, in the second another one" in str(
        find_difference(loop, unrolled)
    )


def test_versions_count_unless_told_otherwise(box: Box) -> None:
    stored = copy.deepcopy(box)
    assert stored.friend is not None
    stored.friend.version = 3
    assert find_difference(box, stored) == "Box.friend.version: 0 != 3"
    assert find_difference(box, stored, versions=False) is None


def test_the_nearest_difference_is_told_first() -> None:
    chain = ev.sample("chain", n=4)[0]
    other = copy.deepcopy(chain)
    second = other.links[0]
    second.links[0].name = "far"
    second.name = "near"
    assert find_difference(chain, other) == "Node.links[0].name: 'n2' != 'near'"


def test_long_chains_need_no_recursion() -> None:
    chain = ev.sample("chain", n=20_000)
    other = copy.deepcopy(chain[0])
    assert isomorphic(chain[0], other)
    last = other
    while last.links:
        last = last.links[0]
    last.name = "changed"
    found = find_difference(chain[0], other)
    assert found is not None
    assert "… 19,993 steps …" in found
    assert found.endswith(".name: 'n20000' != 'changed'")


def test_a_class_that_was_defined_anew_is_the_same() -> None:
    def define() -> type[ev.Entity]:
        class Note(ev.Entity):
            text: str = "a"

        return Note

    first, second = define(), define()
    assert first is not second
    note = first()
    assert isomorphic(note, second(ecs_id=note.ecs_id))


def test_several_roots() -> None:
    threads = ev.sample()
    others = copy.deepcopy(threads)
    assert isomorphic(threads, others)
    assert isomorphic(iter(threads), others)
    others[2].messages[3].content = "…"
    told = find_difference(threads, others)
    assert str(told).startswith("[2] ChatThread.messages[3].content: from character 0 on ")
    assert find_difference(threads, others[:2]) == "6 given entities != 2"
    assert not isomorphic(threads[0], threads[:1])


@pytest.mark.parametrize("value", [None, 1, "text", [ev.ChatThread(), 1]])
def test_what_is_no_entity_is_refused(value: Any) -> None:
    with pytest.raises(NotAnEntityError, match=r"is not an entity, but of type .* Compare"):
        find_difference(ev.ChatThread(), value)
    with pytest.raises(NotAnEntityError):
        isomorphic(value, ev.ChatThread())
