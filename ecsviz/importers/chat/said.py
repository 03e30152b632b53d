"""What a source has said of a chat, in digests: to tell later who has changed what.

Of the thread and of each message a digest per field, and per key of the metadata. A store keeps
beside the thread what its source has said last, and in which versions the store had it then: a
`ChatRecord`. So what is new in a later export is told from what somebody has edited in the store.
"""

from __future__ import annotations

import json
import marshal
import zlib
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

import numpy as np
import numpy.typing as npt

from ecsviz.domain.chat import ChatMessage, ChatThread
from ecsviz.domain.entity import Entity

Digests = npt.NDArray[np.uint32]
"""A row per message, a column per name."""

KEY: Final = "metadata."
"""What stands before the names of columns that are keys of the metadata. Nothing behind it stands
for all keys that have no column."""

MOST_KEYS: Final = 60

PART: Final = 256
"""How many messages stand in one part of a record: what is appended writes the last part anew."""

PARENT: Final = "parent"

_PLAIN: Final = 2
"""The version of marshal's form in which equal values look the same, whoever shares them."""

UNKNOWN: Final = 0xFFFFFFFF
"""Stands for the digest of what nobody knows."""

OWN = tuple(Entity.model_fields)
_LINKS = ("messages", "thread", PARENT, "replies", "metadata")

THREAD_FIELDS = tuple(n for n in ChatThread.model_fields if n not in (*OWN, *_LINKS))
MESSAGE_FIELDS = (
    *(n for n in ChatMessage.model_fields if n not in (*OWN, *_LINKS)),
    PARENT,
)


# ---------------------------------------------------------------------------------------------
# Digests
# ---------------------------------------------------------------------------------------------


def digest(value: Any) -> int:
    """Return 32 bits of a value: 0 for None, and for what is not there.

    Notes
    -----
    A check sum, no proof against people: values that have it in common pass for the same, and what
    is stored is kept then.
    """
    if value is None:
        return 0
    kind = type(value)
    if kind is str:
        return zlib.crc32(value.encode("utf-8", "surrogatepass"), 1) or 1
    if kind is datetime:
        return zlib.crc32(value.isoformat().encode(), 2) or 1
    try:
        data = marshal.dumps(value, _PLAIN)
    except ValueError:  # of another type than those of JSON
        data = repr(value).encode("utf-8", "surrogatepass")
    return zlib.crc32(data, 3) or 1


_WORDS = frozenset({str, bool, type(None)})
"""Types of which no two have equal values that are not the same."""


_TIMES = frozenset({datetime, type(None)})

_OTHERS = frozenset({int, float, bool, dict, list, type(None)})


def digests(values: list[Any]) -> list[int]:
    """Return the digests of many values; of few that come often, each once."""
    kinds, crc32 = set(map(type, values)), zlib.crc32
    if kinds <= _WORDS:
        different = set(values)
        if len(different) * 4 < len(values):
            known = {value: digest(value) for value in different}
            return [known[value] for value in values]
        if bool not in kinds:
            return [
                0 if v is None else crc32(v.encode("utf-8", "surrogatepass"), 1) or 1
                for v in values
            ]
    if kinds <= _TIMES:
        return [0 if v is None else crc32(v.isoformat().encode(), 2) or 1 for v in values]
    if kinds <= _OTHERS:
        dumps = marshal.dumps
        try:
            return [0 if v is None else crc32(dumps(v, _PLAIN), 3) or 1 for v in values]
        except ValueError:
            pass
    return list(map(digest, values))


def digest_of_id(ecs_id: UUID) -> int:
    """Return 32 bits of a reference to an entity."""
    return zlib.crc32(ecs_id.bytes, 5) or 1


def thread_digests(state: Mapping[str, Any]) -> dict[str, int]:
    """Return the digests of a thread's fields, and of the keys of its metadata."""
    found = {name: digest(state[name]) for name in THREAD_FIELDS}
    return found | {KEY + key: digest(value) for key, value in state["metadata"].items()}


