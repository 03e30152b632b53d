"""Graphs as Mermaid flowcharts; large ones as their quotient."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from ecsviz.basics.arguments import count_or_none
from ecsviz.basics.text import counted, plain
from ecsviz.errors import GraphTooLargeError
from ecsviz.export.rows import edge_rows, node_rows
from ecsviz.graph.views import checked_graph

if TYPE_CHECKING:
    from ecsviz.graph.dependency_graph import EntityDependencyGraph

MAX_NAME: Final = 60
"""Characters of a name that has a count behind it."""
MERMAID_LIMIT: Final = 500
"""How many nodes or references Mermaid gets: above 500 edges it refuses by default, and its
layout takes minutes."""


def to_mermaid(graph: EntityDependencyGraph, *, limit: int | None = MERMAID_LIMIT) -> str:
    """Return a graph as a Mermaid flowchart.

    Parameters
    ----------
    graph
        Of entities, classes or tables.
    limit
        How many nodes, and how many references, are written one by one; `MERMAID_LIMIT` by
        default, None for any number. A larger graph is written as its quotient.

    Returns
    -------
    str
        One line a node, then one line a reference; deferred references are dotted. Apart from
        letters and digits nearly all characters of labels are written as ``#code;``. A quotient
        says so in a comment: it has one box a type, or one a component where there is only one
        type, and one arrow for all references of a field between two boxes, with counts.

    Raises
    ------
    InvalidArgumentError
        If `graph` is no graph, or `limit` no number.
    GraphTooLargeError
        If the quotient has more boxes or arrows than `limit`, too.

    Notes
    -----
    The source stands above what it depends on. Mermaid itself refuses texts of more than 50,000
    characters and 500 edges unless ``maxTextSize`` and ``maxEdges`` are configured. O(nodes +
    references).

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
    >>> print(to_mermaid(ev.EntityDependencyGraph(ev.sample("chats")), limit=100))
    flowchart TD
        %% 104 nodes and 380 references, one box a type. With limit=None each is written.
        n0["ChatThread #215; 6"]
        n1["ChatMessage #215; 98"]
        n0 -.->|"messages #215; 98"| n1
        n1 -->|"thread #215; 98"| n0
        n1 -.->|"replies #215; 92"| n1
        n1 -->|"parent #215; 92"| n1
    <BLANKLINE>
    """
    limit = count_or_none(limit, "limit")
    size = max(len(checked_graph(graph)), len(graph.references))
    if limit is not None and size > limit:
        return _quotient(graph, limit)
    return _written(
        [],
        [node["label"] for node in node_rows(graph)],
        [
            (int(edge["source"][1:]), int(edge["target"][1:]), edge["label"], edge["deferred"])
            for edge in edge_rows(graph)
        ],
    )


_Arrow = tuple[int, int, str, bool]


def _written(comments: list[str], boxes: list[str], arrows: list[_Arrow]) -> str:
    lines = ["flowchart TD", *(f"    %% {comment}" for comment in comments)]
    lines += [f'    n{number}["{_escaped(label)}"]' for number, label in enumerate(boxes)]
    for source, target, label, dotted in arrows:
        line = "-.->" if dotted else "-->"
        lines.append(f'    n{source} {line}|"{_escaped(label)}"| n{target}')
    return "\n".join([*lines, ""])


def _quotient(graph: EntityDependencyGraph, limit: int) -> str:
    types = list(graph.arrays.types)
    what, groups = "type", types
    if len(set(types)) == 1:
        components = graph.ordering.component.tolist()
        if len(set(components)) <= limit:
            what, groups = "component", components
    number = {group: n for n, group in enumerate(dict.fromkeys(groups))}
    places = [number[group] for group in groups]
    boxes = _boxes(graph, what, places)
    arrows = _arrows(graph, places)
    nodes, references = len(graph), len(graph.references)
    if max(len(boxes), len(arrows)) > limit:
        raise GraphTooLargeError(
            f"The graph has {nodes:,} nodes and {references:,} references; one box a {what} makes"
            f" {len(boxes):,} boxes and {len(arrows):,} arrows, and Mermaid gets at most {limit:,}"
            f" of each. Build a graph of a part, take to_dot() or to_graphml(), or give"
            f" to_mermaid(limit=None).",
            n=max(nodes, references),
            limit=limit,
        )
    counts = f"{counted(nodes, 'node')} and {counted(references, 'reference')}"
    return _written(
        [f"{counts}, one box a {what}. With limit=None each is written."], boxes, arrows
    )


def _boxes(graph: EntityDependencyGraph, what: str, places: list[int]) -> list[str]:
    sizes = Counter(places)
    first: dict[int, int] = {}
    for node, place in enumerate(places):
        first.setdefault(place, node)
    if what == "type":
        return [
            f"{plain(graph.arrays.types[node], MAX_NAME)} × {sizes[place]:,}"
            for place, node in first.items()
        ]
    labels = [node["label"] for node in node_rows(graph)]
    return [
        labels[node] + (f" and {sizes[place] - 1:,} more" if sizes[place] > 1 else "")
        for place, node in first.items()
    ]


def _arrows(graph: EntityDependencyGraph, places: list[int]) -> list[_Arrow]:
    counts: Counter[tuple[int, int, str]] = Counter()
    deferred: Counter[tuple[int, int, str]] = Counter()
    for edge in edge_rows(graph):
        source, target = places[int(edge["source"][1:])], places[int(edge["target"][1:])]
        key = source, target, edge["field"]
        counts[key] += 1
        deferred[key] += edge["deferred"]
    return [
        (
            source,
            target,
            f"{plain(name, MAX_NAME)} × {count:,}",
            deferred[source, target, name] == count,
        )
        for (source, target, name), count in counts.items()
    ]


def _escaped(label: str) -> str:
    # Mermaid looks for entities, Markdown, formulas, icons and its own directives even inside
    # quotes, and for the placeholders ﬂ°…¶ß that it puts in the place of entities: it looks for
    # these once more after the entities are resolved, so they get a space of no width inside.
    label = label.replace("ﬂ°", "ﬂ\u200b°").replace("¶ß", "¶\u200bß")
    encoded = "".join(
        char if (char.isalnum() and char not in "ﬂß") or char == " " else f"#{ord(char)};"
        for char in label
    )
    return encoded or " "
