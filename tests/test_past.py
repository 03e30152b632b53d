"""Time travel: whatever is done to a store, every revision reads as it was."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from pydantic import Field

import ecsviz as ev
from ecsviz import errors
from ecsviz.domain.objects import is_placeholder
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

Log = dict[UUID, list[tuple[bool, int]]]
"""Per entity who wrote it, and whether he saved it, or changed it beside."""

Model = tuple[State, dict[UUID, int], Log, dict[UUID, int], list[Any]]


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


def without(content: tuple[Any, ...], member: UUID) -> tuple[Any, ...]:
    """Return a folder's content after a member was taken from its list."""
    kind, *fields = content
    return (
        kind,
        *((n, tuple(i for i in v if i != member) if n == "notes" else v) for n, v in fields),
    )


def replaced(content: tuple[Any, ...], name: str, value: Any) -> tuple[Any, ...]:
    """Return a content with another value of a field."""
    kind, *fields = content
    return (kind, *((n, value if n == name else v) for n, v in fields))


def field(state: tuple[Any, ...], name: str) -> Any:
    return dict(state[1][1:])[name]


class LeftError(Exception):
    """Raised in a block of several calls by its user."""


@dataclass
class Holding:
    """Live objects that somebody holds, and how much of the log each had seen when it was synced.

    A lazy reading also knows the state that it reads, and which of its entities are its own by now.
    """

    roots: list[Any]
    client: int
    seen: dict[UUID, int]
    read: dict[UUID, int] = dataclass_field(default_factory=dict)  # what was seen when it was read
    then: State = dataclass_field(default_factory=dict)
    own: State = dataclass_field(default_factory=dict)

    def whole(self) -> list[Any]:
        found = walk(self.roots, strict=False).entities
        return [entity for entity in found if not is_placeholder(entity)]


