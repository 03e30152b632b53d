"""Whether two that say the same, or nearly, are one chat, and which of them is older."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

import numpy as np

from ecsviz.importers.chat.said import KEY, UNKNOWN, ChatRecord, Said, pairs

RUN: Final = 3
"""How many messages two chats must share, at the least, that have neither ids nor a beginning in
common."""

_PARTS: Final = KEY + "parts"

_TRIED: Final = 64
"""At how many places a chat is laid beside another."""

ZONES, _QUARTER = timedelta(hours=26), timedelta(minutes=15)
"""How far the clocks of two zones differ, and the unit of that."""


def matched(said: Said, record: ChatRecord, *, sure: bool, same: bool) -> list[int] | None:
    """Return which messages of a source were said before, if it is one chat; else None.

    Parameters
    ----------
    said, record
        What it says, and what was said before.
    sure
        Whether both have the same id, and no other chat of the world, or of their account, has it.
    same
        Whether both begin alike.

    Returns
    -------
    list of int
        As of `pairs`.
    """
    at = pairs(said, record)
    is_one = agree(said, record, at, unique=sure, same=same)
    if is_one and (not sure or all(said.names) or -1 not in at):
        return at
    if sure and (found := overlap(said, record)):
        return found
    return at if is_one else woven_in_time(said, record)


def agree(said: Said, record: ChatRecord, at: Sequence[int], *, unique: bool, same: bool) -> bool:
    """Tell whether a source says of a chat what another, or the same, has said of it before.

    Parameters
    ----------
    said, record
        What it says, and what was said before.
    at
        Their `pairs`.
    unique, same
        Whether both have an id that no other chat has; whether both begin alike.

    Notes
    -----
    With such an id they are one chat, unless each has messages that the other has not while they
    differ in one that both have. With another id, they must have a message in common, and none that
    differs (but what somebody has edited since); and at most one of them may go on after the last
    that they have in common: two that begin alike, and go on each in its way, are two. Without ids,
    one has to have all that the other has. What both have may be said at other times if they begin
    alike: wall clocks are read in the zone that one names.
    """
    common = [(n, place) for n, place in enumerate(at) if place >= 0]
    new, kept = len(at) - len(common), len(record.ids) - len(common)
    names = ("role", "content", "author", "created_at", "source_id")
    mine = list(zip(*(said.table.column(name).tolist() for name in names), strict=True))
    theirs = list(zip(*(record.table.column(name).tolist() for name in names), strict=True))
    sure = [(mine[n], theirs[p]) for n, p in common if theirs[p][0] != UNKNOWN]
    if unique:
        return not (new and kept) or (
            bool(common) and all(one[:2] == other[:2] for one, other in sure)
        )
    if not at or not record.ids:
        return True
    if new and kept:
        if at[-1] < 0 and len(record.ids) - 1 not in set(at):
            return False
        paired = {place for _, place in common}
        alone = [mine[n] for n, place in enumerate(at) if place < 0]
        alone += [theirs[n] for n in range(len(theirs)) if n not in paired]
        if not all(each[4] for each in alone):
            return False
    if same and all(one[:3] == other[:3] for one, other in sure):
        return bool(common)
    return bool(common) and all(_may_be_edited(*pair) for pair in sure)


def _may_be_edited(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Tell whether two messages of one id are one: they say the same, or one person's at a time."""
    role, content, author, created, _ = zip(one, other, strict=True)
    if role[0] != role[1] or (all(created) and created[0] != created[1]):
        return False
    return content[0] == content[1] or (all(created) and bool(author[0]) and author[0] == author[1])


