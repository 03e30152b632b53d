"""Growth: statements and memory follow from classes and bounds, and nothing recurses."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Sized
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import ecsviz as ev
from benchmarks import graphs, workload
from benchmarks.timing import counted
from ecsviz.storage.memory import saving as memory_saving
from ecsviz.storage.memory.saving import rewritten

SIZE = 20_000


def star(size: int) -> list[workload.Node]:
    hub = workload.Node(links=[workload.Node() for _ in range(size - 1)])
    return [hub, *hub.links]


def chat(size: int) -> ev.ChatThread:
    thread = ev.ChatThread(title="x")
    last = None
    for number in range(size):
        last = thread.say("user", "hello", last if number % 3 else None)
    return thread


SHAPES = [chat, workload.chain, workload.cycle, star]

# -- statements ------------------------------------------------------------------------------


def counts_of(
    steps: dict[str, Callable[[], Any]],
    counter: Callable[[], AbstractContextManager[Sized]] = counted,
) -> dict[str, int]:
    """Take the steps in their order, and count what each takes: statements, if nothing is said."""
    result = {}
    for name, step in steps.items():
        with counter() as found:
            step()
        result[name] = len(found)
    return result


def life_of(path: Path, made: Any) -> dict[str, int]:
    """Count the statements of every step of a graph's life."""
    store = ev.SQLAlchemyEntityStorage(path)
    nodes = ev.EntityDependencyGraph(made).nodes
    ids = [node.ecs_id for node in nodes]
    of_classes = {
        f"{what} of {cls.__name__}": lambda ask=ask, cls=cls: ask(cls)  # type: ignore[misc]
        for cls in sorted({type(node) for node in nodes}, key=lambda cls: cls.__name__)
        for what, ask in (("frame", store.frame), ("list", store.list_by_type))
    }

    def change() -> None:
        for node in nodes[::25]:
            if isinstance(node, ev.ChatMessage):
                node.content += "!"
            elif isinstance(node, workload.Node):
                node.links = [node]
        store.register(made)

    return counts_of(
        {
            "register": lambda: store.register(made),
            "register unchanged": lambda: store.register(made),
            "get": lambda: ev.SQLAlchemyEntityStorage(path).get(ids[0]),
            "get_many": lambda: store.get_many(ids[:10]),
            "explain": lambda: store.explain(made),
            **of_classes,
            "references_frame": store.references_frame,
            "graph": store.graph,
            "graph around one": lambda: store.graph(nodes[0], hops=1),
            "register, 4 % changed": change,
            "frame as of 1": lambda: store.frame(type(nodes[0]), as_of=1),
            "delete": lambda: store.delete(nodes),
        }
    )


@pytest.mark.parametrize("make", SHAPES)
def test_as_many_statements_for_100_as_for_10_000(
    tmp_path: Path, make: Callable[[int], Any]
) -> None:
    few, many = (life_of(tmp_path / f"{size}.db", make(size)) for size in (100, 10_000))
    assert few == many
    assert all(count for name, count in few.items() if name != "explain")


def life_with_others(path: Path, size: int) -> dict[str, int]:
    """Count the statements of what a store does with a past and with other writers."""
    store = ev.SQLAlchemyEntityStorage(path)
    thread = store.register(chat(size))
    mine, theirs = store.get(thread.ecs_id), store.get(thread.ecs_id)
    for message in theirs.messages[::3]:
        message.content += "?"
    store.register(theirs)
    for message in mine.messages[1::3]:
        message.content += "!"
    message, message_id = ev.ChatMessage, theirs.messages[-1].ecs_id
    return counts_of(
        {
            "merge": lambda: store.register(store.merge(mine)),
            "refresh": lambda: store.refresh(theirs),
            "as of": lambda: store.get(thread.ecs_id, as_of=1),
            "revert": lambda: store.revert(thread.ecs_id, to=1),
            "diff": lambda: store.diff(1, 2),
            "diff of what is live": lambda: store.diff(theirs),
            "history": lambda: store.history(message_id),
            "revisions": store.revisions,
            "list": lambda: store.list_by_type(message),
            "find": lambda: store.find(message, role="user", hops=0),
            "family": lambda: store.get_lineage_entities(message_id),
            "around": lambda: store.get(message_id, hops=1),
            "verify": store.verify,
            "graph": store.graph,
            "frame": lambda: store.frame(message),
            "fork": lambda: store.register(store.get(thread.ecs_id).fork(deep=True)),
            "prune": lambda: store.prune(before=2),
            "delete": lambda: store.delete([theirs, *theirs.messages]),
        }
    )


