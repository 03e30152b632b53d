"""A chat as a source says it, brought together with what is stored of it, three-way.

The third state is what the source said last (`ChatRecord`): what only the source has changed since
is taken, what somebody has changed in the store stays; so does, of what both have changed, the
store's, and the source's is told. What was deleted in the store stays deleted; what was deleted in
the source alone stays stored.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np

from ecsviz.basics.text import counted
from ecsviz.domain.chat import ChatMessage, ChatThread
from ecsviz.domain.objects import forget_computed
from ecsviz.importers.chat.agreeing import is_older
from ecsviz.importers.chat.drafts import read_time
from ecsviz.importers.chat.links import Links, woven
from ecsviz.importers.chat.live import MISSING, LiveChat, put, value_in
from ecsviz.importers.chat.media import tells_less
from ecsviz.importers.chat.said import (
    ABSENT,
    KEY,
    MESSAGE_FIELDS,
    OWN,
    PARENT,
    THREAD_FIELDS,
    UNKNOWN,
    ChatRecord,
    Digests,
    DigestTable,
    Said,
    digest,
    digest_of_id,
    pairs,
    thread_digests,
)

_BEGUN = ("title", "created_at")
"""What a thread without an id has of its first messages."""

_PARTS = KEY + "parts"

_EDITED = ("edited_unixtime", "edited", "update_time", "updated_at", "updatedAt", "timestampEdited")
"""Under which names a message's metadata say when it was changed last."""


@dataclass(slots=True)
class Contested:
    """What a source and somebody in the store have changed, each in its way.

    Attributes
    ----------
    message
        In which message; None for the thread itself.
    name, said
        The name of the column, and what the source says.
    """

    message: Any
    name: str
    said: Any

    @property
    def shown(self) -> str:
        """The name as people know it."""
        return _shown(self.name)


@dataclass(slots=True)
class _Pair:
    """A live message and the stored one that it is: what was said, and by whom.

    Whether it is older, and whether the start of what was said before, which was cut off there; and
    whether it only stands for a file that the stored one names.
    """

    message: Any
    stored: Any
    said: Digests
    before: Digests
    now: Digests
    mine: Digests
    left: Digests
    older: bool
    is_begun: bool
    is_less: bool


