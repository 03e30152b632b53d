"""The picture of what differs: colours and marks that have a meaning."""

from __future__ import annotations

import copy
import random
from typing import Any

import matplotlib.pyplot as plt
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex

import ecsviz as ev
from ecsviz.draw import draw_diff
from ecsviz.draw.diff import STATES, _both_states
from ecsviz.draw.style import REFERENCES, fixed_categories, on_ground
from tests.test_draw import found, legend


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


# -- references ------------------------------------------------------------------------------


class Crew(ev.Entity):
    name: str = ""
    members: list[Sailor] = []


class Sailor(ev.Entity):
    name: str = ""
    crew: Crew | None = None
    friend: Sailor | None = None


Crew.model_rebuild()
Sailor.model_rebuild()


def crews(*sizes: int) -> list[Any]:
    made = []
    for size in sizes:
        crew = Crew(name=f"crew {len(made)}")
        for number in range(size):
            crew.members.append(Sailor(name=f"{crew.name}, {number}", crew=crew))
        made.append(crew)
    return made


def arrows(ax: Any, name: str) -> int:
    drawn = found(ax, name)
    return 0 if drawn is None else len(drawn.get_segments())


def test_references_that_are_gone_are_red_and_crossed_out_and_new_ones_green() -> None:
    red, blue = before = crews(3, 1)
    red.members[0].friend = red.members[1]
    after = copy.deepcopy(before)
    one, other = after
    gone = one.members.pop(2)
    gone.crew = None
    one.members[0].friend = other.members[0]
    ax = ev.diff(before, after).draw()
    # The list and the back-reference of who left, and the friend.
    assert arrows(ax, "removed reference") == len(found(ax, "crosses").get_offsets()) == 3
    assert arrows(ax, "new reference") == 1
    assert {"new reference", "removed reference"} <= set(legend(ax))
    assert not {"moved here", "reordered"} & set(legend(ax))
    colours = {
        name: to_hex(found(ax, name).get_colors()[0]).upper()
        for name in ("new reference", "removed reference")
    }
    assert colours == {name: REFERENCES[name] for name in colours}
    said = ax.get_title(loc="left")
    assert "8 entities" not in said
    every = {t.get_text() for t in ax.texts if t.get_gid() == "label"}
    assert every == {e.name for e in (*before, *red.members, *blue.members)}
    with plt.style.context("dark_background"):
        dark = found(ev.diff(before, after).draw(), "new reference").get_colors()[0]
    assert to_hex(dark) == to_hex(on_ground(REFERENCES["new reference"], True))


def test_what_moved_or_stands_in_another_order_is_marked() -> None:
    before = crews(3, 1)
    one, other = after = copy.deepcopy(before)
    sailor = one.members.pop(0)
    sailor.crew = other
    other.members.append(sailor)
    one.members.reverse()
    ax = ev.diff(before, after).draw()
    assert {name: arrows(ax, name) for name in REFERENCES} == {
        "new reference": 1,  # the back-reference
        "removed reference": 2,
        "moved here": 1,
        "reordered": 2,
    }
    assert {*REFERENCES} <= set(legend(ax))


def test_whoever_holds_more_less_or_in_another_order_has_changed() -> None:
    before = crews(2, 2, 2, 2)
    more, less, order, _same = after = copy.deepcopy(before)
    more.members.append(Sailor(name="new", crew=more))
    less.members.pop().crew = None
    order.members.reverse()
    for most in (None, 3):  # whole, and only what differs
        picture = draw_diff(ev.diff(before, after), max_whole=most)
        counts = picture.get_title(loc="left")
        assert arrows(picture, "new reference") == arrows(picture, "removed reference") == 2
        assert arrows(picture, "reordered") == 2
        assert "changed" in legend(picture), counts
    _, states, _ = _both_states(ev.diff(before, after))
    assert [states[crew.ecs_id] for crew in after] == ["changed"] * 3 + ["unchanged"]


@given(st.integers(0, 10**6))
def test_every_reference_of_either_state_is_told_as_it_is(seed: int) -> None:
    r = random.Random(seed)
    before = crews(2, 3, 0)
    after = copy.deepcopy(before)
    for _ in range(r.randrange(5)):
        source, target = r.choice(after), r.choice(after)
        if source.members:
            sailor = source.members.pop(r.randrange(len(source.members)))
            sailor.crew = target
            target.members.insert(r.randrange(len(target.members) + 1), sailor)
            sailor.friend = r.choice([None, *source.members])
    ends = [
        {
            (x.source.ecs_id, x.field, x.target.ecs_id)
            for x in ev.EntityDependencyGraph(s).references
        }
        for s in (before, after)
    ]
    ax = ev.diff(before, after).draw(max_whole=None, legend=True)
    new = arrows(ax, "new reference") + arrows(ax, "moved here")
    assert (new, arrows(ax, "removed reference")) == (
        len(ends[1] - ends[0]),
        len(ends[0] - ends[1]),
    )
    kept = ("references", "cycle references", "deferred references", "reordered")
    assert sum(arrows(ax, name) for name in kept) == len(ends[0] & ends[1])
    plt.close(ax.figure)
