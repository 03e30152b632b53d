"""Widgets of others beside ours, in a JupyterLab: the live half of `benchmarks.pictures`.

Each is used as its own documentation begins: a networkx graph is given to it, with names where it
has a word for them. The page gets some seconds for the layouts that move; what it asks of the
network is refused, and told.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from tests.browser.lab import FLAGS, Lab, Notebook, opened, running_lab

WIDE = {"width": 1100, "height": 1000}
SHOWN = """
from benchmarks.pictures import GRAPHS, labelled
graph = GRAPHS[{name!r}]()
whole = labelled(graph)
few = len(whole) <= 100
"""
CELLS = {
    "ecsviz, explorer": "graph.explore(pairs=False, height=620)",
    "ipycytoscape": """
import ipycytoscape
w = ipycytoscape.CytoscapeWidget(layout={"height": "620px"})
w.graph.add_graph_from_networkx(whole, directed=True)
labels = {"content": "data(label)", "font-size": 10} if few else {}
w.set_style([
    {"selector": "node", "css": {"background-color": "#11479e", **labels}},
    {
        "selector": "edge.directed",
        "style": {"curve-style": "bezier", "target-arrow-shape": "triangle"},
    },
])
w
""",
    "ipysigma": """
from ipysigma import Sigma
Sigma(
    whole,
    node_size=whole.degree,
    node_label="label",
    node_metrics=["louvain"],
    node_color="louvain",
    start_layout=6,
    height=620,
    default_edge_type="arrow",
)
""",
    "yFiles": """
from yfiles_jupyter_graphs import GraphWidget
w = GraphWidget(graph=whole, graph_layout="hierarchical" if len(whole) <= 200 else "organic")
w.directed = True
w
""",
}
MODULES = {
    "ipycytoscape": "ipycytoscape",
    "ipysigma": "ipysigma",
    "yFiles": "yfiles_jupyter_graphs",
    "pyvis": "pyvis",
}


def tools() -> list[str]:
    """Return which of them are here."""
    if find_spec("playwright") is None or find_spec("jupyterlab") is None or not _program():
        return []
    return [tool for tool in (*CELLS, "pyvis") if tool not in MODULES or find_spec(MODULES[tool])]


def _program() -> str | None:
    return shutil.which("chromium") or shutil.which("google-chrome")


class Pages:
    """A JupyterLab, and a Chromium with WebGL; layouts that move have some seconds."""

    def __init__(self, browser: Any, lab: Lab, folder: Path, seconds: float) -> None:
        self.browser, self.settled = browser, 1_000 * seconds
        self._where = lab, folder
        self._open = ExitStack()
        self.anew()

    def anew(self) -> None:
        """Open another page, whatever the one before does."""
        self.close()
        self.notebook: Notebook = self._open.enter_context(opened(self.browser, *self._where))

    def close(self) -> None:
        """Leave the page."""
        self._open.close()

    def shots(self, name: str, wanted: list[str], page: str | None) -> Iterator[tuple[str, bytes]]:
        """Return pictures of widgets of one graph; ``page`` is pyvis' HTML."""
        for tool in (tool for tool in wanted if tool in CELLS):
            if (data := self._output(name, tool)) is not None:
                yield tool, data
        self._told("a widget")
        if page is not None:
            yield "pyvis", self._whole_page(page)

    def _output(self, name: str, tool: str) -> bytes | None:
        from playwright.sync_api import TimeoutError as TooSlow

        page = self.notebook.page
        try:
            self.notebook.open("pictures", SHOWN.format(name=name), CELLS[tool])
            page.wait_for_timeout(self.settled)
            output = page.locator(".jp-Cell").nth(1).locator(".jp-OutputArea")
            data: bytes = output.screenshot(timeout=60_000)
        except TooSlow:
            print(f"  {tool} keeps the page from answering", flush=True)
            self.anew()
            return None
        return data

    def _whole_page(self, html: str) -> bytes:
        context = self.browser.new_context(viewport=WIDE)
        try:
            page = context.new_page()
            page.on("request", self._noted)
            page.set_content(html, wait_until="domcontentloaded", timeout=120_000)
            page.wait_for_timeout(self.settled)
            self._told("pyvis")
            data: bytes = page.screenshot(timeout=120_000)
            return data
        finally:
            context.close()

    def _noted(self, request: Any) -> None:
        if request.url.startswith("http"):
            self.notebook.outside.append(request.url)

    def _told(self, who: str) -> None:
        hosts = sorted({str(urlsplit(url).hostname) for url in self.notebook.outside})
        if hosts:
            print(f"  {who} asked {', '.join(hosts)}", flush=True)
        self.notebook.outside.clear()


@contextmanager
def opened_pages(seconds: float) -> Iterator[Pages]:
    """Open them."""
    from playwright.sync_api import sync_playwright

    flags = [*(flag for flag in FLAGS if flag != "--disable-gpu"), "--use-angle=swiftshader"]
    flags += ["--enable-unsafe-swiftshader"]
    with (
        TemporaryDirectory() as folder,
        running_lab(Path(folder, "lab")) as lab,
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=_program(), args=flags)
        with closing(Pages(browser, lab, Path(folder), seconds)) as pages:
            yield pages
        browser.close()
