"""Fewer crossings: boxes and whole lines go, one by one, to where least crosses them."""

from __future__ import annotations

from typing import Final

import numpy as np

from ecsviz.basics.order import Bools, Ints
from ecsviz.layout.grid import Floats, Grid

WORK: Final = 250_000
"""How many pairs of segments between the same rows are looked at in all: some 0.1 s."""
BLOCK: Final = 200
"""What every block costs besides, in pairs."""
MAX_SHAKES: Final = 12
MAX_TURNS: Final = 10
"""How often every block is moved between two shakes, at the most."""


def fewer_crossings(grid: Grid, key: Floats) -> Floats:
    """Return a key by which rows are sorted with fewer crossings, or `key` where there are none.

    Parameters
    ----------
    grid
        Boxes and bends in rows.
    key
        By what rows are sorted so far: it stays where the grid is so large that it would take
        long.

    Notes
    -----
    Global sifting (Bachmaier, Brandenburg, Brunner and Hübner 2011): a box is a block, and all
    bends of a line are one. All blocks stand in one order from left to right, and each goes to
    the place in it where its segments cross least. To leave an order that no single move betters,
    the blocks are shaken: all go to the mean place of their neighbours, once, twice and so on,
    and are sifted again. The best order counts, and the earlier of two that are alike.
    """
    level = grid.group[grid.upper] * (int(grid.row.max(initial=0)) + 1) + grid.row[grid.upper]
    if int((np.unique(level, return_counts=True)[1] ** 2).sum()) > WORK:
        return key
    one, other = _pairs(level)
    crossed = _crossed(key[grid.upper], key[grid.lower], one, other)
    crowded = np.isin(grid.group, grid.group[grid.upper[one[crossed]]])
    block = _blocks(grid, crowded)
    count = int(block.max(initial=-1)) + 1
    kept = crowded[grid.upper[one]]
    work = int(kept.sum()) + BLOCK * count
    if not 0 < work <= WORK:
        return key
    blocks = _Blocks(count, block[grid.upper], block[grid.lower], one[kept], other[kept])
    best = _ranks(np.bincount(block[crowded], key[crowded]) / np.bincount(block[crowded]))
    fewest = int(crossed.sum())
    result = key.copy()
    for shake in range(1 + min(MAX_SHAKES, fewest, WORK // work)):
        place = best
        for _ in range(shake):
            place = blocks.shaken(place)
        place = blocks.sifted(place)
        found = blocks.crossings(place)
        if found < fewest:
            result[crowded] = place[block[crowded]]
        if found < fewest or not shake:
            best = place
        fewest = min(found, fewest)
        if not fewest:
            break
    return result


def _pairs(level: Ints) -> tuple[Ints, Ints]:
    """Return all pairs of segments of one level, each both ways."""
    if not len(level):
        return level, level
    order = np.argsort(level, kind="stable")
    levels = np.split(order, np.flatnonzero(np.diff(level[order])) + 1)
    one = np.concatenate([np.repeat(part, len(part)) for part in levels])
    return one, np.concatenate([np.tile(part, len(part)) for part in levels])


def _crossed(upper: Ints | Floats, lower: Ints | Floats, one: Ints, other: Ints) -> Bools:
    """Tell which pairs cross, given the places of the segments' ends; of both ways, one."""
    return np.asarray((upper[one] < upper[other]) & (lower[one] > lower[other]))


def _blocks(grid: Grid, mask: Bools) -> Ints:
    """Return the block of every box and bend in the mask, ``0 … blocks-1``; -1 for the others."""
    first = np.arange(len(grid))
    bends = np.flatnonzero((grid.upper >= grid.boxes) & (grid.lower >= grid.boxes))
    # Downwards, so that the end above already knows its block.
    bends = bends[np.argsort(-grid.row[grid.upper[bends]], kind="stable")]
    for upper, lower in zip(grid.upper[bends].tolist(), grid.lower[bends].tolist(), strict=True):
        first[lower] = first[upper]
    block = np.full(len(grid), -1)
    block[mask] = np.unique(first[mask], return_inverse=True)[1]
    return block


def _ranks(wishes: Floats) -> Ints:
    ranks = np.empty(len(wishes), dtype=np.int64)
    ranks[np.argsort(wishes, kind="stable")] = np.arange(len(wishes))
    return ranks


class _Blocks:
    """Blocks, and which segments can cross theirs.

    Parameters
    ----------
    count
        How many blocks there are.
    upper, lower
        The blocks at the ends of every segment, shape (segments,).
    one, other
        The segments that can cross: all pairs of one level, each both ways.

    Notes
    -----
    Let a segment of a block lead to `end` in the next row, and another from `near`, in the
    block's own row, to `far`. They cross if the block stands left of `near` and `end` right of
    `far`, or the other way round. So while the block goes from left to right, it gains a
    crossing where it passes a `near` whose `far` is right of its `end`, and else loses one. With
    ``end = 4`` and the others' ``(near, far)`` at (1, 6) and (3, 0)::

        place of the block    left of 1    between 1 and 3    right of 3
        crossings             1            2                  1

    Of a segment between two bends of the block the `end` moves along: it gains a crossing at the
    first end of the other that it passes, and loses it at the second.
    """

    def __init__(self, count: int, upper: Ints, lower: Ints, one: Ints, other: Ints) -> None:
        self.count, self.upper, self.lower = count, upper, lower
        self.one, self.other = one, other
        found = []
        for here, there in ((upper, lower), (lower, upper)):
            block, near, far = here[one], here[other], there[other]
            end = np.where(there[one] == block, near, there[one])
            kept = (near != block) & (far != end)
            found.append(np.array((block, near, far, end))[:, kept])
        block, *ends = np.concatenate(found, axis=1)
        order = np.argsort(block, kind="stable")
        self._near, self._far, self._end = (part[order] for part in ends)
        self._starts = np.searchsorted(block[order], np.arange(count + 1)).tolist()
        own = upper >= 0
        self._ends = np.concatenate((upper[own], lower[own]))
        self._others = np.concatenate((lower[own], upper[own]))
        self._degree = np.bincount(self._ends, minlength=count)

    def crossings(self, place: Ints) -> int:
        """Return how many pairs of segments cross."""
        return int(_crossed(place[self.upper], place[self.lower], self.one, self.other).sum())

    def shaken(self, place: Ints) -> Ints:
        """Move all blocks at once to the mean place of their neighbours."""
        sums = np.bincount(self._ends, place[self._others], self.count)
        return _ranks(np.where(self._degree > 0, sums / np.maximum(self._degree, 1), place))

    def sifted(self, place: Ints) -> Ints:
        """Move one block after the other to where its segments cross least."""
        place = place.copy()
        for turn in range(MAX_TURNS):
            order = np.argsort(place)[:: -1 if turn % 2 else 1].tolist()
            if not sum([self._move(block, place) for block in order]):
                break
        return place

    def costs(self, block: int, place: Ints) -> Ints:
        """Return for every place how many more crossings there are than with the block at 0."""
        part = slice(self._starts[block], self._starts[block + 1])
        near = place[self._near[part]]
        gain = np.where(place[self._far[part]] > place[self._end[part]], 1, -1)
        # A block goes past what is on its left now when it stands one place further right.
        first = near + (near < place[block])
        return np.bincount(first, gain, self.count).cumsum().astype(np.int64)

    def _move(self, block: int, place: Ints) -> bool:
        if self._starts[block] == self._starts[block + 1]:
            return False
        here, cost = int(place[block]), self.costs(block, place)
        best = int(cost.argmin())
        if cost[best] >= cost[here]:
            return False
        low, high, step = (best, here - 1, 1) if best < here else (here + 1, best, -1)
        place[(place >= low) & (place <= high)] += step
        place[block] = best
        return True
