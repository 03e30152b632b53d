"""Codecs: fields' annotations, what columns hold of their values, and what cannot be stored."""

from __future__ import annotations

import dataclasses
import enum
import ipaddress
import json
import math
import pathlib
import re
import typing
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, NamedTuple, NewType, Self

import pytest
import sqlalchemy as sa
from pydantic import (
    AfterValidator,
    AnyUrl,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FutureDate,
    FutureDatetime,
    HttpUrl,
    Json,
    JsonValue,
    NaiveDatetime,
    PastDate,
    PastDatetime,
    PlainSerializer,
    PositiveInt,
    SecretStr,
)
from typing_extensions import TypedDict

import ecsviz as ev
from ecsviz import errors
from ecsviz.domain.equality import identical
from ecsviz.values.codecs import JsonCodec, NoCodec, Refused, codec_for, not_readable, not_storable
from ecsviz.values.column_codecs import (
    BoolCodec,
    Codec,
    ConvertedCodec,
    DatetimeCodec,
    DecimalCodec,
    FloatCodec,
    IntCodec,
    TextCodec,
    TimedeltaCodec,
)
from ecsviz.values.field_codecs import (
    check_class,
    codec_of,
    describe,
    write_keys,
)
from tests.conformance.classes import Colour, Level

# -- annotations -----------------------------------------------------------------------------


class Odd(enum.Enum):
    PAIR = (1, 2)
    TEXT = "one"


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Point(BaseModel):
    x: int
    label: str = Field(default="", alias="Label")


class Pinned(Point):
    place: str = ""


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)
    x: int


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")


@dataclasses.dataclass(frozen=True)
class Span:
    start: int
    points: tuple[Point, ...] = ()


class Pair(NamedTuple):
    left: int
    right: str


class Account(BaseModel):
    password: SecretStr


@dataclasses.dataclass
class Login:
    account: Account | None = None
    again: Login | None = None


class Options(TypedDict, total=False):
    deep: dict[str, date]


class Celsius:
    """A class of someone else's, with pydantic's hooks."""

    def __init__(self, degrees: float) -> None:
        self.degrees = degrees

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Celsius) and other.degrees == self.degrees

    __hash__ = object.__hash__

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            lambda v: v if isinstance(v, cls) else cls(float(v)),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda v: v.degrees),
        )


UserId = NewType("UserId", int)


@pytest.mark.parametrize(
    ("annotation", "codec", "nullable"),
    [
        (str, "TextCodec", False),
        (typing.Optional[str], "TextCodec", True),  # noqa: UP045 - the other spelling
        (int | None, "IntCodec", True),
        (UserId, "IntCodec", False),
        (PositiveInt, "IntCodec", False),
        (Annotated[float, Field(gt=0)], "FloatCodec", False),
        (Literal["a", "b"], "TextCodec", False),
        (Literal[1, 2], "IntCodec", False),
        (Literal["a", 1], "JsonCodec", False),
        (Literal["a", None], "TextCodec", True),
        (Literal[None, 1, "a"], "JsonCodec", True),
        (AwareDatetime, "DatetimeCodec", False),
        (NaiveDatetime | None, "DatetimeCodec", True),
        (FutureDatetime, "DatetimeCodec", False),
        (PastDate, "PlainCodec", False),
        (Colour, "ConvertedCodec", False),
        (Rights, "ConvertedCodec", False),
        (pathlib.Path, "ConvertedCodec", False),
        (ipaddress.IPv6Network, "ConvertedCodec", False),
        (HttpUrl, "AdaptedCodec", False),
        (HttpUrl | None, "AdaptedCodec", True),
        (int | str, "JsonCodec", False),
        (dict[str, Any], "JsonCodec", False),
        (Any, "JsonCodec", True),
        (JsonValue, "JsonCodec", True),
        (Point, "JsonCodec", False),
    ],
)
def test_the_codec_of_an_annotation(annotation: Any, codec: str, nullable: bool) -> None:
    found, is_nullable = codec_for(annotation)
    assert (type(found).__name__, is_nullable) == (codec, nullable)


