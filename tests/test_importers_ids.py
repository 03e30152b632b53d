"""Chats that others exported: ids, duplicates, warnings, and files that others made."""

from __future__ import annotations

import copy
import json
import pickle
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ecsviz import EntityDependencyGraph
from ecsviz.errors import ImportFormatError
from ecsviz.importers import (
    ChatImport,
    ChatImportWarning,
    ChatProblem,
    read_chat,
)
from tests.chat_files import (
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
# Ids, duplicates, warnings
# ---------------------------------------------------------------------------------------------


def ids(found: ChatImport) -> list[str]:
    return [str(e.ecs_id) for thread in found for e in (thread, *thread.messages)]


def test_ids_are_a_promise() -> None:
    # Stored chats are found again by these: a change here loses them.
    assert ids(read([conversation(node("a"))])) == [
        "48f7e871-8004-5718-80ba-ddbc381a7d31",
        "6c1e9d39-c29e-5b05-80fc-507b76e8e66e",
    ]


def untitled(*texts: str, first: str = "?") -> dict[str, Any]:
    return oa_tree(oa(None, *(oa(None, text=text) for text in texts), text=first), None)


def test_without_ids_the_beginning_and_the_way_there_count() -> None:
    one, two, other = untitled("x", "y"), untitled("x", "z"), untitled("x", "y", first="!")
    assert ids(read([one, two])) == ids(read([one, two]))
    assert len(set(ids(read([one, one])))) == 8
    assert not set(ids(read([one]))) & set(ids(read([other])))
    assert [thread.source_id for thread in read([one, two])] == [None, None]


def test_without_ids_what_was_there_keeps_its_ids() -> None:
    before = ids(read([untitled("x"), untitled("y")]))
    longer = [untitled("x", "new"), untitled("new", "y"), untitled("z"), untitled(first="new")]
    assert set(before) < set(ids(read(longer)))
    # The same text twice under one question is two messages.
    assert len(set(ids(read([untitled("x", "x")])))) == 4


def test_without_ids_another_branch_before_changes_nothing() -> None:
    def tree(*branches: str) -> dict[str, Any]:
        answers = [oa(None, oa(None, text="ok"), text=text) for text in branches]
        return oa_tree(oa(None, *answers, text="?"), None)

    assert set(ids(read([tree("b")]))) < set(ids(read([tree("a", "b")])))


def test_a_longer_copy_in_another_file_takes_the_place_of_the_first() -> None:
    nodes = [{k: v for k, v in each.items() if k != "children"} for each in TREE]
    short, long = encode([conversation(*nodes[:4])]), encode([conversation(*nodes)])
    (thread,) = read_chat([short, long])
    assert len(thread.messages) == 5
    found = read_chat([long, short])
    assert (ids(found), found.problems) == (ids(read_chat(long)), [])
    report = found.report().query("kind == 'not kept'")
    assert report[["what", "count"]].values.tolist() == [["threads", 1], ["messages", 3]]


def test_copies_that_each_have_more_are_one_where_they_say_the_same() -> None:
    one, two = (encode([conversation(node("a"), node(other, "a"))]) for other in "bc")
    (thread,) = found = read_chat([one, two, two])
    assert is_sound(thread)
    assert links(thread) == {"a": None, "b": "a", "c": "a"}
    counts = found.report().set_index(["kind", "what"])["count"].groupby(level=[0, 1]).sum()
    assert counts["read", "messages"] - counts["not kept", "messages"] == 3
    # Where they differ in what both have, nobody can tell, and both stay.
    other = encode([conversation(node("a", text="another"), node("c", "a"))])
    several = read([one, other, other])
    assert [len(thread.messages) for thread in several] == [2, 2]
    assert said(several) == [("conv", None, "thread id 'conv'")]


def test_an_id_twice_gives_two_entities() -> None:
    twice = [conversation(node("a")), conversation(node("a", text="other"))]
    found = read(twice)
    assert len(set(ids(found))) == 4
    assert ids(found)[:2] == ids(read(twice[:1]))
    assert said(found) == [("conv", None, "thread id 'conv'")]
    found = read(oa_tree(oa("a", oa("b"), oa("b", oa("a")))))
    assert is_sound(found[0])
    assert len(set(ids(found))) == 5
    assert said(found) == [("tree", "b", "message id 'b'"), ("tree", "a", "message id 'a'")]


def test_one_warning_names_five_and_the_count() -> None:
    nodes = [node(f"n{number}", "gone") for number in range(12)]
    with pytest.warns(ChatImportWarning) as caught:
        found = read_chat(encode([conversation(*nodes)]))
    assert len(caught) == 1
    told = str(caught[0].message)
    assert told.startswith("<bytes>: 12 things could not be placed")
    assert told.count("'gone'") == 5
    assert "'n4'" in told
    assert told.endswith("… and 7 more")
    assert caught[0].filename == __file__
    assert found.problems[11] == ChatProblem(
        "conv", "n11", "parent 'gone'", "not in the file; kept as a root"
    )


def test_what_is_told_never_holds_the_chat() -> None:
    secret = "my secret " * 20
    bad = conversation(node("a", "gone", text=secret), node("b", content=[secret]))
    with pytest.raises(ImportFormatError) as caught:
        read([bad], strict=True)
    assert "secret" not in str(read([bad]).problems)
    assert "secret" not in str(caught.value)
    bad["mapping"].pop("b")
    assert "secret" not in str(read([bad]).problems)


def test_a_thread_without_an_id_is_named_by_its_number() -> None:
    nodes = {"id": None, "title": None}
    found = read([conversation(node("a")) | nodes, conversation(node("a", "gone")) | nodes])
    assert said(found) == [("#2", "a", "parent 'gone'")]
    assert found[1].title == ""


def test_lone_surrogates_and_nul_stay() -> None:
    text = "a\ud800b\x00"
    (message,) = read([conversation(node("a", text=text, metadata={"k": "\udfff"}))])[0].messages
    assert message.content == text
    assert message.metadata["metadata"] == {"k": "\udfff"}
    assert read([conversation(node("\ud800"))])[0].messages[0].source_id == "\ud800"
    raw = json.dumps([conversation(node("a", text=text))], ensure_ascii=False)
    found = read(raw.encode("utf-8", "surrogatepass"))
    assert found[0].messages[0].content == text


def test_the_result_is_a_list_with_problems() -> None:
    found = read([conversation(node("a", "gone"))])
    assert isinstance(found, list)
    assert repr(found) == "<ChatImport of 1 thread, 1 message, 1 problem>"
    again = pickle.loads(pickle.dumps(found))
    assert (again, again.problems, type(again)) == (found, found.problems, ChatImport)
    assert copy.copy(found).problems == found.problems


def test_the_graph_of_an_import() -> None:
    found = read([conversation(*TREE)])
    graph = EntityDependencyGraph().build_graph(found)
    assert (len(graph.nodes), len(graph.cyclic_components())) == (6, 1)
    # Thread and messages name each other (2 × 5); so do parents and replies (2 × 4).
    assert len(graph.references) == 18


def test_the_progress_bar(capsys: pytest.CaptureFixture[str]) -> None:
    data = encode([conversation(*TREE, id=f"c{n}") for n in range(3)])
    read_chat(data)
    read_chat(data, progress=False)
    assert capsys.readouterr() == ("", "")
    read_chat(data, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "100%" in err


# ---------------------------------------------------------------------------------------------
# Files that others made: ChatGPT and Open-Assistant; others in test_importers_shared.py
# ---------------------------------------------------------------------------------------------

CHATGPT_FILES = (
    "chats/chatgpt/chatgpt2graph_conversations.json",
    "chats/chatgpt/export_studio_conversations.json",
    "chats/chatgpt/extractor_conversations.json",
    "chats/chatgpt/mitkury_example.json",
    "chats/librechat/chatgpt-export.json",
    "chats/librechat/chatgpt-tree.json",
)


def expected_of(shared: Path, path: str) -> dict[str, Any]:
    listed = json.loads((shared / "data/expected.json").read_text())["datasets"]
    found: list[dict[str, Any]] = [e["expected"] for e in listed if e["path"] == path]
    return found[0]


def raw_conversations(path: Path) -> list[dict[str, Any]]:
    value = json.loads(path.read_text(encoding="utf-8-sig"))
    return value if isinstance(value, list) else list(value.values())


def above(mapping: dict[str, Any], key: str) -> str | None:
    """Return the nearest node above that has a message: the figures' links are of nodes."""
    parent = mapping[key].get("parent")
    while parent in mapping and mapping[parent]["message"] is None:
        parent = mapping[parent].get("parent")
    return parent if parent in mapping else None


@pytest.mark.parametrize("path", CHATGPT_FILES)
def test_the_figures_of_real_exports(shared: Path, path: str) -> None:
    expected = expected_of(shared, path)
    found = read((shared / "data" / path).read_bytes())
    raws = raw_conversations(shared / "data" / path)
    assert len(found) == len(raws) == expected["totals"]["conversations"]
    for thread, raw, figures in zip(found, raws, expected["conversations"], strict=True):
        assert is_sound(thread)
        mapping, cycles = raw["mapping"], figures["cycles"]
        up = {k: above(mapping, k) for k, v in mapping.items() if v["message"] is not None}
        for cycle in cycles:  # broken at the node that comes first
            up[min(cycle, key=list(mapping).index)] = None
        assert links(thread) == up
        assert thread.title == figures["title"]
        assert thread.metadata.get("current_node") == figures["current_node"]
        assert len(thread.messages) == figures["messages_not_null"]
        nulls: Any = thread.metadata.get("null_nodes", ())
        assert len(nulls) == figures["null_messages"]
        assert Counter(m.role for m in thread.messages) == figures["roles"]
        assert sum(m.hidden for m in thread.messages) == figures["hidden_messages"]
        assert sum(m.created_at is None for m in thread.messages) == figures["create_time_null"]
        # In all of these files, a null node is the root and has one child: one link less, and
        # the same leaves and branch points. A broken cycle has one link less, and a leaf.
        count = sum(m.parent is not None for m in thread.messages)
        assert count == figures["parent_links_inside"] - figures["null_messages"] - len(cycles)
        assert len(thread.leaves()) == figures["leaves"] + len(cycles)
        assert len(thread.branch_points()) == figures["branch_points"]
        assert len(thread.roots()) == 1
        # The figure counts the texts among the parts, not those inside structured parts.
        inside = sum(len("Visible text") for kind in figures["structured_parts"] if kind == "text")
        texts = sum(len(m.text) for m in thread.messages) - inside
        if not {"tether_browsing_display", "tether_quote", "code", "execution_output"} & set(
            figures["content_types"]
        ):
            assert texts == figures["text_chars"]
        else:
            assert texts >= figures["text_chars"]
    problems = expected["totals"]["missing_parents"] + sum(
        len(each["cycles"]) for each in expected["conversations"]
    )
    assert len(found.problems) == problems


def scalars(value: Any) -> Iterator[Any]:
    """Yield every text and number in a JSON value, without times, which are converted."""
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            todo += [v for k, v in item.items() if k not in ("create_time", "update_time")]
        elif isinstance(item, list):
            todo += item
        else:
            yield item


@pytest.mark.parametrize("path", CHATGPT_FILES)
def test_nothing_of_a_real_export_is_lost(shared: Path, path: str) -> None:
    found = read((shared / "data" / path).read_bytes())
    for thread, raw in zip(found, raw_conversations(shared / "data" / path), strict=True):
        kept = {thread.title, thread.source_id, None, *scalars(thread.metadata)}
        for message in thread.messages:
            kept |= {message.role, message.content, message.author, message.source_id}
            kept |= set(scalars(message.metadata))
            kept.add("text")  # the content type of what has no other
        assert set(scalars(raw)) <= kept


def test_the_figures_of_real_trees(shared: Path) -> None:
    path = "chats/oasst/en_trees_share_1_50.jsonl"
    figures = expected_of(shared, path)
    found = read_chat(shared / "data" / path)
    messages = [message for thread in found for message in thread.messages]
    assert all(is_sound(thread) for thread in found)
    assert (len(found), len(messages)) == (figures["trees"], figures["messages"]) == (50, 549)
    assert sum(m.parent is not None for m in messages) == figures["reply_links"] == 499
    assert sum(len(t.leaves()) for t in found) == figures["leaves_paths"] == 288
    assert sum(len(t.branch_points()) for t in found) == figures["branch_points"] == 119
    depth = max(len(t.path_to(leaf)) for t in found for leaf in t.leaves())
    assert depth == figures["max_depth"]
    assert Counter(m.metadata.get("role", m.role) for m in messages) == figures["roles"]
    assert Counter(t.metadata["tree_state"] for t in found) == figures["states"]
    sizes = [len(t.messages) for t in found]
    assert (max(sizes), min(sizes)) == (figures["largest_tree"], figures["smallest_tree"])
    raw = (shared / "data" / path).read_text().splitlines()
    assert [t.source_id for t in found] == [json.loads(line)["message_tree_id"] for line in raw]


def test_real_messages_with_nested_replies(shared: Path) -> None:
    path = "chats/oasst/en_100_message.jsonl"
    found = read_chat(shared / "data" / path)
    # The figures count the rows; the replies stand inside the rows.
    assert len(found) == expected_of(shared, path)["messages"]
    text = (shared / "data" / path).read_text()
    assert sum(len(t.messages) for t in found) == text.count('"message_id":')
    assert all(len(t.roots()) == 1 for t in found)
