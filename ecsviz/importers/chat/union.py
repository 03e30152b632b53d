"""Two copies of one chat made one: every message once, and what is newer stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ecsviz.basics.text import counted
from ecsviz.domain.chat import ChatMessage, ChatThread
from ecsviz.domain.entity import Entity
from ecsviz.importers.chat.drafts import read_time
from ecsviz.importers.chat.identity import chat_id

_OWN = tuple(Entity.model_fields)

_THREAD = [n for n in ChatThread.model_fields if n not in (*_OWN, "messages")]

_MESSAGE = [n for n in ChatMessage.model_fields if n not in (*_OWN, "thread", "parent", "replies")]

_EDITED = ("edited_unixtime", "edited", "update_time", "updated_at", "updatedAt", "timestampEdited")
"""Under which names a message's metadata say when it was changed last."""


@dataclass(slots=True)
class Copies:
    """Two copies of what may be one chat: which of their messages are the same.

    Attributes
    ----------
    thread, other
        The copy that is to be kept as an object, and the one that was there before it.
    common
        Messages of both, in the order of `thread`.
    new
        Messages that only `thread` has.
    kept
        Messages that only `other` has.
    """

    thread: ChatThread
    other: ChatThread
    common: list[tuple[ChatMessage, ChatMessage]] = field(default_factory=list)
    new: list[ChatMessage] = field(default_factory=list)
    kept: list[ChatMessage] = field(default_factory=list)

    @classmethod
    def of(cls, thread: ChatThread, other: ChatThread) -> Copies:
        """Pair the messages of two copies: by their UUIDs, else by their ids, else by their words.

        Parameters
        ----------
        thread, other
            The copies, all of their messages read.

        Notes
        -----
        O(messages). Without ids, messages are the same if they answer the same and say the same.
        """
        found = cls(thread, other)
        there = {message.ecs_id: message for message in other.messages}
        pair = {id(m): there.pop(m.ecs_id) for m in thread.messages if m.ecs_id in there}
        if there and len(pair) < len(thread.messages):
            numbers: dict[Any, int] = {}
            known = dict(_numbered(other, numbers))
            for number, message in _numbered(thread, numbers):
                same = known.get(number)
                if id(message) not in pair and same is not None and same.ecs_id in there:
                    pair[id(message)] = there.pop(same.ecs_id)
        found.common = [(m, pair[id(m)]) for m in thread.messages if id(m) in pair]
        found.new = [m for m in thread.messages if id(m) not in pair]
        found.kept = list(there.values())
        return found

    def agree(self, *, unique: bool) -> bool:
        """Tell whether these are copies of one chat.

        Parameters
        ----------
        unique
            Whether both have the same id, and no other chat of the world, or of their account, has.

        Notes
        -----
        With such an id they are, unless each has messages that the other has not while they differ
        in one that both have. With another id, they must have a message in common, and none that
        differs (but what somebody has edited since); and at most one of them may go on after the
        last that they have in common: two that begin alike, and go on each in its way, are two.
        Without ids, one has to have all that the other has.
        """
        apart = bool(self.new and self.kept)
        if unique:
            return not apart or (bool(self.common) and all(_says_the_same(*p) for p in self.common))
        if not self.thread.messages or not self.other.messages:
            return True
        if apart and (self._part_ways or not all(m.source_id for m in (*self.new, *self.kept))):
            return False
        return bool(self.common) and all(_may_be_edited(*pair) for pair in self.common)

    @property
    def _part_ways(self) -> bool:
        """Whether both go on after the last message that they have in common."""
        both = {id(message) for pair in self.common for message in pair}
        ends = (self.thread.messages[-1:], self.other.messages[-1:])
        return not any(id(message) in both for end in ends for message in end)

    @property
    def is_older(self) -> bool:
        """Whether `thread` is the older one: it says so, or else it has less."""
        mine, theirs = self.thread.updated_at, self.other.updated_at
        if mine is not None and theirs is not None and mine != theirs:
            return mine < theirs
        if not self.new or not self.kept:
            return bool(self.kept)
        last, before = (
            max((m.created_at for m in each.messages if m.created_at), default=None)
            for each in (self.thread, self.other)
        )
        return last is not None and before is not None and last < before

    @property
    def is_newer(self) -> bool:
        """Whether `thread` is the newer one: it says so, or else it has more."""
        mine, theirs = self.thread.updated_at, self.other.updated_at
        if mine is not None and theirs is not None and mine != theirs:
            return mine > theirs
        return bool(self.new)

    def join(self, *, settled: bool = False) -> str:
        """Make `thread` have all that both have, and return what it would have turned back.

        Parameters
        ----------
        settled
            Whether what has changed in `other` since it was stored holds, unless `thread` is newer.

        Returns
        -------
        str
            Of what `other` has and `thread` had otherwise: how many messages, and whether the
            thread itself; empty for nothing.

        Notes
        -----
        `thread` and its messages stay the objects that they are, and become the entities that
        those of `other` are: ids, family and version. O(messages).
        """
        is_older, settled = self.is_older, settled and not self.is_newer
        older = is_older or (settled and self.other.version > 1)
        self._be_the_same()
        back = [
            name
            for name in _THREAD
            if older and getattr(self.thread, name) != getattr(self.other, name)
        ]
        for name in back:
            setattr(self.thread, name, getattr(self.other, name))
        edited = sum(
            _take(mine, theirs)
            for mine, theirs in self.common
            if _is_later(mine, theirs, is_older or (settled and theirs.version > 1))
        )
        final = {id(theirs): mine for mine, theirs in self.common}
        parents: dict[int, Any] = {}
        for message in (*self.thread.messages, *self.kept):
            up = message.parent
            parents[id(message)] = up if up is None else final.get(id(up), up)
        for mine, theirs in self.common:
            up = theirs.parent
            if up is not None and (older or mine.parent is None):
                parents[id(mine)] = final.get(id(up), up)
        there = [final.get(id(message), message) for message in self.other.messages]
        orders = (there, self.thread.messages) if older else (self.thread.messages, there)
        _place(self.thread, _sound(*orders, parents), parents)
        told = [
            counted(len(self.kept), "message") if self.kept else "",
            "its " + ", ".join(back) if back else "",
            f"the later text of {counted(edited, 'message')}" if edited else "",
        ]
        return ", ".join(filter(None, told))

    def _be_the_same(self) -> None:
        moved = self.thread.ecs_id != self.other.ecs_id
        for mine, theirs in ((self.thread, self.other), *self.common):
            mine.__dict__.update({name: getattr(theirs, name) for name in _OWN})
        if moved:
            rename(self.new, self.other)


