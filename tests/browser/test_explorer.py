"""``graph.explore()`` as a reader uses it."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable

import matplotlib.image
import numpy as np
import pytest

from tests.browser.lab import Notebook

CHAT = """
import ecsviz as ev
thread = ev.ChatThread(title="Cycles")
question = thread.say("user", "What is a cycle?")
way = thread.say("assistant", "A way back.", question)
loop = thread.say("assistant", "A loop.", question)
knot = thread.say("user", "And a knot?", loop)
graph = ev.EntityDependencyGraph(thread)
told = []
w = graph.explore()
w.observe(lambda change: told.append(change.new), "selected")
w
"""
PICTURE = ".ecsviz-picture"
DETAILS = ".ecsviz-details"
SPOKEN = ".ecsviz-explorer > [aria-live=polite]"


def drawn(notebook: Notebook, kind: str) -> None:
    """Wait until the picture shows a scene of a kind."""
    notebook.page.wait_for_selector(f"{PICTURE}[data-drawn={kind}]")
    notebook.page.wait_for_function(
        f"() => document.querySelector('{PICTURE}').placeOf(0)?.every(Number.isFinite)"
    )
    notebook.page.wait_for_timeout(150)


def click(notebook: Notebook, element: int, *, count: int = 1) -> None:
    """Click on an element of the picture."""
    x, y = notebook.page.evaluate(f"i => document.querySelector('{PICTURE}').placeOf(i)", element)
    place = {"x": x, "y": y}
    notebook.page.locator(PICTURE).click(position=place, click_count=count)


def element_of(notebook: Notebook, entity: str) -> int:
    """Return the element that shows an entity."""
    found: int = notebook.value(f"int(w._showing.now.of_node[graph.number_of({entity})])")
    return found


def pixels(notebook: Notebook) -> bytes:
    shot: bytes = notebook.page.locator(PICTURE).screenshot()
    return shot


def of_colour(shot: bytes, colour: tuple[int, int, int]) -> int:
    """Return how many pixels of a screenshot have a colour, or nearly."""
    image = matplotlib.image.imread(io.BytesIO(shot), format="png")[..., :3]
    return int((np.abs(image * 255 - colour).max(axis=-1) < 24).sum())


def pixels_once(notebook: Notebook, fits: Callable[[bytes], bool]) -> bytes:
    """Return the picture as soon as it is what is waited for, or as it is after a while."""
    for _ in range(50):
        shot = pixels(notebook)
        if fits(shot):
            break
        notebook.page.wait_for_timeout(100)
    return shot


def text(notebook: Notebook, selector: str) -> str:
    shown: str = notebook.page.locator(selector).first.inner_text()
    return shown


@pytest.fixture(name="chat")
def _chat(notebook: Notebook) -> Notebook:
    notebook.open("explorer", CHAT)
    drawn(notebook, "nodes")
    return notebook


def test_a_click_selects_in_python_and_tells_all(chat: Notebook) -> None:
    assert "showing 5 of 5 entities and 14 of 14 references" in text(chat, ".ecsviz-status")
    chat.shot("explorer-light", ".ecsviz-explorer")
    click(chat, element_of(chat, "way"))
    chat.wait_for("w.entity is way", expected=True)
    chat.page.wait_for_selector(f"{DETAILS} h3:has-text('A way back.')")
    details = text(chat, DETAILS)
    assert chat.value("str(way.ecs_id)") in details
    assert "step 3 of 5" in details
    assert "content\nA way back." in details.replace("\t", "\n")
    assert chat.value("told == [str(way.ecs_id)]"), "observe works"
    assert "ChatMessage assistant: A way back." in text(chat, SPOKEN)
    chat.page.locator(PICTURE).click(position={"x": 5, "y": 5})
    chat.wait_for("w.selected", None)


def test_python_moves_the_picture(chat: Notebook) -> None:
    before = pixels(chat)
    chat.python("w.selected = knot")
    chat.page.wait_for_selector(f"{DETAILS} h3:has-text('And a knot?')")
    chat.page.wait_for_timeout(400)
    assert pixels(chat) != before, "it is marked"


def test_references_lead_on(chat: Notebook) -> None:
    chat.python("w.selected = way")
    chat.page.click(f"{DETAILS} button:has-text('parent:')")
    chat.wait_for("w.entity is question", expected=True)


def test_search_type_and_cycles(chat: Notebook) -> None:
    chat.page.fill(".ecsviz-search", "loop")
    chat.wait_for("w._rows['total']", 1)
    chat.page.wait_for_selector(".ecsviz-status:has-text('showing 1 of 1 entity that matches')")
    assert "showing 1 of 1 entity that matches; 5 in the graph" in text(chat, SPOKEN)
    chat.page.press(".ecsviz-search", "Escape")
    chat.wait_for("w.search", "")
    chat.page.select_option(".ecsviz-types", label="ChatThread (1)")
    chat.wait_for("w.type_filter", "ChatThread")
    chat.wait_for("sorted(w._mask)", [0, 0, 0, 0, 2])
    chat.page.check("text=cycles only")
    chat.wait_for("w.cycles_only", expected=True)
    chat.page.select_option(".ecsviz-types", label="all 2 types")
    chat.wait_for("w.type_filter", None)
    chat.python("w.search = 'knot'")
    chat.page.wait_for_function("() => document.querySelector('.ecsviz-search').value === 'knot'")


def test_steps_through_the_order_of_saving(chat: Notebook) -> None:
    chat.page.click("[data-do='order-next']")
    chat.wait_for("(w.step, w.entity is graph.get_topological_sort()[0])", [1, True])
    chat.page.click("[data-do='order-next']")
    chat.wait_for("w.step", 2)
    assert "step 2 of 5" in text(chat, ".ecsviz-steps")
    chat.page.click("[data-do='order-last']")
    chat.page.wait_for_selector(".ecsviz-steps output:has-text('step 5 of 5')")
    chat.page.locator(".ecsviz-slider").press("ArrowLeft")
    chat.wait_for("w.entity is graph.get_topological_sort()[3]", expected=True)
    chat.page.wait_for_timeout(300)
    chat.shot("explorer-order", ".ecsviz-explorer")
    told = chat.page.locator(".ecsviz-slider").get_attribute("aria-valuetext")
    assert told.startswith("step 4 of 5: ChatMessage")


def test_steps_through_a_cycle(chat: Notebook) -> None:
    select = chat.page.locator("[aria-label=Cycles] select")
    select.focus()
    chat.page.wait_for_function(
        "() => document.querySelector('[aria-label=Cycles] select').options.length > 4"
    )
    select.select_option("0")
    chat.wait_for("w.cycle", 0)
    chat.page.wait_for_selector(".ecsviz-steps output:has-text('reference 1 of 2')")
    first = chat.value("w._steps[0]['text']")
    assert first in text(chat, ".ecsviz-steps")
    chat.page.click("[data-do='cycle-next']")
    chat.wait_for("w.cycle_step", 1)
    chat.wait_for("w.entity is graph.get_cycles()[0].references[1].target", expected=True)
    chat.page.wait_for_timeout(300)
    chat.shot("explorer-cycle", ".ecsviz-explorer")
    assert "reference 2 of 2" in text(chat, SPOKEN)


def test_the_keyboard_alone(chat: Notebook) -> None:
    chat.python("w.selected = way")
    chat.page.wait_for_selector(f"{DETAILS} h3:has-text('A way back.')")
    chat.page.focus(PICTURE)
    page = chat.page
    page.keyboard.press("ArrowRight")  # no other way here: the next in the order
    chat.wait_for("w.step", 4)
    chat.python("w.selected = question")
    page.wait_for_selector(f"{DETAILS} h3:has-text('What is a cycle?')")
    page.keyboard.press("ArrowDown")
    chat.wait_for("w.entity is thread", expected=True)
    page.wait_for_selector(f"{DETAILS} h3:has-text('Cycles')")
    page.keyboard.press("ArrowDown")
    chat.wait_for("w.entity is thread.messages[0]", expected=True)
    page.wait_for_selector(f"{DETAILS} h3:has-text('What is a cycle?')")
    page.keyboard.press("ArrowRight")
    chat.wait_for("w.entity is thread.messages[1]", expected=True)
    page.keyboard.press("Enter")
    chat.wait_for("w.view", "around")
    page.wait_for_selector(".ecsviz-status:has-text('showing 3 of 5')")
    page.keyboard.press("Escape")
    chat.wait_for("w.selected", None)
    page.keyboard.press("/")
    assert page.evaluate("() => document.activeElement.classList.contains('ecsviz-search')")
    cells = chat.page.locator(".jp-CodeCell").count()
    page.focus(PICTURE)
    for key in "xxddaab":  # JupyterLab's own shortcuts would cut and add cells
        page.keyboard.press(key)
    assert chat.page.locator(".jp-CodeCell").count() == cells


def test_focus_can_be_seen(chat: Notebook) -> None:
    chat.page.focus(".ecsviz-search")
    for _ in range(12):
        chat.page.keyboard.press("Tab")
        style = chat.page.evaluate(
            "() => { const e = document.activeElement; const s = getComputedStyle(e);"
            " return [Boolean(e.closest('.ecsviz')), s.outlineStyle, parseFloat(s.outlineWidth)] }"
        )
        if style[0]:
            assert style[1] != "none"
            assert style[2] >= 1


def test_the_same_as_a_table(chat: Notebook) -> None:
    chat.page.click("[data-view=table]")
    rows = chat.page.locator(".ecsviz-list tbody tr")
    assert rows.count() == 5
    heads = chat.page.locator(".ecsviz-list thead th").all_inner_texts()
    assert heads == ["step", "type", "label", "holds", "held by", "in a cycle"]
    assert not chat.page.locator(PICTURE).is_visible()
    rows.nth(2).locator("button").click()
    chat.wait_for("w.step", 3)
    chat.page.wait_for_selector(".ecsviz-list tr[aria-current=true]:nth-child(3)")
    rows.nth(2).locator("button").press("ArrowDown")
    chat.page.keyboard.press("Enter")
    chat.wait_for("w.step", 4)
    chat.shot("explorer-table", ".ecsviz-explorer")


def test_the_wheel_zooms_only_where_one_looks(chat: Notebook) -> None:
    chat.page.evaluate("() => document.activeElement.blur()")
    chat.page.hover(PICTURE)
    before = chat.page.evaluate(f"() => document.querySelector('{PICTURE}').placeOf(0)")
    chat.page.mouse.wheel(0, -200)
    chat.page.wait_for_timeout(200)
    where = f"() => document.querySelector('{PICTURE}').placeOf(0)"
    assert chat.page.evaluate(where) == before, "who scrolls past is not caught"
    chat.page.focus(PICTURE)
    chat.page.mouse.wheel(0, -200)
    chat.page.wait_for_timeout(200)
    assert chat.page.evaluate(where) != before


def test_it_is_dark_where_jupyterlab_is(chat: Notebook) -> None:
    ground = "() => getComputedStyle(document.querySelector('.ecsviz-explorer')).backgroundColor"
    light, before = chat.page.evaluate(ground), pixels(chat)
    chat.python("w.selected = loop")
    chat.theme("Dark")
    chat.page.wait_for_timeout(300)
    assert chat.page.evaluate(ground) != light
    assert pixels(chat) != before
    chat.shot("explorer-dark", ".ecsviz-explorer")
    light_cycle, dark_cycle = (0xD5, 0x5E, 0x00), (0xF2, 0x8C, 0x4B)
    assert of_colour(before, light_cycle) > of_colour(before, dark_cycle)
    dark = pixels_once(chat, lambda shot: of_colour(shot, dark_cycle) > 0)
    assert of_colour(dark, dark_cycle) > of_colour(dark, light_cycle), "as the legend has it"
    chat.theme("Light")
    again = pixels_once(chat, lambda shot: of_colour(shot, light_cycle) > 0)
    assert of_colour(again, light_cycle) > of_colour(again, dark_cycle)


GROUPS = """
import ecsviz as ev
threads = [ev.ChatThread(title=f"thread {number}") for number in range(120)]
for thread in threads:
    last = None
    for number in range(9):
        last = thread.say("user" if number % 2 else "assistant", f"message {number}", last)
