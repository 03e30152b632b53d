"""Chat threads → a DataFrame with a row a message, or a row a thread.

Both are column work: one pass over the messages of threads that are there, and of a store with
tables two queries, without making a message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ecsviz.basics.arguments import listed
from ecsviz.basics.garbage import collector_paused
from ecsviz.basics.order import Bools, Ints
from ecsviz.basics.result_frames import typed_column
from ecsviz.domain.chat import ChatMessage, ChatThread, kept_count, kept_parts, kind_of
from ecsviz.domain.chat_threads import check_threads
from ecsviz.errors import InvalidArgumentError, did_you_mean, short_repr
from ecsviz.storage.stored_threads import StoredThreads

if TYPE_CHECKING:
    import pandas as pd

DTYPES: Final = {
    "thread": "str",
    "source": "str",
    "position": "int64",
    "depth": "int64",
    "branch": "int64",
    "role": "str",
    "author": "str",
    "model": "str",
    "kind": "str",
    "tool": "str",
    "tokens_in": "Int64",
    "tokens_out": "Int64",
    "created_at": "datetime64[us, UTC]",
    "hidden": "bool",
    "characters": "int64",
    "content": "str",
    "ecs_id": object,
    "thread_ecs_id": object,
    "parent_ecs_id": object,
}
"""The columns of a row a message."""
SUMMARY: Final = {
    "title": "str",
    "source": "str",
    "messages": "int64",
    "branches": "int64",
    "depth": "int64",
    "first": "datetime64[us, UTC]",
    "last": "datetime64[us, UTC]",
    "authors": "str",
    "models": "str",
    "tools": "str",
    "tokens_in": "Int64",
    "tokens_out": "Int64",
    "characters": "int64",
    "ecs_id": object,
}
"""The columns of a row a thread."""
_PLACES: Final = {"position", "depth", "branch"}
_KEPT: Final = {"kind", "tool", "tokens_in", "tokens_out"}
"""What the metadata of messages keep."""


def messages_frame(threads: Any, columns: Iterable[str] | None = None) -> pd.DataFrame:
    """Return the messages of chat threads as a DataFrame, a row each.

    Parameters
    ----------
    threads
        A `ChatThreads`, the ``store.threads()`` of a store, or any iterable of `ChatThread`.
    columns
        Which columns, in this order; only these are read. None for all.

    Returns
    -------
    DataFrame
        Thread by thread, messages in their order:

        ``thread``, ``source``
            the title of its thread, and the format that was read (str);
        ``position``
            in the thread, from 0 (int64);
        ``depth``
            how many messages stand before it on its branch (int64). What answers nothing follows
            the one before that answers nothing; 0 where parents lead in a circle;
        ``branch``
            0, and a number more for each further answer to a message; the first answer goes on in
            the same branch (int64);
        ``role``, ``author``, ``model``
            as the source says (str);
        ``kind``
            of its parts above all: ``text``, ``tool_call``, ``thinking`` … (str);
        ``tool``
            the tools that it calls, or has the results of, with commas (str);
        ``tokens_in``, ``tokens_out``
            where the source counts them (Int64);
        ``created_at``
            when (datetime64[us, UTC]);
        ``hidden``
            whether the source's own interface does not show it (bool);
        ``characters``, ``content``
            how long the text is (int64), and the text (str);
        ``ecs_id``, ``thread_ecs_id``, ``parent_ecs_id``
            UUID objects, to join with others.

        What nobody tells is missing.

    Raises
    ------
    UnknownTypeError
        If something else than threads is given.
    InvalidArgumentError
        If there is no such column.

    Notes
    -----
    O(messages), but for depth and branch O(messages log messages).

    Examples
    --------
    >>> import ecsviz as ev
    >>> frame = messages_frame([ev.sample("thread")])
    >>> frame.groupby("role")["characters"].sum().to_dict()
    {'assistant': 3013, 'user': 545}
    """
    import pandas as pd

    names = list(DTYPES) if columns is None else _checked(columns)
    with collector_paused():
        found = read_messages(threads, names)
        parts = {name: typed_column(found.column(name), DTYPES[name]) for name in names}
    return pd.DataFrame(parts, index=pd.RangeIndex(len(found.thread)))


def threads_summary(threads: Any) -> pd.DataFrame:
    """Return chat threads as a DataFrame, a row each.

    Parameters
    ----------
    threads
        A `ChatThreads`, the ``store.threads()`` of a store, or any iterable of `ChatThread`.

    Returns
    -------
    DataFrame
        ``title``, ``source``; ``messages``, ``branches`` and ``depth`` (int64: of messages, of
        branches, of messages on the longest branch); ``first`` and ``last`` (datetime64[us, UTC]:
        of its messages, or where none of them tells, of the thread itself); ``authors``,
        ``models`` and ``tools`` (str: those that occur most first, with commas); ``tokens_in`` and
        ``tokens_out`` (Int64: sums, missing where no message tells); ``characters`` (int64: of all
        texts); ``ecs_id`` (UUID objects).

    Raises
    ------
    UnknownTypeError
        If something else than threads is given.

    Examples
    --------
    >>> import ecsviz as ev
    >>> found = threads_summary([ev.ChatThread(title="empty"), ev.sample("thread")])
    >>> found[["messages", "branches", "depth", "characters"]]
       messages  branches  depth  characters
    0         0         0      0           0
    1        18         6      6        3558
    """
    return _summary(threads, SUMMARY)[0]


def threads_overview(threads: Any) -> tuple[pd.DataFrame, list[list[str]]]:
    """Return what of `threads_summary` no text has to be read for, and each thread's models.

    Parameters
    ----------
    threads
        As of `threads_summary`.
    """
    return _summary(threads, [name for name in SUMMARY if name not in _OF_TEXTS])


_OF_TEXTS: Final = {"tools", "tokens_in", "tokens_out", "characters"}
"""Columns for which the texts of messages are read, or their metadata."""


def _summary(threads: Any, names: Iterable[str]) -> tuple[pd.DataFrame, list[list[str]]]:
    import pandas as pd

    wanted = set(names)
    with collector_paused():
        needed = {"author", "model", "created_at", *_PLACES}
        if wanted & _OF_TEXTS:
            needed |= {"tool", "tokens_in", "tokens_out", "characters"}
        found = read_messages(threads, needed)
        count, thread = len(found.titles), found.thread
        depth, branches = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
        np.maximum.at(depth, thread, found.depth + 1)
        np.maximum.at(branches, thread, found.branch + 1)
        first, last = _spans(found)
        models = _named(thread, [[name] for name in found.values["model"]], count)
        columns: dict[str, Any] = {
            "title": found.titles,
            "source": found.sources,
            "messages": np.bincount(thread, minlength=count),
            "branches": branches,
            "depth": depth,
            "first": first,
            "last": last,
            "authors": _joined(_named(thread, [[name] for name in found.values["author"]], count)),
            "models": _joined(models),
            "ecs_id": found.ids,
        }
        if wanted & _OF_TEXTS:
            lengths = np.array(found.column("characters"), dtype=float)
            characters = np.bincount(thread, weights=lengths, minlength=count)
            columns |= {
                "tools": _joined(_named(thread, found.values["tool"], count)),
                "tokens_in": _sums(thread, found.values["tokens_in"], count),
                "tokens_out": _sums(thread, found.values["tokens_out"], count),
                "characters": characters.astype(np.int64),
            }
    frame = {n: typed_column(columns[n], dtype) for n, dtype in SUMMARY.items() if n in wanted}
    return pd.DataFrame(frame), models


def _checked(columns: Iterable[str]) -> list[str]:
    names = listed(columns, "columns", "Give a list of names, such as ['role', 'created_at'].")
    for name in names:
        if not isinstance(name, str) or name not in DTYPES:
            raise InvalidArgumentError(
                f"A frame of messages has no column {short_repr(name)}."
                f"{did_you_mean(name, DTYPES)} There are {', '.join(DTYPES)}.",
                argument="columns",
                value=name,
            )
    return list(dict.fromkeys(names))


# -- reading ---------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class ReadMessages:
    """Messages as columns, thread by thread.

    Attributes
    ----------
    titles, sources, ids, spans
        Per thread, and what it says itself of its first and its last time.
    thread, parent, further
        Per message: the number of its thread, that of its parent or -1, and whether it is a
        further answer to the parent.
    values
        Per message what it has, by the names of its columns.
    depth, branch
        Where they are asked for.
    """

    titles: Sequence[str]
    sources: Sequence[str | None]
    ids: Sequence[Any]
    spans: tuple[Sequence[Any], Sequence[Any]]
    thread: Ints
    parent: Ints
    further: Bools
    values: dict[str, Sequence[Any]]
    depth: Ints
    branch: Ints

    def column(self, name: str) -> Sequence[Any]:
        """Return the values of a column of `messages_frame`."""
        if name in ("thread", "source", "thread_ecs_id"):
            of = {"thread": self.titles, "source": self.sources, "thread_ecs_id": self.ids}[name]
            return [of[number] for number in self.thread.tolist()]
        if name == "position":
            return np.arange(len(self.thread)) - np.searchsorted(self.thread, self.thread)  # type: ignore[return-value]  # as good as a list
        if name in ("depth", "branch"):
            return self.depth if name == "depth" else self.branch  # type: ignore[return-value]  # as good as a list
        if name == "characters":
            return [len(text) for text in self.values["content"]]
        if name == "parent_ecs_id":
            ids = self.values["ecs_id"]
            return [None if at < 0 else ids[at] for at in self.parent.tolist()]
        if name == "tool":
            return [", ".join(dict.fromkeys(names)) or None for names in self.values["tool"]]
        return self.values[name]


def read_messages(threads: Any, columns: Iterable[str]) -> ReadMessages:
    """Read what some columns need.

    Parameters
    ----------
    threads
        As of `messages_frame`.
    columns
        Names of its columns.
    """
    asked = set(columns)
    if "characters" in asked:
        asked.add("content")
    if "parent_ecs_id" in asked:
        asked.add("ecs_id")
    wanted = {name for name in asked if name in DTYPES} - _PLACES - {"characters", "parent_ecs_id"}
    wanted -= {"thread", "source", "thread_ecs_id"}
    if isinstance(threads, StoredThreads) and _has_tables(threads):
        found = _from_tables(threads, wanted)
    else:
        given = listed(threads, "threads", "Give an iterable of ChatThread.")
        found = _from_threads(check_threads(given), wanted)
    if asked & {"depth", "branch"}:
        found.depth, found.branch = places_in_trees(found.parent, found.further, found.thread)
    return found


def _from_threads(threads: Sequence[ChatThread], wanted: set[str]) -> ReadMessages:
    messages: list[ChatMessage] = []
    parents: list[int] = []
    further: list[bool] = []
    for thread in threads:
        number = {id(each): n for n, each in enumerate(thread.messages, len(messages))}
        later = {id(r) for each in thread.messages for r in each.replies[1:]}
        parents += [number.get(id(each.parent), -1) for each in thread.messages]
        further += [id(each) in later for each in thread.messages]
        messages += thread.messages
    values: dict[str, Sequence[Any]] = {
        name: list(map(attrgetter(name), messages)) for name in wanted - _KEPT
    }
    if wanted & _KEPT:
        values |= _kept([message.metadata for message in messages])
    return ReadMessages(
        [thread.title for thread in threads],
        [thread.source for thread in threads],
        [thread.ecs_id for thread in threads],
        ([t.created_at for t in threads], [t.updated_at for t in threads]),
        np.repeat(np.arange(len(threads)), [len(thread.messages) for thread in threads]),
        np.array(parents, dtype=np.int64),
        np.array(further, dtype=bool),
        values,
        *_NO_PLACES,
    )


_NO_PLACES: Final = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))


def _has_tables(threads: StoredThreads) -> bool:
    """Tell whether there are tables with all that is needed; models written by hand have not."""
    if not hasattr(threads.store, "frame"):
        return False
    there = threads.store.frame(ChatMessage, limit=0).columns
    return not len(there) or "thread_ecs_id" in there


def _from_tables(threads: StoredThreads, wanted: set[str]) -> ReadMessages:
    import pandas as pd

    store: Any = threads.store
    fields = {*(wanted - _KEPT), "ecs_id", "thread_ecs_id", "parent_ecs_id"}
    if wanted & _KEPT:
        fields.add("metadata")
    with store.inside.one_state():
        chats = _stored(threads, ChatThread, {"title", "source", "ecs_id", *_SPAN})
        found = _stored(threads, ChatMessage, {*fields, "thread_position", "parent_position"})
    thread = pd.Index(chats["ecs_id"]).get_indexer(found["thread_ecs_id"])
    place = _numbers(found, "thread_position", 2**62)
    order = np.lexsort((np.arange(len(found)), place, thread))
    order = order[thread[order] >= 0]
    found, thread = found.iloc[order], thread[order]
    parent = pd.Index(found["ecs_id"]).get_indexer(found["parent_ecs_id"])
    own = (parent >= 0) & (thread[parent] == thread) if len(parent) else parent >= 0
    values: dict[str, Sequence[Any]] = {name: _listed(found, name) for name in wanted - _KEPT}
    if wanted & _KEPT:
        values |= _kept(_listed(found, "metadata"))
    return ReadMessages(
        _listed(chats, "title"),
        _listed(chats, "source"),
        _listed(chats, "ecs_id"),
        (_listed(chats, _SPAN[0]), _listed(chats, _SPAN[1])),
        thread.astype(np.int64),
        np.where(own, parent, -1).astype(np.int64),
        own & (_numbers(found, "parent_position", 0) > 0),
        values,
        *_NO_PLACES,
    )


_SPAN: Final = ("created_at", "updated_at")


def _stored(threads: StoredThreads, cls: type, wanted: set[str]) -> pd.DataFrame:
    """Return columns of a class: those that the store has, which hand-written models may lack."""
    store: Any = threads.store
    there = store.frame(cls, limit=0, as_of=threads.as_of).columns
    names = [name for name in there if name in wanted]
    found: pd.DataFrame = store.frame(cls, columns=names, as_of=threads.as_of)
    return found


def _numbers(frame: pd.DataFrame, name: str, otherwise: int) -> Ints:
    if name not in frame:
        return np.full(len(frame), otherwise, dtype=np.int64)
    return np.asarray(frame[name].fillna(otherwise), dtype=np.int64)


def _listed(frame: pd.DataFrame, name: str) -> Sequence[Any]:
    """Return a column as Python has it; None for what is missing."""
    if name not in frame:
        return [None] * len(frame)
    column = frame[name]
    if column.dtype.kind == "M":
        return column  # type: ignore[return-value]  # a column of times stays one
    missing = column.isna() if column.dtype != object else np.zeros(len(column), dtype=bool)
    return column.astype(object).where(~missing, None).tolist()


def _kept(metadata: Iterable[Any]) -> dict[str, Sequence[Any]]:
    """Return what the metadata of messages keep."""
    rows: list[tuple[Any, ...]] = []
    for each in metadata:
        parts = kept_parts(each) if each else None
        kind = "text" if parts is None else kind_of(parts)
        tools = [part.tool for part in parts or () if part.tool]
        counts = [kept_count(each, name) if each else None for name in ("tokens_in", "tokens_out")]
        rows.append((kind, tools, *counts))
    columns = list(zip(*rows, strict=True)) or [()] * 4
    return dict(zip(("kind", "tool", "tokens_in", "tokens_out"), columns, strict=True))


# -- trees and sums --------------------------------------------------------------------------


def places_in_trees(parent: Ints, further: Bools, thread: Ints) -> tuple[Ints, Ints]:
    """Return how deep every message stands, and the number of its branch.

    Parameters
    ----------
    parent
        Per message the number of its parent, or -1.
    further
        Whether it is not the first answer: it begins a branch.
    thread
        Per message the number of its thread; rising.

    Examples
    --------
    >>> places_in_trees(np.array([-1, 0, 0, 2]), np.array([0, 0, 1, 0], bool), np.zeros(4, int))
    (array([0, 1, 1, 2]), array([0, 0, 1, 1]))
    """
    count = len(parent)
    rounds = count.bit_length() + 1
    roots, parent = np.flatnonzero(parent < 0), parent.copy()
    if len(roots):  # what answers nothing follows what was said before
        same = thread[roots[1:]] == thread[roots[:-1]]
        parent[roots[1:][same]] = roots[:-1][same]
    up, depth = parent.copy(), (parent >= 0).astype(np.int64)
    begin = np.where(further | (parent < 0), np.arange(count), parent)
    for _ in range(rounds):  # each doubles how far a message looks up
        begin = begin[begin]
        live = np.flatnonzero(up >= 0)
        if len(live):
            depth[live], up[live] = depth[live] + depth[up[live]], up[up[live]]
    depth[up >= 0] = 0  # a circle
    # One more with each that begins, from the beginning of the thread on.
    begun = np.cumsum(further, dtype=np.int64)
    before = (begun - further)[np.searchsorted(thread, thread)] if count else begun
    return depth, np.where(further, begun - before, 0)[begin]


def _spans(found: ReadMessages) -> tuple[Any, Any]:
    """Return the first and the last time of every thread."""
    import pandas as pd

    times = typed_column(found.values["created_at"], DTYPES["created_at"]).reset_index(drop=True)
    grouped = times.groupby(found.thread)
    threads = range(len(found.titles))
    spans = []
    for own, of in zip(found.spans, (grouped.min(), grouped.max()), strict=True):
        given = pd.Series(own, dtype=times.dtype).reset_index(drop=True)
        spans.append(of.reindex(threads).fillna(given))
    return spans[0], spans[1]


def _sums(thread: Ints, values: Sequence[Any], count: int) -> list[int | None]:
    sums: list[int | None] = [None] * count
    for number, value in zip(thread.tolist(), values, strict=True):
        if value is not None:
            sums[number] = (sums[number] or 0) + value
    return sums


def _joined(names: list[list[str]]) -> list[str | None]:
    return [", ".join(some) or None for some in names]


def _named(thread: Ints, names: Sequence[Sequence[str | None]], count: int) -> list[list[str]]:
    """Return per thread the names that its messages have, those that occur most first."""
    counts = Counter(
        (number, name)
        for number, some in zip(thread.tolist(), names, strict=True)
        for name in some
        if name is not None
    )
    found: list[list[str]] = [[] for _ in range(count)]
    for (number, name), _ in counts.most_common():
        found[number].append(name)
    return found
