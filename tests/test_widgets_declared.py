"""What the page's scripts declare of traits and messages is what Python has, and no other."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anywidget
import pytest

import ecsviz as ev
from ecsviz import lessons
from ecsviz.widgets import (
    GraphExplorer,
    SideBySide,
    StoreExplorer,
    ThreadExplorer,
    ThreadsExplorer,
    base,
)
from ecsviz.widgets.lesson.walkthrough import LessonPage

SOURCES = Path(__file__).resolve().parents[1] / "ecsviz" / "widgets" / "js"
ROOMS: dict[str, type[base.LiveWidget]] = {
    "graph": GraphExplorer,
    "thread": ThreadExplorer,
    "store": StoreExplorer,
    "threads": ThreadsExplorer,
    "lesson": LessonPage,
    "sides": SideBySide,
    "order": lessons.OrderWidget,
}
BUNDLE = {"_esm", "_css"}  # for anywidget itself

Fits = Callable[[Any], bool]
Fields = dict[str, tuple[bool, str]]
"""Name → whether it may be missing, and its type."""


class Declared:
    """The declarations of one file, with those that every widget has."""

    def __init__(self, room: str) -> None:
        every = self._read(SOURCES / "shared" / "model.d.ts", {})
        self.named = {**every, **self._read(SOURCES / room / "traits.d.ts", every)}

    def _read(self, path: Path, every: Mapping[str, Fields | str]) -> dict[str, Fields | str]:
        text = re.sub(
            r"/\*\*.*?\*/|//[^\n]*", "", path.read_text(encoding="utf-8"), flags=re.DOTALL
        )
        found: dict[str, Fields | str] = {}
        for name, more, body in re.findall(
            r"^export interface (\w+)(?: extends every\.(\w+))? \{(|.*?\n)\}$",
            text,
            re.MULTILINE | re.DOTALL,
        ):
            own = re.findall(r"^  (\w+)(\??): (.+);$", body, re.MULTILINE)
            inherited = every[more] if more else {}
            assert isinstance(inherited, dict)
            found[name] = {**inherited, **{n: (bool(gap), kind) for n, gap, kind in own}}
        return found | dict(re.findall(r"^export type (\w+) =([^;{]+);", text, re.MULTILINE))

    def fields(self, name: str) -> Fields:
        found = self.named[name]
        assert isinstance(found, dict), name
        return found

    def fits(self, kind: str, value: Any) -> bool:
        """Tell whether a value of Python is what a type says."""
        words = re.findall(r'\w+|"[^"]*"|\S', kind)
        test = self._union(words)
        assert not words, f"{kind!r} is more than this test can read"
        return test(value)

    def _union(self, words: list[str]) -> Fits:
        either = [self._item(words)]
        while words and words[0] == "|":
            words.pop(0)
            either.append(self._item(words))
        return lambda value: any(test(value) for test in either)

    def _item(self, words: list[str]) -> Fits:
        if words[0] == "|":  # in front of the first of several lines
            words.pop(0)
        test = self._one(words)
        while words[:2] == ["[", "]"]:
            del words[:2]
            test = self._list(test)
        return test

    def _list(self, test: Fits) -> Fits:
        return lambda value: isinstance(value, list | tuple) and all(map(test, value))

    def _one(self, words: list[str]) -> Fits:
        word = words.pop(0)
        if word.startswith('"'):
            return lambda value: bool(value == word.strip('"'))
        if word == "[":
            tests = self._several(words, "]")
            return lambda value: (
                isinstance(value, list | tuple)
                and len(value) == len(tests)
                and all(test(part) for test, part in zip(tests, value, strict=True))
            )
        if word == "{":
            return self._braces(words)
        arguments = []
        if words[:1] == ["<"]:
            named = words[1]
            del words[0]
            arguments = self._several(words, ">")
            if word == "Partial":
                return lambda value: self._fits_fields(value, self.fields(named), partial=True)
        return self._name(word, arguments)

    def _several(self, words: list[str], end: str) -> list[Fits]:
        tests = [self._union(words)]
        while words[0] == ",":
            words.pop(0)
            tests.append(self._union(words))
        assert words.pop(0) == end
        return tests

    def _braces(self, words: list[str]) -> Fits:
        tests = {}
        while words[0] != "}":
            name = words.pop(0)
            assert words.pop(0) == ":"
            tests[name] = self._union(words)
            if words[0] == ";":
                words.pop(0)
        words.pop(0)
        return lambda value: (
            isinstance(value, dict)
            and value.keys() == tests.keys()
            and all(test(value[name]) for name, test in tests.items())
        )

    def _name(self, word: str, arguments: list[Fits]) -> Fits:
        if word == "Record":
            keys, values = arguments
            return lambda value: all(keys(k) and values(v) for k, v in value.items())
        simple: dict[str, Fits] = {
            "string": lambda value: isinstance(value, str),
            "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
            "boolean": lambda value: isinstance(value, bool),
            "null": lambda value: value is None,
            "undefined": lambda value: False,
            "object": lambda value: isinstance(value, dict),
            "ArrayBuffer": lambda value: isinstance(value, bytes),
            "DataView": lambda value: isinstance(value, bytes),
        }
        if word in simple:
            return simple[word]
        found = self.named[word]
        if isinstance(found, str):
            return lambda value: self.fits(found, value)
        return lambda value: self._fits_fields(value, found)

    def _fits_fields(self, value: Any, fields: Fields, *, partial: bool = False) -> bool:
        needed = {name for name, (gap, _) in fields.items() if not (gap or partial)}
        return (
            isinstance(value, dict)
            and needed <= value.keys() <= fields.keys()
            and all(self.fits(fields[name][1], part) for name, part in value.items())
        )


@pytest.fixture(name="sent")
def _sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What widgets tell their pages."""
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(
        base.LiveWidget, "send", lambda _, content, buffers=None: sent.append(content)
    )
    return sent


