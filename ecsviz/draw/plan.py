"""Sizes and courses, before there is anything to draw on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, overload

import numpy as np

from ecsviz.basics.order import Bools, Ints
from ecsviz.basics.progress import step
from ecsviz.domain.labels import DEFAULT_LIMIT, columns_for, widest
from ecsviz.draw import frame
from ecsviz.draw.curves import Curves, clear_of_boxes, make_curves
from ecsviz.draw.labels import LINES, Label, differing, labels_of
from ecsviz.draw.picture import Picture
from ecsviz.draw.style import REFERENCES, Category, Ramp, Theme
from ecsviz.draw.text import Writer
from ecsviz.layout import Layout, layout_graph
from ecsviz.layout.choices import placed_by
from ecsviz.layout.grid import Floats
from ecsviz.layout.overview import noun_of
from ecsviz.layout.placed import HUB

FONT: Final = 9.0
"""The size of a label in points, where a unit of the layout is an inch."""
SMALLEST: Final = 5.3
"""Below this size labels are left out: nobody reads them."""
MARK: Final = 0.105
"""The mark in a box, and the room it takes."""
PAD: Final = 0.085
"""From the border of a box to what is in it."""
LINE: Final = 0.155
"""The height of a line of text."""
MAX_LABELLED: Final = 160
"""Above so many nodes there is no room for labels."""
NARROW: Final = 14
"""How wide lines are, in columns, where there is no room for longer ones."""
BOX_GAP: Final = (0.26, 0.46)
CLOSE_GAP: Final = (0.22, 0.32)
"""The room between boxes, and the same where there are more than `CLOSE`."""
CLOSE: Final = 25
MARK_SIZE: Final = 0.15
MARK_GAP: Final = (0.12, 0.30)
ARROW: Final = 0.11
SEVERAL: Final = 6
"""With so many components of several members, each has one name."""
MOST_FANNED: Final = 120
"""Of more references that fan out within a component none is drawn."""
NOTED: Final = 600
"""Of so many marks it is looked whether their names can be drawn."""
MAX_NAMES: Final = 60
"""How many marks are named where there is no room to name all."""
NAME: Final = 8.0
"""The size of a name beside a mark, in points."""
LEAST_NAME: Final = 6.0
"""Names around a circle are not smaller: rather there are fewer."""
APART: Final = 1.15
"""How far apart they stand, in heights of their letters."""
NAME_OFF: Final = 0.1
"""From the middle of a mark on a circle to its name, in inches."""
SPREAD: Final = 1.1
MOST_SPREAD: Final = 6.0
"""How much farther apart marks stand where there is room for their names: else as they are."""
TIME: Final = 0.4
"""The room that a line of time takes at the foot, in inches."""
NAME_ROOM: Final = 1.4
"""How wide such components are at least, so that some of their name is above them."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Where everything is, and how large the figure is.

    Attributes
    ----------
    layout, curves
        The nodes and the references, in units of the layout: inches at natural size.
    bounds
        Left, bottom, right and top of both.
    labels
        One per node, in lines.
    labelled
        Whether nodes are boxes with labels, or marks.
    codes, kinds
        The category of every node, and the categories.
    cyclic
        The components that stand on shaded ground.
    around, named
        What stands around it, and the same where all marks have names.
    height
        Of the axes, in inches.
    hidden
        Shape (references,): which are not drawn, as so many of them fan out from one node.
    """

    layout: Layout
    curves: Curves
    bounds: tuple[float, float, float, float]
    labels: Sequence[Label]
    labelled: bool
    codes: Ints
    kinds: list[Category]
    cyclic: Ints
    around: frame.Surround
    named: frame.Surround
    height: float
    hidden: Bools

    @property
    def arrow(self) -> float:
        """How long arrowheads are, in units of the layout."""
        return arrow_length(self.labelled)


def make_plan(
    picture: Picture,
    codes: Ints,
    kinds: list[Category],
    writer: Writer,
    theme: Theme,
    *,
    room: tuple[float, float],
    fixed: bool,
    title: str,
    legend: bool,
) -> Plan:
    """Lay a picture out for a room.

    Parameters
    ----------
    picture
        What is shown.
    codes, kinds
        The category of every node, and the categories.
    writer, theme
        Fonts and colours.
    room
        Width and height in inches: of given axes, or the most that a new figure may take.
    fixed
        Whether the room is taken whole, or as much of it as is needed.
    title
        A line that must fit as well.
    legend
        Whether there is one.
    """
    layout, curves, labels, labelled = _fitting(picture, writer, room)
    bounds = _bounds(layout, curves)
    if not labelled and picture.how == "circle":
        bounds = _with_names(bounds, labels, writer, room)
    elif not labelled:
        bounds = (*bounds[:3], bounds[3] + MARK_SIZE)  # for names above what stands at the top
    bounds, told = _with_time(bounds, layout, picture, room)
    wide, tall, shrink = _shrunk(bounds, room)
    note = f"{picture.note} {told}".strip()
    parts = picture.graph.arrays
    hidden = _hidden(picture, layout)
    if hidden.any():
        note += f" {int(hidden.sum()):,} lines are left out: they fan out from one node to all."
    cyclic = np.unique(layout.component[parts.sources[picture.in_cycle]])
    around = partial(
        frame.surround,
        writer,
        title,
        picture.counts,
        _entries(picture, codes, kinds, theme, writer) if legend else [],
        room=room[0],
        needed=None if fixed else wide * shrink,
        ramp=kinds if legend and isinstance(kinds, Ramp) else None,
        tall=room[1] if fixed else None,
    )
    crowded = picture.how != "circle" or room_around(layout, shrink) < LEAST_NAME
    if not labelled and crowded and any(picture.labels):
        for label in labels[:NOTED]:  # so that what cannot be drawn is told of
            writer.drawable("".join(label.name))
        most, named = around(f"{note} There is no room for all labels."), around(note)
    else:
        most = named = around(note)
    height = max(tall * shrink, frame.MIN_HEIGHT - 0.6) + most.strip
    return Plan(
        layout, curves, bounds, labels, labelled, codes, kinds, cyclic, most, named, height, hidden
    )


def _hidden(picture: Picture, layout: Layout) -> Bools:
    """Tell which references of large fans are not drawn: they would be all that one sees."""
    fan = layout.shape == HUB
    owner = layout.component[picture.graph.arrays.sources]
    many = np.bincount(owner[fan], minlength=len(layout.cyclic)) > MOST_FANNED
    if picture.told is not None or picture.lit_references is not None:
        return np.zeros(len(fan), dtype=bool)
    return np.asarray(fan & many[owner])


def _special(picture: Picture) -> Bools:
    """Tell which references have their own to say, or are highlighted."""
    told = ~picture.are("")
    return told if picture.lit_references is None else told | picture.lit_references


def arrow_length(labelled: bool) -> float:
    """Return how long arrowheads are, in units of the layout."""
    return ARROW if labelled else 0.8 * ARROW


def _fitting(
    picture: Picture, writer: Writer, room: tuple[float, float]
) -> tuple[Layout, Curves, Sequence[Label], bool]:
    """Lay out with labels as they are, else with shorter ones, else without."""
    parts = picture.graph.arrays
    n = len(picture.labels)
    length = picture.label_length
    line = max(DEFAULT_LIMIT, columns_for(-(-length // LINES)))
    widths = (line, NARROW, 0) if any(picture.labels) else (0,)
    for columns in widths if n <= MAX_LABELLED else (0,):
        # Of marks only a few are named, and cut then.
        names: Sequence[str] = picture.labels
        if n <= MAX_LABELLED:
            names = differing([name.split("\n")[0] for name in names], min(length, DEFAULT_LIMIT))
        labels: Sequence[Label] = _Named(names, writer, length)
        if columns:
            most = min(length, LINES * widest(columns))
            labels = labels_of(picture.labels, min(columns, most), most, writer)
        layout = _layout(picture, labels, writer, columns > 0, room)
        curves = make_curves(
            layout,
            parts.sources,
            parts.targets,
            labelled=columns > 0,
            arrow=arrow_length(columns > 0),
            inwards=picture.how == "circle",
        )
        if columns:
            quiet = picture.implied | ((layout.shape == HUB) & ~_special(picture))
            curves = clear_of_boxes(
                curves, layout, parts.sources, parts.targets, arrow_length(True), quiet
            )
        if columns == 0 or FONT * _shrunk(_bounds(layout, curves), room)[2] >= SMALLEST:
            return layout, curves, labels, columns > 0
    raise AssertionError("the last try fits anything")


def room_around(layout: Layout, scale: float) -> float:
    """Return how large names around a circle may be so that there is room for all, in points."""
    if not len(layout):
        return NAME
    away = layout.positions - layout.positions.mean(axis=0)
    return float(2 * np.pi * np.hypot(*away.T).max() * scale * 72 / len(layout) / APART)


def _with_names(
    bounds: tuple[float, float, float, float],
    labels: Sequence[Label],
    writer: Writer,
    room: tuple[float, float],
) -> tuple[float, float, float, float]:
    """Leave room around a circle for the names that stand around it."""
    names = ("".join(label.name) for label in labels[:NOTED])
    widest = max((writer.width(name, NAME) for name in names if name), default=0.0) + NAME_OFF
    left, bottom, right, top = bounds
    scale = _shrunk(bounds, (max(room[0] - 2 * widest, 1.0), max(room[1] - 2 * widest, 1.0)))[2]
    pad = widest / scale
    return left - pad, bottom - pad, right + pad, top + pad


def _with_time(
    bounds: tuple[float, float, float, float],
    layout: Layout,
    picture: Picture,
    room: tuple[float, float],
) -> tuple[tuple[float, float, float, float], str]:
    """Leave room for a line of time, and tell who is not on it."""
    if layout.moments is None:
        return bounds, ""
    left, bottom, right, top = bounds
    pad = TIME / _shrunk(bounds, room)[2]
    count = int(layout.moments.timeless.sum())
    if not count:
        return (left, bottom - pad, right, top), ""
    noun = noun_of(picture.graph, count)
    told = f"{count:,} {noun} {'has' if count == 1 else 'have'} no time: on the left."
    return (left, bottom - pad, right, top + pad / 2), told


def _shrunk(
    bounds: tuple[float, float, float, float], room: tuple[float, float]
) -> tuple[float, float, float]:
    """Return width and height with a margin, and the scale at which they fit."""
    left, bottom, right, top = bounds
    wide, tall = right - left + 2 * frame.MARGIN, top - bottom + 2 * frame.MARGIN
    return wide, tall, min(1.0, room[0] / wide, max(room[1] - 0.5, 0.3) / tall)


def _bounds(layout: Layout, curves: Curves) -> tuple[float, float, float, float]:
    """Everything, bows that reach beyond the boxes included."""
    left, bottom, right, top = layout.bounds
    if not len(curves.tips) or isinstance(curves.lines, np.ndarray):
        return left, bottom, right, top
    points = np.concatenate(curves.lines)
    low, high = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return min(left, low[0]), min(bottom, low[1]), max(right, high[0]), max(top, high[1])


def named_components(picture: Picture) -> set[int]:
    """Return the components that are named as a whole: a store's threads, by their titles."""
    sizes = np.bincount(picture.graph.ordering.component)
    several = np.flatnonzero(sizes > 1)
    most = 2 * int(sizes[several].sum()) >= len(picture.graph)
    named = picture.lit is None and SEVERAL <= len(several) <= MAX_NAMES and most
    return set(several.tolist()) if named else set()


