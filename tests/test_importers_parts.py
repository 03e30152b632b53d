"""The parts of messages: what formats say of thoughts, calls, results, images, files and so on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import ecsviz as ev
from ecsviz.errors import InvalidArgumentError
from ecsviz.importers import read_chat
from ecsviz.importers.chat.parts import parts_of
from tests.chat_files import encode
from tests.chat_formats import SAMPLES, claude_message
from tests.chat_sample import Sample

FERN = ev.MessagePart(kind="tool_call", tool="look_up", call_id="1", data={"plant": "fern"})

BLOCKS: dict[str, tuple[Any, dict[str, Any], str]] = {
    "text": ({"type": "text", "text": "a"}, {"kind": "text", "text": "a"}, "a"),
    "value": ({"type": "text", "text": {"value": "a", "annotations": []}}, {"kind": "text"}, "a"),
    "thinking": ({"type": "thinking", "thinking": "Hm."}, {"kind": "thinking"}, "Hm."),
    "reasoning": (
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "So."}]},
        {"kind": "thinking"},
        "So.",
    ),
    "refusal": ({"type": "refusal", "refusal": "No."}, {"kind": "refusal"}, "No."),
    "tool_use": (
        {"type": "tool_use", "id": "1", "name": "look_up", "input": {"plant": "fern"}},
        {"kind": "tool_call", "tool": "look_up", "call_id": "1", "data": {"plant": "fern"}},
        'look_up({"plant": "fern"})',
    ),
    "function_call": (
        {"type": "function_call", "call_id": "1", "name": "f", "arguments": '{"a": 1}'},
        {"kind": "tool_call", "tool": "f", "call_id": "1", "data": {"a": 1}},
        'f({"a": 1})',
    ),
    "web_search_call": (
        {"type": "web_search_call", "id": "1", "action": {"query": "fern"}},
        {"kind": "tool_call", "tool": "web_search"},
        'web_search({"query": "fern"})',
    ),
    "tool_result": (
        {"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "b"}]},
        {"kind": "tool_result", "call_id": "1", "data": None},
        "b",
    ),
    "found": (
        {
            "type": "web_search_tool_result",
            "tool_use_id": "1",
            "content": [{"type": "web_search_result", "title": "Ferns", "url": "u"}],
        },
        {"kind": "tool_result", "call_id": "1"},
        "[citation: Ferns]",
    ),
    "image_url": (
        {"type": "image_url", "image_url": {"url": "x.png", "detail": "low"}},
        {"kind": "image", "url": "x.png", "metadata": {"detail": "low"}},
        "[image: x.png]",
    ),
    "base64": (
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA"}},
        {"kind": "image", "mime": "image/png"},
        "[image: image/png]",
    ),
    "audio": (
        {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
        {"kind": "audio", "mime": "audio/wav"},
        "[audio: audio/wav]",
    ),
    "spoken": ({"type": "audio", "audio": {"transcript": "Hi"}}, {"kind": "audio"}, "Hi"),
    "file": (
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "AA"}},
        {"kind": "file", "name": "a.pdf"},
        "[file: a.pdf]",
    ),
    "of tomorrow": ({"type": "dream", "x": 1}, {"kind": "other"}, "[other]"),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_is_a_part(name: str) -> None:
    block, expected, readable = BLOCKS[name]
    (part,) = parts_of([block])
    assert {key: getattr(part, key) for key in expected} == expected
    assert part.readable == readable


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text("ab", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [*"abc", "type", "text", "content", "name", "input", "source", "file", "summary"]
            ),
            inner | st.sampled_from(list(BLOCKS)),
            max_size=4,
        )
    ),
    max_leaves=12,
)


def leaves(value: Any) -> set[str]:
    found: set[str] = set()
    todo = [value]
    while todo:
        each = todo.pop()
        if isinstance(each, dict | list):
            todo += each.values() if isinstance(each, dict) else each
        elif each not in (None, ""):
            found.add(repr(each))
    return found


@given(st.lists(JSON, max_size=4))
def test_nothing_of_a_block_is_lost(blocks: list[Any]) -> None:
    parts = parts_of(blocks)
    said = json.dumps([part.model_dump() for part in parts], ensure_ascii=False)
    kinds = {repr(block["type"]) for block in blocks if isinstance(block, dict) and "type" in block}
    for leaf in leaves(blocks) - kinds:
        assert leaf.strip("'") in said or leaf in ("True", "False"), (leaf, parts)


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_no_message_of_any_format_is_blank(sample: Sample) -> None:
    for thread in read_chat(sample.longer):
        blank = {m.source_id for m in thread.messages if not m.content.strip()}
        assert blank <= {"r4/response"}, "which says nothing, indeed"


def test_thoughts_that_a_source_keeps_to_itself_leave_no_message_blank() -> None:
    thought = {"type": "thinking", "thinking": "", "signature": "s"}
    record = {"type": "assistant", "uuid": "a", "sessionId": "s", "parentUuid": None}
    for said, read in (([], "[thinking]"), ([{"type": "text", "text": "yes"}], "yes")):
        message = {"role": "assistant", "content": [thought, *said]}
        line = json.dumps({**record, "message": message}).encode()
        [thread] = read_chat(line, format="claude-code")
        assert [each.content for each in thread.messages] == [read]


def test_a_message_made_by_hand() -> None:
    thread = ev.ChatThread()
    message = thread.say("assistant", [ev.MessagePart(kind="text", text="I look."), FERN])
    assert message.content == 'I look.\nlook_up({"plant": "fern"})'
    assert (message.text, message.kind, message.tool) == ("I look.", "text", "look_up")
    message.tokens_in, message.tokens_out = 12, 3
    assert (message.tokens_in, message.tokens_out) == (12, 3)
    again = ev.ChatMessage(thread=thread, role="assistant", parts=[FERN], tokens_out=3)
    assert (again.parts, again.tokens_out, again.kind) == ((FERN,), 3, "tool_call")
    assert again.content == FERN.readable
    assert thread.say("user", "").parts == ()


@pytest.mark.parametrize("wrong", [3, "text", [3], [{"kind": "text"}]])
def test_parts_that_are_none(wrong: Any) -> None:
    message = ev.ChatThread().say("user", "Hi")
    with pytest.raises(InvalidArgumentError, match="MessagePart"):
        message.parts = wrong
    with pytest.raises(ValidationError, match="MessagePart"):
        ev.ChatMessage(thread=ev.ChatThread(), role="user", parts=wrong)
    with pytest.raises(InvalidArgumentError, match="tokens_in"):
        message.tokens_in = "many"  # type: ignore[assignment]  # on purpose
    assert message.metadata == {}


def test_what_a_source_calls_parts_is_not_taken_for_them() -> None:
    message = ev.ChatThread().say("user", "Hi")
    message.metadata = {"parts": [{"of": "theirs"}], "tokens_in": True}
    assert [part.text for part in message.parts] == ["Hi"]
    assert message.tokens_in is None


def test_parts_are_stored() -> None:
    store = ev.SQLAlchemyEntityStorage("sqlite://")
    thread = ev.ChatThread()
    thread.say("assistant", [FERN])
    store.register(thread)
    again = ev.SQLAlchemyEntityStorage(store.engine).get(thread.ecs_id, ev.ChatThread)
    assert again.messages[0].parts == (FERN,)


def test_a_file_of_a_message_of_claude() -> None:
    raw = claude_message("a", "human", "See", "") | {
        "attachments": [{"file_name": "a.txt", "file_type": "txt", "extracted_content": "ferns"}],
        "files": [{"file_name": "a.txt"}, {"file_name": "b.png"}],
    }
    (thread,) = read_chat(encode([{"uuid": "c", "chat_messages": [raw]}]))
    assert thread.messages[0].content == "See\n[file: a.txt]\n[file: b.png]"
