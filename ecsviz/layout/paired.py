"""What is left of a graph when pairs are one line each: a chat is a tree, a company a hierarchy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ecsviz.basics.order import Bools
from ecsviz.layout.implied import MAX_NODES, longer_ways

if TYPE_CHECKING:
    from ecsviz.graph.dependency_graph import EntityDependencyGraph


@dataclass(frozen=True, slots=True, eq=False)
class Paired:
    """A graph with one line a pair.

    Attributes
    ----------
    graph
        The same nodes; without back-references, and without what is left out.
    both
        Shape (references,): which references stand for a pair.
    left_out
        How many pairs have no line, as a longer way along other pairs leads there too.
    """

    graph: EntityDependencyGraph
    both: Bools
    left_out: int


def one_line_a_pair(graph: EntityDependencyGraph) -> Paired:
    """Return a graph with one line for each pair of a list and a back-reference.

    Notes
    -----
    A thread holds all its messages, and so does each message its replies: of the pairs of the
    thread only those with the messages that answer none are left. O(nodes · references / 64);
    for more than 2,000 nodes every pair has a line.

    Examples
    --------
    >>> import ecsviz as ev
    >>> found = one_line_a_pair(ev.EntityDependencyGraph(ev.sample("thread")))
    >>> found.graph, int(found.both.sum()), found.left_out
    (EntityDependencyGraph(19 nodes, 18 references, no cycle), 18, 17)
    """
    backs, lists = graph.arrays.paired()
    if not backs.any():
        return Paired(graph, np.zeros(len(backs), dtype=bool), 0)
    single = graph.without_pairs
    both = lists[~backs]
    if len(graph) > MAX_NODES:
        return Paired(single, both, 0)
    implied = np.zeros(len(both), dtype=bool)
    implied[both] = longer_ways(single.without(~both))
    return Paired(single.without(implied), both[~implied], int(implied.sum()))
