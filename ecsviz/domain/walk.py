"""References: the iterative walk that finds them, and their places as text.

The walk touches only the fields that can hold an entity. Nothing recurses over the graph, and
properties are never evaluated.
"""

from __future__ import annotations

import array
import collections
import itertools
import operator
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ecsviz.basics.garbage import collector_paused
from ecsviz.basics.order import Ints
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.domain.field_entities import found_in, named, refuse_hidden
from ecsviz.domain.fields import FieldPlan, Shape, class_plan
from ecsviz.domain.paths import format_path
from ecsviz.domain.plain_objects import is_plain_class
from ecsviz.errors import (
    DuplicateIdError,
    InvalidIdError,
    NotAnEntityError,
    short_repr,
)


@dataclass(frozen=True, slots=True)
class Reference:
    """One place where an entity holds another.

    Attributes
    ----------
    source
        The holder: it depends on the target.
    field
        The holder's field.
    path
        The place, field included: ``messages[3]``, ``by_name['x']``, ``meta.author``.
    target
        What is held.
    """

    source: Any
    field: str
    path: str
    target: Any

    def __repr__(self) -> str:
        return f"Reference({node_name(self.source)}.{self.path} -> {node_name(self.target)})"


def node_name(node: Any) -> str:
    """Return a short name of a node: a class's or table's name, or an entity's class."""
    if isinstance(node, str):
        return node
    if isinstance(node, type):
        return node.__name__
    kind = type(node)
    if is_entity_class(kind) or is_plain_class(kind):
        return kind.__name__
    return getattr(node, "type_name", None) or kind.__name__


# -- the walk --------------------------------------------------------------------------------


