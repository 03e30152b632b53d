"""The picture of what differs: colours and marks that have a meaning."""

from __future__ import annotations

import copy

import matplotlib.pyplot as plt
from matplotlib.colors import to_hex

import ecsviz as ev
from ecsviz.draw import draw_diff
from ecsviz.draw.diff import STATES
from ecsviz.draw.style import fixed_categories
from tests.test_draw import legend


def states(count: int) -> tuple[ev.ChatThread, ev.ChatThread]:
    """Return a thread as it was, and with a message edited, one removed and one added."""
    thread = ev.ChatThread(title="Cycles")
    for number in range(count):
        thread.say("user", f"message {number}")
    before = copy.deepcopy(thread)
    thread.messages[0].content = "edited"
    thread.messages.pop(1)
    thread.say("user", "new")
    return before, thread


def test_every_state_has_its_colour_and_its_mark() -> None:
    names = ["unchanged", "removed", "added", "removed", "changed"]
    codes, kinds = fixed_categories(names, STATES)
    assert [kinds[code].name for code in codes] == names
    assert {kind.name: to_hex(kind.color).upper() for kind in kinds} == {
        name: color for name, (color, _) in STATES.items()
    }
    assert len({kind.marker for kind in kinds}) == 4


def test_what_differs_is_drawn() -> None:
    ax = ev.diff(*states(4)).draw()
    assert legend(ax)[:4] == ["added", "removed", "changed", "unchanged"]
    title = ax.get_title(loc="left")
    assert "6 entities" in title
    shown = [text.get_text() for text in ax.texts]
    assert any("edited" in text for text in shown)
    assert any("message 1" in text for text in shown), "what was removed is there too"


def test_of_large_states_the_part_that_differs_is_drawn() -> None:
    found = ev.diff(*states(3_000))
    ax = draw_diff(found)
    title = " ".join(text.get_text() for text in [*ax.texts, ax.title, ax._left_title])
    assert "showing 4 of 3,002" in title
    assert "4 entities" in ax.get_title(loc="left") or "4 entities" in title


def test_it_draws_where_it_is_told_and_on_dark_ground() -> None:
    with plt.style.context("dark_background"):
        _, ax = plt.subplots()
        assert ev.diff(*states(2)).draw(ax, title="Two states", legend=False) is ax
    assert legend(ax) == []


def test_nothing_differs() -> None:
    thread = states(2)[1]
    assert legend(ev.diff(thread, thread).draw())[0] == "unchanged"
    assert "nothing to draw" in " ".join(t.get_text() for t in ev.diff([], []).draw().texts)


def test_a_store_draws_two_revisions() -> None:
    store = ev.SQLAlchemyEntityStorage(":memory:")
    thread = store.register(ev.ChatThread(title="a"))
    thread.say("user", "hello")
    store.register(thread)
    assert legend(store.diff(1, 2).draw())[0] == "added"


def test_a_changed_thread_stands_above_its_messages_as_an_unchanged_one_does() -> None:
    for count in (8, 40):  # whole, and only what differs
        before = ev.ChatThread(title="Cycles")
        for number in range(count):
            parent = before.messages[(number - 1) // 2] if number else None
            before.say("user", f"message {number}", parent)
        after = copy.deepcopy(before)
        after.title = "Changed"
        for message in after.messages[::3]:
            message.content += "!"
        ax = ev.diff(before, after).draw(max_whole=20)
        heights = {t.get_text(): t.get_position()[1] for t in ax.texts if t.get_gid() == "label"}
        thread = heights.pop("Changed")
        assert len(heights) == count
        assert thread > max(heights.values())


def test_references_are_deferred_as_in_the_graph() -> None:
    thread = ev.sample("thread")
    after = copy.deepcopy(thread)
    after.title = "Changed"
    drawn = {c.get_gid(): c for c in ev.diff(thread, after).draw().collections}
    due = len(ev.EntityDependencyGraph(thread).deferred)
    assert len(drawn["deferred references"].get_segments()) == due  # type: ignore[attr-defined]  # a LineCollection
