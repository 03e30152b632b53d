"""Chat files that other people's programs wrote: the figures that independent tools found."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ecsviz import ChatMessage
from ecsviz.errors import ImportFormatError
from ecsviz.importers import ChatImport, read_chat
from tests.chat_files import is_sound, read
from tests.test_importers_ids import CHATGPT_FILES, expected_of

OTHERS = {
    "chats/agents/oasst_sqlite_session.db": "openai-agents",
    "chats/claude/claude_history2_conversations.json": "claude",
    "chats/claude/polylogue_normalization-lineage-subagent-acompact.jsonl": "claude-code",
    "chats/claude/polylogue_sample-00.json": "claude",
    "chats/langchain/result.json": "telegram",
    "chats/langchain/slack_export.zip": "slack",
    "chats/langchain/telegram.json": "telegram",
    "chats/langchain/whatsapp_chat.txt": "whatsapp",
    "chats/librechat/chatbotui-export.json": "chatbot-ui",
    "chats/librechat/librechat-export.json": "librechat",
    "chats/librechat/librechat-linear.json": "librechat",
    "chats/llm/llm_chat_basic.db": "llm",
    "chats/llm/llm_fork.db": "llm",
    "chats/llm/llm_legacy_100_responses.db": "llm",
    "chats/oasst/en_100_message.jsonl": "open-assistant",
    "chats/oasst/en_trees_share_1_50.jsonl": "open-assistant",
    "chats/sharegpt/fastchat_dummy_conversation.json": "sharegpt",
}

NO_CHAT = "chats/chatgpt/export_studio_test.sqlite3"
"""A database in which a program of its own keeps chats: any database is for read_database."""


def read_shared(shared: Path, path: str) -> tuple[ChatImport, list[ChatMessage], dict[str, Any]]:
    found = read(shared / "data" / path)
    assert all(map(is_sound, found))
    messages = [message for thread in found for message in thread.messages]
    return found, messages, expected_of(shared, path)


def linked(messages: list[ChatMessage]) -> int:
    return sum(message.parent is not None for message in messages)


def test_every_file_has_a_test(shared: Path) -> None:
    folder = shared / "data"
    here = {
        path.relative_to(folder).as_posix()
        for path in (folder / "chats").rglob("*")
        if path.is_file()
    }
    assert here == {*CHATGPT_FILES, *OTHERS, NO_CHAT}


@pytest.mark.parametrize("path", [*OTHERS, *CHATGPT_FILES])
def test_files_are_recognised_whatever_they_are_called(shared: Path, path: str) -> None:
    found = read((shared / "data" / path).read_bytes())
    assert {thread.source for thread in found} == {OTHERS.get(path, "chatgpt")}
    assert found == read(shared / "data" / path)


def test_a_database_of_another_program_is_refused_clearly(shared: Path) -> None:
    with pytest.raises(ImportFormatError, match=r"'messages', 'conversations'.*ev.read_database"):
        read_chat(shared / "data" / NO_CHAT)


@pytest.mark.parametrize("path", [path for path, kind in OTHERS.items() if kind == "claude"])
def test_claude(shared: Path, path: str) -> None:
    found, messages, figures = read_shared(shared, path)
    assert (len(found), len(messages)) == (figures["conversations"], figures["messages"])
    raw = json.loads((shared / "data" / path).read_text(encoding="utf-8"))
    raws = raw if isinstance(raw, list) else [raw]
    for thread, item, detail in zip(found, raws, figures["detail"], strict=True):
        assert (thread.title, len(thread.messages)) == (detail["name"], detail["messages"])
        assert Counter(m.metadata.get("sender", m.role) for m in thread.messages) == Counter(
            detail["senders"]
        )
        blocks = Counter(
            part.metadata.get("type", {"tool_call": "tool_use"}.get(part.kind, part.kind))
            for message in thread.messages
            for part in message.parts
            if part.kind != "file"
            and (part.kind != "text" or "text" in detail["content_blocks"])  # beside blocks
        )
        assert blocks == detail["content_blocks"]
        attached = sum(len(m.metadata.get("attachments", ())) for m in thread.messages)  # type: ignore[arg-type]  # a list
        assert attached == detail["attachments"]
        # No message of these files names a parent: each answers the one before it.
        assert detail["has_parent_uuid"] == 0
        assert linked(thread.messages) == len(thread.messages) - 1
        texts = [message.get("text", "") for message in item["chat_messages"]]
        assert sum(map(len, texts)) == detail["text_chars"]
        for text, message in zip(texts, thread.messages, strict=True):
            assert text in (message.text, message.metadata.get("text", ""))


def test_claude_code(shared: Path) -> None:
    path = next(path for path, kind in OTHERS.items() if kind == "claude-code")
    found, messages, figures = read_shared(shared, path)
    assert len(found) == 1
    assert len(messages) == figures["lines"]
    assert linked(messages) == figures["parent_inside"]
    assert found.problems == []
    assert figures["parent_missing"] == 0
    kinds = Counter(message.metadata.get("type", message.role) for message in messages)
    assert kinds == figures["types"]


@pytest.mark.parametrize("path", [path for path, kind in OTHERS.items() if kind == "librechat"])
def test_librechat(shared: Path, path: str) -> None:
    found, messages, figures = read_shared(shared, path)
    (thread,) = found
    assert len(messages) == figures["messages"]
    assert len({message.source_id for message in messages}) == figures["distinct_ids"]
    assert linked(messages) == figures["parent_links_inside"]
    assert len(thread.roots()) == figures["roots"]
    assert len(thread.branch_points()) == figures["branch_points"]
    assert sum(message.role == "user" for message in messages) == figures["user"]
    assert thread.metadata["recursive"] is figures["recursive_flag"]
    assert found.problems == []


def test_chatbot_ui(shared: Path) -> None:
    found, messages, figures = read_shared(shared, "chats/librechat/chatbotui-export.json")
    assert (len(found), len(messages)) == (figures["history"], figures["messages"])
    left = found.report().query("kind == 'not read'")["what"].tolist()
    assert (left, figures["prompts"]) == (["'prompts'"], 2)


@pytest.mark.parametrize("path", [path for path, kind in OTHERS.items() if kind == "telegram"])
def test_telegram(shared: Path, path: str) -> None:
    found, messages, figures = read_shared(shared, path)
    assert (len(found), len(messages)) == (1, figures["messages"])
    assert linked(messages) == figures["reply_to_inside"]
    assert len({message.metadata["from_id"] for message in messages}) == figures["senders"]
    assert found.problems == []


def test_slack(shared: Path) -> None:
    found, messages, figures = read_shared(shared, "chats/langchain/slack_export.zip")
    assert (len(found), len(messages)) == (figures["channels_with_messages"], figures["messages"])
    assert linked(messages) == figures["replies"] == 0
    assert len({message.metadata["user"] for message in messages}) == figures["distinct_users"]
    kinds = Counter(m.metadata["subtype"] for m in messages if "subtype" in m.metadata)
    assert kinds == figures["subtypes"]
    assert {thread.title for thread in found} == {"general", "random", "example-channel"}


def test_whatsapp(shared: Path) -> None:
    found, messages, figures = read_shared(shared, "chats/langchain/whatsapp_chat.txt")
    # Here a line is a message: none goes on.
    assert (len(found), len(messages)) == (1, figures["lines"])
    assert found[0].title == "Dr. Feather, Jungle Jane"
    times = [message.created_at for message in messages if message.created_at]
    assert times == sorted(times)
    assert len(times) == len(messages)


def test_sharegpt(shared: Path) -> None:
    path = "chats/sharegpt/fastchat_dummy_conversation.json"
    found, messages, figures = read_shared(shared, path)
    assert (len(found), len(messages)) == (figures["conversations"], figures["messages"])
    assert Counter(message.metadata["from"] for message in messages) == figures["from"]
    assert len({thread.source_id for thread in found}) == figures["distinct_ids"]
    assert len({message.content for message in messages}) == figures["distinct_message_texts"]
    assert linked(messages) == figures["messages"] - figures["conversations"]


def test_agents(shared: Path) -> None:
    found, messages, figures = read_shared(shared, "chats/agents/oasst_sqlite_session.db")
    rows = figures["rows_per_table"]
    assert (len(found), len(messages)) == (rows["agent_sessions"], rows["agent_messages"])
    assert linked(messages) == rows["agent_messages"] - rows["agent_sessions"]


def test_agents_and_trees_tell_the_same(shared: Path) -> None:
    # The sessions were written from the first path of the trees.
    sessions, _, _ = read_shared(shared, "chats/agents/oasst_sqlite_session.db")
    trees, _, _ = read_shared(shared, "chats/oasst/en_trees_share_1_50.jsonl")
    by_id = {thread.source_id: thread for thread in trees}
    for session in sessions:
        step = by_id[session.source_id].messages[0]
        for message in session.messages:
            assert (message.role, message.content) == (step.role, step.content)
            step = step.replies[0] if step.replies else step


@pytest.mark.parametrize("path", [path for path, kind in OTHERS.items() if kind == "llm"])
def test_llm(shared: Path, path: str) -> None:
    found, messages, figures = read_shared(shared, path)
    rows = figures["rows_per_table"]
    assert found.problems == []
    # A response of the old schema has no conversation here, and is three messages: the system's
    # prompt, the question and the answer. In the new one, a thread has its own messages, also
    # those that it shares with the thread that it was forked from.
    assert len(found) == rows["threads"] + rows["responses"]
    assert len({message.source_id for message in messages}) == (
        rows["messages"] + 3 * rows["responses"]
    )
    shares = rows["threads"] if path.endswith("fork.db") else 1
    assert len(messages) == shares * rows["messages"] + 3 * rows["responses"]
    assert linked(messages) == len(messages) - len(found)
    turns = sum(len(m.metadata.get("turns", ())) for m in messages)  # type: ignore[arg-type]  # a list
    assert turns == rows["turns"]
