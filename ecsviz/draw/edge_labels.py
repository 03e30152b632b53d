"""The names of fields beside references, where there is room."""

from __future__ import annotations

from typing import Final

import numpy as np

from ecsviz.basics.order import Bools
from ecsviz.draw.frame import Canvas
from ecsviz.draw.nodes import overlaps
from ecsviz.draw.picture import Picture
from ecsviz.draw.plan import Plan
from ecsviz.layout import Layout
from ecsviz.layout.compound import LOOP
from ecsviz.layout.grid import Floats

SIZE: Final = 7.2
HEIGHT: Final = 0.125
WIDTH: Final = 22
"""How many columns of a name are shown."""
CLEAR: Final = 0.04
"""From a line to its name."""
PLACES: Final = (0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74)
"""Where along a line a name may stand, the best place first."""


def draw_edge_labels(canvas: Canvas, picture: Picture, plan: Plan, shown: Bools) -> None:
    """Write names beside lines; what would cover a node, a name or a line is left out.

    Parameters
    ----------
    canvas, picture, plan
        What is drawn, and where.
    shown
        Shape (references,): which are to be named at all.

    Notes
    -----
    Greedy: every name takes the first free place along its line. O(references²) for the few
    references that are labelled at all.
    """
    from matplotlib.patheffects import withStroke

    layout, curves, writer, theme = plan.layout, plan.curves, canvas.writer, canvas.theme
    # A name that reaches over the border of shaded ground is not struck through by it.
    halo = [withStroke(linewidth=2.0, foreground=theme.ground)]
    if not len(curves.tips):
        return
    half = layout.sizes / 2
    taken = np.hstack((layout.positions - half, layout.positions + half))
    # Nor beyond the sides of the axes, where it would be cut.
    left, right = canvas.ax.get_xlim()
    beyond = [[-np.inf, -np.inf, left, np.inf], [right, -np.inf, np.inf, np.inf]]
    taken = np.vstack((taken, beyond))
    # So dense that no line slips through between two points.
    dense = [_dense(np.asarray(line)) for line in curves.lines]
    points = np.concatenate(dense)
    owner = np.repeat(np.arange(len(dense)), [len(line) for line in dense])
    for k, name in _names(picture, layout, shown).items():
        text = writer.clean(name, WIDTH)
        width = writer.width(text, SIZE)
        found = _free_place(np.asarray(curves.lines[k]), width, taken, points[owner != k])
        if found is None:
            continue
        taken = np.vstack((taken, found))
        canvas.ax.text(
            (found[0] + found[2]) / 2,
            (found[1] + found[3]) / 2 - 0.03,
            text,
            size=SIZE * canvas.scale,
            color=theme.cycle if picture.in_cycle[k] else theme.muted,
            ha="center",
            va="baseline",
            zorder=2.5,
            clip_on=True,
            path_effects=halo,
            gid="edge label",
            **writer.options(),
        )


def _names(picture: Picture, layout: Layout, shown: Bools) -> dict[int, str]:
    """Return what is written beside which reference: beside nested loops the names of all."""
    names: dict[int, str] = {}
    outermost: dict[int, int] = {}
    sources = picture.graph.arrays.sources.tolist()
    for k in np.flatnonzero(shown).tolist():
        names[k] = picture.field_of(k)
        if layout.shape[k] == LOOP:
            inner = outermost.get(sources[k])
            if inner is not None:
                names[k] = f"{names.pop(inner)}, {names[k]}"
            outermost[sources[k]] = k
    return names


def _dense(line: Floats) -> Floats:
    steps = np.hypot(*np.diff(line, axis=0).T)
    run = np.concatenate(([0.0], np.cumsum(steps)))
    at = np.linspace(0, run[-1], max(2, int(run[-1] / 0.05)))
    return np.column_stack((np.interp(at, run, line[:, 0]), np.interp(at, run, line[:, 1])))


def _free_place(line: Floats, width: float, taken: Floats, others: Floats) -> Floats | None:
    steps = np.hypot(*np.diff(line, axis=0).T)
    run = np.concatenate(([0.0], np.cumsum(steps)))
    if run[-1] < 0.2:
        return None
    for share in PLACES:
        at = share * run[-1]
        x, y = np.interp(at, run, line[:, 0]), np.interp(at, run, line[:, 1])
        ahead = np.array(
            [np.interp(at + 0.05, run, line[:, 0]) - x, np.interp(at + 0.05, run, line[:, 1]) - y]
        )
        for box in _boxes(float(x), float(y), ahead, width):
            if overlaps(box, taken):
                continue
            crossed = (
                (others[:, 0] > box[0])
                & (others[:, 0] < box[2])
                & (others[:, 1] > box[1])
                & (others[:, 1] < box[3])
            )
            if not crossed.any():
                return box
    return None


def _boxes(x: float, y: float, ahead: Floats, width: float) -> list[Floats]:
    """Rectangles beside a point of a line: above and below a flat one, right and left of others."""
    dx, dy = abs(float(ahead[0])), abs(float(ahead[1]))
    found: list[Floats] = []
    if dy < 0.6 * dx:
        off = CLEAR + 0.5 * width * dy / dx
        feet = (y + off, y - off - HEIGHT)
        found = [np.array([x - width / 2, b, x + width / 2, b + HEIGHT]) for b in feet]
    if dy > 0.2 * dx:
        off = CLEAR + 0.5 * HEIGHT * dx / dy
        lefts = (x + off, x - off - width)
        found += [np.array([a, y - HEIGHT / 2, a + width, y + HEIGHT / 2]) for a in lefts]
    return found
