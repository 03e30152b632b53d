"""A store's graph as a folder of Parquet files, in the memory of some rows of one table."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.basics.files import local_folder, replacing_folder
from ecsviz.basics.garbage import collector_paused
from ecsviz.basics.optional import need
from ecsviz.basics.order import Bools, Ints
from ecsviz.basics.progress import step, steps
from ecsviz.domain.paths import format_path
from ecsviz.storage.as_of import AsOf
from ecsviz.storage.relational.look.nested_keys import nested_keys
from ecsviz.storage.relational.past.past_catalog import PastMapping
from ecsviz.storage.relational.schema.arcs import Arc, Kind, by_field, sides_of_arcs
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.history_tables import check_once
from ecsviz.storage.relational.schema.mapping import ClassMap, ValueColumn
from ecsviz.storage.relational.store_frames import StoreFrames
from ecsviz.storage.scale.layout import (
    GRAPH,
    OWN_COLUMNS,
    REFERENCES,
    ClassPart,
    DigestedFile,
    FilePart,
    GraphFile,
    ReferencePart,
)
from ecsviz.storage.sql.column_types import JsonColumn
from ecsviz.storage.sql.statements import columns_of
from ecsviz.storage.sql.streaming import batches_of
from ecsviz.values.column_codecs import Codec, TimedeltaCodec
from ecsviz.values.tagged_json import json_text, to_json

GROUP_ROWS: Final = 2**17
"""How many rows a row group has at the most: what is held until it is written."""
GROUP_BYTES: Final = 2**24
"""How many bytes it has at the most."""
PART_ROWS: Final = 2**23
"""How many rows a file has at the most."""


def to_parquet(
    store: StoreFrames,
    folder: str | os.PathLike[str],
    as_of: AsOf = None,
    *,
    progress: bool | None = None,
) -> Path:
    """Write a store's whole graph as a folder of Parquet files; see ``StoreFrames.to_parquet``."""
    files = ParquetFiles(*(need(name, extra="scale", what="Parquet") for name in _ARROW))
    place = local_folder(folder)
    with (
        steps("writing", progress),
        store.inside.reading(as_of) as (conn, catalog),
        replacing_folder(place, GRAPH) as part,
        collector_paused(),
    ):
        made = store.inside.is_made(conn)  # of a new store there is no table yet
        _Writing(conn, catalog, part, files).write(made)
    return place


_ARROW: Final = ("pyarrow", "pyarrow.parquet")


