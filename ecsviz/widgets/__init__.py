"""Live widgets, on anywidget: the explorers of graphs, chat threads and stores.

What a page runs lies in ``js/`` and is bundled while the package is built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ecsviz.lazy import lazy

if TYPE_CHECKING:
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

# Loaded when asked for: a store brings SQLAlchemy with it, which a graph does without.
_ROOMS: Final = {
    "GraphExplorer": "ecsviz.widgets.explorer",
    "StoreExplorer": "ecsviz.widgets.store",
    "ThreadExplorer": "ecsviz.widgets.thread",
    "explore_graph": "ecsviz.widgets.explorer",
    "explore_store": "ecsviz.widgets.store",
    "explore_thread": "ecsviz.widgets.thread",
}
__getattr__ = lazy(__name__, _ROOMS)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
