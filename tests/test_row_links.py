"""Hand-written models of every kind: nothing given is lost, or `register` says what would be."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from pydantic import Field
from sqlalchemy.orm import DeclarativeBase, Mapped, declarative_base, mapped_column, relationship

import ecsviz as ev
from ecsviz import errors
from tests.databases import counted

Store = ev.SQLAlchemyEntityStorage


class Post(ev.Entity):
    title: str
    notes: list[Note] = Field(default_factory=list)


class Note(ev.Entity):
    post: Post
    text: str
    answers: Note | None = ev.reference(default=None, inverse=None)


Post.model_rebuild()


def post(count: int = 4) -> Post:
    made = Post(title="x")
    made.notes = [Note(post=made, text=str(n)) for n in range(count)]
    for one, two in itertools.pairwise(made.notes):
        two.answers = one
    return made


def values_only(cls: type, *names: str) -> dict[str, Any]:
    """Return methods that handle the values alone."""

    def from_entity(model: Any, entity: Any, session: Any) -> Any:
        row = model(ecs_id=str(entity.ecs_id), **{n: getattr(entity, n) for n in names})
        session.add(row)
        return row

    def to_entity(self: Any) -> Any:
        values = {name: getattr(self, name) for name in names}
        return cls.model_construct(ecs_id=UUID(str(self.ecs_id)), **values)

    return {"from_entity": classmethod(from_entity), "to_entity": to_entity}


def ids(**more: Any) -> dict[str, Any]:
    return {
        "id": sa.Column(sa.Integer, primary_key=True),
        "ecs_id": sa.Column(sa.String, index=True),
        **more,
    }


def text() -> Any:
    return sa.Column(sa.String)


def key(to: str = "posts.id", **options: Any) -> Any:
    return sa.Column(sa.ForeignKey(to), **options)


def model(base: Any, name: str, table: str, cls: type, names: list[str], /, **more: Any) -> Any:
    body = {"__tablename__": table, "__module__": __name__, **ids(), **values_only(cls, *names)}
    return type(name, (base,), {**body, **more})


def two_way(base: Any) -> dict[str, Any]:
    return {
        "post": {"notes": relationship("NoteSQL", back_populates="post")},
        "note": {
            "post_id": key(),
            "post": relationship("PostSQL", back_populates="notes"),
            "position": sa.Column(sa.Integer),
        },
    }


def one_way_up(base: Any) -> dict[str, Any]:
    return {"post": {}, "note": {"post_id": key(), "post": relationship("PostSQL")}}


def one_way_down(base: Any) -> dict[str, Any]:
    return {"post": {"notes": relationship("NoteSQL")}, "note": {"post_id": key()}}


def keys_alone(base: Any) -> dict[str, Any]:
    return {"post": {}, "note": {"post_id": key()}}


def required_key(base: Any) -> dict[str, Any]:
    return {"post": {}, "note": {"post_id": key(nullable=False)}}


def key_to_the_uuid(base: Any) -> dict[str, Any]:
    more = {"ecs_id": sa.Column(sa.String, unique=True)}
    return {"post": more, "note": {"post_ecs_id": key("posts.ecs_id")}}


def other_names(base: Any) -> dict[str, Any]:
    return {
        "post": {
            "comments": relationship(
                "NoteSQL", back_populates="belongs_to", order_by="NoteSQL.ordinal"
            )
        },
        "note": {
            "owner": key(),
            "ordinal": sa.Column("nr", sa.Integer),
            "belongs_to": relationship("PostSQL", back_populates="comments"),
        },
    }


def through_a_table(base: Any) -> dict[str, Any]:
    table = sa.Table(
        "post_notes",
        base.metadata,
        sa.Column("post", sa.ForeignKey("posts.id"), primary_key=True),
        sa.Column("note", sa.ForeignKey("notes.id"), primary_key=True),
    )
    notes = relationship("NoteSQL", secondary=table, back_populates="post")
    back = relationship("PostSQL", secondary=table, back_populates="notes", uselist=False)
    return {"post": {"notes": notes}, "note": {"post": back}}


SHAPES: dict[str, Callable[[Any], dict[str, Any]]] = {
    made.__name__: made
    for made in (
        two_way,
        one_way_up,
        one_way_down,
        keys_alone,
        required_key,
        key_to_the_uuid,
        other_names,
        through_a_table,
    )
}


def models_of(shape: str, answers: bool = True) -> dict[type, Any]:
    base = declarative_base()
    more = SHAPES[shape](base)
    note = more["note"]
    if answers:
        note = {**note, "answers_id": key("notes.id")}
        if shape not in ("keys_alone", "required_key"):
            note["answers"] = relationship(
                "NoteSQL", remote_side="NoteSQL.id", foreign_keys="NoteSQL.answers_id"
            )
    return {
        Post: model(base, "PostSQL", "posts", Post, ["title"], title=text(), **more["post"]),
        Note: model(base, "NoteSQL", "notes", Note, ["text"], text=text(), **note),
    }


@pytest.fixture(params=["sqlite", "postgresql"])
def open_with(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    if request.param == "sqlite":
        yield lambda models: Store(tmp_path / "mine.db", models=models)
        return
    url = sa.make_url(request.getfixturevalue("postgres_url"))
    name = f"d{next(_numbers)}"
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as conn:
        conn.exec_driver_sql(f"CREATE DATABASE {name}")
    admin.dispose()
    engine = sa.create_engine(url.set(database=name))
    yield lambda models: Store(engine, models=models)
    engine.dispose()


_numbers = itertools.count(1)


def said(of: Post) -> list[Any]:
    return [(n.text, n.post is of, None if n.answers is None else n.answers.text) for n in of.notes]


@pytest.mark.parametrize("shape", SHAPES)
def test_methods_that_handle_values_alone_lose_nothing(shape: str, open_with: Any) -> None:
    models = models_of(shape)
    store = open_with(models)
    one = post()
    expected = said(one)
    store.register(one)
    again = open_with(models_of(shape))
    assert said(again.get(one.ecs_id)) == expected
    assert said(again.get(one.notes[2].ecs_id).post) == expected
    assert not again.explain(again.get(one.ecs_id))
    # Whatever changes is written the same way.
    got = again.get(one.ecs_id)
    got.notes.append(Note(post=got, text="new", answers=got.notes[0]))
    got.notes[1].answers = None
    got.title = "y"
    again.register(got)
    assert said(store.get(one.ecs_id)) == said(got)
    assert not len(store.verify())


@pytest.mark.parametrize("shape", ["two_way", "other_names"])
def test_the_order_of_a_list_is_kept_where_there_is_a_place_for_it(
    shape: str, tmp_path: Path
) -> None:
    store = Store(tmp_path / "a.db", models=models_of(shape))
    one = store.register(post())
    one.notes.reverse()
    store.register(one)
    assert [n.text for n in store.get(one.ecs_id).notes] == ["3", "2", "1", "0"]
    moved = one.notes.pop()
    one.notes.insert(1, moved)
    store.register(one)
    assert [n.text for n in store.get(one.ecs_id).notes] == ["3", "0", "2", "1"]


def test_where_there_is_no_place_for_it_register_says_so(tmp_path: Path) -> None:
    store = Store(tmp_path / "a.db", models=models_of("keys_alone"))
    one = store.register(post())
    one.notes.reverse()
    with pytest.raises(errors.ValueNotStorableError, match=r"Post\.notes does not come back") as e:
        store.register(one)
    assert e.value.place == "Post.notes"
    assert "Of a pair, set Note.post too and register both ends." in str(e.value)
    assert [n.text for n in store.get(one.ecs_id).notes] == ["0", "1", "2", "3"]


def test_a_reference_that_no_column_can_hold(tmp_path: Path) -> None:
    store = Store(tmp_path / "a.db", models=models_of("two_way", answers=False))
    with pytest.raises(errors.ValueNotStorableError, match=r"Note\.answers does not come back"):
        store.register(post())
    lone = Post(title="alone")
    lone.notes = [Note(post=lone, text="no answer")]
    store.register(lone)  # what is not there is not lost
    assert said(store.get(lone.ecs_id)) == [("no answer", True, None)]


def test_the_statements_do_not_grow_with_the_entities(tmp_path: Path) -> None:
    sent = []
    for count in (20, 400):
        store = Store(tmp_path / f"{count}.db", models=models_of("two_way"))
        one = post(count)
        with counted() as saving:
            store.register(one)
        with counted() as loading:
            assert len(store.get(one.ecs_id).notes) == count
        # SQLAlchemy itself may insert row by row, where it has to ask for every key.
        sent.append((len([s for s in saving if not s.startswith("INSERT")]), len(loading)))
    assert sent[0] == sent[1]


@pytest.mark.parametrize("count", [2, 3, 4, 6, 7])
def test_as_many_rows_as_are_asked_for_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """One fewer than a batch, as many, one more; and around two batches."""
    monkeypatch.setattr("ecsviz.storage.relational.models.relationships.BATCH", 3)
    store = Store(tmp_path / "a.db", models=models_of("two_way"))
    one = store.register(post(count))
    assert said(store.get(one.ecs_id)) == said(one)
    one.notes.reverse()
    for note, other in itertools.pairwise(one.notes):
        note.answers, other.answers = other, None
    store.register(one)
    assert said(store.get(one.ecs_id)) == said(one)
    assert [n.text for n in store.list_by_type(Note)] == [str(n) for n in range(count)]
    assert store.verify().empty


def test_a_ring_of_rows_of_one_table(tmp_path: Path) -> None:
    store = Store(tmp_path / "a.db", models=models_of("two_way"))
    one = post(5)
    one.notes[0].answers = one.notes[-1]
    store.register(one)
    assert [n.answers.text for n in store.get(one.ecs_id).notes] == ["4", "0", "1", "2", "3"]


# -- how else a user may write it ------------------------------------------------------------


class Item(ev.Entity):
    name: str
    price: Decimal = Decimal(1)
    seen: datetime | None = None
    tags: list[Tag] = ev.reference(default_factory=list, inverse=None)
    next: Item | None = None


class Tag(ev.Entity):
    word: str


Item.model_rebuild()


def item_models(column: Any = None, tags: bool = True, **methods: Any) -> dict[type, Any]:
    base = declarative_base()
    table = sa.Table(
        "item_tags",
        base.metadata,
        sa.Column("n", sa.Integer, primary_key=True),
        sa.Column("item", sa.ForeignKey("items.id")),
        sa.Column("tag", sa.ForeignKey("tags.id")),
    )
    more: dict[str, Any] = {
        "price": sa.Column(column or sa.String),
        "next_id": key("items.id"),
        "next": relationship("ItemSQL", remote_side="ItemSQL.id"),
    }
    if tags:
        more["tags"] = relationship("TagSQL", secondary=table, order_by=table.c.n)

    def from_entity(cls: Any, entity: Item, session: Any) -> Any:
        row = cls(ecs_id=str(entity.ecs_id), name=entity.name, price=str(entity.price))
        session.add(row)
        return row

    def to_entity(self: Any) -> Item:
        return Item(ecs_id=UUID(self.ecs_id), name=self.name, price=Decimal(str(self.price)))

    own = {"from_entity": classmethod(from_entity), "to_entity": to_entity, **methods}
    return {
        Item: model(base, "ItemSQL", "items", Item, ["name"], **more, **{"name": text(), **own}),
        Tag: model(base, "TagSQL", "tags", Tag, ["word"], word=text()),
    }


def test_an_association_table_of_the_users(tmp_path: Path) -> None:
    models = item_models()
    store = Store(tmp_path / "a.db", models=models)
    a, b = Tag(word="a"), Tag(word="b")
    one, two = Item(name="one", tags=[b, a]), Item(name="two", tags=[a])
    one.next, two.next = two, one
    store.register([one, two])
    got = store.get(one.ecs_id)
    assert [t.word for t in got.tags] == ["b", "a"]
    assert got.next.tags[0] is got.tags[1]
    assert got.next.next is got
    got.tags = [got.tags[0]]
    store.register(got)
    assert [t.word for t in store.get(one.ecs_id).tags] == ["b"]


@pytest.mark.parametrize(
    ("entity", "models", "field"),
    [
        (Item(name="a", seen=datetime(2024, 1, 1, tzinfo=UTC)), {}, "Item.seen"),
        (Item(name="a", tags=[Tag(word="b")]), {"tags": False}, "Item.tags"),
        (Item(name="a", price=Decimal("1.123456789")), {"column": sa.Numeric(8, 2)}, "Item.price"),
    ],
)
def test_a_value_that_is_forgotten_or_changed(
    entity: Item, models: dict[str, Any], field: str, tmp_path: Path
) -> None:
    store = Store(tmp_path / "a.db", models=item_models(**models))
    with pytest.raises(errors.ValueNotStorableError) as caught:
        store.register(entity)
    assert caught.value.place == field
    assert "Nothing was saved" in str(caught.value)
    assert not len(store.revisions())
    assert entity.version == 0


def _returns_none(cls: Any, entity: Any, session: Any) -> Any:
    session.add(cls(ecs_id=str(entity.ecs_id), name=entity.name, price=str(entity.price)))


def _adds_nothing(cls: Any, entity: Any, session: Any) -> Any:
    return cls(ecs_id=str(entity.ecs_id), name=entity.name, price=str(entity.price))


def _commits(cls: Any, entity: Any, session: Any) -> Any:
    session.add(cls(ecs_id=str(entity.ecs_id), name=entity.name, price=str(entity.price)))
    session.commit()


def _flushes_and_finds(cls: Any, entity: Any, session: Any) -> Any:
    found = session.scalars(sa.select(cls).where(cls.ecs_id == str(entity.ecs_id))).first()
    row = found or cls(ecs_id=str(entity.ecs_id))
    row.name, row.price = entity.name, str(entity.price)
    session.add(row)
    session.flush()
    return row


def _merges(cls: Any, entity: Any, session: Any) -> Any:
    return session.merge(cls(ecs_id=str(entity.ecs_id), name=entity.name, price=str(entity.price)))


@pytest.mark.parametrize(
    "method", [_returns_none, _adds_nothing, _commits, _flushes_and_finds, _merges]
)
def test_ways_to_make_a_row(method: Any, tmp_path: Path) -> None:
    store = Store(tmp_path / "a.db", models=item_models(from_entity=classmethod(method)))
    one = Item(name="one", tags=[Tag(word="a")], next=Item(name="two"))
    store.register(one)
    one.name = "uno"
    store.register(one)
    got = store.get(one.ecs_id)
    assert (got.name, got.tags[0].word, got.next.name, got.version) == ("uno", "a", "two", 2)
    with store.session_factory() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(sa.table("items"))) == 2


def test_what_a_method_commits_is_undone_if_a_later_one_fails(tmp_path: Path) -> None:
    def fails(cls: Any, entity: Any, session: Any) -> Any:
        if entity.name == "bad":
            raise RuntimeError("broken")
        return _commits(cls, entity, session)

    store = Store(tmp_path / "a.db", models=item_models(from_entity=classmethod(fails)))
    with pytest.raises(RuntimeError, match="broken"):
        store.register(Item(name="bad", next=Item(name="good")))
    with store.engine.connect() as conn:
        assert sa.inspect(conn).get_table_names() == []


def test_a_row_of_another_entity_is_refused(tmp_path: Path) -> None:
    def wrong(cls: Any, entity: Any, session: Any) -> Any:
        return cls(ecs_id=str(UUID(int=7)), name=entity.name)

    store = Store(tmp_path / "a.db", models=item_models(from_entity=classmethod(wrong)))
    with pytest.raises(errors.ValueNotStorableError, match="no row with the ecs_id"):
        store.register(Item(name="a"))


def test_a_to_entity_with_references_that_looks_into_what_it_holds(tmp_path: Path) -> None:
    def to_entity(self: Any) -> Item:
        tags = sorted((t.to_entity() for t in self.tags), key=lambda tag: tag.word)
        return Item(ecs_id=UUID(self.ecs_id), name=self.name, price=Decimal(self.price), tags=tags)

    store = Store(tmp_path / "a.db", models=item_models(to_entity=to_entity))
    one = store.register(Item(name="a", tags=[Tag(word="a"), Tag(word="b")]))
    assert [t.word for t in store.get(one.ecs_id).tags] == ["a", "b"]
    other = Item(name="b", tags=[Tag(word="b"), Tag(word="a")])
    with pytest.raises(errors.ValueNotStorableError, match=r"Item\.tags"):
        store.register(other)


class Modern(DeclarativeBase):
    pass


class Animal(ev.Entity):
    name: str


class Dog(Animal):
    owner: Owner | None = None


class Owner(ev.Entity):
    name: str
    pets: list[Animal] = []


Dog.model_rebuild()


class OwnerSQL(Modern):
    __tablename__ = "owners"
    id: Mapped[int] = mapped_column(primary_key=True)
    ecs_id: Mapped[UUID]
    name: Mapped[str]
    pets: Mapped[list[AnimalSQL]] = relationship(foreign_keys="AnimalSQL.keeper_id")

    @classmethod
    def from_entity(cls, entity: Owner, session: Any) -> OwnerSQL:
        return cls(ecs_id=entity.ecs_id, name=entity.name)

    def to_entity(self) -> Owner:
        return Owner(ecs_id=self.ecs_id, name=self.name)


class AnimalSQL(Modern):
    __tablename__ = "animals"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}
    id: Mapped[int] = mapped_column(primary_key=True)
    ecs_id: Mapped[UUID]
    name: Mapped[str]
    kind: Mapped[str]
    keeper_id: Mapped[int | None] = mapped_column(sa.ForeignKey("owners.id"))

    @classmethod
    def from_entity(cls, entity: Any, session: Any) -> Any:
        return cls(ecs_id=entity.ecs_id, name=entity.name)

    def to_entity(self) -> Any:
        return Animal(ecs_id=self.ecs_id, name=self.name)


class DogSQL(AnimalSQL):
    __mapper_args__ = {"polymorphic_identity": "dog"}
    owner_id: Mapped[int | None] = mapped_column(sa.ForeignKey("owners.id"))
    owner: Mapped[OwnerSQL | None] = relationship(foreign_keys="DogSQL.owner_id")

    def to_entity(self) -> Any:
        return Dog(ecs_id=self.ecs_id, name=self.name)


def test_models_of_subclasses(tmp_path: Path) -> None:
    models = {Owner: OwnerSQL, Animal: AnimalSQL, Dog: DogSQL}
    store = Store(tmp_path / "a.db", models=models)
    ann = Owner(name="Ann")
    rex, cat = Dog(name="Rex", owner=ann), Animal(name="Cat")
    ann.pets = [cat, rex]
    store.register(ann)
    got = store.get(ann.ecs_id)
    assert [(type(p), p.name) for p in got.pets] == [(Animal, "Cat"), (Dog, "Rex")]
    assert got.pets[1].owner is got


def test_verify_looks_into_the_tables_of_the_user(tmp_path: Path) -> None:
    def to_entity(self: Any) -> Item:
        return Item(ecs_id=UUID(self.ecs_id), name=self.name, price=Decimal(self.price))

    store = Store(tmp_path / "a.db", models=item_models(to_entity=to_entity))
    one, two, three = store.register([Item(name=name) for name in "abc"])
    assert not len(store.verify())
    with store.engine.begin() as conn:
        conn.exec_driver_sql("UPDATE items SET price = 'dear' WHERE name = 'a'")
        conn.exec_driver_sql("DELETE FROM items WHERE name = 'b'")
        conn.exec_driver_sql("UPDATE items SET next_id = 99 WHERE name = 'c'")
    found = store.verify()
    assert set(found["table"]) == {"items"}
    told = dict(zip(found["ecs_id"], found["detail"], strict=True))
    assert "InvalidOperation" in told[one.ecs_id]
    assert "no row in items" in told[two.ecs_id]
    assert "refers to a row of items that is gone" in told[None]
    assert three.ecs_id not in told
