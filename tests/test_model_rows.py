"""Hand-written models for some classes, derived tables for the rest, cycles across the two."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from pydantic import Field
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, object_session, relationship

import ecsviz as ev
from ecsviz import errors
from ecsviz.isomorphic import find_difference


class Person(ev.Entity):
    """Hand-written: a row of ``people``."""

    name: str
    friend: Person | None = None
    books: list[Book] = Field(default_factory=list)  # said by Book.author
    favourite: Book | None = None
    tags: dict[str, Tag] = Field(default_factory=dict)
    notes: list[list[Tag | None]] = Field(default_factory=list)


class Book(ev.Entity):
    """Derived."""

    author: Person
    title: str
    reviewers: set[Person] = Field(default_factory=set)
    sequel: Book | None = None


class Tag(ev.Entity):
    """Derived; the holder is one or the other."""

    text: str
    of: Person | Book | None = None


class Shelf(ev.Entity):
    """Hand-written; its required reference leads to a derived class and back."""

    label: str
    first: Slot


class Slot(ev.Entity):
    """Derived, and a required cycle with a hand-written class."""

    shelf: Shelf
    width: int = 1


Person.model_rebuild()
Book.model_rebuild()
Shelf.model_rebuild()


def make_models(schema: str | None) -> dict[type, Any]:
    """Return models as a user would write them, who knows nothing of the derived classes."""

    class Base(DeclarativeBase):
        metadata = sa.MetaData(schema=schema)

    prefix = f"{schema}." if schema else ""

    class PersonRow(Base):
        __tablename__ = "people"
        person_no: Mapped[int] = mapped_column(primary_key=True)
        ecs_id: Mapped[str] = mapped_column(sa.String(36), unique=True)
        full_name: Mapped[str]
        friend_no: Mapped[int | None] = mapped_column(sa.ForeignKey(f"{prefix}people.person_no"))
        friend: Mapped[Any] = relationship(
            lambda: PersonRow, remote_side=lambda: PersonRow.person_no, post_update=True
        )

        @classmethod
        def from_entity(cls, entity: Person, session: Any) -> Any:
            row = session.scalars(
                sa.select(cls).where(cls.ecs_id == str(entity.ecs_id))
            ).one_or_none()
            row = row or cls(ecs_id=str(entity.ecs_id))
            row.full_name = entity.name
            session.add(row)
            if entity.friend is None:
                row.friend = None
            else:
                query = sa.select(cls).where(cls.ecs_id == str(entity.friend.ecs_id))
                found = [
                    r for r in session.new if getattr(r, "ecs_id", "") == str(entity.friend.ecs_id)
                ]
                row.friend = (
                    found[0]
                    if found
                    else session.scalars(query).one_or_none()
                    or cls.from_entity(entity.friend, session)
                )
            return row

        def to_entity(self) -> Person:
            return Person(
                ecs_id=UUID(self.ecs_id),
                name=self.full_name,
                friend=self.friend and self.friend.to_entity(),
            )

    class ShelfRow(Base):
        __tablename__ = "shelves_of_mine"
        number: Mapped[int] = mapped_column(primary_key=True)
        ecs_id: Mapped[UUID] = mapped_column(unique=True)
        label: Mapped[str]

        @classmethod
        def from_entity(cls, entity: Shelf, session: Any) -> Any:
            return cls(ecs_id=entity.ecs_id, label=entity.label)

        def to_entity(self) -> Shelf:
            # What is required and not in this row is filled in by the store.
            return Shelf.model_construct(ecs_id=self.ecs_id, label=self.label)

    return {Person: PersonRow, Shelf: ShelfRow}


Open = Callable[[], ev.SQLAlchemyEntityStorage]
_numbers = itertools.count(1)


@pytest.fixture(params=["sqlite", "memory", "postgresql"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    schema = None
    if request.param == "postgresql":
        schema = f"mixed{next(_numbers)}"
        engine = sa.create_engine(request.getfixturevalue("postgres_url"))
        with engine.begin() as conn:
            conn.execute(sa.schema.CreateSchema(schema))
    elif request.param == "memory":
        engine = sa.create_engine(
            "sqlite://", poolclass=sa.pool.StaticPool, connect_args={"check_same_thread": False}
        )
    else:
        engine = sa.create_engine(f"sqlite:///{tmp_path / 'mixed.db'}")
    models = make_models(schema)
    yield lambda: ev.SQLAlchemyEntityStorage(engine, models=models, schema=schema)
    engine.dispose()


@pytest.fixture
def store(reopen: Open) -> ev.SQLAlchemyEntityStorage:
    return reopen()


def library() -> Person:
    """Return a graph in which every kind of reference crosses in both directions."""
    ann, bob = Person(name="Ann"), Person(name="Bob")
    ann.friend, bob.friend = bob, ann
    one = Book(author=ann, title="One", reviewers={bob})
    two = Book(author=ann, title="Two", reviewers={ann, bob}, sequel=one)
    one.sequel = two
    other = Book(author=bob, title="Other")
    ann.books, bob.books = [two, one], [other]
    ann.favourite, bob.favourite = other, one
    red = Tag(text="red", of=bob)
    ann.tags = {"a": red, "b": Tag(text="blue", of=two), "c": red}
    bob.notes = [[red, None], [], [red, Tag(text="green")]]
    return ann


def same(reopen: Open, entity: Any) -> Any:
    """Return an entity as another storage gives it, which must be as it is here."""
    again = reopen().get(entity.ecs_id)
    assert find_difference(entity, again) is None
    return again


def test_the_same_graph_comes_back(reopen: Open, store: ev.SQLAlchemyEntityStorage) -> None:
    ann = store.register(library())
    again = same(reopen, ann)
    assert again.friend.friend is again
    assert [b.title for b in again.books] == ["Two", "One"]
    assert all(b.author is again for b in again.books)
    assert again.books[0].sequel.sequel is again.books[0]
    assert again.tags["a"] is again.tags["c"] is again.friend.notes[2][0]
    assert again.tags["a"].of is again.friend
    assert again.version == 1


def test_from_any_of_its_entities(reopen: Open, store: ev.SQLAlchemyEntityStorage) -> None:
    ann = store.register(library())
    for entity in (ann.friend, ann.books[1], ann.tags["b"], ann.friend.notes[0][0]):
        same(reopen, entity)
    book, person = reopen().get_many([ann.books[0].ecs_id, ann.ecs_id])
    assert book.author is person


def test_what_each_side_keeps(store: ev.SQLAlchemyEntityStorage) -> None:
    store.register(library())
    people = store.frame("people")
    assert list(people.columns) == ["person_no", "ecs_id", "full_name", "friend_no"]
    assert sorted(people.full_name) == ["Ann", "Bob"]
    kept = store.frame("ecs_of_persons")
    assert "favourite_id" in kept.columns
    assert "name" not in kept.columns
    assert "friend_id" not in kept.columns
    assert len(store.frame(Book)) == 3


def test_registering_again_changes_nothing(reopen: Open, store: ev.SQLAlchemyEntityStorage) -> None:
    ann = store.register(library())
    store.register(ann)
    other = reopen()
    assert not other.explain(ann)
    other.register(other.get(ann.ecs_id))
    assert len(other.revisions()) == 1


def test_changes_on_either_side(reopen: Open, store: ev.SQLAlchemyEntityStorage) -> None:
    ann = store.register(library())
    bob = ann.friend
    before = {e.ecs_id: e.version for e in (ann, bob, *ann.books, *bob.books)}

    def changed() -> set[str]:
        store.register(ann)
        same(reopen, ann)
        now = {e.ecs_id: e for e in (ann, bob, *ann.books, *bob.books)}
        names = {
            getattr(e, "name", None) or e.title
            for ecs_id, e in now.items()
            if e.version != before.get(ecs_id)
        }
        before.update({ecs_id: e.version for ecs_id, e in now.items()})
        return names

    bob.name = "Robert"
    assert changed() == {"Robert"}
    ann.books.reverse()
    assert changed() == {"Ann"}
    ann.books[0].title = "Uno"
    assert changed() == {"Uno"}
    ann.favourite = None
    assert changed() == {"Ann"}
    moved = ann.books.pop()
    moved.author = bob
    bob.books.insert(0, moved)
    assert changed() == {"Ann", "Robert", "Two"}
    bob.notes[0].append(Tag(text="new", of=ann.books[0]))
    assert changed() == {"Robert"}
    del ann.tags["a"]
    assert changed() == {"Ann"}
    bob.friend = None
    assert changed() == {"Robert"}
    ann.books.append(Book(author=ann, title="Three", reviewers={bob}))
    assert changed() == {"Ann", "Three"}


def test_a_required_cycle_across(reopen: Open, store: ev.SQLAlchemyEntityStorage) -> None:
    shelf = Shelf.model_construct(label="upper")
    shelf.first = Slot(shelf=shelf, width=3)
    shelf = Shelf.model_validate(shelf)
    store.register(shelf)
    again = same(reopen, shelf)
    assert again.first.shelf is again
    same(reopen, shelf.first)


def test_stale_versions_and_taken_ids_are_refused(
    reopen: Open, store: ev.SQLAlchemyEntityStorage
) -> None:
    ann = store.register(library())
    mine, theirs = store.get(ann.ecs_id), reopen().get(ann.ecs_id)
    theirs.friend.name = "theirs"
    store.register(theirs)
    mine.friend.name = "mine"
    mine.books[0].title = "mine too"
    with pytest.raises(errors.StaleVersionError, match=r"Person .* read at version 1"):
        store.register(mine)
    assert same(reopen, theirs).books[0].title == "Two"
    with pytest.raises(errors.DuplicateIdError, match="under which the store holds a Person"):
        store.register(Tag(ecs_id=ann.ecs_id, text="x"))


def test_asking_listing_and_the_graph(store: ev.SQLAlchemyEntityStorage) -> None:
    ann = store.register(library())
    assert store.has_entity(ann.ecs_id)
    assert store.has_entity(ann.books[0].ecs_id)
    assert [p.name for p in store.list_by_type(Person)] in (["Ann", "Bob"], ["Bob", "Ann"])
    assert {b.title for b in store.list_by_type(Book)} == {"One", "Two", "Other"}
    found = store.find(Book, author=ann.friend)
    assert [b.title for b in found] == ["Other"]
    assert found[0].author.friend.name == "Ann"
    assert store.get_lineage_entities(ann.lineage_id) == [ann]
    graph = store.graph()
    assert len(graph.nodes) == 2 + 3 + 3
    assert graph.cyclic_components()
    with pytest.raises(errors.InvalidArgumentError, match="does not search"):
        store.find(Person, name="Ann")


def test_partial_reading(store: ev.SQLAlchemyEntityStorage) -> None:
    ann = store.register(library())
    book = store.get(ann.books[0].ecs_id, hops=0)
    assert book.title == "Two"
    assert book.author == ann
    assert not hasattr(book.author, "name")  # a placeholder: its row was not read
    book.title = "Zwei"
    store.register(book)
    assert store.get(ann.ecs_id).books[0].title == "Zwei"
    with pytest.raises(errors.InvalidArgumentError, match="reads it whole"):
        store.get(ann.ecs_id, hops=1)
    with pytest.raises(errors.InvalidArgumentError, match="Leave hops, only and lazy out"):
        store.get(ann.ecs_id, lazy=True)
    book = store.get(ann.books[0].ecs_id, lazy=True)
    with pytest.raises(errors.InvalidArgumentError, match="Leave hops, only and lazy out"):
        _ = book.author.name


def test_deleting(reopen: Open, store: ev.SQLAlchemyEntityStorage) -> None:
    ann = store.register(library())
    bob = ann.friend
    with pytest.raises(errors.BrokenReferenceError, match=r"Book\.author"):
        store.delete(ann)
    with pytest.raises(errors.BrokenReferenceError, match=r"Person\.favourite"):
        store.delete(bob.books[0])
    ann.favourite = None
    ann.friend = bob.friend = None
    store.register([ann, bob])
    tags = [*ann.tags.values(), bob.notes[2][1]]
    everything = {e.ecs_id: e for e in (ann, bob, *ann.books, *bob.books, *tags)}
    store.delete(everything.values())
    assert len(store.frame("people")) == 0
    assert not any(map(reopen().has_entity, everything))


def test_a_failure_leaves_nothing(
    reopen: Open, store: ev.SQLAlchemyEntityStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = store.sql_model(Person)

    def fail(*_: Any) -> Any:
        raise RuntimeError("broken")

    ann = library()
    with monkeypatch.context() as patch:
        patch.setattr(model, "from_entity", fail)
        with pytest.raises(RuntimeError, match="broken"):
            store.register(ann)
    assert not reopen().has_entity(ann.ecs_id)
    assert ann.version == 0
    store.register(ann)
    same(reopen, ann)


def test_the_plan_tells_both(store: ev.SQLAlchemyEntityStorage) -> None:
    plan = store.explain(library())
    steps = [(step.what, step.table) for step in plan.steps]
    assert ("model", "people") in steps
    assert ("insert", "books") in steps
    assert plan.added == 8


def test_models_can_ask_for_derived_entities(reopen: Open, tmp_path: Path) -> None:
    """A user's row may hold a key to a derived table, or the id of one of its entities."""

    class Base(DeclarativeBase):
        pass

    class ShelfRow(Base):
        __tablename__ = "shelves_of_mine"
        number: Mapped[int] = mapped_column(primary_key=True)
        ecs_id: Mapped[UUID] = mapped_column(unique=True)
        label: Mapped[str]
        slot_id: Mapped[int]

        @classmethod
        def from_entity(cls, entity: Shelf, session: Any) -> Any:
            slot = store.sql_model(Slot).from_entity(entity.first, session)
            return cls(ecs_id=entity.ecs_id, label=entity.label, slot_id=slot.id)

        def to_entity(self) -> Shelf:
            session = object_session(self)
            assert session is not None
            slot = session.get(store.sql_model(Slot), self.slot_id)
            assert slot is not None
            first = slot.to_entity()
            assert store.get(slot.ecs_id) is first
            return Shelf(ecs_id=self.ecs_id, label=self.label, first=first)

    store = ev.SQLAlchemyEntityStorage(tmp_path / "ask.db", models={Shelf: ShelfRow})
    shelf = Shelf.model_construct(label="upper")
    shelf.first = Slot(shelf=shelf)
    store.register(shelf)
    for ecs_id in (shelf.ecs_id, shelf.first.ecs_id):
        again = store.get(ecs_id)
        assert find_difference(store.get(shelf.ecs_id), shelf) is None
        assert again.ecs_id == ecs_id


