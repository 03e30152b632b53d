"""Imports of chats that a storage has already: merged with what is stored, never turned back."""

from __future__ import annotations

import contextlib
import json
from typing import Any
from uuid import UUID, uuid5

import pytest
import sqlalchemy as sa

import ecsviz as ev
from ecsviz.importers import ChatImport
from tests.chat_files import conversation, encode, is_sound, links, node, read
from tests.chat_formats import MESSAGE_STORE
from tests.chat_sample import database

CHATS = UUID("adb8d415-7a0b-4781-b21c-e26695111a29")


def telegram(name: str, count: int, **more: Any) -> dict[str, Any]:
    said = [
        {
            "id": number,
            "type": "message",
            "date": "2024-01-01T00:00:00",
            "date_unixtime": str(1704067200 + number),
            "from": name,
            "text": f"{name} {number}",
        }
        for number in range(1, count + 1)
    ]
    return {"name": name, "type": "personal_chat", "id": 1, "messages": said, **more}


def langchain(*texts: str) -> bytes:
    return numbered(*enumerate(texts, 1))


def numbered(*said: tuple[int, str]) -> bytes:
    """Return a database with one session whose rows have these numbers."""
    rows = [
        (
            "message_store",
            (number, "default", json.dumps({"type": "human", "data": {"content": text}})),
        )
        for number, text in said
    ]
    return database(MESSAGE_STORE, *rows)


