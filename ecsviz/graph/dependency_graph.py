"""EntityDependencyGraph: cycles, order, generations; to networkx.

The same object is made from live entities, from entity classes, from what a store holds and
from a database's foreign keys; the rooms below only hand it nodes and references.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

import numpy as np

from ecsviz.basics import order
from ecsviz.basics.arguments import count_or_none, flag, seconds_or_none
from ecsviz.basics.garbage import collector_paused
from ecsviz.basics.order import NULLABLE, Bools, Ints, Order
from ecsviz.domain.entity_class import is_entity_class, newest_definition
from ecsviz.domain.objects import is_placeholder
from ecsviz.domain.walk import node_name
from ecsviz.errors import EXAMPLE, EntityNotFoundError, InvalidIdError, did_you_mean, short_repr
from ecsviz.graph.arrays import (
    Parts,
    References,
    as_roots,
    make_parts,
    parts_of_classes,
    parts_of_entities,
)
from ecsviz.graph.cells import graph_html
from ecsviz.graph.columns import NODE_COLUMNS, documented
from ecsviz.graph.cycles import CycleList, cycles_in
from ecsviz.graph.views import GraphViews

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd

DEFAULT_CYCLES = 1_000
"""How many cycles are listed at the most: enough to see a pattern, quick to show."""
DEFAULT_SECONDS = 2.0
"""How long the listing of cycles may take, in seconds: what one waits for in a notebook."""


class CycleStatus(enum.Enum):
    """Whether a graph has a cycle."""

    NO_CYCLE = "no cycle"
    CYCLE_DETECTED = "cycle detected"

    def __repr__(self) -> str:
        return f"CycleStatus.{self.name}"


def _no_place(number: int) -> tuple[str, str]:
    raise IndexError(number)


class EntityDependencyGraph(GraphViews):
    """Which entity holds which: components, cycles, topological order.

    Parameters
    ----------
    entities
        One entity, several, or entity classes; None leaves the graph empty.

    Notes
    -----
    An arrow goes from the holder to the held: the source depends on the target. The topological
    order has dependencies first. Kept as arrays; O(entities + references) in time and memory.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> graph = ev.EntityDependencyGraph(thread)
    >>> graph.status, graph.is_acyclic
    (CycleStatus.CYCLE_DETECTED, False)
    >>> graph.get_cycles()
    [Cycle(ChatThread.messages[0] -> ChatMessage.thread)]
    >>> [type(entity).__name__ for entity in graph.get_topological_sort()]
    ['ChatThread', 'ChatMessage']
    """

    def __init__(self, entities: Any = None) -> None:
        self.arrays = make_parts([], [], [], (), (), (), _no_place)
        if entities is not None:
            self.build_graph(entities)

    # -- making ------------------------------------------------------------------------------

    def build_graph(self, entities: Any) -> Self:
        """Find everything that is reachable from the given entities or entity classes.

        Parameters
        ----------
        entities
            One entity or an iterable of entities; one entity class or an iterable of them.

        Returns
        -------
        EntityDependencyGraph
            This graph, so that calls can be chained. What it held before is forgotten.

        Raises
        ------
        NotAnEntityError
            If anything given, or held where an entity should be, is none.
        DuplicateIdError
            If two different objects carry one ``ecs_id``; the message names both places.
        UnsupportedFieldError
            If an entity stands where no reference can be stored (``Any``, a dict key).

        Notes
        -----
        O(entities + references); iterative.

        Examples
        --------
        >>> import ecsviz as ev
        >>> ev.EntityDependencyGraph().build_graph(ev.sample("chain", n=3))
        EntityDependencyGraph(3 nodes, 2 references, no cycle)
        """
        roots = as_roots(entities)
        of_classes = bool(roots) and is_entity_class(roots[0])
        parts = parts_of_classes(roots) if of_classes else parts_of_entities(roots)
        return self._set_parts(parts)

    def _set_parts(self, parts: Parts) -> Self:
        self.__dict__.clear()  # what was derived from other parts
        self.arrays = parts
        return self

    @classmethod
    def from_parts(
        cls,
        nodes: Sequence[Any],
        ids: Sequence[Any],
        types: Sequence[str],
        sources: Sequence[int] | Ints,
        targets: Sequence[int] | Ints,
        paths: Sequence[str],
        *,
        fields: Sequence[str] | None = None,
        kinds: Sequence[int] | Ints | None = None,
        sides: Callable[[], Ints] | None = None,
        rising: bool = False,
    ) -> EntityDependencyGraph:
        """Return a graph of given nodes and references, for other rooms and other packages.

        Parameters
        ----------
        nodes
            What stands for each node.
        ids
            A sortable, hashable id for each.
        types
            The name of each node's type.
        sources, targets
            Per reference the position of its holder and of what is held.
        paths
            Per reference its place in the holder.
        fields
            Per reference its field; the path if not given.
        kinds
            Per reference ``ecsviz.basics.order.COLLECTION``, ``NULLABLE`` or ``REQUIRED``; all
            ``NULLABLE`` if not given.
        sides
            Gives an array with, per reference, ``k`` if it stands in a list, ``-k`` if it is the
            back-reference that says the same, 0 if neither; see `pairs`. Called when asked for.
        rising
            Whether the nodes stand in the order in which ties are broken; else their ids say it.

        Examples
        --------
        >>> import ecsviz as ev
        >>> graph = ev.EntityDependencyGraph.from_parts(
        ...     ["staff", "store"],
        ...     ["staff", "store"],
        ...     ["table"] * 2,
        ...     [0, 1],
        ...     [1, 0],
        ...     ["store_id", "manager_id"],
        ... )
        >>> graph.get_cycles()
        [Cycle(staff.store_id -> store.manager_id)]
        """
        names = paths if fields is None else fields
        kinds = [NULLABLE] * len(sources) if kinds is None else kinds
        ends = sources, targets, kinds, lambda number: (names[number], paths[number])
        return cls()._set_parts(make_parts(nodes, ids, types, *ends, rising=rising, sides=sides))

    # -- nodes and references ----------------------------------------------------------------

    @property
    def nodes(self) -> list[Any]:
        """The entities (classes, tables, …), roots first, in the order in which they were met."""
        return list(self.arrays.nodes)

    @property
    def references(self) -> References:
        """Every reference, by source and within a source by field."""
        return References(self.arrays, range(len(self.arrays.sources)))

    @property
    def left_out(self) -> int:
        """How many nodes only stand for entities that are not loaded: what they hold is unknown."""
        nodes = self.arrays.nodes
        entities = set(filter(is_entity_class, map(type, nodes)))
        return sum(type(node) in entities and is_placeholder(node) for node in nodes if entities)

    def __len__(self) -> int:
        return len(self.arrays.nodes)

    def __contains__(self, node: object) -> bool:
        return self.find_number(node) is not None

    def __repr__(self) -> str:
        nodes, references = f"{len(self.arrays.nodes):,} nodes", len(self.arrays.sources)
        if self.left_out:
            nodes += f", {self.left_out:,} of them not loaded"
        cyclic = int(self.ordering.cyclic.sum())
        state = "no cycle" if not cyclic else f"{cyclic:,} cyclic component{'s' * (cyclic > 1)}"
        return f"EntityDependencyGraph({nodes}, {references:,} references, {state})"

    @cached_property
    def _position(self) -> dict[Any, int]:
        return {node_id: number for number, node_id in enumerate(self.arrays.ids)}

    def find_number(self, node: Any) -> int | None:
        """Return the number of a node in `arrays`, None if it is none; no promise."""
        if is_entity_class(type(node)) and node.__dict__.get("ecs_id") in self._position:
            return self._position[node.__dict__["ecs_id"]]
        if is_entity_class(node):
            node = newest_definition(node)
        if isinstance(node, (UUID, str)):
            return self._position.get(node)
        return self._by_object.get(id(node))

    @cached_property
    def _by_object(self) -> dict[int, int]:
        return {id(node): number for number, node in enumerate(self.arrays.nodes)}

    def number_of(self, node: Any) -> int:
        """Return the number of a node in `arrays`, or raise EntityNotFoundError; no promise."""
        number = self.find_number(node)
        if number is None:
            names = [i for i in self.arrays.ids if isinstance(i, str)]
            near = did_you_mean(node, names) if isinstance(node, str) else ""
            raise EntityNotFoundError(
                f"{node_name(node)} is not in this graph of {len(self):,} nodes.{near}"
                " Build the graph from something that leads to it.",
                node=node,
            )
        return number

    def find_entity_by_id(self, ecs_id: UUID | str) -> Any:
        """Return the entity with an ``ecs_id``, or None. O(1) after the first call.

        Parameters
        ----------
        ecs_id
            A UUID, or its text; for classes and tables, the name.

        Raises
        ------
        InvalidIdError
            If the text is no UUID and the graph is one of entities.
        """
        ids = self.arrays.ids
        wanted: Any = ecs_id  # of classes and tables, the name
        if not isinstance(wanted, UUID) and (not ids or isinstance(ids[0], UUID)):
            try:
                wanted = UUID(wanted if isinstance(wanted, str) else "")
            except ValueError as err:
                raise InvalidIdError(
                    f"{short_repr(ecs_id)} is not a UUID. An ecs_id looks like {EXAMPLE}.",
                    value=ecs_id,
                ) from err
        number = self._position.get(wanted)
        return None if number is None else self.arrays.nodes[number]

    @cached_property
    def _out(self) -> Callable[[int], Any]:
        return order.group(self.arrays.sources, self.arrays.targets)

    @cached_property
    def _in(self) -> Callable[[int], Any]:
        return order.group(self.arrays.targets, self.arrays.sources)

    def dependencies(self, entity: Any, *, transitive: bool = False) -> list[Any]:
        """Return what an entity holds: along the arrows.

        Parameters
        ----------
        entity
            A node of this graph.
        transitive
            Whether to go on to what those hold. The entity itself is listed only if it holds
            itself and `transitive` is False.

        Returns
        -------
        list
            Each entity once: in the order of the references, the nearest first.

        Raises
        ------
        EntityNotFoundError
            If the entity is not in the graph.

        Examples
        --------
        >>> import ecsviz as ev
        >>> graph = ev.EntityDependencyGraph(ev.sample("chain", n=4))
        >>> first = graph.nodes[0]
        >>> len(graph.dependencies(first)), len(graph.dependencies(first, transitive=True))
        (1, 3)
        """
        return self._reached(entity, self._out, flag(transitive, "transitive"))

    def dependents(self, entity: Any, *, transitive: bool = False) -> list[Any]:
        """Return what holds an entity: against the arrows. As `dependencies`."""
        return self._reached(entity, self._in, flag(transitive, "transitive"))

    def _reached(self, entity: Any, step: Callable[[int], Any], transitive: bool) -> list[Any]:
        start = self.number_of(entity)
        found = dict.fromkeys(step(start).tolist())
        if transitive:
            found.pop(start, None)
            queue = list(found)
            for number in queue:
                for other in step(number).tolist():
                    if other not in found and other != start:
                        found[other] = None
                        queue.append(other)
        return [self.arrays.nodes[number] for number in found]

    # -- order -------------------------------------------------------------------------------

    @cached_property
    def ordering(self) -> Order:
        """Components, generations and order of the nodes, as arrays."""
        parts = self.arrays
        return order.topological_order(
            len(parts.nodes), parts.sources, parts.targets, parts.rank(), parts.kinds
        )

    @cached_property
    def _in_order(self) -> Any:
        nodes = np.fromiter(self.arrays.nodes, dtype=object, count=len(self.arrays.nodes))
        return nodes[self.ordering.sequence]

    @property
    def status(self) -> CycleStatus:
        """Whether there is a cycle. O(entities + references), once."""
        return CycleStatus.NO_CYCLE if self.is_acyclic else CycleStatus.CYCLE_DETECTED

    @property
    def is_acyclic(self) -> bool:
        """Whether there is no cycle, not even a reference of an entity to itself."""
        return not bool(self.ordering.cyclic.any())

    def get_topological_sort(self) -> list[Any]:
        """Return all entities, dependencies first: the order of saving.

        Returns
        -------
        list
            Components by generation, then by the lowest id of their members; the members of a
            component stand together, in an order that defers few references.

        Notes
        -----
        Deterministic, and independent of the order in which fields are visited. See
        ``ecsviz.basics.order.topological_order`` for method and cost.

        Examples
        --------
        >>> import ecsviz as ev
        >>> [
        ...     node.name
        ...     for node in ev.EntityDependencyGraph(ev.sample("chain", n=3)).get_topological_sort()
        ... ]
        ['n3', 'n2', 'n1']
        """
        return list(self._in_order)

    def generations(self, *, pairs: bool = True) -> list[list[Any]]:
        """Return the entities by generation.

        Parameters
        ----------
        pairs
            Whether the back-references of `pairs` count; False shows a chat as a hierarchy.

        Returns
        -------
        list of list
            First what depends on nothing outside its own component, then what depends only on
            that, and so on; within a generation in topological order.

        Examples
        --------
        >>> import ecsviz as ev
        >>> graph = ev.EntityDependencyGraph(ev.sample("thread"))
        >>> len(graph.generations()), len(graph.generations(pairs=False))
        (1, 7)
        """
        if not flag(pairs, "pairs"):
            return self.without_pairs.generations()
        result: list[list[Any]] = []
        generation = self.ordering.generation.tolist()
        for number in self.ordering.sequence.tolist():
            while len(result) <= generation[number]:
                result.append([])
            result[generation[number]].append(self.arrays.nodes[number])
        return result

    def cyclic_components(self, *, pairs: bool = True) -> list[list[Any]]:
        """Return the strongly connected components that hold a cycle.

        Parameters
        ----------
        pairs
            Whether the back-references of `pairs` count, which make every list of a chat a cycle.

        Returns
        -------
        list of list
            In topological order: components with several members, and single entities that
            hold themselves.

        Examples
        --------
        >>> import ecsviz as ev
        >>> graph = ev.EntityDependencyGraph(ev.sample("interlocked"))
        >>> [len(component) for component in graph.cyclic_components()]
        [7]
        """
        if not flag(pairs, "pairs"):
            return self.without_pairs.cyclic_components()
        component = self.ordering.component[self.ordering.sequence]
        begins = np.flatnonzero(np.diff(component, prepend=-1))
        ends = [*begins.tolist(), len(component)][1:]
        spans = zip(begins.tolist(), ends, self.ordering.cyclic[component[begins]], strict=True)
        return [self._in_order[start:end].tolist() for start, end, found in spans if found]

    @property
    def deferred(self) -> References:
        """The references that close cycles: they are written after both ends exist."""
        return References(self.arrays, np.flatnonzero(self.ordering.deferred).tolist())

    # -- cycles ------------------------------------------------------------------------------

    @cached_property
    def _backs(self) -> Bools:
        return self.arrays.paired()[0]

    @property
    def pairs(self) -> References:
        """The back-references whose holders are in the list that says the same.

        Such a pair is declared with ``ev.reference(inverse=…)``, or recognised where two classes
        leave no doubt. It is a cycle that tells nothing: ``pairs=False`` shows those beside them.

        Examples
        --------
        >>> import ecsviz as ev
        >>> graph = ev.EntityDependencyGraph(ev.sample("thread"))
        >>> len(graph.pairs), graph.get_cycles(pairs=False)
        (35, [])
        """
        return References(self.arrays, np.flatnonzero(self._backs).tolist())

    @cached_property
    def without_pairs(self) -> EntityDependencyGraph:
        """The same nodes without the back-references of `pairs`; no promise."""
        return self.without(self._backs) if self._backs.any() else self

    def without(self, references: Bools) -> EntityDependencyGraph:
        """Return the same nodes without some references, which are marked; no promise."""
        return type(self)()._set_parts(self.arrays.without(references))

    def get_cycles(
        self,
        limit: int | None = DEFAULT_CYCLES,
        *,
        seconds: float | None = DEFAULT_SECONDS,
        pairs: bool = True,
    ) -> CycleList:
        """Return the elementary cycles, shortest first.

        Parameters
        ----------
        limit
            How many at the most; None for all. 1,000 by default: there can be exponentially
            many.
        seconds
            How long to search, in seconds; None for as long as it takes.
        pairs
            Whether the back-references of `pairs` count: False lists what is a cycle without them.

        Returns
        -------
        CycleList
            A list of `Cycle`; its ``complete`` and ``reason`` say whether there are more.

        Notes
        -----
        A cycle starts with its entity of lowest id. Exact, and the same in every run; what is in
        no cycle costs nothing. See ``ecsviz.graph.cycle_search.CycleSearch`` for the method.

        Examples
        --------
        >>> import ecsviz as ev
        >>> graph = ev.EntityDependencyGraph(ev.sample("interlocked"))
        >>> [len(cycle) for cycle in graph.get_cycles()]
        [3, 3, 3]
        >>> graph.get_cycles(limit=1).complete
        False
        """
        if not flag(pairs, "pairs"):
            return self.without_pairs.get_cycles(limit, seconds=seconds)
        with collector_paused():
            limit, seconds = count_or_none(limit, "limit"), seconds_or_none(seconds, "seconds")
            return cycles_in(self.arrays, self.ordering, limit, seconds)

    # -- out ---------------------------------------------------------------------------------

    def to_networkx(self) -> nx.MultiDiGraph[Any]:
        """Return the graph for networkx.

        Returns
        -------
        MultiDiGraph
            Nodes are ids (``ecs_id``, or names), with ``entity``, ``type`` and ``generation``.
            Edges are keyed by path, with ``field``, ``path`` and ``deferred``; two references
            between the same two entities are two edges.

        Examples
        --------
        >>> import ecsviz as ev, networkx as nx
        >>> G = ev.EntityDependencyGraph(ev.sample("chain", n=3)).to_networkx()
        >>> nx.is_directed_acyclic_graph(G), G.number_of_edges()
        (True, 2)
        """
        import networkx as nx

        result: nx.MultiDiGraph[Any] = nx.MultiDiGraph()
        generation = self.ordering.generation.tolist()
        result.add_nodes_from(
            (node_id, {"entity": node, "type": kind, "generation": level})
            for node_id, node, kind, level in zip(
                self.arrays.ids, self.arrays.nodes, self.arrays.types, generation, strict=True
            )
        )
        deferred = self.ordering.deferred.tolist()
        ends = zip(self.arrays.sources.tolist(), self.arrays.targets.tolist(), strict=True)
        ids = self.arrays.ids
        with collector_paused():
            for number, (source, target) in enumerate(ends):
                field, path = self.arrays.place_of(number)
                data = {"field": field, "path": path, "deferred": deferred[number]}
                result.add_edge(ids[source], ids[target], key=path, **data)
        return result

    def _repr_html_(self) -> str:
        return graph_html(self)

    @documented(NODE_COLUMNS)
    def nodes_frame(self) -> pd.DataFrame:
        """Return the nodes as a DataFrame, one row each.

        Returns
        -------
        DataFrame
            In the order of ``nodes``, with a ``RangeIndex``:

            {columns}
        """
        from ecsviz.graph import frames

        return frames.nodes_frame(self.arrays, self.ordering)

    def references_frame(self) -> pd.DataFrame:
        """Return the references as a DataFrame, one row each.

        Returns
        -------
        DataFrame
            Shape (references, 8): the columns of `ecsviz.graph.frames.references_frame`.
        """
        from ecsviz.graph import frames

        return frames.references_frame(self.arrays, self.ordering)
