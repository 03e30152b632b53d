"""Pairs: lists and back-references say one thing twice; what is a cycle without them stands out."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

import ecsviz as ev
from ecsviz.draw import DrawingOptionError
from ecsviz.errors import InvalidArgumentError
from ecsviz.layout.paired import one_line_a_pair
from ecsviz.storage.relational.classless import BareStore
from ecsviz.widgets.graph.scene import PAIR
from tests.hostile import texts
from tests.test_draw import found, legend, title


class Person(ev.Entity):
    name: str = ""
    boss: Person | None = ev.reference(inverse="reports", default=None)
    reports: list[Person] = Field(default_factory=list)
    friend: Person | None = None
    club: Club | None = None


class Club(ev.Entity):
    name: str = ""
    members: list[Person] = Field(default_factory=list)
    guests: dict[str, Person] = Field(default_factory=dict)


for kind in (Person, Club):
    kind.model_rebuild()

PAIRED = {("boss", "reports"), ("club", "members")}


def company(seed: int, n: int) -> list[Any]:
    """Return people and clubs whose lists and back-references agree, with friends across."""
    r = random.Random(seed)
    people = [Person(name=f"p{k}") for k in range(n)]
    clubs = [Club(name=f"c{k}") for k in range(1 + n // 4)]
    for k, person in enumerate(people):
        boss = r.choice([*people[:k], None])
        if boss is not None:
            person.boss = boss
            boss.reports.append(person)
        club = r.choice([*clubs, None])
        if club is not None:
            person.club = club
            club.members.append(person)
        if r.random() < 0.3:
            person.friend = r.choice(people)
        if r.random() < 0.2:
            r.choice(clubs).guests[person.name] = person
    return [*people, *clubs]


def plain(graph: ev.EntityDependencyGraph) -> nx.MultiDiGraph[Any]:
    """Return a graph without the back-references of pairs, found one by one."""
    every = graph.to_networkx()
    gone = [
        (source, target, key)
        for source, target, key, data in every.edges(keys=True, data=True)
        for other in (every.get_edge_data(target, source) or {}).values()
        if (data["field"], other["field"]) in PAIRED
    ]
    every.remove_edges_from(gone)
    return every


def cyclic(graph: nx.MultiDiGraph[Any]) -> set[frozenset[Any]]:
    loops = set(nx.nodes_with_selfloops(graph))
    found = nx.strongly_connected_components(graph)
    return {frozenset(c) for c in found if len(c) > 1 or c & loops}


def ids(components: list[list[Any]]) -> set[frozenset[Any]]:
    return {frozenset(node.ecs_id for node in nodes) for nodes in components}


@given(seed=st.integers(0, 10**6), n=st.integers(1, 14))
def test_without_pairs_as_networkx_has_it(seed: int, n: int) -> None:
    graph = ev.EntityDependencyGraph(company(seed, n))
    left = plain(graph)
    assert len(graph.pairs) == len(graph.references) - left.number_of_edges()
    assert ids(graph.cyclic_components(pairs=False)) == cyclic(left)
    found = graph.get_cycles(limit=None, seconds=None, pairs=False)
    assert {tuple(sorted(node.name for node in cycle.nodes)) for cycle in found} == {
        tuple(sorted(left.nodes[i]["entity"].name for i in cycle))
        for cycle in nx.simple_cycles(nx.DiGraph(left))
    }
    level = {id(e): k for k, level in enumerate(graph.generations(pairs=False)) for e in level}
    for source, target in left.edges():
        ends = [level[id(left.nodes[end]["entity"])] for end in (source, target)]
        assert ends[0] > ends[1] or any({source, target} <= c for c in cyclic(left))
    # With pairs, all is as it was.
    assert ids(graph.cyclic_components()) == cyclic(graph.to_networkx())


@given(seed=st.integers(0, 10**6))
def test_a_store_knows_them_too(seed: int) -> None:
    entities = company(seed, 12)
    live = ev.EntityDependencyGraph(entities)
    with ev.SQLAlchemyEntityStorage(":memory:") as store:
        store.register(entities)
        for stored in (store.graph(), BareStore(store).graph()):
            assert len(stored.pairs) == len(live.pairs)
            assert ids(stored.cyclic_components(pairs=False)) == ids(
                live.cyclic_components(pairs=False)
            )
        near = store.graph(entities[0].ecs_id, hops=1)
        inside = {node.ecs_id for node in near.nodes}
        ends = [(r.source.ecs_id, r.target.ecs_id) for r in live.pairs]
        assert len(near.pairs) == sum({*both} <= inside for both in ends)


def test_classes_have_pairs_too() -> None:
    graph = ev.EntityDependencyGraph([Person, Club])
    assert sorted(reference.path for reference in graph.pairs) == ["boss", "club"]
    assert repr(graph.get_cycles(pairs=False)) == "[Cycle(Person.reports | friend)]"


def test_what_one_side_says_alone_is_no_pair() -> None:
    boss = Person(name="Ada")
    lone = Person(name="Bob", boss=boss, friend=boss)
    boss.friend = lone
    graph = ev.EntityDependencyGraph([lone, boss])
    assert len(graph.pairs) == 0
    assert [len(cycle) for cycle in graph.get_cycles(pairs=False)] == [2]
    boss.reports.append(lone)
    graph = ev.EntityDependencyGraph([lone, boss])
    assert [reference.path for reference in graph.pairs] == ["boss"]
    told = graph.get_cycles(pairs=False)[0].named()
    assert told == "Ada.reports[0] | friend → Bob.friend → Ada"


def test_cells_say_what_is_there_besides_pairs() -> None:
    ada, bob = Person(name="Ada"), Person(name="Bob")
    bob.boss = ada
    ada.reports.append(bob)
    graph = ev.EntityDependencyGraph(ada)
    shown = texts(graph._repr_html_())
    assert shown.endswith("No cycle besides 1 pair of a list and a back-reference.")
    assert graph.status is ev.CycleStatus.CYCLE_DETECTED, "the pair is a cycle all the same"
    ada.friend = ada
    graph = ev.EntityDependencyGraph(ada)
    shown = texts(graph._repr_html_())
    assert "1 cyclic component with 1 reference besides 1 pair of" in shown
    assert shown.endswith("Ada.friend → Ada")


def test_cycles_of_one_class_are_told_apart() -> None:
    people = [Person(name=name) for name in ("Ada", "Bob", "Cyd")]
    for one in people:
        one.friend = one
    found = ev.EntityDependencyGraph(people).get_cycles()
    assert sorted(repr(found)[1:-1].split(", ")) == [
        f"Cycle({name}.friend → {name})" for name in ("Ada", "Bob", "Cyd")
    ]
    assert repr(found[:1]) == "[Cycle(Person.friend)]"


def test_sides_that_are_declared_wrongly_hide_no_graph(tmp_path: Path) -> None:
    class Wrong(ev.Entity):
        up: Wrong | None = ev.reference(inverse="nowhere", default=None)

    Wrong.model_rebuild()
    one = Wrong()
    one.up = one
    graph = ev.EntityDependencyGraph(one)
    assert (len(graph.pairs), len(graph.get_cycles(pairs=False))) == (0, 1)


@pytest.mark.parametrize("name", ["get_cycles", "cyclic_components", "generations"])
def test_pairs_is_yes_or_no(name: str) -> None:
    graph = ev.EntityDependencyGraph(ev.sample("thread"))
    with pytest.raises(InvalidArgumentError, match="pairs"):
        getattr(graph, name)(pairs=graph.nodes_frame())


# -- pictures ----------------------------------------------------------------------------------


def heights(ax: Any) -> dict[str, float]:
    return {t.get_text(): t.get_position()[1] for t in ax.texts if t.get_gid() == "label"}


def note(ax: Any) -> str:
    return " ".join(t.get_text() for t in ax.texts if t.get_gid() == "note")


def test_a_company_is_drawn_as_a_hierarchy() -> None:
    people = [Person(name=f"p{k}") for k in range(11)]
    for k, person in enumerate(people[1:]):
        person.boss = people[k // 3]
        people[k // 3].reports.append(person)
    ax = ev.EntityDependencyGraph(people[0]).draw(pairs=False)
    assert title(ax) == "11 entities, 20 references, no cycle besides 10 pairs"
    assert found(ax, "cyclic components") is None
    assert len(found(ax, "references").get_segments()) == 10
    heads = [len(found(ax, name).get_paths()) for name in ("arrowheads", "arrowheads back")]
    assert heads == [10, 10]
    height = heights(ax)
    rows = sorted({round(each, 3) for each in height.values()}, reverse=True)
    assert [sum(round(h, 3) == row for h in height.values()) for row in rows] == [1, 3, 7]
    assert legend(ax) == ["Person", "list and back-reference"]
    assert note(ax) == ""


def test_a_chat_is_drawn_as_a_tree() -> None:
    thread = ev.ChatThread(title="Cycles")
    for number in range(9):
        parent = thread.messages[(number - 1) // 2] if number else None
        thread.say("user", f"m{number}", parent)
    graph = ev.EntityDependencyGraph(thread)
    ax = graph.draw(pairs=False)
    assert title(ax) == "10 entities, 34 references, no cycle besides 17 pairs"
    assert len(found(ax, "references").get_segments()) == 9
    assert note(ax) == "8 pairs without a line: others lead there too."
    height = heights(ax)
    for number in range(1, 9):
        assert height[f"user: m{number}"] < height[f"user: m{(number - 1) // 2}"]
    assert height["Cycles"] == max(height.values())


def test_what_is_a_cycle_besides_stands_out_and_no_member_is_hidden_behind_a_friend() -> None:
    club = Club(name="club")
    for name in "abcd":
        club.members.append(Person(name=name, club=club))
    a, b, c, d = club.members
    a.friend, b.friend, c.friend = b, a, d
    ax = ev.EntityDependencyGraph(club).draw(pairs=False)
    assert title(ax) == "5 entities, 11 references, 1 cyclic component besides 4 pairs"
    drawn = ("references", "cycle references", "deferred references")
    assert [len(found(ax, name).get_segments()) for name in drawn] == [5, 1, 1]
    assert len(found(ax, "arrowheads back").get_paths()) == 4
    assert "depends on" in legend(ax)  # c's friend d
    c.friend = None
    ax = ev.EntityDependencyGraph(club).draw(pairs=False)
    assert "depends on" not in legend(ax)
    assert {"list and back-reference", "in a cycle"} < set(legend(ax))


@given(seed=st.integers(0, 10**6), n=st.integers(1, 14))
def test_every_pair_has_a_line_or_a_longer_way_along_others(seed: int, n: int) -> None:
    graph = ev.EntityDependencyGraph(company(seed, n))
    shown = one_line_a_pair(graph)
    assert int(shown.both.sum()) + shown.left_out == len(graph.pairs)
    lines = nx.DiGraph()
    for number in np.flatnonzero(shown.both).tolist():
        reference = shown.graph.references[number]
        lines.add_edge(reference.source.ecs_id, reference.target.ecs_id)
    for back in graph.pairs:
        assert nx.has_path(lines, back.target.ecs_id, back.source.ecs_id)
    others = len(graph.references) - 2 * len(graph.pairs)
    assert len(shown.graph.references) == int(shown.both.sum()) + others


def test_a_graph_without_pairs_and_one_in_groups() -> None:
    chain = ev.EntityDependencyGraph(ev.sample("chain", n=3))
    assert title(chain.draw(pairs=False)) == title(chain.draw())
    assert found(chain.draw(pairs=False), "arrowheads back") is None or not len(
        found(chain.draw(pairs=False), "arrowheads back").get_paths()
    )
    many = ev.EntityDependencyGraph(ev.sample())
    ax = many.draw(pairs=False, max_nodes=20)
    assert "no cycle besides 190 pairs" in title(ax)
    assert "group" in note(ax)
    with pytest.raises(DrawingOptionError, match="pairs"):
        chain.draw(pairs=chain.nodes_frame())


def test_the_explorer_shows_one_line_a_pair_and_the_cycles_besides() -> None:
    club = Club(name="club")
    for name in "abcd":
        club.members.append(Person(name=name, club=club))
    a, b = club.members[:2]
    a.friend, b.friend = b, a
    graph = ev.EntityDependencyGraph(club)
    explorer = graph.explore(pairs=False)
    scene = explorer._showing.now
    assert int((scene.flags & PAIR > 0).sum()) == 4
    assert len(scene.flags) == len(graph.references) - 4
    assert explorer._about["pairs"]
    assert explorer._about["cyclic"] == 1
    assert explorer._found_cycles.listed()["told"] == "1 cycle"
    assert explorer.graph is graph, "details still say all"
    explorer.cycles_only = True
    assert explorer._showing.matches.size == 2
    explorer.selected = a.ecs_id
    assert "club" in str(explorer._details)
    assert "besides 4 pairs" in explorer._repr_mimebundle_()[0]["text/html"]
    whole = graph.explore()
    assert not whole._about["pairs"]
    assert len(whole._showing.now.flags) == len(graph.references)
    with pytest.raises(InvalidArgumentError, match="pairs"):
        graph.explore(pairs=graph.nodes_frame())


@pytest.mark.parametrize("pairs", [True, False])
@pytest.mark.parametrize("seed", [4, 20])
def test_all_that_the_explorer_says_is_of_the_same_cycles(pairs: bool, seed: int) -> None:
    graph = ev.EntityDependencyGraph(company(seed, 9))
    single = graph if pairs else graph.without_pairs
    inside = {
        entity.ecs_id: len(part) for part in graph.cyclic_components(pairs=pairs) for entity in part
    }
    level = {
        entity.ecs_id: k
        for k, entities in enumerate(graph.generations(pairs=pairs))
        for entity in entities
    }
    late = {(reference.source.ecs_id, reference.path) for reference in single.deferred}
    assert inside, "there are cycles besides"
    explorer = graph.explore(pairs=pairs, color_by="generation")
    rows = {row["node"]: row for row in explorer._rows["listed"]}
    for number, entity in enumerate(graph.nodes):
        explorer.selected = entity.ecs_id
        facts, many = explorer._details["facts"], inside.get(entity.ecs_id, 0)
        whole = f"in a cyclic component of {many}" if many > 1 else "holds itself"
        assert (whole if many else "in no cycle") in facts
        assert f"generation {level[entity.ecs_id]}," in facts
        assert rows[number]["cycle"] == bool(many)
        told = {
            (entity.ecs_id, link["text"].partition(":")[0])
            for link in explorer._details["links"]["listed"]
            if link["out"] and link["deferred"]
        }
        assert told == {place for place in late if place[0] == entity.ecs_id}
    look, top = explorer._look, max(level.values())
    assert look["told"] == f"generation: 0 to {top}" or len(look["legend"]) == top + 1
    explorer.cycles_only = True
    assert explorer._showing.matches.size == len(inside)
    words = graph.draw(pairs=pairs).get_title(loc="left")
    assert words in explorer._repr_mimebundle_()[0]["text/html"]
    page = graph.to_html(interactive=True, pairs=pairs)
    assert f"<title>{words}</title>" in page
    assert page.count('"cycle":true') == 2 * len(inside), "all rows, and the first that are shown"
    for view in ("map", "all"):
        explorer.view = view
        assert ("lines, one a pair" in explorer.status) == (not pairs)
    explorer.path(graph.nodes[0], graph.dependencies(graph.nodes[0])[0])
    assert "those of one cycle" not in explorer.status
