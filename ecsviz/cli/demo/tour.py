"""The tour: a notebook that is executed, shown as HTML, or opened in JupyterLab."""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import ecsviz
from ecsviz.basics.addresses import short_path
from ecsviz.basics.html import picture
from ecsviz.basics.text import counted
from ecsviz.cli.demo.report import STORE, DemoError, Report, environment
from ecsviz.graph.dependency_graph import EntityDependencyGraph

NOTEBOOK = "01_tour.ipynb"
FOLDER = "ecsviz-demo"
REPORT = "ecsviz-demo.json"
"""Stands in every folder that a demo has written, and so marks it as one."""
STORES = ("two.db", "past.db", STORE)
"""What the notebook makes, or once made, beside pictures."""
PAGE = "chats.html"
"""The page that one sends."""
LARGEST = 2_000
"""Of how many entities: a page of some 5 MB, made in a second or two."""
NEEDED = ("nbclient", "nbconvert", "ipykernel")
"""What executing the notebook takes; the extra ``lab`` installs it."""

CELL_SECONDS = 1800
"""How long one cell of the notebook may take: a very large export takes minutes."""


def notebook_path() -> Path:
    """Return where the tour lies: in an installed package, or beside it in the repository.

    Raises
    ------
    DemoError
        If it is in neither place.
    """
    package = Path(ecsviz.__file__).parent
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if (folder / NOTEBOOK).is_file():
            return folder / NOTEBOOK
    raise DemoError(
        f"The notebook {NOTEBOOK} is missing in this installation. Install ecsviz again.",
        notebook=NOTEBOOK,
    )


def missing_of(modules: tuple[str, ...]) -> list[str]:
    """Return which modules are not installed."""
    return [name for name in modules if importlib.util.find_spec(name) is None]


def require(modules: tuple[str, ...]) -> None:
    """Raise if something that notebooks need is not installed.

    Raises
    ------
    DemoError
        Naming the modules, and what installs them.
    """
    if missing := missing_of(modules):
        raise DemoError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed."
            " Notebooks need the extra 'lab': pip install 'ecsviz[lab]'",
            missing=missing,
        )


def prepare_folder(folder: str | os.PathLike[str]) -> Path:
    """Return a folder that the demo may write to, without what an earlier demo left there.

    Raises
    ------
    DemoError
        If it holds anything else, or cannot be made.
    """
    path = Path(folder)
    try:
        if path.is_dir() and any(path.iterdir()) and not (path / REPORT).is_file():
            raise DemoError(
                f"The folder {short_path(path)} holds other files. Name another one with"
                " --out, or empty it.",
                folder=str(path),
            )
        path.mkdir(parents=True, exist_ok=True)
        # With its journals: a new database beside an old journal would be undone by it.
        for old in (each for store in STORES for each in path.glob(f"{store}*")):
            old.unlink()
        (path / REPORT).write_text("{}\n", encoding="utf-8")
    except OSError as err:
        raise DemoError(
            f"The folder {short_path(path)} cannot be written to:"
            f" {err.strerror or err}. Name another one with --out.",
            folder=str(path),
        ) from err
    return path.resolve()


def write_page(report: Report, folder: Path) -> Path | None:
    """Write the explorer of what was read as a page that is alive without Python.

    Parameters
    ----------
    report
        What `measure` found.
    folder
        Where it is written.

    Returns
    -------
    Path or None
        The page: of all chats, or of the largest one where all are too many; None where that is
        too large as well.
    """
    fitting = [chat for chat in report.chats if len(chat.messages) < LARGEST]
    shown = report.chats if report.entities <= LARGEST else fitting
    if shown is fitting:
        shown = sorted(fitting, key=lambda chat: len(chat.messages))[-1:]
    if not shown:
        return None
    title = f"{report.source}: {counted(len(shown), 'chat')}"
    look: dict[str, Any] = {"pairs": False, "height": 640}  # a tree for each chat
    if any(chat.messages for chat in shown):
        look["color_by"] = "role"
    graph = EntityDependencyGraph(shown)
    page: Path = graph.to_html(folder / PAGE, interactive=True, title=title, **look)
    return page


