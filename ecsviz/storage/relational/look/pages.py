"""What is in a store, class by class and page by page: found, sorted and cut by the database.

No objects are made; a class need not be defined here.
"""

from __future__ import annotations

import contextlib
from typing import Any, TypeAlias
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.storage.looking import Page, PageColumn, StoredClass, Wanted
from ecsviz.storage.relational.load.text_search import rows_that_fit
from ecsviz.storage.relational.schema.catalog import Catalog, find_class
from ecsviz.storage.relational.schema.mapping import Mapping
from ecsviz.storage.sql.statements import columns_of, value_of
from ecsviz.storage.words import begun_words

Field: TypeAlias = tuple[PageColumn, dict[str, Any]]
"""A column, and what the store says of where it is."""


def stored_classes(conn: Connection, catalog: Catalog) -> list[StoredClass]:
    """Return the classes, by name; one statement for all of them."""
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


def columns_in_pages(catalog: Catalog, name: str) -> list[PageColumn]:
    """Return the columns of a class."""
    return [column for column, _ in _fields(catalog.mapping, name)]


def page_of(conn: Connection, catalog: Catalog, name: str, wanted: Wanted) -> Page:
    """Return a page of a class: two statements, however many entities there are.

    Two more where it is searched, and its texts are indexed.
    """
    if name not in catalog.mapping.stored:
        return Page([], [], [], 0)
    fields = _fields(catalog.mapping, name)
    table = _table(catalog.mapping, name, fields)
    sought = begun_words(wanted.sought)
    by_words = sought and rows_that_fit(conn, catalog, name, table.c.id, sought)
    fits = _fits(table, fields, wanted, by_words or {})
    count = sa.select(sa.func.count()).select_from(table).where(*fits)
    total = value_of(conn, count) or 0
    arcs = _arcs(catalog.mapping, fields)
    query = sa.select(table.c.ecs_id, *_cells(table, fields, arcs))
    query = query.select_from(_joined(table, arcs)).where(*fits)
    query = query.order_by(*_order(table, fields, wanted.order_by))
    ids, *rest = columns_of(conn, query.limit(wanted.size).offset(wanted.first))
    return Page([column for column, _ in fields], ids, _rows(fields, len(ids), rest), total)


def class_of(conn: Connection, catalog: Catalog, ecs_id: UUID) -> str | None:
    """Return the name of the class of an entity; one statement."""
    names = list(catalog.mapping.stored)
    parts = []
    for n, name in enumerate(names):
        probe = catalog.mapping.probe(name)
        parts.append(sa.select(sa.literal(n).label("n")).where(probe.c.ecs_id == ecs_id))
    found = value_of(conn, sa.union_all(*parts)) if parts else None
    return None if found is None else names[found]


def place_of(conn: Connection, catalog: Catalog, name: str, ecs_id: UUID) -> int:
    """Return how many entities of a class were stored before one; 0 if it is gone."""
    if name not in catalog.mapping.stored:
        return 0
    table = catalog.mapping.probe(name)
    own = sa.select(table.c.id).where(table.c.ecs_id == ecs_id).scalar_subquery()
    count = sa.select(sa.func.count()).select_from(table).where(table.c.id < own)
    return int(value_of(conn, count) or 0)


# -- its table -------------------------------------------------------------------------------


def _fields(mapping: Mapping, name: str) -> list[Field]:
    """Return the columns with what the store says of where they are."""
    stored = mapping.stored.get(name)
    if stored is None:  # another thread or process has renamed the class
        return []
    # Of classes with a hand-written model, the store has references alone.
    own = (PageColumn("ecs_id", "other"), {"column": "ecs_id"})
    found: list[Field] = [own] if stored.by_hand else []
    for field, place in stored.layout.items():
        if "columns" in place and "table" not in place:
            found.append((PageColumn(field, "entity"), place))
        elif "column" in place:
            found.append((PageColumn(field, _kind(stored.fields.get(field, ""))), place))
    return [*found, (PageColumn("version", "number"), {"column": "ecs_version"})]


def _table(mapping: Mapping, name: str, fields: list[Field]) -> Any:
    """Return a table with all the columns that are looked at; nothing is asked for it."""
    probe = mapping.probe(name)
    columns: list[Any] = [sa.column("id", sa.BigInteger()), sa.column("ecs_id", sa.Uuid())]
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
        found.append((key, mapping.probe(target).alias(f"t{number}")))
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


def _fits(table: Any, fields: list[Field], wanted: Wanted, by_words: dict[str, Any]) -> list[Any]:
    """Return the conditions of a search: in any text, or an id.

    Parameters
    ----------
    table, fields, wanted
        Where it is looked for, and what.
    by_words
        The conditions of fields that have an index of their words.
    """
    text = wanted.sought
    if not text:
        return []
    if "\0" in text or (not text.isascii() and text.encode("utf-8", "ignore").decode() != text):
        return [sa.false()]  # no column holds such texts as they are, and no driver takes them
    texts = [
        by_words[column.name]
        if column.name in by_words
        else _says(table.c[place["column"]], wanted)
        for column, place in fields
        if column.kind == "text"
    ]
    with contextlib.suppress(ValueError):  # not an id
        texts.append(table.c.ecs_id == UUID(text))
    return [sa.or_(*texts)] if texts else [sa.false()]


def _says(column: Any, wanted: Wanted) -> Any:
    """Return the condition that a text has a part, or that some of its words begin like all."""
    found = column.icontains(wanted.sought, autoescape=True)
    if not wanted.words:
        return found
    apart = sa.literal(" ", literal_execute=True).concat(column)
    begins = [apart.icontains(f" {word}", autoescape=True) for word in wanted.words]
    return sa.or_(found, sa.and_(*begins))


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
