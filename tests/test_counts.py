"""Growth: the number of statements depends on classes, not on how many entities there are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import ecsviz as ev
from benchmarks.timing import counted


class Link(ev.Entity):
    next: Link | None = None
    links: list[Link] = ev.reference(inverse=None, default_factory=list)


def chat(size: int) -> ev.ChatThread:
    thread = ev.ChatThread(title="x")
    last = None
    for number in range(size):
        last = thread.say("user", "hello", last if number % 3 else None)
    return thread


def chain(size: int) -> Link:
    last = Link()
    for _ in range(size - 1):
        last = Link(next=last)
    return last


def ring(size: int) -> Link:
    nodes = [Link() for _ in range(size)]
    for here, there in zip(nodes, [*nodes[1:], nodes[0]], strict=True):
        here.next = there
    return nodes[0]


def star(size: int) -> Link:
    return Link(links=[Link() for _ in range(size)])


def statements_of(path: Path, make: Callable[[int], Any], size: int) -> dict[str, int]:
    """Count the statements of every step of a graph's life."""
    entity = make(size)
    result = {}
    store = ev.SQLAlchemyEntityStorage(path / f"{make.__name__}{size}.db")
    with counted() as found:
        store.register(entity)
        result["register"] = len(found)
        found.clear()
        store.register(entity)
        result["register unchanged"] = len(found)
        found.clear()
        again = ev.SQLAlchemyEntityStorage(path / f"{make.__name__}{size}.db").get(entity.ecs_id)
        result["get"] = len(found)
        found.clear()
        nodes = ev.EntityDependencyGraph(again).nodes
        assert len(nodes) in (size, size + 1)
        found.clear()
        store.explain(again)
        result["explain"] = len(found)
        found.clear()
        store.references_frame()
        result["references_frame"] = len(found)
        found.clear()
        store.delete(nodes)
        result["delete"] = len(found)
    return result


@pytest.mark.parametrize("make", [chat, chain, ring, star])
def test_as_many_statements_for_100_as_for_10_000(
    tmp_path: Path, make: Callable[[int], Any]
) -> None:
    assert statements_of(tmp_path, make, 100) == statements_of(tmp_path, make, 10_000)


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
    steps: dict[str, Callable[[], Any]] = {
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
    result = {}
    for name, step in steps.items():
        with counted() as found:
            step()
        result[name] = len(found)
    return result


def test_no_method_of_a_store_asks_entity_by_entity(tmp_path: Path) -> None:
    few, many = (life_with_others(tmp_path / f"{size}.db", size) for size in (30, 600))
    assert few == many
    assert max(many.values()) < 80


@pytest.mark.parametrize("make", [chain, ring, star])
def test_100_000_entities_need_no_recursion(tmp_path: Path, make: Callable[[int], Any]) -> None:
    counts = []
    for size in (1_000, 100_000):
        path = tmp_path / f"{size}.db"
        with counted() as found:
            entity = ev.SQLAlchemyEntityStorage(path).register(make(size))
            again = ev.SQLAlchemyEntityStorage(path).get(entity.ecs_id)
        counts.append(len(found))
        assert len(ev.EntityDependencyGraph(again)) in (size, size + 1)
    assert counts[0] == counts[1]


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
