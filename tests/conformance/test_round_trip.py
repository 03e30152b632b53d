"""`get(register(x))` is isomorphic to `x`."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import PurePosixPath
from typing import Any
from uuid import uuid4

import pytest
from pydantic import create_model

import ecsviz as ev
from ecsviz.isomorphic import find_difference
from tests.conformance import classes as c
from tests.conformance.conftest import Open

TWO = timezone(timedelta(hours=2, minutes=30))


def assert_round_trip(reopen: Open, entity: Any) -> Any:
    reopen().register(entity)
    problems = reopen().verify(entity)
    assert not len(problems), problems.to_string()
    again = reopen().get(entity.ecs_id)
    assert again is not entity
    assert find_difference(entity, again) is None
    assert_the_same_references(reopen(), entity)
    return again


def assert_the_same_references(store: Any, entity: Any) -> None:
    """What is stored tells the very references of the live graph, without making its objects."""
    if not isinstance(store, ev.SQLAlchemyEntityStorage):
        return
    live = {
        (r.source.ecs_id, r.target.ecs_id, r.path)
        for r in ev.EntityDependencyGraph(entity).references
    }
    stored = store.graph(entity)
    assert {(r.source.ecs_id, r.target.ecs_id, r.path) for r in stored.references} == live
    frame = store.references_frame()
    frame = frame[frame["source"].isin([node.ecs_id for node in stored.nodes])]
    assert set(zip(frame["source"], frame["target"], frame["path"], strict=True)) == live


VALUES: dict[str, list[Any]] = {
    "boolean": [True, False],
    "integer": [0, -1, 2**31, 2**63 - 1, -(2**63), 2**63, -(2**200), 10**4_000],
    "floating": [
        0.0,
        -0.0,
        1.5,
        math.nan,
        math.inf,
        -math.inf,
        5e-324,
        1.7976931348623157e308,
        0.1,
    ],
    "exact": [
        Decimal("1.10"),
        Decimal("0.1"),
        Decimal("-0"),
        Decimal("1E+400"),
        Decimal("123456789012345678901234567890.123456789"),
        Decimal("NaN"),
        Decimal("Infinity"),
    ],
    "text": [
        "",
        "é",
        "\0",
        "a\0b",
        "\ud800",
        "日本語 \U0001f600",
        "'; DROP TABLE x; --",
        "x" * 100_000,
    ],
    "raw": [b"", b"\0\xff", bytes(range(256))],
    "at": [
        datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=UTC),
        datetime(2024, 2, 29, 12),  # noqa: DTZ001 - naive times must come back naive
        datetime(2024, 2, 29, 12, tzinfo=TWO),
        datetime(2024, 10, 27, 2, 30, fold=1),  # noqa: DTZ001 - as above
        datetime.min,  # noqa: DTZ901 - as above
        datetime.max.replace(tzinfo=TWO),
    ],
    "day": [date(2024, 2, 29), date.min, date.max],
    "clock": [time(0), time(23, 59, 59, 999_999), time(1, tzinfo=TWO)],
    "duration": [timedelta(0), timedelta(-1, 1, 1), timedelta.max, timedelta.min],
    "uid": [uuid4()],
    "colour": list(c.Colour),
    "level": list(c.Level),
    "mixed": list(c.Mixed),
    "side": ["left", "right"],
    "where": [PurePosixPath("/a/b"), PurePosixPath(".")],
    "address": [IPv4Address("192.168.0.1")],
    "either": [1, "1", ""],
    "anything": [None, 1, "a", {1: (2, {3}), "x": [math.nan, b"\0"]}, {"$ref": 1}, [None, []]],
    "listed": [[], [1, 2, 2**80]],
    "keyed": [{}, {1: "a", -2: ""}],
    "pair": [(1, "a")],
    "many": [(), (1, 1, 2)],
    "unique": [set(), {"a", "b"}],
    "frozen": [frozenset(), frozenset({1, 2})],
    "nested": [{"a": [{"b": 1.5, "c": None}]}],
    "point": [c.Point(x=1, y=2.5)],
    "points": [[c.Point(x=1), c.Point(x=2)]],
    "span": [c.Span(1, ["a"])],
    "colours": [[c.Colour.BLUE, c.Colour.RED]],
    "positive": [7],
}


@pytest.mark.parametrize("field", VALUES)
def test_values(reopen: Open, field: str) -> None:
    """One test a field: all its values in one graph, so that a whole batch is encoded at once."""
    entities = [c.Values() for _ in VALUES[field]]
    for entity, value in zip(entities, VALUES[field], strict=True):
        object.__setattr__(entity, field, value)  # as it is, without validation
    reopen().register(entities)
    again = reopen().get_many([entity.ecs_id for entity in entities])
    for before, after in zip(entities, again, strict=True):
        assert find_difference(before, after) is None


def test_every_kind_of_value_has_a_case() -> None:
    assert set(VALUES) == set(c.Values.model_fields) - set(ev.Entity.model_fields)


def named(name: str) -> c.Node:
    return c.Node(name=name)


def shapes() -> dict[str, Callable[[], Any]]:
    def with_field(field: str, make: Callable[[c.Node, c.Node], Any]) -> Callable[[], c.Node]:
        def build() -> c.Node:
            node, a, b = named("root"), named("a"), named("b")
            a.next, b.next = b, node
            setattr(node, field, make(a, b))
            return node

        return build

    fields: dict[str, Callable[[c.Node, c.Node], Any]] = {
        "next": lambda a, b: a,
        "links": lambda a, b: [b, a, b],
        "row": lambda a, b: (a, b, a),
        "pair": lambda a, b: (a, 5),
        "group": lambda a, b: {a, b},
        "fixed": lambda a, b: frozenset({a, b}),
        "by_name": lambda a, b: {"x": a, "": b, "ü": a},
        "by_number": lambda a, b: {3: a, -1: b},
        "by_colour": lambda a, b: {c.Colour.BLUE: a},
        "by_pair": lambda a, b: {(1, "x"): a, (2, "y"): b},
        "by_either": lambda a, b: {1: a, "1": b},
        "lists": lambda a, b: {"x": [a, b, a], "y": []},
        "grid": lambda a, b: [[a, None], [], [b, a]],
        "optional": lambda a, b: [a, b],
        "sequence": lambda a, b: (a, b),
        "mapping": lambda a, b: {"m": b},
        "me": lambda a, b: a,
    }
    cases: dict[str, Callable[[], Any]] = {n: with_field(n, make) for n, make in fields.items()}

    def itself() -> c.Node:
        node = named("self")
        node.next, node.links, node.by_name, node.group = node, [node, node], {"me": node}, {node}
        return node

    def plain_models() -> c.Boxes:
        a, b = named("a"), named("b")
        return c.Boxes(
            holder=c.Holder(who=a, note="x"),
            holders=[c.Holder(who=b), c.Holder(), c.Holder(who=a)],
            pair=c.Pair(a, b),
        )

    def with_names() -> c.Named:
        a, b = named("a"), named("b")
        return c.Named(
            id=-1,
            metadata="m",
            registry=a,
            select=[b, a, b],
            größe=1.5,
            position=9,
            key={"k": b},
            nodes_id="x",
        )

    def inheritance() -> c.Shelf:
        dog = c.Dog(name="d", tricks=2)
        puppy = c.Puppy(name="p", mother=dog, friend=dog)
        dog.friend = puppy
        stone = c.Stone(weight=2.5)
        return c.Shelf(top=stone, things=[puppy, stone, dog, c.Animal(name="x")], keeper=puppy)

    cases |= {
        "empty": lambda: named("alone"),
        "empty optional": lambda: c.Node(optional=[]),
        "itself": itself,
        "plain models": plain_models,
        "inheritance": inheritance,
        "mutual": c.mutual,
        "a box of a value": lambda: c.Box[int](content=2**70, more=[1, 1]),
        "a box of an entity": lambda: c.Box[c.Node](content=named("a"), more=[named("b")] * 2),
        "a box of nothing": lambda: c.Box[c.Node | None](content=None, more=[None, named("a")]),
        "a box of a box": lambda: c.Box[c.Box[c.Node]](content=c.Box[c.Node](content=named("a"))),
        "names": with_names,
        "thread": c.thread,
        "empty thread": lambda: c.thread(0),
    }
    return cases


SHAPES = shapes()


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(reopen: Open, shape: str) -> None:
    assert_round_trip(reopen, SHAPES[shape]())


def test_get_many_shares_what_they_have_in_common(reopen: Open) -> None:
    shared = named("shared")
    one, two = c.Node(next=shared), c.Node(next=shared)
    reopen().register([one, two])
    first, second, third = reopen().get_many([two.ecs_id, str(one.ecs_id), shared.ecs_id])
    assert (first, second, third) == (two, one, shared)
    assert first.next is second.next is third
    assert reopen().get_many([]) == []


def test_every_get_makes_new_objects(reopen: Open) -> None:
    node = c.Node(links=[c.Node()])
    store = reopen()
    store.register(node)
    one, two = store.get(node.ecs_id), store.get(node.ecs_id)
    one.name = "changed"
    one.links.clear()
    assert two.name == ""
    assert len(store.get(node.ecs_id).links) == 1
    node.name = "changed too"
    assert store.get(node.ecs_id).name == ""


def test_habits_of_pydantic_models(reopen: Open) -> None:
    habits = c.Habits(shownName="a")
    habits.left_out = "mine"
    habits._cache = 99
    habits.held = named("held")
    again = assert_round_trip(reopen, habits)
    assert (again.shown_name, again.left_out, again.loud) == ("a", "mine", "A")
    assert again.held.name == "held"  # excluded from dumps, not from the store
    assert again._cache == 7  # private attributes are not stored: they begin anew


LONG = "n" * 70


def test_names_longer_than_a_database_takes(reopen: Open) -> None:
    """PostgreSQL cuts names after 63 bytes; those that begin alike must stay apart."""
    fields: dict[str, Any] = {
        LONG + "a": (int, 1),
        LONG + "b": (int, 2),
        LONG + "c": (c.Node | None, None),
        LONG + "d": (list[c.Node], []),
        LONG + "e": (dict[str, c.Node], {}),
        "ß" * 40: (str, "s"),
    }
    one, other = (
        create_model("N" * 70 + end, __base__=ev.Entity, **fields) for end in ("One", "Other")
    )
    a, b = named("a"), named("b")
    held = {LONG + "c": a, LONG + "d": [b, a, b], LONG + "e": {"k": a, "l": b}}
    first = assert_round_trip(reopen, one(**held))
    second = assert_round_trip(reopen, other(**held))
    getattr(first, LONG + "d").pop()
    setattr(first, LONG + "a", 5)
    reopen().register(first)
    assert find_difference(first, reopen().get(first.ecs_id)) is None
    assert len(getattr(reopen().get(first.ecs_id, as_of=1), LONG + "d")) == 3
    assert find_difference(second, reopen().get(second.ecs_id)) is None


def test_forks_keep_their_family(reopen: Open) -> None:
    store = reopen()
    first = store.register(named("a"))
    second = store.register(first.fork())
    third = store.register(named("other"))
    family = reopen().get_lineage_entities(first.lineage_id)
    assert set(family) == {first, second}
    assert reopen().get(second.ecs_id).parent_id == first.ecs_id
    assert store.get_lineage_entities(third.ecs_id) == [third]


def test_a_family_comes_in_the_order_of_its_ids(reopen: Open) -> None:
    family = [c.Dog(name="a")]
    family += [family[0].fork() for _ in range(3)]
    for member in sorted(family, key=lambda e: e.ecs_id, reverse=True):
        reopen().register(member)
    found = reopen().get_lineage_entities(family[0].ecs_id)
    assert [e.ecs_id for e in found] == sorted(e.ecs_id for e in family)


def test_list_by_type_with_subclasses(reopen: Open) -> None:
    store = reopen()
    dog, puppy, animal = c.Dog(name="d"), c.Puppy(name="p"), c.Animal(name="a")
    store.register([dog, puppy, animal, c.Stone()])
    assert set(reopen().list_by_type(c.Animal)) == {dog, puppy, animal}
    assert set(reopen().list_by_type(c.Dog)) == {dog, puppy}
    assert reopen().list_by_type(c.Shelf) == []
    assert [type(e) for e in reopen().list_by_type(c.Puppy)] == [c.Puppy]


def test_a_class_of_its_own_after_the_first_save(reopen: Open) -> None:
    shelf = c.Shelf(keeper=c.Animal(name="k"))
    store = reopen()
    store.register(shelf)

    class Cat(c.Animal):
        lives: int = 9

    shelf.things.append(Cat(name="c"))
    store.register(shelf)
    again = reopen().get(shelf.ecs_id)
    assert type(again.things[0]) is Cat
    assert find_difference(shelf, again) is None


def test_two_classes_of_one_name(reopen: Open) -> None:
    other = type(
        "Stone", (ev.Entity,), {"__module__": "elsewhere", "__annotations__": {"colour": str}}
    )
    one, two = c.Stone(weight=1.0), other(colour="grey")
    reopen().register([one, two])
    again = reopen().get_many([one.ecs_id, two.ecs_id])
    assert [type(e) for e in again] == [c.Stone, other]
    assert find_difference([one, two], again) is None


@pytest.mark.parametrize("size", [10, 3_000])
@pytest.mark.scale
def test_long_chains_cycles_and_stars(reopen: Open, size: int) -> None:
    nodes = [c.Node(name=str(n)) for n in range(size)]
    for here, there in zip(nodes, [*nodes[1:], nodes[0]], strict=True):
        here.next = there
    assert_round_trip(reopen, nodes[0])
    nodes[-1].next = None
    chain = c.Node(next=nodes[0], links=nodes[::-1])
    assert_round_trip(reopen, chain)
