"""The explorer of a dependency graph: look around, filter, step through orders and cycles.

Whatever the size of the graph, only what is shown goes to the page: see ``scene.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import traitlets

from ecsviz.basics.arguments import flag
from ecsviz.basics.html import Child, element, table
from ecsviz.basics.order import Bools
from ecsviz.basics.text import counted, plain
from ecsviz.domain.labels import label_of
from ecsviz.domain.walk import Reference
from ecsviz.errors import InvalidArgumentError
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.graph.views import checked_graph
from ecsviz.layout.groups import By
from ecsviz.widgets.base import EntityId, Message, Numbers, poster, whole_number
from ecsviz.widgets.graph.details import ROWS
from ecsviz.widgets.graph.live import follow
from ecsviz.widgets.graph.looks import legend_of
from ecsviz.widgets.graph.page import page_of
from ecsviz.widgets.graph.picking import (
    STEPS,
    Places,
    first_nodes,
    keys_of,
    nodes_asked,
    path_between,
    picked_now,
    place_in,
    positions_of,
    steps_along,
)
from ecsviz.widgets.graph.scene import elements_of
from ecsviz.widgets.graph.traits import HEIGHT, GraphTraits
from ecsviz.widgets.graph.views import (
    View,
    check_number,
    filtered,
    found,
    hidden_told,
    subject_of,
    type_named,
)

if TYPE_CHECKING:
    import pandas as pd


DETAILED: Final = 500
"""Up to how many entities are shown one by one: what a browser still moves smoothly."""
LEAST, MOST = 160, 4_000
"""How high the picture may be, in pixels."""
HOPS: Final = 6
"""How far a neighbourhood goes at the most."""


class GraphExplorer(GraphTraits):
    """The widget that `explore_graph` returns.

    Attributes
    ----------
    selected
        A trait: the ``ecs_id`` of the selected entity as text (a class's or table's name), or
        None. Set it, or ``observe`` it.
    entity
        The selected entity itself, or None.
    graph
        The graph.
    view
        A trait: what the picture shows; ``"all"``, ``"groups"``, ``"map"``, ``"around"`` or
        ``"found"``, which is what search and filters leave.
    group_by
        A trait: what groups are made by; ``"auto"``, ``"component"`` (a thread with its
        messages), or ``"type"``.
    search, type_filter, cycles_only
        Traits: what is looked for, the name of a type or None, and whether only what is in a
        cycle.
    hidden_types, hidden_fields
        Traits: lists of the names of types and fields of which nothing is drawn.
    color_by
        A trait: what colours stand for, as in ``graph.draw``: ``"type"``, ``"component"``,
        ``"generation"``, ``"degree"``, or a field's name.
    size_by
        A trait: ``"degree"``, ``"generation"``, or a field of numbers: how large marks are.
    live
        A trait: whether it shows by itself what a storage of this process has saved.
    hops
        A trait: how far the view ``"around"`` goes, 1 to `HOPS`.
    picked
        A trait: a list of the ``ecs_id`` of all that was picked (Shift and draw a line around
        them, or Ctrl and click), as text. Entities may be given.
    selection
        What is picked as a DataFrame, else what is selected: rows of ``graph.nodes_frame()``.
    positions
        Where the picture shows what: ``ecs_id`` → (x, y) in pixels, y down, as a reader has
        dragged it.
    height
        A trait: how high the picture is, in pixels.
    step
        A trait: the place of the selected entity in the topological order, from 1; 0 for none.
    cycle, cycle_step
        Traits: the cycle that is stepped through, or None; and the number of the reference.
    status
        A trait: what is shown of what there is, in words.
    """

    to_page = page_of

    def __init__(
        self,
        graph: EntityDependencyGraph,
        *,
        selected: Any = None,
        view: str | None = None,
        limit: int = DETAILED,
        pairs: bool = True,
        height: int = HEIGHT,
        color_by: str = "type",
        size_by: str | None = None,
        layout: str | None = None,
        live: bool = False,
    ) -> None:
        check_number("limit", limit, "how many entities are shown one by one")
        check_number("height", height, "how many pixels high the picture is")
        self._limit, self._pairs = max(1, limit), flag(pairs, "pairs")
        self._places, self._numbers = Places(), Numbers()
        self._take_graph(graph)
        self._looks.check("color_by", color_by)  # a trait tells in words of its own what is no text
        self._looks.check("size_by", size_by)
        self._showing.place_by(layout)
        super().__init__(
            view=self._showing.first(),
            height=height,
            color_by=color_by,
            size_by=size_by,
            layout_by=layout,
        )
        self.renumber()
        self._show_scene()
        self._find()
        self._connect()
        if flag(live, "live"):
            self.live = True
        self.selected = selected
        if view is not None:
            self._showing.check(view)
            self.view = view

    def _connect(self) -> None:
        self.observe(lambda _: self._on_selected(), "selected")
        self.observe(lambda change: self._on_step(change.new), "step")
        self.observe(lambda _: self._on_view(), "view")
        self.observe(lambda _: self._on_group_by(), "group_by")
        filters = ["search", "type_filter", "cycles_only", "hidden_types"]
        self.observe(lambda _: None if self.settling else self._find(), filters)
        pictured = ["hidden_types", "hidden_fields", "color_by"]
        self.observe(lambda _: None if self.settling else self._say_status(), pictured)
        self.observe(lambda _: None if self.settling else self._on_placing(), ["hops", "layout_by"])
        self.observe(lambda _: follow(self, on=self.live), "live")
        self.observe(
            lambda _: None if self.settling else self._show_look(), ["color_by", "size_by"]
        )
        self.observe(lambda _: self._show_picked(), "picked")
        self.observe(lambda _: self._on_cycle(), "cycle")
        self.observe(lambda _: self._on_cycle_step(), "cycle_step")

    def _take_graph(self, graph: EntityDependencyGraph) -> None:
        subject = subject_of(graph, self._limit, pairs=self._pairs)
        self.graph, self._around, self._looks = graph, subject.around, subject.looks
        self._parts, self._order = graph.arrays, graph.ordering
        self._showing, self._found_cycles = subject.showing, subject.cycles
        self._subject, self._ids, self._names = subject, subject.ids, subject.names
        self._kept: Bools = np.ones(len(graph), dtype=bool)
        self._found: Bools = self._kept

    def refresh(self, graph: EntityDependencyGraph | None = None) -> None:
        """Show what the entities are now: new ones, new references, other fields.

        What is selected, picked, searched and where things were put stays, as far as it is
        still there.

        Parameters
        ----------
        graph
            The new graph; None finds it anew from the entities of the old one. A graph that a
            store or a database gave has to be made by them.

        Raises
        ------
        InvalidArgumentError
            If there is no graph, and it cannot be found anew.

        Examples
        --------
        >>> import ecsviz as ev
        >>> thread = ev.ChatThread(title="Cycles")
        >>> explorer = ev.EntityDependencyGraph(thread).explore()
        >>> message = thread.say("user", "hello")
        >>> explorer.refresh()
        >>> explorer.status
        'showing 2 of 2 entities and 2 of 2 references'
        """
        if graph is None:
            graph = EntityDependencyGraph(first_nodes(self.graph))
        checked_graph(graph)
        showing, selected, picked = self._showing, self.selected, self.picked
        with self.hold_sync():
            self.settle(selected=None, picked=[], cycle=None, _steps=[], cycle_step=0)
            self._take_graph(graph)
            self.forget_unknown()
            self._showing.group_by, self._showing.hops = showing.group_by, self.hops
            self._showing.place_by(self.layout_by)
            self._cycles = {}
            self.renumber()
            if self.view == "around" or (self.view == "all" and len(graph) > self._limit):
                self.view = self._showing.first()
            self._show_scene()
            self.type_filter = self.type_filter if self.type_filter in self._names else None
            kept = [text for text in picked if self._ids.find(text) is not None]
            self._find()
            self.picked = kept
            if selected is not None and self._ids.find(selected) is not None:
                self.selected = selected

    # -- what is selected --------------------------------------------------------------------

    @property
    def entity(self) -> Any:
        """The selected entity, or None."""
        number = self._number
        return None if number is None else self._parts.nodes[number]

    @property
    def _number(self) -> int | None:
        return None if self.selected is None else self._ids.number_of(self.selected)

    @traitlets.validate("selected")
    def _check_selected(self, proposal: Any) -> str | None:
        if proposal.value is None:
            return None
        return str(self._parts.ids[self._ids.number_of(proposal.value)])

    def _select(self, number: int | None) -> None:
        self.selected = None if number is None else str(self._parts.ids[number])

    def _on_selected(self) -> None:
        number = self._number
        with self.hold_sync():
            self._details = {} if number is None else self._around.about(number)
            # A selection that comes from anywhere else ends the way through the order.
            step = 0 if number is None else self._around.step(number)
            self._stepping = self._stepping and self.step == step > 0
            self.step = step
            if number is not None:
                if self.view == "around" and self._showing.element_of(number) < 0:
                    self._showing.look_around(number)
                    self._show_scene()
                self._turn_to(number)
            self._at = self._showing.element_of(number)

    @traitlets.validate("step")
    def _check_step(self, proposal: Any) -> int:
        return min(max(int(proposal.value), 0), len(self.graph))

    def _on_step(self, step: int) -> None:
        number = self._number
        if step == (0 if number is None else self._around.step(number)):
            return  # the selection has said so
        with self.hold_sync():
            self._stepping = step > 0
            self._select(int(self._order.sequence[step - 1]) if step else None)

    # -- what is shown -----------------------------------------------------------------------

    @traitlets.validate("view")
    def _check_view(self, proposal: Any) -> str:
        view: str = proposal.value
        self._showing.check(view)
        if view == "around" and self.selected is None and not self._steps:
            raise InvalidArgumentError(
                "view='around' shows what is around the selected entity, and none is selected."
                " Set `selected` first.",
                value=view,
            )
        return view

    def _on_view(self) -> None:
        number = self._number
        if self.view == "around" and number is not None:
            self._showing.look_around(number)
        elif self.view == "around":
            of = "path" if self.cycle is None else "cycle"
            self._showing.look_at(self._members(), of)
        with self.hold_sync():
            self._show_scene()

    def _on_group_by(self) -> None:
        self._showing.group_anew(cast("By", self.group_by))
        with self.hold_sync():
            self.renumber()
            if self.view == "groups":
                self._show_scene()

    def _show_scene(self) -> None:
        scene = self._showing.show(cast("View", self.view))
        edition = self._scene.get("edition", 0) + 1
        self._scene = scene.state(self._around.steps) | {"edition": edition}
        self._say_status()
        self._show_look()
        self._show_mask()
        self._moved = self._places.moved(self.pictured, keys_of(scene, self._parts.ids))
        self._show_picked()
        self._at = self._showing.element_of(self._number)

    def _say_status(self) -> None:
        hidden = [*self.hidden_types, *self.hidden_fields]
        self.status = self._showing.now.told + hidden_told(hidden)
        self.__dict__.pop("_poster", None)  # it stands in for what was shown before

    def _show_look(self) -> None:
        traits = self._looks.traits(self._showing.now, self.color_by, self.size_by)
        with self.hold_sync():
            for name, value in traits.items():
                setattr(self, name, value)

    @traitlets.validate("color_by", "size_by")
    def _check_look(self, proposal: Any) -> str | None:
        by: str | None = proposal.value
        self._looks.check(proposal.trait.name, by)
        return by

    @traitlets.validate("hops")
    def _check_hops(self, proposal: Any) -> int:
        return min(max(int(proposal.value), 1), HOPS)

    def _on_placing(self) -> None:
        self._showing.hops = self.hops
        self._showing.place_by(self.layout_by)  # None is not validated
        if self._showing.now.kind == "nodes":
            with self.hold_sync():
                self._show_scene()

    @traitlets.validate("height")
    def _check_height(self, proposal: Any) -> int:
        return min(max(int(proposal.value), LEAST), MOST)

    # -- what a page asks for ----------------------------------------------------------------

    def _on_select(self, message: Message) -> None:
        number = self.node_in(message)
        if number is not None or message.get("node") == -1:
            self._select(number)

    def _on_open(self, message: Message) -> None:
        """Open a group, or show what is around a node."""
        number = self.node_in(message)
        with self.hold_sync():
            if number is not None and self.view == "around":
                self._showing.open_node(number)
                self._show_scene()
            elif number is not None:
                self._select(number)
                self.view = "around"
            elif self.view == "groups" and (group := self.group_in(message)) is not None:
                if not self._showing.open_group(group):
                    self.tell("error", text="There is no room to open this. Close another first.")
                self._show_scene()

    def _on_close(self, message: Message) -> None:
        """Close the group that a node came from, or take away what only it had brought."""
        number = self.node_in(message)
        with self.hold_sync():
            if self.view == "groups" and (group := self.group_in(message)) is not None:
                self._showing.opened.pop(group, None)
                self._show_scene()
            elif number is not None and self.view == "around" and self._showing.close_node(number):
                self._show_scene()

    def _on_labels(self, message: Message) -> None:
        """Tell the labels of some points."""
        asked = message.get("nodes")
        n = len(self.graph)
        if isinstance(asked, list):
            numbers = [k for k in asked[:ROWS] if type(k) is int and 0 <= k < n]
            self.tell("labels", labels={str(k): self._around.label(k) for k in numbers})

    def _on_tip(self, message: Message) -> None:
        """Tell the whole name of an element, and what it holds."""
        number = self.element_in(message)
        if number is not None:
            text, facts = self._showing.told_of(number)
            self.tell("tip", element=number, text=plain(text, 300), facts=plain(facts, 300))

    # -- search, filters and table -----------------------------------------------------------

    @traitlets.validate("type_filter")
    def _check_type(self, proposal: Any) -> str | None:
        return type_named(proposal.value, self._names)

    def _find(self) -> None:
        """Find what matches, in topological order, and show the first of it."""
        shown = self._showing.graph
        only, hidden = self.type_filter, {*self.hidden_types}
        self._kept = filtered(shown, only, hidden, cycles_only=self.cycles_only)
        self._found = found(self.graph, self.search, self._kept)
        sequence = self._order.sequence
        self._showing.matches = sequence[self._found[sequence]]
        with self.hold_sync():
            self._rows = self._around.rows(self._showing.matches, 0)
            if self.view == "found":
                self._show_scene()
            self._show_mask()
            if (number := self._number) is not None:
                self._turn_to(number)

    def _show_mask(self) -> None:
        kept = elements_of(self._showing.now, self._kept)
        hit = elements_of(self._showing.now, self._found)
        self._mask = (kept.astype("u1") + hit).tobytes()

    def _on_rows(self, message: Message) -> None:
        first = whole_number(message, "first", 0, len(self._showing.matches))
        if first is not None:
            self._rows = self._around.rows(self._showing.matches, first)

    def _turn_to(self, number: int) -> None:
        """Turn the table to the page that lists a node."""
        place = np.flatnonzero(self._showing.matches == number).tolist()
        first = self._rows["first"]
        if place and not first <= place[0] < first + ROWS:
            first = place[0] // ROWS * ROWS
            self._rows = self._around.rows(self._showing.matches, first)

    @property
    def positions(self) -> dict[Any, tuple[float, float]]:
        """Where the picture shows what: ``ecs_id`` → (x, y) in pixels, y down."""
        return positions_of(self._showing.now, self._parts.ids, self._moved)

    # -- several that are picked, and paths --------------------------------------------------

    @traitlets.validate("picked")
    def _check_picked(self, proposal: Any) -> list[str]:
        texts = [EntityId.text_of(value) for value in proposal.value]
        return [str(self._parts.ids[self._ids.number_of(text)]) for text in dict.fromkeys(texts)]

    @property
    def selection(self) -> pd.DataFrame:
        """What is picked, else what is selected: rows of ``graph.nodes_frame()``."""
        chosen = self.picked or ([] if self.selected is None else [self.selected])
        return self.graph.nodes_frame().iloc[[self._ids.number_of(text) for text in chosen]]

    def _show_picked(self) -> None:
        wanted = np.zeros(len(self.graph), dtype=bool)
        wanted[[self._ids.number_of(text) for text in self.picked]] = True
        shown = elements_of(self._showing.now, wanted)
        self._picked = shown.astype("u1").tobytes() if self.picked else b""

    def path(self, source: Any, target: Any) -> list[Reference]:
        """Show a shortest path between two entities, to be stepped through, and return it.

        Parameters
        ----------
        source, target
            Entities of the graph, or their ``ecs_id``.

        Returns
        -------
        list of Reference
            References that lead on from `source`; else such that lead on from `target`; else
            such that hold them together whichever way they lead. Empty where nothing does.

        Raises
        ------
        EntityNotFoundError, InvalidIdError
            If one is not in the graph.

        Examples
        --------
        >>> import ecsviz as ev
        >>> graph = ev.EntityDependencyGraph(ev.sample("chain", n=4))
        >>> explorer = graph.explore()
        >>> [reference.path for reference in explorer.path(graph.nodes[0], graph.nodes[2])]
        ['links[0]', 'links[0]']
        """
        ends = [self._ids.number_of(EntityId.text_of(value)) for value in (source, target)]
        edges = path_between(self.graph, *ends)
        with self.hold_sync():
            self.cycle = None
            self._steps = steps_along(self.graph, edges[:STEPS], self._around.deferred)
            if len(edges):
                self._show_members(self._members())
            self.cycle_step = 0
            self._on_cycle_step()
        return [self._parts.reference(edge) for edge in edges.tolist()]

    def _on_move(self, message: Message) -> None:
        """Note where an element was put."""
        number, place = self.element_in(message), place_in(message)
        if number is not None and place is not None:
            keys = keys_of(self._showing.now, self._parts.ids)
            self._places.put(self.pictured, keys[number], place)
            self._moved = {**self._moved, str(number): list(place)}

    def _on_pick(self, message: Message) -> None:
        """Pick what some elements show; more of them, others, or those that are not picked yet."""
        if not self.is_current(message, scene=True):
            return
        hit = nodes_asked(message.get("elements"), self._showing.now) & self._kept
        chosen = [str(self._parts.ids[k]) for k in np.flatnonzero(hit).tolist()]
        self.picked = picked_now(self.picked, chosen, message.get("how"))

    def _on_path(self, message: Message) -> None:  # noqa: ARG002  # all answers look alike
        if len(self.picked) != 2:
            self.tell("error", text="A path has two ends: pick two entities.")
        elif not self.path(*self.picked):
            self.tell("error", text="No references lead from one to the other.")

    # -- cycles ------------------------------------------------------------------------------

    def _on_cycles(self, message: Message) -> None:  # noqa: ARG002  # all answers look alike
        self._cycles = self._found_cycles.listed()

    def _on_pick_cycle(self, message: Message) -> None:
        number = whole_number(message, "number", 0, len(self._found_cycles) - 1)
        if self.is_current(message) and (number is not None or message.get("number") is None):
            self.cycle = number

    @traitlets.validate("cycle")
    def _check_cycle(self, proposal: Any) -> int | None:
        number: int | None = proposal.value
        if number is None or 0 <= number < len(self._found_cycles):
            return number
        raise InvalidArgumentError(
            f"cycle={number} is none: there are {len(self._found_cycles):,}, counted from 0."
            " Give None to leave cycles.",
            value=number,
        )

    @traitlets.validate("cycle_step")
    def _check_cycle_step(self, proposal: Any) -> int:
        return min(max(int(proposal.value), 0), max(len(self._steps) - 1, 0))

    def _on_cycle(self) -> None:
        with self.hold_sync():
            self._steps = [] if self.cycle is None else self._found_cycles.steps(self.cycle)
            if self.cycle is not None:
                self._cycles = self._found_cycles.listed()
                self._show_members(self._members())
            self.cycle_step = 0
            self._on_cycle_step()  # also where it was 0 before

    def _members(self) -> list[int]:
        if self.cycle is not None:
            return self._found_cycles.members(self.cycle)
        ends = (step[end] for step in self._steps for end in ("source", "target"))
        return list(dict.fromkeys(ends))

    def _show_members(self, members: list[int]) -> None:
        """Show the entities of a cycle or a path one by one, if the picture does not."""
        if self._showing.shows_each(members):
            return
        self.selected = None
        if self.view == "around":
            self._on_view()
        else:
            self.view = "around"

    def _on_cycle_step(self) -> None:
        if self._steps:
            self._select(self._steps[self.cycle_step]["target"])

    # -- where it is not alive ---------------------------------------------------------------

    def __repr__(self) -> str:
        lines = counted(len(self.graph.references), "reference")
        graph = f"{counted(len(self.graph), 'node')}, {lines}"
        if self.selected is None:
            return f"GraphExplorer({graph}; nothing selected)"
        return f"GraphExplorer({graph}; selected: {plain(label_of(self.entity, 40))})"

    def _first_library(self) -> str | None:
        return None if self.view == "map" else "cytoscape"

    def _poster_png(self) -> tuple[bytes, str]:
        hide = [*self.hidden_types, *self.hidden_fields]
        pairs = self._showing.both is None
        return poster(self.graph, pairs=pairs, color_by=self.color_by, hide=hide)

    def _still(self) -> list[Child]:
        rows = [(entry["name"], entry["count"]) for entry in legend_of(self.graph).entries]
        return [element("p", self._subject.counts, look="line"), table(["type", "nodes"], rows)]
