"""A small file of every chat format, written from its public description; and a longer one.

Each `Sample` says what reading gives. `longer` is the same file a message later.
"""

from __future__ import annotations

from typing import Any

from tests import chat_apps, chat_coding, chat_messengers, chat_tools
from tests.chat_files import TREE, conversation, encode, node, oa, oa_tree, zipped
from tests.chat_sample import Sample, database, lines

# ---------------------------------------------------------------------------------------------
# Exports of chat programs
# ---------------------------------------------------------------------------------------------


def chatgpt(longer: bool) -> bytes:
    more = (node("more", "y", [], text="and more", create_time=3),) if longer else ()
    return encode([conversation(*TREE, *more, create_time=1.5, current_node="y")])


def deepseek_node(key: str, parent: str | None, *fragments: tuple[str, str]) -> dict[str, Any]:
    said = {
        "files": [],
        "model": "deepseek-reasoner",
        "inserted_at": f"2025-06-01T08:00:0{key}.000000+08:00",
        "fragments": [{"type": kind, "content": text} for kind, text in fragments],
    }
    return {"id": key, "parent": parent, "children": [], "message": said}


def deepseek(longer: bool) -> bytes:
    nodes = [
        {"id": "root", "parent": None, "children": ["1"], "message": None},
        deepseek_node("1", "root", ("REQUEST", "Why are there two tides a day?")),
        deepseek_node("2", "1", ("THINK", "The user asks."), ("RESPONSE", "Two bulges.")),
        deepseek_node("3", "1", ("RESPONSE", "The Moon pulls.")),
    ]
    if longer:
        nodes.append(deepseek_node("4", "3", ("REQUEST", "And the Sun?")))
    whole = {"id": "d1", "title": "Tides", "inserted_at": "2025-06-01T08:00:00.000000+08:00"}
    return encode([whole | {"mapping": {each["id"]: each for each in nodes}}])


def open_assistant(longer: bool) -> bytes:
    answers = [oa("b", oa("d"), role="assistant"), oa("c", role="assistant")]
    return encode(oa_tree(oa("a", *answers, *([oa("more")] if longer else []))))


def claude_message(uuid: str, sender: str, text: str, parent: str, **more: Any) -> dict[str, Any]:
    return {
        "uuid": uuid,
        "sender": sender,
        "text": text,
        "content": [{"type": "text", "text": text}],
        "created_at": "2025-03-01T10:00:00.000000Z",
        "parent_message_uuid": parent,
        "attachments": [],
        **more,
    }


NIL = "00000000-0000-4000-8000-000000000000"

THINKING = [
    {"type": "thinking", "thinking": "Why?"},
    {"type": "text", "text": "Because."},
    {"type": "tool_use", "name": "search", "input": {"q": "why"}},
]


def claude(longer: bool) -> bytes:
    told = [
        claude_message("m1", "human", "Why?", NIL),
        claude_message("m2", "assistant", "Because.", "m1", content=THINKING),
        claude_message("m3", "assistant", "No idea.", "m1"),
        claude_message("m4", "human", "Thanks", "m2"),
    ]
    if longer:
        told.append(claude_message("m5", "assistant", "Welcome", "m4"))
    whole = {"uuid": "c1", "name": "Whys", "created_at": "2025-03-01T09:00:00Z"}
    bare = [
        {"uuid": "n1", "sender": "human", "text": "Hi"},
        {"uuid": "n2", "sender": "assistant", "text": "Hello"},
    ]
    return encode(
        [
            whole | {"chat_messages": told, "account": {"uuid": "me"}},
            {"uuid": "c2", "name": "", "chat_messages": bare},
        ]
    )


def code_record(uuid: str, parent: str | None, kind: str, content: Any, **more: Any) -> Any:
    role = {"user": "user", "assistant": "assistant"}.get(kind, "system")
    return {
        "type": kind,
        "uuid": uuid,
        "parentUuid": parent,
        "sessionId": "s1",
        "timestamp": "2025-07-01T12:10:00Z",
        "cwd": "project",
        "message": {"role": role, "content": content},
        **more,
    }


