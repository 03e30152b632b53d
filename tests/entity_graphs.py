"""Graphs of entities for tests: from edge lists, and at random."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from pydantic import Field

import ecsviz as ev


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
