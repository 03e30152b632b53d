"""Finding: which rows fit, by the values of fields, in which order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import time
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.storage.protocol import as_id
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.mapping import ClassMap, Mapping, RefColumn, ValueColumn
from ecsviz.storage.search import (
    OWN,
    Fields,
    Search,
    check_order,
    has_offset,
    in_order,
    is_sought,
)
from ecsviz.storage.sql.driver_values import read_exact
from ecsviz.storage.sql.statements import columns_of
from ecsviz.values.codecs import JsonCodec, decoded


def find_rows(
    conn: Connection, catalog: Catalog, names: Sequence[str], wanted: Search
) -> list[tuple[str, int]]:
    """Return type and row id of everything that fits, in order.

    Notes
    -----
    One statement for all types. A column may hold only a stand-in for a value (an integer beyond
    64 bits, a text with a NUL): rows that have such a value are compared again here. Rows whose
    stand-in does not tell their place in the order are asked for by a second statement, and put
    in their places here.
    """
    maps = catalog.classes_of(names)
    if not maps:
        return []
    stop = None if wanted.limit is None else wanted.offset + wanted.limit
    looking = _Looking(conn, catalog.mapping, maps, wanted)
    odd = looking.rows(None, sure=False) if looking.may_be_unsure else []
    rows = looking.rows(stop, sure=True if odd else None)
    if odd:
        rows = in_order(sorted(rows + odd), wanted)
    return [(maps[row[0]].type_name, row[1]) for row in rows[wanted.offset : stop]]


def fields_of(known: ClassMap) -> Fields:
    """Return the fields of a class that has tables, as a search sees them."""
    several = [item.name for item in known.inverse_lists]
    several += [item.name for item in known.collections]
    codecs = {value.name: value.codec for value in known.values}
    return Fields(known.cls, codecs, [ref.name for ref in known.singles], several)


_OWN_COLUMNS = {name: name if name == "ecs_id" else f"ecs_{name}" for name in OWN}


def _field(known: ClassMap, name: str) -> ValueColumn | RefColumn | str:
    """Return where a field is kept that was checked; of an own one, the name of its column."""
    for value in known.values:
        if value.name == name:
            return value
    for ref in known.singles:
        if ref.name == name:
            return ref
    return _OWN_COLUMNS[name]


# -- the statement ---------------------------------------------------------------------------


class _Looking:
    """One search in a database."""

    def __init__(
        self, conn: Connection, mapping: Mapping, maps: list[ClassMap], wanted: Search
    ) -> None:
        self.conn, self.maps, self.wanted = conn, maps, wanted
        self.fields = [fields_of(known) for known in maps]
        for fields in self.fields:
            fields.check(wanted)
        check_order(self.fields, wanted)
        self.where = [
            [_condition(mapping, known, name, value) for name, value in wanted.fields.items()]
            for known in maps
        ]
        self.checks = [_checks(known, wanted) for known in maps]
        self.unsure = [self._unsure(known) for known in maps]

    @property
    def may_be_unsure(self) -> bool:
        """Whether the columns may not tell all of the order."""
        return any(condition is not None for condition in self.unsure)

    def rows(self, limit: int | None, sure: bool | None) -> list[tuple[Any, ...]]:
        """Return what fits: the number of the type, the row id, and what it is ordered by.

        Parameters
        ----------
        limit
            How many at most.
        sure
            Whether those whose columns tell their place, or the others; None for all.
        """
        parts = [self._part(number, sure) for number in range(len(self.maps))]
        chosen = [part for part in parts if part is not None]
        if not chosen:
            return []
        query = _ordered(chosen, self.wanted)
        columns = columns_of(self.conn, query if limit is None else query.limit(limit))
        rows = list(zip(*columns[:2], strict=True))
        exact = [
            read_exact(self.maps[number].table.name, row_id, text)
            for (number, row_id), text in zip(rows, columns[2], strict=True)
        ]
        keep = [
            n
            for n, ((number, row_id), beside) in enumerate(zip(rows, exact, strict=True))
            if _fits(self.maps[number], row_id, self.checks[number], beside)
        ]
        if limit is not None and len(keep) < len(exact):
            # Stand-ins took the place of others: count again, without a limit.
            return self.rows(None, sure)[:limit]
        keys = columns[3:] if sure is None else self._keys(columns, exact)
        return [(columns[0][n], columns[1][n], *(key[n] for key in keys)) for n in keep]

    def _part(self, number: int, sure: bool | None) -> Any:
        """Return the rows of one type that may fit, with what they are ordered by."""
        known, unsure = self.maps[number], self.unsure[number]
        columns = [known.table.c.id.label("i"), known.table.c.ecs_exact.label("x")]
        columns += [column.label(f"k{n}") for n, column in enumerate(self._ordered_columns(known))]
        query = sa.select(sa.literal(number).label("t"), *columns).where(*self.where[number])
        if sure is None or (sure and unsure is None):
            return query
        if unsure is None:
            return None
        # A comparison with NULL is neither true nor false.
        told = sa.func.coalesce(unsure, sa.false())
        return query.where(sa.not_(told) if sure else told)

    def _ordered_columns(self, known: ClassMap) -> Iterator[Any]:
        for name in self.wanted.order_by:
            field = _field(known, name.removeprefix("-"))
            assert not isinstance(field, RefColumn)
            column: Any = field.column if isinstance(field, ValueColumn) else known.table.c[field]
            if self.conn.dialect.name == "postgresql" and isinstance(column.type, sa.Text):
                column = sa.collate(column, "C")  # as other databases do: by code point
            yield column

    def _unsure(self, known: ClassMap) -> Any:
        fields = [_field(known, name.removeprefix("-")) for name in self.wanted.order_by]
        found = [
            field.codec.unsure(field.column, partial(_noted, known, field.name))
            for field in fields
            if isinstance(field, ValueColumn)
        ]
        conditions = [condition for condition in found if condition is not None]
        return sa.or_(*conditions) if conditions else None

    def _keys(self, columns: list[list[Any]], exact: list[dict[str, Any]]) -> list[list[Any]]:
        """Return by what rows are ordered, where the columns alone do not tell it."""
        keys = [list(column) for column in columns[3:]]
        for number, known in enumerate(self.maps):
            rows = [n for n, each in enumerate(columns[0]) if each == number]
            for key, name in zip(keys, self.wanted.order_by, strict=True):
                field = _field(known, name.removeprefix("-"))
                if not isinstance(field, ValueColumn):
                    continue
                beside = {
                    n: exact[row][field.name]
                    for n, row in enumerate(rows)
                    if field.name in exact[row]
                }
                values = decoded(
                    field.codec,
                    [key[row] for row in rows],
                    (known.table.name, field.column.name),
                    [columns[1][row] for row in rows],
                    beside,
                )
                for row, value in zip(rows, field.codec.order(values), strict=True):
                    key[row] = value
        return keys


def _noted(known: ClassMap, name: str, pattern: str) -> Any:
    """Return the condition that rows have a value of a field beside its column.

    Notes
    -----
    It may hold for a few rows more: for them, the longer way is taken in vain.
    """
    beside = known.table.c.ecs_exact
    if not name.isascii():  # which JSON may have escaped
        return beside.is_not(None)
    field = name.replace("_", "/_")
    return sa.and_(beside.is_not(None), beside.like(f'%"{field}":{pattern}%', escape="/"))


def _ordered(parts: list[Any], wanted: Search) -> Any:
    rows = parts[0].subquery() if len(parts) == 1 else sa.union_all(*parts).subquery()
    keys: list[Any] = [rows.c[f"k{n}"] for n in range(len(wanted.order_by))]
    order: list[Any] = []
    for key, name in zip(keys, wanted.order_by, strict=True):
        order += [key.is_(None), key.desc() if name.startswith("-") else key]
    return sa.select(rows.c.t, rows.c.i, rows.c.x, *keys).order_by(*order, rows.c.t, rows.c.i)


def _condition(mapping: Mapping, known: ClassMap, name: str, value: Any) -> Any:
    field = _field(known, name)
    if isinstance(field, str):
        column = known.table.c[field]
        if value is None:
            return column.is_(None)
        return column == (as_id(value) if isinstance(column.type, sa.Uuid) else value)
    if isinstance(field, RefColumn):
        return _refers_to(mapping, field, value)
    stand_in, _ = fields_of(known).encoded(name, value)
    if stand_in is None:
        return field.column.is_(None)
    if isinstance(field.codec, JsonCodec):  # whose text is the same for the same value
        return sa.cast(field.column, sa.Text()) == stand_in
    if isinstance(value, time) and has_offset(value):
        # Its column holds what the clock says there; elsewhere, the same time is told otherwise.
        noted = _noted(known, name, '{"$time":')
        return sa.or_(field.column == stand_in, noted)
    return field.column == stand_in


def _refers_to(mapping: Mapping, ref: RefColumn, value: Any) -> Any:
    if value is None:
        return sa.and_(*(column.is_(None) for column in ref.arcs.values()))
    found = []
    for name, column in ref.arcs.items():
        target = mapping.probe(name).alias()
        found.append(column.in_(sa.select(target.c.id).where(target.c.ecs_id == as_id(value))))
    return sa.or_(*found)


# -- what columns cannot tell ----------------------------------------------------------------


def _fits(
    known: ClassMap,
    row_id: int,
    checks: list[tuple[ValueColumn, Any, bool]],
    exact: dict[str, Any],
) -> bool:
    """Tell whether a row fits whose columns do."""
    for value, sought, is_stand_in in checks:
        if value.name in exact:
            place = (known.table.name, value.column.name)
            found = decoded(value.codec, [None], place, [row_id], {0: exact[value.name]})[0]
        elif is_stand_in:
            stored, _ = value.codec.encode([sought])
            found = value.codec.decode(stored)[0]
        else:
            continue
        if not is_sought(found, sought):
            return False
    return True


def _checks(known: ClassMap, wanted: Search) -> list[tuple[ValueColumn, Any, bool]]:
    result = []
    for name, sought in wanted.fields.items():
        field = _field(known, name)
        if isinstance(field, ValueColumn):
            result.append((field, sought, fields_of(known).encoded(name, sought)[1]))
    return result