class Walk:
    """Every entity that can be reached, and every reference between them, as flat arrays.

    Attributes
    ----------
    entities
        The entities in breadth-first order, the roots first.
    ids
        Their ``ecs_id``.
    sources, targets
        Per reference the position of its holder and of what is held, as 4-byte integers.
    slots
        Per reference the position of its field in `fields`.
    fields
        The field plans met.
    classes
        The classes met.
    kinds
        Per entity the position of its class in `classes`.
    rising
        Whether the ids rise, as they do where entities stand in the order of their making; None
        where nobody has looked.
    roots
        How many of the entities were given, and not only found.

    Notes
    -----
    The references of one holder stand together, its fields in the order of their definition.
    Where in a list a reference stands follows from that, so only other places are kept.
    """

    __slots__ = (
        "classes",
        "entities",
        "fields",
        "ids",
        "kinds",
        "rising",
        "roots",
        "slots",
        "sources",
        "targets",
        "_index",
        "_odd",
        "_odd_keys",
    )

    def __init__(self) -> None:
        self.entities: list[Any] = []
        self.ids: list[Any] = []
        self.rising: bool | None = False
        self.roots = 0
        self.sources = array.array("i")
        self.targets = array.array("i")
        self.slots = array.array("i")
        self.fields: list[FieldPlan] = []
        self.classes: list[type] = []
        self.kinds = array.array("i")
        self._index: dict[int, int] = {}
        self._odd = array.array("i")  # the references whose place is no index, and their places
        self._odd_keys: list[Any] = []

    def __len__(self) -> int:
        return len(self.entities)

    def position(self, entity: Any) -> int | None:
        """Return where `entity` (this very object) stands in `entities`."""
        return self._index.get(id(entity))

    @property
    def keys(self) -> list[Any]:
        """Per reference its place inside the field: ``None``, an index, a key, or `Steps`."""
        sources, slots = np.asarray(self.sources), np.asarray(self.slots)
        every = np.arange(len(sources))
        begins = np.ones(len(sources), dtype=bool)  # of what one field holds
        begins[1:] = (sources[1:] != sources[:-1]) | (slots[1:] != slots[:-1])
        keys: list[Any] = (every - np.maximum.accumulate(np.where(begins, every, 0))).tolist()
        single = np.array([field.shape == Shape.SINGLE for field in self.fields], dtype=bool)
        for number in np.flatnonzero(single[slots]).tolist() if len(sources) else ():
            keys[number] = None
        for number, key in zip(self._odd, self._odd_keys, strict=True):
            keys[number] = key
        return keys

    @property
    def odd(self) -> int:
        """How many references stand neither in single fields nor in lists."""
        return len(self._odd)

    def references_of(self, position: int, slot: int) -> range:
        """Return the numbers of the references that one field of one entity holds."""
        first = bisect_left(self.sources, position)
        last = bisect_left(self.sources, position + 1, first)
        return range(
            bisect_left(self.slots, slot, first, last),
            bisect_left(self.slots, slot + 1, first, last),
        )

    def part(self, positions: Ints, references: Ints) -> Walk:
        """Return a walk of some of the entities and of some of the references between them.

        Parameters
        ----------
        positions, references
            Rising; both ends of each reference are among the positions.
        """
        made = Walk()
        made.classes, made.fields, made.rising = self.classes, self.fields, self.rising
        chosen = positions.tolist()
        made.entities = [self.entities[position] for position in chosen]
        made.ids = [entity.__dict__["ecs_id"] for entity in made.entities]
        made._index = {id(entity): n for n, entity in enumerate(made.entities)}
        place = np.zeros(len(self.entities), dtype=np.intc)
        place[positions] = np.arange(len(positions), dtype=np.intc)
        for name, numbers in (("sources", place), ("targets", place)):
            there = numbers[np.asarray(getattr(self, name))[references]]
            getattr(made, name).frombytes(there.astype(np.intc).tobytes())
        made.slots.frombytes(np.asarray(self.slots)[references].astype(np.intc).tobytes())
        made.kinds.frombytes(np.asarray(self.kinds)[positions].astype(np.intc).tobytes())
        if self._odd:
            number_of = {number: n for n, number in enumerate(references.tolist())}
            for number, key in zip(self._odd, self._odd_keys, strict=True):
                if number in number_of:
                    made._odd.append(number_of[number])
                    made._odd_keys.append(key)
        return made

    def release(self) -> Walk:
        """Forget where each entity stands, which `position` needs: two thirds of the memory."""
        self._index = {}
        return self

    def key(self, reference: int) -> Any:
        """Return the place of the `reference`-th reference inside its field."""
        slot = self.slots[reference]
        shape = self.fields[slot].shape
        if shape == Shape.SINGLE:
            return None
        if shape == Shape.LIST:
            source = self.sources[reference]
            first = bisect_left(self.sources, source)
            return reference - bisect_left(self.slots, slot, first, reference)
        return self._odd_keys[bisect_left(self._odd, reference)]

    def path(self, reference: int) -> str:
        """Return the place of the `reference`-th reference, field included."""
        return format_path(self.fields[self.slots[reference]].name, self.key(reference))

    def place_of(self, reference: int) -> str:
        """Return ``Class.path`` of the `reference`-th reference."""
        holder = type(self.entities[self.sources[reference]]).__name__
        return f"{holder}.{self.path(reference)}"

    def reference(self, number: int) -> Reference:
        """Return the `number`-th reference as an object."""
        return Reference(
            self.entities[self.sources[number]],
            self.fields[self.slots[number]].name,
            self.path(number),
            self.entities[self.targets[number]],
        )

    def __iter__(self) -> Iterator[Reference]:
        return (self.reference(number) for number in range(len(self.sources)))

    def place(self, position: int) -> str:
        """Return how the entity at `position` was reached, for messages."""
        name = type(self.entities[position]).__name__
        try:
            first = self.targets.index(position)
        except ValueError:
            return f"{name} (given)"
        holder = type(self.entities[self.sources[first]]).__name__
        return f"{holder}.{self.path(first)}"


