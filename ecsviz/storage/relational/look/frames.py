"""A store's tables and references as DataFrames, and its dependency graph, without objects."""

from __future__ import annotations

import enum
import typing
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.basics.garbage import collector_paused
from ecsviz.basics.order import Ints
from ecsviz.basics.result_frames import objects, typed_column
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.domain.fields import complete_fields, union_members
from ecsviz.errors import UnknownTypeError, did_you_mean, short_repr
from ecsviz.storage.looking import Contents
from ecsviz.storage.relational.look.references import StoredReferences
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.history_tables import SUFFIX, check_once
from ecsviz.storage.relational.schema.mapping import ClassMap, ValueColumn
from ecsviz.storage.reports import revisions_frame
from ecsviz.storage.sql.driver_values import exact_by_field
from ecsviz.storage.sql.statements import columns_of, value_of
from ecsviz.values.codecs import BoolCodec, DatetimeCodec, FloatCodec, IntCodec, TextCodec, decoded

if TYPE_CHECKING:
    import pandas as pd


# -- one class -------------------------------------------------------------------------------


def class_frame(conn: Connection, catalog: Catalog, known: ClassMap) -> pd.DataFrame:
    """Return one class's entities; see ``SQLAlchemyEntityStorage.frame``."""
    table = known.table
    keys = [(ref, target, key) for ref in known.singles for target, key in ref.arcs.items()]
    wanted: list[Any] = [
        table.c.ecs_id,
        table.c.ecs_lineage_id,
        table.c.ecs_parent_id,
        table.c.ecs_version,
        table.c.ecs_exact,
        *(value.column for value in known.values),
    ]
    source: Any = table
    for number, (_, target, key) in enumerate(keys):
        other = catalog.mapping.by_type[target].table.alias(f"t{number}")
        source = source.outerjoin(other, key == other.c.id)
        wanted.append(other.c.ecs_id.label(f"k{number}"))
    wanted += [ref.position for ref in known.singles if ref.position is not None]
    wanted.append(table.c.id)
    query = sa.select(*wanted).select_from(source).order_by(table.c.id)
    with collector_paused():
        return _class_frame(known, columns_of(conn, query))


def _class_frame(known: ClassMap, columns: list[list[Any]]) -> pd.DataFrame:
    import pandas as pd

    result: dict[str, Any] = {
        "ecs_id": pd.Series(columns[0], dtype=object),
        "lineage_id": pd.Series(columns[1], dtype=object),
        "parent_id": pd.Series(columns[2], dtype=object),
        "version": pd.Series(columns[3], dtype="int64"),
    }
    rows = columns[-1]
    check_once(known.table, rows)
    exact = exact_by_field(known.table.name, rows, columns[4])
    for value, stored in zip(known.values, columns[5:], strict=False):
        result[value.name] = _series(known, value, stored, rows, exact.get(value.name))
    at = 5 + len(known.values)
    for ref in known.singles:
        held: list[Any] = [None] * len(columns[0])
        for _ in ref.arcs:
            held = [b if a is None else a for a, b in zip(held, columns[at], strict=True)]
            at += 1
        result[f"{ref.name}_ecs_id"] = pd.Series(held, dtype=object)
    for ref in known.singles:
        if ref.position is not None:
            result[ref.position.name] = pd.Series(columns[at], dtype="Int64")
            at += 1
    return pd.DataFrame(result)


def _series(
    known: ClassMap,
    value: ValueColumn,
    stored: list[Any],
    rows: list[Any],
    exact: dict[int, Any] | None,
) -> pd.Series[Any]:
    """Return one column in the dtype that fits its field."""
    import pandas as pd

    if isinstance(value.codec, DatetimeCodec):
        # An offset is told by the entity; a frame has one zone per column.
        return pd.Series(pd.to_datetime(pd.Series(stored, dtype="datetime64[us]"), utc=True))
    values = decoded(value.codec, stored, (known.table.name, value.column.name), rows, exact)
    categories = _categories(complete_fields(known.cls)[value.name].annotation)
    if categories is not None and {v for v in values if v is not None} <= set(categories):
        return pd.Series(pd.Categorical(values, categories=categories))
    for codec, optional, always in (
        (IntCodec, "Int64", "int64"),
        (BoolCodec, "boolean", "bool"),
        (FloatCodec, "float64", "float64"),
        (TextCodec, "str", "str"),
    ):
        if type(value.codec) is codec:
            try:
                return typed_column(values, optional if value.optional else always)
            except (OverflowError, TypeError):
                break  # beyond what the dtype holds: Python's own objects
    return pd.Series(values, dtype=object)