class Machine(RuleBasedStateMachine):
    """Two sessions and lazy readings on one store, against a dictionary of full snapshots.

    The second session may have another client's storage. Of each entity the model also has a log
    of who wrote it, and whether that was what he saved or a change beside (a list that has lost a
    note): what one has seen of it tells whether his copy is stale, whatever versions say.
    """

    def open_clients(self) -> list[Any]:
        raise NotImplementedError

    @initialize()
    def begin(self) -> None:
        self.clients = self.open_clients()
        self.stored: State = {}
        self.gone: dict[UUID, int] = {}
        self.log: Log = {}
        self.before: dict[UUID, int] = {}  # the versions before the call, or before the block
        self.inside = False
        self.snapshots: list[State] = [{}]
        self.readings: list[Holding] = []
        world = World(folders=[Folder(name="a"), Folder(name="b")])
        self.sessions = [Holding([world], 0, {})]
        self.save(0)
        self.sessions.append(Holding([], 1 if self.store is not self.clients[1] else 0, {}))
        self.reload(1)

    @property
    def store(self) -> Any:
        return self.clients[0]

    def world(self, who: int) -> Any:
        return self.sessions[who].roots[0]

    def reload(self, who: int) -> None:
        """Let a session read its world anew."""
        session = self.sessions[who]
        wanted = self.world(0).ecs_id
        session.roots = [self.clients[who].get(wanted)]
        self.sync(session)

    # -- the model -------------------------------------------------------------------------

    def sync(self, holding: Holding) -> None:
        holding.read = {i: len(log) for i, log in self.log.items()}
        holding.seen = dict(holding.read)

    def write(self, ecs_id: UUID, now: tuple[Any, ...], client: int, beside: bool = False) -> None:
        """Say in the model that an entity has a state; once a call, or a block, a new version."""
        last = self.stored[ecs_id][0] if ecs_id in self.stored else self.gone.pop(ecs_id, 0)
        self.stored[ecs_id] = (self.before.setdefault(ecs_id, last) + 1, now)
        self.log.setdefault(ecs_id, []).append((not beside, client))

    def put(self, entities: list[Any], client: int) -> None:
        """Say in the model what storing some whole entities does."""
        before = dict(self.stored)
        inside = {e.ecs_id for e in entities}
        for entity in entities:
            old, now = before.get(entity.ecs_id), content(entity)
            if old is None or old[1] != now:
                self.write(entity.ecs_id, now, client)
        for entity in entities:
            old = before.get(entity.ecs_id)
            if not isinstance(entity, Note) or old is None:
                continue
            holder = field(old, "folder")
            moved = holder is not None and said(entity.folder) != holder
            if moved and holder not in inside and entity.ecs_id in field(before[holder], "notes"):
                left = without(self.stored[holder][1], entity.ecs_id)
                self.write(holder, left, client, beside=True)
        for entity in entities:
            if isinstance(entity, Folder) and entity.ecs_id in before:
                old_notes = field(before[entity.ecs_id], "notes")
                for member in set(old_notes) - set(said(entity.notes)) - inside:
                    cleared = replaced(self.stored[member][1], "folder", None)
                    self.write(member, cleared, client, beside=True)

    def put_alone(self, entity: Any, client: int) -> None:
        """Say in the model what storing an entity alone does."""
        old, now = self.stored.get(entity.ecs_id), content(entity)
        if isinstance(entity, Folder):  # of its notes only they themselves say that they are there
            now = replaced(now, "notes", () if old is None else field(old, "notes"))
        if old is None or old[1] != now:
            self.write(entity.ecs_id, now, client)
        if isinstance(entity, Note):
            was = None if old is None else field(old, "folder")
            here = said(entity.folder)
            if was is not None and was != here:
                left = without(self.stored[was][1], entity.ecs_id)
                self.write(was, left, client, beside=True)
            if here is not None and was != here:
                notes = (*field(self.stored[here], "notes"), entity.ecs_id)
                come = replaced(self.stored[here][1], "notes", notes)
                self.write(here, come, client, beside=True)

    @contextlib.contextmanager
    def call(self) -> Iterator[None]:
        """Make what is done inside a revision, or a part of the open block."""
        if self.inside:
            yield
            return
        self.before = {}
        yield
        if self.stored != self.snapshots[-1]:
            self.snapshots.append(dict(self.stored))

    def check(self, revision: int | None, who: int = 0) -> None:
        snapshot = self.stored if revision is None else self.snapshots[revision]
        found = self.clients[who].get_many(list(snapshot), as_of=revision)
        assert state_of(found) == snapshot
        assert state_of(walk(found).entities) == snapshot

    def is_stale(self, holding: Holding, entity: Any) -> bool:
        if not entity.version:
            return False
        log = self.log[entity.ecs_id][holding.seen.get(entity.ecs_id, 0) :]
        own = all(not saved and client == holding.client for saved, client in log)
        return entity.ecs_id not in self.stored or not own

    def check_held(self) -> None:
        """What has not been written since it was synced has the version that is stored."""
        for holding in (*self.sessions, *self.readings):
            for entity in holding.whole():
                ecs_id, seen = entity.ecs_id, holding.seen.get(entity.ecs_id, 0)
                if entity.version and ecs_id in self.stored and seen == len(self.log[ecs_id]):
                    assert entity.version == self.stored[ecs_id][0]

    def save(self, who: int) -> None:
        session, store = self.sessions[who], self.clients[who]
        entities = walk(session.roots).entities
        with self.call():
            store.register(session.roots[0])
            self.put(entities, session.client)
        assert {e.ecs_id: e.version for e in entities} == {
            e.ecs_id: self.stored[e.ecs_id][0] for e in entities
        }
        session.seen |= {e.ecs_id: len(self.log[e.ecs_id]) for e in entities}
        if not self.inside:
            assert len(store.revisions()) == len(self.snapshots) - 1
        self.check(None, who)

    def refused(self, who: int, call: Callable[[], Any], *expected: type[Exception]) -> None:
        """See that a call is refused, and changes nothing."""
        before = len(self.clients[who].revisions())
        with pytest.raises(expected):
            call()
        assert len(self.clients[who].revisions()) == before
        self.check(None, who)

    def folder(self, data: Any, who: int) -> Any:
        return data.draw(st.sampled_from(self.world(who).folders))

    def notes(self, who: int) -> list[Any]:
        return [e for e in walk(self.sessions[who].roots).entities if isinstance(e, Note)]

    # -- what is done ----------------------------------------------------------------------

    @rule(data=st.data(), who=st.integers(0, 1))
    def edit(self, data: Any, who: int) -> None:
        self.change(data, data.draw(st.sampled_from(walk(self.sessions[who].roots).entities)))

    def change(self, data: Any, entity: Any) -> None:
        if isinstance(entity, Note):
            entity.text = data.draw(st.sampled_from(["x", "y", ""]))
            entity.number = data.draw(st.sampled_from([None, 1, 2]))
        elif isinstance(entity, Folder):
            entity.name = data.draw(st.sampled_from(["a", "b"]))

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
            self.world(who).best = data.draw(st.dictionaries(names, pick, max_size=2))

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
            self.world(who).best["fork"] = forked

    @rule(data=st.data(), who=st.integers(0, 1), deep=st.booleans())
    def fork_with_parts(self, data: Any, who: int, deep: bool) -> None:
        """Fork a folder with its notes, or with all that it leads to, other folders included."""
        if len(walk(self.sessions[who].roots)) > MANY:
            return  # each deep fork may double the world
        folder = self.folder(data, who)
        parts = walk([folder]).entities if deep else [folder, *folder.notes]
        forked = folder.fork(deep=True) if deep else folder.fork(only=list(folder.notes))
        self.world(who).folders.append(forked)
        found = {e.parent_id: e for e in walk([forked]).entities if not e.version}
        assert {e.ecs_id for e in parts} <= found.keys()
        for part in parts:
            assert found[part.ecs_id].lineage_id == part.lineage_id
        assert [n.parent_id for n in forked.notes] == [n.ecs_id for n in folder.notes]

    @rule(who=st.integers(0, 1))
    def register(self, who: int) -> None:
        session = self.sessions[who]
        if not any(self.is_stale(session, e) for e in walk(session.roots).entities):
            self.save(who)
            return
        self.refused(
            who, lambda: self.clients[who].register(session.roots), errors.StaleVersionError
        )
        self.reload(who)

    @rule(data=st.data(), who=st.integers(0, 1))
    def register_alone(self, data: Any, who: int) -> None:
        session, store = self.sessions[who], self.clients[who]
        if data.draw(st.booleans()):
            self.move(data, who)
        entity = data.draw(st.sampled_from(walk(session.roots).entities[::-1]))
        self.change(data, entity)
        held = {
            r.target.ecs_id
            for r in walk([entity])
            if r.source is entity and r.target is not entity and r.field != "notes"
        }
        refused: list[type[Exception]] = []
        if self.is_stale(session, entity):
            refused.append(errors.StaleVersionError)
        if not held <= self.stored.keys():
            refused.append(errors.BrokenReferenceError)
        if refused:
            self.refused(who, lambda: store.register(entity, hops=0), *refused)
        else:
            with self.call():
                store.register(entity, hops=0)
                self.put_alone(entity, session.client)
            assert entity.version == self.stored[entity.ecs_id][0]
            session.seen[entity.ecs_id] = len(self.log[entity.ecs_id])
            self.check(None, who)

    @rule(who=st.integers(0, 1))
    def refresh(self, who: int) -> None:
        world = self.world(who)
        folders = {f.ecs_id: f for f in walk([world]).entities}
        assert self.clients[who].refresh(world) is world
        entities = walk([world]).entities
        assert state_of(entities).items() <= self.stored.items()
        for entity in entities:
            assert folders.get(entity.ecs_id, entity) is entity
        self.sync(self.sessions[who])

    @rule(data=st.data(), who=st.integers(0, 1))
    def delete(self, data: Any, who: int) -> None:
        world = self.world(0).ecs_id  # stays, or there is nothing to go on with
        wanted = data.draw(st.sampled_from(sorted(self.stored.keys() - {world})))
        kind = self.stored[wanted][1][0]
        folder = field(self.stored[wanted], "folder") if kind == "Note" else None
        left = dict(self.stored)
        if folder is not None:  # the list that the note's own reference says is not in the way
            left[folder] = (0, without(left[folder][1], wanted))
        if any(i != wanted and _holds(state, wanted) for i, state in left.items()):
            self.refused(who, lambda: self.clients[who].delete(wanted), errors.BrokenReferenceError)
            return
        with self.call():
            self.clients[who].delete(wanted)
            if folder is not None:
                self.write(folder, left[folder][1], self.sessions[who].client, beside=True)
            self.before.setdefault(wanted, self.stored[wanted][0])
            self.gone[wanted] = self.stored.pop(wanted)[0]
        self.check(None, who)

    @rule(data=st.data(), who=st.integers(0, 1))
    def revert(self, data: Any, who: int) -> None:
        revision = data.draw(st.integers(1, len(self.snapshots) - 1))
        wanted = data.draw(st.sampled_from(sorted(self.snapshots[revision])))
        store = self.clients[who]
        old = store.get(wanted, as_of=revision)
        entities = walk([old]).entities
        assert state_of(entities).items() <= self.snapshots[revision].items()
        with self.call():
            found = store.revert(wanted, to=revision)
            self.put(entities, self.sessions[who].client)
        assert {i: s[1] for i, s in state_of([found]).items()} == {wanted: content(old)}
        self.check(None, who)

    # -- several calls -------------------------------------------------------------------------

    @rule(data=st.data(), who=st.integers(0, 1), ends=st.sampled_from(["well", "raised"]))
    def block(self, data: Any, who: int, ends: str) -> None:
        """Make several calls one revision, or take all of them back."""
        before = self.marked()
        versions = [(e, e.version) for e in self.sessions[who].whole()]
        steps: list[str] = []
        with contextlib.suppress(LeftError), self.clients[who].transaction(note="block"):
            self.inside, self.before = True, {}
            steps += self.calls_in_block(data, who)
            if data.draw(st.booleans()):
                inner = self.marked()
                with contextlib.suppress(LeftError), self.clients[who].transaction():
                    steps += self.calls_in_block(data, who)
                    if data.draw(st.booleans()):
                        raise LeftError
                    inner = self.marked()
                self.go_back(inner)
                self.check(None, who)
                steps += self.calls_in_block(data, who)
            if ends == "raised":
                raise LeftError
        self.inside = False
        if ends == "raised":
            self.go_back(before)
            if "refresh" not in steps:
                assert [(e, e.version) for e, _ in versions] == versions
        else:
            for ecs_id in self.before.keys() - self.stored.keys() - before[0].keys():
                self.gone.pop(ecs_id, None)  # what was added and deleted again has never been
                if ecs_id in before[1]:
                    self.gone[ecs_id] = before[1][ecs_id]
            if self.stored != self.snapshots[-1]:
                self.snapshots.append(dict(self.stored))
        assert len(self.clients[who].revisions()) == len(self.snapshots) - 1
        self.check(None, who)
        self.check_held()

    def calls_in_block(self, data: Any, who: int) -> list[str]:
        names = ["register"] * 3 + ["register_alone"] * 2 + ["delete", "revert", "refresh"]
        names += ["edit", "append", "append", "remove", "move", "move", "link", "touch"]
        chosen = random.Random(data.draw(st.integers(0, 9999)))  # lists that are drawn are short
        steps = ["edit", *chosen.choices(names, k=chosen.randint(1, 6))]
        for name in steps:
            if name in ("register", "refresh"):
                getattr(self, name)(who)
            elif name == "append":
                self.append(data, who, first=False)
            elif name == "touch":
                self.touch(data)
            else:
                getattr(self, name)(data, who)
        return steps

    def marked(self) -> Model:
        """Return what the model says now."""
        log = {ecs_id: list(entries) for ecs_id, entries in self.log.items()}
        held = [(h, dict(h.seen), h.read) for h in (*self.sessions, *self.readings)]
        return dict(self.stored), dict(self.gone), log, dict(self.before), held

    def go_back(self, mark: Model) -> None:
        """Let the model say what it said; what was saved has seen no more than before."""
        self.stored, self.gone, self.log, self.before, held = mark
        for holding, seen, read in held:
            # What was read anew since stays so.
            known = seen if holding.read is read else holding.read
            holding.seen = {i: min(n, len(self.log.get(i, ()))) for i, n in known.items()}

    # -- loaded when touched -------------------------------------------------------------------

    @precondition(lambda self: len(self.readings) < 3)
    @rule(data=st.data(), who=st.integers(0, 1), how=st.sampled_from(["get", "find", "iterate"]))
    def read_lazily(self, data: Any, who: int, how: str) -> None:
        store = self.clients[who]
        wanted = data.draw(st.sampled_from(sorted(self.stored)))
        kind: Any = {"World": World, "Folder": Folder, "Note": Note, "Tag": Tag}[
            self.stored[wanted][1][0]
        ]
        if how == "get":
            hops = data.draw(st.sampled_from([None, 0, 1]))
            roots = [store.get(wanted, hops=hops, lazy=True)]
        elif how == "find":
            roots = store.find(kind, limit=2, lazy=True)
        else:
            roots = [next(store.iterate(kind, batch=2, lazy=True))]
        reading = Holding(roots, self.sessions[who].client, {}, then=dict(self.stored))
        self.sync(reading)
        self.readings.append(reading)
        self.check_reading(reading)

    def reading(self, data: Any) -> Holding:
        return self.readings[data.draw(st.integers(0, len(self.readings) - 1))]

    def check_reading(self, reading: Holding) -> None:
        """Whatever is loaded of it is as it was, or as it was made since."""
        for ecs_id, state in state_of(reading.whole()).items():
            assert state == reading.own.get(ecs_id, reading.then.get(ecs_id))

    @precondition(lambda self: self.readings)
    @rule(data=st.data())
    def touch(self, data: Any) -> None:
        if self.readings:
            reading = self.reading(data)
            entity = data.draw(st.sampled_from(walk(reading.roots, strict=False).entities))
            assert entity.version >= 0
            self.check_reading(reading)

    @precondition(lambda self: self.readings)
    @rule(data=st.data())
    def edit_through(self, data: Any) -> None:
        """Set a field of what may be a placeholder, or append to its list."""
        reading = self.reading(data)
        entity = data.draw(st.sampled_from(walk(reading.roots, strict=False).entities))
        if isinstance(entity, Note):
            entity.number = data.draw(st.sampled_from([None, 1, 2, 3]))
        elif isinstance(entity, Folder):
            entity.name = data.draw(st.sampled_from(["a", "b", "lazy"]))
            made = Note(folder=entity, text="lazy")
            entity.notes.append(made)
            reading.own[made.ecs_id] = (0, content(made))
        reading.own[entity.ecs_id] = (entity.version, content(entity))
        self.check_reading(reading)

    @precondition(lambda self: self.readings)
    @rule(data=st.data())
    def register_reading(self, data: Any) -> None:
        """Save what was loaded and edited; what is not loaded stays as it is, and is untouched."""
        reading = self.reading(data)
        who = next(n for n, s in enumerate(self.sessions) if s.client == reading.client)
        store = self.clients[who]
        every = walk(reading.roots).entities
        entities = reading.whole()
        beside = [e.ecs_id for e in every if is_placeholder(e)]
        if any(self.is_stale(reading, e) for e in entities):
            self.refused(who, lambda: store.register(reading.roots), errors.StaleVersionError)
            self.readings.remove(reading)
            return
        if any(i not in self.stored or self.stored[i] != reading.then[i] for i in beside):
            before = self.marked()
            try:  # what others did to what is not loaded may be in the way, or not
                with self.call():
                    store.register(reading.roots)
                    self.put(entities, reading.client)
            except (errors.BrokenReferenceError, errors.NotLoadedError):
                self.go_back(before)
                self.readings.remove(reading)
        else:
            with self.call():
                store.register(reading.roots)
                self.put(entities, reading.client)
        assert [e.ecs_id for e in every if is_placeholder(e)] == beside
        if reading in self.readings:
            reading.seen |= {e.ecs_id: len(self.log[e.ecs_id]) for e in entities}
            reading.own |= state_of(entities)
            self.check_reading(reading)
            self.check_held()
        self.check(None, who)

    @precondition(lambda self: len(self.readings) < 3)
    @rule(data=st.data(), who=st.integers(0, 1), how=st.sampled_from(["get", "find", "iterate"]))
    def read_while_others_save(self, data: Any, who: int, how: str) -> None:
        """Touch and edit a lazy reading between what another client saves."""
        self.read_lazily(data, who, how)
        chosen = random.Random(data.draw(st.integers(0, 9999)))
        for step in chosen.choices(["touch", "touch", "edit", "save", "others"], k=5):
            if step == "others":
                self.edit(data, 1 - who)
                self.append(data, 1 - who, first=True)
                self.register(1 - who)
            elif self.readings:
                steps = {"touch": self.touch, "edit": self.edit_through}
                steps.get(step, self.register_reading)(data)

    @precondition(lambda self: self.readings)
    @rule(data=st.data(), how=st.sampled_from(["drop", "refresh", "merge"]))
    def end_reading(self, data: Any, how: str) -> None:
        """Let go of a reading; or bring all of it up to date."""
        reading = self.reading(data)
        self.readings.remove(reading)
        there = all(root.ecs_id in self.stored for root in reading.roots)
        if how == "drop" or not there or reading.own:
            return
        who = next(n for n, s in enumerate(self.sessions) if s.client == reading.client)
        getattr(self.clients[who], how)(reading.roots)
        found = walk(reading.roots).entities
        assert not any(map(is_placeholder, found))
        assert state_of(found).items() <= self.stored.items()

    # -- looking -------------------------------------------------------------------------------

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
        if not hasattr(self, "snapshots"):
            return
        for revision in range(1, len(self.snapshots)):
            self.check(revision)
        for reading in self.readings:
            while left := [e for e in walk(reading.roots).entities if is_placeholder(e)]:
                assert left[0].version > 0
            self.check_reading(reading)
        problems = self.store.verify()
        assert not len(problems), problems.to_string()
        for store in self.clients:
            store.close()


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
    max_examples=20 if in_ci() else 10,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes many minutes here
)


class InMemory(Machine):
    def open_clients(self) -> list[Any]:
        return [ev.InMemoryEntityStorage()] * 2


class OnSQLite(Machine):
    def open_clients(self) -> list[Any]:
        return [ev.SQLAlchemyEntityStorage(":memory:")] * 2


class TwoClients(Machine):
    """Each session has a storage of its own, on one file."""

    def open_clients(self) -> list[Any]:
        self.home = TemporaryDirectory()
        path = Path(self.home.name, "a.db")
        return [ev.SQLAlchemyEntityStorage(path) for _ in "ab"]

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "home"):
            self.home.cleanup()


TestInMemory = InMemory.TestCase
TestInMemory.settings = RUNS
TestOnSQLite = OnSQLite.TestCase
TestOnSQLite.settings = RUNS
TestTwoClients = TwoClients.TestCase
TestTwoClients.settings = RUNS
