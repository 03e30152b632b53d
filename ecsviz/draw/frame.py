"""Around the picture: the figure's size, the limits, title, legend and note."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ecsviz.draw.style import REFERENCES, Category, Ramp, Theme, on_ground
from ecsviz.draw.text import Writer
from ecsviz.errors import short_repr
from ecsviz.layout import DrawingOptionError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_WIDTH: Final = 12.0
MAX_HEIGHT: Final = 10.5
"""The largest figure that is made, in inches: what a notebook shows without scrolling far."""
MIN_WIDTH: Final = 6.0
MIN_HEIGHT: Final = 1.9
MOST_INCHES: Final = 100
"""The largest figure that may be asked for: ten times what a page holds."""
MARGIN: Final = 0.14
TITLE: Final = 10.5
LEAST: Final = 7.0
"""How large a title is, in points, and at the least where axes are narrow."""
TITLE_COLUMNS: Final = 90
SMALL: Final = 8.5
ROW: Final = 0.2
"""The height of a row of the legend or the note."""
MOST_STRIP: Final = 0.45
"""Of the height of given axes, so much may be legend and note: the rest is the picture."""
BAR: Final = 2.2
"""How wide a bar of colours is at the most, in inches."""


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """Where one draws, and how: axes, colours, fonts, and inches per unit of the layout."""

    ax: Axes
    theme: Theme
    writer: Writer
    scale: float


@dataclass(frozen=True, slots=True)
class FreeRoom:
    """The most that a picture may take, in inches, of which a figure is made as it needs.

    The figure is none of pyplot's, so that any thread may draw it.
    """

    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the legend."""

    handle: Any
    text: str


def legend_entries(
    kinds: list[Category],
    theme: Theme,
    writer: Writer,
    *,
    lines: bool = False,
    in_cycle: bool = False,
    deferred: bool = False,
    ground: bool = False,
    grouped: bool = False,
    pairs: bool = False,
    told: Sequence[str] = (),
) -> list[Entry]:
    """Return what the legend explains: only what is in the picture."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries = [
        Entry(
            Line2D(
                [], [], linestyle="none", marker=kind.marker, markersize=6.5,
                markerfacecolor=kind.color, markeredgecolor=theme.ground,
            ),
            writer.clean(kind.name, 40),
        )
        for kind in kinds
    ]  # fmt: skip
    if lines:
        entries.append(Entry(Line2D([], [], color=theme.line, linewidth=1.2), "depends on"))
    if in_cycle:
        entries.append(Entry(Line2D([], [], color=theme.cycle, linewidth=1.5), "in a cycle"))
    if deferred:
        entries.append(
            Entry(
                Line2D([], [], color=theme.cycle, linewidth=1.5, linestyle=(0, (3.2, 1.8))),
                "closes a cycle: deferred",
            )
        )
    if pairs:
        both = Line2D(
            [], [], color=theme.line, linewidth=1.2, marker="d", markersize=4, markevery=[0, -1]
        )
        entries.append(Entry(both, "list and back-reference"))
    for state in told:
        removed = state == "removed reference"
        line = Line2D(
            [0.0, 0.5, 1.0], [0.0] * 3, linewidth=1.7, markersize=6, markeredgewidth=1.6,
            color=on_ground(REFERENCES[state], theme.dark),
            marker="x" if removed else None, markevery=[1],
        )  # fmt: skip
        entries.append(Entry(line, state))
    if ground:
        entries.append(
            Entry(
                Patch(facecolor=(*theme.cycle, 0.12), edgecolor=(*theme.cycle, 0.5), linewidth=0.8),
                "holds a cycle" if grouped else "cyclic component",
            )
        )
    return entries


def legend_grid(widths: list[float], width: float) -> tuple[int, int]:
    """Return in how many columns and rows entries fit beside each other."""
    count = len(widths)
    if not count:
        return 0, 0
    for columns in range(count, 0, -1):
        rows = -(-count // columns)
        # matplotlib fills columns first, the first ones with one more where it does not come out.
        total, start = 0.0, 0
        for column in range(columns):
            size = count // columns + (column < count % columns)
            total += max(widths[start : start + size])
            start += size
        if total <= width or columns == 1:
            return columns, rows
    return 1, count


def wrapped(text: str, writer: Writer, width: float, size: float = SMALL) -> list[str]:
    """Break a text into lines that fit."""
    lines: list[str] = []
    for word in text.split():
        if lines and writer.width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def new_axes(width: float, height: float, title_lines: int, *, apart: bool = False) -> Axes:
    """Return the axes of a new figure of a size in inches; none of pyplot's if it stands apart."""
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure

    top = 0.12 + ROW * title_lines
    size = (width, height + top)  # room for the title included
    figure = Figure(figsize=size) if apart else plt.figure(figsize=size)
    total = height + top
    return figure.add_axes((0.0, 0.0, 1.0, height / total))


