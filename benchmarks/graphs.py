"""Walk, components and order of live entities; against the bare walk and against networkx."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path
from typing import Any

import networkx as nx

import ecsviz as ev
from benchmarks import workload
from benchmarks.timing import Goal, Section, Table, rounds
from ecsviz.domain.walk import Walk, walk

WALK = "the bare walk (`ecsviz.domain.walk`)"
OURS = "walk, components and order"
NETWORKX = "networkx on the arrays of a walk: building, condensation, order"

NODE_BYTES = 150
REFERENCE_BYTES = 60


def ask(graph: ev.EntityDependencyGraph) -> ev.EntityDependencyGraph:
    graph.get_topological_sort()
    graph.cyclic_components()
    return graph


def ask_networkx(found: Walk) -> Any:
    graph: nx.MultiDiGraph[int] = nx.MultiDiGraph()
    graph.add_nodes_from(range(len(found)))
    graph.add_edges_from(zip(found.sources, found.targets, strict=True))
    condensed = nx.condensation(graph)
    return graph, condensed, list(nx.topological_sort(condensed))


def graph(folder: Path, size: int, repeats: int) -> Section:
    thread = workload.chat(size)
    found = walk([thread])

    race = rounds(
        f"The graph of {size:,} messages ({len(found.sources):,} references)",
        {
            WALK: lambda stack: lambda: walk([thread]),
            OURS: lambda stack: lambda: ask(ev.EntityDependencyGraph(thread)),
            NETWORKX: lambda stack: lambda: ask_networkx(found),
        },
        repeats,
        limit=WALK,
    )
    bare, ours, theirs = (race.median(name) or 0.0 for name in (WALK, OURS, NETWORKX))
    if ours > bare:
        race.notes.append(
            f"Without the walk on either side networkx takes {theirs / (ours - bare):.0f} × as long"
            " as components and order; the goal counts our walk and not theirs."
        )
    table, node, reference = memory(max(size // 5, 100))
    goals = [
        race.at_most(5, 2, OURS, WALK),
        race.faster(5, 12, OURS, NETWORKX),
        Goal(5, "memory of a node, beyond the entity", NODE_BYTES, node, "bytes"),
        Goal(5, "memory of a reference", REFERENCE_BYTES, reference, "bytes"),
    ]
    return Section([race], goals, [table])


def bytes_of(entities: Any) -> dict[str, int]:
    """Return how many nodes and references a graph has, and the bytes it holds, and its peak."""
    ask(ev.EntityDependencyGraph(entities[:2]))  # what is made once a class
    gc.collect()
    tracemalloc.start()
    try:
        graph = ask(ev.EntityDependencyGraph(entities))
        gc.collect()
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    references = len(graph.references)
    return {"nodes": len(graph), "references": references, "held": held, "peak": peak}


def memory(n: int) -> tuple[Table, float, float]:
    """Return what a node and a reference take: two graphs of n nodes tell them apart."""
    few, many = (bytes_of(workload.linked(n, each)) for each in (1, 5))
    reference = (many["held"] - few["held"]) / (many["references"] - few["references"])
    node = (few["held"] - reference * few["references"]) / n
    table = Table(
        "Memory of a graph beyond its entities (tracemalloc)",
        ["nodes", "references", "bytes held", "bytes at the peak"],
        [[f"{value:,}" for value in found.values()] for found in (few, many)],
        [f"So a node takes {node:.0f} bytes and a reference {reference:.0f}."],
        [few, many],
    )
    return table, node, reference
