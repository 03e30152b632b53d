"""Natural keys: entities that take over the identity of those that are stored with their key.

By numbers: the teams "a" and "b" are stored, with the ids 1 and 2. Two new objects, "b" and "c",
are registered with ``match="slug"``. One statement asks for what has the slug "b" or "c": it finds
the team 2. So the object "b" becomes the team 2, with its family and version, gets what the store
has in the fields that were not given, and is saved as an edit of it; "c" stays what it is, and is
added.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ecsviz.basics.interrupts import deferred_interrupt
from ecsviz.domain.entity_class import (
    derives_from,
    is_entity_class,
    newest_definition,
    same_type,
)
from ecsviz.domain.equality import by_id, identical
from ecsviz.domain.fields import OWN_FIELDS, Shape, class_plan, complete_fields
from ecsviz.domain.objects import default_of, forget_computed, is_atom, is_placeholder
from ecsviz.domain.paths import value_parts
from ecsviz.domain.walk import Walk
from ecsviz.errors import (
    InvalidArgumentError,
    SeveralFoundError,
    UniqueValueError,
    did_you_mean,
    short_repr,
)
from ecsviz.storage.copies import copied
from ecsviz.storage.criteria import Fields, alike
from ecsviz.storage.looking import Identity, Inside
from ecsviz.storage.protocol import Extent, Match, check_entity_class
from ecsviz.storage.together import Transaction
from ecsviz.values.codecs import Refused, not_storable

_GIVE = "Give the name of a field, a tuple of names, or these by class: {Team: 'slug'}."


@dataclass(frozen=True, slots=True)
class Rule:
    """A class, with its subclasses, and the fields that are its natural key."""

    cls: type
    names: tuple[str, ...]

    @property
    def said(self) -> str:
        """The key, for messages."""
        return ", ".join(self.names)


def rules_of(match: Match, roots: Sequence[Any]) -> list[Rule]:
    """Return what is matched by what.

    Parameters
    ----------
    match
        What `register` was given. Names alone are those of the given entities' classes.
    roots
        The given entities.

    Raises
    ------
    InvalidArgumentError
        If there is no such field, or it cannot be a part of a key.
    """
    if isinstance(match, Mapping):
        asked = list(match.items())
        for cls, _ in asked:
            check_entity_class(cls)
    else:
        kinds = list(dict.fromkeys(newest_definition(type(root)) for root in roots))
        others = [(cls, [k for k in kinds if k is not cls]) for cls in kinds]
        tops = [cls for cls, rest in others if not any(derives_from(cls, k) for k in rest)]
        asked = [(cls, match) for cls in tops]
    return [Rule(newest_definition(cls), _names(cls, given)) for cls, given in asked]


def _names(cls: type, given: Any) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else given
    if not isinstance(names, Iterable) or isinstance(names, (bytes, Mapping)):
        names = ()
    names = tuple(names)
    if not names or not all(isinstance(name, str) for name in names):
        raise InvalidArgumentError(
            f"match is {short_repr(given)}. {_GIVE}", argument="match", value=given
        )
    for name in names:
        _check_field(cls, name)
    return tuple(dict.fromkeys(names))


def _check_field(cls: type, name: str) -> None:
    fields = Fields.of(cls)
    if name in OWN_FIELDS:
        raise InvalidArgumentError(
            f"match names {name!r}, by which entities are known anyway. Name fields of the class"
            " that tell one from another.",
            argument="match",
            field=name,
        )
    if not fields.has(name):
        names = [*class_plan(cls).values, *(plan.name for plan in class_plan(cls).fields)]
        raise InvalidArgumentError(
            f"match names {short_repr(name)}, but {cls.__name__} has no such field."
            f"{did_you_mean(name, names)} For some of the classes alone, give {{Class: 'field'}}.",
            argument="match",
            field=name,
            fields=names,
        )
    plan = fields.plans.get(name)
    if plan is None:
        fields.codec(name)  # which refuses what cannot be compared
    elif plan.shape != Shape.SINGLE:
        raise InvalidArgumentError(
            f"match names {cls.__name__}.{name}, which holds several entities. Name fields that"
            " hold one value, or one entity.",
            argument="match",
            field=name,
        )


@contextmanager
def matched(
    inside: Inside,
    roots: Sequence[Any],
    match: Match,
    walk: Callable[[Sequence[Any]], Walk],
) -> Iterator[None]:
    """Let entities be those that are stored with their natural key, while they are saved.

    Parameters
    ----------
    inside
        The inside of the storage.
    roots, match
        What `register` was given.
    walk
        Finds all that is saved with them.

    Notes
    -----
    It is a transaction: between looking and writing nobody else writes. If what is done inside
    fails, the entities are who they were.
    """
    rules = rules_of(match, roots)
    with Transaction(inside, None):
        with deferred_interrupt():
            inside.on_back(take_over(inside, walk(roots), rules))
        yield


@contextmanager
def would_match(
    inside: Inside,
    roots: Sequence[Any],
    match: Match,
    walk: Callable[[Sequence[Any]], Walk],
) -> Iterator[None]:
    """Let entities be those that are stored with their natural key, for the block alone."""
    rules = rules_of(match, roots)
    with deferred_interrupt():
        undo = take_over(inside, walk(roots), rules)
        try:
            yield
        finally:
            undo()


def take_over(inside: Inside, found: Walk, rules: Iterable[Rule]) -> Callable[[], None]:
    """Give the entities of a walk the identities of those that are stored with their keys.

    Returns
    -------
    Callable
        Makes them who they were.

    Raises
    ------
    UniqueValueError
        If two of them have one key.
    SeveralFoundError
        If several stored entities have it.
    InvalidArgumentError
        If the one that has it is of another class.
    ValueNotStorableError
        If a part of a key is no value of its field.

    Notes
    -----
    One statement for each class that may have the key, and those of one reading where fields were
    not given. Rule by rule: a key may hold an entity that was matched before.
    """
    undo: list[Callable[[], None]] = []
    matched: list[int] = []
    try:
        for rule in rules:
            identities = _identities(inside, found, rule)
            undo.append(_become(found, identities))
            matched += identities
        undo.append(_fill(inside, found, matched))
    except BaseException:
        _undo(undo)
        raise
    return lambda: _undo(undo)


def _undo(calls: list[Callable[[], None]]) -> None:
    while calls:
        calls.pop()()


# -- keys ------------------------------------------------------------------------------------


def _identities(inside: Inside, found: Walk, rule: Rule) -> dict[int, Identity]:
    """Return whose identity entities take over, by their position in the walk."""
    positions = [
        position
        for position, entity in enumerate(found.entities)
        if derives_from(type(entity), rule.cls) and not is_placeholder(entity)
    ]
    keys = _keys(found, rule, positions)
    new = [n for n in keys if found.entities[n].__dict__.get("version") == 0]
    if not new:
        return {}
    given = {found.entities[position].ecs_id for position in positions}
    stored = inside.identities(rule.cls, rule.names, _columns(found, rule, new), given)
    there = {identity.ecs_id: identity for identity in stored}
    own = {n: there[ecs_id] for n in new if (ecs_id := found.entities[n].ecs_id) in there}
    new = [n for n in new if n not in own]
    _check_given(found, rule, keys, new)
    by_key: dict[Hashable, list[Identity]] = {}
    for identity in stored:
        if identity.ecs_id not in given:  # whoever is given says by itself what its key is
            by_key.setdefault(identity.key, []).append(identity)
    matched = {n: _the_one(found, rule, n, by_key[keys[n]]) for n in new if by_key.get(keys[n])}
    # Who is stored under its own id stays who it is, whatever its key.
    itself = {n: i for n, i in own.items() if same_type(i.cls, type(found.entities[n]))}
    return {**itself, **matched}


def _columns(found: Walk, rule: Rule, positions: Sequence[int]) -> list[list[Any]]:
    """Return what entities hold in each field of the key; of an entity, its id."""
    states = [found.entities[position].__dict__ for position in positions]
    columns = [[state.get(name) for state in states] for name in rule.names]
    return [
        [value.ecs_id if is_entity_class(type(value)) else value for value in column]
        for column in columns
    ]


def _keys(found: Walk, rule: Rule, positions: Sequence[int]) -> dict[int, Hashable]:
    """Return the keys of entities by position; who has None in all fields has none."""
    result: dict[int, Hashable] = {}
    by_class: dict[type, list[int]] = {}
    for position in positions:
        cls = newest_definition(type(found.entities[position]))
        by_class.setdefault(cls, []).append(position)
    for cls, these in by_class.items():
        columns = _columns(found, rule, these)
        for name, column in zip(rule.names, columns, strict=True):
            _check_values(found, Fields.of(cls), name, these, column)
        result.update(zip(these, keys_of(cls, rule.names, columns), strict=True))
    return {position: key for position, key in result.items() if key is not None}


def _check_values(
    found: Walk, fields: Fields, name: str, positions: Sequence[int], column: list[Any]
) -> None:
    if name in fields.plans:
        return
    try:
        fields.codec(name).encode(column)
    except Refused as refused:
        position = positions[refused.row]
        place, ecs_id = f"{found.place(position)}.{name}", found.ids[position]
        raise not_storable(refused, place, ecs_id=ecs_id, field=name) from refused.__cause__


def keys_of(cls: type, names: Sequence[str], columns: Sequence[list[Any]]) -> list[Hashable]:
    """Return the keys of entities of one class, alike where they are the same.

    Parameters
    ----------
    cls, names
        The class, and the fields of its key.
    columns
        What the entities hold in each of them; of an entity, its id.

    Returns
    -------
    list
        None for who has None in all of the fields.
    """
    fields = Fields.of(cls)
    parts = [
        column if name in fields.plans else alike(fields.codec(name), column)
        for name, column in zip(names, columns, strict=True)
    ]
    keys = zip(*parts, strict=True)
    return [None if all(part is None for part in key) else key for key in keys]


def _check_given(found: Walk, rule: Rule, keys: Mapping[int, Hashable], new: Sequence[int]) -> None:
    """Raise if an entity that is to be matched has the key of another one that is given."""
    first: dict[Hashable, int] = {}
    fresh = set(new)
    for position, key in keys.items():
        other = first.setdefault(key, position)
        if other == position or not ({other, position} & fresh):
            continue
        one, two = found.entities[other], found.entities[position]
        where = " and ".join(dict.fromkeys((found.place(other), found.place(position))))
        raise UniqueValueError(
            f"Two entities that are given have one {rule.said}: {type(one).__name__}"
            f" {one.ecs_id} and {type(two).__name__} {two.ecs_id} ({where}), both"
            f" {_shown(two, rule)}. Nothing was saved. Give one entity for each key, held wherever"
            " it is meant.",
            entity=two.ecs_id,
            type_name=type(two).__name__,
            field=rule.said,
            value=_value(two, rule),
            other=one.ecs_id,
        )


def _the_one(found: Walk, rule: Rule, position: int, there: list[Identity]) -> Identity:
    entity = found.entities[position]
    if len(there) > 1:
        ids = ", ".join(str(each.ecs_id) for each in there[:5])
        raise SeveralFoundError(
            f"{len(there)} stored entities have the {rule.said} {_shown(entity, rule)} of"
            f" {found.place(position)}: {ids}. Nothing was saved. Give each a key of its own, or"
            " match by further fields.",
            type_name=rule.cls.__name__,
            count=len(there),
        )
    identity = there[0]
    if not same_type(identity.cls, type(entity)):
        raise InvalidArgumentError(
            f"{found.place(position)} is a {type(entity).__name__}, but the {rule.said}"
            f" {_shown(entity, rule)} is stored with the {identity.cls.__name__}"
            f" {identity.ecs_id}. Nothing was saved. Give a {identity.cls.__name__}, or another"
            " key.",
            argument="match",
            field=rule.said,
        )
    return identity


def _value(entity: Any, rule: Rule) -> Any:
    held = (entity.__dict__.get(name) for name in rule.names)
    values = tuple(part.ecs_id if is_entity_class(type(part)) else part for part in held)
    return values[0] if len(values) == 1 else values


def _shown(entity: Any, rule: Rule) -> str:
    return short_repr(_value(entity, rule))


# -- becoming --------------------------------------------------------------------------------


def _become(found: Walk, identities: Mapping[int, Identity]) -> Callable[[], None]:
    """Give entities other identities; return what makes them who they were."""
    if not identities:
        return lambda: None
    before = []
    for position, identity in identities.items():
        state = found.entities[position].__dict__
        before.append((state, {name: state[name] for name in OWN_FIELDS if name in state}))
        state.update(zip(OWN_FIELDS, identity[1:5], strict=True))
    restore = _order_sets(found, identities)

    def undo() -> None:
        for state, own in before:
            state.update(own)
        restore()

    return undo


def _order_sets(found: Walk, moved: Mapping[int, Any]) -> Callable[[], None]:
    """Let sets find entities under their new ids; return what lets them find the old ones."""
    calls: list[Callable[[], None]] = []
    done: set[tuple[int, int]] = set()
    slots = [n for n, plan in enumerate(found.fields) if plan.shape in (Shape.SET, Shape.NESTED)]
    ends = zip(found.sources, found.slots, found.targets, strict=True) if slots else ()
    for source, slot, target in ends:
        if slot in slots and target in moved and (source, slot) not in done:
            done.add((source, slot))
            state, name = found.entities[source].__dict__, found.fields[slot].name
            calls.append(_order_set(state, name))

    def again() -> None:
        for call in calls:
            call()

    return again


def _order_set(state: dict[str, Any], name: str) -> Callable[[], None]:
    before = state[name]
    if type(before) is set:  # which others may hold as well

        def order() -> None:
            members = list(before)
            before.clear()
            before.update(members)

        order()
        return order
    if not _has_set(before):
        return lambda: None
    now = state[name] = copied(before, _same_entity)

    def put_back() -> None:
        if state.get(name) is now:
            state[name] = before

    return put_back


def _same_entity(part: Any) -> Any:
    return part if is_entity_class(type(part)) else NotImplemented


def _has_set(value: Any) -> bool:
    """Tell whether a set stands anywhere in a value."""
    todo = [value]
    while todo:
        part = todo.pop()
        if isinstance(part, (set, frozenset)):
            return True
        if not is_entity_class(type(part)):
            todo.extend(inner for _, inner in value_parts(part))
    return False


# -- what was not given ----------------------------------------------------------------------


def _fill(inside: Inside, found: Walk, positions: Sequence[int]) -> Callable[[], None]:
    """Let fields that were not given hold what is stored; return what takes that back."""
    wanted = [(n, names) for n in positions if (names := _not_given(found.entities[n]))]
    if not wanted:
        return lambda: None
    ids = [found.entities[n].ecs_id for n, _ in wanted]
    # Live ones stand for themselves, and a placeholder that is met twice is one object.
    here = {entity.ecs_id: entity for entity in found.entities}

    def one_of_each(part: Any) -> Any:
        return here.setdefault(part.ecs_id, part) if is_entity_class(type(part)) else NotImplemented

    stored = {each.ecs_id: each for each in inside.read(ids, Extent(hops=0), None)}
    before = []
    for n, names in wanted:
        entity = found.entities[n]
        state, there = entity.__dict__, stored[entity.ecs_id].__dict__
        before.append((entity, {name: state[name] for name in names}))
        state.update({name: copied(there[name], one_of_each) for name in names})
        forget_computed(entity)

    def take_back() -> None:
        for entity, values in before:
            entity.__dict__.update(values)
            forget_computed(entity)

    return take_back


def _not_given(entity: Any) -> list[str]:
    """Return the fields that have their defaults, because nobody has said otherwise.

    Notes
    -----
    What pydantic notes as set was given. Values that change in place may have been changed since.
    """
    cls, state = type(entity), entity.__dict__
    given = entity.__pydantic_fields_set__
    left = [n for n in complete_fields(cls) if n not in given and n in state]
    return [
        name
        for name in left
        if name not in OWN_FIELDS and (is_atom(type(state[name])) or _is_default(cls, name, state))
    ]


def _is_default(cls: Any, name: str, state: dict[str, Any]) -> bool:
    info = complete_fields(cls)[name]
    return not info.is_required() and identical(state[name], default_of(info, state), by_id)
