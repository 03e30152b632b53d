"""Graphs of entities for tests: from edge lists, and at random."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from pydantic import Field

import ecsviz as ev
from tests.conformance import classes as c


class Vertex(ev.Entity):
    """A node of any graph: every edge is one place in its list."""

    name: str = ""
    to: list[Vertex] = Field(default_factory=list)


def vertices(
    names: Iterable[Hashable], edges: Iterable[tuple[Hashable, Hashable]]
) -> dict[Hashable, Vertex]:
    """Return an entity for every name; the source of an edge holds its target.

    Ids ascend with the names as they come, so that a test knows their order.
    """
    found: dict[Hashable, Vertex] = {}
    for number, name in enumerate(names):
        found.setdefault(name, Vertex(name=str(name), ecs_id=UUID(int=number + 1)))
    for source, target in edges:
        found[source].to.append(found[target])
    return found


def graph_of(
    names: Iterable[Hashable], edges: Iterable[tuple[Hashable, Hashable]]
) -> ev.EntityDependencyGraph:
    """Return the dependency graph of `vertices`."""
    return ev.EntityDependencyGraph(vertices(names, edges))


def numbered_graph(
    edges: Iterable[tuple[int, int]], types: Iterable[str], fields: Any = None, **options: Any
) -> ev.EntityDependencyGraph:
    """Return a graph of things that are no entities, one of each type: n00000, n00001, …."""
    pairs, kinds = list(edges), list(types)
    names = [f"n{number:05}" for number in range(len(kinds))]
    a, b = zip(*pairs, strict=True) if pairs else ((), ())
    paths = fields or [f"f{number}" for number in range(len(pairs))]
    return ev.EntityDependencyGraph.from_parts(names, names, kinds, a, b, paths, **options)


@st.composite
def edge_lists(
    draw: st.DrawFn, max_nodes: int = 8, max_edges: int = 20
) -> tuple[int, list[tuple[int, int]]]:
    """A number of nodes, and edges between them: parallel ones and self loops too."""
    n = draw(st.integers(1, max_nodes))
    node = st.integers(0, n - 1)
    return n, draw(st.lists(st.tuples(node, node), max_size=max_edges))


def names_of(entities: Iterable[Any]) -> list[str]:
    """Return the names of entities, in their order."""
    return [entity.name for entity in entities]


# -- at random, of the classes of the conformance suite --------------------------------------

texts = st.text(st.characters(codec=None, exclude_categories=()), max_size=8)
floats = st.floats(allow_nan=True, allow_infinity=True)


@st.composite
def graphs(draw: st.DrawFn) -> list[Any]:
    """Nodes, animals, threads and values that hold each other at random."""
    size = draw(st.integers(1, 7))
    nodes = [c.Node(name=draw(texts)) for _ in range(size)]
    pick = st.sampled_from(nodes)
    for node in nodes:
        for field in draw(st.sets(st.sampled_from(sorted(FIELDS)), max_size=4)):
            setattr(node, field, draw(FIELDS[field](pick)))
    animals = [
        draw(st.sampled_from([c.Animal, c.Dog, c.Puppy]))(name=draw(texts)) for _ in range(3)
    ]
    for animal in animals:
        animal.friend = draw(st.none() | st.sampled_from(animals))
    dogs = [animal for animal in animals if isinstance(animal, c.Dog)]
    if dogs and isinstance(animals[0], c.Puppy):
        animals[0].mother = draw(st.sampled_from(dogs))
    shelf = c.Shelf(
        top=draw(st.none() | st.sampled_from([*dogs, c.Stone(weight=draw(floats))])),
        things=draw(st.lists(st.sampled_from([*animals, c.Stone()]), max_size=4)),
        keeper=draw(st.sampled_from(animals)),
    )
    boxes = c.Boxes(
        holder=c.Holder(who=draw(st.none() | pick), note=draw(texts)),
        holders=draw(st.lists(st.builds(c.Holder, who=st.none() | pick), max_size=3)),
        pair=draw(st.none() | st.builds(c.Pair, pick, st.none() | pick)),
    )
    values = c.Values(
        integer=draw(st.integers()),
        floating=draw(floats),
        text=draw(texts),
        raw=draw(st.binary(max_size=4)),
        anything=draw(st.recursive(st.none() | texts | floats, st.lists, max_leaves=5)),
    )
    return [*nodes, shelf, boxes, values, draw(threads()), c.mutual()]


@st.composite
def threads(draw: st.DrawFn) -> c.Thread:
    thread = c.Thread(title=draw(texts))
    for _ in range(draw(st.integers(0, 5))):
        parent = draw(st.none() | st.sampled_from(thread.messages)) if thread.messages else None
        kind = draw(st.sampled_from([c.Message, c.Report]))
        message = kind(thread=thread, text=draw(texts), parent=parent)
        if parent is not None:
            parent.replies.append(message)
        thread.messages.append(message)
    thread.messages = draw(st.permutations(thread.messages))
    return thread


FIELDS: dict[str, Any] = {
    "next": lambda pick: st.none() | pick,
    "links": lambda pick: st.lists(pick, max_size=5),
    "row": lambda pick: st.lists(pick, max_size=3).map(tuple),
    "pair": lambda pick: st.none() | st.tuples(pick, st.integers()),
    "group": lambda pick: st.sets(pick, max_size=4),
    "fixed": lambda pick: st.frozensets(pick, max_size=3),
    "by_name": lambda pick: st.dictionaries(
        st.text(max_size=3).filter(_is_storable), pick, max_size=3
    ),
    "by_number": lambda pick: st.dictionaries(st.integers(-9, 9), pick, max_size=3),
    "by_pair": lambda pick: st.dictionaries(
        st.tuples(st.integers(), st.text(max_size=2)), pick, max_size=2
    ),
    "lists": lambda pick: st.dictionaries(
        st.text(max_size=2), st.lists(pick, max_size=3), max_size=2
    ),
    "grid": lambda pick: st.lists(st.lists(st.none() | pick, max_size=3), max_size=3),
    "optional": lambda pick: st.none() | st.lists(pick, max_size=2),
    "sequence": lambda pick: st.lists(pick, max_size=2) | st.lists(pick, max_size=2).map(tuple),
    "mapping": lambda pick: st.dictionaries(st.text(max_size=2), pick, max_size=2),
    "me": lambda pick: st.none() | pick,
}


def _is_storable(text: str) -> bool:
    """Keys are columns: a text that no column holds exactly is refused, and tested elsewhere."""
    return "\0" not in text
