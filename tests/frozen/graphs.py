"""The graphs that the files in this folder hold, as they were made when those were written.

One release wrote them, once: files that a later one has written would show nothing. What a new
release adds gets files of its own beside these.
"""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd

import ecsviz as ev
from tests.frozen.classes import (
    FrozenColour,
    FrozenExhibit,
    FrozenKeeper,
    FrozenNote,
    FrozenPainting,
    FrozenSize,
    FrozenValues,
)
from tests.frozen.content import FIRST

ELSEWHERE = Path("/tmp/ecsviz-frozen/store.db")
"""Where a pickled storage says its file is; a test puts its own path there."""


def number(n: int) -> UUID:
    return UUID(int=FIRST + n)


def chat() -> ev.ChatThread:
    """A thread with a fork: 10, its messages 11 to 14."""
    thread = ev.ChatThread(
        ecs_id=number(10), title="Cycles", metadata={"model": "none", "n": [1, 2.5, None]}
    )
    parents = {11: None, 12: 11, 13: 11, 14: 13}
    said = {11: "hello", 12: "one answer", 13: "another: ½ \U0001f600", 14: "thanks"}
    made: dict[int | None, Any] = {None: None}
    for n, parent in parents.items():
        made[n] = ev.ChatMessage(
            ecs_id=number(n),
            thread=thread,
            content=said[n],
            role="assistant" if n in {12, 13} else "user",
            parent=made[parent],
            created_at=dt.datetime(2024, 5, n, 12, tzinfo=dt.UTC),
            author="Ann" if n == 11 else None,
        )
        thread.add_message(made[n])
        if parent is not None:
            made[parent].replies.append(made[n])
    return thread


def values() -> FrozenValues:
    """Every kind of value: 20."""
    return FrozenValues(
        ecs_id=number(20),
        whole=2**70,
        maybe=-7,
        real=-math.inf,
        flag=True,
        text="a\nb \0 ½ \U0001f600",
        data=b"\0\xff",
        money=Decimal("12.340"),
        day=dt.date(2024, 2, 29),
        clock=dt.time(23, 59, 58, 7),
        at=dt.datetime(2024, 5, 6, 7, 8, 9, 10),  # noqa: DTZ001 - wall clocks are kept as such
        zoned=dt.datetime(2024, 5, 6, 7, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=30))),
        lasting=dt.timedelta(days=-1, microseconds=3),
        number=UUID(int=5),
        colour=FrozenColour.BLUE,
        side="right",
        row=(3, 1, 2),
        names={"x", "y"},
        several=[0.1, math.nan, 1e300],
        table={"b": [2, 1], "a": []},
        by_day={dt.date(2024, 1, 1): 1},
        anything={"t": (1, 2.0), "s": {"z"}, "n": None, "b": b"\1", "d": Decimal("1.0")},
        more=[dt.date(2024, 3, 1), UUID(int=6), True, 10**30],
    )


def museum() -> FrozenKeeper:
    """Every shape of reference: keeper 30, exhibits 31 to 34."""
    keeper = FrozenKeeper(ecs_id=number(30), name="Kay")
    vase = FrozenExhibit(ecs_id=number(31), label="vase", keeper=keeper)
    coin = FrozenExhibit(ecs_id=number(32), label="coin", keeper=keeper, either=values())
    bowl = FrozenExhibit(ecs_id=number(33), label="bowl")
    view = FrozenPainting(
        ecs_id=number(34), label="view", keeper=keeper, painter="Pat", size=FrozenSize(3, 4)
    )
    keeper.exhibits += [vase, view, coin]
    vase.beside, view.beside, coin.beside = view, vase, coin
    vase.like = [coin, vase, coin, bowl]
    vase.by_name = {"second": view, "first": coin}
    vase.bag = {coin, view}
    vase.gaps = [None, coin, None]
    vase.groups = {"all": [vase, view, coin], "none": []}
    vase.pair = (view, 5)
    view.either = keeper
    view.note = FrozenNote(text="new", about=coin, tags=("a", "b"))
    return keeper


def chat_of_two() -> ev.ChatThread:
    thread = ev.ChatThread(ecs_id=number(50), title="Plan")
    message = ev.ChatMessage(ecs_id=number(51), thread=thread, content="x", role="user")
    thread.add_message(message)
    return thread


def stores_frames() -> list[tuple[str, pd.DataFrame]]:
    store = ev.SQLAlchemyEntityStorage(":memory:")
    thread = chat()
    store.register([thread, museum()])
    plan = store.explain(chat_of_two())
    return [
        ("store.frame ChatMessage", store.frame(ev.ChatMessage)),
        ("store.frame FrozenPainting", store.frame(FrozenPainting)),
        ("store.frame FrozenValues", store.frame(FrozenValues)),
        ("store.references_frame", store.references_frame()),
        ("store.revisions", store.revisions()),
        ("store.history", store.history(thread)),
        ("store.verify", store.verify()),
        ("store.migrate", store.migrate(dry_run=True).to_frame()),
        ("plan.to_frame", plan.to_frame()),
        ("diff.to_frame", ev.diff(thread, chat()).to_frame()),
        ("import.report", ev.read_chat(ev.samples.sample_file("chats")).report()),
    ]
