"""Layout: generations in rows, components together, nothing on top of anything else."""

from __future__ import annotations

import ast
import random
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from scipy.optimize import isotonic_regression
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import ConvexHull

import ecsviz as ev
from ecsviz.basics.order import COLLECTION, NULLABLE
from ecsviz.layout import Layout, compound, layout_graph, overview, placed, pulls
from ecsviz.layout.layered import lay_rows
from ecsviz.layout.packing import pack, pack_on_page
from ecsviz.layout.placed import HUB, LOOP, RING, ROWS, SIDE
from ecsviz.layout.pulls import Pulls, isotonic
from ecsviz.layout.rings import look_inside, ring_order, ring_places
from tests.entity_graphs import numbered_graph
from tests.processes import in_a_new_process
from tests.test_draw import chat

Graph = ev.EntityDependencyGraph


def _edges_among(n: int) -> st.SearchStrategy[tuple[int, list[tuple[int, int]]]]:
    node = st.integers(0, n - 1)
    return st.tuples(st.just(n), st.lists(st.tuples(node, node), max_size=40))


def graph_of(edges: Iterable[tuple[int, int]], n: int, **options: Any) -> Graph:
    return numbered_graph(edges, ["node"] * n, **options)


def random_graph(seed: int, n: int, edges: int, *, acyclic: bool = False) -> Graph:
    chance = random.Random(seed)
    pairs = [(chance.randrange(n), chance.randrange(n)) for _ in range(edges)]
    if acyclic:
        pairs = [(max(pair), min(pair)) for pair in pairs if pair[0] != pair[1]]
    return graph_of(pairs, n, kinds=[chance.randrange(3) for _ in pairs])


def boxes_of(layout: Layout) -> np.ndarray[Any, Any]:
    half = layout.sizes / 2
    return np.hstack((layout.positions - half, layout.positions + half))


def overlaps(boxes: np.ndarray[Any, Any]) -> list[tuple[int, int]]:
    slack = 1e-6
    found = []
    for i, (left, bottom, right, top) in enumerate(boxes.tolist()):
        for j in range(i):
            other = boxes[j]
            if (
                left < other[2] - slack
                and right > other[0] + slack
                and bottom < other[3] - slack
                and top > other[1] + slack
            ):
                found.append((j, i))
    return found


def check(layout: Layout) -> None:
    assert np.isfinite(layout.positions).all()
    assert np.isfinite(layout.bends).all()
    nodes = boxes_of(layout)
    assert overlaps(nodes) == []
    assert overlaps(layout.boxes[~layout.loose]) == [], "what is loose stands among others"
    own = layout.boxes[layout.component]
    assert (nodes[:, :2] >= own[:, :2] - 1e-6).all(), "a node leaves its component's box"
    assert (nodes[:, 2:] <= own[:, 2:] + 1e-6).all(), "a node leaves its component's box"
    left, bottom, right, top = layout.bounds
    assert (nodes[:, 0] >= left - 1e-6).all()
    assert (nodes[:, 2] <= right + 1e-6).all()
    assert (nodes[:, 1] >= bottom - 1e-6).all()
    assert (nodes[:, 3] <= top + 1e-6).all()


# -- what every layout must be ----------------------------------------------------------------


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    n = draw(st.integers(1, 24))
    node = st.integers(0, n - 1)
    edges = draw(st.lists(st.tuples(node, node), max_size=40))
    kinds = draw(st.lists(st.integers(0, 2), min_size=len(edges), max_size=len(edges)))
    return graph_of(edges, n, kinds=kinds)


@given(graphs(), st.booleans())
def test_nothing_overlaps_and_components_stay_together(graph: Graph, wide: bool) -> None:
    sizes = None
    if wide:
        chance = random.Random(len(graph))
        sizes = np.array([(0.4 + 1.6 * chance.random(), 0.3) for _ in range(len(graph))])
    check(layout_graph(graph, sizes=sizes))


@pytest.mark.parametrize("seed", range(8))
def test_dependents_stand_above_what_they_depend_on(seed: int) -> None:
    graph = random_graph(seed, 40, 55)
    layout = layout_graph(graph)
    check(layout)
    parts = graph.arrays
    between = layout.component[parts.sources] != layout.component[parts.targets]
    assert between.any()
    assert (layout.generation[parts.sources] > layout.generation[parts.targets])[between].all()
    centre = (layout.boxes[:, 1] + layout.boxes[:, 3])[layout.component] / 2
    height = np.where(layout.loose[layout.component], layout.positions[:, 1], centre)
    loose = layout.loose[layout.component[parts.sources]] & ~graph.ordering.deferred
    down = between | (loose & (parts.sources != parts.targets))
    assert (height[parts.sources] > height[parts.targets])[down].all()


