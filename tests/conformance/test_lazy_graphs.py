"""Lazy reading: placeholders that load on first touch, from the state that was read first."""

from __future__ import annotations

import contextlib
import copy
import gc
import inspect
import itertools
import os
import pickle
import random
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import matplotlib.pyplot as plt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, PrivateAttr, TypeAdapter
from pydantic_core import PydanticSerializationError, to_json

import ecsviz as ev
from ecsviz import draw, errors
from ecsviz.domain.objects import is_lazy, is_placeholder, take_states
from ecsviz.domain.walk import walk
from ecsviz.isomorphic import find_difference
from ecsviz.storage.lazy_reading import BATCH
from tests.conformance import classes as c
from tests.conformance.conftest import KINDS, OPENERS, Open
from tests.conformance.test_agreement import CHOICES, VALUES, Story
from tests.databases import copied, counted, execute


def loaded(entities: Any) -> list[bool]:
    return [not is_placeholder(entity) for entity in entities]


def load_all(roots: list[Any]) -> None:
    """Touch all that some entities lead to."""
    while left := [e for e in walk(roots, strict=False).entities if is_placeholder(e)]:
        for entity in left:
            assert entity.version > 0


@pytest.fixture(autouse=True)
def _no_figures() -> Iterator[None]:
    yield
    plt.close("all")


# -- what is loaded, and when ------------------------------------------------------------------


def test_a_list_is_loaded_when_one_of_it_is_touched(reopen: Open) -> None:
    thread = reopen().register(c.thread(4))
    read = reopen().get(thread.ecs_id, lazy=True)
    assert (read.title, read.messages) == (thread.title, thread.messages)
    assert loaded(read.messages) == [False] * 4
    assert read.messages[2].text == "2"
    assert loaded(read.messages) == [True] * 4
    assert all(message.thread is read for message in read.messages)
    assert read.messages[1].parent is read.messages[0]
    assert read.messages[0].replies[0] is read.messages[1]
    assert find_difference(thread, read) is None


def test_every_reader_is_lazy(reopen: Open) -> None:
    thread = reopen().register(c.thread(3))
    ids = [message.ecs_id for message in thread.messages]
    one, two = reopen().get_many(ids[:2], lazy=True)
    assert two.parent is one
    assert one.thread is two.thread
    assert is_placeholder(one.thread)
    assert one.thread.title == "t"
    assert loaded(one.thread.messages) == [True, True, False]
    (last,) = reopen().find(c.Message, text="2", lazy=True)
    assert is_placeholder(last.parent)
    assert last.parent.parent.text == "0"
    assert last.parent.replies == [last]
    assert last.parent.replies[0] is last
    store = reopen()
    for found in (
        store.first(c.Message, text="1", lazy=True),
        store.one(c.Message, text="1", lazy=True),
        next(store.iterate(c.Message, text="1", lazy=True)),
    ):
        assert is_placeholder(found.thread)
        assert loaded(found.thread.messages) == [False, True, False]
        assert found.thread.messages[2].parent is found


def test_the_edge_is_loaded_by_class(reopen: Open) -> None:
    nodes = [c.Node(name=str(n), next=c.Node(name=f"next of {n}")) for n in range(5)]
    threads = [c.thread(2, title=str(n)) for n in range(3)]
    reopen().register([*nodes, *threads])
    ids = [entity.ecs_id for entity in (*nodes, *threads)]
    read = reopen().get_many(ids, lazy=True)
    held = [node.next for node in read[:5]]
    lists = [thread.messages for thread in read[5:]]
    assert held[3].name == "next of 3"
    assert loaded(held) == [True] * 5
    assert [loaded(messages) for messages in lists] == [[False] * 2] * 3
    assert lists[1][0].text == "0"
    assert [loaded(messages) for messages in lists] == [[True] * 2] * 3


