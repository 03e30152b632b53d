"""Small files of what tools for programming write."""

from __future__ import annotations

from typing import Any

from tests.chat_files import encode
from tests.chat_sample import Sample, database, lines


def later(number: int) -> str:
    return f"2026-03-01T10:00:0{number}.000Z"


def codex_record(number: int, kind: str, **payload: Any) -> dict[str, Any]:
    return {"timestamp": later(number), "type": kind, "payload": payload}


def codex_said(number: int, role: str, text: str) -> dict[str, Any]:
    content = [{"type": "output_text" if role == "assistant" else "input_text", "text": text}]
    return codex_record(number, "response_item", type="message", role=role, content=content)


def codex(longer: bool) -> bytes:
    ident = "01a223e5-f692-7526-863b-cae24f85eea1"
    call = {"name": "shell", "arguments": '{"command": ["ls"]}', "call_id": "k1"}
    thought = {"summary": [{"type": "summary_text", "text": "Use ls."}], "encrypted_content": "zz"}
    usage = {"input_tokens": 120, "output_tokens": 8}
    records = [
        codex_record(0, "session_meta", id=ident, timestamp=later(0), cwd="/w", originator="cli"),
        codex_said(0, "user", "<environment_context>linux</environment_context>"),
        codex_record(1, "turn_context", cwd="/w", model="gpt-5-codex", effort="high"),
        codex_said(1, "user", "List the files."),
        codex_record(2, "response_item", type="reasoning", **thought),
        codex_record(3, "response_item", type="function_call", **call),
        codex_record(4, "response_item", type="function_call_output", call_id="k1", output="a.py"),
        codex_said(5, "assistant", "There is a.py."),
        codex_record(5, "event_msg", type="token_count", info={"last_token_usage": usage}),
        codex_record(6, "event_msg", type="thread_rolled_back", num_turns=1),
        codex_said(7, "user", "Count the files."),
    ]
    if longer:
        records.append(codex_said(8, "assistant", "One."))
    return lines(*records)


def gemini_cli(longer: bool) -> bytes:
    head = {
        "sessionId": "3b1f6c1e-6a8b-4b62-93a5-0a9d5d3f8c11",
        "projectHash": "9f2c",
        "startTime": later(0),
        "lastUpdated": later(9),
        "kind": "main",
    }
    result = {"id": "t1", "name": "ls", "response": {"output": "a.py"}}
    call = {
        "id": "t1",
        "name": "ls",
        "args": {"path": "."},
        "status": "success",
        "timestamp": later(2),
        "result": [{"functionResponse": result}],
        "resultDisplay": "Listed 1 file",
    }
    records = [
        head,
        {"id": "m1", "timestamp": later(1), "type": "user", "content": [{"text": "What is here?"}]},
        {"id": "m2", "timestamp": later(2), "type": "gemini", "content": "I lo"},
        {
            "id": "m2",
            "timestamp": later(3),
            "type": "gemini",
            "content": "I look.",
            "thoughts": [{"subject": "Plan", "description": "Use ls.", "timestamp": later(2)}],
            "toolCalls": [call],
            "model": "gemini-3-pro",
            "tokens": {"input": 70, "output": 9, "thoughts": 4, "cached": 5, "total": 83},
        },
        {"$set": {"summary": "A look around", "lastUpdated": later(8)}},
        {"$rewindTo": "m2"},
        {"id": "m3", "timestamp": later(4), "type": "gemini", "content": "One file."},
    ]
    if longer:
        records.append({"id": "m4", "timestamp": later(5), "type": "info", "content": "Bye."})
    return lines(*records)


CURSOR = """
CREATE TABLE ItemTable (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB);
CREATE TABLE cursorDiskKV (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB);
"""


