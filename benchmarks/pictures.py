"""Pictures beside those of others: ``python -m benchmarks.pictures FOLDER`` writes a PNG a graph.

Twelve graphs, each drawn by ecsviz (``draw()`` and the explorer) and by what else is here: networkx
(forces, and rows), igraph, Graphviz' ``dot``, ipycytoscape, ipysigma, yFiles, pyvis. What is not
installed is left out, and told. Above each picture stand its seconds of CPU, but for widgets, which
lay out in a page, for which they have ``--seconds``. A folder of each graph holds the pictures one
by one. ``docs/beside_others.md`` says who would pick what, and why.
"""

from __future__ import annotations

import argparse
import io
import random
import resource
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import networkx as nx
from pydantic import Field

import ecsviz as ev

Graph = ev.EntityDependencyGraph
SIDE = 7.0
"""How wide a picture of the sheet is, in inches."""


class Person(ev.Entity):
    name: str
    manager: Person | None = ev.reference(default=None, inverse="reports")
    reports: list[Person] = ev.reference(default_factory=list, inverse="manager")


class Paper(ev.Entity):
    title: str
    cites: list[Paper] = Field(default_factory=list)


def chat(messages: int, seed: int = 1) -> Graph:
    chance, thread, said = random.Random(seed), ev.ChatThread(title=f"{messages} messages"), []
    for number in range(messages):
        before = said[number // 2 if chance.random() < 0.1 else -1] if said else None
        role = "assistant" if number % 2 else "user"
        said.append(thread.say(role, f"What is said as number {number}", before))
    return Graph(thread)


def company(people: int) -> Graph:
    staff = [Person(name=f"Person {number}") for number in range(people)]
    for number in range(1, people):
        boss = staff[(number - 1) // 3]
        staff[number].manager = boss
        boss.reports.append(staff[number])
    return Graph(staff[0])


def papers() -> Graph:
    what = ["rings", "fields", "groups", "numbers", "heat", "light", "games", "sets", "knots"]
    written = [Paper(title=f"On the theory of {w} and its many applications") for w in what]
    chance = random.Random(2)
    for number in range(1, len(written)):
        for other in chance.sample(range(number), min(2, number)):
            written[number].cites.append(written[other])
    return Graph(written)


def of_edges(edges: set[tuple[int, int]], n: int, name: str = "n") -> Graph:
    names = [f"{name}-{node}" for node in range(n)]
    a, b = zip(*sorted(edges), strict=True)
    return Graph.from_parts(names, names, [name] * n, a, b, ["needs"] * len(a))


def tangle(n: int, reach: int = 50, seed: int = 1) -> Graph:
    """Return what mostly needs what stands near, with a large cyclic component in it."""
    chance = random.Random(seed)
    edges = {(chance.randrange(max(0, k - reach), k), k) for k in range(1, n)}
    for k in range(n // 3):
        a = chance.randrange(1, n)
        near = chance.randrange(max(0, a - reach), a)
        edges.add((near, a) if k % 3 else (a, near))
    return of_edges({*edges, (n - 1, 0)}, n)


def packages(n: int, seed: int = 2) -> Graph:
    chance = random.Random(seed)
    members: list[list[int]] = [[] for _ in range(max(4, int(n**0.5 / 4)))]
    edges = set()
    for node in range(n):
        pool = members[node if node < len(members) else chance.randrange(len(members))]
        for _ in range(chance.choice((1, 1, 2, 3))):
            if pool and chance.random() < 0.9:
                place = min(int(chance.expovariate(1) * len(pool) ** 0.5), len(pool) - 1)
                edges.add((node, pool[place]))
            elif node:
                edges.add((node, chance.randrange(node)))
        pool.append(node)
    some = chance.sample(sorted(edges), max(2, n // 200))
    return of_edges({*edges, *((b, a) for a, b in some)}, n, "pkg")


GRAPHS: dict[str, Callable[[], Graph]] = {
    "chat of 3": lambda: chat(2),
    "company of 11": lambda: company(11),
    "three cycles that meet": lambda: Graph(ev.sample("interlocked")),
    "thread": lambda: Graph(ev.sample("thread")),
    "the demo": lambda: Graph(ev.read_chat(ev.samples.sample_file("chats"), progress=False)),
    "papers": papers,
    "tangle of 50": lambda: tangle(50),
    "tangle of 200": lambda: tangle(200),
    "packages, 500": lambda: packages(500),
    "chat of 500": lambda: chat(500),
    "packages, 2,000": lambda: packages(2_000),
    "packages, 10,000": lambda: packages(10_000),
}


# -- tools: each draws a graph, and returns a PNG -----------------------------------------------


def _png(figure: Any) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100)
    plt.close(figure)
    return file.getvalue()


def ours(graph: Graph) -> bytes:
    return _png(graph.draw().get_figure())


def labelled(graph: Graph) -> nx.DiGraph[int]:
    """Return a graph as its peers take it: numbers with labels, each reference once."""
    parts = graph.arrays
    result: nx.DiGraph[int] = nx.DiGraph()
    for number, label in enumerate(graph.nodes_frame()["label"]):
        result.add_node(number, label=label[:24])
    result.add_edges_from(zip(parts.sources.tolist(), parts.targets.tolist(), strict=True))
    return result


def _by_networkx(graph: Graph, layout: Callable[[Any], Any]) -> bytes:
    whole = labelled(graph)
    figure, ax = plt.subplots(figsize=(SIDE, SIDE))
    few = len(whole) <= 100
    labels = nx.get_node_attributes(whole, "label") if few else {}
    nx.draw_networkx(
        whole,
        layout(whole),
        ax=ax,
        labels=labels,
        with_labels=few,
        node_size=200 if few else 8,
        font_size=7,
        width=0.6,
        arrows=few,
    )
    return _png(figure)


def networkx_forces(graph: Graph) -> bytes:
    return _by_networkx(graph, lambda whole: nx.spring_layout(whole, seed=1))


def networkx_rows(graph: Graph) -> bytes:
    generation = graph.ordering.generation.tolist()

    def rows(whole: Any) -> Any:
        nx.set_node_attributes(whole, dict(enumerate(generation)), "layer")
        return nx.multipartite_layout(whole, subset_key="layer", align="horizontal")

    return _by_networkx(graph, rows)


def igraph_layered(graph: Graph) -> bytes:
    import igraph

    parts = graph.arrays
    whole = igraph.Graph(len(graph), list(zip(parts.sources, parts.targets, strict=True)), True)
    figure, ax = plt.subplots(figsize=(SIDE, SIDE))
    few = len(graph) <= 100
    names = [label for _, label in labelled(graph).nodes("label")] if few else None
    igraph.plot(
        whole,
        layout=whole.layout_sugiyama(),
        target=ax,
        vertex_size=14 if few else 6,
        vertex_label=names,
        vertex_label_size=8,
        edge_width=0.5,
    )
    return _png(figure)


def graphviz_dot(graph: Graph) -> bytes:
    try:
        done = subprocess.run(
            ["dot", "-Tpng", "-Gsize=12,12!"],
            input=graph.to_dot().encode(),
            capture_output=True,
            check=False,
            timeout=60,
        )
    except subprocess.TimeoutExpired:
        return b""
    return done.stdout


def pyvis_page(graph: Graph) -> str:
    """Return a page that asks nobody for anything, as far as pyvis can."""
    from pyvis.network import Network

    network = Network(height="960px", directed=True, cdn_resources="in_line")
    network.from_nx(labelled(graph))
    text: str = network.generate_html()
    return text


TOOLS: dict[str, Callable[[Graph], bytes]] = {
    "ecsviz": ours,
    "networkx, forces": networkx_forces,
    "networkx, rows": networkx_rows,
    "igraph": igraph_layered,
    "dot": graphviz_dot,
}
MOST = {
    "networkx, forces": 2_000,
    "dot": 2_000,
    "igraph": 2_000,
    "ipycytoscape": 200,
    "yFiles": 500,
    "pyvis": 500,
}
"""Of how many nodes a tool draws in less than minutes, and without more than its defaults."""


def _is_here(tool: str) -> bool:
    if tool == "dot":
        return shutil.which("dot") is not None
    return tool != "igraph" or find_spec("igraph") is not None


def _spent() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


Shot = tuple[str, bytes]
"""What stands above a picture, and the picture."""


def shots(name: str, graph: Graph, tools: list[str], live: Any) -> dict[str, Shot]:
    """Return the pictures of a graph by all tools that draw one of its size."""
    made: dict[str, Shot] = {}
    fit = [tool for tool in tools if len(graph) <= MOST.get(tool, len(graph))]
    for tool in set(tools) - set(fit):
        made[tool] = f"{tool}: not above {MOST[tool]:,}", b""
    for tool in fit:
        if tool in TOOLS:
            start = _spent()
            data = TOOLS[tool](graph)
            told = f"{_spent() - start:.1f} s" if data else "takes minutes"
            made[tool] = f"{tool}, {told}", data
            print(f"{name:24} {made[tool][0]}", flush=True)
    if live is not None:
        page = pyvis_page(graph) if "pyvis" in fit else None
        for tool, data in live.shots(name, fit, page):
            made[tool] = tool, data
            print(f"{name:24} {tool}", flush=True)
    return made


def sheet(name: str, tools: list[str], made: dict[str, Shot], path: Path) -> None:
    """Write one picture of all tools' pictures of a graph."""
    columns = min(4, len(tools))
    rows = -(-len(tools) // columns)
    size = (SIDE * columns, (SIDE + 0.4) * rows + 0.4)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for ax in axes.flat:
        ax.set_axis_off()
    for tool, ax in zip(tools, axes.flat, strict=False):
        title, data = made.get(tool, (f"{tool} gives no picture", b""))
        ax.set_title(title, fontsize=18)
        if data:
            ax.imshow(plt.imread(io.BytesIO(data)))
    figure.suptitle(name, fontsize=22)
    figure.savefig(path, dpi=80)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", default=list(GRAPHS), help="names of graphs")
    parser.add_argument("--tools", nargs="*", help="names of tools; all that are here by default")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--seconds", type=float, default=8, help="for layouts that move")
    options = parser.parse_args()
    from benchmarks import pictures_live

    options.folder.mkdir(parents=True, exist_ok=True)
    plt.switch_backend("agg")
    tools = [tool for tool in TOOLS if _is_here(tool)] + pictures_live.tools()
    missing = [tool for tool in (*TOOLS, *pictures_live.CELLS, "pyvis") if tool not in tools]
    for tool in options.tools or missing:
        if tool in missing:
            print(f"{tool}: not installed, left out", flush=True)
    tools = [tool for tool in options.tools or tools if tool in tools]
    style = "dark_background" if options.dark else "default"
    with plt.style.context(style), ExitStack() as stack:
        live = None
        if any(tool not in TOOLS for tool in tools):
            live = stack.enter_context(pictures_live.opened_pages(options.seconds))
        for name in options.only:
            file = name.replace(",", "").replace(" ", "_")
            made = shots(name, GRAPHS[name](), tools, live)
            (folder := options.folder / file).mkdir(exist_ok=True)
            for tool, (_, data) in made.items():
                if data:
                    (folder / f"{tool.replace(', ', '_')}.png").write_bytes(data)
            sheet(name, tools, made, options.folder / f"{file}.png")


if __name__ == "__main__":
    main()
