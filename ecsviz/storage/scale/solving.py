"""What is asked of the rows of a bucket: strong components, generations, order; linear, exact.

The rows of a bucket are ``one``, ``other``, ``kind``. An edge leads from node `one` to node
`other`; `kind` is COLLECTION, NULLABLE or REQUIRED of ``ecsviz.basics.order``. A node is a row of
kind -1: its number, and its place in the order of ids, or 0 where no order is asked for.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from ecsviz.basics.optional import need
from ecsviz.basics.order import Bools, Ints, strong_components, topological_order
from ecsviz.errors import ImportFormatError

CYCLE_COLUMNS: Final = {"node": "int64", "component": "int64"}
ORDER_COLUMNS: Final = {
    "node": "int64",
    "generation": "int64",
    "component": "int64",
    "in_cycle": "bool_",
    "first": "int64",
    "place": "int64",
}
"""``first`` is the member of the component with the lowest id; ``place`` that in the bucket."""


def lowest(labels: Ints) -> Ints:
    """Return for every node the lowest one with the same label, shape (n,).

    Examples
    --------
    >>> lowest(np.array([1, 0, 1])).tolist()
    [0, 1, 0]
    """
    first = np.zeros(int(labels.max(initial=0)) + 1, dtype=np.int64)
    nodes = np.arange(len(labels))
    first[labels[::-1]] = nodes[::-1]  # what is written last stays
    return first[labels]


def schema_of(columns: dict[str, str]) -> Any:
    """Return Arrow's schema of what a function below returns."""
    arrow = need("pyarrow", extra="scale", what="LazyGraph")
    return arrow.schema([(name, getattr(arrow, kind)()) for name, kind in columns.items()])


def solve_cycles(table: Any) -> Any:
    """Return the nodes of a bucket that are in a cycle, and their components."""
    nodes, sources, targets, _ = _parts(table)
    found = in_cycles(len(nodes), sources, targets)
    return _table(CYCLE_COLUMNS, nodes[found[0]], _lowest_numbers(found[1], nodes)[found[0]])


def in_cycles(n: int, sources: Ints, targets: Ints) -> tuple[Bools, Ints]:
    """Tell of every node whether it is in a cycle, and give a label of its component.

    Examples
    --------
    >>> found, labels = in_cycles(3, np.array([0, 1, 2]), np.array([1, 0, 2]))
    >>> found.tolist(), bool(labels[0] == labels[1])
    ([True, True, True], True)
    """
    labels = strong_components(n, sources, targets)
    cyclic: Bools = np.bincount(labels, minlength=1)[labels] > 1
    cyclic[sources[sources == targets]] = True
    return cyclic, labels


def solve_order(table: Any) -> Any:
    """Return the nodes of a bucket with what decides upon their place in the order of all."""
    nodes, sources, targets, kinds = _parts(table)
    kinds = kinds.astype(np.int64)
    found = topological_order(len(nodes), sources, targets, np.arange(len(nodes)), kinds)
    place = np.empty(len(nodes), dtype=np.int64)
    place[found.sequence] = np.arange(len(nodes))
    return _table(
        ORDER_COLUMNS,
        nodes,
        found.generation,
        _lowest_numbers(found.component, nodes),
        found.cyclic[found.component] if len(nodes) else np.zeros(0, dtype=bool),
        nodes[lowest(found.component)],
        place,
    )


SPARSE: Final = 4
"""Up to how many numbers a row there may be for a table of all of them."""


def _parts(table: Any) -> tuple[Ints, Ints, Ints, Ints]:
    """Return the numbers of the nodes by place, and the edges between places."""
    one, other, kinds = (table[name].to_numpy() for name in ("one", "other", "kind"))
    is_node = kinds < 0
    edges = ~is_node
    nodes = one[is_node].astype(np.int64)
    nodes = nodes[np.argsort(other[is_node], kind="stable")]
    ends = one[edges], other[edges]
    if not len(nodes):
        return nodes, *ends, kinds[edges]
    first, last = int(nodes.min()), int(nodes.max())
    for end in ends:
        check_ends(end, first, last)
    if last - first < SPARSE * len(one):
        place = np.full(last - first + 1, -1, dtype=np.int32)
        place[nodes - first] = np.arange(len(nodes), dtype=np.int32)
        sources, targets = (place[end - first] for end in ends)
    else:
        index = pd.Index(nodes).drop_duplicates()
        sources, targets = (index.get_indexer(end) for end in ends)
    for found in (sources, targets):
        check_ends(found, 0, len(nodes) - 1)
    return nodes, sources, targets, kinds[edges]


def check_ends(ends: Ints, first: int, last: int) -> None:
    """Raise ImportFormatError if references name nodes that there are not.

    Examples
    --------
    >>> check_ends(np.array([1, 2]), 1, 2)
    """
    if len(ends) and (int(ends.min()) < first or int(ends.max()) > last):
        raise ImportFormatError(
            "References name nodes that are not there: files are damaged, or of another graph."
            " Write the graph anew: store.to_parquet(folder).",
            source=None,
            line=None,
            column=None,
        )


def _lowest_numbers(labels: Ints, nodes: Ints) -> Ints:
    """Return per place the lowest number of a node with the same label."""
    least = np.full(int(labels.max(initial=0)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(least, labels, nodes)
    found: Ints = least[labels]
    return found


def _table(columns: dict[str, str], *arrays: Any) -> Any:
    arrow = need("pyarrow", extra="scale", what="LazyGraph")
    return arrow.table(dict(zip(columns, map(arrow.array, arrays), strict=True)))
