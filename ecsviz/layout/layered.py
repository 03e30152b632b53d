"""Layers: boxes in rows, the rows in order of rank, few crossings, short lines.

Sugiyama's method: long lines are cut by invisible boxes in the rows that they pass, rows are
ordered by the mean place of the neighbours, places are found by shifting rows towards their
neighbours. All groups (parts of the graph that hang together) are handled in one go, so that
ten thousand small ones cost no more than one large one.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Final

import numpy as np

from ecsviz.basics.order import Ints
from ecsviz.layout.grid import BoxRows, Floats, Grid
from ecsviz.layout.places import place
from ecsviz.layout.pulls import Pulls
from ecsviz.layout.sifting import fewer_crossings

MAX_BENDS: Final = 40_000
"""How many invisible boxes are made at the most; longer lines beyond run straight."""
DENSE: Final = 4
"""With more lines per box none is bent: bundles of bends would hide where they lead."""
HIGH_ROW: Final = 0.55
"""Lines are upright where they pass a row that is higher than this: one of tables, or a ring."""
FEW_LINES: Final = 400
"""Up to so many lines they are bent in any case."""


def lay_rows(
    sizes: Floats,
    high: Ints,
    low: Ints,
    rank: Ints,
    group: Ints,
    *,
    first: Ints,
    gap: tuple[float, float],
    page: tuple[float, float],
) -> BoxRows:
    """Place boxes in rows.

    Parameters
    ----------
    sizes
        Width and height of every box, shape (boxes, 2).
    high, low
        The ends of every line, shape (lines,): ``rank[high] > rank[low]``, same group.
    rank
        Shape (boxes,): 0 for the lowest row of a group.
    group
        Shape (boxes,): which boxes hang together, ``0 … groups-1``.
    first
        Shape (boxes,): what comes first stands on the left, where lines do not ask for more.
    gap
        The room between neighbours in a row, and between rows.
    page
        Width and height of the page: rows are broken where that lets it show more.

    Notes
    -----
    Deterministic. O(sweeps · (boxes + bends + lines) log boxes), with at most 24 sweeps and fewer
    the more rows there are; for sifting see ``fewer_crossings``.
    """
    rank, folded = _broken_rows(sizes, high, low, rank, group, first, gap, page)
    grid, starts = _with_bends(sizes, high, low, rank, group, first, gap[0])
    key = fewer_crossings(grid, order_rows(grid))
    x = place(grid, key, _free_width(grid, gap[1], page))
    y, height = _heights(grid, x, gap[1], folded)
    return _straightened(_at_origin(grid, x, y, starts), height[len(rank) :])


def _broken_rows(
    sizes: Floats,
    high: Ints,
    low: Ints,
    rank: Ints,
    group: Ints,
    first: Ints,
    gap: tuple[float, float],
    page: tuple[float, float],
) -> tuple[Ints, Ints]:
    """Break rows that are too wide; return new ranks, and how far a row is from its first."""
    if not len(rank):
        return rank, rank
    rows = int(rank.max()) + 1
    key, inverse = np.unique(group * rows + rank, return_inverse=True)
    room = np.asarray(np.bincount(inverse, weights=sizes[:, 0] + gap[0]), dtype=np.float64)
    height = np.zeros(len(key))
    np.maximum.at(height, inverse, sizes[:, 1] + 1.3 * gap[1])
    width = _row_width(room, height, key // rows, page)
    count = np.bincount(inverse)
    # Rows need not be equally full to look balanced: a fifth more is not worth a second row.
    parts = np.where(room > 1.2 * width, np.ceil(room / width), 1).astype(np.int64)
    parts = np.minimum(parts, count)
    part = np.zeros(len(rank), dtype=np.int64)
    if parts.max() > 1:
        each = sizes[:, 0] + gap[0]
        ones = np.ones(len(high))
        grid = Grid(each, each, rank, group, first, high, low, ones, len(rank), gap[0])
        order = order_rows(grid)
        sequence = np.lexsort((order, inverse))
        start = np.cumsum(count) - count
        place_in_row = np.empty(len(rank), dtype=np.int64)
        place_in_row[sequence] = np.arange(len(rank)) - start[inverse[sequence]]
        # By turns, so that every part keeps the order from left to right.
        part = place_in_row % parts[inverse]
    # The rows of a group start at 0, whatever the others do.
    below = np.cumsum(parts) - parts
    owner = key // rows
    first_of_group = np.unique(owner, return_index=True)[1]
    base = below[first_of_group][np.searchsorted(owner[first_of_group], owner)]
    lowest = (below - base)[inverse]
    # The first part is the highest: one reads downwards.
    return lowest + parts[inverse] - 1 - part, (part > 0).astype(np.int64)


def _free_width(grid: Grid, gap: float, page: tuple[float, float]) -> Floats:
    """Return how wide groups may be where their height decides how large they are drawn."""
    rows = int(grid.row.max(initial=0)) + 1
    key, inverse = np.unique(grid.group * rows + grid.row, return_inverse=True)
    height = np.zeros(len(key))
    np.maximum.at(height, inverse, grid.height + 1.3 * gap)
    tall = np.bincount(key // rows, weights=height)
    return np.asarray(page[0] / np.minimum(1.0, page[1] / np.maximum(tall, 1e-9)))


def _row_width(room: Floats, height: Floats, group: Ints, page: tuple[float, float]) -> float:
    """Return the width at which the largest group fills the page best."""
    area = np.bincount(group, weights=room * height)
    largest = group == int(np.argmax(area))
    room, height = room[largest], height[largest]
    widest = float(room.max())
    best, most = widest, 0.0
    for parts in dict.fromkeys(int(1.12**step) for step in range(55)):
        width = widest / parts
        tall = float((np.ceil(room / (1.2 * width)) * height).sum())
        scale = min(1.0, page[0] / width, page[1] / tall)
        # A row that is broken reads worse: it must be worth it.
        if scale > most * 1.25:
            best, most = width, scale
    return best


def _with_bends(
    sizes: Floats, high: Ints, low: Ints, rank: Ints, group: Ints, first: Ints, gap: float
) -> tuple[Grid, Ints]:
    """Cut long lines by bends; return the grid, and where the bends of every line start."""
    boxes = len(rank)
    bends = rank[high] - rank[low] - 1
    if len(high) > max(DENSE * boxes, FEW_LINES):
        bends[:] = 0
    if bends.sum() > MAX_BENDS:
        by_length = np.argsort(bends, kind="stable")
        bends[by_length[np.cumsum(bends[by_length]) > MAX_BENDS]] = 0
    starts = np.concatenate(([0], np.cumsum(bends))).astype(np.int64)
    line = np.repeat(np.arange(len(high)), bends)
    step = np.arange(len(line)) - starts[line]
    numbers = boxes + np.arange(len(line))
    row = np.concatenate((rank, rank[high[line]] - 1 - step))
    # high -> first bend -> … -> last bend -> low; a line without bends is one segment.
    is_last = step == bends[line] - 1
    plain = bends == 0
    upper = np.concatenate((high[plain], high[~plain], numbers))
    lower = np.concatenate(
        (low[plain], boxes + starts[:-1][~plain], np.where(is_last, low[line], numbers + 1))
    )
    soft = (upper >= boxes).astype(np.int64) + (lower >= boxes)
    # Bends make room for lines, but where there are many they may not widen the picture.
    crowd = int(np.bincount(row[boxes:]).max()) if len(line) else 1
    width = max(float(np.bincount(rank, weights=sizes[:, 0] + gap).max()), 1.0) if boxes else 1.0
    return (
        Grid(
            np.append(sizes[:, 0] + gap, np.full(len(line), min(0.3 * gap, 0.5 * width / crowd))),
            np.append(sizes[:, 1], np.zeros(len(line))),
            row,
            np.concatenate((group, group[high[line]])),
            np.concatenate((first, np.maximum(first[high[line]], first[low[line]]))),
            upper,
            lower,
            np.array([1.0, 2.0, 6.0])[soft],
            boxes,
            gap,
        ),
        starts,
    )


def _heights(grid: Grid, x: Floats, gap: float, part: Ints) -> tuple[Floats, Floats]:
    """Return the vertical place of every box and bend, and how high its row is.

    Each group starts at 0.
    """
    n = len(grid)
    rows = int(grid.row.max()) + 1 if n else 0
    key, inverse = np.unique(grid.group * rows + grid.row, return_inverse=True)
    height = np.zeros(len(key))
    np.maximum.at(height, inverse, grid.height)
    # Where lines run far to the side, rows stand further apart: flat lines are hard to follow.
    slant = np.zeros(len(key))
    reach = np.abs(x[grid.upper] - x[grid.lower])
    np.maximum.at(slant, inverse[grid.lower], np.minimum(reach, 12.0))
    lines = np.bincount(inverse[grid.lower], minlength=len(key))
    above = gap * (1 + np.minimum(0.9, 0.08 * slant + 0.012 * lines))
    # Parts of one broken row stand close together.
    broken = np.zeros(len(key), dtype=bool)
    broken[inverse[: grid.boxes][part > 0]] = True
    above[broken] = np.minimum(above[broken], 0.8 * gap)
    step = height + above
    total = np.cumsum(step) - step
    owner = key // rows if rows else key
    first = np.unique(owner, return_index=True)[1]
    base = total[first][np.searchsorted(owner[first], owner)]
    return np.asarray((total - base + height / 2)[inverse]), np.asarray(height[inverse])


def _at_origin(grid: Grid, x: Floats, y: Floats, starts: Ints) -> BoxRows:
    """Shift every group to the origin."""
    groups = int(grid.group.max()) + 1 if len(grid) else 0
    half = np.column_stack((np.maximum(grid.room - grid.gap, 0.0), grid.height)) / 2
    low = np.full((groups, 2), np.inf)
    high = np.full((groups, 2), -np.inf)
    centre = np.column_stack((x, y)) if len(grid) else np.zeros((0, 2))
    np.minimum.at(low, grid.group, centre - half)
    np.maximum.at(high, grid.group, centre + half)
    centre = centre - low[grid.group]
    return BoxRows(centre[: grid.boxes], high - low, starts, centre[grid.boxes :])


def _straightened(rows: BoxRows, height: Floats) -> BoxRows:
    """Give lines that pass a high row two bends, at its head and at its foot.

    With one in the middle they would cut the corners of what stands beside them.
    """
    high = height > HIGH_ROW
    if not high.any():
        return rows
    places = np.repeat(np.arange(len(height)), 1 + high)
    points = rows.points[places]
    second = np.append(False, places[1:] == places[:-1])
    first = np.append(second[1:], False)
    points[first, 1] += height[places[first]] / 2
    points[second, 1] -= height[places[second]] / 2
    before = np.concatenate(([0], np.cumsum(1 + high)))
    return BoxRows(rows.positions, rows.groups, before[rows.starts], points)


ROW_STEPS: Final = 3_000
"""How many rows are ordered in all sweeps together: the cost of a sweep is its rows."""

EXACT_LINES: Final = 4_000
"""Up to how many lines crossings are counted, to keep the best of all sweeps."""

MAX_SWEEPS: Final = 24


def order_rows(grid: Grid) -> Floats:
    """Return a key by which every row is sorted from left to right, shape (boxes + bends,).

    Notes
    -----
    Barycentres (Sugiyama, Tagawa and Toda 1981), downwards and upwards by turns; where it is
    cheap to count crossings, the best of all sweeps.
    """
    n = len(grid)
    rows = _rows(grid.row)
    key = grid.first.astype(np.float64)
    if not len(grid.upper) or n < 3:
        return key
    sequence = np.concatenate(rows)
    starts = np.cumsum([0, *(len(row) for row in rows)]).tolist()
    up, down = (
        Pulls(sequence, here, there, 1.0 / np.bincount(here, minlength=n)[here])
        for here, there in ((grid.lower, grid.upper), (grid.upper, grid.lower))
    )
    wide = [number for number, row in enumerate(rows) if len(row) > 1]
    sweeps = int(np.clip(ROW_STEPS // max(1, len(wide)), 2, MAX_SWEEPS))
    counting = len(grid.upper) <= EXACT_LINES
    place_of = _places(grid, rows, key)
    best, fewest = place_of.copy(), crossings(grid, place_of) if counting else 0
    for sweep in range(sweeps):
        downwards = sweep % 2 == 0
        for number in reversed(wide) if downwards else wide:
            row = rows[number]
            pulls, part = up if downwards else down, slice(starts[number], starts[number + 1])
            mean = pulls.sums(part.start, part.stop, place_of)
            wish = np.where(pulls.total[part] > 0, mean, place_of[row])
            # Ties keep their order in one half of the sweeps and turn it in the other.
            tie = place_of[row] if sweep % 4 < 2 else -place_of[row]
            order = row[np.lexsort((tie, wish, grid.group[row]))]
            place_of[order] = _centred(grid, order)
        if counting:
            found = crossings(grid, place_of)
            if found < fewest:
                best, fewest = place_of.copy(), found
            if fewest == 0:
                break
        else:
            best = place_of
    return best


def _rows(row: Ints) -> list[Ints]:
    order = np.argsort(row, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(row[order])) + 1) if len(row) else []


def _places(grid: Grid, rows: list[Ints], key: Floats) -> Floats:
    result = np.zeros(len(grid))
    for row in rows:
        order = row[np.lexsort((key[row], grid.group[row]))]
        result[order] = _centred(grid, order)
    return result


def _centred(grid: Grid, order: Ints) -> Floats:
    """Return the places of a row packed tightly around 0."""
    width = grid.room[order]
    return np.asarray(np.cumsum(width) - width / 2 - width.sum() / 2)


def crossings(grid: Grid, place_of: Floats) -> int:
    """Return how many pairs of segments cross. O(segments log segments), nearly."""
    rank = np.empty(len(grid), dtype=np.int64)
    rank[np.lexsort((place_of, grid.group, grid.row))] = np.arange(len(grid))
    order = np.lexsort((rank[grid.lower], rank[grid.upper]))
    seen: list[int] = []
    count = 0
    # Rows do not mix: what leads to a lower row has smaller numbers, and it comes first.
    for lower in rank[grid.lower[order]].tolist():
        count += len(seen) - bisect_left(seen, lower + 1)
        insort(seen, lower)
    return count
