"""What of a graph is drawn where types or fields are hidden."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ecsviz.basics.arguments import listed
from ecsviz.draw.options import checked_option
from ecsviz.errors import did_you_mean, short_repr
from ecsviz.graph.arrays import part_of
from ecsviz.layout import DrawingOptionError

if TYPE_CHECKING:
    from ecsviz.graph.dependency_graph import EntityDependencyGraph


def chosen_part(graph: EntityDependencyGraph, hide: Any, fields: Any) -> EntityDependencyGraph:
    """Return a graph without the types and fields that are hidden.

    Parameters
    ----------
    graph
        Any graph.
    hide
        Names of types, whose nodes are left out, and of fields, whose references are; or classes,
        whose own nodes are, and not those of others of the same name.
    fields
        The fields whose references are drawn; None for all.

    Raises
    ------
    DrawingOptionError
        If there is no such type or field.

    Notes
    -----
    O(nodes + references).

    Examples
    --------
    >>> import ecsviz as ev
    >>> graph = ev.EntityDependencyGraph(ev.sample("thread"))
    >>> chosen_part(graph, ["thread"], None)
    EntityDependencyGraph(19 nodes, 52 references, 1 cyclic component)
    >>> chosen_part(graph, ["ChatThread"], ["replies"])
    EntityDependencyGraph(18 nodes, 17 references, no cycle)
    """
    parts = graph.arrays
    names = np.array([parts.place_of(number)[0] for number in range(len(parts.sources))], object)
    types = np.array(parts.types, object)
    known_fields, known_types = set(names.tolist()), set(parts.types)
    hidden, classes = _named(hide, "hide", known_types | known_fields, parts.nodes)
    node = ~np.isin(types, list(hidden)) if hidden else np.ones(len(types), dtype=bool)
    if classes:
        node &= [type(each) not in classes and each not in classes for each in parts.nodes]
    kept = node[parts.sources] & node[parts.targets]
    if hidden:
        kept &= ~np.isin(names, list(hidden))
    if fields is not None:
        kept &= np.isin(names, list(_named(fields, "fields", known_fields, ())[0]))
    found: EntityDependencyGraph = part_of(graph, node, kept)
    return found


def _named(
    value: Any, option: str, known: set[str], nodes: Sequence[Any]
) -> tuple[set[str], set[type]]:
    """Return the names that are given, and the classes of which there are nodes."""

    def names(given: Any, name: str) -> list[Any]:
        return listed(given, name, 'Give a list of names: ["thread"].')

    found: Sequence[Any] = () if value is None else checked_option(names, value, option)
    asked = {each for each in found if isinstance(each, type)}
    there = {type(node) for node in nodes} | {node for node in nodes if isinstance(node, type)}
    classes = asked & there if asked else set()
    result = set()
    for each in found:
        if isinstance(each, type) and each in classes:
            continue
        name = each.__name__ if isinstance(each, type) else each  # of a class that was defined anew
        if not (isinstance(name, str) and name in known):
            what = "field" if option == "fields" else "type or field"
            raise DrawingOptionError(
                f"{option} names {short_repr(name)}, which is no {what} of what is drawn."
                f"{did_you_mean(name, sorted(known))} Give a list of names that there are.",
                option=option,
                value=value,
            )
        result.add(name)
    return result, classes
