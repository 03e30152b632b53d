"""The store's explorer, driven through its traits and messages as a page does."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import traitlets
from pydantic import Field

import ecsviz as ev
from ecsviz.errors import InvalidArgumentError, InvalidIdError, UnknownTypeError
from ecsviz.export import plain
from ecsviz.storage.looking import Wanted
from ecsviz.storage.relational.look import holders
from ecsviz.widgets import StoreExplorer, explore_store
from ecsviz.widgets.store import explorer as room
from ecsviz.widgets.store.neighbours import near_of
from tests import test_handwritten as by_hand
from tests.cells import Page
from tests.conformance.conftest import OPENERS
from tests.databases import counted
from tests.hostile import HOSTILE, assert_harmless, texts
from tests.processes import in_a_new_process


class Shelf(ev.Entity):
    name: str
    books: list[Volume] = ev.reference(inverse="shelf", default_factory=list)


class Volume(ev.Entity):
    title: str
    pages: int | None = None
    lent: bool = False
    bought: datetime | None = None
    shelf: Shelf | None = ev.reference(inverse="books", default=None)
    follows: Volume | Shelf | None = None


def shelf(count: int = 60) -> Shelf:
    made = Shelf(name="novels")
    last = None
    for number in range(count):
        pages = None if number % 7 == 3 else (number * 37) % 101
        bought = datetime(2026, 1, 1 + number % 28, tzinfo=UTC)
        book = Volume(title=f"Volume {number:03}", pages=pages, bought=bought, shelf=made)
        book.follows = last
        last = book
        made.books.append(book)
    return made


@pytest.fixture(name="store", params=["sqlite", "memory", "postgresql"])
def _store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return OPENERS[request.param](tmp_path, request)()


@pytest.fixture(name="shown")
def _shown(store: Any) -> Iterator[StoreExplorer]:
    store.register(shelf(), note="bought")
    shown = store.explore()
    yield shown
    shown.close()


def column(shown: StoreExplorer, name: str) -> list[Any]:
    names = [found["name"] for found in shown._page["columns"]]
    return [row[names.index(name)] for row in shown._page["rows"]]


def test_it_shows_classes_revisions_and_the_largest_table(shown: StoreExplorer, store: Any) -> None:
    about = shown._about
    assert [(c["name"], c["count"], c["defined"]) for c in about["classes"]] == [
        ("Volume", 60, True),
        ("Shelf", 1, True),
    ]
    (revision,) = about["revisions"]
    assert (revision["revision"], revision["note"], revision["counts"]) == (
        1,
        "bought",
        "61 added",
    )
    assert (shown.table, shown.status) == ("Volume", "showing 25 of 60 rows of Volume (1 to 25)")
    names = [(c["name"], c["kind"]) for c in shown._page["columns"]]
    assert names == [
        ("title", "text"),
        ("pages", "number"),
        ("lent", "yes"),
        ("bought", "time"),
        ("shelf", "entity"),
        ("follows", "entity"),
        ("version", "number"),
    ]
    assert column(shown, "title") == [f"Volume {n:03}" for n in range(25)]
    assert column(shown, "lent")[0] is False
    assert str(column(shown, "bought")[1])[:16] == "2026-01-02 00:00"
    book = store.get(shown._page["ids"][1])
    assert column(shown, "shelf")[1] == str(book.shelf.ecs_id)
    assert column(shown, "follows")[:2] == [None, str(book.follows.ecs_id)]


def test_pages_are_turned(shown: StoreExplorer) -> None:
    page = Page(shown)
    page.do("turn", table=shown.table, first=25)
    assert column(shown, "title")[0] == "Volume 025"
    page.do("turn", table=shown.table, first=50)
    assert len(column(shown, "title")) == 10
    assert shown.status == "showing 10 of 60 rows of Volume (51 to 60)"
    shown.first = 1_000
    assert (shown.first, column(shown, "title")[-1]) == (50, "Volume 059")
    page.do("turn", table=shown.table, first=-1)
    assert shown.first == 50
    page.do("table", n=1, name="Shelf")
    assert (shown.table, shown.first, column(shown, "name")) == ("Shelf", 0, ["novels"])


def test_columns_sort_with_nothing_last(shown: StoreExplorer) -> None:
    page = Page(shown)
    names = [found["name"] for found in shown._page["columns"]]
    place = names.index("pages")
    shown.first = 25
    page.do("sort", table=shown.table, column=place)
    assert (shown.order_by, shown.first) == ("pages", 0)
    rising = [column(shown, "pages")]
    shown.first = 50
    rising.append(column(shown, "pages"))
    numbers = [n for n in rising[0] if n is not None]
    assert numbers == sorted(numbers)
    assert len(numbers) == 25
    assert None in rising[1]
    page.do("sort", table=shown.table, column=place)
    assert shown.order_by == "-pages"
    falling = column(shown, "pages")
    assert falling == sorted(falling, reverse=True)
    assert falling[0] == 100
    page.do("sort", table=shown.table, column=place)
    assert (shown.order_by, column(shown, "title")[0]) == ("", "Volume 000")
    page.do("sort", table=shown.table, column=names.index("shelf"))
    assert shown.order_by == ""
    with pytest.raises(InvalidArgumentError, match="Did you mean 'pages'"):
        shown.order_by = "-page"
    shown.order_by = "-title"
    assert column(shown, "title")[0] == "Volume 059"


def test_the_search_is_the_stores(shown: StoreExplorer) -> None:
    shown.first = 25
    shown.search = "VOLUME 01"
    assert column(shown, "title") == [
        [["Volume", True], [" ", False], [f"01{n}", True]] for n in range(10)
    ]
    assert shown.status == "showing 10 of 10 rows of Volume that match"
    assert shown.first == 0
    shown.search = "100%"
    assert shown.status == "no rows of Volume that match"
    shown.search = ""
    assert shown._page["total"] == 60
    shown.search = shown._page["ids"][3]
    assert column(shown, "title") == ["Volume 003"]


LONG = "lorem ipsum dolor sit amet " * 30

SAID = [
    "the save plan",
    "a plan that is saved",
    f"{LONG} Save, then plan. {LONG}",
    "nothing",
    "ISSUE: unsaved plankton",
]


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize("opener", ["memory", "sqlite"])
def test_a_search_shows_the_places(
    opener: str, indexed: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Where there is an index, what it finds is what the store's search does."""
    store = OPENERS[opener](tmp_path, request)()
    thread = ev.ChatThread(title="Cycles")
    for text in SAID:
        thread.say("user", text)
    store.register(thread)
    if indexed:
        store.index_text(ev.ChatMessage, "content")
    shown = store.explore()

    def found(text: str) -> list[str]:
        shown.search = text
        return ["".join(f"[{t}]" if m else t for t, m in c) for c in column(shown, "content")]

    assert found("save pla")[0] == "the [save] [plan]"
    assert found("pla save")[:1] == ([] if indexed else ["the [save] [pla]n"])
    first, second, third = found("plan sav")
    assert (first, second) == ("the [save] [plan]", "a [plan] that is [saved]")
    assert " [Save], then [plan]. " in third
    assert third[0] == third[-1] == "…"
    assert found('"save plan"') == ["the [save plan]"]
    for text in ("plan sav", '"save plan"', "then", "SAVE"):
        ids = {hit.ecs_id for hit in store.search(f"{text}*", ev.ChatMessage, limit=None)}
        found(text)
        assert ids <= set(map(UUID, shown._page["ids"]))
        assert not indexed or len(ids) == shown._page["total"]
    assert found("nsaved p") == ([] if indexed else ["ISSUE: u[nsaved p]lankton"])
    shown.search = str(thread.messages[3].ecs_id)
    assert column(shown, "content") == ["nothing"]


