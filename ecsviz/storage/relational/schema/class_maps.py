"""One entity class, its table and its columns, and what a store says of a type."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from ecsviz.domain.columns import NOTHING, ColumnRule
from ecsviz.domain.fields import FieldPlan, class_plan
from ecsviz.domain.inverse import inverse_of
from ecsviz.storage.sql.column_types import JsonColumn, column_type
from ecsviz.values.codecs import Codec
from ecsviz.values.field_codecs import codec_of

Layout = dict[str, dict[str, Any]]
"""Per field, where the store keeps it: ``column``, with the base among whose values it is
``unique``; or ``columns`` (target type → column) with
``required``, ``position`` and ``inverse``; or ``columns`` with ``table``, ``key``, ``skeleton``."""


@dataclass(slots=True)
class ValueColumn:
    """A field that holds no entity, and its column.

    Attributes
    ----------
    optional
        Whether the field may be None.
    said
        What the class declares of the column.
    among
        Where its values are unique among those of a base class too: the type of that.
    """

    name: str
    column: sa.Column[Any]
    codec: Codec
    optional: bool
    said: ColumnRule = NOTHING
    among: str | None = None

    @property
    def place(self) -> dict[str, Any]:
        """Where it is kept, as the store notes it."""
        said = {} if self.among is None else {"unique": self.among}
        return {"column": self.column.name, **said}


@dataclass(slots=True)
class RefColumn:
    """A field that holds one entity: a foreign key per class of what it holds.

    Attributes
    ----------
    arcs
        Type name of the target → its foreign key column. One of them is set.
    position
        Where the field is the back-reference of a list: the place in that list.
    inverse
        The name of that list's field.
    """

    plan: FieldPlan
    arcs: dict[str, sa.Column[Any]]
    position: sa.Column[Any] | None
    inverse: str | None

    @property
    def name(self) -> str:
        """The field."""
        return self.plan.name


@dataclass(slots=True)
class InverseList:
    """A list that its members' back-references say: it needs no table."""

    plan: FieldPlan
    back: FieldPlan

    @property
    def name(self) -> str:
        """The field."""
        return self.plan.name


@dataclass(slots=True)
class Collection:
    """A field with an association table: a row per reference.

    Attributes
    ----------
    key
        For a dictionary, the column of its keys.
    skeleton
        For nested values, the column of the owner's table that holds the value with numbered
        places for its references.
    """

    plan: FieldPlan
    table: sa.Table
    arcs: dict[str, sa.Column[Any]]
    key: ValueColumn | None
    skeleton: ValueColumn | None

    @property
    def name(self) -> str:
        """The field."""
        return self.plan.name

    @property
    def columns(self) -> list[sa.Column[Any]]:
        """The columns: owner, position, a foreign key per class, and the key if there is one."""
        keys = [] if self.key is None else [self.key.column]
        return [*list(self.table.columns)[:2], *self.arcs.values(), *keys]


