"""Which fields of a class can hold entities: a plan made once per class from its annotations."""

from __future__ import annotations

import enum
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import Field
from pydantic.fields import FieldInfo

from ecsviz.basics.once import making
from ecsviz.basics.order import COLLECTION, NULLABLE, REQUIRED
from ecsviz.domain.annotations import (
    Reading,
    can_hold_entities,
    complete_fields,
    concrete,
    entities_only,
    is_named_tuple,
    strip,
    union_members,
)
from ecsviz.domain.columns import ColumnRule, check_options, column_of
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.errors import NotAnEntityError, UnsupportedFieldError

__all__ = [
    "OWN_FIELDS",
    "ClassPlan",
    "FieldPlan",
    "Option",
    "Shape",
    "can_hold_entities",
    "class_plan",
    "complete_fields",
    "is_named_tuple",
    "option_of",
    "reference",
    "strip",
    "union_members",
]

OWN_FIELDS = ("ecs_id", "lineage_id", "parent_id", "version")
"""The four fields that every entity has; all others belong to the user's class."""

_UNSET: Any = object()


class Option(NamedTuple):
    """What ``reference`` was told about a field."""

    inverse: Any  # the name of the other field, None for "has none", _UNSET for "not said"
    name: str | None

    @property
    def says_inverse(self) -> bool:
        """Whether ``inverse=`` was given."""
        return self.inverse is not _UNSET


def reference(*, inverse: str | None = _UNSET, name: str | None = None, **options: Any) -> Any:
    """Declare how a field's references are stored.

    Parameters
    ----------
    inverse
        The name of the field on the other class that says the same from the other side, or
        ``None`` if there is none. Not needed where a class has exactly one ``list[B]`` and
        ``B`` exactly one field of that class; within one class it must be said (a warning asks
        for it, and ``None`` on either side silences that).
    name
        The name of the column (without ``_id``) or of the association table; the field's name
        by default.
    **options
        Whatever ``pydantic.Field`` takes: ``default``, ``default_factory``, ``description``, …

    Returns
    -------
    FieldInfo
        To stand where ``pydantic.Field(...)`` stands.

    Raises
    ------
    UnknownOptionError
        If there is no such option.

    Examples
    --------
    >>> import ecsviz as ev
    >>> class Person(ev.Entity):
    ...     boss: "Person | None" = ev.reference(inverse="team", default=None)
    ...     team: "list[Person]" = ev.reference(inverse="boss", default_factory=list)
    >>> Person().team
    []
    """
    check_options("reference", ("inverse", "name"), options)
    info = typing.cast(FieldInfo, Field(**options))
    info.metadata.append(Option(inverse, name))
    return info


def option_of(info: FieldInfo) -> Option:
    """Return what ``reference`` was told about a pydantic field."""
    for item in info.metadata:
        if isinstance(item, Option):
            return item
    return Option(_UNSET, None)


class Shape(enum.IntEnum):
    """How a field can hold entities."""

    SINGLE = 0
    """An entity, or ``None``."""
    LIST = 1
    """A ``list`` or ``tuple[E, ...]`` of entities."""
    SET = 2
    """A ``set`` or ``frozenset`` of entities."""
    DICT = 3
    """A ``dict`` with entities as its values."""
    NESTED = 4
    """Anything else: containers in containers, plain models, unions with values."""
    OPAQUE = 5
    """``Any`` and its like: searched, so that an entity in it is told, never lost."""


@dataclass(frozen=True, slots=True, eq=False)
class FieldPlan:
    """One field that can hold entities.

    Attributes
    ----------
    owner
        The class for which the plan was made.
    targets
        The entity classes that the annotation names; empty for ``OPAQUE``.
    container
        ``list``, ``tuple``, ``set``, ``frozenset`` or ``dict`` where the shape is flat.
    key_type
        The annotation of a ``DICT``'s keys.
    required
        Whether a ``SINGLE`` must not be ``None``.
    """

    owner: type
    name: str
    shape: Shape
    targets: tuple[type, ...]
    container: type | None
    key_type: Any
    required: bool
    option: Option
    annotation: Any

    @property
    def place(self) -> str:
        """``Class.field``."""
        return f"{self.owner.__name__}.{self.name}"

    @property
    def kind(self) -> int:
        """``COLLECTION``, ``NULLABLE`` or ``REQUIRED``: what its references are to an order."""
        if self.shape != Shape.SINGLE:
            return COLLECTION
        return REQUIRED if self.required else NULLABLE


