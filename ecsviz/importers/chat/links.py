"""What messages answer, and in which order they stand, in a thread that was brought together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ecsviz.importers.chat.live import LiveChat
from ecsviz.importers.chat.said import PARENT, digest_of_id


@dataclass(slots=True)
class Links:
    """What messages answer, and their places, in a thread that is brought together.

    Attributes
    ----------
    messages
        The stored ones, in their order.
    final
        Per stored message the object that is to be it.
    up
        What live messages answer.
    whose
        Of live messages whether the source's parent is taken, or theirs; else the store's.
    """

    held: LiveChat
    messages: list[Any]
    final: dict[int, Any]
    up: dict[int, Any]
    whose: dict[int, str] = field(default_factory=dict)

    def join(self, deleted: Iterable[Any], as_stored: bool) -> None:
        """Link all messages anew, but for those that were deleted.

        Parameters
        ----------
        deleted
            These.
        as_stored
            Whether the stored order comes first, and what is new finds its place in it.
        """
        thread, final = self.held.thread, self.final
        out = set(map(id, deleted))
        there = [final[id(message)] for message in self.messages]
        mine = [message for message in thread.messages if id(message) not in out]
        stored = {
            id(final[id(m)]): None if m.parent is None else final.get(id(m.parent), m.parent)
            for m in self.messages
        }
        inside = set(map(id, (*mine, *there)))
        said = self._said()
        parents: dict[int, Any] = {}
        for message in (*mine, *there):
            whose = self.whose.get(id(message), "") if id(message) in stored else "mine"
            if whose == "source":
                up = said.get(id(message))
            else:
                up = self.up.get(id(message)) if whose else stored[id(message)]
            while up is not None and id(up) not in inside and id(up) in said:
                up = said[id(up)]
            parents[id(message)] = up
        taken = {i for i in parents if i not in stored or self.whose.get(i) == "source"}
        replies = {
            id(final[id(m)]): [final.get(id(reply), reply) for reply in m.replies]
            for m in self.messages
        }
        orders = (there, mine) if as_stored else (mine, there)
        messages = _sound(*orders, parents, taken)
        _unknot(messages, parents, stored, taken & stored.keys())
        children: dict[int, list[Any]] = {}
        for message in messages:
            if parents[id(message)] is not None:
                children.setdefault(id(parents[id(message)]), []).append(message)
        for message in messages:
            own = children.get(id(message), [])
            before = [r for r in replies.get(id(message), ()) if parents.get(id(r)) is message]
            message.__dict__.update(
                thread=thread,
                parent=parents[id(message)],
                replies=woven(before, own) if before else own,
            )
        thread.__dict__["messages"] = messages

    def _said(self) -> dict[int, Any]:
        """Return per message of the source what it answers there."""
        held = self.held
        found = {digest_of_id(i): m for i, m in zip(held.said.ids, held.messages, strict=True)}
        ups = held.said.table.column(PARENT).tolist()
        return {id(m): found.get(up) for m, up in zip(held.messages, ups, strict=True)}


# ---------------------------------------------------------------------------------------------
# Orders
# ---------------------------------------------------------------------------------------------

_T = TypeVar("_T")


def _sound(
    first: list[Any], second: list[Any], parents: Mapping[int, Any], taken: set[int]
) -> list[Any]:
    """Return the messages of two orders in one where what is new stands behind what it answers."""
    found = woven(first, second)
    placed: set[int] = set()
    for message in found:
        up = parents[id(message)]
        if up is not None and id(message) in taken and id(up) not in placed:
            inside = {id(each) for each in first}
            return [*first, *(each for each in second if id(each) not in inside)]
        placed.add(id(message))
    return found


def woven(first: Sequence[_T], second: Sequence[_T], key: Callable[[_T], Any] = id) -> list[_T]:
    """Return `first`, and behind each of its members what follows it in `second` alone."""
    inside = set(map(key, first))
    behind: dict[Any, list[_T]] = {}
    anchor: Any = None
    for each in second:
        if key(each) in inside:
            anchor = key(each)
        else:
            behind.setdefault(anchor, []).append(each)
    head = behind.pop(None, [])
    if head and first and anchor is None:  # nothing in common: as the times are
        late, early = (getattr(each[0], "created_at", None) for each in (head, first))
        if late is not None and early is not None and late > early:
            return [*first, *head]
    found = head
    for each in first:
        found.append(each)
        found += behind.get(key(each), ())
    return found


def _unknot(
    messages: Sequence[Any], parents: dict[int, Any], stored: Mapping[int, Any], taken: set[int]
) -> None:
    """Let the store's parents stay where the source's stand behind, or lead back to, who answers.

    Notes
    -----
    That can only be where somebody has let a message answer a later one.
    """
    place = {id(message): n for n, message in enumerate(messages)}
    if all(up is None or place.get(id(up), -1) < place[i] for i, up in parents.items()):
        return
    for message in messages:
        if id(message) in taken:
            up, steps = parents[id(message)], 0
            is_behind = up is not None and place.get(id(up), -1) > place[id(message)]
            while not is_behind and up is not None and up is not message and steps < len(place):
                up, steps = parents.get(id(up)), steps + 1
            if up is not None:
                parents[id(message)] = stored[id(message)]
