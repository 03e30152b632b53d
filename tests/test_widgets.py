"""The explorer, driven through its traits and messages as a page does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import ipywidgets
import numpy as np
import pytest
import traitlets
from pydantic import Field

import ecsviz as ev
from ecsviz.errors import (
    EntityNotFoundError,
    GraphTooLargeError,
    InvalidArgumentError,
    InvalidIdError,
)
from ecsviz.samples import sample
from ecsviz.widgets import GraphExplorer, base, explore_graph
from tests.hostile import HOSTILE, assert_harmless, texts


class Room(ev.Entity):
    name: str
    text: str = ""
    doors: dict[str, Room] = Field(default_factory=dict)
    inside: Room | None = None

    @property
    def danger(self) -> str:
        raise AssertionError("properties are never evaluated")


@pytest.fixture(name="thread")
def _thread() -> ev.ChatThread:
    thread = ev.ChatThread(title="Cycles")
    question = thread.say("user", "What is a cycle?")
    thread.say("assistant", "A way back.", parent=question)
    return thread


@pytest.fixture(name="explorer")
def _explorer(thread: ev.ChatThread) -> Iterator[GraphExplorer]:
    explorer = explore_graph(ev.EntityDependencyGraph(thread))
    yield explorer
    explorer.close()


def ask(explorer: GraphExplorer, name: Any, **facts: Any) -> None:
    """Send what a page sends."""
    explorer._take(explorer, {"do": name, **facts}, [])


def answers(explorer: GraphExplorer, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return a list that grows with what the explorer answers."""
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(
        explorer, "send", lambda content, buffers=None: sent.append({**content, "buffers": buffers})
    )
    return sent


def listed(explorer: GraphExplorer) -> list[Any]:
    """Return the entities on the page of the table."""
    return [explorer.graph.nodes[row["node"]] for row in explorer._rows["listed"]]


def shown(explorer: GraphExplorer) -> list[Any]:
    """Return the entities that the picture shows one by one."""
    nodes = np.frombuffer(explorer._scene["nodes"], "<i4").tolist()
    return [explorer.graph.nodes[number] for number in nodes if number >= 0]


# -- the selection ---------------------------------------------------------------------------


def test_the_table_is_the_topological_order(explorer: GraphExplorer) -> None:
    assert listed(explorer) == explorer.graph.get_topological_sort()
    assert [row["step"] for row in explorer._rows["listed"]] == [1, 2, 3]
    assert explorer._rows["told"] == "showing 3 of 3 entities"
    assert explorer.status == "showing 3 of 3 entities and 6 of 6 references"
    assert explorer.selected is None
    assert explorer.entity is None
    assert (explorer.step, explorer._at, explorer._details) == (0, -1, {})


def test_a_click_reaches_python(explorer: GraphExplorer) -> None:
    told: list[Any] = []
    explorer.observe(lambda change: told.append(change.new), "selected")
    ask(explorer, "select", node=2)
    assert explorer.entity is explorer.graph.nodes[2]
    assert told == [str(explorer.graph.nodes[2].ecs_id)]
    ask(explorer, "select", node=-1)
    assert explorer.entity is None


def test_python_sets_what_is_selected(explorer: GraphExplorer, thread: ev.ChatThread) -> None:
    message = thread.messages[1]
    order = explorer.graph.get_topological_sort()
    for value in (message, message.ecs_id, str(message.ecs_id), str(message.ecs_id).upper()):
        explorer.selected = None
        explorer.selected = value
        assert explorer.selected == str(message.ecs_id)
        assert explorer.graph.nodes[explorer._details["node"]] is message
        assert order[explorer.step - 1] is message
        assert ("content", "A way back.") in explorer._details["fields"]
        assert shown(explorer)[explorer._at] is message


def test_what_is_not_in_the_graph_is_refused_and_changes_nothing(
    explorer: GraphExplorer, thread: ev.ChatThread
) -> None:
    explorer.selected = thread
    with pytest.raises(EntityNotFoundError, match="not in this graph of 3 nodes"):
        explorer.selected = uuid4()
    with pytest.raises(InvalidIdError, match="'nonsense' is not a UUID"):
        explorer.selected = "nonsense"
    with pytest.raises(InvalidIdError, match=r"selected is 3\. Give an entity"):
        explorer.selected = 3
    assert explorer.selected == str(thread.ecs_id)
    assert explorer.entity is thread


