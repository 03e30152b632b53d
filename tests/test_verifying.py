"""verify(): whatever changes an answer is noticed."""

from __future__ import annotations

import dataclasses
import random
import sqlite3
import sys
import types
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from pydantic import Field

import ecsviz as ev
from ecsviz import errors
from ecsviz.domain.walk import walk
from ecsviz.isomorphic import find_difference
from ecsviz.storage.relational.schema.seals import reseal
from tests.conformance.conftest import OPENERS
from tests.conftest import in_ci
from tests.databases import counted, execute


class Shelf(ev.Entity):
    label: str
    books: Annotated[list[Book], ev.reference(inverse="shelf")] = Field(default_factory=list)
    best: dict[str, Book] = Field(default_factory=dict)
    twice: list[Book] = Field(default_factory=list)


class Book(ev.Entity):
    title: str
    shelf: Shelf
    pages: int | None = None
    price: float = 0.0
    after: Book | None = None
    data: dict[str, Any] = Field(default_factory=dict)


Shelf.model_rebuild()


def filled(path: Path) -> Shelf:
    """Make a store with a present and a past, on small pages: with few bytes that say nothing."""
    execute(path, "PRAGMA page_size=512", "VACUUM")
    store = ev.SQLAlchemyEntityStorage(path)
    shelf = Shelf(label="upper")
    for n in range(12):
        title = f"book {n} " + "lorem ipsum dolor sit amet " * 12
        shelf.books.append(Book(shelf=shelf, title=title, pages=n * 100, data={"n": n}))
    shelf.best = {"one": shelf.books[0], "two": shelf.books[3]}
    shelf.twice = [shelf.books[5], shelf.books[5], shelf.books[6]]
    store.register(shelf, note="all")
    shelf.books[2].title = "another"
    shelf.books[4].price = 1.5
    store.register(shelf, note="edited")
    shelf.books.reverse()
    store.register(shelf)
    shelf.twice.pop(0)
    shelf.best["three"] = shelf.books[1]
    shelf.books[7].after = shelf.books[8]
    store.register(shelf)
    shelf.books.append(Book(shelf=shelf, title="late"))
    store.register(shelf)
    gone = store.register(Shelf(label="gone"))
    store.delete(gone)
    return shelf


def answers(path: Path) -> Any:
    """Return everything that a store says, or None if it says that it cannot."""
    try:
        store = ev.SQLAlchemyEntityStorage(path)
        revisions = store.revisions()
        said: list[Any] = [revisions.to_csv()]
        for revision in [None, *revisions["revision"].tolist()]:
            shelves = store.list_by_type(Shelf, as_of=revision)
            for entity in walk(shelves).entities:
                state = entity.__dict__
                said.append(
                    [
                        (name, repr(_plain(value)))
                        for name, value in state.items()
                        if name != "ecs_id"
                    ]
                )
                said.append(entity.ecs_id)
        said += [store.frame(Book, as_of=at).to_csv() for at in (None, 3)]
        for entity in walk(store.list_by_type(Shelf)).entities:
            said.append(store.history(entity).to_csv())
        kept = [entity.ecs_id for entity in walk(store.list_by_type(Shelf)).entities]
        said.append([entity.version for entity in store.get_many(kept)])
        found = store.find(Book, pages=300, order_by="title")
        said += [[book.ecs_id for book in found], len(store.graph().references)]
        return said
    except (errors.EcsvizError, KeyError, ValueError, TypeError, OverflowError):
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, ev.Entity):
        return value.ecs_id
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def noticed(path: Path) -> bool:
    """Tell whether verify() finds something, or says that it cannot go on."""
    try:
        return bool(len(ev.SQLAlchemyEntityStorage(path).verify()))
    except errors.EcsvizError:
        return True


def stored(path: Path) -> Any:
    """Return all that SQLite finds in a file of which table and indexes agree, else None."""
    with closing(sqlite3.connect(path)) as conn:
        try:
            if conn.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
                return None
            pragmas = ("user_version", "application_id", "encoding", "journal_mode")
            header = [conn.execute(f"PRAGMA {name}").fetchall() for name in pragmas]
            return header, list(conn.iterdump())
        except (sqlite3.Error, UnicodeDecodeError, ValueError):
            return None


FLIPS = 600 if in_ci() else 150


