"""Inverse references: what is a tree or a chain without them is laid out as that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from ecsviz.basics.order import COLLECTION, Bools, Ints
from ecsviz.layout.implied import MAX_NODES, longer_ways
from ecsviz.layout.placed import HUB, HULL_PAD, SMALL_RING, Layout, among_others

if TYPE_CHECKING:
    from ecsviz.graph.dependency_graph import EntityDependencyGraph

SMALL: Final = 2
"""Two nodes that hold each other are a ring, however small."""
MOST: Final = 8
"""Of nodes with more holders none is looked at twice in large graphs."""


@dataclass(frozen=True, slots=True, eq=False)
class OneWay:
    """A graph without the references that say the same as another, the other way round.

    Attributes
    ----------
    graph
        The same nodes, and the references that are left.
    line
        Shape (references,): the reference of `graph` along which each runs; -1 where it is left
        out, as longer ways lead there too.
    turned
        Shape (references,): whether it runs against it.
    """

    graph: EntityDependencyGraph
    line: Ints
    turned: Bools


def one_way(graph: EntityDependencyGraph) -> OneWay | None:
    """Return a graph in which lists lead down, and none of their members back; None if it is one.

    Notes
    -----
    By what holds what, not by names: a single reference back to who has one in a list is left
    out, and so is one of two others where a component is a tree or a chain without. Two nodes
    that hold each other stay. O(references log references), and see `one_line_a_pair`.
    """
    parts, found = graph.arrays, graph.ordering
    n, several = len(parts.nodes), np.bincount(found.component) > SMALL
    inside = found.in_cycle & (parts.sources != parts.targets)
    inside &= several[found.component[parts.sources]]
    if not inside.any():
        return None
    here = np.flatnonzero(inside)
    a, b = parts.sources[here], parts.targets[here]
    key, turned = a * n + b, b * n + a
    mutual, listed = np.isin(turned, key), parts.kinds[here] == COLLECTION
    lists = key[listed]
    # A list and single references back; where both are alike, a tree leads away from its root.
    back = ~listed & np.isin(turned, lists) & ~np.isin(key, lists)
    alike = mutual & ~back & ~np.isin(turned, key[back]) & (a > b)
    owner = found.component[a]
    joined = np.unique(np.minimum(key, turned))
    edges = np.bincount(found.component[joined // n], minlength=len(several))
    forest = edges == np.bincount(found.component) - 1
    back |= alike & forest[owner]
    if not back.any():
        return None
    backs = np.zeros(len(parts.sources), dtype=bool)
    backs[here[back]] = True
    left = graph.without(backs)
    kept = np.flatnonzero(~backs)
    # Of lists that say the same as longer ways only the ways are shown: a thread holds all that
    # its first message leads to.
    listing = np.isin(parts.sources[kept] * n + parts.targets[kept], turned[back])
    implied = listing & (longer_ways(left) if n <= MAX_NODES else _by_two_steps(left, listing))
    kept = kept[~implied]
    line = np.full(len(backs), -1)
    line[kept] = np.arange(len(kept))
    keys = parts.sources[kept] * n + parts.targets[kept]
    by_key = np.argsort(keys, kind="stable")
    slot = np.searchsorted(keys[by_key], turned[back]).clip(max=max(len(keys) - 1, 0))
    there = keys[by_key][slot] == turned[back]
    line[here[back]] = np.where(there, by_key[slot], -1)
    return OneWay(graph.without(backs).without(implied) if implied.any() else left, line, backs)


def _by_two_steps(graph: EntityDependencyGraph, listing: Bools) -> Bools:
    """Tell where two of the references marked lead to the same; shape (references,)."""
    parts = graph.arrays
    n = len(parts.nodes)
    result = np.zeros(len(listing), dtype=bool)
    here = np.flatnonzero(listing)
    here = here[np.argsort(parts.targets[here], kind="stable")]
    a, b = parts.sources[here], parts.targets[here]
    key = np.sort(a * n + b)
    count = np.bincount(b, minlength=n)
    first = (np.cumsum(count) - count)[b]
    for step in range(min(MOST, int(count.max(initial=0)))):
        at = np.minimum(first + step, len(here) - 1)
        steps = a * n + a[at]  # from the holder to another holder of the same
        known = key[np.searchsorted(key, steps).clip(max=len(key) - 1)] == steps
        result[here[known & (b[at] == b) & (a[at] != a)]] = True
    return result


def both_ways(layout: Layout, graph: EntityDependencyGraph, plain: OneWay) -> Layout:
    """Return the layout of a graph, given that of the same without inverse references."""
    parts, found = graph.arrays, graph.ordering
    cyclic, component = found.cyclic, found.component
    loose = among_others(
        component, 1 + SMALL_RING * np.bincount(component), parts.sources, parts.targets
    )
    own = layout.boxes[layout.component]
    low, high = np.full((len(cyclic), 2), np.inf), np.full((len(cyclic), 2), -np.inf)
    np.minimum.at(low, component, own[:, :2])
    np.maximum.at(high, component, own[:, 2:])
    # Components that were one before as well have their ground in their box already.
    same = np.bincount(component, minlength=len(cyclic)) == _members_before(
        layout, component, len(cyclic)
    )
    pad = HULL_PAD * (cyclic & ~loose & ~same)[:, None]
    ring = np.zeros(len(cyclic), dtype=bool)
    ring[component[layout.ring[layout.component]]] = True
    loose &= cyclic & ~same
    loose[component[layout.loose[layout.component]]] = True
    line = plain.line
    known = np.flatnonzero(line >= 0)  # none where all that is left out leads nowhere else
    shape, length = np.full(len(line), HUB), np.zeros(len(line), dtype=np.int64)
    shape[known], length[known] = layout.shape[line[known]], np.diff(layout.starts)[line[known]]
    starts = np.concatenate(([0], np.cumsum(length)))
    reference = np.repeat(np.arange(len(line)), length)
    step = np.arange(len(reference)) - starts[reference]
    step = np.where(plain.turned[reference], length[reference] - 1 - step, step)
    return replace(
        layout,
        generation=found.generation,
        component=component,
        boxes=np.column_stack((low - pad, high + pad)),
        ring=ring & same,
        loose=loose,
        cyclic=cyclic,
        shape=shape,
        inside=np.where(found.in_cycle, component[parts.sources], -1),
        starts=starts.astype(np.int64),
        bends=layout.bends[layout.starts[line[reference]] + step],
    )


def _members_before(layout: Layout, component: Ints, count: int) -> Ints:
    """Return of every component how many nodes the component has that its first was in before."""
    first = np.zeros(count, dtype=np.int64)
    first[component[::-1]] = np.arange(len(component))[::-1]
    return np.asarray(np.bincount(layout.component)[layout.component[first]])
