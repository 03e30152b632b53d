"""The picture of a chat thread: its messages one after the other, its branches side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from ecsviz.basics.arguments import count_or_none
from ecsviz.basics.order import Ints
from ecsviz.domain.labels import clean_text
from ecsviz.draw import frame
from ecsviz.draw.nodes import RISE
from ecsviz.draw.options import checked_option, title_and_legend
from ecsviz.draw.style import Category, categories, theme_of, with_alpha
from ecsviz.draw.text import Writer
from ecsviz.errors import short_repr
from ecsviz.layout import DrawingOptionError
from ecsviz.layout.grid import Floats
from ecsviz.layout.lanes import fold_branches, lanes_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

By = Literal["auto", "time", "position"]

MAX_LISTED: Final = 42
"""Up to so many messages each has a row with its text; more are marks along an axis."""
MAX_BRANCHES: Final = 40
"""Of more branches the longest are drawn: hundreds are a texture that says nothing."""
ROW: Final = 0.225
LANE: Final = 0.24
"""From one row to the next, and from one lane to the next, in inches."""
FOLDED: Final = 1.5
"""How much wider lanes are with numbers of folded branches in them."""
MARK: Final = 0.125
TEXT: Final = 8.6
SMALL: Final = 7.2
TEXT_COLUMNS: Final = 78
PAUSE: Final = timedelta(minutes=30)
"""Silence that is told between two rows, where it is also far longer than most."""
LONG: Final = 8
NEAR: Final = 0.35
"""By time only where less than this share of messages would cover the one before."""
AXIS_WIDTH: Final = 11.4
TICKS: Final = 0.32


@dataclass(frozen=True, slots=True, eq=False)
class _Thread:
    """A thread in plain data, messages in their order.

    `numbers` are their places in the whole thread; `folded` is how many branches that are not
    drawn hang on each.
    """

    title: str
    messages: list[Any]
    parents: list[int]
    times: list[datetime | None]
    roles: list[str | None]
    texts: list[str]
    numbers: Ints
    folded: Ints

    @property
    def dated(self) -> bool:
        return bool(self.times) and all(time is not None for time in self.times)


def draw_timeline(
    thread: Any,
    ax: Axes | None = None,
    *,
    by: By = "auto",
    highlight: Any = None,
    max_branches: int | None = MAX_BRANCHES,
    title: str | None = None,
    legend: bool = True,
) -> Axes:
    """Draw a chat thread: its messages in their order, its branches as lanes.

    Parameters
    ----------
    thread
        A `ChatThread`, or anything with ``messages`` that have a ``role``, a ``content`` and,
        where there are branches, a ``parent``.
    ax
        Where to draw. None makes a figure of the size that the thread needs.
    by
        Where messages stand along the axis: ``"time"`` needs ``created_at`` of all of them,
        ``"position"`` nothing. ``"auto"`` lists up to 42 messages in rows, with their texts;
        more are marks, by time if that is known and tells them apart.
    highlight
        Messages, such as ``thread.path_to(leaf)``: all others are faded.
    max_branches
        Of a thread that is marks, so many branches are drawn: the longest, and those with
        something highlighted. Of the others only where they hang is marked, and a note says so.
        None draws all.
    title
        A line above the counts; the thread's title if not given.
    legend
        Whether to explain colours and marks.

    Returns
    -------
    Axes
        Its collections carry names: ``get_gid()`` is ``"marks"`` (one per role),
        ``"branches"`` (the lines) or ``"folded branches"`` (ticks below messages).

    Raises
    ------
    DrawingOptionError
        If `thread` has no messages, `by` is unknown, there are no times to draw by, or another
        option is nothing of its kind.

    Notes
    -----
    A branch goes on straight where it is longest, the others turn aside; a lane is used again
    when its branch has ended. O(messages), a few artists whatever the size.

    Examples
    --------
    >>> import ecsviz as ev
    >>> ax = draw_timeline(ev.sample("thread"))
    >>> ax.get_title(loc="left").split(chr(10))[1]
    '18 messages, 6 branches'
    """
    title, legend = title_and_legend(title, legend)
    max_branches = checked_option(count_or_none, max_branches, "max_branches")
    found = _read(thread)
    asked: Any = by
    known = isinstance(asked, str) and asked in get_args(By)
    if not known or (by == "time" and not found.dated):
        raise DrawingOptionError(
            f"by={short_repr(by)} is no way to draw this thread: "
            + ("not all messages have created_at." if known else "there is none such.")
            + " Give 'position' or 'auto'.",
            option="by",
            value=by,
        )
    writer = Writer()
    theme = theme_of(frame.ground_of(ax))
    head = writer.clean(found.title if title is None else title, frame.TITLE_COLUMNS)
    counts = _counts(found)
    found, said = _shortened(found, max_branches, _lit(found.messages, highlight))
    codes, kinds = categories(found.roles, none="no role", dark=theme.dark)
    lit = _lit(found.messages, highlight)
    listed = by == "auto" and len(found.messages) <= MAX_LISTED
    plan = _listed(found, writer) if listed else _along(found, by, ax)
    entries = frame.legend_entries(kinds, theme, writer) if legend else []
    around = frame.surround(
        writer,
        head,
        counts,
        entries,
        " ".join(filter(None, (said, plan.note))),
        room=frame.room_for(ax)[0],
        needed=plan.width + 2 * frame.MARGIN if ax is None else None,
    )
    shrink = min(1.0, (around.width - 2 * frame.MARGIN) / plan.width)
    height = max(plan.height * shrink + 2 * frame.MARGIN + around.strip, 1.0)
    canvas = around.canvas(ax, theme, writer, plan.bounds, height)
    _draw(canvas, found, plan, codes, kinds, lit)
    around.draw(canvas)
    return canvas.ax


# -- what there is ---------------------------------------------------------------------------


def _read(thread: Any) -> _Thread:
    messages = getattr(thread, "messages", None)
    if not isinstance(messages, Sequence) or isinstance(messages, (str, bytes)):
        raise DrawingOptionError(
            f"{short_repr(thread)} is no thread: it has no list of messages."
            " Give a ChatThread, such as one of ev.read_chat(...).",
            option="thread",
            value=thread,
        )
    number = {id(message): n for n, message in enumerate(messages)}
    branched = any(getattr(message, "parent", None) is not None for message in messages)
    parents = [
        number.get(id(getattr(message, "parent", None)), -1) if branched else n - 1
        for n, message in enumerate(messages)
    ]
    return _Thread(
        str(getattr(thread, "title", None) or ""),
        list(messages),
        parents,
        [_time(getattr(message, "created_at", None)) for message in messages],
        [_role(message) for message in messages],
        [_text(message) for message in messages],
        np.arange(len(messages)),
        np.zeros(len(messages), dtype=np.int64),
    )


def _shortened(thread: _Thread, limit: int | None, lit: Ints | None) -> tuple[_Thread, str]:
    """Fold all but the longest branches, and those that are highlighted; say what was folded."""
    branches = _branch_count(thread.parents)
    if limit is None or branches <= limit or len(thread.messages) <= MAX_LISTED:
        return thread, ""
    wanted = None if lit is None else np.flatnonzero(lit)
    found = fold_branches(thread.parents, limit, wanted, enough=MAX_LISTED + 1)
    kept = np.flatnonzero(found.shown)
    if len(kept) == len(thread.messages):
        return thread, ""
    place = np.full(len(thread.messages) + 1, -1)  # the last for those that have no parent
    place[kept] = np.arange(len(kept))
    numbers = kept.tolist()
    short = _Thread(
        thread.title,
        [thread.messages[k] for k in numbers],
        place[[thread.parents[k] for k in numbers]].tolist(),
        [thread.times[k] for k in numbers],
        [thread.roles[k] for k in numbers],
        [thread.texts[k] for k in numbers],
        kept,
        found.branches[kept],
    )
    shown, gone = _branch_count(short.parents), len(thread.messages) - len(kept)
    which = "the longest" if lit is None else "the longest and those highlighted"
    others = f"{gone:,} message{'s' * (gone != 1)} of others"
    return short, f"Showing {shown:,} of {branches:,} branches, {which}; {others} are folded."


def _time(value: Any) -> datetime | None:
    if not isinstance(value, datetime):
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value


def _role(message: Any) -> str | None:
    """Return who speaks; and of what is no text but a thought, a call or a result, that too."""
    value = getattr(message, "role", None)
    role = None if value is None else str(getattr(value, "value", value))
    kind = getattr(message, "kind", None)
    if kind not in ("thinking", "tool_call", "tool_result") or role in (None, "tool"):
        return role
    return f"{role}, {kind.replace('_', ' ')}"


def _text(message: Any) -> str:
    for name in ("content", "text", "body"):
        value = getattr(message, name, None)
        if isinstance(value, str):
            return value[:1000]
    return ""


def _counts(thread: _Thread) -> str:
    n = len(thread.messages)
    branches = _branch_count(thread.parents)
    told = f"{n:,} message{'s' * (n != 1)}"
    return told + (f", {branches:,} branches" if branches > 1 else "")


def _branch_count(parents: list[int]) -> int:
    answered = set(parents)
    return sum(number not in answered for number in range(len(parents)))


def _lit(messages: list[Any], highlight: Any) -> Ints | None:
    if highlight is None:
        return None
    wanted = highlight if isinstance(highlight, (list, tuple, set)) else [highlight]
    ids = {id(item) for item in wanted}
    return np.array([id(message) in ids for message in messages], dtype=np.int64)


# -- where it stands -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _TimelinePlan:
    """Where messages stand, in inches, and what is written where."""

    centre: Floats
    down: bool
    mark: float
    step: float
    texts: list[tuple[float, float, str, str]]
    width: float
    height: float
    bounds: tuple[float, float, float, float]
    note: str


def _listed(thread: _Thread, writer: Writer) -> _TimelinePlan:
    """Rows from the top down: the branches, then what was said, as in a log of revisions."""
    lane = lanes_of(thread.parents)
    n = len(lane)
    lanes = int(lane.max(initial=0)) + 1
    stamps = _stamps(thread.times)
    first = LANE * lanes + 0.08
    left = first + max((writer.width(stamp, SMALL) + 0.12 for stamp in stamps if stamp), default=0)
    pauses = _pauses(thread.times)
    texts: list[tuple[float, float, str, str]] = []
    y = 0.0
    places = np.zeros((n, 2))
    widest = 0.0
    for number in range(n):
        if number in pauses:
            y -= 0.75 * ROW
            texts.append((left, y + 0.02, pauses[number], "pause"))
            y -= 0.75 * ROW
        places[number] = LANE * (lane[number] + 0.5), y
        if stamps[number]:
            texts.append((first, y, stamps[number], "time"))
        role = thread.roles[number]
        said = clean_text(thread.texts[number], TEXT_COLUMNS)
        text = writer.clean(f"{role}: {said}" if role else said, TEXT_COLUMNS)
        if thread.folded[number]:
            text += f" (+{thread.folded[number]:,} folded)"
        texts.append((left, y, text, "label"))
        widest = max(widest, writer.width(text, TEXT))
        y -= ROW
    width = left + max(widest, 1.0)
    height = max(ROW - y - ROW, ROW) if n else ROW
    bounds = (0.0, y + 0.5 * ROW, width, 0.5 * ROW)
    return _TimelinePlan(places, True, MARK, LANE, texts, width, height, bounds, "")


def _stamps(times: list[datetime | None]) -> list[str]:
    """Return the times of messages, with the day where it changes; in UTC."""
    stamps: list[str] = []
    day = None
    for time in times:
        if time is None:
            stamps.append("")
            continue
        utc = time.astimezone(UTC)
        stamps.append(f"{utc:%H:%M}" if utc.date() == day else f"{utc:%Y-%m-%d %H:%M}")
        day = utc.date()
    return stamps


def _pauses(times: list[datetime | None]) -> dict[int, str]:
    """Return the silences that are worth telling, by the number of the message after them."""
    gaps = {
        number: after - before
        for number, (before, after) in enumerate(pairwise(times), 1)
        if before is not None and after is not None and after > before
    }
    if not gaps:
        return {}
    usual = sorted(gaps.values())[len(gaps) // 2]
    found = {number: gap for number, gap in gaps.items() if gap >= max(PAUSE, LONG * usual)}
    return {number: f"{_span(gap)} later" for number, gap in found.items()}


def _span(gap: timedelta) -> str:
    seconds = gap.total_seconds()
    for unit, length in (("year", 365.25 * 86400), ("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= 1.5 * length or (unit == "minute" and seconds >= length):
            count = round(seconds / length)
            return f"{count:,} {unit}{'s' * (count != 1)}"
    return f"{seconds:.0f} seconds"


def _along(thread: _Thread, by: By, ax: Axes | None) -> _TimelinePlan:
    """Place marks from left to right, lanes below each other, and an axis at the foot."""
    lane = lanes_of(thread.parents)
    n = len(lane)
    room = frame.room_for(ax)
    width = min(AXIS_WIDTH, room[0] - 2 * frame.MARGIN)
    timed, note = by == "time", ""
    if thread.folded.any():
        note = "A tick below a message: a folded branch, or as many as it says."
    if by == "auto" and thread.dated:
        timed = not _crowded(thread.times, width)
        if not timed:
            note += " By position: in time, most messages would cover each other."
    width = width if timed else min(width, max(2.0, 0.24 * n))
    if timed:
        moments = np.array([time.timestamp() for time in thread.times if time is not None])
        span = max(float(np.ptp(moments)), 1e-9)
        x = (moments - moments.min()) / span * width
    else:
        x = np.arange(n) * (width / max(n - 1, 1))
    lanes = int(lane.max(initial=0)) + 1
    step = LANE * (FOLDED if thread.folded.any() else 1.0)
    step = min(step, max(room[1] - 1.6, 0.5) / lanes)
    places = np.column_stack((x, -step * lane)) if n else np.zeros((0, 2))
    foot = -step * (lanes - 1) - (0.32 if thread.folded.any() else 0.5 * LANE)
    texts = [(at, foot - 0.2, text, "tick") for at, text in _ticks(thread, x, width, timed)]
    bounds = (-0.2, foot - TICKS, width + 0.2, 0.5 * LANE)
    return _TimelinePlan(
        places,
        False,
        _mark(lane, x, step),
        step,
        texts,
        width + 0.4,
        bounds[3] - bounds[1],
        bounds,
        note,
    )


def _mark(lane: Ints, x: Floats, step: float) -> float:
    """Return how large marks may be so that most of one lane stand beside each other."""
    order = np.lexsort((x, lane))
    apart = np.diff(x[order])[np.diff(lane[order]) == 0]
    usual = float(np.median(apart)) if len(apart) else MARK
    least = float(np.clip(1.2 * step, 0.03, 0.055))
    return float(np.clip(min(0.85 * usual, 0.6 * step), least, MARK))


def _crowded(times: list[datetime | None], width: float) -> bool:
    moments = np.sort(np.array([time.timestamp() for time in times if time is not None]))
    span = float(np.ptp(moments))
    if span <= 0:
        return True
    near = np.diff(moments) * width / span < 0.25 * MARK
    return bool(near.mean() > NEAR) and len(moments) * 0.25 * MARK < width


def _ticks(thread: _Thread, x: Floats, width: float, timed: bool) -> list[tuple[float, str]]:
    if not len(x):
        return []
    if timed:
        from matplotlib import dates

        untyped: Any = dates
        times = [time.astimezone(UTC) for time in thread.times if time is not None]
        first, last = untyped.date2num(min(times)), untyped.date2num(max(times))
        if last > first:
            locator = untyped.AutoDateLocator(tz=UTC, minticks=3, maxticks=8)
            ticks = locator.tick_values(min(times), max(times))
            ticks = [tick for tick in ticks if first <= tick <= last]
            named = untyped.ConciseDateFormatter(locator, tz=UTC).format_ticks(ticks)
            return [
                ((tick - first) / (last - first) * width, name)
                for tick, name in zip(ticks, named, strict=True)
            ]
    every = max(1, round(len(x) / 8))
    return [(float(x[k]), f"{thread.numbers[k] + 1:,}") for k in range(0, len(x), every)]


# -- drawing ---------------------------------------------------------------------------------


def _draw(
    canvas: frame.Canvas,
    thread: _Thread,
    plan: _TimelinePlan,
    codes: Ints,
    kinds: list[Category],
    lit: Ints | None,
) -> None:
    theme = canvas.theme
    if not len(plan.centre):
        canvas.ax.text(
            0.5, 0.5, "no messages", transform=canvas.ax.transAxes, ha="center", va="center",
            size=TEXT, color=theme.muted, gid="note", **canvas.writer.options(),
        )  # fmt: skip
        return
    _draw_branches(canvas, thread.parents, plan, lit)
    if not plan.down:
        _draw_folded(canvas, thread.folded, plan)
    strength = np.ones(len(codes)) if lit is None else np.where(lit > 0, 1.0, 0.2)
    size = max(plan.mark * canvas.scale * 72, 1.5) ** 2
    for code, kind in enumerate(kinds):
        here = np.flatnonzero(codes == code)
        if len(here):
            canvas.ax.scatter(
                plan.centre[here, 0],
                plan.centre[here, 1],
                s=size * (1.25 if kind.marker in "DPXv" else 1.0),
                marker=kind.marker,
                c=with_alpha([kind.color], strength[here]),
                edgecolors=[(*theme.ground, 0.9)],
                linewidths=0.5 if plan.mark > 0.06 else 0.0,
                zorder=3,
                gid="marks",
            )
    message = -1
    for x, y, text, gid in plan.texts:
        message += gid == "label"
        faded = gid != "label" or (lit is not None and not lit[message])
        canvas.ax.text(
            x,
            y - (0.0 if gid == "tick" else RISE),
            text,
            size=(TEXT if gid == "label" else SMALL) * canvas.scale,
            color=theme.muted if faded else theme.text,
            style="italic" if gid == "pause" else "normal",
            ha="center" if gid == "tick" else "left",
            va="baseline",
            zorder=3.4,
            clip_on=True,
            gid=gid,
            **canvas.writer.options(),
        )


def _draw_branches(
    canvas: frame.Canvas, parents: list[int], plan: _TimelinePlan, lit: Ints | None
) -> None:
    from matplotlib.collections import LineCollection

    theme = canvas.theme
    child = np.array([n for n, parent in enumerate(parents) if parent >= 0], dtype=np.int64)
    if not len(child):
        return
    parent = np.array([parents[n] for n in child.tolist()], dtype=np.int64)
    lines = _courses(plan.centre[parent], plan.centre[child], down=plan.down)
    # Hundreds of branches would be nothing but lines.
    crowd = float(np.clip(plan.step / LANE, 0.25, 0.9))
    strength = np.full(len(child), crowd)
    if lit is not None:
        strength = np.where((lit[child] > 0) & (lit[parent] > 0), 1.0, 0.2)
    canvas.ax.add_collection(
        LineCollection(
            list(lines),
            colors=with_alpha([theme.line], strength),
            linewidths=1.2 * float(np.clip(canvas.scale, 0.5, 1.0)) * max(crowd, 0.5),
            zorder=1,
            gid="branches",
        ),
        autolim=False,
    )


def _draw_folded(canvas: frame.Canvas, folded: Ints, plan: _TimelinePlan) -> None:
    """Draw a tick below every message on which folded branches hang, and their number."""
    from matplotlib.collections import LineCollection

    here = np.flatnonzero(folded)
    if not len(here):
        return
    start = plan.centre[here]
    end = start - np.array([0.0, 0.4 * plan.step])
    color = canvas.theme.muted
    canvas.ax.add_collection(
        LineCollection(
            list(np.stack((start, end), axis=1)),
            colors=[color],
            linewidths=2.2 * float(np.clip(canvas.scale * plan.mark / MARK, 0.4, 1.0)),
            zorder=1.1,
            gid="folded branches",
        ),
        autolim=False,
    )
    free: dict[float, float] = {}  # per lane from where on there is room
    for k, (x, y) in zip(here.tolist(), end.tolist(), strict=True):
        if folded[k] == 1:
            continue
        text = f"+{folded[k]:,}"
        wide = canvas.writer.width(text, SMALL) / canvas.scale
        lane = float(plan.centre[k, 1])
        if x - wide / 2 < free.get(lane, -np.inf):
            continue
        free[lane] = x + wide / 2 + 0.05
        canvas.ax.text(
            x, y - 0.1, text, size=SMALL * canvas.scale, color=color, ha="center",
            va="baseline", zorder=3.4, clip_on=True, gid="folded", **canvas.writer.options(),
        )  # fmt: skip


def _courses(start: Floats, end: Floats, *, down: bool) -> Floats:
    """Lead lines out of their lane at once, then straight; shape (lines, points, 2)."""
    along, across = (1, 0) if down else (0, 1)
    turn = start.copy()
    reach = end[:, along] - start[:, along]
    bend = np.sign(reach) * np.minimum(np.abs(reach), 1.6 * LANE)
    turn[:, along] += bend
    turn[:, across] = end[:, across]
    t = np.linspace(0, 1, 10)[None, :]
    ease = t * t * (3 - 2 * t)
    curve = np.empty((len(start), t.shape[1] + 1, 2))
    curve[:, :-1, along] = start[:, along, None] + bend[:, None] * t
    curve[:, :-1, across] = (
        start[:, across, None] + (turn[:, across] - start[:, across])[:, None] * ease
    )
    curve[:, -1] = end
    return curve
