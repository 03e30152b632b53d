"""Samples of programs in which one talks with models, which `tests.chat_formats` collects."""

from __future__ import annotations

from typing import Any

from tests.chat_files import encode, zipped
from tests.chat_sample import Sample, database, lines

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


def nextchat(longer: bool) -> bytes:
    call = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
    image = [
        {"type": "text", "text": "And this?"},
        {"type": "image_url", "image_url": {"url": "u"}},
    ]
    said = [
        {"id": "n1", "date": "1/2/2025, 3:04:05 PM", "role": "user", "content": "A fern?"},
        {
            "id": "n2",
            "date": "1/2/2025, 3:04:09 PM",
            "role": "assistant",
            "content": "<think>Hm.</think>\nBracken.",
            "model": "gpt-4o",
            "streaming": False,
            "tools": [call | {"content": "a fern"}],
        },
        {"id": "n3", "date": "2025/1/2 下午3:05:01", "role": "user", "content": image},
    ]
    if longer:
        said.append({"id": "n4", "date": "", "role": "assistant", "content": "Moss."})
    one = {"id": "s1", "topic": "Ferns", "messages": said, "lastUpdate": 1735830245000}
    two = {"id": "s2", "topic": "Mosses", "messages": said[:1], "mask": {"name": "Gardener"}}
    store = {"sessions": [one, two], "currentSessionIndex": 0}
    return encode({"chat-next-web-store": store, "app-config": {"theme": "dark"}})


def sillytavern(longer: bool) -> bytes:
    head = {
        "user_name": "Ann",
        "character_name": "Fern",
        "create_date": "2024-7-12@01h31m37s",
        "chat_metadata": {"note_prompt": "Be brief."},
    }
    swipes = ["I am a fern.", "I am moss."]
    infos = [
        {"send_date": "July 12, 2024 1:33am", "extra": {"model": "m-1"}},
        {"send_date": "July 12, 2024 1:34am", "extra": {"model": "m-2"}},
    ]
    said = [
        {"name": "Fern", "is_user": False, "mes": "Hello", "send_date": "July 12, 2024 1:31am"},
        {"name": "Ann", "is_user": True, "mes": "Who?", "send_date": "2024-7-12 @01h 32m 5s 7ms"},
        {
            "name": "Fern",
            "is_user": False,
            "mes": swipes[1],
            "send_date": infos[1]["send_date"],
            "extra": {"model": "m-2", "reasoning": "Who am I?", "token_count": 5},
            "swipes": swipes,
            "swipe_id": 1,
            "swipe_info": infos,
        },
        {"name": "Ann", "is_user": True, "mes": "Fine.", "send_date": "2024-07-12T01:35:00Z"},
    ]
    if longer:
        said.append({"name": "Fern", "is_user": False, "mes": "Yes.", "send_date": 1720748160000})
    return lines(head, *said)


def huggingchat(longer: bool) -> bytes:
    def message(key: str, who: str, text: str, *above: str, **more: Any) -> dict[str, Any]:
        made = {"createdAt": "2024-05-01T10:00:00.000Z", "updatedAt": "2024-05-01T10:00:01.000Z"}
        return {"id": key, "from": who, "content": text, "ancestors": list(above), **made, **more}

    call = {"type": "tool", "uuid": "t1", "call": {"name": "look_up", "parameters": {"q": "fern"}}}
    result = {"status": "success", "outputs": [{"found": "bracken"}]}
    updates = [
        call | {"subtype": "call"},
        {"type": "tool", "subtype": "result", "uuid": "t1", "result": result},
        {"type": "status", "status": "finished"},
    ]
    said = [
        message("r", "system", ""),
        message("q", "user", "A fern?", "r", files=["file-1.png"]),
        message("a", "assistant", "Bracken.", "r", "q", updates=updates, reasoning="Hm.", score=1),
        message("b", "assistant", "Moss.", "r", "q"),
    ]
    if longer:
        said.append(message("c", "user", "Moss?", "r", "q", "b"))
    whole = {"_id": "65f0c0ffee00000000000001", "title": "Ferns", "model": "org/model"}
    return encode([whole | {"messages": said, "rootMessageId": "r", "preprompt": ""}])


