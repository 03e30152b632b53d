"""Three states made one: what each side changed, took out, put in, or never had."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

import ecsviz as ev
from ecsviz import errors


class Plant(ev.Entity):
    name: str = ""
    held: list[Plant] = ev.reference(inverse=None, default_factory=list)
    group: set[Plant] = set()
    by_name: dict[str, Plant] = {}
    next: Plant | None = None


class Bed(ev.Entity):
    """One that is as long as it has plants: false while it has none."""

    name: str = ""
    next: Bed | None = None
    first: Bed | None = None

    def __len__(self) -> int:
        return 0


@pytest.fixture
def store() -> ev.InMemoryEntityStorage:
    return ev.InMemoryEntityStorage()


def both(store: ev.InMemoryEntityStorage, root: Any) -> tuple[Any, Any]:
    """Register a graph, and return it twice, as two notebooks have it."""
    store.register(root)
    return store.get(root.ecs_id), store.get(root.ecs_id)


def test_what_they_took_out_of_a_set_stays_out(store: ev.InMemoryEntityStorage) -> None:
    one, two, three = (Plant(name=name) for name in "123")
    mine, theirs = both(store, Plant(group={one, two}))
    theirs.group = {x for x in theirs.group if x.name != "1"}
    store.register(theirs)
    mine.group = {*mine.group, three}
    store.merge(mine)
    assert sorted(x.name for x in mine.group) == ["2", "3"]


def test_what_only_one_side_took_out_of_a_dict_stays_out(store: ev.InMemoryEntityStorage) -> None:
    mine, theirs = both(store, Plant(by_name={key: Plant(name=key) for key in "abc"}))
    del theirs.by_name["a"]
    store.register(theirs)
    del mine.by_name["b"]
    store.merge(mine)
    assert list(mine.by_name) == ["c"]


@pytest.mark.parametrize("deleted_here", [True, False])
def test_a_key_taken_out_on_one_side_and_changed_on_the_other(
    store: ev.InMemoryEntityStorage, deleted_here: bool
) -> None:
    mine, theirs = both(store, Plant(by_name={"a": Plant(), "b": Plant()}))
    taking, setting = (mine, theirs) if deleted_here else (theirs, mine)
    del taking.by_name["a"]
    setting.by_name["a"] = Plant(name="another")
    store.register(theirs)
    with pytest.raises(errors.MergeConflictError, match=r"by_name: <dict of 2> → here <dict of"):
        store.merge(mine)


def test_what_they_deleted_and_nobody_changed_goes(store: ev.InMemoryEntityStorage) -> None:
    mine, theirs = both(store, Plant(held=[Plant(name="a"), Plant(name="b")]))
    gone = theirs.held.pop()
    store.register(theirs)
    store.delete(gone)
    mine.name = "of mine"
    store.register(store.merge(mine))
    again: Any = store.get(mine.ecs_id)
    assert (again.name, [x.name for x in again.held]) == ("of mine", ["a"])


def test_an_entity_that_both_sides_made(store: ev.InMemoryEntityStorage) -> None:
    mine, theirs = both(store, Plant())
    known = uuid4()
    theirs.next = Plant(ecs_id=known, name="theirs")
    store.register(theirs)
    mine.next = Plant(ecs_id=known, name="mine")
    says = "here 'mine', in the store 'theirs'"
    with pytest.raises(errors.MergeConflictError, match=says) as caught:
        store.merge(mine)
    assert [(x.ecs_id, x.field) for x in caught.value.conflicts] == [(known, "name")]


def test_what_was_left_out_is_no_conflict(store: ev.InMemoryEntityStorage) -> None:
    root = Plant(next=Plant(name="left out"))
    _, theirs = both(store, root)
    mine: Any = store.get(root.ecs_id, hops=0)
    theirs.name = "of theirs"
    store.register(theirs)
    store.merge(mine)
    assert mine.name == "of theirs"
    with pytest.raises(errors.NotLoadedError):
        _ = mine.next.name


def test_what_was_left_out_may_have_been_deleted(store: ev.InMemoryEntityStorage) -> None:
    root = Plant(next=Plant(name="left out"))
    _, theirs = both(store, root)
    mine: Any = store.get(root.ecs_id, hops=0)
    gone, theirs.next = theirs.next, None
    store.register(theirs)
    store.delete(gone)
    mine.name = "of mine"
    store.register(store.merge(mine))
    assert (mine.name, mine.next) == ("of mine", None)


def test_what_only_stands_for_another_is_not_merged(store: ev.InMemoryEntityStorage) -> None:
    root = store.register(Plant(next=Plant()))
    with pytest.raises(errors.NotLoadedError):
        store.merge(store.get(root.ecs_id, hops=0).next)


def test_refreshing_makes_whole_what_was_left_out(store: ev.InMemoryEntityStorage) -> None:
    root = store.register(Plant(next=Plant(name="left out")))
    mine: Any = store.get(root.ecs_id, hops=0)
    part = mine.next
    store.refresh(mine)
    assert mine.next is part
    assert part.model_dump(exclude_unset=True)["name"] == "left out"


def test_every_conflict_is_a_fact_and_ten_are_shown(store: ev.InMemoryEntityStorage) -> None:
    mine, theirs = both(store, Plant(held=[Plant() for _ in range(12)]))
    for side, text in ((mine, "mine"), (theirs, "theirs")):
        for plant in side.held:
            plant.name = text
    store.register(theirs)
    with pytest.raises(errors.MergeConflictError, match="12 fields were") as caught:
        store.merge(mine)
    assert len(caught.value.conflicts) == 12
    assert str(caught.value).count("→ here 'mine'") == 10


def test_live_entities_that_are_false_stay_the_same_objects(
    store: ev.InMemoryEntityStorage,
) -> None:
    bed = Bed(name="bed")
    mine, theirs = both(store, Bed(next=bed))
    live = mine.next
    theirs.first = theirs.next
    store.register(theirs)
    store.merge(mine)
    assert mine.first is live
