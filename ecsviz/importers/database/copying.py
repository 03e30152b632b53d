"""A database into a store, table by table, in the memory of some thousand rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import cached_property, partial
from itertools import compress
from typing import Any, Final, overload
from uuid import UUID

import sqlalchemy as sa

from ecsviz.domain.objects import fill_all, shells
from ecsviz.importers.database.classes import Made
from ecsviz.importers.database.graphs import table_graph
from ecsviz.importers.database.kinds import TableKinds
from ecsviz.importers.database.making import MAX_ENTITIES, EntityMaking, key_ids, row_ids
from ecsviz.importers.database.options import checked_chunks
from ecsviz.importers.database.picture import uniques_of
from ecsviz.importers.database.schema import ForeignKey, ForeignTable
from ecsviz.importers.database.source import DatabaseSource
from ecsviz.storage.asking import AskingStorage
from ecsviz.storage.protocol import EntityStorage
from ecsviz.storage.remembered import forgetful

AT_A_TIME: Final = 10_000
"""How many rows are made at a time: some thirty megabytes."""
AT_ONCE: Final = 20_000
"""How many rows are copied at once, and returned as the very entities that were registered."""
_JOINED: Final = 50
"""To how many tables one statement leads: SQLite joins 64, MySQL 61."""
_WIDEST: Final = 1_500
"""How many columns it asks for: SQLite takes 2,000, PostgreSQL 1,664."""


class CopiedRows(Sequence[Any]):
    """The entities of a table's rows, read from the store when they are first asked for."""

    def __init__(self, count: int, read: Callable[[], list[Any]]) -> None:
        self._count, self._read = count, read

    @cached_property
    def _entities(self) -> list[Any]:
        return self._read()

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> Any: ...

    @overload
    def __getitem__(self, at: slice) -> list[Any]: ...

    def __getitem__(self, at: Any) -> Any:
        return self._entities[at]

    def __repr__(self) -> str:
        return f"<{self._count:,} entities, read from the store when they are asked for>"


class WithCopies:
    """The part of a database that copies it into a store.

    Attributes
    ----------
    name
        What messages call it.
    """

    name: str
    _source: DatabaseSource
    _kinds: TableKinds

    @overload
    def copy_to(
        self,
        store: EntityStorage,
        note: str | None = None,
        *,
        max_entities: int | None = MAX_ENTITIES,
        chunks: None = None,
    ) -> dict[str, list[Any]]: ...

    @overload
    def copy_to(
        self,
        store: EntityStorage,
        note: str | None = None,
        *,
        max_entities: int | None = MAX_ENTITIES,
        chunks: int,
    ) -> dict[str, Any]: ...

    def copy_to(
        self,
        store: EntityStorage,
        note: str | None = None,
        *,
        max_entities: int | None = MAX_ENTITIES,
        chunks: int | None = None,
    ) -> dict[str, list[Any]]:
        """Register all rows of all tables in a store, in one transaction.

        Parameters
        ----------
        store
            Any storage of ecsviz.
        note
            What the revision is about; the name of the database by default.
        max_entities
            As in `entities`; it is counted before a row is read.
        chunks
            How many rows are made at a time; by default 10,000 where there are more than 20,000.
            With it, any number of rows is copied.

        Returns
        -------
        dict
            Table → the entities of its rows. Of more than 20,000 rows, they are read from the
            store when one is first asked for; how many they are is known. With `chunks`, only
            how many they are.

        Notes
        -----
        The ids do not change from one reading to the next, so copying again writes what has
        changed and nothing else; rows that are gone stay in the store. A process that is to
        ``get`` them needs their classes: those of ``read_database(…).classes``, after `look_at_all`
        where a table has more than 10,000 rows.

        Tables come in topological order, in the memory of a chunk. Where keys make a cycle, rows
        are written without those that close it, and once more with them; where each of these is
        NOT NULL, the rows of these tables are made at once.
        """
        told = note or f"copied from {self.name}"
        size = AT_A_TIME if chunks is None else checked_chunks(chunks)
        with self._source.reading() as conn:
            making = EntityMaking(conn, self._kinds, max_entities)
            if chunks is None and making.count_all() <= AT_ONCE:
                found = making.everything()
                everyone = [entity for entities in found.values() for entity in entities]
                store.register(everyone, note=told)
                return found
        self._kinds.look_at_all()
        with self._source.reading() as conn, store.transaction(told), forgetful():
            copy = TableCopy(conn, self._kinds, size, max_entities, self._source)
            counts: Any = copy.into(store)
        if chunks is None:
            for name, count in counts.items():
                counts[name] = CopiedRows(count, partial(self._copied, store, name))
        return counts  # type: ignore[no-any-return]  # as the signatures say

    def _copied(self, store: EntityStorage, name: str) -> list[Any]:
        """Return the entities of a table that was copied."""
        with self._source.reading() as conn:
            ids = TableCopy(conn, self._kinds, AT_A_TIME, None, self._source).ids(name)
        return store.get_many(ids)


