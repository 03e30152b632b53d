"""Rows → entities: their ids, their values, and what they hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from json.encoder import encode_basestring_ascii
from typing import Any, Final, Protocol, TypeAlias
from uuid import UUID, uuid5

from sqlalchemy.engine import Connection

from ecsviz.basics.garbage import collector_paused
from ecsviz.basics.ids import named_ids
from ecsviz.basics.text import counted
from ecsviz.domain.objects import fill, shell
from ecsviz.errors import GraphTooLargeError
from ecsviz.importers.database.classes import name_fields
from ecsviz.importers.database.conditions import Where
from ecsviz.importers.database.kinds import TableKinds
from ecsviz.importers.database.lacking import PARSERS, from_text
from ecsviz.importers.database.rows import Locator
from ecsviz.importers.database.schema import ForeignColumn, ForeignKey, ForeignTable, as_text
from ecsviz.importers.database.values import from_json, read_within

NAMESPACE: Final = UUID("5a1c9a52-64cf-4d53-9a3c-3f0d1f7a6a2e")
"""The UUIDv5 namespace of rows. Never change it: stored rows would not be found."""
MAX_ENTITIES: Final = 1_000_000
"""How many entities are made at the most: about a gigabyte."""
_ROUNDS: Final = 12
"""How often rows of one table are looked for that others refer to, before the keys are read as a
whole: a chain of rows must not cost a statement for each."""


class EntityMaking:
    """Makes the entities of some rows, with all that they lead to.

    Parameters
    ----------
    conn, kinds
        Where they are, how their columns are given, and their classes.
    limit
        How many entities there may be; None for any number.
    """

    def __init__(
        self,
        conn: Connection,
        kinds: TableKinds,
        limit: int | None,
    ) -> None:
        self.rows = kinds.rows(conn)
        self.schema = self.rows.schema
        self.kinds = kinds
        self.limit = limit
        self.fields, self.references = name_fields(self.schema)
        self._wanted: dict[str, dict[Locator, None]] = {}
        self._links: dict[ForeignKey, dict[Locator, Locator]] = {}
        self._whole = False

    def everything(self, tables: Iterable[str] | None = None) -> dict[str, list[Any]]:
        """Return table → entities, of all rows of some tables and of those that they lead to.

        None means all tables. What is too much is told before the rows are read.
        """
        self._whole = True
        chosen = self.schema.tables if tables is None else tables
        names = list(dict.fromkeys(n for name in chosen for n in self.schema.led_to(name)))
        self.count_all(names)
        for name in names:
            self._want(name, self.rows.find(name, limit=self._most()).locators)
        for key in self.references:
            if key.table in self._wanted:
                self._follow(key, None)
        return self._entities()

    def count_all(self, tables: Iterable[str] | None = None) -> int:
        """Return how many rows tables have, all by default; raise if they are too many."""
        count = sum(map(self.rows.count, self.schema.tables if tables is None else tables))
        if self.limit is not None and count > self.limit:
            raise GraphTooLargeError(
                f"More than {counted(self.limit, 'row')} would become entities: {count:,}. Copy"
                " them some thousand at a time (chunks=), or allow more with max_entities=;"
                " max_entities=None allows any number.",
                limit=self.limit,
                rows=count,
            )
        return count

    def some(self, table: str, where: Where, limit: int | None) -> list[Any]:
        """Return the entities of one table's rows, connected to all that they lead to."""
        most = self._most()
        if limit is not None:
            most = limit if most is None else min(limit, most)
        first = self.rows.find(table, where, most).locators
        fresh = {table: self._want(table, first)}
        rounds: dict[str, int] = {}  # table -> how often rows of it were new
        while any(fresh.values()):
            for name, new in fresh.items():
                rounds[name] = rounds.get(name, 0) + bool(new)
            if max(rounds.values()) > _ROUNDS:
                self._rest(fresh)
                break
            following: dict[str, list[Locator]] = {}
            for key in self.references:
                if fresh.get(key.table):
                    targets = self._follow(key, fresh[key.table])
                    following.setdefault(key.target, []).extend(self._want(key.target, targets))
            fresh = following
        entities = self._entities()[table]
        return entities[: len(first)]

    def _most(self) -> int | None:
        return None if self.limit is None else self.limit + 1

    # -- which rows --------------------------------------------------------------------------

    def _want(self, table: str, locators: Sequence[Locator]) -> list[Locator]:
        known = self._wanted.setdefault(table, {})
        new = [locator for locator in dict.fromkeys(locators) if locator not in known]
        known.update(dict.fromkeys(new))
        self._check_size(table)
        return new

    def _check_size(self, table: str) -> None:
        count = sum(map(len, self._wanted.values()))
        if self.limit is not None and count > self.limit:
            raise GraphTooLargeError(
                f"More than {counted(self.limit, 'row')} would become entities. Take fewer (limit=,"
                " where=), look at them without making them (row_graph, frame), or allow more"
                " with max_entities=; max_entities=None allows any number.",
                limit=self.limit,
                table=table,
            )

    def _follow(self, key: ForeignKey, sources: Sequence[Locator] | None) -> list[Locator]:
        linked, met = self.rows.links(key, sources)
        links = self._links.setdefault(key, {})
        for source, target in zip(linked, met.locators, strict=True):
            links.setdefault(source, target)
        return met.locators

    def _rest(self, fresh: Mapping[str, list[Locator]]) -> None:
        """Find all rows that others lead to, from the keys read as a whole."""
        tables: dict[str, None] = {}
        for name in fresh:
            tables.update(dict.fromkeys(self.schema.led_to(name)))
        keys = [key for key in self.references if key.table in tables]
        for key in keys:
            self._follow(key, None)
        queue = [(name, locator) for name, found in fresh.items() for locator in found]
        outgoing: dict[str, list[ForeignKey]] = {}
        for key in keys:
            outgoing.setdefault(key.table, []).append(key)
        for name, locator in queue:
            for key in outgoing.get(name, ()):
                target = self._links[key].get(locator)
                if target is not None and self._want_one(key.target, target):
                    queue.append((key.target, target))
        self._check_size(next(iter(fresh)))

    def _want_one(self, table: str, locator: Locator) -> bool:
        known = self._wanted.setdefault(table, {})
        if locator in known:
            return False
        known[locator] = None
        return True

    # -- entities ----------------------------------------------------------------------------

    def _entities(self) -> dict[str, list[Any]]:
        with collector_paused():
            read = {name: self._states(name, wanted) for name, wanted in self._wanted.items()}
            self.kinds.met_dangling(self._dangling(read))
            made = self.kinds.made
            entities = {
                name: {
                    locator: shell(made.classes[name], state["ecs_id"])
                    for locator, state in states.items()
                }
                for name, states in read.items()
            }
            for key, field in self.references.items():
                if key.table in entities:
                    links, there = self._links.get(key, {}), entities.get(key.target, {})
                    for locator, state in read[key.table].items():
                        state[field] = there.get(links.get(locator))
            for name, held in entities.items():
                fields = set(made.classes[name].model_fields)
                for locator, entity in held.items():
                    fill(entity, read[name][locator], set(fields))
        return {
            name: [found[at] for at in self._wanted[name] if at in found]
            for name, found in entities.items()
        }

    def _dangling(self, read: Mapping[str, _States]) -> set[ForeignKey]:
        """Return the keys by which a row that was read names one that is not there."""
        found = set()
        for key in self.references:
            if key.table in read:
                links = self._links.get(key, {})
                fields = [self.fields[key.table][column] for column in key.columns]
                for locator, state in read[key.table].items():
                    if locator not in links and None not in [state[field] for field in fields]:
                        found.add(key)
                        break
        return found

    def _states(self, name: str, wanted: dict[Locator, None]) -> _States:
        table = self.schema.tables[name]
        columns = [column.name for column in table.columns]
        located: list[Locator] = []

        def read(more: Collection[str] = ()) -> list[list[Any]]:
            nonlocal located
            texts = {n for n, fit in zip(columns, fits, strict=True) if fit.as_text} | set(more)
            located, found = self.rows.values(name, None if self._whole else list(wanted), texts)
            return found

        conn = self.rows.conn
        stored: list[list[Any]] = []
        values: list[list[Any]] | None = None
        fits, whole = self.kinds.fits_told(conn, name)
        if not whole:
            stored, values = read_within(conn, table, fits, read)
        if values is None:  # what was read does not fit, or nothing was read
            fits = self.kinds.fits(conn, [name])[name]
            stored = read()
            values = [fit.values(column) for fit, column in zip(fits, stored, strict=True)]
        ids = row_ids(table, stored, len(located))  # as stored: how they fit is no part of it
        names = [self.fields[name][column] for column in columns]
        states: dict[Locator, dict[str, Any]] = {}
        rows = zip(*values, strict=True)
        for locator, ecs_id, row in zip(located, ids, rows, strict=True):
            own = {"ecs_id": ecs_id, "lineage_id": ecs_id, "parent_id": None, "version": 0}
            states[locator] = own | dict(zip(names, row, strict=True))
        return states


