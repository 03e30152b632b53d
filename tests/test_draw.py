"""Pictures: which artists there are, where, and what they say; never pixels."""

from __future__ import annotations

import enum
import io
import logging
import random
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

import ecsviz as ev
from ecsviz.domain.labels import text_width
from ecsviz.draw import DrawingOptionError, draw_graph
from ecsviz.draw import text as draw_text
from ecsviz.draw.curves import arrowheads, make_curves
from ecsviz.draw.graph import MAX_NODES
from ecsviz.draw.palette import PALETTE
from ecsviz.draw.plan import NAME_ROOM
from ecsviz.draw.style import CYCLE, categories, theme_of
from ecsviz.draw.text import Writer
from ecsviz.errors import EcsvizError, EntityNotFoundError
from ecsviz.layout import layout_graph
from ecsviz.layout.maps import bands_of, map_of
from tests.entity_graphs import numbered_graph
from tests.hostile import HOSTILE
from tests.processes import in_a_new_process

Graph = ev.EntityDependencyGraph


def graph_of(edges: Iterable[tuple[str, str, str]], types: dict[str, str] | None = None) -> Graph:
    refs = list(edges)
    names = list(dict.fromkeys([n for a, b, _ in refs for n in (a, b)] + list(types or {})))
    place = {name: number for number, name in enumerate(names)}
    return Graph.from_parts(
        names,
        names,
        [(types or {}).get(name, "node") for name in names],
        [place[a] for a, _, _ in refs],
        [place[b] for _, b, _ in refs],
        [field for _, _, field in refs],
    )


def large_graph(n: int, edges: int, seed: int = 0) -> Graph:
    chance = random.Random(seed)
    pairs = [sorted((chance.randrange(n), chance.randrange(n)))[::-1] for _ in range(edges)]
    pairs = [pair for pair in pairs if pair[0] != pair[1]]
    return numbered_graph(pairs, [chance.choice("ABC") for _ in range(n)], ["field"] * len(pairs))


def chat(messages: int, seed: int = 0, title: str = "A thread") -> ev.ChatThread:
    chance = random.Random(seed)
    thread = ev.ChatThread(title=title)
    for number in range(messages):
        parent = chance.choice(thread.messages) if thread.messages else None
        thread.say("user" if number % 2 == 0 else "assistant", f"message {number}", parent)
    return thread


def found(ax: Axes, gid: str) -> Any:
    """Return the one collection with a name, or None."""
    all_ = [artist for artist in ax.collections if artist.get_gid() == gid]
    assert len(all_) <= 1
    return all_[0] if all_ else None


def texts(ax: Axes, gid: str) -> list[str]:
    return [text.get_text() for text in ax.texts if text.get_gid() == gid]


def title(ax: Axes) -> str:
    return ax.get_title(loc="left")


def legend(ax: Axes) -> list[str]:
    box = ax.get_legend()
    return [] if box is None else [text.get_text() for text in box.get_texts()]


def all_texts(ax: Axes) -> list[Text]:
    box = ax.get_legend()
    return [*ax.texts, ax._left_title, *(box.get_texts() if box else [])]  # type: ignore[attr-defined]  # there is no public way to the artist of a title on the left


def paint(ax: Axes, form: str = "png") -> bytes:
    file = io.BytesIO()
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.savefig(file, format=form)
    return file.getvalue()


def marks(ax: Axes) -> list[PathCollection]:
    return [artist for artist in ax.collections if artist.get_gid() == "marks"]


TWO = [("staff", "store", "store_id"), ("store", "staff", "manager_id")]


# -- references and components -----------------------------------------------------------------


def test_a_cycle_stands_on_shaded_ground_in_its_own_colour() -> None:
    graph = graph_of([("a", "b", "x"), ("b", "c", "y"), ("c", "a", "z"), ("d", "a", "w")])
    ax = draw_graph(graph)
    ground = found(ax, "cyclic components")
    assert isinstance(ground, PolyCollection)
    assert len(ground.get_paths()) == 1
    assert tuple(ground.get_facecolor()[0][:3]) == pytest.approx(to_rgb(CYCLE))
    in_cycle, closing, others = (
        found(ax, f"{name}references") for name in ("cycle ", "deferred ", "")
    )
    assert len(in_cycle.get_segments()) + len(closing.get_segments()) == 3
    assert len(closing.get_segments()) == len(graph.deferred) == 1
    assert len(others.get_segments()) == 1
    for lines in (in_cycle, closing):
        assert isinstance(lines, LineCollection)
        assert tuple(lines.get_colors()[0][:3]) == pytest.approx(to_rgb(CYCLE))
    assert tuple(others.get_colors()[0][:3]) != pytest.approx(to_rgb(CYCLE))
    # In inches: three nodes lie on the ground, the fourth does not.
    path = ground.get_paths()[0]
    centres = node_centres(ax)
    assert [bool(path.contains_point(centre)) for centre in centres] == [True] * 3 + [False]


def node_centres(ax: Axes) -> list[tuple[float, float]]:
    boxes = found(ax, "nodes").get_paths()
    return [tuple(box.get_extents().get_points().mean(axis=0)) for box in boxes]


def test_deferred_references_are_dashed_and_others_are_not() -> None:
    ax = draw_graph(graph_of([*TWO, ("visitor", "store", "at")]))
    assert found(ax, "deferred references").get_linestyles()[0][1] is not None
    for name in ("cycle references", "references"):
        assert found(ax, name).get_linestyles()[0][1] is None


