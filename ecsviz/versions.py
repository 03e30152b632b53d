"""The history of one entity: its versions, and which fields each of them changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.catalog import Catalog
from ecsviz.history import REVISION, UNTIL, history_of
from ecsviz.mapping import ClassMap, Collection, InverseList
from ecsviz.statements import columns_of, key_condition

if TYPE_CHECKING:
    import pandas as pd

T_ = TypeVar("T_")

Event = tuple[int, int, str, str]
"""Version, revision, what happened, and the names of the fields that changed."""

Moments = dict[int, tuple[datetime, str | None]]
"""Revision → its time (naive UTC) and note."""


def history_frame(events: Iterable[Event], moments: Moments) -> pd.DataFrame:
    """Return what happened to an entity; the columns are those of ``store.history()``."""
    import pandas as pd

    nothing = (None, None)
    rows = [
        (version, revision, *moments.get(revision, nothing), what, fields)
        for version, revision, what, fields in events
    ]
    frame = pd.DataFrame(rows, columns=["version", "revision", "at", "note", "what", "fields"])
    kinds = {"version": "int64", "revision": "int64", "at": "datetime64[us]"}
    frame = frame.astype({**kinds, "note": "str", "what": "str", "fields": "str"})
    frame["at"] = frame["at"].dt.tz_localize("UTC")
    return frame


def events_in_order(
    states: Iterable[tuple[int, int, int | None, T_]], changed: Callable[[T_, T_], str] | None
) -> Iterator[Event]:
    """Yield what happened to an entity, oldest first.

    Parameters
    ----------
    states
        Its rows in the order of time: version, since when, until when (None: still), and what
        `changed` looks at.
    changed
        Returns the names of the fields in which two states differ; None where nobody can tell.
    """
    before: tuple[int, int, int | None, T_] | None = None
    for state in states:
        version, since, _, now = state
        if before is not None and before[2] is not None and before[2] != since:
            yield before[0], before[2], "deleted", ""
            before = None
        if before is None:
            yield version, since, "added", ""
        elif before[0] != version:  # a new place in a list is no new version
            fields = "" if changed is None else changed(before[3], now)
            yield version, since, "changed", fields
        before = state
    if before is not None and before[2] is not None:
        yield before[0], before[2], "deleted", ""


def moments_of(conn: Connection, catalog: Catalog) -> Moments:
    """Return the times and notes of all revisions."""
    c = catalog.revisions.c
    rows = columns_of(conn, sa.select(c.number, c.created_at, c.note))
    return {number: (at, note) for number, at, note in zip(*rows, strict=True)}


def events_of(conn: Connection, catalog: Catalog, ecs_id: UUID) -> list[Event]:
    """Return what happened to an entity, oldest first; empty if it was never stored.

    Notes
    -----
    A statement per type until it is found, and one per field that holds several entities.
    O(rows that ever spoke of it).
    """
    for name in catalog.mapping.stored:
        table = catalog.mapping.probe(name)
        if _both(conn, table, "ecs_id", [ecs_id], [table.c.id])[0]:
            return _Timeline(conn, catalog, catalog.classes_of([name])[0], ecs_id).events()
    return []


def first_revisions(
    conn: Connection, catalog: Catalog, ids: list[UUID]
) -> dict[tuple[UUID, int], int]:
    """Return for every version of some entities the revision that made it.

    Notes
    -----
    A statement per type. Hand-written models, which keep no past, are passed over.
    """
    result: dict[tuple[UUID, int], int] = {}
    for name, stored in catalog.mapping.stored.items():
        if stored.by_hand or not ids:
            continue
        table = catalog.mapping.probe(name)
        found = _both(conn, table, "ecs_id", ids, [table.c.ecs_id, table.c.ecs_version])
        for ecs_id, version, since, _ in zip(*found, strict=True):
            result[ecs_id, version] = min(since, result.get((ecs_id, version), since))
    return result


def _both(
    conn: Connection, table: sa.Table, name: str, keys: list[Any], columns: list[Any]
) -> list[list[Any]]:
    """Return columns of the rows, present and past, that have one of some keys in a column.

    Notes
    -----
    Two more columns say from when and until when each row held.
    """
    past = history_of(table)
    never = sa.cast(sa.null(), sa.Integer()).label(UNTIL)
    now = sa.select(*columns, table.c[REVISION], never)
    then = sa.select(*(past.c[c.name] for c in columns), past.c[REVISION], past.c[UNTIL])
    parts = [
        query.where(key_condition(conn, source.c[name], keys))
        for query, source in ((now, table), (then, past))
    ]
    either = sa.union_all(*parts).subquery()
    return columns_of(conn, sa.select(*either.columns))


class _Timeline:
    """Everything that the tables say of one entity."""

    def __init__(self, conn: Connection, catalog: Catalog, known: ClassMap, ecs_id: UUID) -> None:
        self.conn = conn
        self.catalog = catalog
        self.known = known
        table = known.table
        names = [column.name for column in table.columns if column.name != REVISION]
        columns = _both(conn, table, "ecs_id", [ecs_id], [table.c[n] for n in names])
        rows = [
            dict(zip([*names, REVISION, UNTIL], row, strict=True))
            for row in zip(*columns, strict=True)
        ]
        self.rows = sorted(rows, key=lambda row: int(row[REVISION]))
        self.ids = sorted({row["id"] for row in rows})

    def events(self) -> list[Event]:
        """Return what happened, oldest first."""
        lists = {
            **{item.name: self._listed(item) for item in self.known.inverse_lists},
            **{item.name: self._linked(item) for item in self.known.collections},
        }

        def changed(before: dict[str, Any], row: dict[str, Any]) -> str:
            fields = self._edited(before, row)
            fields |= {name for name, revisions in lists.items() if row[REVISION] in revisions}
            return ", ".join(n for n in self.known.cls.model_fields if n in fields)  # type: ignore[attr-defined]  # a pydantic model

        states = [(row["ecs_version"], row[REVISION], row[UNTIL], row) for row in self.rows]
        return list(events_in_order(states, changed))

    def _edited(self, before: dict[str, Any], after: dict[str, Any]) -> set[str]:
        exact = [json.loads(row["ecs_exact"] or "{}") for row in (before, after)]
        values = [*self.known.values]
        values += [c.skeleton for c in self.known.collections if c.skeleton is not None]
        changed = {
            value.name
            for value in values
            if before[value.column.name] != after[value.column.name]
            or exact[0].get(value.name) != exact[1].get(value.name)
        }
        for ref in self.known.singles:
            if any(before[c.name] != after[c.name] for c in ref.arcs.values()):
                changed.add(ref.name)
        if before["ecs_parent_id"] != after["ecs_parent_id"]:
            changed.add("parent_id")
        return changed

    def _linked(self, item: Collection) -> set[int]:
        """Return the revisions that changed a collection with a table of its own."""
        owner = item.columns[0].name
        since, until = _both(self.conn, item.table, owner, self.ids, [])
        return {revision for revision in (*since, *until) if revision is not None}

    def _listed(self, item: InverseList) -> set[int]:
        """Return the revisions that changed a list that its members' rows say."""
        result: set[int] = set()
        for known, ref in self.catalog.members_of(self.known.type_name, item):
            assert ref.position is not None
            table, key = known.table, ref.arcs[self.known.type_name]
            wanted = [table.c.id, key, ref.position]
            columns = _both(self.conn, table, key.name, self.ids, wanted)
            rows = [row for row in zip(*columns, strict=True) if row[2] is not None]
            rows.sort(key=lambda row: (row[0], row[3]))
            ends: dict[Any, int | None] = {}  # (member, holder, position) → until when
            for member, holder, position, since, until in rows:
                place = (member, holder, position)
                if ends.get(place, -1) != since:
                    result.add(since)
                    if ends.get(place) is not None:
                        result.add(ends[place])  # type: ignore[arg-type]  # not None
                ends[place] = until
            result |= {until for until in ends.values() if until is not None}
        return result


