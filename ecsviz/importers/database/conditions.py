"""Conditions on the rows of a table, as users give them: what `frame` gives finds its rows."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, TypeAlias
from uuid import UUID

import numpy as np
import sqlalchemy as sa

from ecsviz.basics.arguments import is_table
from ecsviz.errors import InvalidArgumentError, did_you_mean, short_repr
from ecsviz.importers.database.lacking import PARSERS
from ecsviz.importers.database.schema import AsItComes, ForeignColumn, ForeignTable, as_text

Where: TypeAlias = "Mapping[str, Any] | sa.ColumnElement[bool] | sa.TextClause | None"
"""A condition on the rows of a table."""


def condition(table: ForeignTable, where: Any, engine: str) -> Any:
    """Return a condition on the rows of a table as SQLAlchemy has it.

    Parameters
    ----------
    table, where
        Whose rows, and which.
    engine
        What SQLAlchemy calls the database.

    Raises
    ------
    InvalidArgumentError
        If it names a column that is not there, or is none.
    """
    if isinstance(where, (sa.ColumnElement, sa.TextClause)):
        return where
    if not isinstance(where, Mapping):
        hint = " Give sa.text(...) for SQL." if isinstance(where, str) else ""
        raise InvalidArgumentError(
            f"where={short_repr(where)} is no condition. Give a dictionary of column values, such"
            f" as {{{table.columns[0].name!r}: 1}}, or an expression of SQLAlchemy.{hint}",
            argument="where",
            value=where,
        )
    parts = []
    known = {column.name: column for column in table.columns}
    for name, value in where.items():
        if not isinstance(name, str) or name not in known:
            raise InvalidArgumentError(
                f"{table.name} has no column {short_repr(name)}."
                f"{did_you_mean(str(name), list(known))}",
                argument="where",
                table=table.name,
                column=name,
            )
        parts.append(_asked(table, known[name], value, engine))
    return sa.and_(sa.true(), *parts)


def _asked(
    table: ForeignTable, column: ForeignColumn, value: Any, engine: str
) -> sa.ColumnElement[bool]:
    """Return the condition that a column has a value, or one of several."""
    if is_table(value):
        why, how = "it has columns of its own", "Give one of them, such as frame['id']"
        raise _no_value(table, column, value, why, how)
    at: Any = table.sql.c[column.name]
    free = engine == "sqlite"  # any value may stand there
    told: list[sa.ColumnElement[bool]] = []
    plain: list[Any] = []
    read: list[Any] = []  # by the database, as it writes them
    for each in map(_of_python, _several(column, value)):
        if isinstance(each, sa.ClauseElement):
            told.append(at == each)
        elif _is_missing(each):
            told.append(at.is_(None))
            if type(each) is float and column.kind in _FLOATS and engine in _WITH_NAN:
                plain.append(each)  # what `frame` gives for a NULL, and for itself
        elif isinstance(each, str) and not _is_text(each):
            told.append(_by_bytes(table, column, each, free))
        elif column.kind == "json" or (isinstance(each, Mapping) and not free):
            _check_comparable(table, column, each)
            told.append(at == sa.literal(each, at.type))
        elif isinstance(each, str) and column.kind in PARSERS and not free:
            read.append(each)
        else:
            plain += _forms(table, column, each) if free else _compared(column, each, engine)
    if column.asked is not None and column.kind in ("int", "other"):
        at, plain = column.asked(at), list(map(str, plain))
    as_it_comes = sa.type_coerce(at, AsItComes())
    if free:  # or all values would be bound as the first of them
        at = as_it_comes
    told.append(_among(at, plain, engine, column.kind))
    if len(read) < _MANY or engine != "postgresql":
        told.append(_among(as_it_comes, read, engine, column.kind))
    else:
        given = sa.bindparam(None, _each_once(read), sa.ARRAY(sa.Text()))
        told.append(at == sa.any_(sa.cast(given, sa.ARRAY(at.type))))
    return sa.or_(sa.false(), *told)


def _among(at: Any, values: list[Any], engine: str, kind: str) -> sa.ColumnElement[bool]:
    """Return the condition that something is one of some values, in few parameters of many."""
    values = _each_once(values)
    if len(values) < 2:
        return at == values[0] if values else sa.false()
    fits = _LISTED.get(engine, {})
    lists: dict[Any, list[Any]] = {}
    single: list[Any] = []
    for value in values:
        name = type(value).__name__
        listed = len(values) >= _MANY and (engine == "postgresql" or fits.get(name) in ("", kind))
        (lists.setdefault(name, []) if listed and _fits(value) else single).append(value)
    told = [at.in_(single)] if single else []
    return sa.or_(*told, *(_in_list(at, some, engine) for some in lists.values()))


def _in_list(at: Any, values: list[Any], engine: str) -> sa.ColumnElement[bool]:
    """Return the condition that something is one of some values, which are one parameter."""
    if engine == "postgresql":
        return at == sa.any_(sa.bindparam(None, values, sa.ARRAY(at.type)))  # type: ignore[no-any-return]
    if engine == "duckdb":
        return at.in_(sa.select(sa.func.unnest(sa.bindparam(None, values, AsItComes()))))  # type: ignore[no-any-return]
    each = sa.func.json_each(json.dumps(values)).table_valued("value")
    return at.in_(sa.select(sa.type_coerce(each.c.value, AsItComes())))  # type: ignore[no-any-return]


_MANY: Final = 1_000
"""So many values are one parameter: of these SQLite takes 32,766, PostgreSQL 65,535."""
_LISTED: Final[dict[str, dict[str, str]]] = {
    "sqlite": {"int": "", "str": ""},
    "duckdb": {
        "date": "date",
        "datetime": "datetime",
        "float": "float",
        "int": "int",
        "str": "str",
    },
}
"""Engine → type of a value → of which kind a column must be, that many are one parameter."""


def _fits(value: Any) -> bool:
    """Tell whether a value may stand in a list."""
    if isinstance(value, str):
        return "\0" not in value
    return not isinstance(value, int) or -(2**63) <= value < 2**63


def _each_once(values: list[Any]) -> list[Any]:
    """Return values without those that are there already, of the same type."""
    known: set[Any] = set()
    found = []
    for value in values:
        key = (type(value), value) if isinstance(value, _HASHED) else (id(value),)
        if key not in known:
            known.add(key)
            found.append(value)
    return found


_HASHED: Final = (int, str, bytes, date, timedelta, UUID)


def _compared(column: ForeignColumn, value: Any, engine: str) -> list[Any]:
    """Return a value as databases compare it, or their drivers write it; none if no row has it."""
    if type(value) is float and (column.kind == "single" or column.type == "REAL"):
        return [float(np.float32(value))]
    if type(value) is float and column.kind == "int" and value.is_integer():
        return [int(value)]  # of a column of pandas with missing values
    if engine not in ("mariadb", "mysql"):
        return [value]
    if isinstance(value, timedelta):
        return [_span(value)]  # the driver writes those below zero as others
    # MySQL takes 'x' for 0, and so every text that begins with no digit.
    if column.kind == "str" and isinstance(value, (int, float, Decimal)):
        return [str(int(value) if isinstance(value, bool) else value)]
    if column.kind in _NUMBERS and isinstance(value, str) and not _NUMBER.fullmatch(value):
        return []
    return [value]


_NUMBERS: Final = ("bits", "decimal", "float", "int", "single")
_NUMBER: Final = re.compile(r"\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\s*", re.ASCII)
_FLOATS: Final = ("float", "single")
_WITH_NAN: Final = ("duckdb", "postgresql")


# -- what is given -----------------------------------------------------------------------------


def _several(column: ForeignColumn, value: Any) -> list[Any]:
    """Return the values of which any is meant: one, or those of a list or an array.

    Of a column that holds lists itself, a list of lists.
    """
    if isinstance(value, np.ndarray) or (
        hasattr(value, "tolist") and not isinstance(value, (np.generic, memoryview))
    ):
        found = value.tolist()  # of an array without dimensions one value
        return found if isinstance(found, list) else [found]
    if not isinstance(value, Collection) or isinstance(value, _ONE):
        return [value]
    given = list(value)
    parts = column.kind == "json"
    return [given] if parts and not all(isinstance(each, (dict, list)) for each in given) else given


_ONE: Final = (str, bytes, bytearray, memoryview, Mapping)


def _of_python(value: Any) -> Any:
    """Return a value of numpy as one of Python.

    Examples
    --------
    >>> _of_python(np.int64(7)), _of_python(np.datetime64("2024-02-29T10:11:12.5"))
    (7, datetime.datetime(2024, 2, 29, 10, 11, 12, 500000))
    """
    if isinstance(value, (np.datetime64, np.timedelta64)):  # else nanoseconds become a number
        return value.astype(
            "datetime64[us]" if isinstance(value, np.datetime64) else "m8[us]"
        ).item()
    return value.item() if isinstance(value, np.generic) else value


def _is_missing(value: Any) -> bool:
    """Tell whether a value stands for none: None, NaN, pandas' NA and NaT."""
    named = type(value).__name__ in ("NAType", "NaTType")
    return value is None or named or (isinstance(value, float) and value != value)  # noqa: PLR0124 - NaN


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _by_bytes(
    table: ForeignTable, column: ForeignColumn, text: str, free: bool
) -> sa.ColumnElement[bool]:
    """Return the condition that a text of SQLite has such bytes, which are no UTF-8."""
    try:
        if free:
            return has_bytes(table.sql.c[column.name], text)
    except UnicodeEncodeError:
        pass
    raise _no_value(table, column, text, "no database holds a text with half a character in it")