def test_generations_are_rows() -> None:
    # Two diamonds on one another: no row is wide enough to be broken.
    graph = graph_of([(0, 1), (0, 2), (1, 3), (2, 3), (3, 4), (3, 5), (4, 6), (5, 6), (0, 6)], 7)
    layout = layout_graph(graph)
    for generation in range(5):
        row = layout.positions[layout.generation == generation, 1]
        assert np.ptp(row) < 1e-9
    heights = [layout.positions[layout.generation == k, 1][0] for k in range(5)]
    assert heights == sorted(heights)


def test_it_is_deterministic() -> None:
    graph = random_graph(3, 60, 90)
    one, two = (layout_graph(graph) for _ in range(2))
    assert np.array_equal(one.positions, two.positions)
    assert np.array_equal(one.bends, two.bends)
    again = layout_graph(random_graph(3, 60, 90))
    assert np.array_equal(one.positions, again.positions)


def test_it_is_the_same_in_another_process() -> None:
    code = (
        "from tests.test_layout import layout_graph, random_graph\n"
        "print(layout_graph(random_graph(5, 40, 60)).positions.round(9).tolist())"
    )
    out = [in_a_new_process(code) for _ in range(2)]
    assert out[0] == out[1]
    assert len(out[0]) > 100


def test_an_empty_graph_has_an_empty_layout() -> None:
    layout = layout_graph(Graph())
    assert len(layout) == 0
    assert layout.positions.shape == (0, 2)
    assert layout.bounds == (0.0, 0.0, 0.0, 0.0)


def test_a_layout_needs_no_matplotlib() -> None:
    code = (
        "import sys, ecsviz as ev\n"
        "from ecsviz.layout import layout_graph\n"
        "layout_graph(ev.EntityDependencyGraph(ev.ChatThread(title='x')))\n"
        "print('matplotlib' in sys.modules)"
    )
    assert in_a_new_process(code).strip() == "False"


def test_classes_and_entities_have_layouts() -> None:
    for given_ in (ev.ChatThread, chat(6)):
        graph = Graph(given_)
        layout = layout_graph(graph)
        check(layout)
        assert len(layout) == len(graph)


