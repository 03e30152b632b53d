"""Every chat format: what is read from a small file of it, and that nothing is lost."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from datetime import timezone as tz
from pathlib import Path
from typing import Any

import pytest

from ecsviz import ChatThread, errors
from ecsviz.errors import ImportFormatError
from ecsviz.importers import FORMATS, ChatImport, read_chat
from tests.chat_files import TREE, conversation, encode, is_sound, links, read, said, zipped
from tests.chat_formats import (
    AGENTS,
    SAMPLES,
    SESSIONS,
    agents_branched,
    chatbot_ui,
    claude,
    claude_code,
    claude_message,
    code_record,
    langchain,
    llm_new,
    llm_old,
    openai_messages,
    sharegpt,
    slack,
    telegram,
    whatsapp,
)
from tests.chat_sample import Sample, database, lines


def figures(found: ChatImport) -> tuple[int, ...]:
    messages = [message for thread in found for message in thread.messages]
    return (
        len(found),
        len(messages),
        sum(message.parent is not None for message in messages),
        sum(len(thread.roots()) for thread in found),
        sum(len(thread.branch_points()) for thread in found),
        sum(len(thread.leaves()) for thread in found),
    )


def texts(thread: ChatThread) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in thread.messages]


def test_every_format_has_a_sample() -> None:
    assert {sample.format for sample in SAMPLES.values()} == {each.name for each in FORMATS}


def test_every_format_is_named_in_the_help() -> None:
    named = set(re.findall(r'``"([\w-]+)"``', str(read_chat.__doc__)))
    assert {each.name for each in FORMATS} <= named


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_a_file_is_recognised_and_read_whole(tmp_path: Path, sample: Sample) -> None:
    (tmp_path / "misleading.png").write_bytes(sample.data)
    for source in (sample.data, tmp_path / "misleading.png", str(tmp_path / "misleading.png")):
        found = read_chat(source)  # without a warning: nothing is misplaced
        assert {thread.source for thread in found} == {sample.format}
        expected = (sample.threads, sample.messages, sample.links, sample.roots)
        assert figures(found) == (*expected, sample.branch_points, sample.leaves)
        assert all(map(is_sound, found))
        assert found.problems == []
    assert read_chat(sample.data, format=sample.format) == found


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_the_same_file_gives_the_same_ids_and_a_longer_one_keeps_them(sample: Sample) -> None:
    def ids(data: bytes) -> list[str]:
        return [str(e.ecs_id) for thread in read(data) for e in (thread, *thread.messages)]

    assert {e.ecs_id.version for thread in read(sample.data) for e in thread.messages} <= {5}
    before, after = ids(sample.data), ids(sample.longer)
    assert before == ids(sample.data)
    assert len(set(before)) == len(before)
    assert set(before) < set(after)
    # llm logs a question and an answer at a time; the other formats one message.
    assert len(after) - len(before) == (2 if sample.make is llm_old else 1)


# ---------------------------------------------------------------------------------------------
# Format by format
# ---------------------------------------------------------------------------------------------


def test_claude() -> None:
    found = read_chat(claude(False))
    whys, bare = found
    assert links(whys) == {"m1": None, "m2": "m1", "m3": "m1", "m4": "m2"}
    assert [message.text for message in whys.messages[:2]] == ["Why?", "Because."]
    assert whys.messages[1].content == 'Why?\nBecause.\nsearch({"q": "why"})'
    assert [part.kind for part in whys.messages[1].parts] == ["thinking", "text", "tool_call"]
    assert whys.messages[0].metadata == {"sender": "human", "attachments": []}
    assert whys.messages[0].created_at == datetime(2025, 3, 1, 10, tzinfo=UTC)
    assert whys.metadata == {"account": {"uuid": "me"}}
    assert (bare.title, links(bare)) == ("Hi", {"n1": None, "n2": "n1"})


def test_claude_when_text_and_blocks_differ() -> None:
    both = claude_message("m", "human", "flat", "", content=[{"type": "text", "text": "block"}])
    odd = claude_message("n", "human", "flat", "", content=[{"type": "of tomorrow", "x": 1}])
    (thread,) = read([{"uuid": "c", "name": "T", "chat_messages": [both, odd]}])
    first, second = thread.messages
    assert (first.content, first.metadata["text"]) == ("block", "flat")
    assert (second.text, second.parts[1].kind) == ("flat", "other")
    assert second.parts[1].metadata == {"type": "of tomorrow", "x": 1}


def test_claude_parents_that_are_missing_or_go_round() -> None:
    told = [
        claude_message("a", "human", "A", "gone"),
        claude_message("b", "human", "B", "c"),
        claude_message("c", "human", "C", "b"),
    ]
    found = read([{"uuid": "c", "chat_messages": told}])
    assert links(found[0]) == {"a": None, "b": None, "c": "b"}
    assert said(found) == [("c", "a", "parent 'gone'"), ("c", "b", "parent 'c'")]
    assert found[0].messages[0].metadata["parent_message_uuid"] == "gone"


def test_claude_code() -> None:
    (thread,) = read_chat(claude_code(False))
    assert (thread.source_id, thread.title) == ("s1", "What is x?")
    assert links(thread) == {"r1": None, "r2": "r1", "r3": "r2", "r4": "r3", "r5": "r3"}
    assert [m.hidden for m in thread.messages] == [False, False, True, False, False]
    assert texts(thread)[3:] == [("assistant", "x is 1."), ("assistant", "x is one.")]
    assert (thread.messages[1].kind, thread.messages[1].tool) == ("tool_call", "Read")
    assert thread.metadata["records"] == [
        {"type": "summary", "summary": "What is x?", "leafUuid": "r4"}
    ]


def test_claude_code_agents_that_a_session_calls(tmp_path: Path) -> None:
    by_agent = {"isSidechain": True, "agentId": "a1"}
    result = [{"type": "tool_result", "tool_use_id": "t1", "content": "Done."}]
    whole = lines(
        code_record("r1", None, "user", "Ask somebody."),
        code_record("r2", "r1", "user", result, toolUseResult={"agentId": "a1"}),
    )
    agent = lines(
        code_record("s1", None, "user", "Look.", **by_agent),
        code_record("s2", "s1", "assistant", "I looked.", **by_agent),
    )
    (tmp_path / "s1/subagents").mkdir(parents=True)
    (tmp_path / "s1.jsonl").write_bytes(whole)
    (tmp_path / "s1/subagents/agent-a1.jsonl").write_bytes(agent)
    for source in (tmp_path, [whole, agent], whole + agent):
        found = read(source)
        assert {thread.source_id: texts(thread) for thread in found} == {
            "s1": [("user", "Ask somebody."), ("tool", "Done.")],
            "s1/a1": [("user", "Look."), ("assistant", "I looked.")],
        }
        assert found.problems == []


def test_claude_code_sessions_in_one_file() -> None:
    other = code_record("z", "r1", "user", "From before") | {"sessionId": "s2"}
    found = read(lines(code_record("r1", None, "user", "Hi"), other))
    assert [thread.source_id for thread in found] == ["s1", "s2"]
    assert said(found) == [("s2", "z", "parent 'r1'")]
    assert found[1].messages[0].metadata["parentUuid"] == "r1"


def test_sharegpt() -> None:
    one, two = read_chat(sharegpt(False))
    assert texts(one) == [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello")]
    assert one.title == "Hi"
    assert one.messages[2].metadata == {"weight": 1, "from": "gpt"}
    assert two.metadata == {"model": "m"}
    assert [message.model for message in two.messages] == [None, "m"]


def test_sharegpt_of_tools_thoughts_and_images() -> None:
    turns = [
        {"from": "human", "value": "<image>\nWhich plant?"},
        {"from": "function_call", "value": '{"name": "look_up", "arguments": {"q": 1}}'},
        {"from": "observation", "value": "fern"},
        {"from": "gpt", "value": "<think>Green.</think>A fern."},
        {"from": "function_call", "value": "look_up()"},
    ]
    (thread,) = read([{"image": "fern.png", "conversations": turns}])
    asked, called, found, answer, plain = thread.messages
    assert [part.kind for part in asked.parts] == ["text", "image"]
    assert (called.tool, called.parts[0].data) == ("look_up", {"q": 1})
    assert (found.role, found.kind) == ("tool", "tool_result")
    assert ([part.kind for part in answer.parts], answer.text) == (
        ["thinking", "text"],
        "A fern.",
    )
    assert plain.content == "look_up()"


def test_openai_messages() -> None:
    first, second = read_chat(openai_messages(False))
    assert [m.role for m in first.messages] == ["system", "user", "assistant", "tool"]
    assert (first.title, first.messages[1].author) == ("What is this?", "Ann")
    assert [(m.kind, m.tool) for m in first.messages[2:]] == [
        ("tool_call", "f"),
        ("tool_result", None),
    ]
    assert first.messages[3].parts[0].call_id == first.messages[2].parts[0].call_id == "call_1"
    assert (second.source_id, second.title) == ("second", "Hi")


HELLO = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


@pytest.mark.parametrize(
    "data",
    [
        encode(HELLO),
        lines(*HELLO),
        encode({"messages": HELLO}),
        encode([{"messages": HELLO}]),
        encode({"custom_id": "x", "method": "POST", "body": {"model": "m", "messages": HELLO}}),
        json.dumps(HELLO, indent=1).encode("utf-8-sig"),
    ],
    ids=["list", "lines", "object", "objects", "batch", "pretty with BOM"],
)
def test_openai_messages_in_every_shape(data: bytes) -> None:
    (thread,) = read_chat(data)
    assert texts(thread) == [("user", "Hi"), ("assistant", "Hello")]
    assert thread.messages[1].parent is thread.messages[0]


def test_librechat_links() -> None:
    (thread,) = read_chat(SAMPLES["librechat"].data)
    assert links(thread) == {"q1": None, "a1": "q1", "a2": "q1"}
    assert [(m.role, m.author, m.model) for m in thread.messages][:2] == [
        ("user", None, None),
        ("assistant", "GPT-4", "gpt-4"),
    ]


def test_librechat_a_thread_deeper_than_python_recurses() -> None:
    depth = 1_500
    text = "".join(
        f'{{"messageId": "m{n}", "isCreatedByUser": true, "text": "x", "children": ['
        for n in range(depth)
    )
    data = '{"conversationId": "deep", "messages": [' + text + "]}" * depth + "]}"
    (thread,) = read_chat(data.encode())
    assert len(thread.path_to(thread.messages[-1])) == depth


def test_chatbot_ui() -> None:
    found = read_chat(chatbot_ui(False))
    assert [thread.title for thread in found] == ["Greeting", "Again"]
    assert found[0].metadata["folder"] == {"id": "f1", "name": "Talks", "type": "chat"}
    assert found[1].metadata["prompt"] == "Be kind."
    left = found.report().query("kind == 'not read'")
    assert left[["what", "why"]].values.tolist() == [["'prompts'", "no chats"]]


def test_slack() -> None:
    found = read_chat(slack(False))
    direct, general = found
    assert (direct.source_id, general.source_id, general.title) == ("D1", "C1", "general")
    lunch = "1700000001.000200"
    assert [m.source_id for m in general.messages if m.parent] == [
        "1700000003.000400",
        "1700000004.000500",
    ]
    assert {m.parent.source_id for m in general.messages if m.parent} == {lunch}
    assert [m.role for m in general.messages][:4] == ["system", "user", "tool", "user"]
    assert [m.author for m in general.messages][:3] == ["Ann", "Ann", "U2"]
    assert general.messages[1].created_at == datetime(2023, 11, 14, 22, 13, 21, 200, tzinfo=UTC)
    assert general.metadata == {"channel": {"topic": {"value": "all"}}}
    left = found.report().query("kind == 'not read'")["what"].tolist()
    assert left == ["integration_logs.json", "users.json"]


def test_slack_unpacked_and_a_single_day(tmp_path: Path) -> None:
    day = encode([{"type": "message", "ts": "1700000000.000100", "text": "Hi", "user": "U1"}])
    (tmp_path / "export/general").mkdir(parents=True)
    (tmp_path / "export/general/2023-11-14.json").write_bytes(day)
    (thread,) = read_chat(tmp_path / "export")
    assert (thread.source, thread.source_id) == ("slack", "general")
    assert texts(read_chat(day)[0]) == [("user", "Hi")]


def test_slack_a_thread_that_began_before_the_export() -> None:
    item = {"type": "message", "ts": "17.2", "text": "late", "thread_ts": "17.1"}
    found = read([item])
    assert said(found) == [("#1", "17.2", "parent '17.1'")]
    assert found[0].messages[0].metadata["thread_ts"] == "17.1"


def test_telegram() -> None:
    friends, saved = read_chat(telegram(False))
    assert (friends.source_id, friends.title, saved.title) == ("77", "Friends", "note")
    assert links(friends) == {"1": None, "2": None, "3": "2", "4": "2"}
    assert texts(friends)[2] == ("user", "see example.org")
    assert [m.author for m in friends.messages] == ["Ann", "Ann", "Ann", "Ben"]
    assert friends.messages[0].role == "system"
    assert friends.messages[1].created_at == datetime.fromtimestamp(1692800002, UTC)
    assert friends.messages[1].metadata["date"] == "2023-08-23T15:13:20"
    assert friends.messages[0].created_at == datetime(2023, 8, 23, 15, 13, 11, tzinfo=UTC)


def test_telegram_an_answer_to_a_message_of_another_chat() -> None:
    here = {"id": 1, "type": "message", "date": "2023-08-23T15:13:20", "text": "Hi"}
    there = here | {"id": 2, "reply_to_message_id": 1, "reply_to_peer_id": "channel9"}
    found = read({"name": "A", "type": "personal_chat", "id": 5, "messages": [here, there]})
    assert (links(found[0]), found.problems) == ({"1": None, "2": None}, [])
    assert found[0].messages[1].metadata["reply_to_message_id"] == 1


def test_whatsapp() -> None:
    (thread,) = read_chat(whatsapp(False))
    assert thread.title == "Ann, Ben"
    assert [(m.role, m.author) for m in thread.messages] == [
        ("user", "Ann"),
        ("user", "Ann"),
        ("user", "Ben"),
        ("system", None),
    ]
    assert thread.messages[1].content == "Look\nat\nthis: it is red"
    assert thread.messages[3].content == "Ben changed the subject"
    assert thread.messages[0].created_at == datetime(2023, 8, 15, 9, 12, 33, tzinfo=UTC)
    assert thread.messages[0].metadata == {"time": "15/8/23, 09:12:33"}


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("[8/15/23, 9:12:33 PM]", datetime(2023, 8, 15, 21, 12, 33, tzinfo=UTC)),
        ("[8/15/23, 12:12:33\u202fAM]", datetime(2023, 8, 15, 0, 12, 33, tzinfo=UTC)),
        ("15/08/2023, 21:12 -", datetime(2023, 8, 15, 21, 12, tzinfo=UTC)),
        ("15.08.23, 21:12 -", datetime(2023, 8, 15, 21, 12, tzinfo=UTC)),
        ("[15.08.23, 21:12:33]", datetime(2023, 8, 15, 21, 12, 33, tzinfo=UTC)),
        ("2023-08-15, 9:12 p.m. -", datetime(2023, 8, 15, 21, 12, tzinfo=UTC)),
        ("[2023/08/15 21:12:33]", datetime(2023, 8, 15, 21, 12, 33, tzinfo=UTC)),
    ],
)
def test_whatsapp_writes_times_in_many_ways(stamp: str, expected: datetime) -> None:
    (thread,) = read_chat(f"{stamp} Ann: Hi\r\n".encode())
    assert [(m.author, m.content, m.created_at) for m in thread.messages] == [
        ("Ann", "Hi", expected)
    ]


def test_whatsapp_day_and_month() -> None:
    both = "1/2/23, 10:00 - Ann: Hi\n{}/3/23, 10:00 - Ann: Hi\n"
    found = read(both.format(1).encode())
    assert said(found) == [("#1", None, "the order of day and month")]
    # Only as month and day do they come in order.
    found = read(b"1/9/23, 10:00 - Ann: Hi\n2/8/23, 10:00 - Ann: Hi\n")
    assert found.problems == []
    assert found[0].messages[1].created_at == datetime(2023, 2, 8, 10, tzinfo=UTC)
    found = read(b"1/13/23, 10:00 - Ann: Hi\n13/1/23, 10:00 - Ann: Hi\n")
    assert [each.what for each in found.problems] == ["'time'"] or len(found.problems) == 2


def test_whatsapp_a_longer_file_that_tells_day_and_month_keeps_the_ids() -> None:
    short = b"1/2/23, 10:00 - Ann: Hi\n1/2/23, 10:00 - Ann: Hi\n"
    (before,), (after,) = read(short), read(short + b"1/13/23, 10:00 - Ann: Hello\n")
    assert before.messages[0].created_at == datetime(2023, 2, 1, 10, tzinfo=UTC)
    assert after.messages[0].created_at == datetime(2023, 1, 2, 10, tzinfo=UTC)
    assert before.ecs_id == after.ecs_id
    assert [m.ecs_id for m in before.messages] == [m.ecs_id for m in after.messages[:2]]


def test_wall_clocks_of_another_zone() -> None:
    summer = datetime(2023, 8, 15, 7, 12, 33, tzinfo=UTC)
    (here,), (there,) = (
        read_chat(whatsapp(False)),
        read_chat(whatsapp(False), timezone="Europe/Berlin"),
    )
    assert there.messages[0].created_at == there.created_at == summer
    assert there.messages[0].metadata == here.messages[0].metadata
    assert [m.ecs_id for m in here.messages] == [m.ecs_id for m in there.messages]
    offset = tz(timedelta(hours=2))
    assert read_chat(whatsapp(False), timezone=offset)[0].messages[0].created_at == summer
    # The hour that clocks go back over comes twice; the one that they skip is none.
    twice = b"29.10.23, 02:30 - Ann: a\n26.03.23, 02:30 - Ann: b\n"
    (thread,) = read(twice, timezone="Europe/Berlin")
    assert [m.created_at for m in thread.messages] == [
        datetime(2023, 10, 29, 0, 30, tzinfo=UTC),
        datetime(2023, 3, 26, 1, 30, tzinfo=UTC),
    ]


def test_a_zone_is_for_wall_clocks_only() -> None:
    item = {"type": "message", "text": "Hi", "from": "Ann"}
    messages = [
        item | {"date": "2023-08-23T15:13:20"},
        item | {"date": "2023-08-23T15:13:20", "date_unixtime": "1692796400"},
        item | {"date": "2023-08-23T15:13:20+05:00"},
        item | {"date": "0001-01-01T00:00:00"},
    ]
    for number, message in enumerate(messages):
        message["id"] = number if number % 2 else None
    chat = {"name": "A", "type": "personal_chat", "id": 5, "messages": messages}
    (here,), (there,) = read(chat), read(chat, timezone="Asia/Tokyo")
    assert [m.created_at for m in there.messages] == [
        datetime(2023, 8, 23, 6, 13, 20, tzinfo=UTC),
        datetime.fromtimestamp(1692796400, UTC),
        datetime(2023, 8, 23, 10, 13, 20, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
    ]
    assert here.messages[0].created_at == datetime(2023, 8, 23, 15, 13, 20, tzinfo=UTC)
    # A zone is no part of an id, or stored chats would not be found.
    assert str(here.messages[0].ecs_id) == "2b901804-86a9-55c8-b358-6578d8d9fd06"
    assert [m.ecs_id for m in here.messages] == [m.ecs_id for m in there.messages]


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "../etc/passwd", "", "Europe", 3, None])
def test_what_is_no_zone(zone: Any) -> None:
    with pytest.raises(errors.InvalidArgumentError, match="names no time zone"):
        read_chat(whatsapp(False), timezone=zone)


def test_llm_old_schema() -> None:
    found = read_chat(llm_old(False))
    talk, alone, empty = found
    assert (talk.title, alone.source_id, empty.title) == ("Talk", "response r3", "Nothing said")
    assert texts(talk) == [
        ("system", "Be brief."),
        ("user", "Hi\n[image: cat.png]"),
        ("assistant", "Hello\nclock({})"),
        ("user", "Bye"),
        ("assistant", "Bye!"),
    ]
    question, answer = talk.messages[1:3]
    assert question.metadata["options_json"] == {"t": 1}
    image = question.parts[1]
    assert (image.kind, image.mime, image.metadata["bytes"]) == ("image", "image/png", 4)
    assert (answer.model, answer.created_at) == ("m", datetime(2024, 1, 1, tzinfo=UTC))
    assert answer.metadata["response_json"] == {"n": 2}
    assert (answer.text, answer.tool, answer.parts[1].call_id) == ("Hello", "clock", "call")
    left = found.report().query("kind == 'not read'")
    assert left[["what", "count"]].values.tolist() == [["attachments", 1]]


def test_llm_before_it_had_conversations() -> None:
    table = "CREATE TABLE log (id INTEGER PRIMARY KEY, provider TEXT, system TEXT, prompt TEXT,"
    table += " chat_id INTEGER, response TEXT, model TEXT, timestamp TEXT);"
    when = "2023-05-01 10:00:00"
    found = read_chat(
        database(
            table,
            ("log", (1, "openai", None, "Hi", None, "Hello", "gpt", when)),
            ("log", (2, "openai", None, "Bye", 1, "Bye!", "gpt", when)),
            ("log", (3, "openai", None, "Now", None, "Now.", "gpt", when)),
        )
    )
    assert [texts(thread)[0] for thread in found] == [("user", "Hi"), ("user", "Now")]
    assert [len(thread.messages) for thread in found] == [4, 2]
    assert found[0].messages[1].created_at == datetime(2023, 5, 1, 10, tzinfo=UTC)
    assert found[0].messages[1].metadata == {"provider": "openai"}


def test_llm_new_schema() -> None:
    talk, fork, lost = read_chat(llm_new(False))
    assert links(talk) == {"h1": None, "h2": "h1", "h3": "h2"}
    assert links(fork) == {"h1": None, "h2": "h1", "h4": "h2"}
    assert fork.metadata == {"tip_message_hash": "h4", "forked_from": "t1"}
    assert not {m.ecs_id for m in talk.messages} & {m.ecs_id for m in fork.messages}
    hello = talk.messages[1]
    assert (hello.text, hello.model) == ("Hello", "m")
    assert (hello.parts[-1].tool, hello.parts[-1].data) == ("clock", {"at": "now"})
    assert (lost.source_id, texts(lost)) == ("message lost", [("user", "Who am I?")])


def test_langchain() -> None:
    one, two = read_chat(langchain(False))
    assert (one.source_id, [m.text for m in one.messages]) == ("s1", ["Hi", "Hello"])
    assert one.messages[1].tool == "f"
    assert one.messages[1].metadata["type"] == "ai"
    assert (one.messages[1].author, links(one)) == ("bot", {"1": None, "3": "1"})
    assert texts(two) == [("system", "Be brief."), ("user", "See\n[image]")]
    messages = [
        {"type": "human", "data": {"content": "Hi", "id": "x"}},
        {"type": "ai", "data": {"content": "Hello", "response_metadata": {"k": 1}}},
    ]
    (thread,) = read_chat(encode(messages))
    assert (thread.source, texts(thread)) == ("langchain", [("user", "Hi"), ("assistant", "Hello")])
    assert thread.messages[0].source_id == "x"


def test_openai_agents() -> None:
    session, empty = read_chat(SAMPLES["openai-agents"].data)
    assert (session.source_id, empty.source_id, empty.messages) == ("s1", "empty", [])
    assert texts(session) == [
        ("user", "What time is it?"),
        ("assistant", "clock({})"),
        ("tool", "noon"),
        ("assistant", "Noon."),
    ]
    assert session.messages[1].tool == "clock"
    assert session.messages[3].metadata["id"] == "__fake_id__"
    assert session.created_at == datetime(2026, 1, 1, 10, tzinfo=UTC)
    items = [{"id": "__fake_id__", "role": "assistant", "content": "x"}] * 2
    found = read_chat(encode([{"role": "user", "content": "?"}, *items]))
    assert [m.source_id for m in found[0].messages] == [None] * 3


def test_tables_beside_those_of_a_format_stand_in_the_report() -> None:
    table = "CREATE TABLE notes(a); CREATE TABLE blank(a);"
    found = read_chat(database(AGENTS + table, *SESSIONS, ("notes", ("x",)), ("notes", ("y",))))
    left = found.report().query("kind == 'not read'")
    assert left[["what", "count"]].values.tolist() == [["rows of notes", 2]]


def test_openai_agents_branches() -> None:
    session, _ = read_chat(agents_branched(False))
    assert links(session) == {"1": None, "2": "1", "3": "2", "4": "3", "5": "3"}
    branches: Any = session.messages[0].metadata["branches"]
    assert [each["branch_id"] for each in branches] == ["main", "other"]
    assert session.metadata["turn_usage"] == [
        {
            "branch_id": "main",
            "user_turn_number": 1,
            "total_tokens": 99,
            "input_tokens": 90,
            "output_tokens": 9,
        }
    ]
    assert [m.tokens_out for m in session.messages] == [None, None, None, 9, None]


# ---------------------------------------------------------------------------------------------
# Several files
# ---------------------------------------------------------------------------------------------


def test_a_folder_and_a_list_give_all_chats(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.json").write_bytes(SAMPLES["claude"].data)
    (tmp_path / "deep/b.txt").write_bytes(SAMPLES["whatsapp"].data)
    (tmp_path / "deep/c.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    (tmp_path / "settings.json").write_bytes(b'{"theme": "dark"}')
    found = read_chat(tmp_path)
    assert [thread.source for thread in found] == ["claude", "claude", "whatsapp"]
    left = found.report().query("kind == 'not read'")
    assert left[["file", "why"]].values.tolist() == [
        [f"{tmp_path.name}/deep/c.png", "neither text nor a database"],
        [f"{tmp_path.name}/settings.json", "no chat that is known here"],
    ]
    both = read_chat([tmp_path / "a.json", SAMPLES["whatsapp"].data])
    assert both == found


def test_an_export_in_several_files(tmp_path: Path) -> None:
    parts = [encode([conversation(*TREE, id=f"c{n}")]) for n in range(12)]
    files = {f"conversations-{number:03}.json": part for number, part in enumerate(parts)}
    for name, part in files.items():
        (tmp_path / name).write_bytes(part)
    beside = {
        "chat.html": b"<html>",
        "user.json": b'{"id": "user-1", "email": "x"}',
        "shared_conversations.json": encode([{"id": "s", "conversation_id": "c0", "title": "T"}]),
        "message_feedback.json": b"[]",
        "file-1-cat.png": b"\x89PNG\r\n\x1a\n\0\0",
    }
    for source in (tmp_path, zipped(*beside.items(), *files.items())):
        found = read_chat(source)
        assert [thread.source_id for thread in found] == [f"c{n}" for n in range(12)]
        assert {thread.source for thread in found} == {"chatgpt"}
    left = found.report().query("kind == 'not read'")["file"]
    assert {name.removeprefix("<bytes>/") for name in left} == set(beside)


def test_zips_as_programs_make_them() -> None:
    found = read_chat(
        zipped(
            ("users.json", encode([{"uuid": "me", "full_name": "Ann"}])),
            ("projects.json", b"[]"),
            ("conversations.json", SAMPLES["claude"].data),
            ("__MACOSX/._conversations.json", b"\0\5\x16\7"),
        )
    )
    assert found == read_chat(SAMPLES["claude"].data)
    found = read_chat(zipped(("_chat.txt", SAMPLES["whatsapp"].data), ("a.opus", b"OggS\0\2")))
    assert found == read_chat(SAMPLES["whatsapp"].data)
    found = read_chat(zipped(("logs.db", SAMPLES["llm, new schema"].data)))
    assert found == read_chat(SAMPLES["llm, new schema"].data)


def test_a_folder_without_a_chat(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("# Notes")
    with pytest.raises(ImportFormatError, match=r"no file with a chat.*'notes\.md'"):
        read_chat(tmp_path)


# ---------------------------------------------------------------------------------------------
# The report
# ---------------------------------------------------------------------------------------------


def test_the_report_counts_everything() -> None:
    odd = claude_message("a", "human", "A", "gone", weight=1)
    found = read([{"uuid": "c", "name": "T", "chat_messages": [odd], "account": {}}])
    report = found.report()
    assert list(report.columns) == ["file", "format", "kind", "what", "why", "count"]
    assert set(report["file"]) == {"<bytes>"}
    assert set(report["format"]) == {"claude"}
    rows = {(row.kind, row.what): row.count for row in report.itertuples(index=False)}
    assert rows == {
        ("read", "threads"): 1,
        ("read", "messages"): 1,
        ("metadata", "thread account"): 1,
        ("metadata", "message attachments"): 1,
        ("metadata", "message weight"): 1,
        ("metadata", "message sender"): 1,
        ("metadata", "message parent_message_uuid"): 1,
        ("problem", "parent"): 1,
    }
    assert ChatImport().report().empty
