"""Rows of a chat database, as the formats that read one need them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from ecsviz.importers.chat.drafts import as_json
from ecsviz.importers.chat.source import Source

Row = dict[str, Any]


def grouped(
    connection: sqlite3.Connection, source: Source, table: str, key: str, order: str = "rowid"
) -> dict[Any, list[Row]]:
    """Return the rows of a table by the value of a column."""
    found: dict[Any, list[Row]] = {}
    for _, row in source.rows(connection, table, order):
        found.setdefault(row.get(key), []).append(row)
    return found


def table_with(source: Source, *columns: str, without: Sequence[str] = ()) -> str | None:
    """Return the first table that has some columns and lacks others: its name may be chosen."""
    wanted, unwanted = set(columns), set(without)
    for name, has in source.tables.items():
        if wanted <= set(has) and not unwanted & set(has):
            return name
    return None


def clean(row: Row, *placed: str) -> Row:
    """Return what of a row has no place of its own: no empty columns; bytes in hexadecimal."""
    return {
        key: {"hex": value.hex()} if isinstance(value, bytes) else value
        for key, value in row.items()
        if key not in placed and value is not None
    }


def parsed(row: Row) -> Row:
    """Return a row with its JSON read: that of columns called ``…_json`` and ``…_details``."""
    return {k: as_json(v) if k.endswith(("_json", "_details")) else v for k, v in row.items()}
