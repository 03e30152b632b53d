"""What is clicked on a page that still shows what was there before: that is meant, or nothing."""

from __future__ import annotations

import re
from typing import Any

import pytest

import ecsviz as ev
from ecsviz.widgets import GraphExplorer, ThreadExplorer
from ecsviz.widgets.base import EDITIONS
from ecsviz.widgets.graph.past import PastExplorer
from tests.cells import Page
from tests.test_widgets_declared import ROOMS, SOURCES, Declared

PLACES = {
    # pages of lists, and rows of what is shown: nothing is chosen by them
    *("graph.rows.first", "thread.messages.first", "thread.messages.count"),
    *("thread.leaves.first", "thread.hits.first", "threads.turn.first", "store.turn.first"),
    # so far from where one is, or so far at all
    *("thread.switch.by", "thread.compare.by", "thread.hit.by", "order.move.by", "order.move.to"),
    *("graph.move.x", "graph.move.y", "store.hops.hops"),
    # of revisions, which keep their numbers
    *("thread.see.revision", "thread.see.since"),
    # with an edition: what they meant is found, or it is passed over
    *("graph.select.node", "graph.open.node", "graph.open.group", "graph.close.node"),
    *("graph.close.group", "graph.cycle.number", "graph.tip.element", "graph.move.element"),
    *("graph.pick.elements", "thread.select.node", "thread.switch.node", "thread.whole.node"),
    *("thread.json.node", "thread.beside.node", "thread.compare.node", "graph.labels.nodes"),
    # beside the name of what they are of
    *("store.table.n", "store.sort.column"),
    # of what never changes
    *("threads.sort.column", "sides.pick.table", "sides.pick.row", "sides.follow.table"),
    *("sides.follow.row", "sides.follow.column"),
}
"""Every number that a page may send, and why it means the same when it is heard."""


def test_numbers_that_pages_send_mean_what_was_seen() -> None:
    sent = set()
    for room in ROOMS:
        for name, (_, kind) in Declared(room).fields("Asked").items():
            for field, of in re.findall(r"(\w+)\??: ([\w\[\] |]+)", kind):
                if "number" in of:
                    sent.add(f"{room}.{name}.{field}")
    assert sent == PLACES, "is there a number that stands for something else after a change?"
    assert SOURCES.is_dir()


def chain(n: int = 6) -> tuple[list[Any], GraphExplorer]:
    nodes = ev.EntityDependencyGraph(ev.sample("chain", n=n)).nodes
    return nodes, ev.EntityDependencyGraph(nodes).explore()


def test_a_node_is_the_one_that_was_seen_when_the_graph_has_changed() -> None:
    nodes, shown = chain()
    page, told = Page(shown), shown._about["edition"]
    shown.refresh(ev.EntityDependencyGraph(nodes[2:]))
    for number, node in enumerate(nodes):
        shown.selected = None
        page.do("select", node=number, edition=told)
        assert shown.entity == (node if number >= 2 else None)
    page.do("open", node=3, edition=told)
    assert (shown.view, shown.entity) == ("around", nodes[3])
    page.do("select", node=1)
    assert shown.entity == nodes[3], "without an edition, it is the one that is there"
    for wrong in (-1, told + 9, "1", None, 1.5, True, [told]):
        page.do("select", node=0, edition=wrong)
        assert shown.entity == nodes[3]
    for _ in range(EDITIONS):
        shown.refresh()
    page.do("select", node=4, edition=told)
    assert shown.entity == nodes[3], "that was too long ago"


def test_groups_cycles_and_elements_of_before_are_passed_over() -> None:
    thread = ev.sample("chats")[0]
    shown = ev.EntityDependencyGraph(thread).explore(limit=4)
    page = Page(shown)
    assert shown.view == "groups"
    told, scene = shown._about["edition"], shown._scene["edition"]
    shown.group_by = "type"
    before = shown._scene
    page.do("open", group=0, edition=told)
    page.do("close", group=0, node=0, edition=told)
    assert shown._scene["nodes"] == before["nodes"]
    page.do("pick", elements=[0], how="only", scene=scene)
    page.do("move", element=0, x=1, y=1, scene=scene)
    assert (shown.picked, shown._moved) == ([], {})
    assert page.do("tip", element=0, scene=scene) == {}
    now = {"edition": shown._about["edition"], "scene": shown._scene["edition"]}
    page.do("move", element=0, x=1, y=1, **now)
    page.do("pick", elements=[0], how="only", **now)
    assert shown._moved
    assert shown.picked
    page.do("cycles")
    page.do("cycle", number=1, edition=told)
    assert shown.cycle is None
    page.do("cycle", number=1, **now)
    assert shown.cycle == 1
    page.do("cycle", number=None, **now)
    assert shown.cycle is None
    shown.refresh()
    assert shown._cycles == {}, "they are asked for anew"
    for wrong in (-1, 10**9, "1", True):
        page.do("cycle", number=wrong)
    assert shown.cycle is None


