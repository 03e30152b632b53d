"""Live widgets: explorers of graphs, made of plain ipywidgets."""

from __future__ import annotations

from ecsviz.widgets.explorer import GraphExplorer, explore_graph

__all__ = ["GraphExplorer", "explore_graph"]
