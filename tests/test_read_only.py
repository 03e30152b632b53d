"""Stores that are opened to be read: nothing writes, whatever is called, and what reads goes on."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

import ecsviz as ev
from ecsviz import errors
from tests.store_calls import files_in, filled, reading_calls, writing_calls

ELSEWHERE = {"close", "engine", "models", "session_factory", "sql_model", "metadata"}
"""What neither reads nor writes by itself."""

READ_IN_OTHER_TESTS = {"backup", "draw_lineage", "repair"}

HERE = {"adopt_changes", "index_text", "drop_text_index", "search"}
"""What is called in these tests alone."""

WRITE_IN_SESSIONS = {"session write"}


def _sqlite(tmp_path: Path) -> tuple[Any, ev.ChatThread]:
    store, thread = filled(tmp_path / "a.db")
    store.close()
    return ev.SQLAlchemyEntityStorage(tmp_path / "a.db", read_only=True), thread


@pytest.fixture(params=["file", "wal", "url", "engine", "postgresql", "postgresql engine"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Any, ev.ChatThread]]:
    """A store that is opened to be read in each of the ways, and the thread in it."""
    kind, path, options = request.param, tmp_path / "a.db", {}
    url = f"sqlite:///{path}"
    if kind.startswith("postgresql"):
        url, schema = request.getfixturevalue("postgres_url"), f"ro_{uuid4().hex[:8]}"
        options = {"schema": schema}
    engine = sa.create_engine(url)
    if options:
        with engine.begin() as conn:
            conn.execute(sa.schema.CreateSchema(schema))
    thread = filled(engine, journal="wal" if kind == "wal" else "delete", **options)[1]
    if kind == "url":
        store = ev.SQLAlchemyEntityStorage(f"sqlite:///file:{path}?mode=ro&uri=true")
    else:
        target = engine if "engine" in kind else url
        store = ev.SQLAlchemyEntityStorage(target, read_only=True, **options)
    yield store, thread
    store.close()
    engine.dispose()


def _state(store: Any, thread: ev.ChatThread) -> Any:
    revisions = store.revisions().to_dict("records")
    return revisions, store.get(thread.ecs_id).model_dump_json(), len(store.verify())


def test_what_reads_goes_on(opened: Any) -> None:
    store, thread = opened
    for call in reading_calls(store, thread).values():
        call()
    assert len(store.search("hello", ev.ChatMessage)) == 1
    assert "read_only=True" in repr(store)


def test_what_writes_does_nothing(opened: Any) -> None:
    store, thread = opened
    before = _state(store, thread)
    calls = writing_calls(store, thread)
    calls["adopt_changes"] = store.adopt_changes
    calls["adopt_changes, told"] = lambda: store.adopt_changes(dry_run=True)
    calls["index_text"] = lambda: store.index_text(ev.ChatMessage, "content")
    calls["drop_text_index"] = lambda: store.drop_text_index(ev.ChatMessage)
    calls["nothing to register"] = lambda: store.register([])
    calls["nothing to delete"] = lambda: store.delete([])
    for name, call in calls.items():
        own = name not in WRITE_IN_SESSIONS
        with pytest.raises(errors.StorageReadOnlyError if own else Exception) as caught:
            call()
        if own:
            assert "read_only=True" in str(caught.value), name
            assert isinstance(caught.value, OSError)
    assert thread.version == 2, "no live object was told anything"
    assert _state(store, thread) == before


def test_sessions_cannot_write(opened: Any) -> None:
    store, thread = opened
    before = _state(store, thread)
    table = store.metadata.tables
    (name,) = [n for n in table if n.endswith("chat_threads")]
    with store.session_factory() as session, pytest.raises(sa.exc.DBAPIError, match="read"):
        session.execute(sa.update(table[name]).values(title="x"))
    assert _state(store, thread) == before


def test_every_method_is_told_of(tmp_path: Path) -> None:
    store, thread = filled(tmp_path / "a.db")
    known = {*reading_calls(store, thread), *writing_calls(store, thread)}
    methods = {
        name
        for name, value in inspect.getmembers(type(store))
        if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, property))
    }
    told = {name.partition(" ")[0] for name in known} | HERE
    assert methods - told - ELSEWHERE - READ_IN_OTHER_TESTS == set()


def test_the_file_stays_as_it_is(tmp_path: Path) -> None:
    store, thread = _sqlite(tmp_path)
    before = files_in(tmp_path)
    for call in reading_calls(store, thread).values():
        call()
    for call in writing_calls(store, thread).values():
        with pytest.raises(Exception, match="read"):
            call()
    assert files_in(tmp_path) == before


def test_an_engine_is_left_as_it_was(tmp_path: Path) -> None:
    """What is set on its one connection for the store is taken back."""
    engine = sa.create_engine(
        "sqlite://", poolclass=sa.pool.StaticPool, connect_args={"check_same_thread": False}
    )
    made, thread = filled(engine)
    store = ev.SQLAlchemyEntityStorage(engine, read_only=True)
    assert store.get(thread.ecs_id).title == "second"
    model = store.sql_model(ev.ChatThread)
    with store.session_factory() as session:
        assert session.scalars(sa.select(model)).one().title == "second"
    thread.title = "third"
    assert made.register(thread).version == 3
    engine.dispose()


@pytest.mark.parametrize("by", ["option", "url"])
def test_a_missing_file(tmp_path: Path, by: str) -> None:
    path = tmp_path / "a.db"
    options: dict[str, Any] = {"read_only": True} if by == "option" else {}
    target = path if options else f"sqlite:///file:{path}?mode=ro&uri=true"
    with pytest.raises(errors.StorageOpenError, match=r"a\.db' is not there"):
        ev.SQLAlchemyEntityStorage(target, **options)
    assert not list(tmp_path.iterdir())


def test_nothing_to_read_in_memory() -> None:
    with pytest.raises(errors.StorageOpenError, match="nothing to read"):
        ev.SQLAlchemyEntityStorage(":memory:", read_only=True)


def test_a_file_that_is_no_store_yet(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.touch()
    store = ev.SQLAlchemyEntityStorage(path, read_only=True)
    assert store.list_by_type(ev.ChatThread) == []
    with pytest.raises(errors.StorageReadOnlyError):
        store.register(ev.ChatThread(title="a"))
    assert path.read_bytes() == b""


def test_a_pickle_keeps_it(tmp_path: Path) -> None:
    store, thread = _sqlite(tmp_path)
    again = pickle.loads(pickle.dumps(store))
    assert again.get(thread.ecs_id).title == "second"
    with pytest.raises(errors.StorageReadOnlyError):
        again.register(thread)


def test_what_others_save_is_seen(tmp_path: Path) -> None:
    store, thread = _sqlite(tmp_path)
    thread.title = "third"
    ev.SQLAlchemyEntityStorage(tmp_path / "a.db").register(thread)
    assert store.get(thread.ecs_id).title == "third"


@pytest.mark.parametrize(
    "text", ["sqlite:///{}?mode=ro", "sqlite:///{}?immutable=1", "sqlite:///file:{}?mode=ro"]
)
def test_options_that_nobody_would_see(tmp_path: Path, text: str) -> None:
    """Without uri=true they are passed over, and the store would save."""
    path = tmp_path / "a.db"
    thread = filled(path)[1]
    with pytest.raises(errors.StorageUrlError, match="read_only=True") as caught:
        ev.SQLAlchemyEntityStorage(text.format(path))
    told = str(caught.value).partition("Give it as ")[2].partition(";")[0]
    store = ev.SQLAlchemyEntityStorage(told)
    assert store.get(thread.ecs_id).title == "second"
    with pytest.raises(errors.StorageReadOnlyError):
        store.register(thread)


def test_a_name_for_sqlite_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.StorageUrlError, match=r"a\.db\?uri=true"):
        ev.SQLAlchemyEntityStorage("sqlite:///file:a.db")
    assert not list(tmp_path.iterdir())


def test_options_of_the_driver_are_taken(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(f"sqlite:///{tmp_path / 'a.db'}?timeout=3")
    assert store.register(ev.ChatThread(title="a")).version == 1