def test_two_explorers_share_one_selection(explorer: GraphExplorer, thread: ev.ChatThread) -> None:
    other = explore_graph(ev.EntityDependencyGraph(thread), view="groups")
    link = traitlets.link((explorer, "selected"), (other, "selected"))
    other.selected = thread.messages[0]
    assert explorer.entity is thread.messages[0]
    explorer.selected = thread
    assert other.entity is thread
    link.unlink()


@pytest.mark.parametrize(
    "message",
    [
        None,
        [],
        "select",
        {},
        {"do": None},
        {"do": ["select"], "node": 1},
        {"do": "_on_select", "node": 1},
        {"do": "close_all"},
        {"do": "select"},
        {"do": "select", "node": 99},
        {"do": "select", "node": "1"},
        {"do": "select", "node": 1.5},
        {"do": "select", "node": True},
        {"do": "open", "node": -7},
        {"do": "rows", "first": 1e9},
        {"do": "labels", "nodes": {"0": 1}},
        {"do": "library", "name": "../explorer"},
    ],
)
def test_malformed_messages_are_passed_over(
    explorer: GraphExplorer, monkeypatch: pytest.MonkeyPatch, message: Any
) -> None:
    sent = answers(explorer, monkeypatch)
    explorer._take(explorer, message, [])
    assert sent == []
    assert explorer.selected is None
    assert explorer.view == "all"


# -- steps -----------------------------------------------------------------------------------


def test_steps_go_through_the_order_and_say_so(explorer: GraphExplorer) -> None:
    order = explorer.graph.get_topological_sort()
    for step, entity in enumerate(order, 1):
        explorer.step = step
        assert explorer.entity is entity
        assert explorer._stepping, "what is saved later is faded"
    explorer.step = 99
    assert explorer.step == 3
    explorer.selected = order[0]
    assert explorer.step == 1
    assert not explorer._stepping, "who looks around is not on the way through the order"
    explorer.step = 2
    explorer.step = 0
    assert explorer.selected is None
    assert "step 2 of 3" in explorer._around.about(explorer.graph.number_of(order[1]))["facts"]


def test_a_cycle_is_stepped_through_reference_by_reference(
    explorer: GraphExplorer, thread: ev.ChatThread
) -> None:
    ask(explorer, "cycles")
    cycles = explorer.graph.get_cycles()
    assert len(explorer._cycles["listed"]) == len(cycles)
    for number, cycle in enumerate(cycles):
        explorer.cycle = number
        assert [step["path"] for step in explorer._steps] == [r.path for r in cycle.references]
        for step, reference in enumerate(cycle.references):
            explorer.cycle_step = step
            assert explorer.entity is reference.target
            assert explorer.graph.nodes[explorer._steps[step]["source"]] is reference.source
            is_deferred = any(
                (r.source, r.path) == (reference.source, reference.path)
                for r in explorer.graph.deferred
            )
            assert explorer._steps[step]["deferred"] == is_deferred
    explorer.cycle = None
    assert explorer._steps == []
    with pytest.raises(InvalidArgumentError, match=f"cycle=99 is none: there are {len(cycles)}"):
        explorer.cycle = 99


def test_a_cycle_that_is_not_shown_is_shown() -> None:
    ring = [Room(name=str(number)) for number in range(40)]
    for here, there in pairwise([*ring, ring[0]]):
        here.inside = there
    explorer = explore_graph(ev.EntityDependencyGraph(ring), limit=30)
    assert (explorer.view, shown(explorer)) == ("groups", [])
    explorer.cycle = 0
    assert explorer.view == "around"
    assert len(shown(explorer)) == 30, "as many as there may be"
    assert "showing 30 of 40 entities" in explorer.status


def test_a_cycle_comes_without_all_that_hangs_on_it() -> None:
    thread = ev.ChatThread(title="Long")
    for number in range(600):
        thread.say("user", str(number))
    explorer = explore_graph(ev.EntityDependencyGraph(thread))
    explorer.cycle = 5
    assert len(shown(explorer)) == 2
    assert thread in shown(explorer)
    assert "showing 2 of 601 entities, those of one cycle" in explorer.status
    explorer.cycle_step = 1
    assert len(shown(explorer)) == 2
    number = explorer.graph.number_of(explorer.entity)
    ask(explorer, "open", node=number)
    assert len(shown(explorer)) >= 2
    ask(explorer, "close", node=number)
    assert len(shown(explorer)) == 2


