"""Files of CSV as tables of DuckDB: every record once, as it stands, and what is odd is told.

DuckDB's own reader guesses what a file is, and leaves out what does not fit its guess: lines that
begin with ``#``, lines before the first of the usual width, other widths. Here Python's reader
takes all records, as texts; what a column's types are is asked when all are there.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np

from ecsviz.basics.file_locks import open_to_read
from ecsviz.basics.text import counted, sql_name
from ecsviz.errors import short_repr
from ecsviz.importers.files import MAX_VALUE

_CELLS: Final = 400_000
"""How many values are handed to DuckDB at a time."""
_MOST_COLUMNS: Final = 2_000
"""How many columns a table may have: more are a file that is no table."""
_SAMPLE: Final = 65_536
"""How many letters tell what stands between values."""
_BOMS: Final = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


class NoTableError(Exception):
    """A file is no table: caught where it is to be read."""


@dataclass
class Tally:
    """What is odd in a file: told in `problems`, with the number of its rows."""

    name: str = ""
    lines: list[tuple[str, int | None]] = field(default_factory=list)

    def add(self, what: str, rows: int | None = None) -> None:
        """Take note of something."""
        self.lines.append((f"{self.name}: {what}", rows))


class TextTable:
    """A table of texts in DuckDB, which grows by rows and by columns.

    Parameters
    ----------
    conn
        The driver's connection.
    name
        What the table is called; there is none yet.
    """

    def __init__(self, conn: Any, name: str) -> None:
        self.conn, self.name, self.columns = conn, sql_name(name), dict[str, str]()
        self.rows = 0

    def need(self, names: Iterable[str]) -> list[str]:
        """Return what the table calls columns; those that it does not have are added."""
        called = []
        for name in names:
            key = name.casefold()
            if key not in self.columns:
                self.columns[key] = name
                if len(self.columns) > _MOST_COLUMNS:
                    raise NoTableError(f"it has more than {_MOST_COLUMNS:,} columns")
                told = f"{sql_name(name)} VARCHAR"
                first = len(self.columns) == 1
                made = f"CREATE TABLE {self.name} ({told})"
                self.conn.execute(made if first else f"ALTER TABLE {self.name} ADD COLUMN {told}")
            called.append(self.columns[key])
        return called

    def add(self, names: list[str], values: list[tuple[str | None, ...]]) -> None:
        """Add rows, given as columns of these names."""
        called = ", ".join(map(sql_name, self.need(names)))
        chunk = {f"c{n}": np.array(column, dtype=object) for n, column in enumerate(values)}
        self.conn.register(_CHUNK, chunk)
        try:
            self.conn.execute(f"INSERT INTO {self.name} ({called}) SELECT * FROM {_CHUNK}")  # noqa: S608 - quoted
        finally:
            self.conn.unregister(_CHUNK)
        self.rows += len(values[0])


_CHUNK: Final = "ecsviz_chunk"


def check_count(conn: Any, table: str, asked: str, given: Any) -> None:
    """Raise unless a table has as many rows as a statement says."""
    (there,) = conn.execute(asked, [given]).fetchone()
    (found,) = conn.execute(f"SELECT count(*) FROM {sql_name(table)}").fetchone()  # noqa: S608 - quoted
    if found != there:
        raise NoTableError(f"DuckDB has {found:,} of {there:,} rows of it")


def add_csv(
    table: TextTable, path: Path, tally: Tally, more: dict[str, str], header: bool | None = None
) -> None:
    """Add all records of a file to a table.

    Parameters
    ----------
    table, path
        Where to, and what.
    tally
        Is told what is odd.
    more
        Column → value, of all rows: what the names of folders say.
    header
        Whether the first row names the columns; None if its contents are to tell.

    Raises
    ------
    NoTableError
        If its text cannot be read as records.
    """
    if csv.field_size_limit() < MAX_VALUE:
        csv.field_size_limit(MAX_VALUE)
    encoding = encoding_of(path, tally)
    with path.open(encoding=encoding, newline="") as file:
        start = file.read(_SAMPLE)
    if not start.strip("\r\n"):
        raise NoTableError("it is empty")
    form = _form(path, encoding, _delimiter(start, path))
    if form["quoting"] == csv.QUOTE_NONE:
        tally.add("its quotes do not match: each line is a row, with the quotes as they stand")
    with path.open(encoding=encoding, newline="") as file:
        _Records(csv.reader(file, **form), tally, header).into(table, more)


def encoding_of(path: Path, tally: Tally) -> str:
    """Return how the letters of a file are written; what is no more than likely is told."""
    with open_to_read(path) as file:
        start = file.read(1_024)
    for mark, name in _BOMS:
        if start.startswith(mark):
            return name
    if guess := _without_mark(start):
        tally.add("it does not say how its letters are written, and was read as UTF-16")
        return guess
    try:
        with path.open(encoding="utf-8", newline="") as text:
            while text.read(2**20):
                pass
    except UnicodeDecodeError:
        tally.add("it is no UTF-8, and was read as Latin-1: look at letters such as é")
        return "latin-1"
    return "utf-8"


def _without_mark(start: bytes) -> str | None:
    """Return which UTF-16 a file is in: every second byte of plain letters is nothing."""
    zeros = [start[n::2].count(0) * 3 > len(start) // 2 for n in (0, 1)]
    return {(True, False): "utf-16-be", (False, True): "utf-16-le"}.get((zeros[0], zeros[1]))


def _delimiter(start: str, path: Path) -> str:
    """Return what stands between values: what gives the most rows one width, of two or more."""
    best, found = (0.0, 0), "\t" if ".tsv" in path.name.lower() else ","
    for tried in dict.fromkeys((found, ",", ";", "\t", "|")):
        widths = Counter(len(row) for row in _sampled(start, tried) if row)
        told = [(count / widths.total(), width) for width, count in widths.items() if width > 1]
        if told and max(told) > best and max(told)[0] >= _HALF:
            best, found = max(told), tried
    return found


_HALF: Final = 0.5


def _sampled(start: str, delimiter: str) -> list[list[str]]:
    whole = start if len(start) < _SAMPLE else start.rpartition("\n")[0] or start
    return list(csv.reader(io.StringIO(whole, newline=""), delimiter=delimiter))


def _form(path: Path, encoding: str, delimiter: str) -> dict[str, Any]:
    """Return how a file is written: quotes are doubled, or escaped, or are letters as others."""
    forms: list[dict[str, Any]] = [
        {"quoting": csv.QUOTE_MINIMAL, "strict": True},
        {
            "quoting": csv.QUOTE_MINIMAL,
            "strict": True,
            "doublequote": False,
            "escapechar": "\\",
        },
    ]
    for form in forms:
        try:
            with path.open(encoding=encoding, newline="") as file:
                for _ in csv.reader(file, delimiter=delimiter, **form):
                    pass
        except csv.Error:
            continue
        return {"delimiter": delimiter, **form}
    return {"delimiter": delimiter, "quoting": csv.QUOTE_NONE}


class _Records:
    """The records of a file, one after the other.

    Parameters
    ----------
    reader
        Of the ``csv`` module.
    tally
        Is told what is odd.
    header
        As in `add_csv`.
    """

    def __init__(self, reader: Any, tally: Tally, header: bool | None) -> None:
        self.reader, self.tally, self.header = reader, tally, header
        self._first = list(islice(self._all(), _LOOKED_AT))
        self.names = self._header()
        self._odd, self._odd_line = 0, 0

    def _all(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each record with the number of the line in which it ends."""
        try:
            for row in self.reader:
                yield self.reader.line_num, row
        except csv.Error as err:
            _not_read(err, self.reader.line_num)

    def _header(self) -> list[str]:
        """Take what stands before the rows, and return the names of their columns."""
        full = [row for _, row in self._first if row]
        width = Counter(map(len, full)).most_common(1)[0][0] if full else 0
        before = [row for row in full[: _at(full, width)] if any(row)]
        if before and width > 1 and all(len(row) == 1 for row in before):
            texts = ", ".join(short_repr(row[0]) for row in before[:3])
            self.tally.add(f"what stands before the header was left out ({texts})", len(before))
            drop = next(n for n, (_, row) in enumerate(self._first) if len(row) == width)
            del self._first[:drop]
            full = full[_at(full, width) :]
        while self._first and not self._first[0][1]:
            del self._first[0]  # blank lines before all else
        named = _is_header(full) if self.header is None else self.header
        if named is None:
            self.tally.add(
                "nothing tells whether its first row names the columns, and it was taken for"
                " that: header=False takes it for a row, header=True for names"
            )
        if named is False or not full:
            return [f"column{n}" for n in range(len(full[0]) if full else 1)]
        del self._first[0]
        return _names(full[0])

    def into(self, table: TextTable, more: dict[str, str]) -> None:
        """Add the rows to a table."""
        table.need([*self.names, *more])
        width = len(self.names)
        rows: list[list[str]] = []
        for line, row in chain(self._first, self._all()):
            if not row and width > 1:
                continue  # a blank line
            if row and len(row) != width:
                self._odd += 1
                self._odd_line = self._odd_line or line
            rows.append(row)
            if len(rows) * len(self.names) >= _CELLS:
                self._flush(table, rows, more)
                rows = []
        self._flush(table, rows, more)
        if self._odd:
            self.tally.add(
                f"{counted(self._odd, 'row')} with fewer or more values than there are columns, the"
                f" first in line {self._odd_line:,}: what is missing is NULL, what is more stands"
                " in columns of its own",
                self._odd,
            )

    def _flush(self, table: TextTable, rows: list[list[str]], more: dict[str, str]) -> None:
        if not rows:
            return
        width = max(map(len, [self.names, *rows]))
        if width > _MOST_COLUMNS:
            raise NoTableError(f"a row of it has {width:,} values")
        self.names += [f"column{n}" for n in range(len(self.names), width)]
        self.names = _names(self.names)
        columns: list[Any] = [
            [value or None for value in column] for column in zip_longest(*rows, fillvalue="")
        ]
        columns += [[None] * len(rows) for _ in range(width - len(columns))]
        columns += [[value] * len(rows) for value in more.values()]
        table.add([*self.names, *more], columns)


