"""Root models, dataclasses, typed dicts, named tuples, deques, arrays: one meaning everywhere."""

from __future__ import annotations

import copy
import dataclasses
from collections import deque
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import numpy as np
import pytest
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    RootModel,
    field_validator,
    model_validator,
)
from pydantic.dataclasses import dataclass as checked_dataclass
from pydantic_core import core_schema
from typing_extensions import TypedDict

import ecsviz as ev
from ecsviz.errors import DuplicateIdError
from ecsviz.isomorphic import find_difference
from tests.conformance.conftest import KINDS, OPENERS, Open

T = TypeVar("T")
NAN = float("nan")


@pytest.fixture(params=KINDS)
def reopen(request: pytest.FixtureRequest, tmp_path: Any) -> Open:
    return OPENERS[request.param](tmp_path, request)


class Tags(RootModel[list[str]]):
    pass


class Tag(RootModel[str]):
    model_config = ConfigDict(frozen=True)


class Shelves(RootModel[dict[str, Tags]]):
    pass


class Maybe(RootModel["Named | None"]):
    pass


class Listed(RootModel[list[T]], Generic[T]):
    pass


class Named(ev.Entity):
    name: str = ""


class Names(RootModel[list[Named]]):
    pass


class One(RootModel[Named]):
    pass


class Plain(BaseModel):
    names: Names
    tags: Tags


@checked_dataclass
class Checked:
    tags: Tags
    who: Named


@dataclasses.dataclass
class Bare:
    numbers: list[float]
    who: Named


class Typed(TypedDict):
    tags: Tags
    who: Named


class Row(NamedTuple):
    tags: Tags
    who: Named


class Vector:
    """A class of a user's whose ``==`` says something of each part."""

    def __init__(self, parts: Any) -> None:
        self.parts = np.asarray(parts, dtype=float)

    def __eq__(self, other: object) -> Any:
        return self.parts == other.parts if isinstance(other, Vector) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # like an array

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            lambda v: v if isinstance(v, cls) else cls(v),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda v: v.parts.tolist()
            ),
        )


Array = Annotated[
    np.ndarray[Any, Any], PlainValidator(np.asarray), PlainSerializer(np.ndarray.tolist)
]


class Holder(ev.Entity):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    tags: Tags | None = None
    tag: Tag | None = None
    marked: set[Tag] = Field(default_factory=set)
    counted: dict[Tag, int] = Field(default_factory=dict)
    shelves: Shelves | None = None
    numbers: Listed[float] | None = None
    sorts: list[Tags] = Field(default_factory=list)
    recent: deque[float] = Field(default_factory=deque)
    anything: Any = None
    vector: Vector | None = None
    array: Array | None = None
    arrays: list[Array] = Field(default_factory=list)
    names: Names | None = None
    one: One | None = None
    maybe: Maybe = Maybe(None)
    generic: Listed[Named] | None = None
    groups: dict[str, list[Names]] = Field(default_factory=dict)
    plain: Plain | None = None
    checked: Checked | None = None
    bare: Bare | None = None
    typed: Typed | None = None
    row: Row | None = None
    queue: deque[Named] = Field(default_factory=deque)


A, B = Named(name="a"), Named(name="b")
VALUES: list[tuple[str, Any, Any]] = [
    ("tags", Tags(["a"]), Tags(["b"])),
    ("tag", Tag("a"), Tag("b")),
    ("marked", {Tag("a"), Tag("b")}, {Tag("a")}),
    ("counted", {Tag("a"): 1}, {Tag("b"): 1}),
    ("shelves", Shelves({"x": Tags(["a"])}), Shelves({"x": Tags([])})),
    ("numbers", Listed[float]([NAN, -0.0]), Listed[float]([NAN, 0.0])),
    ("sorts", [Tags(["a"]), Tags([])], [Tags([]), Tags(["a"])]),
    ("recent", deque([NAN, 1.0]), deque([NAN, 2.0])),
    ("recent", deque([1.0], maxlen=2), deque([1.0])),
    ("recent", deque(maxlen=0), deque(maxlen=3)),
    ("anything", deque([1, (2,)], maxlen=5), deque([1, (2,)])),
    ("vector", Vector([1, 2]), Vector([1, 3])),
    ("vector", Vector([NAN]), Vector([0.0])),
    ("array", np.array([1.0, NAN]), np.array([1.0, -0.0])),
    ("array", np.array([1]), np.array([[1]])),
    ("arrays", [np.array([1, 2]), np.array([3])], [np.array([1, 2])]),
    ("names", Names([A, B]), Names([B, A])),
    ("one", One(A), One(B)),
    ("maybe", Maybe(A), Maybe(B)),
    ("maybe", Maybe(A), Maybe(None)),
    ("generic", Listed[Named]([A]), Listed[Named]([A, A])),
    ("groups", {"x": [Names([A]), Names([])]}, {"x": [Names([]), Names([A])]}),
    ("plain", Plain(names=Names([A]), tags=Tags(["x"])), Plain(names=Names([A]), tags=Tags([]))),
    ("checked", Checked(Tags(["x"]), A), Checked(Tags(["y"]), A)),
    ("bare", Bare([NAN], A), Bare([NAN], B)),
    ("typed", {"tags": Tags(["x"]), "who": A}, {"tags": Tags(["x"]), "who": B}),
    ("row", Row(Tags(["x"]), A), Row(Tags(["y"]), A)),
    ("queue", deque([A, B], maxlen=2), deque([A, B])),
]


