"""What is inside cyclic components: hubs, and how far a node is from what is saved first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ecsviz.order import COLLECTION, Bools, Ints, Order, levels

if TYPE_CHECKING:
    from ecsviz.graph import EntityDependencyGraph

HUB_SHARE: Final = 0.7
"""A hub is joined to at least this share of the other members of its component."""
HUB_EXCESS: Final = 1.8
"""And to so many times more than its members are on the average."""

SMALL: Final = 40
"""Up to so many members a component has one hub at the most."""


@dataclass(frozen=True, slots=True, eq=False)
class Inside:
    """The inner order of components with several members.

    Attributes
    ----------
    pairs
        Which nodes of one component are joined, each pair once, shape (pairs, 2).
    hub
        Shape (nodes,): whether nearly all of the component hang on the node.
    level
        Shape (nodes,): 0 for hubs and what is saved first, then what waits for that.
    first_on_top
        Shape (components,): whether what is saved first stands at the top.
    """

    pairs: Ints
    hub: Bools
    level: Ints
    first_on_top: Bools


def look_inside(graph: EntityDependencyGraph) -> Inside:
    """Return the inner order of all components.

    Notes
    -----
    Hubs (the thread of a chat) are left out when levels are found: else all would hang on one
    level, or every line would pass all rows. O(nodes + references · log references).
    """
    parts, found = graph._parts, graph._order
    n, count = len(parts.nodes), len(found.cyclic)
    inside = found.in_cycle & (parts.sources != parts.targets)
    a, b = parts.sources[inside], parts.targets[inside]
    keys = np.unique(np.minimum(a, b) * n + np.maximum(a, b)) if n else a
    pairs = np.column_stack((keys // max(n, 1), keys % max(n, 1)))
    hub = _hubs(n, found, pairs)
    kept = inside & ~found.deferred & ~hub[parts.sources] & ~hub[parts.targets]
    level = levels(n, parts.sources[kept], parts.targets[kept])
    has_hub = np.zeros(count, dtype=bool)
    has_hub[found.component[hub]] = True
    level = np.where(hub, 0, level + has_hub[found.component])
    # A collection stands above what it collects; else most arrows are to point down.
    down = np.sign(level[b] - level[a])
    collecting = parts.kinds[inside] == COLLECTION
    owner = found.component[a]
    votes = np.bincount(owner, weights=down * collecting, minlength=count)
    others = np.bincount(owner, weights=down, minlength=count)
    return Inside(pairs, hub, level, np.where(votes != 0, votes > 0, others > 0))


def _hubs(n: int, found: Order, pairs: Ints) -> Bools:
    component, count = found.component, len(found.cyclic)
    degree = np.bincount(pairs.ravel(), minlength=n)
    members = np.bincount(component, minlength=count)
    mean = 2 * np.bincount(component[pairs[:, 0]], minlength=count) / np.maximum(members, 1)
    least = np.maximum(HUB_SHARE * (members[component] - 1), HUB_EXCESS * mean[component])
    hub = (degree >= least) & (degree > 2)
    # In a small component only one: in a short chat, a much answered question looks like a hub.
    order = np.lexsort((np.argsort(found.sequence), -degree, component))
    first = order[np.concatenate(([True], np.diff(component[order]) != 0))] if n else order
    foremost = np.zeros(n, dtype=bool)
    foremost[first] = True
    return np.asarray(hub & (foremost | (members[component] > SMALL)))
