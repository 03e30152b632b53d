"""What the values of a column are in Python: as declared, or as they turn out to be.

Any value may stand in any column of a SQLite file. So there the values that are read are looked
at, or for classes some of the table's first: where they fit what is declared they are given as
that, and otherwise as they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID

import numpy as np
from sqlalchemy.engine import Connection

from ecsviz.errors import EcsvizError
from ecsviz.importers.database.json_tables import is_exact
from ecsviz.importers.database.lacking import PARSERS, from_text, suspicious
from ecsviz.importers.database.rows import quoted_name
from ecsviz.importers.database.schema import (
    ForeignColumn,
    ForeignTable,
    Kind,
    shortest_single,
)
from ecsviz.values.tagged_json import UNREADABLE

_Time = TypeVar("_Time", date, datetime, time)

_CHUNK: Final = 1_800
"""How many questions one statement asks about a table: SQLite takes 2,000."""
_NUMBERS: Final = ("bool", "float", "number")
"""Kinds of which it matters how large integers are."""

_INT, _REAL, _TEXT, _BLOB, _NULL, _NOT_BOOL, _BIG = (1 << n for n in range(7))

_TYPES: Final[dict[Kind, type[Any]]] = {
    "bits": int,
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
    "single": float,
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
    as_text
        Whether the database is asked for its texts, since Python lacks some of the values.
    bits
        The kinds of values that were seen, on SQLite.
    """

    types: tuple[type[Any], ...]
    nullable: bool
    convert: Callable[[Any], Any] | None = None
    zoned: bool = False
    as_text: bool = False
    bits: int = 0

    def values(self, stored: list[Any]) -> list[Any]:
        """Return the values of a column as the driver gave it."""
        convert = self.convert
        if convert is None or (convert is float and self.bits & (_REAL | _INT) == _REAL):
            return stored
        if convert is _parse_date and len(stored) >= _OFTEN:  # there are few days
            days = {text: None if text is None else convert(text) for text in set(stored)}
            return list(map(days.__getitem__, stored))
        return [None if value is None else convert(value) for value in stored]

    @property
    def annotation(self) -> Any:
        """The annotation of the field that holds them."""
        found: Any = Any if self.types == (object,) else self.types[0]
        for kind in self.types[1:]:
            found = found | kind
        return found | None if self.nullable and found is not Any else found


_OFTEN: Final = 100
"""In so many rows days come more than once: each is read once."""


def fits_of(
    conn: Connection,
    table: ForeignTable,
    lacking: Container[str] = (),
    most: int | None = None,
) -> list[Fit]:
    """Return how each column of a table is given.

    Parameters
    ----------
    conn, table
        The table, and where it is.
    lacking
        The columns that have values which Python lacks.
    most
        At how many of its rows to look; None for all.

    Notes
    -----
    O(1) but on SQLite: there a statement that reads these rows once for every 1,800 columns, one
    for integers among numbers, and one for each column of texts that are declared as dates or
    times.
    """
    if conn.dialect.name != "sqlite":
        return [_declared(column, column.name in lacking) for column in table.columns]
    quote = conn.dialect.identifier_preparer.quote_identifier
    end = "" if most is None else f" LIMIT {most}"

    def ask(values: Sequence[str], *functions: str) -> Iterator[Any]:
        # As text: for a thousand columns, SQLAlchemy would compile for seconds.
        for start in range(0, len(values), _CHUNK):
            some = values[start : start + _CHUNK]
            inner = ", ".join(f"{value} AS v{n}" for n, value in enumerate(some))
            outer = ", ".join(f.format(f"v{n}") for n in range(len(some)) for f in functions)
            at = f"(SELECT {inner} FROM {quoted_name(conn, table)}{end})"  # noqa: S608 - quoted
            yield from conn.exec_driver_sql(f"SELECT {outer} FROM {at}").one()  # noqa: S608

    # Not "IS NULL", which SQLite answers from the declaration where it says NOT NULL. The types are
    # told within, where they stand before the values: large ones are not read.
    told = ask([f"typeof({quote(c.name)})" for c in table.columns], "group_concat(DISTINCT {})")
    kinds = [set((names or "").split(",")) for names in told]
    numbers = [
        quote(column.name)
        for column, held in zip(table.columns, kinds, strict=True)
        if column.kind in _NUMBERS and "integer" in held and held <= {"integer", "real", "null"}
    ]
    integers = [f"CASE WHEN typeof({name})='integer' THEN {name} END" for name in numbers]
    ends = ask(integers, "max({})", "min({})")
    result = []
    for column, held in zip(table.columns, kinds, strict=True):
        name = quote(column.name)
        bits = _bits(held, (next(ends), next(ends)) if name in numbers else (None, None))
        at = f"(SELECT {name} FROM {quoted_name(conn, table)}{end})"  # noqa: S608 - quoted
        query = f"SELECT DISTINCT {name} FROM {at} WHERE {name} IS NOT NULL"  # noqa: S608
        result.append(_fit(table, column, bits, partial(_scalars, conn, query)))
    return result


def _scalars(conn: Connection, query: str) -> Iterable[Any]:
    return conn.exec_driver_sql(query).scalars()


