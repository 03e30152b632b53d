"""Which nodes of a large graph are told as one group, and by what."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from ecsviz.basics.order import Bools, Ints
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.errors import EcsvizError, did_you_mean, short_repr
from ecsviz.layout.rings import look_inside

if TYPE_CHECKING:
    from ecsviz.graph.dependency_graph import EntityDependencyGraph

By = Literal["auto", "component", "type", "thread"]

GIANT: Final = 0.2
"""A component with more than this share of all nodes is told in parts."""
BANDS: Final = 12
"""In how many steps a giant component is told: what one can still count."""
FEW: Final = 120
"""Up to so many components each is a group of its own."""
NAMED: Final = 36
"""Where there are more, so many of the largest are still told one by one."""
STANDING_OUT: Final = 6
"""And so many of them where most nodes are in no component with others."""
ENOUGH: Final = 24
"""How many groups of like components there should be at the most: what can carry a label."""
MANY_TYPES: Final = 4
"""With so many kinds of components, their types say more than their generations."""
THREADS: Final = ("thread", "conversation", "chat")
"""How the name of a type of threads ends."""


class DrawingOptionError(EcsvizError, ValueError):
    """An option of a drawing has a value that means nothing here."""


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """Which node is in which group.

    Attributes
    ----------
    group
        Shape (nodes,): any number for the group.
    by
        What the groups were made by, in words.
    row
        Shape (nodes,): the range of generations that a group stands for, or -1.
    owner
        Shape (nodes,): whether a group is called after this node.
    inside
        Shape (nodes,): whether it stands for a step inside a large component.
    """

    group: Ints
    by: str
    row: Ints
    owner: Bools
    inside: Bools


def group_nodes(graph: EntityDependencyGraph, limit: int, by: Any) -> Grouping:
    """Decide which nodes are told as one; the parameters are those of ``overview``."""
    component = graph.ordering.component
    n = len(component)
    types = _codes(graph.arrays.types)
    nowhere, nobody = np.full(n, -1), np.zeros(n, dtype=bool)
    by = by.__name__ if is_entity_class(by) else by
    if not isinstance(by, str):
        raise _no_way(by, [])
    if by == "type" or n == 0:
        return Grouping(types, "type", nowhere, nobody, nobody)
    sizes = np.bincount(component)
    if by not in ("auto", "component"):
        return _around(graph, types, by)
    giants = sizes > max(GIANT * n, 20)
    if by == "component" or (len(sizes) <= min(limit, FEW) and not giants.any()):
        return Grouping(component, "component", nowhere, nobody, nobody)
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
            row = np.where(inside, -1, bands[component])
    if giants.any():
        level = look_inside(graph).level
        keys.append(np.where(inside, _banded(level, component, giants), 0))
        keys.append(np.where(inside, types, 0))
        told.append("type and step inside the large component")
    group = _joined(keys)
    if len(np.unique(group)) > limit:
        return Grouping(types, "type", nowhere, nobody, nobody)
    return Grouping(group, "; ".join(told), row, nobody, inside)


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


def _around(graph: EntityDependencyGraph, types: Ints, by: str) -> Grouping:
    """Put every node to the nearest of one type: messages to their thread.

    Notes
    -----
    One breadth-first search from all of them, along references and against them.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    parts, n = graph.arrays, len(types)
    names = _names_meant(list(dict.fromkeys(parts.types)), by)
    owner = np.array([kind in names for kind in parts.types], dtype=bool)
    matrix = csr_array((np.ones(len(parts.sources)), (parts.sources, parts.targets)), shape=(n, n))
    _, _, nearest = dijkstra(
        matrix,
        directed=False,
        indices=np.flatnonzero(owner),
        unweighted=True,
        return_predecessors=True,
        min_only=True,
    )
    reached = nearest >= 0
    group = np.where(reached, nearest, n + types)
    told = f"the nearest {' or '.join(sorted(names))}"
    if not reached.all():
        told += "; what leads to none by type"
    return Grouping(group.astype(np.int64), told, np.full(n, -1), owner, np.zeros(n, dtype=bool))


