"""repair(): ids that are others, and files of which SQLite cannot read what tables they have."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest

import ecsviz as ev
from ecsviz import errors
from ecsviz.isomorphic import find_difference
from tests.test_cli_stores import run
from tests.test_verifying import Shelf, filled


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Any]:
    """A store's file, and what is in it."""
    path = tmp_path_factory.mktemp("sound") / "store.db"
    filled(path)
    with ev.SQLAlchemyEntityStorage(path) as store:
        (shelf,) = store.list_by_type(Shelf)
    return path.read_bytes(), shelf


def spoilt(whole: bytes, at: int, other: int, path: Path) -> Path:
    """Write a file of which one byte is another."""
    data = bytearray(whole)
    assert data[at] != other
    data[at] = other
    path.write_bytes(data)
    return path


def repaired(path: Path) -> tuple[Any, Any]:
    """Return what a repair tells, and the shelf that it has saved."""
    with ev.SQLAlchemyEntityStorage(path) as store, ev.InMemoryEntityStorage() as new:
        told = store.repair(to=new)
        return told, next(iter(new.list_by_type(Shelf)), None)


def told_by(store: Any) -> str | None:
    """Return what a store says of a damage to its file when it is asked something."""
    try:
        store.list_by_type(Shelf)
    except errors.StorageCorruptError as error:
        return str(error)
    return None


def places(whole: bytes, text: str) -> list[int]:
    """Return where a text stands in a file."""
    found, at = [], -1
    while (at := whole.find(text.encode(), at + 1)) >= 0:
        found.append(at)
    return found


def test_an_id_that_is_another_is_told_by_the_index(
    sound: tuple[bytes, Any], tmp_path: Path
) -> None:
    whole, shelf = sound
    ids = {book.ecs_id for book in shelf.books} | {shelf.ecs_id}
    book = shelf.books[-1]  # without a past
    every = places(whole, book.ecs_id.hex)
    assert len(every) >= 3, "in the row, as its lineage, and in the index"
    for at in every:
        for digit, letter in ((31, b"0"), (3, b"!")):
            if whole[at + digit] == letter[0]:
                continue
            told, new = repaired(spoilt(whole, at + digit, letter[0], tmp_path / "a.db"))
            assert set(told["ecs_id"]) <= ids, told
            if told.empty:
                assert find_difference(shelf, new) is None
            else:
                assert list(told["ecs_id"][told["what"] == "gone"]) == [book.ecs_id]
    first = spoilt(whole, every[0] + 31, ord("0") ^ (whole[every[0] + 31] == 48), tmp_path / "b.db")
    assert repaired(first)[0].empty, "it is sound but for its id, which the index has"


def statements(whole: bytes, path: Path) -> list[int]:
    """Return where a file says which tables and indexes it has."""
    path.write_bytes(whole)
    with closing(sqlite3.connect(path)) as conn:
        rows = conn.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
    found: list[int] = []
    for kind, name, table, text in rows:
        for part in (kind + name + table, *((text or "")[n : n + 20] for n in range(0, 2000, 20))):
            if len(part) > 10 and (at := whole.find(part.encode())) >= 0:
                found += range(at, at + len(part))
    return found


def test_a_file_that_does_not_say_its_tables_is_repaired(
    sound: tuple[bytes, Any], tmp_path: Path
) -> None:
    whole, shelf = sound
    chance, path = Random(22), tmp_path / "a.db"
    every, unread = statements(whole, path), 0
    for at in chance.sample(every, 16):
        spoilt(whole, at, whole[at] ^ 1 << chance.randrange(8), path)
        with ev.SQLAlchemyEntityStorage(path) as store:
            error = told_by(store)
        unread += error is not None
        assert error is None or "store.repair(to=" in error
        before = path.read_bytes()
        told, new = repaired(path)
        assert told.empty, (at, told.to_string())
        assert find_difference(shelf, new) is None
        assert path.read_bytes() == before, "it is only read"
    assert unread >= 8


def test_the_command_repairs_what_cannot_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "chats.db"
    with ev.SQLAlchemyEntityStorage(path) as store:
        thread = ev.ChatThread(title="Plan")
        thread.say("user", "Where do we begin?")
        store.register(thread)
    whole = path.read_bytes()
    spoilt(whole, whole.find(b"TABLE chat_messages"), ord("D"), path)
    with pytest.raises(errors.StorageCorruptError, match="repair"):
        _ = ev.SQLAlchemyEntityStorage(path).get(thread.ecs_id)
    assert run("repair", path, tmp_path / "new.db").stdout == "ok\n"
    with ev.SQLAlchemyEntityStorage(tmp_path / "new.db") as new:
        assert new.get(thread.ecs_id).messages[0].content == "Where do we begin?"


def test_a_statement_of_a_stranger_is_not_run(sound: tuple[bytes, Any], tmp_path: Path) -> None:
    """What is tried while a file is mended has no answer to wait for, and no other file."""
    path, other = tmp_path / "a.db", tmp_path / "other.db"
    endless = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n FROM r"
    for text in (
        f"CREATE TABLE books AS {endless}",
        f"ATTACH '{other}' AS other",
        "CREATE TABLE books (x INTEGER)",
        "DROP TABLE books",
        "CREATE VIRTUAL TABLE books USING fts5(x)",
    ):
        path.write_bytes(sound[0])
        with closing(sqlite3.connect(path)) as conn, conn:
            conn.execute("PRAGMA writable_schema=ON")
            conn.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'books'", (text,))
        told, new = repaired(path)
        assert told.empty
        assert find_difference(sound[1], new) is None
        assert not other.exists()