def lobe_messages(longer: bool) -> list[dict[str, Any]]:
    call = {"id": "c1", "identifier": "flora", "apiName": "look_up", "arguments": '{"q": "fern"}'}
    plugin = {"identifier": "flora", "apiName": "look_up", "arguments": "{}"}
    when, topic = 1735689600000, {"sessionId": "s1", "topicId": "t1"}
    usage = {"totalInputTokens": 7, "totalOutputTokens": 3}
    said = [
        {"id": "l1", "role": "user", "content": "A fern?", "files": ["f1"], **topic},
        {
            "id": "l2",
            "role": "assistant",
            "content": "",
            "tools": [call],
            "parentId": "l1",
            **topic,
        },
        {"id": "l3", "role": "tool", "content": "bracken", "tool_call_id": "c1", **topic},
        {"id": "l4", "role": "assistant", "content": "Bracken.", "parentId": "l3", **topic},
        {"id": "l5", "role": "assistant", "content": "Moss.", "parentId": "l3", **topic},
        {"id": "l6", "role": "user", "content": "Hi", "sessionId": "s1"},
    ]
    said[1] |= {"parentId": "l1"}
    said[2] |= {"plugin": plugin, "parentId": "l2"}
    said[3] |= {"model": "m", "reasoning": {"content": "Hm.", "duration": 5}, "metadata": usage}
    said[4] |= {"extra": {"fromModel": "n"}, "error": {"type": "NoKey", "message": "No key."}}
    if longer:
        said.append({"id": "l7", "role": "user", "content": "Thanks", **topic})
    return [each | {"createdAt": when + n, "updatedAt": when + n} for n, each in enumerate(said)]


def lobechat(longer: bool) -> bytes:
    state = {
        "messages": lobe_messages(longer),
        "sessions": [{"id": "s1", "meta": {"title": "Garden"}, "config": {"model": "m"}}],
        "topics": [{"id": "t1", "sessionId": "s1", "title": "Ferns", "createdAt": 1735689599000}],
        "settings": {"language": "en"},
    }
    return encode({"exportType": "all", "state": state, "version": 7})


def lobechat_tables(longer: bool) -> bytes:
    said = [each | {"userId": "me", "files": None} for each in lobe_messages(longer)]
    plugin = said[2].pop("plugin") | {"id": "l3", "toolCallId": said[2].pop("tool_call_id")}
    tables = {
        "messages": said,
        "messagePlugins": [plugin],
        "messagesFiles": [{"fileId": "f1", "messageId": "l1"}],
        "files": [{"id": "f1", "name": "fern.png", "fileType": "image/png", "url": "files/1.png"}],
        "sessions": [{"id": "s1", "title": "Garden"}],
        "topics": [{"id": "t1", "sessionId": "s1", "title": "Ferns"}],
        "agents": [{"id": "a1"}],
    }
    return encode({"data": tables, "mode": "pglite", "schemaHash": "1f"})


def jan(longer: bool) -> bytes:
    def message(key: str, role: str, text: str, **more: Any) -> dict[str, Any]:
        value = [{"type": "text", "text": {"value": text, "annotations": []}}]
        own = {"id": key, "object": "thread.message", "thread_id": "j1", "role": role}
        return own | {"content": value, "created_at": 1735689600000, "metadata": {}, **more}

    call = {"id": "c", "function": {"name": "look_up", "arguments": "{}"}, "type": "function"}
    done = {"tool": call, "response": {"content": [{"type": "text", "text": "spores"}]}}
    said = [
        message("j-1", "user", "A fern?"),
        message("j-2", "assistant", "Bracken.", metadata={"tool_calls": [done]}),
    ]
    if longer:
        said.append(message("j-3", "user", "Thanks"))
    about = {"id": "j1", "object": "thread", "title": "Ferns", "created": 1735689600}
    about |= {"assistants": [{"id": "jan", "model": {"id": "llama3"}}], "updated": 1735689700}
    empty = {"id": "j2", "object": "thread", "title": "Nothing", "assistants": []}
    return zipped(
        ("threads/j1/thread.json", encode(about)),
        ("threads/j1/messages.jsonl", lines(*said)),
        ("threads/j2/thread.json", encode(empty)),
        ("threads/j2/messages.jsonl", b""),
        ("settings/settings.json", encode({"a": 1})),
    )


