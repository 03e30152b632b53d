"""Dump and load: every entity once, the same graph back."""

from __future__ import annotations

import collections
import datetime as dt
import itertools
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ecsviz as ev
from ecsviz.domain import serializing as dumps
from ecsviz.isomorphic import find_difference
from tests.dump_classes import (
    LONG,
    WAYS,
    Color,
    Data,
    Every,
    Leaf,
    Link,
    Meta,
    Named,
    Other,
    Special,
    Way,
    a,
    again,
    same,
)

__all__ = ["again"]

SHAPES: dict[str, Callable[[], Any]] = {
    "empty": Every,
    "single": lambda: Every(one=a()),
    "subclass": lambda: Every(one=Special(more=3)),
    "union, first": lambda: Every(either=a()),
    "union, second": lambda: Every(either=Other(number=3)),
    "list": lambda: Every(many=[a(), Special(), a()]),
    "tuple": lambda: Every(row=(a(), Special())),
    "set": lambda: Every(bag={a(), Special()}),
    "frozenset": lambda: Every(frozen=frozenset({a()})),
    "dict": lambda: Every(by_name={"$ref": a(), "$type": Special(), "": a()}),
    "int keys": lambda: Every(by_number={1: a(), -3: a()}),
    "enum keys": lambda: Every(by_color={Color.RED: a()}),
    "gaps": lambda: Every(gaps=[None, a(), None]),
    "pair": lambda: Every(pair=(a(), 3, Other())),
    "groups": lambda: Every(groups={"x": [a(), Special()], "y": [], "$ref": [a()]}),
    "mixed": lambda: Every(mixed={a(), 1, 2}),
    "queue": lambda: Every(queue=collections.deque([a(), a()])),
    "union with values": lambda: Every(maybe=a()),
    "a value instead": lambda: Every(maybe="text"),
    "plain model": lambda: Every(meta=Meta(label="x", author=a(), when=dt.date(2024, 2, 29))),
    "plain in plain": lambda: Every(meta=Meta(inner=Meta(tags=[a(), Special()]))),
    "dataclass": lambda: Every(data=Data(a(), 3)),
    "named tuple": lambda: Every(named=Named(a(), 3)),
    "a schema in values": lambda: Every(one=a(), metadata={"$ref": "#/x", "$type": 3}),
}


@pytest.mark.parametrize("make", SHAPES.values(), ids=SHAPES.keys())
def test_every_shape(make: Callable[[], Any], again: Way) -> None:
    same(make(), again)


def test_a_cycle_of_100_000(again: Way) -> None:
    nodes = [Link() for _ in range(LONG)]
    for one, other in zip(nodes, [*nodes[1:], nodes[0]], strict=True):
        one.next = other
    node = result = again(nodes[0])
    for original in nodes:
        assert node == original
        node = node.next
    assert node is result


def depth_of(data: Any) -> int:
    deepest = 0
    stack = [(data, 1)]
    while stack:
        item, depth = stack.pop()
        deepest = max(deepest, depth)
        parts = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        stack += [(part, depth + 1) for part in parts]
    return deepest


def test_a_dump_is_never_nested_deep() -> None:
    nodes = [Link() for _ in range(1_000)]
    for one, other in itertools.pairwise(nodes):
        one.links = [[other]]
    data = nodes[0].model_dump(mode="json")
    assert depth_of(data) <= dumps.MAX_NESTING + 6
    assert [Link.model_validate(data)] == nodes[:1]
    assert len(ev.EntityDependencyGraph(Link.model_validate(json.loads(json.dumps(data))))) == 1_000


def test_an_entity_stands_where_the_fewest_references_lead_to_it() -> None:
    far, near = Link(), Link()
    root = Link(next=Link(next=Link(next=far)), prev=near)
    near.next = far
    data = root.model_dump()
    assert data["prev"]["next"]["ecs_id"] == far.ecs_id
    assert data["next"]["next"]["next"] == {"$ref": far.ecs_id}


class TestText:
    """What a dump looks like."""

    def test_the_order_of_the_fields_is_kept(self) -> None:
        data = Every(one=a()).model_dump()
        names = [name for name in data if not name.startswith("$")]
        assert names == list(Every.model_fields)

    def test_types_stand_only_where_a_field_does_not_say_them(self) -> None:
        whole = Every(one=a(), many=[a(), Special()], either=a(), gaps=[a()])
        data = whole.model_dump()
        assert data["$type"] == dumps.type_name(Every)
        assert "$type" not in data["one"]
        assert ["$type" in item for item in data["many"]] == [False, True]
        assert data["either"]["$type"] == data["gaps"][0]["$type"] == dumps.type_name(Leaf)

    def test_references_in_both_modes(self) -> None:
        node = Link()
        node.next = node
        assert node.model_dump()["next"] == {"$ref": node.ecs_id}
        assert node.model_dump(mode="json")["next"] == {"$ref": str(node.ecs_id)}

    def test_json_text(self) -> None:
        leaf = Leaf(name="é")
        assert json.loads(leaf.model_dump_json()) == leaf.model_dump(mode="json")
        assert "\n  " in leaf.model_dump_json(indent=2)
        assert "é" in leaf.model_dump_json()
        assert "\\u00e9" in leaf.model_dump_json(ensure_ascii=True)

    def test_python_mode_keeps_types(self) -> None:
        whole = Every(row=(a(),), by_number={1: a()}, pair=(a(), 1, Other()))
        data = whole.model_dump()
        assert type(data["row"]) is tuple
        assert list(data["by_number"]) == [1]
        assert type(data["ecs_id"]) is UUID
        assert whole.model_dump(mode="json")["by_number"].keys() == {"1"}


# -- random graphs ---------------------------------------------------------------------------


@st.composite
def graphs(draw: st.DrawFn) -> Any:
    """One graph of several classes, with shared, mutual and self references."""
    n = draw(st.integers(1, 8))
    leaves: list[Any] = [
        Special(more=k) if draw(st.booleans()) else Leaf(name=str(k)) for k in range(n)
    ]
    wholes = [Every() for _ in range(draw(st.integers(1, 4)))]
    leaf = st.sampled_from(leaves)
    for item in leaves:
        if isinstance(item, Special):
            item.home = draw(st.sampled_from([None, *wholes]))
    for whole in wholes:
        whole.one = draw(st.none() | leaf)
        whole.many = draw(st.lists(leaf, max_size=3))
        whole.by_name = draw(st.dictionaries(st.text(max_size=3), leaf, max_size=3))
        whole.bag = draw(st.sets(leaf, max_size=3))
        whole.groups = draw(
            st.dictionaries(st.text(max_size=2), st.lists(leaf, max_size=2), max_size=2)
        )
        whole.gaps = draw(st.lists(st.none() | leaf, max_size=3))
        whole.maybe = draw(st.none() | st.integers() | st.text(max_size=3) | leaf)
        whole.itself = draw(st.sampled_from([None, *wholes]))
        whole.meta = draw(st.none() | st.builds(Meta, author=st.none() | leaf, tags=st.lists(leaf)))
    wholes[0].metadata = draw(st.dictionaries(st.sampled_from(["$ref", "$type", "x"]), st.text()))
    return wholes[0]


@given(graphs())
def test_random_graphs_come_back_the_same(whole: Any) -> None:
    for way in WAYS.values():
        assert find_difference(whole, way(whole)) is None
