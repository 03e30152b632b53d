"""Migrating: tables are made to fit classes that have changed, or it is said why they cannot be."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Mapping as MappingOf
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from pydantic.fields import FieldInfo
from sqlalchemy.engine import Connection
from sqlalchemy.schema import CreateTable

from ecsviz.domain.entity_class import derives_from, newest_definition
from ecsviz.domain.fields import complete_fields
from ecsviz.errors import InvalidArgumentError, MigrationRefusedError
from ecsviz.storage.relational.save.checksums import recheck
from ecsviz.storage.relational.schema.catalog import Catalog, find_class
from ecsviz.storage.relational.schema.class_maps import columns_by_part
from ecsviz.storage.relational.schema.history_tables import (
    REVISION,
    UNTIL,
    history_name,
    history_of,
)
from ecsviz.storage.relational.schema.mapping import (
    Collection,
    Layout,
    Mapping,
    StoredType,
    ValueColumn,
)
from ecsviz.storage.relational.upkeep.class_changes import (
    Change,
    Migration,
    compare,
    declare,
    take_apart,
)
from ecsviz.storage.relational.upkeep.convert import Conversion, Marks, resolve, unchanged
from ecsviz.storage.relational.upkeep.declared_changes import (
    DeclaredChanges,
    DeclaredTable,
    has_other_length,
)
from ecsviz.storage.relational.upkeep.indexes_meanwhile import IndexesMeanwhile
from ecsviz.storage.relational.upkeep.views_and_triggers import Altered, names_of_ours, own_objects
from ecsviz.storage.sql.driver_values import read_exact
from ecsviz.storage.sql.statements import columns_of, update_rows, value_of
from ecsviz.values.codecs import JsonCodec
from ecsviz.values.column_codecs import Refused
from ecsviz.values.tagged_json import json_text

if TYPE_CHECKING:
    from alembic.operations import Operations


class Migrate:
    """One migration, in one transaction.

    Parameters
    ----------
    conn
        The transaction; for `apply`, one of ``OpenDatabase.altering``.
    catalog
        The store's, its types loaded.
    classes
        What to migrate, with subclasses; None for every stored type whose class is defined here.
    drop, rename, convert
        As for `migrate`.

    Attributes
    ----------
    migration
        What differs, and what is refused.

    Raises
    ------
    InvalidArgumentError
        If a class or a field that is named is not stored.
    """

    def __init__(
        self,
        conn: Connection,
        catalog: Catalog,
        classes: Iterable[type] | None,
        drop: Iterable[str],
        rename: MappingOf[str, str],
        convert: MappingOf[str, Callable[[Any], Any]],
    ) -> None:
        self.conn = conn
        self.types = _types(catalog, classes)
        self.declared = declare(drop, rename, self.types)
        self.declared.convert = resolve(convert, self.declared, self.types)
        self.conversions: dict[tuple[str, str], Conversion] = {}
        self.marks = Marks(conn, catalog)
        before = catalog.mapping
        mapping = Mapping(before.metadata.schema, before.models, defers=before.defers)
        self.describe = mapping.models.describe
        self.catalog = Catalog(catalog.database, mapping)
        self.stored = dict(catalog.mapping.stored)
        self.texts = IndexesMeanwhile(conn, catalog)
        mapping.set_stored({**self.stored, **self._stored_then()})
        self._keep_targets(mapping)
        self.maps = {name: mapping.map_classes([cls])[0] for name, (_, cls) in self.types.items()}
        self.migration = Migration()
        for name, (stored, cls) in self.types.items():
            layout = self.maps[name].layout()
            changes = compare(name, stored, cls, self.describe(cls), self.declared, layout)
            for change in changes:
                change.refused = change.refused or self._refused(change)
            self.migration.changes += changes
        self._check_conversions()
        parts = (self.stored, self.maps, self.declared, self.conversions)
        DeclaredChanges(conn, mapping, *parts).refuse(self.migration.changes)
        names = dict.fromkeys(change.type_name for change in self.migration.changes)
        self.alters = {name: Alter(self, name) for name in names}
        altered: dict[str, Altered] = {}
        for item in self.alters.values():
            altered |= item.altered()
        self.own = own_objects(conn, mapping.metadata.schema, altered)
        self.migration.kept = self.own.kept

    def _stored_then(self) -> dict[str, StoredType]:
        """Return the types as they will be, so that what stays keeps its columns."""
        result = {}
        for name, (stored, cls) in self.types.items():
            now = self.describe(cls)
            layout: Layout = {}
            taken = {new for (of, _), new in self.declared.rename.items() if of == name}
            for field, place in stored.layout.items():
                renamed = self.declared.now(name, field) != field
                if field not in now or renamed or field in taken:
                    continue
                kept = layout[field] = dict(place)
                if "required" in kept:
                    kept["required"] &= not take_apart(now[field], place).optional
            result[name] = StoredType(
                name, cls.__module__, stored.table, now, layout, stored.by_hand
            )
        return result

    def _keep_targets(self, mapping: Mapping) -> None:
        """Let a renamed field hold whatever classes it has held."""
        for (name, old), new in self.declared.rename.items():
            place = self.stored[name].layout.get(old, {})
            if "columns" in place:
                mapping.learn(name, new, place["columns"])

    # -- what must not be done ---------------------------------------------------------------

    def _refused(self, change: Change) -> str:
        """Return why a change cannot be made; empty if it can."""
        check = {
            "added": self._refused_added,
            "required": self._refused_required,
            "holds fewer": self._refused_fewer,
            "in a list": self._refused_list,
            "converted": self._refused_converted,
        }.get(change.what)
        return "" if check is None else check(change)

    def _count(self, table: str, *conditions: Any) -> int:
        source = sa.table(table, schema=self.catalog.metadata.schema)
        query = sa.select(sa.func.count()).select_from(source).where(*conditions)
        return int(value_of(self.conn, query) or 0)

    def _old_name(self, change: Change) -> str:
        return self.declared.before(change.type_name, change.field)

    def _old_place(self, change: Change) -> dict[str, Any]:
        return self.stored[change.type_name].layout.get(self._old_name(change), {})

    def _refused_added(self, change: Change) -> str:
        stored, cls = self.types[change.type_name]
        rows = self._count(stored.table)
        past = self._count(history_name(stored.table))
        if not rows and not past:
            return ""
        info = complete_fields(cls)[change.field]
        given = f"{rows} stored {'entity has' if rows == 1 else 'entities have'}"
        if not rows:
            given = f"{past} states of the past have"
        if info.is_required():
            return f"it has no default, and {given} no value; give the field a default"
        if info.default_factory_takes_validated_data:
            return "its default depends on other fields; give it one that does not"
        known = self.maps[change.type_name]
        value = next((v for v in known.values if v.name == change.field), None)
        try:
            if value is not None:
                default = _default(info)
                if default is None and not value.optional:
                    return "its default is None, but the field is not optional"
                value.codec.encode([default])
                return ""
            collection = next((c for c in known.collections if c.name == change.field), None)
            if collection is not None and collection.skeleton is not None:
                _skeleton(collection.skeleton, _default(info))
                return ""
        except Refused as refused:
            return f"its default {refused.why}"
        return "its default holds entities; give it an empty one" if _default(info) else ""

    def _refused_required(self, change: Change) -> str:
        stored, _ = self.types[change.type_name]
        place = self._old_place(change)
        if "columns" in place:
            nulls = [sa.column(name).is_(None) for name in place["columns"].values()]
            missing = self._count(stored.table, *nulls)
        else:
            # What a column cannot hold (NaN on SQLite) is NULL in it, and stands beside it.
            query: Any = (
                sa.select(sa.column("id"), sa.column("ecs_exact", sa.Text()))
                .select_from(sa.table(stored.table, schema=self.catalog.metadata.schema))
                .where(sa.column(place["column"]).is_(None))
            )
            rows = zip(*columns_of(self.conn, query), strict=True)
            name = self._old_name(change)
            missing = sum(name not in read_exact(stored.table, *row) for row in rows)
        if not missing:
            return ""
        return f"{missing} stored {'value is' if missing == 1 else 'values are'} None; fill them in"

    def _refused_fewer(self, change: Change) -> str:
        stored, _ = self.types[change.type_name]
        place = self._old_place(change)
        gone = set(take_apart(change.before, place).targets)
        gone -= set(take_apart(change.after, place).targets)
        for target, column in place["columns"].items():
            if target in gone:
                table = place.get("table", stored.table)
                held = self._count(table, sa.column(column).is_not(None))
                if held:
                    return f"{held} stored references lead to a {target}; let them lead elsewhere"
        return ""

    def _refused_list(self, change: Change) -> str:
        stored, _ = self.types[change.type_name]
        columns = self._old_place(change)["columns"].values()
        held = self._count(stored.table, sa.or_(*(sa.column(c).is_not(None) for c in columns)))
        if not held:
            return ""
        return (
            f"{held} stored references would have no place in the list; declare the list with"
            " ev.reference(inverse=None), and it is kept by itself"
        )

    def _refused_converted(self, change: Change) -> str:
        """Convert, so that it is known whether all can be."""
        place = change.type_name, change.field
        stored, cls = self.types[change.type_name]
        old, schema = self._old_name(change), self.catalog.metadata.schema
        self.marks.check(stored, old, cls, change.field)
        function = self.declared.convert[place]
        done = Conversion(self.conn, schema, stored, old, cls, change.field, function)
        self.conversions[place] = done
        change.values = done.count
        return done.refused

    def _check_conversions(self) -> None:
        """Raise if a column stays as it is, and so does every value in it."""
        for (name, field), done in self.conversions.items():
            if done.count and not done.changes and not done.refused:
                raise unchanged(f"{name}.{field}", "every value is returned as it is stored")

    # -- doing it ----------------------------------------------------------------------------

    def apply(self) -> None:
        """Do it.

        Raises
        ------
        MigrationRefusedError
            If something is refused; nothing is changed then.
        """
        if self.migration.refused:
            lines = "\n  ".join(self.migration.lines())
            raise MigrationRefusedError(
                f"Not every change can be made, so none was:\n  {lines}", migration=self.migration
            )
        if not self.migration:
            return
        # Late, since most sessions migrate nothing.
        from alembic.migration import MigrationContext
        from alembic.operations import Operations

        operations = Operations(MigrationContext.configure(self.conn))
        alter = self.alters
        self.own.put_away()
        self.texts.take_away(alter)
        for item in alter.values():
            item.op = operations
            item.take_away()
        self.catalog.create_targets(self.conn, [self.maps[name] for name in alter])
        for item in alter.values():
            item.add()
        for item in alter.values():
            self.catalog.write_type(self.conn, item.known)
        self.catalog.load_types(self.conn)
        for known in self.catalog.classes_of(alter):
            recheck(self.conn, known)
        self.texts.make_again(self.catalog, self.declared)
        self.own.put_back(self.migration)
        self.marks.write(self.declared, self.conversions.values())
        self.catalog.seal(self.conn)
        self.migration.applied = True


class Alter:
    """What is altered for one type, through Alembic's operations."""

    op: Operations

    def __init__(self, migrate: Migrate, name: str) -> None:
        self.conn = migrate.conn
        self.catalog = migrate.catalog
        self.known = migrate.maps[name]
        self.schema = migrate.catalog.metadata.schema
        self.declared = migrate.declared
        self.stored = migrate.stored[name]
        self.conversions = [c for (of, _), c in migrate.conversions.items() if of == name]
        # A column of another type takes the place of the old one.
        self.replaced = {conversion.old for conversion in self.conversions}
        before, new = columns_by_part(self.stored.layout), columns_by_part(self.known.layout())
        old = {
            (self.declared.now(name, field), part): column
            for (field, part), column in before.items()
            if field not in self.replaced
        }
        # By name alone; or the place in a list that was dropped by name.
        self.dropped = [
            column
            for (field, part), column in before.items()
            if (name, field) in self.declared.drop
            or field in self.replaced
            or (part == "position" and (self.declared.now(name, field), part) not in new)
        ]
        self.renamed = {c: new[key] for key, c in old.items() if key in new and new[key] != c}
        self.added = [column for key, column in new.items() if key not in old]

    def altered(self) -> dict[str, Altered]:
        """Return what is done to each table, for those who have put something beside it."""
        ours = names_of_ours(self.conn, self.stored)
        own = (set(self.dropped), self.renamed, set(self.added))
        result = {
            name: Altered(*own, ours=ours[name])
            for name in (self.stored.table, history_name(self.stored.table))
        }
        for field, place in self.stored.layout.items():
            if "table" not in place:
                continue
            kept, old = self._kept(field), place["table"]
            # A table that is renamed is made under its new name, and the old one goes.
            whole = kept is None or kept.table.name != old
            fresh = {c.name for c in kept.table.columns} if kept is not None else set()
            fresh -= set(place["columns"].values())
            for name in (old, history_name(old)):
                result[name] = Altered(added=fresh, whole=whole, ours=ours[name])
        return result

    def take_away(self) -> None:
        """Drop and rename, in the past as in the present."""
        for table in (self.known.table, history_of(self.known.table)):
            self._take_away(table.name)
            self._rename_exact(table)
        for field, place in self.stored.layout.items():
            if "table" in place and self._kept(field) is None:
                self.op.drop_table(place["table"], schema=self.schema)
                self.op.drop_table(history_name(place["table"]), schema=self.schema)

    def _take_away(self, table: str) -> None:
        gone = {*self.dropped, *self.renamed}
        if gone:
            self._declares.loosen(table, gone)
        if self.dropped:
            with self.op.batch_alter_table(table, schema=self.schema) as batch:
                for column in self.dropped:
                    batch.drop_column(column)
        if self.renamed:
            # Two fields may have changed names with each other.
            first = {c: f"ecs_renamed_{n}" for n, c in enumerate(self.renamed)}
            for names in (first, {first[c]: new for c, new in self.renamed.items()}):
                with self.op.batch_alter_table(table, schema=self.schema) as batch:
                    for column, new in names.items():
                        batch.alter_column(column, new_column_name=new)

    def _kept(self, field: str) -> Collection | None:
        """Return the collection that a stored one is now."""
        now = self.declared.now(self.stored.name, field)
        if (self.stored.name, field) in self.declared.drop:
            return None
        return next((c for c in self.known.collections if c.name == now), None)

    @property
    def _declares(self) -> DeclaredTable:
        return DeclaredTable(self.op, self.conn, self.schema, self.stored)

    def _rename_exact(self, table: sa.Table) -> None:
        """Rename and drop what stands beside the columns."""
        renamed = {o: n for (of, o), n in self.declared.rename.items() if of == self.stored.name}
        dropped = {field for of, field in self.declared.drop if of == self.stored.name}
        dropped |= self.replaced
        if renamed or dropped:
            self._rewrite_exact(
                table, lambda e: {renamed.get(k, k): v for k, v in e.items() if k not in dropped}
            )

    def _order_exact(self, table: sa.Table) -> None:
        """Put what stands beside the columns in the order of the class, as saving does.

        Otherwise the checksums would be others, and what is only read and registered a change.
        """
        names = [value.name for value in self.known.values]
        self._rewrite_exact(table, lambda exact: {n: exact[n] for n in names if n in exact})

    def _rewrite_exact(
        self, table: sa.Table, rewrite: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> None:
        exact_column = table.c.ecs_exact
        keys = list(table.primary_key.columns)
        query = sa.select(exact_column, *keys).where(exact_column.is_not(None))
        rows = []
        for text, *key in zip(*columns_of(self.conn, query), strict=True):
            kept = rewrite(read_exact(table.name, tuple(key), text))
            written = json_text(kept) if kept else None
            if written != text:
                rows.append((written, *key))
        update_rows(self.conn, table, [exact_column], rows)

    # -- adding ------------------------------------------------------------------------------

    def add(self) -> None:
        """Add columns and tables, fill in defaults, and require or allow NULL."""
        for table in (self.known.table, history_of(self.known.table)):
            self._add_columns(table, [table.c[name] for name in self.added])
            self._fill(table, set(self.added))
            for done in self.conversions:
                column = self.known.layout()[done.name]["column"]
                done.write(self.conn, table, column, past=table is not self.known.table)
            self._order_exact(table)
        self._set_types(self.known.table)
        self._declares.declare(self.known)
        olds = {self.declared.now(self.stored.name, f): p for f, p in self.stored.layout.items()}
        for collection in self.known.collections:
            place = olds.get(collection.name, {})
            if "table" not in place:
                self.catalog.create_tables(self.conn, [collection.table])
            elif place["table"] != collection.table.name:
                past = history_of(collection.table)
                self._move_rows(place, collection, place["table"], collection.table)
                self._move_rows(place, collection, history_name(place["table"]), past)
            else:
                known = place["columns"].values()
                fresh = [c.name for c in collection.arcs.values() if c.name not in known]
                for table in (collection.table, history_of(collection.table)):
                    self._add_columns(table, [table.c[name] for name in fresh])

    def _add_columns(self, table: sa.Table, columns: list[sa.Column[Any]]) -> None:
        wanted = {column.name for column in columns}
        if self.conn.dialect.supports_alter:
            wanted |= set(self.renamed.values())  # their keys were dropped by their old names
        keys = [k for k in table.foreign_key_constraints if not wanted.isdisjoint(k.column_keys)]
        if columns or keys:
            with self.op.batch_alter_table(table.name, schema=self.schema) as batch:
                for column in columns:
                    batch.add_column(sa.Column(column.name, column.type, nullable=True))
                for key in keys:
                    target = next(iter(key.elements)).column.table
                    batch.create_foreign_key(
                        str(key.name),
                        target.name,
                        list(key.column_keys),
                        ["id"],
                        referent_schema=self.schema,
                        deferrable=key.deferrable,
                        initially=key.initially,
                    )
        self._declares.add_indexes(table)

    def _set_types(self, table: sa.Table) -> None:
        """Allow or require values, and let texts be as long as is declared."""
        there = sa.inspect(self.conn).get_columns(table.name, schema=self.schema)
        ours = {column.name for column in self._own_columns()}
        wrong = []
        for found in there:
            if found["name"] in ours:
                column = table.c[found["name"]]
                longer = has_other_length(found["type"], column.type)
                if longer or found["nullable"] != column.nullable:
                    wrong.append((column, found["type"] if longer else None))
        if wrong:
            with self.op.batch_alter_table(table.name, schema=self.schema) as batch:
                for column, before in wrong:
                    batch.alter_column(
                        column.name,
                        nullable=column.nullable,
                        type_=column.type if before is not None else None,
                        existing_type=column.type if before is None else before,
                    )

    def _own_columns(self) -> list[sa.Column[Any]]:
        known = self.known
        result = [value.column for value in known.values]
        result += [column for ref in known.singles for column in ref.arcs.values()]
        return result

    def _fill(self, table: sa.Table, added: set[str]) -> None:
        """Write the defaults of added fields into the rows there are."""
        known = self.known
        converted = {done.name for done in self.conversions}
        values = [v for v in known.values if v.column.name in added and v.name not in converted]
        skeletons = [c.skeleton for c in known.collections if c.skeleton is not None]
        skeletons = [value for value in skeletons if value.column.name in added]
        if not values and not skeletons:
            return
        primary = list(table.primary_key.columns)
        texts, *keys = columns_of(self.conn, sa.select(table.c.ecs_exact, *primary))
        beside = [
            read_exact(table.name, key, text) for text, *key in zip(texts, *keys, strict=True)
        ]
        infos = complete_fields(known.cls)
        columns = []
        for value in values:
            encoded, exact = value.codec.encode([_default(infos[value.name]) for _ in texts])
            columns.append(encoded)
            for row, plain in exact.items():
                beside[row][value.name] = plain
        columns += [[_skeleton(v, _default(infos[v.name])) for _ in texts] for v in skeletons]
        columns.append([json_text(b) if b else None for b in beside])
        written = [*(table.c[v.column.name] for v in (*values, *skeletons)), table.c.ecs_exact]
        update_rows(self.conn, table, written, zip(*columns, *keys, strict=True))

    def _move_rows(
        self, place: dict[str, Any], collection: Collection, old: str, table: sa.Table
    ) -> None:
        """Make a renamed collection's table, and move the rows there."""
        self.conn.execute(CreateTable(table))
        # As they are -> as they were.
        names = {c.name: c.name for c in (*collection.columns[:2], table.c[REVISION])}
        if table is not collection.table:
            names[UNTIL] = UNTIL
        names.update({collection.arcs[to].name: column for to, column in place["columns"].items()})
        if collection.key is not None:
            names[collection.key.column.name] = place["key"]
        source = sa.table(old, *map(sa.column, names.values()), schema=self.schema)
        rows = sa.select(*(source.c[name] for name in names.values()))
        self.conn.execute(sa.insert(table).from_select(list(names), rows))
        self.op.drop_table(old, schema=self.schema)
        self._add_columns(table, [])


# -- small parts -----------------------------------------------------------------------------


def _types(catalog: Catalog, classes: Iterable[type] | None) -> dict[str, tuple[StoredType, type]]:
    """Return the stored types to migrate, with their classes."""
    mapping = catalog.mapping
    defined: dict[str, tuple[StoredType, type]] = {}
    for name, stored in mapping.stored.items():
        known = mapping.by_type.get(name)
        cls = newest_definition(known.cls) if known else find_class(stored)
        if cls is not None and mapping.type_name(cls) == name:
            defined[name] = (stored, cls)
    if classes is None:
        return defined
    result = {}
    for wanted in classes:
        kinds = {n: pair for n, pair in defined.items() if derives_from(pair[1], wanted)}
        if not kinds:
            raise InvalidArgumentError(
                f"There is nothing to migrate for {wanted.__name__}: none of its entities is"
                " stored.",
                cls=wanted,
            )
        result.update(kinds)
    return result


def _default(info: FieldInfo) -> Any:
    return info.get_default(call_default_factory=True)


def _skeleton(column: ValueColumn, default: Any) -> str | None:
    """Return a nested value without entities as its column holds it."""
    assert isinstance(column.codec, JsonCodec)
    if default is None:
        return None
    return column.codec.write(default, 0, lambda _: NotImplemented, lambda _: None)
