"""The traits of the explorer of a graph: what Python and the page have in common.

``js/graph/traits.d.ts`` says the same to the page.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

import traitlets

from ecsviz.widgets.base import LiveWidget

HEIGHT: Final = 440
"""How high the picture is, in pixels."""


class GraphTraits(LiveWidget):
    """What both hold: the traits of `GraphExplorer`, where they are explained.

    Those that begin with a line Python sets, and the page shows; what a page asks for besides
    stands in `answers`.
    """

    bundle: ClassVar[str] = "explorer"
    answers: ClassVar[dict[str, str]] = {
        "select": "_on_select",
        "open": "_on_open",
        "close": "_on_close",
        "rows": "_on_rows",
        "labels": "_on_labels",
        "tip": "_on_tip",
        "cycles": "_on_cycles",
        "move": "_on_move",
        "pick": "_on_pick",
        "path": "_on_path",
    }

    view = traitlets.Unicode().tag(sync=True)
    group_by = traitlets.Enum(("auto", "component", "type"), "auto").tag(sync=True)
    search = traitlets.Unicode().tag(sync=True)
    type_filter = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    cycles_only = traitlets.Bool().tag(sync=True)
    hidden_types: traitlets.List[str] = traitlets.List(traitlets.Unicode()).tag(sync=True)
    hidden_fields: traitlets.List[str] = traitlets.List(traitlets.Unicode()).tag(sync=True)
    hops = traitlets.Int(1).tag(sync=True)
    height = traitlets.Int(HEIGHT).tag(sync=True)
    step = traitlets.Int().tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)
    color_by = traitlets.Unicode("type").tag(sync=True)
    size_by = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    live = traitlets.Bool()
    _about = traitlets.Dict(help="the graph itself").tag(sync=True)
    _scene = traitlets.Dict(help="what is shown").tag(sync=True)
    _look = traitlets.Dict(help="the legend").tag(sync=True)
    _codes = traitlets.Bytes(help="per element its entry of the legend").tag(sync=True)
    _sizes = traitlets.Bytes(help="per element its size, from 0 to 255").tag(sync=True)
    _details = traitlets.Dict(help="of the selected entity").tag(sync=True)
    _at = traitlets.Int(-1, help="the element that shows it").tag(sync=True)
    _mask = traitlets.Bytes(help="per element whether it is left, and found").tag(sync=True)
    _rows = traitlets.Dict(help="a page of the table").tag(sync=True)
    _stepping = traitlets.Bool(help="whether what is saved later is faded").tag(sync=True)
    _steps: traitlets.List[Any] = traitlets.List(help="the chosen cycle's references").tag(
        sync=True
    )
    picked: traitlets.List[Any] = traitlets.List().tag(sync=True)
    cycle = traitlets.Int(None, allow_none=True).tag(sync=True)
    cycle_step = traitlets.Int().tag(sync=True)
    _picked = traitlets.Bytes(help="per element whether it is picked").tag(sync=True)
    _moved = traitlets.Dict(help="where elements were put").tag(sync=True)
    _cycles = traitlets.Dict(help="those to choose from").tag(sync=True)
