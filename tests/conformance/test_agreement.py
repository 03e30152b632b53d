"""One random store, read in every way there is: all of them tell the same, now and then.

What must be told is not read from the store: it is what the live entities were after each save.
"""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import itertools
import random
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd
import pytest
from pydantic import BaseModel

import ecsviz as ev
from ecsviz import errors
from ecsviz.isomorphic import find_difference
from tests.conformance.classes import Colour
from tests.conformance.conftest import KINDS, OPENERS


class Spot(BaseModel):
    who: Item | None = None
    note: str = ""


class Item(ev.Entity):
    """A field per kind of place where an entity can stand."""

    name: str = ""
    number: int | None = None
    price: Decimal = Decimal(0)
    at: dt.datetime | None = None
    colour: Colour = Colour.RED
    yes: bool = False
    tags: list[int] = []
    keeper: Owner | None = None
    friend: Item | None = ev.reference(inverse=None, default=None)
    beside: Owner | Item | None = ev.reference(inverse=None, default=None)
    likes: list[Item] = ev.reference(inverse=None, default_factory=list)
    by: dict[str, Item | Owner] = {}
    circle: set[Item] = set()
    grid: list[list[Item | None]] = []
    row: tuple[Item, ...] = ()
    spot: Spot | None = None


class Special(Item):
    weight: float = 0.0


class Owner(ev.Entity):
    """A list that its members' back-references say."""

    title: str = ""
    items: list[Item] = []


class Note(ev.Entity):
    """One required reference."""

    of: Item
    text: str = ""


for _cls in (Spot, Item, Special, Owner, Note):
    _cls.model_rebuild()

CLASSES: list[Any] = [Item, Special, Owner, Note]
SINGLES = {Item: ["keeper", "friend", "beside"], Owner: [], Note: ["of"]}
SINGLES[Special] = SINGLES[Item]
VALUES = {
    Item: ["name", "number", "price", "at", "colour", "yes", "tags"],
    Owner: ["title"],
    Note: ["text"],
}
VALUES[Special] = [*VALUES[Item], "weight"]
OWN = ["ecs_id", "lineage_id", "parent_id", "version"]
NOON = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)
CHOICES: dict[str, list[Any]] = {
    "name": ["", "a", "b", "Ä", "x" * 300],
    "number": [None, 0, 1, -7, 2**62],
    "price": [Decimal("1.50"), Decimal(-3), Decimal("0.1")],
    "at": [None, NOON, NOON + dt.timedelta(microseconds=1)],
    "colour": [*Colour],
    "yes": [True, False],
    "tags": [[], [1], [1, 2]],
    "weight": [0.5, 2.0, -1e300],
    "title": ["t", "u"],
    "text": ["hello", "", "two\nlines"],
}

Snapshot = dict[UUID, Any]
"""What is stored after a revision, by id."""


# -- a random life of a store ------------------------------------------------------------------


