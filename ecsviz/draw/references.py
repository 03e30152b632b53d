"""References in a picture: lines with arrowheads, and the names of their fields."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ecsviz.basics.order import Bools
from ecsviz.draw.curves import Curves, arrowheads
from ecsviz.draw.frame import Canvas
from ecsviz.draw.nodes import overlaps
from ecsviz.draw.picture import Picture
from ecsviz.draw.plan import Plan
from ecsviz.draw.style import REFERENCES, Theme, on_ground, with_alpha
from ecsviz.layout import Layout
from ecsviz.layout.grid import Floats
from ecsviz.layout.placed import HUB, LOOP

FAINT: Final = 0.3
"""Lines that are less opaque have no arrowheads: these would be all that one sees of them."""
IMPLIED: Final = 0.1
"""How much fainter lines are whose ends a longer way joins too."""
LONG: Final = 0.3
"""How much fainter the longest lines between marks are."""
DASHES: Final = (0, (3.2, 1.8))
TOLD: Final = 1.6
"""How wide a line is that tells what has become of a reference."""


def draw_references(canvas: Canvas, picture: Picture, plan: Plan) -> None:
    """Draw references as a few collections of lines, and one of arrowheads."""
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
    plain = picture.are("")
    fan, said = _fan(picture, layout=plan.layout)
    said |= plan.hidden
    plain &= ~said
    headed = headed[~said[headed]]
    drawn: list[tuple[str, Bools, Any, float]] = [
        ("references", ~picture.in_cycle & plain, "solid", 1.0),
        ("cycle references", picture.in_cycle & (~picture.deferred | fan) & plain, "solid", 1.2),
        ("deferred references", picture.in_cycle & picture.deferred & ~fan & plain, DASHES, 1.3),
    ]
    for state, color in REFERENCES.items() if picture.told is not None else ():
        mask = picture.are(state)
        colors[mask], strength[mask], width[mask] = on_ground(color, theme.dark), 1.0, TOLD
        drawn.append((state, mask, "solid", 1.35))
    headed = np.union1d(headed, np.flatnonzero(~plain & ~said))
    for name, mask, style, zorder in drawn:
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
                snap=False,  # the points of a line that is nearly upright would take turns
            ),
            autolim=False,
        )
    heads = [(headed, arrowheads(curves, plan.arrow)[headed], "arrowheads")]
    if picture.both is not None:
        paired = headed[picture.both[headed]]
        heads.append((paired, arrowheads(_turned(curves), plan.arrow)[paired], "arrowheads back"))
    for which, triangles, name in heads:
        canvas.ax.add_collection(
            PolyCollection(
                list(triangles),
                facecolors=with_alpha(colors[which], np.minimum(1.0, 1.2 * strength[which])),
                edgecolors="none",
                zorder=1.4,
                gid=name,
            ),
            autolim=False,
        )
    _cross_out(canvas, [curves.lines[k] for k in np.flatnonzero(picture.are("removed reference"))])


def _fan(picture: Picture, layout: Layout) -> tuple[Bools, Bools]:
    """Tell which references fan out from hubs, and which of them another says the other way round.

    A thread and its messages hold each other: one line for both is quiet enough.
    """
    parts, n = picture.graph.arrays, len(layout)
    fan = layout.shape == HUB
    if picture.told is not None or picture.lit_references is not None:
        fan = np.zeros(len(fan), dtype=bool)  # each has its own to say
    here = np.flatnonzero(fan)
    a, b = parts.sources[here], parts.targets[here]
    said = np.zeros(len(fan), dtype=bool)
    said[here] = (a > b) & np.isin(b * n + a, a * n + b)
    return fan, said


def _turned(curves: Curves) -> Curves:
    """Return where the lines begin, as if they ended there."""
    first = np.array([line[0] for line in curves.lines])
    ahead = first - np.array([line[1] for line in curves.lines])
    length = np.maximum(np.hypot(*ahead.T), 1e-9)
    return Curves(curves.lines, first, ahead / length[:, None])


def _cross_out(canvas: Canvas, lines: list[Any]) -> None:
    """Draw a cross on the middle of each line."""
    if lines:
        middles = np.array([_along(np.asarray(line), 0.5) for line in lines])
        color = on_ground(REFERENCES["removed reference"], canvas.theme.dark)
        size = (7.5 * canvas.scale) ** 2
        marks: Any = {"marker": "x", "s": size, "color": [color], "linewidths": 1.8, "zorder": 1.6}
        canvas.ax.scatter(*middles.T, **marks, gid="crosses")


def _along(line: Floats, share: float) -> tuple[float, float]:
    """Return the point of a line that so much of its length leads to."""
    run = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))))
    at = share * run[-1]
    return float(np.interp(at, run, line[:, 0])), float(np.interp(at, run, line[:, 1]))


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
    edge = 0.5 * CLEAR / canvas.scale
    beyond = [[-np.inf, -np.inf, left + edge, np.inf], [right - edge, -np.inf, np.inf, np.inf]]
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
            color=_name_color(picture, theme, k),
            ha="center",
            va="baseline",
            zorder=2.5,
            clip_on=True,
            path_effects=halo,
            gid="edge label",
            **writer.options(),
        )


def _name_color(picture: Picture, theme: Theme, number: int) -> Any:
    state = picture.told[number] if picture.told is not None else ""
    if state:
        return on_ground(REFERENCES[state], theme.dark)
    return theme.cycle if picture.in_cycle[number] else theme.muted


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