def _names_meant(known: list[str], name: str) -> set[str]:
    if name in known:
        return {name}
    if name == "thread":
        found = {kind for kind in known if kind.lower().endswith(THREADS)}
        if found:
            return found
    raise _no_way(name, known)


def _no_way(by: Any, known: list[str]) -> DrawingOptionError:
    return DrawingOptionError(
        f"group_by={short_repr(by)} is no way to group, and no type of what is drawn."
        f"{did_you_mean(by, known)}"
        " Give 'component', 'type', 'thread', 'auto', the name of a type, or None to group large"
        " graphs only.",
        option="group_by",
        value=by,
    )


def _alike(
    graph: EntityDependencyGraph, types: Ints, sizes: Ints, giants: Bools, limit: int
) -> tuple[Ints, str, Ints]:
    """Group components of the same types, generation (or a range of them) and size.

    The largest stay by themselves, so that a store of a thousand threads shows some by name.
    Returns per component its group, the words for that, and its range of generations.
    """
    component, count = graph.ordering.component, len(sizes)
    kinds = int(types.max()) + 1
    pairs = np.unique(component * kinds + types)
    starts = np.searchsorted(pairs // kinds, np.arange(count + 1)).tolist()
    codes = (pairs % kinds).tolist()
    known: dict[tuple[int, ...], int] = {}
    signature = np.array(
        [known.setdefault(tuple(codes[a:b]), len(known)) for a, b in pairwise(starts)]
    )
    several = np.flatnonzero((sizes > 1) & ~giants)
    total = int(sizes[~giants].sum())
    most = 2 * int(sizes[several].sum()) >= total
    largest = _largest(sizes, several, total, most=most)
    named = np.full(count, -1)
    named[largest] = largest
    size = np.ceil(np.log2(sizes)).astype(np.int64) if most else (sizes > 1).astype(np.int64)
    generation = np.zeros(count, dtype=np.int64)
    generation[component] = graph.ordering.generation
    most_groups = min(limit, ENOUGH + len(largest))
    nowhere = np.full(count, -1)
    # Two kinds are parts of one thing; where there are more, their names are what one looks for.
    rows = [nowhere]
    if len(known) < MANY_TYPES:
        bands = (_equal_bands(generation, sizes, number) for number in (24, BANDS, 8, 6, 4))
        rows = [generation, *bands, nowhere]
    for row in rows:
        keys = _joined([named, signature, row, size])
        if len(np.unique(keys)) <= most_groups:
            break
    else:
        keys = _joined([named, signature, row])
    words = ["type"]
    if int(row.max()) > 0:
        words.append("generation" if row is generation else "range of generations")
    if len(several) > len(largest) and most:
        words.append("size")
    return keys, _told(words, len(largest), len(several)), row


def _largest(sizes: Ints, several: Ints, total: int, *, most: bool) -> Ints:
    """Return the components that are told by themselves.

    Where most nodes are in one, the largest are what the graph consists of; else only those
    that stand out: a pair here and there is nothing special in a graph of thousands.
    """
    order = several[np.argsort(-sizes[several], kind="stable")]
    if most:
        return order[:NAMED]
    return order[sizes[order] > max(2, total // 1000)][:STANDING_OUT]


def _equal_bands(generation: Ints, sizes: Ints, bands: int) -> Ints:
    """Return ranges of generations that hold about as many nodes each.

    Ranges of equally many generations would put nearly all of a graph into the first ones.
    """
    counts = np.bincount(generation, weights=sizes)
    share = (np.cumsum(counts) - counts / 2) / counts.sum()
    band = np.minimum((share * bands).astype(np.int64), bands - 1)
    _, band = np.unique(band, return_inverse=True)
    return np.asarray(band[generation], dtype=np.int64)


def _told(words: list[str], largest: int, several: int) -> str:
    told = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    if not largest:
        return told
    if several > largest:
        return f"component for the {largest} largest; the rest by {told}"
    return f"component where there is a cycle; the rest by {told}"
