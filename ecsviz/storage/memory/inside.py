"""The inside of an InMemoryEntityStorage: what it keeps, saved and looked at."""

from __future__ import annotations

import functools
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from uuid import UUID

from ecsviz.basics.garbage import collector_paused
from ecsviz.basics.interrupts import deferred_interrupt
from ecsviz.domain.entity_class import type_key
from ecsviz.domain.objects import is_placeholder
from ecsviz.domain.walk import Walk
from ecsviz.errors import StorageBusyError
from ecsviz.storage.as_of import AsOf
from ecsviz.storage.checks import check_note
from ecsviz.storage.looking import Contents, Identity, Page, PageColumn, StoredClass, Wanted
from ecsviz.storage.memory.find import find_records, identities_of
from ecsviz.storage.memory.kept import Kept, Record
from ecsviz.storage.memory.loading import check_classes, load, load_lazily, records_of
from ecsviz.storage.memory.pages import columns_of, page_of
from ecsviz.storage.memory.saving import MemorySave
from ecsviz.storage.memory.text_search import is_indexed
from ecsviz.storage.protocol import Extent
from ecsviz.storage.renewal import walk_to_save
from ecsviz.storage.search import Search
from ecsviz.storage.spans import NEVER, Past, Reached, since_oldest
from ecsviz.storage.together import Together, Waymark

TIMEOUT = 5.0
"""Seconds to wait for another thread's transaction: as long as a database is waited for."""


class MemoryTogether(Together):
    """An open transaction of several calls on a storage in memory, with its own copy of it."""

    def __init__(self, kept: Kept) -> None:
        super().__init__(kept.newest + 1, "this storage in memory")
        self.kept = kept.copy()
        self.kept.together = self
        self.parts: list[tuple[Waymark, Kept]] = []


class MemoryOrigins:
    """What sources have said of entities; see `looking.Origins`."""

    def __init__(self, inside: MemoryInside) -> None:
        self._inside = inside

    @property
    def store(self) -> str | None:
        """None: nobody else can open it."""
        return None

    def hold(self) -> AbstractContextManager[Any]:
        """Hold the storage: nobody else saves meanwhile."""
        return self._inside.writing()

    def of(self, ids: list[UUID]) -> dict[UUID, dict[int, bytes]]:
        """Return what was noted of some entities."""
        kept = self._inside.kept
        with kept.lock:
            return {i: dict(kept.origins[i]) for i in ids if i in kept.origins}

    def keep(self, parts: Mapping[tuple[UUID, int], bytes]) -> None:
        """Note parts in the place of those that there are."""
        with self._inside.writing() as kept, deferred_interrupt():
            for (ecs_id, number), said in parts.items():
                kept.origins.setdefault(ecs_id, {})[number] = said
            if kept.together is not None:
                kept.together.beside = True


