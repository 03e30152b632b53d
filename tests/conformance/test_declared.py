"""``ev.column(unique=, index=, max_length=)``: what a class declares of its columns holds."""

from __future__ import annotations

import abc
import enum
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError
from typing_extensions import TypeAliasType

import ecsviz as ev
from ecsviz import errors
from tests.conformance.conftest import KINDS, OPENERS, Open


class Suit(enum.Enum):
    HEARTS = "hearts"
    SPADES = "spades"


Slug = Annotated[str, ev.column(unique=True, max_length=20)]


class Squad(ev.Entity):
    slug: Slug
    nick: Slug | None = None
    city: Annotated[str, ev.column(index=True)] = ""
    points: int = 0
    mates: list[Mate] = Field(default_factory=list)


class Mate(ev.Entity):
    squad: Squad
    email: Annotated[str | None, ev.column(unique=True)] = None


class YouthSquad(Squad):
    age: int = 0


class Card(ev.Entity):
    text: Annotated[str | None, ev.column(unique=True)] = None
    whole: Annotated[int | None, ev.column(unique=True)] = None
    raw: Annotated[bytes | None, ev.column(unique=True)] = None
    at: Annotated[datetime | None, ev.column(unique=True)] = None
    day: Annotated[date | None, ev.column(unique=True)] = None
    clock: Annotated[time | None, ev.column(unique=True)] = None
    span: Annotated[timedelta | None, ev.column(unique=True)] = None
    uid: Annotated[UUID | None, ev.column(unique=True)] = None
    suit: Annotated[Suit | None, ev.column(unique=True)] = None
    yes: Annotated[bool | None, ev.column(unique=True)] = None


class Required(ev.Entity):
    text: Annotated[str, ev.column(unique=True)]
    whole: Annotated[int, ev.column(unique=True)]
    raw: Annotated[bytes, ev.column(unique=True)]
    at: Annotated[datetime, ev.column(unique=True)]
    uid: Annotated[UUID, ev.column(unique=True)]


def slugs(store: Any) -> dict[str, int]:
    return {squad.slug: squad.points for squad in store.list_by_type(Squad)}


# -- unique ----------------------------------------------------------------------------------


def test_a_value_that_is_stored_names_both(reopen: Open) -> None:
    store = reopen()
    first = store.register(Squad(slug="a"))
    second = Squad(slug="a")
    with pytest.raises(errors.UniqueValueError, match=r"Squad\.slug of") as caught:
        reopen().register([Squad(slug="b"), second])
    error = caught.value
    assert (error.entity, error.other) == (second.ecs_id, first.ecs_id)
    assert (error.type_name, error.field, error.value) == ("Squad", "Squad.slug", "a")
    assert "match='slug'" in str(error)
    assert slugs(store) == {"a": 0}
    assert second.version == 0
    second.slug = "A"  # case counts
    store.register(second)
    assert store.verify().empty


def test_two_that_are_given_name_both(reopen: Open) -> None:
    store = reopen()
    one, two = Squad(slug="a"), YouthSquad(slug="a")
    with pytest.raises(errors.UniqueValueError, match="given with it") as caught:
        store.register([one, two])
    assert {caught.value.entity, caught.value.other} == {one.ecs_id, two.ecs_id}
    assert len(store.revisions()) == 0


def test_an_edit_that_takes_a_value_is_refused(reopen: Open) -> None:
    store = reopen()
    one, two = store.register([Squad(slug="a"), Squad(slug="b")])
    two.slug = "a"
    for hops in (None, 0):
        with pytest.raises(errors.UniqueValueError) as caught:
            store.register(two, hops=hops)
        assert (caught.value.entity, caught.value.other) == (two.ecs_id, one.ecs_id)
    assert two.version == 1
    one.slug = "c"  # and so it is free
    store.register([one, two])
    assert slugs(store) == {"a": 0, "c": 0}


def test_several_may_have_none(reopen: Open) -> None:
    store = reopen()
    store.register([Card(), Card(), Squad(slug="a"), Squad(slug="b")])
    assert len(store.list_by_type(Card)) == 2
    assert store.verify().empty