def name_room(picture: Picture) -> float:
    """Return how wide what is named as a whole is at least; 0 where it hangs on other things."""
    alone = bool(picture.graph.ordering.in_cycle.all()) and any(picture.labels)
    return NAME_ROOM if alone and named_components(picture) else 0.0


def _layout(
    picture: Picture,
    labels: Sequence[Label],
    writer: Writer,
    labelled: bool,
    room: tuple[float, float],
) -> Layout:
    step("layout")
    page = (
        max(room[0] - 2 * frame.MARGIN, 0.5),
        max(room[1] - 2 * frame.MARGIN - 0.6, 0.5),
    )
    if labelled:
        sizes = _box_sizes(labels, writer)
        if picture.grouped:
            sizes[:, 0] = sizes[:, 0].max()  # cards of one size
        gap = BOX_GAP if len(sizes) <= CLOSE else CLOSE_GAP
        if picture.how is not None:
            return placed_by(picture.how, picture.graph, sizes, gap, page)
        return layout_graph(picture.graph, sizes=sizes, gap=gap, page=page)
    sizes = np.full((len(labels), 2), MARK_SIZE)
    if picture.how is None:
        least = name_room(picture)
        laid = partial(layout_graph, picture.graph, sizes=sizes, page=page, name_room=least)
    else:
        laid = partial(placed_by, picture.how, picture.graph, sizes=sizes, page=page)
    layout = laid(gap=MARK_GAP)
    left, bottom, right, top = layout.bounds
    wider, taller = page[0] / max(right - left, 0.1), page[1] / max(top - bottom, 0.1)
    if len(labels) <= MAX_LABELLED and any(picture.labels) and layout.moments is None:
        # The room that is left is the names'.
        if picture.how not in (None, "layered", "tree"):
            wider = taller = min(wider, taller)
    elif picture.how is None and wider > 1.3 * taller and taller < 1:
        # Tall and narrow: what is free at the sides makes the lines easier to follow.
        wider, taller = min(wider / taller, 3.0), 1.0
    else:
        return layout
    if max(wider, taller) < SPREAD:
        return layout
    factors = [min(max(factor, 1.0), MOST_SPREAD) for factor in (wider, taller)]
    across, down = (
        each + (each + MARK_SIZE) * (factor - 1)
        for each, factor in zip(MARK_GAP, factors, strict=True)
    )
    return laid(gap=(across, down))


