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
MARKUP = r'''
import ecsviz as ev
TEXT = r"""## How a cycle is found

A **strongly connected component** (*SCC*) is found
by [Tarjan](https://example.org/Tarjan%27s) in $O(V+E)$; see https://example.org/scc too.

1. Number the nodes,
2. keep the lowest number
   - of the node
   - of what it reaches: `low[v] = min(low[v], low[w])`
3. done.

> A quotation
> of two lines.

| step | cost | note |
|:-----|-----:|:----:|
| walk | $n$ | 46 ms |
| save | $2n$ | **110 ms** |

```python
def low(v):
    return min(v.index, *(low(w) for w in v.out))  # a comment that is rather long and goes on
```

The mean is \(\bar x = \frac{1}{n}\sum_{i=1}^n x_i\) and

\[
\int_{-\infty}^{\infty} e^{-x^2}\,dx = \sqrt{\pi}
\]

$$\begin{pmatrix} a & b \\ c & d \end{pmatrix}^{-1}
= \frac{1}{ad-bc}\begin{pmatrix} d & -b \\ -c & a \end{pmatrix}$$

It costs $5 and $6. ~~Gone~~.

---

![a plan](https://example.org/plan.png) <b>no html</b>
"""
DOT = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4"
    "//8/w38GIAXDIBKE0DHxgljNBAAO9TXL0Y4OHwAAAABJRU5ErkJggg=="
)
thread = ev.ChatThread(title="Markdown, formulas, tools")
q = thread.say("user", "What is an *SCC*?\nAnd **how** is it found?")
P = ev.MessagePart
a = thread.say("assistant", [
    P(kind="thinking", text="The user asks about **SCCs**. Let me think of Tarjan."),
    P(kind="tool_call", tool="search", call_id="1", data={"query": "tarjan", "limit": 3}),
    P(kind="tool_result", tool="search", call_id="1", text="1. Tarjan 1972\n2. Kosaraju"),
    P(kind="text", text=TEXT),
    P(kind="image", name="dot.png", url=DOT),
    P(kind="image", name="plan.png", url="https://example.org/plan.png"),
    P(kind="file", name="paper.pdf", mime="application/pdf"),
    P(kind="citation", name="Tarjan 1972", url="https://example.org/tarjan"),
    P(kind="code", mime="sql", text="select 1"),
], q)
a.model = "gpt-4o"
t = thread.say("tool", [P(kind="tool_result", tool="python", text="42\n" * 30)], a)
b = thread.say("user", "Thanks! Is $x^2$ math?", t)
w = thread.explore()
w
'''
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


