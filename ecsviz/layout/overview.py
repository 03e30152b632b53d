"""The overview of a graph that is too large to be drawn one by one: groups with counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from ecsviz.labels import label_of
from ecsviz.layout.inside import look_inside
from ecsviz.order import Bools, Ints

if TYPE_CHECKING:
    from ecsviz.graph import EntityDependencyGraph

By = Literal["auto", "component", "type"]

GIANT: Final = 0.2
"""A component with more than this share of all nodes is told in parts."""
BANDS: Final = 12
"""In how many steps a giant component is told: what one can still count."""
FEW: Final = 120
"""Up to so many components each is a group of its own."""
NAMED: Final = 36
"""Where there are more, so many of the largest are still told one by one."""
ENOUGH: Final = 60
"""How many groups of like components there should be at the most: what can carry a label."""
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
    by: str

    def __len__(self) -> int:
        return len(self.labels)


def overview(graph: EntityDependencyGraph, limit: int = 300, by: By = "auto") -> Overview:
    """Return the groups of a graph, at most `limit` of them.

    Parameters
    ----------
    graph
        Any graph.
    limit
        How many groups there may be; 300 still fit a picture.
    by
        ``"component"``: every component is one group (a chat's thread with its messages).
        ``"type"``: every type is. ``"auto"``: components as long as they tell something; else
        those of the same types, generation and size are one group, and a giant component is
        told in steps of its own order.

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
    found = _grouped(graph, limit, by)
    group = _renumbered(found.group, graph._order.sequence, graph._order.component)
    labels, types = _labels(graph, group)
    return _quotient(graph, group, labels, types, found)


@dataclass(frozen=True, slots=True, eq=False)
class _Grouping:
    """Which node is in which group, by what, and in which range of generations (or -1)."""

    group: Ints
    by: str
    row: Ints


def _grouped(graph: EntityDependencyGraph, limit: int, by: By) -> _Grouping:
    component = graph._order.component
    n = len(component)
    types = _codes(graph._parts.types)
    nowhere = np.full(n, -1)
    if by == "type" or n == 0:
        return _Grouping(types, "type", nowhere)
    sizes = np.bincount(component)
    giants = sizes > max(GIANT * n, 20)
    if by == "component" or (len(sizes) <= min(limit, FEW) and not giants.any()):
        return _Grouping(component, "component", nowhere)
    inside = giants[component]
    keys = [np.where(inside, component, -1)]
    told = []
    row = nowhere
    if not giants.all():
        if int((~giants).sum()) <= min(limit, FEW):
            keys.append(np.where(inside, -1, component))
            told.append("component")
        else:
            alike, words, bands = _alike(graph, types, sizes, giants, limit)
            keys.append(np.where(inside, -1, alike[component]))
            told.append(words)
            row = bands[component]
    if giants.any():
        level = look_inside(graph).level
        keys.append(np.where(inside, _banded(level, component, giants), 0))
        keys.append(np.where(inside, types, 0))
        told.append("type and step inside the large component")
    group = _joined(keys)
    if len(np.unique(group)) > limit:
        return _Grouping(types, "type", nowhere)
    return _Grouping(group, "; ".join(told), row)


def _joined(keys: list[Ints]) -> Ints:
    _, inverse = np.unique(np.column_stack(keys), axis=0, return_inverse=True)
    return np.asarray(inverse, dtype=np.int64).ravel()


def _codes(names: Any) -> Ints:
    known: dict[Any, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)


def _banded(level: Ints, component: Ints, giants: Bools) -> Ints:
    top = np.zeros(len(giants), dtype=np.int64)
    np.maximum.at(top, component, level)
    steps = top[component] + 1
    return np.where(steps > BANDS, level * BANDS // steps, level)


def _alike(
    graph: EntityDependencyGraph, types: Ints, sizes: Ints, giants: Bools, limit: int
) -> tuple[Ints, str, Ints]:
    """Group components of the same types, generation (or a range of them) and size.

    The largest stay by themselves, so that a store of a thousand threads shows some by name.
    Returns per component its group, the words for that, and its range of generations.
    """
    component, count = graph._order.component, len(sizes)
    kinds = int(types.max()) + 1
    pairs = np.unique(component * kinds + types)
    starts = np.searchsorted(pairs // kinds, np.arange(count + 1)).tolist()
    codes = (pairs % kinds).tolist()
    known: dict[tuple[int, ...], int] = {}
    signature = np.array(
        [known.setdefault(tuple(codes[a:b]), len(known)) for a, b in pairwise(starts)]
    )
    several = np.flatnonzero((sizes > 1) & ~giants)
    largest = several[np.argsort(-sizes[several], kind="stable")[:NAMED]]
    named = np.full(count, -1)
    named[largest] = largest
    size = np.ceil(np.log2(sizes)).astype(np.int64)
    generation = np.zeros(count, dtype=np.int64)
    generation[component] = graph._order.generation
    steps = int(generation.max()) + 1
    row = generation
    keys = _joined([named, signature, row, size])
    for bands in (24, BANDS, 6, 1):
        if len(np.unique(keys)) <= min(limit, ENOUGH) + len(largest):
            break
        if bands < steps:
            row = generation * bands // steps
            keys = _joined([named, signature, row, size])
    words = ["type"]
    if int(row.max()) > 0:
        words.append("generation" if row is generation else "range of generations")
    if len(several) > len(largest):
        words.append("size")
    told = _listed(words)
    if len(several) > len(largest):
        told = f"component for the {len(largest)} largest; the rest by {told}"
    elif len(largest):
        told = f"component where there is a cycle; the rest by {told}"
    return keys, told, row


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _renumbered(group: Ints, sequence: Ints, component: Ints) -> Ints:
    """Return groups in the order of their first members, those of many components last."""
    names, first, inverse = np.unique(group[sequence], return_index=True, return_inverse=True)
    least, most = np.full(len(names), len(group)), np.full(len(names), -1)
    np.minimum.at(least, inverse, component[sequence])
    np.maximum.at(most, inverse, component[sequence])
    rank = np.empty(len(names), dtype=np.int64)
    rank[np.lexsort((first, least != most))] = np.arange(len(names))
    return rank[np.searchsorted(names, group)]


def _labels(graph: EntityDependencyGraph, group: Ints) -> tuple[list[tuple[str, str]], list[str]]:
    parts, found = graph._parts, graph._order
    count = int(group.max()) + 1 if len(group) else 0
    of_group: list[list[int]] = [[] for _ in range(count)]
    for node in found.sequence.tolist():
        of_group[int(group[node])].append(node)
    component = found.component.tolist()
    sizes = np.bincount(found.component).tolist()
    labels, types = [], []
    for members in of_group:
        leader = members[0]
        types.append(parts.types[leader])
        components = {component[node] for node in members}
        noun = noun_of(graph, 2)
        if len(members) == 1:
            labels.append((label_of(parts.nodes[leader], with_type=False), ""))
        elif len(components) == 1 and len(members) == sizes[component[leader]]:
            name = label_of(parts.nodes[leader], with_type=False)
            labels.append((name, f"{len(members):,} {noun}"))
        else:
            name = _type_names(parts.types, members)
            if len(components) in (1, len(members)):
                labels.append((name, f"{len(members):,} {noun}"))
            else:
                least, most = _range([sizes[number] for number in components])
                each = f"{least:,}" if least == most else f"{least:,}–{most:,}"
                labels.append((name, f"{len(components):,} components of {each}"))
    return labels, types


def _range(values: list[int]) -> tuple[int, int]:
    return min(values), max(values)


def _type_names(types: Any, members: list[int]) -> str:
    names = [name for name, _ in Counter(types[node] for node in members).most_common()]
    return " + ".join(sorted(names)) if len(names) <= 2 else f"{names[0]} + {len(names) - 1} types"


def noun_of(graph: EntityDependencyGraph, count: int) -> str:
    """Return what a graph's nodes are called: entities, classes, tables, rows, or nodes."""
    from ecsviz.identity import is_entity_class

    kinds = set(graph._parts.types[:1])
    node = graph._parts.nodes[0] if len(graph) else None
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
    grouping: _Grouping,
) -> Overview:
    parts, found = graph._parts, graph._order
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
        grouping.by,
    )


def _fields(graph: EntityDependencyGraph, outer: Ints, which: Ints, lines: Ints) -> list[str]:
    """Name the fields of every line: those of its first references."""
    order = np.argsort(which, kind="stable")
    starts = np.concatenate(([0], np.cumsum(lines))).tolist()
    result = []
    for first, count in zip(starts[:-1], lines.tolist(), strict=True):
        asked = outer[order[first : first + min(count, SAMPLE)]].tolist()
        names = sorted({graph._parts.place_of(number)[0] for number in asked})
        shown = ", ".join(names[:2]) + (", …" if len(names) > 2 else "")
        result.append(f"{shown} ×{count:,}" if count > 1 else shown)
    return result
