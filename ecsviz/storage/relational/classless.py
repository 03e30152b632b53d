"""A store without its classes: what its tables and its catalog say by themselves.

Nothing that a store names is imported. What needs a class (values as Python has them, checksums)
is not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.errors import StorageCorruptError, UnknownTypeError, did_you_mean, short_repr
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.storage.protocol import as_id, not_found
from ecsviz.storage.relational.look.graph import graph_of
from ecsviz.storage.relational.look.references import StoredReferences
from ecsviz.storage.relational.past.history import moments_of
from ecsviz.storage.relational.schema.arcs import Arc, Kind, sides_of_arcs, stored_arcs
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.history_tables import REVISION, SUFFIX, UNTIL, history_name
from ecsviz.storage.relational.schema.mapping import StoredType
from ecsviz.storage.relational.schema.system_columns import origins_of
from ecsviz.storage.relational.schema.text_tables import PREFIX as INDEXES
from ecsviz.storage.relational.store import SQLAlchemyEntityStorage
from ecsviz.storage.reports import Event, events_in_order, history_frame
from ecsviz.storage.sql.driver_values import fetch
from ecsviz.storage.sql.statements import columns_of, value_of

if TYPE_CHECKING:
    import pandas as pd

_Column = sa.ColumnClause[Any]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a store.

    Attributes
    ----------
    kind
        ``entities``, ``references``, ``history``, ``catalog`` or ``other``.
    type_name
        Whose entities or references it holds.
    """

    name: str
    kind: str
    type_name: str
    columns: list[str]
    rows: int