def _absent(cls: type[Entity], names: Sequence[str]) -> dict[str, int]:
    defaults = {name: cls.model_fields[name] for name in names if name in cls.model_fields}
    return {name: digest(f.get_default()) for name, f in defaults.items() if not f.is_required()}


ABSENT: Final = {
    ChatThread: _absent(ChatThread, THREAD_FIELDS),
    ChatMessage: _absent(ChatMessage, MESSAGE_FIELDS),
}
"""What stands for a field of which nothing was noted, as it was not there then: its default."""


Columns = Sequence[list[Any]]
"""The values of `MESSAGE_FIELDS`, but for the parents."""

Parents = list[UUID | None]

_values = itemgetter(*MESSAGE_FIELDS[:-1])


def _columns(messages: Sequence[Any]) -> tuple[Columns, Parents, list[dict[str, Any]]]:
    states = [message.__dict__ for message in messages]
    columns = list(map(list, zip(*map(_values, states), strict=True)))
    ups = [state[PARENT] for state in states]
    parents = [None if up is None else up.__dict__["ecs_id"] for up in ups]
    return columns or [[] for _ in MESSAGE_FIELDS[:-1]], parents, [s["metadata"] for s in states]


@dataclass(slots=True)
class DigestTable:
    """Digests of messages: a row per message, a column per name."""

    names: tuple[str, ...]
    rows: Digests

    @classmethod
    def of(cls, messages: Sequence[Any], names: Sequence[str] = ()) -> DigestTable:
        """Return the digests of messages; of some names in any case, and in their order."""
        return cls.of_columns(*_columns(messages), names)

    @classmethod
    def of_columns(
        cls, columns: Columns, parents: Parents, every: Sequence[Any], names: Sequence[str] = ()
    ) -> DigestTable:
        """Return the digests of messages: their fields, the ids of parents, and their metadata."""
        keys = [name[len(KEY) :] for name in names if name.startswith(KEY) and name != KEY]
        counts = Counter(chain.from_iterable(every))
        more = sorted(counts.keys() - set(keys))
        if len(keys) + len(more) > MOST_KEYS:
            usual = sorted(more, key=lambda key: -counts[key])
            more = sorted(usual[: max(0, MOST_KEYS - len(keys))])
        keys += more
        made = [digests(values) for values in columns]
        made.append([0 if up is None else digest_of_id(up) for up in parents])
        made += [digests([held.get(key) for held in every]) for key in keys]
        if counts.keys() - set(keys) or KEY in names:
            known = set(keys)
            rest = ({k: v for k, v in held.items() if k not in known} for held in every)
            made.append([digest(each or None) for each in rest])
            keys.append("")
        numbers = [array("I", column) for column in made]  # of which numpy makes rows at once
        rows = np.array(numbers, dtype=np.uint32).reshape(len(made), len(every)).T
        return cls((*MESSAGE_FIELDS, *(KEY + key for key in keys)), np.ascontiguousarray(rows))

    def under(self, names: tuple[str, ...]) -> Digests:
        """Return the rows with columns of some names; `ABSENT`, or 0, for what is not there."""
        if names == self.names:
            return self.rows
        absent = ABSENT[ChatMessage]
        made = np.zeros((len(self.rows), len(names)), dtype=np.uint32)
        for n, name in enumerate(names):
            made[:, n] = self.column(name) if name in self.names else absent.get(name, 0)
        return made

    def column(self, name: str) -> Digests:
        """Return the digests of a name."""
        found: Digests = self.rows[:, self.names.index(name)]
        return found


