"""Chats read one at a time, and stored batch by batch, so that large exports take little memory."""

from __future__ import annotations

import gc
import warnings
import weakref
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from operator import sub
from typing import TYPE_CHECKING, Any, Final

from ecsviz.basics.garbage import collector_paused
from ecsviz.basics.outside import outside
from ecsviz.basics.text import counted
from ecsviz.domain.chat import ChatThread
from ecsviz.errors import InvalidArgumentError
from ecsviz.importers.chat.arrived import ChatImportWarning, left_out_of
from ecsviz.importers.chat.places import ChatProblem
from ecsviz.importers.chat.reading import ChatReader
from ecsviz.importers.chat.source import Source
from ecsviz.storage.remembered import forgetful
from ecsviz.storage.together import written_here

if TYPE_CHECKING:
    import pandas as pd

BATCH: Final = 4_000
"""How many messages are stored at a time: the statements for them take little beside the rows."""


@dataclass(slots=True)
class StoredChats:
    """What became of a stream in a store.

    Attributes
    ----------
    threads, entities
        How many were read; the entities are threads and messages.
    added, changed
        How many of the entities the store did not have, or had otherwise.
    """

    threads: int = 0
    entities: int = 0
    added: int = 0
    changed: int = 0


class ChatStream(Iterator[ChatThread]):
    """The threads of files, each read when it is asked for; `iterate_chats` makes it.

    Attributes
    ----------
    problems
        What could not be placed as the source has it, as of `read_chat`; complete at the end.
    stored
        What `register` has done with it, in numbers.
    kept
        Those of the ``problems`` that came while it was stored: of what the store has otherwise.
    """

    def __init__(
        self, reader: ChatReader, sources: list[Source], name: str, opened: ExitStack
    ) -> None:
        self.stored = StoredChats()
        self.kept: list[ChatProblem] = []
        self._reader = reader
        self._steps = reader.read(sources)
        self._name = name
        self._close = weakref.finalize(self, opened.close)

    @property
    def problems(self) -> list[ChatProblem]:
        """What could not be placed as the source has it, as far as it was read."""
        return self._reader.found.problems

    def report(self) -> pd.DataFrame:
        """Return what became of everything that was read so far; see `ChatImport.report`."""
        return self._reader.found.report()

    def close(self) -> None:
        """Close the files; nothing more is read."""
        self._steps.close()  # type: ignore[attr-defined]  # it is a generator
        self._close()

    def __enter__(self) -> ChatStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> ChatStream:
        return self

    def __next__(self) -> ChatThread:
        found = self._reader.found
        while not found:
            if not self._step():
                raise StopIteration
        thread = found[0]
        self._reader.forget()
        return thread

    def __repr__(self) -> str:
        state = "" if self._close.alive else ", at its end"
        return f"<ChatStream of {self._name}{state}, {counted(len(self.problems), 'problem')}>"

    def _step(self) -> bool:
        """Read on, and tell whether there was more."""
        try:
            with collector_paused():
                more = next(self._steps, self) is None
        except BaseException:
            self.close()
            raise
        if not more and self._close.alive:
            self.close()
            if told := self._reader.warning(self._name, self.kept):
                warnings.warn(told, ChatImportWarning, stacklevel=outside())
        return more

    # -- storing -----------------------------------------------------------------------------

    def register_into(
        self,
        store: Any,
        note: str | None = None,
        *,
        hops: int | None = None,
        match: Any = None,
        progress: bool | None = None,
    ) -> ChatStream:
        """Store the threads, batch by batch, in one transaction; `register` of a store does so.

        Parameters
        ----------
        store
            The store.
        note
            What the revision is about.
        hops, match
            None: chats are saved with all that they hold, and found by what they are.
        progress
            Whether a bar shows how much is read; None leaves it as `iterate_chats` was told.

        Returns
        -------
        ChatStream
            This one, at its end. `stored` says what was done.

        Notes
        -----
        Each thread is fitted to what the store has of the same chat, as always. What is stored is
        forgotten: the memory that is taken depends on the longest thread, and until the end some
        hundred bytes a message, by which the transaction could be taken back. Statements per
        batch of some thousand messages.
        """
        if hops is not None or match is not None:
            raise InvalidArgumentError(
                "hops and match do not go with a stream of chats, which are found by what they"
                " are. Leave them out, or give the list that ev.read_chat returns.",
                argument="hops" if hops is not None else "match",
                value=hops if hops is not None else match,
            )
        if progress is not None:
            self._reader.progress = progress
        left_out: list[Any] = []
        self._reader.whole.left_out = left_out
        with collector_paused(), store.transaction(note=note), forgetful():
            before = written_here()
            while self._fill():
                self._save(store)
                self._reader.forget()
                gc.collect(1)  # they hold each other; none is so old that it would stay
            added, changed, _ = map(sub, written_here(), before)
            if left_out:
                warnings.warn(left_out_of(store, left_out), ChatImportWarning, outside())
        self.stored.added, self.stored.changed = added, changed
        return self

    def _fill(self) -> bool:
        """Read a batch of threads, and tell whether there are any."""
        found, messages, known = self._reader.found, 0, 0
        while messages < BATCH and self._step():
            messages += sum(len(thread.messages) for thread in found[known:])
            known = len(found)
        return bool(found)

    def _save(self, store: Any) -> None:
        found, known = self._reader.found, len(self.problems)
        store.register(list(found), progress=False)
        self.kept += self.problems[known:]
        self.stored.threads += len(found)
        entities = chain(found, chain.from_iterable(each.messages for each in found))
        self.stored.entities += sum(bool(entity.version) for entity in entities)
