"""What is in a store: classes, revisions, tables page by page, and the graph around a row.

However much is stored, a page of one table goes to the page in the browser, and what is around one
entity. Searching, sorting and paging are the store's work.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final
from uuid import UUID

import traitlets

from ecsviz.basics.html import Child, element, readable, shown_of, table
from ecsviz.basics.text import counted, plain
from ecsviz.errors import (
    EcsvizError,
    EntityNotFoundError,
    InvalidArgumentError,
    UnknownTypeError,
    did_you_mean,
    short_repr,
)
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.storage.comparing import storage_of
from ecsviz.storage.hits import parts_of
from ecsviz.storage.looking import Page, PageColumn, Wanted
from ecsviz.storage.words import begun_words, folded, snippet, snippet_of_parts
from ecsviz.widgets.base import NESTED, LiveWidget, Message, id_in, named_in, whole_number
from ecsviz.widgets.graph.explorer import GraphExplorer
from ecsviz.widgets.store.neighbours import near_of

ROWS: Final = 25
"""How many rows a page has."""
CLASSES: Final = 200
"""How many classes are listed, the largest first."""
REVISIONS: Final = 20
"""How many revisions are listed, the newest first."""
NAME: Final = 80
"""How many characters of the name of a class are shown."""
CUT: Final = 160
"""How many characters of a value stand in a cell."""
BIG: Final = 2**53
"""Beyond this, a number of a page is another than the one of Python."""


def explore_store(store: Any) -> StoreExplorer:
    """Return a live widget that shows what is in a store.

    Parameters
    ----------
    store
        An `SQLAlchemyEntityStorage` or an `InMemoryEntityStorage`.

    Returns
    -------
    StoreExplorer
        A widget; its trait ``selected`` works in both directions.

    Examples
    --------
    >>> import ecsviz as ev
    >>> store = ev.SQLAlchemyEntityStorage(":memory:")
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> _ = store.register(thread)
    >>> shown = explore_store(store)
    >>> shown.table, shown.status
    ('ChatMessage', 'showing 1 of 1 row of ChatMessage')
    >>> shown.selected = thread
    >>> shown.table, len(shown.graph.graph)
    ('ChatThread', 2)
    """
    return StoreExplorer(store)


class StoreExplorer(LiveWidget):
    """The widget that `explore_store` returns.

    Attributes
    ----------
    selected
        A trait: the ``ecs_id`` of the chosen entity as text, or None. To choose one shows its
        class, and what is around it as a graph. Ids that are not stored are taken too, so that it
        can be linked with the selection of other widgets.
    table
        A trait: the name of the class whose entities are listed, or None.
    search
        A trait: what is looked for in the texts of the table; or an ``ecs_id``. In fields that
        `index_text` was called for, words are, as by the store's ``search``, the last of which may
        go on; in others a part of the text, or how words in it begin. A cell shows the place.
    order_by
        A trait: the field that the rows are sorted by, with a minus in front for falling order;
        empty for the order of storing.
    first
        A trait: the number of the first row that is shown, from 0.
    graph
        A trait: the `GraphExplorer` of what is around the chosen entity, or None.
    status
        A trait: what is shown of what there is, in words.
    store
        The store.
    """

    bundle: ClassVar[str] = "store"
    answers: ClassVar[dict[str, str]] = {
        "table": "_on_pick_table",
        "pick": "_on_pick",
        "follow": "_on_follow",
        "search": "_on_search",
        "sort": "_on_sort",
        "turn": "_on_turn",
        "refresh": "_on_refresh",
        "tables": "_on_tables",
        "hops": "_on_pick_hops",
    }

    table = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    search = traitlets.Unicode().tag(sync=True)
    order_by = traitlets.Unicode().tag(sync=True)
    first = traitlets.Int(0, min=0).tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)
    graph = traitlets.Instance(GraphExplorer, allow_none=True).tag(sync=True, **NESTED)

    _about = traitlets.Dict(help="classes and revisions").tag(sync=True)
    _page = traitlets.Dict(help="a page of the table").tag(sync=True)
    _told = traitlets.Unicode(help="what the graph shows, or why there is none").tag(sync=True)
    _cards = traitlets.Dict(help="the tables of a database as cards").tag(sync=True)
    _hops = traitlets.Int(0, help="how far the graph goes, where one may say so").tag(sync=True)

    def __init__(self, store: Any) -> None:
        self.store: Any = store
        self.inside = self._open(store)
        self.page_read: Page | None = None
        self.classes = self.inside.classes()
        super().__init__(table=self.classes_by_size()[0].name if self.classes else None)
        self._ready = self._explorer_of(EntityDependencyGraph()) if self.is_in_marimo else None
        self._introduce()
        self._show()
        self._connect()

    def _open(self, store: Any) -> Any:
        """Return what knows what is inside."""
        return storage_of(store).inside

    def _connect(self) -> None:
        self.observe(lambda _: self._on_selected(), "selected")
        self.observe(lambda _: self._on_table(), "table")
        self.observe(lambda _: self._restart(), ["search", "order_by"])
        self.observe(lambda _: None if self.settling else self._show(), "first")

    def classes_by_size(self) -> list[Any]:
        """Return the classes, the largest first."""
        return sorted(self.classes, key=lambda found: (-found.count, found.name))

    def _introduce(self) -> None:
        classes = self.classes_by_size()
        revisions = self.store.revisions()
        newest = revisions.iloc[::-1].head(REVISIONS)
        self._about = {
            "name": plain(repr(self.store), 100),
            "noun": "entities",
            "entities": sum(found.count for found in classes),
            "classes": [
                {"n": n, "name": plain(c.name, NAME), "count": c.count, "defined": c.defined}
                for n, c in enumerate(classes[:CLASSES])
            ],
            "said": shown_of(min(len(classes), CLASSES), len(classes), "classes"),
            "revisions": [
                {
                    "revision": row.revision,
                    "at": f"{row.at:%Y-%m-%d %H:%M:%S}",
                    "note": plain(row.note, 80) if isinstance(row.note, str) else "",
                    "counts": _counts(row),
                }
                for row in newest.itertuples()
            ],
            "revised": shown_of(len(newest), len(revisions), "revisions"),
            "size": ROWS,
        }

    def refresh(self) -> None:
        """Read anew what has been stored since."""
        self.classes = self.inside.classes()
        self._introduce()
        if self.table is None and self.classes:
            self.table = self.classes_by_size()[0].name
        self._show()

    # -- the table ---------------------------------------------------------------------------

    @traitlets.validate("table")
    def _check_table(self, proposal: Any) -> str | None:
        names = [found.name for found in self.classes]
        if proposal.value is not None and proposal.value not in names:
            raise UnknownTypeError(
                f"{short_repr(proposal.value)} is no class of this store."
                f"{did_you_mean(proposal.value, names)} refresh() looks for new ones.",
                value=proposal.value,
            )
        return None if proposal.value is None else str(proposal.value)

    @traitlets.validate("order_by")
    def _check_order(self, proposal: Any) -> str:
        order: str = proposal.value
        names = [column.name for column in self._columns() if column.sorts]
        if order and order.removeprefix("-") not in names:
            raise InvalidArgumentError(
                f"{self.table} cannot be sorted by {short_repr(order)}."
                f"{did_you_mean(order.removeprefix('-'), names)} There are {', '.join(names)}.",
                value=order,
            )
        return order

    def _columns(self) -> list[PageColumn]:
        return [] if self.table is None else self.inside.columns(self.table)

    def _on_table(self) -> None:
        with self.hold_sync():
            self.settle(search="", order_by="", first=0)
            self._show()

    def _restart(self) -> None:
        if not self.settling:
            self.settle(first=0)
            self._show()

    def _show(self) -> None:
        """Read a page and send it."""
        if self.table is None:
            self.page_read, self._page, self.status = None, {}, "nothing is stored"
            return
        wanted = Wanted(self.search, self.order_by, self.first, ROWS)
        self.page_read = page = self.inside.page(self.table, wanted)
        if self.first and not page.ids:  # beyond the end
            self.settle(first=max((page.total - 1) // ROWS, 0) * ROWS)
            wanted = Wanted(self.search, self.order_by, self.first, ROWS)
            self.page_read = page = self.inside.page(self.table, wanted)
        columns, marked = page.columns, _Marked(wanted)
        with self.hold_sync():
            self._page = {
                "table": self.table,
                "columns": [
                    {"name": plain(c.name, 60), "kind": c.kind, "sorts": c.sorts} for c in columns
                ],
                "ids": [str(ecs_id) for ecs_id in page.ids],
                "rows": [
                    [marked(c, value) for c, value in zip(columns, row, strict=True)]
                    for row in page.rows
                ],
                "total": page.total,
            }
            self.status = self._said(page)

    def _said(self, page: Page) -> str:
        text = shown_of(len(page.ids), page.total, "rows")
        text += f" of {plain(self.table or '', 60)}"
        if len(page.ids) < page.total:
            text += f" ({self.first + 1:,} to {self.first + len(page.ids):,})"
        if self.search.strip():
            text += " that matches" if page.total == 1 else " that match"
        return text

    # -- what the reader does ----------------------------------------------------------------

    # A page says what it means, and not where that stands: it may show what was there before.

    def class_in(self, message: Message) -> str | None:
        """Return the class that a page names, or None."""
        classes = [found.name for found in self.classes_by_size()]
        number = named_in(message, [plain(name, NAME) for name in classes])
        return None if number is None else str(classes[number])

    def _on_pick_table(self, message: Message) -> None:
        name = self.class_in(message)
        if name is not None:
            self.table = name

    def _on_pick(self, message: Message) -> None:
        """Choose a row, by the id of its entity."""
        ecs_id = id_in(message)
        if ecs_id is not None:
            self._show_row(ecs_id)
            self._graph_around(ecs_id)
            self.selected = ecs_id

    def _on_follow(self, message: Message) -> None:
        """Choose what a cell holds."""
        ecs_id = id_in(message)
        if ecs_id is not None:
            self.selected = ecs_id

    def _on_sort(self, message: Message) -> None:
        """Sort by a column: rising, then falling, then as it was stored."""
        columns = self._columns()
        number = whole_number(message, "column", 0, len(columns) - 1)
        if number is None or message.get("table") != self.table or not columns[number].sorts:
            return
        name = columns[number].name
        self.order_by = {"": name, name: f"-{name}", f"-{name}": ""}.get(self.order_by, name)

    def _on_search(self, message: Message) -> None:
        text = message.get("text")
        if isinstance(text, str):
            self.search = text

    def _on_turn(self, message: Message) -> None:
        first = whole_number(message, "first", 0, BIG)
        if first is not None and message.get("table") == self.table:
            self.first = first

    def _on_tables(self, message: Message) -> None:  # noqa: ARG002  # it says nothing more
        self.selected = None

    def _on_pick_hops(self, message: Message) -> None:
        """Pass over how far the graph is to go: around an entity, that is given."""

    def _on_refresh(self, message: Message) -> None:  # noqa: ARG002  # it says nothing more
        self.refresh()

    # -- what is selected --------------------------------------------------------------------

    def _on_selected(self) -> None:
        if self.selected is None:
            if self.graph is not None:
                self.graph.selected = None
            return
        ecs_id = UUID(self.selected)
        self._show_row(ecs_id)
        if self.graph is not None and self.graph.graph.find_entity_by_id(ecs_id) is not None:
            self.graph.selected = self.selected
        else:
            self._graph_around(ecs_id)

    def _show_row(self, ecs_id: UUID) -> None:
        """Turn to the page that an entity is on, unless it is searched or sorted."""
        if self.page_read is not None and ecs_id in self.page_read.ids:
            return
        name = self.inside.class_of(ecs_id)
        if name is None:
            return
        if name not in {found.name for found in self.classes}:
            self.refresh()
        if name not in {found.name for found in self.classes}:  # it is gone by now
            return
        with self.hold_sync():
            if self.table != name:
                self.table = name
            if not (self.search or self.order_by):
                self.first = self.inside.place(name, ecs_id) // ROWS * ROWS

    def _graph_around(self, ecs_id: UUID) -> None:
        """Show what is around an entity; or say why that cannot be shown."""
        try:
            near = near_of(self.store, ecs_id)
        except EntityNotFoundError:
            self.replace_graph(None, f"{ecs_id} is not in this store.")
        except EcsvizError as error:
            self.replace_graph(None, str(error))
        else:
            self.replace_graph(near.graph, near.told, ecs_id)

    def replace_graph(
        self, graph: EntityDependencyGraph | None, told: str, selected: Any = None
    ) -> None:
        """Show another graph in the place of the one that is shown, or none; no promise."""
        old, self._told = self.graph, plain(told, 600)
        made = None
        if graph is not None and self._ready is not None:
            made = self._ready
            made.selected = None
            made.refresh(graph)
        elif graph is not None:
            made = self._explorer_of(graph)
        if made is not None:
            made.selected = selected
        self.graph = made
        if old is not None and old is not self._ready:
            old.close()

    def _explorer_of(self, graph: EntityDependencyGraph) -> GraphExplorer:
        made = GraphExplorer(graph)
        made.observe(lambda change: self._on_graph(made, change.new), "selected")
        return made

    def _on_graph(self, graph: Any, selected: str | None) -> None:
        """Follow what is chosen in the graph."""
        if graph is self.graph and selected is not None:
            self.selected = selected

    # -- where it is not alive ---------------------------------------------------------------

    def __repr__(self) -> str:
        entities = sum(found.count for found in self.classes)
        classes = counted(len(self.classes), "class")
        held = f"{counted(entities, 'entity')} of {classes}"
        return f"StoreExplorer({plain(repr(self.store), 80)}: {held})"

    def _still(self) -> list[Child]:
        about = self._about
        classes = [(c["name"], c["count"]) for c in about["classes"]]
        revisions = [(r["revision"], r["at"], r["note"], r["counts"]) for r in about["revisions"]]
        return [
            element("p", about["name"], look="title", dir="auto"),
            table(["class", "entities"], classes, note=about["said"]),
            table(["revision", "at (UTC)", "note", "entities"], revisions, note=about["revised"]),
        ]


def _counts(row: Any) -> str:
    counts = [(row.added, "added"), (row.changed, "changed"), (row.deleted, "deleted")]
    return ", ".join(f"{count:,} {what}" for count, what in counts if count) or "nothing"


class _Marked:
    """Values as they go to a page: texts in which something is sought where they have that."""

    def __init__(self, wanted: Wanted) -> None:
        self.sought, self.words = wanted.sought, wanted.words
        self.by_words = begun_words(self.sought) if self.sought else None

    def __call__(self, column: PageColumn, value: Any) -> Any:
        if column.kind == "time" and value is not None:
            return plain(str(value)[:19])  # to the second
        found = self._find(value) if self.sought and column.kind == "text" else None
        if found is None or not found[1]:
            return as_cell(value)
        return [[readable(part), is_marked] for part, is_marked in parts_of(*found) if part]

    def _find(self, value: Any) -> tuple[str, tuple[tuple[int, int], ...]] | None:
        if not isinstance(value, str):
            return None
        if self.by_words is not None and self.by_words.fits(folded(value)):
            return snippet(value, self.by_words)
        found = snippet_of_parts(value, [self.sought])
        return snippet_of_parts(value, self.words) if found is None and self.words else found


def as_cell(value: Any) -> Any:
    r"""Return a value as it goes to a page: None, a truth, a number, or a short text.

    Examples
    --------
    >>> as_cell(None), as_cell(3), as_cell(2**70), as_cell("a\nb"), as_cell([1])
    (None, 3, '1180591620717411303424', 'a b', '[1]')
    """
    if value is None or isinstance(value, bool):
        return value
    if type(value) is int and abs(value) < BIG:
        return value
    return plain(str(value), CUT)
