"""What does not go together with what is stored: the facts that the errors tell."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

import ecsviz as ev
from ecsviz import errors


class Stone(ev.Entity):
    name: str = ""
    next: Stone | None = None


class Wall(ev.Entity):
    stones: list[Stone] = []


@pytest.fixture
def store() -> ev.InMemoryEntityStorage:
    return ev.InMemoryEntityStorage()


@pytest.mark.parametrize(
    ("name", "value"), [("lineage_id", None), ("lineage_id", "x"), ("parent_id", "x")]
)
def test_ids_that_are_none(store: ev.InMemoryEntityStorage, name: str, value: Any) -> None:
    stone = Stone(next=Stone())
    stone.next.__dict__[name] = value
    with pytest.raises(errors.InvalidIdError, match=rf"\.next\.{name} is {value!r}, not a UUID"):
        store.register(stone)


def test_own_fields_that_were_taken_away(store: ev.InMemoryEntityStorage) -> None:
    stone = Stone()
    del stone.parent_id
    with pytest.raises(errors.InvalidIdError, match="parent_id is None"):
        store.register(stone)


@pytest.mark.parametrize("half", [0xD800, 0xDBFF, 0xDC00, 0xDFFF])
def test_a_note_with_half_of_a_character(store: ev.InMemoryEntityStorage, half: int) -> None:
    with pytest.raises(errors.InvalidArgumentError, match="half of a character at 2"):
        store.register(Stone(), note="ab" + chr(half))
    store.register(Stone(), note="ab\ud7ff\ue000")


def test_a_version_that_the_store_has_not_reached(store: ev.InMemoryEntityStorage) -> None:
    stone = store.register(Stone())
    stone.name, stone.version = "changed", 5
    with pytest.raises(errors.StaleVersionError, match="read at version 5") as caught:
        store.register(stone)
    assert (caught.value.version, caught.value.stored_version) == (5, 1)


def test_an_id_of_another_type_is_told_where_it_stands(store: ev.InMemoryEntityStorage) -> None:
    known = uuid4()
    store.register(Wall(ecs_id=known))
    root = Wall(stones=[Stone(), Stone(ecs_id=known)])
    with pytest.raises(errors.DuplicateIdError, match="holds a Wall") as caught:
        store.register(root)
    here, where = caught.value.places
    assert here.endswith("stones[1]")
    assert here in str(caught.value).split(" has the ecs_id ")[0]
    assert where in str(caught.value).partition("holds a Wall")[2]


@pytest.mark.parametrize("count", [5, 6])
def test_all_holders_are_facts_and_five_are_shown(
    store: ev.InMemoryEntityStorage, count: int
) -> None:
    stone = Stone()
    store.register([Wall(stones=[stone]) for _ in range(count)])
    with pytest.raises(errors.BrokenReferenceError) as caught:
        store.delete(stone)
    assert len(caught.value.holders) == count
    assert str(caught.value).count("Wall.stones of ") == 5
    assert (", …" in str(caught.value)) == (count > 5)
