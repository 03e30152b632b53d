"""InMemoryEntityStorage: the meaning of a storage in plain Python, without a database."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from collections.abc import Mapping as MappingOf
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import UUID

from ecsviz.basics.garbage import collector_paused
from ecsviz.basics.interrupts import deferred_interrupt
from ecsviz.basics.progress import steps
from ecsviz.basics.views import view
from ecsviz.domain.entity import Entity
from ecsviz.domain.entity_class import derives_from, newest_definition, type_key
from ecsviz.domain.fields import class_plan, complete_fields
from ecsviz.domain.isomorphic import find_difference
from ecsviz.domain.objects import default_of, fill, is_placeholder, shell
from ecsviz.domain.post_init import run_post_init
from ecsviz.domain.walk import Walk
from ecsviz.errors import StorageClosedError, StoragePickleError
from ecsviz.storage.as_of import AsOf, check_as_of, said_as
from ecsviz.storage.cells import store_html
from ecsviz.storage.checks import SideEffects, check_note, differences, outdated
from ecsviz.storage.comparing import VersionedStorage
from ecsviz.storage.copies import copied
from ecsviz.storage.memory.find import find_records
from ecsviz.storage.memory.saving import (
    WHERE,
    Held,
    MemorySave,
    Record,
    events_of_states,
    mismatches,
    without,
)
from ecsviz.storage.protocol import (
    E_,
    Contents,
    as_id,
    as_registered,
    check_entity_class,
    check_hops,
    check_only,
    check_type,
    ids_in_order,
    ids_of,
    not_found,
)
from ecsviz.storage.renewal import walk_to_save
from ecsviz.storage.reports import Problem, Revision, history_frame, problems_frame, revisions_frame
from ecsviz.storage.search import Fields, search
from ecsviz.values.field_codecs import check_class, describe, with_referenced

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


class _Closed(AbstractContextManager[None]):
    """Stands for the lock of a storage that was closed."""

    def __enter__(self) -> NoReturn:
        raise StorageClosedError(
            "This storage was closed, and as it lay in memory, what it held is gone."
            " ev.SQLAlchemyEntityStorage('threads.db') keeps it."
        )

    def __exit__(self, *_: object) -> None:
        pass


class InMemoryEntityStorage(VersionedStorage):
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
        self._records: dict[UUID, Record] = {}
        self._past: dict[UUID, list[tuple[Record, int]]] = {}  # with the revision until when
        self._deleted: dict[UUID, tuple[int, int]] = {}  # version, revision
        self._types: dict[tuple[str, str], dict[str, str]] = {}
        self._revisions: list[Revision] = []
        self._effects = SideEffects()
        self._pruned = 0  # the oldest revision that can still be looked at
        self._lock: AbstractContextManager[Any] = threading.RLock()

    def close(self) -> None:
        """Let go of everything that is stored; using the storage afterwards is an error."""
        with suppress(StorageClosedError), self._lock:
            self._lock = _Closed()  # every method takes it
            self._records, self._past, self._deleted = {}, {}, {}
            self._types, self._revisions = {}, []

    def _check_open(self) -> None:
        with self._lock:
            pass

    def _one_state(self) -> AbstractContextManager[Any]:
        return self._lock

    def __reduce__(self) -> NoReturn:
        raise StoragePickleError(
            "An InMemoryEntityStorage cannot be pickled or copied: it lies in the memory of this"
            " process alone. ev.SQLAlchemyEntityStorage('threads.db') can be, and each process"
            " opens it by itself."
        )

    def __repr__(self) -> str:
        if isinstance(self._lock, _Closed):
            return "InMemoryEntityStorage(closed)"
        return f"InMemoryEntityStorage({len(self._records):,} entities)"

    def _repr_html_(self) -> str:
        return store_html(type(self).__name__, self._contents)

    def _contents(self) -> Contents:
        with self._lock:
            counts = Counter(record.cls.__name__ for record in self._records.values())
            last = (self._revisions[-1][1], self._revisions[-1][2]) if self._revisions else None
            types: list[tuple[str, str | None, int]] = [(n, None, k) for n, k in counts.items()]
            return Contents("in memory", types, len(self._revisions), last)

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

    def _stored_classes(self) -> list[type]:
        with self._lock:
            return list({type_key(r.cls): r.cls for r in self._records.values()}.values())

    # -- saving ------------------------------------------------------------------------------

    def register(
        self, entity_or_entities: Any, note: str | None = None, *, progress: bool | None = None
    ) -> Any:
        """Store entities with everything they lead to; all of them or, on an error, none.

        Parameters, result and errors are those of `SQLAlchemyEntityStorage.register`.
        """
        if isinstance(entity_or_entities, (UUID, str)):
            return self.get(entity_or_entities)
        given, roots = as_registered(entity_or_entities)
        with steps("saving", progress):
            self._register(walk_to_save(roots), note)
        return given

    def _register(self, found: Walk, note: str | None, added_since: AsOf = None) -> None:
        check_note(note)
        with self._lock:
            types = self._check_classes(map(type, found.entities))
            number = self._newest() + 1
            before = None if added_since is None else self._at(added_since)
            save = MemorySave(found, self._records, self._deleted, number, self._effects, before)
            save.run()
            added = sum(ecs_id not in self._records for ecs_id in save.records)
            # In one go, whatever interrupt comes: nothing of this can fail any more.
            with deferred_interrupt():
                self._types.update(types)
                self._effects.note(save.raised)
                self._keep([*save.records, *save.gone], number)
                self._records.update(save.records)
                for ecs_id in save.records:
                    self._deleted.pop(ecs_id, None)
                self._remove(save.gone, number)
                if save.records:
                    self._note(note, added, len(save.records) - added, len(save.gone))
                for entity in found.entities:
                    if is_placeholder(entity):
                        continue
                    entity.__dict__["version"] = self._records[entity.ecs_id].version

    def _remove(self, ids: Iterable[UUID], revision: int) -> None:
        for ecs_id in ids:
            self._deleted[ecs_id] = (self._records.pop(ecs_id).version, revision)

    def _keep(self, ids: Iterable[UUID], until: int) -> None:
        """Keep what is about to be superseded."""
        for ecs_id in ids:
            if ecs_id in self._records:
                self._past.setdefault(ecs_id, []).append((self._records[ecs_id], until))

    def _newest(self) -> int:
        return self._revisions[-1][0] if self._revisions else 0

    def _note(self, note: str | None, added: int, changed: int, deleted: int) -> None:
        number, now = self._newest() + 1, datetime.now(UTC).replace(tzinfo=None)
        self._revisions.append((number, now, note, added, changed, deleted))

    def revisions(self) -> pd.DataFrame:
        """Return every change of the storage, oldest first.

        Returns
        -------
        DataFrame
            As of `SQLAlchemyEntityStorage.revisions`.
        """
        with self._lock:
            return revisions_frame(self._revisions)

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
        wanted = as_id(ecs_id)
        with self._lock:
            states: list[tuple[Record, int | None]] = [*self._past.get(wanted, [])]
            if wanted in self._records:
                states.append((self._records[wanted], None))
            if not states:
                raise not_found(wanted, self._records, WHERE)
            moments = {r[0]: (r[1], r[2]) for r in self._revisions}
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
        with self._lock:
            problems = [
                Problem("", str(i), i, "reference", f"refers to {held}, which is missing")
                for i, record in self._records.items()
                for held in record.held
                if held not in self._records
            ]
            problems += [
                Problem("", str(ecs_id), ecs_id, "pair", detail)
                for ecs_id, detail in mismatches(self._records)
            ]
            for ecs_id, states in self._past.items():
                ends = [until for _, until in states]
                starts = [record.revision for record, _ in states[1:]]
                if ecs_id in self._records:
                    starts.append(self._records[ecs_id].revision)
                if any(a > b for a, b in zip(ends, starts, strict=False)):
                    problems.append(Problem("", str(ecs_id), ecs_id, "history", "an overlap"))
            if entity is not None:
                difference = find_difference(self.get(as_id(entity)), entity)
                if difference is not None:
                    problems.append(Problem("", "", as_id(entity), "graph", difference))
            return problems_frame(problems)

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
        with self._lock:
            with said_as("before"):
                oldest = self._newest() if before is None else self._revision_at(before)
            kept = {i: [s for s in states if s[1] > oldest] for i, states in self._past.items()}
            gone = sum(map(len, self._past.values())) - sum(map(len, kept.values()))
            records = [*self._records.values(), *(s[0] for states in kept.values() for s in states)]
            spoken_of = {record.revision for record in records}
            with deferred_interrupt():
                self._past = {ecs_id: states for ecs_id, states in kept.items() if states}
                self._revisions = [
                    r for r in self._revisions if r[0] >= oldest or r[0] in spoken_of
                ]
                self._pruned = oldest
            return gone

    def _every_id(self, as_of: AsOf) -> list[UUID]:
        with self._lock:
            return list(self._at(as_of))

    def _stored_versions(self, ids: list[UUID]) -> dict[UUID, int]:
        with self._lock:
            return {i: self._records[i].version for i in ids if i in self._records}

    def _first_revisions(self, ids: list[UUID]) -> dict[tuple[UUID, int], int]:
        with self._lock:
            result: dict[tuple[UUID, int], int] = {}
            for ecs_id in ids:
                states = [record for record, _ in self._past.get(ecs_id, [])]
                if ecs_id in self._records:  # another thread may have deleted it by now
                    states.append(self._records[ecs_id])
                for record in states:
                    result.setdefault((ecs_id, record.version), record.revision)
            return result

    def _check_classes(self, classes: Iterable[type]) -> dict[tuple[str, str], dict[str, str]]:
        """Return what each class stores, in its newest definition.

        Raises
        ------
        UnsupportedFieldError, SchemaOutdatedError
            If a class cannot be stored, or was defined anew with other fields.
        """
        result = {}
        for cls in with_referenced(classes):
            check_class(cls)
            stored = self._types.get(type_key(cls))
            if stored is None:
                result[type_key(cls)] = describe(cls)
            elif not self._add_fields(cls, stored):
                raise outdated(
                    cls,
                    differences(stored, describe(cls)),
                    "entities in this storage",
                    "A storage in memory takes further fields with a default alone. Define the"
                    " class as it was stored, give it another name, or use a new storage.",
                )
        return result

    def _add_fields(self, cls: Any, stored: dict[str, str]) -> bool:
        """Give stored entities the defaults of further fields; False if that is not all.

        O(entities), where there are such fields.
        """
        now = describe(cls)
        if now == stored:
            return True
        added = [name for name in now if name not in stored]
        plans = {plan.name for plan in class_plan(cls).fields}
        if any(now.get(name) != kind for name, kind in stored.items()) or any(
            info.is_required() or (name in plans and default_of(info, {}))
            for name, info in complete_fields(cls).items()
            if name in added
        ):
            return False
        past = (record for states in self._past.values() for record, _ in states)
        for record in (*self._records.values(), *past):
            if type_key(record.cls) == type_key(cls):
                for name in added:  # in place, for those who read at this moment
                    info = complete_fields(cls)[name]
                    record.state.setdefault(name, default_of(info, record.state))
        self._types[type_key(cls)] = now
        return True

    # -- getting -----------------------------------------------------------------------------

    def get(
        self,
        ecs_id: UUID | str,
        expected_type: type[E_] | None = None,
        *,
        hops: int | None = None,
        only: Iterable[type[Entity]] | None = None,
        as_of: AsOf = None,
        progress: bool | None = None,
    ) -> Any:
        """Return the entity of an id, with everything it leads to.

        Parameters and errors are those of `SQLAlchemyEntityStorage.get`. Every call makes new
        objects. O(what is read).
        """
        (found,) = self.get_many([ecs_id], hops=hops, only=only, as_of=as_of, progress=progress)
        return check_type(found, expected_type)

    def get_many(
        self,
        ecs_ids: Iterable[UUID | str],
        *,
        hops: int | None = None,
        only: Iterable[type[Entity]] | None = None,
        as_of: AsOf = None,
        progress: bool | None = None,
    ) -> list[Any]:
        """Return several entities, in the given order; what they share is one object.

        Parameters are those of `SQLAlchemyEntityStorage.get_many`.
        """
        ids = ids_in_order(ecs_ids)
        check_hops(hops)
        kinds = check_only(only)
        with steps("loading", progress), self._lock, collector_paused():
            return self._load(self._at(as_of), ids, hops, kinds)

    def _at(self, as_of: AsOf) -> MappingOf[UUID, Record]:
        """Return what was stored as of a revision or a time."""
        if as_of is None:
            return self._records
        as_of = self._revision_at(as_of)
        found = {i: r for i, r in self._records.items() if r.revision <= as_of}
        for ecs_id, states in self._past.items():
            for record, until in states:
                if record.revision <= as_of < until:
                    found[ecs_id] = record
        return found

    def _revision_at(self, as_of: AsOf) -> int:
        asked = check_as_of(as_of, self._newest(), self._pruned)
        if isinstance(asked, int):
            return asked
        found = max((r[0] for r in self._revisions if r[1] <= asked), default=0)
        check_as_of(found, self._newest(), self._pruned)
        return found

    def _load(
        self,
        stored: MappingOf[UUID, Record],
        ids: list[UUID],
        hops: int | None = None,
        only: list[type] | None = None,
    ) -> list[Any]:
        self._check_known(stored, ids)
        # Breadth first, so that each is met on the shortest way.
        depths = dict.fromkeys(ids, 0)
        queue, whole = list(depths), set(depths)
        for ecs_id in queue:
            if ecs_id not in whole:
                continue
            depth = depths[ecs_id] + 1
            for other in stored[ecs_id].held:
                if other not in depths:
                    depths[other] = depth
                    queue.append(other)
                    kind = newest_definition(stored[other].cls)
                    if (hops is None or depth <= hops) and (
                        only is None or any(derives_from(kind, cls) for cls in only)
                    ):
                        whole.add(other)
        records = {ecs_id: stored[ecs_id] for ecs_id in queue}
        self._check_classes({record.cls for record in records.values()})
        entities = {i: shell(newest_definition(r.cls), i) for i, r in records.items()}

        def resolve(part: Any) -> Any:
            return entities[part.ecs_id] if type(part) is Held else NotImplemented

        for ecs_id, record in records.items():
            if ecs_id not in whole:
                continue
            values: dict[str, Any] = {
                "ecs_id": ecs_id,
                "lineage_id": record.lineage_id,
                "parent_id": record.parent_id,
                "version": record.version,
            }
            for name, value in record.state.items():
                values[name] = copied(value, resolve)
            entity = entities[ecs_id]
            ordered = {name: values[name] for name in type(entity).model_fields if name in values}
            fill(entity, ordered, set(ordered))
        run_post_init(entities.values(), set(map(type, entities.values())))
        return [entities[ecs_id] for ecs_id in ids]

    def _check_known(self, stored: MappingOf[UUID, Record], ids: Iterable[UUID]) -> None:
        for ecs_id in ids:
            if ecs_id not in stored:
                raise not_found(ecs_id, stored, WHERE)

    def list_by_type(self, cls: type[E_], *, as_of: AsOf = None) -> list[E_]:
        """Return all entities of a class and its subclasses.

        Parameters, order and errors are those of `SQLAlchemyEntityStorage.list_by_type`.
        """
        check_entity_class(cls)
        with self._lock:
            return self.get_many([r.ecs_id for r in self._of(cls, as_of)], as_of=as_of)

    def _of(self, cls: type, as_of: AsOf) -> list[Record]:
        """Return the records of a class and its subclasses, in the order of listing."""
        found = [
            record
            for record in self._at(as_of).values()
            if derives_from(newest_definition(record.cls), cls)
        ]
        return sorted(found, key=lambda record: (record.cls.__name__, record.number))

    def find(
        self,
        cls: type[E_],
        *,
        order_by: str | Iterable[str] | None = None,
        limit: int | None = None,
        offset: int = 0,
        hops: int | None = None,
        only: Iterable[type[Entity]] | None = None,
        as_of: AsOf = None,
        **fields: Any,
    ) -> list[E_]:
        """Return the entities of a class whose fields have some values.

        Parameters and errors are those of `SQLAlchemyEntityStorage.find`.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.InMemoryEntityStorage()
        >>> thread = ev.ChatThread(title="Cycles")
        >>> for text in ("hello", "what is a cycle?"):
        ...     _ = thread.say("user", text)
        >>> _ = store.register(thread)
        >>> found = store.find(ev.ChatMessage, role="user", order_by="-content", limit=1)
        >>> [message.content for message in found]
        ['what is a cycle?']
        """
        check_entity_class(cls)
        wanted = search(fields, order_by, limit, offset)
        with self._lock:
            records = self._of(cls, as_of)
            if not records:  # a misspelt field is told all the same
                Fields.of(cls).check(wanted)
            ids = [record.ecs_id for record in find_records(records, wanted)]
            return self.get_many(ids, hops=hops, only=only, as_of=as_of)

    def has_entity(self, ecs_id: UUID | str) -> bool:
        """Tell whether an id is stored."""
        wanted = as_id(ecs_id)
        with self._lock:
            return wanted in self._records

    def get_lineage_entities(self, lineage_id: UUID | str) -> list[Any]:
        """Return all entities of one family, in the order of their ids."""
        wanted = as_id(lineage_id)
        with self._lock:
            ids = [i for i, record in self._records.items() if record.lineage_id == wanted]
            return self.get_many(sorted(ids))

    # -- deleting ----------------------------------------------------------------------------

    def delete(self, entities_or_ids: Any) -> None:
        """Delete entities that nothing else refers to, all of them or, on an error, none.

        Parameters and errors are those of `SQLAlchemyEntityStorage.delete`.
        """
        ids = dict.fromkeys(ids_of(entities_or_ids))
        with self._lock:
            self._check_known(self._records, ids)
            number = self._newest() + 1
            shorter = without(self._records, ids, self._records, number)
            raised = {i: (self._records[i].version, r.version) for i, r in shorter.items()}
            with deferred_interrupt():
                if ids:
                    self._keep([*shorter, *ids], number)
                    self._note(None, 0, len(shorter), len(ids))
                self._records.update(shorter)
                self._effects.note(raised)
                self._remove(ids, number)
