"""A text that calls for help if anything runs or loads it, in every slot, in a live notebook.

Slots are what others fill: values, keys, notes, names of classes, fields, tables, columns, and what
is given by mistake, which errors repeat. Outputs are what a notebook shows of them: cells, frames,
reports, tracebacks, warnings, and each live widget, of which all that can be clicked is clicked.
"""

from __future__ import annotations

import pytest

from tests.browser.lab import Notebook

pytest.importorskip("duckdb")  # of which graphs in files are asked

TEXT = (
    """<img src="http://canary.invalid/SLOT.png" onerror="canary('SLOT')">"""
    """<script>canary('SLOT')</script><svg onload="canary('SLOT')"></svg>"""
    """![x](http://canary.invalid/SLOT.md.png)<style>*{background:url(//canary.invalid/SLOT)}</style>"""
    """$\\href{javascript:canary('SLOT')}{x}$ </script></td>" onmouseover="canary('SLOT')" x='"""
)
BEGIN = f"""
import json, pathlib, sqlite3, tempfile, warnings
from IPython import get_ipython
from IPython.display import display
from pydantic import Field, create_model
import ecsviz as ev
from ecsviz import lessons

TEXT = {TEXT!r}
"""
SLOTS = r"""
HERE = pathlib.Path(tempfile.mkdtemp())

def bad(slot):
    return TEXT.replace("SLOT", slot)

class Room(ev.Entity):
    name: str
    more: dict[str, str] = {}
    doors: dict[str, "Room"] = {}
    next: "Room | None" = None

Named = create_model(bad("class"), __base__=Room, __doc__=bad("doc"),
                     field=(str, Field("", title=bad("field title"), description=bad("described"))))
store = ev.SQLAlchemyEntityStorage(HERE / "a.db")
first = Room(name=bad("value"), more={bad("key"): bad("inner")})
first.next = Room(name=bad("next"), next=first)
first.doors = {bad("door"): first.next}
store.register(first, note=bad("note"))
first.name = bad("edited")
thread = ev.ChatThread(title=bad("title"), source=bad("source"))
thread.metadata = {bad("meta"): bad("data")}
question = thread.say(bad("role"), bad("content"))
thread.say("assistant", bad("answer"), question).model = bad("model")
thread.say("assistant", bad("branch"), question)
store.register(thread)
graph = ev.EntityDependencyGraph([first, Named(name=bad("named"), next=first)])
other = ev.SQLAlchemyEntityStorage(HERE / "a.db").get(first.ecs_id)
other.name = bad("theirs")
ev.SQLAlchemyEntityStorage(HERE / "a.db").register(other, note=bad("second note"))
conn = sqlite3.connect(HERE / "b.db")
names = [bad(slot).replace('"', '""') for slot in ("table", "column", "reference")]
conn.execute('CREATE TABLE "{}" (id INTEGER PRIMARY KEY, "{}" TEXT, "{}" INTEGER REFERENCES'
             ' "{}" (id))'.format(*names, names[0]))
conn.execute('INSERT INTO "{}" VALUES (1, ?, 1)'.format(names[0]), (bad("cell"),))
conn.commit()
conn.close()
database = ev.read_database(HERE / "b.db")
(HERE / "chat.json").write_text(json.dumps(
    [{"role": bad("imported role"), "content": bad("imported")}, {"role": 5, bad("field"): []}]))

@lessons.exercise(bad("exercise"), bad("asked"), lambda: graph, hint=bad("hint"))
def order(graph):
    return [bad("one"), bad("two"), bad("three")]
"""
SHOWN = r"""
display(first, thread, [first], {"a": thread}, store, graph, graph.get_cycles())
display(graph.nodes_frame(), store.explain(Room(name=bad("planned"))))
display(store.frame(Room), store.frame(ev.ChatMessage), store.revisions(), store.history(first))
display(store.graph(), store.graph().nodes_frame(), store.references_frame(), store.verify())
display(store.conflicts(first), ev.diff(first, other), store.diff(1, None), store.threads())
display(store.threads().summary(), store.threads().frame(), database, ev.tables_of(Room))
display(graph.to_mermaid(), store.search("imported", ev.ChatMessage))
found = ev.read_chat(HERE / "chat.json")
display(found, found.problems, lessons.task(bad("exercise")))
display(lessons.check(bad("exercise"), [bad("wrong")]))
for table in database.tables:
    display(database.frame(table))
"""
WIDGETS = r"""
past = store.get(first.ecs_id)
widgets = [graph.explore(), ev.explore(past, store=store), ev.explore(Named), store.explore(),
           thread.explore(store), store.threads().explore(), database.explore(),
           store.side_by_side(first.ecs_id), store.resolve(first),
           graph.walkthrough("cycles").explore(), lessons.arrange(bad("exercise")),
           ev.scan_graph(store).explore()]
for widget in widgets:
    display(widget)
"""
ERRORS = r"""
def fails(call):
    try:
        call()
    except Exception:
        get_ipython().showtraceback()
    else:
        raise AssertionError("it does not fail")

text = bad("error")
for call in (
    lambda: store.get(text),
    lambda: store.find(Room, **{text: 1}),
    lambda: store.find(Room, name__gt={text: text}),
    lambda: store.frame(text),
    lambda: store.get(first.ecs_id, as_of=text),
    lambda: store.register(first, note=5, **{text: 1}),
    lambda: store.register(Room(name=text, next=text)),
    lambda: store.register(first),
    lambda: ev.SQLAlchemyEntityStorage(text + "/none.db"),
    lambda: ev.SQLAlchemyEntityStorage("nosuch://" + text),
    lambda: ev.SQLAlchemyEntityStorage(":memory:", journal=text),
    lambda: ev.read_database(text),
    lambda: ev.read_chat(text),
    lambda: ev.read_chat(HERE / "chat.json", format=text),
    lambda: ev.sample(text),
    lambda: graph.find_entity_by_id(text),
    lambda: graph.draw(label=text, color_by=text),
    lambda: graph.explore(**{text: 1}),
    lambda: graph.walkthrough(text),
    lambda: database.frame(text),
    lambda: ev.draw(text),
    lambda: ev.graph_of(text),
    lambda: ev.diff(first, text),
    lambda: store.merge(first, choose=text),
    lambda: lessons.check(text, 1),
    lambda: setattr(widgets[3], "table", text),
):
    fails(call)
(HERE / "bad.json").write_text("[" + text)
fails(lambda: ev.read_chat(HERE / "bad.json"))
with store.engine.begin() as conn:
    _ = conn.exec_driver_sql("UPDATE rooms SET more = ?", (bad("damaged"),))
    _ = conn.exec_driver_sql('CREATE TRIGGER "{}" AFTER UPDATE ON rooms BEGIN SELECT 1; END'.format(
        bad("trigger").replace('"', '""')))
fails(lambda: ev.SQLAlchemyEntityStorage(HERE / "a.db").get(first.ecs_id))
display(store.verify())
with warnings.catch_warnings():
    warnings.simplefilter("always")
    ev.SQLAlchemyEntityStorage(HERE / "a.db").register(Room(name="x"))
"""
# What of a stranger's text has become an element, or has run.
ALIVE = """() => {
  const links = "[href*=canary]:not(a[href^=http][rel~=noopener])"; // which a reader may click
  const marks = [links, "[src*=canary]", "[style*=canary]", "[onerror]", "[onload]",
    "[onmouseover]", "script", "iframe"];
  const all = marks.map((mark) => ".jp-Notebook " + mark).join(",");
  const styles = [...document.querySelectorAll("style")];
  const elements = [...document.querySelectorAll(all),
    ...styles.filter((e) => e.textContent.includes("canary"))];
  return [...window.canaries, ...elements.map((e) => e.outerHTML.slice(0, 300))];
}"""
# Clicks whatever there is in an output, from the top, until nothing is new; forms are filled.
CLICK = """async ([output, most]) => {
  const seen = new Set(), rest = (ms) => new Promise((done) => setTimeout(done, ms));
  const kinds = "button,summary,select,input,[role=tab],[role=treeitem],[data-pick],[data-follow],"
    + "tr,canvas,[draggable]";
  const name = (e) => [e.tagName, e.className, e.title, e.textContent.slice(0, 40)].join("|");
  const say = (e, ...kinds) => kinds.forEach((kind) => e.dispatchEvent(
    new MouseEvent(kind, { bubbles: true, clientX: e.getBoundingClientRect().x + 60,
      clientY: e.getBoundingClientRect().y + 60 })));
  for (let found = true; found && seen.size < most; ) {
    found = false;
    for (const element of output.querySelectorAll(kinds)) {
      if (seen.size >= most || seen.has(name(element)) || !element.checkVisibility()) continue;
      seen.add(name(element));
      found = true;
      say(element, "pointerover", "mouseover", "mousemove");
      if (element.tagName === "SELECT") {
        element.selectedIndex = element.options.length - 1;
      } else if (element.tagName === "INPUT" && ["text", "search"].includes(element.type)) {
        element.value = "canary";
        element.dispatchEvent(new Event("input", { bubbles: true }));
      } else {
        element.click();
      }
      element.dispatchEvent(new Event("change", { bubbles: true }));
      await rest(20);
      if (!element.isConnected) break;
    }
  }
  return [...seen];
}"""
# Those that stand in full in what is seen at the end; frames and some cells cut long texts.
SEEN = (
    "value key door next edited title source role content answer model branch theirs table column"
    " reference cell class asked one error trigger wrong"
)
CONTROL = "text => document.querySelector('.jp-OutputArea').insertAdjacentHTML('beforeend', text)"


