"""Saving: all or nothing, wherever it fails; only what changed; what it tells."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import ecsviz as ev
from ecsviz import errors
from ecsviz.isomorphic import find_difference
from tests.conformance import classes as c
from tests.databases import execute, fetched, rows_in


class InjectedError(Exception):
    """A failure that no code of ours expects."""


@contextmanager
def failing(
    engine: sa.Engine, at: int, error: type[BaseException] = InjectedError
) -> Iterator[list[str]]:
    """Let the statement with a number fail."""
    seen: list[str] = []

    def fail(_: Any, __: Any, statement: str, *___: Any) -> None:
        seen.append(statement)
        if len(seen) == at:
            raise error

    sa.event.listen(engine, "before_cursor_execute", fail)
    try:
        yield seen
    finally:
        sa.event.remove(engine, "before_cursor_execute", fail)


def dump(path: Path) -> dict[str, list[Any]]:
    """Return all rows of all tables, and the tables themselves."""
    if not path.exists():
        return {}
    return {**rows_in(path), "sqlite_master": fetched(path, "SELECT sql FROM sqlite_master")}


def flat(count: int) -> c.Thread:
    """A thread of messages that nothing else holds."""
    thread = c.Thread(title="t")
    thread.messages = [c.Message(thread=thread, text=str(n)) for n in range(count)]
    return thread


def first() -> list[Any]:
    node = c.Node(name="a", links=[c.Node(name="b")], by_name={"x": c.Node(name="c")})
    node.next = node.links[0]
    node.links[0].next = node
    return [node, flat(3), c.mutual(), c.Shelf(keeper=c.Animal(name="k"))]


def edit(graph: list[Any]) -> None:
    """Change a row, a list, an association; add and move; and use a new class in a field."""
    node, thread, _, shelf = graph
    node.name = "edited"
    node.links.append(c.Node(name="new"))
    node.by_name = {"y": node.links[0]}
    thread.messages.insert(0, thread.messages.pop())
    thread.messages.append(c.Message(thread=thread, text="new"))
    moved, other = thread.messages.pop(1), c.Thread(title="other")
    moved.thread, other.messages = other, [moved]
    graph.append(other)
    shelf.keeper = c.Dog(name="d")
    shelf.things.append(c.Stone())


def failing_everywhere(store: ev.SQLAlchemyEntityStorage, graph: list[Any]) -> Iterator[str]:
    """Save with the first statement failing, then with the second, and so on until all goes."""
    for at in itertools.count(1):
        with failing(store.engine, at) as seen:
            try:
                store.register(graph)
                break
            except InjectedError:
                pass
        yield seen[-1]
    assert at > 21
    assert find_difference(graph, store.get_many([e.ecs_id for e in graph])) is None


@pytest.mark.sweep
def test_a_failure_anywhere_in_the_first_save_leaves_nothing(path: Path) -> None:
    graph = first()
    for failed in failing_everywhere(ev.SQLAlchemyEntityStorage(path), graph):
        assert dump(path) in ({}, {"sqlite_master": []}), failed
        assert {e.version for e in ev.EntityDependencyGraph(graph).nodes} == {0}


@pytest.mark.sweep
def test_a_failure_anywhere_in_an_edit_leaves_what_was(path: Path) -> None:
    graph = ev.SQLAlchemyEntityStorage(path).register(first())
    stored, before = [e.ecs_id for e in graph], dump(path)
    kept = ev.SQLAlchemyEntityStorage(path).get_many(stored)
    edit(graph)
    versions = [e.version for e in ev.EntityDependencyGraph(graph).nodes]
    store = ev.SQLAlchemyEntityStorage(path)  # one for all: a failure must not confuse it either
    for failed in failing_everywhere(store, graph):
        assert dump(path) == before, failed
        assert [e.version for e in ev.EntityDependencyGraph(graph).nodes] == versions
        assert find_difference(kept, store.get_many(stored)) is None, failed


def test_a_failing_commit_leaves_what_was(path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(path)
    node = store.register(c.Node(name="a"))
    node.name = "b"

    def fail(_: Any) -> None:
        raise InjectedError

    sa.event.listen(store.engine, "commit", fail)
    with pytest.raises(InjectedError):
        store.register(node)
    sa.event.remove(store.engine, "commit", fail)
    assert node.version == 1
    assert store.get(node.ecs_id).name == "a"
    assert store.register(node).version == 2


def test_a_failure_releases_the_lock(path: Path) -> None:
    store, other = ev.SQLAlchemyEntityStorage(path), ev.SQLAlchemyEntityStorage(path, timeout=0.1)
    store.register(c.Node())
    for error in (InjectedError, KeyboardInterrupt):
        with failing(store.engine, 9, error), pytest.raises(error):
            store.register([c.Node(), c.Stone()])
        other.register(c.Node())


@pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="signals need the main thread"
)
def test_an_interrupt_is_told_after_the_versions(path: Path) -> None:
    """Ctrl-C during a save ends it whole: the next save must not find a conflict with itself."""
    store = ev.SQLAlchemyEntityStorage(path)
    node = store.register(c.Node(name="a"))
    node.name = "b"

    def interrupt(_: Any, __: Any, statement: str, *___: Any) -> None:
        if statement.startswith("UPDATE"):
            os.kill(os.getpid(), signal.SIGINT)

    sa.event.listen(store.engine, "before_cursor_execute", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.register(node)
    sa.event.remove(store.engine, "before_cursor_execute", interrupt)
    assert node.version == 2
    assert store.get(node.ecs_id).name == "b"
    ev.SQLAlchemyEntityStorage(path, timeout=0.1).register(c.Node())  # nothing is locked
    node.name = "c"
    assert store.register(node).version == 3


# -- bad input leaves nothing ----------------------------------------------------------------


def bad_graphs() -> dict[str, Any]:
    disagree = c.thread(2)
    disagree.messages[0].thread = c.Thread()
    value = c.Values()
    value.integer = "text"  # type: ignore[assignment]
    node = c.Node()
    family = c.Node()
    family.lineage_id = "x"  # type: ignore[assignment]
    version = c.Node()
    version.version = -1
    return {
        "disagree": (disagree, errors.InverseMismatchError),
        "value": (value, errors.ValueNotStorableError),
        "twice": ([node, c.Node(ecs_id=node.ecs_id)], errors.DuplicateIdError),
        "lineage": (family, errors.InvalidIdError),
        "version": (version, errors.ValueNotStorableError),
        "no entity": ([c.Node(), 5], errors.NotAnEntityError),
        "class": (c.Node, errors.NotAnEntityError),
        "tuple": (c.Node.model_construct(links=()), errors.EcsvizError),
        "key": (c.Node(by_name={"\0": node}), errors.ValueNotStorableError),
    }


@pytest.mark.parametrize("name", bad_graphs())
def test_bad_input_makes_no_file_and_changes_none(path: Path, name: str) -> None:
    graph, error = bad_graphs()[name]
    store = ev.SQLAlchemyEntityStorage(path)
    with pytest.raises(error):
        store.register(graph)
    assert not path.exists()
    store.register(c.Stone())
    before = dump(path)
    with pytest.raises(error):
        store.register(graph)
    assert dump(path) == before
    with pytest.raises(error):
        store.explain(graph)


# -- only what changed -----------------------------------------------------------------------


def test_an_unchanged_graph_changes_no_row(path: Path) -> None:
    graph = [*first(), c.Values(anything={"a": {1, 2, 3}}), c.Boxes(holder=c.Holder(who=c.Node()))]
    store = ev.SQLAlchemyEntityStorage(path)
    store.register(graph)
    before = dump(path)
    store.register(graph)
    again = ev.SQLAlchemyEntityStorage(path)
    again.register(again.get_many([e.ecs_id for e in graph]))
    for e in graph:
        again.register(e)
    assert dump(path) == before
    assert len(before["ecs_revisions"]) == 1


# -- cycles ----------------------------------------------------------------------------------


def test_required_references_are_never_null_and_optional_ones_are_deferred(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    a, b = c.Node(name="a"), c.Node(name="b")
    a.next, b.next = b, a
    plan = store.explain([a, b, c.mutual()])
    assert sorted(item.how for item in plan.deferred) == ["constraint", "update"]
    store.register([a, b, c.mutual(), flat(1)])
    inspector = sa.inspect(store.engine)
    columns = {column["name"]: column for column in inspector.get_columns("lefts")}
    assert not columns["right_id"]["nullable"]
    keys = inspector.get_foreign_keys("lefts")
    assert keys[0]["options"] == {"deferrable": True, "initially": "DEFERRED"}
    keys = inspector.get_foreign_keys("messages")
    assert all(not key["options"] for key in keys), "what is no required cycle is checked at once"


def test_explain_says_what_register_then_runs(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    graph = store.register(first())
    edit(graph)
    plan = store.explain(graph)
    assert plan
    told = {(step.what, step.table) for step in plan.steps}
    assert {
        ("insert", "nodes"),
        ("insert", "messages"),
        ("update", "nodes"),
        ("version", "threads"),
        ("position", "messages"),
        ("link", "node_links"),
    } <= told
    before = plan.summary()
    store.register(graph)
    assert "2 new" not in store.explain(graph).summary()
    assert not store.explain(graph)
    assert before != store.explain(graph).summary()


def test_rows_that_others_added_keep_their_ids(path: Path) -> None:
    """A row that came through SQL has taken the next free row id."""
    first = ev.SQLAlchemyEntityStorage(path).register(ev.ChatThread(title="a"))
    names = [row[1] for row in fetched(path, "PRAGMA table_info(chat_threads)")]
    wanted = ", ".join(f'"{name}"' for name in names if name not in ("id", "ecs_id"))
    other = ev.ChatThread(title="b").ecs_id
    execute(
        path,
        f"INSERT INTO chat_threads (id, ecs_id, {wanted})"
        f" SELECT id + 1, '{other.hex}', {wanted} FROM chat_threads",
    )
    store = ev.SQLAlchemyEntityStorage(path)
    third = store.register(ev.ChatThread(title="c"))
    assert [thread.title for thread in store.get_many([first.ecs_id, other, third.ecs_id])] == [
        "a",
        "a",
        "c",
    ]
