"""Which files of ecsviz a call enters: ``python -m tests.entered`` prints them, call by call."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import ecsviz as ev
from ecsviz.basics.garbage import collector_paused

PACKAGE = Path(ev.__file__).parent


def files_entered(call: Callable[[], Any]) -> list[str]:
    """Return the files of the package that a call enters, in the order of their first function.

    What runs once per class and what is imported at first use has to have run before. What others
    have left behind is let go before as well, and not while the call runs.
    """
    gc.collect()
    found: dict[str, None] = {}

    def enter(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(str(PACKAGE)):
            found.setdefault(frame.f_code.co_filename)

    before = sys.getprofile()
    with collector_paused():
        sys.setprofile(enter)
        try:
            call()
        finally:
            sys.setprofile(before)
    return [str(Path(name).relative_to(PACKAGE)) for name in found]


def thread_of(title: str) -> ev.ChatThread:
    """Return a thread of three messages."""
    thread = ev.ChatThread(title=title)
    for text in ("What is a cycle?", "A way back.", "Thanks."):
        thread.say("user", text)
    return thread


def calls() -> dict[str, Callable[[], Any]]:
    """Return the calls whose paths are counted, by name, each on what it needs."""
    store = ev.SQLAlchemyEntityStorage(":memory:")
    known = store.register(thread_of("known"))
    graph = ev.EntityDependencyGraph(known)
    new = thread_of("new")
    return {
        "register": lambda: store.register(new),
        "get": lambda: store.get(known.ecs_id),
        "draw": graph.draw,
        "explore": graph.explore,
    }


def main() -> None:
    """Print the files that each call enters."""
    for call in calls().values():  # imports, and what is made once
        call()
    for name, call in calls().items():
        files = files_entered(call)
        sys.stdout.write("\n    ".join([f"{name}: {len(files)}", *files]) + "\n")


if __name__ == "__main__":
    main()
