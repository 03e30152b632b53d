"""The explorer, driven through its traits as a browser does."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import ipywidgets
import pytest
import traitlets
from pydantic import Field

import ecsviz as ev
from ecsviz.errors import EntityNotFoundError, InvalidIdError
from ecsviz.samples import sample
from ecsviz.widgets import GraphExplorer, explore_graph
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
    explorer = explore_graph(ev.EntityDependencyGraph(thread), show_picture=False)
    yield explorer
    explorer.close()


def names(explorer: GraphExplorer) -> list[str]:
    return [name for name, _ in explorer.entities.options]


def status(explorer: GraphExplorer) -> str:
    return texts(explorer.status.value)


def test_the_list_is_the_topological_order(explorer: GraphExplorer, thread: ev.ChatThread) -> None:
    order = explorer.graph.get_topological_sort()
    nodes = explorer.graph.nodes
    assert [nodes[number] for _, number in explorer.entities.options] == order
    assert [name.split(".")[0] for name in names(explorer)] == ["1", "2", "3"]
    assert status(explorer) == "showing 3 of 3 entities"
    assert explorer.selected is None
    assert explorer.entities.value is None
    assert explorer.entity is None


def test_a_choice_in_the_list_reaches_python(
    explorer: GraphExplorer, thread: ev.ChatThread
) -> None:
    told: list[Any] = []
    explorer.observe(lambda change: told.append(change.new), "selected")
    explorer.entities.index = 2
    chosen = explorer.graph.get_topological_sort()[2]
    assert explorer.selected == str(chosen.ecs_id)
    assert explorer.entity is chosen
    assert explorer.step.value == 3
    assert told == [explorer.selected]


def test_python_sets_what_is_selected(explorer: GraphExplorer, thread: ev.ChatThread) -> None:
    message = thread.messages[1]
    for value in (message, message.ecs_id, str(message.ecs_id), str(message.ecs_id).upper()):
        explorer.selected = None
        explorer.selected = value
        assert explorer.selected == str(message.ecs_id)
        assert explorer.graph.nodes[explorer.entities.value] is message
        assert explorer.graph.get_topological_sort()[explorer.step.value - 1] is message
        assert "A way back." in texts(explorer.details.value)
    explorer.selected = None
    assert explorer.entities.value is None
    assert "Select an entity" in texts(explorer.heading.value)


def test_what_is_not_in_the_graph_is_refused_and_changes_nothing(
    explorer: GraphExplorer, thread: ev.ChatThread
) -> None:
    explorer.selected = thread
    with pytest.raises(EntityNotFoundError, match="not in this graph of 3 nodes"):
        explorer.selected = uuid4()
    with pytest.raises(InvalidIdError, match="'nonsense' is not a UUID"):
        explorer.selected = "nonsense"
    with pytest.raises(traitlets.TraitError):
        explorer.selected = 3
    assert explorer.selected == str(thread.ecs_id)


def test_the_slider_and_the_buttons_step_through_the_order(explorer: GraphExplorer) -> None:
    order = explorer.graph.get_topological_sort()
    explorer.forward.click()
    assert explorer.entity is order[0]
    explorer.forward.click()
    assert explorer.entity is order[1]
    explorer.step.value = 3
    assert explorer.entity is order[2]
    explorer.forward.click()
    assert explorer.entity is order[2]
    explorer.back.click()
    assert explorer.entity is order[1]
    assert "step 2 of 3" in texts(explorer.heading.value)


def test_the_links_lead_both_ways(explorer: GraphExplorer, thread: ev.ChatThread) -> None:
    question, answer = thread.messages
    explorer.selected = question
    shown = [name for name, _ in explorer.links.options]
    assert len(shown) == 4
    assert [name[0] for name in shown] == ["→", "→", "←", "←"]
    assert "references out (→)" in texts(explorer.links_status.value)
    assert any(name.startswith("→ replies[0]") for name in shown)
    deferred = [name for name in shown if "(deferred)" in name]
    here = [r for r in explorer.graph.deferred if question in (r.source, r.target)]
    assert len(deferred) == len(here)
    at = next(n for n, name in enumerate(shown) if name.startswith("→ replies[0]"))
    explorer.links.index = at
    assert explorer.entity is answer
    assert explorer.links.value is None, "ready for the next choice"


def test_the_search_looks_at_names_texts_types_and_ids(
    explorer: GraphExplorer, thread: ev.ChatThread
) -> None:
    def found(text: str) -> list[Any]:
        explorer.search.value = text
        return [explorer.graph.nodes[number] for _, number in explorer.entities.options]

    assert found("WAY back") == [thread.messages[1]]
    assert found(str(thread.ecs_id)[-12:]) == [thread]
    assert found("chatthread") == [thread]
    assert found("no such text") == []
    assert status(explorer) == "no entities that match; 3 in the graph"
    assert len(found("")) == 3


def test_filters_work_together() -> None:
    loop = Room(name="loop")
    loop.inside = loop
    thread = sample("thread")
    graph = ev.EntityDependencyGraph([Room(name="plain", inside=loop), thread])
    explorer = explore_graph(graph, show_picture=False)
    label = next(name for name, _ in explorer.type_filter.options if name.startswith("Room"))
    assert label == "Room (2)"
    explorer.type_filter.label = label
    assert status(explorer) == f"showing 2 of 2 entities that match; {len(graph)} in the graph"
    explorer.cycles_only.value = True
    (option,) = explorer.entities.options
    assert graph.nodes[option[1]] is loop
    explorer.search.value = "plain"
    assert explorer.entities.options == ()
    explorer.search.value = ""
    explorer.cycles_only.value = False
    explorer.type_filter.index = 0
    assert len(explorer.entities.options) == len(graph)


def test_a_selection_that_the_filter_hides_stays(
    explorer: GraphExplorer, thread: ev.ChatThread
) -> None:
    explorer.selected = thread
    explorer.search.value = "way back"
    assert explorer.entity is thread
    assert explorer.entities.value is None
    explorer.search.value = ""
    assert explorer.graph.nodes[explorer.entities.value] is thread


def test_a_large_graph_shows_a_part_and_says_which() -> None:
    graph = ev.EntityDependencyGraph(sample("chain", n=5_000))
    explorer = explore_graph(graph, show_picture=False, limit=100)
    order = graph.get_topological_sort()
    assert len(explorer.entities.options) == 100
    assert status(explorer) == "showing 100 of 5,000 entities (1 to 100)"
    for place, first, last in ((2_000, 1_951, 2_050), (2_040, 1_951, 2_050), (4_999, 4_901, 5_000)):
        explorer.selected = order[place]
        assert len(explorer.entities.options) == 100
        assert status(explorer) == f"showing 100 of 5,000 entities ({first:,} to {last:,})"
        assert graph.nodes[explorer.entities.value] is order[place]


def test_an_entity_with_many_links_shows_a_part_and_says_so() -> None:
    hub = Room(name="hub")
    hub.doors = {f"door {number}": Room(name=f"room {number}", inside=hub) for number in range(300)}
    explorer = explore_graph(ev.EntityDependencyGraph(hub), selected=hub)
    assert len(explorer.links.options) == 400
    shown = texts(explorer.links_status.value)
    assert "showing 200 of 300 references out" in shown
    assert "showing 200 of 300 references in" in shown
    assert "showing 12 of 300 direct neighbours" in texts(explorer.picture.value)


def test_details_show_fields_and_evaluate_no_property() -> None:
    inner = Room(name="inner")
    room = Room(name="n", text="line one\nline two", doors={"a": inner}, version=2)
    explorer = explore_graph(ev.EntityDependencyGraph(room), selected=room, show_picture=False)
    shown = texts(explorer.heading.value) + texts(explorer.details.value)
    assert "line one\nline two" in shown
    assert "version2" in shown
    assert f"<Room …{str(inner.ecs_id)[-6:]}>" in shown
    assert str(room.ecs_id) in shown
    assert "danger" not in shown
    assert "in no cycle" in shown


def test_the_picture_shows_the_neighbourhood(caplog: pytest.LogCaptureFixture) -> None:
    rooms = [Room(name=name) for name in "abcd"]
    for here, there in pairwise(rooms):
        here.inside = there
    explorer = explore_graph(ev.EntityDependencyGraph(rooms), selected=rooms[1])
    assert 'src="data:image/png;base64,iVBOR' in explorer.picture.value
    assert "Room b and its direct neighbours: 2 references" in explorer.picture.value
    near, count = explorer._around.neighbourhood(explorer.entities.value)
    assert (near.nodes, count) == ([rooms[1], rooms[2], rooms[0]], 2)
    assert [(r.source, r.path, r.target) for r in near.references] == [
        (rooms[1], "inside", rooms[2]),
        (rooms[0], "inside", rooms[1]),
    ]
    explorer.selected = None
    assert explorer.picture.value == ""
    assert caplog.records == [], "matplotlib has something to say"


def test_graphs_of_classes_and_tables_and_nothing() -> None:
    classes = explore_graph(ev.EntityDependencyGraph(Room), selected="Room", show_picture=False)
    assert classes.entity is Room
    assert "doorsdict[str, " in texts(classes.details.value)
    assert "in a cyclic component" not in texts(classes.heading.value)
    assert "holds itself" in texts(classes.heading.value)
    with pytest.raises(EntityNotFoundError, match="Did you mean 'Room'"):
        classes.selected = "Rom"
    tables = ev.EntityDependencyGraph.from_parts(
        ["staff", "store"], ["staff", "store"], ["table"] * 2, [0, 1], [1, 0], ["a", "b"]
    )
    explorer = explore_graph(tables, selected="store")
    assert explorer.entity == "store"
    assert "in a cyclic component of 2" in texts(explorer.heading.value)
    explorer.search.value = "sta"
    assert names(explorer) == ["1. staff"]
    empty = explore_graph(ev.EntityDependencyGraph())
    assert texts(empty.status.value) == "no entities"
    assert empty.forward.disabled
    empty.forward.click()
    assert empty.selected is None
    with pytest.raises(EntityNotFoundError):
        empty.selected = str(uuid4())


def test_as_text_and_where_the_widget_is_dead(
    explorer: GraphExplorer, thread: ev.ChatThread
) -> None:
    assert repr(explorer) == "GraphExplorer(3 nodes, 6 references; nothing selected)"
    explorer.selected = thread
    bundle = explorer._repr_mimebundle_()
    assert bundle is not None
    assert bundle["text/plain"] == (
        "GraphExplorer(3 nodes, 6 references; selected: ChatThread Cycles)"
    )
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert_harmless(bundle["text/html"])
    assert "3 nodes" in texts(bundle["text/html"])
    assert "Run this cell" in texts(bundle["text/html"])


def test_the_method_of_the_graph_hands_options_on(thread: ev.ChatThread) -> None:
    explorer = ev.EntityDependencyGraph(thread).explore(selected=thread, show_picture=False)
    assert isinstance(explorer, GraphExplorer)
    assert isinstance(explorer, ipywidgets.Widget)
    assert UUID(explorer.selected) == thread.ecs_id
    assert explorer.picture.value == ""


def widgets_in(widget: Any) -> Iterator[Any]:
    yield widget
    for child in getattr(widget, "children", ()):
        yield from widgets_in(child)


def assert_widgets_harmless(explorer: GraphExplorer) -> None:
    """Markup only where HTML is meant, and there only ours; all of it can be sent."""
    for widget in widgets_in(explorer):
        if isinstance(widget, (ipywidgets.HTML, ipywidgets.HTMLMath)):
            assert_harmless(widget.value)
        # Descriptions and labels are typeset, so nothing that is stored may stand in them.
        assert not isinstance(widget, ipywidgets.Label)
        assert not getattr(widget, "description_allow_html", False)
        for value in widget.get_state().values():
            for text in value if isinstance(value, (list, tuple)) else [value]:
                if isinstance(text, str):
                    text.encode("utf-8")


def test_hostile_texts_stay_text() -> None:
    rooms = [Room(name=text, text=text) for text in HOSTILE]
    rooms[0].doors = dict(zip(HOSTILE, rooms, strict=True))
    explorer = explore_graph(ev.EntityDependencyGraph(rooms), show_picture=False)
    described = {w.description for w in widgets_in(explorer) if hasattr(w, "description")}
    for room in rooms:
        # What is typed comes from a browser, so it has no halves of surrogate pairs.
        explorer.search.value = room.text[:100].encode("utf-8", "ignore").decode("utf-8")
        explorer.selected = room
        assert_widgets_harmless(explorer)
    now = {w.description for w in widgets_in(explorer) if hasattr(w, "description")}
    assert now == described
    assert_harmless(explorer._repr_mimebundle_()["text/html"])  # type: ignore[index]  # not closed


def test_hostile_names_of_tables_stay_text() -> None:
    n = len(HOSTILE)
    ids = [text[:50] + str(number) for number, text in enumerate(HOSTILE)]
    graph = ev.EntityDependencyGraph.from_parts(
        ids, ids, HOSTILE, range(n), [*range(1, n), 0], HOSTILE
    )
    explorer = explore_graph(graph, show_picture=False)
    for name in ids:
        explorer.selected = name
        assert explorer.selected == name
        assert_widgets_harmless(explorer)


def test_hostile_texts_in_the_picture() -> None:
    rooms = [Room(name=text) for text in HOSTILE]
    rooms[0].doors = dict(zip(HOSTILE, rooms, strict=True))
    graph = ev.EntityDependencyGraph(rooms)
    explorer = explore_graph(graph)
    for room in rooms[:: len(rooms) // 6]:
        explorer.selected = room
        assert_harmless(explorer.picture.value)
        assert "data:image/png" in explorer.picture.value


def test_changed_fields_show_when_selected_again(
    explorer: GraphExplorer, thread: ev.ChatThread
) -> None:
    explorer.selected = thread
    thread.title = "Renamed"
    explorer.selected = None
    explorer.selected = thread
    assert "Renamed" in texts(explorer.details.value)
