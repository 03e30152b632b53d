"""Deleting: entities that nothing else refers to."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.storage.checks import still_held
from ecsviz.storage.relational.models.handwritten_rows import delete_rows_of
from ecsviz.storage.relational.save.list_positions import Raised, touch
from ecsviz.storage.relational.schema.arcs import Kind, arcs_in
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.history_tables import archive
from ecsviz.storage.relational.schema.mapping import ClassMap
from ecsviz.storage.relational.schema.seals import digest
from ecsviz.storage.sql.statements import (
    columns_of,
    delete_rows,
    insert_rows,
    key_condition,
    select_by_keys,
    update_rows,
)
from ecsviz.storage.together import TOGETHER, Together, What


class Delete:
    """One deletion.

    Parameters
    ----------
    conn
        A transaction.
    catalog
        The store's catalog, its types read.
    found
        Per id the type and row id.

    Notes
    -----
    Statements grow with classes, not with entities.
    """

    def __init__(
        self, conn: Connection, catalog: Catalog, found: dict[UUID, tuple[str, int]]
    ) -> None:
        self.conn = conn
        self.catalog = catalog
        self.found = found
        self.rows: dict[str, list[int]] = {}
        for name, row_id in found.values():
            self.rows.setdefault(name, []).append(row_id)
        self.maps = {known.type_name: known for known in catalog.classes_of(catalog.mapping.stored)}

    def run(self) -> Raised:
        """Delete, as a revision; return the versions of those whose lists have lost something.

        Raises
        ------
        BrokenReferenceError
            If something that stays refers to what is to go.
        """
        revision = self.catalog.next_revision(self.conn)
        raised = self.remove(revision)
        self.catalog.add_revision(self.conn, revision, None, 0, len(raised), len(self.found))
        self.catalog.seal(self.conn)
        return raised

    def remove(self, revision: int) -> Raised:
        """Delete in a revision that somebody else notes; as `run`."""
        holders = [place for known in self.maps.values() for place in self._holders(known)]
        if holders:
            raise still_held(holders)
        raised: Raised = {}
        for name, others in self._lists_of_others().items():
            raised |= touch(self.conn, self.catalog, name, others, revision)
        self._note(revision)
        self._archive(revision)
        for name in self.rows:
            if self.maps[name].by_hand:
                gone = [ecs_id for ecs_id, (other, _) in self.found.items() if other == name]
                delete_rows_of(self.conn, self.catalog.mapping.models, self.maps[name].cls, gone)
        self._loosen()
        for name, ids in self.rows.items():
            table = self.maps[name].table
            delete_rows(self.conn, table, [(row_id,) for row_id in ids])
        return raised

    def _holders(self, known: ClassMap) -> list[str]:
        """Return the places in entities of one class, not deleted, that refer to what is."""
        table, own = known.table, set(self.rows.get(known.type_name, ()))
        result: list[str] = []
        for arc in arcs_in(known):
            if arc.kind is Kind.LIST:
                continue
            names = [arc.owner] if arc.has_table else [arc.owner, table.c.ecs_id]
            ids, place = self.rows.get(arc.target, []), f"{known.type_name}.{arc.field}"
            rows = zip(*select_by_keys(self.conn, sa.select(*names), arc.held, ids), strict=True)
            others = [ecs_id for row_id, *ecs_id in rows if row_id not in own]
            if arc.has_table:
                result += [place] if others else []
            else:
                result += [f"{place} of {ecs_id}" for (ecs_id,) in others]
        return result

    def _lists_of_others(self) -> dict[str, set[int]]:
        """Return, per type, who stays and has what goes in a list.

        Notes
        -----
        Only what goes says that it is there, so it is not in the way.
        """
        result: dict[str, set[int]] = {}
        for name, ids in self.rows.items():
            known = self.maps[name]
            for arc in arcs_in(known, Kind.LIST):
                query = sa.select(arc.owner).where(*arc.there)
                found = select_by_keys(self.conn, query, arc.held, sorted(ids))[0]
                stays = set(found) - set(self.rows.get(arc.source, ()))
                if stays:
                    result.setdefault(arc.source, set()).update(stays)
        return result

    def _note(self, revision: int) -> None:
        """Remember what was deleted, so that no older copy brings it back unnoticed."""
        gone = self.catalog.deleted
        rows = []
        for name, ids in self.rows.items():
            table = self.maps[name].table
            query = sa.select(table.c.ecs_id, table.c.ecs_version)
            found = select_by_keys(self.conn, query, table.c.id, ids)
            rows += [
                (i, name, version, revision, digest((i.bytes, name, version, revision)))
                for i, version in zip(*found, strict=True)
            ]
        together: Together | None = self.conn.info.get(TOGETHER)
        if together is not None:
            together.note_all(What.DELETED, ((row[0], row[2]) for row in rows))
        insert_rows(
            self.conn,
            gone,
            list(gone.c),
            rows,
        )

    def _archive(self, revision: int) -> None:
        """Keep the rows of what goes, for those who look at the past."""
        for name, ids in self.rows.items():
            known = self.maps[name]
            archive(self.conn, known.table, [(row_id,) for row_id in ids], revision)
            for collection in known.collections:
                keys = collection.columns[:2]
                links = select_by_keys(self.conn, sa.select(*keys), keys[0], ids)
                archive(self.conn, collection.table, list(zip(*links, strict=True)), revision)

    def _loosen(self) -> None:
        """Take out the references among what is deleted, so that the rows go in any order."""
        for name, ids in self.rows.items():
            known = self.maps[name]
            for collection in known.collections:
                keys = list(collection.table.primary_key.columns)
                condition = key_condition(self.conn, keys[0], ids)
                links = columns_of(self.conn, sa.select(*keys).where(condition))
                delete_rows(self.conn, collection.table, zip(*links, strict=True))
            columns = [a.held for a in arcs_in(known, Kind.SINGLE) if not a.required]
            if columns:
                rows = [(*([None] * len(columns)), row_id) for row_id in ids]
                update_rows(self.conn, known.table, columns, rows)
        # Required ones are deferrable where they can form a cycle; what holds goes before what
        # is held otherwise.
        self.rows = {name: self.rows[name] for name in self._order() if name in self.rows}

    def _order(self) -> list[str]:
        """Return the types, holders first, as far as required references tell."""
        result: dict[str, None] = {}
        left = dict.fromkeys(self.maps)
        needs = {
            name: {a.target for a in arcs_in(known, Kind.SINGLE) if a.required} - {name}
            for name, known in self.maps.items()
        }
        while left:
            held = set().union(*(needs[name] for name in left))
            free = [name for name in left if name not in held] or list(left)
            for name in free:
                result[name] = None
                del left[name]
        return list(result)