def test_values_are_exchanged(reopen: Open) -> None:
    store = reopen()
    squads = store.register([Squad(slug=slug, nick=slug.upper()) for slug in "abcd"])
    first, last = squads[0], squads[-1]
    first.slug, last.slug = last.slug, first.slug
    store.register(squads)
    assert [store.get(squad.ecs_id).slug for squad in squads] == ["d", "b", "c", "a"]
    names = [squad.slug for squad in squads]
    for squad, slug in zip(squads, [*names[1:], names[0]], strict=True):  # all in a ring
        squad.slug, squad.nick = slug, slug.upper()
    store.register(squads)
    assert [squad.slug for squad in store.get_many(squads)] == ["b", "c", "a", "d"]
    assert [squad.slug for squad in store.get_many(squads, as_of=1)] == ["a", "b", "c", "d"]
    assert [squad.slug for squad in store.get_many(squads, as_of=2)] == ["d", "b", "c", "a"]
    assert store.history(first)["fields"].tolist() == ["", "slug", "slug, nick"]
    assert store.verify(squads[0]).empty


def test_every_type_of_value_is_exchanged(reopen: Open) -> None:
    noon = datetime(2024, 5, 1, 12, tzinfo=UTC)
    store = reopen()
    one = Required(text="a", whole=1, raw=b"a", at=noon, uid=UUID(int=1))
    two = Required(text="b", whole=2, raw=b"\0", at=noon + timedelta(1), uid=UUID(int=2))
    store.register([one, two])
    names = ("text", "whole", "raw", "at", "uid")
    values = [tuple(getattr(each, name) for name in names) for each in (one, two)]
    for each, held in zip((two, one), values, strict=True):
        for name, value in zip(names, held, strict=True):
            setattr(each, name, value)
    store.register([one, two])
    again = reopen().get_many([two.ecs_id, one.ecs_id])
    assert [tuple(getattr(each, name) for name in names) for each in again] == values
    assert store.verify().empty


def test_a_value_goes_on_to_another(reopen: Open) -> None:
    store = reopen()
    one = store.register(Squad(slug="a"))
    one.slug = "b"
    new = Squad(slug="a")
    store.register([new, one])
    assert store.get(new.ecs_id).slug == "a"
    with store.transaction():
        store.delete(new)
        third = store.register(Squad(slug="a"))
    assert slugs(store) == {"a": 0, "b": 0}
    store.delete(third)
    store.register(Squad(slug="a"))
    assert store.verify().empty


def test_in_a_transaction(reopen: Open) -> None:
    store = reopen()
    one, two = store.register([Squad(slug="a"), Squad(slug="b")])
    with store.transaction():
        one.slug = "x"
        store.register(one)
        two.slug = "a"
        store.register(two)
        with pytest.raises(errors.UniqueValueError):
            store.register(Squad(slug="a"))
        one.slug = "b"
        store.register(one)
    assert [squad.slug for squad in store.get_many([one, two])] == ["b", "a"]
    assert [squad.version for squad in (one, two)] == [2, 2]
    assert len(store.revisions()) == 2
    assert store.verify().empty


def test_what_was_has_no_say(reopen: Open) -> None:
    store = reopen()
    one = store.register(Squad(slug="a"))
    for slug in ("b", "a", "b"):
        one.slug = slug
        store.register(one)
    store.register(Squad(slug="a"))
    assert store.get(one.ecs_id, as_of=1).slug == "a"
    with pytest.raises(errors.UniqueValueError):
        store.revert(one, to=1)
    assert slugs(store) == {"a": 0, "b": 0}
    assert store.verify().empty


def test_going_back_takes_a_value_from_what_goes(reopen: Open) -> None:
    store = reopen()
    squad = Squad(slug="s")
    squad.mates.append(Mate(squad=squad, email="x"))
    store.register(squad)
    squad.mates[0].email = None
    squad.mates.append(Mate(squad=squad, email="x"))
    store.register(squad)
    store.revert(squad, to=1, delete_added=True)
    assert [mate.email for mate in store.get(squad.ecs_id).mates] == ["x"]
    assert [mate.email for mate in store.get(squad.ecs_id, as_of=2).mates] == [None, "x"]
    assert store.verify().empty


def test_subclasses_are_among_them(reopen: Open) -> None:
    store = reopen()
    one = store.register(Squad(slug="a"))
    young = YouthSquad(slug="a")
    with pytest.raises(errors.UniqueValueError, match=r"Squad\.slug is unique") as caught:
        store.register(young)
    assert (caught.value.type_name, caught.value.other) == ("YouthSquad", one.ecs_id)
    young.slug = "b"
    store.register(young)
    one.slug, young.slug = "b", "a"
    store.register([one, young])
    assert store.one(Squad, slug="a") == young
    assert store.verify().empty


