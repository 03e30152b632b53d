'''Chats that others exported → ChatThread and ChatMessage: one file per format.

A new format is a class with the two names and two methods of `ChatFormat`. This one reads a
little text format of its own; ``format=`` takes it as it is:

>>> import ecsviz as ev
>>> from ecsviz.importers import DraftMessage, DraftThread
>>> class Minutes:
...     """Reads minutes: the line ``# title``, then lines ``name: what was said``."""
...
...     name = "minutes"
...     title = "Minutes of a meeting (.txt)"
...
...     def recognises(self, source):
...         return source.head.startswith("# ") and ": " in source.head
...
...     def read(self, source):
...         first, *lines = source.text.splitlines()
...         draft = DraftThread(id=first, title=first.removeprefix("# "))
...         for number, line in enumerate(lines, 1):
...             name, colon, text = line.partition(": ")
...             if colon:
...                 draft.follow(DraftMessage(role="user", author=name, content=text))
...             else:
...                 draft.tell(f"line {number}", "a line", "has no name; left out")
...         yield draft
>>> threads = ev.read_chat(
...     b"""# Monday
... Ann: Shall we begin?
... Ben: Please.""",
...     format=Minutes(),
... )
>>> [(message.author, message.content) for message in threads[0].messages]
[('Ann', 'Shall we begin?'), ('Ben', 'Please.')]

To have it found by everybody, a package offers the class as an entry point, under its name:

.. code-block:: toml

    [project.entry-points."ecsviz.chat_formats"]
    minutes = "my_package:Minutes"

`read_chat` loads it where it is named, or where no format of ecsviz recognises a file. `Source`
offers JSON values with their places in the file, and the tables of SQLite files opened safely;
``Place.take`` checks types; ``grow`` makes a tree from parents' ids.

Importers stand above storage, frames and pictures, and may import them; nobody below imports an
importer. Begin reading at ``chat/reading.py``; ``database/`` reads whole databases, ``samples.py``
has small graphs of our own.
'''

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from datetime import UTC, tzinfo
from typing import Any

from ecsviz.basics.arguments import flag, time_zone
from ecsviz.basics.garbage import collector_paused
from ecsviz.errors import InvalidArgumentError
from ecsviz.importers.chat.arrived import ChatImportWarning
from ecsviz.importers.chat.building import ChatImport
from ecsviz.importers.chat.drafts import ChatFormat, Claim, Claiming, DraftMessage, DraftThread
from ecsviz.importers.chat.opening import opened
from ecsviz.importers.chat.reading import ChatReader
from ecsviz.importers.chat.registry import FORMATS, format_names
from ecsviz.importers.chat.source import ChatProblem, Place, Source
from ecsviz.importers.chat.stream import ChatStream
from ecsviz.importers.chat.trees import Node, grow
from ecsviz.importers.files import MAX_BYTES, MAX_VALUE, ImportSourceError, Limits

__all__ = [
    "FORMATS",
    "ChatFormat",
    "ChatImport",
    "ChatImportWarning",
    "ChatProblem",
    "ChatStream",
    "Claim",
    "Claiming",
    "DraftMessage",
    "DraftThread",
    "ImportSourceError",
    "Node",
    "Place",
    "Source",
    "format_names",
    "grow",
    "iterate_chats",
    "read_chat",
]

_Readable = str | os.PathLike[str] | bytes