graph = ev.EntityDependencyGraph(threads)
w = graph.explore()
w
"""


NOTE_LABELS = """() => {
    window.written = [];
    const fill = CanvasRenderingContext2D.prototype.fillText;
    CanvasRenderingContext2D.prototype.fillText = function (label, x, y) {
        window.written.push([label, x + this.measureText(label).width, this.canvas.clientWidth]);
        fill.call(this, label, x, y);
    };
}"""
"""Notes every text that is written on a canvas from now on, where it ends, and how wide that is."""


def test_groups_open_on_a_click_and_points_are_clicked(notebook: Notebook) -> None:
    notebook.open("groups", GROUPS)
    drawn(notebook, "groups")
    assert notebook.value("w.view") == "groups"
    status = text(notebook, ".ecsviz-status")
    assert status == notebook.value("w.status")
    assert "of 1,200 entities" in status
    notebook.shot("explorer-groups", ".ecsviz-explorer")
    named = notebook.value("[int(g) for g in w._showing.now.groups[w._showing.now.nodes < 0]]")
    click(notebook, named.index(3))
    notebook.wait_for("list(w._showing.opened)", [3])
    notebook.page.wait_for_selector(".ecsviz-status:has-text('one by one, 10 of 1,200')")
    notebook.shot("explorer-groups-open", ".ecsviz-explorer")
    notebook.page.click("[data-view=map]")
    drawn(notebook, "map")
    notebook.page.evaluate(NOTE_LABELS)
    click(notebook, element_of(notebook, "threads[40].messages[4]"))
    notebook.wait_for("w.entity is threads[40].messages[4]", expected=True)
    notebook.page.wait_for_function("() => window.written.length > 0")
    notebook.shot("explorer-points", ".ecsviz-explorer")
    # The last of its row: its name stands before it, not beyond the edge.
    assert "assistant: message 4" in {label for label, *_ in notebook.page.evaluate("written")}
    assert all(end <= wide for _, end, wide in notebook.page.evaluate("written"))
    notebook.page.click("[data-view=around]")
    drawn(notebook, "nodes")
    assert "showing 4 of 1,200 entities, around" in text(notebook, ".ecsviz-status")


WIDE = """
import ecsviz as ev
class Room(ev.Entity):
    name: str
