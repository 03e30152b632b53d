"""Pictures with matplotlib, which is imported when the first one is drawn."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ecsviz.draw.diff import draw_diff
    from ecsviz.draw.graph import draw_graph
    from ecsviz.draw.lineage import draw_lineage
    from ecsviz.draw.picture import DrawingOptionError
    from ecsviz.draw.schema import draw_schema
    from ecsviz.draw.timeline import draw_timeline

__all__ = [
    "DrawingOptionError",
    "draw_diff",
    "draw_graph",
    "draw_lineage",
    "draw_schema",
    "draw_timeline",
]

# Loaded when asked for: a schema brings SQLAlchemy with it, which a graph does without.
_ROOMS: Final = {
    "DrawingOptionError": "picture",
    "draw_diff": "diff",
    "draw_graph": "graph",
    "draw_lineage": "lineage",
    "draw_schema": "schema",
    "draw_timeline": "timeline",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"ecsviz.draw.{_ROOMS[name]}")
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
