"""Ranks: in which row each node stands, so that lines pass few rows."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ecsviz.basics.order import Ints

MOST: Final = 12_000
"""With more lines nodes stand as low as they can: some 0.3 s."""


def short_lines(level: Ints, sources: Ints, targets: Ints, top: Ints) -> Ints:
    """Return rows for nodes in which lines pass fewest rows, all together.

    Parameters
    ----------
    level
        Shape (nodes,): rows that will do, ``level[source] > level[target]``.
    sources, targets
        The lines, shape (lines,).
    top
        Shape (nodes,): the highest row in which each may stand.

    Returns
    -------
    ndarray
        Shape (nodes,): for each line, too, the source above the target; at least as short.

    Notes
    -----
    Gansner, Koutsofios, North and Vo (1993), as the linear program that it is, whose solutions
    are whole numbers, by scipy's dual simplex.

    Examples
    --------
    >>> level = np.array([3, 2, 1, 0, 1, 0])  # a chain of 0–3; 4, which 0 holds, holds 5
    >>> ends = np.array([0, 1, 2, 0, 4]), np.array([1, 2, 3, 4, 5])
    >>> short_lines(level, *ends, np.full(6, 3)).tolist()
    [3, 2, 1, 0, 2, 1]
    """
    lines, n = len(sources), len(level)
    if not lines or lines > MOST:
        return level
    from scipy.optimize import linprog
    from scipy.sparse import csr_array

    number = np.tile(np.arange(lines), 2)
    signs = np.repeat((-1.0, 1.0), lines)
    # (Its types know dense matrices only.)
    matrix: Any = csr_array((signs, (number, np.concatenate((sources, targets)))), shape=(lines, n))
    pull = np.bincount(sources, minlength=n) - np.bincount(targets, minlength=n)
    found = linprog(
        pull.astype(np.float64),
        A_ub=matrix,
        b_ub=-np.ones(lines),
        bounds=[(0.0, float(most)) for most in top.tolist()],
        method="highs-ds",
    )
    if found.x is None:
        return level
    rows = np.rint(found.x).astype(np.int64)
    return rows if (rows[sources] > rows[targets]).all() else level
