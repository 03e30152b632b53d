"""The peers: the same chat in hand-written SQLAlchemy classes; SQLModel's are in ``sqlmodel_peer``.

They keep less than ecsviz does (no versions, no checksums, no history, no order of messages), and
commit as durably.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    relationship,
    selectinload,
)

import ecsviz as ev
from benchmarks.workload import ChatMessage, ChatThread

try:
    from benchmarks import sqlmodel_peer
except ModuleNotFoundError:
    sqlmodel_peer = None  # type: ignore[assignment]  # told as "not installed"


class Base(DeclarativeBase):
    pass


class ThreadSQL(Base):
    __tablename__ = "peer_threads"

    id: Mapped[int] = mapped_column(primary_key=True)
    ecs_id: Mapped[UUID] = mapped_column(index=True)
    title: Mapped[str]
    messages: Mapped[list[MessageSQL]] = relationship(back_populates="thread")


class MessageSQL(Base):
    __tablename__ = "peer_messages"

    id: Mapped[int] = mapped_column(primary_key=True)
    ecs_id: Mapped[UUID] = mapped_column(index=True)
    thread_id: Mapped[int] = mapped_column(sa.ForeignKey("peer_threads.id"))
    content: Mapped[str]
    role: Mapped[str]
    thread: Mapped[ThreadSQL] = relationship(back_populates="messages")


def add_all(
    engine: sa.Engine, thread: ChatThread, above: Any = ThreadSQL, below: Any = MessageSQL
) -> None:
    """Save through the ORM, all objects handed over at once."""
    with Session(engine) as session:
        row = above(ecs_id=thread.ecs_id, title=thread.title)
        rows = [
            below(ecs_id=m.ecs_id, content=m.content, role=m.role, thread=row)
            for m in thread.messages
        ]
        session.add_all([row, *rows])
        session.commit()


def add_all_models(engine: sa.Engine, thread: ChatThread) -> None:
    add_all(engine, thread, sqlmodel_peer.ThreadModel, sqlmodel_peer.MessageModel)


def from_entity(engine: sa.Engine, thread: ChatThread) -> None:
    """Save object by object, with a flush for the thread."""
    with Session(engine) as session:
        row = ThreadSQL(ecs_id=thread.ecs_id, title=thread.title)
        session.add(row)
        session.flush()
        for m in thread.messages:
            session.add(MessageSQL(ecs_id=m.ecs_id, content=m.content, role=m.role, thread=row))
        session.commit()


def load(engine: sa.Engine, above: Any = ThreadSQL) -> ChatThread:
    with Session(engine) as session:
        query = sa.select(above).options(selectinload(above.messages))
        return to_entity(session.scalars(query).one())


def load_same_rows(store: ev.SQLAlchemyEntityStorage) -> ChatThread:
    """Load the very rows that ``get`` reads, through the ORM and the entities' constructor."""
    return load(store.engine, store.sql_model(ChatThread))


def to_entity(row: Any) -> ChatThread:
    ids = ids_of if hasattr(row, "ecs_lineage_id") else only_id
    thread = ChatThread(title=row.title, **ids(row))
    thread.messages = [
        ChatMessage(thread=thread, content=m.content, role=m.role, **ids(m)) for m in row.messages
    ]
    return thread


def only_id(row: Any) -> dict[str, Any]:
    return {"ecs_id": row.ecs_id}


def ids_of(row: Any) -> dict[str, Any]:
    """Return what a row of ecsviz's own tables holds besides, for the constructor."""
    return {
        "ecs_id": row.ecs_id,
        "lineage_id": row.ecs_lineage_id,
        "parent_id": row.ecs_parent_id,
        "version": row.ecs_version,
    }


def make_tables(engine: sa.Engine) -> None:
    Base.metadata.create_all(engine)
    if sqlmodel_peer is not None:
        sqlmodel_peer.SQLModel.metadata.create_all(engine)


CONTENT = {
    "chat_threads": (
        """CREATE TABLE chat_threads (
            id INTEGER NOT NULL PRIMARY KEY,
            ecs_id CHAR(32) NOT NULL UNIQUE,
            title TEXT NOT NULL
        )""",
    ),
    "chat_messages": (
        """CREATE TABLE chat_messages (
            id INTEGER NOT NULL PRIMARY KEY,
            ecs_id CHAR(32) NOT NULL UNIQUE,
            content TEXT NOT NULL,
            role TEXT NOT NULL,
            thread_id INTEGER NOT NULL REFERENCES chat_threads (id),
            thread_position INTEGER
        )""",
        "CREATE INDEX of_thread ON chat_messages (thread_id, thread_position)",
    ),
}
"""The same chat in tables written by hand, with nothing but its content."""
