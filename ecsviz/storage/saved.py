"""Who is told that something was saved in this process: live explorers.

A listener is held weakly, so that nobody lives longer for it; where there is none, telling costs
nothing.
"""

from __future__ import annotations

from threading import Lock
from typing import Any, Final, Protocol
from weakref import WeakSet


class Listener(Protocol):
    """What wants to know; it raises nothing, since what is saved is saved."""

    def saved(self, inside: Any) -> None:
        """Take notice, in the thread that has saved."""


_lock = Lock()
listening: Final[WeakSet[Any]] = WeakSet()


def listen(listener: Listener) -> None:
    """Tell a listener from now on, as long as somebody else holds it."""
    with _lock:
        listening.add(listener)


def forget(listener: Listener) -> None:
    """Tell a listener nothing any more."""
    with _lock:
        listening.discard(listener)


def tell(inside: Any) -> None:
    """Tell all that the storage with this inside has saved something."""
    if not listening:
        return
    with _lock:
        told = list(listening)
    for listener in told:
        listener.saved(inside)
