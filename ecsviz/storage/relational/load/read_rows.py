"""What a load has read, to be remembered by the store, and the walk through it.

The walk is made of what the rows say, when a save first asks for it.

By numbers: a thread with the messages 1, 2 and 3, of which 3 answers 1, was read. What was read of
each class is a run of numbers: the thread is 0, the messages are 1 to 3. The columns with their
references say whom each holds, in the order of its fields: 0: [1, 2, 3], 1: [0], 2: [0], 3:
[0, 1]. From the root on, level by level, whoever is met first comes first: 0, 1, 2, 3. That is the
walk, for a fifth of what it takes to look at the entities.
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sqlalchemy as sa

from ecsviz.basics.once import remembering
from ecsviz.basics.order import Ints
from ecsviz.domain.fields import FieldPlan, class_plan
from ecsviz.domain.validating import has_post_init
from ecsviz.domain.walk import Walk
from ecsviz.storage.relational.load.loaded_rows import Loaded
from ecsviz.storage.relational.schema.arcs import Kind, arcs_in
from ecsviz.storage.remembered import (
    Era,
    NewestRevision,
    Remembered,
    held_in,
    remember,
    remember_rows,
    take,
)

DEEPEST = 64
"""How many levels are gone: chains are for a walk."""

NOBODY = -1

Column = Any
"""Row ids or places in lists, in 8 bytes each; `NOBODY` for NULL."""


@dataclass(slots=True)
class _Read:
    """What was read of one class, as far as a walk asks for it.

    Attributes
    ----------
    ids
        The row ids.
    singles
        Per field that holds one entity, by type of that, whom the entities hold.
    members
        By type of the holder and field, in which of these lists the entities stand, and where.
    """

    cls: type
    entities: Sequence[Any]
    rows: Sequence[Any]
    ids: Column
    singles: dict[str, list[tuple[str, Column]]] = field(default_factory=dict)
    members: dict[tuple[str, str], tuple[Column, Column]] = field(default_factory=dict)


class ReadRows:
    """The rows of one load, as the values of entities.

    Parameters
    ----------
    newest
        The newest revision that the load has found; None where nothing is to be remembered.
    """

    def __init__(self, newest: NewestRevision | None) -> None:
        self.newest = newest
        self._noted: list[tuple[Loaded, list[tuple[Any, ...]], list[Any]]] = []

    def note(
        self, loaded: Loaded, rows: list[tuple[Any, ...]], values: MappingOf[str, list[Any]]
    ) -> None:
        """Note what entities of one class were filled with, as rows and by field as columns."""
        if self.newest is not None and rows:
            held = held_in((values[name] for name in loaded.known.changing), len(rows))
            self._noted.append((loaded, rows, held))

    def remember(
        self,
        remembered: Remembered,
        loaded: MappingOf[str, Loaded],
        roots: MappingOf[str, list[int]],
    ) -> None:
        """Remember it, but for what was completed or looked over since: that is taken anew.

        Parameters
        ----------
        remembered
            What the store remembers.
        loaded, roots
            All that was read, and the rows with all that they lead to, by type.
        """
        if self.newest is None:
            return
        plain = sum(map(len, roots.values())) == 1 and len(self._noted) == len(loaded)
        with remembering:
            era = remembered.begin(self.newest)
            for each, rows, held in self._noted:
                known, nested = each.known, any(c.skeleton for c in each.known.collections)
                era.fields[known.cls] = known.changing
                plain = plain and not any(map(any, each.links.values()))
                if nested or has_post_init(known.cls):
                    remember(take(each.entities, known.changing), era.newest)
                    plain = False
                else:
                    remember_rows(each.entities, rows, held, era.newest)
            if plain:
                ((name, (row_id,)),) = ((name, ids) for name, ids in roots.items() if ids)
                place = loaded[name].index[row_id]
                unmade = ReadWalk(
                    era, [(each, rows) for each, rows, _ in self._noted], (name, place)
                )
                remembered.keep(unmade, loaded[name].entities[place], ())


class ReadWalk:
    """A walk that can be made as long as an era knows what was read.

    Parameters
    ----------
    era
        The era, as of whose newest mark it was read.
    read
        What was read of each type, with what is remembered of its entities.
    root
        Type and place of the entity at which the walk begins.
    """

    def __init__(
        self, era: Era, read: Iterable[tuple[Loaded, Sequence[Any]]], root: tuple[str, int]
    ) -> None:
        self.era, self.newest, self._root = era, era.newest, root
        self._read = {loaded.known.type_name: _read_of(loaded, rows) for loaded, rows in read}
        self._let(None)  # it goes when its root goes, with which it is kept

    def _let(self, entity: Any) -> None:
        """Let something stand in the place of the root."""
        name, place = self._root
        read = self._read[name]
        read.entities = [*read.entities[:place], entity, *read.entities[place + 1 :]]

    def made(self, root: Any) -> tuple[Walk, list[Any]] | None:
        """Return the walk, with what is remembered of each entity; None if it is a deep one."""
        self._let(root)
        return _Maker(self._read).made(*self._root)


def _read_of(loaded: Loaded, rows: Sequence[Any]) -> _Read:
    found: dict[str, Column | None] = {}

    def numbers(column: sa.Column[Any]) -> Column | None:
        if column.name not in found:
            found[column.name] = _numbers(loaded.columns[column.name])
        return found[column.name]

    known = loaded.known
    made = _Read(known.cls, loaded.entities, rows, _numbers(loaded.columns["id"]))
    for ref in known.singles:
        for target, column in ref.arcs.items():
            if (there := numbers(column)) is not None:
                made.singles.setdefault(ref.name, []).append((target, there))
    for arc in arcs_in(known, Kind.LIST):
        owners, places = numbers(arc.owner), numbers(arc.position)
        if owners is not None and places is not None:
            made.members[arc.source, arc.field] = owners, places
    return made


def _numbers(column: list[Any]) -> Column | None:
    """Return the numbers of a column; None if it has none."""
    if None in column:
        if column.count(None) == len(column):
            return None
        column = [NOBODY if number is None else number for number in column]
    return array("q", column)


class _Maker:
    """Makes the walk, in numbers of all that was read, one type after the other."""

    def __init__(self, read: dict[str, _Read]) -> None:
        self.read = read
        self.sizes = [len(each.entities) for each in read.values()]
        ends = list(itertools.accumulate(self.sizes))
        self.first = dict(zip(read, [0, *ends], strict=False))
        self.size = ends[-1]
        self.slots = {name: _slots_of(each.cls) for name, each in read.items()}

    def made(self, name: str, place: int) -> tuple[Walk, list[Any]] | None:
        self._put_together()
        order = self._order(self.first[name] + place)
        return None if order is None else self._walk(order)

    def _of(self, name: str, rows: Ints) -> Ints:
        """Return the numbers of the entities of some rows of a type."""
        ids = np.asarray(self.read[name].ids)
        places: Ints = rows - ids[0]
        if not (len(ids) == ids[-1] + 1 - ids[0] and (np.diff(ids) == 1).all()):
            rising = np.argsort(ids)
            places = rising[np.searchsorted(ids, rows, sorter=rising)]
        return places + self.first[name]

    def _references(self) -> Iterator[tuple[Ints, int, Ints, Ints]]:
        """Yield references: who holds, in which of its fields, at which places there, and whom."""
        for name, each in self.read.items():
            mine = np.arange(len(each.entities)) + self.first[name]
            for slot, plan in enumerate(self.slots[name]):
                for target, column in each.singles.get(plan.name, ()):
                    rows = np.asarray(column)
                    there = rows != NOBODY
                    held = self._of(target, rows[there])
                    yield mine[there], slot, np.zeros(len(held), dtype=np.int64), held
            for (holder, plan_name), columns in each.members.items():
                owners, places = map(np.asarray, columns)
                there = (owners != NOBODY) & (places != NOBODY)
                slot = next(n for n, p in enumerate(self.slots[holder]) if p.name == plan_name)
                yield self._of(holder, owners[there]), slot, places[there], mine[there]

    def _put_together(self) -> None:
        """Order all references by holder, field and place."""
        found = list(self._references())
        sources, places, targets = (
            np.concatenate([each[n] for each in found] or [np.zeros(0, dtype=np.int64)])
            for n in (0, 2, 3)
        )
        slots = np.repeat([each[1] for each in found], [len(each[0]) for each in found])
        order = np.lexsort((places, slots, sources))
        self.slot_of, self.targets = slots.astype(np.int64)[order], targets[order]
        self.counts = np.bincount(sources, minlength=self.size)
        self.starts = np.cumsum(self.counts) - self.counts

    def _held_by(self, numbers: Ints) -> Ints:
        """Return the places of the references of some entities, one after the other."""
        counts = self.counts[numbers]
        shift = self.starts[numbers] - (np.cumsum(counts) - counts)
        return np.repeat(shift, counts) + np.arange(counts.sum())

    def _order(self, root: int) -> Ints | None:
        """Return the numbers of the entities in the order in which they are found."""
        seen = np.zeros(self.size, dtype=bool)
        first = np.zeros(self.size, dtype=np.int64)
        level: Ints = np.array([root])
        levels: list[Ints] = []
        while len(level):
            if len(levels) == DEEPEST:
                return None
            seen[level] = True
            levels.append(level)
            held = self.targets[self._held_by(level)]
            held = held[~seen[held]]
            every = np.arange(len(held))
            first[held[::-1]] = every[::-1]  # what is written last stays
            level = held[first[held] == every]
        return np.concatenate(levels)

    def _walk(self, order: Ints) -> tuple[Walk, list[Any]]:
        found = Walk()
        names, types = list(self.read), np.repeat(np.arange(len(self.read)), self.sizes)[order]
        numbers, firsts = np.unique(types, return_index=True)
        met = numbers[np.argsort(firsts)].tolist()
        kinds, base = np.zeros(len(names), dtype=np.int64), np.zeros(len(names), dtype=np.int64)
        for kind, number in enumerate(met):
            kinds[number], base[number] = kind, len(found.fields)
            found.classes.append(self.read[names[number]].cls)
            found.fields += self.slots[names[number]]
        references = self._held_by(order)
        place = np.zeros(self.size, dtype=np.int64)
        place[order] = np.arange(len(order))
        counts = self.counts[order]
        for into, said in (
            (found.kinds, kinds[types]),
            (found.sources, np.repeat(np.arange(len(order)), counts)),
            (found.targets, place[self.targets[references]]),
            (found.slots, np.repeat(base[types], counts) + self.slot_of[references]),
        ):
            into.frombytes(said.astype(np.intc).tobytes())
        every = self.read.values()
        found.entities = _chosen([each.entities for each in every], order)
        found.rising = None
        found.roots = 1
        return found, _chosen([each.rows for each in every], order)


def _chosen(parts: list[Sequence[Any]], order: Ints) -> list[Any]:
    every = list(itertools.chain.from_iterable(parts))
    if len(order) == len(every) and (np.diff(order) == 1).all():
        return every
    return list(map(every.__getitem__, order.tolist()))


def _slots_of(cls: type) -> list[FieldPlan]:
    plan = class_plan(cls)
    return [*plan.fields, *plan.watched]