def overlap(said: Said, record: Said) -> list[int] | None:
    """Return, as `pairs`, where a chat lies on another of which the start was cut off; or None.

    Notes
    -----
    One of them begins in the other, and from there both say the same up to the end of one of them:
    at least `RUN` messages, of two people. Of several places, where that is longest; None if one of
    them is known to be another.

    Examples
    --------
    A chat that was said, and what is left of it without its first message, and with a new one:

    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="a")
    >>> for who, text in enumerate(("Hi", "Hello", "Why?", "So.", "Ah!")):
    ...     _ = thread.say(("user", "assistant")[who % 2], text)
    >>> overlap(Said.of(thread, thread.messages[1:]), Said.of(thread, thread.messages[:4]))
    [1, 2, 3, -1]
    """
    names = ("role", "author", "content")
    mine = np.stack([said.table.column(name) for name in names], axis=1)
    theirs = np.stack([record.table.column(name) for name in names], axis=1)
    if min(len(mine), len(theirs)) < RUN:
        return None
    places = [int(n) for n in np.flatnonzero((theirs == mine[0]).all(axis=1))[:_TRIED]]
    places += [-int(n) for n in np.flatnonzero((mine == theirs[0]).all(axis=1))[:_TRIED]]
    best, offset = 0, 0
    for place in places:
        here, there = mine[max(0, -place) :], theirs[max(0, place) :]
        size = min(len(here), len(there))
        if size > max(best, RUN - 1) and np.array_equal(here[:size], there[:size]):
            people = np.unique(here[:size, :2], axis=0)
            if len(people) > 1:
                best, offset = size, place
    if not best:
        return None
    at = [n + offset if 0 <= n + offset < len(theirs) else -1 for n in range(len(mine))]
    known = {ecs_id: place for place, ecs_id in enumerate(record.ids)}
    if any(known.get(i, place) != place for i, place in zip(said.ids, at, strict=True)):
        return None  # it is another one of the same words
    return at


def woven_in_time(said: Said, record: Said) -> list[int] | None:
    """Return, as `pairs`, which messages are the same in two copies of a chat without ids, or None.

    Notes
    -----
    Some may be edited or deleted in one of them: what one person said at one time is one message,
    or, where clocks were read in another zone, what stands between the same two. At least `RUN`
    messages of two people, and two thirds of all that have a pair, say the same in both; and no
    more than one of them begins before the first that both have, or goes on after the last. A pair
    of files is none that says otherwise: one copy may only say that it left the file out. If both
    have hardly more than files, nothing else may be between. People may have another name in one of
    them, see `_by_old_names`.
    """
    at, names = pairs(said, record), ("created_at", "author", "role", "content", "source_id")
    mine = np.stack([said.table.column(name) for name in names], axis=1)
    theirs = np.stack([record.table.column(name) for name in names], axis=1)
    if not at or not record.ids or any(t[:, 4].any() or not t[:, 0].all() for t in (mine, theirs)):
        return None
    mine = _by_old_names(mine, theirs, at)
    exact = [n for n, place in enumerate(at) if place >= 0]
    same = mine[exact] == theirs[[at[n] for n in exact]]
    if not exact or not same[:, 1:].all():
        return None
    if same.all():
        _pair_by_times(mine, theirs, at)
    else:
        _pair_by_places(mine, theirs, at)
    both = [place for place in at if place >= 0]
    starts, ends = (at[0], min(both)), (at[-1], len(theirs) - 1 - max(both))
    if both != sorted(both) or (starts[0] < 0 < starts[1]) or (ends[0] < 0 < ends[1]):
        return None
    files = _has_parts(said) & _has_parts(record)[at] & (np.array(at) >= 0)
    files[exact] = False
    if len(exact) >= RUN and len(np.unique(mine[exact][:, 1:3], axis=0)) > 1:
        return at if 3 * len(exact) >= 2 * (len(both) - files.sum()) else None
    first, end = at.index(both[0]), at.index(both[0]) + len(both)
    is_row = at[first:end] == list(range(both[0], both[0] + len(both)))
    people = np.unique(mine[first:end, 1:3], axis=0)
    is_told = is_row and len(exact) + files.sum() == len(both) >= RUN and len(people) > 1
    return at if is_told else None


def _has_parts(said: Said) -> Any:
    """Return per message whether it is known to be more than a text, such as a file."""
    if _PARTS not in said.table.names:
        return np.zeros(len(said.ids), dtype=bool)
    column = said.table.column(_PARTS)
    return (column != 0) & (column != UNKNOWN)


