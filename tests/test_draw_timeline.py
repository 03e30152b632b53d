"""Pictures of threads and of families: where marks stand, and which lines lead where."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import ecsviz as ev
from ecsviz.draw import DrawingOptionError, draw_timeline
from ecsviz.draw.lineage import EVENTS, MAX_MEMBERS
from ecsviz.draw.style import categories
from ecsviz.draw.timeline import MAX_BRANCHES, MAX_LISTED
from ecsviz.layout.lanes import depth_first, fold_branches, lanes_of
from tests.hostile import HOSTILE
from tests.test_draw import all_texts, found, legend, marks, paint, texts, title

START = datetime(2024, 5, 1, 9, tzinfo=UTC)


def chat(
    n: int, *, fork: float = 0.2, minutes: float | None = None, seed: int = 0
) -> ev.ChatThread:
    chance = random.Random(seed)
    thread = ev.ChatThread(title="A thread")
    for number in range(n):
        earlier = thread.messages
        parent = None
        if earlier:
            parent = chance.choice(earlier) if chance.random() < fork else earlier[-1]
        message = thread.say("user" if number % 2 == 0 else "assistant", f"text {number}", parent)
        if minutes is not None:
            message.created_at = START + timedelta(minutes=minutes * number)
    return thread


def places(ax: Axes) -> np.ndarray[Any, Any]:
    return np.concatenate([np.asarray(artist.get_offsets()) for artist in marks(ax)])


# -- lanes -----------------------------------------------------------------------------------


@st.composite
def forests(draw: st.DrawFn) -> list[int]:
    n = draw(st.integers(0, 30))
    return [draw(st.integers(-1, number - 1)) for number in range(n)]


@given(forests())
def test_no_two_branches_share_a_lane_at_a_time(parents: list[int]) -> None:
    lane = lanes_of(parents).tolist()
    # From its parent to itself, a message's line fills its own lane.
    spans = [(lane[n], p if p >= 0 else n, n) for n, p in enumerate(parents)]
    for number, (here, start, end) in enumerate(spans):
        for other, (there, first, last) in enumerate(spans[:number]):
            if here == there and number != other:
                apart = end < first or last < start
                follows = parents[number] == other or parents[other] == number
                touches = end == first or last == start
                siblings = parents[number] == parents[other]
                assert apart or follows or touches or not siblings, (number, other)


@given(forests())
def test_the_longest_branch_goes_straight_on(parents: list[int]) -> None:
    lane = lanes_of(parents).tolist()
    assert len(lane) == len(parents)
    for parent in range(len(parents)):
        children = [n for n, p in enumerate(parents) if p == parent]
        if children:
            assert sum(lane[child] == lane[parent] for child in children) == 1


@given(st.lists(st.integers(-1, 9), min_size=10, max_size=10))
def test_parents_in_circles_do_no_harm(parents: list[int]) -> None:
    assert sorted(depth_first(parents)) == list(range(10))
    assert len(lanes_of(parents)) == 10


def test_a_lane_is_used_again() -> None:
    comb = [-1]
    for number in range(50):
        comb += [2 * number, 2 * number]  # a short branch, and the way on
    lane = lanes_of(comb)
    assert lane.max() <= 2
    assert lanes_of(list(range(-1, 100_000 - 1))).max() == 0


@given(forests(), st.integers(0, 6), st.sets(st.integers(0, 29)))
def test_what_is_folded_hangs_on_what_is_shown(
    parents: list[int], limit: int, wanted: set[int]
) -> None:
    n = len(parents)
    here = np.array(sorted(node for node in wanted if node < n), dtype=np.int64)
    found = fold_branches(parents, limit, here)
    leaves = [node for node in range(n) if node not in parents]
    assert found.shown[here].all()
    lost = 0  # branches that hang on nothing that is shown: those of roots
    for node in range(n):
        way = [node]
        while parents[way[-1]] >= 0:
            way.append(parents[way[-1]])
        states = found.shown[way].tolist()
        assert states == sorted(states), "what leads to what is shown is shown"
        lost += node in leaves and not any(states)
    assert found.branches.sum() + found.shown[leaves].sum() + lost == len(leaves)
    assert not found.branches[~found.shown].any()


def test_the_longest_branches_are_kept() -> None:
    comb = [-1, *range(9), *(0,) * 5, 10, 15, 16]  # ten in a row, one of four, four of one
    assert fold_branches(comb, 2).shown.nonzero()[0].tolist() == [*range(11), 15, 16, 17]
    assert fold_branches(comb, 2).branches.tolist()[:2] == [4, 0]
    assert fold_branches(comb, 1).branches[0] == 5
    # Of four that are equally long all or none, unless too little would be left.
    assert fold_branches(comb, 4).shown.sum() == 14
    assert fold_branches(comb, 4, enough=15).shown.sum() == 16
    assert fold_branches(comb, 6).shown.all()
    assert fold_branches(comb, 1, np.array([12])).shown.nonzero()[0].tolist() == [*range(10), 12]


# -- threads ---------------------------------------------------------------------------------


def test_a_short_thread_is_a_list_with_its_branches_beside_it() -> None:
    thread = ev.ChatThread(title="Cycles")
    question = thread.say("user", "What is a cycle?")
    thread.say("assistant", "A way back.", question)
    again = thread.say("assistant", "A closed path.", question)
    thread.say("user", "Thanks.", again)
    ax = thread.draw_timeline()
    assert title(ax).split("\n") == ["Cycles", "4 messages, 2 branches"]
    assert texts(ax, "label") == [
        "user: What is a cycle?",
        "assistant: A way back.",
        "assistant: A closed path.",
        "user: Thanks.",
    ]
    assert legend(ax) == ["assistant", "user"]
    assert len(found(ax, "branches").get_segments()) == 3
    heights = [t.get_position()[1] for t in ax.texts if t.get_gid() == "label"]
    assert heights == sorted(heights, reverse=True)
    x = {round(float(place[1]), 3): float(place[0]) for place in places(ax)}
    x_of = [x[y] for y in sorted(x, reverse=True)]
    assert x_of[0] == x_of[2] == x_of[3] < x_of[1], "the longer branch goes straight on"


def test_roles_have_colours_and_marks() -> None:
    ax = draw_timeline(chat(6))
    _, kinds = categories(["assistant", "user"])
    assert [tuple(m.get_facecolor()[0][:3]) for m in marks(ax)] == [kind.color for kind in kinds]
    ax = draw_timeline(chat(5), legend=False)
    assert legend(ax) == []


def test_times_are_named_and_long_silences_told() -> None:
    thread = chat(10, fork=0, minutes=1)
    for message in thread.messages[5:]:
        assert message.created_at is not None
        message.created_at += timedelta(days=3)
    ax = draw_timeline(thread)
    assert texts(ax, "time")[:2] == ["2024-05-01 09:00", "09:01"]
    assert texts(ax, "time")[5] == "2024-05-04 09:05"
    assert texts(ax, "pause") == ["3 days later"]
    y = np.sort(places(ax)[:, 1])[::-1]
    steps = -np.diff(y)
    assert steps[4] > 2 * np.delete(steps, 4).max()
    assert texts(draw_timeline(chat(10)), "time") == []


def test_a_long_thread_is_marks_along_time() -> None:
    thread = chat(MAX_LISTED + 40, fork=0, minutes=5)
    ax = draw_timeline(thread)
    assert texts(ax, "label") == []
    x = places(ax)[:, 0]
    assert len(x) == len(thread.messages)
    assert len(texts(ax, "tick")) >= 3
    late = thread.messages[-1]
    assert late.created_at is not None
    late.created_at += timedelta(hours=9)
    gap = np.diff(np.sort(places(draw_timeline(thread))[:, 0]))
    assert gap[-1] > 20 * np.median(gap), "by time, silence is room"


def test_without_times_it_is_by_position() -> None:
    thread = chat(MAX_LISTED + 40, fork=0)
    ax = draw_timeline(thread)
    gap = np.diff(np.sort(places(ax)[:, 0]))
    assert gap.max() == pytest.approx(gap.min())
    assert texts(ax, "tick")[0] == "1"
    with pytest.raises(DrawingOptionError, match="not all messages have created_at"):
        draw_timeline(thread, by="time")
    thread.messages[0].created_at = START
    draw_timeline(thread)


def test_times_that_hide_the_messages_are_not_taken() -> None:
    thread = chat(MAX_LISTED + 60, fork=0, minutes=0.01)
    assert thread.messages[-1].created_at is not None
    thread.messages[-1].created_at += timedelta(days=400)
    ax = draw_timeline(thread)
    assert "By position" in texts(ax, "note")[0]
    gap = np.diff(np.sort(places(ax)[:, 0]))
    assert gap.max() == pytest.approx(gap.min())
    assert texts(draw_timeline(thread, by="time"), "note") == []


def bushy(messages: int, branches: int) -> ev.ChatThread:
    """A line of messages, and answers of one or two messages to the first of them."""
    thread = ev.ChatThread(title="bushy")
    last = None
    for number in range(messages):
        last = thread.say("user", f"text {number}", last)
    for number in range(branches):
        answer = thread.say("assistant", f"answer {number}", thread.messages[number // 3])
        if number % 3 == 0:
            thread.say("user", "so?", answer)
    return thread


def test_of_hundreds_of_branches_the_longest_are_drawn_and_it_says_so() -> None:
    thread = bushy(103, 300)
    ax = draw_timeline(thread)
    assert title(ax) == "bushy\n503 messages, 301 branches"
    assert len(places(ax)) == 103
    assert len(found(ax, "folded branches").get_segments()) == 100
    note = " ".join("\n".join(texts(ax, "note")).split())
    assert note.startswith(
        "Showing 1 of 301 branches, the longest; 400 messages of others are folded."
    )
    assert 10 < len(texts(ax, "folded")) <= 100
    assert set(texts(ax, "folded")) == {"+3"}
    lowest = min(text.get_position()[1] for text in ax.texts if text.get_gid() == "folded")
    ticks = [text.get_position()[1] for text in ax.texts if text.get_gid() == "tick"]
    assert max(ticks) < lowest - 0.1
    whole = draw_timeline(thread, max_branches=None)
    assert len(places(whole)) == 503
    assert found(whole, "folded branches") is None
    assert texts(whole, "note") == []
    few = bushy(100, MAX_BRANCHES - 1)
    assert len(places(draw_timeline(few))) == len(few.messages)


def test_positions_of_folded_threads_are_those_of_the_whole() -> None:
    thread = ev.ChatThread(title="x")
    first = thread.say("user", "question")
    for number in range(200):
        thread.say("assistant", f"answer {number}", first)
    last = first
    for number in range(80):
        last = thread.say("user", f"more {number}", last)
    ticks = [int(text.replace(",", "")) for text in texts(draw_timeline(thread), "tick")]
    assert ticks[0] == 1
    assert min(ticks[1:]) > 200


def test_a_highlighted_branch_is_never_folded() -> None:
    thread = bushy(103, 300)
    path = thread.path_to(thread.messages[-1])
    ax = draw_timeline(thread, highlight=path)
    strong = sum(int((m.get_facecolor()[:, 3] == 1).sum()) for m in marks(ax))
    assert strong == len(path)
    assert len(places(ax)) == 104
    assert "2 of 301 branches, the longest and those highlighted" in texts(ax, "note")[0]


def test_what_is_left_of_a_fan_is_listed() -> None:
    thread = ev.ChatThread(title="fan")
    first = thread.say("user", "question")
    for number in range(300):
        thread.say("assistant", f"answer {number}", first)
    ax = draw_timeline(thread)
    assert texts(ax, "label")[0] == f"user: question (+{300 - MAX_BRANCHES} folded)"
    assert len(texts(ax, "label")) == MAX_BRANCHES + 1
    assert found(ax, "folded branches") is None


def test_a_highlighted_path_stands_out() -> None:
    thread = chat(20, fork=0.4, seed=3)
    path = thread.path_to(thread.leaves()[0])
    ax = draw_timeline(thread, highlight=path)
    strong = sum(int((m.get_facecolor()[:, 3] == 1).sum()) for m in marks(ax))
    assert strong == len(path) < 20
    strength = found(ax, "branches").get_colors()[:, 3]
    assert (strength == 1).sum() == len(path) - 1


def test_messages_without_parents_follow_each_other() -> None:
    class Line:
        def __init__(self, text: str) -> None:
            self.text = text

    class Talk:
        messages = (Line("a"), Line("b"), Line("c"))

    ax = draw_timeline(Talk())
    assert texts(ax, "label") == ["a", "b", "c"]
    assert len(found(ax, "branches").get_segments()) == 2
    assert legend(ax) == ["no role"]


def test_ten_thousand_messages_are_a_few_artists() -> None:
    for thread in (chat(10_000, fork=0.1, minutes=2), chat(10_000, fork=0)):
        ax = draw_timeline(thread, max_branches=None)
        assert len(places(ax)) == 10_000
        assert len(ax.collections) <= 3
        assert len(ax.texts) < 20
        paint(ax)


def test_empty_threads_and_given_axes() -> None:
    assert texts(draw_timeline(ev.ChatThread(title="x")), "note") == ["no messages"]
    ax = Figure(figsize=(5, 4), facecolor="black").add_axes((0, 0, 1, 1))
    assert draw_timeline(chat(12), ax=ax) is ax
    left, right = ax.get_xlim()
    x = places(ax)[:, 0]
    assert left < x.min() <= x.max() < right


@pytest.mark.parametrize("wrong", [3, "messages", ev.ChatThread, object()])
def test_what_is_no_thread_is_an_error(wrong: Any) -> None:
    with pytest.raises(DrawingOptionError, match="is no thread"):
        draw_timeline(wrong)
    with pytest.raises(DrawingOptionError, match="by='lane' is no way"):
        draw_timeline(chat(2), by="lane")  # type: ignore[arg-type]  # on purpose


def test_what_was_said_is_text() -> None:
    thread = ev.ChatThread(title=HOSTILE[0])
    for text in HOSTILE:
        thread.say(text[:100] or "x", text)
    for some in (thread.messages[:40], thread.messages):
        short = ev.ChatThread(title=HOSTILE[-1])
        for message in some:
            short.say(message.role, message.content)
        ax = draw_timeline(short)
        paint(ax, "svg")
        assert all(not text.get_parse_math() for text in all_texts(ax))
        assert all(len(text.get_text()) < 200 for text in all_texts(ax))


# -- families --------------------------------------------------------------------------------


class Recipe(ev.Entity):
    name: str
    steps: list[str] = []


STORES = [ev.InMemoryEntityStorage, lambda: ev.SQLAlchemyEntityStorage(":memory:")]


@pytest.mark.parametrize("make", STORES, ids=["memory", "sqlalchemy"])
def test_a_family_is_lines_of_versions_and_forks(make: Any) -> None:
    store = make()
    soup = store.register(Recipe(name="Soup"))
    soup.steps = ["cook"]
    store.register(soup)
    stew = soup.fork()
    stew.name = "Stew"
    store.register(stew)
    soup.steps = ["cook", "eat"]
    store.register(soup)
    store.register(Recipe(name="Another family"))
    for member in (soup, stew.lineage_id):
        ax = store.draw_lineage(member)
        assert title(ax) == "2 entities, 4 versions, 1 fork"
        assert texts(ax, "label") == ["Recipe Soup  (v3)", "Recipe Stew  (v1)"]
        assert legend(ax) == ["added", "forked", "changed"]
        assert len(found(ax, "lives").get_segments()) == 2
        (fork,) = found(ax, "forks").get_segments()
        lanes = [t.get_position()[1] for t in ax.texts if t.get_gid() == "label"]
        assert lanes[0] > lanes[1]
        assert fork[0][0] == fork[-1][0], "straight down, in the revision of the fork"
        assert fork[0][1] > fork[-1][1]
        assert sorted(places(ax)[:, 0]) == pytest.approx([0, 0.55, 1.1, 1.65])
        assert [t for t in texts(ax, "tick") if len(t) < 5] == ["1", "2", "3", "4"]


def test_what_is_deleted_is_crossed_out_and_who_is_gone_is_not_there() -> None:
    store = ev.InMemoryEntityStorage()
    soup = store.register(Recipe(name="Soup"))
    other = store.register(soup.fork())
    store.delete(soup)
    ax = store.draw_lineage(other)
    assert title(ax) == "1 entity, 1 version, 0 forks"
    assert found(ax, "forks") is None
    assert set(EVENTS) >= set(legend(ax))


def test_of_a_large_family_the_first_are_drawn_and_it_says_so() -> None:
    store = ev.InMemoryEntityStorage()
    soup = store.register(Recipe(name="Soup"))
    store.register([soup.fork() for _ in range(MAX_MEMBERS + 10)])
    ax = store.draw_lineage(soup, title="Soups")
    assert title(ax).split("\n")[0] == "Soups"
    assert len(texts(ax, "label")) == MAX_MEMBERS
    assert texts(ax, "note") == [f"Showing {MAX_MEMBERS} of {MAX_MEMBERS + 11} entities."]


def test_what_is_no_text_is_told_apart() -> None:
    thread = ev.ChatThread(title="Ferns")
    asked = thread.say("user", "Which is it?")
    call = ev.MessagePart(kind="tool_call", tool="look_up", data={"plant": "fern"})
    called = thread.say("assistant", [call], parent=asked)
    result = thread.say("user", [ev.MessagePart(kind="tool_result", text="bracken")], parent=called)
    thread.say("assistant", "Bracken.", parent=result)
    texts = [text.get_text() for text in thread.draw_timeline().texts]
    assert 'assistant, tool call: look_up({"plant": "fern"})' in texts
    assert "user, tool result: bracken" in texts
    assert "assistant: Bracken." in texts
