"""The part of a walk that is not as the store holds it: what a save has to look at.

By numbers: a thread, at position 0 of the walk, with the messages 1 to 1,000, all of which the
store is known to hold as they are, of which 7 was edited, and message 1,001, which was appended.
The thread's list is another one, the messages 7 and 1,001 are not as the store holds them: these
three are looked at, with 1,000, after which 1,001 stands, and with what they hold. Of the
thread's list the part keeps [7, 1,000, 1,001]: positions in lists only rise, so that what is left
out between them changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection as CollectionOf
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from functools import partial
from operator import is_
from typing import Any

import numpy as np

from ecsviz.basics.once import remembering
from ecsviz.basics.order import Ints
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.domain.fields import Shape
from ecsviz.domain.objects import is_placeholder
from ecsviz.domain.walk import Walk
from ecsviz.errors import EcsvizError
from ecsviz.storage.kept_walks import FEW, ONE_IN, KnownWalk, by_class, chosen, keep
from ecsviz.storage.relational.save.lookup import Stored
from ecsviz.storage.relational.save.rows import Group, Rows
from ecsviz.storage.relational.schema.class_maps import ClassMap, Collection, InverseList
from ecsviz.storage.relational.schema.mapping import Mapping
from ecsviz.storage.remembered import (
    NOTHING,
    Era,
    Mark,
    NewestRevision,
    Remembered,
    Taken,
    before,
    contents,
    differing,
    forget,
    is_forgetful,
    is_same,
    remember,
    renew_marks,
    take,
    unknown,
)


@dataclass(slots=True)
class Part:
    """What a save has to look at.

    Attributes
    ----------
    found
        The walk of it.
    known
        Per entity whether the store holds it as it is: only its row id is needed.
    new
        The positions of entities that were never stored; None if that is not known.
    unchanged
        How many entities are left out.
    whole
        The walk of all, where none of them is a placeholder.
    alone
        Whether it is all that is to be saved, whatever else has changed.
    lengths
        Of stored entities, by ``id()`` and field, how long their lists are in the whole walk.
    """

    found: Walk
    known: Any
    new: frozenset[int] | None
    unchanged: int
    whole: Walk | None
    alone: bool = False
    lengths: dict[tuple[int, str], int] = field(default_factory=dict)

    def check(self, groups: MappingOf[str, Group], stored: MappingOf[str, Stored]) -> None:
        """Raise WholeNeededError unless what is new, and nothing else, is not stored."""
        for name, group in groups.items():
            there = stored[name].versions
            for place, position in enumerate(group.positions if self.new is not None else ()):
                if (place in there) == (position in (self.new or ())):
                    raise WholeNeededError


def part_alone(found: Walk, count: int) -> Part:
    """Return the part of a walk that is its first entities, which are saved alone."""
    return Part(found, np.arange(len(found.entities)) >= count, None, 0, None, alone=True)


def changed_part(found: Walk, era: Era, mapping: Mapping) -> Part | None:
    """Return what is not as a store holds it; None where the whole walk must be looked at.

    Parameters
    ----------
    found
        A walk.
    era
        What is known of the entities.
    mapping
        The store's mapping.

    Notes
    -----
    Only what is plain is told apart: values and references that are others now, what was never
    stored, and lists that have more at their end. Where anything else may have happened, or where
    a list and its back-reference may disagree, the whole walk says it.
    """
    with remembering:
        return _Finder(found, era, mapping).part()


class WholeNeededError(Exception):
    """What has changed is more than a part can say; the whole walk is looked at then."""


class _Finder:
    def __init__(self, found: Walk, era: Era, mapping: Mapping) -> None:
        self.found = found
        self.era = era
        self.mapping = mapping
        self.partial = False
        self.new: set[int] = set()
        self.changed: set[int] = set()
        self.listed: set[tuple[int, str, int]] = set()  # holder, field and who came to its list
        self.lengths: dict[tuple[int, str], int] = {}
        self.after: list[int] = []  # references to those after whom somebody came

    def part(self) -> Part | None:
        try:
            if isinstance(self.found, KnownWalk) and self.found.newest is self.era.newest:
                self.new, self.changed = set(self.found.new), set(self.found.changed)
            else:
                for cls, positions in zip(self.found.classes, by_class(self.found), strict=True):
                    if len(positions):
                        self._look(cls, positions)
            few = max(FEW, len(self.found.entities) // ONE_IN)
            if len(self.new) + len(self.changed) > few:
                return None
            for position in self.changed:
                self._compare(position)
            self._check_new()
        except (WholeNeededError, EcsvizError):
            return None
        return self._cut()

    def _look(self, cls: type, positions: Ints) -> None:
        """Find out which entities of a class are new, and which have changed."""
        fields = self.era.fields.get(cls)
        places, entities = chosen(self.found.entities, positions)
        strange = list(range(len(entities))) if fields is None else unknown(entities, self.era)
        for n in strange:
            if is_placeholder(entities[n]):
                self.partial = True
            elif entities[n].__dict__.get("version") != 0:
                raise WholeNeededError
            else:
                self.new.add(places[n])
        if len(strange) < len(entities) and fields is not None:
            if strange:
                out = set(strange)
                kept = [n for n in range(len(entities)) if n not in out]
                places, entities = [places[n] for n in kept], [entities[n] for n in kept]
            self.changed.update(places[n] for n in differing(entities, fields))

    def _map_of(self, position: int) -> ClassMap:
        cls = type(self.found.entities[position])
        known = self.mapping.by_type.get(self.mapping.type_name(cls))
        if known is None:  # of a mapping that is new, as another class was stored
            (known,) = self.mapping.map_classes([cls])
        if known.by_hand:
            raise WholeNeededError
        return known

    def _compare(self, position: int) -> None:
        """See that what a stored entity holds otherwise is plain; note who came to its lists."""
        entity, known = self.found.entities[position], self._map_of(position)
        values, inside = before(entity, self.era.fields[type(entity)])
        state = entity.__dict__
        if len(values) != len(state):
            raise WholeNeededError
        was = dict(zip(state, values, strict=True))
        for ref in known.singles:
            if ref.position is not None and was[ref.name] is not state[ref.name]:
                raise WholeNeededError  # it leaves one list and comes to another
        for item in known.inverse_lists:
            old, now = inside[item.name], state[item.name]
            if type(now) is not list or type(old) is not tuple:
                raise WholeNeededError
            length = len(self._references(position, item.name))
            if length != len(now):
                raise WholeNeededError  # another thread has changed it since the walk
            self.lengths[id(entity), item.name] = length
            if len(old) > len(now) or not all(map(is_, old, now)):
                raise WholeNeededError
            if len(now) > len(old):
                self._note(position, item.name, len(old))

    def _note(self, position: int, name: str, start: int) -> None:
        """Note who stands in a list from a place on, and after whom."""
        references = self._references(position, name)
        if start:
            self.after.append(references[start - 1])
        for reference in references[start:]:
            key = position, name, self.found.targets[reference]
            if key in self.listed or key[2] not in self.new:
                raise WholeNeededError
            self.listed.add(key)

    def _references(self, position: int, name: str) -> range:
        """Return the numbers of the references in a field of an entity."""
        cls = type(self.found.entities[position])
        for slot, plan in enumerate(self.found.fields):
            if plan.name == name and plan.owner is cls:
                return self.found.references_of(position, slot)
        return range(0)

    def _check_new(self) -> None:
        """See that what is new stands in the lists that it names, and in no others."""
        held: set[tuple[int, str, int]] = set()
        for position in self.new:
            known, state = self._map_of(position), self.found.entities[position].__dict__
            for item in known.inverse_lists:
                self._note(position, item.name, 0)
            for ref in known.singles:
                holder = state.get(ref.name)
                if ref.position is None or holder is None:
                    continue
                targets = [self.found.targets[n] for n in self._references(position, ref.name)]
                if ref.inverse is None or [self.found.entities[n] for n in targets] != [holder]:
                    raise WholeNeededError
                target = targets[0]
                if any(item.name == ref.inverse for item in self._map_of(target).inverse_lists):
                    held.add((target, ref.inverse, position))
        if held != self.listed:
            raise WholeNeededError

    def _cut(self) -> Part:
        """Return the part: what is new or has changed, with what it holds."""
        found, size = self.found, len(self.found.entities)
        if not self.new and not self.changed:
            return Part(Walk(), np.zeros(0, dtype=bool), frozenset(), size, self._whole())
        is_new, is_open = np.zeros(size, dtype=bool), np.zeros(size, dtype=bool)
        is_new[list(self.new)] = True
        is_open[[*self.new, *self.changed]] = True
        sources, targets = np.asarray(found.sources), np.asarray(found.targets)
        lists = np.array([self._is_list(n) for n in range(len(found.fields))], dtype=bool)
        keep = is_open[sources]
        these = np.flatnonzero(keep)
        of_list = lists[np.asarray(found.slots)[these]] & ~is_new[sources[these]]
        keep[these[of_list & ~is_open[targets[these]]]] = False
        keep[self.after] = True
        references = np.flatnonzero(keep)
        there = is_open.copy()
        there[targets[references]] = True
        positions = np.flatnonzero(there)
        new = frozenset(np.flatnonzero(is_new[positions]).tolist())
        unchanged = size - len(self.new) - len(self.changed)
        return Part(
            found.part(positions, references),
            ~is_open[positions],
            new,
            unchanged,
            self._whole(),
            lengths=self.lengths,
        )

    def _whole(self) -> Walk | None:
        return None if self.partial else self.found

    def _is_list(self, slot: int) -> bool:
        field = self.found.fields[slot]
        known = self.mapping.by_type.get(self.mapping.type_name(field.owner))
        return known is not None and any(field.name == item.name for item in known.inverse_lists)


class Notes:
    """What a save has read of entities, to be remembered once it is stored."""

    def __init__(self, rows: Rows, alone: bool, era: Era | None) -> None:
        self.rows = rows
        self.alone = alone
        self.era = era
        self.taken: list[tuple[Group, list[int], Taken]] = []

    def take(self) -> None:
        """Note what entities hold before it is encoded: other threads may change it meanwhile."""
        if is_forgetful():
            return
        for group in self.rows.groups.values():
            if group.known.by_hand or not group.is_sound():
                continue
            every = [self.rows.found.entities[position] for position in group.positions]
            places = list(range(len(every)))
            if self.alone and group.known.inverse_lists:
                places = [n for n in places if self._has_its_lists(every[n], group)]
            if places:
                entities = every if len(places) == len(every) else [every[n] for n in places]
                self.taken.append((group, places, take(entities, group.known.changing)))

    def other_than_read(self, group: Group, places: set[int]) -> set[int]:
        """Return which entities hold something else than what was read, as far as that is known."""
        era, every = self.era, self.rows.found.entities
        fields = None if era is None else era.fields.get(group.known.cls)
        if era is None or fields is None:
            return places
        found = set[int]()
        for place in places:
            entity = [every[group.positions[place]]]
            if unknown(entity, era) or differing(entity, fields):
                found.add(place)
        return found

    def _is_as_walked(
        self, group: Group, places: list[int], taken: Taken, lengths: dict[tuple[int, str], int]
    ) -> bool:
        """Tell whether entities held, when they were noted, what the walk has found in them.

        Notes
        -----
        A walk comes before the wait for other writers. What another thread has put into a field
        meanwhile is not what was written.
        """
        walked = self.rows.found
        every = [*walked.entities, None]  # the last one is at `NONE`
        for ref in group.known.singles:
            targets = group.targets[ref.name][places].tolist()
            if not all(map(is_, taken.column(ref.name), map(every.__getitem__, targets))):
                return False
        lists: list[InverseList | Collection] = [*group.known.inverse_lists]
        for item in [*lists, *group.known.collections]:
            members, inside = group.members[item.name], taken.inside(item.name)
            if isinstance(item, InverseList) and (self.alone or lengths):
                for entity, found in zip(taken.entities, inside, strict=True):
                    if len(found) != lengths.get((id(entity), item.name), len(found)):
                        return False
            elif not len(members.references):
                if not all(found is NOTHING for found in inside):
                    return False
            elif not all(type(found) is tuple for found in inside):
                return False
            else:
                starts, targets = members.starts, np.asarray(walked.targets)[members.references]
                there = list(map(every.__getitem__, targets.tolist()))
                walked_there = [there[starts[place] : starts[place + 1]] for place in places]
                is_set = item.plan.shape not in (Shape.LIST, Shape.DICT)
                if not all(map(partial(_hold, is_set), inside, walked_there)):
                    return False
        return True

    def _has_its_lists(self, entity: Any, group: Group) -> bool:
        """Tell whether the lists, which are not saved with an entity, are known as they are."""
        era, known = self.era, group.known
        if era is None or known.cls not in era.fields or unknown([entity], era):
            return False
        _, inside = before(entity, known.changing)
        state = entity.__dict__
        return all(is_same(contents(state[i.name]), inside[i.name]) for i in known.inverse_lists)

    def remember(
        self,
        remembered: Remembered,
        found: NewestRevision | None,
        made: NewestRevision | None,
        changed: CollectionOf[Any] | None,
        part: Part | None,
        came: Iterable[tuple[int, str, int]],
    ) -> None:
        """Remember what is stored now.

        Parameters
        ----------
        remembered
            What the store remembers.
        found, made
            The newest revision before, and the one that was made.
        changed
            The ids that have new versions; None if something was deleted as well.
        part
            What was looked at; None for all.
        came
            See `ListChanges`.
        """
        newest = made or found
        if newest is None:
            return
        with remembering:
            era = None if changed is None else remembered.era_of(found)
            grown = [] if era is None else [*self._grown(era, came)]
            whole = None if part is None or era is None else part.whole
            if era is None or changed is None:
                era = remembered.begin(newest)
            else:
                era = era if made is None else remembered.grow(era, made, changed)
                if whole is not None and not isinstance(whole, KnownWalk):  # which is kept
                    renew_marks(whole.entities, era)
            era.fields.update(self.leave(era.newest, part))
            for taken in grown if era is remembered.now else ():
                remember(taken, era.newest)
            if whole is not None:
                keep(whole, remembered, era)

    def _grown(self, era: Era, came: Iterable[tuple[int, str, int]]) -> Iterator[Taken]:
        """Yield what the store holds of those to whose lists somebody came, as far as it is known.

        Notes
        -----
        That is what it held before, with these at the end: not what the live lists hold by now.
        """
        every, more = self.rows.found.entities, dict[int, dict[str, list[Any]]]()
        for holder, name, member in came:
            more.setdefault(holder, {}).setdefault(name, []).append(every[member])
        for holder, lists in more.items():
            entity = every[holder]
            fields = era.fields.get(type(entity))
            if fields is None or unknown([entity], era):
                continue
            values, inside = before(entity, fields)
            names = [*entity.__dict__]
            if len(names) != len(values) or not all(type(inside[n]) is tuple for n in lists):
                continue
            inside |= {name: inside[name] + tuple(members) for name, members in lists.items()}
            held = tuple(inside[name] for name in fields)
            at = names.index("version")
            whole = held[0] if len(fields) == 1 else held
            yield Taken([entity], values, len(values), at, names, fields, [whole])

    def leave(self, mark: Mark, part: Part | None) -> dict[type, tuple[str, ...]]:
        """Leave a mark with what is stored as it was noted; return the fields that may change."""
        lengths = {} if part is None else part.lengths
        for group, places, taken in self.taken:
            if self._is_as_walked(group, places, taken, lengths):
                remember(taken, mark)
            else:
                forget(taken.entities)
        return {group.known.cls: group.known.changing for group, _, _ in self.taken}


def _hold(in_any_order: bool, found: tuple[Any, ...], walked: list[Any]) -> bool:
    """Tell whether what is in a value are the very entities that a walk has found there."""
    if len(found) != len(walked):
        found = tuple(part for part in found if is_entity_class(type(part)))
    if in_any_order:
        return sorted(map(id, found)) == sorted(map(id, walked))
    return len(found) == len(walked) and all(map(is_, found, walked))
