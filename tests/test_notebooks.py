"""The notebooks: short, with what they show, which is what a run shows; every cell runs twice."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ecsviz.cli.demo import NEEDED, tour
from tests.notebooks import METADATA, execute, joined, kept, paths, said

NOTEBOOKS = paths()
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: str(path.name))


def cells_of(path: Path, kind: str) -> list[dict[str, Any]]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == kind]


def test_they_are_there() -> None:
    assert [path.stem for path in NOTEBOOKS] == [
        "01_tour",
        "02_cycles_and_order",
        "03_objects_and_tables",
        "04_time_travel",
        "05_your_chats",
        "06_your_database",
        "07_your_models",
    ]


@each
def test_it_is_a_short_lesson(path: Path) -> None:
    first, *more = cells_of(path, "markdown")
    code = cells_of(path, "code")
    assert json.loads(path.read_text(encoding="utf-8"))["cells"][0] == first
    title, question = joined(first["source"]).split("\n\n")[:2]
    assert title.startswith("# ")
    assert "?**" in question, "it begins with a question"
    assert len(code) + len(more) < 25
    assert max(len(cell["source"]) for cell in code) <= 8, "lines of a cell"
    assert any("lessons.check(" in joined(cell["source"]) for cell in code), "an exercise"
    assert path.stat().st_size <= 1_500_000


@each
def test_it_is_stored_with_what_it_shows(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"] == METADATA, "no state of widgets"
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    pictures = 0
    code = cells_of(path, "code")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    for cell in code:
        shown = [output.get("data", {}) for output in cell["outputs"]]
        assert not any(tour.WIDGET in data for data in shown)
        drawn = any("image/png" in data for data in shown)
        assert drawn == ("alt" in cell["metadata"]), "a picture is described in its alt"
        pictures += drawn or any("<img " in joined(data.get("text/html", "")) for data in shown)
    assert pictures


@each
def test_every_cell_shows_what_is_stored_and_runs_again(
    path: Path, tmp_path: Path, require_optional: Callable[[str], ModuleType]
) -> None:
    for name in NEEDED:
        require_optional(name)
    notebook = require_optional("nbformat").read(path, as_version=4)
    stored = {cell["id"]: cell.get("outputs", []) for cell in notebook.cells}
    for cell in copy.deepcopy(notebook.cells):
        cell["id"] = f"{cell['id']}-again"
        notebook.cells.append(cell)
    # Every file goes below TMPDIR: no notebook writes where it lies.
    before = set(path.parent.iterdir())
    execute(notebook, tmp_path)
    assert set(path.parent.iterdir()) == before
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr", (cell["id"], said(output))
    for cell in cells[: len(cells) // 2]:
        now, then = (list(map(said, kept(one))) for one in (cell.outputs, stored[cell["id"]]))
        assert now == then, f"{cell['id']}: `make notebooks` stores what is shown now"
