"""Private attributes, and ``model_post_init``, which sets them: in whatever is read."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import Field, PrivateAttr

import ecsviz as ev
from ecsviz import errors
from ecsviz.isomorphic import find_difference
from tests.conformance.conftest import Open


class Slug(ev.Entity):
    name: str
    _slug: str = PrivateAttr()

    def model_post_init(self, context: Any) -> None:
        self._slug = self.name.lower()


class Mixin:
    """Defines it, and is no model."""

    def model_post_init(self, context: Any) -> None:
        self._told = type(self).__name__


class Mixed(Mixin, ev.Entity):
    _told: str = PrivateAttr(default="")


class Deep(ev.Entity):
    """What it computes stands on what is computed of what it holds."""

    next: Deep | None = None
    _depth: int = PrivateAttr(default=0)

    def model_post_init(self, context: Any) -> None:
        self._depth = 0 if self.next is None else self.next._depth + 1


class Shelf(ev.Entity):
    books: list[Book] = Field(default_factory=list)
    opened: int = 0

    def model_post_init(self, context: Any) -> None:
        self.opened += 1


class Book(ev.Entity):
    """Puts itself on its shelf, as many do."""

    shelf: Shelf
    tags: list[str] = Field(default_factory=list)
    _view: Any = PrivateAttr(default=None)

    def model_post_init(self, context: Any) -> None:
        self.shelf.books.append(self)
        self._view = self.tags


class Child(Slug):
    """Inherits it, and has private attributes of its own."""

    _more: list[int] = PrivateAttr(default_factory=list)


class Fragile(ev.Entity):
    text: str | None = ""
    _size: int = PrivateAttr()

    def model_post_init(self, context: Any) -> None:
        self._size = len(self.text)  # type: ignore[arg-type]  # which fails for None, as meant


class Constructed(ev.Entity):
    name: str
    _key: str = PrivateAttr()

    def __init__(self, **data: Any) -> None:
        super().__init__(**data)
        self._key = self.name


@pytest.mark.parametrize("cls", [Slug, Child])
def test_it_runs_for_whatever_is_read(reopen: Open, cls: Any) -> None:
    slug = reopen().register(cls(name="A"))
    slug.name = "B"
    reopen().register(slug)
    store: Any = reopen()
    assert store.get(slug.ecs_id)._slug == "b"
    assert store.get_many([slug.ecs_id])[0]._slug == "b"
    assert store.list_by_type(cls)[0]._slug == "b"
    assert store.find(cls, name="B")[0]._slug == "b"
    assert store.get_lineage_entities(slug.lineage_id)[0]._slug == "b"
    assert store.get(slug.ecs_id, as_of=1)._slug == "a"
    assert store.refresh(slug)._slug == "b"
    assert store.revert(slug, to=1)._slug == "a"


def test_every_way_of_copying_keeps_what_it_has_set(reopen: Open) -> None:
    slug = reopen().register(Child(name="A"))
    read = reopen().get(slug.ecs_id)
    read._more.append(3)
    ways: list[Callable[[Any], Any]] = [
        copy.copy,
        copy.deepcopy,
        lambda e: pickle.loads(pickle.dumps(e)),
        lambda e: e.fork(),
        lambda e: e.fork(deep=True),
        lambda e: e.model_copy(),
    ]
    for way in ways:
        assert (way(read)._slug, way(read)._more) == ("a", [3])
    assert Child.model_validate(read.model_dump())._slug == "a"


def test_a_mixin_may_define_it(reopen: Open) -> None:
    mixed = reopen().register(Mixed())
    assert reopen().get(mixed.ecs_id)._told == mixed._told == "Mixed"


def test_dependencies_come_first(reopen: Open) -> None:
    deep = Deep()
    for _ in range(50):
        deep = Deep(next=deep)
    reopen().register(deep)
    assert reopen().get(deep.ecs_id)._depth == 50


def test_reading_is_no_edit(reopen: Open) -> None:
    """What it does to fields, its own and others', is not what is stored."""
    shelf = Shelf()
    book = Book(shelf=shelf, tags=["a"])
    reopen().register(book)
    read = reopen().get(book.ecs_id)
    assert find_difference(book, read) is None
    assert len(read.shelf.books) == 1
    assert read._view is read.tags, "what was not changed is the same object"
    reopen().register(read)
    assert len(reopen().revisions()) == 1
    assert len(reopen().verify(book)) == 0
    assert not reopen().diff(book)


def test_it_runs_for_parts_as_far_as_they_are_there(reopen: Open) -> None:
    deep = Deep(next=Deep())
    reopen().register(deep)
    part: Any = reopen().get(deep.ecs_id, hops=0)
    assert part._depth == 0
    with pytest.raises(errors.NotLoadedError, match="was left out"):
        _ = part.next._depth
    shelf = reopen().register(Shelf())
    assert reopen().get(shelf.ecs_id, hops=0).opened == 1


def test_a_failure_names_the_entity(reopen: Open) -> None:
    fragile = Fragile(text="secret")
    fragile.text = None
    reopen().register(fragile)
    with pytest.raises(errors.StoredDataInvalidError, match="model_post_init of Fragile") as caught:
        reopen().get(fragile.ecs_id)
    assert caught.value.ecs_id == fragile.ecs_id
    assert isinstance(caught.value.__cause__, TypeError)


def test_what_nobody_sets_is_told(reopen: Open) -> None:
    made = reopen().register(Constructed(name="a"))
    read = reopen().get(made.ecs_id)
    with pytest.raises(errors.NotLoadedError, match="set it in model_post_init") as caught:
        _ = read._key
    assert caught.value.field == "_key"
    assert not hasattr(read, "_key")
    read._key = "b"
    assert read._key == "b"


def test_frames_run_it_validated_or_not() -> None:
    nodes, references = ev.to_frames(Deep(next=Deep()))
    for validate in (True, False):
        read = ev.from_frames(nodes, references, validate=validate)
        assert sorted(deep._depth for deep in read) == [0, 1]


def test_a_row_of_a_model_runs_it_too() -> None:
    store = ev.SQLAlchemyEntityStorage(":memory:")
    store.register(Slug(name="A"))
    with store.session_factory() as session:
        row: Any = session.query(store.sql_model(Slug)).one()
        assert row.to_entity()._slug == "a"
