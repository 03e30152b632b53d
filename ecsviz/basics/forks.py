"""A fork waits until no other thread works with a database.

SQLite notes for the whole process which files are locked by which of its connections. A forked
child inherits the notes and not the threads: what another thread held in that moment would be
held in the child for ever.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

from ecsviz.basics.once import making  # noqa: F401 - what is registered first is called last, see below

_LONGEST = 10.0
"""Seconds that a fork, or who comes meanwhile, waits: the others may be waiting for them."""

_gate = threading.Condition()
_inside: dict[object, int] = {}
"""A token for each who works with a database, and the thread that does. Read as a list: a garbage
collection may end somebody's work in any moment."""
_forking: set[int] = set()
"""The threads that are about to fork."""


@contextlib.contextmanager
def not_while_forking() -> Iterator[None]:
    """Let no other thread fork meanwhile; who is inside already may enter again."""
    token, me = object(), threading.get_ident()
    try:
        with _gate:
            _gate.wait_for(lambda: not _forking or me in list(_inside.values()), timeout=_LONGEST)
            _inside[token] = me
        yield
    finally:
        with _gate:
            _inside.pop(token, None)
            _gate.notify_all()


def _before() -> None:
    me = threading.get_ident()
    _gate.acquire()
    _forking.add(me)
    _gate.wait_for(lambda: all(each == me for each in list(_inside.values())), timeout=_LONGEST)


def _in_parent() -> None:
    _forking.discard(threading.get_ident())
    _gate.notify_all()
    _gate.release()


def _in_child() -> None:
    me = threading.get_ident()
    for token, thread in list(_inside.items()):
        if thread != me:
            _inside.pop(token, None)
    _forking.clear()
    _gate.release()


if hasattr(os, "register_at_fork"):
    # Before a fork, the handlers are called backwards: this one while `making` is free yet, which
    # those who are waited for may need.
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
