"""A backup is the whole store as it was at one moment, or nothing."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

import ecsviz as ev
from ecsviz import cli, errors
from ecsviz.basics.files import FileNotWrittenError


def filled(path: Path) -> tuple[ev.SQLAlchemyEntityStorage, ev.ChatThread]:
    store = ev.SQLAlchemyEntityStorage(path)
    thread = store.register(ev.sample("thread"))
    assert isinstance(thread, ev.ChatThread)
    thread.title = "later"
    store.register(thread, note="renamed")
    return store, thread


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_it_is_the_store_with_its_past(path: Path, tmp_path: Path) -> None:
    store, thread = filled(path)
    made = store.backup(tmp_path / "copy.db")
    assert made == tmp_path / "copy.db"
    with ev.SQLAlchemyEntityStorage(made, read_only=True) as copy:
        assert len(copy.verify(thread)) == 0
        assert copy.revisions().equals(store.revisions())
        assert copy.get(thread.ecs_id, as_of=1).title != "later"
    with ev.SQLAlchemyEntityStorage(path, read_only=True) as again:  # whoever may only read
        again.backup(tmp_path / "second.db")
    assert left_in(tmp_path) == {path.name, "copy.db", "second.db"}
    with ev.SQLAlchemyEntityStorage(made) as copy:  # and it goes on by itself
        thread.title = "in the copy"
        copy.register(thread)
        assert len(copy.revisions()) == 3
    assert len(store.revisions()) == 2


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_one_state_while_others_write(path: Path, tmp_path: Path, mode: str) -> None:
    store, thread = filled(path)
    with contextlib.closing(sqlite3.connect(path)) as conn:
        conn.execute(f"PRAGMA journal_mode={mode}")
    stop = threading.Event()

    def edit() -> None:
        with ev.SQLAlchemyEntityStorage(path) as other:
            mine = other.get(thread.ecs_id)
            while not stop.is_set():  # title and first message change together
                mine.title += "x"
                mine.messages[0].content = mine.title
                other.register(mine)

    writer = threading.Thread(target=edit)
    writer.start()
    try:
        made = [store.backup(tmp_path / f"copy{number}.db") for number in range(8)]
    finally:
        stop.set()
        writer.join()
    for each in made:
        with ev.SQLAlchemyEntityStorage(each) as copy:
            assert len(copy.verify()) == 0
            found = copy.get(thread.ecs_id)
            assert found.title == "later" or found.messages[0].content == found.title


def test_what_cannot_be_says_so_and_leaves_nothing(path: Path, tmp_path: Path) -> None:
    store, _ = filled(path)
    there = tmp_path / "there.db"
    there.write_bytes(b"of somebody else")
    with pytest.raises(errors.InvalidArgumentError, match="a backup replaces nothing"):
        store.backup(there)
    assert there.read_bytes() == b"of somebody else"
    with pytest.raises(FileNotWrittenError, match="does not exist"):
        store.backup(tmp_path / "no folder" / "copy.db")
    with pytest.raises(errors.EcsvizError, match="path"):
        store.backup(3)  # type: ignore[arg-type]
    with store.transaction(), pytest.raises(errors.TransactionError, match="backup"):
        store.backup(tmp_path / "copy.db")
    with pytest.raises(errors.StorageError, match="nothing was registered"):
        ev.SQLAlchemyEntityStorage(tmp_path / "new.db").backup(tmp_path / "copy.db")
    store.close()
    with pytest.raises(errors.StorageClosedError):
        store.backup(tmp_path / "copy.db")
    assert left_in(tmp_path) == {path.name, "there.db"}


def test_a_file_that_may_not_grow_leaves_nothing(path: Path, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="POSIX has limits of a process")
    store, thread = filled(path)
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, usual[1]))
    try:
        with pytest.raises((errors.StorageFullError, errors.StorageIOError)):
            store.backup(tmp_path / "copy.db")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert left_in(tmp_path) == {path.name}
    assert len(store.verify(thread)) == 0


@pytest.mark.postgres
def test_a_server_has_a_program_of_its_own(postgres_url: str, tmp_path: Path) -> None:
    with (
        ev.SQLAlchemyEntityStorage(postgres_url) as store,
        pytest.raises(errors.StorageError, match="pg_dump") as caught,
    ):
        store.backup(tmp_path / "copy.db")
    assert "://" not in str(caught.value)
    assert left_in(tmp_path) == set()


def test_on_the_command_line(path: Path, tmp_path: Path) -> None:
    store, thread = filled(path)
    store.close()
    made = tmp_path / "copy.db"
    done = CliRunner().invoke(cli.cli, ["backup", str(path), str(made)])
    assert (done.exit_code, done.output.strip()) == (0, str(made))
    with ev.SQLAlchemyEntityStorage(made) as copy:
        assert copy.get(thread.ecs_id).title == "later"
