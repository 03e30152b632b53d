"""graphlay, an optional layout engine: its order has fewer crossings than our own."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ecsviz.layout.grid import Floats, Grid

BALANCED: Final = 600
"""Up to how many boxes, lines and bends together graphlay may take its time: some 0.1 s."""
FAST: Final = 2_000
"""Up to how many it is asked at all: some 0.3 s. Beyond, its time grows faster than the graph."""
_SCALE: Final = 100.0  # graphlay's settings are meant for pixels


def load() -> Any:
    """Return graphlay, or None where it is not installed."""
    try:
        import graphlay
    except ImportError:
        return None
    return graphlay


def order_with_graphlay(grid: Grid) -> Floats | None:
    """Return a key by which rows are sorted as graphlay does, or None if it is not for this grid.

    Parameters
    ----------
    grid
        Boxes and bends in rows.

    Returns
    -------
    ndarray or None
        Shape (boxes + bends,). None if graphlay is missing, fails, or the grid is so large that
        it would take long; then the caller's own method goes on.

    Notes
    -----
    Every group is one call, with its rows fixed to ours. It makes bends of its own: ours stand
    where its lines pass their rows. Only its order is taken, which has fewer crossings than
    ours; places are ours, as a tree looks better with parents above the middle of what they
    hold.
    """
    graphlay = load()
    # A line that passes rows costs there, whether or not we bend it.
    cost = len(grid) + int((grid.row[grid.upper] - grid.row[grid.lower]).sum())
    if graphlay is None or cost > FAST or not len(grid.upper):
        return None
    x = np.zeros(len(grid))
    for members in _groups(grid):
        try:
            _place_group(graphlay, grid, members, x, "balanced" if cost <= BALANCED else "fast")
        except graphlay.GraphlayError:
            return None
    return x


def _groups(grid: Grid) -> list[Any]:
    order = np.argsort(grid.group, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(grid.group[order])) + 1)


def _place_group(graphlay: Any, grid: Grid, members: Any, x: Floats, effort: str) -> None:
    boxes = members[members < grid.boxes]
    if len(boxes) == 1:
        return
    number = {box: place for place, box in enumerate(boxes.tolist())}
    top = int(grid.row[boxes].max())
    nodes = [
        {
            "size": {"width": max(width * _SCALE, 1.0), "height": 20.0},
            "shape": "box",
            "key": str(place),
            "rank": {"fixed": top - row},
        }
        for place, (width, row) in enumerate(
            zip((grid.room[boxes] - grid.gap).tolist(), grid.row[boxes].tolist(), strict=True)
        )
    ]
    lines = _lines(grid, members)
    edges = [
        {"source": number[line[0]], "target": number[line[-1]], "weight": 1.0} for line in lines
    ]
    found = graphlay.layout({"nodes": nodes, "edges": edges}, options=_options(grid, effort))
    for box, node in zip(boxes.tolist(), found.nodes, strict=True):
        x[box] = node["center"]["x"] / _SCALE
    height = np.array(sorted({(node["rank"], node["center"]["y"]) for node in found.nodes}))
    for line, edge in zip(lines, found.edges, strict=True):
        if len(line) > 2:
            points = np.array([(point["y"], point["x"]) for point in edge["points"]])
            points = points[np.argsort(points[:, 0], kind="stable")]
            rows = np.interp(top - grid.row[line[1:-1]], height[:, 0], height[:, 1])
            x[line[1:-1]] = np.interp(rows, points[:, 0], points[:, 1]) / _SCALE


def _lines(grid: Grid, members: Any) -> list[list[int]]:
    """Return the lines of a group: its high box, its bends, its low box."""
    inside = np.isin(grid.upper, members)
    after: dict[int, int] = {}
    starts: list[tuple[int, int]] = []
    for upper, lower in zip(grid.upper[inside].tolist(), grid.lower[inside].tolist(), strict=True):
        if upper < grid.boxes:
            starts.append((upper, lower))
        else:
            after[upper] = lower
    lines = []
    for first, second in starts:
        line = [first, second]
        while line[-1] >= grid.boxes:
            line.append(after[line[-1]])
        lines.append(line)
    return lines


def _options(grid: Grid, effort: str) -> dict[str, Any]:
    gap = grid.gap * _SCALE
    bend = float(grid.room[grid.boxes :].min()) * _SCALE if len(grid) > grid.boxes else gap
    return {
        "direction": "topbottom",
        "effort": effort,
        "routing": {"style": "diagonal"},
        "spacing": {"node_gap": gap, "dummy_gap": max(bend, 1.0), "layer_gap": 60.0},
    }
