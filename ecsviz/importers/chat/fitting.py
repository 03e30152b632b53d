"""An import that is to be stored, fitted to what the store has of the same chats.

A chat that goes by an id that is unique in the world is found by its UUID; others by their ids and
what they say: whatever UUID a store has for them, and from wherever they were read, they stay one.
What both have is brought together in `union`.
"""

from __future__ import annotations

import operator
import warnings
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

import numpy as np

from ecsviz.basics.garbage import collector_paused
from ecsviz.basics.outside import outside
from ecsviz.basics.text import counted
from ecsviz.domain.chat import ChatThread
from ecsviz.domain.walk import Walk
from ecsviz.importers.chat.agreeing import is_older
from ecsviz.importers.chat.arrived import (
    CONFLICT,
    DELETED,
    Arriving,
    Candidate,
    ChatImportWarning,
    ImportedTogether,
    SourceOrigin,
    left_out_of,
)
from ecsviz.importers.chat.finding import Finder
from ecsviz.importers.chat.said import ChatRecord, Said
from ecsviz.importers.chat.union import Union
from ecsviz.storage.arriving import origin_of
from ecsviz.storage.remembered import is_forgetful

if TYPE_CHECKING:
    from ecsviz.storage.comparing import VersionedStorage


@dataclass(slots=True, eq=False)
class ChatOrigin(SourceOrigin):
    """Where a thread comes from; it is fitted to what a store has."""

    @classmethod
    def fit(cls, store: VersionedStorage, arriving: Sequence[tuple[Any, Self]]) -> Fitting:
        """Fit threads to what a store has. Nothing is written."""
        fitting = Fitting(store, [Arriving(thread, origin) for thread, origin in arriving])
        fitting.fit()
        return fitting


