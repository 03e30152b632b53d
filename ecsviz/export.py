"""Graphs in the formats of other tools: Mermaid, DOT, GraphML, Cytoscape and node-link JSON.

Stored text is never markup in any of them. Nodes are ``n0``, ``n1``, …, by their place in
``graph.nodes`` (the row of ``nodes_frame``); labels are one line, cut, and escaped for the
grammar they stand in; there are no addresses to follow, no ports and no HTML labels.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ecsviz.errors import GraphTooLargeError
from ecsviz.export_parquet import read_parquet, to_parquet
from ecsviz.export_sheets import to_csv, to_excel
from ecsviz.labels import label_of

if TYPE_CHECKING:
    import networkx as nx

    from ecsviz.graph import EntityDependencyGraph

__all__ = [
    "MAX_LABEL",
    "MERMAID_LIMIT",
    "graphml_text",
    "plain",
    "read_parquet",
    "to_csv",
    "to_cytoscape",
    "to_dot",
    "to_excel",
    "to_graphml",
    "to_mermaid",
    "to_networkx",
    "to_node_link",
    "to_parquet",
]

MAX_LABEL: Final = 80
"""Characters of a label: what still reads as one."""
MERMAID_LIMIT: Final = 500
"""How many nodes or references Mermaid gets: above 500 edges it refuses by default, and its
layout takes minutes."""

# What a file of text must not hold, or what would change how it reads: control characters, line
# and paragraph separators, halves of surrogate pairs, non-characters, and the marks that turn the
# direction of writing.
_UNWANTED = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff"
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]|[\U0001fffe\U0001ffff]"
)


def plain(text: str, limit: int = MAX_LABEL) -> str:
    r"""Return one line of text without control characters.

    Parameters
    ----------
    text
        Any text.
    limit
        Characters, `MAX_LABEL` by default; what is longer ends in ``…``.

    Examples
    --------
    >>> plain("a\n b\x07\u202e"), plain("x" * 10, limit=4)
    ('a b', 'xxx…')
    """
    if len(text) <= limit and text.isprintable():
        return text.strip()
    # Twice the limit is enough to cut from, and keeps a huge text from being worked through.
    line = " ".join(_UNWANTED.sub("", text[: 2 * limit]).split())
    return line if len(line) <= limit and len(text) <= 2 * limit else line[: limit - 1] + "…"


def to_mermaid(graph: EntityDependencyGraph, *, limit: int | None = MERMAID_LIMIT) -> str:
    """Return a graph as a Mermaid flowchart.

    Parameters
    ----------
    graph
        Of entities, classes or tables.
    limit
        How many nodes, and how many references, at the most; `MERMAID_LIMIT` by default, None
        for any number.

    Returns
    -------
    str
        One line a node, then one line a reference; deferred references are dotted. Apart from
        letters and digits nearly all characters of labels are written as ``#code;``.

    Raises
    ------
    GraphTooLargeError
        If there are more nodes or references than `limit`.

    Notes
    -----
    The source stands above what it depends on. Mermaid itself refuses texts of more than 50,000
    characters and 500 edges unless ``maxTextSize`` and ``maxEdges`` are configured.

    Examples
    --------
    >>> import ecsviz as ev
    >>> graph = ev.EntityDependencyGraph.from_parts(
    ...     ["staff", "store"], ["staff", "store"], ["table"] * 2, [0], [1], ["store_id"]
    ... )
    >>> print(to_mermaid(graph))
    flowchart TD
        n0["staff"]
        n1["store"]
        n0 -->|"store#95;id"| n1
    <BLANKLINE>
    """
    _check_size(graph, limit)
    nodes, edges = _nodes(graph), _edges(graph)
    lines = ["flowchart TD"]
    lines += [f'    {node["id"]}["{_mermaid(node["label"])}"]' for node in nodes]
    for edge in edges:
        arrow = "-.->" if edge["deferred"] else "-->"
        lines.append(f'    {edge["source"]} {arrow}|"{_mermaid(edge["label"])}"| {edge["target"]}')
    return "\n".join([*lines, ""])


def _check_size(graph: EntityDependencyGraph, limit: int | None) -> None:
    nodes, references = len(graph), len(graph.references)
    if limit is not None and max(nodes, references) > limit:
        raise GraphTooLargeError(
            f"The graph has {nodes:,} nodes and {references:,} references; Mermaid gets at most"
            f" {limit:,} of each. Build a graph of a part, take to_dot() or to_graphml(), or give"
            f" ecsviz.export.to_mermaid(graph, limit=None).",
            n=max(nodes, references),
            limit=limit,
        )


def _mermaid(label: str) -> str:
    # Mermaid looks for entities, Markdown, formulas, icons and its own directives even inside
    # quotes, and for the placeholders ﬂ°…¶ß that it puts in the place of entities.
    encoded = "".join(
        char if (char.isalnum() and char not in "ﬂß") or char == " " else f"#{ord(char)};"
        for char in label
    )
    return encoded or " "


def to_dot(graph: EntityDependencyGraph) -> str:
    """Return a graph in Graphviz' DOT language.

    Parameters
    ----------
    graph
        Of entities, classes or tables.

    Returns
    -------
    str
        Nodes with ``label``, ``type`` and ``ecs_id``, edges with ``label``; deferred references
        are dashed.

    Notes
    -----
    O(nodes + references). UTF-8.

    Examples
    --------
    >>> import ecsviz as ev
    >>> graph = ev.EntityDependencyGraph.from_parts(
    ...     ["staff", "store"], ["staff", "store"], ["table"] * 2, [0], [1], ["store_id"]
    ... )
    >>> print(to_dot(graph))
    digraph ecsviz {
        node [shape=box];
        n0 [label="staff", type="table", ecs_id="staff"];
        n1 [label="store", type="table", ecs_id="store"];
        n0 -> n1 [label="store_id"];
    }
    <BLANKLINE>
    """
    lines = ["digraph ecsviz {", "    node [shape=box];"]
    for node in _nodes(graph):
        names = ("label", "type", "ecs_id")
        inside = ", ".join(f'{name}="{_dot(node[name])}"' for name in names)
        lines.append(f"    {node['id']} [{inside}];")
    for edge in _edges(graph):
        style = ", style=dashed" if edge["deferred"] else ""
        label = _dot(edge["label"])
        lines.append(f'    {edge["source"]} -> {edge["target"]} [label="{label}"{style}];')
    return "\n".join([*lines, "}", ""])


def _dot(text: str) -> str:
    # Graphviz resolves HTML entities, then backslash sequences, in quoted labels too. Angle
    # brackets need no escape there, but become an HTML label in tools that drop the quotes.
    for char, escaped in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ('"', "&quot;"),
        ("\\", "\\\\"),
    ):
        text = text.replace(char, escaped)
    return text


def to_networkx(graph: EntityDependencyGraph) -> nx.MultiDiGraph[str]:
    """Return a graph for networkx that holds texts, numbers and truth values only.

    Parameters
    ----------
    graph
        Of entities, classes or tables.

    Returns
    -------
    MultiDiGraph
        Nodes ``n0``, … with ``label``, ``type``, ``ecs_id``, ``order``, ``generation``,
        ``in_cycle``; edges with the keys ``e0``, … and ``label`` (the path), ``field``,
        ``deferred``, ``in_cycle``. Unlike ``graph.to_networkx()``, no entities: what any writer
        of networkx can write.

    Notes
    -----
    O(nodes + references).
    """
    import networkx as nx

    result: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    for node in _nodes(graph):
        result.add_node(node.pop("id"), **node)
    for edge in _edges(graph):
        result.add_edge(edge.pop("source"), edge.pop("target"), key=edge.pop("id"), **edge)
    return result


def to_graphml(graph: EntityDependencyGraph, path: str | Path) -> Path:
    """Write a graph as GraphML, for yEd, Gephi, igraph and their like.

    Parameters
    ----------
    graph
        Of entities, classes or tables.
    path
        The file; it is replaced.

    Returns
    -------
    Path
        The file.

    Notes
    -----
    Attributes as in ``ecsviz.export.to_networkx``, typed. O(nodes + references).

    Examples
    --------
    >>> import ecsviz as ev, networkx as nx, tempfile
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = to_graphml(ev.EntityDependencyGraph(thread), f"{folder}/thread.graphml")
    ...     nx.read_graphml(file, force_multigraph=True).number_of_edges()
    2
    """
    file = Path(path)
    file.write_text(graphml_text(graph), encoding="utf-8")
    return file


def graphml_text(graph: EntityDependencyGraph) -> str:
    """Return a graph as GraphML; see `to_graphml`."""
    import networkx as nx

    return "\n".join(nx.generate_graphml(to_networkx(graph)))


def to_cytoscape(graph: EntityDependencyGraph) -> dict[str, Any]:
    """Return a graph as JSON for Cytoscape and Cytoscape.js.

    Parameters
    ----------
    graph
        Of entities, classes or tables.

    Returns
    -------
    dict
        ``elements`` holds ``nodes`` and ``edges``, each a ``data`` with the attributes of
        ``ecsviz.export.to_networkx``; plain types throughout, ready for ``json.dumps``.
        ``networkx.cytoscape_graph`` reads it too.

    Notes
    -----
    Labels are text: in Cytoscape.js they are drawn, never parsed. O(nodes + references).

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> data = to_cytoscape(ev.EntityDependencyGraph(thread))
    >>> [edge["data"]["label"] for edge in data["elements"]["edges"]]
    ['messages[0]', 'thread']
    """
    # `value`, `name` and `key` are what networkx reads a node's and an edge's identity from.
    nodes = [
        {"data": {**node, "value": node["id"], "name": node["label"]}} for node in _nodes(graph)
    ]
    edges = [{"data": {**edge, "key": edge["id"]}} for edge in _edges(graph)]
    return {
        "data": [],
        "directed": True,
        "multigraph": True,
        "elements": {"nodes": nodes, "edges": edges},
    }


def to_node_link(graph: EntityDependencyGraph) -> dict[str, Any]:
    """Return a graph as node-link JSON, as D3 and ``networkx.node_link_graph`` read it.

    Parameters
    ----------
    graph
        Of entities, classes or tables.

    Returns
    -------
    dict
        ``nodes`` and ``edges`` with the attributes of ``ecsviz.export.to_networkx``; plain types
        throughout, ready for ``json.dumps``.

    Notes
    -----
    O(nodes + references).

    Examples
    --------
    >>> import ecsviz as ev, networkx as nx
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> data = to_node_link(ev.EntityDependencyGraph(thread))
    >>> nx.node_link_graph(data).number_of_edges("n0", "n1")
    1
    """
    edges = [{**edge, "key": edge["id"]} for edge in _edges(graph)]
    for edge in edges:
        del edge["id"]
    return {
        "directed": True,
        "multigraph": True,
        "graph": {},
        "nodes": _nodes(graph),
        "edges": edges,
    }


def _nodes(graph: EntityDependencyGraph) -> list[dict[str, Any]]:
    parts, order = graph._parts, graph._order
    position = np.empty(len(parts.nodes), dtype=np.int64)
    position[order.sequence] = np.arange(len(parts.nodes))
    return [
        {
            "id": f"n{number}",
            "label": plain(label_of(node, MAX_LABEL)),
            "type": plain(kind),
            "ecs_id": plain(str(node_id)),
            "order": place,
            "generation": generation,
            "in_cycle": in_cycle,
        }
        for number, (node, kind, node_id, place, generation, in_cycle) in enumerate(
            zip(
                parts.nodes,
                parts.types,
                parts.ids,
                position.tolist(),
                order.generation.tolist(),
                order.cyclic[order.component].tolist(),
                strict=True,
            )
        )
    ]


def _edges(graph: EntityDependencyGraph) -> list[dict[str, Any]]:
    parts, order = graph._parts, graph._order
    result = []
    ends = zip(parts.sources.tolist(), parts.targets.tolist(), strict=True)
    deferred, in_cycle = order.deferred.tolist(), order.in_cycle.tolist()
    for number, (source, target) in enumerate(ends):
        field, path = parts.place_of(number)
        result.append(
            {
                "id": f"e{number}",
                "source": f"n{source}",
                "target": f"n{target}",
                "label": plain(path),
                "field": plain(field),
                "deferred": deferred[number],
                "in_cycle": in_cycle[number],
            }
        )
    return result
