"""Saving: what differs from the store is found first, then written with bulk statements."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.catalog import Catalog
from ecsviz.conflicts import (
    check_lineage,
    check_own_fields,
    check_version,
    id_taken,
    left_out_is_gone,
    was_deleted,
)
from ecsviz.graph import EntityDependencyGraph
from ecsviz.history import archive
from ecsviz.inverse import check_agreement
from ecsviz.links import LinkChanges, find_links, write_links
from ecsviz.lists import ListChanges
from ecsviz.mapping import ClassMap
from ecsviz.model_rows import runs, write_rows
from ecsviz.plan import Deferred, InsertOrder, NewReference, SavePlan, Step, insert_order
from ecsviz.references import Walk
from ecsviz.rows import Group, Rows
from ecsviz.seals import SEAL, reseal, seals_of
from ecsviz.state import is_placeholder
from ecsviz.statements import delete_rows, insert_rows, select_by_keys, update_rows


@dataclass(slots=True)
class Stored:
    """What the store holds of a group's entities, by their place in the group.

    Attributes
    ----------
    versions, checksums
        Of those that are stored.
    lists
        Per back-reference with a position: place → (target type, row id of the holder, position).
    """

    versions: dict[int, int] = field(default_factory=dict)
    checksums: dict[int, bytes | None] = field(default_factory=dict)
    lists: dict[str, dict[int, tuple[str, int, int]]] = field(default_factory=dict)


class Save:
    """One save of a walk's entities.

    Parameters
    ----------
    conn
        A transaction; None where there is no database yet (`explain`).
    catalog
        The store's catalog, its types read.
    found
        The walk.
    next_ids
        Per type the next free row id.
    revived
        Ids of deleted entities that may come back.
    """

    def __init__(
        self,
        conn: Connection | None,
        catalog: Catalog,
        found: Walk,
        next_ids: dict[str, int],
        revived: Iterable[UUID] = (),
    ) -> None:
        self.conn = conn
        self.catalog = catalog
        self.found = found
        self.next_ids = dict(next_ids)
        self.revived = frozenset(revived)
        self.gone: dict[UUID, int] = {}  # what was deleted and comes back, and its last version
        self.rows = Rows(found, catalog.mapping)
        self.stored: dict[str, Stored] = {}
        self.left_out: dict[str, Stored] = {}
        self.plan = SavePlan()
        self.lists: ListChanges
        self.inserts: InsertOrder
        self.references: list[NewReference] = []
        self.links: list[LinkChanges] = []
        self.new_versions: dict[int, int] = {}  # position -> version, of what is written

    # -- finding out -------------------------------------------------------------------------

    def prepare(self) -> SavePlan:
        """Find out what is to be written; nothing is written yet.

        Raises
        ------
        StaleVersionError, DuplicateIdError, LineageError, InverseMismatchError,
        ValueNotStorableError
            If what is given and what is stored do not go together.
        """
        check_own_fields(self.found)
        groups = self.rows.groups
        for name, group in groups.items():
            self.stored[name] = self._look_up(group)
        for name, group in self.rows.left_out.items():
            stored = self.left_out[name] = self._look_up(group)
            for place, position in enumerate(group.positions):
                if place not in stored.versions:
                    raise left_out_is_gone(self.found, position)
        self._check_new_ids()
        for name, group in groups.items():
            self._check_versions(name, group)
            self._allocate(name, group)
        self.rows.encode()
        self.rows.checksum()
        self.lists = ListChanges(self.conn, self.catalog, self.rows, self.stored, self.left_out)
        self.lists.find()
        self._find_versions()
        check_agreement(self.found, self.new_versions.__contains__)
        self._order_inserts()
        new = {name: self._new_places(name) for name in groups}
        changed = {name: self._changed_places(name) for name in groups}
        self.links = find_links(self.conn, self.rows, new, changed)
        self._describe()
        return self.plan

    def _is_table(self, known: ClassMap) -> bool:
        return self.conn is not None and known.type_name in self.catalog.mapping.stored

    def _look_up(self, group: Group) -> Stored:
        result = Stored()
        group.ids = [0] * len(group.positions)
        if not self._is_table(group.known):
            return result
        table = group.known.table
        backs = [ref for ref in group.known.singles if ref.position is not None]
        wanted: list[sa.Column[Any]] = [
            table.c.ecs_id,
            table.c.id,
            table.c.ecs_version,
            table.c.ecs_lineage_id,
            table.c.ecs_checksum,
        ]
        for ref in backs:
            wanted += [*ref.arcs.values(), ref.position]  # type: ignore[list-item]  # has one
        assert self.conn is not None
        ids = [self.found.ids[position] for position in group.positions]
        columns = select_by_keys(self.conn, sa.select(*wanted), table.c.ecs_id, ids)
        place = {ecs_id.int: n for n, ecs_id in enumerate(ids)}
        places = [place[ecs_id.int] for ecs_id in columns[0]]
        for n, row_id, lineage in zip(places, columns[1], columns[3], strict=True):
            group.ids[n] = row_id
            entity = self.found.entities[group.positions[n]]
            if not is_placeholder(entity):
                check_lineage(entity, lineage)
        result.versions = dict(zip(places, columns[2], strict=True))
        result.checksums = dict(zip(places, columns[4], strict=True))
        at = 5
        for ref in backs:
            held = result.lists[ref.name] = {}
            positions = columns[at + len(ref.arcs)]
            for offset, target in enumerate(ref.arcs):
                for n, holder, position in zip(
                    places, columns[at + offset], positions, strict=True
                ):
                    if holder is not None and position is not None:
                        held[n] = (target, holder, position)
            at += len(ref.arcs) + 1
        return result

    def _check_new_ids(self) -> None:
        """Refuse an id that the store knows as an entity of another type."""
        if self.conn is None:
            return
        new = {
            name: [group.positions[place] for place in self._new_places(name)]
            for name, group in self.rows.groups.items()
        }
        for name, stored in self.catalog.mapping.stored.items():
            ids = [
                self.found.ids[position]
                for other, positions in new.items()
                if other != name
                for position in positions
            ]
            table = self.catalog.mapping.probe(name)
            for ecs_id in select_by_keys(self.conn, sa.select(table.c.ecs_id), table.c.ecs_id, ids)[
                0
            ]:
                raise id_taken(self.found, ecs_id, name, f"table {stored.table!r}")

    def _check_versions(self, name: str, group: Group) -> None:
        versions = self.stored[name].versions
        unknown = []
        for place, position in enumerate(group.positions):
            entity, stored = self.found.entities[position], versions.get(place)
            if stored is not None:
                check_version(entity, stored)
            else:
                unknown.append(position)
        if unknown and self.conn is not None:
            self._check_deleted(unknown)

    def _check_deleted(self, positions: list[int]) -> None:
        assert self.conn is not None
        gone = self.catalog.deleted
        made = bool(self.catalog.mapping.stored)
        if not made or self.conn.scalar(sa.select(gone.c.version).limit(1)) is None:
            return
        ids = [self.found.ids[position] for position in positions]
        query = sa.select(gone.c.ecs_id, gone.c.version, gone.c.revision)
        found = select_by_keys(self.conn, query, gone.c.ecs_id, ids)
        for ecs_id, version, revision in zip(*found, strict=True):
            entity = self.found.entities[self.found.ids.index(ecs_id)]
            if entity.version and ecs_id not in self.revived:
                raise was_deleted(entity, version, revision)
            self.gone[ecs_id] = version

    def _allocate(self, name: str, group: Group) -> None:
        number = self.next_ids.get(name, 1)
        known = self.stored[name].versions
        if self.conn is not None and self._is_table(group.known) and len(known) < len(group.ids):
            # Rows may have been added by others, through SQL or a session.
            highest = self.conn.scalar(sa.select(sa.func.max(group.known.table.c.id)))
            number = max(number, (highest or 0) + 1)
        for place in range(len(group.ids)):
            if place not in known:
                group.ids[place] = number
                number += 1
        self.next_ids[name] = number

    def _find_versions(self) -> None:
        for name, group in self.rows.groups.items():
            stored = self.stored[name]
            touched = self.lists.touched.get(name, set())
            for place, position in enumerate(group.positions):
                version = stored.versions.get(place)
                if version is None:
                    self.plan.added += 1
                    entity = self.found.entities[position]
                    gone = self.gone.get(entity.ecs_id)
                    self.new_versions[position] = gone + 1 if gone else max(1, entity.version)
                elif stored.checksums[place] != group.checksums[place] or place in touched:
                    self.plan.changed += 1
                    self.new_versions[position] = version + 1
                else:
                    self.plan.unchanged += 1

    def _new_places(self, name: str) -> list[int]:
        known = self.stored[name].versions
        return [n for n in range(len(self.rows.groups[name].positions)) if n not in known]

    def _changed_places(self, name: str) -> list[int]:
        """Return the places of stored entities whose own row says something else now."""
        group, stored = self.rows.groups[name], self.stored[name]
        return [n for n, old in stored.checksums.items() if old != group.checksums[n]]

    def _order_inserts(self) -> None:
        new = {
            name: [group.positions[n] for n in self._new_places(name)]
            for name, group in self.rows.groups.items()
        }
        new = {name: positions for name, positions in new.items() if positions}
        is_new = {position for positions in new.values() for position in positions}
        for name in new:
            group = self.rows.groups[name]
            for ref in group.known.singles:
                nullable = all(column.nullable for column in ref.arcs.values())
                for position, target in zip(group.positions, group.targets[ref.name], strict=True):
                    if target in is_new and position in is_new:
                        assert target is not None
                        self.references.append(
                            NewReference(position, target, (name, ref.name), nullable)
                        )
        self.inserts = insert_order(new, self.references)

    # -- telling -----------------------------------------------------------------------------

    def _describe(self) -> None:
        plan = self.plan
        mapping = self.catalog.mapping
        if plan:
            plan.order = self.inserts.types + sorted(
                name
                for name in self.rows.groups
                if name not in self.inserts.types and self._changed_places(name)
            )
        for known in (group.known for group in self.rows.groups.values()):
            if known.type_name not in mapping.stored:
                for table in (known.table, *(c.table for c in known.collections)):
                    plan.steps.append(Step("create", table.name, 0, f"CREATE TABLE {table.name}"))
            plan.inverse += [
                f"{item.plan.place} needs no rows: {item.back.place} says it"
                for item in known.inverse_lists
            ]
        for name in self.inserts.types:
            table = self.rows.groups[name].known.table
            self._step("insert", table, len(self.inserts.rows[name]), "INSERT INTO {}")
        for name, group in self.rows.groups.items():
            self._step("update", group.known.table, len(self._changed_places(name)), "UPDATE {}")
            touched = self.lists.touched.get(name, set()) - set(self._changed_places(name))
            self._step("version", group.known.table, len(touched), "UPDATE {} SET ecs_version")
        for change in self.links:
            table = change.collection.table
            self._step("unlink", table, len(change.deleted), "DELETE FROM {}")
            self._step("link", table, len(change.updated), "UPDATE {}")
            self._step("link", table, len(change.inserted), "INSERT INTO {}")
        for moved in self.lists.moves:
            table, column = moved.known.table, moved.ref.position
            assert column is not None
            self._step("position", table, len(moved.rows), "UPDATE {} SET {}", column.name)
        self._describe_deferred()
        for name, positions in self._by_hand().items():
            model = mapping.models.model_of(self.rows.groups[name].known.cls)
            text = "from_entity(…) in a session"
            plan.steps.append(Step("model", model.__table__.name, len(positions), text))

    def _describe_deferred(self) -> None:
        numbers: dict[tuple[int, str], int] = {}
        wanted = {
            (self.references[i].source, self.references[i].column[1]) for i in self.inserts.deferred
        }
        if wanted:
            for number, (source, slot) in enumerate(
                zip(self.found.sources, self.found.slots, strict=True)
            ):
                key = (source, self.found.fields[slot].name)
                if key in wanted:
                    numbers[key] = number
        columns: dict[tuple[str, str], int] = {}
        for index in self.inserts.deferred:
            ref = self.references[index]
            how = "update" if ref.nullable else "constraint"
            reference = self.found.reference(numbers[ref.source, ref.column[1]])
            self.plan.deferred.append(Deferred(reference, how))
            if ref.nullable:
                columns[ref.column] = columns.get(ref.column, 0) + 1
        for (name, field_name), count in columns.items():
            table = self.rows.groups[name].known.table
            self._step("defer", table, count, "UPDATE {} SET {}", field_name)

    def _step(
        self, what: str, table: sa.Table, rows: int, statement: str, column: str = ""
    ) -> None:
        if rows:
            text = statement.format(table.name, column)
            self.plan.steps.append(Step(what, table.name, rows, text))

    # -- writing -----------------------------------------------------------------------------

    def write(self, conn: Connection, note: str | None) -> int | None:
        """Write what `prepare` found; return the revision's number, None if nothing changed.

        Parameters
        ----------
        conn
            The transaction. Where nothing was stored yet, there was none to prepare in.
        note
            What the revision is about.
        """
        if not self.plan:
            return None
        self.conn = conn
        revision = self.catalog.next_revision(self.conn)
        self._insert(revision)
        self._update(revision)
        write_links(conn, self.links, revision)
        self._write_deferred()
        self.lists.write(conn, revision)
        self._write_by_hand(conn)
        delete_rows(conn, self.catalog.deleted, [(ecs_id,) for ecs_id in self.gone])
        self.catalog.set_next_ids(
            self.conn, {n: i for n, i in self.next_ids.items() if n in self.inserts.types}
        )
        self.catalog.add_revision(self.conn, revision, note, self.plan.added, self.plan.changed, 0)
        self.catalog.seal(conn)
        return revision

    def _columns(self, known: ClassMap) -> list[sa.Column[Any]]:
        """Return all columns but the row id, in the order of `_row_columns`."""
        c = known.table.c
        columns: list[Any] = [
            c.ecs_id,
            c.ecs_lineage_id,
            c.ecs_parent_id,
            c.ecs_version,
            c.ecs_revision,
            c.ecs_checksum,
            c[SEAL],
            c.ecs_exact,
            *(value.column for value in known.values),
            *(x.skeleton.column for x in known.collections if x.skeleton is not None),
        ]
        for ref in known.singles:
            columns += ref.arcs.values()
            if ref.position is not None:
                columns.append(ref.position)
        return columns

    def _row_columns(
        self, group: Group, places: list[int], revision: int, skip: set[tuple[int, str]]
    ) -> list[list[Any]]:
        """Return the values of `_columns` for some entities, as columns."""
        positions = [group.positions[place] for place in places]
        states = [self.found.entities[position].__dict__ for position in positions]
        columns: list[list[Any]] = [
            [state["ecs_id"] for state in states],
            [state["lineage_id"] for state in states],
            [state["parent_id"] for state in states],
            [self.new_versions[position] for position in positions],
            [revision] * len(places),
            [group.checksums[place] for place in places],
            self._seals(group, places, revision),
            [group.exact[place] for place in places],
            *([values[place] for place in places] for values in group.values),
        ]
        for ref in group.known.singles:
            targets = [group.targets[ref.name][place] for place in places]
            if skip:
                targets = [
                    None if (position, ref.name) in skip else target
                    for position, target in zip(positions, targets, strict=True)
                ]
            columns += self._key_columns(list(ref.arcs), targets)
            if ref.position is not None:
                wanted = self.lists.positions[group.known.type_name, ref.name]
                columns.append([wanted[place] for place in places])
        return columns

    def _seals(self, group: Group, places: list[int], revision: int) -> list[bytes]:
        positions = [group.positions[place] for place in places]
        columns: list[list[Any]] = [
            [group.ids[place] for place in places],
            [self.found.ids[position] for position in positions],
            [self.new_versions[position] for position in positions],
            [revision] * len(places),
            [group.checksums[place] for place in places],
        ]
        lists = {
            ref.position.name: self.lists.positions[group.known.type_name, ref.name]
            for ref in group.known.singles
            if ref.position is not None
        }
        columns += [[lists[name][place] for place in places] for name in sorted(lists)]
        return seals_of(columns)

    def _key_columns(self, arcs: list[str], targets: list[int | None]) -> list[list[Any]]:
        row_id, type_of = self.rows.row_id, self.rows.type_of
        if len(arcs) == 1:
            return [[None if t is None else row_id(t) for t in targets]]
        return [
            [row_id(t) if t is not None and type_of(t) == arc else None for t in targets]
            for arc in arcs
        ]

    def _insert(self, revision: int) -> None:
        assert self.conn is not None
        later = {
            (ref.source, ref.column[1])
            for ref in (self.references[i] for i in self.inserts.deferred)
            if ref.nullable
        }
        for name in self.inserts.types:
            group = self.rows.groups[name]
            places = [self.rows.local[position] for position in self.inserts.rows[name]]
            columns = self._row_columns(group, places, revision, later)
            ids = [group.ids[place] for place in places]
            insert_rows(
                self.conn,
                group.known.table,
                [group.known.table.c.id, *self._columns(group.known)],
                zip(ids, *columns, strict=True),
            )

    def _update(self, revision: int) -> None:
        assert self.conn is not None
        for name, group in self.rows.groups.items():
            changed = self._changed_places(name)
            moved = [group.ids[n] for n in {*changed, *self.lists.touched.get(name, ())}]
            archive(self.conn, group.known.table, [(row_id,) for row_id in moved], revision)
            if changed:
                columns = self._row_columns(group, changed, revision, set())
                ids = [group.ids[place] for place in changed]
                update_rows(
                    self.conn,
                    group.known.table,
                    self._columns(group.known),
                    zip(*columns, ids, strict=True),
                )
            touched = self.lists.touched.get(name, set()) - set(changed)
            table, places = group.known.table, sorted(touched)
            update_rows(
                self.conn,
                table,
                [table.c.ecs_version, table.c.ecs_revision],
                [(self.new_versions[group.positions[n]], revision, group.ids[n]) for n in places],
            )
            reseal(self.conn, table, group.known.positions, [group.ids[n] for n in places])

    def _write_deferred(self) -> None:
        assert self.conn is not None
        by_column: dict[tuple[str, str], list[NewReference]] = {}
        for index in self.inserts.deferred:
            ref = self.references[index]
            if ref.nullable:
                by_column.setdefault(ref.column, []).append(ref)
        for (name, field_name), references in by_column.items():
            known = self.rows.groups[name].known
            single = next(s for s in known.singles if s.name == field_name)
            keys = self._key_columns(list(single.arcs), [r.target for r in references])
            ids = [self.rows.row_id(r.source) for r in references]
            update_rows(
                self.conn, known.table, list(single.arcs.values()), zip(*keys, ids, strict=True)
            )

    def _by_hand(self) -> dict[str, list[int]]:
        """Return the positions of what hand-written models have to write, by type."""
        found = {
            name: [p for p in group.positions if p in self.new_versions]
            for name, group in self.rows.groups.items()
            if group.known.by_hand
        }
        return {name: positions for name, positions in found.items() if positions}

    def _write_by_hand(self, conn: Connection) -> None:
        written = {p for positions in self._by_hand().values() for p in positions}
        if not written:
            return
        graph = EntityDependencyGraph(self.found.entities)
        position = {id(entity): n for n, entity in enumerate(self.found.entities)}
        order = [e for e in graph.get_topological_sort() if position[id(e)] in written]
        with runs(self):
            write_rows(conn, self.catalog.mapping.models, order)

    def row_of(self, entity: Any) -> int | None:
        """Return the row id of an entity that is being saved, None if it is not."""
        position = self.found.position(entity)
        return None if position is None else self.rows.row_id(position)

    def finish(self) -> None:
        """Tell the entities their versions, after the transaction has ended well."""
        for name, group in self.rows.groups.items():
            for place, version in self.stored[name].versions.items():
                self.found.entities[group.positions[place]].__dict__["version"] = version
        for position, version in self.new_versions.items():
            self.found.entities[position].__dict__["version"] = version
