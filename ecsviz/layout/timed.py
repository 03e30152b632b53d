"""A line of time: nodes by their moments, those without one beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ecsviz.basics.order import Bools
from ecsviz.layout.grid import Floats
from ecsviz.layout.groups import DrawingOptionError

if TYPE_CHECKING:
    from ecsviz.graph.dependency_graph import EntityDependencyGraph

BESIDE: Final = 0.5
"""From what has no moment to the line of time, in units."""


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """The line of time below a layout.

    Attributes
    ----------
    places, seconds
        Where the first and the last moment are, from left to right, and when that is.
    zoned
        Whether a moment has a zone: then all are told in UTC.
    timeless
        Shape (nodes,): which have no moment, and stand on the left.
    """

    places: tuple[float, float]
    seconds: tuple[float, float]
    zoned: bool
    timeless: Bools


def on_a_line(
    graph: EntityDependencyGraph,
    sizes: Floats,
    aside: Floats,
    gap: tuple[float, float],
    page: tuple[float, float],
) -> tuple[Floats, Moments]:
    """Place nodes from left to right by their moments, those of about one time below each other.

    Parameters
    ----------
    graph, sizes, gap, page
        As of `layout_graph`.
    aside
        Shape (nodes,): the room on their right that they take besides.

    Raises
    ------
    DrawingOptionError
        If no node has a moment.
    """
    moments = [_moment(node) for node in graph.arrays.nodes]
    known = sorted(moment[0] for moment in moments if moment is not None)
    if not known:
        raise DrawingOptionError(
            "layout='timeline' asks for moments, and no node has a field with a time or a day."
            " Choose another layout.",
            option="layout",
            value="timeline",
        )
    low, high = known[0], known[-1]
    timeless = np.array([moment is None for moment in moments], dtype=bool)
    widest = float((sizes[:, 0] + aside).max())
    row, column = float(sizes[:, 1].max()) + gap[1], widest + gap[0]
    # Those without a moment fill columns as tall as the page, of at most half its width.
    columns = -(-int(timeless.sum()) // max(int(page[1] / row), 1))
    columns = min(columns, max(int(0.5 * page[0] / column), 1))
    left = columns * column + BESIDE if columns else 0.0
    wide = max(page[0] - widest - left, 0.5 * page[0], 1.0)
    x, y = np.zeros(len(moments)), np.zeros(len(moments))
    x[~timeless] = [
        (moment[0] - low) / ((high - low) or 1.0) * wide for moment in moments if moment is not None
    ]
    ends: list[float] = []  # of every lane
    dated = np.flatnonzero(~timeless)
    for node in dated[np.argsort(x[dated], kind="stable")].tolist():
        begins = x[node] - sizes[node, 0] / 2
        lane = next((k for k, end in enumerate(ends) if end <= begins), len(ends))
        if lane == len(ends):
            ends.append(0.0)
        ends[lane] = x[node] + sizes[node, 0] / 2 + aside[node] + gap[0]
        y[node] = -lane * row
    rest = np.flatnonzero(timeless)
    if len(rest):
        tall = -(-len(rest) // columns)
        begin = float((x - sizes[:, 0] / 2)[dated].min()) - left
        step = np.arange(len(rest))
        x[rest] = begin + step // tall * column + sizes[rest, 0] / 2
        y[rest] = -(step % tall) * row
    zoned = any(moment[1] for moment in moments if moment is not None)
    return np.column_stack((x, y)), Moments((0.0, wide), (low, high), zoned, timeless)


def has_moments(graph: EntityDependencyGraph) -> bool:
    """Tell whether a line of time has a place for some node. O(nodes) where none has one.

    Examples
    --------
    >>> import ecsviz as ev
    >>> [has_moments(ev.EntityDependencyGraph(ev.sample(name))) for name in ("thread", "chain")]
    [True, False]
    """
    return any(_moment(node) is not None for node in graph.arrays.nodes)


def _moment(node: Any) -> tuple[float, bool] | None:
    """Return the first time or day among a node's fields, in seconds, and whether it has a zone."""
    state: Sequence[Any] = list(getattr(node, "__dict__", {}).values())
    for value in state:
        if isinstance(value, datetime):
            zoned = value.tzinfo is not None
            return (value if zoned else value.replace(tzinfo=UTC)).timestamp(), zoned
        if isinstance(value, date):
            return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp(), False
    return None
