"""Depth: random classes that hold each other, far down, are read by every method alike.

What must be told is not read from the store: it is what plain Python finds in live entities.
"""

from __future__ import annotations

import contextlib
import copy
import random
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import ecsviz as ev
from ecsviz import errors
from ecsviz.domain import walk as references
from ecsviz.domain.objects import is_placeholder
from ecsviz.isomorphic import find_difference
from ecsviz.storage.relational.load.load import MAX_ROUNDS
from ecsviz.storage.sql import statements
from ecsviz.widgets.store import explorer as shown_store
from tests.conformance import class_sets
from tests.conformance import classes as c
from tests.conformance.class_sets import Grown, Plan, class_set, held, plans, targets_of, within
from tests.conformance.conftest import OPENERS

SHAPES = ["chain", "ladder", "ring", "tree"]
OWN = ["ecs_id", "lineage_id", "parent_id", "version"]
EXAMPLES = {
    # Each makes classes and tables, and reads them in some hundred ways.
    "memory": 8,
    "sqlite": 7,
    "sqlite-wal": 1,
    "engine": 1,
    "postgresql": 4,
    "postgresql-copy": 1,
}


# -- what there is -----------------------------------------------------------------------------


def said(entity: Any) -> dict[str, Any]:
    """Return what an entity says, with ids for what it holds: comparable whatever it leads to."""
    return {name: plain(entity.__dict__.get(name)) for name in type(entity).model_fields}


def plain(value: Any) -> Any:
    if isinstance(value, ev.Entity):
        return value.ecs_id
    if isinstance(value, dict):
        return [(key, plain(part)) for key, part in value.items()]
    if isinstance(value, (list, tuple)):
        return [type(value), *map(plain, value)]
    if isinstance(value, set):
        return {plain(part) for part in value}
    return (type(value), plain(value.who)) if hasattr(value, "who") else value


def places(entities: Any) -> Counter[Any]:
    """Return every reference of live entities: source, field and target."""
    return Counter(
        (e.ecs_id, name, there.ecs_id)
        for e in entities
        for name in type(e).model_fields
        for there in held(e.__dict__.get(name))
    )


def by_id(entities: Any) -> dict[Any, Any]:
    return {e.ecs_id: e for e in entities}


