"""The past of a thread: the revisions of a store that changed it."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from ecsviz.chat import ChatThread
from ecsviz.errors import UnknownTypeError
from ecsviz.export_rows import plain
from ecsviz.memory import InMemoryEntityStorage
from ecsviz.versions import revisions_reached

NOTE: Final = 80
"""How many characters of a note are shown."""


def moments_of(store: Any, thread: ChatThread) -> tuple[list[dict[str, Any]], int]:
    """Return the revisions that changed a thread, or what it leads to, and the store's newest.

    Parameters
    ----------
    store
        An `SQLAlchemyEntityStorage` or an `InMemoryEntityStorage`.
    thread
        What is stored there.

    Raises
    ------
    EntityNotFoundError
        If it is not.

    Notes
    -----
    Where the store cannot tell in a few statements, all revisions since it was stored first.

    Examples
    --------
    >>> import ecsviz as ev
    >>> store = ev.InMemoryEntityStorage()
    >>> thread = store.register(ev.ChatThread(title="Cycles"))
    >>> _ = store.register(ev.ChatThread(title="another"))
    >>> message = thread.say("user", "hello")
    >>> _ = store.register(thread, note="asked")
    >>> moments, newest = moments_of(store, thread)
    >>> [(moment["revision"], moment["note"]) for moment in moments], newest
    ([(1, ''), (3, 'asked')], 3)
    """
    first = int(store.history(thread)["revision"].min())
    frame = store.revisions()
    frame = frame[frame["revision"] >= first]
    newest = int(frame["revision"].max())
    changed = _changed(store, thread.ecs_id)
    if changed is not None:
        frame = frame[frame["revision"].isin(changed)]
    notes = frame["note"].fillna("").tolist()
    numbers, times = frame["revision"].tolist(), frame["at"].tolist()
    moments = [
        {"revision": number, "at": f"{at:%Y-%m-%d %H:%M:%S}", "note": plain(note, NOTE)}
        for number, at, note in zip(numbers, times, notes, strict=True)
    ]
    return moments, newest


def _changed(store: Any, ecs_id: UUID) -> set[int] | None:
    if isinstance(store, InMemoryEntityStorage):
        return _in_memory(store, ecs_id)
    try:
        with store._reading() as conn:
            return revisions_reached(conn, store._catalog, ecs_id)
    except UnknownTypeError:  # of something that was held once
        return None


def _in_memory(store: InMemoryEntityStorage, ecs_id: UUID) -> set[int]:
    revisions: set[int] = set()
    seen, waiting = {ecs_id}, [ecs_id]
    while waiting:
        here = waiting.pop()
        states = list(store._past.get(here, ()))
        revisions.update(until for _, until in states)
        records = [record for record, _ in states]
        if here in store._records:
            records.append(store._records[here])
        for record in records:
            revisions.add(record.revision)
            new = set(record.held) - seen
            seen |= new
            waiting += new
    return revisions
