"""Whole chats in the files of others: written with all branches, read back without loss."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ecsviz as ev
from ecsviz import errors, export
from ecsviz.importers.chat.json_text import free_name
from tests.chat_files import is_sound
from tests.hostile import HOSTILE

WRITERS: dict[str, Callable[..., Any]] = {
    "chatgpt": export.to_chatgpt,
    "open-assistant": export.to_oasst,
}
FIELDS = ("role", "content", "author", "model", "created_at", "hidden", "metadata", "parts")


def told(thread: ev.ChatThread) -> dict[str, Any]:
    """Return all that a thread says, but for what it goes by."""
    number = {id(message): n for n, message in enumerate(thread.messages)}
    return {
        **{name: getattr(thread, name) for name in ("title", "created_at", "updated_at")},
        "metadata": thread.metadata,
        "messages": [
            {
                **{name: getattr(message, name) for name in FIELDS},
                "parent": message.parent and number[id(message.parent)],
                "replies": [number[id(reply)] for reply in message.replies],
            }
            for message in thread.messages
        ],
    }


def again(source: str, threads: Any) -> ev.ChatThreads:
    found = ev.read_chat(WRITERS[source](threads).encode())
    assert not found.problems
    assert all(thread.source == source and is_sound(thread) for thread in found)
    return found


TEXTS = st.one_of(st.text(max_size=8), st.sampled_from(HOSTILE))
MAYBE = st.none() | TEXTS
TIMES = st.none() | st.datetimes(timezones=st.just(UTC))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
METADATA = st.dictionaries(
    TEXTS | st.sampled_from(["ecsviz", "metadata", "role"]), JSON, max_size=2
)
KINDS = st.sampled_from(["text", "thinking", "tool_call", "tool_result", "image", "code", "odd"])
PARTS = st.builds(
    ev.MessagePart, kind=KINDS, text=TEXTS, tool=MAYBE, call_id=MAYBE, url=MAYBE, data=JSON
)


@st.composite
def threads_said(draw: st.DrawFn) -> ev.ChatThread:
    """Return a thread as people make them: any tree, any order in which it was said."""
    thread = ev.ChatThread(
        title=draw(TEXTS),
        created_at=draw(TIMES),
        updated_at=draw(TIMES),
        metadata=draw(METADATA),
    )
    for number in range(draw(st.integers(0, 6))):
        at = draw(st.integers(-1, number - 1))
        content = draw(TEXTS | st.lists(PARTS, max_size=3))
        role = draw(st.sampled_from(["user", "assistant", "tool", "prompter", "", "😀"]))
        message = thread.say(role, content, thread.messages[at] if at >= 0 else None)
        message.author, message.model = draw(MAYBE), draw(MAYBE)
        message.created_at, message.hidden = draw(TIMES), draw(st.booleans())
        message.metadata = {**draw(METADATA), **message.metadata}
        message.source_id = draw(st.none() | st.sampled_from(["a", "b", ""]))
        if draw(st.booleans()):
            message.tokens_out = 7
    return thread


def with_origin(metadata: dict[str, Any], **origin: str) -> dict[str, Any]:
    """Return metadata with the note of where something came from, as reading leaves it."""
    return {**metadata, free_name(metadata, "ecsviz"): origin} if origin else metadata


@given(st.lists(threads_said(), min_size=1, max_size=2))
def test_what_is_written_is_read_back_without_loss(threads: list[ev.ChatThread]) -> None:
    for source in WRITERS:
        found = again(source, threads)
        for thread, old in zip(found, threads, strict=True):
            wanted = told(old)
            for message, was, each in zip(
                thread.messages, old.messages, wanted["messages"], strict=True
            ):
                assert message.source_id
                if was.source_id not in (None, message.source_id):
                    each["metadata"] = with_origin(was.metadata, source_id=was.source_id)
            assert told(thread) == wanted
        twice = again(source, found)
        assert [told(thread) for thread in twice] == [told(thread) for thread in found]
        assert [thread.ecs_id for thread in twice] == [thread.ecs_id for thread in found]


@pytest.mark.parametrize("source", WRITERS)
def test_chats_of_any_source_go_out_and_come_back(source: str) -> None:
    threads = ev.sample("chats")
    found = again(source, threads)
    assert [told(thread)["messages"] for thread in found] == [
        told(thread)["messages"] for thread in threads
    ]
    for thread, old in zip(found, threads, strict=True):
        if old.source == source:
            assert (thread.ecs_id, thread.source_id) == (old.ecs_id, old.source_id)
            assert thread.metadata == old.metadata
        else:
            origin = {name: getattr(old, name) for name in ("source", "source_id")}
            kept = {name: value for name, value in origin.items() if value is not None}
            assert thread.metadata == with_origin(old.metadata, **kept)


@pytest.mark.parametrize("source", WRITERS)
def test_what_is_unusual_is_kept(source: str) -> None:
    lone = ev.ChatThread(title="\ud800\u2028\0", metadata={"n": 10**30, "inf": float("inf")})
    lone.created_at = datetime.max.replace(tzinfo=UTC)
    lone.say("user", "no answer").created_at = datetime.min.replace(tzinfo=UTC)
    lone.say("user", "to no question")
    empty, empty_too = ev.ChatThread(title="empty"), ev.ChatThread(metadata={"k": None})
    later = ev.ChatThread(title="later")
    question = later.say("user", "?")
    first = later.say("assistant", "1", parent=question)
    later.say("assistant", "2", parent=question)
    later.say("user", "so", parent=first)
    assert [told(each) for each in again(source, [lone, empty, empty_too, later])] == [
        told(each) for each in (lone, empty, empty_too, later)
    ]
    swapped = later.messages[:]
    question.replies.reverse()
    (found,) = again(source, later)
    assert [each.content for each in found.messages[0].replies] == ["2", "1"]
    later.messages.reverse()
    assert {each.content for each in again(source, later)[0].messages} == {
        each.content for each in swapped
    }


def test_others_find_what_they_look_for() -> None:
    thread = ev.ChatThread(title="Cycles")
    question = thread.say("user", "What is a cycle?")
    question.created_at = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(microseconds=1)
    for text in ("A way back.", "A closed path."):
        answer = thread.say("assistant", text, parent=question)
        answer.model, answer.hidden = "m-1", True
    (chat,) = json.loads(str(export.to_chatgpt(thread)))
    (root,) = (node for node in chat["mapping"].values() if node["parent"] is None)
    assert (root["message"], len(root["children"])) == (None, 1)
    asked = chat["mapping"][root["children"][0]]
    assert asked["message"]["author"]["role"] == "user"
    assert asked["message"]["content"] == {"content_type": "text", "parts": ["What is a cycle?"]}
    assert asked["message"]["create_time"] == 1704067200.000001
    last = chat["mapping"][asked["children"][1]]["message"]
    assert last["metadata"]["model_slug"] == "m-1"
    assert last["metadata"]["is_visually_hidden_from_conversation"] is True
    assert chat["current_node"] == last["id"]
    rows = [json.loads(line) for line in str(export.to_oasst(thread)).splitlines()]
    assert [row["role"] for row in rows] == ["prompter", "assistant", "assistant"]
    assert [row["parent_id"] for row in rows] == [None, *[rows[0]["message_id"]] * 2]
    assert len({row["message_tree_id"] for row in rows}) == 1


def test_a_chat_without_links_is_one_branch_for_others() -> None:
    thread = ev.ChatThread(title="Messenger")
    for number in range(3):
        thread.say("user", str(number))
    (chat,) = json.loads(str(export.to_chatgpt(thread)))
    assert [len(node["children"]) for node in chat["mapping"].values()] == [1, 1, 1, 0]
    assert again("chatgpt", thread)[0].roots() == again("chatgpt", thread)[0].messages


@pytest.mark.parametrize("source", WRITERS)
def test_deep_and_wide_chats(source: str) -> None:
    thread = ev.ChatThread(title="Deep")
    message = None
    for number in range(3_000):
        message = thread.say("user", str(number), parent=message)
        if number < 1_000:
            thread.say("assistant", "side", parent=thread.messages[0])
    assert told(again(source, thread)[0]) == told(thread)


@pytest.mark.filterwarnings("ignore::ecsviz.importers.ChatImportWarning")
@pytest.mark.parametrize("source", WRITERS)
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", 2),
        ("metadata", []),
        ("created_at", "yesterday"),
        ("created_at", 7),
        ("order", [0, 0]),
        ("order", [{}, True]),
        ("order", "01"),
        ("linked", "no"),
        ("title", None),
        ("role", "x"),
        ("author", "x"),
        ("hidden", True),
        ("other", 1),
    ],
)
def test_what_is_written_into_a_record_by_others_is_told(source: str, key: str, value: Any) -> None:
    thread = ev.ChatThread(title="Kept", metadata={"k": 1})
    question = thread.say("user", "one")
    thread.say("assistant", "two", parent=question).metadata = {"own": 1}
    text = str(WRITERS[source](thread))
    if source == "chatgpt":
        data = json.loads(text)
        data[0]["ecsviz"][key] = value
    else:
        data = [json.loads(line) for line in text.splitlines()]
        data[0]["ecsviz"]["thread"][key] = value
    found = ev.read_chat(json.dumps(data).encode())
    assert [message.content for message in found[0].messages] == ["one", "two"]
    assert is_sound(found[0])
    assert [problem.what for problem in found.problems if "ecsviz" in problem.what] or key == (
        "version"
    )


@pytest.mark.filterwarnings("ignore::ecsviz.importers.ChatImportWarning")
@pytest.mark.parametrize("key", ["title", "updated_at", "linked", "order", "role", "hidden"])
def test_what_others_write_into_the_record_of_a_message_is_told(key: str) -> None:
    thread = ev.ChatThread(title="Kept")
    thread.say("user", "one").metadata = {"own": 1}
    data = json.loads(str(export.to_chatgpt(thread)))
    (node,) = [each for each in data[0]["mapping"].values() if each["message"]]
    node["message"]["metadata"]["ecsviz"][key] = "2024-05-01T10:00:00Z"
    found = ev.read_chat(json.dumps(data).encode())
    assert [(m.content, m.role) for m in found[0].messages] == [
        ("one", "2024-05-01T10:00:00Z" if key == "role" else "user")
    ]
    assert bool(found.problems) is (key != "role")


def test_what_another_program_adds_keeps_its_place() -> None:
    thread = ev.ChatThread(title="Flat")
    for text in ("one", "two"):
        thread.say("user", text)
    assert [m.parent for m in again("chatgpt", thread)[0].messages] == [None, None]
    data = json.loads(str(export.to_chatgpt(thread)))
    mapping = data[0]["mapping"]
    last = [*mapping.values()][-1]
    said = last["message"] | {"id": "new", "author": {"role": "assistant"}, "metadata": {}}
    mapping["new"] = {"id": "new", "message": said, "parent": last["id"], "children": []}
    last["children"] = ["new"]
    (found,) = ev.read_chat(json.dumps(data).encode())
    assert found.messages[2].parent is found.messages[1]


@pytest.mark.parametrize("source", WRITERS)
@pytest.mark.parametrize("wrong", [{"created_at": "2020"}, {"source_id": [5]}, {"replies": None}])
def test_fields_of_wrong_types_are_told(source: str, wrong: dict[str, Any]) -> None:
    thread = ev.ChatThread(title="Wrong")
    thread.say("user", "one").__dict__.update(wrong)
    with pytest.raises(errors.InvalidArgumentError, match=str(thread.ecs_id)):
        WRITERS[source](thread)


@pytest.mark.parametrize("source", WRITERS)
def test_a_time_without_a_zone_is_utc(source: str) -> None:
    thread = ev.ChatThread(title="Set by hand")
    thread.say("user", "one").created_at = datetime(2024, 5, 1, 10)  # noqa: DTZ001  # that it is
    (found,) = again(source, thread)
    assert found.messages[0].created_at == datetime(2024, 5, 1, 10, tzinfo=UTC)


def test_files_are_written_and_what_cannot_be_is_told(tmp_path: Path) -> None:
    threads = ev.ChatThreads(ev.sample("chats"))
    for method in (threads.to_chatgpt, threads.to_oasst):
        file = method(tmp_path / "chats")
        assert Path(file).read_text(encoding="utf-8") == method()
    before = (tmp_path / "chats").read_bytes()
    thread = ev.ChatThread(title="odd")
    thread.say("user", "x").metadata["when"] = UTC  # type: ignore[assignment]  # no JSON
    for write in WRITERS.values():
        with pytest.raises(errors.InvalidArgumentError, match="cannot be written as JSON"):
            write(thread, tmp_path / "chats")
        with pytest.raises(errors.UnknownTypeError, match="not a ChatThread"):
            write([thread.messages[0]])
        with pytest.raises(errors.InvalidArgumentError, match="Give a ChatThread"):
            write("chats.db")
    assert (tmp_path / "chats").read_bytes() == before
