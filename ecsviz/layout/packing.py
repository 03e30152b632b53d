"""Packing: parts of a graph that do not hang together, side by side; tall ones in columns."""

from __future__ import annotations

from typing import Final

import numpy as np

from ecsviz.basics.order import Ints
from ecsviz.layout.grid import BoxRows, Floats

TALL: Final = 2.4
"""A part is folded if it is so many times taller than wide, and taller than the page."""
MAX_CUT: Final = 1
"""How many lines a fold may cut: more would not be followed."""
WIDER: Final = 8.0
"""A tree whose places are so many times farther apart can still be followed."""
SLENDER: Final = 1.6
"""How many boxes a row may have, on the average, for a part to be folded: a chain, no tree."""


def pack(sizes: Floats, gap: float, width: float) -> Floats:
    """Return the lower left corners of rectangles in rows, shape (rectangles, 2).

    Parameters
    ----------
    sizes
        Width and height, shape (rectangles, 2).
    gap
        The room between them.
    width
        How wide a row may be; a single rectangle may be wider.

    Notes
    -----
    Tall ones first, then as they come; rows go down from 0 and start at the left.
    O(rectangles log rectangles).

    Examples
    --------
    >>> pack(np.array([[2.0, 1.0], [2.0, 1.0], [2.0, 1.0]]), 0.5, 5.0).tolist()
    [[0.0, -1.0], [2.5, -1.0], [0.0, -2.5]]
    """
    n = len(sizes)
    # Heights that look alike are alike: those parts keep their order.
    order = np.argsort(-np.round(sizes[:, 1] / (2 * gap)), kind="stable").tolist()
    wide, high = sizes[:, 0].tolist(), sizes[:, 1].tolist()
    corner = np.zeros((n, 2))
    left = top = 0.0
    row: list[int] = []
    row_height = 0.0
    for number in [*order, -1]:
        if number < 0 or (row and left + wide[number] > width + 1e-9):
            for one in row:
                corner[one, 1] = top - high[one]
            top -= row_height + gap
            left, row, row_height = 0.0, [], 0.0
        if number >= 0:
            corner[number, 0] = left
            left += wide[number] + gap
            row.append(number)
            row_height = max(row_height, high[number])
    return corner


def pack_on_page(sizes: Floats, gap: float, page: tuple[float, float]) -> Floats:
    """Return the lower left corners of rectangles in rows that fill a page best.

    Parameters
    ----------
    sizes
        Width and height, shape (rectangles, 2).
    gap
        The room between them.
    page
        Its width and height.

    Notes
    -----
    Tries some widths, from the widest rectangle to the page's shape and all in one row.
    """
    n = len(sizes)
    if n < 2:
        return np.column_stack((np.zeros(n), -sizes[:, 1])) if n else np.zeros((0, 2))
    area = float(((sizes[:, 0] + gap) * (sizes[:, 1] + gap)).sum())
    widest, total = float(sizes[:, 0].max()), float((sizes[:, 0] + gap).sum())
    square = np.sqrt(area * page[0] / page[1])
    factors = (1.0,) if n > 2_000 else (0.7, 0.85, 1.0, 1.2, 1.45, 1.8)
    widths = [square * factor for factor in factors] + [page[0], widest, total]
    best, most = np.zeros((n, 2)), (-1.0, -np.inf)
    for width in dict.fromkeys(max(float(width), widest) for width in widths):
        corner = pack(sizes, gap, width)
        wide = float((corner[:, 0] + sizes[:, 0]).max())
        tall = -float(corner[:, 1].min())
        scale = round(min(1.0, page[0] / wide, page[1] / tall), 2)
        # Where several fit, the one that looks most like a page.
        value = (scale, -abs(float(np.log(wide / tall * page[1] / page[0]))))
        if value > most:
            best, most = corner, value
    return best


def fold(
    rows: BoxRows,
    sizes: Floats,
    group: Ints,
    high: Ints,
    low: Ints,
    gap: tuple[float, float],
    page: float,
) -> BoxRows:
    """Break groups that are tall and narrow into columns, read from left to right.

    Parameters
    ----------
    rows
        What was arranged.
    sizes, group, high, low
        As for ``layered.lay_rows``.
    gap
        The room between neighbours in a row, and between rows.
    page
        How tall a group may be before it is folded.

    Returns
    -------
    Rows
        Lines that lead from the foot of a column to the head of the next have two new bends
        between the columns.

    Notes
    -----
    A column ends where at most one line is cut, or the group stays as it is.
    """
    wide, tall = rows.groups[:, 0], rows.groups[:, 1]
    positions, groups = rows.positions.copy(), rows.groups.copy()
    bends = np.split(rows.points, rows.starts[1:-1]) if len(high) else []
    changed = False
    for number in np.flatnonzero((tall > page) & (tall > TALL * wide)).tolist():
        boxes = np.flatnonzero(group == number)
        if len(boxes) > SLENDER * len(np.unique(rows.positions[boxes, 1])):
            continue
        lines = np.flatnonzero(group[high] == number)
        cuts = _cuts(rows, boxes, lines, high, low, float(wide[number]))
        if not cuts:
            continue
        changed = True
        groups[number] = _fold_one(
            positions, bends, sizes, boxes, lines, high, low, cuts, gap, float(wide[number])
        )
    if not changed:
        return rows
    starts = np.concatenate(([0], np.cumsum([len(points) for points in bends])))
    return BoxRows(positions, groups, starts.astype(np.int64), np.concatenate(bends))


