"""Lists that their members' rows say: which positions change, which members leave."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any, Protocol
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.basics.order import Ints
from ecsviz.domain.objects import is_placeholder
from ecsviz.storage.checks import check_in_list, left_out_is_listed
from ecsviz.storage.relational.save.rows import NONE, Group, Rows, SomePlaces
from ecsviz.storage.relational.schema.arcs import Arc, Kind
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.history_tables import REVISION, archive
from ecsviz.storage.relational.schema.mapping import ClassMap, InverseList, RefColumn
from ecsviz.storage.relational.schema.seals import NOTHING, reseal
from ecsviz.storage.sql.statements import kept_query, select_by_keys, update_rows, value_of
from ecsviz.storage.together import TOGETHER, Together, What

Kept = dict[tuple[str, str, str, int], int]
"""(type, back-reference, type and row id of the holder) → how many members stay."""

Raised = dict[UUID, tuple[int, int]]
"""Entity → its version before, and now."""

NOWHERE = NOTHING
"""Stands, among the positions in lists, for none."""


@dataclass(slots=True)
class StoredPlaces:
    """Per entity of a group, in which list it is stored, and where there.

    Attributes
    ----------
    arcs
        The types of holders.
    kinds
        The number of the holder's type in `arcs`; -1 where the entity is in no list.
    holders
        The row ids of the holders.
    positions
        The positions; `NOWHERE` where the entity is in no list.
    """

    arcs: list[str]
    kinds: Ints
    holders: Ints
    positions: Ints

    @classmethod
    def empty(cls, arcs: Iterable[str], size: int) -> StoredPlaces:
        """Return places of entities of which none is in a list."""
        none = np.full(size, -1, dtype=np.int64)
        return cls(list(arcs), none, none.copy(), np.full(size, NOWHERE, dtype=np.int64))

    def within(self, holder_type: str) -> Any:
        """Return which entities are in a list of a type."""
        return self.kinds == (self.arcs.index(holder_type) if holder_type in self.arcs else -2)


class StoredLists(Protocol):
    """What is read of the stored rows, per type."""

    versions: dict[int, int]
    checksums: dict[int, bytes | None]
    lists: dict[str, StoredPlaces]


@dataclass(slots=True)
class Moves:
    """Rows of one table whose position changes: (new position, row id)."""

    known: ClassMap
    ref: RefColumn
    rows: list[tuple[int | None, int]] = field(default_factory=list)


@dataclass(slots=True)
class Lost:
    """Rows that lists of an arc have lost and that are not in the walk: they still name them."""

    arc: Arc
    rows: list[int]


class ListChanges:
    """What changes in the lists of one walk.

    Attributes
    ----------
    grown
        Whether lists that are stored have lost nothing, and only what counts of them is here.
    alone
        Whether entities are saved without their lists: who comes to one stands at its end.
    positions
        Per (type, back-reference) the position of each entity of that group, or None.
    touched
        Per type the places of stored entities whose list changed.
    strayed
        Per type the places of stored entities whose row names another holder than they do: where
        their checksums say nothing of it, SQL has done so.
    outside
        Per type the row ids of holders that are not in the walk and lost a member.
    moves
        Positions to be written for rows that are not written as a whole anyway.
    lost
        Members that are in no list any more and not in the walk.
    raised
        Per entity outside the walk that got a new version, that before and that now.
    came
        Of what is saved alone, who came to a list, in order: the positions of holder and member
        with the field.

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
        grown: bool = False,
    ) -> None:
        self.conn = conn
        self.catalog = catalog
        self.grown = grown
        self.alone = False
        self.rows = rows
        self.stored = stored
        self.left_out = left_out
        self._kept_out: Kept = {}
        self._rows_out: set[tuple[str, str, int]] = set()
        self.positions: dict[tuple[str, str], Ints] = {}
        self.touched: dict[str, set[int]] = {}
        self.strayed: dict[str, set[int]] = {}
        self.outside: dict[str, set[int]] = {}
        self.moves: list[Moves] = []
        self.lost: list[Lost] = []
        self.raised: Raised = {}
        self.came: list[tuple[int, str, int]] = []

    def find(self) -> None:
        """Compare every list in the walk with the stored one."""
        for name, group in self.rows.groups.items():
            for ref in group.known.singles:
                if ref.position is not None:
                    self.positions[name, ref.name] = np.full(len(group.positions), NOWHERE)
        for name, group in self.rows.groups.items():
            for item in group.known.inverse_lists:
                self._place_members(name, group, item)
        if self.alone:
            self._append_alone()
        elif self.left_out:
            self._keep_places()
        self._find_left(self._count_kept())
        self._find_moves()

    def told(self) -> Iterator[tuple[Any, int]]:
        """Yield those to whose lists somebody came, and the versions that they have by that."""
        found = self.rows.found
        for position in {holder for holder, *_ in self.came}:
            was, version = self.raised.get(found.ids[position], (0, 0))
            if version and found.entities[position].version == was:
                yield found.entities[position], version

    def positions_at(self, type_name: str, back: str, chosen: SomePlaces) -> list[int | None]:
        """Return the positions that some entities of a group shall have."""
        return _with_none(chosen.among(self.positions[type_name, back]))

    def _stored(self, group: Group, back: str) -> StoredPlaces | None:
        name = group.known.type_name
        stored = self.left_out if self.rows.left_out.get(name) is group else self.stored
        return stored[name].lists.get(back)

    def _place_members(self, name: str, group: Group, item: InverseList) -> None:
        """Give the members of the lists of one field their positions."""
        back, members = item.back.name, group.members[item.name]
        if not len(members.references):
            return
        targets = np.asarray(self.rows.found.targets)[members.references]
        holders = np.asarray(group.ids, dtype=np.int64)[members.places]
        numbers, local = self.rows.numbers[targets], self.rows.local[targets]
        before = np.full(len(targets), NOWHERE)
        for number in np.flatnonzero(np.bincount(numbers)).tolist():
            stored = self._stored(self.rows.every[number], back)
            if stored is not None:
                these = np.flatnonzero(numbers == number)
                at = local[these]
                same = stored.within(name)[at] & (stored.holders[at] == holders[these])
                before[these[same]] = stored.positions[at[same]]
        after = _positions(before, members.places)
        for number in np.flatnonzero(np.bincount(numbers)).tolist():
            these, other = np.flatnonzero(numbers == number), self.rows.every[number]
            type_name = other.known.type_name
            if self.rows.left_out.get(type_name) is other:
                for n in these.tolist():
                    holder = (name, int(holders[n]))
                    self._place_left_out(holder, item, int(targets[n]), int(after[n]))
            elif (type_name, back) in self.positions:
                self.positions[type_name, back][local[these]] = after[these]
        changed = set(members.places[before != after].tolist())
        changed &= self.stored[name].versions.keys()
        if changed:
            self.touched.setdefault(name, set()).update(changed)

    def _place_left_out(
        self, holder: tuple[str, int], item: InverseList, target: int, position: int
    ) -> None:
        """Give a placeholder its position; that it is in the list is stored already."""
        back, name, row_id = item.back.name, self.rows.type_of(target), self.rows.row_id(target)
        stored, place = self.left_out[name].lists.get(back), self.rows.place_at(target)
        is_there = stored is not None and bool(stored.within(holder[0])[place])
        if stored is None or not is_there or stored.holders[place] != holder[1]:
            raise left_out_is_listed(self.rows.found, item.plan.place, target)
        if position != stored.positions[place]:
            known = self.rows.group_at(target).known
            ref = next(r for r in known.singles if r.name == back)
            self.moves.append(Moves(known, ref, [(position, row_id)]))
        key = (name, back, *holder)
        self._kept_out[key] = self._kept_out.get(key, 0) + 1
        self._rows_out.add((name, back, row_id))

    def _keep_places(self) -> None:
        """Let what a placeholder's list holds stand where it stands."""
        for (name, back), wanted in self.positions.items():
            group, stored = self.rows.groups[name], self.stored[name]
            was, stays = stored.lists.get(back), self._stays(group, back)
            for place, target in enumerate(group.targets[back].tolist()):
                if target == NONE or not self.rows.is_left_out(target):
                    continue
                known = self.rows.group_at(target).known
                if not any(item.back.name == back for item in known.inverse_lists):
                    continue
                if was is not None and stays[place]:
                    wanted[place] = was.positions[place]
                elif stored.checksums.get(place) != group.checksums[place]:
                    holder = self.rows.found.place(group.positions[place])
                    raise left_out_is_listed(self.rows.found, f"{holder}.{back}", target)

    def _append_alone(self) -> None:
        """Let who stays in a list stand where it stands, and who comes stand at its end."""
        ends: dict[tuple[str, str, int], int] = {}
        for (name, back), wanted in self.positions.items():
            group = self.rows.groups[name]
            was, stays = self.stored[name].lists.get(back), self._stays(group, back)
            for place, target in enumerate(group.targets[back].tolist()):
                if target == NONE:
                    continue
                if was is not None and stays[place]:
                    wanted[place] = was.positions[place]
                    continue
                holder = self.rows.group_at(target)
                lists = [i for i in holder.known.inverse_lists if i.back.name == back]
                if lists:
                    self._check_listed(group.positions[place], back, target, lists[0])
                    key = (holder.known.type_name, lists[0].name, self.rows.row_id(target))
                    if key not in ends:
                        ends[key] = self._end_of(holder.known, lists[0].name, key[2])
                    wanted[place] = ends[key]
                    ends[key] += 1
                    self.came.append((target, lists[0].name, group.positions[place]))
                    self._note_holder(holder, target)

    def _check_listed(self, position: int, back: str, target: int, item: InverseList) -> None:
        found = self.rows.found
        if is_placeholder(found.entities[target]):
            raise left_out_is_listed(found, f"{found.place(position)}.{back}", target)
        check_in_list(found, position, back, found.entities[target], item.name)

    def _note_holder(self, holder: Group, target: int) -> None:
        """Note that a holder gets a new version: its list has another member."""
        name = holder.known.type_name
        if self.rows.groups.get(name) is holder:
            self.touched.setdefault(name, set()).add(self.rows.place_at(target))
        else:
            self.outside.setdefault(name, set()).add(self.rows.row_id(target))

    def _end_of(self, holder: ClassMap, field: str, row_id: int) -> int:
        """Return the first free position of a stored list."""
        end = 0
        if self.conn is None:
            return end
        known = self.catalog.mapping.stored
        for arc in self.catalog.arcs_from(holder):
            if arc.kind is Kind.LIST and arc.field == field and arc.target in known:
                query = kept_query(arc.table, ("end", arc.owner), partial(_last_of, arc))
                found = value_of(self.conn, query, {"ecs_row": row_id})
                end = max(end, 0 if found is None else found + 1)
        return end

    def _stays(self, group: Group, back: str) -> Any:
        """Return which entities are stored in a list of the very entity that they hold now."""
        was, targets = self._stored(group, back), group.targets[back]
        result = np.zeros(len(targets), dtype=bool)
        for number, kind in enumerate(was.arcs if was is not None else ()):
            assert was is not None
            these = (was.kinds == number) & self.rows.of_type(targets, kind)
            result |= these & (self.rows.row_ids()[targets] == was.holders)
        return result

    def _count_kept(self) -> Kept:
        """Count, per list, the members of each class that were and are in it."""
        kept: Kept = dict(self._kept_out)
        for (name, back), wanted in self.positions.items():
            group = self.rows.groups[name]
            was = self.stored[name].lists.get(back)
            if was is None:
                continue
            stays, listed = self._stays(group, back), wanted != NOWHERE
            away = np.flatnonzero(~stays & (listed | (was.positions != NOWHERE))).tolist()
            if strayed := self.stored[name].versions.keys() & set(away):
                self.strayed.setdefault(name, set()).update(strayed)
            stays &= listed
            for number, kind in enumerate(was.arcs):
                holders = was.holders[stays & (was.kinds == number)]
                for holder, count in zip(*map(_as_list, _counted(holders)), strict=True):
                    key = (name, back, kind, holder)
                    kept[key] = kept.get(key, 0) + count
        return kept

    def _find_left(self, kept: Kept) -> None:
        """Find members that were in a list and are not any more."""
        for name, group in () if self.grown else self.rows.groups.items():
            place_of = {group.ids[n]: n for n in self.stored[name].versions}
            for arc in self.catalog.arcs_from(group.known) if place_of else ():
                gone = self._find_left_in(arc, place_of, kept) if arc.kind is Kind.LIST else []
                if gone:
                    self.lost.append(Lost(arc, gone))
        self._find_lost_outside()

    def _find_left_in(self, arc: Arc, place_of: dict[int, int], kept: Kept) -> list[int]:
        """Find the holders whose list became shorter; return who left and is not in the walk."""
        assert self.conn is not None
        key, there, back = arc.owner, arc.position.is_not(None), (arc.target, arc.item.name)
        counted = sa.select(key, sa.func.count()).where(there).group_by(key)
        holders, counts = select_by_keys(self.conn, counted, key, list(place_of))
        short = [
            holder
            for holder, count in zip(holders, counts, strict=True)
            if count > kept.get((*back, arc.source, holder), 0)
        ]
        if not short:
            return []
        rows = select_by_keys(self.conn, sa.select(arc.held, key).where(there), key, short)
        group = self.rows.groups.get(arc.target)
        inside = set(group.ids) if group is not None else set()
        inside |= {row_id for *which, row_id in self._rows_out if tuple(which) == back}
        self.touched.setdefault(arc.source, set()).update(place_of[holder] for holder in short)
        return [row_id for row_id, _ in zip(*rows, strict=True) if row_id not in inside]

    def _find_lost_outside(self) -> None:
        """Find holders outside the walk from whose lists a member was taken."""
        inside = {name: set(group.ids) for name, group in self.rows.groups.items()}
        for name, back in self.positions:
            group, was = self.rows.groups[name], self.stored[name].lists.get(back)
            if was is None:
                continue
            moved = ~self._stays(group, back)
            for number, kind in enumerate(was.arcs):
                for row_id in set(was.holders[moved & (was.kinds == number)].tolist()):
                    if row_id not in inside.get(kind, ()):
                        self.outside.setdefault(kind, set()).add(row_id)
                    elif self.alone:
                        place = self.rows.groups[kind].ids.index(row_id)
                        self.touched.setdefault(kind, set()).add(place)

    def _find_moves(self) -> None:
        for (name, back), wanted in self.positions.items():
            group, stored = self.rows.groups[name], self.stored[name]
            if not stored.versions:
                continue
            ref = next(r for r in group.known.singles if r.name == back)
            was = stored.lists.get(back) or StoredPlaces.empty(ref.arcs, len(wanted))
            places = np.flatnonzero(wanted != was.positions).tolist()
            places = [place for place in places if place in stored.versions]
            if places:
                ids = [group.ids[place] for place in places]
                rows = list(zip(_with_none(wanted[places]), ids, strict=True))
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
            self.raised |= touch(conn, self.catalog, name, ids, revision)