def fit_of(table: ForeignTable, column: ForeignColumn, values: Sequence[Any]) -> Fit:
    """Return how a column of SQLite is given, by values of it that were read."""
    return _fit(table, column, _bits_of(column, values), lambda: _texts(values))


def fit_within(
    table: ForeignTable, column: ForeignColumn, known: Fit, values: Sequence[Any]
) -> Fit | None:
    """Return how values of SQLite are given in known types; None if they do not fit."""
    bits = known.bits | _bits_of(column, values)
    if bits != known.bits:
        found = _fit(table, column, bits, lambda: _texts(values))
        same = (found.types, found.nullable) == (known.types, known.nullable)
        return found if same else None
    parse = known.convert
    if parse not in _PARSERS.values() or parse is None or _all_parse(_texts(values), parse):
        return known
    return None


def _texts(values: Iterable[Any]) -> set[Any]:
    return {text for text in values if text is not None}


def _bits_of(column: ForeignColumn, values: Sequence[Any]) -> int:
    kinds = {_STORED[kind] for kind in set(map(type, values))}
    numbers: tuple[Any, Any] = (None, None)
    if "integer" in kinds and column.kind in _NUMBERS:
        found = [value for value in values if type(value) is int]
        numbers = max(found), min(found)
    return _bits(kinds, numbers)


_STORED: Final = {int: "integer", float: "real", str: "text", bytes: "blob", type(None): "null"}
_BITS: Final = {"integer": _INT, "real": _REAL, "text": _TEXT, "blob": _BLOB, "null": _NULL}


def _bits(kinds: set[str], ends: tuple[Any, Any]) -> int:
    """Return the kinds of values in a column as bits."""
    bits = sum(bit for name, bit in _BITS.items() if name in kinds)
    high, low = ends
    if high is not None:
        bits |= _NOT_BOOL * (low < 0 or high > 1) | _BIG * (low < -(2**53) or high > 2**53)
    return bits


def _fit(
    table: ForeignTable, column: ForeignColumn, bits: int, texts: Callable[[], Iterable[Any]]
) -> Fit:
    kind = column.kind
    nullable = bool(bits & _NULL) or (column.nullable and column.name not in table.primary_key)
    held = bits & (_INT | _REAL | _TEXT | _BLOB)
    if not held:
        return Fit((_TYPES[kind],), nullable, bits=bits)
    if kind == "bool" and held == _INT and not bits & _NOT_BOOL:
        return Fit((bool,), nullable, bool, bits=bits)
    if held == _INT and kind == "number":
        return Fit((int,), nullable, bits=bits)
    # NUMERIC keeps 5.00 as the integer 5: a column of prices holds both.
    numbers = kind in ("float", "number") and not held & ~(_INT | _REAL)
    if numbers and not bits & _BIG:
        return Fit((float,), nullable, float, bits=bits)
    if held == _TEXT:
        for tried in _TEMPORAL.get(kind, ()):
            if _all_parse(texts(), _PARSERS[tried]):
                return Fit((_TYPES[tried],), nullable, _PARSERS[tried], bits=bits)
    names = ((_INT, int), (_REAL, float), (_TEXT, str), (_BLOB, bytes))
    types: tuple[type[Any], ...] = tuple(kind for bit, kind in names if held & bit)
    return Fit(types, nullable, bits=bits)


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


def _all_parse(texts: Iterable[Any], parse: Callable[[str], Any]) -> bool:
    try:
        for text in texts:
            parse(text)
    except (ValueError, TypeError):
        return False
    return True


# -- what is read ----------------------------------------------------------------------------


class Columns(NamedTuple):
    """Columns of a table that were read.

    Attributes
    ----------
    fits
        How each is given.
    stored
        Their values as the driver gave them.
    values
        Their values in Python's types.
    """

    fits: list[Fit]
    stored: list[list[Any]]
    values: list[list[Any]]


def read_columns(
    conn: Connection,
    table: ForeignTable,
    names: Sequence[str],
    read: Callable[[Collection[str]], list[list[Any]]],
) -> Columns:
    """Read columns, and look at what was read, not at the rest of the table.

    Parameters
    ----------
    conn, table, names
        Which columns of what.
    read
        Reads them; those that it is given as texts.

    Notes
    -----
    One statement. One more where a value came that Python may lack: the columns that may have
    such are read as texts then.
    """
    known = {column.name: column for column in table.columns}
    asked = [known[name] for name in names]
    driver: Any = conn.dialect.loaded_dbapi
    sqlite = conn.dialect.name == "sqlite"
    try:
        stored = read(())
        doubted = {
            column.name
            for column, values in zip(asked, stored, strict=True)
            if not sqlite and suspicious(column, values)
        }
    except (driver.DataError, *UNREADABLE) as err:  # of psycopg, once it has the value
        if isinstance(err, EcsvizError) and not isinstance(err.__cause__, OverflowError):
            raise  # of what was asked: no other reading helps
        stored, doubted = [], {column.name for column in asked if column.kind in PARSERS}
        if not doubted:
            raise
    if doubted:
        stored = read(doubted)
    if sqlite:
        fits = [fit_of(table, c, values) for c, values in zip(asked, stored, strict=True)]
    else:
        fits = [_declared(column, column.name in doubted) for column in asked]
    values = [fit.values(column) for fit, column in zip(fits, stored, strict=True)]
    for number, column in enumerate(asked):
        if column.name in doubted and str not in set(map(type, values[number])):
            fits[number] = _declared(column, lacking=False)
    return Columns(fits, stored, values)