def test_long_rings_across(store: ev.SQLAlchemyEntityStorage) -> None:
    people = [Person(name=str(n)) for n in range(300)]
    for n, person in enumerate(people):
        after = people[(n + 1) % len(people)]
        person.books = [Book(author=person, title=str(n), reviewers={after})]
        person.favourite = after.books[0] if after.books else None
    store.register(people[0])
    again = store.get(people[0].ecs_id)
    step = again
    for _ in people:
        (step,) = step.books[0].reviewers
    assert step is again


def test_without_its_model_the_store_says_so(
    reopen: Open, store: ev.SQLAlchemyEntityStorage
) -> None:
    ann = store.register(library())
    bare = ev.SQLAlchemyEntityStorage(store.engine, schema=store.metadata.schema)
    with pytest.raises(errors.SchemaOutdatedError, match=r"models=\{Person: …\}"):
        bare.get(ann.ecs_id)
    with pytest.raises(errors.SchemaOutdatedError, match=r"models=\{Person: …\}"):
        bare.register(library())
    derived = make_models(store.metadata.schema)
    late = ev.SQLAlchemyEntityStorage(
        store.engine, schema=store.metadata.schema, models={Book: derived[Shelf], **derived}
    )
    with pytest.raises(errors.SchemaOutdatedError, match=r"Book is stored here in the table"):
        late.get(ann.books[0].ecs_id)


