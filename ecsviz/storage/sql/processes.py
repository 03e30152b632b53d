"""The engines of this process: what is closed with them, and what a fork leaves alone."""

from __future__ import annotations

import contextlib
import os
import weakref
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.pool import StaticPool

from ecsviz.storage.sql.turns import KeptConnection, Turns

_opened: weakref.WeakKeyDictionary[Engine, dict[int, Any]] = weakref.WeakKeyDictionary()
"""The engines in use, each with the connections that are to be closed with it."""

_turns: weakref.WeakSet[Turns] = weakref.WeakSet()

_inherited: list[Any] = []
"""In a forked child: connections that the parent goes on using. Closed here, or dropped, they
would end there."""


def look_after(engine: Engine, turns: Turns, *, closing: bool) -> None:
    """Close an engine's connections when it is dropped, and leave a parent's alone in a child.

    Parameters
    ----------
    engine
        What is watched, not held: a finalizer that knew it, or its pool, would keep it for ever.
    turns
        Whose turn it is on its database: in a child, nobody's.
    closing
        Whether it was made here. A pool that is dropped with open connections closes none, and
        the drivers warn of each.
    """
    _turns.add(turns)
    if engine in _opened:
        return
    opened: dict[int, Any] = {}
    _opened[engine] = opened
    if closing:
        sa.event.listen(engine, "connect", lambda conn, _: opened.update({id(conn): conn}))
        sa.event.listen(engine, "close", lambda conn, _: opened.pop(id(conn), None))
        weakref.finalize(engine, _close_all, opened)


def _close_all(opened: dict[int, Any]) -> None:
    while opened:
        _, conn = opened.popitem()
        with contextlib.suppress(Exception):  # nobody is there whom it could be told
            conn.end() if isinstance(conn, KeptConnection) else conn.close()


def leave_to_parent(conn: Any) -> None:
    """Keep, in a forked child, what a transaction of the parent has."""
    _inherited.append(conn)


def _after_fork() -> None:
    """Drop, in a forked child, what the parent and its threads go on using."""
    for turns in list(_turns):  # whoever is writing in the parent
        turns.reset()
    for engine, opened in list(_opened.items()):
        if not isinstance(engine.pool, StaticPool):  # memory is copied, and the child's own
            _inherited.extend(opened.values())
            opened.clear()
            engine.dispose(close=False)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
