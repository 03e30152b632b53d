"""A store's tables and references as DataFrames, and its dependency graph, without objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.basics.garbage import collector_paused
from ecsviz.basics.order import Ints
from ecsviz.basics.result_frames import objects, typed_column
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.errors import InvalidArgumentError, UnknownTypeError, did_you_mean, short_repr
from ecsviz.storage.looking import Contents
from ecsviz.storage.relational.look.references import StoredReferences
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.history_tables import SUFFIX
from ecsviz.storage.reports import revisions_frame
from ecsviz.storage.sql.statements import columns_of, value_of
from ecsviz.values.field_codecs import has_table

if TYPE_CHECKING:
    import pandas as pd


# -- tables --------------------------------------------------------------------------------


def table_frame(
    conn: Connection,
    catalog: Catalog,
    name: str,
    columns: list[str] | None = None,
    limit: int | None = None,
) -> pd.DataFrame:
    """Return any table of the store as it stands; of some columns, some rows."""
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
    chosen = list(table.columns) if columns is None else _chosen(table, columns)
    query = sa.select(*chosen).select_from(table).limit(limit)
    read = columns_of(conn, query, unfit=lambda column, *_: wrong.add(column)) if chosen else []
    made = {}
    for number, (column, values) in enumerate(zip(chosen, read, strict=True)):
        made[column.name] = pd.Series(values, dtype=object) if number in wrong else values
    return pd.DataFrame(made)


def _chosen(table: sa.Table, names: list[str]) -> list[sa.Column[Any]]:
    for name in names:
        if name not in table.c:
            near = did_you_mean(name, table.c.keys())
            raise InvalidArgumentError(
                f"{table.name} has no column {short_repr(name)}.{near}",
                argument="columns",
                value=name,
            )
    return [table.c[name] for name in dict.fromkeys(names)]


def check_class_asked(catalog: Catalog, cls: Any) -> None:
    """Raise if something is no entity class, or one that is stored otherwise.

    Raises
    ------
    UnknownTypeError
        If it is no entity class.
    SchemaOutdatedError
        If it was stored with other fields.
    """
    if not is_entity_class(cls):
        raise UnknownTypeError(
            f"{short_repr(cls)} is neither an entity class nor the name of a table."
            f"{did_you_mean(short_repr(cls), catalog.mapping.stored)}",
            value=cls,
        )
    if has_table(cls):
        catalog.check_fields(catalog.mapping.map_classes([cls])[0])


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
