"""What an entity has led to, and when."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest

import ecsviz as ev
from ecsviz.errors import EntityNotFoundError, InvalidArgumentError
from ecsviz.isomorphic import find_difference
from ecsviz.storage.relational.past import reach as reached
from ecsviz.storage.relational.past.reach import past_of
from ecsviz.storage.spans import NEVER, Reached, Span
from ecsviz.widgets.past import moments_of


@pytest.fixture(name="store", params=[ev.SQLAlchemyEntityStorage, ev.InMemoryEntityStorage])
def _store(request: pytest.FixtureRequest) -> Any:
    make: Callable[..., Any] = request.param
    return make(":memory:") if make is ev.SQLAlchemyEntityStorage else make()


# -- spans -----------------------------------------------------------------------------------


def follow(begin: list[Span], *references: tuple[str, str, int, int]) -> Reached:
    """Return what is reached from "a"."""
    found = Reached({"a": begin})
    for reference in references:
        found.refer(*reference)
    while found.fresh():
        pass
    return found


def test_a_node_is_reached_while_all_references_on_the_way_hold() -> None:
    found = follow([(1, NEVER)], ("a", "b", 2, 6), ("b", "c", 4, NEVER), ("c", "d", 7, NEVER))
    assert found.spans == {"a": [(1, NEVER)], "b": [(2, 6)], "c": [(4, 6)]}


def test_two_ways_at_two_times_are_joined() -> None:
    found = follow([(1, 9)], ("a", "b", 1, 3), ("a", "b", 3, 4), ("a", "c", 6, 9), ("c", "b", 5, 8))
    assert found.spans["b"] == [(1, 4), (6, 8)]


def test_a_cycle_that_is_entered_later_by_another_way() -> None:
    found = follow(
        [(1, 20)],
        ("a", "b", 1, 3),
        ("b", "c", 1, 20),
        ("c", "b", 1, 20),
        ("a", "x", 5, 20),
        ("x", "y", 5, 20),
        ("y", "c", 7, 9),
    )
    assert found.spans["b"] == found.spans["c"] == [(1, 3), (7, 9)]


def test_rows_count_only_where_their_node_is_reached() -> None:
    found = Reached({"a": [(2, NEVER)]})
    found.refer("a", "b", 4, 8)
    assert (found.fresh(), found.fresh()) == (["a"], ["b"])
    for since, until in ((1, 3), (3, 6), (6, 8), (8, 9), (9, NEVER)):
        found.say("b", since, until)
    # 3: not yet there; 6: it changed; 8: it went; 9: it changed elsewhere
    assert found.changes() == {6, 8}


# -- in stores -------------------------------------------------------------------------------


class Link(ev.Entity):
    following: Link | None = None


def test_what_is_far_away_is_not_followed() -> None:
    store = ev.SQLAlchemyEntityStorage(":memory:")
    last = first = Link()
    for _ in range(reached.ROUNDS + 1):
        last.following = Link()
        last = last.following
    store.register(first)
    with store.inside.reading() as (conn, catalog):
        near = past_of(conn, catalog, last.ecs_id)
        far = past_of(conn, catalog, first.ecs_id)
    assert (near.changes, far.changes) == ({1}, None)
    assert far.revisions([1, 2, 3]) == [1, 2, 3]


class Life:
    """Two threads, in one store, to which things happen."""

    def __init__(self, store: Any, seed: int) -> None:
        self.store = store
        self.random = random.Random(seed)
        self.threads = [ev.ChatThread(title="one"), ev.ChatThread(title="two")]
        self.numbers = itertools.count(1)

    def say(self, thread: ev.ChatThread) -> None:
        parents = [None, *thread.messages]
        thread.say("user", f"{next(self.numbers)}", parent=self.random.choice(parents))

    def edit(self, thread: ev.ChatThread) -> None:
        if thread.messages:
            self.random.choice(thread.messages).content += "!"

    def rename(self, thread: ev.ChatThread) -> None:
        thread.title += "!"

    def turn(self, thread: ev.ChatThread) -> None:
        thread.messages.reverse()

    def move(self, thread: ev.ChatThread, *, cut: bool = True) -> None:
        """Move a message to the other thread; if it is not cut off, its parent keeps it."""
        leaves = thread.leaves()
        if not leaves:
            return
        leaf = self.random.choice(leaves)
        thread.messages.remove(leaf)
        leaf.thread = next(other for other in self.threads if other is not thread)
        leaf.thread.messages.append(leaf)
        if cut and leaf.parent is not None:
            leaf.parent.replies.remove(leaf)
            leaf.parent = None

    def move_loosely(self, thread: ev.ChatThread) -> None:
        self.move(thread, cut=False)

    def live(self, steps: int) -> None:
        acts = [self.say, self.say, self.edit, self.rename, self.turn, self.move, self.move_loosely]
        for _ in range(steps):
            self.random.choice(acts)(self.random.choice(self.threads))
            self.store.register(self.threads)


def seen(store: Any, thread: ev.ChatThread) -> list[int]:
    """Return the revisions that show a thread anew, by reading every one of them."""
    result, before = [], None
    for revision in range(1, int(store.revisions()["revision"].max()) + 1):
        try:
            now = store.get(thread.ecs_id, as_of=revision)
        except (EntityNotFoundError, InvalidArgumentError):
            now = None
        if now is not None and (before is None or find_difference(before, now)):
            result.append(revision)
        before = now
    return result


def told(store: Any, entity: Any) -> list[int]:
    return [moment["revision"] for moment in moments_of(store, entity)[0]]


@pytest.mark.parametrize("seed", range(6))
def test_the_revisions_are_those_that_show_something_else(store: Any, seed: int) -> None:
    life = Life(store, seed)
    life.live(25)
    offered = [told(store, thread) for thread in life.threads]
    assert offered == [seen(store, thread) for thread in life.threads]
    every = len(store.revisions())
    assert min(map(len, offered)) < every  # some passed one of them by
    store.prune(before=life.random.randint(2, every - 1))
    life.live(4)
    assert [told(store, t) for t in life.threads] == [seen(store, t) for t in life.threads]


class Part(ev.Entity):
    text: str = ""


class Whole(ev.Entity):
    first: Part | None = None
    listed: list[Part] = []
    named: dict[str, Part] = {}
    some: set[Part] = set()
    within: list[dict[str, Part]] = []


def test_every_kind_of_reference_ends_when_it_is_given_up(store: Any) -> None:
    parts = [Part(text=name) for name in "abcde"]
    a, b, c, d, e = parts
    whole = Whole(first=a, listed=[b], named={"c": c}, some={d}, within=[{"e": e}])
    everything = [whole, *parts]
    store.register(everything)
    for part in parts:  # 2 to 6
        part.text += "!"
        store.register(everything)
    for name, empty in (("first", None), ("listed", []), ("named", {}), ("some", set())):
        setattr(whole, name, empty)  # 7 to 10
        store.register(everything)
    whole.within = []
    store.register(everything, note="11: alone")
    for part in parts:  # 12 to 16, which are others' revisions
        part.text += "!"
        store.register(everything)
    whole.first = a
    store.register(everything)
    assert told(store, whole) == seen(store, whole) == [*range(1, 12), 17]


def test_a_thread_that_was_deleted_for_a_while(store: Any) -> None:
    thread, aside = ev.ChatThread(title="a"), ev.ChatThread(title="aside")
    store.register([thread, aside])
    store.delete(thread)
    aside.title = "while it was gone"
    store.register(aside)
    again = ev.ChatThread(ecs_id=thread.ecs_id, title="again")
    store.register(again)
    again.title = "and again"
    store.register(again)
    moments, kept = moments_of(store, again)
    assert ([m["revision"] for m in moments], kept) == ([1, 4, 5], [range(1, 2), range(4, 6)])
    assert seen(store, again) == [1, 4, 5]
    store.prune(before=3)
    assert told(store, again) == seen(store, again) == [4, 5]


def test_where_nobody_can_tell_all_that_can_be_read_are_offered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reached, "ROUNDS", 0)
    store = ev.SQLAlchemyEntityStorage(":memory:")
    thread, aside = ev.ChatThread(title="a"), ev.ChatThread(title="aside")
    store.register(aside)
    for _ in range(4):
        thread.title += "!"
        store.register(thread)
        aside.title += "!"
        store.register(aside)
    assert told(store, thread) == [2, 3, 4, 5, 6, 7, 8, 9]
    store.prune(before=7)
    moments, kept = moments_of(store, thread)
    assert [(m["revision"], m["note"]) for m in moments] == [
        (7, "the oldest that is kept"),
        (8, ""),
        (9, ""),
    ]
    assert kept == [range(7, 10)]
