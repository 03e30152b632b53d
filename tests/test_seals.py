"""Seals and checksums: every change of a row is told, and the past keeps true ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import create_model

import ecsviz as ev
from ecsviz.storage.relational.schema.seals import seals_of
from tests.databases import execute

IDS = [uuid4() for _ in range(3)]


def rows() -> list[list[Any]]:
    """Ids, ecs_ids, versions, revisions, checksums, positions."""
    return [[1, 2, 3], list(IDS), [1, 1, 2], [1, 1, 1], [b"12345678"] * 3, [0, None, -1]]


@pytest.mark.parametrize("column", range(6))
@pytest.mark.parametrize(
    "wrong", [None, 77, 2**63, -(2**64), "1", 1.0, b"", b"1234567", b"87654321", uuid4(), True]
)
def test_a_change_of_one_value_is_told_of_that_row_alone(column: int, wrong: Any) -> None:
    before, changed = seals_of(rows()), rows()
    changed[column][1] = wrong
    after = seals_of(changed)
    same = wrong is None and column == 5
    assert (after[1] == before[1]) == same
    assert (after[0], after[2]) == (before[0], before[2])


@given(st.lists(st.integers(-(2**63) + 1, 2**63 - 1), min_size=2, unique=True))
def test_different_numbers_have_different_seals(numbers: list[int]) -> None:
    size = len(numbers)
    found = seals_of([numbers, IDS[:1] * size, [1] * size, [1] * size, [b"12345678"] * size])
    assert len(set(found)) == size
    assert all(-(2**63) <= seal < 2**63 for seal in found)


def test_ids_count_as_they_are_and_as_bytes() -> None:
    as_bytes = rows()
    as_bytes[1] = [ecs_id.bytes for ecs_id in IDS]
    assert seals_of(as_bytes) == seals_of(rows())
    assert seals_of([[] for _ in range(5)]) == []


def test_a_save_that_only_edits_hides_no_change_of_the_own_tables(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "store.db")
    note = store.register(ev.ChatThread(title="a"))
    execute(tmp_path / "store.db", "INSERT INTO ecs_store VALUES ('by', 'somebody')")
    for title in ("b", "c"):
        assert store.verify()["table"].tolist() == ["ecs_types"]
        note.title = title
        store.register(note)
        with store.transaction():
            note.title = f"{title} in a block"
            store.register(note)
    assert store.verify()["table"].tolist() == ["ecs_types"]
    execute(tmp_path / "store.db", "DELETE FROM ecs_store WHERE key = 'by'")
    assert store.verify().empty
    store.register(ev.ChatThread(title="another"))
    assert store.verify().empty
    store.close()


# -- checksums of the past -------------------------------------------------------------------


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
