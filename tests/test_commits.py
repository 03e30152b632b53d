"""The end of a save fails: what is told is what is so, and versions in memory agree with it."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

import ecsviz as ev
from ecsviz import errors, read_database
from ecsviz.importers import read_chat
from tests.store_calls import filled

FAILURES = ["SQLITE_IOERR_UNLOCK", "SQLITE_IOERR_FSYNC", "SQLITE_FULL", "SQLITE_BUSY"]


class Failing(sqlite3.Connection):
    """A connection of which the next COMMIT fails, in one of three ways."""

    how: str | None = None
    code = ""

    def commit(self) -> None:
        how, Failing.how = Failing.how, None
        if how is None or not self.in_transaction:
            super().commit()
            return
        if how == "done":
            super().commit()
        elif how == "rolled back":
            super().rollback()
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorname = Failing.code
        raise error


def failing_store(path: Path) -> ev.SQLAlchemyEntityStorage:
    engine = sa.create_engine(
        f"sqlite:///{path}", poolclass=NullPool, connect_args={"factory": Failing}
    )
    return ev.SQLAlchemyEntityStorage(engine)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("code", FAILURES)
@pytest.mark.parametrize("how", ["done", "rolled back", "open yet"])
def test_what_is_told_is_so(path: Path, how: str, code: str, first: bool) -> None:
    store = failing_store(path)
    thread = ev.ChatThread(title="a")
    if not first:
        store.register(thread)
        thread.title = "b"
    before, revisions = thread.version, len(store.revisions())
    Failing.how, Failing.code = how, code
    with pytest.raises(errors.StorageError) as caught:
        store.register(thread)
    saved = how == "done"
    assert caught.value.saved is saved
    assert ("Nothing was saved" in str(caught.value)) is not saved
    assert ("is saved" in str(caught.value)) is saved
    anew = ev.SQLAlchemyEntityStorage(path)
    assert len(anew.revisions()) == revisions + saved
    assert thread.version == before + saved
    assert len(anew.verify()) == 0
    store.register(thread)
    assert len(store.revisions()) == revisions + 1, "again: nothing to do, or what was not done"
    assert thread.version == before + 1


def test_nobody_knows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What happened cannot be looked up, since the disk fails for good."""
    store = failing_store(path)
    thread = store.register(ev.ChatThread(title="a"))
    thread.title = "b"
    Failing.how, Failing.code = "rolled back", "SQLITE_IOERR_FSYNC"

    def fail(*_: Any) -> None:
        if Failing.how is None:
            raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(store.inside.database, "_prepare", fail)
    Failing.how = "rolled back"
    with pytest.raises(errors.StorageError) as caught:
        store.register(thread)
    assert caught.value.saved is None
    assert "not known" in str(caught.value)
    assert thread.version == 1


@pytest.mark.parametrize("call", ["delete", "prune"])
@pytest.mark.parametrize("how", ["done", "rolled back"])
def test_every_write_says_so(path: Path, call: str, how: str) -> None:
    store = failing_store(path)
    thread = store.register(ev.ChatThread(title="a"))
    thread.title = "b"
    store.register(thread)
    Failing.how, Failing.code = how, "SQLITE_IOERR_UNLOCK"
    with pytest.raises(errors.StorageError) as caught:
        store.delete(thread) if call == "delete" else store.prune()
    assert caught.value.saved is (how == "done")


def test_what_is_in_memory_after_a_revert(tmp_path: Path) -> None:
    """The graph that it would have returned is lost; what the caller holds is as it was."""
    store = failing_store(tmp_path / "a.db")
    thread = store.register(ev.ChatThread(title="a"))
    thread.title = "b"
    store.register(thread)
    Failing.how, Failing.code = "done", "SQLITE_IOERR_UNLOCK"
    with pytest.raises(errors.StorageError, match=r"given to register .*refresh") as caught:
        store.revert(thread, to=1)
    assert caught.value.saved is True
    assert (thread.title, thread.version) == ("b", 2)
    store.refresh(thread)
    assert (thread.title, thread.version) == ("a", 3), "as the message says"
    thread.title = "c"
    assert store.register(thread).version == 4


@pytest.mark.parametrize("how", ["done", "rolled back"])
def test_where_nothing_is_written(tmp_path: Path, how: str) -> None:
    store = failing_store(tmp_path / "a.db")
    thread = store.register(ev.ChatThread(title="a"))
    calls: list[Any] = [store.migrate, lambda: store.register(thread)]
    for call in calls:
        Failing.how, Failing.code = how, "SQLITE_IOERR_UNLOCK"
        with pytest.raises(errors.StorageError, match="Nothing was saved") as caught:
            call()
        assert caught.value.saved is False
    assert (thread.version, len(store.revisions()), len(store.verify())) == (1, 1, 0)


