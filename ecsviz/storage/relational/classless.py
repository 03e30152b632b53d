"""A store without its classes: what its tables and its catalog say by themselves.

Nothing that a store names is imported. What needs a class (values as Python has them, checksums)
is not here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.basics.order import COLLECTION, NULLABLE, REQUIRED
from ecsviz.domain.labels import NAMES, TEXTS
from ecsviz.domain.paths import format_path
from ecsviz.errors import StorageCorruptError, UnknownTypeError, did_you_mean, short_repr
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.storage.protocol import as_id, not_found
from ecsviz.storage.relational.look.frames import StoredEntity, neighbourhood
from ecsviz.storage.relational.past.history import moments_of
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.history_tables import REVISION, SUFFIX, UNTIL, history_name
from ecsviz.storage.relational.schema.mapping import StoredType
from ecsviz.storage.relational.store import SQLAlchemyEntityStorage
from ecsviz.storage.reports import Event, events_in_order, history_frame
from ecsviz.storage.sql.driver_values import fetch
from ecsviz.storage.sql.statements import columns_of, value_of

if TYPE_CHECKING:
    import pandas as pd

LABEL = 100
"""How many characters of a text are read for a label."""

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


@dataclass(frozen=True, slots=True)
class BareEntity(StoredEntity):
    """A node of a bare graph.

    Attributes
    ----------
    label_state
        The beginnings of the texts by which people know it, for `ecsviz.domain.labels.label_of`.
    """

    label_state: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(slots=True)
class _Edges:
    """References, as columns; ends are (type, row id)."""

    sources: list[tuple[str, int]] = field(default_factory=list)
    targets: list[tuple[str, int]] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)

    def add(
        self, source: tuple[str, int], target: tuple[str, int], name: str, path: str, kind: int
    ) -> None:
        self.sources.append(source)
        self.targets.append(target)
        self.fields.append(name)
        self.paths.append(path)
        self.kinds.append(kind)


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
            found, _ = fetch(conn, query.order_by(*map(sa.column, key)).limit(limit))
            return names, [list(row) for row in found]

    def _table(self, name: str, *columns: sa.ColumnClause[Any]) -> sa.TableClause:
        return sa.table(name, *columns, schema=self._schema)

    # -- graphs ------------------------------------------------------------------------------

    def type_graph(self) -> EntityDependencyGraph:
        """Return the graph of the stored types: a reference is a field."""
        types = self.types()
        number = {name: n for n, name in enumerate(types)}
        edges = [
            (number[name], number[target], field_name, _kind(place))
            for name, stored in types.items()
            for field_name, place in stored.layout.items()
            for target in place.get("columns", {})
            if target in number
        ]
        edges += [
            (number[target], number[name], place["inverse"], COLLECTION)
            for name, stored in types.items()
            for place in stored.layout.values()
            if place.get("inverse")
            for target in place["columns"]
            if target in number
        ]
        return EntityDependencyGraph.from_parts(
            list(types),
            list(types),
            ["type"] * len(types),
            [edge[0] for edge in edges],
            [edge[1] for edge in edges],
            [edge[2] for edge in edges],
            kinds=[edge[3] for edge in edges],
        )

    def graph(
        self, root: UUID | str | None = None, hops: int | None = None
    ) -> EntityDependencyGraph:
        """Return the graph of the stored entities; as ``store.graph()``, without any class."""
        start = None if root is None else as_id(root)
        with self._inside.reading() as (conn, catalog):
            types = catalog.mapping.stored
            nodes, number = self._nodes(conn, types)
            edges = _Edges()
            for stored in types.values():
                for name, place in stored.layout.items():
                    if "table" in place:
                        self._links(conn, stored, name, edges, nodes, number)
                    elif "columns" in place:
                        self._singles(conn, stored, name, place, edges)
        ends = zip(edges.sources, edges.targets, strict=True)
        # Not those to or from what others have deleted.
        there = [n for n, (one, two) in enumerate(ends) if one in number and two in number]
        sources = [number[edges.sources[n]] for n in there]
        targets = [number[edges.targets[n]] for n in there]
        chosen = list(range(len(nodes)))
        if start is not None:
            at = next((n for n, node in enumerate(nodes) if node.ecs_id == start), None)
            if at is None:
                raise not_found(start, [n.ecs_id for n in nodes], str(self._inside.database))
            chosen = neighbourhood(len(nodes), sources, targets, at, hops)
        place_of = {old: new for new, old in enumerate(chosen)}
        keep = [
            n
            for n, two in enumerate(zip(sources, targets, strict=True))
            if two[0] in place_of and two[1] in place_of
        ]
        return EntityDependencyGraph.from_parts(
            [nodes[n] for n in chosen],
            [nodes[n].ecs_id for n in chosen],
            [nodes[n].type_name for n in chosen],
            [place_of[sources[n]] for n in keep],
            [place_of[targets[n]] for n in keep],
            [edges.paths[there[n]] for n in keep],
            fields=[edges.fields[there[n]] for n in keep],
            kinds=[edges.kinds[there[n]] for n in keep],
        )

    def _nodes(
        self, conn: Connection, types: dict[str, StoredType]
    ) -> tuple[list[BareEntity], dict[tuple[str, int], int]]:
        nodes: list[BareEntity] = []
        number: dict[tuple[str, int], int] = {}
        for name, stored in types.items():
            row: _Column = sa.column("id", sa.BigInteger())
            shown = _label_fields(stored)
            texts = [
                sa.func.substr(sa.column(stored.layout[n]["column"]), 1, LABEL).label(f"t{i}")
                for i, n in enumerate(shown)
            ]
            query: Any = sa.select(row, sa.column("ecs_id", sa.Uuid()), *texts)
            query = query.select_from(self._table(stored.table)).order_by(row)
            for row_id, ecs_id, *values in zip(*columns_of(conn, query), strict=True):
                number[name, row_id] = len(nodes)
                state = dict(zip(shown, values, strict=True))
                nodes.append(BareEntity(ecs_id, name, state))
        return nodes, number

    def _singles(
        self, conn: Connection, stored: StoredType, name: str, place: dict[str, Any], edges: _Edges
    ) -> None:
        row: _Column = sa.column("id", sa.BigInteger())
        kind = _kind(place)
        for target, column in place["columns"].items():
            key: _Column = sa.column(column, sa.BigInteger())
            table = self._table(stored.table)
            query = sa.select(row, key).select_from(table).where(key.is_not(None)).order_by(row)
            for holder, held in zip(*columns_of(conn, query), strict=True):
                edges.add((stored.name, holder), (target, held), name, name, kind)
            if place.get("position") and place.get("inverse"):
                order: _Column = sa.column(place["position"], sa.Integer())
                listed = sa.select(key, row).select_from(table)
                listed = listed.where(key.is_not(None), order.is_not(None)).order_by(key, order)
                inverse, last, at = place["inverse"], None, 0
                for holder, member in zip(*columns_of(conn, listed), strict=True):
                    at = at + 1 if holder == last else 0
                    last = holder
                    path = f"{inverse}[{at}]"
                    edges.add((target, holder), (stored.name, member), inverse, path, COLLECTION)

    def _links(
        self,
        conn: Connection,
        stored: StoredType,
        name: str,
        edges: _Edges,
        nodes: list[BareEntity],
        number: dict[tuple[str, int], int],
    ) -> None:
        place = stored.layout[name]
        table = place["table"]
        in_set = stored.fields.get(name, "").startswith("set ")
        try:
            found = sa.inspect(conn).get_pk_constraint(table, schema=self._schema)
        except sa.exc.NoSuchTableError:
            raise StorageCorruptError(
                f"ecs_types.layout in row {short_repr(stored.name)} names the table"
                f" {short_repr(table)}, which does not exist. Restore the store from a backup.",
                table="ecs_types",
                column="layout",
                row_id=stored.name,
            ) from None
        key = found["constrained_columns"]
        owner: _Column = sa.column(key[0], sa.BigInteger())
        position: _Column = sa.column(key[1], sa.Integer())
        shown = sa.column(place["key"]) if place.get("key") else position
        for target, column in place["columns"].items():
            held: _Column = sa.column(column, sa.BigInteger())
            query = sa.select(owner, held, shown).select_from(self._table(table))
            query = query.where(held.is_not(None)).order_by(owner, position)
            for holder, member, at in zip(*columns_of(conn, query), strict=True):
                node = number.get((target, member))
                if node is None:
                    continue
                path = format_path(name, nodes[node].ecs_id if in_set else at)
                edges.add((stored.name, holder), (target, member), name, path, COLLECTION)

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
    result = {table.name: ("catalog", "") for table in catalog.metadata.tables.values()}
    for stored in catalog.mapping.stored.values():
        for name in stored.tables:
            result[name] = (_LINKS if name != stored.table else _ENTITIES, stored.name)
            result[history_name(name)] = ("history", stored.name)
    return result


def _label_fields(stored: StoredType) -> list[str]:
    """Return the fields that tell people which entity it is."""
    texts = [
        name
        for name, what in stored.fields.items()
        if what.startswith("TEXT") and "column" in stored.layout.get(name, {})
    ]
    return [name for name in (*NAMES, "role", *TEXTS) if name in texts] or texts[:1]


def _kind(place: dict[str, Any]) -> int:
    if "table" in place:
        return COLLECTION
    return REQUIRED if place.get("required") else NULLABLE
