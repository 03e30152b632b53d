"""Graphs past the memory: a folder written, asked and read back, against scipy on what it holds."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset as ds
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

import ecsviz as ev
from benchmarks.targets import SQLite
from benchmarks.timing import Contender, Measured, Section, given, rounds
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


def scale(folder: Path, size: int, repeats: int) -> Section:
    target = SQLite(folder)
    with ExitStack() as stack:
        at = target.new(stack)
        store = stack.enter_context(target.store(stack, at))
        ids = filled(store, size)
        graph = store.to_parquet(folder / "graph", progress=False)
        asked = {
            COUNTS: lambda lazy: lazy.counts(),
            DEGREES: lambda lazy: lazy.degrees(as_="relation"),
            HOPS: lambda lazy: lazy.neighbourhood(ids[1], 3),
            COMPONENTS: lambda lazy: lazy.components(as_="relation"),
            IN_CYCLE: lambda lazy: lazy.in_cycle(as_="relation"),
            ORDER: lambda lazy: lazy.get_topological_sort(as_="relation"),
        }
        contenders: dict[str, Contender | None] = {
            SCIPY: given(lambda _: graph, by_scipy),
            **{name: given(opened(graph), ask) for name, ask in asked.items()},
            BUCKETS: given(opened(graph, arrays=False), lambda lazy: lazy.in_cycle(as_="relation")),
            WRITE: given(lambda _: store, lambda store: store.to_parquet(graph, progress=False)),
            FILL: given(
                lambda stack: target.store(stack, target.new(stack)),
                lambda store: store.from_parquet(graph, progress=False),
            ),
        }
        title = f"A graph of {size:,} messages in a folder, asked by DuckDB"
        return Section([_race(title, contenders, repeats)])


def _race(title: str, contenders: dict[str, Contender | None], repeats: int) -> Measured:
    return rounds(title, contenders, repeats, limit=SCIPY)


def opened(graph: Path, *, arrays: bool = True) -> Callable[[ExitStack], ev.LazyGraph]:
    """Return what opens a folder anew, so that nothing is found already."""

    def open_(stack: ExitStack) -> ev.LazyGraph:
        engine = ev.scale.DuckDBEngine()
        stack.callback(engine.close)
        lazy = stack.enter_context(ev.scan_graph(graph, engine))
        if not arrays:  # less than all references take, and more than a chat
            engine.memory = 16 * int(lazy.counts()["references"].sum())
        return lazy

    return open_


def by_scipy(graph: Path) -> Any:
    table = ds.dataset(graph / "references").to_table(columns=["source", "target"])
    ends = [table[name].to_numpy().astype(np.int32) for name in ("source", "target")]
    n = int(max(end.max() for end in ends)) + 1
    matrix = csr_array((np.ones(len(ends[0]), dtype=np.int8), tuple(ends)), shape=(n, n))
    return connected_components(matrix, connection="strong")
