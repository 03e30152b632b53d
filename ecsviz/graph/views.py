"""What a graph can be drawn, shown and written as; who does it is said in ``ecsviz/__init__``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ecsviz.basics.views import ToHtml, view
from ecsviz.errors import InvalidArgumentError, short_repr
from ecsviz.graph.walks import MAX_NODES, checked_what, walk_through
from ecsviz.graph.walkthrough import Walkthrough

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


G = TypeVar("G")


class GraphViews(ToHtml):
    """The views of `EntityDependencyGraph`."""

    @view
    def draw(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the graph with matplotlib; see ``ecsviz.draw.draw_graph``.

        A bar shows what takes longer than a second; ``progress=False`` silences it.
        """
        raise NotImplementedError

    @view
    def explore(self, **options: Any) -> Any:
        """Return a live widget of the graph; see ``ecsviz.widgets.explore_graph``."""
        raise NotImplementedError

    def walkthrough(
        self,
        what: str = "order",
        *,
        around: Any = None,
        nodes: int | None = MAX_NODES,
        pairs: bool = True,
        store: Any = None,
    ) -> Walkthrough:
        """Return an algorithm step by step on this graph: a widget, a table, pictures.

        Parameters
        ----------
        what
            ``"order"`` (the topological order, by Kahn), ``"components"`` (by Tarjan), ``"cycles"``
            (by Johnson); ``"save"`` and ``"load"`` show what a store does with these entities.
        around
            A node: the nearest to it are walked through, along and against the arrows. None
            begins with the first node, where the graph has more than `nodes`.
        nodes
            How many at the most; None for all. 30 by default: of more one sees nothing.
        pairs
            Whether the back-references of `pairs` count.
        store
            For ``"save"`` and ``"load"``: an `SQLAlchemyEntityStorage`, which is only read. None
            shows a new one in memory, which has none of them.

        Returns
        -------
        Walkthrough
            Its ``note`` says what was left out. In a notebook it is a widget; ``frame()`` gives the
            steps as a table, ``draw(step)`` a picture, ``predict(step, answer)`` what is off.

        Raises
        ------
        InvalidArgumentError
            If there is no such walkthrough, or an option is nothing of its kind.
        EntityNotFoundError
            If `around` is not in the graph; to load, if an entity is not in the store.
        GraphTooLargeError
            If more than 200 nodes are asked for; to save or load, if there are more than 10,000.
        NotAnEntityError
            To save or load, if the graph is not one of entities.

        Notes
        -----
        The steps come from a plain version of the algorithm that finds the same as the fast one.
        After 1,000 steps it stops, and says so.

        Examples
        --------
        >>> import ecsviz as ev
        >>> graph = ev.EntityDependencyGraph(ev.sample("two_cycle"))
        >>> walk = graph.walkthrough("components")
        >>> [[node.name for node in component] for component in walk.answer]
        [['a', 'b']]
        >>> print(walk[-2].text)
        low[a] is index[a]: {a, b} is a component.
        >>> thread = ev.ChatThread(title="Cycles")
        >>> message = thread.say("user", "hello")
        >>> for step in ev.EntityDependencyGraph(thread).walkthrough("save")[3:5]:
        ...     print(step.text)
        Insert 1 row into chat_threads.
        Insert 1 row into chat_messages.
        """
        chosen = {"around": around, "nodes": nodes, "pairs": pairs}
        if checked_what(what) in ("save", "load"):
            return self._stored_walkthrough(what, **chosen, store=store)
        return walk_through(self, what, **chosen)

    @view
    def _stored_walkthrough(self, what: str, **options: Any) -> Walkthrough:
        """Return what a store does with these entities, step by step."""
        raise NotImplementedError

    @view
    def to_frames(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return everything the entities hold as two DataFrames; see ``ecsviz.to_frames``."""
        raise NotImplementedError

    @view
    def to_mermaid(self, **options: Any) -> str:
        """Return the graph as Mermaid text; see ``ecsviz.export.to_mermaid``."""
        raise NotImplementedError

    @view
    def to_dot(self) -> str:
        """Return the graph in Graphviz' DOT language; see ``ecsviz.export.to_dot``."""
        raise NotImplementedError

    @view
    def to_node_link(self) -> dict[str, Any]:
        """Return the graph as node-link data; see ``ecsviz.export.to_node_link``."""
        raise NotImplementedError

    @view
    def to_json(self, path: str | os.PathLike[str] | None = None, **options: Any) -> str:
        """Return the graph as node-link JSON text; see ``ecsviz.export.to_json``."""
        raise NotImplementedError

    @view
    def to_cytoscape(self) -> dict[str, Any]:
        """Return the graph as Cytoscape JSON; see ``ecsviz.export.to_cytoscape``."""
        raise NotImplementedError

    @view
    def to_graphml(self, path: str | os.PathLike[str]) -> Path:
        """Write the graph as GraphML; see ``ecsviz.export.to_graphml``."""
        raise NotImplementedError

    @view
    def to_parquet(self, folder: str | os.PathLike[str]) -> Path:
        """Write the entities as Parquet; see ``ecsviz.export.to_parquet``."""
        raise NotImplementedError


def checked_graph(value: G, name: str = "graph") -> G:
    """Return a graph.

    Raises
    ------
    InvalidArgumentError
        If it is none.

    Examples
    --------
    >>> checked_graph(3)
    Traceback (most recent call last):
    ecsviz.errors.InvalidArgumentError: graph is 3. Give an EntityDependencyGraph.
    """
    if isinstance(value, GraphViews):
        return value
    raise InvalidArgumentError(
        f"{name} is {short_repr(value)}. Give an EntityDependencyGraph.", value=value
    )
