"""Lookups mean one thing: in memory, on SQLite, on PostgreSQL, and in plain Python."""

from __future__ import annotations

import datetime as dt
import enum
import itertools
import math
import operator
import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import PurePosixPath
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import AnyUrl, Field

import ecsviz as ev
from tests.conformance.conftest import KINDS, OPENERS

BERLIN = ZoneInfo("Europe/Berlin")
BACK = dt.datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN)
EAST = dt.timezone(dt.timedelta(hours=14))
FIRST, LAST = dt.datetime.min, dt.datetime.max  # noqa: DTZ901 - the ends of what there is


class Level(enum.IntEnum):
    LOW = -(2**70)
    HIGH = 2**70


class Mixed(enum.Enum):
    ONE = 1
    TWO = "two"


class Colour(enum.StrEnum):
    RED = "red"
    DARK_RED = "Dark Red"


class Item(ev.Entity):
    """A field for each kind of value that can be compared, and for each way to hold entities."""

    number: int | None = None
    floating: float | None = None
    exact: Decimal | None = None
    some_text: str | None = None
    größe: str | None = None  # noqa: PLC2401 - JSON may escape such a name
    raw: bytes | None = None
    yes: bool | None = None
    at: dt.datetime | None = None
    day: dt.date | None = None
    clock: dt.time | None = None
    lasts: dt.timedelta | None = None
    uid: UUID | None = None
    level: Level | None = None
    mixed: Mixed | None = None
    colour: Colour | None = None
    side: Literal["left", "right"] | None = None
    where: PurePosixPath | None = None
    address: IPv4Address | None = None
    url: AnyUrl | None = None
    either: int | float | bool | str | None = None
    odd__le: int | None = None
    box: Box | None = None
    friend: Item | None = None
    friends: list[Item] = ev.reference(inverse=None, default_factory=list)
    circle: set[Item] = Field(default_factory=set)
    by_name: dict[str, Item | Box] = Field(default_factory=dict)
    either_held: Item | Box | None = None


class Special(Item):
    extra: int = 0


class Box(ev.Entity):
    """A list that back-references say."""

    some_text: str | None = None
    label: str = ""
    items: list[Item] = Field(default_factory=list)


Item.model_rebuild()
Special.model_rebuild()

