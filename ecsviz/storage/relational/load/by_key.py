"""Who is stored with some values in some fields: what a natural key is looked up by."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.storage.criteria import Criterion, Fields
from ecsviz.storage.looking import Identity
from ecsviz.storage.matching import keys_of
from ecsviz.storage.relational.load.find import Criteria, by_hand
from ecsviz.storage.relational.load.ids import types_of
from ecsviz.storage.relational.load.lookups import Compared
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.mapping import ClassMap
from ecsviz.storage.sql.driver_values import exact_by_field
from ecsviz.storage.sql.statements import columns_of, key_condition
from ecsviz.values.codecs import decoded


def identities(
    conn: Connection,
    catalog: Catalog,
    cls: type,
    names: Sequence[str],
    columns: Sequence[list[Any]],
    ids: Collection[UUID],
) -> list[Identity]:
    """Return who is stored of a class; see `looking.Inside`.

    Notes
    -----
    One statement per class, and one more where a column holds but a stand-in for what is looked
    for (see `lookups`).
    """
    found: list[Identity] = []
    for known in catalog.classes_of(types_of(cls, catalog.mapping)):
        if known.by_hand:
            raise by_hand(known.cls)
        found += _OfClass(conn, catalog, known, names).find(columns, ids)
    return found


class _OfClass:
    """The entities of one class, by some of its fields."""

    def __init__(
        self, conn: Connection, catalog: Catalog, known: ClassMap, names: Sequence[str]
    ) -> None:
        self.conn, self.catalog, self.known, self.names = conn, catalog, known, names
        self.fields = Fields.of(known.cls)
        self.values = {value.name: value for value in known.values if value.name in names}
        self.source: Any = known.table

    def find(self, columns: Sequence[list[Any]], ids: Collection[UUID]) -> list[Identity]:
        """Return those that may have the values, and those of some ids."""
        c = self.known.table.c
        wanted = zip(self.names, columns, strict=True)
        fits = sa.and_(*(self._condition(name, column) for name, column in wanted))
        asked = [column for name in self.names for column in self._held(name)]
        own = (c.id, c.ecs_exact, c.ecs_id, c.ecs_lineage_id, c.ecs_parent_id, c.ecs_version)
        query = sa.select(*own, *asked).select_from(self.source)
        query = query.where(sa.or_(fits, key_condition(self.conn, c.ecs_id, list(ids))))
        rows, texts, *found = columns_of(self.conn, query)
        exact = exact_by_field(self.known.table.name, rows, texts)
        rest = found[4:]
        keyed = [self._values(name, rows, exact, rest) for name in self.names]
        keys = keys_of(self.known.cls, self.names, keyed)
        return [
            Identity(self.known.cls, ecs_id, lineage_id, parent_id, version, key)
            for ecs_id, lineage_id, parent_id, version, key in zip(*found[:4], keys, strict=True)
        ]

    def _condition(self, name: str, column: list[Any]) -> Any:
        wanted = list({(type(value), value): value for value in column}.values())
        if name in self.values:
            value = self.values[name]
            of = Compared(self.conn, self.known, name, value.column, value.codec)
            return of.condition("in", wanted)
        asked = Criterion(name, (), name, "in", wanted, (self.known.cls,))
        return Criteria(self.conn, self.catalog).condition(self.known, asked)

    def _held(self, name: str) -> list[Any]:
        """Return the columns that tell what a field holds: of an entity, its id, by class."""
        if name in self.values:
            return [self.values[name].column]
        result = []
        for target, key in (self.known.arcs_of(name) or {}).items():
            if target in self.catalog.mapping.stored:
                there = self.catalog.mapping.probe(target).alias()
                self.source = self.source.outerjoin(there, there.c.id == key)
                # Not the column itself, which is never NULL.
                result.append(sa.type_coerce(there.c.ecs_id, sa.Uuid()))
        return result

    def _values(
        self,
        name: str,
        rows: list[int],
        exact: dict[str, dict[int, Any]],
        columns: list[list[Any]],
    ) -> list[Any]:
        """Take what a field holds off the columns that were read."""
        if name in self.values:
            value, place = self.values[name], self.known.table.name
            stored = columns.pop(0)
            where = (place, value.column.name)
            return decoded(value.codec, stored, where, rows, exact.get(name, {}))
        count = len([t for t in self.known.arcs_of(name) or {} if t in self.catalog.mapping.stored])
        ids = [columns.pop(0) for _ in range(count)] or [[None] * len(rows)]
        return [next((i for i in held if i is not None), None) for held in zip(*ids, strict=True)]
