"""Finding in memory: which of the stored states fit, in which order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ecsviz.domain.entity_class import newest_definition
from ecsviz.domain.equality import identical
from ecsviz.storage.protocol import as_id
from ecsviz.storage.search import OWN, Fields, Search, check_order, in_order, is_sought
from ecsviz.values.codecs import JsonCodec


def find_records(records: Sequence[Any], wanted: Search) -> list[Any]:
    """Return which of the records of an `InMemoryEntityStorage` fit, in order.

    Raises
    ------
    InvalidArgumentError
        As a database would.
    """
    groups: dict[type, list[Any]] = {}
    for record in records:
        groups.setdefault(newest_definition(record.cls), []).append(record)
    rows: list[tuple[Any, ...]] = []
    classes: list[Fields] = []
    for cls, group in groups.items():
        fields = Fields.of(cls)
        fields.check(wanted)
        classes.append(fields)
        fit = [r for r in group if all(_has(fields, r, *asked) for asked in wanted.fields.items())]
        check_order(classes, wanted)
        columns = [_order_of(fields, fit, name.removeprefix("-")) for name in wanted.order_by]
        rows += zip(fit, *columns, strict=True)
    stop = None if wanted.limit is None else wanted.offset + wanted.limit
    return [row[0] for row in in_order(rows, wanted)[wanted.offset : stop]]


def _has(fields: Fields, record: Any, name: str, value: Any) -> bool:
    """Tell whether a record has a value in a field."""
    codec = fields.codec(name)
    if codec is not None:
        same = identical if isinstance(codec, JsonCodec) else is_sought
        return same(record.state[name], value)
    held = getattr(record, name) if name in OWN else record.state[name]
    if name == "version" or value is None or held is None:
        return bool(held == value)
    return bool(as_id(getattr(held, "ecs_id", held)) == as_id(value))


def _order_of(fields: Fields, records: list[Any], name: str) -> list[Any]:
    """Return by what a field orders records."""
    codec = fields.codec(name)
    if codec is not None:
        return codec.order([record.state[name] for record in records])
    return [getattr(record, name) for record in records]
