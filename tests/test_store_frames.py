"""A store's frames and its graph, without objects."""

from __future__ import annotations

import abc
import enum
import math
import sys
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any, Literal
from uuid import UUID

import pandas as pd
import pytest

import ecsviz as ev
from ecsviz import errors
from ecsviz.basics.optional import NotInstalledError
from tests.conftest import require_optional
from tests.databases import counted


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


def test_a_class_has_the_entities_of_its_subclasses(store: ev.SQLAlchemyEntityStorage) -> None:
    thing = Thing(other=Special(text="sub", at=datetime.now(UTC)), named={"a": Special()})
    store.register(thing)
    assert store.frame(Special)["text"].tolist() == ["sub", ""]
    assert "type" not in store.frame(Special)
    frame = store.frame(Thing)
    assert frame["ecs_id"].tolist() == [entity.ecs_id for entity in store.list_by_type(Thing)]
    assert frame["type"].tolist() == ["Special", "Special", "Thing"]
    assert frame["other_ecs_id"][2] == thing.other.ecs_id  # type: ignore[union-attr]
    assert {name: str(frame[name].dtype) for name in DTYPES} == DTYPES
    assert store.frame(ev.Entity, columns=["type", "version"]).values.tolist() == [
        ["Special", 1],
        ["Special", 1],
        ["Thing", 1],
    ]


def test_own_fields_come_first_and_ids_last(store: ev.SQLAlchemyEntityStorage) -> None:
    store.register([ev.sample("thread"), Thing(), Special()])
    assert list(store.frame(ev.ChatMessage)) == [
        *("role", "content", "author", "model", "created_at", "hidden", "source_id", "metadata"),
        *("thread_ecs_id", "parent_ecs_id", "thread_position", "parent_position"),
        *("ecs_id", "lineage_id", "parent_id", "version"),
    ]
    assert list(store.frame(Thing))[-5:] == ["type", "ecs_id", "lineage_id", "parent_id", "version"]


class Pet(ev.Entity, abc.ABC):
    """An abstract class, of which there are no entities."""

    name: str = ""

    @abc.abstractmethod
    def sound(self) -> str: ...


class Cat(Pet):
    lives: int = 9

    def sound(self) -> str:
        return "meow"


class Cow(Pet):
    name: Any = None  # type: ignore[assignment]  # a subclass may hold something else

    def sound(self) -> str:
        return "moo"


def test_an_abstract_class_has_what_its_subclasses_have(store: ev.SQLAlchemyEntityStorage) -> None:
    assert list(store.frame(Pet)) == ["name", "ecs_id", "lineage_id", "parent_id", "version"]
    store.register([Cat(name="Tom"), Cat(name="Kit")])
    assert store.frame(Pet)["name"].dtype == "str"
    store.register(Cow(name=7))
    assert store.frame(Pet)[["name", "type"]].values.tolist() == [
        ["Tom", "Cat"],
        ["Kit", "Cat"],
        [7, "Cow"],
    ]
    assert store.frame(Pet, as_="arrow")["name"].to_pylist() == ['"Tom"', '"Kit"', "7"]


class Typed(ev.Entity):
    type: str = ""


class MoreTyped(Typed):
    pass


def test_a_field_that_is_called_type_stays(store: ev.SQLAlchemyEntityStorage) -> None:
    store.register([Typed(type="a"), MoreTyped(type="b")])
    found = store.frame(Typed, columns=["type", "type_"])
    assert found.values.tolist() == [["b", "MoreTyped"], ["a", "Typed"]]


