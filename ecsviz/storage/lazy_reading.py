"""Lazy readings: what is touched is loaded, with its neighbours, from one state of the store.

One object per reading holds what that takes: which revision it reads, and which object stands for
which entity. The storages say how rows, or records, become entities; they ask a `ReadingStep` for
the objects, and it puts the states into them when all are made.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final
from uuid import UUID

from ecsviz.basics.interrupts import deferred_interrupt
from ecsviz.domain.fields import FieldPlan, Shape, class_plan
from ecsviz.domain.objects import (
    Unread,
    empty,
    is_placeholder,
    not_loaded,
    read_by,
    shells,
    take_states,
)
from ecsviz.domain.paths import held_in
from ecsviz.domain.post_init import run_post_init
from ecsviz.errors import EcsvizError, EntityNotFoundError
from ecsviz.storage.as_of import said_as
from ecsviz.storage.remembered import hand_over

BATCH: Final = 1_000
"""How many entities are loaded at a time, unless one list has more."""

Read = Callable[["ReadingStep", dict[type, list[UUID]]], None]
"""Reads entities, by class, and what stands for all that they hold, into the objects of a step."""


class LazyReading:
    """What was read with ``lazy=True``, and what is loaded later: one state, one object each.

    Parameters
    ----------
    reopen
        Opens the store as a revision left it, to read in.
    revision
        That revision, at which the first was read.

    Notes
    -----
    The placeholders hold the reading, it holds them weakly, and what is loaded holds it no more.
    """

    def __init__(self, reopen: Callable[[], AbstractContextManager[Read]], revision: int) -> None:
        self.reopen = reopen
        self.revision = revision
        self.known: dict[int, weakref.ref[Any]] = {}  # by id, as a number: Python hashes these
        self._kept = 0  # how many were alive when the dead were last forgotten
        self._lock = threading.Lock()
        self._thread: int | None = None  # which loads, as long as it is locked

    @contextmanager
    def step(self) -> Iterator[ReadingStep]:
        """Hold one step of the reading: what is found in it comes to be at its end."""
        # After the store was opened, which may have to wait for a thread that touches the same.
        with self._lock:
            try:
                self._thread = threading.get_ident()
                yield ReadingStep(self)
            finally:
                self._thread = None

    def load(self, entity: Any, name: str) -> None:
        """Load a placeholder of which a field is touched, with those beside it.

        Raises
        ------
        NotLoadedError
            If a ``model_post_init`` touches it while others are loaded: one would load the next.
        EcsvizError
            If it cannot be read any more; it stays a placeholder.
        """
        if self._lock.locked() and self._thread == threading.get_ident():
            raise not_loaded(entity, name)
        try:
            with said_as("revision"), self.reopen() as read, self.step() as step:
                if is_placeholder(entity):  # no other thread was quicker
                    self._load(entity, step, read)
        except EcsvizError as err:
            kind, ecs_id = type(entity).__name__, entity.__dict__["ecs_id"]
            raise type(err)(
                f"{err.message} So {kind}.{name} of {ecs_id} could not be loaded as revision"
                f" {self.revision} left it. Read it again: store.get(…, lazy=True).",
                **err.facts,
            ) from err

    def _load(self, entity: Any, step: ReadingStep, read: Read) -> None:
        batch: Batch = entity.__pydantic_fields_set__
        mates = [batch, *batch.beside]
        size = sum(len(mate.members) for mate in mates)
        for mate in batch.edge.values():
            if mate is not batch:
                size += len(mate.members)
                if size > BATCH:
                    break
                mates.append(mate)
        wanted: dict[type, list[UUID]] = {}
        for mate in mates:
            for held in (ref() for ref in mate.members):
                if held is not None and is_placeholder(held):
                    wanted.setdefault(type(held), []).append(held.__dict__["ecs_id"])
        read(step, wanted)
        if is_placeholder(entity):
            raise EntityNotFoundError(f"{entity.ecs_id} is not stored any more.")
        for mate in mates:
            mate.edge.pop(id(mate), None)

    def remember(self, entities: Sequence[Any]) -> None:
        """Take objects for those that stand for their entities."""
        keys = [entity.__dict__["ecs_id"].int for entity in entities]
        self.known.update(zip(keys, map(weakref.ref, entities), strict=True))
        if len(self.known) > 2 * self._kept + BATCH:
            self.known = {key: ref for key, ref in self.known.items() if ref() is not None}
            self._kept = len(self.known)


class Batch(Unread):
    """The placeholders that are loaded with each other.

    Attributes
    ----------
    reading
        What they belong to.
    members
        They, held weakly.
    beside
        The batches of other classes in the same list.
    edge
        The batches of the same class that came with this one, by ``id()``, as long as they are
        not loaded.
    """

    __slots__ = ("beside", "edge", "members", "reading")

    def __init__(
        self, reading: LazyReading, entities: Sequence[Any], edge: dict[int, Batch]
    ) -> None:
        super().__init__()
        self.reading = reading
        self.members = list(map(weakref.ref, entities))
        self.beside: list[Batch] = []
        self.edge = edge
        edge[id(self)] = self

    def load(self, entity: Any, name: str) -> None:
        """Load an entity, of which a field is touched."""
        self.reading.load(entity, name)


class ReadingStep:
    """One reading of some entities whole, and of what they hold as placeholders."""

    def __init__(self, reading: LazyReading) -> None:
        self.reading = reading
        self._new: list[Any] = []
        self._filled: list[Any] = []
        self._drafts: list[Any] = []

    def objects(self, cls: Any, ids: Sequence[UUID]) -> list[Any]:
        """Return the objects that stand for entities of a class: new ones where there are none."""
        refs = map(self.reading.known.get, [ecs_id.int for ecs_id in ids])
        found = [None if ref is None else ref() for ref in refs]
        missing = [n for n, entity in enumerate(found) if entity is None]
        made = shells(cls, [ids[n] for n in missing])
        for n, entity in zip(missing, made, strict=True):
            found[n] = entity
        self._new += made
        return found

    def drafts(self, cls: Any, entities: Sequence[Any]) -> list[Any]:
        """Return objects that take the states of others, until all of them are whole."""
        made = shells(cls, [entity.__dict__["ecs_id"] for entity in entities])
        self._filled += entities
        self._drafts += made
        return made

    def finish(self) -> None:
        """Give all their states, and the new placeholders what loads them.

        Notes
        -----
        If a ``model_post_init`` fails, those that were to be loaded are placeholders as before.
        """
        before = [entity.__pydantic_fields_set__ for entity in self._filled]
        with deferred_interrupt():  # no state without those that it holds
            self._make_batches()
            self.reading.remember(self._new)
            take_states(self._filled, self._drafts)
        try:
            run_post_init(self._filled, set(map(type, self._filled)), alone=True)
        except BaseException:
            empty(self._filled, before)
            raise
        hand_over(self._filled, self._drafts)

    def _make_batches(self) -> None:
        """Tell the new placeholders what loads them: lists first, since they go by whole lists."""
        filled = set(map(id, self._filled))
        new = {id(entity): entity for entity in self._new if id(entity) not in filled}
        edges: dict[type, dict[int, Batch]] = {}
        for plan, value in self._held() if new else ():
            if plan.shape != Shape.SINGLE:
                self._batch([e for e in held_in(plan, value) if new.pop(id(e), None)], edges)
        by_class: dict[type, list[Any]] = {}
        for entity in new.values():
            by_class.setdefault(type(entity), []).append(entity)
        for entities in by_class.values():
            for start in range(0, len(entities), BATCH):
                self._batch(entities[start : start + BATCH], edges)

    def _held(self) -> Iterator[tuple[FieldPlan, Any]]:
        for draft in self._drafts:
            state = draft.__dict__
            for plan in class_plan(type(draft)).fields:
                yield plan, state.get(plan.name)

    def _batch(self, entities: Sequence[Any], edges: dict[type, dict[int, Batch]]) -> None:
        made = []
        for cls in dict.fromkeys(map(type, entities)):
            some = [entity for entity in entities if type(entity) is cls]
            made.append(Batch(self.reading, some, edges.setdefault(cls, {})))
            read_by(some, made[-1])
        for batch in made:
            batch.beside = [other for other in made if other is not batch]
