"""SQLAlchemyEntityStorage: what it offers beyond the Protocol."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

import ecsviz as ev
from tests.databases import rows_in


class Person(ev.Entity):
    name: str
    boss: Person | None = None


def branched() -> ev.ChatThread:
    thread = ev.ChatThread(title="Cycles")
    question = thread.say("user", "What is a cycle?")
    thread.say("assistant", "A way back.", question)
    thread.say("assistant", "A closed path.", question)
    return thread


def test_nothing_is_written_before_register(path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(path)
    thread = branched()
    plan = store.explain(thread)
    assert plan.added == 4
    assert not path.exists()
    assert store.list_by_type(ev.ChatThread) == []
    assert not store.has_entity(thread.ecs_id)
    assert not path.exists()
    assert thread.version == 0


def test_explain_tells_what_register_then_does(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "threads.db")
    thread = branched()
    plan = store.explain(thread)
    assert plan.order == ["ChatThread", "ChatMessage"]
    assert [(s.what, s.table, s.rows) for s in plan.steps if s.what == "insert"] == [
        ("insert", "chat_threads", 1),
        ("insert", "chat_messages", 3),
    ]
    store.register(thread)
    assert len(rows_in(tmp_path / "threads.db")["chat_messages"]) == 3
    assert not store.explain(thread)
    thread.messages[1].content = "edited"
    plan = store.explain(thread)
    assert (plan.added, plan.changed, plan.unchanged) == (0, 1, 3)
    assert "UPDATE chat_messages" in repr(plan)
    assert list(plan.to_frame().columns) == ["step", "what", "table", "rows", "statement"]


def test_an_engine_is_used_as_it_is_and_left_as_it_was(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'mine.db'}")
    store = ev.SQLAlchemyEntityStorage(engine)
    thread = store.register(branched())
    assert store.engine is engine
    with engine.connect() as conn:
        driver = conn.connection.dbapi_connection
        assert driver is not None
        assert driver.isolation_level == ""
        assert conn.scalar(sa.text("SELECT count(*) FROM chat_messages")) == 3
    assert ev.SQLAlchemyEntityStorage(engine).get(thread.ecs_id) == thread
    engine.dispose()


def test_foreign_keys_are_enforced_in_sessions_too() -> None:
    store = ev.SQLAlchemyEntityStorage(":memory:")
    store.register(Person(name="a"))
    model = store.sql_model(Person)
    with store.session_factory() as session:
        row = session.scalars(sa.select(model)).one()
        row.boss_id = 77
        with pytest.raises(sa.exc.IntegrityError):
            session.commit()


def test_register_of_an_id_gets_it() -> None:
    store = ev.SQLAlchemyEntityStorage(":memory:")
    thread = store.register(branched())
    again = store.register(thread.ecs_id)
    assert again == thread
    assert again is not thread


def test_a_generator_of_entities_is_given_back_as_a_list() -> None:
    store = ev.SQLAlchemyEntityStorage(":memory:")
    people = store.register(Person(name=name) for name in "abc")
    assert [person.version for person in people] == [1, 1, 1]
    assert store.list_by_type(Person) == people


def test_repr_names_the_file(tmp_path: Path) -> None:
    assert "a.db" in repr(ev.SQLAlchemyEntityStorage(tmp_path / "a.db"))