class Story:
    """A store, the live entities, and what they were after each revision."""

    def __init__(self, store: Any, seed: int) -> None:
        self.store = store
        self.r = random.Random(seed)
        owners = [Owner(title=text) for text in "pq"]
        items = [self.r.choice([Item, Special])(name=str(n)) for n in range(6)]
        self.live: list[Any] = [*owners, *items, Note(of=items[0])]
        self.gone: list[Any] = []
        self.past: list[Snapshot] = [{}]
        for _ in range(10):
            self.edit()
        self.save()

    def some(self, kind: Any) -> Any:
        return self.r.choice([e for e in self.live if isinstance(e, kind)])

    def save(self) -> None:
        self.store.register(self.r.sample(self.live, len(self.live)))
        self.saved()

    def saved(self) -> None:
        now = {e.ecs_id: e for e in copy.deepcopy(self.live)}
        number = len(self.store.revisions())
        if number == len(self.past):
            self.past.append(now)
        assert number == len(self.past) - 1
        assert find_difference([*self.past[-1].values()], [now[i] for i in self.past[-1]]) is None

    def edit(self) -> None:
        r, item, other = self.r, self.some(Item), self.some(Item)
        entity = self.some(ev.Entity)
        name = r.choice(VALUES[type(entity)])
        setattr(entity, name, copy.copy(r.choice(CHOICES[name])))
        what = r.randrange(11)
        if what == 0:
            item.friend = r.choice([None, other])
        elif what == 1:
            item.beside = r.choice([None, other, self.some(Owner)])
        elif what == 2:
            item.likes.insert(0, other)
        elif what == 3:
            item.likes = item.likes[1:] + item.likes[:1]
        elif what == 4:
            item.by[r.choice("xyz")] = r.choice([other, self.some(Owner)])
        elif what == 5:
            item.circle ^= {other}
        elif what == 6:
            item.grid = [[None, other], [], [other, item]][r.randrange(3) :]
        elif what == 7:
            item.row = (*item.row[-1:], other)
        elif what == 8:
            item.spot = r.choice([None, Spot(), Spot(who=other, note="n")])
        elif what == 9:
            self.some(Note).of = other
        else:
            self.move(item, r.choice([None, self.some(Owner)]))

    def move(self, item: Any, owner: Any) -> None:
        if item.keeper is not None:
            item.keeper.items.remove(item)
        item.keeper = owner
        if owner is not None:
            owner.items.insert(self.r.randint(0, len(owner.items)), item)

    def grow(self) -> None:
        made = self.r.choice([Item, Special, Owner])()
        if self.r.random() < 0.5:
            made = self.some(Item).fork()
            if made.keeper is not None:
                made.keeper.items.append(made)
        self.live.append(made)
        self.live.append(Note(of=self.some(Item), text="new"))

    def delete(self) -> None:
        required = [e.of for e in self.live if isinstance(e, Note)]
        free = [e for e in self.live if isinstance(e, Item) and e not in required]
        entity = self.r.choice(free)
        for other in self.live:
            let_go(other, lambda held: held is not entity)
        if getattr(entity, "keeper", None) is not None:
            self.move(entity, None)
        self.save()
        self.store.delete(entity)
        self.live = [e for e in self.live if e is not entity]
        self.gone.append(entity)
        self.saved()

    def add_again(self) -> None:
        if not self.gone:
            return
        entity = self.gone.pop()
        if isinstance(entity, Note):
            entity.of = self.some(Item)
        let_go(entity, lambda held: held is entity or any(held is e for e in self.live))
        entity.version = 0
        self.live.append(entity)

    def revert(self) -> None:
        """Bring something back to what it was, if nothing that came since is in the way."""
        number = self.r.randrange(1, len(self.past))
        root = self.r.choice([*self.past[number].values()])
        before = len(self.past)
        with contextlib.suppress(errors.InverseMismatchError, errors.BrokenReferenceError):
            back = self.store.revert(root.ecs_id, to=number)
            assert find_difference(root, back, versions=False) is None
        self.live = [e for cls in (Item, Owner, Note) for e in self.store.list_by_type(cls)]
        shared = {e.ecs_id: e for e in self.store.get_many([e.ecs_id for e in self.live])}
        self.live = list(shared.values())
        self.gone = [e for e in self.gone if e.ecs_id not in shared]
        self.saved()
        assert len(self.past) <= before + 1

    def go_on(self, what: str) -> None:
        for _ in range(self.r.randint(1, 4)):
            self.edit()
        if what == "revert":
            self.save()
        getattr(self, what)()
        self.save()


def let_go(entity: Any, kept: Any) -> None:
    """Take out of the fields of an item, its keeper's aside, what is not kept."""
    if not isinstance(entity, Item):
        return
    for name in ("friend", "beside"):
        held = getattr(entity, name)
        if held is not None and not kept(held):
            setattr(entity, name, None)
    entity.likes = [e for e in entity.likes if kept(e)]
    entity.by = {k: e for k, e in entity.by.items() if kept(e)}
    entity.circle = {e for e in entity.circle if kept(e)}
    entity.grid = [[e for e in some if e is None or kept(e)] for some in entity.grid]
    entity.row = tuple(e for e in entity.row if kept(e))
    if entity.spot is not None and entity.spot.who is not None and not kept(entity.spot.who):
        entity.spot = Spot(note=entity.spot.note)


# -- what each way of reading must tell --------------------------------------------------------


def plain(value: Any) -> Any:
    """Return a value that compares, with ids for the entities in it."""
    if isinstance(value, ev.Entity):
        return value.ecs_id
    if isinstance(value, BaseModel):
        return tuple((n, plain(v)) for n, v in value)
    if isinstance(value, dict):
        return tuple((k, plain(v)) for k, v in value.items())
    if isinstance(value, set):
        return frozenset(map(plain, value))
    if isinstance(value, (list, tuple)):
        return tuple(map(plain, value))
    return value


def references(graph: Any) -> Counter[Any]:
    return Counter((r.source.ecs_id, r.field, r.path, r.target.ecs_id) for r in graph.references)


def told(diff: Any) -> Counter[Any]:
    return Counter((d.what, d.type_name, d.ecs_id, d.field) for d in diff)


