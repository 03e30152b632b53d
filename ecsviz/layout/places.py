"""The horizontal places of boxes whose order in their rows is known."""

from __future__ import annotations

from typing import Final

import numpy as np

from ecsviz.basics.order import Ints
from ecsviz.layout.grid import Floats, Grid
from ecsviz.layout.pulls import Pulls, isotonic
from ecsviz.layout.trees import place_trees

ROW_STEPS: Final = 3_000
"""How many rows are moved in all sweeps together."""


def place(grid: Grid, key: Floats, free: Floats) -> Floats:
    """Return the horizontal place of every box and bend, shape (boxes + bends,).

    Parameters
    ----------
    grid
        Boxes and bends in rows.
    key
        By what rows are sorted.
    free
        Shape (groups,): how wide each may be without making the picture smaller.

    Notes
    -----
    Rows are moved by turns: upwards above the middle of what hangs below, downwards below the
    middle of what they hang on, and at last between both. What a row may do without changing
    its order is an isotonic regression. What is a tree is placed as one, see `place_trees`.

    By numbers: a row of three boxes, each 2 wide, whose wishes are 5, 4 and 9. They must stand 2
    apart at the least, in this order. Less their least places in the row (0, 2, 4), the wishes
    are 5, 2 and 5, and must not fall: the first two become their mean, 3.5. With the least places
    added again, the boxes stand at 3.5, 5.5 and 9: the two that were in each other's way share
    the disadvantage, the third has its wish.
    """
    n = len(grid)
    order = np.lexsort((key, grid.group, grid.row))
    strips = _Strips(grid, order)
    x = np.empty(n)
    x[order] = strips.least - (np.add.reduceat(strips.width, strips.first) / 2)[strips.number]
    if not len(grid.upper):
        return x
    ends = ((grid.upper, grid.lower), (grid.lower, grid.upper))
    rows = np.split(np.arange(n), np.flatnonzero(np.diff(grid.row[order])) + 1)
    # An odd number: the last sweep goes upwards, so that what holds stands above what it holds.
    pairs = int(np.clip(ROW_STEPS // len(rows) // 2, 0, 4))
    sides = [Pulls(order, here, there, grid.weight) for here, there in ends] if pairs else []
    for sweep in range(1 + 2 * pairs if pairs else 0):
        pulls = sides[sweep % 2]
        for part in rows if sweep % 2 == 0 else reversed(rows):
            sums = pulls.sums(part[0], part[-1] + 1, x)
            strips.move(x, part, sums, pulls.total[part])
    here, there = np.concatenate(ends, axis=1)
    both = Pulls(order, here, there, np.tile(grid.weight, 2))
    halves = [np.flatnonzero(grid.row[order] % 2 == half) for half in (0, 1)]
    for step in range(4 if pairs else 16):
        part = halves[step % 2]
        if len(part):
            strips.move(x, part, both.sums(0, n, x)[part], both.total[part])
    place_trees(grid, key, x, free)
    return x


class _Strips:
    """The strips of a grid: what stands in one row and one group, from left to right.

    Groups are placed apart later: here they need not make way for each other.
    """

    def __init__(self, grid: Grid, order: Ints) -> None:
        self.order = order
        self.width = grid.room[order]
        change = (np.diff(grid.row[order]) != 0) | (np.diff(grid.group[order]) != 0)
        new = np.concatenate(([True], change))
        self.first = np.flatnonzero(new)
        self.number = np.cumsum(new) - 1
        run = np.cumsum(self.width)
        start = (run[self.first] - self.width[self.first])[self.number]
        # The least place of every box in its strip, if the strip starts at 0.
        self.least = run - self.width / 2 - start
        # How far strips are from each other, so that one call keeps them independent.
        self.span = 4 * float(np.add.reduceat(self.width, self.first).max()) + 1

    def move(self, x: Floats, part: Ints, sums: Floats, pull: Floats) -> None:
        """Move the boxes at `part` of the order as near to their wishes as their order allows."""
        here = self.order[part]
        wish = np.where(pull > 0, sums / np.maximum(pull, 1e-9), x[here])
        if len(part) == 1:
            x[here] = wish
            return
        shift = self.least[part] - self.span * self.number[part]
        free = np.clip(wish, -self.span / 4, self.span / 4) - shift
        # What nobody pulls at makes way for the others.
        x[here] = isotonic(free, pull + 0.05) + shift
