"""threads.explore() in a real JupyterLab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.browser.lab import Notebook

MANY = """
import random
from datetime import UTC, datetime, timedelta
import ecsviz as ev
chance = random.Random(7)
words = "plan graph cycle table order arrow index thread answer query lemma proof kernel".split()
made = []
for number in range(3_000):
    begun = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(hours=7 * number)
    thread = ev.ChatThread(title=" ".join(chance.choices(words, k=4)), created_at=begun)
    for n in range(2 + number % 9):
        parent = thread.messages[-1] if n else None
        text = " ".join(chance.choices(words, k=12)) + f" no{number}x{n}"
        message = thread.say("assistant" if n % 2 else "user", text, parent)
        message.created_at = begun + timedelta(minutes=n)
        if n % 2:
            message.model = ("gpt-4o", "claude-sonnet", "a-model-with-a-long-name-0613")[number % 3]
    if number % 5 == 0:
        thread.say("assistant", "another answer", thread.messages[0])
    made.append(thread)
threads = ev.ChatThreads(made)
"""
LISTED = MANY + "w = threads.explore()\nw"
STORED = (
    MANY
    + """
store = ev.SQLAlchemyEntityStorage(":memory:")
store.register(threads[:300])
w = store.threads().explore()
w
"""
)
FEW = """
import ecsviz as ev
w = ev.ChatThreads(ev.sample("chats")).explore()
w
"""
HARM = """
import ecsviz as ev
from tests.hostile import HOSTILE
made = []
for text in HOSTILE:
    thread = ev.ChatThread(title=text)
    thread.say("user", text)
    thread.say("assistant", text).model = text
    made.append(thread)