def test_a_row_shows_what_is_around_it(shown: StoreExplorer, store: Any) -> None:
    page = Page(shown)
    told: list[Any] = []
    shown.observe(lambda change: told.append(change.new), "selected")
    assert shown.graph is None
    page.do("pick", id=shown._page["ids"][2])
    book = store.get(shown._page["ids"][2])
    assert told == [str(book.ecs_id)]
    assert shown.graph is not None
    assert shown.graph.entity == book
    after = store.get(shown._page["ids"][3])
    assert after.follows == book
    assert set(shown.graph.graph.nodes) == {book, book.shelf, book.follows, after}
    assert shown._told == "showing 2 of 2 entities that it holds and 2 of 2 that hold it"
    # a click in the graph chooses, and the table follows
    first = shown.graph
    shown.graph.selected = book.shelf
    assert (shown.selected, shown.table) == (str(book.shelf.ecs_id), "Shelf")
    assert shown.graph is first, "the reader is in the graph: it stays"
    page.do("pick", id=shown._page["ids"][0])
    assert shown.graph is not first
    assert shown._told == "showing 60 of 60 entities that it holds and 60 of 60 that hold it"
    # a reference in a cell
    shown.table = "Volume"
    page.do("follow", id=shown._page["rows"][5][5])
    assert shown.selected == shown._page["ids"][4]


