"""Which nodes a search and filters leave, in the order of saving."""

from __future__ import annotations

import numpy as np

from ecsviz.basics.order import Bools
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.domain.labels import label_of
from ecsviz.graph.dependency_graph import EntityDependencyGraph


def filtered(graph: EntityDependencyGraph, type_name: str | None, *, cycles_only: bool) -> Bools:
    """Return which nodes are of a type, and in a cycle if that is asked, shape (nodes,)."""
    order = graph.ordering
    keep = np.ones(len(graph), dtype=bool)
    if type_name is not None:
        keep &= np.array([name == type_name for name in graph.arrays.types], dtype=bool)
    if cycles_only:
        keep &= order.cyclic[order.component]
    return keep


def found(graph: EntityDependencyGraph, text: str, among: Bools) -> Bools:
    """Return which of some nodes a text is found in, shape (nodes,).

    Parameters
    ----------
    graph
        Of entities, classes or tables.
    text
        What is looked for, in any case: in types, ids and fields of text; all where it is empty.
    among
        Shape (nodes,): where it is looked for.

    Notes
    -----
    O(texts): straight from the entities, since an index would be another copy of the graph.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "A way back")
    >>> found(ev.EntityDependencyGraph(thread), "WAY", np.ones(2, bool)).tolist()
    [False, True]
    """
    wanted = text.strip().casefold()
    if not wanted:
        return among
    result = among.copy()
    for number in np.flatnonzero(among).tolist():
        result[number] = _found_in(graph, number, wanted)
    return result


def _found_in(graph: EntityDependencyGraph, number: int, wanted: str) -> bool:
    parts = graph.arrays
    node = parts.nodes[number]
    if wanted in parts.types[number].casefold() or wanted in str(parts.ids[number]).casefold():
        return True
    if not is_entity_class(type(node)):
        return wanted in label_of(node).casefold()
    return any(
        type(value) is str and wanted in value.casefold() for value in node.__dict__.values()
    )
