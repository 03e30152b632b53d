"""Time travel: whatever is done to a store, every revision reads as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from pydantic import Field

import ecsviz as ev
from ecsviz import errors
from ecsviz.domain.walk import walk
from tests.conftest import in_ci


class World(ev.Entity):
    folders: list[Folder] = Field(default_factory=list)
    best: dict[str, Note] = Field(default_factory=dict)


class Folder(ev.Entity):
    name: str = ""
    notes: list[Note] = Field(default_factory=list)  # said by Note.folder
    tags: set[Tag] = Field(default_factory=set)
    grid: list[list[Note | None]] = Field(default_factory=list)


class Note(ev.Entity):
    text: str = ""
    number: int | None = None
    folder: Folder | None = None
    links: list[Note] = ev.reference(inverse=None, default_factory=list)
    after: Note | None = None


class Tag(ev.Entity):
    word: str = ""


for kind in (World, Folder, Note):
    kind.model_rebuild()

MANY = 40
"""Entities beyond which a world is not forked any more."""

State = dict[UUID, tuple[Any, ...]]
"""What is stored, in plain words: id → (type, version, values, ids of what it holds)."""


def said(value: Any) -> Any:
    """Return a value with ids in the places of entities."""
    if isinstance(value, ev.Entity):
        return value.ecs_id
    if isinstance(value, set):
        return frozenset(map(said, value))
    if isinstance(value, (list, tuple)):
        return tuple(map(said, value))
    if isinstance(value, dict):
        return tuple((k, said(v)) for k, v in value.items())
    return value


def content(entity: Any) -> tuple[Any, ...]:
    names = [n for n in type(entity).model_fields if n not in ("ecs_id", "version")]
    return (type(entity).__name__, *((n, said(getattr(entity, n))) for n in names))


def state_of(entities: list[Any]) -> State:
    return {e.ecs_id: (e.version, content(e)) for e in entities}


def without(holder: tuple[Any, ...], member: UUID) -> tuple[Any, ...]:
    """Return a folder's state after a member was taken from its list."""
    version, (kind, *fields) = holder
    fields = [
        (n, tuple(i for i in v if i != member)) if n == "notes" else (n, v) for n, v in fields
    ]
    return (version + 1, (kind, *fields))


