"""Lists that their members' rows say: which positions change, which members leave."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.catalog import Catalog
from ecsviz.conflicts import left_out_is_listed
from ecsviz.history import REVISION, archive
from ecsviz.mapping import ClassMap, InverseList, RefColumn
from ecsviz.rows import Group, Rows
from ecsviz.seals import reseal
from ecsviz.statements import select_by_keys, update_rows

Place = tuple[str, int, int]
"""Type and row id of the holder of a list, and a position in it."""


Kept = dict[tuple[str, str, str, int], int]
"""(type, back-reference, type and row id of the holder) → how many members stay."""


class StoredLists(Protocol):
    """What is read of the stored rows, per type."""

    versions: dict[int, int]
    checksums: dict[int, bytes | None]
    lists: dict[str, dict[int, Place]]


@dataclass(slots=True)
class Moves:
    """Rows of one table whose position changes: (new position, row id)."""

    known: ClassMap
    ref: RefColumn
    rows: list[tuple[int | None, int]] = field(default_factory=list)


class ListChanges:
    """What changes in the lists of one walk.

    Attributes
    ----------
    positions
        Per (type, back-reference) the position of each entity of that group, or None.
    touched
        Per type the places of stored entities whose list changed.
    outside
        Per type the row ids of holders that are not in the walk and lost a member.
    moves
        Positions to be written for rows that are not written as a whole anyway.

    Notes
    -----
    A position only says what comes before what. Appending and prepending leave all other
    positions as they are, removing leaves a gap; anything else numbers the list anew.
    """

    def __init__(
        self,
        conn: Connection | None,
        catalog: Catalog,
        rows: Rows,
        stored: MappingOf[str, StoredLists],
        left_out: MappingOf[str, StoredLists],
    ) -> None:
        self.conn = conn
        self.catalog = catalog
        self.rows = rows
        self.stored = stored
        self.left_out = left_out
        self._kept_out: Kept = {}
        self._rows_out: set[tuple[str, str, int]] = set()
        self.positions: dict[tuple[str, str], list[int | None]] = {}
        self.touched: dict[str, set[int]] = {}
        self.outside: dict[str, set[int]] = {}
        self.moves: list[Moves] = []

    def find(self) -> None:
        """Compare every list in the walk with the stored one."""
        for name, group in self.rows.groups.items():
            for ref in group.known.singles:
                if ref.position is not None:
                    self.positions[name, ref.name] = [None] * len(group.positions)
        for name, group in self.rows.groups.items():
            for item in group.known.inverse_lists:
                for place, members in enumerate(group.members[item.name]):
                    self._place_members(name, item, place, [target for _, target in members])
        if self.left_out:
            self._keep_places()
        self._find_left(self._count_kept())
        self._find_moves()

    def _stored_place(self, position: int, back: str) -> Place | None:
        group = self.rows.group_of[position]
        stored = self.left_out if self.rows.is_left_out(position) else self.stored
        lists = stored[group.known.type_name].lists.get(back)
        return None if lists is None else lists.get(self.rows.local[position])

    def _place_members(self, name: str, item: InverseList, place: int, targets: list[int]) -> None:
        """Give the members of one list their positions."""
        holder = (name, self.rows.groups[name].ids[place])
        back = item.back.name
        before: list[int | None] = []
        for target in targets:
            stored = self._stored_place(target, back)
            before.append(stored[2] if stored is not None and stored[:2] == holder else None)
        after = _positions(before)
        for target, position in zip(targets, after, strict=True):
            type_name = self.rows.type_of(target)
            if self.rows.is_left_out(target):
                self._place_left_out(holder, item, target, position)
                continue
            wanted = self.positions.get((type_name, back))
            if wanted is not None:
                wanted[self.rows.local[target]] = position
        if before != after and place in self.stored[name].versions:
            self.touched.setdefault(name, set()).add(place)

    def _place_left_out(
        self, holder: tuple[str, int], item: InverseList, target: int, position: int | None
    ) -> None:
        """Give a placeholder its position; that it is in the list is stored already."""
        back, name, row_id = item.back.name, self.rows.type_of(target), self.rows.row_id(target)
        stored = self._stored_place(target, back)
        if stored is None or stored[:2] != holder:
            raise left_out_is_listed(self.rows.found, item.plan.place, target)
        if position != stored[2]:
            known = self.rows.group_of[target].known
            ref = next(r for r in known.singles if r.name == back)
            self.moves.append(Moves(known, ref, [(position, row_id)]))
        key = (name, back, *holder)
        self._kept_out[key] = self._kept_out.get(key, 0) + 1
        self._rows_out.add((name, back, row_id))

    def _keep_places(self) -> None:
        """Let what a placeholder's list holds stand where it stands."""
        for (name, back), wanted in self.positions.items():
            group, stored = self.rows.groups[name], self.stored[name]
            for place, target in enumerate(group.targets[back]):
                if target is None or not self.rows.is_left_out(target):
                    continue
                known = self.rows.group_of[target].known
                if not any(item.back.name == back for item in known.inverse_lists):
                    continue
                before = stored.lists.get(back, {}).get(place)
                if before is not None and before[:2] == self._holder(group, back, place):
                    wanted[place] = before[2]
                elif stored.checksums.get(place) != group.checksums[place]:
                    holder = self.rows.found.place(group.positions[place])
                    raise left_out_is_listed(self.rows.found, f"{holder}.{back}", target)

    def _count_kept(self) -> Kept:
        """Count, per list, the members of each class that were and are in it."""
        kept: Kept = dict(self._kept_out)
        for (name, back), wanted in self.positions.items():
            group = self.rows.groups[name]
            for place, stored in self.stored[name].lists.get(back, {}).items():
                if wanted[place] is not None and self._holder(group, back, place) == stored[:2]:
                    key = (name, back, *stored[:2])
                    kept[key] = kept.get(key, 0) + 1
        return kept

    def _holder(self, group: Group, back: str, place: int) -> tuple[str, int] | None:
        now = group.targets[back][place]
        return None if now is None else (self.rows.type_of(now), self.rows.row_id(now))

    def _find_left(self, kept: Kept) -> None:
        """Find members that were in a list and are not any more."""
        for name, group in self.rows.groups.items():
            place_of = {group.ids[n]: n for n in self.stored[name].versions}
            for item in group.known.inverse_lists:
                for known, ref in self.catalog.members_of(name, item) if place_of else ():
                    self._find_left_in(known, ref, name, place_of, kept)
        self._find_lost_outside()

    def _find_left_in(
        self,
        known: ClassMap,
        ref: RefColumn,
        name: str,
        place_of: dict[int, int],
        kept: Kept,
    ) -> None:
        assert self.conn is not None
        assert ref.position is not None
        key = ref.arcs[name]
        there = ref.position.is_not(None)
        counted = sa.select(key, sa.func.count()).where(there).group_by(key)
        holders, counts = select_by_keys(self.conn, counted, key, list(place_of))
        short = [
            holder
            for holder, count in zip(holders, counts, strict=True)
            if count > kept.get((known.type_name, ref.name, name, holder), 0)
        ]
        if not short:
            return
        rows = select_by_keys(self.conn, sa.select(known.table.c.id, key).where(there), key, short)
        group = self.rows.groups.get(known.type_name)
        inside = set(group.ids) if group is not None else set()
        inside |= {
            row_id for n, back, row_id in self._rows_out if (n, back) == (known.type_name, ref.name)
        }
        gone = [(None, row_id) for row_id, _ in zip(*rows, strict=True) if row_id not in inside]
        if gone:
            self.moves.append(Moves(known, ref, list(gone)))
        self.touched.setdefault(name, set()).update(place_of[holder] for holder in short)

    def _find_lost_outside(self) -> None:
        """Find holders outside the walk from whose lists a member was taken."""
        inside = {name: set(group.ids) for name, group in self.rows.groups.items()}
        for name, back in self.positions:
            group = self.rows.groups[name]
            for place, (target, row_id, _) in self.stored[name].lists.get(back, {}).items():
                moved = self._holder(group, back, place) != (target, row_id)
                if moved and row_id not in inside.get(target, ()):
                    self.outside.setdefault(target, set()).add(row_id)

    def _find_moves(self) -> None:
        for (name, back), wanted in self.positions.items():
            group, stored = self.rows.groups[name], self.stored[name]
            lists = stored.lists.get(back, {})
            ref = next(r for r in group.known.singles if r.name == back)
            rows: list[tuple[int | None, int]] = [
                (wanted[place], group.ids[place])
                for place in stored.versions
                if wanted[place] != (lists[place][2] if place in lists else None)
            ]
            if rows:
                self.moves.append(Moves(group.known, ref, rows))

    def write(self, conn: Connection, revision: int) -> None:
        """Write the positions, and the versions of holders outside the walk."""
        for moved in self.moves:
            assert moved.ref.position is not None
            table = moved.known.table
            archive(conn, table, [(row_id,) for _, row_id in moved.rows], revision)
            rows = [(position, revision, row_id) for position, row_id in moved.rows]
            update_rows(conn, table, [moved.ref.position, table.c[REVISION]], rows)
            reseal(conn, table, moved.known.positions, [row_id for _, row_id in moved.rows])
        for name, ids in self.outside.items():
            table = self.catalog.mapping.probe(name)
            _touch(conn, table, ids, revision)
            reseal(conn, table, self.catalog.mapping.stored[name].positions, ids)


