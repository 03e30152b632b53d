"""Overviews: which nodes of a large graph are told as one."""

from __future__ import annotations

import random

import numpy as np
import pytest
from pydantic import Field

import ecsviz as ev
from ecsviz.draw import DrawingOptionError, draw_graph
from ecsviz.layout import overview
from ecsviz.layout.overview import MAX_LINES
from tests.entity_graphs import numbered_graph
from tests.test_draw import texts

Graph = ev.EntityDependencyGraph


def shop(orders: int, seed: int = 0) -> Graph:
    """Return items of orders of customers, some of which have a favourite order: cycles."""
    chance = random.Random(seed)
    kinds = ["Customer"] * (orders // 4) + ["Order"] * orders + ["Item"] * (2 * orders)
    edges: list[tuple[int, int, str]] = []
    first, last = orders // 4, orders // 4 + orders
    for order in range(first, last):
        customer = chance.randrange(first)
        edges.append((order, customer, "customer"))
        if order % 50 == 0:
            edges.append((customer, order, "favourite"))
    edges += [(k, chance.randrange(first, last), "order") for k in range(last, len(kinds))]
    return numbered_graph([edge[:2] for edge in edges], kinds, [edge[2] for edge in edges])


def packages(n: int, most: int, seed: int = 0) -> Graph:
    """Return one type of nodes, each of which depends on some of those before it."""
    chance = random.Random(seed)
    edges = [(k, chance.randrange(max(0, k - 300), k)) for k in range(1, n) for _ in range(most)]
    return numbered_graph(edges, ["package"] * n)


class Writer(ev.Entity):
    name: str


class Note(ev.Entity):
    text: str
    writer: Writer | None = None


class Notebook(ev.Entity):
    title: str
    notes: list[Note]


class Thread(ev.Entity):
    title: str
    first: Note


def notebooks(n: int) -> list[Notebook]:
    """Without a way back from a note to its notebook: no component holds them together."""
    return [
        Notebook(title=f"Book {k}", notes=[Note(text=f"note {k}.{i}") for i in range(3)])
        for k in range(n)
    ]


def test_of_several_kinds_each_is_a_group() -> None:
    graph = shop(800)
    found = overview(graph)
    names = [name for name, _ in found.labels]
    assert sorted(names) == ["Customer", "Customer + Order", "Item", "Order"]
    assert dict(found.labels)["Item"] == "1,600 nodes"
    assert "components of 2" in dict(found.labels)["Customer + Order"]
    parts = found.graph.arrays
    lines = {
        (names[a], names[b], parts.place_of(k)[0].split(" ")[0])
        for k, (a, b) in enumerate(zip(parts.sources, parts.targets, strict=True))
    }
    assert ("Item", "Order", "order") in lines
    assert ("Order", "Customer", "customer") in lines
    assert found.lines.sum() + found.inner == len(graph.references)
    assert found.weak == 0


def test_every_line_of_a_small_overview_is_named() -> None:
    # Some lead aside, neither steep nor flat: a name above or below would be far away.
    names = texts(draw_graph(shop(800)), "edge label")
    assert sorted(name.split(" ×")[0] for name in names) == [
        "customer",
        "customer",
        "order",
        "order",
    ]


def test_one_kind_is_told_in_ranges_of_like_many_nodes() -> None:
    graph = packages(3000, 2)
    found = overview(graph)
    assert 4 <= len(found) <= 24
    assert found.counts.max() < 0.5 * len(graph)
    assert all(", gen. " in figures for _, figures in found.labels)
    for (name, _), count in zip(found.labels, found.counts.tolist(), strict=True):
        assert name.endswith(f" and {count - 1:,} more"), "called after one that is in it"
    assert found.graph.is_acyclic
    assert "range of generations" in found.by


def test_of_very_many_lines_the_weakest_are_left_out_and_it_says_so() -> None:
    kinds = [f"kind{number % 24:02}" for number in range(1200)]
    chance = random.Random(1)
    # Only downwards, so that there is no cycle; some pairs of kinds are joined far more often.
    edges = [(k, chance.randrange(k)) for k in range(1, 1200)]
    edges += [(k, k - 1) for k in range(1, 1200)] * 3
    graph = numbered_graph(edges, kinds)
    found = overview(graph, by="type")
    count = len(found.graph.arrays.sources)
    assert found.weak > 0
    assert count <= MAX_LINES + 2 * len(found)
    assert found.lines.sum() + found.inner + found.weak == len(graph.references)
    joined = {*found.graph.arrays.sources.tolist(), *found.graph.arrays.targets.tolist()}
    assert joined == set(range(len(found))), "no group loses its strongest line"
    assert found.lines.min() >= 1
    (note,) = texts(draw_graph(graph, group_by="type"), "note")
    assert f"weakest lines are left out; they stand for {found.weak:,}" in " ".join(note.split())


def test_lines_of_cycles_are_never_left_out() -> None:
    n = 40
    ring = [(k, (k + 1) % n) for k in range(n)]
    chords = [(a, b) for a in range(n) for b in range(n) if (a + b) % 3 == 0 and a > b + 1] * 2
    graph = numbered_graph([*ring, *chords], map(str, range(n)))
    found = overview(graph, by="type")
    assert found.weak == 0
    assert found.in_cycle.all()


def test_nodes_are_put_to_the_nearest_of_a_type() -> None:
    books = notebooks(5)
    shared = Writer(name="W")
    books[3].notes[0].writer = shared
    graph = Graph(books)
    for by in ("Notebook", Notebook):
        found = overview(graph, by=by)
        assert found.labels[:1] == [("Book 0", "4 entities")]
        assert sorted(found.counts.tolist()) == [4, 4, 4, 4, 5]
        assert found.by == "the nearest Notebook"
        of = {node: int(group) for node, group in zip(graph.nodes, found.group, strict=True)}
        assert of[shared] == of[books[3]] == of[books[3].notes[2]]
    loose = Graph([*books, Note(text="nowhere")])
    assert overview(loose, by="Notebook").by.endswith("what leads to none by type")
    assert len(overview(loose, by="Notebook")) == 6


def test_by_thread_takes_what_is_called_a_thread() -> None:
    threads = [Thread(title=f"T{k}", first=Note(text="x")) for k in range(3)]
    found = overview(Graph(threads), by="thread")
    assert sorted(found.labels) == [(f"T{k}", "2 entities") for k in range(3)]
    chats = Graph(ev.sample("chats"))
    assert len(overview(chats, by="thread")) == 6
    assert draw_graph(chats, group_by="thread").get_title(loc="left").startswith("104 entities")


@pytest.mark.parametrize("by", ["thread", "Notebok", "cluster", Thread])
def test_a_type_that_is_not_there_is_an_error(by: object) -> None:
    with pytest.raises(DrawingOptionError, match="no type of what is drawn") as info:
        draw_graph(Graph(notebooks(2)), group_by=by)  # type: ignore[arg-type]  # on purpose
    assert info.value.option == "group_by"
    if by == "Notebok":
        assert "Did you mean 'Notebook'" in str(info.value)


@pytest.mark.parametrize("pairs", [True, False])
def test_groups_are_called_after_what_is_in_them(pairs: bool) -> None:
    class Person(ev.Entity):
        name: str
        boss: Person | None = ev.reference(inverse="reports", default=None)
        reports: list[Person] = Field(default_factory=list)

    Person.model_rebuild(_types_namespace={"Person": Person})
    people = [Person(name=f"Person {k}") for k in range(700)]
    for k, person in enumerate(people[1:], 1):
        person.boss = people[(k - 1) // 4]
        person.boss.reports.append(person)
    graph = ev.EntityDependencyGraph(people[0])
    explorer = graph.explore(pairs=pairs)
    assert explorer.view == "groups"
    groups = explorer._showing.groups
    names = [name for name, _ in groups.labels]
    assert len({*names}) == len(names) > 3
    for number, name in enumerate(names):
        inside = {graph.nodes[k].name for k in np.flatnonzero(groups.group == number).tolist()}
        called, _, rest = name.partition(" and ")
        assert called in inside
        assert rest == (f"{len(inside) - 1:,} more" if len(inside) > 1 else "")
    explorer.close()
    drawn = " ".join(texts(draw_graph(graph, pairs=pairs), "label"))
    assert all(name.split(" and ")[0] in drawn for name in names)