names = ["W" * 60, "MMMM WWWW " * 6, "漢字" * 30, "org." + "W" * 50]
names += ["Ada", "漢字 " * 4 + "漢字" * 4]
rooms = [Room(name=name) for name in names]
graph = ev.EntityDependencyGraph(rooms)
w = graph.explore()
w
"""
ROOMS = """() => {
  const context = document.createElement("canvas").getContext("2d");
  context.font = "12px system-ui, sans-serif";
  const { cy } = document.querySelector("div.ecsviz-layer")._cyreg;
  const wide = (label) => Math.max(...label.split("\\n").map((l) => context.measureText(l).width));
  return cy.nodes().map((node) => {
    const { x1, y1, x2, y2 } = node.boundingBox({ includeLabels: false });
    return [node.data("label"), wide(node.data("label")), node.width(), x1, y1, x2, y2];
  });
}"""


INK = """layer => {
  const canvas = document.querySelector(`.ecsviz-picture [data-layer=${layer}]`);
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, k) => k % 4 === 3 && value > 0).length;
}"""
ABOVE = "() => document.querySelector('.ecsviz-picture [data-layer=above]').toDataURL()"


def test_what_a_filter_hides_leaves_no_lines_and_no_marks_among_points(chat: Notebook) -> None:
    page = chat.page
    chat.python("w.view = 'map'")
    drawn(chat, "map")
    page.wait_for_function(f"() => ({INK})('lines') > 100")
    chat.python("w.type_filter = 'ChatThread'")
    page.wait_for_function(f"() => ({INK})('lines') === 0")
    page.wait_for_function(f"() => ({INK})('above') > 0")  # the label of the one that is left
    page.wait_for_timeout(300)
    assert page.evaluate(INK, "lines") == 0, "not drawn again either"
    before = page.evaluate(ABOVE)
    chat.python("w.selected = loop")  # which is hidden
    page.wait_for_selector(f"{DETAILS} h3:has-text('A loop.')")
    page.wait_for_timeout(300)
    assert page.evaluate(ABOVE) == before
    chat.python("w.type_filter = None")
    page.wait_for_function(f"() => ({INK})('lines') > 100")
    page.wait_for_function(f"before => ({ABOVE})() !== before", arg=before)


def test_boxes_are_as_wide_as_their_labels(notebook: Notebook) -> None:
    notebook.open("wide", WIDE)
    drawn(notebook, "nodes")
    shown = notebook.page.evaluate(ROOMS)
    assert [label for label, *_ in shown] == [
        "W" * 24 + "\n" + "W" * 23 + "…",
        "MMMM WWWW MMMM WWWW MMMM\nWWWW MMMM WWWW MMMM WWW…",
        "漢字" * 6 + "\n" + "漢字" * 5 + "漢…",
        "org.WWWWWWWWWWWWWWWWWWWW\n" + "W" * 23 + "…",
        "Ada",
        "漢字 漢字 漢字 漢字\n漢字漢字漢字漢字",
    ]
    for label, wide, box, *_ in shown:
        assert 28 <= box - wide <= 36, label
    for one, other in itertools.combinations(shown, 2):
        (x1, y1, x2, y2), (a1, b1, a2, b2) = one[3:], other[3:]
        assert x2 <= a1 or a2 <= x1 or y2 <= b1 or b2 <= y1, "none stands on another"
    notebook.shot("explorer-wide", ".ecsviz-explorer")


DENSE = """
import random
import ecsviz as ev
class Person(ev.Entity):
    name: str
    manager: "Person | None" = None
    colleague: "Person | None" = None
    favourite_rival: "Person | None" = None