def claude_code(longer: bool) -> bytes:
    call = [{"type": "tool_use", "id": "t1", "name": "Read", "input": {"file": "a.py"}}]
    result = [{"type": "tool_result", "tool_use_id": "t1", "content": "x = 1"}]
    records = [
        {"type": "summary", "summary": "What is x?", "leafUuid": "r4"},
        code_record("r1", None, "user", "What is x?"),
        code_record("r2", "r1", "assistant", call),
        code_record("r3", "r2", "user", result, isMeta=True),
        code_record("r4", "r3", "assistant", [{"type": "text", "text": "x is 1."}]),
        code_record("r5", "r3", "assistant", "x is one."),
    ]
    if longer:
        records.append(code_record("r6", "r5", "user", "Thanks"))
    return lines(*records)


def sharegpt(longer: bool) -> bytes:
    turns = [{"from": "system", "value": "Be brief."}, {"from": "human", "value": "Hi"}]
    turns += [{"from": "gpt", "value": "Hello", "weight": 1}]
    more = [{"from": "human", "value": "Bye"}] if longer else []
    return encode(
        [
            {"id": "one", "conversations": turns + more},
            {"id": "two", "conversations": turns[1:], "model": "m"},
        ]
    )


def openai_messages(longer: bool) -> bytes:
    system = {"role": "system", "content": "Be brief."}
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {}}]
    first = [
        system,
        {"role": "user", "content": parts, "name": "Ann"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "a cat", "tool_call_id": "call_1"},
    ]
    if longer:
        first.append({"role": "assistant", "content": "A cat."})
    second = [system, {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}]
    return lines({"messages": first}, {"messages": second, "custom_id": "second"})


def librechat_message(ident: str, parent: str, text: str, *children: Any) -> dict[str, Any]:
    by_user = ident.startswith("q")
    return {
        "messageId": ident,
        "conversationId": "l1",
        "parentMessageId": parent,
        "isCreatedByUser": by_user,
        "sender": "User" if by_user else "GPT-4",
        "model": None if by_user else "gpt-4",
        "text": text,
        "createdAt": "2024-04-09T14:32:05.230Z",
        "children": list(children),
    }


def librechat(longer: bool) -> bytes:
    root = "00000000-0000-0000-0000-000000000000"
    last = [librechat_message("q2", "a1", "Why?")] if longer else []
    tree = librechat_message(
        "q1",
        root,
        "What?",
        librechat_message("a1", "q1", "This.", *last),
        librechat_message("a2", "q1", "That."),
    )
    whole = {"conversationId": "l1", "title": "Whats", "endpoint": "openAI", "recursive": True}
    return encode(whole | {"messages": [tree]})


def chatbot_ui(longer: bool) -> bytes:
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    more = [{"role": "user", "content": "Bye"}] if longer else []
    one = {"id": "h1", "name": "Greeting", "messages": messages + more, "folderId": "f1"}
    two = {"id": "h2", "name": "Again", "messages": messages, "prompt": "Be kind."}
    return encode(
        {
            "version": 4,
            "history": [one, two],
            "folders": [{"id": "f1", "name": "Talks", "type": "chat"}],
            "prompts": [{"id": "p1", "name": "Saved", "content": "x"}],
        }
    )


def slack_message(ts: str, text: str, **more: Any) -> dict[str, Any]:
    return {"type": "message", "user": "U1", "text": text, "ts": ts, **more}


