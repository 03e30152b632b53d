"""The rows of a query some at a time, in the memory of some."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import exc
from sqlalchemy.engine import Connection

from ecsviz.errors import EcsvizError
from ecsviz.storage.sql.statements import columns_of, in_python
from ecsviz.values.tagged_json import UNREADABLE

MOST_ROWS: Final = 20_000
"""How many rows are read at a time at the most."""
MOST_BYTES: Final = 8 * 2**20
"""How many bytes of texts and the like they may have; a guess by those before."""


def batches_of(conn: Connection, query: Any, raw: Sequence[str] = ()) -> Iterator[list[list[Any]]]:
    """Run a query and yield its columns, of some rows at a time; see `columns_of`.

    Raises
    ------
    StoredDataInvalidError
        Naming the table, the row and the column.

    Notes
    -----
    The first rows are few; how large they are says how many come next.
    """
    result = conn.execute(query, execution_options={"stream_results": True})
    try:
        cursor: Any = result.cursor
        strategy = result.cursor_strategy  # of a server, it has read some rows already
        codes = [described[1] for described in cursor.description]
        selected, size = list(query.selected_columns), 100
        more = True
        while more:
            rows = strategy.fetchmany(result, cursor, size)
            more = len(rows) == size  # then it is closed
            columns = [list(column) for column in zip(*rows, strict=True)]
            if columns:
                size = _next_size(columns, len(rows))
                yield in_python(conn, selected, columns, codes, raw)
    except EcsvizError:
        raise
    except (sqlite3.Error, exc.DBAPIError, *UNREADABLE):
        columns_of(conn, query)  # which tells the row of what cannot be read
        raise
    finally:
        result.close()


def _next_size(columns: list[list[Any]], rows: int) -> int:
    size = sum(
        len(value) for column in columns for value in column if isinstance(value, (str, bytes))
    )
    return max(1, min(MOST_ROWS, 4 * rows, rows * MOST_BYTES // (size + 1)))
