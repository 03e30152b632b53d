"""``explore()`` of a graph that stays in files: a part is clicked, and opens below."""

from __future__ import annotations

import pytest

from tests.browser.lab import Notebook
from tests.browser.test_explorer import PICTURE, click, drawn

pytest.importorskip("duckdb")

CODE = """
import ecsviz as ev
store = ev.SQLAlchemyEntityStorage(":memory:")
store.register([*ev.sample("chats"), *ev.sample("chain", n=5)])
graph = ev.scan_graph(store)
w = graph.explore()
w
"""


def test_a_part_opens_below_and_the_graph_is_divided_anew(notebook: Notebook) -> None:
    notebook.open("scale", CODE)
    page = notebook.page
    drawn(notebook, "nodes")
    names = notebook.value("[*w._quotient.sizes]")
    click(notebook, names.index("ChatThread"))
    notebook.wait_for("w.opened", "ChatThread")
    page.locator("text=ChatThread: all of 6 nodes.").first.wait_for()
    page.locator(".ecsviz-explorer").nth(1).wait_for()
    for theme in ("Light", "Dark"):
        notebook.theme(theme)
        for width in (1400, 600):
            page.set_viewport_size({"width": width, "height": 1400})
            page.wait_for_timeout(500)
            notebook.shot(f"scale-{theme.lower()}-{width}", ".jp-OutputArea-output .widget-vbox")
    page.set_viewport_size({"width": 1400, "height": 1000})
    page.get_by_role("button", name="components").click()
    notebook.wait_for("[w.by, w.opened, w.explorer]", ["component", None, None])
    page.locator("text=7 of 7 components. Click one to open it.").first.wait_for()
    assert page.locator(PICTURE).count() == 1
    drawn(notebook, "nodes")
    click(notebook, 0)
    notebook.wait_for("len(w.explorer.graph)", notebook.value("[*w._quotient.sizes.values()][0]"))