people = [Person(name=f"person {n}") for n in range(24)]
chance = random.Random(3)
for person in people:
    person.manager, person.colleague, person.favourite_rival = chance.sample(people, 3)
graph = ev.EntityDependencyGraph(people)
w = graph.explore()
w
"""
NAMES = """() => {
  const { cy } = document.querySelector("div.ecsviz-layer")._cyreg;
  return cy.edges().filter((edge) => edge.style("source-label")).map((edge) => {
    const { x1, y1, x2, y2 } = edge.boundingBox({
      includeNodes: false, includeEdges: false,
      includeMainLabels: false, includeTargetLabels: false,
    });
    return [edge.id(), x1, y1, x2, y2];
  });
}"""


def test_names_of_references_do_not_touch_each_other(notebook: Notebook) -> None:
    notebook.open("dense", DENSE)
    drawn(notebook, "nodes")
    notebook.shot("explorer-dense", ".ecsviz-explorer")
    named = notebook.page.evaluate(NAMES)
    assert 20 < len(named) < 72, "some are named, not all"
    for (_, x1, y1, x2, y2), (_, a1, b1, a2, b2) in itertools.combinations(named, 2):
        # Each box has some four pixels of ground around its letters.
        assert min(x2 - a1, a2 - x1, y2 - b1, b2 - y1) <= 6


def test_where_there_is_room_every_reference_is_named(chat: Notebook) -> None:
    named = {line for line, *_ in chat.page.evaluate(NAMES)}
    assert len(named) == 8  # but the quiet fan of the thread and its messages


LARGE = """
import ecsviz as ev
graph = ev.EntityDependencyGraph(ev.sample("tree", n=12_000))
w = graph.explore()
w
"""


def test_a_large_graph_is_there_at_once_and_says_what_it_shows(notebook: Notebook) -> None:
    notebook.open("large", LARGE)
    drawn(notebook, "map")
    assert "showing 12,000 of 12,000 entities as points and 6,000 of 11,999 references" in text(
        notebook, ".ecsviz-status"
    )
    before = pixels(notebook)
    notebook.page.focus(PICTURE)
    for _ in range(4):
        notebook.page.keyboard.press("+")
    notebook.page.wait_for_timeout(600)
    assert pixels(notebook) != before
    notebook.page.keyboard.press("0")
    notebook.page.wait_for_timeout(200)
    click(notebook, 0)
    notebook.wait_for("w.selected is None", expected=False)
    notebook.page.click("[data-view=table]")
    notebook.page.click("[data-do=rows-back]")  # its root is saved last
    notebook.wait_for("w._rows['first']", 11_800)


HOSTILE = """
import ecsviz as ev
from tests.hostile import HOSTILE
class Room(ev.Entity):
    name: str
    text: str
    doors: dict[str, "Room"] = {}
