"""A walkthrough in JupyterLab: forth and back, predicted, light and dark, narrow and wide."""

from __future__ import annotations

import shutil

import pytest

from tests.browser.lab import Notebook
from tests.notebooks import FOLDER, paths

CODE = """
import ecsviz as ev
thread = ev.ChatThread(title="Cycles")
thread.say("user", "What is a cycle?")
thread.say("assistant", "A way back.")
walk = ev.EntityDependencyGraph(thread).walkthrough("order", pairs=False)
w = walk.explore()
w
"""
BUTTON = ".widget-vbox button:has(.fa-{})"


def test_one_goes_through_the_steps_and_predicts_and_keeps_them(notebook: Notebook) -> None:
    notebook.open("lesson", CODE, "walk")
    page = notebook.page
    page.locator(".widget-vbox img").first.wait_for()
    page.locator(BUTTON.format("step-forward")).first.click()
    notebook.wait_for("w.step", 1)
    page.locator(".widget-vbox strong:has-text('Ready are')").first.wait_for()
    assert page.locator("text=steps, one by one").first.is_hidden(), "the stand-in is hidden"
    page.get_by_role("button", name="Predict").first.click()
    page.locator(BUTTON.format("step-forward")).first.click()
    page.locator("text=Which comes next?").first.wait_for()
    notebook.wait_for("[w.step, w.asked]", [1, 2])
    asked = page.locator(".widget-hbox:has-text('Which comes next?') select").last
    asked.select_option("Cycles")
    page.get_by_role("button", name="Check").first.click()
    page.locator("text=Not Cycles: it still waits for").first.wait_for()
    asked.select_option("user: What is a cycle?")
    page.get_by_role("button", name="Check").first.click()
    notebook.wait_for("w.step", 2)
    page.locator(".widget-vbox").first.get_by_text("Right: ").first.wait_for()
    for theme in ("Light", "Dark"):
        notebook.theme(theme)
        notebook.wait_for("w._page.dark", theme == "Dark")
        for width in (1400, 600):
            page.set_viewport_size({"width": width, "height": 1000})
            page.wait_for_timeout(300)
            wide = page.evaluate(
                "() => { const e = document.querySelector('.widget-vbox');"
                " return e.scrollWidth - e.clientWidth }"
            )
            assert wide <= 1, "nothing is cut at the side"
            notebook.shot(f"lesson-{theme.lower()}-{width}", ".widget-vbox")
    page.set_viewport_size({"width": 1400, "height": 1000})

    notebook.show_as_a_strangers("lesson")
    page.locator("summary:has-text('steps, one by one')").first.click()
    assert page.locator("td:has-text('Ready are those')").first.is_visible()
    assert page.locator("img[alt*='Topological order']").count() == 2
    notebook.shot("lesson-without-a-kernel", ".jp-Notebook")
    # The manager of all widgets trips over a notebook without a session, whoever's widgets it has.
    notebook.faults[:] = [fault for fault in notebook.faults if "jupyterlab-manager" not in fault]


def test_names_are_put_into_an_order_by_mouse_keys_and_buttons(notebook: Notebook) -> None:
    notebook.open("order", "from ecsviz import lessons\nw = lessons.arrange('order-1')\nw")
    page = notebook.page
    box = page.locator(".ecsviz-order").first
    item = "li[data-name='{}']".format
    box.locator(item("cake")).wait_for()
    assert page.locator("td:has-text('butter')").first.is_hidden(), "the stand-in is hidden"
    box.get_by_role("button", name="Check").click()
    box.locator("text=cake stands before dough").wait_for()
    below = {"x": 60, "y": 24}  # the lower half
    box.locator(item("cake")).drag_to(box.locator(item("oven")), target_position=below)
    notebook.wait_for("w.names", ["butter", "dough", "flour", "oven", "cake"])
    notebook.wait_for("w.said", "")
    box.locator(item("dough")).focus()
    page.keyboard.press("ArrowDown")
    notebook.wait_for("w.names", ["butter", "flour", "dough", "oven", "cake"])
    assert page.evaluate("() => document.activeElement.dataset.name") == "dough"
    page.keyboard.press("ArrowDown")
    notebook.wait_for("w.names[3]", "dough")
    box.get_by_role("button", name="Move cake up").click()
    notebook.wait_for("w.names[3:]", ["cake", "dough"])
    page.keyboard.press("Enter")  # the button has the focus still
    notebook.wait_for("w.names[2:]", ["cake", "oven", "dough"])
    box.get_by_role("button", name="Hint").click()
    box.locator("text=Begin with what needs nothing").wait_for()
    down = box.get_by_role("button", name="Move cake down")
    down.evaluate("(it) => { it.click(); it.click(); }")  # again before the answer is here
    notebook.wait_for("w.names[3:]", ["dough", "cake"])
    box.get_by_role("button", name="Check").click()
    box.locator("text=Right.").wait_for()
    for theme in ("Light", "Dark"):
        notebook.theme(theme)
        notebook.shot(f"order-{theme.lower()}", ".ecsviz-order")


