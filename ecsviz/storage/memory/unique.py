"""Unique values in memory: that no entity has the one of another."""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable, Mapping
from typing import Any
from uuid import UUID

from ecsviz.domain.entity_class import newest_definition
from ecsviz.storage.memory.kept import Record
from ecsviz.storage.unique import Scope, scopes_of, taken
from ecsviz.values.field_codecs import codec_of


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


def _values(scope: Scope, records: Iterable[Record]) -> list[tuple[Hashable, Record]]:
    """Return the values that are not None, as a column would hold them, with who has them."""
    by_class: dict[type, list[Record]] = {}
    for record in records:
        by_class.setdefault(record.cls, []).append(record)
    found: list[tuple[Hashable, Record]] = []
    for cls, group in by_class.items():
        if scope.has(cls):
            codec, _ = codec_of(newest_definition(cls), scope.field)
            column, _ = codec.encode([record.state[scope.field] for record in group])
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
