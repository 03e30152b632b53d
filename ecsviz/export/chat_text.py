"""Chat threads to read: branches chosen, parts named; as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ecsviz.basics.arguments import file_path, natural_number
from ecsviz.basics.files import returned_or_written
from ecsviz.basics.text import counted, plain, plain_lines
from ecsviz.domain.branches import TOP, Branches
from ecsviz.domain.chat import ChatMessage, ChatThread, MessagePart, told_parts, whole_text
from ecsviz.errors import InvalidArgumentError, UnknownTypeError, short_repr

ALL: Final = "all"
"""What ``branch=`` says for all of them."""
NO_TITLE: Final = "A chat without a title"

_MARKS: Final = re.compile(r"([\\`*_\[\]<>&~$|#!])")
"""What Markdown, or what is made of it, may take for markup inside a line."""
_TICKS: Final = re.compile("`+")
_LANGUAGE: Final = re.compile(r"(?:text/|application/)?(?:x-)?([A-Za-z0-9+#._-]{1,30})")


@dataclass(frozen=True, slots=True)
class Section:
    """A branch, from where it leaves those before it.

    Attributes
    ----------
    number, total
        Which branch, from 1, of how many.
    after
        The number of the message that it goes on from, from 1; 0 for the beginning.
    shown
        Its messages with their numbers in the thread, from 1.
    """

    number: int
    total: int
    after: int
    shown: list[tuple[int, ChatMessage]]


def checked_thread(thread: Any) -> ChatThread:
    """Return what was given, if it is a chat.

    Raises
    ------
    UnknownTypeError
        If it is none.
    """
    if isinstance(thread, ChatThread):
        return thread
    raise UnknownTypeError(
        f"{short_repr(thread)} is not a ChatThread. Give one, such as ev.read_chat(…)[0].",
        value=thread,
    )


def sections(thread: ChatThread, branch: Any = None, *, others: bool = False) -> list[Section]:
    """Return what is shown of a thread: one branch, or all, each message once.

    Parameters
    ----------
    thread
        Its messages must be loaded.
    branch
        A number from 1, in the order in which the branches end; a message, for the branch that it
        is on; ``"all"``; or None for the branch that was last active: where the source was left,
        else where the last answers are.
    others
        Whether all other branches follow, as with ``"all"``.

    Raises
    ------
    InvalidArgumentError
        If there is no such branch.

    Notes
    -----
    O(messages): of all branches but the first only what they do not share is told.
    """
    branches = Branches(thread)
    first = _path(branches, branch)
    ends = {leaf: number for number, leaf in enumerate(branches.leaves, 1)}
    if not first:
        return [Section(0, 0, 0, [])]
    every = others or branch == ALL
    told: set[int] = set()
    found: list[Section] = []
    for leaf in [first[-1], *(branches.leaves if every else ())]:
        way: list[int] = []
        at = leaf
        while at != TOP and at not in told:
            way.append(at)
            at = branches.parents[at]
        if way:
            told.update(way)
            shown = [(number + 1, branches.messages[number]) for number in reversed(way)]
            found.append(Section(ends[leaf], len(ends), at + 1, shown))
    return found


def _path(branches: Branches, branch: Any) -> list[int]:
    if branch is None or (isinstance(branch, str) and branch == ALL):
        return branches.path()
    if isinstance(branch, ChatMessage):
        number = branches.number.get(branch.ecs_id)
        if number is not None:
            return branches.path_past(number)
        raise InvalidArgumentError(
            "This message is not in the thread. Give one of thread.messages.", value=branch
        )
    number, total = natural_number(branch), len(branches.leaves)
    if number is None or isinstance(branch, bool) or not 1 <= number <= total:
        there = f"a number from 1 to {total:,}" if total else "None, since there is no message"
        raise InvalidArgumentError(
            f"branch is {short_repr(branch)}. Give {there}, a message, 'all', or None for the"
            " branch that was last active.",
            value=branch,
        )
    return branches.path_to(branches.leaves[number - 1])


def heading_of(message: ChatMessage) -> str:
    """Return who says a message, by what, and when, as one line.

    Examples
    --------
    >>> import ecsviz as ev
    >>> message = ev.ChatThread().say("assistant", "Hi")
    >>> message.model = "m-1"
    >>> heading_of(message)
    'assistant (m-1)'
    """
    said = plain(message.role, 40)
    if message.author:
        said += f" {plain(message.author, 60)}"
    if message.model:
        said += f" ({plain(message.model, 60)})"
    if message.created_at is not None:
        said += f", {message.created_at:%Y-%m-%d %H:%M} UTC"
    return f"{said}, hidden" if message.hidden else said


def facts_of(thread: ChatThread, found: list[Section]) -> str:
    """Return what a thread is, and what of it is shown, as one line."""
    shown = sum(len(section.shown) for section in found)
    total = len({message.ecs_id for message in thread.messages})
    facts = [plain(thread.source, 40)] if thread.source else []
    facts.append(
        counted(total, "message") if shown == total else f"{shown:,} of {total:,} messages"
    )
    if found[0].total > 1:
        every = len(found) == found[0].total
        facts.append(f"{found[0].total:,} branches" if every else where_of(found[0]))
    if thread.created_at is not None:
        facts.append(f"begun {thread.created_at:%Y-%m-%d %H:%M} UTC")
    return ", ".join(facts)


def where_of(section: Section) -> str:
    """Return which branch a section is, and from where it goes on."""
    said = f"branch {section.number:,} of {section.total:,}"
    return f"{said}, after message {section.after:,}" if section.after else said


def name_of(part: MessagePart) -> str:
    """Return what a part is, with its name, as one line."""
    kind = plain(part.kind.replace("_", " "), 40)
    named = part.tool if part.kind.startswith("tool") else part.name
    url = part.url if part.url and not part.url.startswith("data:") else None
    told = ", ".join(plain(each, 200) for each in (named, url) if each)
    return f"{kind}: {told}" if told else kind


# -- Markdown --------------------------------------------------------------------------------


def to_markdown(
    thread: ChatThread, path: str | Path | None = None, *, branch: Any = None
) -> str | Path:
    r"""Return, or write, a chat thread as Markdown.

    Parameters
    ----------
    thread
        Its messages must be loaded.
    path
        Where to write. None returns the text.
    branch
        Which branch: its number from 1, in the order in which they end; a message, for the branch
        that it is on; ``"all"`` for all, each under a heading of its own; or None for the branch
        that was last active.

    Returns
    -------
    str or Path
        A heading for the title and one a message, with its role, author, model and time. What was
        said stands in block quotes, as the Markdown that it is: whatever it opens ends with it, and
        nothing in it can pass for another message. Calls of tools, results, thoughts and code are
        fenced blocks, whose fences are longer than any in them.

    Raises
    ------
    UnknownTypeError
        If it is no ChatThread.
    InvalidArgumentError
        If there is no such branch, or `path` is none.
    FileNotWrittenError
        If nothing can be written there.

    Notes
    -----
    O(texts). Of ``"all"``, each branch is told from where it leaves the others. A text may hold
    HTML and pictures from elsewhere, as people and models wrote them; show it with what leaves them
    out, as notebooks and code hosts do, or take ``thread.to_html()``. Control characters are left
    out.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> question = thread.say("user", "What is a *cycle*?")
    >>> call = ev.MessagePart(kind="tool_call", tool="search", data={"for": "cycle"})
    >>> answer = thread.say("assistant", [call], parent=question)
    >>> print(to_markdown(thread))
    # Cycles
    <BLANKLINE>
    2 messages
    <BLANKLINE>
    ## user
    <BLANKLINE>
    > What is a *cycle*?
    <BLANKLINE>
    ## assistant
    <BLANKLINE>
    > **tool call: search**
    >
    > ```json
    > {
    >   "for": "cycle"
    > }
    > ```
    <BLANKLINE>
    """
    file = None if path is None else file_path(path)
    return returned_or_written("\n".join(_lines(checked_thread(thread), branch)), file)


def _lines(thread: ChatThread, branch: Any) -> Iterator[str]:
    found = sections(thread, branch)
    yield f"# {_escaped(plain(thread.title, 200) or NO_TITLE)}\n"
    yield f"{_escaped(facts_of(thread, found))}\n"
    for section in found:
        if len(found) > 1:
            yield f"---\n\n## {where_of(section).capitalize()}\n"
        level = "###" if len(found) > 1 else "##"
        for place, message in section.shown:
            count = f"{place:,}. " if len(found) > 1 else ""
            yield f"{level} {count}{_escaped(heading_of(message))}\n"
            for part in told_parts(message):
                # A quote each: what one opens and does not close ends with it.
                lines = [f"> {line}".rstrip() for line in _quoted(part)]
                yield "\n".join([*lines, ""])


def _quoted(part: MessagePart) -> Iterator[str]:
    if part.kind in ("text", "refusal"):
        yield from plain_lines(part.text)
        return
    yield f"**{_escaped(name_of(part))}**"
    if text := whole_text(part):
        lines = plain_lines(text)
        longest = max((len(run) for line in lines for run in _TICKS.findall(line)), default=0)
        fence = "`" * max(3, longest + 1)
        yield from ("", f"{fence}{_language(part)}", *lines, fence)


def _language(part: MessagePart) -> str:
    if part.kind == "code":
        named = _LANGUAGE.fullmatch(part.mime or "")
        return named[1] if named else ""
    return "json" if not part.text and not isinstance(part.data, str) else ""


def _escaped(text: str) -> str:
    return _MARKS.sub(r"\\\1", text)