def _categories(annotation: Any) -> list[Any] | None:
    """Return the values of an enum or a Literal, if a column can tell them apart."""
    members = [m for m in union_members(annotation) if m is not type(None)]
    if len(members) != 1:
        return None
    if typing.get_origin(members[0]) is typing.Literal:
        values = list(typing.get_args(members[0]))
        return values if len(set(values)) == len(values) else None  # 1 and True are one to pandas
    if isinstance(members[0], type) and issubclass(members[0], enum.Enum):
        return list(members[0])
    return None


def table_frame(conn: Connection, catalog: Catalog, name: str) -> pd.DataFrame:
    """Return any table of the store as it stands."""
    import pandas as pd

    tables = sa.inspect(conn).get_table_names(schema=catalog.metadata.schema)
    if name not in tables:
        close = [table for table in tables if table.endswith(SUFFIX) <= name.endswith(SUFFIX)]
        raise UnknownTypeError(
            f"There is no table {short_repr(name)}.{did_you_mean(name, close)}",
            table=name,
            tables=tables,
        )
    table = sa.Table(name, sa.MetaData(), schema=catalog.metadata.schema, autoload_with=conn)
    # As it stands: where a value does not fit its column, the column is as the driver has it.
    wrong: set[int] = set()
    query = sa.select(table)
    columns = columns_of(conn, query, unfit=lambda column, *_: wrong.add(column))
    made = {}
    for number, (column, values) in enumerate(zip(table.columns, columns, strict=True)):
        made[column.name] = pd.Series(values, dtype=object) if number in wrong else values
    return pd.DataFrame(made)


def wanted_class(catalog: Catalog, cls: Any) -> ClassMap | None:
    """Return the map of a class, None if nothing of it is stored.

    Raises
    ------
    UnknownTypeError
        If it is no entity class.
    """
    if not is_entity_class(cls):
        raise UnknownTypeError(
            f"{short_repr(cls)} is neither an entity class nor the name of a table."
            f"{did_you_mean(short_repr(cls), catalog.mapping.stored)}",
            value=cls,
        )
    known = catalog.mapping.map_classes([cls])[0]
    catalog.check_fields(known)
    return known if known.type_name in catalog.mapping.stored else None


# -- references ------------------------------------------------------------------------------


def stored_references(conn: Connection, catalog: Catalog) -> pd.DataFrame:
    """Return every stored reference; see ``SQLAlchemyEntityStorage.references_frame``."""
    import pandas as pd

    with collector_paused():
        found = StoredReferences(conn, catalog)
        blocks = [block for block in found.read() if len(block.sources)]
        sizes = [len(block.sources) for block in blocks]

        def repeated(said: list[Any]) -> Ints:
            return np.repeat(np.array(said, dtype=np.int64), sizes)

        def names(said: list[str]) -> Any:
            known = sorted(set(said))
            codes = repeated([known.index(name) for name in said])
            return pd.Categorical.from_codes(codes, pd.Index(typed_column(known, "str")))

        ids, none = objects(found.ids), np.zeros(0, dtype=np.int64)
        sources = np.concatenate([none, *(block.sources for block in blocks)])
        targets = np.concatenate([none, *(block.targets for block in blocks)])
        paths = [path for block in blocks for path in block.paths(found.ids)]
        columns = {
            "source": pd.Series(ids[sources], dtype=object),
            "target": pd.Series(ids[targets], dtype=object),
            "source_type": names([block.arc.source for block in blocks]),
            "target_type": names([block.arc.target for block in blocks]),
            "field": names([block.arc.field for block in blocks]),
            "path": typed_column(paths, "str"),
            "kind": repeated([block.arc.weight for block in blocks]),
        }
        return pd.DataFrame(columns)


def stored_contents(conn: Connection, catalog: Catalog, where: str) -> Contents:
    """Return what is stored, for what a notebook shows of a store; `where` it is goes with it."""

    def count(table: Any) -> int:
        return int(value_of(conn, sa.select(sa.func.count()).select_from(table)) or 0)

    mapping, c = catalog.mapping, catalog.revisions.c
    types: list[tuple[str, str | None, int]] = [
        (stored.name, stored.table, count(mapping.probe(name)))
        for name, stored in mapping.stored.items()
    ]
    newest = sa.select(c.created_at, c.note).order_by(c.number.desc()).limit(1)
    last = next(zip(*columns_of(conn, newest), strict=True), None)
    return Contents(where, types, count(catalog.revisions), last)


def stored_revisions(conn: Connection, catalog: Catalog) -> pd.DataFrame:
    """Return the revisions of a store."""
    c = catalog.revisions.c
    query = sa.select(c.number, c.created_at, c.note, c.added, c.changed, c.deleted)
    columns = columns_of(conn, query.order_by(c.number))
    return revisions_frame(list(zip(*columns, strict=True)))
