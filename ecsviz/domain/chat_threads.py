"""Several chat threads: what they can be shown, counted and drawn as."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, SupportsIndex, overload

from ecsviz.basics.arguments import listed
from ecsviz.basics.html import Child, block, element, shown_of, table
from ecsviz.basics.text import counted
from ecsviz.basics.views import view
from ecsviz.domain.chat import ChatThread
from ecsviz.errors import UnknownTypeError, short_repr

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from matplotlib.axes import Axes

MAX_LISTED: Final = 12
"""How many threads a cell lists."""


class ThreadViews:
    """The views of `ChatThreads`, and of the threads of a store."""

    __slots__ = ()

    @view
    def frame(self, columns: Iterable[str] | None = None) -> pd.DataFrame:
        """Return the messages as a DataFrame, a row each; see ``ecsviz.frames.chats``.

        Examples
        --------
        >>> import ecsviz as ev
        >>> threads = ev.ChatThreads([ev.sample("thread")])
        >>> threads.frame(["role", "depth", "branch"]).head(3)
                role  depth  branch
        0       user      0       0
        1  assistant      1       0
        2       user      2       0
        """
        raise NotImplementedError

    @view
    def summary(self) -> pd.DataFrame:
        """Return the threads as a DataFrame, a row each; see ``ecsviz.frames.chats``.

        Examples
        --------
        >>> import ecsviz as ev
        >>> threads = ev.ChatThreads([ev.sample("thread")])
        >>> threads.summary()[["messages", "branches", "depth"]]
           messages  branches  depth
        0        18         6      6
        """
        raise NotImplementedError

    @view
    def draw_activity(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw on which days and at which hours was written; see ``ecsviz.draw.draw_activity``.

        Examples
        --------
        >>> import ecsviz as ev
        >>> threads = ev.ChatThreads([ev.sample("thread")])
        >>> threads.draw_activity(timezone="Europe/Berlin").get_title(loc="left")
        '18 messages on 1 day: 2025-03-04'
        """
        raise NotImplementedError

    @view
    def draw_lengths(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw how many threads are how long; see ``ecsviz.draw.draw_lengths``.

        Examples
        --------
        >>> import ecsviz as ev
        >>> threads = ev.ChatThreads([ev.sample("thread")])
        >>> threads.draw_lengths().get_title(loc="left")
        '1 thread: 18 messages'
        """
        raise NotImplementedError

    @view
    def draw_models(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw which models wrote how much, and when; see ``ecsviz.draw.draw_models``.

        Examples
        --------
        >>> import ecsviz as ev
        >>> threads = ev.ChatThreads([ev.sample("thread")])
        >>> threads.draw_models().get_title(loc="left")
        '11 answers of 2 models'
        """
        raise NotImplementedError

    @view
    def explore(self) -> Any:
        """Return a live widget: a list to search, filter and sort, and the thread that one picks.

        Returns
        -------
        ThreadsExplorer
            A widget; its trait ``selected``, the ``ecs_id`` of the picked thread, works in both
            directions.

        Examples
        --------
        >>> import ecsviz as ev
        >>> ev.ChatThreads(ev.sample("chats")).explore()
        ThreadsExplorer(6 threads, 98 messages)
        """
        raise NotImplementedError

    @view
    def to_chatgpt(self, path: str | Path | None = None) -> str | Path:
        """Return, or write, all branches as ChatGPT exports them; see ``ecsviz.export.to_chatgpt``.

        Examples
        --------
        >>> import ecsviz as ev
        >>> threads = ev.ChatThreads(ev.sample("chats"))
        >>> ev.read_chat(threads.to_chatgpt().encode())
        <ChatImport of 6 threads, 98 messages, 0 problems>
        """
        raise NotImplementedError

    @view
    def to_oasst(self, path: str | Path | None = None) -> str | Path:
        """Return, or write, all branches as Open-Assistant does; see ``ecsviz.export.to_oasst``.

        Examples
        --------
        >>> import ecsviz as ev
        >>> threads = ev.ChatThreads(ev.sample("chats"))
        >>> ev.read_chat(threads.to_oasst().encode())
        <ChatImport of 6 threads, 98 messages, 0 problems>
        """
        raise NotImplementedError


class ChatThreads(list[ChatThread], ThreadViews):
    """A list of chat threads that can be counted and drawn.

    Parameters
    ----------
    threads
        Any iterable of `ChatThread`.

    Raises
    ------
    UnknownTypeError
        If something else is among them.

    See Also
    --------
    ecsviz.read_chat : gives one.

    Examples
    --------
    >>> import ecsviz as ev
    >>> threads = ev.ChatThreads([ev.ChatThread(title="a"), ev.sample("thread")])
    >>> threads
    <ChatThreads of 2 threads, 18 messages>
    >>> threads[1:].summary()["messages"].tolist()
    [18]
    """

    def __init__(self, threads: Iterable[ChatThread] = ()) -> None:
        given = listed(threads, "threads", "Give an iterable of ChatThread.")
        super().__init__(check_threads(given))

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> ChatThread: ...

    @overload
    def __getitem__(self, index: slice, /) -> ChatThreads: ...

    def __getitem__(self, index: Any, /) -> Any:
        """Return a thread, or a part."""
        found = super().__getitem__(index)
        return ChatThreads(found) if isinstance(index, slice) else found

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._said()}>"

    def _said(self) -> str:
        messages = sum(len(thread.messages) for thread in self)
        return f"{counted(len(self), 'thread')}, {counted(messages, 'message')}"

    def _repr_html_(self) -> str:
        return str(block(*self._cell()))

    def _cell(self) -> list[Child]:
        """Return what a cell shows: what it is, and the first threads."""
        children: list[Child] = [element("p", repr(self).strip("<>"), look="title")]
        rows = [
            (
                thread.title or "(no title)",
                len(thread.messages),
                branches_of(thread),
                f"{thread.created_at:%Y-%m-%d}" if thread.created_at else None,
            )
            for thread in self[:MAX_LISTED]
        ]
        if rows:
            note = shown_of(len(rows), len(self), "threads") if len(rows) < len(self) else None
            headings = ("thread", "messages", "branches", "begun")
            children.append(table(headings, rows, note=note))
        return children


def check_threads(threads: Sequence[Any]) -> Sequence[ChatThread]:
    """Return what was given, if it is threads.

    Raises
    ------
    UnknownTypeError
        If something else is among them.
    """
    for each in threads:
        if not isinstance(each, ChatThread):
            raise UnknownTypeError(
                f"{short_repr(each)} is not a ChatThread. Give threads, such as those of"
                " ev.read_chat(…) or store.find(ev.ChatThread).",
                value=each,
            )
    return threads


def branches_of(thread: ChatThread) -> int:
    """Return how many branches a chat has: one, and another for each further answer.

    What answers nothing follows what was said before, as in a messenger.
    """
    further = sum(len(message.replies) - 1 for message in thread.branch_points())
    return further + bool(thread.messages)