def sized_axes(ax: Axes | None, figsize: Any) -> Axes | None:
    """Return the axes to draw in: those given, of a figure of the size that was given, or None.

    Raises
    ------
    DrawingOptionError
        If both are given, or the size is not one.
    """
    if figsize is None:
        return ax
    if ax is not None:
        raise DrawingOptionError(
            "figsize= makes a figure, and ax= says where to draw. Give one of the two.",
            option="figsize",
            value=figsize,
        )
    sizes = list(figsize) if isinstance(figsize, (list, tuple)) else []
    numbers = [type(size) in (int, float) and 1 <= size <= MOST_INCHES for size in sizes]
    if numbers != [True, True]:
        raise DrawingOptionError(
            f"figsize is {short_repr(figsize)}. Give width and height in inches, from 1 to"
            f" {MOST_INCHES}: figsize=(9, 5).",
            option="figsize",
            value=figsize,
        )
    width, height = sizes
    return new_axes(width, height - 0.12 - ROW, 1)


def size_of(ax: Axes) -> tuple[float, float]:
    """Return width and height of axes in inches."""
    figure = ax.get_figure(root=True)
    if figure is None:  # taken out of its figure
        return 6.4, 4.8
    box = ax.get_window_extent()
    return max(float(box.width / figure.dpi), 0.1), max(float(box.height / figure.dpi), 0.1)


def room_for(ax: Axes | FreeRoom | None) -> tuple[float, float]:
    """Return width and height of axes, or the most that a new figure may take, in inches."""
    if isinstance(ax, FreeRoom):
        return ax.width, ax.height
    return (MAX_WIDTH, MAX_HEIGHT) if ax is None else size_of(ax)


def fit(ax: Axes, bounds: tuple[float, float, float, float], strip: float) -> float:
    """Set the limits so that the bounds are shown above a strip at the foot.

    Returns
    -------
    float
        How many inches a unit of the layout is; at most 1.
    """
    width, height = size_of(ax)
    left, bottom, right, top = bounds
    wide, tall = max(right - left, 1e-6), max(top - bottom, 1e-6)
    room = max(width - 2 * MARGIN, 0.3 * width), max(height - strip - 2 * MARGIN, 0.3 * height)
    scale = min(room[0] / wide, room[1] / tall, 1.0)
    middle = (left + right) / 2
    ax.set_xlim(middle - width / 2 / scale, middle + width / 2 / scale)
    # In the middle of what is above the strip.
    free = max(height - strip, 0.3 * height)
    low = (bottom + top) / 2 - (free / 2 + (height - free)) / scale
    ax.set_ylim(low, low + height / scale)
    ax.set_aspect("equal", adjustable="datalim")
    ax.set_axis_off()
    return float(scale)


