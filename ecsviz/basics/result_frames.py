"""DataFrames whose columns have documented dtypes, whatever texts they are given.

pandas keeps texts as UTF-8, which cannot say half of a surrogate pair. JSON files, names of files
and databases do hold such texts. A column in which one stands holds Python's own texts instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def objects(values: Sequence[Any]) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    """Return values as an array of objects; numpy would look into each for something nested."""
    result = np.empty(len(values), dtype=object)
    result[:] = values
    return result


def typed_column(values: Sequence[Any], dtype: Any) -> pd.Series[Any]:
    r"""Return values as a column of a dtype, of objects where a text is beyond UTF-8.

    Examples
    --------
    >>> typed_column(["a", None], "str").dtype, typed_column(["a", "\ud800"], "str").dtype
    (<StringDtype(na_value=nan)>, dtype('O'))
    """
    import pandas as pd

    result: pd.Series[Any]
    try:
        result = pd.Series(values if dtype is not object else objects(values), dtype=dtype)
    except UnicodeError:
        result = pd.Series(objects(values), dtype=object)
    return result


def typed_frame(rows: Iterable[Sequence[Any]], dtypes: Mapping[str, Any]) -> pd.DataFrame:
    r"""Return rows as a DataFrame.

    Parameters
    ----------
    rows
        A value per column.
    dtypes
        Column → its dtype; see `typed_column`.

    Examples
    --------
    >>> typed_frame([("a", 1), ("b", 2)], {"name": "str", "count": "int64"}).dtypes.to_dict()
    {'name': <StringDtype(na_value=nan)>, 'count': dtype('int64')}
    >>> list(typed_frame([], {"name": "str"}))
    ['name']
    """
    import pandas as pd

    columns = list(zip(*rows, strict=True)) or [()] * len(dtypes)
    return pd.DataFrame(
        {
            name: typed_column(values, dtype)
            for (name, dtype), values in zip(dtypes.items(), columns, strict=True)
        }
    )
