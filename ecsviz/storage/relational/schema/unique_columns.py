"""Columns whose values are unique among those of others, whether their class is here or not."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa

from ecsviz.domain.entity_class import newest_definition
from ecsviz.storage.relational.schema.catalog import find_class
from ecsviz.storage.relational.schema.mapping import Mapping, StoredType
from ecsviz.storage.sql.column_types import column_type
from ecsviz.storage.unique import Scope
from ecsviz.values.field_codecs import codec_of


class UniqueColumn(NamedTuple):
    """The column of a field in the table of a stored type."""

    type_name: str
    table: Any
    column: Any


def kept_elsewhere(mapping: Mapping, scope: Scope, but: Container[str]) -> Iterator[UniqueColumn]:
    """Yield where other stored types keep what is among the values of a unique field.

    Parameters
    ----------
    mapping
        The store's mapping.
    scope
        Where values are unique.
    but
        The types that are looked at anyhow.

    Notes
    -----
    What a type says whose class is not defined here is what was declared when it was stored.
    """
    for name, stored in mapping.stored.items():
        if name in but or stored.by_hand:
            continue
        known = mapping.by_type.get(name)
        cls = newest_definition(known.cls) if known else find_class(stored)
        if cls is not None and mapping.type_name(cls) == name:
            among = scope.has(cls)
        else:
            base = stored.layout.get(scope.field, {}).get("unique")
            among = base is not None and base == mapping.type_name(scope.cls)
        if among and (column := _column(stored, scope)) is not None:
            keys: list[Any] = [sa.column("id", sa.BigInteger()), sa.column("ecs_id", sa.Uuid())]
            schema = mapping.metadata.schema
            table = sa.table(stored.table, *keys, column, schema=schema)
            yield UniqueColumn(name, table, table.c[column.name])


def _column(stored: StoredType, scope: Scope) -> sa.ColumnClause[Any] | None:
    """Return the column of a field; None if the type keeps another kind of value in it."""
    codec, place = codec_of(scope.cls, scope.field)[0], stored.layout.get(scope.field, {})
    kind = stored.fields.get(scope.field, "").partition(" [")[0].removesuffix(" or none")
    if "column" not in place or kind != codec.sql_name:
        return None
    return sa.column(place["column"], column_type(codec))
