"""The notebooks: clean in git, and every cell runs, twice."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ecsviz.cli.demo import NEEDED, report, tour

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: str(path.name))


def test_there_is_one() -> None:
    assert [path.name for path in NOTEBOOKS][:1] == ["01_tour.ipynb"]


@each
def test_it_is_stored_without_what_a_run_leaves(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
            pictured = "savefig(" in "".join(cell["source"])
            assert pictured == ("alt" in cell["metadata"]), "a picture is described in its alt"


def whole(outputs: list[Any]) -> list[Any]:
    """Put together what a cell has printed: a busy kernel hands it on in pieces."""
    result: list[Any] = []
    for output in outputs:
        last = result[-1] if result else {}
        if output["output_type"] == "stream" and last.get("name") == output["name"]:
            result[-1] = {**last, "text": last["text"] + output["text"]}
        else:
            result.append(dict(output))
    return result


def text_of(output: dict[str, Any]) -> str:
    return str(output.get("text") or output.get("data", {}).get("text/plain", ""))


@each
def test_every_cell_runs_and_runs_again(
    path: Path, tmp_path: Path, require_optional: Callable[[str], ModuleType]
) -> None:
    for name in NEEDED:
        require_optional(name)
    nbformat = require_optional("nbformat")
    notebook = nbformat.read(path, as_version=4)
    first = list(notebook.cells)
    for cell in copy.deepcopy(first):
        cell["id"] = f"{cell['id']}-again"
        notebook.cells.append(cell)
    # Every file goes below TMPDIR: no notebook writes where it lies.
    environment = report.environment(
        TMPDIR=str(tmp_path),
        MPLBACKEND="module://matplotlib_inline.backend_inline",
        PYDEVD_DISABLE_FILE_VALIDATION="1",
    )
    for name in ("ECSVIZ_DEMO_FILE", "ECSVIZ_DEMO_OUT"):
        environment.pop(name, None)
    before = set(path.parent.iterdir())
    tour._execute(notebook, tmp_path, environment, progress=False)
    assert set(path.parent.iterdir()) == before
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr", (cell["id"], text_of(output))
            assert "image/png" not in output.get("data", {}) or "alt" in cell.metadata


def test_the_tour_shows_what_its_prose_says(
    tmp_path: Path, require_optional: Callable[[str], ModuleType]
) -> None:
    for name in NEEDED:
        require_optional(name)
    notebook = require_optional("nbformat").read(NOTEBOOKS[0], as_version=4)
    # Pictures and widgets have had their turn above.
    notebook.cells = [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and not re.search(r"savefig|explore", cell.source)
    ]
    tour._execute(notebook, tmp_path, report.environment(TMPDIR=str(tmp_path)), progress=False)
    shown = {cell["id"]: "\n".join(map(text_of, whole(cell.outputs))) for cell in notebook.cells}
    assert shown["two-objects"] == shown["register"] == "True"
    assert shown["status"].splitlines() == [
        "CycleStatus.CYCLE_DETECTED",
        "[Cycle(ChatThread.messages[0] -> ChatMessage.thread)]",
        "['ChatThread', 'ChatMessage']",
    ]
    assert "2 new" in shown["explain"]
    assert "0 deferred" in shown["explain"]
    assert shown["identity"].count("True") == 3
    assert "the thread is at version 1, its message at version 2" in shown["change"]
    assert "StaleVersionError: " in shown["change"]
    assert "1 deferred" in shown["deferred"]
    assert "6 threads, 98 messages" in shown["read"]
    assert "components with a cycle: 6\n" in shown["cycles"]
    assert shown["chat-register"].startswith("0 new, 0 changed, 104 unchanged entities: 0 rows")
    assert shown["compare"] == "equal\n"
    process, other = re.findall(r"process (\d+), not (\d+): 6 threads", shown["new-process"])[0]
    assert process != other
