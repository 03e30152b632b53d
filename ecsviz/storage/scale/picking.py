"""A part of a graph in an engine, as an EntityDependencyGraph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, overload

import numpy as np

from ecsviz.basics.garbage import collector_paused
from ecsviz.errors import GraphTooLargeError
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.storage.relational.look.names import (
    LABEL,
    MOST_NAMED,
    NO_TEXTS,
    label_fields,
    named,
)
from ecsviz.storage.scale.tables import EDGES, NODES, Edge, Tables

MOST_NODES: Final = 100_000
"""How many nodes are brought here at the most."""
REFERENCES_A_NODE: Final = 10
"""How many references a node there may be."""


def graph_of_chosen(tables: Tables, chosen: str, limit: int) -> EntityDependencyGraph:
    """Return the graph of some nodes; see ``LazyGraph.subgraph``.

    Parameters
    ----------
    tables, chosen
        The graph, and a query for the numbers of nodes.
    limit
        How many at the most.
    """
    engine = tables.engine
    engine.put("ecs_chosen", chosen)
    try:
        check_size("nodes", _count(tables, "SELECT node FROM ecs_chosen"), limit)
        among = (
            f"SELECT e.* FROM {EDGES} e JOIN ecs_chosen a ON e.source = a.node"
            " JOIN ecs_chosen b ON e.target = b.node"
        )
        check_size("references", _count(tables, among), limit * REFERENCES_A_NODE)
        nodes = engine.rows(
            f"SELECT n.node AS node, n.{tables.id_column} AS id, n.type AS type FROM {NODES} n"
            " JOIN ecs_chosen c ON n.node = c.node ORDER BY n.node"
        )
        edges = engine.rows(f"{among} ORDER BY source, field, position, target")
        types = set(nodes["type"].to_pylist()) if len(nodes) <= MOST_NAMED else set()
        names = _names(tables, types)
    finally:
        engine.drop("ecs_chosen")
    with collector_paused():
        return _graph(tables, nodes, edges, names)


def check_size(what: str, found: int, limit: int) -> None:
    """Raise GraphTooLargeError if there are too many of something."""
    if found > limit:
        raise GraphTooLargeError(
            f"That are {found:,} {what}, and {limit:,} are taken at the most. Ask for fewer nodes,"
            " or give a higher limit=, if there is memory for it (some 500 bytes a node).",
            n=found,
            limit=limit,
        )


def _count(tables: Tables, sql: str) -> int:
    count: int = tables.engine.rows(f"SELECT count(*) AS n FROM ({sql}) x")["n"][0].as_py()
    return count


def _names(tables: Tables, types: set[str]) -> dict[int, Mapping[str, Any]]:
    """Return per node that was chosen, of some types, the texts by which people know it."""
    found: dict[int, Mapping[str, Any]] = {}
    for part in (part for part in tables.file.classes if part.name in types):
        own = tables.of_class[part.name]
        schema = tables.engine.rows(f"SELECT * FROM {own} LIMIT 0").schema
        columns = {
            part.columns[column.name]: column.name
            for column in schema
            if column.name in part.columns and str(column.type).endswith("string")
        }
        names = label_fields(part.fields, columns)
        if names:
            read = tables.engine.rows(
                "SELECT t.node AS node, "
                + ", ".join(
                    f"substr(t.{tables.engine.name(columns[name])}, 1, {LABEL}) AS t{n}"
                    for n, name in enumerate(names)
                )
                + f" FROM {own} t JOIN ecs_chosen c ON t.node = c.node"
            )
            texts = [read[f"t{n}"].to_pylist() for n in range(len(names))]
            found |= zip(read["node"].to_pylist(), named(names, texts), strict=True)
    return found


def _graph(
    tables: Tables, nodes: Any, edges: Any, names: Mapping[int, Mapping[str, Any]]
) -> EntityDependencyGraph:
    numbers = nodes["node"].to_numpy()
    ids = [tables.made_id(stored) for stored in nodes["id"].to_pylist()]
    types = nodes["type"].to_pylist()
    sources, targets = (np.searchsorted(numbers, edges[n].to_numpy()) for n in ("source", "target"))
    columns = [edges[name].to_pylist() for name in ("field", "position", "key")]
    made: list[Edge] = [
        tables.edge(types[s], field, types[t], position, key)
        for s, t, field, position, key in zip(
            sources.tolist(), targets.tolist(), *columns, strict=True
        )
    ]
    ends = targets.tolist()
    return EntityDependencyGraph.from_parts(
        [
            tables.made_node(each, kind, names.get(number, NO_TEXTS))
            for each, kind, number in zip(ids, types, numbers.tolist(), strict=True)
        ],
        ids,
        types,
        sources,
        targets,
        _Said(len(made), lambda n: made[n].path(ids[ends[n]])),
        fields=columns[0],
        kinds=np.array([edge.part.weight for edge in made], dtype=np.int64),
        sides=lambda: np.array([edge.part.side for edge in made], dtype=np.int64),
    )


class _Said(Sequence[str]):
    """A text per reference, made when it is asked for."""

    def __init__(self, size: int, say: Callable[[int], str]) -> None:
        self._size, self._say = size, say

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, number: int) -> str: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[str]: ...
    def __getitem__(self, number: int | slice) -> str | Sequence[str]:
        if isinstance(number, slice):
            return [self._say(n) for n in range(*number.indices(self._size))]
        return self._say(range(self._size)[number])
