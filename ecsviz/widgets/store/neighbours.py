"""What is next to a stored entity: what it holds, and what holds it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from ecsviz.basics.html import shown_of
from ecsviz.domain.walk import walk
from ecsviz.errors import InvalidArgumentError, UnknownTypeError
from ecsviz.graph.dependency_graph import EntityDependencyGraph

HELD: Final = 60
HOLDERS: Final = 30
"""How many entities are shown at the most that one holds, and that hold it."""


@dataclass(frozen=True, slots=True)
class Near:
    """An entity, and some of what is next to it.

    Attributes
    ----------
    graph
        Of all these; the entity is `root`, by its number.
    held, holders
        How many the entity holds, and hold it, in all.
    """

    graph: EntityDependencyGraph
    root: int
    held: int
    holders: int

    @property
    def told(self) -> str:
        """How much is shown of what there is."""
        parts = self.graph.arrays
        own = parts.sources != parts.targets
        held = len(set(parts.targets[own & (parts.sources == self.root)].tolist()))
        holders = len(set(parts.sources[own & (parts.targets == self.root)].tolist()))
        hold = "holds" if self.holders == 1 else "hold"
        if not self.held and not self.holders:
            return "it holds nothing, and nothing holds it"
        if not self.held:
            return f"it holds nothing; showing {holders:,} of {self.holders:,} that {hold} it"
        told = shown_of(held, self.held, "entities that it holds")
        if not self.holders:
            return f"{told}; nothing holds it"
        return f"{told} and {holders:,} of {self.holders:,} that {hold} it"


def near_of(store: Any, ecs_id: UUID) -> Near:
    """Return the graph of an entity, of what it holds, and of what holds it.

    Parameters
    ----------
    store
        Where it is.
    ecs_id
        Which entity.

    Raises
    ------
    EntityNotFoundError
        If it is not stored.
    UnknownTypeError
        If its class, or one of those that it holds, is not defined here.

    Notes
    -----
    At most `HELD` and `HOLDERS` neighbours are read; what hand-written models keep is read whole.
    Statements grow with classes, not with entities. O(references of what is read).

    Examples
    --------
    >>> import ecsviz as ev
    >>> store = ev.InMemoryEntityStorage()
    >>> thread = ev.ChatThread(title="Cycles")
    >>> for number in range(100):
    ...     message = thread.say("user", f"{number}", parent=message if number else None)
    >>> _ = store.register(thread)
    >>> near_of(store, thread.ecs_id).told
    'showing 60 of 100 entities that it holds and 60 of 100 that hold it'
    >>> near_of(store, message.ecs_id).told
    'showing 2 of 2 entities that it holds and 2 of 2 that hold it'
    """
    with store.inside.one_state():
        held = _held(*_read(store, [ecs_id]))
        holders, total = store.inside.holders(ecs_id, HOLDERS)
        first = [ecs_id, *(entity.ecs_id for entity in held[:HELD])]
        try:
            nodes = _read(store, dict.fromkeys([*first, *holders]))
        except UnknownTypeError:  # of something else that a holder holds
            nodes = _read(store, first)
    graph = _among(nodes)
    return Near(graph, graph.number_of(ecs_id), len(held), total)


def _read(store: Any, ids: Iterable[UUID]) -> list[Any]:
    try:
        return list(store.get_many(ids, hops=0))
    except InvalidArgumentError:  # hand-written models read whole entities only
        return list(store.get_many(ids))


def _held(root: Any) -> list[Any]:
    """Return the entities that one holds, each once."""
    found = walk([root])
    direct = {found.targets[n] for n, source in enumerate(found.sources) if source == 0}
    return [found.entities[n] for n in sorted(direct) if n]


def _among(nodes: list[Any]) -> EntityDependencyGraph:
    """Return the graph of some entities alone, whatever else they lead to."""
    whole = EntityDependencyGraph(nodes).arrays
    wanted = {node.ecs_id for node in nodes}
    inside = [n for n, node_id in enumerate(whole.ids) if node_id in wanted]
    place = {old: new for new, old in enumerate(inside)}
    edges = [
        edge
        for edge, ends in enumerate(
            zip(whole.sources.tolist(), whole.targets.tolist(), strict=True)
        )
        if ends[0] in place and ends[1] in place
    ]
    places = [whole.place_of(edge) for edge in edges]
    return EntityDependencyGraph.from_parts(
        [whole.nodes[n] for n in inside],
        [whole.ids[n] for n in inside],
        [whole.types[n] for n in inside],
        [place[int(whole.sources[edge])] for edge in edges],
        [place[int(whole.targets[edge])] for edge in edges],
        [path for _, path in places],
        fields=[field for field, _ in places],
        kinds=whole.kinds[edges].tolist(),
    )
