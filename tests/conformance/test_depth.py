"""Depth: what lies far down, of several types at once, is read by every method."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest

import ecsviz as ev
from ecsviz import errors
from ecsviz.isomorphic import find_difference
from tests.conformance import classes as c


def side_by_side(depth: int) -> list[Any]:
    """Return two roots, of a chain of nodes and one of dogs: both types at every depth."""
    node, dog = c.Node(), c.Dog()
    root = c.Boxes(holder=c.Holder(who=node))
    start = c.Shelf(keeper=dog)
    for number in range(depth):
        node.next, dog.friend = c.Node(name=str(number)), c.Dog(name=str(number))
        node, dog = node.next, dog.friend
    return [root, start]


@pytest.mark.parametrize("depth", [5, 6, 7, 12])
def test_chains_of_two_types_side_by_side(store: Any, depth: int) -> None:
    graph = side_by_side(depth)
    ids = [entity.ecs_id for entity in graph]
    store.register(graph)
    assert find_difference(graph, store.get_many(ids)) is None
    assert find_difference(graph, store.get_many(ids, as_of=1)) is None


class Knot(ev.Entity):
    """Holds and is held by all the others, in every way."""

    name: str = ""
    one: Knot | Loop | Bend | None = ev.reference(inverse=None, default=None)
    many: list[Knot | Loop | Bend] = ev.reference(inverse=None, default_factory=list)
    by: dict[str, Knot | Loop | Bend] = {}
    group: set[Knot | Loop | Bend] = set()
    grid: list[list[Knot | Loop | Bend | None]] = []


class Loop(Knot):
    weight: float = 0.0


class Bend(ev.Entity):
    name: str = ""
    one: Loop | Bend | Knot | None = ev.reference(inverse=None, default=None)
    many: list[Bend | Knot] = ev.reference(inverse=None, default_factory=list)
    by: dict[str, Bend | Knot] = {}
    group: set[Bend | Knot] = set()
    grid: list[list[Knot | Bend | None]] = []


for _cls in (Knot, Loop, Bend):
    _cls.model_rebuild()

KINDS = [Knot, Loop, Bend]
SHAPES = ["chain", "ladder", "ring", "tree"]


def grown(r: random.Random, shape: str, depth: int) -> list[Any]:
    """Return nodes, animals and boxes that hold each other in a shape; the first leads to all."""
    rails = 3 if shape == "ladder" else 1
    count = 1 + depth * rails if shape != "tree" else 2 * depth
    made = [r.choice(KINDS)(name=str(n)) for n in range(count)]
    for n in range(1, count):
        held_by = made[(n - 1) // 2 if shape == "tree" else max(0, n - rails)]
        hold(r, held_by, made[n])
        if shape == "ladder" and r.random() < 0.3:
            hold(r, made[n], made[max(0, n - 1)])
    if shape == "ring":
        hold(r, made[-1], made[0])
    return made


def hold(r: random.Random, source: Any, target: Any) -> None:
    """Let one entity hold another in one of its fields."""
    kind = r.choice(["one", "many", "by", "group", "grid"])
    if kind == "one" and source.one is None:
        source.one = target
    elif kind == "by":
        source.by[f"k{len(source.by)}"] = target
    elif kind == "group":
        source.group.add(target)
    elif kind == "grid":
        source.grid.append([None, target])
    else:
        source.many.append(target)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_method_reads_what_lies_deep(store: Any, shape: str) -> None:
    """Depths around the one at which one recursive query takes over, and far beyond."""
    r = random.Random(shape)
    for depth in (7, 8, 9, 30):
        graph = grown(r, shape, depth)
        root = graph[0]
        store.register(graph)
        at = int(store.revisions()["revision"].max())
        live = [entity.ecs_id for entity in graph]
        for got in (
            store.get(root.ecs_id),
            store.find(type(root), ecs_id=root.ecs_id)[0],
            store.get(root.ecs_id, as_of=at),
            store.refresh(copy.deepcopy(root)),
            next(e for e in store.list_by_type(type(root)) if e == root),
        ):
            assert find_difference(root, got) is None
        ids = r.sample(live, len(live))
        by_id = {entity.ecs_id: entity for entity in graph}
        assert find_difference([by_id[i] for i in ids], store.get_many(ids)) is None
        assert not store.diff(root)
        part = store.get(root.ecs_id, hops=depth // 2)
        reach = ev.EntityDependencyGraph(root)
        assert {e.ecs_id for e in ev.EntityDependencyGraph(part).nodes} <= set(live)
        root.name = "changed"
        store.register(root)
        old = store.revert(root, to=at)
        root.name = "0"
        assert find_difference(root, old, versions=False) is None
        if hasattr(store, "graph"):
            stored = store.graph(root)
            assert {n.ecs_id for n in stored.nodes} == {e.ecs_id for e in reach.nodes}
            assert len(stored.references) == len(reach.references)
        with pytest.raises(errors.BrokenReferenceError):
            store.delete(graph[1])
    assert store.verify().empty
