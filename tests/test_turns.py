"""Sessions and store calls that meet on one connection, and what a failed session leaves."""

from __future__ import annotations

import gc
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import ecsviz as ev
from ecsviz import errors
from ecsviz.domain.objects import consume

_engines: list[sa.Engine] = []


def _made(**options: Any) -> sa.Engine:
    _engines.append(sa.create_engine("sqlite://", **options))
    return _engines[-1]


SHARED: dict[str, Callable[[], Any]] = {
    "memory": lambda: ":memory:",
    "static": lambda: _made(
        poolclass=sa.pool.StaticPool, connect_args={"check_same_thread": False}
    ),
    "by_thread": _made,
}
"""What gives a session and the store the same connection."""


@pytest.fixture(autouse=True)
def _disposed() -> Iterator[None]:
    yield
    while _engines:
        _engines.pop().dispose()


def _edit(session: Any, store: Any, title: str) -> None:
    session.execute(sa.update(store.sql_model(ev.ChatThread)).values(title=title))


@pytest.mark.parametrize("kind", ["memory", "static"])
def test_sessions_in_other_threads_lose_nothing(kind: str) -> None:
    store = ev.SQLAlchemyEntityStorage(SHARED[kind](), timeout=60)
    done = [store.register(ev.ChatThread(title="first"))]
    model = store.sql_model(ev.ChatThread)
    raised: list[Exception] = []

    def work(use: Callable[[int], None]) -> None:
        try:
            for number in range(15):
                use(number)
        except Exception as err:  # noqa: BLE001 - the main thread looks at it
            raised.append(err)

    def read(_: int) -> None:
        with store.session_factory() as session:
            assert all(row.title for row in session.scalars(sa.select(model)))

    def write(number: int) -> None:
        done.append(store.register(ev.ChatThread(title=f"{number}")))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work, args=(use,)) for use in (read, write) * 3]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert raised == []
    assert len(done) == 46
    assert all(store.has_entity(thread.ecs_id) for thread in done)


@pytest.mark.parametrize("kind", SHARED)
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_call_does_not_end_the_sessions_transaction(kind: str, end: str) -> None:
    store = ev.SQLAlchemyEntityStorage(SHARED[kind](), timeout=60)
    thread = store.register(ev.ChatThread(title="a"))
    with store.session_factory() as session:
        _edit(session, store, "edited")
        for call in (
            lambda: store.has_entity(thread.ecs_id),
            lambda: store.register(ev.ChatThread(title="b")),
            lambda: store.session_factory().connection(),
        ):
            with pytest.raises(errors.StorageBusyError, match="close it first"):
                call()
        getattr(session, end)()
        # What it ended holds nothing any more.
        assert store.get(thread.ecs_id).title == ("edited" if end == "commit" else "a")
    assert len(store.list_by_type(ev.ChatThread)) == 1


@pytest.mark.parametrize("kind", SHARED)
def test_a_call_does_not_end_a_transaction_of_the_engine(kind: str) -> None:
    store = ev.SQLAlchemyEntityStorage(SHARED[kind]())
    thread = store.register(ev.ChatThread(title="a"))
    with store.engine.connect() as conn:
        conn.execute(sa.text("UPDATE chat_threads SET title = 'edited'"))
        for call in (store.has_entity, lambda _: store.session_factory().connection()):
            with pytest.raises(errors.StorageBusyError, match="close it first"):
                call(thread.ecs_id)
        conn.rollback()
    assert store.get(thread.ecs_id).title == "a"


@pytest.mark.parametrize("kind", ["memory", "static"])
def test_a_session_is_waited_for_and_ends_in_any_thread(kind: str) -> None:
    store = ev.SQLAlchemyEntityStorage(SHARED[kind](), timeout=0.01)
    thread = store.register(ev.ChatThread(title="a"))
    session = store.session_factory()
    begun = threading.Thread(target=lambda: _edit(session, store, "edited"))
    begun.start()
    begun.join()
    for call in (
        lambda: store.has_entity(thread.ecs_id),
        lambda: store.session_factory().connection(),
    ):
        with pytest.raises(errors.StorageBusyError, match="another thread held"):
            call()
    session.commit()
    assert store.get(thread.ecs_id).title == "edited"


@pytest.mark.parametrize("kind", SHARED)
def test_a_session_that_is_dropped_holds_nothing(kind: str) -> None:
    store = ev.SQLAlchemyEntityStorage(SHARED[kind](), timeout=60)
    thread = store.register(ev.ChatThread(title="a"))
    model = store.sql_model(ev.ChatThread)
    gc.disable()  # it is for the store to find out
    try:
        store.session_factory().execute(sa.update(model).values(title="edited"))
        if kind == "by_thread":
            gc.collect()
        assert store.get(thread.ecs_id).title == "a"
    finally:
        gc.enable()


