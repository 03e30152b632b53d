"""Live widgets, on anywidget: the explorers of graphs, chat threads, stores and databases.

What a page runs lies in ``js/`` and is bundled while the package is built. Widgets may import
everything but the command line; nobody below imports a widget. Begin reading at ``base.py``, then
``graph/explorer.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ecsviz.basics.lazy import lazy

if TYPE_CHECKING:
    from ecsviz.widgets.database.explorer import DatabaseExplorer, explore_database
    from ecsviz.widgets.graph.explore import explore_graph
    from ecsviz.widgets.graph.explorer import GraphExplorer
    from ecsviz.widgets.graph.lazy import LazyExplorer, explore_lazy
    from ecsviz.widgets.lesson.walkthrough import StepsExplorer, explore_steps
    from ecsviz.widgets.store.conflicts import ConflictsExplorer, explore_conflicts
    from ecsviz.widgets.store.explorer import StoreExplorer, explore_store
    from ecsviz.widgets.store.sides import SideBySide, explore_sides
    from ecsviz.widgets.thread.explorer import ThreadExplorer, explore_thread
    from ecsviz.widgets.threads.explorer import ThreadsExplorer, explore_threads

__all__ = [
    "ConflictsExplorer",
    "DatabaseExplorer",
    "GraphExplorer",
    "LazyExplorer",
    "SideBySide",
    "StepsExplorer",
    "StoreExplorer",
    "ThreadExplorer",
    "ThreadsExplorer",
    "explore_conflicts",
    "explore_database",
    "explore_graph",
    "explore_lazy",
    "explore_sides",
    "explore_steps",
    "explore_store",
    "explore_thread",
    "explore_threads",
]

# Loaded when asked for: a store brings SQLAlchemy with it, which a graph does without.
_ROOMS: Final = {
    "ConflictsExplorer": "ecsviz.widgets.store.conflicts",
    "DatabaseExplorer": "ecsviz.widgets.database.explorer",
    "GraphExplorer": "ecsviz.widgets.graph.explorer",
    "LazyExplorer": "ecsviz.widgets.graph.lazy",
    "SideBySide": "ecsviz.widgets.store.sides",
    "StepsExplorer": "ecsviz.widgets.lesson.walkthrough",
    "StoreExplorer": "ecsviz.widgets.store.explorer",
    "ThreadExplorer": "ecsviz.widgets.thread.explorer",
    "ThreadsExplorer": "ecsviz.widgets.threads.explorer",
    "explore_conflicts": "ecsviz.widgets.store.conflicts",
    "explore_database": "ecsviz.widgets.database.explorer",
    "explore_graph": "ecsviz.widgets.graph.explore",
    "explore_lazy": "ecsviz.widgets.graph.lazy",
    "explore_sides": "ecsviz.widgets.store.sides",
    "explore_steps": "ecsviz.widgets.lesson.walkthrough",
    "explore_store": "ecsviz.widgets.store.explorer",
    "explore_thread": "ecsviz.widgets.thread.explorer",
    "explore_threads": "ecsviz.widgets.threads.explorer",
}
__getattr__ = lazy(__name__, _ROOMS)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