def test_a_picture_hangs_on_no_optional_package(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {Requirement(line).name.replace("-", "_") for line in project["dependencies"]}
    allowed = {"ecsviz", *needed, *sys.stdlib_module_names} - {"importlib"}
    paths = [p for room in ("layout", "draw") for p in (root / "ecsviz" / room).rglob("*.py")]
    assert len(paths) > 20
    for path in paths:
        tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        names = []
        for node in tree:
            if isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names += [f"{node.module}.{alias.name}" for alias in node.names]
        assert {name.partition(".")[0] for name in names} <= allowed, path
        assert not [name for name in names if "optional" in name], path


# -- rows ------------------------------------------------------------------------------------


def test_a_star_is_broken_into_rows_and_keeps_its_order() -> None:
    graph = graph_of([(0, number) for number in range(1, 31)], 31)
    sizes = np.tile([1.2, 0.3], (31, 1))
    layout = layout_graph(graph, sizes=sizes)
    check(layout)
    leaves = layout.positions[1:]
    rows = np.unique(leaves[:, 1].round(6))
    assert len(rows) > 1
    assert (layout.positions[0, 1] > leaves[:, 1]).all()
    for row in rows:
        assert (np.diff(leaves[leaves[:, 1].round(6) == row, 0]) > 0).all()
    left, _, right, _ = layout.bounds
    assert right - left < 25
    middle = (leaves[:, 0].min() + leaves[:, 0].max()) / 2
    assert abs(layout.positions[0, 0] - middle) < 1.5, "the hub stands above the middle"


def test_a_long_chain_is_folded() -> None:
    graph = graph_of([(number, number + 1) for number in range(29)], 30)
    layout = layout_graph(graph, sizes=np.tile([1.0, 0.3], (30, 1)))
    check(layout)
    columns = np.unique(layout.positions[:, 0].round(3))
    assert len(columns) > 1
    left, bottom, right, top = layout.bounds
    assert top - bottom < 10
    assert right - left < 20
    # It goes on at the head of the next column.
    turns = [k for k in range(29) if layout.positions[k + 1, 1] > layout.positions[k, 1]]
    assert len(turns) == len(columns) - 1
    for turn in turns:
        route = layout.route(turn)
        assert len(route) == 2
        assert layout.positions[turn, 0] < route[0, 0] < layout.positions[turn + 1, 0]
        assert route[1, 1] > route[0, 1]


def test_a_short_chain_is_one_column() -> None:
    layout = layout_graph(graph_of([(0, 1), (1, 2), (2, 3)], 4))
    assert np.ptp(layout.positions[:, 0]) < 1e-9
    assert (np.diff(layout.positions[:, 1]) < 0).all()


def test_a_tree_has_parents_above_the_middle_of_their_children() -> None:
    edges = [(number, 2 * number + k) for number in range(7) for k in (1, 2)]
    layout = layout_graph(graph_of(edges, 15))
    for parent in range(7):
        children = layout.positions[[2 * parent + 1, 2 * parent + 2], 0]
        assert layout.positions[parent, 0] == pytest.approx(children.mean(), abs=1e-6)


def test_a_long_line_bends_around_what_it_passes() -> None:
    graph = graph_of([(0, 1), (1, 2), (2, 3), (0, 3)], 4)
    layout = layout_graph(graph, sizes=np.tile([1.5, 0.3], (4, 1)))
    route = layout.route(3)
    assert len(route) == 2
    assert (np.abs(route[:, 0] - layout.positions[[1, 2], 0]) > 0.75).all()
    assert route[0, 1] > route[1, 1], "from its source to its target"
    assert layout.shape.tolist() == [ROWS] * 4


def test_many_small_parts_cost_one_arrangement(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        return lay_rows(*arguments, **options)

    monkeypatch.setattr(compound, "lay_rows", counted)
    graph = graph_of([(3 * k, 3 * k + step) for k in range(400) for step in (1, 2)], 1200)
    layout = layout_graph(graph)
    assert len(calls) == 1
    nodes = layout.positions.round(6)
    assert len(np.unique(nodes, axis=0)) == 1200
    for k in (0, 199, 399):
        assert np.ptp(layout.positions[3 * k : 3 * k + 3, 0]) < 1.0


@pytest.mark.parametrize("n", [1, 7, 60])
def test_packing_does_not_overlap_and_fills_a_page(n: int) -> None:
    chance = random.Random(n)
    sizes = np.array([(0.5 + chance.random(), 0.3 + chance.random()) for _ in range(n)])
    for corner in (pack(sizes, 0.2, 5.0), pack_on_page(sizes, 0.2, (12.0, 9.0))):
        assert overlaps(np.hstack((corner, corner + sizes))) == []
    if n == 60:
        corner = pack_on_page(sizes, 0.2, (12.0, 9.0))
        wide, tall = (corner + sizes).max(axis=0) - corner.min(axis=0)
        assert 0.7 < wide / tall < 2.5


# -- components ------------------------------------------------------------------------------


def test_a_cycle_stands_on_a_circle_in_its_order() -> None:
    # The ids are not in the order of the cycle.
    cycle = [0, 4, 2, 6, 1, 5, 3]
    edges = list(zip(cycle, [*cycle[1:], cycle[0]], strict=True))
    layout = layout_graph(graph_of(edges, 7))
    assert layout.ring.tolist() == [True]
    assert set(layout.shape.tolist()) == {RING}
    spokes = layout.positions - layout.positions.mean(axis=0)
    radius = np.hypot(spokes[:, 0], spokes[:, 1])
    assert np.ptp(radius) < 0.02 * radius.mean()
    angle = np.arctan2(spokes[cycle, 1], spokes[cycle, 0])
    step = np.diff(np.append(angle, angle[0])) % (2 * np.pi)
    assert step == pytest.approx([2 * np.pi * 6 / 7] * 7, abs=1e-6), "clockwise, one by one"


def test_of_two_in_a_cycle_the_lower_makes_way_for_what_passes() -> None:
    sizes = np.full((3, 2), (0.9, 0.3))
    alone = layout_graph(graph_of([(0, 1), (1, 0)], 2), sizes=sizes[:2])
    assert alone.positions[0, 0] == pytest.approx(alone.positions[1, 0])
    for edge in ((2, 0), (2, 1), (0, 2), (1, 2)):
        layout = layout_graph(graph_of([(0, 1), (1, 0), edge], 3), sizes=sizes)
        check(layout)
        upper, lower = sorted((0, 1), key=lambda node: -layout.positions[node, 1])
        passes = edge in ((2, lower), (upper, 2))
        apart = abs(layout.positions[upper, 0] - layout.positions[lower, 0])
        assert (apart > 0.9) == passes


def test_ring_order_finds_a_cycle_through_all() -> None:
    chance = random.Random(0)
    cycle = list(range(20))
    chance.shuffle(cycle)
    after = {a: [b] for a, b in zip(cycle, [*cycle[1:], cycle[0]], strict=True)}
    order = ring_order(sorted(cycle), after)
    assert order[0] == 0
    start = cycle.index(0)
    assert order == cycle[start:] + cycle[:start]


@pytest.mark.parametrize("n", range(2, 16))
@pytest.mark.parametrize("size", [(0.16, 0.16), (1.8, 0.3)])
def test_boxes_on_a_ring_do_not_overlap(n: int, size: tuple[float, float]) -> None:
    sizes = np.tile(size, (n, 1))
    places = ring_places(sizes, (0.3, 0.4))
    assert overlaps(np.hstack((places - sizes / 2, places + sizes / 2))) == []
    assert places[0, 1] == pytest.approx(places[:, 1].max()), "the first is at the top"
    assert places[0, 0] == pytest.approx(0)


def test_a_thread_is_a_tree_below_its_hub() -> None:
    thread = chat(30)
    graph = Graph(thread)
    layout = layout_graph(graph)
    check(layout)
    assert not layout.ring.any()
    height = {id(node): y for node, y in zip(graph.nodes, layout.positions[:, 1], strict=True)}
    for message in thread.messages:
        assert height[id(thread)] > height[id(message)]
        if message.parent is not None:
            assert height[id(message.parent)] > height[id(message)]
    fields = [graph.arrays.place_of(k)[0] for k in range(len(layout.shape))]
    for field, shape in zip(fields, layout.shape.tolist(), strict=True):
        assert shape == ROWS if field in {"parent", "replies"} else shape in {HUB, ROWS}
    assert (layout.shape == HUB).sum() == 2 * 29, "all but the first message hang on it from afar"


def test_what_is_only_depended_on_stands_below() -> None:
    # As a large cyclic component without collections: most arrows point down.
    edges = [(a, b) for a in range(12) for b in range(a)] + [(0, 11)]
    graph = graph_of(edges, 12, kinds=[NULLABLE] * len(edges))
    layout = layout_graph(graph)
    assert not layout.ring.any()
    parts = graph.arrays
    down = layout.positions[parts.sources, 1] > layout.positions[parts.targets, 1]
    assert down.sum() > 0.8 * len(edges)


def test_a_collection_stands_above_what_it_collects() -> None:
    n = 12
    edges = [(0, k) for k in range(1, n)] + [(k, 0) for k in range(1, n)]
    kinds = [COLLECTION] * (n - 1) + [NULLABLE] * (n - 1)
    layout = layout_graph(graph_of(edges, n, kinds=kinds))
    assert (layout.positions[0, 1] > layout.positions[1:, 1]).all()


def test_a_small_component_has_one_hub_at_most() -> None:
    # All messages answer the first: it is joined to all, as the thread is.
    thread = ev.ChatThread(title="x")
    first = thread.say("user", "question")
    for number in range(10):
        thread.say("assistant", f"answer {number}", first)
    graph = Graph(thread)
    hub = look_inside(graph).hub
    assert [graph.nodes[k] is thread for k in np.flatnonzero(hub)] == [True]


def test_a_reference_to_itself_has_its_room() -> None:
    graph = graph_of([(0, 0), (1, 1), (0, 1)], 2)
    layout = layout_graph(graph, sizes=np.tile([1.0, 0.3], (2, 1)))
    assert layout.shape.tolist() == [LOOP, LOOP, ROWS]
    assert (layout.reach > 0).all()
    right = layout.positions[:, 0] + 0.5 + layout.reach
    assert (right <= layout.boxes[layout.component, 2] + 1e-9).all()


def test_references_within_a_row_are_told_apart() -> None:
    graph = random_graph(9, 30, 120)
    layout = layout_graph(graph)
    side = np.flatnonzero(layout.shape == SIDE)
    assert len(side)
    y = layout.positions[:, 1]
    parts = graph.arrays
    assert y[parts.sources[side]] == pytest.approx(y[parts.targets[side]])


def test_a_hull_surrounds_the_members_and_their_loops() -> None:
    graph = graph_of([(0, 1), (1, 2), (2, 0), (1, 1), (3, 0)], 4)
    layout = layout_graph(graph, sizes=np.tile([1.0, 0.3], (4, 1)))
    component = int(layout.component[0])
    hull = layout.hull(component)
    members = boxes_of(layout)[:3]
    assert hull[:, 0].min() < members[:, 0].min()
    assert hull[:, 1].max() > members[:, 3].max()
    assert hull[:, 0].max() > (members[:, 2] + layout.reach[:3]).max()
    edges = np.roll(hull, -1, axis=0) - hull
    turns = edges[:, 0] * np.roll(edges[:, 1], -1) - edges[:, 1] * np.roll(edges[:, 0], -1)
    assert (turns > -1e-9).all(), "convex"


def slants(layout: Layout, component: int) -> bool:
    """Tell whether a ground is not a box: whether a side lies in no row and no column."""
    edges = np.roll(hull := layout.hull(component), -1, axis=0) - hull
    long = edges[np.hypot(*edges.T) > 0.2 * np.ptp(hull, axis=0).min()]
    return bool((np.abs(long) > 1e-9).all(axis=1).any())


def test_the_ground_of_rows_and_of_small_rings_is_a_box() -> None:
    for size in (2, 3, 4):
        ring = layout_graph(graph_of([(k, (k + 1) % size) for k in range(size)], size))
        assert not slants(ring, 0)
    star = [(0, k) for k in range(1, 8)] + [(k, 0) for k in range(1, 8)]
    assert not slants(layout_graph(graph_of(star, 8)), 0)


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=30))
def test_a_convex_hull_is_that_of_scipy(corners: list[tuple[int, int]]) -> None:
    # Squares around the points: there is always an area.
    points = np.array([(x + a, y + b) for x, y in corners for a in (0, 1) for b in (0, 1)], float)
    expected = points[ConvexHull(points).vertices]
    found = placed.convex_hull(points)
    assert set(map(tuple, found.tolist())) == set(map(tuple, expected.tolist()))
    edges = np.roll(found, -1, axis=0) - found
    following = np.roll(edges, -1, axis=0)
    turns = edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0]
    assert (turns > 0).all(), "against the clock"


