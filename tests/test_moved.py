"""A store whose file is gone, emptied or replaced: told by every method, and nothing is made."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import ecsviz as ev
from ecsviz import errors
from tests.databases import execute, fetched
from tests.store_calls import files_in, filled, reading_calls, writing_calls


def deleted(path: Path) -> None:
    for name in path.parent.glob("a.db*"):
        name.unlink()


def moved(path: Path) -> None:
    path.rename(path.with_name("b.db"))


def without_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


def emptied(path: Path) -> None:
    deleted_beside(path)
    path.open("wb").close()


def overwritten(path: Path) -> None:
    """Copy another store over it, as ``cp`` does: the file stays the same one."""
    deleted_beside(path)
    other, thread = filled(path.with_name("other.db"))
    thread.title = "another's"
    other.register(thread)
    shutil.copyfile(path.with_name("other.db"), path)
    path.with_name("other.db").unlink()


def replaced(path: Path) -> None:
    """Put another store in its place, as ``mv`` does."""
    deleted_beside(path)
    filled(path.with_name("other.db"))
    path.with_name("other.db").replace(path)


def folder_in_its_place(path: Path) -> None:
    """The system may give it the number that the file had."""
    deleted_beside(path)
    path.unlink()
    path.mkdir()


def database_of_others(path: Path) -> None:
    emptied(path)
    execute(path, "CREATE TABLE bookmarks (url TEXT)")


def deleted_beside(path: Path) -> None:
    for name in path.parent.glob("a.db-*"):
        name.unlink()


WAYS = [
    *(deleted, moved, without_folder, folder_in_its_place),
    *(emptied, overwritten, replaced, database_of_others),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "a.db"


def refused(calls: dict[str, Callable[[], Any]]) -> list[str]:
    """Return what did anything but raise StorageMovedError."""
    wrong = []
    for name, call in calls.items():
        try:
            call()
        except errors.StorageMovedError:
            continue
        except Exception as err:  # noqa: BLE001 - whatever it is, it is the wrong one
            wrong.append(f"{name}: {type(err).__name__}: {err}")
        else:
            wrong.append(f"{name}: returned")
    return wrong


@pytest.fixture(scope="module")
def _imported() -> None:
    store, thread = filled(":memory:")
    for call in reading_calls(store, thread).values():
        call()


@pytest.mark.skipif(os.name == "nt", reason="permissions are others there")
@pytest.mark.usefixtures("_imported")  # before there are no permissions for that
@pytest.mark.parametrize("journal", ["delete", "wal"])
@pytest.mark.parametrize("closed", ["file", "folder"])
def test_what_may_not_be_read_any_more_is_not_gone(
    unprivileged: Path, closed: str, journal: Any
) -> None:
    path = unprivileged / "a.db"
    store, thread = filled(path, journal=journal)
    calls = {**reading_calls(store, thread), **writing_calls(store, thread)}
    taken = path if closed == "file" else unprivileged
    before = taken.stat().st_mode
    taken.chmod(0)
    wrong = []
    for name, call in calls.items():
        try:
            call()
        except errors.StorageOpenError as err:
            if type(err) is errors.StorageOpenError and "cannot be read: Permission" in str(err):
                continue
            wrong.append(f"{name}: {err!r}")
        except Exception as err:  # noqa: BLE001 - whatever it is, it is the wrong one
            wrong.append(f"{name}: {err!r}")
        else:
            wrong.append(f"{name}: returned")
    taken.chmod(before)
    assert wrong == []
    assert store.get(thread.ecs_id).title == "second", "and it is the same one"


def seen(folder: Path) -> dict[str, bytes]:
    if not folder.is_dir() or (folder / "a.db").is_dir():
        return {str(path): b"" for path in folder.rglob("*")}
    return files_in(folder)


@pytest.mark.parametrize("journal", ["delete", "wal"])
@pytest.mark.parametrize("way", WAYS)
def test_every_method_tells_and_nothing_is_made(
    path: Path, way: Callable[[Path], None], journal: Any
) -> None:
    store, thread = filled(path, journal=journal)
    reading, writing = reading_calls(store, thread), writing_calls(store, thread)
    way(path)
    before = seen(path.parent)
    versions = [thread.version, *(message.version for message in thread.messages)]
    assert refused({**reading, **writing}) == []
    assert [thread.version, *(message.version for message in thread.messages)] == versions
    assert seen(path.parent) == before


def test_a_folder_with_the_number_of_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, thread = filled(path)
    folder_in_its_place(path)
    now = path.stat()
    monkeypatch.setattr(store.inside.database.file, "_seen", (now.st_dev, now.st_ino))
    assert refused(reading_calls(store, thread)) == []


@pytest.mark.parametrize("way", [deleted, emptied, overwritten])
def test_a_notebook_shows_a_line(path: Path, way: Callable[[Path], None]) -> None:
    """A notebook swallows exceptions in what a cell shows, so that one is shown, not raised."""
    store, _ = filled(path)
    way(path)
    assert "Open the storage anew" in store._repr_html_() or "open this one anew" in (
        store._repr_html_()
    )


@pytest.mark.parametrize("way", WAYS)
def test_an_engine_of_the_users(path: Path, way: Callable[[Path], None]) -> None:
    """Its pool keeps a connection to the old file, which answers as if nothing had happened."""
    engine = sa.create_engine(f"sqlite:///{path}")
    store, thread = filled(engine)
    way(path)
    assert refused({**reading_calls(store, thread), **writing_calls(store, thread)}) == []
    engine.dispose()


def test_the_first_save_is_remembered(path: Path) -> None:
    """Between two saves of one store object, with nothing read in between."""
    store = ev.SQLAlchemyEntityStorage(path)
    thread = store.register(ev.ChatThread(title="a"))
    emptied(path)
    thread.title = "b"
    with pytest.raises(errors.StorageMovedError):
        store.register(thread)
    assert thread.version == 1
    assert path.read_bytes() == b""


def test_a_first_save_that_failed_leaves_no_identity(path: Path) -> None:
    """What was rolled back does not count as a store that was there."""
    store = ev.SQLAlchemyEntityStorage(path)
    model = store.sql_model(ev.ChatThread)
    with store.session_factory() as session:
        model.from_entity(ev.ChatThread(title="a"), session)
        session.rollback()
    thread = store.register(ev.ChatThread(title="b"))
    assert store.get(thread.ecs_id).title == "b"


def test_a_backup_put_back_in_place_is_the_same_store(path: Path, tmp_path: Path) -> None:
    store, thread = filled(path)
    shutil.copyfile(path, tmp_path / "backup.db")
    thread.title = "third"
    store.register(thread)
    shutil.copyfile(tmp_path / "backup.db", path)
    assert store.get(thread.ecs_id).title == "second"
    thread.title = "fourth"
    with pytest.raises(errors.StaleVersionError):
        store.register(thread)
    mine = store.get(thread.ecs_id)
    mine.title = "on from the backup"
    with pytest.raises(errors.StorageMovedError, match="backup"):
        store.register(mine)
    ev.SQLAlchemyEntityStorage(path).register(mine)
    copy = ev.SQLAlchemyEntityStorage(tmp_path / "backup.db")
    assert copy.get(thread.ecs_id).title == "second", "and a copy can be used by itself"


def back_in_place(path: Path) -> dict[str, Any]:
    """Put a backup back while a store is open; another writes the same numbers anew."""
    store, thread = filled(path)
    backup = path.read_bytes()
    thread.title = "third"
    store.register(thread)
    reader = ev.SQLAlchemyEntityStorage(path)
    read = reader.get(thread.ecs_id)
    path.write_bytes(backup)
    other = ev.SQLAlchemyEntityStorage(path)
    theirs = other.get(thread.ecs_id)
    theirs.title = "the other's"
    assert other.register(theirs).version == thread.version
    return {"saved": (store, thread), "read": (reader, read)}


@pytest.mark.parametrize("how", ["saved", "read"])
def test_a_backup_in_which_the_numbers_are_given_anew(path: Path, how: str) -> None:
    """The versions agree by chance, so what was unchanged would be written over the other's."""
    store, thread = back_in_place(path)[how]
    before = path.read_bytes()
    calls = {
        "register": lambda: store.register(thread),
        "adopt": store.adopt_changes,
        "prune": store.prune,
        "delete": lambda: store.delete([thread, *thread.messages]),
        "revert": lambda: store.revert(thread, to=1),
    }
    assert refused(calls) == []
    assert path.read_bytes() == before
    assert store.get(thread.ecs_id).title == "the other's", "it can be looked at"
    assert store.verify().empty
    assert refused(calls) == [], "having looked makes no difference"
    assert thread.version == 3
    assert ev.SQLAlchemyEntityStorage(path).register(store.get(thread.ecs_id)).version == 3


