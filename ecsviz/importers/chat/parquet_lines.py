"""Rows of a Parquet file as JSON lines: data sets of chats come in it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from ecsviz.basics.optional import need
from ecsviz.errors import EcsvizError, ImportFormatError, short_repr
from ecsviz.importers.files import Limits, exceeded
from ecsviz.storage.scale.layout import OWN_COLUMNS

MAGIC = b"PAR1"

_COLUMNS = frozenset({"messages", "conversations", "conversation", "role", "text", "content"})
"""One of them is in every data set of chats; other tables are not read."""

_OF_GRAPHS = frozenset(OWN_COLUMNS) - {"class"}  # which the folder says
"""The columns of a part of a graph, whose references stand elsewhere."""


def parquet_lines(data: bytes, name: str, limits: Limits) -> bytes:
    """Return the rows of a Parquet file, an object a line.

    Parameters
    ----------
    data
        The file.
    name
        What messages call it.
    limits
        The rows may have ``max_bytes`` as text, and as the file says.

    Raises
    ------
    NotInstalledError
        Without pyarrow.
    ImportFormatError
        If it cannot be read.
    """
    arrow = need("pyarrow", extra="parquet", what="A Parquet file")
    parquet = need("pyarrow.parquet", extra="parquet", what="A Parquet file")
    lines: list[bytes] = []
    count = 0
    try:
        with parquet.ParquetFile(io.BytesIO(data), page_checksum_verification=True) as file:
            groups = range(file.metadata.num_row_groups)
            count = sum(file.metadata.row_group(n).total_byte_size for n in groups)
            _check(count, name, limits)
            count = 0
            for batch in file.iter_batches(1_000):
                for row in batch.to_pylist():
                    lines.append(json.dumps(row, default=_as_json).encode())
                    count += len(lines[-1])
                    _check(count, name, limits)
    except EcsvizError:
        raise
    except (arrow.ArrowException, OSError, ValueError, TypeError, RecursionError) as err:
        raise ImportFormatError(
            f"{name} is a Parquet file that cannot be read ({short_repr(str(err))}). Download it"
            " again.",
            source=name,
            line=None,
            column=None,
        ) from err
    return b"\n".join(lines)


def may_hold_chats(source: Path | bytes) -> bool:
    """Tell by the columns of a Parquet file whether its rows may be chats.

    Parameters
    ----------
    source
        The file, or its path: only its end is read.
    """
    parquet = need("pyarrow.parquet", extra="parquet", what="A Parquet file")
    try:
        names = parquet.read_schema(
            source if isinstance(source, Path) else io.BytesIO(source)
        ).names
    except (OSError, ValueError):
        return True  # reading tells what is wrong
    return not _COLUMNS.isdisjoint(names) and not set(names).issuperset(_OF_GRAPHS)


def _check(count: int, name: str, limits: Limits) -> None:
    most = limits.max_bytes
    if count > most:
        raise exceeded(name, f"holds more than {most:,} bytes", "max_bytes", most)


def _as_json(value: Any) -> Any:
    """Return what JSON has not: bytes in hexadecimal, times and the like as a text."""
    return {"hex": value.hex()} if isinstance(value, bytes) else str(value)
