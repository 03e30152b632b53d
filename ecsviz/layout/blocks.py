"""Cycles that meet in single nodes: each on a circle of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from ecsviz.layout.grid import Floats
from ecsviz.layout.rings import ring_order

TURNS: Final = 24
"""In how many directions the whole is tried: the one that needs least room is taken."""
NEAREST: Final = 0.7
"""Nearer to each other, in lengths of a side, no two nodes may come: else it is no picture."""
LARGEST: Final = 3.0
"""So many times more room than on one ring is too much."""


def blocks_of(members: Sequence[int], successors: dict[int, list[int]]) -> list[list[int]]:
    """Return the blocks of a component: what hangs together without any one of its nodes.

    Parameters
    ----------
    members
        Its nodes.
    successors
        For every member, the members that it leads to; directions do not count here.

    Returns
    -------
    list of list of int
        Each sorted; two blocks share one node at most. A node in several is a joint.

    Notes
    -----
    Hopcroft and Tarjan (1973), not recursive. O(members + references).

    Examples
    --------
    >>> blocks_of([0, 1, 2, 3, 4], {0: [1], 1: [2], 2: [0, 3], 3: [4], 4: [2]})
    [[2, 3, 4], [0, 1, 2]]
    """
    beside: dict[int, list[int]] = {node: [] for node in members}
    for node in members:
        for other in successors[node]:
            if other != node:
                beside[node].append(other)
                beside[other].append(node)
    number: dict[int, int] = {}
    lowest: dict[int, int] = {}
    found: list[list[int]] = []
    for start in members:
        if start in number:
            continue
        number[start] = lowest[start] = len(number)
        open_ = [start]
        stack = [(start, iter(beside[start]))]
        while stack:
            node, others = stack[-1]
            other = next(others, -1)
            if other < 0:
                stack.pop()
                if stack:
                    _close(stack[-1][0], node, number, lowest, open_, found)
            elif other in number:
                lowest[node] = min(lowest[node], number[other])
            else:
                number[other] = lowest[other] = len(number)
                open_.append(other)
                stack.append((other, iter(beside[other])))
    return found


def _close(
    above: int,
    node: int,
    number: dict[int, int],
    lowest: dict[int, int],
    open_: list[int],
    found: list[list[int]],
) -> None:
    """Go back from a node to the one above it, which is a joint if nothing leads past it."""
    if lowest[node] < number[above]:
        lowest[above] = min(lowest[above], lowest[node])
        return
    at = open_.index(node)
    found.append(sorted([above, *open_[at:]]))
    del open_[at:]


def block_places(
    members: Sequence[int],
    successors: dict[int, list[int]],
    sizes: Floats,
    gap: tuple[float, float],
    most: float,
) -> Floats | None:
    """Return the centres of nodes whose cycles meet in single nodes, each cycle on its circle.

    Parameters
    ----------
    members, successors
        A component, and what leads where within it.
    sizes
        Width and height of every member, shape (members, 2).
    gap
        The least room between boxes beside and above each other.
    most
        How much room, width times height, they take on one ring.

    Returns
    -------
    ndarray or None
        Shape (members, 2), around the origin. None if there are no two such cycles, or they
        would get into each other's way.

    Notes
    -----
    The block with most nodes stands in the middle, the others lean outwards at their joints.
    O(members² · turns), for the few members of a ring.
    """
    blocks = blocks_of(members, successors)
    if sum(len(block) > 2 for block in blocks) < 2:
        return None
    unit = _on_circles(members, blocks, successors)
    apart = np.hypot(*(unit[:, None, :] - unit[None, :, :]).transpose(2, 0, 1))
    if (apart + 9 * np.eye(len(unit))).min() < NEAREST:
        return None
    wide, tall = (sizes.max(axis=0) + gap).tolist()
    labelled = sizes[:, 0].max() > 1.5 * sizes[:, 1].max()
    stretch = np.array([max(1.0, wide / tall) if labelled else 1.0, 1.0])
    best, least = None, LARGEST * most
    for turn in range(TURNS):
        angle = 2 * np.pi * turn / TURNS
        cos, sin = np.cos(angle), np.sin(angle)
        places = (unit @ np.array([[cos, sin], [-sin, cos]])) * stretch
        places = places * max(_scale(places, sizes, gap), 0.9 * tall)
        room = float(np.prod(np.ptp(places, axis=0) + sizes.max(axis=0)))
        if room < least - 1e-9:
            best, least = places, room
    return best


def _on_circles(
    members: Sequence[int], blocks: list[list[int]], successors: dict[int, list[int]]
) -> Floats:
    """Place blocks as polygons with sides of length 1, the largest first."""
    of_node: dict[int, list[int]] = {}
    for number, block in enumerate(blocks):
        for node in block:
            of_node.setdefault(node, []).append(number)
    first = max(range(len(blocks)), key=lambda number: (len(blocks[number]), -number))
    place: dict[int, Floats] = {}
    queue = [(first, blocks[first][0], np.zeros(2), 0.0)]
    done = {first}
    for number, joint, at, towards in queue:  # the list grows while it is read
        inside = set(blocks[number])
        rest = [joint, *(node for node in blocks[number] if node != joint)]
        after = {node: [x for x in successors[node] if x in inside] for node in rest}
        ring = ring_order(rest, after)
        radius = 0.5 / np.sin(np.pi / len(ring))
        middle = at + radius * _way(towards)
        for step, node in enumerate(ring):
            angle = towards + np.pi - 2 * np.pi * step / len(ring)
            place.setdefault(node, middle + radius * _way(angle))
            out = [other for other in of_node[node] if other not in done]
            done.update(out)
            for k, other in enumerate(out):
                fan = (k - (len(out) - 1) / 2) * 2 * np.pi / (len(out) + 1)
                queue.append((other, node, place[node], angle + fan))
    return np.array([place[node] for node in members])


def _way(angle: float) -> Floats:
    return np.array([np.cos(angle), np.sin(angle)])


def _scale(places: Floats, sizes: Floats, gap: tuple[float, float]) -> float:
    """Return how much larger places must be so that no two boxes are nearer than the gap."""
    a, b = np.triu_indices(len(places), 1)
    apart = np.maximum(np.abs(places[a] - places[b]), 1e-9)
    need = (sizes[a] + sizes[b]) / 2 + np.array(gap)
    return float((need / apart).min(axis=1).max())
