"""Drafts → ChatThread and ChatMessage; what could not be placed; and the report of an import."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, Final, SupportsIndex, overload
from uuid import UUID

from pydantic import ValidationError

from ecsviz.basics.html import Child, shown_of, table
from ecsviz.basics.result_frames import typed_frame
from ecsviz.basics.text import counted
from ecsviz.domain.chat import ChatMessage, ChatThread, in_metadata, readable
from ecsviz.domain.chat_threads import MAX_LISTED, ChatThreads
from ecsviz.errors import EcsvizError, ImportFormatError, ImportLimitError, short_repr
from ecsviz.importers.chat.agreeing import (
    by_one_clock,
    is_timed,
    matched,
    overlap,
    woven_in_time,
)
from ecsviz.importers.chat.arrived import AMBIGUOUS, ImportedTogether
from ecsviz.importers.chat.drafts import DraftMessage, DraftThread
from ecsviz.importers.chat.fitting import ChatOrigin
from ecsviz.importers.chat.identity import ThreadKey, moment
from ecsviz.importers.chat.json_text import free_name, is_shallow
from ecsviz.importers.chat.live import LiveChat
from ecsviz.importers.chat.making import is_json, made_at_once, message_ids
from ecsviz.importers.chat.parts import is_plain
from ecsviz.importers.chat.said import ChatRecord, Said
from ecsviz.importers.chat.source import ChatProblem
from ecsviz.importers.chat.union import Union
from ecsviz.storage.arriving import come_from, fit_in_place, origin_of
from ecsviz.values.tagged_json import MAX_JSON_DEPTH

if TYPE_CHECKING:
    import pandas as pd

    from ecsviz.storage.comparing import VersionedStorage

TRIED: Final = 16
"""With how many chats that go by the same one is compared, or very many would be quadratic."""

_KEPT: Final = 1_000
"""For how many sets of names it is kept which rows of the report count them."""

Entry = tuple[str, str, str, str, str]
"""A row of the report without its count: file, format, kind, what, why."""


class ChatImport(ChatThreads):
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

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        # What is noted with the threads would not come along.
        origins = [origin_of(thread) for thread in self]
        noted = [
            origin and (origin.key, origin.file, origin.held.said)
            if origin and not origin.held.left and thread.version == 0
            else None
            for thread, origin in zip(self, origins, strict=True)
        ]
        return _unpickled, (type(self), list(self), self.__dict__, noted)

    def __copy__(self) -> ChatImport:
        """Return a list of the same threads, with the same problems."""
        made = type(self)(self)
        made.problems, made._counts = self.problems, self._counts
        return made

    copy = __copy__

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> ChatThread: ...

    @overload
    def __getitem__(self, index: slice, /) -> ChatImport: ...

    def __getitem__(self, index: Any, /) -> Any:
        """Return a thread; or a part, with the same problems."""
        if not isinstance(index, slice):
            return super().__getitem__(index)
        part = ChatImport(super().__getitem__(index))
        part.problems = self.problems
        return part

    def fit_into(self, store: VersionedStorage) -> None:
        """Fit the threads to what a store has of the same chats; `register` does so by itself.

        Parameters
        ----------
        store
            The store. Nothing is written there.

        Notes
        -----
        A chat that the store has already becomes the very thread that is stored, however it was
        found when it was stored. Field by field, what the source has changed since it was imported
        last is taken, and what somebody has changed in the store stays; so it is, and ``problems``
        tells, where both have changed the same: ``said`` is what the source says. What was deleted
        or moved in the store is left out, what the store has more is added. Of an older export,
        what is newer stays. A chat that goes by the same as a stored one, and says something else,
        stays a thread of its own.

        It is fitted wherever it is registered: the whole import, a part of it, or thread by thread.
        O(messages); those of chats are read of which the store has something else than the source.

        Examples
        --------
        >>> import ecsviz as ev
        >>> said = '{{"id": "{}", "from": "human", "value": "{}"}}'.format
        >>> def export(*turns):
        ...     data = '{"id": "c", "conversations": [%s]}' % ", ".join(turns)
        ...     return ev.read_chat(data.encode())
        >>> store = ev.InMemoryEntityStorage()
        >>> thread = store.register(export(said(1, "Hi"), said(2, "Bye")))[0]
        >>> older = store.register(export(said(1, "Hi")))
        >>> len(older[0].messages), older.problems[0].why
        (2, 'the store has 1 message; kept')
        >>> thread.title = "Greetings"
        >>> _ = store.register(thread)
        >>> later = store.register(export(said(1, "Hi"), said(2, "Bye"), said(3, "Oh")))
        >>> later[0].title, len(later[0].messages)
        ('Greetings', 3)
        """
        fit_in_place(store, list(self))

    def _cell(self) -> list[Child]:
        children = super()._cell()
        if self.problems:
            listed = [
                (problem.thread, problem.node, problem.what, problem.why)
                for problem in self.problems[:MAX_LISTED]
            ]
            some = len(listed) < len(self.problems)
            note = shown_of(len(listed), len(self.problems), "problems") if some else None
            columns = ("thread", "message", "what could not be placed", "why")
            children.append(table(columns, listed, note=note))
        return children

    def _said(self) -> str:
        return f"{super()._said()}, {counted(len(self.problems), 'problem')}"

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
                what it is, and the reason where there is one: of threads, by what their format
                was recognised, and how sure that is from 0 to 1; ``problems`` names each place;
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


def _unpickled(
    cls: type[ChatImport],
    threads: list[ChatThread],
    state: dict[str, Any],
    noted: list[tuple[ThreadKey, str, Said] | None],
) -> ChatImport:
    """Return an import that was copied or pickled."""
    made = cls(threads)
    made.__dict__.update(state)
    whole = ImportedTogether(made.problems)
    for thread, each in zip(threads, noted, strict=True):
        if each is not None:
            key, file, said = each
            held = LiveChat(thread, thread.ecs_id, said, list(thread.messages))
            if [message.ecs_id for message in held.messages] == said.ids:
                come_from(thread, ChatOrigin(key, file, whole, held))
    return made


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


def _with_parts(item: DraftMessage) -> dict[str, Any]:
    """Return a message's metadata with its parts and tokens, beside what the source calls so."""
    if not item.parts and item.tokens_in is None and item.tokens_out is None:
        return item.metadata
    told: dict[str, Any] = {"tokens_in": item.tokens_in, "tokens_out": item.tokens_out}
    own = {name: count for name, count in told.items() if count is not None}
    if not is_plain(item.parts):
        own["parts"] = in_metadata(item.parts)
    if not own:
        return item.metadata
    kept = dict(item.metadata)
    for name in own.keys() & kept.keys():
        kept[free_name(kept, name)] = kept.pop(name)
    return kept | own


