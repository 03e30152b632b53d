"""Layouts of what holds cycles: trees stay trees, and lines cross no more than in other layouts."""

from __future__ import annotations

import random
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.collections import LineCollection

import ecsviz as ev
from ecsviz import errors
from ecsviz.basics.order import COLLECTION, NULLABLE, levels
from ecsviz.draw import draw_graph
from ecsviz.layout import layout_graph
from ecsviz.layout.choices import How, placed_by
from ecsviz.layout.crossings import count_crossings, crossings_of
from ecsviz.layout.one_way import _by_two_steps, one_way
from ecsviz.layout.placed import HUB, ROWS
from ecsviz.layout.ranks import short_lines
from tests.entity_graphs import numbered_graph
from tests.test_draw import chat, found
from tests.test_layout import check, graph_of, graphs

Graph = ev.EntityDependencyGraph


def numbered(
    names: list[str], edges: list[tuple[int, int, str, int]], kind: str = "Person"
) -> Graph:
    """Return a graph of nodes by name, and references with their field and kind."""
    return Graph.from_parts(
        names,
        names,
        [kind] * len(names),
        [edge[0] for edge in edges],
        [edge[1] for edge in edges],
        [edge[2] for edge in edges],
        kinds=[edge[3] for edge in edges],
    )


def company(n: int) -> Graph:
    """Return people who know their manager, three a manager, who know their reports."""
    edges = []
    for k in range(1, n):
        boss = (k - 1) // 3
        edges += [(boss, k, "reports", COLLECTION), (k, boss, "manager", NULLABLE)]
    return numbered([f"p{k}" for k in range(n)], edges)


# -- what is a tree or a chain without its inverse references ----------------------------------


