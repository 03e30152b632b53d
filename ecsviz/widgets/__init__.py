"""Live widgets, on anywidget: the explorers of graphs, chat threads and stores.

What a page runs lies in ``js/`` and is bundled while the package is built.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

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
    "GraphExplorer": "explorer",
    "StoreExplorer": "store",
    "ThreadExplorer": "thread",
    "explore_graph": "explorer",
    "explore_store": "store",
    "explore_thread": "thread",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"ecsviz.widgets.{_ROOMS[name]}")
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