# ---------------------------------------------------------------------------------------------
# What was said
# ---------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Said:
    """What a source says of a chat.

    Attributes
    ----------
    thread
        The digests of the thread.
    ids
        Which entities its messages are, in the source's order.
    table
        The digests of the messages.
    updated, last
        When the thread was changed, and when its last message was made, as the source says.
    names
        The ids that its messages have in the source.
    """

    thread: dict[str, int]
    ids: list[UUID]
    table: DigestTable
    updated: datetime | None = None
    last: datetime | None = None
    names: list[str | None] = field(default_factory=list)
    known: list[int] = field(default_factory=list)

    @property
    def marks(self) -> list[int]:
        """Which messages they are, whatever their UUIDs.

        By their ids in the source, or else by their words and what they answer.
        """
        if len(self.known) < len(self.ids):
            self.known = _marks(self)
        return self.known

    @classmethod
    def of(cls, thread: Any, messages: Sequence[Any]) -> Said:
        """Return what a thread, and some of its messages, say now."""
        ids = [message.__dict__["ecs_id"] for message in messages]
        return cls.of_columns(thread.__dict__, ids, *_columns(messages))

    @classmethod
    def of_columns(
        cls,
        thread: Mapping[str, Any],
        ids: list[UUID],
        columns: Columns,
        parents: Parents,
        metadata: Sequence[Any],
    ) -> Said:
        """Return what a thread says, of its fields and of those of its messages."""
        times, names = (columns[MESSAGE_FIELDS.index(n)] for n in ("created_at", "source_id"))
        return cls(
            thread=thread_digests(thread),
            ids=ids,
            table=DigestTable.of_columns(columns, parents, metadata),
            names=names,
            updated=thread["updated_at"],
            last=max(filter(None, times), default=None),
        )

    def says_the_same(self, other: Said) -> bool:
        """Tell whether two say the same, of the same messages in the same order."""
        if self.ids != other.ids or not _alike(self.thread, other.thread):
            return False
        names = tuple(dict.fromkeys((*self.table.names, *other.table.names)))
        return bool(np.array_equal(self.table.under(names), other.table.under(names)))


@dataclass(slots=True)
class Unasked:
    """What a source says, as it was read: digests are made of it when somebody asks for them.

    Attributes
    ----------
    thread
        The thread's fields, but for its metadata.
    ids, columns, parents
        Those of the messages. What they hold cannot be changed.
    metadata
        The metadata of the thread and of the messages, packed: whoever reads the chat may change
        theirs.
    """

    thread: dict[str, Any]
    ids: list[UUID]
    columns: Columns
    parents: Parents
    metadata: bytes

    @classmethod
    def of(
        cls, thread: Any, messages: Sequence[Any], known: Mapping[str, list[Any]] | None = None
    ) -> Unasked | Said:
        """Return what a thread and its messages say now; in digests, if it cannot be packed.

        Parameters
        ----------
        thread, messages
            Both as they are now.
        known
            The fields of the messages by name, ``parent`` as places in the list, if somebody
            has them at hand.
        """
        state, ids = thread.__dict__, [message.__dict__["ecs_id"] for message in messages]
        if known is None:
            columns, parents, metadata = _columns(messages)
        else:
            columns, metadata = [known[name] for name in MESSAGE_FIELDS[:-1]], known["metadata"]
            parents = [None if at is None else ids[at] for at in known[PARENT]]
        try:
            packed = marshal.dumps([state["metadata"], *metadata])
        except ValueError:  # of another type than those of JSON
            return Said.of(thread, messages)
        fields = {name: state[name] for name in THREAD_FIELDS}
        return cls(fields, ids, columns, parents, packed)

    def said(self) -> Said:
        """Return the same in digests."""
        own, *metadata = marshal.loads(self.metadata)  # noqa: S302 - packed above
        thread = {**self.thread, "metadata": own}
        return Said.of_columns(thread, self.ids, self.columns, self.parents, metadata)


