"""Stored text in pictures: drawn as text, and no markup in the files that hold them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import matplotlib.pyplot as plt
import pytest
from matplotlib.axes import Axes

import ecsviz as ev
from ecsviz.draw import draw_graph
from tests.hostile import HOSTILE, as_note
from tests.test_draw import all_texts, paint

CHUNKS = [HOSTILE[k : k + 9] for k in range(0, len(HOSTILE), 9)]


class Page(ev.Entity):
    name: str
    next: Page | None = None


def of_graph(texts: list[str]) -> Axes:
    names = [f"{number}" for number in range(len(texts))]
    graph = ev.EntityDependencyGraph.from_parts(
        names,
        names,
        texts,
        range(len(texts) - 1),
        range(1, len(texts)),
        texts[1:],
        fields=texts[1:],
    )
    return draw_graph(graph, label=lambda node: texts[int(node)], title=texts[0])


def of_groups(texts: list[str]) -> Axes:
    names = [f"{number}" for number in range(2 * len(texts))]
    graph = ev.EntityDependencyGraph.from_parts(names, names, texts * 2, [0, 2], [1, 3], texts[:2])
    return draw_graph(graph, group_by="type", title=texts[-1], color_by=lambda node: texts[0])


def of_thread(texts: list[str]) -> Axes:
    thread = ev.ChatThread(title=texts[0])
    for text in texts:
        thread.say(text, text)
    return thread.draw_timeline()


def of_lineage(texts: list[str]) -> Axes:
    store = ev.InMemoryEntityStorage()
    first = store.register(Page(name=texts[0]), note=as_note(texts[0]))
    for text in texts[1:]:
        fork = first.fork()
        fork.name = text
        store.register(fork, note=as_note(text))
    return store.draw_lineage(first, title=texts[-1])


def of_diff(texts: list[str]) -> Axes:
    before = [Page(name=text) for text in texts]
    after = copy.deepcopy(before)
    for page, text in zip(after, reversed(texts), strict=True):
        page.name = text
    return ev.diff(before, after).draw(title=texts[0])


MAKERS: dict[str, Callable[[list[str]], Axes]] = {
    "graph": of_graph,
    "groups": of_groups,
    "thread": of_thread,
    "lineage": of_lineage,
    "diff": of_diff,
}


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name.endswith("href")]


def parsed(ax: Axes) -> _Tags:
    found = _Tags()
    found.feed(paint(ax, "svg").decode("utf-8"))
    found.close()
    return found


def harmless(count: int) -> list[str]:
    return [f"harmless {number}" for number in range(count)]


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("texts", CHUNKS, ids=range(len(CHUNKS)))
def test_text_is_drawn_as_text(kind: str, texts: tuple[str, ...]) -> None:
    ax = MAKERS[kind](list(texts))
    for text in all_texts(ax):
        assert not text.get_parse_math()
        assert not text.get_usetex()
        assert len(text.get_text()) < 300
        assert not set(text.get_text()) & {"\x00", "\x1b", "\u202e", "\ud800"}
    found, ours = parsed(ax), parsed(MAKERS[kind](harmless(len(texts))))
    assert found.tags <= ours.tags | {"use"}
    assert not {name for name in found.names if name.startswith("on")}
    assert "script" not in found.tags
    assert all(link.startswith("#") for link in found.links)
    plt.close("all")


def test_a_file_of_a_harmless_picture_holds_what_is_compared() -> None:
    ours: Any = parsed(of_graph(harmless(9)))
    assert {"svg", "path", "g"} <= ours.tags
    assert ours.links
