"""The locks around what all threads share: what is made once, and what is remembered."""

from __future__ import annotations

import os
import threading
from typing import Any, Final

import pydantic.main

try:
    _own: Any = pydantic.main._rebuild_lock
except AttributeError:  # another pydantic, which holds none
    _own = threading.RLock()

making: Final = _own
"""Held while something is made once for a class (its plan, codecs, tables, models), or looked up
where it may just be in the making. One for all, so that no two threads can wait for each other:
pydantic's own, since completing a class may define others, and defining one is ours. Nobody waits
for a database with it."""

remembering: Final = threading.RLock()
"""Held while a store looks at what it remembers of entities, or changes it. Nobody waits for a
database with it, nor for another lock but `making`."""

looking: Final = threading.RLock()
"""Held while SQLite opens a file, and while one that it may have open is closed elsewhere, so that
none comes in between. Nobody waits for a database with it, nor for another lock."""

if hasattr(os, "register_at_fork"):
    # A child has only the thread that forked: a lock that another one held would never be free.
    for lock in (making, remembering, looking):
        os.register_at_fork(
            before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release
        )
