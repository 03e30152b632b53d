"""What is found of a whole graph, once: in arrays where it fits the memory, else by the engine."""

from __future__ import annotations

import contextlib
from typing import Any, Final

import numpy as np

from ecsviz.basics.order import Ints
from ecsviz.errors import GraphTooLargeError, InvalidArgumentError, short_repr
from ecsviz.storage.scale.buckets import SOLVED, in_buckets, trimmed
from ecsviz.storage.scale.connected import (
    EDGE,
    PRIME,
    filled,
    fits,
    put_components,
    taken,
)
from ecsviz.storage.scale.reaching import WAYS, Along, by_statements, nearest
from ecsviz.storage.scale.solving import (
    CYCLE_COLUMNS,
    ORDER_COLUMNS,
    check_ends,
    in_cycles,
    lowest,
    solve_cycles,
    solve_order,
)
from ecsviz.storage.scale.tables import EDGES, NODES, Tables

AROUND: Final = 3
"""How many times what else edges take they do while the nearest nodes are sought."""
ROUNDS: Final = 20
"""How many references are followed by statements at the most, a statement each."""

DEGREES: Final = "ecs_degrees"
WEAK: Final = "ecs_weak"
CYCLES: Final = "ecs_cycles"
ORDER: Final = "ecs_order"


