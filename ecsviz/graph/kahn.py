"""The topological order step by step: Kahn's algorithm, plain.

It gives the same answer as the fast one (``basics/order.py``), and is written to be read, for
graphs of which one can see every node. Nothing recurses.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from ecsviz.basics.order import COLLECTION, REQUIRED
from ecsviz.basics.text import counted, plural
from ecsviz.graph.tarjan import components_of
from ecsviz.graph.walkthrough import (
    DONE,
    NOW,
    READY,
    WAITING,
    Choice,
    Ground,
    Script,
    Steps,
    WalkStep,
)

ORDER: Final = Script(
    "Topological order (Kahn)",
    (
        "join what holds each other to one group",
        "waiting[g] = groups on which g depends",
        "ready = groups that wait for nothing",
        "while ready is not empty:",
        "    take the first of the lowest generation",
        "    several members? defer what leads to a later one",
        "    whoever waited for it waits no more",
    ),
    {"waiting": WAITING, "ready": READY, "taken now": NOW, "in the output": DONE},
)


def order_steps(ground: Ground) -> Steps:
    """Put nodes in topological order, dependencies first; see ``topological_order``."""
    groups = components_of(ground.order, ground.after)
    of = {node: number for number, members in enumerate(groups) for node in members}
    needs = [
        {of[w] for v in members for w in ground.after[v]} - {group}
        for group, members in enumerate(groups)
    ]
    return (yield from _Order(ground, groups, needs).steps())


class _Order:
    """Kahn's algorithm on groups, and what it holds."""

    def __init__(self, ground: Ground, groups: list[list[int]], needs: list[set[int]]) -> None:
        self.ground, self.groups, self.lowest = ground, groups, _lowest(groups, ground)
        self.waiting = [set(others) for others in needs]
        self.holders = _turned(needs)
        self.ready: list[tuple[int, int, int]] = []  # generation, rank, group
        self.output: list[int] = []
        self.deferred: list[str] = []
        self.now: list[int] = []

    def steps(self) -> Steps:
        several = [members for members in self.groups if len(members) > 1]
        joined = "; ".join("{" + self.ground.say(members) + "}" for members in several[:3])
        told = f"These hold each other: {joined}." if several else "None hold each other."
        count = len(self.groups)
        yield self._step(1, f"{count:,} {plural(count, 'group')}. {told}")
        for group, others in enumerate(self.waiting):
            if not others:
                heapq.heappush(self.ready, (0, self.lowest[group], group))
        yield self._step(3, f"Ready are those that depend on nothing: {self._names(self.ready)}.")
        while self.ready:
            question, choices = self._choices()
            generation, _, group = heapq.heappop(self.ready)
            members = self.groups[group]
            yield from self._take(members, question, choices)
            freed = []
            for holder in sorted(self.holders[group], key=self.lowest.__getitem__):
                self.waiting[holder].discard(group)
                if not self.waiting[holder]:
                    heapq.heappush(self.ready, (generation + 1, self.lowest[holder], holder))
                    freed.append((0, 0, holder))
            if self.holders[group]:
                ends = "is ready now" if len(freed) == 1 else "are ready now"
                said = f"{self._names(freed)} {ends}." if freed else "Nobody becomes ready by that."
                yield self._step(7, said)
        self.now = []
        yield self._step(4, f"Nothing is left: {counted(len(self.output), 'node')} in order.")
        return self.output

    def _take(
        self, members: list[int], question: str, choices: dict[str, Choice]
    ) -> Iterator[WalkStep]:
        name = self.ground.say
        if len(members) == 1:
            self.now = members
            self.output += members
            self.deferred += [f"{name(members)}.{path}" for path in self._to_later(members)]
            text = f"{name(members)} is next: it waits for nothing."
            yield self._step(5, text, question, choices)
            return
        ordered = order_within(members, self.ground)
        self.now = members
        text = f"{{{name(ordered)}}} are next: they wait for nobody but each other."
        yield self._step(5, text, question, choices)
        for place, node in enumerate(ordered):
            self.now = [node]
            self.output.append(node)
            late = self._to_later(ordered[place:])
            self.deferred += [f"{self.ground.names[node]}.{path}" for path in late]
            what = f"deferred: {_listed(late)}" if late else "it needs nothing that comes later"
            yield self._step(6, f"{self.ground.names[node]}: {what}.")

    def _to_later(self, ordered: Sequence[int]) -> list[str]:
        """Return the references of the first of them that lead to it, or to others of them."""
        parts, there = self.ground.parts, set(ordered)
        ends = enumerate(zip(parts.sources.tolist(), parts.targets.tolist(), strict=True))
        return [
            parts.place_of(number)[1]
            for number, (source, target) in ends
            if source == ordered[0] and target in there
        ]

    def _choices(self) -> tuple[str, dict[str, Choice]]:
        right, names = self.groups[self.ready[0][2]], self.ground.names
        done = set(self.output)
        ready = {node for _, _, group in self.ready for node in self.groups[group]}
        said = {}
        for group, members in enumerate(self.groups):
            needed = [node for other in self.waiting[group] for node in self.groups[other]]
            for node in members:
                if node in done:
                    why = f"Not {names[node]}: it is in the output already."
                elif node in ready:
                    why = (
                        f"{names[node]} is ready too, but {names[right[0]]} is of a lower"
                        " generation, or has a lower id."
                    )
                else:
                    why = f"Not {names[node]}: it still waits for {self.ground.say(needed[:3])}."
                said[names[node]] = Choice(node in right, why)
        return "Which comes next?", dict(sorted(said.items()))

    def _names(self, entries: Iterable[tuple[int, int, int]]) -> str:
        return self.ground.say(node for *_, group in sorted(entries) for node in self.groups[group])

    def _step(
        self, line: int, text: str, question: str = "", choices: dict[str, Choice] | None = None
    ) -> WalkStep:
        names = self.ground.names
        marks = ["waiting"] * len(names)
        for *_, group in self.ready:
            for node in self.groups[group]:
                marks[node] = "ready"
        for node in self.output:
            marks[node] = "in the output"
        for node in self.now:
            marks[node] = "taken now"
        waits = [
            f"{self.ground.say(self.groups[group])}: {len(others)}"
            for group, others in enumerate(self.waiting)
            if others
        ]
        state = {
            "ready": self._names(self.ready),
            "waiting for": "; ".join(waits) or "–",
            "output": self.ground.say(self.output),
            "deferred": _listed(self.deferred),
        }
        return WalkStep(line, text, state, marks, question, choices or {})


