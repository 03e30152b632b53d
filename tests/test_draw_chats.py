"""Pictures of many chats: what stands where, what is said, and that nothing covers anything."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

import ecsviz as ev
from ecsviz.draw import DrawingOptionError
from ecsviz.draw.activity import BLOCKS, ROWS
from ecsviz.draw.chat_bars import COLUMNS, MODELS
from tests.hostile import HOSTILE
from tests.test_draw import all_texts, found, legend, paint, texts, title

START = datetime(2024, 3, 1, 22, 30, tzinfo=UTC)
DRAWS = ("draw_activity", "draw_lengths", "draw_models")


def chats(times: Iterable[datetime | None], models: Iterable[str | None] = ()) -> ev.ChatThreads:
    """Return a thread for each time, with one answer."""
    named, threads = list(models), []
    for number, time in enumerate(times):
        thread = ev.ChatThread(title=f"chat {number}")
        message = thread.say("assistant", "x" * (number + 1))
        message.created_at = time
        message.model = named[number % len(named)] if named else None
        threads.append(thread)
    return ev.ChatThreads(threads)


def every(step: timedelta, count: int) -> list[datetime | None]:
    return [START + step * number for number in range(count)]


CASES: dict[str, ev.ChatThreads] = {
    "nothing": ev.ChatThreads(),
    "a thread without messages": ev.ChatThreads([ev.ChatThread()]),
    "no times": chats([None] * 5, ["m"]),
    "some times": chats([None, START, None], ["m", None, "n"]),
    "one message": chats([START]),
    "one day": chats(every(timedelta(minutes=20), 30), ["a", "b"]),
    "three chats": chats(every(timedelta(days=2), 3), ["a"]),
    "across a new year": chats(every(timedelta(days=3), 110), [f"model-{n}" for n in range(9)]),
    "two years": chats(every(timedelta(days=1), 700), ["a", None]),
    "ten years": chats(every(timedelta(days=9), 400), [f"model-{n}" for n in range(20)]),
    "far apart": chats([datetime(1970, 1, 1, tzinfo=UTC), START], ["a"]),
    "the whole calendar": chats(
        [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, tzinfo=UTC)], ["a"]
    ),
    "fifty years": chats(every(timedelta(days=365), 50), ["a"]),
    "hostile names": chats(every(timedelta(days=1), len(HOSTILE)), HOSTILE),
}
SIZES = {"alone": None, "wide": (11.0, 3.0), "narrow": (3.4, 4.0), "small": (2.1, 1.7)}


@pytest.fixture(autouse=True)
def _closed() -> Any:
    yield
    plt.close("all")


def boxes(ax: Axes, gid: str) -> Any:
    """Return what a collection holds: left, bottom, right, top of each."""
    held = found(ax, gid)
    paths = [] if held is None else held.get_paths()
    return np.array([path.get_extents().get_points().ravel() for path in paths])


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("case", CASES)
def test_no_text_is_cut_off_or_covers_another(case: str, draw: str) -> None:
    for size in SIZES.values():
        ax = None if size is None else plt.figure(figsize=size).add_subplot()
        drawn = getattr(CASES[case], draw)(ax=ax)
        paint(drawn)
        figure = drawn.figure
        words = [text for text in all_texts(drawn) if text.get_text()]
        spans = [text.get_window_extent() for text in words]
        for text, span in zip(words, spans, strict=True):
            assert span.x0 >= -1, text
            assert span.x1 <= figure.bbox.width + 1, text
        for (one, a), (other, b) in combinations(zip(words, spans, strict=True), 2):
            wide = min(a.x1, b.x1) - max(a.x0, b.x0)
            high = min(a.y1, b.y1) - max(a.y0, b.y0)
            near = min(a.height, b.height)
            if near < 3:  # points: nothing that is read
                continue
            assert wide <= 0.5 or high <= 0.3 * near, (
                size,
                one.get_text(),
                other.get_text(),
            )
        plt.close("all")


@pytest.mark.parametrize("draw", DRAWS)
def test_a_title_stands_above_and_options_are_looked_at(draw: str) -> None:
    method = getattr(CASES["three chats"], draw)
    assert title(method(title="A year $x$")).splitlines()[0] == "A year $x$"
    assert legend(method(legend=False)) == []
    with pytest.raises(DrawingOptionError, match="title is 3"):
        method(title=3)
    with pytest.raises(ev.EcsvizError, match="no option 'zone'"):
        method(zone="UTC")


@pytest.mark.parametrize("draw", DRAWS)
def test_what_is_said_stands_out_on_light_and_on_dark_ground(draw: str) -> None:
    for style, ground in (("default", 1.0), ("dark_background", 0.0)):
        with plt.style.context(style):
            ax = getattr(CASES["two years"], draw)()
            for text in all_texts(ax):
                assert abs(np.mean(to_rgb(text.get_color())) - ground) > 0.35
            for held in ax.collections:
                for color in held.get_facecolor():
                    assert np.abs(np.array(color[:3]) - ground).max() > 0.07


def test_stores_are_drawn_like_the_threads() -> None:
    threads = CASES["ten years"]
    store = ev.SQLAlchemyEntityStorage(":memory:")
    store.register(threads)
    for draw in DRAWS:
        assert paint(getattr(store.threads(), draw)()) == paint(getattr(threads, draw)())


# -- activity --------------------------------------------------------------------------------


def test_a_day_is_a_cell_and_its_shade_its_count() -> None:
    times = [START] * 5 + [START + timedelta(days=10)]
    ax = chats(times).draw_activity()
    assert title(ax) == "6 messages on 2 days, 2024-03-01 to 2024-03-11"
    assert len(boxes(ax, "days")) == 31  # March
    assert legend(ax) == ["none", "1", "5"]
    colors = [tuple(color[:3]) for color in found(ax, "days").get_facecolor()]
    assert colors[0] == pytest.approx(to_rgb("#0072B2"))
    assert len(set(colors)) == 3
    assert colors.count(colors[1]) == 29
    assert colors[10] not in (colors[0], colors[1])
    days = boxes(ax, "days")
    assert days[3][1] > days[4][1]  # Monday 4th stands above Tuesday
    assert days[3][0] > days[2][0]  # and in the week after Sunday 3rd
    assert texts(ax, "month") == ["Mar 2024"]


def test_days_and_hours_are_those_of_the_zone() -> None:
    ax = chats([START]).draw_activity()
    assert title(ax).endswith(": 2024-03-01")
    tall = np.argmax(boxes(ax, "hours")[:, 3])
    assert tall == 22
    ax = chats([START]).draw_activity(timezone="Asia/Tokyo")
    assert title(ax).endswith(": 2024-03-02")
    assert np.argmax(boxes(ax, "hours")[:, 3]) == 7
    assert texts(ax, "heading")[1].endswith("Asia/Tokyo")
    summer = chats([datetime(2024, 7, 1, 12, tzinfo=UTC)])
    ax = summer.draw_activity(timezone=ZoneInfo("Europe/Berlin"))
    assert np.argmax(boxes(ax, "hours")[:, 3]) == 14
    with pytest.raises(DrawingOptionError, match="timezone is 'Berlin', which names no time zone"):
        summer.draw_activity(timezone="Berlin")


def test_years_are_strips_and_many_years_are_rows() -> None:
    ax = CASES["two years"].draw_activity()
    assert len(boxes(ax, "days")) == 366 + 365 + 365
    assert [name for name in texts(ax, "month") if " " in name] == [
        "Jan 2024",
        "Jan 2025",
        "Jan 2026",
    ]
    ax = CASES["far apart"].draw_activity()  # no room for years without messages
    assert [name for name in texts(ax, "month") if " " in name] == ["Jan 1970", "Jan 2024"]
    ax = CASES["ten years"].draw_activity()
    years = texts(ax, "year")
    assert len(years) > BLOCKS
    assert years == sorted(years)
    assert len(boxes(ax, "weeks")) == 53 * len(years)
    assert texts(ax, "note") == []
    ax = CASES["fifty years"].draw_activity()
    assert len(texts(ax, "year")) == ROWS
    assert texts(ax, "note") == ["Showing the latest 40 of 50 years; 10 messages earlier."]


def test_the_shades_name_all_counts() -> None:
    times = [START + timedelta(days=n) for n in range(40) for _ in range(n + 1)]
    ax = chats(times).draw_activity()
    ranges = [name.split(" – ") for name in legend(ax)[1:]]
    assert ranges[0][0] == "1"
    assert ranges[-1][-1] == "40"
    for (_, end), (begin, _) in pairwise(ranges):
        assert int(begin) == int(end) + 1


def test_what_has_no_time_is_told() -> None:
    assert title(CASES["no times"].draw_activity()) == "5 messages, none with a time"
    assert title(CASES["nothing"].draw_activity()) == "no messages"
    ax = CASES["some times"].draw_activity()
    assert texts(ax, "note") == ["2 messages without a time are not shown."]


# -- lengths ---------------------------------------------------------------------------------


def of_lengths(*lengths: int) -> ev.ChatThreads:
    threads = []
    for length in lengths:
        thread = ev.ChatThread()
        for _ in range(length):
            thread.say("user", "ab")
        threads.append(thread)
    return ev.ChatThreads(threads)


def test_lengths_are_counted_in_ranges() -> None:
    ax = of_lengths(0, 1, 2, 4, 5, 20).draw_lengths()
    assert texts(ax, "range") == ["0", "1", "2 – 4", "5 – 9", "10 – 19", "20 – 49"]
    assert [text.split()[0] for text in texts(ax, "count")] == ["1", "1", "2", "1", "0", "1"]
    bars = boxes(ax, "bars")
    assert len(bars) == 5  # none where there is none
    wide = bars[:, 2] - bars[:, 0]
    assert wide[2] == pytest.approx(2 * wide[0])
    assert title(ax) == "6 threads: half have up to 3 messages, the longest 20"


def test_lengths_by_characters_and_tokens() -> None:
    ax = of_lengths(1, 6).draw_lengths(by="characters")
    assert texts(ax, "range") == ["2 – 4", "5 – 9", "10 – 19"]
    ax = of_lengths(1, 6).draw_lengths(by="tokens")
    assert title(ax) == "2 threads, no tokens told"
    threads = of_lengths(1, 2, 1)
    threads[1].messages[0].tokens_in, threads[1].messages[1].tokens_out = 1_000, 500
    threads[2].messages[0].tokens_out = 0
    ax = threads.draw_lengths(by="tokens")
    assert texts(ax, "range")[0] == "0"
    assert texts(ax, "range")[-1] == "1,000 – 1,999"
    assert texts(ax, "note") == ["1 thread without tokens is not shown."]
    with pytest.raises(DrawingOptionError, match="by='words' is nothing"):
        of_lengths(1).draw_lengths(by="words")


# -- models ----------------------------------------------------------------------------------


def test_models_have_a_bar_each_and_the_same_colour_in_time() -> None:
    times = every(timedelta(days=60), 6)
    ax = chats(times, ["a", "a", "b"]).draw_models()
    assert texts(ax, "range") == ["a", "b"]
    assert texts(ax, "count")[:2] == ["4  67 %", "2  33 %"]
    bars, periods = found(ax, "bars"), found(ax, "periods")
    assert len(periods.get_paths()) == 6
    a, b = (tuple(color) for color in bars.get_facecolor())
    assert [tuple(color) for color in periods.get_facecolor()] == [a, a, b] * 2
    assert texts(ax, "heading") == ["answers, by model", "answers a month"]


def test_questions_name_no_model_and_are_no_answers() -> None:
    thread = ev.ChatThread()
    thread.say("user", "?")
    thread.say("assistant", "!").model = "m"
    thread.say("assistant", "!")
    ax = ev.ChatThreads([thread]).draw_models()
    assert title(ax) == "2 answers of 1 model"
    assert texts(ax, "range") == ["m", "model not told"]
    assert texts(ax, "note") == ["No answer has a time."]
    assert title(of_lengths(2).draw_models()) == "no answers"


def test_many_models_and_years_are_put_together() -> None:
    ax = CASES["ten years"].draw_models()
    assert len(texts(ax, "range")) == MODELS
    assert texts(ax, "range")[-1] == "9 others"
    assert texts(ax, "heading")[1] == "answers a quarter"
    ax = CASES["the whole calendar"].draw_models()
    assert texts(ax, "note")[0].startswith("1 answer before")
    far = boxes(CASES["fifty years"].draw_models(), "periods")
    assert len(far) == 50 <= COLUMNS
