"""What the chat formats share: the protocol, drafts of threads and messages, times and titles.

A format yields a `DraftThread` for every chat that it finds. Ids, duplicates, times, warnings,
limits and the report are dealt with elsewhere, once for all of them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from ecsviz.domain.chat import MessagePart
from ecsviz.importers.chat.clock import spoken_time
from ecsviz.importers.chat.source import Place, Source

TITLE_LENGTH = 60

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_NUMBER = re.compile(r"\d{9,12}|\d{1,12}\.\d{1,9}")
"""Seconds as a text; eight digits are a date."""

_NUMBERS = (int, float)

_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")

_MILLISECONDS = re.compile(r"\d{13}")

_MONGO = frozenset({"$date", "$numberLong"})
"""How MongoDB calls what it wraps in objects."""


@dataclass(frozen=True, slots=True)
class Claim:
    """How sure a format is that a file is its own, and by what; false if it is not.

    Attributes
    ----------
    score
        1 for what only this format has, `LIKELY` for what others may have, `GENERAL` for what
        others build upon, `DOUBTFUL` for what may be no chat at all, which is told, 0 for
        another's file. The highest reads the file.
    reason
        What was found; the report of an import shows it.

    Examples
    --------
    >>> bool(Claim(0.5, "a list of talks")), bool(NO_CLAIM)
    (True, False)
    """

    score: float
    reason: str

    def __bool__(self) -> bool:
        return self.score > 0


LIKELY, GENERAL, DOUBTFUL = 0.5, 0.2, 0.1

NO_CLAIM = Claim(0, "")


def claim(found: object, reason: str, score: float = 1) -> Claim:
    """Return a claim if something was found.

    Parameters
    ----------
    found
        Whether it was.
    reason, score
        See `Claim`.
    """
    return Claim(score, reason) if found else NO_CLAIM


class ChatFormat(Protocol):
    """What a format must offer.

    Attributes
    ----------
    name
        What ``format=`` takes, and the threads' ``source``.
    title
        What it is called in a sentence.

    Notes
    -----
    A format of things that others build upon, such as any list of messages, has
    ``general = True`` as well: what another format recognises too is the other's. One that can
    tell how sure it is, and by what, has a method ``claims(source)`` that returns a `Claim`; see
    `Claiming`.
    """

    name: str
    title: str

    def recognises(self, source: Source) -> bool:
        """Tell by the content whether a file is of this format.

        Parameters
        ----------
        source
            ``head`` is the beginning of a text, ``first`` the first JSON value or None,
            ``first_item`` the first JSON object or empty, ``tables`` the tables of a SQLite file
            or empty, ``members`` the files of a zip or folder or None. A zip or folder that no
            format recognises as a whole is read file by file.
        """

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield the threads; raise what ``Place.wrong`` returns where the file is not right."""


class Claiming:
    """The base of formats that say by what they recognise a file."""

    def claims(self, source: Source) -> Claim:
        """Tell by the content whether a file is of this format, how sure that is, and by what.

        Parameters
        ----------
        source
            As of `ChatFormat.recognises`.
        """
        raise NotImplementedError

    def recognises(self, source: Source) -> bool:
        """Tell by the content whether a file is of this format."""
        return bool(self.claims(source))


@dataclass(slots=True, kw_only=True)
class DraftMessage:
    """A message as a format found it; see `ChatMessage` for the attributes.

    Attributes
    ----------
    created_at
        Without a zone where the source shows a wall clock: `read_chat` is told which zone it is.
    id
        The message's ``source_id``.
    parent
        The position, in the thread's messages, of what it answers: before its own.
    key
        What it goes by where it has no id: by default role, author, text and time. A format that
        may read the same file otherwise when it is longer gives what stands in the file.
    content
        Where there are parts, the texts among them, by which it goes where it has no id; the
        message's own ``content`` is then what one can read of all of them.
    """

    role: str
    content: str = ""
    id: str | None = None
    parent: int | None = None
    author: str | None = None
    model: str | None = None
    created_at: datetime | None = None
    hidden: bool = False
    key: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    parts: list[MessagePart] = field(default_factory=list)
    tokens_in: int | None = None
    tokens_out: int | None = None


@dataclass(slots=True, kw_only=True)
class DraftThread:
    """A thread as a format found it; see `ChatThread` for the attributes.

    Attributes
    ----------
    id
        The thread's ``source_id``.
    within
        What the id is unique in: empty for the whole world, as a UUID is; or the id of an account
        or the like. None if the source does not say: how the chat begins then counts too.
    is_json
        Whether the metadata of the messages are JSON as it was decoded, all of it in one place
        alone, so that nobody has to look.
    is_shallow
        Whether they are known not to nest too deep, besides.
    """

    title: str = ""
    id: str | None = None
    messages: list[DraftMessage] = field(default_factory=list)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    problems: list[tuple[str | None, str, str]] = field(default_factory=list)
    within: str | None = None
    is_json: bool = False
    is_shallow: bool = False

    def add(self, message: DraftMessage) -> int:
        """Append a message and return its position, which its answers take as ``parent``."""
        self.messages.append(message)
        return len(self.messages) - 1

    def follow(self, message: DraftMessage) -> int:
        """Append a message that answers the last one, and return its position."""
        last = len(self.messages)
        message.parent = last - 1 if last else None
        self.messages.append(message)
        return last

    def follow_each(
        self,
        place: Place,
        listed: list[Any] | None,
        word: str,
        make: Callable[[DraftThread, Place, dict[str, Any]], DraftMessage],
    ) -> None:
        """Append a message for every object in a list, each answering the one before.

        Parameters
        ----------
        place
            Where the list stands.
        listed
            The list; None is empty. What of it cannot be read is left out and told.
        word
            What an object is called, in messages.
        make
            Makes the message, of this thread, the place and the object.
        """
        for number, raw in enumerate(listed or [], 1):
            here = place.at(word, number)
            with here.trying():
                self.follow(make(self, here, here.check(raw, dict, "it")))

    def tell(self, node: str | None, what: str, why: str) -> None:
        """Record what could not be placed as the source has it."""
        self.problems.append((node, what, why))

    def time(
        self,
        node: str | None,
        holder: dict[str, Any],
        key: str,
        rest: dict[str, Any],
        *,
        wall: bool = False,
    ) -> datetime | None:
        """Return the time at ``holder[key]``; what is none is told and put into `rest`."""
        raw = holder.get(key)
        if raw is None:
            return None
        found = read_time(raw, wall=wall)
        if found is None:
            rest[key] = raw
            self.tell(node, f"{key!r}", "not a time; the value is in the metadata")
        return found

    def role(self, node: str | None, raw: str | None) -> str:
        """Return a role; one that is missing is told."""
        if raw:
            return raw
        self.tell(node, "'role'", "missing; the role is 'unknown'")
        return "unknown"

    def settle(self) -> None:
        """Take title and time, where there are none, from the first message that has them."""
        if not self.title:
            said = [m for m in self.messages if m.role != "system"]
            texts = (one_line(m.content) for m in sorted(said, key=lambda m: m.hidden))
            self.title = next(filter(None, texts), "")
        if self.created_at is None:
            self.created_at = next((m.created_at for m in self.messages if m.created_at), None)


