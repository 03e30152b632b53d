"""Thousands of chats as a list: searched, filtered, sorted, and the one that is picked, in place.

A page of the list goes to the page in the browser, and of the picked thread what is in sight.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar, Final
from uuid import UUID

import numpy as np
import pandas as pd
import traitlets

from ecsviz.basics.arguments import listed
from ecsviz.basics.html import Child, element, shown_of, table
from ecsviz.basics.text import counted, plain
from ecsviz.domain.chat_threads import ChatThreads
from ecsviz.errors import EcsvizError, InvalidArgumentError, did_you_mean, short_repr
from ecsviz.frames.chats import threads_overview, threads_summary
from ecsviz.storage.stored_threads import StoredThreads
from ecsviz.widgets.base import NESTED, LiveWidget, Message, id_in, named_in, whole_number
from ecsviz.widgets.thread.explorer import ThreadExplorer
from ecsviz.widgets.threads.sought import BEST, Texts, ThreadHit

ROWS: Final = 50
"""How many threads a page of the list has."""
MODELS: Final = 100
"""How many models are offered, those of most threads first."""
IN_A_CELL: Final = (
    "marimo makes widgets in cells only. Show the thread that `selected` names in a cell of its"
    " own, by its explore()."
)
STILL: Final = 12
"""How many threads stand in for the list where the widget is not alive."""
MOST: Final = 2**31 - 1
DAY: Final = np.timedelta64(1, "D")
SORTS: Final = ("title", "messages", "branches", "models", "last")
"""The columns of the list."""
FILTERS: Final = ("search", "order_by", "model", "since", "until", "least", "most", "branched")


def explore_threads(threads: Any) -> ThreadsExplorer:
    """Return a live widget that lists chat threads, and shows the one that is picked.

    Parameters
    ----------
    threads
        A `ChatThreads`, the ``store.threads()`` of a store, or any iterable of `ChatThread`.

    Returns
    -------
    ThreadsExplorer
        A widget; its trait ``selected``, the ``ecs_id`` of the picked thread, works in both
        directions.

    Raises
    ------
    UnknownTypeError
        If something else than threads is given.

    Examples
    --------
    >>> import ecsviz as ev
    >>> shown = explore_threads(ev.sample("chats"))
    >>> shown.search = "topological order"
    >>> shown.status
    'showing 1 of 1 thread that matches, of 6'
    >>> shown.selected = shown.found["ecs_id"].iloc[0]
    >>> shown.thread.status
    'showing 6 of 18 messages; branch 5 of 6'
    """
    if not isinstance(threads, StoredThreads):
        threads = ChatThreads(listed(threads, "threads", "Give an iterable of ChatThread."))
    return ThreadsExplorer(threads)


class ThreadsExplorer(LiveWidget):
    """The widget that `explore_threads` returns.

    Attributes
    ----------
    selected
        A trait: the ``ecs_id`` of the picked thread as text, or None for the list. Ids of other
        entities are taken too, so that it can be linked with the selection of other widgets; then
        the list is shown.
    search
        A trait: what is looked for, in titles and in the texts of all branches. A store searches
        by words, as its ``search`` does; the last of them may go on.
    model, since, until, least, most, branched
        Traits: filters. The name of a model, or empty; days such as ``"2024-05-01"`` (UTC), or
        empty, between which something was said; how many messages at least and at the most; and
        whether only threads with several branches are listed.
    order_by
        A trait: ``"title"``, ``"messages"``, ``"branches"``, ``"models"`` or ``"last"`` (when
        something was said last), with a minus in front for falling order; or empty for the order
        in which they are stored.
    first
        A trait: the number of the first thread that is shown, from 0.
    thread
        A trait: the `ThreadExplorer` of the picked thread, or None.
    status
        A trait: what is shown of what there is, in words.
    threads
        What was given.
    """

    bundle: ClassVar[str] = "threads"
    answers: ClassVar[dict[str, str]] = {
        "pick": "_on_pick",
        "back": "_on_back",
        "filter": "_on_filter",
        "sort": "_on_sort",
        "turn": "_on_turn",
        "refresh": "_on_refresh",
    }

    search = traitlets.Unicode().tag(sync=True)
    model = traitlets.Unicode()  # not for the page, as it may be more than UTF-8 says
    since = traitlets.Unicode().tag(sync=True)
    until = traitlets.Unicode().tag(sync=True)
    least = traitlets.Int(0, min=0, max=MOST).tag(sync=True)
    most = traitlets.Int(None, allow_none=True, min=0, max=MOST).tag(sync=True)
    branched = traitlets.Bool().tag(sync=True)
    order_by = traitlets.Unicode("-last").tag(sync=True)
    first = traitlets.Int(0, min=0).tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)
    thread = traitlets.Instance(ThreadExplorer, allow_none=True).tag(sync=True, **NESTED)

    _model = traitlets.Int(-1, help="the number of the model that is offered").tag(sync=True)
    _about = traitlets.Dict(help="what there is, and what filters offer").tag(sync=True)
    _page = traitlets.Dict(help="a page of the list").tag(sync=True)

    def __init__(self, threads: ChatThreads | StoredThreads) -> None:
        self.threads: ChatThreads | StoredThreads = threads
        self._read()
        super().__init__(_about=self._introduction())
        self._find()
        self._show()
        self.observe(lambda _: self._on_selected(), "selected")
        self.observe(lambda _: None if self.settling else self._restart(), [*FILTERS])
        self.observe(lambda _: None if self.settling else self._show(), "first")

    def _read(self) -> None:
        self._texts = Texts(self.threads)
        self._hits: dict[UUID, ThreadHit] | None = None
        self._whole: pd.DataFrame | None = None
        self._summary, self._models = threads_overview(self.threads)
        summary = self._summary
        # Without the zone: what is compared with days.
        self._first = summary["first"].dt.tz_localize(None)
        self._last = summary["last"].dt.tz_localize(None)
        self._shown: np.ndarray[Any, Any] = np.zeros(0, dtype=np.int64)

    def _introduction(self) -> dict[str, Any]:
        summary = self._summary
        counts: dict[str, int] = {}
        for names in self._models:
            for name in names:
                counts[name] = counts.get(name, 0) + 1
        offered = sorted(counts, key=lambda name: (-counts[name], name))[:MODELS]
        self._offered = offered
        days = (self._first.min(), self._last.max())
        return {
            "threads": len(summary),
            "messages": int(summary["messages"].sum()),
            "models": [{"name": plain(name, 60), "count": counts[name]} for name in offered],
            "span": [_day(day) for day in days],
            "words": self._texts.by_words,
            "size": ROWS,
        }

    def refresh(self) -> None:
        """Read anew what there is."""
        self._read()
        with self.hold_sync():
            self._about = self._introduction()
            self._restart()

    # -- what is listed ----------------------------------------------------------------------

    @property
    def found(self) -> pd.DataFrame:
        """The rows of ``threads.summary()`` that are listed, on all pages, in their order."""
        if self._whole is None:
            self._whole = threads_summary(self.threads)
        ids = self._summary["ecs_id"].iloc[self._shown]
        rows = pd.Index(self._whole["ecs_id"]).get_indexer(ids)
        found: pd.DataFrame = self._whole.iloc[rows[rows >= 0]].reset_index(drop=True)
        return found

    @traitlets.validate("order_by")
    def _check_order(self, proposal: Any) -> str:
        order: str = proposal.value
        if order and order.removeprefix("-") not in SORTS:
            raise InvalidArgumentError(
                f"Threads cannot be sorted by {short_repr(order)}."
                f"{did_you_mean(order.removeprefix('-'), SORTS)} There are {', '.join(SORTS)}.",
                value=order,
            )
        return order

    @traitlets.validate("since", "until")
    def _check_day(self, proposal: Any) -> str:
        day: str = proposal.value
        try:
            return date.fromisoformat(day).isoformat() if day else ""
        except ValueError as err:
            raise InvalidArgumentError(
                f"{proposal.trait.name} is {short_repr(day)}. Give a day such as '2024-05-01', or"
                " an empty text.",
                value=day,
            ) from err

    def _restart(self) -> None:
        with self.hold_sync():
            self.settle(first=0)
            self._find()
            self._show()

    def _find(self) -> None:
        """Find the threads that fit, in their order."""
        summary = self._summary
        fits = (summary["messages"] >= self.least).to_numpy(copy=True)
        if self.most is not None:
            fits &= (summary["messages"] <= self.most).to_numpy()
        if self.branched:
            fits &= (summary["branches"] > 1).to_numpy()
        if self.model:
            fits &= np.array([self.model in names for names in self._models], dtype=bool)
        if self.since:
            fits &= (self._last >= np.datetime64(self.since, "us")).to_numpy()
        if self.until:
            fits &= (self._first < np.datetime64(self.until, "us") + DAY).to_numpy()
        self._hits = self._texts.find(self.search) if self.search.strip() else None
        if self._hits is not None:
            hits = self._hits
            fits &= np.array([ecs_id in hits for ecs_id in summary["ecs_id"]], dtype=bool)
        self._shown = np.flatnonzero(fits)
        if self.order_by:
            self._shown = self._shown[self._order(self._shown)]

    def _order(self, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        column = self._summary[self.order_by.removeprefix("-")].iloc[rows]
        if column.dtype.kind not in "iM":
            column = column.fillna("").astype(object).map(str.casefold).replace("", None)
        falling = self.order_by.startswith("-")
        ordered = column.reset_index(drop=True).sort_values(
            ascending=not falling, kind="stable", na_position="last"
        )
        return ordered.index.to_numpy()

    def _show(self) -> None:
        total = len(self._shown)
        if self.first >= total:
            self.settle(first=max((total - 1) // ROWS, 0) * ROWS)
        rows = self._shown[self.first : self.first + ROWS].tolist()
        with self.hold_sync():
            offered = self._offered
            self._model = offered.index(self.model) if self.model in offered else -1
            self._page = {"first": self.first, "total": total, "rows": [self._row(n) for n in rows]}
            self.status = self._said(len(rows), total)

    def _row(self, number: int) -> dict[str, Any]:
        row = self._summary.iloc[number]
        found = None if self._hits is None else self._hits[row["ecs_id"]]
        models = self._models[number]
        return {
            "id": str(row["ecs_id"]),
            "title": plain(row["title"], 120) or "A chat without a title",
            "messages": int(row["messages"]),
            "branches": int(row["branches"]),
            "models": plain(", ".join(models), 60),
            "first": _day(self._first.iloc[number]),
            "last": _day(self._last.iloc[number]),
            "found": None if found is None else [plain_part(part) for part in found.parts],
            "hits": 0 if found is None else found.count,
        }

    def _said(self, shown: int, total: int) -> str:
        every = len(self._summary)
        if total == every:
            text = shown_of(shown, total, "threads")
        else:
            text = shown_of(shown, total, "threads that match") + f", of {every:,}"
        if shown < total:
            text += f" ({self.first + 1:,} to {self.first + shown:,})"
        if self._hits is not None and self._texts.is_cut:
            text += f"; looked for in the {BEST:,} messages and titles that fit best"
        return text

    # -- what the reader does ----------------------------------------------------------------

    def _on_pick(self, message: Message) -> None:
        """Pick a thread, by its id: the page may show a list that was there before."""
        ecs_id = id_in(message)
        if ecs_id is not None and (self._summary["ecs_id"] == ecs_id).any():
            self.selected = ecs_id

    def _on_back(self, message: Message) -> None:  # noqa: ARG002  # it says nothing more
        self.selected = None

    def _on_filter(self, message: Message) -> None:
        """Set filters that a page names; what is no value of theirs is passed over."""
        wanted = message.get("set")
        if not isinstance(wanted, Mapping):
            return
        given: dict[str, Any] = {
            name: wanted[name]
            for name, kind in (("search", str), ("since", str), ("until", str), ("branched", bool))
            if isinstance(wanted.get(name), kind)
        }
        if "model" in wanted:
            model = wanted["model"] if isinstance(wanted["model"], Mapping) else {}
            number = named_in(model, [plain(name, 60) for name in self._offered])
            if number is not None or wanted["model"] is None:
                given["model"] = "" if number is None else self._offered[number]
        if "least" in wanted:
            given["least"] = whole_number(wanted, "least", 0, MOST) or 0
        if "most" in wanted:
            given["most"] = whole_number(wanted, "most", 0, MOST)
        try:
            self.settle(**given)
        finally:
            self._restart()

    def _on_sort(self, message: Message) -> None:
        """Sort by a column: the other way where it is sorted by already."""
        number = whole_number(message, "column", 0, len(SORTS) - 1)
        if number is not None:
            name = SORTS[number]
            falls = f"-{name}"
            natural, other = (name, falls) if name in ("title", "models") else (falls, name)
            self.order_by = other if self.order_by == natural else natural

    def _on_turn(self, message: Message) -> None:
        first = whole_number(message, "first", 0, MOST)
        if first is not None:
            self.first = first

    def _on_refresh(self, message: Message) -> None:  # noqa: ARG002  # it says nothing more
        self.refresh()

    # -- the thread that is picked -----------------------------------------------------------

    def _on_selected(self) -> None:
        old = self.thread
        if self.is_in_marimo:
            self.tell("error", text="" if self.selected is None else IN_A_CELL)
            return
        try:
            self.thread = None if self.selected is None else self._opened(UUID(self.selected))
        except EcsvizError as error:
            self.thread = None
            self.tell("error", text=str(error))
        if old is not None:
            old.close()

    def _opened(self, ecs_id: UUID) -> ThreadExplorer | None:
        rows = np.flatnonzero((self._summary["ecs_id"] == ecs_id).to_numpy())
        if not len(rows):
            return None
        if isinstance(self.threads, StoredThreads):
            store, as_of = self.threads.store, self.threads.as_of
            thread = store.get(ecs_id, as_of=as_of)
            made = ThreadExplorer(thread, store if as_of is None else None)
        else:
            made = ThreadExplorer(self.threads[int(rows[0])])
        found = None if self._hits is None else self._hits.get(ecs_id)
        if found is not None:
            made.search = found.parts[1] if self._texts.by_words else self.search
            if found.message is not None:
                made.selected = found.message
        return made

    # -- where it is not alive ---------------------------------------------------------------

    def __repr__(self) -> str:
        messages = int(self._summary["messages"].sum())
        count = counted(len(self._summary), "thread")
        return f"ThreadsExplorer({count}, {counted(messages, 'message')})"

    def _still(self) -> list[Child]:
        rows = [self._row(number) for number in self._shown[:STILL].tolist()]
        cells = [(r["title"], r["messages"], r["branches"], r["models"], r["last"]) for r in rows]
        note = shown_of(len(rows), len(self._summary), "threads")
        title = repr(self).partition("(")[2].rstrip(")")
        return [
            element("p", title, look="title"),
            table(["thread", "messages", "branches", "models", "last (UTC)"], cells, note=note),
        ]


def _day(moment: Any) -> str:
    return "" if moment is pd.NaT else f"{moment:%Y-%m-%d}"


def plain_part(text: str) -> str:
    """Return a part of a text on one line, with the spaces at its ends."""
    inner = plain(text, 200)
    head = " " if text[:1].isspace() and inner else ""
    tail = " " if text[-1:].isspace() and inner else ""
    return f"{head}{inner}{tail}"