def touch(
    conn: Connection, catalog: Catalog, name: str, ids: Iterable[int], revision: int
) -> Raised:
    """Give the entities of some rows of a type a new version; return the versions by entity.

    Those that the revision has given one already have that.
    """
    table = catalog.mapping.probe(name)
    columns = table.c.id, table.c.ecs_id, table.c.ecs_version, table.c[REVISION]
    query = kept_query(table, columns, partial(sa.select, *columns))
    together: Together | None = conn.info.get(TOGETHER)
    last = {} if together is None else together.before
    rows = zip(*select_by_keys(conn, query, table.c.id, sorted(ids)), strict=True)
    found = [row[:3] for row in rows if together is not None or row[3] != revision]
    wanted = sorted(row_id for row_id, *_ in found)
    raised = {ecs_id: (before, last.get(ecs_id, before) + 1) for _, ecs_id, before in found}
    if together is not None:
        together.note_all(What.CHANGED, ((i, before) for i, (before, _) in raised.items()))
    archive(conn, table, [(row_id,) for row_id in wanted], revision)
    update_rows(
        conn,
        table,
        [table.c.ecs_version, table.c.ecs_revision],
        [(raised[ecs_id][1], revision, row_id) for row_id, ecs_id, _ in found],
    )
    reseal(conn, table, catalog.mapping.stored[name].positions, wanted)
    return raised


