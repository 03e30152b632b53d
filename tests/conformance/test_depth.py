"""Depth: what lies far down, of several types at once, is read by every method."""

from __future__ import annotations

from typing import Any

import pytest

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