class _Writing:
    """One graph that is written."""

    def __init__(
        self, conn: Connection, catalog: Catalog, folder: Path, files: ParquetFiles
    ) -> None:
        self.conn, self.catalog, self.folder, self.files = conn, catalog, folder, files
        self.maps = catalog.classes_of(catalog.mapping.stored)
        self.rows: dict[str, RowIds] = {}

    def write(self, made: bool) -> None:
        mapping, revision = self.catalog.mapping, 0
        if isinstance(mapping, PastMapping):
            revision = mapping.revision
        elif made:
            revision = self.catalog.newest_revision(self.conn)
        classes, offset = [], 0
        for known in self.maps:
            rows = self.rows[known.type_name] = self._row_ids(known, offset)
            offset += max(rows.last, 0)
            step(f"nodes of {known.table.name}")
            classes.append(self._nodes(known, rows))
        step("references")
        references = list(self._references())
        GraphFile(revision, classes, references, self.files.written).write(self.folder)

    def _row_ids(self, known: ClassMap, offset: int) -> RowIds:
        key = known.table.c.id
        query = sa.select(sa.func.min(key), sa.func.max(key), sa.func.count())
        (first,), (last,), (count,) = columns_of(self.conn, query.select_from(known.table))
        return RowIds(offset, first or 0, last or 0, count)

    # -- nodes -------------------------------------------------------------------------------

    def _nodes(self, known: ClassMap, rows: RowIds) -> ClassPart:
        c, arrow = known.table.c, self.files.arrow
        ids = ("ecs_id", "ecs_lineage_id", "ecs_parent_id")
        stored = self.catalog.mapping.stored[known.type_name]
        told = ClassPart(known.type_name, stored.module, rows.offset)
        told.fields = dict(stored.fields)
        columns: list[Any] = [c.id, *(c[name] for name in ids), c.ecs_version, c.ecs_exact]
        kinds = [arrow.int64(), *[arrow.binary(16)] * 3, arrow.int64(), arrow.string()]
        names = ["node", *ids, "ecs_version", "ecs_exact"]
        for value in values_of(known):
            name = value.column.name
            while name in OWN_COLUMNS or name in names:
                name += "_"
            names.append(name)
            told.columns[name] = value.name
            columns.append(_as_text(value.column))
            kinds.append(arrow_type(arrow, value.codec))
        schema = arrow.schema(list(zip(names, kinds, strict=True)))
        query = sa.select(*columns).select_from(known.table).order_by(c.id)
        last = 0
        with self.files.parts(self.folder, told.folder, schema) as write:
            for batch in batches_of(self.conn, query, raw=ids):
                row_ids = batch[0]
                if row_ids[0] <= last or len(set(row_ids)) < len(row_ids):
                    check_once(known.table, [*([last] if last else []), *row_ids])
                last = row_ids[-1]
                rows.add(np.array(row_ids, dtype=np.int64))
                arrays = [arrow.array(np.array(row_ids, dtype=np.int64) + rows.offset)]
                for name, kind, given in zip(names[1:], kinds[1:], batch[1:], strict=True):
                    arrays.append(self._array(known, name, kind, given, row_ids))
                write(arrow.Table.from_arrays(arrays, schema=schema))
                told.rows += len(row_ids)
        return told

    def _array(
        self, known: ClassMap, name: str, kind: Any, values: list[Any], row_ids: list[int]
    ) -> Any:
        arrow = self.files.arrow
        if kind == arrow.binary(16):
            try:
                return arrow.array([_id_bytes(value) for value in values], type=kind)
            except (ValueError, arrow.ArrowException):
                c = known.table.c  # which tells the row
                columns_of(self.conn, sa.select(c.id, c[name]).where(c.id.between(*_ends(row_ids))))
                raise
        if kind == arrow.float64():  # of a server, numbers may be Decimals
            values = [None if value is None else float(value) for value in values]
        return arrow.array(values, type=kind)

    # -- references --------------------------------------------------------------------------

    def _references(self) -> Iterator[ReferencePart]:
        arrow = self.files.arrow
        names = ("source", "target", "field", "position", "key")
        long, text = arrow.int64(), arrow.string()
        schema = arrow.schema(list(zip(names, (long, long, text, long, text), strict=True)))
        arcs = [arc for known in self.maps for arc in self.catalog.arcs_from(known)]
        told = {
            id(arc): ReferencePart(
                arc.source, arc.field, arc.target, arc.kind.value, arc.weight, side, _keys_of(arc)
            )
            for arc, side in zip(arcs, sides_of_arcs(arcs), strict=True)
        }
        with self.files.parts(self.folder, REFERENCES, schema) as write:
            for field in by_field(arcs):
                step(f"references {field[0].source}.{field[0].field}")
                read = self._listed(field) if field[0].kind is Kind.LIST else self._held(field)
                for arc, owners, held, positions, keys in read:
                    source, target = self.rows[arc.source], self.rows[arc.target]
                    there = source.there(owners) & target.there(held)
                    size = len(owners)
                    arrays = [
                        arrow.array(owners + source.offset),
                        arrow.array(held + target.offset),
                        arrow.repeat(arrow.scalar(arc.field, text), size),
                        arrow.nulls(size, long) if positions is None else arrow.array(positions),
                        arrow.nulls(size, text) if keys is None else arrow.array(keys, text),
                    ]
                    table = arrow.Table.from_arrays(arrays, schema=schema)
                    write(table if there.all() else table.filter(arrow.array(there)))
                    told[id(arc)].rows += int(there.sum())
        yield from told.values()

    def _listed(self, field: list[Arc]) -> Iterator[_Found]:
        """Yield the members of inverse lists, numbered anew for every holder."""
        parts = [
            sa.select(
                arc.owner.label("owner"),
                arc.position.label("place"),
                arc.held.label("held"),
                sa.literal(number).label("arc"),
            ).where(*arc.there)
            for number, arc in enumerate(field)
        ]
        every = sa.union_all(*parts).subquery()
        query = sa.select(every.c.owner, every.c.held, every.c.arc)
        query = query.order_by(every.c.owner, every.c.place)
        before, count = None, 0
        for owners, held, arcs in batches_of(self.conn, query):
            sources, targets = (np.array(each, dtype=np.int64) for each in (owners, held))
            numbers = np.arange(len(sources))
            begins = np.ones(len(sources), dtype=bool)
            begins[1:] = sources[1:] != sources[:-1]
            numbers -= np.maximum.accumulate(np.where(begins, numbers, 0))
            if owners[0] == before:
                numbers[: _first_end(begins)] += count
            before, count = owners[-1], int(numbers[-1]) + 1
            which = np.array(arcs)
            for number, arc in enumerate(field):
                chosen = slice(None) if len(field) == 1 else which == number
                yield arc, sources[chosen], targets[chosen], numbers[chosen], None

    def _held(self, field: list[Arc]) -> Iterator[_Found]:
        """Yield what fields hold by themselves, or in association tables."""
        for arc in field:
            key = None if arc.key is None else _as_text(arc.key)
            more = [column for column in (arc.position, key) if column is not None]
            query = sa.select(arc.owner, arc.held, *more).where(*arc.there)
            query = query.order_by(arc.owner, *more[:1])
            for owners, held, *rest in batches_of(self.conn, query):
                sources, targets = (np.array(each, dtype=np.int64) for each in (owners, held))
                positions = None if arc.position is None else np.array(rest[0], dtype=np.int64)
                keys = None
                if arc.kind is Kind.NESTED:
                    found = nested_keys(self.conn, self.catalog, field, _ends(owners))
                    rows = zip(owners, rest[0], strict=True)
                    keys = [format_path("", found.get(row, row[1])) for row in rows]
                elif arc.key is not None:
                    keys = list(map(key_text, rest[1]))
                yield arc, sources, targets, positions, keys