class Named(ev.Entity, abc.ABC):
    name: Annotated[str, ev.column(unique=True)]

    @abc.abstractmethod
    def say(self) -> str: ...


class Cat(Named):
    def say(self) -> str:
        return "meow"


class Dog(Named):
    def say(self) -> str:
        return "woof"


class Loose(Squad):
    slug: str


def test_an_abstract_base_keeps_nothing_apart(reopen: Open) -> None:
    store = reopen()
    store.register([Cat(name="a"), Dog(name="a")])
    with pytest.raises(errors.UniqueValueError, match=r"Cat\.name is unique"):
        store.register(Cat(name="a"))
    store.register([Squad(slug="a"), Loose(slug="a"), Loose(slug="a")])  # which takes it back
    assert store.verify().empty


VALUES: dict[str, tuple[Any, Any]] = {
    "text": ("a", "a"),
    "whole": (2**63 - 1, 2**63 - 1),
    "raw": (b"\xff\0", b"\xff\0"),
    "at": (
        datetime(2024, 5, 1, 12, tzinfo=UTC),
        datetime(2024, 5, 1, 14, tzinfo=timezone(timedelta(hours=2))),
    ),
    "day": (date(2024, 5, 1), date(2024, 5, 1)),
    "clock": (time(12), time(12)),
    "span": (timedelta(seconds=1), timedelta(milliseconds=1000)),
    "uid": (UUID(int=7), UUID(int=7)),
    "suit": (Suit.HEARTS, Suit.HEARTS),
    "yes": (False, False),
}


@pytest.mark.parametrize("name", list(VALUES))
def test_every_type_that_can_be_unique(reopen: Open, name: str) -> None:
    store = reopen()
    one, two = VALUES[name]
    first = store.register(Card(**{name: one}))
    with pytest.raises(errors.UniqueValueError) as caught:
        store.register(Card(**{name: two}))
    assert (caught.value.other, caught.value.value) == (first.ecs_id, two)
    assert getattr(reopen().get(first.ecs_id), name) == one


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", "a\0b"),
        ("text", "\ud800"),
        ("whole", 2**63),
        ("whole", -(2**63) - 1),
        ("clock", time(12, tzinfo=UTC)),
    ],
)
def test_what_a_column_has_no_exact_copy_of_is_told(reopen: Open, name: str, value: Any) -> None:
    store = reopen()
    card = Card()
    setattr(card, name, value)
    with pytest.raises(errors.ValueNotStorableError, match=rf"Card \(given\)\.{name} is a value"):
        store.register(card)
    assert len(store.revisions()) == 0


# -- of a bounded length ---------------------------------------------------------------------


def test_a_text_that_is_too_long_is_told(reopen: Open) -> None:
    with pytest.raises(ValidationError, match="at most 20 characters"):
        Squad(slug="x" * 21)
    store = reopen()
    squad = Squad(slug="ä" * 20, nick=None)
    store.register(squad)
    squad.slug = "x" * 21  # which pydantic does not look at
    with pytest.raises(errors.ValueNotStorableError, match="is 21 characters long, and its column"):
        store.register(squad)
    assert reopen().get(squad.ecs_id).slug == "ä" * 20
    assert store.find(Squad, slug="x" * 30) == []
    assert store.find(Squad, slug__startswith="ä", order_by="slug") == [squad]


# -- what cannot be --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"unique": 1}, "unique is 1. Give True or False"),
        ({"index": None}, "index is None"),
        ({"max_length": -1}, "max_length is -1. Give a whole number"),
        ({"max_length": 0}, "max_length is 0"),
        ({"max_length": True}, "max_length is True"),
        ({"max_length": 2.5}, "max_length is 2.5"),
        ({"max_length": 10**9}, "max_length is 1000000000"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], said: str) -> None:
    with pytest.raises(errors.InvalidArgumentError, match=said):
        ev.column(**options)


def test_an_unknown_option_is_told() -> None:
    with pytest.raises(errors.UnknownOptionError, match="Did you mean 'unique'") as caught:
        ev.column(uniqe=True)
    assert caught.value.option == "uniqe"
    with pytest.raises(errors.UnknownOptionError):
        ev.column(extra=1)
    with pytest.raises(errors.UnknownOptionError, match="Did you mean 'inverse'"):
        ev.reference(invers="x")


class Address(BaseModel):
    """A plain model, whose fields stand in the column of whoever holds it."""

    street: str = ""
    code: str = ev.column(index=True, default="")
    beside: Address | None = None


