"""Finding: which rows fit, by the values of fields, in which order."""

from __future__ import annotations

import json
from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.catalog import Catalog
from ecsviz.errors import InvalidArgumentError, did_you_mean, natural_number, short_repr
from ecsviz.exact import identical
from ecsviz.identity import is_entity_class, newest_definition
from ecsviz.mapping import ClassMap, Mapping, RefColumn, ValueColumn
from ecsviz.protocol import as_id
from ecsviz.statements import columns_of
from ecsviz.values import JsonCodec, Refused, scalar_types

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
    order = (order_by,) if isinstance(order_by, str) else tuple(order_by or ())
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
    return Search(dict(fields), order, natural_number(limit), int(offset))


def find_rows(
    conn: Connection, catalog: Catalog, names: Sequence[str], wanted: Search
) -> list[tuple[str, int]]:
    """Return type and row id of everything that fits, in order.

    Notes
    -----
    One statement for all types. A column may hold only a stand-in for a value (an integer beyond
    64 bits, a text with a NUL): rows that have such a value are compared again here.
    """
    maps = catalog.classes_of(names)
    if not maps:
        return []
    mapping = catalog.mapping
    parts = [_part(conn, mapping, number, known, wanted) for number, known in enumerate(maps)]
    query = _ordered(parts, wanted)
    limit = None if wanted.limit is None else wanted.limit + wanted.offset
    while True:
        rows = columns_of(conn, query if limit is None else query.limit(limit))
        found, dropped = _checked(maps, rows, wanted)
        if not dropped or limit is None:
            stop = None if wanted.limit is None else wanted.offset + wanted.limit
            return found[wanted.offset : stop]
        limit = None  # stand-ins took the place of others: count again, without a limit


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
        f"{known.cls.__name__} has no field {short_repr(name)}.{did_you_mean(name, names)}"
        f" There are {', '.join(names)}.",
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


def _part(conn: Connection, mapping: Mapping, number: int, known: ClassMap, wanted: Search) -> Any:
    """Return the rows of one type that may fit, with what they are ordered by."""
    check_fields(known, wanted)
    table = known.table
    columns = [sa.literal(number).label("t"), table.c.id.label("i"), table.c.ecs_exact.label("x")]
    for n, name in enumerate(wanted.order_by):
        field = _field(known, name.removeprefix("-"))
        assert not isinstance(field, RefColumn)
        column: Any = field.column if isinstance(field, ValueColumn) else table.c[field]
        if conn.dialect.name == "postgresql" and isinstance(column.type, sa.Text):
            column = sa.collate(column, "C")  # as other databases do: by code point
        columns.append(column.label(f"k{n}"))
    where = [_condition(mapping, known, name, value) for name, value in wanted.fields.items()]
    return sa.select(*columns).where(*where)


def _ordered(parts: list[Any], wanted: Search) -> Any:
    rows = parts[0].subquery() if len(parts) == 1 else sa.union_all(*parts).subquery()
    keys: list[Any] = []
    for n, name in enumerate(wanted.order_by):
        key = rows.c[f"k{n}"]
        keys += [key.is_(None), key.desc() if name.startswith("-") else key]
    return sa.select(rows.c.t, rows.c.i, rows.c.x).order_by(*keys, rows.c.t, rows.c.i)


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


def _checked(
    maps: list[ClassMap], rows: list[list[Any]], wanted: Search
) -> tuple[list[tuple[str, int]], bool]:
    """Return the rows that do fit, and whether one did not."""
    checks = [_checks(known, wanted) for known in maps]
    found: list[tuple[str, int]] = []
    dropped = False
    for number, row_id, text in zip(*rows, strict=True):
        exact = {} if text is None else json.loads(text)
        for value, sought, is_stand_in in checks[number]:
            if value.name in exact:
                fits = _equal(value.codec.restore(exact[value.name]), sought)
            elif is_stand_in:
                stored, _ = value.codec.encode([sought])
                fits = _equal(value.codec.decode(stored)[0], sought)
            else:
                continue
            if not fits:
                dropped = True
                break
        else:
            found.append((maps[number].type_name, row_id))
    return found, dropped


def _checks(known: ClassMap, wanted: Search) -> list[tuple[ValueColumn, Any, bool]]:
    result = []
    for name, sought in wanted.fields.items():
        field = _field(known, name)
        if isinstance(field, ValueColumn):
            result.append((field, sought, _encoded(known, field, sought)[1]))
    return result


def _equal(one: Any, other: Any) -> bool:
    return bool(one == other) or bool(one != one and other != other)  # noqa: PLR0124 - NaN


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
    for cls, group in groups.items():
        known = mapping.map_classes([cls])[0]
        check_fields(known, wanted)
        for name, value in wanted.fields.items():
            _condition(mapping, known, name, value)  # for its errors
        fit = [r for r in group if all(_has(known, r, *asked) for asked in wanted.fields.items())]
        columns = [_order_of(known, fit, name.removeprefix("-")) for name in wanted.order_by]
        rows += zip(fit, *columns, strict=True)
    for n, name in reversed(list(enumerate(wanted.order_by, 1))):
        some = [row for row in rows if row[n] is not None]
        none = [row for row in rows if row[n] is None]
        rows = sorted(some, key=itemgetter(n), reverse=name.startswith("-")) + none
    stop = None if wanted.limit is None else wanted.offset + wanted.limit
    return [row[0] for row in rows[wanted.offset : stop]]


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
    """Return by what a field orders records: what its column would hold."""
    field = _field(known, name)
    if isinstance(field, ValueColumn):
        return list(field.codec.encode([record.state[name] for record in records])[0])
    return [getattr(record, name) for record in records]
