"""A SQLite file from a stranger: read as it is, and never able to do anything."""

from __future__ import annotations

import itertools
import random
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import pytest

from ecsviz.basics.file_locks import open_to_read
from ecsviz.errors import EcsvizError, ImportFormatError, ImportLimitError, ImportTimeoutError
from ecsviz.importers import read_chat, sqlite_file
from ecsviz.importers.files import ImportSourceError
from ecsviz.importers.sqlite_file import open_sqlite
from tests.processes import in_a_new_process


def made(path: Path, script: str) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
        connection.commit()
    return path


ROWS = "CREATE TABLE t(a, b); CREATE INDEX i ON t(a); INSERT INTO t VALUES (1, 'one'), (2, 'two');"

LOOP = """
CREATE VIEW forever AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
SELECT count(*) AS c FROM n;
"""


def ask(source: Path | bytes, query: str, **limits: float) -> list[tuple[object, ...]]:
    options = {"timeout": 20.0} | limits
    with open_sqlite(source, **options) as connection:  # type: ignore[arg-type]  # numbers
        return connection.execute(query).fetchall()


def test_a_file_and_its_bytes_are_read(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", ROWS + "CREATE VIEW v AS SELECT upper(b) FROM t ORDER BY a;")
    for source in (path, path.read_bytes()):
        assert ask(source, "SELECT * FROM t") == [(1, "one"), (2, "two")]
        assert ask(source, "SELECT * FROM v") == [("ONE",), ("TWO",)]
        assert [row[1] for row in ask(source, "PRAGMA table_info(t)")] == ["a", "b"]


def test_the_file_and_its_folder_stay_as_they_are(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", "PRAGMA journal_mode=wal;" + ROWS)
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    assert len(ask(path, "SELECT * FROM t")) == 2
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before


def test_the_log_beside_a_file_is_read(path: Path) -> None:
    with closing(sqlite3.connect(path)) as writer:
        writer.executescript("PRAGMA journal_mode=wal;" + ROWS)
        writer.execute("INSERT INTO t VALUES (3, 'in the log')")
        writer.commit()
        assert len(ask(path, "SELECT * FROM t")) == 3


CRASH = """
import os, sqlite3, sys
c = sqlite3.connect(sys.argv[1])
c.execute("PRAGMA cache_size = 1")
c.execute("PRAGMA cache_spill = 1")
c.execute("BEGIN IMMEDIATE")
c.execute("UPDATE t SET b = zeroblob(50000)")
os._exit(0)
"""


def test_what_a_crashed_writer_left_is_rolled_back(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", ROWS)
    in_a_new_process(CRASH, path)
    journal = tmp_path / "a.db-journal"
    assert journal.stat().st_size > 0
    whole = path.read_bytes()
    assert ask(path, "SELECT * FROM t") == [(1, "one"), (2, "two")]
    assert path.read_bytes() == whole
    assert journal.exists()


def test_a_journal_that_names_a_file_to_delete_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", ROWS)
    in_a_new_process(CRASH, path)
    victim = tmp_path / "victim.txt"
    victim.write_text("precious")
    journal = tmp_path / "a.db-journal"
    name = str(victim).encode()
    tail = (
        (0x40000000 // 4096 + 1).to_bytes(4, "big")
        + name
        + len(name).to_bytes(4, "big")
        + sum(name).to_bytes(4, "big")
        + bytes.fromhex("d9d505f920a163d7")
    )
    with journal.open("ab") as handle:
        handle.write(tail)
    with pytest.raises(ImportFormatError, match="several files"):
        ask(path, "SELECT * FROM t")
    assert victim.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO t VALUES (3, 'x')",
        "UPDATE t SET b = ''",
        "DELETE FROM t",
        "DROP TABLE t",
        "CREATE TABLE u(a)",
        "CREATE TEMP TABLE u(a)",
        "ATTACH 'other.db' AS other",
        "VACUUM INTO 'other.db'",
        "PRAGMA trusted_schema = ON",
        "PRAGMA query_only = OFF",
        "PRAGMA writable_schema = ON",
        "PRAGMA journal_mode = wal",
        "PRAGMA temp_store_directory = '.'",
        "SELECT load_extension('x')",
        "SELECT fts3_tokenizer('simple')",
        "SELECT randomblob(9)",
        "REINDEX",
        "ANALYZE",
    ],
)
def test_what_is_not_reading_is_refused(tmp_path: Path, statement: str) -> None:
    path = made(tmp_path / "a.db", ROWS)
    with pytest.raises(ImportFormatError, match=r"not allowed|cannot read"):
        ask(path, statement)
    assert [each.name for each in tmp_path.iterdir()] == ["a.db"]


def test_a_view_that_never_ends_is_stopped(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", LOOP)
    with pytest.raises(ImportTimeoutError, match=r"0\.2 seconds.*timeout=0\.8") as caught:
        ask(path, "SELECT * FROM forever", timeout=0.2)
    assert isinstance(caught.value, TimeoutError)


def test_a_value_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", "CREATE VIEW v AS SELECT zeroblob(900000000) AS z;")
    with pytest.raises(ImportLimitError, match=r"50,000,000 bytes.*max_value="):
        ask(path, "SELECT * FROM v")


def test_a_view_that_calls_what_it_should_not_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", "CREATE VIEW v AS SELECT load_extension('evil') AS z;")
    with pytest.raises(ImportFormatError, match="not allowed"):
        ask(path, "SELECT * FROM v")


def test_too_many_bytes(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", ROWS)
    size = path.stat().st_size
    assert ask(path, "SELECT 1", max_bytes=size) == [(1,)]
    for source in (path, path.read_bytes()):
        with pytest.raises(ImportLimitError, match=r"max_bytes="):
            ask(source, "SELECT 1", max_bytes=size - 1)
    (tmp_path / "a.db-wal").write_bytes(b"x" * 100)
    with pytest.raises(ImportLimitError, match=r"max_bytes="):
        ask(path, "SELECT 1", max_bytes=size)


ITEMS = "CREATE TABLE real_items(id INTEGER PRIMARY KEY, session_id TEXT, message_data TEXT"
ROW = 'INSERT INTO real_items VALUES (1, "s", \'{"role": "user", "content": "Hi"}\');'


def test_a_view_in_the_place_of_a_table_is_not_run(tmp_path: Path) -> None:
    view = LOOP.replace("forever", "agent_messages").replace(
        "count(*) AS c", "i AS id, i AS session_id, i AS message_data"
    )
    path = made(tmp_path / "a.db", view)
    with pytest.raises(ImportFormatError, match="none of a chat"):
        read_chat(path, timeout=10)
    made(path, ITEMS + ");" + ROW)
    assert read_chat(path, timeout=10)[0].messages[0].content == "Hi"


def test_a_column_that_would_be_computed_is_not_asked_for(tmp_path: Path) -> None:
    columns = ", big BLOB AS (zeroblob(40000000 * id)) VIRTUAL, more BLOB AS (hex(big)) VIRTUAL);"
    path = made(tmp_path / "a.db", ITEMS + columns + ROW)
    (message,) = read_chat(path)[0].messages
    assert (message.content, message.metadata) == ("Hi", {})


@pytest.mark.parametrize(
    "beside",
    [
        "CREATE VIEW v AS SELECT load_extension('x');",
        "CREATE VIEW v AS SELECT unknown_function(1) FROM nowhere;",
        "CREATE VIRTUAL TABLE f USING fts5(a);",
        "CREATE TABLE json_each(a);",
        'CREATE TABLE "we""ird name"("col""umn");',
        "CREATE TRIGGER t AFTER INSERT ON real_items BEGIN SELECT load_extension('x'); END;",
        (
            "PRAGMA writable_schema = ON; INSERT INTO sqlite_master VALUES"
            " ('table', 'x', 'x', 0, 'CREATE VIRTUAL TABLE x USING no_such_module(a)');"
        ),
    ],
)
def test_what_stands_beside_the_tables_of_a_chat_does_not_matter(
    tmp_path: Path, beside: str
) -> None:
    path = made(tmp_path / "a.db", ITEMS + ");" + ROW + beside)
    assert read_chat(path)[0].messages[0].content == "Hi"


def test_a_virtual_table_is_none_that_is_read(tmp_path: Path) -> None:
    path = made(
        tmp_path / "a.db", "CREATE VIRTUAL TABLE t USING fts5(id, session_id, message_data);"
    )
    with pytest.raises(ImportFormatError, match="none of a chat"):
        read_chat(path)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "it is empty"),
        (b"SQLite", "no SQLite"),
        (b"SQLite format 3\0", "cannot read it"),
        (b"SQLite format 3\0" + b"\xff" * 5000, "is truncated"),
        (b"SQLite format 3\0" + b"\xff" * 8 + b"\0" * 5000, "cannot read it"),
        (b"not a database" * 99, "no SQLite"),
    ],
)
def test_what_is_no_database(path: Path, data: bytes, match: str) -> None:
    path.write_bytes(data)
    for source in (path, data):
        with pytest.raises(ImportFormatError, match=match):
            ask(source, "SELECT * FROM sqlite_master")


def test_a_file_that_is_cut_is_refused_even_if_what_is_asked_is_there(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", ROWS + "CREATE TABLE last(a);")
    whole = path.read_bytes()
    assert len(ask(whole, "SELECT * FROM t")) == 2
    with pytest.raises(ImportFormatError, match=r"is truncated: it has [\d,]+ of [\d,]+ bytes"):
        ask(whole[:-100], "SELECT * FROM t")


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    made(tmp_path / "logs.db", ROWS)
    with pytest.raises(ImportSourceError, match=r"Did you mean 'logs\.db'"):
        ask(tmp_path / "log.db", "SELECT 1")
    with pytest.raises(ImportSourceError):
        ask(tmp_path, "SELECT 1")


def test_damaged_files_end_in_an_error_or_in_rows(tmp_path: Path) -> None:
    insert = "".join(f"INSERT INTO t VALUES ({n}, '{'x' * n}');" for n in range(300))
    whole = made(tmp_path / "a.db", ROWS + "CREATE INDEX j ON t(b);" + insert).read_bytes()
    chance, ends = random.Random(3), {"read": 0, "refused": 0}
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 30)):
            data[chance.randrange(16, len(data))] = chance.randrange(256)
        cut = len(data) if chance.random() < 0.7 else chance.randrange(16, len(data))
        try:
            ask(bytes(data[:cut]), "SELECT * FROM t ORDER BY b")
            ends["read"] += 1
        except EcsvizError:
            ends["refused"] += 1
    assert min(ends.values()) > 5


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_file_that_is_written_meanwhile_is_read_between_two_saves(path: Path, mode: str) -> None:
    made(path, f"PRAGMA journal_mode={mode}; CREATE TABLE a(n); CREATE TABLE b(n);")
    done = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(path)) as connection:
            while not done.is_set():
                for table in "ab":
                    connection.execute(f"INSERT INTO {table} VALUES (1)")
                connection.commit()
                done.wait(0.002)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(25):
            ((a, b),) = ask(path, "SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b)")
            assert a == b
    finally:
        done.set()
        writer.join()


@pytest.mark.parametrize("gone", ["-journal", ""])
def test_what_vanishes_while_it_is_read_is_tried_again(
    path: Path, gone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(path, ROWS)
    Path(f"{path}-journal").touch()
    vanished: list[str] = []

    def opened(place: Path) -> BinaryIO:
        if place.name == f"{path.name}{gone}" and vanished[-1:] == ["looked at"]:
            vanished.append("gone")
            if gone:
                place.unlink()
            raise FileNotFoundError(2, "No such file or directory", str(place))
        if place.name == f"{path.name}-wal" and not vanished:
            vanished.append("looked at")
        return open_to_read(place)

    monkeypatch.setattr(sqlite_file, "open_to_read", opened)
    assert len(ask(path, "SELECT * FROM t")) == 2
    assert vanished[-1] == "gone"


def test_a_file_that_is_always_written_is_given_up_in_time(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(path, ROWS)
    states = itertools.count()
    monkeypatch.setattr(sqlite_file, "_state", lambda _: [(next(states), 0, b"")])
    with pytest.raises(ImportFormatError, match="changes while it is read"):
        ask(path, "SELECT * FROM t", timeout=0.01)
    assert next(states) >= 6
