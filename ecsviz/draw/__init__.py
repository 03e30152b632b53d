"""Pictures with matplotlib, which is imported when the first one is drawn."""

from __future__ import annotations

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