def asking(shown: Any, *messages: dict[str, Any]) -> Iterator[Any]:
    """Yield a widget after each message of a page."""
    for message in messages:
        shown._take(shown, message, [])
        yield shown


def chat() -> tuple[ev.ChatThread, ev.ChatMessage]:
    thread = ev.ChatThread(title="Cycles")
    question = thread.say("user", "What is a cycle?")
    answer = thread.say("assistant", "A way back.", parent=question)
    answer.author, answer.model = "Ada", "m"
    return thread, thread.say("assistant", "A closed path.", parent=question)


def graph_states() -> Iterator[Any]:
    """Yield an explorer of a graph in the states that a reader brings it into."""
    thread, last = chat()
    shown = ev.EntityDependencyGraph(thread).explore()
    yield shown
    shown.selected = last
    yield shown
    for view in ("around", "groups", "map", "found", "all"):
        shown.view = view
        yield shown
    shown.search, shown.type_filter = "path", "ChatMessage"
    yield shown
    shown.cycle = 0
    yield shown
    yield from asking(
        shown,
        {"do": "cycles"},
        {"do": "rows", "first": 0},
        {"do": "labels", "nodes": [0, 1]},
        {"do": "library", "name": "cytoscape"},
        {"do": "tip", "element": 0},
        {"do": "move", "element": 0, "x": 1.5, "y": -2},
        {"do": "pick", "elements": [0, 1], "how": "only"},
        {"do": "path"},
        {"do": "select", "node": -1},
    )
    large = ev.EntityDependencyGraph(ev.sample("chain", n=40)).explore(limit=4)
    yield from asking(large, *({"do": "open", "group": group} for group in range(40)))


def thread_states() -> Iterator[Any]:
    """Yield an explorer of a thread, likewise."""
    thread, last = chat()
    store = ev.InMemoryEntityStorage()
    store.register(thread)
    thread.say("user", "And then?", parent=last)
    store.register(thread, note="asked")
    shown = thread.explore(store)
    yield shown
    shown.selected = last
    shown.search = "cycle"
    yield shown
    shown.since = 1
    yield shown
    yield from asking(
        shown,
        {"do": "leaves", "first": 0},
        {"do": "messages", "first": 0, "count": 3},
        {"do": "whole", "node": 0},
        {"do": "json", "node": 0},
        {"do": "compare", "node": 1, "by": 1},
        {"do": "hit", "by": 1},
        {"do": "see", "revision": 1},
    )


def store_states() -> Iterator[Any]:
    """Yield an explorer of a store, likewise."""
    yield ev.InMemoryEntityStorage().explore()
    thread, last = chat()
    store = ev.SQLAlchemyEntityStorage(":memory:")
    store.register(thread)
    shown = store.explore()
    yield shown
    shown.selected = last
    yield shown
    yield from asking(
        shown,
        {"do": "table", "n": 1, "name": "ChatThread"},
        {"do": "sort", "table": "ChatThread", "column": 0},
        {"do": "pick", "id": str(thread.ecs_id)},
        {"do": "search", "text": "Cycles"},
        {"do": "refresh"},
    )
    store.close()