def rename(messages: list[ChatMessage], thread: ChatThread) -> None:
    """Give messages ids of their own in another thread: those of which they have now tell which.

    Parameters
    ----------
    messages
        Messages that are stored nowhere.
    thread
        The thread; of each, a message has one id only.
    """
    for message in messages:
        made = chat_id("", str(thread.ecs_id), str(message.ecs_id))
        message.__dict__.update(ecs_id=made, lineage_id=made)


def _numbered(thread: ChatThread, numbers: dict[Any, int]) -> Iterator[tuple[int, ChatMessage]]:
    """Yield each message with a number that its like in another copy has too."""
    at: dict[int, int] = {}
    seen: Counter[Any] = Counter()
    for message in thread.messages:
        key: Any = message.source_id
        if not key:
            up = None if message.parent is None else at.get(id(message.parent))
            key = (up, message.role, message.author, message.content, message.created_at)
        seen[key] += 1
        at[id(message)] = numbers.setdefault((key, seen[key]), len(numbers))
        yield at[id(message)], message


def _says_the_same(one: ChatMessage, two: ChatMessage) -> bool:
    return (one.role, one.content) == (two.role, two.content)


def _may_be_edited(one: ChatMessage, two: ChatMessage) -> bool:
    """Tell whether two messages of one id are one: they say the same, or one person's at a time."""
    if one.role != two.role:
        return False
    times = one.created_at, two.created_at
    if None not in times and times[0] != times[1]:
        return False
    if one.content == two.content:
        return True
    return None not in times and one.author is not None and one.author == two.author


def _is_later(mine: ChatMessage, theirs: ChatMessage, older: bool) -> bool:
    """Tell whether `theirs` is the later state of a message."""
    when, before = _edited(mine), _edited(theirs)
    if when != before:
        return when is None or (before is not None and before > when)
    return older


def _edited(message: ChatMessage) -> datetime | None:
    for name in _EDITED:
        raw = message.metadata.get(name)
        if isinstance(raw, dict):
            raw = raw.get("ts")
        if raw is not None and (found := read_time(raw)) is not None:
            return found
    return None


def _take(mine: ChatMessage, theirs: ChatMessage) -> bool:
    """Give a message the state of another, and tell whether that changes it."""
    changed = False
    for name in _MESSAGE:
        value = getattr(theirs, name)
        changed = changed or getattr(mine, name) != value
        setattr(mine, name, value)
    return changed


def _sound(
    first: list[ChatMessage], second: list[ChatMessage], parents: dict[int, Any]
) -> list[ChatMessage]:
    """Return the messages of two orders in one where each stands behind what it answers."""
    found = _woven(first, second)
    placed: set[int] = set()
    for message in found:
        up = parents[id(message)]
        if up is not None and id(up) not in placed:
            inside = {id(each) for each in first}
            return [*first, *(each for each in second if id(each) not in inside)]
        placed.add(id(message))
    return found


def _woven(first: list[ChatMessage], second: list[ChatMessage]) -> list[ChatMessage]:
    """Return `first`, and behind each of its messages what follows it in `second` alone."""
    inside = {id(message) for message in first}
    behind: dict[int | None, list[ChatMessage]] = {}
    anchor: int | None = None
    for message in second:
        if id(message) in inside:
            anchor = id(message)
        else:
            behind.setdefault(anchor, []).append(message)
    head = behind.pop(None, [])
    if head and first and anchor is None:  # nothing in common: as the times are
        late, early = head[0].created_at, first[0].created_at
        if late is not None and early is not None and late > early:
            return [*first, *head]
    found = head
    for message in first:
        found.append(message)
        found += behind.get(id(message), ())
    return found


def _place(thread: ChatThread, messages: list[ChatMessage], parents: dict[int, Any]) -> None:
    """Link messages anew; one that would stand before what it answers becomes a root."""
    placed: set[int] = set()
    for message in messages:
        up = parents[id(message)]
        message.thread, message.replies = thread, []
        message.parent = up if id(up) in placed else None
        if message.parent is not None:
            message.parent.replies.append(message)
        placed.add(id(message))
    thread.messages = messages
