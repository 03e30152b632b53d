"""The elementary cycles step by step: Johnson's algorithm, plain.

It finds the same cycles as the fast one (``cycle_search.py``), and is written to be read. Nothing
recurses.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ecsviz.basics.text import plural
from ecsviz.graph.tarjan import components_of
from ecsviz.graph.walkthrough import (
    DONE,
    HELD,
    NOW,
    READY,
    WAITING,
    Choice,
    Ground,
    Script,
    Steps,
    WalkStep,
)

CYCLES: Final = Script(
    "Elementary cycles (Johnson)",
    (
        "for each s: only s and later nodes, in s's component",
        "    visit v: put it on the path, block it",
        "        for each w that v holds:",
        "            w is s: the path is a cycle",
        "            w is not blocked: visit w",
        "        a cycle was closed: unblock v, and who waits for it",
        "        none: v stays blocked until one of its w is unblocked",
    ),
    {
        "not searched": WAITING,
        "on the path": HELD,
        "looked at": NOW,
        "blocked": READY,
        "finished": DONE,
    },
)


def cycle_steps(ground: Ground) -> Steps:
    """Find the elementary cycles (Johnson 1975), each from the node of its lowest id."""
    return (yield from _Johnson(ground).steps())


class _Johnson:
    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.path: list[int] = []
        self.blocked: set[int] = set()
        self.waits: dict[int, set[int]] = {}
        self.found: list[list[int]] = []
        self.finished: set[int] = set()

    def steps(self) -> Steps:
        names, order = self.ground.names, self.ground.order
        yield self._step(1, "No node is searched.", None)
        for place, s in enumerate(order):
            later = set(order[place:])
            after = {v: [w for w in self.ground.after[v] if w in later] for v in later}
            inside = set(next(g for g in components_of(order[place:], after) if s in g))
            if len(inside) > 1 or s in after[s]:
                said = f"From {names[s]}, among {self.ground.say(v for v in order if v in inside)}."
                yield self._step(1, said, s)
                allowed = {v: [w for w in after[v] if w in inside] for v in inside}
                yield from self._from(s, allowed)
            self.finished.add(s)
        count = len(self.found)
        yield self._step(1, f"Every node was the start: {count:,} {plural(count, 'cycle')}.", None)
        return self.found

    def _from(self, s: int, after: dict[int, list[int]]) -> Iterator[WalkStep]:
        names = self.ground.names
        self.blocked, self.waits = set(), {}
        path = [(s, iter(after[s]))]
        closed = [False]
        yield self._visit(s)
        while path:
            v, others = path[-1]
            w = next(others, None)
            if w is None:
                path.pop()
                yield self._leave(v, after, closed.pop())
                if path and v not in self.blocked:
                    closed[-1] = True
                continue
            question = f"{names[v]} holds {names[w]}. What happens?"
            if w == s:
                self.found.append(list(self.path))
                closed[-1] = True
                line, said = 4, f"{names[v]} holds {names[s]}: {self._arrows()} is a cycle."
            elif w not in self.blocked:
                line, said = 5, f"{names[v]} holds {names[w]}, which is not blocked: there next."
                path.append((w, iter(after[w])))
                closed.append(False)
            else:
                why = "on the path" if w in self.path else "blocked"
                line, said = 5, f"{names[v]} holds {names[w]}, which is {why}: not there again."
            yield self._step(line, said, v, question, _outcomes(said))
            if line == 5 and w not in self.blocked:
                yield self._visit(w)

    def _visit(self, v: int) -> WalkStep:
        self.path.append(v)
        self.blocked.add(v)
        return self._step(2, f"{self.ground.names[v]} goes on the path, and is blocked.", v)

    def _leave(self, v: int, after: dict[int, list[int]], closed: bool) -> WalkStep:
        self.path.pop()
        name = self.ground.names[v]
        if not closed:
            for w in after[v]:
                self.waits.setdefault(w, set()).add(v)
            return self._step(7, f"No cycle from {name} by this path: it stays blocked.", v)
        freed = [v]
        for node in freed:  # grows while it is read
            self.blocked.discard(node)
            waiting = sorted(self.waits.pop(node, ()))
            freed += [w for w in waiting if w in self.blocked and w not in freed]
        return self._step(6, f"Unblocked: {self.ground.say(freed)}.", v)

    def _arrows(self) -> str:
        return " → ".join(self.ground.names[node] for node in [*self.path, self.path[0]])

    def _step(
        self,
        line: int,
        text: str,
        now: int | None,
        question: str = "",
        choices: dict[str, Choice] | None = None,
    ) -> WalkStep:
        ground = self.ground
        marks = ["not searched"] * len(ground.names)
        for mark, nodes in (
            ("finished", self.finished),
            ("blocked", self.blocked),
            ("on the path", self.path),
            ("looked at", [] if now is None else [now]),
        ):
            for node in nodes:
                marks[node] = mark
        waits = [f"{ground.say(sorted(vs))} for {ground.names[w]}" for w, vs in self.waits.items()]
        cycles = ["{" + ground.say(cycle) + "}" for cycle in self.found]
        more = [f"… {len(cycles) - 6} before"] if len(cycles) > 6 else []
        state = {
            "path": ground.say(self.path),
            "blocked": ground.say(sorted(self.blocked)),
            "waits": "; ".join(waits) or "–",
            "cycles": "; ".join(more + cycles[-6:]) or "–",
        }
        return WalkStep(line, text, state, marks, question, choices or {})


_OUTCOMES: Final = {
    "a cycle is closed": "is a cycle.",
    "it is visited": "there next.",
    "one does not go there": "not there again.",
}


def _outcomes(said: str) -> dict[str, Choice]:
    return {name: Choice(said.endswith(end), f"No: {said}") for name, end in _OUTCOMES.items()}