def test_arrows_point_from_source_to_target() -> None:
    graph = graph_of([("order", "customer", "customer_id")])
    ax = draw_graph(graph)
    (line,) = found(ax, "references").get_segments()
    upper, lower = node_centres(ax)
    assert upper[1] > lower[1], "the dependent stands above"
    assert np.hypot(*(line[0] - upper)) < np.hypot(*(line[0] - lower))
    (head,) = found(ax, "arrowheads").get_paths()
    tip = head.vertices[0]
    box = found(ax, "nodes").get_paths()[1].get_extents()
    assert tip[1] == pytest.approx(box.y1), "the tip touches the target's border"


def test_parallel_references_are_apart() -> None:
    edges = [("trip", "city", f"f{k}") for k in range(3)]
    edges += [("city", "mayor", "mayor"), ("mayor", "city", "home"), ("mayor", "city", "work")]
    graph = graph_of(edges)
    ax = draw_graph(graph)
    plain = found(ax, "references").get_segments()
    assert len(plain) == 3
    middles = sorted(line[len(line) // 2][0] for line in plain)
    assert (np.diff(middles) > 0.05).all()
    both = [
        *found(ax, "cycle references").get_segments(),
        *found(ax, "deferred references").get_segments(),
    ]
    assert len(both) == 3
    middles = sorted(line[len(line) // 2][0] for line in both)
    assert (np.diff(middles) > 0.05).all()


@pytest.mark.parametrize("label", [None, False])
def test_a_reference_to_itself_is_a_loop_beside_the_node(label: Any) -> None:
    graph = graph_of([("person", "person", "boss"), ("person", "person", "friend")])
    ax = draw_graph(graph, label=label)
    loops = found(ax, "deferred references").get_segments()
    assert len(loops) == 2
    right = loops[0][0][0]
    reach = sorted(float(loop[:, 0].max() - right) for loop in loops)
    assert reach[0] > 0.1
    assert reach[1] > reach[0] + 0.05, "one around the other"
    hull = found(ax, "cyclic components").get_paths()[0].get_extents()
    assert hull.x1 > right + reach[1]


@pytest.mark.parametrize("label", [None, False])
def test_several_loops_at_the_top_are_within_the_axes_and_apart(label: Any) -> None:
    edges = [("a", "a", f"f{k}") for k in range(4)] + [("a", "b", "x"), ("b", "c", "y")]
    ax = draw_graph(graph_of(edges), label=label)
    hull = found(ax, "cyclic components").get_paths()[0].get_extents()
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    assert left < hull.x0 < hull.x1 < right
    assert bottom < hull.y0 < hull.y1 < top
    loops = found(ax, "deferred references").get_segments()
    reach = sorted(float(loop[:, 0].max()) for loop in loops)
    assert (np.diff(reach) > 0.06).all()
    assert reach[-1] < hull.x1


def test_nested_loops_share_one_name() -> None:
    ax = draw_graph(graph_of([("a", "a", "boss"), ("a", "a", "friend"), ("a", "b", "x")]))
    assert sorted(texts(ax, "edge label")) == ["boss, friend", "x"]


def test_the_number_of_artists_does_not_grow_with_the_graph() -> None:
    small = draw_graph(large_graph(200, 240), max_nodes=None)
    large = draw_graph(large_graph(3000, 3600), max_nodes=None)
    assert len(large.collections) == len(small.collections)
    assert len(found(large, "references").get_segments()) > 3000
    assert sum(len(artist.get_offsets()) for artist in marks(large)) == 3000
    assert len(large.texts) < 80
    assert len(large.patches) == 0


def test_with_very_many_references_all_are_straight() -> None:
    graph = large_graph(2500, 7000)
    ax = draw_graph(graph, max_nodes=None)
    assert {len(line) for line in found(ax, "references").get_segments()} == {2}


def test_lines_of_a_star_are_nearly_straight_unless_they_must_be_upright() -> None:
    graph = graph_of([("hub", f"leaf {k}", "x") for k in range(7)])
    sizes = np.tile([1.0, 0.3], (8, 1))
    layout = layout_graph(graph, sizes=sizes)
    parts = graph.arrays

    def bent(line: Any) -> float:
        """How far aside of the way from end to end a line leads, as a share of it."""
        line = np.asarray(line)
        step = line[-1] - line[0]
        away = (line - line[0]) @ np.array([-step[1], step[0]]) / (step @ step)
        return float(np.abs(away).max())

    free, upright = (
        make_curves(layout, parts.sources, parts.targets, labelled=True, arrow=0.1, upright=upright)
        for upright in (False, True)
    )
    aside = [k for k in range(7) if abs(np.subtract(*free.lines[k][[0, -1]])[0]) > 1]
    assert len(aside) >= 4
    for k in aside:
        assert bent(free.lines[k]) < 0.6 * bent(upright.lines[k])
        slope = [np.abs(c.lines[k][1] - c.lines[k][0]) for c in (free, upright)]
        assert slope[0][1] / slope[0][0] < 0.7 * slope[1][1] / slope[1][0]


def test_long_lines_between_marks_are_fainter_than_short_ones() -> None:
    edges = [(f"n{k}", f"n{k + 1}", "next") for k in range(12)]
    edges += [(f"n{k}", f"m{k}", "other") for k in range(12)]
    edges += [("n0", "end", "far"), ("n12", "end", "near")]
    marked, boxes = (
        found(draw_graph(graph_of(edges), label=label), "references") for label in (False, None)
    )
    assert len(set(np.array(boxes.get_colors())[:, 3])) == 1, "boxes have room"
    alpha = np.array(marked.get_colors())[:, 3]
    length = np.array([np.hypot(*np.diff(line, axis=0).T).sum() for line in marked.get_segments()])
    by_length = alpha[np.argsort(length)]
    assert by_length[0] == 1.0
    assert (np.diff(by_length) < 1e-3).all()
    assert 0.3 <= by_length[-1] < 0.7


def test_curves_begin_and_end_at_the_borders() -> None:
    graph = Graph(chat(7))
    sizes = np.tile([1.4, 0.3], (8, 1))
    layout = layout_graph(graph, sizes=sizes)
    parts = graph.arrays
    curves = make_curves(layout, parts.sources, parts.targets, labelled=True, arrow=0.1)
    assert len(curves.lines) == len(parts.sources)
    for number, (source, target) in enumerate(
        zip(parts.sources.tolist(), parts.targets.tolist(), strict=True)
    ):
        for point, node in ((curves.lines[number][0], source), (curves.tips[number], target)):
            away = np.abs(point - layout.positions[node]) / (sizes[node] / 2)
            assert away.max() == pytest.approx(1.0, abs=0.02), "on the border of its node"
    assert np.hypot(*curves.directions.T) == pytest.approx(np.ones(len(parts.sources)))
    heads = arrowheads(curves, 0.1)
    assert heads[:, 0] == pytest.approx(curves.tips)


# -- nodes, colours, legend --------------------------------------------------------------------


def test_every_type_has_a_colour_and_a_mark_of_its_own() -> None:
    graph = graph_of([], {f"n{k}": f"Type{k % 4}" for k in range(12)})
    ax = draw_graph(graph)
    assert len(marks(ax)) == 4
    shapes = {artist.get_paths()[0].vertices.round(3).tobytes() for artist in marks(ax)}
    colours = {tuple(artist.get_facecolor()[0]) for artist in marks(ax)}
    assert len(shapes) == len(colours) == 4
    assert {colour[:3] for colour in colours} <= {to_rgb(colour) for colour in PALETTE}
    assert legend(ax) == ["Type0", "Type1", "Type2", "Type3"]


def test_names_of_private_types_are_in_the_legend() -> None:
    ax = draw_graph(graph_of([], {"a": "_Hidden", "b": "$x$", "c": "\u202eodd"}))
    assert legend(ax) == ["$x$", "_Hidden", "odd"]
    paint(ax)


def test_rare_types_share_one_entry() -> None:
    graph = graph_of([], {f"n{k:02}": f"Type{k:02}" for k in range(12)} | {"x": "Type00"})
    ax = draw_graph(graph)
    assert legend(ax)[-1] == "other (6)"
    assert len(marks(ax)) == 7


def test_the_legend_explains_what_is_there_and_nothing_else() -> None:
    assert legend(draw_graph(graph_of([("a", "b", "x")]))) == ["node"]
    assert legend(draw_graph(graph_of(TWO))) == [
        "node",
        "in a cycle",
        "closes a cycle: deferred",
        "cyclic component",
    ]
    with_both = draw_graph(graph_of([*TWO, ("visitor", "store", "at")]))
    assert "depends on" in legend(with_both)
    assert legend(draw_graph(graph_of(TWO), legend=False)) == []


def test_colour_by_field_function_component_and_generation() -> None:
    thread = chat(6)
    graph = Graph(thread)
    assert legend(draw_graph(graph, color_by="role"))[:3] == ["assistant", "no role", "user"]
    by_length = draw_graph(graph, color_by=lambda node: len(getattr(node, "replies", ())))
    assert legend(by_length)[0] == "0"
    chain = Graph(ev.sample("chain", n=20))
    ax = draw_graph(chain, color_by="generation")
    assert legend(ax) == [], "a number has a bar of colours"
    assert texts(ax, "colour bar") == ["generation: 0 to 19"]
    assert len({tuple(color) for color in marks(ax)[0].get_facecolor()}) == 20
    assert texts(draw_graph(chain, color_by="generation", legend=False), "colour bar") == []
    two = Graph([chat(3), chat(4)])
    assert legend(draw_graph(two, color_by="component"))[:2] == ["component 1", "component 2"]


def test_what_is_no_number_is_grey_beside_a_ramp() -> None:
    values = [10.0**k for k in range(10)] + [None, float("nan"), float("inf"), Decimal("NaN")]
    names = [str(k) for k in range(len(values))]
    graph = ev.EntityDependencyGraph.from_parts(names, names, ["n"] * len(names), [], [], [])
    given = dict(zip(names, values, strict=True))
    ax = draw_graph(graph, color_by=given.get)
    assert texts(ax, "colour bar") == ["1 to 1e+09"]
    assert legend(ax) == ["none"]
    colours = np.concatenate([points.get_facecolor() for points in marks(ax)])
    assert len(np.unique(colours[10:], axis=0)) == 1
    assert not (colours[:10, None, :3] == colours[None, 10:, :3]).all(axis=2).any()


def test_values_that_differ_have_categories_of_their_own() -> None:
    for values in (
        [datetime(2020, 1, 1, 0, k, tzinfo=UTC) for k in range(5)],
        [date(2020, 1, k + 1) for k in range(5)],
        [timedelta(seconds=k) for k in range(5)],
    ):
        names = [str(value) for value in values]
        graph = ev.EntityDependencyGraph.from_parts(names, names, ["n"] * 5, [], [], [])
        given = dict(zip(names, values, strict=True))
        assert legend(draw_graph(graph, color_by=given.get)) == sorted(names)


def test_a_name_has_one_colour_in_all_pictures() -> None:
    kinds = [f"Kind{k}" for k in range(6)]
    first = {kind.name: kind.color for kind in categories(kinds)[1]}
    assert len(set(first.values())) == 6
    for some in (kinds[3:], kinds[::2], [*kinds[1:4], "another"]):
        for kind in categories(some)[1]:
            assert first.setdefault(kind.name, kind.color) == kind.color
    code = "from ecsviz.draw.style import categories\nprint(categories(['Alone'])[1])"
    assert in_a_new_process(code) == in_a_new_process(code), "by its name"


class Colour(enum.Enum):
    RED = "red"


def test_categories_take_anything() -> None:
    codes, kinds = categories([Colour.RED, None, "$x$", 3, Colour.RED], none="nothing")
    assert [kinds[code].name for code in codes] == ["red", "nothing", "$x$", "3", "red"]
    codes, kinds = categories([float(k) for k in range(100)])
    assert (kinds.low, kinds.high) == (0.0, 99.0)
    assert (np.diff(codes) >= 0).all()
    codes, kinds = categories([1, 2, float("nan"), float("inf"), *range(9)])
    assert len({*codes.tolist()}) == 9 + 1
    assert codes[2] == codes[3] == len(kinds) - 1, "no numbers of any size"
    codes, kinds = categories([])
    assert len(codes) == 0


def test_labels_stand_in_boxes_that_are_wide_enough() -> None:
    ax = draw_graph(Graph(chat(8)))
    paint(ax)
    labels = [text for text in ax.texts if text.get_gid() == "label"]
    assert len(labels) == 9
    boxes = [box.get_extents() for box in found(ax, "nodes").get_paths()]
    for text, box in zip(labels, boxes, strict=True):
        area = text.get_window_extent().transformed(ax.transData.inverted())
        assert area.x0 > box.x0
        assert area.x1 < box.x1 + 1e-6
        assert area.y0 > box.y0 - 0.02
        assert area.y1 < box.y1 + 0.02


def test_no_two_boxes_overlap_and_all_are_within_the_axes() -> None:
    for graph in (Graph(chat(12)), Graph(ev.sample("star", n=20)), large_graph(40, 50)):
        ax = draw_graph(graph)
        boxes = [box.get_extents() for box in found(ax, "nodes").get_paths()]
        assert len(boxes) == len(graph)
        for number, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[:number])
            assert ax.get_xlim()[0] < box.x0
            assert box.x1 < ax.get_xlim()[1]
            assert ax.get_ylim()[0] < box.y0
            assert box.y1 < ax.get_ylim()[1]


def test_label_is_a_field_a_function_or_nothing() -> None:
    graph = Graph(ev.sample("chain", n=3))
    assert texts(draw_graph(graph), "label") == ["n1", "n2", "n3"]
    assert texts(draw_graph(graph, label=lambda node: node.name * 2), "label")[0] == "n1n1"
    assert texts(draw_graph(Graph(chat(2)), label="role"), "label") == ["user", "assistant"]
    bare = draw_graph(graph, label=False)
    assert texts(bare, "label") == []
    assert texts(bare, "note") == [], "nothing was left out that was asked for"


def test_without_room_labels_are_broken_then_left_out_and_it_says_so() -> None:
    graph = Graph(chat(5))
    whole = texts(draw_graph(graph), "label")
    figure = Figure(figsize=(2.4, 4))
    cut = draw_graph(graph, ax=figure.add_axes((0, 0, 1, 0.9)))
    assert max(map(len, texts(cut, "label"))) <= 14 < max(map(len, whole))
    assert " ".join(texts(cut, "label")) == " ".join(whole), "in two lines, with nothing cut"
    small = draw_graph(Graph(chat(9)), figsize=(3, 2))
    assert small.get_legend() is None, "the picture has the room"
    high = np.ptp(marks(small)[0].get_offsets(), axis=0)[1] / np.ptp(small.get_ylim())
    assert high > 0.4
    assert draw_graph(Graph(chat(9)), figsize=(5, 5)).get_legend() is not None
    tiny = draw_graph(graph, ax=Figure(figsize=(1.6, 1.6)).add_axes((0, 0, 1, 1)))
    assert found(tiny, "nodes") is None
    assert sum(len(artist.get_offsets()) for artist in marks(tiny)) == 6
    assert "no room for all labels" in " ".join("\n".join(texts(tiny, "note")).split())


def test_names_that_begin_alike_show_where_they_differ() -> None:
    rest = "and its many consequences for all of them"
    names = [f"On the theory of {what}, {rest}" for what in "abcdef"]
    ends = [0] * 5, range(1, 6)
    graph = Graph.from_parts(names, names, ["node"] * 6, *ends, ["to"] * 5)
    shown = texts(draw_graph(graph), "label")
    assert [line for line in shown if line.startswith("…")] == [
        f"…{k}, and its many" for k in "abcdef"
    ]
    whole = " ".join(texts(draw_graph(graph, label_length=None), "label"))
    assert all(name in whole for name in names)
    short = texts(draw_graph(graph, label_length=10), "label")
    assert short == [f"…{k}, and i…" for k in "abcdef"]


def test_types_and_fields_can_be_hidden() -> None:
    graph = Graph(chat(6))
    whole = len(graph.references)
    other = type("ChatThread", (ev.Entity,), {"__annotations__": {"title": str}})
    both = ev.EntityDependencyGraph([*graph.nodes, other(title="a namesake")])
    assert "a namesake" in texts(draw_graph(both, hide=[ev.ChatThread], pairs=False), "label")
    assert "a namesake" not in texts(draw_graph(both, hide=["ChatThread"], pairs=False), "label")
    ax = draw_graph(graph, hide=["thread"])
    assert title(ax).startswith(f"7 entities, {whole - 6} references")
    assert title(draw_graph(graph, fields=["thread"])).startswith("7 entities, 6 references, no")
    for hidden in ("ChatThread", ev.ChatThread):
        ax = draw_graph(graph, hide=[hidden], pairs=False)
        assert title(ax).startswith("6 entities")
        assert "besides 5 pairs" in title(ax)
        assert "ChatThread" not in legend(ax)
    for wrong in ({"hide": ["thred"]}, {"fields": ["ChatThread"]}, {"hide": "thread"}):
        with pytest.raises(DrawingOptionError, match=r"thread|list of names"):
            draw_graph(graph, **wrong)


def test_what_no_font_has_is_told() -> None:
    graph = Graph.from_parts(["a \U00013000", "b"], [0, 1], ["n", "n"], [0], [1], ["f"])
    for options in ({}, {"label": lambda node: node}):
        ax = draw_graph(graph, **options)
        assert "□" in "".join(texts(ax, "label"))
        told = " ".join("\n".join(texts(ax, "note")).split())
        assert "no installed font has: egyptian hieroglyph" in told
    assert texts(draw_graph(Graph(chat(2))), "note") == []


def test_of_many_marks_the_important_ones_are_named() -> None:
    ax = draw_graph(Graph(chat(250, title="The hub")))
    assert found(ax, "nodes") is None
    assert "The hub" in texts(ax, "label")
    assert len(texts(ax, "label")) < 60


def test_of_many_threads_each_has_its_title_above_it_and_no_wider() -> None:
    threads = [chat(20, k, title=f"A rather long title, number {k}") for k in range(12)]
    ax = draw_graph(Graph(threads))
    paint(ax)
    names = [text for text in ax.texts if text.get_gid() == "label"]
    assert len(names) == 12
    inverse = ax.transData.inverted()
    boxes = [path.get_extents() for path in found(ax, "cyclic components").get_paths()]
    for name in names:
        box = name.get_window_extent().transformed(inverse)
        (below,) = [b for b in boxes if b.x0 - 0.1 < (box.x0 + box.x1) / 2 < b.x1 + 0.1
                    and abs(box.y0 - b.y1) < 0.2]  # fmt: skip
        assert box.width <= max(below.width + 0.3, NAME_ROOM)


def test_threads_that_are_narrow_have_room_for_their_titles() -> None:
    threads = [ev.ChatThread(title=f"Thread {k:02}") for k in range(14)]
    for thread in threads:
        for number in range(12):
            thread.say("user", f"message {number}")
    ax = draw_graph(Graph(threads))
    paint(ax)
    names = [text for text in ax.texts if text.get_gid() == "label"]
    assert sorted(name.get_text() for name in names) == [f"Thread {k:02}" for k in range(14)]
    boxes = [name.get_window_extent() for name in names]
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:number])


def test_references_carry_the_names_of_their_fields() -> None:
    graph = graph_of([*TWO, ("visitor", "store", "favourite")])
    assert sorted(texts(draw_graph(graph), "edge label")) == ["favourite", "manager_id", "store_id"]
    assert texts(draw_graph(graph, edge_labels=False), "edge label") == []
    star = Graph(ev.sample("star", n=12))
    assert texts(draw_graph(star), "edge label") == [], "twelve times the same says nothing"


def test_names_of_fields_cover_no_node_and_no_other_name() -> None:
    ax = draw_graph(Graph(chat(4)))
    paint(ax)
    inverse = ax.transData.inverted()
    names = [
        text.get_window_extent().transformed(inverse)
        for text in ax.texts
        if text.get_gid() == "edge label"
    ]
    assert len(names) > 5
    boxes = [box.get_extents() for box in found(ax, "nodes").get_paths()]
    for number, name in enumerate(names):
        shrunk = name.shrunk(0.9, 0.7)
        assert not any(shrunk.overlaps(other.shrunk(0.9, 0.7)) for other in names[:number])
        assert not any(shrunk.overlaps(box) for box in boxes)


def test_names_of_fields_are_not_cut_by_the_axes() -> None:
    figure = Figure(figsize=(1.5, 3.0))
    edges = [("a", "b", "a_name_that_is_long"), ("b", "c", "short")]
    ax = draw_graph(graph_of(edges), ax=figure.add_axes((0, 0, 1, 1)), legend=False)
    paint(ax)
    names = [text for text in ax.texts if text.get_gid() == "edge label"]
    assert [name.get_text() for name in names] == ["short"]
    sides = ax.get_window_extent()
    for name in names:
        box = name.get_window_extent()
        assert sides.x0 <= box.x0 < box.x1 <= sides.x1


def test_highlight_fades_the_rest() -> None:
    thread = chat(10)
    graph = Graph(thread)
    message = thread.messages[3]
    plain, lit = draw_graph(graph), draw_graph(graph, highlight=[thread, message])
    widths = np.array(found(lit, "nodes").get_linewidths())
    at = [graph.nodes.index(node) for node in (thread, message)]
    others = [k for k in range(len(graph)) if k not in at]
    assert min(widths[at]) > 1.5 * max(widths[others])
    colour, faded = (found(ax, "nodes").get_edgecolors()[others[0]] for ax in (plain, lit))
    assert np.mean(faded[:3]) > np.mean(colour[:3])
    opaque = np.concatenate(
        [
            found(lit, name).get_colors()[:, 3]
            for name in ("cycle references", "deferred references")
        ]
    )
    assert (opaque == 1).sum() == 2, "the thread's reference to the message, and its own back"
    # Of a hub's many lines only these have arrowheads.
    heads = [len(found(ax, "arrowheads").get_paths()) for ax in (plain, lit)]
    assert heads[1] >= heads[0]
    large = chat(60)
    plain = draw_graph(Graph(large))
    lit = draw_graph(Graph(large), highlight=[large, large.messages[-1]])
    heads = [len(found(ax, "arrowheads").get_paths()) for ax in (plain, lit)]
    assert heads[1] == heads[0] + 2
    assert (opaque < 0.2).sum() == len(opaque) - 2


def test_highlight_takes_ids_cycles_and_single_nodes() -> None:
    graph = Graph(ev.sample("interlocked"))
    cycle = graph.get_cycles()[0]

    def count(highlight: Any) -> int:
        ax = draw_graph(graph, highlight=highlight)
        widths = np.array(found(ax, "nodes").get_linewidths())
        return int((widths > 1.2).sum())

    assert count(cycle) == 3
    assert count(graph.get_cycles()) == 7
    assert count(graph.nodes[0]) == 1
    assert count(graph.nodes[0].ecs_id) == 1
    ax = draw_graph(graph, highlight=cycle)
    strong = np.concatenate(
        [found(ax, name).get_colors()[:, 3] for name in ("cycle references", "deferred references")]
    )
    assert (strong == 1).sum() == 3
    with pytest.raises(EntityNotFoundError):
        draw_graph(graph, highlight=chat(1))


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("color_by", "rol", "Did you mean 'role'"),
        ("label", "titel", "Did you mean 'title'"),
        ("group_by", "colour", "'component', 'type'"),
        ("color_by", 7, "function of a node"),
    ],
)
def test_options_that_mean_nothing_are_errors(option: str, value: Any, told: str) -> None:
    with pytest.raises(DrawingOptionError, match=option) as caught:
        draw_graph(Graph(chat(2)), **{option: value})
    assert told in str(caught.value)
    assert caught.value.option == option
    assert isinstance(caught.value, EcsvizError)
    assert isinstance(caught.value, ValueError)
    assert plt.get_fignums() == [], "no empty figure is left behind"


