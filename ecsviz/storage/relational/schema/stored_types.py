"""What a store says of itself, which others may have edited: its settings and its types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.domain.entity_class import classes_named, known_entity_classes
from ecsviz.domain.fields import class_plan
from ecsviz.errors import (
    EcsvizError,
    SchemaOutdatedError,
    StorageCorruptError,
    UnknownTypeError,
    did_you_mean,
    short_repr,
)
from ecsviz.storage.relational.schema.history_tables import REVISION
from ecsviz.storage.relational.schema.mapping import ClassMap, Layout, StoredType
from ecsviz.storage.relational.schema.naming import can_be_name, snake
from ecsviz.storage.relational.schema.system_columns import SYSTEM_COLUMNS
from ecsviz.storage.sql.statements import Query, columns_of, kept_query
from ecsviz.values.field_codecs import describe
from ecsviz.values.tagged_json import read_json
from ecsviz.values.unfit import invalid

Tell = Callable[[str, str], None]
"""Is told the name of a type, and why what the store says of it cannot be read."""


def setting_number(key: str, text: str | None) -> int:
    """Return a number that ``ecs_store`` says; 0 if it says nothing.

    Raises
    ------
    StoredDataInvalidError
        If it is none.
    """
    if text is not None and not (text.isascii() and text.isdigit() and len(text) < 10):
        raise invalid("ecs_store", "value", key, "is no whole number")
    return int(text or 0)


def setting_object(key: str, text: str | None) -> dict[str, Any]:
    """Return an object that ``ecs_store`` says as JSON; an empty one if it says nothing.

    Raises
    ------
    StoredDataInvalidError
        If it is none.
    """
    try:
        found = read_json(text or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise invalid("ecs_store", "value", key, "is not what ecsviz writes there")
    return found


def read_types(
    conn: Connection, table: sa.Table, where: str, tell: Tell | None
) -> tuple[dict[str, StoredType], dict[str, int]]:
    """Return which types are stored, and their next free row ids.

    Parameters
    ----------
    conn, table, where
        A transaction, the table ``ecs_types``, and what the database is called.
    tell
        Is told the name of a type that cannot be read, and why; it is left out. If None, the
        first one is an error.

    Raises
    ------
    StorageCorruptError
        If what the store says of a type cannot be read.
    """
    wrong: dict[int, str] = {}
    names = table.c.keys()

    def unfit(column: int, row: int, why: str) -> None:
        wrong.setdefault(row, f"{names[column]} {why}")

    types: dict[str, StoredType] = {}
    next_ids: dict[str, int] = {}
    rows = list(zip(*columns_of(conn, types_query(table), unfit=unfit), strict=True))
    every = frozenset(row[0] for row in rows)
    for number, (name, *said, next_id) in enumerate(rows):
        why = wrong.get(number, "")
        if not why:
            try:
                types[name] = _read_type((name, *said), every)
                next_ids[name] = _row_number(next_id)
                continue
            except ValueError as err:
                types.pop(name, None)
                why = str(err)
        if tell is None:
            raise StorageCorruptError(
                f"{where}: what ecs_types says of {short_repr(name)} cannot be read: {why}."
                " store.verify() lists all such rows; restore the store from a backup.",
                table=table.name,
                column=why.partition(" ")[0],
                row_id=name,
                type_name=name,
            )
        tell(name if type(name) is str else "", why)
    return types, next_ids


def types_query(table: sa.Table) -> Query:
    """Return the query for all that ``ecs_types`` says."""
    return kept_query(table, "all", lambda: sa.select(table).order_by(table.c.name))


@lru_cache(maxsize=1_000)  # every transaction reads them; mostly they are as before
def _read_type(row: tuple[Any, ...], every: frozenset[Any]) -> StoredType:
    """Return a type as a row of ``ecs_types`` describes it.

    Parameters
    ----------
    row
        Its name, module, table, whether it is by hand, fields and layout.
    every
        The names of all types that are stored.

    Raises
    ------
    ValueError
        Naming the column first, if it is not what ecsviz writes.
    """
    name, module, table, by_hand, *texts = row
    if not can_be_name(table):
        raise ValueError("table_name is no name that a table can have")
    fields, layout = (
        _object(text, column) for text, column in zip(texts, ("fields", "layout"), strict=True)
    )
    for field_name, what in fields.items():
        if type(what) is not str:
            raise ValueError(f"fields says no type of {short_repr(field_name)}")
    for field_name, place in layout.items():
        why = _wrong_place(place, every)
        if why:
            raise ValueError(f"layout says of {short_repr(field_name)} {why}")
    if twice := _named_twice(name, table, layout):
        raise ValueError(f"layout says {short_repr(twice)} twice")
    return StoredType(name, module, table, fields, layout, by_hand)


def _object(text: str, column: str) -> dict[str, Any]:
    try:
        found = read_json(text)
    except ValueError as err:
        raise ValueError(f"{column} is not what ecsviz writes: {err}") from None
    if type(found) is not dict:
        raise ValueError(f"{column} is not what ecsviz writes: it is no object")
    return found


def _wrong_place(place: Any, every: frozenset[Any]) -> str:
    """Return what is wrong with what a layout says of a field; nothing if it can be read."""
    if not isinstance(place, dict):
        return "nothing that can be read"
    if "columns" not in place:
        if type(place.get("unique", "")) is not str:
            return "no name of a type as unique"
        return "" if _is_name(place.get("column")) else "no column"
    for key in ("position", "inverse", "table", "key", "skeleton"):
        if place.get(key) is not None and not _is_name(place[key]):
            return f"no name as {key}"
    if type(place.get("required", True)) is not bool:
        return "neither true nor false as required"
    columns = place["columns"]
    if not isinstance(columns, dict) or not all(map(_is_name, columns.values())):
        return "no names as columns"
    unknown = columns.keys() - every
    if unknown:
        return f"that it leads to {short_repr(min(unknown))}, which is no stored type"
    return ""


def _named_twice(type_name: str, table: str, layout: Layout) -> str:
    """Return the name of a column or a table that stands for two; nothing if there is none."""
    columns, tables = list(SYSTEM_COLUMNS), [table]
    groups = [columns, tables]
    for place in layout.values():
        said = {key: name for key, name in place.items() if type(name) is str}
        columns += [said[key] for key in ("column", "position", "skeleton") if key in said]
        arcs = place.get("columns", {}).values()
        if "table" in said:
            tables.append(said["table"])
            own = (f"{snake(type_name)}_id", "position", REVISION)
            groups.append([*own, *arcs, *([said["key"]] if "key" in said else ())])
        else:
            columns += arcs
    twice = (name for group in groups for name, count in Counter(group).items() if count > 1)
    return next(twice, "")


def _is_name(said: Any) -> bool:
    return type(said) is str and can_be_name(said)


def _row_number(number: int) -> int:
    """Return the next free row id that a row says; ValueError if it can be none."""
    if not 0 < number < 2**62:
        raise ValueError("next_id is no number that a row can have")
    return number


def fields_of(cls: type) -> dict[str, str] | None:
    """Return what a store would say of a class; None if it cannot be told yet."""
    try:
        class_plan(cls)
        return describe(cls)
    except EcsvizError:
        return None  # it refers to a class that is not defined yet


def unknown_type(stored: StoredType) -> UnknownTypeError:
    """Return the error for a stored type without a class."""
    bare = stored.name.rpartition(".")[2]
    same = [cls for cls in classes_named(bare) if fields_of(cls) != stored.fields]
    fields = ", ".join(f"{name}: {kind}" for name, kind in list(stored.fields.items())[:8])
    hint = did_you_mean(bare, [cls.__name__ for cls in known_entity_classes()])
    if same:
        hint = (
            f" There is {same[0].__module__}.{bare}, but its fields are others than those of"
            f" {stored.module}.{bare}."
        )
    return UnknownTypeError(
        f"The store holds entities of type {stored.name!r} (table {stored.table!r}, {fields}),"
        f" and no such class is defined here.{hint} Define the class {bare}, or import the module"
        " that does, and try again.",
        type_name=stored.name,
        table=stored.table,
    )


def otherwise_stored(stored: StoredType, known: ClassMap) -> SchemaOutdatedError:
    """Return the error for a class whose hand-written model came or went."""
    name = known.cls.__name__
    text = (
        f"{name} is stored here through a hand-written model, and none was given. Open the store"
        f" with models={{{name}: …}}."
        if stored.by_hand
        else f"{name} is stored here in the table {stored.table!r}, which ecsviz made. Leave it"
        " out of models=, or name another store."
    )
    return SchemaOutdatedError(text, cls=known.cls, table=stored.table)