def _turned(needs: Sequence[Iterable[int]]) -> list[list[int]]:
    """Return by node who needs it."""
    result: list[list[int]] = [[] for _ in needs]
    for node, others in enumerate(needs):
        for other in others:
            result[other].append(node)
    return result


def _lowest(groups: Sequence[Sequence[int]], ground: Ground) -> list[int]:
    return [min(ground.rank[node] for node in members) for members in groups]


def _layered(
    groups: list[list[int]], edges: Iterable[tuple[int, int]], ground: Ground
) -> list[list[int]]:
    """Return groups that have no cycle in the order of Kahn's algorithm, without steps."""
    of = {node: number for number, members in enumerate(groups) for node in members}
    needs: list[set[int]] = [set() for _ in groups]
    for source, target in edges:
        if of[source] != of[target]:
            needs[of[source]].add(of[target])
    holders, lowest = _turned(needs), _lowest(groups, ground)
    ready = [(0, lowest[g], g) for g, others in enumerate(needs) if not others]
    heapq.heapify(ready)
    result = []
    while ready:
        level, _, group = heapq.heappop(ready)
        result.append(groups[group])
        for holder in holders[group]:
            needs[holder].discard(group)
            if not needs[holder]:
                heapq.heappush(ready, (level + 1, lowest[holder], holder))
    return result