@dataclass(slots=True)
class ClassMap:
    """One entity class, its table and its columns.

    Attributes
    ----------
    by_hand
        Whether its values are in a table of the user's; see `handwritten`.
    """

    cls: type
    type_name: str
    table: sa.Table
    by_hand: bool
    values: list[ValueColumn] = field(default_factory=list)
    singles: list[RefColumn] = field(default_factory=list)
    inverse_lists: list[InverseList] = field(default_factory=list)
    collections: list[Collection] = field(default_factory=list)

    def arcs_of(self, name: str) -> dict[str, sa.Column[Any]] | None:
        """Return the foreign keys of a field by target; None for a list that has none."""
        for ref in self.singles:
            if ref.name == name:
                return ref.arcs
        for collection in self.collections:
            if collection.name == name:
                return collection.arcs
        return None

    @property
    def positions(self) -> list[str]:
        """The names of the columns that hold places in lists."""
        return [ref.position.name for ref in self.singles if ref.position is not None]

    @property
    def references(self) -> list[RefColumn | InverseList | Collection]:
        """Every field that holds entities."""
        return [*self.singles, *self.inverse_lists, *self.collections]

    @property
    def has_unique(self) -> bool:
        """Whether a value has to be unique."""
        return any(value.said.unique for value in self.values)

    @property
    def changing(self) -> tuple[str, ...]:
        """The fields whose values can change while they stay the same objects."""
        values = [value.name for value in self.values if not value.codec.is_of_atoms]
        lists = [item.name for item in self.inverse_lists]
        return (*values, *lists, *(item.name for item in self.collections))

    @property
    def tables(self) -> list[sa.Table]:
        """The table of the entities and those of their collections."""
        return [self.table, *(collection.table for collection in self.collections)]

    def layout(self) -> Layout:
        """Return where every field is kept, as the store notes it."""
        result: Layout = {value.name: value.place for value in self.values}
        for ref in self.singles:
            result[ref.name] = {
                "columns": {target: column.name for target, column in ref.arcs.items()},
                "required": any(not column.nullable for column in ref.arcs.values()),
                "position": None if ref.position is None else ref.position.name,
                "inverse": ref.inverse,
            }
        for item in self.collections:
            result[item.name] = {
                "table": item.table.name,
                "columns": {target: column.name for target, column in item.arcs.items()},
                "key": None if item.key is None else item.key.column.name,
                "skeleton": None if item.skeleton is None else item.skeleton.column.name,
            }
        return result


@dataclass(frozen=True, slots=True)
class StoredType:
    """A type as a store describes it."""

    name: str
    module: str
    table: str
    fields: dict[str, str]
    layout: Layout = field(default_factory=dict)
    by_hand: bool = False

    @property
    def positions(self) -> list[str]:
        """The names of the columns that hold places in lists."""
        return [place["position"] for place in self.layout.values() if place.get("position")]

    @property
    def tables(self) -> list[str]:
        """The names of its tables."""
        kept = (place.get("table") for place in self.layout.values())
        return [self.table, *(name for name in kept if name is not None)]


def of_definition(known: ClassMap, cls: type) -> ClassMap:
    """Return a map that speaks of a newer definition with the same fields."""
    plans = {plan.name: plan for plan in class_plan(cls).fields}
    lists = []
    for item in known.inverse_lists:
        plan = plans[item.name]
        lists.append(InverseList(plan, inverse_of(plan) or item.back))
    collections = []
    for collection in known.collections:
        columns = [
            column and replace(column, codec=codec_of(cls, collection.name)[0])
            for column in (collection.key, collection.skeleton)
        ]
        plan = plans[collection.name]
        collections.append(replace(collection, plan=plan, key=columns[0], skeleton=columns[1]))
    values = []
    for value in known.values:
        codec, optional = codec_of(cls, value.name)
        if isinstance(value.column.type, JsonColumn):
            value.column.type = column_type(codec)  # which makes objects of the newer classes
        values.append(replace(value, codec=codec, optional=optional))
    singles = [replace(ref, plan=plans[ref.name]) for ref in known.singles]
    return replace(
        known,
        cls=cls,
        values=values,
        singles=singles,
        inverse_lists=lists,
        collections=collections,
    )


def columns_in(layout: Layout) -> list[str]:
    """Return the names of all columns that a type's own table has."""
    names: list[str] = []
    for place in layout.values():
        names += [place[key] for key in ("column", "position", "skeleton") if place.get(key)]
        if "table" not in place:
            names += place.get("columns", {}).values()
    return names


def columns_by_part(layout: Layout) -> dict[tuple[str, str], str]:
    """Return the columns of a type's own table by field and part."""
    result = {}
    for name, place in layout.items():
        for part in ("column", "position", "skeleton"):
            if place.get(part):
                result[name, part] = place[part]
        if "table" not in place:
            for target, column in place.get("columns", {}).items():
                result[name, f"to {target}"] = column
    return result
