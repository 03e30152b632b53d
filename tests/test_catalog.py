"""What a store says about itself, and which files are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import ecsviz as ev
from ecsviz import errors
from ecsviz.storage.relational.schema.catalog import SCHEMA_VERSION
from tests.databases import execute, fetched


def make(**fields: Any) -> Any:
    return type("Recipe", (ev.Entity,), {"__module__": "cook", "__annotations__": fields})


def test_a_store_of_a_newer_release_is_refused(path: Path) -> None:
    ev.SQLAlchemyEntityStorage(path).register(make(x=int)(x=1))
    execute(path, f"UPDATE ecs_store SET value = '{SCHEMA_VERSION + 1}'")
    with pytest.raises(errors.SchemaTooNewError, match="Update: pip install") as caught:
        ev.SQLAlchemyEntityStorage(path)
    assert (caught.value.found, caught.value.known) == (SCHEMA_VERSION + 1, SCHEMA_VERSION)
    assert isinstance(caught.value, OSError)


def test_a_store_of_an_older_release_is_refused(path: Path) -> None:
    ev.SQLAlchemyEntityStorage(path).register(make(x=int)(x=1))
    execute(path, "UPDATE ecs_store SET value = '0'")
    with pytest.raises(errors.SchemaOutdatedError):
        ev.SQLAlchemyEntityStorage(path)


def test_somebody_elses_database_is_refused_and_left_alone(path: Path) -> None:
    execute(path, "CREATE TABLE bookmarks (url TEXT)", "INSERT INTO bookmarks VALUES ('x')")
    before = path.read_bytes()
    with pytest.raises(errors.NotAnEcsvizStoreError, match="bookmarks") as caught:
        ev.SQLAlchemyEntityStorage(path)
    assert caught.value.tables == ["bookmarks"]
    assert path.read_bytes() == before


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.touch()
    store = ev.SQLAlchemyEntityStorage(path)
    assert store.list_by_type(ev.Entity) == []
    entity = store.register(make(x=int)(x=1))
    assert ev.SQLAlchemyEntityStorage(path).get(entity.ecs_id) == entity


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"title": str, "minutes": int, "extra": str}, "extra: stored '(nothing)', class 'TEXT'"),
        ({"title": str}, "minutes: stored 'BIGINT', class '(nothing)'"),
        ({"title": str, "minutes": float}, "minutes: stored 'BIGINT', class 'DOUBLE'"),
        ({"title": str, "minutes": int | None}, "class 'BIGINT or none'"),
    ],
)
def test_a_class_with_other_fields_is_told_what_differs(
    path: Path, fields: dict[str, Any], told: str
) -> None:
    entity = ev.SQLAlchemyEntityStorage(path).register(
        make(title=str, minutes=int)(title="soup", minutes=5)
    )
    rows = path.read_bytes()
    other = make(**fields)
    store = ev.SQLAlchemyEntityStorage(path)
    for ask in (
        lambda: store.get(entity.ecs_id),
        lambda: store.list_by_type(other),
        lambda: store.register(other.model_construct(**entity.__dict__)),
        lambda: store.explain(other.model_construct(**entity.__dict__)),
    ):
        with pytest.raises(errors.SchemaOutdatedError) as caught:
            ask()
        assert told in str(caught.value)
        assert "recipes" in str(caught.value)
    assert path.read_bytes() == rows
    again = make(title=str, minutes=int)
    assert type(store.get(entity.ecs_id)) is again


def test_an_unknown_type_names_the_class_to_define(path: Path) -> None:
    entity = ev.SQLAlchemyEntityStorage(path).register(make(title=str)(title="x"))
    execute(path, "UPDATE ecs_types SET name = 'Recipee', module = 'kitchen'")
    store = ev.SQLAlchemyEntityStorage(path)
    with pytest.raises(errors.UnknownTypeError) as caught:
        store.get(entity.ecs_id)
    message = str(caught.value)
    assert "Define the class Recipee" in message
    assert "'Recipe'" in message
    assert "title: TEXT" in message
    assert store.has_entity(entity.ecs_id)
    assert store.get_lineage_entities(make(title=str)(title="").ecs_id) == []


def test_row_ids_are_never_given_twice(path: Path) -> None:
    """A row id stands in checksums and foreign keys: it must not come to mean another entity."""
    recipe = make(x=int)
    store = ev.SQLAlchemyEntityStorage(path)
    first = store.register(recipe(x=1))
    store.delete(first)
    store.register(recipe(x=2))
    assert fetched(path, "SELECT id FROM recipes") == [(2,)]


def test_rows_that_others_added_do_not_clash(path: Path) -> None:
    recipe = make(x=int)
    store = ev.SQLAlchemyEntityStorage(path)
    store.register(recipe(x=1))
    other = recipe(x=2)
    execute(
        path,
        "INSERT INTO recipes (id, ecs_id, ecs_lineage_id, ecs_version, ecs_revision, x)"
        f" VALUES (7, '{other.ecs_id.hex}', '{other.ecs_id.hex}', 1, 1, 2)",
    )
    third = store.register(recipe(x=3))
    assert {e.x for e in store.list_by_type(recipe)} == {1, 2, 3}
    assert store.get(third.ecs_id).x == 3
