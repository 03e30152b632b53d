"""The texts by which people know what is stored, read for nodes that are no objects."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.domain.labels import NAMES, TEXTS
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.mapping import StoredType
from ecsviz.storage.sql.statements import columns_of, select_by_keys

LABEL: Final = 100
"""How many characters of a text are read for a label."""
MOST_NAMED: Final = 100_000
"""Of how many nodes at the most the names are read."""
NO_TEXTS: Final[Mapping[str, Any]] = MappingProxyType({})
"""Of a node whose names were not read."""


@dataclass(frozen=True, slots=True)
class StoredEntity:
    """A node of a store's graph: an entity that was not loaded.

    Attributes
    ----------
    label_state
        The beginnings of the texts by which people know it, for `ecsviz.domain.labels.label_of`.
    """

    ecs_id: UUID
    type_name: str
    label_state: Mapping[str, Any] = field(
        default_factory=lambda: NO_TEXTS, compare=False, repr=False
    )

    def __repr__(self) -> str:
        return f"<{self.type_name} …{str(self.ecs_id)[-6:]}>"


def label_fields(fields: Mapping[str, str], there: Container[str]) -> list[str]:
    """Return the fields that tell people which entity it is.

    Parameters
    ----------
    fields
        What the fields store, as the store describes them.
    there
        The fields that have a column of their own.

    Examples
    --------
    >>> label_fields({"size": "BIGINT", "title": "TEXT", "note": "TEXT NULL"}, {"title", "note"})
    ['title']
    >>> label_fields({"slug": "TEXT", "note": "TEXT"}, {"slug", "note"})
    ['slug']
    """
    texts = [name for name, what in fields.items() if what.startswith("TEXT") and name in there]
    return [name for name in (*NAMES, "role", *TEXTS) if name in texts] or texts[:1]


def named(names: Sequence[str], columns: Sequence[Sequence[Any]]) -> list[Mapping[str, Any]]:
    """Return per node the texts by which it is known, from a column for each of the names."""
    return [dict(zip(names, texts, strict=True)) for texts in zip(*columns, strict=True)]


def names_of(
    conn: Connection, catalog: Catalog, stored: StoredType, row_ids: Sequence[int] | None
) -> dict[int, Mapping[str, Any]]:
    """Return per row the texts by which people know it.

    Parameters
    ----------
    conn, catalog
        Where it is read.
    stored
        The type, whose class may be unknown here.
    row_ids
        Which rows; None for all.

    Returns
    -------
    dict
        Row id → field → the beginning of its text.
    """
    places = {name: place["column"] for name, place in stored.layout.items() if "column" in place}
    names = label_fields(stored.fields, places)
    if not names:
        return {}
    row: Any = sa.column("id", sa.BigInteger())
    texts = [
        sa.func.substr(sa.column(places[name]), 1, LABEL).label(f"t{n}")
        for n, name in enumerate(names)
    ]
    query = sa.select(row, *texts).select_from(
        sa.table(stored.table, row, schema=catalog.metadata.schema)
    )
    if row_ids is None:
        found, *columns = columns_of(conn, query)
    else:
        found, *columns = select_by_keys(conn, query, row, row_ids)
    return dict(zip(found, named(names, columns), strict=True))