# -- title, note, figure -----------------------------------------------------------------------


def test_the_title_counts() -> None:
    assert title(draw_graph(Graph(chat(4)))) == "5 entities, 14 references, 1 cyclic component"
    assert title(draw_graph(graph_of([("a", "b", "x")]))) == "2 nodes, 1 reference, no cycle"
    assert title(draw_graph(Graph([ev.ChatThread]))) == (
        "2 classes, 4 references, 1 cyclic component"
    )
    tables = graph_of(TWO, {"staff": "table", "store": "table"})
    assert title(draw_graph(tables, title="Sakila")) == (
        "Sakila\n2 tables, 2 references, 1 cyclic component"
    )


def test_an_empty_graph_is_a_calm_note() -> None:
    ax = draw_graph(Graph())
    assert texts(ax, "note") == ["nothing to draw: the graph is empty"]
    assert len(ax.collections) == 0
    assert title(ax) == "0 nodes, 0 references, no cycle"
    paint(ax)


def test_given_axes_are_drawn_on_and_none_are_made() -> None:
    figure = Figure(figsize=(9, 4))
    left, right = figure.subplots(1, 2)
    assert draw_graph(graph_of(TWO), ax=right) is right
    assert plt.get_fignums() == []
    assert len(left.collections) == 0
    assert right.get_aspect() == 1.0
    sub = figure.subfigures(1, 2)[0]
    ax = sub.add_subplot()
    assert draw_graph(Graph(chat(3)), ax=ax) is ax
    paint(ax)