@pytest.mark.parametrize("points", [[[1.0, 2.0]], [[1.0, 2.0]] * 3, [[0.0, 0.0], [1.0, 1.0]]])
def test_a_hull_of_too_few_points_is_these(points: list[list[float]]) -> None:
    found = placed.convex_hull(np.array(points))
    assert found.tolist() == [list(point) for point in sorted(set(map(tuple, points)))]


@given(st.integers(1, 25).flatmap(_edges_among))
def test_what_hangs_together(case: tuple[int, list[tuple[int, int]]]) -> None:
    n, edges = case
    a, b = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    first = np.arange(n)[::-1].copy()
    found = compound._hanging_together(first, a, b)
    matrix = csr_array((np.ones(len(a)), (a, b)), shape=(n, n))
    count, expected = connected_components(matrix, directed=False)
    assert len(set(zip(found.tolist(), expected.tolist(), strict=True))) == count
    assert sorted(set(found.tolist())) == list(range(count))
    earliest = [first[found == number].min() for number in range(count)]
    assert earliest == sorted(earliest), "numbered by what is first"


# -- pulls -----------------------------------------------------------------------------------

WISHES = st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(0.1, 10)), min_size=1, max_size=40)


@given(WISHES)
def test_rising_numbers_are_those_of_scipy(pairs: list[tuple[float, float]]) -> None:
    wishes, weights = np.array(pairs).T
    expected = isotonic_regression(wishes, weights=weights).x
    assert isotonic(wishes, weights) == pytest.approx(expected, abs=1e-6)


