"""Lessons: every exercise takes a right answer and says what is off with wrong ones."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ecsviz as ev
from ecsviz import lessons
from ecsviz.errors import InvalidArgumentError
from ecsviz.widgets.lesson import making
from ecsviz.widgets.lesson.shipped import _nodes
from tests.cells import Page

# Exercise → an answer that is right, three that are wrong, and what is said of each.
ANSWERS: dict[str, tuple[Any, list[tuple[Any, str]]]] = {
    "order-1": (
        ["oven", "butter", "flour", "dough", "cake"],
        [
            (["cake", "dough", "oven", "flour", "butter"], "cake stands before dough, which it"),
            (["oven", "flour", "butter", "dough"], "Missing: 1 more."),
            (["oven", "sugar", "butter", "dough", "cake"], "There is no 'sugar' here."),
        ],
    ),
    "order-2": (3, [(2, "Not 2: there are more."), (4, "are fewer"), ("3", "is no whole number")]),
    "cycles-1": (
        {"a", "b", "c"},
        [
            (["a", "b"], "Missing: 1 more."),
            ("abcd", "give a list"),
            (["a", "b", "c", "d"], "Not d."),
        ],
    ),
    "cycles-2": (
        "b.links[0]",
        [
            ("a.links[0]", "Without a.links[0] there is still a cycle."),
            ("b.links[7]", "There is no reference 'b.links[7]' here. Did you mean 'b.links[0]'"),
            (None, "There is no reference None here."),
        ],
    ),
    "cycles-3": (2, [(1, "there are more"), (3, "there are fewer"), (True, "no whole number")]),
    "components-1": (
        [["a", "b", "c"], ["e", "d"], ["f"]],
        [
            ([["a", "b"], ["c"], ["d", "e"], ["f"]], "Not {a, b}. Not {c}. Missing: 1 more."),
            (["a", "b", "c"], "Not a."),
            ([["a", "b", "c"], ["d", "e"]], "Missing: 1 more."),
        ],
    ),
    "components-2": (
        ("b", "c", "d", "e", "f"),
        [(["b"], "Missing: 4 more."), (["a", *"bcdef"], "Not a."), (7, "give a list")],
    ),
    "tables-1": (
        ["chat_threads", "chat_messages"],
        [
            (["chat_threads"], "Missing: 1 more."),
            (["chat_threads", "chat_messages", "thread_messages"], "Not thread_messages."),
            ("chat_threads", "give a list"),
        ],
    ),
    "tables-2": (
        ["chat_messages.parent_id", "chat_messages.thread_id"],
        [
            (["chat_messages.thread_id"], "Missing: 1 more."),
            (["chat_messages.thread_id", "chat_messages.parent_id", "chat_threads.id"], "Not chat"),
            ([], "Missing: 2 more."),
        ],
    ),
    "time-1": (3, [(4, "Not 4: there are fewer."), (2, "there are more"), (None, "whole number")]),
    "time-2": (
        "Cycles",
        [("Cycles, explained", "Not 'Cycles, explained'."), ("", "Not"), (1, "1")],
    ),
    "chats-1": (6, [(5, "there are more"), (7, "there are fewer"), ("6", "no whole number")]),
    "chats-2": (6, [(5, "there are more"), (18, "there are fewer"), (6.0, "no whole number")]),
    "time-3": (
        [1, 1, 3],
        [([1, 1, 2], "Place 3 is not 2."), ([1, 3], "Place 2"), ([1, 1, 3, 3], "there are 3")],
    ),
}


@pytest.mark.parametrize("name", lessons.exercises()["name"].tolist())
def test_an_exercise_knows_right_from_wrong(name: str) -> None:
    right, wrong = ANSWERS[name]
    assert lessons.check(name, right), lessons.check(name, right)
    assert repr(lessons.check(name, right)) == "Right."
    assert lessons.check(name, lessons.solution(name))
    assert len(wrong) == 3
    for answer, said in wrong:
        verdict = lessons.check(name, answer)
        assert not verdict
        assert said in verdict.said
    assert lessons.hint(name)
    assert lessons.material(name) is lessons.material(name)
    assert name in lessons.task(name)._repr_html_()
    for strange in (object(), b"x", float("nan"), [[]], [object()], {"a": 1}, ev.ChatThread):
        assert not lessons.check(name, strange)


def forms(name: str) -> Iterator[Any]:
    """Yield what is right in all the forms in which a learner may have it."""
    right: Any = lessons.solution(name)
    if isinstance(right, (list, set)):
        every = list(right)
        yield from (tuple(every), iter(every), (item for item in every), pd.Series(every))
        if isinstance(every[0], frozenset):
            yield [np.array(sorted(group)) for group in every]
            yield [(member for member in group) for group in every]
        else:
            yield from (np.array(every), pd.Index(every), np.array(every, dtype=object))
            yield pd.Series(every).convert_dtypes()
    elif isinstance(right, int):
        yield from (np.int8(right), np.int64(right), np.uint32(right))
    else:
        yield np.str_(right)


@pytest.mark.parametrize("name", lessons.exercises()["name"].tolist())
def test_what_is_right_is_right_in_every_form(name: str) -> None:
    for answer in forms(name):
        assert lessons.check(name, answer), (type(answer), lessons.check(name, answer))


def test_entities_are_known_by_their_ids() -> None:
    graph = lessons.material("cycles-1")
    right = [node for node in graph.nodes if node.name in lessons.solution("cycles-1")]
    ids = [node.ecs_id for node in right]
    for answer in (right, copy.deepcopy(right), ids, [str(ecs_id) for ecs_id in ids]):
        assert lessons.check("cycles-1", answer), lessons.check("cycles-1", answer)
    assert not lessons.check("cycles-1", right[:-1])


def test_what_is_wrong_is_told_so_that_one_can_mend_it() -> None:
    said = {
        "cycles-1": (["A", " b", "c"], "Not A: it is written 'a'. Not  b: it is written 'b'."),
        "order-1": (["Oven"], "There is no 'Oven' here. Did you mean 'oven'?"),
        "time-2": ("cycles ", "Not 'cycles ': it is written 'Cycles'."),
        "time-3": (np.array([1, 2, 3]), "Place 2 is not 2."),
        "cycles-3": (10**5000, "Not <int>: there are fewer."),
        "order-2": (np.float64(3), "is no whole number: give one, such as 7."),
        "components-1": ([[]], "Not {}."),
        "components-2": (itertools.count(), "These are more than 9: give a list."),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(making, "MOST", 9)
        for name, (answer, expected) in said.items():
            assert expected in lessons.check(name, answer).said


def test_answers_are_computed_from_the_graph_at_hand() -> None:
    own = ev.EntityDependencyGraph(ev.sample("interlocked"))
    assert lessons.solution("cycles-3", on=own) == 3
    assert not lessons.check("cycles-3", 2, on=own)
    assert lessons.check("cycles-1", own.nodes, on=own), "entities as well as names"
    assert lessons.check("cycles-2", None, on=own), "no one reference does"
    assert lessons.solution("cycles-2", on=own) is None
    chain = ev.EntityDependencyGraph(ev.sample("chain", n=3))
    assert lessons.hint("order-1", on=chain) == "Begin with what needs nothing: n3 is one of them."
    assert lessons.check("order-1", chain.get_topological_sort(), on=chain)
    with ev.SQLAlchemyEntityStorage(":memory:") as store:
        store.register(ev.ChatThread(title="mine"))
        assert lessons.solution("time-2", on=store) == "mine"
    assert lessons.solution("tables-1", on=ev.tables_of(ev.samples.Node)) == {"nodes", "node_links"}


def test_teachers_write_their_own_and_run_the_cell_again() -> None:
    def make() -> ev.EntityDependencyGraph:
        return ev.EntityDependencyGraph(ev.sample("self_loop"))

    for text in ("Which hold themselves?", "Which entities hold themselves?"):

        @lessons.exercise("loops-1", text, make, hint="Look for short arrows.")
        def loops(graph: Any) -> set[str]:
            return {r.source.name for r in graph.references if r.source is r.target}

    try:
        assert repr(lessons.task("loops-1")) == "loops-1: Which entities hold themselves?"
        assert lessons.exercises()["name"].tolist().count("loops-1") == 1
        assert lessons.hint("loops-1") == "Look for short arrows."
        assert lessons.check("loops-1", lessons.material("loops-1").nodes)
        assert repr(lessons.check("loops-1", [])) == "Missing: 1 more."
    finally:
        making._known.pop("loops-1")


def test_names_are_dragged_into_an_order() -> None:
    widget = lessons.arrange("order-1")
    assert widget.names == ["butter", "cake", "dough", "flour", "oven"]
    assert "butter" in str(widget.still())
    page = Page(widget)
    page.do("check")
    assert (widget.said, widget.right) == ("cake stands before dough, which it needs.", False)
    page.do("hint")
    assert widget.said == lessons.hint("order-1")
    page.do("move", item="cake", to=4)
    assert widget.names == ["butter", "dough", "flour", "oven", "cake"]
    assert widget.said == "", "of another order"
    page.do("move", item="dough", by=1)
    page.do("check")
    assert (widget.said, widget.right) == ("Right.", True)
    before = widget.names
    for strange in (-1, 5, True, 1.0, "1", None):  # what a stranger's page may send
        page.do("move", item=strange, to=0)
        page.do("move", item="cake", to=strange)
        page.do("move", item="cake", by=5 if strange == -1 else strange)
        with pytest.raises(InvalidArgumentError, match="from 0 to 4"):
            widget.move(0, strange)  # type: ignore[arg-type]  # on purpose
    assert (widget.names, widget.right) == (before, True)
    for wrong in (before[:4], [*before, "salt"], ["salt", *before[1:]]):
        with pytest.raises(InvalidArgumentError, match="Give each of"):
            widget.names = wrong
    chain = ev.EntityDependencyGraph(ev.sample("chain", n=3))
    solved = lessons.arrange("order-1", on=chain)
    assert not solved.check(), "nobody finds it solved"
    assert lessons.arrange("order-1", on=ev.EntityDependencyGraph([])).check()
    for name in ("cycles-1", "time-3", "chats-1"):
        with pytest.raises(InvalidArgumentError, match="asks for no order"):
            lessons.arrange(name)


def test_they_are_found_by_their_name() -> None:
    import ecsviz.lessons as named

    assert named.check is lessons.check is ev.lessons.check
    assert "lessons" in dir(ev)


def test_what_is_wrong_is_said() -> None:
    for call in (lessons.check, lessons.hint, lessons.solution, lessons.material, lessons.task):
        arguments = ("ordr-1", 3) if call is lessons.check else ("ordr-1",)
        with pytest.raises(InvalidArgumentError, match="Did you mean 'order-1'"):
            call(*arguments)
    with pytest.raises(InvalidArgumentError, match="order-1 asks about something like"):
        lessons.check("order-1", [], on=[1])
    with pytest.raises(InvalidArgumentError, match="holds no ChatThread"):
        lessons.solution("time-2", on=ev.InMemoryEntityStorage())
    for wrong in ({"name": ""}, {"question": 3}, {"make": 3}, {"judge": 3}, {"hint": 3}):
        given: dict[str, Any] = {"name": "a", "question": "b", "make": dict, **wrong}
        with pytest.raises(InvalidArgumentError, match=next(iter(wrong))):
            lessons.exercise(**given)


GRAPHS: dict[str, dict[str, str]] = {
    "nothing": {},
    "one": {"a": ""},
    "itself": {"a": "a"},
    "two that hold themselves": {"a": "a", "b": "b"},
    "chain": {"a": "b", "b": "c", "c": ""},
    "two cycles": {"a": "b", "b": "a", "c": "d", "d": "c"},
    "two that meet": {"a": "b", "b": "a c", "c": "b"},
    "parallel": {"a": "b b", "b": "a"},
}


@pytest.mark.parametrize("name", lessons.exercises()["name"].tolist())
def test_what_is_asked_about_little_has_an_answer_or_is_refused(name: str) -> None:
    one = ev.InMemoryEntityStorage()
    one.register(ev.ChatThread(title="One"))
    on: list[Any] = [_nodes(**holds) for holds in GRAPHS.values()]
    on += [ev.InMemoryEntityStorage(), one, ev.ChatThread(), ev.sample("thread")]
    asked, refused = 0, []
    for material in on:
        try:
            answer = lessons.solution(name, on=material)
        except InvalidArgumentError as err:  # nothing else is raised
            refused.append(str(err))
            continue
        asked += 1
        assert lessons.check(name, answer, on=material), (name, material, answer)
        assert lessons.hint(name, on=material)
        assert lessons.check(name, "no such thing", on=material).said
    assert asked or name.startswith("tables")
    assert all("ask" in said for said in refused)


def test_where_no_one_reference_breaks_all_cycles_that_is_the_answer() -> None:
    told = {
        "chain": "There is no cycle to break",
        "two cycles": "No one reference is in all cycles",
        "two that meet": "No one reference is in all cycles",
    }
    for name, said in told.items():
        graph = _nodes(**GRAPHS[name])
        assert lessons.solution("cycles-2", on=graph) is None
        assert lessons.hint("cycles-2", on=graph).startswith(said)
        assert not lessons.check("cycles-2", "a.links[0]", on=graph)
