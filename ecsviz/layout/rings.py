"""Rings: what is inside cyclic components, and their members on circles in the order of cycles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ecsviz.basics.order import COLLECTION, Bools, Ints, Order, levels
from ecsviz.layout.grid import Floats

if TYPE_CHECKING:
    from ecsviz.graph.dependency_graph import EntityDependencyGraph

MAX_IMPROVED: Final = 40
"""Up to how many members the order is improved, which is quadratic in them."""
_ROUNDS: Final = 4


def ring_order(members: Sequence[int], successors: dict[int, list[int]]) -> list[int]:
    """Return the members of a component in the order of a long cycle, as far as there is one.

    Parameters
    ----------
    members
        The nodes, the one to stand at the top first.
    successors
        For every member, the members that it leads to, in order.

    Returns
    -------
    list of int
        Starts with the first member. Where one cycle visits all, it is in its order.

    Notes
    -----
    A depth-first search gives long paths; up to 40 members, nodes are then moved to where their
    lines are shorter. O(members + references), or for small ones O(members² · references).

    Examples
    --------
    >>> ring_order([0, 1, 2, 3], {0: [2], 2: [1], 1: [3], 3: [0]})
    [0, 2, 1, 3]
    """
    order = _depth_first(members, successors)
    if 3 < len(order) <= MAX_IMPROVED:
        order = _improved(order, successors)
    start = order.index(members[0])
    return order[start:] + order[:start]


def _depth_first(members: Sequence[int], successors: dict[int, list[int]]) -> list[int]:
    order: list[int] = []
    seen: set[int] = set()
    for start in members:
        stack = [start]
        while stack:
            node = stack.pop()
            if node in seen:
                continue
            seen.add(node)
            order.append(node)
            stack.extend(other for other in reversed(successors[node]) if other not in seen)
    return order


def _improved(order: list[int], successors: dict[int, list[int]]) -> list[int]:
    """Move single nodes while that shortens the references, those onwards counting less."""
    n = len(order)
    number = {node: place for place, node in enumerate(order)}
    ends = np.array(
        [(number[a], number[b]) for a in order for b in successors[a] if a != b],
        dtype=np.int64,
    )
    here = np.arange(n)

    def cost(sequence: list[int]) -> float:
        place = np.empty(n, dtype=np.int64)
        place[sequence] = here
        step = (place[ends[:, 1]] - place[ends[:, 0]]) % n
        # One step onwards is what a cycle looks like; one step back is nearly as short.
        return float(np.where(step == 1, 0.0, np.minimum(step, n - step)).sum())

    best = list(range(n))
    least = cost(best)
    for _ in range(_ROUNDS):
        before = least
        for node in range(n):
            rest = [other for other in best if other != node]
            tried = [[*rest[:place], node, *rest[place:]] for place in range(1, n)]
            costs = [cost(sequence) for sequence in tried]
            place = int(np.argmin(costs))
            if costs[place] < least - 1e-9:
                best, least = tried[place], costs[place]
        if least >= before:
            break
    return [order[place] for place in best]


def ring_places(sizes: Floats, gap: tuple[float, float], *, aslant: bool = False) -> Floats:
    """Return the centres of boxes on a ring, clockwise from the top.

    Parameters
    ----------
    sizes
        Width and height of every box in the order of the ring, shape (members, 2).
    gap
        The least room between boxes beside and above each other.
    aslant
        Whether of two the lower one stands aside, so that what leads to it from above, or from
        the upper one down, passes by the other.

    Returns
    -------
    ndarray
        Shape (members, 2), around the origin.

    Notes
    -----
    Small marks stand at equal angles. Wide labels stand at equal heights on both sides of an
    ellipse: at equal angles those near the top would need a ring several times as large.

    Examples
    --------
    >>> ring_places(np.full((2, 2), 0.2), (0.4, 0.4)).round(2).tolist()
    [[0.0, 0.4], [0.0, -0.4]]
    """
    n = len(sizes)
    if n == 2:
        half = (sizes[:, 1].sum() / 2 + 1.5 * gap[1]) / 2
        # Beside boxes the names of fields have room too; marks need only let lines pass.
        labelled = sizes[:, 0].max() > 1.5 * sizes[:, 1].max()
        room = 2.2 * gap[0] if labelled else min(gap[0], float(sizes[:, 1].max()))
        aside = (sizes[:, 0].sum() / 2 + room) / 2 if aslant else 0.0
        return np.array([[0.0 - aside, half], [aside, -half]])
    angle = np.pi / 2 - 2 * np.pi * np.arange(n) / n
    unit = np.column_stack((np.cos(angle), np.sin(angle)))
    widest, highest = float(sizes[:, 0].max()), float(sizes[:, 1].max())
    if widest <= 1.5 * highest:
        return np.asarray(unit * max(0.5 * gap[0], (widest + gap[0]) / (2 * np.sin(np.pi / n))))
    levels = n // 2
    level = np.minimum(np.arange(n), n - np.arange(n))
    lowest = -1.0 if n % 2 == 0 else -np.cos(np.pi / n)
    y = 1 + (lowest - 1) * level / levels
    step = highest + gap[1] * (2.0 if n <= 4 else 1.2 if n <= 8 else 0.6)
    tall = max(step * levels / (1 - lowest), 0.9 * (highest + gap[1]))
    side = np.sqrt(np.maximum(0, 1 - y**2))
    x = np.sign(unit[:, 0].round(9)) * side
    paired = side > 1e-9
    opposite = (n - np.arange(n)) % n
    need = (sizes[:, 0] + sizes[opposite, 0]) / 2 + gap[0]
    wide = max(float((need[paired] / (2 * side[paired])).max()), 1.1 * tall)
    return np.column_stack((x * wide, y * tall))


HUB_SHARE: Final = 0.7
"""A hub is joined to at least this share of the other members of its component."""

HUB_EXCESS: Final = 1.8
"""And to so many times more than its members are on the average."""

SMALL: Final = 40
"""Up to so many members a component has one hub at the most."""


@dataclass(frozen=True, slots=True, eq=False)
class InnerOrder:
    """The inner order of components with several members.

    Attributes
    ----------
    pairs
        Which nodes of one component are joined, each pair once, shape (pairs, 2).
    hub
        Shape (nodes,): whether nearly all of the component hang on the node.
    level
        Shape (nodes,): 0 for hubs and what is saved first, then what waits for that.
    first_on_top
        Shape (components,): whether what is saved first stands at the top.
    """

    pairs: Ints
    hub: Bools
    level: Ints
    first_on_top: Bools


def look_inside(graph: EntityDependencyGraph) -> InnerOrder:
    """Return the inner order of all components.

    Notes
    -----
    Hubs (the thread of a chat) are left out when levels are found: else all would hang on one
    level, or every line would pass all rows. O(nodes + references · log references).
    """
    parts, found = graph.arrays, graph.ordering
    n, count = len(parts.nodes), len(found.cyclic)
    inside = found.in_cycle & (parts.sources != parts.targets)
    a, b = parts.sources[inside], parts.targets[inside]
    keys = np.unique(np.minimum(a, b) * n + np.maximum(a, b)) if n else a
    pairs = np.column_stack((keys // max(n, 1), keys % max(n, 1)))
    hub = _hubs(n, found, pairs)
    kept = inside & ~found.deferred & ~hub[parts.sources] & ~hub[parts.targets]
    level = levels(n, parts.sources[kept], parts.targets[kept])
    has_hub = np.zeros(count, dtype=bool)
    has_hub[found.component[hub]] = True
    level = np.where(hub, 0, level + has_hub[found.component])
    # A collection stands above what it collects; else most arrows are to point down.
    down = np.sign(level[b] - level[a])
    collecting = parts.kinds[inside] == COLLECTION
    owner = found.component[a]
    votes = np.bincount(owner, weights=down * collecting, minlength=count)
    others = np.bincount(owner, weights=down, minlength=count)
    return InnerOrder(pairs, hub, level, np.where(votes != 0, votes > 0, others > 0))


def _hubs(n: int, found: Order, pairs: Ints) -> Bools:
    component, count = found.component, len(found.cyclic)
    degree = np.bincount(pairs.ravel(), minlength=n)
    members = np.bincount(component, minlength=count)
    mean = 2 * np.bincount(component[pairs[:, 0]], minlength=count) / np.maximum(members, 1)
    least = np.maximum(HUB_SHARE * (members[component] - 1), HUB_EXCESS * mean[component])
    hub = (degree >= least) & (degree > 2)
    # In a small component only one: in a short chat, a much answered question looks like a hub.
    order = np.lexsort((np.argsort(found.sequence), -degree, component))
    first = order[np.concatenate(([True], np.diff(component[order]) != 0))] if n else order
    foremost = np.zeros(n, dtype=bool)
    foremost[first] = True
    return np.asarray(hub & (foremost | (members[component] > SMALL)))
