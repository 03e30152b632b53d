"""Programs in which one talks with models, format by format."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ecsviz import ChatThread
from ecsviz.domain.branches import Branches
from ecsviz.errors import ImportFormatError
from ecsviz.importers import read_chat
from ecsviz.importers.chat.media import attached
from ecsviz.importers.chat.tagged import tagged_parts
from tests.chat_apps import CALL, SAMPLES, THOUGHT, webui_chat
from tests.chat_files import EXPORT, links, read, zipped


def kinds(thread: ChatThread) -> list[list[str]]:
    return [[part.kind for part in message.parts] for message in thread.messages]


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


def test_grok_of_other_exports() -> None:
    asked = {"requestModelDetails": {"modelId": "grok-3"}}
    said = [
        {"response_id": "a", "sender": "human", "message": "Hi", "metadata": asked},
        {"response_id": "b", "sender": "ASSISTANT", "message": "Oh", "parent_response_id": "a"},
    ]
    said[1]["partial"] = False
    about = {"conversation_id": "g", "title": "T", "leaf_response_id": "b"}
    responses = [{"response": each} for each in said]
    (thread,) = read({"conversations": [{"conversation": about, "responses": responses}]})
    assert (thread.source_id, links(thread)) == ("g", {"a": None, "b": "a"})
    assert [m.model for m in thread.messages] == [None, "grok-3"]
    assert (thread.metadata, thread.messages[1].metadata) == ({"current_node": "b"}, {})


def test_grok_without_parents_is_a_chain() -> None:
    said = [{"response": {"_id": key, "sender": "human", "message": key}} for key in "abc"]
    found = read({"conversations": [{"conversation": {"id": "g"}, "responses": said}]})
    assert links(found[0]) == {"a": None, "b": "a", "c": "b"}


def test_files_by_type_and_name() -> None:
    for name, kind in (("a.PNG", "image"), ("a.opus", "audio"), ("a.mov", "video"), ("a", "file")):
        assert attached(name).kind == attached(url=f"https://x.org/{name}?y=1.png").kind == kind
    assert attached("a.bin", mime="image/x").kind == "image"
    assert attached(3, [], {}, more={"size": 0, "x": None}).metadata == {"size": 0}


def test_nextchat() -> None:
    found = read_chat(SAMPLES["nextchat"].data, timezone="Europe/Berlin")
    ferns, mosses = found
    assert (ferns.title, mosses.metadata) == ("Ferns", {"mask": {"name": "Gardener"}})
    assert kinds(ferns) == [
        ["text"],
        ["tool_call", "tool_result", "thinking", "text"],
        ["text", "image"],
    ]
    assert ferns.messages[1].content == "look_up({})\na fern\nHm.\nBracken."
    assert [m.created_at.hour for m in ferns.messages if m.created_at] == [14, 14, 14]
    assert ferns.messages[1].model == "gpt-4o"
    left = found.report().query("kind == 'not read'")["what"].tolist()
    assert left == ["'app-config'"]


def test_sillytavern() -> None:
    (thread,) = read_chat(SAMPLES["sillytavern"].data)
    assert (thread.source_id, thread.title) == ("Fern - 2024-7-12@01h31m37s", "Fern")
    _, asked, one, two, last = thread.messages
    assert [m.content for m in asked.replies] == ["I am a fern.", "Who am I?\nI am moss."]
    assert last.parent is two
    assert (one.model, two.model, two.tokens_out) == ("m-1", "m-2", 5)
    assert {m.author for m in thread.messages} == {"Ann", "Fern"}
    assert asked.created_at == datetime(2024, 7, 12, 1, 32, 5, 7000, tzinfo=UTC)
    assert thread.created_at == datetime(2024, 7, 12, 1, 31, 37, tzinfo=UTC)


def test_huggingchat() -> None:
    (thread,) = read_chat(SAMPLES["huggingchat"].data)
    assert links(thread) == {"q": None, "a": "q", "b": "q"}
    assert kinds(thread)[1] == ["thinking", "tool_call", "tool_result", "text"]
    assert [m.model for m in thread.messages] == [None, "org/model", "org/model"]
    prompt = {"id": "r", "from": "system", "content": "Be brief.", "ancestors": []}
    asked = {"id": "q", "from": "user", "content": "Hi", "ancestors": ["r"]}
    oid = {"$oid": "65f0c0ffee00000000000001"}
    (thread,) = read({"_id": oid, "messages": [prompt, asked]})
    assert (thread.source_id, links(thread)) == (oid["$oid"], {"r": None, "q": "r"})
    flat = [{"id": "x", "from": "user", "content": "Hi"}]
    flat += [{"id": "y", "from": "assistant", "content": "Hello"}]
    assert links(read([{"messages": flat}])[0]) == {"x": None, "y": "x"}


@pytest.mark.parametrize("name", ["lobechat", "lobechat, tables"])
def test_lobechat(name: str) -> None:
    topic, rest = read_chat(SAMPLES[name].data)
    assert (topic.title, rest.title) == ("Ferns", "Garden")
    assert links(topic) == {"l1": None, "l2": "l1", "l3": "l2", "l4": "l3", "l5": "l3"}
    assert kinds(topic) == [
        ["text", "file" if name == "lobechat" else "image"],
        ["tool_call"],
        ["tool_result"],
        ["thinking", "text"],
        ["text", "other"],
    ]
    call, result, answer, failed = topic.messages[1:]
    assert call.tool == result.tool == "flora.look_up"
    assert call.parts[0].call_id == result.parts[0].call_id == "c1"
    assert (answer.model, answer.tokens_in, answer.tokens_out, failed.model) == ("m", 7, 3, "n")
    assert failed.content == "Moss.\nNo key."


def test_jan() -> None:
    found = read_chat(SAMPLES["jan"].data)
    ferns, empty = found
    assert (ferns.title, ferns.source_id, empty.title) == ("Ferns", "j1", "Nothing")
    assert kinds(ferns) == [["text"], ["tool_call", "tool_result", "text"]]
    assert ferns.messages[1].content == "look_up({})\nspores\nBracken."
    assert ferns.messages[1].model == "llama3"
    assert found.report().query("kind == 'not read'")["what"].tolist() == ["settings/settings.json"]


def test_perplexity() -> None:
    (thread,) = read_chat(SAMPLES["perplexity"].data)
    assert (thread.source_id, thread.title) == ("p1", "Ferns")
    assert [(m.role, m.text) for m in thread.messages] == [
        ("user", "A fern?"),
        ("assistant", "Bracken."),
        ("user", "And moss?"),
        ("assistant", "Moss."),
    ]
    assert kinds(thread)[1] == ["text", "citation"]
    assert thread.messages[1].model == "sonar"


def test_copilot() -> None:
    found = read_chat(SAMPLES["copilot"].data)
    ferns, mosses = found
    assert [(m.role, m.content) for m in ferns.messages] == [
        ("user", "Name a fern."),
        ("assistant", "Bracken."),
        ("user", 'Is it a "fern"?'),
    ]
    assert mosses.messages[1].content == "Moss has no roots,\nand no flowers."
    again = SAMPLES["copilot"].data.replace(b"Message\n", b"Message\nFerns,2025-11-09,Human,Hi\n")
    assert [thread.title for thread in read(again)] == ["Ferns", "Mosses", "Ferns"]
    assert [problem.what for problem in read(again).problems] == ["'Conversation'"]


def test_csv() -> None:
    one, two = read_chat(SAMPLES["csv"].data)
    assert links(one) == {"1": None, "2": "1", "3": "2", "4": "2"}
    assert [m.model for m in one.messages] == [None, None, "m-1", "m-2"]
    assert one.messages[2].metadata == {"score": "5"}
    assert two.messages[0].created_at == datetime(2025, 1, 1, 9, 0, 4, tzinfo=UTC)
    people = b"Author\tDate\tContent\nAnn\t2025-01-01 10:00\tHi\nBen\t\t\nAnn\t2025\n"
    found = read(people)
    assert [(m.author, m.role, m.parent) for m in found[0].messages] == [
        ("Ann", "user", None),
        ("Ben", "user", None),
    ]
    assert [problem.what for problem in found.problems] == ["line 4"]
    assert "a row of 2 fields, under 3 columns" in found.problems[0].why
    long = b'role,text,text\nuser,"' + b"x" * 200_000 + b'",more\nassistant,"cut'
    found = read(long)
    assert len(found[0].messages[0].content) == 200_000
    assert found[0].messages[0].metadata == {"text (2)": "more"}
    assert [problem.what for problem in found.problems] == ["line 3"]


@pytest.mark.parametrize("text", ["name,date\nAnn,1\n", "text\nHi\n", "who said;what\n", "a,b"])
def test_tables_that_are_no_chats(text: str) -> None:
    with pytest.raises(ImportFormatError, match="known here"):
        read_chat(text.encode())


PAGE = """<html><head><title>ChatGPT Data Export</title></head><body><div id="root"></div><script>
var jsonData = %s;
var assetsJson = {};
function show() {}
</script></body></html>
"""


def test_the_page_of_an_export_of_chatgpt() -> None:
    page = (PAGE % EXPORT.decode().replace("</", "<\\/")).encode()
    assert read_chat(page) == read_chat(EXPORT)
    assert read_chat(page)[0].source == "chatgpt"
    alone = zipped(("export/chat.html", page), ("export/user.json", b"{}"))
    assert read_chat(alone) == read_chat(EXPORT)
    for name in ("conversations.json", "export/conversations-000.json"):
        both = read_chat(zipped(("export/chat.html", page), (name, EXPORT)))
        assert both == read_chat(EXPORT)
        left = both.report().query("kind == 'not read'")["what"].tolist()
        assert left == ["file"]
    for bad in (page.replace(b"var jsonData = ", b"var json = "), page[: page.index(b"[") + 40]):
        with pytest.raises(ImportFormatError):
            read_chat(bad)