SETTLED = """() => {
  const chat = document.querySelector(".ecsviz-chat").getBoundingClientRect();
  const shown = [...document.querySelectorAll(".ecsviz-message")].map(message =>
    message.getBoundingClientRect());
  return !document.querySelector(".ecsviz-waiting") &&
    shown.some(box => box.bottom > chat.top && box.top < chat.bottom);
}"""
"""Whether what is to be seen of a chat is there."""


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
        page.wait_for_function(SETTLED)  # however long a busy machine takes to see the scrolling
        assert page.locator(".ecsviz-thread *").count() < 1_200
        assert 0 < page.locator(".ecsviz-message").count() <= 80
        seen.append(page.locator(".ecsviz-message").first.get_attribute("data-node"))
    assert len(set(seen)) == 5
    page.wait_for_selector(".ecsviz-message[data-node='9999']", state="attached")
    # Python jumps
    notebook.python("w.selected = thread.messages[4321]")
    page.wait_for_selector(".ecsviz-message[data-node='4321'][data-chosen]")
    page.wait_for_function(
        """() => {
          const node = document.querySelector(".ecsviz-message[data-node='4321']");
          const box = node?.getBoundingClientRect();
          const chat = node?.closest(".ecsviz-chat").getBoundingClientRect();
          return box && box.top >= chat.top && box.top < chat.bottom;
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
    assert page.locator(".ecsviz-marks .ecsviz-tag").all_text_contents() == ["new", "changed"]
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
    assert foreign(notebook) == []
    notebook.shot("thread-hostile", ".ecsviz-thread")


# What a page must not hold, whatever a text says: elements that are not ours, handlers, addresses
# other than of the web, and styles that load.
FOREIGN = """() => {
  const ours = new Set(("a article blockquote button code del details div em h3 hr img input label"
    + " li math menclose mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow"
    + " ms mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover none ol"
    + " option output p pre select semantics span strong summary table tbody td th thead tr ul"
  ).split(" "));
  const found = [];
  for (const element of document.querySelectorAll(".ecsviz-thread *")) {
    if (!ours.has(element.localName)) found.push(element.localName);
    for (const { name, value } of element.attributes) {
      const at = `${element.localName} ${name}=${value.slice(0, 80)}`;
      if (/^on/i.test(name) || ["srcdoc", "srcset", "action", "xlink:href"].includes(name))
        found.push(at);
      if (name === "href" && !/^(https?:\\/\\/|mailto:)/i.test(value)) found.push(at);
      if (name === "src" && !/^data:image\\/(png|jpeg|gif|webp);base64,/.test(value))
        found.push(at);
      if (name === "style" && /url|expression|@import|position:/i.test(value)) found.push(at);
    }
    if (element.localName === "a") {
      const rel = element.rel.split(" ");
      if (!rel.includes("noopener") || element.target !== "_blank") found.push("an open link");
    }
  }
  return found;
}"""


def foreign(notebook: Notebook) -> list[str]:
    return list(notebook.page.evaluate(FOREIGN))


VECTORS = """
import ecsviz as ev
from tests.browser.vectors import ADDRESSES, KINDS, MARKDOWN
thread = ev.ChatThread(title="vectors")
for text in MARKDOWN:
    thread.say("assistant", text + "\\n\\nend")
bad = MARKDOWN[0] + MARKDOWN[-1]
for kind in KINDS:
    for url in ADDRESSES:
        part = dict(kind=kind, name=bad, tool=bad, mime=bad, url=url, text=bad, data={bad: url})
        thread.say("assistant", [ev.MessagePart(**part)])
w = thread.explore()
w
"""


def test_no_markdown_runs_a_script_or_sends_a_request(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open("thread-vectors", VECTORS)
    page.wait_for_selector(".ecsviz-markup")
    page.evaluate("() => { document.querySelector('.ecsviz-chat').style.height = '3000px' }")
    count = notebook.value("len(thread.messages)")
    seen: set[str] = set()
    for number in range(count):
        if str(number) in seen:
            continue
        notebook.python(f"w.selected = thread.messages[{number}]")
        page.wait_for_selector(f".ecsviz-message[data-node='{number}'][data-chosen]")
        page.wait_for_function("() => !document.querySelector('.ecsviz-waiting')")
        page.evaluate(
            "() => document.querySelectorAll('.ecsviz-folded').forEach(d => { d.open = true })"
        )
        page.wait_for_timeout(60)
        assert foreign(notebook) == []
        nodes = page.locator(".ecsviz-message").evaluate_all("all => all.map(n => n.dataset.node)")
        seen.update(nodes)
    assert len(seen) == count
    # The fixture asserts that no script ran and that no request left.


def test_markdown_formulas_and_tools(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open("thread-markup", MARKUP)
    page.wait_for_selector(".ecsviz-markup math")
    said = page.locator(".ecsviz-message").nth(1)
    assert said.locator("strong", has_text="strongly connected component").count() == 1
    assert said.locator("ol > li").count() == 3
    assert said.locator("ol ul li").count() == 2
    assert said.locator("table tbody tr").count() == 2
    assert said.locator("math").count() == 6
    assert said.locator("math[display=block]").count() == 2
    assert "It costs $5 and $6." in said.text_content()
    assert "<b>no html</b>" in said.text_content()
    link = said.locator("a", has_text="Tarjan").first
    assert link.get_attribute("href") == "https://example.org/Tarjan%27s"
    assert set(link.get_attribute("rel").split()) >= {"noopener", "noreferrer"}
    assert said.locator("img").count() == 1, "the one that the message carries"
    assert said.locator(".ecsviz-attached").all_text_contents() == [
        *("image: a plan", "image: plan.png", "file: paper.pdf", "Tarjan 1972"),
    ]
    # what stands beside is folded, and stays as the reader leaves it
    folded = said.locator("details.ecsviz-folded")
    assert [d.get_attribute("data-kind") for d in folded.all()] == [
        *("thinking", "tool_call", "tool_result"),
    ]
    assert folded.first.get_attribute("open") is None
    folded.first.locator("summary").focus()
    page.keyboard.press("Enter")
    folded.first.locator("strong", has_text="SCCs").wait_for()
    notebook.shot("thread-markup-light", ".ecsviz-thread")
    page.evaluate("() => { document.querySelector('.ecsviz-chat').style.height = '1400px' }")
    notebook.theme("Dark")
    notebook.shot("thread-markup-dark", ".ecsviz-thread")
    notebook.theme("Light")
    # a search opens what is folded and has it
    page.locator(".ecsviz-search").fill("kosaraju")
    said.locator("details[data-kind=tool_result][open] .ecsviz-hit").wait_for()
    page.locator(".ecsviz-search").fill("")
    said.locator("details[data-kind=tool_result]:not([open])").wait_for()
    assert folded.first.get_attribute("open") is not None
    # as it was written
    page.locator("[data-do=markup]").uncheck()
    notebook.wait_for("w.markup", False)
    page.wait_for_function("() => !document.querySelector('.ecsviz-markup')")
    assert said.locator("math").count() == 0
    assert "A **strongly connected component** (*SCC*)" in said.text_content()
    notebook.shot("thread-markup-plain", ".ecsviz-thread")


PEOPLE = """
import ecsviz as ev
thread = ev.ChatThread(title="Supper")
talk = [("Ann", "Shall we cook?"), ("Ben", "Soup."), ("Cem", "And *bread*!"), ("Ann", "Good.")]
for name, text in talk:
    thread.say("user", text).author = name
w = thread.explore()
w
"""


def test_people_have_sides_and_colours(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open("thread-people", PEOPLE)
    page.wait_for_selector(".ecsviz-markup")
    places = page.locator(".ecsviz-message").evaluate_all(
        "all => all.map(n => [n.dataset.who, n.getBoundingClientRect().left > 300,"
        " getComputedStyle(n.querySelector('strong')).color])"
    )
    assert [who for who, _, _ in places] == ["0", "1", "2", "0"]
    assert [right for _, right, _ in places] == [True, False, False, True]
    assert len({color for _, _, color in places}) == 3
    notebook.shot("thread-people", ".ecsviz-thread")


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
