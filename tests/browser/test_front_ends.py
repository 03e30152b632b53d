"""What becomes of explorers in other front ends than JupyterLab.

Notebook 7 and Voila are served by the JupyterLab of the other tests, whose server they extend.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import ecsviz as ev
from tests.browser.lab import IDLE, PATIENCE, ROOT, Lab, free_port, notebook_of, running, watch

IMAGES = """() => [...document.images].map((image) => [
  image.alt, image.naturalWidth > 500, image.checkVisibility(),
])"""
ALT = "The dependency graph: 3 entities, 6 references, 1 cyclic component."
MADE = """
import ecsviz as ev
thread = ev.ChatThread(title="Cycles")
question = thread.say("user", "What is a cycle?")
thread.say("assistant", "A **way** back.", question)
store = ev.InMemoryEntityStorage()
store.register(thread)
graph = ev.EntityDependencyGraph(thread)
"""
CELLS = (f"{MADE}\ngraph.explore()", "thread.explore()", "store.explore()")
# How much of the output each widget takes, through the shadows that pages keep them in.
WIDTHS = """(output) => {
  const found = [];
  const look = (root) => {
    for (const one of root.querySelectorAll("*")) {
      if (one.matches(".ecsviz")) {
        let around = one;
        while (!around.matches(output)) around = around.parentElement ?? around.getRootNode().host;
        found.push(one.getBoundingClientRect().width / around.getBoundingClientRect().width);
      } else if (one.shadowRoot) look(one.shadowRoot);
    }
  };
  look(document);
  return found;
}"""


@dataclass
class Visit:
    """A page of a front end."""

    page: Any
    outside: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def explore(self) -> None:
        """Look at what the explorers show, and have Python answer each."""
        page = self.page
        page.wait_for_selector(".ecsviz-picture[data-drawn=nodes]")
        page.locator("[data-do=order-next]").first.click()
        page.wait_for_selector(".ecsviz-details h3:has-text('ChatThread Cycles')")
        page.wait_for_selector(".ecsviz-thread strong:has-text('way')")  # by a library of its own
        for row in (1, 0):  # a widget in a widget, and another graph in it
            page.locator(".ecsviz-store [data-pick]").nth(row).click()
            around = page.locator(".ecsviz-store .ecsviz-explorer")
            around.locator("[data-drawn=nodes]").wait_for()
            around.locator(f"h3:has-text('{('What', 'A **way**')[row]}')").wait_for()

    def uses_the_width(self, output: str) -> None:
        """Hold every widget to the width of the output that it stands in."""
        shares = self.page.evaluate(WIDTHS, output)
        assert len(shares) >= 3
        assert min(shares) > 0.95

    def has_no_still(self) -> None:
        """Hold the page to hide what stands in for a widget that is not alive."""
        for image in self.page.locator(f'img[alt="{ALT}"]').all():
            assert not image.is_visible()
        assert not self.page.get_by_text("Run this cell to explore it live.").first.is_visible()


@pytest.fixture(name="visit")
def _visit(chromium: Any) -> Iterator[Visit]:
    context = chromium.new_context(viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(PATIENCE * 1_000)
    visit = Visit(context.new_page())
    watch(visit.page, visit.outside, visit.faults)
    yield visit
    folder = Path(os.environ.get("ECSVIZ_SCREENSHOTS") or Path(__file__).parent / "screenshots")
    name = os.environ["PYTEST_CURRENT_TEST"].split("::")[-1].split(" ")[0]
    visit.page.screenshot(path=folder / f"{name}.png", full_page=True)
    context.close()
    # Scripts of widgets come from blobs; a front end may have faults of its own.
    assert [fault for fault in visit.faults if "blob:" in fault or "dialog" in fault] == []


def book(lab: Lab) -> None:
    text = json.dumps(notebook_of(CELLS))
    (lab.folder / "front-ends.ipynb").write_text(text, encoding="utf-8")


def test_notebook_7(lab: Lab, visit: Visit, require_optional: Callable[[str], ModuleType]) -> None:
    require_optional("notebook")
    book(lab)
    page = visit.page
    page.goto(f"{lab.url}/notebooks/front-ends.ipynb?token={lab.token}")
    page.wait_for_function("() => window.jupyterapp?.restored")
    page.wait_for_function(IDLE)
    page.evaluate("() => jupyterapp.commands.execute('notebook:run-all-cells')")
    visit.explore()
    visit.uses_the_width(".jp-OutputArea-output")
    visit.has_no_still()
    page.evaluate(
        "() => jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Dark' })"
    )
    page.wait_for_selector(".ecsviz-explorer.ecsviz-dark")
    page.evaluate(
        "() => jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Light' })"
    )
    page.wait_for_selector(".ecsviz-explorer:not(.ecsviz-dark)")
    assert visit.outside == []


def test_voila(lab: Lab, visit: Visit, require_optional: Callable[[str], ModuleType]) -> None:
    require_optional("voila")
    book(lab)
    visit.page.goto(f"{lab.url}/voila/render/front-ends.ipynb?token={lab.token}&theme=dark")
    visit.explore()
    visit.uses_the_width(".jp-OutputArea-output")
    visit.has_no_still()
    visit.page.wait_for_selector(".ecsviz-explorer.ecsviz-dark")
    own = ("/npm/@fortawesome/", "/ajax/libs/mathjax/")  # Voila asks for these, whatever it shows
    assert [url for url in visit.outside if not any(part in url for part in own)] == []


APP = f"""# /// script
# [tool.marimo.display]
# theme = "system"
# ///
import marimo

