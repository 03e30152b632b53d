"""A database keeps its locks whatever else this process does with the file."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import ecsviz as ev
from ecsviz import errors
from ecsviz.basics import file_locks
from ecsviz.cli import cli

pytestmark = pytest.mark.skipif(os.name == "nt", reason="locks belong to what has opened a file")

OTHER = """
import sqlite3, sys
for path in sys.stdin:
    connection = sqlite3.connect(path.strip(), timeout=0)
    try:
        connection.execute("BEGIN IMMEDIATE")
        print("free", flush=True)
    except sqlite3.OperationalError as err:
        print(err, flush=True)
    connection.close()
"""


@pytest.fixture(scope="module")
def ask() -> Iterator[Callable[[Path], str]]:
    """Return what tells whether another process could write."""
    with subprocess.Popen(
        [sys.executable, "-c", OTHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        to, come = process.stdin, process.stdout
        assert to is not None
        assert come is not None

        def asked(path: Path) -> str:
            to.write(f"{path}\n")
            to.flush()
            return come.readline().strip()

        yield asked
        to.close()


def _opened(path: Path) -> None:
    with ev.SQLAlchemyEntityStorage(f"sqlite:///{path}", read_only=True) as store:
        assert len(store) == 1


def _in_place(path: Path) -> None:
    with contextlib.closing(ev.read_database(path, trust=True)) as read:
        read.tables  # noqa: B018


def _database(path: Path) -> None:
    ev.read_database(path).close()


def _chats(path: Path) -> None:
    with pytest.raises(errors.ImportFormatError):
        ev.read_chat(path)


def _folder_of_chats(path: Path) -> None:
    with pytest.raises(errors.ImportFormatError, match=path.name):
        ev.read_chat(path.parent)  # and nothing is said of what SQLite has beside it


def _export_over_it(path: Path) -> None:
    graph = ev.EntityDependencyGraph(ev.ChatThread(title="other"))
    with pytest.raises(errors.InvalidArgumentError, match="SQLite"):
        graph.to_json(path)


def _backup(path: Path) -> None:
    with ev.SQLAlchemyEntityStorage(f"sqlite:///{path}", read_only=True) as store:
        store.backup(path.with_name("copy.db"))


def _repair(path: Path) -> None:
    with ev.SQLAlchemyEntityStorage(f"sqlite:///{path}", read_only=True) as store:
        store.repair(to=ev.InMemoryEntityStorage())


def _command(*words: str, code: int = 0) -> Callable[[Path], None]:
    def run(path: Path) -> None:
        done = CliRunner().invoke(cli, [word.format(path=path) for word in words])
        assert done.exit_code == code, done.output

    return run


USES: dict[str, Callable[[Path], Any]] = {
    "open it": _opened,
    "read_database": _database,
    "read_database, in place": _in_place,
    "read_chat": _chats,
    "read_chat of the folder": _folder_of_chats,
    "export over it": _export_over_it,
    "backup": _backup,
    "repair": _repair,
    "ecsviz backup": _command("backup", "{path}", "{path}.copy"),
    "ecsviz export": _command("export", "{path}", "--to", "json", "--out", "{path}.json"),
    "ecsviz export over it": _command(
        "export", "{path}", "--to", "json", "--out", "{path}", code=2
    ),
    "ecsviz graph": _command("graph", "{path}"),
    "ecsviz history": _command("history", "{path}"),
    "ecsviz import of itself": _command("import", "{path}", "--store", "{path}.chats", code=1),
    "ecsviz info": _command("info", "{path}"),
    "ecsviz repair": _command("repair", "{path}", "{path}.new"),
    "ecsviz show": _command("show", "{path}"),
    "ecsviz tables": _command("tables", "{path}"),
    "ecsviz verify": _command("verify", "{path}"),
}


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_locks_stay(tmp_path: Path, ask: Callable[[Path], str], journal: str) -> None:
    path = tmp_path / "a.db"
    with ev.SQLAlchemyEntityStorage(f"sqlite:///{path}") as store:
        thread = store.register(ev.ChatThread(title="a"))
        with store.engine.connect() as connection:
            connection.exec_driver_sql(f"PRAGMA journal_mode = {journal}")
        assert ask(path) == "free"
        lost = []
        with store.transaction():
            thread.title = "b"
            store.register(thread)
            assert "locked" in ask(path)
            for name, use in USES.items():
                failed: list[BaseException] = []

                def run(use: Any = use, failed: Any = failed) -> None:
                    try:
                        use(path)
                    except BaseException as err:  # noqa: BLE001  # it is raised below
                        failed.append(err)

                other = threading.Thread(target=run)
                other.start()
                other.join()
                assert not failed, (name, failed)
                if "locked" not in ask(path):
                    lost.append(name)
                    break  # nothing is locked for those that follow either
        assert lost == []
        assert ask(path) == "free"
        assert store.get(thread.ecs_id).title == "b"
        assert len(store.verify()) == 0


def test_descriptors_do_not_pile_up(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    before = len(file_locks._descriptors())
    with ev.SQLAlchemyEntityStorage(f"sqlite:///{path}") as store:
        store.register(ev.ChatThread(title="a"))
        with store.transaction():
            store.register(ev.ChatThread(title="b"))
            for _ in range(50):
                with file_locks.open_to_read(path) as file:
                    assert file.read(6) == b"SQLite"
            assert len(file_locks._descriptors()) <= before + 6
    assert len(file_locks._descriptors()) <= before


def test_what_is_no_file_is_told_as_ever(tmp_path: Path) -> None:
    before = len(file_locks._descriptors())
    with pytest.raises(IsADirectoryError):
        file_locks.open_to_read(tmp_path)
    with pytest.raises(FileNotFoundError):
        file_locks.open_to_read(tmp_path / "missing")
    assert len(file_locks._descriptors()) == before


OPENS = re.compile(r"""open\(["']r\+?b|read_bytes\(|copyfile\(|shutil\.copy2?\(""")
NO_DATABASES = {
    "basics/file_locks.py": "this is how it is done",
    "export/parquet.py": "what was just written",
    "importers/sqlite_file.py": "the journal of a copy",
    "storage/scale/spark_engine.py": "what workers have written",
    "cli/demo/tour.py": "notebooks of the package",
    "widgets/js/hatch_build.py": "sources of the package",
}


def test_no_file_is_opened_in_another_way() -> None:
    root = Path(ev.__file__).parent
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if OPENS.search(path.read_text(encoding="utf-8"))
    }
    assert found == NO_DATABASES.keys()
