"""Ready-made chat threads with branches."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, JsonValue

from ecsviz.basics.views import View, view
from ecsviz.domain.entity import Entity
from ecsviz.domain.fields import reference

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _as_utc(value: datetime) -> datetime:
    # Exports write UTC without saying so: a time without an offset is read as UTC.
    if value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    try:
        return value.astimezone(UTC)
    except OverflowError:  # which pydantic would let through
        raise ValueError("in UTC, the time lies outside the years 1 to 9999") from None


UtcDatetime = Annotated[datetime, AfterValidator(_as_utc)]


# Stores, dumps and pickles name the chat classes by a module that people can type: `ecsviz.chat`.
sys.modules["ecsviz.chat"] = sys.modules[__name__]


class ChatThread(Entity):
    """A chat: its messages, in the order in which they were added, with all branches.

    Attributes
    ----------
    title
        What the chat is called; may be empty.
    messages
        Every message of every branch.
    created_at, updated_at
        UTC.
    source, source_id
        The format it was read from, and its id there.
    metadata
        Whatever else the source said, as JSON.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> question = thread.say("user", "What is a cycle?")
    >>> first = thread.say("assistant", "A way back.", parent=question)
    >>> second = thread.say("assistant", "A closed path.", parent=question)
    >>> [message.content for message in thread.branch_points()]
    ['What is a cycle?']
    >>> [message.content for message in thread.path_to(second)]
    ['What is a cycle?', 'A closed path.']
    """

    __module__ = "ecsviz.chat"
    model_config = ConfigDict(ignored_types=(View,))

    title: str = ""
    messages: list[ChatMessage] = reference(inverse="thread", default_factory=list)
    created_at: UtcDatetime | None = None
    updated_at: UtcDatetime | None = None
    source: str | None = None
    source_id: str | None = None
    metadata: dict[str, JsonValue] = Field(default_factory=dict)

    def add_message(self, message: ChatMessage) -> None:
        """Append a message; its ``thread`` must be this thread."""
        self.messages.append(message)

    def say(self, role: str, content: str, parent: ChatMessage | None = None) -> ChatMessage:
        """Make a message, append it here and to its parent's replies, and return it.

        Parameters
        ----------
        role
            ``"user"``, ``"assistant"``, ``"system"`` or ``"tool"``.
        content
            The text.
        parent
            What it answers; None starts a conversation.
        """
        message = ChatMessage(thread=self, parent=parent, role=role, content=content)
        self.messages.append(message)
        if parent is not None:
            parent.replies.append(message)
        return message

    def roots(self) -> list[ChatMessage]:
        """Return the messages that answer no other."""
        return [message for message in self.messages if message.parent is None]

    def leaves(self) -> list[ChatMessage]:
        """Return the messages that nothing answers: one per branch."""
        return [message for message in self.messages if not message.replies]

    def branch_points(self) -> list[ChatMessage]:
        """Return the messages with more than one answer."""
        return [message for message in self.messages if len(message.replies) > 1]

    def path_to(self, message: ChatMessage) -> list[ChatMessage]:
        """Return the messages from a root to `message`, both included.

        Notes
        -----
        O(length of the path). A parent that was met before ends the path.
        """
        path: list[ChatMessage] = []
        seen: set[int] = set()
        step: ChatMessage | None = message
        while step is not None and id(step) not in seen:
            seen.add(id(step))
            path.append(step)
            step = step.parent
        return path[::-1]

    @view
    def draw_timeline(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the messages one after the other, branches as lanes.

        Parameters
        ----------
        ax
            Where to draw. None makes a figure.
        **options
            ``by``, ``highlight``, ``max_branches``, ``title``, ``legend``: those of
            ``ecsviz.draw.draw_timeline``.

        Examples
        --------
        >>> import ecsviz as ev
        >>> thread = ev.ChatThread(title="Cycles")
        >>> question = thread.say("user", "What is a cycle?")
        >>> thread.draw_timeline().get_title(loc="left").splitlines()
        ['Cycles', '1 message']
        """
        raise NotImplementedError

    @view
    def explore(self, store: Any = None) -> Any:
        """Return a live widget that shows the thread: bubbles, branches, search.

        Parameters
        ----------
        store
            Where the thread is stored, for a slider of its revisions and what differs between
            two of them; None for none.

        Returns
        -------
        ThreadExplorer
            A widget; its trait ``selected``, the ``ecs_id`` of the chosen message, works in both
            directions.

        Raises
        ------
        EntityNotFoundError
            If the thread is not stored there.

        Examples
        --------
        >>> import ecsviz as ev
        >>> thread = ev.ChatThread(title="Cycles")
        >>> message = thread.say("user", "What is a cycle?")
        >>> thread.explore()
        ThreadExplorer('Cycles': 1 message, 1 branch)
        """
        raise NotImplementedError


class ChatMessage(Entity):
    """One message: its thread, what it answers, and what answers it.

    Attributes
    ----------
    thread
        The thread that holds it.
    parent, replies
        What it answers, and its answers in order: several are branches.
    role
        ``"user"``, ``"assistant"``, ``"system"``, ``"tool"`` or what the source says.
    content
        The text.
    author, model
        A person's or tool's name, and the model that wrote it, where the source says so.
    created_at
        UTC.
    hidden
        Whether the source's own interface does not show it.
    source_id
        Its id in the source.
    metadata
        Whatever else the source said, as JSON.
    """

    __module__ = "ecsviz.chat"

    thread: ChatThread = reference(inverse="messages")
    parent: ChatMessage | None = reference(inverse="replies", default=None)
    replies: list[ChatMessage] = reference(inverse="parent", default_factory=list)
    role: str
    content: str = ""
    author: str | None = None
    model: str | None = None
    created_at: UtcDatetime | None = None
    hidden: bool = False
    source_id: str | None = None
    metadata: dict[str, JsonValue] = Field(default_factory=dict)


ChatThread.model_rebuild()

# Doctest passes over classes that say they are from elsewhere.
__test__ = {"ChatMessage": ChatMessage, "ChatThread": ChatThread}
