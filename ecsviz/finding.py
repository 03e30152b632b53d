"""Finding: which rows fit, by the values of fields, in which order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from functools import partial
from operator import itemgetter
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.catalog import Catalog
from ecsviz.codec import clock, instant
from ecsviz.driver_values import read_exact
from ecsviz.equality import identical
from ecsviz.errors import (
    InvalidArgumentError,
    did_you_mean,
    listed,
    natural_number,
    short_repr,
)
from ecsviz.identity import is_entity_class, newest_definition
from ecsviz.mapping import ClassMap, Mapping, RefColumn, ValueColumn
from ecsviz.protocol import as_id
from ecsviz.statements import columns_of
from ecsviz.values import JsonCodec, Refused, decoded, scalar_types

OWN = {
    "ecs_id": "ecs_id",
    "lineage_id": "ecs_lineage_id",
    "parent_id": "ecs_parent_id",
    "version": "ecs_version",
}
"""An entity's own fields and their columns."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for.

    Attributes
    ----------
    fields
        Field → the value that it must have; None for no value.
    order_by
        Fields, with a minus in front for falling order. After them, the order of storing.
    limit, offset
        How many at most, and how many to pass over.
    """

    fields: MappingOf[str, Any]
    order_by: tuple[str, ...]
    limit: int | None
    offset: int


def search(fields: MappingOf[str, Any], order_by: Any, limit: Any, offset: Any) -> Search:
    """Return a search, its options checked.

    Raises
    ------
    InvalidArgumentError
        If an option has a value that it cannot have.
    """
    order = [order_by] if isinstance(order_by, str) or order_by is None else order_by
    order = [] if order_by is None else listed(order, "order_by", "Give names of fields.")
    for name in order:
        if not isinstance(name, str):
            raise InvalidArgumentError(
                f"order_by holds {short_repr(name)}. Give names of fields; for falling order,"
                " with a minus in front.",
                value=name,
            )
    for option, value in (("limit", limit), ("offset", offset)):
        if natural_number(value) is None and not (option == "limit" and value is None):
            raise InvalidArgumentError(
                f"{option} is {short_repr(value)}. Give a whole number from 0.", value=value
            )
    # No database has more rows, nor takes a larger number.
    limit, offset = (None if n is None else min(int(n), _MOST) for n in (limit, offset))
    return Search(dict(fields), tuple(order), limit, offset)


_MOST = 2**62


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


def in_order(rows: list[tuple[Any, ...]], wanted: Search) -> list[tuple[Any, ...]]:
    """Order rows that end with what they are ordered by; those that are alike stay as they are."""
    first = -len(wanted.order_by)
    for n, name in reversed(list(enumerate(wanted.order_by, first))):
        some = [row for row in rows if row[n] is not None]
        none = [row for row in rows if row[n] is None]
        rows = sorted(some, key=itemgetter(n), reverse=name.startswith("-")) + none
    return rows


def check_fields(known: ClassMap, wanted: Search) -> None:
    """Raise if a class has no such field, or one that cannot be compared.

    Raises
    ------
    InvalidArgumentError
        Naming the field and what there is.
    """
    for name in wanted.fields:
        _field(known, name)
    for name in wanted.order_by:
        field = _field(known, name.removeprefix("-"))
        if isinstance(field, RefColumn):
            why = "holds an entity, and entities"
        elif isinstance(field, ValueColumn) and isinstance(field.codec, JsonCodec):
            why = "holds values of several types, which"
        else:
            continue
        raise InvalidArgumentError(
            f"{known.cls.__name__}.{field.name} {why} have no order. Order by a field that holds"
            " values of one type.",
            field=field.name,
        )


def check_order(maps: Sequence[ClassMap], wanted: Search) -> None:
    """Raise if a field holds, in some of the classes, what has no order with that of the others.

    Raises
    ------
    InvalidArgumentError
        Naming the field and two of the classes.
    """
    for name in wanted.order_by:
        kinds: dict[str, ClassMap] = {}
        for known in maps:
            field = _field(known, name.removeprefix("-"))
            column: Any = field.column if isinstance(field, ValueColumn) else known.table.c.id
            numeric = isinstance(column.type, (sa.Integer, sa.Numeric))
            kinds.setdefault("number" if numeric else type(column.type).__name__, known)
        if len(kinds) > 1:
            one, other = list(kinds.values())[:2]
            raise InvalidArgumentError(
                f"{name.removeprefix('-')} is of another type in {one.cls.__name__} than in"
                f" {other.cls.__name__}, so their values have no order. Find each class by itself.",
                field=name,
            )


def _field(known: ClassMap, name: str) -> ValueColumn | RefColumn | str:
    if name in OWN:
        return OWN[name]
    for value in known.values:
        if value.name == name:
            if isinstance(value.codec, JsonCodec) and _types(value.codec) is None:
                raise _not_comparable(known, name, "holds what may be several values")
            return value
    for ref in known.singles:
        if ref.name == name:
            return ref
    several = [item.name for item in known.inverse_lists]
    several += [item.name for item in known.collections]
    if name in several:
        raise _not_comparable(known, name, "holds several values")
    names = [*OWN, *(v.name for v in known.values), *(r.name for r in known.singles)]
    raise InvalidArgumentError(
        f"{known.cls.__name__} has no field {short_repr(name)}.{did_you_mean(name, names)}",
        field=name,
        fields=names,
    )


def _types(codec: JsonCodec) -> frozenset[type] | None:
    return scalar_types(codec.annotation)


def _not_comparable(known: ClassMap, name: str, why: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"{known.cls.__name__}.{name} {why}, which find() cannot compare. Write a"
        f" select() on store.sql_model({known.cls.__name__}); its rows have to_entity().",
        field=name,
    )


# -- the statement ---------------------------------------------------------------------------


class _Looking:
    """One search in a database."""

    def __init__(
        self, conn: Connection, mapping: Mapping, maps: list[ClassMap], wanted: Search
    ) -> None:
        self.conn, self.maps, self.wanted = conn, maps, wanted
        for known in maps:
            check_fields(known, wanted)
        check_order(maps, wanted)
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
        if isinstance(column.type, sa.Uuid):
            return column == as_id(value)
        if type(value) is not int:
            raise InvalidArgumentError(
                f"{known.cls.__name__}.{name} is a whole number, not {short_repr(value)}.",
                field=name,
            )
        return column == value
    if isinstance(field, RefColumn):
        return _refers_to(mapping, known, field, value)
    stand_in, _ = _encoded(known, field, value)
    if stand_in is None:
        return field.column.is_(None)
    if isinstance(field.codec, JsonCodec):  # whose text is the same for the same value
        return sa.cast(field.column, sa.Text()) == stand_in
    if isinstance(value, time) and _has_offset(value):
        # Its column holds what the clock says there; elsewhere, the same time is told otherwise.
        noted = _noted(known, name, '{"$time":')
        return sa.or_(field.column == stand_in, noted)
    return field.column == stand_in


def _refers_to(mapping: Mapping, known: ClassMap, ref: RefColumn, value: Any) -> Any:
    if value is None:
        return sa.and_(*(column.is_(None) for column in ref.arcs.values()))
    if not isinstance(value, (UUID, str)) and not is_entity_class(type(value)):
        raise InvalidArgumentError(
            f"{known.cls.__name__}.{ref.name} holds an entity, not a {type(value).__name__}."
            " Give an entity, its ecs_id, or None.",
            field=ref.name,
        )
    found = []
    for name, column in ref.arcs.items():
        target = mapping.probe(name).alias()
        found.append(column.in_(sa.select(target.c.id).where(target.c.ecs_id == as_id(value))))
    return sa.or_(*found)


def _encoded(known: ClassMap, value: ValueColumn, wanted: Any) -> tuple[Any, bool]:
    """Return what the column holds for a value, and whether it only stands in for it."""
    kinds = _types(value.codec) if isinstance(value.codec, JsonCodec) else None
    try:
        if kinds is not None and wanted is not None and type(wanted) not in kinds:
            raise Refused(0, wanted, f"has no values of type {type(wanted).__name__}")
        stored, exact = value.codec.encode([wanted])
    except Refused as refused:
        raise InvalidArgumentError(
            f"{known.cls.__name__}.{value.name} {refused.why}. Give a value of the field's type.",
            field=value.name,
        ) from refused.__cause__
    return stored[0], bool(exact)


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
        if not _equal(found, sought):
            return False
    return True


def _checks(known: ClassMap, wanted: Search) -> list[tuple[ValueColumn, Any, bool]]:
    result = []
    for name, sought in wanted.fields.items():
        field = _field(known, name)
        if isinstance(field, ValueColumn):
            result.append((field, sought, _encoded(known, field, sought)[1]))
    return result


def _equal(one: Any, other: Any) -> bool:
    """Tell whether a value is what is looked for; of times, the instant counts, not the zone."""
    if isinstance(one, datetime) and isinstance(other, datetime):
        return _has_offset(one) == _has_offset(other) and instant(one) == instant(other)
    if isinstance(one, time) and isinstance(other, time):
        return _has_offset(one) == _has_offset(other) and clock(one) == clock(other)
    if _is_nan(one) or _is_nan(other):
        return _is_nan(one) and _is_nan(other)
    return bool(one == other)


def _is_nan(value: Any) -> bool:
    if isinstance(value, Decimal):
        return value.is_nan()
    return isinstance(value, float) and math.isnan(value)


def _has_offset(value: datetime | time) -> bool:
    return value.utcoffset() is not None


# -- without a database ----------------------------------------------------------------------


def find_kept(mapping: Mapping, records: Sequence[Any], wanted: Search) -> list[Any]:
    """Return which of the records of an `InMemoryEntityStorage` fit, in order.

    Raises
    ------
    InvalidArgumentError
        As a database would.
    """
    groups: dict[type, list[Any]] = {}
    for record in records:
        groups.setdefault(newest_definition(record.cls), []).append(record)
    rows: list[tuple[Any, ...]] = []
    maps: list[ClassMap] = []
    for cls, group in groups.items():
        known = mapping.map_classes([cls])[0]
        check_fields(known, wanted)
        for name, value in wanted.fields.items():
            _condition(mapping, known, name, value)  # for its errors
        maps.append(known)
        fit = [r for r in group if all(_has(known, r, *asked) for asked in wanted.fields.items())]
        check_order(maps, wanted)
        columns = [_order_of(known, fit, name.removeprefix("-")) for name in wanted.order_by]
        rows += zip(fit, *columns, strict=True)
    stop = None if wanted.limit is None else wanted.offset + wanted.limit
    return [row[0] for row in in_order(rows, wanted)[wanted.offset : stop]]


def _has(known: ClassMap, record: Any, name: str, value: Any) -> bool:
    """Tell whether a record has a value in a field."""
    field = _field(known, name)
    if isinstance(field, ValueColumn):
        same = identical if isinstance(field.codec, JsonCodec) else _equal
        return same(record.state[name], value)
    held = getattr(record, name) if isinstance(field, str) else record.state[name]
    if name == "version" or value is None or held is None:
        return bool(held == value)
    return bool(as_id(getattr(held, "ecs_id", held)) == as_id(value))


def _order_of(known: ClassMap, records: list[Any], name: str) -> list[Any]:
    """Return by what a field orders records."""
    field = _field(known, name)
    if isinstance(field, ValueColumn):
        return field.codec.order([record.state[name] for record in records])
    return [getattr(record, name) for record in records]
