"""Components, generations, order of graphs of integers, against networkx."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from random import Random
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecsviz.basics import order
from ecsviz.basics.order import (
    COLLECTION,
    NULLABLE,
    REQUIRED,
    group,
    levels,
    strong_components,
    topological_order,
)

LONG = 100_000
Edges = list[tuple[int, int]]


def arrays(edges: Iterable[tuple[int, int]]) -> tuple[order.Ints, order.Ints]:
    pairs = np.array(list(edges), dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def order_of(n: int, edges: Edges, kinds: list[int] | None = None, rank: Any = None) -> order.Order:
    kinds = [NULLABLE] * len(edges) if kinds is None else kinds
    rank = np.arange(n) if rank is None else np.array(rank, dtype=np.int64)
    return topological_order(n, *arrays(edges), rank, np.array(kinds, dtype=np.int64))


def graph_of(n: int, edges: Edges) -> nx.MultiDiGraph[int]:
    graph: nx.MultiDiGraph[int] = nx.MultiDiGraph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(edges)
    return graph


@st.composite
def graphs(draw: st.DrawFn, max_nodes: int = 9, max_edges: int = 24) -> tuple[int, Edges]:
    """A graph with parallel edges and self loops."""
    n = draw(st.integers(0, max_nodes))
    if n == 0:
        return 0, []
    node = st.integers(0, n - 1)
    return n, draw(st.lists(st.tuples(node, node), max_size=max_edges))


# -- components and levels -------------------------------------------------------------------


@given(graphs(20, 60))
def test_strong_components(case: tuple[int, Edges]) -> None:
    n, edges = case
    labels = strong_components(n, *arrays(edges)).tolist()
    found: dict[int, set[int]] = {}
    for node, label in enumerate(labels):
        found.setdefault(label, set()).add(node)
    expected = map(frozenset, nx.strongly_connected_components(graph_of(n, edges)))
    assert set(map(frozenset, found.values())) == set(expected)


@given(graphs(20, 60))
def test_components_of_few_and_of_many_are_the_same(case: tuple[int, Edges]) -> None:
    n, edges = case
    few = strong_components(n, *arrays(edges)).tolist()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "FEW", -1)
        many = strong_components(n, *arrays(edges)).tolist()
    assert len(set(zip(few, many, strict=True))) == len(set(few)) == len(set(many))
    assert sorted(set(few)) == list(range(len(set(few)))), "numbered without holes"


@pytest.mark.parametrize("copies", [255, 256, 257, 65_536])
def test_parallel_edges_do_not_cancel_out(copies: int) -> None:
    labels = strong_components(2, *arrays([(0, 1)] * copies + [(1, 0)]))
    assert labels[0] == labels[1]


@given(graphs(20, 60))
def test_levels(case: tuple[int, Edges]) -> None:
    n, edges = case
    down = [(max(e), min(e)) for e in edges if e[0] != e[1]]
    expected = {}
    for level, nodes in enumerate(nx.topological_generations(graph_of(n, down).reverse())):
        expected.update(dict.fromkeys(nodes, level))
    assert dict(enumerate(levels(n, *arrays(down)).tolist())) == expected


def test_levels_of_wide_and_long_graphs() -> None:
    """Whole layers at first, then node by node: both ways, and the change between them."""
    rng = np.random.default_rng(5)
    wide = [(int(a), int(b)) for a, b in rng.integers(0, 2_000, (6_000, 2)) if a > b]
    chain = [(2_000 + k + 1, 2_000 + k) for k in range(999)] + [(2_000, 1_999)]
    fan = [(3_000 + k, 2_999) for k in range(500)] + [(3_500, 3_000 + k) for k in range(500)]
    edges = wide + chain + fan
    expected = {}
    for level, nodes in enumerate(nx.topological_generations(graph_of(3_501, edges).reverse())):
        expected.update(dict.fromkeys(nodes, level))
    assert dict(enumerate(levels(3_501, *arrays(edges)).tolist())) == expected


@pytest.mark.parametrize("edges", [[(0, 1), (1, 0)], [(0, 0)], [(0, 1), (1, 2), (2, 1)]])
def test_levels_of_a_cycle(edges: Edges) -> None:
    with pytest.raises(ValueError, match="the graph has a cycle"):
        levels(3, *arrays(edges))


# -- order -----------------------------------------------------------------------------------


@given(graphs(12, 40), st.randoms(use_true_random=False), st.data())
def test_the_order_is_right(case: tuple[int, Edges], random: Any, data: st.DataObject) -> None:
    n, edges = case
    kinds = data.draw(
        st.lists(st.sampled_from([0, 1, 2]), min_size=len(edges), max_size=len(edges))
    )
    rank = list(range(n))
    random.shuffle(rank)
    found = order_of(n, edges, kinds, rank)
    graph = graph_of(n, edges)
    components = list(nx.strongly_connected_components(graph))
    condensed = nx.condensation(nx.DiGraph(graph), components)

    sequence = found.sequence.tolist()
    assert sorted(sequence) == list(range(n))
    position = {node: place for place, node in enumerate(sequence)}
    component = found.component.tolist()
    assert sorted(set(component)) == list(range(len(components)))
    for members in components:
        places = sorted(position[node] for node in members)
        assert places == list(range(places[0], places[0] + len(members)))  # they stand together
        assert len({component[node] for node in members}) == 1
    for source, target in edges:
        assert component[target] <= component[source]
    generations = list(nx.topological_generations(condensed.reverse()))
    for level, numbers in enumerate(generations):
        for number in numbers:
            for node in components[number]:
                assert found.generation[node] == level

    for number, (source, target) in enumerate(edges):
        assert found.in_cycle[number] == (component[source] == component[target])
        later = position[target] >= position[source]
        assert found.deferred[number] == (later and component[source] == component[target])
        assert found.deferred[number] or position[target] < position[source]
    for node in range(n):
        cyclic = graph.has_edge(node, node) or component.count(component[node]) > 1
        assert found.cyclic[component[node]] == cyclic


@given(graphs(10, 30), st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_numbers_or_edges(
    case: tuple[int, Edges], random: Any
) -> None:
    n, edges = case
    before = order_of(n, edges).sequence.tolist()
    numbers = list(range(n))
    random.shuffle(numbers)  # node k is now called numbers[k], and keeps its rank
    renamed = [(numbers[a], numbers[b]) for a, b in edges]
    random.shuffle(renamed)
    rank = [numbers.index(node) for node in range(n)]
    after = order_of(n, renamed, rank=rank).sequence.tolist()
    assert [rank[node] for node in after] == before


@given(graphs(10, 30), st.data())
def test_required_edges_wait_only_in_cycles_of_their_own(
    case: tuple[int, Edges], data: st.DataObject
) -> None:
    n, edges = case
    kinds = data.draw(
        st.lists(st.sampled_from([0, 1, 2]), min_size=len(edges), max_size=len(edges))
    )
    found = order_of(n, edges, kinds)
    required = graph_of(n, [e for e, kind in zip(edges, kinds, strict=True) if kind == REQUIRED])
    firm = graph_of(n, [e for e, kind in zip(edges, kinds, strict=True) if kind != COLLECTION])
    cyclic = {
        kind: {node: members for members in nx.strongly_connected_components(g) for node in members}
        for kind, g in [(REQUIRED, required), (NULLABLE, firm)]
    }
    for number in np.flatnonzero(found.deferred).tolist():
        source, target = edges[number]
        if kinds[number] != COLLECTION:
            assert target in cyclic[kinds[number]][source]


@pytest.mark.parametrize("n", [1, 2, 3, 50])
@pytest.mark.parametrize("kind", [COLLECTION, NULLABLE, REQUIRED])
def test_a_ring_defers_one_edge(n: int, kind: int) -> None:
    edges = [(k, (k + 1) % n) for k in range(n)]
    assert order_of(n, edges, [kind] * n).deferred.sum() == 1


@pytest.mark.parametrize("place", range(4))
def test_a_ring_defers_its_cheapest_edge(place: int) -> None:
    edges = [(k, (k + 1) % 4) for k in range(4)]
    for cheap, dear in [(NULLABLE, REQUIRED), (COLLECTION, NULLABLE), (COLLECTION, REQUIRED)]:
        kinds = [cheap if k == place else dear for k in range(4)]
        assert np.flatnonzero(order_of(4, edges, kinds).deferred).tolist() == [place]


def test_a_thread_defers_its_list_only() -> None:
    """A thread that lists its messages, which name the thread (required) and their parent."""
    n = 50
    lists = [(0, k) for k in range(1, n)]
    backs = [(k, 0) for k in range(1, n)]
    parents = [(k, k - 1) for k in range(2, n)]
    kinds = [COLLECTION] * len(lists) + [REQUIRED] * len(backs) + [NULLABLE] * len(parents)
    found = order_of(n, lists + backs + parents, kinds, rank=range(n)[::-1])
    assert found.sequence.tolist() == list(range(n))
    assert np.flatnonzero(found.deferred).tolist() == list(range(len(lists)))


def test_a_thread_is_ordered_without_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """What closes cycles there are lists, which can wait: the rest has none."""
    monkeypatch.setattr(order, "_greedy", lambda *_: pytest.fail("searched"))
    edges = [(0, k) for k in range(1, 50)] + [(k, 0) for k in range(1, 50)]
    assert order_of(50, edges, [COLLECTION] * 49 + [REQUIRED] * 49).deferred.sum() == 49
    # A ring of collections beside it comes apart where one node is taken out; two rings, each
    # through both of two nodes, do not.
    ring = [(50, 51), (51, 52), (52, 50)]
    kinds = [COLLECTION] * 49 + [REQUIRED] * 49
    assert order_of(53, edges + ring, kinds + [COLLECTION] * 3).deferred.sum() == 50
    tangle = [(a, b) for a in range(50, 54) for b in range(50, 54) if a != b]
    with pytest.raises(pytest.fail.Exception, match="searched"):
        order_of(54, edges + tangle, kinds + [COLLECTION] * 12)


@given(st.data(), st.integers(2, 9))
def test_a_part_that_one_node_holds_together_defers_no_more_than_the_search(
    data: st.DataObject, n: int
) -> None:
    """What comes apart at once is ordered as well as one by one."""
    ends = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda e: e[0] != e[1])
    edges = data.draw(st.lists(ends, min_size=2, max_size=20))
    kinds = data.draw(
        st.lists(st.sampled_from([NULLABLE, REQUIRED]), min_size=len(edges), max_size=len(edges))
    )
    found = order_of(n, edges, kinds)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "_place_within", one_by_one)
        searched = order_of(n, edges, kinds)
    cost = [found.deferred[np.array(kinds) == kind].sum() for kind in (REQUIRED, NULLABLE)]
    other = [searched.deferred[np.array(kinds) == kind].sum() for kind in (REQUIRED, NULLABLE)]
    assert cost <= other


def one_by_one(
    n: int, part: order.Ints, sources: order.Ints, targets: order.Ints, cost: Any, rank: Any
) -> order.Ints:
    within = order._greedy(sources, targets, cost, rank)
    place = np.zeros(n, dtype=np.int64)
    place[within] = np.arange(len(within))
    return place


def test_of_required_edges_that_must_wait_as_few_as_possible_do() -> None:
    """0 holds 1 by two required fields, 1 holds 0 by one of them and three that may be empty."""
    edges = [(0, 1), (0, 1), (1, 0), (1, 0), (1, 0), (1, 0)]
    kinds = [REQUIRED] * 3 + [NULLABLE] * 3
    for rank in ([0, 1], [1, 0]):
        found = order_of(2, edges, kinds, rank)
        assert found.sequence.tolist() == [1, 0]
        assert found.deferred.tolist() == [False, False, True, True, True, True]


def test_hardly_more_is_deferred_than_must_be() -> None:
    random = Random(3)
    found = least = 0
    for _ in range(300):
        n = random.randint(3, 6)
        count = random.randint(n, 2 * n + 2)
        edges = [(random.randrange(n), random.randrange(n)) for _ in range(count)]
        edges = [edge for edge in edges if edge[0] != edge[1]]
        found += int(order_of(n, edges).deferred.sum())
        least += min(
            sum(place[b] > place[a] for a, b in edges) for place in itertools.permutations(range(n))
        )
    assert least <= found <= 1.05 * least


def test_rings_that_meet_in_a_node_defer_one_edge_each() -> None:
    three = [(0, 1), (1, 2), (2, 0), (0, 3), (3, 4), (4, 0), (0, 5), (5, 6), (6, 0)]
    assert order_of(7, three).deferred.sum() == 3


def test_rings_that_share_an_edge_defer_it_once() -> None:
    shared = [(0, 1), (1, 2), (2, 0), (1, 3), (3, 0), (1, 4), (4, 0)]
    assert np.flatnonzero(order_of(5, shared).deferred).tolist() == [0]


@pytest.mark.parametrize(
    ("edges", "generations", "deferred"),
    [
        ([(k, k + 1) for k in range(LONG - 1)], LONG, 0),
        ([(k, (k + 1) % LONG) for k in range(LONG)], 1, 1),
        ([(0, k) for k in range(1, LONG)], 2, 0),
        ([(k, 0) for k in range(1, LONG)], 2, 0),
        ([(0, k) for k in range(1, LONG)] + [(k, 0) for k in range(1, LONG)], 1, LONG - 1),
        ([(k, k - 1) for k in range(1, LONG)] + [(k - 1, k) for k in range(1, LONG)], 1, LONG - 1),
    ],
    ids=["chain", "ring", "star out", "star in", "star both ways", "chain both ways"],
)
def test_100_000_nodes(edges: Edges, generations: int, deferred: int) -> None:
    found = order_of(LONG, edges)
    assert found.generation.max() + 1 == generations
    assert found.deferred.sum() == deferred
    assert len(np.unique(found.sequence)) == LONG


# -- group -----------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9))))
def test_group(pairs: list[tuple[int, int]]) -> None:
    of = group(*arrays(pairs))
    for key in range(8):
        assert of(key).tolist() == [value for k, value in pairs if k == key]
