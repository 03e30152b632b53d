"""Several calls as one transaction: what they have changed so far, and how it is taken back.

An entity counts once, however often it was written. Its version is raised by one, from what it was
before the transaction; what was added and deleted again has never been.
"""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from contextvars import ContextVar
from enum import Enum
from types import TracebackType
from typing import Any, NamedTuple
from uuid import UUID

from ecsviz.basics.interrupts import Guard
from ecsviz.errors import TransactionError
from ecsviz.storage.looking import Inside
from ecsviz.storage.saved import tell

TOGETHER = "ecs_together"
"""Under which key of a connection's ``info`` its open transaction of several calls stands."""


MOST_TOLD = 100_000
"""So many entities at the most are remembered to be told of at the end of a block."""


class What(Enum):
    """What became of an entity, net."""

    UNTOUCHED = "untouched"
    ADDED = "added"
    CHANGED = "changed"
    DELETED = "deleted"
    ANEW = "deleted, and stored anew"
    VANISHED = "added, and deleted again"


_AFTER = {
    What.ADDED: {What.DELETED: What.ANEW},
    What.CHANGED: {What.ADDED: What.ADDED, What.ANEW: What.ANEW},
    What.DELETED: {What.ADDED: What.VANISHED, What.VANISHED: What.VANISHED},
}
"""What happens → what became of the entity before → what becomes of it; else what happens."""


class Waymark(NamedTuple):
    """A point of a transaction to which one can go back."""

    states: int
    told: int
    notes: int
    calls: int = 0


_entered: ContextVar[tuple[Together, ...]] = ContextVar("ecs_entered", default=())


