"""Cells become values: what is taken as it is, what is read, and what is refused."""

from __future__ import annotations

import enum
import math
from typing import Any

import pandas as pd
import pytest

import ecsviz as ev
from ecsviz import errors


class Size(enum.Enum):
    BIG = "big"


class Tone(enum.Enum):
    DARK = "dark"


class Jar(ev.Entity):
    count: int = 0
    counts: int | list[int] = 0
    look: Size | Tone = Size.BIG
    label: Any = None
    lids: dict[str | None, Jar] = {}


def jars(*, validate: bool = True, **columns: Any) -> list[Any]:
    nodes = pd.DataFrame({"id": range(len(next(iter(columns.values())))), **columns})
    return ev.from_frames(nodes, None, Jar, validate=validate)


def test_a_fraction_is_never_cut_off() -> None:
    for validate in (True, False):
        with pytest.raises(errors.ImportFormatError, match="count"):
            jars(count=[1.0, 1.5], validate=validate)


def test_a_float_among_objects_is_what_it_says() -> None:
    with pytest.raises(errors.ImportFormatError, match="count"):
        jars(count=pd.Series([2, 3.0], dtype=object), validate=False)


def test_the_row_that_does_not_fit_is_named() -> None:
    with pytest.raises(errors.ImportFormatError) as told:
        jars(count=pd.Series([1, "x", 2], dtype=object), validate=False)
    assert (told.value.row, told.value.column) == (1, "count")


def test_a_text_that_could_be_converted_is_read_as_json() -> None:
    found = jars(counts=["5", "[6, 7]"], validate=False)
    assert [jar.counts for jar in found] == [5, [6, 7]]


def test_values_of_the_second_enum() -> None:
    assert [jar.look for jar in jars(look=["dark", "big"], validate=False)] == [Tone.DARK, Size.BIG]


def test_nan_stays_where_anything_is_taken() -> None:
    first, second = jars(label=pd.Series([float("nan"), "x"], dtype=object))
    assert math.isnan(first.label)
    assert second.label == "x"


def test_none_can_be_a_key() -> None:
    nodes = pd.DataFrame({"id": [1, 2]})
    references = pd.DataFrame({"source": [1], "field": ["lids"], "target": [2], "key": [None]})
    first, second = ev.from_frames(nodes, references, Jar)
    assert first.lids == {None: second}
