"""Verifying what classes declare of columns: that unique values are, and that the indexes exist."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingOf
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.storage.relational.save.checksums import StoredRows
from ecsviz.storage.relational.schema.mapping import ClassMap
from ecsviz.storage.reports import Problem
from ecsviz.storage.spans import NEVER
from ecsviz.storage.unique import Scope, not_unique, scopes_of


def declared_problems(conn: Connection, rows: MappingOf[str, StoredRows]) -> list[Problem]:
    """Return what is not as it is declared.

    Parameters
    ----------
    conn
        A transaction.
    rows
        By type name, the rows that were read.
    """
    maps = [each.known for each in rows.values()]
    problems = [problem for known in maps for problem in _missing(conn, known)]
    scopes = {scope: None for known in maps if known.has_unique for scope in scopes_of(known.cls)}
    return [*problems, *(problem for scope in scopes for problem in _twice(scope, rows))]


def _missing(conn: Connection, known: ClassMap) -> Iterator[Problem]:
    """Yield the indexes and constraints that somebody has dropped."""
    table = known.table
    if not any(value.said.unique or value.said.index for value in known.values):
        return
    inspector = sa.inspect(conn)
    found: list[Any] = inspector.get_indexes(table.name, schema=table.schema)
    found += inspector.get_unique_constraints(table.name, schema=table.schema)
    there = {each["name"] for each in found}
    for value in known.values:
        names = [str(i.name) for i in table.indexes if list(i.columns) == [value.column]]
        unique = [c for c in table.constraints if isinstance(c, sa.UniqueConstraint)]
        names += [str(c.name) for c in unique if list(c.columns) == [value.column]]
        for name in names if value.said.said else ():
            if name not in there:
                kind = "unique index" if value.said.unique else "index"
                detail = f"the {kind} of {value.name} is missing; CREATE {kind.upper()} makes it"
                yield Problem(table.name, name, None, "schema", detail)


def _twice(scope: Scope, rows: MappingOf[str, StoredRows]) -> Iterator[Problem]:
    """Yield the entities that have the value of another one."""
    first: dict[Any, str] = {}
    for each in rows.values():
        known = each.known
        if known.by_hand or not scope.has(known.cls):
            continue
        (column,) = (value.column.name for value in known.values if value.name == scope.field)
        keys = zip(each.keys(), each.columns[column], strict=True)
        for (row_id, ecs_id, _, until), value in keys:
            if until != NEVER or value is None:
                continue
            me = f"{known.type_name} {ecs_id}"
            other = first.setdefault(value, me)
            if other != me:
                detail = not_unique(scope, other)
                yield Problem(known.table.name, str(row_id), ecs_id, "unique", detail)
