"""The past, on every storage: as_of, history, revert, diff, refresh, merge, prune."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import cached_property
from typing import Any
from uuid import UUID, uuid4

import networkx as nx
import pytest

import ecsviz as ev
from ecsviz import errors
from ecsviz.isomorphic import find_difference
from tests.conformance import classes as c
from tests.conformance.conftest import Open


def texts(thread: Any) -> list[str]:
    return [message.text for message in thread.messages]


def story(reopen: Open) -> Any:
    """Four revisions of a thread: as it was, edited, reordered, shortened."""
    thread = reopen().register(c.thread(3), note="first")
    thread.messages[0].text = "edited"
    reopen().register(thread)
    thread.messages.reverse()
    reopen().register(thread)
    gone = thread.messages.pop(1)
    gone.thread = c.thread(0)
    gone.thread.messages.append(gone)
    reopen().register([thread, gone.thread], note="moved out")
    return thread


def test_every_revision_reads_as_it_was(reopen: Open) -> None:
    thread = c.thread(3)
    kept = [reopen().register(thread).model_copy(deep=True)]
    for change in ("edited", "again", "last"):
        thread.messages[1].text = change
        thread.messages.insert(1, thread.messages.pop())
        reopen().register(thread)
        kept.append(thread.model_copy(deep=True))
    for number, then in enumerate(kept, 1):
        assert find_difference(then, reopen().get(thread.ecs_id, as_of=number)) is None
    with pytest.raises(errors.EntityNotFoundError):
        reopen().get(thread.ecs_id, as_of=0)


def test_a_time_names_a_revision(reopen: Open) -> None:
    before = datetime.now(UTC)
    time.sleep(0.002)
    thread = reopen().register(c.thread(1))
    time.sleep(0.002)
    between = datetime.now(UTC)
    time.sleep(0.002)
    thread.title = "later"
    reopen().register(thread)
    assert reopen().get(thread.ecs_id, as_of=between).title == "t"
    assert reopen().get(thread.ecs_id, as_of=datetime.now(UTC)).title == "later"
    with pytest.raises(errors.EntityNotFoundError):
        reopen().get(thread.ecs_id, as_of=before)


def test_the_time_of_a_revision_names_it(reopen: Open) -> None:
    thread = reopen().register(c.thread(1))
    thread.title = "later"
    time.sleep(0.002)
    reopen().register(thread)
    first, second = reopen().revisions()["at"]
    assert reopen().get(thread.ecs_id, as_of=first.to_pydatetime()).title == "t"
    assert reopen().get(thread.ecs_id, as_of=second.to_pydatetime()).title == "later"


def test_revisions_as_a_frame_gives_them(reopen: Open) -> None:
    """Numbers in a DataFrame are numpy's."""
    thread = reopen().register(c.Thread(title="t"))
    thread.title = "later"
    reopen().register(thread)
    numbers = reopen().revisions()["revision"]
    first, second = numbers.min(), numbers.max()
    assert not isinstance(first, int)
    assert reopen().get(thread.ecs_id, as_of=first).title == "t"
    assert [d.after for d in reopen().diff(first, second)] == ["later"]
    assert reopen().revert(thread.ecs_id, to=first).title == "t"
    reopen().prune(before=second)
    with pytest.raises(errors.InvalidArgumentError, match="pruned"):
        reopen().get(thread.ecs_id, as_of=first)


def test_lists_of_the_past(reopen: Open) -> None:
    one = reopen().register(c.Node(name="one"))
    two = reopen().register(c.Node(name="two"))
    reopen().delete(one)
    assert reopen().list_by_type(c.Node) == [two]
    assert reopen().list_by_type(c.Node, as_of=1) == [one]
    assert reopen().list_by_type(c.Node, as_of=2) == [one, two]
    assert reopen().list_by_type(c.Node, as_of=0) == []
    assert reopen().get_many([two.ecs_id, one.ecs_id], as_of=2) == [two, one]


def test_a_part_of_the_past(reopen: Open) -> None:
    thread = story(reopen)
    part = reopen().get(thread.ecs_id, as_of=2, hops=0)
    assert len(part.messages) == 3
    assert not hasattr(part.messages[0], "text")


