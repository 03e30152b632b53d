"""Values that Python lacks: a day before Christ, ``infinity``, ``24:00``, MySQL's zero dates.

Where a column has such a value, it is read as the database writes it: what Python has too becomes
a date, a time or a span as everywhere, the rest stays text. So does JSON of which an object has a
name twice; lists lack the indices that an array of PostgreSQL may begin with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.importers.database.schema import (
    ForeignColumn,
    ForeignTable,
    Kind,
    as_text,
    literal,
    only,
)

_DAYS = "NOT {} BETWEEN '0001-01-01' AND '9999-12-31'"
_MOMENTS = "({0} < '0001-01-01' OR {0} >= '10000-01-01')"
_ZONED = "({0} < '0001-01-02' OR {0} >= '9999-12-31')"  # a day less: each zone has its own
_MIDNIGHT = "extract(hour FROM {}) = 24"
_ZERO_DATE = (
    "(year({0}) = 0 OR month({0}) = 0 OR dayofmonth({0}) = 0"
    " OR dayofmonth({0}) > dayofmonth(last_day({0})))"
)
WHEN: Final[dict[str, dict[Kind, str]]] = {
    "postgresql": {
        "date": _DAYS,
        "datetime": _MOMENTS,
        "zoned": _ZONED,
        "time": _MIDNIGHT,
        "timedelta": "(NOT isfinite({0}) OR extract(year FROM {0}) <> 0"
        " OR extract(month FROM {0}) <> 0"
        " OR abs(extract(epoch FROM {0})) > 86399999900000)",
    },
    "duckdb": {
        "date": _DAYS,
        "datetime": _MOMENTS,
        "zoned": _ZONED,
        "time": "CAST({} AS VARCHAR) LIKE '24:%'",
        "timedelta": "(datepart('year', {0}) <> 0 OR datepart('month', {0}) <> 0"
        " OR abs(epoch({0})) > 86399999900000)",
    },
    "mysql": {"date": _ZERO_DATE, "datetime": _ZERO_DATE},
}
"""When a value is one that Python lacks: a month has no length, and spans have a largest."""
NANOSECONDS = "(NOT isfinite({0}) OR coalesce(TRY(epoch_ns({0})), 0) % 1000 <> 0)"


_NAME_TWICE = "NOT (CAST({} AS JSON) IS JSON WITH UNIQUE KEYS)"
_OTHER_INDICES = " OR ".join(f"array_lower({{0}}, {n}) <> 1" for n in range(1, 7))


def is_array(column: ForeignColumn) -> bool:
    """Tell whether a column of PostgreSQL holds arrays."""
    within = column.nested is not None and column.nested.lacks is not None  # of DuckDB
    return column.kind == "json" and column.asked is not as_text and not within


def _tells_names(conn: Connection) -> bool:
    """Tell whether PostgreSQL can say of JSON whether a name comes twice in an object of it."""
    return (conn.dialect.server_version_info or (0,)) >= (16,)


def _when(conn: Connection, table: ForeignTable) -> dict[str, Any]:
    """Return column → when its value is one that Python lacks."""
    dialect = "mysql" if conn.dialect.name == "mariadb" else conn.dialect.name
    quote = conn.dialect.identifier_preparer.quote_identifier
    found: dict[str, Any] = {}
    for column in table.columns:
        when = WHEN.get(dialect, {}).get(column.kind)
        told: Callable[[str], str] | None = None if when is None else when.format
        if column.type == "TIMESTAMP_NS":
            told = NANOSECONDS.format
        elif column.kind == "json" and dialect == "postgresql":
            if is_array(column):
                told = f"({_OTHER_INDICES})".format
            elif column.type.lower() != "jsonb" and _tells_names(conn):
                told = _NAME_TWICE.format
        elif column.nested is not None:
            told = column.nested.lacks
        if told is not None:
            found[column.name] = literal(conn, told(quote(column.name)))
    return found


def lacking_columns(
    conn: Connection, table: ForeignTable, most: int | None = None
) -> frozenset[str]:
    """Return which columns have values that Python lacks, in all rows or in so many of them.

    One statement, which reads these.
    """
    when = _when(conn, table)
    if not when:
        return frozenset()
    asked = [sa.func.max(sa.case((told, 1), else_=0)) for told in when.values()]
    at: Any = table.sql
    if most is not None:
        some = sa.select(*(at.c[name] for name in when)).limit(most)
        at = only(some, table, at).subquery()
    query = sa.select(*asked).select_from(at)
    found = conn.execute(query if most is not None else only(query, table, at)).one()
    return frozenset(name for name, bit in zip(when, found, strict=True) if bit)


def lacking_rows(
    conn: Connection, table: ForeignTable, column: str, most: int
) -> tuple[int, list[tuple[Any, ...]]]:
    """Return how many values of a column Python lacks, and the first of them.

    Each as text, with the values of its row's primary key.
    """
    told = _when(conn, table)[column]
    at = table.sql
    query = only(sa.select(sa.func.count()).select_from(at).where(told), table, at)
    count = int(conn.execute(query).scalar_one())
    names = [name for name in table.primary_key if name != column]
    query = sa.select(as_text(at.c[column]), *(as_text(at.c[name]) for name in names))
    query = only(query, table, at).where(told).limit(most)
    return count, [tuple(row) for row in conn.execute(query)]


def suspicious(column: ForeignColumn, values: Iterable[Any]) -> bool:
    """Tell whether values, as the driver gave them, may stand for some that Python lacks."""
    if column.kind not in PARSERS:
        return False
    if column.type == "TIMESTAMP_NS":
        return True
    kinds = set(map(type, values))
    if str in kinds or bytes in kinds:
        return True
    if timedelta in kinds and column.type.upper().startswith("INTERVAL"):
        return any(value is not None and abs(value) >= _MONTH for value in values)
    ends = {date.max, date.min} if column.kind == "date" else _ENDS
    if column.kind in ("date", "datetime", "zoned") and column.asked is None:
        return any(value in ends for value in values)
    return False


_MONTH = timedelta(days=28)
_ENDS = {
    *(datetime.max, datetime.min, datetime(1, 1, 1)),  # noqa: DTZ001, DTZ901 - as DuckDB gives them
}


# -- texts -----------------------------------------------------------------------------------

_SPAN = re.compile(
    r"(?:(?P<days>-?\d{1,9}) days?)?\s*(?:(?P<sign>[+-]?)(?P<h>\d{1,9}):(?P<m>\d\d)"
    r"(?::(?P<s>\d\d)(?:\.(?P<us>\d{1,6}))?)?)?$"
)


def _span(text: str) -> timedelta:
    found = _SPAN.match(text)
    if not found or not text:
        raise ValueError(text)
    days, sign, h, m, s, us = found.groups()
    clock = timedelta(
        hours=int(h or 0),
        minutes=int(m or 0),
        seconds=int(s or 0),
        microseconds=int((us or "").ljust(6, "0")),
    )
    return timedelta(days=int(days or 0)) + (-clock if sign == "-" else clock)


def _datetime(text: str) -> datetime:
    if len(text.partition(".")[2]) > 6 and not re.fullmatch(
        r".*\.\d{6}([+-].*)?|.*\.\d{6}0+", text
    ):
        raise ValueError(text)  # nanoseconds
    return datetime.fromisoformat(re.sub(r"(\.\d{6})0+$", r"\1", text))


PARSERS: Final[dict[Kind, Callable[[str], Any]]] = {
    "date": date.fromisoformat,
    "datetime": _datetime,
    "zoned": datetime.fromisoformat,
    "time": time.fromisoformat,
    "timedelta": _span,
}


def from_text(kind: Kind) -> Callable[[Any], Any]:
    """Return what makes a value of a text that the database wrote, and leaves what Python lacks.

    Examples
    --------
    >>> [from_text("date")(text) for text in ("2024-02-29", "infinity", "0000-00-00")]
    [datetime.date(2024, 2, 29), 'infinity', '0000-00-00']
    >>> from_text("timedelta")("-1 days +02:00:00.5"), from_text("timedelta")("1 mon")
    (datetime.timedelta(days=-1, seconds=7200, microseconds=500000), '1 mon')
    """
    parse = PARSERS[kind]

    def read(value: Any) -> Any:
        text = value.decode() if isinstance(value, bytes) else value
        try:
            return parse(text) if isinstance(text, str) else text
        except (ValueError, OverflowError):
            return text

    return read
