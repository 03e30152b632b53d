"""The error for a value in a table that is not what ecsviz writes there."""

from __future__ import annotations

from typing import Any

from ecsviz.errors import StoredDataInvalidError, short_repr


def invalid(
    table: str, column: str, row: Any, why: str, cause: str = "It was changed outside ecsviz"
) -> StoredDataInvalidError:
    """Return the error for a value in a table that is not what ecsviz writes there.

    Parameters
    ----------
    table, column
        Where.
    row
        The key of the row: a number, a text, or a tuple of what makes the key; None if nobody
        knows.
    why, cause
        To follow the place in a sentence; and what may have happened.
    """
    keys = row if isinstance(row, tuple) else (row,)
    at = ", ".join(short_repr(key) if type(key) is str else str(key) for key in keys)
    place = f"{table}.{column}" + ("" if row is None else f" in row {at}")
    return StoredDataInvalidError(
        f"{place} {why}. {cause}; correct the row.",
        place=place,
        table=table,
        column=column,
        row_id=row,
    )
