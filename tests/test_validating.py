"""Validators that look at what an entity holds: dumps and frames give the same graph back."""

from __future__ import annotations

import functools
import itertools
from typing import Annotated, Any, Literal

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    ValidationError,
    ValidationInfo,
    WrapValidator,
    computed_field,
    field_validator,
    model_validator,
)

import ecsviz as ev
from ecsviz.isomorphic import find_difference
from tests.conformance.test_post_init import Deep
from tests.dump_classes import LONG, WAYS, Way


def look(thing: Any) -> Any:
    """Read a value of what is held: it must be there, and of its type."""
    assert thing is None or type(thing.number) is int
    return thing


def look_at_all(things: Any) -> Any:
    return things if things is None else [look(thing) for thing in things]


class Meta(BaseModel):
    about: Thing | None = None

    @model_validator(mode="after")
    def check_meta(self) -> Meta:
        look(self.about)
        return self


class Thing(ev.Entity):
    number: int = 0
    one: Thing | None = None
    many: list[Thing] = Field(default_factory=list)
    table: dict[str, Thing] = Field(default_factory=dict)
    meta: Meta | None = None


class ModelAfter(Thing):
    @model_validator(mode="after")
    def check_model_after(self) -> ModelAfter:
        look(self.one)
        look_at_all(self.many)
        return self


class ModelBefore(Thing):
    @model_validator(mode="before")
    @classmethod
    def check_model_before(cls, data: Any) -> Any:
        if isinstance(data, dict):  # of an entity in a field, pydantic gives the entity
            look(data.get("one"))
            look_at_all(data.get("many"))
        return data


class ModelWrap(Thing):
    @model_validator(mode="wrap")
    @classmethod
    def check_model_wrap(cls, data: Any, handler: Any) -> Any:
        made = handler(data)
        look_at_all(made.table.values())
        return made


class FieldAfter(Thing):
    @field_validator("many", "one")
    @classmethod
    def check_field_after(cls, value: Any) -> Any:
        return look_at_all(value) if isinstance(value, list) else look(value)


class FieldBefore(Thing):
    @field_validator("many", mode="before")
    @classmethod
    def check_field_before(cls, value: Any, info: ValidationInfo) -> Any:
        look(info.data.get("one"))
        return look_at_all(value)


class FieldWrap(Thing):
    @field_validator("one", mode="wrap")
    @classmethod
    def check_field_wrap(cls, value: Any, handler: Any) -> Any:
        return look(handler(look(value)))


class FieldPlain(Thing):
    @field_validator("one", mode="plain")
    @classmethod
    def check_field_plain(cls, value: Any) -> Any:
        return look(value)


class Inside(Thing):
    inner: list[Annotated[Thing, AfterValidator(look), BeforeValidator(look)]] = Field(
        default_factory=list
    )
    other: Annotated[Thing | None, WrapValidator(lambda v, handler: look(handler(v)))] = None


class PostInit(Thing):
    _sum: int = PrivateAttr(default=-1)

    def model_post_init(self, context: Any) -> None:
        self._sum = sum(thing.number for thing in self.many)


class Cat(Thing):
    kind: Literal["cat"] = "cat"


class Dog(Thing):
    kind: Literal["dog"] = "dog"


def kind_of(value: Any) -> str:
    return str(value.kind)


class Owner(Thing):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    pets: list[
        Annotated[Annotated[Cat, Tag("cat")] | Annotated[Dog, Tag("dog")], Discriminator(kind_of)]
    ] = Field(default_factory=list)


class Frozen(Thing, frozen=True):
    @computed_field
    @property
    def total(self) -> int:
        return sum(thing.number for thing in self.many)


class Strict(Thing, strict=True, validate_assignment=True):
    size: float = Field(default=0.5, alias="Size", validation_alias="size_in", gt=0)


class Open(Thing, extra="allow"):
    pass


