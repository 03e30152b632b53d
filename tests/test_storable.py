"""Whether a class can be stored, and how that is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import pytest
from pydantic import ConfigDict, SecretStr

import ecsviz as ev
from ecsviz import errors
from ecsviz.values.codecs import Refused
from ecsviz.values.field_codecs import (
    check_class,
    codec_of,
    describe,
    write_keys,
)


class Handmade:
    pass


def make(**fields: Any) -> Any:
    space = {"__module__": __name__, "__annotations__": fields}
    space["model_config"] = ConfigDict(arbitrary_types_allowed=True)
    return type("Thing", (ev.Entity,), space)


class Part(ev.Entity):
    name: str = ""


@pytest.mark.parametrize(
    "annotation",
    [
        Handmade,
        list[Handmade],
        Callable[[], int],
        SecretStr,
        type[int],
        list[Part | Handmade],
        dict[Handmade, Part],
        dict[Part, int],
        dict[tuple[Part, int], Part],
    ],
)
def test_fields_are_refused_when_the_class_is_mapped(annotation: Any) -> None:
    cls = make(good=int, bad=annotation)
    with pytest.raises(errors.UnsupportedFieldError) as caught:
        check_class(cls)
    assert "Thing.bad" in str(caught.value)
    assert (caught.value.cls, caught.value.field) == (cls, "bad")


def test_a_way_out_is_named() -> None:
    with pytest.raises(errors.UnsupportedFieldError, match=r"private attribute"):
        check_class(make(bad=Handmade))
    with pytest.raises(errors.UnsupportedFieldError, match="as str if that may be"):
        check_class(make(bad=SecretStr))


class Described(ev.Entity):
    number: int
    text: str | None = None
    one: Part
    maybe: Part | Self | None = None
    many: list[Part] = ev.reference(inverse=None, default_factory=list)
    named: dict[int, Part] = {}
    deep: list[list[Part]] = []
    anything: Any = None


def test_a_class_is_described_by_what_it_stores() -> None:
    assert describe(Described) == {
        "number": "BIGINT",
        "text": "TEXT or none",
        "one": "Part",
        "maybe": "Part or Described or none",
        "many": "list of Part",
        "named": "dict[BIGINT] of Part",
        "deep": "nested of Part",
        "anything": "JSON or none",
    }


def test_codecs_are_made_once() -> None:
    assert codec_of(Described, "number") is codec_of(Described, "number")


def test_keys_must_be_exact() -> None:
    assert write_keys(Described, "named", [1, 2]) == [1, 2]
    with pytest.raises(Refused, match="no exact copy"):
        write_keys(Described, "named", [1, 2**70])
    with pytest.raises(Refused):
        write_keys(Described, "named", ["1"])
