"""A database into a store, table by table, in the memory of some thousand rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from ecsviz.domain.objects import fill_all, shells
from ecsviz.importers.database.classes import Made
from ecsviz.importers.database.graphs import table_graph
from ecsviz.importers.database.kinds import TableKinds
from ecsviz.importers.database.making import EntityMaking, key_id, row_ids
from ecsviz.importers.database.schema import ForeignKey, ForeignSchema
from ecsviz.storage.protocol import EntityStorage


def whole_tables(schema: ForeignSchema) -> set[str]:
    """Return the tables of which all rows must be made at once.

    Those in a cycle of keys: which of their rows comes first, only the rows tell. And those with a
    key to columns that are no primary key: it does not say by itself which row is meant.
    """
    found = {name for part in table_graph(schema).cyclic_components() for name in part}
    for key in schema.sound_keys:
        if set(key.target_columns) != set(schema.tables[key.target].primary_key):
            found.add(key.table)
    return found


class TableCopy:
    """Copies one database into a store, those a row leads to first.

    Parameters
    ----------
    conn, schema, kinds
        The database.
    size
        How many rows are made at a time.
    go_on
        Is called for each of these.
    """

    def __init__(
        self,
        conn: sa.Connection,
        schema: ForeignSchema,
        kinds: TableKinds,
        size: int,
        go_on: Callable[[], None],
    ) -> None:
        self.conn, self.schema, self.kinds, self.size = conn, schema, kinds, size
        self.go_on = go_on
        self.rows = kinds.rows(conn)
        self.made: Made = kinds.made
        self.fits = kinds.fits(conn, schema.tables)

    def into(self, store: EntityStorage) -> dict[str, int]:
        """Register all rows of all tables; return how many each has."""
        whole = whole_tables(self.schema)
        graph = table_graph(self.schema)
        together = {name: part for part in graph.cyclic_components() for name in part}
        counts = dict.fromkeys(self.schema.tables, 0)
        done: set[str] = set()
        for name in (name for part in graph.generations() for name in part):
            if name in done:
                continue
            if name in whole:
                tables = together.get(name, [name])
                made = EntityMaking(self.conn, self.kinds, None).everything(tables)
                store.register([one for table in tables for one in made[table]], progress=False)
                counts |= {table: len(made[table]) for table in tables}
                done.update(tables)
            else:
                for batch in self._batches(name):
                    store.register(batch, hops=0, progress=False)
                    counts[name] += len(batch)
                    self.go_on()
        return counts

    def _batches(self, name: str) -> Iterator[list[Any]]:
        """Yield the entities of a table; what they hold only stands for what is stored."""
        table, fits = self.schema.tables[name], self.fits[name]
        keys = [key for key in self.made.references if key.table == name]
        fields = [self.made.fields[name][column.name] for column in table.columns]
        names = [*_OWN, *fields, *(self.made.references[key] for key in keys)]
        cls, seen = self.made.classes[name], dict[str, int]()
        for stored, targets in self.rows.stream_linked(table, keys, self._texts, self.size):
            values = [fit.values(column) for fit, column in zip(fits, stored, strict=True)]
            ids = row_ids(table, stored, len(stored[0]), seen)
            held = [self._held(key, led_to) for key, led_to in zip(keys, targets, strict=True)]
            batch = shells(cls, ids)
            fill_all(cls, batch, names, [*_own(ids), *values, *held])
            yield batch

    def _texts(self, name: str) -> set[str]:
        columns = self.schema.tables[name].columns
        return {c.name for c, fit in zip(columns, self.fits[name], strict=True) if fit.as_text}

    def _held(self, key: ForeignKey, led_to: list[list[Any]]) -> list[Any]:
        """Return what stands for the row that each row leads to, None where there is none."""
        cls, table = self.made.classes[key.target], self.schema.tables[key.target]
        ids = [None if None in row else key_id(table, row) for row in zip(*led_to, strict=True)]
        different = list(dict.fromkeys(ecs_id for ecs_id in ids if ecs_id is not None))
        made = shells(cls, different)
        rest = [name for name in cls.model_fields if name not in _OWN]
        nothing = [None] * len(different)
        fill_all(cls, made, [*_OWN, *rest], [*_own(different), *(nothing for _ in rest)])
        known = dict(zip(different, made, strict=True))
        return [None if ecs_id is None else known[ecs_id] for ecs_id in ids]


_OWN: Final = ("ecs_id", "lineage_id", "parent_id", "version")


def _own(ids: Sequence[UUID]) -> list[list[Any]]:
    """Return what entities that nobody has stored yet say of themselves, by column."""
    return [list(ids), list(ids), [None] * len(ids), [0] * len(ids)]
