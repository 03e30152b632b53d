"""Names in SQL."""

from __future__ import annotations

import pytest

from ecsviz.storage.relational.schema.naming import (
    MAX_NAME,
    Names,
    allowed_table,
    limited,
    snake,
    table_name,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ChatThread", "chat_threads"),
        ("User", "users"),
        ("Day", "days"),
        ("Category", "categories"),
        ("Bus", "buses"),
        ("Box[int]", "box_ints"),
        ("Größe", "größes"),
        ("X", "xes"),
        ("HTTPServer2", "http_server2s"),
        ("Order", "orders"),
        ("_", "entities"),
        ("EcsThing", "the_ecs_things"),
        ("SqliteFile", "the_sqlite_files"),
        ("PgDump", "the_pg_dumps"),
        ("notes.models.Note", "notes_models_notes"),
    ],
)
def test_tables_are_plurals(name: str, expected: str) -> None:
    assert table_name(name) == expected


def test_long_names_stay_apart() -> None:
    one, two = limited("x" * 80 + "a"), limited("x" * 80 + "b")
    assert one != two
    assert len(one.encode()) <= MAX_NAME
    assert limited("x" * MAX_NAME) == "x" * MAX_NAME
    assert len(limited("é" * 60).encode()) <= MAX_NAME
    assert len(allowed_table("sqlite_" + "x" * 70).encode()) <= MAX_NAME


def test_names_are_taken_once_in_any_case() -> None:
    names = Names(["id"])
    assert names.take("ID", "other") == "other"
    assert names.take("ID") == "ID_"
    assert names.take("id") == "id__"
    long = "x" * 100
    assert len({names.take(long) for _ in range(3)}) == 3


def test_tables_are_numbered() -> None:
    names = Names(["users"])
    assert [names.take_numbered("Users") for _ in range(3)] == ["Users_2", "Users_3", "Users_4"]


def test_snake_of_what_is_no_word() -> None:
    assert snake("[]") == "entity"
