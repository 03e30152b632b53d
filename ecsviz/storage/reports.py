"""What a storage reports: revisions, what happened to an entity, problems; as DataFrames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from ecsviz.basics.result_frames import typed_frame

if TYPE_CHECKING:
    import pandas as pd

T_ = TypeVar("T_")

Event = tuple[int, int, str, str]
"""Version, revision, what happened, and the names of the fields that changed."""

Moments = dict[int, tuple[datetime, str | None]]
"""Revision → its time (naive UTC) and note."""


def history_frame(events: Iterable[Event], moments: Moments) -> pd.DataFrame:
    """Return what happened to an entity; the columns are those of ``store.history()``."""
    nothing = (None, None)
    rows = [
        (version, revision, *moments.get(revision, nothing), what, fields)
        for version, revision, what, fields in events
    ]
    kinds = {"version": "int64", "revision": "int64", "at": "datetime64[us]"}
    frame = typed_frame(rows, {**kinds, "note": "str", "what": "str", "fields": "str"})
    frame["at"] = frame["at"].dt.tz_localize("UTC")
    return frame


def events_in_order(
    states: Iterable[tuple[int, int, int | None, T_]], changed: Callable[[T_, T_], str] | None
) -> Iterator[Event]:
    """Yield what happened to an entity, oldest first.

    Parameters
    ----------
    states
        Its rows in the order of time: version, since when, until when (None: still), and what
        `changed` looks at.
    changed
        Returns the names of the fields in which two states differ; None where nobody can tell.
    """
    before: tuple[int, int, int | None, T_] | None = None
    for state in states:
        version, since, _, now = state
        if before is not None and before[2] is not None and before[2] != since:
            yield before[0], before[2], "deleted", ""
            before = None
        if before is None:
            yield version, since, "added", ""
        elif before[0] != version:  # a new place in a list is no new version
            fields = "" if changed is None else changed(before[3], now)
            yield version, since, "changed", fields
        before = state
    if before is not None and before[2] is not None:
        yield before[0], before[2], "deleted", ""


Revision = tuple[int, datetime, str | None, int, int, int]
"""Number, time (naive UTC), note, and how many entities were added, changed and deleted."""


def revisions_frame(revisions: Sequence[Revision]) -> pd.DataFrame:
    """Return revisions as a DataFrame; its columns are those of ``store.revisions()``."""
    counts = dict.fromkeys(("added", "changed", "deleted"), "int64")
    kinds = {"revision": "int64", "at": "datetime64[us]", "note": "str"}
    frame = typed_frame(revisions, {**kinds, **counts})
    frame["at"] = frame["at"].dt.tz_localize("UTC")
    return frame


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it was written.

    Attributes
    ----------
    table, row
        Where; the row by its key.
    ecs_id
        Of which entity, where it is one.
    problem
        ``file``, ``schema``, ``content``, ``seal``, ``outside``, ``reference``, ``position``,
        ``pair``, ``history``, ``revision``, ``graph``, ``text`` or ``foreign``.
    detail
        What is wrong, in words.
    """

    table: str
    row: str
    ecs_id: UUID | None
    problem: str
    detail: str


def problems_frame(problems: Iterable[Problem]) -> pd.DataFrame:
    """Return problems as a DataFrame; its columns are those of ``store.verify()``."""
    rows = [(p.table, p.row, p.ecs_id, p.problem, p.detail) for p in problems]
    texts = {"problem": "str", "detail": "str"}
    return typed_frame(rows, {"table": "str", "row": "str", "ecs_id": object, **texts})


@dataclass(frozen=True, slots=True)
class Repaired:
    """An entity that a repaired store has otherwise than it was stored last, or not at all.

    Attributes
    ----------
    type_name, ecs_id
        Which entity, as far as that is known.
    what
        ``gone``, ``doubtful``, ``past`` or ``cut``.
    version
        Which of its versions was saved; 0 if none was.
    detail
        Why, in words.
    """

    type_name: str
    ecs_id: UUID | None
    what: str
    version: int
    detail: str


def lost_type(name: str, why: str) -> Repaired:
    """Return what is told of a type of which a store does not say any more what it is."""
    return Repaired(name, None, "gone", 0, f"all of its rows: what ecs_types says of it: {why}")


def repaired_frame(told: Iterable[Repaired]) -> pd.DataFrame:
    """Return what a repair has told as a DataFrame; its columns are those of ``store.repair()``."""
    order = ["gone", "doubtful", "past", "cut"]
    every = sorted(dict.fromkeys(told), key=lambda each: (order.index(each.what), each.type_name))
    rows = [(each.type_name, each.ecs_id, each.what, each.version, each.detail) for each in every]
    kinds: dict[str, Any] = {"class": "str", "ecs_id": object, "what": "str", "version": "int64"}
    return typed_frame(rows, {**kinds, "detail": "str"})


def not_in_list(back: str, holder: str, ecs_id: Any, name: str | None) -> str:
    """Return what `verify` says of an entity that is not in the list of the holder it names.

    Examples
    --------
    >>> not_in_list("ChatMessage.thread", "ChatThread", 7, "messages")
    'ChatMessage.thread is the ChatThread 7, whose .messages does not hold it'
    """
    return f"{back} is the {holder} {ecs_id}, whose .{name} does not hold it"
