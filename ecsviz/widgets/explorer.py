"""The explorer of a dependency graph: search, filter, step through the order, look around.

Whatever the size of the graph, only what is shown is built: a part of the list, and what is
around one entity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final
from uuid import UUID

import ipywidgets
import numpy as np
import traitlets

from ecsviz.errors import EntityNotFoundError, InvalidIdError, did_you_mean, short_repr
from ecsviz.export import plain
from ecsviz.graph import EntityDependencyGraph
from ecsviz.html import Element, block, element, shown_of
from ecsviz.identity import is_entity_class
from ecsviz.labels import label_of
from ecsviz.order import Ints
from ecsviz.reprs import graph_element
from ecsviz.widgets.around import Around

LISTED: Final = 500
"""How many entities the list shows at the most: more are not read, and slow the browser."""
TYPES: Final = 200
"""How many types the filter offers, the most frequent first."""
LIVE_SEARCH: Final = 20_000
"""Up to how many entities every key starts a search; above, the Enter key does."""
_ALL: Final = -1


def explore_graph(
    graph: EntityDependencyGraph,
    *,
    selected: Any = None,
    limit: int = LISTED,
    show_picture: bool = True,
) -> GraphExplorer:
    """Return a live widget to look around in a graph.

    Parameters
    ----------
    graph
        Of entities, classes or tables. Entities that are changed later show their new fields;
        new references need a new graph.
    selected
        The entity to begin with, or its ``ecs_id``; None selects nothing.
    limit
        How many entities the list shows at the most, `LISTED` by default.
    show_picture
        Whether the neighbourhood is drawn: some 0.1 s for every selection.

    Returns
    -------
    GraphExplorer
        An ``ipywidgets.VBox``; its trait ``selected`` works in both directions.

    Raises
    ------
    EntityNotFoundError, InvalidIdError
        If `selected` is not in the graph.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> explorer = explore_graph(ev.EntityDependencyGraph(thread), show_picture=False)
    >>> explorer.selected = message.ecs_id
    >>> explorer.entity is message
    True
    """
    explorer = GraphExplorer(graph, limit=limit, show_picture=show_picture)
    explorer.selected = selected
    return explorer


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as err:
        raise InvalidIdError(
            f"{short_repr(text)} is not a UUID. Give an entity, its ecs_id, or that as text.",
            value=text,
        ) from err


class _Id(traitlets.Unicode[Any, Any]):
    """An ``ecs_id`` as text; takes the UUID and the entity as well."""

    def validate(self, obj: Any, value: Any) -> Any:
        # An entity, or what stands for one that a store did not load.
        ecs_id = value if isinstance(value, UUID) else getattr(value, "ecs_id", None)
        return super().validate(obj, str(ecs_id) if isinstance(ecs_id, UUID) else value)


class GraphExplorer(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
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
    search, type_filter, cycles_only, step, status, entities, links, heading, details, picture
        The controls it is made of.
    """

    selected = _Id(None, allow_none=True, help="the ecs_id of the selected entity")

    def __init__(
        self, graph: EntityDependencyGraph, *, limit: int = LISTED, show_picture: bool = True
    ) -> None:
        self.graph = graph
        self._parts, self._order = graph._parts, graph._order
        self._limit = max(1, limit)
        self._show_picture = show_picture
        self._around = Around(graph)
        self._first = 0
        self._matches: Ints = self._order.sequence
        self._make_controls()
        super().__init__([self._head(), self._body()])
        self._filter()
        self._show()
        self._connect()

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
            return lambda text: self.graph._find(_uuid(text))
        return {str(node_id): number for number, node_id in enumerate(ids)}.get

    @traitlets.validate("selected")
    def _check_selected(self, proposal: Any) -> str | None:
        if proposal.value is None:
            return None
        return str(self._parts.ids[self._number_of(proposal.value)])

    def _select(self, number: int) -> None:
        self.selected = str(self._parts.ids[number])

    # -- controls ----------------------------------------------------------------------------

    def _make_controls(self) -> None:
        n = len(self._parts.nodes)
        wide = {"width": "auto"}
        close = {"description_width": "initial"}
        narrow = {"width": "72px"}
        self.search = ipywidgets.Text(
            placeholder="search names, texts, ids",
            continuous_update=n <= LIVE_SEARCH,
            description="Search",
            style=close,
        )
        self.type_filter = ipywidgets.Dropdown(
            options=self._type_options(), description="Type", style=close
        )
        self.cycles_only = ipywidgets.Checkbox(description="cycles only", indent=False)
        self.status = ipywidgets.HTML()
        self.entities = ipywidgets.Select(
            options=(), rows=14, layout=wide, tooltip="dependencies first"
        )
        self.back = ipywidgets.Button(
            description="back", tooltip="the one saved before", layout=narrow
        )
        self.forward = ipywidgets.Button(
            description="next", tooltip="the one saved next", layout=narrow
        )
        self.step = ipywidgets.IntSlider(
            value=1,
            min=1,
            max=max(n, 1),
            description="Step",
            continuous_update=False,
            tooltip="the place in the topological order: dependencies first",
            layout={"flex": "1 1 auto"},
            style=close,
        )
        for control in (self.back, self.forward, self.step):
            control.disabled = n == 0
        self.heading = ipywidgets.HTML()
        self.details = ipywidgets.HTML()
        self.links = ipywidgets.Select(
            options=(), rows=6, layout=wide, tooltip="choose one to go there"
        )
        self.links_status = ipywidgets.HTML()
        self.picture = ipywidgets.HTML()

    def _head(self) -> Any:
        filters = [self.search, self.type_filter, self.cycles_only]
        steps = ipywidgets.HBox([self.back, self.forward, self.step])
        wrapped = ipywidgets.HBox(filters, layout={"flex_flow": "row wrap"})
        return ipywidgets.VBox([wrapped, steps, self.status])

    def _body(self) -> Any:
        # Where one goes on the left, what one sees on the right; below each other if narrow.
        left = ipywidgets.VBox(
            [self.entities, self.links_status, self.links],
            layout={"flex": "1 1 300px", "min_width": "0"},
        )
        right = ipywidgets.VBox(
            [self.heading, self.picture, self.details],
            layout={"flex": "1 1 360px", "min_width": "0", "padding": "0 0 0 12px"},
        )
        return ipywidgets.HBox([left, right], layout={"flex_flow": "row wrap"})

    def _connect(self) -> None:
        self.observe(lambda _: self._show(), "selected")
        for control in (self.search, self.type_filter, self.cycles_only):
            control.observe(lambda _: self._filter(), "value")
        for control in (self.entities, self.links):
            control.observe(self._on_chosen, "value")
        self.step.observe(lambda change: self._on_step(change.new), "value")
        self.back.on_click(lambda _: self._move(-1))
        self.forward.on_click(lambda _: self._move(1))

    def _on_chosen(self, change: Any) -> None:
        if change.new is not None:
            self._select(change.new)

    def _on_step(self, step: int) -> None:
        if len(self._order.sequence):
            self._select(int(self._order.sequence[step - 1]))

    def _move(self, by: int) -> None:
        # Nothing is selected at first: then "next" begins at the beginning.
        step = 1 if self.selected is None else self.step.value + by
        self._on_step(min(max(step, self.step.min), self.step.max))

    # -- filters and list --------------------------------------------------------------------

    @cached_property
    def _types(self) -> tuple[list[str], Ints]:
        """The types, most frequent first, and for each node the number of its type."""
        counts = Counter(self._parts.types)
        names = sorted(counts, key=lambda name: (-counts[name], name))
        code = {name: number for number, name in enumerate(names)}
        codes = np.array([code[name] for name in self._parts.types], dtype=np.int64)
        return names, codes

    def _type_options(self) -> list[tuple[str, int]]:
        names, codes = self._types
        counts = np.bincount(codes, minlength=len(names)).tolist()
        options = [(f"all {len(names):,} types ({len(codes):,})", _ALL)]
        options += [
            (f"{plain(name)} ({counts[number]:,})", number)
            for number, name in enumerate(names[:TYPES])
        ]
        return options

    def _filter(self) -> None:
        """Find what matches, in topological order, and show the first of it."""
        order = self._order
        keep = np.ones(len(self._parts.nodes), dtype=bool)
        if self.type_filter.value != _ALL:
            keep &= self._types[1] == self.type_filter.value
        if self.cycles_only.value:
            keep &= order.cyclic[order.component]
        wanted = self.search.value.strip().casefold()
        if wanted:
            for number in np.flatnonzero(keep).tolist():
                keep[number] = self._found_in(number, wanted)
        self._matches = order.sequence[keep[order.sequence]]
        self._first = 0
        self._show_list()

    def _found_in(self, number: int, wanted: str) -> bool:
        parts = self._parts
        node = parts.nodes[number]
        if wanted in parts.types[number].casefold() or wanted in str(parts.ids[number]).casefold():
            return True
        if not is_entity_class(type(node)):
            return wanted in label_of(node).casefold()
        # Straight from the entity: an index of all texts would be another copy of the graph.
        return any(
            type(value) is str and wanted in value.casefold() for value in node.__dict__.values()
        )

    def _show_list(self) -> None:
        number = self._number
        place = [] if number is None else np.flatnonzero(self._matches == number).tolist()
        if place and not self._first <= place[0] < self._first + self._limit:
            # In the middle of the list, unless the list ends before.
            last = max(0, len(self._matches) - self._limit)
            self._first = min(max(0, place[0] - self._limit // 2), last)
        shown = self._matches[self._first : self._first + self._limit].tolist()
        options = [(self._around.name(other), other) for other in shown]
        with self.entities.hold_sync():
            if list(self.entities.options) != options:
                self.entities.index = None
                self.entities.options = options
            self.entities.value = number if place else None
        self.status.value = str(self._status(len(shown)))

    def _status(self, shown: int) -> Element:
        total, all_nodes = len(self._matches), len(self._parts.nodes)
        text = shown_of(shown, total, "entities")
        if shown < total:
            text += f" ({self._first + 1:,} to {self._first + shown:,})"
        if total < all_nodes:
            text += f" that match; {all_nodes:,} in the graph"
        return block(element("p", text, look="note", role="status", aria_live="polite"))

    # -- the selected entity -----------------------------------------------------------------

    def _show(self) -> None:
        number = self._number
        # The controls tell these changes back, but only as what is selected already.
        if number is not None:
            self.step.value = self._around.step(number)
        self._show_list()
        self._show_links(number)
        if number is None:
            text = "Select an entity, or step through the order in which they are saved."
            self.heading.value = str(block(element("p", text, look="note")))
            self.details.value = self.picture.value = ""
        else:
            self.heading.value = str(self._around.heading(number))
            self.details.value = str(self._around.details(number))
            self.picture.value = str(self._around.picture(number)) if self._show_picture else ""

    def _show_links(self, number: int | None) -> None:
        told, options = ("", []) if number is None else self._around.links(number)
        with self.links.hold_sync():
            self.links.index = None
            self.links.options = options
        self.links_status.value = str(block(element("p", told, look="note"))) if told else ""

    # -- as text -----------------------------------------------------------------------------

    def __repr__(self) -> str:
        graph = f"{len(self.graph):,} nodes, {len(self.graph.references):,} references"
        if self.selected is None:
            return f"GraphExplorer({graph}; nothing selected)"
        return f"GraphExplorer({graph}; selected: {plain(label_of(self.entity, 40))})"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any] | None:
        bundle: dict[str, Any] | None = super()._repr_mimebundle_(**kwargs)
        if bundle is not None:
            # Shown instead where the widget is dead: in a saved notebook, without a kernel.
            note = element("p", "Run this cell to explore the graph.", look="note")
            bundle["text/html"] = str(block(graph_element(self.graph), note))
        return bundle
