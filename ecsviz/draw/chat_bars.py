"""How long chats are, and which models wrote how much, and when: bars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, get_args

import numpy as np

from ecsviz.basics.order import Ints
from ecsviz.basics.result_frames import typed_column
from ecsviz.basics.text import counted
from ecsviz.draw import frame
from ecsviz.draw.activity import MONTHS, messages_of
from ecsviz.draw.options import title_and_legend
from ecsviz.draw.palette import PALETTE
from ecsviz.draw.sheet import APART, SMALL, TEXT, Sheet, nothing
from ecsviz.draw.style import OTHER, Color, main_color, mix, on_ground, rgb
from ecsviz.draw.text import Writer
from ecsviz.errors import short_repr
from ecsviz.frames.chats import DTYPES
from ecsviz.layout import DrawingOptionError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Lengths = Literal["messages", "characters", "tokens"]

ROW: Final = 0.22
THICK: Final = 0.15
LONGEST: Final = 5.2
"""From one bar to the next, how thick one is, and how long the longest, in inches."""
COUNT: Final = 1.0
"""The room for counts on the right."""
MODELS: Final = 12
"""How many models have a bar of their own."""
COLUMNS: Final = 60
"""Up to how many periods stand beside each other."""
TALL: Final = 1.5


def draw_lengths(
    threads: Any,
    ax: Axes | None = None,
    *,
    by: Lengths = "messages",
    title: str | None = None,
    legend: bool = True,
) -> Axes:
    """Draw how many chat threads are how long.

    Parameters
    ----------
    threads
        A `ChatThreads`, the ``store.threads()`` of a store, or any iterable of `ChatThread`.
    ax
        Where to draw. None makes a figure.
    by
        What counts: ``"messages"`` of all branches, ``"characters"`` of their texts, or
        ``"tokens"``, read and written, of the threads whose source tells them.
    title
        A line above the counts.
    legend
        Whether to write a heading.

    Returns
    -------
    Axes
        Its collection is called ``"bars"`` (``get_gid()``), and its texts ``"range"`` and
        ``"count"``.

    Raises
    ------
    DrawingOptionError
        If `threads` are none, `by` is none of these, or another option is nothing of its kind.

    Notes
    -----
    Each range is about twice as wide as the one before (1, 2–4, 5–9, 10–19 …), as there are many
    short chats and a few very long ones.

    Examples
    --------
    >>> import ecsviz as ev
    >>> draw_lengths([ev.sample("thread")], by="characters").get_title(loc="left")
    '1 thread: 3,558 characters'
    """
    title, legend = title_and_legend(title, legend)
    asked: Any = by
    if not isinstance(asked, str) or asked not in get_args(Lengths):
        raise DrawingOptionError(
            f"by={short_repr(by)} is nothing that threads are measured by."
            " Give 'messages', 'characters' or 'tokens'.",
            option="by",
            value=by,
        )
    sizes, total = _sizes(threads, by)
    writer = Writer()
    sheet = Sheet.on(ax, writer)
    note = ""
    if len(sizes):
        if legend:
            sheet.say("heading", 0.0, ROW, f"threads, by {by}", muted=False)
        bars = [_Bar(name, n, main_color(sheet.theme)) for name, n in _ranges(sizes)]
        _bars(sheet, bars, int(sum(bar.amount for bar in bars)))
        if without := total - len(sizes):
            told = counted(without, "thread")
            note = f"{told} without {by} {'is' if without == 1 else 'are'} not shown."
    else:
        nothing(sheet, f"no {by}" if total else "no threads")
    head = writer.clean(title, frame.TITLE_COLUMNS) if title else ""
    return sheet.draw(ax, head, _middle(sizes, by, total), [], note)


def draw_models(
    threads: Any,
    ax: Axes | None = None,
    *,
    title: str | None = None,
    legend: bool = True,
) -> Axes:
    """Draw which models wrote how many answers, and when.

    Parameters
    ----------
    threads
        A `ChatThreads`, the ``store.threads()`` of a store, or any iterable of `ChatThread`.
    ax
        Where to draw. None makes a figure.
    title
        A line above the counts.
    legend
        Whether to write headings.

    Returns
    -------
    Axes
        Its collections carry names: ``get_gid()`` is ``"bars"`` (a bar a model) and ``"periods"``
        (a column a day, week, month, quarter or year, where times are known).

    Raises
    ------
    DrawingOptionError
        If `threads` are none, or an option is nothing of its kind.

    Notes
    -----
    An answer is a message that names a model, or has the role ``assistant``; those that name none
    count as ``model not told``. The twelve models that wrote most have a bar each, six of them
    a colour. O(messages).

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread()
    >>> thread.say("assistant", "Hello").model = "m-1"
    >>> draw_models([thread]).get_title(loc="left")
    '1 answer of 1 model'
    """
    title, legend = title_and_legend(title, legend)
    found = messages_of(threads, ["role", "model", "created_at"]).values
    answers = [
        (model, time)
        for model, role, time in zip(
            found["model"], found["role"], found["created_at"], strict=True
        )
        if model or role == "assistant"
    ]
    writer = Writer()
    sheet = Sheet.on(ax, writer)
    note = ""
    counts = Counter(model or "" for model, _ in answers)
    if answers:
        names, colors = _models(sheet, counts)
        if legend:
            sheet.say("heading", 0.0, ROW, "answers, by model", muted=False)
        _bars(sheet, _model_bars(sheet, counts, names, colors), len(answers))
        note = _periods(sheet, answers, colors, legend=legend)
    else:
        nothing(sheet, "no answers")
    head = writer.clean(title, frame.TITLE_COLUMNS) if title else ""
    return sheet.draw(ax, head, _of_models(counts), [], note)


# -- horizontal bars -------------------------------------------------------------------------


class _Bar(NamedTuple):
    name: str
    amount: int
    color: Color


def _bars(sheet: Sheet, bars: Sequence[_Bar], total: int) -> None:
    """Place bars below each other, their names on the left and their counts on the right."""
    start = max(sheet.writer.width(bar.name, TEXT) for bar in bars) + 0.12
    most = max(bar.amount for bar in bars)
    longest = float(np.clip(sheet.room - start - COUNT, 0.2 * LONGEST, LONGEST))
    for place, bar in enumerate(bars):
        y = -place * ROW
        length = longest * bar.amount / most
        sheet.say("range", start - 0.12, y, bar.name, ha="right", size=TEXT, muted=False)
        if bar.amount:
            sheet.box("bars", start, y - THICK / 2, max(length, 0.01), THICK, bar.color)
        share = f"  {_percent(bar.amount, total)}" if len(bars) > 1 and bar.amount else ""
        sheet.say("count", start + length + 0.08, y, f"{bar.amount:,}{share}")


def _percent(count: int, total: int) -> str:
    share = 100 * count / total
    return "< 1 %" if share < 1 else f"{min(share, 99):.0f} %" if count < total else "100 %"


# -- lengths ---------------------------------------------------------------------------------


def _sizes(threads: Any, by: Lengths) -> tuple[Ints, int]:
    """Return how long the threads are that tell it, and how many threads there are."""
    if by == "tokens":
        found = messages_of(threads, ["tokens_in", "tokens_out"])
        count = len(found.titles)
        told, sizes = np.zeros(count, dtype=bool), np.zeros(count, dtype=np.int64)
        for name in ("tokens_in", "tokens_out"):
            for number, tokens in zip(found.thread.tolist(), found.values[name], strict=True):
                if tokens is not None:
                    told[number] = True
                    sizes[number] += int(tokens)
        return sizes[told], count
    found = messages_of(threads, ["characters"] if by == "characters" else [])
    count = len(found.titles)
    if by == "messages":
        return np.bincount(found.thread, minlength=count), count
    lengths = np.array(found.column("characters"), dtype=float)
    return np.bincount(found.thread, lengths, minlength=count).astype(np.int64), count


def _ranges(sizes: Ints) -> list[tuple[str, int]]:
    """Return how many are in each range, from the shortest to the longest."""
    most = int(sizes.max())
    edges = [0, 1]
    while edges[-1] <= most:
        last = edges[-1]
        edges.append(2 * last if str(last)[0] in "15" else last // 2 * 5)
    counts = np.histogram(sizes, edges)[0].tolist()
    ranges = [
        (f"{low:,}" if high - low == 1 else f"{low:,} – {high - 1:,}", count)
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    first = next(place for place, (_, count) in enumerate(ranges) if count)
    last = max(place for place, (_, count) in enumerate(ranges) if count)
    return ranges[first : last + 1]


def _middle(sizes: Ints, by: str, total: int) -> str:
    if not len(sizes):
        return f"{counted(total, 'thread')}, no {by} told" if total else "no threads"
    told = counted(len(sizes), "thread")
    most = counted(int(sizes.max()), by[:-1])
    if len(sizes) == 1:
        return f"{told}: {most}"
    return (
        f"{told}: half have up to {int(np.median(sizes)):,} {by}, the longest {int(sizes.max()):,}"
    )


# -- models ----------------------------------------------------------------------------------


def _models(sheet: Sheet, counts: Counter[str]) -> tuple[list[str], dict[str, Color]]:
    """Return the models, those that wrote most first, and the colours of the first."""
    names = sorted((name for name in counts if name), key=lambda name: (-counts[name], name))
    colors = [on_ground(color, sheet.theme.dark) for color in PALETTE]
    return names, dict(zip(names, colors, strict=False))


def _model_bars(
    sheet: Sheet, counts: Counter[str], names: list[str], colors: dict[str, Color]
) -> list[_Bar]:
    shown = names if len(names) <= MODELS else names[: MODELS - 1]
    other = rgb(OTHER)
    bars = [
        _Bar(sheet.writer.clean(name, 36), counts[name], colors.get(name, other)) for name in shown
    ]
    if rest := names[len(shown) :]:
        bars.append(_Bar(f"{len(rest):,} others", sum(counts[name] for name in rest), other))
    if counts[""]:
        bars.append(_Bar("model not told", counts[""], _untold(sheet)))
    return bars


def _untold(sheet: Sheet) -> Color:
    return mix(sheet.theme.text, sheet.theme.ground, 0.22)


def _of_models(counts: Counter[str]) -> str:
    total, known = sum(counts.values()), len([name for name in counts if name])
    if not total:
        return "no answers"
    if not known:
        return f"{counted(total, 'answer')}, of no known model"
    return f"{counted(total, 'answer')} of {counted(known, 'model')}"


def _periods(
    sheet: Sheet, answers: list[tuple[str | None, Any]], colors: dict[str, Color], *, legend: bool
) -> str:
    """Place a column a period below what is there; return what was left out."""
    times = typed_column([time for _, time in answers], DTYPES["created_at"])
    there = np.flatnonzero(times.notna())
    if not len(there):
        return "No answer has a time."
    days = times.to_numpy(dtype="datetime64[us]")[there].astype("datetime64[D]")
    unit, number, starts = _by_period(days)
    note = []
    if without := len(answers) - len(there):
        told = counted(without, "answer")
        note.append(f"{told} without a time {'is' if without == 1 else 'are'} not in the {unit}s.")
    if len(starts) < 2:
        return " ".join(note)
    codes = {name: code for code, name in enumerate(colors)}
    other, none = len(codes), len(codes) + 1
    kinds = [answers[k][0] for k in there.tolist()]
    code = np.array([codes.get(kind, other) if kind else none for kind in kinds])
    table = np.zeros((len(starts), none + 1), dtype=np.int64)
    late = number >= 0
    np.add.at(table, (number[late], code[late]), 1)
    if gone := int((~late).sum()):
        note.append(
            f"{counted(gone, 'answer')} before {starts[0]} {'is' if gone == 1 else 'are'}"
            f" not in the {unit}s."
        )
    _columns(sheet, table, [*colors.values(), rgb(OTHER), _untold(sheet)], unit, starts, legend)
    return " ".join(note)


def _by_period(days: Any) -> tuple[str, Ints, list[str]]:
    """Return the unit, per day the number of its period, and what the periods are called."""
    months = days.astype("datetime64[M]").astype(np.int64)
    weeks = (days.astype(np.int64) + 3) // 7  # from Monday
    for unit, number in (
        ("day", days.astype(np.int64)),
        ("week", weeks),
        ("month", months),
        ("quarter", months // 3),
        ("year", days.astype("datetime64[Y]").astype(np.int64)),
    ):
        span = int(number.max() - number.min()) + 1
        if span <= (31 if unit == "day" else 30 if unit == "week" else COLUMNS):
            break
    begin = max(int(number.min()), int(number.max()) - COLUMNS + 1)
    periods = range(begin, int(number.max()) + 1)
    return unit, np.where(number >= begin, number - begin, -1), [_name(unit, n) for n in periods]


def _name(unit: str, number: int) -> str:
    if unit in ("day", "week"):
        day = date.fromordinal(number + 719_163 if unit == "day" else number * 7 - 3 + 719_163)
        return f"{day.day} {MONTHS[day.month - 1]}"
    if unit == "month":
        return f"{MONTHS[number % 12]} {1970 + number // 12}"
    if unit == "quarter":
        return f"Q{number % 4 + 1} {1970 + number // 4}"
    return f"{1970 + number}"


def _columns(
    sheet: Sheet, table: Any, colors: list[Color], unit: str, names: list[str], legend: bool
) -> None:
    left, foot, right, _ = sheet.bounds()
    width = min(max(right - left, 5.0), sheet.room)
    step = min(width / len(names), 0.5)
    if legend:
        sheet.say("heading", left, foot - 0.3, f"answers a {unit}", muted=False)
    foot -= 0.3 + 0.3 + TALL
    sums = table.sum(axis=1)
    most, top = int(sums.max()), int(sums.argmax())
    thick = step - min(0.04, 0.2 * step)
    line = mix(sheet.theme.text, sheet.theme.ground, 0.2)
    sheet.box("ground", left, foot - 0.015, step * len(names), 0.015, line)
    for place, row in enumerate(table.tolist()):
        y = foot
        for count, color in zip(row, colors, strict=True):
            if count:
                sheet.box("periods", left + place * step, y, thick, TALL * count / most, color)
                y += TALL * count / most
    middle = left + top * step + thick / 2
    sheet.say("count", middle, foot + TALL + 0.1, f"{most:,}", ha="center")
    middles = [(left + place * step + thick / 2, name) for place, name in enumerate(names)]
    widest = max(sheet.writer.width(name, SMALL) for name in names) + APART
    every = max(1, int(np.ceil(widest / step)))
    sheet.row("period", foot - 0.14, middles[::every], "center")