class BareStore:
    """What an open store says without its classes.

    Parameters
    ----------
    store
        A store.

    Examples
    --------
    >>> import ecsviz as ev
    >>> store = ev.SQLAlchemyEntityStorage(":memory:")
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> _ = store.register(thread)
    >>> [(t.name, t.rows) for t in BareStore(store).tables() if t.kind == "entities"]
    [('chat_messages', 1), ('chat_threads', 1)]
    >>> BareStore(store).graph()
    EntityDependencyGraph(2 nodes, 2 references, 1 cyclic component)
    """

    def __init__(self, store: SQLAlchemyEntityStorage) -> None:
        self._inside = store.inside
        self._schema = self._inside.catalog.metadata.schema

    # -- tables ------------------------------------------------------------------------------

    def tables(self) -> list[Table]:
        """Return every table: those of entities first, then by kind and name."""
        with self._inside.reading() as (conn, catalog):
            inspector = sa.inspect(conn)
            names = inspector.get_table_names(schema=self._schema)
            kinds = _kinds(catalog)
            found = []
            for name in names:
                kind, type_name = kinds.get(name, ("other", ""))
                if name.startswith(INDEXES):
                    kind = "catalog"
                columns = [c["name"] for c in inspector.get_columns(name, schema=self._schema)]
                count = sa.select(sa.func.count()).select_from(self._table(name))
                rows = int(value_of(conn, count) or 0)
                found.append(Table(name, kind, type_name, columns, rows))
        return sorted(found, key=lambda table: (_KINDS.index(table.kind), table.name))

    def types(self) -> dict[str, StoredType]:
        """Return the stored types by their names."""
        with self._inside.reading() as (_, catalog):
            return dict(catalog.mapping.stored)

    def rows(self, table: str, limit: int | None = None) -> tuple[list[str], list[list[Any]]]:
        """Return the columns and the rows of a table, as the database has them.

        Parameters
        ----------
        table
            Its name.
        limit
            How many rows at the most; None for all.

        Raises
        ------
        UnknownTypeError
            If there is no such table.
        """
        with self._inside.reading() as (conn, _):
            inspector = sa.inspect(conn)
            tables = inspector.get_table_names(schema=self._schema)
            if table not in tables:
                past = table.endswith(SUFFIX)
                tables = [name for name in tables if name.endswith(SUFFIX) <= past]
                raise UnknownTypeError(
                    f"There is no table {short_repr(table)}.{did_you_mean(table, tables)}",
                    table=table,
                    tables=tables,
                )
            names = [c["name"] for c in inspector.get_columns(table, schema=self._schema)]
            key = inspector.get_pk_constraint(table, schema=self._schema)["constrained_columns"]
            query: Any = sa.select(*map(sa.column, names)).select_from(self._table(table))
            columns, _ = fetch(conn, query.order_by(*map(sa.column, key)).limit(limit))
            return names, list(map(list, zip(*columns, strict=True)))

    def _table(self, name: str, *columns: sa.ColumnClause[Any]) -> sa.TableClause:
        return sa.table(name, *columns, schema=self._schema)

    # -- graphs ------------------------------------------------------------------------------

    def type_graph(self) -> EntityDependencyGraph:
        """Return the graph of the stored types: a reference is a field."""
        types = self.types()
        number = {name: n for n, name in enumerate(types)}
        arcs = stored_arcs(types.values(), self._schema)
        arcs.sort(key=lambda arc: arc.kind is Kind.LIST)  # what columns say by themselves first
        edges = [(number[arc.source], number[arc.target], arc.field, arc.weight) for arc in arcs]
        return EntityDependencyGraph.from_parts(
            list(types),
            list(types),
            ["type"] * len(types),
            [edge[0] for edge in edges],
            [edge[1] for edge in edges],
            [edge[2] for edge in edges],
            kinds=[edge[3] for edge in edges],
            sides=lambda: np.array(sides_of_arcs(arcs), dtype=np.int64),
        )

    def graph(
        self, root: UUID | str | None = None, hops: int | None = None
    ) -> EntityDependencyGraph:
        """Return the graph of the stored entities; as ``store.graph()``, without any class."""
        start = None if root is None else as_id(root)
        with self._inside.reading() as (conn, catalog):
            found = StoredReferences(conn, catalog)
            for stored in catalog.mapping.stored.values():
                self._add(found, stored)
            blocks = list(found.blocks(self._arcs(conn, catalog.mapping.stored)))
            if start is not None and start not in found.ids:
                raise not_found(start, found.ids, str(self._inside.database))
            return graph_of(found, blocks, None if start is None else found.ids.index(start), hops)

    def _add(self, found: StoredReferences, stored: StoredType) -> None:
        """Add the entities of a type to what is found."""
        row: _Column = sa.column("id", sa.BigInteger())
        query: Any = sa.select(row, sa.column("ecs_id", sa.Uuid()))
        query = query.select_from(self._table(stored.table)).order_by(row)
        found.add(stored.name, *columns_of(found.conn, query))

    def _arcs(self, conn: Connection, types: dict[str, StoredType]) -> list[Arc]:
        """Return the arcs of all types.

        Raises
        ------
        StorageCorruptError
            If there is no such table as one of them stands in.
        """
        arcs = stored_arcs(types.values(), self._schema)
        names = set(sa.inspect(conn).get_table_names(schema=self._schema))
        for arc in arcs:
            if arc.has_table and arc.table.name not in names:
                raise StorageCorruptError(
                    f"ecs_types.layout in row {short_repr(arc.source)} names the table"
                    f" {short_repr(arc.table.name)}, which does not exist. Restore the store from"
                    " a backup.",
                    table="ecs_types",
                    column="layout",
                    row_id=arc.source,
                )
        return arcs

    # -- the past ----------------------------------------------------------------------------

    def history(self, ecs_id: UUID | str) -> pd.DataFrame:
        """Return the versions of an entity; as ``store.history()``, without the fields.

        Raises
        ------
        EntityNotFoundError
            If it was never stored.
        """
        wanted = as_id(ecs_id)
        with self._inside.reading() as (conn, catalog):
            for stored in catalog.mapping.stored.values():
                events = self._events(conn, stored, wanted)
                if events:
                    return history_frame(events, moments_of(conn, catalog))
        raise not_found(wanted, (), str(self._inside.database))

    def _events(self, conn: Connection, stored: StoredType, ecs_id: UUID) -> list[Event]:
        wanted = sa.column("ecs_id", sa.Uuid())
        version: _Column = sa.column("ecs_version", sa.Integer())
        since: _Column = sa.column(REVISION, sa.Integer())
        now = sa.select(version, since, sa.null()).select_from(self._table(stored.table))
        past = self._table(history_name(stored.table))
        then: Any = sa.select(version, since, sa.column(UNTIL, sa.Integer())).select_from(past)
        states = [
            (*row, None)
            for query in (now, then)
            for row in zip(*columns_of(conn, query.where(wanted == ecs_id)), strict=True)
        ]
        return list(events_in_order(sorted(states, key=lambda state: int(state[1])), None))


_ENTITIES, _LINKS = "entities", "references"
_KINDS = (_ENTITIES, _LINKS, "history", "catalog", "other")


def _kinds(catalog: Catalog) -> dict[str, tuple[str, str]]:
    """Return per table what it is, and of which type."""
    tables = [*catalog.metadata.tables.values(), origins_of(None)]
    result = {table.name: ("catalog", "") for table in tables}
    for stored in catalog.mapping.stored.values():
        for name in stored.tables:
            result[name] = (_LINKS if name != stored.table else _ENTITIES, stored.name)
            result[history_name(name)] = ("history", stored.name)
    return result
