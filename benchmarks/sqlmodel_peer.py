"""The peer SQLModel, which cannot read annotations that `from __future__` has made texts."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import selectinload
from sqlmodel import Field, Relationship, Session, SQLModel, select


class ThreadModel(SQLModel, table=True):
    __tablename__ = "model_threads"

    id: int | None = Field(default=None, primary_key=True)
    ecs_id: UUID = Field(index=True)
    title: str
    messages: list["MessageModel"] = Relationship(back_populates="thread")


class MessageModel(SQLModel, table=True):
    __tablename__ = "model_messages"

    id: int | None = Field(default=None, primary_key=True)
    ecs_id: UUID = Field(index=True)
    thread_id: int | None = Field(default=None, foreign_key="model_threads.id")
    content: str
    role: str
    thread: ThreadModel | None = Relationship(back_populates="messages")


def load(engine: sa.Engine) -> list[Any]:
    """Load SQLModel's own objects: they are its entities."""
    with Session(engine) as session:
        query = select(ThreadModel).options(selectinload(ThreadModel.messages))
        return list(session.exec(query).one().messages)
