"""What DESIGN calls the meaning: explicit, versions, conflicts, one transaction, inverse lists."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import ecsviz as ev
from ecsviz import errors
from ecsviz.isomorphic import find_difference
from tests.conformance import classes as c
from tests.conformance.conftest import Open


def same(reopen: Open, entity: Any) -> None:
    assert find_difference(entity, reopen().get(entity.ecs_id)) is None


def test_nothing_is_stored_before_register(reopen: Open) -> None:
    node = c.Node()
    store = reopen()
    assert not store.has_entity(node.ecs_id)
    assert node.version == 0
    assert store.register(node) is node
    assert reopen().has_entity(node.ecs_id)
    assert node.version == 1


def test_an_unchanged_graph_keeps_its_versions(reopen: Open) -> None:
    thread = reopen().register(c.thread())
    reopen().register(thread)
    again = reopen().register(reopen().get(thread.ecs_id))
    assert again.version == 1
    assert [m.version for m in again.messages] == [1, 1, 1]


def test_only_what_changed_gets_a_version(reopen: Open) -> None:
    thread = reopen().register(c.thread())
    thread.messages[1].text = "edited"
    reopen().register(thread)
    assert (thread.version, [m.version for m in thread.messages]) == (1, [1, 2, 1])
    thread.title = "new"
    reopen().register(thread)
    assert (thread.version, [m.version for m in thread.messages]) == (2, [1, 2, 1])
    same(reopen, thread)


@pytest.mark.parametrize(
    "field",
    ["next", "links", "row", "group", "by_name", "by_pair", "lists", "grid", "optional", "pair"],
)
def test_a_changed_reference_is_a_change_of_its_holder(reopen: Open, field: str) -> None:
    a, b = c.Node(name="a"), c.Node(name="b")
    values: dict[str, list[Any]] = {
        "next": [a, b, None],
        "links": [[a, b], [b, a], [b], [b, b, a], []],
        "row": [(a,), (a, b), ()],
        "group": [{a}, {a, b}, {b}],
        "by_name": [{"x": a, "y": b}, {"y": b, "x": a}, {"y": a}, {}],
        "by_pair": [{(1, "x"): a}, {(2, "x"): a}],
        "lists": [{"x": [a]}, {"x": [a, b]}, {"x": [], "y": []}],
        "grid": [[[a]], [[a, None]], [[], [a]], []],
        "optional": [None, [], [a]],
        "pair": [(a, 1), (a, 2), (b, 2), None],
    }
    node = c.Node(links=[a, b])
    for version, value in enumerate(values[field], 1):
        setattr(node, field, value)
        reopen().register([node, a, b])
        assert node.version == version
        assert (a.version, b.version) == (1, 1)
        same(reopen, node)


def test_removing_a_child_keeps_the_child(reopen: Open) -> None:
    node = c.Node(links=[c.Node(name="child")])
    child = node.links[0]
    reopen().register(node)
    node.links.clear()
    reopen().register(node)
    assert reopen().get(node.ecs_id).links == []
    assert reopen().get(child.ecs_id).name == "child"


# -- lists that a back-reference says ---------------------------------------------------------


def test_append_prepend_insert_and_reorder(reopen: Open) -> None:
    thread = reopen().register(c.thread(4))
    steps: list[Any] = [
        lambda m: m.append(c.Message(thread=thread, text="last")),
        lambda m: m.insert(0, c.Message(thread=thread, text="first")),
        lambda m: m.insert(3, c.Message(thread=thread, text="middle")),
        lambda m: m.reverse(),
        lambda m: m.append(m.pop(2)),
        lambda m: m.extend(c.Message(thread=thread, text=str(n)) for n in range(3)),
    ]
    for number, step in enumerate(steps, 2):
        step(thread.messages)
        reopen().register(thread)
        assert thread.version == number
        assert all(message.version == 1 for message in thread.messages)
        same(reopen, thread)


def test_a_message_moves_to_another_thread(reopen: Open) -> None:
    one, two = c.Thread(title="one"), c.Thread(title="two")
    message = c.Message(thread=one)
    one.messages = [message, c.Message(thread=one, text="stays")]
    reopen().register([one, two])
    one.messages.remove(message)
    two.messages.append(message)
    message.thread = two
    reopen().register([one, two])
    assert (one.version, two.version, message.version) == (2, 2, 2)
    same(reopen, one)
    same(reopen, two)


def test_a_message_moves_to_a_thread_of_another_class(reopen: Open) -> None:
    """Both threads are the first of their class, and so may have the same number."""
    one, two = c.thread(2), c.Archive(title="two")
    two.messages.append(c.Message(thread=two, text="goes"))
    reopen().register([one, two])
    message, other = one.messages.pop(), two.messages.pop()
    message.thread, other.thread = two, one
    two.messages, one.messages = [message], [*one.messages, other]
    reopen().register([two])  # the thread that loses it is led to by the other message's parent
    assert (two.version, message.version) == (2, 2)
    assert reopen().get(one.ecs_id).messages == one.messages
    assert reopen().get(two.ecs_id).messages == [message]
    assert reopen().verify().empty


def test_a_message_taken_from_a_thread_that_is_not_at_hand(reopen: Open) -> None:
    one, two = c.Thread(title="one"), c.Thread(title="two")
    one.messages = [c.Message(thread=one, text="moves"), c.Message(thread=one, text="stays")]
    reopen().register([one, two])
    stale = reopen().get(one.ecs_id)
    message, target = reopen().get_many([one.messages[0].ecs_id, two.ecs_id])
    message.thread.messages.remove(message)
    message.thread = target
    target.messages.append(message)
    reopen().register(target)  # the first thread is reached by nothing in this graph
    assert [m.text for m in reopen().get(one.ecs_id).messages] == ["stays"]
    assert [m.text for m in reopen().get(two.ecs_id).messages] == ["moves"]
    stale.title = "late"
    with pytest.raises(errors.StaleVersionError):
        reopen().register(stale)


@pytest.mark.parametrize("with_the_old", [True, False])
def test_a_member_moves_to_a_list_of_another_class(reopen: Open, with_the_old: bool) -> None:
    """Both lists are the first of their class: their rows have the same number."""
    thread, archive = c.Thread(), c.Archive()
    message = c.Message(thread=thread)
    thread.messages = [message]
    reopen().register([thread, archive])
    thread.messages, message.thread, archive.messages = [], archive, [message]
    reopen().register([thread, archive] if with_the_old else archive)
    old, new = reopen().get(thread.ecs_id), reopen().get(archive.ecs_id)
    assert (old.version, old.messages) == (2, [])
    assert (new.version, new.messages) == (2, [message])


def test_subclasses_stand_in_the_list_too(reopen: Open) -> None:
    thread = c.Thread()
    thread.messages = [
        c.Message(thread=thread, text="a"),
        c.Report(thread=thread, text="b", pages=3),
        c.Message(thread=thread, text="c"),
    ]
    reopen().register(thread)
    again = reopen().get(thread.ecs_id)
    assert [type(m) for m in again.messages] == [c.Message, c.Report, c.Message]
    same(reopen, thread)
    thread.messages.insert(1, thread.messages.pop(0))
    reopen().register(thread)
    same(reopen, thread)


@pytest.mark.parametrize(
    ("break_it", "places"),
    [
        (
            lambda t: setattr(t.messages[0], "thread", c.Thread()),
            ("Thread.messages[0]", "Message.thread"),
        ),
        (lambda t: t.messages.append(t.messages[0]), ("Thread.messages[0]", "Thread.messages[3]")),
        (
            lambda t: t.messages[0].replies.append(c.Message(thread=t)),
            ("Message.replies[1]", "Message.parent"),
        ),
        (
            lambda t: setattr(t.messages[2], "parent", c.Message(thread=t.messages[0].thread)),
            ("Message.replies", "Message.parent"),
        ),
    ],
)
def test_lists_and_back_references_must_agree(reopen: Open, break_it: Any, places: Any) -> None:
    thread = c.thread()
    break_it(thread)
    with pytest.raises(errors.InverseMismatchError) as caught:
        reopen().register(thread)
    assert all(place in str(caught.value) for place in places)
    assert not reopen().has_entity(thread.ecs_id)
    assert thread.version == 0


# -- conflicts -------------------------------------------------------------------------------


def test_a_stale_entity_is_refused_and_nothing_is_written(reopen: Open) -> None:
    thread = reopen().register(c.thread())
    mine, theirs = reopen().get(thread.ecs_id), reopen().get(thread.ecs_id)
    theirs.messages[0].text = "theirs"
    reopen().register(theirs)
    mine.messages[0].text = "mine"
    mine.messages[1].text = "also mine"
    with pytest.raises(errors.StaleVersionError) as caught:
        reopen().register(mine)
    assert (caught.value.version, caught.value.stored_version) == (1, 2)
    assert caught.value.ecs_id == mine.messages[0].ecs_id
    assert [m.text for m in reopen().get(thread.ecs_id).messages] == ["theirs", "1", "2"]
    assert mine.messages[1].version == 1


def test_two_appends_at_once_lose_nothing(reopen: Open) -> None:
    thread = reopen().register(c.thread(1))
    mine, theirs = reopen().get(thread.ecs_id), reopen().get(thread.ecs_id)
    theirs.messages.append(c.Message(thread=theirs, text="theirs"))
    reopen().register(theirs)
    mine.messages.append(c.Message(thread=mine, text="mine"))
    with pytest.raises(errors.StaleVersionError):
        reopen().register(mine)
    assert [m.text for m in reopen().get(thread.ecs_id).messages] == ["0", "theirs"]


def test_a_deleted_entity_does_not_come_back_unnoticed(reopen: Open) -> None:
    node = reopen().register(c.Node(name="x"))
    copy = reopen().get(node.ecs_id)
    reopen().delete(node)
    copy.name = "y"
    says = r"deleted in revision 2 \(at version 1\); this one was read at version 1"
    with pytest.raises(errors.StaleVersionError, match=says) as caught:
        reopen().register(copy)
    told = caught.value
    assert (told.version, told.stored_version, told.revision) == (1, None, 2)
    assert not reopen().has_entity(node.ecs_id)


def test_an_entity_of_another_lineage_is_refused(reopen: Open) -> None:
    node = reopen().register(c.Node())
    stored, node.lineage_id = node.lineage_id, c.Node().ecs_id
    with pytest.raises(errors.LineageError) as caught:
        reopen().register(node)
    assert (caught.value.lineage_id, caught.value.stored) == (node.lineage_id, stored)


def test_an_import_of_known_ids_updates(reopen: Open) -> None:
    """Version 0 claims nothing about the stored state: a longer export replaces a shorter one."""
    first = c.thread(2)
    reopen().register(first)
    second = c.Thread(ecs_id=first.ecs_id, title=first.title)
    for old in first.messages:
        second.messages.append(c.Message(ecs_id=old.ecs_id, thread=second, text=old.text))
    second.messages[1].parent = second.messages[0]
    second.messages[0].replies = [second.messages[1]]
    reopen().register(second)
    assert (second.version, [m.version for m in second.messages]) == (1, [1, 1])
    second.messages.append(c.Message(thread=second, text="more"))
    for entity in (second, *second.messages):
        entity.version = 0
    reopen().register(second)
    assert (second.version, [m.version for m in second.messages]) == (2, [1, 1, 1])


def test_a_version_from_another_store_is_kept(reopen: Open) -> None:
    other = ev.SQLAlchemyEntityStorage(":memory:")
    node = other.register(c.Node(name="a"))
    node.name = "b"
    other.register(node)
    reopen().register(node)
    assert node.version == 2
    assert reopen().get(node.ecs_id).version == 2


@pytest.mark.parametrize("version", [-1, 2**31 - 1, 2**70, True, "1", None])
def test_what_is_no_version(reopen: Open, version: Any) -> None:
    nodes = [c.Node(name="a"), c.Node(name="b")]
    nodes[1].__dict__["version"] = version
    with pytest.raises(errors.ValueNotStorableError) as caught:
        reopen().register(nodes)
    assert (caught.value.ecs_id, caught.value.field) == (nodes[1].ecs_id, "version")
    assert reopen().list_by_type(c.Node) == []
    nodes[1].__dict__["version"] = 2**31 - 2  # the last one that can change once more
    reopen().register(nodes)
    assert reopen().get(nodes[1].ecs_id).version == 2**31 - 2
    nodes[1].name = "c"
    assert reopen().register(nodes[1]).version == 2**31 - 1


def test_registering_nothing_is_nothing(reopen: Open) -> None:
    assert reopen().register([]) == []
    assert reopen().revisions().empty
    assert reopen().verify().empty


# -- deleting --------------------------------------------------------------------------------


def test_what_something_refers_to_cannot_be_deleted(reopen: Open) -> None:
    thread = reopen().register(c.thread())
    for victims in (thread, thread.messages[0], [thread, *thread.messages[:2]]):
        with pytest.raises(errors.BrokenReferenceError):
            reopen().delete(victims)
        same(reopen, thread)
    node = c.Node(by_name={"x": c.Node()})
    reopen().register(node)
    with pytest.raises(errors.BrokenReferenceError, match=r"Node\.by_name"):
        reopen().delete(node.by_name["x"])


@pytest.mark.parametrize("make", [c.thread, c.mutual, lambda: c.Node(links=[c.Node(), c.Node()])])
def test_a_whole_graph_is_deleted(reopen: Open, make: Any) -> None:
    entity = reopen().register(make())
    everything = ev.EntityDependencyGraph(entity).nodes
    keep = reopen().register(c.Node(name="stays"))
    reopen().delete(everything)
    assert not any(reopen().has_entity(e.ecs_id) for e in everything)
    assert reopen().list_by_type(c.Node) == [keep]


def test_deleting_by_id_and_what_is_not_there(reopen: Open) -> None:
    node = reopen().register(c.Node())
    reopen().delete(str(node.ecs_id))
    for missing in (node, node.ecs_id, c.Node()):
        with pytest.raises(errors.EntityNotFoundError):
            reopen().delete(missing)
    reopen().delete([])


# -- bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [3, "text", None, object(), [1], [c.Node(), "x"], {"a": 1}])
def test_not_an_entity(reopen: Open, value: Any) -> None:
    if value == "text":
        with pytest.raises(errors.InvalidIdError):
            reopen().register(value)
        return
    with pytest.raises(errors.NotAnEntityError):
        reopen().register(value)


@pytest.mark.parametrize("value", ["", "123", 5, None])
def test_malformed_ids(reopen: Open, value: Any) -> None:
    for ask in (
        reopen().get,
        reopen().has_entity,
        reopen().delete,
        reopen().get_lineage_entities,
        lambda v: reopen().get_many([v]),
    ):
        if value is None and ask == reopen().delete:
            continue
        with pytest.raises((errors.InvalidIdError, TypeError)):
            ask(value)


def test_unknown_ids_suggest_the_closest(reopen: Open) -> None:
    node = reopen().register(c.Node())
    text = str(node.ecs_id)
    wrong = text[:-1] + ("0" if text[-1] != "0" else "1")
    with pytest.raises(errors.EntityNotFoundError) as caught:
        reopen().get(wrong)
    assert text in str(caught.value)
    assert isinstance(caught.value, KeyError)


def test_expected_type(reopen: Open) -> None:
    dog = reopen().register(c.Dog())
    assert reopen().get(dog.ecs_id, c.Animal) == dog
    with pytest.raises(errors.UnknownTypeError, match="is a Dog, not a Stone"):
        reopen().get(dog.ecs_id, c.Stone)


def test_two_objects_with_one_id(reopen: Open) -> None:
    one = c.Node(name="one")
    two = c.Node(ecs_id=one.ecs_id, name="two")
    with pytest.raises(errors.DuplicateIdError) as caught:
        reopen().register(c.Node(links=[one], next=two))
    assert {"Node.links[0]", "Node.next"} == set(caught.value.places)


def test_one_id_for_two_types(reopen: Open) -> None:
    node = reopen().register(c.Node())
    with pytest.raises(errors.DuplicateIdError, match="Stone"):
        reopen().register(c.Stone(ecs_id=node.ecs_id))
    assert type(reopen().get(node.ecs_id)) is c.Node


class Loose(ev.Entity):
    anything: Any = None


class Keyed(ev.Entity):
    by_entity: dict[c.Node, int] = {}


class Open_(ev.Entity):  # noqa: N801 - Open is the fixture's type
    model_config = {"extra": "allow"}
    name: str = ""


@pytest.mark.parametrize(
    ("entity", "names"),
    [
        (Loose(anything=c.Node()), "Loose.anything"),
        (Loose(anything={"deep": [c.Node()]}), "Loose.anything"),
        (Keyed(), "Keyed.by_entity"),
        (Open_(), "Open_"),
    ],
)
def test_fields_that_cannot_be_stored(reopen: Open, entity: Any, names: str) -> None:
    with pytest.raises(errors.UnsupportedFieldError) as caught:
        reopen().register([c.Stone(), entity])
    assert names in str(caught.value)
    assert not reopen().has_entity(entity.ecs_id)
    assert reopen().list_by_type(c.Stone) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("integer", "5"),
        ("text", 5),
        ("text", None),
        ("text", c.Level.LOW),
        ("colour", "red"),
        ("boolean", 1),
        ("at", "2024-01-01"),
        ("raw", "x"),
        ("anything", object()),
        ("anything", lambda: None),
        ("listed", [object()]),
        ("point", {"x": 1}),
    ],
)
def test_values_that_do_not_fit_their_field(reopen: Open, field: str, value: Any) -> None:
    entity = c.Values()
    object.__setattr__(entity, field, value)
    good = c.Values(text="good")
    with pytest.raises(errors.ValueNotStorableError) as caught:
        reopen().register([good, entity])
    assert f"Values (given).{field}" in str(caught.value) or f"Values.{field}" in str(caught.value)
    assert caught.value.ecs_id == entity.ecs_id
    assert not reopen().has_entity(good.ecs_id)
    assert (good.version, entity.version) == (0, 0)


@pytest.mark.parametrize(
    ("make", "field", "value", "error"),
    [
        (lambda: c.Shelf(keeper=c.Animal()), "keeper", None, errors.ValueNotStorableError),
        (c.Node, "next", "text", errors.NotAnEntityError),
        (c.Node, "links", None, errors.ValueNotStorableError),
        (c.Node, "links", (), errors.ValueNotStorableError),
        (c.Node, "links", {}, errors.NotAnEntityError),
        (c.Node, "by_name", [], errors.NotAnEntityError),
        (c.Node, "grid", None, errors.ValueNotStorableError),
    ],
)
def test_what_is_no_reference(
    reopen: Open, make: Any, field: str, value: Any, error: type[Exception]
) -> None:
    entity = make()
    setattr(entity, field, value)
    with pytest.raises(error, match=field):
        reopen().register(entity)


@pytest.mark.parametrize("field", ["name", "next", "links"])
def test_a_field_that_was_never_set(reopen: Open, field: str) -> None:
    node = c.Node()
    del node.__dict__[field]
    with pytest.raises(errors.ValueNotStorableError, match="never set"):
        reopen().register(node)


# -- classes that are defined anew -----------------------------------------------------------


def test_a_cell_that_is_run_again(reopen: Open) -> None:
    def cell() -> Any:
        class Page(ev.Entity):
            number: int = 0
            next: Page | None = None

        Page.model_rebuild(_types_namespace={"Page": Page})
        return Page

    first = cell()
    page = reopen().register(first(number=1))
    second = cell()
    again = reopen().get(page.ecs_id)
    assert type(again) is second
    newer = second(number=2, next=page)  # old and new instances hold each other
    store = reopen()
    store.register(newer)
    assert store.get(newer.ecs_id).next.number == 1
    assert type(store.get(newer.ecs_id).next) is second


def test_the_protocol_holds(store: Any) -> None:
    assert isinstance(store, ev.EntityStorage)


@pytest.mark.parametrize(
    ("field", "before", "after"),
    [("integer", 2**70, 2**70 + 1), ("text", "a\0b", "a\ufffdb"), ("floating", 1, 1.0)],
)
def test_a_change_that_no_column_shows(reopen: Open, field: str, before: Any, after: Any) -> None:
    """The columns of both states are alike: the difference is in what stands beside them."""
    entity = reopen().register(c.Values(**{field: 0 if field != "text" else ""}))
    setattr(entity, field, before)
    reopen().register(entity)
    setattr(entity, field, after)
    assert reopen().register(entity).version == 3
    found = getattr(reopen().get(entity.ecs_id), field)
    assert (found, type(found)) == (after, type(after))


def test_a_key_of_another_type_is_a_change(reopen: Open) -> None:
    a = c.Node(name="a")
    node = reopen().register(c.Node(by_either={1: a}))
    node.by_either = {"1": a}
    assert reopen().register(node).version == 2
    assert list(reopen().get(node.ecs_id).by_either) == ["1"]


def test_an_entity_of_another_class_is_a_change(reopen: Open) -> None:
    """Both are the first of their class, and so may have the same number in the database."""
    dog, stone, keeper = c.Dog(), c.Stone(), c.Animal()
    shelf = reopen().register(c.Shelf(keeper=keeper, top=dog, things=[dog]))
    reopen().register(stone)
    shelf.things = [stone]
    assert reopen().register(shelf).version == 2
    shelf.top = stone
    assert reopen().register(shelf).version == 3
    again = reopen().get(shelf.ecs_id)
    assert (again.things, again.top) == ([stone], stone)


def test_every_change_is_a_revision(reopen: Open) -> None:
    assert reopen().revisions().empty
    began = pd.Timestamp.now("UTC") - pd.Timedelta(minutes=1)
    first, second = reopen().register([c.Node(name="a"), c.Node(name="b")], note="two nodes")
    reopen().register([first, second], note="nothing new")
    first.name = "c"
    reopen().register([first, second, c.Node()])
    reopen().delete(second)
    found = reopen().revisions()
    assert list(found.columns) == ["revision", "at", "note", "added", "changed", "deleted"]
    assert found["revision"].tolist() == [1, 2, 3]
    assert found["note"].isna().tolist() == [False, True, True]
    assert found["note"][0] == "two nodes"
    counts = found[["added", "changed", "deleted"]].to_numpy().tolist()
    assert counts == [[2, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert str(found["at"].dtype) == "datetime64[us, UTC]"
    assert found["at"].is_monotonic_increasing
    assert found["at"].between(began, pd.Timestamp.now("UTC") + pd.Timedelta(minutes=1)).all()
    assert found.dtypes.equals(reopen().revisions().iloc[:0].dtypes)


@pytest.mark.parametrize("note", ["a\0b", "a\ud800", 7, b"bytes"])
def test_a_note_that_no_database_holds_is_refused(store: ev.EntityStorage, note: Any) -> None:
    thread = ev.ChatThread(title="x")
    with pytest.raises(errors.InvalidArgumentError, match="note"):
        store.register(thread, note=note)
    assert not store.has_entity(thread.ecs_id)
    assert thread.version == 0
    store.register(thread, note="ok 😀")
    assert store.revisions()["note"].tolist() == ["ok 😀"]


def test_a_closed_storage_says_so(reopen: Open) -> None:
    with reopen() as store:
        node = store.register(c.Node())
        assert store.get(node.ecs_id) == node
    store.close()
    uses = (
        lambda: store.get(node.ecs_id),
        lambda: store.register(node),
        lambda: store.has_entity(node.ecs_id),
        lambda: store.delete(node),
        store.revisions,
        store.__enter__,
    )
    for use in uses:
        with pytest.raises(errors.StorageClosedError, match="was closed"):
            use()
