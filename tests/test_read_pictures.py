"""Pictures that one reads: no line behind a box, layouts that say what they are, room used."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import networkx as nx
import numpy as np
import pytest

import ecsviz as ev
from ecsviz.draw import draw_graph
from ecsviz.layout.choices import placed_by
from ecsviz.widgets.graph.scene import TO_HUB, nodes_scene
from tests.test_draw import found, graph_of
from tests.test_maps import HOWS, own_ways, packages

Graph = ev.EntityDependencyGraph


def run_behind(lines: Any, boxes: Any) -> list[tuple[int, int]]:
    """Return which lines go through which boxes: left, bottom, right and top of each."""
    hits = []
    for number, line in enumerate(lines):
        points = np.concatenate([np.linspace(a, b, 25) for a, b in pairwise(line)])
        x, y = points[:, :1], points[:, 1:]
        inside = (x > boxes[:, 0]) & (x < boxes[:, 2]) & (y > boxes[:, 1]) & (y < boxes[:, 3])
        hits += [(number, int(box)) for box in np.flatnonzero(inside.any(axis=0))]
    return hits


LESSON = [("e", "d", ""), ("d", "b", ""), ("a", "b", ""), ("b", "c", ""), ("c", "a", ""),
          ("b", "f", "")]  # fmt: skip
KNOT = [(str(a), str(b), "") for a, b in nx.gnm_random_graph(30, 60, seed=1, directed=True).edges]
WITH_BOXES = {
    "lesson": graph_of(LESSON),
    "knot": graph_of(KNOT),
    "tree": Graph.from_parts(
        range(40), [str(k) for k in range(40)], ["n"] * 40, [k // 3 * (k % 2) for k in range(39)],
        range(1, 40), ["x"] * 39,
    ),
    "ways": own_ways(40),
    "chat": Graph(ev.sample("thread")),
    "packages": packages(50),
}  # fmt: skip


@pytest.mark.parametrize("name", WITH_BOXES)
@pytest.mark.parametrize("how", HOWS)
def test_no_line_runs_behind_a_box(how: Any, name: str) -> None:
    graph = WITH_BOXES[name]
    if how == "timeline" and not hasattr(graph.nodes[0], "created_at"):
        return
    ax = draw_graph(graph, layout=how, pairs=False)
    nodes = found(ax, "nodes")
    if nodes is None:  # marks
        return
    ends = [path.get_extents().get_points().ravel() for path in nodes.get_paths()]
    boxes = np.add(ends, (0.02, 0.02, -0.02, -0.02))
    for gid in ("references", "cycle references", "deferred references"):
        lines = found(ax, gid)
        if lines is not None:
            shown = [np.asarray(line) for line in lines.get_segments()]
            assert run_behind(shown, boxes) == []


@pytest.mark.parametrize("name", WITH_BOXES)
def test_no_line_of_the_explorer_runs_behind_a_box(name: str) -> None:
    graph = WITH_BOXES[name].without_pairs
    scene = nodes_scene(graph, np.arange(len(graph)))
    half = scene.sizes / 2 - 1
    boxes = np.hstack((scene.places - half, scene.places + half))
    for k, (a, b) in enumerate(zip(scene.sources, scene.targets, strict=True)):
        bends = scene.bends[scene.starts[k] : scene.starts[k + 1]]
        line = np.vstack((scene.places[a], bends, scene.places[b]))
        others = np.setdiff1d(np.arange(len(graph)), (a, b))
        assert scene.flags[k] & TO_HUB or run_behind([line], boxes[others]) == []


def test_what_hangs_in_a_tree_hangs_from_its_root() -> None:
    graph = WITH_BOXES["tree"]
    layout = placed_by("tree", graph, np.tile((0.2, 0.2), (40, 1)), (0.1, 0.3), (30.0, 9.0))
    parts, rows = graph.arrays, np.unique(layout.positions[:, 1])[::-1]
    row = np.searchsorted(-rows, -layout.positions[:, 1])
    assert row[0] == 0
    assert (row[parts.targets] == row[parts.sources] + 1).all()
