"""The listing of cycles, and what it consists of."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np

from ecsviz.basics.order import Order, distinct
from ecsviz.domain.labels import label_of
from ecsviz.domain.walk import Reference, node_name
from ecsviz.graph.arrays import Parts
from ecsviz.graph.cells import cycles_html
from ecsviz.graph.cycle_search import CycleSearch

NAME_WIDTH: Final = 24
"""How wide an entity's name is in a cycle, in columns."""


class Cycle:
    """An elementary cycle, with the references that close it.

    Attributes
    ----------
    nodes
        The entities in the order of the arrows, each once.
    references
        Every reference from one to the next; where several join the same two, all of them.

    Examples
    --------
    >>> import ecsviz as ev
    >>> cycle = ev.EntityDependencyGraph(ev.sample("two_cycle")).get_cycles()[0]
    >>> len(cycle), cycle
    (2, Cycle(Node.links[0] -> Node.links[0]))
    """

    __slots__ = ("nodes", "references")

    def __init__(self, nodes: list[Any], references: list[Reference]) -> None:
        self.nodes = nodes
        self.references = references

    def __len__(self) -> int:
        return len(self.nodes)

    def __repr__(self) -> str:
        return f"Cycle({' -> '.join(self._steps(node_name))})"

    def named(self) -> str:
        """Return the cycle as one line that names each entity, and comes back to the first.

        Examples
        --------
        >>> import ecsviz as ev
        >>> thread = ev.ChatThread(title="Cycles")
        >>> message = thread.say("user", "hello")
        >>> ev.EntityDependencyGraph(thread).get_cycles()[0].named()
        'Cycles.messages[0] → user: hello.thread → Cycles'
        """
        steps = self._steps(_name)
        return " → ".join([*steps, _name(self.nodes[0])] if steps else [])

    def _steps(self, name: Callable[[Any], str]) -> list[str]:
        steps: dict[int, list[str]] = {}
        for reference in self.references:
            steps.setdefault(id(reference.source), []).append(reference.path)
        parts = [f"{name(node)}.{_joined(steps[id(node)])}" for node in self.nodes]
        return [*parts[:5], f"… {len(parts) - 6} more", parts[-1]] if len(parts) > 6 else parts


def _name(node: Any) -> str:
    return label_of(node, NAME_WIDTH, with_type=False)


def _joined(paths: list[str]) -> str:
    more = [f"… {len(paths) - 3} more"] if len(paths) > 3 else []
    return " | ".join(paths[:3] + more)


class CycleList(list[Cycle]):
    """A list of cycles that says whether there are more.

    Attributes
    ----------
    complete
        Whether these are all elementary cycles.
    reason
        Why the listing ended early; empty if it did not.
    """

    def __init__(self, cycles: Iterable[Cycle] = (), reason: str = "") -> None:
        super().__init__(cycles)
        self.reason = reason

    @property
    def complete(self) -> bool:
        """Whether these are all elementary cycles."""
        return not self.reason

    def __repr__(self) -> str:
        shown = list(self[:20])
        lines = [repr(cycle) for cycle in shown]
        if len(set(lines)) < len(lines):  # classes do not tell them apart
            lines = [f"Cycle({cycle.named()})" for cycle in shown]
        text = ", ".join(lines)
        if len(self) > len(shown):
            text += f", … {len(self) - len(shown)} more"
        if self.complete:
            return f"[{text}]"
        return (
            f"[{text}] ({len(self):,} cycles listed, shortest first; there are more: {self.reason})"
        )

    def _repr_html_(self) -> str:
        return cycles_html(self)


def cycles_in(parts: Parts, ordering: Order, limit: int | None, seconds: float | None) -> CycleList:
    """Return the elementary cycles of a graph, shortest first.

    Parameters
    ----------
    parts, ordering
        The graph's ``arrays`` and ``ordering``.
    limit
        How many at the most; None for all.
    seconds
        How long to search, in seconds; None for as long as it takes.
    """
    deadline = time.monotonic() + seconds if seconds is not None else float("inf")
    search = cycle_search(parts, ordering, deadline)
    between = _between(parts, ordering)
    result = CycleList()
    for found in search:
        if limit is not None and len(result) >= limit:
            result.reason = f"the limit is {limit:,}; give limit=None for all"
            return result
        references = [
            parts.reference(edge)
            for ends in zip(found, [*found[1:], found[0]], strict=True)
            for edge in between(*ends)
        ]
        result.append(Cycle([parts.nodes[number] for number in found], references))
    if search.timed_out:
        result.reason = f"{seconds:g} s were over; give seconds=None for all"
    return result


def cycle_search(parts: Parts, ordering: Order, deadline: float) -> CycleSearch:
    """Return the search for the cycles of a graph, as numbers of nodes."""
    edges = np.flatnonzero(ordering.in_cycle)
    sources, targets = parts.sources[edges], parts.targets[edges]
    nodes = distinct(sources)  # in a cycle, every target is a source
    nodes = nodes[np.argsort(parts.rank()[nodes])]
    return CycleSearch(nodes, sources, targets, deadline)


def _between(parts: Parts, ordering: Order) -> Callable[[int, int], Any]:
    """Return what gives the references on cycles from one node to another."""
    n, edges = len(parts.nodes), np.flatnonzero(ordering.in_cycle)
    ends = parts.sources[edges] * n + parts.targets[edges]
    by_ends = np.argsort(ends, kind="stable")
    edges, ends = edges[by_ends], ends[by_ends]

    def between(source: int, target: int) -> Any:
        key = source * n + target
        return edges[np.searchsorted(ends, key) : np.searchsorted(ends, key, "right")].tolist()

    return between
