"""A store filled from a graph's folder: rows again as they were, in one revision."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy.engine import Connection

from ecsviz.basics.addresses import short_path
from ecsviz.basics.files import local_folder
from ecsviz.basics.garbage import collector_paused
from ecsviz.basics.interrupts import deferred_interrupt
from ecsviz.basics.progress import step, steps
from ecsviz.errors import ImportFormatError, InvalidArgumentError
from ecsviz.storage.checks import check_note, differences, outdated
from ecsviz.storage.relational.save.checksums import recheck_rows
from ecsviz.storage.relational.schema.catalog import Catalog, find_class
from ecsviz.storage.relational.schema.class_maps import ClassMap, Collection, StoredType
from ecsviz.storage.relational.schema.history_tables import REVISION
from ecsviz.storage.relational.schema.seals import SEAL
from ecsviz.storage.relational.schema.stored_types import unknown_type
from ecsviz.storage.relational.store_upkeep import StoreUpkeep
from ecsviz.storage.saved import tell
from ecsviz.storage.scale.engines import DuckDBEngine
from ecsviz.storage.scale.layout import ClassPart
from ecsviz.storage.scale.tables import EDGES, Tables
from ecsviz.storage.scale.writing import values_of
from ecsviz.storage.sql.dialects import row_of
from ecsviz.storage.sql.statements import insert_rows
from ecsviz.values.codecs import Codec
from ecsviz.values.tagged_json import UNREADABLE, from_json

ROWS: Final = 2_000
"""How many rows are written at a time."""
MEMORY: Final = "1GB"
"""How much it may take; what DuckDB sorts and joins beyond its share is spilled."""


def from_parquet(
    store: StoreUpkeep,
    folder: str | os.PathLike[str],
    *,
    note: str | None = None,
    progress: bool | None = None,
) -> int:
    """Fill a store from a graph's folder; see ``StoreUpkeep.from_parquet``."""
    place, inside = local_folder(folder), store.inside
    check_note(note)
    inside.check_writable(alone="from_parquet()")
    engine = DuckDBEngine(MEMORY)
    try:
        tables = Tables.of_folder(engine, place, check=True)
        filling = _Filling(tables, engine, short_path(place))
        with steps("filling", progress), deferred_interrupt(), inside.database.turn():
            filling.known(inside.catalog.fork())  # before there is a file
            with collector_paused(), inside.writing() as conn:
                if not inside.is_made(conn):
                    inside.catalog.create(conn)
                catalog, next_ids = inside.found(conn)
                catalog = catalog.fork()
                maps = filling.known(catalog)
                with catalog.synced(conn, maps.values(), next_ids, any_order=True):
                    made = filling.write(conn, catalog, maps, note)

                def carried_out() -> None:
                    inside.catalog = catalog
                    catalog.carried_out(made)

                inside.after(conn, carried_out)
    finally:
        engine.close()
    tell(inside)
    return tables.counts["nodes"]


