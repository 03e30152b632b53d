"""`ev.tables_of`: the tables of classes are those of a store, and say what for."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest

import ecsviz as ev
from ecsviz.errors import InvalidArgumentError, NotAnEntityError


class Shelf(ev.Entity):
    label: str
    books: list[Book] = ev.reference(default_factory=list, inverse="shelf")


class Book(ev.Entity):
    title: str
    pages: int | None = None
    shelf: Shelf | None = ev.reference(default=None, inverse="books")
    by_language: dict[str, Book] = ev.reference(default_factory=dict, inverse=None)
    about: Shelf | Book | None = ev.reference(default=None, inverse=None)


def plain(text: str) -> str:
    return " ".join(text.replace('"', "").split())


def test_the_statements_are_those_of_a_store(tmp_path: Path) -> None:
    tables = ev.tables_of([Shelf])
    with ev.SQLAlchemyEntityStorage(tmp_path / "books.db") as store:
        shelf = Shelf(label="a")
        shelf.books.append(Book(title="one", shelf=shelf, about=shelf))
        store.register(shelf)
    with closing(sqlite3.connect(tmp_path / "books.db")) as made:
        real = list(made.execute("select tbl_name, sql from sqlite_master where sql is not null"))
    told = {plain(text) for text in tables.sql().split(";\n") if text.strip()}
    names = {"shelfs", "books", "book_by_language"}
    assert told == {plain(text) for name, text in real if name in names}
    assert len(told) > 3, "indexes too"
    frame = tables.frame()
    assert frame["table"].unique().tolist() == ["shelfs", "books", "book_by_language"]
    assert not frame["says"].isin([""]).any(), "every column says what it is for"
    says = frame.set_index(["table", "column"])["says"]
    assert says["books", "shelf_position"] == "its place in the books of its shelf"
    assert says["books", "about_shelf_id"] == "about, if a Shelf"
    assert says["book_by_language", "key"] == "its key in by_language"
    assert tables.classes == [Shelf, Book]
    assert tables.notes == [
        "Shelf.books needs no table: Book.shelf says it, and shelf_position its order."
    ]


def test_a_cell_and_a_picture_show_them() -> None:
    tables = ev.tables_of(Book, dialect="postgresql")
    html = tables._repr_html_()
    assert html.count("<table") == 3
    assert "its place in the books of its shelf" in html
    assert "Shelf.books needs no table" in html
    assert "3 tables" in tables.draw().get_title(loc="left")
    assert "UUID" in tables.sql()
    plt.close("all")


@pytest.mark.parametrize("wrong", [Book(title="a"), [Book, 3], 3, "Book", None, int])
def test_what_is_no_entity_class_is_said(wrong: Any) -> None:
    with pytest.raises(NotAnEntityError):
        ev.tables_of(wrong)


@pytest.mark.parametrize("wrong", ["postgres", "", None, 3, []])
def test_a_dialect_that_is_none_is_said(wrong: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="There is no dialect"):
        ev.tables_of(Book, dialect=wrong)
