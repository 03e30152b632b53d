"""Entities → rows: what every entity of a walk would have in its table, column by column.

A walk numbers entities and references; rows are made of these numbers. Take a thread with two
messages, of which the second answers the first. The walk finds the thread at position 0, the
messages at 1 and 2, and five references. That makes two groups:

- ``ChatThread``: positions [0]; of its list, ``Members(references=[0, 1], places=[0, 0],
  starts=[0, 2])``: references 0 and 1 are of the entity at place 0 of the group.
- ``ChatMessage``: positions [1, 2]; ``values`` has a list per column, so ``content`` is one list of
  two texts; ``targets`` has an array per reference: ``thread`` [0, 0] and ``parent`` [-1, 1], where
  -1 is `NONE`. Once the thread's row has the id 7 and the first message's the id 20, `Rows.keys_of`
  turns these into what the foreign keys hold: [7, 7] and [None, 20].
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise, repeat
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy.engine import Connection

from ecsviz.basics.order import Ints, split
from ecsviz.domain.fields import FieldPlan, Shape, complete_fields
from ecsviz.domain.objects import is_placeholder
from ecsviz.domain.walk import Walk
from ecsviz.errors import ValueNotStorableError
from ecsviz.storage.checks import LAST_VERSION
from ecsviz.storage.relational.schema.mapping import ClassMap, Collection, InverseList, Mapping
from ecsviz.storage.relational.schema.seals import digest, digests
from ecsviz.storage.sql.dialects import row_of
from ecsviz.storage.sql.statements import as_driver, uuid_texts
from ecsviz.values.codecs import JsonCodec, Refused, json_text, not_storable
from ecsviz.values.field_codecs import check_declared, check_held, check_value, field_text

_NO = np.zeros(0, dtype=np.int64)

NONE = -1
"""Stands, among positions in a walk, for no entity."""


@dataclass(slots=True)
class Members:
    """What one field of all entities of a group holds, one reference after the other.

    Attributes
    ----------
    references
        Their numbers in the walk.
    places
        Per reference the place of its holder in the group, rising.
    starts
        Per place where its references begin, and the end: one more than there are places.
    """

    references: Ints
    places: Ints
    starts: list[int]


@dataclass(slots=True)
class Group:
    """The entities of one type in a walk, and what their rows hold.

    Attributes
    ----------
    positions
        Where they stand in the walk.
    at
        The same, as an array.
    states
        Their ``__dict__``.
    ids
        Their row ids.
    values
        Per value column a list, one value per entity.
    exact
        Per entity the JSON text of values that SQL cannot hold, or None.
    targets
        Per single reference the positions of what the entities hold, or `NONE`.
    members
        Per list or collection what the entities hold.
    checksums
        See `Rows.checksum`.
    """

    known: ClassMap
    positions: list[int] = field(default_factory=list)
    at: Ints = field(default_factory=lambda: _NO)
    states: list[dict[str, Any]] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    values: list[list[Any]] = field(default_factory=list)
    exact: list[str | None] = field(default_factory=list)
    targets: dict[str, Ints] = field(default_factory=dict)
    members: dict[str, Members] = field(default_factory=dict)
    checksums: list[bytes] = field(default_factory=list)
    _kept: dict[str, list[Any]] = field(default_factory=dict)

    def own(self, name: str) -> list[Any]:
        """Return a field of all entities; looked up once, since that takes longer than it seems."""
        found = self._kept.get(name)
        if found is None:
            found = self._kept[name] = [state[name] for state in self.states]
        return found

    def is_sound(self) -> bool:
        """Tell whether nothing is wrong with the own fields, or whether it must be looked for."""
        if "sound" not in self._kept:
            self._kept["sound"] = [self._is_sound()]
        return bool(self._kept["sound"][0])

    def _is_sound(self) -> bool:
        try:
            versions, parents = self.own("version"), self.own("parent_id")
            lineages = self.own("lineage_id")
        except KeyError:
            return False
        return (
            set(map(type, versions)) == {int}
            and min(versions) >= 0
            and max(versions) < LAST_VERSION
            and set(map(type, lineages)) == {UUID}
            and set(map(type, parents)) <= {UUID, type(None)}
        )

    def has_own_families(self) -> bool:
        """Tell whether every family has the id of its entity, as it mostly has; forks differ."""
        return all(map(operator.is_, self.own("ecs_id"), self.own("lineage_id")))

    def id_bytes(self) -> list[bytes]:
        """Return the ids of all entities as sixteen bytes."""
        found = self._kept.get("id_bytes")
        if found is None:
            found = self._kept["id_bytes"] = _bytes_of(self.own("ecs_id"))
        return found

    def lineage_bytes(self) -> list[bytes]:
        """Return the families of all entities as sixteen bytes."""
        if self.has_own_families():
            return self.id_bytes()
        return _bytes_of(self.own("lineage_id"))

    def has_parents(self) -> bool:
        """Tell whether anybody is a fork, which most are not."""
        parents = self.own("parent_id")
        return parents.count(None) < len(parents)

    def parent_bytes(self) -> list[bytes | None]:
        """Return whom the entities were forked from as sixteen bytes."""
        parents = self.own("parent_id")
        if not self.has_parents():
            return parents
        return [None if parent is None else parent.bytes for parent in parents]

    def driver_parents(self, conn: Connection) -> list[Any]:
        """Return whom the entities were forked from in the driver's form."""
        parents = self.own("parent_id")
        if not self.has_parents():
            return parents
        return as_driver(conn, self.known.table.c.ecs_parent_id, parents)

    def driver_ids(self, conn: Connection) -> list[Any]:
        """Return the ids of all entities in the driver's form."""
        found = self._kept.get("driver_ids")
        if found is None:
            column, ids = self.known.table.c.ecs_id, self.own("ecs_id")
            has = row_of(conn).has_uuid
            found = as_driver(conn, column, ids) if has else uuid_texts(self.id_bytes())
            self._kept["driver_ids"] = found
        return found

    def driver_lineages(self, conn: Connection) -> list[Any]:
        """Return the families of all entities in the driver's form."""
        if self.has_own_families():
            return self.driver_ids(conn)
        return as_driver(conn, self.known.table.c.ecs_lineage_id, self.own("lineage_id"))


