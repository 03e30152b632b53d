"""Imports of chats that somebody has edited in the storage: nobody's work is lost, all is told."""

from __future__ import annotations

import contextlib
import copy
import json
import pickle
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import ecsviz as ev
from ecsviz.importers import ChatImport, ChatImportWarning
from ecsviz.importers.chat.said import ChatRecord, DigestTable
from tests.chat_files import conversation, is_sound, links, node, read

FIRST = (node("q", text="Q"), node("a", "q", text="A", role="assistant"), node("b", "a", text="B"))


def export(when: int, *nodes: dict[str, Any], title: str = "T", **more: Any) -> ChatImport:
    return read([conversation(*nodes, title=title, update_time=when, **more)])


def changed(key: str, **more: Any) -> tuple[dict[str, Any], ...]:
    """Return the messages, one of them changed by its source."""
    again = {"q": FIRST[0], "a": FIRST[1], "b": FIRST[2]}
    up = again[key].get("parent")
    role = again[key]["message"]["author"]["role"]
    return tuple({**again, key: node(key, up, role=role, **more)}.values())


def later() -> ChatImport:
    """Return a later export, which changes the answer and the title, and has a message more."""
    return export(9, *changed("a", text="A2"), node("c", "b", text="C"), title="T2")


def edit(store: Any, how: Callable[[Any], None]) -> None:
    """Edit the thread of a storage, as somebody does who has read it."""
    (thread,) = store.list_by_type(ev.ChatThread)
    how(thread)
    store.register(thread)


def the_thread(store: Any) -> Any:
    (thread,) = store.list_by_type(ev.ChatThread)
    return thread


def texts(store: Any) -> dict[str | None, str]:
    return {m.source_id: m.content for m in the_thread(store).messages}


def set_all(thread: Any) -> None:
    thread.title = thread.messages[1].content = "mine"
    thread.messages[0].metadata["mine"] = [1]
    thread.metadata["mine"] = True
    thread.messages[2].role = "tool"


def whys(found: Any) -> list[tuple[str | None, str, str]]:
    return [(each.node, each.what, each.why) for each in found.problems]


CONFLICT = "changed in the store, and in the source since; the store's is kept"

LEFT_OUT = (None, "what was deleted or moved in the store", "1 message; left out")


def test_a_later_export_takes_nothing_of_what_was_edited(store: Any) -> None:
    store.register(export(1, *FIRST))
    edit(store, set_all)
    found = store.register(later())
    thread = the_thread(store)
    assert is_sound(thread)
    assert texts(store) == {"q": "Q", "a": "mine", "b": "B", "c": "C"}
    assert (thread.title, thread.metadata["mine"]) == ("mine", True)
    assert (thread.messages[0].metadata["mine"], thread.messages[2].role) == ([1], "tool")
    assert whys(found) == [
        (
            None,
            "what this copy has not",
            "the store has its metadata 'mine', what was edited in 2 messages; kept",
        ),
        (None, "title", CONFLICT),
        ("a", "content", CONFLICT),
    ]
    assert [each.said for each in found.problems] == [None, "T2", "A2"]
    assert "A2" not in f"{found.problems}{found.problems[2]}"
    assert thread.updated_at.timestamp() == 9
    # Said again, nothing changes; and who takes what the source says follows it from then on.
    count = len(store.revisions())
    store.register(later())
    assert len(store.revisions()) == count
    edit(store, lambda thread: setattr(thread.messages[1], "content", "A2"))
    last = export(12, *changed("a", text="A3"), node("c", "b", text="C"), title="T2")
    assert "content" not in [each.what for each in store.register(last).problems]
    assert texts(store)["a"] == "A3"


def test_what_the_source_has_changed_and_nobody_else_is_taken(store: Any) -> None:
    store.register(export(1, *FIRST))
    edit(store, lambda thread: setattr(thread.messages[0], "content", "mine"))
    found = store.register(later())
    assert texts(store) == {"q": "mine", "a": "A2", "b": "B", "c": "C"}
    assert the_thread(store).title == "T2"
    assert whys(found) == [
        (None, "what this copy has not", "the store has what was edited in 1 message; kept")
    ]