def test_a_message_is_the_one_that_was_seen_when_the_thread_has_changed() -> None:
    thread = ev.ChatThread(title="Cycles")
    first = thread.say("user", "a")
    kept = [first, thread.say("assistant", "b", parent=first)]
    kept.append(thread.say("assistant", "c", parent=first))
    store = ev.InMemoryEntityStorage()
    store.register(thread)
    thread.say("user", "d", parent=kept[1])
    store.register(thread)
    shown = ThreadExplorer(thread, store)
    page, told = Page(shown), shown._shown["edition"]
    seen = shown._branches.messages
    shown.revision = 1
    assert shown._shown["edition"] == told + 1
    assert [message.content for message in shown._branches.messages] != [m.content for m in seen]
    for number, message in enumerate(seen):
        shown.selected = None
        page.do("select", node=number, edition=told)
        assert shown.selected == (str(message.ecs_id) if message in kept else None)
        answer = page.do("json", node=number, edition=told)
        assert (str(message.ecs_id) in answer.get("text", "")) == (message in kept)
    page.do("beside", node=seen.index(kept[1]), edition=told)
    assert shown.beside == str(kept[1].ecs_id)
    page.do("beside", node=-1, edition=told)
    page.do("select", node=-1, edition=told)
    assert (shown.beside, shown.selected) == (None, None)


def test_a_question_of_before_is_answered_no_more() -> None:
    walk = ev.EntityDependencyGraph(ev.sample("chain", n=3)).walkthrough("order")
    shown = walk.explore(predicting=True)
    shown.go(7)
    asked, choice, check = shown.asked, shown._choice, shown._check
    shown.reveal()
    assert (choice.comm, check.comm) == (None, None), "a page that has them is heard no more"
    shown.go(7)
    assert shown.asked != asked
    assert shown._choice is not choice
    assert shown._choice.options == tuple(walk[shown.asked].choices)
    kept = shown._choice
    shown.answer(next(k for k, each in walk[shown.asked].choices.items() if not each.right))
    assert shown._choice is kept, "it is the same question still"


def test_a_slider_whose_revisions_have_gone_is_heard_no_more() -> None:
    store = ev.SQLAlchemyEntityStorage(":memory:")
    node = store.register(ev.sample("chain", n=1)[0])
    for name in "abc":
        node.name = name
        store.register(node)
    past = PastExplorer(node, store)
    slider = past._slider
    node.name = "d"
    store.register(node)
    past.refresh()
    assert (past._slider, past.revision) == (slider, 5), "more of them have the same places"
    store.prune(before=3)
    past.refresh()
    assert slider.comm is None
    assert past._slider in past._bar.children
    past._slider.index = 0
    assert past.revision == past.revisions[0] == 3
    past._play.value = 1
    assert past.revision == past.revisions[1]
    store.close()


def test_sides_of_conflicts_of_before_are_chosen_no_more() -> None:
    store = ev.InMemoryEntityStorage()
    thread = store.register(ev.ChatThread(title="a"))
    mine = store.get(thread.ecs_id)
    thread.title, mine.title = "b", "c"
    store.register(thread)
    shown = store.resolve(mine)
    choice, every = shown._rows.children[0].children[1], shown._all["mine"]
    thread.title = "d"
    store.register(thread)
    shown.choose_all("mine")
    with pytest.raises(ev.errors.MergeConflictError):
        shown.merge()
    assert (choice.comm, every.comm) == (None, None), "a page that has them is heard no more"
    assert shown.chosen == [None]
    shown._all["theirs"].click()
    shown._merge.click()
    assert (mine.title, shown.chosen) == ("d", [])
