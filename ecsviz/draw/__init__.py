"""Pictures with matplotlib, which is imported when the first one is drawn.

May import ``layout/`` and ``storage/`` (what a store says of its tables and its past). Begin
reading at ``graph.py``: it makes a ``picture`` (what is shown), then a ``plan`` (where), and draws
nodes, references and labels on a ``frame``. Timelines, lineages and schemas have a room each.
The folder can be called: ``ecsviz.draw(anything)`` gives the picture that fits (``anything.py``).
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from ecsviz.basics.lazy import lazy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ecsviz.draw.activity import draw_activity
    from ecsviz.draw.chat_bars import draw_lengths, draw_models
    from ecsviz.draw.diff import draw_diff
    from ecsviz.draw.graph import draw_graph
    from ecsviz.draw.lineage import draw_lineage
    from ecsviz.draw.picture import DrawingOptionError
    from ecsviz.draw.schema import draw_schema
    from ecsviz.draw.timeline import draw_timeline
    from ecsviz.draw.walkthrough import draw_walkthrough

__all__ = [
    "DrawingOptionError",
    "draw_activity",
    "draw_diff",
    "draw_graph",
    "draw_lengths",
    "draw_lineage",
    "draw_models",
    "draw_schema",
    "draw_timeline",
    "draw_walkthrough",
]

# Loaded when asked for: a schema brings SQLAlchemy with it, which a graph does without.
_ROOMS: Final = {
    "DrawingOptionError": "ecsviz.draw.picture",
    "draw_activity": "ecsviz.draw.activity",
    "draw_diff": "ecsviz.draw.diff",
    "draw_graph": "ecsviz.draw.graph",
    "draw_lengths": "ecsviz.draw.chat_bars",
    "draw_lineage": "ecsviz.draw.lineage",
    "draw_models": "ecsviz.draw.chat_bars",
    "draw_schema": "ecsviz.draw.schema",
    "draw_timeline": "ecsviz.draw.timeline",
    "draw_walkthrough": "ecsviz.draw.walkthrough",
}
__getattr__ = lazy(__name__, _ROOMS)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Verb(ModuleType):
    """Lets the module be called: ``ecsviz.draw`` is a folder of pictures and a verb."""

    def __call__(self, what: Any, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw anything; see ``ecsviz.draw.anything.draw``."""
        from ecsviz.draw.anything import draw

        return draw(what, ax, **options)


sys.modules[__name__].__class__ = _Verb