def test_python_selects_and_the_table_turns(shown: StoreExplorer, store: Any) -> None:
    books = store.list_by_type(Volume)
    shown.table = "Shelf"
    shown.selected = books[57]
    assert (shown.table, shown.first) == ("Volume", 50)
    assert str(books[57].ecs_id) in shown._page["ids"]
    shown.selected = None
    assert shown.graph is not None
    assert shown.graph.selected is None
    unknown = uuid4()
    shown.selected = unknown
    assert (shown.graph, shown._told) == (None, f"{unknown} is not in this store.")
    with pytest.raises(InvalidIdError):
        shown.selected = "nonsense"
    with pytest.raises(UnknownTypeError, match="Did you mean 'Volume'"):
        shown.table = "Volum"


def test_one_selection_for_graph_thread_and_table(store: Any) -> None:
    thread = ev.sample("thread")
    store.register(thread)
    shown, chat = store.explore(), thread.explore(store)
    graph = ev.EntityDependencyGraph(thread).explore()
    traitlets.link((shown, "selected"), (chat, "selected"))
    traitlets.link((chat, "selected"), (graph, "selected"))
    graph.selected = thread.messages[4]
    assert chat.message is thread.messages[4]
    assert shown.selected in shown._page["ids"]
    Page(shown).do("pick", id=shown._page["ids"][0])
    assert graph.entity == chat.message
    assert graph.selected == shown._page["ids"][0]
    graph.selected = thread
    assert (shown.table, chat.message) == ("ChatThread", None)


def test_what_is_stored_later_comes_with_refresh(store: Any) -> None:
    shown = explore_store(store)
    assert (shown.table, shown.status) == (None, "nothing is stored")
    assert "no classes" in texts(str(shown.still()))
    store.register(shelf(3), note="three")
    Page(shown).do("refresh")
    assert (shown.table, shown._page["total"]) == ("Volume", 3)
    assert shown._about["revisions"][0]["note"] == "three"


def test_malformed_messages_change_nothing(shown: StoreExplorer) -> None:
    page = Page(shown)
    before = shown.table, shown.first, shown.selected, shown.order_by
    for name in StoreExplorer.answers:
        for wrong in (None, "x", -1, 10**9, 2.5, [], {}):
            if name != "turn" or wrong != 10**9:
                page.do(name, n=wrong, name=wrong, id=wrong, column=wrong, first=wrong, table=wrong)
        page.do(name)
    assert (shown.table, shown.first, shown.selected, shown.order_by) == before


# -- what is next to a row -------------------------------------------------------------------


class Label(ev.Entity):
    name: str


class Parcel(ev.Entity):
    name: str = ""
    main: Label | None = None
    labels: list[Label] = Field(default_factory=list)
    named: dict[str, Label] = Field(default_factory=dict)
    deep: list[dict[str, Label]] = Field(default_factory=list)
    inside: Parcel | None = None


def test_all_that_holds_it_is_found(store: Any) -> None:
    label, other = Label(name="fragile"), Label(name="other")
    store.register(other)
    alone = near_of(store, other.ecs_id)
    assert (alone.graph.nodes, alone.told) == ([other], "it holds nothing, and nothing holds it")
    holders = [
        Parcel(main=label),
        Parcel(labels=[other, label, label]),
        Parcel(named={"x": label, "y": other}),
        Parcel(deep=[{"x": label}]),
        Parcel(main=label, labels=[label]),
    ]
    outer = Parcel(main=other, inside=holders[0])
    outer.inside.inside = outer.inside  # and itself
    store.register([outer, *holders])
    near = near_of(store, label.ecs_id)
    assert {node.ecs_id for node in near.graph.nodes} == {
        entity.ecs_id for entity in (label, *holders)
    }
    assert near.told == "it holds nothing; showing 5 of 5 that hold it"
    assert near.graph.nodes[near.root] == label
    held = near_of(store, holders[0].ecs_id)
    assert held.told == "showing 1 of 1 entity that it holds and 1 of 1 that holds it"
    assert (
        near_of(store, outer.ecs_id).told
        == "showing 2 of 2 entities that it holds; nothing holds it"
    )