# -- views -----------------------------------------------------------------------------------


def test_the_first_view_fits_the_graph() -> None:
    def first(n: int) -> GraphExplorer:
        return explore_graph(ev.EntityDependencyGraph(sample("star", n=n)))

    assert first(500).view == "all"
    assert first(501).view == "groups"
    large = first(10_000)
    assert large.view == "map"
    assert len(large._scene["places"]) == 10_000 * 8, "two floats of 4 bytes a node"
    assert large.status.startswith("showing 10,000 of 10,000 entities as points")
    assert large._scene["count"] == 10_000


def test_views_that_are_none_are_refused(explorer: GraphExplorer) -> None:
    with pytest.raises(InvalidArgumentError, match=r"'grops' is none\. Did you mean 'groups'"):
        explorer.view = "grops"
    with pytest.raises(InvalidArgumentError, match="none is selected"):
        explorer.view = "around"
    with pytest.raises(InvalidArgumentError, match="view='x'"):
        explore_graph(explorer.graph, view="x")
    small = explore_graph(explorer.graph, limit=2)
    with pytest.raises(GraphTooLargeError, match="up to 2 entities one by one, and there are 3"):
        small.view = "all"
    assert explorer.view == "all"
    assert small.view == "groups"


def test_a_neighbourhood_expands_and_collapses() -> None:
    nodes = sample("chain", n=7)
    explorer = explore_graph(ev.EntityDependencyGraph(nodes), selected=nodes[3], view="around")

    def names() -> list[str]:
        return sorted(node.name for node in shown(explorer))

    assert names() == ["n3", "n4", "n5"]
    assert "showing 3 of 7 entities" in explorer.status
    number = explorer.graph.number_of(nodes[4])
    ask(explorer, "open", node=number)
    assert names() == ["n3", "n4", "n5", "n6"]
    ask(explorer, "close", node=number)
    assert names() == ["n3", "n4", "n5"]
    ask(explorer, "close", node=explorer.graph.number_of(nodes[3]))
    assert names() == ["n3", "n4", "n5"], "the last one stays"
    explorer.selected = nodes[0]
    assert names() == ["n1", "n2"], "what was not shown is the new middle"


def test_opening_a_node_goes_to_what_is_around(
    explorer: GraphExplorer, thread: ev.ChatThread
) -> None:
    ask(explorer, "open", node=1)
    assert explorer.view == "around"
    assert explorer.entity is explorer.graph.nodes[1]


def test_groups_open_and_close() -> None:
    threads = [ev.ChatThread(title=f"thread {number}") for number in range(5)]
    for thread in threads:
        thread.say("user", "one")
        thread.say("user", "two")
    explorer = explore_graph(ev.EntityDependencyGraph(threads), view="groups")
    assert explorer.status == "showing 5 of 5 groups of 15 entities; grouped by component"
    assert shown(explorer) == []
    group = int(explorer._showing.groups.group[explorer.graph.number_of(threads[2])])
    ask(explorer, "open", group=group)
    assert set(shown(explorer)) == {threads[2], *threads[2].messages}
    assert "4 of 5 groups and, one by one, 3 of 15 entities" in explorer.status
    explorer.selected = threads[2].messages[0]
    assert shown(explorer).index(threads[2].messages[0]) + 4 == explorer._at
    explorer.selected = threads[0]
    assert explorer._at >= 0, "its group is marked"
    ask(explorer, "close", group=group, node=0)
    assert shown(explorer) == []
    explorer.group_by = "type"
    assert explorer.status == "showing 2 of 2 groups of 15 entities; grouped by type"


def test_a_group_that_is_too_large_opens_part_by_part() -> None:
    graph = ev.EntityDependencyGraph(sample("star", n=60))
    explorer = explore_graph(graph, limit=25, view="groups")
    leaves = int(explorer._showing.groups.counts.argmax())
    ask(explorer, "open", group=leaves)
    first = shown(explorer)
    assert len(first) >= 20
    assert explorer._scene["count"] <= 26, "the rest is one group more"
    assert any("more" in note for note in explorer._scene["notes"])
    ask(explorer, "open", group=leaves)
    assert not set(first) & set(shown(explorer)) - {graph.nodes[0]}, "others than before"


