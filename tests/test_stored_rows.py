"""Checksums of what is stored: the past keeps true ones when the columns of a class change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import create_model

import ecsviz as ev


def test_the_past_is_still_proved_after_a_migration(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "store.db")
    before: Any = create_model("Kept", __base__=ev.Entity, name=(str, ""))
    kept = before(name="first")
    store.register(kept)
    kept.name = "second"
    store.register(kept)
    assert len(store.verify()) == 0
    create_model("Kept", __base__=ev.Entity, name=(str, ""), size=(int, 0))
    store.migrate()
    again = ev.SQLAlchemyEntityStorage(tmp_path / "store.db")
    assert len(again.verify()) == 0
    assert again.get(kept.ecs_id, as_of=1).name == "first"