def ids(entities: Any) -> list[UUID]:
    return [e.ecs_id for e in entities]


def check_entities(
    store: Any, then: Snapshot, every: set[UUID], as_of: int | None
) -> dict[Any, list[Any]]:
    """`get`, `get_many` and `list_by_type`; return what the last one gave of each class."""
    lists = {}
    some = list(then)[::-1]
    assert find_difference([then[i] for i in some], store.get_many(some, as_of=as_of)) is None
    for ecs_id in some[:1]:
        assert find_difference(then[ecs_id], store.get(ecs_id, as_of=as_of)) is None
    for missing in list(every - set(then))[:2]:
        with pytest.raises(errors.EntityNotFoundError):
            store.get(missing, as_of=as_of)
    for cls in CLASSES:
        listed = store.list_by_type(cls, as_of=as_of)
        assert sorted(ids(listed)) == sorted(i for i, e in then.items() if isinstance(e, cls))
        assert find_difference([then[e.ecs_id] for e in listed], listed) is None
        lists[cls] = listed
    return lists


def check_find(store: Any, then: Snapshot, lists: dict[Any, list[Any]], as_of: int | None) -> None:
    """`find`, by what the entities say of themselves; of the past, by some of it."""
    r = random.Random(as_of)
    for cls in CLASSES:
        listed = ids(lists[cls])
        names = [*OWN, *SINGLES[cls], *(n for n in VALUES[cls] if n != "tags")]
        for name in names if as_of is None else r.sample(names, 1):
            fitting = defaultdict(list)
            for ecs_id in listed:
                fitting[getattr(then[ecs_id], name)].append(ecs_id)
            few = as_of is not None or name in OWN
            for value, expected in list(fitting.items())[: 1 if few else 3]:
                found = store.find(cls, as_of=as_of, hops=0, **{name: value})
                assert ids(found) == expected, (cls, name)
                assert [plain(getattr(e, name)) for e in found] == [plain(value)] * len(found)


def check_frames(
    store: Any, then: Snapshot, lists: dict[Any, list[Any]], as_of: int | None
) -> None:
    """`frame` against the entities, `references_frame` against their walk."""
    for cls in CLASSES:
        frame = store.frame(cls, as_of=as_of)
        assert frame["ecs_id"].tolist() == ids(lists[cls])
        columns = [*OWN, *VALUES[cls], *(f"{name}_ecs_id" for name in SINGLES[cls])]
        columns += ["keeper_position"] if "keeper" in SINGLES[cls] else []
        types = [type(e).__name__ for e in lists[cls]]
        if {*types} - {cls.__name__}:
            columns.append("type")
            assert frame["type"].tolist() == types
        assert sorted(frame.columns) == sorted(columns)
        for row in frame.to_dict("records"):
            entity = then[row["ecs_id"]]
            expected = {n: getattr(entity, n) for n in (*OWN, *VALUES[cls])}
            expected |= {f"{n}_ecs_id": plain(getattr(entity, n)) for n in SINGLES[cls]}
            for name, value in expected.items():
                same = pd.isna(row[name]) if value is None else row[name] == value
                assert same, (cls, name)
    both = store.frame(Item, as_of=as_of)
    placed = both[both["keeper_ecs_id"].notna()].sort_values("keeper_position")
    members = {key: some["ecs_id"].tolist() for key, some in placed.groupby("keeper_ecs_id")}
    owners = [e for e in then.values() if isinstance(e, Owner) and e.items]
    assert members == {e.ecs_id: ids(e.items) for e in owners}

    graph = ev.EntityDependencyGraph(list(then.values()))
    found = store.references_frame(as_of=as_of)
    rows = found[["source", "field", "path", "target"]].itertuples(index=False, name=None)
    assert Counter(rows) == references(graph)
    for ends, kind in (("source", "source_type"), ("target", "target_type")):
        types = [type(then[i]).__name__ for i in found[ends]]
        assert found[kind].tolist() == types
    kinds = {"of": 2, **dict.fromkeys(["keeper", "friend", "beside", "spot"], 1)}
    paths = found[found["field"] != "spot"]
    assert paths["kind"].tolist() == [kinds.get(f, 0) for f in paths["field"]]


