"""The notebooks as they are stored: run, without what changes from run to run.

``python -m tests.notebooks`` (``make notebooks``) runs all of them, or those that are named, and
stores what they show.
"""

from __future__ import annotations

import copy
import html
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from ecsviz.cli.demo import report, tour

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
MARK = re.compile(r" ecsviz-[0-9a-f]{32}")
"""By what a widget that is alive finds what stands in for it: another at every run."""


def paths() -> list[Path]:
    """Return where the notebooks lie, in their order."""
    return sorted(FOLDER.glob("*.ipynb"))


def execute(notebook: Any, folder: Path) -> None:
    """Run a notebook that `nbformat` has read; what it writes goes below a folder."""
    environment = report.environment(
        TMPDIR=str(folder),
        MPLBACKEND="module://matplotlib_inline.backend_inline",
        PYDEVD_DISABLE_FILE_VALIDATION="1",
    )
    for name in ("ECSVIZ_DEMO_FILE", "ECSVIZ_DEMO_OUT"):
        environment.pop(name, None)
    tour._execute(notebook, folder, environment, progress=False)


def kept(outputs: list[Any]) -> list[dict[str, Any]]:
    """Return the outputs of a cell as they are stored.

    A widget's own output says nothing without a kernel: what stands in for it comes after it. What
    is printed may come in pieces, if the kernel is busy.
    """
    result: list[dict[str, Any]] = []
    for output in map(copy.deepcopy, outputs):
        last = result[-1] if result else {}
        if output["output_type"] == "stream" and last.get("name") == output["name"]:
            last["text"] += output["text"]
        elif tour.WIDGET not in output.get("data", {}):
            if "metadata" in output:
                output["metadata"] = {}
            result.append(dict(output))
    return result


def said(output: dict[str, Any]) -> str:
    """Return the text of an output: of a page's part without its marks, of a picture nothing."""
    data = output.get("data", {})
    if "text" in output:
        return joined(output["text"])
    if "image/png" in data:
        return "(a picture)"
    if "text/html" in data and "text/plain" not in data:
        page = re.sub(r"(?s)<style.*?</style>", "", joined(data["text/html"]))
        page = re.sub(r'<img\b[^>]*?alt="([^"]*)"[^>]*>', r"(\1)", page)
        return html.unescape(re.sub(r"\s*<[^>]*>\s*", " ", page)).strip()
    return joined(data.get("text/plain", ""))


def joined(text: str | list[str]) -> str:
    """Return a text that a file may hold line by line."""
    return text if isinstance(text, str) else "".join(text)


def renew(path: Path) -> None:
    """Run a notebook and store what it shows."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        execute(notebook, Path(folder))
    notebook.metadata = nbformat.from_dict(METADATA)
    for number, cell in enumerate(each for each in notebook.cells if each.cell_type == "code"):
        cell.metadata.pop("execution", None)
        cell.execution_count = number + 1
        cell.outputs = [nbformat.from_dict(output) for output in kept(cell.outputs)]
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = number + 1
            if "text/html" in output.get("data", {}):
                output.data["text/html"] = MARK.sub("", output.data["text/html"])
    text = nbformat.writes(notebook)
    path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    print(f"{path.name}: {len(text) / 1e6:.2f} MB")  # noqa: T201  # what it is for


if __name__ == "__main__":
    for one in paths():
        if not sys.argv[1:] or one.name in sys.argv[1:]:
            renew(one)