def run_notebook(
    folder: Path, source: str | os.PathLike[str] | None = None, *, progress: bool = False
) -> Path:
    """Execute the tour, and write it as HTML, with its pictures and its store, to a folder.

    Parameters
    ----------
    folder
        Where everything is written; see `prepare_folder`.
    source
        The chats to use; None for those that ship with the package.
    progress
        Whether to show a progress bar.

    Returns
    -------
    Path
        The HTML file. It holds everything it shows; it runs no script and asks no server.

    Raises
    ------
    DemoError
        If a cell fails; the HTML then goes as far as the cell.
    """
    require(NEEDED)
    import nbformat
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook = nbformat.read(notebook_path(), as_version=4)  # type: ignore[no-untyped-call]  # untyped
    more = {
        "ECSVIZ_DEMO_OUT": str(folder),
        # Whatever backend the caller's environment names: here figures belong into cells.
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # the debugger's remarks about frozen modules
        # Empty for none, so that the caller's environment does not give another one.
        "ECSVIZ_DEMO_FILE": "" if source is None else str(Path(source).resolve()),
    }
    failed: Exception | None = None
    try:
        _execute(notebook, folder, environment(**more), progress)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as err:
        failed = err
    page = folder / "tour.html"
    page.write_text(_to_html(notebook), encoding="utf-8")
    if failed is not None:
        error = getattr(failed, "ename", type(failed).__name__)
        raise DemoError(
            f"A cell of the notebook failed with {error}; {page} shows which.",
            page=str(page),
            error=error,
        ) from failed
    return page


def _execute(notebook: Any, folder: Path, env: dict[str, str], progress: bool) -> None:
    import zmq
    from ipykernel.kernelspec import get_kernel_dict
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from tqdm import tqdm
    from traitlets import default

    class ThisPython(AsyncKernelManager):
        """A kernel of this very Python, whatever kernels the user has installed elsewhere."""

        @property
        def kernel_spec(self) -> KernelSpec:
            return KernelSpec(**get_kernel_dict())

        @default("transport_encryption")  # since jupyter_client 8.10; unknown and unused before
        def _encrypted(self) -> str:
            return "auto" if zmq.has("curve") else "disabled"

    cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    bar = tqdm(total=cells, desc="notebook", unit="cell", leave=False, disable=not progress)
    client = NotebookClient(
        notebook,
        kernel_manager_class=ThisPython,
        timeout=CELL_SECONDS,
        store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
        on_cell_executed=lambda **_: bar.update(),
    )
    with contextlib.closing(bar):
        client.execute(env=env)


WIDGET = "application/vnd.jupyter.widget-view+json"
POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';'
    " style-src 'unsafe-inline'; img-src data:; font-src data:\">"
)
"""What chats say was written by others: nothing in the page may run or fetch anything."""


def _to_html(notebook: Any) -> str:
    from nbconvert import HTMLExporter

    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        # A dead widget shows nothing; what stands in for it is the output after it.
        cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
        for output in cell.outputs:
            data = output.get("data", {})
            if "image/png" in data:
                alt = cell.metadata.get("alt", "a picture made by the cell above")
                data["text/html"] = str(picture(base64.b64decode(data["image/png"]), alt))
    resources = {"metadata": {"name": "A tour of ecsviz"}}
    exporter: Any = HTMLExporter(template_name="lab")  # type: ignore[no-untyped-call]  # untyped
    page, _ = exporter.from_notebook_node(notebook, resources=resources)
    text: str = page
    return text.replace("<head>", f"<head>\n{POLICY}", 1)


# -- JupyterLab ------------------------------------------------------------------------------


def start_lab(folder: str | os.PathLike[str] | None = None) -> int:
    """Open JupyterLab on the notebooks, and wait until it ends.

    Parameters
    ----------
    folder
        Which folder to open. None takes that of the repository; an installed package's notebooks
        are copied to ``ecsviz-notebooks`` in the current folder, where you may change them.

    Returns
    -------
    int
        JupyterLab's exit code.

    Raises
    ------
    DemoError
        If JupyterLab is not installed.
    """
    require(("jupyterlab",))
    opened = Path(folder) if folder is not None else _notebooks()
    command = [sys.executable, "-m", "jupyterlab", str(opened)]
    done = subprocess.run(command, env=environment(), check=False)  # noqa: S603 - this Python
    return done.returncode


def _notebooks() -> Path:
    tour = notebook_path()
    if tour.parent.parent != Path(ecsviz.__file__).parent:
        return tour.parent
    own = Path("ecsviz-notebooks")
    own.mkdir(exist_ok=True)
    for path in sorted(tour.parent.glob("*.ipynb")):
        if not (own / path.name).exists():  # never over one that was changed
            shutil.copyfile(path, own / path.name)
    return own
