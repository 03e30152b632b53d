"""A cell that defines a class is edited and run again: what becomes of the entities made before."""

from __future__ import annotations

import itertools
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import Field, PrivateAttr

import ecsviz as ev
from ecsviz import errors
from tests.conformance.conftest import Open

_numbers = itertools.count()


class Cell:
    """A class that can be defined anew under its name."""

    def __init__(self) -> None:
        self.name = f"Book{next(_numbers)}"
        self.kept: list[Any] = []  # or an earlier definition could be collected

    def run(self, **fields: Any) -> Any:
        """Define the class: per field its annotation, or that and its default."""
        given = {n: f if isinstance(f, tuple) else (f,) for n, f in fields.items()}
        space: dict[str, Any] = {
            "__module__": "cook",
            "__annotations__": {n: f[0] for n, f in given.items()},
            **{n: f[1] for n, f in given.items() if len(f) > 1},
        }
        made: Any = type(self.name, (ev.Entity,), space)
        made.model_rebuild(_types_namespace={self.name: made})
        self.kept.append(made)
        return made

    def migrate(self, reopen: Open, **options: Any) -> Any:
        """Let the tables follow, where there are any; return the storage."""
        store: Any = reopen()
        if isinstance(store, ev.SQLAlchemyEntityStorage):
            store.migrate(**options)
        return store


def test_what_was_made_before_takes_the_default(reopen: Open) -> None:
    cell = Cell()
    first = cell.run(title=str)
    kept, new = first(title="kept"), first(title="new")
    reopen().register(kept)
    second = cell.run(title=str, rating=(int, 3), notes=(list[str], Field(default_factory=list)))
    store = cell.migrate(reopen)
    assert store.register([kept, new]) == [kept, new]
    assert (kept.version, kept.rating, new.rating, new.notes) == (1, 3, 3, [])
    assert type(kept) is second
    kept.rating = 5
    new.notes.append("good")
    store.register([kept, new])
    again, other = store.get_many([kept.ecs_id, new.ecs_id])
    assert (again.rating, other.notes, again.version) == (5, ["good"], 2)
    assert store.get(kept.ecs_id, as_of=1).rating == 3
    assert [b.title for b in store.find(second, rating=3)] == ["new"]
    assert store.verify().empty


def test_a_factory_is_asked_once(reopen: Open) -> None:
    cell = Cell()
    book = cell.run(title=str)(title="a")
    cell.run(title=str, key=(UUID, Field(default_factory=uuid4)))
    store = reopen()
    store.register(book)
    assert store.register(book).version == 1
    assert store.get(book.ecs_id).key == book.key


def test_old_and_new_ones_hold_each_other(reopen: Open) -> None:
    cell = Cell()
    link = f"{cell.name} | None"
    first = cell.run(title=str, after=(link, None))
    old = first(title="old")
    reopen().register(old)
    second = cell.run(title=str, after=(link, None), rating=(int, 3))
    store = cell.migrate(reopen)
    new = second(title="new", after=old)
    old.after = new
    store.register(new)
    again = store.get(old.ecs_id)
    assert (again.rating, again.after.after is again, old.rating) == (3, True, 3)
    assert new.after is old


def test_private_attributes_get_their_defaults_too(reopen: Open) -> None:
    cell = Cell()
    book = cell.run(title=str, _seen=(int, PrivateAttr(default=1)))(title="a")
    book._seen = 7
    cell.run(
        title=str,
        _seen=(int, PrivateAttr(default=1)),
        _more=(int, PrivateAttr(default=2)),
        rating=(int, 3),
    )
    reopen().register(book)
    assert (book._seen, book._more) == (7, 2)


def test_what_has_no_default_is_told(reopen: Open) -> None:
    cell = Cell()
    book = cell.run(title=str)(title="a")
    cell.run(title=str, rating=int)
    with pytest.raises(errors.ValueNotStorableError) as caught:
        reopen().register(book)
    assert "made by an earlier definition" in str(caught.value)
    assert "no 'rating'" in str(caught.value)
    assert "Make it anew" in str(caught.value)
    assert not reopen().has_entity(book.ecs_id)
    cell.run(title=str)
    assert reopen().register(book).version == 1, "nothing of it was changed"


def test_a_field_that_is_gone_stays_with_the_object(reopen: Open) -> None:
    cell = Cell()
    book = cell.run(title=str, note=(str, ""))(title="a", note="mine")
    cell.run(title=str)
    reopen().register(book)
    assert (book.title, book.__dict__["note"]) == ("a", "mine")
    assert not hasattr(reopen().get(book.ecs_id), "note")


def test_a_default_does_not_take_the_place_of_a_renamed_value(reopen: Open) -> None:
    """A field that is gone and another that is new may be one: nothing is guessed."""
    cell = Cell()
    book = cell.run(titel=str)(titel="a")
    store: Any = reopen()
    if not isinstance(store, ev.SQLAlchemyEntityStorage):
        cell.run(title=(str, ""))
        with pytest.raises(errors.ValueNotStorableError, match="'titel'"):
            store.register(book)
        return
    store.register(book)
    second = cell.run(title=(str, ""))
    store.migrate(rename={f"{cell.name}.titel": "title"})
    with pytest.raises(errors.ValueNotStorableError, match=r"store\.refresh"):
        store.register(book)
    assert store.refresh(book) is book
    assert (type(book), book.title, hasattr(book, "titel")) == (second, "a", False)
    book.title = "b"
    assert store.register(book).version == 2
    assert store.get(book.ecs_id).title == "b"


def test_a_value_of_another_type_is_told(reopen: Open) -> None:
    cell = Cell()
    book = cell.run(pages=str)(pages="12")
    store: Any = reopen()
    has_tables = isinstance(store, ev.SQLAlchemyEntityStorage)
    if has_tables:
        store.register(book)
    cell.run(pages=int)
    if has_tables:
        store.migrate(convert={f"{cell.name}.pages": int})
    with pytest.raises(errors.ValueNotStorableError, match="another type of 'pages'"):
        store.register(book)
    if has_tables:
        assert store.refresh(book).pages == 12
        assert store.register(book).version == 1


def test_refresh_and_merge_bring_what_is_new(reopen: Open) -> None:
    cell = Cell()
    link = f"{cell.name} | None"
    first = cell.run(title=str, after=(link, None))
    book = first(title="a", after=first(title="b"))
    reopen().register(book)
    second = cell.run(title=str, after=(link, None), rating=(int, 3))
    store = cell.migrate(reopen)
    held = book.after
    assert store.refresh(book).rating == 3
    assert (book.after is held, type(held), held.rating) == (True, second, 3)
    late = first.model_construct(**{n: book.__dict__[n] for n in ("ecs_id", "lineage_id")})
    late.__dict__.update(parent_id=None, version=1, title="mine", after=None)
    theirs = store.get(book.ecs_id)
    theirs.rating = 4
    store.register(theirs)
    store.register(store.merge(late))
    assert (late.title, late.rating, type(late)) == ("mine", 4, second)
