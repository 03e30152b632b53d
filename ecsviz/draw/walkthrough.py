"""The picture of a step: the graph, what the algorithm holds, and the line of its pseudocode."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ecsviz.draw import frame
from ecsviz.draw.graph import draw_picture, picture_of
from ecsviz.draw.options import checked_option
from ecsviz.draw.palette import BLUE
from ecsviz.draw.picture import DrawingOptionError
from ecsviz.draw.style import Theme, on_ground, theme_of, with_alpha
from ecsviz.draw.text import Writer
from ecsviz.errors import short_repr
from ecsviz.graph.walkthrough import WalkStep, Walkthrough, checked_walk

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COMPLETE: Final = "in a component"
GROUNDS: Final = {"light": "#FFFFFF", "dark": "#111111"}
SIZE: Final = 9.2
LINE: Final = 0.185
"""The size of texts in points, and the height of a line in inches."""
WIDTH: Final = 11.5
PANEL: Final = 0.44
"""How wide a figure is in inches, and the part of it that words take."""
NARROW: Final = 7.0
"""Below this width, words stand under the graph."""
STATE_LINES: Final = 2
TEXT_LINES: Final = 3
LEGEND: Final = 0.3
LOWEST, HIGHEST, ROW = 3.2, 6.6, 0.75
"""How high a graph is, in inches: at the least, at the most, and a generation of it."""


def draw_walkthrough(
    walk: Walkthrough,
    step: int = -1,
    ax: Axes | None = None,
    *,
    theme: str | None = None,
    figsize: tuple[float, float] | None = None,
) -> Axes:
    """Draw one step of a walkthrough: the graph, the state beside it, and the line of the code.

    Parameters
    ----------
    walk
        What ``graph.walkthrough(…)`` gave.
    step
        The number of the step, from 0; negative ones count from the end. The last by default.
    ax
        Where to draw. None makes a figure.
    theme
        ``"light"`` or ``"dark"``: the ground of the figure that is made. None takes matplotlib's.
    figsize
        Width and height of the figure in inches.

    Returns
    -------
    Axes
        The graph stands in its first child axes, the words in the second: texts whose ``get_gid()``
        is ``"what happens"``, ``"state"``, ``"code"`` or ``"this line"``.

    Raises
    ------
    NoSuchStepError, InvalidArgumentError
        If there is no such step.
    DrawingOptionError
        If an option is nothing of its kind.

    Examples
    --------
    >>> import ecsviz as ev
    >>> walk = ev.EntityDependencyGraph(ev.sample("two_cycle")).walkthrough("order")
    >>> graph, words = draw_walkthrough(walk, 3).child_axes
    >>> [text.get_text() for text in words.texts if text.get_gid() == "this line"]
    ['several members? defer what leads to a later one']
    """
    checked_option(lambda value, _: checked_walk(value), walk, "walk")
    number = checked_option(lambda value, _: walk.number_of(value), step, "step")
    return draw_step(walk, number, ax, theme=theme, figsize=figsize)


def draw_step(
    walk: Walkthrough,
    number: int,
    ax: Axes | frame.FreeRoom | None = None,
    *,
    theme: str | None = None,
    figsize: tuple[float, float] | None = None,
    words: bool = True,
) -> Axes:
    """Draw a step that there is; without its words for a widget, which has them beside it."""
    writer, given = Writer(), walk[number]
    ground = _checked_theme(theme, ax)
    ax = _axes(walk, ax, figsize, words)
    figure: Any = ax.get_figure(root=True)
    if ground is not None:
        figure.set_facecolor(ground)
    ax.set_axis_off()
    width, height = frame.size_of(ax)
    beside = width >= NARROW
    share = 0.0 if not words else PANEL
    spot = (0.0, 0.0, 1 - share, 1.0) if beside else (0.0, share, 1.0, 1 - share)
    picture = picture_of(
        walk.graph, color_by="type", label=None, highlight=None, max_nodes=None, group_by=None
    )
    if walk.what == "components":  # which the picture must not tell before
        ends, done = walk.graph.arrays, np.array([mark == COMPLETE for mark in given.marks], bool)
        shown = picture.in_cycle & done[ends.sources] & done[ends.targets]
        picture = replace(picture, in_cycle=shown, deferred=picture.deferred & shown)
    head = f"{walk.script.title}, step {number:,} of {len(walk) - 1:,}"
    foot = 0.0 if words else LEGEND / height
    inner = ax.inset_axes((spot[0], spot[1] + foot, spot[2], spot[3] - foot - 0.5 / height))
    draw_picture(
        replace(picture, values=list(given.marks), note=walk.note),
        inner,
        title=head,
        legend=False,
        fixed=walk.script.looks,
    )
    panel = (1 - share, 0.0, share, 1.0) if beside else (0.0, 0.0, 1.0, share)
    panel = panel if words else (0.0, 0.0, 1.0, foot)
    said = _Words(ax.inset_axes(panel), writer, theme_of(frame.ground_of(ax)), walk, given)
    said.draw(whole=words)
    return ax


def _checked_theme(theme: Any, ax: Any) -> str | None:
    if theme is None:
        return None
    if not isinstance(theme, str) or theme not in GROUNDS:
        raise DrawingOptionError(
            f"theme is {short_repr(theme)}. Give 'light', 'dark', or None for matplotlib's.",
            option="theme",
            value=theme,
        )
    if ax is not None and not isinstance(ax, frame.FreeRoom):
        raise DrawingOptionError(
            "theme= makes a figure, and ax= says where to draw. Give one of the two.",
            option="theme",
            value=theme,
        )
    return GROUNDS[theme]


def _axes(walk: Walkthrough, ax: Any, figsize: Any, words: bool) -> Axes:
    frame.ground_of(ax)  # which says what is wrong with it
    found = frame.sized_axes(None if isinstance(ax, frame.FreeRoom) else ax, figsize)
    if found is not None:
        return found
    apart = isinstance(ax, frame.FreeRoom)
    members = np.bincount(walk.graph.ordering.component, minlength=1).max()
    rows = walk.graph.ordering.generation.max(initial=0) + 1 + np.sqrt(members)
    height = float(np.clip(1.2 + ROW * rows, LOWEST, HIGHEST))
    if words:
        lines = TEXT_LINES + (STATE_LINES + 0.3) * len(walk[0].state) + len(walk.script.code) + 4.4
        height = max(height, lines * LINE)
    width = ax.width if apart else WIDTH
    return frame.new_axes(width, height, 0, apart=apart)


@dataclass(slots=True)
class _Words:
    """The words beside the graph, from above to below, in inches."""

    ax: Axes
    writer: Writer
    theme: Theme
    walk: Walkthrough
    step: WalkStep
    y: float = 0.0
    size: float = SIZE
    line: float = LINE

    def draw(self, whole: bool) -> None:
        """Write what happens, the state, the code, and what the colours stand for; or only that."""
        from matplotlib.patches import Rectangle

        ax, script = self.ax, self.walk.script
        width, height = frame.size_of(ax)
        ax.set_axis_off()
        ax.set(xlim=(0, width), ylim=(0, height))
        if not whole:
            self._legend(height - LINE, width, script.looks)
            return
        rows = list(self._rows(width))
        shrink = min(1.0, (height - 0.1) / sum(high for *_, high in rows))
        self.size, self.line = SIZE * shrink, LINE * shrink
        y = height - 0.06
        for gid, x, text, muted, high in rows:
            y -= high * shrink
            if gid == "this line":
                back = with_alpha([on_ground(BLUE, self.theme.dark)], 0.22)
                box = Rectangle((0.04, y - 0.22 * self.line), width - 0.1, self.line, color=back[0])
                ax.add_patch(box)
            self._say(gid, x, y, text, muted=muted, bold=gid == "what happens")
        self._legend(y + 1.6 * self.line, width, script.looks)

    def _rows(self, width: float) -> Iterator[tuple[str, float, str, bool, float]]:
        """Yield gid, place, text, whether it is muted, and height."""
        for text in self._wrapped(self.step.text, width - 0.3, TEXT_LINES):
            yield "what happens", 0.1, text, False, LINE
        yield "", 0.1, "", False, 0.4 * LINE
        names = max((self.writer.width(name, SIZE) for name in self.step.state), default=0.0)
        for name, value in self.step.state.items():
            at = 0.1 + names + 0.12
            lines = self._wrapped(value, width - at - 0.15, STATE_LINES)
            yield "state", 0.1, name, True, LINE
            for number, text in enumerate(lines):
                yield "state", at, text, False, LINE if number else 0.0
            yield "", 0.1, "", False, 0.3 * LINE
        yield "", 0.1, "", False, 0.5 * LINE
        for number, text in enumerate(self.walk.script.code, 1):
            indent = 0.045 * (len(text) - len(text.lstrip()))
            gid = "this line" if number == self.step.line else "code"
            yield gid, 0.1 + indent, text.strip(), gid == "code", LINE
        yield "", 0.1, "", False, 3.1 * LINE

    def _wrapped(self, text: str, width: float, most: int) -> list[str]:
        """Return as many lines as there always are, so that pictures of steps look alike."""
        clean = self.writer.clean(text, 600)
        lines = frame.wrapped(clean, self.writer, width, SIZE)
        if len(lines) > most:
            lines = [*lines[: most - 1], f"{lines[most - 1]} …"]
        return lines + [""] * (most - len(lines))

    def _say(self, gid: str, x: float, y: float, text: str, *, muted: bool, bold: bool) -> None:
        if text:
            self.ax.text(
                x,
                y,
                text,
                size=self.size,
                gid=gid,
                weight="bold" if bold else "normal",
                color=self.theme.muted if muted else self.theme.text,
                va="baseline",
                **self.writer.options(),
            )

    def _legend(self, y: float, width: float, looks: Any) -> None:
        x = 0.16
        for name, (color, marker) in looks.items():
            wide = self.writer.width(name, self.size) + 0.42
            if x + wide > width and x > 0.2:
                x, y = 0.16, y - self.line
            self.ax.plot(
                [x], [y + 0.05], marker, markersize=6, color=on_ground(color, self.theme.dark)
            )
            self._say("legend", x + 0.12, y, name, muted=True, bold=False)
            x += wide