def test_a_new_figure_is_as_large_as_its_content() -> None:
    def size(graph: Graph) -> Any:
        figure = draw_graph(graph).get_figure(root=True)
        assert figure is not None
        return figure.get_size_inches()

    small, large = size(graph_of(TWO)), size(Graph(chat(40)))
    assert (large > small).all()
    for graph in (graph_of(TWO), large_graph(3000, 3500), Graph(ev.sample("chain", n=60))):
        width, height = size(graph)
        assert 5 < width < 12.5
        assert 1.5 < height < 12


def test_the_graph_object_draws() -> None:
    graph = Graph(chat(2))
    ax = graph.draw(title="Mine", legend=False)
    assert title(ax).startswith("Mine\n")
    assert len(plt.get_fignums()) == 1, "where a notebook finds it"


def test_pictures_are_deterministic() -> None:
    graph = large_graph(60, 90)
    one, two = draw_graph(graph), draw_graph(graph)
    for name in ("nodes", "arrowheads"):
        paths = [found(ax, name).get_paths() for ax in (one, two)]
        for a, b in zip(*paths, strict=True):
            assert np.array_equal(a.vertices, b.vertices)
    assert texts(one, "label") == texts(two, "label")
    assert one.get_xlim() == two.get_xlim()


# -- dark and light ----------------------------------------------------------------------------


