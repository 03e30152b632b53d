"""Walks that need not be gone again: what the saves of one entity have found, as long as it holds.

By numbers: a thread with 1,000 messages was saved, and saved again. Where its walk found whom is
kept with the thread since then, together with what the store remembers of each of the 1,001
entities, which was compared with it: that they hold whom the walk has found in them. If message 7
is edited, and message 1,001 appended, all 1,001 are compared with what is remembered of them, as
every save does. That is the very same as it was when the walk was kept; so the 999 that hold the
same values still lead where they led. The thread and message 7 are looked at: the thread's list
has one more at its end, message 7 holds nobody else. So the walk is the one that is kept, with
message 1,001 and what that holds, which has to be somebody whom the walk knows.

Wherever anything else may have happened, the way is gone again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from operator import is_, is_not, itemgetter, lt
from typing import Any, NamedTuple, Protocol

import numpy as np

from ecsviz.basics.once import remembering
from ecsviz.basics.order import Ints, split
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.domain.field_entities import found_in
from ecsviz.domain.fields import FieldPlan, Shape
from ecsviz.domain.inverse import hint_at_pairs, is_said_by_members
from ecsviz.domain.objects import is_placeholder
from ecsviz.domain.walk import Walk, in_order, walk_alone
from ecsviz.errors import EcsvizError
from ecsviz.storage.remembered import (
    NOTHING,
    WALK,
    Era,
    Mark,
    Remembered,
    before,
    differing,
    inside_of,
    remembered_of,
    unknown,
)
from ecsviz.storage.renewal import is_outdated, walk_to_save

FEW = 8
ONE_IN = 8
"""Where more entities have changed than so few, and than one in so many, the whole is looked at."""


class _Kept(NamedTuple):
    """A walk that holds as long as an era knows its entities to be what is remembered of them.

    Attributes
    ----------
    era, newest
        The era, and its newest mark, as of which all of them were known to hold whom the walk has
        found there; None if that was not looked at yet: who saves once does not wait for it.
    walk
        The walk, whose first entity, with which it is kept, is left out: it goes when that goes.
    kinds, slots, steps
        Those of the walk, and how far each source is from the one before: in a byte each, where
        that will do.
    was
        Per entity the very object that was remembered of it, which is another one whenever
        anything is remembered of it anew.
    """

    era: Era
    newest: Mark | None
    walk: Walk
    kinds: Any
    slots: Any
    steps: Any
    was: list[Any]


class Unmade(Protocol):
    """A walk that a load can make of what it has read.

    Attributes
    ----------
    era, newest
        The era, and its newest mark when it was read.
    """

    era: Era
    newest: Mark

    def made(self, root: Any) -> tuple[Walk, list[Any]] | None:
        """Return it, with what is remembered of each entity; None if it has to be gone."""


class KnownWalk(Walk):
    """A walk that was not gone, with what looking at its entities has shown.

    Attributes
    ----------
    kept
        What was kept.
    newest
        The newest mark of the era, when they were looked at.
    changed
        The positions of those that hold something else than the store.

    Notes
    -----
    Without ids, and without what `position` needs.
    """

    __slots__ = ("changed", "kept", "newest")

    def __init__(self, kept: _Kept, newest: Mark, changed: list[int]) -> None:
        super().__init__()
        self.kept = kept
        self.newest = newest
        self.changed = changed

    @property
    def new(self) -> range:
        """The positions of those that were never stored."""
        return range(len(self.kept.was), len(self.entities))


class _AnewError(Exception):
    """The way has to be gone again."""


# -- using one -------------------------------------------------------------------------------


def walk_known(roots: Sequence[Any], remembered: Remembered) -> Walk:
    """Walk entities that are to be saved, as `walk_to_save` does; from memory where that is sure.

    Parameters
    ----------
    roots
        Entities.
    remembered
        What the store remembers.
    """
    kept = _kept_of(roots[0]) if len(roots) == 1 else None
    era = remembered.now
    if kept is not None and era is not None and kept.era is era:
        try:
            with remembering:
                found = _known(roots[0], kept if isinstance(kept, _Kept) else _made(roots[0], kept))
        except (_AnewError, EcsvizError, KeyError, AttributeError):  # of which a walk tells
            return walk_to_save(roots)
        hint_at_pairs(found.classes)
        return found
    return walk_to_save(roots)


def gone_again(found: Walk) -> Walk:
    """Return a walk that was gone: where the whole is looked at, it takes no longer."""
    return walk_to_save(found.entities[:1]) if isinstance(found, KnownWalk) else found


def _kept_of(root: Any) -> _Kept | Unmade | None:
    try:
        found: _Kept | Unmade | None = WALK.__get__(root)
    except (AttributeError, TypeError):  # it is no entity
        return None
    return found


def _made(root: Any, unmade: Unmade) -> _Kept:
    """Make the walk of what was read; its entities hold whom the rows say, as is remembered."""
    WALK.__set__(root, None)
    made = unmade.made(root)
    if made is None or not _may_be_kept(made[0]):
        raise _AnewError
    kept = _kept(*made, unmade.era, unmade.newest)
    WALK.__set__(root, kept)
    return kept


def _known(root: Any, kept: _Kept) -> KnownWalk:
    walk, era = kept.walk, kept.era
    if is_outdated(walk.classes):
        raise _AnewError
    found = KnownWalk(kept, era.newest, [])
    found.classes, found.fields, found.rising = walk.classes, walk.fields, walk.rising
    found.kinds, found.slots = _packed(kept.kinds), _packed(kept.slots)
    found.sources, found.targets = _packed(np.cumsum(kept.steps, dtype=np.intc)), walk.targets
    found.roots = 1
    found.entities = [root, *walk.entities]
    anew: list[int] = []
    if not all(map(is_, remembered_of(found.entities), kept.was)):  # saved by themselves since
        anew = _mend(found)
    if not _is_known(found, anew):
        raise _AnewError
    for cls, positions in zip(found.classes, by_class(found), strict=True):
        found.changed += _changed(found, cls, positions)
    kept = found.kept
    every = np.arange(len(found.entities))
    if kept.newest is None and not _is_as_remembered(found, every, kept.was, era):
        WALK.__set__(root, None)
        raise _AnewError
    if kept.newest is not era.newest:
        found.kept = kept._replace(newest=era.newest)
        WALK.__set__(root, found.kept)
    if len(found.changed) > max(FEW, len(found.entities) // ONE_IN):
        raise _AnewError
    grown = [growth for position in found.changed for growth in _grown(found, position)]
    if grown:
        _grow(found, sorted(grown, key=itemgetter(0, 1)))
    return found


def by_class(walk: Walk) -> list[Ints]:
    """Return the positions of the entities of each class of a walk, rising."""
    return list(split(np.asarray(walk.kinds), len(walk.classes)))


def chosen(every: list[Any], positions: Ints) -> tuple[Sequence[int], list[Any]]:
    """Return positions, of which there are some, and what stands there in a list."""
    first, last = int(positions[0]), int(positions[-1])
    if len(positions) == last + 1 - first:  # as the messages of a thread stand
        return range(first, last + 1), every[first : last + 1]
    places = positions.tolist()
    return places, [every[place] for place in places]


def _changed(found: KnownWalk, cls: type, positions: Ints) -> list[int]:
    """Return the positions of the entities of a class that hold something else now."""
    if not len(positions):
        return []
    places, entities = chosen(found.entities, positions)
    was = chosen(found.kept.was, positions)[1]
    fields = found.kept.era.fields.get(cls)
    if fields is None or list(map(type, entities)).count(cls) != len(entities):
        raise _AnewError
    return [places[n] for n in differing(entities, fields, was)]


def _is_known(found: KnownWalk, anew: list[int]) -> bool:
    """Tell whether the era knows the entities of a walk, given of whom it remembers something anew.

    Notes
    -----
    Of the others it knows what it knew when the walk was kept, unless what has their ids was saved
    since. So nobody needs to be looked at where nobody else was saved.
    """
    kept, era = found.kept, found.kept.era
    if kept.newest is None:
        return not unknown(found.entities, era)
    since = kept.newest.at
    entities = [found.entities[position] for position in anew]
    late = {number for number, last in era.changed.items() if last > since}
    late.difference_update(entity.__dict__["ecs_id"].int for entity in entities)
    return not unknown(entities, era) and (not late or late.isdisjoint(_numbers_of(found)))


def _mend(found: KnownWalk) -> list[int]:
    """Take up what is remembered anew of some: they hold the same, or have more in their lists.

    Returns
    -------
    list
        The positions of those, and of who came.
    """
    kept, now = found.kept, list(remembered_of(found.entities))
    anew = list(itertools.compress(itertools.count(), map(is_not, now, kept.was)))
    if len(anew) > FEW or any(now[position] is None for position in anew):
        raise _AnewError
    grown = [growth for position in anew for growth in _come_since(found, position)]
    if grown:
        _grow(found, sorted(grown, key=itemgetter(0, 1)), stored=True)
    anew += range(len(now), len(found.entities))
    was = [*now, *remembered_of(found.entities[len(now) :])]
    if not _is_as_remembered(found, np.array(anew), was, kept.era):
        raise _AnewError
    found.kept = _kept(found, was, kept.era, kept.newest) if grown else kept._replace(was=was)
    return anew


def _come_since(found: KnownWalk, position: int) -> Iterator[tuple[int, int, list[Any]]]:
    """Yield who, by what is remembered, stands in lists of an entity behind those of the walk."""
    entity = found.entities[position]
    _, inside = before(entity, found.kept.era.fields[type(entity)])
    for slot, plan in _slots_of(found, type(entity)):
        there = inside.get(plan.name, NOTHING)
        length = len(found.references_of(position, slot))
        if plan.shape == Shape.LIST and type(there) is tuple and len(there) > length:
            yield position, slot, [*there[length:]]


def _slots_of(walk: Walk, cls: type) -> list[tuple[int, FieldPlan]]:
    return [(slot, plan) for slot, plan in enumerate(walk.fields) if plan.owner is cls]


def _grown(found: KnownWalk, position: int) -> list[tuple[int, int, list[Any]]]:
    """Return who came to the lists of an entity, with its position and the slot of the list.

    Where it holds others than before in any other way, the way has to be gone again.
    """
    entity = found.entities[position]
    state = dict(entity.__dict__)
    values, inside = before(entity, found.kept.era.fields[type(entity)])
    if len(values) != len(state):
        raise _AnewError
    was, grown = dict(zip(state, values, strict=True)), []
    if was["ecs_id"] is not state["ecs_id"]:
        raise _AnewError
    for slot, plan in _slots_of(found, type(entity)):
        value, old = state[plan.name], inside.get(plan.name, NOTHING)
        if plan.shape == Shape.SINGLE:
            if value is not was[plan.name]:
                raise _AnewError
        elif plan.shape != Shape.LIST:
            if any(found_in(plan.shape, value, plan)):  # where there was nobody
                raise _AnewError
        else:
            now = [] if value is None else list(value)
            if type(old) is not tuple or len(now) < len(old) or not all(map(is_, now, old)):
                raise _AnewError
            if len(now) > len(old):
                grown.append((position, slot, now[len(old) :]))
                if type(value) is not list or not is_said_by_members(plan):
                    raise _AnewError
    return grown


def _grow(
    found: KnownWalk, grown: list[tuple[int, int, list[Any]]], *, stored: bool = False
) -> None:
    """Add who came to lists, given in the order of the walk, with what they hold.

    They have never been stored, or all of them are.
    """
    come = [entity for _, _, tail in grown for entity in tail]
    new = list({id(entity): entity for entity in come}.values())
    for entity in new:
        fresh = is_entity_class(type(entity)) and entity.__dict__.get("version") == 0
        if fresh is stored or is_placeholder(entity):
            raise _AnewError
    more = walk_alone(new)
    strange = 0 if stored else len(new)
    if len(unknown(new, found.kept.era)) != strange or not _may_be_kept(more):
        raise _AnewError
    size = len(found.entities)
    _check_ids(found, more.ids[: len(new)], stored=stored)
    place = {id(entity): size + n for n, entity in enumerate(new)}
    if len(grown) > 1 and any(target < len(new) for target in more.targets):
        raise _AnewError  # in which order they are found, a walk tells
    others = more.entities[len(new) :]
    place.update(_positions(found.entities, others))
    if not all(id(other) in place for other in others):
        raise _AnewError  # they lead on
    places = np.array([place[id(entity)] for entity in more.entities], dtype=np.intc)
    kinds, slots = _merged(found, more)
    ends = [found.references_of(position, slot).stop for position, slot, _ in grown]
    counts = [len(tail) for _, _, tail in grown]
    at = np.repeat(ends, counts)
    for name, inserted, added in (
        ("sources", np.repeat([g[0] for g in grown], counts), places[np.asarray(more.sources)]),
        ("targets", [place[id(entity)] for entity in come], places[np.asarray(more.targets)]),
        ("slots", np.repeat([g[1] for g in grown], counts), slots[np.asarray(more.slots)]),
    ):
        numbers = np.insert(np.asarray(getattr(found, name)), at, inserted)
        setattr(found, name, _packed(numbers, added))
    found.kinds = _packed(np.asarray(found.kinds), kinds[np.asarray(more.kinds)[: len(new)]])
    found.entities += new


def _short(numbers: Any) -> Any:
    return numbers.astype(np.min_scalar_type(numbers.max(initial=0)))


def _packed(numbers: Any, added: Any = ()) -> Any:
    made = Walk().kinds
    for some in (numbers, added):
        made.frombytes(np.asarray(some, dtype=np.intc).tobytes())
    return made


def _merged(found: KnownWalk, more: Walk) -> tuple[Any, Any]:
    """Add classes and fields of another walk; return where those of that one are by now."""
    classes, fields = [*found.classes], [*found.fields]
    for cls in more.classes:
        if cls not in classes:
            classes.append(cls)
            fields += [plan for _, plan in _slots_of(more, cls)]
    found.classes, found.fields = classes, fields
    number = {id(plan): n for n, plan in enumerate(fields)}
    kinds = np.array([classes.index(cls) for cls in more.classes], dtype=np.intc)
    return kinds, np.array([number[id(plan)] for plan in more.fields], dtype=np.intc)


def _positions(entities: list[Any], wanted: list[Any]) -> dict[int, int]:
    """Return by ``id()`` where entities stand in a list, as far as they do."""
    if not wanted or (len(wanted) == 1 and wanted[0] is entities[0]):
        return {id(entity): 0 for entity in wanted}
    ids = set(map(id, wanted))
    there = map(ids.__contains__, map(id, entities))
    places = itertools.compress(range(len(entities)), there)
    return {id(entities[place]): place for place in places}


def _check_ids(found: KnownWalk, ids: list[Any], *, stored: bool) -> None:
    """See that no id is there already; note whether they rise still.

    Notes
    -----
    Of ids that were never looked at, the store says which it has: a save that finds the row of
    somebody new there goes the way again, as with everybody else who is not new.
    """
    new = {ecs_id.int for ecs_id in ids}
    if len(new) < len(ids):
        raise _AnewError
    if found.rising is None:
        if not stored:
            return
        numbers = _numbers_of(found)
        found.rising = all(map(lt, numbers, itertools.islice(numbers, 1, None)))
    last = found.entities[-1].__dict__["ecs_id"]
    if found.rising and all(a.int < b.int for a, b in itertools.pairwise([last, *ids])):
        return
    found.rising = False
    if not new.isdisjoint(_numbers_of(found)):
        raise _AnewError


def _numbers_of(found: KnownWalk) -> list[int]:
    return [entity.__dict__["ecs_id"].int for entity in found.entities]


# -- keeping one -----------------------------------------------------------------------------


def keep(found: Walk, remembered: Remembered, era: Era) -> None:
    """Keep a walk whose entities are stored as they are remembered; to be called with the lock.

    Parameters
    ----------
    found
        The walk. Nothing is kept if it began at several entities.
    remembered, era
        What the store remembers, and in which era.
    """
    if found.roots != 1:
        return
    root, newest = found.entities[0], None
    if isinstance(found, KnownWalk) and found.kept.era is era:
        looked_at = sorted([*found.changed, *found.new])
        if not looked_at:
            return
        was, newest = [*found.kept.was, *itertools.repeat(None, len(found.new))], era.newest
    else:
        looked_at, was = list(range(len(found.entities))), list(found.entities)
    try:
        now = list(remembered_of([found.entities[position] for position in looked_at]))
    except AttributeError:  # of some nothing is
        now = []
    for position, one in zip(looked_at, now, strict=False):
        was[position] = one
    sound = bool(now) and (
        _may_be_kept(found)
        if newest is None
        else _is_as_remembered(found, np.array(looked_at), was, era)
    )
    if not sound:
        WALK.__set__(root, None)
        return
    remembered.keep(_kept(found, was, era, newest), root, found.entities)


def _kept(found: Walk, was: list[Any], era: Era, newest: Mark | None) -> _Kept:
    kept = Walk()
    kept.classes, kept.fields, kept.rising = found.classes, found.fields, found.rising
    kept.entities = found.entities[1:]
    steps = np.diff(np.asarray(found.sources), prepend=0)
    kept.targets = found.targets[:]  # not longer than need be
    kinds, slots = _short(np.asarray(found.kinds)), _short(np.asarray(found.slots))
    return _Kept(era, newest, kept, kinds, slots, _short(steps), was)


def _may_be_kept(walk: Walk) -> bool:
    """Tell whether a walk has found entities in single fields and lists alone."""
    classes: list[Any] = walk.classes
    is_open = any(cls.model_config.get("extra") == "allow" for cls in classes)
    return not walk.odd and not is_open and not is_outdated(classes)


def _is_as_remembered(walk: Walk, positions: Ints, was: list[Any], era: Era) -> bool:
    """Tell whether some entities of a walk, by what is remembered, hold whom it has found there."""
    kinds = np.asarray(walk.kinds)[positions]
    return all(
        _holds(walk, positions[places], was, era)
        for places in split(kinds, len(walk.classes))
        if len(places)
    )


def _holds(walk: Walk, positions: Ints, was: list[Any], era: Era) -> bool:
    """Tell it of entities of one class."""
    (_, entities), (_, rows) = chosen(walk.entities, positions), chosen(was, positions)
    cls = walk.classes[walk.kinds[int(positions[0])]]
    fields = era.fields.get(cls)
    if fields is None or unknown(entities, era):
        return False
    held = _held_by(_slots_of(walk, cls), entities, rows, fields)
    sources, slots = np.asarray(walk.sources), np.asarray(walk.slots)
    there = np.zeros(len(walk.entities), dtype=bool)
    there[positions] = True
    numbers = np.flatnonzero(there[sources])
    if not held:
        return held is not None and not len(numbers)
    values, counts = in_order(held)
    of = np.repeat(np.repeat(positions, len(held)), counts)
    by = np.repeat(np.tile([slot for slot, _, _ in held], len(positions)), counts)
    if not (np.array_equal(sources[numbers], of) and np.array_equal(slots[numbers], by)):
        return False
    targets = np.asarray(walk.targets)[numbers]
    if len(targets) and np.all(np.diff(targets) == 1):  # which takes half the time
        return all(map(is_, values, chosen(walk.entities, targets)[1]))
    return all(map(is_, values, map(walk.entities.__getitem__, targets.tolist())))


def _held_by(
    slots: list[tuple[int, FieldPlan]], entities: list[Any], rows: list[Any], fields: Sequence[str]
) -> list[tuple[int, Shape, list[Any]]] | None:
    """Return whom entities of one class hold by what is remembered, slot by slot.

    None if that cannot be told, or if they hold some in other ways than singly and in lists.
    """
    names = [*entities[0].__dict__]
    orders = set[tuple[str, ...]](tuple(entity.__dict__) for entity in entities)
    if len(orders) > 1 or set(map(len, rows)) != {len(names)}:
        return None
    found: list[tuple[int, Shape, list[Any]]] = []
    for slot, plan in slots:
        if plan.shape == Shape.SINGLE and plan.name in names:
            place = names.index(plan.name)
            found.append((slot, plan.shape, list(map(itemgetter(place), rows))))
            continue
        inside: list[Any] = [None]
        if plan.shape != Shape.SINGLE and plan.name in fields:
            inside = inside_of(entities, fields, plan.name)
        if not all(type(part) is tuple for part in inside):
            return None
        if plan.shape == Shape.LIST:
            found.append((slot, plan.shape, inside))
        elif any(map(is_entity_class, set(map(type, itertools.chain.from_iterable(inside))))):
            return None
    return found
