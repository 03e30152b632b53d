"""Forces: what is joined stands near each other, everything else apart."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ecsviz.basics.order import Ints
from ecsviz.layout.grid import Floats

STEPS: Final = 70
FEW_STEPS: Final = 18
MANY: Final = 30_000
"""How often all nodes are moved, and how often where there are more than so many."""
MOST_CELLS: Final = 256
"""Of how many rows the grid is, at the most, on which nodes push each other away."""
GRAVITY: Final = 0.6
_GOLDEN: Final = np.pi * (3 - np.sqrt(5))


def force_places(n: int, sources: Ints, targets: Ints, steps_of: list[Ints]) -> Floats:
    """Return places for nodes by forces, about one unit apart, shape (nodes, 2).

    Parameters
    ----------
    n
        How many nodes there are.
    sources, targets
        What joins them, shape (references,).
    steps_of
        Their communities, from small to large ones, shape (nodes,) each: the largest are placed
        first, and each step begins where the one before has ended.

    Notes
    -----
    ForceAtlas2 (Jacomy, Venturini, Heymann and Bastian 2014) on a hierarchy, with the push of all
    on all by Fourier transforms over a grid (Hockney and Eastwood 1981): O(steps · (nodes +
    references + cells · log cells)). The same in every run.

    Examples
    --------
    >>> chain = np.arange(29), np.arange(1, 30)
    >>> places = force_places(30, *chain, [np.arange(30) // 10])
    >>> bool(np.hypot(*(places[0] - places[29])) > 3 * np.hypot(*(places[0] - places[1])))
    True
    """
    if not n:
        return np.zeros((0, 2))
    places = _spiral(1, np.zeros((1, 2)), np.zeros(1, dtype=np.int64), np.ones(1))
    above = np.zeros(1, dtype=np.int64)
    for groups in [*steps_of[::-1], np.arange(n)]:
        count = int(groups.max()) + 1
        if count < 1.3 * len(places) and count < n:
            continue
        parent = np.zeros(count, dtype=np.int64)
        parent[groups] = above if len(above) == n else np.zeros(n, dtype=np.int64)
        members = np.bincount(groups, minlength=count).astype(np.float64)
        size = np.sqrt(np.bincount(parent, members, len(places)))
        scale = _spread(places, size)
        places = _spiral(count, places * scale, parent, size)
        a, b, weight = _joined(groups[sources], groups[targets], count)
        places = _relaxed(places, members, a, b, weight)
        above = groups
    return _drawn_in(places)


def _drawn_in(places: Floats) -> Floats:
    """Bring the few that are far outside nearer, so that they do not make all others small."""
    out = places - np.median(places, axis=0)
    reach = np.hypot(*out.T)
    usual = max(float(np.quantile(reach, 0.98)), 1e-9)
    share = np.maximum(reach / usual, 1.0)
    return np.asarray(out * ((1 + 0.4 * np.log(share)) / share)[:, None])


def _spread(places: Floats, size: Floats) -> float:
    """Return how much wider places must be so that all members have room."""
    extent = float(np.ptp(places, axis=0).max()) or 1.0
    return float(np.sqrt((size**2).sum()) / extent) if len(places) > 1 else 1.0


def _spiral(count: int, centre: Floats, parent: Ints, size: Floats) -> Floats:
    """Place what has one parent around it, evenly, in the order of its numbers."""
    order = np.argsort(parent, kind="stable")
    first = np.searchsorted(parent[order], np.arange(len(centre)))
    place = np.empty(count)
    place[order] = np.arange(count) - first[parent[order]]
    many = np.bincount(parent, minlength=len(centre))[parent]
    radius = 0.4 * size[parent] * np.sqrt((place + 0.5) / many)
    angle = place * _GOLDEN
    return np.asarray(centre[parent] + (radius * (np.cos(angle), np.sin(angle))).T)


def _joined(a: Ints, b: Ints, count: int) -> tuple[Ints, Ints, Floats]:
    """Return the pairs that are joined, and how strongly."""
    apart = a != b
    key = np.minimum(a, b)[apart] * count + np.maximum(a, b)[apart]
    keys, many = np.unique(key, return_counts=True)
    return keys // count, keys % count, np.sqrt(many.astype(np.float64))


def _relaxed(places: Floats, members: Floats, a: Ints, b: Ints, weight: Floats) -> Floats:
    n = len(places)
    degree = np.bincount(a, weight, n) + np.bincount(b, weight, n)
    mass = np.sqrt(members) * (1 + degree)
    steps = FEW_STEPS if n > MANY else STEPS
    cells = int(np.clip(2 ** np.ceil(np.log2(2 * np.sqrt(n) + 1)), 32, MOST_CELLS))
    kernel = _kernel(cells)
    room = np.sqrt(members.sum())
    mean = max(float(np.mean(members)), 1.0)
    push = room / max(float(mass.sum()), 1e-9) * np.sqrt(mean)
    for step in range(steps):
        force = push * _pushed(places, mass, cells, kernel)
        pull = (places[b] - places[a]) * (weight / np.sqrt(mean) / 4)[:, None]
        for axis in (0, 1):
            force[:, axis] += np.bincount(a, pull[:, axis], n) - np.bincount(b, pull[:, axis], n)
        force /= (1 + degree / 4)[:, None]
        middle = places.mean(axis=0)
        force -= GRAVITY * push * mass.sum() / room**2 * (places - middle)
        most = 0.12 * room * (1 - step / steps) ** 1.5 + 0.02 * np.sqrt(mean)
        length = np.maximum(np.hypot(*force.T), 1e-9)
        places = places + force * np.minimum(1.0, most / length)[:, None]
    return places


def _kernel(cells: int) -> list[NDArray[np.complex64]]:
    """Return the transforms of the pushes along x and y from a cell on all others.

    In single precision: a picture has no more, and it takes half the time.
    """
    from scipy.fft import rfft2

    line = np.fft.fftfreq(2 * cells, 1 / (2 * cells))
    x, y = np.meshgrid(line, line)
    square = x**2 + y**2
    square[0, 0] = 1.0
    return [rfft2((part / square).astype(np.float32)) for part in (x, y)]


def _pushed(
    places: Floats, mass: Floats, cells: int, kernel: list[NDArray[np.complex64]]
) -> Floats:
    """Return how all push each: mass over distance, between the cells of a grid."""
    from scipy.fft import irfft2, rfft2

    low = places.min(axis=0)
    side = max(float(np.ptp(places, axis=0).max()), 1e-9) * 1.02 / (cells - 1)
    at = (places - low) / side
    cell = np.minimum(at.astype(np.int64), cells - 2)
    part = at - cell
    corners = [
        (cell[:, 0] + i + 2 * cells * (cell[:, 1] + j),
         np.abs(1 - i - part[:, 0]) * np.abs(1 - j - part[:, 1]))
        for i in (0, 1) for j in (0, 1)
    ]  # fmt: skip
    total = np.zeros(4 * cells * cells)
    for number, share in corners:
        total += np.bincount(number, mass * share, len(total))
    turned = rfft2(total.astype(np.float32).reshape(2 * cells, 2 * cells))
    result = np.zeros((len(places), 2))
    for axis in (0, 1):
        field = irfft2(turned * kernel[axis]).ravel()
        for number, share in corners:
            result[:, axis] += field[number] * share
    return result / side
