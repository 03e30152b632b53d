"""What a store remembers of entities that it has read or saved, to tell which have changed since.

It stands in the entities themselves and goes when they go: per entity the very objects that its
fields held, and what was in those that can change in place. Comparing goes by identity, which
tells 1 from True and 0.0 from -0.0, and costs less than the walk that has found the entities.
"""

from __future__ import annotations

import contextlib
import itertools
import operator
from collections import deque
from collections.abc import Collection, Container, Iterable, Iterator, MutableMapping, Sequence
from collections.abc import Mapping as MappingOf
from contextvars import ContextVar
from typing import Any, Final, NamedTuple
from uuid import UUID
from weakref import WeakKeyDictionary, ref

from pydantic import BaseModel

from ecsviz.domain.entity import Entity
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.domain.objects import consume, is_atom

_MARK, _WAS, _HELD, WALK = (
    vars(Entity)[name] for name in ("__ecs_mark__", "__ecs_was__", "__ecs_held__", "__ecs_walk__")
)
"""Where it stands; the last one of those at which walks begin."""

NOTHING: Final = ()
"""What is in a value that is empty, or cannot change in place."""


_forgetful: ContextVar[bool] = ContextVar("ecs_forgetful", default=False)


@contextlib.contextmanager
def forgetful() -> Iterator[None]:
    """Remember nothing of what is saved inside: nobody will hold it afterwards."""
    token = _forgetful.set(True)
    try:
        yield
    finally:
        _forgetful.reset(token)


def is_forgetful() -> bool:
    """Tell whether nothing is to be remembered of what is saved."""
    return _forgetful.get()


class Opaque:
    """Stands for what is in a value of which nobody can tell: it is never the same."""

    __slots__ = ()


MOST = 100_000
"""How many changed entities an era knows before another begins."""

WALKS = 4
"""Of how many entities a store keeps the walks that have begun at them."""

MANY = 500
"""How many entities are compared at a time, which is for all of them at once or one by one."""

NewestRevision = tuple[int, bytes, str | None]
"""Number and seal, as a revision of a backup that is put back has the number and another seal; and
the seal of the store's tables, which are another after a migration."""


class Era:
    """A time in which nobody but this very store has changed what it holds.

    Attributes
    ----------
    revision
        The newest revision.
    newest
        The mark of what is known to be as it has left the store.
    changed
        Per entity, by the number of its id, the last change of this era to it.
    fields
        Per class the fields whose values can change in place.
    """

    def __init__(self, revision: NewestRevision) -> None:
        self.revision = revision
        self.newest = Mark(self)
        self.changed: dict[int, int] = {}
        # Weak: a class that is defined anew in a notebook goes, with all that is made of it.
        self.fields: MutableMapping[type, tuple[str, ...]] = WeakKeyDictionary()


class Mark:
    """Says of an entity that it is what the store holds of it, as of a change of an era.

    Of an era that is None, nobody knows yet whether that comes to be.
    """

    __slots__ = ("at", "era")

    def __init__(self, era: Era | None = None, at: int = 0) -> None:
        self.era = era
        self.at = at


class Call(NamedTuple):
    """What one of several calls has saved.

    Attributes
    ----------
    mark
        What it has left with the entities.
    fields
        Per class the fields whose values can change in place.
    changed
        The ids that have new versions.
    """

    mark: Mark
    fields: MappingOf[type, tuple[str, ...]]
    changed: Collection[UUID]


