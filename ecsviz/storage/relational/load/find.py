"""Finding: which rows fit, by the values of fields, in which order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.errors import InvalidArgumentError
from ecsviz.storage.criteria import OWN, Criterion, Fields
from ecsviz.storage.relational.load.lookups import Compared, by_code_point, noted
from ecsviz.storage.relational.schema.arcs import Arc, Kind, arcs_in
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.mapping import ClassMap, RefColumn, ValueColumn
from ecsviz.storage.search import Search, check_order, in_order
from ecsviz.storage.sql.driver_values import read_exact
from ecsviz.storage.sql.statements import columns_of, key_condition, value_of
from ecsviz.values.codecs import decoded

Rows = list[tuple[str, int]]
"""Type and row id of each."""


def find_rows(
    conn: Connection,
    catalog: Catalog,
    names: Sequence[str],
    wanted: Search,
) -> Rows:
    """Return type and row id of everything that fits, in order.

    Parameters
    ----------
    conn, catalog, names
        Where, and of which types.
    wanted
        What is looked for.

    Notes
    -----
    One statement for all types. A column may hold only a stand-in for a value (an integer beyond
    64 bits, a text with a NUL): see `lookups`, which takes a statement more. Rows whose
    stand-in does not tell their place in the order are asked for by a second statement, and put
    in their places here.
    """
    maps = catalog.classes_of(names)
    if not maps:
        wanted.check()  # a misspelt field is told all the same
        return []
    stop = None if wanted.limit is None else wanted.offset + wanted.limit
    looking = _Looking(conn, catalog, maps, wanted)
    odd = looking.rows(None, sure=False) if looking.may_be_unsure else []
    rows = looking.rows(stop, sure=True if odd else None)
    if odd:
        rows = in_order(sorted(rows + odd), wanted)
    return [(maps[row[0]].type_name, row[1]) for row in rows[wanted.offset : stop]]


def count_rows(conn: Connection, catalog: Catalog, names: Sequence[str], wanted: Search) -> int:
    """Return how many rows fit, up to the limit; see `find_rows`, one statement."""
    maps = catalog.classes_of(names)
    if not maps:
        wanted.check()
        return 0
    parts = _Looking(conn, catalog, maps, wanted).parts(None)
    if wanted.limit is not None:
        parts = [sa.select(part.limit(wanted.limit).subquery()) for part in parts]
    rows = sa.union_all(*parts).limit(wanted.limit).subquery()
    return int(value_of(conn, sa.select(sa.func.count()).select_from(rows)) or 0)


def _field(known: ClassMap, name: str) -> ValueColumn | RefColumn | None:
    """Return where a field of the user's that was checked is kept; None for an own one."""
    fields: list[ValueColumn | RefColumn] = [*known.values, *known.singles]
    return next((field for field in fields if field.name == name), None)


def _column(known: ClassMap, name: str) -> Any:
    """Return the column of a field that was checked, and holds no entity."""
    field = _field(known, name)
    if isinstance(field, ValueColumn):
        return field.column
    return known.table.c[name if name == "ecs_id" else f"ecs_{name}"]


# -- what fits -------------------------------------------------------------------------------


class Criteria:
    """Criteria as conditions on the rows of a type."""

    def __init__(self, conn: Connection, catalog: Catalog) -> None:
        self.conn, self.catalog = conn, catalog

    def condition(self, known: ClassMap, asked: Criterion) -> Any:
        """Return the condition that rows of a type fit.

        Notes
        -----
        A reference that a criterion leads through is one ``IN (SELECT …)``, on each of the types
        that it can lead to: as many as types and steps, whatever is stored.
        """
        levels: list[dict[str, ClassMap]] = [{known.type_name: known}]
        steps: list[list[Arc]] = []
        for field in asked.path:
            arcs = [arc for each in levels[-1].values() for arc in self._arcs(each, field)]
            names = list(dict.fromkeys(arc.target for arc in arcs))
            levels.append(dict(zip(names, self.catalog.classes_of(names), strict=True)))
            steps.append(arcs)
        fit = {name: self._here(each, asked) for name, each in levels.pop().items()}
        for arcs in reversed(steps):
            fit = self._holders(levels.pop(), arcs, fit)
        return fit[known.type_name]

    def _holders(
        self, level: dict[str, ClassMap], arcs: list[Arc], fit: dict[str, Any]
    ) -> dict[str, Any]:
        """Return by type the condition that rows hold something that fits."""
        ids = {n: self._ids(n, fits).cte() for n, fits in fit.items() if fits is not None}
        result = {}
        for name, known in level.items():
            held = []
            for arc in arcs:
                if arc.source != name or arc.target not in ids:
                    continue
                there = arc.held.in_(sa.select(ids[arc.target].c.id).correlate(None))
                if arc.kind is not Kind.SINGLE:
                    owners = sa.select(arc.owner).where(there, *arc.there).correlate(None)
                    there = known.table.c.id.in_(owners)
                held.append(there)
            result[name] = sa.or_(sa.false(), *held)
        return result

    def _ids(self, name: str, fits: Any) -> Any:
        key = self.catalog.classes_of([name])[0].table.c.id
        return sa.select(key.label("id")).where(fits).correlate(None)

    def _here(self, known: ClassMap, asked: Criterion) -> Any:
        """Return the condition on the field itself; None if the type does not have it."""
        fields = Fields.of(known.cls)
        if asked.path and not fields.has(asked.field):
            return None
        asked = fields.checked(asked)
        if asked.field in fields.plans:
            return self._refers(known, asked)
        if known.by_hand and asked.field not in OWN:
            raise by_hand(known.cls)
        codec = fields.codec(asked.field)
        column = _column(known, asked.field)
        return Compared(self.conn, known, asked.field, column, codec).condition(
            asked.lookup, asked.value
        )

    def _refers(self, known: ClassMap, asked: Criterion) -> Any:
        """Return the condition that a field holds some entities, or none."""
        if asked.lookup == "ne" or (asked.lookup == "isnull" and not asked.value):
            wanted = [asked.value] if asked.lookup == "ne" else [None]
            return sa.not_(sa.func.coalesce(self._holds(known, asked.field, wanted), sa.false()))
        wanted = {"in": asked.value, "isnull": [None]}.get(asked.lookup, [asked.value])
        return self._holds(known, asked.field, wanted)

    def _holds(self, known: ClassMap, field: str, wanted: Sequence[UUID | None]) -> Any:
        arcs = self._arcs(known, field)
        found = []
        if None in wanted:
            found.append(sa.and_(sa.true(), *(self._is_empty(known, arc) for arc in arcs)))
        ids = [ecs_id for ecs_id in wanted if ecs_id is not None]
        for arc in arcs if ids else ():
            target = self.catalog.mapping.probe(arc.target).alias()
            chosen = sa.select(target.c.id).where(key_condition(self.conn, target.c.ecs_id, ids))
            found.append(arc.held.in_(chosen))
        return sa.or_(sa.false(), *found)

    def _arcs(self, known: ClassMap, field: str) -> list[Arc]:
        """Return the arcs of a field to types that are stored; none if the type lacks the field."""
        arcs = [arc for arc in arcs_in(known, Kind.SINGLE) if arc.field == field]
        if not arcs:
            arcs = [arc for arc in self.catalog.arcs_from(known) if arc.field == field]
        if not arcs and known.by_hand and Fields.of(known.cls).has(field):
            raise by_hand(known.cls)  # whose model may keep the reference itself
        return [arc for arc in arcs if arc.target in self.catalog.mapping.stored]

    def _is_empty(self, known: ClassMap, arc: Arc) -> Any:
        if arc.kind is Kind.SINGLE:
            return arc.held.is_(None)
        return known.table.c.id.not_in(sa.select(arc.owner).where(*arc.there).correlate(None))


