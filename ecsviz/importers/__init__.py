"""Chats that others exported → ChatThread and ChatMessage: one file per format.

A new format is a class with the three names and two methods of `ChatFormat` (see
`ecsviz.importers.base`), in a file of its own, and a place in `FORMATS`.
"""

from __future__ import annotations

import gc
import os
import warnings
from typing import Any

from ecsviz.errors import ImportFormatError, did_you_mean
from ecsviz.importers.base import Builder, ChatFormat, ChatImport, ChatImportWarning
from ecsviz.importers.chatgpt import ChatGPT
from ecsviz.importers.open_assistant import OpenAssistant
from ecsviz.importers.source import (
    MAX_BYTES,
    ChatProblem,
    ImportSourceError,
    Source,
    open_source,
)

__all__ = [
    "FORMATS",
    "ChatFormat",
    "ChatImport",
    "ChatImportWarning",
    "ChatProblem",
    "ImportSourceError",
    "read_chat",
]

FORMATS: tuple[ChatFormat, ...] = (OpenAssistant(), ChatGPT())
"""The formats that are tried, in this order."""

_SMALL = 5_000_000
"""Characters that are read in well under a second: no progress bar is made for them, and none
of the threads that tqdm starts."""


def read_chat(
    source: str | os.PathLike[str] | bytes,
    format: str | None = None,  # noqa: A002 - the word that users look for
    *,
    progress: bool | None = None,
    max_bytes: int = MAX_BYTES,
) -> ChatImport:
    """Read the chat threads of a file, with all their branches.

    Parameters
    ----------
    source
        The path of a file, or its content. A zip is read as it is.
    format
        ``"open-assistant"`` or ``"chatgpt"``; None recognises it by the content.
    progress
        Whether to show a progress bar; None shows it if reading takes longer than a second.
    max_bytes
        How many bytes may be read, after decompression; 1 GiB by default, so that a small zip
        cannot fill the memory.

    Returns
    -------
    ChatImport
        A list of `ChatThread`, in the order of the file. Its ``problems`` are a list of
        `ChatProblem`: ``thread``, ``node``, ``what``, ``why``.

    Raises
    ------
    ImportSourceError
        If the file cannot be opened.
    ImportFormatError
        If it is no chat that is known here, is truncated, or holds a value that does not fit;
        ``line`` and ``column`` where they are known.
    ImportLimitError
        If it is larger, or nests deeper, than allowed.

    Warns
    -----
    ChatImportWarning
        Once, if something could not be placed as the source has it; ``problems`` lists it all.

    Notes
    -----
    The same chat read twice has the same ``ecs_id``s: UUIDv5 of format, thread id and message
    id. O(size of the file), in time and in memory.

    Examples
    --------
    >>> import ecsviz as ev
    >>> data = b'''{"message_tree_id": "t", "prompt": {
    ...     "message_id": "a", "role": "prompter", "text": "Hi",
    ...     "replies": [{"message_id": "b", "role": "assistant", "text": "Hello"}]}}'''
    >>> threads = ev.read_chat(data)
    >>> threads
    <ChatImport of 1 thread, 2 messages, 0 problems>
    >>> [(message.role, message.content) for message in threads[0].messages]
    [('user', 'Hi'), ('assistant', 'Hello')]
    >>> threads[0].ecs_id == ev.read_chat(data)[0].ecs_id
    True
    """
    content, chosen = _open(source, format, max_bytes)
    builder = Builder(chosen.name, content.name)
    found = ChatImport()
    bar = _bar(content, progress)
    # Nothing here becomes garbage, but with every object that is made the collector looks at
    # the older ones again: half of the time on 50,000 messages.
    collecting = gc.isenabled()
    gc.disable()
    try:
        for draft in chosen.read(content):
            found.append(builder.build(draft))
            if bar is not None:
                bar.update()
    finally:
        if collecting:
            gc.enable()
        if bar is not None:
            bar.close()
    found.problems = content.problems + builder.problems
    if found.problems:
        warnings.warn(_told(content.name, found.problems), ChatImportWarning, stacklevel=2)
    return found


def _open(source: Any, wanted: str | None, max_bytes: int) -> tuple[Source, ChatFormat]:
    asked = FORMATS if wanted is None else (_named(wanted),)
    members = [member for known in asked for member in known.members]
    try:
        content = open_source(source, members, max_bytes)
        empty = not content.first
    except ImportFormatError as err:
        if not err.facts.get("foreign"):
            raise
        raise ImportFormatError(f"{err.message} {_known()}", **err.facts) from None
    for known in asked:
        if wanted is not None or known.recognises(content):
            return content, known
    raise ImportFormatError(
        f"{content.name} is JSON, but {'empty' if empty else 'no chat that is known here'}."
        f" {_known()}",
        source=content.name,
        formats=[known.name for known in FORMATS],
        line=1,
        column=1,
    )


def _known() -> str:
    return "Known formats: " + "; ".join(f"{each.name!r}, {each.title}" for each in FORMATS) + "."


def _named(name: str) -> ChatFormat:
    for known in FORMATS:
        if known.name == name:
            return known
    names = [known.name for known in FORMATS]
    raise ImportFormatError(
        f"No chat format {name!r}." + did_you_mean(str(name), names) + " Or leave format= out.",
        format=name,
        formats=names,
    )


def _bar(source: Source, progress: bool | None) -> Any:
    if progress is False or (progress is None and source.size < _SMALL):
        return None
    from tqdm.auto import tqdm  # in a notebook, it loads ipywidgets

    return tqdm(total=source.total, unit=" chats", delay=0 if progress else 1, leave=bool(progress))


def _told(name: str, problems: list[ChatProblem]) -> str:
    shown = "\n".join(f"  {problem}" for problem in problems[:5])
    more = f"\n  … and {len(problems) - 5:,} more" if len(problems) > 5 else ""
    count = f"{len(problems):,} thing" + ("" if len(problems) == 1 else "s")
    return (
        f"{name}: {count} could not be placed as the file has it; no message was left out."
        f" The result's .problems lists all:\n{shown}{more}"
    )
