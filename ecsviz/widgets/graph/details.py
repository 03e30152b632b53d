"""What is around one node of a graph: its fields, its references, its neighbours.

Texts and numbers only; nothing is built for more than is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Final
from uuid import UUID

import numpy as np

from ecsviz.basics.html import readable, shown_of
from ecsviz.basics.order import Ints, group
from ecsviz.basics.text import counted, plain
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.domain.labels import label_of
from ecsviz.domain.plain_objects import is_plain_class, values_of
from ecsviz.domain.scalars import SCALARS
from ecsviz.errors import EntityNotFoundError, did_you_mean, short_repr
from ecsviz.graph.columns import NODE_COLUMNS
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.layout.overview import noun_of
from ecsviz.widgets.base import uuid_of

FIELDS: Final = 50
"""How many fields of an entity are shown."""
ROWS: Final = 100
"""How many entities a page of the table lists."""
LINKED: Final = 200
"""How many references of one entity are listed in each direction."""

_PLAIN: Final = frozenset(SCALARS) - {bytes}


class Around:
    """Looks at one node of a graph after the other.

    Exists so that what a graph needs for it (references grouped by their ends) is made once.
    Nodes are named by their number, their place in ``graph.nodes``.

    Parameters
    ----------
    graph
        Of entities, classes or tables.
    single
        The same nodes without what is not to count as a cycle; None for the graph itself.

    Attributes
    ----------
    deferred
        Shape (references,): which are deferred, as far as they are in what counts as a cycle.
    steps
        Shape (nodes,): the place of every node in the topological order, from 1.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> around = Around(ev.EntityDependencyGraph(thread))
    >>> around.name(1)
    '2. ChatMessage user: hello'
    >>> [link["text"] for link in around.links(1)["listed"]]
    ['thread: 1. ChatThread Cycles', '1. ChatThread Cycles: messages[0]']
    """

    def __init__(
        self, graph: EntityDependencyGraph, single: EntityDependencyGraph | None = None
    ) -> None:
        self._graph, self._parts = graph, graph.arrays
        self._order = graph.ordering if single is None else single.ordering
        self.deferred = self._order.deferred
        if single is not None and single is not graph:
            self.deferred = np.zeros(len(self._parts.sources), dtype=bool)
            self.deferred[~graph.arrays.paired()[0]] = self._order.deferred
        edges = np.arange(len(self._parts.sources))
        self._leaving = group(self._parts.sources, edges)
        self._coming = group(self._parts.targets, edges)
        self.steps: Ints = np.empty(len(self._parts.nodes), dtype=np.int64)
        self.steps[graph.ordering.sequence] = np.arange(1, len(self.steps) + 1)

    @property
    def references(self) -> Ints:
        """What each reference leads to, shape (references,)."""
        return self._parts.targets

    def step(self, number: int) -> int:
        """Return the place of a node in the topological order, from 1."""
        return int(self.steps[number])

    def name(self, number: int) -> str:
        """Return the place in the order and the label: unlike any other node's name."""
        return f"{self.step(number):,}. {plain(label_of(self._parts.nodes[number], 60))}"

    def label(self, number: int) -> str:
        """Return what stands beside a point."""
        return label_of(self._parts.nodes[number], 28, with_type=False)

    def row(self, number: int) -> dict[str, Any]:
        """Return a node as a line of a table: names, numbers and texts."""
        cyclic = bool(self._order.cyclic[self._order.component[number]])
        return {
            "node": number,
            "step": self.step(number),
            "type": plain(self._parts.types[number], 60),
            "label": plain(label_of(self._parts.nodes[number], 60, with_type=False)),
            "out": len(self._leaving(number)),
            "in": len(self._coming(number)),
            "cycle": cyclic,
        }

    def rows(self, matches: Ints, first: int) -> dict[str, Any]:
        """Return a page of the table: some of what search and filters leave.

        Parameters
        ----------
        matches
            Shape (matches,): nodes in the order of saving.
        first
            The place in `matches` of the first to be listed.
        """
        numbers = matches[first : first + ROWS].tolist()
        n, total = len(self._parts.nodes), len(matches)
        told = shown_of(len(numbers), total, noun_of(self._graph, 2))
        if numbers and len(numbers) < total:
            told += f" ({first + 1:,} to {first + len(numbers):,})"
        if total < n:
            told += f" that match{'es' if total == 1 else ''}; {n:,} in the graph"
        listed = [self.row(number) for number in numbers]
        return {"first": first, "total": total, "told": told, "listed": listed}

    def about(self, number: int) -> dict[str, Any]:
        """Return all that is told of a selected node.

        Returns
        -------
        dict
            ``node``, ``step``, ``title``, ``facts``, ``id``; ``fields`` as (name, value or None)
            and ``fieldsTold``; ``links``, see `links`.
        """
        rows = shown_fields(self._parts.nodes[number])
        return {
            "node": number,
            "step": self.step(number),
            "title": plain(label_of(self._parts.nodes[number], 80)),
            "facts": self._facts(number),
            "id": plain(str(self._parts.ids[number]), 200),
            "fields": rows[:FIELDS],
            "fieldsTold": shown_of(FIELDS, len(rows), "fields") if len(rows) > FIELDS else "",
            "links": self.links(number),
        }

    @cached_property
    def _told(self) -> list[tuple[str, Any]]:
        parts, order = self._parts, self._order
        return [(each.fact, each.values(parts, order)) for each in NODE_COLUMNS if each.fact]

    def _facts(self, number: int) -> str:
        order = self._order
        component = order.component[number]
        members = int(np.count_nonzero(order.component == component))
        inside = f"in a cyclic component of {members:,}" if members > 1 else "holds itself"
        return ", ".join(
            [
                f"step {self.step(number):,} of {len(self._parts.nodes):,}",
                *(fact.format(values[number]) for fact, values in self._told),
                inside if order.cyclic[component] else "in no cycle",
            ]
        )

    def held(self, number: int) -> str:
        """Return the place in the order, and how many references go out and come in."""
        out, coming = len(self._leaving(number)), len(self._coming(number))
        return f"step {self.step(number):,}, {out:,} out, {coming:,} in"

    def links(self, number: int) -> dict[str, Any]:
        """Return the references out of and into a node.

        Returns
        -------
        dict
            ``told``: how many are listed. ``listed``: per reference its ``text``, the other
            end as ``node``, whether it leads ``out``, and whether it is ``deferred``.
        """
        leaving, coming = self._leaving(number), self._coming(number)
        listed = []
        for edge in leaving[:LINKED].tolist():
            target = int(self._parts.targets[edge])
            text = f"{self._path(edge)}: {self.name(target)}"
            listed.append(self._link(text, target, edge, out=True))
        for edge in coming[:LINKED].tolist():
            source = int(self._parts.sources[edge])
            text = f"{self.name(source)}: {self._path(edge)}"
            listed.append(self._link(text, source, edge, out=False))
        told = f"{_counted(len(leaving))} out, {_counted(len(coming))} in"
        return {"told": told, "listed": listed}

    def _link(self, text: str, other: int, edge: int, *, out: bool) -> dict[str, Any]:
        deferred = bool(self.deferred[edge])
        return {"text": text, "node": other, "out": out, "deferred": deferred}

    def _path(self, edge: int) -> str:
        return plain(self._parts.place_of(edge)[1])

    def neighbours(self, number: int) -> list[int]:
        """Return what a node holds, then what holds it, each once and without itself.

        Examples
        --------
        >>> import ecsviz as ev
        >>> chain = ev.EntityDependencyGraph(ev.sample("chain", n=3))
        >>> Around(chain).neighbours(1)
        [2, 0]
        """
        parts = self._parts
        found = np.concatenate(
            (parts.targets[self._leaving(number)], parts.sources[self._coming(number)])
        )
        return [other for other in dict.fromkeys(found.tolist()) if other != number]


