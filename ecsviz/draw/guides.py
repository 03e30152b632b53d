"""What stands behind a layout that says more than who holds whom: rings, and a line of time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from ecsviz.draw.frame import Canvas
from ecsviz.draw.style import with_alpha
from ecsviz.layout import Layout
from ecsviz.layout.timed import Moments

SIZE: Final = 8.0
"""The size of what is written at a line of time, in points."""
FAINT: Final = 0.45
TICKS: Final = (3, 9)
"""How many there are at the least, and at the most."""


def draw_guides(canvas: Canvas, layout: Layout) -> None:
    """Draw the rings of a radial layout, and the time of a timeline."""
    from matplotlib.collections import EllipseCollection, LineCollection

    color: Any = with_alpha([canvas.theme.line], np.array([FAINT]))
    if layout.rings:
        wide = 2 * np.array(layout.rings)
        canvas.ax.add_collection(
            EllipseCollection(
                wide, wide, np.zeros(len(wide)), units="xy", facecolors="none", edgecolors=color,
                linewidths=0.7, zorder=0.3, gid="rings", offsets=np.zeros((len(wide), 2)),
                offset_transform=canvas.ax.transData,
            ),
            autolim=False,
        )  # fmt: skip
    if layout.moments is None:
        return
    _, bottom, right, top = layout.bounds
    off = 0.1 / canvas.scale
    ticks, told = _ticks(layout.moments)
    lines = [[(x, bottom - off), (x, top)] for x, _ in ticks]
    canvas.ax.add_collection(
        LineCollection(lines, colors=color, linewidths=0.7, zorder=0.3, gid="time"), autolim=False
    )
    words = [(x, bottom - off, text, "center", "top") for x, text in ticks]
    words.append((right, bottom - 2.6 * off, told, "right", "top"))
    rest = layout.moments.timeless
    if rest.any():
        middle = (layout.positions[rest, 0].min() + layout.positions[rest, 0].max()) / 2
        words.append((float(middle), top + off, "no time", "center", "bottom"))
    for x, y, text, ha, va in words:
        aligned: dict[str, Any] = {"ha": ha, "va": va, **canvas.writer.options()}
        canvas.ax.text(
            x, y, text, size=SIZE, color=canvas.theme.muted, zorder=0.3, gid="tick", **aligned
        )


def _ticks(moments: Moments) -> tuple[list[tuple[float, str]], str]:
    """Return where moments are named, and how, and what is the same for all."""
    from matplotlib import dates

    untyped: Any = dates
    (left, right), (low, high) = moments.places, moments.seconds
    first, last = (datetime.fromtimestamp(second, UTC) for second in (low, high))
    zone = "UTC" if moments.zoned else ""
    if high - low < 1:
        return [(left, f"{first:%Y-%m-%d %H:%M:%S}")], zone
    least, most = TICKS
    locator = untyped.AutoDateLocator(tz=UTC, minticks=least, maxticks=most)
    named = untyped.ConciseDateFormatter(locator, tz=UTC)
    begin, end = untyped.date2num([first, last])
    ticks = [tick for tick in locator.tick_values(first, last) if begin <= tick <= end]
    texts = named.format_ticks(ticks)
    places = [left + (tick - begin) / (end - begin) * (right - left) for tick in ticks]
    return list(zip(places, texts, strict=True)), f"{named.get_offset()} {zone}".strip()
