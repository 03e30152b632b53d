"""A database into a store, table by table, in the memory of some thousand rows."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import cached_property, partial
from itertools import compress
from typing import Any, Final, overload
from uuid import UUID

import numpy as np
import sqlalchemy as sa

from ecsviz.basics.arguments import text_or_none
from ecsviz.basics.text import counted
from ecsviz.domain.objects import fill_all, shells
from ecsviz.errors import GraphTooLargeError
from ecsviz.importers.database.classes import Made
from ecsviz.importers.database.graphs import table_graph
from ecsviz.importers.database.kinds import TableKinds
from ecsviz.importers.database.making import MAX_ENTITIES, EntityMaking, key_ids, row_ids
from ecsviz.importers.database.options import checked_chunks, checked_store, most_rows
from ecsviz.importers.database.picture import uniques_of
from ecsviz.importers.database.schema import ForeignKey, ForeignTable
from ecsviz.importers.database.source import DatabaseSource
from ecsviz.importers.database.values import Fit
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
        return f"<{counted(self._count, 'entity')}, read from the store when they are asked for>"


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
            As in `entities`; it is counted before a row is read. With `chunks`, how many rows may
            be held where they have to be.
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

        Tables come in topological order, in the memory of a chunk. Where keys make a cycle, or lead
        from a table to itself, rows are written without what is not written yet, and once more with
        it. Where no key of a cycle may be NULL, none of its rows can be written before the others:
        they are held, as many as `max_entities`.

        Raises
        ------
        GraphTooLargeError
            If there are more rows than `max_entities`; with `chunks`, if as many have to be held.
            It is told before a row is read, but for a table whose own rows wait for each other.
        """
        store = checked_store(store)
        told = text_or_none(note, "note") or f"copied from {self.name}"
        max_entities = most_rows(max_entities, "max_entities")
        size = AT_A_TIME if chunks is None else checked_chunks(chunks)
        with self._source.reading() as conn:
            making = EntityMaking(conn, self._kinds, max_entities)
            if chunks is None and making.count_all() <= AT_ONCE:
                found = making.everything()
                everyone = [entity for entities in found.values() for entity in entities]
                store.register(everyone, note=told)
                return found
        with self._source.reading() as conn:
            TableCopy(conn, self._kinds, size, max_entities, self._source).check_size()
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
        self._uniques = uniques_of(conn, self.schema)

    @cached_property
    def fits(self) -> dict[str, list[Fit]]:
        """Table → how its columns are given, as all of its rows say."""
        return self.kinds.fits(self.conn, self.schema.tables)

    def check_size(self) -> None:
        """Raise GraphTooLargeError if more rows have to be held than may be."""
        odd = self._odd()
        for tables in self._parts() if self.limit is not None else ():
            keys = [key for key in self._late(tables) if key.table != key.target]
            why = "no statement reads so many columns with what their keys lead to"
            if odd.isdisjoint(tables):
                paths = [f"{key.table}.{key.path}" for key in keys if self._is_held(key)]
                why = f"keys make a cycle, of which none may be NULL ({', '.join(paths)})"
                if not paths:
                    continue
            count = sum(map(self.rows.count, tables))
            if self.limit is not None and count > self.limit:
                raise _too_many(tables, count, self.limit, why)

    def into(self, store: EntityStorage) -> dict[str, int]:
        """Register all rows of all tables; return how many each has."""
        counts = dict.fromkeys(self.schema.tables, 0)
        odd = self._odd()
        for tables in self._parts():
            if odd.isdisjoint(tables):
                counts |= self._joined(store, tables)
                continue
            found = EntityMaking(self.conn, self.kinds, self.limit).everything(tables)
            store.register([e for table in tables for e in found[table]], progress=False)
            counts |= {table: len(found[table]) for table in tables}
        return counts

    def _parts(self) -> list[list[str]]:
        """Return the tables, those first to which others lead, with those that make a cycle."""
        graph = table_graph(self.schema)
        parts = {name: part for part in graph.cyclic_components() for name in part}
        order, done, found = graph.get_topological_sort(), set[str](), list[list[str]]()
        for name in order:
            if name not in done:
                found.append([other for other in order if other in parts.get(name, [name])])
                done.update(found[-1])
        return found

    def ids(self, name: str) -> list[UUID]:
        """Return the ids of a table's rows, in its order."""
        table = self.schema.tables[name]
        seen: dict[str, int] = {}
        as_listed = table.located in ("key", "row id")
        parts = self.rows.stream_linked(table, [], self._texts, self.size, ordered=as_listed)
        return [i for told, _ in parts for i in row_ids(table, told, len(told[0]), seen)]

    def _save(self, store: EntityStorage, batch: list[Any]) -> None:
        if batch:
            with self.source.resting():
                store.register(batch, hops=0, progress=False)

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

    def _leading(self, to: set[Any], tables: list[str]) -> set[ForeignKey]:
        """Return the keys of tables that lead to some classes."""
        keys = (key for key in self.made.references if key.table in tables)
        return {key for key in keys if self.made.classes[key.target] in to}

    def _is_held(self, key: ForeignKey) -> bool:
        """Tell whether an entity cannot be without what a key leads to."""
        field = self.made.references[key]
        return bool(self.made.classes[key.table].model_fields[field].is_required())

    def _joined(self, store: EntityStorage, tables: list[str]) -> dict[str, int]:
        """Register the rows of tables that lead to each other, if they are several.

        First without what is not stored yet, and those once more with it. Who cannot be without
        waits until all are there, as do those who are stored, and would be changed.
        """
        counts, cut, held = dict.fromkeys(tables, 0), dict[str, _Marks](), list[Any]()
        late = self._late(tables)
        for name in tables:
            late |= self._leading({type(one) for one in held}, tables)
            of = [key for key in late if key.table == name]
            needed = [self.made.references[key] for key in of if self._is_held(key)]
            others = [self.made.references[key] for key in of if not self._is_held(key)]
            cut[name] = _Marks()
            for batch in self._batches(name):
                counts[name] += len(batch)
                if not of:
                    self._save(store, batch)
                    continue
                waiting = _SortedOut(store, batch, needed, others)
                self._save(store, waiting.ready)
                cut[name].add(waiting.cut)
                held += waiting.held
                if self.limit is not None and len(held) > self.limit:
                    why = f"keys of {name} that may not be NULL lead to rows further on"
                    raise _too_many(tables, len(held), self.limit, why)
        self._save(store, self._among_themselves(held, late))
        for name in (name for name in tables if cut[name]):
            for batch in self._batches(name):
                self._save(store, list(compress(batch, cut[name].among(batch))))
        return counts

    def _among_themselves(self, held: list[Any], late: Iterable[ForeignKey]) -> list[Any]:
        """Let entities that waited hold each other, instead of what stands for them."""
        known = {entity.ecs_id: entity for entity in held}
        for key in late:
            cls, field = self.made.classes[key.table], self.made.references[key]
            states: Iterator[dict[str, Any]] = (vars(one) for one in held if type(one) is cls)
            for state in states:
                if state[field] is not None:
                    state[field] = known.get(state[field].ecs_id, state[field])
        return held

    # -- entities ----------------------------------------------------------------------------

    def _batches(self, name: str) -> Iterator[list[Any]]:
        """Yield the entities of a table; what they hold only stands for what is stored."""
        table, fits = self.schema.tables[name], self.fits[name]
        keys = [key for key in self.made.references if key.table == name]
        fields = [self.made.fields[name][column.name] for column in table.columns]
        names = [*_OWN, *fields, *(self.made.references[key] for key in keys)]
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
                fill_all(cls, batch, names, [*_own(ids), *values, *held])
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


