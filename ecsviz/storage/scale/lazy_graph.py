"""LazyGraph: the graph of a folder, asked by an engine; with the words of EntityDependencyGraph."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, Self

from ecsviz.basics.arguments import flag, listed, natural_number
from ecsviz.basics.files import local_folder
from ecsviz.basics.views import view
from ecsviz.errors import GraphTooLargeError, InvalidArgumentError, did_you_mean, short_repr
from ecsviz.graph.dependency_graph import CycleStatus, EntityDependencyGraph
from ecsviz.storage.scale.choosing import ask, engine_of, leave
from ecsviz.storage.scale.engines import DEFAULT_MEMORY
from ecsviz.storage.scale.findings import Findings
from ecsviz.storage.scale.picking import MOST_NODES, graph_of_chosen
from ecsviz.storage.scale.quotient import By, Quotient
from ecsviz.storage.scale.reaching import Along
from ecsviz.storage.scale.tables import EDGES, NODES, OthersTables, Tables

if TYPE_CHECKING:
    import pandas as pd

As = Literal["frame", "relation"]


class LazyGraph:
    """A graph that stays in files, and is asked by an engine; `ecsviz.scan_graph` opens it.

    Notes
    -----
    A node is a number; ``ids`` tells which entities they are. An arrow goes from the holder to
    the held. Frames of many rows can be had as the engine's own relations instead, with
    ``as_="relation"``: nothing is read into this process then. What was found is kept by the
    engine until `close`.

    Examples
    --------
    >>> import ecsviz as ev, tempfile
    >>> store = ev.SQLAlchemyEntityStorage(":memory:")
    >>> _ = store.register(ev.sample("thread"))
    >>> with tempfile.TemporaryDirectory() as place:
    ...     with ev.scan_graph(store.to_parquet(f"{place}/graph")) as graph:
    ...         graph
    ...         graph.status
    ...         len(graph.in_cycle()), len(graph.subgraph(limit=100))
    LazyGraph(19 nodes, 70 references, DuckDBEngine(2 GB))
    CycleStatus.CYCLE_DETECTED
    (19, 19)
    """

    def __init__(self, tables: Tables, *, close: Callable[[], Any] | None = None) -> None:
        self._tables, self._engine = tables, tables.engine
        ask(self._engine, self)
        self._found, self._turn = Findings(tables), tables.turn
        self._end = weakref.finalize(self, close) if close is not None else None

    @classmethod
    def from_edges(
        cls,
        path: str | os.PathLike[str],
        *,
        source: str = "source",
        target: str = "target",
        engine: Any = None,
        memory: str | int = DEFAULT_MEMORY,
    ) -> Self:
        r"""Return the graph whose references are the rows of files of others.

        Parameters
        ----------
        path
            A file of Parquet or CSV, or a folder of them.
        source, target
            The columns that hold the ids of who holds and of what is held: texts or numbers.
            A row with one of them is a node. Ids of CSV are texts as they are written, or whole
            numbers, if all of both columns are written as such (``1``, not ``01`` or ``1.0``).
        engine, memory
            As of `ecsviz.scan_graph`.

        Raises
        ------
        ImportFormatError
            If there are no such files.
        InvalidArgumentError
            If `source` or `target` is no name.

        Examples
        --------
        >>> import ecsviz as ev, pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as place:
        ...     file = pathlib.Path(place, "calls.csv")
        ...     _ = file.write_text("source,target\nmain,read\nread,parse\nparse,read\n")
        ...     with ev.LazyGraph.from_edges(file) as graph:
        ...         graph.cyclic_components()
        ...         graph.dependencies("main")
           component  size
        0          2     2
        ['read']
        """
        place = local_folder(path, "path")
        used, close = engine_of(engine, memory)
        return cls.opened(lambda: OthersTables.of_edges(used, place, source, target), close)

    @classmethod
    def opened(cls, tables: Callable[[], Tables], close: Callable[[], None]) -> Self:
        """Return a graph of tables that are made now; no promise."""
        try:
            return cls(tables(), close=close)
        except BaseException:
            close()
            raise

    def close(self) -> None:
        """Close the engine, if it was made here, and delete what was written for it."""
        leave(self._engine)
        if self._end is not None:
            self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return self._tables.counts["nodes"]

    def __repr__(self) -> str:
        counts = self._tables.counts
        nodes, references = counts["nodes"], counts["references"]
        return f"LazyGraph({nodes:,} nodes, {references:,} references, {self._engine!r})"

    # -- what there is -----------------------------------------------------------------------

    @property
    def nodes(self) -> Any:
        """The nodes as the engine's own relation: ``node``, ``ecs_id`` (bytes), ``type``."""
        return self._engine.relation(f"SELECT * FROM {NODES}")

    @property
    def references(self) -> Any:
        """The references as a relation: `source`, `target`, `field`, `position`, `key`."""
        return self._engine.relation(f"SELECT * FROM {EDGES}")

    def relation(self, type_name: str) -> Any:
        """Return the nodes of a class as the engine's own relation, with a column per field.

        Raises
        ------
        InvalidArgumentError
            If there is no such class.
        """
        known = self._tables.of_class
        given: Any = type_name  # whatever somebody gives
        if not isinstance(given, str) or given not in known:
            raise InvalidArgumentError(
                f"There is no class {short_repr(type_name)}.{did_you_mean(type_name, known)}",
                value=type_name,
            )
        return self._engine.relation(f"SELECT * FROM {known[type_name]}")

    def sql(self, query: str) -> Any:
        """Return a query of yours as a relation; tables are ``nodes``, ``edges`` and the classes.

        Notes
        -----
        The name of a class that is a word of SQL stands in quotes: ``FROM "Order"``.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> _ = store.register(ev.sample("thread"))
        >>> with ev.scan_graph(store) as graph:
        ...     graph.sql(
        ...         "SELECT role, count(*) FROM ChatMessage GROUP BY role ORDER BY 2"
        ...     ).fetchall()
        [('user', 7), ('assistant', 11)]
        """
        return self._engine.relation(query)

    def counts(self) -> pd.DataFrame:
        """Return how many nodes of each class there are, and how many references they hold.

        Returns
        -------
        DataFrame
            ``type``, ``nodes`` and ``references``, a row per class.

        Notes
        -----
        As the folder says it: nothing is read.
        """
        import pandas as pd

        held: dict[str, int] = {}
        for part in self._tables.file.references:
            held[part.source] = held.get(part.source, 0) + part.rows
        rows = [
            (part.name, part.rows, held.get(part.name, 0)) for part in self._tables.file.classes
        ]
        return pd.DataFrame(rows, columns=["type", "nodes", "references"])

    def between_types(self) -> pd.DataFrame:
        """Return how many references each field of each class holds to each class.

        Returns
        -------
        DataFrame
            ``source_type``, ``field``, ``target_type`` and ``references``. As `counts`, nothing is
            read.
        """
        import pandas as pd

        rows = [(p.source, p.field, p.target, p.rows) for p in self._tables.file.references]
        columns = ["source_type", "field", "target_type", "references"]
        frame = pd.DataFrame(rows, columns=columns)
        return frame[frame["references"] > 0].reset_index(drop=True)

    def degrees(self, *, as_: As = "frame") -> Any:
        """Return how many references go out of every node, and how many come in.

        Returns
        -------
        DataFrame
            ``node``, ``dependencies`` (out) and ``dependents`` (in), counted as in
            ``nodes_frame()``: two references to one entity are two.
        """
        with self._turn:
            return self._answer(f"SELECT * FROM {self._found.degrees()} ORDER BY node", as_)

    def find_entity_by_id(self, ecs_id: Any) -> int | None:
        """Return the number of the node with an id, or None."""
        found = self._tables.numbers([self._tables.id_of(ecs_id)])
        return found[0] if found else None

    def ids(self, nodes: Iterable[int]) -> list[Any]:
        """Return the ids of nodes, given by their numbers; in this order.

        Raises
        ------
        EntityNotFoundError
            If one is no node.
        """
        nodes = listed(nodes, "nodes", "Give the numbers of nodes.")
        wanted = [natural_number(node) for node in nodes]
        known = dict(self._tables.told(sorted({node for node in wanted if node is not None})))
        for given, node in zip(nodes, wanted, strict=True):
            if node not in known:
                self._tables.number(given)  # which tells that it is none
        return [known[node] for node in wanted if node is not None]

    # -- components --------------------------------------------------------------------------

    def components(self, *, as_: As = "frame") -> Any:
        """Return which nodes hang together, whichever way the arrows point.

        Returns
        -------
        DataFrame
            ``node`` and ``component``: the lowest number of a node in it, to be handed to
            `subgraph`. (Not the strongly connected components; see `in_cycle`.)

        Notes
        -----
        By randomised contraction, O(log nodes) statements on any shape; or in arrays, where the
        references fit the memory.
        """
        with self._turn:
            return self._answer(f"SELECT * FROM {self._found.components()} ORDER BY node", as_)

    def in_cycle(self, *, as_: As = "frame") -> Any:
        """Return the nodes that are in a cycle.

        Returns
        -------
        DataFrame
            ``node`` and ``component``: the lowest number of a node in its strongly connected
            component.

        Raises
        ------
        GraphTooLargeError
            If what hangs together is more than the memory holds.

        Notes
        -----
        Exact and linear: in arrays where all references fit the memory; else by weak components,
        whole ones at a time.
        """
        with self._turn:
            return self._answer(f"SELECT * FROM {self._found.cycles()} ORDER BY node", as_)

    def cyclic_components(self) -> pd.DataFrame:
        """Return the strongly connected components that hold a cycle.

        Returns
        -------
        DataFrame
            ``component`` (the lowest number of a node in it) and ``size``, the largest first.
        """
        with self._turn:
            frame: pd.DataFrame = self._answer(
                f"SELECT component, count(*) AS size FROM {self._found.cycles()} GROUP BY component"
                " ORDER BY size DESC, component",
                "frame",
            )
            return frame

    @property
    def status(self) -> CycleStatus:
        """Whether there is a cycle."""
        return CycleStatus.NO_CYCLE if self.is_acyclic else CycleStatus.CYCLE_DETECTED

    @property
    def is_acyclic(self) -> bool:
        """Whether there is no cycle, not even a reference of an entity to itself."""
        with self._turn:
            return not self._tables.count(self._found.cycles())

    # -- order -------------------------------------------------------------------------------

    def generations(self, *, as_: As = "frame") -> Any:
        """Return the generation of every node.

        Returns
        -------
        DataFrame
            ``node`` and ``generation``: 0 for what depends on nothing outside its own component,
            then what depends only on that, and so on.
        """
        with self._turn:
            order = self._found.order()
            return self._answer(f"SELECT node, generation FROM {order} ORDER BY node", as_)

    def get_topological_sort(self, *, as_: As = "frame") -> Any:
        """Return all nodes, dependencies first: the order of saving.

        Returns
        -------
        DataFrame
            ``node``, ``generation``, ``component`` (strongly connected; the lowest number of a
            node in it) and ``in_cycle``, in the very order of
            ``EntityDependencyGraph.get_topological_sort``. The relation has ``place`` besides.

        Raises
        ------
        GraphTooLargeError
            If what hangs together is more than the memory holds.
        """
        with self._turn:
            order = self._found.order()
            columns = "node, generation, component, in_cycle"
            asked: Any = as_  # whatever somebody gives
            if isinstance(asked, str) and asked == "relation":
                columns += ", place"
            return self._answer(f"SELECT {columns} FROM {order} ORDER BY place", as_)

    # -- around a node -----------------------------------------------------------------------

    def neighbourhood(self, entity: Any, hops: int = 1, *, along: Along = "both") -> pd.DataFrame:
        """Return what is near a node.

        Parameters
        ----------
        entity
            An entity, its ``ecs_id``, or the number of a node.
        hops
            How many references to follow at the most.
        along
            ``"out"`` along the arrows, ``"in"`` against them, ``"both"`` either way.

        Returns
        -------
        DataFrame
            ``node`` and ``hops``, the nearest first; the node itself with 0.

        Raises
        ------
        EntityNotFoundError
            If there is no such node.
        """
        import pandas as pd

        hops = _natural(hops, "hops")
        found = self._found.reached(self._tables.start(entity), hops, along)
        return pd.DataFrame({"node": found[0], "hops": found[1]})

    def dependencies(self, entity: Any, *, transitive: bool = False) -> list[Any]:
        """Return what a node holds: along the arrows; as ``EntityDependencyGraph.dependencies``.

        Raises
        ------
        GraphTooLargeError
            With `transitive`, if that is more than 100,000 nodes: `neighbourhood` and `subgraph`
            take a number of hops.
        """
        return self._near(entity, "out", flag(transitive, "transitive"))

    def dependents(self, entity: Any, *, transitive: bool = False) -> list[Any]:
        """Return what holds a node: against the arrows. As `dependencies`."""
        return self._near(entity, "in", flag(transitive, "transitive"))

    def _near(self, entity: Any, along: Along, transitive: bool) -> list[Any]:
        start = self._tables.start(entity)
        nodes, _ = self._found.reached(start, None if transitive else 1, along)
        found = [node for node in nodes.tolist() if node != start]
        if not transitive and self._tables.holds_itself(start):
            found.append(start)
        if len(found) > MOST_NODES:
            raise GraphTooLargeError(
                f"That are {len(found):,} nodes, and {MOST_NODES:,} are listed at the most. Ask"
                " neighbourhood(entity, hops) for their numbers.",
                n=len(found),
                limit=MOST_NODES,
            )
        make, kind = self._tables.made_node, self._tables.type_of
        known = dict(self._tables.told(sorted(found)))
        return [make(known[node], kind(node)) for node in found]

    # -- the way back ------------------------------------------------------------------------

    def subgraph(
        self,
        *,
        where: str | None = None,
        ids: Iterable[Any] | None = None,
        component: int | None = None,
        around: Any = None,
        hops: int = 1,
        limit: int = MOST_NODES,
    ) -> EntityDependencyGraph:
        """Return a part as an `EntityDependencyGraph`, to draw, explore and list its cycles.

        Parameters
        ----------
        where
            A condition in SQL on ``nodes``, such as ``"type = 'ChatThread'"``; a class is a table
            too: ``"node IN (SELECT node FROM ChatMessage WHERE role = 'user')"``.
        ids
            The ``ecs_id`` of entities, or numbers of nodes.
        component
            One of `components`.
        around, hops
            A node, and how far from it, either way. One of these four is given; without any it is
            the whole graph.
        limit
            How many nodes at the most; 100,000 by default.

        Returns
        -------
        EntityDependencyGraph
            As ``store.graph()`` makes it: the nodes, and all references among them.

        Raises
        ------
        GraphTooLargeError
            If there are more nodes than `limit`, or more than ten times as many references.
        """
        given = [each for each in (where, ids, component, around) if each is not None]
        if len(given) > 1:
            raise InvalidArgumentError(
                "Give one of where=, ids=, component= and around=.", value=given[1]
            )
        hops, limit = _natural(hops, "hops"), _natural(limit, "limit")
        with self._turn:
            if where is not None:
                if not isinstance(where, str):
                    raise InvalidArgumentError(
                        f"where is {short_repr(where)}. Give a condition in SQL, as a text.",
                        value=where,
                    )
                chosen = f"SELECT node FROM {NODES} WHERE {where}"
            elif component is not None:
                weak, number = self._found.components(), self._tables.number(component)
                chosen = f"SELECT node FROM {weak} WHERE component = {number}"
            elif ids is not None:
                ids = listed(ids, "ids", "Give ids of entities, or numbers of nodes.")
                chosen = self._tables.given([self._tables.start(each) for each in ids])
            elif around is not None:
                chosen = self._tables.given(
                    self._found.reached(self._tables.start(around), hops, "both")[0]
                )
            else:
                chosen = f"SELECT node FROM {NODES}"
            return graph_of_chosen(self._tables, chosen, limit)

    def quotient(self, by: By = "type") -> Quotient:
        """Return what the graph consists of: its classes, or its largest components.

        Parameters
        ----------
        by
            ``"type"``, for which nothing is read, or ``"component"``.

        Returns
        -------
        Quotient
            ``graph`` has a node per part, to draw; ``part(id, limit)`` brings one of them here.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> _ = store.register(ev.sample("thread"))
        >>> with ev.scan_graph(store) as graph:
        ...     graph.quotient().graph.nodes
        ['ChatMessage: 18', 'ChatThread: 1']
        """
        return Quotient(self._tables, self._found, by)

    @view
    def explore(self, **options: Any) -> Any:
        """Return a live widget of what the graph consists of; see `widgets.explore_lazy`."""
        raise NotImplementedError

    # -- helpers -----------------------------------------------------------------------------

    def _answer(self, sql: str, as_: Any) -> Any:
        if isinstance(as_, str) and as_ == "relation":
            return self._engine.relation(sql)
        if not isinstance(as_, str) or as_ != "frame":
            raise InvalidArgumentError(
                f"as_ is {short_repr(as_)}. Give 'frame' or 'relation'.", argument="as_", value=as_
            )
        return self._engine.rows(sql).to_pandas()


def _natural(value: Any, name: str) -> int:
    number = natural_number(value)
    if number is None:
        raise InvalidArgumentError(
            f"{name} is {short_repr(value)}. Give a whole number from 0.",
            argument=name,
            value=value,
        )
    return number