TEXTS = [
    *("", "a", "A", "ab", "b", "a?", "?", "a\0", "\0", "\ufffd", "a\ufffd", "\ud800", "a\ud800"),
    *("é", "É", "ss", "ß", "SS", "\u017f", "s", "K", "\u212a", "k", "İ", "i", "I", "\u0131", "%"),
    *("\U0001f600", "\ue000", "'", '"', "\\", "Straße", "STRASSE", "ﬁ", "fi", "a\0b?", "_", "a_b"),
]
NUMBERS = [0, 1, -1, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**63 + 1, -(2**63), -(2**63) - 1, 2**70]
FLOATS = [
    *(0.0, -0.0, 1.0, 1, 1.5, 2.0**53, 2**53 + 1, 2**53 + 2, 2.0**53 + 2, 1e308, 10**400),
    *(math.inf, -math.inf, math.nan, 5e-324, 1.7976931348623157e308, -(2**53) - 1, -(2.0**53)),
    -(10**400),
]
EXACT = [
    *("0", "-0", "1", "1.0", "1.00", "0.1", "0.10", "0.1000000000000000055511151231257827"),
    *("12345678901234567890", "12345678901234567891", "1E-400", "-1E-400", "1E+400", "-1E+400"),
    *("2E+400", "Inf", "-Inf", "NaN", "sNaN", "1.7976931348623157E+308"),
]
TIMES = [
    *(BACK, BACK.replace(fold=1), BACK.astimezone(dt.UTC), BACK.replace(tzinfo=None)),
    *(BACK.astimezone(dt.UTC).replace(tzinfo=None), BACK.astimezone(EAST), BACK.astimezone(dt.UTC)),
    *(FIRST, FIRST.replace(tzinfo=dt.UTC), FIRST.replace(tzinfo=EAST), LAST),
    *(LAST.replace(tzinfo=dt.UTC), LAST.replace(tzinfo=dt.timezone(-EAST.utcoffset(None)))),
]
CLOCKS = [
    *(dt.time(0), dt.time(12), dt.time(12, fold=1), dt.time(12, tzinfo=dt.UTC)),
    *(dt.time(14, tzinfo=dt.timezone(dt.timedelta(hours=2))), dt.time(2, tzinfo=EAST)),
    *(dt.time(12, tzinfo=BERLIN), dt.time(23, 59, 59, 999_999)),
]
VALUES: dict[str, list[Any]] = {
    "number": NUMBERS,
    "floating": FLOATS,
    "exact": [Decimal(text) for text in EXACT],
    "some_text": TEXTS,
    "größe": TEXTS[:14],
    "raw": [b"", b"\0", b"a", b"\xff"],
    "yes": [True, False],
    "at": TIMES,
    "day": [dt.date.min, dt.date(2024, 2, 29), dt.date.max],
    "clock": CLOCKS,
    "lasts": [
        *(dt.timedelta(0), dt.timedelta.max, dt.timedelta.min, dt.timedelta(microseconds=2**63)),
        dt.timedelta(microseconds=2**63 - 1),
    ],
    "uid": [UUID(int=1), UUID(int=2**127)],
    "level": list(Level),
    "mixed": list(Mixed),
    "colour": list(Colour),
    "side": ["left", "right"],
    "where": [PurePosixPath("/a/b"), PurePosixPath("A"), PurePosixPath("?")],
    "address": [IPv4Address("10.0.0.1"), IPv4Address("9.0.0.1")],
    "url": [AnyUrl("http://a.example/x"), AnyUrl("http://b.example/?q")],
    "either": [0, 1, 1.0, True, "1", "", -0.0, math.nan, 2**70, "\ud800"],
    "odd__le": [0, 5],
    "version": [0, 1, 2, 2**40, 2**70],
}
WRITTEN: dict[str, Callable[[Any], str]] = {
    "some_text": str,
    "größe": str,
    "side": str,
    "where": str,
    "address": str,
    "url": str,
    "colour": str,
    "mixed": lambda member: str(member.name),
}
"""What is a text, or is written as one."""
SAME = ("eq", "ne", "in", "isnull")
ORDERED = ("lt", "le", "gt", "ge")
PARTS = ("contains", "startswith", "endswith", "icontains", "istartswith", "iendswith")
REFERENCES = ("box", "friend", "either_held")
SEVERAL = ("friends", "circle", "by_name")


# -- plain Python ----------------------------------------------------------------------------


def instant(value: dt.datetime) -> dt.timedelta:
    return value.replace(tzinfo=None) - FIRST - (value.utcoffset() or dt.timedelta(0))


def since_midnight(value: dt.time) -> dt.timedelta:
    since = dt.datetime.combine(dt.date.min, value.replace(tzinfo=None)) - FIRST
    return since - (value.utcoffset() or dt.timedelta(0))


def is_nan(value: Any) -> bool:
    return value.is_nan() if isinstance(value, Decimal) else value != value  # noqa: PLR0124 - NaN


def key(field: str, value: Any) -> Any:
    """By what values are compared; NaN by nothing."""
    if isinstance(value, dt.datetime):
        return instant(value)
    if isinstance(value, dt.time):
        return since_midnight(value)
    return WRITTEN[field](value) if field in WRITTEN else value


