"""The declarative models as the text of a Python module, to be kept and edited."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable
from typing import Any, TypeVar

import sqlalchemy as sa

from ecsviz.storage.relational.models.models import arc_name, free_name
from ecsviz.storage.relational.schema.mapping import (
    ClassMap,
    Collection,
    InverseList,
    Mapping,
    RefColumn,
)
from ecsviz.storage.relational.schema.system_columns import NAMING
from ecsviz.storage.sql.column_types import JSON, JsonColumn

Named = TypeVar("Named", sa.Index, sa.UniqueConstraint)

HEAD = '''"""Declarative models of an ecsviz store, for SQLAlchemy.

Made by ``store.to_python()``, to be kept and edited. Columns that begin with ``ecs_`` are
ecsviz's own: which entity a row is, in which version, and since which revision.
"""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.orderinglist import ordering_list
from sqlalchemy.orm import DeclarativeBase, Mapped, foreign, mapped_column, relationship, remote


class Base(DeclarativeBase):
    """What all models share."""

    metadata = sa.MetaData(
        naming_convention={naming},{schema}
    )
'''


def python_source(mapping: Mapping, maps: Iterable[ClassMap]) -> str:
    """Return the text of a module with a declarative class per entity class.

    Parameters
    ----------
    mapping
        The store's.
    maps
        The classes; the classes that their columns refer to are added.

    Returns
    -------
    str
        Python that imports SQLAlchemy alone. Its ``Base.metadata`` makes the very same tables.
    """
    return ModuleText(mapping, maps).text()


class ModuleText:
    """The text of one module."""

    def __init__(self, mapping: Mapping, maps: Iterable[ClassMap]) -> None:
        self.mapping = mapping
        self.maps: dict[str, ClassMap] = {}
        todo = list(maps)
        for known in todo:
            if known.type_name in self.maps:
                continue
            self.maps[known.type_name] = known
            names = mapping.targets_of(known)
            todo += [mapping.by_type[name] for name in names if name in mapping.by_type]
        taken = {"Base", "Any", "UUID", "Decimal", "Mapped", "DeclarativeBase", "sa"}
        self.class_names = {name: _name(f"{name}SQL", taken) for name in self.maps}
        self.taken: dict[str, set[str]] = {name: {"metadata", "registry"} for name in self.maps}
        self.attributes = {
            name: {c.name: _name(c.name, self.taken[name]) for c in known.table.columns}
            for name, known in self.maps.items()
        }
        self.relation_names: dict[tuple[str, str], str] = {}
        self.table_names = {
            item.table.name: _name(item.table.name, taken)
            for known in self.maps.values()
            for item in known.collections
        }

    def text(self) -> str:
        """Return the module's text."""
        schema = self.mapping.metadata.schema
        naming = "".join(f"            {key!r}: {value!r},\n" for key, value in NAMING.items())
        head = HEAD.replace("{naming}", f"{{\n{naming}        }}").replace(
            "{schema}", f"\n        schema={schema!r}," if schema else ""
        )
        parts = [head]
        parts += [self._class(known) for known in self.maps.values()]
        for known in self.maps.values():
            parts += [self._association(item) for item in known.collections]
        return "\n\n".join(parts)

    # -- one class ---------------------------------------------------------------------------

    def _class(self, known: ClassMap) -> str:
        table = known.table
        doc = f"Rows of {table.name}: the entity class {known.cls.__name__}."
        lines = [
            f"class {self.class_names[known.type_name]}(Base):",
            f"    {_doc(doc)}",
            "",
            f"    __tablename__ = {table.name!r}",
        ]
        unique = [
            c for c in table.constraints if isinstance(c, sa.UniqueConstraint) and c.deferrable
        ]
        arguments = [self._unique(constraint) for constraint in _sorted(unique)]
        arguments += [self._index(index) for index in _sorted(table.indexes)]
        if arguments:
            lines += ["    __table_args__ = (", *(f"        {a}," for a in arguments), "    )"]
        lines.append("")
        attributes = self.attributes[known.type_name]
        lines += [self._column(column, attributes[column.name]) for column in table.columns]
        lines += self._relationships(known)
        return "\n".join(lines) + "\n"

    def _column(self, column: sa.Column[Any], attribute: str) -> str:
        kind = _python_type(column) + (" | None" if column.nullable else "")
        named = [] if attribute == column.name else [repr(column.name)]
        return (
            f"    {attribute}: Mapped[{kind}] = mapped_column("
            f"{', '.join([*named, *self._arguments(column)])})"
        )

    def _arguments(self, column: sa.Column[Any]) -> list[str]:
        result = [_type(column.type)]
        for key in column.foreign_keys:
            options = ""
            if key.constraint is not None and key.constraint.deferrable:
                options = f", deferrable=True, initially={key.constraint.initially!r}"
            result.append(f"sa.ForeignKey({key.target_fullname!r}{options})")
        if column.primary_key:
            result.append("primary_key=True")
        else:
            result.append(f"nullable={column.nullable}")
        if column.unique:
            result.append("unique=True")
        default: Any = column.server_default
        if default is not None:
            result.append(f"server_default={default.arg!r}")
        return result

    def _index(self, index: sa.Index) -> str:
        names = [column.name for column in index.columns]
        assert index.table is not None
        named = "_".join(["ix", index.table.name, *names]) != index.name
        parts = [repr(str(index.name)) if named else "None", *map(repr, names)]
        return f"sa.Index({', '.join([*parts, *['unique=True'] * bool(index.unique)])})"

    def _unique(self, constraint: sa.UniqueConstraint) -> str:
        columns = [repr(column.name) for column in constraint.columns]
        options = [f"name={str(constraint.name)!r}", f"initially={constraint.initially!r}"]
        return f"sa.UniqueConstraint({', '.join([*columns, *options, 'deferrable=True'])})"

    # -- relationships -----------------------------------------------------------------------

    def _relationships(self, known: ClassMap) -> list[str]:
        here = known.type_name
        result = []
        for ref in known.singles:
            for target in ref.arcs:
                if target in self.maps:
                    name = self._relation(here, arc_name(ref, target))
                    result.append(self._single(known, ref, target, name))
        for item in known.inverse_lists:
            listed = self._list(known, item, self._relation(here, item.name))
            result += [listed] if listed else []
        for collection in known.collections:
            for target in collection.arcs:
                if target in self.maps:
                    name = self._relation(here, arc_name(collection, target))
                    result.append(self._collection(known, collection, target, name))
        return ["", *result] if result else []

    def _of(self, type_name: str, column: str) -> str:
        """Return a column as an attribute of its model."""
        return f"{self.class_names[type_name]}.{self.attributes[type_name][column]}"

    def _relation(self, type_name: str, name: str) -> str:
        """Return what a relationship is called in its model."""
        key = (type_name, name)
        if key not in self.relation_names:
            columns = {column.name for column in self.maps[type_name].table.columns}
            wanted = free_name(name, columns)
            self.relation_names[key] = _name(wanted, self.taken[type_name])
        return self.relation_names[key]

    def _single(self, known: ClassMap, ref: RefColumn, target: str, name: str) -> str:
        key, here, there = ref.arcs[target], known.type_name, self.class_names[target]
        own, row = self._of(here, key.name), self._of(target, "id")
        kind = f"{there} | None" if key.nullable else there
        options = [
            f"primaryjoin=lambda: {own} == {row}",
            f"foreign_keys=lambda: [{own}]",
            f"remote_side=lambda: [{row}]",
        ]
        holder = self.maps[target]
        options += [
            f"back_populates={self._relation(target, item.name)!r}"
            for item in holder.inverse_lists
            if item.name == ref.inverse and self._member(item) is known
        ]
        if key.nullable:
            options.append("post_update=True")
        return _relationship(name, kind, options)

    def _member(self, item: InverseList) -> ClassMap | None:
        return self.maps.get(self.mapping.type_name(item.plan.targets[0]))

    def _list(self, known: ClassMap, item: InverseList, name: str) -> str | None:
        member = self._member(item)
        if member is None:
            return None
        ref = next(r for r in member.singles if r.name == item.back.name)
        key = ref.arcs.get(known.type_name)
        if key is None or ref.position is None:
            return None
        there = self._of(member.type_name, key.name)
        position = self._of(member.type_name, ref.position.name)
        back = self._relation(member.type_name, arc_name(ref, known.type_name))
        same = f"remote(foreign({there})) == {self._of(known.type_name, 'id')}"
        options = [
            f"primaryjoin=lambda: sa.and_({same}, remote({position}).is_not(None))",
            f"order_by=lambda: {position}",
            f"collection_class=ordering_list({position.rpartition('.')[2]!r})",
            f"back_populates={back!r}",
        ]
        if key.nullable:
            options.append("post_update=True")
        return _relationship(name, f"list[{self.class_names[member.type_name]}]", options)

    def _collection(self, known: ClassMap, item: Collection, target: str, name: str) -> str:
        owner, position = item.columns[:2]
        table = self.table_names[item.table.name]
        arc, row = f"{table}.c[{item.arcs[target].name!r}]", self._of(target, "id")
        options = [
            f"secondary=lambda: {table}",
            f"primaryjoin=lambda: {table}.c[{owner.name!r}] == {self._of(known.type_name, 'id')}",
            f"secondaryjoin=lambda: {arc} == {row}",
            f"order_by=lambda: {table}.c[{position.name!r}]",
            "viewonly=True",
        ]
        return _relationship(name, f"list[{self.class_names[target]}]", options)

    # -- association tables ------------------------------------------------------------------

    def _association(self, item: Collection) -> str:
        table = item.table
        lines = [
            f"{self.table_names[table.name]} = sa.Table(",
            f"    {table.name!r},",
            "    Base.metadata,",
        ]
        for column in table.columns:
            arguments = ", ".join([repr(column.name), *self._arguments(column)])
            lines.append(f"    sa.Column({arguments}),")
        lines += [f"    {self._index(index)}," for index in _sorted(table.indexes)]
        return "\n".join([*lines, ")\n"])


