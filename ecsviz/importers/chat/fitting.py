"""An import that is to be stored, fitted to what the store has of the same chats.

A chat that goes by an id that is unique in the world is found by its UUID; others by their ids and
what they say: whatever UUID a store has for them, and from wherever they were read, they stay one.
What both have is brought together in `union`.
"""

from __future__ import annotations

import operator
import warnings
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

import numpy as np

from ecsviz.basics.garbage import collector_paused
from ecsviz.basics.outside import outside
from ecsviz.basics.text import counted
from ecsviz.domain.chat import ChatThread
from ecsviz.domain.walk import Walk
from ecsviz.errors import short_repr
from ecsviz.importers.chat.identity import ThreadKey
from ecsviz.importers.chat.live import LiveChat
from ecsviz.importers.chat.said import ChatRecord, Said, pairs
from ecsviz.importers.chat.source import ChatProblem
from ecsviz.importers.chat.union import Union, agree, is_older
from ecsviz.storage.arriving import origin_of

if TYPE_CHECKING:
    from ecsviz.storage.comparing import VersionedStorage

AMBIGUOUS = "another chat goes by it; kept as a thread of its own"

CONFLICT = "changed in the store, and in the source since; the store's is kept"

DELETED = "deleted in the store; left out (a fork of it would be stored)"


class ChatImportWarning(UserWarning):
    """Something of a chat could not be placed as its source has it, or is not stored."""


def left_out_of(store: VersionedStorage, some: list[Any]) -> str:
    """Return the text of a warning of what was deleted in a store, and is not stored again."""
    first = some[0]
    named = short_repr(first.source_id or getattr(first, "title", None) or str(first.ecs_id))
    more = f" and {len(some) - 1:,} more" if len(some) > 1 else ""
    when = store.history(first.ecs_id)["revision"].tolist()
    way = f"store.revert({str(first.ecs_id)!r}, to={when[-1] - 1}), or " if when else ""
    return (
        f"{type(first).__name__} {named}{more} was deleted in this store, and is not stored again."
        f" Bring it back with {way}store a copy with ids of its own: register what its"
        " fork(deep=True) returns. The import's .problems tell of the rest."
    )


@dataclass(slots=True, eq=False)
class ImportedTogether:
    """An import as a whole, of which each thread knows.

    Attributes
    ----------
    problems
        Told what is kept of a store, and what is ambiguous.
    taken
        Per store which stored threads are threads of this import.
    left_out
        What was given to a store and was deleted there, where that is told at the end; None if it
        is warned of at once.
    """

    problems: list[ChatProblem]
    left_out: list[Any] | None = None
    taken: weakref.WeakKeyDictionary[Any, dict[UUID, weakref.ref[Any]]] = field(
        default_factory=weakref.WeakKeyDictionary
    )
    _told: set[ChatProblem] = field(default_factory=set)

    def tell(self, problem: ChatProblem) -> None:
        """Tell something, once."""
        if problem not in self._told:
            self._told.add(problem)
            self.problems.append(problem)


