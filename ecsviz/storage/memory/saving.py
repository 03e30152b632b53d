"""Saving in memory: what of a walk is new or another than the stored state."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from ecsviz.domain.entity_class import is_entity_class, newest_definition, same_type
from ecsviz.domain.equality import identical
from ecsviz.domain.fields import FieldPlan, Shape, class_plan
from ecsviz.domain.inverse import check_agreement, inverse_of, is_said_by_members
from ecsviz.domain.objects import is_placeholder
from ecsviz.domain.paths import value_parts
from ecsviz.domain.walk import Walk
from ecsviz.storage.checks import (
    check_in_list,
    check_lineage,
    check_own_fields,
    check_version,
    id_taken,
    left_behind,
    left_out_is_listed,
    not_there,
    still_held,
    was_deleted,
)
from ecsviz.storage.copies import copied
from ecsviz.storage.memory.kept import Held, Kept, Record
from ecsviz.storage.memory.loading import WHERE
from ecsviz.storage.memory.unique import check_unique
from ecsviz.storage.reports import Event, events_in_order, not_in_list
from ecsviz.values.codecs import JsonCodec, Refused, not_storable
from ecsviz.values.field_codecs import check_held, check_value, codec_of, opaque_names, write_keys


class MemorySave:
    """One save of a walk's entities: finds out what changes, and changes nothing.

    Parameters
    ----------
    found
        The walk.
    kept
        What the storage keeps.
    before
        What was stored when that was not which is to be deleted if it cannot be without the
        holder that it has lost; None if that is to be refused.
    alone
        How many entities are saved, the first of the walk, without the lists that their members
        say: who comes to one stands at its end. None for all.

    Attributes
    ----------
    records
        What is to be stored, after `run`.
    gone
        What is to be deleted.
    """

    def __init__(
        self,
        found: Walk,
        kept: Kept,
        before: Mapping[UUID, Record] | None,
        alone: int | None = None,
    ) -> None:
        self.found = found
        self.stored, self.deleted = kept.records, kept.deleted
        self.revision, self.last = kept.next, kept.last
        self.effects = kept.effects
        self.before = before
        self.gone: dict[UUID, None] = {}
        self.alone = alone is not None
        self.left_out = {e.ecs_id for e in found.entities if is_placeholder(e)}
        self.left_out |= set(found.ids[len(found.ids) if alone is None else alone :])
        self.inside = set(found.ids) - self.left_out
        self.records: dict[UUID, Record] = {}
        self.came_to: list[Any] = []  # whose lists have one more, of what is saved alone

    def run(self) -> None:
        """Find out what is to be stored; an error leaves everything as it was."""
        check_own_fields(self.found)
        for position in range(len(self.found)):
            self._check_stored(position)
        for position in range(len(self.found)):
            self._compare(position)
        changed = {n for n, ecs_id in enumerate(self.found.ids) if ecs_id in self.records}
        if not self.alone:
            check_agreement(self.found, changed.__contains__)
        self._take_from_lists(sorted(changed))
        if self.alone:
            self._come_to_lists(sorted(changed))
        self._leave([self.found.ids[position] for position in sorted(changed)])
        if self.gone:
            now = {**self.stored, **self.records}
            self.records.update(without(now, self.gone, self._next_version, self.revision))
            for ecs_id in self.gone:
                self.records.pop(ecs_id, None)
        check_unique(self.records, self.stored, self.gone)

    @property
    def raised(self) -> dict[UUID, tuple[int, int]]:
        """What got a new version and is not in the walk: the versions before and now."""
        return {
            ecs_id: (self.stored[ecs_id].version, record.version)
            for ecs_id, record in self.records.items()
            if ecs_id not in self.inside
        }

    def _check_stored(self, position: int) -> None:
        entity = self.found.entities[position]
        record = self.stored.get(entity.ecs_id)
        if entity.ecs_id in self.left_out:
            if record is None or not same_type(record.cls, type(entity)):
                raise not_there(self.found, position)
            return
        if record is None:
            if entity.version and entity.ecs_id in self.deleted:
                raise was_deleted(entity, *self.deleted[entity.ecs_id])
            return
        if not same_type(record.cls, type(entity)):
            raise id_taken(self.found, entity.ecs_id, record.cls.__name__, WHERE)
        check_lineage(entity, record.lineage_id)
        check_version(entity, record.version, self.effects)

    def _compare(self, position: int) -> None:
        """Note a record if the entity is new or its state is another."""
        entity = self.found.entities[position]
        if entity.ecs_id in self.left_out:
            return
        cls = newest_definition(type(entity))
        self._check_state(position, cls)
        held: list[UUID] = []

        def refer(part: Any) -> Any:
            if not is_entity_class(type(part)):
                return NotImplemented
            held.append(part.ecs_id)
            return Held(part.ecs_id)

        names = [*class_plan(cls).values, *(plan.name for plan in class_plan(cls).fields)]
        old = self.stored.get(entity.ecs_id)
        state = {}
        for name in names:
            value = entity.__dict__[name]
            if self.alone and _is_said_by_members(cls, name):
                state[name] = [] if old is None else old.state[name]
                held += [part.ecs_id for part in state[name]]
            else:
                state[name] = copied(value, refer)
        if old is not None and old.parent_id == entity.parent_id and _same(old.state, state):
            return
        if self.left_out and not self.alone:
            self._check_left_out(position, cls, state)
        if old is None:
            version, number = max(1, entity.version), len(self.stored) + position
            if entity.ecs_id in self.deleted:
                gone = self.deleted[entity.ecs_id][0]
                version = self.last.get(entity.ecs_id, gone) + 1
        else:
            version, number = self._next_version(old), old.number
        self.records[entity.ecs_id] = Record(
            cls,
            entity.ecs_id,
            entity.lineage_id,
            entity.parent_id,
            version,
            number,
            self.revision,
            state,
            tuple(held),
        )

    def _check_left_out(self, position: int, cls: type, state: dict[str, Any]) -> None:
        """Refuse what would have to change a placeholder too."""
        me, where = Held(self.found.ids[position]), self.found.place(position)
        for plan in class_plan(cls).fields:
            other = inverse_of(plan) if plan.shape in (Shape.SINGLE, Shape.LIST) else None
            value = state[plan.name]
            for held in () if other is None or value is None else _listed(value):
                if held.ecs_id not in self.left_out:
                    continue
                assert other is not None
                there = self.stored[held.ecs_id].state.get(other.name, ())
                if there is None or me not in _listed(there):
                    number = self.found.ids.index(held.ecs_id)
                    raise left_out_is_listed(self.found, f"{where}.{plan.name}", number)

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

    def _take_from_lists(self, positions: list[int]) -> None:
        """Take entities out of the stored lists of holders that they no longer name."""
        # A list at a time: one that loses all of its members is written once.
        leaving: dict[tuple[UUID, str], set[UUID]] = {}
        for position in positions:
            entity = self.found.entities[position]
            old = self.stored.get(entity.ecs_id)
            if old is None:
                continue
            for plan in class_plan(newest_definition(type(entity))).fields:
                before = old.state.get(plan.name)
                if type(before) is not Held:
                    continue
                if before.ecs_id in self.inside and not self.alone:
                    continue
                now = entity.__dict__[plan.name]
                if now is not None and now.ecs_id == before.ecs_id:
                    continue  # still there: the holder is only a placeholder here
                listed = inverse_of(plan)
                if listed is not None:
                    leaving.setdefault((before.ecs_id, listed.name), set()).add(entity.ecs_id)
        for (ecs_id, name), gone in leaving.items():
            holder = self.records.get(ecs_id, self.stored[ecs_id])
            members = holder.state.get(name, ())
            left = [member for member in members if member.ecs_id not in gone]
            if len(left) < len(members):
                self._rewrite(holder, name, left)

    def _come_to_lists(self, positions: list[int]) -> None:
        """Put entities that are saved alone at the end of the lists to which they have come."""
        for position in positions:
            entity = self.found.entities[position]
            old = self.stored.get(entity.ecs_id)
            for plan in class_plan(newest_definition(type(entity))).fields:
                holder: Any = entity.__dict__[plan.name] if plan.shape == Shape.SINGLE else None
                listed = None if holder is None else inverse_of(plan)
                if listed is None or not _is_said_by_members(type(holder), listed.name):
                    continue
                there = self.found.position(holder)
                if old is not None and old.state.get(plan.name) == Held(holder.ecs_id):
                    continue
                if is_placeholder(holder):
                    place = f"{self.found.place(position)}.{plan.name}"
                    raise left_out_is_listed(self.found, place, there or 0)
                check_in_list(self.found, position, plan.name, holder, listed.name)
                record = self.records.get(holder.ecs_id) or self.stored[holder.ecs_id]
                members = [*record.state.get(listed.name, ()), Held(entity.ecs_id)]
                self._rewrite(record, listed.name, members)
                self.came_to.append(holder)

    def _leave(self, holders: list[UUID]) -> None:
        """Clear the back-references of what lists have lost, or let go what requires one.

        Raises
        ------
        InverseMismatchError
            If it requires one and is not to be deleted.
        """
        optional = []
        for holder in holders:  # grows while it is read
            old = self.stored.get(holder)
            for listed in () if old is None else lists_of(old):
                assert old is not None
                now = self._members_now(holder, listed)
                for held in old.state.get(listed.name, ()):
                    child = self.records.get(held.ecs_id) or self.stored.get(held.ecs_id)
                    if child is None or held in now or held.ecs_id in self.inside:
                        continue
                    back = back_of(listed, child)
                    if back is None or child.state[back.name] != Held(holder):
                        continue
                    if not back.required:
                        optional.append((held.ecs_id, back.name))
                    elif self.before is None or held.ecs_id in self.before:
                        raise left_behind(listed.place, back.place, held.ecs_id)
                    elif held.ecs_id not in self.gone:
                        self.gone[held.ecs_id] = None
                        holders.append(held.ecs_id)
        for ecs_id, name in optional:
            if ecs_id not in self.gone:
                self._rewrite(self.records.get(ecs_id) or self.stored[ecs_id], name, None)

    def _members_now(self, holder: UUID, listed: FieldPlan) -> set[Any]:
        if holder in self.gone:
            return set()
        return set(self.records[holder].state.get(listed.name, ()))

    def _rewrite(self, record: Record, name: str, value: Any) -> None:
        """Store another value in one end of a pair, whose entity is not in the walk."""
        self.records[record.ecs_id] = rewritten(
            record, name, value, self._next_version(record), self.revision
        )

    def _next_version(self, record: Record) -> int:
        stored = self.stored.get(record.ecs_id)
        if stored is None:
            return record.version
        return self.last.get(record.ecs_id, stored.version) + 1


def _is_said_by_members(cls: type, name: str) -> bool:
    plans = class_plan(newest_definition(cls)).fields
    return any(plan.name == name and is_said_by_members(plan) for plan in plans)


def lists_of(record: Record) -> list[FieldPlan]:
    """Return the lists of an entity that have a back-reference."""
    plans = class_plan(newest_definition(record.cls)).fields
    return [plan for plan in plans if is_said_by_members(plan)]


def back_of(listed: FieldPlan, member: Record) -> FieldPlan | None:
    """Return the back-reference of a list as the class of a member has it."""
    back = inverse_of(listed)
    if back is None or not isinstance(member.state.get(back.name), Held):
        return None
    return next(p for p in class_plan(newest_definition(member.cls)).fields if p.name == back.name)


def mismatches(records: Mapping[UUID, Record]) -> Iterator[tuple[UUID, str]]:
    """Yield where the two ends of a pair do not say the same: of which entity, and what."""
    for ecs_id, record in records.items():
        for plan in class_plan(newest_definition(record.cls)).fields:
            other = inverse_of(plan) if plan.shape in (Shape.SINGLE, Shape.LIST) else None
            value = record.state.get(plan.name)
            for held in () if other is None or value is None else _listed(value):
                there = records.get(held.ecs_id)
                if there is None or other is None:
                    continue  # a reference that leads nowhere is told as such
                if plan.shape == Shape.LIST:
                    if there.state.get(other.name) != Held(ecs_id):
                        detail = f"{plan.place} holds the {other.place.partition('.')[0]}"
                        detail += f" {held.ecs_id}, whose .{other.name} does not say so"
                        yield ecs_id, detail
                elif other.name in there.state and Held(ecs_id) not in there.state[other.name]:
                    holder = there.cls.__name__
                    yield ecs_id, not_in_list(plan.place, holder, held.ecs_id, other.name)


def rewritten(record: Record, name: str, value: Any, version: int, revision: int) -> Record:
    """Return a record with another value of one reference or list."""
    before = record.state.get(name)
    gone = Counter(part.ecs_id for part in (() if before is None else _listed(before)))
    held = []
    for ecs_id in record.held:
        if gone[ecs_id]:
            gone[ecs_id] -= 1
        else:
            held.append(ecs_id)
    held += [part.ecs_id for part in (() if value is None else _listed(value))]
    state = {**record.state, name: value}
    return dataclasses.replace(
        record, state=state, held=tuple(held), version=version, revision=revision
    )


def without(
    records: Mapping[UUID, Record],
    ids: Mapping[UUID, Any],
    next_version: Callable[[Record], int],
    revision: int,
) -> dict[UUID, Record]:
    """Return the records of those in whose lists some entities stand, without these.

    Parameters
    ----------
    records
        All records.
    ids
        What is to be deleted.
    next_version
        Tells the version that a stored entity gets.
    revision
        The number of the revision that is about to be.

    Raises
    ------
    BrokenReferenceError
        If something else holds one of them. The list of a back-reference is not in the way, since
        only what is deleted says that it is there.
    """
    blocking: list[str] = []
    result: dict[UUID, Record] = {}
    for record in records.values():
        if record.ecs_id in ids or ids.keys().isdisjoint(record.held):
            continue
        pairs = {listed.name: listed for listed in lists_of(record)}
        for name, value in record.state.items():
            if not holds(value, ids):
                continue
            backs = (
                [
                    (back_of(pairs[name], member), member)
                    for member in (records[part.ecs_id] for part in value if part.ecs_id in ids)
                ]
                if name in pairs
                else [(None, record)]
            )
            me = Held(record.ecs_id)
            if any(back is None or member.state[back.name] != me for back, member in backs):
                blocking.append(f"{record.cls.__name__}.{name} of {record.ecs_id}")
                continue
            left = [part for part in value if part.ecs_id not in ids]
            before, version = result.get(record.ecs_id, record), next_version(record)
            result[record.ecs_id] = rewritten(before, name, left, version, revision)
    if blocking:
        raise still_held(blocking)
    return result


def _listed(value: Any) -> Any:
    return (value,) if type(value) is Held else value


def _same(old: dict[str, Any], new: dict[str, Any]) -> bool:
    return all(identical(old[name], new[name]) for name in new)


def holds(value: Any, ids: Mapping[UUID, Any]) -> bool:
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


def events_of_states(states: Iterable[tuple[Record, int | None]]) -> list[Event]:
    """Return what happened to an entity: its states, each with the revision until when."""

    def changed(before: Record, record: Record) -> str:
        old, new = before.state, record.state
        names = [n for n in record.cls.model_fields if n in new]  # type: ignore[attr-defined]  # a pydantic model
        fields = [n for n in names if n not in old or not identical(old[n], new[n])]
        return ", ".join([*fields, *["parent_id"] * (before.parent_id != record.parent_id)])

    rows = ((record.version, record.revision, until, record) for record, until in states)
    return list(events_in_order(rows, changed))
