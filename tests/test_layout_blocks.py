"""Cycles that meet in single nodes: which they are, and that each is seen by itself."""

from __future__ import annotations

import random
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest

import ecsviz as ev
from ecsviz.layout import layout_graph
from ecsviz.layout.blocks import block_places, blocks_of
from tests.test_layout import check, graph_of

Graph = ev.EntityDependencyGraph
WIDE, MARK = (1.2, 0.3), (0.16, 0.16)


def rings(*cycles: tuple[int, ...]) -> list[tuple[int, int]]:
    return [edge for cycle in cycles for edge in pairwise((*cycle, cycle[0]))]


@pytest.mark.parametrize("seed", range(6))
def test_blocks_are_those_of_networkx(seed: int) -> None:
    chance = random.Random(seed)
    n = 25
    edges = [(chance.randrange(n), chance.randrange(n)) for _ in range(24 + seed)]
    successors: dict[int, list[int]] = {node: [] for node in range(n)}
    for a, b in edges:
        successors[a].append(b)
    graph = nx.Graph((a, b) for a, b in edges if a != b)
    found = blocks_of(range(n), successors)
    assert sorted(found) == sorted(sorted(block) for block in nx.biconnected_components(graph))


@pytest.mark.parametrize("size", [WIDE, MARK])
@pytest.mark.parametrize(
    "cycles",
    [
        [(0, 1, 2), (2, 3, 4), (4, 5, 6)],
        [(0, 1, 2, 3, 4), (4, 5, 6, 7, 8)],
        [(0, 1, 2), (0, 3, 4), (0, 5, 6)],
        [(0, 1, 2), (2, 3), (3, 4, 5)],
        [(0, 1, 2, 3), (1, 4, 5), (2, 6, 7), (7, 8)],
    ],
)
def test_every_cycle_is_seen_by_itself(
    cycles: list[tuple[int, ...]], size: tuple[float, float]
) -> None:
    n = 1 + max(max(cycle) for cycle in cycles)
    layout = layout_graph(graph_of(rings(*cycles), n), sizes=np.tile(size, (n, 1)))
    check(layout)
    assert layout.ring.tolist() == [True]
    for cycle in cycles:
        own = layout.positions[list(cycle)]
        middle = own.mean(axis=0)
        if len(cycle) > 2:
            x, y = (own - middle).T
            step = np.diff(np.unwrap(np.arctan2(y, x)))
            assert (step < 0).all(), "clockwise"
            assert step.sum() > -2 * np.pi, "once round"
        # No other node stands inside it.
        reach = np.abs(own - middle).max(axis=0)
        others = np.delete(layout.positions, list(cycle), axis=0)
        inside = (np.abs(others - middle) < 0.8 * reach).all(axis=1)
        assert len(cycle) == 2 or not inside.any()


def test_three_interlocked_cycles_are_three_circles() -> None:
    graph = Graph(ev.sample("interlocked"))
    layout = layout_graph(graph)
    check(layout)
    names = [node.name for node in graph.nodes]
    side = []
    for cycle in ("abc", "cde", "efg"):
        own = layout.positions[[names.index(name) for name in cycle]]
        side += [float(np.hypot(*(a - b))) for a, b in pairwise([*own, own[0]])]
    assert side == pytest.approx([side[0]] * 9)
    assert np.array_equal(layout.positions, layout_graph(graph).positions)


def test_what_has_no_joints_or_no_room_stays_one_ring() -> None:
    size = np.tile(MARK, (8, 1))
    one = {k: [(k + 1) % 8] for k in range(8)}
    assert block_places(range(8), one, size, (0.1, 0.1), 9.0) is None
    one[0].append(4)  # a chord makes no joint
    assert block_places(range(8), one, size, (0.1, 0.1), 9.0) is None
    tail = {0: [1], 1: [2], 2: [0, 3], 3: [2, 4], 4: [3]}  # nor do nodes in a row
    assert block_places(range(5), tail, size[:5], (0.1, 0.1), 9.0) is None
    two = {0: [1], 1: [2], 2: [0, 3], 3: [4], 4: [2]}
    assert block_places(range(5), two, size[:5], (0.1, 0.1), 9.0) is not None
    assert block_places(range(5), two, size[:5], (0.1, 0.1), 0.01) is None
    star = {0: list(range(1, 17)), **{k: [k + 1 - 2 * ((k + 1) % 2)] for k in range(1, 17)}}
    for k in range(2, 17, 2):
        star[k].append(0)
    crowded = block_places(range(17), star, np.tile(MARK, (17, 1)), (0.1, 0.1), 99.0)
    assert crowded is None, "eight cycles at one joint would lie on each other"
