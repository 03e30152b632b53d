"""What others have written into a store's tables is told as ours: table, row and column."""

from __future__ import annotations

import pickle
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ecsviz as ev
from ecsviz import errors
from tests import damage as d
from tests.damage import SHELF


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store as it was written."""
    path = tmp_path_factory.mktemp("whole") / "whole.db"
    d.make_store(path).engine.dispose()
    return path


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return copy_of(whole, tmp_path)


def copy_of(whole: Path, folder: Path) -> Path:
    for left in folder.glob("damaged.db*"):
        left.unlink()
    path = folder / "damaged.db"
    path.write_bytes(whole.read_bytes())
    return path


@pytest.fixture
def opened() -> Iterator[Any]:
    """Open stores that are closed at the end."""
    stores: list[ev.SQLAlchemyEntityStorage] = []

    def open_one(path: Path) -> ev.SQLAlchemyEntityStorage:
        stores.append(ev.SQLAlchemyEntityStorage(path))
        return stores[-1]

    yield open_one
    for store in stores:
        store.engine.dispose()


def edit(path: Path, *statements: str) -> None:
    with d.unguarded(path) as conn:
        for statement in statements:
            conn.execute(statement)


# -- every cell, every wrong value -----------------------------------------------------------


def kind_of(cell: d.Cell, path: Path) -> str:
    """Return what kind of cell it is: those of a kind are read by the same code."""
    with sqlite3.connect(path) as conn:
        found = {row[1]: row[2] for row in conn.execute(f"PRAGMA table_info({cell.table})")}
    conn.close()
    own = ("ecs_", "key", "position", "id")
    name = cell.column if cell.column.startswith(own) or cell.table.startswith("ecs_") else ""
    holder = cell.table if cell.table.startswith("ecs_") else ""
    past = "past" if name and cell.table.endswith("_history") else "now"
    reference = "reference" if cell.column.endswith("_id") and not name else ""
    place = "place" if cell.column.endswith("_position") else ""
    return " ".join((holder, past, found[cell.column], name, reference, place))


def drawn(whole: Path, chance: random.Random) -> list[tuple[d.Cell, str, str]]:
    """Return each kind of cell with each wrong value, and what is called besides verify."""
    kinds: dict[str, list[d.Cell]] = {}
    for cell in d.cells(whole):
        kinds.setdefault(kind_of(cell, whole), []).append(cell)
    calls = [name for name in (*d.READS, *d.WRITES) if name not in d.SLOW]
    result: list[tuple[d.Cell, str]] = []
    for kind, cells in kinds.items():
        for wrong in d.WRONG:
            if wrong not in d.TEXTS or "TEXT" in kind:
                result.append((chance.choice(cells), wrong))  # noqa: PERF401 - reads better
    chance.shuffle(calls)
    chance.shuffle(result)
    return [(*pair, calls[n % len(calls)]) for n, pair in enumerate(result)]


def content_of(path: Path, cell: d.Cell) -> Any:
    with sqlite3.connect(path) as conn:
        conn.text_factory = bytes
        query = f'SELECT typeof("{cell.column}"), "{cell.column}" FROM {cell.table}'
        found = conn.execute(f"{query} WHERE rowid = {cell.rowid}").fetchone()
    conn.close()
    return found


def told(call: d.Call, path: Path, shelf: Any) -> errors.EcsvizError | None:
    """Call something of a damaged store; whatever is not ours comes out."""
    store = None
    try:
        store = ev.SQLAlchemyEntityStorage(path)
        call(store, shelf)
    except errors.EcsvizError as err:
        return err
    finally:
        if store is not None:
            store.engine.dispose()
    return None


def check_told(error: errors.EcsvizError | None, *, named: bool = False) -> None:
    """Check what an error says; what was put where names of tables and types stand may be in it."""
    if error is None:
        return
    assert len(str(error)) < 2_000
    assert named or "quite another thing" not in str(error)
    corrupt = isinstance(error, errors.StorageCorruptError) and "type_name" in error.facts
    if corrupt or isinstance(error, errors.StoredDataInvalidError):
        assert error.table
        assert error.column
        assert error.table in str(error)
        assert error.column in str(error)
        assert hasattr(error, "row_id")


def test_a_wrong_value_in_any_cell(whole: Path, tmp_path: Path) -> None:
    """Only our errors come out, whatever is called; verify() lists every damaged row."""
    chance = random.Random(16)
    good = ev.SQLAlchemyEntityStorage(whole)
    kept = pickle.dumps(good.get(SHELF))
    good.engine.dispose()
    # Every eighth: all of them take minutes.
    for number, (cell, wrong, name) in enumerate(drawn(whole, chance)[::8]):
        path = copy_of(whole, tmp_path)
        before = content_of(path, cell)
        if not d.damage(path, cell, wrong):
            continue
        try:
            if number % 4 == 0:
                check_verified(path, cell, content_of(path, cell) != before)
            else:
                error = told({**d.READS, **d.WRITES}[name], path, pickle.loads(kept))
                check_told(error, named=cell.table == "ecs_types")
        except Exception as err:
            err.add_note(f"{wrong} in {cell}, {name}")
            raise


def check_verified(path: Path, cell: d.Cell, is_changed: bool) -> None:
    """verify() gives a frame, with a row where something is changed."""
    problems: list[Any] = []
    error = told(lambda store, _: problems.append(store.verify()), path, None)
    check_told(error, named=cell.table == "ecs_types")
    if error is not None:
        assert cell.table == "ecs_store"  # which version of the tables it is, nobody knows
    elif is_changed and cell.column != "position":  # as long as the order stays, so does the list
        assert len(problems[0]), "verify() says that all is well"


# -- valid values that mean nothing ----------------------------------------------------------

EDITS = {
    "a dangling foreign key": "UPDATE books SET after_id = 99 WHERE id = 2",
    "a dangling member": "UPDATE shelf_twice SET book_id = 99",
    "a dangling owner": "UPDATE shelf_best SET shelf_id = 99 WHERE position = 1",
    "a place twice": "UPDATE books SET shelf_position = 0",
    "no place": "UPDATE books SET shelf_position = NULL WHERE id = 1",
    "a required reference": "UPDATE books SET shelf_id = NULL WHERE id = 2",
    "two targets": "UPDATE books SET about_label_id = 1 WHERE id = 2",
    "no target": "UPDATE shelf_labels SET label_id = NULL",
    "an end before the beginning": "UPDATE books_history SET ecs_until = 1 WHERE ecs_revision = 4",
    "an end that never comes": "UPDATE shelfs_history SET ecs_until = 99",
    "a revision less": "DELETE FROM ecs_revisions WHERE number = 2",
    "the newest revision less": "DELETE FROM ecs_revisions WHERE number = 5",
    "no revision": "DELETE FROM ecs_revisions",
    "a row less": "DELETE FROM books WHERE id = 1",
    "a holder less": "DELETE FROM shelfs",
    "a link less": "DELETE FROM shelf_rooms",
    "an unknown class": "UPDATE ecs_types SET name = 'Shelve' WHERE name = 'Shelf'",
    "an unknown table": "UPDATE ecs_types SET table_name = 'nowhere' WHERE name = 'Label'",
    "a type less": "DELETE FROM ecs_types WHERE name = 'Label'",
    "an unknown target": "UPDATE ecs_types SET layout = replace(layout, '\"Label\":', '\"No\":')",
    "an unknown column": "UPDATE ecs_types SET layout = replace(layout, 'title', 'tittle')",
    "an unknown link table": "UPDATE ecs_types SET layout = replace(layout, 'shelf_best', 'best')",
    "too low a next id": "UPDATE ecs_types SET next_id = 1",
    "too high a next id": "UPDATE ecs_types SET next_id = 9223372036854775807",
    "the highest row": "UPDATE labels SET id = 9223372036854775807 WHERE id = 2",
    "a dropped table": "DROP TABLE shelf_best",
    "a dropped past": "DROP TABLE books_history",
}


@pytest.mark.parametrize("what", EDITS)
def test_values_that_mean_nothing(whole: Path, tmp_path: Path, what: str) -> None:
    """Whatever is asked, the answer is right or an error of ours; verify() sees the damage."""
    kept = pickle.dumps(ev.SQLAlchemyEntityStorage(whole).get(SHELF))
    damaged = copy_of(whole, tmp_path)
    edit(damaged, EDITS[what])
    problems: list[Any] = []
    error = told(lambda store, _: problems.append(store.verify()), damaged, None)
    assert error is None
    assert len(problems[0])
    hurt = damaged.read_bytes()
    for name, call in {**d.READS, **d.WRITES}.items():
        if name in d.SLOW:
            continue
        if name in d.WRITES:
            damaged.write_bytes(hurt)
        try:
            check_told(told(call, damaged, pickle.loads(kept)))
        except Exception as err:
            err.add_note(f"{name}: {what}")
            raise
