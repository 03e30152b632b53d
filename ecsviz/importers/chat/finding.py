"""Which chats of a store are those that arrive.

A chat is looked for under its UUID; under its id in the source, where others may have that; among
those that go by the same, which are numbered; and among those that say the same at the same times,
where it has no id and its start was cut off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from ecsviz.domain.chat import ChatMessage, ChatThread
from ecsviz.errors import short_repr
from ecsviz.importers.chat.agreeing import (
    ZONES,
    by_one_clock,
    is_timed,
    matched,
    overlap,
    woven_in_time,
)
from ecsviz.importers.chat.arrived import AMBIGUOUS, Arriving, Candidate
from ecsviz.importers.chat.identity import ThreadKey
from ecsviz.importers.chat.said import UNKNOWN, ChatRecord
from ecsviz.storage.arriving import origin_of

if TYPE_CHECKING:
    from ecsviz.storage.comparing import VersionedStorage

_ASKED: Final = 48
"""Of how many messages of a chat it is asked where they are stored."""

_HITS: Final = 256
"""How many stored messages are looked at for it."""

_RIVALS: Final = 32
"""With how many stored chats it is compared then."""


@dataclass(slots=True, eq=False)
class Finder:
    """Finds the stored threads of those that arrive, and gives these their ids.

    Parameters
    ----------
    store
        The store.
    arriving
        The threads.
    """

    store: VersionedStorage
    arriving: list[Arriving]
    _known: dict[UUID, Candidate] = field(default_factory=dict)
    _claimed: set[UUID] = field(default_factory=set)

    def find(self) -> None:
        """Give threads the ids that they have in the store; each stored one to one of them.

        Notes
        -----
        A number of statements that does not grow with the threads. Of stored threads, only what
        was noted is read, but of those that no id has found.
        """
        left = self._by_id()
        left = self._by_name(left)
        left = self._by_what_they_say(left)
        self._by_number(left)

    def read(self, ids: Iterable[UUID]) -> dict[UUID, Any]:
        """Return the stored threads of some ids, whole."""
        listed = list(dict.fromkeys(ids))
        found = self.store.get_many(listed) if listed else []
        return {each.ecs_id: each for each in found if isinstance(each, ChatThread)}

    def _look(self, ids: Iterable[UUID]) -> None:
        """Find out what the store has under some ids."""
        wanted = [i for i in dict.fromkeys(ids) if i not in self._known]
        stored = self.store.inside.stored_versions(wanted)
        noted = self.store.inside.origins.of(wanted)
        records = {i: ChatRecord.read(noted[i]) for i in wanted if i in noted}
        unknown = [i for i in stored if records.get(i) is None]
        whole = self.read(unknown)
        lost = [i for i in wanted if i not in stored and i not in noted]
        for ecs_id, _ in self.store.inside.first_revisions(lost) if lost else ():
            records[ecs_id] = ChatRecord.unknown()  # it was deleted, of which nothing was noted
        for ecs_id in wanted:
            record = records.get(ecs_id)
            if record is None and ecs_id in whole:
                record = ChatRecord.of_stored(whole[ecs_id])
            if record is not None:
                version = stored.get(ecs_id, 0)
                self._known[ecs_id] = Candidate(ecs_id, record, version, whole.get(ecs_id))

    def _by_id(self) -> list[Arriving]:
        """Find the threads that the store has under their ids; return the others."""
        self._look(each.thread.ecs_id for each in self.arriving)
        left = []
        for each in self.arriving:
            if not self._claim(each, each.thread.ecs_id, same=True):
                each.rivals = each.thread.ecs_id in self._known
                left.append(each)
        return left

    def _by_name(self, arriving: list[Arriving]) -> list[Arriving]:
        """Find threads of the same id that the store has under other UUIDs."""
        named = [e for e in arriving if e.thread.source_id and not e.origin.is_sure]
        wanted: dict[tuple[str | None, str | None], list[UUID]] = {
            (each.thread.source, each.thread.source_id): [] for each in named
        }
        for source in dict.fromkeys(source for source, _ in wanted):
            idents = [ident for of, ident in wanted if of == source]
            for found in self.store.find(ChatThread, source=source, source_id__in=idents, hops=0):
                if found.ecs_id not in self._claimed:
                    wanted[source, found.source_id].append(found.ecs_id)
        self._look(ecs_id for ids in wanted.values() for ecs_id in ids)
        left = []
        for each in arriving:
            ids = wanted.get((each.thread.source, each.thread.source_id), [])
            if not each.origin.is_sure and any(self._claim(each, i) for i in ids):
                continue
            each.like = ids
            each.rivals = each.rivals or bool(ids)
            left.append(each)
        return left

    # -- by what they say --------------------------------------------------------------------

    def _by_what_they_say(self, arriving: list[Arriving]) -> list[Arriving]:
        """Find threads of which the start was cut off, here or when they were stored."""
        some = [e for e in arriving if not e.origin.is_sure and is_timed(e.origin.held)]
        if nameless := [each for each in some if not each.thread.source_id]:
            self._ask(nameless)
        self._look(ecs_id for each in some for ecs_id in each.like)
        pairs = [(each, i, self._laid(each, i)) for each in some for i in each.like]
        laid = [(each, i, at) for each, i, at in pairs if at is not None]
        whole = self.read(i for _, i, _ in laid if self._known[i].thread is None)
        for ecs_id, thread in whole.items():
            self._known[ecs_id].thread = thread
        for each, ecs_id, at in laid:
            if each.found is None and self._is_at_the_same_times(each, self._known[ecs_id], at):
                self._take(each, self._known[ecs_id], at)
        return [each for each in arriving if each.found is None]

    def _ask(self, group: list[Arriving]) -> None:
        """Ask which threads have some of the messages."""
        texts: dict[str, list[Arriving]] = {}
        times: list[datetime] = []
        for each in group:
            messages = each.origin.held.messages
            times += [messages[0].created_at, messages[-1].created_at]
            texts_alone = [message for message in messages if "parts" not in message.metadata]
            for message in _some(texts_alone or messages):
                listed = texts.setdefault(message.content, [])
                if not listed or listed[-1] is not each:
                    listed.append(each)
        hits = self.store.find(
            ChatMessage,
            content__in=list(texts),
            created_at__ge=_shifted(min(times), -1),
            created_at__le=_shifted(max(times), 1),
            hops=0,
            limit=_HITS * len(group),
        )
        for hit in hits:
            ecs_id = hit.thread.ecs_id
            for each in texts.get(hit.content, ()):
                if len(each.like) < _RIVALS and ecs_id not in each.like:
                    each.like.append(ecs_id)

    def _laid(self, each: Arriving, ecs_id: UUID) -> list[int] | None:
        """Return where a thread lies on a stored one, as far as what was noted tells."""
        found = self._known.get(ecs_id)
        is_free = found is not None and found.version and ecs_id not in self._claimed
        if found is None or not is_free or self._is_another(each, ecs_id):
            return None
        mine, theirs = each.said.thread, found.record.thread
        if any(theirs.get(name) not in (mine[name], UNKNOWN) for name in ("source", "source_id")):
            return None
        return overlap(each.said, found.record) or woven_in_time(each.said, found.record)

    def _is_at_the_same_times(self, each: Arriving, found: Candidate, at: Sequence[int]) -> bool:
        """Tell whether what both say was said at the same times, on clocks of any zone."""
        if found.ecs_id in self._claimed or found.thread is None:
            return False
        there = {message.ecs_id: message.created_at for message in found.thread.messages}
        mine = each.origin.held.messages
        paired = [(mine[n], found.record.ids[place]) for n, place in enumerate(at) if place >= 0]
        return by_one_clock((m.created_at, there[i]) for m, i in paired if i in there)

    # -- by number ---------------------------------------------------------------------------

    def _by_number(self, arriving: list[Arriving]) -> None:
        """Find threads that go by the same, as a store numbers them; or set them apart."""
        groups: dict[ThreadKey, list[Arriving]] = {}
        for each in arriving:
            groups.setdefault(replace(each.origin.key, times=1), []).append(each)
        for key in [k for k, g in groups.items() if not any(e.is_one_of_several for e in g)]:
            del groups[key]
        numbered = self._numbers(groups)
        for key, group in groups.items():
            there = [i for i in numbered[key] if i in self._known]
            left = [e for e in group if not any(self._claim(e, i, same=True) for i in there)]
            taken = self._claimed | self._known.keys()
            own = {e.thread.ecs_id for e in left} - taken
            free = iter([i for i in numbered[key] if i not in taken | own])
            for each in left:
                ecs_id = each.thread.ecs_id
                self._set_apart(each, ecs_id if ecs_id in own else next(free))

    def _numbers(self, groups: Mapping[ThreadKey, list[Arriving]]) -> dict[ThreadKey, list[UUID]]:
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

    def _claim(self, each: Arriving, ecs_id: UUID, *, same: bool = False) -> bool:
        """Take a stored thread for one that arrives if they are one chat; tell whether they are."""
        found = self._known.get(ecs_id)
        if found is None or ecs_id in self._claimed or self._is_another(each, ecs_id):
            return False
        if not found.version and not found.record.ids and not each.origin.is_sure:
            return False  # nobody knows what it was
        key = each.origin.key
        named = key.in_account and key.times == 1 and each.thread.ecs_id == ecs_id
        at = matched(each.said, found.record, sure=each.origin.is_sure or named, same=same)
        if at is None:
            return False
        self._take(each, found, at)
        return True

    def _take(self, each: Arriving, found: Candidate, at: list[int]) -> None:
        self._claimed.add(found.ecs_id)
        each.found, each.at = found, at
        if each.thread.ecs_id != found.ecs_id:
            each.origin.held.is_moved = True
            each.thread.__dict__.update(ecs_id=found.ecs_id, lineage_id=found.ecs_id)

    def _is_another(self, each: Arriving, ecs_id: UUID) -> bool:
        """Tell whether a stored thread is another one of the same import."""
        ref = each.origin.whole.taken.get(self.store, {}).get(ecs_id)
        thread = None if ref is None else ref()
        if thread is None or thread is each.thread or thread.ecs_id != ecs_id:
            return False
        origin = origin_of(thread)
        return origin is not None and origin.is_settled(self.store, thread)

    def _set_apart(self, each: Arriving, ecs_id: UUID) -> None:
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


def _some(messages: Sequence[Any]) -> list[Any]:
    """Return the first, the last, and some between."""
    step = max(1, -(-len(messages) // _ASKED))
    return [*messages[::step], messages[-1]]


def _shifted(when: datetime, sign: int) -> datetime:
    """Return a time as far away as the clock of another zone can show it."""
    try:
        return when + sign * ZONES
    except OverflowError:
        return when