# -- small parts -----------------------------------------------------------------------------


def _relationship(name: str, kind: str, options: list[str]) -> str:
    inner = "".join(f"        {option},\n" for option in options)
    return f"    {name}: Mapped[{kind}] = relationship(\n{inner}    )"


def _name(wanted: str, taken: set[str]) -> str:
    """Return a name that Python takes and nobody has yet."""
    name = re.sub(r"\W", "_", wanted) or "_"
    name = f"_{name}" if name[0].isdigit() else name
    # Python would change a name with two leading underscores inside a class.
    name = f"x{name}" if name.startswith("__") else name
    while keyword.iskeyword(name) or name in taken:
        name += "_"
    taken.add(name)
    return name


def _doc(text: str) -> str:
    return f'"""{text}"""' if text.isprintable() and not set(text) & set('"\\') else repr(text)


def _type(kind: sa.types.TypeEngine[Any]) -> str:
    """Return a column type as Python writes it."""
    kind = JSON if isinstance(kind, JsonColumn) else kind
    text = f"sa.{kind!r}"
    for dialect, variant in kind._variant_mapping.items():
        text += f".with_variant(sa.{variant!r}, {dialect!r})"
    return text


def _python_type(column: sa.Column[Any]) -> str:
    if isinstance(column.type, (sa.JSON, JsonColumn)):
        return "Any"
    return column.type.python_type.__name__


def _sorted(named: Iterable[Named]) -> list[Named]:
    return sorted(named, key=lambda each: str(each.name))