def _alike(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    absent = ABSENT[ChatThread]
    return one == other or all(
        one.get(name, absent.get(name, 0)) == other.get(name, absent.get(name, 0))
        for name in {*one, *other}
    )


def _marks(said: Said) -> list[int]:
    table = said.table
    words = (table.column(name).tolist() for name in ("role", "author", "content", "created_at"))
    named = all(said.names)
    number = {} if named else {digest_of_id(ecs_id): n for n, ecs_id in enumerate(said.ids)}
    seen: Counter[bytes] = Counter()
    found: list[int] = []
    for name, up, *words_of in zip(said.names, table.column(PARENT).tolist(), *words, strict=True):
        if name:
            data = name.encode("utf-8", "surrogatepass")
        else:
            place = number.get(up, len(found))
            data = repr((found[place] if place < len(found) else None, *words_of)).encode()
        seen[data] += 1
        if seen[data] > 1:
            data += b"\0%d" % seen[data]
        found.append(zlib.crc32(data) << 32 | zlib.adler32(data))
    return found


def pairs(one: Said, other: Said) -> list[int]:
    """Return per message of one where it stands in the other, -1 for nowhere.

    Notes
    -----
    By their UUIDs, else by their marks; each once. O(messages).
    """
    if one.ids == other.ids:
        return list(range(len(one.ids)))
    place = {ecs_id: n for n, ecs_id in enumerate(other.ids)}
    found = [place.get(ecs_id, -1) for ecs_id in one.ids]
    left = set(range(len(other.ids))) - set(found) if -1 in found else None
    if left:
        known = {other.marks[n]: n for n in sorted(left, reverse=True)}
        for n, at in enumerate(found):
            if at < 0:
                same = known.get(one.marks[n], -1)
                if same in left:
                    left.discard(same)
                    found[n] = same
    return found


# ---------------------------------------------------------------------------------------------
# What a store keeps
# ---------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class ChatRecord(Said):
    """What a store knows of what the source of a stored chat has said last.

    Attributes
    ----------
    version, versions
        Those of the stored thread and messages when an import was saved last; 0 for what was not
        stored.
    whole
        Whether all that was stored was then as the source says, in its order, and nothing more.
    parts
        The bytes that the store has.
    """

    version: int = 0
    versions: list[int] = field(default_factory=list)
    whole: bool = False
    parts: dict[int, bytes] = field(default_factory=dict, repr=False)

    @classmethod
    def of_stored(cls, thread: Any) -> ChatRecord:
        """Return what one can tell of a stored thread of which nothing was noted.

        Notes
        -----
        What came from an import has a UUIDv5. What was never changed since is as its source said,
        of the rest nobody knows. When the source has changed the thread, nobody else has said.
        """
        messages = [m for m in thread.messages if m.ecs_id.version == 5]
        said = Said.of(thread, messages)
        found = cls.of_said(said)
        for n, message in enumerate(messages):
            if message.version > 1:
                found.table.rows[n] = UNKNOWN
        if thread.version > 1:
            found.thread = dict.fromkeys(said.thread, UNKNOWN)
            found.thread["updated_at"] = said.thread["updated_at"]
        return found

    @classmethod
    def of_said(cls, said: Said) -> ChatRecord:
        """Return what a source has said, of a chat that is not stored."""
        return cls(
            thread=said.thread,
            ids=said.ids,
            table=DigestTable(said.table.names, said.table.rows.copy()),
            updated=said.updated,
            last=said.last,
            known=said.marks,
            versions=[0] * len(said.ids),
        )

    @classmethod
    def unknown(cls) -> ChatRecord:
        """Return what is known of a chat of which nobody has said anything."""
        names = ("role", "content", "author", "created_at", "source_id", PARENT)
        return cls(thread={}, ids=[], table=DigestTable(names, np.zeros((0, 6), dtype=np.uint32)))

    def of_some(self, saved: set[int], thread: Any, before: ChatRecord) -> ChatRecord:
        """Return what was said by now of what was saved, and what was said before of the rest.

        Parameters
        ----------
        saved
            Which live objects were saved.
        thread
            The live thread.
        before
            What was said before.
        """
        names = tuple(dict.fromkeys((*self.table.names, *before.table.names)))
        now, rows = self.table.under(names), before.table.under(names)
        place = {ecs_id: n for n, ecs_id in enumerate(before.ids)}
        there = {message.ecs_id for message in thread.messages if id(message) in saved}
        some = [n for n, ecs_id in enumerate(self.ids) if ecs_id in there or ecs_id in place]
        ids = [self.ids[n] for n in some]
        chosen = [now[n] if i in there else rows[place[i]] for n, i in zip(some, ids, strict=True)]
        return replace(
            self,
            thread=self.thread if id(thread) in saved else before.thread,
            ids=ids,
            known=[self.marks[n] for n in some],
            table=DigestTable(names, np.array(chosen, dtype=np.uint32).reshape(-1, len(names))),
        )

    def settled(self, thread: Any, whole: bool | None) -> ChatRecord:
        """Return this with the versions that are stored now.

        Parameters
        ----------
        thread
            The live thread, as it was saved.
        whole
            Whether that is as the source says; None if that is not known.
        """
        now = {message.ecs_id: message.version for message in thread.messages}
        if whole is None:
            whole = Said.of(thread, thread.messages).says_the_same(self)
        return replace(
            self,
            version=thread.version,
            versions=[now.get(ecs_id, 0) for ecs_id in self.ids],
            whole=whole,
        )

    @classmethod
    def read(cls, parts: Mapping[int, bytes]) -> ChatRecord | None:
        """Return what was noted; None if it is damaged."""
        try:
            return cls._read(parts)
        except (zlib.error, ValueError, KeyError, TypeError, IndexError, RecursionError):
            return None

    @classmethod
    def _read(cls, parts: Mapping[int, bytes]) -> ChatRecord:
        raw = {number: zlib.decompress(part) for number, part in parts.items()}
        head, _, _ = raw[0].partition(b"\n")
        told = json.loads(head)
        count, names = int(told["count"]), tuple(map(str, told["names"]))
        ids: list[UUID] = []
        marks: list[int] = []
        versions: list[int] = []
        tables: list[Digests] = []
        for number in range(-(-count // PART) or 1):
            body = raw[number][len(head) + 1 :] if number == 0 else raw[number]
            size = min(PART, count - number * PART)
            if len(body) != size * (28 + 4 * len(names)):
                raise ValueError("a part of another length")
            ids += [UUID(bytes=body[n : n + 16]) for n in range(0, 16 * size, 16)]
            marks += np.frombuffer(body, "<u8", size, 16 * size).tolist()
            versions += np.frombuffer(body, "<u4", size, 24 * size).tolist()
            digests = np.frombuffer(body, "<u4", size * len(names), 28 * size)
            tables.append(digests.reshape(len(names), size).T)
        return cls(
            thread={str(name): int(value) for name, value in told["thread"].items()},
            ids=ids,
            known=marks,
            table=DigestTable(names, np.ascontiguousarray(np.concatenate(tables), dtype=np.uint32)),
            updated=_time(told["updated"]),
            last=_time(told["last"]),
            version=int(told["version"]),
            versions=versions,
            whole=told["whole"] is True,
            parts=raw,
        )

    def written(self) -> dict[int, bytes]:
        """Return the parts that a store has not yet as they are, packed."""
        head = {
            "count": len(self.ids),
            "names": self.table.names,
            "thread": self.thread,
            "updated": None if self.updated is None else self.updated.isoformat(),
            "last": None if self.last is None else self.last.isoformat(),
            "version": self.version,
            "whole": self.whole,
        }
        found: dict[int, bytes] = {}
        for number, start in enumerate(range(0, len(self.ids) or 1, PART)):
            some = slice(start, start + PART)
            body = b"".join(
                (
                    json.dumps(head).encode() + b"\n" if not number else b"",
                    *(ecs_id.bytes for ecs_id in self.ids[some]),
                    np.array(self.marks[some], "<u8").tobytes(),
                    np.array(self.versions[some], "<u4").tobytes(),
                    self.table.rows[some].T.astype("<u4").tobytes(),
                )
            )
            if self.parts.get(number) != body:
                found[number] = zlib.compress(body, 1)
        return found


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
