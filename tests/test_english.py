"""What is written of one thing is in the singular, and no sentence ends twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

import ecsviz as ev
from ecsviz.draw import draw_graph
from tests.test_draw import all_texts

WRONG = re.compile(r"(?<![\d.,])1 (?!was|is|has|ms|class\b)[a-z]+s\b|…\.(?![a-z])")
"""What a graph says of itself ("1 references") is promised."""
LONG = "Which of them waits for each. other and what is to be done about it, if anything at all?"


def things(messages: int) -> Iterator[Any]:
    """Return what is shown of a thread with so many messages, wherever it is shown."""
    thread = ev.ChatThread(title=LONG)
    last = None
    for _ in range(messages):
        last = thread.say("user", LONG, parent=last)
    graph = ev.EntityDependencyGraph(thread)
    store = ev.InMemoryEntityStorage()
    store.register(thread)
    sql = ev.SQLAlchemyEntityStorage(":memory:")
    yield sql.explain(thread).summary()
    sql.close()
    for of in (graph.walkthrough("order"), graph.walkthrough("components")):
        yield from (repr(of), *(step.text for step in of), of._repr_html_())
    yield from (repr(store), graph.to_mermaid(), thread._repr_html_(), store._repr_html_())
    for pairs in (True, False):
        explorer = graph.explore(pairs=pairs)
        for view in ("all", "groups", "map"):
            explorer.view = view
            yield explorer.status
        explorer.selected = thread.ecs_id
        explorer.view = "around"
        yield from (explorer.status, repr(explorer), str(explorer._repr_mimebundle_()))
        explorer.close()
        yield from (text.get_text() for text in all_texts(draw_graph(graph, pairs=pairs)))
    found = store.explore()
    found.table = "ChatThread"
    found.search = "waits"
    yield found.status
    found.close()
    for widget in (store.explore(), thread.explore(), ev.ChatThreads([thread]).explore()):
        yield from (repr(widget), str(getattr(widget, "status", "")))
        yield str(widget._repr_mimebundle_())
        widget.close()


@pytest.mark.parametrize("messages", [0, 1])
def test_one_thing_is_told_in_the_singular(messages: int) -> None:
    for text in things(messages):
        found = [text[max(m.start() - 40, 0) : m.end() + 20] for m in WRONG.finditer(text)]
        assert found == []
