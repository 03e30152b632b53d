"""thread.explore() in a real JupyterLab."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.browser.lab import Notebook

CHAT = """
import ecsviz as ev
thread = ev.sample("thread")
w = thread.explore()
w
"""
LONG = """
import ecsviz as ev
thread = ev.ChatThread(title="Ten thousand")
for n in range(10_000):
    thread.say("user" if n % 2 else "assistant", f"message {n}. " + "word " * (n * 7 % 90))
w = thread.explore()
w
"""
PAST = """
import ecsviz as ev
thread = ev.ChatThread(title="Soup")
store = ev.InMemoryEntityStorage()
question = thread.say("user", "What shall we cook?")
answer = thread.say("assistant", "A soup of peas.", parent=question)
store.register(thread, note="asked")
answer.content = "A soup of lentils, with cumin."
store.register(thread, note="peas were out")
thread.say("user", "Splendid.", parent=answer)
store.register(thread, note="agreed")
w = thread.explore(store)
w
"""
HARM = """
import ecsviz as ev
from tests.hostile import HOSTILE
thread = ev.ChatThread(title=HOSTILE[7])
first = thread.say("user", HOSTILE[0])
for text in HOSTILE:
    message = thread.say(text, text + "\\n```" + text[:30] + "\\n" + text + "\\n```")
    message.author = message.model = text