class Readers:
    """Every way to read a store, each compared with live entities.

    Parameters
    ----------
    store
        The store.
    live
        All that is stored, or was as of a revision.
    as_of
        The revision; None for now.
    r
        Chooses which of many.
    """

    def __init__(self, store: Any, live: list[Any], as_of: int | None, r: random.Random) -> None:
        self.store, self.live, self.as_of, self.r = store, live, as_of, r
        self.by_id = by_id(live)
        self.classes = list(dict.fromkeys(kind for e in live for kind in kinds_of(e)))

    def check(self, few: bool = False) -> None:
        """Compare every way of reading, or a few of them."""
        ways = [self.check_whole, self.check_lists, self.check_hops, self.check_only]
        if hasattr(self.store, "frame"):
            ways += [self.check_frames, self.check_references, self.check_graph]
        for way in self.r.sample(ways, 2) if few else ways:
            way()

    def check_whole(self) -> None:
        """`get` of what leads to all, `get_many` of all in any order."""
        root, some = self.live[0], self.r.sample(self.live, len(self.live))
        self.same([root], [self.store.get(root.ecs_id, as_of=self.as_of)])
        self.same(some, self.store.get_many([e.ecs_id for e in some], as_of=self.as_of))

    def same(self, expected: list[Any], got: list[Any]) -> None:
        told = find_difference(expected, got)
        assert told is None, told

    def check_lists(self) -> None:
        """`list_by_type`, and `find` by a value and by what is held."""
        for cls in self.r.sample(self.classes, 1):
            expected = [e for e in self.live if isinstance(e, cls)]
            listed = self.store.list_by_type(cls, as_of=self.as_of)
            assert by_id(listed).keys() == by_id(expected).keys()
            self.same([self.by_id[e.ecs_id] for e in listed], listed)
        entity = self.r.choice(self.live)
        singles = [n for n in type(entity).model_fields if n.partition("_")[0] in SINGLES]
        for name in ["ecs_id", *self.r.sample(singles, min(1, len(singles)))]:
            cls = next(k for k in kinds_of(entity) if name in k.model_fields)
            value = getattr(entity, name)
            expected = [e for e in self.live if isinstance(e, cls) and getattr(e, name) == value]
            found = self.store.find(cls, as_of=self.as_of, **{name: value})
            assert by_id(found).keys() == by_id(expected).keys(), name
            self.same([self.by_id[e.ecs_id] for e in found], found)

    def check_hops(self) -> None:
        root, other, r = self.live[0], self.r.choice(self.live), self.r
        for hops in (r.randint(0, 2), r.randint(3, 12)):
            options = {"hops": hops, "as_of": self.as_of}
            self.check_part([root], [self.store.get(root.ecs_id, **options)], hops)
        hops = r.randint(0, 4)
        options = {"hops": hops, "as_of": self.as_of}
        both = self.store.get_many([other.ecs_id, root.ecs_id], **options)
        self.check_part([other, root], both, hops)
        found = self.store.find(type(other), ecs_id=other.ecs_id, **options)
        self.check_part([other], found, hops)

    def check_only(self) -> None:
        root, r = self.live[0], self.r
        some = r.sample(self.classes, r.randint(0, len(self.classes)))
        for hops in (None, r.randint(1, 9)):
            options = {"hops": hops, "only": some, "as_of": self.as_of}
            self.check_part([root], [self.store.get(root.ecs_id, **options)], hops, some)

    def check_part(
        self, roots: list[Any], got: list[Any], hops: int | None, only: Any = None
    ) -> None:
        """Compare what was read of a part with a breadth-first search of the live entities."""
        loaded, beyond = within(roots, hops, only)
        met, queue = {id(e): e for e in got}, list(got)
        for entity in queue:
            for there in [] if is_placeholder(entity) else targets_of(entity):
                if id(there) not in met:
                    met[id(there)] = there
                    queue.append(there)
        assert [e.ecs_id for e in got] == [e.ecs_id for e in roots]
        assert len(met) == len(by_id(met.values())), "each is one object"
        assert {e.ecs_id for e in queue if is_placeholder(e)} == set(beyond)
        assert {e.ecs_id for e in queue if not is_placeholder(e)} == set(loaded)
        for entity in queue:
            assert type(entity) is type(self.by_id[entity.ecs_id])
            if not is_placeholder(entity):
                assert said(entity) == said(self.by_id[entity.ecs_id])

    def check_frames(self) -> None:
        """`frame` of each class, with its subclasses."""
        for cls in dict.fromkeys(map(type, self.live)):
            expected = by_id(e for e in self.live if isinstance(e, cls))
            frame = self.store.frame(cls, as_of=self.as_of)
            assert set(frame["ecs_id"]) == set(expected)
            assert len(frame) == len(expected)
            names = [n for n in cls.model_fields if n.partition("_")[0] in {*SINGLES, "only"}]
            for row in frame.to_dict("records"):
                entity = expected[row["ecs_id"]]
                for name in (*OWN, "name", *names):
                    value = getattr(entity, name)
                    single = name.partition("_")[0] in SINGLES
                    told = row[f"{name}_ecs_id" if single else name]
                    assert pd.isna(told) if value is None else told == plain(value), name

    def check_references(self) -> None:
        """`references_frame`, its paths too."""
        frame = self.store.references_frame(as_of=self.as_of)
        rows = frame[["source", "field", "target"]].itertuples(index=False, name=None)
        assert Counter(rows) == places(self.live)
        walked = ev.EntityDependencyGraph(self.live).references
        expected = Counter((r.source.ecs_id, r.path, r.target.ecs_id) for r in walked)
        paths = frame[["source", "path", "target"]].itertuples(index=False, name=None)
        assert Counter(paths) == expected
        for ends, types in (("source", "source_type"), ("target", "target_type")):
            kinds = [type(self.by_id[i]).__name__ for i in frame[ends]]
            assert frame[types].tolist() == kinds

    def check_graph(self) -> None:
        """`graph`: of all, and of what is near."""
        whole = self.store.graph(as_of=self.as_of)
        self.check_nodes(whole, self.by_id)
        for hops in (self.r.randint(0, 12), None):
            root = self.r.choice(self.live)
            part = self.store.graph(root.ecs_id, hops, as_of=self.as_of)
            self.check_nodes(part, within([root], hops)[0])

    def check_nodes(self, graph: Any, near: dict[Any, Any]) -> None:
        nodes = {n.ecs_id: n.type_name for n in graph.nodes}
        assert nodes == {i: type(e).__name__ for i, e in near.items()}
        assert len(graph) == len(near)
        told = Counter((r.source.ecs_id, r.field, r.target.ecs_id) for r in graph.references)
        expected = places(near.values())
        assert told == Counter({k: n for k, n in expected.items() if k[2] in near})

    def check_pages(self) -> None:
        """The pages of each class in `explore`, in the order of `list_by_type`."""
        if not hasattr(self.store, "explore"):
            return
        shown = self.store.explore()
        for cls in dict.fromkeys(map(type, self.live)):
            shown.table = cls.__name__
            paged = []
            for first in range(0, shown._page["total"], shown_store.ROWS):
                shown.first = first
                paged += shown._page["ids"]
            listed = [e for e in self.store.list_by_type(cls) if type(e) is cls]
            assert paged == [str(e.ecs_id) for e in listed]
            assert set(paged) == {str(e.ecs_id) for e in self.live if type(e) is cls}
        shown.close()

    def check_explorer(self) -> None:
        """`explore`: its counts, and as nodes what is around an entity, holders too."""
        if not hasattr(self.store, "explore"):
            return
        shown = self.store.explore()
        counts = Counter(type(e).__name__ for e in self.live)
        sent = {found["name"]: found["count"] for found in shown._about["classes"]}
        assert {name: n for name, n in sent.items() if n} == counts
        for entity in {self.live[0].ecs_id: self.live[0], self.live[-1].ecs_id: self.live[-1]}:
            shown.graph = None  # else it stays at what is shown already
            shown.selected = entity
            near = by_id(targets_of(self.by_id[entity]))
            near |= by_id(e for e in self.live if entity in by_id(targets_of(e)))
            graph = shown.graph.graph
            assert {n.ecs_id for n in graph.nodes} == {entity, *near}
            assert str(entity) in shown._page["ids"]
        shown.close()