def test_no_method_of_a_store_asks_entity_by_entity(tmp_path: Path) -> None:
    few, many = (life_with_others(tmp_path / f"{size}.db", size) for size in (30, 600))
    assert few == many
    assert max(many.values()) < 80


@contextmanager
def sqlite_steps() -> Iterator[list[int]]:
    """Count the steps of SQLite's machine, in hundreds: what a statement reads costs steps."""
    found: list[int] = []

    def watch(conn: Any, *_: Any) -> None:
        driver = conn.connection.dbapi_connection
        driver.set_progress_handler(lambda: found.append(1), 100)

    sa.event.listen(sa.Engine, "before_cursor_execute", watch)
    try:
        yield found
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", watch)


def steps_of_asking(path: Path, size: int) -> dict[str, int]:
    """Count the steps of what is asked of a store of threads of twenty messages."""
    store, message = ev.SQLAlchemyEntityStorage(path), ev.ChatMessage
    store.register([chat(20) for _ in range(size // 20)])
    known = store.first(message, hops=0)
    assert known is not None
    calls: dict[str, Callable[[], Any]] = {
        "find": lambda: store.find(message, hops=0, limit=10),
        "find some": lambda: store.find(message, hops=0, limit=10, role="user"),
        "find parts": lambda: store.find(message, hops=0, limit=10, content__contains="ell"),
        "find all kinds": lambda: store.find(ev.Entity, hops=0, limit=10),
        "by its thread": lambda: store.find(message, hops=0, limit=10, thread=known.thread),
        "by its id": lambda: store.find(message, hops=0, ecs_id__in=[known]),
        "first": lambda: store.first(message, hops=0),
        "exists": lambda: store.exists(message, role="user"),
        "some of a batch": lambda: next(store.iterate(message, batch=10)),
        "frame": lambda: store.frame(message, limit=10),
        "in order": lambda: store.find(message, hops=0, limit=10, order_by="content"),
        "count": lambda: store.count(message, role="user"),
    }
    for call in calls.values():
        call()
    return counts_of(calls, sqlite_steps)


def test_what_is_limited_reads_no_whole_table(tmp_path: Path) -> None:
    few, many = (steps_of_asking(tmp_path / f"{size}.db", size) for size in (400, SIZE))
    whole = {"in order", "count"}
    for name in few:
        if name in whole:  # nothing else tells which are the first, or how many
            assert many[name] > 10 * few[name], f"{name}: the count sees what is read"
        else:
            assert many[name] <= few[name] + 2, f"{name}: {few[name]} and {many[name]}"


def test_what_is_counted_takes_one_statement(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    store.register([chat(3), chat(3)])
    asked: dict[str, Any] = {
        "role": "user",
        "content__startswith": "h",
        "thread__title__in": ["x"],
        "parent__replies__content__ne": "y",
        "created_at__isnull": True,
        "thread__created_at__isnull": True,
        "version__lt": 7,
    }
    for ask in (store.count, store.exists):
        with counted() as said:
            assert ask(ev.ChatMessage, **asked)
        assert sum("chat_messages" in text for text in said) == 1
    with counted() as said:
        assert len(store) == 8
    assert sum("chat_messages" in text for text in said) == 1


class _Left(ev.Entity):
    right: _Right


class _Right(ev.Entity):
    left: _Left


class _Follower(ev.Entity):
    name: str = ""
    follows: _Follower | None = None
    fans: list[_Follower] = ev.reference(inverse=None, default_factory=list)
    held: dict[str, _Follower] = {}


def pairs(size: int) -> list[Any]:
    """Return entities that require each other: one of two keys leads to a later row."""
    lefts = [_Left.model_construct() for _ in range(size // 2)]
    for left in lefts:
        left.right = _Right(left=left)
    return lefts


def followers(size: int) -> list[Any]:
    """Return entities of one class that lead to others of any place."""
    made = [_Follower(name=str(number)) for number in range(size)]
    for number, one in enumerate(made):
        one.follows = made[(number * 7919 + 1) % size]
        one.fans = [made[(number * 31 + 7) % size]]
        one.held = {"x": made[-1 - number]}
    return made


FILLED: list[Callable[[int], Any]] = [
    pairs,
    followers,
    lambda size: [chat(20) for _ in range(size // 20)],
]


def steps_of_filling(path: Path, made: Any) -> dict[str, int]:
    """Count the steps of each way to fill a new store, and of emptying it."""
    store = ev.SQLAlchemyEntityStorage(path / "first.db")
    again = ev.SQLAlchemyEntityStorage(path / "again.db")
    nodes = ev.EntityDependencyGraph(made).nodes
    calls: dict[str, Callable[[], Any]] = {
        "register": lambda: store.register(made),
        "to a folder": lambda: store.to_parquet(path / "graph"),
        "from a folder": lambda: again.from_parquet(path / "graph"),
        "verify": again.verify,
        "delete": lambda: again.delete(nodes),
    }
    return counts_of(calls, sqlite_steps)


@pytest.mark.parametrize("make", FILLED, ids=["pairs", "followers", "chats"])
def test_a_row_is_written_without_a_look_at_all_others(
    tmp_path: Path, make: Callable[[int], Any]
) -> None:
    steps = []
    for size in (100, 1000):
        (tmp_path / str(size)).mkdir()
        steps.append(steps_of_filling(tmp_path / str(size), make(size)))
    for name, few in steps[0].items():
        assert steps[1][name] <= 13 * few + 20, f"{name}: {few} and {steps[1][name]}"


def changed_rows(path: Path, change: Callable[[], Any]) -> dict[str, int]:
    """Return how many rows a change adds, removes or alters, by table."""

    def dump() -> dict[str, set[Any]]:
        engine = sa.create_engine(f"sqlite:///{path}")
        with engine.connect() as conn:
            names = sa.inspect(conn).get_table_names()
            found = {n: set(map(tuple, conn.exec_driver_sql(f"SELECT * FROM {n}"))) for n in names}
        engine.dispose()
        return found

    before = dump()
    change()
    after = dump()
    return {
        name: len(after[name] - before.get(name, set()))
        + len(
            {row[0] for row in before.get(name, set()) - after[name]} - {r[0] for r in after[name]}
        )
        for name in after
        if after[name] != before.get(name, set())
    }


def test_an_unchanged_graph_of_100_000_writes_nothing(path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(path)
    thread = store.register(chat(100_000))
    before = path.read_bytes()
    with counted() as found:
        store.register(thread, note="nothing new")
    assert not [text for text in found if not text.startswith(("SELECT", "PRAGMA", "BEGIN"))]
    assert path.read_bytes() == before
    assert len(store.revisions()) == 1
    assert not store.explain(thread), "the caller can tell beforehand"


@pytest.mark.parametrize("size", [10, 10_000])
def test_rows_written(path: Path, size: int) -> None:
    """What is written depends on what changed, not on how long the thread is."""
    store = ev.SQLAlchemyEntityStorage(path)
    thread = store.register(chat(size))
    assert changed_rows(path, lambda: store.register(thread)) == {}
    assert changed_rows(path, lambda: store.register(store.get(thread.ecs_id))) == {}
    thread.messages[size // 2].content = "edited"
    edited = changed_rows(path, lambda: store.register(thread))
    assert edited == {"chat_messages": 1, "chat_messages_history": 1, "ecs_revisions": 1}
    thread.say("user", "more")
    appended = changed_rows(path, lambda: store.register(thread))
    # The message, the thread's version, the next row id and its seal, the revision.
    assert appended == {
        "chat_messages": 1,
        "chat_threads": 1,
        "chat_threads_history": 1,
        "ecs_types": 1,
        "ecs_store": 1,
        "ecs_revisions": 1,
    }


# -- memory and recursion --------------------------------------------------------------------


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


@pytest.mark.parametrize("make", [workload.chain, workload.cycle, star])
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
