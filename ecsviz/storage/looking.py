"""What the rooms above ask of any store besides its entities: its inside, in plain data.

``store.inside`` answers it, for the storage in memory and the one on SQLAlchemy alike. A class need
not be defined here: the store itself knows its fields.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

from ecsviz.domain.walk import Walk
from ecsviz.storage.as_of import AsOf
from ecsviz.storage.protocol import Extent
from ecsviz.storage.search import Search
from ecsviz.storage.spans import Past
from ecsviz.storage.words import MOST_TERMS

SOUGHT: Final = 1_000
"""How many characters of a search are looked for: databases bound their patterns."""


class Contents(NamedTuple):
    """What a store holds, for people: where it is, its types, its last change.

    Attributes
    ----------
    where
        The file or the address, without a password.
    types
        Type, table (or None) and number of entities.
    revisions
        How many.
    last
        When the last one was (UTC), and its note.
    """

    where: str
    types: list[tuple[str, str | None, int]]
    revisions: int = 0
    last: tuple[datetime, str | None] | None = None


@dataclass(frozen=True, slots=True)
class StoredClass:
    """A class of a store: its name, how many entities it has, and whether it is defined here."""

    name: str
    count: int
    defined: bool


@dataclass(frozen=True, slots=True)
class PageColumn:
    """A column of a page.

    Attributes
    ----------
    name
        The field.
    kind
        ``text``, ``number``, ``yes`` (or no), ``time``, ``other``, or ``entity``.
    """

    name: str
    kind: str

    @property
    def sorts(self) -> bool:
        """Whether there is an order of its values."""
        return self.kind not in ("entity", "other")


@dataclass(frozen=True, slots=True)
class Page:
    """Some entities of a class, a row each.

    Attributes
    ----------
    columns
        The fields that hold one value each.
    ids
        Per row the ``ecs_id``.
    rows
        Per row the cells: of ``entity`` columns the ``ecs_id``, else what Python has.
    total
        How many rows fit in all.
    """

    columns: list[PageColumn]
    ids: list[UUID]
    rows: list[list[Any]]
    total: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which page: of what fits a search, in the order of a column, from a row on.

    A search looks for words in texts that are indexed, in others for a part of them, or for how
    several words begin; or for an id.
    """

    search: str = ""
    order_by: str = ""
    first: int = 0
    size: int = 50

    @property
    def sought(self) -> str:
        """What is looked for in texts; empty for everything."""
        return self.search.strip()[:SOUGHT]

    @property
    def words(self) -> list[str]:
        """The words, and what stands in quotation marks, if it is not just one word."""
        found: list[str] = []
        for number, part in enumerate(self.sought.split('"')):
            found += [part.strip()] if number % 2 else part.replace("*", " ").split()
        found = [word for word in found if word][:MOST_TERMS]
        return [] if found == [self.sought] else found


class Identity(NamedTuple):
    """Who a stored entity is, and what it has in some fields.

    Attributes
    ----------
    key
        As `ecsviz.storage.matching.keys_of` gives it; None if it has None in all of the fields.
    """

    cls: type
    ecs_id: UUID
    lineage_id: UUID
    parent_id: UUID | None
    version: int
    key: Hashable


class Origins(Protocol):
    """What sources have said of entities, as importers note it: no state of theirs, no history.

    Parts of bytes, numbered, under the id of an entity, which may be gone.
    """

    @property
    def store(self) -> str | None:
        """Which store it is, whoever opens it; None if it is this very object alone."""

    def hold(self) -> AbstractContextManager[Any]:
        """Hold the store: nobody else saves between what is read and what is saved inside."""

    def of(self, ids: list[UUID]) -> dict[UUID, dict[int, bytes]]:
        """Return what was noted of some entities: per entity, its parts by their numbers."""

    def keep(self, parts: Mapping[tuple[UUID, int], bytes]) -> None:
        """Note parts in the place of those that there are. It makes no revision."""


