"""DataFrames for spreadsheets: CSV and Excel files in which no cell runs.

A text that begins with ``=``, ``+``, ``-`` or ``@`` is a formula to a spreadsheet, whoever wrote
it (OWASP, "CSV Injection"). An apostrophe before it makes it a text again.
"""

from __future__ import annotations

import contextlib
import enum
import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from numbers import Number
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ecsviz.basics.arguments import file_path, flag
from ecsviz.basics.files import replacing
from ecsviz.basics.optional import need
from ecsviz.basics.result_frames import objects
from ecsviz.errors import GraphTooLargeError, InvalidArgumentError, short_repr
from ecsviz.frames.columns import python_values
from ecsviz.values.tagged_json import json_text, to_json

if TYPE_CHECKING:
    import pandas as pd

_RUNS: Final = re.compile(r"[\t\r\n]|[\s\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]")
"""What a spreadsheet may take for the beginning of a formula: also after blanks, which some
strip, and in the full width of East Asian texts."""
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
MAX_CELL: Final = 32_767
"""Characters of an Excel cell."""
MAX_ROWS: Final = 1_048_576
"""Rows of an Excel sheet, the header included."""


def neutral(value: Any) -> Any:
    """Return what stands in a cell so that no spreadsheet runs it.

    Parameters
    ----------
    value
        Any cell. Numbers, truth values, dates and what is missing stay as they are.

    Examples
    --------
    >>> neutral("=1+1"), neutral(-1), neutral("a=b")
    ("'=1+1", -1, 'a=b')
    """
    if isinstance(value, enum.Enum):
        value = value.value
    if value is None or isinstance(value, (Number, np.generic, date, time, timedelta)):
        return value
    text = _text(value)
    return f"'{text}" if _RUNS.match(text) else text


