"""Large graphs: communities with titles, hubs by name, places by forces; layouts to choose from."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.text import Text
from pydantic import Field

import ecsviz as ev
from ecsviz.draw import DrawingOptionError, draw_graph
from ecsviz.draw import curves as draw_curves
from ecsviz.draw import nodes as draw_nodes
from ecsviz.draw.curves import make_curves
from ecsviz.draw.palette import PALETTE
from ecsviz.layout import maps
from ecsviz.layout.choices import placed_by
from ecsviz.layout.communities import communities
from ecsviz.layout.force import force_places
from ecsviz.layout.maps import COUNTED, bands_of, map_of, middles_of, needs_a_map
from ecsviz.widgets.graph.looks import communities_of
from ecsviz.widgets.graph.scene import MAP_UNIT, UNIT, map_scene
from tests.test_draw import chat, found, legend, marks, texts
from tests.test_layout import boxes_of, overlaps

Graph = ev.EntityDependencyGraph
HOWS = ("layered", "tree", "radial", "force", "circle", "timeline")


def packages(n: int, seed: int = 2, parts: int = 6) -> Graph:
    """Return packages that need earlier ones, mostly of their own part, in few cycles."""
    r = random.Random(seed)
    members: list[list[int]] = [[] for _ in range(parts)]
    edges = set()
    for node in range(n):
        pool = members[r.randrange(parts) if node >= parts else node]
        for _ in range(r.choice((1, 1, 2, 3))):
            if pool and r.random() < 0.9:
                edges.add(
                    (node, pool[min(int(r.expovariate(1) * len(pool) ** 0.5), len(pool) - 1)])
                )
            elif node:
                edges.add((node, r.randrange(node)))
        pool.append(node)
    first, *_ = sorted(edges)
    ends = sorted({*edges, first[::-1]})
    names = [f"pkg-{node}" for node in range(n)]
    a, b = zip(*ends, strict=True)
    return Graph.from_parts(names, names, ["Package"] * n, a, b, ["needs"] * len(a))


def test_communities_are_as_good_as_those_of_networkx() -> None:
    graph = packages(400)
    parts = graph.arrays
    steps = communities(400, parts.sources, parts.targets)
    counts = [int(step.max()) + 1 for step in steps]
    assert counts == sorted(counts, reverse=True)
    for small, large in pairwise(steps):
        assert len(np.unique(np.column_stack((small, large)), axis=0)) == small.max() + 1, "nested"
    whole: nx.Graph[int] = nx.Graph(
        zip(parts.sources.tolist(), parts.targets.tolist(), strict=True)
    )

    def quality(label: Any) -> float:
        found = [set(np.flatnonzero(label == k).tolist()) for k in range(int(label.max()) + 1)]
        return float(nx.community.modularity(whole, found))

    best = nx.community.modularity(whole, nx.community.louvain_communities(whole, seed=1))
    assert quality(steps[-1]) > 0.95 * best
    assert np.array_equal(steps[-1], communities(400, parts.sources, parts.targets)[-1])


@given(st.integers(0, 12).flatmap(lambda n: st.tuples(
    st.just(n), st.lists(st.tuples(st.integers(0, max(n - 1, 0)), st.integers(0, max(n - 1, 0))),
                         max_size=30 if n else 0))))  # fmt: skip
def test_any_graph_has_communities_and_places(case: tuple[int, list[tuple[int, int]]]) -> None:
    n, edges = case
    a, b = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    steps = communities(n, a, b)
    assert all(
        sorted(set(step.tolist())) == list(range(int(step.max(initial=-1)) + 1)) for step in steps
    )
    places = force_places(n, a, b, steps)
    assert places.shape == (n, 2)
    assert np.isfinite(places).all()
    assert len(np.unique(places.round(9), axis=0)) == n, "no two at one place"


def test_what_is_joined_stands_together() -> None:
    graph = packages(400)
    found_map = map_of(graph)
    assert map_of(graph) is found_map, "made once"
    parts, places = graph.arrays, found_map.places
    joined = np.hypot(*(places[parts.sources] - places[parts.targets]).T)
    r = np.random.default_rng(1)
    a, b = r.integers(0, 400, (2, 2000))
    assert np.median(joined) < 0.5 * np.median(np.hypot(*(places[a] - places[b]).T))
    assert np.array_equal(places, map_of(packages(400)).places), "the same in every run"
    sizes = np.bincount(found_map.community)
    assert (np.diff(sizes) <= 0).all()


def test_what_is_joined_to_nothing_stands_in_rows_below() -> None:
    names = [f"n{k}" for k in range(60)]
    ends = [(k, (k + 1) % 30) for k in range(30)]
    a, b = zip(*((2 * source, 2 * target) for source, target in ends), strict=True)
    places = map_of(Graph.from_parts(names, names, ["n"] * 60, a, b, ["to"] * 30)).places
    joined, single = places[::2], places[1::2]
    assert single[:, 1].max() < joined[:, 1].min()
    assert joined[:, 0].min() <= single[:, 0].min() <= single[:, 0].max() <= joined[:, 0].max()
    assert len(np.unique(places.round(6), axis=0)) == 60
    with_loners = packages(500).arrays
    names = [*with_loners.ids, *(f"alone {k}" for k in range(2_000))]
    ends = with_loners.sources, with_loners.targets
    paths = ["to"] * len(with_loners.sources)
    graph = Graph.from_parts(names, names, ["n"] * len(names), *ends, paths)
    assert needs_a_map(graph, 160), "however many are joined to nothing"
    nothing = map_of(Graph.from_parts(names, names, ["n"] * 60, [], [], []))
    assert np.isfinite(nothing.places).all()


def test_communities_are_called_after_their_most_telling_member() -> None:
    names = [f"pkg-{k}" for k in range(85)]
    star = Graph.from_parts(names, names, ["p"] * 85, range(1, 85), [0] * 84, ["needs"] * 84)
    assert map_of(star).titles == ["pkg-0 and 84 that need it"]
    turned = Graph.from_parts(names, names, ["p"] * 85, [0] * 84, range(1, 85), ["has"] * 84)
    assert map_of(turned).titles == ["pkg-0 and 84 that it needs"]


def test_a_large_graph_is_a_map_with_titles_hubs_and_cycles() -> None:
    graph = packages(500)
    assert needs_a_map(graph, 160)
    assert not needs_a_map(Graph(chat(300)), 160), "a chat is a tree"
    ax = draw_graph(graph)
    titles = [" ".join(text.split()) for text in texts(ax, "title")]
    assert set(titles) <= set(map_of(graph).titles)
    assert len(titles) >= 4
    assert 5 < len(texts(ax, "label")) <= 40
    assert sum(len(points.get_offsets()) for points in marks(ax)) == 500
    colours = {tuple(colour[:3]) for colour in marks(ax)[0].get_facecolor().round(3)}
    assert len(colours) >= 5, "one for each community"
    assert len(found(ax, "cycle references").get_segments()) == graph.ordering.in_cycle.sum()
    assert legend(ax) == ["depends on", "in a cycle"]
    assert "communities have colours" in " ".join("\n".join(texts(ax, "note")).split())
    lit = draw_graph(graph, highlight="pkg-0")
    assert texts(lit, "title") == []
    assert texts(lit, "label") == ["pkg-0"]
    by_value = draw_graph(graph, color_by=lambda node: int(node[4:]) % 2)
    assert legend(by_value)[:2] == ["0", "1"]
    assert draw_graph(graph, layout="layered").get_title(loc="left") == ax.get_title(loc="left")
    assert "groups" in "".join(texts(draw_graph(packages(700), group_by="auto"), "note"))


def _of(n: int, ends: list[tuple[int, int]]) -> Graph:
    names = [f"n{number}" for number in range(n)]
    sources, targets = [a for a, _ in ends], [b for _, b in ends]
    return Graph.from_parts(names, names, ["node"] * n, sources, targets, ["next"] * len(ends))


EXTREMES: dict[str, list[tuple[int, int]]] = {
    "alone": [],
    "one reference": [(0, 1)],
    "itself": [(node, node) for node in range(400)],
    "no cycle": [(a, b) for a in range(1, 400) for b in {a // 2, a // 3, (a * 97) % a}],
    "one cycle": [(node, (node + 1) % 400) for node in range(400)],
    "a star": [(node, 0) for node in range(1, 400)],
    "all in cycles": [(a, (a + step) % 400) for a in range(400) for step in (1, 2, 57)],
    "two alike": [(half + a, half + a // 2) for half in (0, 200) for a in range(1, 200)],
}
"""Large graphs that lack something, or have nothing else."""


@pytest.mark.parametrize("look", ["", "lit", "by_value"])
@pytest.mark.parametrize("shape", EXTREMES)
def test_a_map_of_what_lacks_something_is_drawn(shape: str, look: str) -> None:
    graph = _of(400, EXTREMES[shape])
    lit = ["n7", "n399"] if look == "lit" else ()
    color_by = {"color_by": len} if look == "by_value" else {}
    ax = draw_graph(graph, layout="force", highlight=lit, **color_by)
    figure = ax.get_figure()
    assert figure is not None
    figure.canvas.draw()
    (points,) = marks(ax)
    assert len(points.get_offsets()) == 400
    cyclic = int(graph.ordering.cyclic[graph.ordering.component].sum())
    assert len(found(ax, "rims").get_offsets()) == cyclic
    assert ("in a cycle" in legend(ax)) == (cyclic > 0)
    assert len(map_scene(graph).places) == 400


def test_many_cycles_are_no_mass_and_no_title_hides_its_hub() -> None:
    r = random.Random(0)
    ends = [
        (k, k // 50 * 50 + r.randrange(50) if r.random() < 0.9 else r.randrange(500))
        for k in range(500)
        for _ in range(8)
    ]
    sources, targets = zip(*ends, strict=True)
    names = [f"node {k}" for k in range(500)]
    graph = Graph.from_parts(names, names, ["n"] * 500, sources, targets, ["to"] * len(ends))
    ax = draw_graph(graph)
    lines = found(ax, "cycle references")
    segments = np.array(lines.get_segments())
    length = np.hypot(*(segments[:, 0] - segments[:, 1]).T)
    strength = lines.get_colors()[:, 3]
    assert strength[length > 2 * np.median(length)].max() < strength[length.argmin()] / 2
    assert strength.max() < 0.6
    drawn = {tuple(end) for end in segments.reshape(-1, 2).round(6).tolist()}
    assert len(drawn) > 480, "evenly taken: no community is without lines"
    figure: Any = ax.get_figure()
    renderer = figure.canvas.get_renderer()
    for graph_drawn, picture in ((graph, ax), (packages(500), draw_graph(packages(500)))):
        offsets = np.asarray(marks(picture)[0].get_offsets())
        places = np.empty_like(offsets)
        places[np.argsort(map_of(graph_drawn).degree, kind="stable")] = offsets
        for text in [each for each in picture.texts if each.get_gid() == "title"]:
            title = " ".join(text.get_text().split())
            leader = map_of(graph_drawn).leaders[map_of(graph_drawn).titles.index(title)]
            box = text.get_window_extent(renderer)
            assert not box.contains(*picture.transData.transform(places[leader])), title


def test_an_explorer_has_the_places_of_the_picture() -> None:
    graph = packages(500)
    places = map_of(graph).places * MAP_UNIT * UNIT
    assert np.allclose(map_scene(graph).places, places * (1, -1))
    offsets = marks(draw_graph(graph))[0].get_offsets()
    order = np.argsort(map_of(graph).degree, kind="stable")
    drawn = np.asarray(offsets) - np.mean(offsets, axis=0)
    own = map_of(graph).places[order]
    own = own - own.mean(axis=0)
    assert np.allclose(drawn / drawn.std(), own / own.std(), atol=1e-6)


def test_references_between_communities_are_counted() -> None:
    graph = packages(700, parts=8)
    found_map, parts = map_of(graph), graph.arrays
    counted: Counter[tuple[int, int]] = Counter()
    for a, b in zip(parts.sources.tolist(), parts.targets.tolist(), strict=True):
        ends = sorted((int(found_map.community[a]), int(found_map.community[b])))
        if ends[0] != ends[1] and ends[1] < len(found_map.titles):
            counted[ends[0], ends[1]] += 1
    assert counted.total() < COUNTED
    ax = draw_graph(graph)
    assert found(ax, "bands") is None, "a few lines are lines"
    lines = len(found(ax, "references").get_segments())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(maps, "COUNTED", 50)
        patch.setattr(maps, "BANDS", 10)
        bands = bands_of(found_map, parts.sources, parts.targets)
        assert {(a, b): many for a, b, many in bands.tolist()}.items() <= counted.items()
        assert bands[:, 2].tolist() == [many for _, many in counted.most_common(10)]
        ax = draw_graph(graph)
        drawn, scene = found(ax, "bands"), map_scene(graph)
        lit = draw_graph(graph, highlight=graph.nodes[:3])
    assert len(drawn.get_segments()) == len(scene.bands) == 10
    width = drawn.get_linewidths()
    assert (np.diff(width) <= 0).all()
    assert width[0] > width[-1]
    ends = np.sort(found_map.community[np.column_stack((parts.sources, parts.targets))], axis=1)
    in_bands = (ends[:, None, :] == bands[None, :, :2]).all(axis=2).any(axis=1)
    left = len(found(ax, "references").get_segments())
    alone = int((in_bands & ~graph.ordering.in_cycle).sum())
    assert left == lines - alone, "what is counted is not drawn besides"
    most, note = int(bands[0, 2]), " ".join(texts(ax, "note")).replace("\n", " ")
    assert f"Bands stand for up to {most} lines" in note
    assert f"bands stand for up to {most} between communities" in scene.told
    assert found(lit, "bands") is None, "who looks for lines sees lines"


def test_a_community_in_pieces_has_its_title_and_its_bands_where_most_of_it_is() -> None:
    graph = packages(10_000, parts=12)
    own = map_of(graph)
    apart = [np.median(own.places[own.community == k], axis=0) for k in range(len(own.titles))]

    def among_its_own(middles: Any, places: Any) -> list[float]:
        near = [np.argsort(np.hypot(*(places - middle).T))[:30] for middle in middles]
        return [float((own.community[each] == k).mean()) for k, each in enumerate(near)]

    assert min(among_its_own(apart, own.places)) < 0.3, "one is in pieces, around empty room"
    ax, scene = draw_graph(graph), map_scene(graph)
    offsets = np.asarray(marks(ax)[0].get_offsets())
    places = np.empty_like(offsets)
    places[np.argsort(own.degree, kind="stable")] = offsets
    bands = bands_of(own, graph.arrays.sources, graph.arrays.targets)
    ends = np.array(found(ax, "bands").get_segments())
    middles = {int(k): end for k, end in zip(bands[:, :2].flat, ends.reshape(-1, 2), strict=True)}
    assert sorted(middles) == list(range(len(own.titles)))
    assert min(among_its_own([middles[k] for k in sorted(middles)], places)) > 0.8
    titles = [(x, y) for _, x, y, _ in scene.titles]
    assert min(among_its_own(titles, scene.places)) > 0.8
    tall = np.ptp(places[:, 1])
    for text in [text for text in ax.texts if text.get_gid() == "title"]:
        number = own.titles.index(" ".join(text.get_text().split()))
        assert np.hypot(*(text.get_position() - middles[number])) < 0.15 * tall


def test_communities_of_one_colour_are_far_from_each_other() -> None:
    graph = packages(2_000, parts=12)
    own, ax, looks = map_of(graph), draw_graph(graph), communities_of(graph)
    count = len(own.titles)
    assert count > len(PALETTE)
    middles = middles_of(own, own.places)
    away = np.hypot(*(middles[:, None] - middles[None, :]).transpose(2, 0, 1))
    drawn = np.argsort(own.degree, kind="stable")
    first = [int(np.argmax(own.community[drawn] == k)) for k in range(count)]
    colours = [tuple(c[:3]) for c in marks(ax)[0].get_facecolor()[first].round(4).tolist()]
    assert len(set(colours)) == len(PALETTE)
    for number in range(len(PALETTE), count):
        nearest: dict[Any, float] = {}
        for other in range(number):
            far = nearest.get(colours[other], np.inf)
            nearest[colours[other]] = min(far, away[number, other])
        assert nearest[colours[number]] == max(nearest.values())
    light = [looks.entries[k]["light"] for k in range(count)]
    assert light == [to_hex(colour) for colour in colours], "the explorer's are the picture's"
    note = " ".join(" ".join(texts(ax, "note")).split())
    assert f"{count} communities have colours, {len(PALETTE)} in all" in note
    assert looks.told in note


# -- layouts to choose from --------------------------------------------------------------------


@pytest.mark.parametrize("how", HOWS)
def test_nothing_lies_on_anything_in_a_layout_that_is_chosen(how: Any) -> None:
    thread = ev.sample("thread")
    for graph in [Graph(thread), *([Graph(chat(14))] if how != "timeline" else [])]:
        sizes = np.tile((1.3, 0.3), (len(graph), 1))
        layout = placed_by(how, graph, sizes, (0.2, 0.3), (12.0, 9.0))
        assert overlaps(boxes_of(layout)) == []
        assert len(layout.starts) == len(graph.references) + 1
        ax = draw_graph(graph, layout=how)
        assert sum(len(points.get_offsets()) for points in marks(ax)) == len(graph)


def test_a_chosen_layout_is_what_it_says() -> None:
    tree = Graph.from_parts(
        "abcdefg", "abcdefg", ["n"] * 7, [0, 0, 1, 1, 2, 2], range(1, 7), ["x"] * 6
    )
    size, rest = np.full((7, 2), 0.2), ((0.2, 0.2), (9.0, 9.0))
    rings = np.hypot(*placed_by("radial", tree, size, *rest).positions.T)
    assert rings[0] < rings[1:3].min()
    assert rings[1:3].max() < rings[3:].min()
    circle = np.hypot(*placed_by("circle", tree, size, *rest).positions.T)
    assert np.ptp(circle) < 1e-9
    y = placed_by("tree", tree, size, *rest).positions[:, 1]
    assert y[0] > y[1] == y[2] > y[3]


def test_a_line_of_time_asks_for_moments() -> None:
    thread = ev.ChatThread(title="x")
    for hour in (3, 1, 2):
        at = datetime(2024, 5, 1, hour, tzinfo=UTC)
        thread.say("user", str(hour)).created_at = at
    graph = Graph(thread)
    sizes = np.full((4, 2), 0.3)
    x = placed_by("timeline", graph, sizes, (0.1, 0.1), (9.0, 9.0)).positions[:, 0]
    at = {getattr(node, "content", ""): place for node, place in zip(graph.nodes, x, strict=True)}
    assert at["1"] < at["2"] < at["3"]
    with pytest.raises(DrawingOptionError, match="no node has a field with a time"):
        draw_graph(Graph(ev.sample("chain", n=3)), layout="timeline")
    with pytest.raises(DrawingOptionError, match=r"is no layout.*radial"):
        draw_graph(graph, layout="radail")  # type: ignore[arg-type]  # misspelt


@pytest.mark.parametrize(("n", "view"), [(150, "all"), (200, "map"), (700, "map")])
def test_the_explorer_begins_with_a_map_where_the_picture_is_one(n: int, view: str) -> None:
    graph = packages(n)
    explorer = graph.explore()
    assert explorer.view == view
    if view == "map":
        sizes, hubs = np.frombuffer(explorer._sizes, "u1"), map_of(graph).leaders
        assert np.median(sizes[hubs]) > 4 * np.median(sizes), "hubs are larger, and it is told"
        assert explorer._look["size"] == "size: degree"
    else:
        assert explorer._sizes == b""
    drawn = graph.draw().get_figure().findobj(Text)
    assert any("is a point" in text.get_text() for text in drawn) == (view == "map")
    explorer.close()


# -- references of a node to itself ------------------------------------------------------------


class Place(ev.Entity):
    name: str
    since: datetime
    ways: list[Place] = Field(default_factory=list)


Place.model_rebuild()


def own_ways(n: int) -> Graph:
    """Return places in a tree, of which every third leads to itself, every sixth twice."""
    r = random.Random(n)
    start = datetime(2024, 5, 1, tzinfo=UTC)
    places = [Place(name=f"place {k}", since=start + timedelta(hours=k)) for k in range(n)]
    for k, place in enumerate(places):
        if k:
            places[r.randrange(k)].ways.append(place)
        place.ways += [place] * (2 if k % 6 == 0 else 1 if k % 3 == 0 else 0)
    return Graph(places[0])


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("wide", [True, False])
def test_what_leads_to_itself_is_seen_in_every_layout(how: Any, wide: bool) -> None:
    graph = own_ways(40)
    sizes = np.tile((1.3, 0.3) if wide else (0.15, 0.15), (len(graph), 1))
    layout = placed_by(how, graph, sizes, (0.2, 0.3), (12.0, 9.0))
    a, b = graph.arrays.sources, graph.arrays.targets
    curves = make_curves(layout, a, b, labelled=wide, arrow=0.1)
    nodes, (left, bottom, right, top) = boxes_of(layout), layout.bounds
    assert overlaps(nodes) == []
    for k in np.flatnonzero(a == b).tolist():
        low, high = curves.lines[k].min(axis=0), curves.lines[k].max(axis=0)
        others = np.delete(nodes, a[k], axis=0)
        assert not draw_nodes.overlaps(np.concatenate((low, high)), others)
        assert (low >= (left, bottom)).all()
        assert (high <= (right, top)).all()


@pytest.mark.parametrize("n", [12, 170])
@pytest.mark.parametrize("how", [*HOWS, None])
def test_pictures_draw_what_leads_to_itself(how: Any, n: int) -> None:
    graph = own_ways(n)
    ax = draw_graph(graph, layout=how, max_nodes=None if how is None else 600)
    itself = graph.arrays.sources == graph.arrays.targets
    if (how, n) == ("force", 170):  # a map: one loop a node
        loops = found(ax, "self references").get_segments()
        assert len(loops) == len({*graph.arrays.sources[itself].tolist()})
    else:
        loops = found(ax, "deferred references").get_segments()
        assert len(loops) == int(itself.sum())
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    for loop in loops:
        assert (loop > (x0, y0)).all()
        assert (loop < (x1, y1)).all()
    explorer = graph.explore()
    for view in ("all", "map"):
        explorer.view = view
        scene = explorer._showing.now
        assert int((scene.sources == scene.targets).sum()) == int(itself.sum())
    explorer.close()


@pytest.mark.parametrize("straight", [False, True])
def test_names_around_a_circle_stand_behind_what_leads_to_itself(
    straight: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if straight:
        monkeypatch.setattr(draw_curves, "MAX_CURVED", 10)
    ax = draw_graph(own_ways(40), layout="circle", figsize=(6.0, 5.6))
    figure: Any = ax.get_figure()
    renderer = figure.canvas.get_renderer()
    middle = np.mean(np.concatenate([np.asarray(points.get_offsets()) for points in marks(ax)]), 0)
    middle = ax.transData.transform(middle)
    loops = found(ax, "deferred references").get_segments()
    grounds = found(ax, "cyclic components").get_paths()
    assert all(any(ground.contains_points(loop).all() for ground in grounds) for loop in loops)
    loops = [ax.transData.transform(loop) for loop in loops]
    names = [text for text in ax.texts if text.get_gid() == "label"]
    assert (len(names), len(loops)) == (40, 21)
    for name in names:
        at = ax.transData.transform(name.get_position())
        away = (at - middle) / np.hypot(*(at - middle))
        name.set_rotation(0)
        box = name.get_window_extent(renderer)
        for loop in loops:
            along, across = (loop - at) @ away, np.abs((loop - at) @ (-away[1], away[0]))
            on = (along > 0) & (along < box.width) & (across < box.height / 3)
            assert not on.any(), name.get_text()


def test_many_straight_lines_leave_loops_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draw_curves, "MAX_CURVED", 10)
    graph = own_ways(30)
    a, b = graph.arrays.sources, graph.arrays.targets
    layout = placed_by("layered", graph, np.full((30, 2), 0.15), (0.2, 0.3), (12.0, 9.0))
    lines = make_curves(layout, a, b, labelled=False, arrow=0.1).lines
    assert {len(line) > 2 for line, loop in zip(lines, a == b, strict=True) if loop} == {True}
    assert {len(line) for line, loop in zip(lines, a == b, strict=True) if not loop} == {2}
    draw_graph(graph)


@pytest.mark.parametrize(("n", "all_named"), [(130, True), (300, False)])
def test_names_stand_around_a_circle(n: int, all_named: bool) -> None:
    graph = packages(n)
    ax = draw_graph(graph, layout="circle", max_nodes=None, figsize=(9.0, 8.4))
    names = [text for text in ax.texts if text.get_gid() == "label"]
    assert len({name.get_text() for name in names}) == len(names) > 60
    assert (len(names) == n) == all_named
    assert ("no room for all labels" in " ".join(texts(ax, "note"))) == (not all_named)
    figure: Any = ax.get_figure()
    figure.canvas.draw()
    points = ax.transData.transform([name.get_position() for name in names]) / figure.dpi * 72
    apart = np.hypot(*(points[:, None] - points[None, :]).transpose(2, 0, 1))
    apart[np.diag_indices(len(names))] = np.inf
    assert apart.min() >= names[0].get_fontsize(), "no name stands on another"
    around = ax.get_window_extent()
    for name in names:
        box = name.get_window_extent()
        assert around.x0 <= box.x0, "no name is cut"
        assert box.x1 <= around.x1
    middle = points.mean(axis=0)
    line = ax.transData.transform(found(ax, "references").get_segments()[0]) / figure.dpi * 72
    far = np.hypot(*(line - middle).T)
    assert far.min() < min(far[0], far[-1]), "lines bow inwards"
    few = draw_graph(graph, layout="circle", max_nodes=None, highlight=graph.nodes[5])
    assert texts(few, "label") == ["pkg-5"]
