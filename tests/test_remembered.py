"""What a store remembers: a save that looks at what changed alone does what one of all does."""

from __future__ import annotations

import copy
import gc
import os
import sqlite3
import threading
import tracemalloc
import weakref
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from unittest import mock

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, GetPydanticSchema
from pydantic_core import core_schema

import ecsviz as ev
from ecsviz import isomorphic
from ecsviz.domain.walk import walk
from ecsviz.errors import StaleVersionError
from ecsviz.storage import kept_walks, remembered
from ecsviz.storage.relational.save.part import changed_part
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.renewal import walk_to_save

SAVING = "ecsviz.storage.relational.inside.changed_part"


class Meta(BaseModel):
    """A nested value that can change in place."""

    tags: list[str] = []
    level: int = 0


@dataclass
class Point:
    """A nested dataclass that can change in place."""

    x: int = 0
    more: list[int] = dataclass_field(default_factory=list)


def _bytes_of(value: Any) -> bytearray:
    return bytearray.fromhex(value) if isinstance(value, str) else bytearray(value)


Raw = Annotated[
    bytearray,
    GetPydanticSchema(
        lambda *_: core_schema.no_info_plain_validator_function(
            _bytes_of,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda raw: raw.hex(), return_schema=core_schema.str_schema()
            ),
        )
    ),
]


class Shelf(ev.Entity):
    """Holds books in an inverse list, and others in every other way."""

    name: str = ""
    books: list[Book] = []
    best: Book | None = None
    others: list[Shelf] = ev.reference(inverse=None, default_factory=list)
    named: dict[str, Book] = Field(default_factory=dict)


class Book(ev.Entity):
    """Has a value of every kind that can change in place."""

    title: str = ""
    number: int | float | None = None
    shelf: Shelf | None = None
    sequel: Book | None = ev.reference(inverse=None, default=None)
    data: dict[str, Any] = {}
    words: list[str] = []
    marks: set[int] = Field(default_factory=set)
    meta: Meta = Field(default_factory=Meta)
    pair: tuple[int, list[int]] = Field(default_factory=lambda: (1, [2]))
    point: Point = Field(default_factory=Point)
    raw: Raw | None = None
    free: Any = None


@contextmanager
def looking_at_all() -> Iterator[None]:
    """Let stores look at everything, as if they remembered nothing."""
    with mock.patch(SAVING, return_value=None):
        yield


@contextmanager
def parts() -> Iterator[list[int | None]]:
    """Note of every save how many entities it looked at; None for one of all."""
    seen: list[int | None] = []

    def noted(*given: Any) -> Any:
        part = changed_part(*given)
        seen.append(None if part is None else len(part.found.entities))
        return part

    with mock.patch(SAVING, noted):
        yield seen


def shelf_of(size: int) -> Shelf:
    shelf = Shelf(name="a")
    for number in range(size):
        shelf.books.append(Book(title=str(number), shelf=shelf))
    return shelf


# -- what a save looks at --------------------------------------------------------------------

EDITS: dict[str, Callable[[Book], Any]] = {
    "value": lambda book: setattr(book, "title", "another"),
    "type": lambda book: setattr(book, "number", 1.0),
    "dict": lambda book: book.data.update(a=1),
    "list in dataclass": lambda book: book.point.more.append(1),
    "nested dict": lambda book: book.data["deep"]["deeper"].append(3),
    "dict in list": lambda book: book.data["deep"]["deeper"][0].update(b=2),
    "type in dict": lambda book: book.data.update(one=True),
    "order of dict": lambda book: book.data.update(one=book.data.pop("one")),
    "list": lambda book: book.words.append("w"),
    "member of list": lambda book: book.words.__setitem__(0, "other"),
    "set": lambda book: book.marks.add(9),
    "model": lambda book: setattr(book.meta, "level", 2),
    "list in model": lambda book: book.meta.tags.append("t"),
    "list in tuple": lambda book: book.pair[1].append(3),
    "dataclass": lambda book: setattr(book.point, "x", 1),
    "bytearray": lambda book: book.raw.extend(b"d"),
    "byte": lambda book: book.raw.__setitem__(0, 0),
    "anything": lambda book: book.free.append(1.5),
    "deep in anything": lambda book: book.free[0][0].append(None),
}


ODD = 7
"""The number of the book of which nobody can tell whether it has changed: it is looked at."""


def full(number: int) -> Book:
    return Book(
        title=str(number),
        number=1,
        data={"one": 1, "deep": {"deeper": [{"a": 1}]}},
        words=["x", "y"],
        marks={1, 2},
        meta=Meta(tags=["m"]),
        free=[[["z"]]],
        raw=bytearray(b"abc") if number == ODD else None,
        point=Point(more=[number]),
    )


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
@pytest.mark.parametrize("read", [False, True], ids=["saved", "read"])
def test_what_changes_in_place_is_saved(tmp_path: Path, edit: Any, read: bool) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    books = [full(number) for number in range(40)]
    store.register(books)
    if read:
        books = store.get_many([book.ecs_id for book in books])
        store.register(books)
    before = [book.version for book in books]
    edit(books[7])
    store.register(books)
    assert books[7].version == before[7] + 1
    with parts() as seen:
        store.register(books)
    assert seen == [1]
    assert [b.version for n, b in enumerate(books) if n != 7] == before[:7] + before[8:]
    stored = store.get(books[7].ecs_id)
    assert not ev.diff(stored, books[7])
    assert type(stored.number) is type(books[7].number)
    store.close()


