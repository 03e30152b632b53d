"""What cells show; and that stored text stays text in it."""

from __future__ import annotations

import copy
import datetime as dt
import enum
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from IPython.core.formatters import DisplayFormatter
from pydantic import ConfigDict, Field, SecretStr

import ecsviz as ev
from ecsviz.basics.html import readable
from ecsviz.domain.cells import ROWS, entities_html
from ecsviz.errors import StorageBusyError
from ecsviz.export.page import MAX_ROWS
from ecsviz.graph.cells import MAX_CYCLES, MAX_LISTED, MAX_TYPES, SEARCHED
from ecsviz.graph.cycles import CycleList
from ecsviz.importers import ChatImport
from ecsviz.importers.chat.source import ChatProblem
from ecsviz.samples import sample
from ecsviz.storage.cells import store_html
from ecsviz.storage.relational.upkeep.class_changes import Change, Migration
from tests.entity_graphs import numbered_graph
from tests.hostile import HOSTILE, as_note, assert_harmless, shape, texts
from tests.processes import in_a_new_process


def shown_in_a_cell(value: Any) -> str | None:
    """Return the HTML that a notebook shows of a value, lists of entities as tables."""
    formatter = DisplayFormatter()
    formatter.formatters["text/html"].for_type(list, entities_html)
    found: str | None = formatter.format(value)[0].get("text/html")
    return found


def test_a_list_of_entities_is_a_table() -> None:
    thread = ev.ChatThread(title="Cycles")
    messages = [thread.say("user", f"number {k}") for k in range(ROWS + 5)]
    shown = texts(shown_in_a_cell(messages))
    assert shown.startswith("25 ChatMessage")
    assert "number 0" in shown
    assert f"number {ROWS - 1}" in shown
    assert f"number {ROWS}" not in shown
    assert f"{ROWS} of 25 entities" in shown
    both = texts(shown_in_a_cell([thread, messages[0]]))
    assert "1 ChatThread, 1 ChatMessage" in both
    assert "<list of 25>" in both
    for other in ([], [1], [thread, None], (thread,), {"a": thread}):
        assert shown_in_a_cell(other) is None


def test_a_list_of_what_is_not_loaded_loads_nothing() -> None:
    store = ev.InMemoryEntityStorage()
    thread = ev.ChatThread(title="Cycles")
    thread.say("user", "hello")
    store.register(thread)
    read = store.get(thread.ecs_id, lazy=True)
    held = read.messages[0]
    assert "hello" not in texts(shown_in_a_cell([held]))
    assert "content" not in held.__dict__


def test_hostile_texts_in_a_list_stay_texts() -> None:
    threads = [ev.ChatThread(title=text) for text in HOSTILE[:ROWS]]
    assert_harmless(shown_in_a_cell(threads))


def test_ipython_is_told_of_lists_unless_somebody_has_told_it_before() -> None:
    code = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "told = shell.display_formatter.formatters['text/html']\n"
        "{before}"
        "import ecsviz as ev\n"
        "print(told.type_printers[list].__module__)\n"
    )
    assert in_a_new_process(code.format(before="")).strip() == "ecsviz.domain.cells"
    taken = "told.for_type(list, lambda value: None)\n"
    assert in_a_new_process(code.format(before=taken)).strip() == "__main__"


def test_a_graph_says_what_it_consists_of() -> None:
    graph = ev.EntityDependencyGraph(sample("interlocked"))
    shown = texts(graph._repr_html_())
    assert shown == (
        "EntityDependencyGraph: 7 nodes, 9 references, 1 generation"
        "typenodesNode7"
        f"1 cyclic component with 9 references, of which {len(graph.deferred)} are deferred."
        + "".join(cycle.named() for cycle in graph.get_cycles())
    )


def test_a_graph_without_cycles_says_so() -> None:
    shown = texts(ev.EntityDependencyGraph(sample("chain", n=3))._repr_html_())
    assert shown.endswith("No cycle.")
    assert "3 nodes, 2 references, 3 generations" in shown
    assert texts(ev.EntityDependencyGraph()._repr_html_()) == (
        "EntityDependencyGraph: 0 nodes, 0 references, 0 generationsNo cycle."
    )


def test_singular_and_plural() -> None:
    shown = texts(ev.EntityDependencyGraph(sample("self_loop"))._repr_html_())
    assert "1 node, 1 reference, 1 generation" in shown
    assert "1 cyclic component with 1 reference, of which 1 is deferred." in shown


