"""The ground the widgets stand on, in a real JupyterLab."""

from __future__ import annotations

from ecsviz.widgets.base import STATIC
from tests.browser.lab import Notebook

TWO = """
import ecsviz as ev
from ecsviz.widgets import GraphExplorer
graph = ev.EntityDependencyGraph(ev.sample("chain", n=5))
asked = []
class Counting(GraphExplorer):
    def _send_library(self, message):
        asked.append(message["name"])
        super()._send_library(message)
a, b = Counting(graph), Counting(graph)
display(a, b, a)
"""
KNOWN = "() => [...globalThis[Symbol.for('ecsviz.libraries')].keys()]"


def test_a_library_stays_in_the_page_and_is_saved_in_no_notebook(notebook: Notebook) -> None:
    notebook.open("two", TWO)
    notebook.page.wait_for_function(
        "() => document.querySelectorAll('.ecsviz-picture[data-drawn]').length === 3"
    )
    # While it was on its way, each widget may have asked; from then on none does.
    assert notebook.value("set(asked) <= {'cytoscape'}")
    notebook.python("asked.clear(); a.view = b.view = 'groups'")
    notebook.page.wait_for_function(
        "() => document.querySelectorAll('.ecsviz-picture[data-drawn=groups]').length === 3"
    )
    assert notebook.value("asked") == []
    size = notebook.value("sum(len(v) for v in a.get_state().values() if isinstance(v, str))")
    assert 20_000 < size < 60_000, "what a notebook saves of our code"
    # Kernels of other versions send their own: what they draw by is a part of it.
    build = (STATIC / "sources.sha256").read_text(encoding="ascii")[:12]
    assert f"cytoscape {build}" in notebook.page.evaluate(KNOWN)


FORGET = "() => globalThis[Symbol.for('ecsviz.libraries')]?.clear()"
BUSY = """
import time
import ecsviz as ev
from ecsviz.widgets import base
base._brought.add("cytoscape")  # to a page that is gone
w = ev.EntityDependencyGraph(ev.sample("chain", n=5)).explore()
display(w)
time.sleep(6)
"""


def test_a_busy_kernel_keeps_nobody_from_looking(notebook: Notebook) -> None:
    notebook.page.evaluate(FORGET)
    notebook.open("busy", BUSY, wait=False)
    notebook.page.wait_for_selector(".ecsviz-picture[data-drawn=nodes]")
    points = notebook.page.locator(".ecsviz-picture [data-layer=points]")
    assert points.count() == 1
    assert "showing 5 of 5 entities" in notebook.page.inner_text(".ecsviz-status")
    points.wait_for(state="detached")
    assert notebook.value("w.view") == "all"


def test_all_views_of_a_widget_follow_its_state(notebook: Notebook) -> None:
    notebook.open("two", TWO)
    notebook.python("a.selected = graph.nodes[2]")
    notebook.page.wait_for_function(
        "() => [...document.querySelectorAll('.ecsviz-details')]"
        ".filter(details => details.textContent.includes('Node n3')).length === 2"
    )
    assert notebook.value("b.selected") is None


ASKED = """
import ecsviz as ev
from ecsviz.widgets.base import LiveWidget
asked, answer = [], globals().get("answer", LiveWidget._send_library)  # the cell is run twice
LiveWidget._send_library = lambda widget, message: (asked.append(message), answer(widget, message))
graph = ev.EntityDependencyGraph(ev.sample("chain", n=3))
w = graph.explore()
w
"""


def test_a_page_without_the_library_gets_it_with_the_widget(notebook: Notebook) -> None:
    notebook.page.evaluate(FORGET)
    notebook.open("brought", ASKED)
    notebook.page.wait_for_selector("[data-drawn=nodes]")
    assert notebook.value("[len(asked), len(w._library)]") == [0, 0]
    # The kernel stays, and another page asks.
    notebook.page.evaluate(FORGET)
    notebook.run_all()
    notebook.page.wait_for_selector("[data-drawn=nodes]")
    notebook.wait_for("len(asked)", 1)