def cleared(member: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a note's state after its folder was saved without it."""
    version, (kind, *fields) = member
    return (version + 1, (kind, *((n, None if n == "folder" else v) for n, v in fields)))


def field(state: tuple[Any, ...], name: str) -> Any:
    return dict(state[1][1:])[name]


class Machine(RuleBasedStateMachine):
    """Two sessions on one store, against a dictionary of full snapshots."""

    open_store: Callable[[], Any]

    @initialize()
    def begin(self) -> None:
        self.store = type(self).open_store()
        self.stored: State = {}
        self.gone: dict[UUID, int] = {}
        self.snapshots: list[State] = [{}]
        world = World(folders=[Folder(name="a"), Folder(name="b")])
        self.sessions = [world]
        self.save(0)
        self.sessions.append(self.store.get(world.ecs_id))

    # -- the model -------------------------------------------------------------------------

    def put(self, entities: list[Any]) -> None:
        """Say in the model what storing a whole walk does."""
        before = dict(self.stored)
        inside = {e.ecs_id for e in entities}
        for entity in entities:
            old, now = before.get(entity.ecs_id), content(entity)
            if old is None:
                self.stored[entity.ecs_id] = (self.gone.pop(entity.ecs_id, 0) + 1, now)
            elif old[1] != now:
                self.stored[entity.ecs_id] = (old[0] + 1, now)
        lost: dict[UUID, list[UUID]] = {}
        for entity in entities:
            old = before.get(entity.ecs_id)
            if not isinstance(entity, Note) or old is None:
                continue
            holder = field(old, "folder")
            moved = holder is not None and said(entity.folder) != holder
            if moved and holder not in inside and entity.ecs_id in field(before[holder], "notes"):
                lost.setdefault(holder, []).append(entity.ecs_id)
        for holder, members in lost.items():
            version = before[holder][0] + 1
            for member in members:
                self.stored[holder] = (version, without(self.stored[holder], member)[1])
        for entity in entities:
            if isinstance(entity, Folder) and entity.ecs_id in before:
                old_notes = field(before[entity.ecs_id], "notes")
                for member in set(old_notes) - set(said(entity.notes)) - inside:
                    self.stored[member] = cleared(self.stored[member])

    def note(self) -> None:
        if self.stored != self.snapshots[-1]:
            self.snapshots.append(dict(self.stored))

    def check(self, revision: int | None) -> None:
        snapshot = self.snapshots[-1 if revision is None else revision]
        found = self.store.get_many(list(snapshot), as_of=revision)
        assert state_of(found) == snapshot
        assert state_of(walk(found).entities) == snapshot

    def save(self, who: int) -> None:
        world = self.sessions[who]
        entities = walk([world]).entities
        self.store.register(world)
        self.put(entities)
        self.note()
        assert {e.ecs_id: e.version for e in entities} == {
            e.ecs_id: self.stored[e.ecs_id][0] for e in entities
        }
        assert len(self.store.revisions()) == len(self.snapshots) - 1
        self.check(None)

    def stale(self, who: int) -> bool:
        return any(
            e.version and (e.ecs_id not in self.stored or self.stored[e.ecs_id][0] != e.version)
            for e in walk([self.sessions[who]]).entities
        )

    def folder(self, data: Any, who: int) -> Any:
        return data.draw(st.sampled_from(self.sessions[who].folders))

    def notes(self, who: int) -> list[Any]:
        return [e for e in walk([self.sessions[who]]).entities if isinstance(e, Note)]

    # -- what is done ----------------------------------------------------------------------

    @rule(data=st.data(), who=st.integers(0, 1))
    def edit(self, data: Any, who: int) -> None:
        found = data.draw(st.sampled_from(walk([self.sessions[who]]).entities))
        if isinstance(found, Note):
            found.text = data.draw(st.sampled_from(["x", "y", ""]))
            found.number = data.draw(st.sampled_from([None, 1, 2]))
        elif isinstance(found, Folder):
            found.name = data.draw(st.sampled_from(["a", "b"]))

    @rule(data=st.data(), who=st.integers(0, 1), first=st.booleans())
    def append(self, data: Any, who: int, first: bool) -> None:
        folder = self.folder(data, who)
        made = Note(folder=folder, text="new")
        folder.notes.insert(0 if first else len(folder.notes), made)

    @rule(data=st.data(), who=st.integers(0, 1))
    def remove(self, data: Any, who: int) -> None:
        folder = self.folder(data, who)
        if folder.notes:
            gone = folder.notes.pop(data.draw(st.integers(0, len(folder.notes) - 1)))
            gone.folder = None

    @rule(data=st.data(), who=st.integers(0, 1))
    def reorder(self, data: Any, who: int) -> None:
        folder = self.folder(data, who)
        folder.notes = data.draw(st.permutations(folder.notes))

    @rule(data=st.data(), who=st.integers(0, 1))
    def move(self, data: Any, who: int) -> None:
        source, target = self.folder(data, who), self.folder(data, who)
        if source.notes:
            note = source.notes.pop()
            note.folder = target
            target.notes.insert(data.draw(st.integers(0, len(target.notes))), note)

    @rule(data=st.data(), who=st.integers(0, 1))
    def link(self, data: Any, who: int) -> None:
        notes = self.notes(who)
        if notes:
            pick = st.sampled_from(notes)
            one = data.draw(pick)
            one.links = data.draw(st.lists(pick, max_size=3))
            one.after = data.draw(st.none() | pick)
            folder = self.folder(data, who)
            folder.grid = data.draw(st.lists(st.lists(st.none() | pick, max_size=2), max_size=2))
            names = st.sampled_from(["p", "q"])
            self.sessions[who].best = data.draw(st.dictionaries(names, pick, max_size=2))

    @rule(data=st.data(), who=st.integers(0, 1))
    def tag(self, data: Any, who: int) -> None:
        folder = self.folder(data, who)
        if folder.tags and data.draw(st.booleans()):
            folder.tags.pop()
        else:
            folder.tags.add(Tag(word="t"))

    @rule(data=st.data(), who=st.integers(0, 1))
    def fork(self, data: Any, who: int) -> None:
        notes = self.notes(who)
        if notes:
            forked = data.draw(st.sampled_from(notes)).fork()
            if forked.folder is not None:
                forked.folder.notes.append(forked)
            self.sessions[who].best["fork"] = forked

    @rule(data=st.data(), who=st.integers(0, 1), deep=st.booleans())
    def fork_with_parts(self, data: Any, who: int, deep: bool) -> None:
        """Fork a folder with its notes, or with all that it leads to, other folders included."""
        if len(walk([self.sessions[who]])) > MANY:
            return  # each deep fork may double the world
        folder = self.folder(data, who)
        parts = walk([folder]).entities if deep else [folder, *folder.notes]
        forked = folder.fork(deep=True) if deep else folder.fork(only=list(folder.notes))
        self.sessions[who].folders.append(forked)
        found = {e.parent_id: e for e in walk([forked]).entities if not e.version}
        assert {e.ecs_id for e in parts} <= found.keys()
        for part in parts:
            assert found[part.ecs_id].lineage_id == part.lineage_id
        assert [n.parent_id for n in forked.notes] == [n.ecs_id for n in folder.notes]

    @rule(who=st.integers(0, 1))
    def register(self, who: int) -> None:
        if not self.stale(who):
            self.save(who)
            return
        before = len(self.store.revisions())
        with pytest.raises(errors.StaleVersionError):
            self.store.register(self.sessions[who])
        assert len(self.store.revisions()) == before
        self.check(None)
        self.sessions[who] = self.store.get(self.sessions[who].ecs_id)

    @rule(who=st.integers(0, 1))
    def refresh(self, who: int) -> None:
        world = self.sessions[who]
        folders = {f.ecs_id: f for f in walk([world]).entities}
        assert self.store.refresh(world) is world
        entities = walk([world]).entities
        assert state_of(entities).items() <= self.stored.items()
        for entity in entities:
            assert folders.get(entity.ecs_id, entity) is entity

    @rule(data=st.data())
    def delete(self, data: Any) -> None:
        world = self.sessions[0].ecs_id  # stays, or there is nothing to go on with
        wanted = data.draw(st.sampled_from(sorted(self.stored.keys() - {world})))
        kind = self.stored[wanted][1][0]
        folder = field(self.stored[wanted], "folder") if kind == "Note" else None
        left = dict(self.stored)
        if folder is not None:  # the list that the note's own reference says is not in the way
            left[folder] = without(left[folder], wanted)
        holders = [i for i, state in left.items() if i != wanted and _holds(state, wanted)]
        if holders:
            with pytest.raises(errors.BrokenReferenceError):
                self.store.delete(wanted)
        else:
            self.store.delete(wanted)
            self.stored = left
            self.gone[wanted] = self.stored.pop(wanted)[0]
            self.note()
        self.check(None)

    @rule(data=st.data())
    def revert(self, data: Any) -> None:
        revision = data.draw(st.integers(1, len(self.snapshots) - 1))
        wanted = data.draw(st.sampled_from(sorted(self.snapshots[revision])))
        old = self.store.get(wanted, as_of=revision)
        entities = walk([old]).entities
        assert state_of(entities).items() <= self.snapshots[revision].items()
        found = self.store.revert(wanted, to=revision)
        assert {i: s[1] for i, s in state_of([found]).items()} == {wanted: content(old)}
        self.put(entities)
        self.note()
        self.check(None)

    @rule(data=st.data())
    def look_back(self, data: Any) -> None:
        self.check(data.draw(st.integers(1, len(self.snapshots) - 1)))

    @precondition(lambda self: len(self.snapshots) > 2)
    @rule(data=st.data())
    def compare(self, data: Any) -> None:
        one, two = (data.draw(st.integers(1, len(self.snapshots) - 1)) for _ in "ab")
        found = self.store.diff(one, two)
        a, b = self.snapshots[one], self.snapshots[two]
        told = {d.ecs_id for d in found}
        differ = {i for i in a.keys() | b.keys() if a.get(i, (0,))[1:] != b.get(i, (0,))[1:]}
        assert bool(told) == bool(differ)
        assert {d.ecs_id for d in found if d.what == "added"} == b.keys() - a.keys()
        assert {d.ecs_id for d in found if d.what == "removed"} == a.keys() - b.keys()

    @rule(data=st.data())
    def ask_history(self, data: Any) -> None:
        """Every version of an entity is in its history, at the revision that made it."""
        ids = sorted({i for snapshot in self.snapshots for i in snapshot})
        wanted = data.draw(st.sampled_from(ids))
        expected: list[tuple[int, int, str, str]] = []
        before: tuple[Any, ...] | None = None
        for number, snapshot in enumerate(self.snapshots):
            now = snapshot.get(wanted)
            if now is not None and before is None:
                expected.append((now[0], number, "added", ""))
            elif now is None and before is not None:
                expected.append((before[0], number, "deleted", ""))
            elif now is not None and before is not None and now[0] != before[0]:
                old, new = dict(before[1][1:]), dict(now[1][1:])
                fields = [n for n in new if old[n] != new[n]]
                expected.append((now[0], number, "changed", ", ".join(fields)))
            before = now
        frame = self.store.history(wanted)
        rows = frame[["version", "revision", "what", "fields"]].to_numpy().tolist()
        assert [tuple(row) for row in rows] == expected

    def teardown(self) -> None:
        for revision in range(1, len(getattr(self, "snapshots", []))):
            self.check(revision)
        if hasattr(self, "snapshots"):
            problems = self.store.verify()
            assert not len(problems), problems.to_string()


def _holds(state: tuple[Any, ...], wanted: UUID) -> bool:
    """Tell whether an id stands anywhere in a state."""
    todo = [value for name, value in state[1][1:] if name not in ("lineage_id", "parent_id")]
    while todo:
        value = todo.pop()
        if value == wanted:
            return True
        if isinstance(value, (tuple, frozenset)):
            todo.extend(value)
    return False


RUNS = settings(
    max_examples=200 if in_ci() else 20,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes many minutes here
)


class InMemory(Machine):
    open_store = staticmethod(ev.InMemoryEntityStorage)


class OnSQLite(Machine):
    open_store = staticmethod(lambda: ev.SQLAlchemyEntityStorage(":memory:"))


TestInMemory = InMemory.TestCase
TestInMemory.settings = RUNS
TestOnSQLite = OnSQLite.TestCase
TestOnSQLite.settings = RUNS
