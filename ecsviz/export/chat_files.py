"""Chat threads in the files of others, all branches: as ChatGPT's export, as Open-Assistant's rows.

What a format has no place for stands under one key, `KEY`, which `read_chat` takes back
(`importers/chat/exported.py`) and other programs pass over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from ecsviz.basics.arguments import file_path, listed
from ecsviz.basics.files import returned_or_written
from ecsviz.domain.branches import TOP, Branches
from ecsviz.domain.chat import ChatMessage, ChatThread
from ecsviz.domain.chat_threads import check_threads
from ecsviz.errors import InvalidArgumentError, short_repr

KEY: Final = "ecsviz"
"""Under which name stands what a format has no place for."""
VERSION: Final = 1
"""Of what stands there; in the record of the thread."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FAR: Final = 1e10
"""Seconds that everybody takes for seconds: up to the year 2286."""
_OTHER_ROLES: Final = {"user": "prompter"}


def to_chatgpt(
    threads: ChatThread | Iterable[ChatThread], path: str | Path | None = None
) -> str | Path:
    """Return, or write, chat threads with all branches as ChatGPT exports them.

    Parameters
    ----------
    threads
        One thread, or several, such as what `read_chat` returned. Their messages must be loaded.
    path
        Where to write, such as ``conversations.json``. None returns the text.

    Returns
    -------
    str or Path
        A list of conversations, each a ``mapping`` of nodes with ``parent`` and ``children`` below
        a root without a message, and the ``current_node``.

    Raises
    ------
    UnknownTypeError
        If something is no ChatThread.
    InvalidArgumentError
        If `threads` is no list, something in it cannot be written as JSON, or `path` is no path,
        or that of a SQLite database.
    FileNotWrittenError
        If nothing can be written there.

    Notes
    -----
    O(texts). `read_chat` reads it back without loss: parts, tokens, metadata and what else the
    format has no place for stand under ``"ecsviz"``. Metadata are what JSON makes of them: tuples
    come back as lists, keys as texts, and NaN stands as Python writes it. What is read is a chat of
    its own, whose ``source`` is ``"chatgpt"``; only what came from there keeps its id. Messages
    keep theirs where they are unique. A message that stands before what it answers, or otherwise
    than ``replies`` have it, stands as `replies` say; circles of parents are opened.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> question = thread.say("user", "What is a cycle?")
    >>> first = thread.say("assistant", "A way back.", parent=question)
    >>> second = thread.say("assistant", "A closed path.", parent=question)
    >>> again = ev.read_chat(to_chatgpt(thread).encode())[0]
    >>> [reply.content for reply in again.messages[0].replies]
    ['A way back.', 'A closed path.']
    """
    file = None if path is None else file_path(path)
    taken: set[str] = set()
    found = [_text(thread, _conversation(thread, taken)) for thread in _checked(threads)]
    return returned_or_written("[" + ",\n".join(each[0] for each in found) + "]\n", file)


def to_oasst(
    threads: ChatThread | Iterable[ChatThread], path: str | Path | None = None
) -> str | Path:
    """Return, or write, chat threads with all branches as Open-Assistant's messages (JSONL).

    Parameters
    ----------
    threads
        One thread, or several, such as what `read_chat` returned. Their messages must be loaded.
    path
        Where to write, such as ``messages.jsonl``. None returns the text.

    Returns
    -------
    str or Path
        A line for each message, with ``message_id``, ``parent_id``, ``message_tree_id``, ``text``,
        ``role`` (users are ``"prompter"``), ``created_date`` and ``model_name``.

    Raises
    ------
    UnknownTypeError
        If something is no ChatThread.
    InvalidArgumentError
        If `threads` is no list, something in it cannot be written as JSON, or `path` is no path,
        or that of a SQLite database.
    FileNotWrittenError
        If nothing can be written there.

    Notes
    -----
    O(texts). `read_chat` reads it back without loss, as that of `to_chatgpt`; ``source`` is then
    ``"open-assistant"``. A thread without a message is a line without ``message_id``.

    Examples
    --------
    >>> import ecsviz as ev, json
    >>> thread = ev.ChatThread(title="Cycles")
    >>> question = thread.say("user", "What is a cycle?")
    >>> text = to_oasst(thread)
    >>> json.loads(text)["role"], json.loads(text)["text"]
    ('prompter', 'What is a cycle?')
    >>> ev.read_chat(text.encode())[0].title
    'Cycles'
    """
    file = None if path is None else file_path(path)
    taken: set[str] = set()
    ids: set[str] = set()
    found = [_text(thread, _rows(thread, taken, ids)) for thread in _checked(threads)]
    return returned_or_written("".join(f"{line}\n" for each in found for line in each), file)


