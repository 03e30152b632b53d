"""Graphs past the memory of one process: a folder of Parquet files, and engines that ask it.

May import the rest of ``storage/`` and what is below it. Begin reading at ``layout.py``, which says
what such a folder holds; ``writing.py`` fills it from a store, ``lazy_graph.py`` asks it through
the engines of ``engines.py``. Every name below is loaded when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ecsviz.basics.lazy import lazy

if TYPE_CHECKING:
    from ecsviz.storage.scale.engines import DuckDBEngine, Engine, EngineError
    from ecsviz.storage.scale.lazy_graph import LazyGraph
    from ecsviz.storage.scale.opening import scan_graph
    from ecsviz.storage.scale.spark_engine import SparkEngine

__all__ = ["DuckDBEngine", "Engine", "EngineError", "LazyGraph", "SparkEngine", "scan_graph"]

_ROOMS: Final = {
    **dict.fromkeys(("DuckDBEngine", "Engine", "EngineError"), "ecsviz.storage.scale.engines"),
    "LazyGraph": "ecsviz.storage.scale.lazy_graph",
    "SparkEngine": "ecsviz.storage.scale.spark_engine",
    "scan_graph": "ecsviz.storage.scale.opening",
}
__getattr__ = lazy(__name__, _ROOMS)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
