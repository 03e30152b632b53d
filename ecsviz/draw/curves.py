"""References as curves: lists of points, in the units of the layout."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from ecsviz.basics.order import Bools, Ints
from ecsviz.layout import Layout
from ecsviz.layout.around import Ways
from ecsviz.layout.grid import Floats
from ecsviz.layout.placed import HUB, LOOP, RING, ROWS, behind_boxes

STEPS: Final = 22
"""How many points make one bow: enough to look round when it is printed."""
MAX_CURVED: Final = 6_000
"""With more references, all are straight: curves would not be told apart."""
PORT: Final = 0.13
"""How far apart lines leave a labelled node."""
BEND: Final = 0.12
"""How far a line between members of a ring bows out, as a share of its length."""

LONG: Final = 1.5
"""Single references without bends are straight up to this length; longer ones bow."""
FEW_AT_HUB: Final = 60
"""Up to how many references of hubs bow around what stands between."""

INWARDS: Final = 0.55
"""How far lines across a circle bow to its middle, from 0 to 1."""
UPRIGHT: Final = 0.3
"""How upright a line that leads aside at least leaves its node, from 0 to 1."""

RADII: Final = (0.9, 0.45, 0.16)
"""How round the bends of a line around boxes are: as round as there is room."""

_T: Final = np.linspace(0, 1, STEPS)[:, None]


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """The references of a picture.

    Attributes
    ----------
    lines
        Per reference its points, from the border of its source to the foot of its arrowhead.
    tips, directions
        Where the arrows end, and where they point; shape (references, 2).
    """

    lines: list[Floats] | Floats
    tips: Floats
    directions: Floats


def make_curves(
    layout: Layout,
    sources: Ints,
    targets: Ints,
    *,
    labelled: bool,
    arrow: float,
    upright: bool = False,
    inwards: bool = False,
) -> Curves:
    """Return the course of every reference.

    Parameters
    ----------
    layout
        Where the nodes are.
    sources, targets
        The references, shape (references,).
    labelled
        Whether nodes are boxes with text, which lines leave at the top or the foot, or marks.
    arrow
        How long arrowheads are.
    upright
        Whether lines between rows leave nodes upright even where they lead aside.
    inwards
        Whether lines bow to the middle of all, as those of a circle: what is next to each other on
        it is joined inside, and not along it. Marks have their references to themselves outside.

    Notes
    -----
    Parallel references, and those that lead back, bow apart. Above `MAX_CURVED` references all
    are straight but those of a node to itself. O(references log references).
    """
    if len(sources) > MAX_CURVED:
        return _straight(layout, sources, targets, arrow, outwards=inwards and not labelled)
    parallel = _parallels(sources, targets)
    ports = _ports(layout, sources, targets) if labelled else None
    lines, tips, directions = [], np.zeros((len(sources), 2)), np.zeros((len(sources), 2))
    centre = (layout.boxes[:, :2] + layout.boxes[:, 2:]) / 2
    middle_of_all = layout.positions.mean(axis=0) if inwards and not labelled else None
    at_hub = int((layout.shape == HUB).sum())
    for k, (source, target, kind) in enumerate(
        zip(sources.tolist(), targets.tolist(), layout.shape.tolist(), strict=True)
    ):
        a, b = layout.positions[source], layout.positions[target]
        nth, many = int(parallel.nth[k]), int(parallel.many[k])
        bends = layout.route(k)
        if kind == LOOP:
            line = _loop(layout, source, nth, many, middle_of_all)
        elif kind == ROWS and (ports is not None or len(bends)):
            if many > 1:
                bends = bends + (nth - (many - 1) / 2) * np.array([PORT, 0.0])
            ends = (a, b) if ports is None else (ports[0][k], ports[1][k])
            line = _path(ends[0], bends, ends[1], 1.0 if upright else UPRIGHT)
            if ports is None:
                line = _cut(line, a, b, layout.sizes[source], layout.sizes[target])
        else:
            if inwards:
                far = float(np.hypot(*(b - a))) / (float(np.ptp(layout.positions[:, 0])) or 1.0)
                pull = INWARDS * min(0.3 + far, 1.0) + 0.06 * nth
                bow = _quadratic(
                    a, (1 - pull) * (a + b) / 2 + pull * layout.positions.mean(axis=0), b
                )
            elif kind == RING:
                back = many > parallel.onwards[k]
                bow = _ring_bow(a, b, int(parallel.nth_onwards[k]), bool(back), labelled)
            else:
                middle = centre[layout.component[source]]
                bow = _side_bow(a, b, middle, nth, many, at_hub if kind == HUB else None)
            line = _cut(bow, a, b, layout.sizes[source], layout.sizes[target])
        tips[k], directions[k] = _end(line, arrow)
        lines.append(_shortened(line, 0.8 * arrow))
    return Curves(lines, tips, directions)


def clear_of_boxes(
    curves: Curves, layout: Layout, sources: Ints, targets: Ints, arrow: float, quiet: Bools
) -> Curves:
    """Return curves of which none runs behind a box that is not at its ends, but quiet ones.

    Notes
    -----
    Lines that run behind none stay as they are. O(references · boxes), and see `Ways`.
    """
    lines, boxes = curves.lines, layout.outlines
    if isinstance(lines, np.ndarray):
        return curves
    here = behind_boxes(lines, sources, targets, boxes, ~quiet)
    if not len(here):
        return curves
    ways = Ways(boxes)
    for k in here.tolist():
        line, source, target = lines[k], int(sources[k]), int(targets[k])
        ported = layout.shape[k] == ROWS
        a, b = (line[0], curves.tips[k]) if ported else layout.positions[[source, target]]
        bends = ways.between(source, target, a, b, on_border=ported)
        if bends is None:
            continue
        corners = np.vstack((a, bends if len(bends) else (a + b) / 2, b))
        for radius in RADII:
            line = _rounded(corners, radius)
            if not len(behind_boxes([line], sources[[k]], targets[[k]], boxes, np.ones(1, bool))):
                break
        if not ported:
            line = _cut(line, a, b, layout.sizes[source], layout.sizes[target])
        curves.tips[k], curves.directions[k] = _end(line, arrow)
        lines[k] = _shortened(line, 0.8 * arrow)
    return curves


def _straight(
    layout: Layout, sources: Ints, targets: Ints, arrow: float, *, outwards: bool
) -> Curves:
    a, b = layout.positions[sources], layout.positions[targets]
    step = b - a
    length = np.maximum(np.hypot(step[:, 0], step[:, 1]), 1e-9)[:, None]
    direction = step / length
    radius = np.minimum(layout.sizes[targets].min(axis=1)[:, None] / 2, 0.3 * length)
    tips = b - direction * radius
    foot = tips - direction * np.minimum(0.8 * arrow, 0.3 * length)
    lines = np.stack((a, foot), axis=1)
    loops = np.flatnonzero(sources == targets).tolist()
    if not loops:
        return Curves(lines, tips, direction)
    curved = list(lines)
    middle = layout.positions.mean(axis=0) if outwards else None
    for k in loops:
        line = _loop(layout, int(sources[k]), 0, 1, middle)
        tips[k], direction[k] = _end(line, arrow)
        curved[k] = _shortened(line, 0.8 * arrow)
    return Curves(curved, tips, direction)


@dataclass(frozen=True, slots=True, eq=False)
class _Parallel:
    """Per reference: its number among those of the same two nodes, and in its direction."""

    nth: Ints
    many: Ints
    nth_onwards: Ints
    onwards: Ints


def _parallels(sources: Ints, targets: Ints) -> _Parallel:
    n = int(max(sources.max(), targets.max())) + 1 if len(sources) else 1
    pair = np.minimum(sources, targets) * n + np.maximum(sources, targets)
    nth, many = _numbered(pair, sources > targets)
    nth_onwards, onwards = _numbered(sources * n + targets, np.zeros(len(sources), dtype=bool))
    return _Parallel(nth, many, nth_onwards, onwards)


def _numbered(key: Ints, then: Bools) -> tuple[Ints, Ints]:
    _, inverse, count = np.unique(key, return_inverse=True, return_counts=True)
    order = np.lexsort((np.arange(len(key)), then, inverse))
    first = np.cumsum(count) - count
    nth = np.empty(len(key), dtype=np.int64)
    nth[order] = np.arange(len(key)) - first[inverse[order]]
    return nth, count[inverse]


# -- shapes ----------------------------------------------------------------------------------


def _ring_bow(a: Floats, b: Floats, nth: int, back: bool, labelled: bool) -> Floats:
    """Bow to the left, which is outwards where it leads clockwise along a ring."""
    step = b - a
    length = float(np.hypot(*step)) or 1e-9
    normal = np.array([-step[1], step[0]]) / length
    least = (0.13 if labelled else 0.05) if back else (0.05 if labelled else 0.0)
    out = max(BEND * length, least) + nth * max(0.2 * length, 0.22 if labelled else 0.07)
    aside = normal * min(0.04 + 0.09 * nth, 0.2) if labelled else 0.0
    return _quadratic(a + aside, (a + b) / 2 + normal * out * 1.5, b + aside)


def _side_bow(a: Floats, b: Floats, middle: Floats, nth: int, many: int, hub: int | None) -> Floats:
    """Bow within a row, or between a hub and what hangs on it; fan out parallel ones."""
    step = b - a
    length = float(np.hypot(*step)) or 1e-9
    normal = np.array([-step[1], step[0]]) / length
    # The same side whichever way it leads, so that those that lead back do not lie on it.
    if step[1] > 0 or (step[1] == 0 and step[0] < 0):
        normal = -normal
    fan = 0.06 * (nth - (many - 1) / 2)
    if hub is not None:
        # Around what stands between, to the near side; where there are many, nearly straight.
        side = 1.0 if (a + b)[0] / 2 >= middle[0] else -1.0
        fan = (0.5 * fan + 0.09 * side) if hub <= FEW_AT_HUB else 0.02 * side
    elif many > 1:
        fan += 0.14
    elif length > LONG:
        fan = 0.07
    out = fan * length if hub is not None or many == 1 else fan * min(length, 0.8)
    return _quadratic(a, (a + b) / 2 + normal * 2 * out, b)


def _quadratic(a: Floats, control: Floats, b: Floats) -> Floats:
    return np.asarray((1 - _T) ** 2 * a + 2 * _T * (1 - _T) * control + _T**2 * b)


def _loop(layout: Layout, node: int, nth: int, many: int, middle: Floats | None) -> Floats:
    """Lead a line from a node to itself on its right, or away from the `middle` of all."""
    centre, size, room = layout.positions[node], layout.sizes[node], float(layout.reach[node])
    x = size[0] / 2
    share = (nth + 1) / many  # nested, the last one outermost
    reach = room / 0.75 * (0.45 + 0.55 * share)
    open_ = min(0.12, 0.42 * size[1]) * (0.25 + 0.75 * share)
    wide = 0.12 + 0.16 * share
    points = np.array([(x, open_), (x + reach, wide), (x + reach, -wide), (x, -open_)])
    if middle is not None and (centre != middle).any():
        away = (centre - middle) / np.hypot(*(centre - middle))
        points = points @ np.array([away, (-away[1], away[0])])
    return np.asarray(centre + _cubic(points))


def _cubic(points: Floats) -> Floats:
    a, b, c, d = points
    return np.asarray(
        (1 - _T) ** 3 * a + 3 * (1 - _T) ** 2 * _T * b + 3 * (1 - _T) * _T**2 * c + _T**3 * d
    )


def _path(a: Floats, bends: Floats, b: Floats, least: float) -> Floats:
    """Lead a line through rows: upright where it passes a row, bowed between them.

    One without bends that leads aside is nearly straight, so that a star is seen as one: at
    `least` so upright at its ends. Very far aside it would graze what stands between.
    """
    stops = np.vstack((a, bends, b))
    steps = np.diff(stops[:, 1])
    if (steps > 0).any() and (steps < 0).any():
        return _rounded(_squared(stops))
    parts: list[Floats] = []
    for here, there in pairwise(stops):
        step = there - here
        down = np.array([0.0, 0.5 * step[1]])
        if not len(bends) and abs(step[0]) > abs(step[1]):
            slope = float(abs(step[1] / step[0]))
            upright = max(least, slope, min(1.0, 2 - 12 * slope))
            down = upright * down + (1 - upright) * step / 3
        part = _cubic(np.array([here, here + down, there - down, there]))
        parts.append(part if not parts else part[1:])
    return np.concatenate(parts)


def _squared(stops: Floats) -> Floats:
    """Return the corners of a line from the foot of one column to the head of the next."""
    corners = [stops[0]]
    last = len(stops) - 1
    for number in range(1, last + 1):
        here, there = stops[number - 1], stops[number]
        if number == 1:
            corners.append(np.array([here[0], there[1]]))
        elif number == last:
            corners.append(np.array([there[0], here[1]]))
        corners.append(there)
    return np.array(corners)


def _rounded(corners: Floats, radius: float = 0.16) -> Floats:
    parts = [corners[:1]]
    for before, corner, after in zip(corners[:-2], corners[1:-1], corners[2:], strict=True):
        back, on = before - corner, after - corner
        lengths = float(np.hypot(*back)), float(np.hypot(*on))
        if min(lengths) < 1e-6:
            continue
        reach = min(radius, 0.5 * lengths[0], 0.5 * lengths[1])
        start, end = corner + back / lengths[0] * reach, corner + on / lengths[1] * reach
        t = _T[::3]
        parts.append((1 - t) ** 2 * start + 2 * t * (1 - t) * corner + t**2 * end)
    return np.concatenate([*parts, corners[-1:]])


# -- ends ------------------------------------------------------------------------------------


def _ports(layout: Layout, sources: Ints, targets: Ints) -> tuple[Floats, Floats]:
    """Return where lines leave and reach labelled nodes, shape (references, 2) each.

    At the foot or the head of the box, side by side in the order of where they lead.
    """
    rows = np.flatnonzero(layout.shape == ROWS)
    node = np.concatenate((sources[rows], targets[rows]))
    ends = np.concatenate((targets[rows], sources[rows]))
    towards = layout.positions[ends]
    starts, stops = layout.starts[:-1][rows], layout.starts[1:][rows]
    bent = np.flatnonzero(starts < stops)
    towards[bent] = layout.bends[starts[bent]]
    towards[len(rows) + bent] = layout.bends[stops[bent] - 1]
    above = towards[:, 1] > layout.positions[node, 1]
    pair = np.minimum(node, ends) * (len(layout) + 1) + np.maximum(node, ends)
    reference = np.tile(rows, 2)
    order = np.lexsort((reference, pair, towards[:, 0], above, node))
    side = node * 2 + above
    _, inverse, count = np.unique(side, return_inverse=True, return_counts=True)
    place = np.empty(len(node))
    place[order] = np.arange(len(node)) - (np.cumsum(count) - count)[inverse[order]]
    many = count[inverse]
    step = np.minimum(PORT, 0.75 * layout.sizes[node, 0] / many)
    half = layout.sizes[node] / 2
    x = layout.positions[node, 0] + (place - (many - 1) / 2) * step
    y = layout.positions[node, 1] + np.where(above, half[:, 1], -half[:, 1])
    points = np.column_stack((x, y))
    first, last = np.zeros((len(sources), 2)), np.zeros((len(sources), 2))
    first[rows], last[rows] = points[: len(rows)], points[len(rows) :]
    return first, last


def _cut(line: Floats, a: Floats, b: Floats, size_a: Floats, size_b: Floats) -> Floats:
    """Cut off what lies inside the nodes at the ends."""
    inside = np.asarray((np.abs(line - a) <= size_a / 2).all(axis=1))
    first = int(np.argmin(inside)) if not inside.all() else 0
    inside_b = np.asarray((np.abs(line - b) <= size_b / 2).all(axis=1))
    last = len(line) - int(np.argmin(inside_b[::-1])) if not inside_b.all() else len(line)
    if first >= last:
        return np.array([a, b])
    middle = line[first:last]
    head = [_border(line[first - 1], line[first], a, size_a)] if first > 0 else []
    foot = [_border(line[last], line[last - 1], b, size_b)] if last < len(line) else []
    return np.vstack([*head, middle, *foot])


def _border(inner: Floats, outer: Floats, centre: Floats, size: Floats) -> Floats:
    """Return where the way from a point inside a box to one outside meets its border."""
    step = outer - inner
    half = size / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(step > 0, centre + half - inner, centre - half - inner) / step
    share = share[np.isfinite(share) & (share >= 0)]
    return np.asarray(inner + step * min(1.0, float(share.min())) if len(share) else outer)


def _end(line: Floats, arrow: float) -> tuple[Floats, Floats]:
    """Return the tip of a line, and its direction over the length of the arrowhead."""
    tip = line[-1]
    away = line - tip
    far = np.hypot(away[:, 0], away[:, 1]) >= arrow
    back = line[np.flatnonzero(far)[-1]] if far.any() else line[0]
    step = tip - back
    return tip, step / (float(np.hypot(*step)) or 1.0)


def _shortened(line: Floats, length: float) -> Floats:
    """Take `length` off the end of a line."""
    steps = np.hypot(*np.diff(line, axis=0).T)
    left = float(steps.sum()) - length
    if left <= 0.02:
        return line[:1].repeat(2, axis=0) * 0.7 + line[-1:] * 0.3 if len(line) else line
    run = np.cumsum(steps)
    place = int(np.searchsorted(run, left))
    share = (left - (run[place - 1] if place else 0.0)) / max(float(steps[place]), 1e-12)
    end = line[place] + share * (line[place + 1] - line[place])
    return np.vstack((line[: place + 1], end))


def arrowheads(curves: Curves, length: float) -> Floats:
    """Return a triangle for every reference, shape (references, 3, 2)."""
    side = np.column_stack((-curves.directions[:, 1], curves.directions[:, 0]))
    foot = curves.tips - length * curves.directions
    return np.stack((curves.tips, foot + 0.38 * length * side, foot - 0.38 * length * side), axis=1)
