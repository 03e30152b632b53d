"""The order within rows: few crossings, and fewer where boxes and whole lines are sifted."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecsviz.layout import sifting
from ecsviz.layout.grid import Grid
from ecsviz.layout.layered import crossings, order_rows
from ecsviz.layout.sifting import fewer_crossings
from tests.test_layout import random_graph


def test_our_order_crosses_far_less_than_none() -> None:
    graph = random_graph(4, 120, 150, acyclic=True)
    parts = graph.arrays
    rank = graph.ordering.generation
    near = np.flatnonzero(rank[parts.sources] - rank[parts.targets] == 1)
    n = len(graph)
    one = np.ones(n)
    grid = Grid(
        one,
        one,
        rank,
        np.zeros(n, dtype=np.int64),
        np.arange(n),
        parts.sources[near],
        parts.targets[near],
        np.ones(len(near)),
        n,
        0.1,
    )
    before = crossings(grid, np.arange(n, dtype=float))
    after = crossings(grid, order_rows(grid))
    assert after < 0.5 * before


def test_crossings_are_counted() -> None:
    # Two rows of three, every line turned round: three pairs cross.
    rank = np.array([1, 1, 1, 0, 0, 0])
    one, none = np.ones(6), np.zeros(6, dtype=np.int64)
    ends = np.array([0, 1, 2]), np.array([5, 4, 3])
    grid = Grid(one, one, rank, none, np.arange(6), *ends, np.ones(3), 6, 0.1)
    assert crossings(grid, np.arange(6.0)) == 3
    assert crossings(grid, order_rows(grid)) == 0


def spread(rows: list[int], lines: list[tuple[int, int]], group: list[int]) -> Grid:
    """Boxes in rows, and lines from a row to the next or by bends through those between."""
    rank = [*rows]
    groups = [*group]
    segments = []
    for high, low in lines:
        last = high
        for row in range(rows[high] - 1, rows[low], -1):
            rank.append(row)
            groups.append(group[high])
            segments.append((last, len(rank) - 1))
            last = len(rank) - 1
        segments.append((last, low))
    n = len(rank)
    upper, lower = np.array(segments, dtype=np.int64).reshape(-1, 2).T
    one, weight = np.ones(n), np.ones(len(segments))
    found = np.array(rank), np.array(groups), np.arange(n)
    return Grid(one, one, *found, upper, lower, weight, len(rows), 0.1)


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    n = draw(st.integers(2, 14))
    rows = draw(st.lists(st.integers(0, 4), min_size=n, max_size=n))
    group = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))
    node = st.integers(0, n - 1)
    lines = draw(st.lists(st.tuples(node, node), max_size=30, unique=True))
    fit = [(a, b) for a, b in lines if rows[a] > rows[b] and group[a] == group[b]]
    return spread(rows, fit, group)


@given(grids())
def test_sifting_crosses_less_or_changes_nothing(grid: Grid) -> None:
    key = np.arange(len(grid), dtype=float)
    found = fewer_crossings(grid, key)
    assert np.isfinite(found).all()
    before, after = crossings(grid, key), crossings(grid, found)
    assert after < before or np.array_equal(found, key)
    assert np.array_equal(fewer_crossings(grid, key), found)
    for row in set(zip(grid.row.tolist(), grid.group.tolist(), strict=True)):
        inside = (grid.row == row[0]) & (grid.group == row[1])
        assert len(set(found[inside].tolist())) == inside.sum(), "two in one place"


def blocks_of(grid: Grid) -> tuple[Any, sifting._Blocks]:
    block = sifting._blocks(grid, np.ones(len(grid), dtype=bool))
    level = grid.group[grid.upper] * 9 + grid.row[grid.upper]
    ends = block[grid.upper], block[grid.lower]
    return block, sifting._Blocks(int(block.max()) + 1, *ends, *sifting._pairs(level))


@given(grids(), st.randoms())
def test_the_costs_of_places_are_their_crossings(grid: Grid, chance: random.Random) -> None:
    block, blocks = blocks_of(grid)
    place = np.array(chance.sample(range(blocks.count), blocks.count))
    assert blocks.crossings(place) == crossings(grid, place[block].astype(float))
    order = np.argsort(place).tolist()
    for moved in order:
        rest = [number for number in order if number != moved]
        found = [
            crossings(grid, np.argsort([*rest[:slot], moved, *rest[slot:]])[block].astype(float))
            for slot in range(blocks.count)
        ]
        assert blocks.costs(moved, place).tolist() == [count - found[0] for count in found]


@given(grids())
def test_where_sifting_ends_no_single_move_is_better(grid: Grid) -> None:
    _, blocks = blocks_of(grid)
    place = blocks.sifted(np.arange(blocks.count))
    assert sorted(place.tolist()) == list(range(blocks.count))
    for block in range(blocks.count):
        cost = blocks.costs(block, place)
        assert cost[place[block]] == cost.min()


def test_a_line_with_its_bends_is_one_block() -> None:
    grid = spread([4, 3, 2, 1, 0, 4, 0], [(0, 1), (5, 6), (1, 4), (0, 6)], [0] * 7)
    block = sifting._blocks(grid, np.ones(len(grid), dtype=bool))
    assert block.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 7, 7, 8, 8, 9, 9, 9]


def test_random_graphs_cross_a_third_less_for_sifting(monkeypatch: pytest.MonkeyPatch) -> None:
    before = unshaken = after = 0
    for seed in range(6):
        chance = random.Random(seed)
        rows = [chance.randrange(8) for _ in range(40)]
        pairs = [(chance.randrange(40), chance.randrange(40)) for _ in range(120)]
        grid = spread(rows, [(a, b) for a, b in pairs if rows[a] > rows[b]], [0] * 40)
        key = order_rows(grid)
        before += crossings(grid, key)
        with monkeypatch.context() as patch:
            patch.setattr(sifting, "MAX_SHAKES", 0)
            once = crossings(grid, fewer_crossings(grid, key))
        best = crossings(grid, fewer_crossings(grid, key))
        assert best <= once, "the best order counts, not the last"
        unshaken, after = unshaken + once, after + best
    assert after < 0.9 * unshaken < 0.8 * before


@pytest.mark.parametrize(
    ("rows", "wide"), [(2, 400), (3_000, 2)], ids=["very many lines", "very many boxes"]
)
def test_what_would_take_long_is_not_sifted(rows: int, wide: int) -> None:
    boxes = [row for row in range(rows) for _ in range(wide)]
    lines = [
        ((row + 1) * wide + k, row * wide + wide - 1 - k)
        for row in range(rows - 1)
        for k in range(wide)
    ]
    grid = spread(boxes, lines, [0] * len(boxes))
    key = np.arange(len(grid), dtype=float)
    assert fewer_crossings(grid, key) is key


def test_pairs_of_very_many_lines_are_not_even_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(level: Any) -> Any:
        raise AssertionError("a pair of every two lines")

    monkeypatch.setattr(sifting, "_pairs", refuse)
    n = 600
    grid = spread([1] * n + [0] * n, [(k, 2 * n - 1 - k) for k in range(n)], [0] * 2 * n)
    key = np.arange(len(grid), dtype=float)
    assert fewer_crossings(grid, key) is key
