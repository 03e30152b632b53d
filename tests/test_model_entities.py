"""`ev.entity_class`: a plain pydantic model becomes one that is stored."""

import pickle
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, Optional, TypeVar

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError, field_validator
from sqlmodel import Field as Column
from sqlmodel import SQLModel

import ecsviz as ev
from ecsviz import errors
from tests.cells import notebook

T = TypeVar("T")


class Address(BaseModel):
    street: str
    since: datetime | None = None


class Author(BaseModel):
    """Who writes."""

    model_config = ConfigDict(str_strip_whitespace=True)

    name: Annotated[str, Field(min_length=2, description="as on the cover")]
    kind: Literal["human", "machine"] = "human"
    books: list["Book"] = Field(default_factory=list)
    by_title: dict[str, tuple["Book", ...]] = {}
    home: Address | None = None
    friend: Optional["Author"] = None

    @field_validator("name")
    @classmethod
    def shout(cls, value: str) -> str:
        return value.upper()

    def greet(self) -> str:
        return f"Hello {self.name}"


class Book(BaseModel):
    title: str
    price: Decimal = Decimal("9.90")
    author: Author | None = None


AuthorEntity, BookEntity = ev.entity_class(Author, Book)


def library() -> Any:
    ann = AuthorEntity(name=" ann ", home=Address(street="Elm"))
    book = BookEntity(title="Loops", author=ann)
    ann.books.append(book)
    ann.by_title["Loops"] = (book, book)
    ann.friend = ann
    return ann


def test_all_of_the_model_is_kept() -> None:
    ann = library()
    assert ann.name == "ANN"
    assert ann.greet() == "Hello ANN"
    assert isinstance(ann, Author)
    assert isinstance(ann, ev.Entity)
    assert AuthorEntity.__doc__ == "Who writes."
    assert AuthorEntity.__module__ == __name__
    assert AuthorEntity.model_fields["name"].description == "as on the cover"
    with pytest.raises(ValidationError, match="at least 2"):
        AuthorEntity(name="a")
    with pytest.raises(ValidationError, match="human"):
        AuthorEntity(name="ann", kind="ghost")
    assert list(Author.model_fields) == ["name", "kind", "books", "by_title", "home", "friend"]
    assert Author(name="bo", books=[Book(title="plain")]).books[0].title == "plain"


@pytest.mark.parametrize(
    "open_store",
    [ev.InMemoryEntityStorage, lambda: ev.SQLAlchemyEntityStorage(":memory:")],
    ids=["memory", "sqlite"],
)
def test_what_it_holds_comes_back_from_a_store(open_store: Any) -> None:
    store = open_store()
    ann = store.register(library())
    again = store.get(ann.ecs_id)
    assert again is not ann
    assert not ev.diff(ann, again)
    assert again.books[0].author is again
    assert again.by_title["Loops"][1] is again.books[0]
    assert again.friend is again
    assert type(again.home) is Address
    assert pickle.loads(pickle.dumps(again)).books[0].price == Decimal("9.90")


def test_cells_that_define_the_models_anew_run_again() -> None:
    """An annotation ``"Book"`` is the book of the run before: pydantic finds it at once."""
    authors = "class Author(BaseModel):\n    name: str\n    books: dict[str, list['Book']] = {}\n"
    books = "class Book(BaseModel):\n    title: str\n    author: Author | None = None\n"
    store = "with ev.SQLAlchemyEntityStorage('sqlite://') as store:\n    "
    store += "again = store.get(store.register(ann).ecs_id).books['here'][0]\n"
    with notebook() as cells:
        cells.run("from pydantic import BaseModel\n")
        for title in ("Loops", "Knots"):
            for cell in (authors, books, "Made, Held = ev.entity_class(Author, Book)\n"):
                cells.run(cell)
            cells.run("ann = Made(name='Ann')\n")
            cells.run(f"ann.books['here'] = [Held(title={title!r}, author=ann)]\n{store}")
            assert (cells.again.title, cells.again.author.name) == (title, "Ann")
        # What stays a value and leads to a model of the run before leads to the model, too.
        cells.run("class Shelf(BaseModel):\n    held: list[Book] = []\n")
        cells.run(f"{books}class Room(BaseModel):\n    shelf: Shelf\n    book: Book\n")
        with pytest.raises(errors.UnsupportedFieldError, match="Shelf, which Room leads to, holds"):
            cells.run("ev.entity_class(Room, Author, Book)\n")


