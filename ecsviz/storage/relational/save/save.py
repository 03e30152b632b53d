"""Saving: what differs from the store is found first, then written with bulk statements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from typing import Any
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.basics.order import Ints
from ecsviz.basics.progress import step
from ecsviz.domain.inverse import check_agreement
from ecsviz.domain.walk import Walk
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.storage.as_of import AsOf
from ecsviz.storage.checks import check_own_fields, check_version, not_there, was_deleted
from ecsviz.storage.relational.models.handwritten_rows import runs, write_rows
from ecsviz.storage.relational.save.checksums import altered_places
from ecsviz.storage.relational.save.in_session import InSession
from ecsviz.storage.relational.save.link_tables import LinkChanges, find_links, write_links
from ecsviz.storage.relational.save.list_positions import ListChanges
from ecsviz.storage.relational.save.lookup import Stored, check_new_ids, last_row_id, look_up
from ecsviz.storage.relational.save.orphans import Orphans
from ecsviz.storage.relational.save.part import Notes, Part
from ecsviz.storage.relational.save.rows import NONE, Group, Rows, SomePlaces
from ecsviz.storage.relational.save.unique import UniqueValues
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.history_tables import archive
from ecsviz.storage.relational.schema.mapping import ClassMap
from ecsviz.storage.relational.schema.seals import SEAL, reseal, seals_of, words_of
from ecsviz.storage.save_plan import (
    InsertOrder,
    NewReferences,
    SavePlan,
    Step,
    deferred_of,
    insert_order,
)
from ecsviz.storage.sql.statements import (
    as_driver,
    delete_rows,
    insert_columns,
    kept_query,
    select_by_keys,
    update_columns,
    update_rows,
    value_of,
)
from ecsviz.storage.together import TOGETHER, Together, What


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
    added_since
        See `Orphans`.
    part
        What of it has changed, where the rest is known to be as it is stored; None to look at all.
    session
        What a session's transaction has saved before.
    """

    def __init__(
        self,
        conn: Connection | None,
        catalog: Catalog,
        found: Walk,
        next_ids: dict[str, int],
        added_since: AsOf = None,
        part: Part | None = None,
        session: InSession | None = None,
    ) -> None:
        self.conn = conn
        self.session = session
        self.catalog = catalog
        self.found = found if part is None else part.found
        self.part = part
        self.next_ids = dict(next_ids)
        self.added_since = added_since
        self.gone: dict[UUID, int] = {}  # what was deleted and comes back, and its last version
        self.rows = Rows(self.found, catalog.mapping, False if part is None else part.known)
        self.stored: dict[str, Stored] = {}
        self.left_out: dict[str, Stored] = {}
        self.altered: dict[str, list[int]] = {}
        self.plan = SavePlan()
        self.lists: ListChanges
        self.orphans: Orphans
        self.unique: UniqueValues | None = None
        self.inserts: InsertOrder
        self.references = NewReferences()
        self.links: list[LinkChanges] = []
        self.new_versions: dict[int, int] = {}  # position -> version, of what is written
        self.written_by_hand: list[Any] = []
        self.made: tuple[int, bytes] | None = None  # the revision: its number and seal
        self.alone = part is not None and part.alone
        self.newest = None if conn is None else catalog.found_revision(conn)
        self.notes = Notes(self.rows, self.alone, catalog.remembered.era_of(self.newest))
        self.together: Together | None = None if conn is None else conn.info.get(TOGETHER)

    # -- finding out -------------------------------------------------------------------------

    def prepare(self) -> SavePlan:
        """Find out what is to be written; nothing is written yet.

        Raises
        ------
        StaleVersionError, DuplicateIdError, LineageError, InverseMismatchError,
        UniqueValueError, ValueNotStorableError
            If what is given and what is stored do not go together.
        """
        groups = self.rows.groups
        step("looking up")
        if not all(group.is_sound() for group in groups.values()):
            check_own_fields(self.found)
        self.notes.take()
        for name, group in groups.items():
            self.stored[name] = self._look_up(group)
        if self.part is not None:
            self.part.check(groups, self.stored)
        for name, group in self.rows.left_out.items():
            stored = self.left_out[name] = self._look_up(group)
            for place, position in enumerate(group.positions):
                if place not in stored.versions:
                    raise not_there(self.found, position)
        if self.conn is not None:
            new = {name: self._new_places(name) for name in groups}
            check_new_ids(self.conn, self.catalog.mapping, self.rows, new, self.next_ids)
        for name, group in groups.items():
            self._check_versions(name, group)
            self._allocate(name, group)
        step("encoding")
        self.rows.encode()
        step("checksums")
        self.rows.checksum()
        step("comparing")
        self.lists = ListChanges(
            self.conn, self.catalog, self.rows, self.stored, self.left_out, self.part is not None
        )
        self.lists.alone = self.alone
        self.lists.find()
        self._find_versions()
        if self.part is None:  # which has looked at that
            check_agreement(self.found, self.new_versions.__contains__)
        self.orphans = Orphans(self.conn, self.catalog, self.lists, self.added_since)
        self.orphans.find()
        if any(group.known.has_unique for group in groups.values()):
            found = UniqueValues(self.conn, self.catalog, self.rows, self.next_ids)
            found.find(self.new_versions, self.orphans.deleted)
            self.unique = found
        self._order_inserts()
        new = {name: self._new_places(name) for name in groups}
        changed = {name: self._changed_places(name) for name in groups}
        self.links = find_links(self.conn, self.rows, new, changed)
        self._describe()
        return self.plan

    def _is_table(self, known: ClassMap) -> bool:
        return self.conn is not None and known.type_name in self.catalog.mapping.stored

    def _look_up(self, group: Group) -> Stored:
        next_id = self.next_ids.get(group.known.type_name, 1)
        own = None if self.together is None else self.together.settled
        return look_up(self.conn, self.rows, group, self._is_table(group.known), next_id, own)

    def _check_versions(self, name: str, group: Group) -> None:
        held = group.own("version")
        for place, stored in self.stored[name].versions.items():
            if held[place] != stored:
                entity = self.found.entities[group.positions[place]]
                if self.session is None or not self.session.knows(entity, stored):
                    check_version(entity, stored, self.catalog.effects)
        if self.conn is not None and (new := self._new_places(name)):
            self._check_deleted(self.conn, [group.positions[place] for place in new])

    def _check_deleted(self, conn: Connection, positions: list[int]) -> None:
        gone, made = self.catalog.deleted, bool(self.catalog.mapping.stored)
        first = kept_query(gone, "any", lambda: sa.select(gone.c.version).limit(1))
        if not made or value_of(conn, first) is None:
            return
        ids = [self.found.ids[position] for position in positions]
        found = select_by_keys(conn, sa.select(*gone.c), gone.c.ecs_id, ids)
        for row in zip(*found, strict=True):
            ecs_id, _, version, revision, _ = row
            if self.together is not None and ecs_id not in self.together.before:
                self.together.buried[ecs_id] = row
            entity = self.found.entities[self.found.ids.index(ecs_id)]
            if entity.version:
                raise was_deleted(entity, version, revision)
            self.gone[ecs_id] = version

    def _allocate(self, name: str, group: Group) -> None:
        number = self.next_ids.get(name, 1)
        known = self.stored[name].versions
        if self.conn is not None and self._is_table(group.known) and len(known) < len(group.ids):
            number = max(number, last_row_id(self.conn, group.known.table) + 1)
        new = self._new_places(name)
        self.next_ids[name] = end = number + len(new)
        if len(new) == len(group.ids):
            group.ids = [*range(number, end)]
        for place, row_id in zip(new if known else (), range(number, end), strict=False):
            group.ids[place] = row_id

    def _find_versions(self) -> None:
        last = {} if self.together is None else self.together.before
        for name, group in self.rows.groups.items():
            stored = self.stored[name]
            new = self._new_places(name)
            held = group.own("version")
            positions = self._positions(group, new).tolist()
            versions = [held[place] or 1 for place in new] if any(held) else repeat(1, len(new))
            self.new_versions.update(zip(positions, versions, strict=True))
            if self.gone:
                for position in positions:
                    gone = self.gone.get(self.found.ids[position])
                    if gone:
                        self.new_versions[position] = last.get(self.found.ids[position], gone) + 1
            changed = {*self._changed_places(name), *self.lists.touched.get(name, ())}
            changed &= stored.versions.keys()
            for place in sorted(changed):
                position, version = group.positions[place], stored.before(place)
                self.new_versions[position] = last.get(self.found.ids[position], version) + 1
            self.plan.added += len(new)
            self.plan.changed += len(changed)
            self.plan.unchanged += len(stored.versions) - len(changed)
        self.plan.unchanged += 0 if self.part is None else self.part.unchanged

    def _new_places(self, name: str) -> Sequence[int]:
        known, size = self.stored[name].versions, len(self.rows.groups[name].positions)
        if not known:
            return range(size)
        return [] if len(known) == size else [n for n in range(size) if n not in known]

    def _positions(self, group: Group, places: Sequence[int]) -> Ints:
        return group.at if len(places) == len(group.at) else group.at[list(places)]

    def _changed_places(self, name: str) -> list[int]:
        """Return the places of stored entities whose own row says something else now."""
        group, stored = self.rows.groups[name], self.stored[name]
        now, away = group.checksums, self.lists.strayed.get(name, ())
        changed = [n for n, old in stored.checksums.items() if old != now[n] or n in away]
        if self.part is not None and name not in self.altered:
            same = stored.checksums.keys() - changed - self.lists.touched.get(name, set())
            same = self.notes.other_than_read(group, same) if self.alone else same
            self.altered[name] = altered_places(self.conn, group, same) if same else []
        changed += self.altered.get(name, [])
        doubtful = self.catalog.remembered.doubtful
        if doubtful:  # the checksum says what was written, and the row something else
            ids, others = group.own("ecs_id"), stored.checksums.keys() - changed
            changed += [n for n in sorted(others) if ids[n] in doubtful]
        return changed

    def _order_inserts(self) -> None:
        new = {
            name: self._positions(group, places)
            for name, group in self.rows.groups.items()
            if (places := self._new_places(name))
        }
        is_new = np.zeros(len(self.found.entities), dtype=bool)
        for positions in new.values():
            is_new[positions] = True
        for name, positions in new.items():
            group = self.rows.groups[name]
            for ref in group.known.singles:
                nullable = all(column.nullable for column in ref.arcs.values())
                targets = group.targets[ref.name][self.rows.local[positions]]
                both = (targets != NONE) & is_new[targets]
                if both.any():
                    both_ends = positions[both], targets[both]
                    self.references.add((name, ref.name), nullable, *both_ends)
        self.inserts = insert_order(new, self.references)

    # -- telling -----------------------------------------------------------------------------

    def _describe(self) -> None:
        plan, mapping = self.plan, self.catalog.mapping
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
        freed = {} if self.unique is None else self.unique.freed
        for (name, column_name), ids in freed.items():
            table = self.rows.mapping.by_type[name].table
            self._step("free", table, len(ids), "UPDATE {} SET {}", column_name)
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
        self._describe_orphans()
        self._describe_deferred()
        for name, positions in self._by_hand().items():
            model = mapping.models.model_of(self.rows.groups[name].known.cls)
            text = "from_entity(…) in a session"
            plan.steps.append(Step("model", model.__table__.name, len(positions), text))

    def _describe_orphans(self) -> None:
        by_type = self.catalog.mapping.by_type
        for name, cleared in self.orphans.cleared.items():
            for field_name, ids in cleared.items():
                text = "UPDATE {} SET {} = NULL"
                self._step("clear", by_type[name].table, len(ids), text, field_name)
        for name, deleted in self.orphans.deleted.items():
            self._step("delete", by_type[name].table, len(deleted), "DELETE FROM {}")

    def _describe_deferred(self) -> None:
        self.plan.deferred, columns = deferred_of(self.inserts, self.references, self.found)
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
        self.conn, self.together = conn, conn.info.get(TOGETHER)
        revision = self.catalog.next_revision(self.conn)
        step("writing")
        if self.unique is not None:
            self.unique.make_room(conn, revision)
        self._insert(revision)
        self._update(revision)
        step("writing references")
        write_links(conn, self.links, revision)
        self._write_deferred()
        self.lists.write(conn, revision)
        self.lists.raised |= self.orphans.clear(conn, revision)
        self._write_by_hand(conn)
        gone = self.orphans.delete(conn, revision)
        delete_rows(conn, self.catalog.deleted, [(ecs_id,) for ecs_id in self.gone])
        given = {n: i for n, i in self.next_ids.items() if n in self.inserts.types}
        self.catalog.set_next_ids(self.conn, given)
        if self.together is not None:
            self._note(self.together)
        plan, others = self.plan, len(self.lists.raised)
        self.made = self.catalog.add_revision(
            self.conn, revision, note, plan.added, plan.changed + others, gone
        )
        self.sealed = self.catalog.seal(conn, as_found=not given)
        return revision

    def _note(self, together: Together) -> None:
        """Note for a transaction of several calls what was written."""
        new = {p for positions in self.inserts.rows.values() for p in positions.tolist()}
        groups = self.rows.groups.items()
        known = {group.positions[n] for name, group in groups for n in self.stored[name].written}
        written = [(p, v - 1) for p, v in self.new_versions.items() if p not in known]
        for what, is_new in ((What.ADDED, True), (What.CHANGED, False)):
            chosen = ((self.found.ids[p], v) for p, v in written if (p in new) is is_new)
            together.note_all(what, chosen)

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
        self, group: Group, chosen: SomePlaces, revision: int, later: dict[str, Ints]
    ) -> list[list[Any]]:
        """Return the values of `_columns` for some entities, as columns for the driver.

        Parameters
        ----------
        group, chosen
            The entities.
        revision
            The revision that writes them.
        later
            Per reference the positions of those whose target is filled in afterwards.
        """
        assert self.conn is not None
        conn, pick = self.conn, chosen.of
        versions = list(map(self.new_versions.__getitem__, pick(group.positions)))
        columns: list[list[Any]] = [
            pick(group.driver_ids(conn)),
            pick(group.driver_lineages(conn)),
            pick(group.driver_parents(conn)),
            versions,
            [revision] * chosen.size,
            pick(group.checksums),
            self._seals(group, chosen, revision, (pick(group.id_bytes()), versions)),
            pick(group.exact),
        ]
        stored = [value.column for value in group.known.values]
        stored += [x.skeleton.column for x in group.known.collections if x.skeleton is not None]
        for column, values in zip(stored, group.values, strict=True):
            columns.append(as_driver(conn, column, pick(values)))
        for ref in group.known.singles:
            targets = chosen.among(group.targets[ref.name])
            if ref.name in later:
                late = np.isin(chosen.among(group.at), later[ref.name])
                targets = np.where(late, NONE, targets)
            columns += self._key_columns(list(ref.arcs), targets)
            if ref.position is not None:
                columns.append(self.lists.positions_at(group.known.type_name, ref.name, chosen))
        return columns

    def _seals(
        self, group: Group, chosen: SomePlaces, revision: int, own: tuple[list[bytes], list[int]]
    ) -> list[int]:
        """Return the seals of rows, of which ids and versions are at hand."""
        ids, versions = own
        kind = group.known.type_name
        back_of = {
            ref.position.name: ref.name for ref in group.known.singles if ref.position is not None
        }
        places = self.lists.positions
        columns: list[Any] = [
            chosen.among(self.rows.row_ids()[group.at]),
            words_of(ids, 16),
            np.array(versions, dtype=np.int64),
            np.full(chosen.size, revision),
            words_of(chosen.of(group.checksums), 8),
            *(chosen.among(places[kind, back_of[name]]) for name in sorted(back_of)),
        ]
        return seals_of(columns)

    def _key_columns(self, arcs: list[str], targets: Ints) -> list[list[Any]]:
        if len(arcs) == 1:
            return [self.rows.keys_of(targets)]
        return [self.rows.keys_of(targets, arc) for arc in arcs]

    def _late(self) -> dict[tuple[str, str], Ints]:
        """Return per column that is filled in afterwards the numbers of its new references."""
        late = np.array(self.inserts.deferred, dtype=np.int64)
        result = {}
        for number, column in enumerate(self.references.columns):
            these = late[self.references.column_of[late] == number]
            if len(these) and self.references.nullable[number]:
                result[column] = these
        return result

    def _insert(self, revision: int) -> None:
        assert self.conn is not None
        late = self._late()
        for name in self.inserts.types:
            group = self.rows.groups[name]
            places = self.rows.local[self.inserts.rows[name]]
            chosen = SomePlaces(places, len(group.positions))
            later = {
                field: self.references.sources[these]
                for (owner, field), these in late.items()
                if owner == name
            }
            columns = self._row_columns(group, chosen, revision, later)
            names = [group.known.table.c.id, *self._columns(group.known)]
            insert_columns(self.conn, group.known.table, names, [chosen.of(group.ids), *columns])

    def _update(self, revision: int) -> None:
        assert self.conn is not None
        for name, group in self.rows.groups.items():
            changed = self._changed_places(name)
            moved = [group.ids[n] for n in {*changed, *self.lists.touched.get(name, ())}]
            archive(self.conn, group.known.table, [(row_id,) for row_id in moved], revision)
            if changed:
                chosen = SomePlaces(changed, len(group.positions))
                columns = self._row_columns(group, chosen, revision, {})
                columns.append(chosen.of(group.ids))
                update_columns(self.conn, group.known.table, self._columns(group.known), columns)
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
        for (name, field_name), these in self._late().items():
            known = self.rows.groups[name].known
            single = next(s for s in known.singles if s.name == field_name)
            keys = self._key_columns(list(single.arcs), self.references.targets[these])
            ids = self.rows.row_ids()[self.references.sources[these]].tolist()
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
        self.written_by_hand = order

    def row_of(self, entity: Any) -> int | None:
        """Return the row id of an entity that is being saved, None if it is not."""
        position = self.found.position(entity)
        return None if position is None else self.rows.row_id(position)

    def finish(self) -> None:
        """Tell the entities their versions, after the transaction has ended well."""
        self.catalog.settle(self.conn)
        self.catalog.effects.note(self.lists.raised)
        for entity, version in self.versions():
            entity.__dict__["version"] = version
        changed = [*self.written(), *self.lists.raised]
        self.catalog.remembered.take_as_written(changed)
        made = None if self.made is None else (*self.made, self.sealed)
        known = None if self.orphans.deleted else changed
        remembered, came = self.catalog.remembered, self.lists.came
        self.notes.remember(remembered, self.newest, made, known, self.part, came)

    def written(self) -> list[UUID]:
        """Return the ids of what was written."""
        return [self.found.ids[position] for position in self.new_versions]

    def versions(self) -> Iterable[tuple[Any, int]]:
        """Return the entities and the versions that they have now."""
        every, written = self.found.entities, self.new_versions
        found = (
            (every[group.positions[place]], version)
            for name, group in self.rows.groups.items()
            for place, version in self.stored[name].versions.items()
            if group.positions[place] not in written
        )
        new = zip(map(every.__getitem__, written), written.values(), strict=True)
        return chain(found, new, self.lists.told())