def slack(longer: bool) -> bytes:
    first = [
        slack_message("1700000000.000100", "joined", subtype="channel_join"),
        slack_message("1700000001.000200", "Lunch?", thread_ts="1700000001.000200"),
        slack_message("1700000002.000300", "Ready.", user="U2", bot_id="B1"),
        slack_message("1700000003.000400", "Yes", user="U2", thread_ts="1700000001.000200"),
        slack_message("1700000004.000500", "No", thread_ts="1700000001.000200"),
    ]
    second = [slack_message("1700090000.000100", "Morning")]
    if longer:
        second.append(slack_message("1700090001.000100", "Oh", thread_ts="1700000001.000200"))
    users = [{"id": "U1", "name": "ann", "profile": {"real_name": "Ann"}}]
    return zipped(
        ("users.json", encode(users)),
        ("channels.json", encode([{"id": "C1", "name": "general", "topic": {"value": "all"}}])),
        ("integration_logs.json", encode([{"user_id": "U1"}])),
        ("general/2023-11-14.json", encode(first)),
        ("general/2023-11-15.json", encode(second)),
        ("D1/2023-11-14.json", encode([slack_message("1700000009.000100", "psst")])),
    )


def telegram(longer: bool) -> bytes:
    def message(number: int, text: Any, **more: Any) -> dict[str, Any]:
        when = {"date": "2023-08-23T15:13:20", "date_unixtime": str(1692800000 + number)}
        who = {"from": "Ann", "from_id": "user1"}
        return {"id": number, "type": "message", **when, **who, "text": text, **more}

    messages = [
        {
            "id": 1,
            "type": "service",
            "date": "2023-08-23T15:13:11",
            "actor": "Ann",
            "action": "create_group",
            "text": "",
        },
        message(2, "Hi"),
        message(3, ["see ", {"type": "link", "text": "example.org"}], reply_to_message_id=2),
        message(4, "No", reply_to_message_id=2, **{"from": "Ben"}),
    ]
    if longer:
        messages.append(message(5, "Why?", reply_to_message_id=4))
    chats = [
        {"name": "Friends", "type": "private_group", "id": 77, "messages": messages},
        {"type": "saved_messages", "id": 78, "messages": [message(9, "note")]},
    ]
    return encode({"about": "data", "chats": {"about": "chats", "list": chats}})


WHATSAPP = """[15/8/23, 09:12:33] Ann: \u200eMessages and calls are end-to-end encrypted.
[15/8/23, 09:12:43] Ann: Look
at
this: it is red
\u200e[15/8/23, 09:12:48] Ben: \u200eimage omitted
[15/8/23, 21:12:48] Ben changed the subject
"""


def whatsapp(longer: bool) -> bytes:
    return (WHATSAPP + ("[15/8/23, 21:15:00] Ann: ok\n" if longer else "")).encode()


# ---------------------------------------------------------------------------------------------
# Databases
# ---------------------------------------------------------------------------------------------

LLM_OLD = """
CREATE TABLE conversations (id TEXT PRIMARY KEY, name TEXT, model TEXT);
CREATE TABLE responses (id TEXT PRIMARY KEY, model TEXT, prompt TEXT, system TEXT,
    prompt_json TEXT, options_json TEXT, response TEXT, response_json TEXT, conversation_id TEXT
    REFERENCES conversations(id), duration_ms INTEGER, datetime_utc TEXT);
CREATE TABLE attachments (id TEXT PRIMARY KEY, type TEXT, path TEXT, url TEXT, content BLOB);
CREATE TABLE prompt_attachments (response_id TEXT, attachment_id TEXT, "order" INTEGER);
CREATE TABLE tools (id INTEGER PRIMARY KEY, hash TEXT, name TEXT);
CREATE TABLE tool_calls (id INTEGER PRIMARY KEY, response_id TEXT, tool_id INTEGER, name TEXT,
    arguments TEXT, tool_call_id TEXT);
"""


def llm_old(longer: bool) -> bytes:
    def response(ident: str, prompt: str, answer: str, chat: str | None) -> tuple[str, Any]:
        when, options = "2024-01-01T00:00:00+00:00", '{"t": 1}'
        asked = ("m", prompt, "Be brief.", None, options)
        return "responses", (ident, *asked, answer, '{"n": 2}', chat, 7, when)

    more = [response("r4", "And?", "", "c1")] if longer else []
    return database(
        LLM_OLD,
        ("conversations", ("c1", "Talk", "m")),
        ("conversations", ("c2", "Nothing said", "m")),
        response("r1", "Hi", "Hello", "c1"),
        response("r2", "Bye", "Bye!", "c1"),
        response("r3", "Alone", "Yes", None),
        ("attachments", ("a1", "image/png", "cat.png", None, b"\x89PNG")),
        ("prompt_attachments", ("r1", "a1", 0)),
        ("tools", (1, "h", "clock")),
        ("tool_calls", (1, "r1", 1, "clock", "{}", "call")),
        *more,
    )


