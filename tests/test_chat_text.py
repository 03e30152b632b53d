"""Chats to read and to send: as Markdown and as a page; branches chosen, nothing breaks out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import ecsviz as ev
from ecsviz import errors
from tests.hostile import HOSTILE, assert_harmless, shape, texts


def forked() -> ev.ChatThread:
    """Return a chat of five messages and three branches: 1-2, 1-3-4, 1-3-5."""
    thread = ev.ChatThread(title="Forks", source="llm")
    first = thread.say("user", "one")
    thread.say("assistant", "two", parent=first)
    third = thread.say("assistant", "three", parent=first)
    thread.say("user", "four", parent=third)
    thread.say("user", "five", parent=third)
    return thread


def said(markdown: Any) -> list[str]:
    return re.findall(r"^> (\w+)$", markdown, flags=re.MULTILINE)


def body(page: Any) -> str:
    return str(page[page.index("<body>") + 6 : page.rindex("</body>")])


def test_a_branch_is_chosen_by_number_by_message_or_as_it_was_left() -> None:
    thread = forked()
    assert said(thread.to_markdown()) == ["one", "three", "five"]
    assert said(thread.to_markdown(branch=1)) == ["one", "two"]
    assert said(thread.to_markdown(branch=2)) == ["one", "three", "four"]
    assert said(thread.to_markdown(branch=thread.messages[3])) == ["one", "three", "four"]
    assert said(thread.to_markdown(branch=thread.messages[2])) == ["one", "three", "five"]
    thread.messages[1].source_id = "m2"
    thread.metadata = {"current_node": "m2"}
    assert said(thread.to_markdown()) == ["one", "two"]


def test_of_all_branches_each_message_is_told_once() -> None:
    markdown = forked().to_markdown(branch="all")
    assert said(markdown) == ["one", "three", "five", "two", "four"]
    headings = re.findall(r"^## (.*)$", str(markdown), flags=re.MULTILINE)
    assert headings == [
        "Branch 3 of 3",
        "Branch 1 of 3, after message 1",
        "Branch 2 of 3, after message 3",
    ]
    page = body(forked().to_html(branch=1))
    order = [texts(page).index(word) for word in ("one", "two", "three", "four", "five")]
    assert order == sorted(order)
    assert page.count("<details") == 2


def test_who_said_it_and_when_stands_above(tmp_path: Path) -> None:
    thread = ev.read_chat(ev.samples.sample_file("chats"))[0]
    for file, shown in (
        (thread.to_markdown(tmp_path / "chat.md"), thread.to_markdown()),
        (thread.to_html(tmp_path / "chat.html"), thread.to_html()),
    ):
        assert Path(file).read_text(encoding="utf-8") == shown
        message = thread.messages[0]
        assert f"{message.role}, {message.created_at:%Y-%m-%d %H:%M} UTC" in str(shown)


def parted(text: str) -> ev.ChatThread:
    """Return a chat of which everything is one text, in every kind of part."""
    thread = ev.ChatThread(title=text, source=text)
    kinds = ("text", "thinking", "tool_call", "tool_result", "code", "file", "refusal", text)
    parts = [
        ev.MessagePart(kind=kind, text=text, tool=text, name=text, url=text, mime=text)
        for kind in kinds
    ]
    parts.append(ev.MessagePart(kind="tool_call", tool=text, data={text: [text]}))
    message = thread.say(text, parts)
    message.author = message.model = text
    thread.say("user", "last", parent=message)
    return thread


def test_nothing_breaks_out_of_markdown() -> None:
    for text in (*HOSTILE, "```\n> ~~~\n## user\n````js", "<!--", "<details><pre>", "a\r```\rb"):
        markdown = str(parted(text).to_markdown())
        markdown.encode()
        lines = markdown.split("\n")
        outside = [line for line in lines if line and not line.startswith(">")]
        assert len(outside) == 4, "two headings of messages, the title and the facts"
        assert [line[: line.index(" ")] for line in outside if line[0] == "#"] == ["#", "##", "##"]
        assert outside[3] == "## user"
        for quote in re.split(r"\n\n", markdown):
            parts = [line.removeprefix(">").removeprefix(" ") for line in quote.split("\n")]
            if not parts[0].startswith("**"):
                continue
            fences = [n for n, line in enumerate(parts) if re.match("`{3,}", line)]
            if fences:  # the first opens, only the last is as long
                length = len(parts[fences[0]]) - len(parts[fences[0]].lstrip("`"))
                assert fences[-1] == len(parts) - 1
                assert parts[-1] == "`" * length
                assert not any("`" * length in part for part in parts[fences[0] + 1 : -1])


def test_a_page_runs_and_loads_nothing_whatever_it_holds() -> None:
    for text in HOSTILE:
        page = str(parted(text).to_html())
        assert_harmless(body(page))
        assert "default-src 'none'" in page[: page.index("<title>")]
        tags = {tag for tag, _ in shape(body(page))}
        assert not tags & {"a", "img", "script", "iframe"}
    assert 'name="color-scheme" content="light dark"' in page


def test_texts_are_whole() -> None:
    thread = ev.ChatThread(title="Long")
    thread.say("user", "word " * 10_000 + "end")
    thread.say("assistant", [ev.MessagePart(kind="tool_result", text="row\n" * 5_000)])
    assert texts(body(thread.to_html())).count("word") == 10_000
    assert texts(body(thread.to_html(branch=1))).count("row") == 5_000
    assert str(thread.to_markdown(branch=1)).count("> row\n") == 5_000


def test_long_chats_and_many_branches_are_told_in_one_pass() -> None:
    thread = ev.ChatThread(title="Deep")
    message = None
    for number in range(10_000):
        message = thread.say("user", f"n{number}", parent=message)
        if number % 2:
            thread.say("assistant", f"side{number}", parent=message.parent)
    markdown = str(thread.to_markdown(branch="all"))
    assert len(re.findall("^> ", markdown, flags=re.MULTILINE)) == 15_000
    assert str(thread.to_html()).count("<details") == 5_000


def test_a_chat_without_messages_or_roots_is_told() -> None:
    empty = ev.ChatThread()
    assert empty.to_markdown() == "# A chat without a title\n\n0 messages\n"
    assert "0 messages" in texts(body(empty.to_html()))
    circle = ev.ChatThread(title="Circle")
    one = circle.say("user", "one")
    two = circle.say("user", "two", parent=one)
    one.parent = two
    assert said(circle.to_markdown(branch="all")) == ["one", "two"]


@pytest.mark.parametrize("branch", [0, 4, -1, True, "every", 1.5, ev.ChatThread().say("user", "")])
def test_a_branch_that_is_none_is_told(branch: Any) -> None:
    for write in (forked().to_markdown, forked().to_html):
        with pytest.raises(errors.InvalidArgumentError, match=r"1 to 3|not in the thread"):
            write(branch=branch)
    with pytest.raises(errors.InvalidArgumentError, match="no message"):
        ev.ChatThread().to_markdown(branch=1)
