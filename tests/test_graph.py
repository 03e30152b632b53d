"""EntityDependencyGraph: every one of its names, on graphs of entities."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

import ecsviz as ev
from ecsviz.basics.order import COLLECTION, NULLABLE, REQUIRED
from ecsviz.errors import (
    EntityNotFoundError,
    InvalidIdError,
    NotAnEntityError,
)
from tests.cells import notebook
from tests.entity_graphs import Vertex, edge_lists, graph_of, names_of, vertices
from tests.processes import in_a_new_process

Graph = ev.EntityDependencyGraph
LONG = 100_000


class Thread(ev.Entity):
    messages: list[Message] = Field(default_factory=list)
    pinned: Message | None = None


class Message(ev.Entity):
    thread: Thread
    parent: Message | None = None


class Plain(BaseModel):
    number: int = 0


def thread_of(n: int) -> Thread:
    thread = Thread()
    parent = None
    for _ in range(n):
        parent = Message(thread=thread, parent=parent)
        thread.messages.append(parent)
    return thread


def required_pair() -> tuple[Any, Any]:
    """Two entities that must hold each other."""

    class Left(ev.Entity):
        right: Right

    class Right(ev.Entity):
        left: Left
        nullable: Left | None = None

    Left.model_rebuild(_types_namespace={"Right": Right})
    left = Left.model_construct()
    left.right = Right(left=left)
    return left, left.right


class TestMaking:
    def test_an_empty_graph(self) -> None:
        for graph in (Graph(), Graph([]), Graph().build_graph(())):
            assert len(graph) == len(graph.references) == 0
            assert graph.nodes == graph.get_topological_sort() == graph.generations() == []
            assert graph.is_acyclic
            assert graph.status is ev.CycleStatus.NO_CYCLE
            assert graph.get_cycles() == graph.cyclic_components() == []
            assert len(graph.to_networkx()) == 0
            assert graph.find_entity_by_id(uuid4()) is None
            assert repr(graph) == "EntityDependencyGraph(0 nodes, 0 references, no cycle)"

    def test_one_or_many(self) -> None:
        a, b = Vertex(), Vertex()
        assert len(Graph(a)) == 1
        assert len(Graph([a, b, a])) == 2
        assert len(Graph({"x": a})) == 1
        assert len(Graph(iter([a, b]))) == 2

    def test_building_again_forgets_what_was_there(self) -> None:
        graph = graph_of("ab", [("a", "b"), ("b", "a")])
        assert not graph.is_acyclic
        assert len(graph.get_cycles()) == 1
        a = Vertex()
        assert graph.build_graph(a) is graph
        assert graph.is_acyclic
        assert graph.nodes == graph.get_topological_sort() == [a]
        assert graph.get_cycles() == []

    def test_a_failure_leaves_the_graph_as_it_was(self) -> None:
        graph = graph_of("ab", [("a", "b")])
        with pytest.raises(NotAnEntityError):
            graph.build_graph(5)
        assert len(graph) == 2

    def test_of_classes(self) -> None:
        graph = Graph(Thread)
        assert graph.nodes == [Thread, Message]
        assert [r.path for r in graph.references] == ["messages", "pinned", "thread", "parent"]
        assert repr(graph.get_cycles()[1:]) == (
            "[Cycle(Message.thread -> Thread.messages | pinned)]"
        )
        assert graph.find_entity_by_id("Message") is Message
        assert graph.find_entity_by_id("Nothing") is None
        assert graph.dependencies(Thread) == [Message]
        assert Thread in graph
        assert "Thread" in graph
        assert graph.get_topological_sort() == [Thread, Message]
        assert {r.path for r in graph.deferred} == {"messages", "pinned", "parent"}
        assert Graph([Message, Thread]).get_topological_sort() == [Thread, Message]

    def test_of_a_class_that_was_defined_anew(self) -> None:
        source = "class Cell(ev.Entity):\n    next: 'Cell | None' = None\n"
        with notebook() as cells:
            cells.run(source)
            old = cells.Cell
            cells.run(source)
            graph = Graph(old)
            assert graph.nodes == [cells.Cell]
            assert old in graph
            assert graph.dependencies(old) == [cells.Cell]

    def test_from_parts(self) -> None:
        graph = Graph.from_parts(
            ["one", "two", "three"],
            ["a", "b", "c"],
            ["table"] * 3,
            [0, 1, 1],
            [1, 0, 2],
            ["p0", "p1", "p2"],
            fields=["f0", "f1", "f2"],
            kinds=[REQUIRED, NULLABLE, COLLECTION],
        )
        assert graph.nodes == ["one", "two", "three"]
        assert graph.get_topological_sort() == ["three", "two", "one"]
        assert [(r.field, r.path) for r in graph.references] == [
            ("f0", "p0"),
            ("f1", "p1"),
            ("f2", "p2"),
        ]
        assert [r.path for r in graph.deferred] == ["p1"]
        assert graph.find_entity_by_id("b") == "two"
        assert graph.dependents("c") == ["two"]
        assert repr(graph.get_cycles()) == "[Cycle(one.p0 -> two.p1)]"
        assert graph.to_networkx().nodes["a"] == {"entity": "one", "type": "table", "generation": 1}
        plain = Graph.from_parts([1], [1], ["t"], [0], [0], ["p"])
        assert [r.field for r in plain.references] == ["p"]
        assert plain.find_entity_by_id(1) == 1  # type: ignore[arg-type]  # ids of any kind


class TestRefused:
    @pytest.mark.parametrize("value", [5, "text", None, Plain(), [5], [Vertex(), "x"]])
    def test_what_is_no_entity(self, value: Any) -> None:
        with pytest.raises(NotAnEntityError, match="is not an entity"):
            Graph().build_graph(value)


class TestNodes:
    def test_roots_first_then_as_they_were_met(self) -> None:
        graph = graph_of("abc", [("a", "c"), ("c", "b")])
        assert names_of(graph.nodes) == ["a", "b", "c"]
        assert names_of(Graph(graph.nodes[0]).nodes) == ["a", "c", "b"]
        graph.nodes.clear()
        assert len(graph) == 3

    def test_membership(self) -> None:
        graph = graph_of("ab", [])
        a = graph.nodes[0]
        assert a in graph
        assert a.ecs_id in graph
        assert a.model_copy() in graph
        for other in (Vertex(), uuid4(), "a", 5, [], None, Vertex):
            assert other not in graph

    def test_finding_by_id(self) -> None:
        graph = graph_of("ab", [])
        a = graph.nodes[0]
        assert graph.find_entity_by_id(a.ecs_id) is a
        assert graph.find_entity_by_id(str(a.ecs_id)) is a
        assert graph.find_entity_by_id(str(a.ecs_id).upper()) is a
        assert graph.find_entity_by_id(uuid4()) is None
        assert graph.find_entity_by_id(str(uuid4())) is None

    @pytest.mark.parametrize("bad", ["abc", "", 5, None, [], b"x"])
    def test_finding_by_a_malformed_id(self, bad: Any) -> None:
        with pytest.raises(InvalidIdError, match=r"is not a UUID\. An ecs_id looks like") as caught:
            graph_of("a", []).find_entity_by_id(bad)
        assert caught.value.value == bad

    def test_dependencies_and_dependents(self) -> None:
        graph = graph_of("abcd", [("a", "b"), ("a", "c"), ("a", "b"), ("b", "d"), ("c", "d")])
        a, b, c, d = graph.nodes
        assert graph.dependencies(a) == [b, c]
        assert graph.dependencies(a, transitive=True) == [b, c, d]
        assert graph.dependencies(d) == graph.dependencies(d, transitive=True) == []
        assert graph.dependents(d) == [b, c]
        assert graph.dependents(d, transitive=True) == [b, c, a]
        assert graph.dependencies(a.ecs_id) == [b, c]

    def test_dependencies_in_cycles(self) -> None:
        graph = graph_of("abc", [("a", "a"), ("a", "b"), ("b", "a"), ("b", "c")])
        a, b, c = graph.nodes
        assert graph.dependencies(a) == [a, b]
        assert graph.dependencies(a, transitive=True) == [b, c]
        assert graph.dependents(a) == [a, b]
        assert graph.dependents(a, transitive=True) == [b]
        assert graph.dependents(c, transitive=True) == [b, a]

    def test_what_is_not_in_the_graph(self) -> None:
        graph = graph_of("ab", [])
        stranger = Vertex(name="secret")
        with pytest.raises(EntityNotFoundError, match="Vertex is not in this graph of 2") as caught:
            graph.dependencies(stranger)
        assert caught.value.node is stranger
        assert "secret" not in str(caught.value)
        with pytest.raises(EntityNotFoundError, match="Did you mean 'Thread'"):
            Graph(Thread).dependents("Thred")

    def test_references(self) -> None:
        thread = thread_of(2)
        first, second = thread.messages
        graph = Graph(thread)
        assert [(r.source, r.path, r.target) for r in graph.references] == [
            (thread, "messages[0]", first),
            (thread, "messages[1]", second),
            (first, "thread", thread),
            (second, "thread", thread),
            (second, "parent", first),
        ]
        assert graph.references[0].field == "messages"
        assert len(graph.references) == 5


class TestOrder:
    def test_a_thread(self) -> None:
        thread = thread_of(3)
        graph = Graph(thread)
        assert graph.get_topological_sort() == [thread, *thread.messages]
        assert [r.path for r in graph.deferred] == ["messages[0]", "messages[1]", "messages[2]"]
        assert graph.generations() == [[thread, *thread.messages]]
        assert graph.cyclic_components() == [[thread, *thread.messages]]
        assert repr(graph) == "EntityDependencyGraph(4 nodes, 8 references, 1 cyclic component)"

    def test_generations(self) -> None:
        graph = graph_of("abcde", [("a", "b"), ("b", "c"), ("a", "d"), ("d", "d")])
        assert [names_of(generation) for generation in graph.generations()] == [
            ["c", "d", "e"],
            ["b"],
            ["a"],
        ]
        assert names_of(graph.get_topological_sort()) == ["c", "d", "e", "b", "a"]
        assert [names_of(c) for c in graph.cyclic_components()] == [["d"]]
        assert graph.status is ev.CycleStatus.CYCLE_DETECTED

    def test_required_references_wait_for_none_that_can(self) -> None:
        left, right = required_pair()
        graph = Graph(left)
        assert len(graph.deferred) == 1
        right.nullable = left
        assert [r.path for r in Graph(left).deferred] in (["right"], ["left", "nullable"])

    @pytest.mark.parametrize("n", [2, 3, 10])
    def test_one_reference_a_simple_cycle_is_deferred(self, n: int) -> None:
        graph = graph_of(range(n), [(k, (k + 1) % n) for k in range(n)])
        assert len(graph.deferred) == 1
        interlocked = Graph(ev.sample("interlocked"))
        assert len(interlocked.get_cycles()) == len(interlocked.deferred) == 3

    def test_status_shows_its_name(self) -> None:
        assert repr(ev.CycleStatus.NO_CYCLE) == "CycleStatus.NO_CYCLE"
        assert ev.CycleStatus.CYCLE_DETECTED.value == "cycle detected"

    @given(edge_lists(12, 30))
    def test_components_and_generations_are_those_of_networkx(
        self, case: tuple[int, list[tuple[int, int]]]
    ) -> None:
        n, edges = case
        graph = graph_of(range(n), edges)
        theirs = nx.MultiDiGraph()
        theirs.add_nodes_from(map(str, range(n)))
        theirs.add_edges_from((str(a), str(b)) for a, b in edges)
        components = list(nx.strongly_connected_components(theirs))
        cyclic = [c for c in components if len(c) > 1 or theirs.has_edge(*(min(c), min(c)))]
        assert sorted(map(sorted, map(names_of, graph.cyclic_components()))) == sorted(
            map(sorted, cyclic)
        )
        condensed = nx.condensation(theirs, components)
        generations = [
            sorted(name for number in numbers for name in components[number])
            for numbers in nx.topological_generations(condensed.reverse())
        ]
        assert [sorted(names_of(nodes)) for nodes in graph.generations()] == generations
        assert graph.is_acyclic == nx.is_directed_acyclic_graph(theirs)
        for name in map(str, range(n)):
            node = graph.find_entity_by_id(UUID(int=int(name) + 1))
            below = graph.dependencies(node, transitive=True)
            assert set(names_of(below)) == nx.descendants(theirs, name)
            above = graph.dependents(node, transitive=True)
            assert set(names_of(above)) == nx.ancestors(theirs, name)


# -- the same in every run -------------------------------------------------------------------


@given(edge_lists(), st.randoms(use_true_random=False))
def test_nothing_depends_on_the_order_of_nodes_or_references(
    case: tuple[int, list[tuple[int, int]]], random: Any
) -> None:
    n, edges = case
    one = Graph(vertices(range(n), edges))
    roots = list(vertices(range(n), edges).values())
    random.shuffle(roots)
    for root in roots:
        random.shuffle(root.to)
    other = Graph(roots)
    assert names_of(one.get_topological_sort()) == names_of(other.get_topological_sort())
    assert list(map(names_of, one.generations())) == list(map(names_of, other.generations()))
    assert [names_of(c.nodes) for c in one.get_cycles()] == [
        names_of(c.nodes) for c in other.get_cycles()
    ]
    assert list(map(names_of, one.cyclic_components())) == list(
        map(names_of, other.cyclic_components())
    )


def test_nothing_depends_on_the_order_of_fields() -> None:
    class First(ev.Entity):
        name: str
        a: ev.Entity | None = None
        b: list[ev.Entity] = Field(default_factory=list)
        c: dict[str, ev.Entity] = Field(default_factory=dict)

    class Last(ev.Entity):
        c: dict[str, ev.Entity] = Field(default_factory=dict)
        b: list[ev.Entity] = Field(default_factory=list)
        a: ev.Entity | None = None
        name: str

    orders = []
    for cls in (First, Last):
        nodes: list[Any] = [cls(name=str(k), ecs_id=UUID(int=k + 1)) for k in range(9)]
        for k, node in enumerate(nodes):
            node.a = nodes[(k * 2) % 9]
            node.b = [nodes[(k + 3) % 9], nodes[k // 2]]
            node.c = {"x": nodes[(k * k) % 9]}
        graph = Graph(nodes[::-1] if cls is Last else nodes)
        orders.append(
            [
                names_of(graph.get_topological_sort()),
                [names_of(cycle.nodes) for cycle in graph.get_cycles(limit=None)],
                sorted((r.source.name, r.path) for r in graph.deferred),
            ]
        )
    assert orders[0] == orders[1]


PROGRAM = """
import json, sys
from uuid import UUID
from pydantic import Field
import ecsviz as ev
class Node(ev.Entity):
    name: str
    bag: "set[Node]" = Field(default_factory=set)
    frozen: "frozenset[Node]" = frozenset()
    by: "dict[str, Node]" = Field(default_factory=dict)