class Findings:
    """The tables of what was found, each made when it is asked for first.

    Parameters
    ----------
    tables
        The graph.
    """

    def __init__(self, tables: Tables) -> None:
        self.tables, self.engine = tables, tables.engine
        self._made: set[str] = set()

    def degrees(self) -> str:
        """Put ``node``, ``dependencies``, ``dependents``; return the table."""
        if DEGREES in self._made:
            return DEGREES
        if self._fits():
            with self._lent():
                nodes, ends, highest = self._nodes(), self._ends(), self.tables.highest
                held, holders = (np.bincount(end, minlength=highest + 1) for end in ends)
                del ends
                self.engine.give(
                    DEGREES,
                    {"node": nodes, "dependencies": held[nodes], "dependents": holders[nodes]},
                )
        else:
            self.engine.put(
                DEGREES,
                "SELECT node, CAST(sum(o) AS BIGINT) AS dependencies,"
                " CAST(sum(i) AS BIGINT) AS dependents FROM"
                f" (SELECT source AS node, count(*) AS o, 0 AS i FROM {EDGES} GROUP BY source"
                f" UNION ALL SELECT target AS node, 0 AS o, count(*) AS i FROM {EDGES}"
                f" GROUP BY target UNION ALL SELECT node, 0 AS o, 0 AS i FROM {NODES}) ends"
                " GROUP BY node",
            )
        self._made.add(DEGREES)
        return DEGREES

    def components(self) -> str:
        """Put ``node`` and ``component``, weakly connected; return the table."""
        if WEAK in self._made:
            return WEAK
        self._check_numbers()
        put_components(
            self.engine,
            WEAK,
            f"SELECT source, target FROM {EDGES}",
            f"SELECT node FROM {NODES}",
            self.tables.highest,
            self.tables.counts["references"],
        )
        self._made.add(WEAK)
        return WEAK

    def cycles(self) -> str:
        """Put ``node`` and ``component`` of what is in a cycle; return the table."""
        if CYCLES in self._made:
            return CYCLES
        if self._fits():
            with self._lent():
                sources, targets = self._ends()
                cyclic, labels = in_cycles(self.tables.highest + 1, sources, targets)
                del sources, targets
                found = np.flatnonzero(cyclic)
                self.engine.give(CYCLES, {"node": found, "component": lowest(labels)[found]})
        else:
            self._put_cycles()
        self._made.add(CYCLES)
        return CYCLES

    def _put_cycles(self) -> None:
        """Find cycles in what is left of the graph without its loose ends, or in all of it."""
        self._check_numbers()
        engine, edges = self.engine, trimmed(self.engine, self.tables.counts)
        weak = "ecs_left"
        if edges == EDGES:
            weak = self.components()
        else:
            ends = f"SELECT source AS node FROM {edges} UNION SELECT target AS node FROM {edges}"
            pairs = f"SELECT source, target FROM {edges}"
            highest, count = self.tables.highest, self.tables.count(edges)
            put_components(engine, weak, pairs, ends, highest, count)
        kinds = f"(SELECT source, target, 0 AS kind FROM {edges})"
        number = self.tables.number_type
        in_buckets(engine, CYCLES, weak, kinds, number, None, solve_cycles, CYCLE_COLUMNS)
        if edges != EDGES:
            engine.drop(weak)
            engine.drop(edges)

    def order(self) -> str:
        """Put what says the order, per ``node``; return the table."""
        if ORDER in self._made:
            return ORDER
        counts = self.tables.counts
        rows = counts["nodes"] + counts["references"]
        edges = f"(SELECT source, target, {self.tables.kinds()} AS kind FROM {EDGES})"
        if rows * SOLVED[solve_order] <= self.engine.room:
            self.engine.view("ecs_one", f"SELECT node, 0 AS component FROM {NODES}")
            buckets = "ecs_one"
        else:
            self.components()
            buckets = WEAK
        order, number = self.tables.sort_key, self.tables.number_type
        name = "ecs_solved"
        in_buckets(self.engine, name, buckets, edges, number, order, solve_order, ORDER_COLUMNS)
        self.engine.put(
            ORDER,
            "SELECT s.node AS node, s.generation AS generation, s.component AS component,"
            " s.in_cycle AS in_cycle, CAST(row_number() OVER (ORDER BY s.generation,"
            f" {self.tables.sort_key}, s.place) - 1 AS BIGINT) AS place"
            f" FROM ecs_solved s JOIN {NODES} n ON s.first = n.node",
        )
        self.engine.drop("ecs_solved")
        self._made.add(ORDER)
        return ORDER

    def reached(self, start: int, hops: int | None, along: Along) -> tuple[Ints, Ints]:
        """Return what is reached from a node, the nearest first, and after how many hops."""
        given: Any = along  # whatever somebody gives
        if not isinstance(given, str) or given not in WAYS:
            raise InvalidArgumentError(
                f"along is {short_repr(along)}. Give 'out', 'in' or 'both'.", value=along
            )
        with self.tables.turn:
            rounds = ROUNDS if hops is None else min(hops, ROUNDS)
            nodes, far = by_statements(self.engine, start, rounds, along)
            if (hops is not None and hops <= ROUNDS) or far.max(initial=0) < ROUNDS:
                return nodes, far
            if not self._fits(AROUND):
                raise GraphTooLargeError(
                    f"More than {ROUNDS} references must be followed, and the"
                    f" {self.tables.counts['references']:,} references do not fit the memory of"
                    f" {self.engine.memory / 1e9:.3g} GB, which would follow them all at once."
                    " Give fewer hops, or more memory: scan_graph(…, memory=…).",
                    n=self.tables.counts["references"],
                    limit=self.engine.room // (EDGE * AROUND),
                )
            with self._lent(AROUND):
                sources, targets = self._ends()
                return nearest(self.tables.highest + 1, sources, targets, start, hops, along)

    def _check_numbers(self) -> None:
        if self.tables.highest >= PRIME:
            raise GraphTooLargeError(
                f"The numbers of nodes go up to {self.tables.highest:,}, and components are found"
                f" up to {PRIME:,}.",
                n=self.tables.highest,
                limit=PRIME,
            )

    def _fits(self, times: int = 1) -> bool:
        """Tell whether all references fit the memory as arrays, so many times."""
        return fits(self.engine, self.tables.highest, times * self.tables.counts["references"])

    def _lent(self, times: int = 1) -> contextlib.AbstractContextManager[None]:
        """Let the engine hold less meanwhile."""
        references = times * self.tables.counts["references"]
        return self.engine.lend(taken(self.tables.highest, references))

    def _nodes(self) -> Ints:
        """Return the numbers of all nodes."""
        count = self.tables.counts["nodes"]
        return filled(self.engine, f"SELECT node FROM {NODES}", count, "node", kind="BIGINT")[0]

    def _ends(self) -> list[Ints]:
        """Return the sources and the targets of all references, as int32."""
        count = self.tables.counts["references"]
        ends = filled(self.engine, f"SELECT * FROM {EDGES}", count, "source", "target")
        for end in ends:
            check_ends(end, 0, self.tables.highest)
        return ends