def test_some_columns_of_some_rows_in_order(store: ev.SQLAlchemyEntityStorage) -> None:
    things = [Thing(number=n, text=f"{n % 3}") for n in range(7)] + [Special(number=9, text="0")]
    things[1].other = things[4]
    store.register(things)
    found = store.frame(Thing, columns=["number", "type"], where={"text__in": ["0", "1"]})
    assert found.values.tolist() == [
        [9, "Special"],
        *([n, "Thing"] for n in (0, 1, 3, 4, 6)),
    ]
    ordered = store.frame(Thing, columns=["number"], order_by=["text", "-number"], limit=4)
    assert ordered["number"].tolist() == [9, 6, 3, 0]
    assert list(ordered.index) == [0, 1, 2, 3]
    assert store.frame(Thing, where={"other__number": 4})["number"].tolist() == [1]
    assert store.frame(Thing, limit=2, columns=["number"])["number"].tolist() == [9, 0]
    assert len(store.frame(Thing, where={"number": 77})) == 0
    assert str(store.frame(Thing, where={"number": 77})["number"].dtype) == "int64"
    things[0].number = 70
    store.register(things)
    assert store.frame(Thing, where={"number__ge": 9}, as_of=1)["number"].tolist() == [9]
    assert store.frame("things", columns=["number", "id"], limit=2).values.tolist() == [
        [70, 1],
        [1, 2],
    ]


def test_only_the_columns_are_read(store: ev.SQLAlchemyEntityStorage) -> None:
    store.register(Thing(other=Thing()))
    with counted() as said:
        store.frame(Thing, columns=["text"])
    (query,) = [text for text in said if "FROM things" in text]
    assert "JOIN" not in query
    assert "things.number" not in query


WRONG: list[tuple[Any, dict[str, Any], str]] = [
    (
        Thing,
        {"columns": ["numbr"]},
        "A frame of Thing has no column 'numbr'. Did you mean 'number'",
    ),
    (Thing, {"columns": "number"}, "columns is 'number'. Give a list of names."),
    (Thing, {"columns": [["a"]]}, r"columns holds ['a']. Give names."),
    (Thing, {"where": ["number"]}, r"where is ['number']. Give a dictionary"),
    (Thing, {"where": {1: 2}}, "where is {1: 2}. Give a dictionary"),
    (Thing, {"where": {"numbr": 1}}, "Thing has no field 'numbr'. Did you mean 'number'"),
    (Thing, {"order_by": "data"}, "Thing.data holds what may be several values"),
    (Thing, {"limit": -1}, "limit is -1. Give a whole number from 0."),
    (Thing, {"as_": "panda"}, "as_ is 'panda'. Did you mean 'pandas'?"),
    (Thing, {"as_": None}, "as_ is None. There are: 'pandas', 'arrow', 'polars'."),
    ("things", {"where": {}}, "where and order_by go with an entity class"),
    ("things", {"order_by": "id"}, "where and order_by go with an entity class"),
    ("things", {"columns": ["numbr"]}, "things has no column 'numbr'. Did you mean 'number'"),
    ("things", {"limit": "3"}, "limit is '3'. Give a whole number from 0, or None for all."),
]


@pytest.mark.parametrize(("what", "options", "told"), WRONG)
def test_what_no_frame_can_be(
    store: ev.SQLAlchemyEntityStorage, what: Any, options: dict[str, Any], told: str
) -> None:
    store.register(Thing())
    with pytest.raises(errors.InvalidArgumentError) as caught:
        store.frame(what, **options)
    assert told in str(caught.value)


class Various(ev.Entity):
    """A field for what pandas, or Arrow, has no type for."""

    exact: Decimal | None = None
    raw: bytes | None = None
    day: date | None = None
    clock: time | None = None
    lasts: timedelta | None = None
    uid: UUID | None = None
    colour: Colour | None = None
    big: int = 0
    anything: Any = None
    where: PurePosixPath | None = None
    half: str = ""


