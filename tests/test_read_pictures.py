"""Pictures that one reads: no line behind a box, layouts that say what they are, room used."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import networkx as nx
import numpy as np
import pytest
from pydantic import Field

import ecsviz as ev
from ecsviz.draw import draw_graph
from ecsviz.layout.choices import placed_by
from ecsviz.widgets.graph.scene import IN_CYCLE, TO_HUB, map_scene, nodes_scene
from tests.test_draw import found, graph_of, texts
from tests.test_layout import boxes_of, overlaps
from tests.test_maps import HOWS, own_ways, packages

Graph = ev.EntityDependencyGraph
WEEK = timedelta(days=7)


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


@pytest.mark.parametrize("how", ["layered", "tree", "radial", "force"])
@pytest.mark.parametrize("wide", [6.0, 9.0])
def test_marks_have_names_where_there_is_room(how: Any, wide: float) -> None:
    ax = draw_graph(own_ways(40), layout=how, figsize=(wide, 0.85 * wide))
    named, note = len(texts(ax, "label")), " ".join(texts(ax, "note"))
    assert named >= (30 if wide < 9 else 37)
    assert ("no room for all labels" in note) == (named < 40)


@pytest.mark.parametrize("n", [40, 130])
def test_what_is_radial_stands_on_rings_that_are_seen(n: int) -> None:
    graph = own_ways(40) if n == 40 else packages(n)
    rings = found(draw_graph(graph, layout="radial"), "rings")
    assert len(rings.get_offsets()) >= 3
    layout = placed_by("radial", graph, np.full((n, 2), 0.15), (0.1, 0.3), (9.0, 9.0))
    far = np.hypot(*layout.positions.T)
    assert np.isin(far.round(6), np.round((0.0, *layout.rings), 6)).all()
    assert all((np.abs(far - ring) < 1e-6).any() for ring in layout.rings)
    assert overlaps(boxes_of(layout)) == []


def talk(every: int) -> ev.ChatThread:
    """Return a thread of which each so-manieth message has a moment."""
    thread, last = ev.ChatThread(title="Some have a time"), None
    thread.created_at = None
    for k in range(12):
        last = thread.say("user", f"message {k}", parent=last)
        last.created_at = datetime(2024, 5, 1, tzinfo=UTC) + k * WEEK if k % every == 0 else None
    return thread


@pytest.mark.parametrize("every", [1, 3, 12])
def test_a_timeline_tells_the_time_and_who_has_none(every: int) -> None:
    ax = draw_graph(Graph(talk(every)), layout="timeline", pairs=False)
    ticks = texts(ax, "tick")
    note = " ".join(" ".join(texts(ax, "note")).split())
    dated = 12 // every
    assert f"{13 - dated} entit{'y has' if dated == 12 else 'ies have'} no time" in note
    assert "no time" in ticks
    assert ticks[-2].endswith("UTC")
    assert len(found(ax, "time").get_segments()) == len(ticks) - 2 >= min(dated, 3)
    boxes = [path.get_extents() for path in found(ax, "nodes").get_paths()]
    on_line = min(segment[0][0] for segment in found(ax, "time").get_segments())
    assert sum(box.x1 < on_line for box in boxes) == 13 - dated


class Event(ev.Entity):
    at: datetime | date
    then: list[Event] = Field(default_factory=list)


Event.model_rebuild()
FIRST, LAST = datetime(1, 1, 1), datetime(9999, 12, 31)  # noqa: DTZ001 - without a zone


@pytest.mark.parametrize("moment", [FIRST, LAST, FIRST.date(), LAST.replace(tzinfo=UTC)])
def test_a_timeline_takes_any_moment(moment: Any) -> None:
    other = Event(at=datetime(2024, 5, 1, tzinfo=timezone(timedelta(hours=14))))
    ax = draw_graph(Graph(Event(at=moment, then=[other])), layout="timeline")
    assert texts(ax, "tick")


def test_what_hangs_in_a_tree_hangs_from_its_root() -> None:
    graph = WITH_BOXES["tree"]
    layout = placed_by("tree", graph, np.tile((0.2, 0.2), (40, 1)), (0.1, 0.3), (30.0, 9.0))
    parts, rows = graph.arrays, np.unique(layout.positions[:, 1])[::-1]
    row = np.searchsorted(-rows, -layout.positions[:, 1])
    assert row[0] == 0
    assert (row[parts.targets] == row[parts.sources] + 1).all()


def test_all_lines_of_few_cycles_are_among_the_points() -> None:
    graph = packages(4_000)
    found = graph.ordering.in_cycle
    assert len(found) > 6_000
    assert found.sum() < 100
    flags = map_scene(graph).flags
    assert len(flags) == 6_000
    assert ((flags & IN_CYCLE) > 0).sum() == found.sum()
    assert (flags[-int(found.sum()) :] & IN_CYCLE).all(), "they are drawn on top"