def has_bytes(at: Any, text: str, encoding: str = "UTF-8") -> sa.ColumnElement[bool]:
    """Return the condition that a value of SQLite is a text of such bytes, if they are no UTF-8.

    In another encoding of the database, they are not those that were read.
    """
    written = text.encode(errors="surrogateescape")
    if encoding != "UTF-8":
        written = written.decode(errors="surrogatepass").encode(encoding, errors="surrogatepass")
    return sa.and_(sa.func.typeof(at) == "text", sa.cast(at, sa.BLOB()) == written)


def _forms(table: ForeignTable, column: ForeignColumn, value: Any) -> list[Any]:
    """Return how a value may be written in SQLite, which has no dates and no decimals.

    None at all where no row can have it.
    """
    if isinstance(value, datetime):
        day = [value.date().isoformat()] if value.timetz() == time() else []
        return day + [
            f"{value.date()}{sep}{told}" for sep in " T" for told in _times(value.timetz())
        ]
    if isinstance(value, time):
        return _times(value)
    if isinstance(value, date):
        return [value.isoformat()]
    if isinstance(value, Decimal):
        return [] if value.is_nan() else _forms(table, column, float(value))
    if isinstance(value, UUID):
        return [str(value)]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return [value] if _TEXTS.search(column.type) else [int(value)]
    if isinstance(value, (str, bytes, bytearray, memoryview, float, int)):
        return [value]
    raise _no_value(table, column, value, "no column of SQLite holds such a value")