def luminance(colour: Any) -> float:
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Any, other: Any) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("ground", ["white", "black", "#111111", "#fdf6e3", "#1e1e2e"])
def test_everything_can_be_read_on_its_ground(ground: str) -> None:
    with plt.rc_context({"figure.facecolor": ground}):
        ax = draw_graph(Graph(chat(6)))
    faces = found(ax, "nodes").get_facecolors()
    labels = [text for text in ax.texts if text.get_gid() == "label"]
    for face, text in zip(faces, labels, strict=True):
        assert contrast(face[:3], text.get_color()) > 7
    for text in all_texts(ax):
        if text.get_text() and text.get_gid() != "label":
            assert contrast(ground, text.get_color()) > 3
    for name in ("cycle references", "deferred references"):
        assert contrast(ground, found(ax, name).get_colors()[0][:3]) > 3


def test_a_dark_style_is_seen() -> None:
    with plt.style.context("dark_background"):
        ax = draw_graph(Graph(chat(3)))
    assert luminance(ax._left_title.get_color()) > 0.7  # type: ignore[attr-defined]  # no public way
    assert theme_of("black").dark
    assert not theme_of("white").dark


def test_on_a_transparent_figure_the_text_colour_decides() -> None:
    figure = Figure(facecolor="none")
    ax = draw_graph(graph_of(TWO), ax=figure.add_subplot())
    assert luminance(ax._left_title.get_color()) < 0.1  # type: ignore[attr-defined]  # no public way
    with plt.rc_context({"text.color": "white"}):
        figure = Figure(facecolor="none")
        ax = draw_graph(graph_of(TWO), ax=figure.add_subplot())
    assert luminance(ax._left_title.get_color()) > 0.7  # type: ignore[attr-defined]  # no public way