_LOOKED_AT: Final = 1_000
"""How many records tell whether the first is a header."""


def _not_read(err: csv.Error, line: int) -> NoReturn:
    raise NoTableError(f"line {line:,} cannot be read ({err})") from err


def _at(rows: list[list[str]], width: int) -> int:
    return next((n for n, row in enumerate(rows) if len(row) == width), 0)


def _is_header(rows: list[list[str]]) -> bool | None:
    """Tell whether the first row names columns; None if nothing tells, since all are texts.

    Where the others are numbers, it has none.
    """
    if not rows or not any(rows[0]):
        return False
    told = []
    for n, name in enumerate(rows[0]):
        values = [row[n] for row in rows[1:] if len(row) > n and row[n]]
        if values and all(map(_is_value, values)):
            told.append(not _is_value(name))
    if told:
        return any(told)
    # No row but the first, or texts alone: no names if it is of numbers.
    return False if all(map(_is_value, filter(None, rows[0]))) else None


def _is_value(text: str) -> bool:
    """Tell whether a text is a number, a truth, a date or a time, and no name."""
    return _VALUE.fullmatch(text.strip()[:100]) is not None


_VALUE: Final = re.compile(
    r"[-+]?[\d.,]*\d([eE][-+]?\d+)?|[\d/.:-]*\d([T ][\d:.]+)?(Z|[-+]\d\d:?\d\d)?|true|false",
    re.IGNORECASE,
)


