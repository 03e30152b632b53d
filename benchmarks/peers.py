"""The peers: the same chat in hand-written SQLAlchemy classes, and in SQLModel's.

They keep less than ecsviz does (no versions, no checksums, no history, no order of messages), and
commit as durably.
"""

from __future__ import annotations

from collections.abc import Iterable
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

from benchmarks.workload import ChatMessage, ChatThread

try:
    import sqlmodel
except ModuleNotFoundError:
    sqlmodel = None  # type: ignore[assignment]  # told as "not installed"


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
    if sqlmodel is not None:
        ThreadModel.metadata.create_all(engine)


if sqlmodel is not None:

    class ThreadModel(sqlmodel.SQLModel, table=True):
        __tablename__ = "model_threads"

        id: int | None = sqlmodel.Field(default=None, primary_key=True)
        ecs_id: UUID = sqlmodel.Field(index=True)
        title: str
        messages: list["MessageModel"] = sqlmodel.Relationship(back_populates="thread")

    class MessageModel(sqlmodel.SQLModel, table=True):
        __tablename__ = "model_messages"

        id: int | None = sqlmodel.Field(default=None, primary_key=True)
        ecs_id: UUID = sqlmodel.Field(index=True)
        thread_id: int | None = sqlmodel.Field(default=None, foreign_key="model_threads.id")
        content: str
        role: str
        thread: ThreadModel | None = sqlmodel.Relationship(back_populates="messages")


def sqlmodel_add_all(engine: sa.Engine, thread: ChatThread) -> None:
    with sqlmodel.Session(engine) as session:
        above = ThreadModel(ecs_id=thread.ecs_id, title=thread.title)
        session.add(above)
        session.add_all(
            [
                MessageModel(ecs_id=m.ecs_id, content=m.content, role=m.role, thread=above)
                for m in thread.messages
            ]
        )
        session.commit()


def sqlmodel_load(engine: sa.Engine) -> Iterable[Any]:
    """Load SQLModel's own objects: they are its entities."""
    with sqlmodel.Session(engine) as session:
        query = sqlmodel.select(ThreadModel).options(
            selectinload(ThreadModel.messages)  # type: ignore[arg-type]  # its own idiom
        )
        return list(session.exec(query).one().messages)
