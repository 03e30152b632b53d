"""Formats of tools, libraries and interfaces of models: what is read from a small file of each."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from ecsviz.errors import EcsvizError, ImportFormatError
from ecsviz.importers import read_chat
from ecsviz.importers.chat.html_text import html_text
from ecsviz.importers.chat.packed import opened, unpacked
from ecsviz.importers.chat.source import of_bytes
from tests.chat_coding import (
    later,
)
from tests.chat_files import at, encode, kinds, only, read, said, shown
from tests.chat_formats import SAMPLES
from tests.chat_sample import database, lines
from tests.chat_tools import (
    CHECKPOINTS,
    activity,
    activity_cell,
    checkpoint,
    dumped,
    langgraph,
    packed_message,
)

# ---------------------------------------------------------------------------------------------
# Gemini
# ---------------------------------------------------------------------------------------------


def test_gemini_contents() -> None:
    thread = only(SAMPLES["gemini-api"].data)
    assert shown(thread) == [
        ("system", "Be brief."),
        ("user", "Which plant?\n[image: image/png]"),
        ("assistant", 'I look it up.\nlook_up({"plant": "fern"})'),
        ("tool", '{"found": 7}'),
        ("assistant", "A fern."),
        ("assistant", "Bracken."),
    ]
    _, asked, called, result, first, second = thread.messages
    assert first.parent is second.parent is result
    assert (kinds(asked), kinds(called)) == (["text", "image"], ["thinking", "tool_call"])
    assert asked.parts[1].metadata == {"data": "AAEC"}
    assert (result.parts[0].call_id, result.parts[0].data) == ("c1", {"found": 7})
    assert (first.model, first.tokens_in, first.tokens_out) == ("gemini-2.5-flash", 31, 6)
    assert (second.model, second.tokens_out) == ("gemini-2.5-flash", None)


@pytest.mark.parametrize(
    ("part", "expected", "readable"),
    [
        (
            {"function_call": {"name": "f", "args": {"a": 1}}},
            {"kind": "tool_call", "tool": "f", "data": {"a": 1}},
            'f({"a": 1})',
        ),
        (
            {"executableCode": {"language": "PYTHON", "code": "1 + 1"}},
            {"kind": "code", "text": "1 + 1", "mime": "PYTHON"},
            "1 + 1",
        ),
        (
            {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}},
            {"kind": "tool_result", "tool": "code_execution", "text": "2"},
            "2",
        ),
        (
            {"fileData": {"mimeType": "video/mp4", "fileUri": "https://example.org/v"}},
            {"kind": "video", "url": "https://example.org/v", "mime": "video/mp4"},
            "[video: https://example.org/v]",
        ),
        (
            {"inline_data": {"mime_type": "application/pdf"}},
            {"kind": "file"},
            "[file: application/pdf]",
        ),
        ({"text": "Hm.", "thought": True}, {"kind": "thinking", "metadata": {}}, "Hm."),
        ({"thoughtSignature": "s"}, {"kind": "other"}, "[other]"),
    ],
)
def test_parts_of_gemini(part: Any, expected: dict[str, Any], readable: str) -> None:
    content = {"role": "model", "parts": [{"text": "."}, part]}
    _, made = only(encode([content])).messages[0].parts
    assert {key: getattr(made, key) for key in expected} == expected
    assert made.readable == readable


def test_gemini_contents_bare_and_one_a_line() -> None:
    contents = [{"role": "user", "parts": [{"text": "Hi"}]}]
    contents += [{"role": "model", "parts": [{"text": "Hello"}]}]
    bare = only(encode(contents))
    assert shown(bare) == [("user", "Hi"), ("assistant", "Hello")]
    assert bare.messages[1].parent is bare.messages[0]
    found = read(lines({"contents": contents}, {"contents": contents, "key": "2"}))
    assert [len(thread.messages) for thread in found] == [2, 2]


def test_ai_studio() -> None:
    thread = only(SAMPLES["ai-studio"].data)
    assert shown(thread) == [
        ("system", "Be brief."),
        ("user", "What is loess?"),
        ("user", "[file: 1aBc]"),
        ("assistant", "Wind, silt."),
        ("assistant", "Silt that the wind has left."),
    ]
    assert [message.kind for message in thread.messages][3:] == ["thinking", "text"]
    last = thread.messages[4]
    assert (last.model, last.tokens_out) == ("gemini-2.5-pro", 8)
    assert last.created_at == at(2025, 6, 2, 10, 0, 4)
    assert (thread.title, thread.messages[1].tokens_in) == ("What is loess?", 5)


def test_ai_studio_in_pieces() -> None:
    chunk = {"role": "model", "text": "", "parts": [{"text": "a"}, {"text": "b", "thought": True}]}
    told = {"role": "model", "text": "ab", "parts": [{"text": "a", "thoughtSignature": "s"}]}
    thread = only(encode({"chunkedPrompt": {"chunks": [chunk, told]}}))
    assert kinds(thread.messages[0]) == ["text", "thinking"]
    assert thread.messages[1].metadata["pieces"] == told["parts"]


def test_gemini_takeout() -> None:
    found = read_chat(SAMPLES["gemini-takeout"].data)
    chat, alone = found
    assert shown(chat) == [
        ("user", "What is loess?"),
        ("assistant", "Wind-blown silt."),
        ("user", "And where?"),
        ("assistant", "In China."),
    ]
    assert chat.messages[3].created_at == at(2026, 3, 2, 9, 12)
    assert shown(alone) == [("user", "Name a fern\n[file: fern.png]")]
    beside = [
        activity(1, "Prompted Hi", "<p>Hello</p>"),
        activity(4, "Used an Assistant feature", None),
        activity(0, "Watched a film", None) | {"header": "YouTube", "products": ["YouTube"]},
    ]
    found = read_chat(encode(beside))
    left = found.report().query("kind == 'not read'")
    assert left[["why", "count"]].values.tolist() == [["no prompt", 1], ["of another product", 1]]
    assert [thread.title for thread in found] == ["Hi"]


def test_gemini_takeout_as_a_page() -> None:
    alone, chat = read_chat(SAMPLES["gemini-takeout, page"].data)
    assert shown(chat) == [("user", "What is\nloess?"), ("assistant", "Wind-blown silt.")]
    assert chat.created_at == at(2026, 3, 2, 9, 11)
    assert (alone.title, alone.created_at) == ("Name a fern", at(2026, 3, 2, 10, 14))
    alone, _ = read_chat(SAMPLES["gemini-takeout, page"].data, timezone="Europe/Berlin")
    assert alone.created_at == at(2026, 3, 2, 9, 14)
    for when in (
        *("02.03.2026, 10:14:00 MEZ", "2 Mar 2026, 10:14:00 GMT", "2 Mar 2026, 15:44:00 GMT+5:30"),
        *("2 Mar 2026, 10:14:00", "Mar 2, 2026, 2:14:00 AM GMT-08:00"),
    ):
        page = activity_cell("Prompted\xa0Hi", when)
        (thread,) = read_chat(f"<html><title>My Activity</title>{page}</html>".encode())
        assert thread.created_at == at(2026, 3, 2, 10, 14)


def test_what_a_page_of_takeout_lacks_is_told() -> None:
    page = SAMPLES["gemini-takeout, page"].data
    middle = page.rindex(b"typography--title")
    cut = "the page ends before </html>: it is cut"
    for broken, messages, told in (
        (page[: middle - 5], 1, [("record 2", "product, text, time"), ("its end", cut)]),
        (page[:-60], 3, [("its end", cut)]),
        (page.replace(b"2026, 9:11", b"at nine"), 2, [("record 2", "time")]),
        (page[:middle] + page[middle + 9 :], 3, [("record 2", "product")]),
    ):
        found = read(broken)
        assert sum(len(thread.messages) for thread in found) == messages
        whys = [(place, why if why == cut else f"a record without {why}") for place, why in told]
        assert [(p.what, p.why.removeprefix("not read: ")) for p in found.problems] == whys
        with pytest.raises(ImportFormatError):
            read_chat(broken, strict=True)


def test_gemini_takeout_conversations() -> None:
    turns = [
        {"user_turn": {"prompt": "What is loess?", "turn_index": 0}},
        {
            "system_turn": {
                "model_thoughts": [{"headline": "Soil", "description": "Wind."}],
                "text": [{"data": "Silt."}, {"cards": [{"content": "A card."}]}],
                "images": ["one.png"],
                "turn_last_modified": "2026-03-02T09:00:00Z",
            }
        },
    ]
    talk = {"title": "Loess", "creation_time": "2026-03-02T08:59:00Z", "conversation_turns": turns}
    thread = only(encode(talk))
    assert shown(thread) == [
        ("user", "What is loess?"),
        ("assistant", "Soil\nWind.\nSilt.\nA card.\n[image: one.png]"),
    ]
    assert thread.messages[1].created_at == at(2026, 3, 2, 9)
    assert (thread.title, thread.created_at) == ("Loess", at(2026, 3, 2, 8, 59))
    with pytest.raises(ImportFormatError, match="user_turn"):
        read_chat(encode(talk | {"conversation_turns": [{"x": 1}]}), strict=True)


def test_what_one_can_read_of_html() -> None:
    html = "<style>p {}</style><h1>A &amp; B</h1><p>one  two<br>three <img alt='fern'></p>"
    html += "<pre>  x = 1\n</pre><ol><li>a</li><li>b</li></ol><script>alert(1)</script><i>end"
    assert html_text(html).splitlines() == [
        *("A & B", "one two", "three [image: fern]", "  x = 1", "- a", "- b", "end"),
    ]
    assert html_text("1 < 2 & <<>>") == "1 < 2 & <<>>"
    assert html_text("<img alt='a > b'>x<!-- <p> -->y<!-- z") == "[image: a > b]xy z"
    assert html_text("İ<STYLE>p {}</style>Ä&#x41;&#99999999999;") == "İÄA\ufffd"


@pytest.mark.parametrize("begun", ["<a ", "<a b=c ", "<a href='", "<!--", "<script", "<!", "&#9"])
def test_html_of_many_beginnings_is_read_once(begun: str) -> None:
    found = html_text(begun * 20_000)  # which takes minutes where each looks for its end
    assert found.count(begun.strip()) >= 19_999 or begun in ("<!--", "&#9")


# ---------------------------------------------------------------------------------------------
# OpenAI
# ---------------------------------------------------------------------------------------------


def test_openai_response() -> None:
    thread = only(SAMPLES["openai-messages, response"].data)
    assert shown(thread) == [
        ("system", "Be brief."),
        ("user", "Which plant?"),
        ("assistant", "Hm."),
        ("assistant", 'web_search({"type": "search", "query": "fern"})'),
        ("assistant", "A fern."),
    ]
    *_, thought, called, answer = thread.messages
    assert (thought.kind, called.kind, called.tool) == ("thinking", "tool_call", "web_search")
    assert {message.model for message in thread.messages[2:]} == {"gpt-5"}
    assert (answer.tokens_in, answer.tokens_out) == (21, 6)
    assert answer.created_at == thread.created_at == at(2026, 3, 1, 10)


def test_openai_batches() -> None:
    asked, answered = read_chat(SAMPLES["openai-messages, batch"].data)
    assert shown(asked) == [("user", "Which plant?")]
    assert asked.metadata["body"] == {"model": "gpt-4o"}
    assert shown(answered) == [("assistant", "A fern."), ("assistant", "Moss.")]
    assert len(answered.roots()) == 2
    assert answered.messages[1].created_at == at(2026, 3, 1, 10)
    assert answered.messages[1].tokens_out == 3
    request = {"custom_id": "r", "body": {"model": "gpt-5", "input": "Hi"}}
    assert shown(only(encode(request))) == [("user", "Hi")]


def test_openai_preferences() -> None:
    thread = only(SAMPLES["openai-messages, preferences"].data)
    asked, better, worse = thread.messages
    assert (better.content, better.parent) == ("A fern.", asked)
    assert (worse.content, worse.parent) == ("No idea.", asked)
    assert thread.metadata["prompt"] == "Which plant?"
    said = {"role": "assistant", "content": "A fern."}
    row = {
        "input": {"messages": [{"role": "user", "content": "Which plant?"}], "tools": []},
        "preferred_output": [said],
        "non_preferred_output": [said | {"content": "No idea."}],
    }
    thread = only(encode(row))
    assert [message.content for message in thread.messages[0].replies] == ["A fern.", "No idea."]
    assert thread.metadata["input"] == {"tools": []}


def test_texts_that_are_called_like_messages_are_kept() -> None:
    row = {"messages": [{"role": "user", "content": "Hi"}], "prompt": "x", "output": ["y"]}
    assert only(encode(row)).metadata == {"prompt": "x", "output": ["y"]}


# ---------------------------------------------------------------------------------------------
# Laboratories
# ---------------------------------------------------------------------------------------------


def test_lm_studio() -> None:
    thread = only(SAMPLES["lm-studio"].longer)
    system, asked, first, second, thanks = thread.messages
    assert (thread.title, system.role) == ("Plants", "system")
    assert first.parent is second.parent is asked
    assert thanks.parent is second
    assert kinds(second) == ["thinking", "tool_call", "tool_result", "text"]
    assert second.parts[1].call_id == second.parts[2].call_id == "k1"
    assert (second.author, second.model) == ("model-1", "lab/model-1")
    assert (second.tokens_in, second.tokens_out) == (40, 6)


# ---------------------------------------------------------------------------------------------
# Libraries
# ---------------------------------------------------------------------------------------------


def test_pydantic_ai() -> None:
    thread = only(SAMPLES["pydantic-ai"].data)
    assert shown(thread) == [
        ("system", "Be brief."),
        ("user", "Which plant?\n[image: https://example.org/fern.png]"),
        ("assistant", 'I look.\nlook_up({"plant": "fern"})'),
        ("tool", '{"found": 7}'),
        ("assistant", "A fern."),
    ]
    called = thread.messages[2]
    assert kinds(called) == ["thinking", "tool_call"]
    assert (called.model, called.tokens_in, called.tokens_out) == ("test-1", 52, 2)
    assert called.created_at == at(2026, 1, 5, 10, 0, 2)
    assert thread.source_id == "01a223e5-f692-7526-863b-cae315166865"


@pytest.mark.parametrize(
    ("part", "role", "content"),
    [
        ({"part_kind": "retry-prompt", "content": "Again.", "tool_name": "f"}, "tool", "Again."),
        ({"part_kind": "retry-prompt", "content": "Again."}, "user", "Again."),
        (
            {
                "part_kind": "user-prompt",
                "content": [{"kind": "binary", "media_type": "audio/mp3", "data": "AA"}],
            },
            "user",
            "[audio: audio/mp3]",
        ),
        ({"part_kind": "of tomorrow", "content": "x"}, "unknown", "x"),
    ],
)
def test_parts_of_pydantic_ai(part: Any, role: str, content: str) -> None:
    assert shown(only(encode([{"kind": "request", "parts": [part]}]))) == [(role, content)]


def test_ai_sdk() -> None:
    thread = only(SAMPLES["ai-sdk"].data)
    assert (thread.source_id, thread.title) == ("chat-1", "Weather")
    asked, answer = thread.messages
    assert asked.content == "Weather in Bonn?\n[file: sky.png]"
    assert answer.text == "Nine degrees."
    assert [(part.kind, part.tool) for part in answer.parts] == [
        ("thinking", None),
        ("tool_call", "weather"),
        ("tool_result", "weather"),
        ("tool_call", "maps"),
        ("tool_result", "maps"),
        ("citation", None),
        ("other", None),
        ("text", None),
    ]
    assert answer.parts[2].data == {"degrees": 9}
    assert (answer.model, answer.tokens_in, answer.tokens_out) == ("gpt-5", 12, 7)


def test_ai_sdk_of_version_4() -> None:
    invocation = {"state": "result", "toolCallId": "c", "toolName": "w", "args": {}, "result": 9}
    message = {
        "id": "a",
        "role": "assistant",
        "content": "Nine.",
        "createdAt": "2025-01-01T00:00:00.000Z",
        "parts": [
            {"type": "tool-invocation", "toolInvocation": invocation},
            {"type": "source", "source": {"sourceType": "url", "url": "u", "title": "W"}},
            {"type": "text", "text": "Nine."},
        ],
    }
    (found,) = only(encode([message])).messages
    assert kinds(found) == ["tool_call", "tool_result", "citation", "text"]
    assert (found.content, found.created_at) == ("w({})\n9\n[citation: W]\nNine.", at(2025, 1, 1))


def test_langchain_dumps() -> None:
    thread = only(SAMPLES["langchain, dumps"].data)
    assert shown(thread) == [
        ("user", "Which plant?"),
        ("assistant", 'look_up({"plant": "fern"})'),
        ("tool", "fern"),
        ("assistant", "A fern."),
    ]
    called = thread.messages[1]
    assert (called.model, called.tokens_in, called.tokens_out) == ("m-1", 20, 5)
    assert called.parts[0].call_id == thread.messages[2].parts[0].call_id == "c1"
    state = {"messages": [dumped("human", "HumanMessage", content="Hi")], "step": 3}
    thread = only(encode(state))
    assert (shown(thread), thread.metadata) == ([("user", "Hi")], {"step": 3})
    bare = dumped("human", "HumanMessage", content="Hi")
    del bare["kwargs"]["type"]
    assert shown(only(encode([bare]))) == [("user", "Hi")]


def test_langchain_names_its_classes_and_nothing_is_made_of_them() -> None:
    found = read([dumped("human", "HumanMessage", content="Hi"), dumped("x", "os.system")])
    assert [shown(thread) for thread in found] == [[("user", "Hi"), ("x", "")]]
    assert said(found) == []


# ---------------------------------------------------------------------------------------------
# LangGraph
# ---------------------------------------------------------------------------------------------


def test_langgraph(require_optional: Any) -> None:
    require_optional("msgpack")
    thread = only(langgraph(False))
    asked, called, found, answer, again = thread.messages
    assert shown(thread) == [
        ("user", "Which plant?"),
        ("assistant", 'look_up({"plant": "fern"})'),
        ("tool", "fern"),
        ("assistant", "A fern."),
        ("assistant", "Moss."),
    ]
    assert called.parent is again.parent is asked
    assert (answer.model, answer.parent) == ("m-1", found)
    assert answer.created_at == at(2026, 3, 1, 10, 0, 4)
    assert thread.metadata["channels"] == {"mood": "sure"}


def test_langgraph_a_message_that_was_changed_and_states_that_are_not_read(
    require_optional: Any,
) -> None:
    require_optional("msgpack")
    first = checkpoint(1, None, packed_message("human", "Hi", "m1"))
    second = checkpoint(2, 1, packed_message("human", "Hi!", "m1"))
    (thread,) = read(database(CHECKPOINTS, first, second))
    assert [message.source_id for message in thread.messages] == ["m1", "m1/2"]
    assert len(thread.roots()) == 2
    table, (*ids, _, _, about) = checkpoint(3, 2)
    pickled = (table, (*ids, "pickle", b"cos\nsystem\n(S'x'\ntR.", about))
    found = read(database(CHECKPOINTS, first, pickled))
    assert [shown(each) for each in found] == [[("user", "Hi")]]
    assert "'pickle', which is not read" in found.problems[0].why
    state = {"ts": later(1), "channel_values": {"messages": [dumped("human", "HumanMessage")]}}
    table, (*ids, _, _, about) = checkpoint(1, None)
    plain = (table, (*ids, "json", encode(state), about))
    assert [message.role for message in only(database(CHECKPOINTS, plain)).messages] == ["user"]


def test_langgraph_needs_msgpack(monkeypatch: pytest.MonkeyPatch, require_optional: Any) -> None:
    require_optional("msgpack")
    data = langgraph(False)
    monkeypatch.setitem(sys.modules, "msgpack", None)
    with pytest.raises(EcsvizError, match="langgraph"):
        read_chat(data)
    found = read([data, SAMPLES["codex"].data])
    assert [thread.source for thread in found] == ["codex"]
    assert "not read" in found.problems[0].why


def test_objects_within_objects_are_opened_so_far(require_optional: Any) -> None:
    msgpack = require_optional("msgpack")
    value: Any = "end"
    for _ in range(2_000):
        value = msgpack.ExtType(2, msgpack.packb(["a", "B", value]))
    told = opened(unpacked(msgpack.packb(value), of_bytes(b"").place()), of_bytes(b"").place())
    depth = 0
    while "args" in told:
        told, depth = told["args"], depth + 1
    assert 4 < depth < 100
    assert told["data"]["hex"]
