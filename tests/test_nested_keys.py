"""The places inside nested values, told without the entities that stand there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

import ecsviz as ev
from tests.databases import counted


class Leaf(ev.Entity):
    name: str = ""


class Twig(ev.Entity):
    leaf: Leaf


class Grafted(BaseModel):
    what: Leaf | Twig | None = None


class Looked(BaseModel):
    """A plain model that looks at the entity that it holds."""

    leaf: Leaf

    @field_validator("leaf")
    @classmethod
    def named(cls, leaf: Leaf) -> Leaf:
        if not leaf.name:
            raise ValueError("a leaf without a name")
        return leaf


class Tree(ev.Entity):
    rows: dict[str, list[Leaf]] = {}
    sets: list[set[Leaf]] = []
    grafts: list[Grafted] = []
    looked: list[Looked] = []


@pytest.fixture
def store(tmp_path: Path) -> ev.SQLAlchemyEntityStorage:
    return ev.SQLAlchemyEntityStorage(tmp_path / "trees.db")


def paths(store: ev.SQLAlchemyEntityStorage, tree: Tree, **when: Any) -> list[str]:
    """Return the paths out of a tree, which the frame and the graph tell alike."""
    frame = store.references_frame(**when)
    found = sorted(frame.loc[frame["source"] == tree.ecs_id, "path"])
    graph = store.graph(tree, **when)
    assert found == sorted(r.path for r in graph.references if r.source.ecs_id == tree.ecs_id)
    return found


def test_one_entity_at_several_places(store: ev.SQLAlchemyEntityStorage) -> None:
    one, two = Leaf(), Leaf()
    tree = Tree(rows={"a": [one, two], "b": [one], "it's": [one, one]})
    store.register(tree)
    assert paths(store, tree) == [
        'rows["it\'s"][0]',
        'rows["it\'s"][1]',
        "rows['a'][0]",
        "rows['a'][1]",
        "rows['b'][0]",
    ]
    frame = store.references_frame().set_index("path")["target"]
    assert frame["rows['a'][1]"] == two.ecs_id
    assert frame["rows['b'][0]"] == one.ecs_id


def test_sets_name_their_members(store: ev.SQLAlchemyEntityStorage) -> None:
    one, two = Leaf(), Leaf()
    tree = Tree(sets=[set(), {one, two}])
    store.register(tree)
    assert paths(store, tree) == sorted(f"sets[1][{x.ecs_id!r}]" for x in (one, two))


def test_several_classes_share_the_numbers(store: ev.SQLAlchemyEntityStorage) -> None:
    leaf = Leaf()
    tree = Tree(grafts=[Grafted(what=Twig(leaf=leaf)), Grafted(), Grafted(what=leaf)])
    store.register(tree)
    assert paths(store, tree) == ["grafts[0].what", "grafts[2].what"]
    frame = store.references_frame().set_index("path")["target_type"]
    assert frame["grafts[0].what"] == "Twig"
    assert frame["grafts[2].what"] == "Leaf"


def test_as_they_were(store: ev.SQLAlchemyEntityStorage) -> None:
    tree = Tree(rows={"a": [Leaf()]})
    store.register(tree)
    tree.rows["b"] = [tree.rows.pop("a")[0], Leaf()]
    store.register(tree)
    assert paths(store, tree) == ["rows['b'][0]", "rows['b'][1]"]
    assert paths(store, tree, as_of=1) == ["rows['a'][0]"]


def test_a_validator_that_needs_the_entity_is_not_asked(
    store: ev.SQLAlchemyEntityStorage,
) -> None:
    tree = Tree(looked=[Looked(leaf=Leaf(name="a")), Looked(leaf=Leaf(name="b"))])
    store.register(tree)
    assert paths(store, tree) == ["looked[0].leaf", "looked[1].leaf"]


def test_as_many_statements_for_one_as_for_many(store: ev.SQLAlchemyEntityStorage) -> None:
    counts = []
    for n in (1, 60):
        store.register([Tree(rows={"a": [Leaf()]}) for _ in range(n)])
        store.references_frame()  # looks at the tables that are new to it
        with counted() as seen:
            store.references_frame()
        counts.append(len(seen))
    assert counts[0] == counts[1]


def test_places_come_in_the_order_of_the_value(store: ev.SQLAlchemyEntityStorage) -> None:
    one, two = Leaf(), Leaf()
    tree = Tree(rows={"b": [one, two], "a": [one]})
    store.register(tree)
    expected = ["rows['b'][0]", "rows['b'][1]", "rows['a'][0]"]
    assert store.references_frame()["path"].tolist() == expected
    assert [reference.path for reference in store.graph(tree).references] == expected
