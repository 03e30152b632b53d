"""The explorer of an entity's past: a slider of revisions above the explorer of its graph."""

from __future__ import annotations

from typing import Any

import traitlets
from ipywidgets import HBox, Label, Layout, Play, SelectionSlider, VBox

from ecsviz.basics.text import plain
from ecsviz.domain.diff import diff
from ecsviz.domain.entity import Entity
from ecsviz.errors import InvalidArgumentError, did_you_mean, short_repr
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.storage.comparing import storage_of
from ecsviz.widgets.graph.explorer import GraphExplorer
from ecsviz.widgets.past import moments_of

STEP: int = 1_500
"""How long a revision stands while the past is played, in milliseconds: what one sentence needs."""


class PastExplorer(VBox):  # type: ignore[misc]  # ipywidgets carries no types
    """The widget that ``ecsviz.explore(entity, store=store)`` returns.

    Attributes
    ----------
    revision
        A trait: the revision that is shown; one of `revisions`.
    revisions
        Those that changed the entity or what it led to, the oldest first.
    entity
        The entity as that revision left it.
    explorer
        The `GraphExplorer` of it; another one for each revision, with the same selection.
    told
        A trait: which revision it is, its note, and what has changed since the one before.

    Examples
    --------
    >>> import ecsviz as ev
    >>> store = ev.InMemoryEntityStorage()
    >>> first = store.register(ev.sample("chain", n=2)[0])
    >>> first.name = "renamed"
    >>> _ = store.register(first, note="a better name")
    >>> past = PastExplorer(first, store)
    >>> past.revisions, past.revision, past.told
    ([1, 2], 2, 'revision 2: a better name; 1 edited since revision 1')
    >>> past.revision = 1
    >>> past.entity.name == "renamed", past.told
    (False, 'revision 1: the first')
    """

    revision = traitlets.Int()
    told = traitlets.Unicode()

    def __init__(self, entity: Entity, store: Any, **options: Any) -> None:
        self.store = storage_of(store)
        self._ecs_id, self._options = entity.ecs_id, options
        moments, _ = moments_of(self.store, entity)
        self._notes = {moment["revision"]: moment["note"] for moment in moments}
        self.revisions: list[int] = list(self._notes)
        self._times = {moment["revision"]: moment["at"] for moment in moments}
        self._slider = SelectionSlider(
            options=self.revisions,
            value=self.revisions[-1],
            description="revision",
            continuous_update=False,
            readout=False,
            layout=Layout(flex="1 1 auto", width="auto"),
        )
        play = Play(
            min=0, max=len(self.revisions) - 1, value=len(self.revisions) - 1, interval=STEP
        )
        traitlets.link((play, "value"), (self._slider, "index"))
        self._line = Label()
        bar = HBox([play, self._slider]) if len(self.revisions) > 1 else HBox([])
        self.explorer: GraphExplorer | None = None
        self.entity: Any = None
        super().__init__(revision=self.revisions[-1], layout=Layout(width="100%"))
        self._head = [bar, self._line]
        self._show()
        traitlets.link((self, "revision"), (self._slider, "value"))
        self.observe(lambda _: self._show(), "revision")

    @traitlets.validate("revision")
    def _check_revision(self, proposal: Any) -> int:
        if proposal.value not in self._notes:
            known = [str(number) for number in self.revisions]
            raise InvalidArgumentError(
                f"revision {short_repr(proposal.value)} changed nothing here."
                f"{did_you_mean(str(proposal.value), known)} `revisions` lists those that did.",
                value=proposal.value,
            )
        return int(proposal.value)

    def _show(self) -> None:
        """Show what the revision left, and say what has changed since the one before."""
        before = self.revisions.index(self.revision) - 1
        self.entity = self.store.get(self._ecs_id, as_of=self.revision)
        old, graph = self.explorer, EntityDependencyGraph(self.entity)
        made = graph.explore(**self._options)
        if old is not None:
            made._mark = old._mark  # the same picture stands in for it
            if old.selected is not None and graph.find_entity_by_id(old.selected) is not None:
                made.selected = old.selected
        self.explorer = made
        told = f"revision {self.revision}: "
        if before < 0:
            told += self._notes[self.revision] or "the first"
        else:
            since = self.revisions[before]
            earlier = self.store.get(self._ecs_id, as_of=since)
            note = self._notes[self.revision]
            told += f"{note}; " if note else ""
            told += f"{diff(earlier, self.entity).summary()} since revision {since}"
        self.told = plain(told, 300)
        self._line.value = f"{self.told} ({self._times[self.revision]} UTC)"
        self.children = (*self._head, made)
        if old is not None:
            old.close()

    def __repr__(self) -> str:
        return f"PastExplorer({len(self.revisions):,} revisions of {short_repr(self.entity, 60)})"

    def _ipython_display_(self) -> None:
        """Show the widget, and what stands in for it where it is not alive."""
        if self.explorer is not None:
            self.explorer.show_within(super()._repr_mimebundle_(), {})

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        data = super()._repr_mimebundle_(**kwargs)
        return data if self.explorer is None else {**data, "text/html": str(self.explorer.still())}