def complete(n: int) -> ev.EntityDependencyGraph:
    """Every table refers to every other: exponentially many cycles."""
    pairs = [(a, b) for a in range(n) for b in range(n) if a != b]
    return numbered_graph(pairs, ["table"] * n)


def test_a_dense_graph_shows_the_first_cycles_and_says_that_there_are_more() -> None:
    shown = complete(40)._repr_html_()
    assert [tag for tag, _ in shape(shown)].count("li") == MAX_CYCLES
    assert "the first 5, shortest first; get_cycles() lists more" in texts(shown)


def test_cycles_of_a_large_graph_are_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    n = SEARCHED + 1
    graph = numbered_graph([(k, (k + 1) % n) for k in range(n)], ["table"] * n)
    monkeypatch.setattr(graph, "get_cycles", lambda *args, **options: pytest.fail("searched"))
    assert texts(graph._repr_html_()).endswith("get_cycles() lists them.")


def test_many_types_are_cut_the_most_frequent_first() -> None:
    types = [f"type {number}" for number in range(30) for _ in range(number + 1)]
    n = len(types)
    graph = ev.EntityDependencyGraph.from_parts(range(n), range(n), types, [], [], [])
    shown = graph._repr_html_()
    assert f"showing {MAX_TYPES} of 30 types" in texts(shown)
    assert "typenodestype 2930type 2829" in texts(shown)


def test_a_list_of_cycles() -> None:
    graph = ev.EntityDependencyGraph(sample("two_cycle"))
    shown = texts(graph.get_cycles()._repr_html_())
    assert shown == "1 cycle.a.links[0] → b.links[0] → a"
    assert texts(CycleList()._repr_html_()) == "No cycle."
    many = complete(7).get_cycles(limit=None)
    assert len(many) > MAX_LISTED
    shown = texts(many._repr_html_())
    assert shown.startswith(f"{len(many):,} cycles.")
    assert shown.endswith(f"showing {MAX_LISTED} of {len(many):,} cycles")
    cut = texts(complete(7).get_cycles(limit=3)._repr_html_())
    assert cut.startswith("3 cycles listed, shortest first; there are more: the limit is 3")
    assert "showing" not in cut


def test_hostile_names_stay_text() -> None:
    n = len(HOSTILE)
    numbers = range(n)
    harmless = [f"t{number}" for number in numbers]
    made = []
    for names in (list(HOSTILE), harmless):
        graph = ev.EntityDependencyGraph.from_parts(
            names, numbers, names, numbers, numbers, names, fields=names
        )
        made.append((graph._repr_html_(), graph.get_cycles()._repr_html_()))
    for hostile, ours in zip(*made, strict=True):
        assert_harmless(hostile)
        assert shape(hostile) == shape(ours)


def test_a_save_plan_shows_as_a_table() -> None:
    thread = ev.ChatThread(title="<b>bold</b>")
    thread.say("user", "hello")
    shown = ev.SQLAlchemyEntityStorage(":memory:").explain(thread)._repr_html_()
    assert "INSERT INTO chat_messages" in shown
    assert "order: ChatThread → ChatMessage" in shown
    assert "<b>" not in shown


# -- of entities, stores, plans and imports --------------------------------------------------


many = pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))


class Colour(enum.Enum):
    RED = "red"


class Page(ev.Entity):
    model_config = ConfigDict(extra="allow")
    name: str = ""
    texts: list[str] = Field(default_factory=list)
    named: dict[str, str] = Field(default_factory=dict)
    next: Page | None = None
    pages: list[Page] = ev.reference(inverse=None, default_factory=list)


class Values(ev.Entity):
    year: int = 2024
    at: dt.datetime = dt.datetime(2024, 5, 1, 9, 30, tzinfo=dt.UTC)
    day: dt.date = dt.date(2024, 5, 1)
    colour: Colour = Colour.RED
    yes: bool = True
    nothing: str | None = None
    empty: list[int] = Field(default_factory=list)
    deep: list[list[int]] = [[1, 2], [3]]
    numbers: tuple[int, ...] = tuple(range(9))
    secret: SecretStr = SecretStr("hunter2")
    hidden: str = Field(default="not shown", repr=False)
    half: float = 0.5


