"""Implied references: those of a crowd that say no more than a longer way along others does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ecsviz.basics.order import Bools, Ints
from ecsviz.layout.rings import look_inside

if TYPE_CHECKING:
    from ecsviz.graph.dependency_graph import EntityDependencyGraph

CROWD: Final = 150
DENSE: Final = 3.0
"""So many references, and so many per node, are a mass: then it matters which are implied."""
MAX_NODES: Final = 2_000
"""Sets of nodes are kept as bits, so that memory is quadratic in them."""


def implied_references(graph: EntityDependencyGraph) -> Bools:
    """Tell which references need not be seen in a dense graph.

    Parameters
    ----------
    graph
        Any graph.

    Returns
    -------
    ndarray
        Shape (references,). True where, in a dense component or in what joins components, a
        longer way along references that are not deferred leads from the source to the target.
        Never true for deferred references, references of hubs, and in graphs with room.

    Notes
    -----
    The transitive reduction of the saving order (Aho, Garey and Ullman 1972), with sets of
    nodes as integers. O(nodes · references / 64) for up to 2,000 nodes.

    Examples
    --------
    >>> import ecsviz as ev
    >>> names = [str(number) for number in range(30)]
    >>> a, b = zip(*((a, b) for a in range(30) for b in range(a)))  # all that can be without cycle
    >>> graph = ev.EntityDependencyGraph.from_parts(names, names, ["n"] * 30, a, b, ["to"] * len(a))
    >>> int((~implied_references(graph)).sum())  # from each to the next
    29
    """
    parts, found = graph.arrays, graph.ordering
    n, sources, targets = len(parts.nodes), parts.sources, parts.targets
    if len(sources) < CROWD or n > MAX_NODES:
        return np.zeros(len(sources), dtype=bool)
    hub = look_inside(graph).hub
    counted = (sources != targets) & ~(found.in_cycle & (hub[sources] | hub[targets]))
    # What leads from one component to another crowds the picture as a whole: number 0.
    owner = np.where(found.in_cycle, found.component[sources] + 1, 0)
    members = np.append(n, np.bincount(found.component))
    lines = np.bincount(owner[counted], minlength=len(members))
    dense = (lines >= CROWD) & (lines >= DENSE * members)
    if not dense.any():
        return np.zeros(len(sources), dtype=bool)
    return np.asarray(longer_ways(graph) & counted)


def longer_ways(graph: EntityDependencyGraph) -> Bools:
    """Tell where a longer way along references that are not deferred leads to the same.

    Returns
    -------
    ndarray
        Shape (references,). False for deferred references.

    Notes
    -----
    O(nodes · references / 64), and memory quadratic in the nodes: for up to `MAX_NODES`.
    """
    parts, found = graph.arrays, graph.ordering
    n, sources, targets = len(parts.nodes), parts.sources, parts.targets
    place = np.empty(n, dtype=np.int64)
    place[found.sequence] = np.arange(n)
    follows = np.flatnonzero((sources != targets) & ~found.deferred)
    implied = np.zeros(len(sources), dtype=bool)
    implied[follows] = _longer_way(n, place[sources[follows]], place[targets[follows]])
    return implied


def _longer_way(n: int, sources: Ints, targets: Ints) -> Bools:
    """Tell where there is a longer way, in a graph whose edges lead to lower numbers."""
    result = np.zeros(len(sources), dtype=bool)
    # By source; the nearest targets first, from which the ways to others lead on.
    order = np.lexsort((-targets, sources))
    reached = [0] * n
    direct = [-1] * n
    for edge in order.tolist():
        source, target = int(sources[edge]), int(targets[edge])
        if direct[source] == target:
            continue  # beside another that is kept
        if reached[source] >> target & 1:
            result[edge] = True
        else:
            direct[source] = target
            reached[source] |= reached[target] | 1 << target
    return result