# -- groups ------------------------------------------------------------------------------------


def test_a_large_graph_is_drawn_in_groups_and_says_so() -> None:
    threads = [chat(4 + k % 3, k, title=f"Thread {k}") for k in range(130)]
    graph = Graph(threads)
    assert len(graph) > MAX_NODES
    ax = draw_graph(graph)
    assert len(found(ax, "nodes").get_paths()) == 37
    note = " ".join("\n".join(texts(ax, "note")).split())
    assert f"Showing 37 groups of {len(graph):,} entities" in note
    assert "references lie inside groups" in note
    assert title(ax).startswith(f"{len(graph):,} entities, ")
    assert "holds a cycle" in legend(ax)
    assert any(label.startswith("Thread ") for label in texts(ax, "label"))
    assert found(ax, "piles") is not None


def test_up_to_the_limit_all_are_drawn_one_by_one() -> None:
    graph = Graph(chat(40))
    assert texts(draw_graph(graph), "note") == []
    ax = draw_graph(graph, max_nodes=20)
    assert texts(ax, "note")[0].startswith("Showing ")
    assert len(found(ax, "nodes").get_paths()) <= 20
    ax = draw_graph(large_graph(900, 900), max_nodes=None)
    assert sum(len(artist.get_offsets()) for artist in marks(ax)) == 900