def test_going_forth_is_not_going_back(path: Path) -> None:
    """What others save, delete and prune; what is rolled back, and what never ends well."""
    store, thread = filled(path)
    other = ev.SQLAlchemyEntityStorage(path)
    for number in range(3):
        theirs = other.get(thread.ecs_id)
        theirs.title = f"theirs {number}"
        other.register(theirs)
    other.prune()
    assert store.refresh(thread) is thread
    thread.title = "mine"
    store.register(thread)
    with store.session_factory() as session:
        thread.title = "rolled back"
        store.sql_model(ev.ChatThread).from_entity(thread, session)
        session.flush()
        session.rollback()
    thread.title = "mine again"
    store.register(thread)
    alone = other.register(ev.ChatThread(title="alone"))
    other.delete(alone)
    other.prune()
    thread.title = "and again"
    store.register(thread)
    assert store.verify().empty


def test_a_session_of_a_store_in_memory_is_rolled_back() -> None:
    """Its connection is the store's, which sees what the session has not committed."""
    store, thread = filled(":memory:")
    with store.session_factory() as session:
        new = ev.ChatThread(title="rolled back")
        store.sql_model(ev.ChatThread).from_entity(new, session)
        session.flush()
        session.rollback()
    thread.title = "third"
    store.register(thread)
    assert store.get(thread.ecs_id).title == "third"