def test_a_model_alone_and_one_that_holds_itself() -> None:
    class Tree(BaseModel):
        name: str
        children: list["Tree"] = []

    made_class = ev.entity_class(Tree)
    assert made_class.__name__ == "TreeEntity"
    root = made_class(name="root", children=[made_class(name="leaf")])
    assert len(ev.EntityDependencyGraph(root)) == 2


def test_limits_aliases_and_generic_models_are_kept() -> None:
    class Part(BaseModel):
        whole: "Whole | None" = None

    class Whole(BaseModel):
        parts: Annotated[list[Part], Field(max_length=1, alias="Parts")] = []

    whole_class, part_class = ev.entity_class(Whole, Part)
    assert whole_class(Parts=[part_class()]).parts[0].whole is None
    with pytest.raises(ValidationError, match="at most 1"):
        whole_class(Parts=[part_class(), part_class()])

    class Box(BaseModel, Generic[T]):
        value: T

    box_class = ev.entity_class(Box[int])
    assert box_class.__name__ == "Box_intEntity"
    store = ev.SQLAlchemyEntityStorage(":memory:")
    assert store.get(store.register(box_class(value=3)).ecs_id).value == 3
    store.close()


def test_plain_objects_become_entities_by_pydantic() -> None:
    plain = Author(name="bo", books=[Book(title="a"), Book(title="b")])
    made = AuthorEntity.model_validate(plain, from_attributes=True)
    assert [type(book) for book in made.books] == [BookEntity] * 2
    assert made.name == "BO"


def test_a_model_mixed_in_by_hand_may_have_lists_too() -> None:
    """`class E(Model, ev.Entity)` is what `entity_class` does."""

    class Member(ev.Entity):
        name: str
        club: "Club | None" = None

    class Listing(BaseModel):
        members: list[Member] = []

    class Club(Listing, ev.Entity):
        name: str

    Member.model_rebuild(_types_namespace={"Club": Club})
    club = Club(name="chess")
    club.members.append(Member(name="Ann", club=club))
    store = ev.InMemoryEntityStorage()
    store.register(club)
    assert len(ev.EntityDependencyGraph(club).pairs) == 1


def test_what_cannot_be_one_is_told() -> None:
    class Versioned(BaseModel):
        version: int

    class Row(SQLModel, table=True):
        id: int | None = Column(default=None, primary_key=True)

    class Numbers(RootModel[list[int]]):
        pass

    class Torn(BaseModel):
        other: "Nowhere"  # type: ignore[name-defined]  # noqa: F821 - it is nowhere

    refused: list[tuple[tuple[Any, ...], str]] = [
        ((), "Give one"),
        ((3,), "3 is no pydantic model"),
        ((Author(name="bo"),), "is no pydantic model"),
        ((ev.ChatThread,), "is an entity class already"),
        ((BaseModel,), "is the class of all models"),
        ((Row,), "has a table already"),
        ((Numbers,), "is a root model"),
    ]
    for given, told in refused:
        with pytest.raises(errors.NotAnEntityError, match=told):
            ev.entity_class(*given)
    with pytest.raises(errors.UnsupportedFieldError, match=r"Versioned\.version .*alias='version'"):
        ev.entity_class(Versioned)
    with pytest.raises(errors.UnsupportedFieldError, match="name 'Nowhere' is not defined"):
        ev.entity_class(Torn)
    with pytest.raises(errors.UnsupportedFieldError, match=r"entity_class\(Author, Book\)"):
        ev.entity_class(Author)
