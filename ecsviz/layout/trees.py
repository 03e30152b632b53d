"""Trees: every subtree a shape of its own, parents above the middle of their children."""

from __future__ import annotations

from typing import Final

import numpy as np

from ecsviz.basics.order import Ints
from ecsviz.layout.grid import Floats, Grid

WIDER: Final = 1.1
"""How much wider a tree may become where that makes the picture smaller."""


def place_trees(grid: Grid, key: Floats, x: Floats, free: Floats) -> None:
    """Place anew those groups of a grid that are trees, whichever way up.

    Parameters
    ----------
    grid
        Boxes and bends in rows.
    key
        By what children are sorted.
    x
        The places of all, shape (boxes + bends,); changed for trees.
    free
        Shape (groups,): how wide each may be without making the picture smaller.

    Notes
    -----
    Reingold and Tilford (1981), with rooms of their own for all nodes: subtrees are pushed
    together until they meet. O(boxes + bends), not recursive.
    """
    for upper, lower in ((grid.upper, grid.lower), (grid.lower, grid.upper)):
        nodes = _nodes_of_trees(grid, upper, lower)
        if len(nodes):
            _place(grid, key, x, free, nodes, upper, lower)


def _nodes_of_trees(grid: Grid, upper: Ints, lower: Ints) -> Ints:
    """Return the nodes of groups in which each has one parent, and one root has none."""
    groups = int(grid.group.max()) + 1 if len(grid) else 0
    parents = np.bincount(lower, minlength=len(grid))
    several = np.zeros(groups, dtype=bool)
    several[grid.group[parents > 1]] = True
    size = np.bincount(grid.group, minlength=groups)
    lines = np.bincount(grid.group[upper], minlength=groups)
    # Segments that pass rows without a bend have no place in a contour.
    passing = np.abs(grid.row[upper] - grid.row[lower]) > 1
    several[grid.group[upper[passing]]] = True
    return np.flatnonzero((~several & (lines == size - 1) & (size > 2))[grid.group])


def _place(
    grid: Grid, key: Floats, x: Floats, free: Floats, nodes: Ints, upper: Ints, lower: Ints
) -> None:
    inside = np.zeros(len(grid), dtype=bool)
    inside[nodes] = True
    here = np.flatnonzero(inside[upper])
    here = here[np.lexsort((key[lower[here]], upper[here]))]
    children: dict[int, list[int]] = {}
    for parent, child in zip(upper[here].tolist(), lower[here].tolist(), strict=True):
        children.setdefault(parent, []).append(child)
    is_child = np.zeros(len(grid), dtype=bool)
    is_child[lower[here]] = True
    order = nodes[~is_child[nodes]].tolist()  # roots; the list grows while it is read
    for node in order:
        order.extend(children.get(node, ()))
    half = (grid.room / 2).tolist()
    shapes: dict[int, _Shape] = {}
    offset: dict[int, float] = {}
    for node in reversed(order):
        below = children.get(node, [])
        shapes[node] = _joined([shapes.pop(child) for child in below], below, offset, half[node])
    place: dict[int, float] = {}
    for node in order:
        own = place.setdefault(node, 0.0)
        for child in children.get(node, ()):
            place[child] = own + offset[child]
    found = np.array([place[node] for node in order])
    _take(grid, x, free, np.array(order), found)


def _take(grid: Grid, x: Floats, free: Floats, order: Ints, found: Floats) -> None:
    """Take the places of those trees that are not too wide for it."""
    groups = int(grid.group.max()) + 1
    width = []
    for places in (x[order], found):
        low, high = np.full(groups, np.inf), np.full(groups, -np.inf)
        np.minimum.at(low, grid.group[order], places - grid.room[order] / 2)
        np.maximum.at(high, grid.group[order], places + grid.room[order] / 2)
        width.append(high - low)
    good = (width[1] <= WIDER * np.maximum(width[0], free))[grid.group[order]]
    x[order[good]] = found[good]


class _Shape:
    """The outline of a subtree: how far it reaches left and right in each row.

    The deepest row comes first, so that a parent is appended; `left` and `right` are relative
    to `shift`, so that a whole subtree is moved at once.
    """

    __slots__ = ("left", "right", "shift")

    def __init__(self, left: list[float], right: list[float], shift: float) -> None:
        self.left, self.right, self.shift = left, right, shift


def _joined(
    shapes: list[_Shape], children: list[int], offset: dict[int, float], half: float
) -> _Shape:
    """Put subtrees side by side below their parent; note the children's offsets from it."""
    if not shapes:
        return _Shape([-half], [half], 0.0)
    whole = shapes[0]
    at = [0.0]
    for shape in shapes[1:]:
        common = min(len(whole.left), len(shape.left))
        gap = max(
            whole.right[-k] + whole.shift - shape.left[-k] - shape.shift
            for k in range(1, common + 1)
        )
        at.append(gap)
        shape.shift += gap
        whole = _merged(whole, shape, common)
    middle = (at[0] + at[-1]) / 2
    for child, place in zip(children, at, strict=True):
        offset[child] = place - middle
    whole.shift -= middle
    whole.left.append(-half - whole.shift)
    whole.right.append(half - whole.shift)
    return whole


def _merged(a: _Shape, b: _Shape, common: int) -> _Shape:
    """Return the outline of two subtrees, `a` on the left; costs the rows they share."""
    if len(a.left) >= len(b.left):
        for k in range(1, common + 1):
            a.right[-k] = b.right[-k] + b.shift - a.shift
        return a
    for k in range(1, common + 1):
        b.left[-k] = a.left[-k] + a.shift - b.shift
    return b
