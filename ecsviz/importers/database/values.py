"""What the values of a column are in Python: as declared, or as they turn out to be.

Any value may stand in any column of a SQLite file. So there it is asked, with one statement a
table, which kinds of values each column really holds: where they fit what is declared they are
given as that, and otherwise as they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.basics.result_frames import typed_column
from ecsviz.importers.database.schema import ForeignColumn, ForeignTable, Kind

if TYPE_CHECKING:
    import pandas as pd

_Time = TypeVar("_Time", date, datetime, time)

_CHUNK: Final = 250
"""Columns that one statement asks about, seven questions each: SQLite takes 2,000."""

_INT, _REAL, _TEXT, _BLOB, _NULL, _NOT_BOOL, _BIG = (1 << n for n in range(7))

_TYPES: Final[dict[Kind, type[Any]]] = {
    "bool": bool,
    "bytes": bytes,
    "date": date,
    "datetime": datetime,
    "decimal": Decimal,
    "float": float,
    "int": int,
    "json": object,
    "number": int,
    "other": str,
    "str": str,
    "time": time,
    "timedelta": timedelta,
    "unknown": str,
    "uuid": UUID,
    "zoned": datetime,
}


@dataclass(frozen=True, slots=True)
class Fit:
    """How the values of one column are given.

    Attributes
    ----------
    types
        Their Python types: one, or several where they do not fit what is declared. ``object``
        is JSON.
    nullable
        Whether there may be NULLs.
    convert
        Makes a value from what the driver gives; None leaves it.
    zoned
        Whether datetimes have an offset.
    """

    types: tuple[type[Any], ...]
    nullable: bool
    convert: Callable[[Any], Any] | None = None
    zoned: bool = False

    def values(self, stored: list[Any]) -> list[Any]:
        """Return the values of a column as the driver gave it."""
        convert = self.convert
        if convert is None:
            return stored
        return [None if value is None else convert(value) for value in stored]

    @property
    def annotation(self) -> Any:
        """The annotation of the field that holds them."""
        found: Any = Any if self.types == (object,) else self.types[0]
        for kind in self.types[1:]:
            found = found | kind
        return found | None if self.nullable and found is not Any else found


def fits_of(conn: Connection, table: ForeignTable) -> list[Fit]:
    """Return how each column of a table is given.

    Notes
    -----
    O(1) but on SQLite: there a statement that reads the table once for every 250 columns, and
    one for each column of texts that are declared as dates or times.
    """
    if conn.dialect.name != "sqlite":
        return [_declared(column) for column in table.columns]
    result = []
    quote = conn.dialect.identifier_preparer.quote_identifier
    for start in range(0, len(table.columns), _CHUNK):
        part = table.columns[start : start + _CHUNK]
        # As text: for a thousand columns, SQLAlchemy would compile for seconds.
        asked = ", ".join(_found_in(quote(column.name)) for column in part)
        query = f"SELECT {asked} FROM {quote(table.name)}"  # noqa: S608 - names in quotes
        row = conn.exec_driver_sql(query).one()
        result += [
            _fit(conn, table, column, int(bits or 0))
            for column, bits in zip(part, row, strict=True)
        ]
    return result


def _found_in(quoted_column: str) -> str:
    """Return the SQL that tells the kinds of values in a column as bits."""
    c = quoted_column
    is_int = f"typeof({c})='integer'"
    tests = {
        _INT: is_int,
        _REAL: f"typeof({c})='real'",
        _TEXT: f"typeof({c})='text'",
        _BLOB: f"typeof({c})='blob'",
        # Not "IS NULL", which SQLite answers from the declaration where it says NOT NULL.
        _NULL: f"typeof({c})='null'",
        _NOT_BOOL: f"{is_int} AND {c} NOT IN (0, 1)",
        _BIG: f"{is_int} AND {c} NOT BETWEEN {-(2**53)} AND {2**53}",
    }
    return "+".join(f"{bit}*max({test})" for bit, test in tests.items())


def _fit(conn: Connection, table: ForeignTable, column: ForeignColumn, bits: int) -> Fit:
    kind = column.kind
    nullable = bool(bits & _NULL) or (column.nullable and column.name not in table.primary_key)
    held = bits & (_INT | _REAL | _TEXT | _BLOB)
    if not held:
        return Fit((_TYPES[kind],), nullable)
    if kind == "bool" and held == _INT and not bits & _NOT_BOOL:
        return Fit((bool,), nullable, bool)
    if held == _INT and kind == "number":
        return Fit((int,), nullable)
    # NUMERIC keeps 5.00 as the integer 5: a column of prices holds both.
    numbers = kind in ("float", "number") and not held & ~(_INT | _REAL)
    if numbers and not bits & _BIG:
        return Fit((float,), nullable, float)
    if held == _TEXT:
        for tried in _TEMPORAL.get(kind, ()):
            if _all_parse(conn, table, column, _PARSERS[tried]):
                return Fit((_TYPES[tried],), nullable, _PARSERS[tried])
    names = ((_INT, int), (_REAL, float), (_TEXT, str), (_BLOB, bytes))
    types: tuple[type[Any], ...] = tuple(kind for bit, kind in names if held & bit)
    return Fit(types, nullable)


# -- dates and times as texts ----------------------------------------------------------------


def _parse_date(text: str) -> date:
    return _exact(date.fromisoformat(text), len(text) == 10)


def _parse_datetime(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return _exact(found, 19 <= len(text) <= 26 and found.tzinfo is None)


def _parse_time(text: str) -> time:
    found = time.fromisoformat(text)
    return _exact(found, 8 <= len(text) <= 15 and found.tzinfo is None)


def _exact(found: _Time, exact: bool) -> _Time:
    """Return a time of which nothing was left out when its text was read."""
    if not exact:
        raise ValueError(found)
    return found


_PARSERS: Final[dict[Kind, Callable[[str], Any]]] = {
    "date": _parse_date,
    "datetime": _parse_datetime,
    "time": _parse_time,
}

_TEMPORAL: Final[dict[Kind, tuple[Kind, ...]]] = {
    "date": ("date", "datetime"),
    "datetime": ("datetime", "date"),
    "time": ("time",),
}
"""What is declared → what its texts are tried as."""


def _all_parse(
    conn: Connection, table: ForeignTable, column: ForeignColumn, parse: Callable[[str], Any]
) -> bool:
    at = table.sql.c[column.name]
    try:
        for (text,) in conn.execute(sa.select(at).where(at.is_not(None)).distinct()):
            parse(text)
    except (ValueError, TypeError):
        return False
    return True


# -- other databases -------------------------------------------------------------------------


def _declared(column: ForeignColumn) -> Fit:
    kind = column.kind
    convert = _CONVERT.get(kind)
    return Fit((_TYPES[kind],), column.nullable, convert, kind == "zoned")


def _from_json(value: Any) -> Any:
    if isinstance(value, (str, bytes)):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if value is None or type(value) in _KNOWN:
        return value
    return str(value)


_KNOWN: Final = frozenset({*_TYPES.values()} - {object})

_CONVERT: Final[dict[Kind, Callable[[Any], Any]]] = {
    "bool": bool,
    "bytes": bytes,
    "json": _from_json,
    "other": lambda value: value if isinstance(value, str) else str(value),
}


# -- frames ----------------------------------------------------------------------------------

_DTYPES: Final[dict[type[Any], tuple[str, str]]] = {
    bool: ("bool", "boolean"),
    int: ("int64", "Int64"),
    float: ("float64", "float64"),
    str: ("str", "str"),
    datetime: ("datetime64[us]", "datetime64[us]"),
    date: ("datetime64[s]", "datetime64[s]"),
    timedelta: ("timedelta64[us]", "timedelta64[us]"),
}
"""Python type → the dtype of a column without, and with, missing values."""


def series_of(fit: Fit, values: Sequence[Any]) -> pd.Series[Any]:
    """Return a column in the dtype that fits it; what none fits stays as Python's objects."""
    import pandas as pd

    dtypes = _DTYPES.get(fit.types[0]) if len(fit.types) == 1 else None
    if dtypes is not None:
        try:
            if fit.zoned:
                utc = pd.to_datetime(pd.Series(values, dtype=object), utc=True)
                return utc.astype("datetime64[us, UTC]")
            return typed_column(values, dtypes[fit.nullable])
        except (OverflowError, TypeError, ValueError):
            pass  # beyond what the dtype holds
    return pd.Series(values, dtype=object)
