"""Formats of tools for programming: what is read from a small file of each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ecsviz.errors import ImportFormatError
from ecsviz.importers import ChatImportWarning, read_chat
from tests.chat_coding import (
    CURSOR,
    codex_record,
    codex_said,
    vscode_request,
    vscode_session,
)
from tests.chat_files import at, encode, kinds, only, read, said, shown
from tests.chat_formats import SAMPLES
from tests.chat_sample import database, lines


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


def test_aider_tells_a_start_that_is_no_time() -> None:
    wrong = SAMPLES["aider"].data.replace(b"2025-03-01 10:", b"2025-03-01 99:")
    wrong = wrong.replace(b"2.3k", b"9" * 400 + b"k")
    with pytest.warns(ChatImportWarning, match="when it started"):
        found = read_chat(wrong)
    assert (len(found), found[0].created_at) == (2, None)
    assert found[0].metadata["started"].startswith("2025-03-01 99:")
    assert found[0].messages[2].tokens_in is None
    assert "when it started" in [problem.what for problem in found.problems]


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
