"""Drawing, and what `import ecsviz` costs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

import ecsviz as ev
from benchmarks.timing import Contender, Seconds, Section, rounds
from benchmarks.workload import ROOT

LINES = "LineCollection and scatter, places given"
DRAW = '`graph.draw(group_by="auto")`'
DRAW_MAP = "`graph.draw()`, a map whose places are not known yet"
DRAW_ALL = "`graph.draw(max_nodes=None)`, layout included"

IMPORT = "`import ecsviz`"
IMPORT_PARTS = "`import pydantic, networkx, sqlalchemy`"
IMPORT_USED = "the same, and `from pydantic import BaseModel`"


def edges(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return 1.3 references a node, each to one of the fifty nodes after it: no cycle."""
    chance = np.random.default_rng(5)
    sources = chance.integers(0, nodes - 1, nodes * 13 // 10)
    targets = np.minimum(sources + chance.integers(1, 51, len(sources)), nodes - 1)
    return sources, targets


def shown(figure: Figure | None) -> None:
    assert figure is not None
    figure.canvas.draw()


def draw(folder: Path, size: int, repeats: int) -> Section:
    nodes = max(size // 10, 50)
    sources, targets = edges(nodes)
    names = [f"n{number}" for number in range(nodes)]
    places = np.random.default_rng(6).random((nodes, 2))

    def lines(stack: ExitStack) -> Callable[[], object]:
        stack.callback(plt.close, "all")

        def work() -> None:
            figure, ax = plt.subplots(figsize=(10, 8))
            ax.add_collection(LineCollection(np.stack([places[sources], places[targets]], axis=1)))
            ax.scatter(*places.T, s=4)
            shown(figure)

        return work

    def made() -> ev.EntityDependencyGraph:
        return ev.EntityDependencyGraph.from_parts(
            names, names, ["node"] * nodes, sources, targets, ["next"] * len(sources)
        )

    def ours(options: dict[str, object]) -> Contender:
        def contender(stack: ExitStack) -> Callable[[], object]:
            stack.callback(plt.close, "all")
            graph = made()
            return lambda: shown(graph.draw(**options).get_figure())

        return contender

    def mapped(stack: ExitStack) -> Callable[[], object]:
        stack.callback(plt.close, "all")
        return lambda: shown(made().draw().get_figure())

    race = rounds(
        f"Draw {nodes:,} nodes, {len(sources):,} references",
        {
            LINES: lines,
            DRAW: ours({"group_by": "auto"}),
            DRAW_ALL: ours({"max_nodes": None}),
            DRAW_MAP: mapped,
        },
        repeats,
        limit=LINES,
        notes=["From the graph to the rendered picture; with the map, its building included."],
    )
    return Section([race], [race.at_most(6, 1.5, DRAW, LINES)])


def importing(what: str) -> Contender:
    """Measure an import in a Python of its own."""
    code = f"import time; s = time.perf_counter(); {what}; print(time.perf_counter() - s)"

    def work() -> Seconds:
        command = [sys.executable, "-c", code]
        return Seconds(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)

    return lambda stack: work


def imports(folder: Path, size: int, repeats: int) -> Section:
    parts = "import pydantic, networkx, sqlalchemy"
    race = rounds(
        "Import, each in a new process",
        {
            IMPORT_PARTS: importing(parts),
            IMPORT_USED: importing(f"{parts}; from pydantic import BaseModel"),
            IMPORT: importing("import ecsviz"),
        },
        repeats,
        limit=IMPORT_PARTS,
        notes=["`import pydantic` alone loads its models only when they are first used."],
    )
    return Section([race], [race.at_most(6, 1.3, IMPORT, IMPORT_PARTS)])