class Rows:
    """All groups of a walk.

    Parameters
    ----------
    found, mapping
        The walk, and the map of its classes.
    stored
        Per entity whether the store holds it as it is.

    Attributes
    ----------
    groups
        By type name.
    left_out
        By type name, the groups of placeholders, and of what the store holds as it is: they have
        row ids, and nothing to write.
    every
        All of them.
    numbers, local
        Per position the number of its group in `every`, and the place in it.
    """

    def __init__(self, found: Walk, mapping: Mapping, stored: Any = False) -> None:
        self.found = found
        self.mapping = mapping
        self.groups: dict[str, Group] = {}
        self.left_out: dict[str, Group] = {}
        self.every: list[Group] = []
        self._row_ids: Ints | None = None
        size = len(found.entities)
        kinds = np.asarray(found.kinds)
        # Who has a version is no placeholder.
        states = [entity.__dict__ for entity in found.entities]
        is_out = np.zeros(size, dtype=bool) | stored
        if not all(map(operator.contains, states, repeat("version"))):
            is_out |= np.fromiter(map(is_placeholder, found.entities), dtype=bool, count=size)
        self.numbers = np.zeros(size, dtype=np.int64)
        self.local = np.zeros(size, dtype=np.int64)
        number_of: dict[tuple[str, bool], int] = {}
        maps = mapping.map_classes(found.classes)
        for known, positions in zip(maps, split(kinds, len(maps)), strict=True):
            for out in (False, True):
                these = positions[is_out[positions] == out]
                if not len(these):
                    continue
                key = known.type_name, out
                if key not in number_of:
                    number_of[key] = len(self.every)
                    self.every.append(Group(known))
                    groups = self.left_out if out else self.groups
                    groups[known.type_name] = self.every[-1]
                self.numbers[these] = number_of[key]
        for number, positions in enumerate(split(self.numbers, len(self.every))):
            group = self.every[number]
            group.at, group.positions = positions, positions.tolist()
            group.states = list(map(states.__getitem__, group.positions))
            self.local[positions] = np.arange(len(positions))

    def group_at(self, position: int) -> Group:
        """Return the group of the entity at a position."""
        return self.every[int(self.numbers[position])]

    def place_at(self, position: int) -> int:
        """Return the place in its group of the entity at a position."""
        return int(self.local[position])

    def row_id(self, position: int) -> int:
        """Return the row id of the entity at a position."""
        return self.group_at(position).ids[self.place_at(position)]

    def row_ids(self) -> Ints:
        """Return the row ids of all positions; they must be known."""
        if self._row_ids is None:
            self._row_ids = np.zeros(len(self.numbers), dtype=np.int64)
            for group in self.every:
                self._row_ids[group.at] = np.array(group.ids, dtype=np.int64)
        return self._row_ids

    def type_of(self, position: int) -> str:
        """Return the type name of the entity at a position."""
        return self.group_at(position).known.type_name

    def is_left_out(self, position: int) -> bool:
        """Tell whether a placeholder stands at a position."""
        return self.left_out.get(self.type_of(position)) is self.group_at(position)

    def of_type(self, positions: Ints, type_name: str) -> Any:
        """Return which of some positions hold an entity of a type; none does at `NONE`."""
        alike = np.array([group.known.type_name == type_name for group in self.every], dtype=bool)
        found: Any = alike[self.numbers[positions]] & (positions != NONE)
        return found

    def keys_of(self, targets: Ints, arc: str | None = None) -> list[int | None]:
        """Return the row ids of what stands at some positions; None for `NONE`.

        Parameters
        ----------
        targets
            The positions.
        arc
            A type: what is of another has None.
        """
        kept = targets != NONE if arc is None else self.of_type(targets, arc)
        ids: Any = self.row_ids()[targets]
        if not kept.all():
            ids = ids.astype(object)
            ids[~kept] = None
        found: list[int | None] = ids.tolist()
        return found

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
        found = self.found
        sources, targets = np.asarray(found.sources), np.asarray(found.targets)
        by_field: dict[tuple[str, str], list[Ints]] = {}
        slots = split(np.asarray(found.slots), len(found.fields))
        for plan, references in zip(found.fields, slots, strict=True):
            if len(references):
                key = self.mapping.type_name(plan.owner), plan.name
                by_field.setdefault(key, []).append(references)
        for name, group in self.groups.items():
            size = len(group.positions)
            for ref in group.known.singles:
                column = group.targets[ref.name] = np.full(size, NONE, dtype=np.int64)
                for references in by_field.get((name, ref.name), ()):
                    column[self.local[sources[references]]] = targets[references]
            lists: list[InverseList | Collection] = [*group.known.inverse_lists]
            lists += group.known.collections
            for item in lists:
                parts = by_field.get((name, item.name), [])
                # Of two definitions of one class each has a field of its own.
                references = np.sort(np.concatenate(parts)) if len(parts) > 1 else [*parts, _NO][0]
                places = self.local[sources[references]]
                starts = np.searchsorted(places, np.arange(size + 1)).tolist()
                group.members[item.name] = Members(references, places, starts)

    def members(self, group: Group, name: str) -> list[list[tuple[Any, int]]]:
        """Return per entity of a group the (key, position) of what a field of it holds."""
        found = group.members[name]
        numbers = found.references.tolist()
        targets = np.asarray(self.found.targets)[found.references].tolist()
        pairs = list(zip(map(self.found.key, numbers), targets, strict=True))
        return [pairs[start:end] for start, end in pairwise(found.starts)]

    # -- values ------------------------------------------------------------------------------

    def _encode_values(self, group: Group) -> None:
        states = group.states
        exact: dict[int, dict[str, Any]] = {}
        for value in group.known.values:
            name = value.name
            try:
                column = [state[name] for state in states]
                if not value.optional and _has_none(column):
                    raise Refused(0, None, "")
                encoded, spilled = value.codec.encode(column)
                check_declared(value.said, value.codec, column, spilled)
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
        single = plan.shape == Shape.SINGLE
        if single and plan.name in group.targets and NONE not in group.targets[plan.name]:
            return
        kinds = set(map(type, map(dict.get, states, repeat(plan.name))))
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
        members = self.members(group, collection.name)
        for row, state in enumerate(states):
            try:
                check_held(collection.plan, state)
                value = state[collection.name]
                targets = [target for _, target in members[row]]
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
            group.checksums = digests(zip(*self._canonical(group), strict=True))

    def _checksum_by_hand(self, position: int) -> bytes:
        """Return 8 bytes of all fields of an entity whose values are not in our columns."""
        entity = self.found.entities[position]
        parts = []
        for name, info in complete_fields(type(entity)).items():
            if name == "version":
                continue
            try:
                parts.append(field_text(entity, name, info.annotation))
            except Refused as refused:
                place = f"{self.found.place(position)}.{name}"
                raise not_storable(refused, place, ecs_id=entity.ecs_id) from refused.__cause__
        return digest(json_text(parts))

    def _canonical(self, group: Group) -> list[list[Any]]:
        columns: list[list[Any]] = [
            group.lineage_bytes(),
            group.parent_bytes(),
            list(group.exact),
        ]
        codecs = [value.codec for value in group.known.values]
        codecs += [c.skeleton.codec for c in group.known.collections if c.skeleton is not None]
        for codec, values in zip(codecs, group.values, strict=True):
            columns.append(codec.canonical(values))
        columns += [
            self._said(group.targets[ref.name], next(iter(ref.arcs), ""))
            for ref in group.known.singles
        ]
        columns += [self._said_members(group, item) for item in group.known.collections]
        return columns

    def _said(self, targets: Ints, first: str) -> list[Any]:
        """Return what stands for entities: it must not change when more classes are learned."""
        ids = self.keys_of(targets)
        if self.of_type(targets, first)[targets != NONE].all():
            return ids
        return [
            None if row_id is None else said(self.type_of(target), row_id, first)
            for target, row_id in zip(targets.tolist(), ids, strict=True)
        ]

    def _said_members(self, group: Group, collection: Collection) -> list[tuple[Any, ...]]:
        members = group.members[collection.name]
        targets = np.asarray(self.found.targets)[members.references].astype(np.int64)
        first = next(iter(collection.arcs), "")
        keys: list[Any] = [None] * len(targets)  # the order says it, or there is none
        if collection.plan.shape == Shape.DICT:
            keys = [key_said(self.found.key(number)) for number in members.references.tolist()]
        pairs = list(zip(keys, self._said(targets, first), strict=True))
        return [tuple(pairs[start:end]) for start, end in pairwise(members.starts)]