FEATURES: list[type[Thing]] = [
    ModelAfter,
    ModelBefore,
    ModelWrap,
    FieldAfter,
    FieldBefore,
    FieldWrap,
    FieldPlain,
    Inside,
    PostInit,
    Owner,
    Strict,
]


@functools.cache
def class_with(features: tuple[int, ...]) -> type[Thing]:
    """Return a class with several ways of looking at what it holds."""
    bases = tuple(FEATURES[n] for n in features)
    return type("Random_" + "_".join(base.__name__ for base in bases), bases, {})


@st.composite
def graphs(draw: st.DrawFn, *, acyclic: bool = False) -> Any:
    """A graph whose classes have validators of several kinds."""
    kinds = st.sampled_from([Thing, Cat, Dog, Frozen, Open])
    mixed = st.lists(st.integers(0, len(FEATURES) - 1), min_size=1, max_size=2, unique=True).map(
        lambda numbers: class_with(tuple(sorted(numbers)))
    )
    classes = draw(st.lists(kinds | mixed, min_size=1, max_size=7))
    things: list[Any] = [cls(number=n) for n, cls in enumerate(classes)]
    for n, thing in enumerate(things):
        state = thing.__dict__  # some are frozen
        there = things[n + 1 :] if acyclic else things
        if not there:
            continue
        some = st.sampled_from(there)
        state["one"] = draw(st.none() | some)
        state["many"] = draw(st.lists(some, max_size=3))
        state["table"] = draw(st.dictionaries(st.sampled_from("ab"), some, max_size=2))
        state["meta"] = draw(st.none() | some.map(lambda about: Meta(about=about)))
        if isinstance(thing, Inside):
            state["inner"], state["other"] = draw(st.lists(some, max_size=2)), draw(some)
        pets = [pet for pet in there if isinstance(pet, (Cat, Dog))]
        if isinstance(thing, Owner) and pets:
            state["pet"] = draw(st.sampled_from(pets))
            state["pets"] = draw(st.lists(st.sampled_from(pets), max_size=3))
    return Thing(number=-1, many=things)


@settings(max_examples=150)
@given(graphs())
def test_a_dump_comes_back_whatever_validators_look_at(root: Any) -> None:
    for way in WAYS.values():
        assert find_difference(root, way(root)) is None


@settings(max_examples=60)
@given(graphs())
def test_frames_come_back_whatever_validators_look_at(root: Any) -> None:
    if any(isinstance(thing, Open) for thing in root.many):
        return  # with extra fields no class can be stored, nor be a frame
    nodes, references = ev.to_frames(root)
    shuffled = nodes.sample(frac=1, random_state=len(nodes))
    (again,) = [e for e in ev.from_frames(shuffled, references) if e == root]
    assert find_difference(root, again) is None


@settings(max_examples=60)
@given(graphs(acyclic=True))
def test_without_cycles_everything_held_is_complete(root: Any) -> None:
    """What ``model_post_init`` computes from what is held is right, not only there."""
    for way in WAYS.values():
        for thing in ev.EntityDependencyGraph(way(root)).nodes:
            if isinstance(thing, PostInit):
                assert thing._sum == sum(held.number for held in thing.many)


@pytest.mark.scale
def test_a_chain_of_100_000_is_validated_from_its_end() -> None:
    step = Deep()
    for _ in range(LONG - 1):
        step = Deep(next=step)
    assert WAYS["python"](step)._depth == step._depth == LONG - 1


def test_frames_are_validated_from_the_end() -> None:
    step = Deep()
    for _ in range(9):
        step = Deep(next=step)
    nodes, references = ev.to_frames(step)
    for frame in (nodes, nodes[::-1]):
        again = {e.ecs_id: e for e in ev.from_frames(frame, references)}
        assert again[step.ecs_id]._depth == 9


def test_networkx_is_validated_from_the_end() -> None:
    import networkx as nx

    graph = nx.DiGraph([(1, 2), (2, 3)])
    assert [step._depth for step in ev.from_networkx(graph, Deep)] == [2, 1, 0]


