"""Small files of what tools for programming, laboratories and interfaces of models write."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from tests.chat_coding import later
from tests.chat_files import encode
from tests.chat_sample import Sample, database, lines

# ---------------------------------------------------------------------------------------------
# Gemini
# ---------------------------------------------------------------------------------------------


def gemini_api(longer: bool) -> bytes:
    contents: list[Any] = [
        {
            "role": "user",
            "parts": [
                {"text": "Which plant?"},
                {"inlineData": {"mimeType": "image/png", "data": "AAEC"}},
            ],
        },
        {
            "role": "model",
            "parts": [
                {"text": "I look it up.", "thought": True},
                {"functionCall": {"id": "c1", "name": "look_up", "args": {"plant": "fern"}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "c1", "name": "look_up", "response": {"found": 7}}}
            ],
        },
    ]
    usage = {"promptTokenCount": 31, "candidatesTokenCount": 4, "thoughtsTokenCount": 2}
    answers = ["A fern.", "Bracken."]
    response = {
        "candidates": [
            {
                "content": {"role": "model", "parts": [{"text": text}]},
                "finishReason": "STOP",
                "index": number,
            }
            for number, text in enumerate(answers)
        ],
        "usageMetadata": usage,
        "modelVersion": "gemini-2.5-flash",
        "responseId": "r-7",
    }
    if longer:
        response["candidates"].append({"content": {"role": "model", "parts": [{"text": "Moss?"}]}})
    request = {"contents": contents, "systemInstruction": {"parts": [{"text": "Be brief."}]}}
    return encode({"key": "row-1", "request": request, "response": response})


def ai_studio(longer: bool) -> bytes:
    when = "2025-06-02T10:00:0{}.000Z"
    chunks: list[Any] = [
        {"text": "What is loess?", "role": "user", "tokenCount": 5, "createTime": when.format(1)},
        {"driveDocument": {"id": "1aBc"}, "role": "user", "tokenCount": 258},
        {
            "text": "Wind, silt.",
            "role": "model",
            "isThought": True,
            "tokenCount": 3,
            "parts": [{"text": "Wind, ", "thought": True}, {"text": "silt.", "thought": True}],
        },
        {
            "text": "Silt that the wind has left.",
            "role": "model",
            "finishReason": "STOP",
            "tokenCount": 8,
            "createTime": when.format(4),
        },
    ]
    if longer:
        chunks.append({"text": "And where?", "role": "user", "tokenCount": 4})
    return encode(
        {
            "runSettings": {"temperature": 1.0, "model": "models/gemini-2.5-pro"},
            "systemInstruction": {"text": "Be brief."},
            "chunkedPrompt": {"chunks": chunks, "pendingInputs": [{"text": "", "role": "user"}]},
        }
    )


def activity(number: int, title: str, html: str | None, **more: Any) -> dict[str, Any]:
    answer = {} if html is None else {"safeHtmlItem": [{"html": html}]}
    return {
        "header": "Gemini Apps",
        "title": title,
        "time": f"2026-03-02T09:1{number}:00.000Z",
        "products": ["Gemini Apps"],
        **answer,
        **more,
    }


def gemini_takeout(longer: bool) -> bytes:
    url = {"titleUrl": "https://gemini.google.com/app/5d0c8b7e1f2a3b4c"}
    records = [
        activity(2, "Prompted And where?", "<p>In China.</p>", **url),
        activity(1, "Prompted What is loess?", "<p>Wind-blown <b>silt</b>.</p>", **url),
        activity(3, "Prompted Name a fern", None, attachedFiles=["fern.png"]),
    ]
    if longer:
        records.insert(0, activity(5, "Prompted Thanks", None, **url))
    return encode(records)


def activity_cell(prompt: str, when: str, answer: str = "") -> str:
    return (
        '<div class="outer-cell mdl-cell mdl-shadow--2dp"><div class="mdl-grid">'
        '<div class="header-cell"><p class="mdl-typography--title">Gemini Apps<br></p></div>'
        '<div class="content-cell mdl-cell mdl-typography--body-1">'
        f"{prompt}<br>{when}<br>{answer}</div>"
        '<div class="content-cell mdl-cell mdl-typography--text-right"></div></div></div>'
    )


def gemini_page(longer: bool) -> bytes:
    answer = "<p>Bracken.</p>" if longer else ""
    cells = [
        activity_cell("Prompted\xa0Name a fern", "Mar 2, 2026, 10:14:00\u202fAM CET", answer),
        activity_cell(
            "Prompted\xa0What is<br>loess?",
            "Mar 2, 2026, 9:11:00\u202fAM UTC",
            "<p>Wind-blown <b>silt</b>.</p>",
        ),
    ]
    head = "<html><head><title>My Activity History</title><style>.mdl-grid{}</style></head><body>"
    return f"{head}{''.join(cells)}</body></html>".encode()


# ---------------------------------------------------------------------------------------------
# Libraries
# ---------------------------------------------------------------------------------------------


def pydantic_ai(longer: bool) -> bytes:
    when = "2026-01-05T10:00:0{}.000000Z"
    run = {"run_id": "01a223e5-f692-7526-863b-cae24f85eea1", "state": "complete"}
    run["conversation_id"] = "01a223e5-f692-7526-863b-cae315166865"
    image = {"url": "https://example.org/fern.png", "kind": "image-url", "media_type": "image/png"}

    def part(kind: str, **more: Any) -> dict[str, Any]:
        return {"part_kind": kind, **more}

    def request(number: int, *parts: Any) -> dict[str, Any]:
        return {"parts": parts, "kind": "request", "timestamp": when.format(number), **run}

    def response(number: int, *parts: Any) -> dict[str, Any]:
        usage = {"input_tokens": 50 + number, "output_tokens": number, "details": {}}
        said = {"parts": parts, "kind": "response", "timestamp": when.format(number), **run}
        return said | {"usage": usage, "model_name": "test-1", "provider_name": "test"}

    messages = [
        request(
            1,
            part("system-prompt", content="Be brief.", timestamp=when.format(0)),
            part("user-prompt", content=["Which plant?", image], timestamp=when.format(1)),
        ),
        response(
            2,
            part("thinking", content="I look.", signature="sig"),
            part("tool-call", tool_name="look_up", args='{"plant": "fern"}', tool_call_id="c1"),
        ),
        request(
            3,
            part("tool-return", tool_name="look_up", content={"found": 7}, tool_call_id="c1"),
        ),
        response(4, part("text", content="A fern.")),
    ]
    if longer:
        messages.append(request(5, part("user-prompt", content="Thanks")))
    return encode(messages)


def ai_sdk(longer: bool) -> bytes:
    messages = [
        {
            "id": "u1",
            "role": "user",
            "parts": [
                {"type": "text", "text": "Weather in Bonn?"},
                {"type": "file", "mediaType": "image/png", "url": "sky.png", "filename": "sky.png"},
            ],
        },
        {
            "id": "a1",
            "role": "assistant",
            "metadata": {"model": "gpt-5", "totalUsage": {"inputTokens": 12, "outputTokens": 7}},
            "parts": [
                {"type": "step-start"},
                {"type": "reasoning", "text": "I ask.", "state": "done"},
                {
                    "type": "tool-weather",
                    "toolCallId": "c1",
                    "state": "output-available",
                    "input": {"city": "Bonn"},
                    "output": {"degrees": 9},
                },
                {
                    "type": "dynamic-tool",
                    "toolName": "maps",
                    "toolCallId": "c2",
                    "state": "output-error",
                    "input": {"q": "Bonn"},
                    "errorText": "no map",
                },
                {"type": "source-url", "sourceId": "s1", "url": "https://example.org/w"},
                {"type": "data-chart", "id": "d1", "data": {"unit": "C"}},
                {"type": "text", "text": "Nine degrees.", "state": "done"},
            ],
        },
    ]
    if longer:
        messages.append({"id": "u2", "role": "user", "parts": [{"type": "text", "text": "Thanks"}]})
    return encode({"id": "chat-1", "title": "Weather", "messages": messages})


def dumped(kind: str, called: str, **kwargs: Any) -> dict[str, Any]:
    return {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "schema", "messages", called],
        "kwargs": {"type": kind, **kwargs},
    }


def langchain_dumps(longer: bool) -> bytes:
    call = {"name": "look_up", "args": {"plant": "fern"}, "id": "c1", "type": "tool_call"}
    told = {"model_name": "m-1", "token_usage": {"prompt_tokens": 20, "completion_tokens": 5}}
    messages = [
        dumped("human", "HumanMessage", content="Which plant?"),
        dumped("ai", "AIMessage", content="", tool_calls=[call], response_metadata=told),
        dumped("tool", "ToolMessage", content="fern", tool_call_id="c1", name="look_up"),
        dumped("ai", "AIMessage", content="A fern.", id="run-1", tool_calls=[]),
    ]
    if longer:
        messages.append(dumped("human", "HumanMessage", content="Thanks"))
    return encode(messages)


# ---------------------------------------------------------------------------------------------
# OpenAI
# ---------------------------------------------------------------------------------------------


def openai_response(longer: bool) -> bytes:
    search = {"type": "search", "query": "fern"}
    cited = {"type": "url_citation", "url": "https://example.org/fern", "title": "Ferns"}
    output = [
        {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": search},
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "A fern.", "annotations": [cited]}],
        },
    ]
    if longer:
        more = [{"type": "output_text", "text": "Or moss."}]
        output.append({"id": "msg_2", "type": "message", "role": "assistant", "content": more})
    return encode(
        {
            "id": "resp_68a1b2c3d4e5f60718293a4b",
            "object": "response",
            "created_at": 1772359200,
            "model": "gpt-5",
            "instructions": "Be brief.",
            "input": "Which plant?",
            "output": output,
            "usage": {"input_tokens": 21, "output_tokens": 6, "total_tokens": 27},
        }
    )


def openai_batch(longer: bool) -> bytes:
    asked = [{"role": "user", "content": "Which plant?"}]
    answers = [
        {"index": n, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        for n, text in enumerate(["A fern.", "Moss.", *(["A tree."] if longer else [])])
    ]
    usage = {"prompt_tokens": 9, "completion_tokens": 3}
    body = {
        "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
        "object": "chat.completion",
        "created": 1772359200,
    }
    body |= {"model": "gpt-4o", "choices": answers, "usage": usage}
    request = {"model": "gpt-4o", "messages": asked}
    return lines(
        {"custom_id": "row-1", "method": "POST", "url": "/v1/chat/completions", "body": request},
        {
            "id": "batch_req_68a1b2c3d4e5f60718293a4b",
            "custom_id": "row-2",
            "response": {"status_code": 200, "body": body},
        },
    )


def thread_message(number: int, role: str, text: str) -> dict[str, Any]:
    """Return a message of the Assistants' interface."""
    return {
        "id": f"msg_{number}",
        "object": "thread.message",
        "created_at": 1772359200 + number,
        "thread_id": "thread_8mTZ4aPq2RkVw0YcX1dEfGhJ",
        "role": role,
        "content": [{"type": "text", "text": {"value": text, "annotations": []}}],
    }