def order_within(members: list[int], ground: Ground) -> list[int]:
    """Return the members of a component so that few references, and cheap ones, lead forward.

    Notes
    -----
    References out of collections are left aside where there are others, as they cost nothing.
    What still is a knot begins with the node that has the fewest unmet dependencies, the dear
    ones first; see ``ecsviz.basics.order.topological_order``.
    """
    inside, parts = set(members), ground.parts
    ends = zip(parts.sources.tolist(), parts.targets.tolist(), parts.kinds.tolist(), strict=True)
    edges = [(s, t, k) for s, t, k in ends if s in inside and t in inside and s != t]
    firm = [edge for edge in edges if edge[2] > COLLECTION]
    edges = firm or edges
    groups = components_of(members, _after(members, edges))
    result: list[int] = []
    for group in _layered(groups, ((s, t) for s, t, _ in edges), ground):
        there = set(group)
        within = [edge for edge in edges if edge[0] in there and edge[1] in there]
        result += group if len(group) == 1 else _knot(group, within, ground)
    return result


def _after(nodes: Iterable[int], edges: Iterable[tuple[int, int, int]]) -> dict[int, list[int]]:
    after: dict[int, list[int]] = {node: [] for node in nodes}
    for source, target, _ in edges:
        after[source].append(target)
    return after


def _knot(nodes: list[int], edges: list[tuple[int, int, int]], ground: Ground) -> list[int]:
    """Order nodes of which each leads to all others."""
    edges = _with_costs(nodes, edges)
    worst = _badness(edges, ground)
    first = min(nodes, key=worst)
    rest = [node for node in nodes if node != first]
    left = [edge for edge in edges if first not in edge[:2]]
    groups = components_of(rest, _after(rest, left))
    if all(len(group) == 1 for group in groups):
        layers = _layered(groups, ((s, t) for s, t, _ in left), ground)
        return [first, *(group[0] for group in layers)]
    front: list[int] = []
    back: list[int] = []
    waiting = set(nodes)
    while waiting:
        worst = _badness(edges, ground)
        unmet, held = {edge[0] for edge in edges}, {edge[1] for edge in edges}
        free = [node for node in waiting if node not in unmet or node not in held]
        node = min(free, key=ground.rank.__getitem__) if free else min(waiting, key=worst)
        (back if node in unmet and node not in held else front).append(node)
        waiting.discard(node)
        edges = [edge for edge in edges if node not in edge[:2]]
    return front + back[::-1]


def _with_costs(nodes: list[int], edges: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Return edges with what it costs to defer them; 0, the dearest, need never be deferred."""
    required = [edge for edge in edges if edge[2] == REQUIRED]
    groups = components_of(nodes, _after(nodes, required))
    of = {node: number for number, group in enumerate(groups) for node in group}
    return [
        (s, t, 0 if kind == REQUIRED and of[s] != of[t] else 1 + REQUIRED - kind)
        for s, t, kind in edges
    ]


def _badness(edges: list[tuple[int, int, int]], ground: Ground) -> Callable[[int], tuple[int, ...]]:
    """Return what says how badly a node would stand next; its last number is its rank."""
    unmet: dict[int, list[int]] = defaultdict(lambda: [0] * 4)
    met: dict[int, list[int]] = defaultdict(lambda: [0] * 4)
    for source, target, cost in edges:
        unmet[source][cost] += 1
        met[target][cost] += 1

    def worst(node: int) -> tuple[int, ...]:
        mine, others = unmet[node], met[node]
        return mine[0], mine[1], mine[2] - others[2], mine[3] - others[3], ground.rank[node]

    return worst


def _listed(texts: Sequence[str], most: int = 6) -> str:
    more = f" … {len(texts) - most} more" if len(texts) > most else ""
    return (", ".join(texts[:most]) or "–") + more
