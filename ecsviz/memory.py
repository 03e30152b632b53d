"""InMemoryEntityStorage: the meaning of a storage in plain Python, without a database."""

from __future__ import annotations

import copy
import dataclasses
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from ecsviz.catalog import differences, outdated
from ecsviz.conflicts import (
    check_lineage,
    check_own_fields,
    check_version,
    id_taken,
    still_held,
    was_deleted,
)
from ecsviz.database import deferred_interrupt
from ecsviz.exact import identical
from ecsviz.fields import FieldPlan, Shape, class_plan
from ecsviz.identity import derives_from, is_entity_class, newest_definition, same_type, type_key
from ecsviz.inverse import check_agreement, inverse_of
from ecsviz.protocol import (
    E_,
    as_id,
    as_registered,
    check_entity_class,
    check_type,
    ids_of,
    not_found,
)
from ecsviz.references import Walk, value_parts, walk
from ecsviz.state import collector_paused, fill, shell
from ecsviz.storable import (
    check_class,
    check_held,
    check_value,
    codec_of,
    describe,
    opaque_names,
    with_referenced,
    write_keys,
)
from ecsviz.values import JsonCodec, Refused, not_storable

WHERE = "this storage"


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
    state: dict[str, Any]
    held: tuple[UUID, ...]


class InMemoryEntityStorage:
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
        self._deleted: dict[UUID, tuple[int, int]] = {}  # version, revision
        self._types: dict[tuple[str, str], dict[str, str]] = {}
        self._revisions: list[tuple[datetime, str | None]] = []
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        return f"InMemoryEntityStorage({len(self._records):,} entities)"

    # -- saving ------------------------------------------------------------------------------

    def register(self, entity_or_entities: Any, note: str | None = None) -> Any:
        """Store entities with everything they lead to; all of them or, on an error, none.

        Parameters
        ----------
        entity_or_entities
            An entity or an iterable of entities; or an id, which is looked up as by `get`.
        note
            What this revision is about.

        Returns
        -------
        Entity
            What was given, its versions brought up to date.

        Raises
        ------
        StaleVersionError
            If the store has moved on since an entity was read.
        NotAnEntityError, DuplicateIdError, InverseMismatchError, UnsupportedFieldError,
        ValueNotStorableError, SchemaOutdatedError
            If something cannot be stored.

        Notes
        -----
        O(entities + references).
        """
        if isinstance(entity_or_entities, (UUID, str)):
            return self.get(entity_or_entities)
        given, roots = as_registered(entity_or_entities)
        found = walk(roots)
        with self._lock:
            types = self._check_classes(map(type, found.entities))
            save = _Save(found, self._records, self._deleted)
            save.run()
            # In one go, whatever interrupt comes: nothing of this can fail any more.
            with deferred_interrupt():
                self._types.update(types)
                self._records.update(save.records)
                if save.records:
                    self._revisions.append((datetime.now(UTC), note))
                for entity in found.entities:
                    entity.__dict__["version"] = self._records[entity.ecs_id].version
        return given

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
            elif lines := differences(stored, cls):
                raise outdated(cls, lines, "entities in this storage")
        return result

    # -- getting -----------------------------------------------------------------------------

    def get(self, ecs_id: UUID | str, expected_type: type[E_] | None = None) -> Any:
        """Return the entity of an id, with everything it leads to.

        Parameters
        ----------
        ecs_id
            A UUID or its text.
        expected_type
            The class that it must be of.

        Raises
        ------
        EntityNotFoundError
            If the id is not stored.
        InvalidIdError
            If it is no UUID.
        UnknownTypeError
            If the entity is not of the expected class.

        Notes
        -----
        Every call makes new objects. O(what is read).
        """
        return check_type(self.get_many([ecs_id])[0], expected_type)

    def get_many(self, ecs_ids: Iterable[UUID | str]) -> list[Any]:
        """Return several entities, in the given order; what they share is one object."""
        ids = [as_id(value) for value in ecs_ids]
        with self._lock, collector_paused():
            return self._load(ids)

    def _load(self, ids: list[UUID]) -> list[Any]:
        self._check_known(ids)
        records: dict[UUID, Record] = {}
        queue = list(dict.fromkeys(ids))
        for ecs_id in queue:
            if ecs_id not in records:
                records[ecs_id] = self._records[ecs_id]
                queue.extend(records[ecs_id].held)
        self._check_classes({record.cls for record in records.values()})
        entities = {i: shell(newest_definition(r.cls), i) for i, r in records.items()}

        def resolve(part: Any) -> Any:
            return entities[part.ecs_id] if type(part) is Held else NotImplemented

        for ecs_id, record in records.items():
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
        return [entities[ecs_id] for ecs_id in ids]

    def _check_known(self, ids: Iterable[UUID]) -> None:
        for ecs_id in ids:
            if ecs_id not in self._records:
                raise not_found(ecs_id, self._records, WHERE)

    def list_by_type(self, cls: type[E_]) -> list[E_]:
        """Return all entities of a class and its subclasses.

        Returns
        -------
        list
            Class by class, in the order of their names; each in the order of storing.

        Raises
        ------
        NotAnEntityError
            If `cls` is no entity class.
        """
        check_entity_class(cls)
        with self._lock:
            wanted = [
                record
                for record in self._records.values()
                if derives_from(newest_definition(record.cls), cls)
            ]
            wanted.sort(key=lambda record: (record.cls.__name__, record.number))
            return self.get_many([record.ecs_id for record in wanted])

    def has_entity(self, ecs_id: UUID | str) -> bool:
        """Tell whether an id is stored."""
        return as_id(ecs_id) in self._records

    def get_lineage_entities(self, lineage_id: UUID | str) -> list[Any]:
        """Return all entities of one family, in the order of their ids."""
        wanted = as_id(lineage_id)
        with self._lock:
            ids = [i for i, record in self._records.items() if record.lineage_id == wanted]
            return self.get_many(sorted(ids))

    # -- deleting ----------------------------------------------------------------------------

    def delete(self, entities_or_ids: Any) -> None:
        """Delete entities that nothing else refers to, all of them or, on an error, none.

        Parameters
        ----------
        entities_or_ids
            An entity or an id, or an iterable of them. Entities that hold each other (a thread
            and its messages) are deleted together.

        Raises
        ------
        BrokenReferenceError
            If something that is not deleted refers to one of them.
        EntityNotFoundError
            If an id is not stored.
        """
        ids = dict.fromkeys(ids_of(entities_or_ids))
        with self._lock:
            self._check_known(ids)
            holders = [
                f"{record.cls.__name__}.{name} of {record.ecs_id}"
                for record in self._records.values()
                if record.ecs_id not in ids and not ids.keys().isdisjoint(record.held)
                for name, value in record.state.items()
                if _holds(value, ids)
            ]
            if holders:
                raise still_held(holders)
            with deferred_interrupt():
                if ids:
                    self._revisions.append((datetime.now(UTC), None))
                for ecs_id in ids:
                    gone = self._records.pop(ecs_id)
                    self._deleted[ecs_id] = (gone.version, len(self._revisions))