_States: TypeAlias = "dict[Locator, dict[str, Any]]"
"""Rows of one table, by locator."""


# -- ids -------------------------------------------------------------------------------------


class Counts(Protocol):
    """How often something was met, by a text; a dictionary, for one."""

    def get(self, text: str, default: int, /) -> int:
        """Return how often, as far as anything was met."""

    def __setitem__(self, text: str, number: int, /) -> None: ...


def row_ids(
    table: ForeignTable,
    values: Sequence[Sequence[Any]],
    count: int,
    seen: Counts | None = None,
) -> list[UUID]:
    """Return the ``ecs_id`` of every row.

    Parameters
    ----------
    table
        Their table.
    values
        Its columns, as the driver gives them.
    count
        How many rows there are.
    seen
        How often the rows before had the same values; filled.

    Notes
    -----
    UUIDv5 of the table's name and the values of the primary key. Without one: of all values,
    and of how many rows with the same values come before. The same in every reading, and in
    every copy of the database.
    """
    values = [_read(column, stored) for column, stored in zip(table.columns, values, strict=True)]
    place = {column.name: number for number, column in enumerate(table.columns)}
    keys = [values[place[name]] for name in table.primary_key]
    parts: list[tuple[Any, ...]] = list(zip(*keys, strict=True)) if keys else [()] * count
    seen = dict[str, int]() if seen is None else seen
    if keys and not any(None in column for column in keys):
        return _numbered(table, key_ids(table, parts), seen)
    texts = []
    for number, key in enumerate(parts):
        if key and None not in key:
            texts.append(json.dumps([table.name, "key", *map(told_key, key)]))
            continue
        content = json.dumps([told_key(column[number]) for column in values])
        digest = hashlib.sha256(content.encode()).hexdigest()
        times = seen[digest] = seen.get(digest, 0) + 1
        texts.append(json.dumps([table.name, "row", digest, times]))
    return named_ids(NAMESPACE, texts)


