"""What tables and entity classes consist of, in plain data: columns, keys, and links."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import NoReferencedColumnError, NoReferencedTableError, SQLAlchemyError

from ecsviz.basics.once import making
from ecsviz.domain.entity_class import is_entity_class, newest_definition
from ecsviz.domain.fields import OWN_FIELDS, Shape, class_plan
from ecsviz.domain.inverse import inverse_of
from ecsviz.domain.labels import clean_text
from ecsviz.errors import short_repr
from ecsviz.graph.arrays import parts_of_classes
from ecsviz.layout import DrawingOptionError

TYPE_COLUMNS: Final = 18
"""How wide the name of a type may be, in columns."""
OWN_PREFIX: Final = "ecs_"
"""How the columns and tables begin that a store keeps for itself."""


@dataclass(frozen=True, slots=True)
class DrawnColumn:
    """A column of a table, or a field of a class.

    Attributes
    ----------
    name, kind
        The kind is what the database, or the annotation, calls its type.
    mark
        ``PK`` and ``FK`` where it is part of a key, ``UQ`` where its values are unique, ``→`` for
        a field that holds entities.
    optional
        Whether it may be empty.
    """

    name: str
    kind: str
    mark: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """A table or a class."""

    name: str
    columns: tuple[DrawnColumn, ...]


@dataclass(frozen=True, slots=True)
class DrawnLink:
    """A foreign key, or a reference of a class.

    Attributes
    ----------
    source, target
        Numbers of boxes: the one that has the key, and the one that the key leads to.
    name
        The columns or fields.
    many_sources
        Whether several rows of the source may lead to one of the target.
    many_targets
        Whether one row of the source may lead to several of the target: a list, or a set.
    optional
        Whether it may lead to none.
    source_columns, target_columns
        Between which columns it leads.
    """

    source: int
    target: int
    name: str
    many_sources: bool = True
    many_targets: bool = False
    optional: bool = False
    source_columns: tuple[str, ...] = ()
    target_columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DrawnSchema:
    """Boxes and links, what they are called, and what could not be shown."""

    boxes: tuple[Box, ...]
    links: tuple[DrawnLink, ...]
    nouns: tuple[str, str]
    note: str = ""


def schema_of(what: Any) -> DrawnSchema:
    """Return what tables or classes consist of.

    Parameters
    ----------
    what
        A ``MetaData``; anything with one as ``metadata`` (a store, a declarative base); a store
        in memory; what `read_database` returns; tables or declarative classes; entity classes.

    Raises
    ------
    DrawingOptionError
        If it is none of these.
    """
    if is_entity_class(what) or isinstance(what, sa.Table):
        what = [what]
    if isinstance(what, sa.MetaData):
        return _of_tables(what.tables.values())
    asked = getattr(what, "inside", what)  # a store's; or a database of others
    if hasattr(asked, "drawn"):
        found: sa.MetaData | list[Any] | DrawnSchema = asked.drawn()
        if isinstance(found, sa.MetaData):
            return _of_store(found)
        return _of_classes(found) if isinstance(found, list) else found
    metadata = None if isinstance(what, (str, bytes)) else getattr(what, "metadata", None)
    if isinstance(metadata, sa.MetaData) and not hasattr(what, "__table__"):
        return _of_tables(metadata.tables.values())
    listed = [what] if hasattr(what, "__table__") else _listed(what)
    if listed and all(is_entity_class(item) for item in listed):
        return _of_classes(listed)
    tables = [getattr(item, "__table__", item) for item in listed]
    if tables and all(isinstance(table, sa.Table) for table in tables):
        return _of_tables(tables)
    raise _unknown(what)


def _listed(what: Any) -> list[Any]:
    if isinstance(what, (str, bytes)) or not isinstance(what, Iterable):
        raise _unknown(what)
    return list(what.values()) if isinstance(what, Mapping) else list(what)


def _unknown(what: Any) -> DrawingOptionError:
    return DrawingOptionError(
        f"{short_repr(what)} has no tables to draw. Give a store, a SQLAlchemy MetaData, tables,"
        " or entity classes.",
        option="what",
        value=what,
    )


# -- tables ----------------------------------------------------------------------------------


def _of_store(metadata: sa.MetaData) -> DrawnSchema:
    """Leave out what a store keeps for itself: it is the same everywhere."""
    with making:  # other threads may be adding tables, and then their keys
        found = _of_tables(
            table
            for table in metadata.tables.values()
            if not table.name.startswith(OWN_PREFIX) and not table.name.endswith("_history")
        )
    boxes = [
        Box(box.name, tuple(_plain(c) for c in box.columns if not _is_own(c.name)))
        for box in found.boxes
    ]
    hidden = any(_is_own(c.name) for box in found.boxes for c in box.columns)
    note = "Columns that ecsviz keeps for itself (ecs_…) are not shown." if hidden else ""
    return DrawnSchema(
        tuple(boxes), found.links, found.nouns, " ".join(filter(None, (found.note, note)))
    )


def _plain(column: DrawnColumn) -> DrawnColumn:
    return replace(column, mark="") if column.name == "ecs_id" else column


def _is_own(name: str) -> bool:
    return name.startswith(OWN_PREFIX) and name != "ecs_id"


def _of_tables(tables: Iterable[sa.Table]) -> DrawnSchema:
    listed = sorted(tables, key=lambda table: table.fullname)
    place = {table: number for number, table in enumerate(listed)}
    links: list[DrawnLink] = []
    astray = 0
    for number, table in enumerate(listed):
        for key in sorted(table.foreign_key_constraints, key=lambda key: list(key.column_keys)):
            target = place.get(_target(key))  # type: ignore[arg-type]  # None is in no dict
            if target is None:
                astray += 1
                continue
            columns = list(key.columns)
            links.append(
                DrawnLink(
                    number,
                    target,
                    ", ".join(column.name for column in columns),
                    many_sources=not _is_unique(table, {column.name for column in columns}),
                    optional=any(column.nullable for column in columns),
                    source_columns=tuple(column.name for column in columns),
                    target_columns=tuple(element.column.name for element in key.elements),
                )
            )
    boxes = tuple(Box(table.fullname, tuple(map(_column, table.columns))) for table in listed)
    some = f"{astray:,} foreign key{'s' * (astray != 1)}"
    note = f"{some} to tables that are not here {'is' if astray == 1 else 'are'} not shown."
    return DrawnSchema(boxes, tuple(links), ("table", "foreign key"), note if astray else "")


def _target(key: sa.ForeignKeyConstraint) -> sa.Table | None:
    try:
        return key.referred_table
    except (NoReferencedTableError, NoReferencedColumnError):
        return None


def _is_unique(table: sa.Table, names: set[str]) -> bool:
    """Tell whether at most one row has any given values in some columns."""
    sets = [{c.name for c in table.primary_key.columns}]
    unique = [c for c in table.constraints if isinstance(c, sa.UniqueConstraint)]
    sets += [{column.name for column in constraint.columns} for constraint in unique]
    sets += [{c.name for c in index.columns} for index in table.indexes if index.unique]
    sets += [{c.name} for c in table.columns if c.unique]
    return any(found and found <= names for found in sets)


def _column(column: sa.Column[Any]) -> DrawnColumn:
    try:
        kind = str(column.type)
    except SQLAlchemyError:  # a type that only its dialect can write
        kind = type(column.type).__name__
    return DrawnColumn(
        column.name,
        clean_text("" if kind == "NULL" else kind, TYPE_COLUMNS),
        _mark(column),
        bool(column.nullable) and not column.primary_key,
    )


def _mark(column: sa.Column[Any]) -> str:
    keys = ["PK"] * column.primary_key + ["FK"] * bool(column.foreign_keys)
    return " ".join(keys) or "UQ" * _is_unique(column.table, {column.name})


# -- entity classes --------------------------------------------------------------------------


def _of_classes(classes: list[Any]) -> DrawnSchema:
    """Return classes and those that their fields lead to; two inverse fields are one link."""
    parts = parts_of_classes(classes)
    place = {cls: number for number, cls in enumerate(parts.nodes)}
    links: list[DrawnLink] = []
    for number, cls in enumerate(parts.nodes):
        for field in class_plan(cls).fields:
            back = inverse_of(field)
            if back is not None and field.shape != Shape.SINGLE:
                continue  # told by the class that holds one
            name = field.name if back is None else f"{field.name} ⇄ {back.name}"
            several = field.shape != Shape.SINGLE
            for target in field.targets:
                end = place[newest_definition(target)]
                optional = not field.required
                links.append(
                    DrawnLink(
                        number,
                        end,
                        name,
                        many_targets=several,
                        optional=optional,
                        source_columns=(field.name,),
                        target_columns=("ecs_id" if back is None else back.name,),
                    )
                )
    boxes = tuple(Box(name, _fields(cls)) for name, cls in zip(parts.ids, parts.nodes, strict=True))
    return DrawnSchema(boxes, tuple(links), ("class", "reference"))


def _fields(cls: type) -> tuple[DrawnColumn, ...]:
    plan = class_plan(cls)
    holding = {field.name for field in plan.fields}
    found = [DrawnColumn("ecs_id", "UUID", "id")]
    for name, info in cls.model_fields.items():  # type: ignore[attr-defined]  # a pydantic model
        if name not in OWN_FIELDS:
            kind = annotation_text(info.annotation)
            optional = kind.endswith(" | None")
            kind = kind.removesuffix(" | None")
            unique = name in plan.columns and plan.columns[name].unique
            mark = "→" if name in holding else "UQ" * unique
            found.append(DrawnColumn(name, kind, mark, optional))
    return tuple(found)


def annotation_text(annotation: Any) -> str:
    """Return an annotation as people write it: without modules, and cut.

    Examples
    --------
    >>> from decimal import Decimal
    >>> annotation_text(list[int]), annotation_text(Decimal | None)
    ('list[int]', 'Decimal | None')
    """
    text = _written(annotation)
    optional = text.endswith(" | None")
    short = clean_text(text.removesuffix(" | None"), TYPE_COLUMNS)
    return f"{short} | None" if optional else short


def _written(annotation: Any) -> str:
    # Recursive over what somebody wrote in one line, never over data.
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is None or annotation is type(None):
        return "None"
    if annotation is Ellipsis:
        return "…"
    if isinstance(annotation, typing.ForwardRef):
        return annotation.__forward_arg__
    if origin is typing.Annotated:
        return _written(parts[0])
    if origin in (typing.Union, types.UnionType):
        written = [_written(part) for part in parts]
        return " | ".join([*(w for w in written if w != "None"), *(["None"] * ("None" in written))])
    if origin is typing.Literal:
        return " | ".join(map(repr, parts))
    name = getattr(origin or annotation, "__name__", None)
    if not isinstance(name, str):
        return str(annotation).rsplit(".", 1)[-1]
    return f"{name}[{', '.join(map(_written, parts))}]" if parts and origin else name
