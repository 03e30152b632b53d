"""What the explorer's picture shows: as arrays, before any page."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any, get_args

import numpy as np
import pytest

import ecsviz as ev
from ecsviz.draw.palette import MARKERS, PALETTE
from ecsviz.draw.style import categories, hex_of
from ecsviz.errors import InvalidArgumentError
from ecsviz.layout.choices import How, placed_by
from ecsviz.samples import sample
from ecsviz.widgets import GraphExplorer, explore_graph
from ecsviz.widgets.graph import looks
from ecsviz.widgets.graph import scene as room
from ecsviz.widgets.graph.details import Around
from ecsviz.widgets.graph.scene import (
    DEFERRED,
    IN_CYCLE,
    LINES,
    TO_HUB,
    Scene,
    groups_of,
    groups_scene,
    map_scene,
    nodes_scene,
)


def graph_of(entities: object) -> ev.EntityDependencyGraph:
    return ev.EntityDependencyGraph(entities)


def chat(n: int) -> ev.ChatThread:
    thread = ev.ChatThread(title="Chat")
    last = None
    for number in range(n):
        last = thread.say("user", f"message {number}", last)
        last.created_at = datetime(2026, 1, 1 + number % 28, tzinfo=UTC)
    return thread


def all_of(graph: ev.EntityDependencyGraph) -> Scene:
    return nodes_scene(graph, np.arange(len(graph)))


def overlaps(scene: Scene) -> int:
    """Count the pairs of boxes that lie over each other."""
    low, high = scene.places - scene.sizes / 2, scene.places + scene.sizes / 2
    meets = (low[:, None] < high[None]) & (high[:, None] > low[None])
    return (int(meets.all(axis=2).sum()) - len(scene)) // 2


def test_nodes_one_by_one_with_every_reference() -> None:
    graph = graph_of(chat(3))
    scene = all_of(graph)
    assert len(scene) == len(graph) == 4
    assert len(scene.sources) == len(graph.references)
    order = graph.ordering
    assert ((scene.flags & IN_CYCLE) > 0).tolist() == order.in_cycle.tolist()
    assert ((scene.flags & DEFERRED) > 0).tolist() == order.deferred.tolist()
    assert scene.names == [reference.path for reference in graph.references]
    assert len(scene.hulls) == 1, "the component stands on shaded ground"
    assert overlaps(scene) == 0
    assert not scene.close


def test_arrows_point_down_on_the_page() -> None:
    scene = all_of(graph_of(sample("chain", n=4)))
    height = scene.places[:, 1]
    assert (height[scene.sources] < height[scene.targets]).all(), "a page's y goes down"


def test_a_part_keeps_what_the_whole_graph_says_of_its_references() -> None:
    thread = chat(2)
    graph = graph_of(thread)
    two = np.array([graph.number_of(thread), graph.number_of(thread.messages[0])])
    scene = nodes_scene(graph, two)
    whole = {(r.source, r.path): k for k, r in enumerate(graph.references)}
    for line, name in enumerate(scene.names):
        source = graph.nodes[scene.nodes[scene.sources[line]]]
        number = whole[source, name]
        assert bool(scene.flags[line] & DEFERRED) == bool(graph.ordering.deferred[number])
    assert scene.told.startswith("showing 2 of 3 entities and 2 of")
    assert scene.of_node.tolist().count(-1) == 1


def test_where_there_is_no_room_for_boxes_elements_are_dots() -> None:
    scene = all_of(graph_of(chat(300)))
    assert scene.close
    assert set(scene.sizes.ravel().tolist()) == {room.DOT}
    assert overlaps(scene) == 0
    hub = (scene.flags & TO_HUB) > 0
    assert 300 < hub.sum() <= 600, "the thread's references are drawn pale"


def test_colours_and_marks_are_those_of_the_picture() -> None:
    legend = looks.legend_of(graph_of(chat(2)))
    assert [(entry["name"], entry["light"], entry["count"]) for entry in legend.entries] == [
        ("ChatMessage", PALETTE[0].lower(), 2),
        ("ChatThread", PALETTE[1].lower(), 1),
    ]
    assert [entry["shape"] for entry in legend.entries] == ["circle", "square"]
    assert len(set(looks.SHAPES.values())) == len(MARKERS)
    assert all(entry["dark"] != entry["light"] for entry in legend.entries)


def look(explorer: GraphExplorer) -> tuple[list[int], dict[str, Any]]:
    """Return the entry of each element, and the legend."""
    assert len(explorer._codes) == len(explorer._showing.now)
    return list(explorer._codes), explorer._look


def test_colours_and_sizes_are_by_what_one_chooses() -> None:
    thread = chat(9)
    explorer = graph_of(thread).explore()
    numbers = explorer._scene["nodes"]
    nodes = [explorer.graph.nodes[k] for k in np.frombuffer(numbers, "<i4").tolist()]
    assert (explorer.color_by, explorer.size_by, explorer._sizes) == ("type", None, b"")
    assert {"role", "content", "title"} <= {*explorer._about["colours"]}
    assert not {"messages", "thread", "ecs_id"} & {*explorer._about["colours"]}
    assert explorer._about["sizes"][:2] == ["degree", "generation"]

    explorer.color_by = "role"
    codes, told = look(explorer)
    names = [told["legend"][code]["name"] for code in codes]
    assert names == ["no role" if node is thread else "user" for node in nodes]
    assert not told["types"], "an entry is no type that could be hidden"

    degree = explorer.graph.nodes_frame().set_index("ecs_id")[["dependencies", "dependents"]]
    order = [int(degree.loc[node.ecs_id].sum()) for node in nodes]
    explorer.color_by = "degree"
    codes, told = look(explorer)
    assert [told["legend"][code]["name"] for code in codes] == [str(number) for number in order]

    explorer.size_by = "degree"
    sizes = np.frombuffer(explorer._sizes, "u1")
    assert sizes[nodes.index(thread)] == 255
    assert (np.argsort(sizes, kind="stable") == np.argsort(order, kind="stable")).all()
    explorer.view = "map"
    assert len(explorer._sizes) == len(explorer._codes) == 10
    for option, wrong in (("color_by", "rol"), ("size_by", "role"), ("size_by", "contents")):
        with pytest.raises(InvalidArgumentError, match=r"role|numbers|content"):
            setattr(explorer, option, wrong)
        with pytest.raises(InvalidArgumentError):
            graph_of(thread).explore(**{option: wrong})
    assert (explorer.color_by, explorer.size_by) == ("degree", "degree"), "nothing is lost"
    explorer.refresh(graph_of(ev.sample("chain", n=9)))
    assert (explorer.color_by, len(explorer._codes)) == ("degree", 9)
    explorer.color_by = "generation"  # many numbers are a ramp, as in its picture
    codes, told = look(explorer)
    ramp = categories(range(9))[1]
    assert [entry["light"] for entry in told["legend"]] == [hex_of(each.color) for each in ramp]
    assert (told["told"], told["bar"]) == ("generation: 0 to 8", True)
    assert (min(codes), max(codes), len(set(codes))) == (0, len(ramp) - 1, 9)
    explorer.color_by = "name"
    explorer.refresh(graph_of(thread))
    assert explorer.color_by == "type", "there are no names any more"


def test_a_group_has_the_colour_of_most_of_its_members() -> None:
    threads = [chat(4) for _ in range(3)]
    threads[1].messages[0].role = "assistant"
    explorer = explore_graph(graph_of(threads), view="groups", color_by="role", size_by="degree")
    codes, told = look(explorer)
    assert [told["legend"][code]["name"] for code in codes] == ["user"] * 3
    assert len(set(explorer._sizes)) == 1, "in the middle they are alike"


def test_communities_have_titles_on_the_map() -> None:
    names = [f"n{k}" for k in range(240)]
    hubs = [60 * (k // 60) for k in range(240)]
    ends = [(k, hubs[k]) for k in range(240) if k != hubs[k]]
    ends += [(k, k - 1) for k in range(1, 240) if k % 2]
    ends += [(60, 0), (120, 60), (180, 120)]
    sources, targets = zip(*ends, strict=True)
    graph = ev.EntityDependencyGraph.from_parts(
        names, names, ["n"] * 240, sources, targets, ["to"] * len(ends)
    )
    explorer = explore_graph(graph, view="map")
    titles = explorer._scene["titles"]
    assert {graph.nodes[leader] for *_, leader in titles} == {"n0", "n60", "n120", "n180"}
    assert all("and 5" in text or "and 6" in text for text, *_ in titles)
    codes, told = look(explorer)
    assert told["told"] == "4 communities have colours"
    assert len(set(codes)) == 4
    for text, x, y, leader in titles:
        own = explorer._showing.now.places[np.array(codes) == codes[leader]]
        assert np.allclose((x, y), np.median(own, axis=0)), text
    explorer.color_by = "degree"
    assert explorer._look["told"] != told["told"]


def test_the_state_is_binary() -> None:
    graph = graph_of(chat(3))
    scene = all_of(graph)
    state = scene.state(Around(graph).steps)
    places = np.frombuffer(state["places"], "<f4").reshape(-1, 2)
    assert places.tolist() == scene.places.astype("<f4").tolist()
    assert np.frombuffer(state["nodes"], "<i4").tolist() == [0, 1, 2, 3]
    assert sorted(np.frombuffer(state["steps"], "<i4").tolist()) == [1, 2, 3, 4]
    assert len(np.frombuffer(state["sources"], "<u4")) == len(state["names"])
    outline = np.frombuffer(state["outlines"], "<u4")
    assert outline[-1] * 8 == len(state["hulls"])


def test_groups_stand_for_every_node_once() -> None:
    graph = graph_of([chat(2), chat(3), chat(4)])
    groups = groups_of(graph)
    closed = groups_scene(graph, groups, {}, 500)
    assert (closed.of_node >= 0).all()
    assert np.bincount(closed.of_node).tolist() == groups.counts.tolist()
    assert closed.notes == ["3 entities", "4 entities", "5 entities"]
    opened = groups_scene(graph, groups, {1: 0}, 500)
    assert (opened.of_node >= 0).all()
    assert len(opened) == 2 + 4
    assert opened.groups[opened.nodes >= 0].tolist() == [1] * 4
    assert (opened.sources != opened.targets).all()
    assert overlaps(opened) == 0


def test_a_line_between_groups_counts_what_it_stands_for() -> None:
    graph = graph_of(chat(40))
    groups = groups_of(graph, "type")
    closed = groups_scene(graph, groups, {}, 500)
    assert sorted(closed.names) == ["messages ×40", "thread ×40"]
    messages = int(groups.counts.argmax())
    opened = groups_scene(graph, groups, {messages: 0}, 12)
    assert opened.notes[messages] == "30 more"
    assert {"messages ×30", "thread ×30", "messages[0]"} <= set(opened.names)


def test_groups_that_are_too_many_are_others() -> None:
    graph = graph_of([chat(1) for _ in range(200)])
    assert len(groups_of(graph, "component")) <= room.GROUPS
    assert len(groups_of(graph, "type")) == 2


@pytest.mark.parametrize("rows", [10_000, 10])
def test_points_for_all_and_lines_for_some(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(room, "ROWS", rows)
    graph = graph_of(chat(2_500))
    scene = map_scene(graph)
    assert len(scene) == 2_501
    assert len(np.unique(scene.places.round(3), axis=0)) == 2_501, "each has a place of its own"
    assert len(scene.sources) == LINES < len(graph.references)
    assert (np.diff(scene.flags) >= 0).all(), "like lines stand together"
    assert "6,000 of 9,998 references" in scene.told
    assert ("in the order of saving" in scene.told) == (rows == 10)


def test_an_empty_graph_has_empty_scenes() -> None:
    graph = graph_of([])
    none = np.zeros(0, dtype=np.int64)
    for scene in (
        nodes_scene(graph, none),
        map_scene(graph),
        groups_scene(graph, groups_of(graph), {}, 9),
    ):
        assert len(scene) == 0
        assert scene.state(none)["count"] == 0


# -- layouts that are chosen -------------------------------------------------------------------


@pytest.mark.parametrize("how", get_args(How))
def test_the_explorer_places_by_the_layout_that_is_chosen(how: How) -> None:
    graph = graph_of(chat(8))
    explorer = graph.explore(layout=how, pairs=False)
    assert (explorer.view, explorer.layout_by) == ("all", how)
    scene = explorer._showing.now
    wanted = placed_by(how, explorer._showing.graph, scene.sizes / room.UNIT, room.GAP, room.PAGE)
    assert scene.places == pytest.approx(wanted.positions * (room.UNIT, -room.UNIT))
    assert overlaps(scene) == 0
    assert sorted(explorer.positions) == sorted(graph.arrays.ids)
    explorer.close()


def test_a_reader_chooses_another_layout_and_finds_things_where_they_were_put() -> None:
    graph = graph_of(chat(6))
    explorer = graph.explore()
    usual = explorer.positions
    explorer._on_move({"element": 0, "x": 3.0, "y": 4.0})
    explorer.layout_by = "circle"
    assert explorer.positions[graph.arrays.ids[0]] != (3.0, 4.0), "that was another picture"
    circle = explorer.positions
    explorer.selected = graph.nodes[2]
    explorer.view = "around"
    around = explorer._showing.now.places
    radius = np.hypot(*(around - (around.min(axis=0) + around.max(axis=0)) / 2).T)
    assert radius.min() > 0.5 * radius.max(), "what is around somebody, too"
    explorer.view, explorer.layout_by = "all", None
    assert explorer.positions == usual | {graph.arrays.ids[0]: (3.0, 4.0)}
    explorer.layout_by = "circle"
    assert explorer.positions == circle
    explorer.refresh(graph_of(sample("chain", n=3)))
    assert explorer.layout_by == "circle"
    explorer.close()


def test_layouts_that_there_are_not_are_refused_with_those_there_are() -> None:
    graph = graph_of(sample("chain", n=3))
    explorer = graph.explore(layout="tree")
    assert explorer._about["layouts"] == [how for how in get_args(How) if how != "timeline"]
    for wrong, why in (("radail", "radial"), ("timeline", "asks for moments"), (3, "no layout")):
        with pytest.raises(InvalidArgumentError, match=why):
            graph.explore(layout=wrong)
    with pytest.raises(InvalidArgumentError, match="asks for moments"):
        explorer.layout_by = "timeline"
    explorer.refresh(graph_of(chat(2)))
    explorer.layout_by = "timeline"
    explorer.refresh(graph)
    assert explorer.layout_by is None, "nobody has a moment any more"
    explorer.close()


@pytest.mark.parametrize("forks", [0.0, 0.01, 0.1], ids=["none", "few", "many"])
def test_a_long_talk_is_no_strip(forks: float) -> None:
    chance, thread = random.Random(1), ev.ChatThread(title="long")
    said: list[ev.ChatMessage] = []
    for number in range(900):
        before = chance.choice(said) if said and chance.random() < forks else (said or [None])[-1]
        said.append(thread.say("user", str(number), before))
    places = map_scene(graph_of(thread)).places
    wide, high = np.ptp(places, axis=0)
    assert 1 < wide / high < 4
    apart = np.hypot(*(places[1:] - places[:-1]).T)
    assert np.median(apart) < 3 * room.POINT_GAP[1] * room.UNIT, "what follows stands near"
    assert len(np.unique(np.round(places, 3), axis=0)) == len(places)