LLM_NEW = """
CREATE TABLE messages (hash TEXT PRIMARY KEY, parent_hash TEXT REFERENCES messages(hash),
    role TEXT, provider_metadata TEXT);
CREATE TABLE parts (id INTEGER PRIMARY KEY, message_hash TEXT REFERENCES messages(hash),
    position INTEGER, type TEXT, tool_name TEXT, text TEXT, payload TEXT);
CREATE TABLE threads (id TEXT PRIMARY KEY, name TEXT, tip_message_hash TEXT, forked_from TEXT
    REFERENCES threads(id), datetime_utc TEXT);
CREATE TABLE turns (id TEXT PRIMARY KEY, thread_id TEXT REFERENCES threads(id),
    parent_message_hash TEXT, tip_message_hash TEXT, model TEXT, resolved_model TEXT,
    options_json TEXT, datetime_utc TEXT);
"""


def llm_new(longer: bool) -> bytes:
    said = [
        ("h1", None, "user", "Hi"),
        ("h2", "h1", "assistant", "Hello"),
        ("h3", "h2", "user", "Bye"),
        ("h4", "h2", "user", "Stay"),
        ("lost", None, "user", "Who am I?"),
    ]
    if longer:
        said.append(("h5", "h4", "assistant", "I stay"))
    rows: list[tuple[str, Any]] = []
    for number, (key, parent, role, text) in enumerate(said):
        rows.append(("messages", (key, parent, role, None)))
        rows.append(("parts", (number, key, 0, "text", None, text, None)))
    rows.append(("parts", (90, "h2", 1, "tool_call", "clock", None, '{"at": "now"}')))
    when = "2026-01-01T00:00:00+00:00"
    rows += [
        ("threads", ("t1", "Talk", "h3", None, when)),
        ("threads", ("t2", "Fork", "h5" if longer else "h4", "t1", when)),
        ("turns", ("u1", "t1", "h1", "h2", "m", None, '{"t": 1}', when)),
    ]
    return database(LLM_NEW, *rows)


MESSAGE_STORE = """
CREATE TABLE message_store (id INTEGER PRIMARY KEY, session_id TEXT, message TEXT);
"""


def langchain(longer: bool) -> bytes:
    def row(number: int, session: str, kind: str, text: Any, **more: Any) -> tuple[str, Any]:
        data = {"content": text, "type": kind, "additional_kwargs": {}, "id": None, **more}
        value = encode({"type": kind, "data": data}).decode()
        return "message_store", (number, session, value)

    rows = [
        row(1, "s1", "human", "Hi"),
        row(2, "s2", "system", "Be brief."),
        row(3, "s1", "ai", "Hello", tool_calls=[{"name": "f", "args": {}}], name="bot"),
        row(4, "s2", "human", [{"type": "text", "text": "See"}, {"type": "image_url"}]),
    ]
    return database(MESSAGE_STORE, *rows, *([row(5, "s1", "human", "Bye")] if longer else []))


AGENTS = """
CREATE TABLE agent_sessions (session_id TEXT PRIMARY KEY,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, updated_at TIMESTAMP);
CREATE TABLE agent_messages (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL
    REFERENCES agent_sessions(session_id), message_data TEXT NOT NULL, created_at TIMESTAMP);
"""

BRANCHES = """
CREATE TABLE message_structure (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL,
    message_id INTEGER NOT NULL, branch_id TEXT NOT NULL DEFAULT 'main',
    message_type TEXT NOT NULL, sequence_number INTEGER NOT NULL, user_turn_number INTEGER,
    branch_turn_number INTEGER, tool_name TEXT, created_at TIMESTAMP);
CREATE TABLE turn_usage (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL,
    branch_id TEXT NOT NULL, user_turn_number INTEGER NOT NULL, total_tokens INTEGER,
    input_tokens INTEGER, output_tokens INTEGER);
"""

