"""Classes and ways for the tests of dumps: every shape, and every way there and back."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import json
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

import pytest
from pydantic import BaseModel, Field

import ecsviz as ev
from ecsviz.isomorphic import find_difference

LONG = 100_000
T = TypeVar("T")


class Color(enum.Enum):
    RED = "red"


class Leaf(ev.Entity):
    name: str = ""


class Special(Leaf):
    more: int = 0
    home: Every | None = None


class Other(ev.Entity):
    number: int = 0


class Meta(BaseModel):
    label: str = ""
    author: Leaf | None = None
    inner: Meta | None = None
    tags: list[Leaf] = Field(default_factory=list)
    when: dt.date | None = None


@dataclasses.dataclass
class Data:
    author: Leaf
    size: int = 0
    other: Leaf | None = None


class Named(NamedTuple):
    author: Leaf
    number: int = 0


class Link(ev.Entity):
    next: Link | None = None
    prev: Link | None = None
    links: list[list[Link]] = Field(default_factory=list)


class Every(ev.Entity):
    one: Leaf | None = None
    either: Leaf | Other | None = None
    many: list[Leaf] = Field(default_factory=list)
    row: tuple[Leaf, ...] = ()
    bag: set[Leaf] = Field(default_factory=set)
    frozen: frozenset[Leaf] = frozenset()
    by_name: dict[str, Leaf] = Field(default_factory=dict)
    by_number: dict[int, Leaf] = Field(default_factory=dict)
    by_color: dict[Color, Leaf] = Field(default_factory=dict)
    gaps: list[Leaf | None] = Field(default_factory=list)
    pair: tuple[Leaf, int, Other] | None = None
    groups: dict[str, list[Leaf]] = Field(default_factory=dict)
    mixed: set[Leaf | int] = Field(default_factory=set)
    queue: collections.deque[Leaf] = Field(default_factory=collections.deque)
    maybe: Leaf | int | str | None = None
    meta: Meta | None = None
    data: Data | None = None
    named: Named | None = None
    itself: Every | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


def python(entity: Any, **options: Any) -> Any:
    data = entity.model_dump(**options)
    assert "Every(" not in repr(data)  # nothing alive is left inside
    return type(entity).model_validate(data)


def as_json(entity: Any, **options: Any) -> Any:
    data = entity.model_dump(mode="json", **options)
    assert json.loads(json.dumps(data)) == data
    return type(entity).model_validate(data)


def text(entity: Any, **options: Any) -> Any:
    return type(entity).model_validate_json(entity.model_dump_json(**options))


WAYS = {"python": python, "json": as_json, "text": text}
Way = Callable[..., Any]


@pytest.fixture(params=WAYS.values(), ids=WAYS.keys())
def again(request: pytest.FixtureRequest) -> Way:
    way: Way = request.param
    return way


def same(entity: Any, again: Way, **options: Any) -> Any:
    result = again(entity, **options)
    assert find_difference(entity, result) is None
    assert result is not entity
    return result


def a() -> Leaf:
    return Leaf(name="a")


class Box(ev.Entity, Generic[T]):
    item: T | None = None
    boxes: list[Box[int]] = Field(default_factory=list)
