"""References: a few collections for all of them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ecsviz.basics.order import Bools
from ecsviz.draw.curves import arrowheads
from ecsviz.draw.frame import Canvas
from ecsviz.draw.picture import Picture
from ecsviz.draw.plan import Plan
from ecsviz.draw.style import with_alpha
from ecsviz.layout.compound import HUB
from ecsviz.layout.grid import Floats

FAINT: Final = 0.3
"""Lines that are less opaque have no arrowheads: these would be all that one sees of them."""
IMPLIED: Final = 0.1
"""How much fainter lines are whose ends a longer way joins too."""
LONG: Final = 0.3
"""How much fainter the longest lines between marks are."""
DASHES: Final = (0, (3.2, 1.8))


def draw_references(canvas: Canvas, picture: Picture, plan: Plan) -> None:
    """Draw references as at most three collections of lines, and one of arrowheads."""
    from matplotlib.collections import LineCollection, PolyCollection

    curves, theme = plan.curves, canvas.theme
    if not len(curves.tips):
        return
    strength, width = _strength(picture, plan, canvas.scale)
    headed = np.flatnonzero(strength >= FAINT)
    if picture.lit_references is not None:
        headed = np.flatnonzero((strength >= FAINT) | picture.lit_references)
        strength = np.where(picture.lit_references, 1.0, 0.15 * strength)
        width = np.where(picture.lit_references, 1.4 * width, width)
    colors = np.where(picture.in_cycle[:, None], np.array(theme.cycle), np.array(theme.line))
    for name, mask, style, zorder in (
        ("references", ~picture.in_cycle, "solid", 1.0),
        ("cycle references", picture.in_cycle & ~picture.deferred, "solid", 1.2),
        ("deferred references", picture.in_cycle & picture.deferred, DASHES, 1.3),
    ):
        here = np.flatnonzero(mask)
        if not len(here):
            continue
        lines: Any = (
            curves.lines[here]
            if isinstance(curves.lines, np.ndarray)
            else [curves.lines[k] for k in here.tolist()]
        )
        canvas.ax.add_collection(
            LineCollection(
                lines,
                colors=with_alpha(colors[here], strength[here]),
                linewidths=width[here],
                linestyles=[style],
                zorder=zorder,
                gid=name,
                capstyle="butt",
            ),
            autolim=False,
        )
    canvas.ax.add_collection(
        PolyCollection(
            list(arrowheads(curves, plan.arrow)[headed]),
            facecolors=with_alpha(colors[headed], np.minimum(1.0, 1.2 * strength[headed])),
            edgecolors="none",
            zorder=1.4,
            gid="arrowheads",
        ),
        autolim=False,
    )


def _strength(picture: Picture, plan: Plan, scale: float) -> tuple[Floats, Floats]:
    """Return how opaque and how wide lines are: the more there are, the fainter."""
    layout, count = plan.layout, int((~picture.implied).sum())
    hub = layout.shape == HUB
    least = 0.45 if count < 3_000 else 0.15
    crowd = float(np.clip(420 / count, least, 1.0))
    strength = crowd * _sparsity(picture, plan, hub)
    # Where nearly all is in a cycle, those that close one are what there is to see.
    strength[picture.deferred] = np.minimum(1.0, 1.6 * strength[picture.deferred])
    strength[picture.implied] *= IMPLIED
    if not plan.labelled:
        strength *= _ink(plan)
    owner = layout.component[picture.graph.arrays.sources]
    at_hub = np.bincount(owner[hub], minlength=len(layout.cyclic))[owner]
    # A thread and its messages: two lines each, and what matters is who answers whom.
    faint = np.clip(1.6 * crowd / np.sqrt(np.maximum(at_hub, 1)), 0.02, 0.5)
    strength = np.where(hub, faint, strength)
    width = np.where(picture.in_cycle, 1.25, 1.0) * np.clip(scale, 0.5, 1.0)
    width *= np.where(hub, 1.0, 1 + 0.4 * np.log10(picture.lines))
    return strength, np.where(strength < FAINT, 0.8 * width, width)


def _ink(plan: Plan) -> Floats:
    """Return less for lines that are far longer than most: else they are all that one sees."""
    lines = plan.curves.lines
    points = np.concatenate(list(lines))
    steps = np.hypot(*np.diff(points, axis=0, append=points[-1:]).T)
    last = np.cumsum([len(line) for line in lines]) - 1
    steps[last] = 0.0  # from the end of one to the start of the next
    length = np.add.reduceat(steps, np.concatenate(([0], last[:-1] + 1)))
    usual = 2 * float(np.median(length))
    return np.asarray(np.clip(np.sqrt(usual / np.maximum(length, 1e-9)), LONG, 1.0))


def _sparsity(picture: Picture, plan: Plan, hub: Bools) -> Floats:
    """Return 1 for references with room around them, less where they crowd a component."""
    layout, parts = plan.layout, picture.graph.arrays
    # What leads from one component to another crowds the picture as a whole: number 0.
    owner = np.where(picture.in_cycle, layout.component[parts.sources] + 1, 0)
    nodes = np.append(len(layout), np.bincount(layout.component))
    lines = np.bincount(owner[~hub & ~picture.implied], minlength=len(nodes))
    return np.asarray(np.clip(3.0 * nodes / np.maximum(lines, 1), 0.25, 1.0)[owner])
