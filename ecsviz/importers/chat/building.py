"""Drafts → ChatThread and ChatMessage; what could not be placed; and the report of an import."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from pydantic import ValidationError

from ecsviz.basics.html import Child, block, element, shown_of, table
from ecsviz.basics.result_frames import typed_frame
from ecsviz.basics.text import counted
from ecsviz.domain.chat import ChatMessage, ChatThread
from ecsviz.errors import EcsvizError, ImportFormatError, ImportLimitError, short_repr
from ecsviz.importers.chat.drafts import DraftMessage, DraftThread
from ecsviz.importers.chat.source import ChatProblem

if TYPE_CHECKING:
    import pandas as pd

NAMESPACE = UUID("adb8d415-7a0b-4781-b21c-e26695111a29")
"""The UUIDv5 namespace of imported chats. Never change it: stored chats would not be found."""

MAX_LISTED: Final = 12
"""How many threads and problems of an import a cell lists."""

Entry = tuple[str, str, str, str, str]
"""A row of the report without its count: file, format, kind, what, why."""


class ChatImportWarning(UserWarning):
    """Something of a chat could not be placed as its source has it."""


class ChatImport(list[ChatThread]):
    """The threads of one file, or of several, in their order.

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
        self._counts: Counter[Entry] = Counter()

    def _repr_html_(self) -> str:
        rows = [
            (
                thread.title or "(no title)",
                len(thread.messages),
                len(thread.leaves()),
                f"{thread.created_at:%Y-%m-%d}" if thread.created_at else None,
            )
            for thread in self[:MAX_LISTED]
        ]
        more = len(rows) < len(self)
        children: list[Child] = [element("p", repr(self).strip("<>"), look="title")]
        if rows:
            note = shown_of(len(rows), len(self), "threads") if more else None
            headings = ("thread", "messages", "branches", "begun")
            children.append(table(headings, rows, note=note))
        if self.problems:
            listed = [
                (problem.thread, problem.node, problem.what, problem.why)
                for problem in self.problems[:MAX_LISTED]
            ]
            some = len(listed) < len(self.problems)
            note = shown_of(len(listed), len(self.problems), "problems") if some else None
            columns = ("thread", "message", "what could not be placed", "why")
            children.append(table(columns, listed, note=note))
        return str(block(*children))

    def __repr__(self) -> str:
        count = sum(len(thread.messages) for thread in self)
        return (
            f"<ChatImport of {counted(len(self), 'thread')}, {counted(count, 'message')},"
            f" {counted(len(self.problems), 'problem')}>"
        )

    def report(self) -> pd.DataFrame:
        """Return what became of everything that was read, counted.

        Returns
        -------
        pandas.DataFrame
            A row for each file, kind and reason:

            ``file``
                the file, and the path inside a zip or folder;
            ``format``
                how it was read; empty if it was not;
            ``kind``
                ``"read"`` (threads, messages, links to parents, hidden messages),
                ``"metadata"`` (kept under this name in the metadata of threads or messages,
                since it has no field of its own), ``"problem"`` (could not be placed as the file
                has it), ``"not read"`` (no chat) or ``"not kept"`` (there is a longer copy);
            ``what``, ``why``
                what it is, and the reason where there is one; ``problems`` names each place;
            ``count``
                how many of them.

        Examples
        --------
        >>> import ecsviz as ev
        >>> threads = ev.read_chat(b'[{"role": "user", "content": "Hi", "name": "Ann", "k": 1}]')
        >>> print(threads.report().drop(columns=["file", "why"]).to_string(index=False))
                 format     kind      what  count
        openai-messages     read   threads      1
        openai-messages     read  messages      1
        openai-messages metadata message k      1
        """
        counts = self._counts.copy()
        formats = {entry[0]: entry[1] for entry in counts if entry[1]}
        for each in self.problems:
            file = each.file or ""
            entry = (file, formats.get(file, ""), "problem", _generic(each.what), each.why)
            counts[entry] += 1
        texts = dict.fromkeys(("file", "format", "kind", "what", "why"), "str")
        rows = [(*entry, count) for entry, count in counts.items()]
        return typed_frame(rows, {**texts, "count": "int64"})


_NAMED = re.compile(r"^(['\"].*?['\"]|[^'\"]*)")


def _generic(what: str) -> str:
    """Return what a problem is about without the value: ``parent`` for ``parent 'x'``.

    Examples
    --------
    >>> _generic("parent 'x'"), _generic("'current_node'")
    ('parent', "'current_node'")
    """
    found = _NAMED.match(what)
    return (found.group().strip() if found else "") or what