def test_of_many_holders_the_first_are_shown(store: Any) -> None:
    label = Label(name="everywhere")
    parcels = [Parcel(name=str(number), main=label, labels=[label]) for number in range(70)]
    store.register(parcels)
    near = near_of(store, label.ecs_id)
    assert near.told == "it holds nothing; showing 30 of 70 that hold it"
    names = {node.name for node in near.graph.nodes if node.ecs_id != label.ecs_id}
    assert names == set(map(str, range(30)))


def test_queries_are_asked_in_several_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    store = ev.SQLAlchemyEntityStorage(":memory:")
    label = Label(name="held")
    store.register([Parcel(main=label, labels=[label]), Volume(title="t"), label])
    once = store.inside.holders(label.ecs_id, 9)
    monkeypatch.setattr(holders, "PARTS", 1)
    assert store.inside.holders(label.ecs_id, 9) == once
    assert once[1] == 1


# -- a database ------------------------------------------------------------------------------


def test_a_page_costs_the_same_however_much_is_stored(tmp_path: Path) -> None:
    counts = []
    for size in (100, 20_000):
        store = ev.SQLAlchemyEntityStorage(tmp_path / f"{size}.db")
        store.register(shelf(size))
        shown = store.explore()
        steps = []
        for name, value in (
            ("first", 50),
            ("order_by", "-title"),
            ("search", "volume 0"),
            ("table", "Shelf"),
        ):
            with counted() as statements:
                setattr(shown, name, value)
            steps.append(len(statements))
            assert all("LIMIT" in s for s in statements if "t0" in s)
        counts.append(steps)
        shown.table = "Volume"
        state = {name: v for name, v in shown.get_state().items() if not name.startswith("_esm")}
        assert len(str(state)) < 40_000, "a page, not the table"
    assert counts[0] == counts[1]
    # At most two transactions, which begin with four each: BEGIN, what the file's schema holds,
    # whether it is the store, its types. Then the number of rows, and a page of them.
    assert max(counts[0]) <= 2 * 4 + 2


def test_what_is_next_costs_the_same_however_much_is_stored(tmp_path: Path) -> None:
    counts = []
    for size in (100, 2_000):
        store = ev.SQLAlchemyEntityStorage(tmp_path / f"{size}.db")
        label = Label(name="everywhere")
        made = shelf(size)
        store.register([made, *(Parcel(main=label) for _ in range(size))])
        with counted() as statements:
            for entity in (label, made, made.books[5]):
                near_of(store, entity.ecs_id)
        counts.append(len(statements))
    assert counts[0] == counts[1]


HOLDER = """
import sys, ecsviz as ev
class Label(ev.Entity):
    name: str
class Crate(ev.Entity):
    label: Label
ev.SQLAlchemyEntityStorage(sys.argv[1]).register([Crate(label=Label(name="one"))])
"""


def test_holders_of_unknown_classes_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "crates.db"
    in_a_new_process(HOLDER, file)
    store = ev.SQLAlchemyEntityStorage(file)
    (label,) = store.list_by_type(Label)
    near = near_of(store, label.ecs_id)
    assert (near.graph.nodes, near.told) == (
        [label],
        "it holds nothing; showing 0 of 1 that holds it",
    )


WRITER = """
import sys, ecsviz as ev
class Island(ev.Entity):
    name: str
    near: "Island | None" = None
hub = Island(name="hub")
ev.SQLAlchemyEntityStorage(sys.argv[1]).register([hub, Island(name="far", near=hub)])
"""


def test_classes_that_are_not_defined_here(tmp_path: Path) -> None:
    file = tmp_path / "islands.db"
    in_a_new_process(WRITER, file)
    shown = ev.SQLAlchemyEntityStorage(file).explore()
    assert shown._about["classes"] == [{"n": 0, "name": "Island", "count": 2, "defined": False}]
    assert column(shown, "name") == ["hub", "far"]
    assert column(shown, "near") == [None, shown._page["ids"][0]]
    shown.order_by = "-name"
    assert column(shown, "name") == ["hub", "far"]
    shown.search = "far"
    assert column(shown, "name") == [[["far", True]]]
    Page(shown).do("pick", id=shown._page["ids"][0])
    assert shown.selected == shown._page["ids"][0]
    assert shown.graph is None
    assert "no such class is defined here" in shown._told


