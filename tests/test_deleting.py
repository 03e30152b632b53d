"""Deleting, in SQL: what refers is told; rows go in any order; the rest stays."""

from __future__ import annotations

from pathlib import Path

import pytest

import ecsviz as ev
from ecsviz import errors
from ecsviz.isomorphic import find_difference
from tests.conformance import classes as c
from tests.databases import fetched, rows_in


def test_all_rows_of_a_graph_go(path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(path)
    node = c.Node(links=[c.Node(), c.Node()], by_name={"x": c.Node()}, grid=[[c.Node()]])
    node.next = node
    node.links[0].next = node
    graph = [node, c.thread(3), c.mutual(), c.Shelf(keeper=c.Dog(), things=[c.Stone()])]
    kept = store.register(c.Node(name="kept", links=[c.Node()]))
    store.register(graph)
    store.delete(ev.EntityDependencyGraph(graph).nodes)
    count = {name: len(rows) for name, rows in rows_in(path).items()}
    left = {
        t: n
        for t, n in count.items()
        if n and not t.startswith("ecs_") and not t.endswith("_history")
    }
    assert left == {"nodes": 2, "node_links": 1}
    assert fetched(path, "PRAGMA foreign_key_check") == []
    assert count["ecs_deleted"] == len(ev.EntityDependencyGraph(graph).nodes)
    assert find_difference(kept, store.get(kept.ecs_id)) is None


@pytest.mark.parametrize(
    ("holder", "place"),
    [
        (lambda n: c.Node(next=n), "Node.next of"),
        (lambda n: c.Node(links=[n]), "Node.links"),
        (lambda n: c.Node(by_name={"x": n}), "Node.by_name"),
        (lambda n: c.Node(grid=[[n]]), "Node.grid"),
        (lambda n: c.Boxes(pair=c.Pair(n)), "Boxes.pair"),
    ],
)
def test_who_refers_is_told_by_both_storages(tmp_path: Path, holder: object, place: str) -> None:
    for store in (ev.SQLAlchemyEntityStorage(tmp_path / "a.db"), ev.InMemoryEntityStorage()):
        node = c.Node()
        holding = holder(node)  # type: ignore[operator]
        store.register(holding)
        with pytest.raises(errors.BrokenReferenceError) as caught:
            store.delete(node)
        assert place in str(caught.value)
        assert any(told.startswith(place) for told in caught.value.holders)
        assert store.has_entity(node.ecs_id)


def test_deleting_is_a_revision_and_all_or_nothing(path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(path)
    one, two = c.Node(name="one"), c.Node(name="two", links=[c.Node()])
    store.register([one, two])
    with pytest.raises(errors.BrokenReferenceError):
        store.delete([one, two.links[0]])
    with pytest.raises(errors.EntityNotFoundError):
        store.delete([one, c.Node()])
    assert store.has_entity(one.ecs_id)
    store.delete([one, two, two.links[0], one.ecs_id])
    rows = fetched(path, "SELECT number, added, changed, deleted FROM ecs_revisions")
    assert rows == [(1, 3, 0, 0), (2, 0, 0, 3)]


def test_types_refer_to_each_other_in_a_chain_of_required_references(tmp_path: Path) -> None:
    class Ring(ev.Entity):
        pass

    class Box(ev.Entity):
        ring: Ring

    class Safe(ev.Entity):
        box: Box

    safe = Safe(box=Box(ring=Ring()))
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    store.register(safe)
    store.delete([safe.box.ring, safe.box, safe])
    assert store.list_by_type(ev.Entity) == []
