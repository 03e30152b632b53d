"""Graphs past the memory: a folder written, asked and read back, against scipy on what it holds."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import ecsviz as ev
from benchmarks.scale_graphs import FEW, QUESTIONS, asked, by_scipy, generated
from benchmarks.targets import SQLite
from benchmarks.timing import Contender, Section, given, rounds
from benchmarks.touching import filled

SCIPY = "scipy: the references read from Parquet as int32, strong components"
WRITE = "`store.to_parquet(folder)`"
FILL = "`from_parquet(folder)` into a new store"
COUNTS = "`counts()`"
DEGREES = "`degrees()`"
HOPS = "`neighbourhood(entity, 3)`"
COMPONENTS = "`components()`"
IN_CYCLE = "`in_cycle()`, in arrays"
BUCKETS = "`in_cycle()`, by components in buckets"
ORDER = "`get_topological_sort()`"
STORED = 400_000
"""How many messages are stored at the most; a graph without a store may be larger."""


def scale(folder: Path, size: int, repeats: int) -> Section:
    target = SQLite(folder)
    with ExitStack() as stack:
        at = target.new(stack)
        store = stack.enter_context(target.store(stack, at))
        ids = filled(store, stored := min(size, STORED))
        graph = store.to_parquet(folder / "graph", progress=False)
        questions = {
            COUNTS: lambda lazy: lazy.counts(),
            DEGREES: lambda lazy: lazy.degrees(as_="relation"),
            HOPS: lambda lazy: lazy.neighbourhood(ids[1], 3),
            COMPONENTS: lambda lazy: lazy.components(as_="relation"),
            IN_CYCLE: lambda lazy: lazy.in_cycle(as_="relation"),
            ORDER: lambda lazy: lazy.get_topological_sort(as_="relation"),
        }
        contenders: dict[str, Contender | None] = {
            SCIPY: given(lambda _: graph, by_scipy),
            **{name: given(opened(graph), ask) for name, ask in questions.items()},
            BUCKETS: given(opened(graph, arrays=False), lambda lazy: lazy.in_cycle(as_="relation")),
            WRITE: given(lambda _: store, lambda store: store.to_parquet(graph, progress=False)),
            FILL: given(
                lambda stack: target.store(stack, target.new(stack)),
                lambda store: store.from_parquet(graph, progress=False),
            ),
        }
        title = f"A graph of {stored:,} messages in a folder, asked by DuckDB"
        race = rounds(title, contenders, repeats, limit=SCIPY)
    large = generated(folder / "generated", size)
    told = asked(large, list(QUESTIONS)[: None if size > FEW else 2])
    return Section([race], tables=[told])


def opened(graph: Path, *, arrays: bool = True) -> Callable[[ExitStack], ev.LazyGraph]:
    """Return what opens a folder anew, so that nothing is found already."""

    def open_(stack: ExitStack) -> ev.LazyGraph:
        engine = ev.scale.DuckDBEngine()
        stack.callback(engine.close)
        lazy = stack.enter_context(ev.scan_graph(graph, engine))
        if not arrays:  # less than all references take, and more than a chat
            engine.memory = 4 * 24 * int(lazy.counts()["references"].sum())
        return lazy

    return open_
