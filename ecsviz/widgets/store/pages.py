"""What is in a store, class by class and page by page; no objects are made of it.

A class need not be defined here: the store itself knows its fields.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias
from uuid import UUID

import sqlalchemy as sa

from ecsviz.basics.text import plain
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.storage.memory.saving import Held, Record
from ecsviz.storage.memory.store import InMemoryEntityStorage
from ecsviz.storage.relational.schema.catalog import find_class
from ecsviz.storage.relational.schema.mapping import Mapping
from ecsviz.storage.relational.store_base import OpenStore
from ecsviz.storage.sql.statements import columns_of, value_of

CUT: Final = 160
"""How many characters of a value stand in a cell."""
SOUGHT: Final = 1_000
"""How many characters of a search are looked for: databases bound their patterns."""
BIG: Final = 2**53
"""Beyond this, a number of a page is another than the one of Python."""


@dataclass(frozen=True, slots=True)
class StoredClass:
    """A class of a store: its name, how many entities it has, and whether it is defined here."""

    name: str
    count: int
    defined: bool


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    name
        The field.
    kind
        ``text``, ``number``, ``yes`` (or no), ``time``, ``other``, or ``entity``.
    """

    name: str
    kind: str

    @property
    def sorts(self) -> bool:
        """Whether there is an order of its values."""
        return self.kind not in ("entity", "other")


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a table.

    Attributes
    ----------
    columns
        The fields that hold one value each.
    ids
        Per row the ``ecs_id``.
    rows
        Per row the cells: of ``entity`` columns the ``ecs_id``, else what Python has.
    total
        How many rows fit in all.
    """

    columns: list[Column]
    ids: list[UUID]
    rows: list[list[Any]]
    total: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which page: of what fits a search, in the order of a column, from a row on."""

    search: str = ""
    order_by: str = ""
    first: int = 0
    size: int = 50


Field: TypeAlias = tuple[Column, dict[str, Any]]
"""A column, and what the store says of where it is."""


class Rows(Protocol):
    """What the explorer asks of a store."""

    def classes(self) -> list[StoredClass]:
        """Return the classes, by name."""
        ...

    def columns(self, name: str) -> list[Column]:
        """Return the columns of a class."""
        ...

    def page(self, name: str, wanted: Wanted) -> Page:
        """Return a page of a class's table."""
        ...

    def class_of(self, ecs_id: UUID) -> str | None:
        """Return the name of the class of an entity, None if it is not stored."""
        ...

    def place(self, name: str, ecs_id: UUID) -> int:
        """Return how many entities of a class were stored before one; 0 if it is gone."""
        ...


def rows_of(store: Any) -> Rows:
    """Return what tells the rows of a store."""
    return MemoryRows(store) if isinstance(store, InMemoryEntityStorage) else SqlRows(store)


def cell(value: Any) -> Any:
    r"""Return a value as it goes to a page: None, a truth, a number, or a short text.

    Examples
    --------
    >>> cell(None), cell(3), cell(2**70), cell("a\nb"), cell([1])
    (None, 3, '1180591620717411303424', 'a b', '[1]')
    """
    if value is None or isinstance(value, bool):
        return value
    if type(value) is int and abs(value) < BIG:
        return value
    return plain(str(value), CUT)


# -- a database ------------------------------------------------------------------------------


class SqlRows:
    """The rows of a database: found, sorted and cut there.

    Notes
    -----
    A page takes two statements, however many entities there are.
    """

    def __init__(self, store: OpenStore) -> None:
        self._store = store

    def classes(self) -> list[StoredClass]:
        """Return the classes, by name; one statement for all of them."""
        with self._store._reading() as (conn, catalog):
            mapping = catalog.mapping
            names = sorted(mapping.stored)
            parts = [
                sa.select(sa.literal(n).label("n"), sa.func.count().label("entities")).select_from(
                    mapping.probe(name)
                )
                for n, name in enumerate(names)
            ]
            found = columns_of(conn, sa.union_all(*parts)) if parts else [[], []]
            counts = dict(zip(*found, strict=True))
            known = [find_class(mapping.stored[name]) is not None for name in names]
        return [StoredClass(name, counts[n], known[n]) for n, name in enumerate(names)]

    def columns(self, name: str) -> list[Column]:
        """Return the columns of a class."""
        with self._store._reading() as (_, catalog):
            return [column for column, _ in _fields(catalog.mapping, name)]

    def page(self, name: str, wanted: Wanted) -> Page:
        """Return a page of a class's table."""
        with self._store._reading() as (conn, catalog):
            if name not in catalog.mapping.stored:
                return Page([], [], [], 0)
            fields = _fields(catalog.mapping, name)
            table = _table(catalog.mapping, name, fields)
            fits = _fits(table, fields, wanted.search)
            count = sa.select(sa.func.count()).select_from(table).where(*fits)
            total = value_of(conn, count) or 0
            arcs = _arcs(catalog.mapping, fields)
            query = sa.select(table.c.ecs_id, *_cells(table, fields, arcs))
            query = query.select_from(_joined(table, arcs)).where(*fits)
            query = query.order_by(*_order(table, fields, wanted.order_by))
            ids, *rest = columns_of(conn, query.limit(wanted.size).offset(wanted.first))
        return Page([column for column, _ in fields], ids, _rows(fields, len(ids), rest), total)

    def class_of(self, ecs_id: UUID) -> str | None:
        """Return the name of the class of an entity; one statement."""
        with self._store._reading() as (conn, catalog):
            names = list(catalog.mapping.stored)
            parts = []
            for n, name in enumerate(names):
                probe = catalog.mapping.probe(name)
                parts.append(sa.select(sa.literal(n).label("n")).where(probe.c.ecs_id == ecs_id))
            found = value_of(conn, sa.union_all(*parts)) if parts else None
        return None if found is None else names[found]

    def place(self, name: str, ecs_id: UUID) -> int:
        """Return how many entities of a class were stored before one; 0 if it is gone."""
        with self._store._reading() as (conn, catalog):
            if name not in catalog.mapping.stored:
                return 0
            table = catalog.mapping.probe(name)
            own = sa.select(table.c.id).where(table.c.ecs_id == ecs_id).scalar_subquery()
            count = sa.select(sa.func.count()).select_from(table).where(table.c.id < own)
            return int(value_of(conn, count) or 0)


