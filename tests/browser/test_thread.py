"""thread.explore() in a real JupyterLab."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.browser.conftest import Notebook

CHAT = """
import ecsviz as ev
thread = ev.sample("thread")
w = thread.explore()
w
"""
LEAF = "w.path[-1].source_id"


def test_a_thread_is_read_searched_and_switched(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open("thread", CHAT)
    page.wait_for_selector(".ecsviz-message")
    notebook.shot("thread-light", ".ecsviz-thread")
    # a click chooses
    bubble = page.locator(".ecsviz-message").nth(1)
    bubble.locator(".ecsviz-who").click()
    notebook.wait_for("w.selected == str(w.path[1].ecs_id)", True)
    assert page.locator(".ecsviz-message[data-chosen]").count() == 1
    # raw JSON, on demand
    page.locator("summary", has_text="Raw JSON").click()
    page.wait_for_function(
        "() => document.querySelector('.ecsviz-json').textContent.includes('\"role\"')"
    )
    # branches
    before = notebook.value("len(w.path)"), notebook.value(LEAF)
    assert before[0] > 1
    page.locator(".ecsviz-fork [data-turn='-1']:enabled").first.click()
    notebook.wait_for(f"{LEAF} != {before[1]!r}", True)
    notebook.wait_for("w.message in w.path", True)
    notebook.theme("Dark")
    notebook.shot("thread-dark", ".ecsviz-thread")
    notebook.theme("Light")
