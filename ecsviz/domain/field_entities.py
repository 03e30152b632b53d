"""Where entities stand in a field of another one, and the errors for those that stand elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from ecsviz.domain.entity_class import is_entity_class
from ecsviz.domain.fields import FieldPlan, Shape
from ecsviz.domain.paths import KeyStep, Steps, format_path, id_number, nested_entities
from ecsviz.errors import NotAnEntityError, UnsupportedFieldError


def found_in(shape: Shape, value: Any, plan: FieldPlan) -> Iterable[tuple[Any, Any]]:
    """Return the entities in a field that is neither single nor a list, and where they are."""
    if shape == Shape.SET and isinstance(value, AbstractSet):
        # Sets have no order: by id, so that every run walks alike.
        return [(target.ecs_id, target) for target in sorted(value, key=_by_id(plan))]
    if shape == Shape.DICT and isinstance(value, Mapping):
        return _entries(value, plan)
    if shape == Shape.NESTED:
        return _entries(nested_entities(value, plan.place), plan)
    if shape != Shape.OPAQUE:
        declared = getattr(plan.container, "__name__", "container")
        raise NotAnEntityError(
            f"{plan.place} holds {named(value)} where a {declared} of entities should be."
            f" Put a {declared} there.",
            value=value,
            place=plan.place,
        )
    for steps, target in nested_entities(value, plan.place):
        raise _nowhere(target, plan, steps)
    return ()


def _entries(value: Any, plan: FieldPlan) -> list[tuple[Any, Any]]:
    """Return (place, entity), and see that no entity is a key."""
    found = list(value.items() if isinstance(value, Mapping) else value)
    for key, target in found:
        if isinstance(key, Steps):
            if any(type(step) is KeyStep for step in key):
                raise _nowhere(target, plan, key)
        elif is_entity_class(type(key)):
            raise _nowhere(key, plan, Steps((KeyStep(),)))
    return found


def _nowhere(target: Any, plan: FieldPlan, steps: Steps) -> UnsupportedFieldError:
    """Return the error that tells of an entity where no reference can be stored."""
    place = f"{plan.owner.__name__}.{format_path(plan.name, steps)}"
    if any(type(step) is KeyStep for step in steps):
        why = (
            f"{plan.place} holds {named(target)} as the key of a dict, where no"
            " reference can be stored. Use its ecs_id (or another value) as the key, or a list."
        )
    else:
        why = (
            f"{place} holds {named(target)}, but {plan.place} is annotated"
            f" {_annotation_name(plan.annotation)}, so the reference cannot be stored."
            " Annotate the field with the entity's class."
        )
    return UnsupportedFieldError(why, cls=plan.owner, field=plan.name, place=place)


def refuse_hidden(entity: Any, searched: Iterable[FieldPlan] = ()) -> None:
    """Raise if an entity holds another in an extra field, or in one of the `searched` fields.

    Raises
    ------
    UnsupportedFieldError
        Naming the place, and how to declare it.
    """
    for plan in searched:
        found_in(Shape.OPAQUE, entity.__dict__.get(plan.name), plan)
    cls = type(entity)
    for name, value in (entity.__pydantic_extra__ or {}).items():
        for steps, target in nested_entities(value, f"{cls.__name__}.{name}"):
            place = f"{cls.__name__}.{format_path(name, steps)}"
            raise UnsupportedFieldError(
                f"{place} holds {named(target)}, but {name!r} is an extra field, so the"
                f" reference cannot be stored. Declare {name!r} in {cls.__name__}.",
                cls=cls,
                field=name,
                place=place,
            )


def _by_id(plan: FieldPlan) -> Callable[[Any], int]:
    def key(entity: Any) -> int:
        if is_entity_class(type(entity)):
            return id_number(entity)
        raise NotAnEntityError(
            f"{plan.place} holds {named(entity)}, which is no entity. Put entities there.",
            value=entity,
            place=plan.place,
        )

    return key


def named(value: Any) -> str:
    """Return what a value is, without telling it: it may be what somebody wrote in a chat."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _annotation_name(annotation: Any) -> str:
    name = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    return name.replace("typing.", "")