def _checked(threads: Any) -> Sequence[ChatThread]:
    if isinstance(threads, ChatThread):
        return [threads]
    hint = "Give a ChatThread or a list of them, such as ev.read_chat(…)."
    return check_threads(listed(threads, "threads", hint))


def _text(thread: ChatThread, values: Iterable[dict[str, Any]]) -> list[str]:
    """Return a line of JSON for each value: in ASCII, which holds any text."""
    try:
        return [json.dumps(value) for value in values]
    except (AttributeError, TypeError, ValueError, RecursionError) as err:
        raise InvalidArgumentError(
            f"The thread {thread.ecs_id}, or one of its messages, cannot be written as JSON:"
            f" {short_repr(str(err), 120)}. Metadata hold what JSON has, and other fields what"
            " their types say.",
            value=thread,
        ) from err


# -- ChatGPT ---------------------------------------------------------------------------------


def _conversation(thread: ChatThread, taken: set[str]) -> Iterator[dict[str, Any]]:
    """Yield the one value of a thread."""
    tree = _Tree(thread, set())
    tree.name("chatgpt", taken)
    root = _free("client-created-root", str(thread.ecs_id), set(tree.ids))
    mapping: dict[str, Any] = {}
    if tree.ids:
        children = [tree.ids[number] for number in tree.branches.answers[TOP]]
        mapping[root] = {"id": root, "message": None, "parent": None, "children": children}
    for number in tree.order:
        ident, parent = tree.ids[number], tree.branches.parents[number]
        mapping[ident] = {
            "id": ident,
            "message": _node(ident, tree, number),
            "parent": root if parent == TOP else tree.ids[parent],
            "children": [tree.ids[answer] for answer in tree.branches.answers[number]],
        }
    times = {
        name: _seconds(getattr(thread, name), name, tree.record)
        for name in ("created_at", "updated_at")
    }
    path = tree.branches.path()
    yield {
        "title": thread.title,
        "create_time": times["created_at"],
        "update_time": times["updated_at"],
        "mapping": mapping,
        "current_node": tree.ids[path[-1]] if path else None,
        "conversation_id": tree.id,
        "id": tree.id,
        KEY: tree.record,
    }


def _node(ident: str, tree: _Tree, number: int) -> dict[str, Any]:
    message, record = tree.branches.messages[number], tree.record_of(number)
    metadata: dict[str, Any] = {}
    if message.model is not None:
        metadata["model_slug"] = message.model
    if message.hidden:
        metadata["is_visually_hidden_from_conversation"] = True
    if not message.role:
        record["role"] = message.role
    seconds = _seconds(message.created_at, "created_at", record)
    if record:
        metadata[KEY] = record
    return {
        "id": ident,
        "author": {"role": message.role or "unknown", "name": message.author, "metadata": {}},
        "create_time": seconds,
        "update_time": None,
        "content": {"content_type": "text", "parts": [message.content]},
        "status": "finished_successfully",
        "end_turn": None,
        "weight": 1.0,
        "metadata": metadata,
        "recipient": "all",
    }


def _seconds(when: datetime | None, name: str, record: dict[str, Any]) -> float | None:
    """Return a time as seconds since 1970; where they would not be it, the record has it, too."""
    if when is None:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)  # set by hand, past the field
    seconds = (when - _EPOCH).total_seconds()
    if abs(seconds) > _FAR or _EPOCH + timedelta(seconds=seconds) != when:
        record[name] = when.isoformat()
    return seconds


