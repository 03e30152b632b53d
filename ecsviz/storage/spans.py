"""Spans of revisions: what an entity led to, and when; the revisions that changed any of it."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Final

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
        return within(self.there, revision)

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
        self.spans[node] = joined(known + new)
        if not known:
            self._wanted[node] = None
        elif node not in self._wanted:
            waiting[node] = joined(waiting.get(node, []) + new)

    def changes(self) -> set[int]:
        """Return the revisions in which a row of a node began or ended while it was reached."""
        result = set()
        for node, since, until in self._rows:
            if within(self.spans[node], since):
                result.add(since)
            if until != NEVER and within(self.spans[node], until - 1):
                result.add(until)
        return result


def since_oldest(spans: Iterable[Span], oldest: int) -> list[Span]:
    """Return what of some spans can be looked at in a store whose past has been pruned.

    Examples
    --------
    >>> since_oldest([(7, 9), (1, 3), (3, 6)], 5)
    [(5, 6), (7, 9)]
    """
    return joined([(max(since, oldest), until) for since, until in spans if until > oldest])


def within(spans: list[Span], revision: int) -> bool:
    """Tell whether a revision lies in one of some spans."""
    return any(since <= revision < until for since, until in spans)


def joined(spans: list[Span]) -> list[Span]:
    """Return spans in order, those that touch as one."""
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
