"""A large export of chats: read whole, chat by chat, and into a store, against ``json.load``."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import ecsviz as ev
from benchmarks.targets import SQLite
from benchmarks.timing import Contender, Goal, Section, Table, rounds
from benchmarks.workload import ROOT

LOADED = "`json.load`"
EACH = "`iterate_chats`, all chats"
WHOLE = "`read_chat`"
STORED = "`store.register(iterate_chats(…))`"

TURNS = 20
"""Messages of a conversation."""

PEAKS = {
    LOADED: "import json; json.load(open({path!r}, encoding='utf-8'))",
    EACH: "import ecsviz as ev; [0 for _ in ev.iterate_chats({path!r}, progress=False)]",
    WHOLE: "import ecsviz as ev; ev.read_chat({path!r}, progress=False)",
    STORED: (
        "import ecsviz as ev; store = ev.SQLAlchemyEntityStorage({store!r});"
        " store.register(ev.iterate_chats({path!r}, progress=False))"
    ),
}
"""What is run for its peak, each in a Python of its own."""

MAXIMUM = "; import resource as r; print(r.getrusage(r.RUSAGE_SELF).ru_maxrss)"


def conversation(rng: random.Random, words: list[str], number: int) -> dict[str, Any]:
    """Return a conversation as ChatGPT exports it, with all that it says of each message."""

    def ident() -> str:
        return str(uuid.UUID(int=rng.getrandbits(128), version=4))

    root = above = ident()
    nodes: dict[str, dict[str, Any]] = {
        root: {"id": root, "message": None, "parent": None, "children": []}
    }
    when = 1_690_000_000 + 3_000.25 * number
    for turn in range(TURNS):
        key, is_asked = ident(), turn % 2 == 0
        nodes[above]["children"].append(key)
        said: dict[str, Any] = {"request_id": ident(), "timestamp_": "absolute", "parent_id": above}
        if not is_asked:
            said |= {"model_slug": "gpt-4o", "citations": [], "content_references": []}
            said |= {"finish_details": {"type": "stop", "stop_tokens": [200002]}}
            said |= {"sonic_classification_result": {"latency_ms": 27.2, "search_prob": 0.006}}
        message = {
            "id": key,
            "author": {"role": "user" if is_asked else "assistant", "name": None, "metadata": {}},
            "create_time": when + 7.5 * turn,
            "update_time": None,
            "content": {
                "content_type": "text",
                "parts": [" ".join(rng.choices(words, k=40 if is_asked else 200))],
            },
            "status": "finished_successfully",
            "end_turn": None if is_asked else True,
            "weight": 1.0,
            "metadata": said,
            "recipient": "all",
            "channel": None,
        }
        nodes[key] = {"id": key, "message": message, "parent": above, "children": []}
        above = key
    return {
        "title": " ".join(rng.choices(words, k=4)),
        "create_time": when,
        "update_time": when + 500,
        "mapping": nodes,
        "current_node": above,
        "is_archived": False,
        "default_model_slug": "auto",
        "id": ident(),
    }


def export(path: Path, messages: int) -> int:
    """Write an export of so many messages, and return how many conversations it has."""
    rng = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(rng.choices(letters, k=rng.randint(2, 11))) for _ in range(5_000)]
    count = max(messages // TURNS, 1)
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            file.write(", " if number else "[")
            json.dump(conversation(rng, words, number), file)
        file.write("]")
    return count


def peak(path: Path, what: str, store: Path) -> float:
    """Return the most memory, in MiB, that a process takes which does something once."""
    code = PEAKS[what].format(path=str(path), store=str(store)) + MAXIMUM
    # Of a process that another has started, the peak begins with that of the other: a small one.
    start = "import subprocess as s, sys; s.run([sys.executable, '-c', sys.argv[1]], check=True)"
    command = [sys.executable, "-c", start, code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    unit = 1 if sys.platform == "darwin" else 1_024  # of what ru_maxrss counts
    return int(done.stdout) * unit / 2**20


def exports(folder: Path, size: int, repeats: int) -> Section:
    target, path = SQLite(folder), folder / "conversations.json"
    count = export(path, size)
    megabytes = path.stat().st_size / 1e6

    def loaded() -> None:
        with path.open(encoding="utf-8") as file:
            assert len(json.load(file)) == count

    def each() -> None:
        assert sum(1 for _ in ev.iterate_chats(path, progress=False)) == count

    def whole() -> None:
        assert len(ev.read_chat(path, progress=False)) == count

    def stored(stack: ExitStack) -> Callable[[], object]:
        store = target.store(stack)

        def work() -> None:
            done = store.register(ev.iterate_chats(path, progress=False)).stored
            assert (done.threads, done.added) == (count, count * (TURNS + 1))

        return work

    plain: dict[str, Contender | None] = {
        LOADED: lambda _: loaded,
        EACH: lambda _: each,
        WHOLE: lambda _: whole,
        STORED: stored,
    }
    title = f"Read an export of {megabytes:,.0f} MB, {count:,} conversations of {TURNS} messages"
    race = rounds(title, plain, repeats, limit=LOADED)
    peaks = {what: peak(path, what, folder / "peak.db") for what in PEAKS}
    path.unlink()
    table = Table(
        f"The most memory that a process takes for these {megabytes:,.0f} MB",
        ["what", "MiB"],
        [[f"a process with {what}", f"{found:,.0f}"] for what, found in peaks.items()],
        records=[{"what": what, "mebibytes": found} for what, found in peaks.items()],
    )
    goals = [
        race.at_most(12, 1.3, EACH, LOADED),
        Goal(12, f"{STORED}, at the most", 400, peaks[STORED], " MiB"),
    ]
    return Section([race], goals, [table])