def _by_old_names(mine: Any, theirs: Any, at: list[int]) -> Any:
    """Return the rows of a chat with the names that people have in the other; pair what they said.

    Notes
    -----
    Who has no name of the other chat, and said the same as one that this chat has no name of, at
    the same times, at least `RUN` times, has only been called otherwise.
    """
    paired, left = set(at), dict[bytes, list[int]]()
    for place in reversed(range(len(theirs))):
        if place not in paired:
            left.setdefault(theirs[place][[0, 2, 3]].tobytes(), []).append(place)
    ours, others = set(mine[:, 1].tolist()), set(theirs[:, 1].tolist())
    called: dict[int, dict[int, list[tuple[int, int]]]] = {}
    for n, place in enumerate(at):
        new, listed = int(mine[n, 1]), left.get(mine[n][[0, 2, 3]].tobytes())
        old = int(theirs[listed[-1], 1]) if listed else 0
        if place < 0 and new and new not in others and listed and old and old not in ours:
            called.setdefault(new, {}).setdefault(old, []).append((n, listed.pop()))
    names = {new: next(iter(olds)) for new, olds in called.items() if len(olds) == 1}
    if len(set(names.values())) < len(names):
        return mine
    mine = mine.copy()
    for new, old in names.items():
        said = called[new][old]
        if len(said) >= RUN:
            mine[mine[:, 1] == new, 1] = old
            for n, place in said:
                at[n] = place
    return mine


def _pair_by_times(mine: Any, theirs: Any, at: list[int]) -> None:
    """Pair what one person said at one time."""
    paired, left = set(at), dict[bytes, list[int]]()
    for place in reversed(range(len(theirs))):
        if place not in paired:
            left.setdefault(theirs[place, :3].tobytes(), []).append(place)
    for n, place in enumerate(at):
        if place < 0 and (listed := left.get(mine[n, :3].tobytes())):
            at[n] = listed.pop()


def _pair_by_places(mine: Any, theirs: Any, at: list[int]) -> None:
    """Pair what as many messages of the same people stand between two that are paired."""
    exact = [(n, place) for n, place in enumerate(at) if place >= 0]
    for (n, place), (end, last) in pairwise(exact):
        alike = np.array_equal(mine[n:end, 1:3], theirs[place:last, 1:3])
        if alike and end - n > 1:
            at[n:end] = range(place, last)


def is_timed(thread: Any) -> bool:
    """Tell whether messages have times, and there are enough of them to find the thread by them."""
    return len(thread.messages) >= RUN and all(m.created_at for m in thread.messages)


def by_one_clock(times: Iterable[tuple[datetime | None, datetime | None]]) -> bool:
    """Tell whether pairs of times are the same, but for the zones in which clocks were read.

    Notes
    -----
    That changes twice a year, or where parts of a chat were read in several zones.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> noon, later = (datetime(2025, 1, 1, hour, tzinfo=UTC) for hour in (12, 18))
    >>> by_one_clock([(noon, later)]), by_one_clock([(noon, later), (noon, noon)])
    (True, False)
    """
    given = list(times)
    shifts = [one - other for one, other in given if one is not None and other is not None]
    return (
        len(shifts) == len(given) > 0
        and all(abs(each) <= ZONES and not each % _QUARTER for each in shifts)
        and len(set(shifts)) <= max(1, len(shifts) // RUN)
    )


def is_older(said: Said, record: ChatRecord, at: Sequence[int]) -> bool:
    """Tell whether what a source says is older than what was said before.

    Notes
    -----
    It says so, or else it has less; if each has more, the one whose last message is earlier.
    """
    if said.updated is not None and record.updated is not None and said.updated != record.updated:
        return said.updated < record.updated
    common = sum(place >= 0 for place in at)
    new, kept = len(at) > common, len(record.ids) > common
    if not new or not kept:
        return kept
    return said.last is not None and record.last is not None and said.last < record.last
