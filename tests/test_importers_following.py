"""Files and folders with chats that go on: only what has changed is read."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

import ecsviz as ev
from ecsviz.errors import EcsvizError, ImportFormatError, InvalidArgumentError
from ecsviz.importers import ImportSourceError, iterate_chats, read_chat
from ecsviz.importers.following import ImportedFile, follow, import_changed


def write(path: Path, *texts: str, ident: str | None = None) -> Path:
    said = [{"role": "user", "content": text} for text in texts]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"id": ident or path.stem, "messages": said}))
    return path


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "memory":
        yield ev.InMemoryEntityStorage()
        return
    with ev.SQLAlchemyEntityStorage("sqlite://") as made:
        yield made


def stored(store: Any) -> dict[str, list[str]]:
    threads = store.find(ev.ChatThread)
    return {thread.source_id: [m.content for m in thread.messages] for thread in threads}


def count(found: Any) -> int:
    assert found is not None
    return int(found.stored.threads)


def problems(found: Any) -> list[Any]:
    assert found is not None
    return list(found.problems)


def test_only_what_has_changed_is_read(store: Any, tmp_path: Path) -> None:
    for name in "abc":
        write(tmp_path / name / f"{name}.json", f"Hi {name}")
    (tmp_path / "settings.json").write_text('{"theme": "dark"}')
    assert count(import_changed(store, tmp_path)) == 3
    assert len(store.revisions()) == 1
    assert {Path(file.path).name for file in store.find(ImportedFile)} == {
        *("a.json", "b.json", "c.json", "settings.json")
    }
    assert import_changed(store, tmp_path) is None
    assert len(store.revisions()) == 1
    write(tmp_path / "b/b.json", "Hi b", "And more")
    write(tmp_path / "d.json", "Hi d")
    assert count(import_changed(store, tmp_path, note="later")) == 2
    assert store.revisions()["note"].tolist()[-1] == "later"
    assert stored(store) == {
        "a": ["Hi a"],
        "b": ["Hi b", "And more"],
        "c": ["Hi c"],
        "d": ["Hi d"],
    }
    (tmp_path / "settings.json").write_text('{"theme": "light"}')
    assert count(import_changed(store, tmp_path)) == 0
    assert import_changed(store, tmp_path) is None
    assert count(import_changed(store, tmp_path, everything=True)) == 4
    assert len(stored(store)) == 4


def test_the_same_time_and_another_size_or_the_reverse_is_a_change(
    store: Any, tmp_path: Path
) -> None:
    file = write(tmp_path / "a.json", "Hi")
    import_changed(store, file)
    before = file.stat()
    write(file, "Hi, longer")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert count(import_changed(store, [file])) == 1
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert count(import_changed(store, [str(file)])) == 1
    assert import_changed(store, file) is None


def test_a_folder_that_is_one_export_is_read_as_a_whole(store: Any, tmp_path: Path) -> None:
    def day(name: str, ts: str, text: str) -> None:
        file = tmp_path / "export/general" / f"{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps([{"type": "message", "ts": ts, "text": text, "user": "U1"}]))

    (tmp_path / "export").mkdir()
    users = [{"id": "U1", "name": "ann"}]
    (tmp_path / "export/users.json").write_text(json.dumps(users))
    day("2023-11-14", "1700000000.000100", "Hi")
    import_changed(store, tmp_path / "export")
    day("2023-11-15", "1700086400.000100", "Hi again")
    import_changed(store, tmp_path / "export")
    (thread,) = store.find(ev.ChatThread)
    assert [(m.author, m.content) for m in thread.messages] == [("ann", "Hi"), ("ann", "Hi again")]


def test_what_cannot_be_read_is_told_once_and_read_when_it_is_whole(
    store: Any, tmp_path: Path
) -> None:
    write(tmp_path / "a.json", "Hi")
    cut = tmp_path / "b.json"
    cut.write_text('{"id": "b", "messages": [{"role": "user", "content": "Hi"')
    with pytest.warns(ev.importers.ChatImportWarning):
        assert problems(import_changed(store, tmp_path))
    assert import_changed(store, tmp_path) is None
    write(cut, "Hi")
    assert problems(import_changed(store, tmp_path)) == []
    assert stored(store) == {"a": ["Hi"], "b": ["Hi"]}


def test_the_journal_of_a_database_counts(store: Any, tmp_path: Path) -> None:
    file = tmp_path / "chats.db"
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=wal")
        db.execute("CREATE TABLE message_store(id INTEGER PRIMARY KEY, session_id, message)")
        row = json.dumps({"type": "human", "data": {"content": "Hi"}})
        db.execute("INSERT INTO message_store VALUES (1, 's', ?)", [row])
        assert count(import_changed(store, file)) == 1
        assert import_changed(store, file) is None
        db.execute("INSERT INTO message_store VALUES (2, 's', ?)", [row])
        assert count(import_changed(store, file)) == 1
        assert stored(store) == {"s": ["Hi", "Hi"]}


def test_nothing_is_remembered_of_what_was_not_stored(store: Any, tmp_path: Path) -> None:
    write(tmp_path / "a.json", "Hi")

    def half() -> None:
        with store.transaction():
            import_changed(store, tmp_path)
            raise KeyError

    with pytest.raises(KeyError):
        half()
    assert (len(store.find(ImportedFile)), len(store.find(ev.ChatThread))) == (0, 0)
    assert count(import_changed(store, tmp_path)) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_no_text(store: Any, tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.json"))
    write(odd, "Hi", ident="odd")
    assert count(import_changed(store, tmp_path)) == 1
    assert import_changed(store, tmp_path) is None


def test_what_is_no_file_or_no_chat(store: Any, tmp_path: Path) -> None:
    with pytest.raises(ImportSourceError, match="Cannot read"):
        import_changed(store, tmp_path / "missing.json")
    with pytest.raises(InvalidArgumentError, match="path"):
        import_changed(store, 3)  # type: ignore[arg-type]  # on purpose
    (tmp_path / "settings.json").write_text('{"theme": "dark"}')
    with pytest.raises(ImportFormatError):
        import_changed(store, tmp_path)
    with pytest.raises(EcsvizError, match="every"):
        next(follow(store, tmp_path, every=0))
    with pytest.raises(EcsvizError, match="skip"):
        read_chat(tmp_path, skip="a.json")
    assert store.find(ImportedFile) == []


def test_a_store_is_kept_in_step(store: Any, tmp_path: Path) -> None:
    file = write(tmp_path / "a.json", "Hi")
    stop = Event()
    seen: list[int] = []

    def keep() -> None:
        for found in follow(store, tmp_path, every=0.01, stop=stop):
            seen.append(found.stored.added)
            if len(seen) == 1:
                write(file, "Hi", "And on")
            else:
                stop.set()

    thread = Thread(target=keep)
    thread.start()
    thread.join(60)
    stop.set()
    assert not thread.is_alive()
    assert seen == [2, 1]
    assert stored(store) == {"a": ["Hi", "And on"]}


def test_skipped_files(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a.json", "Hi"), write(tmp_path / "b.json", "Ho")
    assert [thread.source_id for thread in read_chat(tmp_path, skip=[first])] == ["b"]
    assert read_chat(tmp_path, skip=[first, str(second)]) == []
    assert read_chat([first, second], skip=[first])[0].source_id == "b"
    assert [thread.source_id for thread in iterate_chats(tmp_path, skip=[second])] == ["a"]