def identity(path: Path) -> str | None:
    found = fetched(path, "SELECT value FROM ecs_store WHERE key = 'store_id'")
    return found[0][0] if found else None


def forget_identity(path: Path, store: ev.SQLAlchemyEntityStorage) -> None:
    """Make a store as it was written before stores had an identity."""
    store.inside.catalog._identity.known = None
    with store.inside.database.writing() as conn:
        conn.exec_driver_sql("DELETE FROM ecs_store WHERE key = 'store_id'")
        store.inside.found(conn)
        store.inside.catalog._identity.known = None
        store.inside.catalog.seal(conn)


def test_an_older_store_gets_its_identity_with_the_next_write(path: Path) -> None:
    store, thread = filled(path)
    forget_identity(path, store)
    store = ev.SQLAlchemyEntityStorage(path)
    assert store.get(thread.ecs_id).title == "second"
    assert store.verify().empty
    assert identity(path) is None, "reading writes nothing"
    other = ev.SQLAlchemyEntityStorage(path)
    thread.title = "third"
    store.register(thread)
    given = identity(path)
    assert given
    assert store.verify().empty
    assert other.get(thread.ecs_id).title == "third", "who opened it before goes on"
    thread.title = "fourth"
    store.register(thread)
    assert identity(path) == given
    overwritten(path)
    assert refused({"get": lambda: store.get(thread.ecs_id), "other": other.revisions}) == []


def test_stores_differ_in_their_identity(tmp_path: Path) -> None:
    for name in ("a.db", "b.db"):
        filled(tmp_path / name)
    assert identity(tmp_path / "a.db") != identity(tmp_path / "b.db")


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_gone_while_it_is_saved(path: Path, journal: Any) -> None:
    """With a write-ahead log, SQLite would save into a file without a name."""
    store, thread = filled(path, journal=journal)

    @sa.event.listens_for(store.engine, "before_cursor_execute")
    def unlink(*given: Any) -> None:
        if given[2].startswith("INSERT INTO ecs_revisions"):
            path.unlink()

    thread.title = "third"
    with pytest.raises(errors.EcsvizError):
        store.register(thread)
    assert thread.version == 2
    assert not path.exists()


def test_the_name_of_a_file_may_be_any(tmp_path: Path) -> None:
    """Also what has a meaning in a URI, as which the file is opened once it is known."""
    path = tmp_path / "50% of a?b #1 & ü.db"
    store, thread = filled(path)
    assert store.get(thread.ecs_id).title == "second"
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_a_schema_dropped_and_made_anew(postgres_url: str) -> None:
    engine = sa.create_engine(postgres_url)

    def sql(*statements: str) -> None:
        with engine.begin() as conn:
            for statement in statements:
                conn.exec_driver_sql(statement)

    sql("CREATE SCHEMA moved")
    store, thread = filled(postgres_url, schema="moved")
    calls = {**reading_calls(store, thread), **writing_calls(store, thread)}
    sql("DROP SCHEMA moved CASCADE", "CREATE SCHEMA moved")
    assert refused(calls) == []
    other, _ = filled(postgres_url, schema="moved")
    before = other.revisions()
    assert refused(calls) == []
    assert other.revisions().equals(before)
    store.engine.dispose()
    other.engine.dispose()
    engine.dispose()
