"""Chat threads as pages to keep and to send: bubbles, branches to unfold, nothing that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ecsviz.basics import html
from ecsviz.basics.arguments import file_path
from ecsviz.basics.files import returned_or_written
from ecsviz.basics.html import Child, Element, element
from ecsviz.basics.text import plain
from ecsviz.domain.chat import ChatMessage, ChatThread, told_parts, whole_text
from ecsviz.export.chat_text import (
    ALL,
    NO_TITLE,
    checked_thread,
    facts_of,
    heading_of,
    name_of,
    sections,
    where_of,
)


def thread_page(
    thread: ChatThread, path: str | Path | None = None, *, branch: Any = None
) -> str | Path:
    """Return, or write, a chat thread as a page that runs and loads nothing.

    Parameters
    ----------
    thread
        Its messages must be loaded.
    path
        Where to write. None returns the text.
    branch
        Which branch stands open: its number from 1, or a message that is on it; None for the
        branch that was last active. All others are folded below it, from where they leave it.

    Returns
    -------
    str or Path
        An HTML document, light or dark as the browser is. Its content security policy forbids
        scripts and requests; all texts are whole, and are shown as they were written, not as
        Markdown. Thoughts, calls of tools and their results are folded.

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
    O(texts); every message stands in it once.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> question = thread.say("user", "What is <b>?")
    >>> page = thread_page(thread)
    >>> "What is &lt;b&gt;?" in page, "<script" in page
    (True, False)
    """
    file = None if path is None else file_path(path)
    thread = checked_thread(thread)
    if isinstance(branch, str) and branch == ALL:
        branch = None  # they all are in it
    found = sections(thread, branch, others=True)
    title = plain(thread.title, 200) or NO_TITLE
    children: list[Child] = [
        element("h4", title, dir="auto"),
        element("p", facts_of(thread, found), look="note"),
    ]
    for number, section in enumerate(found):
        bubbles = [_bubble(place, message) for place, message in section.shown]
        if number:
            said = element("summary", where_of(section), look="muted")
            children.append(element("details", said, *bubbles))
        else:
            children += bubbles
    return returned_or_written(html.page(title, *children, dark=True), file)


def _bubble(place: int, message: ChatMessage) -> Element:
    said: list[Child] = [element("p", f"{place:,}. {heading_of(message)}", look="note")]
    for part in told_parts(message):
        text = whole_text(part)
        if part.kind in ("text", "refusal"):
            said.append(html.whole_text(text, "line"))
        elif text:
            named = element("summary", name_of(part), look="muted", dir="auto")
            said.append(element("details", named, html.whole_text(text, "lines")))
        else:
            said.append(element("p", name_of(part), look="muted", dir="auto"))
    return element("div", *said, look="bubble-own" if message.role == "user" else "bubble")