class _Filling:
    """One folder that is read into a store."""

    def __init__(self, tables: Tables, engine: DuckDBEngine, place: str) -> None:
        self.tables, self.engine, self.place = tables, engine, place
        self.parts = {part.name: part for part in tables.file.classes}

    def known(self, catalog: Catalog) -> dict[str, ClassMap]:
        """Map the classes of the folder, each field with keys to all that it holds there.

        Raises
        ------
        UnknownTypeError
            If a class is not defined here.
        SchemaOutdatedError
            If it has other fields than it had.
        InvalidArgumentError
            If the store holds entities of one already.
        """
        mapping = catalog.mapping
        classes = {}
        for part in self.tables.file.classes:
            told = StoredType(part.name, part.module, part.name, part.fields)
            cls = find_class(told)
            if cls is None:
                raise unknown_type(told)
            classes[part.name] = cls
        names = {name: mapping.type_name(cls) for name, cls in classes.items()}
        if taken := sorted(set(names.values()) & mapping.stored.keys()):
            raise InvalidArgumentError(
                f"{catalog.database} holds entities of {', '.join(taken[:5])} already. Fill a new"
                " store.",
                types=taken,
            )
        mapping.map_classes(classes.values())
        for kind in self.tables.file.references:
            source, target = names[kind.source], names[kind.target]
            arcs = mapping.by_type[source].arcs_of(kind.field)
            if arcs is not None and target not in arcs:
                mapping.add_arc(source, kind.field, target)
        maps = dict(zip(classes, mapping.map_classes(classes.values()), strict=True))
        for name, known in maps.items():
            lines = differences(self.parts[name].fields, mapping.models.describe(known.cls))
            if lines or known.by_hand:
                raise outdated(
                    known.cls,
                    lines or ["a hand-written model keeps its values"],
                    f"folder {self.place}",
                    "Define the class as it was written.",
                    table=known.table.name,
                )
        return maps

    def write(
        self, conn: Connection, catalog: Catalog, maps: dict[str, ClassMap], note: str | None
    ) -> tuple[int, bytes]:
        """Write all rows; return the number and the seal of the revision."""
        if row_of(conn).is_sqlite:  # elsewhere keys are made when the rows are there
            conn.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        revision = catalog.next_revision(conn)
        next_ids = {}
        for name, known in maps.items():
            step(f"rows of {known.table.name}")
            last = self._rows(conn, self.parts[name], known, maps, revision)
            next_ids[known.type_name] = last + 1
            for collection in known.collections:
                self._links(conn, self.parts[name], collection, maps, revision)
        for known in maps.values():
            step(f"checksums of {known.table.name}")
            last = next_ids[known.type_name]
            for start in range(1, last, ROWS):
                recheck_rows(conn, known, list(range(start, min(start + ROWS, last))))
        catalog.set_next_ids(conn, next_ids)
        added = self.tables.counts["nodes"]
        made = catalog.add_revision(conn, revision, note, added, 0, 0)
        catalog.seal(conn)
        return made

    # -- rows --------------------------------------------------------------------------------

    def _rows(
        self,
        conn: Connection,
        part: ClassPart,
        known: ClassMap,
        maps: dict[str, ClassMap],
        revision: int,
    ) -> int:
        """Write the entities of a class; return the highest row id."""
        c, table = known.table.c, self.tables.of_class[part.name]
        shown = {field: column for column, field in part.columns.items()}
        own = ("ecs_id", "ecs_lineage_id", "ecs_parent_id", "ecs_version", "ecs_exact")
        wanted = [f"n.node - {part.offset} AS row_id", *(f"n.{name}" for name in own)]
        columns: list[Any] = [c.id, *(c[name] for name in own)]
        reads: list[Codec | None] = [None] * len(columns)
        joins = ""
        for value in values_of(known):
            columns.append(value.column)
            reads.append(value.codec)
            if value.name not in shown:
                raise self._wrong(f"{part.name}.{value.name} has no column")
            wanted.append(f"n.{self.engine.name(shown[value.name])}")
        for number, ref in enumerate(known.singles):
            joins += (
                f" LEFT JOIN ({self._held(part, ref.name)}) s{number} ON s{number}.node = n.node"
            )
            for name, other in maps.items():
                if other.type_name in ref.arcs:
                    first, behind = self.tables.span_of(name)
                    wanted.append(
                        f"CASE WHEN s{number}.other > {first} AND s{number}.other <= {behind}"
                        f" THEN s{number}.other - {first} END"
                    )
                    columns.append(ref.arcs[other.type_name])
            if ref.position is not None:
                listed = (
                    "SELECT target AS node, max(position) AS position FROM"
                    f" {EDGES} WHERE field = {self.engine.text(ref.inverse or '')}"
                    " AND position IS NOT NULL GROUP BY target"
                )
                joins += f" LEFT JOIN ({listed}) p{number} ON p{number}.node = n.node"
                wanted.append(f"p{number}.position")
                columns.append(ref.position)
        sql = f"SELECT {', '.join(wanted)} FROM {table} n{joins} ORDER BY n.node"
        reads += [None] * (len(columns) - len(reads))
        columns += [c[REVISION], c.ecs_checksum, c[SEAL]]
        last = 0
        for batch in self._batches(sql):
            made = [_read(*pair) for pair in zip(columns, reads, batch, strict=False)]
            last = max(last, made[0][-1])
            size = len(made[0])
            made += [[revision] * size, [bytes(8)] * size, [0] * size]
            insert_rows(conn, known.table, columns, zip(*made, strict=True))
        return last

    def _held(self, part: ClassPart, field: str) -> str:
        first, behind = self.tables.span_of(part.name)
        return (
            f"SELECT source AS node, max(target) AS other FROM {EDGES} WHERE field ="
            f" {self.engine.text(field)} AND source > {first} AND source <= {behind}"
            " GROUP BY source"
        )

    def _links(
        self,
        conn: Connection,
        part: ClassPart,
        collection: Collection,
        maps: dict[str, ClassMap],
        revision: int,
    ) -> None:
        """Write the rows of an association table."""
        first, behind = self.tables.span_of(part.name)
        spans = {
            other.type_name: self.tables.span_of(name)
            for name, other in maps.items()
            if other.type_name in collection.arcs
        }
        wanted = [f"source - {first}", "position"]
        wanted += [
            f"CASE WHEN target > {spans[name][0]} AND target <= {spans[name][1]}"
            f" THEN target - {spans[name][0]} END"
            if name in spans
            else "CAST(NULL AS BIGINT)"
            for name in collection.arcs
        ]
        wanted += [] if collection.key is None else ["key"]
        names = [f"{sql} AS c{number}" for number, sql in enumerate(wanted)]
        sql = (
            f"SELECT {', '.join(names)} FROM {EDGES} WHERE source > {first} AND source <= {behind}"
            f" AND field = {self.engine.text(collection.name)} ORDER BY 1, 2"
        )
        columns = [*collection.columns, collection.table.c[REVISION]]
        for batch in self._batches(sql):
            if collection.key is not None:
                batch[-1] = self._keys(collection, batch[-1])
            batch.append([revision] * len(batch[0]))
            insert_rows(conn, collection.table, columns, zip(*batch, strict=True))

    def _keys(self, collection: Collection, keys: list[str]) -> list[Any]:
        assert collection.key is not None
        if collection.key.codec.sql_name in ("TEXT", "JSON"):
            return keys
        try:
            return [from_json(json.loads(key)) for key in keys]
        except UNREADABLE as err:
            raise self._wrong(f"a key of {collection.plan.place} cannot be read") from err

    def _batches(self, sql: str) -> Iterator[list[list[Any]]]:
        for batch in self.engine.batches(sql, ROWS):
            if batch.num_rows:
                yield [column.to_pylist() for column in batch.columns]

    def _wrong(self, why: str) -> ImportFormatError:
        return ImportFormatError(
            f"{self.place}: {why}. Write the graph anew: store.to_parquet(folder).",
            source=self.place,
            line=None,
            column=None,
        )


def _read(column: Any, codec: Codec | None, values: Sequence[Any]) -> list[Any]:
    """Return values as a column of the store takes them."""
    name = column.name
    if name in ("ecs_id", "ecs_lineage_id", "ecs_parent_id") or (
        codec is not None and codec.sql_name == "CHAR(32)"
    ):
        return [None if value is None else UUID(bytes=value) for value in values]
    if codec is not None and codec.sql_name == "NUMERIC":
        return [None if value is None else Decimal(repr(value)) for value in values]
    if codec is not None and codec.sql_name == "DATETIME":
        return [
            value.replace(tzinfo=None) if isinstance(value, datetime) else None for value in values
        ]
    return list(values)
