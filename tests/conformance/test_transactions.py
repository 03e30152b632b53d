"""Several calls in one transaction, on every storage: one revision, all or nothing."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import itertools
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import ecsviz as ev
from ecsviz import errors
from ecsviz.isomorphic import find_difference
from tests.conformance import classes as c
from tests.conformance.conftest import KINDS, OPENERS, Open
from tests.databases import counted
from tests.test_commits import Failing, failing_store
from tests.test_writing import InjectedError, failing


class LeftError(Exception):
    """Raised in a block by its user."""


def together(store: Any, entities: list[Any]) -> None:
    """Register entities one by one in one transaction."""
    with store.transaction():
        for entity in entities:
            store.register(entity)


def state_of(store: Any, ids: list[Any]) -> Any:
    """Return what a store tells of itself and of some entities."""
    stored = [i for i in ids if store.has_entity(i)]
    texts = {}
    if stored:
        for entity in ev.EntityDependencyGraph(store.get_many(stored)).nodes:
            texts[entity.ecs_id] = entity.version, repr(entity), entity.model_dump_json()
    frames = store.revisions().to_dict("records")
    return stored, texts, frames, len(store.verify())


def versions_of(entities: list[Any]) -> list[int]:
    return [entity.version for entity in entities]


# -- a random block --------------------------------------------------------------------------


class World:
    """A store, and the live entities of who uses it."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.threads = [c.thread(2, title=str(n)) for n in range(2)]
        self.nodes = [c.Node(name=str(n)) for n in range(3)]
        self.nodes[0].next, self.nodes[1].links = self.nodes[1], [self.nodes[2], self.nodes[0]]
        self.gone = store.register(c.Node(name="gone"))
        store.register([*self.threads, *self.nodes[:2]])
        store.delete(self.gone)
        self.base = len(store.revisions())
        self.fresh = 0
        self.raised: list[str] = []

    @property
    def messages(self) -> list[Any]:
        return [message for thread in self.threads for message in thread.messages]

    @property
    def entities(self) -> list[Any]:
        found = {}
        for root in (*self.threads, *self.nodes, self.gone):
            with contextlib.suppress(errors.DuplicateIdError):  # of what was read anew in part
                found.update({id(e): e for e in ev.EntityDependencyGraph(root).nodes})
        return list(found.values())

    def pick(self, among: list[Any], number: int) -> Any:
        return among[number % len(among)]

    def new_id(self) -> Any:
        self.fresh += 1
        return f"00000000-0000-4000-8000-{self.fresh:012}"

    # Each step does the same in both worlds.

    def edit(self, i: int, j: int) -> None:
        self.pick(self.nodes, i).name = f"name {j}"

    def save(self, i: int, j: int) -> None:
        entity = self.pick([*self.threads, *self.nodes], i)
        entity.__dict__["name" if isinstance(entity, c.Node) else "title"] = f"saved {j}"
        self.store.register(entity)

    def save_all(self, i: int, j: int) -> None:
        self.store.register([*self.threads, *self.nodes])

    def link(self, i: int, j: int) -> None:
        node, other = self.pick(self.nodes, i), self.pick(self.nodes, j)
        node.links = [*node.links, other] if len(node.links) < 3 else []
        node.by_name = {str(j): other}
        self.store.register(node)

    def append(self, i: int, j: int) -> None:
        thread = self.pick(self.threads, i)
        made = c.Message(thread=thread, text=f"new {j}", ecs_id=self.new_id())
        made.__dict__["lineage_id"] = made.ecs_id
        thread.messages.insert(j % (len(thread.messages) + 1), made)
        self.store.register(thread)

    def reorder(self, i: int, j: int) -> None:
        thread = self.pick(self.threads, i)
        thread.messages.reverse()
        self.store.register(thread)

    def move(self, i: int, j: int) -> None:
        """Take a message elsewhere, and save it: what it was in is raised as well."""
        if self.messages:
            message, other = self.pick(self.messages, i), self.pick(self.threads, j)
            message.thread.messages.remove(message)
            message.thread = other
            other.messages.append(message)
            self.store.register([message] if i % 2 else self.threads)

    def drop(self, i: int, j: int) -> None:
        """Delete what is in a list, which has one less then."""
        if self.messages:
            message = self.pick(self.messages, i)
            self.store.delete(message)
            message.thread.messages.remove(message)

    def delete(self, i: int, j: int) -> None:
        self.store.delete(self.pick(self.nodes, i))

    def delete_together(self, i: int, j: int) -> None:
        self.store.delete([node for node in self.nodes if self.store.has_entity(node.ecs_id)])

    def anew(self, i: int, j: int) -> None:
        """Save a node as an importer does that has made it anew."""
        node = self.pick([*self.nodes, self.gone], i)
        node.__dict__["version"] = 0
        self.store.register(node)

    def revert(self, i: int, j: int) -> None:
        thread = self.pick([*self.threads, *self.nodes[:2]], i)
        self.store.revert(thread, to=self.base, delete_added=bool(j % 2))
        ids = [each.ecs_id for each in (*self.threads, *self.nodes)]
        there = self.store.get_many([i for i in ids if self.store.has_entity(i)])
        known = {entity.ecs_id: entity for entity in there}
        self.threads = [known.get(each.ecs_id, each) for each in self.threads]
        self.nodes = [known.get(each.ecs_id, each) for each in self.nodes]

    def refresh(self, i: int, j: int) -> None:
        self.store.refresh(self.pick([*self.threads, *self.nodes], i))

    def do(self, step: tuple[str, int, int]) -> None:
        """Do a step; what is refused is noted, and changes nothing."""
        name, i, j = step
        try:
            getattr(self, name)(i, j)
        except ev.EcsvizError as err:
            self.raised.append(type(err).__name__)