def test_the_edge_is_loaded_in_batches(reopen: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecsviz.storage.lazy_reading.BATCH", 4)
    nodes = [c.Node(name=str(n), next=c.Node()) for n in range(9)]
    threads = [c.thread(3) for n in range(3)]
    top = c.Node(links=[c.Node() for _ in range(6)])
    reopen().register([*nodes, *threads, top])
    ids = [entity.ecs_id for entity in (*nodes, *threads, top)]
    read = reopen().get_many(ids, lazy=True)
    held = [node.next for node in read[:9]]
    assert held[8].name == ""
    assert sum(loaded(held)) <= 4
    assert not is_placeholder(held[8])
    lists = [thread.messages for thread in read[9:12]]
    assert lists[0][2].text == "2"
    assert list(map(loaded, lists)) == [[True] * 3, [False] * 3, [False] * 3]
    assert read[12].links[0].name == ""
    assert loaded(read[12].links) == [True] * 6, "a list is loaded as a whole"
    for entity in (*held, *lists[1], *lists[2]):
        assert entity.version == 1


@pytest.mark.parametrize(
    "name", ["links", "row", "group", "fixed", "by_name", "by_pair", "lists", "grid", "mapping"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_every_container_is_loaded_as_a_whole(
    kind: str, name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    reopen = OPENERS[kind](tmp_path, request)
    a, b, far = c.Node(name="a"), c.Node(name="b"), c.Node(name="far")
    b.next = far
    values: dict[str, Any] = {
        **{key: [a, b, a] for key in ("links", "row")},
        **{key: {a, b} for key in ("group", "fixed")},
        **{key: {"x": a, "y": b} for key in ("by_name", "mapping")},
        "by_pair": {(1, "x"): a, (2, "y"): b},
        "lists": {"x": [a], "y": [b, b]},
        "grid": [[a, None], [b]],
    }
    top = reopen().register(c.Node(**{name: values[name]}))
    read = reopen().get(top.ecs_id, lazy=True)
    held = {r.target.name: r.target for r in walk([top])} | {"far": far}
    found = {r.target.ecs_id: r.target for r in walk([read])}
    assert loaded(found.values()) == [False] * 2
    assert found[a.ecs_id].name == "a"
    assert loaded(found.values()) == [True] * 2
    assert is_placeholder(found[b.ecs_id].next)
    assert found[b.ecs_id].next.name == held["far"].name
    assert find_difference(top, read) is None


def test_a_list_of_several_classes_is_loaded_as_a_whole(reopen: Open) -> None:
    dog = c.Dog(name="Rex", friend=c.Animal(name="Cat"))
    shelf = c.Shelf(keeper=dog, things=[c.Stone(weight=1.0), dog, c.Puppy(mother=dog)])
    reopen().register(shelf)
    read = reopen().get(shelf.ecs_id, lazy=True)
    assert read.things[1] is read.keeper
    assert loaded(read.things) == [False] * 3
    assert read.things[0].weight == 1.0
    assert loaded(read.things) == [True] * 3
    assert find_difference(shelf, read) is not None, "the cat is not loaded"
    load_all([read])
    assert find_difference(shelf, read) is None


class Anything(ev.Entity):
    """Holds entities that have no fields of their own."""

    held: list[ev.Entity] = []


def test_entities_without_a_class_of_their_own(reopen: Open) -> None:
    made = reopen().register(Anything(held=[ev.Entity(), Anything()]))
    read = reopen().get(made.ecs_id, lazy=True)
    assert loaded(read.held) == [False, False]
    assert read.held[0].version == 1
    assert find_difference(made, read) is None


def test_setting_a_field_loads_the_others(reopen: Open) -> None:
    thread = reopen().register(c.thread(2))
    read = reopen().get(thread.ecs_id, lazy=True)
    read.messages[0].text = "edited"
    assert loaded(read.messages) == [True, True]
    assert read.messages[0].thread is read
    reopen().register(read)
    assert [m.text for m in reopen().get(thread.ecs_id).messages] == ["edited", "1"]
    assert [m.version for m in reopen().get(thread.ecs_id).messages] == [2, 1]


# -- one state ---------------------------------------------------------------------------------


def test_what_others_write_is_not_seen(reopen: Open) -> None:
    thread = reopen().register(c.thread(3))
    before = copy.deepcopy(thread)
    read = reopen().get(thread.ecs_id, lazy=True)
    late = reopen().get(thread.messages[0].ecs_id, lazy=True)
    thread.title = "theirs"
    thread.messages[1].text = "theirs"
    thread.messages.append(c.Message(thread=thread, text="new"))
    reopen().register(thread)
    thread.messages[0].replies.clear()
    thread.messages[1].parent = None
    reopen().register(thread)
    reopen().delete(thread.messages[0])
    thread = reopen().get(thread.ecs_id)
    load_all([read, late])
    for found in (read, late.thread):
        assert [m.text for m in found.messages] == ["0", "1", "2"]
        assert find_difference(before, found) is None
    now = reopen().get(thread.ecs_id, lazy=True)
    load_all([now])
    assert find_difference(thread, now) is None


def test_as_of_a_revision(reopen: Open) -> None:
    thread = reopen().register(c.thread(2))
    then = copy.deepcopy(thread)
    thread.messages[0].text = "edited"
    reopen().register(thread)
    for revision, state in ((1, then), (2, thread)):
        read = reopen().get(thread.ecs_id, lazy=True, as_of=revision)
        (found,) = reopen().find(c.Thread, lazy=True, as_of=revision)
        load_all([read, found])
        assert find_difference(state, read) is None
        assert find_difference(state, found) is None


@pytest.mark.parametrize("fails", [False, True], ids=["kept", "undone"])
def test_what_is_touched_in_a_transaction_is_as_it_was_before(reopen: Open, fails: bool) -> None:
    store = reopen()
    thread, other = store.register([c.thread(3), c.thread(1)])
    read, mine = store.get_many([thread.ecs_id, other.ecs_id], lazy=True)
    later = store.get(thread.ecs_id, lazy=True)
    with contextlib.suppress(ZeroDivisionError), store.transaction(note="both"):
        thread.messages[0].text = "changed"
        store.register(thread)
        mine.messages[0].text = "of mine"
        store.register(mine)
        assert [m.text for m in read.messages] == ["0", "1", "2"]
        with pytest.raises(errors.TransactionError, match="lazy=True"):
            store.get(thread.ecs_id, lazy=True)
        _ = 1 // (not fails)
    assert [m.text for m in later.messages] == ["0", "1", "2"]
    now = [m.text for e in (thread, other) for m in reopen().get(e.ecs_id).messages]
    assert now == (["0", "1", "2", "0"] if fails else ["changed", "1", "2", "of mine"])


class Life:
    """A store that others write to, and lazy readings of it that are touched meanwhile."""

    def __init__(self, store: Any, seed: int) -> None:
        self.story = Story(store, seed)
        self.store = store
        self.readings: list[tuple[int, list[Any]]] = []

    @property
    def newest(self) -> int:
        return len(self.story.past) - 1

    def write(self, r: random.Random) -> None:
        self.story.go_on(r.choice(["grow", "delete", "add_again", "revert"]))

    def read(self, r: random.Random) -> None:
        revision = r.choice([self.newest, self.newest, r.randint(1, self.newest)])
        then = self.story.past[revision]
        ids = r.sample(list(then), min(len(then), r.randint(1, 3)))
        options: dict[str, Any] = {"lazy": True, "hops": r.choice([None, 0, 1, 2])}
        if r.random() < 0.2:
            options["only"] = [type(then[r.choice(ids)])]
        if revision != self.newest or r.random() < 0.2:
            options["as_of"] = revision
        if r.random() < 0.3:
            cls = type(then[ids[0]])
            roots = self.store.find(cls, limit=2, **options)
        else:
            roots = self.store.get_many(ids, **options)
        self.readings.append((revision, roots))

    def touch(self, r: random.Random) -> None:
        for _, roots in self.readings:
            entity = r.choice(roots)
            for _ in range(r.randint(1, 5)):
                held = list(walk([entity], strict=False).entities[1:9])
                if not held:
                    break
                entity = r.choice(held)
                name = r.choice([n for n in type(entity).model_fields if n != "ecs_id"])
                getattr(entity, name)

    def edit(self, r: random.Random) -> None:
        """Edit and register what was loaded of a reading of the newest revision."""
        current = [reading for reading in self.readings if reading[0] == self.newest]
        if not current:
            return
        reading = r.choice(current)
        self.readings.remove(reading)
        entities = walk(reading[1]).entities
        before = loaded(entities)
        entity = r.choice([e for e in entities if not is_placeholder(e)])
        name = r.choice(VALUES[type(entity)])
        setattr(entity, name, copy.copy(r.choice(CHOICES[name])))
        self.store.register(reading[1])
        assert loaded(walk(reading[1]).entities) == before
        self.store.refresh(self.story.live)
        self.story.saved()
        there = self.store.get(entity.ecs_id, hops=0)
        assert getattr(there, name) == getattr(entity, name)

    def check(self) -> None:
        """Load the rest: it is what was stored, wholly, and one object for each entity."""
        for revision, roots in self.readings:
            load_all(roots)
            found = walk(roots).entities  # strict: no two objects have one id
            expected = self.store.get_many([e.ecs_id for e in roots], as_of=revision)
            assert find_difference(expected, roots) is None
            then = self.story.past[revision]
            assert find_difference([then[e.ecs_id] for e in found], found) is None


STEPS = st.lists(
    st.sampled_from(["write", "read", "touch", "touch", "edit"]), min_size=2, max_size=9
)


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_touched_whenever_it_is_one_state(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    @settings(
        max_examples={"memory": 30, "sqlite": 8, "postgresql": 3}[kind],
        deadline=None,
        database=None,
    )
    @given(seed=st.integers(0, 10_000), steps=STEPS)
    @example(seed=1, steps=["read", "touch", "write", "touch", "edit", "read", "edit"])
    def lives(seed: int, steps: list[str]) -> None:
        store = ev.SQLAlchemyEntityStorage(":memory:") if kind == "sqlite" else None
        life = Life(store or OPENERS[kind](tmp_path, request)(), seed)
        r = random.Random(seed)
        life.read(r)
        for step in steps:
            getattr(life, step)(r)
        life.check()

    lives()


# -- one object --------------------------------------------------------------------------------


def test_readings_are_apart_and_their_objects_are_held_weakly(reopen: Open) -> None:
    thread = reopen().register(c.thread(2))
    far = reopen().register(c.Node(next=c.Node(name="far")))
    (one, rest), (two,) = (reopen().get_many(i, lazy=True) for i in ([thread, far], [thread]))
    assert one.messages[0].thread is one
    assert is_placeholder(rest.next), "so that there is a reading yet"
    assert two.messages[0].thread is two
    assert one.messages[0] is not two.messages[0]
    held = [weakref.ref(entity) for entity in (one, *one.messages)]
    del one
    gc.collect()
    assert [ref() for ref in held] == [None] * 3
    assert rest.next.name == "far"
    read = weakref.ref(two)
    del two
    gc.collect()
    assert read() is None


def test_placeholders_keep_their_store(tmp_path: Path) -> None:
    thread = ev.SQLAlchemyEntityStorage(tmp_path / "a.db").register(c.thread(2))
    for target in (tmp_path / "a.db", ":memory:"):
        store = ev.SQLAlchemyEntityStorage(target)
        store.register(copy.deepcopy(thread))
        read = store.get(thread.ecs_id, lazy=True)
        del store
        gc.collect()
        assert read.messages[1].text == "1"


# -- what loads nothing ------------------------------------------------------------------------


def _complete(read: Any) -> None:
    """Ask IPython's completer, with jedi and without, for what stands behind placeholders."""
    from IPython.core.completer import provisionalcompleter
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    shell.user_ns.update(read=read, message=read.messages[0])
    for use_jedi in (True, False):
        shell.Completer.use_jedi = use_jedi
        for text in ("message.", "message.t", "read.messages[0].", "message.thread.", "read.me"):
            with provisionalcompleter():
                found = {item.text for item in shell.Completer.completions(text, len(text))}
            assert "ecs_id" in str(found) or text != "message."
    for value in (read, read.messages[0], read.messages, {"x": read.messages[0]}):
        shell.display_formatter.format(value)
    shell.inspector.info(read.messages[0])
    shell.inspector.info(read.messages[0], detail_level=1)


class Plain(BaseModel):
    who: c.Message | None = None


def _refused(call: Callable[[], Any]) -> None:
    with pytest.raises(errors.NotLoadedError, match="not loaded yet"):
        call()


def _not_dumped(who: Any) -> None:
    """By pydantic itself: where it stands in a plain model, and in whatever else it dumps."""
    kinds: list[Any] = [c.Message, list[c.Message], c.Thread | c.Message, dict[str, c.Message]]
    values = [who, [who], who, {"a": who}]
    calls = [partial(Plain(who=who).model_dump, mode=mode) for mode in ("python", "json")]
    calls += [Plain(who=who).model_dump_json, partial(to_json, who), partial(to_json, [who])]
    for kind, value in zip(kinds, values, strict=True):
        adapter = TypeAdapter(kind)
        calls += [partial(adapter.dump_python, value), partial(adapter.dump_json, value)]
    for call in calls:
        with pytest.raises(PydanticSerializationError, match=f"{who.ecs_id}. is not loaded yet"):
            call()


QUIET: dict[str, Callable[[Any, Any, Any], Any]] = {
    "repr": lambda store, read, m: (repr(m), str(m), repr([m]), repr(read), f"{m}"),
    "html": lambda store, read, m: (m._repr_html_(), read._repr_html_()),
    "rich": lambda store, read, m: list(m.__rich_repr__()),
    "dir": lambda store, read, m: (dir(m), vars(m), m.model_fields_set),
    "unknown names": lambda store, read, m: [
        hasattr(m, name) for name in ("_ipython_display_", "_repr_mimebundle_", "shape", "__len__")
    ],
    "jupyter": lambda store, read, m: _complete(read),
    "equality": lambda store, read, m: (m == read, m in {m, read}, m in read.messages, hash(m)),
    "equality of models": lambda store, read, m: Plain(who=m) == Plain(who=copy.copy(m)),
    "validation": lambda store, read, m: (Plain(who=m), c.Message(thread=read, parent=m)),
    "walk": lambda store, read, m: walk([read]),
    "graph of a placeholder": lambda store, read, m: ev.EntityDependencyGraph(m),
    "diff": lambda store, read, m: ev.diff(read, copy.deepcopy(read)),
    "isomorphic": lambda store, read, m: find_difference(read, copy.deepcopy(read)),
    "diff with the store": lambda store, read, m: store.diff(read),
    "register": lambda store, read, m: store.register(read),
    "register a placeholder": lambda store, read, m: store.register(m),
    "has": lambda store, read, m: (store.has_entity(m.ecs_id), store.history(m), store.get(m)),
    "fork": lambda store, read, m: read.fork(),
    "fork of some": lambda store, read, m: read.fork(only=[c.Thread]),
    "fork of all": lambda store, read, m: _refused(lambda: read.fork(deep=True)),
    "fork of a placeholder": lambda store, read, m: _refused(m.fork),
    "copy": lambda store, read, m: (copy.copy(m), m.model_copy(), read.model_copy()),
    "deepcopy": lambda store, read, m: (copy.deepcopy(m), copy.deepcopy(read)),
    "pickle": lambda store, read, m: pickle.loads(pickle.dumps([read, m])),
    "dump": lambda store, read, m: _refused(read.model_dump),
    "dump as JSON": lambda store, read, m: _refused(read.model_dump_json),
    "dump of a placeholder": lambda store, read, m: _refused(m.model_dump),
    "dump by pydantic": lambda store, read, m: _not_dumped(m),
    "to_frames": lambda store, read, m: _refused(lambda: ev.to_frames(read)),
}


@pytest.mark.parametrize("what", list(QUIET))
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_nothing_is_loaded_by_accident(
    kind: str, what: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    store = OPENERS[kind](tmp_path, request)()
    thread = store.register(c.thread(2))
    read = store.get(thread.ecs_id, lazy=True)
    with counted() as statements:
        QUIET[what](store, read, read.messages[0])
    assert loaded(read.messages) == [False, False]
    if "store" not in what and "register" not in what and what != "has":
        assert statements == []
    assert read.messages[0].text == "0", "and it can be loaded yet"
    assert loaded(read.messages) == [True, True]


def test_copies_and_pickles_stay_as_they_are(reopen: Open) -> None:
    thread = reopen().register(c.thread(2))
    read = reopen().get(thread.ecs_id, lazy=True)
    for other in (copy.deepcopy(read), pickle.loads(pickle.dumps(read))):
        with pytest.raises(errors.NotLoadedError, match="was left out"):
            _ = other.messages[0].text
    with pytest.raises(errors.NotLoadedError, match="was left out"):
        _ = copy.copy(read.messages[0]).text
    assert read.fork().messages[0] is read.messages[0]
    part = reopen().get(thread.ecs_id, hops=0)
    with pytest.raises(errors.NotLoadedError, match="was left out"):
        _ = part.messages[0].text


class Rich(ev.Entity):
    """Has what a model has besides fields."""

    name: str = "a"
    tags: list[str] = ["x"]
    next: Rich | None = None
    _count: int = PrivateAttr(default=4)

    @cached_property
    def fixed(self) -> int:
        return 42

    @cached_property
    def loud(self) -> str:
        return self.name.upper()

    @property
    def low(self) -> str:
        return self.name.lower()


Rich.model_rebuild()


def _set(entity: Any, name: str, value: Any) -> Any:
    setattr(entity, name, value)
    return getattr(entity, name)


def _deleted(entity: Any, name: str) -> Any:
    delattr(entity, name)
    return hasattr(entity, name) and getattr(entity, name)


WHOLE: dict[str, Callable[[Any], Any]] = {
    "model_copy": lambda e: e.model_copy(update={"name": "b"}).__getstate__(),
    "deep model_copy": lambda e: dict(e.model_copy(update={"name": "b"}, deep=True)),
    "replace": lambda e: e.__replace__(name="b").__getstate__(),
    "dict": dict,
    "iteration": list,
    "construct": lambda e: dict(Rich.model_construct(**dict(e))),
    "cached": lambda e: e.loud,
    "property": lambda e: e.low,
    "private": lambda e: e._count,
    "setting a private attribute": lambda e: _set(e, "_count", 5),
    "setting": lambda e: _set(e, "name", "b"),
    "deleting": lambda e: _deleted(e, "name"),
    "deleting a private attribute": lambda e: _deleted(e, "_count"),
    "an instance of its own": lambda e: Rich.model_validate(dict(e)).__getstate__(),
}


@pytest.mark.parametrize("what", list(WHOLE))
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_placeholder_gives_the_whole_entity_or_an_error(
    kind: str, what: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    store = OPENERS[kind](tmp_path, request)()
    made = store.register(Rich(name="top", next=Rich(next=Rich())))
    lazy, whole = (store.get(made.ecs_id, lazy=lazy).next for lazy in (True, False))
    part = store.get(made.ecs_id, hops=0).next
    assert lazy.fixed == 42, "what looks at no field loads nothing, nor makes whole"
    assert is_lazy(lazy)
    assert WHOLE[what](lazy) == WHOLE[what](whole)
    of_lazy, of_whole = (
        {k: v for k, v in e if k in Rich.model_fields and k != "next"} for e in (lazy, whole)
    )
    assert of_lazy == of_whole
    assert lazy.next == whole.next
    assert lazy.__pydantic_private__ == whole.__pydantic_private__
    copies = [copy.copy(part), copy.deepcopy(part), pickle.loads(pickle.dumps(part))]
    fresh = store.get(made.ecs_id, lazy=True).next
    copies += [copy.copy(fresh), copy.deepcopy(fresh), pickle.loads(pickle.dumps(fresh))]
    copies += [fresh.model_copy(), fresh.model_copy(deep=True)]
    assert is_placeholder(fresh)
    for entity in (part, *copies):
        assert entity.fixed == 42
        with pytest.raises(errors.NotLoadedError, match="was left out"):
            WHOLE[what](entity)
        assert is_placeholder(entity)
        assert entity.__pydantic_private__ is None
        assert entity == whole
        assert repr(entity) == repr(fresh)


def test_what_a_placeholder_has_computed_changes_nothing(reopen: Open) -> None:
    made = reopen().register(Rich(name="top", next=Rich(name="b")))
    for options in ({"hops": 0}, {"lazy": True}):
        read = reopen().get(made.ecs_id, **options)
        assert read.next.fixed == 42
        read.name = f"edited {options}"
        assert reopen().register(read) is read
        assert is_placeholder(read.next)
        assert "not loaded" in repr(read.next)
        assert reopen().get(made.ecs_id).next.name == "b"
    assert read.next.name == "b"
    assert find_difference(read, reopen().get(made.ecs_id)) is None


# -- saving ------------------------------------------------------------------------------------


def test_registering_writes_what_was_edited_alone(reopen: Open) -> None:
    thread = reopen().register(c.thread(3))
    far = reopen().register(c.thread(2, title="far"))
    read, other = reopen().get_many([thread.ecs_id, far.ecs_id], lazy=True)
    assert reopen().register([read, other]).__len__() == 2
    assert len(reopen().revisions()) == 2, "nothing has changed"
    read.title = "renamed"
    reopen().register([read, other])
    assert loaded(read.messages + other.messages) == [False] * 5
    read.messages[1].text = "edited"
    read.messages.append(c.Message(thread=read, text="new"))
    reopen().register(read)
    last = reopen().revisions().iloc[-1]
    assert (last["added"], last["changed"], last["deleted"]) == (1, 2, 0)
    again = reopen().get(thread.ecs_id)
    assert find_difference(again, read) is None
    assert [m.version for m in again.messages] == [1, 2, 1, 1]
    assert is_placeholder(other.messages[0]) or other.messages[0].text == "0"


class Shelves(ev.Entity):
    values: list[c.Values] = []


EDITS: dict[str, Callable[[Any], Any]] = {
    "a value": lambda v: setattr(v, "integer", 7),
    "a list": lambda v: v.listed.append(3),
    "a dict": lambda v: v.keyed.update({1: "b"}),
    "a set": lambda v: v.unique.add("b"),
    "nested": lambda v: v.nested["a"][0].update(x=2.0),
    "a model": lambda v: setattr(v.point, "x", 5),
    "a list of models": lambda v: setattr(v.points[0], "y", 5.0),
    "a dataclass": lambda v: v.span.names.append("z"),
    "anything": lambda v: v.anything["a"].append(1),
}


@pytest.mark.parametrize("moved", [False, True], ids=["as it is", "others have written"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_edit_of_what_was_loaded_later_is_missed(
    kind: str, moved: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    store = OPENERS[kind](tmp_path, request)()
    for edit in EDITS.values():
        values = [
            c.Values(
                listed=[1],
                keyed={1: "a"},
                unique={"a"},
                nested={"a": [{"x": 1.0}]},
                point=c.Point(x=1),
                points=[c.Point(x=2)],
                span=c.Span(1, ["a"]),
                anything={"a": []},
            )
            for _ in range(2)
        ]
        made = store.register(Shelves(values=values))
        read = store.get(made.ecs_id, lazy=True)
        if moved:
            store.register(c.Node())
        assert read.values[0].integer == 0
        edit(read.values[0])
        store.register(read)
        again = store.get(made.ecs_id)
        assert find_difference(again, read) is None
        assert [v.version for v in again.values] == [2, 1]
        before = len(store.revisions())
        store.register(read)
        assert len(store.revisions()) == before


def test_saving_what_was_loaded_later_costs_what_changed(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    thread = store.register(c.thread(20))
    sent = []
    for options in ({}, {"lazy": True}):
        read = store.get(thread.ecs_id, **options)
        assert read.messages[3].text != "edited"
        for text in (read.messages[3].text, f"new {options}"):
            read.messages[3].text = text
            with counted() as statements:
                store.register(read)
            sent.append(len(statements))
    assert sent[2:] == sent[:2]
    assert sent[0] < 10


def test_a_conflict_is_told_as_ever(reopen: Open) -> None:
    thread = reopen().register(c.thread(3))
    read = reopen().get(thread.ecs_id, lazy=True)
    thread.messages[0].text = "theirs"
    reopen().register(thread)
    read.title = "mine"
    reopen().register(read)
    assert read.messages[0].text == "0"
    read.messages[0].text = "also mine"
    with pytest.raises(errors.StaleVersionError):
        reopen().register(read)
    again = reopen().get(thread.ecs_id)
    assert (again.title, again.messages[0].text) == ("mine", "theirs")
    reopen().refresh(read)
    assert find_difference(again, read) is None


def test_refreshing_makes_whole(reopen: Open) -> None:
    thread = reopen().register(c.thread(3))
    read = reopen().get(thread.ecs_id, lazy=True)
    held = read.messages[0]
    thread.title = "new"
    reopen().register(thread)
    assert reopen().refresh(read) is read
    assert read.messages[0] is held
    assert find_difference(thread, read) is None
    assert held.model_fields_set >= {"text"}
    held.model_fields_set.clear()
    assert read.messages[1].model_fields_set >= {"text"}, "each has its own"


def test_merging_makes_whole(reopen: Open) -> None:
    """What is not loaded yet would be read as it was, beside what is as it is now."""
    node = c.Node(name="a", next=c.Node(name="b", next=c.Node(name="c")), links=[c.Node(name="d")])
    thread, node = reopen().register([c.thread(3), node])
    one, two = reopen().get_many([thread.ecs_id, node.ecs_id], lazy=True)
    assert two.next.name == "b"
    deep, held = two.next.next, one.messages[1]
    thread.messages[1].text = "theirs"
    thread.messages.append(c.Message(thread=thread, text="new"))
    node.next.name, node.next.next.name, node.links = "B", "C", [node.next.next]
    reopen().register([thread, node])
    one.title, two.name, two.next.links = "mine", "mine", [two.next.next]
    assert reopen().merge([one, two]) == [one, two]
    assert (one.messages[1], two.next.next, two.links[0]) == (held, deep, deep)
    assert one.messages[1] is held
    assert two.next.next is two.links[0] is two.next.links[0] is deep
    assert [m.text for m in one.messages] == ["0", "theirs", "2", "new"]
    assert [two.name, two.next.name, deep.name] == ["mine", "B", "C"]
    assert all(loaded(walk([one, two]).entities))
    reopen().register([one, two])
    assert find_difference([one, two], reopen().get_many([one.ecs_id, two.ecs_id])) is None
    assert [e.version for e in (one, *one.messages)] == [3, 1, 2, 1, 1]


def test_what_is_made_whole_has_its_private_attributes(reopen: Open) -> None:
    rich = Rich(name="a", next=Rich(name="b", next=Rich(name="c")))
    looking = Looking(name="a", next=Looking(name="b", next=Looking(name="c")))
    made = reopen().register([rich, looking])
    for bring in ("refresh", "merge"):
        for options in ({"lazy": True}, {"hops": 0}):
            read = reopen().get_many([e.ecs_id for e in made], **options)
            getattr(reopen(), bring)(read)
            for entity in walk(read).entities:
                if bring == "merge" and options == {"hops": 0} and entity not in read:
                    assert is_placeholder(entity), "what was left out stays out"
                elif isinstance(entity, Rich):
                    assert entity._count == 4
                else:
                    assert entity._before == entity.name


# -- what cannot be read any more --------------------------------------------------------------


def _after(reopen: Open, change: Callable[[Any, Any], None]) -> tuple[Any, Any]:
    store = reopen()
    thread = store.register(c.thread(2))
    read = store.get(thread.ecs_id, lazy=True)
    thread.title = "next"
    reopen().register(thread)
    change(store, thread)
    return store, read


def test_what_was_pruned_is_told(reopen: Open) -> None:
    _, read = _after(reopen, lambda store, thread: store.prune())
    message = read.messages[0]
    for touch in (lambda: message.text, lambda: setattr(message, "text", "x")):
        with pytest.raises(errors.InvalidArgumentError, match=r"pruned.*Read it again: store\.get"):
            touch()
        assert is_placeholder(message)
    with pytest.raises(errors.InvalidArgumentError):
        hasattr(message, "text")
    read = reopen().get(read.ecs_id, lazy=True)
    reopen().prune()
    assert read.messages[0].text == "0", "the present is there"


def test_what_was_deleted_is_read_from_the_past(reopen: Open) -> None:
    _, read = _after(reopen, lambda store, thread: store.delete([thread, *thread.messages]))
    assert [m.text for m in read.messages] == ["0", "1"]


def test_a_closed_store_is_told(reopen: Open) -> None:
    _, read = _after(reopen, lambda store, thread: store.close())
    with pytest.raises(errors.StorageClosedError, match="Read it again"):
        _ = read.messages[0].text
    assert loaded(read.messages) == [False, False]


@pytest.mark.parametrize("how", ["gone", "another", "a new one"])
def test_a_file_that_is_gone_is_told(tmp_path: Path, how: str) -> None:
    path = tmp_path / "a.db"
    store = ev.SQLAlchemyEntityStorage(path)
    read = store.get(store.register(c.thread(2)).ecs_id, lazy=True)
    path.unlink()
    if how == "another":
        ev.SQLAlchemyEntityStorage(tmp_path / "b.db").register(c.thread(2))
        (tmp_path / "b.db").rename(path)
    elif how == "a new one":
        ev.SQLAlchemyEntityStorage(path).register(c.thread(2))
    with pytest.raises(errors.StorageMovedError, match="Read it again"):
        _ = read.messages[0].text
    assert loaded(read.messages) == [False, False]


@pytest.mark.parametrize("at", [None, 2], ids=["now", "as of"])
@pytest.mark.parametrize("later", [0, 1, 2])
def test_a_backup_that_was_put_back_is_told(tmp_path: Path, later: int, at: int | None) -> None:
    """It is the same store, and soon has another revision of the same number."""
    path = tmp_path / "a.db"
    store = ev.SQLAlchemyEntityStorage(path)
    thread = store.register(c.thread(3))
    copied(path, tmp_path / "backup.db")
    thread.messages[1].text = "gone with it"
    store.register(thread)
    read = store.get(thread.ecs_id, lazy=True, as_of=at)
    found = store.iterate(c.Message, batch=1, as_of=at)
    assert next(found).text == "0"
    copied(tmp_path / "backup.db", path)
    for number in range(later):
        other = ev.SQLAlchemyEntityStorage(path)
        theirs = other.get(thread.ecs_id)
        theirs.messages[1].text = f"theirs {number}"
        other.register(theirs)
    with pytest.raises(errors.StorageMovedError, match=r"backup.*Read it again: store\.get"):
        _ = read.messages[1].text
    assert loaded(read.messages) == [False] * 3
    with pytest.raises(errors.StorageMovedError, match="backup"):
        next(found)
    expected = f"theirs {later - 1}" if later else "1"
    assert store.get(thread.ecs_id, lazy=True).messages[1].text == expected


def test_what_cannot_be_read_stays_a_placeholder(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    thread = store.register(c.thread(2))
    read = store.get(thread.ecs_id, lazy=True)
    execute(tmp_path / "a.db", "UPDATE messages SET thread_id = 9 WHERE id = 2")
    with pytest.raises(errors.BrokenReferenceError, match="Read it again"):
        _ = read.messages[0].text
    assert loaded(read.messages) == [False, False]
    execute(tmp_path / "a.db", "UPDATE messages SET thread_id = 1 WHERE id = 2")
    assert [m.text for m in read.messages] == ["0", "1"]


@pytest.mark.parametrize("table", ["stones", "dogs", "nodes"])
def test_what_cannot_be_read_keeps_all_of_its_batch(tmp_path: Path, table: str) -> None:
    """Whether it is noticed before or after the others are made."""
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    dog, stone, node = c.Dog(name="Rex"), c.Stone(weight=1.0), c.Node(name="a")
    node.grid = [[node]]
    shelf = store.register(c.Shelf(keeper=dog, things=[stone, dog]))
    top = store.register(c.Node(links=[c.Node(name="b"), node]))
    read = store.get_many([shelf.ecs_id, top.ecs_id], lazy=True)
    held = [*read[0].things, *read[1].links]
    broken = {"stones": "weight", "dogs": "tricks", "nodes": "grid"}
    execute(tmp_path / "a.db", f"UPDATE {table} SET {broken[table]} = 'no'")
    with pytest.raises(errors.StoredDataInvalidError, match="Read it again"):
        _ = held[2].name if table == "nodes" else held[0].version
    assert loaded(held) == [False] * 4
    assert [sorted(entity.__dict__) for entity in held] == [["ecs_id"]] * 4


def test_a_state_is_whole_from_the_moment_it_is_seen(reopen: Open) -> None:
    """What other threads see while one loads: a placeholder that loads, or everything."""
    made = reopen().register(Looking(next=Looking(name="b")))
    entity = reopen().get(made.ecs_id, lazy=True).next
    whole = reopen().get(made.next.ecs_id)
    seen = []

    class Watched(list[Any]):
        def __iter__(self) -> Iterator[Any]:
            private = entity.__pydantic_private__
            seen.append(is_lazy(entity) or (len(entity.__dict__) > 2 and private is not None))
            return super().__iter__()

    take_states([entity], Watched([whole]))
    assert seen == [True] * len(seen)
    assert len(seen) > 3
    assert entity.name == "b"
    assert not is_lazy(entity)


@pytest.mark.parametrize("kind", ["memory", "engine"])
def test_an_interrupt_leaves_all_of_a_batch_or_nothing(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Wherever it comes: what is touched again is whole, and one object for each entity."""
    # Whatever ran before in this process, such as a kernel, may ignore interrupts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    store = OPENERS[kind](tmp_path, request)()
    thread = store.register(c.thread(3))
    interrupted, number = 0, 0
    while True:
        number += 1
        read = store.get(thread.ecs_id, lazy=True)
        left = number

        def enter(frame: FrameType, event: str, _: Any) -> None:
            nonlocal left
            here = frame.f_code.co_filename.endswith(("objects.py", "lazy_reading.py"))
            plain = event == "call" and not frame.f_code.co_flags & inspect.CO_GENERATOR
            if here and (plain or event in ("c_call", "c_return")):  # where Python looks for some
                left -= 1
                if left == 0:
                    signal.raise_signal(signal.SIGINT)

        sys.setprofile(enter)
        try:
            _ = read.messages[1].text
        except KeyboardInterrupt:
            interrupted += 1
        finally:
            sys.setprofile(None)
        if left > 0:
            break
        assert len(set(loaded(read.messages))) == 1
        load_all([read])
        assert find_difference([thread], walk([read]).entities[:1]) is None
        assert all(m.model_fields_set >= {"text", "replies"} for m in read.messages)
    assert interrupted > 10


# -- options -----------------------------------------------------------------------------------


def test_hops_are_loaded_at_once(reopen: Open) -> None:
    nodes = [c.Node(name=str(n)) for n in range(6)]
    for a, b in itertools.pairwise(nodes):
        a.next = b
    reopen().register(nodes[0])
    read: Any = reopen().get(nodes[0].ecs_id, hops=2, lazy=True)
    assert loaded([read, read.next, read.next.next]) == [True] * 3
    assert is_placeholder(read.next.next.next)
    load_all([read])
    assert find_difference(nodes[0], read) is None


def test_only_says_what_is_loaded_at_once(reopen: Open) -> None:
    dog = c.Dog(name="Rex", friend=c.Animal(name="Cat", friend=c.Dog(name="Far")))
    shelf = c.Shelf(keeper=dog, things=[c.Stone(weight=1.0), dog])
    reopen().register(shelf)
    read = reopen().get(shelf.ecs_id, only=[c.Animal], lazy=True)
    assert loaded([read.keeper, read.keeper.friend, read.keeper.friend.friend]) == [True] * 3
    assert loaded(read.things) == [False, True]
    assert read.things[0].weight == 1.0
    read = reopen().get(shelf.ecs_id, only=[c.Animal], hops=1, lazy=True)
    assert loaded([read.keeper, read.things[0]]) == [True, False]
    assert is_placeholder(read.keeper.friend)
    assert read.keeper.friend.name == "Cat"


@pytest.mark.parametrize("lazy", [None, 1, "yes", [], 0.5])
def test_lazy_is_true_or_false(reopen: Open, lazy: Any) -> None:
    node = reopen().register(c.Node())
    for call in (
        lambda: reopen().get(node.ecs_id, lazy=lazy),
        lambda: reopen().get_many([node.ecs_id], lazy=lazy),
        lambda: reopen().find(c.Node, lazy=lazy),
    ):
        with pytest.raises(errors.InvalidArgumentError, match="Give True to load"):
            call()
    for name, wrong in (("hops", -1), ("only", 3), ("as_of", 99)):
        with pytest.raises(errors.EcsvizError):
            reopen().get(node.ecs_id, lazy=True, **{name: wrong})
    with pytest.raises(errors.EntityNotFoundError):
        reopen().get(c.Node().ecs_id, lazy=True)
    assert reopen().get_many([], lazy=True) == reopen().find(c.Stone, lazy=True) == []


# -- what classes do of themselves -------------------------------------------------------------


class Looking(ev.Entity):
    """Looks at its neighbour when it is read: a chain of these would load a whole database."""

    name: str = ""
    next: Looking | None = None
    _before: str = PrivateAttr(default="nothing")
    _after: str = PrivateAttr()

    def model_post_init(self, _: Any) -> None:
        self._before = self.name
        if self.next is not None:
            self._after = self.next.name

    @cached_property
    def both(self) -> str:
        return f"{self.name}{self.next.name if self.next else ''}"


Looking.model_rebuild()


def test_what_a_post_init_looks_at_is_not_loaded(reopen: Open) -> None:
    last = Looking(name="c")
    first = last.next = Looking(name="a", next=Looking(name="b", next=last))
    reopen().register(first)
    read = reopen().get(first.ecs_id, lazy=True)
    assert is_placeholder(read.next)
    assert read._before == "a"
    with pytest.raises(errors.NotLoadedError, match="was not set"):
        _ = read._after
    assert is_placeholder(read.next)
    read._before = "of mine"
    assert read.next._before == "b", "a private attribute loads, too"
    assert is_placeholder(read.next.next)
    assert read.next.both == "bc"
    assert read.next.next.both == "ca"
    assert read.next.next._after == "a", "what is loaded may be looked at"
    assert read.next.next.next is read
    assert read._before == "of mine", "once is enough"


class Failing(ev.Entity):
    name: str = ""
    other: Failing | None = None

    def model_post_init(self, _: Any) -> None:
        if FAILS.on and self.name == "bad":
            raise RuntimeError("no")


FAILS = SimpleNamespace(on=False)
Failing.model_rebuild()


def test_a_post_init_that_fails_leaves_placeholders(reopen: Open) -> None:
    made = reopen().register(Failing(other=Failing(name="bad")))
    read = reopen().get(made.ecs_id, lazy=True)
    FAILS.on = True
    try:
        with pytest.raises(errors.StoredDataInvalidError, match="model_post_init"):
            _ = read.other.name
        assert is_placeholder(read.other)
    finally:
        FAILS.on = False
    assert read.other.name == "bad"


def test_a_class_that_was_defined_anew(reopen: Open) -> None:
    def define() -> Any:
        class Again(ev.Entity):
            name: str = ""
            next: Again | None = None

        Again.model_rebuild(_types_namespace={"Again": Again})
        return Again

    old = define()
    store = reopen()
    made = store.register(old(name="a", next=old(name="b", next=old(name="c"))))
    read = store.get(made.ecs_id, lazy=True)
    new = define()
    assert read.next.name == "b"
    assert type(read.next) is new
    assert type(read.next.next) in (old, new)
    assert read.next.next.name == "c"
    store.register(read)
    del old, new, made, read
    gc.collect()


def test_what_shows_a_chat_reads_its_messages() -> None:
    """A view of what messages say loads them as anybody does: the list of this chat, at once."""
    store = ev.SQLAlchemyEntityStorage(":memory:")
    threads = ev.read_chat(ev.samples.sample_file("chats"))
    store.register(threads)
    for show in (lambda t: t.explore(), draw.draw_timeline):
        first, second = store.get_many([t.ecs_id for t in threads[:2]], lazy=True)
        second.messages.clear()
        with counted() as statements:
            show(first)
        assert loaded(first.messages) == [True] * len(first.messages)
        assert len([s for s in statements if s.startswith("BEGIN")]) == 1


# -- threads and processes ---------------------------------------------------------------------


def _touch(read: Any, messages: list[Any], begin: threading.Barrier, found: list[bool]) -> None:
    begin.wait()
    found.append(all(m.text and m.thread is read and m.version == 1 for m in messages))


def test_threads_that_touch_at_once_load_once(reopen: Open) -> None:
    thread = reopen().register(c.thread(50))
    store = reopen()
    for _ in range(5):
        read = store.get(thread.ecs_id, lazy=True)
        messages, begin = list(read.messages), threading.Barrier(4)
        found: list[bool] = []
        with counted() as statements:
            workers = [
                threading.Thread(target=_touch, args=(read, messages[n:], begin, found))
                for n in (0, 11, 22, 33)
            ]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
        assert found == [True] * 4
        assert len([s for s in statements if "text" in s.partition("FROM")[0]]) <= 1
        assert find_difference(thread, read) is None


def test_a_thread_in_a_transaction_waits_for_nobody(reopen: Open) -> None:
    """Where all threads share one connection, or one lock, whoever has it goes on."""
    store = reopen()
    thread = store.register(c.thread(2))
    read = store.get(thread.ecs_id, lazy=True)
    with store.inside.one_state():
        other = threading.Thread(target=lambda: read.messages[1].text)
        other.start()
        other.join(0.2)
        assert read.messages[0].text == "0"
    other.join(20)
    assert not other.is_alive()
    assert find_difference(thread, read) is None


@pytest.mark.process
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_of_the_process_loads_by_itself(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    thread = store.register(c.thread(2))
    read = store.get(thread.ecs_id, lazy=True)
    child = os.fork()
    if child == 0:
        os._exit(0 if read.messages[1].text == "1" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert loaded(read.messages) == [False, False]
    assert read.messages[0].text == "0"


# -- how much is read --------------------------------------------------------------------------


@pytest.mark.scale
def test_touching_ten_neighbours_takes_few_statements(tmp_path: Path) -> None:
    """In a store of 20,000 messages, as in one of 200."""
    sent = {}
    for count in (200, 20_000):
        store = ev.SQLAlchemyEntityStorage(tmp_path / f"{count}.db")
        threads = [c.thread(10, title=str(n)) for n in range(count // 10)]
        store.register(threads, progress=False)
        with counted() as statements:
            read = store.get(threads[7].ecs_id, lazy=True)
        first = len(statements)
        with counted() as statements:
            assert [m.text for m in read.messages] == [str(n) for n in range(10)]
        held = walk([read]).entities
        sent[count] = first, len(statements), len(held)
        assert loaded(held) == [True] * 11
    assert sent[200] == sent[20_000] == (FIRST, TOUCHED, 11)


FIRST = TOUCHED = 9
"""Statements for a thread with its messages as placeholders, and for these."""


def test_statements_do_not_grow_with_what_is_touched(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    sent = []
    for count in (3, 300):
        threads = store.register([c.thread(count, title="x") for _ in range(3)])
        read = store.get_many([t.ecs_id for t in threads], lazy=True)
        with counted() as statements:
            for thread in read:
                assert sum(len(m.text) for m in thread.messages) >= count
        sent.append(len(statements))
    assert sent[0] == sent[1]


def test_the_edge_takes_a_statement_a_batch(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    nodes = store.register([c.Node(next=c.Node(name=str(n))) for n in range(2 * BATCH + 1)])
    read = store.get_many([node.ecs_id for node in nodes], lazy=True)
    with counted() as statements:
        assert [node.next.name for node in read] == [str(n) for n in range(2 * BATCH + 1)]
    assert len([s for s in statements if s.startswith("BEGIN")]) == 3


def test_short_lists_at_the_edge_are_loaded_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecsviz.storage.lazy_reading.BATCH", 20)
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    threads = store.register([c.thread(2) for _ in range(40)])
    read = store.get_many([thread.ecs_id for thread in threads], lazy=True)
    with counted() as statements:
        assert {message.text for thread in read for message in thread.messages} == {"0", "1"}
    assert len([s for s in statements if s.startswith("BEGIN")]) == 4
