"""Repair: the newest sound state of every entity, read out of a store that is damaged.

A state is sound if its row's checksum and seal are those of what stands in it. Of each entity the
present one is taken; where that is not sound, the newest of its past. A reference to what is gone
is left out, and whoever requires one is gone too, by turns, until all that is left holds together.

By numbers: message 3 answers message 2, and both need thread 1. The row of 2 is damaged, and its
history has a state of revision 4: 2 is as it was then. Had it none, 2 would be gone, and 3 would
answer nobody. Were 1 gone, 2 and 3 would be gone with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection
from typing_extensions import override

from ecsviz.errors import EcsvizError, StorageError
from ecsviz.storage.relational.load.load import Load
from ecsviz.storage.relational.load.loaded_rows import Loaded, entity_columns
from ecsviz.storage.relational.save.checksums import StoredRows
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.history_tables import REVISION, UNTIL
from ecsviz.storage.relational.schema.mapping import ClassMap, Collection, RefColumn
from ecsviz.storage.relational.schema.seals import digest, sealed_columns, seals_of
from ecsviz.storage.relational.upkeep.salvage import Salvage
from ecsviz.storage.reports import Repaired
from ecsviz.storage.spans import NEVER
from ecsviz.storage.sql.driver_values import exact_by_field
from ecsviz.storage.sql.statements import columns_of
from ecsviz.storage.unique import scopes_of
from ecsviz.values.codecs import decoded

_FAR = 2**40
"""A place behind all others in a list."""


@dataclass(slots=True)
class TakenRow:
    """A row that is taken: of which class, at which place among its rows."""

    type_name: str
    place: int
    row_id: int
    since: int
    until: int
    sound: bool = True


class _Made(Load):
    """Entities made of rows that are there already."""

    @override
    def _load_closure(self, roots: dict[str, list[int]]) -> None:
        pass


class StoreRepair:
    """One repair of a store.

    Parameters
    ----------
    conn, catalog
        A transaction, and what the store says of itself.
    doubtful
        Whether rows that are not sound are taken where no other state is.

    Attributes
    ----------
    told
        What is not as it was stored last.

    Notes
    -----
    O(rows of the present and the past).
    """

    def __init__(self, conn: Connection, catalog: Catalog, *, doubtful: bool) -> None:
        self.conn, self.catalog, self.doubtful = conn, catalog, doubtful
        self.told: list[Repaired] = []
        self.rows: dict[str, StoredRows] = {}
        self.taken: dict[UUID, TakenRow] = {}
        self.who: dict[tuple[str, int], UUID] = {}  # whose a row is
        self._doubts: dict[UUID, TakenRow] = {}
        self._bad: dict[UUID, str] = {}  # present rows that cannot be read, and why
        self._owners: dict[tuple[str, str], dict[int, list[dict[str, Any]]]] = {}
        self._salvage = Salvage(conn)

    @property
    def whole(self) -> bool:
        """Whether all tables could be read, and are those that the store has made."""
        return self._is_sealed() and not self._salvage.unread

    def run(self) -> list[Any]:
        """Return every entity that is left, as live objects."""
        for name in self.catalog.mapping.stored:
            try:
                known = self.catalog.classes_of([name])[0]
            except EcsvizError as err:
                if self._is_sealed():  # it is the classes that are others
                    raise
                self._tell(name, None, "gone", 0, str(err).partition("\n")[0])
                continue
            if known.by_hand:
                raise StorageError(
                    f"{name} is kept in a hand-written model, whose values have no checksums: there"
                    " is nothing by which to repair them. Copy its table with the database's own"
                    " tools."
                )
            self._read(known)
        self._take()
        self._drop_twice()
        self._drop_needy()
        return self._made()

    def _is_sealed(self) -> bool:
        """Tell whether what the store says of its types is as it was written."""
        c = self.catalog.store.c
        query = sa.select(c.value).where(c.key == "seal")
        try:
            found = columns_of(self.conn, query, unfit=lambda *_: None)[0]
            return found == [self.catalog.digest(self.conn)]
        except (exc.DatabaseError, EcsvizError):
            return False

    def _tell(self, name: str, ecs_id: UUID | None, what: str, version: int, why: str) -> None:
        self.told.append(Repaired(name, ecs_id, what, version, why))

    # -- which states are sound --------------------------------------------------------------

    def _read(self, known: ClassMap) -> None:
        """Read all rows of a class; note the newest sound state of each entity, and doubts."""
        name, table = known.type_name, known.table.name
        odd: list[tuple[Any, Any, str]] = []

        def bad(source: str, row: Any, ecs_id: Any, why: str) -> None:
            if source == table:
                odd.append((row, ecs_id, f"row {row} of {source} cannot be read: {why}"))

        rows = StoredRows(self.conn, known, bad, read=self._salvage.columns)
        self.rows[name] = rows
        contents = rows.contents(lambda *_: None)
        indexed = self._salvage.indexed(known.table)
        _put_ids_right(rows, indexed)
        for n, (row_id, ecs_id, since, until) in enumerate(rows.keys()):
            state = TakenRow(name, n, row_id, since, until)
            state.sound = contents[n] == rows.checksums[n] and rows.seals[n] == rows.stored_seals[n]
            if not state.sound:
                if until == NEVER:
                    self._doubts[ecs_id] = state
                continue
            self.who[name, row_id] = ecs_id
            before = self.taken.get(ecs_id)
            if before is None or (before.since, before.until) < (since, until):
                self.taken[ecs_id] = state
        if table in self._salvage.unread:
            why = f"all of its rows: {table} cannot be read: {self._salvage.unread[table]}"
            self._tell(name, None, "gone", 0, why)
        lost = self._salvage.lost.get(table, {})
        seen = {str(row_id) for row_id, _, _, until in rows.keys() if until == NEVER}  # noqa: SIM118
        seen.update(str(row) for row, _, _ in odd)
        for row_id, ecs_id in {**indexed, **lost}.items():
            if str(row_id) not in seen:
                odd.append((row_id, ecs_id, f"row {row_id} of {table} cannot be read"))
        for row, ecs_id, why in odd:
            number = int(row) if str(row).isdigit() else 0
            whose = self.who.get((name, number)) or next(
                (each for each in (indexed.get(number), ecs_id) if isinstance(each, UUID)), None
            )
            if whose is None:
                self._tell(name, None, "gone", 0, why)
            else:
                self._bad.setdefault(whose, why)
                self.who.setdefault((name, number), whose)

    def _deleted(self) -> dict[UUID, int]:
        """Return what was deleted at which revision, as far as that is sound."""
        c = self.catalog.deleted.c
        wrong: set[int] = set()
        query = sa.select(c.ecs_id, c.type_name, c.version, c.revision, c.seal)
        found = self._salvage.columns(self.conn, query, lambda _, row, __: wrong.add(row))
        return {
            ecs_id: revision
            for n, (ecs_id, name, version, revision, seal) in enumerate(zip(*found, strict=True))
            if n not in wrong and digest((ecs_id.bytes, name, version, revision)) == seal
        }

    def _take(self) -> None:
        """Decide for each entity which of its states is taken, if any is."""
        deleted = self._deleted()
        for ecs_id, state in list(self._doubts.items()):
            whose = self.who.get((state.type_name, state.row_id), ecs_id)
            if whose != ecs_id:  # it is the id that is another
                del self._doubts[ecs_id]
                self._bad.setdefault(whose, "its present row is not as it was written")
        here = self._doubts.keys() | self._bad.keys()
        for ecs_id, state in list(self.taken.items()):
            if state.until == NEVER:
                continue
            if ecs_id not in here and deleted.get(ecs_id, 0) >= state.until:
                del self.taken[ecs_id]
                continue
            why = self._bad.get(ecs_id, "its present row is missing, and was not deleted")
            if ecs_id in self._doubts:
                why = "its present row is not as it was written"
            detail = f"as of revision {state.since}: {why}"
            self._tell(state.type_name, ecs_id, "past", self._version(state), detail)
        for ecs_id, state in self._doubts.items():
            if ecs_id in self.taken:
                continue
            why = f"row {state.row_id} is not as it was written, and its past has no sound state"
            if self.doubtful and self._readable(state):
                self.taken[ecs_id] = state
                self.who.setdefault((state.type_name, state.row_id), ecs_id)
                self._tell(state.type_name, ecs_id, "doubtful", self._version(state), why)
            else:
                self._tell(state.type_name, ecs_id, "gone", 0, why)
        of = {ecs_id: name for (name, _), ecs_id in self.who.items()}
        for ecs_id, why in self._bad.items():
            if ecs_id not in self.taken and ecs_id not in self._doubts:
                self._tell(of.get(ecs_id, ""), ecs_id, "gone", 0, why)

    def _version(self, state: TakenRow) -> int:
        return int(self.rows[state.type_name].columns["ecs_version"][state.place])

    def _readable(self, state: TakenRow) -> bool:
        """Tell whether the values of a row that is not sound are values of their fields."""
        rows, n = self.rows[state.type_name], state.place
        table, cell = rows.known.table.name, {k: [v[n]] for k, v in rows.columns.items()}
        try:
            exact = exact_by_field(table, [state.row_id], cell["ecs_exact"])
            for value in rows.known.values:
                at = table, value.column.name
                decoded(value.codec, cell[at[1]], at, [state.row_id], exact.get(value.name))
        except EcsvizError:
            return False
        return bool(cell["ecs_version"][0] >= 1)

    # -- what holds together -----------------------------------------------------------------

    def _drop_twice(self) -> None:
        """Let go of what has a unique value that another one has, which is more surely right."""
        order = sorted(self.taken.items(), key=lambda each: (not each[1].sound, -each[1].until))
        first: dict[Any, UUID] = {}
        for ecs_id, state in order:
            known = self.rows[state.type_name].known
            for scope in scopes_of(known.cls) if known.has_unique else ():
                (column,) = (v.column.name for v in known.values if v.name == scope.field)
                value = self.rows[state.type_name].columns[column][state.place]
                other = first.setdefault((scope, value), ecs_id)
                if value is not None and other != ecs_id:
                    self._drop(ecs_id, f"its {scope.field} is that of {other} by now")
                    break

    def _drop(self, ecs_id: UUID, why: str) -> None:
        """Let go of an entity that was taken; what was told of it is told otherwise."""
        state = self.taken.pop(ecs_id)
        self.told = [each for each in self.told if each.ecs_id != ecs_id]
        self._tell(state.type_name, ecs_id, "gone", 0, why)

    def _row_of(self, target: str, row_id: Any) -> int | None:
        """Return the row that stands for another now; None if what it was is gone."""
        state = self._there(target, row_id)
        return None if state is None else state.row_id

    def _there(self, target: str, row_id: Any) -> TakenRow | None:
        ecs_id = self.who.get((target, row_id))
        state = None if ecs_id is None else self.taken.get(ecs_id)
        return state if state is not None and state.type_name == target else None

    def _drop_needy(self) -> None:
        """Let go of what requires what is gone, by turns."""
        needs = {ecs_id: list(self._needed(state)) for ecs_id, state in self.taken.items()}
        needed_by: dict[UUID, list[UUID]] = {}
        gone: list[tuple[UUID, str]] = []
        for ecs_id, held in needs.items():
            for field, target, row_id in held:
                if row_id is None or self._there(target, row_id) is None:
                    gone.append((ecs_id, field))
                    break
                needed_by.setdefault(self.who[target, row_id], []).append(ecs_id)
        while gone:
            ecs_id, field = gone.pop()
            if ecs_id in self.taken:
                self._drop(ecs_id, f"it requires {field}, and what that was is gone")
                gone += [(other, "what it holds") for other in needed_by.get(ecs_id, ())]

    def _needed(self, state: TakenRow) -> Iterator[tuple[str, str, int | None]]:
        """Yield field, type and row of what an entity cannot be without."""
        rows = self.rows[state.type_name]
        for ref in rows.known.singles:
            if ref.plan.required:
                yield next(self._held(rows, ref, state.place), (ref.name, "", None))
        for item in rows.known.collections:
            if item.skeleton is not None:  # whose numbers would be others
                for link in self._links(item, state):
                    yield next(_arcs(item, link), (item.name, "", None))

    @staticmethod
    def _held(rows: StoredRows, ref: RefColumn, n: int) -> Iterator[tuple[str, str, int]]:
        for target, column in ref.arcs.items():
            if (row_id := rows.columns[column.name][n]) is not None:
                yield ref.name, target, row_id

    def _links(self, item: Collection, state: TakenRow) -> list[dict[str, Any]]:
        """Return the rows of a collection of an entity, as of its state."""
        every = self._by_owner(state.type_name, item).get(state.row_id, ())
        return [each for each in every if each[REVISION] <= state.since < each[UNTIL]]

    def _by_owner(self, name: str, item: Collection) -> dict[int, list[dict[str, Any]]]:
        key = name, item.name
        if key not in self._owners:
            found: dict[int, list[dict[str, Any]]] = {}
            for link in self.rows[name].links[item.name]:
                found.setdefault(link[item.columns[0].name], []).append(link)
            self._owners[key] = found
        return self._owners[key]

    # -- objects -----------------------------------------------------------------------------

    def _made(self) -> list[Any]:
        """Return the entities of what was taken."""
        load = _Made(self.conn, self.catalog)
        by_type: dict[str, list[TakenRow]] = {name: [] for name in self.rows}
        for state in self.taken.values():
            by_type[state.type_name].append(state)
        for name, states in by_type.items():
            load.loaded[name] = self._loaded(name, sorted(states, key=lambda each: each.row_id))
        load.load({})
        return [entity for loaded in load.loaded.values() for entity in loaded.entities]

    def _loaded(self, name: str, states: list[TakenRow]) -> Loaded:
        rows = self.rows[name]
        known = rows.known
        names = [column.name for column in entity_columns(known)]
        columns = {each: [rows.columns[each][s.place] for s in states] for each in names}
        for ref in known.singles:
            self._lead(columns, ref, states)
        index = {state.row_id: n for n, state in enumerate(states)}
        links = {item.name: self._linked(item, states) for item in known.collections}
        return Loaded(known, columns, index, links=links)

    def _lead(self, columns: dict[str, list[Any]], ref: RefColumn, states: list[TakenRow]) -> None:
        """Let a field lead to the rows that were taken."""
        for target, column in ref.arcs.items():
            held = columns[column.name]
            for n, row_id in enumerate(held):
                if row_id is None:
                    continue
                held[n] = self._row_of(target, row_id)
                if held[n] is None:
                    self._cut(states[n], ref.name)
        if ref.position is not None:
            places = columns[ref.position.name]
            for n, state in enumerate(states):
                if not state.sound and places[n] is None:
                    places[n] = _FAR

    def _linked(self, item: Collection, states: list[TakenRow]) -> list[list[Any]]:
        """Return the columns of a collection's rows, without those that lead to what is gone."""
        kept: list[list[Any]] = []
        arcs = {column.name: target for target, column in item.arcs.items()}
        names = [column.name for column in item.columns]
        for state in states:
            for link in self._links(item, state):
                row = [
                    self._row_of(arcs[name], link[name]) if name in arcs else link[name]
                    for name in names
                ]
                if any(row[names.index(name)] is not None for name in arcs):
                    kept.append(row)
                else:
                    self._cut(state, item.name)
        return [list(column) for column in zip(*kept, strict=True)] or [[] for _ in names]

    def _cut(self, state: TakenRow, field: str) -> None:
        ecs_id = self.who[state.type_name, state.row_id]
        detail = f"{field} is without what is gone"
        self._tell(state.type_name, ecs_id, "cut", self._version(state), detail)


def _put_ids_right(rows: StoredRows, indexed: dict[int, Any]) -> None:
    """Give present rows that are not as they were the ids that the index of ids has for them.

    Where it was the id alone that was another, the row has its seal again.
    """
    columns = rows.columns
    names = [column.name for column in sealed_columns(rows.known.table, rows.known.positions)]
    for n, until in enumerate(columns[UNTIL]):
        if until != NEVER or rows.seals[n] == rows.stored_seals[n]:
            continue
        ecs_id = indexed.get(columns["id"][n])
        if isinstance(ecs_id, UUID) and ecs_id != columns["ecs_id"][n]:
            columns["ecs_id"][n] = ecs_id
            rows.seals[n] = seals_of([[columns[name][n]] for name in names])[0]


def _arcs(item: Collection, link: dict[str, Any]) -> Iterator[tuple[str, str, int]]:
    for target, column in item.arcs.items():
        if link[column.name] is not None:
            yield item.name, target, link[column.name]
