"""Entity class ↔ SQLAlchemy tables: one table per class, made from its annotations."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import sqlalchemy as sa

from ecsviz.basics import order
from ecsviz.basics.once import making
from ecsviz.domain.columns import NOTHING
from ecsviz.domain.entity_class import classes_named, newest_definition, type_key
from ecsviz.domain.fields import FieldPlan, Shape, class_plan
from ecsviz.domain.inverse import inverse_of
from ecsviz.domain.walk import Walk
from ecsviz.errors import DuplicateTypeError, EcsvizError, InvalidArgumentError, short_repr
from ecsviz.storage.relational.schema.arcs import Kind, arcs_in
from ecsviz.storage.relational.schema.class_maps import (
    ClassMap,
    Collection,
    InverseList,
    Layout,
    RefColumn,
    StoredType,
    ValueColumn,
    columns_in,
    of_definition,
)
from ecsviz.storage.relational.schema.declared import declare
from ecsviz.storage.relational.schema.handwritten import Handwritten
from ecsviz.storage.relational.schema.history_tables import REVISION, history_name
from ecsviz.storage.relational.schema.naming import Names, allowed_table, limited, snake, table_name
from ecsviz.storage.relational.schema.system_columns import (
    BIG,
    NAMING,
    SYSTEM_COLUMNS,
    system_columns,
)
from ecsviz.storage.sql.column_types import JSON, column_type
from ecsviz.storage.unique import scopes_of
from ecsviz.values.field_codecs import (
    check_class,
    codec_of,
    has_table,
    opaque_names,
    with_referenced,
)

__all__ = [
    "ClassMap",
    "Collection",
    "InverseList",
    "Layout",
    "Mapping",
    "RefColumn",
    "StoredType",
    "ValueColumn",
]


class Mapping:
    """The classes and tables of one state of a store.

    Parameters
    ----------
    schema
        The database schema of all tables, where the database has such.
    models
        The hand-written models: of their classes, only what these leave to the store is mapped.
    defers
        Whether the database checks at the end of a transaction whether values are unique.

    Notes
    -----
    Threads share the mapping of a state, in which classes are mapped when they are first asked
    for. What changes the state (further types, further targets of a field) happens in a `fork`
    that one transaction has for itself.
    """

    def __init__(
        self,
        schema: str | None = None,
        models: Handwritten | None = None,
        *,
        defers: bool = False,
    ) -> None:
        if schema is not None and not isinstance(schema, str):
            raise InvalidArgumentError(
                f"schema is {short_repr(schema)}. Give the name of a database's schema.",
                argument="schema",
                value=schema,
            )
        self.models = models or Handwritten()
        self.defers = defers
        self.metadata = sa.MetaData(naming_convention=NAMING, schema=schema)
        self.by_type: dict[str, ClassMap] = {}
        self.stored: dict[str, StoredType] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._arcs: dict[tuple[str, str], list[str]] = {}  # (type, field) -> further targets
        self._reserved: dict[str, str] = {}  # type → table, of what is being mapped
        self._met: dict[tuple[str, str], type] = {}  # what has been mapped, here or before a fork

    def fork(self, stored: dict[str, StoredType]) -> Mapping:
        """Return a mapping of another state of the same store, to be changed without this one.

        Notes
        -----
        Classes that are stored are mapped there when they are asked for; of the others, tables
        keep their names.
        """
        with making:
            made = Mapping(self.metadata.schema, self.models, defers=self.defers)
            made._names, made._met = dict(self._names), dict(self._met)
            made.set_stored(stored)
            made._map_again(k.cls for name, k in self.by_type.items() if name not in stored)
            return made

    def map_met(self) -> None:
        """Map every class that has been mapped, here or in a state before."""
        with making:
            self._map_again(self._met.values())

    def _map_again(self, classes: Iterable[type]) -> None:
        classes = list(classes)
        try:
            self.map_classes(classes)
        except EcsvizError:  # one has been defined anew, and cannot be mapped
            for cls in classes:
                with contextlib.suppress(EcsvizError):
                    self.map_classes([cls])

    def set_stored(self, stored: dict[str, StoredType]) -> None:
        """Take over what a store says of its types.

        Notes
        -----
        Others may have stored types and added foreign keys since; and a transaction of ours that
        did so may have failed. What is mapped otherwise than the store has it is mapped anew.
        """
        new = stored.keys() - self.stored.keys()
        self.stored = stored
        for key, name in list(self._names.items()):
            if name in new and stored[name].module != key[0]:
                del self._names[key]  # another class has taken the name
        self._arcs = {
            (type_name, name): list(place["columns"])
            for type_name, known in stored.items()
            for name, place in known.layout.items()
            if "columns" in place
        }
        taken = {table for known in stored.values() for table in known.tables}
        for type_name, known in list(self.by_type.items()):
            if type_name in stored:
                keep = known.layout() == stored[type_name].layout
                keep &= known.table.name == stored[type_name].table
            else:
                keep = taken.isdisjoint(table.name for table in known.tables)
                keep &= not any(self._learned(ref) for ref in known.singles)
                keep &= not any(self._learned(ref) for ref in known.collections)
            if not keep:
                self._drop(type_name)

    def _learned(self, ref: RefColumn | Collection) -> bool:
        return list(ref.arcs) != self._declared(ref.plan)

    # -- names -------------------------------------------------------------------------------

    def type_name(self, cls: type) -> str:
        """Return the name under which a class is stored, deciding it at the first call.

        Notes
        -----
        A class goes by its own name, or, where that is another class's, by its module and name.
        What is stored is its own if it comes from the same module. A stored type of a module
        that is not here (a notebook's class, moved) is its own if it has the same fields.
        """
        key = type_key(cls)
        found = self._names.get(key)
        if found is None:
            with making:
                found = self._names.get(key) or self._find_name(newest_definition(cls))
                self._names[key] = found
        return found

    def _find_name(self, cls: type) -> str:
        bare, module = cls.__name__, cls.__module__
        full = f"{module}.{bare}"
        taken = set(self._names.values())
        free = [name for name in (bare, full) if name not in taken]
        for name in reversed(free):
            if name in self.stored and self.stored[name].module == module:
                return name
        modules = {other.__module__ for other in classes_named(bare)}
        for name in free:
            found = self.stored.get(name)
            if found is None:
                return name
            if found.module not in modules and found.fields == self.models.describe(cls):
                return name
        others = sorted(s.module for n, s in self.stored.items() if n in (bare, full))
        raise DuplicateTypeError(
            f"{full} cannot be stored: {bare!r} and {full!r} are other types in this store"
            f" (of the modules {', '.join(others)}). Rename the class.",
            name=bare,
            modules=(module, *others),
        )

    def targets_of(self, known: ClassMap) -> list[str]:
        """Return the types that a class's fields name or have learned."""
        names = [arc.target for arc in arcs_in(known) if arc.kind is not Kind.LIST]
        members = (newest_definition(item.plan.targets[0]) for item in known.inverse_lists)
        return [*names, *map(self.type_name, members)]

    def class_of(self, type_name: str) -> type | None:
        """Return the class that is mapped to a stored type, if any is yet."""
        known = self.by_type.get(type_name)
        return known.cls if known else None

    def probe(self, type_name: str) -> sa.Table:
        """Return a table with the columns that all have; the class may be unknown here."""
        known = self.by_type.get(type_name)
        if known is not None:
            return known.table
        stored = self.stored[type_name].table
        return sa.Table(stored, sa.MetaData(), *system_columns(), schema=self.metadata.schema)

    # -- mapping -----------------------------------------------------------------------------

    def map_classes(self, classes: Iterable[type]) -> list[ClassMap]:
        """Map classes, and every class that their fields name.

        Returns
        -------
        list
            The maps of the given classes.

        Raises
        ------
        UnsupportedFieldError
            For a field that cannot be stored; nothing is mapped then.
        """
        with making:
            wanted = [newest_definition(cls) for cls in classes]
            missing = [c for c in with_referenced(wanted) if self._is_new(c)]
            if missing:
                for cls in missing:
                    if self.models.model_of(cls) is None:
                        check_class(cls)
                self._add(missing)
            return [self.by_type[self.type_name(cls)] for cls in wanted]

    def map_walk(self, found: Walk) -> list[ClassMap]:
        """Map the classes of a walk, each field with foreign keys to all that it holds there."""
        with making:
            self.map_classes(found.classes)
            for type_name, name, target in self.new_arcs(found):
                self.add_arc(type_name, name, target)
            return self.map_classes(found.classes)

    def new_arcs(self, found: Walk) -> list[tuple[str, str, str]]:
        """Return (type, field, target) for what fields hold in a walk and have no key to."""
        classes = found.classes
        names = {cls: self.type_name(cls) for cls in classes}
        # Each field once with each class that stands in it.
        kinds = np.asarray(found.kinds)[np.asarray(found.targets)]
        pairs = np.flatnonzero(
            np.bincount(np.asarray(found.slots, dtype=np.int64) * len(classes) + kinds)
        )
        held = {(int(p) // len(classes), names[classes[int(p) % len(classes)]]) for p in pairs}
        result = []
        for slot, target in sorted(held):
            plan = found.fields[slot]
            arcs = self.by_type[names[plan.owner]].arcs_of(plan.name)
            if arcs is not None and target not in arcs:
                result.append((names[plan.owner], plan.name, target))
        return result

    def _is_new(self, cls: type) -> bool:
        """Tell whether a class is unmapped, or was defined anew with other fields."""
        known = self.by_type.get(self.type_name(cls))
        if known is None:
            return True
        if known.cls is not cls:
            if self.models.describe(cls) != self.models.describe(known.cls):
                return True
            self.by_type[known.type_name] = of_definition(known, cls)
        return False

    def _add(self, classes: list[type]) -> None:
        cyclic = self._cyclic_pairs(with_referenced(classes))
        for cls in classes:
            self._remove_tables(self.type_name(cls))
        kept = set(self.metadata.tables)
        try:
            # All names first: a foreign key leads to a table by its name, and it may be made later.
            for cls in classes:
                self._reserved[self.type_name(cls)] = self._name_for(cls)
            made = [self._make(cls, cyclic) for cls in classes]
        except BaseException:
            for name in set(self.metadata.tables) - kept:
                self.metadata.remove(self.metadata.tables[name])
            for cls in classes:
                self.by_type.pop(self.type_name(cls), None)
            raise
        finally:
            self._reserved.clear()
        # Not before they are whole, and in one step: other threads look here.
        self.by_type.update((known.type_name, known) for known in made)
        self._met.update((type_key(cls), cls) for cls in classes)

    def _name_for(self, cls: type) -> str:
        type_name = self.type_name(cls)
        if type_name in self.stored:
            return self.stored[type_name].table
        name = table_name(type_name)
        if self.models.model_of(cls) is not None:
            name = limited(f"ecs_of_{name}")
        return self._tables().take_numbered(name)

    def _drop(self, type_name: str) -> None:
        self._remove_tables(type_name)
        self.by_type.pop(type_name, None)

    def _remove_tables(self, type_name: str) -> None:
        known = self.by_type.get(type_name)
        if known is not None:
            for collection in known.collections:
                self.metadata.remove(collection.table)
            self.metadata.remove(known.table)

    def _cyclic_pairs(self, classes: list[type]) -> set[tuple[str, str]]:
        """Return the pairs of types whose required references stand on a cycle of classes."""
        names = [self.type_name(cls) for cls in classes]
        number = {name: n for n, name in enumerate(names)}
        edges = [
            (n, number[self.type_name(target)])
            for n, cls in enumerate(classes)
            for plan in self.models.kept_fields(cls)
            if plan.shape == Shape.SINGLE and plan.required
            for target in map(newest_definition, plan.targets)
            if has_table(target)
        ]
        ends = np.array(edges, dtype=np.int64).reshape(-1, 2)
        labels = order.strong_components(len(classes), ends[:, 0], ends[:, 1])
        return {(names[a], names[b]) for a, b in edges if labels[a] == labels[b]}

    def _make(self, cls: type, cyclic: set[tuple[str, str]]) -> ClassMap:
        type_name = self.type_name(cls)
        stored = self.stored.get(type_name)
        layout: Layout = {} if stored is None else stored.layout
        by_hand = self.models.model_of(cls) is not None
        names = Names((*SYSTEM_COLUMNS, *columns_in(layout)))
        # As the store has them, whatever their order in the class is now: checksums go by it.
        place = {name: number for number, name in enumerate(layout)}
        fields = [] if by_hand else [*class_plan(cls).values, *opaque_names(cls)]
        fields.sort(key=lambda name: place.get(name, len(place)))
        values = [self._value_column(cls, name, names, layout) for name in fields]
        columns = (*system_columns(), *(value.column for value in values))
        table = sa.Table(self._reserved[type_name], self.metadata, *columns)
        for value in values:
            declare(table, value, defers=self.defers)
        known = ClassMap(cls, type_name, table, by_hand, values)
        plans = self.models.kept_fields(cls)
        for plan in sorted(plans, key=lambda plan: place.get(plan.name, len(place))):
            inverse = inverse_of(plan)
            kept = layout.get(plan.name, {})
            if (plan.shape == Shape.SINGLE) == ("table" in kept):
                kept = {}  # one entity has become several, or the other way: see `check_fields`
            if plan.shape == Shape.SINGLE:
                known.singles.append(self._single(known, plan, inverse, names, cyclic, kept))
            elif inverse is not None:
                known.inverse_lists.append(InverseList(plan, inverse))
            else:
                known.collections.append(self._collection(known, plan, names, kept))
        return known

    def _tables(self) -> Names:
        """Return the names of all tables, mapped ones and stored ones."""
        taken = [table.name for table in self.metadata.tables.values()]
        taken += [name for known in self.stored.values() for name in known.tables]
        taken += self._reserved.values()
        return Names([*taken, *map(history_name, taken)])

    def _value_column(self, cls: type, name: str, names: Names, layout: Layout) -> ValueColumn:
        codec, nullable = codec_of(cls, name)
        said = class_plan(cls).columns.get(name, NOTHING)
        column: sa.Column[Any] = sa.Column(
            layout.get(name, {}).get("column") or names.take(name),
            column_type(codec) if said.max_length is None else sa.String(said.max_length),
            nullable=nullable or codec.always_nullable,
        )
        (scope,) = (s for s in scopes_of(cls) if s.field == name) if said.unique else (None,)
        base = None if scope is None or scope.cls is newest_definition(cls) else scope.cls
        among = None if base is None else self.type_name(base)
        return ValueColumn(name, column, codec, nullable, said, among)

    def _single(
        self,
        known: ClassMap,
        plan: FieldPlan,
        inverse: FieldPlan | None,
        names: Names,
        cyclic: set[tuple[str, str]],
        kept: dict[str, Any],
    ) -> RefColumn:
        targets = self._targets(known.type_name, plan)
        # Of several foreign keys none can be required in itself.
        alone = kept.get("required", plan.required) and len(targets) == 1
        base = plan.option.name or plan.name
        arcs = {}
        for target in targets:
            suffix = "" if len(plan.targets) == 1 and target == targets[0] else f"_{snake(target)}"
            column = kept.get("columns", {}).get(target) or names.take(
                f"{base}{suffix}_id", f"{base}{suffix}_ref_id"
            )
            deferrable = alone and (known.type_name, target) in cyclic
            arcs[target] = self._foreign_key(known.table, column, target, alone, deferrable)
        position = None
        if inverse is not None:
            name = kept.get("position") or names.take(f"{base}_position")
            position = sa.Column(name, sa.Integer(), nullable=True)
            known.table.append_column(position)
        for column_ in arcs.values():
            columns = [column_] if position is None else [column_, position]
            sa.Index(None, *columns)
        return RefColumn(plan, arcs, position, inverse.name if inverse else None)

    def _declared(self, plan: FieldPlan) -> list[str]:
        targets = [self.type_name(t) for t in plan.targets if has_table(newest_definition(t))]
        return list(dict.fromkeys(targets))

    def _targets(self, type_name: str, plan: FieldPlan) -> list[str]:
        learned = self._arcs.get((type_name, plan.name), ())
        return list(dict.fromkeys([*self._declared(plan), *learned]))

    def _foreign_key(
        self, table: sa.Table, name: str, target: str, required: bool, deferrable: bool
    ) -> sa.Column[Any]:
        column: sa.Column[Any] = sa.Column(name, BIG, nullable=not required)
        table.append_column(column)
        options = {"deferrable": True, "initially": "DEFERRED"} if deferrable else {}
        # By name, since the target's table may not exist yet.
        schema = f"{self.metadata.schema}." if self.metadata.schema else ""
        table.append_constraint(
            sa.ForeignKeyConstraint([column], [f"{schema}{self._table_of(target)}.id"], **options)  # type: ignore[arg-type]  # the options are a bool and a str
        )
        return column

    def _table_of(self, type_name: str) -> str:
        if type_name in self._reserved:
            return self._reserved[type_name]
        if type_name in self.by_type:
            return self.by_type[type_name].table.name
        return self.stored[type_name].table

    def _collection(
        self, known: ClassMap, plan: FieldPlan, names: Names, kept: dict[str, Any]
    ) -> Collection:
        base = plan.option.name or f"{snake(known.type_name)}_{plan.name}"
        owner = f"{snake(known.type_name)}_id"
        columns = kept.get("columns", {})
        inner = Names((owner, "position", REVISION, *columns.values(), kept.get("key") or owner))
        table = sa.Table(
            kept.get("table") or self._tables().take_numbered(allowed_table(base)),
            self.metadata,
            sa.Column(owner, BIG, nullable=False),
            sa.Column("position", sa.Integer(), nullable=False),
            sa.Column(REVISION, sa.Integer(), nullable=False, server_default="0"),
            sa.PrimaryKeyConstraint(owner, "position"),
            sa.ForeignKeyConstraint([owner], [known.table.c.id]),
        )
        arcs = {}
        for target in self._targets(known.type_name, plan):
            column = columns.get(target) or inner.take(
                f"{snake(target)}_id", f"target_{snake(target)}_id"
            )
            arcs[target] = self._foreign_key(table, column, target, False, False)
            sa.Index(None, arcs[target])
        key = skeleton = None
        codec, _ = codec_of(known.cls, plan.name)
        if plan.shape == Shape.DICT:
            name = kept.get("key") or inner.take("key")
            key = ValueColumn("key", sa.Column(name, column_type(codec)), codec, False)
            table.append_column(key.column)
        if plan.shape == Shape.NESTED:
            name = kept.get("skeleton") or names.take(plan.name)
            skeleton_column: sa.Column[Any] = sa.Column(name, JSON, nullable=True)
            skeleton = ValueColumn(plan.name, skeleton_column, codec, True)
            known.table.append_column(skeleton_column)
        return Collection(plan, table, arcs, key, skeleton)

    def learn(self, type_name: str, field_name: str, targets: Iterable[str]) -> None:
        """Let a field of a class that is not mapped yet hold entities of further classes."""
        self._arcs[type_name, field_name] = list(targets)

    def add_arc(self, type_name: str, field_name: str, target: str) -> None:
        """Let a field hold entities of one more class; its class is mapped anew."""
        known = self.by_type[type_name]
        self._arcs.setdefault((type_name, field_name), []).append(target)
        self._add([known.cls])
