"""Unique values: among which classes a value has to be one of its own, and who breaks that."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from ecsviz.domain.entity_class import (
    derives_from,
    is_entity_class,
    known_entity_classes,
    newest_definition,
)
from ecsviz.domain.fields import class_plan
from ecsviz.errors import UniqueValueError, short_repr
from ecsviz.values.field_codecs import codec_of, has_table


class Scope(NamedTuple):
    """Where values are unique: a field, of a class and of those that derive from it."""

    cls: type
    field: str

    @property
    def place(self) -> str:
        """``Class.field``."""
        return f"{self.cls.__name__}.{self.field}"

    def has(self, cls: type) -> bool:
        """Tell whether entities of a class are among those whose values differ."""
        cls = newest_definition(cls)
        return derives_from(cls, self.cls) and _kind(cls, self.field) == _kind(self.cls, self.field)

    def classes(self) -> list[type]:
        """Return the classes that are defined here, of which entities can be among them."""
        kinds = map(newest_definition, known_entity_classes())
        return [cls for cls in dict.fromkeys(kinds) if has_table(cls) and self.has(cls)]


def scopes_of(cls: type) -> list[Scope]:
    """Return the fields of a class that are unique, each with the class that says so first.

    Notes
    -----
    Whoever is a `Captain` is a `Player`: what no two players have in common, a captain and a
    player have not either. A base that has no entities of its own (it is abstract, or a mixin
    that is no entity class) keeps nothing apart.

    Examples
    --------
    >>> import ecsviz as ev
    >>> class Player(ev.Entity):
    ...     email: str = ev.column(unique=True)
    >>> class Captain(Player):
    ...     since: int
    >>> scopes_of(Captain)[0].place
    'Player.email'
    """
    cls = newest_definition(cls)
    names = [name for name, said in class_plan(cls).columns.items() if said.unique]
    bases = [b for b in cls.__mro__ if is_entity_class(b) and has_table(b)] if names else []
    return [
        Scope(newest_definition([b for b in bases if _kind(b, name) == _kind(cls, name)][-1]), name)
        for name in names
    ]


def _kind(cls: type, name: str) -> str | None:
    """Return what SQL calls the type of a field that is unique; None for another field."""
    said = class_plan(cls).columns.get(name)
    return codec_of(cls, name)[0].sql_name if said is not None and said.unique else None


def taken(
    scope: Scope, entity: tuple[str, UUID], other: tuple[str, UUID], value: Any, *, given: bool
) -> UniqueValueError:
    """Return the error for a value that another entity has.

    Parameters
    ----------
    scope
        Where it has to be unique.
    entity, other
        Type and id of the one that cannot be saved, and of the one that has the value.
    value
        The value.
    given
        Whether both are to be saved; if not, the other one is stored.
    """
    (kind, ecs_id), (other_kind, other_id) = entity, other
    who = f"{'' if given else 'stored '}{other_kind} {other_id}{' that is given with it' * given}"
    way_out = "" if given else f", or let register(…, match={scope.field!r}) update that one"
    return UniqueValueError(
        f"{kind}.{scope.field} of {ecs_id} is {short_repr(value)}, as is that of the {who};"
        f" {scope.place} is unique. Nothing was saved. Give another value{way_out}.",
        entity=ecs_id,
        type_name=kind,
        field=scope.place,
        value=value,
        other=other_id,
    )


def not_unique(scope: Scope, other: str) -> str:
    """Return what `verify` says of an entity that has the value of another one."""
    return f"its {scope.field} is that of the {other}, but {scope.place} is unique"
