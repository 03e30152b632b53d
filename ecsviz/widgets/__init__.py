"""Live widgets, on anywidget: the explorers of graphs, chat threads and stores.

What a page runs lies in ``js/`` and is bundled while the package is built.
"""

from __future__ import annotations

from ecsviz.widgets.explorer import GraphExplorer, explore_graph
from ecsviz.widgets.thread import ThreadExplorer, explore_thread

__all__ = ["GraphExplorer", "ThreadExplorer", "explore_graph", "explore_thread"]