def test_groups_by_type_whatever_the_size() -> None:
    ax = draw_graph(Graph(chat(20)), group_by="type")
    assert texts(ax, "label") == ["A thread", "ChatMessage", "20 entities"]
    assert sorted(texts(ax, "edge label")) == ["messages ×20", "thread ×20"]
    assert len(found(ax, "piles").get_paths()) == 1, "only what stands for several"
    assert "grouped by type" in texts(ax, "note")[0]


def test_groups_keep_what_is_highlighted_and_coloured() -> None:
    threads = [chat(5, k) for k in range(3)]
    graph = Graph(threads)
    ax = draw_graph(graph, group_by="component", highlight=threads[1].messages[2])
    widths = np.array(found(ax, "nodes").get_linewidths())
    assert (widths > 1.2).sum() == 1
    ax = draw_graph(graph, group_by="component", color_by="role")
    assert legend(ax)[0] == "user"


def test_groups_that_hold_no_cycle_are_not_shaded() -> None:
    # Types that depend on each other, though no entity is in a cycle.
    graph = graph_of(
        [("a1", "b1", "x"), ("b2", "a2", "y")], {"a1": "A", "a2": "A", "b1": "B", "b2": "B"}
    )
    ax = draw_graph(graph, group_by="type")
    assert found(ax, "cyclic components") is None
    assert len(found(ax, "references").get_segments()) == 2
    assert legend(ax) == ["A", "B"]


def test_fifty_thousand_nodes_are_an_overview() -> None:
    for graph in (large_graph(50_000, 60_000), Graph(chat(5_002))):
        ax = draw_graph(graph)
        assert 5 < len(found(ax, "nodes").get_paths()) <= 120
        paint(ax)
        assert f"of {len(graph):,} " in " ".join(texts(ax, "note")[0].split())


# -- text --------------------------------------------------------------------------------------

