"""The same again and again, in one process: memory, open files and threads stay as many."""

from __future__ import annotations

import gc
import sys
import threading
import tracemalloc
import types
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import ecsviz as ev
from tests.campaign import ledger
from tests.campaign.tally import Tally

FIRST = 30
MOST = 400
"""How many bytes each time may leave behind: tables that grow by steps do."""


def saves(folder: Path) -> Callable[[], Any]:
    store, made = ev.SQLAlchemyEntityStorage(folder / "saves.db"), ledger.opened()
    for _ in range(ledger.KEPT):
        ledger.go_on(made)

    def once() -> None:  # no new entities: a store knows the newest ids of the last 100,000 saved
        made.step += 1
        made.left.entries.reverse()
        store.register(made)

    return once


def stores(folder: Path) -> Callable[[], Any]:
    def once() -> None:
        with ev.SQLAlchemyEntityStorage(folder / "stores.db") as store:
            store.register(ledger.opened()) if not len(store) else store.get(ledger.LEDGER)

    return once


def databases(folder: Path) -> Callable[[], Any]:
    with ev.SQLAlchemyEntityStorage(folder / "read.db") as store:
        store.register(ledger.opened())

    def once() -> None:
        with ev.read_database(folder / "read.db") as found:
            found.graph()

    return once


def explorers(folder: Path) -> Callable[[], Any]:
    graph = ev.EntityDependencyGraph(ledger.opened())

    def once() -> None:
        graph.explore().close()

    return once


def pictures(folder: Path) -> Callable[[], Any]:
    import matplotlib.pyplot as plt

    graph = ev.EntityDependencyGraph(ledger.opened())

    def once() -> None:
        plt.close(graph.draw().figure)

    return once


CELL = """
class Dish(ev.Entity):
    parts: list["Part"] = []
class Part(ev.Entity):
    dish: "Dish | None" = None
made = Dish(parts=[Part(), {}])
for part in made.parts:
    part.dish = made
"""


def cells(folder: Path) -> Callable[[], Any]:
    """Classes that name each other are defined again and again, and used."""
    store, code = ev.SQLAlchemyEntityStorage(folder / "cells.db"), compile(CELL, "cell", "exec")
    module = sys.modules["campaign_cells"] = types.ModuleType("campaign_cells")
    module.__dict__["ev"] = ev
    exec(code, module.__dict__)
    first = store.register(module.made).ecs_id

    def once() -> None:
        exec(code, module.__dict__)
        module.Dish.model_validate(module.made.model_dump())
        store.get(first)

    return once


WHAT = {what.__name__: what for what in (saves, stores, databases, explorers, pictures, cells)}


TIMES = {"saves": 1000, "stores": 1000, "cells": 300}
"""How often in the campaign; the others a hundred times."""


def now() -> tuple[int, int, int]:
    """Return how much memory, how many files and threads there are."""
    for _ in range(2):
        gc.collect()
    files = Path("/proc/self/fd")
    opened = len(list(files.iterdir())) if files.is_dir() else 0
    return tracemalloc.get_traced_memory()[0], opened, threading.active_count()


def run(seed: int, folder: Path, *, times: int | None = None, broken: bool = False) -> Tally:
    """Do one thing many times.

    Parameters
    ----------
    times
        How often, after some times that fill caches; None for as often as `TIMES` says.
    broken
        Each time leaves something behind.
    """
    name = Random(seed).choice(sorted(WHAT))
    times = TIMES.get(name, 100) if times is None else times
    found, left = Tally(tried=times), []
    once = WHAT[name](folder)
    began = not tracemalloc.is_tracing()
    if began:
        tracemalloc.start()
    try:
        for _ in range(FIRST):
            once()
        seen = [now()]
        for _ in range(2):
            for _ in range(times // 2):
                once()
                if broken:
                    left.append(bytes(1000))
            seen.append(now())
    finally:
        if began:
            tracemalloc.stop()
    before, between, after = seen
    # A table that has to grow does so once, in one half.
    grown = min(between[0] - before[0], after[0] - between[0]) / (times // 2)
    if grown > MOST:
        found.silent.append(f"seed {seed}, {name}: {grown:.0f} bytes a time are left behind")
    if after[1] > before[1] or after[2] > before[2]:
        found.silent.append(f"seed {seed}, {name}: files and threads {before[1:]} -> {after[1:]}")
    return found