@pytest.mark.parametrize("n", [3, 11, 40])
def test_a_company_is_a_hierarchy(n: int) -> None:
    layout = layout_graph(company(n), sizes=np.tile((0.9, 0.3), (n, 1)))
    check(layout)
    x, y = layout.positions.T
    for k in range(1, n):
        assert y[(k - 1) // 3] > y[k]
    assert not layout.ring.any()
    assert set(layout.shape.tolist()) == {ROWS}
    assert crossings_of(layout, company(n).arrays) == 0
    # Those that lead back run along the same way, the other way round.
    for k in range(0, 2 * (n - 1), 2):
        assert layout.route(k).tolist() == layout.route(k + 1)[::-1].tolist()
    reports = [k for k in range(1, n) if (k - 1) // 3 == 0]
    assert x[0] == pytest.approx(x[reports].mean(), abs=0.6)
    assert (np.diff(x[reports]) > 0).all(), "in their order"


def test_a_question_stands_above_its_answers() -> None:
    thread = ev.ChatThread(title="Cycles")
    question = thread.say("user", "What is a cycle?")
    answers = [thread.say("assistant", text, question) for text in ("A way", "Another")]
    graph = Graph(thread)
    layout = layout_graph(graph)
    check(layout)
    place = {id(node): at for node, at in zip(graph.nodes, layout.positions, strict=True)}
    heights = [place[id(node)][1] for node in (thread, question, *answers)]
    assert heights[0] > heights[1] > heights[2] == heights[3]
    assert place[id(answers[0])][0] < place[id(answers[1])][0]
    assert (layout.shape == HUB).sum() == 4, "the thread holds what its first message leads to"


@pytest.mark.parametrize("kinds", [(COLLECTION, NULLABLE), (NULLABLE, NULLABLE)])
def test_a_chain_is_one_column_whichever_way_it_is_held(kinds: tuple[int, int]) -> None:
    edges = []
    for k in range(6):
        edges += [(k, k + 1, "after", kinds[0]), (k + 1, k, "before", kinds[1])]
    layout = layout_graph(numbered([f"n{k}" for k in range(7)], edges))
    check(layout)
    assert np.ptp(layout.positions[:, 0]) < 1e-9
    assert (np.diff(layout.positions[:, 1]) < 0).all()
    # On a page as wide as an explorer's it is one as well.
    plain = graph_of([(k, k + 1) for k in range(6)], 7)
    wide = layout_graph(plain, sizes=np.tile((1.0, 0.4), (7, 1)), gap=(0.34, 0.62), page=(11, 5.4))
    assert np.ptp(wide.positions[:, 0]) < 1e-9


def test_a_ring_and_a_knot_are_no_trees() -> None:
    both = [(k, (k + 1) % 8) for k in range(8)]
    ring = graph_of([*both, *((b, a) for a, b in both)], 8)
    assert one_way(ring) is None
    assert layout_graph(ring).ring.tolist() == [True]
    assert one_way(graph_of([(0, 1), (1, 0), (2, 0)], 3)) is None, "two are a ring"
    # A manager who reports to somebody below: the cycle is left, the pairs are not.
    parts = company(11).arrays
    edges = [
        (a, b, parts.place_of(k)[0], kind)
        for k, (a, b, kind) in enumerate(
            zip(parts.sources.tolist(), parts.targets.tolist(), parts.kinds.tolist(), strict=True)
        )
    ]
    knot = numbered([f"p{k}" for k in range(11)], [*edges, (7, 0, "mentor", NULLABLE)])
    left = one_way(knot)
    assert left is not None
    assert sorted(left.graph.cyclic_components()[0]) == ["p0", "p2", "p7"]


@given(st.integers(0, 10**6), st.integers(1, 40))
def test_two_steps_tell_what_longer_ways_tell_of_a_chat(seed: int, n: int) -> None:
    graph = Graph(chat(n, seed))
    left = one_way(graph)
    if left is None:
        return
    every = graph.without(left.turned)
    parts = every.arrays
    listed = parts.kinds == COLLECTION
    ends = left.graph.arrays.sources.tolist(), left.graph.arrays.targets.tolist()
    shown = set(zip(*ends, strict=True))
    implied = _by_two_steps(every, listed)
    for a, b, hidden in zip(
        parts.sources.tolist(), parts.targets.tolist(), implied.tolist(), strict=True
    ):
        assert hidden == ((a, b) not in shown)


@given(graphs())
def test_every_reference_keeps_its_line_and_its_component(graph: Graph) -> None:
    layout = layout_graph(graph)
    order, parts = graph.ordering, graph.arrays
    assert np.array_equal(layout.component, order.component)
    assert np.array_equal(layout.cyclic, order.cyclic)
    assert np.array_equal(layout.inside >= 0, order.in_cycle)
    assert len(layout.starts) == len(parts.sources) + 1
    assert layout.starts[-1] == len(layout.bends)


# -- crossings ---------------------------------------------------------------------------------


def tangle(n: int, reach: int, seed: int = 1) -> Graph:
    """Return a graph whose large cyclic component hangs together with other nodes."""
    r = np.random.default_rng(seed)
    edges = [(int(r.integers(max(0, k - reach), k)), k) for k in range(1, n)]
    for _ in range(int(0.25 * n)):
        a = int(r.integers(0, n - 1))
        edges.append((a, min(n - 1, a + int(r.integers(1, reach)))))
    for _ in range(n // 10):
        a = int(r.integers(1, n))
        edges.append((a, max(0, a - int(r.integers(1, reach)))))
    edges.append((n - 1, 0))
    return graph_of(sorted({edge for edge in edges if edge[0] != edge[1]}), n)


def ring_with_chords(n: int, seed: int = 1) -> Graph:
    r = np.random.default_rng(seed)
    way = r.permutation(n).tolist()
    edges = set(zip(way, [*way[1:], way[0]], strict=True))
    for _ in range(int(0.3 * n)):
        a, b = r.integers(0, n, 2).tolist()
        if a != b:
            edges.add((a, b))
    return graph_of(sorted(edges), n)


# What elkjs 0.12, "layered" downwards, makes of them: straight lines between the places of nodes.
ELK = {
    ("tangle", 50): 15,
    ("tangle", 200): 116,
    ("tangle", 500): 248,
    ("wide", 50): 48,
    ("wide", 200): 689,
    ("wide", 500): 2338,
    ("ring", 50): 42,
    ("ring", 200): 659,
    ("ring", 500): 3114,
}
MAKERS = {
    "tangle": lambda n: tangle(n, 10),
    "wide": lambda n: tangle(n, 50),
    "ring": ring_with_chords,
}


@pytest.mark.parametrize(("name", "n"), ELK)
def test_lines_cross_no_more_than_in_another_layout(name: str, n: int) -> None:
    graph = MAKERS[name](n)
    layout = layout_graph(graph)
    check(layout) if n < 300 else None
    assert crossings_of(layout, graph.arrays) <= ELK[name, n]


def test_what_is_taken_apart_leads_down_but_for_what_is_deferred() -> None:
    graph = tangle(50, 50)
    layout = layout_graph(graph)
    assert layout.loose.any()
    assert not (layout.loose & ~layout.cyclic).any()
    parts = graph.arrays
    kept = ~graph.ordering.deferred
    y = layout.positions[:, 1]
    assert (y[parts.sources] > y[parts.targets])[kept].all()
    # A component that is all there is stands in its own box.
    assert not layout_graph(ring_with_chords(50)).loose.any()


def test_the_ground_of_what_is_taken_apart_follows_its_ways() -> None:
    graph = tangle(30, 10)
    layout = layout_graph(graph)
    ax = draw_graph(graph)
    ground = found(ax, "cyclic components")
    assert isinstance(ground, LineCollection) == bool(layout.loose.any())
    assert len(ground.get_paths()) == graph.ordering.in_cycle.sum()


@given(st.integers(0, 10**6), st.integers(2, 30), st.integers(1, 50))
def test_rows_are_right_and_lines_no_longer(seed: int, n: int, count: int) -> None:
    r = random.Random(seed)
    pairs = [sorted(r.sample(range(n), 2), reverse=True) for _ in range(count)]
    a, b = np.array(pairs).T
    level = levels(n, a, b)
    rows = short_lines(level, a, b, np.full(n, level.max()))
    assert (rows[a] > rows[b]).all()
    assert rows.min() >= 0
    assert rows.max() <= level.max()
    assert (rows[a] - rows[b]).sum() <= (level[a] - level[b]).sum()


def test_crossings_are_counted() -> None:
    places = np.array([(0.0, 0.0), (2.0, 2.0), (0.0, 2.0), (2.0, 0.0), (3.0, 0.0)])

    def lines(*pairs: tuple[int, int]) -> Any:
        a, b = np.array(pairs).T
        return places[a], places[b], np.arange(len(pairs))

    assert count_crossings(*lines((0, 1), (2, 3))) == 1
    assert count_crossings(*lines((0, 1), (2, 1), (0, 3))) == 0, "they share ends"
    assert count_crossings(*lines((0, 1), (2, 4), (2, 3))) == 2


DEGENERATE: dict[str, tuple[int, list[tuple[int, int]]]] = {
    "nothing": (0, []),
    "one": (1, []),
    "one that holds itself": (1, [(0, 0)]),
    "twice": (1, [(0, 0), (0, 0)]),
    "two alone": (2, []),
    "one of two holds itself": (2, [(0, 0)]),
    "both hold themselves": (2, [(0, 0), (1, 1)]),
    "one way": (2, [(0, 1)]),
    "parallel": (2, [(0, 1), (0, 1)]),
    "both ways": (2, [(0, 1), (1, 0)]),
    "parallel both ways, and itself": (2, [(0, 1), (0, 1), (1, 0), (1, 1)]),
    "two rings and one alone": (5, [(0, 1), (1, 0), (2, 3), (3, 2), (4, 4)]),
}


@pytest.mark.parametrize("how", get_args(How))
@pytest.mark.parametrize("shape", DEGENERATE)
def test_every_layout_takes_the_smallest_graphs(how: str, shape: str) -> None:
    n, edges = DEGENERATE[shape]
    graph = numbered_graph(edges, ["n"] * n)
    given: Any = (how, graph, np.ones((n, 2)), (0.3, 0.3), (9.0, 9.0))
    if how == "timeline" and n:
        with pytest.raises(errors.EcsvizError, match="time"):
            placed_by(*given)
        return
    found = placed_by(*given)
    assert found.positions.shape == (n, 2)
    assert np.isfinite(found.positions).all()
    assert len({tuple(each) for each in found.positions.round(4).tolist()}) == n
    assert len(found.shape) == len(found.starts) - 1 == len(edges)
    assert np.isfinite(found.bends).all()