class _Save:
    """One save of a walk's entities: finds out what changes, and changes nothing.

    Attributes
    ----------
    records
        What is to be stored, after `run`.
    """

    def __init__(
        self,
        found: Walk,
        stored: dict[UUID, Record],
        deleted: dict[UUID, tuple[int, int]],
    ) -> None:
        self.found = found
        self.stored = stored
        self.deleted = deleted
        self.inside = set(found.ids)
        self.records: dict[UUID, Record] = {}

    def run(self) -> None:
        check_own_fields(self.found)
        for position in range(len(self.found)):
            self._check_stored(position)
        for position in range(len(self.found)):
            self._compare(position)
        changed = {n for n, ecs_id in enumerate(self.found.ids) if ecs_id in self.records}
        check_agreement(self.found, changed.__contains__)
        for position in sorted(changed):
            self._take_from_lists(position)

    def _check_stored(self, position: int) -> None:
        entity = self.found.entities[position]
        record = self.stored.get(entity.ecs_id)
        if record is None:
            if entity.version and entity.ecs_id in self.deleted:
                raise was_deleted(entity, *self.deleted[entity.ecs_id])
            return
        if not same_type(record.cls, type(entity)):
            raise id_taken(self.found, entity.ecs_id, record.cls.__name__, WHERE)
        check_lineage(entity, record.lineage_id)
        check_version(entity, record.version)

    def _compare(self, position: int) -> None:
        """Note a record if the entity is new or its state is another."""
        entity = self.found.entities[position]
        cls = newest_definition(type(entity))
        self._check_state(position, cls)
        held: list[UUID] = []

        def refer(part: Any) -> Any:
            if not is_entity_class(type(part)):
                return NotImplemented
            held.append(part.ecs_id)
            return Held(part.ecs_id)

        names = [*class_plan(cls).values, *(plan.name for plan in class_plan(cls).fields)]
        state = {name: copied(entity.__dict__[name], refer) for name in names}
        old = self.stored.get(entity.ecs_id)
        if old is not None and old.parent_id == entity.parent_id and _same(old.state, state):
            return
        if old is None:
            version, number = max(1, entity.version), len(self.stored) + position
        else:
            version, number = old.version + 1, old.number
        self.records[entity.ecs_id] = Record(
            cls,
            entity.ecs_id,
            entity.lineage_id,
            entity.parent_id,
            version,
            number,
            state,
            tuple(held),
        )

    def _check_state(self, position: int, cls: type) -> None:
        """Refuse what the other storage could not give back exactly."""
        plan = class_plan(cls)
        state = self.found.entities[position].__dict__
        name = ""
        try:
            for name in (*plan.values, *opaque_names(cls)):
                check_value(cls, name, state)
            for field in plan.fields:
                name = field.name
                if field.shape != Shape.OPAQUE:
                    check_held(field, state)
                    self._check_places(cls, field, state[name])
        except Refused as refused:
            place = f"{self.found.place(position)}.{name}"
            ecs_id = self.found.ids[position]
            raise not_storable(refused, place, ecs_id=ecs_id, field=name) from refused.__cause__

    def _check_places(self, cls: type, field: FieldPlan, value: Any) -> None:
        if field.shape == Shape.DICT:
            write_keys(cls, field.name, list(value))
        elif field.shape == Shape.NESTED and value is not None:
            codec = codec_of(cls, field.name)[0]
            assert isinstance(codec, JsonCodec)
            codec.write(value, 0, self._number, self.found.entities.__getitem__)

    def _number(self, part: Any) -> Any:
        position = self.found.position(part)
        return NotImplemented if position is None else {"$ref": position}

    def _take_from_lists(self, position: int) -> None:
        """Take an entity out of the stored list of a holder that it no longer names."""
        entity = self.found.entities[position]
        old = self.stored.get(entity.ecs_id)
        if old is None:
            return
        for plan in class_plan(newest_definition(type(entity))).fields:
            before = old.state.get(plan.name)
            if type(before) is not Held or before.ecs_id in self.inside:
                continue
            listed = inverse_of(plan)
            holder = self.records.get(before.ecs_id, self.stored[before.ecs_id])
            members = holder.state.get(listed.name) if listed is not None else None
            if listed is None or members is None or Held(entity.ecs_id) not in members:
                continue
            state = {**holder.state, listed.name: [m for m in members if m.ecs_id != old.ecs_id]}
            held = list(holder.held)
            held.remove(entity.ecs_id)
            version = self.stored[before.ecs_id].version + 1
            self.records[before.ecs_id] = dataclasses.replace(
                holder, state=state, held=tuple(held), version=version
            )


