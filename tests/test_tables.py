"""Tables as they are made: keys and indexes come after the rows, and all of them come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import ecsviz as ev
from ecsviz.storage.relational.schema.history_tables import history_of
from tests.conformance.conftest import OPENERS
from tests.databases import counted


class Shelf(ev.Entity):
    books: list[Book] = []
    best: Book | None = None
    tags: set[str] = set()


class Book(ev.Entity):
    shelf: Shelf
    next: Book | None = None
    also: list[Book] = ev.reference(inverse=None, default_factory=list)


class Press(ev.Entity):
    books: list[Book] = ev.reference(inverse=None, default_factory=list)


@pytest.fixture(params=["sqlite", "postgresql", "postgresql-copy"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ev.SQLAlchemyEntityStorage:
    found = OPENERS[request.param](tmp_path, request)()
    assert isinstance(found, ev.SQLAlchemyEntityStorage)
    return found


def shelf() -> Shelf:
    made = Shelf(tags={"a", "b"})
    made.books = [Book(shelf=made) for _ in range(3)]
    made.best = made.books[1]
    made.books[0].next = made.books[2]
    made.books[2].also = made.books[:2]
    return made


def keys_of(conn: sa.Connection, table: sa.Table) -> dict[str, Any]:
    """Return what keeps a table's rows sound and found, as the database tells it."""
    inspector, schema = sa.inspect(conn), table.schema
    unique = inspector.get_unique_constraints(table.name, schema)
    backed = {item["name"] for item in unique}
    return {
        "primary": inspector.get_pk_constraint(table.name, schema)["constrained_columns"],
        "unique": sorted(item["column_names"] for item in unique),
        "indexes": sorted(
            item["column_names"]
            for item in inspector.get_indexes(table.name, schema)
            if item["name"] not in backed
        ),
        "foreign": sorted(
            (item["constrained_columns"], item["referred_table"])
            for item in inspector.get_foreign_keys(table.name, schema)
        ),
    }


def asked_of(table: sa.Table) -> dict[str, Any]:
    """Return the same as the mapping asks for it."""
    unique = [c for c in table.constraints if isinstance(c, sa.UniqueConstraint)]
    return {
        "primary": [column.name for column in table.primary_key],
        "unique": sorted([column.name for column in item.columns] for item in unique),
        "indexes": sorted([column.name for column in item.columns] for item in table.indexes),
        "foreign": sorted(
            ([column.name for column in item.columns], item.referred_table.name)
            for item in table.foreign_key_constraints
        ),
    }


def check(store: ev.SQLAlchemyEntityStorage) -> int:
    tables = list(store.metadata.tables.values())
    with store.engine.connect() as conn:
        for table in [*tables, *map(history_of, tables)]:
            assert keys_of(conn, table) == asked_of(table), table.name
    return len(tables)


def test_every_key_and_index_is_there_after_the_first_save(
    store: ev.SQLAlchemyEntityStorage,
) -> None:
    store.register(shelf())
    assert check(store) == 3  # shelves, books, and the books that a book holds besides


def test_and_after_a_save_that_adds_a_class(store: ev.SQLAlchemyEntityStorage) -> None:
    made = store.register(shelf())
    store.register(Press(books=made.books))
    assert check(store) == 5


def test_what_a_failing_save_made_is_gone(
    store: ev.SQLAlchemyEntityStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("a failure")

    monkeypatch.setattr("ecsviz.storage.relational.schema.catalog.add_keys", fail)
    made = shelf()
    with pytest.raises(RuntimeError, match="a failure"):
        store.register(made)
    monkeypatch.undo()
    with store.engine.connect() as conn:
        assert sa.inspect(conn).get_table_names(store.metadata.schema) == []
    assert made.version == 0
    store.register(made)
    assert check(store) == 3


def test_indexes_are_made_once_the_rows_are_there(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    with counted() as told:
        store.register(shelf())
    indexes = [n for n, text in enumerate(told) if text.startswith("CREATE INDEX")]
    inserts = [n for n, text in enumerate(told) if "INTO books " in text]
    assert indexes
    assert inserts
    assert min(indexes) > max(inserts)
