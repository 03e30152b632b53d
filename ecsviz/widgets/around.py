"""What is around one node of a graph: its fields, its references, a picture of its neighbours.

Texts and elements only, no widgets; nothing is built for more than is shown.
"""

from __future__ import annotations

import io
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import numpy as np

from ecsviz.errors import short_repr
from ecsviz.export import plain
from ecsviz.graph import EntityDependencyGraph
from ecsviz.html import Cell, Element, block, element, picture, shown_of, table
from ecsviz.identity import is_entity_class
from ecsviz.labels import label_of
from ecsviz.order import group

FIELDS: Final = 50
"""How many fields of an entity are shown."""
LINKED: Final = 200
"""How many references of one entity are listed in each direction."""
PICTURED: Final = 12
"""How many neighbours the picture shows: more cannot be told apart in its size."""

_PLAIN: Final = (bool, int, float, Decimal, UUID, datetime, date, time, timedelta)


class Around:
    """Looks at one node of a graph after the other.

    Exists so that what a graph needs for it (references grouped by their ends) is made once.
    Nodes are named by their number, their place in ``graph.nodes``.

    Parameters
    ----------
    graph
        Of entities, classes or tables.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> around = Around(ev.EntityDependencyGraph(thread))
    >>> around.name(1)
    '2. ChatMessage user: hello'
    >>> around.links(1)[1]
    [('→ thread: 1. ChatThread Cycles', 0), ('← 1. ChatThread Cycles: messages[0] (deferred)', 0)]
    """

    def __init__(self, graph: EntityDependencyGraph) -> None:
        self._parts, self._order = graph._parts, graph._order
        edges = np.arange(len(self._parts.sources))
        self._leaving = group(self._parts.sources, edges)
        self._coming = group(self._parts.targets, edges)
        self._steps = np.empty(len(self._parts.nodes), dtype=np.int64)
        self._steps[self._order.sequence] = np.arange(1, len(self._steps) + 1)

    def step(self, number: int) -> int:
        """Return the place of a node in the topological order, from 1."""
        return int(self._steps[number])

    def name(self, number: int) -> str:
        """Return the place in the order and the label: unlike any other node's name."""
        return f"{self.step(number):,}. {plain(label_of(self._parts.nodes[number], 60))}"

    def heading(self, number: int) -> Element:
        """Return a node's label, its place in the graph and its id."""
        node, order = self._parts.nodes[number], self._order
        component = order.component[number]
        members = int(np.count_nonzero(order.component == component))
        inside = f"in a cyclic component of {members:,}" if members > 1 else "holds itself"
        facts = (
            f"step {self.step(number):,} of {len(self._parts.nodes):,},"
            f" generation {int(order.generation[number]):,},"
            f" {inside if order.cyclic[component] else 'in no cycle'}"
        )
        return block(
            element("p", plain(label_of(node, 80)), look="title", dir="auto"),
            element("p", facts, look="note"),
            element("p", f"ecs_id {self._parts.ids[number]}", look="code"),
        )

    def details(self, number: int) -> Element:
        """Return a node's fields as a table."""
        rows = fields_of(self._parts.nodes[number])
        if not rows:
            return block()
        note = shown_of(FIELDS, len(rows), "fields") if len(rows) > FIELDS else None
        return table(["field", "value"], rows[:FIELDS], note=note)

    def links(self, number: int) -> tuple[str, list[tuple[str, int]]]:
        """Return the references out of and into a node.

        Returns
        -------
        tuple
            A sentence that says how many are shown, and (text, number of the other end).
        """
        leaving, coming = self._leaving(number), self._coming(number)
        options = []
        for edge in leaving[:LINKED].tolist():
            target = int(self._parts.targets[edge])
            options.append((f"→ {self._place(edge)}: {self.name(target)}", target))
        for edge in coming[:LINKED].tolist():
            source = int(self._parts.sources[edge])
            options.append((f"← {self.name(source)}: {self._place(edge)}", source))
        out = shown_of(min(len(leaving), LINKED), len(leaving), "references out (→)")
        back = shown_of(min(len(coming), LINKED), len(coming), "references in (←)")
        return f"Links: {out}, {back}; choose one to go there.", options

    def _place(self, edge: int) -> str:
        path = plain(self._parts.place_of(edge)[1])
        return f"{path} (deferred)" if self._order.deferred[edge] else path

    def picture(self, number: int) -> Element:
        """Return a drawing of a node and its direct neighbours, with what it shows as text."""
        from matplotlib.figure import Figure

        from ecsviz import draw

        near, count = self.neighbourhood(number)
        node = self._parts.nodes[number]
        kinds = {id(other): kind for other, kind in zip(near.nodes, near._parts.types, strict=True)}
        kinds[id(node)] = "selected"
        figure = Figure(figsize=(5, 3.6), dpi=96)
        # By colour, since to highlight one node would fade its neighbours.
        draw.draw_graph(
            near,
            ax=figure.add_axes((0.02, 0.02, 0.96, 0.88)),
            color_by=lambda other: kinds[id(other)],
        )
        file = io.BytesIO()
        figure.savefig(file, format="png")
        note = shown_of(len(near) - 1, count, "direct neighbours")
        alt = (
            f"{plain(label_of(node, 60))} and its direct neighbours:"
            f" {len(near.references)} references; {note}"
        )
        return block(picture(file.getvalue(), alt), element("p", note, look="note"))

    def neighbourhood(self, number: int) -> tuple[EntityDependencyGraph, int]:
        """Return the graph of a node and its first neighbours, and how many it has in all."""
        parts = self._parts
        around = np.concatenate(
            (parts.targets[self._leaving(number)], parts.sources[self._coming(number)])
        )
        neighbours = [other for other in dict.fromkeys(around.tolist()) if other != number]
        numbers = [number, *neighbours[:PICTURED]]
        place = {other: at for at, other in enumerate(numbers)}
        wanted = np.array(numbers)
        edges: list[int] = []
        for other in numbers:
            leaving = self._leaving(other)
            edges += leaving[np.isin(parts.targets[leaving], wanted)].tolist()
        places = [parts.place_of(edge) for edge in edges]
        graph = EntityDependencyGraph.from_parts(
            [parts.nodes[other] for other in numbers],
            [parts.ids[other] for other in numbers],
            [parts.types[other] for other in numbers],
            [place[int(parts.sources[edge])] for edge in edges],
            [place[int(parts.targets[edge])] for edge in edges],
            [path for _, path in places],
            fields=[field for field, _ in places],
            kinds=parts.kinds[edges].tolist(),
        )
        return graph, len(neighbours)


def fields_of(node: Any) -> list[tuple[Cell, Cell]]:
    """Return the fields of a node as (name, value), to stand in a table.

    Parameters
    ----------
    node
        An entity: its values, other entities by their short names. An entity class: its
        annotations. Anything else has no fields.

    Notes
    -----
    Properties are not evaluated.

    Examples
    --------
    >>> import ecsviz as ev
    >>> fields_of(ev.ChatThread(title="Cycles"))[3:5]
    [('title', 'Cycles'), ('messages', '[]')]
    """
    if is_entity_class(type(node)):
        # As the entity's own repr shows it; but texts whole, since one wants to read them.
        shown = {name: value for name, value in node.__repr_args__() if name is not None}
        return [
            (name, _shown(value, shown.get(name, value)))
            for name, value in node.__dict__.items()
            if name != "ecs_id"
        ]
    if is_entity_class(node):
        return [(name, short_repr(field.annotation)) for name, field in node.model_fields.items()]
    return []


def _shown(value: Any, otherwise: Any) -> str | None:
    if value is None or type(value) is str:
        return value
    return str(value) if type(value) in _PLAIN else repr(otherwise)
