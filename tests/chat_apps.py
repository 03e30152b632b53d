"""Samples of programs in which one talks with models, which `tests.chat_formats` collects."""

from __future__ import annotations

from typing import Any

from tests.chat_files import encode
from tests.chat_sample import Sample, database

THOUGHT = (
    '<details type="reasoning" done="true" duration="2">\n'
    "<summary>Thought for 2 seconds</summary>\n"
    "&gt; Which one?\n&gt; Any.\n</details>\n"
)

CALL = (
    '<details type="tool_calls" done="true" id="call_1" name="look_up"'
    ' arguments="{&quot;plant&quot;: &quot;fern&quot;}" result="&quot;spores&quot;">\n'
    "<summary>Tool Executed</summary>\n</details>\n"
)


def webui_messages(longer: bool) -> dict[str, Any]:
    def message(key: str, parent: str | None, role: str, text: str, **more: Any) -> dict[str, Any]:
        own = {"id": key, "parentId": parent, "childrenIds": [], "role": role, "content": text}
        return own | {"timestamp": 1735689600 + len(key), **more}

    file = {"type": "image", "url": "data:image/png;base64,AA"}
    source = {"source": {"name": "Flora", "url": "https://example.org"}, "document": ["Old."]}
    said = [
        message("u", None, "user", "Name a fern.", files=[file], models=["llama3"]),
        message(
            *("aa", "u", "assistant", THOUGHT + CALL + "Bracken."),
            model="llama3",
            done=True,
            sources=[source],
        ),
        message(
            *("bbb", "u", "assistant", "Maidenhair."),
            model="mistral",
            usage={"prompt_tokens": 9, "completion_tokens": 4},
        ),
        message("cccc", "bbb", "user", "Another?"),
    ]
    if longer:
        said.append(message("ddddd", "cccc", "assistant", "", error={"content": "No model."}))
    return {each["id"]: each for each in said}


def webui_chat(longer: bool) -> dict[str, Any]:
    said = webui_messages(longer)
    chat = {
        "title": "Ferns",
        "models": ["llama3"],
        "messages": [said["u"], said["bbb"], said["cccc"]],
    }
    chat["history"] = {"messages": said, "currentId": "cccc"}
    return chat


def open_webui(longer: bool) -> bytes:
    times = {"created_at": 1735689600, "updated_at": 1735689700}
    whole = {"id": "6e1f62a7-93f3-4d39-b9a4-0e5c7aa0c0d1", "user_id": "me", "title": "Ferns"}
    return encode([whole | times | {"chat": webui_chat(longer), "archived": False, "pinned": True}])


WEBUI = """
CREATE TABLE chat (id TEXT PRIMARY KEY, user_id TEXT, title TEXT, chat TEXT, created_at BIGINT,
    updated_at BIGINT, share_id TEXT, archived BOOLEAN, meta TEXT);
CREATE TABLE chat_message (id TEXT PRIMARY KEY, chat_id TEXT, user_id TEXT, role TEXT,
    parent_id TEXT, content TEXT, output TEXT, model_id TEXT, usage TEXT, created_at BIGINT);
CREATE TABLE user (id TEXT PRIMARY KEY, name TEXT, email TEXT);
CREATE TABLE channel (id TEXT PRIMARY KEY, user_id TEXT, name TEXT, created_at BIGINT);
CREATE TABLE message (id TEXT PRIMARY KEY, user_id TEXT, channel_id TEXT, parent_id TEXT,
    content TEXT, created_at BIGINT);
"""


def webui_db(longer: bool) -> bytes:
    output = [
        {"type": "reasoning", "content": [{"type": "output_text", "text": "Hm."}]},
        {"type": "function_call", "call_id": "c", "name": "look_up", "arguments": "{}"},
        {
            "type": "function_call_output",
            "call_id": "c",
            "output": [{"type": "input_text", "text": "x"}],
        },
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Oak."}],
        },
    ]
    said = webui_messages(False)
    chat = encode({"history": {"messages": said}}).decode()
    own = (
        "c1-eeeee",
        "c1",
        "me",
        "assistant",
        "cccc",
        '""',
        encode(output).decode(),
        "m",
        None,
        17,
    )
    when = 1735689600
    rows: list[tuple[str, tuple[Any, ...]]] = [
        ("chat", ("c1", "me", "Ferns", chat, when, when, None, 0, "{}")),
        (
            "chat_message",
            ("c1-u", "c1", "me", "user", None, '"Name a fern."', None, None, None, 16),
        ),
        ("chat_message", own),
        ("user", ("me", "Ann", "ann@example.org")),
        ("channel", ("ch", "me", "garden", when * 10**9)),
        ("message", ("m1", "me", "ch", None, "Tea?", when * 10**9)),
        ("message", ("m2", "you", "ch", "m1", "Yes", when * 10**9 + 1)),
    ]
    if longer:
        rows.append(("message", ("m3", "me", "ch", "m1", "Come", when * 10**9 + 2)))
    return database(WEBUI, *rows)


def grok(longer: bool) -> bytes:
    def response(key: str, parent: str | None, sender: str, text: str, **more: Any) -> Any:
        when = {"$date": {"$numberLong": str(1746093600000 + len(key))}}
        own = {"_id": key, "conversation_id": "g1", "message": text, "sender": sender}
        own |= {"create_time": when, "model": "grok-3", "parent_response_id": parent}
        return {"response": own | more, "share_link": None}

    found = [{"title": "Spores", "url": "https://example.org/spores", "preview": "Tiny."}]
    said = [
        response("a", None, "human", "Do ferns have seeds?", file_attachments=["photo-1"]),
        response(
            *("bb", "a", "ASSISTANT", "No, spores."),
            thinking_trace="Spores.",
            web_search_results=found,
        ),
        response("ccc", "a", "grok-3", "They make spores."),
    ]
    if longer:
        said.append(response("dddd", "ccc", "human", "Thanks"))
    about = {"id": "g1", "title": "Ferns", "create_time": "2025-05-01T10:00:00Z", "starred": True}
    return encode(
        {
            "conversations": [{"conversation": about, "responses": said}],
            "projects": [{"id": "p1"}],
            "tasks": [],
        }
    )


SAMPLES: dict[str, Sample] = {
    "grok": Sample("grok", grok, 1, 3, 2, 1, 1, 2),
    "open-webui": Sample("open-webui", open_webui, 1, 4, 3, 1, 1, 2),
    "open-webui, database": Sample("open-webui", webui_db, 2, 7, 5, 2, 1, 3),
}