def test_there_are_sixty_texts_of_every_kind() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) >= 60
    joined = "".join(text[:200] for text in HOSTILE)
    for kind in ("<script", "onerror=", "javascript:", "<svg", "$$", "%%{init", "\x00", "\u202e"):
        assert kind in joined
    assert max(map(len, HOSTILE)) >= 100_000


# -- one text in every slot ------------------------------------------------------------------


def pages(text: str) -> list[Page]:
    """Entities that hold a text wherever they can."""
    page = Page(name=text, texts=[text, text], named={text: text}, extra=text)  # type: ignore[arg-type]  # extra fields are allowed
    other = Page(name=text, next=page)
    page.pages = [other, page]
    return [page, other]


def thread(text: str) -> ev.ChatThread:
    made = ev.ChatThread(title=text, source=text, source_id=text, metadata={"key": text})
    first = made.say(text, text)
    made.say(text, text, first)
    return made


def store(text: str, storage: Any) -> Any:
    storage.register(thread(text), note=as_note(text))
    return storage


def imported(text: str) -> ChatImport:
    problem = ChatProblem(thread=text, node=text, what=text, why=text)
    return ChatImport([thread(text)], [problem])


def difference(text: str) -> ev.GraphDiff:
    before = thread(text)
    after = copy.deepcopy(before)
    after.title = text + "!"
    after.messages[0].content = "!" + text
    after.messages[1].metadata = {text: text}
    return ev.diff(before, after)


def graph_of(text: str) -> ev.EntityDependencyGraph:
    names = [text, f"{text} 2"]
    return ev.EntityDependencyGraph.from_parts(
        names, [0, 1], names, [0, 1], [1, 0], names, fields=names
    )


MAKERS: dict[str, Any] = {
    "entity": lambda text: pages(text)[0],
    "holder": lambda text: pages(text)[1],
    "thread": thread,
    "message": lambda text: thread(text).messages[1],
    "graph": graph_of,
    "cycles": lambda text: graph_of(text).get_cycles(),
    "entity graph": lambda text: ev.EntityDependencyGraph(pages(text)),
    "import": imported,
    "diff": difference,
    "migration": lambda text: Migration([Change(text, text, "added", text, text)]),
    "memory": lambda text: store(text, ev.InMemoryEntityStorage()),
}


@many
@pytest.mark.parametrize("kind", MAKERS)
def test_stored_text_stays_text(kind: str, text: str) -> None:
    shown = MAKERS[kind](text)._repr_html_()
    harmless = MAKERS[kind]("harmless")._repr_html_()
    assert_harmless(shown)
    assert shape(shown) == shape(harmless)
    assert 'class="mathjax_ignore"' in shown
    assert len(shown) < 60_000, "a cell's output is small, whatever it shows"


PLAN = "plan"
WIDGETS: dict[str, Any] = {
    "explorer": lambda text: ev.EntityDependencyGraph(pages(text)).explore(),
    "chat": lambda text: thread(text).explore(),
    "store explorer": lambda text: MAKERS["memory"](text).explore(),
}


