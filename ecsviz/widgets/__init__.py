"""Live widgets, on anywidget: the explorer of a graph.

What a page runs lies in ``js/`` and is bundled while the package is built.
"""

from __future__ import annotations

from ecsviz.widgets.explorer import GraphExplorer, explore_graph

__all__ = ["GraphExplorer", "explore_graph"]