def test_a_frame_for_arrow(store: ev.SQLAlchemyEntityStorage) -> None:
    arrow = require_optional("pyarrow")
    uid = UUID(int=7)
    full = Various(
        exact=Decimal("1.10"),
        raw=b"\0",
        day=date(2024, 2, 29),
        clock=time(12, tzinfo=UTC),
        lasts=timedelta(microseconds=3),
        uid=uid,
        colour=Colour.BLUE,
        big=2**70,
        anything={"a": (1, None)},
        where=PurePosixPath("/a"),
        half="\ud800",
    )
    empty = store.frame(Various, as_="arrow")
    store.register([full, Various()])
    table = store.frame(Various, as_="arrow")
    assert isinstance(table, arrow.Table)
    assert table.drop_columns(["ecs_id", "lineage_id", "parent_id"]).to_pylist()[0] == {
        "exact": Decimal("1.10"),
        "raw": b"\0",
        "day": date(2024, 2, 29),
        "clock": '{"$time":"12:00:00+00:00"}',
        "lasts": timedelta(microseconds=3),
        "uid": uid,
        "colour": "blue",
        "big": '{"$int":"0x400000000000000000"}',
        "anything": '{"a":{"$tuple":[1,null]}}',
        "where": '"/a"',
        "half": "?",
        "version": 1,
    }
    assert table["ecs_id"].to_pylist() == [full.ecs_id, *store.frame(Various)["ecs_id"][1:]]
    for name in ("raw", "day", "lasts", "uid", "ecs_id", "parent_id", "clock", "anything"):
        assert empty.schema.field(name).type == table.schema.field(name).type, name


def frames_of_all_kinds(store: ev.SQLAlchemyEntityStorage) -> dict[str, Any]:
    thread = store.register(ev.sample("thread"))
    graph = ev.EntityDependencyGraph(thread)
    nodes, references = ev.to_frames(thread)
    return {
        "frame": store.frame(ev.ChatMessage),
        "references": store.references_frame(),
        "revisions": store.revisions(),
        "history": store.history(thread),
        "nodes_frame": graph.nodes_frame(),
        "references_frame": graph.references_frame(),
        "to_frames nodes": nodes,
        "to_frames references": references,
    }


def test_frames_are_streams_for_arrow(store: ev.SQLAlchemyEntityStorage) -> None:
    arrow = require_optional("pyarrow")
    for name, frame in frames_of_all_kinds(store).items():
        assert hasattr(frame, "__arrow_c_stream__")
        table = arrow.RecordBatchReader.from_stream(frame).read_all()
        assert table.num_rows == len(frame) > 0, name
        ids = {"source", "target"} if "references" in name else {"ecs_id"}
        for column in ids & set(table.column_names):
            assert table[column].to_pylist() == list(frame[column]), name


def test_polars_takes_frames(store: ev.SQLAlchemyEntityStorage) -> None:
    polars = require_optional("polars")
    require_optional("pyarrow")
    for frame in frames_of_all_kinds(store).values():
        assert polars.DataFrame(frame).height == len(frame)
    found = store.frame(ev.ChatMessage, columns=["role", "thread_position"], as_="polars", limit=2)
    assert isinstance(found, polars.DataFrame)
    assert found.rows() == [("user", 0), ("assistant", 1)]


def test_duckdb_takes_frames(store: ev.SQLAlchemyEntityStorage) -> None:
    duckdb = require_optional("duckdb")
    messages = frames_of_all_kinds(store)["frame"]
    found = duckdb.sql("SELECT count(*), count(DISTINCT thread_ecs_id) FROM messages").fetchall()
    assert found == [(len(messages), 1)]
    told = store.frame(ev.ChatMessage, as_="arrow")
    assert [(told.num_rows,)] == duckdb.sql("SELECT count(*) FROM told").fetchall()


@pytest.mark.parametrize("missing", ["pyarrow", "polars"])
def test_what_is_not_installed_is_named(
    store: ev.SQLAlchemyEntityStorage, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    require_optional("pyarrow")
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(NotInstalledError, match=f"needs {missing}, which is not installed"):
        store.frame(Thing, as_="polars")


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
