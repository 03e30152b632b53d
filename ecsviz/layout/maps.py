"""Maps: large graphs as points by forces, in communities that are called after their members."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ecsviz.basics.order import Bools, Ints
from ecsviz.domain.labels import label_of
from ecsviz.layout.communities import communities
from ecsviz.layout.force import force_places
from ecsviz.layout.grid import Floats
from ecsviz.layout.one_way import one_way

if TYPE_CHECKING:
    from ecsviz.graph.dependency_graph import EntityDependencyGraph

FEW: Final = 160
"""Of more nodes, rows of what is no tree say little: they are drawn as a map."""
TITLED: Final = 20
"""So many communities have a title, the largest ones."""
LEAST: Final = 5
"""Smaller ones have none."""
MOST_OF: Final = 0.6
"""What so many members of a community do is said of it."""
WHOLE: Final = 0.5
"""A map is drawn of what hangs together for the most part: of so large a share."""
GAP: Final = 0.8
"""How far what is joined to nothing stands apart, where what is joined is one unit apart."""
COUNTED: Final = 300
"""From so many references between communities on they are counted: lines would be a haze."""
FULL: Final = 18
"""So many references, or more, make the widest band; of a few none is as wide."""
BANDS: Final = 40
"""Between so many pairs of communities the count is shown, as a band."""
CELLS: Final = 500
"""In at the most so many cells a side it is counted where a community stands."""
TANGLED: Final = 1.35
"""With so many references a node rows are no longer followed."""


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """Where the nodes of a large graph are, and in which communities.

    Attributes
    ----------
    places
        About one unit apart, shape (nodes, 2): x to the right, y upwards.
    community
        Shape (nodes,): the community of each, the largest first.
    titles
        What the largest communities are called, after their most telling member.
    leaders
        Shape (titles,): that member.
    degree
        Shape (nodes,): how many references join each.
    massed
        Shape (nodes,): which stand where most of their community do. One that others part may be
        in several pieces: its title, and its bands, belong to the densest.
    """

    places: Floats
    community: Ints
    titles: list[str]
    leaders: Ints
    degree: Ints
    massed: Bools


def map_of(graph: EntityDependencyGraph) -> Map:
    """Return the map of a graph: the same for pictures and explorers, made once.

    Notes
    -----
    O((nodes + references) · steps): some 1 s for 10,000 nodes, 3 s for 100,000.

    Examples
    --------
    >>> import ecsviz as ev
    >>> names = [f"n{number}" for number in range(12)]
    >>> ends = range(1, 12), [0] * 11
    >>> star = ev.EntityDependencyGraph.from_parts(names, names, ["n"] * 12, *ends, ["to"] * 11)
    >>> map_of(star).titles
    ['n0 and 11 that need it']
    """
    known = graph.__dict__.get("_map")
    if not isinstance(known, Map):
        known = graph.__dict__["_map"] = _map(graph)
    return known


def bands_of(found: Map, sources: Ints, targets: Ints) -> Ints:
    """Return how many references lead between the communities that have titles.

    Returns
    -------
    ndarray
        Shape (bands, 3): two communities, the first the larger one, and their references in both
        directions. The widest first, `BANDS` at the most; none where there are few references.

    Examples
    --------
    >>> import ecsviz as ev
    >>> names = [f"n{number}" for number in range(12)]
    >>> ends = range(1, 12), [0] * 11
    >>> star = ev.EntityDependencyGraph.from_parts(names, names, ["n"] * 12, *ends, ["to"] * 11)
    >>> bands_of(map_of(star), star.arrays.sources, star.arrays.targets).shape
    (0, 3)
    """
    keys = _pairs_of(found, sources, targets)
    between = keys[keys >= 0]
    which, many = np.unique(between, return_counts=True)
    if len(between) < COUNTED:
        which, many = which[:0], many[:0]
    order = np.argsort(-many, kind="stable")[:BANDS]
    one, other = np.divmod(which[order], max(len(found.titles), 1))
    return np.column_stack((one, other, many[order]))


def in_bands(found: Map, bands: Ints, sources: Ints, targets: Ints) -> Bools:
    """Return which references the bands of `bands_of` count, shape (references,)."""
    keys = bands[:, 0] * len(found.titles) + bands[:, 1]
    return np.isin(_pairs_of(found, sources, targets), keys)


def _pairs_of(found: Map, sources: Ints, targets: Ints) -> Ints:
    """Return a number for each two communities with titles that references join, else -1."""
    count = len(found.titles)
    a, b = found.community[sources], found.community[targets]
    low, high = np.minimum(a, b), np.maximum(a, b)
    return np.where((low < high) & (high < count), low * count + high, -1)


def shares_of(bands: Ints) -> Floats:
    """Return how wide the bands of `bands_of` are, as a share of what they can be."""
    return np.asarray(bands[:, 2] / max(int(bands[:1, 2].sum()), FULL))


def middles_of(found: Map, places: Floats) -> Floats:
    """Return where the titles and the bands of communities belong, shape (titles, 2).

    Parameters
    ----------
    found
        The map.
    places
        Its places, on whatever scale they are drawn.

    Examples
    --------
    >>> import ecsviz as ev
    >>> names = [f"n{number}" for number in range(12)]
    >>> ends = range(1, 12), [0] * 11
    >>> star = ev.EntityDependencyGraph.from_parts(names, names, ["n"] * 12, *ends, ["to"] * 11)
    >>> middles_of(map_of(star), map_of(star).places).shape
    (1, 2)
    """
    middles = [
        np.median(places[found.massed & (found.community == number)], axis=0)
        for number in range(len(found.titles))
    ]
    return np.array(middles).reshape(-1, 2)


def colors_of(found: Map, count: int) -> Ints:
    """Return for each community with a title the number of its colour, of so many there are.

    The largest have each their own. Of the others each has the one whose nearest bearer is the
    farthest away: side by side, two of one colour would look like one.

    Examples
    --------
    >>> import ecsviz as ev
    >>> names = [f"n{number}" for number in range(12)]
    >>> ends = range(1, 12), [0] * 11
    >>> star = ev.EntityDependencyGraph.from_parts(names, names, ["n"] * 12, *ends, ["to"] * 11)
    >>> colors_of(map_of(star), 10).tolist()
    [0]
    """
    middles = middles_of(found, found.places)
    colors = np.arange(len(middles))
    for number in range(count, len(middles)):
        away = np.hypot(*(middles[:number] - middles[number]).T)
        nearest = np.full(count, np.inf)
        np.minimum.at(nearest, colors[:number], away)
        colors[number] = nearest.argmax()
    return colors


def needs_a_map(graph: EntityDependencyGraph, rows: int) -> bool:
    """Tell whether a map says more of a graph than rows or groups; `rows` are few enough nodes.

    Notes
    -----
    It does of what hangs together, and is no tree: rows of a tree can be followed, and parts of
    a graph that do not hang together are told one by one.
    """
    plain = one_way(graph)
    parts = (graph if plain is None else plain.graph).arrays
    n = len(parts.nodes)
    joined = len(np.union1d(parts.sources, parts.targets))  # the others stand below a map
    if joined <= rows or len(parts.sources) < TANGLED * joined:
        return False
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    ends = parts.sources, parts.targets
    _, label = connected_components(csr_array((np.ones(len(ends[0])), ends), shape=(n, n)), False)
    return bool(np.bincount(label).max() > WHOLE * joined)


def _map(graph: EntityDependencyGraph) -> Map:
    plain = one_way(graph)
    parts = (graph if plain is None else plain.graph).arrays
    n = len(parts.nodes)
    steps = communities(n, parts.sources, parts.targets)
    places = _with_the_single(n, parts.sources, parts.targets, steps)
    sizes = np.bincount(steps[-1]) if n else np.zeros(0, dtype=np.int64)
    rank = np.empty(len(sizes), dtype=np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    community = rank[steps[-1]] if n else np.zeros(0, dtype=np.int64)
    count = min(TITLED, int((sizes >= LEAST).sum()))
    titles, leaders = _titles(graph, community, count, parts.sources, parts.targets)
    massed = _massed(places, community, count)
    return Map(places, community, titles, leaders, parts.degrees(), massed)


def _massed(places: Floats, community: Ints, count: int) -> Bools:
    """Return which nodes stand where most of their community do; of those without titles, all.

    That is the disc, as large as all of them fill where they stand side by side, around the cell
    of a grid with the most of them in and around it. O(nodes · titles).
    """
    massed = np.ones(len(places), dtype=np.bool_)
    for number in range(count):
        here = np.flatnonzero(community == number)
        own = places[here]
        radius = max(float(np.sqrt(len(own) / np.pi)), float(np.ptp(own, axis=0).max()) / CELLS)
        cell = np.floor((own - own.min(axis=0)) / radius).astype(np.int64) + 1
        shape = cell.max(axis=0) + 2
        filled = np.zeros(shape)
        np.add.at(filled, tuple(cell.T), 1)
        around = sum(np.roll(filled, (x, y), axis=(0, 1)) for x in (-1, 0, 1) for y in (-1, 0, 1))
        best = np.array(np.unravel_index(np.argmax(around), shape))
        near = (np.abs(cell - best) <= 1).all(axis=1)
        middle = np.median(own[near], axis=0)
        near = np.hypot(*(own - middle).T) <= radius
        massed[here] = near
    return massed


def _with_the_single(n: int, sources: Ints, targets: Ints, steps: list[Ints]) -> Floats:
    """Place by forces what is joined, and in rows below it what is joined to nothing.

    Around the others they would take the most room, and say nothing.
    """
    joined = np.zeros(n, dtype=np.bool_)
    joined[sources] = joined[targets] = True
    if joined.all() or not joined.any():
        return _turned(force_places(n, sources, targets, steps))
    number = np.cumsum(joined) - 1
    fewer = [np.unique(step[joined], return_inverse=True)[1] for step in steps]
    places = np.empty((n, 2))
    count = int(joined.sum())
    places[joined] = _turned(force_places(count, number[sources], number[targets], fewer))
    low, high = places[joined].min(axis=0), places[joined].max(axis=0)
    single = np.arange(n - count)
    columns = max(int((high[0] - low[0]) / GAP), 1)
    row = single // columns
    among = np.minimum(n - count - row * columns, columns)  # the last row stands in the middle
    places[~joined, 0] = (low[0] + high[0]) / 2 + GAP * (single % columns - (among - 1) / 2)
    places[~joined, 1] = low[1] - GAP * (row + 2)
    return places


def _turned(places: Floats) -> Floats:
    """Turn places so that they are widest from left to right, whatever the order of the nodes."""
    centred = places - places.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    turned = centred @ axes[:, ::-1]
    signs = np.where((turned**3).sum(axis=0) < 0, -1.0, 1.0)
    return np.asarray(turned * signs)


def _titles(
    graph: EntityDependencyGraph, community: Ints, count: int, sources: Ints, targets: Ints
) -> tuple[list[str], Ints]:
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order

    n = len(community)
    inside = (community[sources] == community[targets]) & (sources != targets)
    a, b = sources[inside], targets[inside]
    held, holding = np.bincount(b, minlength=n), np.bincount(a, minlength=n)
    order = np.lexsort((-(held + holding), community))
    leaders = order[np.searchsorted(community[order], np.arange(count))]
    down = csr_array((np.ones(len(a)), (a, b)), shape=(n, n))
    up = csr_array(down.T)
    sizes = np.bincount(community, minlength=count)
    titles = []
    for leader, size in zip(leaders.tolist(), sizes.tolist(), strict=False):
        name = label_of(graph.arrays.nodes[leader], with_type=False)
        reached = [
            len(breadth_first_order(way, leader, return_predecessors=False)) - 1
            for way in (up, down)
        ]
        most = max(reached)
        words = "need it" if reached[0] == most else "it needs"
        if most < MOST_OF * (size - 1):
            most, words = size - 1, ""
        rest = f"that {words}" if words else "around it"
        titles.append(f"{name} and {most:,} {rest}")
    return titles, leaders
