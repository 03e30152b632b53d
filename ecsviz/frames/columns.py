"""Python values ↔ the columns of a DataFrame, without loss in either direction.

A column has the dtype that pandas users expect where that dtype keeps its values exactly, and
holds Python's own objects where none does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ecsviz.basics.result_frames import typed_column
from ecsviz.domain.scalars import SCALARS

if TYPE_CHECKING:
    import pandas as pd

ABSENT: Final[Any] = type("Absent", (), {"__repr__": lambda _: "absent"})()
"""Stands in the rows whose class has no such field."""


def column_of(values: Sequence[Any], *, optional: bool) -> pd.Series[Any]:
    """Return a column of Python values.

    Parameters
    ----------
    values
        A value per row; `ABSENT` and None become missing.
    optional
        Whether None is a value here. A column of floats can then not say NaN as well, and holds
        objects if both occur.

    Returns
    -------
    Series
        ``str``, ``int64``, ``bool`` (``Int64``, ``boolean`` where something is missing),
        ``float64``, ``datetime64[us, UTC]`` or ``datetime64[us]``, if `python_values` gives
        exactly the same back; otherwise ``object``.

    Examples
    --------
    >>> column_of([1, 2], optional=False).dtype, column_of([1, None], optional=True).dtype
    (dtype('int64'), Int64Dtype())
    >>> column_of([1, 2.0], optional=False).dtype
    dtype('O')
    """
    there = [value for value in values if value is not None and value is not ABSENT]
    plain = [None if value is ABSENT else value for value in values]
    dtype = _dtype(there, gaps=len(there) < len(values), optional=optional)
    return typed_column(plain, object if dtype is None else dtype)


def _dtype(there: list[Any], *, gaps: bool, optional: bool) -> Any:
    kinds = set(map(type, there))
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind is str:
        return "str"
    if kind is bool:
        return "boolean" if gaps else "bool"
    if kind is int and min(there) >= -(2**63) and max(there) < 2**63:
        return "Int64" if gaps else "int64"
    if kind is float and not (optional and any(map(math.isnan, there))):
        return "float64"
    if kind is datetime and not any(value.fold for value in there):
        zones = {value.tzinfo for value in there}
        if zones == {UTC}:
            return "datetime64[us, UTC]"
        if zones == {None}:
            return "datetime64[us]"
    return None


def python_values(column: pd.Series[Any]) -> list[Any]:
    """Return the values of a column as Python has them; what is missing is None.

    Notes
    -----
    NaN stays in columns of floats and of objects: only the field can tell whether it is a value.

    Examples
    --------
    >>> import pandas as pd
    >>> python_values(pd.Series([1, None], dtype="Int64"))
    [1, None]
    >>> python_values(pd.Series(pd.to_datetime(["2024-02-29"])))
    [datetime.datetime(2024, 2, 29, 0, 0)]
    """
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    values = list(column.array)
    if column.dtype.kind == "f":
        return [None if value is pd.NA else float(value) for value in values]
    if pd.api.types.is_string_dtype(column.dtype) and column.dtype != object:
        return [value if isinstance(value, str) else None for value in values]
    return [value if type(value) in _PLAIN else _python_value(value) for value in values]


_PLAIN = frozenset(SCALARS)


def _python_value(value: Any) -> Any:
    import pandas as pd

    if value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, np.datetime64):  # whose item() may be an integer
        return _python_value(pd.Timestamp(value))
    if isinstance(value, np.timedelta64):
        return _python_value(pd.Timedelta(value))
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime(warn=False)
    if isinstance(value, pd.Timedelta):
        return value.to_pytimedelta()
    return value.item() if isinstance(value, np.generic) else value


def is_nan(value: Any) -> bool:
    """Tell whether a value is a float that is NaN."""
    return isinstance(value, float) and math.isnan(value)
