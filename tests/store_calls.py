"""Every public method of a store, called: for the tests of what all of them must do alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

import ecsviz as ev
from ecsviz.storage.relational.classless import BareStore

Calls = dict[str, Callable[[], Any]]


def filled(target: Any, **options: Any) -> tuple[ev.SQLAlchemyEntityStorage, ev.ChatThread]:
    """Return a store with a thread of two messages and a past of two revisions."""
    store = ev.SQLAlchemyEntityStorage(target, **options)
    thread = ev.ChatThread(title="first")
    first = thread.say("user", "hello")
    thread.say("assistant", "good day", first)
    store.register(thread)
    thread.title = "second"
    store.register(thread)
    return store, thread


def reading_calls(store: ev.SQLAlchemyEntityStorage, thread: ev.ChatThread) -> Calls:
    """Return what reads, by its name."""
    message = thread.messages[0]
    bare = BareStore(store)
    return {
        "get": lambda: store.get(thread.ecs_id),
        "get hops": lambda: store.get(thread.ecs_id, hops=1),
        "get as of": lambda: store.get(thread.ecs_id, as_of=1),
        "get_many": lambda: store.get_many([thread.ecs_id, message.ecs_id]),
        "register id": lambda: store.register(thread.ecs_id),
        "has_entity": lambda: store.has_entity(thread.ecs_id),
        "list_by_type": lambda: store.list_by_type(ev.ChatThread),
        "find": lambda: store.find(ev.ChatMessage, role="user"),
        "first": lambda: store.first(ev.ChatMessage, order_by="-content"),
        "one": lambda: store.one(ev.ChatThread, messages__role="user"),
        "count": lambda: store.count(ev.ChatMessage, content__icontains="O"),
        "exists": lambda: store.exists(ev.ChatMessage, thread__title="second"),
        "iterate": lambda: list(store.iterate(ev.ChatMessage, batch=1)),
        "search": lambda: store.search("hello", ev.ChatMessage),
        "threads": lambda: store.threads().summary(),
        "threads frame": lambda: store.threads().frame(),
        "len": lambda: len(store),
        "in": lambda: thread in store,
        "get_lineage_entities": lambda: store.get_lineage_entities(thread.lineage_id),
        "lineage_graph": lambda: store.lineage_graph(thread),
        "frame": lambda: store.frame(ev.ChatMessage),
        "frame as of": lambda: store.frame(ev.ChatMessage, as_of=1),
        "frame of a table": lambda: store.frame("chat_messages"),
        "references_frame": store.references_frame,
        "references_frame as of": lambda: store.references_frame(as_of=1),
        "graph": store.graph,
        "graph of a root": lambda: store.graph(thread, hops=1),
        "revisions": store.revisions,
        "history": lambda: store.history(thread),
        "diff": lambda: store.diff(thread),
        "diff of revisions": lambda: store.diff(1, 2),
        "verify": store.verify,
        "verify a graph": lambda: store.verify(thread),
        "explain": lambda: store.explain(thread),
        "to_python": store.to_python,
        "draw_schema": store.draw_schema,
        "explore": store.explore,
        "dry run": lambda: store.migrate(dry_run=True),
        "refresh": lambda: store.refresh(store.get(thread.ecs_id)),
        "merge": lambda: store.merge(store.get(thread.ecs_id)),
        "conflicts": lambda: store.conflicts(store.get(thread.ecs_id)),
        "resolve": lambda: store.resolve(store.get(thread.ecs_id)).close(),
        "tables": bare.tables,
        "rows of a table": lambda: bare.rows("chat_messages"),
        "bare graph": bare.graph,
        "bare history": lambda: bare.history(thread.ecs_id),
        "session": lambda: _in_session(store),
    }


def writing_calls(store: ev.SQLAlchemyEntityStorage, thread: ev.ChatThread) -> Calls:
    """Return what writes, by its name, in an order in which each can be done."""
    return {
        "register": lambda: store.register(_edited(thread)),
        "transaction": lambda: _together(store),
        "revert": lambda: store.revert(thread.ecs_id, to=1),
        "session write": lambda: _write_in_session(store),
        "index_text": lambda: store.index_text(ev.ChatMessage, "content"),
        "drop_text_index": lambda: store.drop_text_index(ev.ChatMessage),
        "migrate": store.migrate,
        "prune": store.prune,
        "delete": lambda: store.delete([thread, *thread.messages]),
    }


def _edited(thread: ev.ChatThread) -> ev.ChatThread:
    thread.title = "third"
    return thread


def _together(store: ev.SQLAlchemyEntityStorage) -> None:
    with store.transaction(note="two"):
        store.register(ev.ChatThread(title="one"))
        store.register(ev.ChatThread(title="two"))


def _in_session(store: ev.SQLAlchemyEntityStorage) -> Any:
    model = store.sql_model(ev.ChatThread)
    with store.session_factory() as session:
        return session.scalars(sa.select(model)).all()


def _write_in_session(store: ev.SQLAlchemyEntityStorage) -> None:
    model = store.sql_model(ev.ChatThread)
    with store.session_factory() as session:
        session.add(model.from_entity(ev.ChatThread(title="by a session"), session))
        session.commit()


def files_in(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder and what is in them."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
