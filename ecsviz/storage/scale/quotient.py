"""A graph too large to be seen, as what it consists of: its classes, or what hangs together."""

from __future__ import annotations

from typing import Any, Final, Literal

from ecsviz.errors import InvalidArgumentError, did_you_mean, short_repr
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.storage.scale.findings import Findings
from ecsviz.storage.scale.picking import graph_of_chosen
from ecsviz.storage.scale.tables import NODES, Tables

By = Literal["type", "component"]
WAYS: Final = ("type", "component")
MOST_PARTS: Final = 200
"""How many components are told at the most, the largest first."""


class Quotient:
    """What a graph consists of, and each part as a graph; `LazyGraph.quotient` makes it.

    Attributes
    ----------
    graph
        An EntityDependencyGraph with a node per part and, between classes, a reference per field.
        Its ids are the names of classes, or the numbers of components as texts.
    sizes
        Id → how many nodes that part has, in the order of the graph's nodes.
    total
        How many parts there are: more than `sizes` where not all components are told.
    """

    def __init__(self, tables: Tables, found: Findings, by: By) -> None:
        given: Any = by  # whatever somebody gives
        if not isinstance(given, str) or given not in WAYS:
            raise InvalidArgumentError(
                f"by is {short_repr(by)}. Give 'type' or 'component'.", argument="by", value=by
            )
        self._tables, self._found, self.by = tables, found, by
        self.sizes = self._types() if by == "type" else self._components()
        self.graph = self._graph()

    def __repr__(self) -> str:
        what = "types" if self.by == "type" else "components"
        return f"Quotient({len(self.sizes):,} of {self.total:,} {what})"

    def part(self, name: str, limit: int) -> EntityDependencyGraph:
        """Return a part as an EntityDependencyGraph: its first nodes, where it has too many.

        Parameters
        ----------
        name
            An id of `graph`.
        limit
            How many nodes at the most, those with the lowest numbers.

        Raises
        ------
        InvalidArgumentError
            If there is no such part.
        GraphTooLargeError
            If there are more than ten times as many references.
        """
        if name not in self.sizes:
            raise InvalidArgumentError(
                f"There is no part {short_repr(name)}.{did_you_mean(name, self.sizes)}",
                value=name,
            )
        with self._tables.turn:
            chosen = f"SELECT node FROM {NODES} WHERE type = {self._tables.engine.text(name)}"
            if self.by == "component":
                chosen = f"SELECT node FROM {self._found.components()} WHERE component = {name}"
            first = f"{chosen} ORDER BY node LIMIT {limit:d}"
            return graph_of_chosen(self._tables, first, limit)

    def _types(self) -> dict[str, int]:
        parts = self._tables.file.classes
        self.total = len(parts)
        return {part.name: part.rows for part in parts}

    def _components(self) -> dict[str, int]:
        with self._tables.turn:
            sizes = (
                "(SELECT component, count(*) AS size FROM"
                f" {self._found.components()} GROUP BY component) sizes"
            )
            engine = self._tables.engine
            self.total = self._tables.count(sizes)
            found = engine.rows(
                f"SELECT component, size FROM {sizes} ORDER BY size DESC, component"
                f" LIMIT {MOST_PARTS}"
            )
        numbers = map(str, found["component"].to_pylist())
        return dict(zip(numbers, found["size"].to_pylist(), strict=True))

    def _graph(self) -> EntityDependencyGraph:
        place = {name: number for number, name in enumerate(self.sizes)}
        between = self._tables.file.references if self.by == "type" else []
        held = [part for part in between if part.rows]
        prefix = "" if self.by == "type" else "component "
        return EntityDependencyGraph.from_parts(
            [f"{prefix}{name}: {size:,}" for name, size in self.sizes.items()],
            list(self.sizes),
            list(self.sizes) if self.by == "type" else ["component"] * len(place),
            [place[part.source] for part in held],
            [place[part.target] for part in held],
            [f"{part.field} ({part.rows:,})" for part in held],
            fields=[part.field for part in held],
            rising=True,
        )
