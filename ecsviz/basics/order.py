"""Components, generations and order of a directed graph of integers.

Nodes are ``0 … n-1``, an edge is one position in two arrays (``sources[k] → targets[k]``: the
source depends on the target). Nothing here knows entities; nothing recurses.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

COLLECTION: Final = 0
"""An edge out of a list, set or dict: stored after both ends exist, at no cost."""
NULLABLE: Final = 1
"""An edge that may be empty for a moment: deferring it costs an update."""
REQUIRED: Final = 2
"""An edge that must be there from the first: deferring it needs a deferrable constraint."""


FEW: Final = 5_000
"""Up to how many nodes and edges components are found without scipy, whose import takes longer."""


def strong_components(n: int, sources: Ints, targets: Ints) -> Ints:
    """Return the number of the strongly connected component of every node.

    Parameters
    ----------
    n
        How many nodes.
    sources, targets
        The edges, shape (edges,).

    Returns
    -------
    ndarray
        Shape (n,). Numbers say only which nodes stand together.

    Notes
    -----
    Pearce (2005), iterative, O(n + edges): our own up to `FEW`, otherwise
    ``scipy.sparse.csgraph.connected_components``.

    Examples
    --------
    >>> labels = strong_components(3, np.array([0, 1, 2]), np.array([1, 0, 0]))
    >>> bool(labels[0] == labels[1]), bool(labels[0] == labels[2])
    (True, False)
    """
    if n + len(sources) <= FEW:
        return np.array(_components_of_few(n, sources, targets), dtype=np.int64)
    # Here and not above: scipy takes as long to import as all else together.
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    # Repeated edges add up, and may wrap round to 0: a 0 that is stored is an edge too.
    ones = np.ones(len(sources), dtype=np.int8)
    matrix = csr_array((ones, (sources, targets)), shape=(n, n))
    # Of scipy's own type, which it would make of them, and of no size.
    same = np.broadcast_to(np.float64(1), matrix.nnz)
    matrix = csr_array((same, matrix.indices, matrix.indptr), shape=(n, n))
    _, labels = connected_components(matrix, directed=True, connection="strong")
    return labels.astype(np.int64)


def _components_of_few(n: int, sources: Ints, targets: Ints) -> list[int]:
    by_source = np.argsort(sources, kind="stable")
    ends: list[int] = targets[by_source].tolist()
    starts: list[int] = [0, *np.cumsum(np.bincount(sources, minlength=n)).tolist()]
    following = starts[:-1]
    # 0 for what was not met; then the first that is reached, by when it was met; then n + 1 and
    # more, which is behind all that was met, once the component is known.
    reached, root = [0] * n, [True] * n
    met, known = 0, n
    rest: list[int] = []
    for start in range(n):
        path = [] if reached[start] else [start]
        while path:
            node = path[-1]
            if not reached[node]:
                met += 1
                reached[node] = met
            if following[node] < starts[node + 1]:
                other = ends[following[node]]
                if not reached[other]:
                    path.append(other)  # and then this reference once more
                    continue
                following[node] += 1
                if reached[other] < reached[node]:
                    reached[node], root[node] = reached[other], False
                continue
            path.pop()
            if root[node]:
                known += 1
                while rest and reached[rest[-1]] >= reached[node]:
                    reached[rest.pop()] = known
                reached[node] = known
            else:
                rest.append(node)
    return [number - n - 1 for number in reached]


def levels(n: int, sources: Ints, targets: Ints) -> Ints:
    """Return, for an acyclic graph, the length of the longest path out of every node.

    Returns
    -------
    ndarray
        Shape (n,): 0 for nodes that depend on nothing, then 1 + the highest dependency.

    Raises
    ------
    ValueError
        If there is a cycle.

    Notes
    -----
    Kahn's algorithm (1962), O(n + edges). Whole layers at a time while they are wide, node by
    node where the graph is a long chain: a layer costs some 30 µs, a node 1 µs.
    """
    result = np.zeros(n, dtype=np.int64)
    waiting = np.bincount(sources, minlength=n)
    by_target = np.argsort(targets, kind="stable")
    holders = sources[by_target]
    starts = np.concatenate(([0], np.cumsum(np.bincount(targets, minlength=n))))
    layer = np.flatnonzero(waiting == 0)
    done, level = 0, 0
    while len(layer) > 32 or (len(layer) and level < 32):
        done += len(layer)
        level += 1
        counts = starts[layer + 1] - starts[layer]
        offsets = np.repeat(starts[layer] - np.cumsum(counts) + counts, counts)
        above = holders[offsets + np.arange(len(offsets))]
        np.subtract.at(waiting, above, 1)
        layer = distinct(above[waiting[above] == 0])
        result[layer] = level
    if len(layer):
        done += _levels_one_by_one(result, waiting, holders, starts, layer)
    if done != n:
        raise ValueError("the graph has a cycle")
    return result


def _levels_one_by_one(
    result: Ints, waiting: Ints, holders: Ints, starts: Ints, layer: Ints
) -> int:
    queue: list[int] = layer.tolist()
    level, left = result.tolist(), waiting.tolist()
    above, start = holders.tolist(), starts.tolist()
    for node in queue:  # the list grows while it is read
        upper = level[node] + 1
        for holder in above[start[node] : start[node + 1]]:
            left[holder] -= 1
            if left[holder] == 0:  # its last dependency, and so its highest: levels come in order
                level[holder] = upper
                queue.append(holder)
    result[:] = level
    return len(queue)


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """The topological order of a graph, cycles included.

    Attributes
    ----------
    component
        Shape (n,): the component of every node, numbered in topological order.
    generation
        Shape (n,): 0 for what depends on nothing outside its component.
    sequence
        Shape (n,): the nodes, dependencies first; a component stands together.
    cyclic
        Shape (components,): whether a component has several nodes or an edge to itself.
    in_cycle
        Shape (edges,): whether both ends are in one component.
    deferred
        Shape (edges,): whether the edge leads to a node at or after its source in `sequence`.
    """

    component: Ints
    generation: Ints
    sequence: Ints
    cyclic: Bools
    in_cycle: Bools
    deferred: Bools


def topological_order(n: int, sources: Ints, targets: Ints, rank: Ints, kind: Ints) -> Order:
    """Return the components in topological order, and an order within each.

    Parameters
    ----------
    n
        How many nodes.
    sources, targets
        The edges, shape (edges,).
    rank
        Shape (n,), a permutation: decides between nodes that could stand in any order, so that
        the result does not depend on the order of nodes or edges.
    kind
        Shape (edges,): `COLLECTION`, `NULLABLE` or `REQUIRED`; inside a component, edges that
        cost little are the first to be deferred.

    Notes
    -----
    Components are ordered by generation, then by the lowest rank of their members. Within one,
    edges out of collections count only if there are no others; what is cyclic even then is
    ordered greedily (the node with the fewest unmet dependencies first), a heuristic for the
    minimum feedback arc set, which is NP-hard. O((n + edges) log n).

    Examples
    --------
    A thread, 0, and its messages 1 and 2, of which 2 answers 1. All three are one component: the
    thread lists both messages (edges 0 and 1), each names its thread (2 and 3), and 2 its parent
    (4). Edges out of the list are left aside, as they cost nothing; without them, 1 needs 0, and
    2 needs 0 and 1: the order is 0, 1, 2, and what leads to a later node, the list, is deferred.

    >>> sources, targets = np.array([0, 0, 1, 2, 2]), np.array([1, 2, 0, 0, 1])
    >>> kind = np.array([COLLECTION, COLLECTION, REQUIRED, REQUIRED, NULLABLE])
    >>> found = topological_order(3, sources, targets, np.arange(3), kind)
    >>> found.component.tolist(), found.sequence.tolist(), found.deferred.tolist()
    ([0, 0, 0], [0, 1, 2], [True, True, False, False, False])
    """
    labels = strong_components(n, sources, targets)
    component, generation = _ordered_components(n, labels, sources, targets, rank)
    count = int(component.max()) + 1 if n else 0
    in_cycle = component[sources] == component[targets]
    sizes = np.bincount(component, minlength=count)
    cyclic = sizes > 1
    cyclic[component[sources[in_cycle]]] = True
    inner = _order_within(n, sources, targets, rank, kind, component, in_cycle, cyclic)
    sequence = np.lexsort((rank, inner, component))
    position = np.empty(n, dtype=np.int64)
    position[sequence] = np.arange(n)
    deferred = in_cycle & (position[targets] >= position[sources])
    return Order(component, generation, sequence, cyclic, in_cycle, deferred)


def _ordered_components(
    n: int, labels: Ints, sources: Ints, targets: Ints, rank: Ints
) -> tuple[Ints, Ints]:
    """Renumber components in topological order; also return every node's generation."""
    if n == 0:
        return labels, labels
    count = int(labels.max()) + 1
    a, b = labels[sources], labels[targets]
    between = a != b
    pairs = distinct(a[between] * count + b[between])
    level = levels(count, pairs // count, pairs % count)
    lowest = np.full(count, n, dtype=np.int64)
    np.minimum.at(lowest, labels, rank)
    order = np.lexsort((lowest, level))
    number = np.empty(count, dtype=np.int64)
    number[order] = np.arange(count)
    return number[labels], level[labels]


def _order_within(
    n: int,
    sources: Ints,
    targets: Ints,
    rank: Ints,
    kind: Ints,
    component: Ints,
    in_cycle: Bools,
    cyclic: Bools,
) -> Ints:
    """Return a sort key for the nodes of each component."""
    inner = np.zeros(n, dtype=np.int64)
    inside = np.flatnonzero(in_cycle & (sources != targets))
    if not len(inside):
        return inner
    # Where a component has other edges, those out of collections do not count.
    firm = np.zeros(len(cyclic), dtype=bool)
    firm[component[sources[inside[kind[inside] > COLLECTION]]]] = True
    counted = inside[(kind[inside] > COLLECTION) | ~firm[component[sources[inside]]]]
    a, b = sources[counted], targets[counted]
    labels = strong_components(n, a, b)
    part, _ = _ordered_components(n, labels, a, b, rank)
    still = part[a] == part[b]
    if still.any():
        cost = _cost(n, a[still], b[still], kind[counted[still]])
        return part * (n + 1) + _place_within(n, part, a[still], b[still], cost, rank)
    return part


_COSTS = 4


def _cost(n: int, sources: Ints, targets: Ints, kind: Ints) -> Ints:
    """Return what it costs to defer each edge: 0 is the dearest, shape (edges,).

    Required edges that close no cycle of required ones need never be deferred. As they have no
    cycle, there is always a node without an unmet one.
    """
    required = kind == REQUIRED
    labels = strong_components(n, sources[required], targets[required])
    never = required & (labels[sources] != labels[targets])
    return np.where(never, 0, 1 + REQUIRED - kind)


def _place_within(n: int, part: Ints, sources: Ints, targets: Ints, cost: Ints, rank: Ints) -> Ints:
    """Return the place of every node within its cyclic part, shape (n,).

    Notes
    -----
    Most cycles come apart where one node is taken out (a ring, whatever its length, or a thread
    with its messages): the node that `_greedy` would place first stands first, and the others
    follow in topological order, all parts at once. Only what is still cyclic then is left to
    `_greedy`, which looks at nodes one by one.
    """
    place = np.zeros(n, dtype=np.int64)
    first = np.zeros(n, dtype=bool)
    first[_first_of_parts(n, part, sources, targets, cost, rank)] = True
    left = ~(first[sources] | first[targets])
    labels = strong_components(n, sources[left], targets[left])
    tangled = np.bincount(labels, minlength=n)[labels] > 1
    is_tangled = np.zeros(int(part.max()) + 1, dtype=bool)
    is_tangled[part[tangled]] = True
    by_hand = is_tangled[part[sources]]
    easy = left & ~by_hand
    level = levels(n, sources[easy], targets[easy]) + 1
    level[first] = 0
    place[np.lexsort((rank, level))] = np.arange(n)
    if by_hand.any():
        within = _greedy(sources[by_hand], targets[by_hand], cost[by_hand], rank)
        place[within] = np.arange(len(within))
    return place


def _first_of_parts(
    n: int, part: Ints, sources: Ints, targets: Ints, cost: Ints, rank: Ints
) -> Ints:
    """Return of every cyclic part the node that stands best at its front, as `_Waiting` says."""
    nodes = distinct(np.concatenate((sources, targets)))
    unmet = [np.bincount(sources[cost == c], minlength=n)[nodes] for c in range(_COSTS)]
    holding = [np.bincount(targets[cost == c], minlength=n)[nodes] for c in range(_COSTS)]
    keys = (unmet[3] - holding[3], unmet[2] - holding[2], unmet[1], unmet[0], part[nodes])
    order = np.lexsort((rank[nodes], *keys))
    ordered = part[nodes][order]
    begins = np.ones(len(ordered), dtype=bool)
    begins[1:] = ordered[1:] != ordered[:-1]
    found: Ints = nodes[order[begins]]
    return found


def _greedy(sources: Ints, targets: Ints, cost: Ints, rank: Ints) -> Ints:
    """Order nodes so that few edges, and few dear ones, lead to a later node.

    Nodes that depend on nothing any more go to the front, nodes that nothing depends on any more
    to the back. Where there are neither, the node with the fewest unmet required dependencies
    goes to the front, and of those the one that meets more than it leaves unmet (Eades, Lin and
    Smyth 1993).
    """
    nodes = distinct(np.concatenate((sources, targets)))
    nodes = nodes[np.argsort(rank[nodes])]  # the lower a number, the lower the rank
    number = np.empty(len(rank), dtype=np.int64)
    number[nodes] = np.arange(len(nodes))
    places = _Waiting(len(nodes), number[sources], number[targets], cost)
    front: list[int] = []
    back: list[int] = []
    for node, at_the_back in places:
        (back if at_the_back else front).append(node)
    return nodes[front + back[::-1]]


class _Waiting:
    """The nodes that `_greedy` has still to place, best first.

    Notes
    -----
    How well a node would stand next is one integer, its digits in a base that no count reaches:
    unmet dependencies by cost, the dearest first, of the cheaper costs less the holders that it
    would meet; last the node itself. So a neighbour that is placed is one addition, and integers
    are compared four times faster than tuples.
    """

    def __init__(self, n: int, sources: Ints, targets: Ints, cost: Ints) -> None:
        self.n = n
        base = 2 * len(sources) + 1
        self.weights = [n * base ** (_COSTS - 1 - c) for c in range(_COSTS)]
        # Of the two dear costs only unmet dependencies count.
        gains = [0, 0, *self.weights[2:]]
        self.unmet: list[int] = np.bincount(sources, minlength=n).tolist()
        self.holding: list[int] = np.bincount(targets, minlength=n).tolist()
        self.above = self._edges(targets, sources, cost, self.weights)
        self.below = self._edges(sources, targets, cost, gains)
        self.keys = [node + sum(gains) * len(sources) for node in range(n)]
        for c in range(_COSTS):
            self._add(np.bincount(sources[cost == c], minlength=n), self.weights[c])
            self._add(np.bincount(targets[cost == c], minlength=n), -gains[c])
        for node in range(n):
            if not self.unmet[node] or not self.holding[node]:
                self.keys[node] = node - n

    def _add(self, counts: Ints, weight: int) -> None:
        if weight and counts.any():
            self.keys = [
                key + count * weight for key, count in zip(self.keys, counts.tolist(), strict=True)
            ]

    def _edges(
        self, ends: Ints, others: Ints, cost: Ints, weights: list[int]
    ) -> tuple[list[int], list[int], list[int]]:
        """Return by one end where its edges begin, and of each edge the other end and weight."""
        order = np.argsort(ends, kind="stable")
        starts = np.concatenate(([0], np.cumsum(np.bincount(ends, minlength=self.n))))
        weight = [weights[c] for c in cost[order].tolist()]
        return starts.tolist(), others[order].tolist(), weight

    def __iter__(self) -> Iterator[tuple[int, bool]]:
        """Yield each node, and whether it belongs to the back."""
        keys, n, unmet, holding = self.keys, self.n, self.unmet, self.holding
        heap = sorted(keys)
        left = bytearray(b"\1" * n)
        starts, holders, weights = self.above
        starts_below, held, gains = self.below
        while heap:
            key = heapq.heappop(heap)
            node = key % n
            if not left[node]:
                continue
            if key != keys[node]:  # it has become worse since: that is looked at only here
                heapq.heappush(heap, keys[node])
                continue
            left[node] = 0
            yield node, not holding[node] and unmet[node] > 0
            for edge in range(starts[node], starts[node + 1]):
                other = holders[edge]
                if left[other]:
                    unmet[other] -= 1
                    if keys[other] >= 0:
                        keys[other] = keys[other] - weights[edge] if unmet[other] else other - n
                        heapq.heappush(heap, keys[other])
            for edge in range(starts_below[node], starts_below[node + 1]):
                other = held[edge]
                if left[other]:
                    holding[other] -= 1
                    if keys[other] >= 0:
                        keys[other] += gains[edge]
                        if not holding[other]:
                            keys[other] = other - n
                            heapq.heappush(heap, keys[other])


def group(keys: Ints, values: Ints) -> Callable[[int], Any]:
    """Return a function that gives all `values` of one key, in their order.

    Parameters
    ----------
    keys
        Shape (n,), not negative.
    values
        Shape (n,).

    Notes
    -----
    O(n log n) once, then O(1) a key.

    Examples
    --------
    >>> of = group(np.array([1, 0, 1]), np.array([5, 6, 7]))
    >>> of(1).tolist(), of(2).tolist()
    ([5, 7], [])
    """
    taken = values[np.argsort(keys, kind="stable")]
    ends: list[int] = np.cumsum(np.bincount(keys)).tolist()

    def of(key: int) -> Any:
        if key >= len(ends):
            return taken[:0]
        return taken[ends[key - 1] if key else 0 : ends[key]]

    return of


def distinct(numbers: Ints) -> Ints:
    """Return the different numbers, rising.

    Notes
    -----
    By sorting: ``np.unique`` looks them up in a hash table first, which takes five times as long.
    A stable sort (Timsort) makes use of runs, which numbers here mostly have.

    Examples
    --------
    >>> distinct(np.array([3, 1, 3])).tolist()
    [1, 3]
    """
    ordered: Ints = np.sort(numbers, kind="stable")
    first = np.ones(len(ordered), dtype=bool)
    first[1:] = ordered[1:] != ordered[:-1]
    found: Ints = ordered[first]
    return found


def split(numbers: Any, count: int) -> list[Ints]:
    """Return for each number from 0 to `count` the places where it stands, rising.

    Examples
    --------
    >>> [places.tolist() for places in split(np.array([1, 0, 1]), 3)]
    [[1], [0, 2], []]
    """
    # Small integers are sorted by radix, in linear time.
    small = numbers.astype(np.uint16) if count < 2**16 else numbers
    order: Ints = np.argsort(small, kind="stable")
    ends = np.cumsum(np.bincount(numbers, minlength=count)) if len(numbers) else [0] * count
    return np.split(order, ends[:-1]) if count else []
