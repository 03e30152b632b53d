"""What a graph can be drawn, shown and written as; who does it is said in ``ecsviz/__init__``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ecsviz.basics.views import ToHtml, view
from ecsviz.errors import InvalidArgumentError, short_repr

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