def _touch(conn: Connection, table: sa.Table, ids: set[int], revision: int) -> None:
    """Give the entities of some rows a new version."""
    query = sa.select(table.c.id, table.c.ecs_version)
    found = select_by_keys(conn, query, table.c.id, sorted(ids))
    archive(conn, table, [(row_id,) for row_id in ids], revision)
    update_rows(
        conn,
        table,
        [table.c.ecs_version, table.c.ecs_revision],
        [(version + 1, revision, row_id) for row_id, version in zip(*found, strict=True)],
    )


def _positions(before: list[int | None]) -> list[int | None]:
    """Return positions in rising order that change as few of the given ones as is simple.

    Examples
    --------
    >>> _positions([0, 1, 5, None]), _positions([None, 3, 4]), _positions([4, 3])
    ([0, 1, 5, 6], [2, 3, 4], [0, 1])
    """
    known = [(n, position) for n, position in enumerate(before) if position is not None]
    values = [position for _, position in known]
    rising = all(a < b for a, b in pairwise(values))
    if not known or not rising or known[-1][0] - known[0][0] != len(known) - 1:
        return list(range(len(before)))
    first, start = known[0]
    return [
        position
        if position is not None
        else start + (n - first)
        if n < first
        else values[-1] + n - known[-1][0]
        for n, position in enumerate(before)
    ]
