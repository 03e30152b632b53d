"""What is arranged in rows: boxes, and the bends of lines that pass rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecsviz.basics.order import Ints

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class BoxRows:
    """Boxes in rows.

    Attributes
    ----------
    positions
        Shape (boxes, 2): the centres; every group has its lower left corner at the origin.
    groups
        Shape (groups, 2): width and height of every group.
    starts, points
        The bends of line `k`, from the high box to the low one, are
        ``points[starts[k] : starts[k + 1]]``; shape (bends, 2).
    """

    positions: Floats
    groups: Floats
    starts: Ints
    points: Floats


@dataclass(slots=True, eq=False)
class Grid:
    """Boxes and bends while they are arranged: every one has a row, and a place in it.

    Attributes
    ----------
    room
        How much of its row it takes, the gap to its neighbours included, shape (boxes + bends,).
    height
        Shape (boxes + bends,).
    row, group
        Shape (boxes + bends,).
    first
        Shape (boxes + bends,): what stands on the left to begin with; a bend goes with that end
        of its line that was met later, so that the lines of a star keep their order.
    upper, lower
        The ends of every segment, shape (segments,).
    weight
        How much a segment wants to be upright: bends more than boxes.
    boxes
        How many of these are boxes; the bends come after.
    gap
        The room between neighbours in a row.
    """

    room: Floats
    height: Floats
    row: Ints
    group: Ints
    first: Ints
    upper: Ints
    lower: Ints
    weight: Floats
    boxes: int
    gap: float

    def __len__(self) -> int:
        return len(self.row)