def test_keys_of_the_metadata_are_merged_one_by_one(store: Any) -> None:
    store.register(export(1, *FIRST, model="one", lang="en"))

    def tag(thread: Any) -> None:
        thread.metadata["tag"] = "mine"
        del thread.metadata["lang"]

    edit(store, tag)
    store.register(export(5, *FIRST, model="two", lang="en", more=1))
    metadata = the_thread(store).metadata
    assert (metadata["model"], metadata["tag"], metadata["more"]) == ("two", "mine", 1)
    assert "lang" not in metadata
    store.register(export(7, *FIRST, lang="en", more=1))
    assert "model" not in the_thread(store).metadata


def delete_last(store: Any) -> None:
    thread = the_thread(store)
    last = thread.messages[-1]
    store.delete(last)


def test_what_was_deleted_stays_deleted(store: Any) -> None:
    store.register(export(1, *FIRST))
    delete_last(store)
    for made in (lambda: export(1, *FIRST), later):
        found = store.register(made())
        assert "b" not in texts(store)
        assert (None, "what was deleted or moved in the store", "1 message; left out") in whys(
            found
        )
    thread = the_thread(store)
    assert is_sound(thread)
    # What answers it answers what it has answered.
    assert links(thread) == {"q": None, "a": "q", "c": "a"}
    count = len(store.revisions())
    store.register(later())
    assert len(store.revisions()) == count


def test_a_thread_that_was_deleted_stays_deleted(store: Any) -> None:
    store.register(export(1, *FIRST))
    store.delete([the_thread(store), *the_thread(store).messages])
    with pytest.warns(ChatImportWarning, match="ChatThread .* was deleted in this store, and is"):
        found = store.register(later())
    assert store.list_by_type(ev.ChatThread) == []
    assert whys(found) == [
        (None, "the thread", "deleted in the store; left out (a fork of it would be stored)")
    ]
    store.register(found[0].fork(deep=True))
    assert len(the_thread(store).messages) == 4
    # Whoever holds it wants it.
    holder = Shelf(chat=later()[0])
    assert store.register(holder).chat.version > 1
    assert len(store.list_by_type(ev.ChatThread)) == 2


@pytest.mark.parametrize("way", ["alone", "whole", "a list", "a message", "a stream", "by message"])
def test_what_is_given_itself_is_stored_or_warned_of(store: Any, way: str) -> None:
    store.register(export(1, *FIRST))
    thread = the_thread(store)
    last = thread.messages[-1]
    revision = len(store.revisions())
    only = way == "by message"
    store.delete(last if only else [thread, *thread.messages])
    found = export(1, *FIRST)
    given: Any = {
        "alone": found[0],
        "whole": found,
        "a list": list(found),
        "a message": found[0].messages[2],
        "by message": found[0].messages[2],
        "a stream": ev.importers.iterate_chats(json.dumps([conversation(*FIRST)]).encode()),
    }[way]
    with pytest.warns(ChatImportWarning, match="deleted in this store") as warned:
        store.register(given)
    (warning,) = warned
    assert warning.filename == __file__
    assert len(store.list_by_type(ev.ChatMessage)) == (2 if only else 0)
    # What it says to do brings it back, and what is imported goes on from there.
    (ecs_id, to) = re.findall(r"store\.revert\('(.*)', to=(\d+)\)", str(warning.message))[0]
    assert int(to) == revision
    store.revert(ecs_id, to=int(to))
    store.register(later())
    assert texts(store) == {"q": "Q", "a": "A2", "b": "B", "c": "C"}


def test_what_comes_with_a_message_that_was_deleted_is_stored(store: Any) -> None:
    store.register(export(1, *FIRST))
    store.delete(the_thread(store).messages[2])
    again = next(m for m in later()[0].messages if m.source_id == "b")
    if isinstance(store, ev.SQLAlchemyEntityStorage):
        assert store.explain(again).added == 1
    with pytest.warns(ChatImportWarning, match="deleted in this store"):
        store.register(again)
    assert texts(store) == {"q": "Q", "a": "A2", "c": "C"}


