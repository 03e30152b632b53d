"""Unique values in memory: that no entity has the one of another."""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from pydantic.fields import FieldInfo

from ecsviz.domain.entity_class import newest_definition
from ecsviz.domain.fields import class_plan
from ecsviz.domain.objects import default_of
from ecsviz.storage.memory.kept import Record
from ecsviz.storage.unique import Scope, not_unique, scopes_of, taken
from ecsviz.values.codecs import Refused
from ecsviz.values.field_codecs import check_value, codec_of


def check_unique(
    written: Mapping[UUID, Record], stored: Mapping[UUID, Record], gone: Container[UUID]
) -> None:
    """Raise if two entities would have one value that has to be unique.

    Parameters
    ----------
    written, stored
        The states that are about to be stored, and those that are.
    gone
        Who is about to be deleted.

    Raises
    ------
    UniqueValueError
        Naming both.

    Notes
    -----
    O(what is stored), where something with a unique value is written.
    """
    scopes: dict[Scope, None] = {}
    for cls in dict.fromkeys(record.cls for record in written.values()):
        scopes.update(dict.fromkeys(scopes_of(cls)))
    for scope in scopes:
        has: dict[Hashable, Record] = {}
        for value, record in _values(scope, written.values()):
            other = has.setdefault(value, record)
            if other is not record:
                raise _taken(scope, record, other, given=True)
        left = (r for r in stored.values() if r.ecs_id not in written and r.ecs_id not in gone)
        for value, other in _values(scope, left) if has else ():
            if value in has:
                raise _taken(scope, has[value], other, given=False)


def twice(records: Mapping[UUID, Record]) -> Iterator[tuple[UUID, str]]:
    """Yield which of the stored entities have the value of another one, and what is wrong."""
    scopes: dict[Scope, None] = {}
    for cls in dict.fromkeys(record.cls for record in records.values()):
        scopes.update(dict.fromkeys(scopes_of(cls)))
    for scope in scopes:
        has: dict[Hashable, Record] = {}
        for value, record in _values(scope, records.values()):
            other = has.setdefault(value, record)
            if other is not record:
                yield record.ecs_id, not_unique(scope, f"{other.cls.__name__} {other.ecs_id}")


def fit_declared(
    cls: type,
    records: Mapping[UUID, Record],
    own: Sequence[Record],
    added: Mapping[str, FieldInfo],
) -> bool:
    """Tell whether stored entities are what their class, which was defined anew, declares.

    Parameters
    ----------
    cls, records, own
        The class, all that is stored, and what of it is of the class.
    added
        Fields that it had not before; who is stored has their defaults from now on.
    """
    for name, said in class_plan(cls).columns.items():
        info = added.get(name)
        if (
            info
            and said.unique
            and len(own) > 1
            and not info.default_factory
            and info.default is not None
        ):
            return False  # one value for all
        try:
            for record in own if said.is_limit else ():
                state = record.state
                if name not in state:
                    state = {name: default_of(added[name], state)}
                check_value(cls, name, state)
        except Refused:
            return False
    ids = {record.ecs_id for record in own}
    return not any(ecs_id in ids for ecs_id, _ in twice(records))


def _values(scope: Scope, records: Iterable[Record]) -> list[tuple[Hashable, Record]]:
    """Return the values that are not None, as a column would hold them, with who has them."""
    by_class: dict[type, list[Record]] = {}
    for record in records:
        by_class.setdefault(record.cls, []).append(record)
    found: list[tuple[Hashable, Record]] = []
    for cls, group in by_class.items():
        if scope.has(cls):
            codec, _ = codec_of(newest_definition(cls), scope.field)
            column, _ = codec.encode([record.state.get(scope.field) for record in group])
            found += zip(column, group, strict=True)
    return [(value, record) for value, record in found if value is not None]


def _taken(scope: Scope, one: Record, other: Record, *, given: bool) -> Any:
    return taken(
        scope,
        (one.cls.__name__, one.ecs_id),
        (other.cls.__name__, other.ecs_id),
        one.state[scope.field],
        given=given,
    )