def _text(value: Any) -> str:
    """Return what stands for a value: an enum's value, bytes in hex, containers as JSON."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, enum.Enum):
        return str(value.value)
    if isinstance(value, (list, dict, tuple, set, frozenset)):
        with contextlib.suppress(ValueError):  # it holds what is not plain
            return json_text(to_json(value))
    return str(value)


def to_csv(
    frame: pd.DataFrame,
    path: str | os.PathLike[str] | None = None,
    *,
    safe: bool = True,
    **options: Any,
) -> str:
    r"""Write a DataFrame as CSV that a spreadsheet may open.

    Parameters
    ----------
    frame
        Any DataFrame.
    path
        The file; it is replaced. None only returns the text.
    safe
        Whether texts that begin like a formula get an apostrophe in front: cells, headers, index.
    **options
        Whatever ``DataFrame.to_csv`` takes.

    Returns
    -------
    str
        The CSV, as RFC 4180 has it. Files are UTF-8.

    Notes
    -----
    Numbers stay numbers, negative ones too; bytes are in hex, lists and dictionaries JSON, an
    enum is its value. With ``safe=False``, `ecsviz.from_frames` reads the frames of
    `ecsviz.to_frames` back. O(cells).

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"text": ["=cmd()", "fine"], "number": [-1, 2]})
    >>> print(to_csv(frame, index=False).replace("\r", ""))
    text,number
    '=cmd(),-1
    fine,2
    <BLANKLINE>
    """
    made = _mapped(_frame(frame), _csv_value if flag(safe, "safe") else _plain_value, "iufbM")
    # RFC 4180's line ends. With them a carriage return inside a cell is quoted too: bare, what
    # follows it would be a row of its own.
    options.setdefault("lineterminator", "\r\n")
    text = str(made.to_csv(None, **options))
    if path is not None:
        data = text.encode("utf-8", "backslashreplace")
        with replacing(file_path(path)) as file:
            file.write_bytes(data)
    return text


def to_excel(
    frames: pd.DataFrame | Mapping[str, pd.DataFrame],
    path: str | os.PathLike[str],
    *,
    safe: bool = True,
    index: bool = False,
) -> Path:
    """Write DataFrames as sheets of an Excel file.

    Parameters
    ----------
    frames
        One DataFrame, or several by the names of their sheets.
    path
        The file; it is replaced.
    safe
        As in `to_csv`. Without it, a text that begins with ``=`` is stored as a formula.
    index
        Whether the index is written.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    NotInstalledError
        Without openpyxl (``pip install 'ecsviz[excel]'``).
    GraphTooLargeError
        If a frame has more rows than a sheet.

    Notes
    -----
    What Excel cannot hold becomes what it can: a time with an offset is in UTC, one before 1900
    and an integer beyond 15 digits is a text, control characters are ``�``, and a text ends
    after 32,767 characters with ``…``. O(cells).

    Examples
    --------
    >>> import pandas as pd, tempfile
    >>> frame = pd.DataFrame({"text": ["=cmd()", "fine"], "number": [-1, 2]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = to_excel(frame, f"{folder}/a.xlsx")
    ...     pd.read_excel(file)
         text  number
    0  '=cmd()      -1
    1     fine       2
    """
    import pandas as pd

    need("openpyxl", extra="excel", what="Excel")
    given = frames if isinstance(frames, Mapping) else {"Sheet1": frames}
    sheets = {name: _frame(frame, "frames") for name, frame in given.items()}
    safe, index = flag(safe, "safe"), flag(index, "index")
    file = file_path(path)
    for name, frame in sheets.items():
        if len(frame) + frame.columns.nlevels > MAX_ROWS:
            raise GraphTooLargeError(
                f"The sheet {name!r} would have {len(frame):,} rows, and Excel has room for"
                f" {MAX_ROWS - 1:,}. Write CSV or Parquet.",
                n=len(frame),
                limit=MAX_ROWS - 1,
            )
    made = {
        name: _mapped(frame, _safe_excel_value if safe else _excel_value, "fb")
        for name, frame in zip(_sheet_names(sheets), sheets.values(), strict=True)
    }
    with replacing(file) as part, pd.ExcelWriter(part, engine="openpyxl") as writer:
        for name, frame in (made or {"Sheet1": pd.DataFrame()}).items():
            frame.to_excel(writer, sheet_name=name, index=index)
    return file


def _frame(value: Any, name: str = "frame") -> pd.DataFrame:
    import pandas as pd

    if isinstance(value, pd.DataFrame):
        return value
    raise InvalidArgumentError(
        f"{name}: {short_repr(value)} is no pandas.DataFrame. ev.to_frames and the"
        " stores give some.",
        value=value,
    )


def _mapped(frame: pd.DataFrame, change: Callable[[Any], Any], kinds: str) -> pd.DataFrame:
    """Return a frame with every cell, header and label of the index changed.

    Notes
    -----
    Columns of the `kinds` of numpy stay as they are.
    """
    import pandas as pd

    columns = [
        column
        if column.dtype.kind in kinds
        else pd.Series(objects([change(v) for v in python_values(column)]), dtype=object)
        for column in (frame.iloc[:, number] for number in range(frame.shape[1]))
    ]
    made = pd.DataFrame(dict(enumerate(c.reset_index(drop=True) for c in columns)))
    if not columns:
        made = pd.DataFrame(index=pd.RangeIndex(len(frame)))
    made.index = _labels(frame.index, change)
    made.columns = _labels(frame.columns, change)
    return made


def _labels(index: pd.Index[Any], change: Any) -> Any:
    import pandas as pd

    if isinstance(index, pd.MultiIndex):
        names = [change(name) for name in index.names]
        return pd.MultiIndex.from_tuples([tuple(map(change, t)) for t in index], names=names)
    if isinstance(index, pd.RangeIndex) and index.name is None:
        return index
    return pd.Index(objects([change(v) for v in index]), dtype=object, name=change(index.name))


def _plain_value(value: Any) -> Any:
    return _text(value) if isinstance(value, _WRITTEN) else value


_WRITTEN = (bytes, enum.Enum, list, dict, tuple, set, frozenset)


def _csv_value(value: Any) -> Any:
    # A negative duration is written as a text.
    return neutral(str(value) if isinstance(value, timedelta) else value)


def _safe_excel_value(value: Any) -> Any:
    return _excel_value(neutral(value))


def _excel_value(value: Any) -> Any:
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            try:
                value = value.astimezone(UTC).replace(tzinfo=None)
            except OverflowError:  # within a day of year 1 or 9999
                return value.isoformat()
        return value if value.year >= 1900 else value.isoformat()
    if isinstance(value, date):
        return value if value.year >= 1900 else value.isoformat()
    if isinstance(value, time):
        return value if value.tzinfo is None else value.isoformat()
    if isinstance(value, (bool, float, timedelta, type(None))):
        return value
    if isinstance(value, Decimal) and value.is_finite():
        return value
    if isinstance(value, int):
        return value if abs(value) < 10**15 else str(value)
    text = _NOT_XML.sub("\ufffd", _text(value))
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…"


def _sheet_names(names: Mapping[str, Any]) -> list[str]:
    r"""Return names that Excel takes: 31 characters, none of ``[]:*?/\\``, each once."""
    result: list[str] = []
    for number, name in enumerate(names, 1):
        text = re.sub(r"[\[\]:*?/\\\x00-\x1f]", "_", str(name)).strip("'")[:31] or f"Sheet{number}"
        while text.casefold() in (other.casefold() for other in result):
            text = f"{text[:27]}_{number}"
        result.append(text)
    return result
