"""What is picked, moved, hidden and brought up to date in the explorer, as a page asks for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest

import ecsviz as ev
from ecsviz.errors import EntityNotFoundError, InvalidArgumentError, InvalidIdError
from ecsviz.storage.saved import listening
from ecsviz.widgets import GraphExplorer, explore_graph
from ecsviz.widgets.graph import live
from ecsviz.widgets.graph.past import PastExplorer
from ecsviz.widgets.graph.picking import path_between
from tests.test_widgets import _explorer, _thread, answers, ask, shown  # noqa: F401 - fixtures


def test_what_is_picked_is_a_frame(explorer: GraphExplorer, thread: ev.ChatThread) -> None:
    assert list(explorer.selection["label"]) == []
    explorer.selected = thread
    assert list(explorer.selection["label"]) == ["Cycles"]
    ask(explorer, "pick", elements=[1, 2], how="only")
    assert explorer.picked == [str(node.ecs_id) for node in shown(explorer)[1:]]
    assert list(explorer.selection["ecs_id"]) == [node.ecs_id for node in shown(explorer)[1:]]
    assert list(explorer._picked) == [0, 1, 1]
    ask(explorer, "pick", elements=[0], how="more")
    assert len(explorer.picked) == 3
    ask(explorer, "pick", elements=[0, 1], how="turn")
    assert explorer.picked == [str(shown(explorer)[2].ecs_id)]
    explorer.picked = [thread, thread.ecs_id, str(thread.messages[0].ecs_id)]
    assert explorer.picked == [str(thread.ecs_id), str(thread.messages[0].ecs_id)]
    for wrong, error in ((3, InvalidIdError), (str(ev.ChatThread().ecs_id), EntityNotFoundError)):
        with pytest.raises(error):
            explorer.picked = [wrong]
    assert len(explorer.picked) == 2, "nothing is lost"


def test_what_no_page_of_ours_sends_picks_and_moves_nothing(explorer: GraphExplorer) -> None:
    for elements in (None, "01", [True, -1, 99, "0", 1.0]):
        ask(explorer, "pick", elements=elements, how="only")
        assert explorer.picked == []
    for facts in (
        {"element": 0},
        {"element": 99, "x": 1, "y": 1},
        {"element": 0, "x": "1", "y": 1},
        {"element": 0, "x": True, "y": 1},
    ):
        ask(explorer, "move", **facts)
        assert explorer._moved == {}
    ask(explorer, "move", element=0, x=1e300, y=-1e300)
    assert explorer._moved == {"0": [1e6, -1e6]}
    for element in (-1, 99, None):
        ask(explorer, "tip", element=element)


def test_a_group_is_picked_with_all_that_is_in_it() -> None:
    threads = [ev.ChatThread(title=f"t{k}", messages=[]) for k in range(3)]
    for thread in threads:
        thread.say("user", "one")
    explorer = explore_graph(ev.EntityDependencyGraph(threads), view="groups")
    group = int(explorer._showing.groups.group[explorer.graph.number_of(threads[1])])
    ask(explorer, "pick", elements=[group], how="only")
    assert set(explorer.picked) == {str(threads[1].ecs_id), str(threads[1].messages[0].ecs_id)}


def test_what_was_moved_stays_there(explorer: GraphExplorer, thread: ev.ChatThread) -> None:
    explorer.refresh()
    before = explorer.positions
    assert set(before) == {thread.ecs_id, *(message.ecs_id for message in thread.messages)}
    place = shown(explorer).index(thread)
    ask(explorer, "move", element=place, x=5, y=-7.5)
    assert explorer.positions == before | {thread.ecs_id: (5.0, -7.5)}
    explorer.view = "groups"
    assert explorer.positions != before
    explorer.view = "all"
    thread.say("user", "one more")
    explorer.refresh()
    assert explorer.positions[thread.ecs_id] == (5.0, -7.5)


def test_a_tip_says_the_whole_name(
    explorer: GraphExplorer, thread: ev.ChatThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread.title = "On the theory of " * 9
    sent = answers(explorer, monkeypatch)
    ask(explorer, "tip", element=shown(explorer).index(thread))
    (told,) = [message for message in sent if message.get("told") == "tip"]
    assert told["text"] == f"ChatThread {thread.title.strip()}"
    assert told["facts"].endswith("2 out, 2 in")


def test_types_are_hidden_from_picture_and_table(explorer: GraphExplorer) -> None:
    explorer.hidden_types = ["ChatThread"]
    assert sorted(explorer._mask) == [0, 2, 2]
    assert explorer._rows["total"] == 2
    ask(explorer, "pick", elements=[0, 1, 2], how="only")
    assert len(explorer.picked) == 2, "what is hidden is not picked"
    explorer.hidden_types = []
    assert sorted(explorer._mask) == [2, 2, 2]
    kinds = np.frombuffer(explorer._scene["kinds"], "u1").tolist()
    fields = [explorer._scene["fields"][kind] for kind in kinds]
    assert sorted(fields) == ["messages", "messages", "parent", "replies", "thread", "thread"]


def test_what_is_hidden_is_told(explorer: GraphExplorer, thread: ev.ChatThread) -> None:
    before, status = str(explorer.still()), explorer.status
    explorer.hidden_types, explorer.hidden_fields = ["ChatThread"], ["replies"]
    assert explorer.status == f"{status}; hidden: ChatThread, replies"
    assert str(explorer.still()) != before, "nor is it in the picture that stands in"
    for trait, wrong in (("hidden_types", "ChatThred"), ("hidden_fields", "messages[0]")):
        with pytest.raises(InvalidArgumentError, match=r"Did you mean '(ChatThread|messages)'"):
            setattr(explorer, trait, [wrong])
    assert (explorer.hidden_types, explorer.hidden_fields) == (["ChatThread"], ["replies"])
    explorer.refresh(ev.EntityDependencyGraph(ev.sample("chain", n=3)))
    assert (explorer.hidden_types, explorer.hidden_fields) == ([], [])
    assert explorer.status == "showing 3 of 3 entities and 2 of 2 references"


def test_hops_go_further() -> None:
    chain = ev.sample("chain", n=9)
    graph = ev.EntityDependencyGraph(chain)
    explorer = explore_graph(graph, selected=graph.nodes[4], view="around")
    assert len(shown(explorer)) == 3
    explorer.hops = 3
    assert [node.name for node in shown(explorer)] == ["n5", "n6", "n4", "n7", "n3", "n8", "n2"]
    assert "up to 3 hops around 5. Node n5" in explorer.status
    explorer.hops = 99
    assert explorer.hops == 6
    small = explore_graph(graph, selected=graph.nodes[4], view="around", limit=4)
    small.hops = 6
    assert len(shown(small)) == 4


def test_paths_are_shortest_and_lead_on() -> None:
    chance = np.random.default_rng(5)
    n = 30
    sources, targets = chance.integers(0, n, 45), chance.integers(0, n, 45)
    graph = ev.EntityDependencyGraph.from_parts(
        list(range(n)), list(range(n)), ["x"] * n, sources, targets, ["f"] * 45
    )
    judge = nx.MultiDiGraph(zip(sources.tolist(), targets.tolist(), strict=True))
    judge.add_nodes_from(range(n))
    kinds = set()
    for a in range(n):
        for b in range(n):
            edges = path_between(graph, a, b)
            ways = [(judge, a, b), (judge, b, a), (judge.to_undirected(), a, b)]
            kind = next((k for k, way in enumerate(ways) if nx.has_path(*way)), 3)
            kinds.add(kind)
            assert len(edges) == (nx.shortest_path_length(*ways[kind]) if kind < 3 else 0)
            at = b if kind == 1 else a
            for edge in edges.tolist():
                ends = [int(sources[edge]), int(targets[edge])]
                assert at in ends if kind == 2 else at == ends[0]
                at = ends[1] if at == ends[0] else ends[0]
            assert at == (a if kind == 1 else b) or kind == 3
    assert kinds == {0, 1, 2, 3}


def test_a_path_is_stepped_through(
    explorer: GraphExplorer, thread: ev.ChatThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    question, answer = thread.messages
    (only,) = explorer.path(answer, question)
    assert (only.source, only.path, only.target) == (answer, "parent", question)
    assert explorer.entity is question
    assert explorer.cycle is None
    sent = answers(explorer, monkeypatch)
    ask(explorer, "path")
    explorer.picked = [thread, answer]
    ask(explorer, "path")
    assert [step["path"] for step in explorer._steps] == ["messages[1]"]
    assert [told["text"] for told in sent if told.get("told") == "error"] == [
        "A path has two ends: pick two entities."
    ]
    explorer.cycle = 0
    assert len(explorer._steps) == 2


def test_a_refresh_shows_what_is_there_now(explorer: GraphExplorer, thread: ev.ChatThread) -> None:
    question, answer = thread.messages
    explorer.selected = question
    explorer.picked = [thread, answer]
    explorer.type_filter = "ChatMessage"
    thread.messages.remove(answer)
    question.replies.clear()
    thread.say("user", "And then?", parent=question)
    explorer.refresh()
    assert explorer.entity is question
    assert explorer.picked == [str(thread.ecs_id)], "the other is not there any more"
    assert set(shown(explorer)) == {thread, *thread.messages}
    assert explorer._rows["total"] == 2
    assert explorer.type_filter == "ChatMessage"
    other = ev.ChatThread(title="other")
    explorer.refresh(ev.EntityDependencyGraph(other))
    assert (explorer.selected, explorer.picked, explorer.type_filter) == (None, [], None)
    tables = explore_graph(ev.EntityDependencyGraph.from_parts(["a"], ["a"], ["table"], [], [], []))
    with pytest.raises(InvalidArgumentError, match="Make the new graph and give it"):
        tables.refresh()
    wrong: Any = 3
    with pytest.raises(InvalidArgumentError):
        tables.refresh(wrong)


def apart(call: Callable[[], object]) -> Any:
    """Call something in a thread of its own, where no loop of other tests runs."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