class _SortedOut:
    """What of a batch can be registered, and what not yet, as what it leads to is not stored.

    Parameters
    ----------
    store, batch
        The entities, and where they go.
    needed, others
        Fields that lead to what may not be stored: that must not be empty, and that may.

    Attributes
    ----------
    ready
        Who can be registered now; what is not stored is left out.
    cut
        Of whom something is left out, or would be, if they were not stored already.
    held
        Who has to wait until all are there.
    """

    def __init__(
        self,
        store: EntityStorage,
        batch: list[Any],
        needed: Sequence[str],
        others: Sequence[str],
    ) -> None:
        self.ready, self.cut, self.held = batch, list[Any](), list[Any]()
        here = {entity.ecs_id for entity in batch}
        states: list[dict[str, Any]] = [vars(entity) for entity in batch]
        fields = [*needed, *others]
        led = {state[f].ecs_id for state in states for f in fields if state[f] is not None}
        self._there = here | _stored(store, led - here)
        if led <= self._there:
            return
        if needed:
            self._hold(batch, needed)
        rest = [entity for entity in batch if entity.ecs_id in self._there]
        self.cut = [e for e in rest if any(self._is_missing(e, f) for f in others)]
        stored = _stored(store, {entity.ecs_id for entity in self.cut})
        for entity in self.cut:
            vars(entity).update((f, None) for f in others if self._is_missing(entity, f))
        self.ready = [e for e in rest if e.ecs_id not in stored] if stored else rest

    def _is_missing(self, entity: Any, field: str) -> bool:
        held = vars(entity)[field]
        return held is not None and held.ecs_id not in self._there

    def _hold(self, batch: list[Any], needed: Sequence[str]) -> None:
        """Hold who cannot be without what is not there, and who cannot be without them."""
        by: dict[UUID, list[Any]] = {}  # who cannot be without whom
        for entity in batch:
            led = {vars(entity)[field] for field in needed}
            for one in led - {None}:
                by.setdefault(one.ecs_id, []).append(entity)
        queue = [e for e in batch if any(self._is_missing(e, f) for f in needed)]
        known = {entity.ecs_id for entity in queue}
        for entity in queue:
            self.held.append(entity)
            self._there.discard(entity.ecs_id)
            for other in by.get(entity.ecs_id, ()):
                if other.ecs_id not in known:
                    known.add(other.ecs_id)
                    queue.append(other)


