"""What is to be done as soon as a transaction of somebody's session is carried out."""

from __future__ import annotations

from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session, SessionTransaction

_WAITING = "ecs_waiting"
"""Under which key of a session's ``info`` stands what waits for its transactions."""


class Unfinished(Protocol):
    """What has something to do yet when the transaction that it was done in is carried out."""

    def finish(self) -> None:
        """Do it."""


def when_committed(session: Session, what: Unfinished) -> None:
    """Finish something when what a session's transaction has done until now is carried out.

    Notes
    -----
    Once at most: not if the transaction, or the savepoint that is open now, is taken back or
    closed; nor for what the session does in a later one.
    """
    waiting = session.info.get(_WAITING)
    if waiting is None:
        waiting = session.info[_WAITING] = _UntilCommitted()
        sa.event.listen(session, "after_commit", waiting.committed)
        sa.event.listen(session, "after_transaction_end", waiting.ended)
    innermost = session.get_nested_transaction() or session.get_transaction()
    waiting.these.append((innermost, what))


def unfinished(session: Session) -> list[Unfinished]:
    """Return what waits for a session's transaction, in order."""
    waiting = session.info.get(_WAITING)
    return [] if waiting is None else [what for _, what in waiting.these]


class _UntilCommitted:
    """What waits, and for which transaction."""

    def __init__(self) -> None:
        self.these: list[tuple[SessionTransaction | None, Unfinished]] = []

    def committed(self, session: Session) -> None:
        """Do what waits; if a savepoint was released, let it wait for what that stands in."""
        inner = session.get_nested_transaction()
        if inner is None:
            done, self.these = self.these, []
            for _, what in done:
                what.finish()
        else:
            outer = _around(inner)
            self.these = [(outer if of is inner else of, what) for of, what in self.these]

    def ended(self, _: Session, transaction: SessionTransaction) -> None:
        """Forget what waits for a transaction that was not carried out."""
        self.these = [(of, what) for of, what in self.these if of is not transaction]


def _around(transaction: Any) -> SessionTransaction | None:
    """Return the savepoint, or the transaction, in which a savepoint stands."""
    outer = transaction.parent
    while outer is not None and not outer.nested and outer.parent is not None:
        outer = outer.parent  # what a flush begins
    found: SessionTransaction | None = outer
    return found
