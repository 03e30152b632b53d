"""Small inputs that failed once, each with its right counts; and what the mending of them asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import ecsviz as ev
from ecsviz import ChatMessage
from ecsviz.domain.branches import Branches
from ecsviz.errors import ImportFormatError, ImportLimitError
from ecsviz.importers import ChatImport, ChatImportWarning, read_chat
from tests.chat_files import conversation, encode, is_sound, node, read, zipped
from tests.chat_formats import SAMPLES, claude_message, code_record, slack_message
from tests.chat_sample import lines
from tests.conftest import require_optional

COUNTS: dict[str, tuple[int, ...]] = {
    "cc_answer_without_uuid.jsonl": (1, 2, 1, 0),
    "cc_replayed.jsonl": (1, 3, 2, 0),
    "chatgpt_one_bad_of_three.json": (2, 2, 0, 0),
    "claude_tools_and_leaf.json": (1, 3, 2, 1),
    "deepseek.json": (1, 3, 2, 1),
    "export_new.json": (1, 4, 3, 1),
    "export_old.json": (1, 2, 1, 0),
    "jan_messages.jsonl": (1, 2, 1, 0),
    "lc_app1.db": (1, 2, 1, 0),
    "lc_app2.db": (1, 2, 1, 0),
    "lmsys_chat_1m.jsonl": (1, 2, 1, 0),
    "missing/ai_sdk_uimessages.json": (1, 2, 1, 0),
    "missing/aistudio.json": (1, 3, 2, 0),
    "missing/aider.chat.history.md": (1, 6, 5, 0),
    "missing/codex_rollout.jsonl": (1, 5, 4, 0),
    "missing/cursor_state.vscdb": (1, 2, 1, 0),
    "missing/gemini_cli_session.jsonl": (1, 2, 1, 0),
    "missing/vscode_copilot_chat.json": (1, 2, 1, 0),
    "missing/gemini_MyActivity.json": (1, 4, 3, 0),
    "missing/langchain_lc_dumps.json": (1, 2, 1, 0),
    "missing/langgraph_checkpoints.db": (1, 4, 3, 0),
    "missing/pydantic_ai.json": (1, 5, 4, 0),
    "oasst_one_tree.jsonl.gz": (1, 14, 13, 3),
    "oasst2.parquet": (1, 2, 1, 0),
    "oasst_seed.json": (1, 2, 1, 0),
    "openai_agents_items.json": (1, 4, 3, 0),
    "openai_completion_response.json": (1, 1, 0, 0),
    "openai_finetune_tool_first.jsonl": (1, 2, 1, 0),
    "sharegpt_role_content.jsonl": (1, 2, 1, 0),
    "telegram_account_a.json": (1, 2, 0, 0),
    "telegram_account_b.json": (1, 3, 0, 0),
    "title_update_messages.json": (1, 2, 1, 0),
    "wa_ar.txt": (1, 2, 0, 0),
    "wa_cn_ampm.txt": (1, 2, 0, 0),
    "wa_kr.txt": (1, 2, 0, 0),
    "wa_old_colon.txt": (1, 2, 0, 0),
    "wa_thai_buddhist.txt": (1, 2, 0, 0),
    "missing/discordchatexporter.json": (1, 2, 1, 0),
    "missing/messenger_message_1.json": (1, 2, 0, 0),
    "missing/openwebui.json": (1, 4, 3, 1),
    "missing/prod-grok-backend.json": (1, 3, 2, 1),
}

REFUSED = ("bookmarks_not_a_chat.json",)


def messages(found: ChatImport) -> list[ChatMessage]:
    assert all(map(is_sound, found))
    return [message for thread in found for message in thread.messages]


def counts(found: ChatImport) -> tuple[int, ...]:
    said = messages(found)
    linked = sum(message.parent is not None for message in said)
    return len(found), len(said), linked, sum(len(thread.branch_points()) for thread in found)


@pytest.mark.parametrize("name", COUNTS)
def test_right_counts(shared: Path, name: str) -> None:
    found = read(shared / "cases" / "chats" / name)
    assert counts(found) == COUNTS[name]
    if name.startswith("wa_"):
        authors = {message.author for message in messages(found)}
        assert len(authors - {None}) == len(authors) == 2
        assert {message.created_at.year for message in messages(found) if message.created_at} <= {
            *(2014, 2024)
        }


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_chat_is_refused(shared: Path, name: str) -> None:
    with pytest.raises(ImportFormatError, match="known here"):
        read_chat(shared / "cases" / "chats" / name)


# ---------------------------------------------------------------------------------------------
# Recognition
# ---------------------------------------------------------------------------------------------


def why(data: Any) -> list[str]:
    report = read(data).report().query("kind == 'read' and what == 'threads'")
    return list(report["format"] + ": " + report["why"])


def test_the_report_says_by_what_a_file_was_recognised() -> None:
    assert why([conversation(node("a"))]) == [
        "chatgpt: a 'mapping' of nodes whose messages have an author (1)"
    ]
    assert why(SAMPLES["deepseek"].data) == [
        "deepseek: a 'mapping' of nodes whose messages have 'fragments' (1)"
    ]
    assert why(SAMPLES["whatsapp"].data)[0].endswith("(0.5)")
    assert why(SAMPLES["openai-messages"].data)[0].endswith("(0.2)")
    named = read_chat(SAMPLES["claude"].data, "claude").report()
    assert "named by format= (1)" in set(named["why"])
    everything = [why(sample.data) for sample in SAMPLES.values()]
    assert all(found and "(" in found[0] for found in everything)


@pytest.mark.parametrize(
    "data",
    [
        [{"title": "A page", "update_time": "2025-01-01", "url": "https://example.org"}],
        {"version": 3, "history": [{"step": 1}]},
        {"version": 3, "history": [], "x": 1},
        {"message_id": "m", "text": "Hi", "role": "admin"},
    ],
)
def test_what_many_have_is_no_claim(data: Any) -> None:
    with pytest.raises(ImportFormatError, match="no chat that is known here"):
        read_chat(encode(data))


def test_a_list_with_titles_and_times_is_read_by_its_messages() -> None:
    said = [
        {"role": "user", "content": "Name a fern."},
        {"role": "assistant", "content": "Bracken."},
    ]
    found = read([{"id": "1", "title": "Ferns", "update_time": 5, "messages": said}])
    assert (found[0].source, found[0].title, len(messages(found))) == (
        "openai-messages",
        "Ferns",
        2,
    )


# ---------------------------------------------------------------------------------------------
# Formats
# ---------------------------------------------------------------------------------------------


def test_rows_of_a_parquet_file(tmp_path: Path) -> None:
    arrow = require_optional("pyarrow")
    parquet = require_optional("pyarrow.parquet")
    rows = [
        {"message_id": "a", "parent_id": None, "text": "Hi", "role": "prompter"},
        {"message_id": "b", "parent_id": "a", "text": "Hello", "role": "assistant"},
    ]
    path = tmp_path / "rows.parquet"
    parquet.write_table(arrow.Table.from_pylist(rows), path)
    data = path.read_bytes()
    for source in (path, data, tmp_path):
        found = read(source)
        assert counts(found) == (1, 2, 1, 0)
    assert [thread.ecs_id for thread in found] == [t.ecs_id for t in read(lines(*rows))]
    other = arrow.Table.from_pylist([{"a": 1}])
    parquet.write_table(other, tmp_path / "other.parquet")
    found = read(tmp_path)
    assert (counts(found), found.problems) == ((1, 2, 1, 0), [])
    for bad in (data[:-9], data[:40], b"PAR1"):
        with pytest.raises(ImportFormatError, match="a Parquet file that cannot be read"):
            read_chat(bad)
    with pytest.raises(ImportLimitError, match="max_bytes="):
        read_chat(data, max_bytes=60)


def test_deepseek() -> None:
    found = read_chat(SAMPLES["deepseek"].data)
    assert [(m.role, m.text, m.model) for m in messages(found)] == [
        ("user", "Why are there two tides a day?", "deepseek-reasoner"),
        ("assistant", "Two bulges.", "deepseek-reasoner"),
        ("assistant", "The Moon pulls.", "deepseek-reasoner"),
    ]
    assert all(message.created_at for message in messages(found))
    assert messages(found)[1].metadata["fragments"][0]["content"] == "The user asks."  # type: ignore[index, call-overload]  # as it was


def test_deepseek_of_earlier_exports() -> None:
    def said(text: str) -> dict[str, Any]:
        return {"model": "deepseek-chat", "content": text, "inserted_at": "2025-01-01T00:00:00Z"}

    nodes = {
        "root": {"id": "root", "parent": None, "children": ["1"], "message": None},
        "1": {"id": "1", "parent": "root", "children": ["2"], "message": said("Hi")},
        "2": {"id": "2", "parent": "1", "children": [], "message": said("Hello")},
    }
    found = read([{"id": "d", "title": "T", "mapping": nodes}])
    assert [(m.role, m.content) for m in messages(found)] == [
        ("user", "Hi"),
        ("assistant", "Hello"),
    ]


def test_claude_code_without_ids_replayed_and_over_a_seam() -> None:
    first = code_record("u1", None, "user", "Question?")
    answer = code_record("a1", "u1", "assistant", "The answer.")
    del answer["uuid"]
    seam = code_record("b1", None, "system", "compacted", logicalParentUuid="u1")
    titles = [
        {"type": "ai-title", "aiTitle": "A title", "sessionId": "s1"},
        {"type": "summary", "summary": "A summary", "leafUuid": "u1"},
    ]
    found = read(lines(first, answer, first, seam, *titles))
    assert counts(found) == (1, 3, 2, 1)
    assert found[0].title == "A title"
    assert [m.content for m in messages(found)] == ["Question?", "The answer.", "compacted"]
    assert found.problems == []
    report = found.report().query("kind == 'not read'")
    assert report[["what", "count"]].values.tolist() == [["a record", 1]]
    changed = first | {"message": {"role": "user", "content": "Another?"}}
    assert len(messages(read(lines(first, changed)))) == 2


def test_the_message_that_claude_shows() -> None:
    told = [
        claude_message("m1", "human", "Hi", "00000000-0000-4000-8000-000000000000"),
        claude_message("m2", "assistant", "Hello", "m1"),
        claude_message("m3", "assistant", "Regenerated", "m1"),
    ]
    for leaf in ("m2", "m3"):
        whole = {"uuid": "c", "name": "T", "current_leaf_message_uuid": leaf}
        (thread,) = read([whole | {"chat_messages": told}])
        branches = Branches(thread)
        assert branches.messages[branches.path()[-1]].source_id == leaf


def test_models_that_stand_elsewhere() -> None:
    answers = (node("a"), node("b", "a", role="assistant"))
    found = read([conversation(*answers, default_model_slug="m-1")])
    assert [m.model for m in messages(found)] == [None, "m-1"]
    data = {"content": "Hi", "type": "ai", "response_metadata": {"model_name": "m-2"}}
    assert messages(read([{"type": "ai", "data": data}]))[0].model == "m-2"
    said = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    for holder in (
        {"model": "m-3", "messages": said},
        {"body": {"model": "m-3", "messages": said}},
    ):
        assert [m.model for m in messages(read(holder))] == [None, "m-3"]


def test_slack_by_name() -> None:
    users = [
        {"id": "U1", "name": "ann", "profile": {"real_name": "Ann"}},
        {"id": "U2", "name": "ben", "profile": {"display_name": "Ben"}},
    ]
    said = [slack_message("1700000009.000100", "Ask <@U2> or <@U3|Cem>, <@U9>")]
    found = read(
        zipped(
            ("users.json", encode(users)),
            ("dms.json", encode([{"id": "D12345678", "members": ["U1", "U2"]}])),
            ("D12345678/2023-11-14.json", encode(said)),
        )
    )
    assert found[0].title == "Ann, Ben"
    (message,) = messages(found)
    assert message.content == "Ask @Ben or @Cem, <@U9>"
    assert message.metadata["text"] == said[0]["text"]


@pytest.mark.parametrize(
    ("line", "hour"),
    [
        ("2024. 10. 31. 오후 3:50, {} : 안녕", 15),
        ("2024. 10. 31. 오전 3:50, {} : 안녕", 3),
        ("[2024/10/31 下午3:50:46] {}: 你好", 15),
        ("[2024/10/31 上午3:50:46] {}: 你好", 3),
        ("\u200f٣١\u200f/١٠\u200f/٢٠٢٤, ٣:٥٠ م - {}: مرحبا", 15),  # noqa: RUF001 - as it is written
        ("\u200f٣١\u200f/١٠\u200f/٢٠٢٤, ٣:٥٠ ص - {}: مرحبا", 3),  # noqa: RUF001 - as it is written
        ("2024. 10. 31. 15:50 - {}: Szia", 15),
        ("31.10.2024 klo 15.50 - {}: Moi", 15),
        ("10/31/24, 3:50:59 PM: {}: Hello", 15),
        ("31/10/2567 15:50 - {}: สวัสดี", 15),
    ],
)
def test_whatsapp_of_many_countries(line: str, hour: int) -> None:
    text = "\n".join(line.format(name) for name in ("Ann", "Ben"))
    for before in ("", "A chat with Ben\n"):
        found = read((before + text + "\nmore: 31.10.24\n").encode())
        assert [message.author for message in messages(found)] == ["Ann", "Ben"]
        times = [message.created_at for message in messages(found)]
        assert [(t.year, t.month, t.day, t.hour, t.minute) for t in times if t] == [
            (2024, 10, 31, hour, 50)
        ] * 2
        assert found[0].metadata.get("before") == ([before.strip()] if before else None)


def test_a_line_of_another_style_belongs_to_the_message_before() -> None:
    text = "15.08.23, 21:12 - Ann: The plan\n16.08.23, 09:00: breakfast\n16.08.23, 10:00, walk\n"
    (message,) = messages(read(text.encode()))
    assert message.content == "The plan\n16.08.23, 09:00: breakfast\n16.08.23, 10:00, walk"


def test_a_chat_without_answers_is_one_branch() -> None:
    shown = read_chat(SAMPLES["whatsapp"].data)._repr_html_()
    assert ">1<" in shown.partition("2023")[0].rpartition(">4<")[2]
    assert ">2<" in read([conversation(node("a"), node("b", "a"), node("c", "a"))])._repr_html_()


def test_rows_name_their_thread_or_it_is_told(tmp_path: Path) -> None:
    arrow = require_optional("pyarrow")
    parquet = require_optional("pyarrow.parquet")
    table = arrow.table({"role": ["user", "assistant"] * 2, "content": list("abcd")})
    path = tmp_path / "rows.parquet"
    parquet.write_table(table, path)
    with pytest.warns(ChatImportWarning, match="read as one thread"):
        found = read_chat(path)
    assert (len(found), ["read as one thread" in str(p) for p in found.problems]) == (1, [True])
    for name in ("thread_id", "conversation_id", "session_id", "chat_id"):
        parquet.write_table(table.append_column(name, arrow.array(["x", "x", "y", "y"])), path)
        found = read_chat(path)
        assert [[m.text for m in t.messages] for t in found] == [["a", "b"], ["c", "d"]]
        assert not found.problems


def test_the_folder_of_a_graph_is_no_chat(tmp_path: Path) -> None:
    require_optional("pyarrow")
    with ev.SQLAlchemyEntityStorage(":memory:") as store:
        store.register(ev.sample())
        folder = store.to_parquet(tmp_path / "graph")
    with pytest.raises(ImportFormatError, match=r"ev\.scan_graph.*ecsviz scale.*from_parquet"):
        read_chat(folder)
    for inside in (folder / "nodes", *folder.rglob("part-*.parquet")):
        with pytest.raises(ImportFormatError, match="known here"):
            read_chat(inside)
    (tmp_path / "c.json").write_text('[{"role": "user", "content": "Hi"}]')
    assert [t.messages[0].text for t in read_chat(tmp_path)] == ["Hi"]


@pytest.mark.parametrize("count", [8_191, 8_192, 70_000, 2**21 + 5])
@pytest.mark.parametrize("space", [" ", "\r\n", "\ufeff\t"])
def test_white_space_before_json(count: int, space: str) -> None:
    data = (space[:1] + space[-1] * count + '[{"role": "user", "content": "Hi"}]').encode()
    assert [thread.messages[0].text for thread in read_chat(data)] == ["Hi"]
