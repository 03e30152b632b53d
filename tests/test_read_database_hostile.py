"""``read_database`` on files that are damaged, or made to do harm."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

import ecsviz as ev
from ecsviz import errors
from tests.databases import SHOP, execute

Make = Callable[[Path], object]


def look_at_all(path: Path, store: Path, timeout: float = 5.0) -> None:
    """Do with a file all that can be done with a database."""
    with ev.read_database(path, timeout=timeout) as db:
        assert repr(db)
        assert db._repr_html_()
        db.tables_frame()
        db.columns_frame()
        db.keys_frame()
        assert db.problems is not None
        db.graph().get_topological_sort()
        assert db.draw_schema().get_title(loc="left")
        for table in db.tables:
            db.frame(table)
            db.entities(table, limit=2)
            db.row_graph(table, hops=1)
        db.row_graph()
        db.copy_to(ev.SQLAlchemyEntityStorage(store))


def shop(folder: Path, *scripts: str) -> bytes:
    """A whole database of small pages, to be spoilt."""
    path = execute(folder / "whole.db", "PRAGMA page_size=512;", SHOP, *scripts)
    data = path.read_bytes()
    path.unlink()
    return data


def spoilt(at: int, new: bytes) -> Make:
    """The shop with other bytes at a place."""

    def make(path: Path) -> None:
        data = bytearray(shop(path.parent))
        data[at : at + len(new)] = new
        path.write_bytes(data)

    return make


def cut(part: float) -> Make:
    """The first part of the shop."""

    def make(path: Path) -> None:
        data = shop(path.parent)
        path.write_bytes(data[: int(len(data) * part)])

    return make


def replaced(old: bytes, new: bytes) -> Make:
    """The shop with one text in it replaced by another of the same length."""

    def make(path: Path) -> None:
        data = shop(path.parent)
        assert old in data
        assert len(old) == len(new)
        path.write_bytes(data.replace(old, new))

    return make


def schema(name: str, sql: str, kind: str = "table", root: int | str = 2) -> Make:
    """A database whose catalog was written by hand."""

    def make(path: Path) -> None:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as made:
            made.execute("CREATE TABLE real (a)")
            made.execute("INSERT INTO real VALUES (1)")
            made.execute("PRAGMA writable_schema=ON")
            made.execute(
                "INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", (kind, name, name, root, sql)
            )

    return make


def content(data: bytes) -> Make:
    return lambda path: path.write_bytes(data)


MAGIC = b"SQLite format 3\0"

REFUSED: dict[str, Make] = {
    "nothing": content(b""),
    "a byte": content(b"S"),
    "half a header": content(MAGIC[:9]),
    "a header alone": content(MAGIC),
    "a header and noise": content(MAGIC + bytes(range(256)) * 40),
    "a header and zeros": content(MAGIC + bytes(8_000)),
    "text": content(b"Ann, Bo, Cy\n" * 100),
    "UTF-16": content("a, b\n".encode("utf-16") * 100),
    "JSON": content(b'[{"mapping": {}}]'),
    "a zip": content(b"PK\3\4" + bytes(2_000)),
    "gzip": content(b"\x1f\x8b\x08" + bytes(2_000)),
    "an old SQLite": content(b"** This file contains an SQLite 2.1 database **" + bytes(2_000)),
    "encrypted": content(bytes((n * 97 + n // 7) % 256 for n in range(8_192))),
    "cut in the first page": cut(0.02),
    "cut in the middle": cut(0.5),
    "cut before the end": cut(0.93),
    "a page size of 3": spoilt(16, b"\0\3"),
    "a page size of 1": spoilt(16, b"\0\1"),
    "a page of nothing": spoilt(100, bytes(400)),
    "a catalog of noise": spoilt(100, bytes(n * 37 % 256 for n in range(400))),
    "a file format of the future": spoilt(18, b"\x09\x09"),
    "a schema format of the future": spoilt(44, b"\0\0\0\x63"),
    "cells beyond their page": spoilt(108, b"\xff\xff" * 20),
    "a table that is no SQL": replaced(b"CREATE TABLE country", b"CREATE XXXXX country"),
    "a name that is no text": replaced(b"CREATE TABLE staff", b"CREATE TABLE st\xff\xfef"),
    "a second table of a name": schema("real", "CREATE TABLE real (b)"),
    "a table at no page": schema("t", "CREATE TABLE t (a)", root=900),
    "a table at the catalog's page": schema("t", "CREATE TABLE t (a)", root=1),
    "a table at a page that is a text": schema("t", "CREATE TABLE t (a)", root="two"),
    "a table that loads code": schema(
        "t", "CREATE TABLE t (a, b AS (load_extension('/tmp/x.so')))"
    ),
    "a table that fills the memory": schema("t", "CREATE TABLE t (a, b AS (zeroblob(1000000000)))"),
    "a table of a hundred megabytes a row": schema(
        "t", "CREATE TABLE t (a, b AS (hex(zeroblob(49000000))))"
    ),
    "an index that is none": schema("i", "CREATE INDEX i ON real (nothing)", kind="index"),
    "an index with a function of a program": schema(
        "i", "CREATE INDEX i ON real (mine(a))", kind="index"
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_damaged_or_hostile_file_is_refused_and_nothing_is_written(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / "a.db"
    REFUSED[name](path)
    before = path.read_bytes()
    with pytest.raises(errors.EcsvizError) as caught:
        look_at_all(path, tmp_path / "store.db")
    assert "a.db" in str(caught.value)
    assert "Traceback" not in str(caught.value)
    assert [other.name for other in tmp_path.iterdir()] == ["a.db"]
    assert path.read_bytes() == before


def test_there_are_many_of_them() -> None:
    assert len(REFUSED) >= 30


SAFE: dict[str, Make] = {
    # SQLAlchemy's own reflection of SQLite searches this with a regular expression, for ever.
    "a key that keeps a regular expression busy": lambda path: execute(
        path,
        f"CREATE TABLE t (a INTEGER PRIMARY KEY /* FOREIGN KEY (a) REFERENCES t ({'a' * 60}! */)",
    ),
    "a view without an end": lambda path: execute(
        path,
        "CREATE TABLE t (a)",
        "CREATE VIEW v AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
        " SELECT count(*) FROM n",
    ),
    "a view that fills the memory": lambda path: execute(
        path, "CREATE TABLE t (a)", "CREATE VIEW v AS SELECT zeroblob(900000000) AS a"
    ),
    "a trigger": lambda path: execute(
        path,
        "CREATE TABLE t (a); INSERT INTO t VALUES (1)",
        "CREATE TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM t; END",
    ),
    "names of HTML and SQL": lambda path: execute(
        path,
        'CREATE TABLE "a""; DROP TABLE x; --" ("<script>" INTEGER PRIMARY KEY, "b\'c" TEXT,'
        ' "%s :x ?" REFERENCES "a""; DROP TABLE x; --")',
        'INSERT INTO "a""; DROP TABLE x; --" VALUES (1, \'d\', 1)',
        'CREATE TABLE "$x$ `b` {c} \\d" ("%(a)s" TEXT, "a.b" TEXT, "\n" TEXT)',
        'INSERT INTO "$x$ `b` {c} \\d" VALUES (1, 2, 3)',
    ),
    "long names": lambda path: execute(
        path,
        f"CREATE TABLE {'t' * 5_000} ({'a' * 5_000} INTEGER PRIMARY KEY, b REFERENCES"
        f" {'t' * 5_000})",
        f"INSERT INTO {'t' * 5_000} VALUES (1, 1)",
    ),
    "names that differ in case of other alphabets": lambda path: execute(
        path, 'CREATE TABLE "Ä" (a); CREATE TABLE "ä" (a); INSERT INTO "ä" VALUES (1)'
    ),
    "numbers at the ends of their range": lambda path: execute(
        path,
        "CREATE TABLE t (a INTEGER PRIMARY KEY, b REAL, c INTEGER)",
        "INSERT INTO t VALUES (-9223372036854775808, 9e999, 9223372036854775807),"
        " (9223372036854775807, -9e999, -1)",
    ),
    "UTF-16": lambda path: execute(
        path, "PRAGMA encoding='UTF-16'; CREATE TABLE t (a TEXT); INSERT INTO t VALUES ('é')"
    ),
    "a key to itself and to all": lambda path: execute(
        path,
        "CREATE TABLE t (a INTEGER PRIMARY KEY REFERENCES t REFERENCES t REFERENCES u)",
        "CREATE TABLE u (a INTEGER PRIMARY KEY REFERENCES u REFERENCES t)",
        "INSERT INTO t VALUES (1), (2); INSERT INTO u VALUES (1)",
    ),
}


@pytest.mark.parametrize("name", SAFE)
def test_what_would_do_harm_elsewhere_is_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.db"
    SAFE[name](path)
    before = path.read_bytes()
    look_at_all(path, tmp_path / "store.db")
    assert path.read_bytes() == before


def test_a_table_that_computes_for_ever_runs_into_the_time_limit(tmp_path: Path) -> None:
    slow = "length(replace(hex(zeroblob(200000 + a)), '00', 'ab'))"
    path = execute(
        tmp_path / "a.db",
        "CREATE TABLE t (a INTEGER PRIMARY KEY)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
        " INSERT INTO t (a) SELECT i FROM n",
        f"ALTER TABLE t ADD COLUMN b AS ({slow})",  # added later they are not computed at once
        f"ALTER TABLE t ADD COLUMN c AS ({slow} + a)",
    )
    with ev.read_database(path, timeout=0.3) as db:
        assert db.tables == ["t"]
        for call in (lambda: db.frame("t"), lambda: db.classes, lambda: db.entities("t")):
            with pytest.raises(errors.ImportTimeoutError, match="timeout=") as caught:
                call()
            assert caught.value.limit == 0.3


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = execute(tmp_path / "a.db", SHOP)
    with pytest.raises(errors.ImportLimitError, match="max_bytes="):
        ev.read_database(path, max_bytes=1_000)


def test_a_value_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = execute(
        tmp_path / "a.db", "CREATE TABLE t (a, b)", "INSERT INTO t VALUES (zeroblob(60000000), 1)"
    )
    with ev.read_database(path) as db:
        with pytest.raises(errors.ImportLimitError, match=r"more than .*columns=\["):
            db.frame("t")
        assert db.frame("t", columns=["b"])["b"].to_list() == [1]


def test_a_crashed_writers_transaction_is_undone_in_the_copy(tmp_path: Path) -> None:
    path = execute(tmp_path / "a.db", "CREATE TABLE t (a)", "INSERT INTO t VALUES (1)")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA journal_mode=WAL")
    other.execute("INSERT INTO t VALUES (2)")
    try:
        files = sorted(each.name for each in tmp_path.iterdir())
        before = {name: (tmp_path / name).read_bytes() for name in files if "shm" not in name}
        with ev.read_database(path) as db:
            assert db.frame("t")["a"].to_list() == [1, 2]
        assert {name: (tmp_path / name).read_bytes() for name in before} == before
    finally:
        other.close()
