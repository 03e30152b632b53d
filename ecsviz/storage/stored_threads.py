"""The chat threads of a store, counted and drawn without being read one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ecsviz.basics.text import counted
from ecsviz.domain.chat import ChatMessage, ChatThread
from ecsviz.domain.chat_threads import ThreadViews
from ecsviz.storage.as_of import AsOf

BATCH: Final = 200
"""How many threads are read at a time."""


class StoredThreads(ThreadViews):
    """The chat threads of a store, which ``store.threads()`` returns.

    Parameters
    ----------
    store
        Where they are.
    as_of
        A revision or an aware time; None for what is stored when something is asked.

    Notes
    -----
    What it counts and draws is read as columns, where the store has tables; who iterates reads the
    threads, some at a time.

    Examples
    --------
    >>> import ecsviz as ev
    >>> store = ev.SQLAlchemyEntityStorage(":memory:")
    >>> _ = store.register(ev.sample("thread"))
    >>> threads = store.threads()
    >>> threads
    <StoredThreads: 1 thread, 18 messages>
    >>> [len(thread.branch_points()) for thread in threads]
    [5]
    """

    def __init__(self, store: Any, as_of: AsOf = None) -> None:
        self.store = store
        self.as_of = as_of

    def __len__(self) -> int:
        count: int = self.store.count(ChatThread, as_of=self.as_of)
        return count

    def __iter__(self) -> Iterator[ChatThread]:
        yield from self.store.iterate(ChatThread, batch=BATCH, hops=None, as_of=self.as_of)

    def __repr__(self) -> str:
        with self.store.inside.one_state():
            messages = self.store.count(ChatMessage, as_of=self.as_of)
            told = f"{counted(len(self), 'thread')}, {counted(messages, 'message')}"
        return f"<StoredThreads: {told}>"
