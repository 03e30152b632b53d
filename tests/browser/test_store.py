"""store.explore() in a real JupyterLab."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.browser.lab import Notebook

STORE = """
import ecsviz as ev
store = ev.SQLAlchemyEntityStorage("chats.db")
store.register(ev.sample("chats"), note="six threads")
w = store.explore()
w
"""
LARGE = """
import ecsviz as ev
class Grain(ev.Entity):
    name: str
    number: int
store = ev.SQLAlchemyEntityStorage(":memory:")
store.register([Grain(name=f"grain {n:06}", number=n * 7919 % 100_003) for n in range(100_000)])
w = store.explore()
w
"""
HARM = """
import ecsviz as ev
from tests.hostile import HOSTILE, as_note
class Room(ev.Entity):
    name: str
    inside: "Room | None" = None
store = ev.InMemoryEntityStorage()
last = None
for text in HOSTILE:
    last = Room(name=text, inside=last)
    store.register(last, note=as_note(text))
w = store.explore()
w
"""


def test_a_store_is_looked_through(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open("store", STORE)
    page.wait_for_selector("tr[data-row]")
    assert page.locator("tr[data-row]").count() == 25
    notebook.shot("store-light", ".ecsviz-store")
    # pages
    page.click("[data-do='next page']")
    notebook.wait_for("w.first", 25)
    page.wait_for_function(
        "id => document.querySelector('tr[data-row]').dataset.id === id",
        arg=notebook.value("w._page['ids'][0]"),
    )
    page.click("[data-do='last page']")
    notebook.wait_for("w.first", 75)
    # sorted
    page.click("[data-sort=created_at]")
    notebook.wait_for("w.order_by", "created_at")
    page.wait_for_selector("th[aria-sort=ascending]")
    page.click("[data-sort=created_at]")
    notebook.wait_for("w.order_by", "-created_at")
    page.wait_for_selector("th[aria-sort=descending]")
    # searched
    page.fill(".ecsviz-store .ecsviz-search", "cycle")
    notebook.wait_for("w.search", "cycle")
    page.wait_for_function(
        "n => document.querySelectorAll('tr[data-row]').length === n",
        arg=notebook.value("len(w._page['ids'])"),
    )
    # a row, and its graph
    page.locator("[data-pick]").nth(1).click()
    notebook.wait_for("w.selected == w._page['ids'][1]", expected=True)
    page.wait_for_selector(".ecsviz-graph .ecsviz-explorer")
    page.wait_for_selector("tr[data-row='1'][data-chosen]")
    page.wait_for_timeout(1_500)  # its picture is drawn
    notebook.shot("store-graph-light", ".ecsviz-store")
    notebook.theme("Dark")
    notebook.shot("store-graph-dark", ".ecsviz-store")
    notebook.theme("Light")
    # along a reference, in the table
    page.locator("tr[data-row='1'] [data-follow]").first.click()
    notebook.wait_for("w.table", "ChatThread")
    page.wait_for_selector("tr[data-chosen]")
    # and in the graph
    page.locator(".ecsviz-graph .ecsviz-links button").first.click()
    notebook.wait_for("w.selected == w.graph.selected != None", expected=True)
    notebook.wait_for("w.selected in w._page['ids']", expected=True)
    # another class; Python selects
    page.click("[data-class=ChatMessage]")
    notebook.wait_for("w.table", "ChatMessage")
    notebook.python("w.selected = store.list_by_type(ev.ChatThread)[2]")
    page.wait_for_selector("[data-class=ChatThread][aria-pressed=true]")
    page.wait_for_function(
        "id => document.querySelector('tr[data-chosen]')?.dataset.id === id",
        arg=notebook.value("w.selected"),
    )


def test_a_search_shows_where_it_is(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open("store-search", STORE.replace("chats.db", ":memory:"))
    page.wait_for_selector("tr[data-row]")
    search, marked = ".ecsviz-store .ecsviz-search", ".ecsviz-store tr[data-row] .ecsviz-hit"

    def sought(text: str, one: str) -> list[str]:
        page.fill(search, text)
        notebook.wait_for("w.search", text)
        page.wait_for_function(
            "([marked, one]) => [...document.querySelectorAll(marked)].some("
            "hit => hit.textContent.toLowerCase() === one)",
            arg=[marked, one],
        )
        return list(page.locator(marked).all_text_contents())

    assert {text.casefold() for text in sought("ycle", "ycle")} == {"ycle"}
    # by words, as soon as they are indexed
    notebook.python("store.index_text(ev.ChatMessage, 'content')")
    found = sought("order top", "topological")
    assert {text.casefold() for text in found} == {"topological", "order"}
    hits = "len({h.ecs_id for h in store.search('order top*', ev.ChatMessage)})"
    assert notebook.value("w._page['total']") == notebook.value(hits) == 2
    assert page.locator("tr[data-row]").count() == 2
    notebook.shot("store-search-light", ".ecsviz-store")
    notebook.theme("Dark")
    notebook.shot("store-search-dark", ".ecsviz-store")
    notebook.theme("Light")
    page.locator("[data-pick]").first.click()
    notebook.wait_for("w.selected == w._page['ids'][0]", expected=True)


def test_the_keyboard_goes_from_row_to_row(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open("store-keys", STORE.replace("chats.db", ":memory:"))
    page.wait_for_selector("[data-pick='0']")
    page.focus("[data-pick='0']")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    notebook.shot("store-focus", ".ecsviz-store")
    page.keyboard.press("Enter")
    notebook.wait_for("w.selected == w._page['ids'][2]", expected=True)
    told = page.locator(".ecsviz-store > [role=status]")
    page.wait_for_selector(".ecsviz-graph .ecsviz-explorer")
    assert "entities that it holds" in str(told.text_content())


def test_of_100_000_rows_a_page_is_sent(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open("store-large", LARGE)
    page.wait_for_selector("tr[data-row]")
    page.click("[data-sort=number]")
    notebook.wait_for("w.order_by", "number")
    page.wait_for_function(
        "n => document.querySelector('tr[data-row] .ecsviz-number').textContent === n", arg="0"
    )
    page.click("[data-do='last page']")
    notebook.wait_for("w.first", 99_975)
    page.wait_for_function(
        "n => document.querySelector('tr[data-row]:last-child .ecsviz-number').textContent === n",
        arg="100,002",
    )
    assert page.locator(".ecsviz-store *").count() < 800
    page.fill(".ecsviz-store .ecsviz-search", "grain 04242")
    notebook.wait_for("w._page['total']", 10)
    notebook.shot("store-large", ".ecsviz-store")


def test_hostile_texts_do_nothing(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open("store-hostile", HARM)
    page.wait_for_selector("tr[data-row]")
    for first in (0, 25, 50):
        notebook.python(f"w.first = {first}")
        row = notebook.value("len(w._page['ids'])") - 1
        page.wait_for_function(
            "id => document.querySelector('tr[data-row]').dataset.id === id",
            arg=notebook.value("w._page['ids'][0]"),
        )
        page.click(f"tr[data-row='{row}'] [data-pick]")
        notebook.wait_for(f"w.selected == w._page['ids'][{row}]", expected=True)
        page.wait_for_selector(".ecsviz-graph .ecsviz-explorer")
    for tag in ("script", "img", "iframe", "svg", "style", "a", "form", "math", "object", "link"):
        assert page.locator(f".ecsviz-store {tag}").count() == 0
    notebook.shot("store-hostile", ".ecsviz-store")
    # The fixture asserts that no script ran and that no request left.


def test_a_saved_notebook_shows_the_classes_without_a_kernel(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open("store-saved", STORE.replace("chats.db", ":memory:"))
    page.wait_for_selector("tr[data-row]")
    assert "104 entities of 2 classes" in notebook.show_as_a_strangers("store-saved")
    page.wait_for_selector("text=Run this cell to explore it live.")
    text = str(page.locator(".jp-OutputArea").first.text_content())
    assert "ChatMessage" in text
    assert "six threads" in text
    assert page.locator(".ecsviz-store").count() == 0
    notebook.shot("store-still", ".jp-OutputArea")
    # The manager of all widgets trips over a notebook without a session, whoever's widgets it has.
    notebook.faults[:] = [fault for fault in notebook.faults if "jupyterlab-manager" not in fault]


DATABASE = """
import sqlite3, ecsviz as ev
conn = sqlite3.connect("shop.db")
conn.executescript('''
    create table store (id integer primary key, name text, manager_id references staff);
    create table staff (id integer primary key, name text, store_id not null references store);
    create table sale (staff_id not null references staff, price real, id integer primary key);
    insert into store values (1, 'Ulm', 2), (2, 'Bonn', null);
    insert into staff values (1, 'Ann', 1), (2, 'Bo', 1), (3, 'Cy', 2);
''')
conn.executemany("insert into sale values (?, ?, ?)", [(n % 3 + 1, n / 4, n) for n in range(60)])
conn.commit()
conn.close()
db = ev.read_database("shop.db")
w = db.explore()
w
"""


def test_a_database_is_explored_from_its_tables_to_a_row(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open("database", DATABASE)
    page.wait_for_selector(".ecsviz-card[data-card=staff]")
    page.wait_for_selector("text=65 rows")
    assert page.locator("text=Revisions").count() == 0 or not page.is_visible("text=Revisions")
    assert page.locator(".ecsviz-graph .ecsviz-explorer").count() == 0
    words = page.locator(".ecsviz-card[data-card=staff]").inner_text().split()
    assert words[:2] == ["staff", "3"]
    assert [name for name in ("id", "name", "store_id") if name not in words] == []
    assert "1 cyclic component" in page.locator(".ecsviz-around").inner_text()
    assert page.locator(".ecsviz-card.ecsviz-cyclic").count() == 2
    colours = "([...new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)].length)"
    assert page.locator(".ecsviz-field canvas").evaluate(f"c => {colours}") > 2, "lines are drawn"
    notebook.shot("database-tables", ".ecsviz-store")
    page.click("[data-class=staff]")
    notebook.wait_for("w.graph.selected == w.table == 'staff'", expected=True)
    page.wait_for_selector(".ecsviz-card[data-card=staff][data-chosen]")
    page.click(".ecsviz-card[data-card=staff] .ecsviz-name >> text=store_id")
    notebook.wait_for("w.table", "store")
    page.wait_for_selector("tbody tr:nth-child(2) >> text=Bonn")
    page.click(".ecsviz-card[data-card=staff] > button")
    page.wait_for_selector("tbody tr:nth-child(3) >> text=Cy")
    page.locator("[data-pick]").nth(1).click()
    notebook.wait_for("w.selected", "staff 2")
    notebook.wait_for("len(w.graph.graph)", 22)
    page.wait_for_selector("tr[data-row='1'][data-chosen]")
    page.wait_for_selector(".ecsviz-graph .ecsviz-explorer")
    assert not page.is_visible(".ecsviz-cards")
    page.wait_for_timeout(1_500)
    notebook.shot("database-row", ".ecsviz-store")
    page.select_option("select[aria-label='How many keys away']", "2")
    notebook.wait_for("w.hops == 2 and len(w.graph.graph) > 22", expected=True)
    page.locator("tr[data-row='1'] [data-follow]").first.click()
    notebook.wait_for("w.selected == 'store 1' and w.table == 'store'", expected=True)
    page.click("[data-do=tables]")
    notebook.wait_for("w.selected", None)
    page.wait_for_selector(".ecsviz-card[data-card=store][data-chosen]")
    page.click("[data-class=sale]")
    page.wait_for_selector("th >> text=price")  # until then a row is one of the table before
    page.locator("tr[data-row='1'] [data-pick]").press("Enter")  # where a key is the first column
    notebook.wait_for("w.selected", "sale 1")


def test_what_is_clicked_before_an_answer_is_what_was_seen(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open("hasty", STORE.replace("chats.db", ":memory:"))
    row = page.locator("tr[data-row='0']")
    row.wait_for()
    seen = row.get_attribute("data-id")
    with notebook.unanswered():
        page.click("[data-class=ChatThread]")
        page.click("[data-do='next page']")  # of the table that is there still
        row.locator("[data-pick]").click()
    notebook.wait_for("[w.selected, w.table, w.first]", [seen, "ChatMessage", 0])
    page.wait_for_selector("tr[data-row='0'][data-chosen]")
    # rows in another order, and a key that one follows
    key = page.locator("tr[data-row='3'] [data-follow]").first
    led = key.get_attribute("title")
    with notebook.unanswered():
        page.click("[data-sort=created_at]")
        page.click("[data-do='last page']")
        key.click()
    notebook.wait_for("[w.selected, w.table]", [led, "ChatThread"])


def test_a_row_of_a_database_is_the_one_that_was_clicked(notebook: Notebook) -> None:
    page = notebook.page
    notebook.open("hasty-database", DATABASE.replace("shop.db", "hasty.db"))
    page.wait_for_selector(".ecsviz-card[data-card=staff]")
    page.click("[data-class=staff]")
    page.wait_for_selector("tr[data-id='staff 2']")
    with notebook.unanswered():
        page.click("[data-class=sale]")
        page.locator("tr[data-id='staff 2'] [data-pick]").click()
    notebook.wait_for("[w.selected, w.table]", ["staff 2", "staff"])
    page.wait_for_selector("tr[data-id='staff 2'][data-chosen]")
    with notebook.unanswered():
        notebook.page.click("[data-do=tables]")
        page.locator("tr[data-id='staff 3'] [data-follow]").last.click()
    notebook.wait_for("w.selected", "store 2")