# -- everything that an entity leads to ------------------------------------------------------

ROUNDS: Final = 12
"""How many references in a row are followed: so statements do not grow with what is stored."""


def revisions_reached(conn: Connection, catalog: Catalog, ecs_id: UUID) -> set[int] | None:
    """Return the revisions that changed an entity, or anything it has ever led to.

    Returns
    -------
    set of int
        None where the tables do not tell: something has no history, or is more than `ROUNDS`
        references away.

    Raises
    ------
    UnknownTypeError
        If something is of a type for which no class is defined here.

    Notes
    -----
    Per reference in a row a statement per class and per field that holds several entities; all
    messages of a thread are one reference away. O(rows that ever spoke of what is reached).
    """
    fresh: dict[str, set[int]] = {}
    for name in catalog.mapping.stored:
        table = catalog.mapping.probe(name)
        ids = _both(conn, table, "ecs_id", [ecs_id], [table.c.id])[0]
        if ids:
            fresh[name] = set(ids)
    reached = _Reached(conn, catalog)
    for _ in range(ROUNDS):
        if not fresh:
            return reached.revisions
        maps = catalog.classes_of(list(fresh))
        if any(known.by_hand for known in maps):
            return None
        fresh = reached.follow(maps, fresh)
    return None


class _Reached:
    """The rows, present and past, that were met on the way from one."""

    def __init__(self, conn: Connection, catalog: Catalog) -> None:
        self.conn = conn
        self.catalog = catalog
        self.revisions: set[int] = set()
        self._seen: dict[str, set[int]] = {}

    def follow(self, maps: list[ClassMap], fresh: dict[str, set[int]]) -> dict[str, set[int]]:
        """Read rows, per type by their ids; return what they refer to and was not met yet."""
        found: dict[str, set[int]] = {}
        for known in maps:
            ids = sorted(fresh[known.type_name])
            self._seen.setdefault(known.type_name, set()).update(ids)
            arcs = [arc for ref in known.singles for arc in ref.arcs.items()]
            self._read(known.table, "id", ids, arcs, found)
            for item in known.collections:
                owner = item.columns[0].name
                self._read(item.table, owner, ids, list(item.arcs.items()), found)
            for listed in known.inverse_lists:
                for other, ref in self.catalog.members_of(known.type_name, listed):
                    key, own = ref.arcs[known.type_name].name, other.table.c.id
                    self._read(other.table, key, ids, [(other.type_name, own)], found)
        left = {name: ids - self._seen.get(name, set()) for name, ids in found.items()}
        return {name: ids for name, ids in left.items() if ids}

    def _read(
        self,
        table: sa.Table,
        key: str,
        ids: list[int],
        arcs: list[tuple[str, sa.Column[Any]]],
        found: dict[str, set[int]],
    ) -> None:
        *columns, since, until = _both(self.conn, table, key, ids, [column for _, column in arcs])
        self.revisions.update(revision for revision in (*since, *until) if revision is not None)
        for (target, _), held in zip(arcs, columns, strict=True):
            found.setdefault(target, set()).update(n for n in held if n is not None)