def _bytes_of(ids: list[UUID]) -> list[bytes]:
    # `UUID.bytes` is a method in Python; this takes a third of the time.
    return list(map(_TO_BYTES, map(_NUMBER, ids), repeat(16), repeat("big")))


_NUMBER = operator.attrgetter("int")
_TO_BYTES: Callable[[int, int, str], bytes] = int.to_bytes  # type: ignore[assignment]  # "big"


class SomePlaces:
    """Some of a group's places, of whose columns what stands there is taken.

    Parameters
    ----------
    places, size
        The places, and how many there are; of all of them, a column is taken as it is.
    """

    def __init__(self, places: Iterable[int], size: int) -> None:
        self.places = np.asarray(places, dtype=np.int64)
        self.size = len(self.places)
        self._is_all = self.size == size and np.array_equal(self.places, np.arange(size))
        self._listed = [] if self._is_all else self.places.tolist()

    def of(self, column: list[Any]) -> list[Any]:
        """Take them from a column."""
        return column if self._is_all else list(map(column.__getitem__, self._listed))

    def among(self, numbers: Ints) -> Ints:
        """Take them from a column of numbers."""
        return numbers if self._is_all else numbers[self.places]


def said(kind: str, row_id: int, first: str) -> Any:
    """Return what a checksum says of a row; `first` is the first class that the field names."""
    return row_id if kind == first else (kind, row_id)


def key_said(key: Any) -> Any:
    """Return what a checksum says of a dictionary's key."""
    # Texts and integers as they are; keys of other types by their repr, which tells them apart.
    return key if type(key) in (int, str) else repr(key)


def _has_none(values: list[Any]) -> bool:
    # By identity: an array's == gives no truth value.
    return any(map(operator.is_, values, repeat(None)))