_TEXTS: Final = re.compile("CHAR|CLOB|TEXT", re.IGNORECASE)
"""Types of SQLite whose columns turn numbers into texts, and 5.0 into another than 5."""


def _times(value: time) -> list[str]:
    """Return a time with as many places behind its seconds as it may be written with.

    Examples
    --------
    >>> _times(time(10, 11, 12, 250_000))
    ['10:11:12.25', '10:11:12.250', '10:11:12.2500', '10:11:12.25000', '10:11:12.250000']
    """
    whole = value.replace(microsecond=0).isoformat()
    clock, zone = whole[:8], whole[8:]
    digits = f"{value.microsecond:06}"
    fewest = len(digits.rstrip("0"))
    return [f"{clock}{'.' * bool(n)}{digits[:n]}{zone}" for n in range(fewest, 7)]


def _span(value: timedelta) -> str:
    """Return a span as MySQL writes it.

    Examples
    --------
    >>> _span(timedelta(hours=-1, milliseconds=-500)), _span(timedelta(days=4, hours=4))
    ('-01:00:00.500000', '100:00:00.000000')
    """
    seconds, micros = divmod(abs(value) // timedelta(microseconds=1), 1_000_000)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{micros:06}"
    return "-" * (value < timedelta()) + clock


def _check_comparable(table: ForeignTable, column: ForeignColumn, value: Any) -> None:
    if (
        column.nested is not None
        or (column.kind == "json" and column.asked is as_text)  # of a domain, too
        or isinstance(value, Mapping)
        or "json" in column.type.lower().partition("(")[0]
    ):
        why = "values with parts are not compared as a whole"
        how = f'Ask for a part by an expression: sa.text("{column.name} …")'
        raise _no_value(table, column, value, why, how)


def _no_value(
    table: ForeignTable, column: ForeignColumn, value: Any, why: str, how: str = ""
) -> InvalidArgumentError:
    how = how or "Give a number, a text, bytes, a date or a time, None, or a list of these"
    return InvalidArgumentError(
        f"where= asks for {short_repr(value)} in {table.name}.{column.name}: {why}. {how}.",
        argument="where",
        table=table.name,
        column=column.name,
        value=value,
    )