class Note(ev.Entity):
    text: str
    about: by_hand.Message


def test_classes_with_hand_written_models() -> None:
    store = ev.SQLAlchemyEntityStorage(":memory:", models=by_hand.MODELS)
    thread = by_hand.Thread(title="T")
    message = by_hand.Message(thread=thread, content="c", role="user")
    thread.messages.append(message)
    store.register(thread)
    note = store.register(Note(text="n", about=message))
    shown = store.explore()
    shown.selected = message
    assert (shown.table, column(shown, "ecs_id")) == ("Message", [str(message.ecs_id)])
    assert shown.graph is not None
    assert set(shown.graph.graph.nodes) == {thread, message, note}
    shown.selected = note
    assert (shown.table, column(shown, "about")) == ("Note", [str(message.ecs_id)])
    assert shown.graph is not None
    assert shown.graph.entity == note, "it was in the graph already"
    assert set(near_of(store, note.ecs_id).graph.nodes) == {note, message}


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    shown = ev.SQLAlchemyEntityStorage(tmp_path / "no.db").explore()
    assert shown.status == "nothing is stored"
    assert not (tmp_path / "no.db").exists()


SEARCHES = ("1", "volume 1", "1 vol", '"volume 01"', "01 no", "VOL*", '"', "* *", "olume 1", "%")


@pytest.mark.parametrize("opener", ["sqlite", "postgresql"])
def test_storages_tell_the_same(
    opener: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    made = shelf(40)
    twin = copy.deepcopy(made)
    stores = OPENERS[opener](tmp_path, request)(), ev.InMemoryEntityStorage()
    one, other = (store.inside for store in stores)
    for store, graph in zip(stores, (made, twin), strict=True):
        store.register(graph)
    assert one.classes() == other.classes()
    for name in ("Shelf", "Volume"):
        assert one.columns(name) == other.columns(name)
        for wanted in (
            Wanted(),
            Wanted(order_by="-version", size=7),
            *(Wanted(text, first=n, size=5) for text in SEARCHES for n in (0, 3)),
        ):
            assert one.page(name, wanted).ids == other.page(name, wanted).ids
    for by in ("title", "-pages", "pages", "bought", "lent"):
        wanted = Wanted(order_by=by, size=100)
        assert one.page("Volume", wanted).ids == other.page("Volume", wanted).ids


def test_a_page_is_told_what_the_store_refuses(tmp_path: Path) -> None:
    file = tmp_path / "shelf.db"
    store = ev.SQLAlchemyEntityStorage(file)
    store.register(shelf(3))
    shown = store.explore()
    page = Page(shown)
    store.engine.dispose()
    file.rename(tmp_path / "elsewhere.db")
    file.write_bytes(b"not a database, but long enough to be read as one" * 100)
    page.do("search", text="volume")
    (told,) = page.told
    assert told["told"] == "error"
    assert "shelf.db" in told["text"]


# -- as text, and hostile --------------------------------------------------------------------


def test_as_text_and_where_the_widget_is_dead(shown: StoreExplorer, store: Any) -> None:
    bundle, _ = shown._repr_mimebundle_()
    name = plain(repr(store), 80)
    assert bundle["text/plain"] == f"StoreExplorer({name}: 61 entities of 2 classes)"
    html = bundle["text/html"]
    assert_harmless(html)
    for text in ("Volume", "60", "bought", "61 added", "showing 2 of 2 classes", "Run this cell"):
        assert text in texts(html)


def test_hostile_texts_stay_text(store: Any) -> None:
    for text in HOSTILE:
        note = text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")
        store.register(Volume(title=text), note=note)
    shown = store.explore()
    page = Page(shown)
    for first in range(0, len(HOSTILE), room.ROWS):
        shown.first = first
        for row in range(0, len(shown._page["rows"]), 6):
            page.do("pick", id=shown._page["ids"][row])
            assert shown.graph is not None
        json.dumps([shown._page, shown._about], ensure_ascii=False).encode("utf-8")
    for text in HOSTILE:
        shown.search = text
        unusual = "\0" in text or "\ud800" in text
        assert unusual or shown._page["total"] >= 1
    assert_harmless(str(shown.still()))