def draw_legend(canvas: Canvas, entries: list[Entry], columns: int, lift: float) -> None:
    """Draw the legend at the foot, `lift` inches above it."""
    if not entries:
        return
    width, height = size_of(canvas.ax)
    legend = canvas.ax.legend(
        [entry.handle for entry in entries],
        # matplotlib drops what begins with "_", as names of private classes do: it sees numbers.
        [str(number) for number in range(len(entries))],
        loc="lower left",
        bbox_to_anchor=(MARGIN / width, (0.06 + lift) / height),
        ncols=columns,
        fontsize=SMALL,
        frameon=False,
        borderpad=0.0,
        borderaxespad=0.0,
        handlelength=1.7,
        handletextpad=0.5,
        columnspacing=1.3,
        labelspacing=0.45,
        labelcolor=canvas.theme.text,
    )
    legend.set_zorder(5)
    for text, entry in zip(legend.get_texts(), entries, strict=True):
        text.set(text=entry.text, **canvas.writer.options())


def draw_ramp(canvas: Canvas, ramp: Ramp, lift: float) -> None:
    """Draw a bar of the colours of numbers, with the least and the greatest, so many inches up."""
    from matplotlib.collections import PolyCollection

    width, height = size_of(canvas.ax)
    measure = canvas.writer.clean(ramp.measure, 32)
    left, high = MARGIN / width, 0.1 / height
    wide = min(BAR, 0.5 * width) / width / len(ramp.bar)
    low = lift / height
    corners = [
        [(left + k * wide, low), (left + (k + 1.1) * wide, low),
         (left + (k + 1.1) * wide, low + high), (left + k * wide, low + high)]
        for k in range(len(ramp.bar))
    ]  # fmt: skip
    canvas.ax.add_collection(
        PolyCollection(
            corners,
            facecolors=[kind.color for kind in ramp.bar],
            edgecolors="none",
            transform=canvas.ax.transAxes,
            zorder=5,
            gid="colour bar",
        ),
        autolim=False,
    )
    canvas.ax.text(
        left + (len(ramp.bar) + 2) * wide,
        low + high / 2,
        f"{f'{measure}: ' if measure else ''}{ramp.low:,.6g} to {ramp.high:,.6g}",
        transform=canvas.ax.transAxes,
        size=SMALL,
        color=canvas.theme.text,
        va="center_baseline",
        ha="left",
        zorder=5,
        gid="colour bar",
        **canvas.writer.options(),
    )


def draw_note(canvas: Canvas, lines: list[str]) -> None:
    """Write what was merged or left out at the foot."""
    if not lines:
        return
    width, height = size_of(canvas.ax)
    canvas.ax.text(
        MARGIN / width,
        0.05 / height,
        "\n".join(lines),
        transform=canvas.ax.transAxes,
        size=SMALL,
        color=canvas.theme.muted,
        style="italic",
        va="bottom",
        ha="left",
        zorder=5,
        gid="note",
        **canvas.writer.options(),
    )