def cursor(longer: bool) -> bytes:
    def row(key: str, value: Any, table: str = "cursorDiskKV") -> tuple[str, Any]:
        return table, (key, encode(value))

    tool = {
        "tool": 5,
        "name": "list_dir",
        "toolCallId": "k1",
        "rawArgs": '{"path": "."}',
        "result": '{"files": ["a.py"]}',
        "status": "completed",
    }
    bubbles: dict[str, dict[str, Any]] = {
        "b1": {"type": 1, "text": "List the files.", "createdAt": later(1)},
        "b2": {"type": 2, "thinking": {"text": "Use the tool."}, "toolFormerData": tool},
        "b3": {
            "type": 2,
            "text": "There is a.py.",
            "createdAt": later(3),
            "tokenCount": {"inputTokens": 31, "outputTokens": 4},
            "modelInfo": {"modelName": "gpt-5"},
        },
    }
    if longer:
        bubbles["b4"] = {"type": 1, "text": "Thanks", "createdAt": later(4)}
    heads = [{"bubbleId": key, "type": bubble["type"]} for key, bubble in bubbles.items()]
    chat = {
        "composerId": "c-1",
        "name": "Files",
        "createdAt": 1772359200000,
        "fullConversationHeadersOnly": heads,
        "modelConfig": {"modelName": "sonnet"},
    }
    early = {"type": "user", "text": "Name a fern."}
    answer = {"type": "ai", "text": "Bracken.", "modelType": "gpt-4"}
    tabs = {"tabs": [{"tabId": "t-1", "chatTitle": "Ferns", "bubbles": [early, answer]}]}
    return database(
        CURSOR,
        row("composerData:c-1", chat),
        *(row(f"bubbleId:c-1:{key}", bubble) for key, bubble in bubbles.items()),
        row("workbench.panel.aichat.view.aichat.chatdata", tabs, "ItemTable"),
    )


def vscode_request(number: int, text: str, *response: Any, **more: Any) -> dict[str, Any]:
    return {
        "requestId": f"request_{number}",
        "responseId": f"response_{number}",
        "message": {"text": text, "parts": [{"kind": "text", "text": text}]},
        "response": list(response),
        "timestamp": 1772359200000 + number,
        **more,
    }


def vscode_session(*requests: Any) -> dict[str, Any]:
    return {
        "version": 3,
        "sessionId": "7a1f6c1e-6a8b-4b62-93a5-0a9d5d3f8c11",
        "creationDate": 1772359200000,
        "lastMessageDate": 1772359290000,
        "customTitle": "Renaming",
        "requesterUsername": "ann",
        "responderUsername": "GitHub Copilot",
        "requests": list(requests),
    }


def vscode_requests(longer: bool) -> list[dict[str, Any]]:
    tool = {
        "kind": "toolInvocationSerialized",
        "toolId": "copilot_readFile",
        "toolCallId": "k1",
        "pastTenseMessage": {"value": "Read a.py"},
        "isComplete": True,
        "resultDetails": {
            "input": '{"path": "a.py"}',
            "output": [{"type": "embed", "value": "foo = 1"}],
        },
    }
    reference = {
        "kind": "inlineReference",
        "inlineReference": {"path": "/w/a.py", "scheme": "file"},
    }
    first = vscode_request(
        1,
        "Rename foo",
        {"kind": "thinking", "value": "Find it.", "id": "th1"},
        tool,
        {"value": "I renamed it in ", "supportHtml": False},
        reference,
        {"value": "."},
        modelId="copilot/gpt-4o",
        variableData={"variables": [{"kind": "file", "name": "a.py", "id": "v1"}]},
        result={"timings": {"totalElapsed": 900}},
    )
    second = vscode_request(2, "Thanks", {"value": "Welcome."})
    return [first, second, *([vscode_request(3, "Bye") | {"response": None}] if longer else [])]


def vscode_chat(longer: bool) -> bytes:
    return encode(vscode_session(*vscode_requests(longer)))


