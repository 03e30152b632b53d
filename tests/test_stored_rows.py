"""Checksums of what is stored: the past keeps true ones when the columns of a class change."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

from pydantic import create_model

import ecsviz as ev
from tests.databases import execute


def test_the_past_is_still_proved_after_a_migration(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "store.db")
    before: Any = create_model("Kept", __base__=ev.Entity, name=(str, ""))
    kept = before(name="first")
    store.register(kept)
    kept.name = "second"
    store.register(kept)
    assert len(store.verify()) == 0
    after: Any = create_model("Kept", __base__=ev.Entity, name=(str, ""), size=(int, 0))
    store.migrate()
    again = ev.SQLAlchemyEntityStorage(tmp_path / "store.db")
    assert len(again.verify()) == 0
    assert again.get(kept.ecs_id, as_of=1).name == "first"
    assert type(again.get(kept.ecs_id)) is after  # held: a class that nobody holds is forgotten


def test_rows_of_others_stay_theirs_in_a_migration(path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(path)
    before: Any = create_model("Foreign", __base__=ev.Entity, name=(str, ""))
    store.register(before())
    ecs_id = uuid4().hex
    execute(
        path,
        "INSERT INTO foreigns (id, ecs_id, ecs_lineage_id, ecs_version, ecs_revision, name)"
        f" VALUES (9, '{ecs_id}', '{ecs_id}', 1, 1, 'c')",
    )
    assert store.verify()["problem"].tolist() == ["outside"]
    after: Any = create_model("Foreign", __base__=ev.Entity, name=(str, ""), size=(int, 0))
    store.migrate()
    assert store.verify()["problem"].tolist() == ["outside"]
    assert store.list_by_type(after)[0].size == 0