w = ev.ChatThreads(made).explore()
w
"""
ROW = ".ecsviz-threads tbody tr"


def titles(notebook: Notebook) -> list[str]:
    return list(notebook.page.locator(f"{ROW} [data-pick]").all_text_contents())


def wait_for_status(page: Any, words: str) -> None:
    page.wait_for_function(
        "words => document.querySelector('.ecsviz-threads .ecsviz-status').textContent"
        ".includes(words)",
        arg=words,
    )


def test_threads_are_searched_filtered_sorted_and_picked(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open("threads", LISTED)
    page.wait_for_selector(ROW)
    assert page.locator(ROW).count() == 50
    notebook.shot("threads-light", ".ecsviz-threads")
    wait_for_status(page, "showing 50 of 3,000 threads (1 to 50)")
    page.locator("[data-do='next page']").click()
    wait_for_status(page, "(51 to 100)")
    # filters
    page.get_by_label("Model").select_option(label="gpt-4o (1,000)")
    wait_for_status(page, "of 1,000 threads that match, of 3,000 (1 to 50)")
    page.locator("[data-filter='branched']").check()
    wait_for_status(page, "of 200 threads")
    page.locator("[data-filter='since']").fill("2024-01-01")
    page.locator("[data-filter='since']").press("Tab")
    notebook.wait_for("w.since", "2024-01-01")
    page.locator("[data-filter='least']").fill("8")
    notebook.wait_for("[w.least, w.found['messages'].min().item()]", [8, 9])
    notebook.shot("threads-filtered", ".ecsviz-threads")
    page.locator("[data-do='clear']").click()
    wait_for_status(page, "of 3,000 threads")
    assert page.locator("[data-filter='least']").input_value() == ""
    # order
    page.locator("[data-sort='messages']").click()
    notebook.wait_for("w.order_by", "-messages")
    assert page.locator("th[aria-sort='descending']").text_content() == "Messages ↓"
    # texts of every message
    page.get_by_label("Search all texts").fill("no1234x")
    wait_for_status(page, "showing 1 of 1 thread")
    assert page.locator(".ecsviz-threads .ecsviz-found .ecsviz-hit").text_content() == "no1234x"
    notebook.shot("threads-found", ".ecsviz-threads")
    # the thread that is picked, and the way back, by keyboard
    page.get_by_label("Search all texts").press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector(".ecsviz-threads .ecsviz-thread .ecsviz-message[data-chosen]")
    assert not page.locator(ROW).first.is_visible()
    assert notebook.value("w.thread.message.content").endswith("no1234x0")
    notebook.shot("threads-picked", ".ecsviz-threads")
    page.locator("[data-do='back']").focus()
    page.keyboard.press("Escape")
    page.wait_for_selector(ROW)
    notebook.wait_for("[w.selected, w.thread]", [None, None])
    page.wait_for_function("() => document.activeElement?.dataset.pick === '0'")
    # from Python
    notebook.python("w.selected = threads[17]")
    page.wait_for_selector(".ecsviz-threads .ecsviz-thread")
    assert notebook.value("w.thread.thread is threads[17]")


def test_what_is_typed_stays_while_the_answer_to_another_filter_comes(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open("threads-typed", FEW)
    page.wait_for_selector(ROW)
    page.locator("[data-filter='least']").fill("5")
    page.locator("[data-filter='most']").press_sequentially("100", delay=180)
    notebook.wait_for("[w.least, w.most]", [5, 100])
    assert page.locator("[data-filter='most']").input_value() == "100"
    notebook.python("w.most = None")
    page.wait_for_function("() => document.activeElement.value === ''")
    page.locator("[data-filter='most']").press_sequentially("7")
    page.locator("[data-do='clear']").click()
    page.wait_for_timeout(500)  # as long as what is typed waits
    assert notebook.value("[w.least, w.most]") == [0, None]


def test_a_store_searches_and_shows_the_past_of_what_is_picked(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open("threads-stored", STORED)
    page.wait_for_selector(ROW)
    search = page.get_by_label("Search all texts")
    assert search.get_attribute("placeholder") == "search all texts for words"
    search.fill("no123x")
    wait_for_status(page, "showing 1 of 1 thread")
    page.locator(f"{ROW} [data-pick]").click()
    page.wait_for_selector(".ecsviz-threads .ecsviz-thread .ecsviz-message")
    assert notebook.value("w.thread.store is store")


def test_it_is_dark_and_narrow_too(notebook: Notebook) -> None:
    page = notebook.page
    notebook.theme("Dark")
    notebook.open("threads-dark", LISTED)
    page.wait_for_selector(ROW)
    notebook.shot("threads-dark", ".ecsviz-threads")
    for width in (700, 400):
        page.evaluate(
            "w => document.querySelector('.ecsviz-threads').style.width = `${w}px`", width
        )
        page.wait_for_timeout(100)
        notebook.shot(f"threads-{width}", ".ecsviz-threads")
        wide = page.evaluate(
            "() => { const box = document.querySelector('.ecsviz-threads .ecsviz-rows');"
            " return box.scrollWidth - box.clientWidth; }"
        )
        assert wide <= 0


def test_what_threads_say_does_nothing(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open("threads-harm", HARM)
    page.wait_for_selector(ROW)
    shown = notebook.value("[row['title'] for row in w._page['rows']]")
    assert page.locator(ROW).count() == len(shown) == 50
    assert titles(notebook)[0] == shown[0]
    page.locator("[data-do='next page']").click()
    wait_for_status(page, "(51 to ")
    assert page.locator(".ecsviz-threads :is(script, iframe, img, object, embed, svg)").count() == 0
    page.locator(f"{ROW} [data-pick]").first.click()
    page.wait_for_selector(".ecsviz-threads .ecsviz-thread .ecsviz-message")
    # The fixture asserts that no script ran and that no request left.


def test_a_saved_notebook_shows_threads_without_a_kernel(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open("threads-saved", FEW)
    page.wait_for_selector(ROW)
    told = notebook.show_as_a_strangers("threads-saved")
    assert told == "ThreadsExplorer(6 threads, 98 messages)"
    page.wait_for_selector("text=Run this cell to explore it live.")
    assert "showing 6 of 6 threads" in page.locator(".jp-OutputArea").first.text_content()
    page.wait_for_timeout(1_000)
    # The manager of all widgets trips over a notebook without a session, whoever's widgets it has.
    notebook.faults[:] = [fault for fault in notebook.faults if "jupyterlab-manager" not in fault]
