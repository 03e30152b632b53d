"""diff(): what differs between two states of a graph."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ecsviz as ev
from ecsviz import errors
from ecsviz.isomorphic import find_difference
from tests.conformance import classes as c
from tests.entity_graphs import FIELDS, graphs


class Holder(ev.Entity):
    name: str = ""
    items: list[ev.ChatThread] = []
    by: dict[str, ev.ChatThread] = {}
    bag: set[ev.ChatThread] = set()
    deep: list[list[ev.ChatThread]] = []
    one: ev.ChatThread | None = None


def said(found: ev.GraphDiff) -> list[tuple[str, str, str]]:
    return [(d.what, d.type_name, d.field) for d in found]


def two(edit: Callable[[Any], None], start: Any) -> ev.GraphDiff:
    before = copy.deepcopy(start)
    edit(start)
    found = ev.diff(before, start)
    assert bool(found) == (find_difference(before, start, versions=False) is not None)
    return found


def thread(*texts: str) -> ev.ChatThread:
    made = ev.ChatThread(title="Cycles")
    for text in texts:
        made.say("user", text)
    return made


def test_nothing_differs() -> None:
    one = thread("a", "b")
    found = ev.diff(one, copy.deepcopy(one))
    assert not found
    assert repr(found) == "GraphDiff: nothing differs"
    assert "nothing differs" in found._repr_html_()
    assert found.to_frame().empty
    copied = copy.deepcopy(one)
    copied.version = 7
    assert not ev.diff(one, copied), "a version is no state"


def test_an_edit_has_both_values() -> None:
    found = two(lambda t: setattr(t.messages[1], "content", "B"), thread("a", "b"))
    (item,) = found
    assert (item.what, item.field, item.before, item.after) == ("edited", "content", "b", "B")
    assert "content: 'b' → 'B'" in repr(found)


@pytest.mark.parametrize(("x", "y"), [(1, True), (0.0, -0.0), ([1], (1,)), ({"a": 1}, {"a": 1.0})])
def test_values_of_other_types_differ(x: Any, y: Any) -> None:
    class Box(ev.Entity):
        value: Any

    one = Box(value=x)
    assert said(two(lambda e: setattr(e, "value", y), one)) == [("edited", "Box", "value")]


def test_an_append_is_one_addition_with_its_place() -> None:
    one = thread("a")
    found = two(lambda t: t.say("user", "b", parent=None), one)
    assert [d.what for d in found] == ["added"]
    assert found.of("added")[0].after.endswith(".messages[1]")


def test_a_removal() -> None:
    one = thread("a", "b")
    found = two(lambda t: t.messages.pop(0), thread("a", "b"))
    assert ("removed", "ChatMessage", "") in said(found) or ("unlinked" in found.counts())
    alone = ev.diff([one, *one.messages], [one])
    assert not alone, "what can be reached from the roots is the same"


def test_reordering_is_told_as_reordering() -> None:
    one = thread("a", "b", "c")
    ids = [m.ecs_id for m in one.messages]
    found = two(lambda t: t.messages.reverse(), one)
    (item,) = found
    assert (item.what, item.type_name, item.field) == ("reordered", "ChatThread", "messages")
    assert (item.before, item.after) == (ids, ids[::-1])


def test_moved_between_holders() -> None:
    left, right, item = Holder(name="l"), Holder(name="r"), thread()
    left.items, right.items = [item], []

    def move(both: list[Holder]) -> None:
        both[1].items.append(both[0].items.pop())

    found = two(move, [left, right])
    assert said(found) == [("moved", "ChatThread", "items")]
    assert found.differences[0].before.endswith(f"{str(left.ecs_id)[-6:]}.items[0]")
    assert found.differences[0].after.endswith(f"{str(right.ecs_id)[-6:]}.items[0]")


def test_a_member_that_changes_its_list_is_told_once() -> None:
    one, other = thread("a"), thread("b")

    def move(both: list[ev.ChatThread]) -> None:
        message = both[0].messages.pop()
        message.thread = both[1]
        both[1].messages.append(message)

    assert said(two(move, [one, other])) == [("moved", "ChatMessage", "messages")]


def test_references_collections_and_nested_values() -> None:
    a, b = thread(), thread()
    start = Holder(items=[a, a], by={"x": a}, bag={a}, deep=[[a], [b]], one=a)

    def edit(h: Holder) -> None:
        first, second = h.items[0], h.deep[1][0]
        h.items = [first, second]
        h.by = {"y": first}
        h.bag = {first, second}
        h.deep = [[first, second], []]
        h.one = second

    found = two(edit, start)
    assert sorted(said(found)) == [
        ("edited", "Holder", "deep"),  # its inner lists have other lengths
        ("linked", "ChatThread", "bag"),
        ("linked", "ChatThread", "items"),
        ("moved", "ChatThread", "by"),
        ("moved", "ChatThread", "deep"),
        ("re-referenced", "Holder", "one"),
        ("unlinked", "ChatThread", "items"),
    ]
    item = found.of("re-referenced")[0]
    assert (item.before.ecs_id, item.after.ecs_id) == (a.ecs_id, b.ecs_id)


def test_nested_values_that_only_hold_another() -> None:
    a, b = thread(), thread()
    found = two(lambda h: setattr(h, "deep", [[h.items[1]]]), Holder(items=[a, b], deep=[[a]]))
    assert said(found) == [("linked", "ChatThread", "deep"), ("unlinked", "ChatThread", "deep")]


def test_another_container_of_the_same() -> None:
    start = Holder(items=[thread()])
    found = two(lambda h: setattr(h, "items", tuple(h.items)), start)
    assert said(found) == [("edited", "Holder", "items")]


def test_frame_and_html() -> None:
    one = thread("<script>alert(1)</script>")
    found = two(lambda t: setattr(t, "title", "<b>"), one)
    frame = found.to_frame()
    assert list(frame.columns) == ["what", "type", "ecs_id", "field", "before", "after"]
    assert frame["after"].tolist() == ["<b>"]
    assert frame["ecs_id"].tolist() == [one.ecs_id]
    assert "<b>" not in found._repr_html_()


def test_another_class_of_one_id() -> None:
    dog = c.Dog(name="Rex")
    cat = c.Animal(name="Rex", ecs_id=dog.ecs_id)
    assert said(ev.diff(dog, cat)) == [("retyped", "Animal", "")]


def test_what_was_left_out_is_not_compared() -> None:
    store = ev.SQLAlchemyEntityStorage(":memory:")
    whole = store.register(thread("a", "b"))
    part = store.get(whole.ecs_id, hops=0)
    assert not ev.diff(whole, part)
    part.title = "Rings"
    assert said(ev.diff(whole, part)) == [("edited", "ChatThread", "title")]


class Link(ev.Entity):
    name: str = ""
    next: Link | None = None
    other: Link | None = None


@pytest.mark.parametrize(
    "make", [ev.InMemoryEntityStorage, lambda: ev.SQLAlchemyEntityStorage(":memory:")]
)
def test_what_lies_beyond_a_part_is_not_compared(make: Any) -> None:
    """Of what only placeholders lead to, nobody knows whether it is there."""
    store = make()
    far = Link(name="far")
    whole = store.register(Link(next=Link(next=far, other=far)))
    part = store.get(whole.ecs_id, hops=0)
    assert not store.diff(part)
    assert not ev.diff(whole, part)
    assert not ev.diff(part, whole)
    part.other = Link(name="new")
    assert said(store.diff(part)) == [("added", "Link", ""), ("re-referenced", "Link", "other")]
    part.next = None
    removed = [d.ecs_id for d in store.diff(part) if d.what == "removed"]
    assert removed == [whole.next.ecs_id, far.ecs_id], "no placeholder leads there any more"
    whole.other = far
    assert [d.ecs_id for d in ev.diff(store.get(whole.ecs_id, hops=0), whole)][:1] == [far.ecs_id]


def test_another_family_is_told() -> None:
    one = thread()
    other = copy.deepcopy(one)
    other.parent_id = other.ecs_id
    assert said(ev.diff(one, other)) == [("edited", "ChatThread", "parent_id")]


def test_what_is_no_entity() -> None:
    with pytest.raises(errors.NotAnEntityError):
        ev.diff(1, thread())


@given(graph=graphs(), data=st.data())
def test_it_finds_a_difference_where_there_is_one(graph: list[Any], data: st.DataObject) -> None:
    nodes = [e for e in ev.EntityDependencyGraph(graph).nodes if type(e) is c.Node]
    before = copy.deepcopy(graph)
    assert not ev.diff(before, graph)
    node = data.draw(st.sampled_from(nodes))
    field = data.draw(st.sampled_from(sorted(FIELDS)))
    setattr(node, field, data.draw(FIELDS[field](st.sampled_from(nodes))))
    differs = find_difference(before, graph, versions=False) is not None
    assert bool(ev.diff(before, graph)) == differs


def test_a_long_chain_takes_no_recursion() -> None:
    first = last = c.Node(name="0")
    for number in range(1, 20_000):
        last.me = last = c.Node(name=str(number))
    copied = copy.deepcopy(first)
    assert not ev.diff(first, copied)
    last.name = "end"
    assert said(ev.diff(copied, first)) == [("edited", "Node", "name")]


def test_the_order_of_keys_is_told() -> None:
    a, b = thread(), thread()
    start = Holder(by={"x": a, "y": b})
    found = two(lambda h: setattr(h, "by", {"y": h.by["y"], "x": h.by["x"]}), start)
    assert said(found) == [("edited", "Holder", "by")]
