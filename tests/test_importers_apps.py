"""Programs in which one talks with models, format by format."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ecsviz import ChatThread
from ecsviz.importers import read_chat
from ecsviz.importers.chat.media import attached
from ecsviz.importers.chat.tagged import tagged_parts
from ecsviz.widgets.thread.tree import Branches
from tests.chat_apps import CALL, SAMPLES, THOUGHT, webui_chat
from tests.chat_files import links, read


def kinds(thread: ChatThread) -> list[list[str]]:
    return [[part.kind for part in message.parts] for message in thread.messages]


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_no_message_is_blank(sample: object) -> None:
    for thread in read_chat(sample.data):  # type: ignore[attr-defined]  # a Sample
        assert all(message.content for message in thread.messages)


def test_open_webui() -> None:
    (thread,) = read_chat(SAMPLES["open-webui"].data)
    assert links(thread) == {"u": None, "aa": "u", "bbb": "u", "cccc": "bbb"}
    asked, first, second, _ = thread.messages
    assert [m.model for m in thread.messages] == [None, "llama3", "mistral", None]
    assert (second.tokens_in, second.tokens_out) == (9, 4)
    assert kinds(thread)[:2] == [
        ["text", "image"],
        ["thinking", "tool_call", "tool_result", "text", "citation"],
    ]
    assert asked.content == "Name a fern.\n[image: image/png]"
    assert first.text == "Bracken."
    assert first.content == (
        'Which one?\nAny.\nlook_up({"plant": "fern"})\nspores\nBracken.\n[citation: Flora]'
    )
    assert first.parts[1].call_id == first.parts[2].call_id == "call_1"
    assert asked.created_at == datetime(2025, 1, 1, 0, 0, 1, tzinfo=UTC)
    branches = Branches(thread)
    assert branches.messages[branches.path()[-1]].source_id == "cccc"
    assert thread.metadata["chat"] == {"models": ["llama3"]}


def test_open_webui_bare_and_of_old() -> None:
    whole = webui_chat(False)
    assert len(read([whole])[0].messages) == 4
    flat = {"history": {"messages": {}}, "messages": whole["messages"]}
    assert links(read([{"id": "1", "chat": flat}])[0]) == {"u": None, "bbb": "u", "cccc": "bbb"}


def test_the_database_of_open_webui() -> None:
    chat, channel = read_chat(SAMPLES["open-webui, database"].data)
    assert links(chat)["eeeee"] == "cccc"
    last = chat.messages[-1]
    assert [part.kind for part in last.parts] == ["thinking", "tool_call", "tool_result", "text"]
    assert (last.text, last.model) == ("Oak.", "m")
    assert [m.author for m in channel.messages] == ["Ann", "you"]
    assert (channel.title, links(channel)) == ("garden", {"m1": None, "m2": "m1"})
    assert channel.messages[0].created_at == datetime(2025, 1, 1, tzinfo=UTC)


def test_texts_between_tags() -> None:
    parts = tagged_parts(f"Before\n{THOUGHT}{CALL}<think>\nHm.\n</think>\nAfter")
    assert [(part.kind, part.readable) for part in parts] == [
        ("text", "Before"),
        ("thinking", "Which one?\nAny."),
        ("tool_call", 'look_up({"plant": "fern"})'),
        ("tool_result", "spores"),
        ("thinking", "Hm."),
        ("text", "After"),
    ]
    for text in ("<think>open", "<details>x</details>", "\n a \n", "<think>" * 50_000):
        assert [(part.kind, part.text) for part in tagged_parts(text)] == [("text", text)]


def test_grok() -> None:
    found = read_chat(SAMPLES["grok"].data)
    (thread,) = found
    assert links(thread) == {"a": None, "bb": "a", "ccc": "a"}
    assert [m.role for m in thread.messages] == ["user", "assistant", "assistant"]
    assert [m.model for m in thread.messages] == [None, "grok-3", "grok-3"]
    assert kinds(thread) == [["text", "file"], ["thinking", "text", "citation"], ["text"]]
    assert thread.messages[0].created_at == datetime(2025, 5, 1, 10, 0, 0, 1000, tzinfo=UTC)
    assert thread.metadata == {"starred": True}
    assert found.report().query("kind == 'not read'")["what"].tolist() == ["'projects'"]


def test_grok_without_parents_is_a_chain() -> None:
    said = [{"response": {"_id": key, "sender": "human", "message": key}} for key in "abc"]
    found = read({"conversations": [{"conversation": {"id": "g"}, "responses": said}]})
    assert links(found[0]) == {"a": None, "b": "a", "c": "b"}


def test_files_by_type_and_name() -> None:
    for name, kind in (("a.PNG", "image"), ("a.opus", "audio"), ("a.mov", "video"), ("a", "file")):
        assert attached(name).kind == attached(url=f"https://x.org/{name}?y=1.png").kind == kind
    assert attached("a.bin", mime="image/x").kind == "image"
    assert attached(3, [], {}, more={"size": 0, "x": None}).metadata == {"size": 0}