class Ids:
    """Finds the nodes of a graph by what a widget's ``selected`` says, which is always text.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> ids = Ids(ev.EntityDependencyGraph(thread))
    >>> ids.number_of(str(thread.ecs_id)), ids.find(str(ev.ChatThread().ecs_id))
    (0, None)
    """

    def __init__(self, graph: EntityDependencyGraph) -> None:
        self._graph = graph

    @cached_property
    def find(self) -> Callable[[str], int | None]:
        """Returns the number of a node, or None."""
        ids = self._graph.arrays.ids
        if not ids or isinstance(ids[0], UUID):
            return lambda text: self._graph.find_number(uuid_of(text))
        return {str(node_id): number for number, node_id in enumerate(ids)}.get

    def number_of(self, text: str) -> int:
        """Return the number of a node.

        Raises
        ------
        EntityNotFoundError
            If there is none.
        """
        number = self.find(text)
        if number is not None:
            return number
        ids = self._graph.arrays.ids
        hint = did_you_mean(text, ids) if ids and isinstance(ids[0], str) else ""
        raise EntityNotFoundError(
            f"{short_repr(text)} is not in this graph of {counted(len(ids), 'node')}.{hint}"
            " Build the graph from something that leads to it.",
            node=text,
        )


def _counted(total: int) -> str:
    return f"{total:,}" if total <= LINKED else f"{LINKED:,} of {total:,}"


def shown_fields(node: Any) -> list[tuple[str, str | None]]:
    """Return the fields of a node as (name, value), to stand in a table.

    Parameters
    ----------
    node
        An entity: its values, other entities by their short names. An entity class: its
        annotations. Anything else has no fields.

    Notes
    -----
    Properties are not evaluated. Long values are cut, which is said in them.

    Examples
    --------
    >>> import ecsviz as ev
    >>> shown_fields(ev.ChatThread(title="Cycles"))[3:5]
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
        return [
            (name, readable(short_repr(field.annotation)))
            for name, field in node.model_fields.items()
        ]
    return [(name, _told(value)) for name, value in values_of(node).items()]


def _told(value: Any) -> str | None:
    """Return a value of an object that is no entity: whose own repr may run through the graph."""
    if value is None or type(value) in (str, *_PLAIN):
        return _shown(value, value)
    if is_plain_class(type(value)):
        return plain(label_of(value))
    if isinstance(value, (list, tuple, dict, set, frozenset)):
        return f"{type(value).__name__} of {len(value):,}" if len(value) else "empty"
    return type(value).__name__


def _shown(value: Any, otherwise: Any) -> str | None:
    if value is None:
        return None
    if type(value) is str:
        return readable(value)
    return readable(str(value) if type(value) in _PLAIN else repr(otherwise))