class Remembered:
    """What one store remembers.

    Attributes
    ----------
    doubtful
        The entities of which a row says something else than was written: it is written again.
    roots
        The entities with which walks are kept; see `kept_walks`.

    Examples
    --------
    >>> remembered = Remembered()
    >>> era = remembered.begin((1, b"seal", "tables"))
    >>> remembered.era_of((1, b"seal", "tables")) is era
    True
    >>> remembered.era_of((2, b"another", "tables")) is era
    False
    """

    def __init__(self) -> None:
        self._era: Era | None = None
        self._trusts = True
        self.doubtful: frozenset[UUID] = frozenset()
        self.roots: deque[ref[Any]] = deque()

    @property
    def now(self) -> Era | None:
        """The era, as far as it is known without looking at the store."""
        return self._era

    def era_of(self, newest: NewestRevision | None) -> Era | None:
        """Return the era of a store whose newest revision is this one; None if it is unknown."""
        era = self._era
        return era if era is not None and era.revision == newest else None

    def begin(self, newest: NewestRevision) -> Era:
        """Return the era of a store whose newest revision is this one; a new one if need be."""
        era = self.era_of(newest)
        return self._begin(newest) if era is None or len(era.changed) > MOST else era

    def _begin(self, newest: NewestRevision) -> Era:
        era = Era(newest)
        self._era = era if self._trusts else None
        return era

    def grow(self, era: Era, newest: NewestRevision, changed: Collection[UUID]) -> Era:
        """Take up what this very store has changed: the revision, the ids; return the era."""
        if len(changed) > MOST:
            return self._begin(newest)
        era.revision, era.newest = newest, Mark(era, era.newest.at + 1)
        era.changed.update(dict.fromkeys((ecs_id.int for ecs_id in changed), era.newest.at))
        return era if len(era.changed) <= MOST else self._begin(newest)

    def take_up(
        self, found: NewestRevision | None, newest: NewestRevision, calls: Iterable[Call]
    ) -> None:
        """Take up a transaction of several calls, which has ended well.

        Parameters
        ----------
        found, newest
            The newest revision before, and now.
        calls
            What they have saved, in their order: what a later one has changed, an earlier one has
            left otherwise.
        """
        era = self.era_of(found) or self.begin(newest)
        for mark, fields, changed in calls:
            era = self.grow(era, newest, changed)
            mark.era, mark.at = era, era.newest.at
            era.newest = mark
            era.fields.update(fields)

    def forget(self) -> None:
        """Take nothing for known any more."""
        self._era = None

    def keep(self, walk: Any, root: Any, entities: Iterable[Any]) -> None:
        """Keep a walk with the entity at which it begins; see `kept_walks`.

        Parameters
        ----------
        walk, root
            The walk, and that entity.
        entities
            Those of the walk: walks that have begun at them go, as do the oldest of too many.
        """
        WALK.__set__(root, walk)
        others = {id(one): one for kept in self.roots if (one := kept()) is not None}
        others.pop(id(root), None)
        within = set(filter(others.__contains__, map(id, entities))) if others else set()
        stay = [one for one in others.values() if id(one) not in within][1 - WALKS :]
        for one in others.values():
            if not any(one is other for other in stay):
                WALK.__set__(one, None)
        self.roots.clear()
        self.roots.extend(map(ref, (*stay, root)))

    def take_as_written(self, ids: Iterable[UUID]) -> None:
        """Doubt entities no more."""
        if self.doubtful:
            self.doubtful -= frozenset(ids)

    def trust(self, trusted: bool, doubtful: Iterable[UUID] = ()) -> None:
        """Say whether anything that is read can be taken for known.

        Parameters
        ----------
        trusted
            Whether the store is as it was written here. If not, nothing is taken for known until it
            is again: saving what somebody has changed past the store has to look at it.
        doubtful
            See the attribute.
        """
        self.doubtful = frozenset(doubtful)
        if not trusted or not self._trusts:
            self._era, self._trusts = None, trusted


class Taken(NamedTuple):
    """What entities of one class hold, to be remembered once it is stored.

    Attributes
    ----------
    entities
        The entities.
    values
        The objects in their ``__dict__``, one entity after the other.
    width, at
        How many these are per entity, and where among them the version stands; 0 where that
        differs: what cached properties keep stands there as well.
    names
        The names of the first entity's values.
    fields
        The fields whose values can change in place.
    held
        Per entity what is in those that can change in place.
    """

    entities: Sequence[Any]
    values: list[Any]
    width: int
    at: int
    names: list[str]
    fields: Sequence[str]
    held: list[Any]

    def column(self, name: str) -> list[Any]:
        """Return what each entity held in a field."""
        if not self.width:
            return [state.get(name) for state in self.values]
        return self.values[self.names.index(name) :: self.width]

    def inside(self, name: str) -> list[Any]:
        """Return per entity what was in a field whose values can change in place."""
        place = self.fields.index(name)
        if len(self.fields) == 1:
            return self.held
        return [NOTHING if row is NOTHING else row[place] for row in self.held]


def take(entities: Sequence[Any], fields: Sequence[str]) -> Taken:
    """Return what entities of one class hold now.

    Parameters
    ----------
    entities
        The entities.
    fields
        The fields whose values can change in place.
    """
    states = [entity.__dict__ for entity in entities]
    values: list[Any] = list(itertools.chain.from_iterable(map(dict.values, states)))
    width, at = len(states[0]), [*states[0]].index("version")
    alike = set(map(len, states)) == {width} and all(
        map(operator.is_, values[at::width], map(operator.itemgetter("version"), states))
    )
    if not alike:
        width, values = 0, [dict(state) for state in states]
    names = [*states[0]]
    return Taken(entities, values, width, at, names, fields, _held(states, fields))