def perplexity(longer: bool) -> bytes:
    def entry(key: str, query: str, answer: str, **more: Any) -> dict[str, Any]:
        found = {
            "web_results": [{"name": "Flora", "url": "https://example.org", "snippet": "Old."}]
        }
        blocks = [
            {"intended_usage": "web_results", "web_result_block": found},
            {"intended_usage": "ask_text", "markdown_block": {"answer": answer}},
        ]
        times = {"entry_created_datetime": "2025-06-01T10:00:00.000000", "context_uuid": "p1"}
        own = {"uuid": key, "query_str": query, "thread_title": "Ferns", "display_model": "sonar"}
        return own | times | {"blocks": blocks, **more}

    steps = [
        {"step_type": "INITIAL_QUERY", "content": {"query": "And moss?"}},
        {"step_type": "FINAL", "content": {"answer": '{"answer": "Moss.", "web_results": []}'}},
    ]
    said = [
        entry("e1", "A fern?", "Bracken.", related_queries=["Ferns in Europe"]),
        entry("e2", "And moss?", "", blocks=[], text=encode(steps).decode()),
    ]
    if longer:
        said.append(entry("e3", "Thanks", "", blocks=[]))
    return encode({"status": "success", "entries": said, "thread_metadata": {"mode": "search"}})


COPILOT = """Conversation,Time,Author,Message
Mosses,2025-11-07T07:22:01,AI,"Moss has no roots,
and no flowers."
Mosses,2025-11-07T07:22:01,Human,What is moss?
Ferns,2025-11-06T09:00:03,Human,"Is it a ""fern""?"
Ferns,2025-11-06T09:00:02,AI,Bracken.
Ferns,2025-11-06T09:00:01,Human,Name a fern.
"""


def copilot(longer: bool) -> bytes:
    head, _, rows = COPILOT.partition("\n")
    more = "Mosses,2025-11-07T07:23:00,Human,Thanks\n" if longer else ""
    return f"{head}\n{more}{rows}".encode()


CSV = """id;role;content;created_at;conversation_id;parent_id;model;score
1;system;Be brief.;2025-01-01 10:00:00;one;;;
2;user;A fern?;2025-01-01 10:00:01;one;1;;
3;assistant;Bracken.;2025-01-01 10:00:02;one;2;m-1;5
4;assistant;Moss.;2025-01-01 10:00:03;one;2;m-2;
5;user;Hi;2025-01-01T10:00:04+01:00;two;;;
"""


def csv_rows(longer: bool) -> bytes:
    return (CSV + ("6;assistant;Hello;;two;5;m-1;\n" if longer else "")).encode()


SAMPLES: dict[str, Sample] = {
    "copilot": Sample("copilot", copilot, 2, 5, 3, 2, 0, 2),
    "csv": Sample("csv", csv_rows, 2, 5, 3, 2, 1, 3),
    "huggingchat": Sample("huggingchat", huggingchat, 1, 3, 2, 1, 1, 2),
    "jan": Sample("jan", jan, 2, 2, 1, 1, 0, 1),
    "lobechat": Sample("lobechat", lobechat, 2, 6, 4, 2, 1, 3),
    "lobechat, tables": Sample("lobechat", lobechat_tables, 2, 6, 4, 2, 1, 3),
    "nextchat": Sample("nextchat", nextchat, 2, 4, 2, 2, 0, 2),
    "perplexity": Sample("perplexity", perplexity, 1, 4, 3, 1, 0, 1),
    "sillytavern": Sample("sillytavern", sillytavern, 1, 5, 4, 1, 1, 2),
    "grok": Sample("grok", grok, 1, 3, 2, 1, 1, 2),
    "open-webui": Sample("open-webui", open_webui, 1, 4, 3, 1, 1, 2),
    "open-webui, database": Sample("open-webui", webui_db, 2, 7, 5, 2, 1, 3),
}
