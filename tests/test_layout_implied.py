"""Which references of a dense graph are faint, and what that does to its picture."""

from __future__ import annotations

import random

import networkx as nx
import numpy as np
import pytest

import ecsviz as ev
from ecsviz.draw import draw_graph
from ecsviz.layout import layout_graph
from ecsviz.layout.implied import CROWD, implied_references
from tests.test_draw import found, texts
from tests.test_layout import graph_of

Graph = ev.EntityDependencyGraph


def dense_graph(seed: int, nodes: int = 40, back: int = 30, each: int = 8) -> Graph:
    """References to lower numbers, some back, some twice."""
    chance = random.Random(seed)
    pairs = [(a, chance.randrange(a)) for a in range(1, nodes) for _ in range(each)]
    pairs += [tuple(sorted(chance.sample(range(nodes), 2))) for _ in range(back)]  # type: ignore[misc]  # two of them
    return graph_of(pairs, nodes)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("back", [0, 30])
def test_what_is_not_implied_is_the_transitive_reduction(seed: int, back: int) -> None:
    graph = dense_graph(seed, back=back)
    parts, order = graph.arrays, graph.ordering
    implied = implied_references(graph)
    assert implied.sum() > 50
    assert not (implied & order.deferred).any()
    assert not (implied & (parts.sources == parts.targets)).any()
    ordered = nx.DiGraph()
    ordered.add_nodes_from(range(len(graph)))
    pairs = list(zip(parts.sources.tolist(), parts.targets.tolist(), strict=True))
    ordered.add_edges_from(pairs[k] for k in np.flatnonzero(~order.deferred).tolist())
    reduced = set(nx.transitive_reduction(ordered).edges)
    for k in np.flatnonzero(~order.deferred).tolist():
        assert implied[k] == (pairs[k] not in reduced), "parallel ones alike"


def test_graphs_with_room_show_all() -> None:
    few = [(a, b) for a in range(12) for b in range(a)]
    assert len(few) < CROWD
    assert not implied_references(graph_of(few, 12)).any()
    sparse = dense_graph(0, nodes=200, each=1)
    assert len(sparse.arrays.sources) > CROWD
    assert not implied_references(sparse).any()
    assert not implied_references(graph_of([], 0)).any()


def test_a_thread_is_no_crowd() -> None:
    thread = ev.ChatThread(title="x")
    for number in range(80):
        thread.say("user", f"message {number}")
    graph = Graph(thread)
    assert len(graph.arrays.sources) > CROWD
    assert not implied_references(graph).any()


def test_they_are_drawn_faint_and_it_says_so() -> None:
    graph = dense_graph(1, back=0)
    implied = implied_references(graph)
    ax = draw_graph(graph, label=False)
    lines = found(ax, "references")
    alpha = np.array(lines.get_colors())[:, 3]
    assert len(alpha) == len(implied)
    assert alpha[implied].max() < 0.15
    assert alpha[~implied].min() > 0.6
    note = " ".join("\n".join(texts(ax, "note")).split())
    assert note.startswith(f"{implied.sum()} references are faint")
    assert "faint" not in "".join(texts(draw_graph(dense_graph(1, 200, 0, 1)), "note"))


def test_highlighted_ones_are_not_faint() -> None:
    graph = dense_graph(1, back=0)
    pairs = list(zip(graph.arrays.sources.tolist(), graph.arrays.targets.tolist(), strict=True))
    first = int(np.flatnonzero(implied_references(graph))[0])
    ax = draw_graph(graph, label=False, highlight=[f"n{number:05}" for number in pairs[first]])
    assert np.array(found(ax, "references").get_colors())[first, 3] == 1.0


def test_the_members_of_a_crowd_stand_farther_apart() -> None:
    crowd, ring = dense_graph(2), graph_of([(k, (k + 1) % 40) for k in range(40)], 40)
    assert implied_references(crowd).any()
    layout = layout_graph(crowd)
    rows: dict[float, list[float]] = {}
    for x, y in layout.positions.round(6).tolist():
        rows.setdefault(y, []).append(x)
    apart = [np.diff(sorted(row)).min() for row in rows.values() if len(row) > 1]
    assert min(apart) > 0.6
    assert not implied_references(ring).any()