@pytest.mark.parametrize(("field", "value", "other"), VALUES)
def test_it_comes_back_and_only_an_edit_is_one(
    reopen: Open, field: str, value: Any, other: Any
) -> None:
    entity = Holder()
    entity.__dict__[field] = value
    store: Any = reopen()
    store.register(entity)
    again = reopen().get(entity.ecs_id)
    assert find_difference(entity, again) is None
    assert not len(reopen().verify(entity))
    reopen().register(again)
    assert again.version == 1, "nothing has changed"
    assert list(ev.diff(entity, again)) == []
    assert find_difference(entity, copy.deepcopy(entity)) is None

    again.__dict__[field] = copy.deepcopy(other)
    assert find_difference(entity, again) is not None
    reopen().register(again)
    assert again.version == 2
    last = reopen().get(entity.ecs_id)
    assert find_difference(again, last) is None
    assert list(ev.diff(entity, last))
    first = reopen().get(entity.ecs_id, as_of=1)
    assert find_difference(entity, first) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (field, value)
        for field, value, _ in VALUES
        if field
        in {
            "tags",
            "shelves",
            "names",
            "one",
            "maybe",
            "generic",
            "groups",
            "plain",
            "row",
            "typed",
        }
    ],
)
def test_it_is_dumped(field: str, value: Any) -> None:
    entity = Holder()
    entity.__dict__[field] = value
    left_out = {"vector", "array"}
    again = Holder.model_validate(entity.model_dump(exclude=left_out))
    assert find_difference(entity, again) is None
    again = Holder.model_validate_json(entity.model_dump_json(exclude=left_out))
    assert find_difference(entity, again) is None


class Measured(ev.Entity):
    """Fields that are never None, and that say by ``Annotated`` alone how they are written."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    array: Array
    vector: Vector


def test_arrays_in_fields_that_must_be_set(reopen: Open) -> None:
    several = [Measured(array=np.array([n, 2.0]), vector=Vector([n, 2.0])) for n in range(3)]
    reopen().register(several)
    for entity in several:
        again = reopen().get(entity.ecs_id)
        assert find_difference(entity, again) is None
        assert reopen().register(again).version == 1


def test_none_in_a_root_model_is_no_missing_value(reopen: Open) -> None:
    entity = reopen().register(Holder(maybe=Maybe(None)))
    assert reopen().get(entity.ecs_id).maybe == Maybe(None)


def test_an_array_that_nobody_describes_is_refused_with_the_class(reopen: Open) -> None:
    class Undescribed(ev.Entity):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        array: np.ndarray[Any, Any]

    with pytest.raises(ev.errors.UnsupportedFieldError, match="PlainValidator and a PlainSer"):
        reopen().register(Undescribed(array=np.array([1, 2])))


def test_an_array_where_anything_may_be_is_refused(reopen: Open) -> None:
    for value in (np.array([1, 2]), {"x": np.array([1])}):
        with pytest.raises(ev.errors.ValueNotStorableError, match="holds a ndarray"):
            reopen().register(Holder(anything=value))


class Looking(ev.Entity):
    """Its validators say what they saw of an entity that is held inside a plain model."""

    name: str
    next: Looking | None = None

    @field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        SEEN.append(name)
        return name

    @model_validator(mode="after")
    def _after(self) -> Looking:
        SEEN.append(self.name + (self.next.name if self.next else ""))
        return self


class Wrapped(BaseModel):
    label: str = ""
    one: Looking | None = None
    many: list[Looking] = []

    @field_validator("label")
    @classmethod
    def _label(cls, label: str) -> str:
        return label.upper()


class Wrapping(ev.Entity):
    inside: Wrapped
    several: dict[str, list[Wrapped]] = Field(default_factory=dict)


SEEN: list[str] = []


def test_reading_does_not_ask_the_validators_of_entities_inside_plain_models(
    reopen: Open,
) -> None:
    looking = Looking(name="a")
    looking.next = Looking(name="b", next=looking)
    box = Wrapped(label="x", one=looking, many=[looking, looking.next])
    whole = Wrapping(inside=box, several={"k": [box, Wrapped(one=looking)]})
    store = reopen()
    store.register(whole)
    SEEN.clear()
    again = reopen().get(whole.ecs_id)
    assert SEEN == []
    assert find_difference(again, whole) is None
    assert again.inside.label == "X"


class Copied(ev.Entity):
    """A validator that hands out another object, which pydantic puts in the first one's place."""

    name: str = ""
    other: Copied | None = None

    @model_validator(mode="after")
    def _copy(self) -> Copied:
        return self.model_copy()


@pytest.mark.filterwarnings("ignore:A custom validator is returning a value other than")
def test_a_validator_that_returns_a_copy_is_stored_once_or_told(reopen: Open) -> None:
    inner = Copied(name="inner")
    outer = Copied(name="outer", other=inner)  # holds a copy that pydantic has made
    assert outer.other is not inner
    store = reopen()
    store.register(outer)
    assert find_difference(reopen().get(outer.ecs_id), outer) is None
    for both in (ev.EntityDependencyGraph, store.register):
        with pytest.raises(DuplicateIdError, match="Two different objects have the ecs_id"):
            both([outer, inner])
    ring = Copied(name="ring")
    ring.other = ring
    store.register(ring)
    again = reopen().get(ring.ecs_id)
    assert again.other is again
