"""The explorer of a dependency graph: look around, filter, step through orders and cycles.

Whatever the size of the graph, only what is shown goes to the page: see ``scene.py``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar, Final, cast
from uuid import UUID

import numpy as np
import traitlets

from ecsviz.basics.arguments import flag, natural_number
from ecsviz.basics.html import Child, element, shown_of, table
from ecsviz.basics.order import Bools
from ecsviz.basics.text import plain
from ecsviz.domain.labels import label_of
from ecsviz.draw.picture import counts_of
from ecsviz.errors import EntityNotFoundError, InvalidArgumentError, did_you_mean, short_repr
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.graph.views import checked_graph
from ecsviz.layout.groups import By
from ecsviz.layout.overview import noun_of
from ecsviz.layout.paired import one_line_a_pair
from ecsviz.widgets.base import LiveWidget, Message, poster, uuid_of, whole_number
from ecsviz.widgets.graph.details import Around
from ecsviz.widgets.graph.scene import elements_of, legend_of
from ecsviz.widgets.graph.views import Cycles, Showing, View, filtered, found

DETAILED: Final = 500
"""Up to how many entities are shown one by one: what a browser still moves smoothly."""
ROWS: Final = 100
"""How many entities a page of the table lists."""
TYPES: Final = 200
"""How many types the filter offers, the most frequent first."""
LIVE_SEARCH: Final = 20_000
"""Up to how many entities every key starts a search; above, the Enter key does."""


def explore_graph(
    graph: EntityDependencyGraph,
    *,
    selected: Any = None,
    view: str | None = None,
    limit: int = DETAILED,
    pairs: bool = True,
) -> GraphExplorer:
    """Return a live widget to look around in a graph.

    Parameters
    ----------
    graph
        Of entities, classes or tables. Entities that are changed later show their new fields;
        new references need a new graph.
    selected
        The entity to begin with, or its ``ecs_id``; None selects nothing.
    view
        What the picture begins with: ``"all"`` entities one by one, ``"groups"`` that can be
        opened, all as points of a ``"map"``, or what is ``"around"`` the selected one. None
        takes the first of these that the graph is not too large for.
    limit
        How many entities are shown one by one at the most, `DETAILED` by default.
    pairs
        False shows a list and its members' back-references as one line with two heads, and lists
        the cycles besides; as in ``graph.draw(pairs=False)``.

    Returns
    -------
    GraphExplorer
        A widget; its trait ``selected`` works in both directions.

    Raises
    ------
    EntityNotFoundError, InvalidIdError
        If `selected` is not in the graph.
    InvalidArgumentError
        If `graph` is no graph, `limit` no number, there is no such view, or the graph is too
        large for it.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> explorer = explore_graph(ev.EntityDependencyGraph(thread))
    >>> explorer.selected = message.ecs_id
    >>> explorer.entity is message, explorer.step
    (True, 2)
    """
    explorer = GraphExplorer(graph, limit=limit, pairs=pairs)
    explorer.selected = selected
    if view is not None:
        explorer._showing.check(view)  # a trait tells in words of its own what is no text
        explorer.view = view
    return explorer


class GraphExplorer(LiveWidget):
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
    step
        A trait: the place of the selected entity in the topological order, from 1; 0 for none.
    cycle, cycle_step
        Traits: the number of the cycle that is stepped through, or None; and the number of the
        reference.
    status
        A trait: what is shown of what there is, in words.
    """

    bundle: ClassVar[str] = "explorer"
    answers: ClassVar[dict[str, str]] = {
        "select": "_on_select",
        "open": "_on_open",
        "close": "_on_close",
        "rows": "_on_rows",
        "labels": "_on_labels",
        "cycles": "_on_cycles",
    }

    view = traitlets.Unicode().tag(sync=True)
    group_by = traitlets.Enum(("auto", "component", "type"), "auto").tag(sync=True)
    search = traitlets.Unicode().tag(sync=True)
    type_filter = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    cycles_only = traitlets.Bool().tag(sync=True)
    step = traitlets.Int().tag(sync=True)
    cycle = traitlets.Int(None, allow_none=True).tag(sync=True)
    cycle_step = traitlets.Int().tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)

    _about = traitlets.Dict(help="the graph itself").tag(sync=True)
    _scene = traitlets.Dict(help="what is shown").tag(sync=True)
    _details = traitlets.Dict(help="of the selected entity").tag(sync=True)
    _at = traitlets.Int(-1, help="the element that shows it").tag(sync=True)
    _mask = traitlets.Bytes(help="per element whether it is left, and found").tag(sync=True)
    _rows = traitlets.Dict(help="a page of the table").tag(sync=True)
    _cycles = traitlets.Dict(help="those to choose from").tag(sync=True)
    _stepping = traitlets.Bool(help="whether what is saved later is faded").tag(sync=True)
    _steps: traitlets.List[Any] = traitlets.List(help="the chosen cycle's references").tag(
        sync=True
    )

    def __init__(
        self, graph: EntityDependencyGraph, *, limit: int = DETAILED, pairs: bool = True
    ) -> None:
        if natural_number(limit) is None:
            raise InvalidArgumentError(
                f"limit is {short_repr(limit)}. Give a whole number: how many entities are shown"
                " one by one.",
                value=limit,
            )
        self.graph = checked_graph(graph)
        self._parts, self._order = graph.arrays, graph.ordering
        self._around = Around(graph)
        shown, both, plain_graph = graph, None, graph
        if not flag(pairs, "pairs"):
            one_line = one_line_a_pair(graph)
            shown, both, plain_graph = one_line.graph, one_line.both, graph.without_pairs
        self._showing = Showing(shown, self._around, max(1, limit), both)
        self._found_cycles = Cycles(plain_graph)
        self._legend = legend_of(graph)
        self._kept: Bools = np.ones(len(graph), dtype=bool)
        self._found: Bools = self._kept
        super().__init__(view=self._showing.first(), _about=self._introduction())
        self._show_scene()
        self._find()
        self._connect()

    def _connect(self) -> None:
        self.observe(lambda _: self._on_selected(), "selected")
        self.observe(lambda change: self._on_step(change.new), "step")
        self.observe(lambda _: self._on_view(), "view")
        self.observe(lambda _: self._on_group_by(), "group_by")
        self.observe(lambda _: self._find(), ["search", "type_filter", "cycles_only"])
        self.observe(lambda _: self._on_cycle(), "cycle")
        self.observe(lambda _: self._on_cycle_step(), "cycle_step")

    def _introduction(self) -> dict[str, Any]:
        counts = Counter(self._parts.types)
        n = len(self.graph)
        return {
            "count": n,
            "noun": noun_of(self.graph, 2),
            "references": len(self._parts.sources),
            "cyclic": int(self._showing.graph.ordering.cyclic.sum()),
            "pairs": bool(self._showing.both is not None and self._showing.both.any()),
            "limit": self._showing.limit,
            "live": n <= LIVE_SEARCH,
            "rows": ROWS,
            "legend": self._legend.entries,
            "types": [(plain(name, 80), counts[name]) for name in self._type_names[:TYPES]],
        }

    @cached_property
    def _type_names(self) -> list[str]:
        counts = Counter(self._parts.types)
        return sorted(counts, key=lambda name: (-counts[name], name))

    # -- what is selected --------------------------------------------------------------------

    @property
    def entity(self) -> Any:
        """The selected entity, or None."""
        number = self._number
        return None if number is None else self._parts.nodes[number]

    @property
    def _number(self) -> int | None:
        return None if self.selected is None else self._number_of(self.selected)

    def _number_of(self, text: str) -> int:
        number = self._by_text(text)
        if number is None:
            ids = self._parts.ids
            hint = did_you_mean(text, ids) if ids and isinstance(ids[0], str) else ""
            raise EntityNotFoundError(
                f"{short_repr(text)} is not in this graph of {len(self.graph):,} nodes.{hint}"
                " Build the graph from something that leads to it.",
                node=text,
            )
        return number

    @cached_property
    def _by_text(self) -> Callable[[str], int | None]:
        """Finds a node by what `selected` says, which is always text."""
        ids = self._parts.ids
        if not ids or isinstance(ids[0], UUID):
            return lambda text: self.graph.find_number(uuid_of(text))
        return {str(node_id): number for number, node_id in enumerate(ids)}.get

    @traitlets.validate("selected")
    def _check_selected(self, proposal: Any) -> str | None:
        if proposal.value is None:
            return None
        return str(self._parts.ids[self._number_of(proposal.value)])

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
            self._showing.look_at(self._members())
        with self.hold_sync():
            self._show_scene()

    def _members(self) -> list[int]:
        return [] if self.cycle is None else self._found_cycles.members(self.cycle)

    def _on_group_by(self) -> None:
        self._showing.group_anew(cast("By", self.group_by))
        if self.view == "groups":
            with self.hold_sync():
                self._show_scene()

    def _show_scene(self) -> None:
        scene = self._showing.show(cast("View", self.view))
        self._scene = scene.state(self._legend.codes, self._around.steps)
        self.status = scene.told
        self._show_mask()
        self._at = self._showing.element_of(self._number)

    # -- what a page asks for ----------------------------------------------------------------

    def _node_in(self, message: Message) -> int | None:
        return whole_number(message, "node", 0, len(self.graph) - 1)

    def _group_in(self, message: Message) -> int | None:
        return whole_number(message, "group", 0, len(self._showing.groups) - 1)

    def _on_select(self, message: Message) -> None:
        number = self._node_in(message)
        if number is not None or message.get("node") == -1:
            self._select(number)

    def _on_open(self, message: Message) -> None:
        """Open a group, or show what is around a node."""
        number = self._node_in(message)
        with self.hold_sync():
            if number is not None and self.view == "around":
                self._showing.open_node(number)
                self._show_scene()
            elif number is not None:
                self._select(number)
                self.view = "around"
            elif self.view == "groups" and (group := self._group_in(message)) is not None:
                if not self._showing.open_group(group):
                    self.tell("error", text="There is no room to open this. Close another first.")
                self._show_scene()

    def _on_close(self, message: Message) -> None:
        """Close the group that a node came from, or take away what only it had brought."""
        number = self._node_in(message)
        with self.hold_sync():
            if self.view == "groups":
                self._showing.opened.pop(self._group_in(message) or 0, None)
                self._show_scene()
            elif number is not None and self.view == "around" and self._showing.close_node(number):
                self._show_scene()

    def _on_labels(self, message: Message) -> None:
        """Tell the labels of some points."""
        asked = message.get("nodes")
        n = len(self.graph)
        if isinstance(asked, list):
            numbers = [k for k in asked[:ROWS] if type(k) is int and 0 <= k < n]
            nodes = self._parts.nodes
            labels = {str(k): label_of(nodes[k], 28, with_type=False) for k in numbers}
            self.tell("labels", labels=labels)

    # -- search, filters and table -----------------------------------------------------------

    @traitlets.validate("type_filter")
    def _check_type(self, proposal: Any) -> str | None:
        wanted: str | None = proposal.value
        if wanted is None or wanted in self._type_names:
            return wanted
        # A page knows names as it shows them.
        for name in self._type_names[:TYPES]:
            if plain(name, 80) == wanted:
                return name
        raise InvalidArgumentError(
            f"type_filter={short_repr(wanted)} is no type of this graph."
            f"{did_you_mean(wanted, self._type_names)} Give None for all.",
            value=wanted,
        )

    def _find(self) -> None:
        """Find what matches, in topological order, and show the first of it."""
        shown = self._showing.graph
        self._kept = filtered(shown, self.type_filter, cycles_only=self.cycles_only)
        self._found = found(self.graph, self.search, self._kept)
        sequence = self._order.sequence
        self._showing.matches = sequence[self._found[sequence]]
        with self.hold_sync():
            self._list(0)
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
            self._list(first)

    def _list(self, first: int) -> None:
        matches = self._showing.matches
        shown = matches[first : first + ROWS].tolist()
        n, total = len(self.graph), len(matches)
        told = shown_of(len(shown), total, noun_of(self.graph, 2))
        if shown and len(shown) < total:
            told += f" ({first + 1:,} to {first + len(shown):,})"
        if total < n:
            told += f" that match; {n:,} in the graph"
        listed = [self._around.row(number) for number in shown]
        self._rows = {"first": first, "total": total, "told": told, "listed": listed}

    def _turn_to(self, number: int) -> None:
        """Turn the table to the page that lists a node."""
        place = np.flatnonzero(self._showing.matches == number).tolist()
        first = self._rows["first"]
        if place and not first <= place[0] < first + ROWS:
            self._list(place[0] // ROWS * ROWS)

    # -- cycles ------------------------------------------------------------------------------

    def _on_cycles(self, message: Message) -> None:  # noqa: ARG002  # all answers look alike
        self._cycles = self._found_cycles.listed()

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
                self._show_members()
            self.cycle_step = 0
            self._on_cycle_step()  # also where it was 0 before

    def _show_members(self) -> None:
        """Show a cycle's entities one by one, if the picture does not."""
        if self._showing.shows_each(self._members()):
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
        graph = f"{len(self.graph):,} nodes, {len(self.graph.references):,} references"
        if self.selected is None:
            return f"GraphExplorer({graph}; nothing selected)"
        return f"GraphExplorer({graph}; selected: {plain(label_of(self.entity, 40))})"

    def _first_library(self) -> str | None:
        return None if self.view == "map" else "cytoscape"

    def _poster_png(self) -> tuple[bytes, str]:
        return poster(self.graph, pairs=self._showing.both is None)

    def _still(self) -> list[Child]:
        rows = [(entry["name"], entry["count"]) for entry in self._legend.entries]
        return [element("p", counts_of(self.graph), look="line"), table(["type", "nodes"], rows)]
