"""Validating whole graphs: in which order, and what a validator sees of what an entity holds.

A validator, or a ``model_post_init``, of the user's may look at the entities that an entity
holds. So what is held is made first. In a cycle one must be the first: there, all have their
values before any is validated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainValidator,
    PydanticUserError,
    TypeAdapter,
    WrapValidator,
)
from pydantic_core import SchemaValidator

from ecsviz.basics.order import topological_order
from ecsviz.domain.annotations import concrete
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.domain.fields import FieldPlan, Shape, class_plan, complete_fields
from ecsviz.domain.objects import fill, take_place_of
from ecsviz.domain.paths import held_in
from ecsviz.domain.walk import walk


class Raw(NamedTuple):
    """An entity that is still a shell, its values by name, and where they stand."""

    entity: Any
    values: dict[str, Any]
    place: str


class HeldReferences:
    """Who holds whom, while nobody has a state."""

    def __init__(self) -> None:
        self.ends: list[tuple[int, int, int]] = []

    def add(self, holder: Any, field: FieldPlan, held: Any) -> None:
        """Note that an entity holds another in a field."""
        self.ends.append((id(holder), id(held), field.kind))

    def components(self, entities: Sequence[Any]) -> Iterable[tuple[list[int], bool]]:
        """Yield the places of entities, dependencies first, and whether they form a cycle."""
        place = {id(entity): n for n, entity in enumerate(entities)}
        ends = [(place[a], place[b], kind) for a, b, kind in self.ends]
        sources, targets, kinds = np.array(ends, dtype=np.int64).reshape(-1, 3).T
        n = len(entities)
        order = topological_order(n, sources, targets, np.arange(n), kinds)
        in_order = order.component[order.sequence]
        begins = np.flatnonzero(np.diff(in_order, prepend=-1))
        for part in np.split(order.sequence, begins[1:]):
            yield part.tolist(), bool(order.cyclic[order.component[part[0]]])


def validate_all(
    raws: Sequence[Raw], references: HeldReferences, validate: Callable[[Raw], None]
) -> None:
    """Validate entities, those that are held before those that hold them.

    Parameters
    ----------
    raws
        The entities, as shells, with shells in the places of what they hold.
    references
        Who holds whom.
    validate
        Gives one of them its state, by way of its validators.
    """
    if not any(map(looks, dict.fromkeys(type(raw.entity) for raw in raws))):
        for raw in raws:
            validate(raw)
        return
    for places, cyclic in references.components([raw.entity for raw in raws]):
        members = [raws[place] for place in places]
        if cyclic:
            _fill_plainly(members)
        for raw in members:
            validate(raw)


def validate_into(entity: Any, values: dict[str, Any], **options: Any) -> None:
    """Validate an entity's values by its class, and let the entity have them.

    Notes
    -----
    A constructor of the user's own is passed over: it is for what is new. ``model_post_init``
    runs.
    """
    validate = type(entity).__pydantic_validator__.validate_python
    made = validate(values, self_instance=entity, **options)
    if made is not entity:  # a validator of the model's gave another in its place
        take_place_of(made, entity)


def dependencies_first(entities: Iterable[Any]) -> list[Any]:
    """Return entities that have their state, and all that they lead to, in topological order."""
    found = walk(entities, strict=False)
    n = len(found.entities)
    kinds = np.array([field.kind for field in found.fields], dtype=np.int64)
    order = topological_order(
        n,
        np.array(found.sources, dtype=np.int64),
        np.array(found.targets, dtype=np.int64),
        np.arange(n),
        kinds[np.array(found.slots, dtype=np.int64)],
    )
    return [found.entities[place] for place in order.sequence]


def first_among(entities: Sequence[Any]) -> list[Any]:
    """Return entities in topological order, without looking at what else they lead to."""
    members, references = set(map(id, entities)), HeldReferences()
    for entity in entities:
        for plan in class_plan(type(entity)).fields:
            for held in held_in(plan, entity.__dict__.get(plan.name)):
                if id(held) in members:
                    references.add(entity, plan, held)
    return [entities[n] for places, _ in references.components(entities) for n in places]


def looks(cls: Any) -> bool:
    """Tell whether validating an entity runs code that may look at what it holds.

    Notes
    -----
    The user's functions, and discriminators. Read from pydantic's schema, since they may stand
    anywhere in an annotation; types that pydantic itself validates by a function count too.
    O(schema), once per class and load.
    """
    complete_fields(cls)
    todo, seen = [cls.__pydantic_core_schema__], set()
    while todo:
        part = todo.pop()
        if isinstance(part, (list, tuple)):
            todo.extend(part)
        elif isinstance(part, dict) and id(part) not in seen:
            seen.add(id(part))
            kind = part.get("type")
            if kind == "tagged-union" or (isinstance(kind, str) and kind.startswith("function-")):
                return True
            if kind == "model" and has_post_init(part["cls"]):
                return True
            todo.extend(value for key, value in part.items() if key not in _NO_SCHEMA)
    return False


def has_post_init(cls: type) -> bool:
    """Tell whether a class, or a base or mixin of it, defines ``model_post_init``.

    Notes
    -----
    Pydantic makes one for every class with private attributes: this one gives them their
    defaults, and does nothing else.
    """
    for base in cls.__mro__:
        method = vars(base).get("model_post_init")
        own = method is not None and not getattr(method, "__module__", "").startswith("pydantic.")
        if own and base is not BaseModel:
            return True
    return False


def around_entities(adapter: TypeAdapter[Any]) -> Callable[..., Any]:
    """Return a function that validates values, and takes the entities in them as they are.

    Notes
    -----
    Pydantic lets an instance pass, but not without asking the validators of its class again.
    """
    found = _around(adapter.core_schema)
    if found is None:
        return adapter.validate_python
    # Not with the validators that classes have already, which ask their entities' classes.
    return SchemaValidator(found, None, _use_prebuilt=False).validate_python


def _around(schema: Any) -> Any:
    """Return a schema with every entity class asked for an instance; None where there is none."""
    if isinstance(schema, (list, tuple)):
        parts = [_around(part) for part in schema]
        if all(part is None for part in parts):
            return None
        return type(schema)(
            old if new is None else new for old, new in zip(schema, parts, strict=True)
        )
    if not isinstance(schema, dict):
        return None
    inner = schema
    while str(inner.get("type")).startswith("function-") and "schema" in inner:
        inner = inner["schema"]
    if inner.get("type") == "model" and is_entity_class(inner["cls"]):
        ref = {"ref": schema["ref"]} if "ref" in schema else {}
        return {"type": "is-instance", "cls": inner["cls"], **ref}
    changed = {key: _around(part) for key, part in schema.items() if key not in _NO_SCHEMA}
    changed = {key: part for key, part in changed.items() if part is not None}
    return {**schema, **changed} if changed else None


_NO_SCHEMA = frozenset({"serialization", "metadata", "config", "default", "expected"})
"""What of pydantic's schemas holds no schema of what is validated."""