def test_the_history_of_an_entity(reopen: Open) -> None:
    thread = story(reopen)
    found = reopen().history(thread)
    assert found["version"].tolist() == [1, 2, 3]
    assert found["revision"].tolist() == [1, 3, 4]
    assert found["what"].tolist() == ["added", "changed", "changed"]
    assert found["fields"].tolist() == ["", "messages", "messages"]
    assert found["note"].tolist()[2] == "moved out"
    assert str(found["at"].dtype) == "datetime64[us, UTC]"
    with pytest.raises(errors.EntityNotFoundError):
        reopen().history(uuid4())


@pytest.mark.parametrize(
    ("field", "before", "after"),
    [
        ("name", "a", "b"),
        ("next", None, c.Node()),
        ("next", c.Node(), c.Node()),
        ("links", [c.Node()], []),
        ("group", {c.Node()}, set()),
        ("by_name", {"a": c.Node()}, {}),
        ("lists", {"a": []}, {"b": []}),
        ("parent_id", None, uuid4()),
    ],
)
def test_every_kind_of_change_is_kept_and_named(
    reopen: Open, field: str, before: Any, after: Any
) -> None:
    before, after = copy.deepcopy((before, after))  # or they would know other stores' versions
    node = reopen().register(c.Node(**{field: before}))
    for value in (after, before):
        setattr(node, field, value)
        reopen().register(node)
    assert reopen().history(node)["fields"].tolist() == ["", field, field]
    for revision, value in ((1, before), (2, after), (3, before)):
        assert getattr(reopen().get(node.ecs_id, as_of=revision), field) == value


def test_changes_beyond_what_columns_hold_are_named(reopen: Open) -> None:
    values = reopen().register(c.Values(integer=2**70, text="a\0b"))
    values.integer += 1
    reopen().register(values)
    values.text = "a\ufffdb"  # what stands for it in a column
    reopen().register(values)
    assert reopen().history(values)["fields"].tolist() == ["", "integer", "text"]


def test_what_members_of_a_list_do_is_no_change_of_it(reopen: Open) -> None:
    thread, other = c.Thread(title="0"), c.Thread()
    one, two = (c.Message(thread=thread, text=text) for text in ("1", "2"))
    thread.messages = [one, two]
    reopen().register([thread, other])

    def last_change(*registered: Any) -> str:
        thread.title += "."
        reopen().register([thread, *registered])
        return str(reopen().history(thread)["fields"].tolist()[-1])

    two.text = "edited"
    assert last_change() == "title"
    thread.messages = [two, one]
    assert last_change() == "title, messages"
    assert reopen().history(one)["what"].tolist() == ["added"], "a place is no content"
    other.messages, one.thread, thread.messages = [one], other, [two]
    assert last_change(other) == "title, messages"
    one.text = "elsewhere"
    assert last_change(other) == "title"
    other.messages, one.thread, thread.messages = [], thread, [two, one]
    assert last_change(other) == "title, messages"
    fields = ["", "title", *["title, messages"] * 2, "title", "title, messages"]
    assert reopen().history(thread)["fields"].tolist() == fields


def test_there_and_back_again(reopen: Open) -> None:
    """A member leaves a list, and comes back to the very place where it was."""
    thread, other = c.Thread(), c.Thread()
    message = c.Message(thread=thread)
    thread.messages = [message]
    reopen().register([thread, other])
    for here, there in ((other, thread), (thread, other)):
        there.messages, message.thread, here.messages = [], here, [message]
        reopen().register([thread, other])
    assert reopen().history(thread)["fields"].tolist() == ["", "messages", "messages"]
    assert reopen().get(thread.ecs_id, as_of=2).messages == []


def test_the_history_of_a_deleted_entity(reopen: Open) -> None:
    node = reopen().register(c.Node(name="a"))
    reopen().delete(node)
    assert reopen().history(node.ecs_id)["what"].tolist() == ["added", "deleted"]
    back = reopen().revert(node.ecs_id, to=1)
    assert (back.name, back.version) == ("a", 2)
    assert reopen().revisions()["note"].tolist()[-1] == "back to 1"
    found = reopen().history(node.ecs_id)
    assert found["what"].tolist() == ["added", "deleted", "added"]
    assert found["version"].tolist() == [1, 1, 2]


