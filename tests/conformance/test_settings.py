"""What pydantic can be told of a class or a field: kept by every storage and dump, or refused."""

from __future__ import annotations

import abc
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Generic, NewType, Self, TypeVar

import pytest
from annotated_types import Ge, MaxLen
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    Json,
    PlainSerializer,
    PrivateAttr,
    SecretStr,
    computed_field,
    field_serializer,
    model_serializer,
)
from pydantic.alias_generators import to_camel
from typing_extensions import TypeAliasType

import ecsviz as ev
from ecsviz import errors
from ecsviz.isomorphic import find_difference
from tests.conformance.conftest import Open

UserId = NewType("UserId", int)
Names = TypeAliasType("Names", list[str])
T = TypeVar("T")


class Pair(BaseModel, Generic[T]):
    left: T
    right: T


class Held(ev.Entity):
    text: str = ""


class Frozen(ev.Entity, frozen=True):
    name: str
    held: Held | None = None


class Forbidding(ev.Entity):
    model_config = ConfigDict(extra="forbid")
    name: str
    held: Held | None = None


class Assigned(ev.Entity):
    model_config = ConfigDict(validate_assignment=True)
    number: Annotated[int, Ge(0)] = 0
    held: Held | None = None


class Camel(ev.Entity):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)
    first_name: str
    held_by_it: Held | None = None


class Aliased(ev.Entity):
    name: str = Field(validation_alias="nom", serialization_alias="Nom")
    held: Held | None = Field(default=None, alias="Holds")


class Texts(ev.Entity):
    model_config = ConfigDict(
        str_strip_whitespace=True, str_to_lower=True, validate_default=True, defer_build=True
    )
    name: Annotated[str, MaxLen(20)] = "A "
    held: Held | None = None


class Numbers(ev.Entity):
    model_config = ConfigDict(
        allow_inf_nan=False, ser_json_timedelta="float", ser_json_bytes="base64"
    )
    size: float = 0.5
    price: Decimal = Decimal("1.20")


class Documented(ev.Entity):
    model_config = ConfigDict(use_attribute_docstrings=True, protected_namespaces=())
    model_size: int = 3
    """How large."""


class Computed(ev.Entity):
    name: str = "a"
    kind: ClassVar[str] = "thing"
    hidden: str = Field(default="x", exclude=False, repr=False, frozen=True)
    _seen: int = PrivateAttr(default=0)

    @computed_field
    @property
    def loud(self) -> str:
        return self.name.upper()

    @property
    def quiet(self) -> str:
        return self.name

    @quiet.setter
    def quiet(self, value: str) -> None:
        self.name = value


class Serialized(ev.Entity):
    number: Annotated[int, PlainSerializer(str, return_type=str)] = 3
    names: list[str] = Field(default_factory=list)
    held: Held | None = None

    @field_serializer("names")
    def join(self, value: list[str]) -> list[str]:
        return [name.lower() for name in value]


class Wrapped(ev.Entity):
    number: int = 3

    @model_serializer(mode="wrap")
    def more(self, handler: Any) -> dict[str, Any]:
        return {**handler(self)}


class Typed(ev.Entity):
    user: UserId = UserId(1)
    names: Names = Field(default_factory=list)
    pair: Pair[int] | None = None
    again: Self | None = None


class Parsed(ev.Entity):
    data: Json[list[int]] = Field(default_factory=list)


class Shape(ev.Entity, abc.ABC):
    name: str = ""

    @abc.abstractmethod
    def area(self) -> float:
        """Return it."""


class Stamped(BaseModel):
    stamp: int = 0


class Square(Shape, Stamped):
    side: float = 1.0

    def area(self) -> float:
        return self.side**2


class Drawing(ev.Entity):
    shapes: list[Shape] = Field(default_factory=list)


KEPT: dict[str, Callable[[], Any]] = {
    "frozen": lambda: Frozen(name="a", held=Held()),
    "extra=forbid": lambda: Forbidding(name="a", held=Held()),
    "validate_assignment": lambda: Assigned(number=3, held=Held()),
    "alias_generator": lambda: Camel(first_name="a", held_by_it=Held()),
    "aliases": lambda: Aliased(nom="a", Holds=Held()),
    "texts": lambda: Texts(held=Held()),
    "numbers": Numbers,
    "attribute docstrings": Documented,
    "computed": Computed,
    "serializers": lambda: Serialized(names=["a"], held=Held()),
    "model_serializer": Wrapped,
    "types": lambda: Typed(names=["a"], pair=Pair[int](left=1, right=2), again=Typed()),
    "json": lambda: Parsed(data="[1, 2]"),
    "abstract": lambda: Drawing(shapes=[Square(name="a", stamp=3)]),
}


@pytest.mark.parametrize("name", KEPT)
def test_it_is_kept(reopen: Open, name: str) -> None:
    entity = KEPT[name]()
    reopen().register(entity)
    again: Any = reopen().get(entity.ecs_id)
    assert find_difference(entity, again) is None
    reopen().register(again)
    assert len(reopen().revisions()) == 1
    assert len(reopen().verify(entity)) == 0


@pytest.mark.parametrize("name", [name for name in KEPT if name != "json"])
@pytest.mark.parametrize("by_alias", [False, True])
def test_it_is_dumped(name: str, by_alias: bool) -> None:
    entity = KEPT[name]()
    cls = type(entity)
    data = entity.model_dump(by_alias=by_alias)
    assert find_difference(entity, cls.model_validate(data)) is None
    text = entity.model_dump_json(by_alias=by_alias)
    assert find_difference(entity, cls.model_validate_json(text)) is None


def test_what_dumps_leave_out_is_stored(reopen: Open) -> None:
    class Quiet(ev.Entity):
        word: str = Field(default="", exclude=True)
        held: Held | None = Field(default=None, exclude=True)

    quiet = reopen().register(Quiet(word="a", held=Held(text="b")))
    again: Any = reopen().get(quiet.ecs_id)
    assert (again.word, again.held.text) == ("a", "b")


class Allowing(ev.Entity):
    model_config = ConfigDict(extra="allow")


class Secret(ev.Entity):
    word: SecretStr = SecretStr("x")


class Calling(ev.Entity):
    call: Callable[[], int] = int


@pytest.mark.parametrize("cls", [Allowing, Secret, Calling])
def test_it_is_refused_when_the_class_is_mapped(reopen: Open, cls: Any) -> None:
    with pytest.raises(errors.UnsupportedFieldError, match=cls.__name__):
        reopen().register(cls())
    assert len(reopen().revisions()) == 0


def test_what_would_copy_entities_is_refused_when_it_is_defined() -> None:
    with pytest.raises(errors.UnsupportedFieldError, match="revalidate_instances"):

        class _Copying(ev.Entity):
            model_config = ConfigDict(revalidate_instances="always")


def test_json_fields_are_dumped_as_pydantic_reads_them() -> None:
    parsed = Parsed(data="[1, 2]")  # type: ignore[arg-type]  # what is parsed
    again = Parsed.model_validate(parsed.model_dump(round_trip=True))
    assert again.data == [1, 2]
