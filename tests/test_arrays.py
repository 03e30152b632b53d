"""Nodes and references as arrays: from entities, from classes, from anything."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import numpy as np
import pytest
from pydantic import BaseModel, Field

import ecsviz as ev
from ecsviz.basics.order import COLLECTION, NULLABLE, REQUIRED
from ecsviz.errors import NotAnEntityError
from ecsviz.graph.arrays import (
    References,
    as_roots,
    make_parts,
    parts_of_classes,
    parts_of_entities,
)
from tests.cells import notebook


class Author(ev.Entity):
    best: Book | None = None
    books: list[Book] = Field(default_factory=list)


class Book(ev.Entity):
    author: Author
    sequel: Book | None = None
    about: Author | Book | None = None
    notes: dict[str, Author] = Field(default_factory=dict)
    maybe: tuple[Author, int] | None = None


class Plain(BaseModel):
    number: int = 0


def small() -> Author:
    author = Author()
    book = Book(author=author, notes={"x": author}, maybe=(author, 1))
    author.best = book
    author.books = [book, book]
    return author


def test_parts_of_entities() -> None:
    author = small()
    book = author.books[0]
    parts = parts_of_entities([author])
    assert parts.nodes == [author, book]
    assert parts.ids == [author.ecs_id, book.ecs_id]
    assert parts.types == ["Author", "Book"]
    assert parts.sources.tolist() == [0, 0, 0, 1, 1, 1]
    assert parts.targets.tolist() == [1, 1, 1, 0, 0, 0]
    assert parts.kinds.tolist() == [
        NULLABLE,
        COLLECTION,
        COLLECTION,
        REQUIRED,
        COLLECTION,
        COLLECTION,
    ]
    assert [parts.place_of(k) for k in range(6)] == [
        ("best", "best"),
        ("books", "books[0]"),
        ("books", "books[1]"),
        ("author", "author"),
        ("notes", "notes['x']"),
        ("maybe", "maybe[0]"),
    ]
    assert all(a.dtype == np.int64 for a in (parts.sources, parts.targets, parts.kinds))


def test_parts_without_references() -> None:
    for roots in ([], [Author()]):
        parts = parts_of_entities(roots)
        assert len(parts.nodes) == len(roots)
        assert len(parts.sources) == len(parts.kinds) == 0
        assert parts.rank().tolist() == list(range(len(roots)))


def test_rank_is_the_order_of_the_ids() -> None:
    entities = [Author(ecs_id=UUID(int=number)) for number in (5, 1, 2**127, 3)]
    assert parts_of_entities(entities).rank().tolist() == [2, 0, 3, 1]
    named = make_parts(["x"] * 3, ["b", "c", "a"], ["t"] * 3, (), (), (), lambda k: ("", ""))
    assert named.rank().tolist() == [1, 2, 0]


def test_references_are_made_when_asked_for() -> None:
    author = small()
    references = References(parts_of_entities([author]), range(6))
    assert len(references) == 6
    assert references[1].path == "books[0]"
    assert references[-1].path == "maybe[0]"
    assert [r.path for r in references[1:3]] == ["books[0]", "books[1]"]
    assert isinstance(references[::2], References)
    assert references[0].source is author
    with pytest.raises(IndexError):
        references[6]
    assert repr(references) == (
        "[Reference(Author.best -> Book), Reference(Author.books[0] -> Book),"
        " Reference(Author.books[1] -> Book), Reference(Book.author -> Author),"
        " Reference(Book.notes['x'] -> Author), … 1 more]"
    )


class TestClasses:
    def test_a_reference_is_a_field(self) -> None:
        parts = parts_of_classes([Author])
        assert parts.nodes == [Author, Book]
        assert parts.ids == ["Author", "Book"]
        assert parts.types == ["class", "class"]
        found = [
            (parts.nodes[s].__name__, parts.place_of(k)[0], parts.nodes[t].__name__)
            for k, (s, t) in enumerate(zip(parts.sources, parts.targets, strict=True))
        ]
        assert found == [
            ("Author", "best", "Book"),
            ("Author", "books", "Book"),
            ("Book", "author", "Author"),
            ("Book", "sequel", "Book"),
            ("Book", "about", "Author"),
            ("Book", "about", "Book"),
            ("Book", "notes", "Author"),
            ("Book", "maybe", "Author"),
        ]
        assert parts.kinds.tolist()[:4] == [NULLABLE, COLLECTION, REQUIRED, NULLABLE]

    def test_namesakes_get_their_modules(self) -> None:
        with notebook() as one, notebook() as two:
            for cells in (one, two):
                cells.run("class Same(ev.Entity):\n    pass\n")
            parts = parts_of_classes([one.Same, two.Same, Author])
            assert parts.ids[:3] == [
                f"{one.module.__name__}.Same",
                f"{two.module.__name__}.Same",
                "Author",
            ]

    def test_the_newest_definition_stands_for_all(self) -> None:
        source = "class Cell(ev.Entity):\n    next: 'Cell | None' = None\n"
        with notebook() as cells:
            cells.run(source)
            old = cells.Cell
            cells.run(source)
            parts = parts_of_classes([old, cells.Cell])
            assert parts.nodes == [cells.Cell]
            assert parts.targets.tolist() == [0]

    def test_what_is_no_entity_class(self) -> None:
        with pytest.raises(NotAnEntityError, match="stands among entity classes but is none"):
            parts_of_classes([Author, Plain])
        with pytest.raises(NotAnEntityError, match="entity classes"):
            parts_of_classes([Author, Author()])


class TestRoots:
    def test_one_or_many(self) -> None:
        one, two = Author(), Author()
        for given in ([one, two], (one, two), iter([one, two]), {"a": one, "b": two}):
            assert as_roots(given) == [one, two]
        assert as_roots(one) == [one]
        assert as_roots(Author) == [Author]
        assert as_roots([]) == []

    @pytest.mark.parametrize("value", [None, 5, "text", b"bytes", Plain(), Plain])
    def test_neither(self, value: Any) -> None:
        with pytest.raises(NotAnEntityError, match="is not an entity, but of type") as caught:
            as_roots(value)
        assert caught.value.value is value
        assert "subclass of ev.Entity" in str(caught.value)


def test_the_rank_of_ids_whether_they_rise_or_not() -> None:
    nodes = [ev.ChatThread(title=str(number)) for number in range(20)]
    for order in (nodes, nodes[::-1], [nodes[1], nodes[0], *nodes[2:]]):
        parts = parts_of_entities(order)
        assert parts.rising == (order is nodes)
        by_rank = [parts.ids[place] for place in np.argsort(parts.rank())]
        assert by_rank == sorted(node.ecs_id for node in nodes)
    assert parts_of_entities([]).rank().tolist() == []