def test_old_entities_are_stale(reopen: Open) -> None:
    thread = story(reopen)
    old = reopen().get(thread.ecs_id, as_of=1)
    old.title = "from the past"
    with pytest.raises(errors.StaleVersionError):
        reopen().register(old)


def test_going_back(reopen: Open) -> None:
    thread = story(reopen)
    then = reopen().get(thread.ecs_id, as_of=2)
    back = reopen().revert(thread.ecs_id, to=2, note="undo")
    assert texts(back) == texts(then)
    now = reopen().get(thread.ecs_id)
    assert texts(now) == texts(then)
    assert now.version == 4
    assert reopen().revisions()["note"].tolist()[-1] == "undo"
    assert len(reopen().get(thread.ecs_id, as_of=4).messages) == 2
    assert len(reopen().verify(back)) == 0
    reopen().revert(thread, to=5)  # as it is: no revision
    assert len(reopen().revisions()) == 5


def test_what_was_added_since_is_not_in_the_list_any_more(reopen: Open) -> None:
    thread = reopen().register(c.thread(2))
    added = c.thread(1).messages[0]
    added.thread = thread
    thread.messages.append(added)
    reopen().register(thread)
    with pytest.raises(errors.InverseMismatchError, match="delete_added=True") as caught:
        reopen().revert(thread, to=1)  # it would say a thread that does not hold it
    assert caught.value.ecs_id == added.ecs_id
    assert len(reopen().get(thread.ecs_id).messages) == 3
    assert len(reopen().revert(thread, to=1, delete_added=True).messages) == 2
    assert len(reopen().get(thread.ecs_id).messages) == 2
    assert not reopen().has_entity(added.ecs_id)
    assert reopen().get(added.ecs_id, as_of=2).thread == thread
    last = reopen().revisions().iloc[-1]
    assert (last["revision"], last["added"], last["changed"], last["deleted"]) == (3, 0, 1, 1)
    assert reopen().verify().empty


def test_whoever_loses_two_things_has_one_new_version(reopen: Open) -> None:
    """A message that goes was in the list of its thread, and in that of whom it answered."""
    thread = reopen().register(c.thread(2))
    added = c.Message(thread=thread, text="new", parent=thread.messages[1])
    thread.messages[1].replies.append(added)
    thread.messages.append(added)
    reopen().register(thread)
    back = reopen().revert(thread, to=1, delete_added=True)
    now = reopen().get(thread.ecs_id)
    for found in (back, now):
        assert [found.version, *(m.version for m in found.messages)] == [3, 1, 3]
    history = reopen().history(back.messages[1])
    assert history["version"].tolist() == history["revision"].tolist() == [1, 2, 3]
    assert reopen().revisions()[["added", "changed", "deleted"]].values.tolist()[-1] == [0, 2, 1]
    assert len(reopen().verify()) == 0


def test_there_must_be_somewhere_to_go(reopen: Open) -> None:
    thread = reopen().register(c.thread(1))
    with pytest.raises(errors.InvalidArgumentError, match="revision or the time to go back to"):
        reopen().revert(thread, to=None)
    with pytest.raises(errors.EntityNotFoundError):
        reopen().revert(thread, to=0)


def test_states_are_compared(reopen: Open) -> None:
    thread = story(reopen)
    found = [(d.what, d.field) for d in reopen().diff(1, 2)]
    assert found == [("edited", "text")]
    assert [(d.what, d.field) for d in reopen().diff(2, 3)] == [("reordered", "messages")]
    assert {d.what for d in reopen().diff(3, 4)} == {"added", "unlinked"}
    assert not reopen().diff(3, 3)
    assert {d.what for d in reopen().diff(4, 1)} >= {"removed", "linked", "edited"}
    assert not reopen().diff(thread)
    thread.title = "not registered"
    assert [(d.field, d.before, d.after) for d in reopen().diff(thread)] == [
        ("title", "t", "not registered")
    ]
    assert {d.field for d in reopen().diff(1, thread)} >= {"title", "text", "messages"}