def remember(taken: Taken, mark: Mark) -> None:
    """Remember that a store holds what was taken, in the versions that entities have by now."""
    entities, values = taken.entities, taken.values
    versions = [entity.__dict__["version"] for entity in entities]
    if taken.width:
        values[taken.at :: taken.width] = versions
        was = list(zip(*[iter(values)] * taken.width, strict=True))
    else:
        was = [
            tuple((state | {"version": version}).values())
            for state, version in zip(values, versions, strict=True)
        ]
    remember_rows(entities, was, taken.held, mark)


def remember_rows(
    entities: Sequence[Any], was: Sequence[tuple[Any, ...]], held: Sequence[Any], mark: Mark
) -> None:
    """Remember of entities their values, in the order of their fields, and what is in these."""
    consume(map(_WAS.__set__, entities, was))
    consume(map(_HELD.__set__, entities, held))
    consume(map(_MARK.__set__, entities, itertools.repeat(mark)))


def forget(entities: Sequence[Any]) -> None:
    """Take nothing for known of some entities."""
    for slot in (_MARK, _WAS):
        consume(map(slot.__set__, entities, itertools.repeat(None)))


def hand_over(entities: Sequence[Any], others: Sequence[Any]) -> None:
    """Remember of entities what is remembered of others, whose states they have taken over."""
    known = [n for n, other in enumerate(others) if _mark_of(other) is not None]
    to, of = [entities[n] for n in known], [others[n] for n in known]
    for slot in (_WAS, _HELD, _MARK):
        consume(map(slot.__set__, to, map(slot.__get__, of)))


def renew_marks(entities: Iterable[Any], era: Era) -> None:
    """Note of entities that an era knows that they are as of its newest revision."""
    consume(map(_MARK.__set__, entities, itertools.repeat(era.newest)))


def unknown(entities: Sequence[Any], era: Era) -> list[int]:
    """Return the places of entities of which an era does not know what the store holds."""
    try:
        marks: list[Mark | None] = list(map(_MARK.__get__, entities))
    except AttributeError:  # of somebody who was never stored
        marks = list(map(_mark_of, entities))
    if marks.count(era.newest) == len(marks):
        return []
    strange = {mark for mark in set(marks) if mark is None or mark.era is not era}
    found = [*_places_of(strange, marks)] if strange else []
    if era.changed and len(found) < len(marks):
        numbers = [entity.__dict__["ecs_id"].int for entity in entities]
        for place in _places_of(era.changed, numbers):
            mark = marks[place]
            if mark is not None and mark.era is era and mark.at < era.changed[numbers[place]]:
                found.append(place)
    return sorted(found)


def _places_of(wanted: Container[Any], values: Sequence[Any]) -> Iterator[int]:
    return itertools.compress(itertools.count(), map(wanted.__contains__, values))


def _mark_of(entity: Any) -> Mark | None:
    try:
        found: Mark = _MARK.__get__(entity)
    except AttributeError:
        return None
    return found


def remembered_of(entities: Iterable[Any]) -> Iterator[Any]:
    """Yield the very objects that are remembered of entities, others whenever that is anew."""
    return map(_WAS.__get__, entities)


def inside_of(entities: Iterable[Any], fields: Sequence[str], name: str) -> list[Any]:
    """Return what is remembered to be in a field, one of those that can change in place."""
    rows = list(map(_HELD.__get__, entities))
    if len(fields) == 1:
        return rows
    place = fields.index(name)
    return [NOTHING if row is NOTHING else row[place] for row in rows]


def differing(
    entities: Sequence[Any], fields: Sequence[str], remembered: Sequence[Any] | None = None
) -> list[int]:
    """Return the places of remembered entities of one class that hold something else now.

    Parameters
    ----------
    entities, fields
        The entities, and the fields whose values can change in place.
    remembered
        What is remembered of them, where that is at hand.
    """
    found: list[int] = []
    several = len(fields) > 1
    for start in range(0, len(entities), MANY):
        some = entities[start : start + MANY]
        states = [entity.__dict__ for entity in some]
        known = map(_WAS.__get__, some) if remembered is None else remembered[start : start + MANY]
        was = list(known)
        now = itertools.chain.from_iterable(map(dict.values, states))
        # Where a state is longer or shorter than it was, the id of the next meets another value.
        alike = len(states[-1]) == len(was[-1]) and all(
            map(operator.is_, now, itertools.chain.from_iterable(was))
        )
        held = _held(states, fields)
        inside = list(map(_HELD.__get__, some)) if fields else held
        if alike and (held is inside or all(map(operator.is_, held, inside))):
            continue
        for place, (state, values) in enumerate(zip(states, was, strict=True)):
            # A state may have more: what cached properties keep.
            same = len(state) == len(values) and all(map(operator.is_, state.values(), values))
            if not same or not _same(held[place], inside[place], several):
                found.append(start + place)
    return found


