"""What graphs and cycles look like in a notebook."""

from __future__ import annotations

import pytest

import ecsviz as ev
from ecsviz.graph.cells import MAX_CYCLES, MAX_LISTED, MAX_TYPES, SEARCHED
from ecsviz.graph.cycles import CycleList
from ecsviz.samples import sample
from tests.entity_graphs import numbered_graph
from tests.hostile import HOSTILE, assert_harmless, shape, texts


def test_a_graph_says_what_it_consists_of() -> None:
    graph = ev.EntityDependencyGraph(sample("interlocked"))
    shown = texts(graph._repr_html_())
    assert shown == (
        "EntityDependencyGraph: 7 nodes, 9 references, 1 generation"
        "typenodesNode7"
        f"1 cyclic component with 9 references, of which {len(graph.deferred)} are deferred."
        + "".join(map(repr, graph.get_cycles()))
    )


def test_a_graph_without_cycles_says_so() -> None:
    shown = texts(ev.EntityDependencyGraph(sample("chain", n=3))._repr_html_())
    assert shown.endswith("No cycle.")
    assert "3 nodes, 2 references, 3 generations" in shown
    assert texts(ev.EntityDependencyGraph()._repr_html_()) == (
        "EntityDependencyGraph: 0 nodes, 0 references, 0 generationsNo cycle."
    )


def test_singular_and_plural() -> None:
    shown = texts(ev.EntityDependencyGraph(sample("self_loop"))._repr_html_())
    assert "1 node, 1 reference, 1 generation" in shown
    assert "1 cyclic component with 1 reference, of which 1 is deferred." in shown


def complete(n: int) -> ev.EntityDependencyGraph:
    """Every table refers to every other: exponentially many cycles."""
    pairs = [(a, b) for a in range(n) for b in range(n) if a != b]
    return numbered_graph(pairs, ["table"] * n)


def test_a_dense_graph_shows_the_first_cycles_and_says_that_there_are_more() -> None:
    shown = complete(40)._repr_html_()
    assert [tag for tag, _ in shape(shown)].count("li") == MAX_CYCLES
    assert "the first 5, shortest first; get_cycles() lists more" in texts(shown)


def test_cycles_of_a_large_graph_are_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    n = SEARCHED + 1
    graph = numbered_graph([(k, (k + 1) % n) for k in range(n)], ["table"] * n)
    monkeypatch.setattr(graph, "get_cycles", lambda *args, **options: pytest.fail("searched"))
    assert texts(graph._repr_html_()).endswith("get_cycles() lists them.")


def test_many_types_are_cut_the_most_frequent_first() -> None:
    types = [f"type {number}" for number in range(30) for _ in range(number + 1)]
    n = len(types)
    graph = ev.EntityDependencyGraph.from_parts(range(n), range(n), types, [], [], [])
    shown = graph._repr_html_()
    assert f"showing {MAX_TYPES} of 30 types" in texts(shown)
    assert "typenodestype 2930type 2829" in texts(shown)


def test_a_list_of_cycles() -> None:
    graph = ev.EntityDependencyGraph(sample("two_cycle"))
    shown = texts(graph.get_cycles()._repr_html_())
    assert shown == "1 cycle.Cycle(Node.links[0] -> Node.links[0])"
    assert texts(CycleList()._repr_html_()) == "No cycle."
    many = complete(7).get_cycles(limit=None)
    assert len(many) > MAX_LISTED
    shown = texts(many._repr_html_())
    assert shown.startswith(f"{len(many):,} cycles.")
    assert shown.endswith(f"showing {MAX_LISTED} of {len(many):,} cycles")
    cut = texts(complete(7).get_cycles(limit=3)._repr_html_())
    assert cut.startswith("3 cycles listed, shortest first; there are more: the limit is 3")
    assert "showing" not in cut


def test_hostile_names_stay_text() -> None:
    n = len(HOSTILE)
    numbers = range(n)
    harmless = [f"t{number}" for number in numbers]
    made = []
    for names in (list(HOSTILE), harmless):
        graph = ev.EntityDependencyGraph.from_parts(
            names, numbers, names, numbers, numbers, names, fields=names
        )
        made.append((graph._repr_html_(), graph.get_cycles()._repr_html_()))
    for hostile, ours in zip(*made, strict=True):
        assert_harmless(hostile)
        assert shape(hostile) == shape(ours)


def test_a_save_plan_shows_as_a_table() -> None:
    thread = ev.ChatThread(title="<b>bold</b>")
    thread.say("user", "hello")
    shown = ev.SQLAlchemyEntityStorage(":memory:").explain(thread)._repr_html_()
    assert "INSERT INTO chat_messages" in shown
    assert "order: ChatThread → ChatMessage" in shown
    assert "<b>" not in shown
