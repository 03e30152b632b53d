"""The explorer of a graph that stays in files: what it consists of, and below it what is opened."""

from __future__ import annotations

from typing import Any, Final

import traitlets
from ipywidgets import HTML, Layout, ToggleButtons

from ecsviz.basics.html import element
from ecsviz.basics.text import counted
from ecsviz.errors import EcsvizError, InvalidArgumentError, short_repr
from ecsviz.storage.scale.lazy_graph import LazyGraph
from ecsviz.storage.scale.quotient import WAYS, By, Quotient
from ecsviz.widgets.base import OneBox
from ecsviz.widgets.graph.explorer import DETAILED, GraphExplorer
from ecsviz.widgets.graph.views import check_number

HIGH: Final = 260
"""How high the picture of the parts is, in pixels: there are few of them."""


class LazyExplorer(OneBox):
    """The widget that ``explore()`` of a `LazyGraph` returns.

    Attributes
    ----------
    by
        A trait: what the graph is divided by, ``"type"`` or ``"component"``.
    opened
        A trait: the part that is open, or None: the name of a type, or the number of a component
        as text. A click on a part sets it.
    parts
        The `GraphExplorer` of the parts.
    explorer
        The `GraphExplorer` of what is open, or None.
    told
        A trait: what is shown of what there is.

    Examples
    --------
    >>> import ecsviz as ev
    >>> store = ev.SQLAlchemyEntityStorage(":memory:")
    >>> _ = store.register(ev.sample("thread"))
    >>> graph = ev.scan_graph(store)
    >>> explorer = graph.explore()
    >>> explorer.opened = "ChatMessage"
    >>> len(explorer.explorer.graph), explorer.told
    (18, 'ChatMessage: all of 18 nodes.')
    >>> graph.close()
    """

    by = traitlets.Unicode()
    opened = traitlets.Unicode(None, allow_none=True)
    told = traitlets.Unicode()

    def __init__(self, graph: LazyGraph, *, by: By = "type", limit: int = DETAILED) -> None:
        check_number("limit", limit, "how many nodes of a part are shown at the most")
        self.graph, self._limit = graph, max(1, limit)
        self._quotient = graph.quotient(by)
        self.explorer: GraphExplorer | None = None
        self._choice = ToggleButtons(
            options=[("types", "type"), ("components", "component")], value=by
        )
        self._line = HTML()
        self.parts = self._made_parts()
        super().__init__(by=by, layout=Layout(width="100%"))
        traitlets.link((self, "by"), (self._choice, "value"))
        self._show()
        self.observe(self._divide, "by")
        self.observe(self._open, "opened")

    @traitlets.validate("by")
    def _check_by(self, proposal: Any) -> str:
        if proposal.value not in WAYS:
            self.graph.quotient(proposal.value)  # which tells what it may be
        return str(proposal.value)

    @traitlets.validate("opened")
    def _check_opened(self, proposal: Any) -> str | None:
        if proposal.value is not None and proposal.value not in self._quotient.sizes:
            self._quotient.part(proposal.value, 1)  # which tells that there is none
        return None if proposal.value is None else str(proposal.value)

    def _made_parts(self) -> GraphExplorer:
        made = GraphExplorer(self._quotient.graph, height=HIGH)
        made.observe(self._click, "selected")
        return made

    def _click(self, change: Any) -> None:
        if change.new is not None:
            self.opened = change.new

    def _divide(self, _: Any) -> None:
        """Show the other parts."""
        try:
            self._quotient = self.graph.quotient(self.by)  # type: ignore[arg-type]  # validated
        except EcsvizError as err:
            self._say(str(err))
            return
        old, self.parts = self.parts, self._made_parts()
        self.opened = None
        self._show()
        old.close()

    def _open(self, _: Any) -> None:
        """Bring what is opened here."""
        old, self.explorer = self.explorer, None
        try:
            if self.opened is not None:
                self.explorer = self._quotient.part(self.opened, self._limit).explore()
            self._show()
        except EcsvizError as err:
            self._show(str(err))
        if old is not None:
            old.close()

    def _show(self, wrong: str = "") -> None:
        self._say(wrong or _told(self._quotient, self.opened, self._limit))
        below = [] if self.explorer is None else [self.explorer]
        self.children = (self._choice, self.parts, self._line, *below)

    def _say(self, text: str) -> None:
        self.told = text
        self._line.value = str(element("p", text))

    def __repr__(self) -> str:
        return f"LazyExplorer({self.graph!r})"

    def _ipython_display_(self) -> None:
        """Show the widget, and what stands in for it where it is not alive."""
        self.parts.show_within(super()._repr_mimebundle_(), {})

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        data = super()._repr_mimebundle_(**kwargs)
        return {**data, "text/html": str(self.parts.still())}


def _told(quotient: Quotient, opened: str | None, limit: int) -> str:
    """Return what is shown, in words."""
    if opened is not None:
        size = quotient.sizes[opened]
        what = opened if quotient.by == "type" else f"Component {opened}"
        how = (
            f"all of {size:,} nodes" if size <= limit else f"the first {limit:,} of {size:,} nodes"
        )
        return f"{what}: {how}."
    every = counted(quotient.total, quotient.by)
    largest = "" if len(quotient.sizes) == quotient.total else ", the largest"
    return f"{len(quotient.sizes):,} of {every}{largest}. Click one to open it."


def explore_lazy(lazy_graph: LazyGraph, *, by: By = "type", limit: int = DETAILED) -> LazyExplorer:
    """Return a live widget of a graph that stays in files.

    Parameters
    ----------
    lazy_graph
        The graph.
    by
        What it is divided by: ``"type"``, or ``"component"`` for what hangs together, the largest
        first. A reader may choose the other.
    limit
        How many nodes of a part are shown at the most; `DETAILED` by default.

    Returns
    -------
    LazyExplorer
        A picture of the parts; a click on one opens it below, as ``subgraph(…).explore()`` does.

    Raises
    ------
    InvalidArgumentError
        If `lazy_graph` is none, there is no such `by`, or `limit` is no number.

    Examples
    --------
    >>> import ecsviz as ev
    >>> store = ev.SQLAlchemyEntityStorage(":memory:")
    >>> _ = store.register(ev.sample("thread"))
    >>> with ev.scan_graph(store) as graph:
    ...     explore_lazy(graph, by="component").told
    '1 of 1 component. Click one to open it.'
    """
    if not isinstance(lazy_graph, LazyGraph):
        raise InvalidArgumentError(
            f"lazy_graph is {short_repr(lazy_graph)}. Give what ev.scan_graph() returns; other"
            " graphs have explore() of their own.",
            argument="lazy_graph",
            value=lazy_graph,
        )
    return LazyExplorer(lazy_graph, by=by, limit=limit)
