"""Growth: statements do not become more, memory stays below its bound, nothing recurses.

`test_counts` counts the statements of saving and loading; here are those of looking.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import ecsviz as ev
from benchmarks import graphs, workload
from benchmarks.timing import counted
from ecsviz.storage.memory import saving as memory_saving
from ecsviz.storage.memory.saving import rewritten

SIZE = 20_000


def statements_of(path: Path, make: Callable[[int], Any], size: int) -> dict[str, int]:
    made = make(size)
    first = made[0] if isinstance(made, list) else made
    store = ev.SQLAlchemyEntityStorage(path / f"{make.__name__}{size}.db")
    store.register(made)
    nodes = ev.EntityDependencyGraph(made).nodes
    result = {}

    def count(name: str, work: Callable[[], Any]) -> None:
        with counted() as found:
            work()
        result[name] = len(found)

    for cls in sorted({type(node) for node in nodes}, key=lambda cls: cls.__name__):
        count(f"frame of {cls.__name__}", lambda cls=cls: store.frame(cls))  # type: ignore[misc]
        count(f"list of {cls.__name__}", lambda cls=cls: store.list_by_type(cls))  # type: ignore[misc]
    count("graph", store.graph)
    count("graph around one", lambda: store.graph(first, hops=1))
    count("get_many", lambda: store.get_many([node.ecs_id for node in nodes[:10]]))
    for node in nodes[:: max(1, size // 100)]:
        if isinstance(node, workload.ChatMessage):
            node.content += "!"
        elif isinstance(node, workload.Node):
            node.links = [node]
    count("register, 1 % changed", lambda: store.register(made))
    count("frame as of 1", lambda: store.frame(type(first), as_of=1))
    return result


@pytest.mark.parametrize("make", [workload.chat, workload.chain, workload.cycle])
def test_as_many_statements_for_100_as_for_10_000(
    tmp_path: Path, make: Callable[[int], Any]
) -> None:
    few = statements_of(tmp_path, make, 100)
    assert few == statements_of(tmp_path, make, 10_000)
    assert all(few.values())


def test_bytes_of_nodes_and_references() -> None:
    """What a graph takes beyond its entities; two graphs of as many nodes tell the two apart."""
    table, node, reference = graphs.memory(SIZE)
    assert node > 8
    assert 8 < reference <= graphs.REFERENCE_BYTES
    assert [record["nodes"] for record in table.records] == [SIZE, SIZE]
    for record in table.records:
        allowed = graphs.NODE_BYTES * SIZE + graphs.REFERENCE_BYTES * record["references"]
        assert record["held"] <= allowed


@contextmanager
def little_recursion(levels: int) -> Iterator[None]:
    """Allow calls so many levels deep from here, and no deeper."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + levels)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def test_the_limit_is_felt() -> None:
    def deep(n: int) -> int:
        return n and deep(n - 1)

    with little_recursion(200):
        assert deep(100) == 0
        with pytest.raises(RecursionError):
            deep(300)


@pytest.mark.parametrize("make", [workload.chain, workload.cycle])
def test_nothing_recurses(path: Path, make: Callable[[int], Any]) -> None:
    """20,000 entities in a row, and calls no deeper than the libraries below need."""
    nodes = make(SIZE)
    store = ev.SQLAlchemyEntityStorage(path)
    with little_recursion(200):
        graph = ev.EntityDependencyGraph(nodes[0])
        assert len(graph.get_topological_sort()) == SIZE
        assert len(graph.cyclic_components()) == (make is workload.cycle)
        assert len(graph.get_cycles(limit=1, seconds=None)) == (make is workload.cycle)
        assert len(graph.dependencies(nodes[0], transitive=True)) == SIZE - 1
        assert sum(map(len, graph.generations())) == SIZE
        assert store.explain(nodes[0]).added == SIZE
        store.register(nodes[0])
        store.register(nodes[0])
        again = ev.SQLAlchemyEntityStorage(path).get(nodes[0].ecs_id)
        assert not ev.diff(nodes[0], again)
        assert len(store.frame(workload.Node)) == SIZE
        assert len(store.graph()) == SIZE
        assert len(store.graph(nodes[0], hops=SIZE)) == SIZE
        assert len(store.references_frame()) == len(graph.references)
        assert len(graph.nodes_frame()) == SIZE


class _Box(ev.Entity):
    items: list[_Item] = []


class _Item(ev.Entity):
    box: _Box | None = None


@pytest.mark.parametrize("size", [10, 300])
def test_a_list_in_memory_that_many_leave_is_written_once(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    store, one, other = ev.InMemoryEntityStorage(), _Box(), _Box()
    one.items = [_Item(box=one) for _ in range(size)]
    store.register([one, other])
    for item in one.items:
        item.box = other
    one.items, other.items = [], one.items
    store.register([one, other])
    written = []

    def count(*args: Any) -> Any:
        written.append(args[1])
        return rewritten(*args)

    monkeypatch.setattr(memory_saving, "rewritten", count)
    assert len(store.revert(one, to=1).items) == size
    assert written == ["items"]
    assert store.get(other.ecs_id).items == []
    assert store.verify().empty
