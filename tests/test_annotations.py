"""What an annotation can hold."""

from __future__ import annotations

import abc
import collections
import dataclasses
import enum
import pathlib
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from collections.abc import Set as AbstractSet
from typing import (  # noqa: UP035 - the old spellings are what users may have written
    Annotated,
    Any,
    Generic,
    List,
    Literal,
    NamedTuple,
    NewType,
    Optional,
    Self,
    TypedDict,
    TypeVar,
    Union,
)

import pytest
import typing_extensions
from pydantic import BaseModel, JsonValue
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import TypeAliasType

import ecsviz as ev
from ecsviz.domain.annotations import (
    Reading,
    can_hold_entities,
    complete_fields,
    concrete,
    hints_of,
)
from ecsviz.errors import UnsupportedFieldError


class A(ev.Entity):
    pass


class B(ev.Entity):
    pass


class Color(enum.Enum):
    RED = 1


class Plain(BaseModel):
    author: A | None = None
    again: Plain | None = None


class Empty(BaseModel):
    number: int = 0


class SelfPlain(BaseModel):
    next: Self | None = None


@dataclasses.dataclass
class Data:
    author: A


@dataclasses.dataclass
class DataByName:
    author: A
    unknown: NotDefined  # noqa: F821 - what cannot be resolved must not get in the way


@pydantic_dataclass
class PydanticData:
    author: A


class Typed(TypedDict, total=False):
    author: typing.Required[A]


class TypedToo(typing_extensions.TypedDict):
    author: A


class Named(NamedTuple):
    author: A
    number: int


class Mixin(abc.ABC):
    @abc.abstractmethod
    def act(self) -> None: ...


T = TypeVar("T")
Bound = TypeVar("Bound", bound=A)
Choice = TypeVar("Choice", A, B)


class Box(BaseModel, Generic[T]):
    item: T


@dataclasses.dataclass
class Pair(Generic[T]):
    one: T
    other: B


UserId = NewType("UserId", int)
NewA = NewType("NewA", A)
Alias = TypeAliasType("Alias", A | None)
ListOf = TypeAliasType("ListOf", list[T], type_params=(T,))
Tree = TypeAliasType("Tree", "list[Tree | A]")


class Custom(Generic[T]):
    pass


@pytest.mark.parametrize(
    ("annotation", "entities"),
    [
        (A, [A]),
        (A | None, [A]),
        (Optional[A], [A]),  # noqa: UP045 - see above
        (Union[A, B, None], [A, B]),  # noqa: UP007 - see above
        (B | A, [B, A]),
        (list[A], [A]),
        (List[A], [A]),  # noqa: UP006 - see above
        (tuple[A, ...], [A]),
        (tuple[A, int, B], [A, B]),
        (set[A], [A]),
        (frozenset[A | int], [A]),
        (dict[str, A], [A]),
        (dict[str, list[A | None]], [A]),
        (collections.deque[A], [A]),
        (Sequence[A], [A]),
        (Mapping[str, A], [A]),
        (MutableMapping[int, A], [A]),
        (collections.OrderedDict[str, A], [A]),
        (collections.defaultdict[str, list[A]], [A]),
        (AbstractSet[A], [A]),
        (Annotated[A, "text"], [A]),
        (list[Annotated[A, "text"]], [A]),
        (Annotated[list[Annotated[A, 1]], 2], [A]),
        (Plain, [A]),
        (list[Plain], [A]),
        (Box[A], [A]),
        (Box[int], []),
        (Pair[A], [A, B]),
        (Data, [A]),
        (DataByName, [A]),
        (PydanticData, [A]),
        (Typed, [A]),
        (TypedToo, [A]),
        (Named, [A]),
        (NewA, [A]),
        (Alias, [A]),
        (list[Alias], [A]),
        (ListOf[A], [A]),
        (Tree, [A]),
        (Self, [B]),
        (Self | None, [B]),
        (list[Self], [B]),
        (list[Self] | None, [B]),
        (int | Self, [B]),
        ("A", [A]),
        (list[typing.ForwardRef("A | None")], [A]),
        (Bound, [A]),
        (Choice, [A, B]),
        (list[Bound], [A]),
        (int, []),
        (str | None, []),
        (list[int], []),
        (dict[str, JsonValue], []),
        (JsonValue, []),
        (Literal["A"], []),
        (type[A], []),
        (Callable[[A], A], []),
        (Color, []),
        (UserId, []),
        (pathlib.Path, []),
        (Empty, []),
        (SelfPlain, []),
    ],
)
def test_the_entities_that_an_annotation_names(annotation: Any, entities: list[type]) -> None:
    found = Reading(annotation, B)
    assert list(dict.fromkeys(found.entities)) == entities
    assert can_hold_entities(annotation, B) is bool(entities)
    assert not found.opaque or annotation is DataByName
    assert not found.keys
    assert found.blind is None


