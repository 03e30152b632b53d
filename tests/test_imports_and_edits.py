"""Exports, older and newer, of two accounts, among edits, deletions and moves: a plain model says
what a storage must hold.

The model knows, for each message, what the source said last and what the storage has. What the
source changed since is taken where nobody has edited it; everything that somebody did stays.
"""

from __future__ import annotations

import copy
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ecsviz as ev
from ecsviz.errors import BrokenReferenceError
from ecsviz.importers import ChatImport
from ecsviz.importers.chat.fitting import ChatOrigin
from tests.chat_files import conversation, is_sound, node, read
from tests.conftest import in_ci

ACCOUNTS = ("ann", "bea")
MOST = 6
NEWEST = 7
"""How many messages a chat has at the most, and how many exports there are of it."""


def ident(account: str, number: int) -> str:
    return f"{account}-{number}"


def size(when: int) -> int:
    """Return how many messages the export of a time has."""
    return min(MOST, 1 + when)


def said(number: int, when: int) -> str:
    """Return what a message says in the export of a time: its source edits some of them."""
    edits = sum(1 for time in range(number, when + 1) if (time * 7 + number * 3) % 5 == 0)
    return f"text {number}.{edits}"


def parent(number: int) -> int | None:
    return None if number == 0 else (number - 1) // 2