def test_differences_come_in_the_same_order_on_every_storage(reopen: Open) -> None:
    # By id, in whatever order and in whatever tables entities were stored.
    ids = [UUID(int=number) for number in range(1, 7)]
    kinds = (c.Values, c.Stone, c.Dog) * 2
    made: list[Any] = [kind(ecs_id=i) for kind, i in zip(kinds, ids, strict=True)]
    for number in (3, 0, 5, 4, 2, 1):
        reopen().register(made[number])
    for number in (3, 0):
        made[number].integer = 7
    for number in (4, 1):
        made[number].parent_id = ids[0]
    reopen().register([made[4], made[3], made[1], made[0]])
    assert [d.ecs_id for d in reopen().diff(0, 6)] == ids
    assert [d.ecs_id for d in reopen().diff(6, 0)] == ids
    assert [d.ecs_id for d in reopen().diff(6, 7)] == [ids[k] for k in (0, 1, 3, 4)]


def test_catching_up(reopen: Open) -> None:
    mine = reopen().register(c.thread(2))
    first = mine.messages[0]
    theirs = reopen().get(mine.ecs_id)
    theirs.messages[0].text = "theirs"
    added = c.thread(1).messages[0]
    added.thread = theirs
    theirs.messages.insert(0, added)
    reopen().register(theirs)
    mine.title = "forgotten"
    assert reopen().refresh(mine) is mine
    assert mine.messages[1] is first
    assert first.text == "theirs"
    assert mine.messages[0].thread is mine
    assert find_difference(mine, reopen().get(mine.ecs_id)) is None
    mine.title = "now"
    reopen().register(mine)
    with pytest.raises(errors.EntityNotFoundError):
        reopen().refresh(c.Node())
    with pytest.raises(errors.NotAnEntityError):
        reopen().refresh("x")


def test_two_sides_are_merged_by_field(reopen: Open) -> None:
    a, b = c.Node(name="a"), c.Node(name="b")
    mine = reopen().register(c.Node(name="n", links=[a, b], group={a}, by_name={"a": a}))
    theirs = reopen().get(mine.ecs_id)
    theirs.links.reverse()
    theirs.links[0].name = "b of theirs"
    theirs.group = {*theirs.group, theirs.links[0]}
    theirs.by_name["b"] = theirs.links[0]
    new = theirs.links[0].next = c.Node(name="new", next=theirs)
    reopen().register(theirs)
    mine.name = "of mine"
    mine.next = c.Node(name="mine alone")
    mine.group = set()
    mine.by_name["c"] = b
    with pytest.raises(errors.StaleVersionError):
        reopen().register(mine)
    assert reopen().merge(mine) is mine
    assert (mine.name, mine.links, b.name) == ("of mine", [b, a], "b of theirs")
    assert mine.group == {b}
    assert mine.by_name == {"a": a, "b": b, "c": b}
    assert mine.links[0] is b
    assert b.next == new
    assert b.next.next is mine
    reopen().register(mine)
    assert find_difference(mine, reopen().get(mine.ecs_id)) is None
    assert reopen().get(mine.ecs_id).next.name == "mine alone"


def test_a_true_conflict_is_listed(reopen: Open) -> None:
    mine = reopen().register(c.thread(2))
    theirs = reopen().get(mine.ecs_id)
    theirs.title, theirs.messages[0].text = "theirs", "also theirs"
    reopen().register(theirs)
    mine.title, mine.messages[0].text = "mine", "also mine"
    mine.messages[1].text = "no conflict"
    says = "title: 't' → here 'mine', in the store 'theirs'"
    with pytest.raises(errors.MergeConflictError, match=says) as caught:
        reopen().merge(mine)
    found = {(x.field, x.base, x.mine, x.theirs) for x in caught.value.conflicts}
    assert ("title", "t", "mine", "theirs") in found
    assert len(found) == 2
    assert (mine.title, mine.version) == ("mine", 1)
    mine.title, mine.messages[0].text = "theirs", "also theirs"  # the user decides
    reopen().register(reopen().merge(mine))
    assert reopen().get(mine.ecs_id).messages[1].text == "no conflict"