def check_graph(store: Any, then: Snapshot, as_of: int | None) -> None:
    """`graph`, of all and from a root, against the walk of the entities."""
    live, stored = ev.EntityDependencyGraph(list(then.values())), store.graph(as_of=as_of)
    assert {n.ecs_id: n.type_name for n in stored.nodes} == {
        i: type(e).__name__ for i, e in then.items()
    }
    assert len(stored) == len(then)
    assert references(stored) == references(live)
    assert stored.status == live.status
    assert len(stored.cyclic_components()) == len(live.cyclic_components())
    frame = stored.nodes_frame()
    assert sorted(frame["ecs_id"]) == sorted(then)
    for root in list(then.values())[:: 2 if as_of is None else 9]:
        for hops in (1, 2, None):
            reached = {root.ecs_id}
            for _ in range(len(then) if hops is None else hops):
                reached |= {e.ecs_id for i in reached for e in live.dependencies(then[i])}
            part = store.graph(root.ecs_id, hops, as_of=as_of)
            assert {n.ecs_id for n in part.nodes} == reached
            expected = {k: n for k, n in references(live).items() if {k[0], k[3]} <= reached}
            assert references(part) == expected


def check_folder(store: Any, then: Snapshot, as_of: int | None, place: Path) -> None:
    """`to_parquet`, asked by `scan_graph`: the same graph as the store's, in the same order."""
    if not hasattr(store, "to_parquet"):
        return
    stored = store.graph(as_of=as_of)
    with ev.scan_graph(store.to_parquet(place / "graph", as_of)) as lazy:
        part = lazy.subgraph()
        assert part.nodes == stored.nodes
        assert references(part) == references(stored)
        assert len(part.pairs) == len(stored.pairs)
        frame = lazy.get_topological_sort()
        assert lazy.ids(frame["node"]) == ids(stored.get_topological_sort())
        assert lazy.status == stored.status
        counts = Counter(n.type_name for n in stored.nodes)
        assert {t: n for t, n in lazy.counts()[["type", "nodes"]].to_numpy() if n} == counts
        for entity in stored.nodes[:: 5 if as_of is None else 99]:
            for way in ("dependencies", "dependents"):
                for far in (False, True):
                    near = getattr(stored, way)(entity, transitive=far)
                    found = getattr(lazy, way)(entity.ecs_id, transitive=far)
                    assert sorted(ids(found)) == sorted(ids(near))
                    assert set(found) == set(near)


def check_past(store: Any, past: list[Snapshot]) -> None:
    """`history`, `revisions` and `diff`: what became another between two snapshots, no more."""
    events: dict[UUID, list[Any]] = defaultdict(list)
    revisions = store.revisions()
    for number, (before, after) in enumerate(itertools.pairwise(past), 1):
        added, deleted = after.keys() - before.keys(), before.keys() - after.keys()
        changed: dict[UUID, set[str]] = {}
        for ecs_id in before.keys() & after.keys():
            a, b = before[ecs_id], after[ecs_id]
            fields = [n for n in type(b).model_fields if n not in {"ecs_id", "version"}]
            differ = {n for n in fields if plain(getattr(a, n)) != plain(getattr(b, n))}
            assert bool(differ) == (a.version != b.version) == (b.version == a.version + 1)
            if differ:
                changed[ecs_id] = differ
        row = revisions.iloc[number - 1]
        counts = (row["revision"], row["added"], row["changed"], row["deleted"])
        assert counts == (number, len(added), len(changed), len(deleted))
        for ecs_id in added:
            events[ecs_id].append((after[ecs_id].version, number, "added", set()))
        for ecs_id, differ in changed.items():
            events[ecs_id].append((after[ecs_id].version, number, "changed", differ))
        for ecs_id in deleted:
            events[ecs_id].append((before[ecs_id].version, number, "deleted", set()))
        if number > 1:
            found = store.diff(number - 1, number)
            assert {d.ecs_id for d in found.of("added")} == added
            assert {d.ecs_id for d in found.of("removed")} == deleted
            assert told(found) == told(ev.diff(list(before.values()), list(after.values())))
    for ecs_id, expected in events.items():
        frame = store.history(ecs_id)
        rows = [
            (version, revision, what, {n for n in fields.split(", ") if n})
            for version, revision, what, fields in zip(
                *(frame[n] for n in ("version", "revision", "what", "fields")), strict=True
            )
        ]
        assert rows == expected
        assert frame["at"].tolist() == [revisions["at"][e[1] - 1] for e in expected]


