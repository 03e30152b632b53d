"""Small files of what tools for programming, laboratories and interfaces of models write."""

from __future__ import annotations

from typing import Any

from tests.chat_files import encode
from tests.chat_sample import Sample

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


SAMPLES: dict[str, Sample] = {
    "gemini-api": Sample("gemini-api", gemini_api, 1, 6, 5, 1, 1, 2),
    "ai-studio": Sample("ai-studio", ai_studio, 1, 5, 4, 1, 0, 1),
    "gemini-takeout": Sample("gemini-takeout", gemini_takeout, 2, 5, 3, 2, 0, 2),
    "pydantic-ai": Sample("pydantic-ai", pydantic_ai, 1, 5, 4, 1, 0, 1),
    "ai-sdk": Sample("ai-sdk", ai_sdk, 1, 2, 1, 1, 0, 1),
    "langchain, dumps": Sample("langchain", langchain_dumps, 1, 4, 3, 1, 0, 1),
}
