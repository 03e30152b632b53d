"""What an entity has led to, and when: the revisions that changed it, or what it held then."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.errors import UnknownTypeError
from ecsviz.storage.relational.past.history import both_of
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.mapping import ClassMap

ROUNDS: Final = 12
"""How many references in a row are followed: so statements do not grow with what is stored."""
NEVER: Final = sys.maxsize
"""The revision until which that holds which still does."""

Span = tuple[int, int]
"""From a revision until another, that one not included."""


@dataclass(frozen=True, slots=True)
class Past:
    """What there is of the past of one entity.

    Attributes
    ----------
    there
        When it was stored, as far as this can still be looked at.
    changes
        The revisions that changed it, or what it led to then; None where nobody can tell.
    """

    there: list[Span]
    changes: set[int] | None

    def shows(self, revision: int) -> bool:
        """Tell whether it can be looked at as of a revision."""
        return _within(self.there, revision)

    def revisions(self, every: Iterable[int]) -> list[int]:
        """Return, of revisions in order, those that show it as it had not been before."""
        begins = {since for since, _ in self.there}
        wanted = None if self.changes is None else self.changes | begins
        return [n for n in every if self.shows(n) and (wanted is None or n in wanted)]


class Reached:
    """When each node was reached from one, over references that held for a time.

    Parameters
    ----------
    begin
        When the node, or the nodes, were there from which all others are reached.

    Notes
    -----
    A node's rows and references are added once it is reached: `fresh` returns which these are.
    O(references x the spans in which a node was reached), which is one for nearly every node.

    Examples
    --------
    >>> reached = Reached({"a": [(1, NEVER)]})
    >>> reached.fresh()
    ['a']
    >>> reached.refer("a", "b", 2, 4)
    >>> reached.fresh()
    ['b']
    >>> reached.refer("b", "c", 5, 9)
    >>> reached.fresh(), reached.spans["b"]
    ([], [(2, 4)])
    """

    def __init__(self, begin: dict[Any, list[Span]]) -> None:
        self.spans: dict[Hashable, list[Span]] = {}
        self._rows: list[tuple[Hashable, int, int]] = []
        self._references: dict[Hashable, list[tuple[Hashable, int, int]]] = {}
        self._wanted: dict[Hashable, None] = {}
        self._begin = begin

    def say(self, node: Hashable, since: int, until: int) -> None:
        """Add a row that says something of a node."""
        self._rows.append((node, since, until))

    def refer(self, node: Hashable, other: Hashable, since: int, until: int) -> None:
        """Add a reference."""
        self._references.setdefault(node, []).append((other, since, until))

    def fresh(self) -> list[Any]:
        """Follow what was added; return the nodes that are reached and were not asked for yet."""
        waiting: dict[Hashable, list[Span]] = {n: self.spans[n] for n in self._wanted}
        self._wanted = {}
        for node, spans in self._begin.items():
            self._gain(node, spans, waiting)
        self._begin = {}
        while waiting:
            now, waiting = waiting, {}
            for node, spans in now.items():
                for other, since, until in self._references.get(node, ()):
                    shared = [(max(a, since), min(b, until)) for a, b in spans]
                    self._gain(other, shared, waiting)
        return list(self._wanted)

    def _gain(self, node: Hashable, spans: list[Span], waiting: dict[Hashable, list[Span]]) -> None:
        known = self.spans.get(node, [])
        new = [part for since, until in spans for part in _missing(known, since, until)]
        if not new:
            return
        self.spans[node] = _joined(known + new)
        if not known:
            self._wanted[node] = None
        elif node not in self._wanted:
            waiting[node] = _joined(waiting.get(node, []) + new)

    def changes(self) -> set[int]:
        """Return the revisions in which a row of a node began or ended while it was reached."""
        result = set()
        for node, since, until in self._rows:
            if _within(self.spans[node], since):
                result.add(since)
            if until != NEVER and _within(self.spans[node], until - 1):
                result.add(until)
        return result


def since_oldest(spans: Iterable[Span], oldest: int) -> list[Span]:
    """Return what of some spans can be looked at in a store whose past has been pruned.

    Examples
    --------
    >>> since_oldest([(7, 9), (1, 3), (3, 6)], 5)
    [(5, 6), (7, 9)]
    """
    return _joined([(max(since, oldest), until) for since, until in spans if until > oldest])


def _within(spans: list[Span], revision: int) -> bool:
    return any(since <= revision < until for since, until in spans)


def _joined(spans: list[Span]) -> list[Span]:
    result: list[Span] = []
    for since, until in sorted(spans):
        if result and since <= result[-1][1]:
            result[-1] = result[-1][0], max(result[-1][1], until)
        else:
            result.append((since, until))
    return result


def _missing(spans: list[Span], since: int, until: int) -> list[Span]:
    """Return what of a span some others, in order, leave."""
    result = []
    for begin, end in spans:
        if begin >= until:
            break
        if since < begin:
            result.append((since, begin))
        since = max(since, end)
    if since < until:
        result.append((since, until))
    return result


# -- in a database -----------------------------------------------------------------------------


def past_of(conn: Connection, catalog: Catalog, ecs_id: UUID) -> Past:
    """Return what the tables say of the past of an entity, and of what it led to.

    Returns
    -------
    Past
        Without changes where the tables do not tell: something has no history, is of a type for
        which no class is defined here, or is more than `ROUNDS` references away.

    Notes
    -----
    Per reference in a row a statement per class and per field that holds several entities; all
    messages of a thread are one reference away. O(rows that ever spoke of what is reached).
    """
    oldest = catalog.oldest_revision(conn)
    begin: dict[tuple[str, int], list[Span]] = {}
    for name in catalog.mapping.stored:
        table = catalog.mapping.probe(name)
        for row_id, *span in zip(
            *both_of(conn, table, "ecs_id", [ecs_id], [table.c.id]), strict=True
        ):
            begin.setdefault((name, row_id), []).append(_span(*span))
    begin = {node: since_oldest(spans, oldest) for node, spans in begin.items()}
    there = _joined([span for spans in begin.values() for span in spans])
    try:
        return Past(there, _changes(conn, catalog, begin))
    except UnknownTypeError:
        return Past(there, None)


def _span(since: int, until: int | None) -> Span:
    return since, NEVER if until is None else until


def _changes(
    conn: Connection, catalog: Catalog, begin: dict[tuple[str, int], list[Span]]
) -> set[int] | None:
    reached = Reached(begin)
    reading = _Reading(conn, catalog, reached)
    for _ in range(ROUNDS):
        fresh = reached.fresh()
        if not fresh:
            return reached.changes()
        ids: dict[str, list[int]] = {}
        for name, row_id in fresh:
            ids.setdefault(name, []).append(row_id)
        maps = catalog.classes_of(list(ids))
        if any(known.by_hand for known in maps):
            return None
        for known in maps:
            reading.read(known, sorted(ids[known.type_name]))
    return None if reached.fresh() else reached.changes()


@dataclass(slots=True)
class _Reading:
    """Reads the rows, present and past, of what is reached."""

    conn: Connection
    catalog: Catalog
    reached: Reached

    def read(self, known: ClassMap, ids: list[int]) -> None:
        """Read all that is said of some rows of a class, and what they refer to."""
        name = known.type_name
        arcs = [arc for ref in known.singles for arc in ref.arcs.items()]
        self._read(name, known.table, known.table.c.id, ids, arcs)
        for item in known.collections:
            self._read(name, item.table, item.columns[0], ids, list(item.arcs.items()))
        for listed in known.inverse_lists:
            for other, ref in self.catalog.members_of(name, listed):
                self._read_members(name, other, ref.arcs[name], ref.position, ids)

    def _read(
        self,
        name: str,
        table: sa.Table,
        key: sa.Column[Any],
        ids: list[int],
        arcs: list[tuple[str, sa.Column[Any]]],
    ) -> None:
        wanted = [key, *(column for _, column in arcs)]
        for row_id, *held, since, ended in zip(
            *both_of(self.conn, table, key.name, ids, wanted), strict=True
        ):
            node, (_, until) = (name, row_id), _span(since, ended)
            self.reached.say(node, since, until)
            for (target, _), other in zip(arcs, held, strict=True):
                if other is not None:
                    self.reached.refer(node, (target, other), since, until)

    def _read_members(
        self,
        name: str,
        known: ClassMap,
        key: sa.Column[Any],
        position: Any,
        ids: list[int],
    ) -> None:
        """Read who stands in the lists of some rows; what they say of themselves is read later."""
        wanted = [key, known.table.c.id, position]
        rows = zip(*both_of(self.conn, known.table, key.name, ids, wanted), strict=True)
        for row_id, member, place, since, until in rows:
            if place is not None:
                other = known.type_name, member
                self.reached.refer((name, row_id), other, *_span(since, until))