def draw_title(canvas: Canvas, title: str, counts: str) -> None:
    """Write the title, and the figures below it; smaller, and broken, where axes are narrow."""
    width, _ = size_of(canvas.ax)
    given = [line for line in (title, counts) if line]
    room = max(width - 2 * MARGIN, 0.5)
    widest = max((canvas.writer.width(line, TITLE) for line in given), default=0.0)
    size = TITLE if widest <= room else max(TITLE * room / widest, LEAST)
    lines = [part for line in given for part in wrapped(line, canvas.writer, room, size)]
    canvas.ax.set_title(
        "\n".join(lines),
        loc="left",
        x=MARGIN / width,
        fontsize=size,
        color=canvas.theme.text,
        pad=4,
        linespacing=1.25,
        **canvas.writer.options(),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Surround:
    """What stands around a picture, and the room that it takes.

    Attributes
    ----------
    head, counts
        The title, and the figures below it.
    entries, columns
        What the legend explains, and beside how many others.
    note
        The lines of the note.
    width
        Of the axes, in inches.
    strip
        The height at the foot that is kept for legend and note.
    ramp
        The colours of numbers, which stand above them, or None.
    """

    head: str
    counts: str
    entries: list[Entry]
    columns: int
    note: list[str]
    width: float
    strip: float
    ramp: Ramp | None = None

    def canvas(
        self,
        ax: Axes | FreeRoom | None,
        theme: Theme,
        writer: Writer,
        bounds: tuple[float, float, float, float],
        height: float,
    ) -> Canvas:
        """Return where to draw: the axes, or those of a new figure so many inches high."""
        if ax is None or isinstance(ax, FreeRoom):
            apart = ax is not None
            ax = new_axes(self.width, height, 1 + bool(self.head), apart=apart)
        return Canvas(ax, theme, writer, fit(ax, bounds, self.strip))

    def draw(self, canvas: Canvas) -> None:
        """Draw legend, note and title."""
        draw_legend(canvas, self.entries, self.columns, ROW * len(self.note))
        draw_note(canvas, self.note)
        if self.ramp is not None:
            draw_ramp(canvas, self.ramp, self.strip - ROW)
        draw_title(canvas, self.head, self.counts)


def surround(
    writer: Writer,
    head: str,
    counts: str,
    entries: list[Entry],
    note: str,
    *,
    room: float,
    needed: float | None,
    ramp: Ramp | None = None,
    tall: float | None = None,
) -> Surround:
    """Decide how wide a picture is, and what stands around it.

    Parameters
    ----------
    writer, head, counts, entries, note
        What is written.
    room
        The width of given axes, or the most that a new figure may take, in inches.
    needed
        How much of it what is drawn takes; None for all.
    ramp
        The colours of numbers that are explained.
    tall
        The height of given axes: what would take more than `MOST_STRIP` of it is left out, the
        legend first.
    """
    width = room
    if needed is not None:
        words = max(writer.width(text, TITLE) for text in (head, counts)) + 0.4
        width = float(np.clip(max(needed, words), min(MIN_WIDTH, room), room))
    # Handles and gaps included.
    widths = [writer.width(entry.text, SMALL) + 0.52 for entry in entries]
    columns, rows = legend_grid(widths, width - 2 * MARGIN)
    lines = wrapped(f"{note} {writer.note}", writer, width - 2 * MARGIN)
    free = math.inf if tall is None else MOST_STRIP * tall
    if _strip(rows, len(lines), ramp) > free:
        entries, columns, rows = [], 0, 0
    if _strip(0, len(lines), ramp) > free:
        lines = []
    strip = _strip(rows, len(lines), ramp)
    return Surround(head, counts, entries, columns, lines, width, strip, ramp)


def _strip(rows: int, lines: int, ramp: Ramp | None) -> float:
    """Return how much height legend, note and a bar of colours take, in inches."""
    strip = ROW * (rows + lines) + (0.1 if rows or lines else 0.0)
    return strip + (0.0 if ramp is None else ROW + 0.12)


def ground_of(ax: Axes | FreeRoom | None) -> Any:
    """Return the colour behind the axes: the figure's, as the axes' own is switched off."""
    from matplotlib import rcParams
    from matplotlib.colors import to_rgba

    if not (ax is None or isinstance(ax, FreeRoom) or hasattr(ax, "get_figure")):
        raise DrawingOptionError(
            f"ax is {short_repr(ax)}. Give matplotlib's Axes, or None for a figure of its own; of"
            " several things to draw give a list.",
            option="ax",
            value=ax,
        )
    figure = None if ax is None or isinstance(ax, FreeRoom) else ax.get_figure()
    color = rcParams["figure.facecolor"] if figure is None else figure.get_facecolor()
    rgba = np.array(to_rgba(color))
    if rgba[3] > 0.5:
        return tuple(rgba[:3])
    # Transparent: what the user's text is legible on.
    text = np.array(to_rgba(rcParams["text.color"]))[:3]
    return "white" if text.mean() < 0.5 else "black"
