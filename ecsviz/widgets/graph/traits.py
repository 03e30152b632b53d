"""The traits of the explorer of a graph: what Python and the page have in common.

``js/graph/traits.d.ts`` says the same to the page.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Final
from uuid import UUID

import traitlets

from ecsviz.basics.text import plain
from ecsviz.errors import InvalidArgumentError, did_you_mean, short_repr
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.widgets.base import LiveWidget, Message, Numbers, whole_number
from ecsviz.widgets.graph.details import Ids
from ecsviz.widgets.graph.looks import Looks
from ecsviz.widgets.graph.picking import first_nodes
from ecsviz.widgets.graph.views import Showing, field_names, introduction

HEIGHT: Final = 440
"""How high the picture is, in pixels."""


class GraphTraits(LiveWidget):
    """What both hold: the traits of `GraphExplorer`, where they are explained.

    Those that begin with a line Python sets, and the page shows; what a page asks for besides
    stands in `answers`.
    """

    graph: EntityDependencyGraph
    _names: list[str]
    _looks: Looks
    _showing: Showing
    _ids: Ids
    _numbers: Numbers
    bundle: ClassVar[str] = "explorer"
    answers: ClassVar[dict[str, str]] = {
        "select": "_on_select",
        "open": "_on_open",
        "close": "_on_close",
        "rows": "_on_rows",
        "labels": "_on_labels",
        "tip": "_on_tip",
        "cycles": "_on_cycles",
        "cycle": "_on_pick_cycle",
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
    layout_by = traitlets.Unicode(None, allow_none=True).tag(sync=True)
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

    # -- what a page means by numbers; no promise ---------------------------------------------

    def renumber(self) -> None:
        """Tell pages that nodes, groups and cycles have other numbers now."""
        self._numbers.renew(self.graph.arrays.ids)
        self._about = introduction(self._showing, self._names, self._looks) | {
            "edition": self._numbers.edition
        }

    def node_in(self, message: Message) -> int | None:
        """Return the node that a page means, by the number that it has now."""
        node_id = self._numbers.meant(message)
        return None if node_id is None else self._ids.find(str(node_id))

    def is_current(self, message: Message, *, scene: bool = False) -> bool:
        """Tell whether a page means the groups and cycles, or the picture, that are there now."""
        name, now = ("scene", self._scene) if scene else ("edition", self._about)
        return bool(message.get(name, now["edition"]) == now["edition"])

    def group_in(self, message: Message) -> int | None:
        """Return the group that a page means, if there are still the same."""
        if not self.is_current(message):
            return None
        return whole_number(message, "group", 0, len(self._showing.groups) - 1)

    def element_in(self, message: Message) -> int | None:
        """Return the element that a page means, if the picture is still the same."""
        if not self.is_current(message, scene=True):
            return None
        return whole_number(message, "element", 0, len(self._showing.now) - 1)

    # -- what it shows -----------------------------------------------------------------------

    def concerns(self, ids: Iterable[UUID]) -> bool:
        """Tell whether one of some entities is in the graph; no promise."""
        return any(self.graph.find_number(ecs_id) is not None for ecs_id in ids)

    def hides(self) -> dict[str, list[str]]:
        """Return what can be hidden: by the trait, the names."""
        return {"hidden_types": self._names, "hidden_fields": field_names(self.graph)}

    def forget_unknown(self) -> None:
        """Take back what is hidden, coloured or sized by, and is not in the graph any more."""
        for name, usual in (("color_by", "type"), ("size_by", None)):
            if not self._looks.knows(name, getattr(self, name)):
                self.settle(**{name: usual})
        if self.layout_by not in (None, *self._showing.layouts):
            self.settle(layout_by=None)
        for name, known in self.hides().items():
            self.settle(**{name: [each for each in getattr(self, name) if each in known]})

    @property
    def pictured(self) -> tuple[str, str | None]:
        """What things are put in places of: a view, and a layout."""
        return self.view, self.layout_by

    @traitlets.validate("layout_by")
    def _check_layout(self, proposal: Any) -> str | None:
        return self._showing.place_by(proposal.value)

    @traitlets.validate("live")
    def _check_live(self, proposal: Any) -> bool:
        if proposal.value:
            first_nodes(self.graph)  # which raises where it cannot be found anew
        return bool(proposal.value)

    @traitlets.validate("hidden_types", "hidden_fields")
    def _check_hidden(self, proposal: Any) -> list[str]:
        known = self.hides()[proposal.trait.name]
        shown = {plain(name, 80): name for name in known} | {name: name for name in known}
        for name in proposal.value:
            if name not in shown:
                what = proposal.trait.name.removeprefix("hidden_").removesuffix("s")
                raise InvalidArgumentError(
                    f"{proposal.trait.name} names {short_repr(name)}, which is no {what} of this"
                    f" graph.{did_you_mean(name, known)}",
                    value=proposal.value,
                )
        return list(dict.fromkeys(shown[name] for name in proposal.value))