SINGLES = frozenset(class_sets.SINGLE)


def kinds_of(entity: Any) -> list[Any]:
    """Return the classes of an entity that are of its set, its own first."""
    return [k for k in type(entity).__mro__ if issubclass(k, ev.Entity) and k is not ev.Entity]


# -- the property ------------------------------------------------------------------------------


def edit(grown: Grown, ends: list[Any]) -> None:
    """Change what lies deepest, let something hold nothing any more, and add something new."""
    made, r = grown.made, grown.r
    r.choice(ends).name = "changed"
    full = [
        (e, f)
        for e in made
        for f in grown.set.fields_of(e)
        if f.kind in class_sets.FIELDS and getattr(e, f.name)
    ]
    if full:
        grown.set.clear(*r.choice(full))
    grown.grow(r.choice(made), tuple(class_sets.FIELDS))


def check_life(store: Any, grown: Grown, ends: list[Any]) -> None:
    """Save, edit, go back: after each, every way of reading tells what there is."""
    made, r = grown.made, grown.r
    root = made[0]
    store.register(r.choice([root, made, made[::-1]]))
    first = copy.deepcopy(made)
    edit(grown, ends)
    store.register(r.sample(made, len(made)))
    second = copy.deepcopy(made)
    now = Readers(store, second, None, r)
    now.check()
    now.check_explorer()
    Readers(store, first, 1, r).check(few=True)
    check_past(store, first, second, r)
    check_held(store, second)

    mine = copy.deepcopy(first[0])  # as another process still has it
    mine.name = "not registered"
    assert find_difference(root, store.refresh(mine)) is None
    old = store.revert(root, to=1)
    assert find_difference(first[0], old, versions=False) is None
    third = by_id(second) | within([old])[0]
    assert store.verify().empty
    ids = list(third)
    for entity in store.get_many(ids):
        assert said(entity) == said(third[entity.ecs_id])
    assert len(store.revisions()) in {2, 3}


def check_past(store: Any, first: list[Any], second: list[Any], r: random.Random) -> None:
    """`history` of what has changed and of some others, and `diff` of two revisions."""
    before = by_id(first)
    new = [e for e in second if e.version == 2 or e.ecs_id not in before]
    for entity in [*new, *r.sample(second, min(3, len(second)))]:
        then = before.get(entity.ecs_id)
        expected = [(1, 1, "added"), (2, 2, "changed")]
        if then is None:
            expected = [(1, 2, "added")]
        elif said(then) == said(entity):
            expected = expected[:1]
        frame = store.history(entity)
        told = frame[["version", "revision", "what"]].itertuples(index=False, name=None)
        assert list(told) == expected
    found = store.diff(1, 2)
    assert {d.ecs_id for d in found.of("added")} == by_id(second).keys() - before.keys()
    assert told_by(found) == told_by(ev.diff(first, second))
    assert not store.diff(second)


