"""What a listing of cycles says."""

from __future__ import annotations

from pydantic import Field

import ecsviz as ev
from ecsviz.graph.cycles import Cycle, CycleList
from tests.entity_graphs import graph_of


class Two(ev.Entity):
    one: Two | None = None
    other: Two | None = None
    many: list[Two] = Field(default_factory=list)


def test_a_cycle_lists_every_reference_that_closes_it() -> None:
    a, b = Two(), Two()
    a.one = a.other = b
    b.one = a
    b.many = [a, b, a]
    loop, pair = ev.EntityDependencyGraph(a).get_cycles()
    assert loop.nodes == [b]
    assert [r.path for r in loop.references] == ["many[1]"]
    assert repr(loop) == "Cycle(Two.many[1])"
    assert pair.nodes == [a, b]
    assert len(pair) == 2
    assert [r.path for r in pair.references] == ["one", "other", "one", "many[0]", "many[2]"]
    assert [r.source for r in pair.references] == [a, a, b, b, b]
    assert [r.target for r in pair.references] == [b, b, a, a, a]
    assert repr(pair) == "Cycle(Two.one | other -> Two.one | many[0] | many[2])"


def test_a_long_cycle_is_shown_short() -> None:
    n = 1_000
    [cycle] = graph_of(range(n), [(k, (k + 1) % n) for k in range(n)]).get_cycles()
    assert len(cycle) == n
    assert repr(cycle).count("Vertex") == 6
    assert "… 994 more" in repr(cycle)


def test_many_references_are_shown_short() -> None:
    a = Two()
    a.many = [a] * 1_000
    [cycle] = ev.EntityDependencyGraph(a).get_cycles()
    assert len(cycle.references) == 1_000
    assert repr(cycle) == "Cycle(Two.many[0] | many[1] | many[2] | … 997 more)"


class TestList:
    def test_a_complete_list(self) -> None:
        found = CycleList([Cycle([], [])])
        assert found.complete
        assert found.reason == ""
        assert repr(found) == "[Cycle()]"
        assert repr(CycleList()) == "[]"

    def test_an_incomplete_one(self) -> None:
        found = CycleList([Cycle([], [])] * 30, reason="the limit is 30")
        assert not found.complete
        assert repr(found).count("Cycle()") == 20
        assert "… 10 more] (30 cycles listed, shortest first" in repr(found)
        assert repr(found).endswith("the limit is 30)")