def _too_many(tables: Sequence[str], count: int, limit: int, why: str) -> GraphTooLargeError:
    names = " and ".join(filter(None, (", ".join(tables[:-1][:5]), tables[-1])))
    return GraphTooLargeError(
        f"More than {counted(limit, 'row')} of {names} have to be in memory at once"
        f" ({count:,}): {why}."
        " Allow that with max_entities= (some kilobyte a row; None for any number), or copy from a"
        " database where one of these keys may be NULL.",
        limit=limit,
        rows=count,
    )


def _stored(store: EntityStorage, ids: set[UUID]) -> set[UUID]:
    """Return those of some ids of which there is an entity."""
    if isinstance(store, AskingStorage):
        return set(store.inside.stored_versions(list(ids)))
    return {ecs_id for ecs_id in ids if store.has_entity(ecs_id)}


class _Marks:
    """Entities, in eight bytes each: now and then another is taken for one of them."""

    def __init__(self) -> None:
        self._added = array("Q")
        self._sorted: Any = None

    def __bool__(self) -> bool:
        return bool(self._added)

    def add(self, entities: Iterable[Any]) -> None:
        """Take note of some."""
        self._added.extend(map(_mark, entities))

    def among(self, entities: Iterable[Any]) -> list[bool]:
        """Tell of each whether it is one of those; nothing is added then."""
        if self._sorted is None:
            self._sorted = np.sort(np.frombuffer(self._added, dtype=np.uint64))
        asked = np.fromiter(map(_mark, entities), dtype=np.uint64)
        at = np.searchsorted(self._sorted, asked)
        found: list[bool] = (self._sorted[at % len(self._sorted)] == asked).tolist()
        return found


def _mark(entity: Any) -> int:
    return int(entity.ecs_id.int & _LOW)


_LOW: Final = 2**64 - 1


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