def test_what_is_forgotten_is_warned_of_as_well(store: Any) -> None:
    store.register(export(1, *FIRST))
    store.delete([the_thread(store), *the_thread(store).messages])
    store.prune()
    with pytest.warns(ChatImportWarning, match=r"To have it again, register what its fork\("):
        found = store.register(export(1, *FIRST))
    store.register(found[0].fork(deep=True))
    assert texts(store) == {"q": "Q", "a": "A", "b": "B"}


class Shelf(ev.Entity):
    chat: ev.ChatThread


def test_what_was_moved_stays_where_it_is(store: Any) -> None:
    store.register(export(1, *FIRST))
    thread, other = the_thread(store), ev.ChatThread(title="Other")
    moved = thread.messages.pop()
    moved.parent.replies.remove(moved)
    moved.parent, moved.thread = None, other
    other.messages.append(moved)
    store.register([thread, other])
    found = store.register(later())
    assert (None, "what was deleted or moved in the store", "1 message; left out") in whys(found)
    threads = {
        t.title: [m.source_id for m in t.messages] for t in store.list_by_type(ev.ChatThread)
    }
    assert threads == {"T2": ["q", "a", "c"], "Other": ["b"]}
    assert [m.source_id for m in store.list_by_type(ev.ChatMessage)].count("b") == 1


def test_what_was_added_linked_and_ordered_by_hand_stays(store: Any) -> None:
    store.register(export(1, *FIRST, node("x", "q", text="X", role="assistant")))

    def rearrange(thread: Any) -> None:
        q, a, b, x = thread.messages
        thread.say("user", "added", a)
        b.parent.replies.remove(b)
        b.parent = x
        x.replies.append(b)
        q.replies.reverse()
        thread.messages[1:3] = [b, a]

    edit(store, rearrange)
    nodes = (*changed("a", text="A2"), node("x", "q", text="X", role="assistant"), node("c", "b"))
    store.register(export(9, *nodes))
    thread = the_thread(store)
    order = [m.source_id or m.content for m in thread.messages]
    assert order == ["q", "b", "c", "a", "x", "added"]
    assert links(thread) | {None: None} == {
        "q": None,
        "a": "q",
        "b": "x",
        "x": "q",
        "c": "b",
        None: None,
    }
    assert [m.source_id for m in thread.messages[0].replies] == ["x", "a"]
    assert thread.messages[-1].parent.source_id == "a"
    assert texts(store)["a"] == "A2"


def test_an_older_export_after_an_edit_changes_nothing(store: Any) -> None:
    store.register(later())
    edit(store, set_all)
    before = (the_thread(store).title, texts(store))
    found = store.register(export(1, *FIRST))
    assert (the_thread(store).title, texts(store)) == before
    (problem,) = found.problems
    assert problem.why.startswith("the store has 1 message, its title, updated_at")


def test_what_was_edited_before_it_was_stored_is_an_edit_too(store: Any) -> None:
    found = export(1, *FIRST)
    set_all(found[0])
    found[0].messages[0].metadata["metadata"] = {"deep": [1]}
    added = found[0].say("user", "added")
    store.register(found)
    store.register(later())
    assert texts(store) == {"q": "Q", "a": "mine", "b": "B", "c": "C", None: "added"}
    assert the_thread(store).title == "mine"
    assert the_thread(store).messages[0].metadata["metadata"] == {"deep": [1]}
    # So it is where the chat is stored already.
    again = later()
    again[0].messages[2].content = "mine too"
    again[0].title = "another"
    told = store.register(again)
    assert texts(store)["b"] == "mine too"
    assert (None, "title", CONFLICT) in whys(told)
    assert the_thread(store).title == "mine"
    assert store.get(added.ecs_id).content == "added"


def one_by_one(store: Any, found: Any) -> None:
    for thread in found:
        store.register(thread)


def by_a_message(store: Any, found: Any) -> None:
    for thread in found:
        store.register(thread.messages[1])


