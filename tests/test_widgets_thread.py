"""The thread's explorer, driven through its traits and messages as a page does."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import traitlets

import ecsviz as ev
from ecsviz.domain.branches import Branches
from ecsviz.errors import (
    EntityNotFoundError,
    InvalidArgumentError,
    InvalidIdError,
    UnknownTypeError,
)
from ecsviz.widgets import ThreadExplorer, explore_thread
from ecsviz.widgets.past import moments_of
from ecsviz.widgets.thread import explorer as room
from ecsviz.widgets.thread.parts import PICTURE, PICTURES, TEXT, parts_of
from ecsviz.widgets.thread.texts import message_json
from tests.cells import Page
from tests.databases import counted
from tests.hostile import HOSTILE, assert_harmless, texts


@pytest.fixture(name="thread")
def _thread() -> ev.ChatThread:
    """q -> (a, b, c); b -> (d, e)."""
    thread = ev.ChatThread(title="Cycles")
    q = thread.say("user", "q: what is a cycle?")
    thread.say("assistant", "a: a way back", parent=q)
    b = thread.say("assistant", "b: a closed path", parent=q)
    thread.say("assistant", "c: a ring", parent=q)
    thread.say("user", "d: and a path?", parent=b)
    thread.say("user", "e: and a ring?", parent=b)
    return thread


@pytest.fixture(name="shown")
def _shown(thread: ev.ChatThread) -> ThreadExplorer:
    return thread.explore()


def names(messages: list[ev.ChatMessage]) -> str:
    return "".join(message.content[0] for message in messages)


def rows(shown: ThreadExplorer) -> list[tuple[int, int]]:
    import numpy as np

    return [tuple(row[:2]) for row in np.frombuffer(shown._rows, np.int32).reshape(-1, 3).tolist()]


def test_it_shows_what_was_said_last(shown: ThreadExplorer, thread: ev.ChatThread) -> None:
    assert names(shown.path) == "qc"
    assert shown.branch == str(thread.messages[3].ecs_id)
    assert rows(shown) == [(0, -1), (3, -1)]
    assert shown.status == "showing 2 of 6 messages; branch 2 of 4"
    first, second = shown._shown["messages"]
    assert (first["role"], first["fork"], second["fork"]) == ("user", [1, 1], [3, 3])
    assert (shown.selected, shown.message, shown._at) == (None, None, -1)


def test_to_select_a_message_shows_a_branch_with_it(
    shown: ThreadExplorer, thread: ev.ChatThread
) -> None:
    told: list[Any] = []
    shown.observe(lambda change: told.append(change.new), "selected")
    q, a, b, _, d, e = thread.messages
    shown.selected = b
    assert (names(shown.path), shown._at) == ("qbe", 1)
    shown.selected = d.ecs_id
    assert (names(shown.path), shown._at) == ("qbd", 2)
    shown.selected = str(q.ecs_id)
    assert (names(shown.path), shown._at) == ("qbd", 0), "the branch that was chosen stays"
    shown.selected = a
    assert (names(shown.path), shown.message) == ("qa", a)
    shown.selected = None
    assert (names(shown.path), shown._at) == ("qa", -1)
    assert told == [str(b.ecs_id), str(d.ecs_id), str(q.ecs_id), str(a.ecs_id), None]
    shown.selected = e
    assert names(shown.path) == "qbe"


def test_ids_of_others_are_taken_since_selections_are_linked(
    shown: ThreadExplorer, thread: ev.ChatThread
) -> None:
    explorer = ev.EntityDependencyGraph(thread).explore()
    traitlets.link((explorer, "selected"), (shown, "selected"))
    explorer.selected = thread
    assert (shown.selected, shown.message) == (str(thread.ecs_id), None)
    explorer.selected = thread.messages[1]
    assert shown.message is thread.messages[1]
    shown.selected = thread.messages[2]
    assert explorer.entity is thread.messages[2]
    with pytest.raises(InvalidIdError, match="'nonsense' is not a UUID"):
        shown.selected = "nonsense"
    assert shown.message is thread.messages[2]


def test_a_switch_goes_to_the_next_answer(shown: ThreadExplorer, thread: ev.ChatThread) -> None:
    page = Page(shown)
    page.do("switch", node=3, by=-1)
    assert (names(shown.path), shown.message) == ("qbe", thread.messages[2])
    page.do("switch", node=5, by=-1)
    assert names(shown.path) == "qbd"
    page.do("switch", node=2, by=-1)
    assert names(shown.path) == "qa"
    page.do("switch", node=1, by=-1)
    assert names(shown.path) == "qa", "there is none before the first"
    page.do("switch", node=1, by=1)
    assert names(shown.path) == "qbd", "as it was left"


def test_branches_are_listed_page_by_page_and_jumped_to(
    shown: ThreadExplorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Page(shown)
    monkeypatch.setattr(room, "LISTED", 3)
    told = page.do("leaves", first=0)
    assert [leaf["text"][0] for leaf in told["listed"]] == ["a", "c", "d"]
    assert (told["total"], told["here"], told["said"]) == (4, 3, "showing 3 of 4 branches")
    told = page.do("leaves", first=3)
    assert [(leaf["n"], leaf["length"]) for leaf in told["listed"]] == [(5, 3)]
    page.do("select", node=5)
    assert names(shown.path) == "qbe"
    assert page.do("leaves", first=99) == page.do("leaves", first=0)


def test_branches_are_set_from_python(shown: ThreadExplorer, thread: ev.ChatThread) -> None:
    shown.branch = thread.messages[4]
    assert names(shown.path) == "qbd"
    shown.branch = thread.messages[2]
    assert names(shown.path) == "qbd", "any message of it will do"
    assert shown.branch == str(thread.messages[4].ecs_id)
    with pytest.raises(EntityNotFoundError, match="No message of this thread"):
        shown.branch = uuid4()
    with pytest.raises(EntityNotFoundError):
        shown.beside = thread
    assert names(shown.path) == "qbd"


def test_two_branches_side_by_side(shown: ThreadExplorer, thread: ev.ChatThread) -> None:
    page = Page(shown)
    page.do("compare", node=3, by=-1)
    assert shown.beside == str(thread.messages[5].ecs_id)
    assert rows(shown) == [(0, -1), (3, 2), (-1, 5)]
    assert shown._shown["shared"] == 1
    assert "side by side, 1 message in common" in shown.status
    assert [facts["n"] for facts in shown._shown["messages"]] == [0, 3, 2, 5]
    page.do("switch", node=5, by=-1)
    assert (names(shown.path), rows(shown)) == ("qc", [(0, -1), (3, 2), (-1, 4)])
    page.do("select", node=4)
    assert (names(shown.path), shown._at) == ("qc", 2), "it is there already"
    shown.branch = thread.messages[5]
    assert rows(shown) == [(0, -1), (2, -1), (5, 4)]
    page.do("beside", node=-1)
    assert (shown.beside, rows(shown)) == (None, [(0, -1), (2, -1), (5, -1)])
    page.do("beside", node=1)
    assert rows(shown) == [(0, -1), (2, 1), (5, -1)]


def test_the_search_looks_through_all_branches(
    shown: ThreadExplorer, thread: ev.ChatThread
) -> None:
    page = Page(shown)
    shown.search = "RING"
    assert names(shown.found) == "ce"
    assert shown._hits["said"] == "showing 2 of 2 messages found"
    assert [hit["parts"] for hit in shown._hits["listed"]] == [
        ["c: a ", "ring", ""],
        ["e: and a ", "ring", "?"],
    ]
    page.do("hit", by=1)
    assert (shown.message, shown._place) == (thread.messages[3], 0)
    page.do("hit", by=1)
    assert (names(shown.path), shown._place) == ("qbe", 1)
    page.do("hit", by=1)
    assert shown._place == 0, "from the last to the first"
    page.do("hit", by=-1)
    assert shown._place == 1
    shown.selected = thread.messages[4]
    assert shown._place == -1
    page.do("hit", by=1)
    assert shown.message is thread.messages[5], "the next one from here"
    shown.search = str(thread.messages[1].ecs_id)[-12:]
    assert names(shown.found) == "a"
    shown.search = "assistant"
    assert names(shown.found) == "abc"
    shown.search = "no such text"
    assert (shown.found, shown._hits["said"]) == ([], "nothing found")
    page.do("hit", by=1)
    shown.search = ""
    assert shown.found == []


def test_texts_go_in_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    thread = ev.ChatThread(title="long")
    for number in range(10_000):
        thread.say("user" if number % 2 else "assistant", f"message {number}")
    shown = thread.explore()
    page = Page(shown)
    assert len(shown.path) == 10_000, "where none has a parent, each answers the one before"
    assert len(shown._shown["messages"]) == room.FIRST
    assert len(shown._rows) == 10_000 * 12
    told = page.do("messages", first=5_000, count=40)
    assert [facts["n"] for facts in told["messages"]] == list(range(5_000, 5_040))
    assert page.do("messages", first=0, count=10_000) == {}, "not all at once"
    assert page.do("messages", first=10_000, count=1) == {}
    shown.selected = thread.messages[7_777]
    assert shown._at == 7_777
    state = sum(len(str(value)) for value in shown.get_state().values() if value is not shown._esm)
    assert state < 10_000 * 60, "not the texts of all"


def test_a_long_text_is_cut_until_it_is_asked_for() -> None:
    thread = ev.ChatThread()
    thread.say("user", "x" * (3 * TEXT))
    shown = thread.explore()
    (facts,) = shown._shown["messages"]
    (part,) = facts["parts"]
    assert (len(part["text"]), facts["length"], facts["cut"]) == (TEXT, 3 * TEXT, True)
    (part,) = Page(shown).do("whole", node=0)["parts"]
    assert part["text"] == "x" * (3 * TEXT)


# -- parts -----------------------------------------------------------------------------------

DOT = "data:image/png;base64,iVBORw0KGgo="


def parts(*given: ev.MessagePart) -> list[dict[str, Any]]:
    told, cut = parts_of(ev.ChatThread().say("assistant", given))
    assert not cut
    return told


def test_parts_are_told_by_their_kind() -> None:
    part = ev.MessagePart
    told = parts(
        part(kind="thinking", text="Hm."),
        part(kind="tool_call", tool="look_up", data={"plant": "fern"}),
        part(kind="tool_result", tool="look_up", text="green"),
        part(kind="text", text="It is **green**."),
        part(kind="code", mime="sql", text="select 1"),
        part(kind="file", name="fern.pdf", url="file:///etc/passwd"),
        part(kind="citation", name="Fern", url="https://example.org/fern"),
        part(kind="hologram", text="?"),
    )
    assert [(each["kind"], each["name"]) for each in told] == [
        ("thinking", ""),
        ("tool_call", "look_up"),
        ("tool_result", "look_up"),
        ("text", ""),
        ("code", "sql"),
        ("file", "fern.pdf"),
        ("citation", "Fern"),
        ("other", ""),
    ]
    assert json.loads(told[1]["text"]) == {"plant": "fern"}
    assert [each["link"] for each in told[5:7]] == [None, "https://example.org/fern"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (DOT, True),
        (DOT.replace("png", "webp"), True),
        (DOT.replace("png", "svg+xml"), False),
        ("data:text/html;base64,PHNjcmlwdD4=", False),
        ("data:image/png,<script>", False),
        (DOT + '" onerror="alert(1)', False),
        ("https://example.org/fern.png", False),
        ("javascript:alert(1)", False),
        (DOT.replace("=", "A" * PICTURES), False),
        ("", False),
    ],
)
def test_only_pictures_that_an_address_carries_are_shown(url: str, shown: bool) -> None:
    (told,) = parts(ev.MessagePart(kind="image", name="fern", url=url))
    assert told["picture"] == (url if shown else None)
    assert told["link"] == (url if url.startswith("https://") else None)
    (told,) = parts(ev.MessagePart(kind="file", name="fern", url=url))
    assert told["picture"] is None


def test_a_large_picture_waits_until_it_is_asked_for() -> None:
    large = DOT.replace("iVBORw0KGgo=", "A" * PICTURE)
    image = ev.MessagePart(kind="image", url=large)
    message = ev.ChatThread().say("user", [image, ev.MessagePart(kind="image", url=DOT)])
    told, cut = parts_of(message)
    assert ([each["picture"] for each in told], cut) == ([None, DOT], True)
    told, cut = parts_of(message, whole=True)
    assert ([each["picture"] for each in told], cut) == ([large, DOT], False)


def test_what_was_edited_since_is_shown() -> None:
    message = ev.ChatThread().say("user", [ev.MessagePart(kind="text", text="old")])
    message.content = "new"
    told, _ = parts_of(message)
    assert [each["text"] for each in told] == ["new"]


def test_several_people_have_a_number_each() -> None:
    thread = ev.ChatThread()
    for name in ("Ann", "Ben", "Ann", None):
        thread.say("user", "hm").author = name
    thread.say("assistant", "yes").author = "Ann"
    told = thread.explore()._shown["messages"]
    assert [facts["who"] for facts in told] == [0, 1, 0, 2, None]
    alone = ev.ChatThread()
    alone.say("user", "hm").author = "Ann"
    assert alone.explore()._shown["messages"][0]["who"] is None


def test_what_stands_in_folds_tools_too() -> None:
    thread = ev.ChatThread()
    call = ev.MessagePart(kind="tool_call", tool="<b>", data={"a": "<script>"})
    thread.say("assistant", [call, ev.MessagePart(kind="text", text="Done.")])
    thread.say("tool", [ev.MessagePart(kind="tool_result", text="42")])
    html = str(thread.explore().still())
    assert_harmless(html)
    assert html.count("<details>") == 2
    assert ["tool call: <b>" in each for each in (texts(html),)] == [True]
    assert "Done." in texts(html)


def test_raw_json_on_demand(shown: ThreadExplorer, thread: ev.ChatThread) -> None:
    message = thread.messages[2]
    message.metadata = {"weight": 0.5, "list": [1, None]}
    message.created_at = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    told = Page(shown).do("json", node=2)
    data = json.loads(told["text"])
    assert data["type"] == "ChatMessage"
    assert data["metadata"] == {"weight": 0.5, "list": [1, None]}
    assert data["created_at"] == "2026-01-02T03:04:00+00:00"
    assert data["parent"] == str(thread.messages[0].ecs_id)
    assert data["replies"] == [str(m.ecs_id) for m in thread.messages[4:]]
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    message.metadata = {"deep": deep}
    data = json.loads(message_json(message))
    assert (data["metadata"], data["content"]) == ("<dict>", message.content)


def malformed(page: Page) -> None:
    for name in room.ThreadExplorer.answers:
        for wrong in (None, "x", -7, 10**9, 2.5, [], {}):
            page.do(name, node=wrong, by=wrong, first=wrong, count=wrong)
        page.do(name)


def test_malformed_messages_change_nothing(shown: ThreadExplorer) -> None:
    before = shown.selected, shown.branch, shown.beside
    malformed(Page(shown))
    assert (shown.selected, shown.branch, shown.beside) == before


def test_threads_of_any_shape() -> None:
    empty = ev.ChatThread().explore()
    assert (empty.path, empty.branch, empty.status) == ([], None, "no messages")
    malformed(Page(empty))
    assert "without a title" in texts(str(empty.still()))
    with pytest.raises(UnknownTypeError, match="not a ChatThread"):
        explore_thread("thread")  # type: ignore[arg-type]  # wrong on purpose
    # a circle of parents, a parent elsewhere, a parent that does not list its answer
    thread = ev.ChatThread()
    a, b, c = (thread.say("user", text) for text in "abc")
    a.parent, b.parent = b, a
    c.parent = ev.ChatThread().say("user", "elsewhere")
    d = ev.ChatMessage(thread=thread, parent=c, role="user", content="d")
    thread.add_message(d)
    thread.add_message(d)
    branches = Branches(thread)
    assert branches.parents == [-1, 0, -1, 2]
    assert (branches.leaves, branches.siblings(2), branches.path()) == ([1, 3], [0, 2], [2, 3])
    # deep and wide
    deep = ev.ChatThread()
    last = None
    for _ in range(30_000):
        last = deep.say("user", "x", parent=last)
    assert len(deep.explore().path) == 30_000
    wide = ev.ChatThread()
    top = wide.say("user", "x")
    for _ in range(3_000):
        wide.say("assistant", "y", parent=top)
    assert wide.explore()._shown["messages"][1]["fork"] == [3_000, 3_000]


def test_the_branch_that_the_source_was_left_on() -> None:
    thread = ev.ChatThread(metadata={"current_node": "first"})
    top = thread.say("user", "x")
    first = thread.say("assistant", "y", parent=top)
    first.source_id = "first"
    thread.say("assistant", "z", parent=top)
    assert thread.explore().path == [top, first]


def test_what_is_said_later_comes_with_refresh(
    shown: ThreadExplorer, thread: ev.ChatThread
) -> None:
    shown.selected = thread.messages[1]
    f = thread.say("user", "f: thanks", parent=thread.messages[1])
    assert names(shown.path) == "qa"
    shown.refresh()
    assert shown.path[-1] is f
    assert shown.message is thread.messages[1]
    assert shown._about["total"] == 7


# -- the past --------------------------------------------------------------------------------


@pytest.fixture(name="store", params=[ev.SQLAlchemyEntityStorage, ev.InMemoryEntityStorage])
def _store(request: pytest.FixtureRequest) -> Any:
    make: Callable[..., Any] = request.param
    return make(":memory:") if make is ev.SQLAlchemyEntityStorage else make()


def test_the_slider_of_revisions(store: Any, thread: ev.ChatThread) -> None:
    store.register(ev.ChatThread(title="another"), note="before")
    store.register(thread, note="first")
    thread.messages[3].content = "c: a closed ring"
    store.register(thread, note="better")
    thread.say("user", "f: thanks", parent=thread.messages[3])
    store.register(thread)
    shown = thread.explore(store)
    assert [moment["revision"] for moment in shown._about["revisions"]] == [2, 3, 4]
    assert [moment["note"] for moment in shown._about["revisions"]] == ["first", "better", ""]
    assert names(shown.path) == "qcf"
    shown.selected = thread.messages[6]
    shown.revision = 2
    assert names(shown.path) == "qc"
    assert (shown.path[1].content, shown.message) == ("c: a ring", None)
    assert shown.shown is not thread
    assert "as of revision 2" in shown.status
    assert repr(shown) == "ThreadExplorer('Cycles': 6 messages, 4 branches, as of revision 2)"
    shown.revision = 3
    assert shown.path[1].content == "c: a closed ring"
    shown.revision = None
    assert shown.shown is thread
    assert (names(shown.path), shown.message) == ("qcf", thread.messages[6])
    with pytest.raises(InvalidArgumentError, match="revision=1 is no revision that this shows"):
        shown.revision = 1
    with pytest.raises(InvalidArgumentError, match="There are 2 to 4"):
        shown.since = 5
    assert (shown.revision, shown.since) == (None, None)


def test_only_revisions_that_changed_the_thread_are_offered(
    store: Any, thread: ev.ChatThread
) -> None:
    aside, other = ev.ChatThread(title="aside"), ev.ChatThread(title="where it went")
    store.register(thread, note="first")
    store.register(aside, note="aside")
    gone = thread.say("user", "a message that goes")
    store.register(thread, note="said")
    aside.say("user", "something else")
    store.register(aside, note="aside")
    gone.content = "said otherwise"
    store.register(thread, note="edited")
    thread.messages.remove(gone)
    gone.thread = other
    other.messages.append(gone)
    store.register([thread, other], note="moved")
    aside.title = "renamed"
    store.register(aside, note="aside")
    thread.messages[0].metadata = {"read": True}
    store.register(thread, note="marked")
    fresh = store.get(thread.ecs_id)
    shown = fresh.explore(store)
    assert [moment["note"] for moment in shown._moments] == [
        "first",
        "said",
        "edited",
        "moved",
        "marked",
    ]
    store.register(ev.ChatThread(title="a third"))
    shown.refresh()
    assert len(shown._moments) == 5


def test_what_another_thread_lives_through_is_not_offered(
    store: Any, thread: ev.ChatThread
) -> None:
    other = ev.ChatThread(title="where it came from, and where it goes")
    guest = other.say("user", "a guest")
    store.register([thread, other])
    other.title = "before"
    store.register(other)
    guest.content = "a guest, edited elsewhere"
    store.register(other)
    other.messages.remove(guest)
    guest.thread = thread
    thread.messages.append(guest)
    store.register([thread, other], note="in")
    guest.content = "a guest, edited here"
    store.register(thread, note="here")
    other.title = "meanwhile"
    store.register(other)
    thread.messages.remove(guest)
    guest.thread = other
    other.messages.append(guest)
    store.register([thread, other], note="out")
    other.say("user", "after", parent=guest)
    store.register(other)
    shown = thread.explore(store)
    assert [moment["revision"] for moment in shown._moments] == [1, 4, 5, 7]
    assert [moment["note"] for moment in shown._moments] == ["", "in", "here", "out"]
    theirs = other.explore(store)
    assert [moment["revision"] for moment in theirs._moments] == [1, 2, 3, 4, 6, 7, 8]


def test_what_has_been_pruned_is_not_offered(store: Any, thread: ev.ChatThread) -> None:
    aside = ev.ChatThread(title="aside")
    for number in range(1, 8):
        if number in (4, 6):
            aside.title += "."
        else:
            thread.title = f"title {number}"
        store.register([thread, aside], note=f"note {number}")
    shown = thread.explore(store)
    assert [moment["revision"] for moment in shown._moments] == [1, 2, 3, 5, 7]
    shown.revision, shown.since = 2, 5
    store.prune(before=4)
    shown.refresh()  # what was shown is gone
    assert (shown.revision, shown.since, shown.shown.title) == (4, 5, "title 3")
    assert "as of revision 4" in shown.status
    offered = [(moment["revision"], moment["note"]) for moment in shown._moments]
    assert offered == [(4, "the oldest that is kept"), (5, "note 5"), (7, "note 7")]
    titles = []
    for revision, _ in offered:
        shown.revision = revision
        titles.append(shown.shown.title)
    assert titles == ["title 3", "title 5", "title 7"]
    with pytest.raises(InvalidArgumentError, match="There are 4 to 7"):
        shown.revision = 3
    store.prune(before=5)
    shown.refresh()
    assert shown._moments[0]["note"] == "note 5 · the oldest that is kept"
    store.prune()
    shown.refresh()
    assert [moment["revision"] for moment in shown._moments] == [7]
    thread.title = "title 8"
    store.register(thread)
    shown.refresh()
    assert [moment["revision"] for moment in shown._moments] == [7, 8]


def test_asking_for_the_past_costs_the_same_however_long_the_thread_is(tmp_path: Path) -> None:
    counts = []
    for size in (30, 3_000):
        store = ev.SQLAlchemyEntityStorage(tmp_path / f"{size}.db")
        thread = ev.ChatThread(title="long")
        last = None
        for number in range(size):
            last = thread.say("user", f"{number}", parent=last)
        store.register(thread)
        thread.messages[size // 2].content = "changed"
        store.register(thread)
        with counted() as statements:
            moments, _ = moments_of(store, thread)
        assert [moment["revision"] for moment in moments] == [1, 2]
        counts.append(len(statements))
    assert counts[0] == counts[1]
    assert counts[0] < 50


def test_a_revision_that_changed_nothing_stands_for_the_one_before(
    store: Any, thread: ev.ChatThread
) -> None:
    store.register(thread)
    store.register(ev.ChatThread(title="another"))
    thread.title = "Rings"
    store.register(thread)
    store.register(ev.ChatThread(title="a third"))
    shown = thread.explore(store)
    assert [moment["revision"] for moment in shown._moments] == [1, 3]
    shown.revision = 2
    assert (shown.revision, shown.shown.title) == (1, "Cycles")
    shown.since = 4
    assert shown.since == 3
    with pytest.raises(InvalidArgumentError, match="There are 1 to 4"):
        shown.revision = 5


def test_what_differs_between_two_revisions(store: Any, thread: ev.ChatThread) -> None:
    store.register(thread)
    thread.messages[3].content = "c: a closed ring"
    f = thread.say("user", "f: thanks", parent=thread.messages[3])
    store.register(thread)
    shown = thread.explore(store)
    assert (shown.difference, shown._changes) == (None, {})
    shown.since = 1
    assert shown.difference is not None
    assert shown.difference.of("edited")[0].after == "c: a closed ring"
    edited = next(item for item in shown._changes["listed"] if item["what"] == "edited")
    assert (edited["node"], edited["before"], edited["after"]) == (
        3,
        "c: a ring",
        "c: a closed ring",
    )
    added = next(item for item in shown._changes["listed"] if item["what"] == "added")
    assert added["node"] == shown._branches.number[f.ecs_id]
    marks = [facts.get("mark") for facts in shown._shown["messages"]]
    assert marks == [None, "changed", "added"]
    shown.revision = 1
    assert shown._changes == {"told": "nothing differs", "listed": []}
    shown.since = 2
    removed = next(item for item in shown._changes["listed"] if item["what"] == "removed")
    assert (removed["node"], removed["name"]) == (None, "user: f: thanks")
    assert removed["mark"] == "removed"


def test_what_was_moved_or_put_in_another_order_is_marked_so(store: Any) -> None:
    thread = ev.ChatThread(title="Marks")
    question = thread.say("user", "question")
    first, second, third = (thread.say("assistant", text, question) for text in "abc")
    leaf = thread.say("user", "leaf", first)
    store.register(thread)
    question.replies[:] = [third, second, first]
    first.replies.remove(leaf)
    leaf.parent = second
    second.replies.append(leaf)
    store.register(thread)
    shown = thread.explore(store)
    shown.since = 1
    shown.selected = leaf
    marks = {facts["parts"][0]["text"]: facts.get("mark") for facts in shown._shown["messages"]}
    assert marks["question"] == "reordered"
    assert marks["leaf"] == "moved"
    assert {item["mark"] for item in shown._changes["listed"]} == {"reordered", "moved"}
    thread.messages.append(thread.messages.pop(1))  # "a", which was second
    store.register(thread)
    shown = thread.explore(store)
    shown.since = 2
    (item,) = shown._changes["listed"]
    assert (item["before"], item["after"]) == ("2. assistant: a", "5. assistant: a")
    shown.selected = first
    marks = {facts["parts"][0]["text"]: facts.get("mark") for facts in shown._shown["messages"]}
    assert marks == {"question": None, "a": "reordered"}
    shown.since = None
    assert shown._changes == {}
    page = Page(shown)
    page.do("see", revision=None, since=1)
    assert (shown.revision, shown.since) == (None, 1)
    page.do("see", revision=77)
    assert (shown.revision, shown.since) == (None, 1)


def test_the_past_needs_a_store(shown: ThreadExplorer, thread: ev.ChatThread) -> None:
    with pytest.raises(InvalidArgumentError, match=r"thread.explore\(store\)"):
        shown.revision = 1
    with pytest.raises(EntityNotFoundError):
        thread.explore(ev.InMemoryEntityStorage())


# -- as text, and hostile --------------------------------------------------------------------


def test_as_text_and_where_the_widget_is_dead(shown: ThreadExplorer) -> None:
    bundle, _ = shown._repr_mimebundle_()
    assert bundle["text/plain"] == "ThreadExplorer('Cycles': 6 messages, 4 branches)"
    html = bundle["text/html"]
    assert_harmless(html)
    assert "q: what is a cycle?" in texts(html)
    assert "showing 2 of 2 messages of this branch; 6 in 4 branches" in texts(html)
    assert "Run this cell" in texts(html)


def test_hostile_texts_stay_text() -> None:
    thread = ev.ChatThread(title=HOSTILE[0])
    for text in HOSTILE:
        message = thread.say(text, text)
        message.author = message.model = text
        message.metadata = {text: text}
    for number, text in enumerate(HOSTILE):
        thread.title = text
        shown = thread.explore()
        page = Page(shown)
        shown.search = text[:100].encode("utf-8", "ignore").decode("utf-8")
        shown.selected = thread.messages[number]
        told = [page.do(name, node=number) for name in ("json", "whole")]
        told += [page.do("messages", first=0, count=60), page.do("leaves", first=0)]
        assert all(told)
        # A kernel sends UTF-8, and halves of surrogate pairs are none.
        json.dumps([told, shown._about, shown._hits, shown._shown]).encode("utf-8")
        json.dumps([told, shown._hits, shown._shown], ensure_ascii=False).encode("utf-8")
        thread.messages.insert(0, thread.messages.pop())
        assert_harmless(str(shown.still()))
        assert UUID(shown.selected or "") in {message.ecs_id for message in thread.messages}
