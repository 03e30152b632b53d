"""What becomes of an explorer in other front ends: pages and slides of nbconvert."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import ecsviz as ev

IMAGES = """() => [...document.images].map((image) => [
  image.alt, image.naturalWidth > 500, image.checkVisibility(),
])"""


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