@pytest.mark.parametrize(
    "annotation", [dict[str, JsonValue], JsonValue, list[Any], tuple[int, ...]]
)
def test_plain_data_needs_no_pydantic(annotation: Any) -> None:
    codec, _ = codec_for(annotation)
    assert isinstance(codec, JsonCodec)
    assert codec.adapter is None


CASES: list[tuple[Any, list[Any]]] = [
    (Colour, list(Colour)),
    (Level, list(Level)),
    (Odd, list(Odd)),
    (Rights, [Rights.READ, Rights.READ | Rights.WRITE, Rights(0)]),
    (Literal[Colour.RED], [Colour.RED]),
    (Literal[True, "x"], [True, "x"]),
    (int | str, [1, "1"]),
    (bool | int | float, [True, 1, 1.0]),
    (int | float | Decimal, [1, 1.5, Decimal("1.10")]),
    (dict[str, Any], [{"a": [1, (2.0, None)]}, {}]),
    (Any, ["text", 5, 1.0, -0.0, None, {"$str": "x"}, {"$tuple": 1}, [], "5"]),
    (JsonValue, ["text", 5, 1.0, [{"a": None}]]),
    (Point, [Point(x=1, Label="banana")]),
    (list[Point | None], [[Point(x=1), None]]),
    (dict[Colour, list[Level]], [{Colour.RED: [Level.LOW]}, {}]),
    (dict[date, int], [{date(2024, 2, 29): 1}]),
    (set[Frozen], [{Frozen(x=1), Frozen(x=2)}, set()]),
    (frozenset[Colour], [frozenset(Colour)]),
    (Span, [Span(1, (Point(x=1),))]),
    (Pair, [Pair(1, "a")]),
    (list[Pair], [[Pair(1, "a")]]),
    (Options, [{"deep": {"a": date(2024, 1, 1)}}, {}]),
    (deque[int], [deque([1, 2]), deque()]),
    (OrderedDict[str, int], [OrderedDict(b=1, a=2)]),
    (Loose, [Loose.model_validate({"a": 1, "b": [2]})]),
    (HttpUrl, [HttpUrl("https://example.org/a?b=c#d")]),
    (AnyUrl, [AnyUrl("redis://host:1/2")]),
    (list[HttpUrl], [[HttpUrl("https://example.org")]]),
    (re.Pattern[str], [re.compile("a+")]),
    (Json[list[int]], [[1, 2]]),
    (Celsius, [Celsius(36.6)]),
    (Celsius | None, [Celsius(-1.0), None]),
    (dict[str, Celsius], [{"a": Celsius(1.0)}]),
    (complex, [1 + 2j]),
    (Fraction, [Fraction(1, 3)]),
    (tuple[Point, timedelta], [(Point(x=1), timedelta(microseconds=1))]),
    (ipaddress.IPv4Network, [ipaddress.IPv4Network("10.0.0.0/8")]),
    (pathlib.PureWindowsPath, [pathlib.PureWindowsPath(r"C:\a")]),
    (tuple[()], [()]),
    (Annotated[int, PlainSerializer(str)], [5]),
    (Literal["a", None], ["a", None]),
    (AwareDatetime, [datetime(2024, 2, 29, tzinfo=UTC)]),
    (PastDatetime, [datetime(2024, 2, 29)]),  # noqa: DTZ001 - naive times must come back naive
    (PastDate | None, [date(2024, 2, 29), None]),
    (FutureDate, [date(2024, 2, 29)]),  # was to come when it was stored
    (list[AwareDatetime], [[datetime(2024, 2, 29, tzinfo=UTC)]]),
]


