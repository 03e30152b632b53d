"""The elementary cycles of a directed graph of integers, shortest first.

Nothing here knows entities; nothing recurses.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from ecsviz.basics.order import Ints, distinct

MIN_SPLITS = 200_000
"""How many edges may be looked at to take blocks apart in any case: some 0.2 s."""


class CycleSearch:
    """The elementary cycles of a graph, shortest first, one at a time.

    Parameters
    ----------
    nodes
        The nodes to search, in the order in which cycles are told; each cycle starts with the
        first of its nodes.
    sources, targets
        The edges between them, shape (edges,); parallel ones count once.
    deadline
        A ``time.monotonic()`` time at which the search gives up.

    Notes
    -----
    Loops and pairs are read off the edges, all at once. A longer cycle stays within one
    biconnected block (Hopcroft and Tarjan 1973), so that stars, chains and trees with links both
    ways need no search at all. The node with most edges of a block is the start of all cycles
    through it; without it, the block falls into smaller ones. Where it hardly does, its nodes
    become starts one after the other, each of the cycles in which no earlier one stands. From a
    start, paths are extended only as far as the way back to it is short enough for the length
    that is looked for; the shortest that was cut off is the next length (iterative deepening,
    Korf 1985). Elementary cycles can be exponentially many: bound what is taken.

    Examples
    --------
    A ring 0 → 1 → 2 → 3 → 0 with two chords, 1 → 0 and 2 → 0. The pair 0, 1 is read off the edges.
    All four nodes are one block; 0 has most edges and is the start. The shortest way back to 0 is
    0 edges from 0, 1 from 1, 2 and 3: with length 3 the path 0, 1, 2 closes, and at 2 the way by
    3 is cut off, as it takes 4 edges in all: that is the next length. With 0 taken out, no block
    of three nodes is left.

    >>> sources, targets = np.array([0, 1, 2, 3, 1, 2]), np.array([1, 2, 3, 0, 0, 0])
    >>> list(CycleSearch(range(4), sources, targets, time.monotonic() + 9))
    [[0, 1], [0, 1, 2], [0, 1, 2, 3]]
    """

    def __init__(
        self, nodes: Sequence[int] | Ints, sources: Ints, targets: Ints, deadline: float
    ) -> None:
        self.nodes = np.asarray(nodes, dtype=np.int64)
        self.deadline = deadline
        self.timed_out = False
        self._steps = 0
        self._numbers = 0
        # Inside, a node is its place in `nodes`, and an edge one number.
        n = len(self.nodes)
        place = np.zeros(self.nodes.max(initial=-1) + 1, dtype=np.int64)
        place[self.nodes] = np.arange(n)
        ends = distinct(place[sources] * n + place[targets])
        self._sources, self._targets = ends // max(n, 1), ends % max(n, 1)
        # (length, number, start, block): a start of -1 asks to take the block apart.
        self._heap: list[tuple[int, int, int, _Block]] = []
        self._to_spend = max(MIN_SPLITS, 4 * len(ends))

    @cached_property
    def successors(self) -> list[set[int]]:
        """For every node, the set of nodes that it leads to."""
        result: list[set[int]] = [set() for _ in self.nodes]
        for source, target in zip(self._sources.tolist(), self._targets.tolist(), strict=True):
            result[source].add(target)
        return result

    def __iter__(self) -> Iterator[list[int]]:
        for cycle in self._cycles():
            yield self.nodes[cycle].tolist()

    def _cycles(self) -> Iterator[list[int]]:
        yield from _some_at_a_time(self._sources[self._sources == self._targets])
        yield from _some_at_a_time(*self._pairs())
        self._add_blocks(list(range(len(self.nodes))))
        while self._heap and not self._late():
            length, number, start, block = heapq.heappop(self._heap)
            if start < 0:
                self._split(block)
                continue
            search = _FromStart(self, block, start, length)
            yield from map(_from_first, search)
            if search.longer is not None:
                heapq.heappush(self._heap, (search.longer, number, start, block))

    def _add_blocks(self, nodes: list[int]) -> None:
        for members in self._blocks(nodes):
            block = _Block(members, self.successors)
            self._add(0, block)
            self._add(-1, block)

    def _add(self, start: int, block: _Block) -> None:
        self._numbers += 1
        heapq.heappush(self._heap, (3, self._numbers, start, block))

    def _split(self, block: _Block) -> None:
        """Go on to the cycles that do not pass through the first node of a block."""
        self._to_spend -= block.edges
        if self._to_spend > 0:
            self._add_blocks(block.nodes[1:])
        else:
            for start in range(1, len(block.nodes)):
                self._add(start, block)

    def _pairs(self) -> tuple[Ints, Ints]:
        n, up = len(self.nodes), self._sources < self._targets
        back = self._sources > self._targets
        there = self._sources[up] * n + self._targets[up]
        and_back = self._targets[back] * n + self._sources[back]
        both = np.intersect1d(there, and_back, assume_unique=True)
        return both // max(n, 1), both % max(n, 1)

    def _late(self) -> bool:
        self.timed_out = self.timed_out or time.monotonic() > self.deadline
        return self.timed_out

    def tick(self) -> bool:
        """Tell now and then whether it is too late; a look at the clock costs like a step."""
        self._steps += 1
        return self._steps % 1024 == 0 and self._late()

    def _blocks(self, nodes: list[int]) -> Iterator[list[int]]:
        """Yield the biconnected blocks of at least three nodes, whatever way edges point."""
        beside: dict[int, set[int]] = {node: set() for node in nodes}
        for node in nodes:
            for other in self.successors[node]:
                if other in beside:
                    beside[node].add(other)
                    beside[other].add(node)
        number: dict[int, int] = {}
        for root in nodes:
            if root not in number:
                yield from self._blocks_from(root, beside, number)

    def _blocks_from(
        self, root: int, beside: dict[int, set[int]], number: dict[int, int]
    ) -> Iterator[list[int]]:
        number[root] = len(number)
        low = {root: number[root]}
        trail = [root]
        stack = [(root, root, iter(beside[root]))]
        while stack and not self.tick():
            node, parent, others = stack[-1]
            for other in others:
                if other not in number:
                    number[other] = low[other] = len(number)
                    trail.append(other)
                    stack.append((other, node, iter(beside[other])))
                    break
                if other != parent:
                    low[node] = min(low[node], number[other])
            else:
                stack.pop()
                low[parent] = min(low[parent], low[node])
                if node != root and low[node] >= number[parent]:
                    block = [parent]
                    while block[-1] != node:
                        block.append(trail.pop())
                    if len(block) > 2:
                        yield block


def _some_at_a_time(*columns: Ints, step: int = 1024) -> Iterator[list[int]]:
    """Yield the rows; who takes one of a million does not wait for the lists of all."""
    for start in range(0, len(columns[0]), step):
        yield from map(list, zip(*(c[start : start + step].tolist() for c in columns), strict=True))


def _from_first(cycle: list[int]) -> list[int]:
    first = cycle.index(min(cycle))
    return cycle[first:] + cycle[:first]


class _Block:
    """A part of a graph in which longer cycles can be, its nodes numbered anew."""

    def __init__(self, members: list[int], successors: list[set[int]]) -> None:
        inside = set(members)
        after = {
            node: [other for other in successors[node] if other in inside and other != node]
            for node in members
        }
        degree = {node: len(others) for node, others in after.items()}
        for leads_to in after.values():
            for other in leads_to:
                degree[other] += 1
        self.edges = sum(map(len, after.values()))
        self.nodes = sorted(members, key=lambda node: (-degree[node], node))
        number = {node: position for position, node in enumerate(self.nodes)}
        self.after = [sorted(number[other] for other in after[node]) for node in self.nodes]
        self.before: list[list[int]] = [[] for _ in self.nodes]
        for node, others in enumerate(self.after):
            for other in others:
                self.before[other].append(node)


class _FromStart:
    """The cycles of one length through one node of a block, and through later ones only.

    Attributes
    ----------
    longer
        After the iteration: the least length that another cycle from here can have, or None.
    """

    def __init__(self, search: CycleSearch, block: _Block, start: int, length: int) -> None:
        self.search = search
        self.block = block
        self.start = start
        self.length = length
        self.longer: int | None = None
        # Near at first, since most starts have nothing to tell; then twice as far every time.
        self.horizon = length if length == 3 else 2 * length
        self.ways, self.whole = self._ways_back()

    def _ways_back(self) -> tuple[dict[int, int], bool]:
        """Return how far nodes are from the start, and whether that is all of them."""
        ways = {self.start: 0}
        layer = [self.start]
        for distance in range(1, self.horizon + 1):
            further: list[int] = []
            for target in layer:
                for node in self.block.before[target]:
                    if node > self.start and node not in ways:
                        ways[node] = distance
                        further.append(node)
            if not further:
                return ways, True
            layer = further
        return ways, False

    def __iter__(self) -> Iterator[list[int]]:
        path, on_path = [self.start], {self.start}
        stack = [self._next(1, self.start)]
        while stack:
            if self.search.tick():
                return
            node = next(stack[-1], None)
            if node is None:
                stack.pop()
                on_path.discard(path.pop())
            elif node not in on_path:
                path.append(node)
                on_path.add(node)
                if len(path) == self.length and self.ways[node] == 1:
                    yield [self.block.nodes[step] for step in path]
                stack.append(self._next(len(path), node))

    def _next(self, taken: int, node: int) -> Iterator[int]:
        """Yield the nodes after `node` by which a cycle can still be short enough."""
        for other in self.block.after[node]:
            if other <= self.start:
                continue
            way = self.ways.get(other)
            if way is None:
                if self.whole:
                    continue
                way = self.horizon + 1
            if taken + way <= self.length:
                yield other
            elif self.longer is None or taken + way < self.longer:
                self.longer = taken + way