class MemoryInside:
    """What is kept in memory, as the rooms of ecsviz ask for it; see `looking.Inside`.

    Attributes
    ----------
    kept
        What is kept; whoever looks at it takes its lock.
    """

    def __init__(self) -> None:
        self._kept = Kept()
        self.blocks: list[Any] = []
        self.origins = MemoryOrigins(self)
        self._together: MemoryTogether | None = None
        self._ended = threading.Condition(self._kept.lock)  # type: ignore[arg-type]  # an RLock

    @property
    def kept(self) -> Kept:
        """What is kept: in a transaction of several calls, its own copy."""
        open_ = self._here()
        return self._kept if open_ is None else open_.kept

    def one_state(self) -> AbstractContextManager[Any]:
        """Hold one state of the storage."""
        return self.kept.lock

    # -- several calls -----------------------------------------------------------------------

    def _here(self) -> MemoryTogether | None:
        open_ = self._together
        return open_ if open_ is not None and open_.is_here() else None

    @contextmanager
    def writing(self) -> Iterator[Kept]:
        """Hold what is kept in order to change it, when no other thread's transaction is open."""
        open_ = self._here()
        if open_ is not None:
            yield open_.kept
            return
        with self._kept.lock:
            self._wait()
            yield self._kept

    def _wait(self) -> None:
        """Wait for the end of a transaction of another thread."""
        if not self._ended.wait_for(lambda: self._together is None, TIMEOUT):
            raise StorageBusyError(
                f"This storage in memory: a transaction in another thread was open for more than"
                f" {TIMEOUT:g} s. Nothing was saved; try again when its block is left.",
                waited=TIMEOUT,
            )
        self.check_open()

    def begin(self, note: str | None) -> None:
        """Begin a transaction of several calls, or a part of the open one; see `together`."""
        open_ = self._here()
        if open_ is None:
            with self._kept.lock:
                self._wait()
                self._together = MemoryTogether(self._kept)
                self._together.say(note)
            return
        open_.parts.append((open_.mark(), open_.kept.copy()))
        open_.say(note)

    def watch(self, entities: Iterable[Any]) -> None:
        """Note live objects that have taken over what was read; see `looking.Inside`."""
        open_ = self._here()
        if open_ is not None:
            open_.watch(entities)

    def on_back(self, call: Callable[[], None]) -> None:
        """Call something if the open transaction is taken back; see `looking.Inside`."""
        open_ = self._here()
        if open_ is not None:
            open_.on_back(call)

    def end(self, *, well: bool) -> None:
        """End what was begun last; see `together`."""
        open_ = self._together
        assert open_ is not None
        if open_.parts:
            mark, before = open_.parts.pop()
            if not well:
                open_.back(mark)
                open_.kept = before
            return
        done = well and open_.of_this_thread
        with self._kept.lock, deferred_interrupt():
            if done and any(open_.counts):
                open_.kept.forget(open_.forget_vanished())
                open_.kept.note(None, 0, 0, 0)
                self._kept.take(open_.kept)
            elif done and open_.beside:
                self._kept.origins = open_.kept.origins
            if done:
                open_.stay()
            self._together = None
            open_.leave(back=not (done and any(open_.counts)))
            self._ended.notify_all()
        if well and not done:
            raise open_.left_elsewhere()

    def close(self) -> None:
        """Let go of everything; TransactionError is raised in the midst of a transaction."""
        if self._together is not None:
            raise self._together.not_at_its_end()
        self._kept.close()

    def check_open(self) -> None:
        """Raise StorageClosedError if the storage was closed."""
        with self.kept.lock:
            pass

    def check_writable(self, alone: str = "") -> None:
        """Raise StorageClosedError if the storage was closed; see `looking.Inside`."""
        self.check_open()
        self.check_alone(alone)

    def check_alone(self, what: str) -> None:
        """Raise TransactionError if something is called that cannot be one of several calls."""
        open_ = self._here()
        if what and open_ is not None:
            raise open_.cannot_have(what)

    def walk(self, roots: list[Any]) -> Walk:
        """Walk entities that are to be saved; see `looking.Inside`."""
        return walk_to_save(roots)

    def save(
        self,
        found: Walk,
        note: str | None,
        added_since: AsOf = None,
        alone: int | None = None,
    ) -> None:
        """Store a walk; see `looking.Inside`."""
        check_note(note)
        with self.writing() as kept:
            types = check_classes(kept, map(type, found.entities))
            before = None if added_since is None else kept.at(added_since)
            save = MemorySave(found, kept, before, alone)
            save.run()
            added = sum(ecs_id not in kept.records for ecs_id in save.records)
            # In one go, whatever interrupt comes: nothing of this can fail any more.
            with deferred_interrupt():
                kept.types.update(types)
                written = save.records.keys() & save.inside
                kept.effects.forget(written)
                raised = save.raised
                kept.effects.note(raised)
                holders = [e for e in save.came_to if raised.get(e.ecs_id, (0,))[0] == e.version]
                kept.supersede([*save.records, *save.gone], save.revision)
                kept.store(save.records)
                kept.remove(save.gone, save.revision)
                if save.records:
                    kept.note(note, added, len(save.records) - added, len(save.gone))
                if kept.together is not None:
                    kept.together.outdate(written)
                for entity in (*found.entities[:alone], *holders):
                    if is_placeholder(entity):
                        continue
                    version = kept.records[entity.ecs_id].version
                    if kept.together is None:
                        entity.__dict__["version"] = version
                    else:
                        kept.together.tell(entity, version)

    # -- asking ------------------------------------------------------------------------------

    def read(self, ids: list[UUID], extent: Extent, as_of: AsOf) -> list[Any]:
        """Return the entities of some ids; see `looking.Inside`."""
        kept = self.kept
        with kept.lock, collector_paused():
            if extent.lazy:
                self.check_alone("lazy=True")
                return load_lazily(kept, as_of, ids, extent.hops, extent.only)
            return load(kept, kept.at(as_of), ids, extent.hops, extent.only)

    def find(self, wanted: Search, extent: Extent, as_of: AsOf) -> list[Any]:
        """Return the entities that fit; see `looking.Inside`."""
        with self.kept.lock:
            found = self._fitting(self.kept.at(as_of), wanted)
            return self.read([record.ecs_id for record in found], extent, as_of)

    def count(self, wanted: Search, as_of: AsOf) -> int:
        """Return how many fit, up to the limit."""
        with self.kept.lock:
            return len(self._fitting(self.kept.at(as_of), wanted))

    def batches(
        self, wanted: Search, size: int, extent: Extent, as_of: AsOf
    ) -> Iterator[list[Any]]:
        """Yield the entities that fit, some at a time; see `looking.Inside`."""
        kept = self.kept
        with kept.lock:
            stored = dict(kept.at(as_of))
            at = kept.newest if as_of is None else kept.revision_at(as_of)
            ids = [record.ecs_id for record in self._fitting(stored, wanted)]
            check = None if kept.together is None else kept.together.seen()
        parts = [ids[n : n + size] for n in range(0, len(ids), size)]
        return self._loaded(stored, parts, extent, at, check)

    def _loaded(
        self,
        stored: Mapping[UUID, Record],
        parts: list[list[UUID]],
        extent: Extent,
        at: int,
        check: Callable[[], None] | None,
    ) -> Iterator[list[Any]]:
        for ids in parts:
            if check is not None:
                check()
            if extent.lazy:
                yield self.read(ids, extent, at)
                continue
            with self.kept.lock, collector_paused():
                found = load(self.kept, stored, ids, extent.hops, extent.only)
            yield found

    def _fitting(self, stored: Mapping[UUID, Record], wanted: Search) -> list[Record]:
        records = records_of(stored, wanted.cls)
        check_classes(self.kept, {record.cls for record in records})
        return find_records(stored, records, wanted)

    # -- ids and versions --------------------------------------------------------------------

    def identities(
        self,
        cls: type,
        names: Sequence[str],
        columns: Sequence[list[Any]],  # noqa: ARG002 - to keep an index of values is not worth it
        ids: Collection[UUID],  # noqa: ARG002 - all are returned
    ) -> list[Identity]:
        """Return who is stored of a class, whatever is looked for; O(entities)."""
        with self.kept.lock:
            return identities_of(records_of(self.kept.records, cls), names)

    def every_id(self, as_of: AsOf) -> list[UUID]:
        """Return the ids of everything that is, or was, stored."""
        with self.kept.lock:
            return list(self.kept.at(as_of))

    def stored_versions(self, ids: list[UUID]) -> dict[UUID, int]:
        """Return the versions of those that are stored."""
        with self.kept.lock:
            records = self.kept.records
            return {i: records[i].version for i in ids if i in records}

    def first_revisions(self, ids: list[UUID]) -> dict[tuple[UUID, int], int]:
        """Return for every version of some entities the revision that made it."""
        with self.kept.lock:
            result: dict[tuple[UUID, int], int] = {}
            for ecs_id in ids:
                for record, _ in self.kept.states(ecs_id):
                    result.setdefault((ecs_id, record.version), record.revision)
            return result

    def past(self, ecs_id: UUID) -> tuple[Past, int]:
        """Return the past of an entity, and the oldest revision that is kept."""
        with self.kept.lock:
            oldest = self.kept.pruned
            there = since_oldest([(r.revision, until) for r, until in self._spans(ecs_id)], oldest)
            reached = Reached({ecs_id: there})
            while fresh := reached.fresh():
                for node in fresh:
                    for record, until in self._spans(node):
                        reached.say(node, record.revision, until)
                        for other in set(record.held):
                            reached.refer(node, other, record.revision, until)
            return Past(there, reached.changes()), oldest

    def _spans(self, ecs_id: UUID) -> list[tuple[Record, int]]:
        states = self.kept.states(ecs_id)
        return [(record, NEVER if until is None else until) for record, until in states]

    # -- looking -----------------------------------------------------------------------------

    def contents(self) -> Contents:
        """Return what is stored, for people."""
        with self.kept.lock:
            revisions = self.kept.revisions
            counts = Counter(record.cls.__name__ for record in self.kept.records.values())
            last = (revisions[-1][1], revisions[-1][2]) if revisions else None
            types: list[tuple[str, str | None, int]] = [(n, None, k) for n, k in counts.items()]
            return Contents("in memory", types, len(revisions), last)

    def drawn(self) -> list[type]:
        """Return the stored classes; there are no tables here."""
        with self.kept.lock:
            records = self.kept.records.values()
            return list({type_key(record.cls): record.cls for record in records}.values())

    def classes(self) -> list[StoredClass]:
        """Return the stored classes, by name."""
        with self.kept.lock:
            counts = Counter(record.cls.__name__ for record in self.kept.records.values())
        return [StoredClass(name, count, True) for name, count in sorted(counts.items())]

    def columns(self, name: str) -> list[PageColumn]:
        """Return the columns that pages of a class have."""
        return columns_of(self._records(name))

    def page(self, name: str, wanted: Wanted) -> Page:
        """Return a page of a class."""
        is_so = functools.partial(is_indexed, self.kept)
        return page_of(self._records(name), wanted, is_so)

    def class_of(self, ecs_id: UUID) -> str | None:
        """Return the name of the class of an entity, None if it is not stored."""
        with self.kept.lock:
            record = self.kept.records.get(ecs_id)
            return None if record is None else record.cls.__name__

    def place(self, name: str, ecs_id: UUID) -> int:
        """Return how many entities of a class were stored before one; 0 if it is gone."""
        ids = [record.ecs_id for record in self._records(name)]
        return ids.index(ecs_id) if ecs_id in ids else 0

    def holders(self, ecs_id: UUID, limit: int) -> tuple[list[UUID], int]:
        """Return the first entities that hold one, and how many do; O(references)."""
        with self.kept.lock:
            records = self.kept.records.values()
            found = [r for r in records if ecs_id in r.held and r.ecs_id != ecs_id]
        found.sort(key=lambda record: (record.cls.__name__, record.number))
        return [record.ecs_id for record in found[:limit]], len(found)

    def _records(self, name: str) -> list[Record]:
        with self.kept.lock:
            found = [r for r in self.kept.records.values() if r.cls.__name__ == name]
        return sorted(found, key=lambda record: record.number)
