"""Partial reading: a neighbourhood, with placeholders for what was left out."""

from __future__ import annotations

import copy
import itertools
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import ecsviz as ev
from ecsviz import errors
from ecsviz.domain.objects import is_placeholder
from ecsviz.isomorphic import find_difference
from tests.conformance import classes as c
from tests.conformance.conftest import Open


def chain(length: int) -> list[c.Node]:
    nodes = [c.Node(name=str(n)) for n in range(length)]
    for a, b in itertools.pairwise(nodes):
        a.next = b
    return nodes


@pytest.mark.parametrize("hops", [0, 1, 3, 4, 5, 20])
def test_hops_say_how_far_is_read(reopen: Open, hops: int) -> None:
    nodes = chain(12)
    reopen().register(nodes[0])
    read: Any = reopen().get(nodes[0].ecs_id, hops=hops)
    for n in range(min(hops + 1, 12)):
        assert (read.name, is_placeholder(read)) == (str(n), False)
        read = read.next
    assert (read is None) == (hops >= 11)
    assert read is None or (is_placeholder(read) and read == nodes[hops + 1])


def test_none_reads_all(reopen: Open) -> None:
    thread = reopen().register(c.thread())
    assert find_difference(thread, reopen().get(thread.ecs_id, hops=None, only=None)) is None
    assert find_difference(thread, reopen().get(thread.ecs_id, hops=9)) is None
    assert find_difference(thread, reopen().get(thread.ecs_id, only=[ev.Entity])) is None


def test_a_placeholder_says_what_it_stands_for(reopen: Open) -> None:
    thread = reopen().register(c.thread())
    part = reopen().get(thread.ecs_id, hops=0)
    assert part.title == thread.title
    assert part.messages == thread.messages, "identity and order are known"
    message = part.messages[1]
    assert type(message) is c.Message
    assert "not loaded" in repr(message)
    with pytest.raises(errors.NotLoadedError, match=r"Message\.text is not here") as caught:
        _ = message.text
    assert caught.value.ecs_id == message.ecs_id
    assert caught.value.type_name == "Message"
    with pytest.raises(AttributeError, match="no attribute 'txet'"):
        _ = message.txet
    for use in (message.fork, message.model_dump, part.model_dump, part.model_dump_json):
        with pytest.raises(errors.NotLoadedError):
            use()


def test_placeholders_are_copied_as_such(reopen: Open) -> None:
    thread = reopen().register(c.thread())
    part = reopen().get(thread.ecs_id, hops=0)
    for copied in (copy.deepcopy(part), pickle.loads(pickle.dumps(part))):
        assert all(is_placeholder(message) for message in copied.messages)


def test_only_reads_classes_and_their_subclasses(reopen: Open) -> None:
    dog = c.Dog(name="Rex", friend=c.Animal(name="Cat"))
    shelf = c.Shelf(keeper=dog, things=[c.Stone(weight=1.0), dog])
    reopen().register(shelf)
    part = reopen().get(shelf.ecs_id, only=[c.Animal])
    assert (part.keeper.name, part.keeper.friend.name) == ("Rex", "Cat")
    assert [is_placeholder(thing) for thing in part.things] == [True, False]
    assert part.things[1] is part.keeper
    thread = reopen().register(c.thread())
    part = reopen().get(thread.ecs_id, only=[c.Thread])
    assert part.messages == thread.messages
    assert all(map(is_placeholder, part.messages))
    part = reopen().get(shelf.ecs_id, only=[])
    assert [is_placeholder(e) for e in (part, part.keeper, *part.things)] == [False, *[True] * 3]


def test_the_graph_of_a_part(reopen: Open) -> None:
    thread = reopen().register(c.thread())
    part = reopen().get(thread.ecs_id, hops=0)
    graph = ev.EntityDependencyGraph(part)
    assert len(graph.nodes) == 4
    assert len(graph.references) == 3
    assert graph.nodes_frame().shape[0] == 4
    assert len(graph.draw().figure.axes) == 1
    assert "Message" in graph._repr_html_()


def test_every_reader_takes_them(reopen: Open) -> None:
    nodes = chain(3)
    reopen().register(nodes[0])
    one, two = reopen().get_many([nodes[0].ecs_id, nodes[1].ecs_id], hops=0)
    assert one.next is two
    assert is_placeholder(two.next)


def test_registering_a_part_leaves_the_rest(reopen: Open) -> None:
    thread = reopen().register(c.thread())
    part = reopen().get(thread.ecs_id, hops=0)
    assert reopen().register(part).version == 1, "nothing has changed"
    part.title = "renamed"
    assert reopen().register(part).version == 2
    assert all(is_placeholder(message) for message in part.messages)
    thread.title = "renamed"
    again = reopen().get(thread.ecs_id)
    assert [m.text for m in again.messages] == [m.text for m in thread.messages]
    assert [m.version for m in again.messages] == [1, 1, 1]