# -- the members of a cycle ------------------------------------------------------------------


def _fill_plainly(members: Iterable[Raw]) -> None:
    """Give the members of a cycle the values that they will have, if no validator objects."""
    plain: dict[type, _PlainReader] = {}
    read = []
    for raw in members:
        cls = type(raw.entity)
        if cls not in plain:
            plain[cls] = _PlainReader(cls)
        state = plain[cls].flat(raw.values)
        fill(raw.entity, state, set(raw.values) & set(state))
        read.append((plain[cls], state))
    # Nested values last: the validators of plain models may look at the entities inside.
    for reader, state in read:
        reader.add_nested(state)


class _PlainReader:
    """Reads the values of one class without the validators of its fields."""

    def __init__(self, cls: Any) -> None:
        self.fields = complete_fields(cls)
        plans = {plan.name: plan for plan in class_plan(cls).fields}
        self.nested = [name for name, plan in plans.items() if plan.shape == Shape.NESTED]
        self.readers: dict[str, Callable[..., Any]] = {}
        for name, info in self.fields.items():
            plan = plans.get(name)
            if plan is None or plan.shape in (Shape.NESTED, Shape.OPAQUE):
                metadata = [item for item in info.metadata if not isinstance(item, _FUNCTIONS)]
                annotation = concrete(info.annotation, cls)
                kind: Any = Annotated[(annotation, *metadata)] if metadata else annotation
                self.readers[name] = around_entities(_adapter(kind))
            elif plan.shape != Shape.SINGLE:
                self.readers[name] = _adapter(_of_anything(plan)).validate_python

    def flat(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return an entity's state; what holds entities among other values is as it was given."""
        state: dict[str, Any] = {}
        for name, info in self.fields.items():
            if name in values:
                value = values[name]
                state[name] = value if name in self.nested else self._read(name, value)
            elif not info.is_required():
                state[name] = info.get_default(call_default_factory=True, validated_data=state)
        return state

    def add_nested(self, state: dict[str, Any]) -> None:
        """Read what holds entities among other values."""
        for name in self.nested:
            if name in state:
                state[name] = self._read(name, state[name])

    def _read(self, name: str, value: Any) -> Any:
        if value is None or name not in self.readers:
            return value
        try:
            return self.readers[name](value, strict=False)
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it is told when its turn comes
            return value


_FUNCTIONS = (AfterValidator, BeforeValidator, PlainValidator, WrapValidator)


def _of_anything(plan: FieldPlan) -> Any:
    """Return a flat field's container, with anything in the place of entities."""
    if plan.shape == Shape.DICT:
        return dict[plan.key_type, Any]  # type: ignore[name-defined]  # known when the class is
    container: Any = plan.container
    return tuple[Any, ...] if container is tuple else container[Any]


def _adapter(kind: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(kind, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError:  # of a model, which has a configuration of its own
        return TypeAdapter(kind)
