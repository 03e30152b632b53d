"""What the chat formats share: drafts of threads, the order of a tree, and making the entities.

A format yields a `DraftThread` for every chat that it finds. Ids, duplicates, times, warnings and
limits are dealt with here, once for all of them.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID, uuid5

from pydantic import ValidationError

from ecsviz.chat import ChatMessage, ChatThread
from ecsviz.errors import EcsvizError, ImportFormatError, ImportLimitError, short_repr
from ecsviz.importers.source import ChatProblem, Source

NAMESPACE = UUID("adb8d415-7a0b-4781-b21c-e26695111a29")
"""The UUIDv5 namespace of imported chats. Never change it: stored chats would not be found."""

TITLE_LENGTH = 60

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Tell = Callable[[str | None, str, str], None]
"""Called with a node's id, what could not be placed, and why."""


class ChatImportWarning(UserWarning):
    """Something of a chat could not be placed as its source has it."""


class ChatImport(list[ChatThread]):
    """The threads of one file, in its order.

    Attributes
    ----------
    problems
        What could not be placed as the source has it: a list of `ChatProblem`.
    """

    def __init__(
        self, threads: Iterable[ChatThread] = (), problems: Iterable[ChatProblem] = ()
    ) -> None:
        super().__init__(threads)
        self.problems: list[ChatProblem] = list(problems)

    def __repr__(self) -> str:
        count = sum(len(thread.messages) for thread in self)
        return (
            f"<ChatImport of {_many(len(self), 'thread')}, {_many(count, 'message')},"
            f" {_many(len(self.problems), 'problem')}>"
        )

    def _repr_html_(self) -> str:
        from ecsviz import reprs

        return reprs.import_html(self)


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}" + ("" if count == 1 else "s")


