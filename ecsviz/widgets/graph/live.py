"""Explorers that follow what is saved."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress
from threading import Lock
from typing import Any, Final
from uuid import UUID
from weakref import WeakKeyDictionary, WeakSet, ref

from IPython import get_ipython

from ecsviz.basics.text import plain
from ecsviz.errors import EcsvizError
from ecsviz.storage.saved import forget, listen

_lock = Lock()
_followers: Final[WeakKeyDictionary[Any, Follower]] = WeakKeyDictionary()
_cells: Final[dict[str, tuple[str, WeakSet[Any]]]] = {}
"""Per cell of a notebook the run that has made followers last, and these."""


def follow(shown: Any, inside: Any = None, *, on: bool = True) -> None:
    """Refresh a widget from now on whenever something was saved, or do so no more.

    A cell that is run again shows new widgets in the place of those that it has shown before: from
    these it takes over, since a kernel keeps them for ever.
    """
    with _lock:
        before = [_followers.pop(shown, None)]
        replaced = _replaced(shown) if on else []
        if on:
            _followers[shown] = Follower(shown, inside)
            before += [_followers.pop(old, None) for old in replaced]
    for follower in before:
        if follower is not None:
            follower.end()
    for old in replaced:
        old.live = False


def _replaced(shown: Any) -> list[Any]:
    """Return what earlier runs of this cell have made, and note what this one makes."""
    message: Any = getattr(get_ipython(), "get_parent", dict)()
    cell = message.get("metadata", {}).get("cellId")
    if not isinstance(cell, str):
        return []
    run = str(message.get("header", {}).get("msg_id"))
    known, made = _cells.get(cell, (run, WeakSet()))
    _cells[cell] = run, (made if known == run else WeakSet())
    _cells[cell][1].add(shown)
    return [] if known == run else [old for old in made if old is not shown]


class Follower:
    """Lets a widget be refreshed when something was saved, once for many saves.

    Parameters
    ----------
    shown
        The widget, which is held weakly: its ``refresh()`` shows what is there now.
    inside
        The inside of the storage that is followed; None for any.

    Notes
    -----
    In a notebook the kernel's own thread does it, as soon as the cell, or whatever saves, has
    ended; where no event loop runs, the thread that has saved does it at once.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="one")
    >>> explorer = ev.EntityDependencyGraph(thread).explore(live=True)
    >>> _ = thread.say("user", "hello")
    >>> explorer.status.partition(" and ")[0]
    'showing 1 of 1 entity'
    >>> _ = ev.InMemoryEntityStorage().register(thread)
    >>> explorer.status.partition(" and ")[0]
    'showing 2 of 2 entities'
    >>> explorer.close()
    """

    def __init__(self, shown: Any, inside: Any = None) -> None:
        self._shown, self._inside = ref(shown), inside
        self._lock, self._waiting = Lock(), False
        self._loop: asyncio.AbstractEventLoop | None = None

        with suppress(RuntimeError):  # there is none
            self._loop = asyncio.get_running_loop()
        listen(self)
        shown.observe(self._stop_at_end, "comm")

    def _stop_at_end(self, change: Any) -> None:
        if change.new is None:  # the widget is closed
            self.end()

    def end(self) -> None:
        """Follow no more."""
        forget(self)
        if (shown := self._shown()) is not None:
            shown.unobserve(self._stop_at_end, "comm")

    def saved(self, inside: Any, ids: Collection[UUID] | None) -> None:
        """Refresh the widget soon, if it has to do with what was saved."""
        shown = self._shown()
        if shown is None or (self._inside is not None and inside is not self._inside):
            return
        if self._inside is None and ids is not None and not shown.concerns(ids):
            return
        if self._loop is None or not self._loop.is_running():
            self._catch_up()
            return
        with self._lock:
            if self._waiting:
                return
            self._waiting = True
        self._loop.call_soon_threadsafe(self._catch_up)

    def _catch_up(self) -> None:
        with self._lock:
            self._waiting = False
        shown = self._shown()
        if shown is None or shown.comm is None:
            return
        try:
            shown.refresh()
        except EcsvizError as error:
            shown.complain(str(error))
        except Exception as error:  # noqa: BLE001  # of the user's classes: what is saved is saved
            shown.complain(plain(f"What was saved cannot be shown: {error!r}", 300))
