"""Hand-written models, as plain as the approach note sketches them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

import ecsviz as ev
from ecsviz import errors
from tests.databases import fetched, rows_in


class Base(DeclarativeBase):
    pass


class Thread(ev.Entity):
    title: str
    messages: list[Message] = []


class Message(ev.Entity):
    thread: Thread  # a required back-reference: a cycle
    content: str
    role: str


Thread.model_rebuild()


class ThreadSQL(Base):
    __tablename__ = "my_threads"
    id: Mapped[int] = mapped_column(primary_key=True)
    ecs_id: Mapped[str] = mapped_column(index=True)
    heading: Mapped[str]
    messages: Mapped[list[MessageSQL]] = relationship(
        back_populates="thread", order_by="MessageSQL.id"
    )

    def to_entity(self) -> Thread:
        thread = Thread(ecs_id=UUID(self.ecs_id), title=self.heading)
        for row in self.messages:
            thread.messages.append(row.to_entity())
        return thread

    @classmethod
    def from_entity(cls, entity: Thread, session: Any) -> ThreadSQL:
        row = cls(ecs_id=str(entity.ecs_id), heading=entity.title)
        session.add(row)
        for message in entity.messages:
            # The sketch makes a row here, and the storage asks for one again later.
            made = MessageSQL.from_entity(message, session)
            made.thread = row
        return row


class MessageSQL(Base):
    __tablename__ = "my_messages"
    id: Mapped[int] = mapped_column(primary_key=True)
    ecs_id: Mapped[str] = mapped_column(index=True)
    content: Mapped[str]
    role: Mapped[str]
    thread_id: Mapped[int | None] = mapped_column(sa.ForeignKey("my_threads.id"))
    thread: Mapped[ThreadSQL | None] = relationship(back_populates="messages")

    def to_entity(self) -> Message:
        assert self.thread is not None
        return Message(  # goes round in a circle, were it not for the storage
            ecs_id=UUID(self.ecs_id),
            content=self.content,
            role=self.role,
            thread=self.thread.to_entity(),
        )

    @classmethod
    def from_entity(cls, entity: Message, session: Any) -> MessageSQL:
        row = cls(ecs_id=str(entity.ecs_id), content=entity.content, role=entity.role)
        session.add(row)
        return row


MODELS = {Thread: ThreadSQL, Message: MessageSQL}


@pytest.fixture
def store(path: Path) -> ev.SQLAlchemyEntityStorage:
    return ev.SQLAlchemyEntityStorage(path, models=MODELS)


def make(count: int = 5) -> Thread:
    thread = Thread(title="x")
    thread.messages = [Message(thread=thread, content=str(n), role="user") for n in range(count)]
    return thread


def test_one_row_per_message_in_order(store: ev.SQLAlchemyEntityStorage, path: Path) -> None:
    thread = store.register(make())
    found = rows_in(path)
    assert [(r[2], r[4]) for r in found["my_messages"]] == [(str(n), 1) for n in range(5)]
    assert [r[2] for r in found["my_threads"]] == ["x"]
    assert "messages" not in found
    assert "threads" not in found
    assert [m.version for m in thread.messages] == [1] * 5


def test_the_same_graph_comes_back(path: Path, store: ev.SQLAlchemyEntityStorage) -> None:
    thread = store.register(make())
    again = ev.SQLAlchemyEntityStorage(path, models=MODELS).get(thread.ecs_id, Thread)
    assert again.messages[0].thread is again
    assert [m.content for m in again.messages] == ["0", "1", "2", "3", "4"]
    assert again.lineage_id == thread.lineage_id
    message = store.get(thread.messages[3].ecs_id)
    assert message.thread.messages[3] is message
    first, second = store.get_many([thread.ecs_id, thread.messages[0].ecs_id])
    assert first.messages[0] is second


def test_only_what_changed_is_written(store: ev.SQLAlchemyEntityStorage, path: Path) -> None:
    thread = store.register(make())
    thread.messages[2].content = "edited"
    assert store.explain(thread).changed == 1
    store.register(thread)
    assert [m.version for m in thread.messages] == [1, 1, 2, 1, 1]
    thread.messages.append(Message(thread=thread, content="new", role="user"))
    thread.title = "y"
    store.register(thread)
    found = rows_in(path)
    assert [r[2] for r in found["my_messages"]] == ["0", "1", "edited", "3", "4", "new"]
    assert [r[2] for r in found["my_threads"]] == ["y"]
    assert [r[3:5] for r in found["ecs_revisions"]] == [(6, 0), (0, 1), (1, 1)]


def test_the_users_database_stays_the_users(path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    engine.dispose()
    with pytest.raises(errors.NotAnEcsvizStoreError, match="my_messages"):
        ev.SQLAlchemyEntityStorage(path)
    store = ev.SQLAlchemyEntityStorage(path, models=MODELS)
    thread = store.register(make())
    assert fetched(path, "PRAGMA application_id") == [(0,)]
    assert store.get(thread.ecs_id) == thread


def test_the_sql_model_is_the_users(store: ev.SQLAlchemyEntityStorage) -> None:
    assert store.sql_model(Thread) is ThreadSQL
    assert store.models[Message] is MessageSQL
    store.register(make())
    with store.session_factory() as session:
        row = session.scalars(sa.select(ThreadSQL)).one()
        assert [m.content for m in row.messages] == ["0", "1", "2", "3", "4"]


def test_a_model_without_the_methods_is_refused(path: Path) -> None:
    class Poor:
        ecs_id = 1

    with pytest.raises(errors.UnsupportedFieldError, match="no from_entity and no to_entity"):
        ev.SQLAlchemyEntityStorage(path, models={Thread: Poor})


class Remark(ev.Entity):
    about: Message
    text: str


def test_a_derived_table_may_be_made_before_the_one_that_it_leads_to(
    store: ev.SQLAlchemyEntityStorage, path: Path
) -> None:
    thread = make()
    remark = store.register(Remark(about=thread.messages[0], text="so it is"))
    again = ev.SQLAlchemyEntityStorage(path, models=MODELS).get(remark.ecs_id)
    assert again.about.thread.messages[0] is again.about
    assert again.about.content == "0"
