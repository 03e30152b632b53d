"""The nodes and references of a graph as plain rows, for writers of other formats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ecsviz.basics.text import MAX_LABEL, plain
from ecsviz.domain.labels import label_of
from ecsviz.graph.columns import EXPORTED, Column
from ecsviz.graph.views import checked_graph

if TYPE_CHECKING:
    from ecsviz.graph.dependency_graph import EntityDependencyGraph


def node_rows(graph: EntityDependencyGraph) -> list[dict[str, Any]]:
    """Return a row per node: id, label, type, ecs_id, and the columns that are exported."""
    parts, order = checked_graph(graph).arrays, graph.ordering
    columns = {each.name: _exported(each, each.values(parts, order)) for each in EXPORTED}
    more = zip(*columns.values(), strict=True)
    return [
        {
            "id": f"n{number}",
            "label": plain(label_of(node, MAX_LABEL)),
            "type": plain(kind),
            "ecs_id": plain(str(node_id)),
            **dict(zip(columns, values, strict=True)),
        }
        for number, (node, kind, node_id, values) in enumerate(
            zip(parts.nodes, parts.types, parts.ids, more, strict=True)
        )
    ]


def _exported(column: Column, values: Any) -> list[Any]:
    if column.dtype in ("int64", "bool"):
        return np.asarray(values).tolist()  # type: ignore[no-any-return]  # numpy says Any
    return ["" if value is None else plain(str(value)) for value in values]


def edge_rows(graph: EntityDependencyGraph) -> list[dict[str, Any]]:
    """Return a row per reference: id, source, target, label, field, deferred, in_cycle."""
    parts, order = checked_graph(graph).arrays, graph.ordering
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
