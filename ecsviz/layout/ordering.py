"""The order of boxes within rows, with few crossings."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Final

import numpy as np

from ecsviz.layout.grid import Floats, Grid
from ecsviz.layout.pulls import Pulls
from ecsviz.order import Ints

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
