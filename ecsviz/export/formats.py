"""Graphs in the formats of other tools: Mermaid, DOT, GraphML, Cytoscape and node-link JSON.

Stored text is never markup in any of them. Nodes are ``n0``, ``n1``, …, by their place in
``graph.nodes`` (the row of ``nodes_frame``); labels are one line, cut, and escaped for the
grammar they stand in; there are no addresses to follow, no ports and no HTML labels.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape

from ecsviz.export.rows import edge_rows, node_rows
from ecsviz.graph.columns import EXPORTED, documented

if TYPE_CHECKING:
    import networkx as nx

from ecsviz.basics.arguments import file_path, natural_number
from ecsviz.basics.files import replacing
from ecsviz.errors import InvalidArgumentError, short_repr
from ecsviz.graph.dependency_graph import EntityDependencyGraph

__all__ = [
    "graphml_text",
    "to_cytoscape",
    "to_dot",
    "to_graphml",
    "to_json",
    "to_networkx",
    "to_node_link",
]

MAX_INDENT: Final = 100
"""How many blanks stand before a line of JSON at the most, per level."""


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
    for node in node_rows(graph):
        names = ("label", "type", "ecs_id")
        inside = ", ".join(f'{name}="{_dot(node[name])}"' for name in names)
        lines.append(f"    {node['id']} [{inside}];")
    for edge in edge_rows(graph):
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


@documented(EXPORTED)
def to_networkx(graph: EntityDependencyGraph) -> nx.MultiDiGraph[str]:
    """Return a graph for networkx that holds texts, numbers and truth values only.

    Parameters
    ----------
    graph
        Of entities, classes or tables.

    Returns
    -------
    MultiDiGraph
        Edges with the keys ``e0``, … and ``label`` (the path), ``field``, ``deferred``,
        ``in_cycle``. Unlike ``graph.to_networkx()``, no entities: what any writer of networkx
        can write. Nodes ``n0``, … with ``label``, ``type``, ``ecs_id`` and

        {columns}

    Notes
    -----
    O(nodes + references).
    """
    import networkx as nx

    result: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    for node in node_rows(graph):
        result.add_node(node.pop("id"), **node)
    for edge in edge_rows(graph):
        result.add_edge(edge.pop("source"), edge.pop("target"), key=edge.pop("id"), **edge)
    return result


def to_graphml(graph: EntityDependencyGraph, path: str | os.PathLike[str]) -> Path:
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
    text = graphml_text(graph)
    file = file_path(path)
    with replacing(file) as part:
        part.write_text(text, encoding="utf-8")
    return file


def graphml_text(graph: EntityDependencyGraph) -> str:
    """Return a graph as GraphML; see `to_graphml`."""
    # Six times faster than networkx' writer, which makes an element object for every value.
    return "\n".join(_graphml_lines(graph))


def _graphml_lines(graph: EntityDependencyGraph) -> Iterator[str]:
    yield "<?xml version='1.0' encoding='utf-8'?>"
    yield '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">'
    for kind, names in (("node", _NODE_TYPES), ("edge", _EDGE_TYPES)):
        for name, value in names.items():
            yield f'  <key id="{kind}_{name}" for="{kind}" attr.name="{name}" attr.type="{value}"/>'
    yield '  <graph edgedefault="directed">'
    for node in node_rows(graph):
        yield f'    <node id="{node["id"]}">{_graphml_data(node, "node", _NODE_TYPES)}</node>'
    for edge in edge_rows(graph):
        ends = f'id="{edge["id"]}" source="{edge["source"]}" target="{edge["target"]}"'
        yield f"    <edge {ends}>{_graphml_data(edge, 'edge', _EDGE_TYPES)}</edge>"
    yield "  </graph>"
    yield "</graphml>\n"


def _graphml_data(row: dict[str, Any], kind: str, names: dict[str, str]) -> str:
    return "".join(f'<data key="{kind}_{name}">{escape(str(row[name]))}</data>' for name in names)


_GRAPHML = {"int64": "long", "bool": "boolean"}
_NODE_TYPES = {
    "label": "string",
    "type": "string",
    "ecs_id": "string",
    **{each.name: _GRAPHML.get(each.dtype, "string") for each in EXPORTED},
}
_EDGE_TYPES = {
    "label": "string",
    "field": "string",
    "deferred": "boolean",
    "in_cycle": "boolean",
}


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
        {"data": {**node, "value": node["id"], "name": node["label"]}} for node in node_rows(graph)
    ]
    edges = [{"data": {**edge, "key": edge["id"]}} for edge in edge_rows(graph)]
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
    edges = [{**edge, "key": edge["id"]} for edge in edge_rows(graph)]
    for edge in edges:
        del edge["id"]
    return {
        "directed": True,
        "multigraph": True,
        "graph": {},
        "nodes": node_rows(graph),
        "edges": edges,
    }


def to_json(
    graph: EntityDependencyGraph,
    path: str | os.PathLike[str] | None = None,
    *,
    indent: int | str | None = None,
) -> str:
    """Return a graph as node-link JSON text.

    Parameters
    ----------
    graph
        Of entities, classes or tables.
    path
        A file to write it to as well; it is replaced.
    indent
        As in ``json.dumps``: how many blanks, up to 100, or the blanks themselves.

    Returns
    -------
    str
        What `to_node_link` returns, as JSON.

    Examples
    --------
    >>> import ecsviz as ev, json, networkx as nx
    >>> text = to_json(ev.EntityDependencyGraph(ev.sample("chain", n=3)))
    >>> nx.node_link_graph(json.loads(text)).number_of_nodes()
    3
    """
    blank = isinstance(indent, str) and not indent.strip(" \t\r\n")
    if not (indent is None or blank or natural_number(indent) in range(MAX_INDENT + 1)):
        raise InvalidArgumentError(
            f"indent is {short_repr(indent)}. Give a whole number from 0 to {MAX_INDENT}, blanks,"
            " or None for one line.",
            value=indent,
        )
    text = json.dumps(to_node_link(graph), ensure_ascii=False, indent=indent)
    if path is not None:
        with replacing(file_path(path)) as file:
            file.write_text(text + "\n", encoding="utf-8")
    return text
