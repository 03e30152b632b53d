"""Crossings: how often the lines of a layout cross, as they are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ecsviz.basics.order import Bools, Ints
from ecsviz.layout.grid import Floats

if TYPE_CHECKING:
    from ecsviz.graph.arrays import Parts
    from ecsviz.layout.placed import Layout

MOST: Final = 2_500
"""Up to how many pieces of lines crossings are counted: all pairs are looked at, in 0.2 s."""
BLOCK: Final = 250
WORTH: Final = 0.85
"""A component is taken apart where so much of the crossings is left at the most."""


def fewest_crossings(whole: Layout, loose: Layout, parts: Parts) -> Layout:
    """Return the layout whose lines cross least, with components whole where it matters little.

    Parameters
    ----------
    whole, loose
        Of one graph, with large components in boxes and with their members among the others.
    parts
        The graph's.

    Notes
    -----
    With more than 2,500 pieces of lines it is the loose one: in large graphs boxes cost most.
    """
    ends = parts.sources, parts.targets
    pieces = [_pieces(layout, *ends) for layout in (whole, loose)]
    if max(len(owner) for _, _, owner in pieces) > MOST:
        return loose
    before, after = (count_crossings(*found) for found in pieces)
    return loose if after + 1 < WORTH * before else whole


def crossings_of(layout: Layout, parts: Parts) -> int:
    """Return how often references cross: as straight lines between their ends and bends.

    Notes
    -----
    Two references that share an end do not cross there; parallel ones count once.
    """
    return count_crossings(*_pieces(layout, parts.sources, parts.targets))


def _pieces(layout: Layout, sources: Ints, targets: Ints) -> tuple[Floats, Floats, Ints]:
    """Return where pieces of lines begin and end, and of which line each is."""
    n = len(layout)
    key = np.minimum(sources, targets) * n + np.maximum(sources, targets)
    lines = np.unique(key, return_index=True)[1]
    lines = lines[sources[lines] != targets[lines]]
    bends = np.diff(layout.starts)[lines]
    owner = np.repeat(np.arange(len(lines)), bends + 2)
    points = np.empty((len(owner), 2))
    first = np.cumsum(bends + 2) - bends - 2
    points[first] = layout.positions[sources[lines]]
    points[first + bends + 1] = layout.positions[targets[lines]]
    step = np.arange(len(owner)) - first[owner] - 1
    inner = (step >= 0) & (step < bends[owner])
    points[inner] = layout.bends[(layout.starts[lines][owner] + step)[inner]]
    follows = np.flatnonzero(owner[1:] == owner[:-1])
    return points[follows], points[follows + 1], owner[follows]


def count_crossings(a: Floats, b: Floats, owner: Ints) -> int:
    """Return how many pairs of pieces cross that are not of one line."""
    count = 0
    for start in range(0, len(a), BLOCK):
        part = slice(start, start + BLOCK)
        rest = slice(start, len(a))
        apart = owner[part, None] < owner[None, rest]
        one = _sides(a[part, None], b[part, None], a[None, rest], b[None, rest])
        other = _sides(a[None, rest], b[None, rest], a[part, None], b[part, None])
        count += int((apart & one & other).sum())
    return count


def _sides(a: Floats, b: Floats, c: Floats, d: Floats) -> Bools:
    """Tell whether `c` and `d` lie on different sides of the line through `a` and `b`."""
    return np.asarray(_turn(a, b, c) * _turn(a, b, d) < -1e-12)


def _turn(a: Floats, b: Floats, c: Floats) -> Floats:
    step, other = b - a, c - a
    return np.asarray(step[..., 0] * other[..., 1] - step[..., 1] * other[..., 0])