class Builder:
    """Makes the threads of drafts, gives them their ids, and collects problems and counts.

    Parameters
    ----------
    found
        What the threads, problems and counts are added to.
    zone
        What the wall clocks of sources show that name no zone. Ids do not depend on it.
    """

    def __init__(self, found: ChatImport, zone: tzinfo) -> None:
        self.found = found
        self._counts = found._counts
        self.zone = zone
        self.format = ""
        self.source = ""
        self._seen: Counter[tuple[str, bool, str]] = Counter()  # in this file
        self._most: Counter[tuple[str, bool, str]] = Counter()  # in any file
        self._made: dict[UUID, int] = {}
        self._count = 0

    def begin(self, format: str, source: str) -> None:  # noqa: A002 - as `read_chat` calls it
        """Go on with a file.

        Parameters
        ----------
        format
            The format's name: a part of every id.
        source
            The file's name, for messages.
        """
        self.format, self.source = format, source
        self._seen.clear()
        self._count = 0

    def count(self, kind: str, what: str, why: str = "", by: int = 1) -> None:
        """Count something for the report."""
        if by:
            self._counts[self.source, self.format, kind, what, why] += by

    def add(self, draft: DraftThread) -> None:
        """Add the thread of a draft to the result.

        Notes
        -----
        Ids are UUIDv5 of format, thread id and message id. Where the source has none, a thread
        goes by how it begins (its messages up to the first one of a user) and how many in its
        file began alike; a message goes by the message it answers, role, text, time, and how many
        alike came before. So the same file gives the same ids, and a longer one the same ids for
        what was there before.

        A thread that another file had already replaces that one if it has all its messages, and
        is left out if that one has all of its.
        """
        self._count += 1
        start, mark = draft.id or _beginning(draft), len(draft.problems)
        known = self.format, bool(draft.id), start
        self._seen[known] += 1
        times = self._seen[known]
        thread = self._built(draft, start, times)
        if thread.ecs_id in self._made and self._most[known] > times:
            # Others of this id disagreed. Only the last is tried, or many would be quadratic.
            times = self._most[known]
            del draft.problems[mark:]
            thread = self._built(draft, start, times)
        earlier = self._made.get(thread.ecs_id)
        if earlier is not None:
            old = {message.ecs_id for message in self.found[earlier].messages}
            new = {message.ecs_id for message in thread.messages}
            if old <= new or new < old:
                self.count("not kept", "thread", "an older copy of one in another file")
                if new < old:
                    return
            else:
                earlier, times = None, max(times, self._most[known]) + 1
                del draft.problems[mark:]
                thread = self._built(draft, start, times)
        self._most[known] = max(times, self._most[known])
        if times > 1 and draft.id:
            draft.tell(None, f"thread id {short_repr(start)}", f"used before (time {times})")
        if earlier is None:
            self._made[thread.ecs_id] = len(self.found)
            self.found.append(thread)
        else:
            self.found[earlier] = thread
        label = draft.id or f"#{self._count}"
        self.found.problems += [
            ChatProblem(label, *problem, self.source) for problem in draft.problems
        ]
        self._tally(draft)

    def _built(self, draft: DraftThread, start: str, times: int) -> ChatThread:
        key: list[str | int] = ["", start, times]
        if draft.id:
            key = [start] if times == 1 else [start, times]
        try:
            return self._thread(draft, key)
        except EcsvizError:
            raise
        except ValidationError as err:
            raise self._refused(draft.id or f"#{self._count}", err) from None

    def _tally(self, draft: DraftThread) -> None:
        self.count("read", "threads")
        messages = draft.messages
        self.count("read", "messages", by=len(messages))
        self.count("read", "links", by=sum(m.parent is not None for m in messages))
        self.count("read", "hidden messages", by=sum(m.hidden for m in messages))
        for name in draft.metadata:
            self.count("metadata", f"thread {name}")
        names = Counter(name for message in messages for name in message.metadata)
        for name, number in names.items():
            self.count("metadata", f"message {name}", by=number)

    def _thread(self, draft: DraftThread, key: list[str | int]) -> ChatThread:
        thread = ChatThread(
            ecs_id=self._id(key),
            title=draft.title,
            created_at=_moment(draft.created_at, self.zone),
            updated_at=_moment(draft.updated_at, self.zone),
            source=self.format,
            source_id=draft.id,
            metadata=draft.metadata,
        )
        seen: Counter[str] = Counter()
        made: list[ChatMessage] = []
        for item in draft.messages:
            parent = None if item.parent is None else made[item.parent]
            message = ChatMessage(
                ecs_id=self._message_id(draft, item, key, parent, seen),
                thread=thread,
                parent=parent,
                role=item.role,
                content=item.content,
                author=item.author,
                model=item.model,
                created_at=_moment(item.created_at, self.zone),
                hidden=item.hidden,
                source_id=item.id,
                metadata=item.metadata,
            )
            made.append(message)
            if parent is not None:
                parent.replies.append(message)
        thread.messages.extend(made)
        return thread

    def _message_id(
        self,
        draft: DraftThread,
        item: DraftMessage,
        key: list[str | int],
        parent: ChatMessage | None,
        seen: Counter[str],
    ) -> UUID:
        if not item.id:
            above = None if parent is None else str(parent.ecs_id)
            alike = _hash([above, *_words(item)])
            seen[alike] += 1
            return self._id(key, None, alike, seen[alike])
        seen[item.id] += 1
        times = seen[item.id]
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


def _moment(when: datetime | None, zone: tzinfo) -> datetime | None:
    """Return a time with its zone; a wall clock shows that of `zone`."""
    if when is None or when.tzinfo is not None:
        return when
    try:
        return when.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:  # in the first hours of the year 1, or the last of 9999
        return when.replace(tzinfo=UTC)


def _beginning(draft: DraftThread) -> str:
    """Return what does not change when a chat goes on: all up to the first word of a user."""
    keyed = bool(draft.messages) and draft.messages[0].key is not None
    created = _moment(draft.created_at, UTC)
    start: list[Any] = [str(created) if created and not keyed else None]
    if not draft.messages:
        return _hash([*start, draft.title])
    for message in draft.messages:
        start.append([message.id, *_words(message)])
        if message.role == "user":
            break
        if len(start) > 10:  # a system's prompt and a few of its like
            break
    return _hash(start)


def _words(message: DraftMessage) -> list[str | None]:
    if message.key is not None:
        return [message.key]
    when = _moment(message.created_at, UTC)  # as it stands, whatever zone is meant
    return [message.role, message.author, message.content, when.isoformat() if when else None]


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
