"""The layout of a whole graph: components as boxes, rows of boxes, parts side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ecsviz.basics import order
from ecsviz.basics.order import Bools, Ints
from ecsviz.layout.blocks import block_places
from ecsviz.layout.grid import BoxRows, Floats
from ecsviz.layout.implied import implied_references
from ecsviz.layout.layered import lay_rows
from ecsviz.layout.packing import fold, pack_on_page
from ecsviz.layout.rings import MAX_IMPROVED, InnerOrder, look_inside, ring_order, ring_places

if TYPE_CHECKING:
    from ecsviz.graph.dependency_graph import EntityDependencyGraph

LOOP: Final = 0
"""A reference from a node to itself."""
RING: Final = 1
"""A reference between members of one ring."""
ROWS: Final = 2
"""A reference between rows, with its bends."""
SIDE: Final = 3
"""A reference within a row."""
HUB: Final = 4
"""A reference to or from a node that nearly all of its component hang on: one of many."""

DEFAULT_SIZE: Final = 0.16
"""A mark without a label: side by side and in inches, like all lengths here."""
DEFAULT_GAP: Final = (0.28, 0.42)
"""The room between neighbours, and between rows: the latter holds the lines."""
DEFAULT_PAGE: Final = (12.0, 10.0)
"""What a notebook shows without scrolling far."""
SMALL_RING: Final = 5
"""Up to how many members a component always stands on a ring."""
MAX_BLOCKS: Final = 60
"""In up to so many rings it is seen to it that cycles that meet in one node stand apart."""
RING_PAIRS: Final = 1.35
"""A larger one stands on a ring if it has at most so many joined pairs per member."""
LOOP_ROOM: Final = 0.34
"""How far a reference to itself reaches out beside a node."""
LOOP_STEP: Final = 0.13
MAX_LOOPS: Final = 5
"""Each further one reaches so much farther, up to so many."""
FOLDED: Final = 0.65
"""A chain is folded if it is taller than this share of the page."""
SPREAD: Final = 2.5
"""How much wider apart the members of a crowded component stand, in heights."""
HULL_PAD: Final = 0.16
"""How far the shaded ground of a component reaches beyond its members."""


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where nodes and references are.

    Attributes
    ----------
    positions
        The centre of every node, shape (nodes, 2): x to the right, y upwards. One unit is an
        inch at natural size.
    sizes
        Width and height of every node, shape (nodes, 2).
    reach
        How far references to itself reach out on a node's right, shape (nodes,).
    generation
        Shape (nodes,): 0 for the lowest row.
    component
        Shape (nodes,): the component of every node, in topological order.
    boxes
        Per component the left, bottom, right and top of what it covers, shape (components, 4).
    ring
        Shape (components,): whether the members stand on a ring.
    cyclic
        Shape (components,): whether the component holds a cycle.
    shape
        Shape (references,): ``LOOP``, ``RING``, ``ROWS``, ``SIDE`` or ``HUB``.
    inside
        Shape (references,): the component that holds both ends, or -1.
    starts, bends
        Reference `k` runs by way of ``bends[starts[k] : starts[k + 1]]``, from its source to its
        target; shapes (references + 1,) and (bends, 2).
    """

    positions: Floats
    sizes: Floats
    reach: Floats
    generation: Ints
    component: Ints
    boxes: Floats
    ring: Bools
    cyclic: Bools
    shape: Ints
    inside: Ints
    starts: Ints
    bends: Floats

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right and top of everything; zeros if there is nothing."""
        if not len(self):
            return 0.0, 0.0, 0.0, 0.0
        low = [self.boxes[:, :2].min(axis=0), (self.positions - self.sizes / 2).min(axis=0)]
        high = [self.boxes[:, 2:].max(axis=0), (self.positions + self.sizes / 2).max(axis=0)]
        if len(self.bends):
            low.append(self.bends.min(axis=0))
            high.append(self.bends.max(axis=0))
        left, bottom = np.min(low, axis=0).tolist()
        right, top = np.max(high, axis=0).tolist()
        return left, bottom, right, top

    def route(self, reference: int) -> Floats:
        """Return the bends of a reference, from its source to its target, shape (bends, 2)."""
        return self.bends[self.starts[reference] : self.starts[reference + 1]]

    def hull(self, component: int, pad: float = HULL_PAD) -> Floats:
        """Return the outline around a component's members, shape (corners, 2).

        Parameters
        ----------
        component
            Its number.
        pad
            How far it keeps from the members.

        Notes
        -----
        The convex hull of circles around the corners of the members. O(members log members).
        """
        members = np.flatnonzero(self.component == component)
        half = self.sizes[members] / 2
        loops = self.reach[members]
        centre = self.positions[members]
        angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        circle = pad * np.column_stack((np.cos(angle), np.sin(angle)))
        corners = [
            centre + np.column_stack((x * half[:, 0] + (x > 0) * loops, y * half[:, 1]))
            for x in (-1, 1)
            for y in (-1, 1)
        ]
        # Of what lies inside the corners' hull no circle can reach the outline.
        outer = _convex_hull(np.concatenate(corners))
        points = (outer[:, None, :] + circle[None, :, :]).reshape(-1, 2)
        if len(self.bends):
            own = np.repeat(self.inside, np.diff(self.starts)) == component
            if own.any():
                bends = _convex_hull(self.bends[own])
                around = (bends[:, None, :] + 0.6 * circle[None, :, :]).reshape(-1, 2)
                points = np.concatenate((points, around))
        return _convex_hull(points)


def loop_room(count: Ints) -> Floats:
    """Return how far so many references of a node to itself reach out beside it."""
    return np.where(count > 0, LOOP_ROOM + LOOP_STEP * (count.clip(1, MAX_LOOPS) - 1), 0.0)


def _convex_hull(points: Floats) -> Floats:
    """Return the corners of the convex hull against the clock (Andrew 1979)."""
    listed: list[list[float]] = np.unique(points, axis=0).tolist()
    hull: list[list[float]] = []
    for side in (listed, listed[::-1]):
        base = len(hull)
        for x, y in side:
            while len(hull) >= base + 2:
                (a, b), (c, d) = hull[-2:]
                if (c - a) * (y - b) > (d - b) * (x - a):
                    break
                hull.pop()
            hull.append([x, y])
        hull.pop()  # the other side begins with it
    return np.array(hull or listed[:1])


def layout_graph(
    graph: EntityDependencyGraph,
    *,
    sizes: Floats | None = None,
    gap: tuple[float, float] = DEFAULT_GAP,
    page: tuple[float, float] = DEFAULT_PAGE,
    name_room: float = 0.0,
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

    Returns
    -------
    Layout
        The same for the same graph, in every run.

    Notes
    -----
    O((nodes + references) log nodes) times a bounded number of sweeps: 0.1 s for 500 nodes, 1 s
    for 10,000.

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
    return _Work(graph, np.asarray(sizes, dtype=np.float64), gap, page, name_room).run()


class _Work:
    """One layout while it is made."""

    def __init__(
        self,
        graph: EntityDependencyGraph,
        sizes: Floats,
        gap: tuple[float, float],
        page: tuple[float, float],
        name_room: float,
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
        self.box = np.zeros((self.count, 2))

    def run(self) -> Layout:
        if not self.n:
            none = np.zeros((0, 2))
            return self._result(none, none, _no_rows(), _no_rows())
        self.box[self.component] = self.room  # right for single nodes
        inner = self._inside()
        between = np.flatnonzero(~self.inside)
        pairs = (
            self.component[self.sources[between]] * self.count
            + self.component[self.targets[between]]
        )
        keys, which = np.unique(pairs, return_inverse=True)
        high, low = keys // self.count, keys % self.count
        self.line[between] = which
        # As they were met: a list's items stand in its order.
        first = np.full(self.count, self.n)
        np.minimum.at(first, self.component, np.arange(self.n))
        group = _hanging_together(first, high, low)
        rank = np.zeros(self.count, dtype=np.int64)
        rank[self.component] = self.generation
        rows = self._arrange(self.box, high, low, rank, group, first)
        corner = self._packed(rows, group)
        centre = corner[group] + rows.positions
        bends = rows.points + corner[group[high]].repeat(np.diff(rows.starts), axis=0)
        outer = BoxRows(centre, rows.groups, rows.starts, bends)
        return self._result(centre, self.box, outer, inner)

    def _arrange(
        self, sizes: Floats, high: Ints, low: Ints, rank: Ints, group: Ints, first: Ints
    ) -> BoxRows:
        rows = lay_rows(sizes, high, low, rank, group, first=first, gap=self.gap, page=self.page)
        return fold(rows, sizes, group, high, low, self.gap, FOLDED * self.page[1])

    def _packed(self, rows: BoxRows, group: Ints) -> Floats:
        sizes = rows.groups.copy()
        # Single nodes make a grid, so they are equally wide.
        alone = np.bincount(group) == 1
        alone[group[self.members_of > 1]] = False
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
        several = self.members_of > 1
        shaded = several | self.cyclic
        sparse = (joined <= RING_PAIRS * self.members_of) & (self.members_of <= MAX_IMPROVED)
        self.ring = several & ((self.members_of <= SMALL_RING) | sparse)
        self._rings()
        inner = self._layers(several & ~self.ring, found)
        self.box[shaded] += 2 * HULL_PAD
        return inner

    def _rings(self) -> None:
        rings = np.flatnonzero(self.ring)
        if not len(rings):
            return
        of_component = order.group(self.component[self.sequence], self.sequence)
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
            self.box[number] = high - low

    def _layers(self, layered: Bools, found: InnerOrder) -> BoxRows:
        """Place the members of components that are no rings in rows of their own."""
        nodes = np.flatnonzero(layered[self.component])
        if not len(nodes):
            return _no_rows()
        hub, level = found.hub, found.level
        implied = implied_references(self.graph)
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
        self.box[names] = rows.groups
        bends = rows.points - middle[group[number[high]]].repeat(np.diff(rows.starts), axis=0)
        return BoxRows(rows.positions, rows.groups, rows.starts, bends)

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

    def _result(self, centre: Floats, box: Floats, outer: BoxRows, inner: BoxRows) -> Layout:
        positions = centre[self.component] + self.local if self.n else self.local
        boxes = np.column_stack((centre - box / 2, centre + box / 2))
        starts, bends = self._bends(centre, outer, inner)
        return Layout(
            positions,
            self.sizes,
            (self.room - self.sizes)[:, 0],
            self.generation,
            self.component,
            boxes,
            self.ring,
            self.cyclic,
            self.shape,
            np.where(self.inside, self.component[self.sources], -1),
            starts,
            bends,
        )

    def _bends(self, centre: Floats, outer: BoxRows, inner: BoxRows) -> tuple[Ints, Floats]:
        if not (self.line >= 0).any():
            return np.zeros(len(self.line) + 1, dtype=np.int64), np.zeros((0, 2))
        own = self.inside
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
        shift = np.where(own[reference, None], centre[self.component[self.sources[reference]]], 0.0)
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