@dataclass(slots=True, eq=False)
class ChatOrigin:
    """Where a thread comes from; see `ecsviz.storage.arriving.Origin`.

    Attributes
    ----------
    key
        What the thread goes by.
    file
        Where it was read.
    whole
        The import that it is a part of.
    held
        What the source says.
    settled
        In which stores it was saved, and in which version.
    """

    key: ThreadKey
    file: str
    whole: ImportedTogether
    held: LiveChat
    settled: weakref.WeakKeyDictionary[Any, int] = field(default_factory=weakref.WeakKeyDictionary)

    @property
    def is_sure(self) -> bool:
        """Whether no other chat can have its id."""
        return self.key.is_unique and self.key.times == 1

    def is_settled(self, store: VersionedStorage, entity: Any) -> bool:
        """Tell whether it was saved in a store, and goes on as any other entity."""
        version = self.settled.get(store)
        return version is not None and bool(entity.__dict__.get("version", 0) >= version)

    def twin(self, of: Callable[[Any], Any]) -> Self:
        """Return the origin of a copy."""
        held, to = self.held, {id(e): id(of(e)) for e in (*self.held.messages, *self.held.added)}
        to[id(held.thread)] = id(of(held.thread))
        twin = replace(
            held,
            thread=of(held.thread),
            messages=[of(message) for message in held.messages],
            added=[of(message) for message in held.added],
            left={to[i]: dict(left) for i, left in held.left.items() if i in to},
            kept={to[i]: dict(kept) for i, kept in held.kept.items() if i in to},
        )
        return replace(self, held=twin, settled=weakref.WeakKeyDictionary(self.settled))

    @classmethod
    def fit(cls, store: VersionedStorage, arriving: Sequence[tuple[Any, Self]]) -> Fitting:
        """Fit threads to what a store has. Nothing is written."""
        fitting = Fitting(store, [_Arriving(thread, origin) for thread, origin in arriving])
        fitting.fit()
        return fitting


@dataclass(slots=True, eq=False)
class _Candidate:
    """What the store has of a thread that may be the one that arrives.

    Attributes
    ----------
    ecs_id
        Its id.
    record
        What its source said.
    version
        Its version; 0 if it was deleted.
    thread
        The stored thread, once it is read.
    """

    ecs_id: UUID
    record: ChatRecord
    version: int
    thread: Any = None


