"""The branches of a chat thread: which messages answer which, and the one branch that is shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from ecsviz.domain.chat import ChatMessage, ChatThread

TOP: Final = -1
"""What stands in the place of the parent of a message that answers nothing."""


CURRENT: Final = ("current_node", "current_leaf_message_uuid")
"""What the metadata of threads call the message that the source's own interface shows."""


class Branches:
    """A thread's messages by number, as a tree: what answers what.

    Numbers are places in `messages`; a message that the thread lists twice has one.

    Parameters
    ----------
    thread
        Its messages must be loaded.

    Attributes
    ----------
    messages
        Every message of the thread, in its order.
    parents
        Per message the number of what it answers, or `TOP`.
    answers
        Per number, and for `TOP`, the numbers of the answers, in the order of ``replies``.
    people
        Where several people write as users, their numbers, in the order in which they appear.

    Notes
    -----
    O(messages), without recursion. Where no message has a parent, each answers the one before. A
    message whose parent is not in the thread stands at the top. So does the first message of a
    circle of parents, which then is open there.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> question = thread.say("user", "What is a cycle?")
    >>> first = thread.say("assistant", "A way back.", parent=question)
    >>> second = thread.say("assistant", "A closed path.", parent=question)
    >>> branches = Branches(thread)
    >>> branches.leaves, branches.path_through(1), branches.siblings(2)
    ([1, 2], [0, 1], [1, 2])
    """

    def __init__(self, thread: ChatThread) -> None:
        by_id: dict[UUID, ChatMessage] = {message.ecs_id: message for message in thread.messages}
        self.messages = list(by_id.values())
        self.number = {ecs_id: number for number, ecs_id in enumerate(by_id)}
        self.parents = self._parents()
        self._open_circles()
        self.answers = self._answers()
        self.leaves = [n for n in range(len(self.messages)) if not self.answers[n]]
        self.people = _people(self.messages)
        self._chosen: dict[int, int] = {}
        current = self._current(thread)
        if current is not None:
            self.path_through(current)

    def _parents(self) -> list[int]:
        held = [message.parent for message in self.messages]
        if all(one is None for one in held):
            return list(range(TOP, len(held) - 1))
        return [TOP if one is None else self.number.get(one.ecs_id, TOP) for one in held]

    def _open_circles(self) -> None:
        """Take the parent from one message of every circle of parents."""
        new, here, done = 0, 1, 2
        state = [new] * len(self.parents)
        for start in range(len(self.parents)):
            way = []
            at = start
            while at != TOP and state[at] == new:
                state[at] = here
                way.append(at)
                at = self.parents[at]
            if at != TOP and state[at] == here:  # met on this very way
                self.parents[min(way[way.index(at) :])] = TOP
            for number in way:
                state[number] = done

    def _answers(self) -> dict[int, list[int]]:
        answers: dict[int, list[int]] = {number: [] for number in range(TOP, len(self.messages))}
        for number, message in enumerate(self.messages):
            listed = (self.number.get(reply.ecs_id) for reply in message.replies)
            answers[number] = list(
                dict.fromkeys(n for n in listed if n is not None and self.parents[n] == number)
            )
        known = [set(found) for _, found in sorted(answers.items())]
        for number, parent in enumerate(self.parents):
            if number not in known[parent + 1]:  # a parent that does not list it
                answers[parent].append(number)
        return answers

    def _current(self, thread: ChatThread) -> int | None:
        """Return the message at which the source's own interface was left, if it says so."""
        values = (thread.metadata.get(name) for name in CURRENT)
        told = {value for value in values if isinstance(value, str)}
        for number, message in enumerate(self.messages):
            if message.source_id is not None and message.source_id in told:
                return number
        return None

    def __len__(self) -> int:
        return len(self.messages)

    @property
    def forks(self) -> int:
        """How many places have more than one way on."""
        return sum(len(found) > 1 for found in self.answers.values())

    def siblings(self, number: int) -> list[int]:
        """Return the answers among which a message is, itself included."""
        return self.answers[self.parents[number]]

    def path(self) -> list[int]:
        """Return the branch that is chosen, from the top to a leaf."""
        return self._onward(TOP)

    def path_through(self, number: int) -> list[int]:
        """Choose the branch that leads to a message, and on as it was chosen; return it."""
        at = number
        while at != TOP:
            self._chosen[self.parents[at]] = at
            at = self.parents[at]
        return self.path()

    def path_past(self, number: int) -> list[int]:
        """Return the branch through a message as `path_through`, without choosing it."""
        return [*self.path_to(number), *self._onward(number)]

    def path_to(self, number: int) -> list[int]:
        """Return the messages from the top to one, both included."""
        way = []
        at = number
        while at != TOP:
            way.append(at)
            at = self.parents[at]
        return way[::-1]

    def _onward(self, number: int) -> list[int]:
        way: list[int] = []
        at = number
        while answers := self.answers[at]:
            # As in most chats: what was said last, until somebody chooses otherwise.
            at = self._chosen.get(at, answers[-1])
            way.append(at)
        return way

    def found(self, text: str) -> list[int]:
        """Return the messages that a text is found in, in any case; in the order of the thread.

        Notes
        -----
        O(texts). Looked for in what was said, in roles, names, models and ids.

        Examples
        --------
        >>> import ecsviz as ev
        >>> branches = Branches(ev.sample("thread"))
        >>> len(branches.found("topological")) > 0, branches.found("  ")
        (True, [])
        """
        wanted = text.strip().casefold()
        if not wanted:
            return []
        return [n for n, message in enumerate(self.messages) if _says(message, wanted)]


def _people(messages: Iterable[ChatMessage]) -> dict[str | None, int]:
    authors = dict.fromkeys(message.author for message in messages if message.role == "user")
    return {name: n for n, name in enumerate(authors)} if len(authors) > 1 else {}


def _says(message: ChatMessage, wanted: str) -> bool:
    if wanted in message.content.casefold():
        return True
    others = (message.role, message.author, message.model)
    # An id by its beginning or end only: its digits would be found in most short searches.
    ecs_id = str(message.ecs_id)
    return any(other is not None and wanted in other.casefold() for other in others) or (
        len(wanted) >= 6 and (ecs_id.startswith(wanted) or ecs_id.endswith(wanted))
    )


def rows_beside(path: Sequence[int], beside: Sequence[int] | None) -> list[tuple[int, int]]:
    """Return two branches as rows of pairs: what they share stands alone, then side by side.

    Parameters
    ----------
    path, beside
        Numbers of messages; None for one branch alone.

    Returns
    -------
    list of (int, int)
        What stands on the left and on the right; `TOP` for nothing. On the right nothing either
        where the message is in both branches.

    Examples
    --------
    >>> rows_beside([0, 1, 3, 5], [0, 1, 4])
    [(0, -1), (1, -1), (3, 4), (5, -1)]
    """
    if beside is None:
        return [(number, TOP) for number in path]
    shared = shared_of(path, beside)
    rows = [(number, TOP) for number in path[:shared]]
    for place in range(shared, max(len(path), len(beside))):
        left = path[place] if place < len(path) else TOP
        rows.append((left, beside[place] if place < len(beside) else TOP))
    return rows


def shared_of(path: Sequence[int], beside: Sequence[int]) -> int:
    """Return how many messages two branches have in common at their beginning."""
    for place, (left, right) in enumerate(zip(path, beside, strict=False)):
        if left != right:
            return place
    return min(len(path), len(beside))