def told_by(diff: Any) -> Counter[Any]:
    return Counter((d.what, d.type_name, d.ecs_id, d.field) for d in diff)


def check_held(store: Any, live: list[Any]) -> None:
    """What something holds cannot be deleted; that it is stored is told."""
    assert all(store.has_entity(e.ecs_id) for e in live[-2:])
    for holder, name, target in places(live):
        if name.partition("_")[0] in class_sets.FIELDS and holder != target:
            with pytest.raises(errors.BrokenReferenceError):
                store.delete(target)
            break


@pytest.mark.parametrize("kind", OPENERS)
def test_every_method_reads_what_lies_deep(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    count = EXAMPLES.get(kind, 1) if settings.default.max_examples >= 500 else 1

    @hypothesis.seed(list(OPENERS).index(kind))  # else all storages would have the same examples
    # Smaller examples are not looked for: each takes a second, and what fails is told anyhow.
    @settings(max_examples=count, phases=[Phase.explicit, Phase.generate])
    @given(plans(), st.sampled_from(SHAPES), st.integers(1, 40), st.integers(0, 999))
    def check(plan: Plan, shape: str, depth: int, seed: int) -> None:
        grown = Grown(class_set(plan), random.Random(seed))
        ends = grown.shape(shape, depth)
        with contextlib.ExitStack() as opened:
            only = SimpleNamespace(
                getfixturevalue=request.getfixturevalue, addfinalizer=opened.callback
            )
            folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            reopen = OPENERS[kind](folder, only)  # type: ignore[arg-type]  # all that it asks for
            check_life(opened.enter_context(reopen()), grown, ends)

    try:
        check()
    finally:
        class_sets.forget()


# -- where one way of reading takes over from another --------------------------------------------


def side_by_side(depth: int) -> list[Any]:
    """Return two roots, of a chain of nodes and one of dogs: both types at every depth."""
    node, dog = c.Node(), c.Dog()
    root = c.Boxes(holder=c.Holder(who=node))
    start = c.Shelf(keeper=dog)
    for number in range(depth):
        node.next, dog.friend = c.Node(name=str(number)), c.Dog(name=str(number))
        node, dog = node.next, dog.friend
    return [root, start]


def test_chains_of_two_types_side_by_side(store: Any) -> None:
    """At depths around the one at which one recursive query finds the rest, and at twice that."""
    for depth in (*range(MAX_ROUNDS - 3, MAX_ROUNDS + 2), 2 * MAX_ROUNDS):
        graph = side_by_side(depth)
        ids = [entity.ecs_id for entity in graph]
        store.register(graph)
        assert find_difference(graph, store.get_many(ids)) is None
        at = len(store.revisions())
        assert find_difference(graph, store.get_many(ids, as_of=at)) is None


LIMIT = 4


def test_as_many_rows_as_go_at_a_time(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One fewer than the limit of a batch or a page, as many, one more; and around two batches."""
    for module, name in (
        (statements, "WORTH_COPYING"),
        (references, "MANY"),
        (statements, "MANY"),
        (shown_store, "ROWS"),
    ):
        assert getattr(module, name) >= 1
        monkeypatch.setattr(module, name, LIMIT)
    fields = [
        class_sets.Field("items_0", 0, "items", (1,), 0),
        class_sets.Field("back_0", 1, "back", (0,), 0),
        class_sets.Field("mixed_1", 0, "mixed", (1, 2)),
        class_sets.Field("by_2", 1, "by", (2, 0)),
    ]
    live: list[Any] = []
    for count in (LIMIT - 1, LIMIT, LIMIT + 1, 2 * LIMIT, 2 * LIMIT + 1):
        grown = Grown(class_set(Plan((None, None, 1), tuple(fields))), random.Random(count), 0)
        root = grown.made[0]
        for kind in ("items", "mixed", "by"):
            holder = root if kind != "by" else root.items_0[0]
            for _ in range(count):
                grown.grow(holder, (kind,))
        store.register(root)
        live += grown.made
        now = Readers(store, live, None, grown.r)
        now.check_whole()
        now.check_pages()
    now.check()
    class_sets.forget()
