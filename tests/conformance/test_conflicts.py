"""conflicts(), merge(choose=) and resolve(): what two sides have made of the same field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

import ecsviz as ev
from ecsviz import errors
from ecsviz.isomorphic import find_difference


@dataclass(repr=False)  # what it prints tells where in memory it lies
class Spot:
    x: int


class Pin(ev.Entity):
    spot: Spot


class Slot(BaseModel):
    pin: Pin | None = None
    number: int = 0


class Board(ev.Entity):
    slot: Slot
    by_name: dict[str, Pin]


def both(store: Any) -> tuple[ev.ChatThread, ev.ChatThread]:
    """Return a thread, and the same as another has changed and saved it."""
    thread = ev.ChatThread(title="a")
    thread.say("user", "hello")
    store.register(thread)
    other = store.get(thread.ecs_id)
    other.title, other.source, other.metadata = "theirs", "elsewhere", {"k": 1}
    other.say("user", "their words")
    store.register(other)
    thread.title, thread.metadata = "mine", {"k": 2}
    thread.say("user", "my words")
    return thread, other


def said(thread: ev.ChatThread) -> list[str]:
    return [message.content for message in thread.messages]


def test_conflicts_are_told_and_nothing_changes(store: Any) -> None:
    thread, other = both(store)
    before = ev.EntityDependencyGraph(thread).to_json()
    found = {each.field: each for each in store.conflicts(thread)}
    assert sorted(found) == ["messages", "metadata", "title"]
    title = found["title"]
    assert (title.type_name, title.ecs_id) == ("ChatThread", thread.ecs_id)
    assert (title.base, title.mine, title.theirs) == ("a", "mine", "theirs")
    assert title.choices == found["metadata"].choices == ("mine", "theirs")
    assert found["messages"].choices == ("mine", "theirs", "both")
    assert ev.EntityDependencyGraph(thread).to_json() == before
    assert (thread.title, thread.version, said(thread)) == ("mine", 1, ["hello", "my words"])
    with pytest.raises(errors.MergeConflictError, match=r"store\.resolve\(\)") as caught:
        store.merge(thread)
    assert [each.field for each in caught.value.conflicts] == list(found)
    assert store.conflicts(other) == []
    assert store.conflicts([]) == []
    assert store.conflicts(store.get(thread.ecs_id)) == []


@pytest.mark.parametrize(
    ("side", "title", "words"),
    [
        ("mine", "mine", ["hello", "my words"]),
        ("theirs", "theirs", ["hello", "their words"]),
        (lambda each: each.choices[-1], "theirs", ["hello", "my words", "their words"]),
    ],
)
def test_a_side_is_chosen(store: Any, side: Any, title: str, words: list[str]) -> None:
    thread, _ = both(store)
    assert store.merge(thread, choose=side) is thread
    assert (thread.title, thread.source, thread.version) == (title, "elsewhere", 2)
    assert thread.metadata == {"k": 2 if side == "mine" else 1}
    assert said(thread) == words
    assert all(message.thread is thread for message in thread.messages)
    assert store.conflicts(thread) == []
    if "my words" in words and "their words" in words:
        store.register(thread)
        assert find_difference(store.get(thread.ecs_id), thread) is None
        assert len(store.verify()) == 0


def test_both_is_mine_without_what_they_took_out_and_with_what_they_added(store: Any) -> None:
    thread = ev.ChatThread(title="a")
    thread.messages += [
        ev.ChatMessage(thread=thread, role="user", content=str(n)) for n in range(4)
    ]
    store.register(thread)
    store.delete(store.get(thread.messages[1].ecs_id))
    other = store.get(thread.ecs_id)
    other.say("user", "theirs")
    store.register(other)
    thread.messages.reverse()
    (found,) = [each for each in store.conflicts(thread) if each.field == "messages"]
    assert [part.content for part in found.taken("both")] == ["3", "2", "0", "theirs"]


@pytest.mark.parametrize("choose", ["both", "other", 3, lambda _: "nothing", lambda _: None])
def test_what_is_no_choice_is_told(store: Any, choose: Any) -> None:
    thread, _ = both(store)
    with pytest.raises(errors.InvalidArgumentError, match="choice"):
        store.merge(thread, choose=choose)
    assert (thread.title, thread.version) == ("mine", 1)


def test_what_was_deleted_is_no_choice(store: Any) -> None:
    thread = store.register(ev.ChatThread(title="a"))
    message = thread.say("user", "hello")
    store.register(thread)
    store.delete(store.get(message.ecs_id))
    message.content = "changed"
    found = [each for each in store.conflicts(thread) if not each.field]
    assert [each.choices for each in found] == [()]
    with pytest.raises(errors.MergeConflictError, match="deleted in the store") as caught:
        store.merge(thread, choose="mine")
    assert "choose" not in str(caught.value), "it would not help"


class Shelf(ev.Entity):
    books: list[Pin] = ev.reference(inverse=None, default_factory=list)


def test_both_keeps_what_is_held_twice(store: Any) -> None:
    pins = [Pin(spot=Spot(n)) for n in range(3)]
    shelf = store.register(Shelf(books=pins[:2]))
    store.register(pins[2])
    other = store.get(shelf.ecs_id)
    shelf.books += [pins[0], pins[2]]
    other.books += [other.books[1], store.get(pins[2].ecs_id)]
    store.register(other)
    (found,) = store.conflicts(shelf)
    assert [pin.spot.x for pin in found.taken("both")] == [0, 1, 0, 2, 1]
    store.merge(shelf, choose=lambda _: "both")
    store.register(shelf)
    assert [pin.spot.x for pin in store.get(shelf.ecs_id).books] == [0, 1, 0, 2, 1]


def test_one_chooses_by_the_widget(store: Any) -> None:
    thread, _ = both(store)
    shown = store.resolve(thread)
    assert repr(shown) == "ConflictsExplorer(3 conflicts, 0 chosen)"
    fields = [each.field for each in shown.conflicts]
    with pytest.raises(errors.MergeConflictError, match="Not chosen yet: 3 conflicts"):
        shown.merge()
    shown.choose_all("theirs")
    shown.choose(fields.index("messages"), "both")
    shown.choose(fields.index("title"), "mine")
    assert sorted(shown.chosen) == ["both", "mine", "theirs"]
    for number, side in ((3, "mine"), (-1, "mine"), ("a", "mine"), (0, "nobody")):
        with pytest.raises(errors.InvalidArgumentError):
            shown.choose(number, side)
    with pytest.raises(errors.InvalidArgumentError):
        shown.choose_all("both")
    page = shown._repr_mimebundle_()["text/html"]
    assert all(text in page for text in ("my words", "their words", "as it was read"))
    assert shown.merge() is thread
    assert (thread.title, said(thread)) == ("mine", ["hello", "my words", "their words"])
    assert repr(shown) == "ConflictsExplorer(0 conflicts, 0 chosen)"
    assert shown.told == "Merged. Register it to save what came of it."
    store.register(thread)
    shown.close()


def test_what_others_save_meanwhile_is_not_chosen(store: Any) -> None:
    thread, other = both(store)
    shown = store.resolve(thread)
    shown.choose_all("mine")
    other = store.get(thread.ecs_id)
    other.title = "theirs again"
    store.register(other)
    with pytest.raises(errors.MergeConflictError, match="others have saved meanwhile"):
        shown.merge()
    assert thread.title == "mine"
    assert [each.theirs for each in shown.conflicts if each.field == "title"] == ["theirs again"]
    shown.choose_all("theirs")
    assert shown.merge().title == "theirs again"
    shown.close()


def test_values_are_compared_and_not_what_they_print(store: Any) -> None:
    pin = store.register(Pin(spot=Spot(1)))
    other = store.get(pin.ecs_id)
    other.spot, pin.spot = Spot(2), Spot(3)
    store.register(other)
    shown = store.resolve(pin)
    shown.choose(0, "theirs")
    assert shown.merge().spot == Spot(2)
    shown.close()


def test_nothing_to_choose_is_said(store: Any) -> None:
    thread = store.register(ev.ChatThread(title="a"))
    shown = store.resolve(thread)
    assert "nothing to choose" in shown._repr_mimebundle_()["text/html"]
    assert shown.merge() is thread
    shown.close()
    with pytest.raises(errors.EntityNotFoundError):
        store.resolve(ev.ChatThread(title="b"))


def test_hostile_texts_stay_texts(store: Any) -> None:
    thread = store.register(ev.ChatThread(title="a"))
    other = store.get(thread.ecs_id)
    other.title, thread.title = "<script>alert(1)</script>", "<img src=x onerror=alert(1)>"
    store.register(other)
    shown = store.resolve(thread)
    bits = [shown._repr_mimebundle_()["text/html"], shown._words.value]
    bits += [row.children[0].value for row in shown._rows.children]
    assert not any("<script" in each or "<img src=x" in each for each in bits)
    assert any("&lt;script&gt;" in each for each in bits)
    shown.close()


def test_what_others_have_deleted_does_not_come_back(store: Any) -> None:
    pins = [Pin(spot=Spot(n)) for n in range(3)]
    shelf = store.register(Shelf(books=pins))
    other = store.get(shelf.ecs_id)
    gone = other.books.pop()
    store.register(other)
    store.delete(gone)
    shelf.books.reverse()
    found = store.conflicts(shelf)
    assert "leads here to what was deleted in the store" in str(found[-1])
    assert found[-1].choices == ("theirs", "both")
    assert [pin.spot.x for pin in found[-1].taken("both")] == [1, 0]
    with pytest.raises(errors.MergeConflictError, match="deleted"):
        store.merge(shelf)
    with pytest.raises(errors.MergeConflictError, match="deleted"):
        store.merge(shelf, choose="mine")
    assert len(shelf.books) == 3
    shown = store.resolve(shelf)
    shown.choose_all("mine")
    with pytest.raises(errors.MergeConflictError):
        shown.merge()
    shown.choose_all("theirs")
    assert [pin.spot.x for pin in store.register(shown.merge()).books] == [0, 1]
    shown.close()


def test_what_is_deleted_does_not_come_back_inside_of_values(store: Any) -> None:
    board = store.register(
        Board(slot=Slot(pin=Pin(spot=Spot(1))), by_name={"a": Pin(spot=Spot(2))})
    )
    other = store.get(board.ecs_id)
    gone = [other.slot.pin, other.by_name.pop("a")]
    other.slot = Slot()
    store.register(other)
    for pin in gone:
        store.delete(pin)
    board.slot.number, board.by_name = 5, {"b": board.by_name["a"]}
    found = {each.field: each for each in store.conflicts(board)}
    assert [(name, found[name].choices) for name in sorted(found)] == [
        ("by_name", ("theirs",)),
        ("slot", ("theirs",)),
    ]
    with pytest.raises(errors.MergeConflictError, match="deleted"):
        store.merge(board, choose="mine")
    saved = store.register(store.merge(board, choose="theirs"))
    assert (saved.slot, saved.by_name, len(store)) == (Slot(), {}, 1)
