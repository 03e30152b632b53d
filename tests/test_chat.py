"""ChatThread and ChatMessage."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from ecsviz import ChatMessage, ChatThread, EntityDependencyGraph


@pytest.fixture
def thread() -> ChatThread:
    """a -> b -> (c, d); c -> e; and f, alone."""
    made = ChatThread(title="T")
    a = made.say("user", "a")
    b = made.say("assistant", "b", parent=a)
    c = made.say("user", "c", parent=b)
    made.say("user", "d", parent=b)
    made.say("assistant", "e", parent=c)
    made.say("system", "f")
    return made


def names(messages: list[ChatMessage]) -> str:
    return "".join(message.content for message in messages)


def test_branches(thread: ChatThread) -> None:
    assert names(thread.messages) == "abcdef"
    assert names(thread.roots()) == "af"
    assert names(thread.leaves()) == "def"
    assert names(thread.branch_points()) == "b"
    assert [names(thread.path_to(m)) for m in thread.messages] == [
        "a",
        "ab",
        "abc",
        "abd",
        "abce",
        "f",
    ]


def test_say_links_both_ways(thread: ChatThread) -> None:
    _, b, c, d, *_ = thread.messages
    assert (b.replies, c.parent, d.parent) == ([c, d], b, b)
    assert all(message.thread is thread for message in thread.messages)
    assert [message.role for message in thread.messages][-2:] == ["assistant", "system"]


def test_there_is_no_magic(thread: ChatThread) -> None:
    lone = ChatMessage(thread=thread, role="user", content="g", parent=thread.messages[0])
    assert lone not in thread.messages
    assert lone not in thread.messages[0].replies
    thread.add_message(lone)
    assert thread.messages[-1] is lone


def test_a_cycle_of_parents_ends_a_path(thread: ChatThread) -> None:
    a, b, *_ = thread.messages
    a.parent = b
    assert names(thread.path_to(b)) == "ab"
    assert names(thread.path_to(a)) == "ba"


def test_a_path_of_ten_thousand() -> None:
    thread = ChatThread()
    last = None
    for number in range(10_000):
        last = thread.say("user", str(number), parent=last)
    assert last is not None
    assert len(thread.path_to(last)) == 10_000
    assert [m.content for m in thread.leaves()] == ["9999"]


@pytest.mark.parametrize(
    ("given", "hour"),
    [
        (datetime(2024, 5, 1, 12), 12),  # noqa: DTZ001 - what is shown
        (datetime(2024, 5, 1, 12, tzinfo=UTC), 12),
        (datetime(2024, 5, 1, 12, tzinfo=timezone(timedelta(hours=2))), 10),
        ("2024-05-01T12:00:00+02:00", 10),
        ("2024-05-01T12:00:00", 12),
    ],
)
def test_times_are_utc(given: datetime | str, hour: int) -> None:
    thread = ChatThread(created_at=given)
    message = ChatMessage(thread=thread, role="user", created_at=given)
    for found in (thread.created_at, message.created_at):
        assert found == datetime(2024, 5, 1, hour, tzinfo=UTC)
        assert found.utcoffset() == timedelta(0)


def test_a_time_before_the_year_one_is_refused() -> None:
    early = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))
    with pytest.raises(ValidationError, match="years 1 to 9999"):
        ChatThread(created_at=early)


def test_what_a_message_needs() -> None:
    with pytest.raises(ValidationError, match="thread"):
        ChatMessage(role="user")
    with pytest.raises(ValidationError, match="role"):
        ChatMessage(thread=ChatThread())
    message = ChatMessage(thread=ChatThread(), role="user")
    assert (message.content, message.hidden, message.replies, message.metadata) == (
        "",
        False,
        [],
        {},
    )


def test_metadata_are_json() -> None:
    kept = {"a": [1, None, {"b": 2**70}], "c": "\ud800"}
    assert ChatThread(metadata=kept).metadata == kept
    with pytest.raises(ValidationError):
        ChatThread(metadata={"when": datetime.now(UTC)})


def test_a_thread_is_one_component(thread: ChatThread) -> None:
    graph = EntityDependencyGraph().build_graph(thread)
    (component,) = graph.cyclic_components()
    assert len(component) == len(graph.nodes) == 7


def test_copies_and_dumps_keep_the_branches(thread: ChatThread) -> None:
    for again in (
        copy.deepcopy(thread),
        pickle.loads(pickle.dumps(thread)),
        ChatThread.model_validate(thread.model_dump()),
        ChatThread.model_validate_json(thread.model_dump_json()),
    ):
        assert again is not thread
        assert again.ecs_id == thread.ecs_id
        assert names(again.branch_points()) == "b"
        assert names(again.path_to(again.messages[4])) == "abce"
        assert all(message.thread is again for message in again.messages)
