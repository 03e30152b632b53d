"""The statements that a store runs: noted while it does, of a save that is taken back."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from ecsviz.storage.save_plan import Statement

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

WRITES: Final = ("INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "WITH")


OF_BLOCKS: Final = "DELETE FROM ecs_revisions"
"""What a block of several calls runs, and `register` by itself does not."""


@contextmanager
def noted(engine: Engine) -> Iterator[list[Statement]]:
    """Note the statements that this thread runs on an engine."""
    ran: list[Statement] = []
    mine = threading.get_ident()

    def note(conn: Any, cursor: Any, text: str, values: Any, context: Any, many: bool) -> None:  # noqa: ARG001  # SQLAlchemy's signature
        if threading.get_ident() == mine:
            first = next(iter(values), ()) if many else values
            ran.append(Statement(text.strip(), first, len(values) if many else 1))

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield ran
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


class _BackError(Exception):
    """Ends a rehearsal."""


def rehearsed(store: Any, roots: list[Any]) -> list[Statement]:
    """Return the statements by which a store would save entities; all of it is taken back.

    Parameters
    ----------
    store
        The store. Where there is no database yet, one in memory takes its place.
    roots
        What would be given to ``register``.

    Notes
    -----
    The save runs in a transaction that is rolled back, as ``store.transaction()`` does it.
    """
    if not store.inside.database.exists():
        with type(store)(":memory:") as instead:
            return _writes(instead, copy.deepcopy(roots))
    return _writes(store, roots)


def _writes(store: Any, roots: list[Any]) -> list[Statement]:
    with noted(store.engine) as ran:
        try:
            with store.transaction():
                store.register(roots)
                raise _BackError  # what takes the block back
        except _BackError:
            pass
    return [
        each
        for each in ran
        if each.text.upper().startswith(WRITES) and not each.text.startswith(OF_BLOCKS)
    ]
