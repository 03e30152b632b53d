"""Chats that others exported: what is read from each format."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from ecsviz.errors import ImportFormatError
from ecsviz.importers import (
    ChatImportWarning,
    read_chat,
)
from ecsviz.importers.chat.drafts import one_line, read_time
from ecsviz.importers.chat.json_text import free_name
from ecsviz.importers.chat.trees import arrange
from tests.chat_files import (
    CONTENTS,
    NO_MESSAGE,
    PROMPT,
    TREE,
    conversation,
    encode,
    is_sound,
    links,
    node,
    oa,
    oa_tree,
    read,
    said,
)

# ---------------------------------------------------------------------------------------------
# ChatGPT: what the vintages look like
# ---------------------------------------------------------------------------------------------


def test_a_conversation_with_branches() -> None:
    found = read([conversation(*TREE, current_node="y", create_time=1704067200.25, gizmo_id=None)])
    (thread,) = found
    assert is_sound(thread)
    assert found.problems == []
    assert (thread.title, thread.source, thread.source_id) == ("T", "chatgpt", "conv")
    assert thread.created_at == datetime(2024, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC)
    assert links(thread) == {"s": None, "q": "s", "x": "q", "x2": "x", "y": "q"}
    assert [m.content for m in thread.messages] == ["be kind", "Q", "X", "X2", "Y"]
    assert [m.role for m in thread.messages][:3] == ["system", "user", "assistant"]
    assert thread.metadata == {
        "current_node": "y",
        "gizmo_id": None,
        "null_nodes": [{"id": "root", "children": ["s"]}],
    }


def named(value: dict[str, Any]) -> Any:
    return {"one": value, "two": {**value, "id": "other"}}


@pytest.mark.parametrize(
    ("shape", "count"),
    [
        (lambda c: c, 1),
        (lambda c: [c], 1),
        (lambda c: [c, {**c, "id": "other"}], 2),
        (lambda c: {"conversations": [c]}, 1),
        (named, 2),
    ],
    ids=["single", "list", "list of two", "conversations", "named"],
)
def test_every_shape_is_recognised(shape: Callable[[Any], Any], count: int) -> None:
    found = read_chat(encode(shape(conversation(*TREE))))
    assert len(found) == count
    assert [len(thread.messages) for thread in found] == [5] * count
    assert all(thread.source == "chatgpt" for thread in found)


def test_where_the_id_of_a_conversation_stands() -> None:
    bare = {k: v for k, v in conversation(*TREE).items() if k != "id"}
    assert [t.source_id for t in read({"one": bare, "two": bare})] == ["one", "two"]
    assert read(bare)[0].source_id is None
    (thread,) = read({**bare, "conversation_id": "c"})
    assert (thread.source_id, "conversation_id" in thread.metadata) == ("c", False)
    (thread,) = read({**bare, "id": "i", "conversation_id": "c"})
    assert (thread.source_id, thread.metadata["conversation_id"]) == ("i", "c")


def test_a_current_node_that_is_not_there_is_told() -> None:
    found = read([conversation(*TREE, current_node="gone")])
    assert said(found) == [("conv", None, "'current_node'")]
    assert found[0].metadata["current_node"] == "gone"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_encodings_of_json(encoding: str) -> None:
    text = json.dumps([conversation(node("a", text="Žluťoučký 🐎"))], ensure_ascii=False)
    assert read_chat(text.encode(encoding))[0].messages[0].content == "Žluťoučký 🐎"


def test_parents_without_children() -> None:
    bare = [{k: v for k, v in each.items() if k != "children"} for each in TREE]
    assert links(read([conversation(*bare)])[0]) == links(read([conversation(*TREE)])[0])


def test_children_without_parents() -> None:
    bare = [{k: v for k, v in each.items() if k != "parent"} for each in TREE]
    found = read([conversation(*bare)])
    assert links(found[0]) == links(read([conversation(*TREE)])[0])
    assert found.problems == []


def test_siblings_stand_as_their_parent_lists_them() -> None:
    nodes = [node("a", None, ["c", "b"]), node("b", "a"), node("c", "a"), node("d", "a")]
    (thread,) = read([conversation(*nodes)])
    assert [reply.source_id for reply in thread.messages[0].replies] == ["c", "b", "d"]
    assert [m.source_id for m in thread.messages] == ["a", "c", "b", "d"]


def test_null_nodes_are_bridged_and_kept() -> None:
    nodes = [
        node("a", None, ["n"]),
        {"id": "n", "message": None, "parent": "a", "children": ["m", "b"], "extra": 1},
        node("m", "n", ["c"], text=NO_MESSAGE),
        node("b", "n", []),
        node("c", "m", []),
        node("lone", None, [], text=NO_MESSAGE),
    ]
    found = read([conversation(*nodes) | {"mapping": {n["id"]: n for n in nodes} | {"z": None}}])
    (thread,) = found
    assert is_sound(thread)
    assert links(thread) == {"a": None, "c": "a", "b": "a"}  # in the place of the null nodes
    assert thread.metadata["null_nodes"] == [
        {"id": "n", "parent": "a", "children": ["m", "b"], "extra": 1},
        {"id": "m", "parent": "n", "children": ["c"]},
        {"id": "lone", "children": []},
        {"id": "z"},
    ]


def test_a_missing_parent_is_told_and_kept() -> None:
    with pytest.warns(ChatImportWarning, match=r"'conv' / 'b': parent 'gone': not in the file"):
        found = read_chat(encode([conversation(node("a"), node("b", "gone", ["also gone"]))]))
    (thread,) = found
    assert links(thread) == {"a": None, "b": None}
    assert thread.messages[1].metadata["node"] == {"parent": "gone", "children": ["also gone"]}
    assert said(found) == [("conv", "b", "child 'also gone'"), ("conv", "b", "parent 'gone'")]


@pytest.mark.parametrize(
    ("parents", "root", "expected"),
    [
        ({"a": "a"}, "a", {"a": None}),
        ({"a": "b", "b": "a"}, "a", {"a": None, "b": "a"}),
        (
            {"t": "c", "b": "c", "c": "d", "d": "b"},
            "b",
            {"b": None, "d": "b", "c": "d", "t": "c"},
        ),
    ],
)
def test_a_cycle_of_parents_is_broken_once(
    parents: dict[str, str], root: str, expected: dict[str, str | None]
) -> None:
    found = read([conversation(*(node(key, parent) for key, parent in parents.items()))])
    assert is_sound(found[0])
    assert links(found[0]) == expected
    assert said(found) == [("conv", root, f"parent {parents[root]!r}")]
    broken = next(m for m in found[0].messages if m.source_id == root)
    rest: Any = broken.metadata["node"]
    assert rest["parent"] == parents[root]


def test_disagreeing_links_are_told() -> None:
    nodes = [node("a", None, ["b", "b"]), node("b", "a"), node("c", None, ["b", "d"]), node("d")]
    found = read([conversation(*nodes)])
    assert links(found[0]) == {"a": None, "b": "a", "c": None, "d": "c"}
    assert said(found) == [("conv", "c", "child 'b'"), ("conv", "a", "child 'b'")]


@pytest.mark.parametrize("mapping", [{}, {"mapping": None}])
def test_a_conversation_without_mapping(mapping: dict[str, Any]) -> None:
    lone = {"id": "e", "title": "Empty", "create_time": 1.0, "update_time": 2.0, **mapping}
    found = read([lone, conversation(*TREE)])
    assert [len(thread.messages) for thread in found] == [0, 5]
    assert said(found) == [("e", None, "'mapping'")]


def test_hidden_author_model_and_the_rest() -> None:
    message = {
        "create_time": 0,
        "metadata": {"is_visually_hidden_from_conversation": True, "model_slug": "m-1", "x": [1]},
        "author": {"role": "tool", "name": "browser", "metadata": {"k": 1}},
        "weight": 0.5,
    }
    shown = node("b", "a", metadata={"is_visually_hidden_from_conversation": False})
    first, second = read([conversation(node("a", **message), shown)])[0].messages
    assert (first.role, first.author, first.model, first.hidden) == ("tool", "browser", "m-1", True)
    assert first.created_at == datetime(1970, 1, 1, tzinfo=UTC)
    assert first.metadata == {
        "metadata": message["metadata"],
        "weight": 0.5,
        "author": message["author"],
        "parts": [{"kind": "tool_result", "text": "A", "tool": "browser"}],
    }
    assert (second.hidden, second.author, second.model, second.created_at) == (False,) + (None,) * 3


def test_the_node_is_the_identity_where_the_message_has_another_id() -> None:
    odd = node("a") | {"id": "other"}
    odd["message"]["id"] = "m-a"
    (message,) = read([conversation() | {"mapping": {"a": odd}}])[0].messages
    assert message.source_id == "a"
    assert message.metadata == {"id": "m-a", "node": {"id": "other"}}


@pytest.mark.parametrize(("content", "text"), CONTENTS)
def test_contents(content: Any, text: str) -> None:
    (message,) = read_chat(encode([conversation(node("a", content=content))]))[0].messages
    assert message.content == text
    assert message.metadata["content"] == content


@pytest.mark.parametrize(
    "content", ["a", {"parts": ["a"]}, {"content_type": "text", "parts": ["a"]}]
)
def test_a_content_that_is_only_text_is_not_kept_twice(content: Any) -> None:
    (message,) = read_chat(encode([conversation(node("a", content=content))]))[0].messages
    assert (message.content, message.metadata) == ("a", {})


@pytest.mark.parametrize("raw", ["yesterday", float("nan"), 1e300, True, [], -1e15])
def test_a_time_that_is_none_is_told_and_kept(raw: Any) -> None:
    found = read([conversation(node("a", create_time=raw))])
    (message,) = found[0].messages
    assert message.created_at is None
    assert repr(message.metadata["create_time"]) == repr(raw)
    assert said(found) == [("conv", "a", "'create_time'")]


def test_what_stands_beside_the_conversations_is_told() -> None:
    found = read({"conversations": [conversation(*TREE)], "b": 1, "a": 2})
    assert said(found) == [
        (None, None, "'b' beside 'conversations'"),
        (None, None, "'a' beside 'conversations'"),
    ]
    found = read({"one": conversation(*TREE), "version": 1})
    assert said(found) == [(None, None, "'version' beside conversations")]


def test_a_name_twice_in_an_object_loses_nothing() -> None:
    text = '[{"title": "T", "mapping": {"a": %s, "a": %s, "a": %s}}]'
    nodes = [json.dumps(node("a", text=text)) for text in ("one", "two", "three")]
    found = read((text % tuple(nodes)).encode())
    assert {m.source_id: m.content for m in found[0].messages} == {
        "a": "three",
        "a (2)": "one",
        "a (3)": "two",
    }
    assert [each.what for each in found.problems] == ["the name 'a' twice in one JSON object"] * 2


# ---------------------------------------------------------------------------------------------
# Open-Assistant
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        encode(oa_tree(PROMPT)),
        encode([oa_tree(PROMPT)]),
        json.dumps(oa_tree(PROMPT), indent=2).encode(),
        b"\xef\xbb\xbf\r\n" + encode(oa_tree(PROMPT)) + b"\r\n\r\n",
    ],
    ids=["line", "list", "pretty", "BOM and blank lines"],
)
def test_an_open_assistant_tree(data: bytes) -> None:
    (thread,) = read_chat(data)
    assert is_sound(thread)
    assert (thread.source, thread.source_id, thread.title) == ("open-assistant", "tree", "text a")
    assert thread.metadata == {"tree_state": "ready"}
    assert links(thread) == {"a": None, "b": "a", "d": "b", "c": "a"}
    a, b, _, c = thread.messages
    assert (a.role, b.role, a.metadata["role"]) == ("user", "assistant", "prompter")
    assert (b.model, b.metadata, a.metadata["lang"]) == ("m", {"rank": 0}, "en")
    assert c.created_at == datetime(2025, 1, 2, 1, 4, 5, tzinfo=UTC)


def test_json_lines_are_read_line_by_line() -> None:
    lines = [encode(oa_tree(oa(f"m{n}"), f"t{n}")) for n in range(20)]
    found = read_chat(b"\n".join(lines))
    assert [thread.source_id for thread in found] == [f"t{n}" for n in range(20)]
    with pytest.raises(ImportFormatError, match="line 7, column 12: ") as caught:
        read_chat(b"\n".join([*lines[:6], lines[6][:11], *lines[7:]]), strict=True)
    assert (caught.value.line, caught.value.column) == (7, 12)
    lines[4] = b"\n\r\n" + encode(oa_tree(oa("m4", oa("x", text=["no"])), "t4"))
    with pytest.raises(ImportFormatError, match="line 7, item 5, message 'x': 'text' must be a "):
        read_chat(b"\n".join(lines), strict=True)


def test_a_deep_tree_needs_no_recursion() -> None:
    prompt = oa("m0")
    tip = prompt
    for number in range(1, 300):
        tip["replies"].append(oa(f"m{number}"))
        tip = tip["replies"][0]
    (thread,) = read_chat(encode(oa_tree(prompt)))
    assert len(thread.path_to(thread.messages[-1])) == 300


def test_a_reply_that_names_another_parent_stays_where_it_is() -> None:
    found = read(oa_tree(oa("a", oa("b", parent_id="z"))))
    assert links(found[0]) == {"a": None, "b": "a"}
    assert found[0].messages[1].metadata["parent_id"] == "z"
    assert said(found) == [("tree", "b", "'parent_id'")]


def test_single_messages_are_put_together() -> None:
    rows = [
        oa("b", parent_id="a", message_tree_id="t1"),
        oa("a", message_tree_id="t1"),
        oa("x", oa("y")),
        oa("lost", parent_id="gone", message_tree_id="t1"),
        oa("z", parent_id="y"),
    ]
    found = read(b"\n".join(map(encode, rows)))
    assert [thread.source_id for thread in found] == ["t1", "x"]
    assert [links(thread) for thread in found] == [
        {"a": None, "b": "a", "lost": None},
        {"x": None, "y": "x", "z": "y"},
    ]
    assert said(found) == [("t1", "lost", "parent 'gone'")]
    assert found[0].messages[2].metadata == {"role": "prompter", "parent_id": "gone"}


def test_a_role_that_is_missing_is_told() -> None:
    found = read(oa_tree({"message_id": "a", "text": "x", "replies": []}))
    assert found[0].messages[0].role == "unknown"
    assert said(found) == [("tree", "a", "'role'")]


# ---------------------------------------------------------------------------------------------
# The parts
# ---------------------------------------------------------------------------------------------


def test_arrange_is_linear_and_iterative() -> None:
    names = [str(number) for number in range(50_000)]
    parents = dict(zip(names[1:], names, strict=False))
    assert arrange(names[::-1], parents, {}, print)[0] == ("0", None)
    found: list[tuple[str | None, str, str]] = []
    parents["0"] = names[-1]
    assert len(arrange(names, parents, {}, lambda *told: found.append(told))) == 50_000
    assert [node for node, _, _ in found] == ["0"]


def test_small_helpers() -> None:
    assert read_time("2024-02-30") is None
    assert read_time("0001-01-01T00:00:00+14:00") is None
    assert read_time("2024-01-01T00:00:00Z") == datetime(2024, 1, 1, tzinfo=UTC)
    assert len(one_line("word " * 50)) <= 60
    assert one_line("x" * 100) == "x" * 59 + "…"
    assert one_line("  ") == ""
    taken = {"a": 0}
    used: dict[str, int] = {}
    for _ in range(3):
        taken[free_name(taken, "a", used)] = 0
    assert list(taken) == ["a", "a (2)", "a (3)", "a (4)"]