@dataclass
class Page:
    slug: Slug = ""


@dataclass
class Pages:
    pages: list[Page] | None = None


class Named(NamedTuple):
    slug: Slug


def declared(annotation: Any) -> Any:
    """Return an entity of a class with such a field, which has a default."""
    space = {"__annotations__": {"field": annotation}, "field": None, "__module__": __name__}
    return type("Misuse", (ev.Entity,), space)()


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        (Annotated[Squad | None, ev.column(unique=True)], "holds entities"),
        (Annotated[list[Squad] | None, ev.column(index=True)], "holds entities"),
        (Annotated[list[int] | None, ev.column(index=True)], "stored as JSON"),
        (Annotated[dict[str, int] | None, ev.column(unique=True)], "stored as JSON"),
        (Annotated[int | str | None, ev.column(unique=True)], "stored as JSON"),
        (Annotated[Any, ev.column(index=True)], "stored as JSON"),
        (Annotated[float | None, ev.column(unique=True)], "holds fractions"),
        (Annotated[Decimal | None, ev.column(unique=True)], "holds fractions"),
        (Annotated[bytes | None, ev.column(max_length=3)], "holds no str"),
        (list[Slug] | None, "inside of its values"),
        (dict[str, Slug | None] | None, "inside of its values"),
        (Address | None, "inside of its values"),
        (list[Address] | None, "inside of its values"),
        (Pages | None, "inside of its values"),
        (Named | None, "inside of its values"),
    ],
)
def test_fields_of_which_it_cannot_be_said(reopen: Open, annotation: Any, said: str) -> None:
    with pytest.raises(errors.UnsupportedFieldError, match=said) as caught:
        reopen().register(declared(annotation))
    assert caught.value.field == "field"


def test_without_brackets_it_is_told(reopen: Open) -> None:
    with pytest.raises(errors.InvalidArgumentError, match=r"Write ev\.column"):
        reopen().register(declared(Annotated[str | None, ev.column]))


@pytest.mark.parametrize(
    "annotation",
    [
        Annotated[float | None, ev.column(index=True)],
        Annotated[Decimal | None, ev.column(index=True)],
        Annotated[bytes | None, ev.column(index=True)],
        Annotated[str | None, ev.column(description="a name"), ev.column(index=True)],
    ],
)
def test_fields_that_can_have_an_index(reopen: Open, annotation: Any) -> None:
    store = reopen()
    entity = store.register(declared(annotation))
    assert store.get(entity.ecs_id) == entity


def test_it_stands_where_a_field_stands(reopen: Open) -> None:
    class Word(ev.Entity):
        text: str = ev.column(unique=True, max_length=3, default="abc", description="of a lexicon")

    assert Word.model_fields["text"].description == "of a lexicon"
    store = reopen()
    store.register(Word())
    with pytest.raises(errors.UniqueValueError):
        store.register(Word())
    with pytest.raises(ValidationError):
        Word(text="abcd")


Alias = TypeAliasType("Alias", Annotated[str, ev.column(unique=True, max_length=3)])


@pytest.mark.parametrize(
    "annotation",
    [
        Alias | None,
        Annotated[Alias | None, Field(description="x")],
        Annotated[Slug, ev.column(max_length=3)] | None,
        Annotated[str | None, Field(min_length=1), ev.column(unique=True, max_length=3)],
    ],
)
def test_wherever_it_stands_for_the_field(reopen: Open, annotation: Any) -> None:
    store = reopen()
    cls = type(declared(annotation))
    store.register(cls(field="abc"))
    with pytest.raises(errors.UniqueValueError):
        store.register(cls(field="abc"))
    with pytest.raises(ValidationError):
        cls(field="abcd")
    entity = cls()
    entity.field = "abcd"
    with pytest.raises(errors.ValueNotStorableError):
        store.register(entity)
    assert "abcd" not in str(cls.model_json_schema())


# -- all of it, against a dictionary ---------------------------------------------------------

Steps = list[tuple[dict[int, str | None], bool]]
STEPS: st.SearchStrategy[Steps] = st.lists(
    st.tuples(
        st.dictionaries(st.integers(0, 5), st.none() | st.sampled_from("abcd"), min_size=1),
        st.booleans(),
    ),
    max_size=6,
)


