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
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.history_tables import REVISION, as_of
from ecsviz.storage.relational.schema.mapping import ClassMap, RefColumn
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
        required = [lost for lost in self.lists.lost if lost.ref.plan.required]
        if required:
            self._delete(required)
        for lost in self.lists.lost:
            if not lost.ref.plan.required:
                self._clear(lost.known, lost.ref, lost.rows)

    def _clear(self, known: ClassMap, ref: RefColumn, rows: Iterable[int]) -> None:
        left = set(rows) - self.deleted.get(known.type_name, set())
        if left:
            by_name = self.cleared.setdefault(known.type_name, {})
            by_name.setdefault(ref.name, set()).update(left)

    def _refuse(self, known: ClassMap, ref: RefColumn, holder: str, row_id: int) -> Any:
        assert self.conn is not None
        c = known.table.c
        ecs_id = value_of(self.conn, sa.select(c.ecs_id).where(c.id == row_id))
        return left_behind(f"{holder}.{ref.inverse}", ref.plan.place, ecs_id)

    # -- deleting what was added since -------------------------------------------------------

    def _delete(self, required: list[Lost]) -> None:
        """Find what goes: members that require their holder, and those of their own lists."""
        if self.since is None:
            lost = required[0]
            raise self._refuse(lost.known, lost.ref, lost.holder, min(lost.rows))
        assert self.conn is not None
        since = revision_of(self.conn, self.catalog, self.since)
        links = self._links(since)
        old: dict[str, set[int]] = {}
        queue: list[tuple[ClassMap, RefColumn, str, int]] = []
        for lost in required:
            queue += [(lost.known, lost.ref, lost.holder, row_id) for row_id in lost.rows]
        optional = []
        for known, ref, holder, row_id in queue:  # grows while it is read
            if not ref.plan.required:
                optional.append((known, ref, row_id))
                continue
            name = known.type_name
            if name not in old:
                old[name] = self._there_then(known, since)
            if row_id in old[name]:
                raise self._refuse(known, ref, holder, row_id)
            if row_id not in self.deleted.setdefault(name, set()):
                self.deleted[name].add(row_id)
                queue += [(*link, name, member) for *link, member in links.get((name, row_id), ())]
        for known, ref, row_id in optional:
            self._clear(known, ref, [row_id])
        for lost in required:  # or the holder's list would seem to hold them still
            rows: list[tuple[int | None, int]] = [(None, row_id) for row_id in lost.rows]
            self.lists.moves.append(Moves(lost.known, lost.ref, rows))

    def _there_then(self, known: ClassMap, revision: int) -> set[int]:
        """Return the row ids of all that was stored as of a revision."""
        assert self.conn is not None
        return set(columns_of(self.conn, sa.select(as_of(known.table, revision).c.id))[0])

    def _links(self, since: int) -> dict[Member, list[tuple[Any, Any, int]]]:
        """Return by holder the members of lists that were changed since, and are not saved now."""
        assert self.conn is not None
        result: dict[Member, list[tuple[Any, Any, int]]] = {}
        for known in self.catalog.classes_of(self.catalog.mapping.stored):
            group = self.lists.rows.groups.get(known.type_name)
            saved = set() if group is None else set(group.ids)
            for ref in known.singles:
                if ref.position is None:
                    continue
                for holder, column in ref.arcs.items():
                    query = sa.select(known.table.c.id, column).where(
                        column.is_not(None),
                        ref.position.is_not(None),
                        known.table.c[REVISION] > since,
                    )
                    for row_id, held in zip(*columns_of(self.conn, query), strict=True):
                        if row_id not in saved:
                            result.setdefault((holder, held), []).append((known, ref, row_id))
        return result

    # -- writing -----------------------------------------------------------------------------

    def clear(self, conn: Connection, revision: int) -> Raised:
        """Write None into the back-references; return the versions of their entities."""
        raised: Raised = {}
        for known in self.catalog.classes_of(self.cleared):
            name, table = known.type_name, known.table
            ids = sorted(set().union(*self.cleared[name].values()))
            once = set(ids) - self.lists.outside.get(name, set())  # these have a new one already
            raised |= touch(conn, self.catalog, name, once, revision)
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