def explained_first(store: Any, found: Any) -> None:
    if not hasattr(store, "explain"):
        pytest.skip("there is no explain() in memory")
    before = found[0].title, [m.content for m in found[0].messages], found[0].version
    plan = store.explain(found)
    assert (plan.added, plan.changed) == (1, 2)
    assert (found[0].title, [m.content for m in found[0].messages], found[0].version) == before
    assert whys(found) == [LEFT_OUT, (None, "title", CONFLICT)]
    store.register(found)


def in_a_block(store: Any, found: Any) -> None:
    with store.transaction():
        store.register(ev.ChatThread(title="other"))
        store.register(found)
        store.delete(next(t for t in store.list_by_type(ev.ChatThread) if t.title == "other"))


def taken_back(store: Any, found: Any) -> None:
    with contextlib.suppress(ZeroDivisionError), store.transaction():
        store.register(found)
        raise ZeroDivisionError
    store.register(found)


def in_another_store(store: Any, found: Any) -> None:
    other = ev.InMemoryEntityStorage()
    other.register(export(5, *changed("b", text="B2"), title="elsewhere"))
    edit(other, lambda thread: setattr(thread.messages[0], "content", "theirs"))
    other.register(found)
    found.problems.clear()
    assert texts(other) == {"q": "theirs", "a": "A2", "b": "B", "c": "C"}
    store.register(found)


def merged(store: Any, found: Any) -> None:
    before = len(store.revisions())
    assert store.merge(found) is found
    assert len(store.revisions()) == before
    store.register(found)


def held_by_another(store: Any, found: Any) -> None:
    store.register([Shelf(chat=thread) for thread in found])


WAYS: dict[str, Callable[[Any, Any], Any]] = {
    "as it is": lambda store, found: store.register(found),
    "as a list": lambda store, found: store.register(list(found)),
    "a slice": lambda store, found: store.register(found[:1]),
    "an iterator": lambda store, found: store.register(iter(found)),
    "one by one": one_by_one,
    "by a message": by_a_message,
    "held by another": held_by_another,
    "fitted first": lambda store, found: (found.fit_into(store), store.register(found)),
    "merged first": merged,
    "explained first": explained_first,
    "in a block": in_a_block,
    "taken back, and again": taken_back,
    "in another store before": in_another_store,
    "copied": lambda store, found: store.register(copy.copy(found)),
    "copied deeply": lambda store, found: store.register(copy.deepcopy(found)),
    "pickled": lambda store, found: store.register(pickle.loads(pickle.dumps(found))),
    "twice": lambda store, found: (store.register(found), store.register(found)),
}


@pytest.mark.parametrize("way", WAYS)
def test_however_it_is_registered(store: Any, way: str) -> None:
    store.register(export(1, *FIRST))
    edit(store, lambda thread: (setattr(thread, "title", "mine"), delete_of(store, thread)))
    found = later()
    WAYS[way](store, found)
    thread = the_thread(store)
    assert is_sound(thread)
    assert (thread.title, texts(store)) == ("mine", {"q": "Q", "a": "A2", "c": "C"})
    before = len(store.revisions())
    store.register(later())
    store.register(found)
    assert len(store.revisions()) == before
    assert store.verify()["detail"].tolist() == []


def delete_of(store: Any, thread: Any) -> None:
    message = thread.messages.pop()
    message.parent.replies.remove(message)
    store.delete(message)


def test_a_thread_goes_on_as_any_other_once_it_is_stored(store: Any) -> None:
    found = store.register(export(1, *FIRST))
    other = store.get(found[0].ecs_id)
    other.title = "theirs"
    store.register(other)
    found[0].title = "mine"
    with pytest.raises(ev.errors.StaleVersionError):
        store.register(found)
    found[0].title = "T"
    store.refresh(found[0])
    found[0].title = "mine"
    store.register(found)
    assert the_thread(store).title == "mine"