@dataclass(slots=True)
class Union:
    """A thread that is brought together with a stored one.

    Parameters
    ----------
    held
        The thread. Its objects stay the objects that they are, and become those that are stored.
    stored
        The stored one, whole; None if it is not stored.
    record
        What was said before.
    elsewhere
        Ids of what is stored in another thread, or was deleted.
    at
        Per message of the source where it stands in the record; empty for what `pairs` says.

    Attributes
    ----------
    older
        Whether the source is older than what was said before.
    later, edited
        Names of the thread's fields of which the store has something later than the source, or
        what somebody has edited.
    later_messages, edited_messages, lacking
        How many messages are so; and how many the source does not say any more.
    deleted
        Messages that were deleted in the store, or moved: they are left out.
    conflicts
        What both have changed.
    changed
        Whether anything is not as it is stored.
    """

    held: LiveChat
    stored: Any
    record: ChatRecord
    elsewhere: frozenset[UUID] = frozenset()
    at: list[int] = field(default_factory=list)
    older: bool = False
    later: list[str] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)
    later_messages: int = 0
    edited_messages: int = 0
    lacking: int = 0
    deleted: list[Any] = field(default_factory=list)
    conflicts: list[Contested] = field(default_factory=list)
    changed: bool = False
    _older: dict[int, bool] = field(default_factory=dict)

    def run(self) -> ChatRecord:
        """Bring them together; return what was said by now."""
        held, record = self.held, self.record
        self.at = self.at or pairs(held.said, record)
        self.older = is_older(held.said, record, self.at)
        messages = [] if self.stored is None else self.stored.messages
        there = {message.ecs_id: message for message in messages}
        theirs: list[Any] = []  # per message of the source the stored one
        gone: list[int] = []
        thread = held.thread if self.stored is None else self.stored
        for n, place in enumerate(self.at):
            ecs_id = held.id_in(thread.ecs_id, n) if place < 0 else record.ids[place]
            theirs.append(there.get(ecs_id))
            if theirs[n] is None and (place >= 0 or ecs_id in self.elsewhere):
                gone.append(n)
        self.deleted = [held.messages[n] for n in gone]
        self.lacking = len(there.keys() & set(record.ids)) - sum(
            place >= 0 and theirs[n] is not None for n, place in enumerate(self.at)
        )
        now = self._said_now(theirs)
        up = {id(message): message.parent for message in (*held.messages, *held.thread.messages)}
        links = Links(held, messages, self._final(theirs, there), up)
        if self.stored is not None:
            self._thread()
        if messages:
            self._messages(now, links)
        links.join(self.deleted, self.older or self._is_reordered())
        for message, ecs_id in zip(held.messages, now.ids, strict=True):
            if message.ecs_id != ecs_id:  # of a new one in another thread
                message.__dict__.update(ecs_id=ecs_id, lineage_id=ecs_id)
        held.is_moved = True
        order = [message.ecs_id for message in held.thread.messages]
        self.changed |= any(links.whose.values()) or order != [m.ecs_id for m in messages]
        return self._noted(now)

    def told(self) -> str:
        """Return what the store has and the source has otherwise; empty for nothing."""
        names = [_shown(name) for name in (*self.later, *self.edited)]
        later, edited = self.later_messages, self.edited_messages
        return ", ".join(
            text
            for text, is_so in (
                (counted(self.lacking, "message"), self.lacking),
                ("its " + ", ".join(names), names),
                (f"the later text of {counted(later, 'message')}", later),
                (f"what was edited in {counted(edited, 'message')}", edited),
            )
            if is_so
        )

    @property
    def is_cut(self) -> bool:
        """Whether the start of the source was cut off: more was said before what it begins with."""
        said = self.held.said
        is_root = bool(said.ids) and not said.names[0] and not said.table.column(PARENT)[0]
        return is_root and 0 < self.at[0] == min(place for place in self.at if place >= 0)

    # -- which is which ----------------------------------------------------------------------

    def _said_now(self, theirs: list[Any]) -> Said:
        """Return what the source says, of messages by the ids that they have in the store."""
        said, record = self.held.said, self.record
        thread = self.held.thread if self.stored is None else self.stored
        ids: list[UUID] = []
        for n, place in enumerate(self.at):
            if theirs[n] is not None:
                ids.append(theirs[n].ecs_id)
            else:
                ids.append(self.held.id_in(thread.ecs_id, n) if place < 0 else record.ids[place])
        table = said.table
        if ids != said.ids or self.is_cut:
            to = _translation(said.ids, ids)
            rows, column = table.rows.copy(), table.names.index(PARENT)
            rows[:, column] = [to.get(each, each) for each in rows[:, column].tolist()]
            if self.is_cut:
                rows[0, column] = record.table.column(PARENT)[self.at[0]]
            table = DigestTable(table.names, rows)
        return Said(
            thread=said.thread,
            ids=ids,
            table=table,
            updated=said.updated,
            last=said.last,
            known=said.marks,
        )

    def _final(self, theirs: list[Any], there: Mapping[UUID, Any]) -> dict[int, Any]:
        """Return per stored message the object that is to be it."""
        final = {id(message): message for message in there.values()}
        own = set(map(id, self.held.messages))
        for message in self.held.thread.messages:  # what came from a store, or was added by hand
            if message.ecs_id in there and id(message) not in own:
                final[id(there[message.ecs_id])] = message
        for message, stored in zip(self.held.messages, theirs, strict=True):
            if stored is not None:
                final[id(stored)] = message
        return final

    def _is_reordered(self) -> bool:
        """Tell whether somebody has given the stored messages another order."""
        place = {ecs_id: n for n, ecs_id in enumerate(self.record.ids)}
        messages = [] if self.stored is None else self.stored.messages
        known = [place[m.ecs_id] for m in messages if m.ecs_id in place]
        return known != sorted(known)

    # -- fields ------------------------------------------------------------------------------

    def _messages(self, now: Said, links: Links) -> None:
        """Give messages their fields, and tell whose parents they take."""
        held, record = self.held, self.record
        stored = self.stored.messages
        number = {id(message): n for n, message in enumerate(held.messages)}
        live = [links.final[id(message)] for message in stored]
        mine = DigestTable.of(live, DigestTable.of(stored, _joined(now.table, record.table)).names)
        theirs_now = DigestTable.of(stored, mine.names)
        names = tuple(_joined(theirs_now, mine, now.table, record.table))
        s, b, t, m = (table.under(names) for table in (now.table, record.table, theirs_now, mine))
        column, to = names.index(PARENT), _translation(held.said.ids, now.ids)
        m[:, column] = [to.get(each, each) for each in m[:, column].tolist()]
        begun = self.at.index(0) if 0 in self.at else -1
        begun = -1 if begun < 0 or held.said.names[begun] else begun
        for row, message in enumerate(live):
            n = number.get(id(message), -1)
            if n == 0 and self.is_cut and not m[row, column]:
                m[row, column] = s[0, column]
            left = _row(held.left[id(message)], names) if id(message) in held.left else None
            if n < 0:  # it came from a store: what it was when it came was said
                if message is stored[row]:
                    held.added.append(message)
                    held.left[id(message)] = dict(zip(names, t[row].tolist(), strict=True))
                    continue
                said = before = m[row] if left is None else left
            else:
                said, place = s[n], self.at[n]
                before = b[place] if place >= 0 else t[row]
                if place < 0 and stored[row].version > 1:
                    before = np.full(len(names), UNKNOWN, dtype=np.uint32)
            older = n >= 0 and _is_later(message, stored[row], self.older)
            less = False
            if n >= 0:
                told, kept = held.value(message, _PARTS), value_in(stored[row], _PARTS)
                less = tells_less(told, kept)
                if (less or tells_less(kept, told)) and _same_texts(told, kept):
                    older = less  # whichever is: a file's name is more than what stands for it
            self._older[n] = older
            pair = _Pair(
                message=message,
                stored=stored[row],
                said=said,
                before=before,
                now=t[row],
                mine=m[row],
                left=said if left is None else left,
                older=older,
                is_begun=n == begun > 0 and not before[column],
                is_less=less,
            )
            links.whose[id(message)] = self._message(pair, names)

    def _message(self, pair: _Pair, names: tuple[str, ...]) -> str:
        """Give a message its fields; return whose parent it takes."""
        held, message = self.held, pair.message
        is_live = pair.mine != pair.left
        how: dict[str, str] = {}
        for c in np.flatnonzero((pair.now != pair.said) | is_live).tolist():
            how[names[c]] = _decide(
                said=int(pair.said[c]),
                before=int(pair.before[c]),
                now=int(pair.now[c]),
                mine=int(pair.mine[c]) if is_live[c] else None,
                older=pair.older and not (names[c] == PARENT and pair.is_begun),
            )
            if how[names[c]] == "source" and names[c] != PARENT:
                value = held.value(message, names[c])
                if digest(None if value is MISSING else value) != pair.said[c] != 0:
                    how[names[c]] = "conflict"  # the source's is not known any more
                if pair.is_less and names[c].startswith(("content", KEY)):
                    how[names[c]] = "conflict"  # or the name of the file would be lost
        final = pair.now.copy()
        for c, name in enumerate(names):
            if name in how:
                final[c] = {"mine": pair.mine, "source": pair.said}.get(how[name], pair.now)[c]
        parent = how.pop(PARENT, "")
        parent = parent if parent in ("source", "mine") else ""
        self._note(message, how)
        self._take(message, pair.stored, how)
        held.left.pop(id(message), None)
        if (final != pair.said).any() or any(message is each for each in held.added):
            held.left[id(message)] = dict(zip(names, final.tolist(), strict=True))
        return parent

    def _thread(self) -> None:
        """Give the thread its fields."""
        held, thread = self.held, self.held.thread
        said, before = held.said.thread, self.record.thread
        now, mine = thread_digests(self.stored.__dict__), thread_digests(thread.__dict__)
        left = held.left.get(id(thread), said)
        how: dict[str, str] = {}
        final = dict(now)
        for name in dict.fromkeys([*now, *said, *before, *mine]):
            absent = ABSENT[ChatThread].get(name, 0)
            s, b, t, m, was = (each.get(name, absent) for each in (said, before, now, mine, left))
            if m != was or t != s:
                how[name] = _decide(
                    said=s,
                    before=b,
                    now=t,
                    mine=None if m == was else m,
                    older=self.older or (self.is_cut and name in _BEGUN and not thread.source_id),
                )
                final[name] = {"mine": m, "source": s}.get(how[name], t)
        self._note(thread, how)
        self._take(thread, self.stored, how)
        held.left[id(thread)] = final

    def _note(self, entity: Any, how: dict[str, str]) -> None:
        """Note what is kept of the store, and what the source says instead."""
        is_thread = entity is self.held.thread
        later, edited = ([n for n, what in how.items() if what == w] for w in ("later", "edited"))
        if is_thread:
            self.later, self.edited = later, edited
        else:
            self.later_messages += bool(later)
            self.edited_messages += bool(edited)
        for name, what in how.items():
            if what == "conflict":
                said = self.held.value(entity, name)
                said = None if said is MISSING else copy.deepcopy(said)
                self.conflicts.append(Contested(None if is_thread else entity, name, said))

    def _take(self, entity: Any, stored: Any, how: dict[str, str]) -> None:
        """Give an entity the state of a stored one, but for what it keeps or the source says."""
        held = self.held
        kept = {n: held.value(entity, n) for n in how if how[n] in ("later", "edited", "conflict")}
        values = {n: copy.deepcopy(held.value(entity, n)) for n in how if how[n] == "source"}
        values |= {n: value_in(entity, n) for n in how if how[n] == "mine"}
        self.changed |= bool(values)
        there = stored.__dict__
        entity.__dict__.update({name: there[name] for name in (*OWN, "metadata")})
        names = THREAD_FIELDS if entity is held.thread else MESSAGE_FIELDS[:-1]
        entity.__dict__.update({name: there[name] for name in names})
        for name, value in values.items():
            put(entity, name, value, how)
        forget_computed(entity)
        held.kept.pop(id(entity), None)
        if kept:
            held.kept[id(entity)] = kept

    # -- what was said -----------------------------------------------------------------------

    def _noted(self, now: Said) -> ChatRecord:
        """Return what was said by now: of what is older here, what was said before."""
        record = self.record
        names = tuple(_joined(now.table, record.table))
        rows, before = now.table.under(names), record.table.under(names)
        paired = {place: n for n, place in enumerate(self.at) if place >= 0}
        mine = list(enumerate(self.at))
        theirs = [(paired.get(place, -1), place) for place in range(len(record.ids))]
        orders = (theirs, mine) if self.older else (mine, theirs)
        order = woven(*orders, key=lambda each: each)
        marks, known = now.marks, record.marks
        chosen = [
            before[place]
            if n < 0
            or (place >= 0 and self._older.get(n, self.older) and UNKNOWN not in before[place])
            else rows[n]
            for n, place in order
        ]
        return ChatRecord(
            thread=now.thread | record.thread if self.older else now.thread,
            ids=[now.ids[n] if n >= 0 else record.ids[place] for n, place in order],
            known=[marks[n] if n >= 0 else known[place] for n, place in order],
            table=DigestTable(names, np.array(chosen, dtype=np.uint32).reshape(-1, len(names))),
            updated=(record.updated or now.updated) if self.older else now.updated,
            last=max(filter(None, (record.last, now.last)), default=None),
            versions=[0] * len(order),
            parts=record.parts,
        )


