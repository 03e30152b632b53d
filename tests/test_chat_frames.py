"""Chat threads as DataFrames: a row a message and a row a thread, from objects and from stores."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

import ecsviz as ev
from ecsviz.errors import EcsvizError, InvalidArgumentError, UnknownTypeError
from ecsviz.frames.chats import DTYPES, SUMMARY
from tests.hostile import HOSTILE

START = datetime(2024, 3, 1, 22, 30, tzinfo=UTC)


def two_chats() -> ev.ChatThreads:
    first = ev.ChatThread(title="a", source="chatgpt", created_at=START)
    ask = first.say("user", "one")
    answer = first.say("assistant", "three", ask)
    again = first.say("assistant", "five5", ask)
    first.say("user", "", again)
    ask.created_at, again.created_at = START + timedelta(hours=1), START + timedelta(hours=3)
    answer.model, again.model = "m-1", "m-2"
    second = ev.ChatThread(title="b", updated_at=START)
    for name in ("Ann", "Ben", "Ann"):
        second.say("user", "hm").author = name
    calls = [ev.MessagePart(kind="tool_call", tool=name) for name in ("find", "open", "find")]
    first.messages[-1].parts = (ev.MessagePart(kind="thinking", text="hm"), *calls)
    first.messages[1].tokens_in, first.messages[1].tokens_out = 7, 11
    first.messages[2].tokens_out = 13
    first.messages[0].tokens_in = 10**30  # no number of anything
    return ev.ChatThreads([first, second, ev.ChatThread(title="")])


def stored(threads: ev.ChatThreads) -> list[Any]:
    """Return the same threads as they are, and as two stores have them."""
    stores: list[Any] = [ev.InMemoryEntityStorage(), ev.SQLAlchemyEntityStorage(":memory:")]
    for store in stores:
        store.register(threads)
    return [threads, *(store.threads() for store in stores)]


# -- a row a message -------------------------------------------------------------------------


def test_a_frame_has_a_row_a_message_and_what_each_says() -> None:
    chats = two_chats()
    frame = chats.frame()
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == {
        name: "object" if kind is object else kind for name, kind in DTYPES.items()
    }
    assert frame["thread"].tolist() == ["a"] * 4 + ["b"] * 3
    assert frame["position"].tolist() == [0, 1, 2, 3, 0, 1, 2]
    assert frame["depth"].tolist() == [0, 1, 1, 2, 0, 1, 2]  # what answers nothing follows
    assert frame["branch"].tolist() == [0, 0, 1, 1, 0, 0, 0]
    assert frame["characters"].tolist() == [3, 5, 5, 0, 2, 2, 2]
    assert frame["created_at"].isna().tolist() == [False, True, False, *[True] * 4]
    assert frame["kind"].tolist() == ["text", "text", "text", "tool_call", *["text"] * 3]
    assert frame["tool"].fillna("").tolist() == ["", "", "", "find, open", *[""] * 3]
    assert frame["tokens_in"].fillna(-1).tolist() == [-1, 7, -1, -1, -1, -1, -1]
    assert frame["tokens_out"].fillna(-1).tolist() == [-1, 11, 13, -1, -1, -1, -1]
    assert frame["author"].dropna().tolist() == ["Ann", "Ben", "Ann"]
    messages = [message for thread in chats for message in thread.messages]
    assert frame["ecs_id"].tolist() == [message.ecs_id for message in messages]
    assert frame["thread_ecs_id"].tolist() == [message.thread.ecs_id for message in messages]
    parents = [m.parent.ecs_id if m.parent else None for m in messages]
    assert frame["parent_ecs_id"].tolist() == parents


def test_only_the_columns_that_are_asked_for_in_their_order() -> None:
    for threads in stored(two_chats()):
        frame = threads.frame(["characters", "role", "role"])
        assert list(frame) == ["characters", "role"]
        assert list(threads.frame([])) == []
    with pytest.raises(InvalidArgumentError, match=r"no column 'rolle'. Did you mean 'role'"):
        two_chats().frame(["rolle"])
    with pytest.raises(InvalidArgumentError, match=r"columns is 'role'. Give a list of names"):
        two_chats().frame("role")


def test_stores_say_the_same_without_reading_the_threads() -> None:
    plain, *others = stored(two_chats())
    for threads in others:
        pd.testing.assert_frame_equal(threads.frame(), plain.frame())
        pd.testing.assert_frame_equal(threads.summary(), plain.summary())
        assert [thread.title for thread in threads] == ["a", "b", ""]
        assert len(threads) == 3
        assert repr(threads) == "<StoredThreads: 3 threads, 7 messages>"


def test_a_store_with_tables_makes_no_entity(monkeypatch: pytest.MonkeyPatch) -> None:
    store = ev.SQLAlchemyEntityStorage(":memory:")
    store.register(two_chats())
    monkeypatch.setattr(store, "find", None)
    monkeypatch.setattr(store, "iterate", None)
    assert len(store.threads().frame()) == 7
    assert store.threads().summary()["messages"].tolist() == [4, 3, 0]


class Base(DeclarativeBase):
    pass


class ByHand(Base):
    __tablename__ = "by_hand"

    id: Mapped[int] = mapped_column(primary_key=True)
    ecs_id: Mapped[UUID] = mapped_column(unique=True)
    title: Mapped[str]
    messages: Mapped[list[SaidByHand]] = relationship(back_populates="thread")

    @classmethod
    def from_entity(cls, entity: Any, session: Any) -> ByHand:
        del session
        return cls(ecs_id=entity.ecs_id, title=entity.title)

    def to_entity(self) -> ev.ChatThread:
        return ev.ChatThread(ecs_id=self.ecs_id, title=self.title)


class SaidByHand(Base):
    __tablename__ = "said_by_hand"

    id: Mapped[int] = mapped_column(primary_key=True)
    ecs_id: Mapped[UUID] = mapped_column(unique=True)
    content: Mapped[str]
    role: Mapped[str]
    thread_id: Mapped[int] = mapped_column(ForeignKey("by_hand.id"))
    thread: Mapped[ByHand] = relationship(back_populates="messages")
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("said_by_hand.id"))
    parent: Mapped[SaidByHand | None] = relationship(remote_side="SaidByHand.id")

    @classmethod
    def from_entity(cls, entity: Any, session: Any) -> SaidByHand:
        del session
        return cls(ecs_id=entity.ecs_id, content=entity.content, role=entity.role)

    def to_entity(self) -> ev.ChatMessage:
        values = {"ecs_id": self.ecs_id, "content": self.content, "role": self.role}
        return ev.ChatMessage.model_construct(**values)


def test_models_written_by_hand_are_told_to_be_asked_themselves() -> None:
    models = {ev.ChatThread: ByHand, ev.ChatMessage: SaidByHand}
    store = ev.SQLAlchemyEntityStorage(":memory:", models=models)
    thread = ev.ChatThread(title="x")
    thread.say("user", "y")
    store.register(thread)
    for ask in (store.threads().frame, store.threads().draw_activity, store.threads().explore):
        with pytest.raises(EcsvizError, match="hand-written model"):
            ask()


def test_a_store_says_what_was() -> None:
    for store in (ev.InMemoryEntityStorage(), ev.SQLAlchemyEntityStorage(":memory:")):
        chats = two_chats()
        store.register(chats)
        chats[0].say("user", "later")
        store.register(chats)
        assert len(store.threads().frame()) == 8
        assert len(store.threads(as_of=1).frame()) == 7
        assert store.threads(as_of=1).summary()["messages"].tolist() == [4, 3, 0]


@st.composite
def forests(draw: st.DrawFn) -> list[int]:
    count = draw(st.integers(0, 12))
    return [draw(st.integers(-1, number - 1)) for number in range(count)]


def grown(parents: list[int]) -> ev.ChatThread:
    thread = ev.ChatThread(title="grown")
    for parent in parents:
        thread.say("user", "x", thread.messages[parent] if parent >= 0 else None)
    return thread


@given(st.lists(forests(), max_size=4))
def test_depth_and_branch_are_those_of_the_tree(trees: list[list[int]]) -> None:
    threads = ev.ChatThreads(grown(parents) for parents in trees)
    frame = threads.frame(["depth", "branch"])
    wanted = []
    for thread in threads:
        depth: dict[int, int] = {}
        branch: dict[int, int] = {}
        begun, root = 0, None
        for message in thread.messages:
            before = message.parent or root
            depth[id(message)] = depth[id(before)] + 1 if before else 0
            branch[id(message)] = branch[id(before)] if before else 0
            if message.parent is None:
                root = message
            elif message.parent.replies[0] is not message:
                begun += 1
                branch[id(message)] = begun
            wanted.append((depth[id(message)], branch[id(message)]))
    assert list(frame.itertuples(index=False, name=None)) == wanted
    summary = threads.summary()
    assert summary["messages"].tolist() == [len(parents) for parents in trees]
    cell = threads._repr_html_()
    for count in summary["branches"]:
        assert f">{count:,}<" in cell  # what a cell says of a thread


def test_parents_in_a_circle_and_elsewhere_do_no_harm() -> None:
    one, other = ev.ChatThread(), ev.ChatThread()
    a, b, c = (one.say("user", text) for text in "abc")
    elsewhere = other.say("user", "d")
    a.parent, b.parent, c.parent = b, a, elsewhere
    frame = ev.ChatThreads([one, other]).frame(["depth", "branch"])
    assert frame["depth"].tolist() == [0, 0, 0, 0]
    assert frame["branch"].tolist() == [0, 0, 0, 0]


def test_a_chain_of_a_hundred_thousand() -> None:
    thread = ev.ChatThread()
    for number in range(100_000):
        thread.say("user", "x", thread.messages[-1] if number else None)
    frame = ev.ChatThreads([thread]).frame(["depth", "position"])
    assert (frame["depth"] == frame["position"]).all()
    assert ev.ChatThreads([thread]).summary()["depth"].tolist() == [100_000]


def test_texts_that_pandas_cannot_hold() -> None:
    thread = ev.ChatThread(title="\ud800")
    for text in HOSTILE:
        thread.say("user", text)
    frame = ev.ChatThreads([thread]).frame()
    assert frame["content"].tolist() == list(HOSTILE)
    assert frame["thread"].tolist()[0] == "\ud800"


# -- a row a thread --------------------------------------------------------------------------


def test_a_summary_has_a_row_a_thread() -> None:
    summary = two_chats().summary()
    assert {name: str(kind) for name, kind in summary.dtypes.items()} == {
        name: "object" if kind is object else kind for name, kind in SUMMARY.items()
    }
    assert summary["messages"].tolist() == [4, 3, 0]
    assert summary["branches"].tolist() == [2, 1, 0]
    assert summary["depth"].tolist() == [3, 3, 0]
    assert summary["characters"].tolist() == [13, 6, 0]
    hour = timedelta(hours=1)
    assert summary["first"].tolist() == [START + hour, pd.NaT, pd.NaT]
    assert summary["last"].tolist() == [START + 3 * hour, START, pd.NaT]
    assert summary["models"].fillna("").tolist() == ["m-1, m-2", "", ""]
    assert summary["authors"].fillna("").tolist() == ["", "Ann, Ben", ""]
    assert summary["tools"].fillna("").tolist() == ["find, open", "", ""]
    assert summary["tokens_in"].fillna(-1).tolist() == [7, -1, -1]
    assert summary["tokens_out"].fillna(-1).tolist() == [24, -1, -1]


def test_nothing_has_no_rows_and_all_columns() -> None:
    for threads in stored(ev.ChatThreads()):
        assert list(threads.frame()) == list(DTYPES)
        assert list(threads.summary()) == list(SUMMARY)
        assert len(threads.frame()) == len(threads.summary()) == 0
        assert {str(kind) for kind in threads.summary().dtypes} >= {"int64", "Int64", "str"}


def test_times_at_the_ends_of_the_calendar() -> None:
    thread = ev.ChatThread()
    for year in (1, 9999):
        thread.say("user", "x").created_at = datetime(year, 6, 1, tzinfo=UTC)
    summary = ev.ChatThreads([thread]).summary()
    assert [summary[name][0].year for name in ("first", "last")] == [1, 9999]


# -- what threads are ------------------------------------------------------------------------


def test_threads_stay_threads() -> None:
    chats = two_chats()
    assert isinstance(chats[:2], ev.ChatThreads)
    assert isinstance(chats[0], ev.ChatThread)
    assert repr(pickle.loads(pickle.dumps(chats))) == "<ChatThreads of 3 threads, 7 messages>"
    assert isinstance(ev.read_chat(b'[{"role": "user", "content": "Hi"}]'), ev.ChatThreads)
    assert "3 threads" in chats._repr_html_()
    assert ev.ChatThreads(iter(chats)) == chats


@pytest.mark.parametrize("wrong", [3, "abc", [3], [ev.ChatThread, None], None])
def test_what_is_no_threads_is_told(wrong: Any) -> None:
    with pytest.raises((InvalidArgumentError, UnknownTypeError), match=r"ChatThread"):
        ev.ChatThreads(wrong)
