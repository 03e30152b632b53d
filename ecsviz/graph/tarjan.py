"""The strongly connected components step by step: Tarjan's algorithm, plain.

It finds the same components as the fast one (``basics/order.py``), and is written to be read.
Nothing recurses.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import replace
from typing import Any, Final

from ecsviz.basics.text import plural
from ecsviz.graph.walkthrough import (
    DONE,
    HELD,
    NOW,
    WAITING,
    Choice,
    Ground,
    Script,
    Steps,
    WalkStep,
)

COMPONENTS: Final = Script(
    "Strongly connected components (Tarjan)",
    (
        "for each v that was not visited: visit v",
        "visit v: low[v] = index[v] = the next number; push v",
        "    for each w that v holds:",
        "        not visited: visit w first, then",
        "            low[v] = min(low[v], low[w])",
        "        on the stack: low[v] = min(low[v], index[w])",
        "        else: its component is complete, go on",
        "    low[v] = index[v]: pop down to v, a component",
    ),
    {"not visited": WAITING, "on the stack": HELD, "looked at": NOW, "in a component": DONE},
)


def components_of(nodes: Iterable[int], after: Any) -> list[list[int]]:
    """Return the strongly connected components of some nodes, dependencies first.

    Parameters
    ----------
    nodes
        Numbers.
    after
        By node those that it leads to, all of them among the nodes.

    Examples
    --------
    >>> components_of([0, 1, 2], [[1], [0, 2], []])
    [[2], [0, 1]]
    """
    walk = _Tarjan(list(nodes), after)
    for _ in walk.events():
        pass
    return walk.found


class _Tarjan:
    """Tarjan's algorithm, and what it holds. An event is a line of its code, and two nodes."""

    def __init__(self, nodes: list[int], after: Any) -> None:
        self.nodes, self.after = nodes, after
        self.index: dict[int, int] = {}
        self.low: dict[int, int] = {}
        self.stack: list[int] = []
        self.on_stack: set[int] = set()
        self.found: list[list[int]] = []

    def events(self) -> Generator[tuple[int, int, int], None, None]:
        for root in self.nodes:
            if root in self.index:
                continue
            yield 1, root, root
            path = [(root, iter(self.after[root]))]
            yield self._visit(root)
            while path:
                v, others = path[-1]
                w = next(others, None)
                if w is None:
                    path.pop()
                    if self.low[v] == self.index[v]:
                        self._pop(v)
                        yield 8, v, v
                    if path:
                        holder = path[-1][0]
                        self.low[holder] = min(self.low[holder], self.low[v])
                        yield 5, holder, v
                elif w not in self.index:
                    yield 4, v, w
                    path.append((w, iter(self.after[w])))
                    yield self._visit(w)
                elif w in self.on_stack:
                    self.low[v] = min(self.low[v], self.index[w])
                    yield 6, v, w
                else:
                    yield 7, v, w

    def _visit(self, node: int) -> tuple[int, int, int]:
        self.index[node] = self.low[node] = len(self.index)
        self.stack.append(node)
        self.on_stack.add(node)
        return 2, node, node

    def _pop(self, node: int) -> None:
        at = self.stack.index(node)
        self.found.append(self.stack[at:])
        self.on_stack.difference_update(self.stack[at:])
        del self.stack[at:]


def component_steps(ground: Ground) -> Steps:
    """Find the strongly connected components, dependencies first."""
    walk = _Tarjan(ground.order, ground.after)
    names = ground.names
    said = {
        1: "{v} was not visited yet.",
        2: "Visit {v}: index and low are {index}; it goes on the stack.",
        4: "{v} holds {w}, which was not visited: there first.",
        5: "Back in {v}: from {w} one came to {low_w}, so low[{v}] is {low}.",
        6: "{v} holds {w}, which is on the stack: low[{v}] is {low}.",
        7: "{v} holds {w}, whose component is complete.",
        8: "low[{v}] is index[{v}]: {what}.",
    }
    yield _component_step(walk, ground, 1, "No node is visited.", None)
    for line, v, w in walk.events():
        last = walk.found[-1] if walk.found else []
        one = f"{names[v]} alone is a component"
        facts = {
            "v": names[v],
            "w": names[w],
            "index": walk.index.get(v),
            "low": walk.low.get(v),
            "low_w": walk.low.get(w),
            "what": one if len(last) == 1 else f"{{{ground.say(last)}}} is a component",
        }
        step = _component_step(walk, ground, line, said[line].format(**facts), v)
        if line == 8:
            question = "Which is in the component that is complete now?"
            step = replace(step, question=question, choices=_popped(walk, ground, last))
        yield step
    count = len(walk.found)
    text = f"All nodes are visited: {count:,} {plural(count, 'component')}."
    yield _component_step(walk, ground, 1, text, None)
    return walk.found


def _popped(walk: _Tarjan, ground: Ground, last: list[int]) -> dict[str, Choice]:
    names = ground.names
    done = {node for group in walk.found[:-1] for node in group}
    said = {}
    for node in ground.order:
        if node in done:
            why = f"Not {names[node]}: its component was complete before."
        elif node in walk.on_stack:
            why = (
                f"Not {names[node]}: it is deeper on the stack, and {names[last[0]]} does not lead"
                " back to it."
            )
        else:
            why = f"Not {names[node]}: it was not visited yet."
        said[names[node]] = Choice(node in last, why)
    return dict(sorted(said.items()))


def _component_step(
    walk: _Tarjan, ground: Ground, line: int, text: str, now: int | None
) -> WalkStep:
    names = ground.names
    marks = ["not visited"] * len(names)
    for group in walk.found:
        for node in group:
            marks[node] = "in a component"
    for node in walk.stack:
        marks[node] = "on the stack"
    if now is not None:
        marks[now] = "looked at"
    numbers = [f"{names[v]}: {number}/{walk.low[v]}" for v, number in walk.index.items()]
    state = {
        "stack": ground.say(walk.stack),
        "index/low": ", ".join(numbers) or "–",
        "components": "; ".join("{" + ground.say(group) + "}" for group in walk.found) or "–",
    }
    return WalkStep(line, text, state, marks)
