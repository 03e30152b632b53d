"""Entities of an earlier definition of their class: a notebook cell was edited and run again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ecsviz.domain.entity_class import newest_definition
from ecsviz.domain.fields import Shape, class_plan, complete_fields
from ecsviz.domain.inverse import hint_at_pairs, is_said_by_members
from ecsviz.domain.objects import default_of, fill_private, forget_computed, is_placeholder
from ecsviz.domain.walk import Walk, walk, walk_alone
from ecsviz.errors import ValueNotStorableError
from ecsviz.values.codecs import Refused
from ecsviz.values.field_codecs import check_held, check_value


def walk_to_save(roots: Iterable[Any]) -> Walk:
    """Walk entities that are to be saved; those of earlier definitions become of the newest.

    Parameters
    ----------
    roots
        Entities.

    Warns
    -----
    UnpairedReferencesWarning
        Once per class that holds itself in one list and one single field.

    Raises
    ------
    ValueNotStorableError
        If the newest definition has a field for which an entity has no value: it has no default,
        or it may be another name of a field that is gone. Nothing is changed then.

    Notes
    -----
    In place: everybody who holds such an entity goes on holding it. What it has for fields that
    are gone stays with it, should the cell be run as it was. O(entities + references); where no
    class was defined anew with other fields, as nearly always, a look at each class.
    """
    given = list(roots)
    found = walk(given)
    hint_at_pairs(found.classes)
    return walk(given) if _renewed(found, found.entities, found.classes) else found


def walk_of_given(roots: Iterable[Any]) -> Walk:
    """Walk entities that are to be saved alone: they stand first, then what they hold.

    Notes
    -----
    Lists that back-references say are left out: the members say them.
    """
    given = list({id(root): root for root in roots}.values())
    found = walk_alone(given, is_said_by_members)
    again = _renewed(found, given, dict.fromkeys(map(type, given)))
    return walk_alone(given, is_said_by_members) if again else found


def _renewed(found: Walk, entities: list[Any], classes: Iterable[type]) -> bool:
    """Make the first entities of a walk instances of the newest definitions; tell whether any was.

    All of them can be, or none is changed.
    """
    renewed = {cls: newest_definition(cls) for cls in classes if _differs(cls)}
    added = [
        (entity, _added(found, position, renewed[type(entity)]))
        for position, entity in enumerate(entities if renewed else ())
        if type(entity) in renewed
    ]
    for entity, values in added:
        renew(entity, renewed[type(entity)], values)
    return bool(renewed)


def renew(entity: Any, cls: type, values: dict[str, Any]) -> None:
    """Make an entity an instance of another definition of its class, with further values."""
    object.__setattr__(entity, "__class__", cls)
    entity.__dict__.update(values)
    forget_computed(entity)
    fill_private(entity, entity.__dict__)


def is_outdated(classes: Iterable[type]) -> bool:
    """Tell whether any of some classes was defined anew with other fields."""
    return any(map(_differs, classes))


def _differs(cls: type) -> bool:
    """Tell whether a class was defined anew with other fields."""
    newest = newest_definition(cls)
    return newest is not cls and _fields(cls) != _fields(newest)


def _fields(cls: type) -> dict[str, str]:
    return {name: repr(info.annotation) for name, info in complete_fields(cls).items()}


def _added(found: Walk, position: int, cls: type) -> dict[str, Any]:
    """Return the values that an entity needs as one of the newest definition of its class."""
    entity = found.entities[position]
    if is_placeholder(entity):
        return {}
    state, fields = entity.__dict__, complete_fields(cls)
    missing = [name for name in fields if name not in state]
    gone = [name for name in complete_fields(type(entity)) if name not in fields]
    result: dict[str, Any] = {}
    for name in missing:
        if gone:
            raise _earlier(found, position, name, f"no {name!r}, but {gone[0]!r}")
        if fields[name].is_required():
            raise _earlier(found, position, name, f"no {name!r}")
        result[name] = default_of(fields[name], {**state, **result})
    _check_types(found, position, cls, {**state, **result})
    return result


def _check_types(found: Walk, position: int, cls: type, state: dict[str, Any]) -> None:
    """Refuse a value of the type that its field has had before."""
    before, now = _fields(type(found.entities[position])), _fields(cls)
    plans = {plan.name: plan for plan in class_plan(cls).fields if plan.shape != Shape.OPAQUE}
    for name in [n for n in now if n in before and before[n] != now[n]]:
        try:
            if name in plans:
                check_held(plans[name], state)
            else:
                check_value(cls, name, state)
        except Refused as refused:
            raise _earlier(found, position, name, f"another type of {name!r}") from refused


def _earlier(found: Walk, position: int, name: str, what: str) -> ValueNotStorableError:
    entity = found.entities[position]
    kind, place = type(entity).__name__, f"{found.place(position)}.{name}"
    stored = "Take over what is stored with store.refresh(…), or fetch it again with store.get(…)."
    return ValueNotStorableError(
        f"{place}: this {kind} ({entity.ecs_id}) was made by an earlier definition of {kind}, which"
        f" has {what}. Nothing was saved. {stored if entity.version else 'Make it anew.'}",
        place=place,
        ecs_id=entity.ecs_id,
        field=name,
    )
