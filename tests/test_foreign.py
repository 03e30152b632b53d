"""What acts by itself in a store's file: every method ends, and it is told."""

from __future__ import annotations

import signal
import warnings
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

import ecsviz as ev
from ecsviz import errors
from ecsviz.cli import cli
from tests.databases import execute, tables_in
from tests.store_calls import filled, reading_calls, writing_calls

DEADLINE = 0.3
"""Seconds, so that what never ends is soon given up."""

ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
LARGE = "hex(zeroblob(600000000))"

TABLES = [
    *("ecs_store", "ecs_types", "ecs_revisions", "ecs_deleted"),
    *("chat_threads", "chat_messages", "chat_threads_history", "chat_messages_history"),
]


def as_view(table: str, query: str) -> list[str]:
    return [
        "PRAGMA legacy_alter_table = ON",
        f"ALTER TABLE {table} RENAME TO real_{table}",
        f"CREATE VIEW {table} AS {query.format(table=f'real_{table}')}",
    ]


VIEWS = {
    "the same rows": "SELECT * FROM {table}",
    "for ever": ENDLESS + " SELECT {table}.* FROM {table}, c ORDER BY x",
    "for ever, nothing": ENDLESS + " SELECT {table}.* FROM {table}, c WHERE x < 0",
    "itself": "SELECT * FROM {table}, " + "{table} AS other",
}


def ends(path: Path, thread: ev.ChatThread, *, write: bool = False) -> set[str]:
    """Call everything; return the kinds of what came out. Nothing but errors of ours may."""
    came: set[str] = set()
    try:
        store = ev.SQLAlchemyEntityStorage(path, deadline=DEADLINE)
    except errors.EcsvizError as err:
        return {type(err).__name__}
    calls = reading_calls(store, thread)
    if write:
        calls |= writing_calls(store, thread)
    for name, call in calls.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", errors.ForeignTriggerWarning)
                call()
        except errors.EcsvizError as err:
            came.add(type(err).__name__)
        except sa.exc.SQLAlchemyError as err:  # of a session, as SQLAlchemy tells it
            came.add("StorageError" if name.startswith("session") else f"{name}: {err}")
        else:
            came.add("returned")
    return came


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("table", TABLES)
def test_a_view_for_a_table(path: Path, table: str, view: str) -> None:
    _, thread = filled(path)
    assert table in tables_in(path)
    execute(path, *as_view(table, VIEWS[view]))
    assert ends(path, thread, write=True) == {"StorageCorruptError"}
    result = CliRunner().invoke(cli, ["info", str(path)])
    assert result.exit_code != 0
    assert "view" in result.output + result.stderr


def test_a_view_in_capitals(path: Path) -> None:
    """SQLite finds a table by its name in any case."""
    _, thread = filled(path)
    view = "CREATE VIEW Chat_MESSAGES AS SELECT * FROM real_chat_messages"
    execute(path, *as_view("chat_messages", VIEWS["the same rows"])[:2], view)
    assert ends(path, thread) == {"StorageCorruptError"}


def test_it_comes_while_the_store_is_open(path: Path) -> None:
    store, thread = filled(path, deadline=DEADLINE)
    execute(path, *as_view("chat_messages", VIEWS["for ever"]))
    for name, call in reading_calls(store, thread).items():
        with pytest.raises(errors.StorageCorruptError):
            call()
        assert name


def test_the_type_that_is_noted_is_not_believed(path: Path) -> None:
    _, thread = filled(path)
    execute(
        path,
        *as_view("chat_messages", VIEWS["for ever"]),
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET type = 'table', rootpage = 5 WHERE name = 'chat_messages'",
    )
    assert "returned" not in ends(path, thread)


@pytest.mark.parametrize("table", TABLES[4:])
@pytest.mark.parametrize("value", [LARGE])
def test_a_computed_column(path: Path, table: str, value: str) -> None:
    """One of a user's own beside ours does no harm; one in place of ours is refused."""
    _, thread = filled(path)
    execute(path, f"ALTER TABLE {table} ADD COLUMN extra AS (length({value}))")
    assert ends(path, thread, write=True) <= {"returned", "StorageError", "StaleVersionError"}
    name = "title" if "threads" in table else "content"
    execute(
        path,
        f"ALTER TABLE {table} RENAME COLUMN {name} TO was",
        f"ALTER TABLE {table} ADD COLUMN {name} AS (was || 'x')",
    )
    assert ends(path, thread) == {"StorageCorruptError"}


def test_a_trigger_that_never_ends(path: Path) -> None:
    _, thread = filled(path)
    body = f"SELECT (SELECT max(x) FROM ({ENDLESS} SELECT x FROM c))"
    execute(path, f"CREATE TRIGGER slow AFTER UPDATE ON chat_threads BEGIN {body}; END")
    store = ev.SQLAlchemyEntityStorage(path, deadline=DEADLINE)
    thread.title = "third"
    with (
        pytest.warns(errors.ForeignTriggerWarning, match="slow"),
        pytest.raises(errors.StorageTimeoutError) as caught,
    ):
        store.register(thread)
    assert "deadline=" in str(caught.value)
    assert thread.version == 2
    assert store.get(thread.ecs_id).title == "second"
    assert store.verify()["problem"].tolist() == ["foreign"]