@pytest.mark.parametrize("kind", [*MAKERS, PLAN, *WIDGETS])
def test_nothing_leaves_that_jupyter_would_run_or_draw(kind: str, tmp_path: Path) -> None:
    """No Markdown, LaTeX, SVG, script or Mermaid: all that a notebook trusts in its own output."""
    text = "```mermaid\ngraph TD; a-->b\n``` $x$ <svg onload=alert(1)>"
    if kind == PLAN:
        shown = ev.SQLAlchemyEntityStorage(tmp_path / "a.db").explain(thread(text))
    else:
        shown = {**MAKERS, **WIDGETS}[kind](text)
    if kind in WIDGETS:
        outputs, _ = shown._repr_mimebundle_()
    else:
        outputs, _ = DisplayFormatter().format(shown)
    allowed = {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"}
    assert "text/html" in outputs
    assert set(outputs) <= allowed


def storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\x00", "?")[:1000]


def test_a_store_shows_its_notes_and_types_as_text() -> None:
    for text in HOSTILE:
        shown = store(storable(text), ev.SQLAlchemyEntityStorage(":memory:"))._repr_html_()
        assert_harmless(shown)
        assert "chat_messages" in texts(shown)
        assert readable(storable(text)).strip() in texts(shown)


def test_a_plan_of_hostile_entities_shows_no_value_of_them() -> None:
    for text in HOSTILE:
        plan = ev.SQLAlchemyEntityStorage(":memory:").explain(thread(storable(text)))
        assert_harmless(plan._repr_html_())
        assert shape(plan._repr_html_()) == shape(
            ev.SQLAlchemyEntityStorage(":memory:").explain(thread("harmless"))._repr_html_()
        )


def test_names_of_classes_are_text() -> None:
    for text in HOSTILE:
        name = text.replace("\x00", "").encode("utf-8", "replace").decode()[:2000]
        named = type(name, (Page,), {})
        for made, harmless in (
            (named(name="x"), Page(name="x")),
            (Page(next=named()), Page(next=Page())),
            (Page(pages=[named()]), Page(pages=[Page()])),
        ):
            assert_harmless(made._repr_html_())
            assert shape(made._repr_html_()) == shape(harmless._repr_html_())


# -- pages -----------------------------------------------------------------------------------


class _Body(HTMLParser):
    """Splits a page into its head and its body."""

    def __init__(self) -> None:
        super().__init__()
        self.policies: list[str] = []
        self.title = ""
        self.inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        found = dict(attrs)
        if tag == "meta" and found.get("http-equiv") == "Content-Security-Policy":
            self.policies.append(found["content"] or "")

    def handle_data(self, data: str) -> None:
        if self.inside == "title":
            self.title += data
            self.inside = ""


def body(page: str) -> str:
    start, end = page.index("<body>") + len("<body>"), page.rindex("</body>")
    return page[start:end]


@pytest.mark.parametrize("make", [graph_of, difference], ids=["graph", "diff"])
def test_pages_run_and_load_nothing(make: Any) -> None:
    harmless = make("harmless").to_html(title="harmless")
    expected = shape(body(harmless))
    for text in (text for text in HOSTILE if len(text) < 1000):
        page = make(text).to_html(title=text)
        assert_harmless(body(page))
        assert shape(body(page)) == expected
        assert page[: page.index("<title>")] == harmless[: harmless.index("<title>")]
        after = page.index("</title>")
        assert "<" not in page[page.index("<title>") + 7 : after]
        found = _Body()
        found.feed(page)
        assert found.policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]
        assert page.index("Content-Security-Policy") < page.index("<title>"), "before any text"


def test_a_page_holds_the_picture_and_the_tables(tmp_path: Path) -> None:
    graph = ev.EntityDependencyGraph(ev.sample("thread"))
    path = graph.to_html(tmp_path / "page.html", title="My thread", color_by="role")
    assert path == tmp_path / "page.html"
    page = path.read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert page.count('src="data:image/png;base64,') == 1
    shown = texts(body(page))
    assert shown.startswith("My thread")
    assert "Nodes, dependencies first" in shown
    assert "messages[17]" in shown
    assert [tag for tag, _ in shape(body(page))].count("tr") == 1 + 2 + 1 + 19 + 1 + 70
    assert page == graph.to_html(title="My thread", color_by="role"), "equal graphs, equal pages"


def test_the_page_of_a_large_graph_holds_the_first_rows_and_says_so() -> None:
    nodes = ev.sample("chain", n=MAX_ROWS + 500)
    shown = texts(body(ev.EntityDependencyGraph(nodes).to_html()))
    assert f"showing {MAX_ROWS:,} of {len(nodes):,} nodes" in shown
    assert f"showing {MAX_ROWS:,} of {len(nodes) - 1:,} references" in shown


def test_a_page_is_light_in_a_dark_notebook() -> None:
    import matplotlib.pyplot as plt

    graph = ev.EntityDependencyGraph(ev.sample("chain"))
    light = graph.to_html()
    with plt.style.context("dark_background"):
        assert graph.to_html() == light
    assert plt.get_fignums() == []


# -- what is shown ---------------------------------------------------------------------------