def walk(roots: Iterable[Any], *, strict: bool = True) -> Walk:
    """Find every entity and every reference that the roots lead to.

    Parameters
    ----------
    roots
        Entities.
    strict
        Whether an entity where no reference can be stored (``Any``, a dict key, an extra field),
        a malformed id, or two objects with one id is an error.

    Raises
    ------
    NotAnEntityError
        If a root, or what stands in a reference's place, is no entity.
    UnsupportedFieldError
        If an entity stands where none can be stored.
    DuplicateIdError
        If two different objects carry one ``ecs_id``; the message names both places.

    Notes
    -----
    Breadth first, from source to target; O(entities + references) in time and memory.

    Examples
    --------
    >>> import ecsviz as ev
    >>> class Node(ev.Entity):
    ...     next: "Node | None" = None
    >>> node = Node(next=Node())
    >>> [reference.path for reference in walk([node])]
    ['next']
    """
    result = Walk()
    index = result._index
    entities = result.entities
    for root in roots:
        if not is_entity_class(type(root)):
            raise NotAnEntityError(
                f"{short_repr(root)} is not an entity, but of type {type(root).__name__}."
                " Give an instance of a subclass of ev.Entity, or a list of them.",
                value=root,
            )
        if id(root) not in index:
            index[id(root)] = len(entities)
            entities.append(root)
    result.roots = len(entities)
    with collector_paused():
        _follow(result, strict)
        _read_ids(result, strict)
    return result


def walk_alone(roots: Iterable[Any], without: Callable[[FieldPlan], bool] | None = None) -> Walk:
    """Find what the roots themselves hold, and nothing of what that leads to.

    Parameters
    ----------
    roots
        Entities, each once.
    without
        Tells of which fields nothing is looked at.

    Returns
    -------
    Walk
        The roots first.
    """
    result = Walk()
    result.entities.extend(roots)
    result._index.update((id(entity), n) for n, entity in enumerate(result.entities))
    known: _Known = {}
    given = list(enumerate(result.entities))
    for position, entity in given:
        if type(entity) not in known:
            about = _about(result, position, strict=True)
            steps = tuple(step for step in about.steps if without is None or not without(step[3]))
            known[type(entity)] = about._replace(steps=steps)
    _follow_each(result, known, iter(given), strict=True)
    for position in range(len(given), len(result.entities)):
        cls = type(result.entities[position])
        if cls not in known:
            known[cls] = _about(result, position, strict=True)
        result.kinds.append(known[cls].kind)
    _read_ids(result, strict=True)
    return result


def _follow(result: Walk, strict: bool) -> None:
    """Find what the entities that are there lead to; they become more while they are read."""
    entities = result.entities
    every = enumerate(entities)  # goes on with what comes to be there
    known: _Known = {}
    start = 0
    while start < len(entities):
        kinds = list(map(type, entities[start : start + MANY]))
        if len(kinds) < SHORT_RUN:  # of a chain only the next is there
            start += _follow_each(result, known, itertools.islice(every, SHORT_RUN), strict)
        elif sum(map(operator.is_not, kinds, kinds[1:])) > len(kinds) // SHORT_RUN:
            start += _follow_each(result, known, itertools.islice(every, len(kinds)), strict)
        else:
            for cls, run in itertools.groupby(kinds):
                stop = start + len(list(run))
                about = known.get(cls) or known.setdefault(cls, _about(result, start, strict))
                these = itertools.islice(every, stop - start)
                if (about.is_open and strict) or not _follow_run(result, about, start, stop):
                    _follow_each(result, known, these, strict)
                else:
                    collections.deque(these, maxlen=0)  # passed over
                start = stop