def read_time(raw: object, *, wall: bool = False) -> datetime | None:
    """Return a time in UTC, or None if `raw` is none.

    Parameters
    ----------
    raw
        Seconds or milliseconds since 1970 as a number or text, or a text in ISO 8601; without an
        offset it is UTC. Any of them may stand in an object, as MongoDB writes dates.
    wall
        A text without an offset is a wall clock, and is returned without a zone; so are times as
        programs write them for people.

    Examples
    --------
    >>> read_time(1704067200.25).isoformat(), read_time("2024-01-01T01:00:00+01:00").isoformat()
    ('2024-01-01T00:00:00.250000+00:00', '2024-01-01T00:00:00+00:00')
    >>> read_time("1704067200") == read_time(1704067200) == read_time(1704067200000)
    True
    >>> read_time("20240101").isoformat()
    '2024-01-01T00:00:00+00:00'
    >>> read_time({"$date": {"$numberLong": "1704067200000"}}) == read_time(1704067200)
    True
    >>> read_time("yesterday") is read_time(1e300) is read_time(True) is None
    True
    """
    if type(raw) is float and 0 < raw < 1e11:
        return _EPOCH + timedelta(seconds=raw)
    if isinstance(raw, dict):
        for _ in range(2):
            if isinstance(raw, dict) and len(raw) == 1 and raw.keys() & _MONGO:
                (raw,) = raw.values()
    try:
        if isinstance(raw, str):
            if _MILLISECONDS.fullmatch(raw):
                return _EPOCH + timedelta(milliseconds=int(raw))
            if _NUMBER.fullmatch(raw):
                whole, _, part = raw.partition(".")
                # Not as a float, which would move Slack's microseconds.
                micro = timedelta(microseconds=int((part + "000000")[:6]))
                return _EPOCH + timedelta(seconds=int(whole)) + micro
            spoken = spoken_time(raw) if wall else None
            when = spoken or datetime.fromisoformat(raw)
            if when.tzinfo is None:
                return when if wall else when.replace(tzinfo=UTC)
            return when.astimezone(UTC)
        if isinstance(raw, _NUMBERS) and not isinstance(raw, bool) and math.isfinite(raw):
            if 1e11 < raw < 1e14:  # as seconds, after the year 5138
                return _EPOCH + timedelta(milliseconds=raw)
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


def rest_of(holder: dict[str, Any], *placed: str) -> dict[str, Any]:
    """Return what has no place of its own: all keys but those."""
    return {key: value for key, value in holder.items() if key not in placed}


def said_of(holder: dict[str, Any], *placed: str) -> dict[str, Any]:
    """Return what has no place of its own and says something: no nulls, nothing empty.

    Examples
    --------
    >>> said_of({"id": 1, "edited": None, "pinned": True, "files": []}, "id")
    {'pinned': True}
    """
    return {k: v for k, v in rest_of(holder, *placed).items() if v not in (None, "", [], {})}


def word(holder: object, *keys: str) -> str | None:
    """Return the first text among some keys of an object; None if there is none, or no object.

    Examples
    --------
    >>> word({"name": "", "id": "a"}, "name", "id"), word(None, "name")
    ('a', None)
    """
    found = [holder.get(key) for key in keys] if isinstance(holder, dict) else []
    return next((each for each in found if isinstance(each, str) and each), None)


def dicts(listed: object) -> list[dict[str, Any]]:
    """Return the objects in a list; none if it is no list.

    Examples
    --------
    >>> dicts([{"a": 1}, None]), dicts(None)
    ([{'a': 1}], [])
    """
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def in_words(name: str) -> str:
    """Return a name of a program's in words.

    Examples
    --------
    >>> in_words("GuildMemberJoin"), in_words("create_group"), in_words("m.room.name")
    ('guild member join', 'create group', 'm room name')
    """
    spaced = _CAPITAL.sub(r" \1", name)
    return " ".join(re.split(r"[\s._/-]+", spaced)).strip().lower()


def as_json(raw: object) -> Any:
    """Return what a text holds as JSON, or the value itself if it holds none.

    Notes
    -----
    For columns of databases. What nests too deep, or has integers of too many digits, stays the
    text that it is.
    """
    if not isinstance(raw, str):
        return raw
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return raw
