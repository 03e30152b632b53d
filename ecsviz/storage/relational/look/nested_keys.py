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
from ecsviz.storage.relational.schema.arcs import Arc, Kind
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.sql.statements import columns_of
from ecsviz.values.codecs import JsonCodec
from ecsviz.values.column_codecs import Refused


def nested_keys(
    conn: Connection, catalog: Catalog, arcs: list[Arc], rows: tuple[int, int] | None = None
) -> dict[tuple[int, int], Steps]:
    """Return the steps to the references inside the nested values of one field.

    Parameters
    ----------
    conn, catalog
        A state of a store.
    arcs
        Those of one field.
    rows
        The lowest and the highest row id of the holders that are wanted; None for all.

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
    first = arcs[0]
    if first.kind is not Kind.NESTED:
        return {}
    codec, column = first.item.skeleton.codec, first.item.skeleton.column
    assert isinstance(codec, JsonCodec)
    members = _members(conn, catalog, arcs, rows)
    query = sa.select(column.table.c.id, column).where(column.is_not(None))
    owners, texts = columns_of(conn, _within(query, column.table.c.id, rows))
    result = {}
    for owner, text in zip(owners, texts, strict=True):
        held = members.get(owner, {})
        for position, steps in _steps(codec, text, held, f"{first.source}.{first.field}"):
            result[owner, position] = steps
    return result


def _within(query: sa.Select[Any], key: Any, rows: tuple[int, int] | None) -> sa.Select[Any]:
    return query if rows is None else query.where(key.between(*rows))


def _members(
    conn: Connection, catalog: Catalog, arcs: list[Arc], rows: tuple[int, int] | None
) -> dict[int, dict[int, Any]]:
    """Return by row id of the holder, and by position, a placeholder for what is held."""
    result: dict[int, dict[int, Any]] = defaultdict(dict)
    for arc in arcs:
        other = catalog.mapping.by_type[arc.target]
        table = other.table.alias("other")
        joined = arc.table.join(table, arc.held == table.c.id)
        query = sa.select(arc.owner, arc.position, table.c.ecs_id).select_from(joined)
        query = _within(query.order_by(arc.position), arc.owner, rows)
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
