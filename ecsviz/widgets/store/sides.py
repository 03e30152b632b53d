"""Objects and rows side by side: the graph of an entity, and what the tables hold of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final
from uuid import UUID

import traitlets

from ecsviz.basics.html import Child, element, shown_of, table
from ecsviz.basics.result_frames import typed_frame
from ecsviz.basics.text import counted, plain
from ecsviz.domain.labels import label_of
from ecsviz.domain.walk import walk
from ecsviz.errors import GraphTooLargeError
from ecsviz.storage.comparing import VersionedStorage, storage_of
from ecsviz.storage.protocol import as_id
from ecsviz.storage.relational.look.entity_rows import MOST, RowsBeside, rows_of
from ecsviz.storage.relational.store import SQLAlchemyEntityStorage
from ecsviz.widgets.base import NESTED, LiveWidget, Message, poster, whole_number
from ecsviz.widgets.graph.explorer import GraphExplorer
from ecsviz.widgets.store.explorer import as_cell
from ecsviz.widgets.store.neighbours import Near, near_of

if TYPE_CHECKING:
    import pandas as pd

LARGEST: Final = 10_000
"""How many entities of a storage in memory are saved to see their rows."""
LISTED: Final = 25
"""How many rows of a table stand where there is no kernel."""


def explore_sides(store: Any, entity: Any) -> SideBySide:
    """Return a live widget: the graph around an entity, and beside it its rows and keys.

    Parameters
    ----------
    store
        Where it is.
    entity
        An entity that is stored, or its ``ecs_id``.

    Raises
    ------
    EntityNotFoundError
        If it is not stored.
    UnknownTypeError
        If its class, or one of those that it holds, is not defined here.
    GraphTooLargeError
        If it leads to more than 10,000 entities of a storage in memory.

    Notes
    -----
    What it holds, and what holds it, up to 60 and 30. A storage in memory has no tables: the rows
    are those that a database would have; versions and revisions count anew.
    Of hand-written models, the rows are what the store keeps of them, not those of your tables.
    """
    ecs_id = as_id(entity)
    with _as_tables(storage_of(store), ecs_id) as asked, asked.inside.one_state():
        near = near_of(asked, ecs_id)
        by_class: dict[type, list[UUID]] = {}
        for node in near.graph.nodes:
            by_class.setdefault(type(node), []).append(node.ecs_id)
        with asked.inside.reading() as (conn, catalog):
            tables = rows_of(conn, catalog, by_class)
    return SideBySide(near, tables, is_stored=asked is store)


@contextmanager
def _as_tables(store: VersionedStorage, ecs_id: UUID) -> Iterator[SQLAlchemyEntityStorage]:
    """Open what has tables: the store, or one in memory with copies of what it holds."""
    if isinstance(store, SQLAlchemyEntityStorage):
        yield store
        return
    roots = list(store.get_many([node.ecs_id for node in near_of(store, ecs_id).graph.nodes]))
    every = walk(roots).entities
    if len(every) > LARGEST:
        raise GraphTooLargeError(
            f"{len(every):,} entities are too many to be saved for their rows: the most are"
            f" {LARGEST:,}. Save them with a SQLAlchemyEntityStorage, and ask that.",
            n=len(every),
            limit=LARGEST,
        )
    roots = copy.deepcopy(roots)
    for each in walk(roots).entities:
        each.__dict__["version"] = 0
    with SQLAlchemyEntityStorage(":memory:") as made:
        made.register(roots)
        yield made


class SideBySide(LiveWidget):
    """The widget that ``store.side_by_side(entity)`` returns.

    Attributes
    ----------
    selected
        A trait: the ``ecs_id`` of the chosen entity as text, or None. It is marked in the graph,
        and so are its rows, and the keys that lead to it.
    graph
        A trait: the `GraphExplorer` of the entity and what is around it.
    near, tables
        What is shown: the graph, and the rows.
    """

    bundle: ClassVar[str] = "sides"
    answers: ClassVar[dict[str, str]] = {"pick": "_on_pick", "follow": "_on_follow"}

    graph = traitlets.Instance(GraphExplorer, allow_none=True).tag(sync=True, **NESTED)
    _tables: Any = traitlets.List(help="the tables with their rows").tag(sync=True)
    _told = traitlets.Dict(help="what stands above the two sides").tag(sync=True)

    def __init__(self, near: Near, tables: list[RowsBeside], *, is_stored: bool = True) -> None:
        self.near, self.tables, self.is_stored = near, tables, is_stored
        graph = GraphExplorer(near.graph)
        super().__init__(graph=graph)
        self._told = {"graph": near.told, "rows": self._said()}
        self._tables = [self._shown(each) for each in tables]
        self.observe(self._on_selected, "selected")
        graph.observe(self._on_graph, "selected")
        self.selected = near.graph.nodes[near.root].ecs_id

    def _said(self) -> str:
        rows = counted(sum(len(each.ids) for each in self.tables), "row")
        said = f"{rows} of {counted(len(self.tables), 'table')}"
        return said if self.is_stored else f"{said}, as a database would have them"

    def _shown(self, each: RowsBeside) -> dict[str, Any]:
        return {
            "name": plain(each.name, 80),
            "said": _rows_said(each, len(each.ids)),
            "columns": [
                {
                    "name": plain(column.name, 60),
                    "says": plain(column.says, 120),
                    "refers": plain(column.refers_to, 120),
                }
                for column in each.columns
            ],
            "ids": [str(ecs_id) for ecs_id in each.ids],
            "rows": [[as_cell(value) for value in row] for row in each.cells],
            "leads": [[lead and str(lead) for lead in row] for row in each.leads],
        }

    def frame(self) -> pd.DataFrame:
        """Return what the rows hold as a DataFrame, a row for each cell.

        Returns
        -------
        pandas.DataFrame
            ``table``; ``row``, its number in the table from 0; ``ecs_id``, the entity that the row
            is of; ``column``; ``value`` as text, missing for NULL; ``says``, which field, or what
            of the entity, the column holds; ``refers_to``, the column that a key refers to; and
            ``leads_to``, the ``ecs_id`` of the entity to which the key leads.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> thread = ev.ChatThread(title="Cycles")
        >>> message = thread.say("user", "hello")
        >>> frame = store.side_by_side(store.register(thread)).frame()
        >>> key = frame[frame["column"] == "thread_id"].iloc[0]
        >>> key["table"], key["value"], key["refers_to"], key["leads_to"] == str(thread.ecs_id)
        ('chat_messages', '1', 'chat_threads.id', True)
        """
        rows = [
            (
                each.name,
                number,
                str(ecs_id),
                column.name,
                None if value is None else str(value),
                column.says,
                column.refers_to or None,
                lead and str(lead),
            )
            for each in self.tables
            for number, ecs_id in enumerate(each.ids)
            for column, value, lead in zip(
                each.columns, each.cells[number], each.leads[number], strict=True
            )
        ]
        names = ("table", "row", "ecs_id", "column", "value", "says", "refers_to", "leads_to")
        return typed_frame(rows, dict.fromkeys(names, "str") | {"row": "int64"})

    # -- what the reader does ----------------------------------------------------------------

    def _on_pick(self, message: Message) -> None:
        """Choose the entity that a row is of."""
        place = self._place(message)
        if place is not None:
            self.selected = self.tables[place[0]].ids[place[1]]

    def _on_follow(self, message: Message) -> None:
        """Choose the entity to which a key leads."""
        place = self._place(message)
        if place is None:
            return
        leads = self.tables[place[0]].leads[place[1]]
        column = whole_number(message, "column", 0, len(leads) - 1)
        if column is not None and leads[column] is not None:
            self.selected = leads[column]

    def _place(self, message: Message) -> tuple[int, int] | None:
        number = whole_number(message, "table", 0, len(self.tables) - 1)
        if number is None:
            return None
        row = whole_number(message, "row", 0, len(self.tables[number].ids) - 1)
        return None if row is None else (number, row)

    def _on_selected(self, change: Any) -> None:
        if self.graph is None:
            return
        known = change.new and self.near.graph.find_entity_by_id(UUID(change.new)) is not None
        self.graph.selected = change.new if known else None

    def _on_graph(self, change: Any) -> None:
        if change.new is not None:
            self.selected = change.new

    # -- where it is not alive ---------------------------------------------------------------

    def __repr__(self) -> str:
        root = self.near.graph.nodes[self.near.root]
        entities = counted(len(self.near.graph), "entity")
        return f"SideBySide({label_of(root, 60)}: {entities}, {self._said()})"

    def _poster_png(self) -> tuple[bytes, str]:
        return poster(self.near.graph)

    def _still(self) -> list[Child]:
        children: list[Child] = [element("p", f"{self._said()}; {self.near.told}", look="note")]
        for each in self.tables:
            heads = [
                f"{column.name} → {column.refers_to}" if column.refers_to else column.name
                for column in each.columns
            ]
            rows = [
                [None if value is None else str(as_cell(value)) for value in row]
                for row in each.cells[:LISTED]
            ]
            note = _rows_said(each, len(rows))
            children.append(table(heads, rows, caption=each.name, note=note))
        return children


def _rows_said(each: RowsBeside, shown: int) -> str:
    if not each.complete:
        return f"the first {shown:,} of more than {MOST:,} rows"
    return (
        shown_of(shown, len(each.ids), "rows") if shown < len(each.ids) else counted(shown, "row")
    )
