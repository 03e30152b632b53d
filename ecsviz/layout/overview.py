"""The overview of a graph that is too large to be drawn one by one: groups with counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ecsviz.basics.order import Bools, Ints
from ecsviz.domain.labels import label_of
from ecsviz.layout.groups import By, Grouping, group_nodes

if TYPE_CHECKING:
    from ecsviz.graph.dependency_graph import EntityDependencyGraph

MAX_LINES: Final = 40
"""Of more lines between groups, the weakest are left out: they would hide the others."""
SAMPLE: Final = 20
"""How many references are asked for their field, for each line between two groups."""


@dataclass(frozen=True, slots=True, eq=False)
class Overview:
    """Groups of nodes, and what leads from one to another.

    Attributes
    ----------
    graph
        One node per group, and one reference for all that lead from one group to another.
    group
        Shape (nodes,): the group of every node of the large graph.
    labels
        Per group what it is, and how many.
    counts
        Shape (groups,): how many nodes it stands for.
    holds_cycle
        Shape (groups,): whether references inside it close a cycle.
    lines
        Shape (references of `graph`,): how many references it stands for.
    in_cycle, deferred
        Shape (references of `graph`,): whether some of them are in a cycle, and whether all of
        them are deferred.
    inner
        How many references lie inside groups, or between those of one range of generations, and
        so are not shown.
    weak
        How many references lie in lines that are left out because there are so many stronger.
    by
        What the groups were made by, in words.
    """

    graph: EntityDependencyGraph
    group: Ints
    labels: list[tuple[str, str]]
    counts: Ints
    holds_cycle: Bools
    lines: Ints
    in_cycle: Bools
    deferred: Bools
    inner: int
    weak: int
    by: str

    def __len__(self) -> int:
        return len(self.labels)


def overview(
    graph: EntityDependencyGraph, limit: int = 300, by: By | str | type = "auto"
) -> Overview:
    """Return the groups of a graph, at most `limit` of them.

    Parameters
    ----------
    graph
        Any graph.
    limit
        How many groups there may be; 300 still fit a picture.
    by
        ``"component"``: every component is one group (a chat's thread with its messages).
        ``"type"``: every type is. The name of a type, or an entity class: all nodes are put to
        the nearest one of it; ``"thread"`` stands for every type whose name ends so.
        ``"auto"``: components as long as they tell something; else those of the same types,
        generation and size are one group, and a giant component is told in steps of its own
        order.

    Raises
    ------
    DrawingOptionError
        If there is no type of the name in `by`.

    Notes
    -----
    O((nodes + references) log references).

    Examples
    --------
    >>> import ecsviz as ev
    >>> threads = [ev.ChatThread(title=name) for name in ("one", "two")]
    >>> message = threads[0].say("user", "hello")
    >>> found = overview(ev.EntityDependencyGraph(threads))
    >>> found.labels, found.by
    ([('one', '2 entities'), ('two', '')], 'component')
    """
    found = group_nodes(graph, limit, by)
    group = _renumbered(found.group, graph.ordering.sequence, graph.ordering.component)
    labels, types = _labels(graph, group, found)
    return _quotient(graph, group, labels, types, found)


def _renumbered(group: Ints, sequence: Ints, component: Ints) -> Ints:
    """Return groups in the order of their first members, those of many components last."""
    names, first, inverse = np.unique(group[sequence], return_index=True, return_inverse=True)
    least, most = np.full(len(names), len(group)), np.full(len(names), -1)
    np.minimum.at(least, inverse, component[sequence])
    np.maximum.at(most, inverse, component[sequence])
    rank = np.empty(len(names), dtype=np.int64)
    rank[np.lexsort((first, least != most))] = np.arange(len(names))
    return rank[np.searchsorted(names, group)]


def _labels(
    graph: EntityDependencyGraph, group: Ints, grouping: Grouping
) -> tuple[list[tuple[str, str]], list[str]]:
    parts, found = graph.arrays, graph.ordering
    count = int(group.max()) + 1 if len(group) else 0
    of_group: list[list[int]] = [[] for _ in range(count)]
    for node in found.sequence.tolist():
        of_group[int(group[node])].append(node)
    sizes = np.bincount(found.component)
    ranges = int(grouping.row.max()) > 0 if len(group) else False
    degree = parts.degrees()
    labels, types = [], []
    for members in of_group:
        every = np.array(members)
        owners = every[grouping.owner[every]]
        leader = int(owners[0]) if len(owners) else members[0]
        components = np.unique(found.component[every])
        types.append(parts.types[leader])
        whole = len(components) == 1 and len(every) == sizes[components[0]]
        if len(owners) or whole or len(every) == 1:
            # One thing with all that belongs to it.
            name = label_of(parts.nodes[leader], with_type=False)
            labels.append((name, _many(graph, len(every)) if len(every) > 1 else ""))
            continue
        told, name = _many(graph, len(every)), _type_names(parts.types, members)
        stepwise = ranges and grouping.row[leader] >= 0
        if len(components) not in (1, len(every)):
            told = f"{len(components):,} components of {_range(sizes[components])}"
        elif stepwise or (len(components) == 1 and grouping.inside[leader]):
            if stepwise:
                told += f", gen. {_range(found.generation[every])}"
            hub = int(every[np.argmax(degree[every])])  # what most hang on tells most
            own = label_of(parts.nodes[hub], with_type=False)
            name = f"{own} and {len(every) - 1:,} more"
        labels.append((name, told))
    return labels, types


def _many(graph: EntityDependencyGraph, count: int) -> str:
    return f"{count:,} {noun_of(graph, count)}"


def _range(values: Ints) -> str:
    least, most = int(values.min()), int(values.max())
    return f"{least:,}" if least == most else f"{least:,}–{most:,}"


def _type_names(types: Any, members: list[int]) -> str:
    names = [name for name, _ in Counter(types[node] for node in members).most_common()]
    return " + ".join(sorted(names)) if len(names) <= 2 else f"{names[0]} + {len(names) - 1} types"


def noun_of(graph: EntityDependencyGraph, count: int) -> str:
    """Return what a graph's nodes are called: entities, classes, tables, rows, or nodes."""
    from ecsviz.domain.entity_class import is_entity_class
    from ecsviz.domain.plain_objects import is_plain_class

    kinds = set(graph.arrays.types[:1])
    node = graph.arrays.nodes[0] if len(graph) else None
    if is_plain_class(type(node)) and not is_entity_class(type(node)):
        return "object" if count == 1 else "objects"
    if is_entity_class(type(node)) or hasattr(node, "type_name"):
        return "entity" if count == 1 else "entities"
    if kinds == {"class"}:
        return "class" if count == 1 else "classes"
    if kinds == {"table"}:
        return "table" if count == 1 else "tables"
    if hasattr(node, "table"):
        return "row" if count == 1 else "rows"
    return "node" if count == 1 else "nodes"


def _quotient(
    graph: EntityDependencyGraph,
    group: Ints,
    labels: list[tuple[str, str]],
    types: list[str],
    grouping: Grouping,
) -> Overview:
    parts, found = graph.arrays, graph.ordering
    count = len(labels)
    a, b = group[parts.sources], group[parts.targets]
    inner = a == b
    holds_cycle = np.zeros(count, dtype=bool)
    holds_cycle[a[inner & found.in_cycle]] = True
    # Between groups of one range of generations arrows would seem to run in circles.
    row = grouping.row
    inner |= (
        (row[parts.sources] == row[parts.targets]) & (row[parts.sources] >= 0) & ~found.in_cycle
    )
    outer = np.flatnonzero(~inner)
    keys, which = np.unique(a[outer] * max(count, 1) + b[outer], return_inverse=True)
    every = np.bincount(which, minlength=len(keys))
    strong = _strong(keys // max(count, 1), keys % max(count, 1), every)
    strong[which[found.in_cycle[outer]]] = True
    weak = int(every[~strong].sum())
    if weak:
        outer = outer[strong[which]]
        keys, which = np.unique(a[outer] * max(count, 1) + b[outer], return_inverse=True)
    lines = np.bincount(which, minlength=len(keys))
    in_cycle = np.bincount(which, weights=found.in_cycle[outer], minlength=len(keys)) > 0
    deferred = np.bincount(which, weights=found.deferred[outer], minlength=len(keys)) == lines
    kinds = np.zeros(len(keys), dtype=np.int64)
    np.maximum.at(kinds, which, parts.kinds[outer])
    small = type(graph).from_parts(
        [name for name, _ in labels],
        list(range(count)),
        types,
        (keys // max(count, 1)).tolist(),
        (keys % max(count, 1)).tolist(),
        _fields(graph, outer, which, lines),
        kinds=kinds.tolist(),
    )
    counts = np.bincount(group, minlength=count)
    return Overview(
        small,
        group,
        labels,
        counts,
        holds_cycle,
        lines,
        in_cycle,
        deferred,
        int(inner.sum()),
        weak,
        grouping.by,
    )


def _strong(sources: Ints, targets: Ints, lines: Ints) -> Bools:
    """Tell which lines are shown: the strongest, and for every group those that it has most of."""
    strong = np.ones(len(lines), dtype=bool)
    if len(lines) <= MAX_LINES:
        return strong
    order = np.argsort(-lines, kind="stable")
    strong[order[MAX_LINES:]] = False
    for ends in (sources, targets):
        _, first = np.unique(ends[order], return_index=True)
        strong[order[first]] = True
    return strong


def _fields(graph: EntityDependencyGraph, outer: Ints, which: Ints, lines: Ints) -> list[str]:
    """Name the fields of every line: those of its first references."""
    order = np.argsort(which, kind="stable")
    starts = np.concatenate(([0], np.cumsum(lines))).tolist()
    result = []
    for first, count in zip(starts[:-1], lines.tolist(), strict=True):
        asked = outer[order[first : first + min(count, SAMPLE)]].tolist()
        names = sorted({graph.arrays.place_of(number)[0] for number in asked})
        shown = ", ".join(names[:2]) + (", …" if len(names) > 2 else "")
        result.append(f"{shown} ×{count:,}" if count > 1 else shown)
    return result