def _validated(
    thread: ChatThread, ids: list[UUID], columns: dict[str, list[Any]]
) -> list[ChatMessage]:
    """Return messages, each as pydantic makes it."""
    made: list[ChatMessage] = []
    for ecs_id, *values in zip(ids, *columns.values(), strict=True):
        given = dict(zip(columns, values, strict=True))
        at = given.pop("parent")
        parent = None if at is None else made[at]
        message = ChatMessage(ecs_id=ecs_id, thread=thread, parent=parent, **given)
        made.append(message)
        if parent is not None:
            parent.replies.append(message)
    return made


@dataclass(slots=True)
class _Tally:
    """How many messages a draft has, and what they have: the names of their metadata by sets."""

    messages: int = 0
    links: int = 0
    hidden: int = 0
    names: Counter[tuple[str, ...]] = field(default_factory=Counter)

    @classmethod
    def of(cls, messages: list[DraftMessage]) -> _Tally:
        return cls(
            len(messages),
            sum([message.parent is not None for message in messages]),
            sum([message.hidden for message in messages]),
            Counter([tuple(message.metadata) for message in messages]),
        )


class Builder:
    """Makes the threads of drafts, gives them their ids, and collects problems and counts.

    Parameters
    ----------
    found
        What the threads, problems and counts are added to.
    zone
        What the wall clocks of sources show that name no zone. Ids do not depend on it.

    Attributes
    ----------
    whole
        What the threads know of all that is read.
    has_messages
        Whether any were read.
    """

    def __init__(self, found: ChatImport, zone: tzinfo) -> None:
        self.found = found
        self._counts = found._counts
        self.zone = zone
        self.format = ""
        self.source = ""
        self.why = ""
        self._seen: Counter[ThreadKey] = Counter()  # in this file
        self._most: Counter[ThreadKey] = Counter()  # in any file
        self._ids: Counter[int] = Counter()  # by the hash of format and id
        self._made: dict[UUID, int] = {}  # where it stands in the result
        self._taken: set[UUID] = set()  # those of this file
        self._like: dict[tuple[str, str | None], deque[ChatThread]] = {}  # of no sure id
        self._has_others = False  # whether there are any of another file
        self._entries: dict[tuple[str, ...], list[Entry]] = {}  # by names of metadata
        self._said = _Tally()
        self._forgets = False
        self._count = 0
        self.whole = ImportedTogether(found.problems)
        self.has_messages = False

    def begin(self, format: str, source: str, why: str = "") -> None:  # noqa: A002 - as `read_chat` calls it
        """Go on with a file.

        Parameters
        ----------
        format
            The format's name: a part of every id.
        source
            The file's name, for messages.
        why
            By what the format was recognised, for the report.
        """
        self.format, self.source, self.why = format, source, why
        self._seen.clear()
        self._taken.clear()
        self._entries.clear()
        self._has_others = bool(self._made)
        if self._forgets:
            self._ids.clear()  # whether those of another file are copies, a store will tell
        self._count = 0

    def count(self, kind: str, what: str, why: str = "", by: int = 1) -> None:
        """Count something for the report."""
        if by:
            self._counts[self.source, self.format, kind, what, why] += by

    def add(self, draft: DraftThread) -> None:
        """Add the thread of a draft to the result.

        Notes
        -----
        What a thread and a message go by: see `ecsviz.importers.chat.identity`. The same file gives
        the same ids, and a longer one the same ids for what was there before. Where several in one
        file go by the same, they are numbered.

        A thread that another file had already is made one with it if they are copies of one chat;
        see `matched`.
        """
        self._count += 1
        key = ThreadKey.of(self.format, draft)
        self._seen[key] += 1
        key, mark = replace(key, times=self._seen[key]), len(draft.problems)
        held = self._built(draft, key)
        earlier = self._earlier(held, key)
        if earlier is not None:
            self._join(draft, held.thread, *earlier)
            return
        first = replace(key, times=1)
        if held.own_id in self._made:  # by another file, which says something else
            key = replace(key, times=self._most[first] + 1)
            del draft.problems[mark:]
            held = self._built(draft, key)
            if not draft.id:
                draft.tell(None, "how it begins", AMBIGUOUS)
        self._most[first] = max(key.times, self._most[first])
        ident = hash((self.format, draft.id or ""))
        self._ids[ident] += 1
        times = self._ids[ident]
        if draft.id and times > 1:
            draft.tell(None, f"thread id {short_repr(draft.id)}", f"used before (time {times})")
        self._made[held.own_id] = len(self.found)
        self._taken.add(held.own_id)
        self.found.append(held.thread)
        self._note(held, key, self.source)
        self._tell(draft)
        self._tally(draft)

    def _note(self, held: LiveChat, key: ThreadKey, file: str) -> None:
        thread = held.thread
        if not key.is_unique and (thread.source_id or is_timed(thread)):
            rivals = self._like.setdefault((self.format, thread.source_id), deque(maxlen=2 * TRIED))
            rivals.append(thread)
        come_from(thread, ChatOrigin(key, file, self.whole, held))

    def forget(self) -> None:
        """Forget the threads so far: none that follows is compared with them."""
        self.found.clear()
        self._made.clear()
        self._most.clear()
        self._like.clear()
        self._has_others = False
        self._forgets = True

    def _earlier(self, held: LiveChat, key: ThreadKey) -> tuple[int, Union] | None:
        """Return where another file's copy of a thread stands in the result, and both, if any."""
        if not self._has_others:
            return None
        most = min(self._most[replace(key, times=1)], TRIED)
        for times in dict.fromkeys((key.times, *range(1, most + 1))):
            ecs_id = replace(key, times=times).ecs_id
            place = self._made.get(ecs_id)
            if place is not None and ecs_id not in self._taken:
                other = self.found[place]
                record = ChatRecord.of_said(origin_of(other).held.said)
                at = matched(held.said, record, sure=key.is_sure, same=True)
                if at is not None:
                    return place, Union(held, other, record, at=at)
        return None if key.is_unique else self._alike(held)

    def _alike(self, held: LiveChat) -> tuple[int, Union] | None:
        """Return another file's copy of a thread that begins elsewhere, as `_earlier`."""
        thread = held.thread
        rivals = list(self._like.get((self.format, thread.source_id), ()))
        texts = {message.content for message in thread.messages} if rivals else set()
        for other in rivals:
            place = self._made.get(other.ecs_id)
            if place is None or self.found[place] is not other or other.ecs_id in self._taken:
                continue
            if texts.isdisjoint(message.content for message in other.messages):
                continue
            theirs = origin_of(other).held
            record = ChatRecord.of_said(theirs.said)
            at = matched(held.said, record, sure=False, same=False) if thread.source_id else None
            if at is None and is_timed(thread):
                at = overlap(held.said, theirs.said) or woven_in_time(held.said, theirs.said)
                pairs_of = [(thread.messages[n], p) for n, p in enumerate(at or ()) if p >= 0]
                times = [(m.created_at, theirs.messages[p].created_at) for m, p in pairs_of]
                at = at if by_one_clock(times) else None
            if at is not None:
                return place, Union(held, other, record, at=at)
        return None

    def _join(self, draft: DraftThread, thread: ChatThread, earlier: int, union: Union) -> None:
        why = "stands in a copy in another file"
        origin = origin_of(self.found[earlier])
        self._tally(draft)
        self.count("not kept", "threads", why)
        union.run()
        common = sum(place >= 0 for place in union.at)
        self.count("not kept", "messages", why, by=common)
        self._note(LiveChat.of(thread), origin.key, origin.file)
        self.found[earlier] = thread
        self._taken.add(thread.ecs_id)
        if common < len(draft.messages):
            self._tell(draft)

    def _tell(self, draft: DraftThread) -> None:
        label = draft.id or f"#{self._count}"
        self.found.problems += [
            ChatProblem(label, *problem, self.source) for problem in draft.problems
        ]

    def _built(self, draft: DraftThread, key: ThreadKey) -> LiveChat:
        try:
            return self._thread(draft, key)
        except EcsvizError:
            raise
        except ValidationError as err:
            raise self._refused(draft.id or f"#{self._count}", err) from None

    def _tally(self, draft: DraftThread) -> None:
        """Count what was read of the thread that was built last."""
        said = self._said
        self.count("read", "threads", self.why)
        self.count("read", "messages", by=said.messages)
        self.has_messages = self.has_messages or bool(said.messages)
        self.count("read", "links", by=said.links)
        self.count("read", "hidden messages", by=said.hidden)
        for name in draft.metadata:
            self.count("metadata", f"thread {name}")
        counts = self._counts
        for names, number in said.names.items():
            entries = self._entries.get(names)
            if entries is None:
                if len(self._entries) == _KEPT:
                    self._entries.clear()
                entries = self._entries[names] = [
                    (self.source, self.format, "metadata", f"message {name}", "") for name in names
                ]
            for entry in entries:
                counts[entry] += number

    def _thread(self, draft: DraftThread, key: ThreadKey) -> LiveChat:
        thread = ChatThread(
            ecs_id=key.ecs_id,
            title=draft.title,
            created_at=moment(draft.created_at, self.zone),
            updated_at=moment(draft.updated_at, self.zone),
            source=self.format,
            source_id=draft.id,
            metadata=draft.metadata,
        )
        items = draft.messages
        ids, times = message_ids(key, items)
        for item, time in zip(items, times, strict=True):
            if time > 1:
                what = f"message id {short_repr(item.id)}"
                draft.tell(item.id, what, f"used before (time {time})")
        columns: dict[str, list[Any]] = {
            "parent": [item.parent for item in items],
            "role": [item.role for item in items],
            "content": [readable(i.parts) if i.parts else i.content for i in items],
            "author": [item.author for item in items],
            "model": [item.model for item in items],
            "created_at": [moment(item.created_at, self.zone) for item in items],
            "hidden": [item.hidden for item in items],
            "source_id": [item.id for item in items],
            "metadata": [_with_parts(item) for item in items],
        }
        self._said = _Tally.of(items)
        if not self._has_others:  # or it may be built again
            draft.messages = items = []  # which take as much as what is made of them
        fits = is_shallow if draft.is_json else is_json
        made = made_at_once(thread, ids, columns, None if draft.is_shallow else fits)
        if not (draft.is_shallow or is_shallow([draft.metadata], MAX_JSON_DEPTH)) or (
            made is None and not is_shallow(columns["metadata"], MAX_JSON_DEPTH)
        ):
            raise self._too_deep(draft.id or f"#{self._count}")
        thread.messages.extend(_validated(thread, ids, columns) if made is None else made)
        return LiveChat.of(thread, None if made is None else columns)

    def _too_deep(self, label: str) -> ImportLimitError:
        what = f"the metadata nest deeper than {MAX_JSON_DEPTH} levels"
        return ImportLimitError(
            f"{self.source}, thread {short_repr(label)}: {what}, more than can be stored. The limit"
            " is fixed: take the value out of the file.",
            source=self.source,
            place=f"thread {short_repr(label)}",
            reason=what,
            limit=MAX_JSON_DEPTH,
        )

    def _refused(self, label: str, err: ValidationError) -> EcsvizError:
        first = err.errors(include_input=False, include_url=False, include_context=False)[0]
        where = f"{self.source}, thread {short_repr(label)}"
        if str(first["type"]).startswith("recursion"):
            return self._too_deep(label)
        place = ".".join(str(part) for part in first["loc"][:5])
        return ImportFormatError(
            f"{where}: {short_repr(place)} does not fit: {first['msg']}.",
            source=self.source,
            place=f"thread {short_repr(label)}",
            reason=f"{short_repr(place)} does not fit: {first['msg']}",
            line=None,
            column=None,
        )
