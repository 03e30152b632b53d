"""A database's tables, columns, keys and problems as DataFrames, and the rows of a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ecsviz.basics.result_frames import typed_column, typed_frame
from ecsviz.errors import short_repr
from ecsviz.importers.database.arrow import arrow_table, polars_of
from ecsviz.importers.database.classes import name_fields
from ecsviz.importers.database.conditions import Where
from ecsviz.importers.database.lacking import is_array
from ecsviz.importers.database.rows import TableRows
from ecsviz.importers.database.schema import ForeignKey, ForeignSchema, ForeignTable
from ecsviz.importers.database.values import Fit, column_of, read_columns

if TYPE_CHECKING:
    import pandas as pd

Counts = Mapping[ForeignKey, tuple[int, int, int]]
"""Of each key that can be followed: rows that refer to a row, that dangle, that have a NULL."""


def tables_frame(schema: ForeignSchema, rows: TableRows) -> pd.DataFrame:
    """Return one row for every table; see ``Database.tables_frame``."""
    import pandas as pd

    tables = list(schema.tables.values())
    out = [key.table for key in schema.keys]
    into = [key.target for key in schema.sound_keys]
    return pd.DataFrame(
        {
            "table": typed_column([table.name for table in tables], "str"),
            "rows": typed_column([rows.count(table.name) for table in tables], "int64"),
            "columns": typed_column([len(table.columns) for table in tables], "int64"),
            "primary_key": typed_column([", ".join(t.primary_key) for t in tables], "str"),
            "keys": typed_column([out.count(table.name) for table in tables], "int64"),
            "referred_by": typed_column([into.count(table.name) for table in tables], "int64"),
        }
    )


def columns_frame(schema: ForeignSchema) -> pd.DataFrame:
    """Return one row for every column; see ``Database.columns_frame``."""
    import pandas as pd

    fields, _ = name_fields(schema)
    every = [(table, column) for table in schema.tables.values() for column in table.columns]
    places = [
        table.primary_key.index(column.name) + 1 if column.name in table.primary_key else None
        for table, column in every
    ]
    return pd.DataFrame(
        {
            "table": typed_column([table.name for table, _ in every], "str"),
            "column": typed_column([column.name for _, column in every], "str"),
            "field": typed_column([fields[t.name][c.name] for t, c in every], "str"),
            "type": typed_column([column.type for _, column in every], "str"),
            "nullable": typed_column([column.nullable for _, column in every], "bool"),
            "primary_key": typed_column(places, "Int64"),
        }
    )


def keys_frame(schema: ForeignSchema, counts: Counts) -> pd.DataFrame:
    """Return one row for every foreign key; see ``Database.keys_frame``."""
    import pandas as pd

    _, fields = name_fields(schema)
    keys = schema.keys
    told = [counts.get(key, (None, None, None)) for key in keys]
    return pd.DataFrame(
        {
            "table": typed_column([key.table for key in keys], "str"),
            "columns": typed_column([key.path for key in keys], "str"),
            "target": typed_column([key.target for key in keys], "str"),
            "target_columns": typed_column([", ".join(k.target_columns) for k in keys], "str"),
            "field": typed_column([fields.get(key) for key in keys], "str"),
            "linked": typed_column([linked for linked, _, _ in told], "Int64"),
            "dangling": typed_column([dangling for _, dangling, _ in told], "Int64"),
            "null": typed_column([null for _, _, null in told], "Int64"),
            "guessed": typed_column([key.guessed for key in keys], "bool"),
        }
    )


def faults_frame(
    schema: ForeignSchema,
    counts: Counts,
    lacking: Iterable[tuple[ForeignTable, str, int, list[tuple[Any, ...]]]],
    wider: Iterable[tuple[str, str, str]] = (),
    odd: Iterable[tuple[str, str, int | None]] = (),
) -> pd.DataFrame:
    """Return what cannot be followed or read; see ``Database.problems``."""
    found: list[tuple[str, str, str, str, int | None]] = [
        (name, "", "", f"left out: {why}", None) for name, why in schema.unreadable.items()
    ]
    found += [(name, "", "", what, rows) for name, what, rows in odd]
    why = "left out: this login has no right to SELECT these columns"
    found += [(name, ", ".join(lacks), "", why, None) for name, lacks in schema.hidden.items()]
    for key in schema.keys:
        if key.fault is not None:
            found.append((key.table, key.path, key.target, f"not followed: {key.fault}", None))
        elif counts[key][1]:
            why = "dangling values: there is no such row"
            found.append((key.table, key.path, key.target, why, counts[key][1]))
    for table, column, count, rows in lacking:
        told = ", ".join(
            short_repr(text) + (f" in row {', '.join(map(str, key))}" if key else "")
            for text, *key in rows
        )
        more = f" and {count - len(rows):,} more" if count > len(rows) else ""
        (known,) = (each for each in table.columns if each.name == column)
        why = (
            f"kept as text{' within' * (known.nested is not None)}, since Python has no such value"
        )
        if is_array(known):
            why = "given as lists, which have no such indices"
        why += f": {told}{more}"
        found.append((table.name, column, "", why, count))
    for name, column, types in wider:
        why = f"the class is wider now: values are {types}, those of the first rows are not"
        found.append((name, column, "", why, None))
    texts = dict.fromkeys(("table", "columns", "target", "problem"), "str")
    return typed_frame(found, {**texts, "rows": "Int64"})


def rows_frame(
    rows: TableRows,
    table: str,
    names: Sequence[str],
    where: Where,
    limit: int | None,
    form: str = "pandas",
) -> Any:
    """Return the rows of a table; see ``Database.frame``."""
    told = rows.schema.tables[table]
    read = read_columns(
        rows.conn, told, names, lambda texts: rows.read(table, names, where, limit, texts)
    )
    return _in_form(told, names, read.fits, read.values, form)


def frames_of(
    rows: TableRows,
    table: str,
    names: Sequence[str],
    where: Where,
    limit: int | None,
    fits: Sequence[Fit],
    size: int,
    form: str,
) -> Iterator[Any]:
    """Yield the rows of a table, so many at a time; one frame of none where there are no rows."""
    told = rows.schema.tables[table]
    fit = {column.name: fit for column, fit in zip(told.columns, fits, strict=True)}
    chosen = [fit[name] for name in names]
    texts = {name for name in names if fit[name].as_text}
    for stored in rows.stream(table, names, where, limit, texts, size):
        values = [fit.values(column) for fit, column in zip(chosen, stored, strict=True)]
        yield _in_form(told, names, chosen, values, form)


def _in_form(
    table: ForeignTable,
    names: Sequence[str],
    fits: Sequence[Fit],
    values: Sequence[list[Any]],
    form: str,
) -> Any:
    import pandas as pd

    if form == "pandas":
        columns = map(column_of, fits, values)
        return pd.DataFrame(dict(zip(names, columns, strict=True)), copy=False)
    known = {column.name: column for column in table.columns}
    made = arrow_table([known[name] for name in names], fits, values)
    return polars_of(made) if form == "polars" else made
