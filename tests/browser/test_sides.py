"""store.side_by_side() and store.resolve() in JupyterLab: sides are clicked."""

from __future__ import annotations

from tests.browser.lab import Notebook

CODE = """
import ecsviz as ev
thread = ev.ChatThread(title="Cycles")
question = thread.say("user", "What is a cycle?")
thread.say("assistant", "A way back.", parent=question)
thread.say("assistant", "A closed path.", parent=question)
store = ev.SQLAlchemyEntityStorage(":memory:")
w = store.side_by_side(store.register(thread))
w
"""
ROWS = ".ecsviz-sides table[data-table={}] tbody tr"


def test_either_side_is_clicked_and_the_other_is_marked(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open("sides", CODE)
    messages = page.locator(ROWS.format("chat_messages"))
    page.locator(".ecsviz-sides .ecsviz-explorer").wait_for()
    messages.first.wait_for()
    assert messages.count() == 3
    # what was asked for is marked: its row, and the keys that lead to it
    page.locator(f"{ROWS.format('chat_threads')}[data-chosen]").wait_for()
    assert page.locator("[data-leads-here]").count() == 3
    hidden = (
        "cells => { const box = cells[0].closest('.ecsviz-rows').getBoundingClientRect();"
        " return cells.filter(e => e.getBoundingClientRect().right > box.right).length }"
    )
    assert page.locator("[data-leads-here]").evaluate_all(hidden) == 0, "in sight, unmoved"
    # a row marks its object
    messages.nth(1).locator("td").last.click()
    notebook.wait_for("w.graph.selected == str(thread.messages[1].ecs_id)", expected=True)
    page.locator(".ecsviz-sides .ecsviz-explorer h3:has-text('A way back.')").first.wait_for()
    # a key marks the object to which it leads
    messages.nth(1).locator("[data-follow]").last.click()
    notebook.wait_for("w.selected == str(question.ecs_id)", expected=True)
    page.locator(f"{ROWS.format('chat_messages')}[data-chosen]:has-text('What is')").wait_for()
    # an object marks its rows: along a reference in the graph's own panel
    page.locator(".ecsviz-sides .ecsviz-links button").first.click()
    notebook.wait_for("w.selected == w.graph.selected != str(question.ecs_id)", expected=True)
    page.wait_for_function(
        "id => [...document.querySelectorAll('table[data-table] tr[data-chosen]')]"
        ".every(row => row.dataset.id === id)",
        arg=notebook.value("w.selected"),
    )
    # by keyboard
    messages.first.locator("button").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    notebook.wait_for("w.selected == str(thread.messages[1].ecs_id)", expected=True)
    for theme in ("Light", "Dark"):
        notebook.theme(theme)
        for width in (1400, 600):
            page.set_viewport_size({"width": width, "height": 1000})
            page.wait_for_timeout(800)
            wide = page.evaluate(
                "() => { const e = document.querySelector('.ecsviz-sides');"
                " return e.scrollWidth - e.clientWidth }"
            )
            assert wide <= 1, "nothing is cut at the side"
            notebook.shot(f"sides-{theme.lower()}-{width}", ".ecsviz-sides")
    notebook.theme("Light")
    page.set_viewport_size({"width": 1400, "height": 1000})


CONFLICT = """
import ecsviz as ev
store = ev.InMemoryEntityStorage()
thread = store.register(ev.ChatThread(title="Soup"))
other = store.get(thread.ecs_id)
other.title, thread.title = "Soup of peas, as my grandmother made it", "Soup of lentils"
_ = other.say("user", "How long?"), thread.say("user", "How hot?")
_ = store.register(other)
w = store.resolve(thread)
w
"""


def test_conflicts_are_chosen_side_by_side(notebook: Notebook) -> None:
    notebook.open("conflicts", CONFLICT)
    page = notebook.page
    page.locator("text=2 fields were changed both here and in the store.").first.wait_for()
    assert page.locator("text=Run this cell to explore it live.").first.is_hidden()
    page.get_by_role("button", name="Merge").click()
    page.locator("text=Not chosen yet: 2 conflicts").first.wait_for()
    page.get_by_role("button", name="all: in the store").click()
    notebook.wait_for("w.chosen", ["theirs", "theirs"])
    row = page.locator(".widget-hbox:has(.widget-toggle-buttons)", has_text="messages").last
    row.get_by_role("button", name="both").click()
    notebook.wait_for("sorted(w.chosen)", ["both", "theirs"])
    for theme in ("Light", "Dark"):
        notebook.theme(theme)
        for width in (1400, 600):
            page.set_viewport_size({"width": width, "height": 1000})
            page.wait_for_timeout(300)
            wide = "() => { const e = document.querySelector('.widget-vbox');"
            assert page.evaluate(f"{wide} return e.scrollWidth - e.clientWidth }}") <= 1
            notebook.shot(f"conflicts-{theme.lower()}-{width}", ".widget-vbox")
    page.set_viewport_size({"width": 1400, "height": 1000})
    page.get_by_role("button", name="Merge").click()
    page.locator("text=Merged. Register it").first.wait_for()
    assert notebook.value("[m.content for m in thread.messages]") == ["How hot?", "How long?"]