app = marimo.App(width="full")

with app.setup:
    import marimo as mo
{MADE.replace(chr(10), chr(10) + "    ")}

@app.cell
def _():
    explorer = mo.ui.anywidget(graph.explore())
    explorer
    return (explorer,)


@app.cell
def _(explorer):
    mo.plain_text("the value: " + ", ".join(explorer.value))


@app.cell
def _(explorer):
    mo.plain_text(f"the step: {{explorer.value['step']}}")


@app.cell
def _():
    thread.explore()


@app.cell
def _():
    store.explore()


@app.cell
def _():
    ev.ChatThreads([thread]).explore()
"""


def test_marimo(
    tmp_path: Path, visit: Visit, require_optional: Callable[[str], ModuleType]
) -> None:
    require_optional("marimo")
    (folder := tmp_path / "app").mkdir()
    (folder / "app.py").write_text(APP, encoding="utf-8")
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "marimo", "--quiet", "run", "--headless", "--no-token"]
    command += ["--host=127.0.0.1", f"--port={port}", "app.py"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(tmp_path)}
    page = visit.page
    with running(command, f"{url}/health", folder, environment):
        page.goto(url)
        visit.explore()
        visit.uses_the_width(".output-area")
        assert page.locator(f'img[alt="{ALT}"]').count() == 0
        # A cell that uses the value runs again when the reader has done something.
        page.get_by_text("the step: 1").wait_for()
        value = page.get_by_text("the value: ").first.inner_text()
        names = value.removeprefix("the value: ").split(", ")
        assert "selected" in names
        assert [name for name in names if name.startswith("_")] == []
        page.locator(".ecsviz-threads tbody button").click()
        page.get_by_text("marimo makes widgets in cells only.").wait_for()
        page.emulate_media(color_scheme="dark")
        page.wait_for_selector(".ecsviz-explorer.ecsviz-dark")
        assert visit.outside == []


@pytest.mark.parametrize("kind", ["HTMLExporter", "SlidesExporter"])
def test_nbconvert_shows_the_still_picture(
    kind: str, tmp_path: Path, chromium: Any, require_optional: Callable[[str], ModuleType]
) -> None:
    exporter = getattr(require_optional("nbconvert"), kind)()
    make = require_optional("nbformat").v4
    thread = ev.ChatThread(title="Cycles")
    thread.say("user", "What is a cycle?")
    explorer = ev.EntityDependencyGraph(thread).explore()
    data, _ = explorer._repr_mimebundle_()
    shown = [{"text/html": data.pop("text/html")}, data]  # as they stand in a saved notebook
    outputs = [make.new_output("display_data", output) for output in reversed(shown)]
    book = make.new_notebook(cells=[make.new_code_cell("graph.explore()", outputs=outputs)])
    path = tmp_path / "book.html"
    path.write_text(exporter.from_notebook_node(book)[0], encoding="utf-8")
    context = chromium.new_context(offline=True)
    page = context.new_page()
    page.goto(path.as_uri(), wait_until="domcontentloaded")
    page.wait_for_selector("img")
    page.wait_for_function("() => document.images[0].complete")
    alt = "The dependency graph: 2 entities, 2 references, 1 cyclic component."
    assert page.evaluate(IMAGES) == [[alt, True, True]]
    assert "Run this cell to explore it live." in page.inner_text("body")
    context.close()