def before(entity: Any, fields: Sequence[str]) -> tuple[list[Any], dict[str, Any]]:
    """Return what is remembered of an entity: its values, and what was in some of them."""
    values, held = _WAS.__get__(entity), _HELD.__get__(entity)
    if held is NOTHING or len(fields) == 1:
        inside = dict.fromkeys(fields, held)
    else:
        inside = dict(zip(fields, held, strict=True))
    return list(values), inside


def _same(one: Any, other: Any, several: bool) -> bool:
    if one is NOTHING or other is NOTHING:
        return one is other
    if several:
        return all(map(is_same, one, other))
    return is_same(one, other)


def is_same(one: Any, other: Any) -> bool:
    """Tell whether two results of `contents` are of a value that has not changed."""
    if type(one) is not tuple or type(other) is not tuple:
        return False
    return len(one) == len(other) and all(map(operator.is_, one, other))


# -- what is in a value ----------------------------------------------------------------------

_PLAIN = frozenset({list, dict, set, tuple, frozenset, type(None)})
_END: Final = object()


def _held(states: list[dict[str, Any]], fields: Sequence[str]) -> list[Any]:
    """Return per state what is in some of its fields; `NOTHING` where all of that is empty."""
    try:
        columns = [list(map(operator.itemgetter(name), states)) for name in fields]
    except KeyError:  # deleted by hand
        columns = [[state.get(name) for state in states] for name in fields]
    return held_in(columns, len(states))


def held_in(columns: Iterable[list[Any]], size: int) -> list[Any]:
    """Return per entity what is in its fields, given as columns, that can change in place."""
    empty: list[Any] = [NOTHING] * size
    whole: list[list[Any]] = []
    for values in columns:
        if _PLAIN.issuperset(map(type, values)) and not any(values):
            whole.append(empty)
        else:
            whole.append([contents(value) for value in values])
    if all(column is empty for column in whole):
        return empty
    if len(whole) == 1:
        return whole[0]
    rows = zip(*whole, strict=True)
    return [row if any(part is not NOTHING for part in row) else NOTHING for row in rows]


def contents(value: Any) -> Any:
    """Return what can change in a value while it stays the same object.

    Returns
    -------
    tuple or Opaque
        `NOTHING` for what is empty or cannot change; the members; another `Opaque` each time for
        what nobody knows.

    Examples
    --------
    >>> value = {"a": 1, "b": [2, 3]}
    >>> before = contents(value)
    >>> is_same(contents(value), before)
    True
    >>> value["b"][0] = 2.0
    >>> is_same(contents(value), before)
    False
    """
    kind: Any = type(value)
    if is_leaf(kind) or (kind in _PLAIN and not value):
        return NOTHING
    parts = _parts(value, kind)
    if parts is not None and all(map(is_leaf, set[Any](map(type, parts)))):
        return parts
    return Opaque() if parts is None else _nested(value)


def _parts(value: Any, kind: Any) -> tuple[Any, ...] | None:
    """Return what stands in a container, a model or a dataclass; None for anything else."""
    if kind is dict:
        return (*value, *value.values())
    if kind in _PLAIN:
        return tuple(value)
    if isinstance(value, BaseModel):
        state = value.__dict__
        beside = (value.__pydantic_extra__, value.__pydantic_private__)
        return (*state, *state.values(), *(part for part in beside if part))
    if hasattr(kind, "__dataclass_fields__"):
        state = getattr(value, "__dict__", {})
        names = (name for name in kind.__dataclass_fields__ if name not in state)
        slots = [getattr(value, name, None) for name in names]
        return (*state, *state.values(), *slots)
    return None


def _nested(value: Any) -> Any:
    """Return what is in a container and in those inside it, one after the other."""
    found: list[Any] = []
    stack = [value]
    seen = set()
    while stack:
        part = stack.pop()
        kind: Any = type(part)
        found.append(part)
        if is_leaf(kind) or part is _END:
            continue
        parts = None if id(part) in seen else _parts(part, kind)
        if parts is None:
            return Opaque()
        seen.add(id(part))
        stack.append(_END)
        stack.extend(parts)
    return tuple(found)


def is_leaf(kind: Any) -> bool:
    """Tell whether the values of a type cannot change, or are entities, which are others' own."""
    return is_atom(kind) or is_entity_class(kind)