class ChatFormat(Protocol):
    """What a format must offer.

    Attributes
    ----------
    name
        What ``format=`` takes, and the threads' ``source``.
    title
        What it is called in a sentence.
    members
        The names, without folders, of the file that holds the chats inside a zip.
    """

    name: str
    title: str
    members: tuple[str, ...]

    def recognises(self, source: Source) -> bool:
        """Tell by ``source.first`` whether the file is of this format."""

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield the threads; raise what ``Place.wrong`` returns where the file is not right."""


@dataclass(slots=True, kw_only=True)
class DraftMessage:
    """A message as a format found it; see `ChatMessage` for the attributes.

    Attributes
    ----------
    id
        The message's ``source_id``.
    parent
        The position, in the thread's messages, of what it answers: before its own.
    """

    role: str
    content: str = ""
    id: str | None = None
    parent: int | None = None
    author: str | None = None
    model: str | None = None
    created_at: datetime | None = None
    hidden: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class DraftThread:
    """A thread as a format found it; see `ChatThread` for the attributes."""

    title: str = ""
    id: str | None = None
    messages: list[DraftMessage] = field(default_factory=list)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    problems: list[tuple[str | None, str, str]] = field(default_factory=list)

    def tell(self, node: str | None, what: str, why: str) -> None:
        """Record what could not be placed as the source has it."""
        self.problems.append((node, what, why))

    def time(
        self, node: str | None, holder: dict[str, Any], key: str, rest: dict[str, Any]
    ) -> datetime | None:
        """Return the time at ``holder[key]``; what is none is told and put into `rest`."""
        raw = holder.get(key)
        if raw is None:
            return None
        found = read_time(raw)
        if found is None:
            rest[key] = raw
            self.tell(node, f"{key!r}", "not a time; the value is in the metadata")
        return found


def read_time(raw: object) -> datetime | None:
    """Return a time in UTC, or None if `raw` is none.

    Parameters
    ----------
    raw
        Seconds since 1970, or a text in ISO 8601; without an offset it is UTC.

    Examples
    --------
    >>> read_time(1704067200.25).isoformat(), read_time("2024-01-01T01:00:00+01:00").isoformat()
    ('2024-01-01T00:00:00.250000+00:00', '2024-01-01T00:00:00+00:00')
    >>> read_time("yesterday") is read_time(1e300) is read_time(True) is None
    True
    """
    try:
        if isinstance(raw, str):
            when = datetime.fromisoformat(raw)
            return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
        if isinstance(raw, int | float) and not isinstance(raw, bool) and math.isfinite(raw):
            return _EPOCH + timedelta(seconds=raw)
    except (ValueError, OverflowError):
        pass
    return None


def one_line(text: str, limit: int = TITLE_LENGTH) -> str:
    r"""Return the beginning of a text as a title: one line, cut at a word.

    Examples
    --------
    >>> one_line("How do I\nmake bread?"), one_line("abc def ghi", limit=8)
    ('How do I make bread?', 'abc def…')
    """
    line = " ".join(text[: limit * 20].split())
    if len(line) <= limit:
        return line
    cut = line[: limit - 1]
    words = cut.rfind(" ") if line[limit - 1] != " " else limit
    return (cut[:words] if words > limit // 2 else cut).rstrip() + "…"


# -- trees -----------------------------------------------------------------------------------


def arrange(
    ids: Sequence[str],
    parents: Mapping[str, str],
    children: Mapping[str, Sequence[str]],
    tell: Tell,
) -> list[tuple[str, str | None]]:
    """Return each node and its parent: parents before children, siblings in source order.

    Parameters
    ----------
    ids
        The nodes, each once, in the order of the source.
    parents
        What a node says about its parent. Where it says nothing, `children` decides.
    children
        What a node says about its children: which, and in what order.
    tell
        Told about parents and children that are not there, that disagree, or that form a cycle.
        Such a node is kept: under the parent that it names, or else as a root.

    Notes
    -----
    O(nodes and links). Of a cycle, the node that comes first in `ids` becomes a root.

    Examples
    --------
    >>> arrange(["a", "b", "c"], {"b": "c", "c": "a"}, {}, print)
    [('a', None), ('c', 'a'), ('b', 'c')]
    >>> arrange(["a", "b"], {"a": "b", "b": "a"}, {}, print)
    a parent 'b' closes a cycle of parents; the message is kept as a root
    [('a', None), ('b', 'a')]
    """
    parent = _parents(ids, parents, children, tell)
    for node in _cycle_starts(ids, parent):
        tell(
            node,
            f"parent {short_repr(parent.pop(node))}",
            "closes a cycle of parents; the message is kept as a root",
        )
    kids: dict[str, dict[str, None]] = {node: {} for node in ids}
    for node in ids:  # as listed by the parent...
        for kid in children.get(node, ()):
            if parent.get(kid) == node:
                kids[node][kid] = None
    for node in ids:  # ... then as they come
        if node in parent:
            kids[parent[node]][node] = None
    order: list[tuple[str, str | None]] = []
    todo = [node for node in reversed(ids) if node not in parent]
    while todo:
        node = todo.pop()
        order.append((node, parent.get(node)))
        todo.extend(reversed(kids[node]))
    return order


def _parents(
    ids: Sequence[str],
    parents: Mapping[str, str],
    children: Mapping[str, Sequence[str]],
    tell: Tell,
) -> dict[str, str]:
    known = set(ids)
    claims: dict[str, list[str]] = {}
    for node in ids:
        for kid in children.get(node, ()):
            if kid in known:
                claims.setdefault(kid, []).append(node)
            else:
                tell(node, f"child {short_repr(kid)}", "not in the file")
    found: dict[str, str] = {}
    for node in ids:
        given, claimed = parents.get(node), claims.get(node, [])
        if given in known:
            found[node] = given
        elif claimed:
            found[node] = claimed[0]
        if given is not None and given not in known:
            instead = "under the message that lists it" if claimed else "as a root"
            tell(node, f"parent {short_repr(given)}", f"not in the file; kept {instead}")
        for other in claimed:
            if other != found[node]:
                why = f"is kept under its parent {short_repr(found[node])}"
                tell(other, f"child {short_repr(node)}", why)
        if claimed.count(found.get(node, "")) > 1:
            tell(found[node], f"child {short_repr(node)}", "listed more than once; kept once")
    return found


def _cycle_starts(ids: Sequence[str], parent: Mapping[str, str]) -> list[str]:
    """Return one node of each cycle, the first in `ids`."""
    position = {node: number for number, node in enumerate(ids)}
    walk_of: dict[str, int] = {}
    starts: list[str] = []
    for walk, start in enumerate(ids):
        node: str | None = start
        while node is not None and node not in walk_of:
            walk_of[node] = walk
            node = parent.get(node)
        if node is not None and walk_of[node] == walk:
            cycle = [node]
            while (step := parent[cycle[-1]]) != node:
                cycle.append(step)
            starts.append(min(cycle, key=position.__getitem__))
    return starts


# -- entities --------------------------------------------------------------------------------


class Builder:
    """Makes the threads of one file from their drafts, and collects the problems.

    Parameters
    ----------
    format
        The format's name: a part of every id.
    source
        The file's name, for messages.
    """

    def __init__(self, format: str, source: str) -> None:  # noqa: A002 - as `read_chat` calls it
        self.format = format
        self.source = source
        self.problems: list[ChatProblem] = []
        self._seen: dict[str, int] = {}
        self._count = 0

    def build(self, draft: DraftThread) -> ChatThread:
        """Return the thread of a draft.

        Notes
        -----
        Ids are UUIDv5 of format, thread id and message id; without an id, of the position and a
        hash of the content. The same file gives the same ids, a longer export of the same chats
        the same ids for what was there before.
        """
        self._count += 1
        label = draft.id or f"#{self._count}"
        try:
            thread = self._thread(draft)
        except EcsvizError:
            raise
        except ValidationError as err:
            raise self._refused(label, err) from None
        self.problems += [ChatProblem(label, *problem) for problem in draft.problems]
        return thread

    def _thread(self, draft: DraftThread) -> ChatThread:
        key = self._key(draft)
        thread = ChatThread(
            ecs_id=self._id(key),
            title=draft.title,
            created_at=draft.created_at,
            updated_at=draft.updated_at,
            source=self.format,
            source_id=draft.id,
            metadata=draft.metadata,
        )
        seen: dict[str, int] = {}
        made: list[ChatMessage] = []
        for position, item in enumerate(draft.messages):
            parent = None if item.parent is None else made[item.parent]
            message = ChatMessage(
                ecs_id=self._message_id(draft, key, position, seen),
                thread=thread,
                parent=parent,
                role=item.role,
                content=item.content,
                author=item.author,
                model=item.model,
                created_at=item.created_at,
                hidden=item.hidden,
                source_id=item.id,
                metadata=item.metadata,
            )
            made.append(message)
            if parent is not None:
                parent.replies.append(message)
        thread.messages.extend(made)
        return thread

    def _key(self, draft: DraftThread) -> list[str | int]:
        if not draft.id:
            return [self._count, _digest(draft)]
        times = self._seen[draft.id] = self._seen.get(draft.id, 0) + 1
        if times == 1:
            return [draft.id]
        draft.tell(None, f"thread id {short_repr(draft.id)}", f"used before (time {times})")
        return [draft.id, times]

    def _message_id(
        self, draft: DraftThread, key: list[str | int], position: int, seen: dict[str, int]
    ) -> UUID:
        item = draft.messages[position]
        if not item.id:
            return self._id(key, position, _hash([item.role, item.content]))
        times = seen[item.id] = seen.get(item.id, 0) + 1
        if times == 1:
            return self._id(key, item.id)
        draft.tell(item.id, f"message id {short_repr(item.id)}", f"used before (time {times})")
        return self._id(key, item.id, times)

    def _id(self, *parts: object) -> UUID:
        # As a JSON list: no two lists of parts give the same text, and it is ASCII.
        return uuid5(NAMESPACE, json.dumps([self.format, *parts]))

    def _refused(self, label: str, err: ValidationError) -> EcsvizError:
        first = err.errors(include_input=False, include_url=False, include_context=False)[0]
        where = f"{self.source}, thread {short_repr(label)}"
        if str(first["type"]).startswith("recursion"):
            return ImportLimitError(
                f"{where}: the metadata nest deeper than 250 levels, more than can be checked and"
                " stored. The limit is fixed: take the value out of the file.",
                source=self.source,
                limit=250,
            )
        place = ".".join(str(part) for part in first["loc"][:5])
        return ImportFormatError(
            f"{where}: {short_repr(place)} does not fit: {first['msg']}.",
            source=self.source,
            line=None,
            column=None,
        )


def _digest(draft: DraftThread) -> str:
    messages = [[item.role, item.content, item.parent] for item in draft.messages]
    return _hash([draft.title, str(draft.created_at), messages])


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