def rows(html: str) -> dict[str, str]:
    """Return what an entity's table says, by field."""

    class Cells(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.cells: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag == "td":
                self.cells.append("")
            elif tag == "li" and self.cells:
                self.cells[-1] += "|"

        def handle_data(self, data: str) -> None:
            if self.cells:
                self.cells[-1] += data

    parser = Cells()
    parser.feed(html)
    return dict(zip(parser.cells[::2], parser.cells[1::2], strict=True))


def test_an_entity_shows_its_fields() -> None:
    assert rows(Values()._repr_html_()) == {
        "year": "2024",
        "at": "2024-05-01 09:30:00+00:00",
        "day": "2024-05-01",
        "colour": "<Colour.RED: 'red'>",
        "yes": "True",
        "nothing": "–",
        "empty": "empty list",
        "deep": "|<list of 2>|<list of 1>",
        "numbers": "|0|1|2|3|4… 4 more",
        "secret": "SecretStr('**********')",
        "half": "0.5",
    }


def test_an_entity_names_what_it_holds_and_does_not_go_on() -> None:
    chat = ev.sample("thread")
    told = rows(chat.messages[3]._repr_html_())
    assert told["thread"].startswith("ChatThread I keep objects")
    assert told["thread"].endswith(f"…{str(chat.ecs_id)[-6:]}")
    assert rows(chat._repr_html_())["messages"].endswith(f"… {len(chat.messages) - 5} more")
    chain = ev.sample("chain", n=50_000)
    assert len(chain[0]._repr_html_()) < 3_000


def test_an_entity_says_where_it_stands() -> None:
    storage = ev.InMemoryEntityStorage()
    chat = ev.ChatThread(title="a")
    assert ", not stored yet" in texts(chat._repr_html_())
    storage.register(chat)
    assert ", version 1" in texts(chat._repr_html_())
    assert f"forked from …{str(chat.ecs_id)[-6:]}" in texts(chat.fork()._repr_html_())
    assert f'title="ecs_id {chat.ecs_id}"' in chat._repr_html_()


def test_a_placeholder_says_that_it_is_not_loaded() -> None:
    storage = ev.SQLAlchemyEntityStorage(":memory:")
    chat = storage.register(ev.sample("thread"))
    part = storage.get(chat.ecs_id, only=[ev.ChatThread])
    assert texts(part.messages[0]._repr_html_()).endswith(": not loaded")
    assert rows(part._repr_html_())["messages"].startswith("|ChatMessage …")


@pytest.mark.parametrize(
    "make", [ev.InMemoryEntityStorage, lambda: ev.SQLAlchemyEntityStorage(":memory:")]
)
def test_a_store_says_what_it_holds(make: Any) -> None:
    storage = make()
    assert "0 entities, 0 revisions" in texts(storage._repr_html_())
    assert "Nothing is stored yet." in texts(storage._repr_html_())
    storage.register(ev.sample("thread"), note="a thread on cycles")
    shown = texts(storage._repr_html_())
    assert "19 entities, 1 revision" in shown
    assert "UTC: a thread on cycles" in shown
    assert rows(storage._repr_html_()).get("ChatMessage") in {"18", "chat_messages"}


def test_a_store_that_is_not_there_yet_makes_no_file(tmp_path: Path) -> None:
    storage = ev.SQLAlchemyEntityStorage(tmp_path / "later.db")
    assert "Nothing is stored yet." in storage._repr_html_()
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_cannot_be_read_says_so_and_raises_nothing(path: Path) -> None:
    def broken() -> Any:
        raise StorageBusyError("the database is <busy>")

    shown = store_html("Store", broken)
    assert texts(shown) == "Storethe database is <busy>"
    assert_harmless(shown)
    storage = ev.SQLAlchemyEntityStorage(path)
    storage.register(ev.ChatThread(title="a"))
    path.write_bytes(b"<b>no database</b>" * 1000)
    shown = storage._repr_html_()
    assert texts(shown).startswith("SQLAlchemyEntityStorage")
    assert "a.db" in texts(shown)
    assert_harmless(shown)


def test_an_import_lists_threads_and_problems() -> None:
    found = ev.read_chat(ev.samples.sample_file("export"))
    shown = texts(found._repr_html_())
    assert "ChatImport of 2 threads, 15 messages, 0 problems" in shown
    assert all(thread.title in shown for thread in found)
    large = ChatImport(
        [thread(f"T{k}") for k in range(40)], [ChatProblem(None, "n", "w", "y")] * 30
    )
    shown = texts(large._repr_html_())
    assert "showing 12 of 40 threads" in shown
    assert "showing 12 of 30 problems" in shown
    assert "0 threads" in texts(ChatImport()._repr_html_())


def test_a_plan_without_steps_is_a_line() -> None:
    storage = ev.SQLAlchemyEntityStorage(":memory:")
    chat = storage.register(ev.sample("thread"))
    shown = storage.explain(chat)._repr_html_()
    assert "Save plan: 0 new, 0 changed, 19 unchanged" in texts(shown)
    assert "table" not in {tag for tag, _ in shape(shown)}
