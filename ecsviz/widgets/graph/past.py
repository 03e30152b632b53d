"""The explorer of an entity's past: a slider of revisions above the explorer of its graph."""

from __future__ import annotations

from typing import Any

import traitlets
from ipywidgets import HBox, Label, Layout, Play, SelectionSlider

from ecsviz.basics.arguments import flag
from ecsviz.basics.text import counted, plain
from ecsviz.domain.diff import diff
from ecsviz.domain.entity import Entity
from ecsviz.errors import InvalidArgumentError, did_you_mean, short_repr
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.storage.comparing import storage_of
from ecsviz.widgets.base import OneBox, close_all
from ecsviz.widgets.graph.explorer import GraphExplorer
from ecsviz.widgets.graph.live import follow
from ecsviz.widgets.past import moments_of

STEP: int = 1_500
"""How long a revision stands while the past is played, in milliseconds: what one sentence needs."""


class PastExplorer(OneBox):
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
    live
        Whether a revision that this process saves is shown by itself, where the newest was.
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

    def __init__(self, entity: Entity, store: Any, *, live: bool = False, **options: Any) -> None:
        self.store = storage_of(store)
        self.live = flag(live, "live")
        self._ecs_id, self._options = entity.ecs_id, options
        self._look_back()
        self._line, self._bar = Label(), HBox()
        self.explorer: GraphExplorer | None = None
        self.entity: Any = None
        super().__init__(revision=self.revisions[-1], layout=Layout(width="100%"))
        self._make_bar()
        self._show()
        self.observe(lambda _: self._show(), "revision")
        follow(self, self.store.inside, on=self.live)

    def _make_bar(self) -> None:
        """Make the slider of what there is, and what plays it."""
        newest = len(self.revisions) - 1
        self._slider = SelectionSlider(
            options=self.revisions,
            value=self.revision,
            description="revision",
            continuous_update=False,
            readout=False,
            layout=Layout(flex="1 1 auto", width="auto"),
        )
        self._play = Play(min=0, max=newest, value=self._slider.index, interval=STEP)
        self._links = (
            traitlets.link((self._play, "value"), (self._slider, "index")),
            traitlets.link((self, "revision"), (self._slider, "value")),
        )
        gone = self._bar.children
        self._bar.children = (self._play, self._slider) if newest else ()
        for each in gone:
            close_all(each)

    def _look_back(self) -> None:
        """Find the revisions that there are now."""
        moments, _ = moments_of(self.store, self._ecs_id)
        self._notes = {moment["revision"]: moment["note"] for moment in moments}
        self.revisions: list[int] = list(self._notes)
        self._times = {moment["revision"]: moment["at"] for moment in moments}

    def refresh(self) -> None:
        """Find what the store has saved since; who looks at the newest revision goes on to it.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.InMemoryEntityStorage()
        >>> node = store.register(ev.sample("chain", n=1)[0])
        >>> past = PastExplorer(node, store)
        >>> node.name = "renamed"
        >>> _ = store.register(node)
        >>> past.refresh()
        >>> past.revisions, past.revision
        ([1, 2], 2)
        """
        before, at = self.revisions, self.revision
        self._look_back()
        if self.revisions == before:
            return
        if at == before[-1] or at not in self._notes:
            at = self.revisions[-1]
        for link in self._links:
            link.unlink()
        self.revision = at
        if self.revisions[: len(before)] != before:  # a page sends places among those before
            self._make_bar()
            return
        newest = len(self.revisions) - 1
        self._slider.options = self.revisions
        self._slider.value = at
        self._play.max = newest
        self._play.value = self._slider.index
        for link in self._links:
            link.link()
        self._bar.children = (self._play, self._slider) if newest else ()

    def complain(self, text: str) -> None:
        """Show what went wrong."""
        self._line.value = text

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
        self.children = (self._bar, self._line, made)
        if old is not None:
            old.close()

    def __repr__(self) -> str:
        number = counted(len(self.revisions), "revision")
        return f"PastExplorer({number} of {short_repr(self.entity, 60)})"

    def _ipython_display_(self) -> None:
        """Show the widget, and what stands in for it where it is not alive."""
        if self.explorer is not None:
            self.explorer.show_within(super()._repr_mimebundle_(), {})

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        data = super()._repr_mimebundle_(**kwargs)
        return data if self.explorer is None else {**data, "text/html": str(self.explorer.still())}
