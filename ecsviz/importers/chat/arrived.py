"""What arrives in a store: an import as a whole, where its threads come from, what is known."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from ecsviz.errors import EntityNotFoundError, short_repr
from ecsviz.importers.chat.identity import ThreadKey
from ecsviz.importers.chat.live import LiveChat
from ecsviz.importers.chat.said import ChatRecord, Said
from ecsviz.importers.chat.source import ChatProblem

if TYPE_CHECKING:
    from ecsviz.storage.comparing import VersionedStorage

AMBIGUOUS = "another chat goes by it; kept as a thread of its own"

CONFLICT = "changed in the store, and in the source since; the store's is kept"

DELETED = "deleted in the store; left out (a fork of it would be stored)"


class ChatImportWarning(UserWarning):
    """Something of a chat could not be placed as its source has it, or is not stored."""


def left_out_of(store: VersionedStorage, some: list[Any]) -> str:
    """Return the text of a warning of what was deleted in a store, and is not stored again."""
    first = some[0]
    named = short_repr(first.source_id or getattr(first, "title", None) or str(first.ecs_id))
    more = f" and {len(some) - 1:,} more" if len(some) > 1 else ""
    try:
        last = int(store.history(first.ecs_id)["revision"].iloc[-1]) - 1
        way = f"store.revert({str(first.ecs_id)!r}, to={last}), or "
    except EntityNotFoundError:  # its past was pruned
        way = ""
    return (
        f"{type(first).__name__} {named}{more} was deleted in this store, and is not stored again."
        f" To have it again, {way}register what its fork(deep=True) returns: a copy with ids of its"
        " own. The import's .problems tell of the rest."
    )


@dataclass(slots=True, eq=False)
class ImportedTogether:
    """An import as a whole, of which each thread knows.

    Attributes
    ----------
    problems
        Told what is kept of a store, and what is ambiguous.
    taken
        Per store which stored threads are threads of this import.
    left_out
        What was given to a store and was deleted there, where that is told at the end; None if it
        is warned of at once.
    """

    problems: list[ChatProblem]
    left_out: list[Any] | None = None
    taken: weakref.WeakKeyDictionary[Any, dict[UUID, weakref.ref[Any]]] = field(
        default_factory=weakref.WeakKeyDictionary
    )
    _told: set[ChatProblem] = field(default_factory=set)

    def tell(self, problem: ChatProblem) -> None:
        """Tell something, once."""
        if problem not in self._told:
            self._told.add(problem)
            self.problems.append(problem)


@dataclass(slots=True, eq=False)
class SourceOrigin:
    """Where a thread comes from; see `ecsviz.storage.arriving.Origin`.

    Attributes
    ----------
    key
        What the thread goes by.
    file
        Where it was read.
    whole
        The import that it is a part of.
    held
        What the source says.
    settled
        In which stores it was saved, and in which version.
    known
        The same by what the stores are called, as whoever opens one of them later is told.
    """

    key: ThreadKey
    file: str
    whole: ImportedTogether
    held: LiveChat
    settled: weakref.WeakKeyDictionary[Any, int] = field(default_factory=weakref.WeakKeyDictionary)
    known: dict[str, int] = field(default_factory=dict)

    @property
    def is_sure(self) -> bool:
        """Whether no other chat can have its id."""
        return self.key.is_unique and self.key.times == 1

    def is_settled(self, store: VersionedStorage, entity: Any) -> bool:
        """Tell whether it was saved in a store, and goes on as any other entity."""
        version = self.settled.get(store)
        if version is None and self.known:
            version = self.known.get(store.inside.origins.store or "")
        return version is not None and bool(entity.__dict__.get("version", 0) >= version)

    def settle(self, store: VersionedStorage, version: int) -> None:
        """Note that it was saved in a store."""
        self.settled[store] = version
        if name := store.inside.origins.store:
            self.known[name] = version

    def twin(self, of: Callable[[Any], Any]) -> Self:
        """Return the origin of a copy."""
        held, to = self.held, {id(e): id(of(e)) for e in (*self.held.messages, *self.held.added)}
        to[id(held.thread)] = id(of(held.thread))
        twin = replace(
            held,
            thread=of(held.thread),
            messages=[of(message) for message in held.messages],
            added=[of(message) for message in held.added],
            left={to[i]: dict(left) for i, left in held.left.items() if i in to},
            kept={to[i]: dict(kept) for i, kept in held.kept.items() if i in to},
        )
        settled = weakref.WeakKeyDictionary(self.settled)
        return replace(self, held=twin, settled=settled, known=dict(self.known))


@dataclass(slots=True, eq=False)
class Candidate:
    """What the store has of a thread that may be the one that arrives.

    Attributes
    ----------
    ecs_id
        Its id.
    record
        What its source said.
    version
        Its version; 0 if it was deleted.
    thread
        The stored thread, once it is read.
    """

    ecs_id: UUID
    record: ChatRecord
    version: int
    thread: Any = None


@dataclass(slots=True, eq=False)
class Arriving:
    """A thread on its way into a store.

    Attributes
    ----------
    thread, origin
        The thread, and where it comes from.
    rivals
        Whether the store has threads that go by the same and are others.
    found
        What the store has of it.
    like
        Which stored threads may be it.
    at
        Which of its messages were said before.
    record
        What was said by now.
    whole
        Whether what is going to be stored is as the source says; None if that is not known.
    problems
        What is to be told of it.
    """

    thread: Any
    origin: SourceOrigin
    rivals: bool = False
    found: Candidate | None = None
    like: list[UUID] = field(default_factory=list)
    at: list[int] = field(default_factory=list)
    record: ChatRecord | None = None
    whole: bool | None = None
    problems: list[ChatProblem] = field(default_factory=list)

    @property
    def said(self) -> Said:
        """What the source says."""
        return self.origin.held.said

    @property
    def ids(self) -> list[UUID]:
        """The ids of its messages, if they are new."""
        held = self.origin.held
        if self.thread.ecs_id == held.own_id:
            return self.said.ids
        return [held.id_in(self.thread.ecs_id, n) for n in range(len(held.messages))]

    @property
    def is_one_of_several(self) -> bool:
        """Whether others go by the same."""
        return self.rivals or self.origin.key.times > 1

    @property
    def is_deleted(self) -> bool:
        """Whether it was deleted in the store."""
        return self.found is not None and not self.found.version

    @property
    def label(self) -> str | None:
        """What problems call it."""
        return self.thread.source_id or self.thread.title or None

    def tell(self, what: str, why: str, node: str | None = None, said: Any = None) -> None:
        """Tell something of it."""
        problem = ChatProblem(self.label, node, what, why, self.origin.file, said)
        self.problems.append(problem)
