"""Texts of many threads: which threads have what is looked for, and where."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import UUID

from ecsviz.domain.chat import ChatMessage, ChatThread
from ecsviz.frames.chats import read_messages
from ecsviz.storage.hits import Hit
from ecsviz.storage.looking import SOUGHT
from ecsviz.storage.stored_threads import StoredThreads
from ecsviz.storage.words import begun_words
from ecsviz.widgets.thread.texts import around

BEST: Final = 5_000
"""How many messages a store is asked for: those that fit best."""

Parts = tuple[str, str, str]
"""What stands before, at and after the place where something is found."""


@dataclass(slots=True)
class ThreadHit:
    """What was found in one thread.

    Attributes
    ----------
    message
        The first message that has it, None where the title has it.
    parts
        The place.
    count
        How many texts have it.
    """

    message: UUID | None
    parts: Parts
    count: int = 1


class Texts:
    """The texts of some threads.

    Parameters
    ----------
    threads
        A `ChatThreads` or the ``store.threads()`` of a store. A store searches by words, the last
        of which may go on; of others every part of a text counts.

    Attributes
    ----------
    is_cut
        Whether what was searched for last may stand in more than was found.
    """

    def __init__(self, threads: Any) -> None:
        self.threads = threads
        self.is_cut = False
        self._thread_of: dict[UUID, UUID] | None = None

    @property
    def by_words(self) -> bool:
        """Whether a store searches."""
        return isinstance(self.threads, StoredThreads) and self.threads.as_of is None

    def find(self, text: str) -> dict[UUID, ThreadHit]:
        """Return what was found, by the ``ecs_id`` of the thread."""
        sought, self.is_cut = text.strip()[:SOUGHT], False
        return self._by_words(sought) if self.by_words else self._by_parts(sought)

    def _by_words(self, sought: str) -> dict[UUID, ThreadHit]:
        found: dict[UUID, ThreadHit] = {}
        if begun_words(sought) is None:  # no word
            return found
        store = self.threads.store
        titles = list(store.search(f"{sought}*", ChatThread, fields="title", limit=BEST))
        for hit in titles:
            found[hit.ecs_id] = ThreadHit(None, _parts(hit))
        texts = list(store.search(f"{sought}*", ChatMessage, fields="content", limit=BEST))
        self.is_cut = BEST in (len(titles), len(texts))
        for hit in texts:
            thread = self._thread(hit.ecs_id)
            if thread is not None:
                _add(found, thread, hit.ecs_id, partial(_parts, hit))
        return found

    def _by_parts(self, sought: str) -> dict[UUID, ThreadHit]:
        read = read_messages(self.threads, ["content", "ecs_id"])
        wanted = sought.casefold()
        found: dict[UUID, ThreadHit] = {}
        for thread, title in zip(read.ids, read.titles, strict=True):
            if wanted in title.casefold():
                _add(found, thread, None, partial(_around, title, sought))
        texts = zip(
            read.thread.tolist(), read.values["ecs_id"], read.values["content"], strict=True
        )
        for number, message, content in texts:
            if wanted in content.casefold():
                _add(found, read.ids[number], message, partial(_around, content, sought))
        return found

    def _thread(self, message: UUID) -> UUID | None:
        if self._thread_of is None or message not in self._thread_of:
            read = read_messages(self.threads, ["ecs_id"])
            numbers = read.thread.tolist()
            self._thread_of = {
                each: read.ids[number]
                for each, number in zip(read.values["ecs_id"], numbers, strict=True)
            }
        return self._thread_of.get(message)


def _add(found: dict[UUID, ThreadHit], thread: UUID, message: UUID | None, parts: Any) -> None:
    there = found.get(thread)
    if there is None:
        found[thread] = ThreadHit(message, parts())
        return
    there.count += 1
    if there.message is None:
        there.message = message


def _around(text: str, sought: str) -> Parts:
    before, at, after = around(text, sought)
    return before, at, after


def _parts(hit: Hit) -> Parts:
    start, stop = hit.marks[0] if hit.marks else (0, 0)
    return hit.snippet[:start], hit.snippet[start:stop], hit.snippet[stop:]
