"""Every type of the table of values is kept exactly, wherever a value of it stands."""

from __future__ import annotations

import copy
import dataclasses
import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, TypeAdapter

import ecsviz as ev
from ecsviz import export
from ecsviz.domain.equality import identical
from ecsviz.domain.objects import ATOMS
from ecsviz.domain.scalars import SCALARS
from ecsviz.storage.protocol import EntityStorage
from ecsviz.values.codecs import JsonCodec, codec_for
from ecsviz.values.tagged_json import from_json, json_text, to_json
from ecsviz.widgets.graph.details import shown_fields
from tests.conftest import require_optional

# Of each type up to three values, no two the same; best such as ``==`` holds for the same.
SAMPLES: dict[type, tuple[Any, ...]] = {
    type(None): (None,),
    bool: (True, False),
    int: (0, 1, 2**70),
    float: (0.0, -0.0, float("nan")),
    str: ("", "a\0", "\ud800\udc00"),
    bytes: (b"", b"\0", b"\xff"),
    Decimal: (Decimal("1.0"), Decimal("1.00"), Decimal("NaN")),
    datetime: (
        datetime(2024, 1, 1, 12, tzinfo=UTC),
        datetime(2024, 1, 1, 14, tzinfo=timezone(timedelta(hours=2))),
        datetime(2024, 1, 1, 12),  # noqa: DTZ001 - one without a zone
    ),
    time: (time(12, tzinfo=UTC), time(12), time(12, fold=1)),
    date: (date.min, date(2024, 2, 29), date.max),
    timedelta: (timedelta(0), timedelta(microseconds=-1), timedelta.max),
    UUID: (UUID(int=0), UUID(int=1), UUID(int=2**128 - 1)),
    IPv4Interface: (IPv4Interface("10.1.2.3/8"), IPv4Interface("10.1.2.3/16")),
    IPv6Interface: (IPv6Interface("fe80::1/64"), IPv6Interface("fe80::1/48")),
    IPv4Address: (IPv4Address("10.1.2.3"), IPv4Address(0)),
    IPv6Address: (IPv6Address("fe80::1"), IPv6Address("fe80::1%eth0"), IPv6Address("::a01:203")),
    IPv4Network: (IPv4Network("10.0.0.0/8"), IPv4Network("10.0.0.0/16")),
    IPv6Network: (IPv6Network("fe80::/64"), IPv6Network("::/0")),
}

VALUES = [
    pytest.param(value, id=f"{kind.__name__} {number}")
    for kind, some in SAMPLES.items()
    for number, value in enumerate(some)
]


class Plain(BaseModel):
    part: Any = None


@dataclasses.dataclass
class Pair:
    part: Any


class Held(ev.Entity):
    anything: Any = None
    inside: dict[str, Any] = {}
    listed: list[Any] = []
    model: Plain = Plain()
    pair: Pair | None = None
    next: Held | None = None


def held(value: Any) -> Held:
    return Held(
        anything=value,
        inside={"a": [value, {"b": (value,)}], "keys": {value: 1}, "set": {value}},
        listed=[value, frozenset({value})],
        model=Plain(part=value),
        pair=Pair(value),
    )


def state(entity: Any) -> dict[str, Any]:
    return {k: v for k, v in entity.__dict__.items() if k != "next"}


def store_of(kind: str, tmp_path: Path) -> EntityStorage:
    if kind == "memory":
        return ev.InMemoryEntityStorage()
    return ev.SQLAlchemyEntityStorage(tmp_path / "values.db")


def test_every_type_has_samples() -> None:
    assert SAMPLES.keys() == SCALARS.keys(), "three values of a new type are to be tried here"
    tags = [row.tag for row in SCALARS.values() if row.tag is not None]
    assert len(set(tags)) == len(tags)
    assert all(tag.startswith("$") for tag in tags)
    assert set(SCALARS) <= ATOMS


def test_no_type_that_stores_hold_otherwise_is_untyped() -> None:
    first = {
        type(None),
        bool,
        int,
        float,
        str,
        bytes,
        Decimal,
        datetime,
        time,
        date,
        timedelta,
        UUID,
    }
    assert {kind for kind, row in SCALARS.items() if row.untyped} == first


def test_a_subclass_stands_before_what_it_is_one_of() -> None:
    kinds = list(SCALARS)
    for number, kind in enumerate(kinds):
        assert not any(issubclass(later, kind) for later in kinds[number + 1 :])


@pytest.mark.parametrize("kind", SAMPLES)
def test_the_same_is_what_json_writes_alike(kind: type) -> None:
    samples = SAMPLES[kind]
    for n, a in enumerate(samples):
        assert type(a) is kind
        for m, b in enumerate(samples):
            again = from_json(json.loads(json_text(to_json(b))))
            assert identical(a, again) == identical([a], [again]) == (n == m)
            assert identical({a: {a}}, {again: {again}}) == (n == m)


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("kind", ["memory", "sql"])
def test_it_is_stored(tmp_path: Path, kind: str, value: Any) -> None:
    store, entity = store_of(kind, tmp_path), held(value)
    store.register(entity)
    again = store.get(entity.ecs_id)
    assert again is not entity
    assert identical(state(again), state(entity))
    store.register(again)
    assert again.version == 1, "what was read is no change"
    again.anything = [value]
    store.register(again)
    assert identical(store.get(entity.ecs_id).anything, [value])
    assert identical(store.get(entity.ecs_id, as_of=1).anything, value)
    store.close()


@pytest.mark.parametrize("value", VALUES)
def test_it_is_copied_and_dumped(value: Any) -> None:
    entity = held(value)
    assert identical(state(copy.deepcopy(entity)), state(entity))
    assert identical(state(Held.model_validate(entity.model_dump())), state(entity))
    assert not ev.diff(entity, copy.deepcopy(entity))
    assert dict(shown_fields(entity))["listed"]


@pytest.mark.parametrize("value", VALUES)
def test_it_stands_in_frames_and_files(tmp_path: Path, value: Any) -> None:
    entity = held(value)
    nodes, references = ev.to_frames(entity)
    (again,) = ev.from_frames(nodes, references, [Held])
    assert identical(state(again), state(entity))
    assert isinstance(export.to_csv(nodes), str)
    require_optional("pyarrow")
    export.to_parquet(entity, tmp_path / "parquet")
    nodes, references = export.read_parquet(tmp_path / "parquet")
    (again,) = ev.from_frames(nodes, references, [Held])
    assert identical(again.anything, entity.anything)
    assert identical(again.inside, entity.inside)


@pytest.mark.parametrize("kind", [kind for kind in SAMPLES if kind is not type(None)])
def test_a_field_of_the_type_has_a_column(kind: type) -> None:
    codec, _ = codec_for(kind)
    values = list(SAMPLES[kind])
    assert identical(codec.values(*codec.encode(values)), values)
    assert codec.sql_name != "JSON"


@pytest.mark.parametrize("kind", [kind for kind, row in SCALARS.items() if not row.untyped])
def test_fields_that_name_a_type_are_written_as_before_it_had_a_row(kind: Any) -> None:
    values = list(SAMPLES[kind])
    codec, _ = codec_for(list[kind])
    assert isinstance(codec, JsonCodec)
    text = json_text(TypeAdapter(list[kind]).dump_python(values, mode="json"))
    assert codec.write(values) == text
    assert identical(codec.read(text), values)
