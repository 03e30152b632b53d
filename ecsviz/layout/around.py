"""Ways around boxes: lines that would run behind what they do not join."""

from __future__ import annotations

from dataclasses import replace
from heapq import heappop, heappush
from typing import Final

import numpy as np

from ecsviz.basics.order import Bools, Ints
from ecsviz.layout.grid import Floats
from ecsviz.layout.placed import Layout, crossed

CLEAR: Final = 0.075
"""How far a line keeps from the boxes it leads around, in units of the layout."""
STEP: Final = 0.055
"""How much farther out each further line around the same corner runs."""
MOST: Final = 5
"""So many lines stand apart at a corner."""
NEAR: Final = 1.2
"""Boxes so far from a straight line are looked at first."""
BEND: Final = 0.12
"""What a bend costs: of two ways that are about as long, the one with fewer."""
WORK: Final = 30_000_000
"""How many crossings of a line and a box are looked at in one picture: some seconds."""
_OUT: Final = np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)])


class Ways:
    """Ways among boxes, the shortest first.

    Parameters
    ----------
    boxes
        Left, bottom, right and top of each, shape (boxes, 4).

    Notes
    -----
    A* over the corners of the boxes near a line (Lozano-Pérez and Wesley 1979): where none is in
    the way the line runs straight. What each way takes of the corners the next ones leave to it.
    O(corners · boxes) for each bend, and at most `WORK` in all.

    Examples
    --------
    >>> boxes = np.array([[0.0, 0, 1, 1], [2, 0.2, 3, 1.2], [4, 0, 5, 1]])
    >>> Ways(boxes).between(0, 2, np.array([0.5, 0.5]), np.array([4.5, 0.5])).round(3).tolist()
    [[1.925, 0.125], [3.075, 0.125]]
    """

    def __init__(self, boxes: Floats) -> None:
        self.boxes = boxes
        corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)
        self._corner = corners + CLEAR * _OUT
        self._taken = np.zeros((len(boxes), 4), dtype=np.int64)
        self._left = WORK

    def between(
        self, source: int, target: int, a: Floats, b: Floats, *, on_border: bool = False
    ) -> Floats | None:
        """Return the bends of a way between two boxes; None if there is none.

        Parameters
        ----------
        source, target
            Which boxes.
        a, b
            Where it begins and ends.
        on_border
            Whether that is on their borders, and the way must not lead back through them.
        """
        low, high = np.minimum(a, b) - NEAR, np.maximum(a, b) + NEAR
        meets = (self.boxes[:, :2] < high).all(axis=1) & (self.boxes[:, 2:] > low).all(axis=1)
        near, every = np.flatnonzero(meets), np.arange(len(self.boxes))
        found = self._way(a, b, source, target, near, on_border=on_border)
        if found is None and len(near) < len(every):
            found = self._way(a, b, source, target, every, on_border=on_border)
        return found

    def _way(
        self, a: Floats, b: Floats, source: int, target: int, number: Ints, *, on_border: bool
    ) -> Floats | None:
        less = 0.8 * CLEAR
        walls = self.boxes[number] + (-less, -less, less, less)
        own = (number == source) | (number == target)
        walls[own] = self.boxes[number[own]] + (0.01, 0.01, -0.01, -0.01)
        if not on_border:
            walls = walls[~own]
        corners = self._corner[number].reshape(-1, 2)
        free = ~_within(corners, walls)
        points = np.vstack((a, b, corners[free]))
        names = np.repeat(number, 4)[free], np.tile(np.arange(4), len(number))[free]
        far = np.hypot(*(points - b).T)
        cost = np.full(len(points), np.inf)
        cost[0] = 0.0
        before = np.full(len(points), -1)
        heap, done = [(float(far[0]), 0)], np.zeros(len(points), dtype=bool)
        while heap and self._left > 0:
            at = heappop(heap)[1]
            if done[at]:
                continue
            if at == 1:
                return self._taken_up(points, before, names)
            done[at] = True
            ahead = cost[at] + np.hypot(*(points - points[at]).T) + BEND
            better = np.flatnonzero((ahead < cost) & ~done)
            self._left -= len(better) * len(walls)
            seen = crossed(np.broadcast_to(points[at], (len(better), 2)), points[better], walls)
            for to in better[~seen.any(axis=1)].tolist():
                cost[to], before[to] = ahead[to], at
                heappush(heap, (float(ahead[to] + far[to]), to))
        return None

    def _taken_up(self, points: Floats, before: Floats, names: tuple[Ints, Ints]) -> Floats:
        """Return the bends of a way that was found, and leave its corners to it."""
        way, at = [], int(before[1])
        while at > 0:
            way.append(at)
            box, corner = int(names[0][at - 2]), int(names[1][at - 2])
            self._taken[box, corner] += 1
            if self._taken[box, corner] < MOST:
                self._corner[box, corner] += STEP * _OUT[corner]
            at = int(before[at])
        return np.asarray(points[way[::-1]])


def with_ways_around(layout: Layout, sources: Ints, targets: Ints, which: Ints) -> Layout:
    """Return a layout in which some references bend around the boxes that they do not join."""
    ways = Ways(layout.outlines)
    routes = [layout.route(k) for k in range(len(sources))]
    for k in which.tolist():
        source, target = int(sources[k]), int(targets[k])
        found = ways.between(source, target, *layout.positions[[source, target]])
        routes[k] = routes[k] if found is None else found
    starts = np.concatenate(([0], np.cumsum([len(route) for route in routes])))
    return replace(layout, starts=starts.astype(np.int64), bends=np.concatenate(routes))


def _within(points: Floats, boxes: Floats) -> Bools:
    x, y = points[:, 0, None], points[:, 1, None]
    inside = (x > boxes[:, 0]) & (x < boxes[:, 2]) & (y > boxes[:, 1]) & (y < boxes[:, 3])
    return np.asarray(inside.any(axis=1))
