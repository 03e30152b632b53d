"""DataFrames of classes as Arrow tables and for Polars: a type a field, whatever its rows hold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from ecsviz.basics.arguments import listed
from ecsviz.basics.optional import need
from ecsviz.errors import InvalidArgumentError, did_you_mean, short_repr
from ecsviz.values.codecs import Codec, Refused, TextCodec, to_plain
from ecsviz.values.tagged_json import json_text, to_json

if TYPE_CHECKING:
    import pandas as pd

FORMS: Final = ("pandas", "arrow", "polars")


def check_form(as_: Any) -> str:
    """Return in which form a frame is wanted, if there is such a form.

    Raises
    ------
    InvalidArgumentError
        If there is none of the name.
    NotInstalledError
        If its package is not installed.
    """
    if as_ not in FORMS if isinstance(as_, str) else True:
        raise InvalidArgumentError(
            f"as_ is {short_repr(as_)}.{did_you_mean(as_, FORMS)}", argument="as_", value=as_
        )
    form: str = as_
    if form != "pandas":
        need("pyarrow", extra="parquet", what="A frame for Arrow")
    if form == "polars":
        need("polars", extra="polars", what="A frame for Polars")
    return form


def names_listed(columns: Any) -> list[Any] | None:
    """Return the names of columns that are wanted; None for all.

    Raises
    ------
    InvalidArgumentError
        If it is no list of names.
    """
    if columns is None:
        return None
    names = listed(columns, "columns", "Give a list of names.")
    for name in names:
        if not isinstance(name, str):
            raise InvalidArgumentError(
                f"columns holds {short_repr(name)}. Give names.", argument="columns", value=name
            )
    return names


def in_form(frame: pd.DataFrame, form: str, codecs: Mapping[str, Codec | None]) -> Any:
    """Return a frame as a ``pyarrow.Table`` or a ``polars.DataFrame``, or as it is.

    Parameters
    ----------
    frame, form
        What, and as what.
    codecs
        Column → the codec of its values; None for ids, no entry for what pandas has a type for.
    """
    if form == "pandas":
        return frame
    arrow = need("pyarrow", extra="parquet", what="A frame for Arrow")
    arrays = {
        str(name): _array(arrow, frame[name], codecs.get(str(name)), str(name) in codecs)
        for name in frame.columns
    }
    table = arrow.table(arrays)
    if form == "arrow":
        return table
    return need("polars", extra="polars", what="A frame for Polars").from_arrow(table)


def _array(arrow: Any, column: pd.Series[Any], codec: Codec | None, is_known: bool) -> Any:
    dtype = str(column.dtype)
    if is_known and codec is None:
        return arrow.array(column, type=arrow.uuid(), from_pandas=True)
    if dtype not in ("object", "category"):
        return arrow.Array.from_pandas(column)
    values = list(column)
    if dtype == "category":
        values = [
            None if gone else value for value, gone in zip(values, column.isna(), strict=True)
        ]
        return arrow.array(values if codec is None else codec.order(values)).dictionary_encode()
    kind = next((kind for kind in _KINDS if codec is not None and kind in codec.types), None)
    try:
        if isinstance(codec, TextCodec):  # beyond UTF-8, as columns have it
            return arrow.array(codec.encode(values)[0], arrow.large_string())
        if kind is not None:
            return arrow.array(values, type=_KINDS[kind](arrow))
    except (arrow.ArrowException, Refused, ValueError, TypeError, OverflowError):
        pass  # beyond what Arrow has
    return arrow.array(
        [None if value is None else _text(value) for value in values], arrow.string()
    )


_KINDS: Final[dict[type, Any]] = {
    UUID: lambda arrow: arrow.uuid(),
    bytes: lambda arrow: arrow.binary(),
    Decimal: lambda _: None,  # with as many digits as there are
    date: lambda arrow: arrow.date32(),
    timedelta: lambda arrow: arrow.duration("us"),
}


def _text(value: Any) -> str:
    """Return a value as JSON, as files for Parquet have it."""
    try:
        return json_text(to_json(value))
    except ValueError:  # it holds models, enums, …
        return json_text(to_json(to_plain(value)))
