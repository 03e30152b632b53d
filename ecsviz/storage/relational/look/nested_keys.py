"""Where entities stand inside nested values that are stored: the places that live ones tell."""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.domain.objects import shells
from ecsviz.domain.paths import Steps, nested_entities
from ecsviz.errors import UnsupportedFieldError
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.mapping import ClassMap, Collection
from ecsviz.storage.sql.statements import columns_of
from ecsviz.values.codecs import JsonCodec
from ecsviz.values.column_codecs import Refused


def nested_keys(
    conn: Connection, catalog: Catalog, known: ClassMap, item: Collection
) -> dict[tuple[int, int], Steps]:
    """Return the steps to the references inside the nested values of one field.

    Parameters
    ----------
    conn, catalog
        A state of a store.
    known, item
        A class, and a field of it that holds several entities.

    Returns
    -------
    dict
        (row id of the holder, position in the association table) → steps. A value that cannot be
        read without the entities that it holds, as where a validator looks at them, is not in it;
        nothing is where the field holds no nested values.

    Notes
    -----
    A statement per class that is held, and one for the values. Placeholders stand for the
    entities. O(references + values).
    """
    if item.skeleton is None:
        return {}
    codec = item.skeleton.codec
    assert isinstance(codec, JsonCodec)
    members = _members(conn, catalog, item)
    query = sa.select(known.table.c.id, item.skeleton.column)
    owners, texts = columns_of(conn, query.where(item.skeleton.column.is_not(None)))
    result = {}
    for owner, text in zip(owners, texts, strict=True):
        held = members.get(owner, {})
        for position, steps in _steps(codec, text, held, f"{known.type_name}.{item.name}"):
            result[owner, position] = steps
    return result


def _members(conn: Connection, catalog: Catalog, item: Collection) -> dict[int, dict[int, Any]]:
    """Return by row id of the holder, and by position, a placeholder for what is held."""
    owner, position = item.columns[:2]
    result: dict[int, dict[int, Any]] = defaultdict(dict)
    for target, column in item.arcs.items():
        other = catalog.mapping.by_type[target]
        table = other.table.alias("other")
        joined = item.table.join(table, column == table.c.id)
        query = sa.select(owner, position, table.c.ecs_id).select_from(joined).order_by(position)
        owners, positions, ids = columns_of(conn, query)
        different = list(dict.fromkeys(ids))
        made = dict(zip(different, shells(other.cls, different), strict=True))
        for row_id, place, ecs_id in zip(owners, positions, ids, strict=True):
            result[row_id][place] = made[ecs_id]
    return result


def _steps(
    codec: JsonCodec, text: Any, held: dict[int, Any], place: str
) -> list[tuple[int, Steps]]:
    """Return position and steps of each reference in one value."""
    try:
        value = codec.read(text, 0, held.__getitem__)
        found = list(nested_entities(value, place))
    except (Refused, UnsupportedFieldError):
        return []
    # One entity may stand at several places: the first position belongs to the first of them.
    positions: dict[UUID, list[int]] = defaultdict(list)
    for position in sorted(held, reverse=True):
        positions[held[position].ecs_id].append(position)
    # In a damaged value, one may stand oftener than there are positions.
    return [(places.pop(), steps) for steps, e in found if (places := positions[e.ecs_id])]
