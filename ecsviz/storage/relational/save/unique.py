"""Unique values: that no entity has the one of another is seen before anything is written.

Two that exchange their values are the hard case, as a database may look at one row after the other.
PostgreSQL looks at the end of the transaction. On SQLite, whoever gives up a value that somebody
else gets writes something in its place first that is no value of any field: a BLOB in a column of
texts or numbers, a text in a column of BLOBs, made of the row's id. By numbers: the teams 1 and 2
have "a" and "b" and exchange them. Team 2 gives up "b", which team 1 gets, and the other way round:
both rows are set to X'31' and X'32' in one statement, and then to "b" and "a".
"""

from __future__ import annotations

from collections.abc import Container
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.storage.relational.save.rows import Group, Rows
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.history_tables import REVISION, archive
from ecsviz.storage.relational.schema.mapping import ClassMap
from ecsviz.storage.relational.schema.unique_columns import UniqueColumn, kept_elsewhere
from ecsviz.storage.sql.dialects import row_of
from ecsviz.storage.sql.statements import (
    CHUNK,
    bound,
    columns_of,
    prepared,
    run_many,
    select_by_keys,
)
from ecsviz.storage.unique import Scope, scopes_of, taken

DENSE = 3
"""A column is read as a whole where more than one row in so many is asked for."""


@dataclass(slots=True)
class _Written:
    """One entity that is written, with the value that it gets."""

    group: Group
    place: int
    value: Any


class UniqueValues:
    """The unique values of one save.

    Parameters
    ----------
    conn, catalog, rows
        The transaction (None where nothing is stored), the store's catalog, and what is saved.
    next_ids
        Per type the next free row id.

    Attributes
    ----------
    freed
        On SQLite, per type and column the rows that give up a value which another one gets.
    """

    def __init__(
        self,
        conn: Connection | None,
        catalog: Catalog,
        rows: Rows,
        next_ids: MappingOf[str, int],
    ) -> None:
        self.conn, self.catalog, self.rows, self.next_ids = conn, catalog, rows, next_ids
        self.freed: dict[tuple[str, str], set[int]] = {}
        self._written: Container[int] = ()
        self._deleted: MappingOf[str, set[int]] = {}

    def find(self, written: Container[int], deleted: MappingOf[str, set[int]]) -> None:
        """Find out what stands in the way.

        Parameters
        ----------
        written
            The positions of entities that are written.
        deleted
            Per type the row ids of those that go.

        Raises
        ------
        UniqueValueError
            If two entities would have one value.
        """
        self._written, self._deleted = written, deleted
        groups: dict[Scope, list[Group]] = {}
        for group in self.rows.groups.values():
            if group.known.has_unique:
                for scope in scopes_of(group.known.cls):
                    groups.setdefault(scope, []).append(group)
        for scope, some in groups.items():
            self._find(scope, some)

    def _find(self, scope: Scope, groups: list[Group]) -> None:
        """Look at one field of all who have it."""
        by_value: dict[Any, _Written] = {}
        rows: dict[str, dict[int, _Written]] = {}
        for group in groups:
            of_type = rows.setdefault(group.known.type_name, {})
            column = group.values[_number(group.known, scope.field)]
            for place, position in enumerate(group.positions):
                if position not in self._written:
                    continue
                one = of_type[group.ids[place]] = _Written(group, place, column[place])
                if one.value is None:
                    continue
                other = by_value.setdefault(one.value, one)
                if other is not one:
                    raise self._taken(scope, one, _name_of(other), given=True)
        if by_value and self.conn is not None:
            self._look_up(scope, by_value, rows)

    def _look_up(
        self,
        scope: Scope,
        by_value: MappingOf[Any, _Written],
        rows: MappingOf[str, MappingOf[int, _Written]],
    ) -> None:
        """Look who is stored with one of the values."""
        mapping = self.catalog.mapping
        names = dict.fromkeys(mapping.type_name(cls) for cls in scope.classes())
        kept = [
            UniqueColumn(
                known.type_name, known.table, known.values[_number(known, scope.field)].column
            )
            for known in self.catalog.classes_of(name for name in names if name in mapping.stored)
            if not known.by_hand
        ]
        for each in (*kept, *kept_elsewhere(mapping, scope, names)):
            name, column = each.type_name, each.column
            mine, gone = rows.get(name, {}), self._deleted.get(name, ())
            for row_id, ecs_id, value in self._stored(each, list(by_value)):
                one, here = by_value.get(value), mine.get(row_id)
                if one is None or (here is not None and here.value == value):
                    continue
                if here is None and row_id not in gone:
                    raise self._taken(scope, one, (name, ecs_id), given=False)
                rowwise = self.conn is not None and not row_of(self.conn).unique_waits
                if rowwise and one.group.known.type_name == name:
                    self.freed.setdefault((name, column.name), set()).add(row_id)

    def _stored(self, kept: UniqueColumn, values: list[Any]) -> Any:
        """Return row id, id and value of who has one of some values, and perhaps of others."""
        assert self.conn is not None
        c, column = kept.table.c, kept.column
        query = sa.select(c.id, c.ecs_id, column)
        if len(values) * DENSE > self.next_ids.get(kept.type_name, 1):
            found = columns_of(self.conn, query.where(column.is_not(None)))
        elif isinstance(column.type, sa.LargeBinary) and row_of(self.conn).keys_as == "json":
            starts = range(0, len(values), CHUNK)  # JSON, in which keys are handed on, has no bytes
            parts = [query.where(column.in_(values[n : n + CHUNK])) for n in starts]
            tables = [columns_of(self.conn, part) for part in parts]
            found = [[value for table in tables for value in table[n]] for n in range(3)]
        else:
            found = select_by_keys(self.conn, query, column, values)
        return zip(*found, strict=True)

    def _taken(self, scope: Scope, one: _Written, other: Any, *, given: bool) -> Exception:
        value = one.group.states[one.place][scope.field]
        return taken(scope, _name_of(one), other, value, given=given)

    # -- writing -----------------------------------------------------------------------------

    def make_room(self, conn: Connection, revision: int) -> None:
        """Write something else where a value is given up that another row gets."""
        for (name, column), ids in self.freed.items():
            table = self.catalog.mapping.by_type[name].table
            archive(conn, table, [(row_id,) for row_id in ids], revision)
            statement = prepared(
                conn, table, "free", [table.c[column]], partial(_freeing, table, column)
            )
            written = [table.c[REVISION], table.c.id]  # or the row would be archived once more
            run_many(conn, statement, written, [(revision, row_id) for row_id in ids])


def _freeing(table: sa.Table, column: str) -> tuple[Any, list[str]]:
    is_bytes = isinstance(table.c[column].type, sa.LargeBinary)
    stand_in: Any = sa.literal_column("'ecs:' || id" if is_bytes else "CAST(id AS BLOB)")
    revision, row_id = bound([table.c[REVISION], table.c.id], "ecs_key_")
    statement = sa.update(table).where(table.c.id == row_id)
    return statement.values({column: stand_in, REVISION: revision}), [revision.key, row_id.key]


def _name_of(one: _Written) -> Any:
    return one.group.known.type_name, one.group.states[one.place]["ecs_id"]


def _number(known: ClassMap, field: str) -> int:
    return next(n for n, value in enumerate(known.values) if value.name == field)
