"""A chat thread as people know it: bubbles, branches to switch, search, and its past.

However long the thread is, only the messages in sight, and those around them, go to the page.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final
from uuid import UUID

import numpy as np
import traitlets

from ecsviz.basics.html import Child, shown_of
from ecsviz.basics.text import counted, plain
from ecsviz.domain.branches import TOP, Branches, rows_beside, shared_of
from ecsviz.domain.chat import ChatMessage, ChatThread
from ecsviz.domain.diff import GraphDiff, diff
from ecsviz.errors import EntityNotFoundError, InvalidArgumentError, UnknownTypeError, short_repr
from ecsviz.storage.comparing import storage_of
from ecsviz.widgets.base import EntityId, LiveWidget, Message, Numbers, uuid_of, whole_number
from ecsviz.widgets.past import moments_of
from ecsviz.widgets.thread.parts import parts_of
from ecsviz.widgets.thread.texts import (
    CHANGES,
    changes_of,
    facts_of,
    marks_of,
    message_json,
    snippet,
    still_thread,
)

WINDOW: Final = 60
"""How many messages go to the page at once, at the most."""
FIRST: Final = 12
"""How many go with the picture of a branch, so that nothing has to be asked for at first."""
LISTED: Final = 50
"""How many hits, or branches, a page of their list has."""
KEPT: Final = 4
"""How many old states of a thread are kept once they were read."""


def explore_thread(thread: ChatThread, store: Any = None) -> ThreadExplorer:
    """Return a live widget that shows a chat thread.

    Parameters
    ----------
    thread
        Its messages must be loaded.
    store
        Where it is stored, for a slider of its revisions; None for none.

    Returns
    -------
    ThreadExplorer
        A widget; its trait ``selected`` works in both directions.

    Raises
    ------
    UnknownTypeError
        If it is no ChatThread.
    EntityNotFoundError
        If it is not stored there.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> question = thread.say("user", "What is a cycle?")
    >>> first = thread.say("assistant", "A way back.", parent=question)
    >>> second = thread.say("assistant", "A closed path.", parent=question)
    >>> shown = explore_thread(thread)
    >>> [message.content for message in shown.path]
    ['What is a cycle?', 'A closed path.']
    >>> shown.selected = first
    >>> [message.content for message in shown.path]
    ['What is a cycle?', 'A way back.']
    """
    if not isinstance(thread, ChatThread):
        raise UnknownTypeError(
            f"{short_repr(thread)} is not a ChatThread. graph.explore() shows any entities.",
            value=thread,
        )
    return ThreadExplorer(thread, store)


class ThreadExplorer(LiveWidget):
    """The widget that `explore_thread` returns.

    Attributes
    ----------
    selected
        A trait: the ``ecs_id`` of the chosen message as text, or None. To choose a message shows
        a branch that it is on. Ids of other entities are taken too, so that it can be linked with
        the selection of other widgets; then no message is chosen.
    branch, beside
        Traits: the ``ecs_id`` of the last message of the branch that is shown, and of the one
        that is shown beside it, or None. Any message of a branch can be given.
    search
        A trait: what is looked for, in all branches.
    revision, since
        Traits: the revision of the store that is shown, None for the thread as it was given; and
        the one that it is compared with, None for none. One that changed nothing of the thread
        stands for the last that did. What has been pruned is not offered after `refresh`.
    status
        A trait: what is shown of what there is, in words.
    markup
        A trait: whether texts are shown as Markdown, with formulas; else as they were written.
    thread, store
        What was given.
    """

    bundle: ClassVar[str] = "thread"
    answers: ClassVar[dict[str, str]] = {
        "select": "_on_select",
        "messages": "_on_messages",
        "switch": "_on_switch",
        "leaves": "_on_leaves",
        "hits": "_on_hits",
        "hit": "_on_hit",
        "whole": "_on_whole",
        "json": "_on_json",
        "beside": "_on_beside",
        "compare": "_on_compare",
        "see": "_on_see",
    }

    branch = EntityId(None, allow_none=True).tag(sync=True)
    beside = EntityId(None, allow_none=True).tag(sync=True)
    search = traitlets.Unicode().tag(sync=True)
    revision = traitlets.Int(None, allow_none=True).tag(sync=True)
    since = traitlets.Int(None, allow_none=True).tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)
    markup = traitlets.Bool(True).tag(sync=True)

    _about = traitlets.Dict(help="the thread itself").tag(sync=True)
    _shown = traitlets.Dict(help="the rows that are shown, and the first of them").tag(sync=True)
    _rows = traitlets.Bytes(help="per row: left, right, characters; int32").tag(sync=True)
    _at = traitlets.Int(-1, help="the row of the chosen message").tag(sync=True)
    _hits = traitlets.Dict(help="a page of what was found").tag(sync=True)
    _place = traitlets.Int(-1, help="which of what was found is chosen").tag(sync=True)
    _changes = traitlets.Dict(help="what differs between the two revisions").tag(sync=True)

    def __init__(self, thread: ChatThread, store: Any = None) -> None:
        self.thread: ChatThread = thread
        self.store: Any = None if store is None else storage_of(store)
        self._old: dict[int, ChatThread] = {}
        self._found: list[int] = []
        self._difference: GraphDiff | None = None
        self._kept: list[range] = []
        self._moments = self._revisions()
        self._branches = Branches(thread)
        self._path = self._branches.path()
        self._pairs: list[tuple[int, int]] = []
        self._numbers = Numbers()
        self._renumber()
        super().__init__(_about=self._introduction())
        self._show()
        self._connect()

    def _connect(self) -> None:
        self.observe(lambda _: self._on_selected(), "selected")
        self.observe(lambda _: self._on_branch(), ["branch", "beside"])
        self.observe(lambda _: self._find(), "search")
        self.observe(lambda _: self._on_revision(), "revision")
        self.observe(lambda _: self._on_since(), "since")

    def _introduction(self) -> dict[str, Any]:
        branches = self._branches
        return {
            "title": plain(self.shown.title, 200) or "A chat without a title",
            "id": str(self.thread.ecs_id),
            "total": len(branches),
            "leaves": len(branches.leaves),
            "forks": branches.forks,
            "listed": LISTED,
            "revisions": self._moments,
        }

    def _first_library(self) -> str | None:
        return "markup"

    # -- what is shown -----------------------------------------------------------------------

    @property
    def shown(self) -> ChatThread:
        """The thread as it is shown: as of `revision`, or as it was given."""
        revision = getattr(self, "revision", None)
        return self.thread if revision is None else self._as_of(revision)

    @property
    def message(self) -> ChatMessage | None:
        """The chosen message, or None."""
        number = self._number
        return None if number is None else self._branches.messages[number]

    @property
    def path(self) -> list[ChatMessage]:
        """The messages of the branch that is shown."""
        return [self._branches.messages[number] for number in self._path]

    @property
    def found(self) -> list[ChatMessage]:
        """The messages that `search` is found in, on all branches."""
        return [self._branches.messages[number] for number in self._found]

    @property
    def difference(self) -> GraphDiff | None:
        """What differs between `since` and what is shown, or None where nothing is compared."""
        return self._difference

    def refresh(self) -> None:
        """Show what has been added to the thread, changed in it or pruned since it was shown."""
        self._moments = self._revisions()
        # What was shown may have been pruned since; both change before either is looked at.
        now = {name: self._nearest(getattr(self, name)) for name in ("revision", "since")}
        self.settle(**now)
        self._rebuild()

    def _rebuild(self) -> None:
        """Show another state of the thread, at the place where the reader is."""
        place = [self.message, *reversed(self.path)]
        self._branches = Branches(self.shown)
        ids = (message.ecs_id for message in place if message is not None)
        numbers = (self._branches.number.get(ecs_id) for ecs_id in ids)
        here = next((number for number in numbers if number is not None), None)
        self._path = self._branches.path() if here is None else self._branches.path_through(here)
        if self.beside is not None and UUID(self.beside) not in self._branches.number:
            self.settle(beside=None)
        with self.hold_sync():
            self._about = self._introduction()
            self._compare()
            self._find()

    def _show(self) -> None:
        """Send the branch, or two of them, as numbers."""
        branches = self._branches
        other = self._other_path()
        leaf = branches.messages[self._path[-1]] if self._path else None
        self._pairs = rows = rows_beside(self._path, other)
        lengths = [self._length(left, right) for left, right in rows]
        table = np.array([(*row, n) for row, n in zip(rows, lengths, strict=True)], dtype=np.int32)
        self.settle(branch=leaf)
        with self.hold_sync():
            self._at = self._row()
            begin = min(max(self._at - FIRST // 2, 0), max(len(rows) - FIRST, 0))
            self._shown = {
                "edition": self._numbers.edition,
                "count": len(rows),
                "shared": len(rows) if other is None else shared_of(self._path, other),
                "messages": self._facts(rows[begin : begin + FIRST]),
            }
            self._rows = table.tobytes()
            self.status = self._said(other)

    def _length(self, left: int, right: int) -> int:
        messages = self._branches.messages
        return max(len(messages[n].content) if n != TOP else 0 for n in (left, right))

    def _said(self, other: list[int] | None) -> str:
        branches = self._branches
        text = shown_of(len(self._path), len(branches), "messages")
        if other is not None:
            shared = shared_of(self._path, other)
            text += f"; two branches side by side, {counted(shared, 'message')} in common"
        elif len(branches.leaves) > 1:
            place = branches.leaves.index(self._path[-1]) + 1
            text += f"; branch {place:,} of {len(branches.leaves):,}"
        if self.revision is not None:
            text += f"; as of revision {self.revision:,}"
        return text

    def _facts(self, rows: list[tuple[int, int]]) -> list[dict[str, Any]]:
        marks = {} if self._difference is None else marks_of(self._difference)
        facts = []
        for number in (number for row in rows for number in row if number != TOP):
            about = facts_of(self._branches, number)
            mark = marks.get(self._branches.messages[number].ecs_id)
            facts.append({**about, "mark": mark} if mark else about)
        return facts

    def _other_path(self) -> list[int] | None:
        if self.beside is None:
            return None
        return self._branches.path_past(self._branches.number[UUID(self.beside)])

    # -- what is selected --------------------------------------------------------------------

    @property
    def _number(self) -> int | None:
        return None if self.selected is None else self._branches.number.get(UUID(self.selected))

    def _on_selected(self) -> None:
        number = self._number
        if number is None:
            self._at = -1
        elif self._row() < 0:
            self._path = self._branches.path_through(number)
            self._show()
        else:
            self._at = self._row()
        self._show_place()

    def _row(self) -> int:
        """Return the row that shows the chosen message, or -1."""
        number = self._number
        for path in (self._path, self._other_path() or []):
            if number in path:
                return path.index(number)
        return -1

    def _on_select(self, message: Message) -> None:
        number = self._node_in(message)
        if number is not None or message.get("node") == TOP:
            with self.hold_sync():
                self.selected = None if number is None else self._branches.messages[number]

    def _renumber(self) -> None:
        """Note which numbers the page is told now."""
        self._numbers.renew([message.ecs_id for message in self._branches.messages])

    def _node_in(self, message: Message) -> int | None:
        """Return the message that a page means, by the number that it has now."""
        return self._branches.number.get(self._numbers.meant(message))

    # -- branches ----------------------------------------------------------------------------

    @traitlets.validate("branch", "beside")
    def _check_branch(self, proposal: Any) -> str | None:
        if proposal.value is None:
            return None
        ecs_id = uuid_of(proposal.value)
        if ecs_id not in self._branches.number:
            raise EntityNotFoundError(
                f"No message of this thread has the ecs_id {ecs_id}; it has"
                f" {counted(len(self._branches), 'message')}."
                " thread.leaves() lists the ends of branches.",
                ecs_id=ecs_id,
            )
        return str(ecs_id)

    def _on_branch(self) -> None:
        if self.settling:
            return
        if self.branch is not None:
            self._path = self._branches.path_through(self._branches.number[UUID(self.branch)])
        if self.beside is not None:
            end = self._branches.path_past(self._branches.number[UUID(self.beside)])[-1]
            self.settle(beside=self._branches.messages[end])
        self._show()

    def _on_switch(self, message: Message) -> None:
        """Go to another answer of the same message, on the left or on the right."""
        other = self._sibling(message)
        if other is None:
            return
        if self._node_in(message) in self._path:
            self._go(other)
        else:
            self.beside = self._branches.messages[other]

    def _sibling(self, message: Message) -> int | None:
        """Return the answer that stands so many before or after one, to the same message."""
        number = self._node_in(message)
        by = whole_number(message, "by", -1, 1)
        if number is None or by is None:
            return None
        siblings = self._branches.siblings(number)
        place = siblings.index(number) + by
        return siblings[place] if 0 <= place < len(siblings) else None

    def _go(self, number: int) -> None:
        """Show the branch through a message, and choose that message."""
        self._path = self._branches.path_through(number)
        with self.hold_sync():
            self.selected = self._branches.messages[number]
            self._show()

    def _on_beside(self, message: Message) -> None:
        number = self._node_in(message)
        if number is not None or message.get("node") == TOP:
            self.beside = None if number is None else self._branches.messages[number]

    def _on_compare(self, message: Message) -> None:
        """Show the next branch of a fork beside the one that is shown."""
        other = self._sibling(message)
        if other is not None:
            self.beside = self._branches.messages[other]

    def _on_leaves(self, message: Message) -> None:
        leaves = self._branches.leaves
        first = whole_number(message, "first", 0, len(leaves) - 1) or 0
        listed = leaves[first : first + LISTED]
        self.tell(
            "leaves",
            first=first,
            total=len(leaves),
            here=self._path[-1] if self._path else TOP,
            said=shown_of(len(listed), len(leaves), "branches"),
            listed=[self._leaf(number) for number in listed],
        )

    def _leaf(self, number: int) -> dict[str, Any]:
        message = self._branches.messages[number]
        return {
            "n": number,
            "role": plain(message.role, 40),
            "text": plain(message.content, 90) or "(no text)",
            "length": len(self._branches.path_to(number)),
        }

    # -- search ------------------------------------------------------------------------------

    def _find(self) -> None:
        self._found = self._branches.found(self.search)
        self._list_hits(0)
        self._show_place()

    def _list_hits(self, first: int) -> None:
        listed = self._found[first : first + LISTED]
        messages = self._branches.messages
        total = len(self._found)
        self._hits = {
            "first": first,
            "total": total,
            "said": shown_of(len(listed), total, "messages found") if total else "nothing found",
            "listed": [
                {
                    "n": number,
                    "role": plain(messages[number].role, 40),
                    "parts": snippet(messages[number], self.search),
                }
                for number in listed
            ],
        }

    def _on_hit(self, message: Message) -> None:
        """Choose the next hit, or the one before; beyond the end, the first again."""
        by = whole_number(message, "by", -1, 1)
        if by is None or not self._found:
            return
        if self._place < 0:  # somewhere between two hits: from there on
            at = self._number if self._number is not None else -1
            later = sum(number <= at for number in self._found)
            place = later if by > 0 else later - 1
        else:
            place = self._place + by
        with self.hold_sync():
            self.selected = self._branches.messages[self._found[place % len(self._found)]]

    def _show_place(self) -> None:
        number = self._number
        self._place = self._found.index(number) if number in self._found else -1

    def _on_hits(self, message: Message) -> None:
        first = whole_number(message, "first", 0, max(len(self._found) - 1, 0))
        if first is not None:
            self._list_hits(first)

    # -- texts -------------------------------------------------------------------------------

    def _on_messages(self, message: Message) -> None:
        first = whole_number(message, "first", 0, max(len(self._pairs) - 1, 0))
        count = whole_number(message, "count", 1, WINDOW)
        if first is not None and count is not None:
            messages = self._facts(self._pairs[first : first + count])
            self.tell("messages", edition=self._numbers.edition, messages=messages)

    def _on_whole(self, message: Message) -> None:
        number = self._node_in(message)
        if number is not None:
            parts, _ = parts_of(self._branches.messages[number], whole=True)
            self.tell("whole", edition=self._numbers.edition, node=number, parts=parts)

    def _on_json(self, message: Message) -> None:
        number = self._node_in(message)
        if number is not None:
            text = message_json(self._branches.messages[number])
            self.tell("json", edition=self._numbers.edition, node=number, text=text)

    # -- the past ----------------------------------------------------------------------------

    def _revisions(self) -> list[dict[str, Any]]:
        """Return the revisions that changed the thread, for the slider."""
        if self.store is None:
            return []
        moments, self._kept = moments_of(self.store, self.thread)
        return moments

    def _nearest(self, revision: int | None) -> int | None:
        """Return the revision that shows the same; for one that is gone, the oldest there is."""
        known: list[int] = [moment["revision"] for moment in self._moments]
        if revision is None or not known:
            return None
        return max((number for number in known if number <= revision), default=known[0])

    @traitlets.validate("revision", "since")
    def _check_revision(self, proposal: Any) -> int | None:
        wanted: int | None = proposal.value
        if wanted is not None and not any(wanted in part for part in self._kept):
            if self.store is None:
                why = "The past is in a store: thread.explore(store) shows it."
            else:
                kept = " and ".join(f"{part[0]:,} to {part[-1]:,}" for part in self._kept)
                why = f"There are {kept}; refresh() looks for new ones."
            name = proposal.trait.name
            raise InvalidArgumentError(
                f"{name}={wanted} is no revision that this shows. {why}", value=wanted
            )
        wanted = self._nearest(wanted)
        if wanted is not None:
            self._as_of(wanted)  # tells now what cannot be read
        return wanted

    def _as_of(self, revision: int) -> ChatThread:
        if revision not in self._old:
            found: ChatThread = self.store.get(self.thread.ecs_id, as_of=revision)
            while len(self._old) >= KEPT:
                del self._old[next(iter(self._old))]
            self._old[revision] = found
        return self._old[revision]

    def _on_see(self, message: Message) -> None:
        """Show another revision, or compare with another: here, errors are told to the page."""
        known = {None, *(moment["revision"] for moment in self._moments)}
        for name in ("revision", "since"):
            if name in message and whole_number(message, name, 0, 2**53) in known:
                setattr(self, name, whole_number(message, name, 0, 2**53))

    def _on_revision(self) -> None:
        if not self.settling:
            self._rebuild()

    def _on_since(self) -> None:
        if not self.settling:
            self._compare()

    def _compare(self) -> None:
        """Find what differs from the state that is compared with."""
        if self.since is None:
            self._difference, self._changes = None, {}
        else:
            self._difference = found = diff(self._as_of(self.since), self.shown)
            listed = changes_of(found, self._branches)
            told = shown_of(len(listed), len(found), "differences") if found else "nothing differs"
            self._changes = {
                "told": told if len(found) > CHANGES or not found else found.summary(),
                "listed": listed,
            }
        self._renumber()
        self._show()

    # -- where it is not alive ---------------------------------------------------------------

    def __repr__(self) -> str:
        title = short_repr(plain(self.shown.title, 60))
        where = "" if self.revision is None else f", as of revision {self.revision}"
        count, leaves = len(self._branches), len(self._branches.leaves)
        held = f"{counted(count, 'message')}, {counted(leaves, 'branch')}"
        return f"ThreadExplorer({title}: {held}{where})"

    def _still(self) -> list[Child]:
        return still_thread(self.shown, self._branches, self._path)