def test_no_flipped_bit_that_changes_an_answer_goes_unnoticed(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    filled(path)
    whole = path.read_bytes()
    right = answers(path)
    assert right is not None
    assert not noticed(path)
    chance = random.Random(20261124)
    broken = tmp_path / "broken.db"
    said = stored(path)
    unnoticed, wrong, silent = 0, [], 0
    for number in range(FLIPS):
        place, bit = chance.randrange(len(whole)), chance.randrange(8)
        damaged = bytearray(whole)
        damaged[place] ^= 1 << bit
        broken.write_bytes(damaged)
        if noticed(broken):
            if number % 10 == 0:  # what would have been answered, had nobody verified?
                found = answers(broken)
                silent += found is not None and found != right
            continue
        unnoticed += 1
        # Of the same rows and indexes, the answers are the same: that is asked now and then.
        if (number % 20 == 0 or stored(broken) != said) and answers(broken) != right:
            wrong.append((place, bit))
    assert wrong == []
    assert unnoticed < FLIPS // 2
    assert silent > FLIPS // 100, "few flips give a wrong answer without an error"


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE books SET title = 'x' WHERE id = 3", "content"),
        ("UPDATE books SET price = price + 1 WHERE id = 3", "content"),
        ("UPDATE books SET ecs_version = 9 WHERE id = 3", "seal"),
        ("UPDATE books SET ecs_revision = 5 WHERE id = 3", "seal"),
        ("UPDATE books SET shelf_position = 99 WHERE id = 3", "seal"),
        ("UPDATE books SET shelf_position = 1 WHERE id = 3", "position"),
        ("UPDATE books SET after_id = 77 WHERE id = 3", "reference"),
        ("UPDATE shelf_best SET key = 'x' WHERE position = 0", "content"),
        ("UPDATE shelf_best SET position = 9 WHERE position = 0", "content"),
        ("DELETE FROM shelf_twice WHERE position = 0", "content"),
        ("UPDATE shelf_twice_history SET ecs_until = 5", "content"),
        ("UPDATE books_history SET title = 'x' WHERE id = 3", "content"),
        ("UPDATE books_history SET ecs_until = ecs_until + 1 WHERE id = 3", "history"),
        ("UPDATE books_history SET ecs_until = ecs_until - 1 WHERE id = 3", "history"),
        ("DELETE FROM books_history WHERE id = 3 AND ecs_revision = 2", "history"),
        ("DELETE FROM books WHERE id = 13", "history"),
        ("UPDATE ecs_revisions SET note = 'x' WHERE number = 1", "revision"),
        ("DELETE FROM ecs_revisions WHERE number = 2", "revision"),
        ("UPDATE ecs_deleted SET version = 7", "seal"),
        ("UPDATE ecs_types SET layout = replace(layout, ':', ': ')", "schema"),
        ("UPDATE ecs_types SET next_id = 3", "schema"),
        ("ALTER TABLE books ADD COLUMN x TEXT", "schema"),
    ],
)
def test_what_was_changed_outside_is_told(path: Path, statement: str, problem: str) -> None:
    filled(path)
    store = ev.SQLAlchemyEntityStorage(path)
    if "13" in statement:  # a row that nothing else speaks of, with a past
        book = store.list_by_type(Book)[-1]
        book.title = "later"
        store.register(book)
    assert len(store.verify()) == 0
    execute(path, statement)
    assert problem in set(store.verify()["problem"])


