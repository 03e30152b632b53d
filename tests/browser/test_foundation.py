"""The ground the widgets stand on, in a real JupyterLab."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.browser.conftest import Notebook

CELL = """
from ecsviz.widgets.base import LiveWidget
class Probe(LiveWidget):
    bundle = "explorer"
    def __repr__(self): return "Probe()"
w = Probe()
w
"""


def test_a_widget_shows_itself(notebook: Notebook) -> None:
    notebook.open("foundation", CELL)
    notebook.page.wait_for_selector(".ecsviz")
    assert notebook.value("w.selected") is None
    notebook.theme("Dark")
    notebook.shot("foundation")
    notebook.theme("Light")