def _follow_each(result: Walk, known: _Known, some: Iterator[tuple[int, Any]], strict: bool) -> int:
    """Follow entities one by one, which may become more meanwhile; return how many."""
    # One plain loop, since it runs once per entity and per reference: what stands in it was
    # measured, and calls, attributes and tuples in it are what cost the most.
    index, entities = result._index, result.entities
    get, add_entity = index.get, entities.append
    add_source, add_target = result.sources.append, result.targets.append
    add_slot, add_kind = result.slots.append, result.kinds.append
    before = len(result.kinds)
    for source, entity in some:
        cls = type(entity)
        about = known.get(cls)
        if about is None:
            about = known[cls] = _about(result, source, strict)
        kind, steps, is_open = about
        add_kind(kind)
        state = entity.__dict__
        for slot, shape, name, plan in steps:
            value = state.get(name)
            if value is None:
                continue
            if shape == 0:  # SINGLE; an integer comparison
                number = get(id(value))
                if number is None:
                    number = index[id(value)] = len(entities)
                    add_entity(value)
                add_source(source)
                add_target(number)
                add_slot(slot)
            elif shape == 1 and isinstance(value, (list, tuple)):
                if len(value) > SHORT:
                    _add_members(result, source, slot, value)
                    continue
                for target in value:
                    number = get(id(target))
                    if number is None:
                        number = index[id(target)] = len(entities)
                        add_entity(target)
                    add_source(source)
                    add_target(number)
                    add_slot(slot)
            else:
                _add_others(result, source, slot, found_in(shape, value, plan))
        if is_open and strict and entity.__pydantic_extra__:
            refuse_hidden(entity)
    return len(result.kinds) - before


def _follow_run(result: Walk, about: _About, start: int, stop: int) -> bool:
    """Follow entities of one class, field by field, which takes two thirds of the time.

    The order is the same. False, and nothing is done, if they hold more than single ones and lists.
    """
    entities = result.entities[start:stop]
    found: list[tuple[int, Shape, list[Any]]] = []
    for slot, shape, name, _ in about.steps:
        try:
            column = [entity.__dict__[name] for entity in entities]
        except KeyError:  # of a placeholder only the id is there
            column = [entity.__dict__.get(name) for entity in entities]
        if all(map(operator.is_, column, itertools.repeat(None))):
            continue
        if shape != Shape.SINGLE:
            if not _CONTAINERS.get(shape, frozenset()).issuperset(map(type, column)):
                return False
            if not any(column):
                continue
            if shape != Shape.LIST:
                return False
        found.append((slot, shape, column))
    result.kinds.extend(array.array("i", [about.kind]) * (stop - start))
    if found:
        values, counts = in_order(found)
        places = np.repeat(np.arange(start, stop, dtype=np.intc), len(found))
        result.sources.frombytes(np.repeat(places, counts).tobytes())
        slots = np.tile(np.array([slot for slot, _, _ in found], dtype=np.intc), stop - start)
        result.slots.frombytes(np.repeat(slots, counts).tobytes())
        result.targets.extend(_numbers(result, values))
    return True


def in_order(found: list[tuple[int, Shape, list[Any]]]) -> tuple[list[Any], Any]:
    """Return what entities hold, one after the other, and how many each of their fields."""
    if len(found) == 1 and found[0][1] == Shape.SINGLE:
        column = found[0][2]
        if not any(map(operator.is_, column, itertools.repeat(None))):
            return column, 1
    parts = [
        [() if v is None else (v,) for v in column]
        if shape == Shape.SINGLE
        else [v or () for v in column]
        for _, shape, column in found
    ]
    each = itertools.chain.from_iterable(zip(*parts, strict=True))
    counts = np.array([list(map(len, part)) for part in parts]).T.ravel()
    return list(itertools.chain.from_iterable(each)), counts


def _add_members(result: Walk, source: int, slot: int, members: Sequence[Any]) -> None:
    numbers = _numbers(result, members)
    result.targets.extend(numbers)
    result.sources.extend(array.array("i", [source]) * len(numbers))
    result.slots.extend(array.array("i", [slot]) * len(numbers))