def vscode_log(longer: bool) -> bytes:
    first, second, *more = vscode_requests(longer)
    pieces = second["response"]
    return lines(
        {"kind": 0, "v": vscode_session(first, second | {"response": [{"value": "Wel"}]})},
        {"kind": 2, "k": ["requests", 1, "response"], "v": pieces, "i": 0},
        {"kind": 1, "k": ["customTitle"], "v": "Renaming foo"},
        {"kind": 3, "k": ["requesterUsername"]},
        *({"kind": 2, "k": ["requests"], "v": [each]} for each in more),
    )


AIDER = """
# aider chat started at 2025-03-01 10:00:00

> Aider v0.75.0
> Main model: gpt-4o with diff edit format

#### rename foo to bar
#### everywhere

I renamed it:

```python
bar = 1
```

> Tokens: 2.3k sent, 120 received. Cost: $0.01
> Applied edit to a.py

#### thanks

Welcome.

# aider chat started at 2025-03-02 09:00:00

#### hello
"""


def aider(longer: bool) -> bytes:
    return (AIDER + ("\nHello!\n" if longer else "")).encode()


def cline(longer: bool) -> bytes:
    def said(number: int, role: str, *content: Any, **more: Any) -> dict[str, Any]:
        return {"role": role, "content": content, "ts": 1772359200000 + number, **more}

    call = {"type": "tool_use", "id": "k1", "name": "read_file", "input": {"path": "a.py"}}
    result = {"type": "tool_result", "tool_use_id": "k1", "content": "foo = 1"}
    about = {
        "modelInfo": {"modelId": "sonnet"},
        "metrics": {"tokens": {"prompt": 9, "completion": 3}},
    }
    messages = [
        said(1, "user", {"type": "text", "text": "<task>rename foo</task>"}),
        said(2, "assistant", {"type": "text", "text": "I look."}, call, **about),
        said(3, "user", result),
        said(4, "assistant", {"type": "text", "text": "Done."}),
    ]
    if longer:
        messages.append(said(5, "user", {"type": "text", "text": "Thanks"}))
    return encode(messages)


def cline_shown(longer: bool) -> bytes:
    def shown(number: int, how: str, kind: str, text: str, **more: Any) -> dict[str, Any]:
        return {"ts": 1772359200000 + number, "type": how, how: kind, "text": text, **more}

    messages = [
        shown(1, "say", "text", "rename foo"),
        shown(2, "say", "api_req_started", '{"tokensIn": 9, "tokensOut": 3, "cost": 0.5}'),
        shown(3, "say", "reasoning", "Find it."),
        shown(4, "ask", "tool", '{"tool": "readFile", "path": "a.py"}'),
        shown(5, "ask", "command", "ls"),
        shown(6, "say", "command_output", "a.py"),
        shown(7, "ask", "followup", '{"question": "Which?", "options": ["foo", "bar"]}'),
        shown(8, "say", "user_feedback", "foo", images=["data:image/png;base64,AA"]),
        shown(9, "say", "completion_result", "Done."),
    ]
    if longer:
        messages.append(shown(10, "say", "user_feedback", "Thanks"))
    return encode(messages)


SAMPLES: dict[str, Sample] = {
    "codex": Sample("codex", codex, 1, 7, 6, 1, 1, 2),
    "gemini-cli": Sample("gemini-cli", gemini_cli, 1, 3, 2, 1, 1, 2),
    "cursor": Sample("cursor", cursor, 2, 5, 3, 2, 0, 2),
    "vscode-chat": Sample("vscode-chat", vscode_chat, 1, 4, 3, 1, 0, 1),
    "vscode-chat, log": Sample("vscode-chat", vscode_log, 1, 4, 3, 1, 0, 1),
    "aider": Sample("aider", aider, 2, 7, 5, 2, 0, 2),
    "cline": Sample("cline", cline, 1, 4, 3, 1, 0, 1),
    "cline, shown": Sample("cline", cline_shown, 1, 9, 8, 1, 0, 1),
}
