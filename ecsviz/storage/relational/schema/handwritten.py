"""Hand-written models: which classes a user's own declarative classes store, and what of them.

The user's tables keep the values of such an entity, and its references to others of the kind. The
store keeps the rest in a table of its own: identity, version, checksum, and the references to
entities whose tables are made here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Container, Iterator
from collections.abc import Mapping as MappingOf
from contextvars import ContextVar
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from ecsviz.domain.entity_class import is_entity_class, newest_definition, type_key
from ecsviz.domain.fields import FieldPlan, Shape, class_plan
from ecsviz.domain.inverse import inverse_of
from ecsviz.domain.objects import shell, take_place_of
from ecsviz.errors import (
    InvalidArgumentError,
    NotAnEntityError,
    UnsupportedFieldError,
    short_repr,
)
from ecsviz.values.field_codecs import describe

NEEDED = ("from_entity", "to_entity")


class Handwritten:
    """The hand-written models of one store.

    Parameters
    ----------
    models
        Entity class → declarative class with an ``ecs_id`` column, a ``from_entity(entity,
        session)`` class method and a ``to_entity()`` method.

    Raises
    ------
    UnsupportedFieldError
        If a model lacks one of these.
    InvalidArgumentError, NotAnEntityError
        If it is no such dictionary.
    """

    def __init__(self, models: MappingOf[type, Any] | None = None) -> None:
        self.by_key: dict[tuple[str, str], Any] = {}
        self.by_class: dict[type, Any] = {}
        self.links: dict[type, list[Any]] = {}  # what `row_links` has found out
        if models is not None and not isinstance(models, MappingOf):
            raise InvalidArgumentError(
                f"models is {short_repr(models)}. Give a dictionary: an entity class, and the model"
                " that stores it.",
                argument="models",
                value=models,
            )
        for cls, model in (models or {}).items():
            _check_model(cls, model)
            _patch_to_entity(cls, model)
            self.by_key[type_key(cls)] = model
            self.by_class[cls] = model

    def __bool__(self) -> bool:
        return bool(self.by_key)

    def model_of(self, cls: type) -> Any:
        """Return the model of an entity class, or of the nearest base that has one; or None."""
        if not self.by_key:
            return None
        for base in cls.__mro__:
            model = self.by_key.get(type_key(base))
            if model is not None:
                return model
        return None

    def kept_fields(self, cls: type) -> list[FieldPlan]:
        """Return the fields whose references the store keeps in tables that it makes.

        Notes
        -----
        All of them, where there is no model. Otherwise those that may hold an entity without a
        model; a list and its back-reference are kept together.
        """
        plans = [plan for plan in class_plan(cls).fields if plan.shape != Shape.OPAQUE]
        if self.model_of(cls) is None:
            return plans
        return [p for p in plans if self._leads_out(p) or self._leads_out(inverse_of(p))]

    def _leads_out(self, plan: FieldPlan | None) -> bool:
        targets = () if plan is None else map(newest_definition, plan.targets)
        return any(self.model_of(target) is None for target in targets)

    def describe(self, cls: type) -> dict[str, str]:
        """Return what the store keeps of a class, as `field_codecs.describe` does."""
        fields = describe(cls)
        if self.model_of(cls) is None:
            return fields
        kept = {plan.name for plan in self.kept_fields(cls)}
        return {name: text for name, text in fields.items() if name in kept}


def as_uuid(value: Any) -> UUID:
    """Return an id as the user's column gives it: a UUID or its text."""
    return value if isinstance(value, UUID) else UUID(str(value))


def stored_id(model: Any, ecs_id: UUID) -> Any:
    """Return an id in the type of the model's column: UUIDs, or texts as in ``str(uuid)``."""
    return ecs_id if isinstance(model.ecs_id.type, sa.Uuid) else str(ecs_id)


def _check_model(cls: type, model: Any) -> None:
    if not is_entity_class(cls):
        raise NotAnEntityError(
            f"models names {short_repr(cls)}, which is not an entity class. Give the subclass of"
            " ev.Entity that the model stores.",
            value=cls,
        )
    missing = [name for name in (*NEEDED, "ecs_id") if not hasattr(model, name)]
    if missing:
        raise UnsupportedFieldError(
            f"{getattr(model, '__name__', model)} cannot store {cls.__name__}: it has no"
            f" {' and no '.join(missing)}. A hand-written model has an ecs_id column,"
            " from_entity(entity, session) and to_entity().",
            cls=cls,
            field=None,
            missing=missing,
        )


# -- from rows to entities -------------------------------------------------------------------

_memo: ContextVar[dict[int, tuple[Any, Any]] | None] = ContextVar("to_entity", default=None)
"""While loading: the id of a row → the row (kept alive) and its entity."""


_whole: ContextVar[Container[UUID] | None] = ContextVar("whole", default=None)
"""While loading: the ids that are made; of others there are only shells. None for all."""


@contextlib.contextmanager
def loading(whole: Container[UUID] | None = None) -> Iterator[None]:
    """Let ``to_entity`` give one entity per row until the block ends.

    Parameters
    ----------
    whole
        The ids of the entities to make; others get their id alone. None for all.
    """
    tokens = _memo.set({}), _whole.set(whole)
    try:
        yield
    finally:
        _memo.reset(tokens[0])
        _whole.reset(tokens[1])


def _patch_to_entity(cls: type, model: Any) -> None:
    """Let ``to_entity`` give one entity per row, also while it is still being made.

    Outside a load, the method does what it always did.
    """
    plain: Callable[[Any], Any] = model.to_entity
    if hasattr(plain, "ecsviz_plain"):
        return

    def to_entity(self: Any, *args: Any, **options: Any) -> Any:
        memo = _memo.get()
        if memo is None:
            return plain(self, *args, **options)
        if id(self) not in memo:
            # Who comes back here while the entity is made gets it as it will be.
            entity = shell(cls, as_uuid(self.ecs_id))
            memo[id(self)] = (self, entity)
            whole = _whole.get()
            if whole is not None and entity.ecs_id not in whole:
                return entity
            made = plain(self, *args, **options)
            if made is not entity:
                take_place_of(made, entity)
        return memo[id(self)][1]

    to_entity.ecsviz_plain = plain  # type: ignore[attr-defined]  # marks the method as patched
    to_entity.__doc__ = plain.__doc__
    model.to_entity = to_entity
