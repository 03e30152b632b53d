"""What classes declare of columns anew, in a migration: whether it can be, and how it is done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Mapping as MappingOf
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.domain.fields import complete_fields
from ecsviz.domain.objects import default_of
from ecsviz.errors import short_repr
from ecsviz.storage.relational.schema.declared import declared_names
from ecsviz.storage.relational.schema.mapping import ClassMap, Mapping, StoredType, ValueColumn
from ecsviz.storage.relational.schema.unique_columns import kept_elsewhere
from ecsviz.storage.relational.upkeep.class_changes import Change, Declared
from ecsviz.storage.relational.upkeep.convert import Conversion
from ecsviz.storage.relational.upkeep.views_and_triggers import names_of_ours
from ecsviz.storage.sql.driver_values import exact_by_field
from ecsviz.storage.sql.statements import columns_of
from ecsviz.storage.unique import Scope, scopes_of
from ecsviz.values.codecs import Refused, decoded
from ecsviz.values.field_codecs import check_declared

if TYPE_CHECKING:
    from alembic.operations import Operations

Value = tuple[UUID, Any]
"""The id of an entity, and what its column will hold."""


class DeclaredChanges:
    """What the entities that are stored say to what their classes declare.

    Parameters
    ----------
    conn, mapping
        The migration's transaction, and the mapping as it will be.
    stored, maps
        By type name, what is stored, and the maps of the classes that are migrated.
    declared, conversions
        What was renamed, and what is converted.
    """

    def __init__(
        self,
        conn: Connection,
        mapping: Mapping,
        stored: MappingOf[str, StoredType],
        maps: MappingOf[str, ClassMap],
        declared: Declared,
        conversions: MappingOf[tuple[str, str], Conversion],
    ) -> None:
        self.conn, self.mapping = conn, mapping
        self.stored, self.maps = stored, maps
        self.declared, self.conversions = declared, conversions

    def refuse(self, changes: Iterable[Change]) -> None:
        """Say of changes why they cannot be made; of those that can, nothing."""
        for change in changes:
            known = self.maps[change.type_name]
            value = next((v for v in known.values if v.name == change.field), None)
            if value is None or change.refused or not value.said.said:
                continue
            if change.what == "added":
                change.refused = self._wrong_default(known, value)
            elif change.what == "declared" and value.said.is_limit:
                change.refused = self._unfit(known, value)
            if value.said.unique and not change.refused:
                change.refused = self._twice(known, value)

    def _wrong_default(self, known: ClassMap, value: ValueColumn) -> str:
        info = complete_fields(known.cls)[value.name]
        why = "" if info.is_required() else _why(value, default_of(info, {}))
        return f"its default {why}" if why and list(self._of_type(known, value)) else ""

    def _unfit(self, known: ClassMap, value: ValueColumn) -> str:
        """Return which stored values are not what is declared of their column."""
        table, column = self._table(known.type_name, value)
        query = sa.select(table.c.id, table.c.ecs_id, table.c.ecs_exact, column)
        rows, ids, texts, stored = columns_of(self.conn, query)
        exact = exact_by_field(table.name, rows, texts).get(self._before(known, value), {})
        values = decoded(value.codec, stored, (table.name, column.name), rows, exact)
        bad = [(n, why) for n, one in enumerate(values) if (why := _why(value, one))]
        if not bad:
            return ""
        count, (first, why) = len(bad), bad[0]
        of = f"that of {ids[first]}" if count == 1 else f"{count}, first that of {ids[first]},"
        return f"of the stored values, {of} {why}; change {'it' if count == 1 else 'them'} first"

    def _twice(self, known: ClassMap, value: ValueColumn) -> str:
        """Return which entities would have one value."""
        (scope,) = [each for each in scopes_of(known.cls) if each.field == value.name]
        has: dict[Any, tuple[str, UUID]] = {}
        twice: dict[Any, tuple[str, str]] = {}
        for name, (ecs_id, held) in self._values(scope):
            if held is None:
                continue
            first = has.setdefault(held, (name, ecs_id))
            if first[1] != ecs_id:
                twice.setdefault(held, (" ".join(map(str, first)), f"{name} {ecs_id}"))
        if not twice:
            return ""
        held, (one, two) = next(iter(twice.items()))
        several = f"{len(twice)} values stand" if len(twice) > 1 else "a value stands"
        return (
            f"it is unique now, but {several} in several entities: first {short_repr(held)}, in"
            f" {one} and {two}; give each a value of its own first"
        )

    def _values(self, scope: Scope) -> Iterator[tuple[str, Value]]:
        """Yield what columns will hold, with type and id, of all types among which it counts."""
        for name, known in self.maps.items():
            if scope.has(known.cls) and not known.by_hand:
                value = next(v for v in known.values if v.name == scope.field)
                yield from ((name, held) for held in self._of_type(known, value))
        for kept in kept_elsewhere(self.mapping, scope, self.maps):
            ids, values = columns_of(self.conn, sa.select(kept.table.c.ecs_id, kept.column))
            yield from ((kept.type_name, held) for held in zip(ids, values, strict=True))

    def _of_type(self, known: ClassMap, value: ValueColumn) -> Iterable[Value]:
        done = self.conversions.get((known.type_name, value.name))
        if done is not None:
            return zip(done.ids[: done.present], done.encoded, strict=False)
        table, column = self._table(known.type_name, value)
        if column is not None:
            ids, held = columns_of(self.conn, sa.select(table.c.ecs_id, column))
            return zip(ids, held, strict=True)
        (ids,) = columns_of(self.conn, sa.select(table.c.ecs_id))
        info = complete_fields(known.cls)[value.name]
        if info.is_required():
            return []  # of which there can be no entity yet
        defaults = [default_of(info, {}) for _ in ids]
        return zip(ids, value.codec.encode(defaults)[0], strict=True)

    def _before(self, known: ClassMap, value: ValueColumn) -> str:
        return self.declared.before(known.type_name, value.name)

    def _table(self, type_name: str, value: ValueColumn) -> tuple[Any, Any]:
        """Return the table as it is, and the column of a field in it; None if it is new."""
        stored = self.stored[type_name]
        place = stored.layout.get(self.declared.before(type_name, value.name), {})
        table = sa.table(
            stored.table,
            sa.column("id", sa.BigInteger()),
            sa.column("ecs_id", sa.Uuid()),
            sa.column("ecs_exact", sa.Text()),
            schema=self.mapping.metadata.schema,
        )
        if "column" not in place:
            return table, None
        column: sa.ColumnClause[Any] = sa.column(place["column"], value.column.type)
        return table, column


def _why(value: ValueColumn, held: Any) -> str:
    try:
        check_declared(value.said, value.codec, [held], value.codec.encode([held])[1])
    except Refused as refused:
        return refused.why
    return ""


def has_other_length(there: Any, wanted: Any) -> bool:
    """Tell whether a column of texts is declared to have others than it has room for."""
    lengths = (getattr(kind, "length", None) for kind in (there, wanted))
    return isinstance(wanted, sa.String) and len(set(lengths)) > 1


# -- doing it --------------------------------------------------------------------------------


class DeclaredTable:
    """The indexes and unique constraints of a table that is altered.

    Parameters
    ----------
    op, conn, schema
        Alembic's operations, their transaction, and the schema of the table.
    stored
        What is stored of its type.
    """

    def __init__(
        self, op: Operations, conn: Connection, schema: str | None, stored: StoredType
    ) -> None:
        self.op, self.conn, self.schema, self.stored = op, conn, schema, stored

    def loosen(self, table: str, columns: set[str]) -> None:
        """Drop our indexes and, where they have a life of their own, our keys of some columns."""
        ours = names_of_ours(self.conn, self.stored)[table]
        for name, of in self._indexes(table):
            if name in ours and not columns.isdisjoint(of):
                self.op.drop_index(name, table, schema=self.schema)
        if not self.conn.dialect.supports_alter:
            return
        inspector = sa.inspect(self.conn)
        for key in inspector.get_foreign_keys(table, schema=self.schema):
            if key["name"] in ours and not columns.isdisjoint(key["constrained_columns"]):
                self._drop(table, key["name"], "foreignkey")
        for unique in inspector.get_unique_constraints(table, schema=self.schema):
            if unique["name"] in ours and not columns.isdisjoint(unique["column_names"]):
                self._drop(table, unique["name"], "unique")

    def _drop(self, table: str, name: Any, kind: str) -> None:
        self.op.drop_constraint(name, table, type_=kind, schema=self.schema)

    def _indexes(self, table: str) -> list[tuple[str, list[Any]]]:
        """Return the indexes that are not what makes a constraint."""
        found = sa.inspect(self.conn).get_indexes(table, schema=self.schema)
        found = [index for index in found if not index.get("duplicates_constraint")]
        return [(str(index["name"]), index["column_names"]) for index in found]

    def add_indexes(self, table: sa.Table) -> None:
        """Make the indexes that are not there, but those of unique values."""
        there = {name for name, _ in self._indexes(table.name)}
        for index in table.indexes:
            if index.name not in there and not index.unique:
                self._make(table, index)

    def _make(self, table: sa.Table, index: sa.Index) -> None:
        names = [column.name for column in index.columns]
        self.op.create_index(
            str(index.name), table.name, names, schema=self.schema, unique=index.unique
        )

    def declare(self, known: ClassMap) -> None:
        """Drop what is declared no more, and make what is declared of values that are written."""
        table = known.table
        wanted = {str(index.name) for index in table.indexes}
        unique = {str(c.name): c for c in table.constraints if isinstance(c, sa.UniqueConstraint)}
        ours = declared_names(self.stored)
        ours = {name for name in ours if name not in wanted and name not in unique}
        there = {name for name, _ in self._indexes(table.name)}
        for name in sorted(there & ours):
            self.op.drop_index(name, table.name, schema=self.schema)
        found = sa.inspect(self.conn).get_unique_constraints(table.name, schema=self.schema)
        names = {str(each["name"]) for each in found}
        for name in sorted(names & ours):
            self._drop(table.name, name, "unique")
        for index in table.indexes:
            if index.unique and index.name not in there:
                self._make(table, index)
        for name, constraint in unique.items():
            if constraint.deferrable and name not in names:
                self.op.create_unique_constraint(
                    name,
                    table.name,
                    [column.name for column in constraint.columns],
                    schema=self.schema,
                    deferrable=True,
                    initially=constraint.initially,
                )