def _names(row: list[str]) -> list[str]:
    """Return names of columns: each is one, and no other's, whatever their case."""
    found: dict[str, str] = {}
    for number, text in enumerate(row):
        name = plain = text.strip().replace("\0", "") or f"column{number}"
        times = 0
        while name.casefold() in found:
            times += 1
            name = f"{plain}_{times}"
        found[name.casefold()] = name
    return list(found.values())


# -- types -------------------------------------------------------------------------------------

_CLOCK: Final = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
_DAY: Final = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_NUMBER: Final = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?"
_DIGITS: Final = "regexp_replace(regexp_replace(COL, '[eE].*', ''), '[^0-9]', '', 'g')"
_FLOAT: Final = "TRY_CAST(COL AS DOUBLE)"
_TYPES: Final = {
    "BOOLEAN": "lower(COL) IN ('true', 'false')",
    "BIGINT": "CAST(TRY_CAST(COL AS BIGINT) AS VARCHAR) = COL",
    "HUGEINT": "CAST(TRY_CAST(COL AS HUGEINT) AS VARCHAR) = COL",
    # What a float would round is none: large integers, many digits, what is nearly nothing.
    "DOUBLE": f"lower(COL) IN ('nan', 'inf', '-inf') OR (regexp_full_match(COL, '{_NUMBER}')"
    f" AND isfinite({_FLOAT}) AND length(trim({_DIGITS}, '0')) <= 17"
    f" AND (contains(COL, '.') OR abs({_FLOAT}) < 9007199254740992)"
    f" AND ({_FLOAT} <> 0 OR trim({_DIGITS}, '0') = ''))",
    "DATE": f"regexp_full_match(COL, '{_DAY}') AND TRY_CAST(COL AS DATE) IS NOT NULL",
    "TIME": f"regexp_full_match(COL, '{_CLOCK}') AND TRY_CAST(COL AS TIME) IS NOT NULL",
    "TIMESTAMP": f"regexp_full_match(COL, '{_DAY}([ T]{_CLOCK})?')"
    " AND TRY_CAST(COL AS TIMESTAMP) IS NOT NULL",
    "TIMESTAMPTZ": f"regexp_full_match(COL, '{_DAY}[ T]{_CLOCK}(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)')"
    " AND TRY_CAST(COL AS TIMESTAMPTZ) IS NOT NULL",
}
"""Type → when a text is a value of it, and nothing of it is lost."""


def types_of(conn: Any, table: str, columns: Iterable[str]) -> dict[str, str]:
    """Return column of texts → the first type that all of its values have, else VARCHAR."""
    found = {}
    for column in columns:
        at = sql_name(column)
        asked = ", ".join(
            f"bool_and(coalesce({when.replace('COL', at)}, false)) FILTER ({at} IS NOT NULL)"
            for when in _TYPES.values()
        )
        told = conn.execute(f"SELECT {asked} FROM {sql_name(table)}").fetchone()  # noqa: S608 - quoted
        pairs = zip(_TYPES, told, strict=True)
        found[column] = next((kind for kind, fits in pairs if fits), "VARCHAR")
    return found
