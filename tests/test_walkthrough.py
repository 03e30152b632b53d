"""Algorithms step by step: the same answers as the fast ones, as tables, pictures, a widget."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest
from matplotlib.colors import to_hex

import ecsviz as ev
from ecsviz.basics.order import COLLECTION, REQUIRED
from ecsviz.errors import (
    EcsvizError,
    EntityNotFoundError,
    GraphTooLargeError,
    InvalidArgumentError,
    NotAnEntityError,
    NotLoadedError,
)
from ecsviz.graph.walks import MAX_NODES, MAX_STEPS
from ecsviz.graph.walkthrough import NoSuchStepError, Walkthrough

GRAPHS = ("order", "components", "cycles")


def graph_by_chance(chance: random.Random) -> ev.EntityDependencyGraph:
    """Return a graph of up to twelve nodes, sparse or dense, with loops and parallel references."""
    n = chance.randint(0, 12)
    m = chance.randint(0, chance.choice([n, 2 * n, 4 * n]))
    ids = [f"n{number:02}" for number in range(n)]
    chance.shuffle(ids)
    ends = [[chance.randrange(n) for _ in range(m)] for _ in range(2)] if n else [[], []]
    kinds = [chance.randint(COLLECTION, REQUIRED) for _ in ends[0]]
    paths = [f"f{number}" for number in range(len(kinds))]
    return ev.EntityDependencyGraph.from_parts(ids, ids, ["t"] * n, *ends, paths, kinds=kinds)


def components(graph: ev.EntityDependencyGraph) -> list[list[Any]]:
    found: dict[int, list[Any]] = {}
    for node, number in zip(graph.nodes, graph.ordering.component.tolist(), strict=True):
        found.setdefault(number, []).append(node)
    return sorted(map(sorted, found.values()))


def test_the_steps_find_what_the_fast_algorithms_find() -> None:
    chance, knots, complete = random.Random(20), 0, 0
    for _ in range(400):
        graph = graph_by_chance(chance)
        order = graph.walkthrough("order")
        assert order.answer == graph.get_topological_sort()
        late = {f"{reference.source}.{reference.path}" for reference in graph.deferred}
        told = order[-1].state["deferred"].partition(" … ")[0].split(", ") if late else []
        assert set(told) <= late
        assert len(told) == min(len(late), 6)
        knots += len(late) > 4
        found = graph.walkthrough("components").answer
        assert sorted(map(sorted, found)) == components(graph)
        place = {node: n for n, component in enumerate(found) for node in component}
        assert all(place[r.target] <= place[r.source] for r in graph.references), (
            "what is held first"
        )
        cycles = graph.walkthrough("cycles")
        if cycles.complete:
            complete += 1
            every = [cycle.nodes for cycle in graph.get_cycles(limit=None, seconds=None)]
            assert sorted(cycles.answer) == sorted(every)
        else:
            assert len(cycles) == MAX_STEPS
            assert "Stopped after 1,000 steps" in cycles.note
    assert knots > 40
    assert complete > 250


@pytest.fixture(name="knot", scope="module")
def _knot() -> ev.EntityDependencyGraph:
    return ev.EntityDependencyGraph(ev.sample("interlocked"))


@pytest.mark.parametrize("what", GRAPHS)
def test_a_walkthrough_is_a_list_and_a_table(what: str, knot: ev.EntityDependencyGraph) -> None:
    walk = knot.walkthrough(what)
    assert list(walk) == walk[:] == [walk[n] for n in range(len(walk))]
    assert walk[-1] is walk[len(walk) - 1]
    frame = walk.frame()
    assert frame["step"].tolist() == list(range(len(walk)))
    assert frame["text"].tolist() == [step.text for step in walk]
    assert all(1 <= step.line <= len(walk.script.code) for step in walk)
    assert all(set(step.marks) <= set(walk.script.looks) for step in walk)
    assert all(len(step.marks) == 7 and step.state.keys() == walk[0].state.keys() for step in walk)


@pytest.mark.parametrize("what", GRAPHS)
def test_every_question_has_a_right_answer_and_wrong_ones_with_a_reason(
    what: str, knot: ev.EntityDependencyGraph
) -> None:
    walk = knot.walkthrough(what)
    asked = [number for number, step in enumerate(walk) if step.question]
    assert asked
    for number in asked:
        step = walk[number]
        right = [name for name, choice in step.choices.items() if choice.right]
        assert right
        assert {walk.predict(number, name) for name in right} == {f"Right: {step.text}"}
        for name in step.choices.keys() - set(right):
            assert name in walk.predict(number, name) or what == "cycles"
            assert not walk.predict(number, name).startswith("Right")


def test_what_is_wrong_is_said(knot: ev.EntityDependencyGraph) -> None:
    walk = knot.walkthrough("order")
    with pytest.raises(InvalidArgumentError, match="Did you mean 'order'"):
        knot.walkthrough("ordre")
    with pytest.raises(NoSuchStepError, match="from 0 to 10"):
        walk[11]
    with pytest.raises(IndexError):
        walk.draw(-12)
    with pytest.raises(InvalidArgumentError, match="step is 'a'"):
        walk["a"]  # type: ignore[call-overload]  # what is tried
    with pytest.raises(InvalidArgumentError, match="nothing to predict before step 0"):
        walk.predict(0, "a")
    for wrong in ("z", 3, [], None):
        with pytest.raises(InvalidArgumentError, match="is no answer to 'Which comes next"):
            walk.predict(2, wrong)
    for options in ({"theme": "pink"}, {"theme": "dark", "ax": plt.figure().add_subplot()}):
        with pytest.raises(EcsvizError, match="theme"):
            walk.draw(2, **options)
    plt.close("all")


def test_of_a_large_graph_the_nearest_are_taken_and_it_is_said() -> None:
    nodes = ev.sample("chain", n=5_000)
    graph = ev.EntityDependencyGraph(nodes)
    first, middle = (
        graph.walkthrough("components"),
        graph.walkthrough("order", around=nodes[99], nodes=5),
    )
    assert len(first.graph) == MAX_NODES
    assert first.note == "Showing the 30 nodes nearest to Node n0001, of 5,000."
    assert sorted(node.name for node in middle.answer) == [
        "n0098",
        "n0099",
        "n0100",
        "n0101",
        "n0102",
    ]
    with pytest.raises(GraphTooLargeError, match="the most are 200"):
        graph.walkthrough("order", nodes=None)
    assert len(graph.walkthrough("order", nodes=0).graph) == 0
    every = ev.EntityDependencyGraph.from_parts(
        list(range(200)), list(range(200)), ["t"] * 200,
        [a for a in range(200) for _ in range(200)], list(range(200)) * 200, [""] * 40_000,
    )  # fmt: skip
    walk = every.walkthrough("cycles", nodes=200)
    assert (len(walk), walk.complete, walk.answer) == (MAX_STEPS, False, None)


def texts(ax: Any, gid: str) -> list[str]:
    return [text.get_text() for text in ax.child_axes[1].texts if text.get_gid() == gid]


@pytest.mark.parametrize("options", [{}, {"theme": "dark"}, {"figsize": (5, 9)}])
def test_a_picture_shows_graph_state_and_line(options: Any, knot: ev.EntityDependencyGraph) -> None:
    walk = knot.walkthrough("components")
    ax = walk.draw(14, **options)
    assert " ".join(texts(ax, "what happens")) == walk[14].text
    assert texts(ax, "this line") == [walk.script.code[walk[14].line - 1].strip()]
    assert texts(ax, "state")[:2] == ["stack", walk[14].state["stack"]]
    assert texts(ax, "legend") == list(walk.script.looks)
    assert ax.child_axes[0].get_title(loc="left").startswith(f"{walk.script.title}, step 14 of 25")
    ax.figure.canvas.draw()
    high, low = (ax.child_axes[1].transData.transform((0, y))[1] for y in (1, 0))
    ends = [text.get_window_extent() for text in ax.child_axes[1].texts]
    assert all(ax.bbox.y0 - 1 <= end.y0 and end.y1 <= ax.bbox.y1 + 1 for end in ends), (high, low)
    if options.get("theme"):
        assert to_hex(ax.figure.get_facecolor()) == "#111111"
    plt.close("all")


def test_a_picture_does_not_tell_a_component_before_it_is_found(
    knot: ev.EntityDependencyGraph,
) -> None:
    walk = knot.walkthrough("components")
    drawn = [{c.get_gid() for c in walk.draw(n).child_axes[0].collections} for n in (14, -1)]
    plt.close("all")
    assert ["cyclic components" in names for names in drawn] == [False, True]


class Person(ev.Entity):
    name: str
    works_at: Company | None = None


class Company(ev.Entity):
    name: str
    chief: Person


@pytest.fixture(name="firm")
def _firm() -> Company:
    ada = Person(name="Ada")
    ada.works_at = Company(name="ACME", chief=ada)
    return ada.works_at


def test_saving_follows_the_plan_and_writes_nothing(firm: Company, tmp_path: Path) -> None:
    graph = ev.EntityDependencyGraph(firm)
    with ev.SQLAlchemyEntityStorage(tmp_path / "firm.db") as store:
        walk = graph.walkthrough("save", store=store)
        assert not (tmp_path / "firm.db").exists()
        plan = store.explain(firm)
        assert repr(walk.answer) == repr(plan)
        assert [step.state["statement"] for step in walk[1:-1]] == [s.statement for s in plan.steps]
        assert [step.line for step in walk] == [1, 2, 2, 3, 3, 6, 7]
        of = [node.name for node in walk.graph.nodes].index("Ada")
        assert [step.marks[of] for step in walk[2:]] == [
            *("not written", "a reference is missing", "a reference is missing"),
            *("written now", "written"),
        ]
        assert walk[4].state["deferred"] == "Reference(Person.works_at -> Company)"
        assert walk.predict(3, "companies").startswith("Not companies: the order is Person → Comp")
        store.register(firm)
        firm.name = "A.C.M.E."
        again = graph.walkthrough("save", store=store)
        assert [step.line for step in again] == [1, 4, 7]
        assert store.get(firm.ecs_id).name == "ACME"
        assert firm.version == 1
        store.register(firm)
        unchanged = graph.walkthrough("save", store=store)
        assert unchanged[-1].text == "Nothing to write: no revision is made."
    plt.close("all")


@pytest.mark.parametrize("stored", [False, True])
def test_loading_shows_the_statements_and_which_rows_they_bring(stored: bool, knot: Any) -> None:
    nodes = sorted(knot.nodes, key=lambda node: node.name)
    with ev.SQLAlchemyEntityStorage(":memory:") as store:
        store.register(copy.deepcopy(nodes))
        walk = knot.walkthrough("load", store=store if stored else None)
        found = walk.answer[0]
        assert found in nodes
        assert not ev.diff(nodes[nodes.index(found)], found)
        assert [node.version for node in nodes] == [0] * 7
        read = [n for step in walk for n, mark in enumerate(step.marks) if mark == "read now"]
        assert set(read) == set(range(7)), "every row is seen as it comes"
        assert walk[-2].state["rows"] == "nodes: 7"
        assert set(walk[-1].marks) == {"an object"}
        assert all(step.state["statement"].startswith("SELECT") for step in walk[:-1])
        assert len(store.revisions()) == 1


def test_what_no_store_can_save_is_said(firm: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotAnEntityError, match="is no entity"):
        ev.EntityDependencyGraph(Company).walkthrough("save")
    graph = ev.EntityDependencyGraph(firm)
    for wrong in (ev.InMemoryEntityStorage(), "firm.db", 3):
        with pytest.raises(InvalidArgumentError, match="Give a SQLAlchemyEntityStorage"):
            graph.walkthrough("load", store=wrong)
    with ev.SQLAlchemyEntityStorage(":memory:") as store:
        with pytest.raises(EntityNotFoundError):
            graph.walkthrough("load", store=store)
        store.register(firm)
        lazy = ev.EntityDependencyGraph(store.get(firm.ecs_id, lazy=True))
        with pytest.raises(NotLoadedError, match="not loaded"):
            lazy.walkthrough("save")
    monkeypatch.setattr("ecsviz.storage.relational.walkthrough.MAX_STEPS", 5)
    cut = graph.walkthrough("load")
    assert (len(cut), cut.complete, cut.note) == (5, False, "The first 5 steps of 7.")
    with pytest.raises(GraphTooLargeError, match="the most are 10,000"):
        ev.EntityDependencyGraph(ev.sample("chain", n=10_001)).walkthrough("save")
    for what in ("save", "load"):
        assert len(ev.EntityDependencyGraph().walkthrough(what).frame()) > 0


@pytest.fixture(name="walk")
def _walk() -> Iterator[Walkthrough]:
    yield ev.EntityDependencyGraph(ev.sample("chain", n=3)).walkthrough("order")
    plt.close("all")


def test_a_widget_goes_forth_and_back_and_asks(walk: Walkthrough) -> None:
    widget = walk.explore()
    widget._next.click()
    widget._play.value = 2
    assert (widget.step, widget._slider.value) == (2, 2)
    assert walk[2].text in widget._words.value
    widget._slider.value = 0
    widget._back.click()
    assert widget.step == 0
    widget._predict.value = True
    widget._play.playing = True
    widget._play.value = 7
    assert (widget.step, widget.asked, widget._play.value, widget._play.playing) == (1, 2, 1, False)
    assert widget._question.value == "Which comes next?"
    assert widget.answer("n1") == "Not n1: it still waits for n2."
    assert widget.step == 1
    widget._choice.value = "n3"
    widget._check.click()
    assert (widget.step, widget.asked, widget.told) == (2, None, f"Right: {walk[2].text}")
    widget.go(7)
    widget._reveal.click()
    assert (widget.step, widget.asked) == (4, None)
    with pytest.raises(InvalidArgumentError, match="Nothing is asked"):
        widget.answer("n1")
    before = widget._picture.value
    widget._page.dark = True
    assert widget._picture.value != before
    with pytest.raises(NoSuchStepError):
        widget.step = 99


def test_what_stands_in_for_it_is_a_picture_and_all_steps() -> None:
    thread = ev.ChatThread(title="<script>alert(1)</script>")
    thread.say("user", "<img src=x onerror=alert(1)>")
    walk = ev.EntityDependencyGraph(thread).walkthrough("order")
    for html in (walk._repr_html_(), walk.explore()._repr_mimebundle_()["text/html"]):
        assert html.count("<img") == 1
        assert "<script" not in html
        assert f"{len(walk)} steps, one by one" in html
        assert all(escape(step.text) in html for step in walk)
    assert "<script" not in walk.explore()._words.value
