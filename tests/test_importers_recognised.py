"""Which format reads a file does not depend on the order in which formats are listed."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from ecsviz.errors import ImportFormatError
from ecsviz.importers import FORMATS, ChatFormat, DraftMessage, DraftThread, Source, read_chat
from ecsviz.importers.chat import reading
from ecsviz.importers.chat.opening import opened
from ecsviz.importers.chat.source import of_bytes
from ecsviz.importers.files import Limits
from tests.chat_files import encode, read, said, zipped
from tests.chat_formats import AGENTS, ITEMS, MESSAGE_STORE, SAMPLES, SESSIONS
from tests.chat_sample import Sample, database
from tests.chat_tools import thread_message

MESSAGE = {"role": "user", "content": "Hi"}


JSON = {name: sample for name, sample in SAMPLES.items() if sample.kind.startswith("JSON")}


def claiming(source: Source) -> set[str]:
    found = [each for each in FORMATS if each.recognises(source)]
    return {each.name for each in found if not getattr(each, "general", False)} or {
        each.name for each in found
    }


def also_a_message(data: bytes) -> bytes:
    """Return a JSON file of which the first object is a message as OpenAI has it, too."""
    first, *rest = json.loads(data) if data[:1] == b"[" else map(json.loads, data.splitlines())
    return encode([first | MESSAGE, *rest]) if data[:1] == b"[" else encode(first | MESSAGE)


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_no_two_formats_recognise_one_file(sample: Sample) -> None:
    for data in (sample.data, sample.longer):
        with opened(data, Limits()) as (source,):
            assert claiming(source) == {sample.format}, (
                "let `recognises` of one of them ask for more, or say `general = True` in one"
            )


@pytest.mark.parametrize("sample", JSON.values(), ids=JSON)
def test_a_general_format_leaves_a_file_to_the_others(sample: Sample) -> None:
    source = of_bytes(also_a_message(sample.data))
    assert claiming(source) == {sample.format}
    general = [each for each in FORMATS if getattr(each, "general", False)]
    assert all(each.recognises(source) for each in general), "else nothing is tried here"
    assert [each.name for each in general] == ["openai-messages"]


@pytest.mark.parametrize("seed", range(8))
def test_the_order_of_the_list_does_not_matter(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    files = [sample.data for sample in SAMPLES.values()]
    files += [also_a_message(sample.data) for sample in JSON.values()]
    expected = [{thread.source for thread in read(data)} for data in files]
    shuffled = list(FORMATS)
    random.Random(seed).shuffle(shuffled)
    monkeypatch.setattr(reading, "FORMATS", tuple(shuffled))
    assert [{thread.source for thread in read(data)} for data in files] == expected


class Lines:
    """Reads whatever begins with a word; stands for two formats that take the same files."""

    title = "Lines"

    def __init__(self, name: str, *, general: bool = False) -> None:
        self.name, self.general = name, general

    def recognises(self, source: Source) -> bool:
        return source.head.startswith("Lines")

    def read(self, source: Source) -> Iterator[DraftThread]:
        draft = DraftThread(id="one")
        draft.follow(DraftMessage(role="user", content=source.text))
        yield draft


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("formats", [(Lines("b"), Lines("c"), Lines("a", general=True))])
def test_of_two_that_take_one_file_the_name_decides_and_it_is_told(
    monkeypatch: pytest.MonkeyPatch, formats: tuple[ChatFormat, ...], turned: bool
) -> None:
    monkeypatch.setattr(reading, "FORMATS", formats[::-1] if turned else formats)
    found = read(b"Lines")
    assert [thread.source for thread in found] == ["b"]
    assert said(found) == [(None, None, "its format")]
    assert "may be 'c' too; read as 'b' alone" in found.problems[0].why
    monkeypatch.setattr(reading, "FORMATS", (formats[2], formats[0]))
    assert [thread.source for thread in read_chat(b"Lines")] == ["b"]  # without a warning


def test_a_database_of_two_kinds_is_read_as_one_and_told() -> None:
    row = ("message_store", (1, "s", json.dumps({"type": "human", "data": {"content": "Hi"}})))
    both = database(AGENTS + MESSAGE_STORE, *SESSIONS, *ITEMS, row)
    found = read(both)
    assert {thread.source for thread in found} == {"langchain"}
    assert said(found) == [(None, None, "its format")]
    assert {thread.source for thread in read_chat(both, "openai-agents")} == {"openai-agents"}


ASKED, ANSWER = {"role": "user", "content": "Which?"}, {"role": "assistant", "content": "A fern."}

COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1772359200,
    "choices": [{"index": 0, "message": ANSWER, "finish_reason": "stop"}],
}

INSTAGRAM = {
    "participants": [{"name": "Ann"}, {"name": "Ben"}],
    "messages": [
        {"sender_name": "Ben", "timestamp_ms": 1700000002000, "content": "A fern."},
        {"sender_name": "Ann", "timestamp_ms": 1700000001000, "content": "Which?"},
    ],
    "title": "Ben",
    "thread_path": "inbox/ben_17841",
}

ITEM = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "A fern."}],
}

SEED = {"text": "Which?", "role": "prompter", "replies": [{"text": "A fern.", "role": "assistant"}]}

GEMINI_CLI = {
    "sessionId": "s",
    "projectHash": "h",
    "startTime": "2025-01-01T00:00:00Z",
    "messages": [
        {"id": "1", "timestamp": "2025-01-01T00:00:00Z", "type": "user", "content": "Which?"},
        {"id": "2", "timestamp": "2025-01-01T00:00:01Z", "type": "gemini", "content": "A fern."},
    ],
}

SHAPES: dict[str, tuple[str, bytes]] = {
    "Instagram": (
        "messenger",
        zipped(
            ("your_instagram_activity/messages/inbox/ben_17841/message_1.json", encode(INSTAGRAM))
        ),
    ),
    "Assistants": (
        "openai-messages",
        b"\n".join(
            encode(thread_message(n + 1, ("user", "assistant")[n], text))
            for n, text in enumerate(("Which?", "A fern."))
        ),
    ),
    "Responses": (
        "openai-messages",
        encode({"object": "response", "model": "m", "input": "Which?", "output": [ITEM]}),
    ),
    "Agents items": ("openai-messages", encode([ASKED, ITEM])),
    "chat.completion": (
        "openai-messages",
        encode({"request": {"messages": [ASKED]}, "response": COMPLETION}),
    ),
    "batch": (
        "openai-messages",
        encode({"custom_id": "r", "body": {"messages": [ASKED, ANSWER]}}),
    ),
    "fine-tuning": ("openai-messages", encode({"messages": [ASKED, ANSWER]})),
    "preferences": (
        "openai-messages",
        encode({"input": {"messages": [ASKED]}, "preferred_output": [ANSWER]}),
    ),
    "conversation": (
        "openai-messages",
        encode({"conversation_id": "a", "conversation": [ASKED, ANSWER]}),
    ),
    "conversations": ("openai-messages", encode({"id": "x", "conversations": [ASKED, ANSWER]})),
    "OASST seed": ("open-assistant", encode([{"prompt": SEED}])),
    ".jsonl.gz": ("openai-messages", gzip.compress(encode({"messages": [ASKED, ANSWER]}))),
    ".csv": ("csv", b"role,content\nuser,Which?\nassistant,A fern.\n"),
    "Gemini CLI, whole": ("gemini-cli", encode(GEMINI_CLI)),
    "Gemini contents": (
        "gemini-api",
        encode(
            [
                {"role": r, "parts": [{"text": t}]}
                for r, t in (("user", "Which?"), ("model", "A fern."))
            ]
        ),
    ),
}
"""What a format is called elsewhere, or comes as, beside the samples."""


@pytest.mark.parametrize("name", SHAPES)
def test_a_format_is_known_in_each_of_its_shapes(name: str) -> None:
    known, data = SHAPES[name]
    found = read(data)
    assert [thread.source for thread in found] == [known]
    texts = [(m.text, m.parent and m.parent.text) for m in found[0].messages]
    answers = known != "messenger"  # which does not say what answers what
    assert texts == [("Which?", None), ("A fern.", "Which?" if answers else None)]
    assert found.problems == []


OTHERS: dict[str, Any] = {
    "a translation": {"messages": {"hello": "Hallo"}},
    "a linter": [
        {"filePath": "a.js", "messages": [{"ruleId": "a", "severity": 2, "message": "m"}]}
    ],
    "a linter that finds nothing at first": [
        {"filePath": "a.js", "messages": [], "errorCount": 0},
        {"filePath": "b.js", "messages": [{"ruleId": "a", "severity": 2, "message": "m"}]},
    ],
    "no mails": {"messages": [], "resultSizeEstimate": 0},
    "a queue": {"messages": [{"offset": 1, "key": "a", "value": "b"}]},
    "a list of mails": {"messages": [{"id": "1", "threadId": "1"}], "nextPageToken": "x"},
}


@pytest.mark.parametrize("value", OTHERS.values(), ids=OTHERS)
def test_messages_that_nobody_says_are_no_chat(value: Any) -> None:
    with pytest.raises(ImportFormatError, match="no chat that is known here"):
        read_chat(encode(value))


@pytest.mark.parametrize("times", [(5, "2024-05-01T10:00:00Z"), ({"$date": 1}, {"$date": 2})])
def test_times_of_several_kinds_stop_no_list(times: Any) -> None:
    said = [{"role": "user", "content": f"{n}", "created_at": when} for n, when in enumerate(times)]
    found = read_chat(encode({"object": "list", "data": said}))
    assert {m.content for m in found[0].messages} == {"0", "1"}


def test_a_list_that_goes_on_elsewhere_is_told() -> None:
    whole = json.loads(SAMPLES["openai-messages, list"].data) | {"has_more": True}
    found = read(whole)
    assert [m.content for m in found[0].messages] == ["Which plant?", "A fern."]
    assert [what for _, _, what in said(found)] == ["'has_more'"]
    turned = read(whole | {"data": whole["data"][::-1]})  # asked for in the other order
    assert [m.ecs_id for m in turned[0].messages] == [m.ecs_id for m in found[0].messages]


LOGS = {
    "a colon": "2024-01-01 10:00: db: open {}",
    "a dash": "01.02.2024, 10:00 - backup: done {}",
    "brackets": "[01.02.2024 10:00:0{}] worker: job",
    "brackets, years first": "[2024-01-01 10:00:0{}] Worker: job",
    "a path": "1/2/2024, 10:00:0{} AM: app/http.server: GET",
    "a number": "[2024/01/01 10:00:0{}] sshd[22]: closed",
    "capitals": "01.02.2024, 10:00 - HttpPool: job {}",
}


@pytest.mark.parametrize("line", LOGS.values(), ids=LOGS)
def test_a_log_that_looks_like_whatsapp_is_told(line: str) -> None:
    data = "\n".join(line.format(n) for n in range(8))
    found = read(data.encode())
    told = [problem for problem in found.problems if problem.what == "its format"]
    assert [problem.why.partition(":")[0] for problem in told] == ["may be a log"]
    (why,) = found.report().query("kind == 'read' and what == 'threads'")["why"]
    assert why.endswith("(0.1)")
    first = data.partition("\n")[0]
    begin, _, _ = first.rpartition(": ")
    for chat in (f"{data}\n{begin}: <Media omitted>", f"\u200e{data}"):  # as phones alone write
        assert "its format" not in [problem.what for problem in read(chat.encode()).problems]
    named = read(data.encode(), format="whatsapp")
    assert "its format" not in [problem.what for problem in named.problems]


def test_names_in_small_letters_beside_others_are_a_chat() -> None:
    found = read(b"31.02.2024, 10:00 - ann: hi\n31.02.2024, 10:01 - Ben: hi\n")
    assert "its format" not in [problem.what for problem in found.problems]
