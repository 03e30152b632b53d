"""``python -m benchmarks``: the table of README, as Markdown.

Every figure is the median of five runs in one process. Saving is compared with
``sqlite3.executemany`` of prebuilt tuples of the same rows, loading with ``fetchall``: what no
storage can undercut by much.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt

import ecsviz as ev
from ecsviz.demo.report import statements_of
from ecsviz.isomorphic import find_difference
from ecsviz.samples import Node

PACKAGES = ("sqlalchemy", "pydantic", "networkx", "numpy", "scipy", "pandas", "matplotlib")


# -- what is measured ------------------------------------------------------------------------


def chat(n: int) -> ev.ChatThread:
    """A thread of n messages; every tenth answers an earlier one, which makes a branch."""
    thread = ev.ChatThread(title="Benchmark")
    last = None
    for number in range(n):
        parent = last.parent if last is not None and number % 10 == 0 else last
        last = thread.say("user" if number % 2 else "assistant", f"Message {number}. " * 8, parent)
    return thread


def cycle(n: int) -> list[Node]:
    nodes = ev.sample("chain", n=n)
    nodes[-1].links.append(nodes[0])
    return nodes


class Bench:
    def __init__(self, repeats: int, folder: Path) -> None:
        self.repeats = repeats
        self.folder = folder
        self.files = 0

    def path(self) -> Path:
        self.files += 1
        return self.folder / f"{self.files}.db"

    def times(self, once: Callable[[], Iterator[float]]) -> tuple[float, ...]:
        """Return the medians of what `once` measures."""
        found = []
        for _ in range(self.repeats):
            gc.collect()
            found.append(tuple(once()))
        return tuple(statistics.median(column) for column in zip(*found, strict=True))

    def baseline(self, thread: ev.ChatThread) -> tuple[float, ...]:
        """What SQLite itself takes to write, and to read, the rows of a thread's messages."""
        place = {id(m): number for number, m in enumerate(thread.messages)}
        rows = [
            (
                number,
                m.ecs_id.hex,
                1,
                place.get(id(m.parent)),
                number,
                m.role,
                m.content,
                "{}",
                0,
            )
            for number, m in enumerate(thread.messages)
        ]

        def once() -> Iterator[float]:
            with closing(sqlite3.connect(self.path(), isolation_level=None)) as connection:
                connection.execute("PRAGMA synchronous=EXTRA")
                connection.execute(
                    "CREATE TABLE m (id INTEGER PRIMARY KEY, ecs_id CHAR(32) NOT NULL UNIQUE,"
                    " thread_id INT, parent_id INT, position INT, role TEXT, content TEXT,"
                    " metadata TEXT, hidden INT)"
                )
                start = time.perf_counter()
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany("INSERT INTO m VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
                connection.execute("COMMIT")
                yield time.perf_counter() - start
                start = time.perf_counter()
                connection.execute("SELECT * FROM m").fetchall()
                yield time.perf_counter() - start

        return self.times(once)

    def storage(self, make: Callable[[], Any]) -> tuple[tuple[float, ...], list[int]]:
        """Seconds for registering, registering again and getting; and how many statements."""
        counts: list[int] = []

        def once() -> Iterator[float]:
            entities = make()
            root = entities[0] if isinstance(entities, list) else entities
            path = self.path()
            store = ev.SQLAlchemyEntityStorage(path)
            counts.clear()
            for work in (
                lambda: store.register(entities),
                lambda: store.register(entities),
                lambda: store.get(root.ecs_id),
            ):
                gc.collect()
                with statements_of(store) as statements:
                    start = time.perf_counter()
                    again = work()
                    yield time.perf_counter() - start
                counts.append(len(statements))
            assert find_difference(root, again) is None
            store.engine.dispose()
            path.unlink()

        return self.times(once), counts

    def graph(self, make: Callable[[], Any]) -> tuple[float, ...]:
        """Seconds for building, for components and order, and for drawing."""

        def once() -> Iterator[float]:
            entities = make()
            gc.collect()
            start = time.perf_counter()
            graph = ev.EntityDependencyGraph(entities)
            yield time.perf_counter() - start
            start = time.perf_counter()
            graph.get_topological_sort()
            graph.cyclic_components()
            yield time.perf_counter() - start
            start = time.perf_counter()
            figure = graph.draw().figure
            figure.canvas.draw()
            yield time.perf_counter() - start
            plt.close("all")

        return self.times(once)


# -- the table -------------------------------------------------------------------------------


def seconds(value: float) -> str:
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def row(*cells: Any) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def heading(*cells: str) -> list[str]:
    return ["", row(*cells), row(*(["---"] + ["---:"] * (len(cells) - 1)))]


def machine() -> str:
    versions = ", ".join(f"{name} {__import__(name).__version__}" for name in PACKAGES)
    return (
        f"{platform.system()} on {os.cpu_count()} cores, Python {platform.python_version()},"
        f" SQLite {sqlite3.sqlite_version}, {versions}, ecsviz {ev.__version__}."
    )


def lines(sizes: list[int], repeats: int, folder: Path) -> Iterator[str]:
    bench = Bench(repeats, folder)
    large = sizes[-1]
    yield machine()
    yield f"Seconds, medians of {repeats}; in brackets SQL statements."
    yield from heading(
        "a chat thread of", "register", "again, unchanged", "get", "`executemany`", "`fetchall`"
    )
    shapes: list[tuple[str, Callable[[], Any]]] = [
        (f"{n:,} messages", lambda n=n: chat(n))
        for n in sizes  # type: ignore[misc]  # bound now
    ]
    for (name, make), n in zip(shapes, sizes, strict=True):
        found, counts = bench.storage(make)
        wrote, read = bench.baseline(chat(n))
        cells = [f"{seconds(s)} ({count})" for s, count in zip(found, counts, strict=True)]
        cells[0] += f", {found[0] / wrote:.1f} ×"
        cells[2] += f", {found[2] / read:.1f} ×"
        yield row(name, *cells, seconds(wrote), seconds(read))
    others: list[tuple[str, Callable[[], Any]]] = [
        (f"chain of {large:,}", lambda: ev.sample("chain", n=large)),
        (f"star of {large:,}", lambda: ev.sample("star", n=large)),
        (f"cycle of {large:,}", lambda: cycle(large)),
    ]
    yield from heading("other shapes", "register", "again, unchanged", "get")
    for name, make in others:
        found, counts = bench.storage(make)
        cells = [f"{seconds(s)} ({count})" for s, count in zip(found, counts, strict=True)]
        yield row(name, *cells)
    yield from heading("the graph of", "build", "components and order", "draw")
    for name, make in [*shapes, *others]:
        yield row(name, *map(seconds, bench.graph(make)))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="how often; the median counts")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[100, 10_000, 100_000], help="messages a thread"
    )
    given = parser.parse_args(arguments)
    mpl.use("agg")
    with TemporaryDirectory(prefix="ecsviz-bench-") as folder:
        for line in lines(sorted(given.sizes), given.repeats, Path(folder)):
            print(line, flush=True)


if __name__ == "__main__":
    main()