@dataclass(frozen=True, slots=True, eq=False)
class ClassPlan:
    """Which fields of one class the walk touches.

    Attributes
    ----------
    fields
        The fields that can hold entities, in the order of their definition.
    values
        The names of all others, without the four own ones.
    watched
        Those of `values` in which an entity may stand although their annotation names none: a
        subclass of a plain model, an abstract base. The walk searches them as ``OPAQUE``.
    key_faults
        Fields whose annotation puts an entity where none can be stored (a dict key).
    blind
        Fields whose annotation puts an entity where the walk cannot find it, and where that is.
    columns
        What is declared of the columns of fields, where something is.
    column_faults
        Fields of which something is declared that cannot be, and why.
    """

    cls: type
    fields: tuple[FieldPlan, ...]
    values: tuple[str, ...]
    watched: tuple[FieldPlan, ...]
    key_faults: tuple[str, ...]
    blind: tuple[tuple[str, str], ...]
    columns: Mapping[str, ColumnRule]
    column_faults: tuple[tuple[str, str], ...]

    @property
    def hidden(self) -> tuple[FieldPlan, ...]:
        """The fields that are searched for entities although they can declare none."""
        opaque = (field for field in self.fields if field.shape == Shape.OPAQUE)
        return (*opaque, *self.watched)

    def check(self) -> ClassPlan:
        """Return self, or raise for a field that holds entities where none can be."""
        for name in self.key_faults:
            raise UnsupportedFieldError(
                f"{self.cls.__name__}.{name} holds entities as dict keys, where no reference can"
                " be stored. Use the entity's ecs_id (or another value) as the key, or a list.",
                cls=self.cls,
                field=name,
            )
        for name, where in self.blind:
            raise UnsupportedFieldError(
                f"{self.cls.__name__}.{name} holds entities {where}."
                " Use a list, tuple, set or dict of entities.",
                cls=self.cls,
                field=name,
            )
        for name, why in self.column_faults:
            raise UnsupportedFieldError(
                f"{self.cls.__name__}.{name} {why}", cls=self.cls, field=name
            )
        return self


# A class keeps its own plan: a class that is defined anew can then be collected with it.
_PLAN = "__ecsviz_plan__"


def class_plan(cls: type) -> ClassPlan:
    """Return the plan of an entity class, made at the first call.

    Raises
    ------
    NotAnEntityError
        If `cls` is no entity class.
    UnsupportedFieldError
        If an annotation names a class that is not defined yet.
    """
    plan: ClassPlan | None = cls.__dict__.get(_PLAN)
    if plan is None:
        if not is_entity_class(cls):
            raise NotAnEntityError(
                f"{cls.__name__} is not an entity class. Derive it from ev.Entity.", cls=cls
            )
        with making:
            plan = cls.__dict__.get(_PLAN)
            if plan is None:
                plan = _make_plan(cls)
                setattr(cls, _PLAN, plan)
    return plan


def _make_plan(cls: type) -> ClassPlan:
    fields: list[FieldPlan] = []
    values: list[str] = []
    watched: list[FieldPlan] = []
    key_faults: list[str] = []
    blind: list[tuple[str, str]] = []
    columns: dict[str, ColumnRule] = {}
    column_faults: list[tuple[str, str]] = []
    for name, info in complete_fields(cls).items():
        if name in OWN_FIELDS:
            continue
        said, inside = column_of(info)
        if said.said:
            columns[name] = said
        if inside:
            column_faults.append((name, _INSIDE))
        annotation = concrete(info.annotation, cls)
        found = Reading(annotation, cls)
        if found.keys:
            key_faults.append(name)
        if found.blind is not None:
            blind.append((name, found.blind))
        if found.entities:
            fields.append(_field_plan(cls, name, annotation, info, found))
            if said.said:
                column_faults.append((name, _OF_ENTITIES))
            continue
        opaque = FieldPlan(
            cls, name, Shape.OPAQUE, (), None, None, False, option_of(info), annotation
        )
        if found.opaque:
            fields.append(opaque)
        else:
            values.append(name)
            if found.watched:
                watched.append(opaque)
    return ClassPlan(
        cls,
        tuple(fields),
        tuple(values),
        tuple(watched),
        tuple(key_faults),
        tuple(blind),
        columns,
        tuple(column_faults),
    )


_INSIDE = (
    "has ev.column(…) inside of its values, which have no column of their own. Let it stand for the"
    " whole field; for a bound on what is inside, pydantic.Field(max_length=…)."
)
_OF_ENTITIES = (
    "holds entities, of which ev.column(…) can say nothing: its columns are those of references,"
    " and have an index. Leave it out."
)


def _field_plan(
    cls: type, name: str, annotation: Any, info: FieldInfo, found: Reading
) -> FieldPlan:
    option = option_of(info)
    targets = tuple(dict.fromkeys(found.entities))
    optional, single = entities_only(annotation)
    if single:
        return FieldPlan(
            cls, name, Shape.SINGLE, targets, None, None, not optional, option, annotation
        )
    shape, container, key_type = Shape.NESTED, None, None
    plain = strip(annotation)
    origin, args = typing.get_origin(plain), typing.get_args(plain)
    if origin in (list, set, frozenset) and entities_only(args[0]) == (False, True):
        container = origin
        shape = Shape.LIST if origin is list else Shape.SET
    elif origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        if entities_only(args[0]) == (False, True):
            shape, container = Shape.LIST, tuple
    elif origin is dict and entities_only(args[1]) == (False, True):
        shape, container, key_type = Shape.DICT, dict, args[0]
    return FieldPlan(cls, name, shape, targets, container, key_type, False, option, annotation)
