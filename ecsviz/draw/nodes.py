"""Nodes: boxes with a mark and a label, or marks alone; the shaded ground of components."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import numpy as np

from ecsviz.draw.frame import Canvas
from ecsviz.draw.picture import Picture
from ecsviz.draw.plan import (
    APART,
    FONT,
    LEAST_NAME,
    LINE,
    MARK,
    MAX_LABELLED,
    MAX_NAMES,
    NAME,
    PAD,
    Plan,
    name_room,
    named_components,
    room_around,
)
from ecsviz.draw.style import Ramp, mix, with_alpha
from ecsviz.layout import Layout
from ecsviz.layout.grid import Floats
from ecsviz.layout.placed import HUB, HULL_PAD, ground_around

RISE: Final = 0.043
"""Half the height of a letter: from the middle of a line to its baseline."""
WAY: Final = 0.2
"""How wide the shaded ground along a line is, in inches."""
MAX_HULLS: Final = 400
"""With more components, the ground is a plain rectangle: their outlines would not be seen."""


def rounded_boxes(centre: Floats, sizes: Floats, radius: float = 0.08) -> Floats:
    """Return the outlines of boxes with round corners, shape (boxes, corners, 2)."""
    angle = np.linspace(0, np.pi / 2, 6)
    arc = np.column_stack((np.cos(angle), np.sin(angle)))
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])  # a quarter to the left
    outline = []
    for x, y in ((1, 1), (-1, 1), (-1, -1), (1, -1)):
        corner = np.array([x, y]) * (sizes[:, None, :] / 2 - radius)
        outline.append(centre[:, None, :] + corner + radius * arc[None, :, :])
        arc = arc @ turn.T
    return np.concatenate(outline, axis=1)


def draw_hulls(canvas: Canvas, picture: Picture, plan: Plan) -> None:
    """Shade the ground of components that hold a cycle."""
    from matplotlib.collections import PolyCollection

    layout, theme = plan.layout, canvas.theme
    whole = plan.cyclic[~layout.loose[plan.cyclic]]
    alpha = 1.0 if picture.lit is None else 0.6
    if len(whole) < len(plan.cyclic):
        _draw_ways(canvas, picture, plan, alpha)
    if not len(whole):
        return
    if len(whole) <= MAX_HULLS:
        outside = picture.how == "circle" and not plan.labelled
        ground = partial(_ground_of_loops, picture, plan) if outside else layout.hull
        outlines: Any = [ground(number) for number in whole.tolist()]
    else:
        low, high = layout.boxes[whole, :2], layout.boxes[whole, 2:]
        outlines = rounded_boxes((low + high) / 2, high - low, HULL_PAD / 2)
    canvas.ax.add_collection(
        PolyCollection(
            outlines,
            facecolors=[(*theme.cycle, (0.13 if theme.dark else 0.08) * alpha)],
            edgecolors=[(*theme.cycle, 0.4 * alpha)],
            linewidths=0.8 * canvas.scale,
            zorder=0.5,
            gid="cyclic components",
        ),
        autolim=False,
    )


def _ground_of_loops(picture: Picture, plan: Plan, component: int) -> Floats:
    """Return the outline around a mark and its references to itself, wherever these lead."""
    parts, layout = picture.graph.arrays, plan.layout
    here = np.flatnonzero(
        (parts.sources == parts.targets) & (layout.component[parts.sources] == component)
    )
    centre = layout.positions[layout.component == component]
    points = [centre, *(np.asarray(plan.curves.lines[k]) for k in here.tolist())]
    return ground_around(np.concatenate(points))


def _draw_ways(canvas: Canvas, picture: Picture, plan: Plan, alpha: float) -> None:
    """Shade the ways of components whose members stand among others: no outline has only them."""
    from matplotlib.collections import LineCollection

    parts, theme = picture.graph.arrays, canvas.theme
    loose = plan.layout.loose[plan.layout.component[parts.sources]]
    quiet = picture.implied | (plan.layout.shape == HUB)
    here = np.flatnonzero(loose & picture.in_cycle & ~quiet)
    canvas.ax.add_collection(
        LineCollection(
            [plan.curves.lines[k] for k in here.tolist()],
            colors=[mix(theme.cycle, theme.ground, (0.2 if theme.dark else 0.13) * alpha)],
            linewidths=72 * WAY * canvas.scale,
            capstyle="round",
            joinstyle="round",
            zorder=0.5,
            gid="cyclic components",
        ),
        autolim=False,
    )


def draw_boxes(canvas: Canvas, picture: Picture, plan: Plan) -> None:
    """Draw nodes as boxes with a mark and a label."""
    layout, theme = plan.layout, canvas.theme
    colors = np.array([kind.color for kind in plan.kinds])[plan.codes]
    strength = _strength(picture, 0.25)
    ground = np.array(theme.ground)
    tint = 0.30 if theme.dark else 0.16
    faces = ground + (colors - ground) * (tint * strength)[:, None]
    borders = np.where(picture.holds_cycle[:, None], np.array(theme.cycle), colors)
    borders = ground + (borders - ground) * strength[:, None]
    width = np.ones(len(colors))
    if picture.lit is not None:
        width = np.where(picture.lit, 1.8, 0.8)
    outlines = rounded_boxes(layout.positions, layout.sizes)
    piled = np.flatnonzero(picture.piled)
    if len(piled):
        # Like a pile of cards: there is more than one under it.
        below = outlines[piled] + np.array([0.035, -0.035])
        _add_outlines(canvas, below, faces[piled], borders[piled], 0.6 * width[piled], "piles")
    _add_outlines(canvas, outlines, faces, borders, width, "nodes")
    left = layout.positions[:, 0] - layout.sizes[:, 0] / 2
    marks = np.column_stack((left + PAD + MARK / 2, layout.positions[:, 1]))
    _scatter(canvas, plan, marks, strength, MARK * 0.92 * canvas.scale, 3.2)
    _write_labels(canvas, plan, left + 2 * PAD + MARK, strength)


def _strength(picture: Picture, faded: float) -> Floats:
    if picture.lit is None:
        return np.ones(len(picture.labels))
    return np.where(picture.lit, 1.0, faded)


def _add_outlines(
    canvas: Canvas, outlines: Floats, faces: Floats, borders: Floats, width: Floats, gid: str
) -> None:
    from matplotlib.collections import PolyCollection

    canvas.ax.add_collection(
        PolyCollection(
            list(outlines),
            facecolors=faces,
            edgecolors=borders,
            linewidths=width * canvas.scale,
            zorder=3 if gid == "nodes" else 2.9,
            gid=gid,
        ),
        autolim=False,
    )


def _write_labels(canvas: Canvas, plan: Plan, left: Floats, strength: Floats) -> None:
    theme, options = canvas.theme, canvas.writer.options()
    for number, label in enumerate(plan.labels):
        for row, line in enumerate(label.lines):
            named = row < len(label.name)
            # On a baseline of our own: centred text jumps up and down with its letters.
            middle = LINE * (0.5 * (len(label.lines) - 1) - row)
            canvas.ax.text(
                left[number],
                plan.layout.positions[number, 1] + middle - RISE,
                line,
                size=FONT * canvas.scale * (1.0 if named else 0.9),
                color=mix(
                    theme.text if named else theme.muted,
                    theme.ground,
                    0.35 + 0.65 * float(strength[number]),
                ),
                va="baseline",
                ha="left",
                zorder=3.4,
                clip_on=True,
                gid="label",
                **options,
            )


def draw_marks(canvas: Canvas, picture: Picture, plan: Plan) -> bool:
    """Draw nodes as marks, and name those on which most hang; tell whether all have names."""
    diameter = float(plan.layout.sizes[:, 1].max()) * canvas.scale
    _scatter(canvas, plan, plan.layout.positions, _strength(picture, 0.2), diameter, 3.0)
    if picture.how == "circle":
        _write_around(canvas, picture, plan)
        return False
    return _write_names(canvas, picture, plan) == len(plan.labels)


def _scatter(
    canvas: Canvas, plan: Plan, centre: Floats, strength: Floats, diameter: float, zorder: float
) -> None:
    """Draw one artist per category: each has its own shape; numbers have one for all."""
    size = max(diameter * 72, 1.2) ** 2
    if isinstance(plan.kinds, Ramp):
        canvas.ax.scatter(
            centre[:, 0],
            centre[:, 1],
            s=size,
            c=with_alpha(np.array([kind.color for kind in plan.kinds])[plan.codes], strength),
            edgecolors=[(*canvas.theme.ground, 0.9)],
            linewidths=0.5 if diameter > 0.05 else 0.0,
            zorder=zorder,
            gid="marks",
        )
        return
    for code, kind in enumerate(plan.kinds):
        here = np.flatnonzero(plan.codes == code)
        if len(here):
            canvas.ax.scatter(
                centre[here, 0],
                centre[here, 1],
                s=size * (1.25 if kind.marker in "DPXv" else 1.0),
                marker=kind.marker,
                c=with_alpha([kind.color], strength[here]),
                edgecolors=[(*canvas.theme.ground, 0.9)],
                linewidths=0.5 if diameter > 0.05 else 0.0,
                zorder=zorder,
                gid="marks",
            )


# -- names beside marks ----------------------------------------------------------------------


def _write_names(canvas: Canvas, picture: Picture, plan: Plan) -> int:
    """Name the marks on which most hang, or those that are highlighted, where there is room.

    Returns how many have their names.
    """
    from matplotlib.patheffects import withStroke

    layout, scale = plan.layout, canvas.scale
    half = layout.sizes / 2
    taken = np.hstack((layout.positions - half, layout.positions + half))
    left, right = canvas.ax.get_xlim()
    halo = [withStroke(linewidth=2.4, foreground=canvas.theme.ground)]
    owners = named_components(picture)
    count = 0
    for node in _named(picture, layout, owners):
        whole = bool(layout.component[node] in owners)
        least = name_room(picture) if whole else None
        label, places = _label_and_places(canvas, plan, node, least)
        for place in places:
            if not whole and (place[0] < left or place[2] > right or overlaps(place, taken)):
                continue
            taken = np.vstack((taken, place))
            count += 1
            canvas.ax.text(
                (place[0] + place[2]) / 2,
                (place[1] + place[3]) / 2 - RISE / scale,
                label,
                size=NAME,
                color=canvas.theme.text,
                va="baseline",
                ha="center",
                zorder=4,
                clip_on=True,
                path_effects=halo,
                gid="label",
                **canvas.writer.options(),
            )
            break
    return count


def _write_around(canvas: Canvas, picture: Picture, plan: Plan) -> None:
    """Write names around a circle, outwards: all where there is room, else the foremost."""
    layout, scale, writer = plan.layout, canvas.scale, canvas.writer
    away = layout.positions - layout.positions.mean(axis=0)
    size = float(np.clip(room_around(layout, scale), LEAST_NAME, NAME))
    angle = np.arctan2(away[:, 1], away[:, 0])
    apart = APART * size / 72 / scale / max(float(np.hypot(*away.T).max()), 1e-9)
    order = np.arange(len(layout))
    crowded = room_around(layout, scale) < LEAST_NAME
    if crowded or picture.lit is not None:
        parts = picture.graph.arrays
        degree = np.bincount(np.concatenate((parts.sources, parts.targets)), minlength=len(layout))
        order = np.argsort(-degree, kind="stable")
        order = order if picture.lit is None else order[picture.lit[order]]
    written = np.zeros(0)
    for node in order.tolist():
        name = "".join(plan.labels[node].name)
        aside = np.abs((written - angle[node] + np.pi) % (2 * np.pi) - np.pi)
        if not name or (crowded and (aside < apart).any()):
            continue
        written = np.append(written, angle[node])
        turn = float(np.degrees(angle[node]))
        left = abs(turn) > 90
        behind = layout.reach[node] + (HULL_PAD if layout.reach[node] else 0.0)  # its loops
        off = layout.sizes[node, 0] / 2 + behind + 0.04 / scale
        x, y = layout.positions[node] + off * np.array((np.cos(angle[node]), np.sin(angle[node])))
        canvas.ax.text(
            float(x),
            float(y),
            name,
            size=size,
            color=canvas.theme.text,
            rotation=turn - 180 * np.sign(turn) if left else turn,
            rotation_mode="anchor",
            ha="right" if left else "left",
            va="center",
            zorder=4,
            clip_on=True,
            gid="label",
            **writer.options(),
        )


def _label_and_places(
    canvas: Canvas, plan: Plan, node: int, least: float | None
) -> tuple[str, list[Floats]]:
    """Return a name, and the rectangles for it, the best first; of a whole if `least` is given."""
    layout, writer, scale = plan.layout, canvas.writer, canvas.scale
    name, tall = "".join(plan.labels[node].name), 0.13 / scale
    label = name
    if least is None:
        wide = writer.width(label, NAME) / scale
        return label, _places_beside(layout, node, wide, tall) if label else []
    # Above all that belongs to it, and no wider: its neighbours have names too.
    left, _, right, top = layout.boxes[layout.component[node]].tolist()
    room = max(right - left + 0.1, least) * scale
    columns = len(label)
    while columns > 3 and writer.width(label, NAME) > room:
        columns -= 1
        label = writer.clean(name, columns)
    wide = writer.width(label, NAME) / scale
    if not label or wide * scale > room:
        return "", []
    middle, foot = (left + right) / 2, top + 0.02 / scale
    return label, [np.array([middle - wide / 2, foot, middle + wide / 2, foot + tall])]


def _named(picture: Picture, layout: Layout, owners: set[int]) -> list[int]:
    parts = picture.graph.arrays
    ends = np.concatenate((parts.sources, parts.targets))
    degree = np.bincount(ends, minlength=len(layout))
    order = np.argsort(-degree, kind="stable")
    if picture.lit is not None:
        return [int(node) for node in order[picture.lit[order]][:MAX_NAMES]]
    if owners:
        foremost = order[np.unique(layout.component[order], return_index=True)[1]]
        return [int(node) for node in foremost if layout.component[node] in owners]
    if len(layout) <= MAX_LABELLED:
        return [int(node) for node in order]
    # Many equally joined: which of them is named would be chance.
    least = max(3.0, 1.5 * float(np.median(degree)))
    return [int(node) for node in order[degree[order] >= least][:MAX_NAMES]]


def _places_beside(layout: Layout, node: int, wide: float, tall: float) -> list[Floats]:
    """Return rectangles for a name beside a mark, the best first.

    That is on its right; above it, if it is at the top of its component.
    """
    x, y = layout.positions[node].tolist()
    off, up = (0.6 * layout.sizes[node]).tolist()
    places = [
        (x + off, y - tall / 2),
        (x - off - wide, y - tall / 2),
        (x - wide / 2, y - up - tall),
        (x - wide / 2, y + up),
    ]
    component = layout.component[node]
    if layout.cyclic[component] and layout.boxes[component, 3] - y < 3 * up:
        places.reverse()
    return [np.array([a, b, a + wide, b + tall]) for a, b in places]


def overlaps(box: Floats, others: Floats) -> bool:
    """Tell whether a rectangle (left, bottom, right, top) meets one of others, shape (n, 4)."""
    return bool(
        (
            (box[0] < others[:, 2])
            & (box[2] > others[:, 0])
            & (box[1] < others[:, 3])
            & (box[3] > others[:, 1])
        ).any()
    )
