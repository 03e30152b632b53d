"""An import that is to be stored, fitted to what the store has of the same chats.

A chat that goes by an id that is unique in the world is found by its UUID; others by their ids and
what they say: whatever UUID a store has for them, and from wherever they were read, they stay one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from uuid import UUID

from ecsviz.basics.garbage import collector_paused
from ecsviz.domain.chat import ChatThread
from ecsviz.errors import short_repr
from ecsviz.importers.chat.identity import ThreadKey
from ecsviz.importers.chat.source import ChatProblem
from ecsviz.importers.chat.union import Copies, rename

if TYPE_CHECKING:
    from ecsviz.storage.comparing import VersionedStorage

AMBIGUOUS = "another chat goes by it; kept as a thread of its own"


@dataclass(slots=True)
class _Arriving:
    """A thread of an import on its way into a store.

    Attributes
    ----------
    thread
        The thread.
    key
        What it goes by.
    file
        Where it was read.
    unique
        Whether its id is the only one of its kind in the world.
    rivals
        Whether the store has threads that go by the same and are others.
    """

    thread: ChatThread
    key: ThreadKey
    file: str
    unique: bool
    rivals: bool = False

    @property
    def is_one_of_several(self) -> bool:
        """Whether others go by the same."""
        return self.rivals or self.key.times > 1


@dataclass(slots=True)
class Fitting:
    """One import fitted to one store.

    Parameters
    ----------
    store
        The store. Nothing is written there.
    origins
        What each thread goes by, and the file where it was read.
    problems
        Told what is kept of the store, and what is ambiguous.
    """

    store: VersionedStorage
    origins: Mapping[UUID, tuple[ThreadKey, str]]
    problems: list[ChatProblem]
    _claimed: set[UUID] = field(default_factory=set)

    def fit(self, threads: Iterable[ChatThread]) -> None:
        """Give threads of version 0 the ids that they have in the store, and what it has more.

        Parameters
        ----------
        threads
            Of one import.

        Notes
        -----
        A number of statements that does not grow with the threads. Of a chat with a unique id that
        has grown since, no message is read.
        """
        arriving = []
        for thread in {id(each): each for each in threads}.values():
            if thread.version == 0 and thread.ecs_id in self.origins:  # and no fork of one
                key, file = self.origins[thread.ecs_id]
                arriving.append(_Arriving(thread, key, file, key.is_unique and key.times == 1))
        if not arriving:
            return
        with collector_paused(), self.store.inside.one_state():
            left = self._by_id(arriving)
            left = self._by_name(left)
            self._by_number(left)
            for each in arriving:
                self.store.inside.watch([each.thread, *each.thread.messages])

    def _by_id(self, arriving: list[_Arriving]) -> list[_Arriving]:
        """Fit the threads that the store has under their ids; return the others."""
        ids = [each.thread.ecs_id for each in arriving]
        stored = self.store.inside.stored_versions(ids)
        heads = self._read((i for i in ids if i in stored), hops=0)
        whole = self._read(
            each.thread.ecs_id
            for each in arriving
            if each.thread.ecs_id in heads and not _has_grown(each, heads[each.thread.ecs_id])
        )
        left = []
        for each in arriving:
            ecs_id = each.thread.ecs_id
            if ecs_id in heads and ecs_id not in whole:
                self._claimed.add(ecs_id)
            elif not self._claim(each, whole.get(ecs_id)):
                each.rivals = ecs_id in stored
                left.append(each)
        return left

    def _by_name(self, arriving: list[_Arriving]) -> list[_Arriving]:
        """Fit threads to those of the same id that the store has under other UUIDs."""
        named = [each for each in arriving if each.thread.source_id and not each.unique]
        wanted: dict[tuple[str | None, str | None], list[UUID]] = {
            (each.thread.source, each.thread.source_id): [] for each in named
        }
        for source in dict.fromkeys(source for source, _ in wanted):
            for found in self.store.find(ChatThread, source=source, hops=0):
                if (source, found.source_id) in wanted and found.ecs_id not in self._claimed:
                    wanted[source, found.source_id].append(found.ecs_id)
        whole = self._read(ecs_id for ids in wanted.values() for ecs_id in ids)
        left = []
        for each in arriving:
            ids = wanted.get((each.thread.source, each.thread.source_id), [])
            if not each.unique and any(self._claim(each, whole.get(i)) for i in ids):
                continue
            each.rivals = each.rivals or bool(ids)
            left.append(each)
        return left

    def _by_number(self, arriving: list[_Arriving]) -> None:
        """Fit threads to those that go by the same, as a store numbers them; or set them apart."""
        groups: dict[ThreadKey, list[_Arriving]] = {}
        for each in arriving:
            groups.setdefault(replace(each.key, times=1), []).append(each)
        for key in [k for k, g in groups.items() if not any(e.is_one_of_several for e in g)]:
            del groups[key]
        numbered, stored = self._numbers(groups)
        whole = self._read(i for i in stored if i not in self._claimed)
        for key, group in groups.items():
            there = [i for i in numbered[key] if i in whole]
            left = [e for e in group if not any(self._claim(e, whole.get(i)) for i in there)]
            taken = self._claimed | stored.keys()
            own = {e.thread.ecs_id for e in left} - taken
            free = iter([i for i in numbered[key] if i not in taken | own])
            for each in left:
                ecs_id = each.thread.ecs_id
                self._set_apart(each, ecs_id if ecs_id in own else next(free))

    def _numbers(
        self, groups: Mapping[ThreadKey, list[_Arriving]]
    ) -> tuple[dict[ThreadKey, list[UUID]], dict[UUID, int]]:
        """Return the first UUIDs of each key, enough for all, and which of them are stored."""
        numbered: dict[ThreadKey, list[UUID]] = {key: [] for key in groups}
        stored: dict[UUID, int] = {}
        short = list(groups)
        while short:
            asked: list[UUID] = []
            for key in short:
                known, group = numbered[key], groups[key]
                most = max(2 * len(known), max(e.key.times for e in group) + len(group))
                more = [replace(key, times=n + 1).ecs_id for n in range(len(known), most)]
                known += more
                asked += more
            stored |= self.store.inside.stored_versions(asked)
            short = [
                key
                for key in short
                if numbered[key][-1] in stored
                or sum(i not in stored for i in numbered[key]) < len(groups[key])
            ]
        return numbered, stored

    def _read(self, ids: Iterable[UUID], hops: int | None = None) -> dict[UUID, ChatThread]:
        listed = list(dict.fromkeys(ids))
        found = self.store.get_many(listed, hops=hops) if listed else []
        return {each.ecs_id: each for each in found if isinstance(each, ChatThread)}

    def _claim(self, each: _Arriving, stored: ChatThread | None) -> bool:
        """Fit a thread to a stored one if they are copies of one chat; tell whether they are."""
        if stored is None or stored.ecs_id in self._claimed:
            return False
        copies = Copies.of(each.thread, stored)
        named = each.key.in_account and each.key.times == 1 and each.thread == stored
        if not copies.agree(unique=each.unique or named):
            return False
        self._claimed.add(stored.ecs_id)
        kept = copies.join(settled=True)
        if kept:
            self._tell(each, "what this copy has not", f"the store has {kept}; kept")
        return True

    def _set_apart(self, each: _Arriving, ecs_id: UUID) -> None:
        thread = each.thread
        if ecs_id != thread.ecs_id:
            thread.__dict__.update(ecs_id=ecs_id, lineage_id=ecs_id)
            rename(thread.messages, thread)
        if each.rivals:
            name = f"thread id {short_repr(thread.source_id)}" if thread.source_id else "its start"
            self._tell(each, name, AMBIGUOUS)

    def _tell(self, each: _Arriving, what: str, why: str) -> None:
        thread = each.thread
        label = thread.source_id or thread.title or None
        problem = ChatProblem(label, None, what, why, each.file)
        if problem not in self.problems:
            self.problems.append(problem)


def _has_grown(each: _Arriving, head: ChatThread) -> bool:
    """Tell whether a thread is later than the stored one, and has all that this has."""
    later, before = each.thread.updated_at, head.updated_at
    if not each.unique or later is None or before is None or later <= before:
        return False
    return {m.ecs_id for m in head.messages} <= {m.ecs_id for m in each.thread.messages}
