"""The past of an entity: the revisions of a store that changed it, or what it led to."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from ecsviz.basics.text import plain
from ecsviz.domain.entity import Entity

NOTE: Final = 80
"""How many characters of a note are shown."""
PRUNED: Final = "the oldest that is kept"
"""Stands for the note of what an earlier revision changed, or after it."""


def moments_of(store: Any, entity: Entity | UUID) -> tuple[list[dict[str, Any]], list[range]]:
    """Return the revisions that changed an entity, or what it led to then, and which can be shown.

    Parameters
    ----------
    store
        An `SQLAlchemyEntityStorage` or an `InMemoryEntityStorage`.
    entity
        What is stored there, or its id.

    Returns
    -------
    list of dict
        Each revision that shows another state than the one before, with its time and note. Where
        the past has been pruned, the first is the oldest that is kept.
    list of range
        All revisions as of which the entity can be read.

    Raises
    ------
    EntityNotFoundError
        If it is not stored there.

    Notes
    -----
    Where the store cannot tell in a few statements what changed, all that can be read.

    Examples
    --------
    >>> import ecsviz as ev
    >>> store = ev.InMemoryEntityStorage()
    >>> thread = store.register(ev.ChatThread(title="Cycles"))
    >>> _ = store.register(ev.ChatThread(title="another"))
    >>> message = thread.say("user", "hello")
    >>> _ = store.register(thread, note="asked")
    >>> moments, shown = moments_of(store, thread)
    >>> [(moment["revision"], moment["note"]) for moment in moments], shown
    ([(1, ''), (3, 'asked')], [range(1, 4)])
    """
    with store.inside.one_state():
        store.history(entity)  # raises where there is none
        frame = store.revisions()
        past, oldest = store.inside.past(entity if isinstance(entity, UUID) else entity.ecs_id)
    newest = int(frame["revision"].max())
    frame = frame[frame["revision"].isin(past.revisions(frame["revision"].tolist()))]
    notes = frame["note"].fillna("").tolist()
    numbers, times = frame["revision"].tolist(), frame["at"].tolist()
    moments = []
    for number, at, given in zip(numbers, times, notes, strict=True):
        note = plain(given, NOTE)
        if number == oldest:
            changed = past.changes is not None and number in past.changes
            note = " · ".join([note] * bool(note and changed) + [PRUNED])
        moments.append({"revision": number, "at": f"{at:%Y-%m-%d %H:%M:%S}", "note": note})
    return moments, [range(since, min(until, newest + 1)) for since, until in past.there]