def _box_sizes(labels: Sequence[Label], writer: Writer) -> Floats:
    sizes = np.zeros((len(labels), 2))
    for number, label in enumerate(labels):
        text = max((writer.width(line, FONT) for line in label.lines), default=0.0)
        sizes[number] = (text + MARK + 3 * PAD, max(1, len(label.lines)) * LINE + 1.6 * PAD)
    return sizes


class _Named(Sequence[Label]):
    """The names of marks, made when asked for: of ten thousand, sixty are named."""

    def __init__(self, texts: Sequence[str], writer: Writer, length: int) -> None:
        self._texts, self._writer = texts, writer
        self._length = min(length, DEFAULT_LIMIT)

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, index: int) -> Label: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Label]: ...
    def __getitem__(self, index: int | slice) -> Label | Sequence[Label]:
        if isinstance(index, slice):
            return _Named(self._texts[index], self._writer, self._length)
        name = self._texts[index].split("\n")[0]
        return Label((self._writer.clean(name, self._length),) if name else ())


def _entries(
    picture: Picture, codes: Ints, kinds: list[Category], theme: Theme, writer: Writer
) -> list[frame.Entry]:
    there = np.unique(codes).tolist()
    cycles = bool(picture.in_cycle.any())
    plain = picture.are("")
    single = plain if picture.both is None else plain & ~picture.both
    return frame.legend_entries(
        [kinds[code] for code in there if kinds[code].name],  # a ramp has its bar
        theme,
        writer,
        lines=cycles and bool((~picture.in_cycle & single).any()),
        in_cycle=bool((picture.in_cycle & ~picture.deferred & plain).any()),
        deferred=bool((picture.in_cycle & picture.deferred & plain).any()),
        pairs=picture.both is not None and bool(picture.both.any()),
        told=[state for state in REFERENCES if picture.told and state in picture.told],
        ground=cycles or bool(picture.holds_cycle.any()),
        grouped=picture.grouped,
    )