STEPS = [
    *("edit", "save", "save_all", "link", "append", "reorder", "move", "drop", "delete"),
    *("delete_together", "anew", "revert", "refresh"),
]
steps = st.lists(
    st.tuples(st.sampled_from(STEPS), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=9
)


def two_worlds(opened: Callable[[], Any]) -> tuple[World, World]:
    """Return two equal worlds: what is done to one is done to the other."""
    one = World(opened())
    two = copy.copy(one)
    two.store, two.raised = opened(), []
    two.threads, two.nodes, two.gone = copy.deepcopy((one.threads, one.nodes, one.gone))
    for entity in two.entities:
        entity.__dict__["version"] = 0
    gone = two.store.register(two.gone)
    two.store.register([*two.threads, *two.nodes[:2]])
    two.store.delete(gone)
    assert versions_of(two.entities) == versions_of(one.entities)
    return one, two


@pytest.fixture(params=KINDS)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Any]:
    """Opens a new storage of a kind with each call."""
    if request.param == "memory":
        return ev.InMemoryEntityStorage
    if request.param == "sqlite":
        return lambda: ev.SQLAlchemyEntityStorage(":memory:")
    return lambda: OPENERS["postgresql"](tmp_path, request)()  # noqa: PLW0108 - a schema each


RANDOM = settings(
    deadline=None,
    max_examples=10,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # blocks are short, and stores slow
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@RANDOM
@given(steps=steps)
def test_a_block_is_what_its_steps_are(opened: Callable[[], Any], steps: Any) -> None:
    one, two = two_worlds(opened)
    ids = [entity.ecs_id for entity in one.entities]
    before = state_of(two.store, ids)
    then = {i: two.store.get(i) for i in before[0]}
    for step in steps:
        one.do(step)
    with two.store.transaction(note="together"):
        for step in steps:
            two.do(step)
        assert len(two.store.verify()) == 0, "inside, too"
    assert one.raised == two.raised
    ids = list({entity.ecs_id: None for w in (one, two) for entity in w.entities})
    for ecs_id in ids:
        assert one.store.has_entity(ecs_id) == two.store.has_entity(ecs_id)
    stored = [ecs_id for ecs_id in ids if one.store.has_entity(ecs_id)]
    if stored:
        there, steps_apart = two.store.get_many(stored), one.store.get_many(stored)
        now = {e.ecs_id: e.version for e in ev.EntityDependencyGraph(there).nodes}
        for entity in ev.EntityDependencyGraph(steps_apart).nodes:
            entity.__dict__["version"] = now[entity.ecs_id]
        assert find_difference(steps_apart, there) is None
    assert len(two.store.verify()) == 0
    revisions = two.store.revisions()
    assert len(revisions) <= two.base + 1
    if len(one.store.revisions()) == one.base:
        assert len(revisions) == two.base
    if len(revisions) > two.base:
        last = revisions.iloc[-1]
        assert last["note"].startswith("together")
        now = now if stored else {}
        was = {i: text[0] for i, text in before[1].items()}
        assert last["added"] - last["deleted"] == len(now) - len(was)
        for ecs_id, version in now.items():
            assert version <= was.get(ecs_id, one.gone.version) + 1
    for ecs_id in ids:  # one row an entity and revision, and none of what has never been
        with contextlib.suppress(errors.EntityNotFoundError):
            told = two.store.history(ecs_id)["revision"].tolist()
            assert len(set(told)) == len(told)
    for ecs_id, entity in then.items():
        assert find_difference(entity, two.store.get(ecs_id, as_of=two.base)) is None


@RANDOM
@given(steps=steps, more=steps, inner=st.booleans())
def test_an_exception_leaves_everything(
    opened: Callable[[], Any], steps: Any, more: Any, inner: bool
) -> None:
    """In the block; or in one inside it, which leaves what was before that."""
    world = World(opened())
    store = world.store
    with store.transaction() if inner else contextlib.nullcontext():
        for step in steps if inner else ():
            world.do(step)
        entities = world.entities
        ids = [entity.ecs_id for entity in entities]
        before, versions = state_of(store, ids), versions_of(entities)
        with contextlib.suppress(LeftError), store.transaction(note="in vain"):
            for step in more:
                world.do(step)
            every = world.entities
            raise LeftError
        anew = {id(entity) for entity in entities}
        set_anew = {name for name, _, _ in more} & {"anew", "revert", "refresh"}
        if not set_anew:
            assert versions_of(entities) == versions
            assert {e.version for e in every if id(e) not in anew} <= {0}
        assert state_of(store, ids) == before
        for entity in every:  # whatever was read or told inside is no state that has never been
            if store.has_entity(entity.ecs_id):
                assert entity.version <= store.get(entity.ecs_id).version
    assert len(store.verify()) == 0


# -- what it means ---------------------------------------------------------------------------


def test_several_calls_are_one_revision(reopen: Open) -> None:
    store = reopen()
    thread, node, draft = c.thread(2), c.Node(name="a"), store.register(c.Node(name="draft"))
    with store.transaction(note="import"):
        store.register(thread)
        node.next = c.Node(name="b")
        store.register(node, note="nodes")
        node.name = "edited"
        store.register(node, note="nodes")
        store.delete(draft)
        assert store.get(node.ecs_id).name == "edited", "what is written inside is read inside"
        assert (node.version, thread.version, thread.messages[0].version) == (1, 1, 1)
    last = reopen().revisions().iloc[-1]
    assert last[["revision", "note", "added", "changed", "deleted"]].tolist() == [
        *(2, "import; nodes", 5, 0, 1)
    ]
    assert reopen().history(node)[["version", "what"]].values.tolist() == [[1, "added"]]
    assert not reopen().has_entity(draft.ecs_id)
    assert reopen().get(draft.ecs_id, as_of=1).name == "draft"
    assert len(reopen().verify()) == 0


def test_an_entity_has_one_new_version(reopen: Open) -> None:
    node = reopen().register(c.Node(name="a", links=[c.Node(name="b")]))
    store = reopen()
    with store.transaction():
        for name in "xyz":
            node.name = name
            node.links = [*node.links, c.Node(name=name)]
            store.register(node)
        assert node.version == 2
    assert (node.version, reopen().get(node.ecs_id).version) == (2, 2)
    history = reopen().history(node)[["version", "revision", "fields"]].values.tolist()
    assert history[1:] == [[2, 2, "name, links"]]
    assert reopen().get(node.ecs_id, as_of=1).name == "a"
    node.name = "after"
    assert reopen().register(node).version == 3


def test_what_was_added_and_deleted_has_never_been(reopen: Open) -> None:
    store = reopen()
    kept = store.register(c.Node(name="kept"))
    gone = c.Node(name="gone")
    with store.transaction():
        store.register(gone)
        store.delete(gone)
        kept.name = "edited"
        store.register(kept)
    assert reopen().revisions().iloc[-1][["added", "changed", "deleted"]].tolist() == [0, 1, 0]
    with pytest.raises(errors.EntityNotFoundError):
        reopen().history(gone)
    assert gone.version == 0, "as new as it was"
    assert reopen().register(gone).version == 1
    assert len(reopen().verify()) == 0


def test_where_nothing_is_left_there_is_no_revision(reopen: Open) -> None:
    store = reopen()
    store.register(c.Node(name="a"))
    for calls in (0, 1):
        with store.transaction(note="nothing"):
            for _ in range(calls):
                gone = store.register(c.Stone())
                store.delete(gone)
    with store.transaction(note="nothing"):
        pass
    assert len(reopen().revisions()) == 1
    assert gone.version == 0


def test_what_comes_back_and_goes_again_is_as_gone_as_before(reopen: Open) -> None:
    store = reopen()
    node = store.register(c.Node(name="a"))
    store.delete(node)
    again = c.Node(name="again", ecs_id=node.ecs_id, lineage_id=node.lineage_id)
    with store.transaction():
        store.register(again)
        assert again.version == 2
        store.delete(again)
        store.register(c.Node(name="other"))
    with pytest.raises(errors.StaleVersionError) as caught:
        reopen().register(node)
    assert caught.value.revision == 2
    assert len(reopen().history(node)) == 2
    assert len(reopen().verify()) == 0


def test_deleted_and_stored_anew(reopen: Open) -> None:
    store = reopen()
    node = store.register(c.Node(name="a"))
    anew = c.Node(name="b", ecs_id=node.ecs_id, lineage_id=node.lineage_id)
    with store.transaction():
        node.name = "x"
        store.register(node)
        store.delete(node)
        store.register(anew)
    assert reopen().get(node.ecs_id).name == "b"
    assert (anew.version, reopen().get(node.ecs_id, as_of=1).name) == (2, "a")
    assert reopen().revisions().iloc[-1][["added", "changed", "deleted"]].tolist() == [1, 0, 1]
    assert len(reopen().verify()) == 0


def test_a_call_that_fails_takes_back_what_it_did(reopen: Open) -> None:
    store = reopen()
    holder = store.register(c.Node(name="holder", next=c.Node(name="held")))
    with store.transaction():
        holder.name = "edited"
        store.register(holder)
        with pytest.raises(errors.BrokenReferenceError):
            store.delete(holder.next)
        bad = c.Values()
        bad.integer = "text"  # type: ignore[assignment]
        with pytest.raises(errors.ValueNotStorableError):
            store.register([c.Node(name="new"), bad])
        assert bad.version == 0
    assert reopen().get(holder.ecs_id).name == "edited"
    assert reopen().revisions().iloc[-1][["added", "changed", "deleted"]].tolist() == [0, 1, 0]


def test_notes_are_joined(reopen: Open) -> None:
    store = reopen()
    node = store.register(c.Node(name="a"))
    with store.transaction():
        node.name = "b"
        store.register(node)
    assert reopen().revisions()["note"].isna().tolist() == [True, True]
    with store.transaction(note="x"), store.transaction(note="y"):
        with contextlib.suppress(LeftError), store.transaction(note="in vain"):
            raise LeftError
        store.revert(node, to=1)
    assert reopen().revisions()["note"].tolist()[2] == "x; y; back to 1"
    with pytest.raises(errors.InvalidArgumentError):
        store.transaction(note="a\0")


def test_a_block_inside_joins(reopen: Open) -> None:
    store = reopen()
    one, two, three = c.Node(name="1"), c.Node(name="2"), c.Node(name="3")
    with store.transaction():
        store.register(one)
        with store.transaction():
            store.register(two)
        with contextlib.suppress(LeftError), store.transaction():
            one.name = "in vain"
            store.register([one, three])
            store.delete(two)
            raise LeftError
        assert (one.version, three.version) == (1, 0)
        assert store.get(one.ecs_id).name == "1"
        assert store.has_entity(two.ecs_id)
    assert len(reopen().revisions()) == 1
    assert not reopen().has_entity(three.ecs_id)
    with contextlib.suppress(LeftError), store.transaction():
        with store.transaction():
            store.register(three)
        raise LeftError
    assert three.version == 0
    assert not reopen().has_entity(three.ecs_id)


def test_what_was_read_inside_is_no_state_that_has_never_been(reopen: Open) -> None:
    """Else somebody's later version of the same number would be overwritten by it unnoticed."""
    store = reopen()
    node = store.register(c.Node(name="a"))
    with contextlib.suppress(LeftError), store.transaction():
        node.name = "b"
        store.register(node)
        read, listed = store.get(node.ecs_id), store.list_by_type(c.Node)[0]
        fresh = store.refresh(store.get(node.ecs_id))
        assert (read.version, listed.version, fresh.version) == (2, 2, 2)
        raise LeftError
    assert (read.version, listed.version, fresh.version, node.version) == (1, 1, 1, 1)
    other = reopen().get(node.ecs_id)
    other.name = "theirs"
    reopen().register(other)
    for each in (read, listed, fresh, node):
        with pytest.raises(errors.StaleVersionError):
            store.register(each)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("criteria", [{}, {"name__ne": "x"}], ids=["every", "some"])
def test_what_yields_what_was_taken_back_stops(
    reopen: Open, criteria: dict[str, Any], lazy: bool
) -> None:
    """Or it would go on with what has never been, or with what came later under its number."""
    store = reopen()
    store.register([c.Node(name=name) for name in "abcd"])

    def begin() -> Iterator[Any]:
        return store.iterate(c.Node, batch=2, lazy=lazy and not inside, **criteria)

    inside = False
    before = begin()
    assert next(before).name == "a"
    with contextlib.suppress(LeftError), store.transaction():
        inside = True
        early = begin()  # of nothing that can be taken back
        store.register(c.Node(name="e"))
        kept = begin()
        assert [next(early).name, next(kept).name] == ["a", "a"]
        with contextlib.suppress(LeftError), store.transaction():
            store.register([c.Node(name="f"), c.Node(name="g")])
            inner = begin()
            assert [next(inner).name for _ in "abc"] == ["a", "b", "c"]
            raise LeftError
        store.register([c.Node(name="h"), c.Node(name="i")])
        assert next(inner).name == "d", "which was read"
        with pytest.raises(errors.TransactionError, match=r"taken back.*Begin anew"):
            next(inner)
        assert {node.name for node in kept} >= set("bcde")
        last, other = begin(), begin()
        assert [next(last).name, next(other).name] == ["a", "a"]
        raise LeftError
    reopen().register([c.Node(name="theirs") for _ in range(5)])
    assert next(last).name == "b"
    for left in (last, other):
        with pytest.raises(errors.TransactionError):
            list(left)
    assert [node.name for node in before] == ["b", "c", "d"]
    assert [node.name for node in early] == ["b", "c", "d"]
    with store.transaction():
        store.register(c.Node(name="z"))
        inside, last = True, begin()
        assert next(last).name == "a"
    store.register(c.Node(name="later"))
    assert sorted(node.name for node in last) == [*"bcd", *["theirs"] * 5, "z"]


def test_what_was_read_in_a_block_inside_goes_back_with_the_block_around(reopen: Open) -> None:
    store = reopen()
    node = store.register(c.Node(name="a"))
    with contextlib.suppress(LeftError), store.transaction():
        store.register(_renamed(node, "b"))
        with contextlib.suppress(LeftError), store.transaction():
            one, two = store.get(node.ecs_id), store.refresh(store.get(node.ecs_id))
            store.register(_renamed(one, "c"))
            raise LeftError
        assert (one.version, two.version) == (2, 2)
        raise LeftError
    assert (node.version, one.version, two.version) == (1, 1, 1)
    other = reopen()
    other.register(_renamed(other.get(node.ecs_id), "theirs"))
    for each in (node, one, two):
        with pytest.raises(errors.StaleVersionError):
            store.register(each)


@pytest.mark.parametrize("how", ["told", "read"])
def test_what_was_taken_back_is_saved_when_it_is_saved_again(reopen: Open, how: str) -> None:
    """What a store remembers of an entity is never what was not carried out."""
    store = reopen()
    node = store.register(c.Node(name="a"))
    with contextlib.suppress(LeftError), store.transaction():
        node.name = "b"
        store.register(node)
        again = node if how == "told" else store.get(node.ecs_id)
        raise LeftError
    assert store.register(again).version == 2
    assert reopen().get(node.ecs_id).name == "b"
    with store.transaction():
        again.name = "c"
        store.register(again)
        other = store.get(node.ecs_id)
    other.name = "d"
    assert store.register(other).version == 4
    assert reopen().get(node.ecs_id).name == "d"


def test_what_a_save_changed_beside_is_forgotten_with_it(reopen: Open) -> None:
    store = reopen()
    thread, other = c.thread(1), c.thread(0)
    store.register([thread, other])
    (message,) = thread.messages
    with contextlib.suppress(LeftError), store.transaction():
        thread.messages.remove(message)
        message.thread = other
        other.messages.append(message)
        store.register(message)
        assert store.get(thread.ecs_id).version == 2
        store.register(thread)  # its own doing, so it is no conflict
        assert thread.version == 2
        raise LeftError
    assert thread.version == 1
    reopened = reopen()
    mine = reopened.get(thread.ecs_id)
    mine.title = "theirs"
    reopened.register(mine)
    with pytest.raises(errors.StaleVersionError):
        store.register(thread)


def _moved(thread: Any, other: Any) -> Any:
    """Take a message from a thread to another, so that saving it alone raises both."""
    message = thread.messages.pop()
    message.thread = other
    other.messages.append(message)
    return message


def test_what_a_part_changed_beside_is_forgotten_with_it(reopen: Open) -> None:
    store = reopen()
    thread, other, third = store.register([c.thread(1), c.thread(0), c.thread(1)])
    old = store.get(thread.ecs_id)
    with store.transaction():
        with contextlib.suppress(LeftError), store.transaction():
            store.register(_moved(*store.get_many([thread.ecs_id, other.ecs_id])))
            raise LeftError
        store.register(_moved(third, other))
    mine = reopen().get(thread.ecs_id)
    mine.title = "theirs"
    reopen().register(mine)
    assert mine.version == 2, "as in the part that was taken back"
    old.title = "mine"
    with pytest.raises(errors.StaleVersionError):
        store.register(old)
    assert reopen().get(thread.ecs_id).title == "theirs"


@pytest.mark.parametrize("how", ["edited", "deleted and added", "made anew"])
def test_what_is_edited_where_it_was_changed_beside_is_a_conflict(reopen: Open, how: str) -> None:
    """In a block both have the same version, which says no more which of the two it was."""
    store = reopen()
    thread, other = store.register([c.thread(1), c.thread(0)])
    early, late = (store.get(other.ecs_id, hops=0) for _ in "ab")
    with store.transaction():
        store.register(_moved(thread, store.get(other.ecs_id)), hops=0)
        edited = store.get(other.ecs_id)
        edited.title = "theirs"
        if how == "deleted and added":
            store.delete([edited, *edited.messages])
        if how != "edited":
            for entity in (edited, *edited.messages):
                entity.__dict__["version"] = 0
        store.register(edited)
    for copied in (early, late):
        copied.title = "mine"
        with pytest.raises(errors.StaleVersionError):
            store.register(copied, hops=0)
    assert reopen().get(other.ecs_id).title == "theirs"


def test_conflicts_with_others_are_told(reopen: Open) -> None:
    store = reopen()
    node = store.register(c.Node(name="a"))
    old, newer = store.get(node.ecs_id), store.get(node.ecs_id)
    newer.name = "b"
    store.register(newer)
    before = len(store.revisions())
    old.name = "c"
    with pytest.raises(errors.StaleVersionError):
        together(store, [c.Node(name="other"), old])
    assert len(reopen().revisions()) == before


def test_what_cannot_be_one_of_several_calls(reopen: Open) -> None:
    store = reopen()
    node = store.register(c.Node(name="a"))
    names = [n for n in ("migrate", "prune", "adopt_changes", "close") if hasattr(store, n)]
    calls = {name: getattr(store, name) for name in names}
    calls["index_text"] = lambda: store.index_text(c.Node, "name")
    calls["drop_text_index"] = lambda: store.drop_text_index(c.Node, "name")
    calls["lazy"] = lambda: store.get(node.ecs_id, lazy=True)
    calls["lazy find"] = lambda: store.find(c.Node, lazy=True)
    calls["lazy iterate"] = lambda: list(store.iterate(c.Node, lazy=True))
    with store.transaction():
        node.name = "b"
        store.register(node)
        for call in calls.values():
            with pytest.raises(errors.TransactionError, match="block"):
                call()
    assert reopen().get(node.ecs_id).version == 2
    with contextlib.suppress(LeftError), store.transaction():
        raise LeftError
    store.prune()
    assert len(store.verify()) == 0


def test_everything_that_reads_sees_what_is_written_inside(reopen: Open) -> None:
    store = reopen()
    thread = store.register(c.thread(2))
    with store.transaction():
        thread.title = "inside"
        thread.messages.append(c.Message(thread=thread, text="new"))
        store.register(thread)
        assert store.get(thread.ecs_id).title == "inside"
        assert store.get(thread.ecs_id, as_of=1).title == "t"
        assert store.get(thread.ecs_id, as_of=2).title == "inside"
        assert len(store.list_by_type(c.Message)) == 3
        assert len(store.find(c.Message, text="new")) == 1
        assert store.has_entity(thread.messages[2].ecs_id)
        assert len(store.revisions()) == 2
        assert store.history(thread)["version"].tolist() == [1, 2]
        assert not store.diff(thread)
        assert len(store.diff(1, 2)) == len(store.diff(1)) > 0
        assert len(store.verify(thread)) == 0
        assert len(store.get_lineage_entities(thread.lineage_id)) == 1
        assert store._repr_html_()
        if isinstance(store, ev.SQLAlchemyEntityStorage):
            assert len(store.frame(c.Message)) == 3
            assert len(store.graph().nodes) == 4
            thread.title = "planned"
            assert "UPDATE" in str(store.explain(thread).steps)
            assert not store.migrate(dry_run=True)
    assert len(reopen().revisions()) == 2


# -- threads and tasks -----------------------------------------------------------------------


def in_thread(call: Callable[[], Any]) -> Any:
    """Call something in another thread; return what it returns or raises."""
    found: list[Any] = []

    def work() -> None:
        try:
            found.append(call())
        except BaseException as err:  # noqa: BLE001 - the caller looks at it
            found.append(err)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return found[0]


@pytest.fixture(params=[*KINDS, "in memory"])
def impatient(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """A storage that does not wait long for other threads."""
    monkeypatch.setattr("ecsviz.storage.memory.inside.TIMEOUT", 0.2)
    if request.param == "memory":
        yield ev.InMemoryEntityStorage()
    elif request.param == "postgresql":
        made = OPENERS["postgresql"](tmp_path, request)()
        monkeypatch.setattr(made.inside.database._turns, "_timeout", 0.2)
        yield made
    else:
        target = ":memory:" if request.param == "in memory" else tmp_path / "a.db"
        with ev.SQLAlchemyEntityStorage(target, timeout=0.2) as made:
            yield made


def test_other_threads_wait_or_read_the_state_before(impatient: Any) -> None:
    store = impatient
    node = store.register(c.Node(name="a"))
    shared = str(store).startswith("SQLAlchemyEntityStorage('sqlite://'")
    with store.transaction():
        node.name = "b"
        store.register(node)
        seen = in_thread(lambda: store.get(node.ecs_id).name)
        assert isinstance(seen, errors.StorageBusyError) if shared else seen == "a"
        told = in_thread(lambda: store.register(c.Node(name="other")))
        assert isinstance(told, errors.StorageBusyError)

        def begin() -> None:
            with store.transaction():
                pass

        assert isinstance(in_thread(begin), errors.StorageBusyError)
        assert len(store.verify()) == 0
    assert in_thread(lambda: store.get(node.ecs_id).name) == "b"
    assert in_thread(lambda: store.register(c.Node(name="other"))).version == 1


def test_whoever_waits_goes_on_at_the_end(reopen: Open) -> None:
    store = reopen()
    node = store.register(c.Node(name="a"))
    others = [c.Node(name=str(n)) for n in range(4)]

    def write(other: Any) -> None:
        with store.transaction():
            store.register(other)
            other.name = "again"
            store.register(other)

    waiting = [threading.Thread(target=write, args=(other,)) for other in others]
    with store.transaction():
        node.name = "b"
        store.register(node)
        for thread in waiting:
            thread.start()
        node.name = "c"
        store.register(node)
    for thread in waiting:
        thread.join()
    assert versions_of(others) == [1] * 4
    assert len(reopen().revisions()) == 6
    assert len(reopen().verify()) == 0


def test_a_block_that_is_left_in_another_thread(reopen: Open) -> None:
    store = reopen()
    node = store.register(c.Node(name="a"))

    def steps() -> Iterator[None]:
        with store.transaction():
            node.name = "b"
            store.register(node)
            yield

    begun = steps()
    next(begun)
    told = in_thread(lambda: next(begun, None))
    assert isinstance(told, errors.TransactionError)
    assert "another thread" in str(told)
    assert node.version == 1
    assert reopen().get(node.ecs_id).name == "a"
    assert store.register(node).version == 2, "and nothing is held"
    with store.transaction():
        pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_generator_that_is_dropped(reopen: Open) -> None:
    store = reopen()
    node = store.register(c.Node(name="a"))

    def steps() -> Iterator[None]:
        with store.transaction():
            node.name = "b"
            store.register(node)
            yield

    begun = steps()
    next(begun)
    begun.close()
    assert (node.version, reopen().get(node.ecs_id).name) == (1, "a")


@pytest.mark.parametrize("how", ["refresh", "merge"])
def test_what_is_brought_up_to_date_in_a_block_goes_back_with_it(reopen: Open, how: str) -> None:
    store = reopen()
    node = store.register(c.Node(name="a"))
    mine, theirs = store.get(node.ecs_id), store.get(node.ecs_id)
    with contextlib.suppress(ZeroDivisionError), store.transaction():
        node.name = "inside"
        store.register(node)
        getattr(store, how)(mine)
        raise ZeroDivisionError
    assert [mine.version, node.version] == [1, 1]
    theirs.name = "theirs"
    store.register(theirs)
    with pytest.raises(errors.StaleVersionError):
        store.register(mine)
    assert store.get(node.ecs_id).name == "theirs"


@pytest.mark.parametrize("later", [False, True], ids=["in it", "after it"])
def test_what_was_saved_in_a_block_is_stale_once_a_copy_is_saved(reopen: Open, later: bool) -> None:
    store = reopen()
    first = store.register(c.Node(name="a"))
    with store.transaction():
        first.name = "b"
        store.register(first)
        with contextlib.suppress(LeftError), store.transaction():
            store.register(_renamed(store.get(first.ecs_id), "in vain"))
            raise LeftError
        first.name = "c"
        assert store.register(first).version == 2, "what was taken back makes nothing stale"
        other = store.register(_renamed(store.get(first.ecs_id), "theirs"))
        if not later:
            with pytest.raises(errors.StaleVersionError):
                store.register(first)
    with pytest.raises(errors.StaleVersionError):
        store.register(first)
    assert store.register(_renamed(other, "and on")).version == 3
    assert store.refresh(first).name == "and on"


def _renamed(node: Any, name: str) -> Any:
    node.name = name
    return node


def test_what_a_save_in_a_block_changed_beside_makes_nothing_stale(reopen: Open) -> None:
    store = reopen()
    thread, other = c.thread(2), c.thread(0)
    for message in thread.messages:
        message.parent, message.replies = None, []
    store.register([thread, other])
    with store.transaction():
        thread.title = "b"
        store.register([thread, other])
        copied = store.get(thread.ecs_id, hops=0)
        store.register(_moved(thread, other), hops=0)
        store.register([thread, other])
        assert (thread.version, other.version) == (2, 2)
        store.delete(thread.messages.pop())
        store.register(thread)
        assert copied.title == "b"
    assert thread.version == reopen().get(thread.ecs_id).version == 2
    thread.title = "c"
    store.register(thread)
    assert len(store.verify()) == 0


def test_a_copy_that_was_read_in_a_block_is_stale_once_another_is_saved(reopen: Open) -> None:
    store = reopen()
    node = store.register(c.Node(name="a"))
    with store.transaction():
        node.name = "b"
        store.register(node)
        one, two = store.get(node.ecs_id), store.get(node.ecs_id)
        node.name = "c"
        store.register(node)
        one.name = "lost"
        with pytest.raises(errors.StaleVersionError):
            store.register(one)
    two.name = "lost"
    with pytest.raises(errors.StaleVersionError):
        store.register(two)
    assert (store.get(node.ecs_id).name, node.version) == ("c", 2)


@pytest.mark.parametrize("failing", [True, False])
def test_blocks_that_end_out_of_order_are_taken_back(reopen: Open, failing: bool) -> None:
    store = reopen()

    def block(name: str) -> Iterator[None]:
        with store.transaction():
            store.register(c.Node(name=name))
            yield

    one, two = block("a"), block("b")
    next(one)
    next(two)
    if failing:
        with pytest.raises(ZeroDivisionError):
            one.throw(ZeroDivisionError())  # type: ignore[attr-defined]  # of a generator
    else:
        with pytest.raises(errors.TransactionError, match="before another"):
            list(one)
    with pytest.raises(errors.TransactionError, match="taken back"):
        list(two)
    with pytest.raises(errors.TransactionError, match="never begun"):
        store.transaction().__exit__(None, None, None)
    assert reopen().list_by_type(c.Node) == []
    with store.transaction():
        store.register(c.Node(name="c"))
    assert [node.name for node in reopen().list_by_type(c.Node)] == ["c"]


def run_apart(work: Callable[[], Any]) -> Any:
    """Run a coroutine in a thread of its own: another loop may run in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(work())).result()


def test_tasks_of_one_thread(reopen: Open) -> None:
    """A task that awaits inside a block must not have others write in it."""
    store = reopen()
    node = store.register(c.Node(name="a"))
    told: list[Any] = []

    async def held(go: asyncio.Event) -> None:
        with store.transaction():
            node.name = "b"
            store.register(node)
            go.set()
            await asyncio.sleep(0.01)
            with pytest.raises(errors.TransactionError, match="another thread"):
                await asyncio.to_thread(store.register, c.Node(name="by a thread"))
            with pytest.raises(errors.TransactionError, match="another thread"):
                await asyncio.to_thread(store.get, node.ecs_id)

    async def other(go: asyncio.Event) -> None:
        await go.wait()
        try:
            store.register(c.Node(name="other"))
        except errors.TransactionError as err:
            told.append(err)

    async def both() -> None:
        go = asyncio.Event()
        await asyncio.gather(held(go), other(go))

    run_apart(both)
    assert "another task" in str(told[0])
    assert reopen().get(node.ecs_id).name == "b"
    assert len(reopen().list_by_type(c.Node)) == 1

    def whole(name: str) -> int:
        with store.transaction():
            node.name = name
            return store.register(node).version

    async def threads() -> list[int]:
        return [await asyncio.to_thread(whole, name) for name in "cd"]

    assert run_apart(threads) == [3, 4]


# -- failures and interrupts -----------------------------------------------------------------


def a_block(store: Any, graph: list[Any], catching: tuple[type[BaseException], ...] = ()) -> int:
    """Add, edit, delete and go back in one block; return how many calls have failed."""
    node, thread, gone = graph
    failed = 0
    with store.transaction(note="block"):
        node.name = "edited"
        node.links = [c.Node(name="new")]
        thread.messages.append(c.Message(thread=thread, text="new"))
        for call in (
            lambda: store.register([node, thread]),
            lambda: store.delete(gone),
            lambda: store.get(node.ecs_id),
            lambda: store.register(c.Stone()),
            lambda: store.revert(thread, to=1, delete_added=True),
        ):
            try:
                call()
            except catching:
                failed += 1
    return failed


def start(store: Any) -> list[Any]:
    graph = [c.Node(name="a", links=[c.Node(name="b")]), c.thread(2), c.Node(name="gone")]
    found: list[Any] = store.register(graph)
    return found


@pytest.mark.parametrize("caught", [False, True])
@pytest.mark.sweep
def test_a_failure_anywhere(tmp_path: Path, caught: bool) -> None:
    """Left at any statement, all is as it was; caught, one call is as if it had not been made."""
    store = ev.SQLAlchemyEntityStorage(":memory:")
    graph = start(store)
    ids = [e.ecs_id for e in ev.EntityDependencyGraph(graph).nodes]
    before, tried = state_of(store, ids), 0
    for at in itertools.count(1, 5):
        mine = store.get_many([e.ecs_id for e in graph])
        versions = versions_of(list(ev.EntityDependencyGraph(mine).nodes))
        with failing(store.engine, at) as seen:
            failed, ended = 0, False
            with contextlib.suppress(InjectedError):
                failed = a_block(store, mine, (InjectedError,) if caught else ())
                ended = True
        if len(seen) < at:
            break
        assert len(store.verify()) == 0, seen[-1]
        if ended:
            assert failed == 1
            assert len(store.revisions()) == 2
            break_off = store.revisions().iloc[-1]
            assert break_off["note"].startswith("block")
            store = ev.SQLAlchemyEntityStorage(":memory:")
            graph = start(store)
            ids = [e.ecs_id for e in ev.EntityDependencyGraph(graph).nodes]
            before = state_of(store, ids)
        else:
            assert versions_of(list(ev.EntityDependencyGraph(mine).nodes))[:2] == versions[:2]
            assert state_of(store, ids) == before, seen[-1]
        tried += 1
    assert tried > 9


def test_a_database_that_took_all_of_it_back(tmp_path: Path) -> None:
    """As SQLite does when the disk is full: what comes next must not be saved by itself."""
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    node = store.register(c.Node(name="a"))
    with pytest.raises(errors.TransactionError, match="lost"), store.transaction():  # noqa: PT012
        node.name = "b"
        store.register(node)
        store.inside.here().conn.connection.dbapi_connection.rollback()
        with pytest.raises(errors.TransactionError, match="lost"):
            store.register(c.Node(name="other"))
    assert node.version == 1
    assert len(store.revisions()) == 1
    assert store.register(node).version == 2


@pytest.mark.parametrize("how", ["done", "rolled back", "open yet"])
def test_a_commit_that_fails_says_what_is_so(tmp_path: Path, how: str) -> None:
    store = failing_store(tmp_path / "a.db")
    node = store.register(c.Node(name="a"))
    other = c.Node(name="other")
    node.name = "b"
    with pytest.raises(errors.StorageError) as caught, store.transaction():  # noqa: PT012
        store.register(node)
        store.register(other)
        Failing.how, Failing.code = how, "SQLITE_IOERR_FSYNC"
    saved = how == "done"
    assert caught.value.saved is saved
    assert versions_of([node, other]) == [1 + saved, int(saved)]
    anew = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    assert len(anew.revisions()) == 1 + saved
    assert len(anew.verify()) == 0
    store.register([node, other])
    assert versions_of([node, other]) == [2, 1]


in_main_thread = pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="signals need the main thread"
)


@in_main_thread
def test_an_interrupt_in_the_block_is_told_there(reopen: Open) -> None:
    store = reopen()
    node = store.register(c.Node(name="a"))
    rounds = 0
    with pytest.raises(KeyboardInterrupt), store.transaction():  # noqa: PT012 - a loop of a user
        for rounds in range(1_000):
            node.name = f"{rounds}"
            store.register(node)
            if rounds == 2:
                signal.raise_signal(signal.SIGINT)
    assert rounds == 2
    assert node.version == 1
    assert len(reopen().revisions()) == 1
    assert reopen().register(c.Node()).version == 1, "nothing is held"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@in_main_thread
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # in a generator's end
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_an_interrupt_anywhere_in_the_block(kind: str, tmp_path: Path) -> None:
    """The block is carried out or taken back, as versions say, and nothing is held."""
    store: Any = ev.InMemoryEntityStorage()
    if kind == "sqlite":
        store = ev.SQLAlchemyEntityStorage(":memory:")
    node = store.register(c.Node(name="a"))

    def block() -> None:
        with store.transaction():
            node.name += "x"
            store.register(node)

    ways = {True: 0, False: 0}
    for at in itertools.count(0, 3 if kind == "memory" else 53):
        before, version = len(store.revisions()), node.version
        told = interrupted_at(at, block)
        if told is None:
            break
        carried_out = len(store.revisions()) > before
        ways[carried_out] += 1
        assert node.version == version + carried_out, at
        assert store.get(node.ecs_id).version == node.version
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert in_thread(lambda: store.register(c.Stone())).version == 1, "nothing is held"
    assert min(ways.values()) > 2


def interrupted_at(at: int, call: Callable[[], None]) -> bool | None:
    """Call with an interrupt at a line of ours; tell whether it was told, None if it is over."""
    lines = 0

    def trace(frame: Any, event: str, _: Any) -> Any:
        nonlocal lines
        if "/ecsviz/storage/" not in frame.f_code.co_filename:
            return None
        if event in ("line", "call"):
            lines += 1
            if lines == at + 1:
                sys.settrace(None)
                signal.raise_signal(signal.SIGINT)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return None if lines <= at else False


# -- processes, files and sessions -----------------------------------------------------------


def test_where_there_is_no_file_yet(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = ev.SQLAlchemyEntityStorage(path)
    with store.transaction():
        assert store.list_by_type(c.Node) == []
    assert not path.exists()
    node = c.Node(name="a")
    with contextlib.suppress(LeftError), store.transaction():
        store.register(node)
        assert store.get(node.ecs_id).name == "a"
        raise LeftError
    assert (node.version, len(store.revisions())) == (0, 0)
    other = ev.SQLAlchemyEntityStorage(path)
    other.register(c.Node(name="by another"))  # which makes the store
    with store.transaction():
        store.register(node)
    assert len(store.revisions()) == 2
    assert node.version == 1


def test_types_of_a_block_that_was_left_are_not_there(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    store.register(c.Node(name="a"))
    with contextlib.suppress(LeftError), store.transaction():
        store.register([c.Stone(), c.thread(1)])
        raise LeftError
    assert [each.name for each in store.inside.classes()] == ["Node"]
    with store.transaction():
        store.register(c.Stone())
    assert store.register(c.Stone()).version == 1
    assert len(ev.SQLAlchemyEntityStorage(tmp_path / "a.db").verify()) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.parametrize("way_out", ["os._exit(7)", "sys.exit(7)"])
def test_a_fork_in_the_block(tmp_path: Path, way_out: str) -> None:
    """The child has no part in it, and does not disturb it."""
    code = """
        import os, sys, warnings
        import ecsviz as ev
        from ecsviz import errors
        warnings.simplefilter("ignore", DeprecationWarning)
        store = ev.SQLAlchemyEntityStorage(sys.argv[1])
        thread = store.register(ev.ChatThread(title="a"))
        with store.transaction():
            thread.title = "b"
            store.register(thread)
            child = os.fork()
            if not child:
                try:
                    store.register(ev.ChatThread(title="child"))
                except errors.ForkedStorageError:
                    WAY_OUT
                os._exit(1)
            told = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            thread.source = "c"
            store.register(thread)
        again = ev.SQLAlchemyEntityStorage(sys.argv[1])
        found = again.get(thread.ecs_id)
        print(told, found.title, found.source, len(again.revisions()), len(again.verify()))
    """
    code = textwrap.dedent(code).replace("WAY_OUT", way_out)
    command = [sys.executable, "-c", code, str(tmp_path / "a.db")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["7", "b", "c", "2", "0"]


def test_sessions_do_not_join(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(":memory:")
    node = store.register(c.Node(name="a"))
    with store.transaction():
        node.name = "b"
        store.register(node)
        with store.session_factory() as session, pytest.raises(errors.StorageBusyError):
            session.execute(sa.text("SELECT 1"))
    assert store.get(node.ecs_id).name == "b"


def test_statements_do_not_grow_with_the_block(tmp_path: Path) -> None:
    """What a transaction adds to each call, and at its end, is the same for all sizes."""
    store = ev.SQLAlchemyEntityStorage(":memory:")
    store.register(c.Node(name="a"))

    def block(calls: int, size: int) -> int:
        with counted() as seen, store.transaction():
            for _ in range(calls):
                store.register([c.Node() for _ in range(size)])
        return len(seen)

    one, two, three = (block(n, 1) for n in (1, 2, 3))
    assert three - two == two - one
    assert block(1, 50) == one
