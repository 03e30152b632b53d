"""Bars, cells and words, placed in inches and drawn at once: pictures of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ecsviz.draw import frame
from ecsviz.draw.frame import Entry
from ecsviz.draw.nodes import RISE
from ecsviz.draw.style import Color, Theme, theme_of, with_alpha
from ecsviz.draw.text import Writer

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TEXT: Final = 8.6
SMALL: Final = 7.6
APART: Final = 0.07
"""How far names on a line are apart, at the least."""


@dataclass(frozen=True, slots=True)
class Word:
    """A text, and where it stands."""

    x: float
    y: float
    text: str
    gid: str
    ha: str
    size: float
    muted: bool


@dataclass(slots=True, eq=False)
class Sheet:
    """What is placed so far.

    Attributes
    ----------
    theme, writer
        The colours, and the fonts.
    room
        How wide it may be, in inches.
    boxes
        By name, and colour, what is filled: left, bottom, width and height in inches.
    words
        What is written.
    """

    theme: Theme
    writer: Writer
    room: float
    boxes: dict[str, list[tuple[float, float, float, float, Color]]] = field(default_factory=dict)
    words: list[Word] = field(default_factory=list)

    @classmethod
    def on(cls, ax: Axes | None, writer: Writer) -> Sheet:
        """Return an empty sheet for axes; None for those of a new figure."""
        room = frame.room_for(ax)[0] - 2 * frame.MARGIN
        return cls(theme_of(frame.ground_of(ax)), writer, room)

    def box(self, gid: str, x: float, y: float, width: float, height: float, fill: Color) -> None:
        """Fill a box: its lower left corner, its size, its colour."""
        self.boxes.setdefault(gid, []).append((x, y, width, height, fill))

    def say(
        self,
        gid: str,
        x: float,
        y: float,
        text: str,
        *,
        ha: str = "left",
        size: float = SMALL,
        muted: bool = True,
    ) -> None:
        """Write a line with its middle at a height; `ha` as matplotlib has it."""
        self.words.append(Word(x, y, text, gid, ha, size, muted))

    def row(self, gid: str, y: float, names: Sequence[tuple[float, str]], ha: str) -> None:
        """Write names along a line, from left to right, but those that there is no room for."""
        free = -np.inf
        for x, name in names:
            wide = self.writer.width(name, SMALL)
            left = x - (wide / 2 if ha == "center" else 0.0)
            if left >= free:
                self.say(gid, x, y, name, ha=ha)
                free = left + wide + APART

    def bounds(self) -> tuple[float, float, float, float]:
        """Return left, bottom, right and top of everything."""
        spans = [(x, y, x + w, y + h) for of in self.boxes.values() for x, y, w, h, _ in of]
        for word in self.words:
            wide = self.writer.width(word.text, word.size)
            left = word.x - wide * {"left": 0.0, "center": 0.5, "right": 1.0}[word.ha]
            spans.append((left, word.y - 0.09, left + wide, word.y + 0.09))
        found = np.array(spans or [(0.0, 0.0, 2.0, 0.4)])
        (left, bottom), (right, top) = found[:, :2].min(axis=0), found[:, 2:].max(axis=0)
        return float(left), float(bottom), float(right), float(top)

    def draw(
        self, ax: Axes | None, head: str, counts: str, entries: list[Entry], note: str
    ) -> Axes:
        """Draw everything, with a title above and a legend and a note below it."""
        left, bottom, right, top = bounds = self.bounds()
        around = frame.surround(
            self.writer,
            head,
            counts,
            entries,
            note,
            room=frame.room_for(ax)[0],
            needed=right - left + 2 * frame.MARGIN if ax is None else None,
        )
        shrink = min(1.0, (around.width - 2 * frame.MARGIN) / max(right - left, 1e-6))
        height = max((top - bottom) * shrink + 2 * frame.MARGIN + around.strip, 1.0)
        canvas = around.canvas(ax, self.theme, self.writer, bounds, height)
        self._fill(canvas)
        around.draw(canvas)
        return canvas.ax

    def _fill(self, canvas: frame.Canvas) -> None:
        from matplotlib.collections import PolyCollection

        for gid, boxes in self.boxes.items():
            x, y, wide, high = np.array([box[:4] for box in boxes]).T
            corners = np.stack(
                [
                    np.column_stack((x, y)),
                    np.column_stack((x + wide, y)),
                    np.column_stack((x + wide, y + high)),
                    np.column_stack((x, y + high)),
                ],
                axis=1,
            )
            colors = with_alpha([box[4] for box in boxes], np.ones(len(boxes)))
            canvas.ax.add_collection(
                PolyCollection(list(corners), facecolors=colors, linewidths=0, gid=gid, zorder=2),
                autolim=False,
            )
        options: dict[str, Any] = self.writer.options()
        for word in self.words:
            canvas.ax.text(
                word.x,
                word.y - RISE,
                word.text,
                size=word.size * canvas.scale,
                color=self.theme.muted if word.muted else self.theme.text,
                ha=word.ha,
                va="baseline",
                zorder=3,
                clip_on=True,
                gid=word.gid,
                **options,
            )


def nothing(sheet: Sheet, text: str) -> None:
    """Say in the middle of an empty picture that there is nothing."""
    sheet.say("note", 0.0, 0.0, text, ha="center", size=TEXT)