@dataclass(slots=True, eq=False)
class Fitting:
    """Threads fitted to a store; see `ecsviz.storage.arriving.Fitted`.

    Parameters
    ----------
    store
        The store.
    arriving
        The threads.
    """

    store: VersionedStorage
    arriving: list[Arriving]
    is_linked_anew: bool = False
    _out: set[int] = field(default_factory=set)
    _gone: set[int] = field(default_factory=set)

    def fit(self) -> None:
        """Give threads the ids that they have in the store, and what it has more.

        Notes
        -----
        A number of statements that does not grow with the threads. Of a chat that is stored as its
        source has said, no message is read.
        """
        with collector_paused(), self.store.inside.one_state():
            for each in self.arriving:
                self._begin(each)
            finder = Finder(self.store, self.arriving)
            finder.find()
            self._bring_together(finder)
            for each in self.arriving:
                self.store.inside.watch([each.thread, *each.thread.messages])

    def is_left_out(self, entity: Any) -> bool:
        """Tell whether an entity is as it is stored, or is not to be stored."""
        if id(entity) in self._out:
            return True
        thread = entity.__dict__.get("thread")
        return id(thread) in self._out and isinstance(thread, ChatThread)

    def begin(self, found: Walk | None) -> None:
        """Tell what is kept of the store. What is deleted, and held by others, comes back."""
        for each in self.arriving:
            if each.is_deleted:
                if found is not None and found.position(each.thread) is not None:
                    each.found = None
                else:
                    each.tell("the thread", DELETED)
            for problem in each.problems:
                each.origin.whole.tell(problem)

    def settle(self, alone: list[Any] | None, left_out: list[Any]) -> None:
        """Note what the sources have said, now that it is saved."""
        self._warn(left_out)
        parts: dict[tuple[UUID, int], bytes] = {}
        saved = None if alone is None else set(map(id, alone))
        for each in self.arriving:
            thread, record = each.thread, each.record
            if each.is_deleted or not thread.version:
                continue
            if record is not None:
                if saved is not None:
                    before = None if each.found is None else each.found.record
                    record = record.of_some(saved, thread, before or ChatRecord.unknown())
                    each.whole = False
                record = record.settled(thread, each.whole)
                parts |= {(thread.ecs_id, n): part for n, part in record.written().items()}
            if saved is not None:
                continue  # the rest of it still arrives
            each.origin.settle(self.store, thread.version)
            taken = each.origin.whole.taken.setdefault(self.store, {})
            taken[thread.ecs_id] = weakref.ref(thread)
        if parts:
            self.store.inside.origins.keep(parts)

    def _warn(self, left_out: list[Any]) -> None:
        """Warn of what was given itself, and is not stored since it was deleted there."""
        gone = {id(each.thread): each for each in self.arriving if each.is_deleted}
        told: dict[ImportedTogether, list[Any]] = {}
        for entity in left_out:
            thread = entity.__dict__.get("thread", entity)
            if id(thread) in gone or id(entity) in self._gone:
                told.setdefault(origin_of(thread).whole, []).append(entity)
        for whole, some in told.items():
            if whole.left_out is not None:
                whole.left_out += some
            else:
                warnings.warn(left_out_of(self.store, some), ChatImportWarning, outside())

    # -- which is which ----------------------------------------------------------------------

    def _begin(self, each: Arriving) -> None:
        """Let a thread go by its own id, whatever it has been in another store."""
        held, thread = each.origin.held, each.thread
        if held.is_moved:
            held.is_moved = False
            thread.__dict__.update(ecs_id=held.own_id, lineage_id=held.own_id)
            for n, message in enumerate(held.messages):
                ecs_id = held.said.ids[n]
                message.__dict__.update(ecs_id=ecs_id, lineage_id=ecs_id)

    # -- bringing together -------------------------------------------------------------------

    def _bring_together(self, finder: Finder) -> None:
        """Give threads what the store has."""
        versions = self._versions()
        slow = []
        for each in self.arriving:
            if each.is_deleted:
                self._out.add(id(each.thread))
            elif each.found is not None:
                if not self._go_on(each, each.found, versions):
                    slow.append(each)
            elif each.ids is not each.said.ids or any(i in versions for i in each.ids):
                slow.append(each)
            else:
                each.record = ChatRecord.of_said(each.said)
                if is_forgetful():  # nobody can have changed it since it was read
                    each.whole = True
        unread = [each.found for each in slow if each.found and each.found.thread is None]
        whole = finder.read(found.ecs_id for found in unread)
        for found in unread:
            found.thread = whole.get(found.ecs_id)
        elsewhere = frozenset(versions) | self._deleted(slow, versions)
        for each in slow:
            self._unite(each, elsewhere)

    def _versions(self) -> dict[UUID, int]:
        """Return the versions of all messages that are, or may be, stored."""
        ids: dict[UUID, None] = {}
        for each in self.arriving:
            if not each.is_deleted:
                ids |= dict.fromkeys(each.ids)
                ids |= dict.fromkeys(each.found.record.ids if each.found is not None else ())
        return self.store.inside.stored_versions(list(ids))

    def _go_on(self, each: Arriving, found: Candidate, versions: Mapping[UUID, int]) -> bool:
        """Let a thread go on from what is stored, if that is as its source has said; tell whether.

        Notes
        -----
        Then nothing of it has to be read: the thread has all of it.
        """
        record, held, thread, at = found.record, each.origin.held, each.thread, each.at
        known = [n for n, place in enumerate(at) if place >= 0]
        said = held.said
        is_so = (
            record.whole
            and record.version == found.version
            and list(map(versions.get, record.ids)) == record.versions
            and not held.left
            and len(thread.messages) == len(held.messages)
            and all(map(operator.is_, thread.messages, held.messages))
            and [at[n] for n in known] == list(range(len(record.ids)))
            and [said.ids[n] for n in known] == record.ids
            and not any(said.ids[n] in versions for n, place in enumerate(at) if place < 0)
            and not is_older(said, record, at)
        )
        if not is_so:
            return False
        names = tuple(dict.fromkeys((*said.table.names, *record.table.names)))
        rows, before = said.table.under(names), record.table.under(names)
        if not np.array_equal(rows[known], before):
            return False
        edited = not (is_forgetful() or Said.of(thread, thread.messages).says_the_same(said))
        thread.__dict__["version"] = found.version
        for n, version in zip(known, record.versions, strict=True):
            held.messages[n].__dict__["version"] = version
        if not edited and said.says_the_same(record):
            self._out.add(id(thread))
        else:
            each.record = replace(ChatRecord.of_said(said), parts=record.parts)
            each.whole = not edited
        return True

    def _deleted(self, some: Iterable[Arriving], versions: Mapping[UUID, int]) -> set[UUID]:
        """Return what was stored once, of which nobody has noted what its source said."""
        asked: dict[UUID, None] = {}
        for each in some:
            found = each.found
            if found is not None and not found.record.parts:
                new = (i for i, place in zip(each.ids, each.at, strict=True) if place < 0)
                asked |= dict.fromkeys(i for i in new if i not in versions)
        return {i for i, _ in self.store.inside.first_revisions(list(asked))} if asked else set()

    def _unite(self, each: Arriving, elsewhere: frozenset[UUID]) -> None:
        """Bring a thread together with the stored one."""
        self.is_linked_anew = True
        found = each.found
        union = Union(
            each.origin.held,
            None if found is None else found.thread,
            ChatRecord.unknown() if found is None else found.record,
            elsewhere,
            each.at,
        )
        each.record = union.run()
        if told := union.told():
            each.tell("what this copy has not", f"the store has {told}; kept")
        if union.deleted:
            self._gone |= set(map(id, union.deleted))
            self._out |= self._gone
            gone = counted(len(union.deleted), "message")
            each.tell("what was deleted or moved in the store", f"{gone}; left out")
        for conflict in union.conflicts:
            node = None if conflict.message is None else conflict.message.source_id
            each.tell(conflict.shown, CONFLICT, node, conflict.said)
        if not union.changed and found is not None:
            self._out.add(id(each.thread))
