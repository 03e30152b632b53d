"""Which store it is, and how far it has come: what tells a transaction that it is another one."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

NEWEST = ("newest", "newest_seal", "seen_seal")
"""The names of what `newest_and` selects."""

SEEN = "seen_number"
"""The parameter of its query: the number of the newest revision that was seen."""


@dataclass(slots=True)
class Begun:
    """What was known of a store when a transaction began: another may know more since.

    Attributes
    ----------
    known
        Which store it is.
    newest
        Number and seal of the newest revision that was seen.
    looked
        Whether the transaction has looked which is the newest now. Later it may be its own.
    went_back
        Whether it found the store without the one that was seen.
    found
        Number and seal of the newest revision that it found, and the seal of the tables.
    """

    known: str | None
    newest: tuple[int, bytes] | None
    looked: bool = False
    went_back: bool = False
    found: tuple[int, bytes, str | None] | None = None


class StoreIdentity:
    """Which store it is: one for all catalogs of a store, whatever their transactions find.

    Parameters
    ----------
    remembers
        Whether what a transaction finds is remembered. Not where one may find what a session has
        not committed.

    Attributes
    ----------
    known
        As it was found, or made by a transaction that has ended well.
    newest
        The newest revision that was seen, number and seal. A backup that is put back in place is
        the same store, and may get other revisions of the same numbers.
    given, giving
        What a transaction gives that may be rolled back yet, and that transaction.
    """

    def __init__(self, *, remembers: bool) -> None:
        self.known: str | None = None
        self.newest: tuple[int, bytes] | None = None
        self.given: str | None = None
        self.giving: weakref.ref[Connection] | None = None
        self._remembers = remembers
        self._begun: weakref.WeakKeyDictionary[Connection, Begun] = weakref.WeakKeyDictionary()

    def begin(self, conn: Connection) -> Begun:
        """Return what was known when a transaction began."""
        return self._begun.setdefault(conn, Begun(self.known, self.newest))

    def look_back(
        self, begun: Begun, tables: str | None, number: Any, seal: Any, seen_seal: Any
    ) -> None:
        """Find out whether a store went back; if not, remember its newest revision.

        Parameters
        ----------
        begun
            What was known.
        tables
            The seal of the tables.
        number, seal, seen_seal
            What `newest_and` selects, as it stands in the store.
        """
        if begun.looked:
            return
        begun.looked = True
        if type(number) is int and isinstance(seal, bytes):
            begun.found = number, seal, tables
        if begun.newest is not None:
            # The number alone may be missing: pruned, since nothing speaks of it any more.
            lower = number is None or (type(number) is int and number < begun.newest[0])
            begun.went_back = lower or (seen_seal is not None and seen_seal != begun.newest[1])
        if not begun.went_back and type(number) is int and isinstance(seal, bytes):
            self.remember(number, seal)

    def remember(self, number: int, seal: bytes) -> None:
        """Take a revision for the newest, unless another thread has seen a newer one."""
        if self._remembers and (self.newest is None or number > self.newest[0]):
            self.newest = number, seal


def newest_and(revisions: sa.Table) -> list[Any]:
    """Return columns that select the newest revision, its seal, and the seal of the one `SEEN`."""
    of = revisions.alias("newest_revision")
    newest = sa.select(sa.func.max(of.c.number)).scalar_subquery()
    c, seen = revisions.c, sa.bindparam(SEEN, type_=revisions.c.number.type)
    wanted = (
        newest,
        sa.select(c.seal).where(c.number == newest).scalar_subquery(),
        sa.select(c.seal).where(c.number == seen).scalar_subquery(),
    )
    return [column.label(name) for column, name in zip(wanted, NEWEST, strict=True)]
