"""How boxes are pulled by their neighbours, and where they can go without changing their order.

By hand and not with scipy, whose import takes longer than the layout of some hundred nodes.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ecsviz.basics.order import Ints
from ecsviz.layout.grid import Floats

FEW: Final = 3_000
"""Up to how many boxes are moved without scipy: some 1 ms."""


class Pulls:
    """Weighted sums over the neighbours of boxes, for a stretch of boxes at a time.

    Parameters
    ----------
    sequence
        Shape (boxes,): all boxes, so that those that are asked for together stand together.
    here, there, weight
        Shape (pulls,): the box at `there` pulls the one at `here`.

    Attributes
    ----------
    total
        Shape (boxes,): the weight of all that pulls a box, in the order of `sequence`.

    Examples
    --------
    >>> chain = Pulls(np.arange(3), np.array([0, 1, 1]), np.array([1, 0, 2]), np.ones(3))
    >>> chain.total, chain.sums(1, 3, np.array([5.0, 7.0, 9.0]))
    (array([1., 2., 0.]), array([14.,  0.]))
    """

    def __init__(self, sequence: Ints, here: Ints, there: Ints, weight: Floats) -> None:
        n = len(sequence)
        place = np.empty(n, dtype=np.int64)
        place[sequence] = np.arange(n)
        order = np.lexsort((there, place[here]))
        self._place = place[here][order]
        self._there = there[order]
        self._weight = weight[order]
        self._starts = np.searchsorted(self._place, np.arange(n + 1))
        self.total: Floats = np.bincount(self._place, self._weight, n).astype(np.float64)

    def sums(self, first: int, end: int, x: Floats) -> Floats:
        """Return for the boxes from `first` to `end` the sum of the neighbours' `x`."""
        part = slice(self._starts[first], self._starts[end])
        pulled = self._weight[part] * x[self._there[part]]
        return np.bincount(self._place[part] - first, pulled, end - first).astype(np.float64)


def isotonic(wishes: Floats, weights: Floats) -> Floats:
    """Return the rising numbers that are nearest to some wishes, by weighted least squares.

    Notes
    -----
    Neighbours whose wishes fall are pooled and stand at their mean (Ayer et al. 1955). O(n).

    Examples
    --------
    >>> isotonic(np.array([1.0, 4.0, 2.0, 9.0]), np.ones(4))
    array([1., 3., 3., 9.])
    """
    if len(wishes) > FEW:
        from scipy.optimize import isotonic_regression

        return np.asarray(isotonic_regression(wishes, weights=weights).x)
    means: list[float] = []
    shares: list[float] = []
    counts: list[int] = []
    for wish, weight in zip(wishes.tolist(), weights.tolist(), strict=True):
        mean, share, count = wish, weight, 1
        while means and means[-1] > mean:
            before = shares.pop()
            mean = (means.pop() * before + mean * share) / (before + share)
            share += before
            count += counts.pop()
        means.append(mean)
        shares.append(share)
        counts.append(count)
    return np.repeat(means, counts)