def read_within(
    conn: Connection,
    table: ForeignTable,
    known: Sequence[Fit],
    read: Callable[[Collection[str]], list[list[Any]]],
) -> tuple[list[list[Any]], list[list[Any]] | None]:
    """Return all columns as the driver gives them, and in the types that are known.

    None instead of the latter if a value does not fit.
    """
    found = read_columns(conn, table, [column.name for column in table.columns], read)
    if conn.dialect.name != "sqlite":
        fits = zip(found.fits, known, strict=True)
        within = all({*own.types} <= {*told.types} for own, told in fits)
        return found.stored, found.values if within else None
    values = []
    for column, told, stored in zip(table.columns, known, found.stored, strict=True):
        fit = fit_within(table, column, told, stored)
        if fit is None:
            return found.stored, None
        values.append(fit.values(stored))
    return found.stored, values


# -- other databases -------------------------------------------------------------------------


def _declared(column: ForeignColumn, lacking: bool) -> Fit:
    kind = column.kind
    if column.nested is not None:
        return Fit((object,), column.nullable, column.nested.read)
    if lacking and kind in PARSERS:
        return Fit((_TYPES[kind], str), column.nullable, from_text(kind), kind == "zoned", True)
    return Fit((_TYPES[kind],), column.nullable, CONVERT.get(kind), kind == "zoned")


def from_json(value: Any) -> Any:
    """Return what a text of JSON says; a number that a float would round is a Decimal.

    A text stays what it is where an object has a name twice: a dictionary keeps one of them.

    Examples
    --------
    >>> from_json("[1.10, 12345678901234567890.5, 1e400]")
    [1.1, Decimal('12345678901234567890.5'), Decimal('1E+400')]
    >>> from_json('{"a": 1, "a": 2}'), from_json('{"a": 1}')
    ('{"a": 1, "a": 2}', {'a': 1})
    """
    if isinstance(value, (str, bytes)):
        try:
            return json.loads(
                value, parse_float=_float, parse_int=_int, object_pairs_hook=_names_once
            )
        except (ValueError, RecursionError):
            return value
    return plain(value)


def _names_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a name comes twice")
    return made


def _float(text: str) -> float | Decimal:
    return float(text) if is_exact(text) else Decimal(text)


def _int(text: str) -> int | Decimal:
    try:
        return int(text)
    except ValueError:  # Python makes no integer of so many digits
        return Decimal(text)


def from_jsons(value: Any) -> Any:
    """Return lists of what texts of JSON say, of an array."""
    if isinstance(value, list):
        return [from_jsons(part) for part in value]
    return None if value is None else from_json(value)


def plain(value: Any) -> Any:
    """Return a value with parts as lists and dictionaries, of what columns hold alone too."""
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if value is None or type(value) in _KNOWN:
        return value
    return str(value)


_KNOWN: Final = frozenset({*_TYPES.values()} - {object})

CONVERT: Final[dict[Kind, Callable[[Any], Any]]] = {
    "bits": lambda value: int.from_bytes(value, "big") if isinstance(value, bytes) else int(value),
    "bool": bool,
    "bytes": bytes,
    "json": from_json,
    "int": int,
    "other": lambda value: value if isinstance(value, str) else str(value),
    "single": shortest_single,
    "uuid": lambda value: UUID(value) if isinstance(value, str) else value,
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


_OF_NUMPY: Final = frozenset(("bool", "int64", "float64"))


def column_of(fit: Fit, values: Sequence[Any]) -> Any:
    """Return a column in the dtype that fits it; what none fits stays as Python's objects.

    An array where that will do: a Series' index and checks cost more than a few values.
    """
    import pandas as pd

    dtypes = _DTYPES.get(fit.types[0]) if len(fit.types) == 1 else None
    if dtypes is not None:
        try:
            if fit.zoned:
                utc = pd.to_datetime(pd.Series(values, dtype=object), utc=True)
                return utc.astype("datetime64[us, UTC]").array
            dtype = dtypes[fit.nullable]
            if dtype in _OF_NUMPY:
                return np.array(values, dtype=dtype)
            if dtype == "Int64":  # of larger ones, pandas would make floats first
                numbers = np.array([value or 0 for value in values], dtype="int64")
                missing = np.array([value is None for value in values], dtype=bool)
                return pd.arrays.IntegerArray(numbers, missing)
            array: Any = pd.array  # its overloads know no name that is computed
            return array(values, dtype=dtype)
        except (OverflowError, TypeError, ValueError):
            pass  # beyond what the dtype holds, or texts beyond UTF-8
    return pd.Series(values, dtype=object)  # an array of objects would be taken for texts