class Together:
    """An open transaction of several calls: what they have changed, and whom they have told.

    Parameters
    ----------
    number
        The revision that they make.
    where
        What messages call the storage.

    Attributes
    ----------
    before
        Of each entity that was written the version before the transaction, 0 if it is new.
    buried
        What the storage knew of entities that were deleted before, and came back.
    beside
        Whether something was written that is no state of an entity.
    settled
        The revision that they make, once it was forgotten whom the calls so far have written:
        their rows tell. None before.
    """

    def __init__(self, number: int, where: str) -> None:
        self.number = number
        self.where = where
        self.before: dict[UUID, int] = {}
        self.buried: dict[UUID, Any] = {}
        self.beside = False
        self.settled: int | None = None
        self._process, self._thread = os.getpid(), threading.get_ident()
        self._states: dict[UUID, What] = {}
        self._counts: Counter[What] = Counter()
        self._past: list[tuple[UUID, What]] = []
        self._told: list[tuple[weakref.ref[Any], int | None]] = []
        self._notes: list[str] = []
        self._calls: list[Callable[[], object]] = []
        self._known: dict[UUID, dict[int, weakref.ref[Any]]] = {}  # whose versions are of it
        _entered.set((*_entered.get(), self))

    # -- whose it is -------------------------------------------------------------------------

    def is_here(self) -> bool:
        """Tell whether a call belongs to the transaction: it is made in its block.

        Raises
        ------
        TransactionError
            If it is made in another thread, or in another task, and nobody can tell.
        """
        inside, same = self in _entered.get(), self._thread == threading.get_ident()
        if inside == same:
            return inside
        raise self.misused(
            "was begun in another thread. Begin and end it in one function, and give that to the"
            " thread"
            if inside
            else "was begun in another task of this thread, which waits. Do not await inside its"
            " block; give a function with the whole block to asyncio.to_thread"
        )

    def misused(self, why: str) -> TransactionError:
        """Return the error for a use that cannot work."""
        return TransactionError(f"The open transaction on {self.where} {why}.")

    def left_elsewhere(self) -> TransactionError:
        """Return the error for a block that ends in another thread than it began in."""
        return self.misused(
            "was left in another thread than it was begun in, and is taken back. Enter and leave"
            " its block in one function"
        )

    def not_at_its_end(self) -> TransactionError:
        """Return the error for closing the storage inside the block."""
        return self.misused("is not at its end. Leave its block before closing the storage")

    def cannot_have(self, what: str) -> TransactionError:
        """Return the error for a call that cannot be one of several."""
        return self.misused(f"cannot have {what} in it. Call that before or after its block")

    @property
    def of_this_thread(self) -> bool:
        """Whether it was begun in this thread."""
        return self._thread == threading.get_ident()

    @property
    def of_this_process(self) -> bool:
        """Whether it was begun in this process, not in one of which this is a fork."""
        return self._process == os.getpid()

    def leave(self, *, back: bool) -> None:
        """End it: what is called from now on does not belong to it.

        Parameters
        ----------
        back
            Whether it was taken back.
        """
        if back:
            self.back(Waymark(0, 0, 0))
        _entered.set(tuple(each for each in _entered.get() if each is not self))

    # -- what others have read of it ---------------------------------------------------------

    def seen(self) -> Callable[[], None]:
        """Return what raises TransactionError once anything written until now was taken back."""
        past, count = self._past, len(self._past)
        last = past[-1] if past else None

        def check() -> None:
            if last is not None and (len(past) < count or past[count - 1] is not last):
                raise self.misused(
                    "was taken back, or came to nothing, and this goes on with what was written in"
                    " it. Begin anew"
                )

        return check

    # -- what changed ------------------------------------------------------------------------

    def note(self, ecs_id: UUID, what: What, before: int) -> None:
        """Note that an entity was added, changed or deleted.

        Parameters
        ----------
        ecs_id, what
            The entity, and what happened.
        before
            Its version before that: it counts where the transaction has not written it yet.
        """
        self.before.setdefault(ecs_id, before)
        was = self._states.get(ecs_id, What.UNTOUCHED)
        self._past.append((ecs_id, was))
        self._become(ecs_id, _AFTER[what].get(was, what))

    def note_all(self, what: What, entities: Iterable[tuple[UUID, int]]) -> None:
        """Note what happened to some entities, given with their versions before that."""
        known = dict(entities)
        if not self._states.keys().isdisjoint(known):
            for ecs_id, before in known.items():
                self.note(ecs_id, what, before)
            return
        self.before.update({i: before for i, before in known.items() if i not in self.before})
        self._past += zip(known, itertools.repeat(What.UNTOUCHED))
        self._states.update(dict.fromkeys(known, what))
        self._counts[What.UNTOUCHED] -= len(known)
        self._counts[what] += len(known)

    def _become(self, ecs_id: UUID, what: What) -> None:
        self._counts[self._states.get(ecs_id, What.UNTOUCHED)] -= 1
        self._counts[what] += 1
        self._states[ecs_id] = what

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many entities were added, changed and deleted; what came anew is both."""
        of = self._counts
        return (
            of[What.ADDED] + of[What.ANEW],
            of[What.CHANGED],
            of[What.DELETED] + of[What.ANEW],
        )

    @property
    def has_deleted(self) -> bool:
        """Whether anything was deleted, even if it is there again or has never been."""
        return any(self._counts[what] for what in (What.DELETED, What.ANEW, What.VANISHED))

    @property
    def noted(self) -> int:
        """How many changes were noted up to now."""
        return len(self._past)

    def changed(self, start: int, end: int) -> set[UUID]:
        """Return what was written from one number of changes to another."""
        return {ecs_id for ecs_id, _ in self._past[start:end]}

    def vanished(self) -> list[UUID]:
        """Return what was added and deleted again."""
        return [ecs_id for ecs_id, what in self._states.items() if what is What.VANISHED]

    def settle(self) -> None:
        """Forget whom the calls so far have written, but not how many: for millions of them.

        Nobody holds them as objects, and they are taken back together or not at all.
        """
        self.settled = self.number
        for kept in (self.before, self._states, self._known):
            kept.clear()
        del self._past[:], self._told[:], self._calls[:]

    # -- notes -------------------------------------------------------------------------------

    def say(self, note: str | None) -> None:
        """Add to the note of the revision."""
        if note is not None and note not in self._notes:
            self._notes.append(note)

    @property
    def text(self) -> str | None:
        """The note of the revision."""
        return "; ".join(self._notes) if self._notes else None

    # -- live objects ------------------------------------------------------------------------

    def tell(self, entity: Any, version: int) -> None:
        """Tell a live object its version."""
        state = entity.__dict__
        if state["version"] != version:
            self._told.append((self._know(entity), state["version"]))
            state["version"] = version

    def watch(self, entities: Iterable[Any]) -> None:
        """Remember objects that were read: their versions may never come to be."""
        for entity in entities:
            if entity.ecs_id in self.before:
                self._told.append((self._know(entity), None))

    def _know(self, entity: Any) -> weakref.ref[Any]:
        ref = weakref.ref(entity)
        self._known.setdefault(entity.ecs_id, {})[id(entity)] = ref
        return ref

    def outdate(self, ids: Iterable[UUID]) -> None:
        """Let the objects of entities that were saved be stale: what is stored has their version.

        Who was saved is told its version afterwards.
        """
        for ecs_id in ids:
            for ref in self._known.get(ecs_id, {}).values():
                entity = ref()
                if entity is not None and "version" in entity.__dict__:
                    self._told.append((ref, entity.__dict__["version"]))
                    entity.__dict__["version"] = self.before[ecs_id]

    def _untell(self, told: int, only: set[UUID] | None = None) -> None:
        """Put the versions of live objects back to what they were told first, or before."""
        for ref, version in reversed(self._told[told:]):
            entity = ref()
            if entity is None or "version" not in entity.__dict__:
                continue
            ecs_id = entity.ecs_id
            if only is not None and ecs_id not in only:
                continue
            if version is not None:
                entity.__dict__["version"] = version
            elif self._is_as_before(ecs_id):
                before = self.before[ecs_id]
                entity.__dict__["version"] = min(entity.__dict__["version"], before)

    def _is_as_before(self, ecs_id: UUID) -> bool:
        gone = (What.UNTOUCHED, What.VANISHED)
        return self._states.get(ecs_id, What.UNTOUCHED) in gone

    # -- going back --------------------------------------------------------------------------

    def mark(self) -> Waymark:
        """Return this point."""
        return Waymark(len(self._past), len(self._told), len(self._notes), len(self._calls))

    def on_back(self, call: Callable[[], object]) -> None:
        """Call something when it is gone back to a point before this one."""
        self._calls.append(call)

    def stay(self) -> None:
        """Let live objects be who they are: nothing is taken back, though nothing was stored."""
        self._calls.clear()

    def back(self, mark: Waymark) -> None:
        """Go back to a point: versions of live objects too."""
        while len(self._past) > mark.states:
            self._become(*self._past.pop())
        self._untell(mark.told)
        # What was read after the point may be of what was written before: it goes back with that.
        self._told[mark.told :] = [told for told in self._told[mark.told :] if told[1] is None]
        del self._notes[mark.notes :]
        while len(self._calls) > mark.calls:
            self._calls.pop()()

    def forget_vanished(self) -> list[UUID]:
        """Let live objects of what was added and deleted again be new; return their ids."""
        gone = self.vanished()
        if gone:
            self._untell(0, set(gone))
        return gone


def written_here() -> tuple[int, int, int]:
    """Return how many entities the open transaction has added, changed and deleted so far."""
    return _entered.get()[-1].counts


class Transaction:
    """The block of ``with store.transaction():``.

    Parameters
    ----------
    inside
        The inside of the storage.
    note
        What the revision is about.

    Notes
    -----
    An interrupt (Ctrl-C) that comes in the block is raised there, and takes everything back; one
    that comes while the block is entered or left waits until that is done.
    """

    def __init__(self, inside: Inside, note: str | None) -> None:
        self._inside = inside
        self._note = note
        self._guards: list[Guard] = []
        self._ids: set[UUID] | None = set()

    def heard(self, ids: Collection[UUID] | None) -> None:
        """Note what is to be told of at the end; None, or very many, is told as unknown."""
        if ids is None or self._ids is None or len(ids) + len(self._ids) > MOST_TOLD:
            self._ids = None
        else:
            self._ids.update(ids)

    def __enter__(self) -> None:
        guard = Guard(Transaction.__enter__, Transaction.__exit__)
        try:
            self._inside.begin(self._note)
        except BaseException:
            guard.remove()
            raise
        self._guards.append(guard)
        if not self._inside.blocks:
            self._ids = set()
        self._inside.blocks.append(self)
        try:
            guard.tell()
        except BaseException as err:
            self.__exit__(type(err), err, None)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None
    ) -> None:
        blocks = self._inside.blocks
        guard = self._guards.pop() if self._guards else Guard()
        try:
            if self not in blocks:
                if kind is None:
                    raise _out_of_order("was taken back already, or never begun")
                return
            if blocks[-1] is self:
                blocks.pop()
                self._inside.end(well=kind is None)
                if not blocks and kind is None:
                    tell(self._inside, self._ids)
                return
            while blocks:  # none of it can be told apart any more
                blocks.pop()
                self._inside.end(well=False)
            if kind is None:
                raise _out_of_order("ended before another that was begun in it")
        finally:
            guard.remove()


def _out_of_order(how: str) -> TransactionError:
    return TransactionError(
        f"A block of a transaction {how}. Nothing of it is saved. End blocks in the order in which"
        " with statements do, each within the one around it, not across generators."
    )
