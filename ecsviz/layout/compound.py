"""The layout of a whole graph: components as boxes, rows of boxes, parts side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ecsviz.basics import order
from ecsviz.basics.order import Bools, Ints
from ecsviz.layout.blocks import block_places
from ecsviz.layout.crossings import fewest_crossings
from ecsviz.layout.grid import BoxRows, Floats
from ecsviz.layout.implied import implied_references
from ecsviz.layout.layered import lay_rows
from ecsviz.layout.one_way import both_ways, one_way
from ecsviz.layout.packing import fold, pack_on_page
from ecsviz.layout.placed import (
    HUB,
    HULL_PAD,
    LOOP,
    RING,
    ROWS,
    SIDE,
    SMALL_RING,
    Layout,
    among_others,
)
from ecsviz.layout.ranks import short_lines
from ecsviz.layout.rings import MAX_IMPROVED, InnerOrder, look_inside, ring_order, ring_places

if TYPE_CHECKING:
    from ecsviz.graph.dependency_graph import EntityDependencyGraph

DEFAULT_SIZE: Final = 0.16
"""A mark without a label: side by side and in inches, like all lengths here."""
DEFAULT_GAP: Final = (0.28, 0.42)
"""The room between neighbours, and between rows: the latter holds the lines."""
DEFAULT_PAGE: Final = (12.0, 10.0)
"""What a notebook shows without scrolling far."""
MAX_BLOCKS: Final = 60
"""In up to so many rings it is seen to it that cycles that meet in one node stand apart."""
RING_PAIRS: Final = 1.35
"""A larger one stands on a ring if it has at most so many joined pairs per member."""
LOOP_ROOM: Final = 0.34
"""How far a reference to itself reaches out beside a node."""
LOOP_STEP: Final = 0.13
MAX_LOOPS: Final = 5
"""Each further one reaches so much farther, up to so many."""
COMPARED: Final = 1_000
"""Up to so many nodes it is tried which crosses least: large components whole, or taken apart."""
FOLDED: Final = 1.4
"""A chain is folded if it is so many times taller than the page."""
SPREAD: Final = 2.5
"""How much wider apart the members of a crowded component stand, in heights."""


def loop_room(count: Ints) -> Floats:
    """Return how far so many references of a node to itself reach out beside it."""
    return np.where(count > 0, LOOP_ROOM + LOOP_STEP * (count.clip(1, MAX_LOOPS) - 1), 0.0)


def layout_graph(
    graph: EntityDependencyGraph,
    *,
    sizes: Floats | None = None,
    gap: tuple[float, float] = DEFAULT_GAP,
    page: tuple[float, float] = DEFAULT_PAGE,
    name_room: float = 0.0,
    hanging: bool = False,
) -> Layout:
    """Return where the nodes of a graph stand.

    Parameters
    ----------
    graph
        Any graph.
    sizes
        Width and height of every node, shape (nodes, 2); marks without labels if not given.
    gap
        The room between neighbours, and between rows.
    page
        The width and height to fill: wide rows are broken, and long chains folded, where that
        shows more on it. The page of a notebook by default.
    name_room
        How wide several nodes that hang together are at least, so that a name fits above them.
    hanging
        Whether a tree hangs from its root, all children in the row below their parent; else what
        holds nothing is at the foot.

    Returns
    -------
    Layout
        The same for the same graph, in every run.

    Notes
    -----
    Where a component is a tree or a chain but for references that say the inverse of others, it
    is laid out as that; for the other large ones, those that hang together with what is around
    them stand in a box or, without their deferred references, among the others: where fewer lines
    cross. O((nodes + references) log nodes) times a bounded number of sweeps: 0.1 s for 500
    nodes, 1 s for 10,000.

    Examples
    --------
    >>> import ecsviz as ev
    >>> graph = ev.EntityDependencyGraph.from_parts(
    ...     ["order", "customer"], ["order", "customer"], ["table"] * 2, [0], [1], ["customer_id"]
    ... )
    >>> layout = layout_graph(graph)
    >>> bool(layout.positions[0, 1] > layout.positions[1, 1])
    True
    """
    n = len(graph)
    if sizes is None:
        sizes = np.full((n, 2), DEFAULT_SIZE)
    room = np.asarray(sizes, dtype=np.float64), gap, page, name_room
    plain = one_way(graph)
    shown = graph if plain is None else plain.graph
    hanging = hanging or plain is not None
    work = _Work(shown, *room, hanging=hanging)
    if work.large.any():
        layout = _Work(shown, *room, loose=True, hanging=hanging).run()
        if n <= COMPARED:  # in large graphs boxes cost most
            layout = fewest_crossings(work.run(), layout, shown.arrays)
    else:
        layout = work.run()
    return layout if plain is None else both_ways(layout, graph, plain)


class _Work:
    """One layout while it is made."""

    def __init__(
        self,
        graph: EntityDependencyGraph,
        sizes: Floats,
        gap: tuple[float, float],
        page: tuple[float, float],
        name_room: float,
        *,
        loose: bool = False,
        hanging: bool = False,
    ) -> None:
        parts, found = graph.arrays, graph.ordering
        self.graph, self.n = graph, len(parts.nodes)
        self.sizes, self.gap, self.page = sizes, gap, page
        self.name_room = name_room
        self.sources, self.targets, self.kinds = parts.sources, parts.targets, parts.kinds
        self.component, self.generation = found.component, found.generation
        self.sequence, self.cyclic = found.sequence, found.cyclic
        self.inside = found.in_cycle
        self.count = len(found.cyclic)
        self.members_of = np.bincount(self.component, minlength=self.count)
        loops = self.sources == self.targets
        self.room = sizes.copy()
        self.room[:, 0] += loop_room(np.bincount(self.sources[loops], minlength=self.n))
        self.local = np.zeros((self.n, 2))
        self.local[:, 0] = (sizes - self.room)[:, 0] / 2  # the loop is on the right
        self.shape = np.where(loops, LOOP, np.where(self.inside, RING, ROWS))
        # Per reference the line that it follows, in the inner or the outer rows; -1 for none.
        self.line = np.full(len(self.sources), -1)
        self.turned = np.zeros(len(self.sources), dtype=bool)
        self.ring = np.zeros(self.count, dtype=bool)
        # Whether all stands as high as it can, what leads to it right above it.
        self.hanging = hanging
        # Large components that hang together with others, and whether they stand among them.
        self.large = among_others(self.component, self.members_of, self.sources, self.targets)
        self.implied = implied_references(graph)
        self.large[self.component[self.sources[self.implied & self.inside]]] = False  # crowded
        self.loose = self.large & loose
        # What stands in the outer rows: components, or the members of those that are loose.
        self.unit, self.unit_count = self.component, self.count
        if loose:
            single = np.where(self.loose[self.component], self.count + np.arange(self.n), 0)
            self.unit = np.unique(np.maximum(single, self.component), return_inverse=True)[1]
            self.unit_count = int(self.unit.max(initial=-1)) + 1
        self.box = np.zeros((self.unit_count, 2))

    def run(self) -> Layout:
        if not self.n:
            none = np.zeros((0, 2))
            return self._result(none, _no_rows(), _no_rows())
        self.box[self.unit] = self.room  # right for single nodes
        inner = self._inside()
        rank = self._ranks()
        a, b = self.unit[self.sources], self.unit[self.targets]
        level = (a != b) & (rank[a] == rank[b])
        between = np.flatnonzero((a != b) & ~level)
        self.shape[self.loose[self.component[self.sources]] & self.inside & (a != b)] = ROWS
        self.shape[level] = SIDE
        self.turned[between] = rank[a[between]] < rank[b[between]]
        high = np.where(self.turned, b, a)[between]
        low = np.where(self.turned, a, b)[between]
        keys, self.line[between] = np.unique(high * self.unit_count + low, return_inverse=True)
        high, low = keys // self.unit_count, keys % self.unit_count
        # As they were met: a list's items stand in its order.
        first = np.full(self.unit_count, self.n)
        np.minimum.at(first, self.unit, np.arange(self.n))
        group = _hanging_together(first, high, low)
        rows = self._arrange(self.box, high, low, rank, group, first)
        corner = self._packed(rows, group)
        centre = corner[group] + rows.positions
        bends = rows.points + corner[group[high]].repeat(np.diff(rows.starts), axis=0)
        return self._result(centre, BoxRows(centre, rows.groups, rows.starts, bends), inner)

    def _ranks(self) -> Ints:
        """Return the row of every unit, where loose components have lost what is deferred."""
        rank = np.zeros(self.unit_count, dtype=np.int64)
        if not self.loose.any() and not self.hanging:
            rank[self.unit] = self.generation
            return rank
        a, b = self.unit[self.sources], self.unit[self.targets]
        kept = (a != b) & ~(self.graph.ordering.deferred & self.inside)
        a, b = a[kept], b[kept]
        if self.hanging and np.bincount(b, minlength=1).max(initial=0) < 2:  # a tree
            depth = order.levels(self.unit_count, b, a)
            return np.asarray(depth.max(initial=0) - depth)
        level = order.levels(self.unit_count, a, b)
        return short_lines(level, a, b, np.full(self.unit_count, level.max(initial=0)))

    def _arrange(
        self, sizes: Floats, high: Ints, low: Ints, rank: Ints, group: Ints, first: Ints
    ) -> BoxRows:
        rows = lay_rows(sizes, high, low, rank, group, first=first, gap=self.gap, page=self.page)
        return fold(rows, sizes, group, high, low, self.gap, FOLDED * self.page[1])

    def _packed(self, rows: BoxRows, group: Ints) -> Floats:
        sizes = rows.groups.copy()
        # Single nodes make a grid, so they are equally wide.
        alone = np.bincount(group) == 1
        alone[group[np.bincount(self.unit) > 1]] = False
        if alone.any():
            sizes[alone, 0] = sizes[alone, 0].max()
        sizes[~alone, 0] = np.maximum(sizes[~alone, 0], self.name_room)
        gap = max(self.gap[0], 0.7 * self.gap[1])
        corner = pack_on_page(sizes, gap, self.page)
        corner[:, 0] += (sizes - rows.groups)[:, 0] / 2
        return corner

    # -- inside components ---------------------------------------------------------------

    def _inside(self) -> BoxRows:
        """Place the members of components in their boxes; return the lines within."""
        found = look_inside(self.graph)
        joined = np.bincount(self.component[found.pairs[:, 0]], minlength=self.count)
        several = (self.members_of > 1) & ~self.loose
        shaded = several | (self.cyclic & ~self.loose)
        sparse = (joined <= RING_PAIRS * self.members_of) & (self.members_of <= MAX_IMPROVED)
        self.ring = several & ((self.members_of <= SMALL_RING) | sparse)
        self._rings()
        inner = self._layers(several & ~self.ring, found)
        self.box[self._units(np.flatnonzero(shaded))] += 2 * HULL_PAD
        return inner

    def _units(self, components: Ints) -> Ints:
        """Return the units of components that are not loose."""
        unit = np.zeros(self.count, dtype=np.int64)
        unit[self.component] = self.unit
        return np.asarray(unit[components])

    def _rings(self) -> None:
        rings = np.flatnonzero(self.ring)
        if not len(rings):
            return
        of_component = order.group(self.component[self.sequence], self.sequence)
        units = dict(zip(rings.tolist(), self._units(rings).tolist(), strict=True))
        inside = np.flatnonzero(self.ring[self.component[self.sources]] & self.inside)
        reached = np.bincount(self.targets[~self.inside], minlength=self.n)
        reaching = np.bincount(self.sources[~self.inside], minlength=self.n)
        successors: dict[int, list[int]] = {}
        for source, target in zip(
            self.sources[inside].tolist(), self.targets[inside].tolist(), strict=True
        ):
            successors.setdefault(source, []).append(target)
        for number in rings.tolist():
            members = ring_order(of_component(number).tolist(), successors)
            gap = (1.6 * self.gap[0], self.gap[1])
            places = ring_places(
                self.room[members],
                gap,
                aslant=bool(reached[members[-1]] or reaching[members[0]]),
            )
            half = self.room[members] / 2
            if len(rings) <= MAX_BLOCKS:
                most = float(np.prod(np.ptp(places, axis=0) + 2 * half.max(axis=0)))
                apart = block_places(members, successors, self.room[members], gap, most)
                places = places if apart is None else apart
            low, high = (places - half).min(axis=0), (places + half).max(axis=0)
            self.local[members] += places - (low + high) / 2
            self.box[units[number]] = high - low

    def _layers(self, layered: Bools, found: InnerOrder) -> BoxRows:
        """Place the members of components that are no rings in rows of their own."""
        nodes = np.flatnonzero(layered[self.component])
        if not len(nodes):
            return _no_rows()
        hub, level = found.hub, self._short(layered, found)
        implied = self.implied
        crowded = np.zeros(self.count, dtype=bool)
        crowded[self.component[self.sources[implied & self.inside]]] = True
        top = np.zeros(self.count, dtype=np.int64)
        np.maximum.at(top, self.component[nodes], level[nodes])
        rank = np.where(found.first_on_top[self.component], top[self.component] - level, level)
        a, b = found.pairs[layered[self.component[found.pairs[:, 0]]]].T
        # A hub is drawn towards the rows next to it only; its other lines run straight.
        shown = (rank[a] != rank[b]) & ((~hub[a] & ~hub[b]) | (np.abs(rank[a] - rank[b]) == 1))
        shown &= ~crowded[self.component[a]] | np.isin(a * self.n + b, self._seen(implied))
        high = np.where(rank[a] > rank[b], a, b)[shown]
        low = np.where(rank[a] > rank[b], b, a)[shown]
        self._name_lines(layered, high, low, rank, hub)
        number = np.full(self.n, -1)
        number[nodes] = np.arange(len(nodes))
        names, group = np.unique(self.component[nodes], return_inverse=True)
        room = self.room[nodes]
        room[:, 0] += SPREAD * self.sizes[nodes, 1] * crowded[self.component[nodes]]
        rows = self._arrange(room, number[high], number[low], rank[nodes], group, nodes)
        middle = rows.groups / 2
        self.local[nodes] += rows.positions - middle[group]
        self.box[self._units(names)] = rows.groups
        bends = rows.points - middle[group[number[high]]].repeat(np.diff(rows.starts), axis=0)
        return BoxRows(rows.positions, rows.groups, rows.starts, bends)

    def _short(self, layered: Bools, found: InnerOrder) -> Ints:
        """Return the levels of nodes in layered components, with shorter lines."""
        hub, level = found.hub, found.level
        kept = self.inside & ~self.graph.ordering.deferred & (self.sources != self.targets)
        kept &= ~hub[self.sources] & ~hub[self.targets] & layered[self.component[self.sources]]
        top = np.zeros(self.count, dtype=np.int64)
        np.maximum.at(top, self.component, level)
        # Below a hub there is a row for it.
        least = np.zeros(self.count, dtype=np.int64)
        least[self.component[hub]] = 1
        floor = np.where(hub, 0, least[self.component])
        rows = short_lines(
            level - floor, self.sources[kept], self.targets[kept], top[self.component] - floor
        )
        return np.where(layered[self.component], rows + floor, level)

    def _seen(self, implied: Bools) -> Ints:
        """Return the pairs that references join which are neither faint nor lead back."""
        seen = np.flatnonzero(self.inside & ~implied & ~self.graph.ordering.deferred)
        a, b = self.sources[seen], self.targets[seen]
        return np.asarray(np.minimum(a, b) * self.n + np.maximum(a, b))

    def _name_lines(
        self,
        layered: Bools,
        high: Ints,
        low: Ints,
        rank: Ints,
        hub: Bools,
    ) -> None:
        here = np.flatnonzero(
            layered[self.component[self.sources]] & self.inside & (self.sources != self.targets)
        )
        a, b = self.sources[here], self.targets[here]
        up = rank[a] > rank[b]
        key = np.where(up, a, b) * self.n + np.where(up, b, a)
        known = high * self.n + low
        by_key = np.argsort(known, kind="stable")
        slot = np.searchsorted(known[by_key], key).clip(max=max(len(known) - 1, 0))
        found = known[by_key][slot] == key if len(known) else np.zeros(len(key), dtype=bool)
        self.line[here[found]] = by_key[slot[found]]
        self.turned[here[found]] = ~up[found]
        self.shape[here] = np.where(
            found, ROWS, np.where(hub[a] | hub[b], HUB, np.where(rank[a] == rank[b], SIDE, ROWS))
        )

    # -- the result ----------------------------------------------------------------------

    def _result(self, centre: Floats, outer: BoxRows, inner: BoxRows) -> Layout:
        positions = centre[self.unit] + self.local if self.n else self.local
        low, high = np.full((self.count, 2), np.inf), np.full((self.count, 2), -np.inf)
        np.minimum.at(low, self.component, (centre - self.box / 2)[self.unit])
        np.maximum.at(high, self.component, (centre + self.box / 2)[self.unit])
        boxes = np.column_stack((low, high))
        starts, bends = self._bends(centre, outer, inner)
        return Layout(
            positions,
            self.sizes,
            (self.room - self.sizes)[:, 0],
            self.generation,
            self.component,
            boxes,
            self.ring,
            self.loose,
            self.cyclic,
            self.shape,
            np.where(self.inside, self.component[self.sources], -1),
            starts,
            bends,
        )

    def _bends(self, centre: Floats, outer: BoxRows, inner: BoxRows) -> tuple[Ints, Floats]:
        if not (self.line >= 0).any():
            return np.zeros(len(self.line) + 1, dtype=np.int64), np.zeros((0, 2))
        own = self.inside & ~self.loose[self.component[self.sources]]
        points = np.concatenate((outer.points, inner.points))
        first = np.zeros(len(self.line), dtype=np.int64)
        length = np.zeros(len(self.line), dtype=np.int64)
        for rows, mask, base in ((outer, ~own, 0), (inner, own, len(outer.points))):
            taken = mask & (self.line >= 0)
            first[taken] = base + rows.starts[self.line[taken]]
            length[taken] = np.diff(rows.starts)[self.line[taken]]
        starts = np.concatenate(([0], np.cumsum(length)))
        reference = np.repeat(np.arange(len(length)), length)
        step = np.arange(len(reference)) - starts[reference]
        # Bends go from the high end to the low one; a reference that leads up turns them.
        step = np.where(self.turned[reference], length[reference] - 1 - step, step)
        bends = points[first[reference] + step]
        shift = np.where(own[reference, None], centre[self.unit[self.sources[reference]]], 0.0)
        return starts, bends + shift


def _no_rows() -> BoxRows:
    none = np.zeros((0, 2))
    return BoxRows(none, none, np.zeros(1, dtype=np.int64), none)


def _hanging_together(first: Ints, a: Ints, b: Ints) -> Ints:
    """Return the part that each box hangs together with, numbered by what is first in it."""
    label, joined = np.arange(len(first)), False
    while not joined:  # soon: a turn joins whole parts
        low, high = np.minimum(label[a], label[b]), np.maximum(label[a], label[b])
        joined = bool((low == high).all())
        np.minimum.at(label, high, low)
        while (label[label] != label).any():
            label = label[label]
    known, label = np.unique(label, return_inverse=True)
    count = len(known)
    earliest = np.full(count, first.max() + 1)
    np.minimum.at(earliest, label, first)
    rank = np.empty(count, dtype=np.int64)
    rank[np.argsort(earliest)] = np.arange(count)
    return rank[label]