def test_what_another_store_has_had_before_begins_with_a_later_version(path: Path) -> None:
    shelf = filled(path.with_name("first.db"))
    assert shelf.version > 1
    with ev.SQLAlchemyEntityStorage(path) as store:
        store.register(shelf)
        assert store.verify().empty
        shelf.label = "later"
        store.register(shelf)
        assert store.verify().empty
        execute(path, "DELETE FROM shelfs_history")
        assert store.verify()["detail"].str.contains("before revision 2, version").sum() == 1


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_row_with_a_past_that_sql_has_deleted_is_told(
    tmp_path: Path, database: str, request: pytest.FixtureRequest
) -> None:
    store: Any = OPENERS[database](tmp_path, request)()
    one, other, third = store.register([Shelf(label=label) for label in "abc"])
    one.label = "later"
    with store.transaction():  # what ends where something else was deleted is told as well
        store.register(one)
        store.delete(other)
    third.label = "later"
    store.register(third)
    store.delete(third)
    store.register(Shelf(label="d"))
    assert store.verify().empty

    def delete(label: str) -> list[tuple[Any, ...]]:
        with store.session_factory.begin() as session:
            shelfs = sa.Table(
                "shelfs", sa.MetaData(), sa.Column("label"), schema=store.metadata.schema
            )
            assert session.execute(sa.delete(shelfs).where(shelfs.c.label == label)).rowcount == 1
        found = store.verify()[["table", "row", "ecs_id", "problem"]]
        return list(found.itertuples(index=False, name=None))

    assert delete("later") == [("shelfs", "1", one.ecs_id, "history")]
    store.register(one)  # which looks at all, as verify has told of something
    assert store.get(one.ecs_id).label == "later"
    assert store.verify().empty, "it has come back, as another row"
    assert delete("later") == [("shelfs", "1", one.ecs_id, "history")]
    assert store.adopt_changes()["what"].tolist() == ["deleted"]
    assert store.verify().empty
    assert not store.has_entity(one.ecs_id)
    shelf = Shelf(label="upper")
    shelf.books = [Book(shelf=shelf, title=title) for title in "ab"]
    store.register(shelf)
    books = sa.Table("books", sa.MetaData(), sa.Column("title"), schema=store.metadata.schema)
    with store.session_factory.begin() as session:
        session.execute(sa.delete(books).where(books.c.title == "b"))
    assert store.verify().empty, "of what has no past nothing is left"
    assert store.verify(shelf)["problem"].tolist() == ["graph"]
    store.register(shelf)
    assert store.verify(shelf).empty
    store.close()


def test_rows_of_others_are_told_until_they_are_registered(path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(path)
    store.register(Shelf(label="a"))
    execute(path, "UPDATE shelfs SET label = 'b'")
    assert store.verify()["problem"].tolist() == ["content"]
    (shelf,) = store.list_by_type(Shelf)
    store.register(shelf)
    assert store.verify()["table"].tolist() == ["shelfs_history"]
    assert shelf.version == 2
    ecs_id = uuid4().hex
    execute(
        path,
        "INSERT INTO shelfs (id, ecs_id, ecs_lineage_id, ecs_version, ecs_revision, label)"
        f" VALUES (9, '{ecs_id}', '{ecs_id}', 1, 1, 'c')",
    )
    assert store.verify()["problem"].tolist()[0] == "outside"
    store.register(store.list_by_type(Shelf))
    # The present is right; the state in between was never written by us, and is told of.
    assert store.verify()["table"].tolist() == ["shelfs_history"] * 2
    store.prune()
    assert len(store.verify()) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE shelfs SET label = 'theirs'",
        "UPDATE books SET title = 'theirs', pages = NULL WHERE id = 2",
        "UPDATE books SET after_id = NULL WHERE id = 3",
        "UPDATE books SET shelf_id = 2 WHERE id = 2",
        "UPDATE books SET data = '{}' WHERE id = 2",
        "DELETE FROM shelf_twice WHERE position = 0",
        "UPDATE shelf_best SET key = 'x'",
        "UPDATE shelf_best SET book_id = 3",
    ],
)
def test_what_is_given_is_written_over_what_others_made_of_it(path: Path, statement: str) -> None:
    """Its checksum says that nothing has changed; the row, as verify has told, says otherwise."""
    store = ev.SQLAlchemyEntityStorage(path)
    shelf, other = Shelf(label="upper"), Shelf(label="other")
    shelf.books = [Book(shelf=shelf, title=str(n), pages=n, data={"n": n}) for n in range(3)]
    shelf.books[2].after = shelf.books[0]
    shelf.best, shelf.twice = {"one": shelf.books[0]}, [shelf.books[1]] * 2
    store.register([shelf, other])
    execute(path, statement)
    store.register([shelf, other])
    if "shelf_id" in statement:  # who is in which list is looked at in any case
        assert len(store.revisions()) == 2
    else:
        assert len(store.revisions()) == 1, "it is missed"
        assert set(store.verify()["problem"]) == {"content"}
        store.register([shelf, other])
    there = ev.SQLAlchemyEntityStorage(path).get_many([shelf.ecs_id, other.ecs_id])
    assert find_difference([shelf, other], there) is None
    assert all(table.endswith("_history") for table in store.verify()["table"])
    store.register([shelf, other])
    assert len(store.revisions()) == 2
    store.prune()
    assert len(store.verify()) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE books SET shelf_id = 2 WHERE id = 2",
        "UPDATE books SET shelf_id = 2, shelf_position = 7",
        "UPDATE books SET shelf_id = CASE shelf_id WHEN 1 THEN 2 ELSE 1 END",
        "UPDATE books SET shelf_position = -shelf_position",
        "UPDATE books SET shelf_position = NULL WHERE id = 1",
    ],
)
@pytest.mark.parametrize("who", ["the same", "opened anew"])
def test_lists_are_what_was_saved_whatever_sql_made_of_them(
    path: Path, statement: str, who: str
) -> None:
    store = ev.SQLAlchemyEntityStorage(path)
    shelves = [Shelf(label="upper"), Shelf(label="other")]
    for shelf in shelves:
        shelf.books = [Book(shelf=shelf, title=str(n)) for n in range(3)]
    store.register(shelves)
    execute(path, statement)
    if who == "opened anew":
        store = ev.SQLAlchemyEntityStorage(path)
    store.register(shelves)
    there = ev.SQLAlchemyEntityStorage(path).get_many([shelf.ecs_id for shelf in shelves])
    assert find_difference(shelves, there) is None
    assert all(table.endswith("_history") for table in store.verify()["table"])
    count = len(store.revisions())
    store.register(shelves)
    assert len(store.revisions()) == count <= 2