def read_chat(  # noqa: PLR0913 - seven of them are limits
    source: _Readable | Sequence[_Readable],
    format: str | ChatFormat | type[ChatFormat] | None = None,  # noqa: A002 - the word that users look for
    *,
    timezone: str | tzinfo = UTC,
    progress: bool | None = None,
    max_bytes: int = MAX_BYTES,
    max_members: int = 100_000,
    max_ratio: int = 200,
    max_depth: int = 10_000,
    max_digits: int = 4_300,
    max_value: int = MAX_VALUE,
    timeout: float = 60.0,
    strict: bool = False,
    skip: Iterable[str | os.PathLike[str]] = (),
) -> ChatImport:
    """Read the chat threads of a file, with all their branches.

    Parameters
    ----------
    source
        The path of a file (packed with gzip, too; a data set's rows in Parquet need pyarrow), of a
        zip or of a folder; or a file's content; or a list of these. A zip or folder gives the chats
        of all files in it (an export that comes in several), but for folders of programs: virtual
        environments, ``node_modules``, ``.git``.
    format
        A name: ``"ai-sdk"``, ``"ai-studio"``, ``"aider"``, ``"chatbot-ui"``, ``"chatgpt"``,
        ``"claude"``, ``"claude-code"``, ``"cline"``, ``"codex"``, ``"copilot"``, ``"csv"``,
        ``"cursor"``, ``"deepseek"``, ``"discord"``, ``"gemini-api"``, ``"gemini-cli"``,
        ``"gemini-takeout"``, ``"grok"``, ``"huggingchat"``, ``"imessage"``, ``"jan"``,
        ``"langchain"``, ``"langgraph"``, ``"librechat"``, ``"llm"``, ``"lm-studio"``,
        ``"lobechat"``, ``"matrix"``, ``"mattermost"``, ``"messenger"``, ``"nextchat"``,
        ``"open-assistant"``, ``"open-webui"``, ``"openai-agents"``, ``"openai-messages"``,
        ``"perplexity"``, ``"pydantic-ai"``, ``"sharegpt"``, ``"sillytavern"``, ``"slack"``,
        ``"teams"``, ``"telegram"``, ``"telethon"``, ``"vscode-chat"``, ``"whatsapp"``; one that
        another package offers; or a `ChatFormat` of your own. None recognises it by the content:
        the report says by what.
    timezone
        What zone wall clocks show, such as ``"Europe/Berlin"``: those of WhatsApp, and of old
        exports of Telegram, name none, and are read as UTC by default. Other formats tell their
        zone, or write UTC. Of a time that comes twice as clocks go back, the first is meant.
    progress
        Whether to show a progress bar; None shows it if reading takes longer than a second.
    max_bytes
        How many bytes may be read of all files, after decompression; 1 GiB by default, so that a
        small zip cannot fill the memory.
    max_members
        How many files a zip or folder may hold.
    max_ratio
        How many times its size a zip may unpack to; chats reach 10 to 20.
    max_depth
        How deep lists and objects may nest; an answer inside its question takes two levels.
    max_digits
        How many digits an integer may have; Python's own default, for converting is quadratic.
    max_value
        How many bytes a value, or a row, of a database may have; 50 MB by default.
    timeout
        How many seconds a database may take to answer.
    strict
        Whether a record that cannot be read refuses everything. By default what is readable is
        read, and the rest is in ``problems`` with file, place and reason.
    skip
        The paths of files that are left out; but not of a folder that is one export as a whole.

    Returns
    -------
    ChatImport
        A list of `ChatThread`, in the order of the file. Its ``problems`` are a list of
        `ChatProblem`: ``thread``, ``node``, ``what``, ``why``; its ``report()`` is a DataFrame
        that counts what was read, kept as metadata, not placed and not read.

    Raises
    ------
    ImportSourceError
        If the file cannot be opened.
    ImportFormatError
        If it is no chat that is known here, or nothing of it can be read; with ``strict=True``
        also if it is truncated or holds a value that does not fit. ``line`` and ``column`` where
        they are known.
    ImportLimitError, ImportTimeoutError
        If it exceeds a limit; ``argument`` is the name of the limit.

    Warns
    -----
    ChatImportWarning
        Once, if something could not be placed as the source has it; ``problems`` lists it all.

    Notes
    -----
    The same chat read twice has the same ids (``ecs_id``): UUIDv5 of format, thread id and message
    id; of how the chat begins as well, or the account, where others may have the id; and of what
    does not change as a chat goes on where the source has none. So registering a longer export
    updates what is stored, and an older one turns nothing back, see `ChatImport.fit_into`. O(size
    of the file), in time and in memory. A database is read from a private copy, see
    `ecsviz.importers.sqlite_file`.

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
    limits = _limits(max_bytes, max_members, max_ratio, max_depth, max_digits, max_value, timeout)
    zone, strict = time_zone(timezone, "timezone"), flag(strict, "strict")
    reader = ChatReader(format, progress, zone, strict=strict, skip=skip)
    with opened(source, limits, strict=strict) as sources, collector_paused():
        for _ in reader.read(sources):
            pass
        name = _name(sources)
    if told := reader.warning(name):
        warnings.warn(told, ChatImportWarning, stacklevel=2)
    return reader.found


def iterate_chats(  # noqa: PLR0913 - seven of them are limits
    source: _Readable | Sequence[_Readable],
    format: str | ChatFormat | type[ChatFormat] | None = None,  # noqa: A002 - as in read_chat
    *,
    timezone: str | tzinfo = UTC,
    progress: bool | None = None,
    max_bytes: int = MAX_BYTES,
    max_members: int = 100_000,
    max_ratio: int = 200,
    max_depth: int = 10_000,
    max_digits: int = 4_300,
    max_value: int = MAX_VALUE,
    timeout: float = 60.0,
    strict: bool = False,
    skip: Iterable[str | os.PathLike[str]] = (),
) -> ChatStream:
    r"""Read the chat threads of a file one after the other, so that large ones take little memory.

    Parameters
    ----------
    source, format, timezone, max_bytes, max_members, max_ratio, max_depth, max_digits, max_value
        As of `read_chat`.
    timeout, strict, skip
        As of `read_chat`; with ``strict=True``, the error comes where it stands in the file.
    progress
        Whether to show a bar: how much of each file is read. None shows it if that takes longer
        than a second.

    Returns
    -------
    ChatStream
        An iterator of `ChatThread`. Its ``problems`` and its ``report()`` are complete at its end.
        ``store.register(stream)`` stores all of it in one transaction as one revision, a few
        thousand messages at a time, each thread fitted to what is stored as `register` does for
        the result of `read_chat`; what is stored is forgotten. ``close()``, or a ``with``
        statement, closes the files before the end.

    Raises
    ------
    ImportSourceError
        If a file cannot be opened.
    ImportFormatError, ImportLimitError, ImportTimeoutError
        As of `read_chat`, while it is iterated.

    Warns
    -----
    ChatImportWarning
        At the end, if something could not be placed as the source has it.

    Notes
    -----
    Of a JSON file, one record is decoded at a time: a list of conversations, or one a line. A file
    that is one object (a chat of Telegram), a text and a thread that goes on to the end of its file
    are read whole. A chat that several files have comes from each; stored, it is one. Time as of
    `read_chat`; memory O(longest thread), and some hundred bytes a thread.

    Examples
    --------
    >>> import ecsviz as ev
    >>> said = '{"messages": [{"role": "user", "content": "%s"}]}'
    >>> data = "\n".join(said % text for text in ("Hi", "Bye", "Hi")).encode()
    >>> for thread in ev.iterate_chats(data):
    ...     print(thread.title)
    Hi
    Bye
    Hi
    >>> store = ev.InMemoryEntityStorage()
    >>> store.register(ev.iterate_chats(data)).stored
    StoredChats(threads=3, entities=6, added=6, changed=0)
    """
    limits = _limits(max_bytes, max_members, max_ratio, max_depth, max_digits, max_value, timeout)
    zone, strict = time_zone(timezone, "timezone"), flag(strict, "strict")
    reader = ChatReader(format, progress, zone, strict=strict, skip=skip)
    with ExitStack() as files:
        sources = files.enter_context(opened(source, limits, strict=strict))
        return ChatStream(reader, sources, _name(sources), files.pop_all())


def _name(sources: list[Source]) -> str:
    return sources[0].name or "this folder" if len(sources) == 1 else f"{len(sources):,} files"


def _limits(*given: Any) -> Limits:
    limits = Limits(**dict(zip(Limits.__slots__, given, strict=True)))
    for name in Limits.__slots__:
        value = getattr(limits, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise InvalidArgumentError(
                f"{name} must be a number above 0, not {value!r}. Leave it out for the default,"
                f" {getattr(Limits(), name):,}.",
                argument=name,
                value=value,
            )
    return limits
