"""The list of threads, driven through its traits and messages as a page does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
import traitlets

import ecsviz as ev
from ecsviz.errors import InvalidArgumentError, InvalidIdError, UnknownTypeError
from ecsviz.widgets import ThreadExplorer, ThreadsExplorer, explore_threads
from ecsviz.widgets.threads import explorer, sought
from ecsviz.widgets.threads.explorer import ROWS
from tests.cells import Page
from tests.hostile import HOSTILE, assert_harmless

START = datetime(2024, 1, 1, tzinfo=UTC)
KINDS = ("list", "memory", "sqlite", "past")


def many(count: int = 120) -> ev.ChatThreads:
    made = []
    for number in range(count):
        thread = ev.ChatThread(title=f"Chat {number:03}")
        for n in range(1 + number % 6):
            parent = thread.messages[-1] if n else None
            message = thread.say("assistant" if n % 2 else "user", f"word{number} said {n}", parent)
            message.created_at = START + timedelta(days=number, hours=n)
            if n % 2:
                message.model = "b, c" if number % 4 == 1 else "a"
        if number % 10 == 5:
            thread.say("assistant", "again", thread.messages[0])
        made.append(thread)
    return ev.ChatThreads(made)


def explored(kind: str, threads: ev.ChatThreads) -> ThreadsExplorer:
    """Return the widget of threads that are there, or that a store has."""
    if kind == "list":
        shown = threads.explore()
    else:
        made: dict[str, Any] = {
            "memory": ev.InMemoryEntityStorage,
            "sqlite": lambda: ev.SQLAlchemyEntityStorage(":memory:"),
            "past": lambda: ev.SQLAlchemyEntityStorage(":memory:"),
        }
        store = made[kind]()
        store.register(threads)
        shown = store.threads(as_of=1 if kind == "past" else None).explore()
    assert isinstance(shown, ThreadsExplorer)
    return shown


@pytest.fixture(name="shown", params=KINDS)
def _shown(request: pytest.FixtureRequest) -> Iterator[ThreadsExplorer]:
    shown = explored(request.param, many())
    yield shown
    shown.close()


def listed(shown: ThreadsExplorer) -> list[str]:
    return [row["title"] for row in shown._page["rows"]]


def test_it_lists_the_latest_first_page_by_page(shown: ThreadsExplorer) -> None:
    assert listed(shown) == [f"Chat {n:03}" for n in range(119, 119 - ROWS, -1)]
    assert shown.status == "showing 50 of 120 threads (1 to 50)"
    row = shown._page["rows"][4]  # Chat 115
    assert (row["messages"], row["branches"], row["models"]) == (3, 2, "a")
    assert (row["first"], row["last"], row["found"], row["hits"]) == (
        *("2024-04-25", "2024-04-25"),
        *(None, 0),
    )
    page = Page(shown)
    page.do("turn", first=100)
    assert len(listed(shown)) == 20
    assert shown.status == "showing 20 of 120 threads (101 to 120)"
    shown.first = 10_000
    assert shown.first == 100
    for wrong in (-1, "x", None, 2**40, True):
        page.do("turn", first=wrong)
    assert shown.first == 100


def test_it_sorts_by_every_column_both_ways(shown: ThreadsExplorer) -> None:
    page = Page(shown)
    summary = shown.threads.summary()
    for column, name in enumerate(("title", "messages", "branches", "models", "last")):
        orders = []
        for _ in range(2):
            page.do("sort", column=column)
            orders.append(shown.order_by)
            found = shown.found[name].dropna().tolist()
            assert found == sorted(found, reverse=shown.order_by.startswith("-"))
            assert len(shown.found) == 120
        assert set(orders) == {name, f"-{name}"}
    for order in ("models", "-models"):
        shown.order_by = order
        assert shown.found["models"].isna().tolist() == [False] * 100 + [True] * 20
    shown.order_by = ""
    assert shown.found["title"].tolist() == summary["title"].tolist()
    with pytest.raises(InvalidArgumentError, match=r"cannot be sorted by 'titel'. Did you mean"):
        shown.order_by = "titel"


def test_filters_leave_what_fits(shown: ThreadsExplorer) -> None:
    page = Page(shown)
    assert [model["name"] for model in shown._about["models"]] == ["a", "b, c"]
    page.do("filter", set={"model": {"n": 1, "name": "b, c"}})
    assert shown.model == "b, c"
    assert {int(title[-3:]) % 4 for title in shown.found["title"]} == {1}
    page.do("filter", set={"model": None, "since": "2024-02-01", "until": "2024-02-03"})
    assert sorted(listed(shown)) == ["Chat 031", "Chat 032", "Chat 033"]
    assert shown.status == "showing 3 of 3 threads that match, of 120"
    page.do("filter", set={"since": "", "until": "", "least": 6})
    assert set(shown.found["messages"]) == {6, 7}
    page.do("filter", set={"least": None, "most": 1})
    assert set(shown.found["messages"]) == {1}
    page.do("filter", set={"most": None, "branched": True})
    assert {int(title[-3:]) % 10 for title in shown.found["title"]} == {5}
    assert (shown.least, shown.most, shown.first) == (0, None, 0)


def test_what_is_no_filter_is_passed_over(shown: ThreadsExplorer) -> None:
    page = Page(shown)
    for wrong in (
        None,
        3,
        [],
        {"model": 99},
        {"model": {"n": 0}},
        {"search": 3, "branched": "yes"},
        {"selected": "x"},
    ):
        page.do("filter", set=wrong)
    page.do("filter", set={"least": -4, "most": "many"})
    assert shown.status == "showing 50 of 120 threads (1 to 50)"
    told = page.do("filter", set={"since": "2024-13-01"})
    assert (told["told"], "Give a day such as '2024-05-01'" in told["text"]) == ("error", True)
    with pytest.raises(InvalidArgumentError, match="until is 'tomorrow'"):
        shown.until = "tomorrow"
    with pytest.raises(traitlets.TraitError):
        shown.least = -1


def test_every_text_is_searched(shown: ThreadsExplorer) -> None:
    shown.search = "WORD17"
    assert listed(shown) == ["Chat 017"]
    (row,) = shown._page["rows"]
    assert row["found"] == ["", "word17", " said 0"]
    assert row["hits"] == 6
    shown.search = "chat 11"
    assert sorted(listed(shown))[:2] == ["Chat 110", "Chat 111"]
    assert shown._page["rows"][0]["found"][1].casefold().startswith("chat")
    for nothing in ("no such thing", "%", "\x00"):
        shown.search = nothing
        assert (listed(shown), shown.status) == ([], "no threads that match, of 120")
    shown.search = "  "
    assert len(shown.found) == 120


def test_a_search_that_finds_too_much_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = explored("sqlite", many(12))
    shown.search = "said"
    assert shown.status == "showing 12 of 12 threads"
    monkeypatch.setattr(sought, "BEST", 5)
    monkeypatch.setattr(explorer, "BEST", 5)
    shown.search = "sai"
    said = "; looked for in the 5 messages and titles that fit best"
    assert re.fullmatch(rf"showing \d of \d threads that match, of 12{said}", shown.status)
    shown.search = "word3"
    assert shown.status == "showing 1 of 1 thread that matches, of 12"


def test_no_text_is_read_before_it_is_asked_for() -> None:
    with ev.SQLAlchemyEntityStorage(":memory:") as store:
        store.register(many(12))
        sent: list[str] = []
        sa.event.listen(store.engine, "before_cursor_execute", lambda *args: sent.append(args[2]))
        shown = store.threads().explore()
        shown.order_by = "title"
        shown.model = "a"
        assert sent
        assert not [text for text in sent if "content" in text or "metadata" in text]
        expected = store.threads().summary().set_index("title").loc[listed(shown)]
        assert shown.found.set_index("title").equals(expected)
        assert [text for text in sent if "content" in text]


def test_the_thread_that_is_picked_is_shown_at_what_was_found(shown: ThreadsExplorer) -> None:
    page = Page(shown)
    shown.search = "word17"
    page.do("pick", id=shown._page["rows"][0]["id"])
    inner = shown.thread
    assert isinstance(inner, ThreadExplorer)
    assert inner.shown.title == "Chat 017"
    assert inner.message is not None
    assert (inner.search, inner.message.content) == ("word17", "word17 said 0")
    page.do("back")
    assert (shown.selected, shown.thread, shown.search) == (None, None, "word17")
    assert inner.comm is None, "what is not shown any more is closed"
    shown.search = ""
    for wrong in (-1, "0", None, str(uuid4())):
        page.do("pick", id=wrong)
    assert shown.selected is None
    shown.selected = shown.found["ecs_id"][70]
    assert shown.thread is not None
    shown.selected = uuid4()  # of something else that it is linked with
    assert shown.thread is None
    with pytest.raises(InvalidIdError):
        shown.selected = "seven"


def test_a_thread_of_a_store_has_its_past_there() -> None:
    store = ev.InMemoryEntityStorage()
    threads = many(3)
    store.register(threads)
    shown = store.threads().explore()
    shown.selected = threads[1]
    assert shown.thread.store is store
    store.delete([*threads[2].messages, threads[2]])
    shown.selected = threads[2]  # gone since
    assert shown.thread is None
    shown.refresh()
    assert len(shown.found) == 2


def test_what_was_added_is_there_after_a_refresh(shown: ThreadsExplorer) -> None:
    if isinstance(shown.threads, ev.ChatThreads):
        shown.threads.append(ev.ChatThread(title="new"))
        Page(shown).do("refresh")
        assert shown.status == "showing 50 of 121 threads (1 to 50)"
    else:
        shown.threads.store.register(ev.ChatThread(title="new"))
        Page(shown).do("refresh")
        expected = 120 if shown.threads.as_of else 121
        assert shown.status == f"showing 50 of {expected} threads (1 to 50)"


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_at_all_and_nothing_but_titles(kind: str) -> None:
    shown = explored(kind, ev.ChatThreads([ev.ChatThread()]))
    assert listed(shown) == ["A chat without a title"]
    shown.since = "2024-01-01"
    assert listed(shown) == []
    shown.search = "x"
    assert listed(shown) == []
    empty = ev.ChatThreads().explore()
    assert (repr(empty), empty.status) == ("ThreadsExplorer(0 threads, 0 messages)", "no threads")
    assert "no threads" in str(empty.still())


def test_any_threads_can_be_given_and_nothing_else() -> None:
    assert repr(explore_threads(iter(many(3)))) == "ThreadsExplorer(3 threads, 6 messages)"
    for wrong in (3, [3], None, ev.ChatThread()):
        with pytest.raises((InvalidArgumentError, UnknownTypeError)):
            explore_threads(wrong)


@pytest.mark.parametrize("kind", ["list", "sqlite"])
def test_hostile_texts_stay_texts(kind: str) -> None:
    made = []
    for text in HOSTILE:
        thread = ev.ChatThread(title=text)
        thread.say("user", text)
        thread.say("assistant", text).model = text
        made.append(thread)
    shown = explored(kind, ev.ChatThreads(made))
    assert_harmless(str(shown.still()))
    for text in ("", "alert", *HOSTILE):
        shown.search = text[:200]
        state = shown.get_state(["_page", "_about", "status", "_model"])
        json.dumps(state, ensure_ascii=False).encode()
    shown.search = ""
    page = Page(shown)
    for number, model in enumerate(shown._about["models"]):
        page.do("filter", set={"model": {"n": number, "name": model["name"]}})
        assert len(shown.found) > 0
        json.dumps(shown.get_state(["_page", "_model"]), ensure_ascii=False).encode()


def test_ten_thousand_threads_send_one_page() -> None:
    shown = ev.ChatThreads(ev.ChatThread(title=f"chat {n}") for n in range(10_000)).explore()
    assert len(json.dumps(shown._page)) < 20_000
    assert shown.status == "showing 50 of 10,000 threads (1 to 50)"
