"""Layouts to choose from: a tree, rings around a root, forces, a circle, a line of time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args

import numpy as np

from ecsviz.basics.order import Bools, Ints
from ecsviz.errors import did_you_mean, short_repr
from ecsviz.layout.compound import layout_graph, loop_room
from ecsviz.layout.grid import Floats
from ecsviz.layout.groups import DrawingOptionError
from ecsviz.layout.maps import map_of
from ecsviz.layout.one_way import OneWay, both_ways, one_way
from ecsviz.layout.placed import HUB, HULL_PAD, LOOP, SIDE, Layout
from ecsviz.layout.timed import on_a_line

if TYPE_CHECKING:
    from ecsviz.graph.dependency_graph import EntityDependencyGraph

How = Literal["layered", "tree", "radial", "force", "circle", "timeline"]

ROUNDS: Final = 60
"""How often what lies on each other is pushed apart."""
ROOTS: Final = 3
TRIES: Final = 80
"""How often a ring is made larger until all have room on it."""
PAIRWISE: Final = 700
"""Up to so many nodes all pairs are looked at."""


def checked_how(value: Any, option: str) -> How | None:
    """Return the name of a layout; None where the picture chooses.

    Raises
    ------
    DrawingOptionError
        If there is none of that name.
    """
    known = get_args(How)
    if value is not None and not (isinstance(value, str) and value in known):
        raise DrawingOptionError(
            f"{option}={short_repr(value)} is no layout.{did_you_mean(value, known)}"
            f" Give one of {', '.join(map(repr, known))}, or None to have it chosen.",
            option=option,
            value=value,
        )
    return cast("How | None", value)


def placed_by(
    how: How,
    graph: EntityDependencyGraph,
    sizes: Floats,
    gap: tuple[float, float],
    page: tuple[float, float],
) -> Layout:
    """Return a layout of a kind that is chosen.

    Parameters
    ----------
    how
        Which.
    graph, sizes, gap, page
        As of `layout_graph`.

    Raises
    ------
    DrawingOptionError
        If a line of time is asked for, and no node has a moment.

    Notes
    -----
    References run straight. O((nodes + references) log nodes); up to 700 nodes all pairs are
    looked at, so that no box lies on another.

    Examples
    --------
    >>> import ecsviz as ev
    >>> graph = ev.EntityDependencyGraph(ev.sample("chain", n=4))
    >>> layout = placed_by("circle", graph, np.full((4, 2), 0.2), (0.3, 0.3), (9.0, 9.0))
    >>> bool(np.ptp(np.hypot(*layout.positions.T)) < 1e-9)
    True
    """
    if how == "layered" or not len(graph):
        return layout_graph(graph, sizes=sizes, gap=gap, page=page)
    parts = graph.arrays
    loops = parts.sources == parts.targets
    reach = loop_room(np.bincount(parts.sources[loops], minlength=len(graph)))
    # On the right of a node: how far its references to itself reach, and the ground below them.
    aside = np.where(reach > 0, reach + HULL_PAD, 0.0)
    if how == "tree":
        tree = _without_others(graph)
        before = np.where(reach > 0, HULL_PAD, 0.0)  # the ground on the left
        wide = sizes + np.column_stack((aside + before, 2 * before))
        layout = layout_graph(tree.graph, sizes=wide, gap=gap, page=page, hanging=True)
        places = layout.positions - np.column_stack(((aside - before) / 2, 0 * aside))
        along = both_ways(layout, graph, tree)
        return replace(
            _layout(graph, places, sizes, reach),
            shape=np.where(along.shape == HUB, _shapes(graph), along.shape),
            starts=along.starts,
            bends=along.bends,
        )
    if how == "timeline":
        places, moments = on_a_line(graph, sizes, aside, gap, page)
        return replace(_layout(graph, places, sizes, reach), moments=moments)
    if how == "radial":
        places, rings = _on_rings(*_radial(graph), sizes + gap, aside)
        return replace(_layout(graph, places, sizes, reach), rings=rings)
    places = _on_a_circle(graph) if how == "circle" else map_of(graph).places
    places = _with_room(places, sizes + gap, aside, move=how != "circle")
    return _layout(graph, places, sizes, reach)


def _layout(graph: EntityDependencyGraph, places: Floats, sizes: Floats, reach: Floats) -> Layout:
    parts, found = graph.arrays, graph.ordering
    count = len(found.cyclic)
    low, high = np.full((count, 2), np.inf), np.full((count, 2), -np.inf)
    pad = np.where(found.cyclic, HULL_PAD, 0.0)[found.component, None]
    right = np.column_stack((reach, 0 * reach))
    np.minimum.at(low, found.component, places - sizes / 2 - pad)
    np.maximum.at(high, found.component, places + sizes / 2 + right + pad)
    return Layout(
        places,
        sizes,
        reach,
        found.generation,
        found.component,
        np.column_stack((low, high)),
        np.zeros(count, dtype=bool),
        found.cyclic & (np.bincount(found.component) > 1),
        found.cyclic,
        _shapes(graph),
        np.where(found.in_cycle, found.component[parts.sources], -1),
        np.zeros(len(parts.sources) + 1, dtype=np.int64),
        np.zeros((0, 2)),
    )


def _shapes(graph: EntityDependencyGraph) -> Ints:
    """Return the shape of references that run straight: those that fan out from hubs are quiet."""
    parts, plain = graph.arrays, one_way(graph)
    shape = np.where(parts.sources == parts.targets, LOOP, SIDE)
    return shape if plain is None else np.where(plain.line < 0, HUB, shape)


def _without_others(graph: EntityDependencyGraph) -> OneWay:
    """Return what is left of a graph as a tree, and which references run along it."""
    parts, n = graph.arrays, len(graph)
    kept = _tree(graph)[1]
    key, turned = parts.sources * n + parts.targets, parts.targets * n + parts.sources
    known = key[kept]  # each once
    by_key = np.argsort(known)
    against = ~np.isin(key, known)
    wanted = np.where(against, turned, key)
    slot = np.searchsorted(known[by_key], wanted).clip(max=max(len(known) - 1, 0))
    line = np.full(len(key), -1)
    if len(known):
        there = known[by_key][slot] == wanted
        line[there] = by_key[slot[there]]
    return OneWay(graph.without(~kept), line, against)


def _tree(graph: EntityDependencyGraph, *, around: bool = False) -> tuple[Ints, Bools]:
    """Return of every node the one it hangs on, or -1, and which references say so.

    In the order in which they are met from what nothing holds; of cycles, from the first. Where
    there are many such roots, and what is `around` matters, from what is joined to most.
    """
    plain = one_way(graph)
    parts = (graph if plain is None else plain.graph).arrays
    line = np.arange(len(parts.sources)) if plain is None else plain.line
    n = len(parts.nodes)
    sources, targets_ = parts.sources, parts.targets
    number = np.arange(len(sources))
    held = np.bincount(targets_[sources != targets_], minlength=n)
    roots = np.flatnonzero(held == 0)
    if len(roots) > ROOTS and around:
        sources, targets_ = np.concatenate(((sources, targets_), (targets_, sources)), axis=1)
        number = np.tile(number, 2)
        roots = np.argsort(-np.bincount(sources, minlength=n), kind="stable")
    order = np.argsort(sources, kind="stable")
    starts = np.searchsorted(sources[order], np.arange(n + 1)).tolist()
    targets, numbers = targets_[order].tolist(), number[order].tolist()
    parent, by = [-1] * n, [-1] * n
    seen = [False] * n
    for root in [*roots.tolist(), *range(n)]:
        if seen[root]:
            continue
        seen[root] = True
        queue = [root]
        for node in queue:  # grows while it is read
            for at in range(starts[node], starts[node + 1]):
                if not seen[targets[at]]:
                    seen[targets[at]] = True
                    parent[targets[at]], by[targets[at]] = node, numbers[at]
                    queue.append(targets[at])
    chosen = np.array([number for number in by if number >= 0], dtype=np.int64)
    turned = np.zeros(len(line), dtype=bool) if plain is None else plain.turned
    return np.array(parent), np.isin(line, chosen) & ~turned


def _radial(graph: EntityDependencyGraph) -> tuple[Floats, Ints]:
    """Return the angle and the ring of every node: roots in the middle, each by its leaves."""
    parent = _tree(graph, around=True)[0]
    n = len(parent)
    depth, leaves = np.zeros(n, dtype=np.int64), np.zeros(n)
    children: dict[int, list[int]] = {}
    for node, above in enumerate(parent.tolist()):
        children.setdefault(above, []).append(node)
    order = list(children.get(-1, ()))
    for node in order:  # grows while it is read
        below = children.get(node, ())
        depth[list(below)] = depth[node] + 1
        order.extend(below)
    for node in reversed(order):
        leaves[node] = max(leaves[node], 1.0)
        if parent[node] >= 0:
            leaves[parent[node]] += leaves[node]
    roots = children.get(-1, [])
    if len(roots) > 1:
        depth += 1
    begin = np.zeros(n)
    turn = 2 * np.pi / max(float(leaves[roots].sum()), 1.0)
    at = 0.0
    for root in roots:
        begin[root], at = at, at + leaves[root]
    for node in order:
        inner = begin[node]
        for child in children.get(node, ()):
            begin[child], inner = inner, inner + leaves[child]
    return np.pi / 2 - turn * (begin + leaves / 2), depth


def _on_rings(
    angle: Floats, depth: Ints, room: Floats, aside: Floats
) -> tuple[Floats, tuple[float, ...]]:
    """Place nodes on rings, each as small as it can be; return the places, and how large those are.

    Nodes take the `room` around them, and what is `aside` on their right.
    """
    towards = np.column_stack((np.cos(angle), np.sin(angle)))
    places, rings, radius = np.zeros_like(towards), [], 0.0
    inner = np.zeros(0, dtype=np.int64)
    for ring in range(int(depth.max(initial=0)) + 1):
        here = np.flatnonzero(depth == ring)
        if ring and len(here):
            radius += float(room[here, 1].min())
            steps = np.diff(np.sort(angle[here]), append=angle[here].min() + 2 * np.pi)
            least = float(room[here].min()) / (2 * np.sin(min(float(steps.min()), np.pi) / 2))
            radius = max(radius, least)
            both = np.concatenate((here, inner))
            a, b = np.triu_indices(len(both), 1)
            pairs = both[a], both[b]
            for _ in range(TRIES if len(both) <= PAIRWISE else 0):
                places[here] = radius * towards[here]
                need = _needed(places, room, aside, *pairs)
                if not (np.abs(places[pairs[0]] - places[pairs[1]]) < need - 1e-9).all(1).any():
                    break
                radius *= 1.04
            rings.append(radius)
        places[here] = radius * towards[here]
        inner = here
    return places, tuple(rings)


def _on_a_circle(graph: EntityDependencyGraph) -> Floats:
    """Place nodes on a circle, communities side by side, each in the order of saving."""
    n = len(graph)
    step = np.empty(n, dtype=np.int64)
    step[graph.ordering.sequence] = np.arange(n)
    place = np.empty(n, dtype=np.int64)
    place[np.lexsort((-step, map_of(graph).community))] = np.arange(n)
    angle = np.pi / 2 - 2 * np.pi * place / n
    return np.column_stack((np.cos(angle), np.sin(angle)))


def _with_room(places: Floats, room: Floats, aside: Floats, *, move: bool) -> Floats:
    """Spread places until nothing lies on anything else; where they may move, push apart.

    Nodes take the `room` around them, and what is `aside` on their right.
    """
    n = len(places)
    if n < 2:
        return places
    if n > PAIRWISE:
        return places * float((room.max(axis=1) + aside).max()) * 1.2
    a, b = np.triu_indices(n, 1)
    need = _needed(places, room, aside, a, b)
    apart = np.maximum(np.abs(places[a] - places[b]), 1e-9)
    factors = (need / apart).min(axis=1)
    places = places * float(np.quantile(factors, 0.97) if move else factors.max())
    for _ in range(ROUNDS if move else 0):
        step = places[a] - places[b]
        need = _needed(places, room, aside, a, b)
        over = need - np.abs(step)
        pairs = np.flatnonzero((over > 1e-6).all(axis=1))
        if not len(pairs):
            break
        axis = np.argmin(over[pairs] / need[pairs], axis=1)
        shift = 0.5 * over[pairs, axis] * np.where(step[pairs, axis] >= 0, 1.0, -1.0)
        np.add.at(places, (a[pairs], axis), shift)
        np.add.at(places, (b[pairs], axis), -shift)
    return places


def _needed(places: Floats, room: Floats, aside: Floats, a: Ints, b: Ints) -> Floats:
    """Return how far apart the nodes of pairs have to be, shape (pairs, 2)."""
    need = (room[a] + room[b]) / 2
    if aside.any():
        need[:, 0] += np.where(places[a, 0] > places[b, 0], aside[b], aside[a])
    return need
