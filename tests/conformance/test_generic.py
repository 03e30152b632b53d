"""Generic entity classes, and settings of pydantic that change what fields hold."""

from __future__ import annotations

import enum
from typing import Any, Generic, Literal, TypeVar

import pytest
from pydantic import ConfigDict, Field

import ecsviz as ev
from ecsviz import errors
from ecsviz.isomorphic import find_difference
from tests.conformance.conftest import Open

T = TypeVar("T")


class Leaf(ev.Entity):
    name: str = ""


class Node(ev.Entity, Generic[T]):
    value: T
    next: Node[T] | None = ev.reference(inverse=None, default=None)
    many: list[Node[T]] = Field(default_factory=list)


class Named(Node[str]):
    """A subclass of a class that was parametrized; pydantic asks it to say again what it holds."""

    title: str = ""
    next: Node[str] | None = ev.reference(inverse=None, default=None)
    many: list[Node[str]] = Field(default_factory=list)


def ring(cls: Any, *values: Any) -> Any:
    nodes = [cls(value=value) for value in values]
    for n, node in enumerate(nodes):
        node.next, node.many = nodes[n - 1], nodes[:n]
    return nodes[-1]


GRAPHS = {
    "numbers": lambda: ring(Node[int], 1, 2, 3),
    "texts": lambda: ring(Node[str], "a", "b"),
    "optional": lambda: ring(Node[int | None], 1, None),
    "lists": lambda: ring(Node[list[int]], [1], []),
    "entities": lambda: ring(Node[Leaf], Leaf(name="a"), Leaf(name="b")),
    "of itself": lambda: ring(Node[Node[int]], ring(Node[int], 1, 2), Node[int](value=3)),
    "bare": lambda: ring(Node, 1, "a"),
    "subclass": lambda: ring(Named, "a", "b"),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_generic_class_that_names_itself(reopen: Open, name: str) -> None:
    node = GRAPHS[name]()
    reopen().register(node)
    again = reopen().get(node.ecs_id)
    assert find_difference(node, again) is None
    assert type(again) is type(node)
    assert find_difference(node, type(node).model_validate(node.model_dump())) is None


def test_several_parametrizations_in_one_store(reopen: Open) -> None:
    graphs = [make() for make in GRAPHS.values()]
    reopen().register(graphs)
    for graph in graphs:
        assert find_difference(graph, reopen().get(graph.ecs_id)) is None
    assert {type(e) for e in reopen().list_by_type(Node[int])} == {Node[int]}
    assert {type(e) for e in reopen().list_by_type(Node[str])} == {Node[str], Named}


class Role(enum.StrEnum):
    USER = "user"


@pytest.mark.parametrize("annotation", [Role, Role | None, list[Role], dict[Role, int]])
def test_values_of_enums_in_their_place_are_refused_with_the_class(
    reopen: Open, annotation: Any
) -> None:
    class Post(ev.Entity):
        model_config = ConfigDict(use_enum_values=True)
        role: annotation = Role.USER

    with pytest.raises(errors.UnsupportedFieldError, match="sets use_enum_values") as caught:
        reopen().register(Post())
    assert (caught.value.cls, caught.value.field) == (Post, "role")


def test_the_way_out_of_enum_values(reopen: Open) -> None:
    class Said(ev.Entity):
        model_config = ConfigDict(use_enum_values=True)
        role: Literal["user", "bot"] = "user"

    said = reopen().register(Said(role="bot"))
    assert reopen().get(said.ecs_id).role == "bot"
