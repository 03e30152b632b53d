"""A store's frames and its graph, without objects."""

from __future__ import annotations

import enum
import math
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Literal

import pandas as pd
import pytest

import ecsviz as ev
from ecsviz import errors


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Thing(ev.Entity):
    number: int = 0
    maybe: int | None = None
    flag: bool = False
    unsure: bool | None = None
    size: float = 0.0
    text: str = ""
    at: datetime | None = None
    colour: Colour = Colour.RED
    side: Literal["left", "right"] = "left"
    data: dict[str, int] = {}
    other: Thing | None = None
    named: dict[str, Thing] = {}
    many: set[Thing] = set()


class Special(Thing):
    extra: int = 1


@pytest.fixture
def store(tmp_path: Path) -> ev.SQLAlchemyEntityStorage:
    return ev.SQLAlchemyEntityStorage(tmp_path / "things.db")


DTYPES = {
    "number": "int64",
    "maybe": "Int64",
    "flag": "bool",
    "unsure": "boolean",
    "size": "float64",
    "text": "str",
    "at": "datetime64[us, UTC]",
    "colour": "category",
    "side": "category",
    "data": "object",
    "other_ecs_id": "object",
    "version": "int64",
}


def test_dtypes_with_rows_and_without(store: ev.SQLAlchemyEntityStorage) -> None:
    empty = store.frame(Thing)
    store.register(Thing(at=datetime.now(UTC), data={"a": 1}))
    full = store.frame(Thing)
    for frame in (empty, full):
        assert {name: str(frame[name].dtype) for name in DTYPES} == DTYPES
    assert list(empty.columns) == list(full.columns)
    assert (len(empty), len(full)) == (0, 1)


def test_values_arrive_exactly(store: ev.SQLAlchemyEntityStorage) -> None:
    two = timezone(timedelta(hours=2))
    thing = Thing(
        number=2**70,
        maybe=5,
        unsure=True,
        size=math.inf,
        text="\0 and \ud800",
        at=datetime(2024, 1, 1, 12, tzinfo=two),
        colour=Colour.BLUE,
        side="right",
        data={"x": 1},
    )
    store.register([thing, Thing(size=math.nan)])
    row = store.frame(Thing).iloc[0]
    assert row["number"] == 2**70
    assert row["size"] == math.inf
    assert row["text"] == "\0 and \ud800"
    assert row["at"] == pd.Timestamp("2024-01-01 10:00", tz="UTC")
    assert (row["colour"], row["side"], row["data"]) == (Colour.BLUE, "right", {"x": 1})
    assert math.isnan(store.frame(Thing)["size"][1])


def test_references_join(store: ev.SQLAlchemyEntityStorage) -> None:
    one, two = Thing(text="one"), Thing(text="two")
    one.other = two
    store.register(one)
    frame = store.frame(Thing)
    joined = frame.merge(frame, left_on="other_ecs_id", right_on="ecs_id", suffixes=("", "_held"))
    assert joined[["text", "text_held"]].values.tolist() == [["one", "two"]]


def test_subclasses_have_frames_of_their_own(store: ev.SQLAlchemyEntityStorage) -> None:
    thing = Thing(other=Special(text="sub"), named={"a": Special()})
    store.register(thing)
    assert len(store.frame(Thing)) == 1
    assert store.frame(Special)["text"].tolist() == ["sub", ""]
    assert store.frame(Thing)["other_ecs_id"][0] == thing.other.ecs_id  # type: ignore[union-attr]


def test_any_table_by_name(store: ev.SQLAlchemyEntityStorage) -> None:
    store.register(Thing(text="x"))
    assert store.frame("things")["text"].tolist() == ["x"]
    assert store.frame("ecs_revisions")["added"].tolist() == [1]
    with pytest.raises(errors.UnknownTypeError, match="Did you mean 'things'"):
        store.frame("thing")
    with pytest.raises(errors.UnknownTypeError, match="neither an entity class"):
        store.frame(int)  # type: ignore[arg-type]


def test_every_reference_is_listed_as_the_walk_finds_it(store: ev.SQLAlchemyEntityStorage) -> None:
    thread = ev.ChatThread(title="x")
    question = thread.say("user", "q")
    thread.say("assistant", "a", question)
    thing = Thing(other=Thing())
    thing.named = {"a": thing, "b": thing.other}  # type: ignore[dict-item]
    thing.many = {thing}
    store.register([thread, thing])
    frame = store.references_frame()
    live = ev.EntityDependencyGraph([thread, thing])
    expected = {(r.source.ecs_id, r.target.ecs_id, r.path) for r in live.references}
    found = set(zip(frame["source"], frame["target"], frame["path"], strict=True))
    assert found == expected
    assert len(frame) == len(live.references)
    assert str(frame["field"].dtype) == "category"


def test_the_stored_graph_is_the_live_one(store: ev.SQLAlchemyEntityStorage) -> None:
    thread = ev.ChatThread(title="x")
    question = thread.say("user", "q")
    thread.say("assistant", "a", question)
    store.register([thread, Thing()])
    stored = store.graph()
    live = ev.EntityDependencyGraph(thread)
    assert len(stored) == len(live) + 1
    assert [c.ecs_id for c in stored.cyclic_components()[0]] == [
        c.ecs_id for c in live.cyclic_components()[0]
    ]
    assert [len(c) for c in stored.get_cycles()] == [len(c) for c in live.get_cycles()]
    rooted = store.graph(thread)
    assert [n.ecs_id for n in rooted.get_topological_sort()] == [
        e.ecs_id for e in live.get_topological_sort()
    ]
    assert len(store.graph(question.ecs_id, hops=0)) == 1
    assert len(store.graph(question, hops=1)) == 3
    with pytest.raises(errors.EntityNotFoundError):
        store.graph(ev.ChatThread())


def test_an_empty_store_has_empty_frames(store: ev.SQLAlchemyEntityStorage) -> None:
    assert len(store.references_frame()) == 0
    assert list(store.references_frame().columns) == [
        "source",
        "target",
        "source_type",
        "target_type",
        "field",
        "path",
        "kind",
    ]
    assert len(store.graph()) == 0


class Kinds(enum.Flag):
    ROUND = 1
    RED = 2


class Mixed(ev.Entity):
    """Fields of few values of which pandas would hold some for one, or for none."""

    one: Literal[1, True] = 1
    many: Literal["a", 1, b"x"] = "a"
    kinds: Kinds = Kinds.ROUND
    side: Literal["left", "right"] = "left"


def test_values_that_pandas_cannot_tell_apart_are_objects() -> None:
    true, odd = Mixed(kinds=Kinds.ROUND | Kinds.RED), Mixed(many=b"x", side="right")
    true.__dict__["one"] = True  # which pydantic takes for 1
    odd.__dict__["side"] = "middle"  # as nobody has checked
    store = ev.SQLAlchemyEntityStorage(":memory:")
    store.register([true, odd])
    frame = store.frame(Mixed)
    assert frame["one"].dtype == frame["kinds"].dtype == object
    assert [type(value) for value in frame["one"]] == [bool, int]
    assert list(frame["many"].astype(object)) == ["a", b"x"]
    assert list(frame["kinds"]) == [Kinds.ROUND | Kinds.RED, Kinds.ROUND]
    assert list(frame["side"]) == ["left", "middle"]