w = thread.explore()
w
"""
READ = "[m.content for m in w.path]"


def shown_texts(notebook: Notebook) -> list[str]:
    return list(notebook.page.locator(".ecsviz-message .ecsviz-said").all_text_contents())


def test_a_thread_is_read_searched_and_switched(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open("thread", CHAT)
    page.wait_for_selector(".ecsviz-message")
    notebook.shot("thread-light", ".ecsviz-thread")
    # a click chooses
    page.locator(".ecsviz-message").nth(1).locator(".ecsviz-who").click()
    notebook.wait_for("w.message is w.path[1]", True)
    assert page.locator(".ecsviz-message[data-chosen]").count() == 1
    # raw JSON, from Python
    page.locator("summary", has_text="Raw JSON").click()
    page.wait_for_function(
        "() => document.querySelector('.ecsviz-json').textContent.includes('\"role\"')"
    )
    # another branch
    before = notebook.value(READ)
    page.locator(".ecsviz-fork [data-turn='-1']:enabled").first.click()
    notebook.wait_for(f"{READ} != {before!r}", True)
    notebook.wait_for("w.message in w.path", True)
    after = notebook.value(READ)
    page.wait_for_function(
        "n => document.querySelectorAll('.ecsviz-message').length === n", arg=len(after)
    )
    assert len(shown_texts(notebook)) == len(after)
    page.wait_for_function("() => document.querySelector('.ecsviz-facts')")
    notebook.theme("Dark")
    notebook.shot("thread-dark", ".ecsviz-thread")
    notebook.theme("Light")
    # a leaf
    page.locator("[data-tab=branches]").click()
    page.wait_for_selector("[data-leaf]")
    assert page.locator("[data-leaf]").count() == notebook.value("len(thread.leaves())")
    page.locator("[data-leaf]").first.click()
    notebook.wait_for("w.message is thread.leaves()[0] and w.path[-1] is w.message", True)
    # Python chooses
    notebook.python("w.selected = thread.leaves()[-1]")
    page.wait_for_function(
        "id => document.querySelector('.ecsviz-facts')?.textContent.includes(id)",
        arg=notebook.value("w.selected"),
    )
    # the search
    page.locator(".ecsviz-search").fill("order")
    notebook.wait_for("w.search", "order")
    page.wait_for_function("() => document.querySelectorAll('[data-hit]').length > 1")
    assert page.locator("[data-hit]").count() == notebook.value("len(w.found)")
    page.locator(".ecsviz-search").press("Enter")
    notebook.wait_for("w.message in w.found", True)
    page.wait_for_selector(".ecsviz-message[data-chosen] .ecsviz-hit")
    notebook.shot("thread-search", ".ecsviz-thread")
    page.locator("[data-hit]").last.click()
    notebook.wait_for("w.message is w.found[-1]", True)


def test_the_keyboard_goes_up_down_and_across(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open("thread-keys", CHAT)
    page.wait_for_selector(".ecsviz-message")
    chat = page.locator(".ecsviz-chat")
    chat.focus()
    chat.press("ArrowDown")
    notebook.wait_for("w.message is w.path[0]", True)
    chat.press("ArrowDown")
    notebook.wait_for("w.message is w.path[1]", True)
    page.wait_for_function(
        "() => document.querySelector('.ecsviz-thread [role=status]').textContent"
        ".includes('message 2 of')"
    )
    told = notebook.value(READ)
    chat.press("ArrowLeft")
    notebook.wait_for(f"{READ} == {told!r}", False)
    assert chat.evaluate("element => element === document.activeElement")
    chat.press("End")
    notebook.wait_for("w.message is w.path[-1]", True)
    count = len(notebook.value(READ))
    page.wait_for_function(
        "told => document.querySelector('.ecsviz-facts').textContent.includes(told)",
        arg=f"message{count} of {count}",
    )
    notebook.shot("thread-focus", ".ecsviz-thread")
    chat.press("/")
    assert page.locator(".ecsviz-search").evaluate("e => e === document.activeElement")


def test_two_branches_side_by_side(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open("thread-beside", CHAT)
    page.locator("[data-do=compare]").first.click()
    notebook.wait_for("w.beside is None", False)
    page.wait_for_selector(".ecsviz-two .ecsviz-message")
    left = notebook.value(READ)
    assert any(text.startswith(left[-1][:30]) for text in shown_texts(notebook))
    page.wait_for_timeout(200)
    notebook.shot("thread-beside", ".ecsviz-thread")
    right = page.locator(".ecsviz-two > :nth-child(2) [data-turn]:enabled").first
    beside = notebook.value("w.beside")
    right.click()
    notebook.wait_for(f"w.beside == {beside!r}", False)
    assert notebook.value(READ) == left, "the branch on the left stays"
    page.locator("[data-do=alone]").click()
    notebook.wait_for("w.beside is None", True)
    page.wait_for_function("() => !document.querySelector('.ecsviz-two')")


def test_ten_thousand_messages_are_a_window(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open("thread-long", LONG)
    page.wait_for_selector(".ecsviz-message")
    seen = []
    for place in (0, 0.25, 0.5, 0.77, 1):
        page.locator(".ecsviz-chat").evaluate(
            "(chat, place) => { chat.dispatchEvent(new Event('wheel'));"
            " chat.scrollTop = place * chat.scrollHeight }",
            place,
        )
        page.wait_for_timeout(200)
        page.wait_for_function("() => !document.querySelector('.ecsviz-waiting')")
        assert page.locator(".ecsviz-thread *").count() < 1_200
        assert 0 < page.locator(".ecsviz-message").count() <= 80
        seen.append(page.locator(".ecsviz-message").first.get_attribute("data-node"))
    assert len(set(seen)) == 5
    assert page.locator(".ecsviz-message[data-node='9999']").count() == 1
    # Python jumps
    notebook.python("w.selected = thread.messages[4321]")
    page.wait_for_selector(".ecsviz-message[data-node='4321'][data-chosen]")
    chosen = page.locator(".ecsviz-message[data-node='4321']")
    assert chosen.evaluate(
        """node => {
          const box = node.getBoundingClientRect();
          const chat = node.closest('.ecsviz-chat').getBoundingClientRect();
          return box.top >= chat.top && box.top < chat.bottom;
        }"""
    )
    notebook.shot("thread-long", ".ecsviz-thread")


def test_the_slider_of_revisions_and_the_difference(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open("thread-past", PAST)
    slider = page.locator(".ecsviz-slider")
    slider.wait_for()
    assert slider.get_attribute("max") == "3"
    slider.focus()
    slider.press("Home")
    notebook.wait_for("w.revision", 1)
    page.wait_for_function(
        "() => document.querySelectorAll('.ecsviz-message').length === 2"
        " && document.querySelector('.ecsviz-chat').textContent.includes('peas')"
    )
    assert notebook.value("w.shown.messages[1].content") == "A soup of peas."
    slider.press("End")
    notebook.wait_for("w.revision", None)
    page.locator(".ecsviz-past select").select_option("1")
    notebook.wait_for("w.since", 1)
    page.wait_for_selector(".ecsviz-message[data-mark=added]")
    page.wait_for_selector(".ecsviz-message[data-mark=changed]")
    assert "A soup of peas." in page.locator(".ecsviz-before").all_text_contents()[0]
    notebook.shot("thread-past-light", ".ecsviz-thread")
    notebook.theme("Dark")
    notebook.shot("thread-past-dark", ".ecsviz-thread")
    notebook.theme("Light")
    page.locator("[data-change]").first.click()
    notebook.wait_for("w.message is None", False)
    # what is refused is said, and the slider goes back
    notebook.python("store.prune()")
    notebook.python("w._old.clear()")
    slider.focus()
    slider.press("Home")
    page.wait_for_function("() => document.querySelector('.ecsviz-error:not([hidden])')")
    # then the slider begins with what is kept
    notebook.python("w.refresh()")
    page.wait_for_function("() => document.querySelector('.ecsviz-slider').max === '1'")
    slider.focus()
    slider.press("Home")
    notebook.wait_for("w.revision", 3)
    told = page.locator(".ecsviz-past output").text_content() or ""
    assert told.endswith(" · the oldest that is kept")
    notebook.shot("thread-pruned", ".ecsviz-thread")


def test_hostile_texts_do_nothing(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open("thread-hostile", HARM)
    page.wait_for_selector(".ecsviz-message")
    count = notebook.value("len(thread.messages)")
    for number in range(0, count, 4):
        notebook.python(f"w.selected = thread.messages[{number}]")
        page.wait_for_selector(f".ecsviz-message[data-node='{number}'][data-chosen]")
    notebook.python("w.search = '<img'")
    page.wait_for_selector("[data-hit]")
    page.locator("[data-tab=branches]").click()
    page.locator("[data-tab=message]").click()
    page.locator("summary", has_text="Raw JSON").click()
    page.wait_for_timeout(300)
    inside = ".ecsviz-thread"
    for tag in ("script", "img", "iframe", "svg", "style", "a", "form", "math", "object", "link"):
        assert page.locator(f"{inside} {tag}").count() == 0
    notebook.shot("thread-hostile", inside)


def test_a_saved_notebook_shows_the_first_messages_without_a_kernel(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open("thread-saved", CHAT)
    page.wait_for_selector(".ecsviz-message")
    told = notebook.show_as_a_strangers("thread-saved")
    assert told.startswith("ThreadExplorer('I keep objects")
    page.wait_for_selector("text=Run this cell to explore it live.")
    text = page.locator(".jp-OutputArea").first.text_content()
    assert "True, but then the order of the messages is gone." in text
    assert page.locator(".ecsviz-thread").count() == 0
    notebook.shot("thread-still", ".jp-OutputArea")
    # The manager of all widgets trips over a notebook without a session, whoever's widgets it has.
    notebook.faults[:] = [fault for fault in notebook.faults if "jupyterlab-manager" not in fault]


TOGETHER = """
import ecsviz as ev, traitlets
thread = ev.sample("thread")
store = ev.InMemoryEntityStorage()
store.register(thread)
graph = ev.EntityDependencyGraph(thread).explore()
chat, table = thread.explore(store), store.explore()
links = [traitlets.link((chat, "selected"), (other, "selected")) for other in (graph, table)]
chat
"""


def test_graph_chat_and_table_share_one_selection(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open("together", TOGETHER, "graph", "table")
    page.wait_for_selector(".ecsviz-message")
    page.wait_for_selector("tr[data-row]")
    page.locator(".ecsviz-message").nth(2).locator(".ecsviz-who").click()
    notebook.wait_for("graph.selected == table.selected == str(chat.path[2].ecs_id)", True)
    page.wait_for_selector("tr[data-row][data-chosen]")
    page.wait_for_function(
        "id => document.querySelector('.ecsviz-details .ecsviz-code').textContent.includes(id)",
        arg=notebook.value("chat.selected"),
    )
    page.locator("[data-pick='3']").click()
    notebook.wait_for("chat.selected == table._page['ids'][3]", True)
    page.wait_for_function(
        "id => document.querySelector('.ecsviz-facts').textContent.includes(id)",
        arg=notebook.value("chat.selected"),
    )
