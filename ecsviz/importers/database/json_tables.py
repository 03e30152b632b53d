"""Files of JSON as tables of DuckDB: every record once, and no number rounded."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from ecsviz.basics.file_locks import open_to_read
from ecsviz.basics.text import counted, sql_name, sql_text
from ecsviz.importers.database.csv_tables import Tally, check_count, encoding_of
from ecsviz.importers.files import MAX_VALUE

_LONG: Final = re.compile(rb"[0-9][0-9.]{16}|[eE][+-]?[0-9]{3}")
"""What may be a number that is no float."""
_TOKENS: Final = re.compile(r'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*')
_OPTIONS: Final = f"sample_size=-1, union_by_name=true, maximum_object_size={MAX_VALUE}"


def make_of_json(
    conn: Any, table: str, parts: Mapping[Path, Path], tally: Tally, folder: Path
) -> None:
    """Make a table of files, with a row for each of their records.

    Parameters
    ----------
    conn
        The driver's connection.
    table
        What it is called.
    parts
        File → where it lies unpacked.
    tally
        Is told what is odd in them.
    folder
        Where files are written anew that DuckDB would not read as they are.

    Raises
    ------
    NoTableError
        If there are other rows than records.
    """
    with ExitStack() as stack:
        paths = []
        for path, unpacked in parts.items():
            tally.name = path.name
            paths.append(str(stack.enter_context(_plain(unpacked, folder, tally))))
        told = conn.execute(f"DESCRIBE FROM read_json(?, {_OPTIONS})", [paths]).fetchall()
        types = {name: kind for name, kind, *_ in told}
        options = _OPTIONS
        if rounded := _rounded(conn, paths, types):
            types |= dict.fromkeys(rounded, "JSON")
            columns = ", ".join(
                f"{sql_text(name)}: {sql_text(kind)}" for name, kind in types.items()
            )
            options += f", columns={{{columns}}}"
        conn.execute(
            f"CREATE TABLE {sql_name(table)} AS SELECT * FROM read_json(?, {options})",  # noqa: S608 - quoted
            [paths],
        )
        records = f"read_json_objects(?, maximum_object_size={MAX_VALUE})"
        check_count(conn, table, f"SELECT count(*) FROM {records}", paths)  # noqa: S608 - a number


@contextmanager
def _plain(path: Path, folder: Path, tally: Tally) -> Iterator[Path]:
    """Yield the path of a file in UTF-8, in which what no float holds is a text."""
    encoding = encoding_of(path, tally)
    with open_to_read(path) as raw:
        long = any(_LONG.search(line) for line in raw)
    if encoding in ("utf-8", "utf-8-sig") and not long:
        yield path
        return
    count = 0

    def told(match: re.Match[str]) -> str:
        nonlocal count
        token = match[0]
        if token.startswith('"') or len(token) < _SHORT or is_exact(token):
            return token
        count += 1
        return f'"{token}"'

    handle, name = tempfile.mkstemp(".json", dir=folder)
    os.close(handle)
    made = Path(name)
    try:
        # No text of JSON goes over the end of a line.
        with path.open(encoding=encoding) as lines, made.open("w", encoding="utf-8") as to:
            to.writelines(_TOKENS.sub(told, line) for line in lines)
        if count:
            tally.add(f"{counted(count, 'number')} became texts: nothing else has all their digits")
        yield made
    finally:
        made.unlink(missing_ok=True)


_SHORT: Final = 5
"""Shorter numbers are exact: ``9e99``."""


def is_exact(token: str) -> bool:
    """Tell whether a number of JSON is a float, or an integer of 64 bits, without being rounded.

    Examples
    --------
    >>> [is_exact(text) for text in ("1.10", "0.30000000000000004", "1e400", "1e-400", "2.5e0")]
    [True, True, False, False, True]
    >>> is_exact("9223372036854775807"), is_exact("12345678901234567890.5")
    (True, False)
    """
    mantissa, _, exponent = token.lower().partition("e")
    digits = mantissa.lstrip("-").replace(".", "").strip("0")
    if "." not in mantissa and not exponent:
        return len(token) < _DIGITS or -(2**63) <= int(token) < 2**63
    try:
        value = float(token)
    except ValueError:
        return True  # no number: told where it is read
    return len(digits) <= _OF_FLOAT and (value != 0 or not digits) and abs(value) < float("inf")


_DIGITS: Final = 19
_OF_FLOAT: Final = 17


def _rounded(conn: Any, parts: list[str], types: dict[str, str]) -> list[str]:
    """Return the columns of floats that have integers too large for one."""
    found = []
    for name in (name for name, kind in types.items() if kind == "DOUBLE"):
        at = f"CAST({sql_name(name)} AS VARCHAR)"
        asked = (
            f"SELECT 1 FROM read_json(?, columns={{{sql_text(name)}: 'JSON'}}, {_OPTIONS})"  # noqa: S608 - quoted
            f" WHERE regexp_full_match({at}, '-?[0-9]{{16,}}')"
            f" AND abs(TRY_CAST({at} AS HUGEINT)) > 9007199254740992 LIMIT 1"
        )
        if conn.execute(asked, [parts]).fetchone():
            found.append(name)
    return found
