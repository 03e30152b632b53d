"""Which algorithms one can step through, and on which part of a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from ecsviz.basics.arguments import count_or_none, flag
from ecsviz.basics.text import counted
from ecsviz.domain.labels import label_of
from ecsviz.errors import GraphTooLargeError, InvalidArgumentError, did_you_mean, short_repr
from ecsviz.graph import johnson, kahn, tarjan
from ecsviz.graph.arrays import part_of
from ecsviz.graph.walkthrough import (
    NAME_WIDTH,
    Ground,
    Script,
    Steps,
    WalkStep,
    Walkthrough,
    ground_of,
)

MAX_NODES: Final = 30
"""Of so many nodes one can still tell what happens; of a larger graph the nearest are taken."""
MOST_NODES: Final = 200
"""More than so many nobody can ask for."""
MAX_STEPS: Final = 1_000
"""After so many steps nobody looks on; the cycles of 30 nodes can take billions."""
ALGORITHMS: Final[dict[str, tuple[Script, Callable[[Ground], Steps]]]] = {
    "order": (kahn.ORDER, kahn.order_steps),
    "components": (tarjan.COMPONENTS, tarjan.component_steps),
    "cycles": (johnson.CYCLES, johnson.cycle_steps),
}


def taken_part(graph: Any, around: Any, nodes: Any, pairs: Any) -> tuple[Any, str]:
    """Return the part of a graph that is walked through, and what is left out.

    Parameters
    ----------
    graph
        Any graph.
    around
        A node of it; None for its first.
    nodes
        How many at the most: the nearest to `around`, along and against the arrows.
    pairs
        Whether back-references of pairs count.

    Raises
    ------
    EntityNotFoundError, InvalidArgumentError
        If `around` is not in the graph, or `nodes` is no number.

    Notes
    -----
    O(nodes + references) of the whole graph at the most.
    """
    most = count_or_none(nodes, "nodes")
    most = len(graph) if most is None else most
    start = 0 if around is None else graph.number_of(around)
    graph = graph if flag(pairs, "pairs") else graph.without_pairs
    whole = around is None and len(graph) <= most
    near = range(len(graph)) if whole else _nearest(graph, start, most)
    if len(near) > MOST_NODES:
        raise GraphTooLargeError(
            f"A walkthrough of {len(near):,} nodes has no end: the most are {MOST_NODES}. Give"
            " nodes=30, and around= an entity to begin with.",
            n=len(near),
            limit=MOST_NODES,
        )
    if len(near) == len(graph):
        return graph, ""
    kept = np.zeros(len(graph), dtype=bool)
    kept[near] = True
    middle = label_of(graph.arrays.nodes[start], NAME_WIDTH) if near else "nothing"
    nearest = f"{counted(len(near), 'node')} nearest to {middle}"
    note = f"Showing the {nearest}, of {len(graph):,}."
    ends = graph.arrays
    return part_of(graph, kept, kept[ends.sources] & kept[ends.targets]), note


def _nearest(graph: Any, start: int, most: int) -> list[int]:
    parts = graph.arrays
    beside: list[list[int]] = [[] for _ in parts.nodes]
    for source, target in zip(parts.sources.tolist(), parts.targets.tolist(), strict=True):
        beside[source].append(target)
        beside[target].append(source)
    found = dict.fromkeys([start] if parts.nodes else [])
    for node in (queue := list(found)):
        for other in beside[node]:
            if len(found) >= most:
                return list(found)[:most]
            if other not in found:
                found[other] = None
                queue.append(other)
    return list(found)[:most]


def walk_through(graph: Any, what: Any, *, around: Any, nodes: Any, pairs: Any) -> Walkthrough:
    """Run an algorithm of graphs on a graph; see ``GraphViews.walkthrough``."""
    script, algorithm = ALGORITHMS[checked_what(what)]
    part, note = taken_part(graph, around, nodes, pairs)
    ground = ground_of(part)
    taken: list[WalkStep] = []
    running = algorithm(ground)
    answer: Any = None
    while True:
        try:
            step = next(running)
        except StopIteration as end:
            answer = end.value
            break
        taken.append(step)
        if len(taken) >= MAX_STEPS:
            note = f"{note} Stopped after {MAX_STEPS:,} steps: take fewer nodes.".strip()
            return Walkthrough(what, part, script, taken, None, note, complete=False)
    return Walkthrough(what, part, script, taken, _as_nodes(answer, part), note)


def _as_nodes(answer: list[Any], graph: Any) -> list[Any]:
    nodes = graph.arrays.nodes
    return [[nodes[n] for n in item] if isinstance(item, list) else nodes[item] for item in answer]


WALKS: Final = (*ALGORITHMS, "save", "load")
"""The last two are told by a store; see ``GraphViews.walkthrough``."""


def checked_what(what: Any) -> str:
    """Return what is to be walked through.

    Raises
    ------
    InvalidArgumentError
        If there is no such walkthrough.

    Examples
    --------
    >>> checked_what("oder")
    Traceback (most recent call last):
    ecsviz.errors.InvalidArgumentError: There is no walkthrough 'oder'. Did you mean 'order'?
    """
    if isinstance(what, str) and what in WALKS:
        return what
    raise InvalidArgumentError(
        f"There is no walkthrough {short_repr(what)}.{did_you_mean(what, WALKS)}",
        argument="what",
        value=what,
    )