def _last_of(arc: Arc) -> sa.Select[Any]:
    """Return the query for the last position in a list, whose row is given as ``ecs_row``."""
    row = sa.bindparam("ecs_row", type_=arc.owner.type)
    return sa.select(sa.func.max(arc.position)).where(arc.owner == row)


def _with_none(positions: Ints) -> list[int | None]:
    nowhere = positions == NOWHERE
    column: Any = positions
    if nowhere.any():
        column = positions.astype(object)
        column[nowhere] = None
    found: list[int | None] = column.tolist()
    return found


def _counted(values: Ints) -> tuple[Ints, Ints]:
    return np.unique(values, return_counts=True)


def _as_list(values: Ints) -> list[int]:
    found: list[int] = values.tolist()
    return found


def _positions(before: Ints, lists: Ints) -> Ints:
    """Return the positions of members of lists, one list after the other.

    Parameters
    ----------
    before
        The positions that they have, or `NOWHERE`.
    lists
        Which list each is in: members of one list stand together.

    Examples
    --------
    >>> new = NOWHERE
    >>> _positions(np.array([new, new, 3, 7, 4, 3]), np.array([0, 0, 1, 1, 2, 2])).tolist()
    [0, 1, 3, 7, 0, 1]
    """
    size = len(before)
    begins = np.flatnonzero(np.concatenate([[True], lists[1:] != lists[:-1]]))
    counts = np.diff([*begins, size])
    known = before != NOWHERE
    falls = np.zeros(size, dtype=bool)
    falls[1:] = (before[1:] <= before[:-1]) & (lists[1:] == lists[:-1])
    new = np.add.reduceat(known, begins, dtype=np.int64) == 0
    kept = (np.add.reduceat(~known, begins, dtype=np.int64) == 0) & (
        np.add.reduceat(falls, begins, dtype=np.int64) == 0
    )
    after = np.where(np.repeat(new, counts), np.arange(size) - np.repeat(begins, counts), before)
    for number in np.flatnonzero(~(new | kept)).tolist():
        span = slice(begins[number], begins[number] + counts[number])
        after[span] = _mixed_positions(_with_none(before[span]))
    return after


def _mixed_positions(before: list[int | None]) -> list[int]:
    """Return positions in rising order that change as few of the given ones as is simple.

    Examples
    --------
    Positions need not be dense, only rise: of a list whose members stood at 0, 1, 5, one that is
    appended gets 6, and two put before members at 3 and 4 would get 1 and 2: one row is written
    for each that is new. Only where the known ones no longer rise, or something new stands
    between them, the list is counted anew from 0, and every row is written.

    >>> _mixed_positions([0, 1, 5, None]), _mixed_positions([None, 3, 4])
    ([0, 1, 5, 6], [2, 3, 4])
    >>> _mixed_positions([4, 3])
    [0, 1]
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