def test_what_was_deleted_meanwhile_is_a_conflict(reopen: Open) -> None:
    mine = reopen().register(c.Node(name="a", links=[c.Node(name="b")]))
    theirs = reopen().get(mine.ecs_id)
    gone = theirs.links.pop()
    reopen().register(theirs)
    reopen().delete(gone)
    mine.links[0].name = "changed"
    with pytest.raises(errors.MergeConflictError, match="changed here, deleted in the store"):
        reopen().merge(mine)


def test_what_they_no_longer_hold_is_merged_all_the_same(reopen: Open) -> None:
    held = c.Node(name="held")
    mine = reopen().register(c.Node(links=[held]))
    theirs = reopen().get(mine.ecs_id)
    theirs.links.pop().name = "of theirs"
    reopen().register(theirs)
    reopen().register(_with(reopen().get(held.ecs_id), name="of theirs"))
    mine.next = held
    reopen().register(reopen().merge(mine))
    again = reopen().get(mine.ecs_id)
    assert (again.links, again.next.name) == ([], "of theirs")


def test_what_was_read_is_as_new_as_its_newest_part(reopen: Open) -> None:
    """The parts of a graph have versions of different revisions: the last one tells the base."""
    mine = reopen().register(c.Node(name="1", next=c.Node()))
    mine.name = "2"
    reopen().register(mine)
    reopen().register(_with(reopen().get(mine.ecs_id), name="of theirs"))
    mine.next.name = "of mine"
    reopen().register(reopen().merge(mine))
    assert (mine.name, mine.next.name) == ("of theirs", "of mine")


def _with(entity: Any, **values: Any) -> Any:
    for name, value in values.items():
        setattr(entity, name, value)
    return entity


def test_a_family_as_a_graph(reopen: Open) -> None:
    first = reopen().register(c.Node(name="first"))
    second = reopen().register(first.fork())
    third = reopen().register(second.fork())
    other = reopen().register(first.fork())
    graph = reopen().lineage_graph(first)
    found = graph.to_networkx()
    assert nx.is_directed_acyclic_graph(found)
    assert graph.dependencies(third) == [second]
    assert set(graph.dependents(first)) == {second, other}
    assert len(reopen().lineage_graph(first.lineage_id).nodes) == 4


def test_a_family_without_its_first(reopen: Open) -> None:
    """What a fork was forked from need not be stored."""
    fork = reopen().register(c.Node(name="never stored").fork())
    graph = reopen().lineage_graph(fork)
    assert (list(graph.nodes), list(graph.references)) == ([fork], [])


def test_a_branch_of_a_thread_is_stored(reopen: Open) -> None:
    thread = reopen().register(c.thread(3))
    branch = thread.fork(deep=True)
    branch.messages[1].text = "otherwise"
    reopen().register(branch)
    assert texts(reopen().get(thread.ecs_id)) != texts(reopen().get(branch.ecs_id))
    assert reopen().get(branch.ecs_id).messages[0].thread.lineage_id == thread.lineage_id
    assert len(reopen().get_lineage_entities(thread.messages[1].lineage_id)) == 2


def test_the_past_is_forgotten_on_request(reopen: Open) -> None:
    thread = story(reopen)
    kept = reopen().get(thread.ecs_id, as_of=3)
    assert reopen().prune(before=3) > 0
    assert find_difference(kept, reopen().get(thread.ecs_id, as_of=3)) is None
    with pytest.raises(errors.InvalidArgumentError, match="before revision 3 has been pruned"):
        reopen().get(thread.ecs_id, as_of=2)
    reopen().prune()
    assert find_difference(thread, reopen().get(thread.ecs_id)) is None
    assert reopen().history(thread)["version"].tolist() == [3]
    assert reopen().prune() == 0
    assert len(reopen().verify()) == 0
    thread.title = "goes on"
    reopen().register(thread)
    assert reopen().get(thread.ecs_id, as_of=4).title == "t"


