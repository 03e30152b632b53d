"""Which two fields are each other's inverse, and whether they agree."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Hashable, Iterable
from typing import Any

import numpy as np
from typing_extensions import Format, get_annotations

from ecsviz.basics.order import Ints, split
from ecsviz.basics.outside import outside
from ecsviz.domain.entity_class import is_entity_class, newest_definition, same_type, type_key
from ecsviz.domain.fields import ClassPlan, FieldPlan, Shape, class_plan
from ecsviz.domain.objects import any_placeholder, is_placeholder
from ecsviz.domain.walk import Walk
from ecsviz.errors import (
    InverseMismatchError,
    UnpairedReferencesWarning,
    UnsupportedFieldError,
    did_you_mean,
)


def inverse_of(field: FieldPlan) -> FieldPlan | None:
    """Return the field on the other side that says the same, if there is one.

    Parameters
    ----------
    field
        A list of entities, or a single reference.

    Returns
    -------
    FieldPlan
        For a ``list[B]`` on A the field of B that holds its A, and the other way round.

    Raises
    ------
    UnsupportedFieldError
        If ``inverse=`` names a field that does not exist or cannot be one.

    Notes
    -----
    Declared with ``ev.reference(inverse=…)`` on either side; or by itself, where A and B are
    two classes, A has exactly one ``list[B]`` and B exactly one field of type A. Within one
    class (a tree's parent and children) it must be declared, since ``friends: list[Person]``
    and ``best: Person`` look just the same; see `hint_at_pairs`.
    """
    if field.shape == Shape.SINGLE:
        return _list_of(field)
    if field.shape == Shape.LIST and field.container is list and len(field.targets) == 1:
        back = _back_of(field)
        if back is not None:
            listed = _list_of(back)
            if listed is None or listed.name != field.name:
                of = "no list" if listed is None else listed.place
                raise _refuse(field, f"seen from its side, {back.place} is said by {of}")
        return back
    if field.option.says_inverse and field.option.inverse is not None:
        raise _refuse(field, "only a list[...] of one entity class can have an inverse")
    return None


def is_said_by_members(field: FieldPlan) -> bool:
    """Tell whether a field is a list that its members' back-references say."""
    return field.shape == Shape.LIST and inverse_of(field) is not None


def _back_of(field: FieldPlan) -> FieldPlan | None:
    """Return the back-reference of a list."""
    other = class_plan(newest_definition(field.targets[0]))
    owner = _declaring_class(field)
    if field.option.says_inverse:
        if field.option.inverse is None:
            return None
        back = _field_named(other, field.option.inverse, field)
        if back.shape != Shape.SINGLE or not any(_accepts(t, field.owner) for t in back.targets):
            raise _refuse(field, f"{back.place} does not hold one {owner.__name__}")
        _refuse_rivals(field, back)
        return back
    declared = [
        back
        for back in other.fields
        if back.shape == Shape.SINGLE
        and back.option.inverse == field.name
        and any(_accepts(t, field.owner) for t in back.targets)
    ]
    if len(declared) > 1:
        raise _refuse(declared[1], f"{declared[0].place} says the same")
    if declared:
        return declared[0]
    if same_type(owner, other.cls):
        return None
    # What is declared on either side is a pair already; the rule is for what is left.
    lists = [
        f
        for f in class_plan(owner).fields
        if f.shape == Shape.LIST and f.container is list and f.targets == field.targets
    ]
    backs = [f for f in other.fields if f.shape == Shape.SINGLE and _only(f, owner)]
    free_lists, free_backs = _undeclared(lists, backs), _undeclared(backs, lists)
    if len(free_lists) != 1 or len(free_backs) != 1 or free_lists[0].name != field.name:
        return None
    return free_backs[0]


_hinted: set[tuple[str, str]] = set()
"""The classes of which `hint_at_pairs` has spoken, by module and name."""


def hint_at_pairs(classes: Iterable[type]) -> None:
    """Warn, once per class and process, of what may be meant as a pair and is none.

    Parameters
    ----------
    classes
        The classes of what is about to be saved.

    Notes
    -----
    Of a class that holds itself in exactly one list and one single field, of which neither side
    says what its inverse is. With a base class that does so, the base class is named.
    """
    for cls in classes:
        plan = class_plan(newest_definition(cls))
        lists = [f for f in plan.fields if f.shape == Shape.LIST and f.container is list]
        backs = [f for f in plan.fields if f.shape == Shape.SINGLE]
        for listed in lists:
            owner = _declaring_class(listed)
            if type_key(owner) in _hinted or not _only(listed, owner):
                continue
            alike = [f for f in lists if _only(f, owner)]
            single = [f for f in backs if _only(f, owner)]
            free = _undeclared(alike, single), _undeclared(single, alike)
            if [len(part) for part in free] == [1, 1]:
                _hinted.add(type_key(owner))
                _hint(owner.__name__, free[0][0].name, free[1][0].name)


def _hint(cls: str, listed: str, back: str) -> None:
    warnings.warn(
        f"{cls}.{back} and {cls}.{listed} may be meant as a pair, but are not taken for one, and"
        f" nothing checks that they agree. If {cls}.{listed} holds those whose .{back} is that"
        f" {cls}, write {back}: … = ev.reference(inverse={listed!r}, …); if not, say"
        " ev.reference(inverse=None, …) on one of them.",
        UnpairedReferencesWarning,
        stacklevel=outside(),
    )


def _undeclared(fields: list[FieldPlan], others: list[FieldPlan]) -> list[FieldPlan]:
    """Return the fields of which neither side says what their inverse is."""
    said = {other.option.inverse for other in others if other.option.says_inverse}
    return [f for f in fields if not f.option.says_inverse and f.name not in said]


def _refuse_rivals(field: FieldPlan, back: FieldPlan) -> None:
    """Raise if the back-reference of a list is that of another list too."""
    said = back.option
    if said.says_inverse and said.inverse != field.name:
        raise _refuse(field, f"{back.place} says inverse={said.inverse!r}")
    for holder in (field.owner, *back.targets):
        for rival in class_plan(newest_definition(holder)).fields:
            if rival.shape != Shape.LIST or rival.name == field.name:
                continue
            if rival.option.inverse == back.name and rival.targets == field.targets:
                raise _refuse(field, f"{rival.place} says the same, and a row has only one place")


def _list_of(field: FieldPlan) -> FieldPlan | None:
    """Return the list that a back-reference belongs to."""
    says = field.option.says_inverse
    if says and field.option.inverse is None:
        return None
    for target in field.targets:
        plan = class_plan(newest_definition(target))
        if says:
            found = _field_named(plan, field.option.inverse, field)
            if found.shape != Shape.LIST or found.container is not list:
                raise _refuse(field, f"{found.place} is no list of entities")
            back = _back_of(found)
            if back is None or back.name != field.name or not _related(back, field):
                raise _refuse(field, f"{found.place} is not its other side")
            return found if _fits(found, field) else None
        for other in plan.fields:
            if other.shape == Shape.LIST and other.container is list and len(other.targets) == 1:
                back = _back_of(other)
                if back is not None and back.name == field.name and _fits(other, field):
                    return other
    return None


def _fits(listed: FieldPlan, back: FieldPlan) -> bool:
    """Tell whether who has a back-reference may stand in a list: a base class may not."""
    return _accepts(listed.targets[0], back.owner)


def _related(one: FieldPlan, other: FieldPlan) -> bool:
    return _accepts(one.owner, other.owner) or _accepts(other.owner, one.owner)


def _accepts(base: type, cls: type) -> bool:
    return any(same_type(base, step) for step in cls.__mro__)


def _only(field: FieldPlan, cls: type) -> bool:
    return len(field.targets) == 1 and same_type(field.targets[0], cls)


def _declaring_class(field: FieldPlan) -> type:
    steps = field.owner.__mro__[::-1]
    for cls in steps:
        if field.name in get_annotations(cls, format=Format.FORWARDREF):
            # A plain model may have declared it, which the entity class has beside `Entity`.
            return next(step for step in steps if cls in step.__mro__ and is_entity_class(step))
    return field.owner


def _field_named(plan: ClassPlan, name: str, asking: FieldPlan) -> FieldPlan:
    for field in plan.fields:
        if field.name == name:
            return field
    known = [field.name for field in plan.fields]
    raise _refuse(
        asking,
        f"{plan.cls.__name__} has no field {name!r} that holds entities."
        + did_you_mean(name, known),
    )


def _refuse(field: FieldPlan, why: str) -> UnsupportedFieldError:
    said = "its inverse" if not field.option.says_inverse else f"inverse={field.option.inverse!r}"
    stop = "" if why.endswith(("?", ".")) else "."
    return UnsupportedFieldError(
        f"{field.place}: {said} cannot be: {why}{stop}"
        " Name the field on the other class that says the same from its side.",
        cls=field.owner,
        field=field.name,
    )


def check_agreement(found: Walk, concerns: Callable[[int], bool]) -> None:
    """Raise where a list and its back-reference disagree.

    Parameters
    ----------
    found
        A walk.
    concerns
        Tells for the position of an entity whether what it says must be checked.

    Raises
    ------
    InverseMismatchError
        Naming both places: ``ChatThread.messages[0]`` and ``ChatMessage.thread``.

    Notes
    -----
    O(references).
    """
    pair_of = functools.cache(inverse_of)

    @functools.cache
    def has_list(cls: Hashable, name: str) -> bool:
        assert isinstance(cls, type)
        return any(f.name == name and f.shape == Shape.LIST for f in class_plan(cls).fields)

    lists: dict[int, FieldPlan] = {}
    backs: dict[int, FieldPlan] = {}
    for slot, field in enumerate(found.fields):
        if field.shape in (Shape.SINGLE, Shape.LIST):
            other = pair_of(field)
            if other is not None:
                (lists if field.shape == Shape.LIST else backs)[slot] = other
    if (not lists and not backs) or _agree(found, lists, backs, has_list):
        return
    # (holder of the list, its field, member) and the same seen from the other side.
    listed: dict[tuple[int, str, int], int] = {}
    held: dict[tuple[int, str, int], int] = {}
    kinds: list[Any] = [type(entity) for entity in found.entities]
    left_out = {n for n, entity in enumerate(found.entities) if is_placeholder(entity)}
    rows = zip(found.sources, found.targets, found.slots, strict=True)
    for number, (source, target, slot) in enumerate(rows):
        if slot in lists:
            key = (source, found.fields[slot].name, target)
            if key in listed and concerns(source):
                _raise_twice(found, listed[key], number)
            listed[key] = number
        elif slot in backs and target not in left_out and has_list(kinds[target], backs[slot].name):
            held[(target, backs[slot].name, source)] = number
    if left_out:  # what they say is not known here; their rows are looked at when it is saved
        listed = {key: number for key, number in listed.items() if key[2] not in left_out}
    _compare(found, listed, held, lists, concerns)


def _agree(
    found: Walk,
    lists: dict[int, FieldPlan],
    backs: dict[int, FieldPlan],
    has_list: Callable[[type, str], bool],
) -> bool:
    """Tell whether the two sides certainly say the same; where not, it is looked at one by one."""
    if any_placeholder(found.entities):
        return False
    sources, targets = np.asarray(found.sources), np.asarray(found.targets)
    slots, kinds = split(np.asarray(found.slots), len(found.fields)), np.asarray(found.kinds)
    name_of = [field.name for field in found.fields]
    names: dict[str, int] = {}
    size = len(found.entities)

    def said(name: str, holders: Ints, members: Ints) -> Ints:
        number = names.setdefault(name, len(names))
        return (number * size + holders.astype(np.int64)) * size + members

    listed, held = [], []
    for slot in lists:
        these = slots[slot]
        listed.append(said(name_of[slot], sources[these], targets[these]))
    for slot, there in backs.items():
        these = slots[slot]
        with_list = np.array([has_list(cls, there.name) for cls in found.classes], dtype=bool)
        these = these[with_list[kinds[targets[these]]]]
        held.append(said(there.name, targets[these], sources[these]))
    one, other = (np.sort(np.concatenate([_NO, *said])) for said in (listed, held))
    return np.array_equal(one, other) and not (one[1:] == one[:-1]).any()


_NO = np.zeros(0, dtype=np.int64)


def _compare(
    found: Walk,
    listed: dict[tuple[int, str, int], int],
    held: dict[tuple[int, str, int], int],
    lists: dict[int, FieldPlan],
    concerns: Callable[[int], bool],
) -> None:
    if listed.keys() == held.keys():
        return
    for (holder, _, member), number in _missing(listed, held):
        if concerns(holder) or concerns(member):
            back = lists[found.slots[number]].name
            there = getattr(found.entities[member], back, None)
            what = "is None" if there is None else f"is another {type(there).__name__}"
            raise _mismatch(
                f"{found.place_of(number)} holds a {_name(found, member)}, but its"
                f" {_name(found, member)}.{back} {what}." + _which(found, holder, member),
                f"Set its .{back} to this {_name(found, holder)}, or take it out of the list",
                (found.place_of(number), f"{_name(found, member)}.{back}"),
            )
    for (holder, name, member), number in _missing(held, listed):
        if concerns(holder) or concerns(member):
            raise _mismatch(
                f"{found.place_of(number)} is a {_name(found, holder)}"
                f" whose .{name} does not hold that {_name(found, member)}."
                + _which(found, holder, member),
                f"Append it to .{name}, or set {found.place_of(number)} to another or to None",
                (f"{_name(found, holder)}.{name}", found.place_of(number)),
            )


def _missing(
    these: dict[tuple[int, str, int], int], those: dict[tuple[int, str, int], int]
) -> Iterable[tuple[tuple[int, str, int], int]]:
    return ((key, number) for key, number in these.items() if key not in those)


def _name(found: Walk, position: int) -> str:
    return type(found.entities[position]).__name__


def _which(found: Walk, holder: int, member: int) -> str:
    """Return a sentence that tells two entities of one class apart."""
    if _name(found, holder) != _name(found, member):
        return ""
    return f" The list is in {found.ids[holder]}, the back-reference in {found.ids[member]}."


def _raise_twice(found: Walk, first: int, second: int) -> None:
    one, two = found.place_of(first), found.place_of(second)
    raise _mismatch(
        f"{one} and {two} hold the same entity, whose back-reference can say so only once.",
        "Take one out",
        (one, two),
    )


def _mismatch(what: str, way_out: str, places: tuple[str, str]) -> InverseMismatchError:
    return InverseMismatchError(
        f"{what} {way_out}; if the two fields are not each other's inverse, declare"
        " ev.reference(inverse=None) on one of them, or name the right one with"
        " ev.reference(inverse=…).",
        places=places,
    )
