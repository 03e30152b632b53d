"""InMemoryEntityStorage: the meaning of a storage in plain Python, without a database."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import UUID

from ecsviz.basics.arguments import flag
from ecsviz.basics.interrupts import deferred_interrupt
from ecsviz.basics.progress import steps
from ecsviz.basics.text import counted
from ecsviz.basics.views import view
from ecsviz.domain.entity import Entity
from ecsviz.domain.isomorphic import find_difference
from ecsviz.errors import StoragePickleError
from ecsviz.storage.arriving import save
from ecsviz.storage.as_of import AsOf, said_as
from ecsviz.storage.asking import AskingStorage
from ecsviz.storage.catching_up import CatchingUp
from ecsviz.storage.comparing import VersionedStorage
from ecsviz.storage.hits import Hits, named_fields, text_search
from ecsviz.storage.matching import matched
from ecsviz.storage.memory.inside import MemoryInside
from ecsviz.storage.memory.loading import WHERE, check_stored, records_of
from ecsviz.storage.memory.saving import events_of_states, mismatches, without
from ecsviz.storage.memory.text_search import drop_texts, find_texts, index_texts
from ecsviz.storage.memory.unique import twice
from ecsviz.storage.protocol import (
    E_,
    EntityStorage,
    Extent,
    Match,
    as_id,
    as_registered,
    check_alone,
    check_entity_class,
    check_repairs_to,
    check_type,
    ids_in_order,
    ids_of,
    not_found,
    registers_itself,
)
from ecsviz.storage.renewal import walk_of_given, walk_to_save
from ecsviz.storage.reports import (
    Problem,
    history_frame,
    problems_frame,
    repaired_frame,
    revisions_frame,
)
from ecsviz.storage.saved import listening, met, tell

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


class InMemoryEntityStorage(VersionedStorage, CatchingUp, AskingStorage):
    """Entity graphs in this process's memory: for tests, and to try things out.

    It means what `SQLAlchemyEntityStorage` means, and passes the same conformance suite: what
    is stored are copies, every `get` makes new objects, versions count, conflicts are told.

    Examples
    --------
    >>> import ecsviz as ev
    >>> store = ev.InMemoryEntityStorage()
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> store.register(thread) is thread
    True
    >>> again = store.get(thread.ecs_id)
    >>> again.messages[0].thread is again, again.version
    (True, 1)
    """

    def __init__(self) -> None:
        self.inside: MemoryInside = MemoryInside()

    def close(self) -> None:
        """Let go of everything that is stored; using the storage afterwards is an error."""
        self.inside.close()

    def __reduce__(self) -> NoReturn:
        raise StoragePickleError(
            "An InMemoryEntityStorage cannot be pickled or copied: it lies in the memory of this"
            " process alone. ev.SQLAlchemyEntityStorage('threads.db') can be, and each process"
            " opens it by itself."
        )

    def __repr__(self) -> str:
        kept = self.inside.kept
        told = "closed" if kept.closed else counted(len(kept.records), "entity")
        return f"InMemoryEntityStorage({told})"

    @view
    def draw_schema(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the classes of what is stored with their fields and crow's feet.

        Parameters
        ----------
        ax
            Where to draw. None makes a figure.
        **options
            As of `SQLAlchemyEntityStorage.draw_schema`; there are no tables here.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.InMemoryEntityStorage()
        >>> _ = store.register(ev.ChatThread(title="Cycles"))
        >>> store.draw_schema().get_title(loc="left")
        '2 classes, 2 references, 1 cyclic component'
        """
        raise NotImplementedError

    # -- saving ------------------------------------------------------------------------------

    def register(
        self,
        entity_or_entities: Any,
        note: str | None = None,
        *,
        hops: int | None = None,
        match: Match | None = None,
        progress: bool | None = None,
    ) -> Any:
        """Store entities with everything they lead to; all of them or, on an error, none.

        Parameters, result and errors are those of `SQLAlchemyEntityStorage.register`.
        """
        if isinstance(entity_or_entities, (UUID, str)):
            return self.get(entity_or_entities)
        if (in_parts := registers_itself(entity_or_entities)) is not None:
            return in_parts(
                entity_or_entities, self, note, hops=hops, match=match, progress=progress
            )
        given, roots = as_registered(entity_or_entities)
        alone = check_alone(hops)
        walk = walk_of_given if alone else walk_to_save
        matching = nullcontext() if match is None else matched(self.inside, roots, match, walk)
        with steps("saving", progress), matching:
            found = save(self, roots, note, alone)
        if listening:
            tell(self.inside, met(found))
        return given

    def revisions(self) -> pd.DataFrame:
        """Return every change of the storage, oldest first.

        Returns
        -------
        DataFrame
            As of `SQLAlchemyEntityStorage.revisions`.
        """
        kept = self.inside.kept
        with kept.lock:
            return revisions_frame(kept.revisions)

    def history(self, ecs_id: UUID | str | Entity) -> pd.DataFrame:
        """Return the versions of an entity, oldest first.

        Returns
        -------
        DataFrame
            As of `SQLAlchemyEntityStorage.history`.

        Raises
        ------
        EntityNotFoundError
            If it was never stored, or all of it has been pruned.
        """
        wanted, kept = as_id(ecs_id), self.inside.kept
        with kept.lock:
            states = kept.states(wanted)
            if not states:
                raise not_found(wanted, kept.records, WHERE)
            moments = {r[0]: (r[1], r[2]) for r in kept.revisions}
            return history_frame(events_of_states(states), moments)

    def verify(self, entity: Any = None) -> pd.DataFrame:
        """Verify that every reference leads somewhere and every state follows on another.

        Parameters
        ----------
        entity
            A live graph: that the stored one is isomorphic to it is proved too.

        Returns
        -------
        DataFrame
            As of `SQLAlchemyEntityStorage.verify`.
        """
        kept = self.inside.kept
        with kept.lock:
            problems = [
                Problem("", str(i), i, "reference", f"refers to {held}, which is missing")
                for i, record in kept.records.items()
                for held in record.held
                if held not in kept.records
            ]
            problems += [
                Problem("", str(ecs_id), ecs_id, "pair", detail)
                for ecs_id, detail in mismatches(kept.records)
            ]
            problems += [
                Problem("", str(ecs_id), ecs_id, "unique", detail)
                for ecs_id, detail in twice(kept.records)
            ]
            for ecs_id in kept.past:
                states = kept.states(ecs_id)
                starts = [record.revision for record, _ in states[1:]]
                ends = [until for _, until in states if until is not None]
                if any(a > b for a, b in zip(ends, starts, strict=False)):
                    problems.append(Problem("", str(ecs_id), ecs_id, "history", "an overlap"))
            if entity is not None:
                difference = find_difference(self.get(as_id(entity)), entity)
                if difference is not None:
                    problems.append(Problem("", "", as_id(entity), "graph", difference))
            return problems_frame(problems)

    def repair(self, to: EntityStorage, *, doubtful: bool = False) -> pd.DataFrame:
        """Save in another storage all that is stored, which in memory is sound.

        Parameters, result and errors are those of `SQLAlchemyEntityStorage.repair`.
        """
        check_repairs_to(to)
        flag(doubtful, "doubtful")
        if found := self.list_by_type(Entity):
            to.register(found, note=f"repaired from {WHERE}")
        return repaired_frame(())

    def prune(self, before: AsOf = None) -> int:
        """Forget the past.

        Parameters
        ----------
        before
            A revision or an aware time from which on the past is kept; None forgets all of it.

        Returns
        -------
        int
            How many superseded states are gone.
        """
        self.inside.check_writable(alone="prune()")
        with self.inside.writing() as kept:
            with said_as("before"):
                oldest = kept.newest if before is None else kept.revision_at(before)
            left = {i: [s for s in states if s[1] > oldest] for i, states in kept.past.items()}
            gone = sum(map(len, kept.past.values())) - sum(map(len, left.values()))
            records = [*kept.records.values(), *(s[0] for states in left.values() for s in states)]
            spoken_of = {record.revision for record in records}
            with deferred_interrupt():
                kept.past = {ecs_id: states for ecs_id, states in left.items() if states}
                kept.revisions = [r for r in kept.revisions if r[0] >= oldest or r[0] in spoken_of]
                kept.pruned = oldest
        tell(self.inside)
        return gone

    # -- getting -----------------------------------------------------------------------------

    def get(
        self,
        ecs_id: UUID | str,
        expected_type: type[E_] | None = None,
        *,
        hops: int | None = None,
        only: Iterable[type[Entity]] | None = None,
        lazy: bool = False,
        as_of: AsOf = None,
        check: bool = False,
        progress: bool | None = None,
    ) -> Any:
        """Return the entity of an id, with everything it leads to.

        Parameters and errors are those of `SQLAlchemyEntityStorage.get`. Every call makes new
        objects. O(what is read).
        """
        (found,) = self.get_many(
            [ecs_id],
            hops=hops,
            only=only,
            lazy=lazy,
            as_of=as_of,
            check=check,
            progress=progress,
        )
        return check_type(found, expected_type)

    def get_many(
        self,
        ecs_ids: Iterable[UUID | str],
        *,
        hops: int | None = None,
        only: Iterable[type[Entity]] | None = None,
        lazy: bool = False,
        as_of: AsOf = None,
        check: bool = False,
        progress: bool | None = None,
    ) -> list[Any]:
        """Return several entities, in the given order; what they share is one object.

        Parameters are those of `SQLAlchemyEntityStorage.get_many`.
        """
        ids, extent = ids_in_order(ecs_ids), Extent.of(hops, only, lazy, check)
        with steps("loading", progress):
            return self.inside.read(ids, extent, as_of) if ids else []

    def list_by_type(self, cls: type[E_], *, as_of: AsOf = None) -> list[E_]:
        """Return all entities of a class and its subclasses.

        Parameters, order and errors are those of `SQLAlchemyEntityStorage.list_by_type`.
        """
        check_entity_class(cls)
        kept = self.inside.kept
        with kept.lock:
            records = records_of(kept.at(as_of), cls)
            return self.get_many([record.ecs_id for record in records], as_of=as_of)

    def search(
        self,
        text: str,
        cls: type[Entity] | None = None,
        *,
        fields: str | Iterable[str] | None = None,
        limit: int | None = 20,
        offset: int = 0,
    ) -> Hits:
        """Search texts by words; return where all of them are, the best first.

        Parameters, result and errors are those of `SQLAlchemyEntityStorage.search`. O(texts).

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.InMemoryEntityStorage()
        >>> _ = store.register(ev.ChatThread(title="The save plan"))
        >>> store.search("PLAN", ev.ChatThread)
        1 hit for 'PLAN'
          ChatThread.title: The save [plan]
        """
        if cls is not None:
            check_entity_class(cls)
        wanted = text_search(text, cls, fields, limit, offset)
        kept = self.inside.kept
        with kept.lock:
            return find_texts(kept, cls, wanted)

    def index_text(self, cls: type[Entity], *fields: str) -> int:
        """Let texts be searched where `search` names no class; nothing is faster for it here.

        Parameters, result and errors are those of `SQLAlchemyEntityStorage.index_text`.
        """
        check_entity_class(cls)
        self.inside.check_writable(alone="index_text()")
        with self.inside.writing() as kept:
            return index_texts(kept, cls, named_fields(fields) or ())

    def drop_text_index(self, cls: type[Entity], *fields: str) -> None:
        """Take back what `index_text` was told.

        Parameters and errors are those of `SQLAlchemyEntityStorage.drop_text_index`.
        """
        check_entity_class(cls)
        self.inside.check_writable(alone="drop_text_index()")
        with self.inside.writing() as kept:
            drop_texts(kept, cls, named_fields(fields) or ())

    def has_entity(self, ecs_id: UUID | str) -> bool:
        """Tell whether an id is stored."""
        wanted, kept = as_id(ecs_id), self.inside.kept
        with kept.lock:
            return wanted in kept.records

    def get_lineage_entities(self, lineage_id: UUID | str) -> list[Any]:
        """Return all entities of one family, in the order of their ids."""
        wanted, kept = as_id(lineage_id), self.inside.kept
        with kept.lock:
            ids = [i for i, record in kept.records.items() if record.lineage_id == wanted]
            return self.get_many(sorted(ids))

    # -- deleting ----------------------------------------------------------------------------

    def delete(self, entities_or_ids: Any) -> None:
        """Delete entities that nothing else refers to, all of them or, on an error, none.

        Parameters and errors are those of `SQLAlchemyEntityStorage.delete`.
        """
        ids = dict.fromkeys(ids_of(entities_or_ids))
        with self.inside.writing() as kept:
            check_stored(kept.records, ids)
            number, last = kept.next, kept.last
            shorter = without(
                kept.records, ids, lambda old: last.get(old.ecs_id, old.version) + 1, number
            )
            raised = {i: (kept.records[i].version, r.version) for i, r in shorter.items()}
            with deferred_interrupt():
                kept.supersede([*shorter, *ids], number)
                kept.store(shorter)
                kept.effects.note(raised)
                kept.remove(ids, number)
                if ids:
                    kept.note(None, 0, len(shorter), len(ids))
        tell(self.inside, ids)