def test_what_is_kept_keeps_its_revisions(reopen: Open) -> None:
    """Revisions that states speak of, present or past, stay when others are forgotten."""
    start = datetime.now(UTC)
    time.sleep(0.002)
    old = reopen().register(c.Node(name="old"), note="the present speaks of it")
    changed = reopen().register(c.Node(name="a"), note="the past speaks of it")
    gone = reopen().register(c.Node(name="gone"), note="nothing speaks of it")
    reopen().delete(gone)
    reopen().register(c.Node(name="new"))
    changed.name = "b"
    reopen().register(changed)
    assert reopen().prune(before=5) == 1
    assert reopen().revisions()["revision"].tolist() == [1, 2, 5, 6]
    for entity in (old, changed):
        assert reopen().history(entity)["note"].tolist()[0].endswith("speaks of it")
        assert reopen().history(entity)["at"].notna().all()
    with pytest.raises(errors.InvalidArgumentError, match="before revision 5 has been pruned"):
        reopen().get(old.ecs_id, as_of=start)
    assert len(reopen().verify()) == 0


def test_times_at_the_ends_of_time_are_the_earliest_and_the_latest(reopen: Open) -> None:
    thread = reopen().register(c.thread(1))
    last = datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))
    first = datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))
    store = reopen()
    assert store.get(thread.ecs_id, as_of=last).version == 1
    assert store.revert(thread, to=last).version == 1
    assert store.prune(before=first) == 0
    assert store.find(type(thread), as_of=first) == []
    for early in (
        lambda: store.get(thread.ecs_id, as_of=first),
        lambda: store.revert(thread, to=first),
    ):
        with pytest.raises(errors.EntityNotFoundError):
            early()
    assert store.prune(before=last) == 0


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (99, "the newest revision is"),
        (-1, "Give the number of a revision"),
        ("x", "Give the number of a revision"),
        (True, "Give the number of a revision"),
        (datetime(2020, 1, 1), "has no time zone"),  # noqa: DTZ001 - that is the point
    ],
)
def test_a_revision_that_is_none_is_refused_by_the_name_it_was_given(
    reopen: Open, stored: bool, bad: Any, says: str
) -> None:
    store, thread = reopen(), c.thread(1)
    calls: list[tuple[str, Callable[[], Any]]] = [
        ("before", lambda: store.prune(before=bad)),
        ("to", lambda: store.revert(thread, to=bad)),
    ]
    if stored:
        store.register(thread)
        calls += [
            ("base", lambda: store.merge(thread, base=bad)),
            ("as_of", lambda: store.get(thread.ecs_id, as_of=bad)),
            ("as_of", lambda: store.list_by_type(type(thread), as_of=bad)),
        ]
        if type(bad) is int:
            calls += [("a", lambda: store.diff(bad, None)), ("b", lambda: store.diff(None, bad))]
    for name, call in calls:
        with pytest.raises(errors.InvalidArgumentError, match=says) as caught:
            call()
        assert caught.value.message.startswith((f"{name}=", f"{name} is "))


def test_an_unknown_field_is_told_what_there_is_once(reopen: Open) -> None:
    thread = reopen().register(c.thread(1))
    for name in ("zzzzzz", "ecs_idd"):
        with pytest.raises(errors.InvalidArgumentError) as caught:
            reopen().find(type(thread), **{name: 1})
        message = caught.value.message
        assert message.count("There are") + message.count("Did you mean") == 1
        assert "lineage_id" in caught.value.fields


class Counted(ev.Entity):
    n: int = 0

    @cached_property
    def twice(self) -> int:
        return self.n * 2


@pytest.mark.parametrize("how", ["refresh", "merge"])
def test_what_was_computed_goes_with_the_fields_that_are_replaced(reopen: Open, how: str) -> None:
    store = reopen()
    here = store.register(Counted(n=1))
    assert here.twice == 2
    there = store.get(here.ecs_id)
    there.n = 9
    store.register(there)
    getattr(store, how)(here)
    assert (here.n, here.twice) == (9, 18)
