"""What is to be done as soon as a transaction of somebody's session is carried out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, SessionTransaction

_WAITING = "ecs_waiting"
"""Under which key of a session's ``info`` stands what waits for its transactions."""


def when_committed(session: Session, call: Callable[[], None]) -> None:
    """Call something when what a session's transaction has done until now is carried out.

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
    waiting.calls.append((innermost, call))


class _UntilCommitted:
    """What waits, and for which transaction."""

    def __init__(self) -> None:
        self.calls: list[tuple[SessionTransaction | None, Callable[[], None]]] = []

    def committed(self, session: Session) -> None:
        """Do what waits; if a savepoint was released, let it wait for what that stands in."""
        inner = session.get_nested_transaction()
        if inner is None:
            done, self.calls = self.calls, []
            for _, call in done:
                call()
        else:
            outer = _around(inner)
            self.calls = [(outer if of is inner else of, call) for of, call in self.calls]

    def ended(self, _: Session, transaction: SessionTransaction) -> None:
        """Forget what waits for a transaction that was not carried out."""
        self.calls = [(of, call) for of, call in self.calls if of is not transaction]


def _around(transaction: Any) -> SessionTransaction | None:
    """Return the savepoint, or the transaction, in which a savepoint stands."""
    outer = transaction.parent
    while outer is not None and not outer.nested and outer.parent is not None:
        outer = outer.parent  # what a flush begins
    found: SessionTransaction | None = outer
    return found
