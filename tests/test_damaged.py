"""What others have written into a store's tables is told as ours: table, row and column."""

from __future__ import annotations

import json
import os
import pickle
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests import damage as d
from tests.damage import SHELF
from tests.databases import fetched


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


def edit(path: Path, *statements: str) -> None:
    with d.unguarded(path) as conn:
        for statement in statements:
            conn.execute(statement)


# -- every cell, every wrong value -----------------------------------------------------------


def kind_of(cell: d.Cell, path: Path) -> str:
    """Return what kind of cell it is: those of a kind are read by the same code."""
    found = {row[1]: row[2] for row in fetched(path, f"PRAGMA table_info({cell.table})")}
    own = ("ecs_", "key", "position", "id")
    name = cell.column if cell.column.startswith(own) or cell.table.startswith("ecs_") else ""
    holder = cell.table if cell.table.startswith("ecs_") else ""
    past = "past" if name and cell.table.endswith("_history") else "now"
    reference = "reference" if cell.column.endswith("_id") and not name else ""
    place = "place" if cell.column.endswith("_position") else ""
    return " ".join((holder, past, found[cell.column], name, reference, place))


def drawn(whole: Path) -> list[tuple[d.Cell, str]]:
    """Return each kind of cell with each wrong value, in an order of chance."""
    chance = random.Random(16)
    kinds: dict[str, list[d.Cell]] = {}
    for cell in d.cells(whole):
        kinds.setdefault(kind_of(cell, whole), []).append(cell)
    result = [
        (chance.choice(cells), wrong)
        for kind, cells in kinds.items()
        for wrong in d.WRONG
        if wrong not in d.TEXTS or "TEXT" in kind
    ]
    chance.shuffle(result)
    return result


@pytest.fixture(scope="session")
def shelf(whole: Path) -> bytes:
    """A shelf that was read while all was well, pickled."""
    with d.opened(whole) as store:
        return pickle.dumps(store.get(SHELF))


def test_all_that_is_asked_has_an_answer(path: Path, shelf: bytes, tmp_path: Path) -> None:
    """Or nothing would be tried below."""
    other = tmp_path / "other.db"
    with d.opened(path) as store:
        for name, call in {**d.READS, **d.WRITES}.items():
            at: Any = store
            if name in d.WRITES:
                at = other
                other.write_bytes(path.read_bytes())
            assert d.told(call, at, pickle.loads(shelf)) is None, name


SWEEP = os.environ.get("ECSVIZ_SWEEP", "1/8")
"""Which part of all damages is tried: every eighth. ``1/1`` tries them all, which takes minutes,
and ``3/20`` the third part of twenty. With ``all`` everything is asked of each, for hours."""


def is_in_part(number: int) -> bool:
    part, _, parts = SWEEP.partition("/")
    return SWEEP == "all" or number % int(parts) == int(part) - 1