class Inside(Protocol):
    """The inside of a store: what the methods of all stores, pictures and widgets ask of it.

    Attributes
    ----------
    blocks
        The blocks of transactions that are open, the outermost first.
    """

    blocks: list[Any]

    @property
    def origins(self) -> Origins:
        """What is noted of where entities come from."""

    def one_state(self) -> AbstractContextManager[Any]:
        """Hold one state of the store: what is read inside fits together."""

    def check_open(self) -> None:
        """Raise StorageClosedError if the store was closed."""

    def check_writable(self, alone: str = "") -> None:
        """Raise StorageReadOnlyError if nothing may be written, before anything is done.

        Parameters
        ----------
        alone
            What is to be called, if it cannot be one of several calls: TransactionError.
        """

    def begin(self, note: str | None) -> None:
        """Begin a transaction of several calls, or a part of the one that is open."""

    def end(self, *, well: bool) -> None:
        """End what was begun last: carry it out, or take it back."""

    def watch(self, entities: Iterable[Any]) -> None:
        """Note live objects that have taken over what was read: an open transaction may go back."""

    def on_back(self, call: Callable[[], None]) -> None:
        """Call something if the open transaction is taken back, or the part of it that is open."""

    def walk(self, roots: list[Any]) -> Walk:
        """Walk entities that are to be saved, as `walk_to_save` does."""

    def save(
        self,
        found: Walk,
        note: str | None,
        added_since: AsOf = None,
        alone: int | None = None,
    ) -> None:
        """Store a walk; deleted entities of version 0 come back.

        Parameters
        ----------
        found, note
            What `register` was given.
        added_since
            What was not stored then, and is left without a holder that it requires, is deleted;
            None refuses that.
        alone
            How many entities of the walk are saved, the first of them; None for all.
        """

    # -- asking ------------------------------------------------------------------------------

    def read(self, ids: list[UUID], extent: Extent, as_of: AsOf) -> list[Any]:
        """Return the entities of some ids, in their order, with what they lead to.

        Raises
        ------
        EntityNotFoundError
            If one is not stored.
        """

    def find(self, wanted: Search, extent: Extent, as_of: AsOf) -> list[Any]:
        """Return the entities that fit, with what they lead to.

        Parameters
        ----------
        wanted
            What is looked for; checked as far as the class alone tells.
        extent, as_of
            What of it, and when.
        """

    def count(self, wanted: Search, as_of: AsOf) -> int:
        """Return how many entities fit, up to the limit."""

    def batches(
        self, wanted: Search, size: int, extent: Extent, as_of: AsOf
    ) -> Iterator[list[Any]]:
        """Yield the entities that fit, some at a time, all as of the revision at the call."""

    # -- ids and versions --------------------------------------------------------------------

    def identities(
        self, cls: type, names: Sequence[str], columns: Sequence[list[Any]], ids: Collection[UUID]
    ) -> list[Identity]:
        """Return who is stored of a class and its subclasses with some values, or ids.

        Parameters
        ----------
        cls, names
            The class, and its fields that hold one value or one entity.
        columns
            Per field what is looked for; of an entity its id. Who has one of these in every field
            is there, and perhaps others.
        ids
            Who is looked for besides.
        """

    def every_id(self, as_of: AsOf) -> list[UUID]:
        """Return the ids of everything that is, or was, stored."""

    def stored_versions(self, ids: list[UUID]) -> dict[UUID, int]:
        """Return the versions of those that are stored."""

    def first_revisions(self, ids: list[UUID]) -> dict[tuple[UUID, int], int]:
        """Return for every version of some entities the revision that made it."""

    def past(self, ecs_id: UUID) -> tuple[Past, int]:
        """Return the past of an entity, and the oldest revision that is kept of the store."""

    # -- looking -----------------------------------------------------------------------------

    def contents(self) -> Contents:
        """Return what is stored, for people."""

    def drawn(self) -> Any:
        """Return what a picture of the schema shows: a ``MetaData``, or entity classes."""

    def classes(self) -> list[StoredClass]:
        """Return the stored classes, by name."""

    def columns(self, name: str) -> list[PageColumn]:
        """Return the columns that pages of a class have."""

    def page(self, name: str, wanted: Wanted) -> Page:
        """Return a page of a class."""

    def class_of(self, ecs_id: UUID) -> str | None:
        """Return the name of the class of an entity, None if it is not stored."""

    def place(self, name: str, ecs_id: UUID) -> int:
        """Return how many entities of a class were stored before one; 0 if it is gone."""

    def holders(self, ecs_id: UUID, limit: int) -> tuple[list[UUID], int]:
        """Return the first entities that hold one, and how many do.

        Parameters
        ----------
        ecs_id
            What is held.
        limit
            How many to return: by class, those stored first; none of classes that are not
            defined here.
        """
