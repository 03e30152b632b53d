"""What is in a database of others: tables as cards, rows page by page, and what is around one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from ecsviz.basics.html import Child, element, shown_of, table
from ecsviz.basics.text import counted, plain
from ecsviz.errors import (
    EcsvizError,
    EntityNotFoundError,
    InvalidArgumentError,
    InvalidIdError,
    short_repr,
)
from ecsviz.widgets.base import Message, whole_number
from ecsviz.widgets.database.cards import cards_of
from ecsviz.widgets.store.explorer import CLASSES, NAME, ROWS, StoreExplorer, as_cell

if TYPE_CHECKING:
    from ecsviz.importers.database import Database


def explore_database(database: Database) -> DatabaseExplorer:
    """Return a live widget that shows what is in a database.

    Parameters
    ----------
    database
        What ``read_database`` returns; it has to stay open.

    Returns
    -------
    DatabaseExplorer
        A widget; its trait ``selected`` works in both directions.

    Raises
    ------
    InvalidArgumentError
        If it is no database.

    Examples
    --------
    >>> import contextlib, pathlib, sqlite3, tempfile
    >>> import ecsviz as ev
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "shop.db")
    >>> with contextlib.closing(sqlite3.connect(path)) as made:
    ...     _ = made.executescript('''
    ...         create table staff (id integer primary key, store_id integer references store);
    ...         create table store (id integer primary key);
    ...         insert into staff values (1, 7); insert into store values (7)''')
    >>> with ev.read_database(path) as db:
    ...     shown = explore_database(db)
    ...     shown.table, shown.graph.graph.nodes
    ...     shown.selected = "staff 1"
    ...     shown.table, shown.graph.graph.nodes
    ('staff', ['staff', 'store'])
    ('staff', ['staff 1', 'store 7'])
    >>> folder.cleanup()
    """
    from ecsviz.importers.database import Database

    if not isinstance(database, Database):
        raise InvalidArgumentError(
            f"{short_repr(database)} is no database. Give what ev.read_database returned.",
            value=database,
        )
    return DatabaseExplorer(database)


class DatabaseExplorer(StoreExplorer):
    """The widget that `explore_database` returns.

    Attributes
    ----------
    selected
        A trait: the name of the chosen row, such as ``"customer 5"``, or None. To choose one
        shows what is around it as a graph.
    table
        A trait: the table whose rows are listed. To choose one shows the tables again: a page shows
        them as cards, with a line from every key to what it leads to; `graph` has their graph.
    hops
        A trait: how many keys away from a row the graph around it goes; 1 at first.
    search, order_by, first, graph, status
        Traits, as those of `StoreExplorer`.
    database
        The database.
    """

    hops = traitlets.Int(1, min=0, max=9)

    def __init__(self, database: Database) -> None:
        self.database = database
        self._rows: dict[str, Any] = {}
        super().__init__(database)

    def _open(self, database: Any) -> Any:
        return database.looking()

    def _connect(self) -> None:
        super()._connect()
        self.observe(lambda _: self._on_hops(), "hops")
        self._hops = self.hops
        self._show_tables()

    def _introduce(self) -> None:
        tables = self.classes_by_size()
        self._about = {
            "name": plain(self.database.name, 100),
            "noun": "rows",
            "entities": sum(found.count for found in tables),
            "classes": [
                {"n": n, "name": plain(c.name, NAME), "count": c.count, "defined": True}
                for n, c in enumerate(tables[:CLASSES])
            ],
            "said": shown_of(min(len(tables), CLASSES), len(tables), "tables"),
            "revisions": [],
            "revised": "",
            "size": ROWS,
        }
        counts = {found.name: (n, found.count) for n, found in enumerate(tables)}
        self._cards = cards_of(self.database.drawn(), self.inside.tables(), counts)

    # -- what is selected --------------------------------------------------------------------

    @traitlets.validate("selected")
    def _check_selected(self, proposal: Any) -> str | None:
        name = proposal.value
        if name is not None and self._row_of(name) is None:
            raise InvalidIdError(
                f"{short_repr(name)} names no row of {self.database.name}. Give the name of a"
                " table and the key of a row, as in 'customer 5'.",
                value=name,
            )
        return None if name is None else str(name)

    def _row_of(self, name: str) -> Any:
        """Return the row of a name: one that was shown, or one that its table has."""
        return self._rows.get(name) or self.inside.row(name)

    def _choose(self, name: Any) -> None:
        """Choose a row by its name, as a page shows it; pass over what is none."""
        row = self._row_of(name) if isinstance(name, str) else None
        if row is None:
            return
        if self.selected == str(row):
            self._on_selected()  # another table may be listed by now
        self.selected = str(row)

    def _show(self) -> None:
        super()._show()
        places: dict[str, Any] = getattr(self.page_read, "places", {})
        for name, row in places.items():
            self._rows.setdefault(str(as_cell(name)), row)  # what a cell shows may be cut
        self._rows |= places

    def _on_table(self) -> None:
        super()._on_table()
        if self.selected is None:
            self._show_tables()

    def _on_pick_table(self, message: Message) -> None:
        name = self.class_in(message)
        if name is not None:
            self.selected = None
            self.table = name
            self._show_tables()

    def _on_pick(self, message: Message) -> None:
        self._choose(message.get("id"))

    def _on_follow(self, message: Message) -> None:
        self._choose(message.get("id"))

    def _on_selected(self) -> None:
        if self.selected is None:
            self._show_tables()
            return
        row = self._row_of(self.selected)
        if self.table != row.table:
            self.table = row.table
        if self.graph is None or self.graph.graph.find_entity_by_id(self.selected) is None:
            self._show_near(row)
        else:
            self.graph.selected = self.selected

    def _on_pick_hops(self, message: Message) -> None:
        hops = whole_number(message, "hops", 0, 9)
        if hops is not None:
            self.hops = hops

    def _on_hops(self) -> None:
        self._hops = self.hops
        if self.selected is not None:
            self._show_near(self._row_of(self.selected))

    def _show_near(self, row: Any) -> None:
        """Show what is around a row; or say why that cannot be shown."""
        try:
            if not row.key:
                raise EntityNotFoundError(f"{row.table} has no primary key to tell {row} by.")
            near, told = self.inside.near(row, self.hops)
        except EcsvizError as error:
            self.replace_graph(None, str(error))
            return
        if not len(near):
            self.replace_graph(None, f"{row} is not there.")
            return
        self._rows |= {str(node): node for node in near.nodes}
        self.replace_graph(near, told, str(row))

    def _show_tables(self) -> None:
        """Show the tables and their keys, the one that is listed selected."""
        if self.table is None:
            return
        if self.graph is None or self.graph.graph.find_entity_by_id(self.table) is None:
            self.replace_graph(self.inside.tables(), self.inside.told(self.table))
        self._told = plain(self.inside.told(self.table), 600)
        assert self.graph is not None
        self.graph.selected = self.table

    def _on_graph(self, graph: Any, selected: str | None) -> None:
        """Follow what is chosen in the graph: a table, or a row."""
        if graph is not self.graph or selected is None:
            return
        if selected in {found.name for found in self.classes} and self.selected is None:
            self.table = selected
        elif selected in self._rows:
            self.selected = selected

    # -- where it is not alive ---------------------------------------------------------------

    def __repr__(self) -> str:
        rows = sum(found.count for found in self.classes)
        tables = counted(len(self.classes), "table")
        return (
            f"DatabaseExplorer({plain(self.database.name, 80)}: {counted(rows, 'row')} of {tables})"
        )

    def _still(self) -> list[Child]:
        about = self._about
        tables = [(c["name"], c["count"]) for c in about["classes"]]
        return [
            element("p", about["name"], look="title", dir="auto"),
            table(["table", "rows"], tables, note=about["said"]),
        ]
