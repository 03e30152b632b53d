"""What a reader picks in the explorer: several nodes, a path between two, what is told of one."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from ecsviz.basics.order import Bools, Ints
from ecsviz.basics.text import plain
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.domain.labels import label_of
from ecsviz.errors import InvalidArgumentError
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.widgets.base import Message
from ecsviz.widgets.graph.scene import Scene

STEPS: Final = 200
"""How many references of a path can be stepped through."""
FAR: Final = 1e6
"""How far from the middle something may be put, in pixels."""


def path_between(graph: EntityDependencyGraph, source: int, target: int) -> Ints:
    """Return the references of a shortest path between two nodes; none where there is no path.

    Parameters
    ----------
    graph
        Of any size.
    source, target
        Numbers of nodes.

    Returns
    -------
    ndarray
        Numbers of references in the order of the path. All lead on from `source`; else all lead
        on from `target`, in the order from there; else they are taken in both directions.

    Notes
    -----
    O(nodes + references log references), breadth first.

    Examples
    --------
    >>> import ecsviz as ev
    >>> chain = ev.EntityDependencyGraph(ev.sample("chain", n=4))
    >>> path_between(chain, 0, 2).tolist(), path_between(chain, 2, 0).tolist()
    ([0, 1], [0, 1])
    """
    parts = graph.arrays
    n = len(graph)
    ways = (
        (parts.sources, parts.targets, source, target),
        (
            parts.sources,
            parts.targets,
            target,
            source,
        ),
    )
    edges = np.arange(len(parts.sources))
    for sources, targets, begin, end in ways:
        nodes = _walked(n, sources, targets, begin, end)
        if nodes is not None:
            return _edges_along(n, sources, targets, edges, nodes)
    both = np.concatenate((parts.sources, parts.targets))
    other = np.concatenate((parts.targets, parts.sources))
    nodes = _walked(n, both, other, source, target)
    if nodes is None:
        return np.zeros(0, dtype=np.int64)
    return _edges_along(n, both, other, np.concatenate((edges, edges)), nodes)


def _walked(n: int, sources: Ints, targets: Ints, begin: int, end: int) -> Ints | None:
    # Loaded when asked for: the first picture does without it.
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order

    matrix = csr_array((np.ones(len(sources), dtype="i1"), (sources, targets)), shape=(n, n))
    _, before = breadth_first_order(matrix, begin, return_predecessors=True)
    path = [end]
    while path[-1] != begin:
        path.append(int(before[path[-1]]))
        if path[-1] < 0:
            return None
    return np.array(path[::-1], dtype=np.int64)


def _edges_along(n: int, sources: Ints, targets: Ints, edges: Ints, nodes: Ints) -> Ints:
    keys = sources * n + targets
    order = np.argsort(keys, kind="stable")
    found = np.searchsorted(keys[order], nodes[:-1] * n + nodes[1:])
    return np.asarray(edges[order[found]])


def steps_along(graph: EntityDependencyGraph, edges: Ints, deferred: Bools) -> list[dict[str, Any]]:
    """Return references as steps: both ends by number, the path, and all as text.

    Which of all references are told to be `deferred` is given.
    """
    parts = graph.arrays
    result = []
    for edge in edges.tolist():
        source, target = int(parts.sources[edge]), int(parts.targets[edge])
        path = parts.place_of(edge)[1]
        ends = [label_of(parts.nodes[number], 40) for number in (source, target)]
        result.append(
            {
                "source": source,
                "target": target,
                "path": plain(path, 40),
                "text": plain(f"{ends[0]} → {path} → {ends[1]}", 200),
                "deferred": bool(deferred[edge]),
            }
        )
    return result


def first_nodes(graph: EntityDependencyGraph) -> list[Any]:
    """Return entities from which all of a graph was found, to find it anew.

    Raises
    ------
    InvalidArgumentError
        If the graph is not of entities or classes that are here.

    Examples
    --------
    >>> import ecsviz as ev
    >>> first_nodes(ev.EntityDependencyGraph(ev.sample("chain", n=3)))[0].name
    'n1'
    """
    parts = graph.arrays
    if not all(is_entity_class(type(node)) or is_entity_class(node) for node in parts.nodes):
        raise InvalidArgumentError(
            "This graph was not made of entities that are here, so it cannot be found anew. Make"
            " the new graph and give it: refresh(graph)."
        )
    earliest = np.arange(len(graph))
    np.minimum.at(earliest, parts.targets, parts.sources)
    # Who is held by nobody that was found before stood at the beginning of the search.
    return [parts.nodes[k] for k in np.flatnonzero(earliest >= np.arange(len(graph))).tolist()]


class Places:
    """Where a reader has put what the explorer shows, per picture: by view and layout.

    Examples
    --------
    >>> places = Places()
    >>> places.put("all", "a", (1.0, 2.0))
    >>> places.moved("all", ["b", "a"])
    {'1': [1.0, 2.0]}
    """

    def __init__(self) -> None:
        self._put: dict[Hashable, dict[Any, tuple[float, float]]] = {}

    def put(self, picture: Hashable, key: Any, place: tuple[float, float]) -> None:
        """Note a place, in pixels."""
        self._put.setdefault(picture, {})[key] = place

    def moved(self, picture: Hashable, keys: list[Any]) -> dict[str, list[float]]:
        """Return the elements that were moved there, by their number as text, with places."""
        put = self._put.get(picture)
        if not put:
            return {}
        return {str(k): list(put[key]) for k, key in enumerate(keys) if key in put}


def keys_of(scene: Scene, ids: Sequence[Any]) -> list[Any]:
    """Return what each element of a scene is called, whatever its number."""
    shown = zip(scene.nodes.tolist(), scene.groups.tolist(), strict=True)
    return [ids[node] if node >= 0 else ("group", group) for node, group in shown]


def positions_of(
    scene: Scene, ids: Sequence[Any], moved: Mapping[str, Sequence[float]]
) -> dict[Any, tuple[float, float]]:
    """Return where a scene shows its nodes: id → (x, y) in pixels."""
    places = scene.places.tolist()
    for number, place in moved.items():
        places[int(number)] = place
    shown = zip(scene.nodes.tolist(), places, strict=True)
    return {ids[node]: (x, y) for node, (x, y) in shown if node >= 0}


def place_in(message: Message) -> tuple[float, float] | None:
    """Return the place that a message tells, or None.

    Examples
    --------
    >>> place_in({"x": 1, "y": -2.5}), place_in({"x": "1", "y": 2})
    ((1.0, -2.5), None)
    """
    x, y = message.get("x"), message.get("y")
    if isinstance(x, bool) or isinstance(y, bool):
        return None
    if not isinstance(x, int | float) or not isinstance(y, int | float):
        return None
    return min(max(float(x), -FAR), FAR), min(max(float(y), -FAR), FAR)


def nodes_asked(asked: object, scene: Scene) -> Bools:
    """Return which nodes the elements show that a page asks for, shape (nodes,)."""
    wanted = np.zeros(len(scene) + 1, dtype=bool)  # the last: of what is not shown
    numbers = asked if isinstance(asked, list) else []
    wanted[[k for k in numbers if type(k) is int and 0 <= k < len(scene)]] = True
    return np.asarray(wanted[scene.of_node])


def picked_now(before: list[str], chosen: list[str], how: object) -> list[str]:
    """Return what is picked after some more were chosen.

    Examples
    --------
    >>> picked_now(["a", "b"], ["b", "c"], "more"), picked_now(["a", "b"], ["b", "c"], "turn")
    (['a', 'b', 'c'], ['a', 'c'])
    """
    both = list(dict.fromkeys([*before, *chosen]))
    if how == "more":
        return both
    if how == "turn":
        old, new = {*before}, {*chosen}
        return [each for each in both if (each in old) != (each in new)]
    return chosen