def by_hand(cls: type) -> InvalidArgumentError:
    """Return the error for a class whose values a hand-written model keeps."""
    return InvalidArgumentError(
        f"{cls.__name__} has a hand-written model, which find() does not search. Write a"
        " select() on that; its rows have to_entity().",
        value=cls,
    )


# -- the statement ---------------------------------------------------------------------------


class _Looking:
    """One search in a database."""

    def __init__(
        self,
        conn: Connection,
        catalog: Catalog,
        maps: list[ClassMap],
        wanted: Search,
    ) -> None:
        self.conn, self.maps, self.wanted = conn, maps, wanted
        check_order([Fields.of(known.cls) for known in maps], wanted)
        criteria = Criteria(conn, catalog)
        self.where = [
            [criteria.condition(known, asked) for asked in wanted.criteria] for known in maps
        ]
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
        parts = self.parts(sure)
        if not parts:
            return []
        columns = columns_of(self.conn, _ordered(parts, self.wanted, limit))
        numbers, rows, texts = columns[:3]
        keys = columns[3:]
        if sure is not None:
            exact = [
                read_exact(self.maps[number].table.name, row_id, text)
                for number, row_id, text in zip(numbers, rows, texts, strict=True)
            ]
            keys = self._keys(columns, exact)
        return list(zip(numbers, rows, *keys, strict=True))

    def parts(self, sure: bool | None) -> list[Any]:
        """Return the rows of each type that fit, with what they are ordered by."""
        parts = [self._part(number, sure) for number in range(len(self.maps))]
        return [part for part in parts if part is not None]

    def _part(self, number: int, sure: bool | None) -> Any:
        known, unsure = self.maps[number], self.unsure[number]
        beside = known.table.c.ecs_exact if self.may_be_unsure else sa.null()
        columns = [known.table.c.id.label("i"), beside.label("x")]
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
            column = _column(known, name.removeprefix("-"))
            is_text = isinstance(column.type, sa.String)
            yield by_code_point(self.conn, column) if is_text else column

    def _unsure(self, known: ClassMap) -> Any:
        fields = [_field(known, name.removeprefix("-")) for name in self.wanted.order_by]
        found = [
            field.codec.unsure(field.column, partial(noted, known, field.name))
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


def _ordered(parts: list[Any], wanted: Search, limit: int | None) -> Any:
    """Return the rows of all types in order, as many as are wanted.

    Notes
    -----
    In the order of storing, a limit ends the reading: each type is cut by itself, along its key.
    """
    if limit is not None and not wanted.order_by:
        parts = [_cut(part, limit) for part in parts]
    rows = parts[0].subquery() if len(parts) == 1 else sa.union_all(*parts).subquery()
    keys: list[Any] = [rows.c[f"k{n}"] for n in range(len(wanted.order_by))]
    order: list[Any] = []
    for key, name in zip(keys, wanted.order_by, strict=True):
        order += [key.is_(None), key.desc() if name.startswith("-") else key]
    query = sa.select(rows.c.t, rows.c.i, rows.c.x, *keys).order_by(*order, rows.c.t, rows.c.i)
    return query if limit is None else query.limit(limit)


def _cut(part: Any, limit: int) -> Any:
    first = part.order_by(part.selected_columns.i).limit(limit).subquery()
    return sa.select(first)