def test_memory_outlives_an_interrupt_and_a_lost_connection() -> None:
    store = ev.SQLAlchemyEntityStorage(":memory:")
    thread = store.register(ev.ChatThread(title="a"))

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    def invalidate() -> None:
        with store.engine.connect() as conn:
            conn.invalidate()
        with store.session_factory() as session:
            _edit(session, store, "edited")
            session.invalidate()

    for use in (
        lambda: store.has_entity(thread.ecs_id),
        lambda: store.session_factory().execute(sa.text("SELECT 1")),
    ):
        for engine in (store.engine, store.session_factory.kw["bind"]):
            sa.event.listen(engine, "do_execute", interrupt)
            sa.event.listen(engine, "do_execute_no_params", interrupt)
        with pytest.raises(KeyboardInterrupt):
            use()
        for engine in (store.engine, store.session_factory.kw["bind"]):
            sa.event.remove(engine, "do_execute", interrupt)
            sa.event.remove(engine, "do_execute_no_params", interrupt)
        assert store.get(thread.ecs_id).title == "a"
    invalidate()
    assert store.get(thread.ecs_id).title == "a"
    with store.engine.connect() as conn:  # the engine's own transactions are what they were
        conn.execute(sa.text("UPDATE chat_threads SET title = 'edited'"))
    assert store.get(thread.ecs_id).title == "a"


@pytest.mark.parametrize("journal", ["delete", "wal", None])
def test_an_interrupted_reading_holds_no_lock(tmp_path: Path, journal: Any) -> None:
    """A notebook keeps the traceback of the last error, and with it a cursor that is half read."""

    def interrupt(_: Any, __: Any, statement: str, *___: Any) -> None:
        if statement.startswith("SELECT"):
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt

    path = ":memory:" if journal is None else str(tmp_path / "a.db")
    with ev.SQLAlchemyEntityStorage(path, journal=journal or "delete", timeout=0.05) as store:
        thread = store.register(ev.ChatThread(title="a"))
        model = store.sql_model(ev.ChatThread)
        session = store.session_factory()
        sessions = session.get_bind()
        for engine in (store.engine, sessions):
            sa.event.listen(engine, "after_cursor_execute", interrupt)
        kept = []
        for use in (store.get, store.history, lambda _: session.execute(sa.select(model)).all()):
            for number in (1, 2, 3):
                left = [number]
                with pytest.raises(KeyboardInterrupt) as caught:
                    consume(use(thread.ecs_id) for _ in range(9))
                kept.append(caught.value)
                session.close()
                thread.title += "!"
                store.register(thread)
                if number == 1:
                    assert store.get(thread.ecs_id).title == thread.title
        assert len(kept) == 9
        assert store.verify().empty


def test_a_commit_that_failed_stays_undone(path: Path) -> None:
    """SQLAlchemy gives the connection back to its pool with the transaction open."""
    engine = sa.create_engine(f"sqlite:///{path}")
    store = ev.SQLAlchemyEntityStorage(engine, timeout=0.05)
    thread = store.register(ev.ChatThread(title="a"))
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM chat_threads").fetchall()
    with store.session_factory() as session:
        _edit(session, store, "edited")
        with pytest.raises(sa.exc.OperationalError):
            session.commit()
    reader.execute("ROLLBACK")
    reader.execute("UPDATE chat_threads SET title = 'other'")  # nothing is locked
    reader.close()
    assert store.get(thread.ecs_id).title == "other"
    with engine.connect() as conn:  # the driver is as it was
        conn.execute(sa.text("UPDATE chat_threads SET title = 'edited'"))
    assert store.get(thread.ecs_id).title == "other"
    engine.dispose()


@pytest.mark.parametrize("session", [False, True])
def test_what_others_left_open_is_not_committed(tmp_path: Path, session: bool) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'a.db'}", pool_reset_on_return=None)
    store = ev.SQLAlchemyEntityStorage(engine)
    thread = store.register(ev.ChatThread(title="a"))
    pooled = engine.raw_connection()
    pooled.cursor().execute("UPDATE chat_threads SET title = 'edited'")
    pooled.close()
    if session:
        with store.session_factory() as opened:
            opened.connection()
    assert store.get(thread.ecs_id).title == "a"
    engine.dispose()


def test_a_session_on_a_damaged_file_says_what_get_says(path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(path)
    thread = store.register(ev.ChatThread(title="a"))
    with path.open("r+b") as file:
        file.write(b"junk" * 100)
    with pytest.raises(errors.NotADatabaseError) as told:
        store.get(thread.ecs_id)
    with store.session_factory() as session, pytest.raises(errors.NotADatabaseError) as caught:
        session.connection()
    assert str(caught.value) == str(told.value)