@pytest.mark.scale
def test_a_long_ring_is_filled_before_it_is_validated() -> None:
    ring = [ModelAfter(number=n) for n in range(20_000)]
    for one, other in itertools.pairwise([*ring, ring[0]]):
        one.one = other
    again = WAYS["text"](ring[0])
    assert find_difference(ring[0], again) is None


class Parent(ev.Entity):
    """Its children are complete, and it is complete to them but for what it computes itself."""

    kids: list[Kid] = Field(default_factory=list)
    seen: list[str] = Field(default_factory=list)
    when: pd.Timestamp | None = None

    model_config = {"arbitrary_types_allowed": True}


class Kid(ev.Entity):
    parent: Parent
    name: str
    sizes: tuple[float, ...] = ()

    @model_validator(mode="after")
    def check(self) -> Kid:
        assert type(self.parent.kids) is list
        assert all(type(kid.name) is str and type(kid.sizes) is tuple for kid in self.parent.kids)
        return self


@pytest.mark.parametrize("again", WAYS.values(), ids=WAYS.keys())
def test_in_a_cycle_values_have_their_types_before_anyone_looks(again: Way) -> None:
    parent = Parent()
    parent.kids = [Kid(parent=parent, name=name, sizes=(1, 2)) for name in "ab"]
    assert find_difference(parent, again(parent)) is None
    assert find_difference(parent.kids[1], again(parent.kids[1])) is None


def test_the_context_reaches_every_validator() -> None:
    class Told(ev.Entity):
        next: Any = None
        other: Thing | None = None
        word: str = ""

        @field_validator("word")
        @classmethod
        def check(cls, value: str, info: ValidationInfo) -> str:
            return value if info.context is None else info.context["word"]

    told = Told(other=Thing())
    again = Told.model_validate(told.model_dump(), context={"word": "x"})
    assert again.word == "x"


def test_what_a_validator_refuses_is_told_with_its_place() -> None:
    class Picky(ev.Entity):
        thing: Thing

        @model_validator(mode="after")
        def check(self) -> Any:
            if self.thing.number < 0:
                raise ValueError("below 0")
            return self

    data = Picky(thing=Thing()).model_dump()
    data["thing"]["number"] = -1
    with pytest.raises(ValidationError, match="below 0") as caught:
        Picky.model_validate(data)
    assert caught.value.__notes__ == ["in Picky"]


class Hen(ev.Entity):
    kind: Literal["hen"] = "hen"
    nest: Nest | None = None


class Goose(ev.Entity):
    kind: Literal["goose"] = "goose"
    nest: Nest | None = None


class Nest(ev.Entity):
    """No function of anybody's: only a discriminator looks."""

    bird: Annotated[Hen | Goose, Field(discriminator="kind")]


@pytest.mark.parametrize("again", WAYS.values(), ids=WAYS.keys())
def test_a_discriminator_in_a_cycle(again: Way) -> None:
    nest = Nest(bird=Goose())
    nest.bird.nest = nest
    assert find_difference(nest, again(nest)) is None
    assert find_difference(nest.bird, again(nest.bird)) is None


class Page(BaseModel):
    author: Writer
    numbers: tuple[int, ...] = ()


class Writer(ev.Entity):
    page: Page | None = None
    friend: Writer | None = None

    @model_validator(mode="after")
    def check(self) -> Writer:
        if self.friend is not None and self.friend.page is not None:
            assert self.friend.page.author is self
            assert self.friend.page.numbers == (1, 2)
        return self


@pytest.mark.parametrize("again", WAYS.values(), ids=WAYS.keys())
def test_plain_models_in_a_cycle_are_made_before_anyone_looks(again: Way) -> None:
    one, other = Writer(), Writer()
    one.friend, other.friend = other, one
    one.page, other.page = Page(author=other, numbers=(1, 2)), Page(author=one, numbers=(1, 2))
    assert find_difference(one, again(one)) is None