class TableCopy:
    """Copies one database into a store, those a row leads to first.

    Parameters
    ----------
    conn, kinds
        The database.
    size
        How many rows are made at a time.
    limit
        How many may be made at once, where that has to be.
    source
        Of which each of these is a call of its own.
    """

    def __init__(
        self,
        conn: sa.Connection,
        kinds: TableKinds,
        size: int,
        limit: int | None,
        source: DatabaseSource,
    ) -> None:
        self.conn, self.kinds, self.size, self.limit = conn, kinds, size, limit
        self.source = source
        self.rows = kinds.rows(conn)
        self.schema = self.rows.schema
        self.made: Made = kinds.made
        self.fits = kinds.fits(conn, self.schema.tables)
        self._uniques = uniques_of(conn, self.schema)

    def into(self, store: EntityStorage) -> dict[str, int]:
        """Register all rows of all tables; return how many each has.

        Notes
        -----
        Of tables whose keys make a cycle, rows come first without the keys that close it, and then
        once more with them. Where none of these may be empty, they are made at once.
        """
        counts = dict.fromkeys(self.schema.tables, 0)
        graph = table_graph(self.schema)
        parts = {name: part for part in graph.cyclic_components() for name in part}
        order, odd, done = graph.get_topological_sort(), self._odd(), set[str]()
        for name in order:
            if name in done:
                continue
            tables = [other for other in order if other in parts.get(name, [name])]
            done.update(tables)
            late = self._late(tables)
            if not odd.isdisjoint(tables):
                found = EntityMaking(self.conn, self.kinds, self.limit).everything(tables)
                store.register([e for table in tables for e in found[table]], progress=False)
                counts |= {table: len(found[table]) for table in tables}
            elif late and (self._is_small(tables) or self._has_to_be_held(late)):
                counts |= self._at_once(store, tables)
            else:
                counts |= self._twice(store, tables, late)
        return counts

    def ids(self, name: str) -> list[UUID]:
        """Return the ids of a table's rows, in its order."""
        table = self.schema.tables[name]
        seen: dict[str, int] = {}
        as_listed = table.located in ("key", "row id")
        parts = self.rows.stream_linked(table, [], self._texts, self.size, ordered=as_listed)
        return [i for told, _ in parts for i in row_ids(table, told, len(told[0]), seen)]

    def _save(self, store: EntityStorage, batch: list[Any]) -> None:
        self.source.rest()
        if batch:
            store.register(batch, hops=0, progress=False)
        self.source.go_on()

    # -- tables that lead to each other ------------------------------------------------------

    def _odd(self) -> set[str]:
        """Return the tables that no statement reads with what they lead to."""
        found = set()
        for name, table in self.schema.tables.items():
            keys = [key for key in self.made.references if key.table == name]
            width = len(table.columns) + sum(len(self._led_to(key)) for key in keys)
            numbered = {"number"} & {self.schema.tables[n].located for n in _ends(keys)}
            if (
                len(keys) > _JOINED
                or (keys and width > _WIDEST)
                or (numbered and self._is_unclear(keys))
            ):
                found.add(name)
        return found

    def _is_unclear(self, keys: Iterable[ForeignKey]) -> bool:
        """Tell whether a key may lead to several rows: on SQLite, also one to unique columns."""
        return any(
            self.conn.dialect.name == "sqlite"
            or not any(u and {*u} <= {*key.target_columns} for u in self._uniques[key.target])
            for key in keys
        )

    def _late(self, tables: list[str]) -> set[ForeignKey]:
        """Return the keys that lead from a table to itself or to a later one of these."""
        place = {name: number for number, name in enumerate(tables)}
        return {
            key
            for key in self.made.references
            if key.table in place and place.get(key.target, -1) >= place[key.table]
        }

    def _is_small(self, tables: list[str]) -> bool:
        return sum(map(self.rows.count, tables)) <= self.size

    def _has_to_be_held(self, keys: Iterable[ForeignKey]) -> bool:
        """Tell whether an entity cannot be without what one of some keys leads to."""
        fields = ((self.made.classes[k.table].model_fields, self.made.references[k]) for k in keys)
        return any(known[name].is_required() for known, name in fields)

    def _at_once(self, store: EntityStorage, tables: list[str]) -> dict[str, int]:
        found = {name: [e for b in self._batches(name) for e in b] for name in tables}
        known = {entity.ecs_id: entity for made in found.values() for entity in made}
        for key, field in self.made.references.items():
            if key.table in found and key.target in found:
                states: list[dict[str, Any]] = [vars(entity) for entity in found[key.table]]
                for state in states:
                    if state[field] is not None:
                        state[field] = known[state[field].ecs_id]
        self._save(store, list(known.values()))
        return {name: len(made) for name, made in found.items()}

    def _twice(
        self, store: EntityStorage, tables: list[str], late: set[ForeignKey]
    ) -> dict[str, int]:
        """Register rows without what late keys lead to, and then once more with it.

        Who is stored already waits, as without that it would be changed.
        """
        counts, waiting = dict.fromkeys(tables, 0), set[str]()
        fields = {n: [self.made.references[k] for k in late if k.table == n] for n in tables}
        for name in tables:
            for batch in self._batches(name, late):
                counts[name] += len(batch)
                new = _new(store, batch) if fields[name] else batch
                if len(new) < len(batch):
                    waiting.add(name)
                self._save(store, new)
        for name in (name for name in tables if fields[name]):
            for batch in self._batches(name):
                states = map(vars, batch)
                linked = [any(state[f] is not None for f in fields[name]) for state in states]
                self._save(store, batch if name in waiting else list(compress(batch, linked)))
        return counts

    # -- entities ----------------------------------------------------------------------------

    def _batches(self, name: str, late: Iterable[ForeignKey] = ()) -> Iterator[list[Any]]:
        """Yield the entities of a table; what they hold only stands for what is stored.

        What `late` keys lead to is left out.
        """
        table, fits = self.schema.tables[name], self.fits[name]
        every = [key for key in self.made.references if key.table == name]
        keys = [key for key in every if key not in late]
        missing = [self.made.references[key] for key in every if key in late]
        fields = [self.made.fields[name][column.name] for column in table.columns]
        names = [*_OWN, *fields, *(self.made.references[key] for key in keys), *missing]
        cls = self.made.classes[name]
        led_to = [(key, self._led_to(key)) for key in keys]
        with closing(_OnDisk()) as seen:
            unclear = self._is_unclear(keys)
            for stored, targets in self.rows.stream_linked(
                table, led_to, self._texts, self.size, ordered=unclear
            ):
                values = [fit.values(column) for fit, column in zip(fits, stored, strict=True)]
                ids = row_ids(table, stored, len(stored[0]), seen)
                batch = shells(cls, ids)
                known = {name: dict(zip(ids, batch, strict=True))}
                held = [
                    self._held(key, led, known.setdefault(key.target, {}))
                    for key, led in zip(keys, targets, strict=True)
                ]
                nothing = [[None] * len(ids)] * len(missing)
                fill_all(cls, batch, names, [*_own(ids), *values, *held, *nothing])
                yield batch

    def _texts(self, name: str) -> set[str]:
        columns = self.schema.tables[name].columns
        return {c.name for c, fit in zip(columns, self.fits[name], strict=True) if fit.as_text}

    def _led_to(self, key: ForeignKey) -> Sequence[str]:
        """Return the columns that tell the id of a row to which a key leads."""
        table = self.schema.tables[key.target]
        optional = {c.name for c in table.columns if c.nullable} - {*key.target_columns}
        if table.primary_key and optional.isdisjoint(table.primary_key):
            return table.primary_key
        return [column.name for column in table.columns]

    def _held(self, key: ForeignKey, led_to: list[list[Any]], known: dict[UUID, Any]) -> list[Any]:
        """Return what stands for the row that each row leads to, None where there is none.

        By its id it is `known`, which is filled.
        """
        cls, table = self.made.classes[key.target], self.schema.tables[key.target]
        names = self._led_to(key)
        by_key = names is table.primary_key
        at = [n for n, name in enumerate(names) if by_key or name in key.target_columns]
        rows = list(zip(*led_to, strict=True))
        told = [None if None in [row[n] for n in at] else repr(row) for row in rows]
        rows_by = {text: row for text, row in zip(told, rows, strict=True) if text is not None}
        ids = dict(zip(rows_by, _ids(table, names, list(rows_by.values())), strict=True))
        new = [ecs_id for ecs_id in dict.fromkeys(ids.values()) if ecs_id not in known]
        made = shells(cls, new)
        rest = [name for name in cls.model_fields if name not in _OWN]
        nothing = [None] * len(new)
        fill_all(cls, made, [*_OWN, *rest], [*_own(new), *(nothing for _ in rest)])
        known.update(zip(new, made, strict=True))
        return [None if text is None else known[ids[text]] for text in told]


