"""Widgets that were shown and closed leave nothing behind: no part, no comm, nobody who listens."""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from weakref import WeakSet

import comm

import ecsviz as ev
from ecsviz import lessons
from ecsviz.storage.saved import listening


class Opened:
    """What is opened again and again; made once."""

    def __init__(self, folder: Path) -> None:
        self.store = ev.SQLAlchemyEntityStorage(folder / "a.db")
        self.thread = ev.ChatThread(title="x")
        question = self.thread.say("user", "a")
        for text in "bc":
            self.thread.say("assistant", text, question)
        self.store.register(self.thread)
        self.mine, theirs = (self.store.get(self.thread.ecs_id) for _ in range(2))
        self.mine.title, theirs.title = "y", "z"
        self.store.register(theirs)
        self.graph = ev.EntityDependencyGraph(self.thread)
        with closing(sqlite3.connect(folder / "b.db")) as conn, conn:
            conn.execute("CREATE TABLE a (id INTEGER PRIMARY KEY, b TEXT)")
            conn.execute("INSERT INTO a VALUES (1, 'x')")
        self.database = ev.read_database(folder / "b.db")


def chosen(widget: Any, thing: Any) -> Any:
    widget.selected = thing
    return widget


OPEN: dict[str, Callable[[Opened], Any]] = {
    "graph": lambda it: it.graph.explore(),
    "live": lambda it: it.graph.explore(live=True),
    "classes": lambda _: ev.explore(ev.ChatThread),
    "past": lambda it: ev.explore(it.thread.messages[0], store=it.store),
    "store": lambda it: chosen(it.store.explore(), it.thread),
    "thread": lambda it: it.thread.explore(it.store),
    "threads": lambda it: chosen(ev.ChatThreads([it.thread]).explore(), it.thread),
    "database": lambda it: it.database.explore(),
    "sides": lambda it: it.store.side_by_side(it.thread),
    "conflicts": lambda it: it.store.resolve(it.mine),
    "walkthrough": lambda it: it.graph.walkthrough("order").explore(),
    "order": lambda _: lessons.arrange("order-1"),
    "lazy": lambda it: ev.scan_graph(it.store).explore(),
}


def test_what_was_closed_leaves_nothing(
    tmp_path: Path, require_optional: Callable[[str], Any]
) -> None:
    require_optional("duckdb")
    it, comms = Opened(tmp_path), comm.get_comm_manager().comms
    known, heard, shown, left = {*comms}, {*listening}, WeakSet[Any](), {}
    for kind, make in OPEN.items():
        for _ in range(100 if kind == "graph" else 1):
            widget = make(it)
            shown.add(widget)
            assert {*comms} > known
            widget.close()
            del widget
        left[kind] = len({*comms} - known), len({*listening} - heard)
    assert left == dict.fromkeys(OPEN, (0, 0))
    gc.collect()
    assert [*shown] == []
    it.database.close()
