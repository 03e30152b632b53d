"""The samples: what ships with the package, and the small shapes."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from itertools import chain
from typing import Any

import pytest

from ecsviz import ChatThread, EntityDependencyGraph
from ecsviz.importers import read_chat
from ecsviz.samples import SAMPLE_FILES, SAMPLES, Node, SampleError, sample, sample_file


def graph_of(entities: Iterable[Node]) -> EntityDependencyGraph:
    return EntityDependencyGraph().build_graph(list(entities))


def links(nodes: list[Node]) -> str:
    return " ".join(f"{node.name}>{link.name}" for node in nodes for link in node.links)


def test_the_shipped_threads() -> None:
    threads = sample()
    assert [thread.source_id for thread in threads] == [
        "databases",
        "cycles",
        "cooking",
        "review",
        "travel",
        "statistics",
    ]
    assert sum(len(thread.messages) for thread in threads) == 98
    for thread in threads:
        assert len(thread.roots()) == 1
        assert len(thread.branch_points()) >= 4
        assert len(thread.leaves()) >= 5
        assert {message.role for message in thread.messages} == {"user", "assistant"}
        assert all(message.created_at and message.content.strip() for message in thread.messages)
        # Turns alternate along every branch, and nothing is answered before it is said.
        for message in thread.messages:
            if (asked := message.parent) is not None:
                assert asked.role != message.role
                assert asked.created_at is not None
                assert message.created_at is not None
                assert asked.created_at < message.created_at


def test_the_shipped_threads_have_what_the_docs_show() -> None:
    texts = [message.content for thread in sample() for message in thread.messages]
    assert any("```python\n" in text for text in texts)
    assert any("| --- |" in text for text in texts)
    assert any(ord(char) > 0xFFFF for char in "".join(texts)), "an emoji"
    assert any("Š" in text for text in texts), "letters outside Latin-1"
    ids = [message.source_id for thread in sample() for message in thread.messages]
    assert len(set(ids)) == len(ids)


def test_the_code_in_the_shipped_threads_is_right() -> None:
    def code(thread: str, name: str) -> str:
        (found,) = (
            message.content
            for each in sample()
            for message in each.messages
            if each.source_id == thread and name in message.content and "```" in message.content
        )
        return found.split("```python\n")[1].split("```")[0]

    space: dict[str, object] = {}
    exec(code("cycles", "def has_cycle"), space)
    has_cycle = space["has_cycle"]
    assert callable(has_cycle)
    assert has_cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}})
    assert not has_cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()})
    said: list[float] = []
    exec(code("statistics", "NormalDist"), {"print": said.append})
    assert said == [21_100]


def test_the_shipped_export() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read_chat(sample_file("export"))
    dates, cafe = found
    assert [len(thread.messages) for thread in found] == [7, 8]
    assert all(len(thread.metadata["null_nodes"]) == 1 for thread in found)  # type: ignore[arg-type]  # JSON
    assert [m.hidden for m in dates.messages] == [True] + [False] * 6
    assert [m.author for m in dates.messages if m.role == "tool"] == ["python"]
    assert [m.source_id for m in cafe.branch_points()] == ["c2", "c4"]
    assert found.problems == []


def test_the_files() -> None:
    assert [sample_file(name).is_file() for name in SAMPLE_FILES] == [True, True]
    assert [t.ecs_id for t in read_chat(sample_file())] == [t.ecs_id for t in sample()]
    with pytest.raises(SampleError, match="Did you mean 'export'"):
        sample_file("exprot")


def test_thread() -> None:
    thread = sample("thread")
    assert isinstance(thread, ChatThread)
    assert thread == sample()[1]
    assert thread is not sample("thread")


@pytest.mark.parametrize(
    ("name", "expected", "generations", "components", "cycles"),
    [
        ("chain", "n1>n2 n2>n3 n3>n4 n4>n5 n5>n6 n6>n7", 7, 0, 0),
        ("star", "n1>n2 n1>n3 n1>n4 n1>n5 n1>n6 n1>n7", 2, 0, 0),
        ("tree", "n1>n2 n1>n3 n2>n4 n2>n5 n3>n6 n3>n7", 3, 0, 0),
        ("two_cycle", "a>b b>a", 1, 1, 1),
        ("self_loop", "a>a", 1, 1, 1),
        ("interlocked", "a>b b>c c>a c>d d>e e>c e>f f>g g>e", 1, 1, 3),
    ],
)
def test_shapes(name: str, expected: str, generations: int, components: int, cycles: int) -> None:
    nodes = sample(name)
    assert isinstance(nodes, list)
    assert links(nodes) == expected  # type: ignore[arg-type]  # these are nodes
    graph = graph_of(nodes)  # type: ignore[arg-type]  # these are nodes
    assert len(graph.generations()) == generations
    assert len(graph.cyclic_components()) == components
    assert len(graph.get_cycles()) == cycles
    assert len(graph_of(nodes[:1]).nodes) == len(nodes), "the first leads to the rest"  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize("name", ["chain", "star", "tree"])
@pytest.mark.parametrize("n", [1, 2, 12])
def test_sizes(name: str, n: int) -> None:
    nodes = sample(name, n=n)
    assert isinstance(nodes, list)
    assert len(nodes) == len(graph_of(nodes[:1]).nodes) == n  # type: ignore[arg-type]  # as above
    names = [node.name for node in nodes]  # type: ignore[union-attr]  # as above
    assert names == sorted(names)


def test_every_call_makes_new_nodes() -> None:
    assert not set(sample("chain")) & set(sample("chain"))


def test_unknown_names_and_sizes() -> None:
    with pytest.raises(SampleError, match=r"No sample 'chian'\. Did you mean 'chain'") as caught:
        sample("chian")
    assert caught.value.name == "chian"
    assert caught.value.known == list(SAMPLES)
    assert isinstance(caught.value, ValueError)
    with pytest.raises(SampleError, match=r"'thread' has one size.*'chain', 'star', 'tree'"):
        sample("thread", n=3)
    wrong: tuple[Any, ...] = (0, -1, 1.5, True, "7")
    for n in wrong:
        with pytest.raises(SampleError, match="whole number"):
            sample("star", n=n)


def test_all_names_work() -> None:
    found = [sample(name) for name in SAMPLES]
    entities = chain.from_iterable(x if isinstance(x, list) else [x] for x in found)
    assert all(entity.version == 0 for entity in entities)