# -- Open-Assistant --------------------------------------------------------------------------


def _rows(thread: ChatThread, taken: set[str], ids: set[str]) -> Iterator[dict[str, Any]]:
    tree = _Tree(thread, ids)  # the ids of one file are one room
    tree.name("open-assistant", taken)
    head = {
        "thread": {
            **tree.record,
            "title": thread.title,
            "created_at": _iso(thread.created_at),
            "updated_at": _iso(thread.updated_at),
        }
    }
    if not tree.order:
        yield {"message_tree_id": tree.id, KEY: head}
    for number in tree.order:
        message, record = tree.branches.messages[number], tree.record_of(number)
        parent = tree.branches.parents[number]
        if not message.role or message.role in _OTHER_ROLES.values():
            record["role"] = message.role
        if message.author is not None:
            record["author"] = message.author
        if message.hidden:
            record["hidden"] = True
        row = {
            "message_id": tree.ids[number],
            "parent_id": None if parent == TOP else tree.ids[parent],
            "message_tree_id": tree.id,
            "created_date": _iso(message.created_at),
            "text": message.content,
            "role": _OTHER_ROLES.get(message.role, message.role) or "unknown",
            "model_name": message.model,
        }
        record |= head
        head = {}
        yield {**row, KEY: record} if record else row


def _iso(when: datetime | None) -> str | None:
    return None if when is None else when.isoformat()


# -- Both ------------------------------------------------------------------------------------


class _Tree:
    """A thread as a tree: its ids, its order, and what no format has a place for.

    Attributes
    ----------
    id
        What the thread goes by.
    order
        The numbers of its messages, each before its answers.
    ids
        By number, what messages go by: their ids in the source where they are free.
    record
        Of the thread.
    """

    def __init__(self, thread: ChatThread, taken: set[str]) -> None:
        self.thread, self.id = thread, ""
        self.branches = branches = Branches(thread)
        messages = branches.messages
        self.ids = [_free(message.source_id, str(message.ecs_id), taken) for message in messages]
        self.order: list[int] = []
        todo = branches.answers[TOP][::-1]
        while todo:
            number = todo.pop()
            self.order.append(number)
            todo.extend(reversed(branches.answers[number]))
        self.record: dict[str, Any] = {"version": VERSION}
        if thread.metadata:
            self.record["metadata"] = thread.metadata
        if len(messages) > 1 and all(message.parent is None for message in messages):
            # Though each answers the one before, for others; who adds a message may mean it.
            self.record |= {"linked": False, "messages": len(messages)}
        place = {number: at for at, number in enumerate(self.order)}
        listed = [place[number] for number in range(len(messages))]
        if listed != sorted(listed) and self._is_told_in_order():
            self.record["order"] = listed

    def _is_told_in_order(self) -> bool:
        parents, answers = self.branches.parents, self.branches.answers
        return all(parent < number for number, parent in enumerate(parents)) and all(
            found == sorted(found) for found in answers.values()
        )

    def name(self, source: str, taken: set[str]) -> None:
        """Say what the thread goes by: its own id only where that is one of the same format."""
        thread = self.thread
        own = thread.source_id if thread.source == source else None
        self.id = _free(own, str(thread.ecs_id), taken)
        if (thread.source, thread.source_id) != (source, self.id):
            for name in ("source", "source_id"):
                if (value := getattr(thread, name)) is not None:
                    self.record[name] = value

    def record_of(self, number: int) -> dict[str, Any]:
        """Return what no format has a place for of a message."""
        message: ChatMessage = self.branches.messages[number]
        record: dict[str, Any] = {}
        if message.metadata:
            record["metadata"] = message.metadata
        if message.source_id is not None and message.source_id != self.ids[number]:
            record["source_id"] = message.source_id
        return record


def _free(wanted: str | None, otherwise: str, taken: set[str]) -> str:
    ident = wanted if wanted and wanted not in taken else otherwise
    number = 1
    while ident in taken:
        number += 1
        ident = f"{otherwise}-{number}"
    taken.add(ident)
    return ident
