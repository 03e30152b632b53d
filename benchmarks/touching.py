"""Touching what a lazy reading has not loaded yet: against the ORM, and against loading it all."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

import ecsviz as ev
from benchmarks import workload
from benchmarks.targets import SQLite
from benchmarks.timing import Contender, Section, given, rounds

NEIGHBOURS = 10
"""How many messages a thread has."""
CHUNK = 5_000
"""How many threads are saved at a time."""

ORM = "SQLAlchemy, a relationship loaded when it is touched, of the very same rows"
TOUCH = "`get(lazy=True)`: one message touched, all loaded"
TOUCH_PAST = "the same, after somebody else has saved"
WHOLE = "`get` of the thread, whole"


def touch(folder: Path, size: int, repeats: int) -> Section:
    target = SQLite(folder)
    with ExitStack() as stack:
        at = target.new(stack)
        with target.store(stack, at) as store:
            ids = filled(store, size)
        title = f"Touch {NEIGHBOURS} neighbours in a store of {size:,} messages"

        def opened(stack: ExitStack) -> ev.SQLAlchemyEntityStorage:
            store = target.store(stack, at)
            store.get(ids[0])  # what is made once is made
            store.get(ids[0], lazy=True)
            return store

        contenders = {
            ORM: by_orm(opened, ids[-1]),
            TOUCH: lazily(opened, ids[-1]),
            TOUCH_PAST: lazily(opened, ids[-1], other=ids[0]),
            WHOLE: given(opened, lambda store: store.get(ids[-1])),
        }
        return Section([rounds(title, contenders, repeats, limit=ORM)])


def filled(store: ev.SQLAlchemyEntityStorage, size: int) -> list[UUID]:
    """Save threads; return the ids of the first and of one in the middle."""
    ids: list[UUID] = []
    count = max(size // NEIGHBOURS, 2)
    for start in range(0, count, CHUNK):
        threads = [workload.chat(NEIGHBOURS) for _ in range(start, min(start + CHUNK, count))]
        store.register(threads, progress=False)
        ids += [thread.ecs_id for thread in threads]
    return [ids[0], ids[count // 2]]


def by_orm(opened: Any, ecs_id: UUID) -> Contender:
    def ready(stack: ExitStack) -> Any:
        store = opened(stack)
        model: Any = store.sql_model(workload.ChatThread)
        session = stack.enter_context(Session(store.engine))
        row = session.scalars(sa.select(model).where(model.ecs_id == ecs_id)).one()
        return lambda: [message.content for message in row.messages]

    return ready


def lazily(opened: Any, ecs_id: UUID, other: UUID | None = None) -> Contender:
    def ready(stack: ExitStack) -> Any:
        store = opened(stack)
        read = store.get(ecs_id, lazy=True)
        if other is not None:
            edited = store.get(other)
            edited.title += "!"
            store.register(edited)
        return lambda: [message.content for message in read.messages]

    return ready