def _fields(mapping: Mapping, name: str) -> list[Field]:
    """Return the columns with what the store says of where they are."""
    stored = mapping.stored.get(name)
    if stored is None:  # another thread or process has renamed the class
        return []
    # Of classes with a hand-written model, the store has references alone.
    own = (Column("ecs_id", "other"), {"column": "ecs_id"})
    found: list[Field] = [own] if stored.by_hand else []
    for field, place in stored.layout.items():
        if "columns" in place and "table" not in place:
            found.append((Column(field, "entity"), place))
        elif "column" in place:
            found.append((Column(field, _kind(stored.fields.get(field, ""))), place))
    return [*found, (Column("version", "number"), {"column": "ecs_version"})]


def _table(mapping: Mapping, name: str, fields: list[Field]) -> Any:
    """Return a table with all the columns that are looked at; nothing is asked for it."""
    probe = mapping.probe(name)
    columns: list[Any] = [sa.column("id"), sa.column("ecs_id", sa.Uuid())]
    for column, place in fields:
        if column.name == "ecs_id":
            continue
        names = place["columns"].values() if column.kind == "entity" else [place["column"]]
        kind: Any = {"text": sa.Text(), "yes": sa.Boolean()}.get(column.kind)
        columns += [sa.column(each, kind) if kind else sa.column(each) for each in names]
    return sa.table(probe.name, *columns, schema=probe.schema)


def _arcs(mapping: Mapping, fields: list[Field]) -> list[tuple[str, Any]]:
    """Return every foreign key with the table that it leads to."""
    keys = [item for c, place in fields if c.kind == "entity" for item in place["columns"].items()]
    found = []
    for number, (target, key) in enumerate(keys):
        probe = mapping.probe(target)
        columns: list[Any] = [sa.column("id"), sa.column("ecs_id", sa.Uuid())]
        other = sa.table(probe.name, *columns, schema=probe.schema)
        found.append((key, other.alias(f"t{number}")))
    return found


def _kind(field: str) -> str:
    """Return the kind of a column from what the store says of its field."""
    first = field.split(maxsplit=1)[0] if field else ""
    return {
        "TEXT": "text",
        "BOOLEAN": "yes",
        "DATETIME": "time",
        "DATE": "time",
        "TIME": "time",
        "BIGINT": "number",
        "INTEGER": "number",
        "DOUBLE": "number",
        "FLOAT": "number",
        "REAL": "number",
        "NUMERIC": "number",
    }.get(first, "other")


def _fits(table: Any, fields: list[Field], search: str) -> list[Any]:
    """Return the conditions of a search: in any text, or an id."""
    text = search.strip()[:SOUGHT]
    if not text:
        return []
    if "\0" in text or (not text.isascii() and text.encode("utf-8", "ignore").decode() != text):
        return [sa.false()]  # no column holds such texts as they are, and no driver takes them
    texts = [
        table.c[place["column"]].icontains(text, autoescape=True)
        for column, place in fields
        if column.kind == "text"
    ]
    with contextlib.suppress(ValueError):  # not an id
        texts.append(table.c.ecs_id == UUID(text))
    return [sa.or_(*texts)] if texts else [sa.false()]


def _cells(table: Any, fields: list[Field], arcs: list[tuple[str, Any]]) -> list[Any]:
    others = [other.c.ecs_id for _, other in arcs]
    values = [table.c[place["column"]] for column, place in fields if column.kind != "entity"]
    # Labels, since a name may come twice: in this table and in others.
    return [found.label(f"c{n}") for n, found in enumerate([*others, *values])]