def check_explorer(store: Any, then: Snapshot) -> None:
    """What `explore` sends: the pages of the tables, and the graph around each row."""
    shown = store.explore()
    counts = Counter(type(e).__name__ for e in then.values())
    sent = shown._about
    assert sent["entities"] == len(then)
    assert {c["name"]: c["count"] for c in sent["classes"] if c["count"]} == counts
    newest = store.revisions().iloc[::-1].head(len(sent["revisions"]))
    assert [r["revision"] for r in sent["revisions"]] == newest["revision"].tolist()
    live = ev.EntityDependencyGraph(list(then.values()))
    for cls in CLASSES:
        if not counts[cls.__name__]:
            continue
        shown.table = cls.__name__
        page = shown._page
        listed = [e for e in store.list_by_type(cls) if type(e) is cls]
        assert page["ids"] == [str(e.ecs_id) for e in listed][: len(page["ids"])]
        assert page["total"] == counts[cls.__name__] == len(listed)
        names = [c["name"] for c in page["columns"]]
        compared = {"name", "number", "yes", "weight", "version", "title", *SINGLES[cls]}
        assert {*SINGLES[cls], "version"} <= set(names)
        for row, entity in zip(page["rows"], listed, strict=False):
            cells = dict(zip(names, row, strict=True))
            for name in compared & cells.keys():
                value, cell = plain(getattr(entity, name)), cells[name]
                if name in {"weight", "number", *SINGLES[cls]} and value is not None:
                    value, cell = str(value), str(cell)  # large numbers go as text
                elif isinstance(value, str):
                    assert len(cell) == len(value) or cell.endswith("…")
                    value, cell = value[:100], cell[:100]
                assert cell == value, (cls, name)
    for entity in then.values():
        shown.graph = None  # else it stays at what is shown already
        shown.selected = entity.ecs_id
        near = {entity, *live.dependencies(entity), *live.dependents(entity)}
        assert shown.table == type(entity).__name__
        assert str(entity.ecs_id) in shown._page["ids"]
        graph = shown.graph.graph
        assert {e.ecs_id for e in near} == {n.ecs_id for n in graph.nodes}
        inside = {e.ecs_id for e in near}
        expected = {k: n for k, n in references(live).items() if {k[0], k[3]} <= inside}
        assert references(graph) == expected
    shown.close()


def check_graph_explorer(graph: Any, then: Snapshot) -> None:
    """What the explorer of a graph sends: its counts, and what is around each node."""
    live = ev.EntityDependencyGraph(list(then.values()))
    all_of_it = references(live)
    shown = graph.explore()
    assert shown._about["count"] == len(then)
    assert shown._about["references"] == all_of_it.total()
    counts = Counter(type(e).__name__ for e in then.values())
    assert dict(map(tuple, shown._about["types"])) == counts
    in_cycles = sum(map(len, live.cyclic_components()))
    assert sum(shown.graph.nodes_frame()["in_cycle"]) == in_cycles
    for ecs_id in then:
        shown.selected = ecs_id
        links = shown._details["links"]["listed"]
        assert shown._details["id"] == str(ecs_id)
        ends = Counter((link["out"], graph.nodes[link["node"]].ecs_id) for link in links)
        expected: Counter[Any] = Counter()
        for (source, _, _, target), n in all_of_it.items():
            expected[True, target] += n * (source == ecs_id)
            expected[False, source] += n * (target == ecs_id)
        assert ends == +expected
    shown.close()


@pytest.mark.parametrize(("kind", "seed"), [("memory", 2), *((kind, 1) for kind in KINDS)])
def test_all_ways_of_reading_agree(
    kind: str, seed: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    reopen = OPENERS[kind](tmp_path, request)
    story = Story(reopen(), seed)
    for what in ("grow", "delete", "add_again", "revert"):
        story.go_on(what)
    store, past = reopen(), story.past
    every = {ecs_id for then in past for ecs_id in then}
    newest = past[-1]
    check_past(store, past)
    assert [store.has_entity(i) for i in every] == [i in newest for i in every]
    for family in {e.lineage_id for e in newest.values()}:
        found = store.get_lineage_entities(family)
        assert ids(found) == sorted(i for i, e in newest.items() if e.lineage_id == family)
    for as_of, then in [(None, newest), *enumerate(past[1:], 1)]:
        lists = check_entities(store, then, every, as_of)
        check_find(store, then, lists, as_of)
        if hasattr(store, "frame"):
            check_frames(store, then, lists, as_of)
            check_graph(store, then, as_of)
            check_folder(store, then, as_of, tmp_path)
    if hasattr(store, "explore"):
        check_explorer(store, newest)
    graphs = [ev.EntityDependencyGraph(store.get_many(list(newest)))]
    if hasattr(store, "graph"):
        graphs.append(store.graph())
    for graph in graphs:
        check_graph_explorer(graph, newest)
    assert store.verify().empty
