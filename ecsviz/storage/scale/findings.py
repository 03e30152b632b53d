"""What is found of a whole graph, once: in arrays where it fits the memory, else by the engine."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ecsviz.basics.order import Ints
from ecsviz.errors import GraphTooLargeError, InvalidArgumentError, short_repr
from ecsviz.storage.scale.buckets import SOLVED, in_buckets, trimmed
from ecsviz.storage.scale.connected import (
    ARRAYS,
    PRIME,
    fits,
    lowest,
    put_components,
    weak_components,
)
from ecsviz.storage.scale.reaching import WAYS, Along, by_statements, nearest
from ecsviz.storage.scale.solving import (
    CYCLE_COLUMNS,
    ORDER_COLUMNS,
    check_ends,
    in_cycles,
    solve_cycles,
    solve_order,
)
from ecsviz.storage.scale.tables import EDGES, NODES, Tables

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
            nodes, *ends = self._arrays()
            held, holders = (np.bincount(end, minlength=self.tables.highest + 1) for end in ends)
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
        if self._fits():
            nodes, sources, targets = self._arrays()
            labels = weak_components(self.tables.highest + 1, sources, targets)
            self.engine.give(WEAK, {"node": nodes, "component": labels[nodes]})
        else:
            self._check_numbers()
            put_components(
                self.engine,
                WEAK,
                f"SELECT source, target FROM {EDGES}",
                f"SELECT node FROM {NODES}",
                self.tables.highest,
            )
        self._made.add(WEAK)
        return WEAK

    def cycles(self) -> str:
        """Put ``node`` and ``component`` of what is in a cycle; return the table."""
        if CYCLES in self._made:
            return CYCLES
        if self._fits():
            _, sources, targets = self._arrays()
            cyclic, labels = in_cycles(self.tables.highest + 1, sources, targets)
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
            put_components(engine, weak, pairs, ends, self.tables.highest)
        kinds = f"(SELECT source, target, 0 AS kind FROM {edges})"
        in_buckets(engine, CYCLES, weak, kinds, None, solve_cycles, CYCLE_COLUMNS)
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
        if rows * SOLVED[solve_order] <= self.engine.memory:
            self.engine.view("ecs_one", f"SELECT node, 0 AS component FROM {NODES}")
            buckets = "ecs_one"
        else:
            self.components()
            buckets = WEAK
        order = self.tables.sort_key
        in_buckets(self.engine, "ecs_solved", buckets, edges, order, solve_order, ORDER_COLUMNS)
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
            if not self._fits():
                raise GraphTooLargeError(
                    f"More than {ROUNDS} references must be followed, and the"
                    f" {self.tables.counts['references']:,} references do not fit the memory of"
                    f" {self.engine.memory / 1e9:.3g} GB, which would follow them all at once."
                    " Give fewer hops, or more memory: scan_graph(…, memory=…).",
                    n=self.tables.counts["references"],
                    limit=self.engine.memory // ARRAYS,
                )
            _, sources, targets = self._arrays()
        return nearest(self.tables.highest + 1, sources, targets, start, hops, along)

    def _check_numbers(self) -> None:
        if self.tables.highest >= PRIME:
            raise GraphTooLargeError(
                f"The numbers of nodes go up to {self.tables.highest:,}, and components are found"
                f" up to {PRIME:,}.",
                n=self.tables.highest,
                limit=PRIME,
            )

    def _fits(self) -> bool:
        """Tell whether all references fit the memory as arrays."""
        return fits(self.engine, self.tables.counts["references"], self.tables.highest)

    def _arrays(self) -> tuple[Ints, Any, Any]:
        """Return the numbers of all nodes, and the ends of all references as int32."""
        nodes = self.engine.rows(f"SELECT node FROM {NODES}")["node"].to_numpy()
        table = self.engine.rows(
            "SELECT CAST(source AS INTEGER) AS source, CAST(target AS INTEGER) AS target"
            f" FROM {EDGES}"
        )
        ends = table["source"].to_numpy(), table["target"].to_numpy()
        for end in ends:
            check_ends(end, 0, self.tables.highest)
        return nodes, *ends