def _cuts(
    rows: BoxRows, boxes: Ints, lines: Ints, high: Ints, low: Ints, width: float
) -> list[float]:
    """Return the heights at which columns end, from the top; none if lines are in the way."""
    levels = np.unique(rows.positions[boxes, 1])
    between = (levels[1:] + levels[:-1]) / 2
    tops, feet = rows.positions[high[lines], 1], rows.positions[low[lines], 1]
    over = np.searchsorted(np.sort(feet), between) - np.searchsorted(np.sort(tops), between)
    height = float(levels[-1] - levels[0])
    columns = int(np.clip(round(np.sqrt(1.5 * height / (width + 0.5))), 2, len(levels)))
    cuts: list[float] = []
    for column in range(1, columns):
        aim = levels[-1] - height * column / columns
        near = np.flatnonzero(np.abs(between - aim) <= height / (3 * columns))
        near = near[over[near] <= MAX_CUT]
        if len(near):
            cuts.append(float(between[near[np.argmin(np.abs(between[near] - aim))]]))
    return cuts


def _fold_one(
    positions: Floats,
    bends: list[Floats],
    sizes: Floats,
    boxes: Ints,
    lines: Ints,
    high: Ints,
    low: Ints,
    cuts: list[float],
    gap: tuple[float, float],
    width: float,
) -> Floats:
    gutter = 2.5 * gap[0]
    edges = np.array(cuts)
    # Column 0 is what lies above the first cut.
    column = np.searchsorted(-edges, -positions[boxes, 1])
    of_box = dict(zip(boxes.tolist(), column.tolist(), strict=True))
    top = [float((positions[b, 1] + sizes[b, 1] / 2).max()) for b in _split(boxes, column)]
    foot = [float((positions[b, 1] - sizes[b, 1] / 2).min()) for b in _split(boxes, column)]
    height = max(a - b for a, b in zip(top, foot, strict=True))
    margin = gap[1]  # for the lines that turn above and below
    shift = np.array([(k * (width + gutter), height + margin - top[k]) for k in range(len(top))])
    positions[boxes] += shift[column]
    for line in lines.tolist():
        here, there = of_box[int(high[line])], of_box[int(low[line])]
        if here == there:
            bends[line] = bends[line] + shift[here]
            continue
        points = []
        for k in range(here, there):
            x = (k + 1) * (width + gutter) - gutter / 2
            down = height + margin - (top[k] - foot[k]) - 0.45 * margin
            points += [(x, down), (x, height + 1.45 * margin)]
        bends[line] = np.array(points)
    return np.array([len(top) * (width + gutter) - gutter, height + 2 * margin])


def _split(boxes: Ints, column: Ints) -> list[Ints]:
    return [boxes[column == k] for k in range(int(column.max()) + 1)]


def filling(places: Floats, page: tuple[float, float], gap: float) -> Floats:
    """Return places of what is tall and narrow as they fill a page: wider, or else in columns.

    Parameters
    ----------
    places
        Shape (nodes, 2): x to the right and y up.
    page
        Width and height, of which the shape counts.
    gap
        The room between columns, and below each other.

    Notes
    -----
    O(nodes). What would have to be more than `WIDER` times as wide stands in columns beside each
    other, as in a newspaper: one reads each from its top.

    Examples
    --------
    >>> strip = np.array([[0.0, -float(number)] for number in range(9)])
    >>> filling(strip, (1.0, 1.0), 1.0).tolist()[2:4]
    [[0.0, -2.0], [1.0, 0.0]]
    >>> filling(np.array([[0.0, 0.0], [1.0, 0.0], [1.0, -5.0]]), (2.0, 1.0), 1.0).tolist()[1:]
    [[6.0, 0.0], [6.0, -5.0]]
    """
    if not len(places):
        return places
    low, high = places.min(axis=0), places.max(axis=0)
    wide, tall = high - low + gap
    wider = tall / wide * page[0] / page[1]
    if wider <= WIDER:
        return np.asarray(places * (max(wider, 1.0), 1.0))
    columns = int(np.sqrt(wider))
    column = np.floor((high[1] - places[:, 1]) / (tall / columns))
    return np.asarray(places + column[:, None] * (wide, tall / columns))