def test_many_boxes_are_left_to_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    wishes = np.random.default_rng(0).normal(size=50)
    few = isotonic(wishes, np.ones(50))
    monkeypatch.setattr(pulls, "FEW", 49)
    assert isotonic(wishes, np.ones(50)) == pytest.approx(few)


@given(st.integers(1, 25).flatmap(_edges_among), st.randoms(use_true_random=False))
def test_pulls_are_sums_over_neighbours(
    case: tuple[int, list[tuple[int, int]]], chance: random.Random
) -> None:
    n, edges = case
    here, there = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    sequence = np.array(chance.sample(range(n), n))
    weight = np.array([chance.random() for _ in edges])
    x = np.array([chance.random() for _ in range(n)])
    found = Pulls(sequence, here, there, weight)
    matrix = csr_array((weight, (here, there)), shape=(n, n))[sequence]
    assert found.total == pytest.approx(np.asarray(matrix.sum(axis=1)).ravel())
    first = chance.randrange(n)
    end = chance.randint(first + 1, n)
    assert found.sums(first, end, x) == pytest.approx((matrix @ x)[first:end])


# -- overview --------------------------------------------------------------------------------


def test_an_overview_of_threads_has_one_group_for_each() -> None:
    threads = [chat(5, seed) for seed in range(9)]
    found = overview(Graph(threads))
    assert found.by == "component"
    assert len(found) == 9
    assert found.counts.tolist() == [6] * 9
    assert found.labels[0] == ("A thread", "6 entities")
    assert found.holds_cycle.all()
    assert len(found.graph.arrays.sources) == 0
    assert found.inner == len(Graph(threads).references)