rooms = [Room(name=text, text=text) for text in HOSTILE]
rooms[0].doors = {text: room for text, room in zip(HOSTILE, rooms)}
rooms[1].doors = {"back": rooms[0]}
graph = ev.EntityDependencyGraph(rooms)
w = graph.explore()
w
"""
OURS = (
    "canvas,button,input,select,option,label,div,span,p,h3,h4,ul,li,table,caption,thead,tbody,"
    "tr,th,td,section,output,details,summary,dl,dt,dd,kbd"
)
# What of the page is no element, or no attribute, of ours.
STRANGE = f"""() => {{
  const all = [...document.querySelectorAll(".ecsviz-explorer *")];
  const loading = (one) => [...one.attributes].some(({{ name }}) => /^on|href|src/i.test(name));
  return all.filter((one) => !one.matches("{OURS}") || loading(one)).map((one) => one.tagName);
}}"""


def test_hostile_texts_stay_texts(notebook: Notebook) -> None:
    notebook.open("hostile", HOSTILE)
    drawn(notebook, "nodes")
    count = notebook.value("len(rooms)")
    assert count > 60
    for number in range(0, count, 3):
        notebook.python(f"w.selected = rooms[{number}]")
        notebook.page.wait_for_function(
            "number => document.querySelector('.ecsviz-details .ecsviz-code')"
            "?.textContent.includes(number)",
            arg=notebook.value(f"str(rooms[{number}].ecs_id)"),
        )
        assert notebook.page.evaluate(STRANGE) == []
    notebook.python("w.cycle = 0")
    notebook.page.click("[data-view=table]")
    notebook.page.fill(".ecsviz-search", "<img src=x onerror=alert(1)>")
    notebook.wait_for("w.search", "<img src=x onerror=alert(1)>")
    notebook.wait_for("0 < w._rows['total'] < 10", expected=True)
    assert notebook.page.evaluate(STRANGE) == []
    assert notebook.page.locator(".ecsviz-explorer mjx-container").count() == 0, "no formulas"
    notebook.shot("explorer-hostile", ".ecsviz-explorer")
    # The fixture asserts that no script ran and that no request left.


STILL = ".jp-OutputArea img"
# What is left of the looks of a table and of the note below.
LEFT = """() => {
  const of = (selector) => getComputedStyle(document.querySelector(`.jp-OutputArea ${selector}`));
  const { borderBottomWidth, borderBottomStyle, borderBottomColor } = of("tbody tr");
  return {
    line: `${borderBottomWidth} ${borderBottomStyle} ${borderBottomColor}`,
    muted: of("div > p:last-child").color === "rgb(118, 118, 118)",
  };
}"""


def test_the_still_picture_is_hidden_where_the_explorer_is_alive(chat: Notebook) -> None:
    chat.page.wait_for_selector(STILL, state="attached")
    assert chat.page.locator(".jp-OutputArea-child").count() == 2
    assert chat.page.locator(".jp-OutputArea-child:visible").count() == 1
    assert not chat.page.locator(STILL).is_visible()
    chat.python("w.close()")
    chat.page.wait_for_selector(PICTURE, state="detached")
    assert chat.page.locator(STILL).is_visible(), "and is shown where that was closed"


def test_a_trusted_notebook_that_was_not_run_shows_the_still_picture(chat: Notebook) -> None:
    chat.save()
    chat.close()
    chat.show("explorer.ipynb")
    chat.page.locator(STILL).wait_for()
    chat.page.wait_for_selector(".jp-OutputArea-child:has-text('model not found')")
    assert chat.page.locator(STILL).get_attribute("alt").startswith("The dependency graph: 5 ent")
    assert "Run this cell to explore it live." in text(chat, ".jp-OutputArea")
    chat.shot("explorer-not-run", ".jp-OutputArea")
    chat.run_all()
    drawn(chat, "nodes")
    chat.page.wait_for_selector(STILL, state="hidden")


def test_a_saved_notebook_shows_a_picture_without_a_kernel(chat: Notebook) -> None:
    assert chat.show_as_a_strangers("explorer").startswith("GraphExplorer(5 nodes")
    picture = chat.page.locator(STILL)
    picture.wait_for()
    assert picture.get_attribute("alt") == (
        "The dependency graph: 5 entities, 14 references, 1 cyclic component."
    )
    assert picture.evaluate("e => e.naturalWidth") > 500
    for theme in ("Light", "Dark"):  # JupyterLab drops what has variables
        chat.theme(theme)
        assert chat.page.evaluate(LEFT) == {"line": "1px solid rgb(154, 160, 166)", "muted": True}
    chat.theme("Light")
    assert chat.page.locator(".ecsviz-explorer").count() == 0
    chat.shot("explorer-still", ".jp-OutputArea")
    # The manager of all widgets trips over a notebook without a session, whoever's widgets it has.
    chat.faults[:] = [fault for fault in chat.faults if "jupyterlab-manager" not in fault]


def test_pairs_are_one_line_with_two_heads(notebook: Notebook) -> None:
    notebook.open("pairs", CHAT.replace("graph.explore()", "graph.explore(pairs=False)"))
    drawn(notebook, "nodes")
    assert "5 of 5 entities and 4 of 4 lines, one a pair" in text(notebook, ".ecsviz-status")
    assert "list and back-reference" in text(notebook, ".ecsviz-legends")
    assert "in a cycle" not in text(notebook, ".ecsviz-legends")
    place = "i => document.querySelector('.ecsviz-picture').placeOf(i)"
    rows = [
        notebook.page.evaluate(place, element_of(notebook, each))[1]
        for each in ("thread", "question", "way", "knot")
    ]
    assert rows == sorted(rows), "a tree: what is answered stands above its answers"
    notebook.shot("explorer-pairs", ".ecsviz-explorer")
    click(notebook, element_of(notebook, "loop"))
    notebook.page.wait_for_selector(f"{DETAILS} >> text=A loop.")
    assert "thread" in text(notebook, DETAILS), "the details say both sides"


PAST = """
import ecsviz as ev
store = ev.InMemoryEntityStorage()
first = ev.ChatThread(title="Ada")
hello = first.say("user", "hello")
store.register(first, note="a first word")
first.say("assistant", "And what then?", hello)
store.register(first, note="an answer")
from ecsviz.widgets.graph.past import PastExplorer
w = PastExplorer(first, store)
w
"""


def test_the_slider_of_an_entitys_revisions(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open("entity-past", PAST)
    drawn(notebook, "nodes")
    assert page.get_by_text("revision 2: an answer; 1 added").count() == 1
    notebook.shot("entity-past-light", ".widget-vbox")
    notebook.theme("Dark")
    notebook.shot("entity-past-dark", ".widget-vbox")
    notebook.theme("Light")
    notebook.python("w.revision = 1")
    page.get_by_text("revision 1: a first word").wait_for()
    drawn(notebook, "nodes")
    page.wait_for_function(
        f"() => document.querySelectorAll('{PICTURE}').length === 1"
        f" && !document.querySelector('{PICTURE}').placeOf(2)"
    )
    assert notebook.value("len(w.explorer.graph)") == 2