def _new(store: EntityStorage, batch: list[Any]) -> list[Any]:
    """Return those of some entities that are not stored."""
    if isinstance(store, AskingStorage):
        known = store.inside.stored_versions([entity.ecs_id for entity in batch])
        return [entity for entity in batch if entity.ecs_id not in known]
    return [entity for entity in batch if not store.has_entity(entity.ecs_id)]


def _ends(keys: Iterable[ForeignKey]) -> set[str]:
    return {name for key in keys for name in (key.table, key.target)}


def _ids(table: ForeignTable, names: Sequence[str], rows: list[tuple[Any, ...]]) -> list[UUID]:
    """Return the ids of different rows of a table, by their key or by all that they hold."""
    if names is table.primary_key:
        return key_ids(table, rows)
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return row_ids(table, columns, len(rows))


class _OnDisk:
    """Numbers by texts, as many as there are: SQLite keeps the most of them in a file."""

    def __init__(self) -> None:
        self._conn = sqlite3.connect("", isolation_level=None)
        self._conn.execute("CREATE TABLE n (t TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID")
        self._conn.execute("BEGIN")
        self.close = self._conn.close

    def get(self, text: str, default: int) -> int:
        found = self._conn.execute("SELECT n FROM n WHERE t = ?", (text,)).fetchone()
        return default if found is None else int(found[0])

    def __setitem__(self, text: str, number: int) -> None:
        self._conn.execute("INSERT OR REPLACE INTO n VALUES (?, ?)", (text, number))


_OWN: Final = ("ecs_id", "lineage_id", "parent_id", "version")


def _own(ids: Sequence[UUID]) -> list[list[Any]]:
    """Return what entities that nobody has stored yet say of themselves, by column."""
    return [list(ids), list(ids), [None] * len(ids), [0] * len(ids)]
