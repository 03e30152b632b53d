"""Loading: what others changed in the tables is told, never guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, model_validator

import ecsviz as ev
from ecsviz import errors
from ecsviz.isomorphic import find_difference
from tests.conformance import classes as c
from tests.databases import execute, fetched


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE valueses SET integer = 'text'", "valueses.integer in row 1 is of type str"),
        ("UPDATE valueses SET colour = 'green'", "valueses.colour in row 1 is no Colour"),
        ("UPDATE valueses SET listed = '[1'", "valueses.listed in row 1 is no JSON"),
        ("UPDATE valueses SET listed = '{\"$what\": 1}'", "valueses.listed in row 1 is no JSON"),
        (
            'UPDATE valueses SET point = \'{"x": "text"}\'',
            "valueses.point in row 1 is not readable",
        ),
        ("UPDATE valueses SET at = 'yesterday'", "valueses.at in row 1 is no datetime"),
        ("UPDATE valueses SET uid = 'x'", "valueses.uid in row 1 is no UUID"),
        ("UPDATE valueses SET ecs_exact = '[1]'", "valueses.ecs_exact in row 1"),
        ("UPDATE valueses SET ecs_exact = '{'", "valueses.ecs_exact in row 1"),
        ('UPDATE valueses SET ecs_exact = \'{"integer": {"$int": "x"}}\'', "valueses.integer"),
        ("UPDATE valueses SET duration = 10000000000000000000000", "valueses.duration"),
    ],
)
def test_stored_values_that_do_not_fit(path: Path, statement: str, told: str) -> None:
    entity = c.Values(at="2024-01-01T00:00:00Z", uid=ev.ChatThread().ecs_id, point=c.Point(x=1))
    ev.SQLAlchemyEntityStorage(path).register(entity)
    execute(path, statement)
    with pytest.raises(errors.StoredDataInvalidError) as caught:
        ev.SQLAlchemyEntityStorage(path).get(entity.ecs_id)
    assert told in str(caught.value)
    assert "correct the row" in str(caught.value)


def test_a_row_that_is_gone(path: Path) -> None:
    node = c.Node(next=c.Node(), links=[c.Node()])
    ev.SQLAlchemyEntityStorage(path).register(node)
    execute(path, f"DELETE FROM nodes WHERE ecs_id = '{node.next.ecs_id.hex}'")  # type: ignore[union-attr]
    with pytest.raises(errors.BrokenReferenceError) as caught:
        ev.SQLAlchemyEntityStorage(path).get(node.ecs_id)
    assert caught.value.type_name == "Node"
    assert "delete the referring row" in str(caught.value)


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("UPDATE shelfs SET keeper_dog_id = NULL", "requires"),
        ("UPDATE node_links SET node_id_ = NULL", "refers to nothing"),
        ("UPDATE node_by_colour SET key = 'green'", "node_by_colour.key"),
        ("UPDATE nodes SET grid = '[[1'", "nodes.grid in row"),
        ("UPDATE nodes SET grid = '[[{\"$ref\": 7}]]'", "nodes.grid in row"),
    ],
)
def test_references_that_others_broke(path: Path, statement: str, error: str) -> None:
    node = c.Node(links=[c.Node()], by_colour={c.Colour.RED: c.Node()}, grid=[[c.Node()]])
    graph = [node, c.Shelf(keeper=c.Dog())]
    store = ev.SQLAlchemyEntityStorage(path)
    store.register(graph)
    columns = [row[1] for row in fetched(path, "PRAGMA table_info(node_links)")]
    target = next(name for name in columns if name not in ("node_id", "position", "ecs_revision"))
    statement = statement.replace("node_id_", target)
    execute(path, statement)
    with pytest.raises(errors.StoredDataInvalidError, match=error.replace(".", r"\.")):
        store.get_many([e.ecs_id for e in graph])


class Reviewed(ev.Entity):
    title: str


class Review(BaseModel):
    """A plain model whose validator looks at the entity inside."""

    of: Reviewed
    text: str

    @model_validator(mode="after")
    def _speaks_of_it(self) -> Review:
        assert self.of.title in self.text
        return self


class Journal(ev.Entity):
    first: Review
    others: list[Review] = []


def test_validators_of_plain_models_see_whole_entities(path: Path) -> None:
    book = Reviewed(title="Cycles")
    journal = Journal(first=Review(of=book, text="on Cycles"))
    journal.others = [journal.first, Review(of=Reviewed(title="x"), text="x")]
    ev.SQLAlchemyEntityStorage(path).register(journal)
    again = ev.SQLAlchemyEntityStorage(path).get(journal.ecs_id)
    assert find_difference(journal, again) is None
    assert again.first.of is again.others[0].of


def test_collections_of_a_type_first_met_far_down_are_read_too(path: Path) -> None:
    """What the recursive query finds has lists and links of its own."""
    deep: Any = c.Boxes(holders=[c.Holder(who=c.Node(links=[c.Node(name="end")]))])
    last: Any = c.Animal(name="0")
    animals = [last]
    for number in range(20):
        last = c.Animal(name=str(number + 1), friend=last)
        animals.append(last)
    shelf = c.Shelf(keeper=last, things=[])
    animals[0].friend = c.Puppy(name="deep", mother=c.Dog(name="deeper"))

    class Cart(c.Animal):
        load: list[c.Shelf] = []
        boxes: c.Boxes | None = None

    animals[0].friend.mother.friend = Cart(  # type: ignore[union-attr]
        load=[c.Shelf(keeper=animals[0], things=[animals[3]])], boxes=deep
    )
    store = ev.SQLAlchemyEntityStorage(path)
    store.register(shelf)
    again = ev.SQLAlchemyEntityStorage(path).get(shelf.ecs_id)
    assert find_difference(shelf, again) is None


def test_nothing_is_read_from_what_is_not_there(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "none.db")
    assert store.get_many([]) == []
    assert store.revisions().empty
    assert store.list_by_type(c.Node) == []
    assert not store.has_entity(c.Node().ecs_id)
    assert store.get_lineage_entities(c.Node().ecs_id) == []
    with pytest.raises(errors.EntityNotFoundError):
        store.get(c.Node().ecs_id)
    assert not (tmp_path / "none.db").exists()