def _decide(*, said: int, before: int, now: int, mine: int | None, older: bool) -> str:
    """Return whose value of a field holds, given the digests of all that it could be.

    Parameters
    ----------
    said, before
        What the source says, and what it said before.
    now
        What is stored.
    mine
        What the live object holds, if somebody has changed that.
    older
        Whether the source is older than what was said before.

    Returns
    -------
    str
        ``"source"`` and ``"mine"`` are taken. The store's stays where it is ``"later"`` than the
        source, was ``"edited"`` since, or is in ``"conflict"``; ``""`` where it says the same.
    """
    if mine is not None:
        if mine == now:
            return ""
        return "mine" if now in (before, said) else "conflict"
    if now == said:
        return ""
    if older:
        return "later"
    if before == UNKNOWN:
        return "conflict" if now else "source"
    if said == before:
        return "edited"
    return "source" if now == before else "conflict"


def _is_later(mine: Any, theirs: Any, older: bool) -> bool:
    """Tell whether `theirs` is the later state of a message."""
    when, before = _edited(mine), _edited(theirs)
    if when != before:
        return when is None or (before is not None and before > when)
    return older


def _edited(message: Any) -> datetime | None:
    for name in _EDITED:
        raw = message.metadata.get(name)
        if isinstance(raw, dict):
            raw = raw.get("ts")
        if raw is not None and (found := read_time(raw)) is not None:
            return found
    return None


def _same_texts(*parts: Any) -> bool:
    """Tell whether the parts that are texts are the same ones."""
    one, other = ([each for each in some if each.get("kind") == "text"] for some in parts)
    return one == other


def _shown(name: str) -> str:
    """Return the name of a column as people know it."""
    if not name.startswith(KEY):
        return name
    return f"metadata {name[len(KEY) :]!r}" if name != KEY else "metadata"


def _joined(*tables: DigestTable) -> list[str]:
    """Return the names of several tables, each once."""
    return list(dict.fromkeys(name for table in tables for name in table.names))


def _row(digests: Mapping[str, int], names: Sequence[str]) -> Digests:
    absent = ABSENT[ChatMessage]
    return np.array([digests.get(n, absent.get(n, 0)) for n in names], dtype=np.uint32)


def _translation(of: Sequence[UUID], to: Sequence[UUID]) -> dict[int, int]:
    """Return the digests of ids as those of others."""
    if of == to:
        return {}
    return {digest_of_id(a): digest_of_id(b) for a, b in zip(of, to, strict=True)}