_Found = tuple[Arc, Ints, Ints, Any, Any]
"""An arc; the row ids of who holds and is held; positions and keys, None where there are none."""


class RowIds:
    """Which rows a table has, in a bit each where some between them are missing.

    Parameters
    ----------
    offset
        What is added to a row id, for the number of a node.
    first, last, count
        The lowest and the highest row id, and how many there are.

    Examples
    --------
    >>> rows = RowIds(10, 1, 4, 3)
    >>> rows.add(np.array([1, 2, 4]))
    >>> rows.there(np.array([0, 1, 3, 4, 9])).tolist()
    [False, True, False, True, False]
    """

    def __init__(self, offset: int, first: int, last: int, count: int) -> None:
        self.offset, self.first, self.last = offset, first, last
        span = last - first + 1 if count else 0
        self._bits = None if span == count else np.zeros(span // 8 + 1, dtype=np.uint8)

    def add(self, row_ids: Ints) -> None:
        """Note rows that are there."""
        if self._bits is not None:
            places = row_ids - self.first
            bits = np.left_shift(1, places & 7).astype(np.uint8)
            np.bitwise_or.at(self._bits, places >> 3, bits)

    def there(self, row_ids: Ints) -> Bools:
        """Tell which rows are there."""
        found: Bools = (row_ids >= self.first) & (row_ids <= self.last) & (self.last > 0)
        if self._bits is not None and found.any():
            places = row_ids[found] - self.first
            found[found] = (self._bits[places >> 3] >> (places & 7) & 1).astype(bool)
        return found


def values_of(known: ClassMap) -> list[ValueColumn]:
    """Return the columns of a class that hold values: of fields, and what is around references."""
    skeletons = [item.skeleton for item in known.collections if item.skeleton is not None]
    return [*known.values, *skeletons]


def arrow_type(arrow: Any, codec: Codec) -> Any:
    """Return Arrow's type for a column of a store: by what its field may hold, not by what it has.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from ecsviz.values.codecs import codec_for
    >>> arrow_type(pa, codec_for(int)[0]), arrow_type(pa, codec_for(list[int])[0])
    (DataType(int64), DataType(string))
    """
    if isinstance(codec, TimedeltaCodec):
        return arrow.duration("us")
    return _TYPES[codec.sql_name](arrow)


_TYPES: Final[dict[str, Callable[[Any], Any]]] = {
    "BIGINT": lambda arrow: arrow.int64(),
    "BLOB": lambda arrow: arrow.binary(),
    "BOOLEAN": lambda arrow: arrow.bool_(),
    "CHAR(32)": lambda arrow: arrow.binary(16),
    "DATE": lambda arrow: arrow.date32(),
    "DATETIME": lambda arrow: arrow.timestamp("us", "UTC"),
    "DOUBLE": lambda arrow: arrow.float64(),
    "JSON": lambda arrow: arrow.string(),
    "NUMERIC": lambda arrow: arrow.float64(),
    "TEXT": lambda arrow: arrow.string(),
    "TIME": lambda arrow: arrow.time64("us"),
}


def key_text(key: Any) -> str:
    """Return a key of a dictionary, as a column holds it, as a text: itself, or JSON.

    Examples
    --------
    >>> key_text("a"), key_text(3)
    ('a', '3')
    """
    return key if type(key) is str else json_text(to_json(key))


def _keys_of(arc: Arc) -> str:
    """Return what the keys of an arc are."""
    if arc.kind is Kind.NESTED:
        return "place"
    if arc.key is None:
        return ""
    return "text" if arc.item.key.codec.sql_name == "TEXT" else "json"


def _as_text(column: Any) -> Any:
    """Return a column of JSON as its text, which a driver would read."""
    if isinstance(column.type, (sa.JSON, JsonColumn)):
        return sa.cast(column, sa.Text()).label(column.name)
    return column


def _id_bytes(value: Any) -> bytes | None:
    if value is None:
        return None
    return value.bytes if isinstance(value, UUID) else bytes.fromhex(value)


def _ends(row_ids: Sequence[int]) -> tuple[int, int]:
    return row_ids[0], row_ids[-1]


def _first_end(begins: Bools) -> int:
    """Return how many places belong to the first holder."""
    others = np.flatnonzero(begins[1:])
    return int(others[0]) + 1 if len(others) else len(begins)


class ParquetFiles:
    """Writes Parquet files.

    Parameters
    ----------
    arrow, parquet
        The package, and its room of that name.

    Attributes
    ----------
    written
        The files, as they were written.
    """

    def __init__(self, arrow: Any, parquet: Any) -> None:
        self.arrow, self.parquet = arrow, parquet
        self.written: list[FilePart] = []

    def parts(self, folder: Path, inside: str, schema: Any) -> _Parts:
        """Return what writes tables into files of a folder, ``part-0.parquet`` and so on."""
        return _Parts(self, folder, inside, schema)


class _Parts:
    """The files of one folder; called with a table, it writes that, now or later."""

    def __init__(self, files: ParquetFiles, folder: Path, inside: str, schema: Any) -> None:
        self.files, self.folder, self.inside, self.schema = files, folder, inside, schema
        self.held: list[Any] = []
        self.written = self.number = 0
        self.file: Any = None
        self.writer: Any = None

    def __enter__(self) -> _Parts:
        (self.folder / self.inside).mkdir(parents=True)
        self._open()
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        try:
            if kind is None:
                self._flush()
        finally:
            self._close()

    def __call__(self, table: Any) -> None:
        self.held.append(table)
        rows = sum(each.num_rows for each in self.held)
        if rows >= GROUP_ROWS or sum(each.nbytes for each in self.held) >= GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if not self.held:
            return
        table = self.files.arrow.concat_tables(self.held)
        self.held.clear()
        if self.written and self.written + table.num_rows > PART_ROWS:
            self._close()
            self.number, self.written = self.number + 1, 0
            self._open()
        self.written += table.num_rows
        self.writer.write_table(table)

    def _open(self) -> None:
        # An open file and not its path, which pyarrow takes for an address where it has a colon.
        self.path = f"{self.inside}/part-{self.number:05}.parquet"
        self.file = DigestedFile(self.folder / self.path)
        make = self.files.parquet.ParquetWriter
        self.writer = make(self.file, self.schema, write_page_checksum=True)

    def _close(self) -> None:
        try:
            self.writer.close()
        finally:
            self.file.close()
        self.files.written.append(self.file.told(self.path))