def exported(when: float, *nodes: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    return [conversation(*nodes, update_time=when, **more)]


def stored(store: Any) -> list[tuple[str | None, list[str]]]:
    """Return what a storage has: each thread's id in the source, and its texts in order."""
    threads = store.list_by_type(ev.ChatThread)
    assert all(map(is_sound, threads))
    assert sum(len(t.messages) for t in threads) == len(store.list_by_type(ev.ChatMessage))
    return sorted((t.source_id, [m.content for m in t.messages]) for t in threads)


def as_before(found: ChatImport) -> ChatImport:
    """Give an import the ids that threads had when they went by their id alone."""
    for thread in found:
        key = [thread.source_id]
        made = uuid5(CHATS, json.dumps([thread.source, key]))
        thread.__dict__.update(ecs_id=made, lineage_id=made)
        for message in thread.messages:
            made = uuid5(CHATS, json.dumps([thread.source, key, message.source_id]))
            message.__dict__.update(ecs_id=made, lineage_id=made)
    return found


PAIRS: dict[str, tuple[Any, Any, Any]] = {
    "two accounts of telegram": (telegram("Ann", 2), telegram("Bea", 3), telegram("Ann", 4)),
    "two databases of langchain": (
        langchain("How?", "So."),
        langchain("What?", "That.", "Thanks"),
        langchain("How?", "So.", "And?", "Well."),
    ),
    "two that begin alike, in rows of other numbers": (
        numbered((1, "Hi"), (2, "How?")),
        numbered((1, "Hi"), (3, "How?"), (4, "Thanks")),
        numbered((1, "Hi"), (2, "How?"), (5, "So."), (6, "And?")),
    ),
    "two that begin alike": (
        langchain("Hi", "How?"),
        langchain("Hi", "What?", "That."),
        langchain("Hi", "How?", "So.", "Thanks"),
    ),
}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("name", PAIRS)
def test_no_chat_takes_the_place_of_another(store: Any, name: str, turned: bool) -> None:
    one, other, grown = PAIRS[name]
    for data in (other, one) if turned else (one, other):
        store.register(read(data))
    before = stored(store)
    assert sorted(len(texts) for _, texts in before) == [2, 3]
    for data in (one, other):
        store.register(read(data))
    assert (stored(store), len(store.revisions())) == (before, 2)
    store.register(read(grown))
    assert sorted(len(texts) for _, texts in stored(store)) == [3, 4]


@pytest.mark.parametrize("name", PAIRS)
def test_what_was_stored_under_other_ids_is_found(store: Any, name: str) -> None:
    one, other, grown = PAIRS[name]
    old = store.register(as_before(read(one)))[0]
    assert store.register(read(one))[0].ecs_id == old.ecs_id
    assert len(store.revisions()) == 1
    told = store.register(read(other)).problems
    assert [problem.why for problem in told] == [
        "another chat goes by it; kept as a thread of its own"
    ]
    again = store.register(read(grown))
    assert again[0].ecs_id == old.ecs_id
    assert [len(texts) for _, texts in stored(store)] in ([3, 4], [4, 3])
    assert len(store.get(old.ecs_id).messages) == 4
    count = len(store.revisions())
    for data in (one, other, grown):
        store.register(read(data))
    assert len(store.revisions()) == count


def test_where_the_account_is_known_a_chat_may_go_on_in_two_ways(store: Any) -> None:
    # Its last message was deleted, and it went on: in an account, an id is one chat's alone.
    one, two = telegram("Ann", 3), telegram("Ann", 4)
    del two["messages"][2]
    whole = [
        {"personal_information": {"user_id": 7}, "chats": {"list": [chat]}} for chat in (one, two)
    ]
    for data in whole:
        assert store.register(read(data)).problems[1:] == []
    assert [texts for _, texts in stored(store)] == [["Ann 1", "Ann 2", "Ann 3", "Ann 4"]]
    # Without the account, nobody can tell it from another's that begins alike.
    one, two = telegram("Bea", 3), telegram("Bea", 4)
    del two["messages"][2]
    for data in (one, two):
        (problem,) = store.register(read(data)).problems
        assert problem.why == "another chat goes by it; kept as a thread of its own"
    assert sorted(len(texts) for _, texts in stored(store)) == [3, 3, 4]


OLD = (node("q"), node("a", "q", role="assistant"))

NEW = (*OLD, node("b", "q", role="assistant"), node("q2", "a"))


def test_an_older_export_turns_nothing_back(store: Any) -> None:
    new = store.register(read(exported(9, *NEW, title="Later")))
    old = store.register(read(exported(5, *OLD, title="Earlier")))
    assert len(store.revisions()) == 1
    assert [(t.title, links(t)) for t in old] == [(t.title, links(t)) for t in new]
    (problem,) = old.problems
    assert (problem.thread, problem.what) == ("conv", "what this copy has not")
    assert problem.why == "the store has 2 messages, its title, updated_at; kept"
    report = old.report().query("kind == 'problem'")
    assert report["why"].tolist() == [problem.why]
    # And what is newer is taken, by the same rule, without a word.
    newer = store.register(read(exported(10, *NEW, title="Last")))
    assert (store.get(new[0].ecs_id).title, newer.problems) == ("Last", [])


@pytest.mark.parametrize("ident", ["conv", "0f8fad5b-d9cb-469f-a165-70867728950e"])
def test_what_was_edited_since_is_kept_where_the_export_is_the_same(store: Any, ident: str) -> None:
    export = exported(5, *NEW, title="Theirs", id=ident, conversation_id=ident)
    thread = store.register(read(export))[0]
    thread.title = thread.messages[0].content = "mine"
    thread.metadata["mine"] = True
    store.register(thread)
    again = store.register(read(export))
    found = store.get(thread.ecs_id)
    assert (found.title, found.messages[0].content, found.metadata["mine"]) == (
        "mine",
        "mine",
        True,
    )
    assert len(store.revisions()) == 2
    (problem,) = again.problems
    assert (
        problem.why
        == "the store has its title, metadata 'mine', what was edited in 1 message; kept"
    )


def test_an_import_that_is_taken_back_is_fitted_anew(store: Any) -> None:
    old = read(exported(1, *OLD, title="Old"))
    with contextlib.suppress(ZeroDivisionError), store.transaction():
        store.register(read(exported(2, *OLD, title="New")))
        store.register(old)
        raise ZeroDivisionError
    assert [thread.version for thread in old] == [0]
    store.register(read(exported(9, *NEW, title="Newest")))
    store.register(old)
    assert [thread.title for thread in store.list_by_type(ev.ChatThread)] == ["Newest"]


def test_what_a_newer_export_lacks_is_kept(store: Any) -> None:
    store.register(read(exported(5, *NEW)))
    found = store.register(read(exported(9, *OLD, node("c", "a"), title="Later")))
    (thread,) = store.list_by_type(ev.ChatThread)
    assert is_sound(thread)
    assert thread.title == "Later"
    assert links(thread) == {"q": None, "a": "q", "b": "q", "q2": "a", "c": "a"}
    assert [problem.why for problem in found.problems] == ["the store has 2 messages; kept"]
    assert {m.ecs_id: m.version for m in found[0].messages} == {
        m.ecs_id: m.version for m in thread.messages
    }


def test_what_an_older_export_has_more_is_added(store: Any) -> None:
    store.register(read(exported(9, *OLD, node("c", "a"))))
    store.register(read(exported(5, *NEW, title="Earlier")))
    (thread,) = store.list_by_type(ev.ChatThread)
    assert thread.title == "T"
    assert links(thread) == {"q": None, "a": "q", "b": "q", "q2": "a", "c": "a"}


def test_a_message_goes_by_the_time_of_its_own_edit(store: Any) -> None:
    first, later = telegram("Ann", 2), telegram("Ann", 2)
    later["messages"][1] |= {"text": "edited", "edited_unixtime": "1704068000"}
    store.register(read(later))
    found = store.register(read(first))
    assert stored(store) == [("1", ["Ann 1", "edited"])]
    assert [p.why for p in found.problems] == ["the store has the later text of 1 message; kept"]


def test_a_part_of_an_import_is_merged_too(store: Any) -> None:
    store.register(read(exported(9, *NEW)))
    store.register(read(exported(5, *OLD))[:1])
    assert len(stored(store)[0][1]) == 4


def test_what_was_made_of_an_import_stays_what_it_is(store: Any) -> None:
    for data in (exported(9, *NEW), telegram("Ann", 2)):
        store.register(read(data))
        found = read(data)
        found.append(found[0].fork(deep=True))
        found.append(ev.ChatThread(title="mine", source=found[0].source, source_id="1"))
        ids = [thread.ecs_id for thread in found]
        store.register(found)
        assert [thread.ecs_id for thread in found] == ids
        assert found.problems == []
    assert len(stored(store)) == 6


def test_what_was_read_from_the_store_is_saved_as_it_is(store: Any) -> None:
    found = store.register(read(exported(9, *NEW)))
    found[0].title = "mine"
    store.register(found)
    assert store.get(found[0].ecs_id).title == "mine"
    message = found[0].messages.pop()
    message.parent.replies.remove(message)
    with pytest.raises(ev.errors.InverseMismatchError):
        store.register(found)


def test_the_statements_do_not_grow_with_the_threads(tmp_path: Any) -> None:
    def count(number: int, make: Any) -> int:
        engine = sa.create_engine(f"sqlite:///{tmp_path}/{number}{make.__name__}.db")
        sql = ev.SQLAlchemyEntityStorage(engine)
        sql.register(read(make(number)))
        told: list[str] = []
        sa.event.listen(engine, "before_cursor_execute", lambda *given: told.append(given[2]))
        sql.register(read(make(number)))
        engine.dispose()
        return len(told)

    def unique(number: int) -> Any:
        return [conversation(*NEW, id=f"c{n}", update_time=1) for n in range(number)]

    def named(number: int) -> Any:
        turns = [{"from": "human", "value": "Hi"}]
        return [{"id": f"identity_{n}", "conversations": turns} for n in range(number)]

    def alike(number: int) -> Any:
        turns = [{"from": "human", "value": "Hi"}]
        return [{"conversations": turns}] * number

    for make in (unique, named, alike):
        assert count(4, make) == count(40, make), make.__name__


def test_of_what_is_stored_only_what_may_be_the_same_is_read(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    find = type(store).find

    def counted(self: Any, *args: Any, **options: Any) -> Any:
        found = find(self, *args, **options)
        asked.append(len(found))
        return found

    def talk(number: int, first: str = "Hi") -> bytes:
        turns = [{"from": "human", "value": first}, {"from": "gpt", "value": f"Hello {number}"}]
        return encode([{"id": f"identity_{number // 2}", "conversations": turns}])

    def phone(number: int) -> bytes:
        said = [("Ann", f"Hi {number}"), ("Bob", "Hello"), ("Ann", f"Bye {number}")]
        start = f"05/0{number}/2025, 1{number}:0"
        return "\n".join(
            f"{start}{n} - {who}: {text}" for n, (who, text) in enumerate(said)
        ).encode()

    monkeypatch.setattr(type(store), "find", counted)
    for number in range(8):
        store.register(read(talk(number)))
        # Nothing of the one that is stored already, of the others that of the same id.
        assert asked == ([1] if number % 2 else [0])
        asked.clear()
    for number in range(1, 6):
        store.register(read(phone(number)))
        assert asked == [0], "on other days"
        asked.clear()
    store.register(read(phone(3)))
    assert asked == []
    assert len(store.list_by_type(ev.ChatThread)) == 13


def test_two_that_say_the_same_are_not_taken_for_each_other(store: Any) -> None:
    def messenger(*told: tuple[int | None, str, str]) -> dict[str, Any]:
        said = [
            {"sender_name": who, "content": text, "type": "Generic"}
            | ({"timestamp_ms": 1735689600000 + when} if when else {})
            for when, who, text in reversed(told)
        ]
        names = [{"name": "Ann"}, {"name": "Bob"}]
        return {"participants": names, "thread_path": "inbox/ann_1", "messages": said, "title": "A"}

    first, last = (1, "Ann", "Hi"), (5, "Ann", "Bye")
    rest = [(2, "Bob", "Oh"), (3, "Ann", "Yes"), (4, "Bob", "So")]
    store.register(read(messenger(first, *rest)))
    store.register(read(messenger((None, "Ann", "Hi"), rest[0], rest[2])))
    store.register(read(messenger(first, *rest, last)))
    (thread,) = store.list_by_type(ev.ChatThread)
    assert is_sound(thread)
    assert sorted(m.content for m in thread.messages) == ["Bye", "Hi", "Hi", "Oh", "So", "Yes"]