@pytest.mark.parametrize("what", ["begins", "ends"])
def test_a_past_that_sql_has_deleted_is_told(path: Path, what: str) -> None:
    with ev.SQLAlchemyEntityStorage(path) as store:
        shelf = store.register(Shelf(label="upper"))
        store.register(Shelf(label="stays"))
        shelf.label = "lower"
        store.register(shelf)
        if what == "ends":
            store.delete(shelf)
        assert store.verify().empty
        execute(path, "DELETE FROM shelfs_history")
    with ev.SQLAlchemyEntityStorage(path) as store:
        found = store.verify()
        assert list(found[["table", "problem", "ecs_id"]].itertuples(index=False, name=None)) == [
            ("shelfs_history", "history", shelf.ecs_id)
        ]
        if what == "begins":
            store.prune()
            assert store.verify().empty, "as long as it was not pruned"


def test_who_came_back_begins_where_the_past_was_pruned(path: Path) -> None:
    with ev.SQLAlchemyEntityStorage(path) as store:
        shelf = store.register(Shelf(label="upper"))
        store.delete(shelf)
        store.revert(shelf.ecs_id, to=1)
        assert store.verify().empty
        store.prune(before=2)
        assert store.verify().empty


ORDERS = """
from __future__ import annotations

class Leaf(ev.Entity):
    {leaf}

class Node(ev.Entity):
    {node}

Leaf.model_rebuild()
"""
LEAF = ["node: Node | None = None", "text: str = ''", "tags: list[str] = []"]
NODE = [
    "name: str = ''",
    "size: int = 0",
    "first: Leaf | None = None",
    "last: Leaf | None = None",
    "some: list[Leaf] = ev.reference(inverse=None, default_factory=list)",
    "by: dict[str, Leaf] = {}",
    "all: list[Leaf] = ev.reference(inverse='node', default_factory=list)",
]