def openai_list(longer: bool) -> bytes:
    said = [thread_message(1, "user", "Which plant?"), thread_message(2, "assistant", "A fern.")]
    said += [thread_message(3, "user", "Thanks")] if longer else []
    return encode({"object": "list", "data": said[::-1], "first_id": "x", "has_more": False})


def openai_preferences(longer: bool) -> bytes:
    asked = {"role": "user", "content": "Which plant?"}
    better, worse = (
        [asked, {"role": "assistant", "content": text}] for text in ("A fern.", "No idea.")
    )
    if longer:
        better.append({"role": "user", "content": "Thanks"})
    more = {"margin": 2.5, "by": "x", "of": 7}
    return encode([{"prompt": "Which plant?", "chosen": better, "rejected": worse, **more}])


# ---------------------------------------------------------------------------------------------
# Laboratories
# ---------------------------------------------------------------------------------------------


def lm_studio(longer: bool) -> bytes:
    def text(value: str) -> list[dict[str, Any]]:
        return [{"type": "text", "text": value}]

    def step(content: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        return {"type": "contentBlock", "stepIdentifier": "s", "content": content, **more}

    stats = {"promptTokensCount": 40, "predictedTokensCount": 6}
    made = {"indexedModelIdentifier": "lab/model-1", "stats": stats}
    call = {"type": "toolCallRequest", "toolCallRequestId": "k1", "name": "look_up"}
    call["parameters"] = {"plant": "fern"}  # type: ignore[assignment]  # of JSON
    result = {"type": "toolCallResult", "toolCallRequestId": "k1", "content": "found"}
    steps = [
        step(text("Hm."), style={"type": "thinking", "ended": True}),
        step([call], genInfo=made),
        step([result]),
        step(text("A fern.")),
    ]
    asked = {"type": "singleStep", "role": "user", "content": text("Which plant?")}
    first = {"type": "multiStep", "role": "assistant", "steps": [step(text("Moss."))]}
    second = {"type": "multiStep", "role": "assistant", "steps": steps}
    second["senderInfo"] = {"senderName": "model-1"}
    thanks = {"type": "singleStep", "role": "user", "content": text("Thanks")}
    messages = [
        {"versions": [asked], "currentlySelected": 0},
        {"versions": [first, second], "currentlySelected": 1},
    ]
    if longer:
        messages.append({"versions": [thanks], "currentlySelected": 0})
    return encode(
        {
            "name": "Plants",
            "pinned": False,
            "createdAt": 1772359200000,
            "systemPrompt": "Be brief.",
            "tokenCount": 55,
            "messages": messages,
        }
    )


CHECKPOINTS = """
CREATE TABLE checkpoints (thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '',
    checkpoint_id TEXT NOT NULL, parent_checkpoint_id TEXT, type TEXT, checkpoint BLOB,
    metadata BLOB, PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id));
CREATE TABLE writes (thread_id TEXT, checkpoint_ns TEXT, checkpoint_id TEXT, task_id TEXT,
    idx INTEGER, channel TEXT, type TEXT, value BLOB);
"""


def packed_object(module: str, called: str, kwargs: Any) -> Any:
    """Return an object as LangGraph packs it: by the name of its class."""
    import msgpack

    told = [module, called, kwargs, "model_validate_json"]
    return msgpack.ExtType(5, msgpack.packb(told))


def packed_message(kind: str, text: str, ident: str | None = None, **more: Any) -> Any:
    called = {"human": "HumanMessage", "ai": "AIMessage", "tool": "ToolMessage"}[kind]
    kwargs = {"content": text, "type": kind, "id": ident, **more}
    return packed_object(f"langchain_core.messages.{kind}", called, kwargs)


def checkpoint(number: int, above: int | None, *messages: Any, **channels: Any) -> tuple[str, Any]:
    import msgpack

    state = {"v": 4, "ts": later(number), "channel_values": {"messages": messages, **channels}}
    about = encode({"source": "loop", "step": number})
    parent = None if above is None else f"1f1eb6c5-000{above}"
    ids = ("t1", "", f"1f1eb6c5-000{number}", parent)
    return "checkpoints", (*ids, "msgpack", msgpack.packb(state), about)


def langgraph(longer: bool) -> bytes:
    call = [{"name": "look_up", "args": {"plant": "fern"}, "id": "c1", "type": "tool_call"}]
    asked = packed_message("human", "Which plant?", "m1")
    called = packed_message("ai", "", "m2", tool_calls=call)
    found = packed_message("tool", "fern", "m3", tool_call_id="c1", name="look_up")
    answer = packed_message("ai", "A fern.", "m4", response_metadata={"model_name": "m-1"})
    rows = [
        checkpoint(1, None, asked),
        checkpoint(2, 1, asked, called),
        checkpoint(3, 2, asked, called, found),
        checkpoint(4, 3, asked, called, found, answer),
        checkpoint(5, 1, asked, packed_message("ai", "Moss.", "m5"), mood="sure"),
    ]
    if longer:
        thanks = packed_message("human", "Thanks", "m6")
        rows.append(checkpoint(6, 4, asked, called, found, answer, thanks, mood="sure"))
    return database(CHECKPOINTS, *rows)


SAMPLES: dict[str, Sample] = {
    "gemini-api": Sample("gemini-api", gemini_api, 1, 6, 5, 1, 1, 2),
    "ai-studio": Sample("ai-studio", ai_studio, 1, 5, 4, 1, 0, 1),
    "gemini-takeout": Sample("gemini-takeout", gemini_takeout, 2, 5, 3, 2, 0, 2),
    "gemini-takeout, page": Sample("gemini-takeout", gemini_page, 2, 3, 1, 2, 0, 2),
    "pydantic-ai": Sample("pydantic-ai", pydantic_ai, 1, 5, 4, 1, 0, 1),
    "ai-sdk": Sample("ai-sdk", ai_sdk, 1, 2, 1, 1, 0, 1),
    "langchain, dumps": Sample("langchain", langchain_dumps, 1, 4, 3, 1, 0, 1),
    "openai-messages, response": Sample("openai-messages", openai_response, 1, 5, 4, 1, 0, 1),
    "openai-messages, batch": Sample("openai-messages", openai_batch, 2, 3, 0, 3, 0, 3),
    "openai-messages, list": Sample("openai-messages", openai_list, 1, 2, 1, 1, 0, 1),
    "openai-messages, preferences": Sample("openai-messages", openai_preferences, 1, 3, 2, 1, 1, 2),
    "lm-studio": Sample("lm-studio", lm_studio, 1, 4, 3, 1, 1, 2),
}
if find_spec("msgpack") is not None:
    SAMPLES["langgraph"] = Sample("langgraph", langgraph, 1, 5, 4, 1, 1, 2)
