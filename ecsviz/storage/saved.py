"""Who is told that something was saved in this process: live explorers.

A listener is held weakly, so that nobody lives longer for it; where there is none, telling costs
nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from threading import Lock
from typing import Any, Final, Protocol
from uuid import UUID
from weakref import WeakSet

from ecsviz.domain.walk import Walk


class Listener(Protocol):
    """What wants to know; it raises nothing, since what is saved is saved."""

    def saved(self, inside: Any, ids: Collection[UUID] | None) -> None:
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


def tell(inside: Any, ids: Collection[UUID] | None = None) -> None:
    """Tell all that the storage with this inside has saved, or deleted, something.

    Nothing is told in the block of a transaction, which tells of all at its end.

    Parameters
    ----------
    inside
        That of the storage.
    ids
        The entities that were looked at; None where they are not known.
    """
    if not listening:
        return
    if inside.blocks:
        inside.blocks[0].heard(ids)
        return
    with _lock:
        told = list(listening)
    for listener in told:
        listener.saved(inside, ids)


def met(found: Walk) -> list[UUID]:
    """Return the ids of what a walk met."""
    return [entity.ecs_id for entity in found.entities]


class Telling:
    """Tells of it when the transaction of a session is carried out: see `tell`."""

    def __init__(self, inside: Any, ids: Collection[UUID] | None) -> None:
        self._inside, self._ids = inside, ids

    def finish(self) -> None:
        """Tell it."""
        tell(self._inside, self._ids)
