"""Live widgets, on anywidget: the explorers of graphs, chat threads and stores.

What a page runs lies in ``js/`` and is bundled while the package is built.
"""

from __future__ import annotations

from ecsviz.widgets.explorer import GraphExplorer, explore_graph
from ecsviz.widgets.store import StoreExplorer, explore_store
from ecsviz.widgets.thread import ThreadExplorer, explore_thread

__all__ = [
    "GraphExplorer",
    "StoreExplorer",
    "ThreadExplorer",
    "explore_graph",
    "explore_store",
    "explore_thread",
]