def test_a_member_read_without_its_holder(reopen: Open) -> None:
    thread = reopen().register(c.thread())
    message = reopen().get(thread.messages[1].ecs_id, hops=0)
    assert is_placeholder(message.thread)
    message.text = "edited"
    assert reopen().register(message).version == 2
    again = reopen().get(thread.ecs_id)
    assert [m.text for m in again.messages] == [
        "edited" if n == 1 else m.text for n, m in enumerate(thread.messages)
    ]
    assert again.version == 1


def test_a_list_of_placeholders_grows_and_shrinks(reopen: Open) -> None:
    thread = reopen().register(c.thread())
    texts = [m.text for m in thread.messages]
    part = reopen().get(thread.ecs_id, hops=0)
    part.messages.insert(1, c.Message(thread=part, text="new"))
    reopen().register(part)
    assert [m.text for m in reopen().get(thread.ecs_id).messages] == [texts[0], "new", *texts[1:]]
    part = reopen().get(thread.ecs_id, hops=0)
    part.messages.reverse()
    reopen().register(part)
    assert [m.text for m in reopen().get(thread.ecs_id).messages] == [
        *texts[:0:-1],
        "new",
        texts[0],
    ]


def test_collections_of_placeholders_change(reopen: Open) -> None:
    a, b, d = c.Node(name="a"), c.Node(name="b"), c.Node(name="d")
    top = c.Node(name="top", links=[a, b, a], by_name={"x": a, "y": b}, group={a}, grid=[[a, None]])
    reopen().register([top, d])
    part = reopen().get(top.ecs_id, hops=0)
    assert (part.links, part.by_name, part.group) == ([a, b, a], {"x": a, "y": b}, {a})
    assert part.grid == [[a, None]]
    part.links = [part.links[1], d, part.links[0]]
    part.by_name = {"y": part.by_name["x"]}
    d.version = 1
    reopen().register(part)
    again = reopen().get(top.ecs_id)
    assert [node.name for node in again.links] == ["b", "d", "a"]
    assert {key: node.name for key, node in again.by_name.items()} == {"y": "a"}


def test_what_was_set_on_a_placeholder_is_refused(reopen: Open) -> None:
    thread = reopen().register(c.thread())
    part = reopen().get(thread.ecs_id, hops=0)
    with pytest.raises(errors.NotLoadedError, match=r"Message\.text is not here.*was left out"):
        part.messages[0].text = "mine"
    assert is_placeholder(part.messages[0])
    reopen().register(part)
    assert find_difference(thread, reopen().get(thread.ecs_id)) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda part, rest: c.Message(thread=rest.messages[0].thread, text="new"),
        lambda part, rest: [part.messages.append(rest.thread_placeholder), part][1],
    ],
    ids=["a new member of a list that was left out", "a member that was left out"],
)
def test_changes_that_need_what_was_left_out(
    reopen: Open, change: Callable[[Any, Any], Any]
) -> None:
    first, second = c.thread(), c.thread()
    reopen().register([first, second])
    part = reopen().get(first.ecs_id, hops=0)

    class Rest:
        messages = [reopen().get(second.messages[0].ecs_id, hops=0)]
        thread_placeholder = reopen().get(second.ecs_id, hops=0).messages[0]

    given = change(part, Rest)
    with pytest.raises(errors.NotLoadedError, match="would have to change too"):
        reopen().register(given)
    assert find_difference(first, reopen().get(first.ecs_id)) is None
    assert find_difference(second, reopen().get(second.ecs_id)) is None


def test_a_member_moves_away_from_a_holder_that_was_left_out(reopen: Open) -> None:
    first, second = c.thread(), c.thread()
    reopen().register([first, second])
    message = reopen().get(first.messages[0].ecs_id, hops=0)
    target = reopen().get(second.ecs_id)
    target.messages.append(message)
    message.thread = target
    reopen().register(target)
    assert [m.text for m in reopen().get(first.ecs_id).messages] == [
        m.text for m in first.messages[1:]
    ]
    assert reopen().get(second.ecs_id).messages[-1] == message
    assert reopen().get(first.ecs_id).version == 2


def test_a_placeholder_of_what_is_gone(reopen: Open) -> None:
    nodes = chain(2)
    reopen().register(nodes[0])
    part = reopen().get(nodes[0].ecs_id, hops=0)
    nodes[0].next = None
    reopen().register(nodes[0])
    reopen().delete(nodes[1])
    with pytest.raises(errors.BrokenReferenceError, match="is not stored here"):
        reopen().register([c.Node(name="x", next=part.next)])


def test_a_placeholder_in_another_storage(reopen: Open) -> None:
    nodes = chain(2)
    reopen().register(nodes[0])
    part = reopen().get(nodes[0].ecs_id, hops=0)
    for other in (ev.InMemoryEntityStorage(), ev.SQLAlchemyEntityStorage(":memory:")):
        with pytest.raises(errors.BrokenReferenceError, match="is not stored here"):
            other.register(part)


@pytest.mark.parametrize("hops", [-1, True, "1", 1.5])
def test_no_number_of_hops(reopen: Open, hops: Any) -> None:
    with pytest.raises(errors.InvalidArgumentError, match="whole number"):
        reopen().get(c.Node().ecs_id, hops=hops)
    with pytest.raises(errors.NotAnEntityError):
        reopen().get(c.Node().ecs_id, only=[int])
