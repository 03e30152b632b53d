"""When chats were written: a calendar of days, and the hours of the day."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Sequence
from datetime import UTC, date, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ecsviz.basics.arguments import time_zone
from ecsviz.basics.order import Ints
from ecsviz.basics.result_frames import typed_column
from ecsviz.basics.text import counted
from ecsviz.draw import frame
from ecsviz.draw.options import checked_option, title_and_legend
from ecsviz.draw.sheet import Sheet, nothing
from ecsviz.draw.style import Color, Theme, main_color, mix
from ecsviz.draw.text import Writer
from ecsviz.errors import InvalidArgumentError, UnknownTypeError
from ecsviz.frames.chats import DTYPES, ReadMessages, read_messages
from ecsviz.layout import DrawingOptionError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
"""Not from the locale, as all else is in English."""
DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
YEAR: Final = 366
SIDE: Final = 0.5
"""The room for names on the left, in inches."""
CELL: Final = 0.14
STEP: Final = 0.165
"""A day, and from one to the next, in inches."""
BLOCKS: Final = 5
"""Of more years, a cell is a week and a year is a row."""
ROWS: Final = 40
"""Of more years, the latest are shown."""
STRENGTHS: Final = (0.3, 0.52, 0.76, 1.0)
LOW: Final = 2.5
HOUR: Final = 0.22
TALL: Final = 0.75
GAP: Final = 0.42
"""Between the calendar and the hours."""


def draw_activity(
    threads: Any,
    ax: Axes | None = None,
    *,
    timezone: str | tzinfo = UTC,
    title: str | None = None,
    legend: bool = True,
) -> Axes:
    """Draw on which days and at which hours the messages of chats were written.

    Parameters
    ----------
    threads
        A `ChatThreads`, the ``store.threads()`` of a store, or any iterable of `ChatThread`.
    ax
        Where to draw. None makes a figure.
    timezone
        Whose days and hours, such as ``"Europe/Berlin"``.
    title
        A line above the counts.
    legend
        Whether to explain colours, if there is room: not in axes lower than 2.5 inches.

    Returns
    -------
    Axes
        Its collections carry names: ``get_gid()`` is ``"days"`` (or ``"weeks"``) and ``"hours"``.

    Raises
    ------
    DrawingOptionError
        If `threads` are none, `timezone` names no zone, or another option is nothing of its kind.

    Notes
    -----
    Up to a year is one strip of weeks, from Monday to Sunday; up to five years are a strip each;
    of more a cell is a week, a row a year. Years without messages are left out; of more than 40
    the latest are shown, and a note says so. Four shades stand for about as many days each; the
    legend names their ranges. O(messages).

    Examples
    --------
    >>> import ecsviz as ev
    >>> ax = draw_activity([ev.sample("thread")], title="A talk")
    >>> ax.get_title(loc="left").splitlines()
    ['A talk', '18 messages on 1 day: 2025-03-04']
    """
    title, legend = title_and_legend(title, legend)
    legend = legend and frame.room_for(ax)[1] >= LOW
    zone = checked_option(time_zone, timezone, "timezone")
    times = messages_of(threads, ["created_at"]).values["created_at"]
    days, hours = _local(times, zone)
    writer = Writer()
    sheet = Sheet.on(ax, writer)
    entries: list[frame.Entry] = []
    note = []
    if len(days):
        entries, left_out = _calendar(sheet, days)
        note += [left_out] if left_out else []
        if without := len(times) - len(days):
            told = counted(without, "message")
            note.append(f"{told} without a time {'is' if without == 1 else 'are'} not shown.")
        _hours(sheet, hours, f"messages at each hour of the day, {writer.clean(str(zone), 40)}")
    else:
        nothing(sheet, "no times" if len(times) else "no messages")
    head = writer.clean(title, frame.TITLE_COLUMNS) if title else ""
    return sheet.draw(
        ax, head, _counts(len(times), days), entries if legend else [], " ".join(note)
    )


def messages_of(threads: Any, columns: Iterable[str]) -> ReadMessages:
    """Read what a picture needs of threads.

    Raises
    ------
    DrawingOptionError
        If something else than threads is given.
    """
    try:
        return read_messages(threads, columns)
    except (InvalidArgumentError, UnknownTypeError) as err:
        raise DrawingOptionError(str(err), option="threads", value=threads) from err.__cause__


def _local(times: Sequence[Any], zone: tzinfo) -> tuple[Ints, Ints]:
    """Return the days (from 1970-01-01) and the hours of what has a time, as clocks show them."""
    import pandas as pd

    column = typed_column(times, DTYPES["created_at"]).dropna()
    # At the ends of the calendar there is no other zone.
    ends = (pd.Timestamp(date(1, 1, 3), tz=UTC), pd.Timestamp(date(9999, 12, 29), tz=UTC))
    untyped: Any = column.clip
    local = untyped(*ends).dt.tz_convert(zone).dt.tz_localize(None)
    seconds = local.to_numpy().astype("datetime64[s]").astype(np.int64)
    return seconds // 86_400, seconds % 86_400 // 3_600


def _counts(total: int, days: Ints) -> str:
    if not len(days):
        return f"{counted(total, 'message')}, none with a time" if total else "no messages"
    first, last = _date(int(days.min())), _date(int(days.max()))
    on = counted(len(np.unique(days)), "day")
    span = f": {first}" if first == last else f", {first} to {last}"
    return f"{counted(len(days), 'message')} on {on}{span}"


def _date(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=day)


def _number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


# -- the calendar ----------------------------------------------------------------------------


def _calendar(sheet: Sheet, days: Ints) -> tuple[list[frame.Entry], str]:
    """Place the calendar from the top down; return its legend, and what was left out."""
    found, counts = np.unique(days, return_counts=True)
    first, last = _date(int(found[0])), _date(int(found[-1]))
    years = sorted({_date(day).year for day in found.tolist()})
    begin = first.replace(day=1)
    if (last - begin).days <= YEAR:
        spans = [(begin, _end_of_month(last))]
    elif len(years) <= BLOCKS:
        spans = [(date(year, 1, 1), date(year, 12, 31)) for year in years]
    else:
        return _weeks(sheet, found, counts, years)
    weeks = max((end - begin).days for begin, end in spans) // 7 + 2
    step = _step(sheet, weeks)
    levels = _Levels(sheet.theme, counts)
    sheet.say("heading", 0.0, 0.42, "messages a day", muted=False)
    by_day = dict(zip(found.tolist(), counts.tolist(), strict=True))
    for place, (begin, end) in enumerate(spans):
        _strip(sheet, begin, end, by_day, levels, -place * (7 * step + 0.3), step)
    return levels.entries(sheet), ""


def _step(sheet: Sheet, count: int) -> float:
    """Return how far cells are apart, where so many stand beside each other."""
    return float(np.clip((sheet.room - SIDE) / count, 0.3 * STEP, STEP))


def _end_of_month(day: date) -> date:
    return date(day.year, day.month, monthrange(day.year, day.month)[1])


def _strip(
    sheet: Sheet,
    begin: date,
    end: date,
    counts: dict[int, int],
    levels: _Levels,
    top: float,
    step: float,
) -> None:
    """Place the days of a span in columns of weeks."""
    monday = _number(begin) - begin.weekday()
    names = []
    for number in range(_number(begin), _number(end) + 1):
        week, weekday = divmod(number - monday, 7)
        x, y, side = week * step, top - (weekday + 1) * step, step * CELL / STEP
        sheet.box("days", x, y, side, side, levels.color(counts.get(number, 0)))
        day = _date(number)
        if day.day == 1:
            name = MONTHS[day.month - 1]
            names.append((x, f"{name} {day.year}" if day.month == 1 or day == begin else name))
    sheet.row("month", top + 0.12, names, "left")
    every = 2 if step > 0.6 * STEP else 6
    for weekday in range(0, 7, every):
        y = top - (weekday + 0.5) * step - 0.01
        sheet.say("weekday", -0.08, y, DAYS[weekday], ha="right")


def _weeks(
    sheet: Sheet, days: Ints, counts: Ints, years: list[int]
) -> tuple[list[frame.Entry], str]:
    """Place a row a year, with a cell for every seven days."""
    shown = years[-ROWS:]
    row = {year: place for place, year in enumerate(shown)}
    table = np.zeros((len(shown), 53), dtype=np.int64)
    left_out, step = 0, _step(sheet, 53)
    for day, count in zip(map(_date, days.tolist()), counts.tolist(), strict=True):
        if day.year in row:
            table[row[day.year], (day - date(day.year, 1, 1)).days // 7] += count
        else:
            left_out += count
    levels = _Levels(sheet.theme, table[table > 0])
    sheet.say("heading", 0.0, 0.42, "messages a week", muted=False)
    starts = [(date(2001, month + 1, 1) - date(2001, 1, 1)).days / 7 * step for month in range(12)]
    sheet.row("month", 0.12, list(zip(starts, MONTHS, strict=True)), "left")
    for place, year in enumerate(shown):
        y = -(place + 1) * STEP
        sheet.say("year", -0.08, y + 0.5 * CELL, f"{year}", ha="right")
        for week, count in enumerate(table[place].tolist()):
            sheet.box("weeks", week * step, y, step * CELL / STEP, CELL, levels.color(count))
    if not left_out:
        return levels.entries(sheet), ""
    told = f"Showing the latest {len(shown)} of {len(years):,} years"
    return levels.entries(sheet), f"{told}; {counted(left_out, 'message')} earlier."


class _Levels:
    """Up to four shades, for about as many cells each."""

    def __init__(self, theme: Theme, counts: Ints) -> None:
        ends = edges = np.unique(counts)
        if len(edges) > len(STRENGTHS):
            edges = np.unique(np.ceil(np.quantile(counts, [0, 0.25, 0.5, 0.75])).astype(int))
            ends = np.append(edges[1:] - 1, ends[-1])
        self.edges: list[int] = edges.tolist()
        self.ends: list[int] = ends.tolist()
        base = main_color(theme)
        self.colors = [mix(base, theme.ground, s) for s in STRENGTHS[-len(self.edges) :]]
        self.empty = mix(theme.text, theme.ground, 0.13 if theme.dark else 0.08)

    def color(self, count: int) -> Color:
        """Return the shade of a count."""
        place = int(np.searchsorted(self.edges, count, side="right"))
        return self.colors[place - 1] if place and count else self.empty

    def entries(self, sheet: Sheet) -> list[frame.Entry]:
        """Return the legend: the range of each."""
        from matplotlib.patches import Patch

        ranges = ["none"]
        for edge, end in zip(self.edges, self.ends, strict=True):
            ranges.append(f"{edge:,}" if end == edge else f"{edge:,} – {end:,}")
        colors = [self.empty, *self.colors]
        return [
            frame.Entry(Patch(facecolor=color, linewidth=0), sheet.writer.clean(text, 40))
            for color, text in zip(colors, ranges, strict=True)
        ]


# -- hours -----------------------------------------------------------------------------------


def _hours(sheet: Sheet, hours: Ints, heading: str) -> None:
    """Place a bar for each hour below what is there."""
    counts = np.bincount(hours, minlength=24)
    step = float(np.clip((sheet.room - SIDE) / 24, 0.06, HOUR))
    thick = 0.86 * step
    foot = sheet.bounds()[1] - GAP - TALL - 0.2
    most, fill, theme = int(counts.max()), main_color(sheet.theme), sheet.theme
    line = mix(theme.text, theme.ground, 0.2)
    sheet.say("heading", 0.0, foot + TALL + 0.3, heading, muted=False)
    sheet.box("ground", 0.0, foot - 0.015, 24 * step, 0.015, line)
    for hour, count in enumerate(counts.tolist()):
        sheet.box("hours", hour * step, foot, thick, TALL * count / most, fill)
    middles = [(hour * step + thick / 2, f"{hour:02d}") for hour in range(0, 24, 3)]
    sheet.row("hour", foot - 0.14, middles, "center")
    x = int(counts.argmax()) * step + thick / 2
    sheet.say("count", x, foot + TALL + 0.1, f"{most:,}", ha="center")