@pytest.mark.parametrize(("annotation", "values"), CASES, ids=[str(c[0])[:40] for c in CASES])
def test_values_come_back_or_are_refused(annotation: Any, values: list[Any]) -> None:
    codec, _ = codec_for(annotation)
    column, exact = codec.encode(list(values))
    again = list(codec.decode(column))
    for row, data in exact.items():
        again[row] = codec.restore(data)
    assert identical(again, values)


def _doubled(value: int) -> int:
    return value * 2


class Doubling(BaseModel):
    x: Annotated[int, AfterValidator(_doubled)]


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Point, Pinned(x=1, place="secret nan")),  # a subclass would come back as its base
        (list[Point], [Pinned(x=1, place="secret")]),
        (Point, {"x": 1}),
        (Doubling, Doubling(x=1)),  # a validator that changes what it gets
        (re.Pattern[str], re.compile("secret", re.IGNORECASE)),
        (Celsius, "secret"),
        (HttpUrl, "secret"),
        (Any, object()),
        (Any, Colour.RED),
        (list[Literal[Colour.RED]], [Colour.RED]),
    ],
)
def test_what_would_come_back_otherwise_is_refused(annotation: Any, value: Any) -> None:
    codec, _ = codec_for(annotation)
    with pytest.raises(Refused) as caught:
        codec.encode([None, value])
    assert caught.value.row == 1
    assert "secret" not in caught.value.why
    error = not_storable(caught.value, "Thing.field", field="field")
    assert "secret" not in str(error)
    assert "Thing.field" in str(error)


class Handmade:
    """Nothing that pydantic knows."""


@pytest.mark.parametrize(
    "annotation",
    [
        *(Handmade, list[Handmade], dict[str, Handmade | None]),
        SecretStr,
        SecretStr | None,
        list[SecretStr],
        dict[str, tuple[int, SecretStr | None]],
        Account,
        list[Login],
        Callable[[], int],
        list[Callable[[], int]],
        type[int],
        Iterator[int],
        typing.IO[str],
        object.__class__,
    ],
)
def test_annotations_without_values_are_refused(annotation: Any) -> None:
    with pytest.raises(NoCodec):
        codec_for(annotation)


@pytest.mark.parametrize("stored", ["{", '{"$what": 1}', '{"x": "no number"}', "[1]", '"text"'])
def test_what_others_wrote_is_told(stored: str) -> None:
    codec, _ = codec_for(Point)
    with pytest.raises(Refused) as caught:
        codec.decode([None, stored])
    assert caught.value.row == 1
    error = not_readable(caught.value, "points", "point", 3)
    assert "points.point" in str(error)
    assert "row 3" in str(error)
    assert "no number" not in str(error)


def test_json_that_a_driver_has_parsed_already() -> None:
    """PostgreSQL's driver hands back parsed JSON: a text in it must not be parsed again."""
    codec = JsonCodec(Any)
    for value in ("5", "text", 5, [1, "2"], {"$x": 1}, datetime(2024, 1, 1)):  # noqa: DTZ001 - naive on purpose
        (text,) = codec.encode([value])[0]
        assert identical(codec.decode([text]), [value])
        assert identical(codec.decode([json.loads(text)]), [value])


# -- columns, and what is kept beside them ---------------------------------------------------


def there_and_back(codec: Codec, values: list[Any]) -> tuple[list[Any], list[Any]]:
    column, exact = codec.encode(values)
    return column, codec.values(column, exact)