def test_lessons_are_read_without_a_kernel(notebook: Notebook) -> None:
    page = notebook.page
    for path in paths():
        text = path.read_text(encoding="utf-8")
        pictures = text.count('"image/png":') + text.count("<img ")
        shutil.copy(path, notebook.lab.folder)
        notebook.close()
        notebook.show(path.name, kernel=False)
        page.wait_for_function(
            "n => [...document.querySelectorAll('.jp-Notebook img')]"
            ".filter((image) => image.naturalWidth > 300).length === n",
            arg=pictures,
        )
    notebook.close()
    page.wait_for_timeout(500)  # until it has thrown what it throws
    notebook.faults[:] = [fault for fault in notebook.faults if "jupyterlab-manager" not in fault]


FORWARD = BUTTON.format("step-forward")
GRAPH = ".ecsviz-explorer"
DONE: dict[str, list[tuple[str, str]]] = {
    "01_tour": [
        (f"{GRAPH} [data-view=table]", f"{GRAPH} .ecsviz-list tr[data-node]"),
        (".ecsviz-thread .ecsviz-message .ecsviz-who", ".ecsviz-message[data-chosen]"),
    ],
    "02_cycles_and_order": [
        (".ecsviz-order button:text-is('Check')", "text=cake stands before dough"),
        (FORWARD, "text=Which comes next?"),
    ],
    "03_objects_and_tables": [(FORWARD, ".widget-readout:text-is('4')")],
    "04_time_travel": [("[data-tab=branches]", "[data-leaf]")],
    "05_your_chats": [
        (f"{GRAPH} [data-view=table]", f"{GRAPH} .ecsviz-list tr[data-node]"),
        (".ecsviz-thread .ecsviz-message .ecsviz-who", ".ecsviz-message[data-chosen]"),
        (".ecsviz-threads tr [data-pick]", ".ecsviz-threads [data-do=back]"),
    ],
    "06_your_database": [
        (FORWARD, ".widget-readout:text-is('3')"),
        (".ecsviz-card[data-card=staff] > button", "tr[data-row] >> text=Cy"),
    ],
    "07_your_models": [],  # it has no widget: what it shows is drawn
}
"""What one clicks in a lesson, and what is there then."""


@pytest.mark.parametrize("name", DONE)
def test_lessons_are_done_with_a_kernel(name: str, notebook: Notebook) -> None:
    page = notebook.page
    shutil.copy(FOLDER / f"{name}.ipynb", notebook.lab.folder)
    notebook.close()
    notebook.show(f"{name}.ipynb")
    notebook.run_all()
    assert notebook.value("len(Out) > 0")
    assert page.locator(".jp-Notebook .jp-RenderedText[data-mime-type*=stderr]").count() == 0
    for place, there in DONE[name]:
        first = page.locator(place).first
        first.scroll_into_view_if_needed()
        first.click()
        page.locator(f"{there} >> visible=true").first.wait_for()
    for standing in page.locator("text=Run this cell to explore it live.").all():
        assert standing.is_hidden(), "it stands where a widget is"
    notebook.shot(name, ".jp-Notebook")
    notebook.faults[:] = [fault for fault in notebook.faults if "jupyterlab-manager" not in fault]


def test_every_lesson_is_done() -> None:
    assert list(DONE) == [path.stem for path in paths()]
