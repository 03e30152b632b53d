"""What a storage in memory keeps: the present states, those of the past, and the revisions."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn
from uuid import UUID

from ecsviz.errors import StorageClosedError
from ecsviz.storage.as_of import AsOf, check_as_of
from ecsviz.storage.checks import SideEffects
from ecsviz.storage.reports import Revision
from ecsviz.storage.together import Together, What


@dataclass(frozen=True, slots=True)
class Held:
    """What stands for an entity in a stored state."""

    ecs_id: UUID


@dataclass(frozen=True, slots=True)
class Record:
    """One entity as it is stored.

    Attributes
    ----------
    number
        When it was stored first.
    revision
        Since when it is so.
    state
        The user's fields; in them, a `Held` in the place of every entity.
    held
        The ids of all entities in `state`, as often as they are there.
    """

    cls: type
    ecs_id: UUID
    lineage_id: UUID
    parent_id: UUID | None
    version: int
    number: int
    revision: int
    state: dict[str, Any]
    held: tuple[UUID, ...]


class _Closed(AbstractContextManager[None]):
    """Stands for the lock of a storage that was closed."""

    def __enter__(self) -> NoReturn:
        raise StorageClosedError(
            "This storage was closed, and as it lay in memory, what it held is gone."
            " ev.SQLAlchemyEntityStorage('threads.db') keeps it."
        )

    def __exit__(self, *_: object) -> None:
        pass


class Kept:
    """Everything that a storage in memory keeps.

    Attributes
    ----------
    lock
        Every method of the storage takes it; of a closed one it cannot be taken.
    records
        The present states.
    past
        Those before, each with the revision until when.
    deleted
        Version and revision of what is gone.
    types
        Per class what it stores.
    revisions
        What `revisions_frame` shows.
    texts
        Class and name of fields → whether they are indexed, as it was said of the class.
    origins
        What sources have said of entities, in parts.
    effects
        What the storage has changed by itself.
    pruned
        The oldest revision that can still be looked at.
    together
        The transaction of several calls whose own copy this is.
    """

    def __init__(self) -> None:
        self.lock: AbstractContextManager[Any] = threading.RLock()
        self.effects = SideEffects()
        self.pruned = 0
        self.together: Together | None = None
        self._begin()

    def _begin(self) -> None:
        self.records: dict[UUID, Record] = {}
        self.past: dict[UUID, list[tuple[Record, int]]] = {}
        self.deleted: dict[UUID, tuple[int, int]] = {}
        self.types: dict[tuple[str, str], dict[str, str]] = {}
        self.revisions: list[Revision] = []
        self.texts: dict[tuple[tuple[str, str], str], bool] = {}
        self.origins: dict[UUID, dict[int, bytes]] = {}

    def copy(self) -> Kept:
        """Return a copy, which can be changed while others read this. O(what is stored)."""
        made = Kept()
        made.together = self.together
        made.take(self)
        made.effects = self.effects.copy()
        made.records, made.deleted = dict(self.records), dict(self.deleted)
        made.past = {ecs_id: list(states) for ecs_id, states in self.past.items()}
        made.types, made.revisions = dict(self.types), list(self.revisions)
        made.texts = dict(self.texts)
        made.origins = {ecs_id: dict(parts) for ecs_id, parts in self.origins.items()}
        return made

    def take(self, other: Kept) -> None:
        """Become what a copy has become."""
        self.effects.take(other.effects)
        self.pruned = other.pruned
        self.records, self.past, self.deleted = other.records, other.past, other.deleted
        self.types, self.revisions, self.texts = other.types, other.revisions, other.texts
        self.origins = other.origins

    def close(self) -> None:
        """Let go of everything."""
        with suppress(StorageClosedError), self.lock:
            self.lock = _Closed()
            self._begin()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return isinstance(self.lock, _Closed)

    # -- revisions ---------------------------------------------------------------------------

    @property
    def newest(self) -> int:
        """The number of the newest revision, 0 if there is none."""
        return self.revisions[-1][0] if self.revisions else 0

    @property
    def next(self) -> int:
        """The number of the revision that is about to be made."""
        return self.newest + 1 if self.together is None else self.together.number

    @property
    def last(self) -> Mapping[UUID, int]:
        """The versions before the transaction of what several calls have written."""
        return {} if self.together is None else self.together.before

    def revision_at(self, as_of: AsOf) -> int:
        """Return the number of the revision that `as_of=` names."""
        asked = check_as_of(as_of, self.newest, self.pruned)
        if isinstance(asked, int):
            return asked
        found = max((r[0] for r in self.revisions if r[1] <= asked), default=0)
        check_as_of(found, self.newest, self.pruned)
        return found

    def at(self, as_of: AsOf) -> Mapping[UUID, Record]:
        """Return what was stored as of a revision or a time."""
        if as_of is None:
            return self.records
        as_of = self.revision_at(as_of)
        return self.records if as_of == self.newest else _Then(self, as_of)

    def states(self, ecs_id: UUID) -> list[tuple[Record, int | None]]:
        """Return the states of an entity, oldest first, each with the revision until when."""
        states: list[tuple[Record, int | None]] = [*self.past.get(ecs_id, ())]
        if ecs_id in self.records:
            states.append((self.records[ecs_id], None))
        return states

    # -- changing ----------------------------------------------------------------------------

    def supersede(self, ids: Iterable[UUID], until: int) -> None:
        """Keep the states that are about to be superseded."""
        for ecs_id in ids:
            if ecs_id in self.records and self.records[ecs_id].revision < until:
                self.past.setdefault(ecs_id, []).append((self.records[ecs_id], until))

    def remove(self, ids: Iterable[UUID], revision: int) -> None:
        """Take entities away, and remember that they are gone."""
        for ecs_id in ids:
            version = self.records.pop(ecs_id).version
            self.deleted[ecs_id] = (version, revision)
            if self.together is not None:
                self.together.note(ecs_id, What.DELETED, version)

    def store(self, records: Mapping[UUID, Record]) -> None:
        """Store states, of what was deleted before too."""
        together = self.together
        for ecs_id, record in records.items():
            old, gone = self.records.get(ecs_id), self.deleted.pop(ecs_id, None)
            if together is not None:
                if gone is not None and ecs_id not in together.before:
                    together.buried[ecs_id] = gone
                what = What.ADDED if old is None else What.CHANGED
                together.note(ecs_id, what, record.version - 1)
        self.records.update(records)

    def forget(self, ids: Iterable[UUID]) -> None:
        """Forget what was added and deleted again by the several calls of one transaction."""
        buried = {} if self.together is None else self.together.buried
        for ecs_id in ids:
            del self.deleted[ecs_id]
            if ecs_id in buried:
                self.deleted[ecs_id] = buried[ecs_id]

    def note(self, note: str | None, added: int, changed: int, deleted: int) -> None:
        """Note a revision; in a transaction of several calls theirs, once more."""
        number, now = self.next, datetime.now(UTC).replace(tzinfo=None)
        if self.together is not None:
            self.together.say(note)
            note, (added, changed, deleted) = self.together.text, self.together.counts
            if self.newest == number:
                self.revisions.pop()
        self.revisions.append((number, now, note, added, changed, deleted))


class _Then(Mapping[UUID, Record]):
    """What was stored as of a revision, each looked up when it is asked for."""

    def __init__(self, kept: Kept, revision: int) -> None:
        self._kept = kept
        self._revision = revision

    def __getitem__(self, ecs_id: UUID) -> Record:
        now = self._kept.records.get(ecs_id)
        if now is not None and now.revision <= self._revision:
            return now
        for record, until in self._kept.past.get(ecs_id, ()):
            if record.revision <= self._revision < until:
                return record
        raise KeyError(ecs_id)

    def __iter__(self) -> Iterator[UUID]:
        every = dict.fromkeys([*self._kept.records, *self._kept.past])
        return (ecs_id for ecs_id in every if ecs_id in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)
