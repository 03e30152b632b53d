"""The loop of a notebook: a graph is there, something is edited, saved, asked; against the ORM."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

import ecsviz as ev
from benchmarks import peers, workload
from benchmarks.saving import filled
from benchmarks.targets import SQLite
from benchmarks.timing import Contender, Section, given, rounds
from ecsviz.domain.walk import walk

WALK = "the bare walk"
UNCHANGED = "`register`, nothing edited"
EDITED = "`register`, one message edited"
APPENDED = "`register`, one message appended"
ALONE = "`register(message, hops=0)`, edited"
ALONE_NEW = "`register(message, hops=0)`, appended"
FIND = "`find(hops=0, limit=10)`"
ORM_EDITED = "SQLAlchemy: one object of a loaded session edited, commit"
ORM_APPENDED = "SQLAlchemy: one object appended to a loaded list, commit"
ORM_FIND = "SQLAlchemy: `select().limit(10)`, of the very same rows"

NOTE = (
    "The graph, and what the session has loaded, are there before the clock runs; the peers keep no"
    " versions, checksums, history or order."
)


def loop(folder: Path, size: int, repeats: int) -> Section:
    target = SQLite(folder)
    texts = map(str, itertools.count())
    with ExitStack() as stack:
        thread = workload.chat(size)
        store = target.store(stack, filled(target, stack, thread))
        engine = target.peer(stack)
        peers.add_all(engine, thread)
        thread = store.get(thread.ecs_id)

        def edited(_: ExitStack) -> Callable[[], object]:
            thread.messages[size // 2].content = next(texts)
            return lambda: store.register(thread)

        def appended(_: ExitStack) -> Callable[[], object]:
            thread.messages.append(workload.ChatMessage(thread=thread, role="user", content="new"))
            return lambda: store.register(thread)

        def alone(_: ExitStack) -> Callable[[], object]:
            message = thread.messages[size // 3]
            message.content = next(texts)
            return lambda: store.register(message, hops=0)

        def alone_new(_: ExitStack) -> Callable[[], object]:
            message = workload.ChatMessage(thread=thread, role="user", content="new")
            thread.messages.append(message)
            return lambda: store.register(message, hops=0)

        def again(_: ExitStack) -> Callable[[], object]:
            store.register(thread)  # of what was saved alone, the list is looked at once
            return lambda: store.register(thread)

        contenders: dict[str, Contender | None] = {
            WALK: lambda _: lambda: walk([thread]),
            UNCHANGED: again,
            EDITED: edited,
            APPENDED: appended,
            ALONE: alone,
            ALONE_NEW: alone_new,
            FIND: lambda _: lambda: store.find(workload.ChatMessage, hops=0, limit=10),
            ORM_EDITED: given(lambda s: loaded(s, engine), orm_edits),
            ORM_APPENDED: given(lambda s: loaded(s, engine), orm_appends),
            ORM_FIND: lambda s: orm_finds(s, store),
        }
        title = f"The loop, with {size:,} messages at hand"
        race = rounds(title, contenders, repeats, limit=WALK, notes=[NOTE])
    goals = [race.at_most(1, 2, name, WALK) for name in (UNCHANGED, EDITED, APPENDED)]
    goals.append(race.faster(1, 1, APPENDED, ORM_APPENDED))
    return Section([race], goals)


def loaded(stack: ExitStack, engine: sa.Engine) -> tuple[Session, Any]:
    """Return a session that has loaded the thread and all its messages."""
    session = stack.enter_context(Session(engine, expire_on_commit=False))
    query = sa.select(peers.ThreadSQL).options(selectinload(peers.ThreadSQL.messages))
    return session, session.scalars(query).one()


def orm_edits(given: tuple[Session, Any]) -> None:
    session, thread = given
    thread.messages[len(thread.messages) // 2].content += "!"
    session.commit()


def orm_appends(given: tuple[Session, Any]) -> None:
    session, thread = given
    message = thread.messages[0]
    row = peers.MessageSQL(ecs_id=ev.ChatThread().ecs_id, content="new", role=message.role)
    thread.messages.append(row)
    session.commit()


def orm_finds(stack: ExitStack, store: ev.SQLAlchemyEntityStorage) -> Callable[[], object]:
    model: Any = store.sql_model(workload.ChatMessage)
    session = stack.enter_context(Session(store.engine))
    return lambda: session.scalars(sa.select(model).limit(10)).all()