def test_a_save_looks_at_what_changed(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    shelf = ev.ChatThread(title="a")
    for number in range(100):
        shelf.say("user", str(number))
    store.register(shelf)
    with parts() as seen:
        store.register(shelf)
        shelf.messages[50].content = "other"
        store.register(shelf)
        shelf.title = "b"
        store.register(shelf)
        shelf.say("user", "new")
        store.register(shelf)
        shelf.say("user", "answer", parent=shelf.messages[3])
        store.register(shelf)
        store.register(Two(a="a", b="b"))  # of a class that is stored for the first time
        shelf.messages[51].content = "other"
        store.register(shelf)
    # The message with its thread; the thread; the thread, who stood last, and the new one …
    assert seen == [0, 2, 1, 3, 4, 1, 2]
    assert [message.content for message in store.get(shelf.ecs_id).messages[-2:]] == [
        "new",
        "answer",
    ]
    assert store.verify().empty
    store.close()


def test_who_is_saved_alone_is_remembered_if_its_lists_are(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    thread = ev.ChatThread(title="a")
    for number in range(20):
        thread.say("user", str(number))
    store.register(thread)
    thread.messages[3].content = thread.title = "other"
    thread.say("user", "new")
    with parts() as seen:
        store.register(thread.messages[3], hops=0)
        store.register(thread, hops=0)
        store.register(thread)
        store.register(thread)
    assert seen == [None, 0]  # the thread's list was not saved with it
    assert [m.content for m in store.get(thread.ecs_id).messages][3::17] == ["other", "new"]
    thread.messages[5].content = "other"
    with parts() as seen:
        store.register(thread.messages[5], hops=0)
        store.register(thread)
    assert seen == [0]
    store.close()


def test_a_save_asks_as_much_whatever_the_size(tmp_path: Path) -> None:
    counts = {}
    for size in (10, 1000):
        store = ev.SQLAlchemyEntityStorage(tmp_path / f"{size}.db")
        shelf = store.register(shelf_of(size))
        for edit in (False, True):
            statements: list[str] = []
            engine = store.inside.database.engine
            sa.event.listen(
                engine, "before_cursor_execute", lambda *a, seen=statements: seen.append(a[2])
            )
            if edit:
                shelf.name = "other"
            store.register(shelf)
            counts[size, edit] = len(statements)
        store.close()
    assert counts[10, False] == counts[1000, False] <= 3
    assert counts[10, True] == counts[1000, True]


@contextmanager
def walks() -> Iterator[list[int]]:
    """Note how many entities the walks of saves find: none of those that are spared."""
    seen: list[int] = []

    def noted(*given: Any) -> Any:
        seen.append(0)  # it may fail
        found = walk_to_save(*given)
        seen[-1] = len(found.entities)
        return found

    with mock.patch.object(kept_walks, "walk_to_save", noted):
        yield seen


REPEATED: dict[str, Callable[[Any], Any]] = {
    "nothing": lambda shelf: None,
    "a value": lambda shelf: setattr(shelf.books[7], "title", str(shelf.version)),
    "a value of the root": lambda shelf: setattr(shelf, "name", str(shelf.version)),
    "in place": lambda shelf: shelf.books[7].words.append("more"),
    "one more": lambda shelf: shelf.books.append(Book(shelf=shelf)),
    "several more": lambda shelf: shelf.books.extend(Book(shelf=shelf) for _ in range(2)),
    "more that hold each other": lambda shelf: shelf.books.extend(_pair(shelf)),
    "another list": lambda shelf: setattr(shelf, "books", [*shelf.books]),
    "an answer": lambda thread: thread.say("user", "new", parent=thread.messages[3]),
    "two answers": lambda thread: [
        thread.say("user", "new", parent=thread.messages[n]) for n in (3, 1)
    ],
}
WALKED: dict[str, Callable[[Any], Any]] = {
    "a reference": lambda shelf: _refer(shelf.books),
    "an order": lambda shelf: shelf.books.reverse(),
    "one within": lambda shelf: shelf.books.insert(3, Book(shelf=shelf)),
    "one less": lambda shelf: setattr(shelf.books.pop(), "shelf", None),
    "one instead": lambda shelf: shelf.books.__setitem__(3, Book(shelf=shelf)),
    "one twice": lambda shelf: shelf.books.append(shelf.books[0]),
    "one by the id of another": lambda shelf: shelf.books.append(
        Book(shelf=shelf, ecs_id=shelf.books[3].ecs_id)
    ),
    "in a list of no inverse": lambda shelf: shelf.others.append(Shelf()),
    "in a dict": lambda shelf: shelf.named.update(a=shelf.books[3]),
    "one twice that says it is new": lambda shelf: _again(shelf.books),
    "what leads on": lambda shelf: shelf.books.append(Book(shelf=shelf, sequel=Book())),
    "a copy": lambda shelf: shelf.books.append(shelf.books[0].model_copy()),
    "one of another store": lambda shelf: shelf.books.append(Book(shelf=shelf, version=1)),
}


def _refer(books: list[Book]) -> None:
    books[7].sequel = books[books[7].version]


def _again(books: list[Book]) -> None:
    books[0].version = 0
    books.append(books[0])


def _pair(shelf: Shelf) -> list[Book]:
    one = Book(shelf=shelf)
    one.sequel = Book(shelf=shelf, sequel=one)
    return [one, one.sequel]


@pytest.mark.parametrize("read", [False, True], ids=["saved", "read"])
@pytest.mark.parametrize("what", [*REPEATED, *WALKED])
def test_no_way_is_gone_again_along_which_nothing_has_changed(
    tmp_path: Path, what: str, read: bool
) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    root: Any = ev.ChatThread(title="a") if "answer" in what else shelf_of(20)
    if isinstance(root, ev.ChatThread):
        for number in range(20):
            root.say("user", str(number))
    store.register(root)
    if read:
        root = store.get(root.ecs_id)  # which knows the way
    else:
        store.register(root)  # now it is known
    for _ in range(2):
        edit = {**REPEATED, **WALKED}[what]
        edit(root)
        with walks() as seen:
            told = _told(lambda: store.register(root))
        assert seen == [] if what in REPEATED else len(seen) >= 1
        if told:
            assert what.startswith(("one", "a copy"))
            break
        with ev.SQLAlchemyEntityStorage(tmp_path / "a.db") as again:
            assert isomorphic.find_difference(root, again.get(root.ecs_id)) is None
    assert store.verify().empty
    store.close()


ALONE: dict[str, Callable[[Any], Any]] = {
    "one": lambda shelf: shelf.books.append(Book(shelf=shelf)),
    "with a value": lambda shelf: shelf.books.append(Book(shelf=shelf, sequel=shelf.books[3])),
    "beside an edit": lambda shelf: [setattr(shelf, "name", "b"), ALONE["one"](shelf)],
    "and edited": lambda shelf: shelf.books.append(Book(shelf=shelf)),
    "and another": lambda shelf: shelf.books.append(Book(shelf=shelf)),
    "beside others": lambda shelf: shelf.books.append(Book(shelf=shelf)),
}
"""What is appended, to be saved alone."""
AFTER: dict[str, Callable[[Any], Any]] = {
    "and edited": lambda shelf: setattr(shelf.books[-1], "title", "edited"),
    "and another": lambda shelf: shelf.books.append(Book(shelf=shelf)),
}


@pytest.mark.parametrize("read", [False, True], ids=["saved", "read"])
@pytest.mark.parametrize("what", [*ALONE, "the first one"])
def test_who_came_to_a_list_alone_is_on_the_way(tmp_path: Path, what: str, read: bool) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    shelf = store.register(shelf_of(0 if what == "the first one" else 20))
    first, what = what not in ALONE, what if what in ALONE else "one"
    if read:
        shelf = store.get(shelf.ecs_id)
    else:
        store.register(shelf)
    for _ in range(3):
        ALONE[what](shelf)
        store.register(shelf.books[-1], hops=0)
        assert shelf.version == store.get(shelf.ecs_id).version
        AFTER.get(what, lambda _: None)(shelf)
        if what == "beside others":
            store.register(Two(a="a", b="b"))
        with walks() as gone, parts() as seen:
            store.register(shelf)
        assert gone == [] or first, "whose class may be met for the first time"
        assert seen != [None] or first
        first = False
        with ev.SQLAlchemyEntityStorage(tmp_path / "a.db") as again:
            assert isomorphic.find_difference(shelf, again.get(shelf.ecs_id)) is None
    shelf.books.append(Book(shelf=shelf))
    store.register(shelf.books[-1], hops=0)
    late = shelf.books.pop()
    with walks() as gone:
        store.register(shelf)  # which has lost it
    assert len(gone) == 1
    assert late not in store.get(shelf.ecs_id).books
    assert store.verify().empty
    store.close()


def test_a_way_is_gone_again_where_anything_was_remembered_since(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    shelf = store.register(shelf_of(20))
    store.register(shelf)
    first, second, third = shelf.books[:3]
    third.sequel = first
    store.register(third, hops=0)
    third.title = "edited"
    with walks() as seen:
        store.register(shelf)
        store.register(shelf)
    assert seen == [21], "the walk before has third.sequel elsewhere"
    assert store.get(third.ecs_id).sequel == first
    store.register(shelf)
    first.title = second.title = "by itself"
    store.register([first, second], hops=0)
    with walks() as seen:
        store.register(shelf)
    assert seen == [], "they hold whom they have held"
    third.sequel = second
    store.refresh(third)
    third.title = "again"
    with walks() as seen:
        store.register(shelf)
    assert len(seen) <= 1
    assert store.get(third.ecs_id).sequel == first
    for _ in range(3):
        store.register(shelf)  # now the way is known, and looked at
    copy_ = store.get(second.ecs_id)
    copy_.title = "by another object"
    store.register(copy_)
    with pytest.raises(StaleVersionError):
        store.register(shelf)
    store.refresh(shelf)
    store.register(shelf)
    store.register(shelf)
    del third.title
    third.title = "set again"
    with walks() as seen:
        store.register(shelf)
    assert seen == [21]
    with ev.SQLAlchemyEntityStorage(tmp_path / "b.db") as other:
        with walks() as seen:
            other.register(shelf)
            other.register(shelf)
            store.register(shelf)
        assert seen == [21, 21, 21], "another store goes its own way"
    store.close()


def test_who_is_held_since_a_save_by_itself_is_on_the_way(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    shelf, lonely = shelf_of(20), Book(title="lonely")
    for _ in range(4):
        store.register(shelf)  # now the way is known, and looked at
    shelf.books[0].sequel = lonely
    store.register([shelf.books[0], lonely], hops=0)
    lonely.title = "edited"
    store.register(shelf)
    assert store.get(lonely.ecs_id).title == "edited"
    store.close()


def test_what_is_saved_between_look_and_save_is_noticed(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    shelf = store.register(shelf_of(20))
    store.register(shelf)
    save = store.inside.save

    def late(*given: Any, **options: Any) -> Any:
        other = store.get(shelf.books[3].ecs_id)
        other.title = "by another object"
        save(walk_to_save([other]), None)
        return save(*given, **options)

    with mock.patch.object(store.inside, "save", late), pytest.raises(StaleVersionError):
        store.register(shelf)
    assert store.get(shelf.ecs_id).books[3].title == "by another object"
    store.close()


@pytest.mark.parametrize("field", ["shelf", "books", "named"])
def test_a_walk_that_another_thread_has_disturbed_is_not_kept(tmp_path: Path, field: str) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    shelf = shelf_of(20)
    hidden = Book(title="hidden", shelf=shelf)
    shelf.books.append(hidden)
    shelf.named["a"] = hidden
    if field == "shelf":
        shelf.best = hidden
    store.register(shelf)
    places: list[tuple[Any, str, Any]] = [(shelf, "books", shelf.books[:-1]), (shelf, "named", {})]
    places += [(shelf, "best", None)]

    def disturbed(roots: Any) -> Any:
        """Walk while somebody is not there for a moment."""
        before = {name: getattr(shelf, name) for _, name, _ in places}
        for of, name, value in places:
            setattr(of, name, value)
        found = walk_to_save(roots)
        for name, value in before.items():
            setattr(shelf, name, value)
        return found

    with mock.patch.object(kept_walks, "walk_to_save", disturbed):
        store.register(shelf)
    hidden.title = "edited"
    store.register(shelf)
    assert store.get(hidden.ecs_id).title == "edited"
    store.close()


def test_a_kept_walk_goes_with_its_entity(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    top = Shelf(name="top", others=[Shelf(name="a"), Shelf(name="b")])
    store.register(top.others[0])
    dropped = weakref.ref(top)
    gc.collect()
    gc.disable()
    try:
        del top
        assert dropped() is None, "there is no circle for the collector to find"
        top = store.get(store.register(Shelf(name="top", others=[Shelf(name="a")])).ecs_id)
        dropped = weakref.ref(top)
        del top
        assert dropped() is None, "nor of what was read"
    finally:
        gc.enable()
    shelves = [store.register(shelf_of(3)) for _ in range(remembered.WALKS + 1)]
    with walks() as seen:
        for shelf in [*shelves, *shelves[1:]]:
            store.register(shelf)
    assert seen == [4] * len(shelves), "of the last ones the way is known"
    with walks() as seen:
        store.register(shelves[0])
    assert seen == [4]
    with walks() as seen:
        for root in (shelves[0].books[0], shelves[0]):
            store.register(root)
    assert seen == [4, 4], "of two that hold each other one walk is enough"
    store.close()


def test_what_a_block_saves_is_remembered_once_it_is_stored(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    one, two = shelf_of(20), shelf_of(30)
    with store.transaction():
        store.register(one)
        with pytest.raises(TakenBackError):
            _save_and_take_back(store, two)
        store.register(two)
    with parts() as seen:
        store.register([one, two])
    assert seen == [0]
    with store.transaction():
        one.books[3].title = "edited"
        store.register(one)
        copy = store.get(two.books[4].ecs_id)
        copy.title = "by another object"
        store.register(copy)
    with parts() as seen:
        store.register(one)
        with pytest.raises(StaleVersionError):
            store.register(two)  # which is not what was saved last
    assert seen == [0, None]
    store.refresh(two)
    assert two.books[4].title == "by another object"
    one.books[3].title = "taken back"
    with pytest.raises(TakenBackError):
        _save_and_take_back(store, one)
    with parts() as seen:
        store.register(one)
    assert seen == [None]
    assert store.get(one.ecs_id).books[3].title == "taken back"
    lonely = store.register(Book(title="lonely"))
    with store.transaction():
        store.register(two)
        store.delete(lonely)
    with parts() as seen:
        store.register(two)
    assert seen == [], "where something was deleted, nothing is remembered"
    assert store.verify().empty
    store.close()


def _save_and_take_back(store: ev.SQLAlchemyEntityStorage, entity: ev.Entity) -> None:
    with store.transaction():
        store.register(entity)
        raise TakenBackError("back")


def test_what_is_dropped_is_dropped(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    shelf = store.register(shelf_of(5))
    again = store.get(shelf.ecs_id)
    refs = [weakref.ref(e) for e in (shelf, again, shelf.books[2], again.books[3])]
    del shelf, again
    gc.collect()
    assert [ref() for ref in refs] == [None] * 4
    store.close()


@pytest.mark.scale
def test_what_is_remembered_takes_little(tmp_path: Path) -> None:
    path, count = tmp_path / "a.db", 3000
    thread = ev.ChatThread(title="a")
    for number in range(count):
        thread.say("user", f"text {number}")
    with ev.SQLAlchemyEntityStorage(path) as store:
        store.register(thread)
    taken = []
    for remembers in ("and saved", "read", ""):
        with ev.SQLAlchemyEntityStorage(path) as store, ExitStack() as stack:
            if not remembers:
                stack.enter_context(mock.patch.object(Catalog, "found_revision", return_value=None))
            warm = store.get(thread.ecs_id)
            for _ in range(2):  # what is made once is made
                store.register(warm)
            del warm
            gc.collect()
            tracemalloc.start()
            read = store.get(thread.ecs_id)
            if remembers == "and saved":
                store.register(read)  # and keeps the walk
            gc.collect()
            taken.append(tracemalloc.get_traced_memory()[0] / count)
            tracemalloc.stop()
            del read
    slots = 4 * 8
    assert 0 < taken[0] - taken[2] + slots <= 250
    assert 0 < taken[1] - taken[2] + slots <= 250


def test_memory_is_no_part_of_an_entity(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    shelf = store.register(shelf_of(3))
    other = copy.deepcopy(shelf)
    other.books[1].title = "other"
    store.register(other)
    assert store.get(shelf.ecs_id).books[1].title == "other"
    with pytest.raises(StaleVersionError):
        store.register(shelf)
    store.close()


@pytest.mark.parametrize(
    ("said", "back"),
    [
        ("title = 'by SQL'", lambda book: setattr(book, "title", str(1))),
        ("number = '7'", lambda book: setattr(book, "number", None)),
        ("sequel_id = 3", lambda book: setattr(book, "sequel", None)),
    ],
)
def test_what_sql_has_edited_can_be_set_back(tmp_path: Path, said: str, back: Any) -> None:
    path = tmp_path / "a.db"
    with ev.SQLAlchemyEntityStorage(path) as store:
        shelf = store.register(shelf_of(3))
    wanted = shelf.books[1]
    with closing(sqlite3.connect(path)) as conn:
        conn.execute(f"UPDATE books SET {said} WHERE id = 2")
        conn.commit()
    with ev.SQLAlchemyEntityStorage(path) as store:
        read = store.get(shelf.ecs_id)
        book = read.books[1]
        back(book)
        assert len(store.revisions()) == 1
        store.register(read)
        again = store.get(wanted.ecs_id)
        for name in ("title", "number", "sequel"):
            assert getattr(again, name) == getattr(wanted, name)
        assert len(store.revisions()) == 2
        book.title = str(1)
        store.register(read)
        assert len(store.revisions()) == 2, "it is what is stored"


def by_sql(path: Path, said: str) -> None:
    with closing(sqlite3.connect(path)) as conn:
        conn.execute(said)
        conn.commit()
    written = path.stat().st_mtime_ns + 10**9  # not in the very tick of the clock in which we saved
    os.utime(path, ns=(written, written))


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_a_row_that_sql_has_deleted_is_written_again(tmp_path: Path, journal: Any) -> None:
    path = tmp_path / "a.db"
    with ev.SQLAlchemyEntityStorage(path, journal=journal) as store:
        shelf = store.register(shelf_of(3))
        store.register(shelf)
        by_sql(path, "DELETE FROM books WHERE id = 2")
        assert store.count(Book) == 2
        store.register(shelf)
        assert store.count(Book) == 3
        assert isomorphic.find_difference(store.get(shelf.ecs_id), shelf) is None
        with parts() as seen:
            store.register(shelf)
        assert seen == [0], "and nothing after that"


def test_what_sql_has_edited_can_be_set_back_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with ev.SQLAlchemyEntityStorage(path) as store:
        shelf = store.register(shelf_of(3))
        by_sql(path, "UPDATE books SET title = 'by SQL' WHERE id = 2")
        book = store.get(shelf.books[1].ecs_id)
        assert book.title == "by SQL"
        book.title = "1"
        store.register(book, hops=0)
        assert store.get(book.ecs_id).title == "1"
        store.register(book, hops=0)
        assert len(store.revisions()) == 2, "it is what is stored"


def test_two_stores_remember_by_themselves(tmp_path: Path) -> None:
    one, two = (ev.SQLAlchemyEntityStorage(tmp_path / f"{name}.db") for name in "ab")
    book = Book(title="a")
    one.register(book)
    two.register(book)
    one.register(book)
    book.title = "b"
    two.register(book)
    assert two.get(book.ecs_id).title == "b"
    with pytest.raises(StaleVersionError):  # of a version that it never had, as ever
        one.register(book)
    assert one.get(book.ecs_id).title == "a"
    one.close()
    two.close()


def test_a_failed_save_is_not_remembered(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    shelf = store.register(shelf_of(20))
    shelf.books[3].title = "b"
    error = RuntimeError("in the middle")
    with (
        mock.patch("ecsviz.storage.relational.schema.catalog.Catalog.seal", side_effect=error),
        pytest.raises(RuntimeError),
    ):
        store.register(shelf)
    store.register(shelf)
    assert store.get(shelf.ecs_id).books[3].title == "b"
    store.close()


class Pair(NamedTuple):
    number: int
    several: list[int]


@dataclass
class Base:
    a: int = 0


@dataclass(slots=True)
class Slotted(Base):
    b: int = 0


class Odd(ev.Entity):
    """Has one field that can change in place."""


KINDS_OF_VALUES: dict[str, tuple[Any, Callable[[], Any], Callable[[Any], Any]]] = {
    "deque": (deque[int], lambda: deque([1]), lambda value: value.append(2)),
    "ordered": (OrderedDict[str, int], OrderedDict, lambda value: value.update(a=1)),
    "default": (defaultdict[str, int], lambda: defaultdict(int), lambda value: value.update(a=1)),
    "counter": (Counter[str], Counter, lambda value: value.update("a")),
    "tuple": (Pair, lambda: Pair(1, []), lambda value: value.several.append(2)),
    "slots": (Slotted, Slotted, lambda value: setattr(value, "b", 2)),
    "in a list": (list[deque[int]], lambda: [deque([1])], lambda value: value[0].append(2)),
    "list": (list[int], list, lambda value: value.append(1)),
}


@pytest.mark.parametrize("kind", KINDS_OF_VALUES)
@pytest.mark.parametrize("read", [False, True], ids=["saved", "read"])
def test_the_only_field_that_changes_in_place_is_looked_at(
    tmp_path: Path, kind: str, read: bool
) -> None:
    annotation, make, edit = KINDS_OF_VALUES[kind]
    cls: Any = type("Odd", (Odd,), {"__annotations__": {"value": annotation}})
    with ev.SQLAlchemyEntityStorage(tmp_path / "a.db") as store:
        odd = store.register(cls(value=make()))
        odd = store.get(odd.ecs_id) if read else odd
        store.register(odd)
        edit(odd.value)
        store.register(odd)
        assert store.get(odd.ecs_id).value == odd.value
        assert odd.version == 2


@pytest.mark.parametrize("field", ["best", "books", "others", "named"])
def test_what_another_thread_changes_while_a_save_waits_is_saved_next(
    tmp_path: Path, field: str
) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    shelf, other, book = shelf_of(3), Shelf(name="b"), Book(title="x")
    every = store.register([shelf, other, book])
    shelf.name = "edited"
    begun, go = threading.Event(), threading.Event()

    def hold() -> None:
        with store.transaction():
            begun.set()
            go.wait(20)

    holding = threading.Thread(target=hold)
    saving = threading.Thread(target=lambda: store.register(every))
    holding.start()
    begun.wait(20)
    walked, save = threading.Event(), store.inside.save

    def noted(*given: Any, **options: Any) -> Any:
        walked.set()
        return save(*given, **options)

    with mock.patch.object(store.inside, "save", noted):
        saving.start()
        walked.wait(20)
        if field == "best":
            shelf.best = book
        elif field == "books":
            book.shelf = shelf
            shelf.books.append(book)
        elif field == "others":
            shelf.others.append(other)
        else:
            shelf.named["a"] = book
        go.set()
        saving.join()
        holding.join()
    store.register(every)
    stored = store.get(shelf.ecs_id)
    assert not ev.diff(stored, shelf)
    assert stored.name == "edited"
    store.close()


@pytest.mark.parametrize("times", [1, 4])
def test_attributes_that_are_deleted_and_set_again_are_saved(tmp_path: Path, times: int) -> None:
    with ev.SQLAlchemyEntityStorage(tmp_path / "a.db") as store:
        pair = Two(a="A", b="B")
        for _ in range(times):
            store.register(pair)
        pair.a, pair.b = "A", "B"
        a, b = pair.a, pair.b
        del pair.a
        del pair.b
        pair.b, pair.a = a, b
        store.register(pair)
        assert (store.get(pair.ecs_id).a, pair.version) == ("B", 2)


class Two(ev.Entity):
    a: str
    b: str


def test_a_migration_lets_nothing_be_known(tmp_path: Path) -> None:
    def defined(*names: str) -> Any:
        fields = {"__annotations__": dict.fromkeys(names, str), "__module__": __name__}
        return type("Migrated", (ev.Entity,), fields | dict.fromkeys(names, ""))

    with (
        ev.SQLAlchemyEntityStorage(tmp_path / "a.db") as store,
        ev.SQLAlchemyEntityStorage(tmp_path / "a.db") as other,
    ):
        cls = defined("title", "note")
        one, two = store.register(cls(note="x")), other.register(cls(note="x"))
        store.register([one, other.get(two.ecs_id)])
        cls = defined("title")
        store.migrate(drop=["Migrated.note"])
        cls = defined("title", "note")
        store.migrate()
        store.register(one)
        other.register(two)
        assert [store.get(each.ecs_id).note for each in (one, two)] == ["x", "x"]
        assert cls


def test_a_placeholder_beside_what_is_known(tmp_path: Path) -> None:
    with ev.SQLAlchemyEntityStorage(tmp_path / "a.db") as store:
        one, two = Book(title="one"), Book(title="two")
        first = store.register(Book(title="first", sequel=two))
        store.register(one)
        part = store.get(first.ecs_id, hops=0).sequel
        last = Shelf(best=store.get(one.ecs_id), named={"a": part})
        store.register(last, hops=0)
        store.register(Shelf(best=store.get(one.ecs_id), named={"a": part}))
        assert store.get(last.ecs_id).named["a"].title == "two"


# -- the same as looking at all --------------------------------------------------------------


class World:
    """A graph, and a store for it; two of them go through the same steps."""

    def __init__(self, path: Path) -> None:
        self.store = ev.SQLAlchemyEntityStorage(path)
        self.path = path
        self.shelves = [Shelf(name="a"), Shelf(name="b")]
        self.books: list[Book] = []
        self.step("append", 0, 0, 0)
        self.step("append", 0, 0, 0)

    def step(self, what: str, i: int, j: int, k: int) -> None:
        shelf, books = self.shelves[i % len(self.shelves)], self.books
        book = books[j % len(books)] if books else None
        other = books[k % len(books)] if books else None
        if what == "append":
            books.append(Book(title=f"n{len(books)}", shelf=shelf))
            shelf.books.append(books[-1])
        elif what == "insert":
            books.append(Book(title=f"n{len(books)}", shelf=shelf))
            shelf.books.insert(j % (len(shelf.books) + 1), books[-1])
        elif what == "lonely":
            books.append(Book(title=f"n{len(books)}"))
            shelf.best = books[-1]
        elif what == "wrong":
            books.append(Book(title=f"n{len(books)}", shelf=shelf))
            shelf.best = books[-1]
        elif what == "tree":
            self.shelves.append(Shelf(name=f"s{len(self.shelves)}"))
            books.append(Book(title=f"n{len(books)}", shelf=self.shelves[-1]))
            self.shelves[-1].books.append(books[-1])
            shelf.others.append(self.shelves[-1])
        elif what == "shelf":
            shelf.name += "x"
        elif what == "named":
            shelf.named[f"k{j % 3}"] = other  # type: ignore[assignment]  # there is one by now
        elif what == "unnamed":
            shelf.named.pop(f"k{j % 3}", None)
        elif what == "others":
            shelf.others.append(self.shelves[j % len(self.shelves)])
        elif what == "reorder":
            shelf.books.reverse()
        elif book is not None:
            self._edit(what, shelf, book, other)

    def _edit(self, what: str, shelf: Shelf, book: Book, other: Any) -> None:
        if what in ("move", "leave") and book.shelf is not None and book in book.shelf.books:
            book.shelf.books.remove(book)
        edits: dict[str, Callable[[], Any]] = {
            "title": lambda: setattr(book, "title", book.title + "x"),
            "same": lambda: setattr(book, "title", (book.title + "x")[:-1]),
            "data": lambda: book.data.update(a=[*book.data.get("a", []), 1]),
            "deep": lambda: book.data.setdefault("a", []).append({"b": 1}),
            "sequel": lambda: setattr(book, "sequel", other),
            "best": lambda: setattr(shelf, "best", book),
            "move": lambda: (setattr(book, "shelf", shelf), shelf.books.append(book)),
            "leave": lambda: setattr(book, "shelf", None),
            "disagree": lambda: setattr(book, "shelf", shelf),
            "twice": lambda: shelf.books.append(book),
            "another list": lambda: setattr(shelf, "books", [*shelf.books]),
            "swap": lambda: self._swap(shelf),
            "out": lambda: shelf.books.remove(book) if book in shelf.books else None,
            "number": lambda: setattr(book, "number", (1, 1.0, True)[len(book.title) % 3]),
            "words": lambda: book.words.append("w"),
            "mark": lambda: book.marks.add(len(book.title)),
            "model": lambda: book.meta.tags.append("t"),
            "pair": lambda: book.pair[1].append(3),
            "point": lambda: book.point.more.append(1),
        }
        edits[what]()

    def _swap(self, shelf: Shelf) -> None:
        """Let another book stand where one has stood: the list is as long as before."""
        if shelf.books:
            shelf.books[-1].shelf = None
            self.books.append(Book(title=f"n{len(self.books)}", shelf=shelf))
            shelf.books[-1] = self.books[-1]

    def roots(self) -> list[Any]:
        return [self.shelves[0], self.shelves[1]]

    def save(self, some: int) -> str:
        roots: Any = self.roots() if some == 0 else self.books[some % len(self.books)]
        return _told(lambda: self.store.register(roots))

    def one(self, j: int) -> str:
        """Save a shelf and all it leads to: a walk that begins at one entity is kept."""
        return _told(lambda: self.store.register(self.shelves[j % len(self.shelves)]))

    def of_book(self, j: int) -> str:
        """Save a book and all it leads to, which a shelf may lead to as well."""
        return _told(lambda: self.store.register(self.books[j % len(self.books)]))

    def alone(self, j: int) -> str:
        """Save one entity without what it leads to."""
        every = [*self.books, *self.shelves]
        return _told(lambda: self.store.register(every[j % len(every)], hops=0))

    def newest(self, j: int) -> str:
        """Save who came last alone."""
        return _told(lambda: self.store.register(self.books[-1 - j % 2], hops=0))

    def read(self, j: int) -> str:
        """Go on with what is stored of a shelf and of all it leads to."""

        def read() -> None:
            shelf = self.store.get(self.shelves[j % len(self.shelves)].ecs_id)
            known = kept_walks.walk_known([shelf], self.store.inside.catalog.remembered)
            assert _said_by(known) == _said_by(walk([shelf]))
            found = {e.ecs_id: e for e in walk([shelf]).entities}
            self.shelves = [found.get(e.ecs_id, e) for e in self.shelves]
            self.books = [found.get(e.ecs_id, e) for e in self.books]

        return _told(read)

    def refresh(self, j: int) -> str:
        """Take over what is stored, in the very objects."""
        return _told(lambda: self.store.refresh(self.books[j % len(self.books)]))

    def fails(self, j: int) -> str:
        """Save a shelf, which fails at its end."""
        error = TakenBackError("at the end")
        with mock.patch.object(Catalog, "seal", side_effect=error):
            return _told(lambda: self.store.register(self.shelves[j % len(self.shelves)]))

    def elsewhere(self, j: int) -> str:
        """Save a shelf in another store as well, which remembers it from then on."""
        with ev.SQLAlchemyEntityStorage(":memory:") as other:
            return _told(lambda: other.register(self.shelves[j % len(self.shelves)], hops=0))

    def others(self, j: int) -> str:
        """Let another store object save an entity of its own reading."""
        book = self.books[j % len(self.books)]
        with ev.SQLAlchemyEntityStorage(self.path) as other:

            def save() -> None:
                found = other.get(book.ecs_id)
                found.title += "o"
                other.register(found)

            return _told(save)

    def copy(self, j: int) -> str:
        """Save an entity of another reading by this very store."""
        book = self.books[j % len(self.books)]

        def save() -> None:
            found = self.store.get(book.ecs_id)
            found.title += "c"
            self.store.register(found)

        return _told(save)

    def again(self) -> str:
        """Go on with what is stored."""

        def read() -> None:
            shelves = self.store.get_many([shelf.ecs_id for shelf in self.roots()])
            self.shelves = [shelves[0], shelves[1]]
            found = {e.ecs_id: e for e in walk(shelves).entities}
            self.books = [found[b.ecs_id] for b in self.books if b.ecs_id in found]
            self.shelves += [
                e for e in found.values() if isinstance(e, Shelf) and e not in self.shelves
            ]
            self.shelves[2:] = sorted(self.shelves[2:], key=lambda shelf: shelf.name)

        return _told(read)

    def delete(self, j: int) -> str:
        return _told(lambda: self.store.delete(self.books[j % len(self.books)]))

    def revert(self, j: int) -> str:
        count = len(self.store.revisions())

        def revert() -> None:
            self.store.revert(self.shelves[0], to=1 + j % max(1, count))

        return _told(revert)


def _said_by(found: Any) -> list[Any]:
    """Return what a walk says, without how it keeps that."""
    kinds = [found.classes[kind] for kind in found.kinds]
    fields = [found.fields[slot] for slot in found.slots]
    return [list(map(id, found.entities)), kinds, fields, [*found.sources], [*found.targets]]


def _flat(parts: list[list[Any]]) -> list[Any]:
    return [step for part in parts for step in part]


def _told(act: Callable[[], Any]) -> str:
    try:
        act()
    except ev.EcsvizError as error:
        return type(error).__name__
    return ""


KINDS = [
    *("append", "append", "insert", "lonely", "wrong", "tree", "shelf", "named", "unnamed"),
    *("others", "reorder", "title", "same", "data", "deep", "sequel", "best", "move", "leave"),
    *("disagree", "twice", "another list", "swap", "out"),
    *("number", "words", "mark", "model", "pair", "point"),
]
CALLS = [
    *("save", "save", "one", "one", "one", "one", "of_book", "alone", "newest", "read"),
    *("refresh", "fails"),
    *("elsewhere", "copy", "again", "delete", "revert"),
]
EDIT = st.tuples(st.just("step"), st.sampled_from(KINDS), *[st.integers(0, 9)] * 3)
CALL = st.tuples(st.sampled_from(CALLS), st.integers(0, 3), st.integers(0, 9))
SAVE = st.tuples(st.just("save"), st.integers(0, 3), st.just(0))
PART = st.tuples(st.just("block"), st.lists(EDIT | CALL, max_size=4), st.booleans())
BLOCK = st.tuples(
    st.just("block"), st.lists(EDIT | SAVE | CALL | PART, min_size=1, max_size=8), st.booleans()
)
OTHERS = st.tuples(st.just("others"), st.just(0), st.integers(0, 9))
STEPS = st.lists(st.one_of(EDIT, CALL, OTHERS, BLOCK), max_size=25)


APPEND = st.tuples(st.just("step"), st.just("append"), *[st.integers(0, 9)] * 3)
ONE = st.tuples(st.just("one"), st.just(0), st.just(0))
# Walks are kept where one entity is saved twice in a row, and known where nothing else happened.
BETWEEN = EDIT | APPEND | CALL | OTHERS
READ = st.tuples(st.just("read"), st.just(0), st.just(0))
AGAIN = st.tuples(ONE, ONE | READ, BETWEEN, ONE, BETWEEN, ONE).map(list)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=STEPS | st.lists(AGAIN | st.tuples(CALL).map(list), max_size=4).map(_flat))
def test_looking_at_what_changed_does_what_looking_at_all_does(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Any]
) -> None:
    folder = tmp_path_factory.mktemp("worlds")
    quick, whole = World(folder / "quick.db"), World(folder / "whole.db")
    with mock.patch.object(remembered, "MOST", 6):
        for step in [("save", 0, 0), *steps, ("save", 0, 0)]:
            told = [_do(quick, step)]
            with looking_at_all():
                told.append(_do(whole, step))
            assert told[0] == told[1], step
        assert _values(quick) == _values(whole)
        assert quick.store.verify().empty
    quick.store.close()
    whole.store.close()


def _do(world: World, step: Any) -> str:
    if step[0] == "step":
        world.step(*step[1:])
        return ""
    if step[0] == "block":
        return _block(world, *step[1:])
    if not world.books:
        return ""
    if step[0] == "save":
        return world.save(step[1])
    if step[0] == "again":
        return world.again()
    found: str = getattr(world, step[0])(step[2])
    return found


class TakenBackError(ev.EcsvizError):
    """Ends a block, of which nothing is to be saved."""


def _block(world: World, steps: list[Any], well: bool) -> str:
    """Do several steps as one transaction, which is taken back or not."""
    told: list[str] = []

    def act() -> None:
        with world.store.transaction():
            told.extend(_do(world, step) for step in steps)
            if not well:
                raise TakenBackError("back")

    told.append(_told(act))
    return " ".join(told)


def _values(world: World) -> Any:
    """Return all that is stored of a world, without ids."""
    store = world.store
    books = sorted((b.title, b.version, str(b.data)) for b in store.list_by_type(Book))
    shelves = sorted(
        (
            shelf.name,
            shelf.version,
            [b.title for b in shelf.books],
            shelf.best and shelf.best.title,
            [o.name for o in shelf.others],
            {key: b.title for key, b in shelf.named.items()},
        )
        for shelf in store.list_by_type(Shelf)
    )
    sequels = sorted((b.title, b.sequel and b.sequel.title) for b in store.list_by_type(Book))
    changes = store.revisions()[["added", "changed", "deleted"]].to_numpy().tolist()
    live = [e.version for e in (*world.shelves[:2], *world.books)]
    return books, shelves, sequels, changes, live
