"""Ids, versions and types of what is stored, without entities."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.domain.entity_class import derives_from, known_entity_classes
from ecsviz.errors import EntityNotFoundError
from ecsviz.storage.protocol import check_first_rows, not_found
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.mapping import Mapping
from ecsviz.storage.sql.statements import columns_of, select_by_keys


def types_of(cls: type, mapping: Mapping) -> list[str]:
    """Return the stored types of a class and of its subclasses that are defined here."""
    kinds = [kind for kind in known_entity_classes() if derives_from(kind, cls)]
    names = {mapping.type_name(kind) for kind in (cls, *kinds)}
    found = [name for name in mapping.stored if name in names]
    if not found:
        stored = mapping.stored.items()
        check_first_rows(cls, ((told.module, name.rpartition(".")[2]) for name, told in stored))
    return found


def names_of(kinds: list[type], mapping: Mapping) -> list[str]:
    """Return the stored types of classes to which reading is confined."""
    return [name for cls in kinds for name in types_of(cls, mapping)]


def every_id(conn: Connection, catalog: Catalog, lineage_id: UUID | None = None) -> list[UUID]:
    """Return the ids of everything, or of one family."""
    ids: list[UUID] = []
    for name in catalog.mapping.stored:
        c = catalog.mapping.probe(name).c
        query = sa.select(c.ecs_id)
        if lineage_id is not None:
            query = query.where(c.ecs_lineage_id == lineage_id)
        ids += columns_of(conn, query)[0]
    return ids


def row_ids_after(
    conn: Connection, catalog: Catalog, name: str, after: int, size: int
) -> list[int]:
    """Return the next row ids of a type after one of them, in order."""
    key = catalog.mapping.probe(name).c.id
    query = sa.select(key).where(key > after).order_by(key).limit(size)
    ids: list[int] = columns_of(conn, query)[0]
    return ids


def stored_versions(conn: Connection, catalog: Catalog, ids: list[UUID]) -> dict[UUID, int]:
    """Return the versions of those that are stored."""
    result: dict[UUID, int] = {}
    for name in catalog.mapping.stored:
        c = catalog.mapping.probe(name).c
        query = sa.select(c.ecs_id, c.ecs_version)
        result.update(zip(*select_by_keys(conn, query, c.ecs_id, ids), strict=True))
    return result


def not_stored(conn: Connection, catalog: Catalog, ecs_id: UUID) -> EntityNotFoundError:
    """Return the error for an id that is not stored; it names those that are most alike."""
    ids: list[UUID] = []
    for name in catalog.mapping.stored:
        table = catalog.mapping.probe(name)
        ids += columns_of(conn, sa.select(table.c.ecs_id).limit(10_000))[0]
    return not_found(ecs_id, ids, str(catalog.database))