@pytest.mark.parametrize("how", ["done", "rolled back"])
def test_a_migration_says_so(tmp_path: Path, how: str) -> None:
    class Dish(ev.Entity):
        minutes: int

    store = failing_store(tmp_path / "a.db")
    dish = store.register(Dish(minutes=30))

    class Dish(ev.Entity):  # type: ignore[no-redef]  # as in a notebook
        hours: int

    Failing.how, Failing.code = how, "SQLITE_IOERR_UNLOCK"
    with pytest.raises(errors.StorageError) as caught:
        store.migrate(rename={"Dish.minutes": "hours"})
    assert caught.value.saved is (how == "done")
    if how == "rolled back":
        store.migrate(rename={"Dish.minutes": "hours"})
    assert store.get(dish.ecs_id).hours == 30


@pytest.mark.parametrize("how", ["before", "after"])
def test_the_server_is_gone(postgres_url: str, how: str) -> None:
    engine = sa.create_engine(postgres_url)
    with engine.begin() as conn:
        conn.exec_driver_sql(f"CREATE SCHEMA commits_{how}")
    store = ev.SQLAlchemyEntityStorage(postgres_url, schema=f"commits_{how}")
    thread = store.register(ev.ChatThread(title="a"))
    thread.title = "b"
    ended: list[int] = []

    @sa.event.listens_for(store.engine, "commit")
    def end(conn: Any) -> None:
        if ended:
            return
        driver = conn.connection.dbapi_connection
        ended.append(driver.info.backend_pid)
        if how == "after":
            driver.commit()
        with engine.begin() as other:
            other.exec_driver_sql(f"SELECT pg_terminate_backend({ended[0]}, 5000)")
        if how == "after":
            driver.close()

    with pytest.raises(errors.StorageError) as caught:
        store.register(thread)
    saved = how == "after"
    assert caught.value.saved is saved, str(caught.value)
    assert thread.version == 1 + saved
    assert len(store.revisions()) == 1 + saved
    store.engine.dispose()
    engine.dispose()


def cut_off(path: Path) -> None:
    """Make what a power cut in the first save leaves: page 1 is zeros, its journal is there.

    The journal is on the disk before any page is written; of the pages, the first may be late.
    """
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA cache_size=5")
        conn.execute("BEGIN IMMEDIATE")
        conn.execute("CREATE TABLE ecs_store (key TEXT)")
        conn.executemany("INSERT INTO ecs_store VALUES (?)", [("x" * 3000,)] * 50)
        journal = Path(f"{path}-journal").read_bytes()
        pages = path.read_bytes()
        conn.execute("ROLLBACK")
    # No page to put back: of an empty file, SQLite notes in the header alone that it was empty.
    magic = bytes.fromhex("d9d505f920a163d7")
    header = magic + bytes(12) + (512).to_bytes(4, "big") + (4096).to_bytes(4, "big")
    path.write_bytes(bytes(4096) + pages[4096:])
    Path(f"{path}-journal").write_bytes(
        journal if journal[:8] == magic else header.ljust(512, b"\0")
    )


def test_a_power_cut_in_the_first_save(path: Path) -> None:
    cut_off(path)
    assert path.read_bytes()[:16] == bytes(16)
    assert ev.SQLAlchemyEntityStorage(path).revisions().empty
    store, thread = filled(path)
    assert store.get(thread.ecs_id).title == "second"


def test_others_let_sqlite_look_as_well(path: Path) -> None:
    cut_off(path)
    before = path.read_bytes()
    with read_database(path) as db:
        assert not db.graph().nodes
    with pytest.raises(errors.EcsvizError) as caught:
        read_chat(path)
    assert "database" in str(caught.value), "it is known for one, with no chat in it"
    assert path.read_bytes() == before, "they look at a copy"


def test_zeros_without_a_journal_are_no_database(path: Path) -> None:
    for beside in (None, b"", b"a text beside it"):
        path.write_bytes(bytes(4096))
        if beside is not None:
            Path(f"{path}-journal").write_bytes(beside)
        with pytest.raises(errors.NotADatabaseError):
            ev.SQLAlchemyEntityStorage(path)
        with pytest.raises(errors.EcsvizError):
            read_database(path)
