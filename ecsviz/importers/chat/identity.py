"""Which chat is which: UUIDs of threads and messages, the same for every export of one chat.

A thread goes by its id where that is unique in the world (``draft.within == ""``: a UUID or the
like); else by its id, what that is unique in (an account), or how the chat begins; without an id by
how it begins. A message goes by its thread and its id, or else by what it answers and its words.

Here a chat gets the UUID that one file tells. Which stored thread it is, whatever UUID that has, is
found out in `finding`.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any
from uuid import UUID, uuid5

from ecsviz.importers.chat.drafts import DraftMessage, DraftThread

NAMESPACE = UUID("adb8d415-7a0b-4781-b21c-e26695111a29")
"""The UUIDv5 namespace of imported chats. Never change it: stored chats would not be found."""

_GLOBAL = re.compile(
    r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9A-HJKMNP-TV-Za-z]{26}"
)


@dataclass(frozen=True, slots=True)
class ThreadKey:
    """What a thread goes by.

    Attributes
    ----------
    format
        The name of its format.
    parts
        Its id, or how it begins, or both and what the id is unique in.
    times
        The how many-th of the same parts: 1 for all but those that cannot be told apart.
    in_account
        Whether the source says in which account its id is unique.
    """

    format: str
    parts: tuple[str, ...]
    times: int = 1
    in_account: bool = field(default=False, compare=False)

    @classmethod
    def of(cls, format: str, draft: DraftThread) -> ThreadKey:  # noqa: A002 - as it is called
        """Return the key of a draft.

        Parameters
        ----------
        format
            The name of its format.
        draft
            The thread.
        """
        if not draft.id:
            return cls(format, (beginning(draft),))
        if draft.within == "" or (draft.within is None and is_unique(draft.id)):
            return cls(format, ("", draft.id))
        scope = draft.within or beginning(draft)
        return cls(format, (scope, draft.id), in_account=bool(draft.within))

    @property
    def is_unique(self) -> bool:
        """Whether it is an id that is unique in the world."""
        return len(self.parts) == 2 and not self.parts[0]

    @property
    def is_sure(self) -> bool:
        """Whether no other chat can have it: unique in the world, or in an account."""
        return self.is_unique or self.in_account

    @property
    def list(self) -> list[str | int]:
        """The key as the list that ids are made of."""
        if len(self.parts) == 1:
            return ["", *self.parts, self.times]
        scope, ident = self.parts
        if scope:
            return ["", scope, ident, self.times]
        return [ident] if self.times == 1 else [ident, self.times]

    @property
    def ecs_id(self) -> UUID:
        """The thread's id."""
        return chat_id(self.format, self.list)


def chat_id(*parts: object) -> UUID:
    """Return the UUID of a format, a thread's key, and a message's."""
    # As a JSON list: no two lists of parts give the same text, and it is ASCII.
    return uuid5(NAMESPACE, json.dumps(parts))


def is_unique(ident: str) -> bool:
    """Tell whether an id is unique wherever it comes from: a UUID or a ULID.

    Examples
    --------
    >>> is_unique("1c6f0d2e-6a8b-4b62-93a5-0a9d5d3f8c11"), is_unique("default")
    (True, False)
    """
    return _GLOBAL.fullmatch(ident) is not None


def moment(when: datetime | None, zone: tzinfo) -> datetime | None:
    """Return a time with its zone; a wall clock shows that of `zone`."""
    if when is None or when.tzinfo is not None:
        return when
    try:
        return when.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:  # in the first hours of the year 1, or the last of 9999
        return when.replace(tzinfo=UTC)


def beginning(draft: DraftThread) -> str:
    """Return what does not change when a chat goes on: all up to the first word of a user."""
    keyed = bool(draft.messages) and draft.messages[0].key is not None
    created = moment(draft.created_at, UTC)
    start: list[Any] = [str(created) if created and not keyed else None]
    if not draft.messages:
        return _hash([*start, draft.title])
    for message in draft.messages:
        start.append([message.id, *words(message)])
        if message.role == "user":
            break
        if len(start) > 10:  # a system's prompt and a few of its like
            break
    return _hash(start)


def words(message: DraftMessage) -> list[str | None]:
    """Return what a message without an id goes by, beside what it answers."""
    if message.key is not None:
        return [message.key]
    when = moment(message.created_at, UTC)  # as it stands, whatever zone is meant
    return [message.role, message.author, message.content, when.isoformat() if when else None]


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
