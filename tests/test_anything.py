"""`ev.draw` and `ev.explore`: one verb for whatever is at hand."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from matplotlib.axes import Axes

import ecsviz as ev
from ecsviz import errors, widgets
from ecsviz.widgets.graph.past import PastExplorer
from tests.databases import execute


@dataclasses.dataclass
class Task:
    name: str
    needs: list["Task"] = dataclasses.field(default_factory=list)

    def draw(self) -> None:
        raise AssertionError("a user's own method is not ours to call")

    explore = draw


def a_thread() -> ev.ChatThread:
    thread = ev.ChatThread(title="Cycles")
    thread.say("user", "hello")
    return thread


def a_store() -> Any:
    store = ev.InMemoryEntityStorage()
    store.register(a_thread())
    return store


@pytest.fixture
def anything(tmp_path: Path) -> Any:
    thread = a_thread()
    changed = a_thread()
    shop = execute(
        tmp_path / "shop.db",
        "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a_id REFERENCES a (id));",
    )
    with ev.read_database(shop) as database:
        yield {
            "an entity": (thread, "2 entities", "ThreadExplorer"),
            "several": ([thread, changed], "4 entities", "GraphExplorer"),
            "a message": (thread.messages[0], "2 entities", "GraphExplorer"),
            "a class": (ev.ChatThread, "2 classes", "GraphExplorer"),
            "a graph": (ev.EntityDependencyGraph(thread), "2 entities", "GraphExplorer"),
            "plain objects": ([Task("a", [Task("b")])], "2 objects", "GraphExplorer"),
            "one plain object": (Task("a"), "1 object, ", "GraphExplorer"),
            "a store": (a_store(), "2 classes", "StoreExplorer"),
            "a database": (database, "2 tables", "DatabaseExplorer"),
            "threads": (ev.ChatThreads([thread, changed]), "2 messages", "ThreadsExplorer"),
            "nothing": ([], "0 ", "GraphExplorer"),
        }


def test_each_gives_the_picture_and_the_explorer_that_fit(anything: Any) -> None:
    for what, (given, title, explorer) in anything.items():
        ax = ev.draw(given)
        assert isinstance(ax, Axes), what
        words = " ".join([ax.get_title(loc="left"), *(text.get_text() for text in ax.texts)])
        assert title in words, what
        made = ev.explore(given)
        assert type(made).__name__ == explorer, what
        assert isinstance(made, widgets.base.LiveWidget)


def test_a_difference_is_drawn() -> None:
    before, after = a_thread(), a_thread()
    found = ev.diff(before, after)
    assert isinstance(ev.draw(found), Axes)
    with pytest.raises(errors.NotAnEntityError, match=r"no explorer of a GraphDiff: ev\.draw"):
        ev.explore(found)
    with pytest.raises(errors.NotAnEntityError, match="of type GraphDiff"):
        ev.graph_of(found)


def test_options_go_to_the_picture() -> None:
    thread = a_thread()
    figure = ev.draw(thread).figure
    ax = figure.add_subplot()
    assert ev.draw(thread, ax, title="mine", legend=False) is ax
    assert ev.explore([thread], pairs=False)._about["pairs"] is True
    with pytest.raises(errors.UnknownOptionError, match="Did you mean 'legend'"):
        ev.draw(thread, legends=True)
    with pytest.raises(errors.UnknownOptionError, match="no option 'pears'"):
        ev.explore([thread], pears=False)
    store, node = lived()
    with pytest.raises(errors.UnknownOptionError, match="no option 'pears'"):
        ev.explore(node, store=store, pears=False)
    for what in (thread, ev.diff(thread, a_thread()), a_store()):
        for ax in (5, a_thread()):
            with pytest.raises(errors.EcsvizError, match=r"ax is .* give a list"):
                ev.draw(what, ax)
    for verb in (ev.draw, ev.explore):
        with pytest.raises(errors.NotAnEntityError, match="is 3"):
            verb(3)


def test_the_folder_of_pictures_is_the_verb() -> None:
    import ecsviz.draw

    assert ev.draw is ecsviz.draw
    assert ecsviz.draw.draw_graph(ev.EntityDependencyGraph(a_thread())) is not None


def lived() -> tuple[Any, Any]:
    store = ev.InMemoryEntityStorage()
    node, _ = ev.sample("chain", n=2)
    store.register(node, note="first steps")
    store.register(a_thread(), note="something else")
    node.name = "renamed"
    store.register(node)
    node.links.clear()
    store.register(node, note="let go")
    return store, node


def test_the_past_of_an_entity() -> None:
    store, node = lived()
    past = ev.explore(node, store=store)
    assert isinstance(past, PastExplorer)
    assert past.revisions == [1, 3, 4]
    assert past.revision == 4
    assert len(past.explorer.graph) == 1
    assert past.told.startswith("revision 4: let go; 1 ")
    past.revision = 3
    assert past.told == "revision 3: 1 edited since revision 1"
    assert past.entity.name == "renamed"
    past.explorer.selected = past.entity.links[0]
    held = past.explorer.selected
    first = past.explorer
    past.children[0].children[1].value = 1  # the slider
    assert past.revision == 1
    assert past.told == "revision 1: first steps"
    assert past.explorer is not first
    assert past.explorer.selected == held
    assert past.children[-1] is past.explorer
    past.children[0].children[0].value = 2  # playing
    assert past.revision == 4
    assert past.explorer.selected is None, "it is not there any more"
    with pytest.raises(errors.InvalidArgumentError, match="2 changed nothing here"):
        past.revision = 2


def test_the_past_of_a_thread_is_in_its_own_explorer() -> None:
    store = ev.InMemoryEntityStorage()
    thread = store.register(a_thread())
    assert type(ev.explore(thread, store=store)).__name__ == "ThreadExplorer"


def test_a_past_that_is_not_there_is_told() -> None:
    store, node = lived()
    with pytest.raises(errors.EntityNotFoundError):
        ev.explore(ev.sample("chain", n=1)[0], store=store)
    with pytest.raises(errors.InvalidArgumentError, match="past of one entity"):
        ev.explore([node], store=store)
    with pytest.raises(errors.InvalidArgumentError, match="store is 3"):
        ev.explore(node, store=3)


def test_a_figure_has_the_size_that_was_asked_for() -> None:
    before, after = a_thread(), a_thread()
    for what in (before, [ev.ChatThread], ev.diff(before, after)):
        ax = ev.draw(what, figsize=(9, 3.5))
        assert ax.figure.get_size_inches().tolist() == pytest.approx([9, 3.5])
        for text in [*ax.texts, ax.title]:
            box = text.get_window_extent()
            if text.get_text():
                assert box.x0 >= 0
                assert box.y1 <= 3.5 * ax.figure.dpi
    with pytest.raises(errors.EcsvizError, match="Give one of the two"):
        ev.draw(before, ev.draw(after), figsize=(9, 3))
    for wrong in (9, (9,), (9, "5"), (0, 5), (9, float("nan")), (9, 1e6), (True, 5)):
        with pytest.raises(errors.EcsvizError, match=r"figsize is .*in inches"):
            ev.draw(before, figsize=wrong)
