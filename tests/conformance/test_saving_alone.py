"""``register(…, hops=0)``: the given entities are saved, and nothing that they lead to."""

from __future__ import annotations

from typing import Any

import pytest

import ecsviz as ev
from ecsviz import errors
from tests.conformance.conftest import Open


def thread_of(size: int) -> ev.ChatThread:
    thread = ev.ChatThread(title="a")
    for number in range(size):
        thread.say("user", str(number))
    return thread


def contents(store: ev.EntityStorage, thread: ev.ChatThread) -> list[str]:
    return [message.content for message in store.get(thread.ecs_id).messages]


def test_what_is_given_is_saved_and_nothing_else(reopen: Open) -> None:
    store = reopen()
    thread = store.register(thread_of(4))
    thread.title = thread.messages[1].content = "edited"
    thread.messages[2].content = "not saved"
    assert store.register(thread.messages[1], hops=0) is thread.messages[1]
    again = reopen().get(thread.ecs_id)
    assert (again.title, again.version) == ("a", 1)
    assert [(m.content, m.version) for m in again.messages] == [
        ("0", 1),
        ("edited", 2),
        ("2", 1),
        ("3", 1),
    ]
    assert thread.messages[1].version == 2
    store.register(thread)
    assert store.get(thread.ecs_id).title == "edited"
    assert contents(store, thread) == ["0", "edited", "not saved", "3"]
    assert store.verify().empty


def test_what_has_not_changed_makes_no_revision(reopen: Open) -> None:
    store = reopen()
    thread = store.register(thread_of(2))
    store.register([thread, *thread.messages], hops=0)
    assert len(store.revisions()) == 1


def test_who_comes_to_a_list_stands_at_its_end(reopen: Open) -> None:
    store = reopen()
    thread = store.register(thread_of(2))
    first, second = thread.say("user", "first"), thread.say("user", "second")
    store.register(second, hops=0)
    store.register(first, hops=0)
    assert contents(store, thread) == ["0", "1", "second", "first"]
    assert store.get(thread.ecs_id).version == 3
    # The order in memory differs, and is saved with the thread.
    store.register(thread)
    assert contents(store, thread) == ["0", "1", "first", "second"]
    assert store.verify().empty


def test_holders_that_are_given_too_get_one_version(reopen: Open) -> None:
    store = reopen()
    thread = thread_of(3)
    store.register([thread, *thread.messages], hops=0)
    assert contents(store, thread) == ["0", "1", "2"]
    assert {entity.version for entity in (thread, *thread.messages)} == {1}
    new = [thread.say("user", "3"), thread.say("user", "4")]
    thread.title = "b"
    store.register([*new, thread], hops=0)
    again = reopen().get(thread.ecs_id)
    assert (again.title, again.version, thread.version) == ("b", 2, 2)
    assert contents(store, thread) == ["0", "1", "2", "3", "4"]
    assert store.verify().empty


def test_a_move_takes_from_one_list_to_another(reopen: Open) -> None:
    store = reopen()
    one, two = store.register([thread_of(3), thread_of(1)])
    moved = one.messages.pop(1)
    moved.thread = two
    two.messages.append(moved)
    store.register(moved, hops=0)
    assert contents(store, one) == ["0", "2"]
    assert contents(store, two) == ["0", "1"]
    assert [store.get(t.ecs_id).version for t in (one, two)] == [2, 2]
    store.register([one, two])
    assert contents(store, two) == ["0", "1"]
    assert store.verify().empty


def test_what_was_never_stored_is_named(reopen: Open) -> None:
    store = reopen()
    thread = thread_of(2)
    with pytest.raises(errors.BrokenReferenceError, match=r"ChatMessage\.thread is a ChatThread"):
        store.register(thread.messages[0], hops=0)
    store.register(thread)
    other = thread_of(1)
    message = thread.messages[0]
    message.parent = other.messages[0]
    other.messages[0].replies.append(message)
    with pytest.raises(errors.BrokenReferenceError, match=str(other.messages[0].ecs_id)):
        store.register(message, hops=0)
    assert len(store.revisions()) == 1


def test_who_is_in_no_list_of_its_holder_is_told(reopen: Open) -> None:
    store = reopen()
    thread = store.register(thread_of(1))
    strange = ev.ChatMessage(thread=thread, role="user", content="x")
    with pytest.raises(errors.InverseMismatchError, match=r"\.messages does not hold"):
        store.register(strange, hops=0)
    assert contents(store, thread) == ["0"]


def test_stale_versions_are_told(reopen: Open) -> None:
    store = reopen()
    thread = store.register(thread_of(2))
    mine = store.get(thread.ecs_id)
    thread.messages[0].content = "theirs"
    store.register(thread)
    mine.messages[0].content = "mine"
    with pytest.raises(errors.StaleVersionError):
        store.register(mine.messages[0], hops=0)
    mine.messages[1].content = "mine"
    store.register(mine.messages[1], hops=0)
    assert contents(store, thread) == ["theirs", "mine"]


def test_placeholders_are_refused_as_ever(reopen: Open) -> None:
    store = reopen()
    thread = store.register(thread_of(2))
    part: Any = store.get(thread.messages[0].ecs_id, hops=0)
    part.content = "edited"
    store.register(part, hops=0)
    assert contents(store, thread) == ["edited", "1"]
    new = ev.ChatMessage(thread=part.thread, role="user", content="x")
    with pytest.raises(errors.NotLoadedError):
        store.register(new, hops=0)


@pytest.mark.parametrize("hops", [1, -1, 0.0, True, "0", [0]])
def test_other_hops_are_refused(reopen: Open, hops: Any) -> None:
    with pytest.raises(errors.InvalidArgumentError, match="Give 0 to save"):
        reopen().register(thread_of(1), hops=hops)
