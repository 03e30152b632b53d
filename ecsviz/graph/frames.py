"""Graphs as DataFrames with documented columns.

Column names and dtypes do not depend on what a graph holds: an empty graph gives frames that
join, group and concatenate like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ecsviz.basics.order import Order
from ecsviz.basics.result_frames import objects, typed_column
from ecsviz.graph.arrays import Parts
from ecsviz.graph.columns import NODE_COLUMNS


def nodes_frame(arrays: Parts, ordering: Order) -> pd.DataFrame:
    """Return one row for every node of a graph.

    Parameters
    ----------
    arrays, ordering
        Those of a graph of entities, classes or tables.

    Returns
    -------
    DataFrame
        A column for each of `NODE_COLUMNS`, in the order of ``graph.nodes``, with a
        ``RangeIndex``.

    Notes
    -----
    O(nodes + references).

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> frame = ev.EntityDependencyGraph(thread).nodes_frame()
    >>> frame[["type", "order", "generation", "in_cycle", "dependencies"]]
              type  order  generation  in_cycle  dependencies
    0   ChatThread      0           0      True             1
    1  ChatMessage      1           0      True             1
    """
    columns = {
        column.name: _typed(column.values(arrays, ordering), column.dtype)
        for column in NODE_COLUMNS
    }
    return pd.DataFrame(columns, index=pd.RangeIndex(len(arrays.nodes)))


def _typed(values: Any, dtype: str) -> Any:
    if dtype == "category":
        return _types(values)
    if dtype in ("int64", "bool"):
        return np.asarray(values, dtype)
    return typed_column(values, object if dtype == "object" else dtype)


def references_frame(arrays: Parts, ordering: Order) -> pd.DataFrame:
    """Return one row for every reference of a graph.

    Parameters
    ----------
    arrays, ordering
        Those of a graph of entities, classes or tables.

    Returns
    -------
    DataFrame
        Shape (references, 8), in the order of ``graph.references``, with a ``RangeIndex``:

        - ``source``, ``target`` (object): the ``ecs_id`` of the holder and of what is held; both
          join ``nodes_frame().ecs_id``.
        - ``source_type``, ``target_type`` (category): their types, with the categories of
          ``nodes_frame().type``.
        - ``field`` (category): the holder's field.
        - ``path`` (str): the place, field included: ``messages[3]``.
        - ``in_cycle`` (bool): whether both ends are in one component.
        - ``deferred`` (bool): whether the reference is written after both ends exist, because
          it closes a cycle.

    Notes
    -----
    O(nodes + references).

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> frame = ev.EntityDependencyGraph(thread).references_frame()
    >>> frame[["source_type", "path", "target_type", "in_cycle", "deferred"]]
       source_type         path  target_type  in_cycle  deferred
    0   ChatThread  messages[0]  ChatMessage      True      True
    1  ChatMessage       thread   ChatThread      True     False
    """
    m = len(arrays.sources)
    ids = objects(arrays.ids)
    types = _types(arrays.types)
    places = [arrays.place_of(number) for number in range(m)]
    return pd.DataFrame(
        {
            "source": pd.Series(ids[arrays.sources], dtype=object),
            "target": pd.Series(ids[arrays.targets], dtype=object),
            "source_type": types[arrays.sources],
            "target_type": types[arrays.targets],
            "field": _types([field for field, _ in places]),
            "path": _texts([path for _, path in places]),
            "in_cycle": ordering.in_cycle,
            "deferred": ordering.deferred,
        },
        index=pd.RangeIndex(m),
    )


def _types(names: Sequence[str]) -> pd.Categorical[str]:
    # Sorted categories, so that two graphs of the same classes can be concatenated.
    codes: dict[str, int] = {name: code for code, name in enumerate(sorted(set(names)))}
    numbers = np.fromiter((codes[name] for name in names), dtype=np.int64, count=len(names))
    return pd.Categorical.from_codes(numbers, categories=_texts(list(codes)))


def _texts(values: list[str]) -> pd.Index[str]:
    result: pd.Index[str] = pd.Index(typed_column(values, "str"))
    return result
