"""Rows of a table for Arrow, Polars and Parquet: one type a column, whatever its rows hold."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from ecsviz.basics.optional import need
from ecsviz.errors import InvalidArgumentError, short_repr
from ecsviz.importers.database.schema import ForeignColumn
from ecsviz.importers.database.values import Fit
from ecsviz.values.tagged_json import json_text, to_json

_LARGE: Final = {
    "UBIGINT": "uint64",
    "HUGEINT": "decimal256",
    "UHUGEINT": "decimal256",
    "BIGNUM": "string",
    "VARINT": "string",
}
_DIGITS = re.compile(r"\(\s*(\d+)\s*,\s*(\d+)\s*\)")


def arrow_table(columns: Sequence[ForeignColumn], fits: Sequence[Fit], values: Any) -> Any:
    """Return columns as a ``pyarrow.Table``.

    Notes
    -----
    The type of a column follows from how it is declared and given alone. What Arrow has no type
    for is text: JSON, as in ``{"a": 1}``, or the value itself where texts stand among dates.
    """
    arrow = need("pyarrow", extra="parquet", what="Arrow")
    kinds = [_type(arrow, column, fit) for column, fit in zip(columns, fits, strict=True)]
    names = [column.name for column in columns]
    arrays = []
    for name, kind, fit, given in zip(names, kinds, fits, values, strict=True):
        try:
            arrays.append(_array(arrow, kind, fit, given))
        except (arrow.ArrowInvalid, OverflowError) as err:
            raise InvalidArgumentError(
                f"The column {short_repr(name)} holds a value that Arrow's {kind} does not:"
                f" {short_repr(str(err))}. Leave it out with columns=, or take it without as_.",
                argument="as_",
                column=name,
            ) from err
    return arrow.Table.from_arrays(arrays, names=names)


def _type(arrow: Any, column: ForeignColumn, fit: Fit) -> Any:
    if len(fit.types) != 1:
        return arrow.string()
    kind = fit.types[0]
    if kind is Decimal:
        told = _DIGITS.search(column.type)
        digits, scale = map(int, told.groups()) if told else (0, 0)
        if not 0 < digits <= _MOST_DIGITS:
            return arrow.string()
        return (arrow.decimal128 if digits <= 38 else arrow.decimal256)(digits, scale)
    if kind is int:
        name = _LARGE.get(column.type.upper(), "int64")
        if column.kind == "bits" or column.type.lower().endswith("unsigned"):
            name = "uint64"
        return arrow.decimal256(39, 0) if name == "decimal256" else getattr(arrow, name)()
    if kind is datetime:
        return arrow.timestamp("us", "UTC" if fit.zoned else None)
    made = _TYPES.get(kind)
    return arrow.string() if made is None else made(arrow)


def polars_of(made: Any) -> Any:
    """Return an Arrow table for Polars, which has no numbers of more than 38 digits: texts."""
    kinds = need("pyarrow", extra="parquet", what="Arrow").types
    for number, field in enumerate(made.schema):
        if kinds.is_decimal256(field.type):
            told = [None if value is None else str(value) for value in made[number].to_pylist()]
            made = made.set_column(number, field.name, [told])
    return need("polars", extra="polars", what="Polars").from_arrow(made)


_MOST_DIGITS: Final = 76
_TYPES: Final[dict[type, Callable[[Any], Any]]] = {
    bool: lambda arrow: arrow.bool_(),
    bytes: lambda arrow: arrow.binary(),
    date: lambda arrow: arrow.date32(),
    float: lambda arrow: arrow.float64(),
    time: lambda arrow: arrow.time64("us"),
    timedelta: lambda arrow: arrow.duration("us"),
}


def _array(arrow: Any, kind: Any, fit: Fit, values: list[Any]) -> Any:
    if kind == arrow.string() and fit.types != (str,):
        as_text = _told if object not in fit.types else _json
        values = [None if value is None else as_text(value) for value in values]
    elif fit.types == (time,) and any(value is not None and value.tzinfo for value in values):
        values = [value if value is None else value.replace(tzinfo=None) for value in values]
    try:
        return arrow.array(values, type=kind)
    except UnicodeEncodeError:  # bytes that are no text, where texts are declared
        safe = [v if v is None else v.encode(errors="backslashreplace").decode() for v in values]
        return arrow.array(safe, type=kind)


def _told(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (date, time)):
        return value.isoformat(*[" "] * isinstance(value, datetime))
    return str(value) if isinstance(value, (UUID, Decimal, timedelta, int)) else _json(value)


def _json(value: Any) -> str:
    return json_text(to_json(value))


# -- files -----------------------------------------------------------------------------------


def write_parquet(path: Path, tables: Iterator[Any]) -> None:
    """Write Arrow tables of one schema as one file, one after the other, or none of it."""
    parquet = need("pyarrow.parquet", extra="parquet", what="Parquet")
    first = next(tables)
    unfinished = path.with_name(f".{path.name}.part")
    try:
        # An open file: pyarrow takes a path with a colon for an address.
        with (
            unfinished.open("wb") as file,
            parquet.ParquetWriter(file, first.schema, write_page_checksum=True) as writer,
        ):
            writer.write_table(first)
            for table in tables:
                writer.write_table(table)
        os.replace(unfinished, path)  # noqa: PTH105 - as one step
    finally:
        unfinished.unlink(missing_ok=True)


def file_names(tables: Sequence[str]) -> dict[str, str]:
    """Return table → the name of its file, which any system takes.

    Examples
    --------
    >>> file_names(["orders", "order lines", "order/lines"])
    {'orders': 'orders.parquet', 'order lines': 'order lines.parquet',
     'order/lines': 'order_lines.parquet'}
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for table in tables:
        stem = stem_tried = re.sub(r"[^\w .\-]", "_", table).strip(". ") or "table"
        number = 1
        while stem_tried.casefold() in taken:
            number += 1
            stem_tried = f"{stem}_{number}"
        taken.add(stem_tried.casefold())
        found[table] = f"{stem_tried}.parquet"
    return found