@pytest.mark.parametrize("kind", KINDS)
def test_edits_are_what_a_dictionary_allows(
    kind: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> None:
    @given(STEPS)
    @settings(max_examples=settings().max_examples // (5 if kind == "postgresql" else 1) or 1)
    def check(steps: Steps) -> None:
        store = OPENERS[kind](tmp_path_factory.mktemp("store"), request)()
        told: dict[int, str | None] = {}
        squads = {n: (Squad if n % 2 else YouthSquad)(slug=f"s{n}") for n in range(6)}
        for edits, all_given in steps:
            then = {**told, **edits}
            taken = [value for value in then.values() if value is not None]
            for number, value in edits.items():
                squads[number].nick = value
            some = list(squads.values()) if all_given else [squads[n] for n in edits]
            if len(set(taken)) < len(taken):
                with pytest.raises(errors.UniqueValueError):
                    store.register(some)
                for number in edits:
                    squads[number].nick = told.get(number)
            else:
                store.register(some)
                told = then
            stored = {squad.slug: squad.nick for squad in store.list_by_type(Squad)}
            for number, squad in squads.items():
                if squad.slug in stored:
                    assert stored[squad.slug] == told.get(number)
        if told:
            assert store.verify().empty
        store.close()

    check()


# -- all storages alike ----------------------------------------------------------------------


class World:
    """One storage, with eight entities of two classes that hold each other in a ring."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.live = [(Ring if n % 3 else InnerRing)(number=n) for n in range(8)]
        for one, two in zip(self.live, [*self.live[1:], self.live[0]], strict=True):
            one.next = two

    def run(self, step: Any) -> str:
        """Do a step; return what came of it."""
        try:
            return str(self._run(*step))
        except errors.EcsvizError as error:
            number: dict[Any, int] = {each.ecs_id: each.number for each in self.live}
            named = [number.get(getattr(error, name, None)) for name in ("entity", "other")]
            return f"{type(error).__name__} {sorted(map(str, named))}"

    def _run(self, what: str, *rest: Any) -> Any:
        if what == "edit":
            number, value = rest
            self.live[number].slug = value
        elif what == "exchange":
            one, two = (self.live[n] for n in rest)
            one.slug, two.slug = two.slug, one.slug
        elif what == "register":
            number, hops = rest
            self.store.register(self.live[number], hops=hops)
        elif what == "again":
            number, value = rest
            fresh = type(self.live[number])(number=number, slug=value)
            self.store.register(fresh, match="slug")
            return [each.number for each in self.live if each == fresh]
        elif what == "alone":
            lonely = Ring(number=9, slug=rest[0])
            self.store.register(lonely)
            self.store.delete(lonely)
        elif what == "together":
            with self.store.transaction():
                return [self._run(*step) for step in rest[0]]
        elif what == "back":
            self.store.revert(self.live[rest[0]], to=1)
            self.store.refresh(self.live[0])
        return ""

    def stored(self) -> Any:
        """Return what is stored, and what the live ones say."""
        there = [(each.number, each.slug, each.version) for each in self.store.list_by_type(Ring)]
        there += [(each.number, each.slug, each.version) for each in self.live]
        return there, self.store.revisions()[["added", "changed", "deleted"]].values.tolist()


class Ring(ev.Entity):
    number: int
    slug: Annotated[str | None, ev.column(unique=True)] = None
    next: Ring | None = None


class InnerRing(Ring):
    pass


_numbers, _slugs = st.integers(0, 7), st.none() | st.sampled_from("abc")
_single: st.SearchStrategy[Any] = st.one_of(
    st.tuples(st.just("edit"), _numbers, _slugs),
    st.tuples(st.just("exchange"), _numbers, _numbers),
    st.tuples(st.just("register"), _numbers, st.sampled_from([None, 0])),
    st.tuples(st.just("again"), _numbers, _slugs),
    st.tuples(st.just("alone"), _slugs),
)
_steps = st.one_of(
    _single,
    st.tuples(st.just("together"), st.lists(_single, max_size=4)),
    st.tuples(st.just("back"), _numbers),
)


@given(st.lists(_steps, max_size=12))
def test_storages_agree(steps: list[Any]) -> None:
    with ev.SQLAlchemyEntityStorage(":memory:") as of_sql:
        worlds = [World(ev.InMemoryEntityStorage()), World(of_sql)]
        for step in [("register", 0, None), *steps]:
            one, two = (world.run(step) for world in worlds)
            assert one == two, step
            assert worlds[0].stored() == worlds[1].stored(), step
        assert of_sql.verify().empty
