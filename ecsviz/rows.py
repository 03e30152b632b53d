"""Entities → rows: what every entity of a walk would have in its table, column by column."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ecsviz.errors import ValueNotStorableError
from ecsviz.fields import FieldPlan, Shape, complete_fields
from ecsviz.identity import is_entity_class
from ecsviz.mapping import ClassMap, Collection, InverseList, Mapping
from ecsviz.references import Walk
from ecsviz.seals import digest
from ecsviz.state import is_placeholder
from ecsviz.storable import check_held, check_value
from ecsviz.values import JsonCodec, Refused, json_text, not_storable


@dataclass(slots=True)
class Group:
    """The entities of one type in a walk, and what their rows hold.

    Attributes
    ----------
    positions
        Where they stand in the walk.
    ids
        Their row ids.
    values
        Per value column a list, one value per entity.
    exact
        Per entity the JSON text of values that SQL cannot hold, or None.
    targets
        Per single reference a list: the position of what each entity holds, or None.
    members
        Per collection and per entity the (key, position of target), in order.
    """

    known: ClassMap
    positions: list[int] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    values: list[list[Any]] = field(default_factory=list)
    exact: list[str | None] = field(default_factory=list)
    targets: dict[str, list[int | None]] = field(default_factory=dict)
    members: dict[str, list[list[tuple[Any, int]]]] = field(default_factory=dict)
    checksums: list[bytes] = field(default_factory=list)


class Rows:
    """All groups of a walk.

    Attributes
    ----------
    groups
        By type name.
    left_out
        By type name, the groups of placeholders: they have row ids, and nothing to write.
    group_of, local
        Per position the group, and the place in it.
    """

    def __init__(self, found: Walk, mapping: Mapping) -> None:
        self.found = found
        self.mapping = mapping
        self.groups: dict[str, Group] = {}
        self.left_out: dict[str, Group] = {}
        self.group_of: list[Group] = []
        self.local: list[int] = []
        by_class: dict[tuple[type, bool], Group] = {}
        for position, entity in enumerate(found.entities):
            cls = type(entity)
            # A placeholder, inlined: this loop runs once per entity.
            key = cls, len(entity.__dict__) == 1
            group = by_class.get(key)
            if group is None:
                known = mapping.map_classes([cls])[0]
                groups = self.left_out if is_placeholder(entity) else self.groups
                group = by_class[key] = groups.setdefault(known.type_name, Group(known))
            self.group_of.append(group)
            self.local.append(len(group.positions))
            group.positions.append(position)

    def row_id(self, position: int) -> int:
        """Return the row id of the entity at a position."""
        return self.group_of[position].ids[self.local[position]]

    def type_of(self, position: int) -> str:
        """Return the type name of the entity at a position."""
        return self.group_of[position].known.type_name

    def is_left_out(self, position: int) -> bool:
        """Tell whether a placeholder stands at a position."""
        return self.left_out.get(self.type_of(position)) is self.group_of[position]

    def encode(self) -> None:
        """Fill every group's values and references.

        Raises
        ------
        ValueNotStorableError
            For the first value that does not fit its field, with its place.
        """
        self._sort_references()
        for group in self.groups.values():
            self._encode_values(group)

    # -- references --------------------------------------------------------------------------

    def _sort_references(self) -> None:
        for group in self.groups.values():
            size = len(group.positions)
            group.targets = {ref.name: [None] * size for ref in group.known.singles}
            lists: list[InverseList | Collection] = [*group.known.inverse_lists]
            lists += group.known.collections
            group.members = {ref.name: [[] for _ in range(size)] for ref in lists}
        found, local = self.found, self.local
        put: list[Callable[[int, Any, int], None]] = [
            self._putter(slot) for slot in range(len(found.fields))
        ]
        for source, target, slot, key in zip(
            found.sources, found.targets, found.slots, found.keys, strict=True
        ):
            put[slot](local[source], key, target)

    def _putter(self, slot: int) -> Callable[[int, Any, int], None]:
        plan = self.found.fields[slot]
        group = self.groups.get(self.mapping.type_name(plan.owner))
        if group is None:
            return _nothing  # there are only placeholders of this class
        if plan.name in group.targets:
            column = group.targets[plan.name]

            def single(place: int, _: Any, target: int) -> None:
                column[place] = target

            return single
        if plan.name not in group.members:
            return _nothing  # a hand-written model keeps it
        lists = group.members[plan.name]

        def member(place: int, key: Any, target: int) -> None:
            lists[place].append((key, target))

        return member

    # -- values ------------------------------------------------------------------------------

    def _encode_values(self, group: Group) -> None:
        states = [self.found.entities[position].__dict__ for position in group.positions]
        exact: dict[int, dict[str, Any]] = {}
        for value in group.known.values:
            name = value.name
            try:
                column = [state[name] for state in states]
                if None in column and not value.optional:
                    raise Refused(0, None, "")
                encoded, spilled = value.codec.encode(column)
            except (KeyError, Refused) as err:
                check = partial(check_value, group.known.cls, name)
                raise self._first_refused(group, name, states, check) from err.__cause__
            group.values.append(encoded)
            for row, plain in spilled.items():
                exact.setdefault(row, {})[name] = plain
        for collection in group.known.collections:
            if collection.skeleton is not None:
                group.values.append(self._skeletons(group, collection, states))
            else:
                self._check_held(group, collection.plan, states)
        plans = [item.plan for item in group.known.inverse_lists]
        for plan in (*plans, *(ref.plan for ref in group.known.singles)):
            self._check_held(group, plan, states)
        group.exact = [None] * len(states)
        for row, spilled_values in exact.items():
            group.exact[row] = json_text(spilled_values)

    def _check_held(self, group: Group, plan: FieldPlan, states: list[dict[str, Any]]) -> None:
        """Refuse what would come back as another container, or not at all."""
        kinds = {type(state.get(plan.name)) for state in states}
        single = plan.shape == Shape.SINGLE
        if type(None) not in kinds and (single or kinds == {plan.container}):
            return
        check = partial(check_held, plan)
        if (refused := self._first_refused(group, plan.name, states, check)) is not None:
            raise refused

    def _first_refused(
        self,
        group: Group,
        name: str,
        states: list[dict[str, Any]],
        check: Callable[[dict[str, Any]], None],
    ) -> Any:
        """Return the error for the first entity that a check refuses."""
        for row, state in enumerate(states):
            try:
                check(state)
            except Refused as refused:
                refused.row = row
                return self._not_storable(group, name, refused)
        return None

    def _skeletons(
        self, group: Group, collection: Collection, states: list[dict[str, Any]]
    ) -> list[Any]:
        """Write nested values with numbers in the places of their entities."""
        assert collection.skeleton is not None
        codec = collection.skeleton.codec
        assert isinstance(codec, JsonCodec)
        result: list[Any] = []
        for row, state in enumerate(states):
            try:
                check_held(collection.plan, state)
                value = state[collection.name]
                targets = [target for _, target in group.members[collection.name][row]]
                refer, resolve = self._numbers(targets)
                text = None if value is None else codec.write(value, row, refer, resolve)
            except Refused as refused:
                refused.row = row
                raise self._not_storable(group, collection.name, refused) from refused.__cause__
            result.append(text)
        return result

    def _numbers(self, targets: list[int]) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
        """Return the way from entities to the numbers of their places, and the way back."""
        numbers: dict[int, int] = {}
        for number, target in enumerate(targets):
            # The first of several references to one entity stands for all of them.
            numbers.setdefault(target, number)

        def refer(part: Any) -> Any:
            position = self.found.position(part)
            return NotImplemented if position is None else {"$ref": numbers[position]}

        return refer, lambda number: self.found.entities[targets[number]]

    def _place(self, group: Group, row: int, name: str) -> str:
        return f"{self.found.place(group.positions[row])}.{name}"

    def _not_storable(self, group: Group, name: str, refused: Refused) -> ValueNotStorableError:
        entity = self.found.entities[group.positions[refused.row]]
        place = self._place(group, refused.row, name)
        return not_storable(refused, place, ecs_id=entity.ecs_id, field=name)

    # -- checksums ---------------------------------------------------------------------------

    def checksum(self) -> None:
        """Fill every group's checksums: 8 bytes of what each entity says of itself.

        Notes
        -----
        Over the family, all values and all references. Lists that a back-reference says are left
        out: their members' rows say them.
        """
        for group in self.groups.values():
            if group.known.by_hand:
                group.checksums = [self._checksum_by_hand(p) for p in group.positions]
                continue
            rows = zip(*self._canonical(group), strict=True)
            group.checksums = [digest(row) for row in rows]

    def _checksum_by_hand(self, position: int) -> bytes:
        """Return 8 bytes of all fields of an entity whose values are not in our columns."""
        entity = self.found.entities[position]

        def refer(part: Any) -> Any:
            return {"$ref": str(part.ecs_id)} if is_entity_class(type(part)) else NotImplemented

        parts = []
        for name, info in complete_fields(type(entity)).items():
            if name == "version":
                continue
            try:
                codec = JsonCodec(info.annotation)
                parts.append(codec.write(entity.__dict__.get(name), 0, refer))
            except Refused as refused:
                place = f"{self.found.place(position)}.{name}"
                raise not_storable(refused, place, ecs_id=entity.ecs_id) from refused.__cause__
        return digest(json_text(parts))

    def _canonical(self, group: Group) -> list[list[Any]]:
        states = [self.found.entities[position].__dict__ for position in group.positions]
        columns: list[list[Any]] = [
            [state["lineage_id"].bytes for state in states],
            [None if (p := state["parent_id"]) is None else p.bytes for state in states],
            list(group.exact),
        ]
        codecs = [value.codec for value in group.known.values]
        codecs += [c.skeleton.codec for c in group.known.collections if c.skeleton is not None]
        for codec, values in zip(codecs, group.values, strict=True):
            columns.append(codec.canonical(values))
        columns += [
            [self._said(target, next(iter(ref.arcs), "")) for target in group.targets[ref.name]]
            for ref in group.known.singles
        ]
        for collection in group.known.collections:
            first = next(iter(collection.arcs), "")
            key = key_said if collection.plan.shape == Shape.DICT else _no_key
            columns.append(
                [
                    tuple((key(k), self._said(t, first)) for k, t in members)
                    for members in group.members[collection.name]
                ]
            )
        return columns

    def _said(self, target: int | None, first: str) -> Any:
        """Return what stands for an entity: it must not change when more classes are learned."""
        return None if target is None else said(self.type_of(target), self.row_id(target), first)


def said(kind: str, row_id: int, first: str) -> Any:
    """Return what a checksum says of a row; `first` is the first class that the field names."""
    return row_id if kind == first else (kind, row_id)


def key_said(key: Any) -> Any:
    """Return what a checksum says of a dictionary's key."""
    # Texts and integers as they are; keys of other types by their repr, which tells them apart.
    return key if type(key) in (int, str) else repr(key)


def _nothing(_: int, __: Any, ___: int) -> None:
    """Put nothing anywhere."""


def _no_key(_: Any) -> None:
    """Stand for the place in a list or a set: the order says it, or there is none."""