def _same(old: dict[str, Any], new: dict[str, Any]) -> bool:
    return all(_identical(old[name], new[name]) for name in new)


def _identical(a: Any, b: Any) -> bool:
    if isinstance(a, (set, frozenset)) and type(a) is type(b) and a == b:
        return True  # of the same entities, in most cases; the long way does as well
    return identical(a, b)


def copied(value: Any, swap: Callable[[Any], Any], depth: int = 0) -> Any:
    """Return a copy of a value, with other objects in the places of some.

    Parameters
    ----------
    value
        Whatever passed the checks.
    swap
        Asked first for every part; what it returns, if not ``NotImplemented``, stands for it.
    depth
        How deep `value` stands in what is copied.
    """
    found = swap(value)
    if found is not NotImplemented:
        return found
    kind: Any = type(value)
    if kind in (list, tuple, set, frozenset):
        return kind(copied(part, swap, depth + 1) for part in value)
    if isinstance(value, deque):
        return kind((copied(part, swap, depth + 1) for part in value), value.maxlen)
    if isinstance(value, tuple):  # a named one
        return kind(*(copied(part, swap, depth + 1) for part in value))
    if isinstance(value, Mapping):
        items = ((copied(k, swap, depth + 1), copied(v, swap, depth + 1)) for k, v in value.items())
        return dict(items) if kind is dict else kind(dict(items))
    if isinstance(value, BaseModel):
        return _copied_model(value, swap, depth)
    if dataclasses.is_dataclass(value):
        made = object.__new__(kind)
        for field in dataclasses.fields(value):
            part = copied(getattr(value, field.name), swap, depth + 1)
            object.__setattr__(made, field.name, part)
        return made
    return copy.deepcopy(value)


def _copied_model(model: Any, swap: Callable[[Any], Any], depth: int) -> Any:
    kind: Any = type(model)
    made = kind.__new__(kind)
    state = model.__getstate__()
    for part in ("__dict__", "__pydantic_extra__", "__pydantic_private__"):
        if state[part] is not None:
            state[part] = {n: copied(v, swap, depth + 1) for n, v in state[part].items()}
    state["__pydantic_fields_set__"] = set(state["__pydantic_fields_set__"])
    made.__setstate__(state)
    return made


def _holds(value: Any, ids: Mapping[UUID, Any]) -> bool:
    """Tell whether one of some entities stands anywhere in a stored value."""
    todo = [value]
    while todo:
        part = todo.pop()
        if isinstance(part, Held):
            if part.ecs_id in ids:
                return True
        elif isinstance(part, (set, frozenset)):
            todo.extend(part)
        else:
            todo.extend(inner for _, inner in value_parts(part))
    return False
