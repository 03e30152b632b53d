"""A layout: where nodes and references are, and the outlines of components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ecsviz.basics.order import Bools, Ints
from ecsviz.layout.grid import Floats

if TYPE_CHECKING:
    from ecsviz.layout.timed import Moments

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

HULL_PAD: Final = 0.16
"""How far the shaded ground of a component reaches beyond its members."""
ROUND: Final = 5
"""From how many members on a ring looks round: of fewer, the ground is a box."""
SMALL_RING: Final = 5
"""Up to how many members a component always stands on a ring."""
DENSE: Final = 4
FEW: Final = 400
"""With more lines, and more per box, all run as they are: bundles would hide where they lead."""
_ANGLE: Final = np.linspace(0, 2 * np.pi, 24, endpoint=False)
CIRCLE: Final = np.column_stack((np.cos(_ANGLE), np.sin(_ANGLE)))
"""Points of a circle around the origin."""


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
    loose
        Shape (components,): whether the members stand among others, not in a box of their own.
    cyclic
        Shape (components,): whether the component holds a cycle.
    shape
        Shape (references,): ``LOOP``, ``RING``, ``ROWS``, ``SIDE`` or ``HUB``.
    inside
        Shape (references,): the component that holds both ends, or -1.
    starts, bends
        Reference `k` runs by way of ``bends[starts[k] : starts[k + 1]]``, from its source to its
        target; shapes (references + 1,) and (bends, 2).
    rings
        How large the rings are on which the nodes stand, around the origin.
    moments
        The line of time below them, or None.
    """

    positions: Floats
    sizes: Floats
    reach: Floats
    generation: Ints
    component: Ints
    boxes: Floats
    ring: Bools
    loose: Bools
    cyclic: Bools
    shape: Ints
    inside: Ints
    starts: Ints
    bends: Floats
    rings: tuple[float, ...] = ()
    moments: Moments | None = None

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

    @property
    def outlines(self) -> Floats:
        """Left, bottom, right and top of every node and its references to itself."""
        half = self.sizes / 2
        aside = np.column_stack((self.reach, 0 * self.reach))
        return np.hstack((self.positions - half, self.positions + half + aside))

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
        Of a larger ring the convex hull of circles around the corners of the members; of rows
        the box around that, with round corners: a hull would slant by who is the widest.
        O(members log members).
        """
        members = np.flatnonzero(self.component == component)
        half = self.sizes[members] / 2
        loops = self.reach[members]
        centre = self.positions[members]
        circle = pad * CIRCLE
        corners = [
            centre + np.column_stack((x * half[:, 0] + (x > 0) * loops, y * half[:, 1]))
            for x in (-1, 1)
            for y in (-1, 1)
        ]
        # Of what lies inside the corners' hull no circle can reach the outline.
        outer = convex_hull(np.concatenate(corners))
        points = (outer[:, None, :] + circle[None, :, :]).reshape(-1, 2)
        if len(self.bends):
            own = np.repeat(self.inside, np.diff(self.starts)) == component
            if own.any():
                bends = convex_hull(self.bends[own])
                around = (bends[:, None, :] + 0.6 * circle[None, :, :]).reshape(-1, 2)
                points = np.concatenate((points, around))
        if self.ring[component] and len(members) >= ROUND:
            return convex_hull(points)
        low, high = points.min(axis=0), points.max(axis=0)
        centres = np.array([[x, y] for x in (high[0], low[0]) for y in (high[1], low[1])])
        inner = centres + np.sign((low + high) / 2 - centres) * pad
        return convex_hull((inner[:, None, :] + circle[None, :, :]).reshape(-1, 2))


def convex_hull(points: Floats) -> Floats:
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


def ground_around(points: Floats, pad: float = HULL_PAD) -> Floats:
    """Return a round outline that keeps a distance from points, shape (corners, 2)."""
    return convex_hull((convex_hull(points)[:, None, :] + pad * CIRCLE).reshape(-1, 2))


def among_others(component: Ints, members: Ints, a: Ints, b: Ints) -> Bools:
    """Tell which large components hang together with others, shape (components,)."""
    found = members > SMALL_RING
    if found.any():
        outer = component[a] != component[b]
        joined = np.zeros(len(members), dtype=bool)
        joined[component[a[outer]]] = joined[component[b[outer]]] = True
        found &= joined
    return np.asarray(found)


def behind_boxes(
    lines: Sequence[Floats], sources: Ints, targets: Ints, boxes: Floats, shown: Bools
) -> Ints:
    """Return which of the lines shown run behind boxes that are not at their ends.

    Parameters
    ----------
    lines
        The points of each.
    sources, targets
        Which boxes they join, shape (lines,).
    boxes
        Left, bottom, right and top of each, shape (boxes, 4).
    shown
        Shape (lines,).

    Notes
    -----
    None, where there are so many lines that ways around would be bundles. O(lines · boxes).
    """
    if len(lines) > max(DENSE * len(boxes), FEW):
        return np.zeros(0, dtype=np.int64)
    inner = np.add(boxes, (0.01, 0.01, -0.01, -0.01))
    found = []
    for k in np.flatnonzero(shown & (sources != targets)).tolist():
        line = lines[k]
        low, high = line.min(axis=0), line.max(axis=0)
        meets = (inner[:, :2] < high).all(axis=1) & (inner[:, 2:] > low).all(axis=1)
        meets[[sources[k], targets[k]]] = False
        if meets.any() and crossed(line[:-1], line[1:], inner[meets]).any():
            found.append(k)
    return np.array(found, dtype=np.int64)


def crossed(a: Floats, b: Floats, boxes: Floats) -> Bools:
    """Tell which segments go through which boxes, shape (segments, boxes)."""
    step = (b - a)[:, None, :]
    step = np.where(np.abs(step) < 1e-12, 1e-12, step)
    one = (boxes[None, :, :2] - a[:, None, :]) / step
    other = (boxes[None, :, 2:] - a[:, None, :]) / step
    enters = np.minimum(one, other).max(axis=2)
    leaves = np.maximum(one, other).min(axis=2)
    return np.asarray((enters < leaves) & (leaves > 0) & (enters < 1))
