"""Graphs of many shapes, and what a LazyGraph must say of them: what networkx says."""

from __future__ import annotations

import json
import random
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd

import ecsviz as ev


def _shapes() -> dict[str, list[tuple[int, int]]]:
    """Return the edges of many graphs: random ones, chains, rings, ladders, stars, trees."""
    chance = random.Random(7)
    found: dict[str, list[tuple[int, int]]] = {}
    for number in range(500):
        n = chance.randint(1, 12)
        edges = [(chance.randrange(n), chance.randrange(n)) for _ in range(chance.randint(1, 20))]
        found[f"r{number:03}"] = edges
    long = 300
    found["chain"] = [(n, n + 1) for n in range(long)]
    found["ring"] = [*found["chain"], (long, 0)]
    found["ladder"] = [
        edge for n in range(long) for edge in ((2 * n, 2 * n + 2), (2 * n + 1, 2 * n + 3))
    ] + [(2 * n, 2 * n + 1) for n in range(long)]
    found["star"] = [(0, n) for n in range(1, long)] + [(n, 0) for n in range(1, long, 7)]
    found["tree"] = [(n, n // 2) for n in range(1, long)]
    return found


def every_shape(folder: Path) -> tuple[Path, ev.EntityDependencyGraph]:
    """One graph of all shapes side by side: what is told of each is told of it alone."""
    edges = [
        (f"{name}_{a:04}", f"{name}_{b:04}") for name, ends in _shapes().items() for a, b in ends
    ]
    names = sorted({name for edge in edges for name in edge})
    place = {name: number for number, name in enumerate(names)}
    ends = np.array([[place[a], place[b]] for a, b in edges]).T
    graph = ev.EntityDependencyGraph.from_parts(
        names, names, ["node"] * len(names), *ends, ["to"] * len(edges)
    )
    file = folder / "edges.parquet"
    pd.DataFrame(edges, columns=["source", "target"]).to_parquet(file)
    return file, graph


def without_digests(folder: Path) -> Path:
    """Let a folder be as it was written before files were digested; return it."""
    file = folder / "graph.json"
    said = json.loads(file.read_text())
    del said["files"], said["digest"]
    file.write_text(json.dumps(said))
    return folder


def check_agrees(graph: ev.LazyGraph, live: ev.EntityDependencyGraph) -> None:
    """Check components, cycles, order and degrees against networkx and the live graph."""
    of = dict(zip(range(1, len(live) + 1), live.nodes, strict=True))
    digraph = nx.DiGraph(live.to_networkx())
    found = graph.components()
    parts = found.groupby("component")["node"].apply(lambda nodes: {of[n] for n in nodes})
    assert sorted(map(sorted, parts)) == sorted(
        map(sorted, nx.weakly_connected_components(digraph))
    )
    assert (found.groupby("component")["node"].min() == parts.index).all()

    cyclic = [
        members
        for members in nx.strongly_connected_components(digraph)
        if len(members) > 1 or digraph.has_edge(*[*members] * 2)
    ]
    in_cycle = graph.in_cycle()
    groups = in_cycle.groupby("component")["node"].apply(lambda nodes: {of[n] for n in nodes})
    assert sorted(map(sorted, groups)) == sorted(map(sorted, cyclic))
    sizes = graph.cyclic_components()
    assert sizes["size"].tolist() == sorted(map(len, cyclic), reverse=True)
    assert graph.status is ev.CycleStatus.CYCLE_DETECTED

    order = graph.get_topological_sort()
    assert [of[n] for n in order["node"]] == live.get_topological_sort()
    nodes = live.nodes_frame().set_index("ecs_id")
    by_name = order.assign(ecs_id=[of[n] for n in order["node"]]).set_index("ecs_id")
    assert by_name["generation"].to_dict() == nodes["generation"].to_dict()
    assert by_name["in_cycle"].to_dict() == nodes["in_cycle"].to_dict()
    levels = graph.generations().set_index("node")["generation"]
    assert {of[n]: level for n, level in levels.items()} == nodes["generation"].to_dict()

    degrees = graph.degrees().set_index("node")
    for column in ("dependencies", "dependents"):
        assert {of[n]: d for n, d in degrees[column].items()} == nodes[column].to_dict()
