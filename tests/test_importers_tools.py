"""Formats of tools, libraries and interfaces of models: what is read from a small file of each."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ecsviz import ChatMessage, ChatThread
from ecsviz.errors import ImportFormatError
from ecsviz.importers import read_chat
from ecsviz.importers.chat.html_text import html_text
from tests.chat_coding import CURSOR, codex_record, codex_said, vscode_request, vscode_session
from tests.chat_files import encode, read, said
from tests.chat_formats import SAMPLES
from tests.chat_sample import database, lines
from tests.chat_tools import activity, dumped


def only(data: bytes) -> ChatThread:
    (thread,) = read_chat(data)
    return thread


def shown(thread: ChatThread) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in thread.messages]


def kinds(message: ChatMessage) -> list[str]:
    return [part.kind for part in message.parts]


def at(year: int, month: int, day: int, *clock: int) -> datetime:
    return datetime(year, month, day, *clock, tzinfo=UTC)


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
# Tools for programming
# ---------------------------------------------------------------------------------------------


def test_codex() -> None:
    found = read_chat(SAMPLES["codex"].data)
    (thread,) = found
    assert shown(thread)[1:] == [
        ("user", "List the files."),
        ("assistant", "Use ls."),
        ("assistant", 'shell({"command": ["ls"]})'),
        ("tool", "a.py"),
        ("assistant", "There is a.py."),
        ("user", "Count the files."),
    ]
    context, asked, *_, answer, again = thread.messages
    assert (context.hidden, asked.hidden, thread.title) == (True, False, "List the files.")
    assert again.parent is asked.parent is context
    assert (answer.model, answer.tokens_in, answer.tokens_out) == ("gpt-5-codex", 120, 8)
    assert (thread.created_at, thread.updated_at) == (
        at(2026, 3, 1, 10),
        at(2026, 3, 1, 10, 0, 7),
    )


def test_codex_of_old_compacted_and_repeated() -> None:
    old = [
        {"id": "c1", "timestamp": "2025-05-01T10:00:00Z", "instructions": "Be brief."},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        {"type": "local_shell_call", "call_id": "k", "action": {"command": ["ls"]}},
        {"type": "local_shell_call_output", "call_id": "k", "output": "a.py"},
    ]
    thread = only(lines(*old))
    assert [role for role, _ in shown(thread)] == ["user", "assistant", "tool"]
    assert thread.metadata["instructions"] == "Be brief."
    new = [
        codex_record(0, "session_meta", id="c1", timestamp="2026-03-01T10:00:00Z"),
        codex_said(1, "user", "Hi"),
        codex_record(1, "event_msg", type="user_message", message="Hi"),
        codex_record(2, "compacted", message="They said hi."),
        codex_record(3, "event_msg", type="turn_aborted", reason="interrupted"),
    ]
    found = read_chat(lines(*new))
    assert shown(found[0]) == [("user", "Hi"), ("system", "They said hi.")]
    left = found.report().query("kind == 'not read'")
    assert left[["what", "why", "count"]].values.tolist() == [
        ["an event", "says what an item says", 1]
    ]
    records: Any = found[0].metadata["records"]
    assert [record["payload"]["type"] for record in records] == ["turn_aborted"]


def test_gemini_cli() -> None:
    thread = only(SAMPLES["gemini-cli"].data)
    asked, first, second = thread.messages
    assert (thread.title, thread.updated_at) == ("A look around", at(2026, 3, 1, 10, 0, 8))
    assert kinds(first) == ["thinking", "text", "tool_call", "tool_result"]
    assert (first.text, first.tool) == ("I look.", "ls")
    assert first.parts[2].metadata["resultDisplay"] == "Listed 1 file"
    assert (first.model, first.tokens_in, first.tokens_out) == ("gemini-3-pro", 70, 13)
    assert first.parent is second.parent is asked
    whole = {"sessionId": "s", "projectHash": "h", "messages": []}
    whole["messages"] = [
        {"id": "a", "type": "gemini", "content": "", "toolCalls": [{"result": "x"}]}
    ]
    (answer,) = only(encode(whole)).messages
    assert [(part.kind, part.text) for part in answer.parts] == [
        ("tool_call", ""),
        ("tool_result", "x"),
    ]
    found = read(lines(whole, {"$rewindTo": "gone"}))
    assert said(found) == [("s", None, "'$rewindTo'")]


def test_cursor() -> None:
    found = read_chat(SAMPLES["cursor"].data)
    files, ferns = found
    assert (files.title, ferns.title) == ("Files", "Ferns")
    asked, called, answer = files.messages
    assert kinds(called) == ["thinking", "tool_call", "tool_result"]
    assert called.parts[1].data == {"path": "."}
    assert [message.model for message in files.messages] == [None, "sonnet", "gpt-5"]
    assert (answer.tokens_in, answer.tokens_out, answer.created_at) == (
        *(31, 4),
        at(2026, 3, 1, 10, 0, 3),
    )
    assert asked.created_at == at(2026, 3, 1, 10, 0, 1)
    assert [message.model for message in ferns.messages] == [None, "gpt-4"]


def test_cursor_tells_of_rows_that_are_missing_and_counts_those_that_are_left() -> None:
    chat = {"name": "C", "fullConversationHeadersOnly": [{"bubbleId": "b1", "type": 1}]}
    rows = {
        "composerData:c": chat,
        "composerData:empty": {"name": "E"},
        "bubbleId:c:old": {"type": 1, "text": "Gone"},
        "bubbleId:lost:old": {"type": 1, "text": "Lost"},
        "checkpointId:x": {"files": []},
    }
    cells = [("cursorDiskKV", (key, json.dumps(value))) for key, value in rows.items()]
    found = read(database(CURSOR, *cells))
    assert said(found) == [("c", "b1", "a message")]
    left = found.report().query("kind == 'not read'")
    assert sorted(left[["what", "count"]].values.tolist()) == [
        ["a chat", 1],
        ["a message", 2],
        ["rows 'checkpointId'", 1],
    ]


@pytest.mark.parametrize("name", ["vscode-chat", "vscode-chat, log"])
def test_vscode_chats(name: str) -> None:
    thread = only(SAMPLES[name].data)
    asked, answer, thanks, last = thread.messages
    assert asked.content == "Rename foo\n[file: a.py]"
    assert kinds(answer) == ["thinking", "tool_call", "tool_result", "text", "citation"]
    assert answer.text == "I renamed it in `a.py`."
    assert answer.parts[4].url == "/w/a.py"
    assert (answer.author, answer.model) == ("GitHub Copilot", "copilot/gpt-4o")
    assert (thanks.text, last.text, last.parent) == ("Thanks", "Welcome.", thanks)
    assert thread.created_at == at(2026, 3, 1, 10)
    assert thread.title == ("Renaming foo" if name.endswith("log") else "Renaming")


@pytest.mark.parametrize(
    "change",
    [
        {"kind": 1, "k": []},
        {"kind": 1, "k": ["requests", 9, "x"], "v": 1},
        {"kind": 2, "k": ["customTitle"], "v": []},
        {"kind": 3, "k": ["gone", "deep"]},
        {"kind": 9, "k": ["customTitle"]},
        {"kind": 3, "k": ["requests", True]},
    ],
)
def test_a_change_of_what_is_not_there_is_told(change: Any) -> None:
    session = vscode_session(vscode_request(1, "Hi", {"value": "Hello"}))
    data = lines({"kind": 0, "v": session}, change)
    found = read(data)
    assert shown(found[0]) == [("user", "Hi"), ("assistant", "Hello")]
    assert len(found.problems) == 1
    with pytest.raises(ImportFormatError):
        read_chat(data, strict=True)


def test_aider() -> None:
    first, second = read_chat(SAMPLES["aider"].data)
    assert shown(first)[1:4] == [
        ("user", "rename foo to bar\neverywhere"),
        ("assistant", "I renamed it:\n\n```python\nbar = 1\n```"),
        ("system", "Tokens: 2.3k sent, 120 received. Cost: $0.01\nApplied edit to a.py"),
    ]
    answer = first.messages[2]
    assert (answer.model, answer.tokens_in, answer.tokens_out) == ("gpt-4o", 2300, 120)
    assert first.created_at == at(2025, 3, 1, 10)
    there = read_chat(SAMPLES["aider"].data, timezone="Europe/Berlin")
    assert there[0].created_at == at(2025, 3, 1, 9)
    assert there[0].ecs_id == first.ecs_id
    assert shown(second) == [("user", "hello")]


def test_cline(tmp_path: Path) -> None:
    thread = only(SAMPLES["cline"].data)
    assert shown(thread)[1:3] == [
        ("assistant", 'I look.\nread_file({"path": "a.py"})'),
        ("tool", "foo = 1"),
    ]
    called = thread.messages[1]
    assert (called.model, called.tokens_in, called.tokens_out) == ("sonnet", 9, 3)
    seen = only(SAMPLES["cline, shown"].data)
    assert [message.role for message in seen.messages] == [
        *("user", "system", "assistant", "assistant", "assistant"),
        *("tool", "assistant", "user", "assistant"),
    ]
    assert [message.tool for message in seen.messages[3:5]] == ["readFile", "command"]
    assert (seen.messages[1].tokens_in, seen.messages[1].hidden) == (9, True)
    assert seen.messages[6].text == "Which?"
    (tmp_path / "api_conversation_history.json").write_bytes(SAMPLES["cline"].data)
    (tmp_path / "ui_messages.json").write_bytes(SAMPLES["cline, shown"].data)
    found = read_chat(tmp_path)
    assert [len(each.messages) for each in found] == [4]
    left = found.report().query("kind == 'not read'")
    assert left["file"].tolist() == [f"{tmp_path.name}/ui_messages.json"]


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
