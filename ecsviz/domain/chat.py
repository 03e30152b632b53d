"""Ready-made chat threads with branches."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)

from ecsviz.basics.views import View, view
from ecsviz.domain.entity import Entity
from ecsviz.domain.fields import reference
from ecsviz.errors import InvalidArgumentError, short_repr

if TYPE_CHECKING:
    from pathlib import Path

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

    def say(
        self,
        role: str,
        content: str | Iterable[MessagePart],
        parent: ChatMessage | None = None,
    ) -> ChatMessage:
        """Make a message, append it here and to its parent's replies, and return it.

        Parameters
        ----------
        role
            ``"user"``, ``"assistant"``, ``"system"`` or ``"tool"``.
        content
            The text, or the parts.
        parent
            What it answers; None starts a conversation.

        Examples
        --------
        >>> import ecsviz as ev
        >>> call = ev.MessagePart(kind="tool_call", tool="look_up", data={"plant": "fern"})
        >>> message = ev.ChatThread().say("assistant", [call])
        >>> message.content, message.kind, message.tool
        ('look_up({"plant": "fern"})', 'tool_call', 'look_up')
        """
        text = content if isinstance(content, str) else ""
        message = ChatMessage(thread=self, parent=parent, role=role, content=text)
        if not isinstance(content, str):
            message.parts = parts = tuple(content)
            message.content = readable(parts)
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

    @view
    def to_markdown(self, path: str | Path | None = None, **options: Any) -> str | Path:
        r"""Return, or write, the thread as Markdown.

        Parameters
        ----------
        path
            Where to write. None returns the text.
        **options
            ``branch``: a number from 1, a message, ``"all"``, or None for the branch that was
            last active; see ``ecsviz.export.to_markdown``.

        Examples
        --------
        >>> import ecsviz as ev
        >>> thread = ev.ChatThread(title="Cycles")
        >>> question = thread.say("user", "What is a cycle?")
        >>> print(thread.to_markdown())
        # Cycles
        <BLANKLINE>
        1 message
        <BLANKLINE>
        ## user
        <BLANKLINE>
        > What is a cycle?
        <BLANKLINE>
        """
        raise NotImplementedError

    @view
    def to_html(self, path: str | Path | None = None, **options: Any) -> str | Path:
        """Return, or write, the thread as a page that runs and loads nothing.

        Parameters
        ----------
        path
            Where to write. None returns the text.
        **options
            ``branch``: a number from 1, or a message, whose branch stands open; None for the
            branch that was last active. The others are folded.

        Examples
        --------
        >>> import ecsviz as ev
        >>> page = ev.sample("thread").to_html()
        >>> "default-src 'none'" in page, page.count("<details")
        (True, 5)
        """
        raise NotImplementedError


class MessagePart(BaseModel):
    """A part of a message: a text, a thought, a tool's call or result, an image, a file or so.

    Attributes
    ----------
    kind
        ``"text"``, ``"thinking"``, ``"tool_call"``, ``"tool_result"``, ``"image"``, ``"audio"``,
        ``"video"``, ``"file"``, ``"code"``, ``"citation"``, ``"refusal"`` or ``"other"``.
    text
        What one can read of it: the text, the code, a transcript, a result as a text.
    tool
        The tool that is called, or whose result it is.
    call_id
        What joins a call and its result.
    name
        The name of a file, or the title of what is cited.
    url
        Where it is. Nothing is ever fetched from there.
    mime
        The type of a file or image; of code, its language.
    data
        The arguments of a call, or a result that is more than a text.
    metadata
        Whatever else the source says of it, as JSON.

    Examples
    --------
    >>> import ecsviz as ev
    >>> part = ev.MessagePart(kind="image", name="fern.png")
    >>> part.readable
    '[image: fern.png]'
    """

    __module__ = "ecsviz.chat"
    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    text: str = ""
    tool: str | None = None
    call_id: str | None = None
    name: str | None = None
    url: str | None = None
    mime: str | None = None
    data: JsonValue = None
    metadata: dict[str, JsonValue] = Field(default_factory=dict)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            if value not in (None, "", {}):
                yield name, value

    @property
    def readable(self) -> str:
        """The text, or what stands for it: a call with its arguments, the name of a file."""
        if self.text and self.kind != "file":
            return self.text
        if self.kind == "tool_call":
            data = self.data
            if data is None:
                said = ""
            elif isinstance(data, str):
                said = data
            else:
                said = json.dumps(data, ensure_ascii=False)
            return f"{self.tool or 'tool'}({said})"
        if self.kind in ("text", "thinking"):
            return ""
        what = self.kind.replace("_", " ")
        url = self.url if self.url and not self.url.startswith("data:") else None
        named = self.name or url or self.mime or self.tool
        return f"[{what}: {named}]" if named else f"[{what}]"


def readable(parts: Iterable[MessagePart]) -> str:
    """Return what one can read of parts, one below the other.

    Thoughts that a source keeps to itself are told only where there is nothing else.
    """
    parts = list(parts)
    said = "\n".join(filter(None, (part.readable for part in parts)))
    return said or ("[thinking]" if any(part.kind == "thinking" for part in parts) else "")


def whole_text(part: MessagePart) -> str:
    """Return all that stands in a part: its text, or its data as they are read best."""
    if part.text or part.data is None:
        return part.text
    if isinstance(part.data, str):
        return part.data
    try:
        return json.dumps(part.data, ensure_ascii=False, indent=2)
    except (TypeError, ValueError, RecursionError):
        return part.readable


_KINDS = ("text", "code", "refusal", "tool_call", "tool_result", "thinking")
"""What a message with several parts is said to be: the first of these that it has."""

_MOST = 1 << 53

_PARTS, _TOKENS_IN, _TOKENS_OUT = "parts", "tokens_in", "tokens_out"
"""Where the metadata have what has no column of its own, so that stores need no other tables."""


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
        The text: what one can read of all `parts`.
    parts
        What it is made of, as `MessagePart`: by default its text alone. They are kept in the
        metadata.
    text
        What was said: the texts among the parts.
    kind, tool
        What kind of parts it has above all, and which tools it calls or answers for.
    tokens_in, tokens_out
        How many tokens a model read for it and wrote, where the source says so; kept in the
        metadata.
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

    @model_validator(mode="before")
    @classmethod
    def _into_metadata(cls, given: Any) -> Any:
        # `ChatMessage(parts=…)`, which would else be left out without a word.
        if not isinstance(given, dict) or given.keys().isdisjoint(_IN_METADATA):
            return given
        rest = {name: value for name, value in given.items() if name not in _IN_METADATA}
        try:
            own = {name: _kept(name, given[name]) for name in _IN_METADATA if name in given}
        except InvalidArgumentError as err:
            raise ValueError(str(err)) from None
        if _PARTS in own:
            rest.setdefault("content", readable(given[_PARTS]))
        rest["metadata"] = {**(rest.get("metadata") or {}), **own}
        return rest

    @property
    def parts(self) -> tuple[MessagePart, ...]:
        """What the message is made of.

        Examples
        --------
        >>> import ecsviz as ev
        >>> message = ev.ChatThread().say("user", "Hi")
        >>> message.parts
        (MessagePart(kind='text', text='Hi'),)
        >>> message.parts += (ev.MessagePart(kind="file", name="plan.pdf"),)
        >>> [part.kind for part in message.parts]
        ['text', 'file']
        """
        kept = kept_parts(self.metadata)
        if kept is not None:
            return kept
        return (MessagePart(kind="text", text=self.content),) if self.content else ()

    @parts.setter
    def parts(self, parts: Iterable[MessagePart]) -> None:
        self.metadata = {**self.metadata, _PARTS: _kept(_PARTS, parts)}

    @property
    def text(self) -> str:
        r"""The texts among the parts: what was said, without thoughts, calls, results and files.

        Examples
        --------
        >>> import ecsviz as ev
        >>> thought = ev.MessagePart(kind="thinking", text="Hm.")
        >>> said = ev.MessagePart(kind="text", text="Yes.")
        >>> message = ev.ChatThread().say("assistant", [thought, said])
        >>> message.content, message.text
        ('Hm.\nYes.', 'Yes.')
        """
        kept = kept_parts(self.metadata)
        if kept is None:
            return self.content
        return "\n".join(part.text for part in kept if part.kind == "text")

    @property
    def kind(self) -> str:
        """What kind of parts it has above all: text if it has one."""
        return kind_of(kept_parts(self.metadata) or ())

    @property
    def tool(self) -> str | None:
        """The tools that it calls or answers for, with commas between; None if there is none."""
        tools = dict.fromkeys(part.tool for part in kept_parts(self.metadata) or () if part.tool)
        return ", ".join(tools) or None

    @property
    def tokens_in(self) -> int | None:
        """How many tokens a model read for it."""
        return kept_count(self.metadata, _TOKENS_IN)

    @tokens_in.setter
    def tokens_in(self, count: int | None) -> None:
        self.metadata = {**self.metadata, _TOKENS_IN: _kept(_TOKENS_IN, count)}

    @property
    def tokens_out(self) -> int | None:
        """How many tokens a model wrote."""
        return kept_count(self.metadata, _TOKENS_OUT)

    @tokens_out.setter
    def tokens_out(self, count: int | None) -> None:
        self.metadata = {**self.metadata, _TOKENS_OUT: _kept(_TOKENS_OUT, count)}


def told_parts(message: ChatMessage) -> tuple[MessagePart, ...]:
    """Return the parts of a message, or its text alone where that was edited since."""
    parts = message.parts
    if readable(parts) != message.content:
        return (MessagePart(kind="text", text=message.content),)
    return parts


_IN_METADATA = frozenset({_PARTS, _TOKENS_IN, _TOKENS_OUT})


def _kept(name: str, value: Any) -> JsonValue:
    """Return a value as the metadata keep it: parts without what is not said."""
    if name != _PARTS:
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        raise InvalidArgumentError(
            f"{name} must be a whole number or None, not {short_repr(value)}."
        )
    if not isinstance(value, list | tuple) or not all(isinstance(p, MessagePart) for p in value):
        raise InvalidArgumentError(
            f"parts must be a list or tuple of MessagePart, not {short_repr(value)}."
        )
    return in_metadata(value)


def in_metadata(parts: Iterable[MessagePart]) -> list[JsonValue]:
    """Return parts as the metadata keep them: without what is not said."""
    return [part.model_dump(exclude_defaults=True) for part in parts]


def kept_parts(metadata: Mapping[str, JsonValue]) -> tuple[MessagePart, ...] | None:
    """Return the parts that metadata keep; None for a message that is its text alone."""
    kept = metadata.get(_PARTS)
    if isinstance(kept, list):
        try:
            return tuple(map(MessagePart.model_validate, kept))
        except ValidationError:  # something of the source's that is called the same
            pass
    return None


def kind_of(parts: Iterable[MessagePart]) -> str:
    """Return what kind of parts there are above all."""
    kinds = [part.kind for part in parts]
    return next((kind for kind in _KINDS if kind in kinds), kinds[0] if kinds else "text")


def kept_count(metadata: Mapping[str, JsonValue], name: str) -> int | None:
    """Return a number that metadata keep, such as ``tokens_in``; None if it can be no count."""
    count = metadata.get(name)
    if not isinstance(count, int) or isinstance(count, bool):
        return None
    return count if abs(count) < _MOST else None


ChatThread.model_rebuild()

# Doctest passes over classes that say they are from elsewhere.
__test__ = {"ChatMessage": ChatMessage, "ChatThread": ChatThread}