@pytest.mark.parametrize(
    ("codec", "values", "column"),
    [
        (TextCodec(), ["a", None, "x\0y", "\ud800"], ["a", None, "x\ufffdy", "?"]),
        (IntCodec(), [1, None, 2**63, -(2**70)], [1, None, 2**63 - 1, -(2**63)]),
        (FloatCodec(), [1.5, -0.0, 7], [1.5, 0.0, 7.0]),
        (FloatCodec(), [math.inf, 10**400], [1.7976931348623157e308] * 2),
        (FloatCodec(), [math.nan, None], [None, None]),
        (BoolCodec(), [True, None], [True, None]),
        (DecimalCodec(), [Decimal("1.5"), Decimal("-0.0")], [Decimal("1.5"), Decimal("0.0")]),
        (DecimalCodec(), [Decimal("NaN"), Decimal("1e999")], [None, None]),
        (
            DatetimeCodec(),
            [datetime(2024, 1, 1, 2, tzinfo=UTC), None],
            [datetime(2024, 1, 1, 2), None],  # noqa: DTZ001 - columns are naive UTC
        ),
        # The second time when clocks go back is kept.
        (
            DatetimeCodec(),
            [datetime(2024, 10, 27, 2, tzinfo=UTC, fold=1)],
            [datetime(2024, 10, 27, 2)],  # noqa: DTZ001 - as above
        ),
    ],
)
def test_columns_hold_what_sql_can_compare(
    codec: Codec, values: list[Any], column: list[Any]
) -> None:
    found, decoded = there_and_back(codec, values)
    assert identical(found, column)
    assert identical(decoded, values)


def test_ordinary_values_need_nothing_beside() -> None:
    for codec, values in (
        (TextCodec(), ["a", "é", "日本語", ""]),
        (IntCodec(), [0, -1, 2**63 - 1]),
        (FloatCodec(), [0.1, -2.5, 1e300]),
        (DecimalCodec(), [Decimal("0.1"), Decimal("12.75")]),
        (DatetimeCodec(), [datetime(2024, 1, 1, tzinfo=UTC)]),
        (TimedeltaCodec(), [timedelta(1, 2, 3)]),
    ):
        assert codec.encode(list(values))[1] == {}


@pytest.mark.parametrize(
    ("codec", "value"),
    [
        (TextCodec(), 5),
        (IntCodec(), True),
        (IntCodec(), 1.0),
        (FloatCodec(), True),
        (BoolCodec(), 1),
        (DecimalCodec(), 1.5),
        (DatetimeCodec(), "2024-01-01"),
        (Codec(sa.LargeBinary(), bytes), "x"),
    ],
)
def test_other_types_are_refused_with_their_row_and_not_their_value(
    codec: Codec, value: Any
) -> None:
    with pytest.raises(Refused) as caught:
        codec.encode([None, value])
    assert caught.value.row == 1
    assert type(value).__name__ in caught.value.why
    assert "2024" not in caught.value.why


class Big(enum.IntEnum):
    SMALL = 1
    HUGE = 2**70


def test_what_is_kept_beside_a_converted_column_is_converted_back() -> None:
    for codec, values in (
        (ConvertedCodec(IntCodec(), (Big,), lambda m: m.value, Big), list(Big)),
        (
            ConvertedCodec(TextCodec(), (PurePosixPath,), str, PurePosixPath),
            [PurePosixPath("a"), PurePosixPath("\udcff/b"), PurePosixPath("x\0y")],
        ),
    ):
        assert identical(there_and_back(codec, values)[1], values)


@pytest.mark.parametrize(
    ("codec", "stored"),
    [
        (TextCodec(), 5),
        (IntCodec(), "x"),
        (TimedeltaCodec(), 10**30),
        (TimedeltaCodec(), "x"),
        (ConvertedCodec(IntCodec(), (Big,), lambda m: m.value, Big), 77),
    ],
)
def test_what_others_wrote_into_a_column_is_told(codec: Codec, stored: Any) -> None:
    with pytest.raises(Refused) as caught:
        codec.decode([None, stored])
    assert caught.value.row == 1


def test_checksums_see_plain_values_only() -> None:
    plain = (str, int, float, bool, bytes, type(None))
    for codec, values in (
        (DatetimeCodec(), [datetime(2024, 1, 1, tzinfo=UTC), None]),
        (DecimalCodec(), [Decimal("1.5"), None]),
        (TimedeltaCodec(), [timedelta(1), None]),
    ):
        column, _ = codec.encode(list(values))
        assert all(isinstance(value, plain) for value in codec.canonical(column))


# -- whether a class can be stored -----------------------------------------------------------


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