def test_a_row_that_is_gone_is_told(store: ev.SQLAlchemyEntityStorage) -> None:
    ann = store.register(library())
    schema = f"{store.metadata.schema}." if store.metadata.schema else ""
    with store.engine.begin() as conn:
        conn.exec_driver_sql(f"UPDATE {schema}people SET friend_no = NULL")
        conn.exec_driver_sql(f"DELETE FROM {schema}people WHERE full_name = 'Bob'")
    with pytest.raises(errors.BrokenReferenceError, match="PersonRow has no row of it"):
        store.get(ann.ecs_id)


def test_a_model_that_makes_another_class_is_told(store: ev.SQLAlchemyEntityStorage) -> None:
    class Poet(Person):
        metre: str = "iamb"

    poet = store.register(Poet(name="Sappho"))
    with pytest.raises(errors.StoredDataInvalidError, match="Give Poet a model of its own"):
        store.get(poet.ecs_id)


def test_migrate_changes_what_the_store_keeps(store: ev.SQLAlchemyEntityStorage) -> None:
    ann = store.register(library())
    assert not store.migrate(Person, Book).changes
    assert store.get(ann.ecs_id).version == 1


def test_the_python_source_has_the_tables_of_the_store(store: ev.SQLAlchemyEntityStorage) -> None:
    store.register(library())
    text = store.to_python()
    assert "__tablename__ = 'books'" in text
    assert "__tablename__ = 'ecs_of_persons'" in text
    assert "full_name" not in text
    compile(text, "models.py", "exec")
