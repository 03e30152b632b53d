"""Members that a list has lost: their back-reference is cleared, or they go, or they stay its own.

A list with a back-reference is said by its members' rows. A member that was taken out of the list,
and is not saved with it, would go on naming a holder that does not hold it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.storage.as_of import AsOf
from ecsviz.storage.checks import left_behind
from ecsviz.storage.relational.past.past_catalog import revision_of
from ecsviz.storage.relational.save.checksums import recheck_rows
from ecsviz.storage.relational.save.delete import Delete
from ecsviz.storage.relational.save.list_positions import ListChanges, Lost, Moves, Raised, touch
from ecsviz.storage.relational.schema.arcs import Arc, Kind, arcs_in
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.history_tables import REVISION, as_of
from ecsviz.storage.sql.statements import columns_of, select_by_keys, update_rows, value_of

Member = tuple[str, int]
"""Type and row id."""


class Orphans:
    """What becomes of the members that the lists of one save have lost.

    Parameters
    ----------
    conn
        A transaction; None where nothing is stored yet.
    catalog
        The store's catalog, its types read.
    lists
        What changes in the lists.
    since
        The revision or time since which members that cannot be without their holder were added,
        if these are to be deleted; None if they are to be refused.

    Attributes
    ----------
    cleared
        Per type and back-reference the row ids of those that are in no list from now on.
    deleted
        Per type the row ids of those that go.
    """

    def __init__(
        self, conn: Connection | None, catalog: Catalog, lists: ListChanges, since: AsOf
    ) -> None:
        self.conn = conn
        self.catalog = catalog
        self.lists = lists
        self.since = since
        self.cleared: dict[str, dict[str, set[int]]] = {}
        self.deleted: dict[str, set[int]] = {}

    def find(self) -> None:
        """Find out what is to be written.

        Raises
        ------
        InverseMismatchError
            If a member requires its holder, and is not to be deleted.
        """
        required = [lost for lost in self.lists.lost if lost.arc.item.plan.required]
        if required:
            self._delete(required)
        for lost in self.lists.lost:
            if not lost.arc.item.plan.required:
                self._clear(lost.arc, lost.rows)

    def _clear(self, arc: Arc, rows: Iterable[int]) -> None:
        left = set(rows) - self.deleted.get(arc.target, set())
        if left:
            by_name = self.cleared.setdefault(arc.target, {})
            by_name.setdefault(arc.item.name, set()).update(left)

    def _refuse(self, arc: Arc, row_id: int) -> Any:
        assert self.conn is not None
        c = arc.table.c
        ecs_id = value_of(self.conn, sa.select(c.ecs_id).where(c.id == row_id))
        return left_behind(f"{arc.source}.{arc.field}", arc.item.plan.place, ecs_id)

    # -- deleting what was added since -------------------------------------------------------

    def _delete(self, required: list[Lost]) -> None:
        """Find what goes: members that require their holder, and those of their own lists."""
        if self.since is None:
            lost = required[0]
            raise self._refuse(lost.arc, min(lost.rows))
        assert self.conn is not None
        since = revision_of(self.conn, self.catalog, self.since)
        links = self._links(since)
        old: dict[str, set[int]] = {}
        queue = [(lost.arc, row_id) for lost in required for row_id in lost.rows]
        optional = []
        for arc, row_id in queue:  # grows while it is read
            if not arc.item.plan.required:
                optional.append((arc, row_id))
                continue
            name = arc.target
            if name not in old:
                old[name] = self._there_then(arc.table, since)
            if row_id in old[name]:
                raise self._refuse(arc, row_id)
            if row_id not in self.deleted.setdefault(name, set()):
                self.deleted[name].add(row_id)
                queue += links.get((name, row_id), ())
        for arc, row_id in optional:
            self._clear(arc, [row_id])
        for lost in required:  # or the holder's list would seem to hold them still
            rows: list[tuple[int | None, int]] = [(None, row_id) for row_id in lost.rows]
            (known,) = self.catalog.classes_of([lost.arc.target])
            self.lists.moves.append(Moves(known, lost.arc.item, rows))

    def _there_then(self, table: sa.Table, revision: int) -> set[int]:
        """Return the row ids of all that was stored in a table as of a revision."""
        assert self.conn is not None
        return set(columns_of(self.conn, sa.select(as_of(table, revision).c.id))[0])

    def _links(self, since: int) -> dict[Member, list[tuple[Arc, int]]]:
        """Return by holder the members of lists that were changed since, and are not saved now."""
        assert self.conn is not None
        result: dict[Member, list[tuple[Arc, int]]] = {}
        for known in self.catalog.classes_of(self.catalog.mapping.stored):
            group = self.lists.rows.groups.get(known.type_name)
            saved = set() if group is None else set(group.ids)
            for arc in arcs_in(known, Kind.LIST):
                query = sa.select(arc.held, arc.owner)
                query = query.where(*arc.there, known.table.c[REVISION] > since)
                for row_id, holder in zip(*columns_of(self.conn, query), strict=True):
                    if row_id not in saved:
                        result.setdefault((arc.source, holder), []).append((arc, row_id))
        return result

    # -- writing -----------------------------------------------------------------------------

    def clear(self, conn: Connection, revision: int) -> Raised:
        """Write None into the back-references; return the versions of their entities."""
        raised: Raised = {}
        for known in self.catalog.classes_of(self.cleared):
            name, table = known.type_name, known.table
            ids = sorted(set().union(*self.cleared[name].values()))
            raised |= touch(conn, self.catalog, name, ids, revision)
            for ref in (r for r in known.singles if r.name in self.cleared[name]):
                rows = sorted(self.cleared[name][ref.name])
                columns: list[Any] = [*ref.arcs.values(), ref.position]
                nothing = [None] * len(columns)
                update_rows(conn, table, columns, [(*nothing, row_id) for row_id in rows])
            recheck_rows(conn, known, ids)
        return raised

    def delete(self, conn: Connection, revision: int) -> int:
        """Delete what is to go, in a revision that is being written; return how many that are.

        Raises
        ------
        BrokenReferenceError
            If something else refers to one of them.
        """
        found: dict[UUID, tuple[str, int]] = {}
        for name, rows in self.deleted.items():
            c = self.catalog.mapping.probe(name).c
            query = sa.select(c.ecs_id, c.id)
            for ecs_id, row_id in zip(
                *select_by_keys(conn, query, c.id, sorted(rows)), strict=True
            ):
                found[ecs_id] = (name, row_id)
        if found:
            self.lists.raised |= Delete(conn, self.catalog, found).remove(revision)
        return len(found)