def threads_states() -> Iterator[Any]:
    """Yield an explorer of many threads, likewise."""
    yield ev.ChatThreads().explore()
    thread, last = chat()
    last.created_at = datetime(2024, 5, 1, tzinfo=UTC)
    shown = ev.ChatThreads([thread, ev.ChatThread()]).explore()
    yield shown
    yield from asking(
        shown,
        {"do": "filter", "set": {"search": "way", "model": {"n": 0, "name": "m"}, "most": 5}},
        {"do": "pick", "id": str(thread.ecs_id)},
        {"do": "back"},
        {"do": "sort", "column": 0},
        {"do": "refresh"},
    )


def lesson_states() -> Iterator[Any]:
    """Yield the page's part of a lesson."""
    yield LessonPage(ev.EntityDependencyGraph(chat()[0]).walkthrough("order"))


def sides_states() -> Iterator[Any]:
    """Yield objects and rows, likewise."""
    thread, _ = chat()
    with ev.SQLAlchemyEntityStorage(":memory:") as store:
        shown = store.side_by_side(store.register(thread))
    yield shown
    yield from asking(
        shown,
        {"do": "pick", "table": 0, "row": 0},
        {"do": "follow", "table": 1, "row": 0, "column": 1},
    )
    shown.close()


def order_states() -> Iterator[Any]:
    """Yield an exercise on order, likewise."""
    shown = lessons.arrange("order-1")
    yield shown
    yield from asking(shown, {"do": "move", "place": 0, "to": 4}, {"do": "check"}, {"do": "hint"})


STATES = {
    "sides": sides_states,
    "lesson": lesson_states,
    "order": order_states,
    "graph": graph_states,
    "thread": thread_states,
    "store": store_states,
    "threads": threads_states,
}


@pytest.mark.parametrize("room", ROOMS)
def test_the_traits_that_are_declared_are_those_that_are_synced(room: str) -> None:
    own = set(ROOMS[room].class_trait_names(sync=True))
    own -= set(anywidget.AnyWidget.class_trait_names(sync=True))
    assert set(Declared(room).fields("Traits")) == own - BUNDLE


@pytest.mark.parametrize("room", ROOMS)
def test_the_messages_that_are_declared_are_those_that_are_answered(room: str) -> None:
    assert set(Declared(room).fields("Asked")) == {*ROOMS[room].answers, "library", "alive"}


@pytest.mark.parametrize("room", ROOMS)
def test_the_answers_that_are_declared_are_those_that_are_told(room: str) -> None:
    kinds = [kind for kind in ROOMS[room].mro() if issubclass(kind, base.LiveWidget)]
    text = "".join(map(inspect.getsource, kinds))
    told = re.findall(r'(?:self\.tell\(\s*|"told": )"(\w+)"', text)
    assert set(Declared(room).fields("Told")) == set(told)


@pytest.mark.parametrize("room", ROOMS)
def test_what_traits_hold_is_what_is_declared(room: str, sent: list[dict[str, Any]]) -> None:
    declared = Declared(room)
    fields = declared.fields("Traits")
    for shown in STATES[room]():
        for name, value in shown.get_state([*fields]).items():
            assert declared.fits(fields[name][1], value), f"{name} = {value!r}"
    told = declared.fields("Told")
    for message in sent:
        facts = {name: value for name, value in message.items() if name != "told"}
        assert declared.fits(told[message["told"]][1], facts), message
    missing = {*told} - {message["told"] for message in sent}
    assert missing <= {"error", "library", "alive"}, "each was told once"


@pytest.mark.parametrize(
    ("kind", "fitting", "other"),
    [
        ('"a" | null', ["a", None], ["b", 0]),
        ("[string, number | null][]", [[], [("a", 1), ("b", None)]], [[("a",)], [(1, "a")]]),
        ("number", [1, 0.5], [True, "1"]),
        ("Record<string, boolean>", [{}, {"a": True}], [{"a": 1}]),
        ("{ a: number; b: string }", [{"a": 1, "b": ""}], [{"a": 1}, {"a": 1, "b": "", "c": 1}]),
        ("Cycles | NoCycles", [{}, {"told": "", "listed": []}], [{"told": ""}, {"x": 1}]),
        ("Partial<Links>", [{}, {"told": ""}], [{"told": 1}]),
        ("DataView<ArrayBuffer>", [b""], [""]),
    ],
)
def test_the_test_knows_what_fits(kind: str, fitting: list[Any], other: list[Any]) -> None:
    declared = Declared("graph")
    assert all(declared.fits(kind, value) for value in fitting)
    assert not any(declared.fits(kind, value) for value in other)