WHEN = "2026-01-01 10:00:00"


def item(number: int, value: Any, session: str = "s1") -> tuple[str, Any]:
    return "agent_messages", (number, session, encode(value).decode(), WHEN)


ITEMS = [
    item(1, {"role": "user", "content": "What time is it?"}),
    item(2, {"type": "function_call", "name": "clock", "arguments": "{}", "call_id": "c"}),
    item(3, {"type": "function_call_output", "call_id": "c", "output": "noon"}),
    item(
        4,
        {
            "id": "__fake_id__",
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Noon.", "annotations": []}],
        },
    ),
]

SESSIONS = [("agent_sessions", (ident, WHEN, WHEN)) for ident in ("s1", "empty")]


def agents_plain(longer: bool) -> bytes:
    more = [item(5, {"role": "user", "content": "Thanks"})] if longer else []
    return database(AGENTS, *SESSIONS, *ITEMS, *more)


def agents_branched(longer: bool) -> bytes:
    branches = {"main": [1, 2, 3, 4], "other": [1, 2, 3, 5, *([6] if longer else [])]}
    more = [item(5, {"role": "assistant", "content": "Midday."})]
    if longer:
        more.append(item(6, {"role": "user", "content": "Thanks"}))
    placed: list[tuple[str, Any]] = []
    for branch, numbers in branches.items():
        for number in numbers:
            row = (len(placed) + 1, "s1", number, branch, "x", len(placed) + 1, 1, 1, None, WHEN)
            placed.append(("message_structure", row))
    usage = ("turn_usage", (1, "s1", "main", 1, 99, 90, 9))
    return database(AGENTS + BRANCHES, *SESSIONS, *ITEMS, *more, *placed, usage)


SAMPLES: dict[str, Sample] = {
    "chatgpt": Sample("chatgpt", chatgpt, 1, 5, 4, 1, 1, 2),
    "deepseek": Sample("deepseek", deepseek, 1, 3, 2, 1, 1, 2),
    "open-assistant": Sample("open-assistant", open_assistant, 1, 4, 3, 1, 1, 2),
    "claude": Sample("claude", claude, 2, 6, 4, 2, 1, 3),
    "claude-code": Sample("claude-code", claude_code, 1, 5, 4, 1, 1, 2),
    "sharegpt": Sample("sharegpt", sharegpt, 2, 5, 3, 2, 0, 2),
    "openai-messages": Sample("openai-messages", openai_messages, 2, 7, 5, 2, 0, 2),
    "librechat": Sample("librechat", librechat, 1, 3, 2, 1, 1, 2),
    "chatbot-ui": Sample("chatbot-ui", chatbot_ui, 2, 4, 2, 2, 0, 2),
    "slack": Sample("slack", slack, 2, 7, 2, 5, 1, 6),
    "telegram": Sample("telegram", telegram, 2, 5, 2, 3, 1, 4),
    "whatsapp": Sample("whatsapp", whatsapp, 1, 4, 0, 4, 0, 4),
    "llm, old schema": Sample("llm", llm_old, 3, 8, 6, 2, 0, 2),
    "llm, new schema": Sample("llm", llm_new, 3, 7, 4, 3, 0, 3),
    "langchain": Sample("langchain", langchain, 2, 4, 2, 2, 0, 2),
    "openai-agents": Sample("openai-agents", agents_plain, 2, 4, 3, 1, 0, 1),
    "openai-agents, branches": Sample("openai-agents", agents_branched, 2, 5, 4, 1, 1, 2),
    **chat_apps.SAMPLES,
    **chat_messengers.SAMPLES,
    **chat_coding.SAMPLES,
    **chat_tools.SAMPLES,
}
"""A sample of every format; of those that come in two kinds, two."""