def _numbered(table: ForeignTable, ids: list[UUID], seen: Counts) -> list[UUID]:
    """Return ids, each of them once, where keys may look alike to Python.

    Two arrays of PostgreSQL differ if only their indices do, which no list has.
    """
    if not any(
        column.kind == "json" for column in table.columns if column.name in table.primary_key
    ):
        return ids
    numbered = []
    for ecs_id in ids:
        told = str(ecs_id)
        times = seen[told] = seen.get(told, 0) + 1
        numbered.append(ecs_id if times == 1 else uuid5(NAMESPACE, f"{told} {times}"))
    return numbered


def key_ids(table: ForeignTable, keys: Iterable[tuple[Any, ...]]) -> list[UUID]:
    """Return the ``ecs_id`` of the rows of primary keys, as the driver gives these."""
    start = json.dumps([table.name, "key"])[:-1]
    known = {column.name: column for column in table.columns}
    told = [known[name] for name in table.primary_key]
    if any(column.kind in PARSERS for column in told):
        columns = zip(told, zip(*keys, strict=True), strict=False)
        keys = zip(*(_read(column, stored) for column, stored in columns), strict=True)
    return named_ids(NAMESPACE, [f"{start}, {', '.join(map(_told, key))}]" for key in keys])


def _read(column: ForeignColumn, stored: Sequence[Any]) -> Sequence[Any]:
    """Return values as they are where no other of their column is one that Python lacks.

    Of such a column all are read as texts, and what a row is called does not depend on others.
    """
    if column.kind == "json" and column.asked is as_text:
        return [None if value is None else from_json(value) for value in stored]
    if column.kind not in PARSERS or column.sql_type is None or str not in set(map(type, stored)):
        return stored
    return list(map(from_text(column.kind), stored))


def _told(value: Any) -> str:
    """Return the JSON of a value of a key; of the usual ones, without an encoder for each."""
    if type(value) is int:
        return str(value)
    return encode_basestring_ascii(value) if type(value) is str else json.dumps(told_key(value))


def told_key(value: Any) -> Any:
    """Return a value as JSON tells it, different for different values."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, (bytes, memoryview)):
        return ["bytes", bytes(value).hex()]
    if isinstance(value, (datetime, date, time)):
        return ["time", value.isoformat()]
    if isinstance(value, (Decimal, UUID, timedelta)):
        return [type(value).__name__, str(value)]
    if isinstance(value, list):
        return ["list", *map(told_key, value)]
    if isinstance(value, dict):
        return ["dict", *([str(key), told_key(part)] for key, part in value.items())]
    return ["other", str(value)]