nodes = [Node(name=str(k), ecs_id=UUID(int=(k * 7919) % 101 + 1)) for k in range(40)]
for k, node in enumerate(nodes):
    node.bag = {nodes[(k * j) % 40] for j in range(1, 6)}
    node.frozen = frozenset({nodes[k // 2]})
    node.by = {"x": nodes[(k + 1) % 40]}
graph = ev.EntityDependencyGraph(nodes[0])
names = lambda found: [node.name for node in found]
json.dump([
    names(graph.nodes),
    names(graph.get_topological_sort()),
    [names(g) for g in graph.generations()],
    [names(c.nodes) for c in graph.get_cycles(limit=50)],
    sorted((r.source.name, r.path, r.target.name) for r in graph.deferred),
], sys.stdout)
"""


def test_every_process_sees_the_same() -> None:
    """Another hash seed, and so another order of sets, changes nothing."""
    outputs = {in_a_new_process(PROGRAM, PYTHONHASHSEED=seed) for seed in ("0", "1", "12345")}
    assert len(outputs) == 1
    assert len(json.loads(outputs.pop())[1]) == 40


# -- cycles ----------------------------------------------------------------------------------


class TestCycles:
    @given(edge_lists())
    def test_they_are_those_of_networkx(self, case: tuple[int, list[tuple[int, int]]]) -> None:
        n, edges = case
        found = graph_of(range(n), edges).get_cycles(limit=None, seconds=None)
        theirs: nx.DiGraph[int] = nx.DiGraph(edges)
        expected = set()
        for cycle in nx.simple_cycles(theirs):
            first = cycle.index(min(cycle))
            expected.add(tuple(cycle[first:] + cycle[:first]))
        assert {tuple(map(int, names_of(cycle.nodes))) for cycle in found} == expected
        assert len(found) == len(expected)
        assert [len(cycle) for cycle in found] == sorted(map(len, expected))
        assert found.complete
        for cycle in found:
            joined = {(r.source, r.target) for r in cycle.references}
            assert joined == set(zip(cycle.nodes, [*cycle.nodes[1:], cycle.nodes[0]], strict=True))
            parallel = [edges.count((int(a.name), int(b.name))) for a, b in joined]
            assert len(cycle.references) == sum(parallel)

    def test_the_limit(self) -> None:
        graph = graph_of(range(5), [(k, k) for k in range(5)])
        for limit in (0, 1, 4):
            found = graph.get_cycles(limit=limit)
            assert len(found) == limit
            assert not found.complete
            assert f"the limit is {limit}" in found.reason
        for enough in (5, 6, None):
            found = graph.get_cycles(limit=enough)
            assert len(found) == 5
            assert found.complete

    def test_a_dense_graph_is_cut_by_the_limit(self) -> None:
        """All cycles of 60 entities that all hold each other would take longer than the sun."""
        graph = graph_of(range(60), itertools.permutations(range(60), 2))
        found = graph.get_cycles()
        assert len(found) == 1_000
        assert found.reason == "the limit is 1,000; give limit=None for all"
        assert {len(cycle) for cycle in found} == {2}
        more = graph.get_cycles(limit=5_000)
        assert len(more) == 5_000
        assert [names_of(c.nodes) for c in more[:1_000]] == [names_of(c.nodes) for c in found]

    def test_a_dense_graph_is_cut_by_time(self) -> None:
        graph = graph_of(range(60), itertools.permutations(range(60), 2))
        found = graph.get_cycles(limit=None, seconds=0.2)
        assert found.reason == "0.2 s were over; give seconds=None for all"
        assert not found.complete
        assert len(found) >= math.comb(60, 2)
        assert "there are more: 0.2 s were over" in repr(found)

    def test_a_thread_of_1_000(self) -> None:
        thread = thread_of(1_000)
        for message in thread.messages:
            message.parent = None
        found = Graph(thread).get_cycles()
        assert len(found) == 1_000
        assert found.complete
        assert {len(cycle) for cycle in found} == {2}


# -- to networkx -----------------------------------------------------------------------------


class TestNetworkx:
    def test_nodes_and_edges(self) -> None:
        thread = thread_of(2)
        first, second = thread.messages
        thread.pinned = first
        graph = Graph(thread).to_networkx()
        assert type(graph) is nx.MultiDiGraph
        assert list(graph.nodes) == [thread.ecs_id, first.ecs_id, second.ecs_id]
        assert graph.nodes[first.ecs_id] == {"entity": first, "type": "Message", "generation": 0}
        assert set(graph.edges(keys=True)) == {
            (thread.ecs_id, first.ecs_id, "messages[0]"),
            (thread.ecs_id, second.ecs_id, "messages[1]"),
            (thread.ecs_id, first.ecs_id, "pinned"),
            (first.ecs_id, thread.ecs_id, "thread"),
            (second.ecs_id, thread.ecs_id, "thread"),
            (second.ecs_id, first.ecs_id, "parent"),
        }
        assert graph.edges[thread.ecs_id, first.ecs_id, "messages[0]"] == {
            "field": "messages",
            "path": "messages[0]",
            "deferred": True,
        }
        assert not graph.edges[first.ecs_id, thread.ecs_id, "thread"]["deferred"]

    def test_two_references_are_two_edges(self) -> None:
        class Holder(ev.Entity):
            by: dict[str, Vertex] = Field(default_factory=dict)

        a = Vertex()
        long = "https://example.org/" + "x" * 300
        holder = Holder(by={long + "1": a, long + "2": a})
        assert Graph(holder).to_networkx().number_of_edges() == 2
        assert graph_of("ab", [("a", "b")] * 3).to_networkx().number_of_edges() == 3

    @given(edge_lists())
    def test_any_graph(self, case: tuple[int, list[tuple[int, int]]]) -> None:
        n, edges = case
        found = graph_of(range(n), edges).to_networkx()
        numbers = {node: int(data["entity"].name) for node, data in found.nodes(data=True)}
        assert sorted(numbers.values()) == list(range(n))
        assert sorted((numbers[a], numbers[b]) for a, b in found.edges()) == sorted(edges)
        without = nx.MultiDiGraph(found)
        without.remove_edges_from(
            [(a, b, key) for a, b, key, late in found.edges(keys=True, data="deferred") if late]
        )
        assert nx.is_directed_acyclic_graph(without)


# -- large graphs ----------------------------------------------------------------------------


def far_chain() -> list[Any]:
    return list(ev.sample("chain", n=LONG))


def far_ring() -> list[Any]:
    nodes = far_chain()
    nodes[-1].links.append(nodes[0])
    return nodes


def far_star() -> list[Any]:
    nodes = list(ev.sample("star", n=LONG))
    hub = max(nodes, key=lambda node: len(node.links))
    for node in nodes:
        if node is not hub:
            node.links.append(hub)
    return nodes


@pytest.mark.parametrize(
    ("make", "references", "generations", "cycles", "deferred"),
    [
        (far_chain, LONG - 1, LONG, 0, 0),
        (far_ring, LONG, 1, 1, 1),
        (far_star, 2 * (LONG - 1), 1, 1_000, LONG - 1),
    ],
    ids=["chain", "ring", "star both ways"],
)
def test_100_000_entities(
    make: Callable[[], list[Any]], references: int, generations: int, cycles: int, deferred: int
) -> None:
    nodes = make()
    graph = Graph(nodes)
    assert len(graph) == LONG
    assert len(graph.references) == references
    assert len(graph.generations()) == generations
    assert len(graph.get_cycles(seconds=None)) == cycles
    assert len(graph.deferred) == deferred
    assert len(set(map(id, graph.get_topological_sort()))) == LONG
    assert len(graph.dependencies(nodes[0], transitive=True)) == LONG - 1
    assert graph.to_networkx().number_of_edges() == references
