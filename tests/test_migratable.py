"""store.migrate(): what every store on SQLAlchemy offers, and what leaves it alone."""

from __future__ import annotations

from typing import Any

import pytest

import ecsviz as ev
from ecsviz import errors
from tests.test_migrating import _forget, define, postgres_url, reopen, rows_of, store

__all__ = ["_forget", "postgres_url", "reopen", "store"]


def test_nothing_to_migrate(store: ev.SQLAlchemyEntityStorage, tmp_path: Any) -> None:
    recipe = define("Recipe", title=str)
    store.register(recipe(title="Soup"))
    before = rows_of(store)
    assert not store.migrate()
    assert "classes and tables agree" in repr(store.migrate())
    assert rows_of(store) == before
    path = tmp_path / "none.db"
    assert not ev.SQLAlchemyEntityStorage(path).migrate()
    assert not path.exists()


def test_a_class_that_is_no_entity(store: ev.SQLAlchemyEntityStorage) -> None:
    with pytest.raises(errors.NotAnEntityError):
        store.migrate(int)  # type: ignore[arg-type]  # a mistake


def test_every_option_goes_with_every_other(store: ev.SQLAlchemyEntityStorage) -> None:
    soup = store.register(
        define("Recipe", title=str, minutes=str, note=str)(title="Soup", minutes="7", note="")
    )
    recipe = define("Recipe", title=str, time=int, more=(int, 1))
    options: dict[str, Any] = {
        "drop": ["Recipe.note"],
        "rename": {"Recipe.minutes": "time"},
        "convert": {"Recipe.time": int},
    }
    before = rows_of(store)
    found = store.migrate(recipe, **options, dry_run=True)
    assert rows_of(store) == before
    assert sorted(c.what for c in found.changes) == ["added", "converted", "dropped", "renamed"]
    assert store.migrate(recipe, **options).applied
    got = store.get(soup.ecs_id)
    assert (got.title, got.time, got.more) == ("Soup", 7, 1)


def test_what_is_read_with_the_new_class_can_be_registered_at_once(
    store: ev.SQLAlchemyEntityStorage,
) -> None:
    """The store that has migrated knows the new tables; no need to open it again."""
    soup = store.register(define("Recipe", minutes=str)(minutes="7"))
    define("Recipe", minutes=int)
    with pytest.raises(errors.SchemaOutdatedError, match=r"store\.migrate\(\)"):
        store.get(soup.ecs_id)
    store.migrate(convert={"Recipe.minutes": int})
    got = store.get(soup.ecs_id)
    got.minutes += 1
    store.register(got)
    assert [store.get(soup.ecs_id, as_of=n).minutes for n in (1, 2)] == [7, 8]
    assert not len(store.verify())