class Shelf(ev.Entity):
    thread: ev.ChatThread


@pytest.mark.parametrize("kind", ["memory", "sql"])
def test_a_live_explorer_shows_what_is_saved(
    kind: str, thread: ev.ChatThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = ev.EntityDependencyGraph(thread)
    tables = ev.EntityDependencyGraph.from_parts(["a"], ["a"], ["table"], [], [], [])
    with pytest.raises(InvalidArgumentError, match="cannot be found anew"):
        tables.explore(live=True)

    def saving() -> None:
        sql = kind == "sql"
        path = tmp_path / "s.db"
        store = ev.SQLAlchemyEntityStorage(path) if sql else ev.InMemoryEntityStorage()
        with closing(store):
            explorer, still = graph.explore(live=True, selected=thread), graph.explore()
            store.register(thread)
            thread.say("user", "three")
            assert len(shown(explorer)) == 3
            store.register(thread.messages[-1])
            assert (len(shown(explorer)), len(shown(still))) == (4, 3)
            assert explorer.entity is thread, "what is selected stays so"
            with store.transaction():
                thread.say("user", "four")
                store.register(thread)
                assert len(shown(explorer)) == 4, "it is not saved yet"
            assert len(shown(explorer)) == 5
            thread.say("user", "five")
            thread.messages[-1].content = 5  # type: ignore[assignment]  # wrong on purpose
            with pytest.raises(ev.EcsvizError):
                store.register(thread)
            assert len(shown(explorer)) == 5
            thread.messages[-1].content = "five"
            sent = answers(explorer, monkeypatch)
            monkeypatch.setattr(explorer, "refresh", lambda: 1 / 0)
            store.register(thread)
            assert "division by zero" in sent[-1]["text"], "told on the page: it is saved"
            monkeypatch.undo()
            explorer.live = False
            store.register(thread, note="nobody follows")
            assert len(shown(explorer)) == 5
            explorer.live = True
            explorer.close()
            thread.say("user", "six")
            store.register(thread)
            assert len(shown(explorer)) == 5, "who is closed follows nothing"

    apart(saving)


def test_a_live_past_goes_on(thread: ev.ChatThread) -> None:
    def saving() -> None:
        store, other = ev.InMemoryEntityStorage(), ev.InMemoryEntityStorage()
        store.register(thread)
        past = PastExplorer(thread, store, live=True)
        newest = past.revision
        other.register(ev.ChatThread(title="in another store"))
        thread.title = "another"
        store.register(thread)
        assert (past.revision, past.entity.title) == (newest + 1, "another")
        past.revision = newest
        thread.title = "yet another"
        store.register(thread)
        assert past.revision == newest, "who looks at an older one stays there"
        assert past.revisions[-1] == newest + 2
        past.close()

    apart(saving)


def test_many_saves_of_a_cell_are_shown_once(
    thread: ev.ChatThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    shows: list[int] = []

    async def cell() -> None:
        store = ev.InMemoryEntityStorage()
        explorer = ev.EntityDependencyGraph(thread).explore(live=True)
        refresh = explorer.refresh

        def counted() -> None:
            shows.append(threading.get_ident())
            refresh()

        monkeypatch.setattr(explorer, "refresh", counted)
        for text in "abc":
            thread.say("user", text)
            store.register(thread)
        assert shows == [], "the cell has not ended"
        await asyncio.sleep(0)
        assert len(shown(explorer)) == 6
        assert len(shows) == 1
        await asyncio.to_thread(store.register, thread)
        await asyncio.sleep(0)
        assert shows == [threading.get_ident()] * 2, "in the thread of the loop"
        explorer.close()

    apart(lambda: asyncio.run(cell()))


@pytest.mark.parametrize("kind", ["memory", "sql"])
def test_a_live_explorer_hears_all_that_changes_what_is_stored(
    kind: str, thread: ev.ChatThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shows: list[str] = []

    def saving() -> None:
        sql = kind == "sql"
        path = tmp_path / "s.db"
        store: Any = ev.SQLAlchemyEntityStorage(path) if sql else ev.InMemoryEntityStorage()
        with closing(store):
            explorer = ev.EntityDependencyGraph(thread).explore(live=True)
            monkeypatch.setattr(explorer, "refresh", lambda: shows.append("shown"))

            def hears(call: Callable[[], Any], *, many: int = 1) -> None:
                shows.clear()
                call()
                assert len(shows) == many

            other, note = ev.ChatThread(title="another"), ev.ChatThread(title="a third")
            hears(lambda: store.register([other, note]), many=0)
            hears(lambda: (store.delete(note), ev.InMemoryEntityStorage().register(other)), many=0)

            def together(*threads: Any) -> None:
                with store.transaction():
                    for each in threads:
                        each.title += "!"
                        store.register(each)
                        with store.transaction():
                            store.register(each)
                    assert shows == [], "it is told at the end, and once"

            hears(lambda: together(other, thread))
            hears(lambda: together(other), many=0)

            def failing() -> None:
                with store.transaction():
                    thread.title += "?"
                    store.register(thread)
                    raise ZeroDivisionError

            def taken_back() -> None:
                with pytest.raises(ZeroDivisionError):
                    failing()

            hears(taken_back, many=0)
            hears(lambda: store.register(thread))
            hears(lambda: store.revert(thread, to=int(store.history(thread)["revision"].min())))
            hears(store.prune)
            if sql:
                hears(lambda: store.migrate(ev.ChatThread))
                with store.session_factory.begin() as session:
                    store.sql_model(ev.ChatThread).from_entity(store.get(thread.ecs_id), session)
                    shows.clear()
                assert shows == ["shown"], "as the session is carried out"
                with store.engine.begin() as conn:
                    conn.exec_driver_sql("UPDATE chat_threads SET title = 'by hand'")
                hears(store.adopt_changes)
                hears(store.adopt_changes, many=0)
            hears(lambda: store.delete([thread, *thread.messages]))
            explorer.close()

    apart(saving)


def test_a_session_tells_of_all_that_it_has_saved(thread: ev.ChatThread) -> None:
    def saving() -> None:
        with closing(ev.SQLAlchemyEntityStorage(":memory:")) as store:
            shelf = store.register(Shelf(thread=thread))
            explorer = ev.EntityDependencyGraph(thread).explore(live=True)
            thread.say("user", "held by what is saved")
            with store.session_factory.begin() as session:
                store.sql_model(Shelf).from_entity(shelf, session)
            assert len(shown(explorer)) == len(thread.messages) + 1
            explorer.close()

    apart(saving)


def test_a_cell_that_is_run_again_takes_over(
    thread: ev.ChatThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Shell:
        def __init__(self, cell: str | None, run: str) -> None:
            self.said = {"metadata": {"cellId": cell}, "header": {"msg_id": run}}

        def get_parent(self) -> Any:
            return self.said

    def made(cell: str | None, run: str) -> GraphExplorer:
        monkeypatch.setattr(live, "get_ipython", lambda: Shell(cell, run))
        return ev.EntityDependencyGraph(thread).explore(live=True)

    def saving() -> None:
        store, before = ev.InMemoryEntityStorage(), len(listening)
        explorers = [
            made(cell, run)
            for cell, run in [("a", "1"), ("a", "1"), ("b", "2"), ("a", "3"), (None, "4")]
        ]
        assert [each.live for each in explorers] == [False, False, True, True, True]
        assert len(listening) == before + 3
        explorers += [made("a", str(run)) for run in range(5, 30)]
        assert len(listening) == before + 3, "however often a cell is run"
        thread.say("user", "new")
        store.register(thread)
        there = [len(shown(each)) for each in explorers]
        assert there == [3, 3, 4, 3, 4, *[3] * 24, 4]
        for each in explorers:
            each.close()
        assert len(listening) == before

    apart(saving)


def test_the_height_is_a_trait() -> None:
    graph = ev.EntityDependencyGraph(ev.ChatThread())
    explorer = explore_graph(graph, height=300)
    assert explorer.height == 300
    explorer.height = 1
    assert explorer.height == 160
    for wrong in (-1, "300", None, True):
        bad: Any = wrong
        with pytest.raises(InvalidArgumentError, match="how many pixels high"):
            explore_graph(graph, height=bad)


def test_a_path_ends_with_the_graph_that_it_was_in(explorer: GraphExplorer) -> None:
    first, second = explorer.graph.nodes[:2]
    assert explorer.path(first, second)
    explorer.refresh(ev.EntityDependencyGraph(ev.ChatThread(title="another")))
    assert explorer._steps == []
    assert explorer.cycle_step == 0
    with pytest.raises(InvalidArgumentError, match="none is selected"):
        explorer.view = "around"
    assert explorer.view == "all"