@dataclass(slots=True, eq=False)
class _Arriving:
    """A thread on its way into a store.

    Attributes
    ----------
    thread, origin
        The thread, and where it comes from.
    rivals
        Whether the store has threads that go by the same and are others.
    found
        What the store has of it.
    at
        Which of its messages were said before.
    record
        What was said by now.
    whole
        Whether what is going to be stored is as the source says; None if that is not known.
    problems
        What is to be told of it.
    """

    thread: Any
    origin: ChatOrigin
    rivals: bool = False
    found: _Candidate | None = None
    at: list[int] = field(default_factory=list)
    record: ChatRecord | None = None
    whole: bool | None = None
    problems: list[ChatProblem] = field(default_factory=list)

    @property
    def said(self) -> Said:
        """What the source says."""
        return self.origin.held.said

    @property
    def ids(self) -> list[UUID]:
        """The ids of its messages, if they are new."""
        held = self.origin.held
        if self.thread.ecs_id == held.own_id:
            return self.said.ids
        return [held.id_in(self.thread.ecs_id, n) for n in range(len(held.messages))]

    @property
    def is_one_of_several(self) -> bool:
        """Whether others go by the same."""
        return self.rivals or self.origin.key.times > 1

    @property
    def is_deleted(self) -> bool:
        """Whether it was deleted in the store."""
        return self.found is not None and not self.found.version

    @property
    def label(self) -> str | None:
        """What problems call it."""
        return self.thread.source_id or self.thread.title or None

    def tell(self, what: str, why: str, node: str | None = None, said: Any = None) -> None:
        """Tell something of it."""
        problem = ChatProblem(self.label, node, what, why, self.origin.file, said)
        self.problems.append(problem)


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
    arriving: list[_Arriving]
    is_linked_anew: bool = False
    _known: dict[UUID, _Candidate] = field(default_factory=dict)
    _claimed: set[UUID] = field(default_factory=set)
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
            left = self._by_id()
            left = self._by_name(left)
            self._by_number(left)
            self._bring_together()
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
            each.origin.settled[self.store] = thread.version
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

    def _begin(self, each: _Arriving) -> None:
        """Let a thread go by its own id, whatever it has been in another store."""
        held, thread = each.origin.held, each.thread
        if held.is_moved:
            held.is_moved = False
            thread.__dict__.update(ecs_id=held.own_id, lineage_id=held.own_id)
            for n, message in enumerate(held.messages):
                ecs_id = held.said.ids[n]
                message.__dict__.update(ecs_id=ecs_id, lineage_id=ecs_id)

    def _look(self, ids: Iterable[UUID]) -> None:
        """Find out what the store has under some ids."""
        wanted = [i for i in dict.fromkeys(ids) if i not in self._known]
        stored = self.store.inside.stored_versions(wanted)
        noted = self.store.inside.origins.of(wanted)
        records = {i: ChatRecord.read(noted[i]) for i in wanted if i in noted}
        unknown = [i for i in stored if records.get(i) is None]
        whole = self._read(unknown)
        lost = [i for i in wanted if i not in stored and i not in noted]
        for ecs_id, _ in self.store.inside.first_revisions(lost) if lost else ():
            records[ecs_id] = ChatRecord.unknown()  # it was deleted, of which nothing was noted
        for ecs_id in wanted:
            record = records.get(ecs_id)
            if record is None and ecs_id in whole:
                record = ChatRecord.of_stored(whole[ecs_id])
            if record is not None:
                version = stored.get(ecs_id, 0)
                self._known[ecs_id] = _Candidate(ecs_id, record, version, whole.get(ecs_id))

    def _read(self, ids: Iterable[UUID]) -> dict[UUID, Any]:
        listed = list(dict.fromkeys(ids))
        found = self.store.get_many(listed) if listed else []
        return {each.ecs_id: each for each in found if isinstance(each, ChatThread)}

    def _by_id(self) -> list[_Arriving]:
        """Find the threads that the store has under their ids; return the others."""
        self._look(each.thread.ecs_id for each in self.arriving)
        left = []
        for each in self.arriving:
            if not self._claim(each, each.thread.ecs_id):
                each.rivals = each.thread.ecs_id in self._known
                left.append(each)
        return left

    def _by_name(self, arriving: list[_Arriving]) -> list[_Arriving]:
        """Find threads of the same id that the store has under other UUIDs."""
        named = [e for e in arriving if e.thread.source_id and not e.origin.is_sure]
        wanted: dict[tuple[str | None, str | None], list[UUID]] = {
            (each.thread.source, each.thread.source_id): [] for each in named
        }
        for source in dict.fromkeys(source for source, _ in wanted):
            for found in self.store.find(ChatThread, source=source, hops=0):
                if (source, found.source_id) in wanted and found.ecs_id not in self._claimed:
                    wanted[source, found.source_id].append(found.ecs_id)
        self._look(ecs_id for ids in wanted.values() for ecs_id in ids)
        left = []
        for each in arriving:
            ids = wanted.get((each.thread.source, each.thread.source_id), [])
            if not each.origin.is_sure and any(self._claim(each, i) for i in ids):
                continue
            each.rivals = each.rivals or bool(ids)
            left.append(each)
        return left

    def _by_number(self, arriving: list[_Arriving]) -> None:
        """Find threads that go by the same, as a store numbers them; or set them apart."""
        groups: dict[ThreadKey, list[_Arriving]] = {}
        for each in arriving:
            groups.setdefault(replace(each.origin.key, times=1), []).append(each)
        for key in [k for k, g in groups.items() if not any(e.is_one_of_several for e in g)]:
            del groups[key]
        numbered = self._numbers(groups)
        for key, group in groups.items():
            there = [i for i in numbered[key] if i in self._known]
            left = [e for e in group if not any(self._claim(e, i) for i in there)]
            taken = self._claimed | self._known.keys()
            own = {e.thread.ecs_id for e in left} - taken
            free = iter([i for i in numbered[key] if i not in taken | own])
            for each in left:
                ecs_id = each.thread.ecs_id
                self._set_apart(each, ecs_id if ecs_id in own else next(free))

    def _numbers(self, groups: Mapping[ThreadKey, list[_Arriving]]) -> dict[ThreadKey, list[UUID]]:
        """Return the first UUIDs of each key, enough for all; look at what is stored there."""
        numbered: dict[ThreadKey, list[UUID]] = {key: [] for key in groups}
        short = list(groups)
        while short:
            asked: list[UUID] = []
            for key in short:
                known, group = numbered[key], groups[key]
                most = max(2 * len(known), max(e.origin.key.times for e in group) + len(group))
                more = [replace(key, times=n + 1).ecs_id for n in range(len(known), most)]
                known += more
                asked += more
            self._look(asked)
            short = [
                key
                for key in short
                if numbered[key][-1] in self._known
                or sum(i not in self._known for i in numbered[key]) < len(groups[key])
            ]
        return numbered

    def _claim(self, each: _Arriving, ecs_id: UUID) -> bool:
        """Take a stored thread for one that arrives if they are one chat; tell whether they are."""
        found = self._known.get(ecs_id)
        if found is None or ecs_id in self._claimed or self._is_another(each, ecs_id):
            return False
        if not found.version and not found.record.ids and not each.origin.is_sure:
            return False  # nobody knows what it was
        key = each.origin.key
        named = key.in_account and key.times == 1 and each.thread.ecs_id == ecs_id
        at = pairs(each.said, found.record)
        if not agree(each.said, found.record, at, unique=each.origin.is_sure or named):
            return False
        self._claimed.add(ecs_id)
        each.found, each.at = found, at
        if each.thread.ecs_id != ecs_id:
            each.origin.held.is_moved = True
            each.thread.__dict__.update(ecs_id=ecs_id, lineage_id=ecs_id)
        return True

    def _is_another(self, each: _Arriving, ecs_id: UUID) -> bool:
        """Tell whether a stored thread is another one of the same import."""
        ref = each.origin.whole.taken.get(self.store, {}).get(ecs_id)
        thread = None if ref is None else ref()
        if thread is None or thread is each.thread or thread.ecs_id != ecs_id:
            return False
        origin = origin_of(thread)
        return origin is not None and origin.is_settled(self.store, thread)

    def _set_apart(self, each: _Arriving, ecs_id: UUID) -> None:
        thread, held = each.thread, each.origin.held
        if ecs_id != thread.ecs_id:
            held.is_moved = True
            thread.__dict__.update(ecs_id=ecs_id, lineage_id=ecs_id)
            for n, message in enumerate(held.messages):
                own = held.id_in(ecs_id, n)
                message.__dict__.update(ecs_id=own, lineage_id=own)
        if each.rivals:
            name = f"thread id {short_repr(thread.source_id)}" if thread.source_id else "its start"
            each.tell(name, AMBIGUOUS)

    # -- bringing together -------------------------------------------------------------------

    def _bring_together(self) -> None:
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
        unread = [each.found for each in slow if each.found and each.found.thread is None]
        whole = self._read(found.ecs_id for found in unread)
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

    def _go_on(self, each: _Arriving, found: _Candidate, versions: Mapping[UUID, int]) -> bool:
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
        now = Said.of(thread, thread.messages)
        edited = not now.says_the_same(said)
        thread.__dict__["version"] = found.version
        for n, version in zip(known, record.versions, strict=True):
            held.messages[n].__dict__["version"] = version
        if not edited and said.says_the_same(record):
            self._out.add(id(thread))
        else:
            each.record = replace(ChatRecord.of_said(said), parts=record.parts)
            each.whole = not edited
        return True

    def _deleted(self, some: Iterable[_Arriving], versions: Mapping[UUID, int]) -> set[UUID]:
        """Return what was stored once, of which nobody has noted what its source said."""
        asked: dict[UUID, None] = {}
        for each in some:
            found = each.found
            if found is not None and not found.record.parts:
                new = (i for i, place in zip(each.ids, each.at, strict=True) if place < 0)
                asked |= dict.fromkeys(i for i in new if i not in versions)
        return {i for i, _ in self.store.inside.first_revisions(list(asked))} if asked else set()

    def _unite(self, each: _Arriving, elsewhere: frozenset[UUID]) -> None:
        """Bring a thread together with the stored one."""
        self.is_linked_anew = True
        found = each.found
        union = Union(
            each.origin.held,
            None if found is None else found.thread,
            ChatRecord.unknown() if found is None else found.record,
            elsewhere,
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