def test_what_is_saved_alone_is_no_more_than_that(store: Any) -> None:
    store.register(export(1, *FIRST)[0], hops=0)
    assert the_thread(store).messages == []
    store.register(export(1, *FIRST))
    edit(store, lambda thread: setattr(thread.messages[0], "content", "mine"))
    found = later()
    store.register(found[0], hops=0)
    assert (the_thread(store).title, texts(store)["a"]) == ("T2", "A")
    store.register(later())
    assert texts(store) == {"q": "mine", "a": "A2", "b": "B", "c": "C"}


@pytest.mark.parametrize("some", ["the thread", "a message", "both"])
def test_what_was_saved_alone_was_said(store: Any, some: str) -> None:
    store.register(export(1, *FIRST))
    found = later()
    given = {"the thread": [found[0]], "a message": [found[0].messages[1]]}
    store.register(given.get(some, [found[0], found[0].messages[1]]), hops=0)
    last = store.register(export(12, *changed("a", text="A3"), title="T3"))
    assert (the_thread(store).title, texts(store)["a"]) == ("T3", "A3")
    assert whys(last) == []


def test_a_copy_of_the_list_knows_what_the_import_knows(store: Any) -> None:
    store.register(export(1, *FIRST))
    edit(store, lambda thread: setattr(thread, "title", "mine"))
    found = later()
    found.fit_into(store)
    for twin in (copy.copy(found), found.copy()):
        assert type(twin) is ChatImport
        assert twin[0] is found[0]
        assert twin.problems is found.problems
        assert twin.report().equals(found.report())
        store.register(twin)
        assert texts(store) == {"q": "Q", "a": "A2", "b": "B", "c": "C"}
        assert the_thread(store).title == "mine"
    count = len(store.revisions())
    store.register(found)
    assert len(store.revisions()) == count
    last = export(12, *changed("a", text="A3"), title="T3")
    store.register(copy.copy(last))
    assert (the_thread(store).title, texts(store)["a"]) == ("mine", "A3")


def test_fields_that_came_later_are_as_their_defaults(store: Any) -> None:
    """What an earlier release noted has no column for them."""
    (thread,) = store.register(export(1, *FIRST, title=""))
    noted = ChatRecord.read(store.inside.origins.of([thread.ecs_id])[thread.ecs_id])
    names = [n for n in noted.table.names if n not in ("hidden", "model")]
    table = DigestTable(tuple(names), noted.table.under(tuple(names)))
    title = {name: value for name, value in noted.thread.items() if name != "title"}
    earlier = replace(noted, thread=title, table=table, parts={})
    parts = {(thread.ecs_id, number): part for number, part in earlier.written().items()}
    store.inside.origins.keep(parts)
    count = len(store.revisions())
    assert whys(store.register(export(1, *FIRST, title=""))) == []
    assert len(store.revisions()) == count
    hidden = {"is_visually_hidden_from_conversation": True}
    nodes = changed("a", text="A", metadata=hidden)
    found = store.register(export(9, *nodes, title="T2"))
    assert whys(found) == []
    assert [m.hidden for m in the_thread(store).messages] == [False, True, False]
    assert the_thread(store).title == "T2"


def test_where_nothing_was_noted_what_is_there_is_kept(store: Any) -> None:
    # As of a store that an earlier release wrote: only what was never changed is the source's.
    for thread in export(1, *FIRST):
        copied = copy.deepcopy(thread)  # which does not know where it comes from
        store.register(copied)
    edit(store, lambda thread: setattr(thread.messages[0], "content", "mine"))
    edit(store, lambda thread: setattr(thread, "title", "mine"))
    found = store.register(later())
    assert texts(store) == {"q": "mine", "a": "A2", "b": "B", "c": "C"}
    assert the_thread(store).title == "mine"
    assert (None, "title", CONFLICT) in whys(found)
    assert ("q", "content", CONFLICT) in whys(found)
    assert the_thread(store).updated_at.timestamp() == 9


def test_the_past_may_be_forgotten(store: Any) -> None:
    store.register(export(1, *FIRST))
    edit(store, set_all)
    delete_last(store)
    store.prune()
    store.register(later())
    assert texts(store) == {"q": "Q", "a": "mine", "c": "C"}
    assert the_thread(store).title == "mine"
