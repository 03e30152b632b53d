"""Branches side by side: which lane each message of a branched thread stands in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecsviz.basics.order import Bools, Ints


def depth_first(parents: Sequence[int]) -> list[int]:
    """Return nodes so that each stands after its parent, with all that hangs on it together.

    Parameters
    ----------
    parents
        Per node the number of its parent, or -1. Parents that run in circles are roots.

    Examples
    --------
    >>> depth_first([-1, 0, 0, 1])
    [0, 1, 3, 2]
    """
    children = _children(parents)
    order: list[int] = []
    seen = [False] * len(parents)
    roots = [node for node, parent in enumerate(parents) if parent < 0]
    for start in [*roots, *range(len(parents))]:  # the latter: circles, which no root leads to
        stack = [start]
        while stack:
            node = stack.pop()
            if seen[node]:
                continue
            seen[node] = True
            order.append(node)
            stack.extend(reversed(children[node]))
    return order


def _children(parents: Sequence[int]) -> list[list[int]]:
    children: list[list[int]] = [[] for _ in parents]
    for node, parent in enumerate(parents):
        if parent >= 0:
            children[parent].append(node)
    return children


def lanes_of(parents: Sequence[int]) -> Ints:
    """Return the lane of every node: the longest branch goes on straight, others turn aside.

    Parameters
    ----------
    parents
        Per node the number of its parent, or -1; nodes are numbered in the order in which they
        stand one after the other.

    Returns
    -------
    ndarray
        Shape (nodes,), from 0. A lane is used again when its branch has ended.

    Notes
    -----
    O(nodes + branches · lanes), not recursive.

    Examples
    --------
    >>> lanes_of([-1, 0, 0, 1, 3]).tolist()
    [0, 0, 1, 0, 0]
    """
    found = _branches(parents)
    return _given(found.heads, found.parent, found.straight)


@dataclass(frozen=True, slots=True, eq=False)
class Folded:
    """The branches that are shown, and what is folded away.

    Attributes
    ----------
    shown
        Shape (nodes,): whether a node is in a branch that is shown.
    branches
        Shape (nodes,): how many branches that are not shown hang on a node that is.
    """

    shown: Bools
    branches: Ints


def fold_branches(
    parents: Sequence[int], limit: int, wanted: Ints | None = None, *, enough: int = 0
) -> Folded:
    """Keep the longest branches, and tell how many others hang on what they leave.

    Parameters
    ----------
    parents
        Per node the number of its parent, or -1.
    limit
        How many branches are kept.
    wanted
        Nodes whose branches, with all that lead to them, are kept whatever their length.
    enough
        Of equally long branches all or none are kept, as long as so many nodes are left.

    Notes
    -----
    A branch is never longer than the one that it leaves, so what is kept hangs together.
    O(nodes + branches log branches), not recursive.

    Examples
    --------
    >>> folded = fold_branches([-1, 0, 0, 0, 1], 2)
    >>> folded.shown.tolist(), folded.branches.tolist()
    ([True, True, False, False, True], [2, 0, 0, 0, 0])
    """
    found = _branches(parents)
    n = len(found.parent)
    head = list(range(n))
    for node in found.order:
        if found.parent[node] >= 0 and found.straight[found.parent[node]] == node:
            head[node] = head[found.parent[node]]
    ranked = sorted(found.heads, key=lambda node: (-found.length[node], node))
    kept = set(ranked[:limit])
    if len(ranked) > limit > 0:
        longer = [node for node in kept if found.length[node] > found.length[ranked[limit]]]
        if longer and sum(found.length[node] for node in longer) >= enough:
            kept = set(longer)
    for number in [] if wanted is None else wanted.tolist():
        node = number
        while node >= 0 and head[node] not in kept:
            kept.add(head[node])
            node = found.parent[head[node]]
    shown = np.array([head[node] in kept for node in range(n)], dtype=bool)
    branches = np.zeros(n, dtype=np.int64)
    holder = list(range(n))  # the node that is shown and to which one leads back
    for node in found.order:
        if not shown[node] and found.parent[node] >= 0:
            holder[node] = holder[found.parent[node]]
            if found.straight[node] < 0 and shown[holder[node]]:
                branches[holder[node]] += 1
    return Folded(shown, branches)


@dataclass(frozen=True, slots=True, eq=False)
class _Branches:
    """Per node its parent, the child that goes straight on, and how far that leads."""

    order: list[int]
    parent: list[int]
    straight: list[int]
    length: list[int]
    heads: list[int]


def _branches(parents: Sequence[int]) -> _Branches:
    n = len(parents)
    children, order = _children(parents), depth_first(parents)
    place = [0] * n
    for number, node in enumerate(order):
        place[node] = number
    # A parent that stands later in the order closes a circle: it is no parent here.
    parent = [p if p >= 0 and place[p] < place[node] else -1 for node, p in enumerate(parents)]
    length = [1] * n
    for node in reversed(order):
        if parent[node] >= 0:
            length[parent[node]] = max(length[parent[node]], length[node] + 1)
    straight = [-1] * n
    for node in range(n):
        own = [child for child in children[node] if parent[child] == node]
        if own:
            straight[node] = max(own, key=lambda child: (length[child], -child))
    heads = [node for node in range(n) if parent[node] < 0 or straight[parent[node]] != node]
    return _Branches(order, parent, straight, length, heads)


def _given(heads: list[int], parent: list[int], straight: list[int]) -> Ints:
    """Give every branch the free lane that is nearest to the one that it leaves."""
    n = len(parent)
    lane = np.zeros(n, dtype=np.int64)
    until = np.zeros(0, dtype=np.int64)
    # Branches in the order in which they begin, so that what they leave has its lane.
    for head in sorted(heads, key=lambda node: (node if parent[node] < 0 else parent[node], node)):
        branch = [head]
        while straight[branch[-1]] >= 0:
            branch.append(straight[branch[-1]])
        start = parent[head] if parent[head] >= 0 else head
        beside = int(lane[parent[head]]) if parent[head] >= 0 else -1
        free = np.flatnonzero(until < start)
        free = free[free != beside]
        if len(free):
            chosen = int(free[np.argmin(np.abs(free - beside))])
        else:
            chosen = len(until)
            until = np.append(until, 0)
        until[chosen] = max(branch)
        lane[branch] = chosen
    return lane