def test_many_threads_are_told_by_the_largest_and_the_rest() -> None:
    threads = [chat(4, seed) for seed in range(200)] + [chat(30)]
    found = overview(Graph(threads))
    assert len(found) == 37
    assert found.counts.sum() == 200 * 5 + 31
    assert found.counts.tolist()[:36].count(31) == 1
    assert found.labels[-1] == ("ChatMessage + ChatThread", "165 components of 5")
    assert "36 largest" in found.by


def test_a_giant_component_is_told_in_steps() -> None:
    thread = chat(700)
    graph = Graph(thread)
    found = overview(graph)
    assert 5 < len(found) <= 14
    assert found.counts.sum() == 701
    assert found.labels[0] == ("A thread", "")
    assert found.in_cycle.all()
    parts = found.graph.arrays
    assert found.lines.sum() + found.inner == len(graph.references)
    names = {parts.place_of(k)[0].split(" ×")[0] for k in range(len(parts.sources))}
    assert names <= {"messages", "thread", "parent", "replies", "messages, replies"}


def test_a_deep_graph_is_told_in_ranges_of_generations() -> None:
    n = 5000
    graph = graph_of([(k, k + 1) for k in range(n - 1)], n)
    found = overview(graph)
    assert 6 <= len(found) <= 60
    assert found.counts.sum() == n
    assert not found.in_cycle.any()
    assert found.graph.is_acyclic, "ranges depend on each other one way only"
    assert found.lines.sum() + found.inner == n - 1


def test_an_overview_by_type_has_one_group_for_each_type() -> None:
    found = overview(Graph(chat(20)), by="type")
    assert sorted(found.counts.tolist()) == [1, 20]
    fields = [found.graph.arrays.place_of(k)[0] for k in range(2)]
    assert sorted(fields) == ["messages ×20", "thread ×20"]
    assert found.deferred.tolist() == [field.startswith("messages") for field in fields]
    assert found.holds_cycle.tolist() == [count > 1 for count in found.counts.tolist()]


@given(graphs(), st.integers(1, 12))
def test_an_overview_loses_nothing(graph: Graph, limit: int) -> None:
    found = overview(graph, limit)
    assert found.counts.sum() == len(graph)
    assert found.lines.sum() + found.inner + found.weak == len(graph.references)
    assert len(found.labels) == len(found.graph) == len(found.counts)
    assert (np.bincount(found.group, minlength=len(found)) == found.counts).all()


def test_large_graphs_are_laid_out() -> None:
    chain = graph_of([(k, k + 1) for k in range(4999)], 5000)
    star = graph_of([(0, k) for k in range(1, 5000)], 5000)
    alone = graph_of([], 5000)
    for graph in (chain, star, alone, random_graph(1, 5000, 6000)):
        layout = layout_graph(graph)
        assert np.isfinite(layout.positions).all()
        assert len(np.unique(layout.positions.round(4), axis=0)) == 5000
