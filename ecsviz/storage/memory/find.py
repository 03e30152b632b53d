"""Finding in memory: which of the stored states fit, in which order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from ecsviz.domain.entity_class import newest_definition
from ecsviz.storage.criteria import OWN, Criterion, Fields, fitting
from ecsviz.storage.looking import Identity
from ecsviz.storage.matching import keys_of
from ecsviz.storage.memory.kept import Held, Record
from ecsviz.storage.search import Search, check_order, in_order


def find_records(
    stored: Mapping[UUID, Record], records: Sequence[Record], wanted: Search
) -> list[Record]:
    """Return which of the records of an `InMemoryEntityStorage` fit, in order.

    Parameters
    ----------
    stored
        Everything that is, or was, stored.
    records
        The records of the class that is asked for, in the order of listing.
    wanted
        What they have to be like.

    Raises
    ------
    InvalidArgumentError
        As a database would.

    Notes
    -----
    O(entities + references) for every reference that a criterion leads through.
    """
    if not records:  # a misspelt field is told all the same
        wanted.check()
    kinds = {newest_definition(cls): Fields.of(newest_definition(cls)) for cls in _classes(records)}
    check_order(list(kinds.values()), wanted)
    found = list(records)
    for asked in wanted.criteria:
        fit = _fitting(stored, records, asked)
        found = [record for record in found if record.ecs_id in fit]
    columns = [_order_of(kinds, found, name.removeprefix("-")) for name in wanted.order_by]
    rows: list[tuple[Any, ...]] = list(zip(found, *columns, strict=True))
    stop = None if wanted.limit is None else wanted.offset + wanted.limit
    return [row[0] for row in in_order(rows, wanted)[wanted.offset : stop]]


def identities_of(records: Sequence[Record], names: Sequence[str]) -> list[Identity]:
    """Return who the entities of some records are, and what they have in some fields."""
    found: list[Identity] = []
    for cls in _classes(records):
        group, kind = [record for record in records if record.cls is cls], newest_definition(cls)
        values = ([record.state[name] for record in group] for name in names)
        columns = [[_plain(value) for value in column] for column in values]
        for record, key in zip(group, keys_of(kind, names, columns), strict=True):
            own = (record.ecs_id, record.lineage_id, record.parent_id, record.version)
            found.append(Identity(kind, *own, key))
    return found


def _plain(value: Any) -> Any:
    return value.ecs_id if type(value) is Held else value


def _classes(records: Iterable[Record]) -> list[type]:
    return list(dict.fromkeys(record.cls for record in records))


def _fitting(
    stored: Mapping[UUID, Record], records: Sequence[Record], asked: Criterion
) -> set[UUID]:
    """Return the ids of the records that fit one criterion."""
    levels = [records]
    for field in asked.path:
        held = {ecs_id: None for record in levels[-1] for ecs_id in _held(record, field)}
        levels.append([stored[ecs_id] for ecs_id in held])
    fit = _fitting_there(levels.pop(), asked)
    for field, level in zip(reversed(asked.path), reversed(levels), strict=True):
        fit = {r.ecs_id for r in level if not fit.isdisjoint(_held(r, field))}
    return fit


def _fitting_there(records: Sequence[Record], asked: Criterion) -> set[UUID]:
    """Return the ids of the records that have the field of a criterion, as it has to be."""
    fit: set[UUID] = set()
    for cls in _classes(records):
        fields = Fields.of(newest_definition(cls))
        if asked.path and not fields.has(asked.field):
            continue  # of what a reference can lead to, only some may have the field
        checked = fields.checked(asked)
        group = [record for record in records if record.cls is cls]
        if asked.field in fields.plans:
            values: list[Any] = [next(_held(record, asked.field), None) for record in group]
        else:
            values = [_value(record, asked.field) for record in group]
        codec = fields.codec(asked.field)
        holds = fitting(codec, values, checked.lookup, checked.value)
        fit |= {record.ecs_id for record, is_so in zip(group, holds, strict=True) if is_so}
    return fit


def _held(record: Record, field: str) -> Iterator[UUID]:
    """Yield the ids of the entities in a field that holds one, or a flat collection of them."""
    there = record.state.get(field)
    if isinstance(there, Mapping):
        there = there.values()
    for part in there if isinstance(there, Iterable) else (there,):
        if type(part) is Held:
            yield part.ecs_id


def _value(record: Record, field: str) -> Any:
    return getattr(record, field) if field in OWN else record.state[field]


def _order_of(kinds: Mapping[type, Fields], records: Sequence[Record], name: str) -> list[Any]:
    """Return by what a field orders records."""
    result: list[Any] = [None] * len(records)
    for cls in _classes(records):
        places = [n for n, record in enumerate(records) if record.cls is cls]
        codec = kinds[newest_definition(cls)].codec(name)
        values = codec.order([_value(records[n], name) for n in places])
        for n, value in zip(places, values, strict=True):
            result[n] = value
    return result