def test_the_order_of_fields_in_a_class_is_no_change(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither to verify(), in the present and the past, nor to what is saved again unchanged."""

    def defined(turned: bool) -> dict[str, Any]:
        module = types.ModuleType("orders")
        monkeypatch.setitem(sys.modules, "orders", module)
        leaf, node = (LEAF[::-1], NODE[::-1]) if turned else (LEAF, NODE)
        module.__dict__["ev"] = ev
        exec(ORDERS.format(leaf="\n    ".join(leaf), node="\n    ".join(node)), vars(module))
        return vars(module)

    first = defined(False)
    with ev.SQLAlchemyEntityStorage(path) as store:
        leaf = first["Leaf"](text="a", tags=["x"])
        node = first["Node"](name="n", size=3, first=leaf, some=[leaf, leaf], by={"k": leaf})
        node.all, leaf.node = [leaf], node
        store.register(node)
        node.name, node.last = "m", leaf
        store.register(node)
        second = defined(True)
        assert store.verify().empty
        with ev.SQLAlchemyEntityStorage(path) as again:
            assert again.verify().empty
            found = again.get(node.ecs_id)
            assert type(found) is second["Node"]
            again.register(found)
            assert len(again.revisions()) == 2
            found.size = 4
            again.register(found)
            assert again.verify().empty
            assert again.get(node.ecs_id, as_of=1).name == "n"
            assert list(found.model_dump()) == list(second["Node"](name="n").model_dump())
        assert store.verify().empty


def test_a_row_that_cannot_be_read_is_not_missing_as_well(path: Path) -> None:
    with ev.SQLAlchemyEntityStorage(path) as store:
        shelf = store.register(Shelf(label="upper"))
        shelf.label = "lower"
        store.register(shelf)
        execute(path, "UPDATE shelfs SET ecs_revision = 'x'")
        found = store.verify()
    assert list(found["row"].unique()) == ["1"]
    assert not found["detail"].str.contains("is missing").any()


def test_a_live_graph_is_proved_to_be_what_is_stored(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "store.db")
    shelf = store.register(Shelf(label="a"))
    assert len(store.verify(shelf)) == 0
    shelf.label = "b"
    found = store.verify(shelf)
    assert found["problem"].tolist() == ["graph"]
    assert "label" in found["detail"].tolist()[0]
    with pytest.raises(errors.EntityNotFoundError):
        store.verify(Shelf(label="never stored"))


def test_an_empty_store_is_all_right(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "none.db")
    assert list(store.verify().columns) == ["table", "row", "ecs_id", "problem", "detail"]
    assert not (tmp_path / "none.db").exists()


def test_pruned_history_is_all_right(path: Path) -> None:
    filled(path)
    store = ev.SQLAlchemyEntityStorage(path)
    for revision in (3, 5, None):
        store.prune(revision)
        problems = store.verify()
        assert not len(problems), problems.to_string()


class Ticket(ev.Entity):
    seats: Annotated[int, Field(ge=1)]
    tags: list[Annotated[int, Field(ge=1)]] = Field(default_factory=list)


def test_limits_of_fields_are_trusted_and_what_breaks_them_is_told(path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(path)
    ticket = store.register(Ticket(seats=2))
    execute(path, "UPDATE tickets SET seats = -1")
    assert store.get(ticket.ecs_id).seats == -1
    assert store.verify()["problem"].tolist() == ["content"]
    execute(path, "UPDATE tickets SET seats = 'many'")
    with pytest.raises(errors.StoredDataInvalidError, match=r"tickets\.seats in row 1"):
        store.get(ticket.ecs_id)


def test_pairs_that_disagree_are_told_with_both_ends(path: Path) -> None:
    """As earlier releases let them: a book that names a shelf which does not hold it."""
    store = ev.SQLAlchemyEntityStorage(path)
    shelf = Shelf(label="a")
    shelf.books = [Book(shelf=shelf, title=title) for title in "xyz"]
    store.register(shelf)
    with store.engine.begin() as conn:
        conn.exec_driver_sql("UPDATE books SET shelf_position = NULL WHERE title = 'y'")
        table = store.metadata.tables["books"]
        reseal(conn, table, ["shelf_position"], None)
    (found,) = store.verify().itertuples()
    assert (found.table, found.problem, found.ecs_id) == ("books", "pair", shelf.books[1].ecs_id)
    detail = f"Book.shelf is the Shelf {shelf.ecs_id}, whose .books does not hold it"
    assert found.detail == detail
    again = store.get(shelf.books[1].ecs_id)
    again.shelf.books.append(again)
    store.register(again)
    assert store.verify().empty
    in_memory = ev.InMemoryEntityStorage()
    in_memory.register(shelf)
    record = in_memory.inside.kept.records[shelf.ecs_id]
    state = {**record.state, "books": record.state["books"][::2]}
    in_memory.inside.kept.records[shelf.ecs_id] = dataclasses.replace(record, state=state)
    (found,) = in_memory.verify().itertuples()
    assert (found.problem, found.ecs_id, found.detail) == ("pair", shelf.books[1].ecs_id, detail)


def test_verifying_pairs_makes_no_statement_per_entity(tmp_path: Path) -> None:
    counts = []
    for number in (2, 40):
        store = ev.SQLAlchemyEntityStorage(tmp_path / f"{number}.db")
        for _ in range(number):
            shelf = Shelf(label="a")
            shelf.books = [Book(shelf=shelf, title="x")]
            store.register(shelf)
        with counted() as sent:
            assert store.verify().empty
        counts.append(len(sent))
    assert counts[0] == counts[1]