def test_a_group_that_there_is_no_room_for_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    explorer = explore_graph(ev.EntityDependencyGraph(sample("star", n=60)), limit=1, view="groups")
    sent = answers(explorer, monkeypatch)
    ask(explorer, "open", group=0)
    assert [told["told"] for told in sent if "told" in told] == ["error"]
    assert explorer._showing.opened == {}


def test_points_tell_their_labels_when_asked(
    explorer: GraphExplorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    explorer.view = "map"
    sent = answers(explorer, monkeypatch)
    ask(explorer, "labels", nodes=[0, 2, 99, "1", True])
    (told,) = [message for message in sent if message.get("told") == "labels"]
    assert set(told["labels"]) == {"0", "2"}
    assert told["labels"]["0"] == "Cycles"


# -- search and filters ----------------------------------------------------------------------


def mask(explorer: GraphExplorer) -> list[int]:
    return list(explorer._mask)


def test_the_search_looks_at_names_texts_types_and_ids(
    explorer: GraphExplorer, thread: ev.ChatThread
) -> None:
    def found(text: str) -> list[Any]:
        explorer.search = text
        return listed(explorer)

    assert found("WAY back") == [thread.messages[1]]
    assert sorted(mask(explorer)) == [1, 1, 2], "kept, but not found: faded"
    assert found(str(thread.ecs_id)[-12:]) == [thread]
    assert found("chatthread") == [thread]
    assert found("no such text") == []
    assert explorer._rows["told"] == "no entities that match; 3 in the graph"
    assert len(found("")) == 3
    assert mask(explorer) == [2, 2, 2]


def test_filters_work_together() -> None:
    loop = Room(name="loop")
    loop.inside = loop
    graph = ev.EntityDependencyGraph([Room(name="plain", inside=loop), sample("thread")])
    explorer = explore_graph(graph)
    explorer.type_filter = "Room"
    assert explorer._rows["told"] == (
        f"showing 2 of 2 entities that match; {len(graph)} in the graph"
    )
    assert sorted(mask(explorer)) == [0] * (len(graph) - 2) + [2, 2], "the others are hidden"
    explorer.cycles_only = True
    assert listed(explorer) == [loop]
    explorer.search = "plain"
    assert listed(explorer) == []
    assert max(mask(explorer)) == 1
    explorer.search = ""
    explorer.cycles_only = False
    explorer.type_filter = None
    assert explorer._rows["total"] == len(graph)
    with pytest.raises(InvalidArgumentError, match="'Rom' is no type of this graph"):
        explorer.type_filter = "Rom"


def test_what_was_found_has_a_view() -> None:
    graph = ev.EntityDependencyGraph(sample("chain", n=1_200))
    explorer = explore_graph(graph)
    explorer.search = "n100"
    explorer.view = "found"
    assert {node.name for node in shown(explorer)} == {f"n100{number}" for number in range(10)}
    explorer.search = "n1001"
    assert [node.name for node in shown(explorer)] == ["n1001"]


def test_groups_are_found_by_what_is_in_them() -> None:
    threads = [ev.ChatThread(title=name) for name in "ab"]
    threads[1].say("user", "needle")
    explorer = explore_graph(ev.EntityDependencyGraph(threads), view="groups")
    explorer.search = "needle"
    holds = int(explorer._showing.now.of_node[explorer.graph.number_of(threads[1])])
    assert mask(explorer)[holds] == 2
    assert mask(explorer)[1 - holds] == 1


def test_a_selection_that_the_filter_hides_stays(
    explorer: GraphExplorer, thread: ev.ChatThread
) -> None:
    explorer.selected = thread
    explorer.search = "way back"
    assert explorer.entity is thread
    assert thread not in listed(explorer)


def test_the_table_goes_page_by_page() -> None:
    graph = ev.EntityDependencyGraph(sample("chain", n=2_050))
    explorer = explore_graph(graph)
    order = graph.get_topological_sort()
    assert explorer._rows["told"] == "showing 100 of 2,050 entities (1 to 100)"
    ask(explorer, "rows", first=2_000)
    assert explorer._rows["told"] == "showing 50 of 2,050 entities (2,001 to 2,050)"
    assert listed(explorer) == order[2_000:]
    explorer.selected = order[1_234]
    assert explorer._rows["first"] == 1_200, "it turns to the page of what is selected"
    assert order[1_234] in listed(explorer)


# -- details ---------------------------------------------------------------------------------


def test_the_links_lead_both_ways(explorer: GraphExplorer, thread: ev.ChatThread) -> None:
    question, answer = thread.messages
    explorer.selected = question
    links = explorer._details["links"]
    assert links["told"] == "2 out, 2 in"
    assert [link["out"] for link in links["listed"]] == [True, True, False, False]
    (reply,) = [link for link in links["listed"] if link["text"].startswith("replies[0]")]
    assert explorer.graph.nodes[reply["node"]] is answer
    here = [r for r in explorer.graph.deferred if question in (r.source, r.target)]
    assert sum(link["deferred"] for link in links["listed"]) == len(here)


def test_an_entity_with_many_links_lists_a_part_and_says_so() -> None:
    hub = Room(name="hub")
    hub.doors = {f"door {number}": Room(name=f"room {number}", inside=hub) for number in range(300)}
    explorer = explore_graph(ev.EntityDependencyGraph(hub), selected=hub)
    assert explorer._details["links"]["told"] == "200 of 300 out, 200 of 300 in"
    assert len(explorer._details["links"]["listed"]) == 400


def test_details_show_fields_and_evaluate_no_property() -> None:
    inner = Room(name="inner")
    room = Room(name="n", text="line one\nline two", doors={"a": inner}, version=2)
    explorer = explore_graph(ev.EntityDependencyGraph(room), selected=room)
    fields = dict(explorer._details["fields"])
    assert fields["text"] == "line one\nline two"
    assert fields["version"] == "2"
    assert fields["inside"] is None
    assert f"<Room …{str(inner.ecs_id)[-6:]}>" in fields["doors"]
    assert explorer._details["id"] == str(room.ecs_id)
    assert "danger" not in fields
    assert explorer._details["facts"].startswith("step 2 of 2, generation 1, ")
    assert explorer._details["facts"].endswith(", in no cycle")


def test_changed_fields_show_when_selected_again(
    explorer: GraphExplorer, thread: ev.ChatThread
) -> None:
    explorer.selected = thread
    thread.title = "Renamed"
    explorer.selected = None
    explorer.selected = thread
    assert ("title", "Renamed") in explorer._details["fields"]


def test_graphs_of_classes_and_tables_and_nothing() -> None:
    classes = explore_graph(ev.EntityDependencyGraph(Room), selected="Room")
    assert classes.entity is Room
    assert "dict[str, " in dict(classes._details["fields"])["doors"]
    assert classes._details["facts"].endswith("holds itself")
    with pytest.raises(EntityNotFoundError, match="Did you mean 'Room'"):
        classes.selected = "Rom"
    tables = ev.EntityDependencyGraph.from_parts(
        ["staff", "store"], ["staff", "store"], ["table"] * 2, [0, 1], [1, 0], ["a", "b"]
    )
    explorer = explore_graph(tables, selected="store")
    assert explorer.entity == "store"
    assert explorer._details["facts"].endswith("in a cyclic component of 2")
    explorer.search = "sta"
    assert [row["label"] for row in explorer._rows["listed"]] == ["staff"]
    empty = explore_graph(ev.EntityDependencyGraph())
    assert empty.status.startswith("no ")
    empty.step = 1
    assert (empty.step, empty.selected) == (0, None)
    empty.view = "map"
    empty.view = "groups"
    with pytest.raises(EntityNotFoundError):
        empty.selected = str(uuid4())


# -- where it is not alive, and hostile texts ------------------------------------------------


def test_as_text_and_where_the_widget_is_dead(
    explorer: GraphExplorer, thread: ev.ChatThread
) -> None:
    assert repr(explorer) == "GraphExplorer(3 nodes, 6 references; nothing selected)"
    explorer.selected = thread
    bundle, _ = explorer._repr_mimebundle_()
    assert bundle["text/plain"] == (
        "GraphExplorer(3 nodes, 6 references; selected: ChatThread Cycles)"
    )
    assert "application/vnd.jupyter.widget-view+json" in bundle
    html = bundle["text/html"]
    assert_harmless(html)
    assert 'src="data:image/png;base64,iVBOR' in html
    assert 'alt="The dependency graph: 3 entities, 6 references, 1 cyclic component."' in html
    assert "ChatMessage2" in texts(html)
    assert "Run this cell" in texts(html)


def test_the_picture_that_stands_in_comes_after_the_widget(
    explorer: GraphExplorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs: list[dict[str, Any]] = []
    monkeypatch.setattr(base, "display", lambda data, **_: outputs.append(data))
    still = explorer.still
    made: list[int] = []
    monkeypatch.setattr(explorer, "still", lambda: made.append(len(outputs)) or still())
    explorer._ipython_display_()
    view, beside = outputs
    assert made == [1], "the widget is shown before its picture is made"
    assert set(view) == {"application/vnd.jupyter.widget-view+json", "text/plain"}
    assert view["text/plain"] == repr(explorer)
    assert set(beside) == {"text/html"}
    assert f'class="mathjax_ignore ecsviz-{explorer._mark}"' in beside["text/html"]
    assert "Run this cell" in texts(beside["text/html"])


def test_the_first_picture_of_a_kernel_brings_its_library(
    thread: ev.ChatThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "_brought", set())
    graph = ev.EntityDependencyGraph(thread)
    brought: list[list[bool]] = []
    for view in ("map", "all", "all"):
        explorer = explore_graph(graph, view=view)
        with_it: list[bool] = []
        monkeypatch.setattr(
            base, "display", lambda _, w=explorer, to=with_it, **__: to.append(bool(w._library))
        )
        explorer._ipython_display_()
        assert explorer._library == b"", "no notebook keeps it"
        brought.append(with_it)
        explorer.close()
    # Both outputs are shown while it is there; points do without it, and once is enough.
    assert brought == [[False, False], [True, True], [False, False]]


def test_every_widget_has_a_mark_of_its_own(explorer: GraphExplorer) -> None:
    other = explore_graph(explorer.graph)
    assert other._mark != explorer._mark
    assert other.get_state()["_mark"] == other._mark


def test_the_method_of_the_graph_hands_options_on(thread: ev.ChatThread) -> None:
    explorer = ev.EntityDependencyGraph(thread).explore(selected=thread, view="around")
    assert isinstance(explorer, GraphExplorer)
    assert isinstance(explorer, ipywidgets.Widget)
    assert UUID(explorer.selected) == thread.ecs_id
    assert explorer.view == "around"


def assert_sendable(explorer: GraphExplorer) -> None:
    """All of the state is JSON, or bytes, and short enough to be shown."""

    def check(value: Any) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                check(name)
                check(inner)
        elif isinstance(value, (list, tuple)):
            for inner in value:
                check(inner)
        elif isinstance(value, str):
            value.encode("utf-8")
            assert not any(ord(character) < 9 for character in value)
        elif not isinstance(value, bytes):
            json.dumps(value, allow_nan=False)

    state = explorer.get_state()
    for name in ("_esm", "_css", "search"):  # ours, and what the reader has typed
        state.pop(name)
    check(state)


def test_hostile_texts_can_be_sent() -> None:
    rooms = [Room(name=text, text=text) for text in HOSTILE]
    rooms[0].doors = dict(zip(HOSTILE, rooms, strict=True))
    explorer = explore_graph(ev.EntityDependencyGraph(rooms))
    for room in rooms:
        # What is typed comes from a browser, so it has no halves of surrogate pairs.
        explorer.search = room.text[:100].encode("utf-8", "ignore").decode("utf-8")
        explorer.selected = room
        assert_sendable(explorer)
        assert all(len(value or "") < 2_100 for _, value in explorer._details["fields"])
    bundle, _ = explorer._repr_mimebundle_()
    assert_harmless(bundle["text/html"])


def test_hostile_names_of_tables_can_be_sent() -> None:
    n = len(HOSTILE)
    ids = [text[:50] + str(number) for number, text in enumerate(HOSTILE)]
    graph = ev.EntityDependencyGraph.from_parts(
        ids, ids, HOSTILE, range(n), [*range(1, n), 0], HOSTILE
    )
    explorer = explore_graph(graph, view="groups")
    explorer.cycle = 0
    for name in ids:
        if name.isprintable():
            explorer.selected = name
            assert explorer.selected == name
            assert_sendable(explorer)
    bundle, _ = explorer._repr_mimebundle_()
    assert_harmless(bundle["text/html"])