def asked(number: int) -> list[str]:
    """Return what is asked of a damaged store: something else of each, or everything."""
    reads = [name for name in d.READS if name not in d.SLOW]
    if SWEEP == "all":
        return [*reads, *d.WRITES]
    if number % 4:
        return [reads[number % len(reads)]]
    # Each on a copy, which is opened for it.
    return [list(d.WRITES)[number // 4 % len(d.WRITES)]]


def test_a_wrong_value_in_any_cell(path: Path, shelf: bytes, tmp_path: Path) -> None:
    """Only our errors come out, whatever is called."""
    other = tmp_path / "other.db"
    with d.damaged(path) as file, d.opened(path) as store:
        pairs = [pair for n, pair in enumerate(drawn(path)) if is_in_part(n)]
        for number, (cell, wrong) in enumerate(pairs):
            file.put(cell, wrong)
            for name in asked(number):
                # What a store says of itself is read when it is opened.
                at: Any = path if cell.table.startswith("ecs_") else store
                if name in d.WRITES:
                    at = other
                    other.write_bytes(path.read_bytes())
                try:
                    error = d.told({**d.READS, **d.WRITES}[name], at, pickle.loads(shelf))
                    d.check_told(error, named=cell.table == "ecs_types")
                except Exception as err:
                    err.add_note(f"{wrong} in {cell}, {name}")
                    raise
            file.mend()
        assert not len(store.verify())


def batches(pairs: list[tuple[d.Cell, str]]) -> list[list[tuple[d.Cell, str]]]:
    """Put together what does not touch each other: one damage of each row, one of all links."""
    result: list[dict[Any, tuple[d.Cell, str]]] = []
    for cell, wrong in pairs:
        row = "links" if cell.table.startswith("shelf") else (cell.table, cell.rowid)
        if cell.table in ("ecs_store", "ecs_types"):
            result.append({None: (cell, wrong)})  # of the rest nothing can be said
            continue
        free = next((one for one in result if row not in one and None not in one), None)
        if free is None:
            result.append(free := {})
        free[row] = (cell, wrong)
    return [list(one.values()) for one in result]


def is_listed(cell: d.Cell, problems: Any) -> bool:
    """Tell whether verify() tells of a damaged row: by its number, if that is still there."""
    tables = {cell.table}
    if cell.table == "ecs_store":
        tables |= {"ecs_types"}  # which are sealed together
    if cell.table.startswith("shelf_"):  # links are a part of what holds them
        tables |= {"shelfs", "shelfs_history"}
    found = problems[problems["table"].isin(tables)]
    if cell.table in ("books", "labels", "shelfs") and cell.column != "id":
        found = found[found["row"] == str(cell.rowid)]
    return len(found) > 0


def test_verify_lists_every_damaged_row(path: Path) -> None:
    with d.damaged(path) as file, d.opened(path) as store:
        for batch in [one for n, one in enumerate(batches(drawn(path))) if is_in_part(n)]:
            # As long as the order of links stays, so does the list.
            changed = [
                (cell, wrong)
                for cell, wrong in batch
                if file.put(cell, wrong) and not file.is_number(cell, "position")
            ]
            found: list[Any] = []
            of_itself = batch[0][0].table in ("ecs_store", "ecs_types")
            at: Any = path if of_itself else store
            error = d.told(lambda store, _, found=found: found.append(store.verify()), at, None)
            if error is not None:
                d.check_told(error, named=True)
                # Which version of the tables it is, nobody knows.
                assert batch[0][0].table == "ecs_store", changed
            for cell, wrong in changed if error is None else ():
                assert is_listed(cell, found[0]), (cell, wrong, found[0].to_string())
            file.mend()


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
    "an end of a link alone": "UPDATE shelf_rooms_history SET ecs_until = 2",
    "a table of no name": "UPDATE ecs_types SET table_name = char(97, 0, 98) WHERE name = 'Label'",
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
    "a column for two": "UPDATE ecs_types SET layout = json_set(layout, '$.pages.column', 'title')"
    " WHERE name = 'Book'",
    "a column of ours": "UPDATE ecs_types SET layout = json_set(layout, '$.pages.column', 'ecs_id')"
    " WHERE name = 'Book'",
    "a link table for two": "UPDATE ecs_types SET layout ="
    " json_set(layout, '$.twice.table', 'shelf_best') WHERE name = 'Shelf'",
    "too low a next id": "UPDATE ecs_types SET next_id = 1",
    "too high a next id": "UPDATE ecs_types SET next_id = 9223372036854775807",
    "the highest row": "UPDATE labels SET id = 9223372036854775807 WHERE id = 2",
    "a dropped table": "DROP TABLE shelf_best",
    "a dropped past": "DROP TABLE books_history",
}


@pytest.mark.parametrize("what", EDITS)
def test_values_that_mean_nothing(path: Path, shelf: bytes, what: str) -> None:
    """Whatever is asked, the answer is right or an error of ours; verify() sees the damage."""
    edit(path, EDITS[what])
    with d.opened(path) as store:
        assert len(store.verify())
        hurt = path.read_bytes()
        turn = [*EDITS].index(what) % 2
        for number, (name, call) in enumerate({**d.READS, **d.WRITES}.items()):
            if name in d.SLOW or (name in d.WRITES and number % 2 == turn):
                continue  # each way of writing meets every other damage
            if name in d.WRITES:
                path.write_bytes(hurt)
            try:
                at: Any = path if name in d.WRITES else store
                d.check_told(d.told(call, at, pickle.loads(shelf)))
            except Exception as err:
                err.add_note(f"{name}: {what}")
                raise


ROOMS = """UPDATE shelfs SET rooms = '[{"name": "x", "label": {"$ref": %s}}]'"""


@pytest.mark.parametrize(
    ("statement", "call", "place"),
    [
        (ROOMS % -1, "get", ("shelfs", "rooms")),
        (ROOMS % "false", "get", ("shelfs", "rooms")),
        (ROOMS % 99, "get", ("shelfs", "rooms")),
        (
            """UPDATE books SET ecs_exact = '{"title": ["x"]}' WHERE id = 1""",
            "get",
            ("books", "title"),
        ),
        (
            "UPDATE shelfs_history SET ecs_until = 99",
            "get as_of 5",
            ("shelfs_history", "ecs_until"),
        ),
    ],
)
def test_nothing_is_read_as_something_else(
    path: Path, statement: str, call: str, place: tuple[str, str]
) -> None:
    """The last of several, the first for false, a list for a text, one of two states."""
    edit(path, statement)
    calls = {**d.READS, "get as_of 5": lambda s, _: s.get(SHELF, as_of=5)}
    with d.opened(path) as store:
        error = d.told(calls[call], store, None)
    assert error is not None
    assert (error.table, error.column) == place  # type: ignore[attr-defined]  # of invalid data


# -- where fields are stored ------------------------------------------------------------------


def places(path: Path) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Return one field of every kind: by what its place says, its type, its name, its place."""
    rows = fetched(path, "SELECT name, layout FROM ecs_types")
    layouts = {name: json.loads(text) for name, text in rows}
    return {
        " ".join(key for key in sorted(place) if place[key] is not None): (name, field, place)
        for name, layout in layouts.items()
        for field, place in layout.items()
    }


def test_a_place_that_is_none_is_told(whole: Path, tmp_path: Path, shelf: bytes) -> None:
    """Each part of each kind of place is left out, nothing, no text, or that of another kind."""
    found = places(whole)
    assert {"column", "columns inverse position required", "columns table"} <= set(found)
    tried = [
        (name, field, changed)
        for name, field, place in found.values()
        for changed in (
            *({k: v for k, v in place.items() if k != key} for key in place),
            *({**place, key: wrong} for key in place for wrong in (None, [])),
            {**place, "columns": dict.fromkeys(place.get("columns", ()))},
            *(other for *_, other in found.values() if set(other) != set(place)),
        )
    ]
    wrong = Counter[str]()
    for name, field, changed in tried:
        path = copy_of(whole, tmp_path)
        said = json.dumps(changed).replace("'", "''")
        edit(
            path,
            f"UPDATE ecs_types SET layout = json_set(layout, '$.{field}', json('{said}'))"
            f" WHERE name = '{name}'",
        )
        with d.opened(path) as store:
            for call in ("verify", "get", "graph told", "migrate dry"):
                answer = d.told(d.READS[call], store, pickle.loads(shelf))
                d.check_told(answer)
                wrong[call] += isinstance(answer, Exception)
    assert min(wrong["get"], wrong["migrate dry"]) > len(tried) // 4