def are_equal(field: str, one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    if field == "either":
        if type(one) is not type(other):
            return False
        return repr(one) == repr(other)
    if isinstance(one, (dt.datetime, dt.time)):
        if (one.utcoffset() is None) != (other.utcoffset() is None):
            return False
    elif is_nan(one) or is_nan(other):
        return is_nan(one) and is_nan(other)
    return bool(key(field, one) == key(field, other))


def value_fits(field: str, value: Any, lookup: str, wanted: Any) -> bool:
    if lookup == "isnull":
        return (value is None) == wanted
    if lookup == "in":
        return any(are_equal(field, value, one) for one in wanted)
    if lookup in ("eq", "ne"):
        return are_equal(field, value, wanted) == (lookup == "eq")
    if value is None:
        return False
    if lookup in ORDERED:
        if is_nan(value) or is_nan(wanted):
            return False
        return bool(getattr(operator, lookup)(key(field, value), key(field, wanted)))
    text, part = key(field, value), wanted
    if lookup.startswith("i"):
        text, part, lookup = text.casefold(), part.casefold(), lookup[1:]
    return bool(part in text if lookup == "contains" else getattr(text, lookup)(part))


def held(entity: Any, field: str) -> list[Any]:
    there = getattr(entity, field, None)
    if there is None or isinstance(there, ev.Entity):
        return [] if there is None else [there]
    return list(there.values() if isinstance(there, dict) else there)


Asked = tuple[tuple[str, ...], str, str, Any]


def fits(entity: Any, asked: Asked) -> bool:
    path, field, lookup, wanted = asked
    there = [entity]
    for step in path:
        there = [member for one in there for member in held(one, step)]
    for one in there:
        if field not in type(one).model_fields:
            continue
        if field in SEVERAL or field == "items":
            found = (not held(one, field)) == wanted
        else:
            value = getattr(one, field)
            found = value_fits(field, getattr(value, "ecs_id", value), lookup, wanted)
        if found:
            return True
    return False


# -- what is asked ---------------------------------------------------------------------------


def entities() -> list[Any]:
    """One entity for every value, alone in its field, with some that hold others."""
    made: list[Any] = []
    for field, values in VALUES.items():
        for value in values if field != "version" else ():
            item = Special() if len(made) % 5 == 0 else Item()
            item.__dict__[field] = value  # as nobody has checked: an int in a float's field
            made.append(item)
    boxes = [Box(label="one", some_text="é"), Box(label="two"), Box(label="none")]
    for number, item in enumerate(made):
        if number % 3:
            item.box = boxes[number % 2]
            item.box.items.append(item)
        before, other = made[number - 1], made[(number * 7) % len(made)]
        item.friend = before if number % 4 else None
        item.friends = [before, other, before] if number % 5 == 0 else []
        item.circle = {other} if number % 6 == 0 else set()
        item.by_name = {"x": other, "y": boxes[0]} if number % 7 == 0 else {}
        item.either_held = [None, boxes[1], other][number % 3]
    return [*made, *boxes]


ENTITIES = entities()


def wanted_of(field: str, lookup: str) -> st.SearchStrategy[Any]:
    if lookup == "isnull":
        return st.booleans()
    if lookup in PARTS:
        return st.sampled_from([*TEXTS, "r", "two", "example", "10.", "/", "D"])
    if field in REFERENCES or field in ("ecs_id", "lineage_id", "parent_id"):
        values = st.sampled_from([*(e.ecs_id for e in ENTITIES[::3]), UUID(int=7)])
    else:
        values = st.sampled_from(VALUES[field])
    if lookup == "in":
        return st.lists(st.none() | values, max_size=5)
    return values if lookup in ORDERED else st.none() | values


@st.composite
def asked(draw: Any) -> Asked:
    path: tuple[str, ...] = ()
    for _ in range(draw(st.integers(0, 3))):
        if path and path[-1] == "box":
            path = (*path, "items")
        else:
            path = (*path, draw(st.sampled_from([*REFERENCES, *SEVERAL])))
    if path and path[-1] == "box":
        field = draw(st.sampled_from(["some_text", "items", "ecs_id"]))
    else:
        own = ["ecs_id", "lineage_id", "parent_id"]
        field = draw(st.sampled_from([*VALUES, *VALUES, *own, *REFERENCES, *SEVERAL]))
    if field in SEVERAL or field == "items":
        lookup = "isnull"
    else:
        lookups = [*SAME]
        if field not in REFERENCES and field != "either":
            lookups += ORDERED
        lookups += PARTS if field in WRITTEN else []
        lookup = draw(st.sampled_from(lookups))
    return path, field, lookup, draw(wanted_of(field, lookup))


def keyword(asked: Asked) -> str:
    path, field, lookup, _ = asked
    return "__".join([*path, field, *([] if lookup == "eq" else [lookup])])


@pytest.fixture(scope="module")
def stores(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[dict[str, Any]]:
    found = {name: OPENERS[name](tmp_path_factory.mktemp(name), request)() for name in KINDS}
    for store in found.values():
        for entity in ENTITIES:
            entity.__dict__["version"] = 0
        store.register(ENTITIES)
        changed = [entity for entity in ENTITIES[3::4] if isinstance(entity, Item)]
        for entity in changed:
            before, entity.__dict__["either"] = entity.either, "changed"
            store.register(entity)
            entity.__dict__["either"] = before
        store.register(changed)
    yield found
    for store in found.values():
        store.close()


def ids(found: list[Any]) -> list[UUID]:
    return sorted(entity.ecs_id for entity in found)


@settings(
    max_examples=50,
    deadline=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
@given(criteria=st.lists(asked(), min_size=1, max_size=2), kind=st.sampled_from([Item, Special]))
def test_every_storage_finds_what_python_finds(
    stores: dict[str, Any], criteria: list[Asked], kind: type
) -> None:
    fields = {keyword(one): one[3] for one in criteria}
    criteria = list({keyword(one): one for one in criteria}.values())
    expected = ids(
        [e for e in ENTITIES if isinstance(e, kind) and all(fits(e, one) for one in criteria)]
    )
    for name, store in stores.items():
        assert store.count(kind, **fields) == len(expected), name
        assert store.exists(kind, **fields) == bool(expected), name
        if len(expected) < 20:
            assert ids(store.find(kind, hops=0, **fields)) == expected, name


def everything_asked(field: str) -> Iterator[tuple[str, Any]]:
    """Every lookup of a field with every value."""
    yield from (("isnull", True), ("isnull", False), ("eq", None), ("ne", None), ("in", []))
    for lookup in ("eq", "ne", *(ORDERED if field != "either" else ())):
        yield from ((lookup, value) for value in VALUES[field])
    yield from (("in", [one, None, other]) for one, other in itertools.pairwise(VALUES[field]))
    if field in WRITTEN:
        yield from ((lookup, text) for lookup in PARTS for text in TEXTS)


@pytest.mark.sweep
@pytest.mark.parametrize("field", VALUES)
def test_every_lookup_of_every_value(stores: dict[str, Any], field: str) -> None:
    for number, (lookup, wanted) in enumerate(everything_asked(field)):
        items = [entity for entity in ENTITIES if isinstance(entity, Item)]
        expected = sum(fits(item, ((), field, lookup, wanted)) for item in items)
        for place, (name, store) in enumerate(stores.items()):
            if place and (number + place) % (3 if name == "postgresql" else 2):
                continue  # in memory all, in the others in turn
            found = store.count(Item, **{keyword(((), field, lookup, wanted)): wanted})
            assert found == expected, (name, lookup, wanted)


# -- one by one ------------------------------------------------------------------------------


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Any) -> Any:
    return OPENERS[request.param](tmp_path, request)()


def chat(title: str, *roles: str) -> ev.ChatThread:
    thread = ev.ChatThread(title=title)
    for role in roles:
        thread.say(role, f"{title} {role}")
    return thread


def test_through_references(store: Any) -> None:
    plans, other = chat("Plans", "user", "assistant"), chat("Other", "user")
    bare = ev.ChatThread(title="bare")
    store.register([plans, other, bare])
    assert store.find(ev.ChatMessage, thread__title="Plans") == plans.messages
    assert store.find(ev.ChatThread, messages__role="assistant") == [plans]
    assert store.find(ev.ChatThread, messages__role__ne="user") == [plans]
    assert store.find(ev.ChatThread, messages__isnull=True) == [bare]
    assert store.find(ev.ChatThread, messages__parent__isnull=True) == [plans, other]
    # Each criterion by itself: one message says the one, another one the other.
    both = {"messages__role": "user", "messages__content__endswith": "assistant"}
    assert store.find(ev.ChatThread, **both) == [plans]
    assert store.find(ev.ChatMessage, thread__messages__role="assistant") == plans.messages
    assert store.find(ev.ChatMessage, thread__in=[bare, other.ecs_id]) == other.messages
    assert store.find(ev.ChatThread, messages__ecs_id=other.messages[0]) == [other]
    assert store.find(ev.ChatThread, messages__thread__version__ge=1) == [plans, other]


def test_the_past_is_asked_as_it_was(store: Any) -> None:
    thread = store.register(chat("before", "user"))
    thread.title = "after"
    thread.say("assistant", "new")
    store.register(thread)
    assert store.count(ev.ChatMessage, thread__title="before") == 0
    assert store.count(ev.ChatMessage, thread__title="before", as_of=1) == 1
    assert store.exists(ev.ChatThread, messages__role="assistant")
    assert not store.exists(ev.ChatThread, messages__role="assistant", as_of=1)
    assert store.first(ev.ChatThread, title__icontains="BEF", as_of=1, hops=0).title == "before"
    assert store.one(ev.ChatThread, title__ne="before").title == "after"


class Odd(ev.Entity):
    """Fields that are called like lookups."""

    size: int = 0
    size__ge: int = 0
    limit: int = 0
    ne: str = ""
    other: Odd | None = None


def test_a_field_goes_before_a_lookup(store: Any) -> None:
    small, large = Odd(size=9, size__ge=1, ne="x", limit=3), Odd(size=1, size__ge=5)
    large.other = small
    store.register([small, large])
    assert store.find(Odd, size__ge=1) == [small]
    assert store.find(Odd, size__ge__ge=1) == [small, large]
    assert store.find(Odd, other__ne="x") == [large]
    assert store.find(Odd, limit__eq=3) == [small]


def test_the_first_and_the_only_one(store: Any) -> None:
    store.register([chat("b"), chat("a"), chat("c")])
    assert store.first(ev.ChatThread).title == "b"
    assert store.first(ev.ChatThread, order_by="-title").title == "c"
    assert store.first(ev.ChatThread, title="d") is None
    assert store.one(ev.ChatThread, title="a").title == "a"
    with pytest.raises(ev.errors.EntityNotFoundError, match="No ChatThread that fits title is"):
        store.one(ev.ChatThread, title="secret")
    with pytest.raises(
        ev.errors.SeveralFoundError, match="There is not one ChatThread, there are 3"
    ):
        store.one(ev.ChatThread)
    with pytest.raises(ev.errors.SeveralFoundError) as caught:
        store.one(ev.ChatThread, title__in=["a", "b"])
    assert (caught.value.count, caught.value.type_name) == (2, "ChatThread")


def test_how_many_and_whether(store: Any) -> None:
    assert len(store) == 0
    assert store
    assert store.count(ev.ChatThread) == 0
    assert not store.exists(ev.Entity)
    thread = store.register(chat("a", "user", "tool"))
    assert len(store) == store.count(ev.Entity) == 3
    assert store.count(ev.ChatMessage, role="tool") == 1
    for there in (thread, thread.ecs_id, str(thread.ecs_id), thread.messages[0]):
        assert there in store
    assert chat("b") not in store
    with pytest.raises(ev.errors.InvalidIdError):
        assert "no id" in store


def test_one_revision_in_batches(store: Any) -> None:
    store.register([chat(f"{n}", "user") for n in range(7)])
    found = store.iterate(ev.ChatThread, batch=3)
    seen = [next(found)]
    gone, changed = store.find(ev.ChatThread, title__in=["5", "6"])
    store.delete([gone, *gone.messages])
    changed.title = "changed"
    store.register([changed, chat("new")])
    seen += found
    assert [thread.title for thread in seen] == list("0123456")
    assert {thread.title for thread in store.iterate(ev.ChatThread)} == {*"01234", "changed", "new"}
    some = store.iterate(ev.ChatThread, batch=2, title__lt="4", as_of=1)
    assert [thread.title for thread in some] == list("0123")
    assert [type(e).__name__ for e in store.iterate(ev.Entity, batch=100)].count("ChatThread") == 7
    first, second, *_ = store.iterate(ev.ChatMessage, batch=2, hops=1)
    assert first.thread.title == "0"
    assert second.thread.messages == [second]


def test_batches_that_were_pruned_are_told(store: Any) -> None:
    threads = store.register([chat("a"), chat("b"), chat("c")])
    found = store.iterate(ev.ChatThread, batch=1)
    next(found)
    threads[2].title = "d"
    store.register(threads)
    store.prune()
    if isinstance(store, ev.SQLAlchemyEntityStorage):
        with pytest.raises(ev.errors.InvalidArgumentError, match="pruned"):
            list(found)
    else:  # which holds what it yields
        assert [thread.title for thread in found] == ["b", "c"]


def test_an_empty_store_has_nothing_to_iterate(store: Any) -> None:
    assert list(store.iterate(ev.ChatThread, title="a")) == []
    with pytest.raises(ev.errors.InvalidArgumentError, match="no field 'titel'"):
        store.iterate(ev.ChatThread, titel="a")


WRONG: list[tuple[type, dict[str, Any], str]] = [
    (ev.ChatMessage, {"rol": 1}, "ChatMessage has no field 'rol'. Did you mean 'role'?"),
    (ev.ChatMessage, {"rol__in": []}, "ChatMessage has no field 'rol'. Did you mean 'role'?"),
    (ev.ChatMessage, {"created_at__gte": 1}, "created_at has no lookup 'gte'. Did you mean "),
    (ev.ChatMessage, {"content__contain": "a"}, "no lookup 'contain'. Did you mean 'contains'"),
    (ev.ChatMessage, {"content__ge__le": "a"}, "ChatMessage.content has no lookup 'ge__le'"),
    (ev.ChatMessage, {"content__": "a"}, "ChatMessage.content has no lookup ''"),
    (ev.ChatMessage, {"__ge": "a"}, "ChatMessage has no field ''"),
    (ev.ChatMessage, {"thread__titel": "a"}, "ChatThread has no field 'titel'. Did you mean"),
    (ev.ChatMessage, {"thread__contains": "a"}, "ChatMessage.thread holds no texts: 'contains'"),
    (ev.ChatMessage, {"thread__ge": None}, "thread holds an entity, and entities have no"),
    (ev.ChatThread, {"messages": None}, "ChatThread.messages holds several values. Ask for one"),
    (ev.ChatThread, {"messages__in": []}, "ChatThread.messages holds several values"),
    (ev.ChatMessage, {"role__in": "user"}, "role__in is 'user'. Give a list of values."),
    (ev.ChatMessage, {"role__in": 1}, "role__in is 1. Give a list of values."),
    (ev.ChatMessage, {"role__in": [1]}, "ChatMessage.role is of type int, but must be str"),
    (ev.ChatMessage, {"thread__in": [1]}, "ChatMessage.thread holds an entity, not a int"),
    (ev.ChatMessage, {"version__startswith": "1"}, "holds no texts: 'startswith' cannot be asked"),
    (ev.ChatMessage, {"ecs_id__contains": "1"}, "ChatMessage.ecs_id holds no texts"),
    (ev.ChatMessage, {"content__contains": 1}, "is a text, in which there is no 1. Give a text."),
    (ev.ChatMessage, {"content__isnull": 1}, "is asked for isnull=1. Give True or False."),
    (ev.ChatMessage, {"content__ge": None}, "None has no order. isnull= asks for None."),
    (ev.ChatMessage, {"content__ge": 1}, "ChatMessage.content is of type int, but must be str"),
    (ev.ChatMessage, {"metadata__isnull": True}, "holds what may be several values"),
    (ev.ChatMessage, {"thread__metadata": {}}, "holds what may be several values"),
    (Item, {"either__ge": 1}, "Item.either holds values of several types, which have no order"),
    (Item, {"either__contains": "1"}, "Item.either holds no texts"),
    (ev.ChatMessage, {"parent__" * 17 + "role": "a"}, "leads through more than 16 references"),
]


@pytest.mark.parametrize(("cls", "fields", "told"), WRONG)
@pytest.mark.parametrize("is_stored", [True, False])
def test_what_cannot_be_asked(
    store: Any, cls: type, fields: dict[str, Any], told: str, is_stored: bool
) -> None:
    if is_stored:
        store.register([chat("a", "user"), Item()])
    for ask in (store.find, store.count, store.exists, store.first, store.one, store.iterate):
        with pytest.raises(ev.errors.InvalidArgumentError) as caught:
            ask(cls, **fields)
        assert told in str(caught.value)


@pytest.mark.parametrize("batch", [0, -1, True, None, "3"])
def test_batches_of_a_wrong_size(store: Any, batch: Any) -> None:
    with pytest.raises(ev.errors.InvalidArgumentError, match="batch is"):
        store.iterate(ev.ChatThread, batch=batch)


def test_a_long_list_of_each_kind(store: Any) -> None:
    """More values than a statement takes, and more of which a column holds stand-ins."""
    r = random.Random(1)
    for field, values in VALUES.items():
        if field == "version":
            continue
        made = [Item() for _ in range(4)]
        for item in made[:3]:
            item.__dict__[field] = r.choice(values)
        store.register(made)
        wanted = [*values * 20, None]
        found = store.find(Item, hops=0, ecs_id__in=made, **{f"{field}__in": wanted})
        assert [e.ecs_id for e in found] == [
            e.ecs_id for e in made if value_fits(field, getattr(e, field), "in", wanted)
        ]
    many = [UUID(int=n) for n in range(70_000)]
    assert store.count(Item, ecs_id__in=[*many, made[0].ecs_id]) == 1
    assert store.count(Item, number__in=range(70_000), some_text__in=list(map(str, many))) == 0