def test_another_schema_with_the_number_of_the_last(tmp_path: Path) -> None:
    """A file copied over the store's own is looked at anew, whatever SQLite counted in it."""
    path, other = tmp_path / "a.db", tmp_path / "b.db"
    store, thread = filled(path)
    other.write_bytes(path.read_bytes())
    execute(path, "CREATE VIEW short AS SELECT title FROM chat_threads")
    assert set(store.verify()["row"]) == {"short"}
    execute(other, "CREATE TRIGGER own AFTER DELETE ON chat_threads BEGIN SELECT 1; END")
    path.write_bytes(other.read_bytes())
    assert set(store.verify()["row"]) == {"own"}
    with pytest.warns(errors.ForeignTriggerWarning, match="own on chat_threads"):
        store.delete([thread, *thread.messages])


def test_an_interrupt_is_no_deadline(path: Path) -> None:
    """Python notices it while SQLite asks for the time, and the driver swallows it there."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    store, thread = filled(path)
    body = f"SELECT (SELECT max(x) FROM ({ENDLESS} SELECT x FROM c))"
    execute(path, f"CREATE TRIGGER slow AFTER UPDATE ON chat_threads BEGIN {body}; END")
    thread.title = "third"
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        with pytest.warns(errors.ForeignTriggerWarning), pytest.raises(KeyboardInterrupt):
            store.register(thread)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert store.get(thread.ecs_id).title == "second"
    assert thread.version == 2


class Shelf(ev.Entity):
    books: list[Book] = []


class Book(ev.Entity):
    title: str = ""


@pytest.mark.parametrize("default", ["DEFAULT '0'", "DEFAULT -1", "DEFAULT (1 + 1)"])
def test_a_store_of_ours_alone_has_no_deadline(default: str) -> None:
    """A table of a list has a literal as a default, which runs nothing; others may."""
    with ev.SQLAlchemyEntityStorage(":memory:", deadline=0) as store:
        shelf = store.register(Shelf(books=[Book() for _ in range(2_000)]))
        assert len(store.get(shelf.ecs_id).books) == 2_000
        with store.engine.begin() as conn:
            conn.exec_driver_sql(f"CREATE TABLE more (number INTEGER {default})")
        if "(" not in default:
            assert len(store.get(shelf.ecs_id).books) == 2_000
            return
        with pytest.raises(errors.StorageTimeoutError):
            store.get(shelf.ecs_id)


@pytest.mark.parametrize("deadline", [-1, "soon", None, float("nan")])
def test_a_deadline_is_seconds(deadline: Any) -> None:
    with pytest.raises(errors.InvalidArgumentError, match="deadline"):
        ev.SQLAlchemyEntityStorage(":memory:", deadline=deadline)


def test_a_longer_deadline_lets_a_slow_trigger_end(path: Path) -> None:
    _, thread = filled(path)
    body = f"SELECT (SELECT max(x) FROM ({ENDLESS} SELECT x FROM c LIMIT 300000))"
    execute(path, f"CREATE TRIGGER slow AFTER UPDATE ON chat_threads BEGIN {body}; END")
    thread.title = "third"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", errors.ForeignTriggerWarning)
        with pytest.raises(errors.StorageTimeoutError):
            ev.SQLAlchemyEntityStorage(path, deadline=0.001).register(thread)
        ev.SQLAlchemyEntityStorage(path).register(thread)
    assert thread.version == 3


def test_what_a_trigger_changes_is_told(path: Path) -> None:
    _, thread = filled(path)
    change = "UPDATE chat_messages SET content = 'changed'"
    execute(path, f"CREATE TRIGGER own AFTER UPDATE ON chat_threads BEGIN {change}; END")
    store = ev.SQLAlchemyEntityStorage(path)
    found = store.verify()
    assert found[["table", "row", "problem"]].values.tolist() == [
        ["chat_threads", "own", "foreign"]
    ]
    thread.title = "third"
    with pytest.warns(errors.ForeignTriggerWarning, match="own on chat_threads"):
        store.register(thread)
    thread.title = "fourth"
    store.register(thread)  # and told once: here, a warning would be an error
    problems = store.verify()["problem"].tolist()
    assert problems.count("foreign") == 1
    assert problems.count("content") == 2


def test_all_of_a_users_own_is_told(path: Path) -> None:
    _, thread = filled(path)
    execute(
        path,
        "CREATE VIEW short AS SELECT title FROM chat_threads",
        "CREATE INDEX by_length ON chat_messages (length(content))",
        "CREATE INDEX plain ON chat_messages (content)",
        "ALTER TABLE chat_messages ADD COLUMN size AS (length(content))",
    )
    store = ev.SQLAlchemyEntityStorage(path)
    found = store.verify()
    assert set(found.loc[found["problem"] == "foreign", "row"]) == {"short", "by_length", "size"}
    assert store.get(thread.ecs_id).title == "second"


def test_a_plain_store_is_not_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise AssertionError("bounds cost time")

    monkeypatch.setattr("ecsviz.storage.sql.engine.bound", fail)
    store, thread = filled(tmp_path / "a.db")
    assert store.get(thread.ecs_id).title == "second"
    execute(tmp_path / "a.db", "CREATE VIEW short AS SELECT title FROM chat_threads")
    with pytest.raises(AssertionError):
        store.get(thread.ecs_id)