def export(account: str, when: int) -> dict[str, Any]:
    nodes = []
    for number in range(size(when)):
        up = parent(number)
        above = None if up is None else ident(account, up)
        role = "assistant" if number % 2 else "user"
        key = ident(account, number)
        nodes.append(node(key, above, text=said(number, when), role=role, create_time=number + 1))
    title = f"{account} {when // 2}"
    return conversation(*nodes, id=account, title=title, update_time=100 + when, tag=when // 3)


@dataclass
class Cell:
    """A value: what the source said last, and what the storage has."""

    source: Any
    stored: Any

    def say(self, value: Any) -> None:
        """Let a later export say a value."""
        if self.stored == self.source:
            self.stored = value
        self.source = value

    @property
    def is_edited(self) -> bool:
        return bool(self.stored != self.source)


@dataclass
class Chat:
    """What the model knows of a chat."""

    when: int = -1
    title: Cell = field(default_factory=lambda: Cell(None, None))
    tag: Cell = field(default_factory=lambda: Cell(None, None))
    texts: dict[str, Cell] = field(default_factory=dict)
    parents: dict[str, Cell] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    added: list[tuple[str, str]] = field(default_factory=list)
    deleted: bool = False

    def arrive(self, account: str, when: int) -> None:
        """Take an export in."""
        if self.deleted:
            return
        if self.when < 0:
            self.title = Cell(f"{account} {when // 2}", f"{account} {when // 2}")
            self.tag = Cell(when // 3, when // 3)
        is_later = when > self.when
        if is_later and self.when >= 0:
            self.title.say(f"{account} {when // 2}")
            self.tag.say(when // 3)
        for number in range(size(when)):
            key, up = ident(account, number), parent(number)
            if key not in self.texts:
                while up is not None and ident(account, up) in self.gone:
                    up = parent(up)
                above = None if up is None else ident(account, up)
                self.texts[key] = Cell(said(number, when), said(number, when))
                self.parents[key] = Cell(above, above)
            elif is_later and key not in self.gone:
                self.texts[key].say(said(number, when))
        self.when = max(self.when, when)

    def held(self) -> tuple[Any, ...]:
        """Return what a storage must hold."""
        messages = Counter(
            (key, cell.stored, self.parents[key].stored)
            for key, cell in self.texts.items()
            if key not in self.gone
        )
        messages.update((None, text, above) for text, above in self.added)
        return (self.title.stored, self.tag.stored, messages)


def held(thread: Any) -> tuple[Any, ...]:
    """Return what a storage holds of a thread."""
    assert is_sound(thread)
    messages = Counter(
        (m.source_id, m.content, None if m.parent is None else m.parent.source_id)
        for m in thread.messages
    )
    return (thread.title, thread.metadata["tag"], messages)


@dataclass(frozen=True)
class Read:
    """Exports that are read in one call."""

    exports: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Register:
    """One of what was read is registered, in one of the ways."""

    which: int
    way: str


@dataclass(frozen=True)
class Edit:
    """Somebody edits the chat of an account: one of its messages, and how."""

    account: str
    which: int
    how: str
    to: int


def a_half_alone(store: Any, found: ChatImport) -> None:
    # Where one answers a message that is not stored, nothing of it is saved.
    with suppress(BrokenReferenceError):
        store.register(list(found[0].messages[::2]) + list(found), hops=0)
    store.register(found)


def in_a_block(store: Any, found: ChatImport) -> None:
    with store.transaction():
        for thread in found:
            store.register(thread)


WAYS: dict[str, Callable[[Any, ChatImport], Any]] = {
    "whole": lambda store, found: store.register(found),
    "one by one": lambda store, found: [store.register(thread) for thread in found],
    "a list": lambda store, found: store.register(list(found)),
    "by messages": lambda store, found: store.register([t.messages[-1] for t in found]),
    "fitted first": lambda store, found: (found.fit_into(store), store.register(found)),
    "copied": lambda store, found: store.register(copy.deepcopy(found)),
    "in a block": in_a_block,
    "alone": lambda store, found: (
        [store.register(thread, hops=0) for thread in found],
        [store.register(list(thread.messages), hops=0) for thread in found if thread.messages],
    ),
    "a half alone": a_half_alone,
    "twice": lambda store, found: (store.register(found), store.register(found)),
}


class World:
    """A storage, its model, and what was read and not registered yet."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.chats = {account: Chat() for account in ACCOUNTS}
        self.elsewhere: Counter[tuple[str | None, str]] = Counter()
        self.pile: list[tuple[tuple[tuple[str, int], ...], ChatImport]] = []
        self.seen: list[tuple[str, int]] = []

    def do(self, step: Read | Register | Edit) -> None:
        if isinstance(step, Read):
            self.pile.append((step.exports, read([export(*each) for each in step.exports])))
        elif isinstance(step, Edit):
            self.edit(step)
        elif self.pile:
            exports, found = self.pile.pop(step.which % len(self.pile))
            WAYS[step.way](self.store, found)
            for account, when in exports:
                self.chats[account].arrive(account, when)
            self.seen += exports

    # -- edits -------------------------------------------------------------------------------

    def edit(self, step: Edit) -> None:
        found = self.store.find(ev.ChatThread, source_id=step.account)
        if not found:
            return None
        (thread,), chat = found, self.chats[step.account]
        messages = [m for m in thread.messages if m.source_id]
        if step.how == "title":
            thread.title = f"mine {step.to}"
            chat.title.stored = thread.title
        elif step.how == "accept":
            thread.title = chat.title.stored = chat.title.source
        elif step.how == "tag":
            thread.metadata["tag"] = chat.tag.stored = f"mine {step.to}"
        elif step.how == "own key":
            thread.metadata["own"] = step.to
        elif step.how == "the thread":
            return self.delete_thread(thread, chat)
        elif not messages:
            return None
        else:
            message = messages[step.which % len(messages)]
            getattr(self, step.how)(thread, chat, message, step.to)
            return None
        self.store.register(thread)
        return None

    def delete_thread(self, thread: Any, chat: Chat) -> None:
        self.store.delete([thread, *thread.messages])
        chat.deleted = True

    def text(self, thread: Any, chat: Chat, message: Any, to: int) -> None:
        message.content = chat.texts[message.source_id].stored = f"mine {to}"
        self.store.register(message)

    def say(self, thread: Any, chat: Chat, message: Any, to: int) -> None:
        chat.added.append((thread.say("user", f"added {to}", message).content, message.source_id))
        self.store.register(thread)

    def answer(self, thread: Any, chat: Chat, message: Any, to: int) -> None:
        """Let a message answer another one that stands before it, or none."""
        before = thread.messages[: thread.messages.index(message)]
        above = [None, *(m for m in before if m.source_id)][to % (len(before) + 1) :][:1]
        up = above[0] if above else None
        self.lift(chat, message, up)
        self.store.register(thread)

    def lift(self, chat: Chat, message: Any, up: Any) -> None:
        if message.parent is not None:
            message.parent.replies.remove(message)
        message.parent = up
        if up is not None:
            up.replies.append(message)
        if message.source_id:
            name = None if up is None else up.source_id
            chat.parents[message.source_id].stored = name

    def take_out(self, thread: Any, chat: Chat, message: Any) -> None:
        for reply in list(message.replies):
            if not reply.source_id:
                chat.added.remove((reply.content, message.source_id))
                up = message.parent
                chat.added.append((reply.content, None if up is None else up.source_id))
            self.lift(chat, reply, message.parent)
        self.lift(chat, message, None)
        chat.gone.add(message.source_id)

    def delete(self, thread: Any, chat: Chat, message: Any, to: int) -> None:
        self.take_out(thread, chat, message)
        self.store.register(thread)
        self.store.delete(message)

    def move(self, thread: Any, chat: Chat, message: Any, to: int) -> None:
        self.take_out(thread, chat, message)
        thread.messages.remove(message)
        other = ev.ChatThread(title="elsewhere", messages=[])
        message.thread = other
        other.messages.append(message)
        self.elsewhere[message.source_id, message.content] += 1
        self.store.register([thread, other])

    def turn(self, thread: Any, chat: Chat, message: Any, to: int) -> None:
        """Give the answers of a message another order."""
        message.replies.reverse()
        self.store.register(thread)

    # -- what must hold ----------------------------------------------------------------------

    def check(self) -> None:
        threads = self.store.list_by_type(ev.ChatThread)
        expected = {
            account: chat.held()
            for account, chat in self.chats.items()
            if chat.when >= 0 and not chat.deleted
        }
        ours = [thread for thread in threads if thread.source_id]
        assert {thread.source_id: held(thread) for thread in ours} == expected
        assert len(ours) == len(expected)
        others = [m for thread in threads if not thread.source_id for m in thread.messages]
        assert Counter((m.source_id, m.content) for m in others) == self.elsewhere
        assert len(self.store.list_by_type(ev.ChatMessage)) == sum(len(t.messages) for t in threads)

    def check_again(self) -> None:
        """Register again all that was registered: nothing changes."""
        before = len(self.store.revisions())
        for each in self.seen:
            self.store.register(read([export(*each)]))
        assert len(self.store.revisions()) == before
        self.check()


exports = st.dictionaries(st.sampled_from(ACCOUNTS), st.integers(0, NEWEST), min_size=1)

hows = ["title", "accept", "tag", "own key", "text", "say", "answer", "delete", "move", "turn"]

steps = st.lists(
    st.one_of(
        st.builds(Read, exports.map(lambda each: tuple(each.items()))),
        st.builds(Register, st.integers(0, 9), st.sampled_from(list(WAYS))),
        st.builds(Register, st.integers(0, 9), st.just("whole")),
        st.builds(
            Edit,
            st.sampled_from(ACCOUNTS),
            st.integers(0, 9),
            st.sampled_from([*hows, *hows, "the thread"]),
            st.integers(0, 9),
        ),
    ),
    min_size=3,
    max_size=14,
)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@settings(max_examples=30 if in_ci() else 20)
@pytest.mark.filterwarnings("ignore:.*was deleted in this store")
@given(done=steps, first=st.integers(0, NEWEST))
def test_every_message_and_every_edit_is_there(kind: str, done: list[Any], first: int) -> None:
    store: Any = (
        ev.InMemoryEntityStorage() if kind == "memory" else ev.SQLAlchemyEntityStorage(":memory:")
    )
    with store:
        world = World(store)
        for step in [Read((("ann", first),)), Register(0, "whole"), *done]:
            world.do(step)
            world.check()
        world.check_again()


def test_nobody_saves_between_the_look_and_the_save(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "store.db")
    other = ev.SQLAlchemyEntityStorage(tmp_path / "store.db", timeout=0.05)
    with store, other:
        store.register(read([export("ann", 0)]))
        there = other.list_by_type(ev.ChatThread)[0]
        there.title = "theirs"
        fit, tried = ChatOrigin.fit, []

        def fit_and_try(*given: Any) -> Any:
            fitted = fit(*given)
            with pytest.raises(ev.errors.StorageBusyError):
                other.register(there)
            tried.append(there)
            return fitted

        with mock.patch.object(ChatOrigin, "fit", fit_and_try):
            store.register(read([export("ann", 3)]))
        assert tried == [there]
        with pytest.raises(ev.errors.StaleVersionError):
            other.register(there)
        assert other.refresh(there).title == "ann 1"


def test_in_memory_nobody_saves_between_the_look_and_the_save() -> None:
    store = ev.InMemoryEntityStorage()
    store.register(read([export("ann", 0)]))
    there = store.list_by_type(ev.ChatThread)[0]
    there.title = "theirs"
    raised: list[Exception] = []

    def register() -> None:
        try:
            store.register(there)
        except ev.errors.StaleVersionError as err:
            raised.append(err)

    fit, threads = ChatOrigin.fit, []

    def fit_and_try(*given: Any) -> Any:
        fitted = fit(*given)
        threads.append(Thread(target=register))
        threads[0].start()
        threads[0].join(0.05)
        assert threads[0].is_alive(), "it waits"
        return fitted

    with mock.patch.object(ChatOrigin, "fit", fit_and_try):
        store.register(read([export("ann", 3)]))
    threads[0].join()
    assert len(raised) == 1
    assert store.list_by_type(ev.ChatThread)[0].title == "ann 1"


DAMAGES = ("x'00'", "x''", "substr(said, 1, 20)", "'a text'", "7", "x'789c030000000001'")


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_was_noted_may_be_damaged_or_gone(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "store.db"
    with ev.SQLAlchemyEntityStorage(path) as store:
        store.register(read([export("ann", 3)]))
        (thread,) = store.list_by_type(ev.ChatThread)
        thread.title = thread.messages[0].content = "mine"
        store.register(thread)
    with closing(sqlite3.connect(path)) as conn, conn:
        assert conn.execute(f"UPDATE ecs_origins SET said = {damage}").rowcount == 1
    with ev.SQLAlchemyEntityStorage(path) as store:
        told = store.verify()[["table", "problem", "ecs_id"]].values.tolist()
        assert told == [["ecs_origins", "origin", thread.ecs_id]]
        found = store.register(read([export("ann", NEWEST)]))
        (thread,) = store.list_by_type(ev.ChatThread)
        assert (thread.title, thread.messages[0].content) == ("mine", "mine")
        assert {m.content for m in thread.messages[1:]} == {said(n, NEWEST) for n in range(1, MOST)}
        assert {each.what for each in found.problems} >= {"title", "content"}
        assert store.verify()["detail"].tolist() == []


def test_what_was_noted_goes_with_a_copy_of_the_file(tmp_path: Path) -> None:
    with ev.SQLAlchemyEntityStorage(tmp_path / "store.db") as store:
        store.register(read([export("ann", 3)]))
        (thread,) = store.list_by_type(ev.ChatThread)
        thread.title = "mine"
        store.register(thread)
    shutil.copy(tmp_path / "store.db", tmp_path / "backup.db")
    with ev.SQLAlchemyEntityStorage(tmp_path / "backup.db") as store:
        found = store.register(read([export("ann", 3)]))
        assert [each.why for each in found.problems] == ["the store has its title; kept"]


def test_long_chats_are_noted_in_parts(tmp_path: Path) -> None:
    def long(count: int, when: int) -> ChatImport:
        nodes = [node(str(n), str(n - 1) if n else None, text=f"text {n}") for n in range(count)]
        return read([conversation(*nodes, id="long", update_time=when)])

    path = tmp_path / "store.db"
    with ev.SQLAlchemyEntityStorage(path) as store:
        store.register(long(1_000, 1))
        (thread,) = store.list_by_type(ev.ChatThread)
        thread.messages[500].content = "mine"
        store.register(thread)
        with closing(sqlite3.connect(path)) as conn:
            before = dict(conn.execute("SELECT part, said FROM ecs_origins"))
        store.register(long(1_010, 2))
        with closing(sqlite3.connect(path)) as conn:
            after = dict(conn.execute("SELECT part, said FROM ecs_origins"))
        (thread,) = store.list_by_type(ev.ChatThread)
    assert [m.content for m in thread.messages][498:502] == [
        "text 498",
        "text 499",
        "mine",
        "text 501",
    ]
    assert len(thread.messages) == 1_010
    assert len(before) == len(after) == 4
    assert before[2] == after[2], "of what goes on, the middle stays"
    assert before[3] != after[3]


def test_metadata_of_very_many_keys() -> None:
    store = ev.InMemoryEntityStorage()
    messages = [node(str(n), None, text="t", **{f"key {n}": 1}) for n in range(100)]
    store.register(read([conversation(*messages, id="many", update_time=1)]))
    (thread,) = store.list_by_type(ev.ChatThread)
    thread.messages[99].metadata["key 99"] = "mine"
    thread.messages[98].metadata["own"] = "mine"
    store.register(thread)
    messages = [node(str(n), None, text="t", **{f"key {n}": 2}) for n in range(100)]
    store.register(read([conversation(*messages, id="many", update_time=2)]))
    (thread,) = store.list_by_type(ev.ChatThread)
    assert thread.messages[99].metadata["key 99"] == "mine"
    assert thread.messages[98].metadata["own"] == "mine"
    assert [m.metadata[f"key {n}"] for n, m in enumerate(thread.messages[:90])] == [2] * 90