BAD = (
    *HOSTILE[:12],
    "$x^2$",
    "$\\undefined",
    "\\frac{1}{2}",
    "日本語のとても長いラベルです、まだ続きます",
    "emoji 😀🎉👩‍👩‍👧",
    "two\nlines\tand\x00more\x1b[31m",
    "\u202egnp.exe\u2066",
    "\ud800 lone \udfff",
    "Z\u0337\u0353\u034d\u0356a\u0338l\u0336g\u0335o",
    "مرحبا بالعالم",
    "x" * 100_000,
    "wide " * 20_000,
    "\ufeff\u200b",
    "",
)


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_hostile_texts_are_drawn_as_they_are_and_cut(form: str) -> None:
    names = [f"k{number}" for number in range(len(BAD))]
    edges = [(names[k], names[k + 1], BAD[k] or "f") for k in range(10)]
    graph = graph_of(edges, dict(zip(names, BAD, strict=True)))
    ax = draw_graph(graph, label=lambda node: BAD[int(node[1:])], title=BAD[k] if (k := 12) else "")
    paint(ax, form)  # any warning is an error here
    assert title(ax).startswith("$x^2$\n")
    for text in all_texts(ax):
        assert not text.get_parse_math()
        assert not text.get_usetex()
        assert len(text.get_text()) < 300
        assert "\x00" not in text.get_text()
        assert "\u202e" not in text.get_text()
    assert "$x^2$" in texts(ax, "label")
    labels = texts(ax, "label")
    assert max(map(text_width, labels)) <= 28, sorted(labels, key=len)[-3:]


def test_missing_glyphs_are_boxes_and_no_warning() -> None:
    writer = Writer()
    odd = "a\U0001f9ffb\U00012000"  # an emoji and a cuneiform sign
    missing = [character for character in odd if ord(character) not in writer.known]
    shown = writer.drawable(odd)
    for character in missing:
        if ord(character) not in writer.known:
            assert character not in shown
    assert shown.startswith("a")
    ax = draw_graph(graph_of([("x", "y", odd)]), label=lambda _: odd, title=odd)
    paint(ax)


def test_a_character_that_the_fonts_lack_is_looked_up_in_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with plt.rc_context({"font.family": ["DejaVu Sans Mono"]}):
        writer = Writer()
        only_sans = next(
            chr(code)
            for code in sorted(draw_text._characters(draw_text._font_path("DejaVu Sans")))
            if code > 0x2000 and code not in writer.known and chr(code).isprintable()
        )
        monkeypatch.setattr(draw_text, "FALLBACKS", ("No Such Font", "DejaVu Sans"))
        writer = Writer()
        assert writer.drawable(f"a{only_sans}") == f"a{only_sans}"
        assert writer.options()["fontfamily"] == ["DejaVu Sans Mono", "DejaVu Sans"]
        ax = draw_graph(graph_of([("x", "y", "f")]), label=lambda _: only_sans)
        paint(ax)


def test_fonts_that_are_not_there_do_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    with (
        plt.rc_context({"font.family": ["No Such Font"]}),
        caplog.at_level(logging.WARNING),
    ):
        ax = draw_graph(graph_of(TWO))
        ours = {text.get_fontfamily()[0] for text in ax.texts}
    assert ours == {"DejaVu Sans"}
    assert not [record for record in caplog.records if "No Such Font" in record.getMessage()]


def test_a_user_who_sets_usetex_gets_plain_text() -> None:
    with plt.rc_context({"text.usetex": True}):
        ax = draw_graph(graph_of(TWO), title="a_b & c")
        assert not any(text.get_usetex() for text in all_texts(ax))


def test_widths_are_measured() -> None:
    writer = Writer()
    assert writer.width("iiii", 9) < writer.width("WWWW", 9)
    assert writer.width("abc", 18) == pytest.approx(2 * writer.width("abc", 9), rel=0.02)
    assert writer.width("", 9) == 0


# -- the house ---------------------------------------------------------------------------------


def test_pyplot_is_imported_only_for_a_figure_of_our_own() -> None:
    code = (
        "import sys, ecsviz as ev\n"
        "import ecsviz.draw\n"
        "print('matplotlib.pyplot' in sys.modules)\n"
        "from matplotlib.figure import Figure\n"
        "ev.EntityDependencyGraph().draw(ax=Figure().add_subplot())\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    assert in_a_new_process(code).split() == ["False", "False"]


def test_the_jdk_packages_are_drawn(shared: Path) -> None:
    import gzip

    base = shared / "data" / "graphs" / "jdk17_java_base_packages"
    with gzip.open(f"{base}.edges.tsv.gz", "rt") as file:
        edges = [(*line.split("\t")[:2], "imports") for line in file.read().splitlines()]
    graph = graph_of(edges)
    ax = draw_graph(graph)  # a map: so many references a node are no rows
    count = sum(len(found(ax, f"{name}references").get_segments()) for name in ("", "cycle "))
    ends = graph.arrays.sources, graph.arrays.targets
    bands = bands_of(map_of(graph), *ends)
    assert len(found(ax, "bands").get_segments()) == len(bands) > 0
    pairs = np.sort(map_of(graph).community[np.column_stack(ends)], axis=1)
    in_bands = (pairs[:, None, :] == bands[None, :, :2]).all(axis=2).any(axis=1)
    alone = int((in_bands & ~graph.ordering.in_cycle).sum())
    assert count + alone == len(edges), "each as a line, or counted in a band"
    assert ax.get_title(loc="left").endswith("3 cyclic components")
    titles = {text.split(" and")[0] for text in texts(ax, "title")}
    assert {"java.lang", "java.util"} <= titles | set(texts(ax, "label"))

    ax = draw_graph(graph, layout="layered")
    names = ("", "cycle ", "deferred ")
    count = sum(len(found(ax, f"{name}references").get_segments()) for name in names)
    [note] = texts(ax, "note")
    assert f"{len(edges) - count:,} lines are left out: they fan out" in " ".join(note.split())
    assert {"java.lang", "java.util"} <= set(texts(ax, "label"))