def _joined(table: Any, arcs: list[tuple[str, Any]]) -> Any:
    source = table
    for key, other in arcs:
        source = source.outerjoin(other, table.c[key] == other.c.id)
    return source


def _order(table: Any, fields: list[Field], order_by: str) -> list[Any]:
    for column, place in fields:
        if column.sorts and order_by.removeprefix("-") == column.name:
            key = table.c[place["column"]]
            falling = order_by.startswith("-")
            return [key.is_(None), key.desc() if falling else key, table.c.id]
    return [table.c.id]


def _rows(fields: list[Field], count: int, found: list[list[Any]]) -> list[list[Any]]:
    """Put the columns that were read into the order of the fields."""
    arcs = [len(place["columns"]) if c.kind == "entity" else 0 for c, place in fields]
    at, value = 0, sum(arcs)
    columns: list[list[Any]] = []
    for width in arcs:
        if width:
            merged: list[Any] = [None] * count
            for held in found[at : at + width]:
                merged = [b if a is None else a for a, b in zip(merged, held, strict=True)]
            columns.append(merged)
            at += width
        else:
            columns.append(found[value])
            value += 1
    return [list(row) for row in zip(*columns, strict=True)] if columns else [[]] * count


# -- in memory -------------------------------------------------------------------------------


class MemoryRows:
    """The rows of an `InMemoryEntityStorage`, straight from what it keeps."""

    def __init__(self, store: InMemoryEntityStorage) -> None:
        self._store = store

    def _every(self) -> list[Record]:
        with self._store._lock:
            return list(self._store._records.values())

    def _records(self, name: str) -> list[Record]:
        found = [r for r in self._every() if r.cls.__name__ == name]
        return sorted(found, key=lambda record: record.number)

    def classes(self) -> list[StoredClass]:
        """Return the classes, by name."""
        counts = Counter(record.cls.__name__ for record in self._every())
        return [StoredClass(name, count, True) for name, count in sorted(counts.items())]

    def columns(self, name: str) -> list[Column]:
        """Return the columns of a class."""
        return _columns_of(self._records(name))

    def page(self, name: str, wanted: Wanted) -> Page:
        """Return a page of a class's table."""
        records = self._records(name)
        columns = _columns_of(records)
        text = wanted.search.strip()[:SOUGHT].casefold()
        texts = [column.name for column in columns if column.kind == "text"]
        if text:
            records = [r for r in records if str(r.ecs_id) == text or _says(r, texts, text)]
        order = wanted.order_by.removeprefix("-")
        if any(column.sorts and column.name == order for column in columns):
            falling = wanted.order_by.startswith("-")
            there = [r for r in records if _value(r, order) is not None]
            there.sort(key=lambda record: _key(_value(record, order)), reverse=falling)
            records = [*there, *(r for r in records if _value(r, order) is None)]
        shown = records[wanted.first : wanted.first + wanted.size]
        rows = [[_value(record, column.name) for column in columns] for record in shown]
        return Page(columns, [record.ecs_id for record in shown], rows, len(records))

    def class_of(self, ecs_id: UUID) -> str | None:
        """Return the name of the class of an entity."""
        record = self._store._records.get(ecs_id)
        return None if record is None else record.cls.__name__

    def place(self, name: str, ecs_id: UUID) -> int:
        """Return how many entities of a class were stored before one; 0 if it is gone."""
        ids = [record.ecs_id for record in self._records(name)]
        return ids.index(ecs_id) if ecs_id in ids else 0


def _columns_of(records: list[Record]) -> list[Column]:
    """Return the columns of records, their kinds from the values that are there."""
    kinds: dict[str, set[str]] = {}
    for record in records:
        for name, value in record.state.items():
            kinds.setdefault(name, set()).add(_kind_of(value))
    columns = []
    for name, found in kinds.items():
        found.discard("none")
        if "several" not in found:
            columns.append(Column(name, found.pop() if len(found) == 1 else "other"))
    return [*columns, Column("version", "number")]


def _kind_of(value: Any) -> str:
    if value is None:
        return "none"
    if type(value) is Held:
        return "entity"
    if isinstance(value, (list, tuple, set, frozenset, dict)):
        return "several" if any(_held_in(value)) or not value else "other"
    for kind, types in (("yes", bool), ("number", (int, float)), ("text", str)):
        if isinstance(value, types):
            return kind
    return "time" if hasattr(value, "isoformat") else "other"


def _held_in(value: Any) -> Iterator[bool]:
    for part in value.values() if isinstance(value, dict) else value:
        yield type(part) is Held or is_entity_class(type(part))


def _value(record: Record, name: str) -> Any:
    value = record.version if name == "version" else record.state.get(name)
    return value.ecs_id if type(value) is Held else value


def _key(value: Any) -> Any:
    # Times with and without an offset do not compare.
    return value if isinstance(value, (str, int, float)) else str(value)


def _says(record: Record, names: list[str], text: str) -> bool:
    values = (record.state.get(name) for name in names)
    return any(isinstance(value, str) and text in value.casefold() for value in values)