def test_no_text_runs_or_loads(notebook: Notebook) -> None:
    page = notebook.page
    page.evaluate("() => { window.canaries = []; window.canary = s => canaries.push(s) }")
    notebook.open("canary", BEGIN + SLOTS, SHOWN, WIDGETS, ERRORS)
    page.locator(".ecsviz-sides table[data-table] tbody tr").first.wait_for()
    outputs = page.locator(".jp-CodeCell").nth(2).locator(".jp-OutputArea-child:visible")
    outputs = outputs.element_handles()  # clicks may bring and take others
    assert len(outputs) == notebook.value("len(widgets)")
    clicked = [len(page.evaluate(CLICK, [output, 25])) for output in outputs]
    notebook.shot("canary")
    assert all(count > 3 for count in clicked)
    assert page.evaluate(ALIVE) == []
    shown = page.evaluate("() => document.querySelector('.jp-Notebook').innerText")
    assert [slot for slot in SEEN.split() if f"canary('{slot}')" not in shown] == []
    assert shown.count("Traceback (most recent call last)") > 25
    assert "AssertionError: it does not fail" not in shown
    assert notebook.outside == []
    # Or nothing of that would have been heard.
    page.evaluate(CONTROL, TEXT.replace("SLOT", "control"))
    page.wait_for_function("() => canaries.includes('control')")
    assert len(page.evaluate(ALIVE)) > 3
    assert any("canary.invalid" in address for address in notebook.outside)
    notebook.outside.clear()
