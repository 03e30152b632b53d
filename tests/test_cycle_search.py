"""The elementary cycles of graphs of integers, against networkx."""

from __future__ import annotations

import itertools
import math
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecsviz.graph.cycle_search import CycleSearch
from tests.test_order import LONG, Edges, graph_of, graphs


def search(nodes: list[int], edges: Iterable[tuple[int, int]], **options: Any) -> CycleSearch:
    ends = np.array(list(edges), dtype=np.int64).reshape(-1, 2)
    deadline = options.pop("deadline", math.inf)
    found = CycleSearch(nodes, ends[:, 0], ends[:, 1], deadline)
    if options.pop("split", True) is False:
        found._to_spend = 0
    return found


@pytest.mark.parametrize("split", [True, False], ids=["blocks apart", "starts in a row"])
@given(case=graphs(), random=st.randoms(use_true_random=False))
def test_cycles_are_those_of_networkx(split: bool, case: tuple[int, Edges], random: Any) -> None:
    n, edges = case
    nodes = list(range(n))
    random.shuffle(nodes)
    place = {node: number for number, node in enumerate(nodes)}
    found = list(search(nodes, edges, split=split))
    expected = set()
    for cycle in nx.simple_cycles(nx.DiGraph(graph_of(n, edges))):
        first = min(range(len(cycle)), key=lambda k, cycle=cycle: place[cycle[k]])
        expected.add(tuple(cycle[first:] + cycle[:first]))
    assert set(map(tuple, found)) == expected
    assert len(found) == len(expected)
    assert [len(cycle) for cycle in found] == sorted(len(cycle) for cycle in found)


@given(graphs(), st.randoms(use_true_random=False))
def test_cycles_come_in_the_same_order_every_time(case: tuple[int, Edges], random: Any) -> None:
    n, edges = case
    before = list(search(list(range(n)), edges))
    shuffled = list(edges)
    random.shuffle(shuffled)
    assert list(search(list(range(n)), shuffled)) == before


def complete(n: int) -> Edges:
    return list(itertools.permutations(range(n), 2))


def test_the_number_of_cycles_of_a_complete_graph() -> None:
    lengths = [len(cycle) for cycle in search(list(range(6)), complete(6))]
    expected = {k: math.comb(6, k) * math.factorial(k - 1) for k in range(2, 7)}
    assert {k: lengths.count(k) for k in expected} == expected


def test_the_first_cycles_of_a_dense_graph_are_there_at_once() -> None:
    found = search(list(range(60)), complete(60))
    first = list(itertools.islice(found, 5_000))
    assert {len(cycle) for cycle in first} == {2, 3}
    assert len(set(map(tuple, first))) == 5_000
    assert not found.timed_out


@pytest.mark.parametrize(
    "edges",
    [complete(60), [(k, (k + 1) % LONG) for k in range(LONG)]],
    ids=["dense", "ring"],
)
def test_a_deadline_that_is_over_ends_the_search(edges: Edges) -> None:
    nodes = sorted({node for edge in edges for node in edge})
    found = search(nodes, edges, deadline=time.monotonic() - 1)
    cycles = list(found)
    assert found.timed_out
    assert all(len(cycle) == 2 for cycle in cycles)  # pairs are read off, not searched for


def test_a_deadline_ends_a_search_within_one_length() -> None:
    """Millions of cycles of one and the same length: the clock is looked at on the way."""
    width, depth = 4, 12
    edges = []
    for layer in range(depth):
        for a, b in itertools.product(range(width), repeat=2):
            edges += [(layer * width + a, (layer + 1) * width + b)]
    last = (depth + 1) * width
    edges += [(depth * width + a, last) for a in range(width)]
    edges += [(last, a) for a in range(width)]
    found = search(list(range(last + 1)), edges, deadline=time.monotonic() + 0.05)
    through_one = width ** (depth - 1)  # so many at least pass through any one node
    lengths = Counter(map(len, itertools.islice(found, through_one)))
    assert found.timed_out
    assert set(lengths) <= {depth + 2}
    assert lengths.total() < through_one


@pytest.mark.parametrize("n", range(3, 40))
def test_rings_of_every_length(n: int) -> None:
    edges = [(k, (k + 1) % n) for k in range(n)]
    assert list(search(list(range(n)), edges)) == [list(range(n))]
    bridged = [*edges, (0, n // 2)]
    lengths = [len(cycle) for cycle in search(list(range(n)), bridged)]
    assert lengths == sorted({n, n - n // 2 + 1})


@pytest.mark.parametrize(
    ("edges", "count", "longest"),
    [
        ([(k, (k + 1) % LONG) for k in range(LONG)], 1, LONG),
        ([(k, LONG) for k in range(LONG)] + [(LONG, k) for k in range(LONG)], LONG, 2),
        ([(0, k) for k in range(1, LONG)] + [(k, 0) for k in range(1, LONG)], LONG - 1, 2),
        ([(k, k + 1) for k in range(LONG)] + [(k + 1, k) for k in range(LONG)], LONG, 2),
        ([(k, k) for k in range(LONG)], LONG, 1),
        ([(k, k + 1) for k in range(LONG)], 0, 0),
    ],
    ids=["ring", "star, hub last", "star, hub first", "chain both ways", "loops", "chain"],
)
def test_cycles_of_100_000_nodes(edges: Edges, count: int, longest: int) -> None:
    nodes = sorted({node for edge in edges for node in edge})
    found = [len(cycle) for cycle in search(nodes, edges)]
    assert len(found) == count
    assert max(found, default=0) == longest


def test_a_ring_both_ways() -> None:
    """All pairs, and the ring in both directions: nothing else."""
    n = 400
    edges = [(k, (k + 1) % n) for k in range(n)]
    found = list(search(list(range(n)), edges + [(b, a) for a, b in edges]))
    assert sorted(map(len, found)) == [2] * n + [n] * 2


def test_a_thread_with_replies_both_ways() -> None:
    """The thread and a chain of messages: one cycle for every way along the chain."""
    m = 30
    edges = [(0, k) for k in range(1, m + 1)] + [(k, 0) for k in range(1, m + 1)]
    for k in range(1, m):
        edges += [(k, k + 1), (k + 1, k)]
    assert len(list(search(list(range(m + 1)), edges))) == m * m + m - 1