def _numbers(result: Walk, targets: Sequence[Any]) -> array.array[int]:
    """Return where entities stand; those that are new are put at the end."""
    index, entities = result._index, result.entities
    keys = list(map(id, targets))
    numbers: list[Any] = list(map(index.get, keys))
    unknown = numbers.count(None)
    if unknown == len(numbers):
        before, added = len(index), range(len(entities), len(entities) + len(keys))
        index.update(zip(keys, added, strict=True))
        if len(index) == before + len(keys):
            entities.extend(targets)
            return array.array("i", np.arange(added.start, added.stop, dtype=np.intc).tobytes())
        for key in keys:  # something stands here twice
            index.pop(key, None)
    if unknown:
        for place, target in enumerate(targets):
            if numbers[place] is None:
                number = index.get(id(target))  # it may stand here twice
                if number is None:
                    number = index[id(target)] = len(entities)
                    entities.append(target)
                numbers[place] = number
    return array.array("i", numbers)


def _add_others(result: Walk, source: int, slot: int, found: Iterable[tuple[Any, Any]]) -> None:
    index, entities = result._index, result.entities
    for key, target in found:
        number = index.get(id(target))
        if number is None:
            number = index[id(target)] = len(entities)
            entities.append(target)
        result._odd.append(len(result.sources))
        result._odd_keys.append(key)
        result.sources.append(source)
        result.targets.append(number)
        result.slots.append(slot)


SHORT = 8
"""Up to how many members a list is gone through one by one, which then takes less time."""

SHORT_RUN = 16
"""From how many entities of one class in a row on they are gone through field by field."""
MANY = 50_000
"""How many are gone through at a time: their values stand in lists meanwhile."""


_CONTAINERS: Mapping[Shape, frozenset[type]] = {
    Shape.LIST: frozenset({list, tuple, type(None)}),
    Shape.SET: frozenset({set, frozenset, type(None)}),
    Shape.DICT: frozenset({dict, type(None)}),
}


class _About(NamedTuple):
    """What there is to look at in the entities of a class, and whether it takes extra fields."""

    kind: int
    steps: tuple[tuple[int, Shape, str, FieldPlan], ...]
    is_open: bool


_Known = dict[type, _About]


def _about(result: Walk, position: int, strict: bool) -> _About:
    """Return what to look at in entities like the one at `position`."""
    cls = type(result.entities[position])
    if not is_entity_class(cls):
        value = result.entities[position]
        raise NotAnEntityError(
            f"{result.place(position)} holds {named(value)}, which is no entity."
            " Put an entity there.",
            value=value,
            place=result.place(position),
        )
    plan = class_plan(cls)
    if strict:
        plan.check()
    steps = []
    for field in (*plan.fields, *plan.watched) if strict else plan.fields:
        if strict or field.shape != Shape.OPAQUE:
            steps.append((len(result.fields), field.shape, field.name, field))
            result.fields.append(field)
    result.classes.append(cls)
    is_open = cls.model_config.get("extra") == "allow"
    return _About(len(result.classes) - 1, tuple(steps), is_open)


def _read_ids(result: Walk, strict: bool) -> None:
    try:
        ids = result.ids = [entity.__dict__["ecs_id"] for entity in result.entities]
        numbers = [ecs_id.int for ecs_id in ids]
    except (KeyError, AttributeError):
        if not strict:
            return
        bad = next(e for e in result.entities if not hasattr(e.__dict__.get("ecs_id"), "int"))
        value = bad.__dict__.get("ecs_id")
        raise InvalidIdError(
            f"{type(bad).__name__}.ecs_id is {short_repr(value)}, not a UUID."
            " Leave it out to get a new one, or give a uuid.UUID.",
            value=value,
        ) from None
    # Ids rise in the order in which entities were made, which often is that of the walk.
    result.rising = all(map(operator.lt, numbers, itertools.islice(numbers, 1, None)))
    if strict and not result.rising and len(set(numbers)) != len(numbers):
        _raise_duplicate(result, numbers)


def _raise_duplicate(result: Walk, numbers: list[int]) -> None:
    first: dict[int, int] = {}
    for position, number in enumerate(numbers):
        if number in first:
            one, two = result.place(first[number]), result.place(position)
            raise DuplicateIdError(
                f"Two different objects have the ecs_id {result.ids[position]}: {one} and {two}."
                " Use one object in both places, or fork() one of them.",
                ecs_id=result.ids[position],
                places=(one, two),
            )
        first[number] = position