@pytest.mark.parametrize(
    "annotation",
    [
        Any,
        object,
        list,
        List,  # noqa: UP006 - see above
        dict,
        tuple,
        set,
        collections.deque,
        Sequence,
        typing.Sequence,
        Mapping,
        list[Any],
        dict[str, Any],
        int | Any,
        BaseModel,
        T,
        "NotDefined",
        typing.ForwardRef("NotDefined"),
    ],
)
def test_what_takes_anything_is_opaque(annotation: Any) -> None:
    found = Reading(annotation, B)
    assert found.opaque
    assert not found.entities


@pytest.mark.parametrize(
    ("annotation", "watched"),
    [
        (Empty, True),
        (list[Empty], True),
        (Mixin, True),
        (Mixin | None, True),
        (int, False),
        (Color, False),
        (pathlib.Path, False),
        (JsonValue, False),
        (dict[str, list[int]], False),
    ],
)
def test_what_an_entity_may_be_in_disguise_is_watched(annotation: Any, watched: bool) -> None:
    assert Reading(annotation, B).watched is watched


@pytest.mark.parametrize(
    "annotation",
    [
        dict[A, int],
        dict[A | str, int],
        dict[tuple[A, int], int],
        list[dict[A, str]],
        collections.Counter[A],
        Mapping[Plain, int],
    ],
)
def test_entities_as_keys(annotation: Any) -> None:
    found = Reading(annotation, B)
    assert found.keys
    assert not found.entities


def test_entities_as_keys_and_values() -> None:
    found = Reading(dict[A, B], B)
    assert found.keys
    assert found.entities == [B]


@pytest.mark.parametrize(
    ("annotation", "where"),
    [
        (Iterable[A], "inside Iterable[…], into which nobody can look"),
        (Iterator[A], "inside Iterator[…], into which nobody can look"),
        (Custom[A], "inside Custom[…], into which nobody can look"),
        (list[Custom[list[A]]], "inside Custom[…], into which nobody can look"),
        (set[tuple[A, int]], "inside the members of a set, which have no order"),
        (frozenset[Named], "inside the members of a set, which have no order"),
        (set[frozenset[A]], "inside the members of a set, which have no order"),
    ],
)
def test_entities_where_nobody_can_find_them(annotation: Any, where: str) -> None:
    assert Reading(annotation, B).blind == where


@pytest.mark.parametrize("annotation", [Iterable[int], Custom[int], set[tuple[int, str]]])
def test_values_may_stand_there(annotation: Any) -> None:
    assert Reading(annotation, B).blind is None


def test_concrete_leaves_what_needs_no_change() -> None:
    for annotation in (list[int], Annotated[int, 1], A | None, Literal["x"], Callable[[int], str]):
        assert concrete(annotation, A) is annotation
    assert concrete(Annotated[Self, 1], A) == Annotated[A, 1]
    assert concrete(dict[str, Self | None], A) == dict[str, Optional[A]]  # noqa: UP045 - see above
    assert concrete(Choice, A) == Union[A, B]  # noqa: UP007 - see above


def test_hints_of_a_local_class() -> None:
    class Inner(ev.Entity):
        pass

    @dataclasses.dataclass
    class Holder:
        inner: Inner
        number: int

    assert hints_of(Holder) == {"inner": Inner, "number": int}


def test_a_forward_reference_that_cannot_be_resolved() -> None:
    class Waiting(ev.Entity):
        next: Missing | None = None  # noqa: F821 - not defined yet, which is the point

    with pytest.raises(UnsupportedFieldError, match="Waiting refers to 'Missing'") as caught:
        complete_fields(Waiting)
    assert caught.value.cls is Waiting
    assert caught.value.missing == "Missing"
    assert "run its cell" in str(caught.value)
