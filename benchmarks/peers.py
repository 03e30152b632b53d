"""The peers: the same chat in hand-written SQLAlchemy classes; SQLModel's
are in ``sqlmodel_peer``.

They keep less than ecsviz does (no versions, no checksums, no history, no order of messages), and
commit as durably.
"""

from __future__ import annotations

from pathlib import Path
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
    ecs_id: Mapped[str] = mapped_column(index=True)
    title: Mapped[str]
    messages: Mapped[list[MessageSQL]] = relationship(back_populates="thread")

    def to_entity(self) -> ChatThread:
        thread = ChatThread(ecs_id=UUID(self.ecs_id), title=self.title)
        for message in self.messages:
            thread.messages.append(message.to_entity(thread))
        return thread

    @classmethod
    def from_entity(cls, entity: ChatThread, session: Session) -> ThreadSQL:
        """Save object by object, as the sketch does (which writes every message twice; not so)."""
        thread = cls(ecs_id=str(entity.ecs_id), title=entity.title)
        session.add(thread)
        session.flush()
        for message in entity.messages:
            MessageSQL.from_entity(message, thread, session)
        return thread


class MessageSQL(Base):
    __tablename__ = "peer_messages"

    id: Mapped[int] = mapped_column(primary_key=True)
    ecs_id: Mapped[str] = mapped_column(index=True)
    thread_id: Mapped[int] = mapped_column(sa.ForeignKey("peer_threads.id"))
    content: Mapped[str]
    role: Mapped[str]
    thread: Mapped[ThreadSQL] = relationship(back_populates="messages")

    def to_entity(self, thread: ChatThread) -> ChatMessage:
        return ChatMessage(
            ecs_id=UUID(self.ecs_id), thread=thread, content=self.content, role=self.role
        )

    @classmethod
    def from_entity(cls, entity: ChatMessage, thread: ThreadSQL, session: Session) -> MessageSQL:
        message = cls(ecs_id=str(entity.ecs_id), content=entity.content, role=entity.role)
        message.thread = thread
        session.add(message)
        return message


def add_all(engine: sa.Engine, thread: ChatThread) -> None:
    """Save through the ORM, all objects handed over at once."""
    with Session(engine) as session:
        above = ThreadSQL(ecs_id=str(thread.ecs_id), title=thread.title)
        session.add(above)
        session.add_all(
            [
                MessageSQL(ecs_id=str(m.ecs_id), content=m.content, role=m.role, thread=above)
                for m in thread.messages
            ]
        )
        session.commit()


def object_by_object(engine: sa.Engine, thread: ChatThread) -> None:
    with Session(engine) as session:
        ThreadSQL.from_entity(thread, session)
        session.commit()


def load(engine: sa.Engine) -> ChatThread:
    with Session(engine) as session:
        query = sa.select(ThreadSQL).options(selectinload(ThreadSQL.messages))
        return session.scalars(query).one().to_entity()


def load_same_rows(store: ev.SQLAlchemyEntityStorage) -> ChatThread:
    """Load the very rows that ``get`` reads, through the ORM and the entities' constructor."""
    above: Any = store.sql_model(ChatThread)
    with Session(store.engine) as session:
        query = sa.select(above).options(selectinload(above.messages))
        row = session.scalars(query).one()
        thread = ChatThread(title=row.title, **own_fields(row))
        thread.messages = [
            ChatMessage(thread=thread, content=m.content, role=m.role, **own_fields(m))
            for m in row.messages
        ]
        return thread


def own_fields(row: Any) -> dict[str, Any]:
    return {
        "ecs_id": row.ecs_id,
        "lineage_id": row.ecs_lineage_id,
        "parent_id": row.ecs_parent_id,
        "version": row.ecs_version,
    }


def engine_of(path: Path) -> sa.Engine:
    """Return an engine whose commits last as ours do, with the peers' tables."""
    engine = sa.create_engine(f"sqlite:///{path}")

    @sa.event.listens_for(engine, "connect")
    def durable(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA synchronous=EXTRA")

    make_tables(engine)
    return engine


def make_tables(engine: sa.Engine) -> None:
    Base.metadata.create_all(engine)
    if sqlmodel_peer is not None:
        sqlmodel_peer.SQLModel.metadata.create_all(engine)
