"""Opening a database: what is not ours, not there or not writable is told, and left as it is."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import sqlalchemy as sa

import ecsviz as ev
from ecsviz import errors
from ecsviz.storage.sql.dialects import APPLICATION_ID
from tests.databases import counted, execute, fetched


def register_and_get(target: Any) -> None:
    """Try both; each must be refused alike."""
    thread = ev.ChatThread(title="a")
    with pytest.raises(errors.EcsvizError) as first:
        ev.SQLAlchemyEntityStorage(target).register(thread)
    assert thread.version == 0
    raise first.value


def foreign(path: Path) -> None:
    execute(path, "CREATE TABLE bookmarks (url TEXT)")


def noise(path: Path) -> None:
    path.write_bytes(b"\x89PNG\r\n" + bytes(range(256)) * 20)


def text(path: Path) -> None:
    path.write_text("not a database\n" * 100)


def cut(path: Path) -> None:
    ev.SQLAlchemyEntityStorage(path).register(ev.ChatThread(title="a"))
    path.write_bytes(path.read_bytes()[:5000])


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (noise, errors.NotADatabaseError),
        (text, errors.NotADatabaseError),
        (foreign, errors.NotAnEcsvizStoreError),
        (cut, errors.StorageError),
    ],
)
def test_a_file_that_is_no_store(tmp_path: Path, make: Any, kind: type[Exception]) -> None:
    path = tmp_path / "a.db"
    make(path)
    before = path.read_bytes()
    with pytest.raises(kind) as caught:
        register_and_get(path)
    assert "a.db" in str(caught.value)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.db"]


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(errors.StorageOpenError) as caught:
        register_and_get(tmp_path / "missing" / "a.db")
    assert "missing" in str(caught.value)
    assert isinstance(caught.value, OSError)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(errors.StorageOpenError):
        register_and_get(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_may_only_be_read(path: Path) -> None:
    thread = ev.SQLAlchemyEntityStorage(path).register(ev.ChatThread(title="a"))
    before = path.read_bytes()
    engine = sa.create_engine(f"sqlite:///file:{path}?mode=ro&uri=true")
    store = ev.SQLAlchemyEntityStorage(engine)
    assert store.get(thread.ecs_id).title == "a", "reading goes on"
    with pytest.raises(errors.StorageReadOnlyError):
        store.register(ev.ChatThread(title="b"))
    engine.dispose()
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "target",
    [
        *("nonsense://", "sqlite+nonsense:///a.db", "://"),
        *("nosuchdb://me:secret@host/name", "postgresql://me:secret@host:port/name"),
    ],
)
def test_an_url_that_is_none(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.EcsvizError) as caught:
        ev.SQLAlchemyEntityStorage(target).register(ev.ChatThread(title="a"))
    assert "secret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_no_error_shows_the_password() -> None:
    pytest.importorskip("psycopg")
    url = "postgresql+psycopg://user:s3cr3t@127.0.0.1:1/db?connect_timeout=2"
    with pytest.raises(errors.StorageOpenError) as caught:
        ev.SQLAlchemyEntityStorage(url).register(ev.ChatThread(title="a"))
    shown: BaseException | None = caught.value
    assert "s3cr3t" not in str(shown)
    assert "s3cr3t" not in repr(shown)
    assert "s3cr3t" not in repr(ev.SQLAlchemyEntityStorage.__init__)


@pytest.mark.parametrize(("journal", "mode"), [("delete", "delete"), ("wal", "wal")])
def test_the_settings_of_every_transaction(tmp_path: Path, journal: Any, mode: str) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db", journal=journal, timeout=3)
    store.register(ev.ChatThread(title="a"))
    for hold in (store.inside.database.reading, store.inside.database.writing):
        with hold() as conn:
            pragmas = {
                name: conn.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            }
        assert pragmas == {
            "journal_mode": mode,
            "synchronous": 3,  # EXTRA, which with a write-ahead log is FULL
            "foreign_keys": 1,
            "busy_timeout": 3000,
        }


def test_a_store_is_marked_as_ours(tmp_path: Path) -> None:
    ev.SQLAlchemyEntityStorage(tmp_path / "a.db").register(ev.ChatThread(title="a"))
    path = tmp_path / "a.db"
    assert fetched(path, "PRAGMA application_id") == [(APPLICATION_ID,)]
    assert fetched(path, "PRAGMA user_version") == [(2,)]


def test_another_writer(path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(path, timeout=0.05)
    thread = store.register(ev.ChatThread(title="a"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    thread.title = "b"
    with pytest.raises(errors.StorageBusyError) as caught:
        store.register(thread)
    assert isinstance(caught.value, TimeoutError)
    assert thread.version == 1
    other.execute("ROLLBACK")
    other.close()
    assert store.register(thread).version == 2, "and then it goes"


def test_a_write_begins_with_its_lock(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    store.register(ev.ChatThread(title="a"))
    with counted() as said:
        store.register(ev.ChatThread(title="b"))
    begins = [statement for statement in said if statement.startswith("BEGIN")]
    assert begins == ["BEGIN IMMEDIATE"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_process_opens_its_own_connections(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    thread = store.register(ev.ChatThread(title="a"))
    child = os.fork()
    if child == 0:
        try:
            thread.title = "from the child"
            store.register(thread)
            os._exit(0)
        except BaseException:  # noqa: BLE001 - a child must not return into pytest
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.get(thread.ecs_id).title == "from the child"


@pytest.mark.parametrize("given", ["WAL", "Wal", "wal", "DELETE"])
def test_the_journal_in_capitals(path: Path, given: Any) -> None:
    ev.SQLAlchemyEntityStorage(path, journal=given).register(ev.ChatThread())
    assert fetched(path, "PRAGMA journal_mode") == [(given.lower(),)]


@pytest.mark.parametrize("given", ["off", "memory", "", None, 1, "wal "])
def test_no_other_journal(given: Any) -> None:
    with pytest.raises(errors.InvalidArgumentError, match="'delete' and 'wal'"):
        ev.SQLAlchemyEntityStorage(":memory:", journal=given)


@pytest.mark.parametrize("given", ["5", None, -1, float("nan"), float("inf"), True, 10**9])
def test_a_timeout_that_is_none(given: Any) -> None:
    with pytest.raises(errors.InvalidArgumentError, match="seconds to wait"):
        ev.SQLAlchemyEntityStorage(":memory:", timeout=given)


JOURNALS = ("delete", "wal")


def uses(path: Path, thread: ev.ChatThread, opened: Any) -> Iterator[Callable[[], Any]]:
    yield lambda: opened.register(thread)
    yield lambda: ev.SQLAlchemyEntityStorage(path).register(thread)
    yield lambda: ev.SQLAlchemyEntityStorage(path.with_name("b.db")).register(ev.ChatThread())


@pytest.mark.skipif(os.name == "nt", reason="permissions are others there")
@pytest.mark.parametrize("journal", JOURNALS)
def test_a_folder_that_may_only_be_read(journal: Any, unprivileged: Path) -> None:
    path = unprivileged / "a.db"
    opened = ev.SQLAlchemyEntityStorage(path, journal=journal)
    thread = opened.register(ev.ChatThread(title="a"))
    thread.title = "b"
    path.chmod(0o400)
    unprivileged.chmod(0o500)
    for use in uses(path, thread, opened):
        with pytest.raises(errors.StorageReadOnlyError, match="may only be read"):
            use()
    if journal == "delete":
        assert opened.get(thread.ecs_id).title == "a"
    else:
        with pytest.raises(errors.StorageReadOnlyError, match=r"WAL mode.*ev\.read_database"):
            opened.get(thread.ecs_id)
    assert len(ev.read_database(path).frame("chat_threads")) == 1
    unprivileged.chmod(0o700)
    path.chmod(0o600)
    assert opened.register(thread).version == 2


@pytest.mark.parametrize("code", ["SQLITE_IOERR_SHMSIZE", "SQLITE_CANTOPEN", "SQLITE_IOERR_WRITE"])
@pytest.mark.parametrize("journal", JOURNALS)
def test_a_full_disk(journal: Any, code: str, path: Path, monkeypatch: Any) -> None:
    """SQLite has a word for it where it writes pages, none where it makes files."""
    store = ev.SQLAlchemyEntityStorage(path, journal=journal)
    thread = store.register(ev.ChatThread(title="a"))
    failed = sqlite3.OperationalError("disk I/O error")
    failed.sqlite_errorname = code
    monkeypatch.setattr(
        "ecsviz.storage.sql.engine.OpenDatabase._prepare", mock.Mock(side_effect=failed)
    )
    free = mock.Mock(return_value=mock.Mock(free=4096))
    with monkeypatch.context() as patched:
        patched.setattr("shutil.disk_usage", free)
        with pytest.raises(errors.StorageFullError, match="free some space") as caught:
            store.get(thread.ecs_id)
    assert ("WAL mode" in str(caught.value)) == (journal == "wal")
    assert (caught.value.code, caught.value.path) == (code, path)
    with pytest.raises((errors.StorageIOError, errors.StorageOpenError)):
        store.get(thread.ecs_id)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"models": 3}, "models is 3. Give a dictionary"),
        ({"models": [ev.ChatThread]}, "Give a dictionary"),
        ({"models": {3: int}}, "models names 3, which is not an entity class"),
        ({"models": {"ChatThread": int}}, "models names 'ChatThread'"),
        ({"schema": 3}, "schema is 3. Give the name"),
    ],
)
def test_options_of_a_store_are_checked(options: dict[str, Any], said: str) -> None:
    with pytest.raises(errors.EcsvizError, match=re.escape(said)):
        ev.SQLAlchemyEntityStorage(":memory:", **options)


@pytest.mark.parametrize("hops", [-1, 1.5, "x", True])
def test_hops_of_a_stored_graph_are_checked(hops: Any) -> None:
    store = ev.SQLAlchemyEntityStorage(":memory:")
    thread = store.register(ev.ChatThread(title="a"))
    for root in (thread, None):
        with pytest.raises(errors.InvalidArgumentError, match="hops is"):
            store.graph(root, hops=hops)
